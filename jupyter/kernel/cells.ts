/** Runs cells one after the other, each seeing what the earlier ones declared. */
import { Script } from 'node:vm';
import { hasAsync, hasAwait, lowerAsync } from './awaiting';
import { type CompiledCell, type Compiler, createCompiler, type Diagnostic, type Ts } from './compiler';
import { type CellError, describeDiagnostics, describeThrown, INTERRUPTED } from './errors';
import { type StopButton, Stopped } from './interrupts';
import { createModules, type Require } from './modules';
import { adviceOnCommands, type Question, questionIn } from './questions';
import { asPartOf, type CellRun, interruptRun } from './run';
import { type MapChain, originOf, type Position } from './source-maps';
import { positionText, registerScript } from './stacks';
import { present, shown } from './values';
import { variablesTable } from './variables';

export type Outcome =
  /** The last expression's value as JSON: an object with its formats, `data`, and `metadata`. */
  { readonly status: 'ok'; readonly result: string | null } | { readonly status: 'error'; readonly error: CellError };

export interface CellRunner extends Pick<Compiler, 'completeness'> {
  execute(source: string, run: CellRun): Promise<Outcome>;
  /** The value of an expression over all cells until now; what it declares is not kept. */
  evaluate(expression: string, run: CellRun): Promise<Outcome>;
  complete(source: string, cursor: number): ReturnType<Compiler['complete']>;
  inspect(source: string, cursor: number): string | null;
}

export interface CellRunnerOptions {
  readonly root: string;
  readonly cwd: string;
  readonly button: StopButton;
  /** See `createModules`. */
  readonly tslab: () => void;
}

/** Loads the compiler; takes about a second. */
export function createCellRunner({ root, cwd, button, tslab }: CellRunnerOptions): CellRunner {
  const compiler = createCompiler({ root, cwd });
  const modules = createModules(root, cwd, tslab);
  const names = createNames();
  const missing = new Map<string, string>();
  let declarations = '';

  async function execute(source: string, run: CellRun): Promise<Outcome> {
    const question = questionIn(source);
    return question ? answered(question, run) : executed(source, run);
  }

  /** What is known of nothing is run, which says so: "Cannot find name 'mu'. Did you mean 'nu'?" */
  async function answered(question: Question, run: CellRun): Promise<Outcome> {
    if (question.about === 'variables')
      return { status: 'ok', result: shown(variablesTable(compiler.ts, declarations, names.exports)) };
    const text = compiler.inspect(declarations, question.name, question.name.length);
    const known = text !== null && text.trim() !== 'any'; // the compiler's word for what it knows nothing of
    return known ? { status: 'ok', result: shown({ 'text/plain': text }) } : executed(question.name, run);
  }

  async function executed(source: string, run: CellRun): Promise<Outcome> {
    const compiled = compiler.compile(declarations, source);
    if ('diagnostics' in compiled) {
      for (const name of declaredIn(source)) missing.set(name, run.label);
      const error = describeDiagnostics(compiled.diagnostics, run.label, source, hint);
      const advice = adviceOnCommands(source);
      return failed(advice === null ? error : { ...error, traceback: [...error.traceback, advice] });
    }
    modules.update(compiled.files);
    const script = createScript(compiler.ts, compiled, source, run.label);
    names.touched.clear();
    const cell = script.runInThisContext() as Cell;
    const error = await runCell(() => button.interruptible(() => cell(names.exports, modules.require)), run);
    declarations = error ? reached(compiled.declarations, run.label) : compiled.declarations;
    if (error) return failed(error);
    return { status: 'ok', result: present(names.take(compiled.lastExpression)) };
  }

  /** Of a cell that failed half-way: what it declared until then, so that an interrupted training is not lost. */
  function reached(all: string, label: string): string {
    return filterDeclarations(compiler.ts, all, (name) => {
      const kept = !names.touched.has(name) || names.exports[name] !== undefined;
      if (!kept) missing.set(name, label);
      return kept;
    });
  }

  function hint({ code, messageText }: Diagnostic): string | null {
    const name = CANNOT_FIND_NAME.has(code) ? /'(\w+)'/.exec(messageText)?.[1] : undefined;
    const cell = name === undefined ? undefined : missing.get(name);
    if (cell) return `  ${cell} failed before it declared '${name}': correct that cell and run it again.`;
    return EXPORT_CODES.has(code)
      ? '  A cell needs no export: its top-level names are known to all later cells.'
      : null;
  }

  async function evaluate(expression: string, run: CellRun): Promise<Outcome> {
    const before = declarations;
    const outcome = await executed(`(${expression}\n)`, run);
    declarations = before;
    return outcome;
  }

  return {
    execute,
    evaluate,
    completeness: compiler.completeness,
    complete: (source, cursor) => compiler.complete(declarations, source, cursor),
    inspect: (source, cursor) => compiler.inspect(declarations, source, cursor),
  };
}

/** "Cannot find name", without and with a suggestion. */
const CANNOT_FIND_NAME: ReadonlySet<number> = new Set([2304, 2552]);
/** "Cannot redeclare exported variable" and "export declaration conflicts": an `export` in a cell. */
const EXPORT_CODES: ReadonlySet<number> = new Set([2323, 2484]);

/** Names that a cell declares at the start of a line: good enough for advice. */
function declaredIn(source: string): string[] {
  const declaration = /^(?:async )?(?:const|let|var|function\*?|class|enum) (\w+)/gm;
  return Array.from(source.matchAll(declaration), ([, name]) => name!);
}

function failed(error: CellError): Outcome {
  return { status: 'error', error };
}

interface Names {
  readonly exports: Record<string, unknown>;
  /** Names that the running cell has set. */
  readonly touched: Set<string>;
  /** The value of a name that is then forgotten. */
  take(name: string | null): unknown;
}

/** The values of all cells by name. TypeScript defines what is imported by getters; a cell may declare it anew. */
function createNames(): Names {
  const values: Record<string, unknown> = {};
  const touched = new Set<string>();
  const put = (name: string | symbol, value: unknown) => {
    if (name === '__esModule' || typeof name === 'symbol') return true;
    touched.add(name);
    values[name] = value;
    return true;
  };
  const exports = new Proxy(values, {
    set: (_, name, value) => put(name, value),
    defineProperty: (_, name, attributes) => put(name, attributes.get ? attributes.get() : attributes.value),
  });
  const take = (name: string | null) => {
    const value = name === null ? undefined : values[name];
    if (name !== null) delete values[name];
    // The compiler's name of the last expression is none that anybody gave.
    if (typeof value === 'function' && value.name === name) Object.defineProperty(value, 'name', { value: '' });
    return value;
  };
  return { exports, touched, take };
}

/** One line, so that columns stay as they are. */
const WRAPPER: MapChain = [{ json: null, linesBefore: 1 }];

function createScript(ts: Ts, cell: CompiledCell, source: string, label: string): Script {
  const wrapped = `(${hasAwait(cell.code) ? 'async ' : ''}function (exports, require) {\n${cell.code}\n})`;
  const map = [...WRAPPER, ...cell.map];
  const positionOf = (position: Position) => {
    const origin = originOf(map, position);
    return origin ? positionText(label, origin) : '';
  };
  const lowered = hasAsync(cell.code) ? lowerAsync(ts, wrapped, positionOf) : { code: wrapped, map: [] };
  registerScript(label, { label, map: [...lowered.map, ...map], source });
  return new Script(lowered.code, { filename: label });
}

type Cell = (exports: Names['exports'], require: Require) => unknown;

/** Runs a cell to its end, or to the end of what is left of it after a stop; null when all went well. */
async function runCell(start: () => unknown, run: CellRun): Promise<CellError | null> {
  let error: CellError | null = null;
  try {
    await Promise.race([asPartOf(run, start), run.ended]);
  } catch (thrown) {
    if (thrown instanceof Stopped) interruptRun(run);
    else error = describeThrown(thrown);
  }
  return run.interrupted ? INTERRUPTED : error;
}

/** Declarations without the variables, classes and enums that `keep` refuses. */
function filterDeclarations(ts: Ts, declarations: string, keep: (name: string) => boolean): string {
  const file = ts.createSourceFile('declarations.d.ts', declarations, ts.ScriptTarget.Latest, true);
  const texts = file.statements.map((statement) => {
    if (ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement))
      return statement.name && !keep(statement.name.text) ? '' : statement.getText();
    if (!ts.isVariableStatement(statement)) return statement.getText();
    const all = statement.declarationList.declarations;
    const start = declarations.slice(statement.getStart(), all[0]!.getStart());
    const kept = all.filter(({ name }) => keep(name.getText()));
    return kept.map((declaration) => `${start}${declaration.getText()};`).join('\n');
  });
  return texts.filter((text) => text !== '').join('\n');
}
