/**
 * Loaded sessions, shared by all who want the same graph on the same provider, and bounded.
 *
 * Two models of one architecture have the same graph, because weights are inputs: a sweep of ten settings or a
 * cell run again opens no new session. A holder that has its session pinned (a training) keeps it until it lets
 * go; everybody else asks for it at every run, so the least recently used can be released at any time, and is
 * when there are too many. Nobody has to dispose a sampler.
 */
import { createHash } from 'node:crypto';
import { openSession, type Session, type SessionOptions } from './runtime';

/** A model that can be loaded again whenever it is needed. */
export interface Loadable {
  readonly bytes: Uint8Array;
  /** What the session may come to hold, in bytes. */
  readonly memory: number;
}

export interface SessionHandle {
  /** The session, loaded if it is not. Use it before anything else is loaded. */
  session(): Session;
  /** Until `unpin`, the session stays loaded. */
  pin(): void;
  unpin(): void;
}

interface Entry {
  readonly session: Session;
  readonly memory: number;
}

/**
 * The bounds on what nobody has pinned. A small graph's session takes 0.25 MB of its own, so that 64 of them are
 * 16 MB; what large ones hold is their arena, bounded by `memory`.
 */
export const SESSION_LIMITS = { sessions: 64, memory: 512 * 2 ** 20 } as const;
const OWN_MEMORY = 2 ** 18;

const entries = new Map<string, Entry>(); // the least recently used first
const pins = new Map<string, number>();
const counts = { opened: 0, released: 0 };

/** A handle on the session of these bytes with these options; nothing is loaded yet. */
export function sessionFor(model: Loadable, options: SessionOptions): SessionHandle {
  const key = keyOf(model.bytes, options);
  let held = 0;
  return {
    session: () => use(key, model, options),
    pin() {
      held++;
      pins.set(key, (pins.get(key) ?? 0) + 1);
    },
    unpin() {
      if (held === 0) return;
      held--;
      const left = pins.get(key)! - 1;
      if (left > 0) pins.set(key, left);
      else pins.delete(key);
      evict(undefined);
    },
  };
}

function keyOf(bytes: Uint8Array, { provider, threads, onDevice = [] }: SessionOptions): string {
  const digest = createHash('sha256').update(bytes).digest('hex');
  return [provider, threads, onDevice.join(), digest].join(' ');
}

function use(key: string, { bytes, memory }: Loadable, options: SessionOptions): Session {
  const known = entries.get(key);
  entries.delete(key);
  const entry = known ?? { session: openSession(bytes, options), memory: memory + OWN_MEMORY };
  entries.set(key, entry); // now the most recently used
  if (!known) {
    counts.opened++;
    evict(key);
  }
  return entry.session;
}

/** Releases the least recently used that nobody has pinned, and not `keep`, until the rest is within the limits. */
function evict(keep: string | undefined): void {
  const free = [...entries].filter(([key]) => !pins.has(key));
  let memory = free.reduce((sum, [, entry]) => sum + entry.memory, 0);
  let sessions = free.length;
  for (const [key, entry] of free) {
    if (sessions <= SESSION_LIMITS.sessions && memory <= SESSION_LIMITS.memory) return;
    if (key === keep) continue;
    entries.delete(key);
    entry.session.release();
    counts.released++;
    sessions--;
    memory -= entry.memory;
  }
}

/** For tests and `doctor`. */
export function sessionCounts(): { readonly open: number; readonly pinned: number; readonly opened: number } {
  return { open: entries.size, pinned: pins.size, opened: counts.opened };
}

/** Releases every session that is not pinned. */
export function releaseSessions(): void {
  for (const [key, { session }] of [...entries]) {
    if (pins.has(key)) continue;
    entries.delete(key);
    session.release();
    counts.released++;
  }
}
