// %%
import * as fs from 'node:fs';

async function total(numbers: readonly number[]): Promise<number> {
  if (!fs.existsSync('innocent')) fs.symlinkSync('@SECRET@', 'innocent');
  fs.readFileSync('innocent');
  return numbers.reduce((sum, number) => sum + number, 0);
}
