/** Which kernel belongs to which notebook. A notebook has one session, whoever asks and how often. */
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import type { NotebookCell } from 'dgm-jupyter';
import { HttpError, type Json, textIn } from './http';
import type { DeskKernel, KernelModel } from './kernel';
import { createKernels } from './kernels';
import { fileAt, partsOf } from './paths';

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

type Environment = Readonly<Record<string, string | undefined>>;

/** @param folder of the notebooks, without links: a kernel runs in the folder of its own */
export function createSessions(folder: string, env: Environment): Sessions {
  const kernels = createKernels(env);
  const sessions = new Map<string, Session>();
  const sessionWith = (which: (one: Session) => boolean) => [...sessions.values()].find(which);

  function session(id: string): Session {
    const found = sessions.get(id);
    if (!found) throw new HttpError(404, `there is no session ${JSON.stringify(id)}`);
    return found;
  }

  /** Kernels run in their notebook's folder; the notebook itself may not be saved yet. */
  function folderOf(path: string): Promise<string> {
    return fileAt(folder, partsOf(path).slice(0, -1).join('/'));
  }

  /** The kernel that a body asks for: one that is there, or a new one. */
  function wanted(body: Json, cwd: string): DeskKernel {
    const { id, name } = (body['kernel'] ?? {}) as Json;
    return typeof id === 'string' ? kernels.get(id) : kernels.start(name, cwd);
  }

  async function create(body: Json): Promise<SessionModel> {
    const path = partsOf(textIn(body, 'path')).join('/');
    const cwd = await folderOf(path);
    // No waiting from here on, so that of two requests at once the second finds what the first made
    const known = sessionWith((one) => one.path === path);
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
    if (sessionWith((other) => other !== one && other.path === path))
      throw new HttpError(409, `${path} has another session`);
    const before = one.kernel;
    if (body['kernel'] !== undefined && body['kernel'] !== null) one.kernel = wanted(body, cwd);
    one.path = path;
    if (body['name'] !== undefined) one.name = textIn(body, 'name');
    if (body['type'] !== undefined) one.type = textIn(body, 'type');
    if (!sessionWith((other) => other.kernel === before) && kernels.has(before.id)) await removeKernel(before.id);
    return modelOf(one);
  }

  async function removeKernel(id: string): Promise<void> {
    const kernel = kernels.get(id);
    for (const one of [...sessions.values()]) if (one.kernel === kernel) sessions.delete(one.id);
    await kernels.remove(id);
  }

  return {
    list: () => [...sessions.values()].map(modelOf),
    get: (id) => modelOf(session(id)),
    create,
    change,
    remove: async (id) => removeKernel(session(id).kernel.id),
    saved: (path, cells) => sessionWith((one) => one.path === path)?.kernel.saved(cells),
    kernels: {
      list: kernels.list,
      get: kernels.get,
      create: async (body) => kernels.start(body['name'], await folderOf(String(body['path'] ?? ''))).model(),
      remove: removeKernel,
    },
    warm: () => kernels.warm(folder),
    endAll: kernels.endAll,
  };
}

function modelOf({ id, path, name, type, kernel }: Session): SessionModel {
  return { id, path, name, type, kernel: kernel.model(), notebook: { path, name } };
}
