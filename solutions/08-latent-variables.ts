// %% [markdown] id="title"
// # 8 Latent variables and variational auto-encoders

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten } from 'grader';
import { klNormal, logCategorical, logMeanExp, logNormal, type Rng } from 'dgm';

// %% id="marginal"
/**
 * ln N(x; mu, W Wᵀ + σ² I) for a W whose columns are orthogonal.
 * @param x [B, D] @param W [D, L], L < D or L = D @param mu [D] @param logVar ln σ² @returns [B], in nats
 */
function logMarginalLinear(x: tf.Tensor, W: tf.Tensor, mu: tf.Tensor, logVar: number): tf.Tensor {
  // BEGIN SOLUTION vae.marginal
  const [D, L] = W.shape as [number, number];
  const noise = Math.exp(logVar);
  const residual = x.sub(mu); // [B, D]
  const variances = W.square().sum(0).add(noise); // [L]: of the data, along each column
  const explained = residual.matMul(W).square().div(variances).sum(1); // [B]
  const distance = residual.square().sum(1).sub(explained).div(noise); // [B]: rᵀ C⁻¹ r
  const logDet = variances
    .log()
    .sum()
    .add((D - L) * logVar); // the other directions have the noise alone
  return distance
    .add(logDet)
    .add(D * Math.log(2 * Math.PI))
    .mul(-0.5);
  // END SOLUTION
}

// %% id="check-marginal"
await check('vae.marginal', logMarginalLinear);

// %% id="posterior"
/**
 * p(z | x) of the same model: Gaussian, and independent in each coordinate.
 * @param x [B, D] @param W [D, L], orthogonal columns @param mu [D] @param logVar ln σ²
 * @returns its mean, mu [B, L], and the logarithm of its variance, logVar [B, L]
 */
function posteriorLinear(
  x: tf.Tensor,
  W: tf.Tensor,
  mu: tf.Tensor,
  logVar: number,
): { mu: tf.Tensor; logVar: tf.Tensor } {
  // BEGIN SOLUTION vae.posterior
  const variances = W.square().sum(0).add(Math.exp(logVar)); // [L]
  const mean = x.sub(mu).matMul(W).div(variances); // [B, L]
  const spread = tf.sub(logVar, variances.log()); // [L], the same for every x
  return { mu: mean, logVar: tf.zerosLike(mean).add(spread) };
  // END SOLUTION
}

// %% id="check-posterior"
await check('vae.posterior', posteriorLinear);

// %% id="elbo"
/**
 * Both terms of the ELBO, by one draw of z for each example.
 * @param x integers 0 … V − 1, [B, D] @param encode [B, D] → [B, 2L], first all μ, then all ln σ²
 * @param decode [B, L] → logits [B, D, V] @param rng the one source of noise
 * @returns ln p(x | z), reconstruction [B], and KL[q(z | x) ‖ N(0, I)], kl [B], both in nats
 */
function elboTerms(
  x: tf.Tensor,
  encode: (x: tf.Tensor) => tf.Tensor,
  decode: (z: tf.Tensor) => tf.Tensor,
  rng: Rng,
): { reconstruction: tf.Tensor; kl: tf.Tensor } {
  // BEGIN SOLUTION vae.elbo
  const [mu, logVar] = tf.split(encode(x), 2, 1) as [tf.Tensor, tf.Tensor]; // [B, L] each
  const deviation = logVar.div(2).exp();
  const z = mu.add(deviation.mul(rng.normal(mu.shape)));
  const reconstruction = logCategorical(x, decode(z));
  return { reconstruction, kl: klNormal(mu, logVar) };
  // END SOLUTION
}

// %% id="check-elbo"
await check('vae.elbo', elboTerms);

// %% id="expected-bound"
/**
 * E ln (w₁ + … + w_K)/K of K independent weights, each a or b with probability ½.
 * @param a above 0 @param b above 0 @param K at least 1
 */
function expectedBound(a: number, b: number, K: number): number {
  // BEGIN SOLUTION vae.expectedBound
  let expectation = 0;
  let probability = 2 ** -K; // of k weights a among the K
  for (let k = 0; k <= K; k++) {
    expectation += probability * Math.log((k * a + (K - k) * b) / K);
    probability *= (K - k) / (k + 1);
  }
  return expectation;
  // END SOLUTION
}

// %% id="check-expected-bound"
await check('vae.expectedBound', expectedBound);

// %% id="pattern-nats"
/**
 * What the best model pays for pictures in which equal letters are equal pixels.
 * @param pattern a letter for each pixel, for example 'abab' @param values V, all equally likely for each letter
 * @param sees what the decoder of a pixel sees besides z
 * @returns alone: the least mean of −ln p(x) without z; kl: the least mean KL with which a model of that decoder can reach
 * the entropy of the pictures; both in nats
 */
function patternNats(pattern: string, values: number, sees: 'nothing' | 'all before'): { alone: number; kl: number } {
  // BEGIN SOLUTION vae.patternNats
  const letters = [...new Set(pattern)];
  const each = Math.log(values);
  if (sees === 'all before') return { alone: letters.length * each, kl: 0 };
  // copies must agree without seeing one another, so z has to say what they are; a letter that stands once is its own
  const shared = letters.filter((letter) => pattern.split(letter).length > 2);
  return { alone: pattern.length * each, kl: shared.length * each };
  // END SOLUTION
}

// %% id="check-pattern-nats"
await check('vae.patternNats', patternNats);

// %% id="free-bits"
/**
 * The price of the code, in place of the mean KL.
 * @param kl KL of each latent coordinate of each example, [B, L] @param free nats a coordinate that cost nothing @returns []
 */
function freeBits(kl: tf.Tensor, free: number): tf.Tensor {
  // BEGIN SOLUTION vae.freeBits
  return kl.mean(0).maximum(free).sum();
  // END SOLUTION
}

// %% id="check-free-bits"
await check('vae.freeBits', freeBits);

// %% id="sphere"
/**
 * Draws of the von Mises–Fisher distribution: unit vectors with density proportional to exp(κ mu·z).
 * @param mu a unit vector, [L], L at least 2 @param kappa κ, at least 0 @returns [count, L]
 */
function drawAround(mu: tf.Tensor, kappa: number, count: number, rng: Rng): tf.Tensor {
  // BEGIN SOLUTION vae.sphere
  const L = mu.size;
  // the angle t from mu: a circle of radius sin t, in L − 1 dimensions, has a surface of sin(t)^(L − 2)
  const cells = 4096;
  const step = Math.PI / cells;
  const mass = (t: number) => Math.exp(kappa * (Math.cos(t) - 1)) * Math.sin(t) ** (L - 2);
  const upTo = [0];
  for (let i = 0; i < cells; i++) upTo.push(upTo[i]! + mass((i + 0.5) * step));
  const angles = Array.from(rng.fork('angle').uniform([count]).dataSync(), (u) => {
    const target = u * upTo[cells]!;
    let [low, high] = [0, cells];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (upTo[middle]! <= target) low = middle;
      else high = middle;
    }
    return (low + (target - upTo[low]!) / (upTo[high]! - upTo[low]!)) * step;
  });
  const noise = rng.fork('direction').normal([count, L]);
  const along = noise.mul(mu).sum(1, true); // [count, 1]
  const across = noise.sub(along.mul(mu)); // no part of it along mu
  const direction = across.div(across.norm(2, 1, true));
  const t = tf.tensor2d(angles, [count, 1]);
  return t.cos().mul(mu).add(t.sin().mul(direction));
  // END SOLUTION
}

// %% id="check-sphere"
await check('vae.sphere', drawAround);

// %% id="importance"
/**
 * The importance-weighted bound on ln p(x), by K draws of z for each example, prior N(0, I).
 * @param logLikelihood ln p(x | z) of each draw, [K, B] @param z the draws, [K, B, L], from q(z | x) = N(mu, exp logVar)
 * @param mu [B, L] @param logVar [B, L] @returns [B], in nats
 */
function importanceWeighted(logLikelihood: tf.Tensor, z: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION vae.importance
  // The code that was given takes the KL, which is a mean over all z, for ln q/p of each draw; and Σ v ln w with v = w / Σ w
  // is above ln (1/K) Σ w, by KL[v ‖ even weights]. Neither is a bound.
  const [K, B, L] = z.shape as [number, number, number];
  const log = (m: tf.Tensor, v: tf.Tensor) => logNormal(z.reshape([K * B, L]), tf.tile(m, [K, 1]), tf.tile(v, [K, 1]));
  const ratio = log(tf.zerosLike(mu), tf.zerosLike(mu)).sub(log(mu, logVar)); // ln p(z) / q(z | x), [K · B]
  return logMeanExp(logLikelihood.add(ratio.reshape([K, B])), 0);
  // END SOLUTION
  // BEGIN GIVEN
  // const logW = logLikelihood.sub(klNormal(mu, logVar)); // [K, B]
  // const v = tf.softmax(logW.transpose()).transpose(); // the normalised weights: columns sum to 1
  // return v.mul(logW).sum(0);
  // END GIVEN
}

// %% id="check-importance"
await check('vae.importance', importanceWeighted);
