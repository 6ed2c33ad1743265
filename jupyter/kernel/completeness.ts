/** Whether a console may run what was typed: complete, not yet, or never. */
import type * as TypeScript from 'typescript';

export interface Completeness {
  readonly status: 'complete' | 'incomplete' | 'invalid';
  /** What the next line begins with, where there is one. */
  readonly indent: string;
}

/** tslab's own answer, of which we take the indentation: it knows nothing invalid, and takes an open template for whole. */
type Judge = (source: string) => { readonly indent?: string };

/** Findings at the end of the text that no further line mends: a string or a regular expression ends in its line. */
const ENDS_WITH_ITS_LINE: ReadonlySet<number> = new Set([1002, 1161]);

/** Two empty lines at the end ask for a run, whatever stands above. */
const INSISTS = /(^|\n)\s*\n\s*$/;

/** By the parser alone: types are looked at when the cell runs. */
export function completenessOf(ts: typeof TypeScript, source: string, judge: Judge): Completeness {
  const file = ts.createSourceFile('tmp.ts', source, ts.ScriptTarget.Latest) as Parsed;
  const findings = file.parseDiagnostics;
  const first = findings[0];
  if (first === undefined) return { status: 'complete', indent: '' };
  if (INSISTS.test(source)) return { status: 'invalid', indent: '' };
  const isOpen = first.start >= source.trimEnd().length && !ENDS_WITH_ITS_LINE.has(first.code);
  return isOpen ? { status: 'incomplete', indent: judge(source).indent ?? '' } : { status: 'invalid', indent: '' };
}

/** What the parser found wrong: not in its declarations. */
interface Parsed extends TypeScript.SourceFile {
  readonly parseDiagnostics: readonly TypeScript.DiagnosticWithLocation[];
}
