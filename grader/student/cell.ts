/** `check` for a notebook cell: the checks of one exercise, run here, and shown under the cell. */
import * as tf from '@tensorflow/tfjs';
import * as dgm from 'dgm';
import { escapeHtml } from 'dgm/figures';
import { brief, CELL_SEED, runChecks, Thrown, type Call } from '../exercise/checking';
import { findExercise, type Chapter } from '../chapters/registry';
import { askedHints, helpAfter } from './help';
import { standingOf } from './progress';
import { borrowedCheck, borrowedHere } from '../exercise/library';
import { decode, encode, ProtocolError } from '../exercise/protocol';
import { solutionOf } from './solution';
import { helpLines, paragraphs, reportHtml, reportText } from './report';

/** @returns `check` for the exercises of these chapters */
export function checkIn(chapters: readonly Chapter[]) {
  return async function check(id: string, solution: unknown): Promise<void> {
    const exercise = await findExercise(id, chapters);
    if (typeof solution !== 'function')
      throw new Error(`check('${id}', …): the second argument must be the function ${exercise.functionName}`);
    const borrowed = borrowedHere(exercise, solution, { dgm, tf });
    const report =
      borrowed === undefined
        ? await runChecks(exercise, () => callHere(solution as AnyFunction), CELL_SEED)
        : { checks: [borrowedCheck(borrowed)], notWritten: false };
    const help = helpAfter(exercise, report, String(solution));
    dgm.display({ 'text/plain': reportText(exercise, report, help), 'text/html': reportHtml(exercise, report, help) });
  };
}

/** @returns `hint` for the exercises of these chapters */
export function hintIn(chapters: readonly Chapter[]) {
  return async function hint(id: string): Promise<void> {
    const exercise = await findExercise(id, chapters);
    show(helpLines(askedHints(exercise, standingOf(id))));
  };
}

/** @returns `solution` for the exercises of these chapters */
export function solutionIn(chapters: readonly Chapter[]) {
  return async function solution(id: string): Promise<void> {
    const { closed, text } = await solutionOf(id, chapters);
    if (closed !== undefined) return show([closed]);
    dgm.display({ 'text/plain': text, 'text/html': `<pre class="dgm-solution">${escapeHtml(text!)}</pre>` });
  };
}

function show(lines: readonly string[]): void {
  dgm.display({ 'text/plain': lines.join('\n'), 'text/html': paragraphs(lines) });
}

type AnyFunction = (...args: unknown[]) => unknown;

/** Values go through the protocol as in grading: the function gets copies, and what it accepts is the same. */
function callHere(solution: AnyFunction): Call {
  return async (...args) => {
    const copies = args.map((arg) => decode(encode(arg), { evaluate }));
    const result = await Promise.resolve()
      .then(() => solution(...copies))
      .catch((error: unknown) => Promise.reject(thrown(error)));
    return receive(result);
  };
}

function receive(result: unknown) {
  const kept: AnyFunction[] = [];
  try {
    const wire = encode(result, (value) => kept.push(value as AnyFunction) - 1);
    return decode(wire, { callable: (index) => callHere(kept[index]!) });
  } catch (error) {
    throw error instanceof ProtocolError ? new Thrown('Error', error.message) : error;
  }
}

function thrown(error: unknown): Thrown {
  if (!(error instanceof Error)) return new Thrown('Error', `threw ${brief(String(error))}, which is no Error`);
  return new Thrown(error.name, error.message, place(error.stack));
}

/** "In[3]:2:5" out of a stack, as the kernel writes it. */
function place(stack: string | undefined): string | undefined {
  return /In\[\d+\]:\d+(:\d+)?/.exec(stack ?? '')?.[0];
}

/** The function that a `Given` stands for. Its text comes from our own checks. */
function evaluate(source: string): unknown {
  return new Function('tf', 'dgm', `return (${source});`)(tf, dgm);
}
