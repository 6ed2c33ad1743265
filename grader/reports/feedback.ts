/**
 * A student's feedback on one chapter, as a page and as Markdown: what was expected, what came, and the input that
 * shows it; never a solution, nor what a hidden check is about.
 *
 * Texts come from submissions. The page escapes them all, loads nothing and runs nothing, which its policy enforces.
 */
import { lateness } from './documents';
import type { GradedExercise, Grade } from '../gradebook/grades';
import { percentOf } from '../gradebook/table';
import { toldChecks, type ToldCheck } from './told';

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2126; --paper: #fdfdfc; --soft: #5b6470; --line: #d8dce1; --good: #17703a;
  --bad: #b3261e; --code: #f1f3f5 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --paper: #16191d; --soft: #a3acb8; --line: #3a414a;
  --good: #6fcf97; --bad: #ff8a80; --code: #23282e } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 46rem;
  margin: 2rem auto; padding: 0 1rem }
h2 { font-size: 1.1rem; border-top: 1px solid var(--line); padding-top: 1rem }
ul { list-style: none; padding: 0 } li { margin: .5rem 0 }
.holds::before { content: '✓ '; color: var(--good) } .fails::before { content: '✗ '; color: var(--bad) }
.points { float: right; font-variant-numeric: tabular-nums } .soft, dt { color: var(--soft) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; margin: .2rem 0 .2rem 1.4rem }
dd { margin: 0; overflow-wrap: anywhere; font: 14px/1.5 ui-monospace, monospace; background: var(--code);
  padding: 0 .3rem }
`;

/** One page that needs nothing else. */
export function feedbackHtml(grade: Grade): string {
  const title = escape(titleOf(grade));
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
  .map((line) => `<p>${escape(line)}</p>`)
  .join('\n')}
${grade.exercises.map(exerciseHtml).join('\n')}
</body>
</html>
`;
}

function exerciseHtml(exercise: GradedExercise): string {
  const remarks = remarksOf(exercise).map((remark) => `<p class="soft">${escape(remark)}</p>`);
  const checks = toldChecks(exercise).map(checkHtml);
  return `<section>
<h2>${escape(exercise.id)} <span class="points">${exercise.points} / ${exercise.maxPoints}</span></h2>
${[...remarks, ...(checks.length > 0 ? [`<ul>\n${checks.join('\n')}\n</ul>`] : [])].join('\n')}
</section>`;
}

function checkHtml({ holds, title, details }: ToldCheck): string {
  const rows = details.map(([label, text]) => `<dt>${escape(label)}</dt><dd>${escape(text)}</dd>`);
  const list = rows.length > 0 ? `<dl>${rows.join('')}</dl>` : '';
  return `<li><span class="${holds ? 'holds' : 'fails'}">${escape(title)}</span>${list}</li>`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** The same for mail and issue trackers. What others wrote stands in code, in which nothing is markup or a link. */
export function feedbackMarkdown(grade: Grade): string {
  const [mark, ...rest] = summaryLines(grade);
  const blocks = [`# ${code(titleOf(grade))}`, mark, ...rest.map(code), ...grade.exercises.flatMap(exerciseMarkdown)];
  return `${blocks.join('\n\n')}\n`;
}

function exerciseMarkdown(exercise: GradedExercise): string[] {
  const checks = toldChecks(exercise).map(checkMarkdown);
  return [
    `## ${code(exercise.id)} ${exercise.points} / ${exercise.maxPoints}`,
    ...remarksOf(exercise).map(code),
    ...(checks.length > 0 ? [checks.join('\n')] : []),
  ];
}

function checkMarkdown({ holds, title, details }: ToldCheck): string {
  const head = `- ${holds ? '✓' : '✗'} ${plain(title)}`;
  return [head, ...details.map(([label, text]) => `  - ${label}: ${code(text)}`)].join('\n');
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
  return text.replace(/\s+/g, ' ').trim();
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
