/** What `import` in a cell finds at run time: the project's packages, and local files from the notebook's folder. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join } from 'node:path';
import { compileFunction } from 'node:vm';
import type { CompiledCell } from './compiler';
import { registerScript } from './stacks';

export type Require = (id: string) => unknown;

interface LocalModule {
  exports: unknown;
  /** Whether its code has run to its end. */
  loaded: boolean;
}

export interface Modules {
  /** `require` for cells. */
  readonly require: Require;
  /** Local files that were compiled; those that changed, or were not loaded to their end, are loaded again. */
  update(files: CompiledCell['files']): void;
}

/** @param tslab called when a cell imports `tslab`, whose display functions need a way out */
export function createModules(root: string, cwd: string, tslab: () => void): Modules {
  const code = new Map<string, string>();
  const loaded = new Map<string, LocalModule>();
  const importers = new Map<string, Set<string>>();
  const fromProject = createRequire(join(root, 'cell.js'));

  /** @param importer the local file that asks; null for a cell */
  function requireFrom(folder: string, importer: string | null): Require {
    const own = createRequire(join(folder, 'cell.js'));
    const hooked = (id: string): unknown => {
      if (id === 'tslab') tslab();
      if (!id.startsWith('.')) return isIn(fromProject, id) ? fromProject(id) : own(id);
      const path = compiledPath(join(folder, id));
      if (!code.has(path)) return own(id);
      if (importer !== null) importers.set(path, (importers.get(path) ?? new Set()).add(importer));
      return load(path);
    };
    return Object.assign(hooked, { resolve: own.resolve, cache: own.cache, main: own.main });
  }

  function load(path: string): unknown {
    const known = loaded.get(path);
    if (known) return known.exports;
    const module: LocalModule = { exports: {}, loaded: false };
    loaded.set(path, module); // before it runs: files may import each other
    const names = ['exports', 'require', 'module', '__filename', '__dirname'];
    const run = compileFunction(code.get(path)!, names, { filename: path });
    run(module.exports, requireFrom(dirname(path), path), module, path, dirname(path));
    module.loaded = true;
    return module.exports;
  }

  /** A file, and those that have taken something from it. */
  function forget(path: string): void {
    loaded.delete(path);
    const after = importers.get(path) ?? [];
    importers.delete(path);
    for (const importer of after) forget(importer);
  }

  return {
    require: requireFrom(cwd, null),
    update(files) {
      forgetUnfinished(fromProject.cache, (path) => delete fromProject.cache[path]);
      forgetUnfinished(Object.fromEntries(loaded), (path) => loaded.delete(path));
      for (const { path, code: text, map } of files) {
        code.set(path, text);
        forget(path);
        registerScript(path, { label: labelOf(path), map, source: sourceOf(path) });
      }
    },
  };
}

/** What threw, or was stopped, while it was loaded: half a module would look like a whole one to the next import. */
function forgetUnfinished(
  modules: Readonly<Record<string, { readonly loaded: boolean } | undefined>>,
  forget: (path: string) => void,
): void {
  for (const [path, module] of Object.entries(modules)) if (module?.loaded === false) forget(path);
}

/** Where the compiled text of `./helper`, `./helper.ts` or `./helper.js` is kept. */
function compiledPath(path: string): string {
  const extension = extname(path);
  const file = extension === '.ts' ? `${path.slice(0, -'.ts'.length)}.js` : extension === '' ? `${path}.js` : path;
  return file.replaceAll('\\', '/');
}

function isIn(require: NodeJS.Require, id: string): boolean {
  try {
    require.resolve(id);
    return true;
  } catch {
    return false;
  }
}

function labelOf(path: string): string {
  return basename(path).replace(/\.js$/, '.ts');
}

function sourceOf(path: string): string {
  try {
    return readFileSync(path.replace(/\.js$/, '.ts'), 'utf8');
  } catch {
    return ''; // a local JavaScript file, say; its trace has the position without the line
  }
}
