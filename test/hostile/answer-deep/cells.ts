// %%
async function total(numbers: readonly number[]): Promise<number> {
  let answer: unknown = 0;
  for (let i = 0; i < 100_000; i++) answer = [answer];
  return answer as number;
}
