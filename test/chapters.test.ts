import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { executeNotebook, parseNotebook, serialiseNotebook, type CodeCell, type Notebook } from 'dgm-jupyter';
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

// A chapter runs once, as a student works through it: the release from top to bottom with nothing written, then, in the
// same kernel, what is written and the cells that use it. That the solution runs alone from top to bottom, the committed
// one shows: it was executed from the same source. Where there is a Jupyter, in the kernel as Jupyter itself starts it, a
// fresh process that is found through JUPYTER_PATH

interface WorkedThrough {
  readonly notebook: Notebook;
  /** How many code cells are the release's; those below are the solution's. */
  readonly released: number;
}

function workedThrough(file: string): WorkedThrough {
  const release = read('notebooks', file);
  const given = new Map(codeCells(release).map(({ id, source }) => [id, source]));
  const solved = codeCells(read('solutions', file));
  const written = solved.filter(({ id, source }) => given.get(id) !== source);
  const names = written.flatMap(({ source }) => functionsOf(source));
  const uses = ({ source }: CodeCell) => names.some((name) => new RegExp(`\\b${name}\\b`).test(source));
  const again = solved.slice(solved.indexOf(written[0]!)).filter((cell) => written.includes(cell) || uses(cell));
  const below = again.map((cell) => ({ ...cell, id: `${cell.id}-written`, outputs: [], execution_count: null }));
  return { notebook: { ...release, cells: [...release.cells, ...below] }, released: codeCells(release).length };
}

const functionsOf = (source: string) =>
  [...source.matchAll(/^(?:async )?function\*? (\w+)/gm)].map(([, name]) => name!);

const python = ['/usr/bin/python3', 'python3'].find(
  (command) => spawnSync(command, ['-m', 'nbconvert', '--version'], { timeout: 30_000 }).status === 0,
);
if (!python)
  console.warn(
    'not tried: chapters in Jupyter itself, because no python3 here has nbconvert; on Debian: apt-get install jupyter-notebook',
  );

/** In a folder below the workbook, from which `dgm` is found. */
async function inJupyter(python: string, file: string, notebook: Notebook): Promise<Notebook> {
  const cache = join(ROOT, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'chapter-'));
  const path = join(folder, file);
  try {
    writeFileSync(path, serialiseNotebook(notebook));
    const convert = ['-m', 'nbconvert', '--to', 'notebook', '--execute', '--ExecutePreprocessor.timeout=120'];
    await promisify(execFile)(python, [...convert, '--inplace', path], {
      cwd: ROOT,
      env: {
        ...process.env,
        JUPYTER_PATH: join(ROOT, 'jupyter', 'share'),
        PATH: `${resolve(process.execPath, '..')}:${process.env['PATH']}`,
        DGM_BUDGET: SHORT,
      },
    });
    return parseNotebook(readFileSync(path, 'utf8'), file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function inKernel(notebook: Notebook): Promise<Notebook> {
  const options = { cwd: join(ROOT, 'notebooks'), env: { DGM_BUDGET: SHORT } };
  return (await executeNotebook(notebook, options)).notebook;
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
    `runs from top to bottom ${python ? 'in Jupyter' : 'in the kernel'}: every check says that nothing is written, then that all is right`,
    async () => {
      const { notebook, released } = workedThrough(file);
      const cells = codeCells(await (python ? inJupyter(python, file, notebook) : inKernel(notebook)));
      expect(cells.map((cell) => cell.execution_count)).toEqual(cells.map((_, i) => i + 1));
      expect(cells.flatMap((cell) => cell.outputs).filter((o) => o.output_type === 'error')).toEqual([]);
      const isCheck = (cell: CodeCell) => textOf(cell).includes('dgm-check');
      const before = cells.slice(0, released).filter(isCheck);
      const after = cells.slice(released).filter(isCheck);
      expect(before.length).toBeGreaterThan(0);
      expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => `${id}-written`));
      for (const cell of before) expect(textOf(cell)).not.toMatch(/All \d+ checks pass/);
      for (const cell of after) expect(textOf(cell)).toMatch(/All \d+ checks pass/);
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
