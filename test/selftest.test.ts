import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { createCompiler } from '../grader/compiler';
import type { Exercise, Mistake } from '../grader/exercise';
import { selftestJson } from '../grader/report';
import { selftest, type ChapterReport } from '../grader/selftest';
import { chapters, exercises } from './fixtures/course/chapters';
import { course, fixtureText, notebookText } from './grading-helpers';

const compiler = createCompiler();
afterAll(() => compiler.close());

let scratch: string | undefined;
afterEach(async () => {
  if (scratch) await rm(scratch, { recursive: true });
  scratch = undefined;
});

/** The self-test of the fixture chapter with other mistakes for softmax, none for the rest, or another source. */
async function report(mistakes: readonly Mistake[], text = fixtureText): Promise<ChapterReport> {
  scratch = await mkdtemp(join(tmpdir(), 'selftest-'));
  await writeFile(join(scratch, '90-fixture.ts'), text);
  const trimmed: Exercise[] = exercises.map((e) => ({ ...e, mistakes: e.id === 'fixture.softmax' ? mistakes : [] }));
  const altered = [{ name: '90-fixture', exercises: () => Promise.resolve(trimmed) }];
  const { chapters: reports, ok } = await selftest(altered, { solutions: scratch, notebooks: scratch }, compiler);
  expect(ok).toBe(false);
  return reports[0]!;
}

const mistake = (name: string, replace: string, by: string): Mistake => ({ name, source: 'test', replace, by });

describe('the self-test', () => {
  test('is content with a sound chapter', async () => {
    const result = await selftest(chapters, course, compiler);
    expect(result.chapters[0]!.breaches).toEqual([]);
    expect(result.ok).toBe(true);
    expect(result.chapters[0]).toMatchObject({ chapter: '90-fixture', solution: 1, release: 0 });
    expect(JSON.parse(selftestJson(result))).toMatchObject({
      ok: true,
      chapters: [{ chapter: '90-fixture', solution: 1, release: 0 }],
    });
    const first = JSON.parse(selftestJson(result)).chapters[0].mistakes[0];
    expect(first).toEqual({
      exercise: 'fixture.softmax',
      name: 'maximum not subtracted',
      score: 0.5,
      killedBy: 'large numbers do not overflow',
    });
  });

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

  test('reports a solution that does not pass', async () => {
    const { solution, breaches } = await report([], fixtureText.replace('x.max(-1, true)', 'x.max()'));
    expect(solution).toBeCloseTo(8 / 9);
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

describe('the command', () => {
  const bin = resolve(import.meta.dirname, '../grader/bin/grade.mjs');
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
    [['validate', '/nowhere.ipynb'], 'unreadable: the file cannot be opened'],
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
