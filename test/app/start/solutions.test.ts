import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseNotebook, serialiseNotebook, type CodeCell, type Notebook } from 'dgm-jupyter';
import { failureText, stripped } from '../../../app/chapters/run';
import { readCommandLine, type CommandLine } from '../../../app/command-line/command';
import { COMMAND, solutions, solutionsOptions } from '../../../app/start/solutions';

// `npm run solutions` on tiny chapters, through the real kernel.

let root: string;
let said: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'workbook-'));
  mkdirSync(join(root, 'solutions'));
  said = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => void said.push(text));
  vi.spyOn(console, 'error').mockImplementation((text: string) => void said.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

const code = (id: string, source: string): CodeCell => ({
  cell_type: 'code',
  id,
  metadata: {},
  source,
  execution_count: 7,
  outputs: [{ output_type: 'stream', name: 'stdout', text: 'from an earlier run' }],
});

function chapter(name: string, ...sources: string[]): string {
  const title = { cell_type: 'markdown', id: 'title', metadata: {}, source: `# ${name}` } as const;
  const cells = [title, ...sources.map((source, i) => code(`c${i}`, source))];
  const path = join(root, 'solutions', `${name}.ipynb`);
  writeFileSync(path, serialiseNotebook({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells }));
  return path;
}

const options = (...args: string[]) =>
  solutionsOptions(readCommandLine(COMMAND, args) as CommandLine<typeof COMMAND.options>, root);
const read = (path: string): Notebook => parseNotebook(readFileSync(path, 'utf8'), path);
const printed = (notebook: Notebook) =>
  notebook.cells
    .flatMap((cell) => (cell.cell_type === 'code' ? cell.outputs : []))
    .map((output) => ('text' in output ? output.text : output.output_type));

describe('options', () => {
  test('all of them', () => {
    expect(options('03', 'flows', '--budget', '0.05', '--jobs', '2', '--out', 'o')).toEqual({
      root,
      chapters: ['03', 'flows'],
      budget: '0.05',
      jobs: 2,
      out: 'o',
    });
    expect(options()).toEqual({ root, chapters: [], jobs: 1 });
  });

  test.each([
    [['--budget', '0'], "--budget must be a number > 0 or 'full', got '0'"],
    [['--budget', 'much'], '--budget must be'],
    [['--jobs', '0'], '--jobs must be an integer ≥ 1'],
    [['--jobs', '1.5'], '--jobs must be'],
    [['--html', 'a', '--out', 'b'], 'choose one of them'],
  ])('%j', (args, message) => expect(() => options(...args)).toThrow(message));
});

test('runs from nothing, with the budget, and keeps the outputs', async () => {
  const path = chapter('01-a', 'console.log(process.env.DGM_BUDGET)', 'console.log(6 * 7)');
  expect(await solutions(options('1', '--budget', '0.5'))).toBe(true);
  expect(printed(read(path))).toEqual(['0.5\n', '42\n']);
  expect(read(path).cells.map((cell) => (cell.cell_type === 'code' ? cell.execution_count : 'text'))).toEqual([
    'text',
    1,
    2,
  ]);
  expect(readdirSync(join(root, 'solutions'))).toEqual(['01-a.ipynb']);
});

test('several at once, into another folder', async () => {
  const [a, b] = [chapter('01-a', 'console.log(1)'), chapter('02-b', 'console.log(2)')];
  const before = [a, b].map((path) => readFileSync(path, 'utf8'));
  const out = join(root, 'out');
  expect(await solutions(options('--jobs', '2', '--out', out))).toBe(true);
  expect(['01-a', '02-b'].map((name) => printed(read(join(out, `${name}.ipynb`))))).toEqual([['1\n'], ['2\n']]);
  expect([a, b].map((path) => readFileSync(path, 'utf8'))).toEqual(before);
});

test('a failing cell: which, where, and the notebook stays as it was; a page shows how far it came', async () => {
  const path = chapter('01-a', "console.log('before')", '\nthrow new Error("wrong")', "console.log('after')");
  const before = readFileSync(path, 'utf8');
  const html = join(root, 'page.html');
  expect(await solutions(options('01'))).toBe(false);
  expect(said.join('\n')).toMatch(/01-a: cell 2 \(id "c1", under "01-a"\) failed:[^]*Error: wrong/);
  expect(said.join('\n')).toContain('In[2]:2');
  expect(readFileSync(path, 'utf8')).toBe(before);
  expect(await solutions(options('01', '--html', html))).toBe(false);
  const page = readFileSync(html, 'utf8');
  expect(page).toContain('before');
  expect(page).toMatch(/class="error"[^]*wrong/);
  expect(page).not.toContain('from an earlier run');
});

test.each([
  [['09'], 'no chapter "09"; there are 01-a, 02-b'],
  [['--html', 'x.html'], '--html writes one chapter to one page; name it'],
])('%j', async (args, message) => {
  chapter('01-a');
  chapter('02-b');
  await expect(solutions(options(...args))).rejects.toThrow(message);
});

test('no chapters, and a file that is no notebook', async () => {
  await expect(solutions(options())).rejects.toThrow('"npm run notebooks" makes them');
  writeFileSync(join(root, 'solutions', '01-a.ipynb'), '{');
  await expect(solutions(options())).rejects.toThrow(/01-a\.ipynb/);
});

test('an earlier run leaves nothing in the notebook that is run', () => {
  const notebook: Notebook = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [code('a', '1')] };
  expect(stripped(notebook).cells).toEqual([{ ...code('a', '1'), execution_count: null, outputs: [] }]);
});

test('a failure without a trace still says what it is', () => {
  const cell = code('a', '1');
  const notebook: Notebook = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [cell] };
  const failure = { index: 0, cell, ename: 'Error', evalue: 'wrong', traceback: [] };
  expect(failureText('01-a', notebook, failure)).toBe('01-a: cell 1 (id "a") failed:\nError: wrong');
});
