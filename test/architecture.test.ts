import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VISIBLE } from '../grader/base/visible';

// Who may import whom. Packages stand on each other and are entered by doors; within a package, rooms stand on floors.
// Types count: a room that knows another's types knows the room. What to do when a rule refuses: CONTRIBUTING.md.

/** Each package, and the packages it may import. Nobody imports app, solutions or test. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  datasets: [],
  lib: [],
  jupyter: ['lib'],
  grader: ['lib', 'jupyter'],
  app: ['lib', 'jupyter', 'grader'],
  solutions: ['lib', 'grader'],
};

/** What `import` may name, and the file it leads to. */
const DOORS: Readonly<Record<string, string>> = {
  dgm: 'lib/index.ts',
  'dgm/engine': 'lib/engine/index.ts',
  'dgm/host': 'lib/host/index.ts',
  'dgm/figures': 'lib/figures/index.ts',
  'dgm-jupyter': 'jupyter/index.ts',
  grader: 'grader/index.ts',
  'grader/commands': 'grader/commands/index.ts',
  'grader/progress': 'grader/student/progress.ts',
};

/** Each room, and the rooms of its own package that it may import besides itself. Floors go up from line to line. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  // lib
  'lib/host': [],
  'lib/optimisers': [],
  'lib/core': ['host', 'optimisers'],
  'lib/statistics': ['core'],
  'lib/networks': ['core'],
  'lib/circuits': ['core'],
  'lib/engine/graph': [],
  'lib/engine/fused': ['optimisers'],
  'lib/engine/onnx': ['engine/graph'],
  'lib/engine/onnx/kernels': ['engine/graph', 'engine/onnx'],
  'lib/engine/runtime': ['engine/graph', 'engine/onnx', 'engine/onnx/kernels'],
  'lib/engine/trace': ['core', 'engine/graph', 'engine/onnx', 'engine/onnx/kernels', 'engine/runtime'],
  'lib/engine/devices': ['core', 'host', 'engine/graph', 'engine/onnx', 'engine/runtime', 'engine/trace'],
  'lib/engine/call': ['core', 'host', 'engine/graph', 'engine/runtime', 'engine/trace', 'engine/devices'],
  'lib/engine/step': [
    ...['core', 'optimisers', 'engine/graph', 'engine/fused', 'engine/runtime', 'engine/trace', 'engine/devices'],
    'engine/call',
  ],
  'lib/engine': ['engine/onnx/kernels', 'engine/call', 'engine/devices', 'engine/runtime', 'engine/step'],
  'lib/sampling': ['core', 'networks', 'engine'],
  'lib/adversarial': ['core', 'networks'],
  'lib/bijections': ['core', 'networks', 'sampling'],
  'lib/latents': ['core', 'networks', 'bijections', 'sampling'],
  'lib/diffusion': ['core', 'networks', 'bijections', 'sampling'],
  'lib/energies': ['core', 'networks', 'diffusion', 'sampling'],
  'lib/evaluation': ['core', 'engine'],
  'lib/data': ['core'],
  'lib/data/sources': ['core', 'statistics', 'circuits', 'sampling'],
  'lib/figures': ['core', 'host', 'statistics'],
  'lib/training': ['core', 'host', 'optimisers', 'engine', 'evaluation'],
  'lib/families': [
    'core',
    'networks',
    'circuits',
    'bijections',
    'latents',
    'diffusion',
    'energies',
    'adversarial',
    'sampling',
  ],
  'lib/comparison': ['core', 'circuits', 'sampling', 'data', 'evaluation', 'training', 'families'],
  lib: [
    ...['core', 'host', 'optimisers', 'statistics', 'networks', 'circuits', 'engine', 'bijections', 'latents'],
    ...[
      'diffusion',
      'energies',
      'adversarial',
      'sampling',
      'evaluation',
      'data',
      'data/sources',
      'figures',
      'training',
      'families',
      'comparison',
    ],
  ],
  // jupyter
  'jupyter/format': [],
  'jupyter/client': ['format'],
  'jupyter/kernel': ['format', 'client'],
  jupyter: ['format', 'client'],
  // grader, along a submission's way
  'grader/base': [],
  'grader/exercise': [],
  'grader/chapters/checks': ['exercise'],
  'grader/chapters/hidden': ['exercise', 'chapters/checks'],
  'grader/chapters': ['base', 'exercise'],
  'grader/authoring': ['base', 'exercise', 'chapters'],
  'grader/student': ['base', 'exercise', 'chapters', 'authoring'],
  'grader/compile': ['base', 'exercise'],
  'grader/sandbox': ['base', 'exercise', 'compile'],
  'grader/grading': ['base', 'exercise', 'chapters', 'compile', 'sandbox'],
  'grader/gradebook': ['base', 'exercise', 'compile', 'grading'],
  'grader/selftest': [...['base', 'exercise', 'chapters', 'authoring', 'compile', 'sandbox', 'grading', 'gradebook']],
  'grader/reports': ['base', 'exercise', 'compile', 'grading', 'gradebook', 'selftest'],
  'grader/commands': [
    ...['base', 'exercise', 'chapters', 'authoring', 'student', 'compile', 'sandbox', 'grading', 'gradebook'],
    ...['selftest', 'reports'],
  ],
  grader: ['exercise', 'chapters', 'student'],
  // app
  'app/command-line': [],
  'app/chapters': [],
  'app/pages': [],
  'app/pictures': [],
  'app/docs': ['command-line'],
  'app/desk': ['chapters', 'pages'],
  'app/desk/page': ['desk'],
  'app/start': ['command-line', 'chapters', 'pages', 'pictures', 'desk'],
  'app/bench/base': [],
  'app/bench/grader': ['command-line', 'bench/base'],
  'app/bench': ['command-line', 'bench/base', 'bench/grader'],
  'app/setup': [],
  // one room each
  datasets: [],
  solutions: [],
};

/** Rooms that hold no source which is imported: what is read, copied or started by its path. */
const NOT_IMPORTED = ['grader/bin', 'grader/authoring/bundle', 'jupyter/share'];

/** The page is bundled for the browser, where no package of ours is: it reads these files by their paths. */
const READ_BY_THE_PAGE = ['lib/figures/plotly-names.ts', 'lib/figures/step-keys.ts'];

// The graph of a tree

interface Import {
  readonly from: string;
  /** A file of the tree, a door's file, or the package's name. */
  readonly to: string;
  /** As it is written. */
  readonly named: string;
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
}

interface Tree {
  readonly root: string;
  readonly files: readonly string[];
  readonly imports: readonly Import[];
  readonly circles: readonly string[];
}

const packageOf = (file: string): string => file.split('/')[0]!;
const roomOf = (file: string): string => dirname(file);

async function readTree(root: string): Promise<Tree> {
  const there = Object.keys(PACKAGES).filter((name) => existsSync(join(root, name)));
  const { output } = await cruise(there, {
    baseDir: root,
    tsPreCompilationDeps: 'specify', // imports of types are imports too, and marked as such
    doNotFollow: { path: '(^|/)(dist|node_modules)/' },
    validate: true,
    ruleSet: { forbidden: [{ name: 'circle', severity: 'error', from: {}, to: { circular: true } }] },
  });
  const { modules, summary } = output as ICruiseResult;
  const isSource = (file: string) => there.includes(packageOf(file)) && !/(^|\/)(dist|node_modules)\//.test(file);
  // a door that stands for no folder of its name is a module, too, and no file
  const own = modules.filter(({ source }) => isSource(source) && existsSync(join(root, source)));
  expect(own.length).toBeGreaterThan(0);
  return {
    root,
    files: own.map(({ source }) => source),
    imports: own.flatMap(({ source, dependencies }) =>
      dependencies.map((found) => ({
        from: source,
        to: DOORS[found.module] ?? found.resolved,
        named: found.module,
        typeOnly: found.dependencyTypes.includes('type-only'),
        dynamic: found.dynamic,
      })),
    ),
    circles: summary.violations.map(({ from, to }) => `${from} → ${to}`),
  };
}

const isOurs = (name: string): boolean => /^(dgm|dgm-jupyter|grader|dgm-app)(\/|$)/.test(name);
const inTree = ({ files }: Tree, { to }: Import): boolean => files.includes(to);
const shown = ({ from, named }: Import): string => `${from} → ${named}`;

/** All files that are loaded when these are: by imports of values, without those that wait for a call. */
function closure({ imports }: Tree, starts: readonly string[]): string[] {
  const found = new Set<string>();
  const visit = (file: string): void => {
    if (found.has(file)) return;
    found.add(file);
    for (const { from, to, typeOnly, dynamic } of imports) if (from === file && !typeOnly && !dynamic) visit(to);
  };
  starts.forEach(visit);
  return [...found];
}

// The rules

interface Rule {
  readonly name: string;
  violations(tree: Tree): readonly string[];
  /** A tree that breaks this rule, which proves that it can fail. */
  readonly broken: Readonly<Record<string, string>>;
  /** A part of what is said of that tree. */
  readonly says: string;
}

const rules: readonly Rule[] = [
  {
    name: 'no circle of files, types included',
    violations: ({ circles }) => circles,
    broken: {
      'lib/core/a.ts': `import type { B } from './b'; export type A = B[];`,
      'lib/core/b.ts': `import type { A } from './a'; export type B = A | 1;`,
    },
    says: 'lib/core/a.ts',
  },
  {
    name: 'packages stand on each other one way',
    violations: ({ imports }) =>
      imports
        .filter(({ to }) => packageOf(to) in PACKAGES)
        .filter(({ from, to }) => packageOf(from) !== packageOf(to))
        .filter(({ from, to }) => !PACKAGES[packageOf(from)]!.includes(packageOf(to)))
        .filter(({ from, to }) => !(packageOf(from) === 'app' && READ_BY_THE_PAGE.includes(to)))
        .map(shown),
    broken: { 'lib/core/a.ts': `import 'grader';`, 'grader/index.ts': `export const a = 1;` },
    says: 'lib/core/a.ts → grader',
  },
  {
    name: 'packages are entered by their doors',
    violations: (tree) =>
      tree.imports
        .filter((found) => {
          if (isOurs(found.named)) return !(found.named in DOORS);
          const across = packageOf(found.to) in PACKAGES && packageOf(found.from) !== packageOf(found.to);
          return across && !(roomOf(found.from) === 'app/desk/page' && READ_BY_THE_PAGE.includes(found.to));
        })
        .map(shown),
    broken: {
      'grader/base/a.ts': `import '../../lib/core/b'; import 'dgm/core/b';`,
      'lib/core/b.ts': `export const b = 1;`,
    },
    says: 'grader/base/a.ts → dgm/core/b',
  },
  {
    name: 'a room imports from itself and from its list',
    violations: (tree) =>
      tree.imports
        .filter((found) => inTree(tree, found) && !(found.named in DOORS))
        .filter(({ from, to }) => packageOf(from) === packageOf(to) && roomOf(from) !== roomOf(to))
        .filter(({ from, to }) => !(ROOMS[roomOf(from)] ?? []).includes(roomOf(to).slice(packageOf(to).length + 1)))
        .map(shown),
    broken: {
      'lib/core/a.ts': `import { fit } from '../training/fit'; export const a = fit;`,
      'lib/training/fit.ts': `export const fit = 1;`,
    },
    says: 'lib/core/a.ts → ../training/fit',
  },
  {
    name: 'every folder is in the table',
    violations: ({ files }) =>
      [...new Set(files.map(roomOf))].filter(
        (room) => !(room in ROOMS) && !NOT_IMPORTED.some((other) => `${room}/`.startsWith(`${other}/`)),
      ),
    broken: { 'lib/attic/a.ts': `export const a = 1;` },
    says: 'lib/attic',
  },
  {
    name: "at a package's root stands its index and nothing else",
    violations: ({ files }) =>
      files.filter((file) => /^(lib|jupyter|grader|app)\/[^/]+$/.test(file) && !file.endsWith('/index.ts')),
    broken: { 'lib/model.ts': `export const a = 1;` },
    says: 'lib/model.ts',
  },
  {
    name: 'the engine is entered by its index',
    violations: ({ imports }) =>
      imports
        .filter(({ from, to }) => to.startsWith('lib/engine/') && !from.startsWith('lib/engine/'))
        .filter(({ to }) => to !== 'lib/engine/index.ts')
        .map(shown),
    broken: {
      'lib/training/fit.ts': `import '../engine/step/step';`,
      'lib/engine/step/step.ts': `export const a = 1;`,
    },
    says: 'lib/training/fit.ts → ../engine/step/step',
  },
  {
    name: 'no family imports a family; only comparison, the list and the doors know them',
    violations: ({ imports }) =>
      imports
        .filter(({ to }) => to.startsWith('lib/families/'))
        .filter(
          ({ from }) =>
            !['lib/families/index.ts', 'lib/families/list.ts', 'lib/index.ts'].includes(from) &&
            roomOf(from) !== 'lib/comparison',
        )
        .map(shown),
    broken: { 'lib/families/a.ts': `import './b';`, 'lib/families/b.ts': `export const b = 1;` },
    says: 'lib/families/a.ts → ./b',
  },
  {
    name: "a submission sees just what the notebook's door and the sandbox's child load of the grader",
    violations: (tree) => {
      const loaded = closure(tree, ['grader/index.ts', 'grader/sandbox/child.ts']);
      const entries = VISIBLE.map((entry) => `grader/${entry.replace(/\.js$/, '.ts')}`);
      const covers = (entry: string, file: string) => file === entry || file.startsWith(`${entry}/`);
      const ours = loaded.filter((file) => packageOf(file) === 'grader');
      const secret = /^grader\/(chapters\/(checks|hidden)|authoring|compile)(\/|$)/;
      return [
        ...ours
          .filter((file) => !entries.some((entry) => covers(entry, file)))
          .map((file) => `${file} is loaded, not seen`),
        ...entries
          .filter((entry) => !ours.some((file) => covers(entry, file)))
          .map((entry) => `${entry} is seen, not loaded`),
        ...[...ours, ...entries].filter((path) => secret.test(path)).map((path) => `${path} is secret`),
        ...loaded
          .filter((path) => /node_modules\/(typescript|commander|libsql)\//.test(path))
          .map((path) => `${path} is loaded`),
      ];
    },
    broken: {
      'grader/index.ts': `import './chapters/checks/03'; export * from './exercise/a';`,
      'grader/chapters/checks/03.ts': `export const exercises = [];`,
      'grader/exercise/a.ts': `export const a = 1;`,
      'grader/sandbox/child.ts': `export const child = 1;`,
    },
    says: 'grader/chapters/checks/03.ts is secret',
  },
  {
    name: 'the kernel reaches no tensor library before a cell does',
    violations: (tree) =>
      closure(tree, ['jupyter/kernel/main.ts', 'jupyter/kernel/wire.ts', 'jupyter/kernel/guard.ts']).filter((path) =>
        /@tensorflow|onnxruntime|nodejs-polars/.test(path),
      ),
    broken: {
      'jupyter/kernel/main.ts': `import 'dgm/host';`,
      'lib/host/index.ts': `import * as tf from '@tensorflow/tfjs'; export const x = tf;`,
      'jupyter/kernel/wire.ts': ``,
      'jupyter/kernel/guard.ts': ``,
    },
    says: '@tensorflow/tfjs',
  },
];

test('the table of rooms has no circle', () => {
  const done = new Set<string>();
  const visit = (room: string, path: readonly string[]): void => {
    if (path.includes(room)) throw new Error([...path, room].join(' → '));
    if (done.has(room)) return;
    for (const name of ROOMS[room] ?? []) visit(`${packageOf(room)}/${name}`, [...path, room]);
    done.add(room);
  };
  expect(() => Object.keys(ROOMS).forEach((room) => visit(room, []))).not.toThrow();
});

test('every room of the table is there', () => {
  const root = join(import.meta.dirname, '..');
  expect(
    Object.keys(ROOMS).filter((room) => !existsSync(join(root, room)) || readdirSync(join(root, room)).length === 0),
  ).toEqual([]);
});

describe('the workbook', () => {
  let tree: Tree;
  beforeAll(async () => {
    tree = await readTree(join(import.meta.dirname, '..'));
  });

  test.each(rules)('$name', ({ violations }) => expect(violations(tree)).toEqual([]));

  test('is seen across its doors', () => {
    expect(new Set(tree.imports.map(({ named }) => named).filter(isOurs))).toEqual(new Set(Object.keys(DOORS)));
  });
});

describe('a rule can fail', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dgm-architecture-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(rules.map((rule, i) => ({ ...rule, i })))('$name', async ({ violations, broken, says, i }) => {
    const root = join(folder, String(i));
    for (const [file, text] of Object.entries(broken)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
    expect(violations(await readTree(root)).join('\n')).toContain(says);
  });
});
