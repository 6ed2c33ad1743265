/** Programs of the system that can shut in a submission. */
import { realpathSync } from 'node:fs';
import { findProgram } from 'dgm/host';

/** Where a program is, without links: in a sandbox only that file is shown. Windows has none of them. */
export function find(program: string): string | undefined {
  const found = process.platform === 'win32' ? undefined : findProgram(program);
  return found && realpathSync(found);
}

/** Like `find`. @throws Error that names what is missing */
export function need(program: string): string {
  const found = find(program);
  if (found === undefined) throw new Error(`${program} is not on PATH`);
  return found;
}
