/** One execution of a cell, from its start until nothing of it is left. */
import type { Header } from '../client/messages';

export interface CellRun {
  /** `In[3]`. */
  readonly label: string;
  /** The request that its outputs answer. */
  readonly parent: Header;
  /** Aborted by the stop button. */
  readonly controller: AbortController;
  interrupted: boolean;
  /** Asked to say nothing. */
  readonly silent: boolean;
  /** Ends what each of the cell's async functions waits for, see `awaiting.ts`. */
  readonly waiting: Set<() => void>;
  /** Resolves when an interrupted cell has had its time to clean up. */
  readonly ended: Promise<void>;
  readonly end: () => void;
}

export function createRun(label: string, parent: Header, silent = false): CellRun {
  let end = () => undefined as void;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const controller = new AbortController();
  return { label, parent, controller, interrupted: false, silent, waiting: new Set(), ended, end };
}

/** Thrown into whoever waits for a stopped cell. */
export class KeyboardInterrupt extends Error {
  override readonly name = 'KeyboardInterrupt';
}

/** Long enough for a training step to end and for `finally` to run, short enough to feel immediate. */
const GRACE_MS = 200;

/**
 * Stops a cell that is waiting: its signal aborts, what heeds the signal may end by itself, and after a moment the
 * rest is left. A second call leaves it at once.
 */
export function interruptRun(run: CellRun): void {
  if (run.interrupted) return leave(run);
  run.interrupted = true;
  setTimeout(() => leave(run), GRACE_MS).unref();
  run.controller.abort();
}

function leave(run: CellRun): void {
  for (const abandon of [...run.waiting].reverse()) abandon();
  run.end();
}

let active: CellRun | null = null;

/** The run that the code now running belongs to, where that is known: in cells, not in timers and callbacks. */
export function activeRun(): CellRun | null {
  return active;
}

/** Calls `work` as a part of `run`. */
export function asPartOf<T>(run: CellRun | null, work: () => T): T {
  const before = active;
  active = run;
  try {
    return work();
  } finally {
    active = before;
  }
}
