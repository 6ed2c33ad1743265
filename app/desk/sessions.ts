/** Which kernel belongs to which notebook. A notebook has one session, whoever asks and how often. */
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import type { NotebookCell } from 'dgm-jupyter';
import { HttpError, type Json, textIn } from './http';
import { type DeskKernel, type KernelModel, startKernel } from './kernel';
import { partsOf, placeOf } from './place';

/** As Jupyter's REST API shows a session. */
export interface SessionModel {
  readonly id: string;
  readonly path: string;
  readonly name: string;
  readonly type: string;
  readonly kernel: KernelModel;
  readonly notebook: { readonly path: string; readonly name: string };
}

interface Session {
  readonly id: string;
  path: string;
  name: string;
  type: string;
  kernel: DeskKernel;
}

/** Every method that takes an id throws an HttpError 404 when there is none such. */
export interface Sessions {
  list(): SessionModel[];
  get(id: string): SessionModel;
  create(body: Json): Promise<SessionModel>;
  change(id: string, body: Json): Promise<SessionModel>;
  remove(id: string): Promise<void>;
  /** A notebook was saved: its kernel need not keep for it what the file has now. */
  saved(path: string, cells: readonly NotebookCell[]): void;
  readonly kernels: {
    list(): KernelModel[];
    get(id: string): DeskKernel;
    create(body: Json): Promise<KernelModel>;
    remove(id: string): Promise<void>;
  };
  /** Starts a kernel for the first notebook: it gets ready while the browser loads the page. */
  warm(): void;
  /** Ends every kernel; there will be no other. */
  endAll(): Promise<void>;
}

export const KERNEL_NAME = 'dgm';

type Environment = Readonly<Record<string, string | undefined>>;

/** @param folder of the notebooks, without links: a kernel runs in the folder of its own */
export function createSessions(folder: string, env: Environment): Sessions {
  const kernels = new Map<string, DeskKernel>();
  const sessions = new Map<string, Session>();
  let spare: { readonly cwd: string; readonly kernel: DeskKernel } | undefined;
  let ending = false;

  function session(id: string): Session {
    const found = sessions.get(id);
    if (!found) throw new HttpError(404, `there is no session ${JSON.stringify(id)}`);
    return found;
  }

  function kernel(id: string): DeskKernel {
    const found = kernels.get(id);
    if (!found)
      throw new HttpError(404, `there is no kernel ${JSON.stringify(id)}; it has ended, or another server had it`);
    return found;
  }

  /** Kernels run in their notebook's folder; the notebook itself may not be saved yet. */
  function folderOf(path: string): Promise<string> {
    return placeOf(folder, partsOf(path).slice(0, -1).join('/'));
  }

  function start(name: unknown, cwd: string): DeskKernel {
    if (ending) throw new HttpError(503, 'the workbook ends');
    if (name !== undefined && name !== null && name !== KERNEL_NAME)
      throw new HttpError(404, `there is no kernel named ${JSON.stringify(name)}; this workbook has "${KERNEL_NAME}"`);
    const started = takeSpare(cwd) ?? startKernel(KERNEL_NAME, { cwd, env });
    kernels.set(started.id, started);
    return started;
  }

  function warm(): void {
    spare = { cwd: folder, kernel: startKernel(KERNEL_NAME, { cwd: folder, env }) };
  }

  function takeSpare(cwd: string): DeskKernel | undefined {
    if (spare?.cwd !== cwd || spare.kernel.model().execution_state === 'dead') return undefined;
    const { kernel } = spare;
    spare = undefined;
    return kernel;
  }

  /** The kernel that a body asks for: one that is there, or a new one. */
  function wanted(body: Json, cwd: string): DeskKernel {
    const { id, name } = (body['kernel'] ?? {}) as Json;
    return typeof id === 'string' ? kernel(id) : start(name, cwd);
  }

  async function create(body: Json): Promise<SessionModel> {
    const path = partsOf(textIn(body, 'path')).join('/');
    const cwd = await folderOf(path);
    // No waiting from here on, so that of two requests at once the second finds what the first made
    const known = [...sessions.values()].find((one) => one.path === path);
    if (known) {
      if (known.kernel.model().execution_state === 'dead') void known.kernel.restart().catch(() => undefined); // it says so itself
      return modelOf(known);
    }
    const { name, type } = body;
    const names = { name: String(name ?? basename(path)), type: String(type ?? 'notebook') };
    const made = { id: randomUUID(), path, ...names, kernel: wanted(body, cwd) };
    sessions.set(made.id, made);
    return modelOf(made);
  }

  async function change(id: string, body: Json): Promise<SessionModel> {
    const one = session(id);
    const path = body['path'] === undefined ? one.path : partsOf(textIn(body, 'path')).join('/');
    const cwd = await folderOf(path);
    if ([...sessions.values()].some((other) => other !== one && other.path === path))
      throw new HttpError(409, `${path} has another session`);
    const before = one.kernel;
    if (body['kernel'] !== undefined && body['kernel'] !== null) one.kernel = wanted(body, cwd);
    one.path = path;
    if (body['name'] !== undefined) one.name = textIn(body, 'name');
    if (body['type'] !== undefined) one.type = textIn(body, 'type');
    const isUsed = [...sessions.values()].some((other) => other.kernel === before);
    if (!isUsed && kernels.has(before.id)) await removeKernel(before.id);
    return modelOf(one);
  }

  async function removeKernel(id: string): Promise<void> {
    const one = kernel(id);
    kernels.delete(id);
    for (const { id: holder, kernel: held } of [...sessions.values()]) if (held === one) sessions.delete(holder);
    await one.end();
  }

  return {
    list: () => [...sessions.values()].map(modelOf),
    get: (id) => modelOf(session(id)),
    create,
    change,
    remove: async (id) => removeKernel(session(id).kernel.id),
    saved(path, cells) {
      for (const one of sessions.values()) if (one.path === path) one.kernel.saved(cells);
    },
    warm,
    kernels: {
      list: () => [...kernels.values()].map((one) => one.model()),
      get: kernel,
      create: async (body) => start(body['name'], await folderOf(String(body['path'] ?? ''))).model(),
      remove: removeKernel,
    },
    async endAll() {
      ending = true;
      await Promise.all([...kernels.values(), ...(spare ? [spare.kernel] : [])].map((one) => one.end()));
    },
  };
}

function modelOf({ id, path, name, type, kernel }: Session): SessionModel {
  return { id, path, name, type, kernel: kernel.model(), notebook: { path, name } };
}
