import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCompile, type Compiled } from '../../../grader/compile/compile';
import { createGuard } from '../../../grader/compile/language-host';
import { cellsOf } from '../grading-helpers';

const root = resolve(import.meta.dirname, '../../..');
const NOT_FOUND = /^TS2307: Cannot find module '[^']+' or its corresponding type declarations\.$/;

/** What no submission may see: a path below the grader, and a name that the file exports. */
const secrets = [
  ['chapters/hidden/03-mixtures', 'hidden'],
  ['chapters/checks/03-mixtures', 'exercises'],
  ['chapters/checks/common', 'oneDimension'],
  ['compile/compile', 'createCompile'],
  ['gradebook/book', 'openBook'],
  ['authoring/release', 'release'],
] as const;

/** Every way to name a file of the grader: built or source, with and without ending, by package, path and link. */
function spellings(path: string): string[] {
  const files = [`dist/${path}`, path].flatMap((file) => [file, `${file}.js`, `${file}.d.ts`, `${file}.ts`]);
  const folders = [
    'grader',
    './grader',
    './node_modules/grader',
    'grader/../grader',
    'dgm/../grader',
    `${root}/grader`,
  ];
  const linked = [
    `${root}/node_modules/grader`,
    './node_modules/dgm/../grader',
    './lib/../grader',
    'dgm-app/../grader',
  ];
  return [...folders, ...linked].flatMap((folder) => files.map((file) => `${folder}/${file}`));
}

/** Cells whose functions f0, f1, … name a file in all ways, each so that a message would tell its type. */
function cellsThatName(file: string, name: string): string[] {
  return spellings(file).flatMap((path, i) => [
    `import { ${name} as a${i} } from '${path}';\nconst f${4 * i} = (): symbol => a${i};`,
    `import * as b${i} from '${path}';\nconst f${4 * i + 1} = (): symbol => b${i};`,
    `const f${4 * i + 2} = (x: (typeof import('${path}'))['${name}']): symbol => x;`,
    `const f${4 * i + 3} = async (): Promise<symbol> => (await import('${path}')).${name};`,
  ]);
}

const isPositive = (n: number) => n > 0;

function problemsOf({ problems }: Compiled): string[] {
  return problems.map(({ message }) => message);
}

describe('the compiler tells nothing of', () => {
  const compile = createCompile();
  const compileOpenly = createCompile([root]);

  test.each(secrets)('%s', (file, name) => {
    const cells = cellsThatName(file, name);
    const functions = cells.map((_, i) => `f${i}`);
    const compiled = compile(cellsOf(...cells), functions).functions;
    for (const [i, source] of cells.entries())
      // what follows it is about the missing type, which is `any` or `unknown`
      expect([source, problemsOf(compiled[`f${i}`]!)[0]]).toEqual([source, expect.stringMatching(NOT_FOUND)]);
  });

  test.each(secrets)('%s by accident: where all is visible, these cells tell it', (file, name) => {
    const cells = cellsThatName(file, name);
    const functions = cells.map((_, i) => `f${i}`);
    const compiled = compileOpenly(cellsOf(...cells), functions).functions;
    const told = cells.filter((_, i) => !NOT_FOUND.test(problemsOf(compiled[`f${i}`]!)[0]!));
    for (const way of ["'./grader/dist/", "'./node_modules/grader/dist/", `'${root}/grader/`, "'./lib/../grader/"])
      expect([way, told.filter((source) => source.includes(way)).length]).toEqual([way, expect.toSatisfy(isPositive)]);
  });

  test('a file that directives name', () => {
    const directives = secrets.flatMap(([file]) =>
      spellings(file).flatMap((path) => [`/// <reference path='${path}' />`, `/// <reference types='${path}' />`]),
    );
    const { status, problems } = compile(cellsOf(`${directives.join('\n')}\nconst f = (): symbol => 1;`), ['f'])
      .functions['f']!;
    expect(status).toBe('compile_error');
    expect(problemsOf({ status, problems })).toEqual(["TS2322: Type 'number' is not assignable to type 'symbol'."]);
  });

  test('but of what a submission sees, all', () => {
    const source = `import * as tf from '@tensorflow/tfjs';
import { createRng } from 'dgm';
import { compile } from 'dgm/engine';
import { check, expectClose } from 'grader';
const f = (): symbol => createRng(1);
const g = (): symbol => check;
const h = () => [tf.zeros([1]), compile, expectClose];`;
    const { f, g, h } = compile(cellsOf(source), ['f', 'g', 'h']).functions;
    expect(problemsOf(f!)).toEqual([expect.stringContaining("TS2322: Type 'KeyedRng' is not assignable")]);
    expect(problemsOf(g!)).toEqual([expect.stringContaining('(id: string, solution: unknown) => Promise<void>')]);
    expect(h).toMatchObject({ status: 'ok' });
  });
});

describe('the guard', () => {
  // a project in a folder of that name: the way to it says nothing of what is in it
  let project = '';
  const at = (path: string) => join(project, path);
  beforeAll(() => {
    project = join(realpathSync(mkdtempSync(join(tmpdir(), 'dgm-guard-'))), 'grader');
    const files = ['grader/dist/index.js', 'grader/dist/base/a.d.ts', 'grader/dist/hidden/a.d.ts', 'secret.d.ts'];
    for (const file of [...files, 'node_modules/other/index.d.ts']) {
      mkdirSync(dirname(at(file)), { recursive: true });
      writeFileSync(at(file), '');
    }
    symlinkSync('../grader', at('node_modules/grader'));
  });
  afterAll(() => rmSync(dirname(project), { recursive: true }));

  const guard = () => createGuard(['node_modules', 'grader/dist/index.js', 'grader/dist/base'].map(at));

  test.each([
    ['node_modules/other/index.d.ts', true],
    ['node_modules/other/missing.d.ts', true],
    ['grader/dist/index.js', true],
    ['grader/dist/index.d.ts', true],
    ['grader/dist/base/a.d.ts', true],
    ['node_modules/grader/dist/base/a.d.ts', true],
    ['node_modules/grader/dist/index.d.ts', true],
    ['grader/dist/hidden/a.d.ts', false],
    ['node_modules/grader/dist/hidden/a.d.ts', false],
    ['node_modules/other/../grader/dist/hidden/a.d.ts', false],
    ['node_modules/../secret.d.ts', false],
    ['grader/dist/base/../hidden/a.d.ts', false],
    ['grader/dist/baseless.d.ts', false],
    ['secret.d.ts', false],
    ['../secret.d.ts', false],
  ])('the file %s: %s', (path, visible) => expect(guard().isFile(`${project}/${path}`)).toBe(visible));

  test.each([
    ['', true],
    ['grader', true],
    ['grader/dist', true],
    ['node_modules/grader/dist', true],
    ['node_modules/other', true],
    ['grader/dist/hidden', false],
    ['node_modules/grader/dist/hidden', false],
    ['..', true],
    ['solutions', false],
  ])('the folder %j: %s', (path, visible) => expect(guard().isFolder(`${project}/${path}`)).toBe(visible));
});
