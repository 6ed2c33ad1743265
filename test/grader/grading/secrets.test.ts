import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withHidden, type Chapter } from '../../../grader/chapters/registry';
import { createCompiler } from '../../../grader/compile/service';
import { checkLines, linesAsText } from '../../../grader/exercise/check-lines';
import { gradeSubmission } from '../../../grader/grading/grade-submission';
import type { SubmissionResult } from '../../../grader/grading/result';
import { chapters } from '../../fixtures/course/chapters';
import { lecturersChapters } from '../../fixtures/course/hidden';
import { submissionText } from '../grading-helpers';

const compiler = createCompiler();
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secrets-'));
});
afterAll(async () => {
  compiler.close();
  await rm(folder, { recursive: true });
});

async function graded(
  content: string,
  known: readonly Chapter[] = lecturersChapters.map(withHidden),
): Promise<SubmissionResult> {
  const file = join(folder, 'ada.ipynb');
  await writeFile(file, content);
  return gradeSubmission({ student: 'ada', file }, { chapters: known, compiler, seed: 'SECRET-SEED', tier: 'none' });
}

/** All that the student gets to read. */
function released({ message, notes, exercises }: SubmissionResult): string {
  const told = exercises.flatMap(({ message, checks }) => [message ?? '', ...linesAsText(checkLines(checks))]);
  return [message ?? '', ...notes, ...told].join('\n');
}

const of = (result: SubmissionResult, id: string) =>
  result.exercises.find((exercise) => exercise.id === `fixture.${id}`)!;

/** Notes the shape of each call of softmax, which all public checks of other exercises then throw. */
const NOTES: readonly (readonly [string, string])[] = [
  ['function softmax(', 'const seen: string[] = [];\nfunction softmax('],
  ['return powers.div', 'seen.push(`seen ${x.shape}`);\n  return powers.div'],
  ['return x.add(rng.normal(x.shape));', "throw new Error(seen.join(' and '));"],
  ['return x.mean().dataSync()[0]!;', "throw new Error(seen.join(' and '));"],
];

describe('what is asked by hidden checks', () => {
  test('is asked when nothing that a submission says is shown any more', async () => {
    const result = await graded(submissionText(...NOTES));
    expect(of(result, 'softmax')).toMatchObject({ status: 'graded', points: 4 });
    const text = released(result);
    // the public checks of softmax ask [3, 4], [5, 2] …, the hidden one [2, 5]
    expect(text).toContain('seen 3,4 and seen 5,2');
    expect(text).not.toContain('seen 2,5');
    expect(text).toContain('a hidden check fails');
  });

  test('ends a process without a word of how', async () => {
    const exits = ['return powers.div', 'if (x.shape[1] === 5) process.exit(77);\n  return powers.div'] as const;
    const result = await graded(submissionText(exits));
    expect(of(result, 'softmax')).toMatchObject({ status: 'died', message: 'under a hidden check', points: 3.2 });
    expect(released(result)).not.toContain('77');
    expect(result.exercises.filter(({ status }) => status === 'graded')).toHaveLength(3);
    // whoever grades still sees it
    expect(JSON.stringify(result)).toContain('exit code 77');
  });

  test('and the seed of it, are not in the streams that are handed in', async () => {
    const throws = [
      'return x.add(rng.normal(x.shape));',
      'throw new Error(`key ${(rng as { key?: string }).key}`);',
    ] as const;
    const { checks } = of(await graded(submissionText(throws)), 'jitter');
    const keys = checks.map(({ message }) => /key (\S+)/.exec(message ?? '')?.[1]);
    expect(keys[0]).toMatch(/^[0-9a-f]{32}\/stream$/);
    expect(keys[2]).toMatch(/^[0-9a-f]{32}\/seven$/);
    expect(new Set(keys.map((key) => key?.slice(0, 32))).size).toBe(3);
  });
});

describe('an exercise that is to be written', () => {
  const borrowing = chapters.map((chapter) => ({
    ...chapter,
    exercises: async () =>
      (await chapter.exercises()).map((one) =>
        one.id === 'fixture.softmax' ? { ...one, library: ['tf.softmax'] } : one,
      ),
  }));

  test.each([
    ['the library’s', 'return tf.softmax(x); return powers.div'],
    ['its method', 'return x.softmax(); return powers.div'],
  ])('earns nothing by %s, and says so', async (_, body) => {
    const result = await graded(submissionText(['return powers.div', body]), borrowing);
    expect(of(result, 'softmax')).toMatchObject({ status: 'graded', points: 0 });
    expect(released(result)).toContain('is written here, and not taken from the library');
    expect(released(result)).toContain('got: tf.softmax');
    expect(of(result, 'total').points).toBe(2);
  });

  test('earns by one’s own', async () => {
    expect(of(await graded(submissionText(), borrowing), 'softmax').points).toBe(4);
  });
});

describe('notes', () => {
  test('are bounded, however many cells give cause', async () => {
    const notebook = JSON.parse(submissionText()) as { cells: { id: string }[] };
    const [first] = notebook.cells.filter((cell) => (cell as { cell_type?: string }).cell_type === 'code');
    notebook.cells.push(...Array.from({ length: 500 }, () => ({ ...first!, source: '' })));
    const { notes } = await graded(JSON.stringify(notebook));
    expect(notes).toHaveLength(21);
    expect(notes.at(-1)).toMatch(/^and \d+ notes more$/);
  });
});
