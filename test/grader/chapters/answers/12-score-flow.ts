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
    ),
    ...answersTo(
      'score.denoising',
      ['σ taken in', DENOISING('guess.mul(s).add(noise).square().sum(1).mean()')],
      ['as written', DENOISING('guess.add(noise.div(s)).square().sum(1).mul(sigma.square()).mean()')],
      ['one sum', DENOISING('s.mul(guess).add(noise).square().sum().div(x.shape[0]!)')],
      ['by what was moved', DENOISING('guess.add(x.add(s.mul(noise)).sub(x).div(s.square())).mul(s).square().sum(1).mean()')],
    ),
    ...answersTo(
      'score.langevin',
      ['a fraction', 'return eta < 2 * sigma ** 2 ? sigma ** 2 / (1 - eta / (2 * sigma ** 2)) : Infinity;'],
      ['by cases', 'const a = 1 - eta / (sigma * sigma); if (Math.abs(a) >= 1) return Infinity; return (2 * eta) / (1 - a * a);'],
      ['a series', 'const a = (1 - eta / sigma ** 2) ** 2; if (a >= 1) return Infinity; let v = 0; for (let i = 0; i < 200000; i++) v = a * v + 2 * eta; return v;'],
    ),
    ...answersTo(
      'score.reverse',
      ['in one line', STEP(DRIFT)],
      ['terms by themselves', 'return tf.addN([z, z.mul(-f * h), score.mul(g * g * h), noise.mul(g * h ** 0.5)]);'],
      ['with dt', 'const dt = -h; return z.add(z.mul(f).sub(score.mul(g ** 2)).mul(dt)).add(noise.mul(g * Math.sqrt(Math.abs(dt))));'],
    ),
    ...answersTo(
      'match.views',
      ['in turn', VIEWS('score.mul(r).neg()', 'z.sub(r.mul(noise)).div(c)')],
      ['by the score', VIEWS('r.mul(score).mul(-1)', 'z.add(r.square().mul(score)).div(c)')],
      ['velocity from z', VIEWS('score.mul(r).neg()', 'z.sub(r.mul(noise)).div(c)', 'z.sub(noise).div(c)')],
    ),
    ...answersTo(
      'match.paths',
      ['a choice', PATHS('m', 'ordered ? s : 0', 'ordered ? m * m + (s - 1) ** 2 : m * m + s * s + 1')],
      ['the covariance', 'const c = pairing === \'transport\' ? s : 0; return { mu: m, sigma: c, length: m ** 2 + s ** 2 + 1 - 2 * c };'],
      ['by cases', "if (pairing === 'independent') return { mu: m, sigma: 0, length: 1 + s * s + m * m }; return { mu: m, sigma: s, length: (1 - s) ** 2 + m * m };"],
    ),
    ...answersTo(
      'match.likelihood',
      ['a scalar’s gradient', LIKELIHOOD()],
      ['with dy', LIKELIHOOD({ stretch: 'tf.grad((at: tf.Tensor) => velocity(at, t))(z, e).mul(e).sum(1)' })],
      ['summed at the end', LIKELIHOOD({ sum: 'total.add(part)', end: 'base.sub(total.mul(1 / steps))' })],
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
    ),
  ],
}; // prettier-ignore
