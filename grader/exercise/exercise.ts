/**
 * What an exercise is: a function the student writes, and the checks that judge it; and what graders have besides:
 * hidden checks, and the known mistakes that the checks must reject.
 *
 * A check sees the submission only through `call`: the function may run in this process (a notebook cell) or
 * in a child process (grading), and a check cannot tell the difference. Checks compute their own references.
 */
import type * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';

/** Plain numbers in a typed array; tensors are the rule, these the exception. */
export type NumberArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/**
 * A function as an argument: its source text, evaluated where the submission runs, with `tf` and `dgm` in scope.
 * It travels as text because a tensor function must answer at once, which a call between processes cannot.
 */
export class Given {
  constructor(readonly source: string) {}
}

/**
 * A function to pass to the submission, for example a network or a score.
 * @example given('(x) => tf.neg(x)').source // → '(x) => tf.neg(x)'
 */
export function given(source: string): Given {
  return new Given(source);
}

/**
 * A function that a submission's function returned. It stays where the submission runs; calls of it go there as calls
 * of the exercise's function do, within the same time.
 */
export type Callable = (...args: readonly Value[]) => Promise<Value>;

/** What may be passed to a submission's function and come back from it (`Given` goes in only, `Callable` comes only). */
export type Value =
  | undefined
  | null
  | boolean
  | number
  | string
  | tf.Tensor
  | NumberArray
  | Rng
  | Given
  | Callable
  | readonly Value[]
  | { readonly [key: string]: Value };

export interface Trial {
  /** Calls the student's function. Rejects with what it threw, or with the reason it could not answer. */
  readonly call: (...args: readonly Value[]) => Promise<Value>;
  /** Draws the inputs of this check: other numbers for each check, exercise and seed. */
  readonly rng: Rng;
}

export interface Check {
  /** What must hold, as a sentence: "each row sums to 1". */
  readonly name: string;
  /** How long one call may take when this is graded; 2 s unless said. */
  readonly timeoutMs?: number;
  /**
   * Whether it is a law that also wrong answers may obey, such as "there and back": it earns its share only when the
   * formula's check passes, the exercise's first that is no law.
   */
  readonly law?: true;
  /**
   * Whether it draws the same inputs for everybody: needed where a wrong answer shows on some inputs and not on others,
   * since nobody's marks may hang on whose inputs they were.
   */
  readonly sameForAll?: true;
  /** Whether only grading runs it; set where hidden checks are put beside the public ones (`withHidden`). */
  readonly hidden?: boolean;
  /** Resolves when it holds; throws a `Mismatch` (or whatever `call` threw) when it does not. */
  run(trial: Trial): Promise<void>;
}

/** A wrong solution that the checks must reject: the authored solution with one edit. */
export interface Mistake {
  readonly name: string;
  /** Where this mistake was made, or why people make it. */
  readonly source: string;
  /** Text that occurs exactly once in the solution's body, and what stands there instead. */
  readonly replace: string;
  readonly by: string;
  /** Whether all public checks let it pass, and only a hidden one rejects it. */
  readonly passesPublic?: boolean;
}

export interface Exercise {
  /** `family.notion`, for example `mixture.responsibilities`. */
  readonly id: string;
  /** Chapter number and name, for example `03-mixtures`. */
  readonly chapter: string;
  /** The function's name in the notebook. */
  readonly functionName: string;
  readonly title: string;
  readonly points: number;
  /** Points only when every check passes: for a bug to find, since the faulty code that is given passes some. */
  readonly allOrNothing?: boolean;
  /**
   * What of the library does what is to be written, as `dgm.logBernoulli` or `tf.softmax`: an answer that uses it is
   * told so, and earns nothing.
   */
  readonly library?: readonly string[];
  readonly checks: readonly Check[];
  /** Help in stages, one more after each failed try: a question back, the notion, the step before the code. */
  readonly hints?: readonly string[];
}

/** What of an exercise students do not have. */
export interface Hidden {
  /** Judge what the public checks judge, on other inputs and by other laws. */
  readonly checks: readonly Check[];
  readonly mistakes: readonly Mistake[];
}

/** An exercise as it is graded: its checks are the public ones, then the hidden ones. */
export interface GradedExercise extends Exercise {
  readonly mistakes: readonly Mistake[];
}

/** A check's verdict that something is wrong: what was expected, what came, and a hint. */
export class Mismatch extends Error {
  constructor(
    readonly expected: string,
    readonly got: string,
    readonly hint?: string,
  ) {
    super(`expected ${expected}, got ${got}${hint === undefined ? '' : `; ${hint}`}`);
    this.name = 'Mismatch';
  }
}

/** Thrown by an exercise that nobody has written yet. */
export class NotWritten extends Error {
  constructor(readonly exercise: string) {
    super(`${exercise} is not written yet: replace this line by your solution`);
    this.name = 'NotWritten';
  }
}
