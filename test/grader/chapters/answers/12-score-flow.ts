import { answersTo, type TriedAnswers } from './answer';

const MIXTURE = (finish: string, variance = 'width * width + sigma * sigma', spread = 'v') => `
  const v = ${variance};
  const [B, K, D] = [x.shape[0]!, mu.shape[0]!, x.shape[1]!];
  const d = tf.sub(mu.reshape([1, K, D]), x.reshape([B, 1, D]));
  const r = tf.softmax(d.square().sum([2]).mul(-0.5).div(${spread}), 1);
  ${finish}`;
const PULL = 'return d.mul(r.expandDims(-1)).sum(1).div(v);';
const DENOISING = (loss: string, seen = 'x.add(s.mul(noise))') => `
  const s = sigma.reshape([-1, 1]);
  const guess = score(${seen}, sigma);
  return ${loss};`;
const STEP = (drift: string, noise = 'noise.mul(g).mul(Math.sqrt(h))', sign = 'sub') => `return z.${sign}(${drift}.mul(h)).add(${noise});`; // prettier-ignore
const DRIFT = 'z.mul(f).sub(score.mul(g * g))';
const VIEWS = (noise: string, data: string, velocity = 'tf.sub(data, noise)') => `
  const c = t.reshape([-1, 1]);
  const r = c.mul(-1).add(1);
  const noise = ${noise};
  const data = ${data};
  return { noise, data, velocity: ${velocity} };`;
const PATHS = (mu: string, sigma: string, length: string) => `
  const ordered = pairing === 'transport';
  return { mu: ${mu}, sigma: ${sigma}, length: ${length} };`;
interface Parts {
  readonly time?: string;
  readonly stretch?: string;
  readonly sum?: string;
  readonly move?: string;
  readonly end?: string;
}
const LIKELIHOOD = ({ time = '1 - k / steps', stretch, sum, move, end }: Parts = {}) => `
  const B = x.shape[0]!;
  let z: tf.Tensor = x.clone();
  let total: tf.Tensor = tf.zeros([B]);
  for (let k = 0; k < steps; k++) {
    const t = tf.ones([B]).mul(${time});
    const part = ${stretch ?? 'tf.grad((at: tf.Tensor) => velocity(at, t).mul(e).sum())(z).mul(e).sum(1)'};
    total = ${sum ?? 'total.add(part.div(steps))'};
    z = ${move ?? 'z.sub(velocity(z, t).div(steps))'};
  }
  const base = z.square().add(Math.log(2 * Math.PI)).sum(1).mul(-0.5);
  return ${end ?? 'base.sub(total)'};`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'score.mixture',
      ['by shares', MIXTURE(PULL)],
      ['by the gradient', 'const v = width ** 2 + sigma ** 2; return tf.grad((at: tf.Tensor) => tf.logSumExp(at.expandDims(1).sub(mu).square().sum(2).div(-2 * v), 1).sum())(x);'],
      ['by the best guess', MIXTURE('return r.matMul(mu).sub(x).div(v);')],
      ['plain loops', 'const v = width ** 2 + sigma ** 2; const M = mu.arraySync() as number[][]; return tf.tensor2d((x.arraySync() as number[][]).map((row) => { const d = M.map((m) => m.reduce((s, c, i) => s + (c - row[i]!) ** 2, 0)); const least = Math.min(...d); const w = d.map((q) => Math.exp((least - q) / (2 * v))); const all = w.reduce((a, b) => a + b); return row.map((c, i) => M.reduce((s, m, k) => s + (w[k]! / all) * (m[i]! - c), 0) / v); }));'],
      ['distances by products', 'const v = width ** 2 + sigma ** 2; const near = x.square().sum(1, true).add(mu.square().sum(1)).sub(x.matMul(mu, false, true).mul(2)).div(-2 * v); return tf.softmax(near).matMul(mu).sub(x).div(v);'],
      ['weights by hand', 'const v = width ** 2 + sigma ** 2; const d = x.expandDims(1).sub(mu); const near = d.square().sum(2).div(2 * v).neg(); const w = near.sub(near.max(1, true)).exp(); const r = w.div(w.sum(1, true)); return d.mul(r.expandDims(2)).sum(1).div(-v);'],
      ['hill by hill', 'const v = width ** 2 + sigma ** 2; const all = tf.unstack(mu); const near = tf.stack(all.map((m) => x.sub(m).square().sum(1).div(-2 * v)), 1); const r = near.sub(near.logSumExp(1, true)).exp(); return tf.addN(all.map((m, k) => m.sub(x).mul(r.slice([0, k], [-1, 1])))).div(v);'],
    ),
    ...answersTo(
      'score.denoising',
      ['σ taken in', DENOISING('guess.mul(s).add(noise).square().sum(1).mean()')],
      ['as written', DENOISING('guess.add(noise.div(s)).square().sum(1).mul(sigma.square()).mean()')],
      ['one sum', DENOISING('s.mul(guess).add(noise).square().sum().div(x.shape[0]!)')],
      ['by what was moved', DENOISING('guess.add(x.add(s.mul(noise)).sub(x).div(s.square())).mul(s).square().sum(1).mean()')],
      ['by norms', DENOISING('tf.norm(guess.mul(s).add(noise), 2, 1).square().mean()')],
      ['example by example', 'const guess = score(x.add(noise.mul(sigma.expandDims(1))), sigma).arraySync() as number[][]; const [e, s] = [noise.arraySync() as number[][], sigma.dataSync()]; return tf.scalar(guess.reduce((sum, row, n) => sum + row.reduce((r, v, d) => r + (s[n]! * v + e[n]![d]!) ** 2, 0), 0) / guess.length);'],
      ['by the library’s error', DENOISING('tf.losses.meanSquaredError(noise.neg(), guess.mul(s)).mul(x.shape[1]!).asScalar()')],
    ),
    ...answersTo(
      'score.langevin',
      ['a fraction', 'return eta < 2 * sigma ** 2 ? sigma ** 2 / (1 - eta / (2 * sigma ** 2)) : Infinity;'],
      ['by cases', 'const a = 1 - eta / (sigma * sigma); if (Math.abs(a) >= 1) return Infinity; return (2 * eta) / (1 - a * a);'],
      ['a series', 'const a = (1 - eta / sigma ** 2) ** 2; if (a >= 1) return Infinity; let v = 0; for (let i = 0; i < 200000; i++) v = a * v + 2 * eta; return v;'],
      ['to the edge', 'return eta > 2 * sigma * sigma ? Infinity : (2 * sigma ** 4) / (2 * sigma ** 2 - eta);'],
      ['multiplied out', 'const q = eta / sigma ** 2; return q < 2 ? (2 * eta) / (q * (2 - q)) : Number.POSITIVE_INFINITY;'],
    ),
    ...answersTo(
      'score.reverse',
      ['in one line', STEP(DRIFT)],
      ['terms by themselves', 'return tf.addN([z, z.mul(-f * h), score.mul(g * g * h), noise.mul(g * h ** 0.5)]);'],
      ['with dt', 'const dt = -h; return z.add(z.mul(f).sub(score.mul(g ** 2)).mul(dt)).add(noise.mul(g * Math.sqrt(Math.abs(dt))));'],
      ['half of it twice', 'const half = z.mul(-f).add(score.mul(g * g / 2)).mul(h); return z.add(half).add(score.mul(0.5 * g ** 2 * h)).add(noise.mul((g ** 2 * h) ** 0.5));'],
      ['scaled', 'return tf.tidy(() => z.mul(1 - f * h).add(score.mul(h * g ** 2)).add(tf.mul(g, noise).mul(Math.sqrt(h))));'],
      ['plain loops', 'const [a, b, c] = [z, score, noise].map((v) => v.dataSync()); return tf.tensor2d(Float32Array.from(a!, (v, i) => v - h * (f * v - g * g * b![i]!) + g * Math.sqrt(h) * c![i]!), z.shape as [number, number]);'],
    ),
    ...answersTo(
      'match.views',
      ['in turn', VIEWS('score.mul(r).neg()', 'z.sub(r.mul(noise)).div(c)')],
      ['by the score', VIEWS('r.mul(score).mul(-1)', 'z.add(r.square().mul(score)).div(c)')],
      ['velocity from z', VIEWS('score.mul(r).neg()', 'z.sub(r.mul(noise)).div(c)', 'z.sub(noise).div(c)')],
      ['velocity first', 'const c = t.expandDims(-1); const r = tf.sub(1, c); const velocity = z.add(score.mul(r)).div(c); return { velocity, data: z.add(velocity.mul(r)), noise: z.sub(velocity.mul(c)) };'],
      ['data by Tweedie', VIEWS('z.sub(c.mul(z.div(c).add(r.div(c).square().mul(score.mul(c))))).div(r)', 'z.div(c).add(r.div(c).square().mul(score.mul(c)))')],
    ),
    ...answersTo(
      'match.paths',
      ['a choice', PATHS('m', 'ordered ? s : 0', 'ordered ? m * m + (s - 1) ** 2 : m * m + s * s + 1')],
      ['the covariance', 'const c = pairing === \'transport\' ? s : 0; return { mu: m, sigma: c, length: m ** 2 + s ** 2 + 1 - 2 * c };'],
      ['by cases', "if (pairing === 'independent') return { mu: m, sigma: 0, length: 1 + s * s + m * m }; return { mu: m, sigma: s, length: (1 - s) ** 2 + m * m };"],
      ['a table', 'return { independent: { mu: m, sigma: 0, length: m ** 2 + 1 + s ** 2 }, transport: { mu: m, sigma: s, length: m ** 2 + (1 - s) ** 2 } }[pairing];'],
      ['by the slope', "const slope = pairing === 'transport' ? s - 1 : -1; return { mu: 0 + m, sigma: Math.abs(1 + slope), length: pairing === 'transport' ? m * m + slope * slope : m * m + s * s + slope * slope };"],
    ),
    ...answersTo(
      'match.likelihood',
      ['a scalar’s gradient', LIKELIHOOD()],
      ['with dy', LIKELIHOOD({ stretch: 'tf.grad((at: tf.Tensor) => velocity(at, t))(z, e).mul(e).sum(1)' })],
      ['summed at the end', LIKELIHOOD({ sum: 'total.add(part)', end: 'base.sub(total.mul(1 / steps))' })],
      ['time counted down', 'let [z, t, log] = [x, 1, tf.zeros([x.shape[0]!]) as tf.Tensor]; while (t > 0.5 / steps) { const at = tf.fill([x.shape[0]!], t); const J = tf.grad((w: tf.Tensor) => velocity(w, at).mul(e).sum())(z); log = log.sub(J.mul(e).sum(1).div(steps)); z = z.sub(velocity(z, at).div(steps)); t -= 1 / steps; } return logNormal(z, tf.scalar(0), tf.scalar(0)).add(log);'],
      ['by a column', LIKELIHOOD({ stretch: 'tf.grad((u: tf.Tensor) => tf.grad((at: tf.Tensor) => velocity(at, t))(z, u))(tf.zerosLike(z), e).mul(e).sum(1)' })],
      ['one pass for both', 'let z: tf.Tensor = x; let log: tf.Tensor = tf.zeros([x.shape[0]!]); const h = 1 / steps; for (let k = steps; k > 0; k--) { const { value, grad } = tf.valueAndGrad((at: tf.Tensor) => velocity(at, tf.fill([x.shape[0]!], k / steps)).mul(e).sum())(z); value.dispose(); log = log.add(grad.mul(e).sum(1)); z = z.sub(velocity(z, tf.fill([x.shape[0]!], k * h)).mul(h)); } return tf.sub(z.square().sum(1).mul(-0.5).sub(z.shape[1]! * 0.5 * Math.log(2 * Math.PI)), log.mul(h));'],
    ),
  ],
  wrong: [
    ...answersTo(
      'score.mixture',
      ['downhill', MIXTURE('return d.mul(r.expandDims(-1)).sum(1).div(v).neg();'), 'points uphill'],
      ['the noise forgotten', MIXTURE(PULL, 'width * width'), 'variances add up'],
      ['the width forgotten', MIXTURE(PULL, 'sigma * sigma')],
      ['the shares without noise', MIXTURE(PULL, 'width * width + sigma * sigma', 'width ** 2')],
      ['even shares', MIXTURE('return d.mean(1).div(v);')],
      ['all in full', MIXTURE('return d.sum(1).div(v);')],
      ['the guess', MIXTURE('return r.matMul(mu).sub(x);')],
      ['the deviation', MIXTURE('return d.mul(r.expandDims(-1)).sum(1).div(Math.sqrt(v));')],
      ['the nearest alone', MIXTURE('return tf.gather(mu, r.argMax(1) as tf.Tensor1D).sub(x).div(v);')],
      ['zeros', 'return tf.zerosLike(x);'],
      ['without the half', MIXTURE(PULL, undefined, 'v / 2')],
      ['shares of the examples', MIXTURE('const own = tf.softmax(d.square().sum(2).mul(-0.5).div(v).transpose()).transpose(); return d.mul(own.expandDims(-1)).sum(1).div(v);')],
      ['a mean over the coordinates', MIXTURE(PULL, undefined, 'v * D')],
      ['densities, not shares', MIXTURE('const p = d.square().sum(2).mul(-0.5).div(v).exp(); return d.mul(p.expandDims(-1)).sum(1).div(v);')],
      ['nothing over nothing, far out', MIXTURE('const p = d.square().sum(2).mul(-0.5).div(v).exp(); const q = p.div(p.sum(1, true)); return d.mul(q.expandDims(-1)).sum(1).div(v);')],
      ['a little, far out', MIXTURE('const p = d.square().sum(2).mul(-0.5).div(v).exp(); const q = p.div(p.sum(1, true).add(1e-8)); return d.mul(q.expandDims(-1)).sum(1).div(v);')],
      ['deviations added', MIXTURE(PULL, '(width + sigma) ** 2'), 'their squares add up'],
      ['by σ²', MIXTURE('return d.mul(r.expandDims(-1)).sum(1).div(sigma ** 2);')],
      ['numbers', MIXTURE('return d.mul(r.expandDims(-1)).sum(1).div(v).arraySync() as unknown as tf.Tensor;')],
      ['a hill a column', MIXTURE('return d.mul(r.expandDims(-1)).sum(2).div(v);')],
      ['slopes of the density', MIXTURE('const p = d.square().sum(2).mul(-0.5).div(v).exp().div(2 * Math.PI * v); return d.mul(p.expandDims(-1)).mean(1).div(v);')],
    ),
    ...answersTo(
      'score.denoising',
      ['the sign', DENOISING('guess.mul(s).sub(noise).square().sum(1).mean()'), 'towards x'],
      ['no weight', DENOISING('guess.add(noise.div(s)).square().sum(1).mean()'), 'each level counts by σ²'],
      ['half a weight', DENOISING('guess.add(noise.div(s)).square().sum(1).mul(sigma).mean()')],
      ['clean', DENOISING('guess.mul(s).add(noise).square().sum(1).mean()', 'x'), 'x with noise, not x'],
      ['a mean of all', DENOISING('guess.mul(s).add(noise).square().mean()')],
      ['a sum of all', DENOISING('guess.mul(s).add(noise).square().sum()')],
      ['the noise itself', DENOISING('guess.add(noise).square().sum(1).mul(sigma.square()).mean()')],
      ['one level', DENOISING('guess.mul(sigma.mean()).add(noise).square().sum(1).mean()')],
      ['a vector', DENOISING('guess.mul(s).add(noise).square().sum(1)')],
      ['half', DENOISING('guess.mul(s).add(noise).square().sum(1).mean().div(2)'), 'without the ½'],
      ['a norm', DENOISING('tf.norm(guess.mul(s).add(noise), 2, 1).mean()')],
      ['the variance', DENOISING('guess.mul(s).add(noise).square().sum(1).mean()', 'x.add(s.square().mul(noise))'), 'not σ²'],
      ['weights of mean 1', DENOISING('guess.mul(s).add(noise).square().sum(1).mean().div(sigma.square().mean())')],
      ['by σ⁴', DENOISING('guess.mul(s).add(noise).square().sum(1).mul(sigma.square()).mean()')],
      ['the guess of x', DENOISING('guess.mul(s.square()).add(x.add(s.mul(noise))).sub(x).square().sum(1).mean()')],
      ['noise of its own', 'const s = sigma.expandDims(1); const e = tf.randomNormal(x.shape); return score(x.add(e.mul(s)), sigma).mul(s).add(e).square().sum(1).mean();'],
      ['one time for all', 'const s = sigma.expandDims(1); return score(x.add(noise.mul(s)), tf.fill(sigma.shape, sigma.mean().dataSync()[0]!)).mul(s).add(noise).square().sum(1).mean();'],
      ['exactly', DENOISING('guess.mul(s).square().sum(1).add(noise.square().sum(1)).mean()')],
      ['a number', DENOISING('guess.mul(s).add(noise).square().sum(1).mean().dataSync()[0]! as unknown as tf.Tensor')],
      ['nothing', 'return tf.scalar(NaN);'],
    ),
    ...answersTo(
      'score.langevin',
      ['no bias', 'return eta < 2 * sigma ** 2 ? sigma ** 2 : Infinity;', 'η → 0'],
      ['half the noise', 'return eta < 2 * sigma ** 2 ? sigma ** 2 / (2 - eta / sigma ** 2) : Infinity;', 'of variance 2η'],
      ['always finite', 'return sigma ** 2 / (1 - eta / (2 * sigma ** 2));'],
      ['absolute', 'return Math.abs(sigma ** 2 / (1 - eta / (2 * sigma ** 2)));'],
      ['too early', 'return eta < sigma ** 2 ? sigma ** 2 / (1 - eta / (2 * sigma ** 2)) : Infinity;'],
      ['the deviation', 'return eta < 2 * sigma ** 2 ? sigma / Math.sqrt(1 - eta / (2 * sigma ** 2)) : Infinity;'],
      ['of one', 'return eta < 2 ? 1 / (1 - eta / 2) : Infinity;'],
      ['less', 'return eta < 2 * sigma ** 2 ? sigma ** 2 / (1 + eta / (2 * sigma ** 2)) : Infinity;'],
      ['one step', 'return eta < 2 * sigma ** 2 ? sigma ** 2 * (1 - eta / sigma ** 2) ** 2 + 2 * eta : Infinity;'],
      ['the root as a variance', 'const a = (1 - eta / sigma ** 2) ** 2; return a < 1 ? Math.sqrt(2 * eta) / (1 - a) : Infinity;', 'not √(2η)'],
      ['no number', 'return eta < 2 * sigma ** 2 ? sigma ** 2 / (1 - eta / (2 * sigma ** 2)) : NaN;'],
      ['σ for σ²', 'return eta < 2 * sigma ? sigma / (1 - eta / (2 * sigma)) : Infinity;', 'not −x / σ'],
      ['too late', 'return eta < 4 * sigma ** 2 ? Math.abs(sigma ** 2 / (1 - eta / (2 * sigma ** 2))) : Infinity;'],
      ['to first order', 'return eta < 2 * sigma ** 2 ? sigma ** 2 + eta / 2 : Infinity;'],
      ['a tensor', 'return tf.scalar(eta < 2 * sigma ** 2 ? sigma ** 2 / (1 - eta / (2 * sigma ** 2)) : Infinity) as unknown as number;'],
      ['half a step', 'return eta < 4 * sigma ** 2 ? sigma ** 2 / (1 - eta / (4 * sigma ** 2)) : Infinity;'],
    ),
    ...answersTo(
      'score.reverse',
      ['h for its root', STEP(DRIFT, 'noise.mul(g * h)'), 'grows with its root'],
      ['no length', STEP(DRIFT, 'noise.mul(g)'), 'length of the step is missing'],
      ['forwards', STEP(DRIFT, undefined, 'add'), 'time runs backwards'],
      ['the ODE', STEP('z.mul(f).sub(score.mul(g * g * 0.5))')],
      ['g', STEP('z.mul(f).sub(score.mul(g))')],
      ['no noise', STEP(DRIFT, 'tf.zerosLike(z)')],
      ['downhill', STEP('z.mul(f).add(score.mul(g * g))'), 'uphill'],
      ['no drift', STEP('score.mul(-g * g)')],
      ['g² of noise', STEP(DRIFT, 'noise.mul(g * g * Math.sqrt(h))')],
      ['the noise taken off', STEP(DRIFT, 'noise.mul(-g * Math.sqrt(h))')],
      ['√g', STEP(DRIFT, 'noise.mul(Math.sqrt(g * h))')],
      ['√2', STEP(DRIFT, 'noise.mul(g * Math.sqrt(2 * h))')],
      ['a tensor drawn here', STEP(DRIFT, 'tf.randomNormal(z.shape).mul(g * Math.sqrt(h))')],
      ['half by h', 'return z.sub(z.mul(f).mul(h)).add(score.mul(g * g)).add(noise.mul(g * Math.sqrt(h)));'],
      ['the drift forwards', STEP('z.mul(-f).sub(score.mul(g * g))')],
      ['f and g exchanged', 'return z.sub(z.mul(g).sub(score.mul(f * f)).mul(h)).add(noise.mul(f * Math.sqrt(h)));'],
      ['the noise of half a step', STEP(DRIFT, 'noise.mul(g * Math.sqrt(h / 2))')],
      ['twice', STEP('z.mul(f).sub(score.mul(2 * g * g))')],
      ['stays', 'return z.clone();'],
      ['the first row', 'return z.slice([0, 0], [1, -1]);'],
    ),
    ...answersTo(
      'match.views',
      ['the sign', VIEWS('score.mul(r)', 'z.sub(r.mul(noise)).div(c)'), 'points away from the noise'],
      ['t for 1 − t', VIEWS('score.mul(c).neg()', 'z.sub(r.mul(noise)).div(c)')],
      ['the score is the noise', VIEWS('score.neg()', 'z.sub(r.mul(noise)).div(c)')],
      ['not divided', VIEWS('score.mul(r).neg()', 'z.sub(r.mul(noise))'), 'divide by t'],
      ['in full', VIEWS('score.mul(r).neg()', 'z.sub(noise).div(c)')],
      ['backwards', VIEWS('score.mul(r).neg()', 'z.sub(r.mul(noise)).div(c)', 'noise.sub(data)'), 'from noise to data'],
      ['from z', VIEWS('score.mul(r).neg()', 'z.sub(r.mul(noise)).div(c)', 'data.sub(z)')],
      ['one time for all', VIEWS('score.mul(t.mean().mul(-1).add(1)).neg()', 'z.sub(r.mul(noise)).div(c)')],
      ['data and noise exchanged', 'const c = t.expandDims(1); const r = tf.sub(1, c); const data = score.mul(r).neg(); const noise = z.sub(data.mul(r)).div(c); return { noise, data, velocity: data.sub(noise) };'],
      ['divided by 1 − t', VIEWS('score.div(r).neg()', 'z.sub(r.mul(noise)).div(c)'), 'not divided by it'],
      ['squared', VIEWS('score.mul(r.square()).neg()', 'z.sub(r.mul(noise)).div(c)')],
      ['Tweedie of another path', VIEWS('score.mul(r).neg()', 'z.add(r.square().mul(score))'), 'divide by t'],
      ['the ODE of noise', VIEWS('score.mul(r).neg()', 'z.sub(r.mul(noise)).div(c)', 'score.mul(r)')],
      ['a row for a column', 'const r = tf.sub(1, t); const noise = score.mul(r.reshape([1, -1]).mean()).neg(); const data = z.sub(noise.mul(r.mean())).div(t.mean()); return { noise, data, velocity: data.sub(noise) };'],
      ['pulled from t = 0', VIEWS('score.mul(r).neg()', 'z.sub(r.mul(noise)).div(c.add(1e-2))')],
      ['numbers', 'const c = t.expandDims(1); const r = tf.sub(1, c); const noise = score.mul(r).neg(); const data = z.sub(r.mul(noise)).div(c); return { noise: noise.arraySync(), data: data.arraySync(), velocity: data.sub(noise).arraySync() } as unknown as { noise: tf.Tensor; data: tf.Tensor; velocity: tf.Tensor };'],
      ['half of it', 'const c = t.expandDims(1); const r = tf.sub(1, c); const noise = score.mul(r).neg(); return { noise, data: z.sub(r.mul(noise)).div(c) } as unknown as { noise: tf.Tensor; data: tf.Tensor; velocity: tf.Tensor };', ''],
    ),
    ...answersTo(
      'match.paths',
      ['samples', PATHS('m', 's', 'ordered ? m * m + (s - 1) ** 2 : m * m + s * s + 1'), 'noise says nothing of x'],
      ['points', PATHS('m', '0', 'ordered ? m * m + (s - 1) ** 2 : m * m + s * s + 1')],
      ['one length', PATHS('m', 'ordered ? s : 0', 'm * m + s * s + 1')],
      ['short', PATHS('m', 'ordered ? s : 0', 'm * m + (s - 1) ** 2')],
      ['without the mean', PATHS('m', 'ordered ? s : 0', 'ordered ? (s - 1) ** 2 : s * s + 1')],
      ['half way', PATHS('m / 2', 'ordered ? s : 0', 'ordered ? m * m + (s - 1) ** 2 : m * m + s * s + 1')],
      ['exchanged', PATHS('m', 'ordered ? 0 : s', 'ordered ? m * m + s * s + 1 : m * m + (s - 1) ** 2')],
      ['the variance', PATHS('m', 'ordered ? s * s : 0', 'ordered ? m * m + (s - 1) ** 2 : m * m + s * s + 1'), 'not the variance'],
      ['a root', PATHS('m', 'ordered ? s : 0', 'Math.sqrt(ordered ? m * m + (s - 1) ** 2 : m * m + s * s + 1)'), 'squared'],
      ['the slope', PATHS('m', 'ordered ? Math.abs(s - 1) : 1', 'ordered ? m * m + (s - 1) ** 2 : m * m + s * s + 1')],
      ['out of breath', PATHS('0', 'ordered ? s : 0', 'ordered ? m * m + (s - 1) ** 2 : m * m + s * s + 1'), 'all the way'],
      ['no numbers', PATHS('NaN', 'NaN', 'NaN')],
      ['the other way round', PATHS('m', 'ordered ? s : 0', 'ordered ? m * m + s * s - 1 : m * m + s * s + 1')],
      ['both', PATHS('m', 'ordered ? s : Math.sqrt(1 + s * s)', 'ordered ? m * m + (s - 1) ** 2 : m * m + s * s + 1'), 'on its way'],
      ['fields of another name', 'return { mean: m, deviation: 0, length: m * m + s * s + 1 } as unknown as { mu: number; sigma: number; length: number };'],
    ),
    ...answersTo(
      'match.likelihood',
      ['mean zero', LIKELIHOOD({ stretch: 'tf.grad((at: tf.Tensor) => velocity(at, t).sum())(z).mul(e).sum(1)' })],
      ['the last one', LIKELIHOOD({ sum: 'part.div(steps)' })],
      ['not told the time', LIKELIHOOD({ time: '0' })],
      ['as at the data', LIKELIHOOD({ time: '1' })],
      ['time runs up', LIKELIHOOD({ time: 'k / steps' })],
      ['off by one', LIKELIHOOD({ time: '1 - (k + 1) / steps' }), 'off by one'],
      ['x moves on', LIKELIHOOD({ move: 'z.add(velocity(z, t).div(steps))' })],
      ['the sign', LIKELIHOOD({ end: 'base.add(total)' }), 'thins the density out'],
      ['in full', LIKELIHOOD({ sum: 'total.add(part)' })],
      ['the noise alone', LIKELIHOOD({ end: 'base' }), 'divergences are missing'],
      ['moved first', LIKELIHOOD({ sum: 'total', move: 'z.sub(velocity(z, t).div(steps))', end: 'base.sub(total.mul(2))' })],
      ['half way in time', LIKELIHOOD({ time: '1 - (k + 0.5) / steps' })],
      ['by ones', LIKELIHOOD({ stretch: 'tf.grad((at: tf.Tensor) => velocity(at, t).sum())(z).sum(1)' }), 'the sum of all of J'],
      ['a mean', LIKELIHOOD({ stretch: 'tf.grad((at: tf.Tensor) => velocity(at, t).mul(e).sum())(z).mul(e).mean(1)' })],
      ['other signs', LIKELIHOOD({ stretch: 'tf.grad((at: tf.Tensor) => velocity(at, t).mul(e).sum())(z).mul(tf.sign(tf.randomNormal(e.shape))).sum(1)' })],
      ['without 2π', LIKELIHOOD({ end: 'z.square().sum(1).mul(-0.5).sub(total)' })],
      ['the noise at x', LIKELIHOOD({ end: 'x.square().add(Math.log(2 * Math.PI)).sum(1).mul(-0.5).sub(total)' })],
      ['a point less', LIKELIHOOD({ sum: 'k === 0 ? total : total.add(part.div(steps))' })],
      ['of all examples together', LIKELIHOOD({ stretch: 'tf.grad((at: tf.Tensor) => velocity(at, t).mul(e).sum())(z).mul(e).sum().mul(tf.ones([B]))' })],
      ['nothing', 'return tf.fill([x.shape[0]!], NaN);'],
      ['as given, but for its loop', LIKELIHOOD({ stretch: 'tf.grad((at: tf.Tensor) => velocity(at, t).sum(1))(z).mul(e).sum(1)', time: '0', move: 'z.add(velocity(z, t).div(steps))' })],
      ['steps too short', LIKELIHOOD({ move: 'z.sub(velocity(z, t).div(steps + 1))' })],
    ),
  ],
}; // prettier-ignore
