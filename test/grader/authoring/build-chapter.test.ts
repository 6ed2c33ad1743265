import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parseNotebook, serialiseNotebook, type Notebook } from 'dgm-jupyter';
import { buildChapter, inStep, keepOutputs } from '../../../grader/authoring/build-chapter';
import { outOfStep, selectChapters, writeNotebooks } from '../../../grader/authoring/notebooks';
import { parsePercent } from '../../../grader/authoring/percent';
import type { Exercise } from '../../../grader/exercise/exercise';
import { chapters, exercises } from '../../fixtures/course/chapters';
import { fixtureText } from '../grading-helpers';

const known = (id: string, functionName: string) => ({ id, functionName, checks: [] }) as unknown as Exercise;

function build(text: string, ...exercises: Exercise[]) {
  return buildChapter({ chapter: '91-x', text, where: 'x.ts', exercises });
}

const sources = ({ cells }: Notebook) => cells.map(({ source }) => source);
const ids = ({ cells }: Notebook) => cells.map(({ id }) => id);
const fixture = () => buildChapter({ chapter: '90-fixture', text: fixtureText, where: 'fixture.ts', exercises });

describe('the percent format', () => {
  test('cells, markdown, options and lines', () => {
    const text = [
      '// a note',
      '',
      '// %% [markdown] id="intro"',
      '// # Title',
      '//',
      '// text',
      '',
      '// %% tags=["setup"]',
      '',
      'const a = 1;',
      '',
    ];
    expect(parsePercent(`\uFEFF${text.join('\r\n')}`, 'x.ts')).toEqual(parsePercent(text.join('\n'), 'x.ts'));
    expect(parsePercent(text.join('\n'), 'x.ts')).toEqual([
      { kind: 'markdown', id: 'intro', tags: [], line: 4, source: '# Title\n\ntext' },
      { kind: 'code', tags: ['setup'], line: 10, source: 'const a = 1;' },
    ]);
  });

  test.each([
    ['const a = 1;\n// %%\n', 'x.ts:1: code before the first cell; start the cell with // %%'],
    ['// %% [markdown]\n// fine\nnot commented\n', 'x.ts:3: a line of a markdown cell must start with "// "'],
    ['// %% [raw]\n', 'x.ts:1: \'[raw]\' after // %% is not understood; known are [markdown], id="…" and tags=["…"]'],
    ['// %% tag="x"\n', "x.ts:1: unknown cell option 'tag'; known are id and tags"],
    ['// %% tags=["a",]\n', 'x.ts:1: ["a",] is not JSON'],
    ['// %% tags=["a,b"]\n', 'x.ts:1: tags must be a list of texts without commas'],
    ['// %% id="no spaces"\n', 'x.ts:1: id must be 1 to 64 of a–z, A–Z, 0–9, - and _'],
  ])('refuses %j', (text, message) => {
    expect(() => parsePercent(text, 'x.ts')).toThrow(message);
  });
});

describe('solutions', () => {
  const text = `// %%
import { check } from 'grader';

// %%
function twice(x: number): number {
  if (x === 0) return 0;
  // BEGIN SOLUTION a.twice
  return 2 * x;
  // END SOLUTION
}

// %%
function find(x: number): number {
    // BEGIN SOLUTION a.find
    return x;
    // END SOLUTION
    // BEGIN GIVEN
    // // wrong on purpose
    // return x + 1;
    // END GIVEN
}`;
  const built = build(text, known('a.twice', 'twice'), known('a.find', 'find'));

  test('stay in the complete notebook, without markers and without what is given', () => {
    expect(sources(built.complete).slice(1)).toEqual([
      'function twice(x: number): number {\n  if (x === 0) return 0;\n  return 2 * x;\n}',
      'function find(x: number): number {\n    return x;\n}',
    ]);
  });

  test('are cut from the release, with their indentation kept', () => {
    expect(sources(built.released)).toEqual([
      "import { check, NotWritten } from 'grader';",
      "function twice(x: number): number {\n  if (x === 0) return 0;\n  throw new NotWritten('a.twice');\n}",
      'function find(x: number): number {\n    // wrong on purpose\n    return x + 1;\n}',
    ]);
  });

  test('are found again in the source', () => {
    expect(built.solutions).toEqual([
      { exercise: 'a.twice', functionName: 'twice', line: 8, body: ['  return 2 * x;'], given: [] },
      {
        exercise: 'a.find',
        functionName: 'find',
        line: 15,
        body: ['    return x;'],
        given: ['    // wrong on purpose', '    return x + 1;'],
      },
    ]);
  });

  const inFunction = (...lines: string[]) => ['// %%', 'function f() {', ...lines, '}', 'function g() {}'].join('\n');
  test.each([
    [
      'END without BEGIN',
      inFunction('// END SOLUTION'),
      'x.ts:3: END SOLUTION where // BEGIN SOLUTION should come first',
    ],
    ['BEGIN without END', inFunction('// BEGIN SOLUTION a.f'), 'x.ts:3: no // END SOLUTION follows this line'],
    [
      'GIVEN without a solution',
      inFunction('// BEGIN GIVEN', '// END GIVEN'),
      'x.ts:3: BEGIN GIVEN where // BEGIN SOLUTION should come first',
    ],
    [
      'nested regions',
      inFunction('// BEGIN SOLUTION a.f', '// BEGIN SOLUTION a.f'),
      'x.ts:4: BEGIN SOLUTION before // END SOLUTION; regions cannot be nested',
    ],
    ['no id', inFunction('// BEGIN SOLUTION', '// END SOLUTION'), 'x.ts:3: BEGIN SOLUTION must name its exercise'],
    ['a marker that is not alone', inFunction('return 1; // END SOLUTION'), 'x.ts:3: a marker must stand alone'],
    [
      'an unknown exercise',
      inFunction('// BEGIN SOLUTION a.g', '// END SOLUTION'),
      "x.ts:3: the checks of 91-x have no exercise 'a.g'; did you mean a.f?",
    ],
    [
      'another function',
      '// %%\nfunction h() {\n// BEGIN SOLUTION a.f\n// END SOLUTION\n}',
      'x.ts:3: a.f is the function f, but stands in h',
    ],
    [
      'two functions',
      inFunction('// BEGIN SOLUTION a.f', '}', 'function h() {', '// END SOLUTION'),
      'x.ts:6: the solution leaves the function f in which it began',
    ],
    [
      'no function',
      '// %%\nconst a = 1;\n// BEGIN SOLUTION a.f\n// END SOLUTION',
      'x.ts:3: a solution must stand inside a top-level function',
    ],
    [
      'GIVEN apart',
      inFunction('// BEGIN SOLUTION a.f', '// END SOLUTION', '', '// BEGIN GIVEN', '// END GIVEN'),
      'x.ts:6: BEGIN GIVEN must follow END SOLUTION at once',
    ],
    [
      'GIVEN not commented',
      inFunction('// BEGIN SOLUTION a.f', '// END SOLUTION', '// BEGIN GIVEN', 'return 1;', '// END GIVEN'),
      'x.ts:6: a line of GIVEN must be commented',
    ],
    [
      'two solutions in a function',
      inFunction('// BEGIN SOLUTION a.f', '// END SOLUTION', '// BEGIN SOLUTION a.f', '// END SOLUTION'),
      'x.ts:5: f already holds the solution of a.f',
    ],
    ['a missing solution', '// %%\nconst a = 1;', 'x.ts:1: no solution for a.f; mark it with // BEGIN SOLUTION a.f'],
    [
      'no import from grader',
      inFunction('// BEGIN SOLUTION a.f', '// END SOLUTION'),
      "x.ts:1: exercises need import { check } from 'grader'; in a cell",
    ],
    [
      'a check of nothing',
      `${inFunction('// BEGIN SOLUTION a.f', '// END SOLUTION')}\n// %%\nawait check('a.h', f);`,
      "x.ts:8: the checks of 91-x have no exercise 'a.h'",
    ],
  ])('are refused with file and line: %s', (_, source, message) => {
    expect(() => build(source, known('a.f', 'f'))).toThrow(message);
  });
});

describe('cells', () => {
  test('have valid and unique ids, the same in both notebooks', () => {
    const { complete, released } = fixture();
    expect(ids(complete)).toEqual(ids(released));
    expect(new Set(ids(complete)).size).toBe(complete.cells.length);
    for (const id of ids(complete)) expect(id).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
    expect(ids(complete)).toEqual(
      expect.arrayContaining(['setup', '90-fixture', 'exercise-fixture-softmax', 'check-fixture-softmax']),
    );
  });

  test('keep their ids when a cell is inserted above', () => {
    const before = ids(build('// %%\nconst a = 1;\n// %%\n1 + 1;\n// %% [markdown]\n// # B').complete);
    const after = ids(build('// %%\n2 + 2;\n// %%\nconst a = 1;\n// %%\n1 + 1;\n// %% [markdown]\n// # B').complete);
    expect(after.slice(1)).toEqual(before);
  });

  test('of the same text are told apart; an explicit id wins and is never given twice', () => {
    const built = build('// %%\n1;\n// %%\n1;\n// %% id="b"\n2;\n// %% [markdown]\n// # B').complete;
    const [first, second, third, fourth] = ids(built);
    expect(second).toBe(`${first}-2`);
    expect(third).toBe('b');
    expect(fourth).not.toBe('b');
    expect(() => build('// %% id="a"\n1;\n// %% id="a"\n2;')).toThrow("x.ts:4: id 'a' is taken by the cell on line 2");
  });

  test('of exercises and checks say so', () => {
    const { cells } = fixture().released;
    const metadata = (id: string) => cells.find((cell) => cell.id === id)!.metadata;
    const dgm = { exercise: 'fixture.softmax' };
    const nbgrader = expect.anything();
    expect(metadata('exercise-fixture-softmax')).toEqual({ deletable: false, tags: ['exercise'], dgm, nbgrader });
    expect(metadata('check-fixture-softmax')).toEqual({
      deletable: false,
      editable: false,
      tags: ['check'],
      dgm,
      nbgrader,
    });
    expect(metadata('setup')).toEqual({ tags: ['setup'] });
  });

  test('belong to a notebook that names kernel and chapter, without outputs', () => {
    const { released } = fixture();
    expect(released).toMatchObject({ nbformat: 4, nbformat_minor: 5, metadata: { dgm: { chapter: '90-fixture' } } });
    expect(released.metadata['kernelspec']).toEqual({
      name: 'dgm',
      display_name: 'TypeScript (dgm)',
      language: 'typescript',
    });
    for (const cell of released.cells)
      if (cell.cell_type === 'code') expect(cell).toMatchObject({ outputs: [], execution_count: null });
  });
});

describe('outputs', () => {
  const executed = (notebook: Notebook): Notebook => ({
    ...notebook,
    cells: notebook.cells.map((cell) =>
      cell.cell_type === 'code'
        ? { ...cell, execution_count: 7, outputs: [{ output_type: 'stream', name: 'stdout', text: cell.id }] }
        : cell,
    ),
  });

  test('stay with the cells whose source is unchanged', () => {
    const before = executed(build('// %% id="a"\n1;\n// %% id="b"\n2;').complete);
    const after = keepOutputs(build('// %% id="b"\n2;\n// %% id="a"\n3;').complete, before);
    expect(after.cells[0]).toEqual(before.cells[1]);
    expect(after.cells[1]).toMatchObject({ source: '3;', outputs: [], execution_count: null });
  });

  test('do not matter for being in step; sources and metadata do', () => {
    const { complete } = fixture();
    expect(inStep(executed(complete), complete)).toBe(true);
    const edited = { ...complete, cells: complete.cells.map((cell, i) => (i === 3 ? { ...cell, source: '' } : cell)) };
    expect(inStep(edited, complete)).toBe(false);
    const untagged = { ...complete, cells: complete.cells.map((cell) => ({ ...cell, metadata: {} })) };
    expect(inStep(untagged, complete)).toBe(false);
  });
});

describe('notebooks on disk', () => {
  let folder: string | undefined;
  afterEach(async () => {
    if (folder) await rm(folder, { recursive: true });
  });

  async function courseOnDisk() {
    folder = await mkdtemp(join(tmpdir(), 'course-'));
    const course = { solutions: join(folder, 'solutions'), notebooks: join(folder, 'notebooks') };
    const source = join(course.solutions, '90-fixture.ts');
    await import('node:fs/promises').then(({ mkdir }) => mkdir(course.solutions));
    await writeFile(source, fixtureText);
    return { course, source, complete: join(course.solutions, '90-fixture.ipynb') };
  }

  test('are written, found in step, and found out of step', async () => {
    const { course, source, complete } = await courseOnDisk();
    const names = await selectChapters(course, ['90']);
    expect(names).toEqual(['90-fixture']);
    expect(await outOfStep(names, course, chapters)).toHaveLength(2);
    await writeNotebooks('90-fixture', course, chapters);
    expect(await outOfStep(names, course, chapters)).toEqual([]);
    await writeFile(join(course.notebooks, '89-gone.ipynb'), await readFile(complete));
    await writeFile(source, fixtureText.replace('## Noise', '## Much noise'));
    const stale = await outOfStep(names, course, chapters);
    expect(stale).toHaveLength(3);
    expect(stale[2]).toContain('89-gone.ipynb (no source)');
  });

  test('keep their outputs when written again', async () => {
    const { course, source, complete } = await courseOnDisk();
    await writeNotebooks('90-fixture', course, chapters);
    const notebook = parseNotebook(await readFile(complete, 'utf8'), complete);
    const cells = notebook.cells.map((cell) => (cell.id === 'setup' ? { ...cell, execution_count: 5 } : cell));
    await writeFile(complete, serialiseNotebook({ ...notebook, cells }));
    await writeFile(source, fixtureText.replace('## Noise', '## Much noise'));
    await writeNotebooks('90-fixture', course, chapters);
    const again = parseNotebook(await readFile(complete, 'utf8'), complete);
    expect(again.cells.find(({ id }) => id === 'setup')).toMatchObject({ execution_count: 5 });
    expect(again.cells.map(({ id }) => id)).toContain('much-noise');
  });

  test('of a chapter that does not exist are asked for in vain', async () => {
    const { course } = await courseOnDisk();
    await expect(selectChapters(course, ['17'])).rejects.toThrow("there is no chapter '17'; there are 90-fixture");
  });
});
