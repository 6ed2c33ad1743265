/** Answers to exercises that somebody might hand in, for the checks to judge. */
export interface TriedAnswer {
  readonly exercise: string;
  readonly name: string;
  /** What stands in the function. */
  readonly body: string;
  /** For a wrong one what the first check that fails has to say, or a part of it. */
  readonly told?: string;
}

export interface TriedAnswers {
  /** Other ways to be right: none may lose a point, whatever the seed. */
  readonly right: readonly TriedAnswer[];
  /** None may earn all points, and each earns the same whatever the seed. */
  readonly wrong: readonly TriedAnswer[];
}

/** Answers of one exercise: name, body, and what a wrong one is told. */
export const answersTo = (
  exercise: string,
  ...answers: readonly (readonly [name: string, body: string, told?: string])[]
): TriedAnswer[] =>
  answers.map(([name, body, told]) => ({ exercise, name, body, ...(told !== undefined && { told }) }));
