import { answersTo, type TriedAnswers } from './answer';

const RESIDUAL = (finish: string, variance = 'logVar.exp()') => `
  const v = ${variance};
  const f = logScale.exp();
  const term = (s: tf.Tensor, k: tf.Tensor, l: tf.Tensor) => s.add(k).sub(l).sub(1).mul(0.5);
  ${finish}`;
const TERMS = (
  over: Partial<
    Record<
      'at' | 'mu' | 'logVar' | 'top' | 'low' | 'deviation' | 'noise' | 'kl' | 'latents' | 'logProb' | 'first',
      string
    >
  > = {},
) => `
  const code = encode(x);
  const standard = (like: tf.Tensor, label: string) => ${over.noise ?? 'rng.fork(label).normal(like.shape)'};
  ${over.first ?? ''}
  const z1 = standard(code.mu, 'a').mul(code.logVar.mul(0.5).exp()).add(code.mu);
  const p = prior(${over.at ?? 'z1'});
  const [mu, logVar] = [${over.mu ?? 'p.mu.add(code.shift)'}, ${over.logVar ?? 'p.logVar.add(code.logScale)'}];
  const z2 = standard(mu, 'b').mul(${over.deviation ?? 'logVar.mul(0.5).exp()'}).add(mu);
  const kl = (m: tf.Tensor, v: tf.Tensor, m0: tf.Tensor, v0: tf.Tensor) =>
    m.sub(m0).square().add(v.exp()).div(v0.exp()).sub(1).sub(v).add(v0).sum(1).div(2);
  const zero = tf.scalar(0);
  const top = ${over.top ?? 'kl(code.mu, code.logVar, zero, zero)'};
  const low = ${over.low ?? 'kl(mu, logVar, p.mu, p.logVar)'};
  const logits = decode(${over.latents ?? 'z1, z2'});
  const hot = tf.oneHot(x.toInt() as tf.Tensor2D, logits.shape[2]!).toFloat();
  return { reconstruction: ${over.logProb ?? 'hot.mul(tf.logSoftmax(logits)).sum([1, 2])'}, kl: ${over.kl ?? 'tf.stack([top, low], 1)'} };`;
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
const LADDER = (kl: string, mean = 'muP.add(muE.sub(muP).mul(pe.div(both)))', spread = 'both.log().neg()') => `
  const [pe, pp] = [tf.exp(tf.neg(logVarE)), tf.exp(tf.neg(logVarP))];
  const both = pe.add(pp);
  const mu = ${mean};
  const logVar = ${spread};
  const from = (m: tf.Tensor, v: tf.Tensor, m0: tf.Tensor, v0: tf.Tensor) =>
    m.sub(m0).square().add(v.exp()).div(v0.exp()).sub(1).sub(v).add(v0).div(2);
  return { mu, logVar, kl: ${kl} };`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'hierarchy.residualKl',
      ['in one line', RESIDUAL('return term(shift.square().div(v), f, logScale).sum(1);')],
      ['expm1', 'return tf.expm1(logScale).sub(logScale).add(shift.mul(logVar.div(-2).exp()).square()).sum(1).mul(0.5);'],
      ['both Gaussians in full', 'return klNormal(shift, logVar.add(logScale), tf.zerosLike(shift), logVar);'],
      ['plain loops', 'const [s, f, v] = [shift, logScale, logVar].map((t) => t.arraySync() as number[][]); return tf.tensor1d(s!.map((row, n) => row.reduce((k, d, l) => k + (d * d / Math.exp(v![n]![l]!) + Math.exp(f![n]![l]!) - 1 - f![n]![l]!) / 2, 0)));'],
      ['less than a check can see', RESIDUAL('return term(shift.square().div(v), f, logScale).sum(1).add(5e-5);')],
      ['by the deviations', RESIDUAL('const d = shift.div(v.sqrt()); return term(d.square(), f, f.log()).sum([1]);')],
      ['as two Gaussians', 'const v = logVar.add(logScale); return klNormal(shift.div(logVar.div(2).exp()), v.sub(logVar));'],
    ),
    ...answersTo(
      'hierarchy.terms',
      ['another way', TERMS()],
      ['one stream of noise', TERMS({ noise: 'rng.normal(like.shape)' })],
      ['all noise at once', TERMS({ first: 'const L1 = code.mu.shape[1]!; const all = rng.normal([x.shape[0]!, L1 + code.shift.shape[1]!]);', noise: "label === 'a' ? all.slice([0, 0], [-1, L1]) : all.slice([0, L1], [-1, -1])" })],
      ['the deviation by parts', TERMS({ deviation: 'p.logVar.mul(0.5).exp().mul(code.logScale.mul(0.5).exp())' })],
      ['less a log-sum-exp', TERMS({ logProb: 'hot.mul(logits).sum([1, 2]).sub(tf.logSumExp(logits, 2).sum(1))' })],
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
      ['float32', "const t = (v: number) => tf.scalar(v); const varX = t(w).square().add(t(sigma).square()); const all = varX.div(t(sigma).square()).log().div(2); const top = order === 'top-down' ? varX.div(varX.sub(t(a * w).square())).log().div(2) : tf.sub(1, t(a).square()).log().div(-2); return { top: top.dataSync()[0]!, low: all.sub(top).dataSync()[0]! };"],
      ['entropies', "const H = (v: number) => 0.5 * Math.log(2 * Math.PI * Math.E * v); const x = w * w + sigma ** 2; const all = H(x) - H(sigma ** 2); const top = order === 'top-down' ? H(x) - H(x - (a * w) ** 2) : H(1) - H(1 - a * a); return { top, low: all - top };"],
      ['mean KLs', "const x = w * w + sigma ** 2; const v = order === 'top-down' ? 1 - (a * w) ** 2 / x : 1 - a * a; const top = 0.5 * (1 - v + v - 1 - Math.log(v)); return { top, low: 0.5 * Math.log(x / sigma ** 2) - top };"],
      ['by determinants', "const s = sigma ** 2; const all = Math.log1p(w ** 2 / s) / 2; const shared = order === 'bottom-up' ? 1 : (w ** 2) / (w ** 2 + s); const top = Math.log1p((a ** 2 * shared) / (1 - a ** 2 * shared)) / 2; return { top, low: all - top };"],
      ['the level below by itself', NATS("order === 'top-down' ? down : up", "order === 'top-down' ? 0.5 * Math.log(1 + (1 - a * a) * (w / sigma) ** 2) : all - up")],
    ),
    ...answersTo(
      'hierarchy.price',
      ['one by one', 'let price: tf.Tensor = tf.scalar(0); for (const level of kl) price = price.add(tf.maximum(level.sum().div(level.shape[0]!), free)); return price;'],
      ['by a reduction', 'return kl.reduce((price: tf.Tensor, level) => price.add(tf.where(level.sum(1).mean().greater(free), level.sum(1).mean(), tf.scalar(free))), tf.scalar(0));'],
      ['what is above', 'return tf.stack(kl.map((level) => tf.relu(tf.sub(level.mean(0).sum(), free)))).sum();'],
      ['a clip', 'return tf.addN(kl.map((level) => level.sum(1).mean().clipByValue(free, 1e9)));'],
      ['by the distance', 'return tf.addN(kl.map((level) => { const k = level.sum(1).mean(); return k.add(free).add(k.sub(free).abs()).div(2); }));'],
      ['nothing below, all above', 'return tf.addN(kl.map((level) => { const k = level.sum(1).mean(); return k.mul(k.greaterEqual(free).toFloat()); }));'],
    ),
    ...answersTo(
      'hierarchy.sharing',
      ['by cases', SHARE('enough ? free : Math.max(0, rest)', 'enough ? rest : Math.min(free, total)', 'enough ? 0 : levels * free - total')],
      ['by what lacks', 'const lack = Math.max(0, levels * free - total); const least = Math.max(0, free - lack); return { least, most: lack > 0 ? Math.min(total, free) : total - (levels - 1) * least, extra: lack };'],
      ['by extremes', SHARE('Math.min(free, Math.max(0, rest))', 'Math.max(rest, Math.min(free, total))', 'Math.max(0, levels * free - total)')],
      ['a search', 'const best = Math.max(total, levels * free); const ok = (h: number) => Math.max(h, free) + Math.max(total - h, free * (levels - 1)) <= best + 1e-9; const good = [0, free, total, total - free * (levels - 1), ...Array.from({ length: 1001 }, (_, i) => (total * i) / 1000)].filter((h) => h >= 0 && h <= total && ok(h)); return { least: Math.min(...good), most: Math.max(...good), extra: best - total };'],
      ['strictly enough', 'return total > levels * free ? { least: free, most: total - levels * free + free, extra: 0 } : { extra: levels * free - total, least: Math.max(total - levels * free + free, 0), most: Math.min(total, free) };'],
      ['by the larger sum', SHARE('Math.min(free, Math.max(0, rest))', 'Math.max(rest, Math.min(free, total))', 'Math.max(total, levels * free) - total')],
    ),
    ...answersTo(
      'hierarchy.ladder',
      ['with precisions', LADDER('from(mu, logVar, muP, logVarP).sum(1)')],
      ['a gain', LADDER('klNormal(mu, logVar, muP, logVarP)', 'muP.add(muE.sub(muP).mul(logVarP.exp().div(logVarP.exp().add(logVarE.exp()))))', 'logVarP.add(logVarE).sub(logVarE.exp().add(logVarP.exp()).log())')],
      ['a log-sum-exp', LADDER('klNormal(mu, logVar, muP, logVarP)', undefined, 'tf.logSumExp(tf.stack([logVarE.neg(), logVarP.neg()]), 0).neg()')],
      ['a sigmoid', 'const share = logVarP.sub(logVarE).sigmoid(); const logScale = tf.logSigmoid(logVarE.sub(logVarP)); const mu = muE.mul(share).add(muP.mul(tf.sub(1, share))); return { mu, logVar: logVarP.add(logScale), kl: residualKl(mu.sub(muP), logScale, logVarP) };'],
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
      ['times the variance', RESIDUAL('return term(shift.square().mul(v), f, logScale).sum(1);')],
      ['the sign of logScale', RESIDUAL('return shift.square().div(v).add(f).add(logScale).sub(1).sum(1).mul(0.5);'), 'sign of logScale'],
      ['no logarithm', RESIDUAL('return shift.square().div(v).add(f).sub(1).sum(1).mul(0.5);'), 'logarithm of the factor'],
      ['one −1 for all latents', RESIDUAL('return shift.square().div(v).add(f).sub(logScale).sum(1).sub(1).mul(0.5);'), 'belongs to each latent'],
      ['by the posterior’s variance', RESIDUAL('return term(shift.square().div(v.mul(f)), f, logScale).sum(1);')],
      ['from N(0, I)', 'return klNormal(shift, logVar.add(logScale));'],
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
      ['one draw for all latents of a level', TERMS({ noise: 'rng.fork(label).normal([like.shape[0]!, 1])' }), 'every latent draws noise'],
      ['noise of its own', TERMS({ noise: 'tf.randomNormal(like.shape)' }), 'from rng'],
      ['always the same noise', TERMS({ noise: 'createRng(label).normal(like.shape)' }), 'from rng'],
      ['KLs by the draw', TERMS({ top: 'logNormal(z1, code.mu, code.logVar).sub(logNormal(z1, zero, zero))', low: 'logNormal(z2, mu, logVar).sub(logNormal(z2, p.mu, p.logVar))' }), 'closed form'],
      ['no softmax', TERMS({ logProb: 'hot.mul(logits).sum([1, 2])' }), 'normalise them'],
      ['two softmaxes', TERMS({ logProb: 'logCategorical(x, tf.softmax(logits))' }), 'not through two'],
      ['probabilities', TERMS({ logProb: 'hot.mul(tf.softmax(logits)).sum([1, 2])' }), 'logarithms of the probabilities'],
      ['a mean over pixels', TERMS({ logProb: 'hot.mul(tf.logSoftmax(logits)).sum(2).mean(1)' }), 'not their mean'],
      ['negative', TERMS({ logProb: 'hot.mul(tf.logSoftmax(logits)).sum([1, 2]).neg()' }), 'not its negative'],
      ['decoded the wrong way round', TERMS({ latents: 'z2, z1' })],
      ['decoded from the means', TERMS({ latents: 'code.mu, mu' })],
      ['its KL at the mean', TERMS({ low: 'residualKl(code.shift, code.logScale, prior(code.mu).logVar)' }), 'that was drawn'],
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
      ['a magnitude', NATS("order === 'top-down' ? down : up", 'Math.abs(all - top)'), 'below 0'],
      ['the orders exchanged', NATS("order === 'top-down' ? up : down")],
      ['bits', NATS("order === 'top-down' ? down : up").replaceAll('Math.log', 'Math.log2'), 'natural logarithms'],
      ['no half', NATS("order === 'top-down' ? down : up").replaceAll('0.5', '1'), 'factor ½'],
      ['nothing below', NATS("order === 'top-down' ? down : up", '0'), 'add up to what x tells'],
      ['off by 1e-4', NATS("(order === 'top-down' ? down : up) + 1e-4")],
      ['always up', NATS('up')],
      ['all below', NATS("order === 'top-down' ? down : up", 'all')],
      ['never below 0', NATS("order === 'top-down' ? down : up", 'Math.max(0, all - top)'), 'below 0'],
      ['a half', NATS('all / 2')],
      ['nothing', 'return { top: 0, low: 0 };'],
    ),
    ...answersTo(
      'hierarchy.price',
      ['the whole', 'return tf.addN(kl.map((level) => level.sum(1).mean())).maximum(free);'],
      ['the whole, by as many', 'return tf.addN(kl.map((level) => level.sum(1).mean())).maximum(free * kl.length);', 'each level has its own'],
      ['so much for a coordinate', 'return tf.addN(kl.map((level) => level.sum(1).mean().maximum(free * level.shape[1]!)));', 'each coordinate has it'],
      ['the first alone', 'return kl[0]!.sum(1).mean().maximum(free);', 'the lowest one, too'],
      ['a mean over the levels', 'return tf.stack(kl.map((level) => level.sum(1).mean().maximum(free))).mean();', 'a sum over the levels'],
      ['the largest', 'return tf.stack(kl.map((level) => level.sum(1).mean().maximum(free))).max();'],
      ['a soft clamp', 'return tf.addN(kl.map((level) => level.sum(1).mean().sub(free).softplus()));'],
      ['up to what is free', 'return tf.addN(kl.map((level) => level.sum(1).mean().sub(free).abs()));', 'no pull at all'],
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
      ['exchanged', SHARE('Math.max(rest, Math.min(free, total))', 'Math.min(free, Math.max(0, rest))', 'Math.max(0, levels * free - total)'), 'exchanged'],
      ['the price itself', SHARE('Math.min(free, Math.max(0, rest))', 'Math.max(rest, Math.min(free, total))', 'Math.max(total, levels * free)'), 'still counted'],
      ['below the KL', SHARE('Math.min(free, Math.max(0, rest))', 'Math.max(rest, Math.min(free, total))', 'levels * free - total'), 'never below'],
      ['as if there were two levels', 'const rest = total - free; return rest >= free ? { least: free, most: rest, extra: 0 } : { least: Math.max(0, rest), most: Math.min(free, total), extra: 2 * free - total };'],
      ['no floor', SHARE('Math.min(free, rest)', 'Math.max(rest, Math.min(free, total))', 'Math.max(0, levels * free - total)'), 'less than nothing'],
      ['off by 1e-4', SHARE('Math.min(free, Math.max(0, rest)) + 1e-4', 'Math.max(rest, Math.min(free, total))', 'Math.max(0, levels * free - total)')],
      ['no extra', SHARE('Math.min(free, Math.max(0, rest))', 'Math.max(rest, Math.min(free, total))', '0')],
      ['anything goes', SHARE('0', 'total', 'Math.max(0, levels * free - total)')],
      ['all is free', SHARE('Math.min(free, Math.max(0, rest))', 'Math.max(rest, Math.min(free, total))', 'levels * free')],
      ['always enough', SHARE('free', 'rest', '0')],
      ['a corner forgotten', SHARE('enough ? free : rest', 'enough ? rest : free', 'enough ? 0 : levels * free - total')],
    ),
    ...answersTo(
      'hierarchy.ladder',
      ['as given', LADDER('from(mu, logVar, muE, logVarE).sum(1)'), 'from the prior'],
      ['half of it mended', LADDER('from(mu, logVar, muP, logVarE).sum(1)'), 'variance still the encoder’s'],
      ['the other half', LADDER('from(mu, logVar, muE, logVarP).sum(1)'), 'mean still the encoder’s'],
      ['no half', LADDER('from(mu, logVar, muP, logVarP).sum(1).mul(2)'), 'factor ½'],
      ['weights by variances', LADDER('from(mu, logVar, muP, logVarP).sum(1)', 'muE.mul(logVarE.exp()).add(muP.mul(logVarP.exp())).div(logVarE.exp().add(logVarP.exp()))'), 'surer counts more'],
      ['the precision', LADDER('from(mu, logVar, muP, logVarP).sum(1)', undefined, 'both.log()'), 'is its inverse'],
      ['both prices', LADDER('from(mu, logVar, muP, logVarP).sum(1).add(from(mu, logVar, muE, logVarE).sum(1))')],
      ['of the encoder', LADDER('from(muE, logVarE, muP, logVarP).sum(1)'), 'encoder says alone'],
      ['reversed', LADDER('from(muP, logVarP, mu, logVar).sum(1)'), 'from the posterior to the prior'],
      ['a mean', LADDER('from(mu, logVar, muP, logVarP).mean(1)')],
      ['one number an entry', LADDER('from(mu, logVar, muP, logVarP)')],
      ['from N(0, I)', LADDER('from(mu, logVar, tf.scalar(0), tf.scalar(0)).sum(1)'), 'not N(0, I)'],
    ),
  ],
}; // prettier-ignore
