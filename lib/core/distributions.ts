/**
 * Log-densities and divergences, in nats: data [B, ...event] in, one number per example [B] out.
 *
 * Every Gaussian is given by its mean `mu` and `logVar` = ln σ²; parameters broadcast against the data.
 * Sources: Bishop, Pattern Recognition and Machine Learning (2006), appendix B; Cover and Thomas, Elements of
 * Information Theory (2006), chapter 2 for the divergences.
 */
import * as tf from '@tensorflow/tfjs';
import { expectShape, sumEvent, withoutGradient } from './tensor';

/** ln 2π */
export const LOG_2PI = Math.log(2 * Math.PI);

/**
 * Independent Gaussians: Σ_d −½ (ln 2π + logVar_d + (x_d − mu_d)² / exp logVar_d).
 * @param x [B, ...event] @returns [B], a density (may exceed 0)
 * @example logNormal(tf.tensor2d([[0, 1]]), tf.tensor1d([0, 0]), tf.tensor1d([0, 0])) // → [-2.3379]
 */
export function logNormal(x: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const squares = x.sub(mu).square().mul(logVar.neg().exp());
    return sumEvent(squares.add(logVar).add(LOG_2PI).mul(-0.5));
  });
}

/**
 * Independent logistic variables: with y = (x − mu) / exp logScale, Σ_d −logScale_d − ln(1 + e^y_d) − ln(1 + e^−y_d).
 * @param x [B, ...event] @returns [B], a density (may exceed 0)
 */
export function logLogistic(x: tf.Tensor, mu: tf.Tensor, logScale: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const y = x.sub(mu).mul(logScale.neg().exp());
    return sumEvent(tf.softplus(y).add(tf.softplus(y.neg())).add(logScale).neg());
  });
}

/**
 * Independent coins, given by their logits l = ln (p / (1 − p)): Σ_d x_d l_d − ln(1 + exp l_d).
 * Any other value, such as a grey pixel, has probability 0, so its row is −∞.
 * @param x [B, ...event] of 0 and 1 @returns [B]
 * @example logBernoulli(tf.tensor2d([[1, 0], [1, 0.5]]), tf.tensor1d([0, 0])) // → [-1.3863, -Infinity]
 */
export function logBernoulli(x: tf.Tensor, logits: tf.Tensor): tf.Tensor {
  return tf.tidy(() => sumEvent(x.mul(logits).sub(tf.softplus(logits))).add(logLattice(x, 2)));
}

/**
 * Independent categorical variables: Σ_d ln softmax(logits_d)[x_d].
 * A value that is no integer in 0 … V − 1 has probability 0, so its row is −∞.
 * @param x [B, D] of 0 … V − 1 @param logits [D, V] or [B, D, V]; −∞ forbids a value @returns [B]
 * @example logCategorical(tf.tensor2d([[0, 2]]), tf.zeros([2, 4])) // → [-2.7726]
 */
export function logCategorical(x: tf.Tensor, logits: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const values = logits.shape.at(-1)!;
    // not a product with the one-hot vector: 0 · −∞ is NaN
    const picked = tf.where(oneHotValues(x, values).cast('bool'), tf.logSoftmax(logits), 0); // [B, D, V]
    return sumEvent(picked).add(logLattice(x, values));
  });
}

/**
 * [..., V]: 1 at the value, 0 elsewhere.
 * @example oneHotValues(tf.tensor1d([2, 0]), 3) // → [[0, 0, 1], [1, 0, 0]]
 */
export function oneHotValues(x: tf.Tensor, values: number): tf.Tensor {
  return tf.tidy(() => tf.oneHot(x.toInt() as tf.Tensor1D, values).toFloat());
}

/** 0 where every coordinate is an integer in 0 … V − 1, else −∞: [B, ...event] → [B]. */
export function logLattice(x: tf.Tensor, values: number): tf.Tensor {
  return withoutGradient(x, (value) => {
    const inside = value.equal(value.floor()).logicalAnd(value.greaterEqual(0)).logicalAnd(value.less(values));
    const all = inside.reshape([x.shape[0]!, -1]).all(1);
    return tf.where(all, tf.zeros([x.shape[0]!]), tf.fill([x.shape[0]!], -Infinity));
  });
}

/** 0 where every coordinate is an integer, else −∞: [B, ...event] → [B]. Off the lattice there is no mass. */
export function logIntegers(x: tf.Tensor): tf.Tensor {
  return withoutGradient(x, (value) => {
    const all = value.equal(value.round()).reshape([x.shape[0]!, -1]).all(1);
    return tf.where(all, tf.zeros([x.shape[0]!]), tf.fill([x.shape[0]!], -Infinity));
  });
}

/** 0 where every coordinate lies in [low, high], else −∞: [B, ...event] → [B]. */
export function logInterval(x: tf.Tensor, low: number, high: number): tf.Tensor {
  return withoutGradient(x, (value) => {
    const inside = value.greaterEqual(low).logicalAnd(value.lessEqual(high)).reshape([x.shape[0]!, -1]).all(1);
    return tf.where(inside, tf.zeros([x.shape[0]!]), tf.fill([x.shape[0]!], -Infinity));
  });
}

/**
 * The mass that a logistic with mean mu and scale s = exp logScale has between x − ½ and x + ½, elementwise:
 *   ln [σ((x + ½ − mu) / s) − σ((x − ½ − mu) / s)],
 * which sums to 1 over all integers x; nothing is clipped (Salimans et al., PixelCNN++, 2017, give the ends all that
 * lies beyond them). With b and a the two arguments it is computed as ln σ(b) + ln σ(−a) + ln(1 − e^(a − b)), the same
 * number: far out σ(b) − σ(a) would be 0.
 * @param x [...], integers @param mu and logScale of the same shape, or one that broadcasts @returns [...]
 * @example logDiscretisedLogistic(tf.scalar(0), tf.scalar(0), tf.scalar(0)) // → -1.407
 */
export function logDiscretisedLogistic(x: tf.Tensor, mu: tf.Tensor, logScale: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const sharpness = logScale.neg().exp(); // 1 / s
    const above = x.sub(mu).add(0.5).mul(sharpness);
    const below = x.sub(mu).sub(0.5).mul(sharpness);
    const width = sharpness.neg().expm1().neg().log(); // ln(1 − e^(−1/s))
    return width.sub(above.neg().softplus()).sub(below.softplus());
  });
}

/**
 * As `logDiscretisedLogistic`, on 0 … V − 1 alone: the ends get all the mass that lies beyond them (Salimans et al.,
 * PixelCNN++, 2017, section 2.1), so that it sums to 1 over these values. Any other x gets −∞, elementwise.
 * @param x [...] @param mu and logScale of the same shape, or one that broadcasts @returns [...]
 * @example logBoundedLogistic(tf.tensor1d([0, 1]), tf.scalar(0.5), tf.scalar(0), 2) // → [-0.6931, -0.6931]
 */
export function logBoundedLogistic(x: tf.Tensor, mu: tf.Tensor, logScale: tf.Tensor, values: number): tf.Tensor {
  return tf.tidy(() => {
    const sharpness = logScale.neg().exp();
    const above = x.sub(mu).add(0.5).mul(sharpness);
    const below = x.sub(mu).sub(0.5).mul(sharpness);
    const inner = logDiscretisedLogistic(x, mu, logScale);
    const bottom = tf.where(x.equal(0), above.neg().softplus().neg(), inner); // ln F(½)
    const mass = tf.where(x.equal(values - 1), below.softplus().neg(), bottom); // ln (1 − F(V − 3/2))
    const inside = x.equal(x.floor()).logicalAnd(x.greaterEqual(0)).logicalAnd(x.less(values));
    return tf.where(inside, mass, -Infinity);
  });
}

/**
 * KL[N(mu, exp logVar) ‖ N(muP, exp logVarP)]
 * = ½ Σ_d (logVarP − logVar − 1 + (exp logVar + (mu − muP)²) / exp logVarP).
 * @param mu [B, ...event]; the second Gaussian is standard normal unless given @returns [B], ≥ 0
 * @example klNormal(tf.tensor2d([[1]]), tf.tensor2d([[0]])) // → [0.5]
 */
export function klNormal(mu: tf.Tensor, logVar: tf.Tensor, muP?: tf.Tensor, logVarP?: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const [centre, logSpread] = [muP ?? tf.scalar(0), logVarP ?? tf.scalar(0)];
    const squares = logVar.exp().add(mu.sub(centre).square()).mul(logSpread.neg().exp());
    return sumEvent(logSpread.sub(logVar).sub(1).add(squares).mul(0.5));
  });
}

/**
 * KL[Cat(softmax a) ‖ Cat(softmax b)] = Σ_v p_v (ln p_v − ln q_v), summed over the other axes.
 * @param a [B, ..., V], finite @param b the same shape, or one that broadcasts, finite @returns [B], ≥ 0
 * @example klCategorical(tf.tensor2d([[0, 0]]), tf.tensor2d([[0, Math.log(3)]])) // → [0.1438]
 */
export function klCategorical(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const logP = tf.logSoftmax(a);
    return sumEvent(logP.exp().mul(logP.sub(tf.logSoftmax(b))));
  });
}

// Components: every example under each of K distributions

/**
 * Σ_d ln N(x_d; mu_kd, exp logVar_kd) for each component: x [B, D], mu and logVar [K, D] → [B, K].
 *
 * Differences first, then squares: multiplied out, (x² − 2 x mu + mu²) / σ² is a few large matrix products, and for two
 * clusters a thousand standard deviations apart float32 keeps nothing of it.
 */
export function logNormalComponents(x: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const { B, D } = expectShape('logNormalComponents: x', x, ['B', 'D']);
    const { K } = expectShape('logNormalComponents: mu', mu, ['K', 'D'], { D: D! });
    expectShape('logNormalComponents: logVar', logVar, ['K', 'D'], { K: K!, D: D! });
    const group = Math.max(1, Math.floor(LARGEST_ARRAY / (B! * D!))); // components at a time
    const parts = Array.from({ length: Math.ceil(K! / group) }, (_, i) => {
      const own = (table: tf.Tensor) =>
        group >= K! ? table : table.slice([i * group], [Math.min(group, K! - i * group)]);
      const squares = x.expandDims(1).sub(own(mu)).square().mul(own(logVar).neg().exp()); // [B, k, D]
      return squares.sum(2).add(own(logVar).add(LOG_2PI).sum(1)).mul(-0.5); // [B, k]
    });
    return parts.length === 1 ? parts[0]! : tf.concat(parts, 1);
  });
}

/** Numbers in one [B, k, D] array: 8 MB, so that many examples in many dimensions do not fill the memory. */
const LARGEST_ARRAY = 2 ** 21;

/** Σ_d ln softmax(logits_kd)[x_d] for each component: x [B, D] of 0 … V − 1, logits [K, D, V] → [B, K]. */
export function logCategoricalComponents(x: tf.Tensor, logits: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const { K, D, V } = expectShape('logCategoricalComponents: logits', logits, ['K', 'D', 'V']);
    expectShape('logCategoricalComponents: x', x, ['B', 'D'], { D: D! });
    const picked = oneHotValues(x, V!).reshape([-1, D! * V!]); // [B, D V]
    return picked.matMul(tf.logSoftmax(logits).reshape([K!, D! * V!]), false, true); // [B, K]
  });
}
