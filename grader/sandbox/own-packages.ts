/**
 * Imports of the project's own packages, without the links that npm makes for them in node_modules: Node's permission
 * model follows a link out of a folder that may be read, so the process of a submission may read none.
 */
import { readFileSync } from 'node:fs';
import Module from 'node:module';
import { join } from 'node:path';

/** Of the workbook, above grader/dist/sandbox: who knows it otherwise is itself behind one of the doors below. */
const root = join(__dirname, '..', '..', '..');

/** By name, the folder of the package and where its doors lead. */
const packages = new Map(['lib', 'grader'].map((folder) => readPackage(join(root, folder))));

interface OwnPackage {
  readonly folder: string;
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
}

function readPackage(folder: string): [name: string, OwnPackage] {
  const { name, exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as OwnPackage & {
    name: string;
  };
  return [name, { folder, exports }];
}

/** The file of a door such as `dgm/engine`; `undefined` for what is none of ours. */
function resolveOwn(request: string): string | undefined {
  const [name, ...rest] = request.split('/');
  const found = packages.get(name!);
  const door = found?.exports[['.', ...rest].join('/')];
  return door === undefined ? undefined : join(found!.folder, typeof door === 'string' ? door : door.default);
}

type Resolve = (request: string, ...more: unknown[]) => string;
const loader = Module as unknown as { _resolveFilename: Resolve };
const resolveOther = loader._resolveFilename.bind(Module);

loader._resolveFilename = (request, ...more) => resolveOwn(request) ?? resolveOther(request, ...more);
