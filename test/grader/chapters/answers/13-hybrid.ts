import { answersTo, type TriedAnswers } from './answer';

const LOSS = (own: string, finish = 'return own.add(logP.mul(lambda)).mean().mul(-1);') => `
  const C = logClasses.shape[1]!;
  const own = ${own};
  ${finish}`;
const PICKED = 'tf.where(y.less(0), tf.zerosLike(logP), tf.oneHot(y.maximum(0).toInt() as tf.Tensor1D, C).toFloat().mul(logClasses).sum(1))'; // prettier-ignore
const POWER = (term: string, finish: string) => `const z = p.map((row) => ${term}); ${finish}`;
const SUM = 'return z.reduce((s, v) => s + v);';
const BLEND = (theta: string, tilde: string, setting = 'const k = 1 / (sigma * sigma);') => `
  if (sigma === 0) { const m = (a * u + b * v) / (a + b); return { theta: m, tilde: m }; }
  ${setting}
  const d = a * b + k * (a + b);
  return { theta: ${theta}, tilde: ${tilde} };`;
const NARROW = (mode: string, strangers: string, deviation: string) => `return { mode: ${mode}, strangers: ${strangers}, deviation: ${deviation} };`; // prettier-ignore
const TYPICAL = (finish: string, le = 'lessEqual', ge = 'greaterEqual') => `
  const h = heldOut.reshape([1, -1]);
  const v = logP.reshape([-1, 1]);
  const lo = h.${le}(v).toFloat().mean(1);
  const hi = h.${ge}(v).toFloat().mean(1);
  return ${finish};`;
const BOUND = (kl: string, bound = 'reconstruction.sub(all)', loss = 'bound.mean().add(classifiers.mean().mul(weight)).neg()') => `
  const each = q.map((a, i) => { const b = p[i]!; return ${kl}; });
  const all = tf.addN(each);
  const bound = ${bound};
  return { bound, loss: ${loss} };`; // prettier-ignore
const KL = 'b.logVar.sub(a.logVar).sub(1).add(a.logVar.sub(b.logVar).exp()).add(a.mu.sub(b.mu).square().mul(b.logVar.neg().exp())).sum(1).div(2)'; // prettier-ignore
const NATS = (move: string, prior = 'logPrior(z).sum(1)', finish = 'own.add(all).mean().neg()', seen = 'z') => `
  const { t, logClasses, logPrior, beta, lambda } = h;
  const half = x.shape[1]! / 2;
  const a = x.slice([0, 0], [-1, half]);
  const b = x.slice([0, half], [-1, half]);
  const z = tf.concat([a, b.add(${move})], 1);
  const all = ${prior};
  const table = logClasses(${seen});
  const own = tf.oneHot(y.toInt() as tf.Tensor1D, table.shape[1]!).toFloat().mul(table).sum(1);
  return ${finish};`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'hybrid.loss',
      ['by where', LOSS(PICKED)],
      ['by cases', LOSS("tf.tensor1d([...y.dataSync()].map((k, n) => (k < 0 ? 0 : (logClasses.arraySync() as number[][])[n]![k]!)))")],
      ['two sums', LOSS(PICKED, 'return own.sum().add(logP.sum().mul(lambda)).div(-y.shape[0]!);')],
    ),
    ...answersTo(
      'hybrid.power',
      ['by logarithms', POWER('Math.log(row.map((v) => Math.exp(lambda * Math.log(v))).reduce((s, v) => s + v))', SUM)],
      ['a product', 'return Math.log(p.reduce((all, row) => all * row.reduce((s, v) => s + Math.pow(v, lambda), 0), 1));'],
      ['every x', 'let t = [1]; for (const row of p) t = t.flatMap((q) => row.map((v) => q * v ** lambda)); return Math.log(t.reduce((s, v) => s + v));'],
    ),
    ...answersTo(
      'hybrid.blended',
      ['with precision', BLEND('(a * b * u + k * (a * u + b * v)) / d', '(a * b * v + k * (a * u + b * v)) / d')],
      ['in two steps', BLEND('(a * u * (b + k) + k * b * v) / d', '(b * v * (a + k) + k * a * u) / d')],
      ['by Cramer', 'const s = sigma ** 2; const m = [a * s + 1, -1, -1, b * s + 1]; const r = [a * s * u, b * s * v]; if (s === 0) { const w = (a * u + b * v) / (a + b); return { theta: w, tilde: w }; } const e = m[0]! * m[3]! - 1; return { theta: (r[0]! * m[3]! + r[1]!) / e, tilde: (m[0]! * r[1]! + r[0]!) / e };'],
    ),
    ...answersTo(
      'hybrid.narrow',
      ['factors', NARROW('0.5 * D', '0.5 * D * (1 - s * s)', 'Math.sqrt(0.5 * D)')],
      ['differences', NARROW('D / 2', 'D / 2 - (D * s * s) / 2', 'Math.sqrt(2 * D) / 2')],
      ['(1 − s)(1 + s)', NARROW('D / 2', '(D * (1 - s) * (1 + s)) / 2', 'Math.SQRT1_2 * Math.sqrt(D)')],
    ),
    ...answersTo(
      'hybrid.typical',
      ['by minimum', TYPICAL('tf.minimum(lo, hi).mul(2).clipByValue(0, 1)')],
      ['by sums', TYPICAL('tf.minimum(tf.scalar(1), lo.add(hi).sub(lo.sub(hi).abs()))')],
      ['plain loops', 'const h = [...heldOut.dataSync()]; return tf.tensor1d([...logP.dataSync()].map((v) => Math.min(1, (2 * Math.min(h.filter((o) => o <= v).length, h.filter((o) => o >= v).length)) / h.length)));'],
    ),
    ...answersTo(
      'diva.bound',
      ['ratios', BOUND(KL)],
      ['parts joined', 'const cat = (of: "mu" | "logVar", s: readonly { mu: tf.Tensor; logVar: tf.Tensor }[]) => tf.concat(s.map((g) => g[of]), 1); const [m, v, n, w] = [cat("mu", q), cat("logVar", q), cat("mu", p), cat("logVar", p)]; const kl = w.sub(v).add(v.exp().add(m.sub(n).square()).div(w.exp())).sub(1).mul(0.5).sum(1); const bound = reconstruction.sub(kl); return { bound, loss: bound.add(classifiers.mul(weight)).mean().neg() };'],
      ['the loss from its parts', BOUND(KL, undefined, 'tf.add(bound, tf.mul(classifiers, weight)).sum().div(-reconstruction.shape[0]!)')],
    ),
    ...answersTo(
      'hybrid.nats',
      ['slices', NATS('tf.round(t(a).mul(beta))')],
      ['β first', NATS('tf.mul(beta, t(a)).round()')],
      ['one sum', NATS('t(a).mul(beta).round()', 'logPrior(z)', 'all.sum().add(own.sum()).div(-x.shape[0]!)')],
    ),
  ],
  wrong: [
    ...answersTo(
      'hybrid.loss',
      ['class 0', LOSS('tf.oneHot(y.maximum(0).toInt() as tf.Tensor1D, C).toFloat().mul(logClasses).sum(1)'), 'counts as one of class 0'],
      ['the last class', LOSS('tf.oneHot(tf.where(y.less(0), C - 1, y).toInt() as tf.Tensor1D, C).toFloat().mul(logClasses).sum(1)'), 'last class'],
      ['an even guess', LOSS('tf.where(y.less(0), -Math.log(C), tf.oneHot(y.maximum(0).toInt() as tf.Tensor1D, C).toFloat().mul(logClasses).sum(1))'), 'even guess'],
      ['labelled images only', LOSS(PICKED, 'return own.add(logP.mul(lambda)).mul(y.greaterEqual(0).toFloat()).mean().neg();'), 'left out'],
      ['mean over labels', LOSS(PICKED, 'return own.sum().div(y.greaterEqual(0).toFloat().sum()).add(logP.mean().mul(lambda)).neg();'), 'over all examples'],
      ['λ on labels', LOSS(PICKED, 'return own.mul(lambda).add(logP).mean().neg();'), 'not of the labels'],
      ['λ on both', LOSS(PICKED, 'return own.add(logP).mul(lambda).mean().neg();')],
      ['convex', LOSS(PICKED, 'return own.mul(1 - lambda).add(logP.mul(lambda)).mean().neg();')],
      ['no λ', LOSS(PICKED, 'return own.add(logP).mean().neg();'), 'λ is missing'],
      ['maximised', LOSS(PICKED, 'return own.add(logP.mul(lambda)).mean();')],
      ['per example', LOSS(PICKED, 'return own.add(logP.mul(lambda)).neg();')],
    ),
    ...answersTo(
      'hybrid.power',
      ['zero', 'return 0;', 'the sum comes after'],
      ['sum of powers', POWER('row.reduce((s, v) => s + v ** lambda, 0)', 'return Math.log(z.reduce((s, v) => s + v));')],
      ['the mean', POWER('Math.log(row.reduce((s, v) => s + v ** lambda, 0))', 'return z.reduce((s, v) => s + v) / z.length;')],
      ['not its logarithm', POWER('Math.log(row.reduce((s, v) => s + v ** lambda, 0))', 'return Math.exp(z.reduce((s, v) => s + v));'), 'its logarithm'],
      ['Rényi', POWER('Math.log(row.reduce((s, v) => s + v ** lambda, 0))', 'return z.reduce((s, v) => s + v) / (1 - lambda);')],
      ['bits', POWER('Math.log2(row.reduce((s, v) => s + v ** lambda, 0))', SUM), 'natural logarithm'],
      ['the largest', POWER('lambda * Math.log(Math.max(...row))', SUM), 'inside its logarithm'],
      ['even', POWER('Math.log(row.length) * (1 - lambda)', SUM)],
      ['λ p', 'return p.length * Math.log(lambda);'],
    ),
    ...answersTo(
      'hybrid.blended',
      ['σ', BLEND('(a * b * u + k * (a * u + b * v)) / d', '(a * b * v + k * (a * u + b * v)) / d', 'const k = 1 / sigma;'), 'not 1 / σ'],
      ['2σ²', BLEND('(a * b * u + k * (a * u + b * v)) / d', '(a * b * v + k * (a * u + b * v)) / d', 'const k = 1 / (2 * sigma * sigma);'), 'the 2 is gone'],
      ['2/σ²', BLEND('(a * b * u + k * (a * u + b * v)) / d', '(a * b * v + k * (a * u + b * v)) / d', 'const k = 2 / (sigma * sigma);')],
      ['exchanged', BLEND('(a * b * v + k * (a * u + b * v)) / d', '(a * b * u + k * (a * u + b * v)) / d'), 'each other’s place'],
      ['where they meet', BLEND('(a * u + b * v) / (a + b)', '(a * u + b * v) / (a + b)'), 'leaves them apart'],
      ['untied', BLEND('u', 'v')],
      ['not curved', BLEND('(u + k * (u + v)) / (1 + 2 * k)', '(v + k * (u + v)) / (1 + 2 * k)')],
      ['the other held', BLEND('(a * u + k * v) / (a + k)', '(b * v + k * u) / (b + k)'), 'moves, too'],
      ['curvatures exchanged', BLEND('(a * b * u + k * (b * u + a * v)) / d', '(a * b * v + k * (b * u + a * v)) / d', 'const k = 1 / (sigma * sigma);').replace('(a * u + b * v) / (a + b)', '(b * u + a * v) / (a + b)'), 'each other’s place'],
      ['one tied', BLEND('(a * b * u + k * (a * u + b * v)) / d', 'v')],
    ),
    ...answersTo(
      'hybrid.narrow',
      ['s', NARROW('D / 2', '(D / 2) * (1 - s)', 'Math.sqrt(D / 2)'), 'not s'],
      ['improbable', NARROW('D / 2', '(D / 2) * (s * s - 1)', 'Math.sqrt(D / 2)'), 'higher ln p'],
      ['√D', NARROW('D / 2', '(D / 2) * (1 - s * s)', 'Math.sqrt(D)')],
      ['√2D', NARROW('D / 2', '(D / 2) * (1 - s * s)', 'Math.sqrt(2 * D)')],
      ['variance', NARROW('D / 2', '(D / 2) * (1 - s * s)', 'D / 2')],
      ['no half', NARROW('D', '(D / 2) * (1 - s * s)', 'Math.sqrt(D / 2)')],
      ['with 2π', NARROW('(D / 2) * Math.log(2 * Math.PI)', '(D / 2) * (1 - s * s)', 'Math.sqrt(D / 2)')],
      ['their own density', NARROW('D / 2', '(D / 2) * (1 - s * s) - D * Math.log(s + 1e-9)', 'Math.sqrt(D / 2)')],
    ),
    ...answersTo(
      'hybrid.typical',
      ['one side', TYPICAL('lo'), 'one side alone'],
      ['the other side', TYPICAL('hi')],
      ['not twice', TYPICAL('tf.minimum(lo, hi)'), 'twice the smaller'],
      ['the larger', TYPICAL('tf.maximum(lo, hi).mul(2).minimum(1)')],
      ['above 1', TYPICAL('tf.minimum(lo, hi).mul(2)')],
      ['strict', TYPICAL('tf.minimum(lo, hi).mul(2).minimum(1)', 'less', 'greater'), 'counts on both sides'],
      ['strict below', TYPICAL('tf.minimum(lo, hi).mul(2).minimum(1)', 'less')],
      ['odd for typical', TYPICAL('tf.scalar(1).sub(tf.minimum(lo, hi).mul(2).minimum(1))')],
      ['strict above', TYPICAL('tf.minimum(lo, hi).mul(2).minimum(1)', 'lessEqual', 'greater'), 'counts on both sides'],
      ['by one side’s rest', TYPICAL('tf.minimum(lo, tf.sub(1, lo)).mul(2).minimum(1)')],
      ['x counted along', TYPICAL('tf.minimum(lo, hi).mul(heldOut.size).add(1).div(heldOut.size + 1).mul(2).minimum(1)')],
      ['by distance', 'const m = heldOut.mean(); return heldOut.sub(m).abs().expandDims(0).greaterEqual(logP.sub(m).abs().expandDims(1)).toFloat().mean(1);'],
    ),
    ...answersTo(
      'diva.bound',
      ['the other way', BOUND(KL.replaceAll('a.', 'A.').replaceAll('b.', 'a.').replaceAll('A.', 'b.')), 'not the same'],
      ['standard normal', BOUND('a.logVar.exp().add(a.mu.square()).sub(1).sub(a.logVar).sum(1).div(2)'), 'priors of their own'],
      ['no variance', BOUND('a.logVar.exp().add(a.mu.sub(b.mu).square()).sub(1).sub(a.logVar).sum(1).div(2)')],
      ['a mean', BOUND(KL.replace('.sum(1)', '.mean(1)'))],
      ['mean of parts', BOUND(KL, 'reconstruction.sub(all.div(3))')],
      ['no half', BOUND(KL.replace('.div(2)', ''))],
      ['added', BOUND(KL, 'reconstruction.add(all)'), 'taken off'],
      ['classifiers in the bound', BOUND(KL, 'reconstruction.sub(all).add(classifiers.mul(weight))', 'bound.mean().neg()'), 'no part of the bound'],
      ['no classifiers', BOUND(KL, undefined, 'bound.mean().neg()'), 'classifiers are missing'],
      ['the sign', BOUND(KL, undefined, 'bound.mean().sub(classifiers.mean().mul(weight)).neg()')],
      ['maximised', BOUND(KL, undefined, 'bound.mean().add(classifiers.mean().mul(weight))')],
      ['unweighted', BOUND(KL, undefined, 'bound.mean().add(classifiers.mean()).neg()')],
      ['the rest is free', BOUND(`(i === 1 ? tf.zerosLike(reconstruction) : ${KL})`), 'divergence is missing'],
    ),
    ...answersTo(
      'hybrid.nats',
      ['off the lattice', NATS('t(a).round().mul(beta)'), 'not on the lattice'],
      ['not rounded', NATS('t(a).mul(beta)'), 'no integer'],
      ['no β', NATS('t(a).round()')],
      ['weighted', NATS('t(a).mul(beta).round()', undefined, 'own.add(all.mul(lambda)).mean().neg()'), 'weighted by λ'],
      ['a pixel', NATS('t(a).mul(beta).round()', 'logPrior(z).mean(1)'), 'nats a pixel'],
      ['labels alone', NATS('t(a).mul(beta).round()', undefined, 'own.mean().neg()')],
      ['the head sees x', NATS('t(a).mul(beta).round()', undefined, undefined, 'x')],
      ['down', NATS('t(a).mul(beta).floor()'), 'nearest integer'],
      ['up', NATS('t(a).mul(beta).ceil()')],
      ['the way back', NATS('t(a).mul(beta).round().neg()'), 'way back'],
      ['summed over the batch', NATS('t(a).mul(beta).round()', undefined, 'own.add(all).sum().neg()')],
      ['two left', NATS('t(a).round().mul(beta)', 'logPrior(z).mean(1)'), 'two things'],
      ['as given', NATS('t(a).round().mul(beta)', 'logPrior(z).mean(1)', 'own.add(all.mul(lambda)).mean().neg()')],
      ['the sign', NATS('t(a).mul(beta).round()', undefined, 'own.add(all).mean()')],
    ),
  ],
}; // prettier-ignore
