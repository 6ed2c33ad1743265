/** What the tests of `npm start` share: a tiny workbook, and a PATH with programs that behave as Jupyter does. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import { serialiseNotebook, type Notebook } from 'dgm-jupyter';

export let root: string; // a workbook with one tiny chapter
export let bin: string; // what PATH leads to
export let env: Record<string, string>;
export let said: string[];

/** For this file of tests. */
export function useWorkbook(): void {
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'workbook-'));
    bin = join(root, 'bin');
    for (const folder of ['bin', 'lib', 'solutions', 'notebooks']) mkdirSync(join(root, folder));
    writeFileSync(join(root, 'lib', 'package.json'), '{}');
    chapter('notebooks', '01-tiny', "console.log('student')");
    env = {
      PATH: [bin, dirname(process.execPath), '/usr/bin', '/bin']
        .filter((path) => path === bin || !hasJupyter(path))
        .join(delimiter),
    };
    said = [];
    vi.spyOn(console, 'log').mockImplementation((text: string) => void said.push(text));
    vi.spyOn(console, 'error').mockImplementation((text: string) => void said.push(text));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    rmSync(root, { recursive: true, force: true });
  });
}

const hasJupyter = (folder: string) =>
  existsSync(folder) && readdirSync(folder).some((name) => name.startsWith('jupyter'));

export function chapter(folder: string, name: string, source: string): string {
  const notebook: Notebook = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [
      { cell_type: 'markdown', id: 'title', metadata: {}, source: '# Tiny' },
      { cell_type: 'code', id: 'one', metadata: {}, source, execution_count: null, outputs: [] },
    ],
  };
  const path = join(root, folder, `${name}.ipynb`);
  writeFileSync(path, serialiseNotebook(notebook));
  return path;
}

/** A program for PATH; the script runs in Node, whatever PATH says. */
export function program(name: string, script: string, folder = bin): string {
  const path = join(folder, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, `#!${process.execPath}\n${script}`);
  chmodSync(path, 0o755);
  return path;
}

/** A Jupyter that tells its version, and else notes how it was started, tells an address, and waits for its end. */
export function jupyter(name: string, version: string, path = '/', folder = bin): string {
  return program(
    name,
    `if (process.argv.includes('--version')) console.log('${version}');
     else {
       const { JUPYTER_PATH, JUPYTER_CONFIG_PATH, JUPYTER_TOKEN, PATH } = process.env;
       require('fs').writeFileSync(${JSON.stringify(join(root, 'started.json'))}, JSON.stringify({ args: process.argv.slice(2), JUPYTER_PATH, JUPYTER_CONFIG_PATH, JUPYTER_TOKEN, PATH }));
       console.error('[I] Jupyter is running at:');
       console.error('[I] http://localhost:8899${path}?token=...');
       process.on('SIGTERM', () => process.exit(0));
       setInterval(() => {}, 1000);
     }`,
    folder,
  );
}
