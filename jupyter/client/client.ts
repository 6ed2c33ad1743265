/** A kernel client in Node: starts a kernel process, runs code in it over ZeroMQ, collects outputs as nbformat. */
import { toCodePoints, toCodeUnits } from '../format/cursor';
import type { Output } from '../format/notebook';
import { createDisplays, createOutputs, type Displays } from '../format/outputs';
import { type KernelProcess, startKernelProcess } from './kernel-process';

export interface KernelOptions {
  /** The folder the kernel runs in; default: ours. */
  readonly cwd?: string;
  /** Added to our environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Another kernel's command; `{connection_file}` is replaced. */
  readonly kernel?: readonly string[];
}

export interface ExecuteOptions {
  /** Called when an output is added or changed; `outputs` is the list so far. */
  readonly onOutput?: (output: Output, outputs: readonly Output[]) => void;
  /** After this time the cell is interrupted and `execute` rejects. Default: no limit. */
  readonly timeoutMs?: number;
}

export interface Execution {
  readonly status: 'ok' | 'error' | 'aborted';
  readonly executionCount: number | null;
  /** Streams merged, updates and clearing applied. A later cell's update of an earlier display changes this list. */
  readonly outputs: readonly Output[];
}

export interface Completion {
  readonly matches: readonly string[];
  /** What the match replaces. */
  readonly start: number;
  readonly end: number;
}

export interface Kernel {
  readonly pid: number;
  /** Runs a cell. Rejects when the kernel dies, with what it said on stderr, or when the time is up. */
  execute(code: string, options?: ExecuteOptions): Promise<Execution>;
  complete(code: string, cursor?: number): Promise<Completion>;
  /** Text about what stands at the cursor, or null. */
  inspect(code: string, cursor?: number): Promise<string | null>;
  /** Stops the running cell, which ends with the error `KeyboardInterrupt`; resolves when it has ended. */
  interrupt(): Promise<void>;
  /** A fresh kernel with the same options behind the same object; what was running rejects. */
  restart(): Promise<void>;
  /** Ends the process; it never outlives this promise. Safe to call twice. */
  shutdown(): Promise<void>;
}

/**
 * Starts a kernel and waits until it answers and its outputs reach us.
 * @throws when the kernel ends first, with what it said on stderr
 */
export async function startKernel(options: KernelOptions = {}): Promise<Kernel> {
  let kernelProcess = await startKernelProcess(options);
  let displays = createDisplays();
  const unfinished = new Set<Promise<Execution>>();
  const start = (code: string, executeOptions: ExecuteOptions) => {
    const execution = execute(kernelProcess, displays, code, executeOptions);
    const forget = () => void unfinished.delete(execution);
    unfinished.add(execution);
    execution.then(forget, forget);
    return execution;
  };
  return {
    get pid() {
      return kernelProcess.pid;
    },
    execute: (code, executeOptions = {}) => start(code, executeOptions),
    complete: (code, cursor = code.length) => complete(kernelProcess, code, cursor),
    inspect: (code, cursor = code.length) => inspect(kernelProcess, code, cursor),
    interrupt: () => interrupt(kernelProcess, [...unfinished][0]),
    async restart() {
      await kernelProcess.end();
      kernelProcess = await startKernelProcess(options);
      displays = createDisplays();
    },
    shutdown: () => kernelProcess.end(),
  };
}

async function execute(
  kernelProcess: KernelProcess,
  displays: Displays,
  code: string,
  { onOutput = () => undefined, timeoutMs }: ExecuteOptions,
): Promise<Execution> {
  const outputs = createOutputs(displays, onOutput);
  const request = {
    code,
    silent: false,
    store_history: true,
    user_expressions: {},
    allow_stdin: false,
    stop_on_error: true,
  };
  const reply = kernelProcess.request('shell', 'execute_request', request, ({ header, content }) =>
    outputs.apply(header.msg_type, content),
  );
  const content = await (timeoutMs === undefined ? reply : within(kernelProcess, reply, timeoutMs));
  const status = content['status'] === 'ok' || content['status'] === 'error' ? content['status'] : 'aborted';
  const count = content['execution_count'];
  return { status, executionCount: typeof count === 'number' ? count : null, outputs: outputs.items };
}

const INTERRUPT_EVERY_MS = 500;
const INTERRUPT_GRACE_MS = 5000;

/** The reply, or after the time an interrupt and a rejection; a kernel that ignores the interrupt is killed. */
async function within<T>(kernelProcess: KernelProcess, reply: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<'time up'>((done) => {
    timer = setTimeout(() => done('time up'), timeoutMs);
  });
  const first = await Promise.race([reply, timeUp]).finally(() => clearTimeout(timer));
  if (first !== 'time up') return first as T;
  const killer = setTimeout(() => kernelProcess.kill('the cell could not be interrupted'), INTERRUPT_GRACE_MS);
  await Promise.allSettled([interrupt(kernelProcess, reply), reply]);
  clearTimeout(killer);
  throw new Error(
    `the cell was still running after ${timeoutMs} ms and was interrupted; allow more time, or make it shorter`,
  );
}

/** A kernel ignores an interrupt that comes before the cell has begun, so it is repeated until the cell has ended. */
async function interrupt(kernelProcess: KernelProcess, cell: Promise<unknown> | undefined): Promise<void> {
  const send = () => kernelProcess.request('control', 'interrupt_request', {});
  const again = setInterval(() => void send().catch(() => undefined), INTERRUPT_EVERY_MS); // the first tells of a death
  await Promise.all([send(), cell?.catch(() => undefined)]).finally(() => clearInterval(again));
}

async function complete(kernelProcess: KernelProcess, code: string, cursor: number): Promise<Completion> {
  const content = await kernelProcess.request('shell', 'complete_request', {
    code,
    cursor_pos: toCodePoints(code, cursor),
  });
  const { matches = [], cursor_start = 0, cursor_end = 0 } = content;
  const end = toCodeUnits(code, cursor_end as number);
  return { matches: matches as string[], start: toCodeUnits(code, cursor_start as number), end };
}

async function inspect(kernelProcess: KernelProcess, code: string, cursor: number): Promise<string | null> {
  const request = { code, cursor_pos: toCodePoints(code, cursor), detail_level: 0 };
  const { found, data } = await kernelProcess.request('shell', 'inspect_request', request);
  return found ? String((data as Record<string, unknown>)['text/plain']) : null;
}
