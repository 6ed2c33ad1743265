/** Step 2 for sequences that are read one step after the other: a recurrent network, whose memory is its state. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from '../core/model';
import type { CausalNetwork } from './causal';
import { linear } from './dense';

/**
 * A gated recurrent unit: with r, u = σ(W [x, s] + b),
 *   c = tanh(V x + r ⊙ U s),  s ← u ⊙ s + (1 − u) ⊙ c,
 * and the state s is the output: [B, T, inputs] → [B, T, width]. It starts at 0 and is all that the network remembers.
 * Reference: Cho et al., Learning phrase representations using RNN encoder–decoder (2014); r as in cuDNN.
 */
export function gru(inputs: number, width: number, rng: Rng): CausalNetwork {
  const fromInput = linear(inputs, 3 * width, rng.fork('input'));
  const fromState = linear(width, 3 * width, rng.fork('state'));
  /** What the input says [B, 3 width], and the state [B, width], to the next state. */
  const advance = (said: tf.Tensor, state: tf.Tensor): tf.Tensor => {
    const [xr, xu, xc] = tf.split(said, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const [sr, su, sc] = tf.split(fromState.apply(state), 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const candidate = xr.add(sr).sigmoid().mul(sc).add(xc).tanh();
    const kept = xu.add(su).sigmoid();
    return candidate.add(kept.mul(state.sub(candidate)));
  };
  return {
    variables: [...fromInput.variables, ...fromState.variables],
    memories: 1,
    apply: (x) =>
      tf.tidy(() => {
        const said = fromInput.apply(x).unstack(1); // [B, 3 width] a step
        let state: tf.Tensor = tf.zeros([x.shape[0]!, width]);
        const states = said.map((step) => (state = advance(step, state)));
        return tf.stack(states, 1);
      }),
    start: (B) => [tf.zeros([B, width])],
    step(x, _, [state]) {
      const next = advance(fromInput.apply(x), state!);
      return { y: next, memory: [next] };
    },
  };
}
