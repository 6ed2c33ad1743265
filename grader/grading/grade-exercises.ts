/**
 * Grades the exercises of one compiled submission. One process serves them all; it is replaced when an exercise
 * ended it, so that the others are graded all the same.
 */
import { runChecks, scoreOf, Thrown, type Call, type ExerciseReport } from '../exercise/checking';
import { LIMITS, type Limits } from '../sandbox/command-line';
import type { Compilation, Compiled, Loadable } from '../compile/compile';
import type { Check, Exercise, Value } from '../exercise/exercise';
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
  const results: ExerciseResult[] = [];
  try {
    for (const exercise of exercises) {
      const compiled = compilation.functions[exercise.functionName]!;
      const result = compiled.status === 'ok' ? gradeOne(exercise, session, options) : notCompiled(exercise, compiled);
      results.push(await result);
    }
  } finally {
    await session.close();
  }
  return results;
}

async function gradeOne(exercise: Exercise, session: Session, options: GradingOptions): Promise<ExerciseResult> {
  try {
    await session.ready(exercise);
  } catch (error) {
    return notLoaded(exercise, error);
  }
  const callFor = (check: Check): Call => observed(session.call(exercise, check), check, options);
  return toResult(exercise, await runChecks(exercise, callFor, options.seedOf(exercise)));
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

function notLoaded(exercise: Exercise, error: unknown): ExerciseResult {
  if (error instanceof Fault) return noPoints(exercise, error.status, error.message);
  if (!(error instanceof Thrown)) throw error;
  const where = error.where === undefined ? '' : ` (${error.where})`;
  return noPoints(exercise, 'died', `a cell it needs threw ${error.thrown}: ${error.message}${where}`);
}

/** An exercise of which no check could run. */
export function noPoints({ id, points }: Exercise, status: Status, message: string): ExerciseResult {
  return { id, status, message: cut(message), points: 0, maxPoints: points, checks: [] };
}

function toResult(exercise: Exercise, { checks, fault }: ExerciseReport): ExerciseResult {
  const points = round(exercise.points * scoreOf(exercise, checks));
  const result = { id: exercise.id, points, maxPoints: exercise.points, checks: [...checks] };
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
