/** What grading a submission gives, as it is written to `result.json`. Version 1. */
import { z } from 'zod';
import { statuses } from '../exercise/status';
import { tiers } from '../sandbox/tier';

const text = z.string().max(2000);

const checkSchema = z.strictObject({
  name: text,
  /** `failed`: a wrong answer. `error`: no answer that could be judged. */
  status: z.enum(['passed', 'failed', 'error']),
  expected: text.optional(),
  got: text.optional(),
  /** What the function was called with when that showed. */
  input: text.optional(),
  hint: text.optional(),
  message: text.optional(),
  /** There, and true, where students must not see the check: neither its name nor what it expected. */
  hidden: z.literal(true).optional(),
});

const exerciseSchema = z.strictObject({
  id: text,
  status: z.enum(statuses),
  message: text.optional(),
  points: z.number().min(0),
  maxPoints: z.number().min(0),
  checks: z.array(checkSchema),
});

export const resultSchema = z.strictObject({
  version: z.literal(1),
  /** The submission's path within the graded folder, without extension. */
  student: z.string(),
  file: z.string(),
  /** `03-mixtures`, or null when the notebook could not be read. */
  chapter: z.string().nullable(),
  status: z.enum(statuses),
  message: text.optional(),
  points: z.number().min(0),
  maxPoints: z.number().min(0),
  exercises: z.array(exerciseSchema),
  /** What the student should know and what costs nothing: a name declared twice. */
  notes: z.array(text),
  /** With the student and the exercise it decides all inputs: the same seed gives the same result. */
  seed: z.string(),
  grader: z.string(),
  /** What shut the submission in. */
  tier: z.enum(tiers).optional(),
  durationMs: z.number().min(0),
});

export type CheckResult = z.infer<typeof checkSchema>;
export type ExerciseResult = z.infer<typeof exerciseSchema>;
export type SubmissionResult = z.infer<typeof resultSchema>;
