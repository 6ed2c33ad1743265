// %%
import { hidden } from 'grader/dist/chapters/hidden/03-mixtures';

async function total(numbers: readonly number[]): Promise<number> {
  const text: string = hidden;
  return text.length;
}
