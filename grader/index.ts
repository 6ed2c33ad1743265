/** What a notebook imports from the grader, and what a file of checks is written with. Light: no compiler here. */
import { checkIn, hintIn, solutionIn } from './student/cell';
import { chapters } from './chapters/registry';

/**
 * Checks one exercise and shows what holds, what does not, and what was expected. A wrong answer does not throw, so
 * that the notebook runs on.
 * @example
 * const responsibilities = (logJoint: tf.Tensor) => tf.softmax(logJoint);
 * await check('mixture.responsibilities', responsibilities)
 */
export const check = checkIn(chapters);

/**
 * Shows the hints of an exercise that are open: the first on asking, one more after each failed try.
 * @example await hint('mixture.responsibilities')
 */
export const hint = hintIn(chapters);

/**
 * Shows the worked solution of an exercise, when it is open: after one's own function passed its checks, or when the
 * release says so.
 * @example await solution('mixture.responsibilities')
 */
export const solution = solutionIn(chapters);

export { yours, type Yours } from './student/yours';

export * from './exercise/compare';
export * from './exercise/exercise';
