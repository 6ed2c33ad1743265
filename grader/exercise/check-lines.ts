/**
 * What a student is told of an exercise's checks: under a cell, in a terminal, on a page of feedback. Of a hidden check
 * that fails: that there is one, and nothing more.
 */
import { escapeHtml } from 'dgm/figures';
import { brief, saysNotWritten, type CheckReport } from './checking';

export interface CheckLine {
  /** `open`: not tried yet. */
  readonly state: 'passed' | 'failed' | 'open';
  readonly title: string;
  /** Whether the title is a text of the submission's, in which nothing may be taken for markup. */
  readonly quoted?: true;
  /** A label such as "expected", empty where the text speaks for itself, and what belongs to it. */
  readonly details: readonly (readonly [label: string, text: string])[];
}

export const SIGNS: Readonly<Record<CheckLine['state'], string>> = { passed: '✓', failed: '✗', open: '○' };

/** A report whose fields may be there and undefined, as in one that was stored. */
type Stored<T> = { readonly [K in keyof T]: T[K] | undefined };
type Judged = Pick<CheckReport, 'name' | 'status'> & Stored<Omit<CheckReport, 'name' | 'status'>>;

/** As much as a result may hold of one text. */
const MOST = 2000;

const HIDDEN: CheckLine = { state: 'failed', title: 'a hidden check fails', details: [] };

/** The open checks in order, then one line if any hidden one fails. */
export function checkLines(checks: readonly Judged[]): CheckLine[] {
  const [first] = checks;
  // all of them say so in the same words, or another exercise is missing
  if (first?.message !== undefined && checks.every((check) => saysNotWritten(check) && check.message === first.message))
    return [{ state: 'failed', title: brief(first.message, MOST), quoted: true, details: [] }];
  const known = checks.filter(({ hidden }) => !hidden).map(lineOf);
  const failing = checks.some(({ hidden, status }) => hidden && status !== 'passed');
  return failing ? [...known, HIDDEN] : known;
}

function lineOf({ name, status, message, expected, got, input, hint }: Judged): CheckLine {
  const all = { '': message, expected, got, 'called with': input, hint };
  const known = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const details = known.map(([label, text]) => [label, brief(text, MOST)] as const);
  return { state: status === 'passed' ? 'passed' : 'failed', title: name, details };
}

/** Checks that have not run, by their names. */
export function openLines(names: readonly string[]): CheckLine[] {
  return names.map((title) => ({ state: 'open', title, details: [] }));
}

/** As lines of text. */
export function linesAsText(lines: readonly CheckLine[]): string[] {
  return lines.flatMap(({ state, title, details }) => [
    `${SIGNS[state]} ${title}`,
    ...details.map((detail) => `    ${detailText(detail)}`),
  ]);
}

/** "got: 2" */
function detailText([label, text]: CheckLine['details'][number]): string {
  return label === '' ? text : `${label}: ${text}`;
}

/** Attributes for the elements of HTML: styles where there is no style sheet, else classes. */
export interface Attributes {
  readonly cell: string;
  readonly sign: Readonly<Record<CheckLine['state'], string>>;
}

/** As rows of a table. */
export function linesAsHtml(lines: readonly CheckLine[], { cell, sign }: Attributes): string {
  const row = ({ state, title, details }: CheckLine) => {
    const more = details.map((detail) => `<br><code>${escapeHtml(detailText(detail))}</code>`).join('');
    return `<tr><td ${cell}><b ${sign[state]}>${SIGNS[state]}</b></td><td ${cell}>${escapeHtml(title)}${more}</td></tr>`;
  };
  return `<table>${lines.map(row).join('')}</table>`;
}
