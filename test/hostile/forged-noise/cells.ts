// %%
import * as fs from 'node:fs';

async function total(numbers: readonly number[]): Promise<number> {
  fs.writeSync(3, Buffer.from([0xff, 0xfe, 0x00, 0x0a]));
  return -1;
}
