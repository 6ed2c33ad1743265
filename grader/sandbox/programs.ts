/** Programs of the system that can shut in a submission. */
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where a program is, without links: in a sandbox only that file is shown. */
export function find(program: string): string | undefined {
  if (process.platform === 'win32') return undefined;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = folders.map((folder) => join(folder, program)).find(isExecutable);
  return found && realpathSync(found);
}

/** Like `find`. @throws Error that names what is missing */
export function need(program: string): string {
  const found = find(program);
  if (found === undefined) throw new Error(`${program} is not on PATH`);
  return found;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
