/** What the tests of the gradebook share: submissions, verdicts, and books that hold them. */
import { mkdirSync } from 'node:fs';
import { bookFile } from '../../grader/gradebook/grade-folder';
import { closeBook, openBook, type Book } from '../../grader/gradebook/book';
import { claim, enrol, record, type Entry } from '../../grader/gradebook/jobs';
import type { ExerciseResult, SubmissionResult } from '../../grader/grading/result';

export function entry(name: string, more: Partial<Entry> = {}): Entry {
  return { name, file: `${name}.ipynb`, content: name, bundle: '', submittedMs: 0, submittedFrom: 'mtime', ...more };
}

export function exercise(id: string, points: number, more: Partial<ExerciseResult> = {}): ExerciseResult {
  return { id, status: 'graded', points, maxPoints: 4, checks: [], ...more };
}

/** A graded submission of the exercise `fixture.total`, unless it is said otherwise. */
export function verdict(student: string, points = 1, more: Partial<SubmissionResult> = {}): SubmissionResult {
  const exercises = more.exercises ?? [exercise('fixture.total', points)];
  const sum = (field: 'points' | 'maxPoints') => exercises.reduce((total, one) => total + one[field], 0);
  return {
    ...({ version: 1, student, file: `${student}.ipynb`, chapter: '90-fixture', status: 'graded' } as const),
    ...{ exercises, points: sum('points'), maxPoints: sum('maxPoints'), notes: [], seed: 'seed', grader: 'fake' },
    durationMs: 1500,
    ...more,
  };
}

/** A book in the folder `out` with these verdicts, each handed in when it says. */
export function fillBook(out: string, verdicts: readonly (readonly [SubmissionResult, submittedMs?: number])[]): void {
  mkdirSync(out, { recursive: true });
  const book = openBook(bookFile(out), { create: true });
  try {
    for (const [result, submittedMs = 0] of verdicts) {
      enrol(book, entry(result.student, { submittedMs }), 'seed');
      record(book, claim(book)!, result);
    }
  } finally {
    closeBook(book);
  }
}

export function withBook<T>(out: string, act: (book: Book) => T): T {
  const book = openBook(bookFile(out));
  try {
    return act(book);
  } finally {
    closeBook(book);
  }
}
