/** Slots of the memory that the kernel's threads share: news that must arrive while the main thread is busy. */

/** How many stop signals the guard has caught. */
export const SIGNALS = 0;
/** How many of them the main thread has dealt with. */
const HANDLED = 1;
/** 1 while the main thread runs a cell's code. */
export const RUNNING = 2;
/** 1 as soon as a stop signal does not end the process any more. */
export const ARMED = 3;
/** 1 as soon as the sockets are closed. */
export const CLOSED = 4;
/** Always 0: to wait on. */
export const NEVER = 5;
/** How many cells had been asked for when a stop was. */
const STOPPED = 6;
/** How many cells have been asked for. */
const ASKED = 7;
/** 1 while a stop signal of our own is under way: it was sent, and nobody has caught it yet. */
const UNDER_WAY = 8;

export function createFlags(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(9 * Int32Array.BYTES_PER_ELEMENT));
}

/** One more cell has been asked for. */
export function countAsked(flags: Int32Array): void {
  Atomics.add(flags, ASKED, 1);
}

/** A stop is for every cell asked for until now, also for those that the main thread has not come to yet. */
export function stopAllAsked(flags: Int32Array): void {
  Atomics.store(flags, STOPPED, Atomics.load(flags, ASKED));
}

/** Whether a stop came after this cell, counted from 1, had been asked for. */
export function isStopped(flags: Int32Array, cell: number): boolean {
  return cell <= Atomics.load(flags, STOPPED);
}

/** Our own stop signal is about to be sent. */
export function signalSent(flags: Int32Array): void {
  Atomics.store(flags, UNDER_WAY, 1);
}

/** A stop signal was caught. @returns whether it was our own */
export function signalCaught(flags: Int32Array): boolean {
  return Atomics.exchange(flags, UNDER_WAY, 0) === 1;
}

export function isSignalUnderWay(flags: Int32Array): boolean {
  return Atomics.load(flags, UNDER_WAY) === 1;
}

/** Whether a stop signal waits for the main thread's answer. */
export function isPressed(flags: Int32Array): boolean {
  return Atomics.load(flags, SIGNALS) !== Atomics.load(flags, HANDLED);
}

/** The main thread has dealt with every signal until now. */
export function acknowledge(flags: Int32Array): void {
  Atomics.store(flags, HANDLED, Atomics.load(flags, SIGNALS));
}
