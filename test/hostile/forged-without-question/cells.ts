// %%
import * as fs from 'node:fs';

function average(): number {
  for (let ms = 0; ms < 50; ms++) setTimeout(() => fs.writeSync(3, '{}\n'), ms);
  return -1;
}
