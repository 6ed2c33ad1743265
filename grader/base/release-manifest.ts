/** `grader/release.json`: what a release says of itself. The lecturer's copy has none. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './paths';

/** When a student may see a worked solution. */
export type Opening = 'after-pass' | 'never' | `after-tries:${number}`;

export interface Release {
  readonly version: 2;
  readonly chapters: readonly string[];
  readonly solutions: Opening;
  /** Solutions by exercise, as `toBase64` writes them; empty where they never open. */
  readonly base64: Readonly<Record<string, string>>;
}

/** The release that this copy is, if it is one. */
export function releaseHere(): Release | undefined {
  const file = join(root, 'grader', 'release.json');
  return existsSync(file) ? parseRelease(readFileSync(file, 'utf8'), file) : undefined;
}

/** @throws an Error for what another version of the grader wrote */
export function parseRelease(text: string, file: string): Release {
  const release = JSON.parse(text) as Release;
  if (release.version !== 2)
    throw new Error(
      `${file}: expected version 2, got ${String(release.version)}; a release is read by the grader that came in it: ` +
        'unpack it anew, into an empty folder',
    );
  return release;
}

export function openingHere(): Opening {
  return releaseHere()?.solutions ?? 'after-pass';
}

/**
 * A solution as it stands in a release. This is no security: whoever wants to can read it. It keeps an answer from being
 * read by accident, in a search or in an open file, before one's own checks pass. A lecturer who needs more releases
 * without solutions, and publishes them later.
 */
export function toBase64(solution: string): string {
  return Buffer.from(solution, 'utf8').toString('base64');
}

/** @throws an Error when it was changed into what is no base64 of a text */
export function fromBase64(encoded: string, exercise: string): string {
  const solution = Buffer.from(encoded, 'base64').toString('utf8');
  if (toBase64(solution) !== encoded)
    throw new Error(`the solution of ${exercise} is damaged; take grader/release.json from the release again`);
  return solution;
}
