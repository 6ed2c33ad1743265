#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../dist/commands/cli.js', import.meta.url));

if (existsSync(cli)) {
  await createRequire(import.meta.url)(cli).main(process.argv.slice(2));
} else {
  console.error('grade: the grader is not built yet. Build it with: npm run build');
  process.exitCode = 1;
}
