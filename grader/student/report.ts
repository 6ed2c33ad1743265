/** What a student is told of an exercise that was checked: the same under a cell and in a terminal. */
import { escapeHtml } from 'dgm/figures';
import { checkLines, linesAsHtml, linesAsText, openLines, type CheckLine } from '../exercise/check-lines';
import type { ExerciseReport } from '../exercise/checking';
import type { Exercise } from '../exercise/exercise';
import type { Help } from './help';

export function reportText(exercise: Exercise, report: ExerciseReport, help: Help): string {
  const { lead, lines, foot } = partsOf(exercise, report, help);
  return [titleOf(exercise), ...lead, ...linesAsText(lines), ...foot].join('\n');
}

export function reportHtml(exercise: Exercise, report: ExerciseReport, help: Help): string {
  const { lead, lines, foot } = partsOf(exercise, report, help);
  const head = `<b>${escapeHtml(exercise.id)}</b>: ${escapeHtml(exercise.title)}`;
  return `<div class="dgm-check">${head}${paragraphs(lead)}${linesAsHtml(lines, STYLES)}${paragraphs(foot)}</div>`;
}

/** Each line a paragraph. */
export function paragraphs(lines: readonly string[]): string {
  return lines.map((line) => `<div>${escapeHtml(line)}</div>`).join('');
}

export function titleOf({ id, title }: Exercise): string {
  return `${id}: ${title}`;
}

export function helpLines({ hints, of, next, note }: Help): string[] {
  return [
    ...hints.map((hint, i) => `Hint ${i + 1} of ${of}: ${hint}`),
    ...[next, note].filter((line) => line !== undefined),
  ];
}

interface Parts {
  /** What is said before the checks. */
  readonly lead: readonly string[];
  readonly lines: readonly CheckLine[];
  /** What is said after them. */
  readonly foot: readonly string[];
}

function partsOf({ checks, functionName }: Exercise, report: ExerciseReport, help: Help): Parts {
  if (!report.notWritten)
    return { lead: [], lines: checkLines(report.checks), foot: [sumOf(report), ...helpLines(help)] };
  const lead = `Not written yet. Replace the line that throws in ${functionName}, run its cell, then this one. It will be checked that`;
  return { lead: [lead], lines: openLines(checks.map(({ name }) => name)), foot: helpLines(help) };
}

function sumOf({ checks, fault }: ExerciseReport): string {
  const passed = checks.filter(({ status }) => status === 'passed').length;
  if (fault !== undefined) return `${passed} checks passed before it ended.`;
  return passed === checks.length
    ? `All ${passed} checks pass. Grading runs them on other inputs, and some more.`
    : `${passed} of ${checks.length} checks pass.`;
}

/** White on colours (contrast 5.8 : 1 or more): no colour of a text is readable on light and on dark pages alike. */
const sign = (colour: string) => `style="color:#ffffff;background-color:${colour};padding:0 0.3em"`;
const STYLES = {
  cell: 'style="text-align:left;vertical-align:top;border:none"',
  sign: { passed: sign('#1b6e3c'), failed: sign('#a3262c'), open: sign('#5f6670') },
} as const;
