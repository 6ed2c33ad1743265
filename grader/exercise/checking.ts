/** Runs an exercise's checks against a function that may live here or in another process. */
import { createHash } from 'node:crypto';
import * as tf from '@tensorflow/tfjs';
import { createRng } from 'dgm';
import { Mismatch, type Check, type Exercise, type Trial, type Value } from './exercise';
import { showInput } from './show-input';
import { Fault } from './status';

export interface CheckReport {
  readonly name: string;
  /** `failed`: answered, and wrongly. `error`: did not answer, or not with anything that can be judged. */
  readonly status: 'passed' | 'failed' | 'error';
  readonly expected?: string;
  readonly got?: string;
  /** What the function was called with when that showed. */
  readonly input?: string;
  readonly hint?: string;
  readonly message?: string;
  /** Only there, and true, where students must not see the check. */
  readonly hidden?: true;
}

/** The seed of a notebook's own checks: the same inputs at every run, so that a failure stays while one looks for its cause. */
export const CELL_SEED = 'notebook';

export interface ExerciseReport {
  readonly checks: readonly CheckReport[];
  /** Set when the process that ran the submission ended; the checks after that did not run. */
  readonly fault?: Fault;
  /** Nobody has written this exercise yet. */
  readonly notWritten: boolean;
}

/** What the student's function threw, told without its stack; `where` is a place in the notebook, if known. */
export class Thrown extends Error {
  constructor(
    readonly thrown: string,
    message: string,
    readonly where?: string,
  ) {
    super(message);
    this.name = 'Thrown';
  }
}

export type Call = Trial['call'];

/**
 * The checks of an exercise, in order. A wrong answer is a report and never an exception.
 * @param callFor how a check calls the function; checks differ in how long they may take
 * @param seed decides the inputs that the checks draw
 * @param wanted which of the checks to run; the inputs of each are the same whichever run
 */
export async function runChecks(
  exercise: Exercise,
  callFor: (check: Check) => Call,
  seed: number | string,
  wanted: (check: Check) => boolean = () => true,
): Promise<ExerciseReport> {
  const checks: CheckReport[] = [];
  const formula = exercise.checks.find(({ law }) => !law);
  let lacks = '';
  for (const [index, check] of exercise.checks.entries()) {
    if (!wanted(check)) continue;
    const whose = check.sameForAll ? 'everybody' : seed;
    const rng = createRng(streamOf(`${whose}/${exercise.id}/check ${index}`));
    const { error, input } = await runOne(check, { call: callFor(check), rng });
    if (check === formula && error !== undefined) lacks = check.name;
    checks.push({ ...report(check, error), ...(input === undefined ? {} : { input }) });
    if (error instanceof Fault) return { checks, fault: error, notWritten: isNotWritten(exercise.id, checks) };
  }
  const told = lacks === '' ? checks : checks.map((report) => withReserve(report, exercise, lacks));
  return { checks: told, notWritten: isNotWritten(exercise.id, checks) };
}

/** A law that holds says when that counts. */
function withReserve(report: CheckReport, { checks }: Exercise, formula: string): CheckReport {
  const isLaw = checks.some(({ law, name }) => law && name === report.name);
  return isLaw && report.status === 'passed' ? { ...report, message: `counts when '${formula}' does, too` } : report;
}

/**
 * A name that tells nothing of what it was made from: a check may hand its stream in, whose key would tell the seed of
 * all inputs, and which check asks.
 */
function streamOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 32);
}

/** Whether that is what the checks of an exercise say. */
export function isNotWritten(id: string, checks: readonly { readonly message?: string | undefined }[]): boolean {
  return checks.some(({ message }) => message === notWritten(id));
}

/** Whether a check says of this exercise, or of one that it needs, that it is not written yet. */
export function saysNotWritten({ message }: { readonly message?: string | undefined }): boolean {
  return message?.endsWith(NOT_WRITTEN) ?? false;
}

const NOT_WRITTEN = ' is not written yet';

function notWritten(id: string): string {
  return brief(id) + NOT_WRITTEN;
}

/**
 * The share of an exercise's points that these checks earn, 0 to 1. Laws count only when the formula's check passes, the
 * first that is no law: an answer that does nothing obeys most of them.
 */
export function scoreOf(exercise: Exercise, checks: readonly Pick<CheckReport, 'status'>[]): number {
  const passes = (check: Check) => checks[exercise.checks.indexOf(check)]?.status === 'passed';
  const formula = exercise.checks.find(({ law }) => !law);
  const counted = exercise.checks.filter((check) => passes(check) && (!check.law || !formula || passes(formula)));
  const share = counted.length / exercise.checks.length;
  return exercise.allOrNothing && share < 1 ? 0 : share;
}

interface Outcome {
  /** What the check threw, or `undefined` if it holds. */
  readonly error?: unknown;
  readonly input?: string;
}

/** The check's tensors live as long as it does. */
async function runOne(check: Check, { call, rng }: Trial): Promise<Outcome> {
  tf.engine().startScope(check.name);
  let last: readonly Value[] = [];
  const noted: Call = (...args) => call(...(last = args));
  try {
    await check.run({ call: noted, rng });
    return {};
  } catch (error) {
    const told = last.length === 0 || isUnwritten(error) ? {} : { input: brief(showInput(last)) };
    return { error: error ?? new Error('the check threw nothing'), ...told };
  } finally {
    tf.engine().endScope();
  }
}

function isUnwritten(error: unknown): boolean {
  return error instanceof Thrown && unwritten(error) !== undefined;
}

function report(check: Check, error: unknown): CheckReport {
  const about = { name: check.name, ...(check.hidden && { hidden: true as const }) };
  if (error === undefined) return { ...about, status: 'passed' };
  if (error instanceof Mismatch) return { ...about, status: 'failed', ...mismatch(error) };
  if (error instanceof Thrown) return { ...about, status: 'error', message: thrownMessage(error) };
  if (error instanceof Fault) return { ...about, status: 'error', message: brief(error.message) };
  return { ...about, status: 'error', message: `the result cannot be judged: ${brief(String(error))}` };
}

function mismatch({ expected, got, hint }: Mismatch): Partial<CheckReport> {
  return { expected: brief(expected), got: brief(got), ...(hint === undefined ? {} : { hint }) };
}

/** The exercise that is not written yet, if that is what was thrown: this one, or one that it needs. */
function unwritten({ thrown, message }: Thrown): string | undefined {
  return thrown === 'NotWritten' ? message.split(' ')[0] : undefined;
}

function thrownMessage(error: Thrown): string {
  const { thrown, message, where } = error;
  const needed = unwritten(error);
  if (needed !== undefined) return notWritten(needed);
  return `threw ${brief(`${thrown}: ${message}`)}${where === undefined ? '' : ` (${where})`}`;
}

/**
 * Messages and names come from submissions: one line of visible characters, of bounded length. Signs that turn the
 * direction of what follows would turn ours, too.
 */
export function brief(text: string, limit = 500): string {
  const line = text
    .slice(0, limit * 2)
    .replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/g, ' ')
    .trim();
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}
