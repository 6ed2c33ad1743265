import { answersTo, type TriedAnswers } from './answer';

const MARGINAL = (finish: string, noise = 'Math.exp(logVar)') => `
  const [D, L] = W.shape as [number, number];
  const r = x.sub(mu);
  const s2 = ${noise};
  const size = W.square().sum(0);
  const along = r.matMul(W).square();
  const whole = (q: tf.Tensor, l: tf.Tensor | number) => q.add(l).add(D * Math.log(2 * Math.PI)).div(-2);
  ${finish}`;
const POSTERIOR = (mean: string, spread: string, noise = 'Math.exp(logVar)') => `
  const s2 = ${noise};
  const size = W.square().sum(0);
  const along = x.sub(mu).matMul(W);
  const mean = ${mean};
  return { mu: mean, logVar: tf.tile((${spread}).expandDims(0), [x.shape[0]!, 1]) };`;
const POSTERIOR_SPREAD = 'size.div(s2).add(1).log().neg()';
const ELBO = (over: { z?: string; reconstruction?: string; kl?: string; split?: string } = {}) => `
  const h = encode(x);
  const L = h.shape[1]! / 2;
  ${over.split ?? 'const [mu, logVar] = [h.slice([0, 0], [-1, L]), h.slice([0, L], [-1, L])];'}
  const z = ${over.z ?? 'rng.normal([x.shape[0]!, L]).mul(logVar.mul(0.5).exp()).add(mu)'};
  const logits = decode(z);
  const hot = tf.oneHot(x.toInt() as tf.Tensor2D, logits.shape[2]!).toFloat();
  const reconstruction = ${over.reconstruction ?? 'hot.mul(tf.logSoftmax(logits)).sum([1, 2])'};
  const kl = ${over.kl ?? 'mu.square().add(logVar.exp()).sub(logVar).sub(1).sum(1).div(2)'};
  return { reconstruction, kl };`;
const BINOMIAL = (term: string, finish = 'sum') => `
  const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n, k - 1) * (n - k + 1)) / k);
  let sum = 0;
  for (let k = 0; k <= K; k++) sum += ${term};
  return ${finish};`;
const PATTERN = (alone: string, kl: string) => `
  const n = pattern.length;
  const counts: Record<string, number> = {};
  for (const letter of pattern) counts[letter] = (counts[letter] ?? 0) + 1;
  const letters = Object.keys(counts).length;
  const twice = Object.values(counts).filter((c) => c > 1).length;
  const each = Math.log(values);
  const blind = sees === 'nothing';
  return { alone: ${alone}, kl: ${kl} };`;
const SPHERE = (over: Partial<Record<'power' | 'kappa' | 'finish' | 'across' | 'u' | 'g', string>> = {}) => `
  const L = mu.size;
  const n = 20000;
  const upTo: number[] = [];
  let total = 0;
  for (let i = 0; i < n; i++) {
    const t = ((i + 0.5) * Math.PI) / n;
    total += Math.exp(${over.kappa ?? 'kappa'} * Math.cos(t) - kappa) * Math.sin(t) ** (${over.power ?? 'L - 2'});
    upTo.push(total);
  }
  const u: ArrayLike<number> = ${over.u ?? "rng.fork('u').uniform([count]).dataSync()"};
  const t = Float32Array.from(u, (v) => {
    let low = 0;
    let high = n - 1;
    while (low < high) { const m = (low + high) >> 1; if (upTo[m]! < v * total) low = m + 1; else high = m; }
    return ((low + 0.5) * Math.PI) / n;
  });
  const g = ${over.g ?? "rng.fork('g').normal([count, L])"};
  const across = ${over.across ?? 'g.sub(g.matMul(mu.reshape([L, 1])).mul(mu.reshape([1, L])))'};
  const v = across.div(across.square().sum(1, true).sqrt());
  const angle = tf.tensor1d(t).expandDims(1);
  ${over.finish ?? 'return angle.cos().mul(mu).add(angle.sin().mul(v));'}`;
// Wood's rejection (1994), whose Beta(m/2, m/2) is made of two sums of m squares
const WOOD = `
  const L = mu.size;
  const m = L - 1;
  const b = m / (2 * kappa + Math.sqrt(4 * kappa * kappa + m * m));
  const x0 = (1 - b) / (1 + b);
  const c = kappa * x0 + m * Math.log(1 - x0 * x0);
  const cosines: number[] = [];
  for (let round = 0; cosines.length < count; round++) {
    const here = rng.fork('round ' + round);
    const squares = here.fork('beta').normal([2, 4 * count, m]).square().sum(2).arraySync() as number[][];
    const u = here.fork('u').uniform([4 * count]).dataSync();
    for (let n = 0; n < 4 * count && cosines.length < count; n++) {
      const beta = squares[0]![n]! / (squares[0]![n]! + squares[1]![n]!);
      const w = (1 - (1 + b) * beta) / (1 - (1 - b) * beta);
      if (kappa * w + m * Math.log(1 - x0 * w) - c >= Math.log(u[n]!)) cosines.push(w);
    }
  }
  const g = rng.fork('g').normal([count, L]);
  const across = g.sub(g.mul(mu).sum(1, true).mul(mu));
  const w = tf.tensor1d(cosines).expandDims(1);
  return w.mul(mu).add(tf.sub(1, w.square()).relu().sqrt().mul(across.div(across.norm(2, 1, true))));`;
const IMPORTANCE = (finish: string, spread = 'logVar') => `
  const v = ${spread};
  const half = (e: tf.Tensor, s: tf.Tensor | number) => tf.add(s, Math.log(2 * Math.PI)).add(e).mul(-0.5).sum(-1);
  const prior = half(z.square(), 0); // [K, B]
  const q = half(z.sub(mu.expandDims(0)).square().div(v.exp().expandDims(0)), v.expandDims(0));
  const logW = logLikelihood.add(prior).sub(q);
  const K = z.shape[0]!;
  ${finish}`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'vae.marginal',
      ['the determinant first', MARGINAL('return whole(r.square().sum(1).sub(along.div(size.add(s2)).sum(1)).div(s2), size.div(s2).add(1).log().sum().add(D * logVar));')],
      ['direction by direction', MARGINAL('const inside = along.div(size.maximum(1e-20)); return whole(inside.div(size.add(s2)).sum(1).add(r.square().sum(1).sub(inside.sum(1)).div(s2)), size.add(s2).log().sum().add((D - L) * logVar));')],
      ['Bayes at the best z', 'const s2 = Math.exp(logVar); const v = W.square().sum(0).div(s2).add(1).reciprocal(); const m = x.sub(mu).matMul(W).div(s2).mul(v); const zero = tf.zerosLike(m); return logNormal(x.sub(mu).sub(m.matMul(W, false, true)), tf.scalar(0), tf.scalar(logVar)).add(logNormal(m, zero, zero)).sub(logNormal(zero, zero, zero.add(v.log())));'],
      ['plain loops', 'const X = x.arraySync() as number[][]; const M = mu.arraySync() as number[]; const w = W.arraySync() as number[][]; const [D, L] = W.shape as [number, number]; const s2 = Math.exp(logVar); return tf.tensor1d(X.map((row) => { let q = 0; let l = D * (Math.log(2 * Math.PI) + logVar); const r = row.map((v, d) => v - M[d]!); for (const v of r) q += v * v / s2; for (let k = 0; k < L; k++) { let a = 0; let s = 0; for (let d = 0; d < D; d++) { a += w[d]![k]! * r[d]!; s += w[d]![k]! ** 2; } q -= a * a / (s2 * (s + s2)); l += Math.log(1 + s / s2); } return -(q + l) / 2; }));'],
    ),
    ...answersTo(
      'vae.posterior',
      ['by precisions', POSTERIOR('along.div(s2).div(size.div(s2).add(1))', POSTERIOR_SPREAD)],
      ['a difference of logarithms', POSTERIOR('along.div(size.add(s2))', 'size.add(s2).log().neg().add(logVar)')],
      ['one column after another', 'const s2 = Math.exp(logVar); const columns = tf.unstack(W, 1); const r = x.sub(mu); const means = columns.map((w) => r.mul(w).sum(1).div(w.square().sum().add(s2))); const logs = columns.map((w) => tf.fill([x.shape[0]!], logVar - Math.log(w.square().sum().dataSync()[0]! + s2))); return { mu: tf.stack(means, 1), logVar: tf.stack(logs, 1) };'],
    ),
    ...answersTo(
      'vae.elbo',
      ['slices and one-hot vectors', ELBO()],
      ['the package’s functions', ELBO({ reconstruction: 'logCategorical(x, logits)', kl: 'klNormal(mu, logVar)' })],
      ['latent by latent', ELBO({ z: "tf.concat(Array.from({ length: L }, (_, l) => rng.fork('latent ' + l).normal([x.shape[0]!, 1]).mul(logVar.slice([0, l], [-1, 1]).mul(0.5).exp()).add(mu.slice([0, l], [-1, 1]))), 1)", reconstruction: 'logits.mul(hot).sum(2).sub(tf.logSumExp(logits, 2)).sum(1)' })],
      ['a named stream', ELBO({ z: "mu.add(logVar.div(2).exp().mul(rng.fork('z').normal(mu.shape)))" })],
    ),
    ...answersTo(
      'vae.expectedBound',
      ['binomial coefficients', BINOMIAL('choose(K, k) * Math.log((k * a + (K - k) * b) / K)', 'sum / 2 ** K')],
      ['logarithms of factorials', 'const lf = (n: number) => { let s = 0; for (let i = 2; i <= n; i++) s += Math.log(i); return s; }; let e = 0; for (let k = 0; k <= K; k++) e += Math.exp(lf(K) - lf(k) - lf(K - k) - K * Math.LN2) * Math.log(b + ((a - b) * k) / K); return e;'],
      ['a list of probabilities', 'let p = [1]; for (let i = 0; i < K; i++) p = Array.from({ length: p.length + 1 }, (_, k) => ((p[k] ?? 0) + (p[k - 1] ?? 0)) / 2); return p.reduce((s, v, k) => s + v * Math.log((k * a + (K - k) * b) / K), 0);'],
    ),
    ...answersTo(
      'vae.patternNats',
      ['counts', PATTERN('(blind ? n : letters) * each', '(blind ? twice : 0) * each')],
      ['a set and an index', "const set = [...new Set(pattern)]; const l = Math.log(values); if (sees === 'all before') return { alone: l * set.length, kl: 0 }; return { alone: l * pattern.length, kl: l * set.filter((c) => pattern.indexOf(c) !== pattern.lastIndexOf(c)).length };"],
      ['powers of V', PATTERN('Math.log(values ** (blind ? n : letters))', 'blind ? Math.log(values ** twice) : 0')],
    ),
    ...answersTo(
      'vae.freeBits',
      ['a rectifier: what is above alone', 'return kl.mean(0).sub(free).relu().sum();'],
      ['tf.where', 'const m = kl.mean(0); return tf.where(m.greater(free), m, tf.onesLike(m).mul(free)).sum();'],
      ['a mask', 'const m = tf.mean(kl, 0); return m.mul(m.greater(free).toFloat()).sum();'],
    ),
    ...answersTo(
      'vae.sphere',
      ['a finer grid, no interpolation', SPHERE()],
      ['rejection from the uniform angle', "const L = mu.size; const w: number[] = []; const log = (t: number) => kappa * Math.cos(t) + (L - 2) * Math.log(Math.max(Math.sin(t), 1e-30)); let top = -Infinity; for (let i = 1; i < 5000; i++) top = Math.max(top, log(i * Math.PI / 5000)); for (let round = 0; w.length < count; round++) { const here = rng.fork('round ' + round); const t = here.fork('t').uniform([200000]).dataSync(); const u = here.fork('u').uniform([200000]).dataSync(); for (let n = 0; n < 200000 && w.length < count; n++) if (Math.log(u[n]! + 1e-30) < log(Math.PI * t[n]!) - top - 0.001) w.push(Math.PI * t[n]!); } const g = rng.fork('g').normal([count, L]); const a = g.sub(g.mul(mu).sum(1, true).mul(mu)); const v = a.div(a.norm(2, 1, true)); const t = tf.tensor1d(w).expandDims(1); return t.cos().mul(mu).add(t.sin().mul(v));"],
      ['Wood’s rejection', WOOD],
    ),
    ...answersTo(
      'vae.importance',
      ['log-sum-exp of tfjs', IMPORTANCE('return tf.logSumExp(logW, 0).sub(Math.log(K));')],
      ['the largest out by hand', IMPORTANCE('const top = logW.max(0, true); return logW.sub(top).exp().mean(0).log().add(top.squeeze([0]));')],
      ['draw by draw', 'const rows = tf.unstack(z).map((zk, k) => logLikelihood.slice([k, 0], [1, -1]).squeeze([0]).add(logNormal(zk, tf.scalar(0), tf.scalar(0))).sub(logNormal(zk, mu, logVar))); return logMeanExp(tf.stack(rows), 0);'],
    ),
  ],

  wrong: [
    ...answersTo(
      'vae.marginal',
      ['a standard deviation', MARGINAL('return whole(r.square().sum(1).sub(along.div(size.add(s2)).sum(1)).div(s2), size.add(s2).log().sum().add((D - L) * Math.log(s2)));', 'Math.exp(logVar / 2)'), 'not its square root'],
      ['noise at least e^−2', MARGINAL('return whole(r.square().sum(1).sub(along.div(size.add(s2)).sum(1)).div(s2), size.add(s2).log().sum().add((D - L) * Math.log(s2)));', 'Math.exp(Math.max(logVar, -2))')],
      ['noise at most e', MARGINAL('return whole(r.square().sum(1).sub(along.div(size.add(s2)).sum(1)).div(s2), size.add(s2).log().sum().add((D - L) * Math.log(s2)));', 'Math.exp(Math.min(logVar, 1))')],
      ['no other directions', MARGINAL('return whole(r.square().sum(1).sub(along.div(size.add(s2)).sum(1)).div(s2), size.add(s2).log().sum());'), 'D − L directions'],
      ['given the best z', MARGINAL('return whole(r.square().sum(1).sub(along.div(size).sum(1)).div(s2), D * logVar);'), 'best z'],
      ['no z', MARGINAL('return whole(r.square().sum(1).div(s2), D * logVar);'), 'as if z were 0'],
      ['no determinant', MARGINAL('return whole(r.square().sum(1).sub(along.div(size.add(s2)).sum(1)).div(s2), 0);'), 'determinant is missing'],
      ['no constant', MARGINAL('return r.square().sum(1).sub(along.div(size.add(s2)).sum(1)).div(s2).add(size.add(s2).log().sum()).add((D - L) * logVar).div(-2);'), 'constant'],
      ['a mean', MARGINAL('return whole(r.square().sum(1).sub(along.div(size.add(s2)).sum(1)).div(s2), size.add(s2).log().sum().add((D - L) * logVar)).div(D);')],
    ),
    ...answersTo(
      'vae.posterior',
      ['the projection', POSTERIOR('along.div(size)', POSTERIOR_SPREAD), 'projection'],
      ['the pull', POSTERIOR('along.div(s2)', POSTERIOR_SPREAD), 'pull of the data'],
      ['a variance', POSTERIOR('along.div(size.add(s2))', 'tf.div(s2, size.add(s2))'), 'its logarithm'],
      ['a precision', POSTERIOR('along.div(size.add(s2))', 'size.div(s2).add(1).log()'), 'precision'],
      ['a deviation', POSTERIOR('along.div(size.add(s2))', 'size.div(s2).add(1).log().div(-2)'), 'standard deviation'],
      ['one row', 'const size = W.square().sum(0).add(Math.exp(logVar)); return { mu: x.sub(mu).matMul(W).div(size), logVar: tf.sub(logVar, size.log()) };', 'to be a tensor'],
      ['σ for σ²', POSTERIOR('along.div(size.add(s2))', 'size.div(s2).add(1).log().neg()', 'Math.exp(logVar / 2)'), 'not its square root'],
    ),
    ...answersTo(
      'vae.elbo',
      ['exp(logVar)', ELBO({ z: 'mu.add(logVar.exp().mul(rng.normal(mu.shape)))' }), 'that is the variance'],
      ['one noise for all', ELBO({ z: 'mu.add(logVar.div(2).exp().mul(rng.normal([1, L])))' }), 'noise of its own'],
      ['one noise for all latents', ELBO({ z: 'mu.add(logVar.div(2).exp().mul(rng.normal([x.shape[0]!, 1])))' }), 'ε is [B, L]'],
      ['the deviation of the batch', ELBO({ z: 'mu.add(logVar.mean(0).div(2).exp().mul(rng.normal(mu.shape)))' }), 'its own μ and σ'],
      ['one deviation for all latents', ELBO({ z: 'mu.add(logVar.div(2).exp().mean(1, true).mul(rng.normal(mu.shape)))' }), 'its own μ and σ'],
      ['latents the wrong way round', ELBO({ z: 'mu.add(logVar.reverse(1).div(2).exp().mul(rng.normal(mu.shape)))' }), 'its own μ and σ'],
      ['half of the noise twice', ELBO({ z: "mu.add(logVar.div(2).exp().mul(tf.tile(rng.normal([Math.ceil(x.shape[0]! / 2), L]), [2, 1]).slice([0, 0], [x.shape[0]!, L])))" }), 'noise of its own'],
      ['noise cut off', ELBO({ z: 'mu.add(logVar.div(2).exp().mul(rng.normal(mu.shape).clipByValue(-2, 2)))' })],
      ['no noise', ELBO({ z: 'mu' })],
      ['a negative KL', ELBO({ kl: 'mu.square().add(logVar.exp()).sub(logVar).sub(1).sum(1).div(-2)' }), 'negative'],
      ['means of KLs', ELBO({ kl: 'mu.square().add(logVar.exp()).sub(logVar).sub(1).mean(1).div(2)' }), 'not their mean'],
      ['exchanged', ELBO({ split: 'const [logVar, mu] = tf.split(h, 2, 1) as [tf.Tensor, tf.Tensor];' })],
      ['a mean over pixels', ELBO({ reconstruction: 'hot.mul(tf.logSoftmax(logits)).sum(2).mean(1)' }), 'not their mean'],
      ['no softmax', ELBO({ reconstruction: 'hot.mul(logits).sum([1, 2])' }), 'normalise them'],
      ['two softmaxes', ELBO({ reconstruction: 'logCategorical(x, tf.softmax(logits))' }), 'not through two'],
      ['the batch', ELBO({ kl: 'tf.fill([x.shape[0]!], klNormal(mu, logVar).mean().dataSync()[0]!)' })],
    ),
    ...answersTo(
      'vae.expectedBound',
      ['the limit', 'return Math.log((a + b) / 2);', 'limit of many draws'],
      ['the ELBO', 'return (Math.log(a) + Math.log(b)) / 2;', 'bound of one draw'],
      ['a shift of 32 bits', BINOMIAL('choose(K, k) * Math.log((k * a + (K - k) * b) / K)', 'sum / (1 << K)')],
      ['all but none', BINOMIAL('(k > 0 ? choose(K, k) : 0) * Math.log((k * a + (K - k) * b) / K)', 'sum / 2 ** K')],
      ['even', BINOMIAL('Math.log((k * a + (K - k) * b) / K) / (K + 1)'), 'ways'],
      ['a sum', BINOMIAL('choose(K, k) * Math.log(k * a + (K - k) * b)', 'sum / 2 ** K'), 'not their sum'],
      ['bits', BINOMIAL('choose(K, k) * Math.log2((k * a + (K - k) * b) / K)', 'sum / 2 ** K'), 'natural'],
      ['a Taylor series', 'return Math.log((a + b) / 2) - ((a - b) / (a + b)) ** 2 / (2 * K);', 'approximation'],
    ),
    ...answersTo(
      'vae.patternNats',
      ['all letters', PATTERN('(blind ? n : letters) * each', '(blind ? letters : 0) * each'), 'stands once'],
      ['all pixels', PATTERN('(blind ? n : letters) * each', '(blind ? n : 0) * each'), 'every pixel'],
      ['a code in any case', PATTERN('(blind ? n : letters) * each', 'twice * each'), 'on top'],
      ['never a code', PATTERN('(blind ? n : letters) * each', '0'), 'has to tell them'],
      ['what is saved', PATTERN('(blind ? n : letters) * each', '(blind ? n - letters : 0) * each'), 'what the code saves'],
      ['the entropy', PATTERN('letters * each', '(blind ? twice : 0) * each'), 'entropy of the pictures'],
      ['bits', PATTERN('(blind ? n : letters) * Math.log2(values)', '(blind ? twice : 0) * Math.log2(values)'), 'natural'],
    ),
    ...answersTo(
      'vae.freeBits',
      ['the whole mean', 'return kl.sum(1).mean().maximum(free);', 'each coordinate'],
      ['example by example', 'return kl.maximum(free).mean(0).sum();', 'mean over the batch comes first'],
      ['clamped from above', 'return kl.mean(0).minimum(free).sum();', 'wrong way round'],
      ['nothing free', 'return kl.mean(0).sum();', 'nothing is free'],
      ['a mean', 'return kl.mean(0).maximum(free).mean();', 'not their mean'],
      ['pulled up', 'return kl.mean(0).sub(free).abs().sum();', 'no pull at all'],
      ['a vector', 'return kl.mean(0).maximum(free);', 'scalar'],
    ),
    ...answersTo(
      'vae.sphere',
      ['three dimensions', SPHERE({ power: '1' }), 'three dimensions'],
      ['L − 1', SPHERE({ power: 'L - 1' })],
      ['L − 3', SPHERE({ power: 'L - 3' })],
      ['no room', SPHERE({ power: '0' })],
      ['the wrong way', SPHERE({ kappa: '-kappa' }), 'wrong sign'],
      ['not across', SPHERE({ across: 'g' }), 'unit vectors'],
      ['angles in order', SPHERE({ u: 'Array.from({ length: count }, (_, i) => (i + 0.5) / count)' }), 'angle of its own'],
      ['every angle twice', SPHERE({ u: "tf.tile(rng.fork('u').uniform([Math.ceil(count / 2), 1]), [1, 2]).flatten().slice([0], [count]).dataSync()" }), 'angle of its own'],
      ['noise of a cube', SPHERE({ g: "rng.fork('g').uniform([count, L]).sub(0.5)" })],
      ['the radius', SPHERE({ finish: 'return angle.cos().mul(mu).add(angle.sin().mul(across));' }), 'length 1'],
      ['a Gaussian brought to length 1', 'const g = mu.mul(kappa).add(rng.normal([count, mu.size])); return g.div(g.norm(2, 1, true));'],
    ),
    ...answersTo(
      'vae.importance',
      ['the mean of logs', IMPORTANCE('return logW.mean(0);'), 'whatever K'],
      ['the closed form', IMPORTANCE('return logMeanExp(logLikelihood.sub(klNormal(mu, logVar)), 0);')],
      ['as given', 'const logW = logLikelihood.sub(klNormal(mu, logVar)); const v = tf.softmax(logW.transpose()).transpose(); return v.mul(logW).sum(0);'],
      ['half repaired', IMPORTANCE('return tf.softmax(logW.transpose()).mul(logW.transpose()).sum(1);'), 'even weights'],
      ['a sum', IMPORTANCE('return tf.logSumExp(logW, 0);'), 'not their sum'],
      ['the largest', IMPORTANCE('return logW.max(0);'), 'largest weight'],
      ['the largest of the batch', IMPORTANCE('const top = logW.max(); return logW.sub(top).exp().mean(0).log().add(top);'), 'own largest'],
      ['no exponent taken out', IMPORTANCE('return logW.exp().mean(0).log();')],
      ['σ for σ²', IMPORTANCE('return logMeanExp(logW, 0);', 'logVar.mul(2)'), 'logVar is ln σ²'],
    ),
  ],
}; // prettier-ignore
