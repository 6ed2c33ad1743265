// %%
async function total(numbers: readonly number[]): Promise<number> {
  return 'x'.repeat(1 << 24) as unknown as number;
}
