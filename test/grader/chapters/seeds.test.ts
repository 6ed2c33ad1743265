import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TriedAnswer, TriedAnswers } from './answers/answer';
import { chapterNames, marksOf, solvedChapter, whyNot, type Edit, type SolvedChapter } from './in-process';

// Nobody's marks may hang on the numbers that their name draws. A run of many seeds: DGM_SEEDS=300 npx vitest run
// test/grader/chapters, with DGM_SEEDS_OF=03-mixtures,04-circuits for these chapters alone.

const SEEDS = Number(process.env['DGM_SEEDS'] ?? 2);
const seeds = Array.from({ length: SEEDS }, (_, i) => `student ${i + 1}`);
const chosen = process.env['DGM_SEEDS_OF']?.split(',') ?? chapterNames;
const LIMIT = 300_000 + SEEDS * 60_000;

interface Verdict {
  /** The first refusal, if any. */
  readonly refused: readonly string[];
  /** The marks that occur, each once. */
  readonly scores: readonly number[];
}

async function judge(chapter: SolvedChapter, id: string, edit?: Edit): Promise<Verdict> {
  const exercise = chapter.exercises.find((known) => known.id === id)!;
  const answer = await chapter.answer(exercise, edit);
  const refused: string[] = [];
  const scores = new Set<number>();
  for (const seed of seeds) {
    const marks = await marksOf(exercise, answer, seed);
    scores.add(marks.score);
    const why = whyNot(marks);
    if (why !== undefined) refused.push(`${seed}: ${why}`);
  }
  return { refused, scores: [...scores] };
}

describe.each(chosen)('%s', (name) => {
  let chapter: SolvedChapter;
  beforeAll(async () => {
    chapter = await solvedChapter(name);
  });

  test(
    `authored solutions hold on ${SEEDS} seeds`,
    async () => {
      const refused: string[] = [];
      for (const { id } of chapter.exercises)
        refused.push(...(await judge(chapter, id)).refused.map((why) => `${id}, ${why}`));
      expect(refused).toEqual([]);
    },
    LIMIT,
  );
});

const withAnswers = chosen.filter((name) => existsSync(join(import.meta.dirname, 'answers', `${name}.ts`)));

describe.each(withAnswers)('%s, other answers', (name) => {
  let chapter: SolvedChapter;
  let answers: TriedAnswers;
  beforeAll(async () => {
    chapter = await solvedChapter(name);
    ({ answers } = (await import(`./answers/${name}.ts`)) as { answers: TriedAnswers });
  });

  /** What is wrong with the verdicts, answer by answer. */
  async function problems(
    all: readonly { readonly exercise: string; readonly name: string; readonly edit: Edit; readonly told?: string }[],
    look: (verdict: Verdict, told: string) => string | undefined,
  ): Promise<string[]> {
    const found: string[] = [];
    for (const { exercise, name, edit, told = '' } of all) {
      const problem = look(await judge(chapter, exercise, edit), told);
      if (problem !== undefined) found.push(`${exercise}, ${name}: ${problem}`);
    }
    return found;
  }
  const tried = (list: readonly TriedAnswer[]) => list.map(({ body, ...about }) => ({ ...about, edit: { body } }));

  const losesTheSame = ({ scores }: Verdict) => {
    if (scores.length !== 1) return `earns ${scores.join(' or ')}, as the seed has it`;
    return scores[0]! < 1 ? undefined : 'earns all points';
  };

  test('three right ones and five wrong ones an exercise are tried', () => {
    for (const { id } of chapter.exercises)
      for (const [kind, least] of [['right', 3], ['wrong', 5]] as const)
        expect(answers[kind].filter(({ exercise }) => exercise === id).length, `${id}, ${kind}`).toBeGreaterThanOrEqual(least); // prettier-ignore
  });

  test(
    'right ones lose no point',
    async () => expect(await problems(tried(answers.right), ({ refused }) => refused[0])).toEqual([]),
    LIMIT,
  );

  test(
    'wrong ones lose the same, whatever the seed, and are told of their mistake',
    async () => {
      const look = (verdict: Verdict, told: string) =>
        losesTheSame(verdict) ?? verdict.refused.find((why) => !why.includes(told));
      expect(await problems(tried(answers.wrong), look)).toEqual([]);
    },
    LIMIT,
  );

  test(
    'known mistakes lose the same, whatever the seed',
    async () => {
      const known = chapter.exercises.flatMap(({ id, mistakes }) =>
        mistakes.map((mistake) => ({ exercise: id, name: mistake.name, edit: mistake })),
      );
      expect(await problems(known, losesTheSame)).toEqual([]);
    },
    LIMIT,
  );
});
