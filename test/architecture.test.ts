import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import { expect, test } from 'vitest';

// Who may import whom. Rooms point one way, datasets ← lib ← grader ← solutions, and enter each other by the front
// door; in the library, families stand on the core and nothing in the core knows a family.

const DOOR_OF_LIB = '^lib/dist/(jupyter/)?index\\.js$';
const FAMILY_NEEDS =
  '^lib/(model|random|tensor|distributions|networks|circuits|ancestral|causal-networks|pixel-networks|bijections|matrix-bijections|transforms|dequantisation)\\.ts$';

const rules: readonly (IForbiddenRuleType & { readonly name: string })[] = [
  { name: 'no cycles, not even of types', from: {}, to: { circular: true } },
  { name: 'data sets import nothing', from: { path: '^datasets/' }, to: { path: '^(lib|grader|solutions|test)/' } },
  { name: 'the library imports no other room', from: { path: '^lib/' }, to: { path: '^(grader|solutions|test)/' } },
  { name: 'the grader imports no chapter', from: { path: '^grader/' }, to: { path: '^(solutions|test)/' } },
  { name: 'chapters import no test', from: { path: '^solutions/' }, to: { path: '^test/' } },
  {
    name: 'the library is entered by its door',
    from: { path: '^(grader|solutions)/' },
    to: { path: '^lib/', pathNot: DOOR_OF_LIB },
  },
  {
    name: 'the grader is entered by its door',
    from: { path: '^solutions/' },
    to: { path: '^grader/', pathNot: '^grader/dist/index\\.js$' },
  },
  {
    name: 'a family computes with the core only',
    from: { path: '^lib/families/' },
    to: { path: '^lib/', pathNot: FAMILY_NEEDS, dependencyTypesNot: ['type-only'] },
  },
  { name: 'a family knows no engine', from: { path: '^lib/families/' }, to: { path: '^lib/(engine|jupyter)/' } },
  {
    name: 'shared code knows no family',
    from: { path: '^lib/', pathNot: '^lib/(families/|(index|ladder)\\.ts$)' },
    to: { path: '^lib/families/' },
  },
  {
    name: 'only the index knows the notebook',
    from: { path: '^lib/', pathNot: '^lib/(jupyter/|index\\.ts$)' },
    to: { path: '^lib/jupyter/' },
  },
];

/** The rules that the tree under `baseDir` breaks, with where. */
async function broken(baseDir: string): Promise<string[]> {
  const { output } = await cruise(['lib', 'grader', 'solutions', 'datasets'], {
    baseDir,
    tsPreCompilationDeps: 'specify', // imports of types are imports too, and marked as such
    doNotFollow: { path: '(^|/)(dist|node_modules)/' },
    validate: true,
    ruleSet: { forbidden: rules.map((rule) => ({ ...rule, severity: 'error' as const })) },
  });
  const { modules, summary } = output as ICruiseResult;
  expect(modules.length).toBeGreaterThan(0);
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
}

test('every import of the workbook obeys the rules', async () => {
  expect(await broken(join(import.meta.dirname, '..'))).toEqual([]);
});

test('each rule can fail: a tree that breaks them all', async () => {
  const files: Record<string, string> = {
    'lib/index.ts': `export * from './families/a'; export * from './jupyter/figure';`,
    'lib/model.ts': `import type { State } from './training'; export interface Model { state: State }`,
    'lib/training.ts': `import type { Model } from './model'; import './families/a'; export type State = Model[];`,
    'lib/evaluation.ts': `import './jupyter/figure'; import '../grader/index'; export const evaluation = 1;`,
    'lib/engine/step.ts': `export interface Step { n: number }`,
    'lib/jupyter/figure.ts': `export const figure = 1;`,
    'lib/families/a.ts': `import type { Step } from '../engine/step'; import { b } from './b'; export const a = (s: Step) => b;`,
    'lib/families/b.ts': `import type { a } from './a'; export const b: typeof a | number = 1;`,
    'grader/index.ts': `import '../solutions/01'; import '../lib/evaluation'; export const grader = 1;`,
    'solutions/01.ts': `import '../grader/index'; import '../test/helpers'; export const chapter = 1;`,
    'datasets/load.ts': `import '../lib/index';`,
    'test/helpers.ts': `export const help = 1;`,
  };
  const folder = mkdtempSync(join(tmpdir(), 'dgm-architecture-'));
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    const found = await broken(folder);
    for (const { name } of rules)
      expect(
        found.filter((line) => line.startsWith(`${name}: `)),
        name,
      ).not.toEqual([]);
    expect(found).toContain('a family computes with the core only: lib/families/a.ts → lib/families/b.ts');
    expect(found).not.toContain('a family computes with the core only: lib/families/b.ts → lib/families/a.ts');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
