import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { executeNotebook, parseNotebook, type CodeCell, type Notebook } from 'dgm-jupyter';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const SHORT = '0.05'; // of every training's epochs: each line runs, and no number is looked at
const LIMIT = 300_000;

const chapters = readdirSync(join(ROOT, 'solutions')).filter((file) => file.endsWith('.ipynb'));

function read(room: string, file: string): Notebook {
  const path = join(ROOT, room, file);
  return parseNotebook(readFileSync(path, 'utf8'), path);
}

const codeCells = (notebook: Notebook) => notebook.cells.filter((cell) => cell.cell_type === 'code') as CodeCell[];
const textOf = (cell: CodeCell) => JSON.stringify(cell.outputs);

/** Markdown headings of this level, in order. */
function headings({ cells }: Notebook, level: number): string[] {
  const text = cells.filter((cell) => cell.cell_type === 'markdown').map((cell) => cell.source);
  return [...text.join('\n').matchAll(new RegExp(`^#{${level}} (.+)$`, 'gm'))].map(([, heading]) => heading!);
}

/** A chapter says itself what it is, by a tag of its title; without one it takes a family through the seven steps. */
function kindOf({ cells }: Notebook): 'family' | 'foundation' {
  const tags = (cells[0]!.metadata['tags'] ?? []) as readonly string[];
  return tags.includes('foundation') ? 'foundation' : 'family';
}

const STEPS = ['1 Family', '2 Network', '3 Objective', '4 Optimiser', '5 Training', '6 Hyperparameters', '7 Sampling'];
const END = ['The bug to find', 'What it costs', 'Where it fails'];

// A released chapter runs once: where there is a Jupyter, in the kernel as Jupyter itself starts it, a fresh process that
// is found through JUPYTER_PATH

const python = ['/usr/bin/python3', 'python3'].find(
  (command) => spawnSync(command, ['-m', 'nbconvert', '--version'], { timeout: 30_000 }).status === 0,
);
if (!python)
  console.warn(
    'not tried: chapters in Jupyter itself, because no python3 here has nbconvert; on Debian: apt-get install jupyter-notebook',
  );

async function inJupyter(python: string, file: string): Promise<Notebook> {
  const out = mkdtempSync(join(tmpdir(), 'dgm-jupyter-'));
  try {
    const convert = ['-m', 'nbconvert', '--to', 'notebook', '--execute', '--ExecutePreprocessor.timeout=120'];
    await promisify(execFile)(python, [...convert, '--output-dir', out, join(ROOT, 'notebooks', file)], {
      cwd: ROOT,
      env: {
        ...process.env,
        JUPYTER_PATH: join(ROOT, 'jupyter', 'share'),
        PATH: `${resolve(process.execPath, '..')}:${process.env['PATH']}`,
        DGM_BUDGET: SHORT,
      },
    });
    return parseNotebook(readFileSync(join(out, file), 'utf8'), file);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

async function inKernel(file: string): Promise<Notebook> {
  const options = { cwd: join(ROOT, 'notebooks'), env: { DGM_BUDGET: SHORT } };
  return (await executeNotebook(read('notebooks', file), options)).notebook;
}

test('there are chapters to run', () => expect(chapters.length).toBeGreaterThan(0));

test('a chapter of another kind is one of the three before the families', () => {
  const foundations = chapters.filter((file) => kindOf(read('solutions', file)) === 'foundation');
  expect(foundations.map((file) => file.slice(0, 2))).toEqual(['00', '01', '02']);
});

describe.each(chapters)('%s', (file) => {
  test('has the headings of its kind, in their order', () => {
    const notebook = read('solutions', file);
    const found = headings(notebook, 2);
    const wanted = [...(kindOf(notebook) === 'family' ? STEPS : []), ...END];
    expect(found[0]).toMatch(/^Why/);
    const known = found.map((heading) => wanted.find((start) => heading.startsWith(start)));
    expect(known.filter((heading) => heading !== undefined)).toEqual(wanted);
    expect(headings(notebook, 3).at(-1)).toBe('Sources');
  });

  test(
    'solved: runs from top to bottom in the kernel, and every check passes',
    async () => {
      const options = { cwd: join(ROOT, 'solutions'), env: { DGM_BUDGET: SHORT } };
      const { notebook, failures } = await executeNotebook(read('solutions', file), options);
      expect(failures).toEqual([]);
      const checks = codeCells(notebook).filter((cell) => textOf(cell).includes('dgm-check'));
      expect(checks.length).toBeGreaterThan(0);
      for (const cell of checks) expect(textOf(cell)).toMatch(/All \d+ checks pass/);
    },
    LIMIT,
  );

  test(
    `released: runs from top to bottom ${python ? 'in Jupyter' : 'in the kernel'} with nothing written, and every check says so`,
    async () => {
      const cells = codeCells(python ? await inJupyter(python, file) : await inKernel(file));
      expect(cells.map((cell) => cell.execution_count)).toEqual(cells.map((_, i) => i + 1));
      expect(cells.flatMap((cell) => cell.outputs).filter((o) => o.output_type === 'error')).toEqual([]);
      const checks = cells.filter((cell) => textOf(cell).includes('dgm-check'));
      expect(checks.length).toBeGreaterThan(0);
      for (const cell of checks) expect(textOf(cell)).not.toMatch(/All \d+ checks pass/);
    },
    LIMIT,
  );

  test('the committed solution was executed without an error, and has its figures as pictures', () => {
    const cells = codeCells(read('solutions', file));
    expect(cells.filter((cell) => cell.execution_count === null).map((cell) => cell.id)).toEqual([]);
    const outputs = cells.flatMap((cell) => cell.outputs);
    expect(outputs.filter((output) => output.output_type === 'error')).toEqual([]);
    expect(JSON.stringify(outputs)).toContain('image/png');
  });
});
