/** The checks of a notebook's own cells, in a terminal: on the file as it was saved. */
import { on } from 'node:events';
import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { SIGNS } from '../exercise/check-lines';
import { CELL_SEED, isNotWritten, type ExerciseReport } from '../exercise/checking';
import type { Compilation, Compiled } from '../compile/compile';
import type { Compiler } from '../compile/service';
import type { Exercise } from '../exercise/exercise';
import { gradeExercises, problemText } from '../grading/grade-exercises';
import { helpAfter } from '../student/help';
import { readSubmission, Unreadable } from '../compile/reader';
import type { ExerciseResult } from '../grading/result';
import { Fault, type FaultStatus } from '../exercise/status';
import { reportText, titleOf } from '../student/report';

export interface Tried {
  /** A block an exercise, and a last line that counts. */
  readonly text: string;
  readonly allPass: boolean;
}

/**
 * Runs the public checks of these exercises on a notebook file, as `check` does in its cells.
 * @throws Unreadable, that names the file, or Fault when it cannot be compiled at all
 */
export async function tryNotebook(file: string, exercises: readonly Exercise[], compiler: Compiler): Promise<Tried> {
  const { cells } = await readSubmission(file).catch((error: unknown) => {
    throw new Unreadable(`${file}: ${(error as Error).message}`);
  });
  const compilation = await compiler.compile(
    cells,
    exercises.map(({ functionName }) => functionName),
  );
  const ready = exercises.filter((exercise) => compiledOf(exercise, compilation).status === 'ok');
  const results = await gradeExercises(ready, compilation, {
    seedOf: () => CELL_SEED,
    tier: 'none', // one's own work, with all that a cell may do
  });
  const blocks = exercises.map((exercise) =>
    block(
      exercise,
      compiledOf(exercise, compilation),
      results.find(({ id }) => id === exercise.id),
    ),
  );
  const passed = blocks.filter(({ passes }) => passes).length;
  const text = [...blocks.map((entry) => entry.text), `${passed} of ${blocks.length} exercises pass their checks.`];
  return { text: text.join('\n\n'), allPass: passed === blocks.length };
}

/**
 * Calls `onSave` at once, and again whenever the text of the file has changed. `fs.watch` suffices: it is one file, and
 * its folder is watched, since editors replace a file by another of the same name.
 * @param signal ends it
 */
export async function onEverySave(file: string, onSave: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const watcher = watch(dirname(file));
  const changes = on(watcher, 'change', { signal });
  try {
    let before = await textOf(file);
    await onSave();
    for await (const [, name] of changes as AsyncIterable<[string, string]>) {
      const text = name === basename(file) ? await textOf(file) : before;
      if (text === before || text === '') continue; // some editors empty a file before they write it
      before = text;
      await onSave();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    watcher.close();
  }
}

/** Empty, too, for a file that is gone: whoever replaces it has not finished. */
async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}

interface Block {
  readonly text: string;
  readonly passes: boolean;
}

function compiledOf({ functionName }: Exercise, { functions }: Compilation): Compiled {
  return functions[functionName]!;
}

function block(exercise: Exercise, { status, problems, alone }: Compiled, result: ExerciseResult | undefined): Block {
  if (status !== 'ok') return unread(exercise, problems.map(problemText));
  const report = reportOf(result!);
  if (report.checks.length === 0) return unread(exercise, [result!.message ?? result!.status]);
  const fault = report.fault === undefined ? [] : [`${SIGNS.failed} ${report.fault.message}`];
  const text = reportText(exercise, report, helpAfter(exercise, report, alone!.code));
  const passes = fault.length === 0 && report.checks.every((check) => check.status === 'passed');
  return { text: [text, ...fault].join('\n'), passes };
}

function unread(exercise: Exercise, problems: readonly string[]): Block {
  return {
    text: [titleOf(exercise), ...problems.map((problem) => `${SIGNS.failed} ${problem}`)].join('\n'),
    passes: false,
  };
}

function reportOf({ id, status, message, checks }: ExerciseResult): ExerciseReport {
  const report = { checks, notWritten: isNotWritten(id, checks) } as ExerciseReport;
  return status === 'graded' ? report : { ...report, fault: new Fault(status as FaultStatus, message ?? status) };
}
