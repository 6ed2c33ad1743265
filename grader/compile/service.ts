/** The compile service as seen by the grader: a warm process, with a deadline for each notebook. */
import { fork, type ChildProcess } from 'node:child_process';
import type { Compilation } from './compile';
import type { CompileRequest } from './service-child';
import type { SourceCell } from './pieces';
import { built } from '../base/paths';
import { Fault } from '../exercise/status';

export interface CompilerOptions {
  /** How long one notebook may take to compile, in ms. */
  readonly deadlineMs?: number;
  /** How long the first one may take, which reads the types of all libraries. */
  readonly startMs?: number;
  readonly memoryMb?: number;
  /** After how many notebooks the process is replaced, since a language service keeps what it has seen. */
  readonly recycleAfter?: number;
}

export interface Compiler {
  /**
   * Compiles the cells; calls wait for each other.
   * @throws Fault `timeout` for a source that takes too long, `out_of_memory` or `infra_error` when the service fails
   *   or was closed
   */
  compile(cells: readonly SourceCell[], functions: readonly string[]): Promise<Compilation>;
  close(): void;
}

const DEFAULTS = { deadlineMs: 20_000, startMs: 120_000, memoryMb: 1024, recycleAfter: 200 } as const;

/** Uses the libraries that notebooks use, so that their types are in memory before a deadline runs. */
const WARM_UP: SourceCell = {
  number: 1,
  id: 'warm-up',
  source: `import * as tf from '@tensorflow/tfjs';
import { createRng } from 'dgm';
import { check } from 'grader';
async function warm() { await check('', createRng(0).normal([1]).add(tf.zeros([1]))); }`,
};

export function createCompiler(options: CompilerOptions = {}): Compiler {
  const { deadlineMs, startMs, memoryMb, recycleAfter } = { ...DEFAULTS, ...options };
  let service: Promise<Service> | undefined;
  let line: Promise<unknown> = Promise.resolve();
  let closed = false;

  const start = async (): Promise<Service> => {
    const started = startService(memoryMb);
    await started.ask([WARM_UP], ['warm'], startMs);
    return started;
  };
  const compile: Compiler['compile'] = async (cells, functions) => {
    // nobody would end a service that is started now
    if (closed) throw new Fault('infra_error', 'the compile service is closed');
    service ??= start();
    const current = service;
    try {
      const ready = await current;
      const compilation = await ready.ask(cells, functions, deadlineMs);
      if (ready.asked() > recycleAfter) retire(current);
      return compilation;
    } catch (error) {
      retire(current);
      throw error;
    }
  };
  const retire = (old: Promise<Service>): void => {
    if (service === old) service = undefined;
    void old.then(
      (ended) => ended.end(),
      () => undefined,
    );
  };
  return {
    compile(cells, functions) {
      const result = line.then(() => compile(cells, functions));
      line = result.catch(() => undefined);
      return result;
    },
    close() {
      closed = true;
      if (service) retire(service);
    },
  };
}

interface Service {
  ask(cells: readonly SourceCell[], functions: readonly string[], deadlineMs: number): Promise<Compilation>;
  asked(): number;
  end(): void;
}

function startService(memoryMb: number): Service {
  const child = fork(built('compile/service-child.js'), [], {
    execArgv: [`--max-old-space-size=${memoryMb}`],
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  let count = 0;
  return {
    ask: async (cells, functions, deadlineMs) => {
      const request: CompileRequest = { id: ++count, cells, functions };
      const reply = await askOnce(child, request, deadlineMs);
      if (reply.compilation) return reply.compilation;
      return failed(functions, `the compiler gave up on this notebook: ${reply.error}`);
    },
    asked: () => count,
    end: () => child.kill('SIGKILL'),
  };
}

interface Reply {
  readonly id: number;
  readonly compilation?: Compilation;
  readonly error?: string;
}

/** One question, one answer; a child that is late is ended. */
function askOnce(child: ChildProcess, request: CompileRequest, deadlineMs: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit).off('error', onError);
      act();
    };
    const onMessage = (message: Reply) => message.id === request.id && settle(() => resolve(message));
    const onExit = (_: unknown, signal: string | null) => settle(() => reject(exitFault(signal)));
    const onError = (error: Error) =>
      settle(() => reject(new Fault('infra_error', `the compile service: ${error.message}`)));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      settle(() => reject(new Fault('timeout', `the type check took longer than ${deadlineMs / 1000} s`)));
    }, deadlineMs);
    child.on('message', onMessage).on('exit', onExit).on('error', onError);
    if (!child.connected) return onExit(null, null);
    child.send(request);
  });
}

/** V8 aborts when its heap is full. */
function exitFault(signal: string | null): Fault {
  return signal === 'SIGABRT'
    ? new Fault('out_of_memory', 'the type check needed too much memory')
    : new Fault('infra_error', 'the compile service ended unexpectedly');
}

function failed(functions: readonly string[], message: string): Compilation {
  const entry = { status: 'compile_error', problems: [{ message }] } as const;
  return {
    functions: Object.fromEntries(functions.map((name) => [name, entry])),
    together: { code: '', places: [] },
    notes: [],
  };
}
