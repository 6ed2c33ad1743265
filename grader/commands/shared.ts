/** What several commands share. */
import { join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { BOOK } from '../gradebook/grade-folder';
import { createCompiler, type Compiler } from '../compile/service';
import { closeBook, openBook, type Book } from '../gradebook/book';

export const CHAPTER = '--chapter <name>';
export const ANY_CHAPTER = 'the chapter, by number or name, whatever the notebooks say of themselves';

export async function withCompiler<T>(work: (compiler: Compiler) => Promise<T>): Promise<T> {
  const compiler = createCompiler();
  try {
    return await work(compiler);
  } finally {
    compiler.close();
  }
}

export interface BookOption {
  readonly book: string;
}

/** Commands that read the gradebook find it in the folder that `grade --out` named. */
export function bookOption(): Option {
  return new Option('--book <folder>', 'the folder that grade wrote (its --out)').default('graded');
}

export async function withBook<T>({ book: folder }: BookOption, work: (book: Book) => T | Promise<T>): Promise<T> {
  const book = openBook(join(folder, BOOK));
  try {
    return await work(book);
  } finally {
    closeBook(book);
  }
}

export function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return number;
}
