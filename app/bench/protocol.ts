/** What `bench` and its workers, `worker.ts` and `peer.py`, say to each other: one JSON object a line. */

/** Our compiled step; or TensorFlow.js' own backends, on which the same code runs eagerly. */
export type Engine = 'compiled' | 'wasm' | 'tensorflow';

/** Said once, after the first step. */
export interface Ready {
  /** What computes. */
  readonly version: string;
  /** Trainable numbers. */
  readonly parameters: number;
  /** The first step: tracing, compiling, filling caches. */
  readonly firstMs: number;
}

/** Said instead of `Ready`, or instead of a turn. */
export interface Failure {
  readonly error: string;
}

/** Said for every number of seconds that comes on stdin. */
export interface Turn {
  /** Milliseconds of each step: fresh data, loss, gradient, optimiser. */
  readonly ms: readonly number[];
  /** The most memory that the process has had, in MiB; null where the system does not tell. */
  readonly peakMiB: number | null;
}
