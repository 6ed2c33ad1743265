import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { extract, originOf, placeText } from '../../../grader/compile/extract';
import { readsOf } from '../../../grader/compile/reads';
import { cellsOf } from '../grading-helpers';

/** The code of the module for these functions. */
function emitted(sources: readonly string[], ...functions: string[]): string {
  return extract(cellsOf(...sources), functions).emit(functions).code;
}

/** Runs the module and calls `f`. */
async function result(...sources: string[]): Promise<unknown> {
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 };
  const { outputText } = ts.transpileModule(emitted(sources, 'f'), { compilerOptions });
  const exports: { notebook?: () => Promise<{ f: () => unknown }> } = {};
  new Function('exports', 'require', outputText)(exports, (name: string) => ({ name, default: name }));
  return (await exports.notebook!()).f();
}

const messages = (sources: readonly string[], ...functions: string[]) =>
  extract(cellsOf(...sources), functions).notes.map(({ message }) => message);

describe('what is taken', () => {
  test('the function and what it needs, through any number of cells; nothing else', () => {
    const code = emitted(
      [
        "import * as tf from '@tensorflow/tfjs';\nimport { fit } from 'dgm';",
        'const scale = 2;\nconst unused = 3;',
        'type Row = number[];\ninterface Table { rows: Row[] }\nenum Kind { A, B }\nclass Box { kind = Kind.A }',
        'await fit();\nconsole.log(scale);',
        'const helper = (x: number) => x * scale;',
        'function f(table: Table): number { return helper(table.rows.length) + new Box().kind; }',
      ],
      'f',
    );
    for (const name of [
      'scale = 2',
      'type Row',
      'interface Table',
      'enum Kind',
      'class Box',
      'const helper',
      'function f',
    ])
      expect(code).toContain(name);
    for (const name of ['unused', 'tf', 'fit', 'console']) expect(code).not.toContain(name);
  });

  test('no variable of the notebook for a local one, a property or a label of the same name', () => {
    const code = emitted(
      [
        'const x = 1, y = 2, z = 3, w = 4, a = 5, b = 6, e = 7;',
        `function f(x: number, { y, q: z }: { y: number; q: number }, ...w: number[]) {
           a: for (const b of w) break a;
           try { x += y; } catch (e) { throw e; }
           return { a: x, b: z }.a;
         }`,
      ],
      'f',
    );
    expect(code).not.toContain('const x = 1');
  });

  test('a variable that a shorthand property, a type query or a default value needs', async () => {
    expect(await result('const x = 1;', 'const y = 2;', 'const f = (z: typeof y = y) => ({ x, z });')).toEqual({
      x: 1,
      z: 2,
    });
  });

  test('what is assigned to a variable afterwards, in any form', async () => {
    const cells = [
      'let n = 1;\nconst list: number[] = [];\nconst box = { value: 0 };\nconst seen = new Set<string>();',
      'n = 2;\nn++;',
      'for (let i = 0; i < 3; i++) list.push(i);',
      'box.value = 5;\nseen.add("a");',
      'throw new Error("training");',
      'const f = () => [n, list, box.value, seen.size];',
    ];
    expect(await result(...cells)).toEqual([3, [0, 1, 2], 5, 1]);
  });

  test('what is declared to exist elsewhere, at the top of the module', () => {
    const code = emitted(['declare const limit: number;', 'const f = () => limit;'], 'f');
    expect(code.indexOf('declare const limit')).toBeLessThan(code.indexOf('export async function notebook'));
  });

  test('await at the top level', async () => {
    expect(await result('const data = await Promise.resolve([1, 2]);', 'const f = () => data.length;')).toBe(2);
  });

  test('overloads and merged declarations together', async () => {
    const cells = [
      'function f(): number;\nfunction f(x?: string): number { return x ? 1 : new P().a; }',
      'interface P { a: number }\nclass P { }\nP.prototype.a = 4;',
    ];
    expect(await result(...cells)).toBe(4);
  });
});

describe('cells as the kernel runs them', () => {
  test.each([
    ['no semicolons', ['let low = 1, high = 0', '[low, high] = [high, low]', 'const f = () => [low, high]'], [0, 1]],
    ['a call in brackets', ['let n = 1', '(n += 1)', 'const f = () => n'], 2],
    [
      'a template after a name',
      ['const tag = (x: unknown) => x', 'let s: unknown = tag', '`x`', 'const f = () => s === tag'],
      true,
    ],
    ['a comment at the end', ['let n = 1 // one', '[n] = [2] // two', 'const f = () => n // three'], 2],
    [
      'overloads',
      [
        'function g(x: number): number\nfunction g(x: string): string;\n\n// both\nfunction g(x: any): any { return twice(x) }',
        'function twice(x: any): any { return x + x }',
        'function f() { return [g(2), g("a")] }',
      ],
      [4, 'aa'],
    ],
    ['overloads on one line', ['function f(x?: number): number; function f(x = 3): number { return x }'], 3],
    [
      'overloads declared anew',
      [
        'function k(): number; function k() { return 1 }',
        'const one = k()',
        'const k = () => 2',
        'const f = () => [one, k()]',
      ],
      [2, 2],
    ],
  ] as const)('%s', async (_, cells, wanted) => {
    expect(await result(...cells)).toEqual(wanted);
  });

  test('overloads stand together, and each line is that of its cell', () => {
    const source =
      'function f(x: number): number;\n\nfunction f(x: string): string;\n  // both\n  function f(x: any): any { return h(x); }';
    const { code, map } = extract(cellsOf(source, 'const h = (x: any) => x;'), ['f']).emit(['f']);
    const lines = code.split('\n');
    for (const [i, text] of source.split('\n').entries())
      if (text !== '') expect(map[lines.indexOf(text)]).toMatchObject({ line: i + 1, piece: { cell: { number: 1 } } });
    expect(code).toContain(source);
  });
});

describe('what it names of the packages', () => {
  const reads = (...sources: string[]) => {
    const slice = extract(cellsOf(...sources), ['f']).slices.get('f')!;
    return slice.kind === 'found' ? readsOf(slice.pieces) : [];
  };

  test.each([
    ["import { a, logNormal as g } from 'dgm';", 'const f = g;', 'dgm.logNormal'],
    ["import * as dgm from 'dgm';", 'const f = (x) => dgm.logNormal(x);', '.logNormal'],
    ["import * as tf from '@tensorflow/tfjs';", "const f = (x) => tf['softmax'](x);", '.softmax'],
    ["import { softmax } from '@tensorflow/tfjs';", 'const g = softmax; const f = (x) => g(x);', 'tf.softmax'],
    ["import * as tf from '@tensorflow/tfjs';", 'const { softmax: s } = tf; const f = (x) => s(x);', '.softmax'],
  ])('%s %s', (first, second, wanted) => {
    expect(reads(first, second)).toContain(wanted);
  });

  test('nothing that an import brings for others, and no word of its own', () => {
    const cells = [
      "import { a, logNormal } from 'dgm';",
      'const other = logNormal; const softmax = 1;',
      'const f = () => a + softmax;',
    ];
    expect(reads(...cells)).toEqual(['dgm.a']);
  });
});

describe('names declared twice', () => {
  test('count as the last cell declares them, with a note', async () => {
    const cells = ['const k = 1;', 'function f() { return k; }', 'const k = 2;'];
    expect(await result(...cells)).toBe(2);
    expect(messages(cells, 'f')).toEqual(['k is declared in cells 1, 3; the last of them counts']);
  });

  test('may be needed before that cell comes', async () => {
    expect(await result('const k = 1;', 'const twice = 2 * k;', 'function f() { return twice; }', 'const k = 5;')).toBe(
      10,
    );
  });

  test('make room in patterns and imports that also declare other names', async () => {
    const cells = [
      'const [a, b] = [1, 2];\nconst { c, d } = { c: 3, d: 4 };',
      'const a = 10;\nconst c = 30;',
      'const f = () => [a, b, c, d];',
    ];
    expect(await result(...cells)).toEqual([10, 2, 30, 4]);
    const imports = ["import { one, two } from 'x';", "import { two } from 'y';", 'const f = () => [one, two];'];
    expect(emitted(imports, 'f')).toContain("import { one, two as earlier_two } from 'x';");
  });

  test('are no news when they are imports', () => {
    expect(messages(["import { a } from 'x';", "import { a } from 'x';", 'const f = () => a;'], 'f')).toEqual([]);
  });
});

describe('what is missing or broken', () => {
  const slice = (sources: readonly string[], name: string) => extract(cellsOf(...sources), [name]).slices.get(name)!;

  test('a function of another name is suggested', () => {
    expect(slice(['function softMax() {}'], 'softmax')).toEqual({
      kind: 'missing',
      problem: { message: 'no cell declares the function softmax; did you mean softMax?' },
    });
  });

  test('a cell with a syntax error costs the functions that need it, and no others', () => {
    const cells = ['const helper = (: 1;\n', 'const f = () => helper;', 'const g = () => 1;'];
    const { slices } = extract(cellsOf(...cells), ['f', 'g']);
    expect(slices.get('g')!.kind).toBe('found');
    expect(slices.get('f')).toMatchObject({ kind: 'broken', problems: [{ place: { cell: 1, line: 1 } }, {}] });
  });

  test('a function whose own cell is broken is broken and not missing', () => {
    expect(slice(['function f() { return 1 +; }'], 'f')).toMatchObject({ kind: 'broken' });
  });

  test('a broken cell does not bring back what it would have replaced; a later cell mends it', () => {
    expect(slice(['const f = () => 1;', 'const f = () => (;'], 'f').kind).toBe('broken');
    expect(slice(['const f = () => (;', 'const f = () => 1;'], 'f').kind).toBe('found');
  });

  test('export is reported and does no harm', async () => {
    const cells = ['export const k = 3;', 'export default function f() { return k; }'];
    expect(await result(...cells)).toBe(3);
    expect(messages(cells, 'f')).toEqual(Array(2).fill("'export' does not work in a notebook cell; it was ignored"));
  });
});

describe('places', () => {
  test('lines and columns of the module lead back to the cell', () => {
    const sources = ["import { a } from 'x';", 'const k = 1;\n\n  const bad: string = 2, f = () => [a, k, bad];'];
    const { code, map } = extract(cellsOf(...sources), ['f']).emit(['f']);
    const lines = code.split('\n');
    const line = lines.findIndex((text) => text.includes('bad')) + 1;
    const column = lines[line - 1]!.indexOf('bad') + 1;
    expect(originOf(map, line, column)).toEqual({ cell: 2, id: 'c2', line: 3, column: 9 });
    expect(sources[1]!.split('\n')[2]!.slice(8, 11)).toBe('bad');
    expect(originOf(map, 1, 1)).toBeUndefined();
  });

  test('comments travel with their statement, so that @ts-expect-error works; directives do not', () => {
    const code = emitted(
      ['/// <reference path="/etc/passwd" />\nimport { a } from "x";', '// @ts-expect-error\nconst f: string = a;'],
      'f',
    );
    expect(code).toContain('// @ts-expect-error\nconst f');
    expect(code).not.toContain('reference');
  });

  test('are told as cell and line', () => {
    expect(placeText({ cell: 3, id: 'x', line: 2, column: 1 })).toBe('cell 3, line 2');
  });
});
