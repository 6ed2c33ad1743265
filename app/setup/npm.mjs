/** How to run npm. Plain JavaScript without packages, because the bootstrap runs before there are any. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What to start, the arguments that come before npm's own, and whether only a shell can start it. */
export function npmCommand() {
  const program = npmProgram();
  if (program) return { command: process.execPath, before: [program], shell: false };
  return { command: 'npm', before: [], shell: process.platform === 'win32' }; // there npm is a script
}

/** The npm that runs us, else the one that came with this Node; so that PATH does not matter. */
function npmProgram() {
  const beside = dirname(process.execPath);
  const candidates = [
    process.env.npm_execpath,
    join(beside, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(beside, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ];
  return candidates.find((path) => path && /npm-cli\.c?js$/.test(path) && existsSync(path));
}
