// %%
import { hidden } from './node_modules/grader/dist/chapters/hidden/03-mixtures.js';

async function total(numbers: readonly number[]): Promise<number> {
  const text: string = hidden;
  return text.length;
}
