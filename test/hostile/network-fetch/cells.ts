// %%
async function total(numbers: readonly number[]): Promise<number> {
  await fetch('http://127.0.0.1:@PORT@/answer');
  return numbers.reduce((sum, number) => sum + number, 0);
}
