import { answersTo, type TriedAnswers } from './answer';

const RESIDUAL = (finish: string, variance = 'logVar.exp()') => `
  const v = ${variance};
  const f = logScale.exp();
  const term = (s: tf.Tensor, k: tf.Tensor, l: tf.Tensor) => s.add(k).sub(l).sub(1).mul(0.5);
  ${finish}`;
const TERMS = (
  over: Partial<Record<'at' | 'mu' | 'logVar' | 'top' | 'low' | 'deviation' | 'noise' | 'kl', string>> = {},
) => `
  const code = encode(x);
  const standard = (like: tf.Tensor, label: string) => ${over.noise ?? 'rng.fork(label).normal(like.shape)'};
  const z1 = standard(code.mu, 'a').mul(code.logVar.mul(0.5).exp()).add(code.mu);
  const p = prior(${over.at ?? 'z1'});
  const [mu, logVar] = [${over.mu ?? 'p.mu.add(code.shift)'}, ${over.logVar ?? 'p.logVar.add(code.logScale)'}];
  const z2 = standard(mu, 'b').mul(${over.deviation ?? 'logVar.mul(0.5).exp()'}).add(mu);
  const kl = (m: tf.Tensor, v: tf.Tensor, m0: tf.Tensor, v0: tf.Tensor) =>
    m.sub(m0).square().add(v.exp()).div(v0.exp()).sub(1).sub(v).add(v0).sum(1).div(2);
  const zero = tf.scalar(0);
  const top = ${over.top ?? 'kl(code.mu, code.logVar, zero, zero)'};
  const low = ${over.low ?? 'kl(mu, logVar, p.mu, p.logVar)'};
  const logits = decode(z1, z2);
  const hot = tf.oneHot(x.toInt() as tf.Tensor2D, logits.shape[2]!).toFloat();
  return { reconstruction: hot.mul(tf.logSoftmax(logits)).sum([1, 2]), kl: ${over.kl ?? 'tf.stack([top, low], 1)'} };`;
const NATS = (top: string, low = 'all - top') => `
  const all = 0.5 * Math.log(1 + (w / sigma) ** 2);
  const down = -0.5 * Math.log(1 - (a * w) ** 2 / (w * w + sigma * sigma));
  const up = -0.5 * Math.log(1 - a * a);
  const top = ${top};
  return { top, low: ${low} };`;
const SHARE = (least: string, most: string, extra: string) => `
  const rest = total - free * (levels - 1);
  const enough = rest >= free;
  return { least: ${least}, most: ${most}, extra: ${extra} };`;
const LADDER = (kl: string) => `
  const [pe, pp] = [tf.exp(tf.neg(logVarE)), tf.exp(tf.neg(logVarP))];
  const both = pe.add(pp);
  const mu = muP.add(muE.sub(muP).mul(pe.div(both)));
  const logVar = both.log().neg();
  const from = (m: tf.Tensor, v: tf.Tensor, m0: tf.Tensor, v0: tf.Tensor) =>
    m.sub(m0).square().add(v.exp()).div(v0.exp()).sub(1).sub(v).add(v0).div(2);
  return { mu, logVar, kl: ${kl} };`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'hierarchy.residualKl',
      ['in one line', RESIDUAL('return term(shift.square().div(v), f, logScale).sum(1);')],
      ['by the deviations', RESIDUAL('const d = shift.div(v.sqrt()); return term(d.square(), f, f.log()).sum([1]);')],
      ['as two Gaussians', 'const v = logVar.add(logScale); return klNormal(shift.div(logVar.div(2).exp()), v.sub(logVar));'],
    ),
    ...answersTo(
      'hierarchy.terms',
      ['another way', TERMS()],
      ['with the package', `
  const { mu, logVar, shift, logScale } = encode(x);
  const z1 = mu.add(rng.fork('1').normal(mu.shape).mul(tf.exp(tf.div(logVar, 2))));
  const p = prior(z1);
  const spread = tf.exp(tf.div(tf.add(p.logVar, logScale), 2));
  const z2 = tf.addN([p.mu, shift, rng.fork('2').normal(shift.shape).mul(spread)]);
  return { reconstruction: logCategorical(x, decode(z1, z2)), kl: tf.concat([klNormal(mu, logVar), residualKl(shift, logScale, p.logVar)].map((k) => k.expandDims(1)), 1) };`],
      ['the level below first in the noise', TERMS({ noise: "rng.fork(label === 'a' ? 'second' : 'first').normal(like.shape)", low: 'residualKl(code.shift, code.logScale, p.logVar)' })],
    ),
    ...answersTo(
      'hierarchy.levelNats',
      ['by correlations', NATS("order === 'top-down' ? down : up")],
      ['by determinants', "const s = sigma ** 2; const all = Math.log1p(w ** 2 / s) / 2; const shared = order === 'bottom-up' ? 1 : (w ** 2) / (w ** 2 + s); const top = Math.log1p((a ** 2 * shared) / (1 - a ** 2 * shared)) / 2; return { top, low: all - top };"],
      ['the level below by itself', NATS("order === 'top-down' ? down : up", "order === 'top-down' ? 0.5 * Math.log(1 + (1 - a * a) * (w / sigma) ** 2) : all - up")],
    ),
    ...answersTo(
      'hierarchy.price',
      ['one by one', 'let price: tf.Tensor = tf.scalar(0); for (const level of kl) price = price.add(tf.maximum(level.sum().div(level.shape[0]!), free)); return price;'],
      ['by a reduction', 'return kl.reduce((price: tf.Tensor, level) => price.add(tf.where(level.sum(1).mean().greater(free), level.sum(1).mean(), tf.scalar(free))), tf.scalar(0));'],
      ['what is above', 'return tf.stack(kl.map((level) => tf.relu(tf.sub(level.mean(0).sum(), free)))).sum();'],
    ),
    ...answersTo(
      'hierarchy.sharing',
      ['by cases', SHARE('enough ? free : Math.max(0, rest)', 'enough ? rest : Math.min(free, total)', 'enough ? 0 : levels * free - total')],
      ['by what lacks', 'const lack = Math.max(0, levels * free - total); const least = Math.max(0, free - lack); return { least, most: lack > 0 ? Math.min(total, free) : total - (levels - 1) * least, extra: lack };'],
      ['by extremes', SHARE('Math.min(free, Math.max(0, rest))', 'Math.max(rest, Math.min(free, total))', 'Math.max(0, levels * free - total)')],
    ),
    ...answersTo(
      'hierarchy.ladder',
      ['with precisions', LADDER('from(mu, logVar, muP, logVarP).sum(1)')],
      ['as a residual', LADDER('residualKl(mu.sub(muP), logVar.sub(logVarP), logVarP)')],
      ['with variances', `
  const [e, p] = [logVarE.exp(), logVarP.exp()];
  const v = e.mul(p).div(e.add(p));
  const mu = muE.mul(p).add(muP.mul(e)).div(e.add(p));
  return { mu, logVar: v.log(), kl: klNormal(mu.sub(muP).div(p.sqrt()), v.div(p).log()) };`],
    ),
  ],
  wrong: [
    ...answersTo(
      'hierarchy.residualKl',
      ['no scale', RESIDUAL('return term(shift.square(), f, logScale).sum(1);'), 'scale is missing'],
      ['the deviation', RESIDUAL('return term(shift.square().div(v.sqrt()), f, logScale).sum(1);')],
      ['squared twice', RESIDUAL('return term(shift.square().div(v.square()), f, logScale).sum(1);')],
      ['absolute', RESIDUAL('return term(shift.square().div(v), f.div(v), logScale.sub(logVar)).sum(1);')],
      ['reversed', RESIDUAL('return term(shift.square().div(v.mul(f)), f.pow(-1), logScale.neg()).sum(1);'), 'from the posterior to the prior'],
      ['a mean', RESIDUAL('return term(shift.square().div(v), f, logScale).mean(1);')],
      ['no half', RESIDUAL('return term(shift.square().div(v), f, logScale).sum(1).mul(2);'), 'factor ½'],
      ['negative', RESIDUAL('return term(shift.square().div(v), f, logScale).sum(1).neg();'), 'at least 0'],
      ['zeros', 'return tf.zeros([shift.shape[0]!]);'],
    ),
    ...answersTo(
      'hierarchy.terms',
      ['at the mean', TERMS({ at: 'code.mu' }), 'that was drawn'],
      ['another z', TERMS({ at: "standard(code.mu, 'c').mul(code.logVar.mul(0.5).exp()).add(code.mu)" })],
      ['a prior draw', TERMS({ at: "standard(code.mu, 'c')" })],
      ['shift alone', TERMS({ mu: 'code.shift' })],
      ['its scale alone', TERMS({ logVar: 'code.logScale' })],
      ['from N(0, I)', TERMS({ low: 'kl(mu, logVar, zero, zero)' }), 'not N(0, I)'],
      ['no scale', TERMS({ low: 'kl(code.shift, code.logScale, zero, zero)' }), 'scale is missing'],
      ['no top', TERMS({ top: 'tf.zeros([x.shape[0]!])' }), 'left out'],
      ['the variance', TERMS({ deviation: 'logVar.exp()' })],
      ['the same noise', TERMS({ noise: "rng.fork('x').normal(like.shape)" }), 'noise of its own'],
      ['noise of one example', TERMS({ noise: 'tf.tile(rng.fork(label).normal([1, like.shape[1]!]), [like.shape[0]!, 1])' })],
      ['the columns', TERMS({ kl: 'tf.stack([low, top], 1)' }), 'first the top'],
      ['a sum', TERMS({ kl: 'top.add(low)' }), 'an example and a level'],
    ),
    ...answersTo(
      'hierarchy.levelNats',
      ['always down', NATS('down')],
      ['always up', NATS('up')],
      ['all below', NATS("order === 'top-down' ? down : up", 'all')],
      ['never below 0', NATS("order === 'top-down' ? down : up", 'Math.max(0, all - top)'), 'below 0'],
      ['a half', NATS('all / 2')],
      ['nothing', 'return { top: 0, low: 0 };'],
    ),
    ...answersTo(
      'hierarchy.price',
      ['the whole', 'return tf.addN(kl.map((level) => level.sum(1).mean())).maximum(free);'],
      ['coordinates', 'return tf.addN(kl.map((level) => level.mean(0).maximum(free).sum()));'],
      ['examples', 'return tf.addN(kl.map((level) => level.sum(1).maximum(free).mean()));'],
      ['from above', 'return tf.addN(kl.map((level) => level.sum(1).mean().minimum(free)));'],
      ['nothing free', 'return tf.addN(kl.map((level) => level.sum(1).mean()));', 'nothing is free'],
      ['means', 'return tf.addN(kl.map((level) => level.mean().maximum(free)));'],
      ['without the top', 'return tf.addN(kl.slice(1).map((level) => level.sum(1).mean().maximum(free)).concat([tf.scalar(0)]));'],
      ['a constant', 'return tf.scalar(free);'],
      ['a vector', 'return tf.stack(kl.map((level) => level.sum(1).mean().maximum(free)));', 'scalar'],
    ),
    ...answersTo(
      'hierarchy.sharing',
      ['even', SHARE('total / levels', 'total / levels', 'Math.max(0, levels * free - total)')],
      ['no extra', SHARE('Math.min(free, Math.max(0, rest))', 'Math.max(rest, Math.min(free, total))', '0')],
      ['anything goes', SHARE('0', 'total', 'Math.max(0, levels * free - total)')],
      ['all is free', SHARE('Math.min(free, Math.max(0, rest))', 'Math.max(rest, Math.min(free, total))', 'levels * free')],
      ['always enough', SHARE('free', 'rest', '0')],
      ['a corner forgotten', SHARE('enough ? free : rest', 'enough ? rest : free', 'enough ? 0 : levels * free - total')],
    ),
    ...answersTo(
      'hierarchy.ladder',
      ['as given', LADDER('from(mu, logVar, muE, logVarE).sum(1)'), 'from the prior'],
      ['of the encoder', LADDER('from(muE, logVarE, muP, logVarP).sum(1)'), 'encoder says alone'],
      ['reversed', LADDER('from(muP, logVarP, mu, logVar).sum(1)'), 'from the posterior to the prior'],
      ['a mean', LADDER('from(mu, logVar, muP, logVarP).mean(1)')],
      ['one number an entry', LADDER('from(mu, logVar, muP, logVarP)')],
      ['from N(0, I)', LADDER('from(mu, logVar, tf.scalar(0), tf.scalar(0)).sum(1)'), 'not N(0, I)'],
    ),
  ],
}; // prettier-ignore
