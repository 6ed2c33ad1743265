/** Examples in docstrings: found, type-checked, and run, with what they claim to give. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { files, ROOT } from './pages';

/** The text after one `@example`, and where it stands. */
export interface Example {
  /** "lib/core/random.ts: createRng". */
  readonly of: string;
  readonly code: string;
}

/** Sources whose docstrings are public. */
const SOURCES = files.filter((file) => /^(lib|grader)\/.*\.ts$/.test(file) && !file.startsWith('grader/chapters/'));

export const examples: readonly Example[] = SOURCES.flatMap((file) =>
  examplesIn(readFileSync(join(ROOT, file), 'utf8'), file),
);

export function examplesIn(text: string, file: string): Example[] {
  if (!text.includes('@example')) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Example[] = [];
  const visit = (node: ts.Node): void => {
    for (const tag of ts.getJSDocTags(node))
      if (tag.tagName.text === 'example' && tag.parent.parent === node)
        found.push({ of: `${file}: ${nameOf(node)}`, code: withoutStars(tag.getText(source)) });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function nameOf(node: ts.Node): string {
  const declaration = ts.isVariableStatement(node) ? node.declarationList.declarations[0]! : node;
  return (declaration as ts.NamedDeclaration).name?.getText() ?? '';
}

/** From "@example f(x)\n * g(x)" to the lines of code; a fence around them is taken off. */
function withoutStars(tag: string): string {
  const lines = tag
    .replace(/^@example ?/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''));
  return lines
    .filter((line) => !/^```/.test(line))
    .join('\n')
    .trim();
}

/** The packages that an example may use without importing them. */
const PACKAGES = ['dgm', 'grader'] as const;

/** An example as a module: what it uses is imported, and each line that claims a value hands both over. */
export interface Module {
  readonly example: Example;
  readonly code: string;
}

const CLAIM = /\/\/ → (.*)$/;

/** Names that `exports` has and the example uses without declaring them. */
function imports(code: string, exports: Readonly<Record<string, ReadonlySet<string>>>): string {
  const source = ts.createSourceFile('example.ts', code, ts.ScriptTarget.Latest, true);
  const [used, declared] = [new Set<string>(), new Set<string>()];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) used.add(node.text);
    if ((ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node)) && node.name && ts.isIdentifier(node.name))
      declared.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  const lines = PACKAGES.map((name) => {
    const names = [...used].filter((word) => exports[name]!.has(word) && !declared.has(word));
    return `import { ${names.join(', ')} } from '${name}';`;
  });
  return [`import * as tf from '@tensorflow/tfjs';`, ...lines].join('\n');
}

/** `expression // → value` becomes a call that is told both. */
function claiming(code: string): string {
  const source = ts.createSourceFile('example.ts', code, ts.ScriptTarget.Latest, true);
  let out = '';
  for (const statement of source.statements) {
    const rest = code.slice(statement.end).split('\n', 1)[0]!;
    const [, claim] = CLAIM.exec(rest) ?? [];
    const text = statement.getFullText(source);
    if (claim === undefined) out += text;
    else if (ts.isExpressionStatement(statement))
      out += `\nawait claim(async () => (${statement.expression.getText(source)}), ${JSON.stringify(claim)});`;
    else throw new Error(`a value is claimed of a statement: ${statement.getText(source)}`);
  }
  return out;
}

export function toModule(example: Example, exports: Readonly<Record<string, ReadonlySet<string>>>): Module {
  const code = [
    imports(example.code, exports),
    'declare function claim(run: () => unknown, value: string): Promise<void>;',
    claiming(example.code),
    'export {};',
  ];
  return { example, code: code.join('\n') };
}

/** What the types say against each module, by its place in the list: as a file of a notebook's folder would be told. */
export function typeErrors(modules: readonly Module[]): string[] {
  const fileOf = (i: number) => join(ROOT, `example-${i}.ts`);
  const texts = new Map(modules.map(({ code }, i) => [fileOf(i), code]));
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts'],
    types: ['node'],
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (file) => texts.has(file) || fileExists(file);
  host.getSourceFile = (file, language, ...rest) => {
    const text = texts.get(file);
    return text === undefined
      ? getSourceFile(file, language, ...rest)
      : ts.createSourceFile(file, text, language, true);
  };
  const program = ts.createProgram([...texts.keys()], options, host);
  return modules.map((_, i) => {
    const file = program.getSourceFile(fileOf(i))!;
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')).join('; ');
  });
}

const AsyncFunction = (async () => undefined).constructor as new (
  ...words: string[]
) => (...given: unknown[]) => Promise<void>;

/**
 * Runs a module.
 * @param require gives the packages
 * @throws what the example throws, or an error that says what it gave instead of what it claims
 */
export async function run({ code }: Module, require: (name: string) => unknown): Promise<void> {
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true };
  const { outputText } = ts.transpileModule(code, { compilerOptions });
  await new AsyncFunction('require', 'exports', 'claim', outputText)(require, {}, claim);
}

async function claim(body: () => unknown, value: string): Promise<void> {
  const [, thrown] = /^throws (.*)$/.exec(value) ?? [];
  let got: unknown;
  try {
    got = await body();
  } catch (error) {
    if (thrown !== undefined && String((error as Error).message).includes(thrown)) return;
    throw error;
  }
  if (thrown !== undefined) throw new Error(`expected an error with '${thrown}', got ${shown(got)}`);
  const plainValue = isTensor(got) ? got.arraySync() : got;
  if (!agrees(plainValue, parse(value))) throw new Error(`expected ${value}, got ${shown(plainValue)}`);
}

const isTensor = (value: unknown): value is { arraySync(): unknown } =>
  typeof value === 'object' && value !== null && 'arraySync' in value;

const shown = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) => (ArrayBuffer.isView(item) ? [...(item as Float32Array)] : item));

function parse(text: string): ts.Expression {
  const source = ts.createSourceFile('value.ts', `(${text})`, ts.ScriptTarget.Latest, true);
  const [statement] = source.statements;
  if (source.statements.length !== 1 || !statement || !ts.isExpressionStatement(statement))
    throw new Error(`expected a value after →, got ${text}`);
  return (statement.expression as ts.ParenthesizedExpression).expression;
}

/** Numbers agree to the digits that are written. An object may have more fields than are written. */
function agrees(got: unknown, wanted: ts.Expression): boolean {
  if (ts.isArrayLiteralExpression(wanted)) {
    const items = ArrayBuffer.isView(got) ? [...(got as Float32Array)] : got;
    return (
      Array.isArray(items) &&
      items.length === wanted.elements.length &&
      wanted.elements.every((e, i) => agrees(items[i], e))
    );
  }
  if (ts.isObjectLiteralExpression(wanted)) {
    const fields = wanted.properties.filter(ts.isPropertyAssignment);
    const value = (name: string) => (got as Readonly<Record<string, unknown>> | null)?.[name];
    return (
      fields.length === wanted.properties.length && fields.every((f) => agrees(value(f.name.getText()), f.initializer))
    );
  }
  if (ts.isStringLiteral(wanted)) return got === wanted.text;
  const word = wanted.getText();
  if (word in WORDS) return Object.is(got, WORDS[word]);
  if (!/^-?\d+(\.\d+)?(e-?\d+)?$/.test(word)) throw new Error(`expected a value after →, got ${word}`);
  const decimals = /\.(\d+)/.exec(word)?.[1]?.length;
  const tolerance = decimals === undefined ? 1e-6 * Math.abs(Number(word)) : 0.5001 * 10 ** -decimals;
  return typeof got === 'number' && Math.abs(got - Number(word)) <= tolerance;
}

const WORDS: Readonly<Record<string, unknown>> = {
  true: true,
  false: false,
  null: null,
  undefined,
  Infinity,
  '-Infinity': -Infinity,
  NaN,
};
