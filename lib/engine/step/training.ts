/**
 * What a training keeps of its objectives on the host: flat arrays, which compiled steps read and optimisers move in
 * place. While it runs on the host, these are the weights and the memories; wherever it runs, they are what is saved.
 */
import type * as tf from '@tensorflow/tfjs';
import type { Objective } from '../../core/model';
import type { Optimiser } from '../../optimisers/optimisers';
import type { Device } from '../devices/providers';
import { allocate } from '../fused/memory';
import { createParameters, sizeOfAll, viewsOf, type Parameters } from './parameters';

export interface StepOptions {
  /** 'eager' never compiles. Default: 'auto'. */
  readonly engine?: 'auto' | 'eager';
  /** What compiled steps run on. Default: DGM_DEVICE, else 'auto'. */
  readonly device?: Device | undefined;
  /** Decay of a moving average of the weights. Default: none is kept. */
  readonly ema?: number | undefined;
}

/** One objective, what minimises it, and its arrays: each with a number for each of its weights, or of its memory. */
export interface Kept {
  readonly objective: Objective;
  readonly optimiser: Optimiser;
  readonly weights: Float32Array;
  readonly gradient: Float32Array;
  readonly slots: readonly Float32Array[];
  readonly average: Float32Array | undefined;
  readonly memory: Float32Array;
  /** The memory after a step that may yet be refused. */
  readonly next: Float32Array;
}

export interface Training {
  readonly kept: readonly Kept[];
  /** All weights, then all memories. */
  readonly parameters: Parameters;
  readonly options: StepOptions;
}

/**
 * A training with zero optimiser state.
 * @param optimiser of objectives without one of their own
 * @throws when a variable has two parts to play
 */
export function createTraining(objectives: readonly Objective[], optimiser: Optimiser, options: StepOptions): Training {
  const variables = objectives.flatMap((objective) => objective.variables);
  const memories = objectives.flatMap(memoryOf);
  requireDisjoint(variables, memories);
  const kept = allocated(objectives, optimiser, options);
  const views = [
    ...kept.flatMap(({ weights, objective }) => viewsOf(weights, objective.variables)),
    ...kept.flatMap(({ memory, objective }) => viewsOf(memory, memoryOf(objective))),
  ];
  return { kept, parameters: createParameters([...variables, ...memories], views), options };
}

/** The variables of an objective's memory. */
export const memoryOf = ({ memory = [] }: Objective): readonly tf.Variable[] => memory;

/** All arrays in one memory of WebAssembly, where the fused passes reach them. */
function allocated(objectives: readonly Objective[], shared: Optimiser, { ema }: StepOptions): Kept[] {
  const plans = objectives.map((objective) => {
    const optimiser = objective.optimiser ?? shared;
    const [size, remembered] = [sizeOfAll(objective.variables), sizeOfAll(memoryOf(objective))];
    const arrays = 2 + optimiser.slots + (ema === undefined ? 0 : 1);
    return { objective, optimiser, lengths: [remembered, remembered, ...Array<number>(arrays).fill(size)] };
  });
  const all = allocate(plans.flatMap(({ lengths }) => lengths));
  return plans.map(({ objective, optimiser, lengths }) => {
    const [memory, next, weights, gradient, ...rest] = all.splice(0, lengths.length);
    const slots = rest.slice(0, optimiser.slots);
    return {
      ...{ objective, optimiser, slots, average: rest[optimiser.slots] },
      ...{ memory: memory!, next: next!, weights: weights!, gradient: gradient! },
    };
  });
}

function requireDisjoint(variables: readonly tf.Variable[], memories: readonly tf.Variable[]): void {
  if (new Set(variables).size !== variables.length)
    throw new Error('fit: two objectives train the same variable; give each variable to one of them');
  if (new Set(memories).size !== memories.length)
    throw new Error('fit: two objectives remember in the same variable; give it to one of them, the other may read it');
  if (memories.some((memory) => variables.includes(memory)))
    throw new Error('fit: a variable is both trained and a memory; no gradient flows into a memory, so choose one');
  const odd = memories.find(({ dtype }) => dtype !== 'float32');
  if (odd) throw new Error(`fit: a memory must be float32, got ${odd.dtype} [${odd.shape.join(', ')}]; use toFloat()`);
}
