/** What a failed cell shows: name, message, places in the student's TypeScript, the line itself, the cause. */
import { inspect } from 'node:util';
import type { Diagnostic } from './compiler';
import { positionText, sourceOf } from './stacks';

export interface CellError {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

/** The answer to the stop button, named as in every other Jupyter kernel. */
export const INTERRUPTED: CellError = {
  ename: 'KeyboardInterrupt',
  evalue: '',
  traceback: ['KeyboardInterrupt: the cell was stopped'],
};

/** The error message for anything a cell can throw; does not throw itself. */
export function describeThrown(thrown: unknown): CellError {
  try {
    return described(thrown);
  } catch {
    // a proxy, say, whose every property throws
    const evalue = 'a value that cannot be shown';
    return { ename: 'Thrown', evalue, traceback: [`Thrown: ${evalue}: looking at it throws an error`] };
  }
}

function described(thrown: unknown): CellError {
  if (!isError(thrown)) return describeValue(thrown);
  const ename = text(() => thrown.name) || 'Error';
  const evalue = text(() => thrown.message);
  return { ename, evalue, traceback: [...errorLines(thrown, evalue), ...excerptOf(thrown), ...causes(thrown)] };
}

/** Errors of another realm, or made by hand, are no instances of our `Error`. */
function isError(thrown: unknown): thrown is Error {
  if (thrown instanceof Error) return true;
  return typeof thrown === 'object' && thrown !== null && 'message' in thrown && 'stack' in thrown;
}

function describeValue(thrown: unknown): CellError {
  const evalue = inspect(thrown);
  const advice = 'This is not an Error, so there is no telling where it was thrown: throw new Error(message) instead.';
  return { ename: 'Thrown', evalue, traceback: [`Thrown: ${evalue}`, advice] };
}

/** Getters of foreign errors may throw. */
function text(get: () => unknown): string {
  try {
    return String(get() ?? '');
  } catch {
    return '';
  }
}

function errorLines(error: Error, message: string): string[] {
  return (text(() => error.stack) || `${error.name}: ${message}`).split('\n');
}

const POSITION = /(In\[\d+\]):(\d+):(\d+)/;

/** The first place of the trace that is in a cell. */
function placeOf(error: Error): readonly (string | undefined)[] {
  const frame = text(() => error.stack)
    .split('\n')
    .find((line) => /^\s+at /.test(line) && POSITION.test(line));
  return POSITION.exec(frame ?? '')?.slice(1) ?? [];
}

/** The cell whose code threw this, as `In[3]`, where the error's trace says so. */
export function cellOf(thrown: unknown): string | null {
  try {
    return isError(thrown) ? (placeOf(thrown)[0] ?? null) : null;
  } catch {
    return null; // a proxy whose every property throws
  }
}

/** The student's line that the error comes from. */
function excerptOf(error: Error): string[] {
  const [label, line, column] = placeOf(error);
  if (label === undefined) return [];
  return ['', ...excerpt(sourceOf(label) ?? '', Number(line) - 1, Number(column) - 1)];
}

/** A line with its number, and a mark below the column; both counted from 0. */
function excerpt(source: string, line: number, column: number): string[] {
  const content = source.split('\n')[line];
  if (content === undefined) return [];
  const margin = `${line + 1} | `;
  const indent = content.slice(0, column).replace(/\S/g, ' '); // tabs stay tabs
  return [`  ${margin}${content}`, `  ${' '.repeat(margin.length - 2)}| ${indent}^`];
}

const MAX_CAUSES = 5;

function causes(error: Error, depth = 0): string[] {
  const parts = error instanceof AggregateError ? error.errors : [];
  const all: unknown[] = error.cause === undefined ? [...parts] : [error.cause, ...parts];
  if (depth >= MAX_CAUSES) return all.length > 0 ? ['Caused by: …'] : [];
  return all.slice(0, MAX_CAUSES).flatMap((cause) => {
    if (!isError(cause)) return ['', `Caused by: ${inspect(cause)}`];
    const [first, ...rest] = errorLines(
      cause,
      text(() => cause.message),
    );
    return ['', `Caused by: ${first}`, ...rest, ...causes(cause, depth + 1)];
  });
}

/** All that the compiler found wrong with a cell, in its order. */
export function describeDiagnostics(
  diagnostics: readonly Diagnostic[],
  label: string,
  source: string,
  hint: (diagnostic: Diagnostic) => string | null,
): CellError {
  const groups = grouped(inText(diagnostics, source));
  const first = groups[0]!;
  const more = groups.length > 1 ? ` (and ${groups.length - 1} more)` : '';
  return {
    ename: 'TypeScriptError',
    evalue: `${headlineOf(first, label)}${more}`,
    traceback: groups.flatMap((group, i) => [
      ...(i > 0 ? [''] : []),
      headlineOf(group, label),
      ...group.slice(1).map(({ messageText }) => `  ${messageText}`),
      ...(group[0]!.fileName ? [] : excerpt(source, group[0]!.start.line, group[0]!.start.character)),
      ...group.map(hint).filter((line) => line !== null),
    ]),
  };
}

/** tslab adds a line of exports below the cell; what is wrong there is wrong in the cell, too. */
function inText(diagnostics: readonly Diagnostic[], source: string): readonly Diagnostic[] {
  const lines = source.split('\n').length;
  const inCell = diagnostics.filter(({ fileName, start }) => fileName !== undefined || start.line < lines);
  return inCell.length > 0 ? inCell : diagnostics;
}

/** The details of one finding follow it, and share its position object. */
function grouped(diagnostics: readonly Diagnostic[]): (readonly Diagnostic[])[] {
  const groups: Diagnostic[][] = [];
  for (const diagnostic of diagnostics) {
    const last = groups.at(-1);
    if (last && last[0]!.start === diagnostic.start) last.push(diagnostic);
    else groups.push([diagnostic]);
  }
  return groups;
}

function headlineOf([first]: readonly Diagnostic[], label: string): string {
  const { line, character } = first!.start;
  return `${positionText(first!.fileName ?? label, { line, column: character })} - ${first!.messageText}`;
}
