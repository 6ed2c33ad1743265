/**
 * What a check says of an answer: which known mistake it is, if it is one, before what the check has to say of all
 * wrong answers alike; and how much float32 may lose.
 */
import { expectClose, type Tolerance } from '../../exercise/compare';
import { Mismatch, type Value } from '../../exercise/exercise';

/** A mistake that an answer is compared with. */
export interface KnownMistake {
  /** What to think of next, for whoever made it. */
  readonly hint: string;
  /** What it answers to the same input. */
  readonly answer: () => Value;
}

/**
 * As `expectClose`; an answer that equals a known mistake's gets that mistake's hint.
 * @param mistakes in the order in which they are looked for
 * @throws Mismatch
 */
export function expectAnswer(
  got: Value,
  expected: Value,
  tolerance: Tolerance,
  mistakes: readonly KnownMistake[] = [],
): void {
  const wrong = mismatchOf(got, expected, tolerance);
  if (wrong === undefined) return;
  const made = mistakes.find(({ answer }) => mismatchOf(got, answer(), tolerance) === undefined);
  throw made === undefined ? wrong : new Mismatch(wrong.expected, wrong.got, made.hint);
}

function mismatchOf(got: Value, expected: Value, tolerance: Tolerance): Mismatch | undefined {
  try {
    expectClose(got, expected, tolerance);
    return undefined;
  } catch (error) {
    if (error instanceof Mismatch) return error;
    throw error;
  }
}

/**
 * What four roundings of a float32 number of this size may come to: of a logarithm it is the relative error of what
 * one gets back by exp, so that an answer about e to the −1000 is known to 2 · 10⁻⁴ of itself and no better.
 */
export function roundings(size: number): number {
  return 4 * 2 ** -24 * size;
}
