/** Who takes the course: a lecturer's table, by which those who handed in nothing get a line, and all their names. */
import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { parseCsv } from '../base/csv';

export interface Person {
  /** As the gradebook calls the student, in the composed form of Unicode. */
  readonly student: string;
  /** As another system calls the student. */
  readonly id: string;
  readonly lastName: string;
  readonly firstName: string;
  readonly email: string;
}

/** By student, in the table's order. */
export type Roster = ReadonlyMap<string, Person>;

const COLUMNS = ['student', 'id', 'last_name', 'first_name', 'email'] as const;

/**
 * Reads a table with a header, in which the column `student` is needed, and `id`, `last_name`, `first_name` and `email`
 * may be there; others are passed over.
 * @throws an Error with file and line
 */
export async function readRoster(file: string): Promise<Roster> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new Error(`the roster cannot be read: ${(error as Error).message}`);
  });
  if (!isUtf8(bytes) || bytes.includes(0))
    throw new Error(`${file}: expected UTF-8, got another encoding; save it as "CSV UTF-8"`);
  try {
    return toRoster(parseCsv(bytes.toString('utf8')));
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`);
  }
}

function toRoster([header = [], ...lines]: readonly string[][]): Roster {
  const names = header.map((name) => name.toLowerCase());
  if (!names.includes('student'))
    throw new Error(`expected a header with the column student, got '${header.join()}'; it may have ${COLUMNS.join()}`);
  const roster = new Map<string, Person>();
  for (const line of lines) {
    const of = (name: (typeof COLUMNS)[number]) => line[names.indexOf(name)] ?? '';
    const student = of('student').normalize('NFC');
    if (student === '') throw new Error(`a line without a student: '${line.join()}'`);
    if (roster.has(student)) throw new Error(`two lines for '${student}'; keep one`);
    const person = { id: of('id'), lastName: of('last_name'), firstName: of('first_name'), email: of('email') };
    roster.set(student, { student, ...person });
  }
  return roster;
}
