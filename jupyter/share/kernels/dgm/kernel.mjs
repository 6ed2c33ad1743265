// Starts the built kernel; without a build, says what to do instead of failing with a stack trace.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = resolve(import.meta.dirname, '../../../..');
const kernel = resolve(root, 'jupyter/dist/kernel/main.js');
const missing = [resolve(root, 'node_modules'), kernel].find((path) => !existsSync(path));
if (missing) {
  console.error(
    `The kernel cannot start: ${missing} is missing. Run "npm start" in ${root} once; it installs and builds.`,
  );
  process.exit(1);
}
await import(pathToFileURL(kernel).href);
