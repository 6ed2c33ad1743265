/** The rules by which verdicts become grades: when a submission is late, what that costs, which attempt counts. */
import { z } from 'zod';
import { readSetting, writeSetting, type Book } from './book';
import { daysBegun } from './days';

export const policySchema = z.strictObject({
  /** Milliseconds since 1970; without it nothing is late. */
  deadlineMs: z.number().nullable().default(null),
  /** Where its days are counted: a time zone, or the offset that it was given with. */
  zone: z.string().nullable().default(null),
  /** Lateness up to this is forgiven. */
  graceMs: z.number().min(0).default(0),
  /** Percent of the points that each day begun costs; `zero`: a late submission earns nothing. */
  late: z.union([z.literal('zero'), z.number().min(0).max(100)]).default(0),
  /** Which of several attempts counts: the one handed in last, or that with the most points. */
  attempts: z.enum(['last', 'best']).default('last'),
  /** Regular expression on a submission's name; its first group is the student. Without it every file is one's own. */
  student: z.string().nullable().default(null),
});

export type Policy = z.infer<typeof policySchema>;

export function readPolicy(book: Book): Policy {
  return policySchema.parse(readSetting(book, 'policy') ?? {});
}

export function writePolicy(book: Book, policy: Policy): void {
  writeSetting(book, 'policy', policySchema.parse(policy));
}

/** Days begun after the deadline; 0 up to the end of the grace. The grace forgives, it does not move the deadline. */
export function lateDays({ deadlineMs, graceMs, zone }: Policy, submittedMs: number): number {
  if (deadlineMs === null || submittedMs <= deadlineMs + graceMs) return 0;
  return daysBegun(deadlineMs, submittedMs, zone);
}

/** The share of the points that is kept after so many days: max(0, 1 − days · percent / 100). */
export function keptShare({ late }: Policy, days: number): number {
  if (days === 0) return 1;
  return late === 'zero' ? 0 : Math.max(0, 1 - (days * late) / 100);
}

/**
 * The student who handed in a file of that name, in the composed form of Unicode (NFC): one system writes é as one sign
 * and another as two. A name that the pattern does not fit is a student of its own.
 */
export function studentOf(name: string, pattern: string | null): string {
  const composed = name.normalize('NFC');
  if (pattern === null) return composed;
  return new RegExp(pattern.normalize('NFC'), 'u').exec(composed)?.[1] ?? composed;
}
