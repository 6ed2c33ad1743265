import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bookFile, gradeFolder } from '../../../grader/gradebook/grade-folder';
import { findSubmissions } from '../../../grader/gradebook/folder';
import { createCompiler } from '../../../grader/compile/service';
import { toCsv } from '../../../grader/base/csv';
import { closeBook, openBook } from '../../../grader/gradebook/book';
import { rows } from '../../../grader/gradebook/verdicts';
import { createPool } from '../../../grader/grading/pool';
import { submissionReport } from '../../../grader/reports/terminal';
import { resultSchema, type SubmissionResult } from '../../../grader/grading/result';
import { gradeSubmission } from '../../../grader/grading/grade-submission';
import { chapters } from '../../fixtures/course/chapters';
import { chaptersFile, notebookText, submissionText } from '../grading-helpers';

/** Bodies to edit in a submission. */
const softmaxBody = 'return powers.div(powers.sum(-1, true));';
const totalBody = 'let sum = start;';
const jitterBody = 'return x.add(rng.normal(x.shape));';
const averageBody = 'return x.mean().dataSync()[0]!;';

interface Expected {
  readonly status: string;
  /** Points of softmax (4), jitter (2), total (2), average (1). */
  readonly points: readonly number[];
  /** The statuses of exercises that are not `graded`. */
  readonly faults?: Readonly<Record<string, string>>;
  /** Somewhere in the result. */
  readonly says?: string;
}

const all = [4, 2, 2, 1] as const;
const none = [0, 0, 0, 0] as const;

/** One submission each: file, content, verdict. The folder is graded in one go. */
const submissions: Readonly<Record<string, readonly [content: string, expected: Expected]>> = {
  right: [notebookText('complete'), { status: 'graded', points: all }],
  untouched: [notebookText('released'), { status: 'graded', points: none, says: 'fixture.softmax is not written yet' }],
  'group 2/ünïcode name': [notebookText('complete'), { status: 'graded', points: all }],
  'partly right': [
    submissionText(['x.max(-1, true)', 'x.max()'], ['x.mean()', 'x.sum()']),
    { status: 'graded', points: [3, 2, 2, 0], says: 'expected: softmax[0, 0] to be 0.5, got: NaN' },
  ],
  renamed: [
    submissionText(['function softmax(', 'function softMax(']),
    {
      status: 'graded',
      points: [0, 2, 2, 1],
      faults: { 'fixture.softmax': 'missing_export' },
      says: 'did you mean softMax?',
    },
  ],
  'no function': [
    submissionText(['function jitter(', 'const jitter = 3; function other(']),
    { status: 'graded', points: [4, 0, 2, 1], says: 'jitter is number, not a function' },
  ],
  nan: [
    submissionText([softmaxBody, 'return powers.mul(NaN);'], [averageBody, 'return NaN;']),
    { status: 'graded', points: [0, 2, 2, 0], says: 'to be finite, got: NaN' },
  ],
  'wrong shape': [
    submissionText([softmaxBody, 'return powers.sum(-1);']),
    {
      status: 'graded',
      points: [0, 2, 2, 1],
      says: 'expected: softmax to be a tensor [3, 4], got: a tensor [3] of float32',
    },
  ],
  'wrong dtype': [
    submissionText([jitterBody, 'return x.toInt();']),
    {
      status: 'graded',
      points: [4, 0, 2, 1],
      says: 'expected: jitter to be a tensor [4] of float32, got: a tensor [4] of int32',
    },
  ],
  'wrong type': [
    submissionText([totalBody, 'return "6.5" as unknown as number; let sum = start;']),
    { status: 'graded', points: [4, 2, 0, 1], says: 'expected: the result to be a number, got: "6.5"' },
  ],
  loop: [
    submissionText([jitterBody, `for (;;);`]),
    { status: 'graded', points: [4, 0, 2, 1], faults: { 'fixture.jitter': 'timeout' } },
  ],
  'never resolves': [
    submissionText([totalBody, 'await new Promise(() => {}); let sum = start;']),
    { status: 'graded', points: [4, 2, 0, 1], faults: { 'fixture.total': 'timeout' } },
  ],
  exits: [
    submissionText([softmaxBody, 'process.exit(0);']),
    { status: 'graded', points: [0, 2, 2, 1], faults: { 'fixture.softmax': 'died' }, says: 'exit code 0' },
  ],
  'throws in a call': [
    submissionText([softmaxBody, 'const n: number[] = []; return x.reshape(n);']),
    { status: 'graded', points: [0, 2, 2, 1], says: '(cell 2, line 5)' },
  ],
  'throws at load': [
    submissionText([
      'const start = 0;',
      'const start = [0].map((): number => { throw new RangeError("no start"); })[0]!;',
    ]),
    {
      status: 'graded',
      points: [4, 2, 0, 1],
      faults: { 'fixture.total': 'died' },
      says: 'a cell it needs threw RangeError: no start (cell 7, line 1)',
    },
  ],
  'exits at load': [
    submissionText(['const start = 0;', 'const start = Number(process.exit(3));']),
    { status: 'graded', points: [4, 2, 0, 1], faults: { 'fixture.total': 'died' } },
  ],
  'throws elsewhere': [
    submissionText(['softmax(rng.normal([2, 3])).print();', 'throw new Error("training"); process.exit(1);']),
    { status: 'graded', points: all },
  ],
  flood: [
    submissionText([softmaxBody, `for (;;) console.log('x'.repeat(65536));`]),
    { status: 'graded', points: [0, 2, 2, 1], faults: { 'fixture.softmax': 'output_limit' } },
  ],
  'leaves a process behind': [
    submissionText([
      softmaxBody,
      `process.getBuiltinModule?.('node:child_process'); const { spawn } = require('node:child_process');
       spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' }); ${softmaxBody}`,
    ]),
    { status: 'graded', points: all },
  ],
  'answers what was not asked': [
    submissionText([
      softmaxBody,
      `require('node:fs').writeSync(3, '{"id":"1","value":{"score":100}}\\n'); ${softmaxBody}`,
    ]),
    { status: 'graded', points: [0, 2, 2, 1], faults: { 'fixture.softmax': 'protocol' } },
  ],
  'answers no JSON': [
    submissionText([totalBody, `require('node:fs').writeSync(3, 'hello\\n'); let sum = start;`]),
    { status: 'graded', points: [4, 2, 0, 1], faults: { 'fixture.total': 'protocol' } },
  ],
  'answers without end': [
    submissionText([
      totalBody,
      `const b = 'x'.repeat(1 << 20); for (let i = 0; i < 9; i++) require('node:fs').writeSync(3, b); let sum = start;`,
    ]),
    { status: 'graded', points: [4, 2, 0, 1], faults: { 'fixture.total': 'protocol' } },
  ],
  'patches JSON': [
    submissionText([totalBody, `JSON.stringify = () => '{"score":100}'; let sum = start;`]),
    { status: 'graded', points: all },
  ],
  'syntax error': [
    submissionText([totalBody, 'let sum = ;']),
    { status: 'graded', points: [4, 2, 0, 1], faults: { 'fixture.total': 'compile_error' }, says: '(cell 7, line 5)' },
  ],
  'type error': [
    submissionText([totalBody, 'let sum: string = start;']),
    {
      status: 'graded',
      points: [4, 2, 0, 1],
      faults: { 'fixture.total': 'compile_error' },
      says: `Type 'number' is not assignable to type 'string'`,
    },
  ],
  'type error elsewhere': [
    submissionText(['softmax(rng.normal([2, 3])).print();', 'const text: string = 3;']),
    { status: 'graded', points: all },
  ],
  'null byte in a cell': [
    submissionText([averageBody, `\u0000 ${averageBody}`]),
    { status: 'graded', points: [4, 2, 2, 0], faults: { 'fixture.average': 'compile_error' } },
  ],
  'nested too deep to compile': [
    submissionText([averageBody, `return ${'('.repeat(20_000)}0${')'.repeat(20_000)};`]),
    { status: 'graded', points: [4, 2, 2, 0], faults: { 'fixture.average': 'compile_error' } },
  ],
  'duplicate ids': [
    notebookText('complete').replaceAll(/"id":"check-[^"]+"/g, '"id":"check"'),
    { status: 'graded', points: all, says: 'code cells 3 and 6 have the same id' },
  ],
  'declared twice': [
    submissionText(['softmax(rng.normal([2, 3])).print();', 'const start = 1;']),
    { status: 'graded', points: [4, 2, 2, 1], says: 'start is declared in cells 4, 7' },
  ],
  truncated: [notebookText('complete').slice(0, 3000), { status: 'unreadable', points: [], says: 'not JSON' }],
  'not json': ['# a python script', { status: 'unreadable', points: [], says: 'not JSON' }],
  empty: ['', { status: 'unreadable', points: [], says: 'the file is empty' }],
  'null byte': [`\u0000${notebookText('complete')}`, { status: 'unreadable', points: [], says: 'not JSON' }],
  'other json': ['[1, 2]', { status: 'unreadable', points: [], says: 'a JSON object is expected' }],
  'old format': [
    '{"nbformat": 3, "worksheets": []}',
    { status: 'unreadable', points: [], says: 'nbformat must be 4, got 3' },
  ],
  'no cells': ['{"nbformat": 4}', { status: 'unreadable', points: [], says: 'no list of cells' }],
  'cell without source': [
    '{"nbformat": 4, "cells": [{"cell_type": "code"}]}',
    { status: 'unreadable', points: [], says: 'code cell 1 has no source' },
  ],
  'no chapter': ['{"nbformat": 4, "cells": []}', { status: 'unreadable', points: [], says: 'name it with --chapter' }],
  'unknown chapter': [
    '{"nbformat": 4, "cells": [], "metadata": {"dgm": {"chapter": "99"}}}',
    { status: 'unreadable', points: [], says: "no chapter '99'" },
  ],
  'no cells left': [
    '{"nbformat": 4, "cells": [], "metadata": {"dgm": {"chapter": "90-fixture"}}}',
    { status: 'missing_export', points: none },
  ],
};

const limits = { callMs: 1500, outputBytes: 200_000 };
// accidents have to be held everywhere; what only a sandbox holds is in hostile.test.ts
const tier = 'none';
const seed = 'test';
let scratch = '';
let folder = '';
let out = '';
const compiler = createCompiler();

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'grade-test-'));
  // the submissions' own folders are made in here, so that the test can see whether one is left
  process.env['TMPDIR'] = join(scratch, 'tmp');
  [folder, out] = [join(scratch, 'submissions'), join(scratch, 'submissions', 'graded')];
  await mkdir(process.env['TMPDIR']);
  await mkdir(join(folder, 'a folder.ipynb'), { recursive: true });
  await mkdir(join(folder, '.ipynb_checkpoints'));
  await writeFile(join(folder, '.ipynb_checkpoints', 'right.ipynb'), '');
  for (const [name, [content]] of Object.entries(submissions)) {
    const file = join(folder, `${name}.ipynb`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  await symlink('right.ipynb', join(folder, 'a link.ipynb'));
});

afterAll(async () => {
  compiler.close();
  delete process.env['TMPDIR'];
  await rm(scratch, { recursive: true });
});

/** Processes whose working directory lies in the scratch folder: what a submission started, if anything is left. */
async function survivors(): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return folders.filter((path) => path.startsWith(scratch));
}

/** What the gradebook holds, in order. */
function resultsIn(out: string): SubmissionResult[] {
  const book = openBook(bookFile(out));
  try {
    return [...rows(book)].map(({ result }) => result);
  } finally {
    closeBook(book);
  }
}

const resultOf = (results: readonly SubmissionResult[], student: string) => results.find((r) => r.student === student)!;

describe('a folder of submissions', () => {
  let results: readonly SubmissionResult[] = [];
  const progress: number[] = [];

  beforeAll(async () => {
    const pool = createPool(compiler, chaptersFile);
    try {
      await gradeFolder({
        folder,
        out,
        jobs: 2,
        seed,
        bundleOf: async () => 'fixture',
        grade: (submission) => pool.grade({ submission, seed, limits, tier }),
        onResult: (_, { done }) => progress.push(done),
      });
      results = resultsIn(out);
    } finally {
      pool.close();
    }
  }, 180_000);

  test.each(Object.entries(submissions))('%s', (student, [, expected]) => {
    const result = resultOf(results, student);
    expect(result).toMatchObject({ status: expected.status, file: join(folder, `${student}.ipynb`), seed });
    expect(result.exercises.map(({ points }) => points)).toEqual(expected.points);
    if (expected.says !== undefined) expect(saidBy(result)).toContain(expected.says);
    if (expected.status !== 'graded') return;
    const faults = result.exercises.filter(({ status }) => status !== 'graded').map(({ id, status }) => [id, status]);
    expect(Object.fromEntries(faults)).toEqual(expected.faults ?? {});
  });

  test('what only bears the name of a notebook is unreadable', () => {
    expect(resultOf(results, 'a folder')).toMatchObject({ status: 'unreadable', message: 'this is a folder' });
    expect(resultOf(results, 'a link')).toMatchObject({
      status: 'unreadable',
      message: 'a symbolic link is not followed',
    });
    expect(results).toHaveLength(Object.keys(submissions).length + 2);
  });

  test('every result is on disk and obeys the schema, and the table has a line for each', async () => {
    for (const { student } of results) {
      const text = await readFile(join(out, student, 'result.json'), 'utf8');
      expect(resultSchema.parse(JSON.parse(text))).toEqual(resultOf(results, student));
    }
    const lines = (await readFile(join(out, 'grades.csv'), 'utf8')).trimEnd().split('\r\n');
    expect(lines).toHaveLength(results.length + 1);
    expect(lines[0]).toBe(
      'student,chapter,status,points,max_points,percent,fixture.softmax,fixture.jitter,fixture.total,fixture.average,remarks',
    );
    expect(lines).toContain('right,90-fixture,graded,9,9,100,4,2,2,1,');
    expect(lines).toContain('loop,90-fixture,graded,7,9,77.8,4,0,2,1,fixture.jitter: timeout');
    expect(progress).toEqual(results.map((_, i) => i + 1));
  });

  test('nothing is left: no process, no folder, no draft', async () => {
    await expect.poll(survivors).toEqual([]);
    expect(await readdir(join(scratch, 'tmp'))).toEqual([]);
    const files = await readdir(out, { recursive: true });
    expect(files.filter((name) => name.includes('.tmp'))).toEqual([]);
  });
});

/** All that a result tells, as the report does. */
function saidBy(result: SubmissionResult): string {
  return `${submissionReport(result)}\n${JSON.stringify(result.exercises)}`
    .replace(/\n\s+got/g, ', got')
    .replace(/\n\s+/g, ' ');
}

describe('one submission', () => {
  const grade = async (name: string, content: string, more: object = {}) => {
    const file = join(scratch, `${name}.ipynb`);
    await writeFile(file, content);
    return gradeSubmission({ student: name, file }, { chapters, compiler, seed, tier, ...more });
  };
  const strip = ({ durationMs: _, ...rest }: SubmissionResult) => rest;

  test('gives the same result for the same seed, and other inputs for another', async () => {
    const text = submissionText([softmaxBody, 'return powers;']);
    const [first, again, other] = [
      await grade('seeded', text),
      await grade('seeded', text),
      await grade('seeded', text, { seed: 'other' }),
    ];
    expect(strip(again)).toEqual(strip(first));
    expect(other.exercises[0]!.checks).not.toEqual(first.exercises[0]!.checks);
  });

  test('is asked with the same inputs, whoever handed it in', async () => {
    const text = submissionText([softmaxBody, 'return powers;']);
    const [ada, ben] = [await grade('ada', text), await grade('ben', text)];
    expect(ben.exercises.map(({ checks }) => checks)).toEqual(ada.exercises.map(({ checks }) => checks));
  });

  test('may be told its chapter', async () => {
    const text = notebookText('complete').replace('"dgm":{"chapter":"90-fixture"}', '"dgm":{}');
    expect(await grade('lost', text)).toMatchObject({ status: 'unreadable' });
    expect(await grade('lost', text, { chapter: '90' })).toMatchObject({ status: 'graded', points: 9 });
  });

  test('that swells ends at its memory limit, in buffers as in objects', async () => {
    const roomy = { callMs: 30_000, memoryMb: 600, heapMb: 100 };
    const text = submissionText(
      [softmaxBody, 'const hog: Float32Array[] = []; for (;;) hog.push(new Float32Array(1 << 22).fill(1));'],
      [
        totalBody,
        'const hog: string[][] = []; for (let i = 0; ; i++) hog.push(Array(1000).fill(String(i))); let sum = start;',
      ],
    );
    const { exercises } = await grade('hog', text, { limits: roomy });
    expect(exercises.map(({ status }) => status)).toEqual(['out_of_memory', 'graded', 'out_of_memory', 'graded']);
    expect(exercises.map(({ points }) => points)).toEqual([0, 2, 0, 1]);
  });

  test('is ended when its time as a whole is over', async () => {
    const text = submissionText([jitterBody, 'for (;;);']);
    const { exercises } = await grade('slow', text, { limits: { callMs: 60_000, wallMs: 3_000 } });
    expect(exercises.map(({ status }) => status)).toEqual(['graded', 'timeout', 'timeout', 'timeout']);
  });
});

describe('the compile service', () => {
  const cells = (source: string) => [{ number: 1, id: 'a', source }];
  // a thousand comparisons of types that are forty levels deep: half a minute
  const comparisons = Array.from(
    { length: 1000 },
    (_, i) => `{ const z = (x: D<[], { a: ${i} }>): D<[], { b: ${i} }> => x; }`,
  );
  const bomb = `const f = () => {
type D<N extends unknown[], T> = N['length'] extends 40 ? T : D<[...N, 0], { l: T } | { r: T }>;
${comparisons.join('\n')}
};`;

  test('ends a source that takes too long, and serves the next', async () => {
    const impatient = createCompiler({ deadlineMs: 3000 });
    const [late, next] = await Promise.allSettled([
      impatient.compile(cells(bomb), ['f']),
      impatient.compile(cells('const f = () => 1;'), ['f']),
    ]);
    impatient.close();
    expect(late).toMatchObject({ status: 'rejected', reason: { status: 'timeout' } });
    expect(next).toMatchObject({ status: 'fulfilled', value: { functions: { f: { status: 'ok' } } } });
  });

  test('shows no file but the packages: neither by import nor by reference', async () => {
    const source =
      "/// <reference path='./package.json' />\nimport secret from './package.json';\nconst f = () => secret;";
    const { functions } = await compiler.compile(cells(source), ['f']);
    expect(functions['f']).toMatchObject({
      status: 'compile_error',
      problems: [{ message: expect.stringContaining('TS2732') }],
    });
  });
});

describe('files', () => {
  test('a table is quoted, and no field is a formula', () => {
    const rows = [
      ['=1+1', 'a,b', 'say "hi"', -1],
      ['@x', '-2', '\tx', 0.5],
    ];
    expect(toCsv(['a', 'b', 'c', 'd'], rows)).toBe(`a,b,c,d\r\n'=1+1,"a,b","say ""hi""",-1\r\n'@x,'-2,'\tx,0.5\r\n`);
  });

  test('submissions are found in order, however deep, without checkpoints and results', async () => {
    const found = (await findSubmissions(folder, out)).submissions.map(({ student }) => student);
    expect(found).toEqual([...found].sort());
    expect(found).toContain('group 2/ünïcode name');
    expect(found).toHaveLength(Object.keys(submissions).length + 2);
  });

  test('a folder without notebooks is said to be one', async () => {
    const grade = () => Promise.reject(new Error('not asked'));
    const options = { folder: join(scratch, 'tmp'), out, jobs: 1, bundleOf: async () => 'fixture', grade };
    await expect(gradeFolder(options)).rejects.toThrow('no *.ipynb in');
  });
});
