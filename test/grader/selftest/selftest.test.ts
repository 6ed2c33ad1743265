import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { expectClose, expectTensor } from '../../../grader/exercise/compare';
import { createCompiler } from '../../../grader/compile/service';
import type { Check, Hidden, Mistake } from '../../../grader/exercise/exercise';
import { selftestJson } from '../../../grader/reports/terminal';
import { selftest, type ChapterReport } from '../../../grader/selftest/selftest';
import { exercises } from '../../fixtures/course/chapters';
import { hidden, lecturersChapters } from '../../fixtures/course/hidden';
import { course, fixtureText, notebookText } from '../grading-helpers';

const compiler = createCompiler();
afterAll(() => compiler.close());

let scratch: string | undefined;
afterEach(async () => {
  if (scratch) await rm(scratch, { recursive: true });
  scratch = undefined;
});

interface More {
  readonly checks?: readonly Check[];
  readonly hints?: readonly string[];
  /** Of the bug to find. */
  readonly ofAverage?: readonly Mistake[];
}

/** The self-test of the fixture chapter with other mistakes, hidden checks and hints for softmax, or another source. */
async function report(mistakes: readonly Mistake[], text = fixtureText, more: More = {}): Promise<ChapterReport> {
  scratch = await mkdtemp(join(tmpdir(), 'selftest-'));
  await writeFile(join(scratch, '90-fixture.ts'), text);
  const trimmed = Object.fromEntries(
    Object.entries(hidden).map(([id, { checks }]): [string, Hidden] => {
      const chosen = id === 'fixture.softmax';
      const others = id === 'fixture.average' ? (more.ofAverage ?? []) : [];
      return [id, { checks: (chosen && more.checks) || checks, mistakes: chosen ? mistakes : others }];
    }),
  );
  const told = exercises.map((e) => (e.id === 'fixture.softmax' && more.hints ? { ...e, hints: more.hints } : e));
  const altered = [
    { name: '90-fixture', exercises: () => Promise.resolve(told), hidden: () => Promise.resolve(trimmed) },
  ];
  const { chapters: reports, ok } = await selftest(altered, { solutions: scratch, notebooks: scratch }, compiler);
  expect(ok).toBe(false);
  return reports[0]!;
}

const mistake = (name: string, replace: string, by: string): Mistake => ({ name, source: 'test', replace, by });

describe('the self-test', () => {
  test('is content with a sound chapter', async () => {
    const result = await selftest(lecturersChapters, course, compiler);
    expect(result.chapters[0]!.breaches).toEqual([]);
    expect(result.ok).toBe(true);
    expect(result.chapters[0]).toMatchObject({ chapter: '90-fixture', solution: 1, release: 0 });
    expect(selftestJson(result)).toMatchObject({
      ok: true,
      chapters: [{ chapter: '90-fixture', solution: 1, release: 0 }],
    });
    const first = selftestJson(result).chapters[0]!.mistakes[0];
    expect(first).toEqual({
      exercise: 'fixture.softmax',
      name: 'maximum not subtracted',
      score: 0.6,
      killedBy: 'large numbers do not overflow',
    });
  }, 180_000);

  test('reports a mistake that no check rejects', async () => {
    const { mistakes, breaches } = await report([mistake('harmless', 'x.max(-1, true)', 'x.max(-1, true).add(1)')]);
    expect(mistakes).toEqual([{ exercise: 'fixture.softmax', name: 'harmless', score: 1, killedBy: null }]);
    expect(breaches).toContain("no check of fixture.softmax rejects the mistake 'harmless'");
    expect(breaches).toContain('fixture.softmax has 1 mistakes; 3 are needed');
  });

  test('reports mistakes that are no proper ones', async () => {
    const { breaches } = await report([
      mistake('gone', 'x.min(', 'x.max('),
      mistake('twice there', 'powers', 'x'),
      mistake('ill typed', 'powers.sum(-1, true)', "powers.sum('last')"),
      mistake('throws', 'return powers', 'throw new Error("no"); return powers'),
    ]);
    expect(breaches.filter((breach) => breach.startsWith('broken mistake'))).toEqual([
      "broken mistake 'gone' of fixture.softmax: its text occurs 0 times in the solution, not once: x.min(",
      "broken mistake 'twice there' of fixture.softmax: its text occurs 3 times in the solution, not once: powers",
      expect.stringContaining(
        "broken mistake 'ill typed' of fixture.softmax: no check fails, but it does not run: compile_error",
      ),
      expect.stringContaining(
        "broken mistake 'throws' of fixture.softmax: no check fails, but it does not run: agrees with the formula: threw Error: no",
      ),
    ]);
  });

  test.each([
    ['that uses it', '* softmax(tf.zeros([1, 1])).dataSync()[0]!'],
    ['that does not', ''],
  ])('tries the mistakes of one exercise apart from another %s', async (_, factor) => {
    const text = fixtureText.replace('x.mean().dataSync()[0]!', `x.mean().dataSync()[0]! ${factor}`);
    const { mistakes } = await report([mistake('twice', 'powers.sum(-1, true)', 'powers.sum(-1, true).div(2)')], text, {
      ofAverage: [mistake('harmless', 'x.mean()', 'x.mul(1).mean()'), mistake('the sum', 'x.mean()', 'x.sum()')],
    });
    expect(mistakes.map(({ name, score }) => [name, score === 1])).toEqual([
      ['twice', false],
      ['harmless', true],
      ['the sum', false],
    ]);
  });

  test('reports a solution that does not pass', async () => {
    const { solution, breaches } = await report([], fixtureText.replace('x.max(-1, true)', 'x.max()'));
    expect(solution).toBeCloseTo((4 * (4 / 5) + 5) / 9);
    expect(breaches[0]).toContain('the solution of fixture.softmax does not pass: rows do not depend on each other');
  });

  test('reports a release that earns points, and one that does not run', async () => {
    const given = fixtureText.replace(
      '// return x.sum().dataSync()[0]! / first!;',
      '// return x.mean().dataSync()[0]!;',
    );
    const { release, breaches } = await report([], given);
    expect(release).toBeCloseTo(1 / 9);
    expect(breaches).toContain(
      'the release earns points for fixture.average; for faulty code that is given, set allOrNothing',
    );
    const faulty = await report([], fixtureText.replace('// const [first]', '// const [other]'));
    expect(faulty.breaches.join()).toContain('the release of fixture.average does not run: compile_error');
  });

  test('reports a line of a solution that the release shows', async () => {
    const text = fixtureText.replace('// ## Noise', '// ## Noise\n// Use `return x.add(rng.normal(x.shape));`');
    const { breaches } = await report([], text);
    expect(breaches).toContain(
      'the release shows a line of the solution of fixture.jitter: return x.add(rng.normal(x.shape));',
    );
  });
});

describe('answers that know nothing', () => {
  const knowing = 'an answer that knows nothing';

  test('are reported where they earn something, with what they pass', async () => {
    const sums: Check = {
      name: 'each row of three sums to 1',
      run: async ({ call, rng }) => {
        const got = expectTensor(await call(rng.normal([2, 3])), { shape: [2, 3] });
        expectClose(got.sum(-1), tf.ones([2]), { what: 'the sum' });
      },
    };
    const positive: Check = {
      name: 'nothing is negative',
      run: async ({ call, rng }) => {
        const got = expectTensor(await call(rng.normal([2, 3])), { shape: [2, 3] });
        expectClose(got.abs(), got, { what: 'softmax' });
      },
    };
    const { breaches } = await report([], fixtureText, { checks: [sums, positive] });
    const told = (name: string, checks: string) =>
      `${knowing} (${name}) earns points for fixture.softmax, by '${checks}': tighten that, or make it a law`;
    expect(breaches.filter((breach) => breach.startsWith(knowing))).toEqual([
      told('zeros', positive.name),
      told('ones', positive.name),
      told('halves', positive.name),
      told('equal shares', `${sums.name}', '${positive.name}`),
    ]);
  });

  test('earn nothing by a law, whose share comes with the formula’s', async () => {
    const answers: Check = { name: 'answers', law: true, run: async ({ call }) => void (await call(tf.zeros([1, 6]))) };
    const { breaches } = await report([], fixtureText, { checks: [answers] });
    expect(breaches.join()).not.toContain(knowing);
  });

  test('a word or a number that is always the same is one', async () => {
    scratch = await mkdtemp(join(tmpdir(), 'selftest-'));
    await writeFile(join(scratch, '90-fixture.ts'), fixtureText);
    const eager = exercises.map((exercise) =>
      exercise.id !== 'fixture.total'
        ? exercise
        : { ...exercise, checks: exercise.checks.map(({ name, run }): Check => ({ name, run })) },
    );
    const [chapter] = lecturersChapters;
    const altered = [{ ...chapter!, exercises: () => Promise.resolve(eager) }];
    const { chapters: reports } = await selftest(altered, { solutions: scratch, notebooks: scratch }, compiler);
    expect(reports[0]!.breaches.filter((breach) => breach.startsWith(knowing))).toEqual(
      ['zeros', 'always 0'].map(
        (name) =>
          `${knowing} (${name}) earns points for fixture.total, by 'is 0 for nothing': tighten that, or make it a law`,
      ),
    );
  });
});

describe('hidden checks', () => {
  test('an exercise without one is reported', async () => {
    expect((await report([], fixtureText, { checks: [] })).breaches).toContain('fixture.softmax has no hidden check');
  });

  test('one that answers learnt by heart would pass is reported, and a sound one is not', async () => {
    // the same input and question as a public check, under another name
    const again = exercises[0]!.checks.slice(2, 3).map((check) => ({ ...check, name: 'large numbers again' }));
    const { breaches } = await report([], fixtureText, { checks: again });
    const fooled = "answers to fixture.softmax learnt by heart from the notebook's checks pass the hidden checks";
    expect(breaches).toContain(fooled);
    expect((await report([])).breaches).not.toContain(fooled);
  });

  test('a mistake may be for them alone, and it is reported when a public check rejects it', async () => {
    const any: Check = { name: 'answers', run: async ({ call }) => void (await call(tf.zeros([1, 6]))) };
    const six: Check = {
      name: 'six columns',
      run: async ({ call }) => expectClose(await call(tf.zeros([1, 6])), tf.fill([1, 6], 1 / 6), { what: 'softmax' }),
    };
    const subtle = {
      ...mistake('six columns are doubled', 'return powers', 'if (x.shape[1] === 6) return powers;\n  return powers'),
      passesPublic: true,
    };
    const early = { ...mistake('doubled', 'return powers', 'return powers.mul(2)'), passesPublic: true };
    const { mistakes, breaches } = await report([subtle, early], fixtureText, { checks: [any, six] });
    expect(mistakes[0]).toEqual({
      exercise: 'fixture.softmax',
      name: subtle.name,
      score: 5 / 6,
      killedBy: 'six columns',
    });
    expect(breaches.join()).not.toContain(subtle.name);
    expect(breaches).toContain(
      "broken mistake 'doubled' of fixture.softmax: it is to pass the public checks, but 'agrees with the formula' rejects it",
    );
  });

  test('a hint that shows a line of a solution is reported', async () => {
    const { breaches } = await report([], fixtureText, {
      hints: ['Think.', 'Write `const powers = tf.exp(shifted);`'],
    });
    expect(breaches).toEqual(
      expect.arrayContaining([expect.stringContaining('a hint of fixture.softmax shows a line of the solution')]),
    );
  });

  test('for an exercise that does not exist stop everything', async () => {
    const stray = [
      { ...lecturersChapters[0]!, hidden: async () => ({ 'fixture.sofmax': hidden['fixture.softmax']! }) },
    ];
    await expect(selftest(stray, course, compiler)).rejects.toThrow(
      "hidden checks for 'fixture.sofmax', which is no exercise; did you mean fixture.softmax?",
    );
  });
});

describe('the command', () => {
  const bin = resolve(import.meta.dirname, '../../../grader/bin/grade.mjs');
  const run = (...args: string[]) =>
    new Promise<{ code: number; output: string }>((done) => {
      const child = execFile(process.execPath, [bin, ...args], (_, stdout, stderr) =>
        done({ code: child.exitCode!, output: stdout + stderr }),
      );
    });

  test('tells what it can do', async () => {
    const { code, output } = await run('--help');
    expect(code).toBe(0);
    for (const word of ['validate', 'grade', 'selftest']) expect(output).toContain(word);
  });

  test.each([
    [['grade'], "missing required argument 'folder'"],
    [['feedback'], "required option '--out <folder>' not specified"],
    [['export', '--format', 'xls'], 'Allowed choices are csv, nbgrader-csv, junit, gradescope, github-classroom.'],
    [['status', '--book', '/nowhere'], 'there is no gradebook /nowhere/gradebook.sqlite'],
    [['policy', '--deadline', '2026-01-31'], 'expected a time with its zone'],
    [['grade', 'x', '--out', 'y', '--job', '2'], "unknown option '--job'"],
    [['grade', 'x', '--out', 'y', '--jobs', '0'], 'It must be a whole number from 1.'],
    [['grade', '/nowhere', '--out', 'y'], 'grade: '],
    [['validat', 'x'], "unknown command 'validat'"],
    [['selftest', '--chapter', '98'], "there is no chapter '98' with exercises"],
    [['validate', '/nowhere.ipynb'], 'the notebook cannot be read: ENOENT'],
  ])('refuses %j', async (args, message) => {
    const { code, output } = await run(...args);
    expect(output).toContain(message);
    expect(code).toBe(1);
  });

  test('says how to name the chapter of a notebook that it does not know', async () => {
    scratch = await mkdtemp(join(tmpdir(), 'validate-'));
    await mkdir(join(scratch, 'x'));
    const file = join(scratch, 'x', 'some.ipynb');
    await writeFile(file, notebookText('complete').replace('"dgm":{"chapter":"90-fixture"}', '"dgm":{}'));
    expect((await run('validate', file)).output).toContain('(metadata.dgm.chapter); name it with --chapter');
  });
});
