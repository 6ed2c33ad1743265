import { answersTo, type TriedAnswers } from './answer';

const LOOP = (eStep: string, record = 'nats.push(tf.logSumExp(joint, 1).mean().neg().dataSync()[0]!);', more = '') => `
  const nats: number[] = [];
  let r = start;
  let p = mStep(x, r, values, alpha);
  for (let i = 0; i < iterations; i++) {
    if (i > 0) p = mStep(x, r, values, alpha);
    const joint = logCategoricalComponents(x, p.logTheta).add(p.logPi);
    ${record}
    r = ${eStep};
  }
  ${more}
  return { ...p, nats };`;

const SAMPLE = (k: string, noise: string) => `
  ${k}
  const noise = ${noise};
  return tf.gather(mu, k).add(noise.mul(tf.gather(logVar, k).mul(0.5).exp()));`;
const BY_SUMS = `const below = pi.cumsum().slice(0, pi.shape[0]! - 1);
  const k = rng.fork('k').uniform([count, 1]).greaterEqual(below.expandDims(0)).sum(1).toInt() as tf.Tensor1D;`;
const NOISE = `rng.fork('noise').normal([count, mu.shape[1]!])`;

const MOMENTS = (variance: string, last: string) => `
  const w = r.div(r.sum(0));
  const mu = w.matMul(x, true);
  const variance = ${variance};
  return { mu, logVar: ${last} };`;
const CENTRED = 'w.expandDims(2).mul(x.expandDims(1).sub(mu).square()).sum(0)';

const TERMS = (terms: string) => `
  const d = x.expandDims(1).sub(mu.expandDims(0));
  return ${terms};`;

const COUNTED = (finish: string) => `
  const [N, D] = x.shape as [number, number];
  const K = r.shape[1]!;
  const hot = tf.oneHot(x.toInt() as tf.Tensor2D, values).toFloat().reshape([N, D * values]);
  const counts = r.transpose().matMul(hot).reshape([K, D, values]);
  const sizes = r.sum(0);
  ${finish}`;

const LOG_MIXTURE = (finish: string) => `
  const each = z.expandDims(1).sub(mu).square().div(logVar.exp()).add(logVar).add(Math.log(2 * Math.PI)).mul(-0.5);
  ${finish}`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'mixture.logNormal',
      ['one component after the other', 'return tf.stack(mu.unstack().map((m, k) => { const l = logVar.unstack()[k]!; return x.sub(m).square().div(l.exp()).add(l).add(Math.log(2 * Math.PI)).sum(1).mul(-0.5); }), 1);'],
      ['squares multiplied out', 'const p = logVar.neg().exp(); return x.square().matMul(p, false, true).sub(x.matMul(mu.mul(p), false, true).mul(2)).add(mu.square().mul(p).add(logVar).add(Math.log(2 * Math.PI)).sum(1)).mul(-0.5);'],
      ['divided by σ before squaring', TERMS('d.div(logVar.mul(0.5).exp()).square().add(logVar).add(Math.log(2 * Math.PI)).sum(-1).div(-2)')],
    ),
    ...answersTo(
      'mixture.responsibilities',
      ['softmax', 'return tf.softmax(logJoint);'],
      ['log-sum-exp of tfjs', 'return logJoint.sub(tf.logSumExp(logJoint, 1, true)).exp();'],
      ['shares of the largest', 'const e = logJoint.sub(logJoint.max(1, true)).exp(); return e.div(e.sum(1, true));'],
    ),
    ...answersTo(
      'mixture.mStep',
      ['log-softmax of log-counts', COUNTED('return { logPi: tf.logSoftmax(sizes.add(alpha).log()), logTheta: counts.add(alpha).div(counts.add(alpha).sum(2, true)).log() };')],
      ['by the formulas', COUNTED('return { logPi: sizes.add(alpha).div(N + K * alpha).log(), logTheta: counts.add(alpha).div(sizes.add(values * alpha).reshape([K, 1, 1])).log() };')],
      ['plain loops', 'const X = x.arraySync() as number[][], R = r.arraySync() as number[][]; const K = R[0]!.length, D = X[0]!.length; const theta = Array.from({ length: K }, (_, k) => Array.from({ length: D }, (_, d) => { const c = new Array<number>(values).fill(alpha); X.forEach((row, n) => { c[row[d]!]! += R[n]![k]!; }); const t = c.reduce((a, b) => a + b); return c.map((v) => Math.log(v / t)); })); const s = R[0]!.map((_, k) => R.reduce((a, row) => a + row[k]!, alpha)); const t = s.reduce((a, b) => a + b); return { logPi: tf.tensor1d(s.map((v) => Math.log(v / t))), logTheta: tf.tensor3d(theta) };'],
    ),
    ...answersTo(
      'mixture.gaussianMStep',
      ['one component after the other', 'const all = r.unstack(1).map((w) => { const s = w.div(w.sum()).expandDims(1); const m = s.mul(x).sum(0); return [m, s.mul(x.sub(m).square()).sum(0)] as const; }); return { mu: tf.stack(all.map(([m]) => m)), logVar: tf.stack(all.map(([, v]) => v)).maximum(floor).log() };'],
      ['the floor of the logarithm', MOMENTS(CENTRED, 'variance.log().maximum(Math.log(floor))')],
      ['centred at the mean of all data first', 'const m = x.mean(0); const z = x.sub(m); const w = r.div(r.sum(0)); const c = w.matMul(z, true); const v = w.matMul(z.square(), true).sub(c.square()); return { mu: c.add(m), logVar: v.maximum(floor).log() };'],
    ),
    ...answersTo(
      'mixture.emLoop',
      ['softmax in place of one’s own', LOOP('tf.softmax(joint)')],
      ['its own responsibilities', LOOP('responsibilities(joint)')],
      ['likelihood through exp', LOOP('responsibilities(joint)', 'const top = joint.max(1, true); nats.push(-(joint.sub(top).exp().sum(1).log().add(top.squeeze([1])).mean().arraySync() as number));')],
    ),
    ...answersTo(
      'mixture.chooseComponents',
      ['sorted', 'const s = [...candidates].sort((a, b) => a.validation - b.validation); const l = s[0]!.validation + s[0]!.standardError; return [...candidates].sort((a, b) => a.components - b.components).find((c) => c.validation <= l)!.components;'],
      ['a loop', 'let best = candidates[0]!; for (const c of candidates) if (c.validation < best.validation) best = c; let K = best.components; for (const c of candidates) if (c.validation <= best.validation + best.standardError && c.components < K) K = c.components; return K;'],
      ['differences', 'const b = candidates.reduce((a, c) => (c.validation < a.validation ? c : a)); return Math.min(...candidates.filter((c) => !(c.validation > b.validation + b.standardError)).map((c) => c.components));'],
    ),
    ...answersTo(
      'mixture.sample',
      ['Gumbel', SAMPLE(`const g = rng.fork('gumbel').uniform([count, pi.shape[0]!]).maximum(2 ** -25).log().neg().log().neg(); const k = pi.log().add(g).argMax(1) as tf.Tensor1D;`, NOISE)],
      ['one-hot', `${BY_SUMS} const hot = tf.oneHot(k, pi.shape[0]!).toFloat(); return hot.matMul(mu).add(${NOISE}.mul(hot.matMul(logVar).mul(0.5).exp()));`],
      ['a loop over the samples', `const u = rng.fork('k').uniform([count]).dataSync(), e = ${NOISE}.arraySync() as number[][], P = pi.dataSync(), M = mu.arraySync() as number[][], L = logVar.arraySync() as number[][]; return tf.tensor2d(e.map((row, n) => { let k = 0; let s = P[0]!; while (k < P.length - 1 && u[n]! >= s) s += P[++k]!; return row.map((v, d) => M[k]![d]! + v * Math.exp(L[k]![d]! / 2)); }));`],
    ),
    ...answersTo(
      'mixture.logMixture',
      ['its own logNormal', 'return tf.logSumExp(logNormal(z, mu, logVar).add(tf.logSoftmax(logits)), 1);'],
      ['largest taken out by hand', LOG_MIXTURE('const a = each.sum(2).add(tf.logSoftmax(logits)); const t = a.max(1, true); return a.sub(t).exp().sum(1).log().add(t.squeeze([1]));')],
      ['the logits normalised at the end', LOG_MIXTURE('return tf.logSumExp(each.sum(2).add(logits), 1).sub(tf.logSumExp(logits));')],
    ),
    ...answersTo(
      'mixture.collapseGain',
      ['a difference of log-densities', 'const at = (v: number) => -0.5 * D * Math.log(2 * Math.PI * v); return (alone * (at(1 / factor) - at(1))) / points;'],
      ['a logarithm of a power', 'return (alone * Math.log(factor ** (D / 2))) / points;'],
      ['nobody alone first', 'if (alone === 0) return 0; return Math.log(factor) * 0.5 * D * (alone / points);'],
    ),
    ...answersTo(
      'mixture.tablesLeft',
      ['cross products', 'const K = start[0]!.length; let n = 0; for (let k = 0; k < K; k++) { let isNew = true; for (let j = 0; j < k; j++) if (start.every((row) => Math.abs(row[k]! * start[0]![j]! - row[j]! * start[0]![k]!) < 1e-9)) isNew = false; if (isNew) n++; } return n;'],
      ['ratios to the first example', 'const seen: number[][] = []; for (const k of start[0]!.keys()) { const c = start.map((row) => row[k]! / start[0]![k]!); if (!seen.some((s) => s.every((v, i) => Math.abs(v - c[i]!) < 1e-6))) seen.push(c); } return seen.length;'],
      ['by EM itself', 'const x = tf.tensor2d(start.map((_, n) => [n])); const { logTheta } = mStep(x, tf.tensor2d(start.map((row) => [...row])), Math.max(2, start.length), 0); const rows = logTheta.exp().reshape([start[0]!.length, -1]).arraySync() as number[][]; return rows.filter((a, k) => rows.findIndex((b) => a.every((v, i) => Math.abs(v - b[i]!) < 1e-4)) === k).length;'],
    ),
  ],

  wrong: [
    ...answersTo(
      'mixture.logNormal',
      ['no constant', TERMS('d.square().div(logVar.exp()).add(logVar).sum(2).mul(-0.5)'), 'ln 2π'],
      ['σ for σ²', TERMS('d.square().div(logVar.mul(0.5).exp()).add(logVar).add(Math.log(2 * Math.PI)).sum(2).mul(-0.5)'), 'not by σ'],
      ['logVar taken for ln σ', TERMS('d.square().div(logVar.mul(2).exp()).add(logVar.mul(2)).add(Math.log(2 * Math.PI)).sum(2).mul(-0.5)'), 'not ln σ'],
      ['mean for sum', TERMS('d.square().div(logVar.exp()).add(logVar).add(Math.log(2 * Math.PI)).mean(2).mul(-0.5)'), 'no mean'],
      ['a variance that cannot be 0', TERMS('d.square().div(logVar.exp().add(1e-6)).add(logVar.exp().add(1e-6).log()).add(Math.log(2 * Math.PI)).sum(2).mul(-0.5)'), 'nothing is added to a variance'],
      ['the density itself', TERMS('d.square().div(logVar.exp()).add(logVar).add(Math.log(2 * Math.PI)).sum(2).mul(-0.5).exp()')],
      ['½ on the square alone', TERMS('d.square().div(logVar.exp()).mul(0.5).add(logVar).add(Math.log(2 * Math.PI)).sum(2).neg()')],
    ),
    ...answersTo(
      'mixture.responsibilities',
      ['no shift', 'const e = logJoint.exp(); return e.div(e.sum(1, true));', 'subtract each row’s maximum'],
      ['over the batch', 'return tf.softmax(logJoint.transpose()).transpose();', 'not over the batch'],
      ['logarithms', 'return tf.logSoftmax(logJoint);', 'these are logarithms'],
      ['one hot', 'return tf.oneHot(logJoint.argMax(1), logJoint.shape[1]!).toFloat();'],
      ['not normalised', 'return logJoint.sub(logJoint.max(1, true)).exp();', 'divide by the sum'],
      ['clipped at 1e-7', 'return tf.softmax(logJoint.clipByValue(-100, 100));'],
    ),
    ...answersTo(
      'mixture.mStep',
      ['no pseudo-counts', COUNTED('return { logPi: sizes.div(sizes.sum()).log(), logTheta: counts.div(counts.sum(2, true)).log() };'), 'α is added'],
      ['a shared pseudo-count', COUNTED('const c = counts.add(alpha / values); return { logPi: sizes.add(alpha).div(N + K * alpha).log(), logTheta: c.div(c.sum(2, true)).log() };'), 'not shared'],
      ['probabilities', COUNTED('const c = counts.add(alpha); return { logPi: sizes.add(alpha).div(N + K * alpha), logTheta: c.div(c.sum(2, true)) };'), 'logarithms'],
      ['the denominator forgotten', COUNTED('const c = counts.add(alpha); return { logPi: sizes.add(alpha).div(N).log(), logTheta: c.div(c.sum(2, true)).log() };'), 'N + K α'],
      ['over the components', COUNTED('const c = counts.add(alpha); return { logPi: sizes.add(alpha).div(N + K * alpha).log(), logTheta: c.div(c.sum(0, true)).log() };'), 'not over the components'],
      ['seventeen values', COUNTED('const c = counts.add(alpha); return { logPi: sizes.add(alpha).div(N + K * alpha).log(), logTheta: c.div(sizes.add(17 * alpha).reshape([K, 1, 1])).log() };')],
    ),
    ...answersTo(
      'mixture.gaussianMStep',
      ['multiplied out', MOMENTS('w.matMul(x.square(), true).sub(mu.square())', 'variance.maximum(floor).log()'), 'differences first'],
      ['unbiased', MOMENTS(`${CENTRED}.mul(r.sum(0).div(r.sum(0).sub(1)).expandDims(1))`, 'variance.maximum(floor).log()')],
      ['no logarithm', MOMENTS(CENTRED, 'variance.maximum(floor)'), 'its logarithm is asked for'],
      ['no floor', MOMENTS(CENTRED, 'variance.log()'), 'below the floor'],
      ['the floor added', MOMENTS(CENTRED, 'variance.add(floor).log()'), 'no part of it'],
      ['a floor of one’s own', MOMENTS(CENTRED, 'variance.maximum(1e-6).log()')],
      ['second moments', MOMENTS('w.matMul(x.square(), true)', 'variance.maximum(floor).log()'), 'mean of the squares'],
      ['nobody’s weights', 'const m = tf.moments(x, 0); const K = r.shape[1]!; return { mu: m.mean.expandDims(0).tile([K, 1]), logVar: m.variance.maximum(floor).log().expandDims(0).tile([K, 1]) };', 'by its responsibility'],
    ),
    ...answersTo(
      'mixture.emLoop',
      ['weights left out', LOOP('responsibilities(logCategoricalComponents(x, p.logTheta))'), 'the weights of the components are missing'],
      ['no E-step', LOOP('start'), 'the E-step is missing'],
      ['hard EM', LOOP('tf.oneHot(joint.argMax(1), start.shape[1]!).toFloat()')],
      ['sums', LOOP('responsibilities(joint)', 'nats.push(tf.logSumExp(joint, 1).sum().neg().dataSync()[0]!);'), 'not their sum'],
      ['positive logarithms', LOOP('responsibilities(joint)', 'nats.push(tf.logSumExp(joint, 1).mean().dataSync()[0]!);'), 'mind the sign'],
      ['parameters one step ahead', LOOP('responsibilities(joint)', undefined, 'p = mStep(x, r, values, alpha);'), 'of the last M-step'],
      ['the bound for the likelihood', LOOP('responsibilities(joint)', 'nats.push(joint.mul(r).sum(1).mean().neg().dataSync()[0]!);')],
    ),
    ...answersTo(
      'mixture.chooseComponents',
      ['lowest', 'return candidates.reduce((a, b) => (b.validation < a.validation ? b : a)).components;', 'partly luck'],
      ['by training', 'return candidates.reduce((a, b) => (b.train < a.train ? b : a)).components;', 'training loss'],
      ['its own error', 'const b = candidates.reduce((a, c) => (c.validation < a.validation ? c : a)); return Math.min(...candidates.filter((c) => c.validation - c.standardError <= b.validation).map((c) => c.components));', 'partly luck'],
      ['strictly below', 'const b = candidates.reduce((a, c) => (c.validation < a.validation ? c : a)); return Math.min(b.components, ...candidates.filter((c) => c.validation < b.validation + b.standardError).map((c) => c.components));', 'exactly at the limit'],
      ['sorted by place', 'const b = candidates.reduce((a, c) => (c.validation < a.validation ? c : a)); return candidates.find((c) => c.validation <= b.validation + b.standardError)!.components;'],
      ['two errors', 'const b = candidates.reduce((a, c) => (c.validation < a.validation ? c : a)); return Math.min(...candidates.filter((c) => c.validation <= b.validation + 2 * b.standardError).map((c) => c.components));'],
    ),
    ...answersTo(
      'mixture.sample',
      ['noise clipped to ±2', SAMPLE(BY_SUMS, `${NOISE}.clipByValue(-2, 2)`), 'tails'],
      ['noise clipped to ±3', SAMPLE(BY_SUMS, `${NOISE}.clipByValue(-3, 3)`), 'tails'],
      ['uniform noise of variance 1', SAMPLE(BY_SUMS, `rng.fork('noise').uniform([count, mu.shape[1]!]).sub(0.5).mul(Math.sqrt(12))`), 'the noise is normal'],
      ['the variance', `${BY_SUMS} return tf.gather(mu, k).add(${NOISE}.mul(tf.gather(logVar, k).exp()));`, 'exp(logVar / 2)'],
      ['one stream', SAMPLE(BY_SUMS.replace(`rng.fork('k')`, `rng.fork('noise')`), NOISE), 'streams of their own'],
      ['means alone', `${BY_SUMS} return tf.gather(mu, k).add(0);`],
      ['equal counts', SAMPLE(`const k = tf.range(0, count).div(count).expandDims(1).greaterEqual(pi.cumsum().slice(0, pi.shape[0]! - 1).expandDims(0)).sum(1).toInt() as tf.Tensor1D;`, NOISE), 'draws its own k'],
      ['temperature 0.95', SAMPLE(BY_SUMS, `${NOISE}.mul(0.9)`), 'exp(logVar / 2)'],
    ),
    ...answersTo(
      'mixture.logMixture',
      ['as given', LOG_MIXTURE('return tf.logSumExp(each.add(tf.logSoftmax(logits).reshape([1, -1, 1])), 1).sum(1);'), 'a component of its own'],
      ['logits as they are', LOG_MIXTURE('return tf.logSumExp(each.sum(2).add(logits), 1);'), 'softmax makes them sum to 1'],
      ['no weights', LOG_MIXTURE('return tf.logSumExp(each.sum(2), 1);')],
      ['no shift', LOG_MIXTURE('return each.sum(2).add(tf.logSoftmax(logits)).exp().sum(1).log();'), 'keeps it finite'],
      ['the nearest component', LOG_MIXTURE('return each.sum(2).add(tf.logSoftmax(logits)).max(1);')],
      ['mean of logarithms', LOG_MIXTURE('return each.sum(2).mul(tf.softmax(logits)).sum(1);')],
    ),
    ...answersTo(
      'mixture.collapseGain',
      ['all points together', 'return (alone * D * Math.log(factor)) / 2;', 'on average'],
      ['σ', 'return (alone / points) * D * Math.log(factor);', 'not under σ'],
      ['the answer of the page', 'return alone === 1 ? 0.23 : 2.3;'],
      ['decimal', 'return (alone / points) * (D / 2) * Math.log10(factor);', 'natural'],
      ['a loss', 'return -(alone / points) * (D / 2) * Math.log(factor);', 'rises'],
    ),
    ...answersTo(
      'mixture.tablesLeft',
      ['all', 'return start[0]!.length;', 'told apart nowhere'],
      ['one', 'return 1;', 'stay apart'],
      ['equal columns', 'return new Set(start[0]!.map((_, k) => start.map((row) => row[k]).join())).size;', 'in proportion'],
      ['the rank, at most N', 'const n = new Set(start[0]!.map((_, k) => start.map((row) => (row[k]! / start.reduce((s, q) => s + q[k]!, 0)).toPrecision(6)).join())).size; return Math.min(n, start.length);'],
      ['rows', 'return new Set(start.map((row) => row.join())).size;'],
    ),
  ],
}; // prettier-ignore
