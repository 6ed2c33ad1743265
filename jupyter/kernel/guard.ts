/**
 * A thread that waits for SIGINT for as long as the kernel lives.
 *
 * `breakOnSigint` is the only public way to stop synchronous code, but at the end of every such run Node.js gives
 * the signal back its default meaning, which is to end the process. Node.js counts the runs of all threads
 * together: one that never ends, here, keeps the signal caught, so the main thread may start and end as many as it
 * likes, one for every `await` of a cell. A signal ends the run that was entered last: the main thread's while it
 * runs a cell's code, else the innermost here.
 */
import { runInThisContext } from 'node:vm';
import { type MessagePort, workerData } from 'node:worker_threads';
import { ARMED, isPressed, NEVER, RUNNING, signalCaught, SIGNALS, stopAllAsked } from './flags';

export interface GuardData {
  readonly flags: Int32Array;
  readonly port: MessagePort;
}

/** Runs within runs: while the innermost begins anew, the others catch what comes. */
const LEVELS = 3;
const PATIENCE_MS = 20;

const { flags, port } = workerData as GuardData;

function watch(level: number): never {
  for (;;) {
    try {
      runInThisContext(level > 0 ? `dgmGuard.watch(${level - 1})` : 'dgmGuard.sleep()', { breakOnSigint: true });
    } catch {
      Atomics.add(flags, SIGNALS, 1);
      // of our own the cells that it is for have been noted when it was sent: more may have been asked for since
      if (!signalCaught(flags)) stopAllAsked(flags); // one that waits for the compiler, or for its turn, does not begin
      port.postMessage('signal');
      passOn();
    }
  }
}

function sleep(): void {
  Atomics.store(flags, ARMED, 1);
  Atomics.notify(flags, ARMED);
  Atomics.wait(flags, NEVER, 0);
}

/** A signal that came just before the main thread began to run a cell's code is for that code: once more, then. */
function passOn(): void {
  while (Atomics.load(flags, RUNNING) === 1 && isPressed(flags)) {
    Atomics.wait(flags, RUNNING, 1, PATIENCE_MS);
    if (Atomics.load(flags, RUNNING) === 1 && isPressed(flags)) process.kill(process.pid, 'SIGINT');
  }
}

Object.assign(globalThis, { dgmGuard: { watch, sleep } });
watch(LEVELS - 1);
