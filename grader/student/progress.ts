/**
 * What a student has tried, in one small file beside the notebooks: it decides which help is open, and no mark. Light,
 * since the desk reads it, too.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomicallySync } from 'dgm/host';
import { root } from '../base/paths';

export interface Standing {
  /** How many different functions failed a check. */
  readonly tries: number;
  /** Whether one ever passed all of them. */
  readonly passed: boolean;
}

/** A standing in one word. */
export type ExerciseState = 'open' | 'tried' | 'passed';

export interface Recorded {
  readonly standing: Standing;
  /** Why nothing could be kept, if so. */
  readonly note?: string;
}

interface Kept extends Standing {
  /** The last function that was tried: the same text again is no new try. */
  readonly last: string;
}

interface Progress {
  readonly version: 1;
  readonly exercises: Readonly<Record<string, Kept>>;
}

const EMPTY: Progress = { version: 1, exercises: {} };

/** DGM_PROGRESS, else `.progress.json` in the folder of the workbook. */
export function progressFile(workbook = root, env: Readonly<Record<string, string | undefined>> = process.env): string {
  return env['DGM_PROGRESS'] ?? join(workbook, '.progress.json');
}

/** How an exercise stands. @throws an Error when the file is damaged */
export function standingOf(id: string): Standing {
  return standingIn(read(progressFile()), id) ?? { tries: 0, passed: false };
}

/** How each exercise stands, as the file says now. @throws an Error when it is damaged */
export function exerciseStates(file = progressFile()): (id: string) => ExerciseState {
  const progress = read(file);
  return (id) => {
    const { tries = 0, passed = false } = standingIn(progress, id) ?? {};
    return passed ? 'passed' : tries > 0 ? 'tried' : 'open';
  };
}

/**
 * Counts a try, and keeps the file whole: who reads it meanwhile sees the old one. Two programs that write in the
 * same moment may lose one try, which opens a hint a little later.
 * @param attempt the text of what was tried
 */
export function recordTry(id: string, passed: boolean, attempt: string): Recorded {
  try {
    const file = progressFile();
    const progress = read(file);
    const before = standingIn(progress, id);
    const last = createHash('sha256').update(attempt).digest('hex').slice(0, 16);
    const failedAnew = !passed && before?.last !== last;
    const kept: Kept = {
      tries: (before?.tries ?? 0) + (failedAnew ? 1 : 0),
      passed: passed || (before?.passed ?? false),
      last,
    };
    write(file, { version: 1, exercises: { ...progress.exercises, [id]: kept } });
    return { standing: kept };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { standing: { tries: passed ? 0 : 1, passed }, note: `Your tries are not counted: ${reason}` };
  }
}

function standingIn({ exercises }: Progress, id: string): Kept | undefined {
  return Object.hasOwn(exercises, id) ? exercises[id] : undefined;
}

function read(file: string): Progress {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
    throw error;
  }
  const progress = parse(text);
  if (progress === undefined) throw new Error(`${file} is damaged; delete it, and counting begins anew`);
  return progress;
}

function parse(text: string): Progress | undefined {
  try {
    const progress = JSON.parse(text) as Partial<Progress> | null;
    const { version, exercises } = progress ?? {};
    return version === 1 && typeof exercises === 'object' && exercises !== null ? (progress as Progress) : undefined;
  } catch {
    return undefined;
  }
}

function write(file: string, progress: Progress): void {
  writeAtomicallySync(file, `${JSON.stringify(progress, null, 1)}\n`);
}
