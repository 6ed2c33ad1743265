/** `check` for a notebook cell: the checks of one exercise, run here, and shown under the cell. */
import * as tf from '@tensorflow/tfjs';
import * as dgm from 'dgm';
import {
  brief,
  CELL_SEED,
  runChecks,
  Thrown,
  type Call,
  type CheckReport,
  type ExerciseReport,
} from '../exercise/checking';
import type { Exercise } from '../exercise/exercise';
import { findExercise, type Chapter } from '../chapters/registry';
import { askedHints, helpAfter, type Help } from './help';
import { standingOf } from './tries';
import { decode, encode, ProtocolError } from '../exercise/protocol';
import { solutionOf } from './solution';
import { details, footOf, helpLines, leadOf, MARKS, reportText } from './wording';

/** @returns `check` for the exercises of these chapters */
export function checkIn(chapters: readonly Chapter[]) {
  return async function check(id: string, solution: unknown): Promise<void> {
    const exercise = await findExercise(id, chapters);
    if (typeof solution !== 'function')
      throw new Error(`check('${id}', …): the second argument must be the function ${exercise.functionName}`);
    const report = await runChecks(exercise, () => callHere(solution as AnyFunction), CELL_SEED);
    const help = helpAfter(exercise, report, String(solution));
    dgm.display({ 'text/plain': reportText(exercise, report, help), 'text/html': toHtml(exercise, report, help) });
  };
}

/** @returns `hint` for the exercises of these chapters */
export function hintIn(chapters: readonly Chapter[]) {
  return async function hint(id: string): Promise<void> {
    const exercise = await findExercise(id, chapters);
    show(helpLines(askedHints(exercise, standingOf(id))).join('\n'));
  };
}

/** @returns `solution` for the exercises of these chapters */
export function solutionIn(chapters: readonly Chapter[]) {
  return async function solution(id: string): Promise<void> {
    const { locked, text } = await solutionOf(id, chapters);
    if (locked !== undefined) return show(locked);
    dgm.display({ 'text/plain': text, 'text/html': `<pre class="dgm-solution">${escape(text!)}</pre>` });
  };
}

function show(text: string): void {
  const paragraphs = text.split('\n').map((line) => `<div>${escape(line)}</div>`);
  dgm.display({ 'text/plain': text, 'text/html': paragraphs.join('') });
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

function toHtml(exercise: Exercise, report: ExerciseReport, help: Help): string {
  const head = `<b>${escape(exercise.id)}</b>: ${escape(exercise.title)}`;
  const rows = report.notWritten
    ? exercise.checks.map(({ name }) => row(MARKS.open, COLOURS.open, name, []))
    : report.checks.map((check) => htmlRow(check));
  const paragraph = (text: string | undefined) => (text === undefined ? '' : `<div>${escape(text)}</div>`);
  const table = `<table style="margin:0.5em 0">${rows.join('')}</table>`;
  const foot = [footOf(report), ...helpLines(help)].map(paragraph).join('');
  return `<div class="dgm-check">${head}${paragraph(leadOf(exercise, report))}${table}${foot}</div>`;
}

// Behind white marks (contrast 5.8 : 1 or more): no colour of a text is readable on light and on dark pages alike
const COLOURS = { passed: '#1b6e3c', failed: '#a3262c', open: '#5f6670' } as const;

function htmlRow(check: CheckReport): string {
  const passed = check.status === 'passed';
  return row(
    passed ? MARKS.passed : MARKS.failed,
    passed ? COLOURS.passed : COLOURS.failed,
    check.name,
    details(check),
  );
}

function row(mark: string, colour: string, name: string, notes: readonly string[]): string {
  const cell = 'style="text-align:left;vertical-align:top;border:none"';
  const more = notes.map((note) => `<br><code>${escape(note)}</code>`).join('');
  return `<tr><td ${cell}><b style="color:#ffffff;background-color:${colour};padding:0 0.3em">${mark}</b></td><td ${cell}>${escape(name)}${more}</td></tr>`;
}

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => entities[character]!);
}
