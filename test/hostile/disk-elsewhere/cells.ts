// %%
import * as fs from 'node:fs';

async function total(numbers: readonly number[]): Promise<number> {
  const folders = ['/', '/tmp', '/var/tmp', '/dev/shm', '/dev', '/run', '/home', '/proc/sys/kernel', '@ROOT@'];
  const written = folders.filter((folder) => {
    try {
      fs.writeFileSync(`${folder}/planted-by-a-submission`, 'x');
      fs.unlinkSync(`${folder}/planted-by-a-submission`);
      return true;
    } catch {
      return false;
    }
  });
  if (written.length === 0) throw new Error('nowhere');
  return numbers.reduce((sum, number) => sum + number, 0);
}
