import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './paths';

/** The grader's version, which every result names. */
export const { version } = JSON.parse(readFileSync(join(root, 'grader', 'package.json'), 'utf8')) as {
  version: string;
};
