import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  bookFile,
  gradeFolder,
  regrade,
  type BatchOptions,
  type Progress,
} from '../../../grader/gradebook/grade-folder';
import { BookError, closeBook, openBook } from '../../../grader/gradebook/book';
import { claim, counts, enrol, record, renew } from '../../../grader/gradebook/jobs';
import { overrides, rows, setOverride } from '../../../grader/gradebook/verdicts';
import { entry, exercise, verdict, withBook } from '../book-helpers';

let scratch = '';
let folder = '';
let out = '';

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'gradebook-'));
  [folder, out] = [join(scratch, 'submissions'), join(scratch, 'graded')];
  mkdirSync(folder);
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

/** Uniform in [0, 1), the same for the same seed. */
function random(seed: string): () => number {
  let i = 0;
  return () => createHash('sha256').update(`${seed} ${i++}`).digest().readUInt32LE() / 2 ** 32;
}

function handIn(count: number): string[] {
  const names = Array.from({ length: count }, (_, i) => `student ${String(i).padStart(4, '0')}`);
  for (const name of names)
    writeFileSync(join(folder, `${name}.ipynb`), `{"nbformat": 4, "cells": [], "of": "${name}"}`);
  return names;
}

/** What the book holds for good: verdicts without the time they took, and who was judged how often. */
function contents(out: string) {
  return withBook(out, (book) => ({
    verdicts: [...rows(book)].map(({ result: { durationMs: _, ...verdict } }) => verdict),
    written: book.db.prepare('select name, count(*) as n from verdict group by 1').all(),
    counts: counts(book),
  }));
}

interface Run {
  readonly code: number | null;
  readonly started: readonly string[];
  readonly done: readonly string[];
  readonly stderr: string;
}

/** A process that grades; killed so long after its n-th verdict, if that is asked for. */
function run(command: readonly string[], kill?: { readonly after: number; readonly delayMs: number }): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
    const texts = { stdout: '', stderr: '' };
    let killed = false;
    const onText = (pipe: 'stdout' | 'stderr') => (chunk: Buffer) => {
      texts[pipe] += chunk.toString();
      // the command line tells its progress on stderr: "3/6  name  graded"
      const verdicts = `${texts.stdout}${texts.stderr}`.match(/^(done |\s*\d+\/\d+ )/gm)?.length ?? 0;
      if (killed || kill === undefined || verdicts < kill.after) return;
      killed = true;
      setTimeout(() => child.kill('SIGKILL'), kill.delayMs);
    };
    child.stdout.on('data', onText('stdout'));
    child.stderr.on('data', onText('stderr'));
    child.once('close', (code) => {
      const named = (word: string) =>
        [...texts.stdout.matchAll(new RegExp(`^${word} (.*)$`, 'gm'))].map((match) => match[1]!);
      resolve({ code, started: named('start'), done: named('done'), stderr: texts.stderr });
    });
  });
}

const fakeGrader = (out: string, jobs = 2) => [
  resolve(import.meta.dirname, '../../fixtures/gradebook/grader.mjs'),
  ...[folder, out, String(jobs)],
];

describe('a grader that is killed', () => {
  test('at any moment, and resumed: nothing is lost, nothing counts twice, the tables are the same', async () => {
    const names = handIn(30);
    const undisturbed = join(scratch, 'undisturbed');
    expect(await run(fakeGrader(undisturbed))).toMatchObject({ code: 0 });
    const wanted = contents(undisturbed);
    expect(wanted.verdicts.map(({ student }) => student)).toEqual(names);
    for (const seed of ['a', 'b', 'c']) {
      const draw = random(seed);
      const out = join(scratch, seed);
      const runs: Run[] = [];
      // each run but the last is killed after 0 to 9 more verdicts
      do {
        const kill = { after: Math.floor(draw() * 10), delayMs: draw() * 8 };
        runs.push(await run(fakeGrader(out), runs.length < 6 ? kill : undefined));
      } while (runs.at(-1)!.code !== 0);
      expect(contents(out)).toEqual(wanted);
      const reported = runs.flatMap(({ done }) => done);
      expect(new Set(reported).size).toBe(reported.length);
      expect(runs.length).toBeGreaterThan(2);
      for (const [i, name] of names.entries()) {
        const file = join(out, name, 'result.json');
        expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject(wanted.verdicts[i]!);
      }
      expect(readFileSync(join(out, 'grades.csv'), 'utf8')).toBe(readFileSync(join(undisturbed, 'grades.csv'), 'utf8'));
    }
  }, 120_000);

  test('with its command line, workers and submissions, gives the verdicts of an undisturbed run', async () => {
    const released = readFileSync(resolve(import.meta.dirname, '../../../notebooks/03-mixtures.ipynb'), 'utf8');
    for (const i of [1, 2, 3, 4]) writeFileSync(join(folder, `released ${i}.ipynb`), released);
    writeFileSync(join(folder, 'torn.ipynb'), released.slice(0, 1000));
    const grade = (out: string) => [
      resolve(import.meta.dirname, '../../../grader/bin/grade.mjs'),
      ...['grade', folder, '--out', out, '--jobs', '2', '--resume'],
      ...(existsSync(bookFile(out)) ? [] : ['--seed', 'fixed']),
    ];
    const undisturbed = join(scratch, 'undisturbed');
    expect(await run(grade(undisturbed))).toMatchObject({ code: 0 });
    const draw = random('command line');
    for (const after of [0, 1, 2]) await run(grade(out), { after, delayMs: draw() * 300 });
    expect(await run(grade(out))).toMatchObject({ code: 0 });
    expect(contents(out)).toEqual(contents(undisturbed));
  }, 120_000);
});

describe('two graders on one book', () => {
  test('share the work: every submission is judged by one of them', async () => {
    const names = handIn(40);
    const runs = await Promise.all([run(fakeGrader(out)), run(fakeGrader(out))]);
    const started = runs.flatMap(({ started }) => started);
    expect([...started].sort()).toEqual(names);
    expect(contents(out).counts).toEqual({ all: 40, done: 40, taken: 0, waiting: 0 });
  }, 60_000);

  test('hold jobs by a lease that is renewed, and that lapses when its holder is silent or dead', () => {
    mkdirSync(out);
    let now = 0;
    const book = openBook(bookFile(out), { create: true, now: () => now });
    const [remote, dead] = [
      { ...book, owner: 'another-machine 1 x' },
      // above the largest process id of any system
      { ...book, owner: book.owner.replace(/ \d+ /, ` ${2 ** 30} `) },
    ];
    try {
      for (const name of ['a', 'b', 'c']) enrol(book, entry(name), 'seed');
      expect(claim(remote)?.name).toBe('a');
      expect(claim(dead)?.name).toBe('b');
      expect(claim(book)?.name).toBe('b');
      expect(claim(book)?.name).toBe('c');
      now = 50_000;
      renew(remote);
      now = 100_000;
      expect(claim(book)?.name).not.toBe('a');
      now = 111_000;
      expect(claim(book)?.name).toBe('a');
    } finally {
      closeBook(book);
    }
  });

  test('that judge the same job twice count once: the first verdict stays', () => {
    mkdirSync(out);
    const book = openBook(bookFile(out), { create: true });
    try {
      enrol(book, entry('a'), 'seed');
      const job = claim(book)!;
      expect(record(book, job, verdict('a', 1))).toBe(true);
      expect(record(book, job, verdict('a', 2))).toBe(false);
      expect([...rows(book)].map(({ result }) => result.points)).toEqual([1]);
    } finally {
      closeBook(book);
    }
  });
});

/** A grading of the folder that notes whom it judged. */
function options(more: Partial<BatchOptions> = {}): BatchOptions & { readonly judged: string[] } {
  const judged: string[] = [];
  const grade = async ({ student }: { student: string }) => {
    judged.push(student);
    return verdict(student);
  };
  return { folder, out, jobs: 1, seed: 'seed', bundleOf: async () => 'bundle', grade, ...more, judged };
}

async function judgedBy(more: Partial<BatchOptions> = {}): Promise<string[]> {
  const all = options(more);
  await gradeFolder(all);
  return all.judged;
}

describe('resuming', () => {
  test('judges what is new, what changed, and what failed through a fault of ours; nothing else', async () => {
    const [first, second, third] = handIn(3) as [string, string, string];
    let broken = true;
    const grade = async ({ student }: { student: string }) =>
      verdict(student, 1, broken && student === third ? { status: 'infra_error', message: 'ours' } : {});
    await gradeFolder(options({ grade }));
    broken = false;
    expect(await judgedBy({ resume: true })).toEqual([third]);
    expect(await judgedBy({ resume: true })).toEqual([]);
    writeFileSync(join(folder, `${second}.ipynb`), '{}');
    writeFileSync(join(folder, 'new.ipynb'), '{}');
    expect(await judgedBy({ resume: true })).toEqual(['new', second]);
    expect(await judgedBy({ resume: true, bundleOf: async () => 'other checks' })).toEqual([
      'new',
      first,
      second,
      third,
    ]);
  });

  test('tells how far the whole book is, and how long the rest takes: nothing when nothing is left', async () => {
    const [first] = handIn(4) as [string];
    await judgedBy();
    writeFileSync(join(folder, `${first}.ipynb`), 'changed');
    writeFileSync(join(folder, 'new.ipynb'), '');
    const told: Progress[] = [];
    await judgedBy({ resume: true, onResult: (_, progress) => told.push(progress) });
    expect(told.map(({ done, all }) => [done, all])).toEqual([
      [4, 5],
      [5, 5],
    ]);
    expect(told[0]!.leftMs).toBeGreaterThan(0);
    expect(told[1]!.leftMs).toBe(0);
  });

  test('writes what was committed and not yet written, and judges it no more', async () => {
    const [name] = handIn(1) as [string];
    await judgedBy();
    const file = join(out, name, 'result.json');
    const before = readFileSync(file, 'utf8');
    rmSync(file);
    // as after a kill between the two
    withBook(out, ({ db }) => db.exec('update verdict set on_disk = 0'));
    expect(await judgedBy({ resume: true })).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  test('keeps the seed that was drawn when the book was made', async () => {
    const [first] = handIn(1) as [string];
    const { seed: given, ...unseeded } = options();
    const { seed } = await gradeFolder(unseeded);
    expect(seed).toMatch(/^[0-9a-f]{16}$/);
    expect(seed).not.toBe(given);
    writeFileSync(join(folder, `${first}.ipynb`), 'changed');
    expect(await gradeFolder({ ...unseeded, resume: true })).toMatchObject({ seed, all: 1 });
  });

  test('must be asked for, and keeps folder and seed', async () => {
    handIn(1);
    await judgedBy();
    await expect(judgedBy()).rejects.toThrow('already holds 1 verdicts; add --resume');
    await expect(judgedBy({ resume: true, seed: 'other' })).rejects.toThrow('has the seed seed; leave --seed out');
    mkdirSync(join(scratch, 'elsewhere'));
    writeFileSync(join(scratch, 'elsewhere', 'x.ipynb'), '');
    await expect(judgedBy({ resume: true, folder: join(scratch, 'elsewhere') })).rejects.toThrow('is the book of');
  });

  test('judges a file again that changed while it was judged', async () => {
    const [name] = handIn(1) as [string];
    const grade = async ({ student, file }: { student: string; file: string }) => {
      writeFileSync(file, '{"changed": true}');
      return verdict(student);
    };
    expect((await gradeFolder(options({ grade }))).statuses).toEqual({ infra_error: 1 });
    expect(await judgedBy({ resume: true })).toEqual([name]);
    expect(contents(out).verdicts[0]).toMatchObject({ status: 'graded' });
  });

  test('a regrading replaces the chosen verdicts, even if interrupted, and leaves overrides', async () => {
    const [first, second] = handIn(2) as [string, string];
    await judgedBy();
    const override = {
      exercise: 'fixture.total',
      chapter: '90-fixture',
      points: 3,
      maxPoints: 4,
      reason: 'r',
      by: 'me',
    };
    withBook(out, (book) => setOverride(book, { student: first, ...override }));
    const fails = options({ grade: () => Promise.reject(new Error('interrupted')) });
    await expect(regrade(out, [first], fails)).rejects.toThrow('interrupted');
    const grade = async ({ student }: { student: string }) => verdict(student, 2);
    await gradeFolder(options({ grade, resume: true }));
    expect(contents(out).verdicts.map(({ student, points }) => [student, points])).toEqual([
      [first, 2],
      [second, 1],
    ]);
    expect(JSON.parse(readFileSync(join(out, first, 'result.json'), 'utf8'))).toMatchObject({ points: 2 });
    withBook(out, (book) => expect(overrides(book)).toMatchObject([{ student: first, points: 3 }]));
  });
});

describe('says what is wrong and what to do:', () => {
  test.each([
    ['no database', (file: string) => writeFileSync(file, 'no database '.repeat(1000)), 'is damaged'],
    ['half of a book', (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2)), 'is damaged'],
    [
      'another program’s database',
      (file: string) => execute(file, 'pragma application_id = 7'),
      'is the database of another program',
    ],
    ['a newer book', (file: string) => execute(file, 'pragma user_version = 99'), 'newer grader'],
  ])('%s', async (_, spoil, says) => {
    handIn(20);
    await judgedBy();
    spoil(bookFile(out));
    await expect(judgedBy({ resume: true })).rejects.toThrow(BookError);
    await expect(judgedBy({ resume: true })).rejects.toThrow(says);
  });

  function execute(file: string, sql: string): void {
    const db = new Database(file);
    db.exec(sql);
    db.close();
  }

  test('no folder, no book', async () => {
    await expect(judgedBy({ folder: join(scratch, 'nowhere') })).rejects.toThrow('cannot be read: ENOENT');
    expect(() => openBook(bookFile(out))).toThrow('there is no gradebook');
  });

  test('a folder for the results that is a file', async () => {
    handIn(1);
    writeFileSync(out, '');
    await expect(judgedBy()).rejects.toThrow('cannot be made');
  });

  test('a folder for the results that is read-only', () => {
    handIn(1);
    mkdirSync(out);
    chmodSync(out, 0o555);
    chmodSync(scratch, 0o755);
    // the owner of everything may write everywhere
    const asNobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const { status, stderr } = spawnSync(process.execPath, fakeGrader(out), { ...asNobody, encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain('cannot be written; is its folder writable?');
  });
});

describe('a class of a thousand', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  /** As long as a result with many failing checks. */
  const long = 'x'.repeat(1500);
  const checks = Array.from({ length: 40 }, (_, i) => ({ name: `${i}`, status: 'failed' as const, expected: long }));
  const heavy = async ({ student }: { student: string }) =>
    verdict(student, 1, {
      exercises: [exercise('fixture.total', 1, { checks })],
    });

  test('needs the memory and, for each submission, the work of a small one', async () => {
    const measure = async (count: number) => {
      handIn(count);
      const out = join(scratch, `graded ${count}`);
      let peak = 0;
      collect();
      const before = process.memoryUsage().heapUsed;
      const cpu = process.cpuUsage();
      let seen = 0;
      await gradeFolder({
        ...options({ grade: heavy, out }),
        onResult: () => {
          if (++seen % Math.ceil(count / 4) !== 0) return;
          collect();
          peak = Math.max(peak, process.memoryUsage().heapUsed - before);
        },
      });
      const { user, system } = process.cpuUsage(cpu);
      return { peak, each: (user + system) / count };
    };
    await measure(10);
    const [small, large] = [await measure(100), await measure(1000)];
    const oneResult = JSON.stringify(await heavy({ student: '' })).length;
    // held, the 900 results more would weigh 900; a name and a path for each are allowed
    expect(large.peak - small.peak).toBeLessThan(50 * oneResult);
    // what grows with the class, such as a table written anew for each verdict, would make it ten times as much
    expect(large.each).toBeLessThan(3 * small.each);
  }, 120_000);
});
