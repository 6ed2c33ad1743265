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
      ['by α and β', 'const g = (u: number) => 1 / (1 + Math.exp(-u)); const [barS, barT] = [g(-gammaS), g(-gammaT)]; const alpha = barT / barS; const beta = 1 - alpha; const mu = tf.add(tf.mul((Math.sqrt(barS) * beta) / (1 - barT), x), tf.mul((Math.sqrt(alpha) * (1 - barS)) / (1 - barT), z)); return { mu, logVar: Math.log((beta * (1 - barS)) / (1 - barT)) };'],
      ['less the noise', REVERSE('z.sub(z.sub(x.mul(aT)).mul(v / t2)).div(k)')],
      ['as DDIM has it', REVERSE('x.mul(aS).add(z.sub(x.mul(aT)).div(Math.sqrt(t2)).mul(Math.sqrt(s2 - (v * s2) / t2)))')],
      ['in tensors', 'const [s2, t2, a, b] = [tf.sigmoid(gammaS), tf.sigmoid(gammaT), tf.sigmoid(-gammaS).sqrt(), tf.sigmoid(-gammaT).sqrt()]; const k = b.div(a); const v = t2.sub(k.square().mul(s2)); return { mu: z.mul(k.mul(s2).div(t2)).add(x.mul(a.mul(v).div(t2))), logVar: v.mul(s2).div(t2).log().dataSync()[0]! };'],
    ),
    ...answersTo(
      'diffusion.cost',
      ['two slices', COST(FALL)],
      ['expm1', 'const T = gamma.size - 1; const [s, t] = [gamma.slice([0], [T]), gamma.slice([1], [T])]; return errors.mul(t.neg().exp()).mul(t.sub(s).expm1()).sum(1).mul(0.5);'],
      ['einsum', COST(FALL, "tf.einsum('bt,t->b', errors, from).mul(0.5)")],
      ['sigmoids', COST('gamma.neg().sigmoid().div(gamma.sigmoid()).slice([0], [T]).sub(gamma.neg().sigmoid().div(gamma.sigmoid()).slice([1], [T]))')],
      ['a product of matrices', 'const T = gamma.size - 1; const snr = gamma.neg().exp(); const fall = snr.slice([0], [T]).sub(snr.slice([1], [T])); return errors.matMul(fall.expandDims(1)).squeeze([1]).div(2);'],
      ['plain loops', 'const g = gamma.arraySync() as number[]; return tf.tensor1d((errors.arraySync() as number[][]).map((row) => row.reduce((sum, e, i) => sum + (e * (Math.exp(-g[i]!) - Math.exp(-g[i + 1]!))) / 2, 0)));'],
    ),
    ...answersTo(
      'diffusion.shares',
      ['by variances', SHARES(LEFT, WAY, START)],
      ['the rest of the entropy', `const H = (1 + Math.log(2 * Math.PI)) / 2; const log = (g: number) => Math.log1p(Math.exp(-g)) / 2; const [reconstruction, prior] = [H - log(gamma0), log(gamma1)]; return { prior, reconstruction, steps: H - reconstruction - prior };`],
      ['by α²', 'const u = (g: number) => 1 - 1 / (1 + Math.exp(g)); return { reconstruction: 0.5 + 0.5 * Math.log(2 * Math.PI * u(gamma0)), steps: 0.5 * Math.log(u(gamma1) / u(gamma0)), prior: 0.5 * Math.log(1 / u(gamma1)) };'],
      ['an integral', `const n = 20000; let steps = 0; for (let i = 0; i < n; i++) { const g = gamma0 + ((gamma1 - gamma0) * (i + 0.5)) / n; steps += ((gamma1 - gamma0) / n) * 0.5 / (1 + Math.exp(g)); } return { reconstruction: 0.5 * (Math.log(2 * Math.PI) + 1 - Math.log1p(Math.exp(-gamma0))), steps, prior: 0.5 * Math.log1p(Math.exp(-gamma1)) };`],
    ),
    ...answersTo(
      'diffusion.untrained',
      ['the ends', 'return 0.5 * power * (Math.exp(-gamma0) - Math.exp(-gammaT));'],
      ['expm1', 'return -0.5 * power * Math.exp(-gamma0) * Math.expm1(gamma0 - gammaT);'],
      ['step by step', 'let sum = 0; const g = (i: number) => gamma0 + ((gammaT - gamma0) * i) / T; for (let i = 1; i <= T; i++) sum += (power / 2) * Math.exp(-g(i)) * Math.expm1(g(i) - g(i - 1)); return sum;'],
      ['by stepsCost', 'const gamma = Array.from({ length: T + 1 }, (_, i) => gamma0 + ((gammaT - gamma0) * i) / T); return stepsCost(tf.fill([1, T], power), tf.tensor1d(gamma)).dataSync()[0]!;'],
    ),
    ...answersTo(
      'diffusion.weight',
      ['a table', WEIGHT('snr / 2', '0.5', '0.5 / (1 + Math.exp(gamma))')],
      ['SNR / (SNR + 1)', WEIGHT('snr / 2', '1 / 2', 'snr / (snr + 1) / 2')],
      ['by α and σ', 'const s2 = 1 / (1 + Math.exp(-gamma)); const x = (1 - s2) / s2 / 2; return kind === \'x\' ? x : kind === \'noise\' ? (x * s2) / (1 - s2) : x * s2;'],
      ['exponents', "if (kind === 'noise') return 1 / 2; const u = Math.exp(-gamma) / 2; return kind === 'x' ? u : u / (1 + Math.exp(-gamma));"],
    ),
    ...answersTo(
      'diffusion.masked',
      ['hidden ones', MASKED('return each.mul(hidden).sum(1).mul(D).div(count);')],
      ['a mean over the hidden ones, D times', MASKED('return tf.mul(D, each.mul(hidden).sum(1).div(count));')],
      ['softmax, then ln', MASKED('return each.mul(hidden).sum(1).mul(D).div(count);', 'tf.softmax(logits).log()')],
      ['by logSumExp', MASKED('return each.mul(hidden).sum(1).div(hidden.mean(1));', 'logits.sub(logits.logSumExp(2, true))')],
      ['tf.where', MASKED('return tf.where(visible.cast(\'bool\'), 0, each).sum(1).div(hidden.mean(1));')],
      ['plain loops', 'const L = tf.logSoftmax(logits).arraySync() as number[][][]; const X = x.arraySync() as number[][]; const S = visible.arraySync() as number[][]; return tf.tensor1d(X.map((row, n) => { let [t, h] = [0, 0]; row.forEach((v, d) => { if (S[n]![d] === 0) { t += L[n]![d]![v]!; h += 1; } }); return (t * row.length) / h; }));'],
    ),
    ...answersTo(
      'diffusion.guidance',
      ['on from the class', 'return told.add(told.sub(free).mul(w));'],
      ['as in the paper', 'return told.mul(1 + w).sub(free.mul(w));'],
      ['in arrays', 'const [a, b] = [told.arraySync() as number[][], free.arraySync() as number[][]]; return tf.tensor2d(a.map((row, n) => row.map((v, d) => v + w * (v - b[n]![d]!))));'],
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
      ['the wrong divisor', REVERSE('z.mul(k).add(x.mul((aS * v) / s2))'), 'the divisor is σ_t²'],
      ['no root', REVERSE(RIGHT_MEAN, undefined, '(aT / aS) ** 2'), 'not of their squares'],
      ['no root in the mean', REVERSE('z.mul((k * k * s2) / t2).add(x.mul((aS * v) / t2))'), 'not of their squares'],
      ['nothing shrinks', REVERSE('z.mul((k * s2) / t2).add(x.mul((aS * (t2 - s2)) / t2))'), 'its variance by k²'],
      ['the sign of γ', '[gammaS, gammaT] = [-gammaS, -gammaT];' + REVERSE(RIGHT_MEAN), 'the sign'],
      ['x and z exchanged', REVERSE('x.mul((k * s2) / t2).add(z.mul((aS * v) / t2))'), 'each other’s share'],
      ['x by α²', REVERSE('z.mul((k * s2) / t2).add(x.mul((aS * aS * v) / t2))'), 'not α_s²'],
      ['bits', REVERSE(RIGHT_MEAN, 'Math.log2((v * s2) / t2)'), 'base 2'],
      ['a product of variances', REVERSE(RIGHT_MEAN, 'Math.log(v * s2)'), 'divide by σ_t²'],
      ['a tensor', REVERSE(RIGHT_MEAN, 'tf.scalar(Math.log((v * s2) / t2)) as unknown as number'), 'dataSync()[0]'],
      ['no noise', REVERSE(RIGHT_MEAN, '-Infinity'), 'finite'],
      ['the first row', REVERSE('z.mul((k * s2) / t2).add(x.mul((aS * v) / t2)).slice([0, 0], [1, -1]).add(tf.zerosLike(z))')],
      ['deviations for variances', REVERSE('z.mul((k * Math.sqrt(s2)) / Math.sqrt(t2)).add(x.mul((aS * v) / Math.sqrt(t2)))'), 'squared'],
    ),
    ...answersTo(
      'diffusion.cost',
      ['off by one', COST('snr.slice([1], [T]).sub(tf.concat([snr.slice([2], [T - 1]), snr.slice([T], [1])]))'), 'one too far'],
      ['backwards', COST(FALL, 'errors.reverse(1).mul(from).sum(1).div(2)')],
      ['no half', COST(FALL, 'errors.mul(from).sum(1)'), '½'],
      ['a mean', COST(FALL, 'errors.mul(from).mean(1).div(2)')],
      ['the simple loss', COST(FALL, 'errors.sum(1).div(2)'), 'no bound'],
      ['short steps', COST('gamma.slice([1], [T]).sub(gamma.slice([0], [T])).mul(snr.slice([1], [T]))'), 'the limit of short steps'],
      ['c alone', COST('gamma.slice([0], [T]).sub(gamma.slice([1], [T])).expm1().neg()'), 'SNR(s) is left'],
      ['c and SNR(t)', COST('gamma.slice([0], [T]).sub(gamma.slice([1], [T])).expm1().neg().mul(snr.slice([1], [T]))'), 'not at t'],
      ['SNR itself', COST('snr.slice([0], [T])'), 'SNR itself'],
      ['α²', COST('gamma.neg().sigmoid().slice([0], [T]).sub(gamma.neg().sigmoid().slice([1], [T]))'), 'not α²'],
      ['squared twice', COST(FALL, 'errors.square().mul(from).sum(1).div(2)'), 'squared already'],
      ['bits', COST(FALL, 'errors.mul(from).sum(1).div(2 * Math.LN2)'), 'not bits'],
      ['the other axis', COST(FALL, 'errors.mul(from).sum(0).div(2)'), 'one number an example'],
      ['the last step missing', COST(FALL, 'errors.mul(from).slice([0, 0], [-1, Math.max(1, T - 1)]).sum(1).div(2)')],
      ['logarithms', COST('gamma.slice([1], [T]).sub(gamma.slice([0], [T]))'), 'not of their logarithms'],
      ['the sign', COST('snr.slice([1], [T]).sub(snr.slice([0], [T]))'), 'the sign'],
      ['the batch', COST(FALL, 'errors.mul(from).sum().div(2)'), 'one number an example'],
    ),
    ...answersTo(
      'diffusion.shares',
      ['no last decoder', SHARES('0', WAY, START), 'last decoder'],
      ['no prior', SHARES(LEFT, WAY, '0'), 'some signal'],
      ['all of it at the end', SHARES('Math.log(2 * Math.PI * Math.E) / 2', '0', '0'), 'add up to'],
      ['bits', SHARES(LEFT.replace('log', 'log2'), WAY.replace('log', 'log2'), START.replace('log', 'log2')), 'base 2'],
      ['the sign of γ', '[gamma0, gamma1] = [-gamma0, -gamma1];' + SHARES(LEFT, WAY, START), 'the sign'],
      ['a mean square', SHARES('a / 2', WAY, START), 'no likelihood'],
      ['a decoder of variance 1', SHARES('(Math.log(2 * Math.PI) + a) / 2', WAY, START), 'not 1'],
      ['the error of the clean end', SHARES(LEFT, '0.5 * (Math.exp(-gamma0) - Math.exp(-gamma1)) * a', START), 'clean end'],
      ['a product for the integral', SHARES(LEFT, '0.5 * (1 - a) * (gamma1 - gamma0)', START), 'not a product'],
      ['the signal at the end', SHARES(LEFT, WAY, '-Math.log(1 - b) / 2'), 'not of the signal'],
      ['half the ratio', SHARES(LEFT, WAY, 'Math.exp(-gamma1) / 2'), 'where that is small'],
      ['a thousand steps', SHARES(LEFT, '((T) => { let sum = 0; const at = (i: number) => gamma0 + ((gamma1 - gamma0) * i) / T; for (let i = 1; i <= T; i++) sum += (0.5 * (Math.exp(-at(i - 1)) - Math.exp(-at(i)))) / (1 + Math.exp(-at(i))); return sum; })(1000)', START)],
      ['not a number', SHARES(LEFT, 'NaN', START), 'Gaussian of variance σ²'],
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
      ['α x for x', 'let sum = 0; const g = (i: number) => gamma0 + ((gammaT - gamma0) * i) / T; for (let i = 1; i <= T; i++) sum += (Math.exp(-g(i - 1)) - Math.exp(-g(i))) / (1 + Math.exp(g(i))); return (power * sum) / 2;', 'not α x'],
      ['one step more', 'return 0.5 * power * (Math.exp(-gamma0) - Math.exp(-gammaT - (gammaT - gamma0) / T));', 'not one more'],
      ['short steps', 'let sum = 0; const h = (gammaT - gamma0) / T; for (let i = 1; i <= T; i++) sum += h * Math.exp(-gamma0 - h * i); return (power * sum) / 2;', 'short steps'],
      ['the sum of SNR', 'let sum = 0; const h = (gammaT - gamma0) / T; for (let i = 1; i <= T; i++) sum += Math.exp(-gamma0 - h * i); return (power * sum) / 2;', 'not SNR itself'],
      ['squared twice', 'return 0.5 * power * power * (Math.exp(-gamma0) - Math.exp(-gammaT));', 'squared already'],
      ['not a number', 'return NaN;', 'to be finite'],
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
      ['times for divided by', WEIGHT('snr / 2', '(snr * snr) / 2', '(snr * (1 + snr)) / 2'), 'divide by its square'],
      ['SNR + 1', WEIGHT('snr / 2', '0.5', '(snr + 1) / 2'), 'SNR + 1'],
      ['a sign', WEIGHT('-snr / 2', '-0.5', '-0.5 / (1 + Math.exp(gamma))'), 'not below 0'],
      ['the noise alone in v', WEIGHT('snr / 2', '0.5', '(0.5 * snr) / (1 + snr) ** 2'), 'they add up'],
      ['cut off at 5', WEIGHT('Math.min(snr, 5) / 2', '0.5', '0.5 / (1 + Math.exp(gamma))')],
      ['no squares', WEIGHT('snr / 2', '0.5', '0.5 / Math.sqrt(1 + Math.exp(gamma))'), 'squared'],
    ),
    ...answersTo(
      'diffusion.masked',
      ['all', MASKED('return each.sum(1);')],
      ['no weight', MASKED('return each.mul(hidden).sum(1);'), 'stands for D / hidden'],
      ['one factor', MASKED('return each.mul(hidden).sum(1).div(count);'), 'there are D of them'],
      ['a loss', MASKED('return each.mul(hidden).sum(1).mul(-D).div(count);'), 'the sign'],
      ['the wrong axis', MASKED('return each.mul(hidden).sum(1).mul(D).div(count);', 'logits.sub(logits.logSumExp(1, true))'), 'last axis'],
      ['values for coordinates', MASKED('return each.mul(hidden).sum(1).mul(V).div(count);'), 'not that of values'],
      ['one hidden more', MASKED('return each.mul(hidden).sum(1).mul(D).div(count.add(1));'), 'not one more'],
      ['by the shown ones', MASKED('return each.mul(hidden).sum(1).mul(D).div(visible.sum(1).add(1));'), 'not over those that are shown'],
      ['the shown ones, too', MASKED('return each.mul(hidden).sum(1).mul(D).div(count).add(each.mul(visible).sum(1));'), 'given, not guessed'],
      ['bits', MASKED('return each.mul(hidden).sum(1).mul(D / Math.LN2).div(count);'), 'base 2'],
      ['the first hidden one', MASKED('return each.mul(hidden.mul(hidden.cumsum(1).equal(1).toFloat())).sum(1).mul(D);')],
      ['divided by none', MASKED('return each.mul(hidden).sum(1).mul(D).div(visible.sum(1));'), 'one number an example'],
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
      ['kept in [−1, 1]', 'return told.add(told.sub(free).mul(w)).clipByValue(-1, 1);', 'whoever calls this'],
      ['1 + w from the class', 'return told.add(told.sub(free).mul(1 + w));', 'w = 0 adds nothing'],
      ['the difference', 'return told.sub(free).mul(1 + w);', 'none by itself'],
      ['w squared', 'return told.add(told.sub(free).mul(w * w));', 'not to its square'],
      ['no guidance', 'return told.clone();', 'without guidance'],
      ['the mean of the batch', 'return told.add(told.sub(free).mean(0).mul(w));'],
      ['stretched', 'return told.mul(1 + w);'],
    ),
  ],
}; // prettier-ignore
