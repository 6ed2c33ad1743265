/** The gradient of an objective: traced and compiled, or eager on TensorFlow.js where it cannot be. */
import * as tf from '@tensorflow/tfjs';
import type { Batch, Objective, Rng } from '../../core/model';
import { compile, type Compiled, type Numbers } from '../call/compile';
import { useEager } from '../runtime/eager-backend';
import { specOf } from '../graph/graph';
import { viewsOf, type Parameters } from './parameters';
import type { Device } from '../devices/providers';
import type { Provider } from '../runtime/runtime';
import { TraceError } from '../trace/trace';

export interface GradientOptions {
  readonly engine?: 'auto' | 'eager';
  readonly device?: Device | undefined;
}

/** Writes the gradient at the present weights into an array, and returns the loss. */
export interface Gradient {
  compute(batch: Batch, rng: Rng, into: Float32Array): Promise<number>;
  /** Why it is not compiled; undefined when it is. */
  readonly eager: string | undefined;
  /** What the compiled steps run on; undefined before the first. */
  readonly provider: Provider | undefined;
  dispose(): Promise<void>;
}

/** Compiled for every shape of batch that comes, until one cannot be compiled; from then on eager. */
export function gradientOf(
  objective: Objective,
  parameters: Parameters,
  { engine = 'auto', device }: GradientOptions,
): Gradient {
  const compiled = new Map<string, Compiled>();
  let eager = engine === 'eager' ? 'as asked' : undefined;
  let provider: Provider | undefined;
  let settled: Promise<unknown> | undefined; // on a backend for eager steps
  return {
    get eager() {
      return eager;
    },
    get provider() {
      return provider;
    },
    async compute(batch, rng, into) {
      if (eager === undefined) {
        const key = shapeOf(batch);
        try {
          if (!compiled.has(key)) compiled.set(key, await compileGradient(objective, batch, parameters, device));
        } catch (error) {
          if (!(error instanceof TraceError)) throw error;
          eager = error.message;
        }
        const step = compiled.get(key);
        if (eager === undefined && step) {
          provider = step.choice.provider;
          return runCompiled(step, batch, rng, parameters, viewsOf(into, objective.variables));
        }
        parameters.write();
      }
      settled ??= useEager();
      await settled;
      return runEagerly(objective, batch, rng, into);
    },
    dispose: async () => {
      await Promise.all([...compiled.values()].map((step) => step.dispose()));
      compiled.clear();
    },
  };
}

const shapeOf = ({ x, y }: Batch): string => `${x.shape.join()} ${x.dtype} ${y?.shape.join()} ${y?.dtype}`;

/** The graph from a batch and the weights to the loss and its gradient by each of the objective's variables. */
function compileGradient(
  objective: Objective,
  batch: Batch,
  { variables }: Parameters,
  device: Device | undefined,
): Promise<Compiled> {
  return compile(
    (inputs, rng) => {
      const { value, grads } = lossAndGradients(objective, batchOf(inputs), rng);
      return [value, ...grads];
    },
    tensorsOf(batch).map(specOf),
    { variables, ...(device && { device }) },
  );
}

async function runCompiled(
  compiled: Compiled,
  batch: Batch,
  rng: Rng,
  { views }: Parameters,
  into: readonly Float32Array[],
): Promise<number> {
  const inputs = tensorsOf(batch).map((tensor) => tensor.dataSync() as Numbers);
  const [loss] = await compiled.run(inputs, rng, views, [undefined, ...into]);
  return loss![0]!;
}

async function runEagerly(objective: Objective, batch: Batch, rng: Rng, into: Float32Array): Promise<number> {
  return tf.tidy(() => {
    const { value, grads } = lossAndGradients(objective, batch, rng);
    viewsOf(into, objective.variables).forEach((view, i) => view.set(grads[i]!.dataSync()));
    return value.dataSync()[0]!;
  });
}

/** The loss, and its gradient by each variable in order. */
export function lossAndGradients(
  objective: Objective,
  batch: Batch,
  rng: Rng,
): { value: tf.Tensor; grads: tf.Tensor[] } {
  const variables = objective.variables as tf.Variable[];
  const { value, grads } = tf.variableGrads(() => objective.loss(batch, rng) as tf.Scalar, variables);
  return {
    value,
    grads: variables.map((variable, i) => {
      const gradient = grads[variable.name];
      if (gradient) return gradient;
      throw new Error(
        `fit: the loss '${objective.name}' does not depend on its variable ${i}, of shape [${variable.shape.join(', ')}]; ` +
          'use it in the loss, or take it off the list',
      );
    }),
  };
}

/** What is fed of a batch. */
export const tensorsOf = ({ x, y }: Batch): tf.Tensor[] => (y ? [x, y] : [x]);
/** The batch from what was fed of it. */
export const batchOf = ([x, y]: readonly tf.Tensor[]): Batch => (y ? { x: x!, y } : { x: x! });
