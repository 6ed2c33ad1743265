/** Programs that this machine has. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The first one on PATH. Never one that merely lies in the folder one stands in, as an empty entry of PATH has it, and
 * Windows always: who opens a workbook has not chosen what is in there.
 */
export function findProgram(
  name: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const folders = (env['PATH'] ?? env['Path'] ?? '').split(delimiter).map((folder) => folder.replace(/^"(.*)"$/, '$1'));
  for (const folder of folders.filter(Boolean)) {
    const found = programIn(folder, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Of that name in a folder. Windows starts no other files than .exe without a shell. */
export function programIn(folder: string, name: string): string | undefined {
  const file = join(folder, process.platform === 'win32' ? `${name}.exe` : name);
  return isProgram(file) ? file : undefined;
}

/** Whether it is a file that may be run. */
export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
