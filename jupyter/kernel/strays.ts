/** Errors that no cell waits for: reported under a cell, and never the end of the process. */
import { inspect, types } from 'node:util';
import { cellOf, describeThrown } from './errors';
import { KeyboardInterrupt } from './run';

type Listener = (...args: unknown[]) => unknown;

/** What Node.js asks before it ends the process, and what we call that; null is for who only looks on. */
const STRAYS: ReadonlyMap<unknown, string | null> = new Map([
  ['uncaughtExceptionMonitor', null],
  ['uncaughtException', 'Uncaught'],
  ['unhandledRejection', 'Unhandled rejection (an await is missing)'],
]);

/** Where a report goes: the cell that runs, or ran last. */
interface Reporter {
  /** That cell's label, `In[3]`. */
  label(): string | null;
  write(text: string): void;
}

/**
 * Node.js ends the process when a listener of these events throws, and a library may bring such a listener: TensorFlow's
 * WebAssembly backend throws each error on. So the events are answered here, before any listener: nothing that a cell
 * adds, throws or removes reaches the process. Listeners of others are still called.
 */
export function reportStrays(reporter: Reporter): void {
  const emit = process.emit.bind(process) as (event: string | symbol, ...args: unknown[]) => boolean;
  const answer = (event: string | symbol, ...args: unknown[]): boolean => {
    const what = STRAYS.get(event);
    if (what === undefined) return emit(event, ...args);
    if (what !== null) report(reporter, what, args[0]);
    for (const listener of process.rawListeners(event as 'uncaughtException') as Listener[]) {
      try {
        listener.apply(process, args);
      } catch (error) {
        if (error !== args[0]) report(reporter, 'Uncaught', error); // thrown on, it is the same error
      }
    }
    return true;
  };
  Object.assign(process, { emit: answer });
}

function report({ label, write }: Reporter, what: string, thrown: unknown): void {
  try {
    if (types.isNativeError(thrown) && thrown instanceof KeyboardInterrupt) return; // what a stopped cell left behind
    const { traceback } = describeThrown(thrown);
    const cell = cellOf(thrown);
    const from = cell === null || cell === label() ? '' : `, from ${cell}`;
    write(`${what}${from}: ${traceback.join('\n')}\n`);
  } catch (error) {
    giveUp(what, error);
  }
}

/** Not even the report went out: to the log of Jupyter, if that takes it. */
function giveUp(what: string, error: unknown): void {
  try {
    process.stderr.write(`${what}: an error that could not be reported: ${inspect(error)}\n`);
  } catch {
    // a full pipe, say: there is nobody left to tell
  }
}
