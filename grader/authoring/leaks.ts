/** Whether a text that students get shows a line of a solution. */
import type { Notebook } from 'dgm-jupyter';
import ts from 'typescript';
import type { BuiltChapter, Solution } from './build-chapter';

/** A line of a solution, in the forms in which it could stand in a file. */
export interface Needle {
  readonly exercise: string;
  readonly line: string;
  /** Without any white space, since a formatter may break a line anywhere. The last one is the shortest. */
  readonly forms: readonly string[];
}

/** The telling lines of the solutions: as written, without their comments, and as the compiler writes them. */
export function needlesOf(solutions: readonly Solution[]): Needle[] {
  return solutions.flatMap(({ exercise, body }) => {
    const compiled = ts.transpileModule(body.join('\n'), {
      compilerOptions: { target: ts.ScriptTarget.ES2022, removeComments: true },
    });
    const found = new Map<string, Needle>();
    for (const line of [...body, ...compiled.outputText.split('\n')]) {
      const forms = formsOf(line);
      const shortest = forms.at(-1);
      if (shortest !== undefined && !found.has(shortest)) found.set(shortest, { exercise, line: line.trim(), forms });
    }
    return [...found.values()];
  });
}

/** "the solution of mixture.em: …" for each of these lines that the text shows. */
export function leaksIn(text: string, needles: readonly Needle[]): string[] {
  const shown = withoutSpace(text);
  const found = needles.filter(({ forms }) => forms.some((form) => shown.includes(form)));
  return found.map(({ exercise, line }) => `a line of the solution of ${exercise}: ${line}`);
}

/** Lines of solutions that the released notebook shows more often than the text around the solutions does. */
export function notebookLeaks({ complete, released, solutions }: BuiltChapter): string[] {
  const [shown, authored] = [released, complete].map((notebook) => dense(notebook, 'code'));
  const prose = dense(released, 'markdown');
  const [hidden, given] = [
    withoutSpace(solutions.flatMap(({ body }) => body).join('\n')),
    withoutSpace(solutions.flatMap((solution) => solution.given).join('\n')),
  ];
  const leaks = needlesOf(solutions).filter(({ forms }) =>
    forms.some((form) => {
      const allowed = count(authored!, form) - count(hidden, form) + count(given, form);
      return count(shown!, form) > allowed || prose.includes(form);
    }),
  );
  return leaks.map(({ exercise, line }) => `the release shows a line of the solution of ${exercise}: ${line}`);
}

function dense({ cells }: Notebook, kind: 'code' | 'markdown'): string {
  const sources = cells.filter(({ cell_type }) => cell_type === kind).map(({ source }) => source);
  return withoutSpace(sources.join('\n'));
}

function formsOf(line: string): string[] {
  const bare = line.replace(/\s\/\/ .*$/, '').replace(/[;,]\s*$/, '');
  return [...new Set([line, bare].filter(isTelling).filter(isWhole).map(withoutSpace))];
}

function count(text: string, form: string): number {
  return text.split(form).length - 1;
}

function withoutSpace(text: string): string {
  // a formatter that breaks a list may end it with a comma
  return text.replace(/\s+/g, '').replace(/,(?=[)\]}])/g, '');
}

/** A step of a chain that is broken into lines is a common phrase, unless it is long. */
function isWhole(line: string): boolean {
  return !/^\s*\./.test(line) || line.trim().length >= 32;
}

/** Brackets and short words occur everywhere. */
function isTelling(line: string): boolean {
  const text = line.trim().replace(/\s+/g, ' ');
  return text.length >= 16 && /\w\W+\w/.test(text);
}
