// Starts the built kernel; without a build, says what to do instead of failing with a stack trace.
'use strict';
const { existsSync } = require('node:fs');
const { resolve } = require('node:path');

const root = resolve(__dirname, '../../../../..');
const kernel = resolve(root, 'lib/dist/jupyter/kernel.js');
const missing = [kernel, resolve(root, 'node_modules')].find((path) => !existsSync(path));
if (missing) {
  console.error(
    `The kernel cannot start: ${missing} is missing. Run "npm start" in ${root} once; it installs and builds.`,
  );
  process.exit(1);
}
require(kernel);
