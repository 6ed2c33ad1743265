/** Where a training stands after an epoch, as plain data that a file can hold. */
import type { StepState } from '../engine';
import { loadJson, saveJson, type Weight } from '../core/weights';
import type { Best, Epoch } from './loop';

/** Where training stands after an epoch; plain data, see `saveCheckpoint`. */
export interface Checkpoint {
  readonly format: 'dgm-checkpoint';
  readonly version: 1;
  readonly history: readonly Epoch[];
  /** The weights themselves, whether or not an average is kept. */
  readonly weights: readonly Weight[];
  /** What each objective's steps leave behind: its optimiser's state, the average, its memory. */
  readonly optimisers: readonly StepState[];
  /** Steps of training made. Missing from files of before there was `every`: as many as each objective has made. */
  readonly steps?: number;
  readonly best: Best | null;
}

/** Writes a checkpoint to a file. */
export function saveCheckpoint(checkpoint: Checkpoint, file: string): void {
  saveJson(file, checkpoint);
}

/** Reads a checkpoint that `saveCheckpoint` wrote. */
export function loadCheckpoint(file: string): Checkpoint {
  const content = loadJson(file) as Partial<Checkpoint> | null;
  const complete = [content?.history, content?.weights, content?.optimisers].every(Array.isArray);
  if (content?.format !== 'dgm-checkpoint' || content.version !== 1 || !complete)
    throw new Error(
      `${file}: expected a checkpoint of format dgm-checkpoint 1, got ${String(content?.format)} ${String(content?.version)}${complete ? '' : ', incomplete'}`,
    );
  return content as Checkpoint;
}

/** The steps of training that a checkpoint has made. */
export function stepsOf({ steps, optimisers }: Checkpoint): number {
  return steps ?? Math.max(...optimisers.map((state) => state.steps));
}
