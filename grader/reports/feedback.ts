/**
 * A student's feedback on one chapter, as a page and as Markdown: what was expected, what came, and the input that
 * shows it; never a solution, nor what a hidden check is about.
 *
 * Texts come from submissions. The page escapes them all, loads nothing and runs nothing, which its policy enforces.
 */
import { escapeHtml } from 'dgm/figures';
import { brief } from '../exercise/checking';
import { checkLines, linesAsHtml, SIGNS, type CheckLine } from '../exercise/check-lines';
import { lateness } from './documents';
import type { GradedExercise, Grade } from '../gradebook/grades';
import { percentOf } from '../gradebook/table';

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2126; --paper: #fdfdfc; --soft: #5b6470; --line: #d8dce1; --good: #17703a;
  --bad: #b3261e; --code: #f1f3f5 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --paper: #16191d; --soft: #a3acb8; --line: #3a414a;
  --good: #6fcf97; --bad: #ff8a80; --code: #23282e } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 46rem;
  margin: 2rem auto; padding: 0 1rem }
h2 { font-size: 1.1rem; border-top: 1px solid var(--line); padding-top: 1rem }
.cell { vertical-align: top; padding: .2rem .3rem .2rem 0 } .passed { color: var(--good) } .failed { color: var(--bad) }
.points { float: right; font-variant-numeric: tabular-nums } .soft { color: var(--soft) }
code { overflow-wrap: anywhere; font: 14px/1.5 ui-monospace, monospace; background: var(--code); padding: 0 .3rem }
`;

/** One page that needs nothing else. */
export function feedbackHtml(grade: Grade): string {
  const title = visible(titleOf(grade));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${title}</h1>
${summaryLines(grade)
  .map((line) => `<p>${visible(line)}</p>`)
  .join('\n')}
${grade.exercises.map(exerciseHtml).join('\n')}
</body>
</html>
`;
}

function exerciseHtml(exercise: GradedExercise): string {
  const remarks = remarksOf(exercise).map((remark) => `<p class="soft">${visible(remark)}</p>`);
  const lines = checkLines(exercise.checks);
  return `<section>
<h2>${escapeHtml(exercise.id)} <span class="points">${exercise.points} / ${exercise.maxPoints}</span></h2>
${[...remarks, ...(lines.length > 0 ? [linesAsHtml(lines, CLASSES)] : [])].join('\n')}
</section>`;
}

/** Names of files and messages may hold signs that turn the direction of the page. */
function visible(text: string): string {
  return escapeHtml(brief(text, 4000));
}

const CLASSES = {
  cell: 'class="cell"',
  sign: { passed: 'class="passed"', failed: 'class="failed"', open: 'class="soft"' },
} as const;

/** The same for mail and issue trackers. What others wrote stands in code, in which nothing is markup or a link. */
export function feedbackMarkdown(grade: Grade): string {
  const [mark, ...rest] = summaryLines(grade);
  const blocks = [`# ${code(titleOf(grade))}`, mark, ...rest.map(code), ...grade.exercises.flatMap(exerciseMarkdown)];
  return `${blocks.join('\n\n')}\n`;
}

function exerciseMarkdown(exercise: GradedExercise): string[] {
  const checks = checkLines(exercise.checks).map(lineAsMarkdown);
  return [
    `## ${code(exercise.id)} ${exercise.points} / ${exercise.maxPoints}`,
    ...remarksOf(exercise).map(code),
    ...(checks.length > 0 ? [checks.join('\n')] : []),
  ];
}

function lineAsMarkdown({ state, title, quoted, details }: CheckLine): string {
  const more = details.map(([label, text]) => `  - ${label === '' ? '' : `${label}: `}${code(text)}`);
  return [`- ${SIGNS[state]} ${quoted ? code(title) : plain(title)}`, ...more].join('\n');
}

/** Text of ours in which no sign is markup. */
function plain(text: string): string {
  return oneLine(text).replace(/[\\`*_{}[\]<>|~&$#]/g, '\\$&');
}

/** A code span, whose fence is longer than any within. */
function code(text: string): string {
  const line = oneLine(text);
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return longest > 0 ? `${fence} ${line} ${fence}` : `${fence}${line}${fence}`;
}

function oneLine(text: string): string {
  return brief(text.replace(/\s+/g, ' '), 4000);
}

function titleOf({ student, chapter }: Grade): string {
  return chapter === null ? student : `${student}: ${chapter}`;
}

function summaryLines(grade: Grade): string[] {
  const { points, maxPoints, attempts, row } = grade;
  const { status, message, notes } = row.result;
  const mark =
    points === null
      ? 'This could not be graded, through no fault of yours; it will be graded again.'
      : `${points} of ${maxPoints} points (${percentOf(points, maxPoints)} %)`;
  return [
    mark,
    ...lateness(grade),
    ...(attempts > 1 ? [`Of ${attempts} attempts this one counts: ${row.name}`] : []),
    ...(status === 'graded' || status === 'infra_error' ? [] : [`${status}: ${message ?? ''}`]),
    ...notes.map((note) => `Note: ${note}`),
  ];
}

function remarksOf({ status, message, override }: GradedExercise): string[] {
  return [
    ...(status === 'graded' ? [] : [message === undefined ? status : `${status}: ${message}`]),
    ...(override === undefined ? [] : [`The points were set by hand: ${override.reason}`]),
  ];
}
