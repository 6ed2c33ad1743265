/**
 * The TypeScript of cells. tslab's converter does the hard part: it checks each cell against the declarations of
 * the cells before it. Its compiler settings are fixed, so they are set to ours from outside, in memory only.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as TslabConverter from 'tslab/dist/converter.js';
import type * as TslabInspect from 'tslab/dist/inspect.js';
import type * as TypeScript from 'typescript';
import { type Completeness, completenessOf } from './completeness';
import { createLocalFiles, type LocalFiles } from './local-files';
import { type MapChain, splitInlineMap } from './source-maps';

export type Ts = typeof TypeScript;
export type Diagnostic = TslabConverter.Diagnostic;

export interface CompilerOptions {
  /** The project: packages that a cell imports are looked up here first. */
  readonly root: string;
  /** The notebook's folder: relative imports start here. */
  readonly cwd: string;
}

/** CommonJS, with top-level names as exports. */
interface CompiledCode {
  readonly code: string;
  readonly map: MapChain;
}

export interface CompiledCell extends CompiledCode {
  /** Declarations of this and all earlier cells, for the next one. */
  readonly declarations: string;
  /** The export that holds the value of the last expression. */
  readonly lastExpression: string | null;
  /** Local TypeScript files that the cell imports, when new or changed. */
  readonly files: readonly (CompiledCode & { readonly path: string })[];
}

type Compiled = CompiledCell | { readonly diagnostics: readonly Diagnostic[] };

export interface Compiler {
  readonly ts: Ts;
  compile(declarations: string, source: string): Compiled;
  complete(declarations: string, source: string, cursor: number): Completions;
  inspect(declarations: string, source: string, cursor: number): string | null;
  completeness(source: string): Completeness;
}

interface Completions {
  readonly start: number;
  readonly end: number;
  readonly candidates: readonly string[];
}

/** tslab puts the line `export {};` in front of a cell. */
const LINES_BEFORE_CELL = 1;

/** Loads TypeScript and the types that cells use; takes about a second. */
export function createCompiler(options: CompilerOptions): Compiler {
  const tslab = createRequire(require.resolve('tslab'));
  const tsPath = tslab.resolve('@tslab/typescript-for-tslab');
  const ts = tslab(tsPath) as Ts;
  const local = createLocalFiles(options.cwd);
  const maps = new Map<string, MapChain>();
  require.cache[tsPath]!.exports = adapted(ts, options, local, maps);
  const { createConverter, isCompleteCode } = tslab('./converter') as typeof TslabConverter;
  const { printQuickInfo } = tslab('./inspect') as typeof TslabInspect;
  const converter = createConverter({});
  return {
    ts,
    completeness: (source) => completenessOf(ts, source, isCompleteCode),
    compile(declarations, source) {
      local.refresh();
      maps.clear();
      return compiled(converter.convert(declarations, source), maps);
    },
    complete: (declarations, source, cursor) => complete(converter, declarations, source, cursor),
    inspect(declarations, source, cursor) {
      const info = converter.inspect(declarations, source, cursor);
      return info ? printQuickInfo(info) : null;
    },
  };
}

function complete(
  converter: TslabConverter.Converter,
  declarations: string,
  source: string,
  cursor: number,
): Completions {
  const { start, end, candidates } = converter.complete(declarations, source, cursor);
  return { start, end, candidates };
}

function compiled(result: TslabConverter.ConvertResult, maps: ReadonlyMap<string, MapChain>): Compiled {
  if (result.diagnostics.length > 0) return { diagnostics: result.diagnostics };
  const code = result.output ?? '';
  return {
    code,
    map: (maps.get(code) ?? []).map((step, i) => (i === 1 ? { ...step, linesBefore: LINES_BEFORE_CELL } : step)),
    declarations: result.declOutput ?? '',
    lastExpression: result.lastExpressionVar ?? null,
    files: (result.sideOutputs ?? []).map(({ path, data }) => ({ path, code: data, map: maps.get(data) ?? [] })),
  };
}

/** TypeScript as tslab shall see it. */
function adapted(ts: Ts, options: CompilerOptions, local: LocalFiles, maps: Map<string, MapChain>): Ts {
  // tslab sets this on the object it is given; it belongs on the real one.
  (ts.sys as { useCaseSensitiveFileNames: boolean }).useCaseSensitiveFileNames = true;
  const sys: TypeScript.System = Object.assign(Object.create(ts.sys), {
    getCurrentDirectory: () => options.cwd.replaceAll('\\', '/'),
    watchFile: local.watchFile,
    watchDirectory: () => ({ close: () => undefined }),
  });
  const createWatchCompilerHost: Ts['createWatchCompilerHost'] = (...args: unknown[]) => {
    const [files, settings, system] = args as [string[], TypeScript.CompilerOptions, TypeScript.System];
    const own = { ...settings, ...cellSettings(ts, options.root) };
    const roots = [...files, ...preloaded(options.root)];
    const host = ts.createWatchCompilerHost(roots, own, system, plainBuilder(ts), ...(args.slice(4) as []));
    return withPackages(ts, host, own, options) as never;
  };
  const transpileModule = (code: string, settings: TypeScript.TranspileOptions) =>
    transpileWithMap(ts, code, settings, maps);
  const visitEachChild = spellingOut(ts);
  return { ...ts, sys, createWatchCompilerHost, transpileModule, visitEachChild } as unknown as Ts;
}

function cellSettings(ts: Ts, root: string): TypeScript.CompilerOptions {
  return {
    strict: true,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts'],
    types: ['node'],
    typeRoots: [join(root, 'node_modules', '@types')],
    inlineSourceMap: true,
    allowImportingTsExtensions: true, // './helper.ts' is what Node.js itself wants by now
    // A setting of tslab's own compiler, which then reads `await (x)` as a call of a function named await.
    disableTopLevelAwait: false,
  };
}

/** Read while the kernel starts: the library's types (and TensorFlow's), and array methods newer than tslab. */
function preloaded(root: string): string[] {
  const files = [join(root, 'lib', 'dist', 'index.d.ts'), join(root, 'jupyter', 'share', 'newer-than-tslab.d.cts')];
  return files.filter((file) => existsSync(file)).map((file) => file.replaceAll('\\', '/'));
}

/**
 * Programs that do not list, for each cell anew, which of 700 library files imports which: half of the time of a
 * cell. tslab asks for these lists to find the local files that a cell imports, so only those are looked for.
 */
function plainBuilder(ts: Ts): TypeScript.CreateProgram<TypeScript.BuilderProgram> {
  return (...args) => {
    const builder = ts.createAbstractBuilder(...args);
    // made now: tslab reads at once what only the checker's creation finds out
    resolveShorthand(ts, builder.getProgram().getTypeChecker());
    const getAllDependencies = (file: TypeScript.SourceFile) => localDependencies(builder.getProgram(), file);
    return Object.assign(builder, { getAllDependencies });
  };
}

/**
 * tslab writes `exports.a` for every name `a` of an earlier cell, but overlooks the one in `{ a }`, which stands for
 * a property and for a value: asked about it, the checker shall answer for the value.
 */
function resolveShorthand(ts: Ts, checker: TypeScript.TypeChecker): void {
  const own = checker.getSymbolAtLocation.bind(checker);
  checker.getSymbolAtLocation = (node) =>
    node.parent && ts.isShorthandPropertyAssignment(node.parent) && node.parent.name === node
      ? checker.getShorthandAssignmentValueSymbol(node.parent)
      : own(node);
}

/** The walk over a cell's tree by which tslab renames, with `{ a }` as `{ a: exports.a }` where a was renamed. */
function spellingOut(ts: Ts): Ts['visitEachChild'] {
  const visitEachChild = (
    node: TypeScript.Node,
    visitor: TypeScript.Visitor,
    context: TypeScript.TransformationContext,
  ) => {
    if (!ts.isShorthandPropertyAssignment(node)) return ts.visitEachChild(node, visitor, context);
    const initialiser = node.objectAssignmentInitializer && ts.visitNode(node.objectAssignmentInitializer, visitor);
    const value = visitor(node.name) as TypeScript.Expression;
    if (value === node.name && initialiser === node.objectAssignmentInitializer) return node;
    const target = initialiser ? ts.factory.createAssignment(value, initialiser as TypeScript.Expression) : value;
    return ts.setTextRange(ts.factory.createPropertyAssignment(node.name, target), node);
  };
  return visitEachChild as Ts['visitEachChild'];
}

/** A file and all that it imports, directly or not, that is no declaration file. */
function localDependencies(program: TypeScript.Program, file: TypeScript.SourceFile): string[] {
  const found = new Set([file.fileName]);
  const follow = (from: TypeScript.SourceFile) => {
    (from as Resolved).resolvedModules?.forEach(({ resolvedModule }) => {
      const to = resolvedModule && program.getSourceFile(resolvedModule.resolvedFileName);
      if (!to || to.isDeclarationFile || found.has(to.fileName)) return;
      found.add(to.fileName);
      follow(to);
    });
  };
  follow(file);
  return [...found];
}

/** What the compiler found for a file's imports: not in its declarations, but tslab pins its version. */
interface Resolved extends TypeScript.SourceFile {
  readonly resolvedModules?: {
    forEach(visit: (resolution: { readonly resolvedModule?: TypeScript.ResolvedModule }) => void): void;
  };
}

type CellHost = TypeScript.WatchCompilerHostOfFilesAndCompilerOptions<TypeScript.BuilderProgram>;

/** Packages named in a cell are looked up in the project, so that a notebook works from any folder. */
function withPackages(
  ts: Ts,
  host: CellHost,
  settings: TypeScript.CompilerOptions,
  { root, cwd }: CompilerOptions,
): CellHost {
  const cache = ts.createModuleResolutionCache(root, (path) => path, settings);
  const resolve = (name: string, from: string) => ts.resolveModuleName(name, from, settings, host);
  const inProject = join(root, 'cell.ts');
  const isCell = (file: string) =>
    /\/(__tslab__\.ts|__prev__\.d\.ts)$/.test(file) && file.startsWith(cwd.replaceAll('\\', '/'));
  host.resolveModuleNameLiterals = (literals, file, redirected) =>
    literals.map(({ text }) => {
      if (!isCell(file)) return ts.resolveModuleName(text, file, settings, host, cache, redirected);
      const found = text.startsWith('.') ? undefined : resolve(text, inProject);
      return found?.resolvedModule ? found : resolve(text, file);
    });
  // What was found stays found: without this, every cell would look up every import of every library again.
  host.hasInvalidatedResolutions = () => false;
  return host;
}

/** tslab's second step, to CommonJS, with the source maps of both steps kept for the resulting code. */
function transpileWithMap(
  ts: Ts,
  input: string,
  settings: TypeScript.TranspileOptions,
  maps: Map<string, MapChain>,
): TypeScript.TranspileOutput {
  const first = splitInlineMap(input);
  const compilerOptions = { ...settings.compilerOptions, inlineSourceMap: true };
  const output = ts.transpileModule(first.code, { ...settings, compilerOptions });
  const second = splitInlineMap(output.outputText);
  const steps = [second.json, first.json].filter((json) => json !== null);
  maps.set(
    second.code,
    steps.map((json) => ({ json, linesBefore: 0 })),
  );
  return { ...output, outputText: second.code };
}
