/** `check` for a notebook cell: the checks of one exercise, run here, and shown under the cell. */
import * as tf from '@tensorflow/tfjs';
import * as dgm from 'dgm';
import { brief, runChecks, Thrown, type Call, type CheckReport, type ExerciseReport } from './checking';
import type { Exercise } from './exercise';
import { findExercise, type Chapter } from './exercises';
import { decode, encode, ProtocolError } from './protocol';

/** The same inputs at every run, so that a failure stays while one looks for its cause. */
const SEED = 'notebook';

/** @returns `check` for the exercises of these chapters */
export function checkIn(chapters: readonly Chapter[]) {
  return async function check(id: string, solution: unknown): Promise<void> {
    const exercise = await findExercise(id, chapters);
    if (typeof solution !== 'function')
      throw new Error(`check('${id}', …): the second argument must be the function ${exercise.functionName}`);
    const report = await runChecks(exercise, () => callHere(solution as AnyFunction), SEED);
    dgm.display({ 'text/plain': toText(exercise, report), 'text/html': toHtml(exercise, report) });
  };
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

function toText(exercise: Exercise, report: ExerciseReport): string {
  const title = `${exercise.id}: ${exercise.title}`;
  if (report.notWritten) return [title, kindly(exercise), ...exercise.checks.map(({ name }) => `○ ${name}`)].join('\n');
  return [title, ...report.checks.flatMap(lines), summary(report)].join('\n');
}

function lines(check: CheckReport): string[] {
  const mark = check.status === 'passed' ? '✓' : '✗';
  return [`${mark} ${check.name}`, ...details(check).map((detail) => `    ${detail}`)];
}

function details({ expected, got, hint, message }: CheckReport): string[] {
  return [
    ...(message === undefined ? [] : [message]),
    ...(expected === undefined ? [] : [`expected ${expected}`]),
    ...(got === undefined ? [] : [`got ${got}`]),
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
  ];
}

function kindly({ functionName }: Exercise): string {
  return `Not written yet. Replace the line that throws in ${functionName}, run its cell, then this one. It will be checked that`;
}

function summary({ checks }: ExerciseReport): string {
  const passed = checks.filter(({ status }) => status === 'passed').length;
  return passed === checks.length ? `All ${passed} checks pass.` : `${passed} of ${checks.length} checks pass.`;
}

function toHtml(exercise: Exercise, report: ExerciseReport): string {
  const head = `<b>${escape(exercise.id)}</b>: ${escape(exercise.title)}`;
  const rows = report.notWritten
    ? exercise.checks.map(({ name }) => row('○', '#888', name, []))
    : report.checks.map((check) => htmlRow(check));
  const foot = report.notWritten ? '' : `<div>${summary(report)}</div>`;
  const lead = report.notWritten ? `<div>${escape(kindly(exercise))}</div>` : '';
  return `<div class="dgm-check">${head}${lead}<table style="margin:0.5em 0">${rows.join('')}</table>${foot}</div>`;
}

function htmlRow(check: CheckReport): string {
  const passed = check.status === 'passed';
  return row(passed ? '✓' : '✗', passed ? '#2a7d2a' : '#b3261e', check.name, details(check));
}

function row(mark: string, colour: string, name: string, notes: readonly string[]): string {
  const cell = 'style="text-align:left;vertical-align:top;border:none"';
  const more = notes.map((note) => `<br><code>${escape(note)}</code>`).join('');
  return `<tr><td ${cell}><b style="color:${colour}">${mark}</b></td><td ${cell}>${escape(name)}${more}</td></tr>`;
}

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => entities[character]!);
}
