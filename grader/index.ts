/** What a notebook imports from the grader, and what a file of checks is written with. Light: no compiler here. */
import { checkIn } from './cell';
import { chapters } from './exercises';

/**
 * Checks one exercise and shows what holds, what does not, and what was expected. A wrong answer does not throw, so
 * that the notebook runs on.
 * @example await check('mixture.responsibilities', responsibilities)
 */
export const check = checkIn(chapters);

export * from './compare';
export * from './exercise';
