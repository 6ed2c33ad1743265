/** The stop button: synchronous code of a cell ends at once, waiting code is told. */
import type { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { setImmediate } from 'node:timers'; // a cell may replace the global one
import { Script } from 'node:vm';
import { MessageChannel, Worker } from 'node:worker_threads';
import { acknowledge, isPressed, isSignalUnderWay, isStopped, RUNNING, signalCaught } from './flags';
import type { GuardData } from './guard';
import { STEP } from './stacks';
import { mendTensorFlow } from './tensorflow';

export interface StopButton {
  /**
   * Calls `work` so that the stop button ends it, whatever it is doing.
   * @throws Stopped when that happened; no `catch` or `finally` of `work` has run then
   */
  interruptible<T>(work: () => T): T;
  /** Calls `onPress` now if it was pressed: a loop of settled promises never lets the event loop tell. */
  poll(): void;
  /** Resolves when no signal is under way that would end a cell which begins now, and is not for it. */
  settled(): Promise<void>;
  /** Forgets what was pressed until now. */
  acknowledge(): void;
  /** Whether a cell, counted from 1, is not to begin: the stop came while it still waited. */
  isFor(cell: number): boolean;
}

/** Thrown by `interruptible`. */
export class Stopped extends Error {}

const KEY = Symbol.for('dgm.step');
const step = new Script(`globalThis[Symbol.for('dgm.step')]()`, { filename: STEP });

/** @param onPress called when the button was pressed and no synchronous code ended by it */
export function createStopButton(flags: Int32Array, onPress: () => void): StopButton {
  const poll = () => {
    if (!isPressed(flags)) return; // dealt with meanwhile
    acknowledge(flags);
    onPress();
  };
  watchSignals(flags, poll);
  keepFromListeners();
  let entered = false;

  function run<T>(work: () => T): T {
    const begin = () => {
      if (isPressed(flags)) throw new Stopped();
      return work();
    };
    Object.assign(globalThis, { [KEY]: begin });
    Atomics.store(flags, RUNNING, 1);
    try {
      return step.runInThisContext({ breakOnSigint: true, displayErrors: false }) as T;
    } finally {
      Atomics.store(flags, RUNNING, 0);
      Atomics.notify(flags, RUNNING);
    }
  }

  function interruptible<T>(work: () => T): T {
    if (entered) return work();
    entered = true;
    try {
      return run(work);
    } catch (error) {
      if (!wasStopped(error)) throw error;
      signalCaught(flags);
      acknowledge(flags);
      mendTensorFlow();
      throw new Stopped();
    } finally {
      entered = false;
    }
  }

  return {
    interruptible,
    poll,
    settled: () => settled(flags),
    acknowledge: () => acknowledge(flags),
    isFor: (cell) => isStopped(flags, cell),
  };
}

const SIGNAL_MS = 1000;

/** A signal takes microseconds; two sent at once may be one, and then there is nothing more to wait for. */
async function settled(flags: Int32Array): Promise<void> {
  const end = performance.now() + SIGNAL_MS;
  while (isSignalUnderWay(flags) && performance.now() < end) await new Promise((done) => setImmediate(done));
  signalCaught(flags);
}

function wasStopped(error: unknown): boolean {
  return error instanceof Stopped || (error as { code?: unknown } | null)?.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED';
}

function watchSignals(flags: Int32Array, onSignal: () => void): void {
  const { port1, port2 } = new MessageChannel();
  const workerData: GuardData = { flags, port: port2 };
  new Worker(join(__dirname, 'guard.js'), { workerData, transferList: [port2] }).unref();
  port1.on('message', onSignal);
}

/**
 * `process.on('SIGINT')` in a cell or library would take the signal away from us for good, and the next stop would
 * end the kernel. The listener is kept, without the signal.
 */
function keepFromListeners(): void {
  const events: EventEmitter = process;
  for (const listener of events.listeners('newListener')) {
    events.off('newListener', listener as () => void);
    events.on('newListener', (event, ...rest) => {
      if (event !== 'SIGINT') listener.call(process, event, ...rest);
    });
  }
}
