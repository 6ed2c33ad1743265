import { answersTo, type TriedAnswers } from './answer';

const REVERSE = (mu: string, logVar = 'Math.log((v * s2) / t2)', kept = 'aT / aS') => `
  const g = (u: number) => 1 / (1 + Math.exp(-u));
  const [s2, t2, aS, aT] = [g(gammaS), g(gammaT), Math.sqrt(g(-gammaS)), Math.sqrt(g(-gammaT))];
  const k = ${kept};
  const v = t2 - k * k * s2;
  return { mu: ${mu}, logVar: ${logVar} };`;
const RIGHT_MEAN = 'z.mul((k * s2) / t2).add(x.mul((aS * v) / t2))';
const COST = (from: string, over = 'errors.mul(from).sum(1).div(2)') => `
  const T = gamma.size - 1;
  const snr = tf.exp(tf.neg(gamma));
  const from = ${from};
  return ${over};`;
const FALL = 'snr.slice([0], [T]).sub(snr.slice([1], [T]))';
const WEIGHT = (x: string, noise: string, velocity: string) =>
  `const snr = Math.exp(-gamma); return { x: ${x}, noise: ${noise}, velocity: ${velocity} }[kind];`;
const SHARES = (reconstruction: string, steps: string, prior: string) => `
  const [a, b] = [1 / (1 + Math.exp(-gamma0)), 1 / (1 + Math.exp(-gamma1))];
  return { reconstruction: ${reconstruction}, steps: ${steps}, prior: ${prior} };`;
const [LEFT, WAY, START] = ['Math.log(2 * Math.PI * Math.E * a) / 2', 'Math.log(b / a) / 2', '-Math.log(b) / 2'];
const MASKED = (finish: string, terms = 'tf.logSoftmax(logits)') => `
  const [B, D, V] = logits.shape as [number, number, number];
  const each = tf.oneHot(x.toInt() as tf.Tensor2D, V).toFloat().mul(${terms}).sum(2);
  const hidden = visible.mul(-1).add(1);
  const count = hidden.sum(1);
  ${finish}`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'diffusion.reverse',
      ['by precisions', 'const g = (u: number) => 1 / (1 + Math.exp(-u)); const k = Math.sqrt(g(-gammaT) / g(-gammaS)); const [s2, t2] = [g(gammaS), g(gammaT)]; const v = t2 - k * k * s2; const precision = 1 / s2 + (k * k) / v; return { mu: x.mul(Math.sqrt(g(-gammaS)) / s2).add(z.mul(k / v)).div(precision), logVar: -Math.log(precision) };'],
      ['in γ alone', 'const g = (u: number) => 1 / (1 + Math.exp(-u)); const c = -Math.expm1(gammaS - gammaT); const [aS, aT] = [Math.sqrt(g(-gammaS)), Math.sqrt(g(-gammaT))]; return { mu: z.mul((aS / aT) * (1 - c)).add(x.mul(c * aS)), logVar: Math.log(c * g(gammaS)) };'],
      ['as the paper has it', REVERSE(RIGHT_MEAN)],
    ),
    ...answersTo(
      'diffusion.cost',
      ['two slices', COST(FALL)],
      ['expm1', 'const T = gamma.size - 1; const [s, t] = [gamma.slice([0], [T]), gamma.slice([1], [T])]; return errors.mul(t.neg().exp()).mul(t.sub(s).expm1()).sum(1).mul(0.5);'],
      ['a product of matrices', 'const T = gamma.size - 1; const snr = gamma.neg().exp(); const fall = snr.slice([0], [T]).sub(snr.slice([1], [T])); return errors.matMul(fall.expandDims(1)).squeeze([1]).div(2);'],
      ['plain loops', 'const g = gamma.arraySync() as number[]; return tf.tensor1d((errors.arraySync() as number[][]).map((row) => row.reduce((sum, e, i) => sum + (e * (Math.exp(-g[i]!) - Math.exp(-g[i + 1]!))) / 2, 0)));'],
    ),
    ...answersTo(
      'diffusion.shares',
      ['by variances', SHARES(LEFT, WAY, START)],
      ['the rest of the entropy', `const H = (1 + Math.log(2 * Math.PI)) / 2; const log = (g: number) => Math.log1p(Math.exp(-g)) / 2; const [reconstruction, prior] = [H - log(gamma0), log(gamma1)]; return { prior, reconstruction, steps: H - reconstruction - prior };`],
      ['an integral', `const n = 20000; let steps = 0; for (let i = 0; i < n; i++) { const g = gamma0 + ((gamma1 - gamma0) * (i + 0.5)) / n; steps += ((gamma1 - gamma0) / n) * 0.5 / (1 + Math.exp(g)); } return { reconstruction: 0.5 * (Math.log(2 * Math.PI) + 1 - Math.log1p(Math.exp(-gamma0))), steps, prior: 0.5 * Math.log1p(Math.exp(-gamma1)) };`],
    ),
    ...answersTo(
      'diffusion.untrained',
      ['the ends', 'return 0.5 * power * (Math.exp(-gamma0) - Math.exp(-gammaT));'],
      ['step by step', 'let sum = 0; const g = (i: number) => gamma0 + ((gammaT - gamma0) * i) / T; for (let i = 1; i <= T; i++) sum += (power / 2) * Math.exp(-g(i)) * Math.expm1(g(i) - g(i - 1)); return sum;'],
      ['by stepsCost', 'const gamma = Array.from({ length: T + 1 }, (_, i) => gamma0 + ((gammaT - gamma0) * i) / T); return stepsCost(tf.fill([1, T], power), tf.tensor1d(gamma)).dataSync()[0]!;'],
    ),
    ...answersTo(
      'diffusion.weight',
      ['a table', WEIGHT('snr / 2', '0.5', '0.5 / (1 + Math.exp(gamma))')],
      ['by α and σ', 'const s2 = 1 / (1 + Math.exp(-gamma)); const x = (1 - s2) / s2 / 2; return kind === \'x\' ? x : kind === \'noise\' ? (x * s2) / (1 - s2) : x * s2;'],
      ['exponents', "if (kind === 'noise') return 1 / 2; const u = Math.exp(-gamma) / 2; return kind === 'x' ? u : u / (1 + Math.exp(-gamma));"],
    ),
    ...answersTo(
      'diffusion.masked',
      ['hidden ones', MASKED('return each.mul(hidden).sum(1).mul(D).div(count);')],
      ['a mean over the hidden ones, D times', MASKED('return tf.mul(D, each.mul(hidden).sum(1).div(count));')],
      ['tf.where', MASKED('return tf.where(visible.cast(\'bool\'), 0, each).sum(1).div(hidden.mean(1));')],
      ['plain loops', 'const L = tf.logSoftmax(logits).arraySync() as number[][][]; const X = x.arraySync() as number[][]; const S = visible.arraySync() as number[][]; return tf.tensor1d(X.map((row, n) => { let [t, h] = [0, 0]; row.forEach((v, d) => { if (S[n]![d] === 0) { t += L[n]![d]![v]!; h += 1; } }); return (t * row.length) / h; }));'],
    ),
    ...answersTo(
      'diffusion.guidance',
      ['on from the class', 'return told.add(told.sub(free).mul(w));'],
      ['as in the paper', 'return told.mul(1 + w).sub(free.mul(w));'],
      ['from no class', 'return free.add(told.sub(free).mul(w + 1));'],
    ),
  ],

  wrong: [
    ...answersTo(
      'diffusion.reverse',
      ['no z', REVERSE('x.mul(aS)'), 'z_t says something'],
      ['z divided', REVERSE('z.div(k)'), 'for signal'],
      ['the product of all', REVERSE('z.mul((aT * s2) / t2).add(x.mul((aS * v) / t2))'), 'product of all steps'],
      ['x in full', REVERSE('z.mul((k * s2) / t2).add(x.mul(aS))'), 'not in full'],
      ['a variance', REVERSE(RIGHT_MEAN, '(v * s2) / t2'), 'not the variance'],
      ['a deviation', REVERSE(RIGHT_MEAN, 'Math.log((v * s2) / t2) / 2'), 'not ln σ'],
      ['the forward step', REVERSE(RIGHT_MEAN, 'Math.log(v)'), 'noise added'],
      ['deviations for variances', REVERSE('z.mul((k * Math.sqrt(s2)) / Math.sqrt(t2)).add(x.mul((aS * v) / Math.sqrt(t2)))'), 'squared'],
    ),
    ...answersTo(
      'diffusion.cost',
      ['off by one', COST('snr.slice([1], [T]).sub(tf.concat([snr.slice([2], [T - 1]), snr.slice([T], [1])]))'), 'one too far'],
      ['backwards', COST(FALL, 'errors.reverse(1).mul(from).sum(1).div(2)')],
      ['no half', COST(FALL, 'errors.mul(from).sum(1)'), '½'],
      ['a mean', COST(FALL, 'errors.mul(from).mean(1).div(2)')],
      ['the simple loss', COST(FALL, 'errors.sum(1).div(2)'), 'no bound'],
      ['logarithms', COST('gamma.slice([1], [T]).sub(gamma.slice([0], [T]))'), 'not of their logarithms'],
      ['the sign', COST('snr.slice([1], [T]).sub(snr.slice([0], [T]))'), 'the sign'],
      ['the batch', COST(FALL, 'errors.mul(from).sum().div(2)'), 'one number an example'],
    ),
    ...answersTo(
      'diffusion.shares',
      ['no last decoder', SHARES('0', WAY, START), 'last decoder'],
      ['no prior', SHARES(LEFT, WAY, '0'), 'some signal'],
      ['all of it at the end', SHARES('Math.log(2 * Math.PI * Math.E) / 2', '0', '0'), 'add up to'],
      ['guesses of 0', SHARES(LEFT, '0.5 * (Math.exp(-gamma0) - Math.exp(-gamma1))', START), 'better than 0'],
      ['one step', SHARES(LEFT, '0.5 * (Math.exp(-gamma0) - Math.exp(-gamma1)) * b', START), 'a guess of its own'],
      ['x does not vary', SHARES(LEFT, WAY, '0.5 * (b - 1 - Math.log(b))'), 'x varies'],
      ['no e', SHARES('Math.log(2 * Math.PI * a) / 2', WAY, START), 'the e'],
      ['backwards', SHARES('Math.log(2 * Math.PI * Math.E * b) / 2', '-Math.log(b / a) / 2', '-Math.log(a) / 2')],
      ['thirds', 'const h = (1 + Math.log(2 * Math.PI)) / 6; return { reconstruction: h, steps: h, prior: h };'],
    ),
    ...answersTo(
      'diffusion.untrained',
      ['T times', 'return 0.5 * T * power * (Math.exp(-gamma0) - Math.exp(-gammaT));'],
      ['a mean', 'return (0.5 * power * (Math.exp(-gamma0) - Math.exp(-gammaT))) / T;'],
      ['free', 'return 0;', 'not free'],
      ['no half', 'return power * (Math.exp(-gamma0) - Math.exp(-gammaT));', '½'],
      ['one end', 'return 0.5 * power * Math.exp(-gamma0);', 'both ends'],
      ['logarithms', 'return 0.5 * power * (gammaT - gamma0);', 'logarithms'],
      ['the sign of γ', 'return 0.5 * power * (Math.exp(gammaT) - Math.exp(gamma0));', 'the sign'],
    ),
    ...answersTo(
      'diffusion.weight',
      ['one for all', 'return 0.5;'],
      ['no half', WEIGHT('snr', '1', '1 / (1 + Math.exp(gamma))'), '½'],
      ['swapped', WEIGHT('0.5', 'snr / 2', '0.5 / (1 + Math.exp(gamma))'), 'weight of noise'],
      ['the sign of γ', WEIGHT('1 / snr / 2', '0.5', '0.5 / (1 + Math.exp(-gamma))'), 'the sign'],
      ['no squares', WEIGHT('snr / 2', '0.5', '0.5 / Math.sqrt(1 + Math.exp(gamma))'), 'squared'],
    ),
    ...answersTo(
      'diffusion.masked',
      ['all', MASKED('return each.sum(1);')],
      ['no weight', MASKED('return each.mul(hidden).sum(1);'), 'stands for D / hidden'],
      ['one factor', MASKED('return each.mul(hidden).sum(1).div(count);'), 'there are D of them'],
      ['a loss', MASKED('return each.mul(hidden).sum(1).mul(-D).div(count);'), 'the sign'],
      ['no softmax', MASKED('return each.mul(hidden).sum(1).mul(D).div(count);', 'logits'), 'normalised'],
      ['the batch', MASKED('return each.mul(hidden).sum(1).mul(D).div(count.mean());'), 'whatever the others do'],
      ['one number', MASKED('return each.mul(hidden).sum().div(B);'), 'one number an example'],
    ),
    ...answersTo(
      'diffusion.guidance',
      ['as given', 'return told.add(free.sub(told).mul(1 + w));'],
      ['the other convention', 'return free.add(told.sub(free).mul(w));'],
      ['away from the class', 'return told.sub(told.sub(free).mul(w));'],
      ['a mean', 'return told.add(free.mul(w)).div(1 + w);'],
      ['stretched', 'return told.mul(1 + w);'],
    ),
  ],
}; // prettier-ignore
