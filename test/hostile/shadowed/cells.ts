// %%
const Promise = { resolve: (value: number) => -value };
const Number = () => 6.5;

async function total(numbers: readonly number[]): Promise<number> {
  let sum = 0;
  for (const number of numbers) sum += Promise.resolve(number);
  return sum - 1;
}
