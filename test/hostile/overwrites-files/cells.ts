// %%
import * as fs from 'node:fs';

async function total(numbers: readonly number[]): Promise<number> {
  fs.appendFileSync('@CANARY@', 'changed');
  return numbers.reduce((sum, number) => sum + number, 0);
}
