/** What a loss hands over as its memory: checked, and kept beyond the scopes of tensors that it was made in. */
import * as tf from '@tensorflow/tfjs';
import type { Objective, Remember } from '../../core/model';

export interface Listener {
  /** For the loss. @throws when it is not what the objective's memory can become, or comes twice */
  readonly remember: Remember;
  /** What came, as tensors of the scope of the caller. @throws when nothing came, and the objective has a memory */
  taken(): tf.Tensor[];
  /** Once the loss has been computed, whether or not it threw. */
  dispose(): void;
}

/** Listens to one evaluation of a loss. */
export function listenTo({ name, memory = [] }: Objective): Listener {
  let kept: tf.Tensor[] | undefined;
  const fault = (got: string, remedy: string) =>
    new Error(`fit: the loss '${name}' has a memory of ${specsOf(memory)}, but ${got}; ${remedy}`);
  return {
    remember(next) {
      if (kept) throw fault('handed one over twice', 'call remember once, when the whole of it is known');
      if (specsOf(next) !== specsOf(memory))
        throw fault(
          `remembers ${specsOf(next)}`,
          "list each variable in the objective's `memory`, and give each its next value",
        );
      kept = next.map((tensor) => tf.keep(tensor.clone()));
    },
    taken() {
      if (!kept && memory.length > 0)
        throw fault('remembered nothing', 'call remember(…), the third argument of a loss, at every step');
      return (kept ?? []).map((tensor) => tensor.clone());
    },
    dispose: () => tf.dispose(kept),
  };
}

function specsOf(tensors: readonly tf.Tensor[]): string {
  return tensors.map(({ dtype, shape }) => `${dtype} [${shape.join(', ')}]`).join(' and ') || 'nothing';
}
