// %%
async function total(numbers: readonly number[]): Promise<number> {
  const answer = [-1];
  setTimeout(() => {
    answer[0] = 6.5;
  });
  return answer as unknown as number;
}
