// %% [markdown] id="title"
// # 9 Priors and posteriors

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import { logMeanExp, logNormal, logNormalComponents } from 'dgm';

// %% id="apart"
/**
 * KL[q(z | x_n) ‖ p(z)] of every example in two parts, by one draw for each, with q(z) = (1/N) Σ_m q(z | x_m).
 * @param mu means of the posteriors, [N, L] @param logVar ln σ², [N, L] @param z draws, z_n from q(z | x_n), [N, L]
 * @param logPrior ln p(z_n), [N]
 * @returns information, ln q(z_n | x_n) / q(z_n), and mismatch, ln q(z_n) / p(z_n), [N] each, in nats
 */
function klApart(
  mu: tf.Tensor,
  logVar: tf.Tensor,
  z: tf.Tensor,
  logPrior: tf.Tensor,
): { information: tf.Tensor; mismatch: tf.Tensor } {
  // BEGIN SOLUTION prior.apart
  const pairs = logNormalComponents(z, mu, logVar); // [N, N]: ln q(z_n | x_m)
  const aggregate = logMeanExp(pairs, 1); // ln q(z_n)
  return { information: logNormal(z, mu, logVar).sub(aggregate), mismatch: aggregate.sub(logPrior) };
  // END SOLUTION
}

// %% id="check-apart"
await check('prior.apart', klApart);

// %% id="gain"
/**
 * What the best prior gains on an even one, and what it leaves.
 * @param codes by example, the places of z that its posterior covers evenly @param cells how many places there are
 * @returns gain: by how many nats the mean KL falls; left: the mean KL that remains
 */
function priorGain(codes: readonly (readonly number[])[], cells: number): { gain: number; left: number } {
  // BEGIN SOLUTION prior.gain
  const aggregate = new Array<number>(cells).fill(0); // the best prior
  let noise = 0; // mean entropy of a posterior
  for (const places of codes) {
    for (const place of places) aggregate[place]! += 1 / (codes.length * places.length);
    noise += Math.log(places.length) / codes.length;
  }
  const entropy = aggregate.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
  return { gain: Math.log(cells) - entropy, left: entropy - noise };
  // END SOLUTION
}

// %% id="check-gain"
await check('prior.gain', priorGain);

// %% id="vamp"
/**
 * ln p(z) of a VampPrior: the even mixture of what the encoder says of K pseudo-inputs.
 * @param z [B, L] @param free what is learnt of the pseudo-inputs: any real numbers, [K, D]
 * @param range of the data: pseudo-inputs are low + (high − low) · sigmoid(free)
 * @param encode [K, D] → [K, 2L], first all μ, then all ln σ² @returns [B], in nats
 */
function logVamp(
  z: tf.Tensor,
  free: tf.Tensor,
  range: readonly [low: number, high: number],
  encode: (x: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  // BEGIN SOLUTION prior.vamp
  const [low, high] = range;
  const pseudo = tf.sigmoid(free).mul(high - low).add(low); // [K, D]
  const [mu, logVar] = tf.split(encode(pseudo), 2, 1) as [tf.Tensor, tf.Tensor]; // [K, L] each
  return logMeanExp(logNormalComponents(z, mu, logVar), 1); // over [B, K]
  // END SOLUTION
} // prettier-ignore

// %% id="check-vamp"
await check('prior.vamp', logVamp);

// %% id="resampled"
/**
 * ln p(z) of the draw that is kept.
 * @param logBase ln π(z), [B] @param logAccept ln a(z), at most 0, [B] @param Z the mean of a(z) over proposals, in (0, 1]
 * @param T proposals at most: a whole number from 1 on @returns [B], in nats
 */
function logResampled(logBase: tf.Tensor, logAccept: tf.Tensor, Z: number, T: number): tf.Tensor {
  // BEGIN SOLUTION prior.resampled
  const forced = (1 - Z) ** (T - 1); // the chance that only the last proposal is left
  const chosen = (1 - forced) / Z; // Σ (1 − Z)^(t − 1) over the tries before
  return logBase.add(logAccept.exp().mul(chosen).add(forced).log());
  // END SOLUTION
}

// %% id="check-resampled"
await check('prior.resampled', logResampled);

// %% id="reflections"
/**
 * How many reflections are enough for an exact posterior in a linear world whose W, [D, L], has random entries.
 * @param latents L @param observed D
 */
function reflectionsEnough(latents: number, observed: number): number {
  // BEGIN SOLUTION posterior.reflections
  // I + WᵀW/σ² has D directions of its own; each takes a mirror of its own, and the last of L is what the others leave
  return Math.min(observed, latents - 1);
  // END SOLUTION
}

// %% id="check-reflections"
await check('posterior.reflections', reflectionsEnough);

// %% id="autoregressive"
/**
 * Draws and their ln q after some inverse autoregressive steps, each followed by a reversal of the latents' order.
 * @param z draws, [B, L] @param logQ their ln q, [B]
 * @param nets by step, [B, L] → [B, 2L], first all m, then all s; outputs m_l and s_l depend on the latents before l alone
 * @returns the new z, [B, L], and its ln q, logQ [B]
 */
function inverseAutoregressive(
  z: tf.Tensor,
  logQ: tf.Tensor,
  nets: readonly ((z: tf.Tensor) => tf.Tensor)[],
): { z: tf.Tensor; logQ: tf.Tensor } {
  // BEGIN SOLUTION posterior.autoregressive
  let [place, logDensity] = [z, logQ];
  for (const net of nets) {
    const [m, s] = tf.split(net(place), 2, 1) as [tf.Tensor, tf.Tensor]; // [B, L] each
    const gate = tf.sigmoid(s);
    logDensity = logDensity.sub(tf.logSigmoid(s).sum(1)); // the Jacobian is triangular: its diagonal alone
    place = gate.mul(place).add(tf.sub(1, gate).mul(m)).reverse(1);
  }
  return { z: place, logQ: logDensity };
  // END SOLUTION
}

// %% id="check-autoregressive"
await check('posterior.autoregressive', inverseAutoregressive);

// %% id="flow"
/**
 * ln p(z) of a flow prior with the base N(0, I).
 * @param z [B, L] @param layers from z to the base, the first one first: each takes [B, L], and gives where it ends,
 * z [B, L], and the ln |det| of its Jacobian, logDet [B] @returns [B], in nats
 */
function logFlowPrior(
  z: tf.Tensor,
  layers: readonly ((z: tf.Tensor) => { z: tf.Tensor; logDet: tf.Tensor })[],
): tf.Tensor {
  // BEGIN SOLUTION prior.flow
  let [place, logDet] = [z, tf.zeros([z.shape[0]!]) as tf.Tensor];
  for (const layer of layers) {
    const step = layer(place);
    [place, logDet] = [step.z, logDet.add(step.logDet)];
  }
  const base = logNormal(place, tf.scalar(0), tf.scalar(0)); // [B]: a sum over the latents, and only then the ln |det|
  return base.add(logDet);
  // END SOLUTION
  // BEGIN GIVEN
  // let [place, logDet] = [z, tf.zeros([z.shape[0]!]) as tf.Tensor];
  // for (const layer of layers) {
  //   const step = layer(place);
  //   [place, logDet] = [step.z, logDet.add(step.logDet)];
  // }
  // const each = place.square().add(Math.log(2 * Math.PI)).mul(-0.5).add(logDet.expandDims(1)); // [B, L]
  // return each.sum(1);
  // END GIVEN
}

// %% id="check-flow"
await check('prior.flow', logFlowPrior);
