/** The gradient of an objective and its next memory: traced and compiled, or eager on TensorFlow.js where it cannot be. */
import * as tf from '@tensorflow/tfjs';
import type { Batch, Objective, Rng } from '../../core/model';
import { compile, type Compiled, type Numbers } from '../call/compile';
import { bestEager, onBackend, type EagerBackend } from '../runtime/eager-backend';
import { specOf } from '../graph/graph';
import { viewsOf } from './parameters';
import { listenTo } from './remember';
import { memoryOf, type Kept, type Training } from './training';
import type { Device } from '../devices/providers';
import type { Provider } from '../runtime/runtime';
import { TraceError } from '../trace/trace';

export interface Gradient {
  /** Writes the gradient at the present weights, and the next memory, into their arrays, and returns the loss. */
  compute(batch: Batch, rng: Rng): Promise<number>;
  /** Why it is not compiled; undefined when it is. */
  readonly eager: string | undefined;
  /** What the compiled steps run on; undefined before the first. */
  readonly provider: Provider | undefined;
  dispose(): Promise<void>;
}

/** Compiled for every shape of batch that comes, until one cannot be compiled; from then on eager. */
export function gradientOf(kept: Kept, { parameters, options: { engine = 'auto', device } }: Training): Gradient {
  const { objective } = kept;
  const compiled = new Map<string, Compiled>();
  const into = [
    ...viewsOf(kept.gradient, objective.variables), //
    ...viewsOf(kept.next, memoryOf(objective)),
  ];
  let eager = engine === 'eager' ? 'as asked' : undefined;
  let provider: Provider | undefined;
  let settled: Promise<EagerBackend> | undefined; // on a backend for eager steps
  return {
    get eager() {
      return eager;
    },
    get provider() {
      return provider;
    },
    async compute(batch, rng) {
      if (eager === undefined) {
        const key = shapeOf(batch);
        try {
          if (!compiled.has(key))
            compiled.set(key, await compileGradient(objective, batch, parameters.variables, device));
        } catch (error) {
          if (!(error instanceof TraceError)) throw error;
          eager = error.message;
        }
        const step = compiled.get(key);
        if (eager === undefined && step) {
          provider = step.choice.provider;
          return runCompiled(step, batch, rng, parameters.views, into);
        }
        parameters.write();
      }
      const backend = await (settled ??= bestEager());
      return onBackend(backend, () => runEagerly(objective, batch, rng, into));
    },
    dispose: async () => {
      await Promise.all([...compiled.values()].map((step) => step.dispose()));
      compiled.clear();
    },
  };
}

const shapeOf = ({ x, y }: Batch): string => `${x.shape.join()} ${x.dtype} ${y?.shape.join()} ${y?.dtype}`;

/** The graph from a batch and the variables to the loss, its gradient by each of the objective's, and the memory. */
function compileGradient(
  objective: Objective,
  batch: Batch,
  variables: readonly tf.Variable[],
  device: Device | undefined,
): Promise<Compiled> {
  return compile(
    (inputs, rng) => {
      const { value, grads, memory } = lossAndGradients(objective, batchOf(inputs), rng);
      return [value, ...grads, ...memory];
    },
    tensorsOf(batch).map(specOf),
    { variables, ...(device && { device }) },
  );
}

async function runCompiled(
  compiled: Compiled,
  batch: Batch,
  rng: Rng,
  variables: readonly Float32Array[],
  into: readonly Float32Array[],
): Promise<number> {
  const inputs = tensorsOf(batch).map((tensor) => tensor.dataSync() as Numbers);
  const [loss] = await compiled.run(inputs, rng, variables, [undefined, ...into]);
  return loss![0]!;
}

function runEagerly(objective: Objective, batch: Batch, rng: Rng, into: readonly Float32Array[]): number {
  return tf.tidy(() => {
    const { value, grads, memory } = lossAndGradients(objective, batch, rng);
    [...grads, ...memory].forEach((tensor, i) => into[i]!.set(tensor.dataSync()));
    return value.dataSync()[0]!;
  });
}

export interface LossAndGradients {
  readonly value: tf.Tensor;
  /** By each variable, in order. */
  readonly grads: readonly tf.Tensor[];
  /** The next value of each variable of the memory, in order. */
  readonly memory: readonly tf.Tensor[];
}

/** The loss, its gradient, and what it remembers. */
export function lossAndGradients(objective: Objective, batch: Batch, rng: Rng): LossAndGradients {
  const variables = objective.variables as tf.Variable[];
  const listener = listenTo(objective);
  try {
    const loss = () => objective.loss(batch, rng, listener.remember) as tf.Scalar;
    const { value, grads } = tf.variableGrads(loss, variables);
    const memory = listener.taken();
    return { value, grads: variables.map((variable, i) => grads[variable.name] ?? missing(objective, i)), memory };
  } finally {
    listener.dispose();
  }
}

function missing({ name, variables }: Objective, i: number): never {
  throw new Error(
    `fit: the loss '${name}' does not depend on its variable ${i}, of shape [${variables[i]!.shape.join(', ')}]; ` +
      'use it in the loss, or take it off the list',
  );
}

/** What is fed of a batch. */
export const tensorsOf = ({ x, y }: Batch): tf.Tensor[] => (y ? [x, y] : [x]);
/** The batch from what was fed of it. */
export const batchOf = ([x, y]: readonly tf.Tensor[]): Batch => (y ? { x: x!, y } : { x: x! });
