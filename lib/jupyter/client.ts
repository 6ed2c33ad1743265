/** A kernel client in Node: starts a kernel process, runs code in it over ZeroMQ, collects outputs as nbformat. */
import type { Output } from './notebook';

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
  /** Stops the running cell, which then ends with the error `KeyboardInterrupt`. */
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
  throw new Error(`not written yet (${JSON.stringify(options)})`);
}
