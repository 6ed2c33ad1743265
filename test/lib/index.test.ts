import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';

// The door of the library: what chapters import is there, every value has a docstring, and a type that a signature
// names can be named by whoever reads it.

const root = join(import.meta.dirname, '..', '..');
const lib = join(root, 'lib');
const DOORS = ['index.ts', 'engine/index.ts', 'host/index.ts', 'figures/index.ts'].map((door) => join(lib, door));

// What a door offers

interface Surface {
  /** Names of the first door. */
  readonly names: readonly string[];
  readonly undocumented: readonly string[];
  /** "fit names Hidden": a type of the folder that no door offers. */
  readonly hidden: readonly string[];
}

function surfaceOf(doors: readonly string[], folder: string): Surface {
  const options = { ...ts.getDefaultCompilerOptions(), module: ts.ModuleKind.Node20, strict: true, skipLibCheck: true };
  const program = ts.createProgram(doors, { ...options, types: [], target: ts.ScriptTarget.ES2022 });
  const checker = program.getTypeChecker();
  const resolved = (symbol: ts.Symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const offers = doors.map((door) =>
    checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(door)!)!),
  );
  const offered = new Set(offers.flat().map(resolved));
  const first = offers[0]!.map((symbol) => ({ name: symbol.name, symbol: resolved(symbol) }));
  const ours = (symbol: ts.Symbol) => symbol.declarations?.[0]?.getSourceFile().fileName.startsWith(folder);
  const unnameable = (name: string, symbol: ts.Symbol) =>
    symbol
      .getDeclarations()!
      .flatMap(typesOf)
      .flatMap((node) => checker.getSymbolAtLocation(node) ?? [])
      .map(resolved)
      .filter((type) => ours(type) && !(type.flags & ts.SymbolFlags.TypeParameter) && !offered.has(type))
      .map((type) => `${name} names ${type.name}`);
  return {
    names: first.map(({ name }) => name),
    undocumented: first
      .filter(({ symbol }) => symbol.flags & ts.SymbolFlags.Value)
      .filter(({ symbol }) => symbol.getDocumentationComment(checker).length === 0)
      .map(({ name }) => name),
    hidden: first.flatMap(({ name, symbol }) => unnameable(name, symbol)),
  };
}

/** The names of the types in what a reader sees of a declaration: signatures, not what functions do. */
function typesOf(node: ts.Node): ts.Node[] {
  if (ts.isTypeReferenceNode(node)) return [node.typeName, ...(node.typeArguments ?? []).flatMap(typesOf)];
  if (ts.isExpressionWithTypeArguments(node)) return [node.expression, ...(node.typeArguments ?? []).flatMap(typesOf)];
  if (ts.isVariableDeclaration(node)) return typesOf(node.type ?? node.initializer!);
  if (ts.isParameter(node)) return node.type ? typesOf(node.type) : [];
  if (
    ts.isTypeNode(node) ||
    ts.isTypeElement(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node)
  )
    return childrenOf(node).flatMap(typesOf);
  if (ts.isFunctionDeclaration(node) || ts.isArrowFunction(node) || ts.isMethodDeclaration(node))
    return [...(node.typeParameters ?? []), ...node.parameters, ...(node.type ? [node.type] : [])].flatMap(typesOf);
  if (ts.isTypeParameterDeclaration(node)) return childrenOf(node).filter(ts.isTypeNode).flatMap(typesOf);
  if (ts.isObjectLiteralExpression(node)) return node.properties.flatMap(typesOf);
  if (ts.isPropertyAssignment(node)) return typesOf(node.initializer);
  if (ts.isSatisfiesExpression(node) || ts.isAsExpression(node)) return typesOf(node.expression);
  return [];
}

function childrenOf(node: ts.Node): ts.Node[] {
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  return children;
}

// What is asked of it

/** The names that TypeScript imports from 'dgm': by name, or as properties of the whole. */
function asked(text: string): string[] {
  const source = ts.createSourceFile('asked.ts', text, ts.ScriptTarget.Latest, true);
  const names: string[] = [];
  const wholes = new Set<string>();
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue;
    const from = statement.moduleSpecifier;
    if (!from || !ts.isStringLiteral(from) || from.text !== 'dgm') continue;
    const bound = ts.isImportDeclaration(statement) ? statement.importClause?.namedBindings : statement.exportClause;
    if (bound && ts.isNamespaceImport(bound)) wholes.add(bound.name.text);
    else if (bound && 'elements' in bound)
      for (const { name, propertyName } of bound.elements) names.push((propertyName ?? name).text);
  }
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression) && wholes.has(node.expression.text))
      names.push(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

interface Cell {
  readonly cell_type: string;
  readonly source: string | readonly string[];
}

/** The code of a page: a source, the cells of a notebook, the fences of a text. */
function codeIn(file: string): string {
  const text = readFileSync(file, 'utf8');
  if (file.endsWith('.md')) return [...text.matchAll(/^```ts\n([^]*?)^```/gm)].map(([, code]) => code).join('\n');
  if (!file.endsWith('.ipynb')) return text;
  const { cells } = JSON.parse(text) as { readonly cells: readonly Cell[] };
  const code = cells.filter(({ cell_type }) => cell_type === 'code');
  return code.map(({ source }) => [source].flat().join('')).join('\n');
}

/** Pages that a student or a lecturer reads. */
function pages(): string[] {
  const below = (folder: string) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(root, folder, name));
  const all = ['solutions', 'notebooks', 'grader/chapters', 'test/fixtures/course', 'docs'].flatMap(below);
  return [...all, join(root, 'README.md'), join(root, 'CONTRIBUTING.md')].filter(
    (file) => /\.(ts|ipynb|md)$/.test(file) && !file.includes(`${sep}.`),
  );
}

const missing = (names: readonly string[], offered: readonly string[]) =>
  names.filter((name) => !offered.includes(name));

describe('the door', () => {
  let surface: Surface;
  beforeAll(() => {
    surface = surfaceOf(DOORS, lib);
  }, 120_000);

  test('has all that chapters, notebooks, checks and pages import', () => {
    const files = pages();
    const names = [...new Set(files.flatMap((file) => asked(codeIn(file))))];
    expect(names.length).toBeGreaterThan(80);
    expect(missing(names, surface.names)).toEqual([]);
    expect(missing([...names, 'noSuchName'], surface.names)).toEqual(['noSuchName']);
  });

  test('documents every value', () => expect(surface.undocumented).toEqual([]));

  test('names every type that its signatures name', () => expect(surface.hidden).toEqual([]));

  test('is listed by hand, but for the families', () => {
    const stars = readFileSync(DOORS[0]!, 'utf8').match(/^export \*.*$/gm);
    expect(stars).toEqual([`export * from './families';`]);
  });
});

describe('is seen to be wrong', () => {
  test('a value without docstring, a type that cannot be named', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dgm-door-'));
    try {
      const door = join(folder, 'index.ts');
      writeFileSync(
        door,
        `interface Hidden { readonly a: number }
         export interface Seen { readonly hidden?: Hidden }
         export function bare<T extends Seen>(x: T): T { const y: Hidden = { a: 1 }; return y ? x : x; }
         /** Has one. */ export const parts = { f: (x: readonly Hidden[]) => x.length };`,
      );
      const { names, undocumented, hidden } = surfaceOf([door], folder);
      expect([...names].sort()).toEqual(['Seen', 'bare', 'parts']);
      expect(undocumented).toEqual(['bare']);
      expect(hidden).toEqual(['Seen names Hidden', 'parts names Hidden']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test.each([
    [`import { a, type B, c as d } from 'dgm';`, ['a', 'B', 'c']],
    [`import * as all from 'dgm';\nall.fit(all);`, ['fit']],
    [`export { e } from 'dgm';`, ['e']],
    [`import { f } from 'dgm/engine';\nconst dgm = { g: 1 }; dgm.g;`, []],
  ])('what is asked by %s', (text, names) => expect(asked(text)).toEqual(names));
});

test('who imports it loads TensorFlow.js, and no package that only a part of the library needs', () => {
  const program = `require('dgm');
    const packages = Object.keys(require.cache).flatMap((path) => /.*node_modules.((?:@[^\\/\\\\]+.)?[^\\/\\\\]+)/.exec(path)?.[1] ?? []);
    console.log(JSON.stringify([...new Set(packages)].filter((name) => !name.startsWith('@tensorflow')).sort()));`;
  const { stdout } = spawnSync(process.execPath, ['-e', program], { cwd: root, encoding: 'utf8' });
  expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toEqual(['long', 'seedrandom']); // what TensorFlow.js needs
});
