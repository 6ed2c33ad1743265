import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

// What the packages ask for: one version of each, and a lock file that serves every system.

const root = join(import.meta.dirname, '..');
const readJson = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8')) as unknown;

interface Asking {
  readonly name: string;
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** What is asked for in two versions, in a range, or of our own other than as it stands here. */
function unfit(packages: readonly Asking[]): string[] {
  const asked = new Map<string, string>();
  const own = new Set(packages.map(({ name }) => name));
  return packages.flatMap(({ name, dependencies, devDependencies }) =>
    Object.entries({ ...dependencies, ...devDependencies }).flatMap(([wanted, version]) => {
      if (own.has(wanted)) return version === '*' ? [] : [`${name} asks for its neighbour ${wanted} as ${version}`];
      if (!/^\d+\.\d+\.\d+$/.test(version)) return [`${name} asks for a range of ${wanted}: ${version}`];
      const other = asked.get(wanted) ?? version;
      asked.set(wanted, version);
      return other === version ? [] : [`${wanted} is asked for as ${other} and ${version}`];
    }),
  );
}

test('the packages ask for one version of each package', () => {
  const top = readJson('package.json') as Asking;
  const packages = [top, ...top.workspaces!.map((path) => readJson(`${path}/package.json`) as Asking)];
  expect(unfit(packages)).toEqual([]);
  const broken = [
    { name: 'a', dependencies: { x: '1.0.0', b: '0.1.0' } },
    { name: 'b', devDependencies: { x: '1.0.1', y: '^1.0.0' } },
  ];
  expect(unfit(broken)).toEqual([
    'a asks for its neighbour b as 0.1.0',
    'x is asked for as 1.0.0 and 1.0.1',
    'b asks for a range of y: ^1.0.0',
  ]);
});

interface Lock {
  readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>;
}

/** Packages that some systems need and the lock file has not: npm leaves those of other systems out now and then. */
function missingIn({ packages }: Lock): string[] {
  const foldersAbove = (path: string): string[] => {
    const above = path.slice(0, Math.max(0, path.lastIndexOf('node_modules/')));
    return path === '' ? [''] : [`${path}/`, ...foldersAbove(above.replace(/\/$/, ''))];
  };
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !foldersAbove(path).some((folder) => `${folder}node_modules/${name}` in packages))
      .map((name) => `${path} without ${name}`),
  );
}

test.each(['package-lock.json', 'app/desk/page/package-lock.json'])('%s serves every system', (file) => {
  expect(missingIn(readJson(file) as Lock)).toEqual([]);
});

test('what a lock file lacks is seen', () => {
  const optionalDependencies = { 'a-linux': '1.0.0', 'a-mac': '1.0.0', 'a-win': '1.0.0' };
  const packages = {
    'node_modules/b/node_modules/a': { optionalDependencies },
    'node_modules/a-linux': {},
    'node_modules/b/node_modules/a-mac': {},
  };
  expect(missingIn({ packages })).toEqual(['node_modules/b/node_modules/a without a-win']);
});
