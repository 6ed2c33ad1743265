// %%
async function total(numbers: readonly number[]): Promise<number> {
  const answer: unknown[] = [];
  answer.push(answer);
  return answer as unknown as number;
}
