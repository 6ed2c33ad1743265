/** What commands work with, opened and closed around their work. */
import { createCompiler, type Compiler } from '../compile/service';
import { closeBook, openBook, type Book } from '../gradebook/book';
import { bookFile } from '../gradebook/grade-folder';
import type { BookOption } from './options';

export async function withCompiler<T>(work: (compiler: Compiler) => Promise<T>): Promise<T> {
  const compiler = createCompiler();
  try {
    return await work(compiler);
  } finally {
    compiler.close();
  }
}

export async function withBook<T>({ book: folder }: BookOption, work: (book: Book) => T | Promise<T>): Promise<T> {
  const book = openBook(bookFile(folder));
  try {
    return await work(book);
  } finally {
    closeBook(book);
  }
}
