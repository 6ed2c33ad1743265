/**
 * Answers that know nothing of the question but the form of its answer: zeros, NaN, what was put in, always the same
 * word. None of them may earn anything, so that points mean that something was written.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { runChecks, scoreOf, type Call } from '../exercise/checking';
import type { Check, Exercise, NumberArray, Value } from '../exercise/exercise';
import { decode, encode, type Wire } from '../exercise/protocol';

/** What the solution answered to each check, from which the others take its form. */
export class Answers {
  private readonly seen = new Map<Check, Map<string, Wire>>();

  readonly note = (check: Check, args: readonly Value[], answer: Value): void => {
    const ofCheck = this.seen.get(check) ?? new Map<string, Wire>();
    this.seen.set(
      check,
      ofCheck.set(
        keyOf(args),
        encode(answer, () => 0),
      ),
    );
  };

  /** The answer to that; to what the solution was not asked, the one to the check's first question. */
  to(check: Check, args: readonly Value[]): Value {
    const ofCheck = this.seen.get(check);
    const [first = null] = ofCheck?.values() ?? [];
    return revived(ofCheck?.get(keyOf(args)) ?? first);
  }

  /** All words and truth values, and the whole numbers from −1 to 2, among the answers to an exercise. */
  guesses({ checks }: Exercise): Set<Wire> {
    const all = checks.flatMap((check) => [...(this.seen.get(check)?.values() ?? [])]);
    return new Set(all.filter((wire) => typeof wire !== 'object' && (typeof wire !== 'number' || [-1, 0, 1, 2].includes(wire)))); // prettier-ignore
  }
}

const keyOf = (args: readonly Value[]) => JSON.stringify(encode(args));

/** A function in an answer hands back what it gets. */
function revived(wire: Wire): Value {
  return decode(wire, { callable: () => async (given) => given });
}

/** What is answered instead of the solution's answer. */
type Instead = (answer: Value, args: readonly Value[]) => Value;

const TRIVIAL: Readonly<Record<string, Instead>> = {
  nothing: () => undefined,
  'something empty': (answer) => (answer instanceof tf.Tensor ? tf.zeros([0]) : []),
  zeros: filled(() => 0),
  ones: filled(() => 1),
  'minus ones': filled(() => -1),
  halves: filled(() => 0.5),
  NaN: filled(() => NaN),
  'equal shares': filled((inRow) => 1 / inRow),
  'its first argument': (_, args) => args[0],
  'its second argument': (_, args) => args[1],
  'its third argument': (_, args) => args[2],
  'of its arguments, the first that fits': (answer, args) => fitting(answer, args),
  'noise of the rng that it gets': (answer, args) => noise(answer, args.find(isRng)),
};

/** An answer of the same form whose numbers depend on nothing but how many stand in a row. */
function filled(number: (inRow: number) => number): Instead {
  const fill = (value: Value): Value => {
    if (typeof value === 'number') return number(1);
    if (value instanceof tf.Tensor) return tf.fill(value.shape, number(value.shape.at(-1) ?? 1), value.dtype as 'float32');
    if (ArrayBuffer.isView(value)) return (value as Float32Array).slice().fill(number((value as NumberArray).length));
    if (Array.isArray(value)) return value.map((item: Value) => (typeof item === 'number' ? number(value.length) : fill(item)));
    if (typeof value === 'string' || typeof value === 'boolean') return typeof value === 'string' ? '' : false;
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item as Value)]));
  }; // prettier-ignore
  return fill;
}

/** The first argument of the answer's form; for an object, field by field. */
function fitting(answer: Value, args: readonly Value[]): Value {
  const form = formOf(answer);
  const found = args.find((arg) => formOf(arg) === form);
  if (found !== undefined || !form.startsWith('fields')) return found;
  return Object.fromEntries(Object.entries(answer as object).map(([key, item]) => [key, fitting(item as Value, args)]));
}

function isRng(value: Value): value is Rng {
  return typeof value === 'object' && value !== null && 'fork' in value && typeof value.fork === 'function';
}

/** Standard normal numbers where the answer is a tensor; nothing else, or without an rng, is any. */
function noise(answer: Value, rng: Rng | undefined): Value {
  return rng && answer instanceof tf.Tensor ? rng.fork('noise').normal(answer.shape) : undefined;
}

function formOf(value: Value): string {
  if (value instanceof tf.Tensor) return `tensor ${value.shape}`;
  if (ArrayBuffer.isView(value)) return `numbers ${(value as NumberArray).length}`;
  if (Array.isArray(value)) return `list ${value.length} of ${formOf(value[0] as Value)}`;
  return typeof value === 'object' && value !== null ? `fields ${Object.keys(value).join()}` : typeof value;
}

export interface Earning {
  /** What was answered: 'zeros'. */
  readonly name: string;
  /** The checks that it passes, less the laws. */
  readonly checks: readonly string[];
}

/** The trivial answers that earn something. */
export async function trivialEarnings(exercise: Exercise, answers: Answers, seed: string): Promise<Earning[]> {
  const constants = [...answers.guesses(exercise)].map((word): [string, Instead] => [`always ${JSON.stringify(word)}`, () => revived(word)]); // prettier-ignore
  const earnings: Earning[] = [];
  for (const [name, instead] of [...Object.entries(TRIVIAL), ...constants]) {
    const callFor =
      (check: Check): Call =>
      async (...args) =>
        instead(answers.to(check, args), args);
    const { checks } = await runChecks(exercise, callFor, seed);
    if (scoreOf(exercise, checks) === 0) continue;
    const earning = checks.filter(({ status }, i) => status === 'passed' && !exercise.checks[i]!.law);
    earnings.push({ name, checks: earning.map((check) => check.name) });
  }
  return earnings;
}
