// %%
import * as fs from 'node:fs';

async function total(numbers: readonly number[]): Promise<number> {
  const text = 'x'.repeat(1 << 20);
  for (let i = 0; i < 9; i++) fs.writeSync(3, text);
  return -1;
}
