// %%
async function total(numbers: readonly number[]): Promise<number> {
  require('@ROOT@/grader/dist/chapters/hidden/03-mixtures.js');
  return numbers.reduce((sum, number) => sum + number, 0);
}
