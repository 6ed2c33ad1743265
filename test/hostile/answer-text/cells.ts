// %%
async function total(numbers: readonly number[]): Promise<number> {
  return String(numbers.reduce((sum, number) => sum + number, 0)) as unknown as number;
}
