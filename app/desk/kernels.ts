/** The kernels of the desk: each runs in a folder of the notebooks, and one waits for the first notebook. */
import { HttpError } from './http';
import { type DeskKernel, type KernelModel, startKernel } from './kernel';

/** Every method that takes an id throws an HttpError 404 when there is none such. */
export interface Kernels {
  list(): KernelModel[];
  has(id: string): boolean;
  get(id: string): DeskKernel;
  /** @param name as a request says it; there is one kind of kernel only */
  start(name: unknown, cwd: string): DeskKernel;
  /** Ends it. */
  remove(id: string): Promise<void>;
  /** Starts one for the first notebook: it gets ready while the browser loads the page. */
  warm(cwd: string): void;
  /** Ends every kernel; there will be no other. */
  endAll(): Promise<void>;
}

export const KERNEL_NAME = 'dgm';

export function createKernels(env: Readonly<Record<string, string | undefined>>): Kernels {
  const kernels = new Map<string, DeskKernel>();
  let spare: { readonly cwd: string; readonly kernel: DeskKernel } | undefined;
  let ending = false;

  function get(id: string): DeskKernel {
    const found = kernels.get(id);
    if (!found)
      throw new HttpError(404, `there is no kernel ${JSON.stringify(id)}; it has ended, or another server had it`);
    return found;
  }

  function start(name: unknown, cwd: string): DeskKernel {
    if (ending) throw new HttpError(503, 'the workbook ends');
    if (name !== undefined && name !== null && name !== KERNEL_NAME)
      throw new HttpError(404, `there is no kernel named ${JSON.stringify(name)}; this workbook has "${KERNEL_NAME}"`);
    const started = takeSpare(cwd) ?? startKernel(KERNEL_NAME, { cwd, env });
    kernels.set(started.id, started);
    return started;
  }

  function takeSpare(cwd: string): DeskKernel | undefined {
    if (spare?.cwd !== cwd || spare.kernel.model().execution_state === 'dead') return undefined;
    const { kernel } = spare;
    spare = undefined;
    return kernel;
  }

  return {
    list: () => [...kernels.values()].map((kernel) => kernel.model()),
    has: (id) => kernels.has(id),
    get,
    start,
    async remove(id) {
      const kernel = get(id);
      kernels.delete(id);
      await kernel.end();
    },
    warm(cwd) {
      spare = { cwd, kernel: startKernel(KERNEL_NAME, { cwd, env }) };
    },
    async endAll() {
      ending = true;
      await Promise.all([...kernels.values(), ...(spare ? [spare.kernel] : [])].map((kernel) => kernel.end()));
    },
  };
}
