/** What the commands print. */
import { brief } from '../exercise/checking';
import { checkLines, linesAsText, SIGNS } from '../exercise/check-lines';
import type { Progress } from '../gradebook/grade-folder';
import type { ExerciseResult, SubmissionResult } from '../grading/result';
import type { ChapterReport, SelftestReport } from '../selftest/selftest';

/** A submission in full, for its author. */
export function submissionReport(result: SubmissionResult): string {
  const { chapter, status, message, exercises, notes } = result;
  const head = chapter === null ? `${result.file}: ${status}: ${message}` : `${result.file}: chapter ${chapter}`;
  const blocks = exercises.map((exercise) => exerciseLines(exercise).join('\n'));
  const remarks = notes.map((note) => `Note: ${note}`);
  const foot = chapter === null ? [] : [`${result.points} of ${result.maxPoints} points`];
  return [head, ...blocks, ...remarks, ...foot].join('\n\n');
}

function exerciseLines({ id, status, message, points, maxPoints, checks }: ExerciseResult): string[] {
  const state = status === 'graded' ? '' : ` ${status}`;
  return [
    `${points === maxPoints ? SIGNS.passed : SIGNS.failed} ${id}${state}  ${points}/${maxPoints}`,
    ...(message === undefined ? [] : [`    ${message}`]),
    ...linesAsText(checkLines(checks)).map((line) => `  ${line}`),
  ];
}

/** A submission in one line, for whoever grades many. */
export function progressLine(result: SubmissionResult, { done, all, leftMs }: Progress): string {
  const { student, status, points, maxPoints, durationMs, message } = result;
  const count = `${String(done).padStart(String(all).length)}/${all}`;
  const marks = status === 'graded' ? `${points}/${maxPoints}` : (message ?? '');
  const left = done < all ? `  ${duration(leftMs)} left` : '';
  return `${count}  ${brief(student)}  ${status}  ${marks}  ${(durationMs / 1000).toFixed(1)} s${left}`;
}

/** "40 s", "12 min", "3.5 h" */
export function duration(ms: number): string {
  if (ms < 90_000) return `${Math.ceil(ms / 1000)} s`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 360_000) / 10} h`;
}

/** One chapter of the self-test: a line an exercise and mistake, and what is wrong. */
export function chapterTable({ chapter, solution, release, mistakes, breaches }: ChapterReport): string {
  const head = `${chapter}: solution ${percent(solution)}, release ${percent(release)}`;
  const width = Math.max(0, ...mistakes.map(({ exercise }) => exercise.length));
  const rows = mistakes.map(({ exercise, name, score, killedBy, broken }) => {
    const verdict = broken ? 'broken' : (killedBy ?? 'NOT FOUND');
    return `  ${exercise.padEnd(width)}  ${percent(score).padStart(5)}  ${name}  ←  ${verdict}`;
  });
  return [head, ...rows, ...breaches.map((breach) => `  ✗ ${breach}`)].join('\n');
}

/** What students get: sound, or what is wrong with it. */
export function releaseTable({ release }: SelftestReport): string {
  if (release.length === 0) return 'release: no line of a solution, no hidden check in any file';
  return ['release:', ...release.map((breach) => `  ✗ ${breach}`)].join('\n');
}

/** What a program wants to know of a selftest. */
export function selftestJson({ chapters, release, ok }: SelftestReport) {
  const reduced = chapters.map(({ chapter, solution, release, mistakes, breaches }) => ({
    chapter,
    solution,
    release,
    mistakes: mistakes.map(({ exercise, name, score, killedBy }) => ({ exercise, name, score, killedBy })),
    breaches,
  }));
  return { chapters: reduced, release, ok };
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10}%`;
}
