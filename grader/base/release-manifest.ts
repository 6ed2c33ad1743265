/** `grader/release.json`: what a release says of itself. The lecturer's copy has none. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locked } from './lock';
import { root } from './places';

/** When a student may see a worked solution. */
export type Opening = 'after-pass' | 'never' | `after-tries:${number}`;

export interface Release {
  readonly version: 1;
  readonly chapters: readonly string[];
  readonly solutions: Opening;
  /** By exercise; empty where solutions never open. */
  readonly locked: Readonly<Record<string, Locked>>;
}

export function releaseHere(): Release | undefined {
  const file = join(root, 'grader', 'release.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Release) : undefined;
}

export function openingHere(): Opening {
  return releaseHere()?.solutions ?? 'after-pass';
}
