import * as tf from '@tensorflow/tfjs';
import * as dgm from 'dgm';
import * as grader from 'grader';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { collectShown } from '../helpers';
import { type Example, examples, examplesIn, type Module, run, toModule, typeErrors } from './examples';
import { files, ROOT } from './pages';

// Every example in a docstring compiles against the built library, runs, and gives what it says.

const packages: Readonly<Record<string, unknown>> = { '@tensorflow/tfjs': tf, dgm, grader };
const exported = { dgm: new Set(Object.keys(dgm)), grader: new Set(Object.keys(grader)) };
const modules = examples.map((example) => toModule(example, exported));
const runHere = (module: Module) => run(module, (name) => packages[name]);

/** Names that may stand in more than one place of a file. */
const cases = modules.map((module, i) => [module.example.of, module, i] as const);

collectShown(); // else what an example displays is printed

const sourceOf = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** What the first three chapters import of the library and call; a figure has to be seen. */
function metFirst(): string[] {
  const chapters = files.filter((file) => /^solutions\/0[0-2]-.*\.ts$/.test(file));
  const imported = chapters.flatMap((file) => /import \{([^}]*)\} from 'dgm';/.exec(sourceOf(file))![1]!.split(','));
  const figures = files
    .filter((file) => file.startsWith('lib/figures/'))
    .map(sourceOf)
    .join('\n');
  const isCalled = (name: string) => typeof (dgm as Readonly<Record<string, unknown>>)[name] === 'function';
  return [...new Set(imported.map((name) => name.trim()))]
    .filter(isCalled)
    .filter((name) => !new RegExp(`export function ${name}\\b`).test(figures));
}

test('what a student meets first has an example', () => {
  const names = new Set(examples.map(({ of }) => of.split(': ')[1]));
  const met = metFirst();
  expect(met.length).toBeGreaterThan(10);
  expect(met.filter((name) => !names.has(name))).toEqual([]);
});

describe('compiles', () => {
  let errors: readonly string[] = [];
  beforeAll(() => {
    errors = typeErrors(modules);
  }, 120_000);
  test.each(cases)('%s', (_, __, i) => expect(errors[i]).toBe(''));
});

describe('runs, and gives what it says', () => {
  test.each(cases)('%s', (_, module) => runHere(module));
});

describe('is seen to be wrong', () => {
  const moduleOf = (code: string) => toModule({ of: 'here', code } satisfies Example, exported);

  test('a type, a name that is not there, a missing argument', () => {
    const wrong = ['createRng(true);', 'creatRng(1);', 'createRng();', 'createRng(1); // → 1 2'].map(moduleOf);
    const [type, name, argument] = typeErrors(wrong.slice(0, 3));
    expect([type, name, argument].map((error) => error !== '')).toEqual([true, true, true]);
  });

  test.each([
    ['createRng(0).key // → "1"', 'expected "1", got "0"'],
    ['tf.tensor1d([1, 2]).sum() // → 3.1', 'expected 3.1, got 3'],
    ['tf.tensor1d([0.5, 0.25]) // → [0.5, 0.26]', 'got [0.5,0.25]'],
    ['tf.tensor1d([1, 2]) // → [1, 2, 3]', 'got [1,2]'],
    ['createRng(1) // → throws must be finite', 'expected an error'],
    ['createRng(NaN)', 'must be a finite number'],
    ['createRng(0).key // → zero', 'expected a value after →'],
  ])('%s', (code, said) => expect(runHere(moduleOf(code))).rejects.toThrow(said));

  test.each([
    ['tf.tensor1d([1 / 3, 2]) // → [0.33, 2]'],
    ['[[1], [-0.5]] // → [[1], [-0.5]]'],
    ['Float32Array.of(1, Infinity) // → [1, Infinity]'],
    ['({ a: 1, b: [2], c: 3 }) // → { a: 1, b: [2] }'],
    ['createRng(NaN) // → throws must be a finite number'],
    ['const x = tf.ones([2]);\nx.sum() // → 2'],
    ['await Promise.resolve(true) // → true'],
  ])('and not %s', (code) => runHere(moduleOf(code)));

  test('an example is found with its function, in one line or in more', () => {
    const found = examplesIn(
      `/** A. @example f(1) // → 2 */\nexport const f = 1;\n/**\n * B.\n * @example\n * const x = 1;\n * g(x)\n * @throws c\n */\nexport function g() {}`,
      'a.ts',
    );
    expect(found).toEqual([
      { of: 'a.ts: f', code: 'f(1) // → 2' },
      { of: 'a.ts: g', code: 'const x = 1;\ng(x)' },
    ]);
  });
});
