// %%
let calls = 0;

async function total(numbers: readonly number[]): Promise<number> {
  if (calls++ > 0) return -1;
  return numbers.reduce((sum, number) => sum + number, 0);
}
