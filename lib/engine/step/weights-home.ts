/**
 * Where a training's weights, optimiser state and memories live between steps, and who makes the steps there: one
 * interface, and two strategies, host-weights.ts and device-weights.ts.
 */
import type { Batch, Rng } from '../../core/model';

/** What a step made, before anything has moved: each number is finite where the step may stand. */
export interface Made {
  /** Before the step. */
  readonly loss: number;
  /** ‖g‖, the gradient's length: finite when every number of it is, and only then. */
  readonly norm: number;
  /** The length of the next memory, likewise. */
  readonly memory: number;
}

export const mayStand = ({ loss, norm, memory }: Made): boolean => [loss, norm, memory].every(Number.isFinite);

export interface WeightsHome {
  /**
   * One step of an objective. Where it may not stand, everything stays as it was.
   * @param objective its place in the list @param step counts the objective's steps from 1
   */
  step(objective: number, batch: Batch, rng: Rng, step: number): Promise<Made>;
  /** What makes the steps, for a progress line. */
  engine(): string;
  /** Brings the training's arrays up to date. */
  fetch(): void;
  /** Somebody has set the training's arrays; they have been fetched before. */
  changed(): void;
  dispose(): Promise<void>;
}
