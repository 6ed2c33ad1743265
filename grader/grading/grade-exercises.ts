/**
 * Grades the exercises of one compiled submission. One process serves them all; it is replaced when an exercise
 * ended it, so that the others are graded all the same.
 *
 * Hidden checks come last, after the public ones of all exercises: what a submission throws or answers to a public check
 * is shown to its author, and must not be able to tell of a hidden one.
 */
import { runChecks, scoreOf, Thrown, type Call, type ExerciseReport } from '../exercise/checking';
import { LIMITS, type Limits } from '../sandbox/command-line';
import type { Compilation, Compiled, Loadable } from '../compile/compile';
import type { Check, Exercise, Value } from '../exercise/exercise';
import { borrowedBy, borrowedCheck } from '../exercise/library';
import { placeText, type Problem } from '../compile/extract';
import type { ExerciseResult } from './result';
import { openSandbox, type Sandbox } from '../sandbox/sandbox';
import { Fault, type Status } from '../exercise/status';
import type { Tier } from '../sandbox/tier';
import { strongestTier } from '../sandbox/tier-probe';

export interface GradingOptions {
  readonly limits?: Partial<Limits>;
  /** What shuts the submission in; the strongest that holds here, unless said. */
  readonly tier?: Tier;
  /** The seed of an exercise's inputs. */
  readonly seedOf: (exercise: Exercise) => string;
  /** Told of every answer to a check, before the check sees it. */
  readonly onAnswer?: (check: Check, args: readonly Value[], answer: Value) => void;
}

/** One result an exercise, in their order. */
export async function gradeExercises(
  exercises: readonly Exercise[],
  compilation: Compilation,
  options: GradingOptions,
): Promise<ExerciseResult[]> {
  const ready = exercises.filter(({ functionName }) => compilation.functions[functionName]!.status === 'ok');
  const session = new Session(
    compilation,
    { ...LIMITS, ...options.limits },
    options.tier ?? (await strongestTier()),
    ready.length,
  );
  const attempts = exercises.map((exercise) => ({ exercise, parts: [] as Part[] }));
  try {
    for (const part of ['public', 'hidden'] as const)
      for (const { exercise, parts } of attempts)
        if (isOpen(exercise, compilation, parts, part)) parts.push(await runPart(exercise, part, session, options));
  } finally {
    await session.close();
  }
  return attempts.map(({ exercise, parts }) => {
    const compiled = compilation.functions[exercise.functionName]!;
    if (compiled.status !== 'ok') return notCompiled(exercise, compiled);
    const borrowed = borrowedBy(exercise, compiled.reads ?? []);
    return borrowed === undefined ? toResult(exercise, parts) : borrowedResult(exercise, borrowed);
  });
}

/** What the public or the hidden checks of an exercise gave. */
interface Part {
  readonly checks: ExerciseReport['checks'];
  readonly fault?: { readonly status: Status; readonly message: string };
}

/** Whether there is something to run: the function, checks of that kind, and nothing that ended it before. */
function isOpen(
  exercise: Exercise,
  { functions }: Compilation,
  before: readonly Part[],
  part: 'public' | 'hidden',
): boolean {
  const compiled = functions[exercise.functionName]!;
  const ready = compiled.status === 'ok' && borrowedBy(exercise, compiled.reads ?? []) === undefined;
  return ready && before.every(({ fault }) => !fault) && exercise.checks.some(isOf(part));
}

function isOf(part: 'public' | 'hidden'): (check: Check) => boolean {
  return ({ hidden = false }) => hidden === (part === 'hidden');
}

async function runPart(
  exercise: Exercise,
  part: 'public' | 'hidden',
  session: Session,
  options: GradingOptions,
): Promise<Part> {
  try {
    await session.ready(exercise);
  } catch (error) {
    return { checks: [], fault: told(notLoaded(error), part) };
  }
  const callFor = (check: Check): Call => observed(session.call(exercise, check), check, options);
  const { checks, fault } = await runChecks(exercise, callFor, options.seedOf(exercise), isOf(part));
  return fault === undefined ? { checks } : { checks, fault: told(fault, part) };
}

/** Its author reads the message: how a process ends under a hidden check could spell out what that asked. */
function told({ status, message }: NonNullable<Part['fault']>, part: 'public' | 'hidden'): NonNullable<Part['fault']> {
  const isSilent = part === 'hidden' && status !== 'infra_error';
  return { status, message: isSilent ? 'under a hidden check' : message };
}

function observed(call: Call, check: Check, { onAnswer }: GradingOptions): Call {
  if (onAnswer === undefined) return call;
  return async (...args) => {
    const answer = await call(...args);
    onAnswer(check, args, answer);
    return answer;
  };
}

/** The process that answers, loaded with what the next exercise needs. */
class Session {
  private readonly deadline: number;
  private sandbox: Sandbox | undefined;
  /** Whether all functions load together; if not, each is loaded alone, so that one cannot spoil the others. */
  private together: boolean;

  constructor(
    private readonly compilation: Compilation,
    private readonly limits: Limits,
    private readonly tier: Tier,
    functions: number,
  ) {
    this.deadline = performance.now() + limits.wallMs;
    this.together = functions > 1;
  }

  /** @throws Thrown or Fault when the cells that the exercise needs cannot be loaded */
  async ready({ functionName }: Exercise): Promise<void> {
    if (this.together && (await this.loadsTogether())) return;
    await this.close();
    await this.load(this.compilation.functions[functionName]!.alone!);
  }

  private async loadsTogether(): Promise<boolean> {
    if (this.sandbox && !this.sandbox.fault()) return true;
    try {
      await this.close();
      await this.load(this.compilation.together);
    } catch (error) {
      if (isOurs(error)) throw error;
      this.together = false;
    }
    return this.together;
  }

  private async load(module: Loadable): Promise<void> {
    const loadMs = this.within(this.limits.loadMs);
    this.sandbox = openSandbox({ ...this.limits, loadMs }, this.tier);
    await this.sandbox.load(module);
  }

  call({ functionName }: Exercise, { timeoutMs = this.limits.callMs }: Check): Call {
    return async (...args) => this.sandbox!.call(functionName, args, () => this.within(timeoutMs));
  }

  /** No more than what is left of the submission's time. */
  private within(ms: number): number {
    const left = Math.ceil(this.deadline - performance.now());
    if (left <= 0)
      throw new Fault('timeout', `the submission as a whole took longer than ${this.limits.wallMs / 1000} s`);
    return Math.min(ms, left);
  }

  async close(): Promise<void> {
    await this.sandbox?.close();
    this.sandbox = undefined;
  }
}

function isOurs(error: unknown): boolean {
  return error instanceof Fault && error.status === 'infra_error';
}

function notCompiled(exercise: Exercise, { status, problems }: Compiled): ExerciseResult {
  return noPoints(exercise, status as Status, problems.map(problemText).join('; '));
}

function notLoaded(error: unknown): NonNullable<Part['fault']> {
  if (error instanceof Fault) return error;
  if (!(error instanceof Thrown)) throw error;
  const where = error.where === undefined ? '' : ` (${error.where})`;
  return { status: 'died', message: `a cell it needs threw ${error.thrown}: ${error.message}${where}` };
}

function borrowedResult(exercise: Exercise, name: string): ExerciseResult {
  return { id: exercise.id, status: 'graded', points: 0, maxPoints: exercise.points, checks: [borrowedCheck(name)] };
}

/** An exercise of which no check could run. */
export function noPoints({ id, points }: Exercise, status: Status, message: string): ExerciseResult {
  return { id, status, message: cut(message), points: 0, maxPoints: points, checks: [] };
}

function toResult(exercise: Exercise, parts: readonly Part[]): ExerciseResult {
  const checks = parts.flatMap((part) => part.checks);
  const fault = parts.find((part) => part.fault)?.fault;
  if (fault && checks.length === 0) return noPoints(exercise, fault.status, fault.message);
  const points = round(exercise.points * scoreOf(exercise, checks));
  const result = { id: exercise.id, points, maxPoints: exercise.points, checks };
  return fault ? { ...result, status: fault.status, message: cut(fault.message) } : { ...result, status: 'graded' };
}

/** "TS2322: … (cell 5, line 2)" */
export function problemText({ message, place }: Problem): string {
  return place ? `${message} (${placeText(place)})` : message;
}

export function round(points: number): number {
  return Math.round(points * 100) / 100;
}

function cut(message: string): string {
  return message.length > 1900 ? `${message.slice(0, 1900)}…` : message;
}
