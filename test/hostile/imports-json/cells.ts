// %%
import data from 'grader/package.json';

async function total(numbers: readonly number[]): Promise<number> {
  const { version }: { version: 0 } = data;
  return version;
}
