/** What a student has tried, in one small file beside the notebooks: it decides which help is open, and no mark. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../base/places';

export interface Standing {
  /** How many different functions failed a check. */
  readonly tries: number;
  /** Whether one ever passed all of them. */
  readonly passed: boolean;
}

export interface Progress {
  readonly standing: Standing;
  /** Why nothing could be kept, if so. */
  readonly note?: string;
}

interface Kept extends Standing {
  /** The last function that was tried: the same text again is no new try. */
  readonly last: string;
}

interface Book {
  readonly version: 1;
  readonly exercises: Readonly<Record<string, Kept>>;
}

const EMPTY: Book = { version: 1, exercises: {} };

/** DGM_PROGRESS, else `.progress.json` in the folder of the workbook. */
function progressFile(): string {
  return process.env['DGM_PROGRESS'] ?? join(root, '.progress.json');
}

/** How an exercise stands. @throws an Error when the file is damaged */
export function standingOf(id: string): Standing {
  return read().exercises[id] ?? { tries: 0, passed: false };
}

/**
 * Counts a try, and keeps the file whole: who reads it meanwhile sees the old one. Two programs that write in the
 * same moment may lose one try, which opens a hint a little later.
 * @param attempt the text of what was tried
 */
export function recordTry(id: string, passed: boolean, attempt: string): Progress {
  try {
    const book = read();
    const before = book.exercises[id];
    const last = createHash('sha256').update(attempt).digest('hex').slice(0, 16);
    const failedAnew = !passed && before?.last !== last;
    const kept: Kept = {
      tries: (before?.tries ?? 0) + (failedAnew ? 1 : 0),
      passed: passed || (before?.passed ?? false),
      last,
    };
    write({ version: 1, exercises: { ...book.exercises, [id]: kept } });
    return { standing: kept };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { standing: { tries: passed ? 0 : 1, passed }, note: `Your tries are not counted: ${reason}` };
  }
}

function read(): Book {
  const file = progressFile();
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
    throw error;
  }
  const book = parse(text);
  if (book === undefined) throw new Error(`${file} is damaged; delete it, and counting begins anew`);
  return book;
}

function parse(text: string): Book | undefined {
  try {
    const book = JSON.parse(text) as Partial<Book> | null;
    return book?.version === 1 && typeof book.exercises === 'object' ? (book as Book) : undefined;
  } catch {
    return undefined;
  }
}

function write(book: Book): void {
  const file = progressFile();
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.tmp`;
  writeFileSync(draft, `${JSON.stringify(book, null, 1)}\n`);
  renameSync(draft, file);
}
