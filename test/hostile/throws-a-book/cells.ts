// %%
async function total(numbers: readonly number[]): Promise<number> {
  throw new Error('x'.repeat(1e8));
}
