/**
 * Extracts and type-checks a submission. Runs in a process of its own (`service-child.ts`): a hostile source can
 * make a compiler spin or swell, and a warm language service makes the check of the next notebook 30 times faster.
 */
import ts from 'typescript';
import { visiblePaths } from '../base/visible';
import { extract, originOf, type Extraction, type Module, type Problem } from './extract';
import { createHost, SUBMISSION } from './language-host';
import type { Piece, SourceCell } from './pieces';
import { readsOf } from './reads';

/**
 * A module as it is sent to the process that runs it: CommonJS with a source map, so that this process needs no
 * compiler, which would take most of its start. The places are those of the lines before translation.
 */
export interface Loadable {
  readonly code: string;
  readonly places: readonly (readonly [cell: number, line: number] | null)[];
}

/** What became of one function. */
export interface Compiled {
  readonly status: 'ok' | 'compile_error' | 'missing_export';
  readonly problems: readonly Problem[];
  /** The function alone, with what it needs; only when it is ok. */
  readonly alone?: Loadable;
  /** What of the packages it names; only when it is ok. */
  readonly reads?: readonly string[];
}

export interface Compilation {
  readonly functions: Readonly<Record<string, Compiled>>;
  /** All functions that are ok in one module. */
  readonly together: Loadable;
  readonly notes: readonly Problem[];
}

export type Compile = (cells: readonly SourceCell[], functions: readonly string[]) => Compilation;

const PROBLEMS_PER_FUNCTION = 5;

/** As the notebook kernel's options: what compiles there compiles here. */
const OPTIONS: ts.CompilerOptions = {
  strict: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
  lib: ['lib.es2023.d.ts'],
  types: ['node'],
  esModuleInterop: true,
  skipLibCheck: true,
  noEmit: true,
  // else Bundler resolution would, and a message may quote what it resolved
  resolveJsonModule: false,
};

/**
 * A compiler that keeps the libraries' types in memory from one submission to the next.
 * @param visible the files and folders that a message may quote
 */
export function createCompile(visible: readonly string[] = visiblePaths()): Compile {
  const diagnose = createDiagnose(visible);
  return (cells, functions) => {
    const extraction = extract(cells, functions);
    const found = functions.filter((name) => extraction.slices.get(name)!.kind === 'found');
    const errors = attribute(diagnose(extraction.emit(found)), extraction);
    const compiled = functions.map((name) => [name, compileOne(name, extraction, errors.get(name) ?? [])] as const);
    const ok = compiled.filter(([, { status }]) => status === 'ok').map(([name]) => name);
    return {
      functions: Object.fromEntries(compiled),
      together: toLoadable(extraction.emit(ok)),
      notes: extraction.notes,
    };
  };
}

function compileOne(name: string, extraction: Extraction, errors: readonly Problem[]): Compiled {
  const slice = extraction.slices.get(name)!;
  if (slice.kind === 'missing') return { status: 'missing_export', problems: [slice.problem] };
  const problems = slice.kind === 'broken' ? slice.problems : errors;
  if (slice.kind === 'broken' || problems.length > 0)
    return { status: 'compile_error', problems: problems.slice(0, PROBLEMS_PER_FUNCTION) };
  return { status: 'ok', problems: [], alone: toLoadable(extraction.emit([name])), reads: readsOf(slice.pieces) };
}

function toLoadable({ code, map }: Module): Loadable {
  return { code: toJavaScript(code), places: map.map((origin) => origin && [origin.piece.cell.number, origin.line]) };
}

function toJavaScript(code: string): string {
  const compilerOptions: ts.CompilerOptions = {
    module: ts.ModuleKind.CommonJS,
    target: ts.ScriptTarget.ES2022,
    esModuleInterop: true,
    inlineSourceMap: true,
  };
  return ts.transpileModule(code, { fileName: 'submission.ts', compilerOptions }).outputText;
}

interface Finding {
  readonly piece: Piece;
  readonly problem: Problem;
}

/** A type error counts against every function whose slice it lies in, and against no other. */
function attribute(findings: readonly Finding[], { slices }: Extraction): Map<string, Problem[]> {
  return new Map(
    [...slices].map(([name, slice]) => {
      const mine = findings.filter(({ piece }) => slice.kind === 'found' && slice.pieces.has(piece));
      return [name, mine.map(({ problem }) => problem)];
    }),
  );
}

function createDiagnose(visible: readonly string[]): (module: Module) => Finding[] {
  let code = '';
  let version = 0;
  const service = ts.createLanguageService(createHost(OPTIONS, visible, () => ({ code, version })));
  return (module) => {
    code = module.code;
    version += 1;
    const diagnostics = [...service.getSyntacticDiagnostics(SUBMISSION), ...service.getSemanticDiagnostics(SUBMISSION)];
    return diagnostics.flatMap((diagnostic) => toFinding(diagnostic, module));
  };
}

function toFinding(diagnostic: ts.Diagnostic, { code, map }: Module): Finding[] {
  const before = code.slice(0, diagnostic.start ?? 0).split('\n');
  const [line, column] = [before.length, before.at(-1)!.length + 1];
  const place = originOf(map, line, column);
  if (place === undefined) return [];
  const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ');
  return [{ piece: map[line - 1]!.piece, problem: { message: `TS${diagnostic.code}: ${text}`, place } }];
}
