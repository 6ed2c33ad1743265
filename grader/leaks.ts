/** Whether a text that students get shows a line of a solution. */
import type { Notebook } from 'dgm/jupyter';
import ts from 'typescript';
import type { BuiltChapter, Solution } from './build';

/** A line of a solution, in the forms in which it could stand in a file. */
export interface Needle {
  readonly exercise: string;
  readonly line: string;
  /** Without any white space, since a formatter may break a line anywhere. */
  readonly forms: readonly string[];
}

/** The telling lines of the solutions: as written, without their comments, and as the compiler writes them. */
export function needlesOf(solutions: readonly Solution[]): Needle[] {
  return solutions.flatMap(({ exercise, body }) => {
    const needle = (line: string): Needle => ({ exercise, line: line.trim(), forms: formsOf(line) });
    const compiled = ts.transpileModule(body.join('\n'), {
      compilerOptions: { target: ts.ScriptTarget.ES2022, removeComments: true },
    });
    const lines = [...body, ...compiled.outputText.split('\n')];
    return [...new Set(lines)].map(needle).filter(({ forms }) => forms.length > 0);
  });
}

/** "the solution of mixture.em: …" for each of these lines that the text shows. */
export function leaksIn(text: string, needles: readonly Needle[]): string[] {
  const dense = withoutSpace(text);
  const found = needles.filter(({ forms }) => forms.some((form) => dense.includes(form)));
  return found.map(({ exercise, line }) => `a line of the solution of ${exercise}: ${line}`);
}

/** Lines of solutions that the released notebook shows more often than the text around the solutions does. */
export function notebookLeaks({ complete, released, solutions }: BuiltChapter): string[] {
  const shown = linesOf(released).map(squeeze);
  const given = solutions.flatMap((solution) => solution.given).map(squeeze);
  const authored = linesOf(complete).map(squeeze);
  const text = released.cells.filter((cell) => cell.cell_type === 'markdown').map((cell) => squeeze(cell.source));
  return solutions.flatMap(({ exercise, body }) =>
    [...new Set(body.map(squeeze).filter(isTelling))].flatMap((line) => {
      const hidden = solutions.flatMap((solution) => solution.body).map(squeeze);
      const allowed = count(authored, line) - count(hidden, line) + count(given, line);
      const leaks = count(shown, line) > allowed || text.some((paragraph) => paragraph.includes(line));
      return leaks ? [`the release shows a line of the solution of ${exercise}: ${line}`] : [];
    }),
  );
}

function formsOf(line: string): string[] {
  const bare = line.replace(/\s\/\/ .*$/, '').replace(/[;,]\s*$/, '');
  return [...new Set([line, bare].filter(isTelling).filter(isWhole).map(withoutSpace))];
}

function linesOf(notebook: Notebook): string[] {
  return notebook.cells.flatMap((cell) => cell.source.split('\n'));
}

function count(lines: readonly string[], line: string): number {
  return lines.filter((other) => other === line).length;
}

function squeeze(line: string): string {
  return line.trim().replace(/\s+/g, ' ');
}

function withoutSpace(text: string): string {
  return text.replace(/\s+/g, '');
}

/** A step of a chain that is broken into lines is a common phrase, unless it is long. */
function isWhole(line: string): boolean {
  return !/^\s*\./.test(line) || line.trim().length >= 32;
}

/** Brackets and short words occur everywhere. */
function isTelling(line: string): boolean {
  const text = squeeze(line);
  return text.length >= 16 && /\w\W+\w/.test(text);
}
