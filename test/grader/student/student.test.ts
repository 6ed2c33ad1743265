import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { type MimeBundle, type Rng } from 'dgm';
import { installHost } from 'dgm/host';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkIn, hintIn, solutionIn } from '../../../grader/student/cell';
import { createCompiler } from '../../../grader/compile/service';
import { exerciseStates, progressFile, recordTry, standingOf } from '../../../grader/student/progress';
import { toBase64, type Opening, type Release } from '../../../grader/base/release-manifest';
import { solutionOf } from '../../../grader/student/solution';
import { onEverySave, tryNotebook } from '../../../grader/commands/own-notebook';
import { chapters, exercises } from '../../fixtures/course/chapters';
import { course, notebookText, submissionText } from '../grading-helpers';

const hints = ['What is the largest?', 'Shift it to 0.', 'Subtract max(−1).'];
const withHints = exercises.map((e) => (e.id === 'fixture.softmax' ? { ...e, hints } : e));
const hinted = [{ name: '90-fixture', exercises: () => Promise.resolve(withHints) }];
const softmaxOnly = withHints.slice(0, 1);

let scratch = '';
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'student-'));
  vi.stubEnv('DGM_PROGRESS', join(scratch, 'progress.json'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(scratch, { recursive: true });
});

const compiler = createCompiler();
afterAll(() => compiler.close());

async function saved(text: string): Promise<string> {
  const file = join(scratch, 'notebook.ipynb');
  await writeFile(file, text);
  return file;
}

/** What a cell shows. */
async function shown(cell: () => Promise<void>): Promise<MimeBundle> {
  const bundles: MimeBundle[] = [];
  const remove = installHost({
    display: (data) => void bundles.push(data),
    interruptSignal: () => new AbortController().signal,
  });
  try {
    await cell();
  } finally {
    remove();
  }
  expect(bundles).toHaveLength(1);
  return bundles[0]!;
}

const textOf = async (cell: () => Promise<void>) => String((await shown(cell))['text/plain']);

describe('check in a terminal', () => {
  test('all that a solved notebook passes', async () => {
    const { text, allPass } = await tryNotebook(await saved(notebookText('complete')), exercises, compiler);
    expect(allPass).toBe(true);
    expect(text).toContain('All 4 checks pass. Grading runs them on other inputs, and some more.');
    expect(text).toMatch(/4 of 4 exercises pass their checks\.$/);
  });

  test('what is not written yet', async () => {
    const { text, allPass } = await tryNotebook(await saved(notebookText('released')), exercises, compiler);
    expect(allPass).toBe(false);
    expect(text).toContain('Not written yet. Replace the line that throws in softmax');
    expect(text).toContain('○ each row sums to 1');
    expect(standingOf('fixture.softmax')).toMatchObject({ tries: 0, passed: false });
  });

  test('says the same words as the cell', async () => {
    const wrong = submissionText(['powers.sum(-1, true)', 'powers.sum(0, true)']);
    const { text } = await tryNotebook(await saved(wrong), softmaxOnly, compiler);
    vi.stubEnv('DGM_PROGRESS', join(scratch, 'other.json'));
    const softmax = (x: tf.Tensor) => {
      const powers = tf.exp(x.sub(x.max(-1, true)));
      return powers.div(powers.sum(0, true));
    };
    const cell = await textOf(() => checkIn(hinted)('fixture.softmax', softmax));
    expect(cell).toContain('Hint 1 of 3: What is the largest?');
    expect(text).toBe(`${cell}\n\n0 of 1 exercises pass their checks.`);
  });

  test.each([
    ['let sum = ;', '(cell 7, line 5)'],
    ['let sum: string = start;', 'TS2322'],
  ])('tells an error of the compiler by cell and line: %s', async (body, message) => {
    const { text } = await tryNotebook(await saved(submissionText(['let sum = start;', body])), exercises, compiler);
    expect(text).toContain(message);
    expect(text).toMatch(/fixture\.total: a sum that waits\n✗ .*\(cell 7, line \d+\)/);
    expect(text).toContain('3 of 4 exercises pass');
    expect(standingOf('fixture.total').tries).toBe(0);
  });

  test('tells what ended the process, and goes on with the others', async () => {
    const dies = submissionText(['return x.add(rng.normal(x.shape));', 'process.exit(3);']);
    const { text } = await tryNotebook(await saved(dies), exercises, compiler);
    expect(text).toMatch(/fixture\.jitter: noise[^]*✗ .*exit code 3/);
    expect(text).toContain('3 of 4 exercises pass');
  });

  test.each([
    ['{"nbformat": 4', 'not JSON'],
    ['', 'the file is empty'],
    ['[]', 'no notebook'],
  ])('a damaged notebook is said to be one: %j', async (content, message) => {
    const file = await saved(content);
    await expect(tryNotebook(file, exercises, compiler)).rejects.toThrow(`${file}: ${message}`);
  });

  test('a missing notebook, too', async () => {
    const file = join(scratch, 'none.ipynb');
    await expect(tryNotebook(file, exercises, compiler)).rejects.toThrow(`${file}: there is no such file`);
  });
});

describe('watching', () => {
  test('looks at once, at every new text, and not at the same one again', async () => {
    const file = await saved('one');
    const seen: string[] = [];
    const end = new AbortController();
    const next = [
      () => writeFile(file, 'two'),
      // as an editor saves: another file of that name, and others that are none of ours
      async () => {
        await writeFile(join(scratch, 'other.ipynb'), 'other');
        await writeFile(file, 'two');
        await writeFile(join(scratch, '.draft'), 'three');
        await rename(join(scratch, '.draft'), file);
      },
      async () => end.abort(),
    ];
    const onSave = async () => {
      seen.push(readFileSync(file, 'utf8'));
      await next.shift()!();
    };
    await onEverySave(file, onSave, end.signal);
    expect(seen).toEqual(['one', 'two', 'three']);
  });

  test('waits for a file that is not there yet', async () => {
    const file = join(scratch, 'later.ipynb');
    const end = new AbortController();
    const seen: boolean[] = [];
    await onEverySave(
      file,
      async () => {
        seen.push(existsSync(file));
        if (seen.length === 2) end.abort();
        else await writeFile(file, 'now');
      },
      end.signal,
    );
    expect(seen).toEqual([false, true]);
  });

  test('a fault of ours ends it', async () => {
    const fail = () => Promise.reject(new Error('ours'));
    await expect(onEverySave(await saved('x'), fail, new AbortController().signal)).rejects.toThrow('ours');
  });
});

describe('tries', () => {
  test('count when the text is another one, and passing stays', () => {
    const tries = (passed: boolean, text: string) => recordTry('a.b', passed, text).standing;
    expect(tries(false, 'one')).toMatchObject({ tries: 1, passed: false });
    expect(tries(false, 'one')).toMatchObject({ tries: 1, passed: false });
    expect(tries(false, 'two')).toMatchObject({ tries: 2, passed: false });
    expect(tries(true, 'three')).toMatchObject({ tries: 2, passed: true });
    expect(tries(false, 'four')).toMatchObject({ tries: 3, passed: true });
    expect(standingOf('a.b')).toMatchObject({ tries: 3, passed: true });
    expect(standingOf('a.c')).toEqual({ tries: 0, passed: false });
  });

  test('are told in one word for all exercises, also of a file elsewhere', () => {
    recordTry('a.b', false, 'one');
    recordTry('a.c', false, 'one');
    recordTry('a.c', true, 'two');
    const state = exerciseStates(progressFile('/elsewhere'));
    expect(['a.b', 'a.c', 'a.d', 'constructor'].map(state)).toEqual(['tried', 'passed', 'open', 'open']);
    expect(exerciseStates(progressFile(scratch, {}))('a.b')).toBe('open');
  });

  test('are not counted in a damaged file, which is left as it is', () => {
    const file = join(scratch, 'progress.json');
    for (const content of [
      '{"version": 1',
      '{"version": 2, "exercises": {}}',
      '{"version": 1, "exercises": null}',
      'null',
    ]) {
      writeFileSync(file, content);
      expect(recordTry('a.b', true, 'x').note).toContain(`${file} is damaged; delete it, and counting begins anew`);
      expect(() => standingOf('a.b')).toThrow('is damaged');
      expect(() => exerciseStates(file)).toThrow(`${file} is damaged`);
      expect(readFileSync(file, 'utf8')).toBe(content);
    }
  });

  test.runIf(process.platform !== 'win32' && process.getuid?.() !== 0)('need a folder that can be written', () => {
    chmodSync(scratch, 0o555);
    const { note } = recordTry('a.b', false, 'x');
    chmodSync(scratch, 0o755);
    expect(note).toContain('Your tries are not counted: EACCES');
  });
});

describe('hints', () => {
  const wrong = (n: number) => new Function('x', `return ${n};`);

  test('open one by one with each failed try, and not by running the same again', async () => {
    const hintsAfter = async (solution: unknown) => {
      const text = await textOf(() => checkIn(hinted)('fixture.softmax', solution));
      return [...text.matchAll(/^Hint (\d) of 3: (.*)$/gm)].map(([, n, hint]) => [n, hint]);
    };
    expect(await hintsAfter(wrong(1))).toEqual([['1', hints[0]]]);
    expect(await hintsAfter(wrong(1))).toHaveLength(1);
    expect(await hintsAfter(wrong(2))).toHaveLength(2);
    expect(await hintsAfter(wrong(3))).toEqual(hints.map((hint, i) => [String(i + 1), hint]));
    expect(await hintsAfter(wrong(4))).toHaveLength(3);
  });

  test('the first is there for the asking, in a cell', async () => {
    expect(await textOf(() => hintIn(hinted)('fixture.softmax'))).toBe(
      'Hint 1 of 3: What is the largest?\nThe next one opens when a new try fails its check.',
    );
    for (const text of ['a', 'b', 'c']) recordTry('fixture.softmax', false, text);
    const bundle = await shown(() => hintIn(hinted)('fixture.softmax'));
    expect(bundle['text/plain']).toBe(hints.map((hint, i) => `Hint ${i + 1} of 3: ${hint}`).join('\n'));
    expect(bundle['text/html']).toContain('Shift it to 0.');
  });

  test('there may be none, or no such exercise', async () => {
    expect(await textOf(() => hintIn(hinted)('fixture.total'))).toBe('There are no hints for fixture.total.');
    await expect(hintIn(hinted)('fixture.totl')).rejects.toThrow('did you mean fixture.total?');
  });

  test('what is not written yet is no try', async () => {
    const { NotWritten } = await import('../../../grader/exercise/exercise');
    const blank = () => {
      throw new NotWritten('fixture.softmax');
    };
    await textOf(() => checkIn(hinted)('fixture.softmax', blank));
    const needsOther = () => {
      throw new NotWritten('fixture.total');
    };
    await textOf(() => checkIn(hinted)('fixture.softmax', needsOther));
    expect(standingOf('fixture.softmax').tries).toBe(0);
  });
});

describe('the worked solution', () => {
  const id = 'fixture.jitter';
  const releaseOf = (solutions: Opening): Release => ({
    version: 2,
    chapters: ['90-fixture'],
    solutions,
    base64: { [id]: toBase64('the solution') },
  });
  const ask = (solutions: Opening) => solutionOf(id, chapters, { release: releaseOf(solutions) });

  test('opens after a pass', async () => {
    expect((await ask('after-pass')).closed).toBe(`The solution of ${id} opens when your function passes its checks.`);
    for (const text of ['a', 'b', 'c']) recordTry(id, false, text);
    expect((await ask('after-pass')).text).toBeUndefined();
    recordTry(id, true, 'd');
    expect(await ask('after-pass')).toEqual({ text: 'the solution' });
  });

  test('opens after so many tries, or a pass', async () => {
    recordTry(id, false, 'a');
    expect((await ask('after-tries:2')).closed).toContain('or after 2 different tries (1 so far)');
    recordTry(id, false, 'b');
    expect(await ask('after-tries:2')).toEqual({ text: 'the solution' });
    expect((await ask('after-tries:3')).closed).toBeDefined();
    recordTry(id, true, 'c');
    expect(await ask('after-tries:3')).toEqual({ text: 'the solution' });
  });

  test('never opens where the release has none', async () => {
    recordTry(id, true, 'a');
    expect((await ask('never')).closed).toContain('not in this release');
  });

  test('comes from the sources in the copy that has them', async () => {
    const here = { course };
    expect((await solutionOf(id, chapters, here)).text).toBeUndefined();
    recordTry(id, true, 'a');
    expect((await solutionOf(id, chapters, here)).text).toContain('return x.add(rng.normal(x.shape));');
  });

  test('of another chapter, or of none, is said not to be there', async () => {
    recordTry('fixture.total', true, 'a');
    const release = releaseOf('after-pass');
    await expect(solutionOf('fixture.total', chapters, { release })).rejects.toThrow(
      'this release has no solution of fixture.total; it is of 90-fixture',
    );
    await expect(solutionOf('fixture.x', chapters, { release })).rejects.toThrow("there is no exercise 'fixture.x'");
  });

  test('a cell says that it is open, and that it is not', async () => {
    const right = (x: tf.Tensor, rng: Rng) => x.add(rng.normal(x.shape));
    const closed = await textOf(() => solutionIn(chapters)(id));
    expect(closed).toContain('opens when your function passes its checks');
    const text = await textOf(() => checkIn(chapters)(id, right));
    expect(text).toContain(
      `A worked solution: await solution('${id}') in a cell, npx grade solution ${id} in a terminal.`,
    );
  });
});

describe('the commands', () => {
  let env: NodeJS.ProcessEnv;
  beforeAll(() => (env = { ...process.env }));
  const grade = (...args: string[]) => {
    const bin = resolve(import.meta.dirname, '../../../grader/bin/grade.mjs');
    const more = { ...env, DGM_PROGRESS: join(scratch, 'progress.json') };
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', env: more });
    return { status, output: stdout + stderr };
  };

  test('check, hint and solution of chapter 3', () => {
    const { status, output } = grade('check', '03', '--only', 'mixture.chooseComponents');
    expect(output).toContain('mixture.chooseComponents: choosing K by the one-standard-error rule\nNot written yet.');
    expect(output).toContain('0 of 1 exercises pass');
    expect(status).toBe(1);
    const solved = resolve(import.meta.dirname, '../../../solutions/03-mixtures.ipynb');
    const pass = grade('check', 'mixtures', '--only', 'mixture.chooseComponents', '--notebook', solved);
    expect(pass.output).toContain('1 of 1 exercises pass');
    expect(pass.status).toBe(0);
    expect(grade('solution', 'mixture.chooseComponents').output).toContain('function chooseComponents(');
    expect(grade('solution', 'mixture.sample').status).toBe(1);
    expect(grade('hint', 'mixture.sample').output).toContain('Hint 1 of 3: ');
  });

  test.each([
    [['check', '99'], "there is no chapter '99' with exercises; there are 00-start, 01-why, "],
    [
      ['check', '03', '--only', 'mixture.smple'],
      "this chapter has no exercise 'mixture.smple'; did you mean mixture.sample?",
    ],
    [['check', '03', '--notebook', '/nowhere.ipynb'], '/nowhere.ipynb: there is no such file'],
    [['check', '03', '--notebook', import.meta.filename], 'not JSON: the file is damaged, or no notebook'],
    [['hint', 'mixture.smple'], "there is no exercise 'mixture.smple'; did you mean mixture.sample?"],
    [['solution', 'mixture.smple'], "there is no exercise 'mixture.smple'; did you mean mixture.sample?"],
  ])('refuses %j', (args, message) => {
    const { status, output } = grade(...args);
    expect(output).toContain(message);
    expect(status).toBe(1);
  });

  test.each(['check', 'hint', 'solution', 'release'])('%s has help with an example', (command) => {
    expect(grade(command, '--help').output).toMatch(new RegExp(`\\nExample: npx grade ${command} `));
  });
});
