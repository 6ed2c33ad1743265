import { answersTo, type TriedAnswers } from './answer';

const APART = (total: string, finish = '{ information: own.sub(q), mismatch: q.sub(logPrior) }', spread = 'logVar') => `
  const [N, L] = mu.shape as [number, number];
  const v = ${spread};
  const each = z.reshape([N, 1, L]).sub(mu).square().div(v.exp()).add(v).add(Math.log(2 * Math.PI)).mul(-0.5); // [N, N, L]
  const pairs = each.sum(2);
  const own = z.sub(mu).square().div(v.exp()).add(v).add(Math.log(2 * Math.PI)).mul(-0.5).sum(1);
  const q = ${total};
  return ${finish};`;
const TOTAL = 'tf.logSumExp(pairs, 1).sub(Math.log(N))';
const GAIN = (over: { share?: string; gain?: string; left?: string; log?: string } = {}) => `
  const log = ${over.log ?? 'Math.log'};
  const q = Array.from({ length: cells }, () => 0);
  const all = codes.flat().length;
  codes.forEach((c) => c.forEach((s) => { q[s] = q[s]! + ${over.share ?? '1 / c.length / codes.length'}; }));
  const h = q.reduce((s, p) => s - (p === 0 ? 0 : p * log(p)), 0);
  const inside = codes.reduce((s, c) => s + log(c.length), 0) / codes.length;
  return { gain: ${over.gain ?? 'log(cells) - h'}, left: ${over.left ?? 'h - inside'} };`;
const VAMP = (
  finish: string,
  pseudo = 'free.neg().exp().add(1).reciprocal().mul(range[1] - range[0]).add(range[0])',
  spread = 'h.slice([0, L], [-1, L])',
) => `
  const [B, L] = z.shape as [number, number];
  const K = free.shape[0]!;
  const h = encode(${pseudo});
  const mu = h.slice([0, 0], [-1, L]);
  const logVar = ${spread};
  const each = z.reshape([B, 1, L]).sub(mu).square().mul(logVar.neg().exp()).add(logVar).add(Math.log(2 * Math.PI)).div(-2); // [B, K, L]
  ${finish}`;
const VAMP_END = 'return tf.logSumExp(each.sum(2), 1).sub(Math.log(K));';
const TRIES = (inside: string) => `
  const a = logAccept.exp();
  const refused = 1 - Z.dataSync()[0]!;
  return logBase.add((${inside}).log());`;
const STEPS = (over: { move?: string; less?: string; split?: string; turn?: string; back?: string } = {}) => `
  const L = z.shape[1]!;
  let [x, q] = [z, logQ];
  for (const net of nets) {
    const h = net(x);
    ${over.split ?? 'const [m, s] = [h.slice([0, 0], [-1, L]), h.slice([0, L], [-1, L])];'}
    const sigma = s.neg().exp().add(1).reciprocal();
    x = ${over.move ?? 'm.add(sigma.mul(x.sub(m)))'};
    q = ${over.less ?? 'q.sub(sigma.log().sum(1))'};
    ${over.turn ?? 'x = tf.reverse(x, 1);'}
  }
  return { z: x, logQ: q };`;
const FLOW = (finish: string, order = 'layers') => `
  let x = z;
  const logDets: tf.Tensor[] = [];
  for (const layer of ${order}) { const step = layer(x); x = step.z; logDets.push(step.logDet); }
  const [B, L] = z.shape as [number, number];
  const total = logDets.reduce((sum, d) => sum.add(d), tf.zeros([B]) as tf.Tensor);
  const each = x.square().add(Math.log(2 * Math.PI)).div(-2);
  ${finish}`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'prior.apart',
      ['by hand', APART(TOTAL)],
      ['the package’s functions', 'const q = logMeanExp(logNormalComponents(z, mu, logVar), 1); return { mismatch: q.sub(logPrior), information: logNormal(z, mu, logVar).sub(q) };'],
      ['one is the rest of the other', APART(TOTAL, '{ information: own.sub(q), mismatch: own.sub(logPrior).sub(own.sub(q)) }')],
      ['posterior after posterior', 'const N = mu.shape[0]!; const rows = Array.from({ length: N }, (_, m) => logNormal(z, mu.slice([m, 0], [1, -1]), logVar.slice([m, 0], [1, -1]))); const q = tf.logSumExp(tf.stack(rows), 0).sub(Math.log(N)); return { information: logNormal(z, mu, logVar).sub(q), mismatch: q.sub(logPrior) };'],
      ['plain loops', 'const [M, V, Z, P] = [mu.arraySync() as number[][], logVar.arraySync() as number[][], z.arraySync() as number[][], logPrior.arraySync() as number[]]; const ln = (x: number[], m: number[], v: number[]) => x.reduce((s, e, l) => s - (Math.log(2 * Math.PI) + v[l]! + (e - m[l]!) ** 2 / Math.exp(v[l]!)) / 2, 0); const out = Z.map((x, n) => { const logs = M.map((m, k) => ln(x, m, V[k]!)); const top = Math.max(...logs); const q = top + Math.log(logs.reduce((s, v) => s + Math.exp(v - top), 0) / logs.length); return [logs[n]! - q, q - P[n]!] as const; }); return { information: tf.tensor1d(out.map(([a]) => a)), mismatch: tf.tensor1d(out.map(([, b]) => b)) };'],
    ),
    ...answersTo(
      'prior.gain',
      ['shares', GAIN()],
      ['two KLs', GAIN({ gain: 'codes.reduce((s, c) => s + log(cells / c.length), 0) / codes.length - (h - inside)' })],
      ['example by example', 'const q = (s: number) => codes.reduce((t, c) => t + (c.includes(s) ? 1 / c.length : 0), 0) / codes.length; let [gain, left] = [0, 0]; for (const c of codes) for (const s of c) { const w = 1 / (c.length * codes.length); gain += w * Math.log(q(s) * cells); left += w * Math.log(1 / c.length / q(s)); } return { gain, left };'],
    ),
    ...answersTo(
      'prior.vamp',
      ['by hand', VAMP(VAMP_END)],
      ['tanh for the sigmoid', VAMP(VAMP_END, 'free.div(2).tanh().add(1).mul((range[1] - range[0]) / 2).add(range[0])')],
      ['the package’s functions', 'const [a, b] = range; const h = tf.split(encode(free.sigmoid().mul(b).add(free.neg().sigmoid().mul(a))), 2, 1) as tf.Tensor[]; return logMeanExp(logNormalComponents(z, h[0]!, h[1]!), 1);'],
      ['z by z', 'const [low, high] = range; const [mu, logVar] = tf.split(encode(free.sigmoid().mul(high - low).add(low)), 2, 1) as [tf.Tensor, tf.Tensor]; return tf.stack(tf.unstack(z).map((row) => logMeanExp(logNormal(mu, row, logVar), 0)));'],
    ),
    ...answersTo(
      'prior.resampled',
      ['a loop over the tries', 'let sum: tf.Tensor = tf.zerosLike(logBase); let reached: tf.Tensor = tf.scalar(1); for (let t = 1; t < T; t++) { sum = sum.add(logAccept.exp().mul(reached)); reached = reached.mul(tf.sub(1, Z)); } return logBase.add(sum.add(reached).log());'],
      ['a mixture', TRIES('a.div(Z).mul(1 - refused ** (T - 1)).add(refused ** (T - 1))')],
      ['in logarithms', 'const p = Z.dataSync()[0]!; const f = (1 - p) ** (T - 1); const tried = logBase.add(logAccept).add(Math.log((1 - f) / p)); return tf.logSumExp(tf.stack([tried, logBase.add(Math.log(f))]), 0);'],
      ['densities', 'const pi = logBase.exp(); const f = (1 - Z.dataSync()[0]!) ** (T - 1); return pi.mul(logAccept.exp()).div(Z).mul(1 - f).add(pi.mul(f)).log();'],
    ),
    ...answersTo(
      'posterior.reflections',
      ['cases', 'return observed < latents ? observed : latents - 1;'],
      ['no more than one less', 'const rank = Math.min(latents, observed); return rank === latents ? rank - 1 : rank;'],
      ['a count', 'let n = 0; for (let l = 1; l < latents && l <= observed; l++) n++; return n;'],
    ),
    ...answersTo(
      'posterior.autoregressive',
      ['by hand', STEPS()],
      ['softplus', STEPS({ move: 'sigma.mul(x).add(m).sub(sigma.mul(m))', less: 'q.add(tf.softplus(s.neg()).sum(1))' })],
      ['gather for the order', STEPS({ turn: "x = tf.gather(x, tf.range(L - 1, -1, -1, 'int32'), 1);" })],
      ['by recursion', 'if (nets.length === 0) return { z, logQ }; const [m, s] = tf.split(nets[0]!(z), 2, 1) as [tf.Tensor, tf.Tensor]; const g = s.sigmoid(); return inverseAutoregressive(z.mul(g).add(m.mul(g.neg().add(1))).reverse(1), logQ.sub(g.log().sum(1)), nets.slice(1));'],
    ),
    ...answersTo(
      'prior.flow',
      ['sum, then add', FLOW('return each.sum(1).add(total);')],
      ['by recursion', 'if (layers.length === 0) return logNormal(z, tf.scalar(0), tf.scalar(0)); const step = layers[0]!(z); return logFlowPrior(step.z, layers.slice(1)).add(step.logDet);'],
      ['a share for each latent', FLOW('return each.add(total.div(L).expandDims(1)).sum(1);')],
      ['the package’s density', FLOW('return total.add(logNormal(x, tf.scalar(0), tf.scalar(0)));')],
    ),
  ],

  wrong: [
    ...answersTo(
      'prior.apart',
      ['averaged in logs', APART('pairs.mean(1)'), 'mean of their logarithms'],
      ['a sum', APART('tf.logSumExp(pairs, 1)'), 'ln N is to be taken off'],
      ['the wrong axis', APART('tf.logSumExp(pairs, 0).sub(Math.log(N))'), 'q(z_n | x_m) over m'],
      ['without its own', APART('tf.logSumExp(pairs.sub(tf.eye(N).mul(N > 1 ? 1e9 : 0)), 1).sub(Math.log(Math.max(1, N - 1)))'), 'belongs to the mixture'],
      ['per latent', APART('tf.logSumExp(each, 1).sub(Math.log(N)).sum(1)'), 'a product of mixtures'],
      ['deviations', APART(TOTAL, '{ information: logNormal(z, mu, logVar).sub(q), mismatch: q.sub(logPrior) }', 'logVar.mul(2)'), 'variance is its exponential'],
      ['exchanged', APART(TOTAL, '{ information: q.sub(logPrior), mismatch: own.sub(q) }')],
      ['the KL', APART(TOTAL, '{ information: own.sub(logPrior), mismatch: q.sub(logPrior) }')],
      ['negative', APART(TOTAL, '{ information: q.sub(own), mismatch: q.sub(logPrior) }')],
      ['a Gaussian for the mixture', APART('(() => { const c = mu.mean(0); const s = logVar.exp().add(mu.sub(c).square()).mean(0).log(); return logNormal(z, c, s); })()'), 'not the Gaussian of its mean'],
      ['a mean over the batch', APART(TOTAL, '{ information: tf.fill([N], own.sub(q).mean().dataSync()[0]!), mismatch: q.sub(logPrior) }')],
    ),
    ...answersTo(
      'prior.gain',
      ['all is gained', GAIN({ gain: 'log(cells) - inside' }), 'one for all'],
      ['ln N', GAIN({ left: 'log(codes.length)' }), 'ln N is the most'],
      ['ln of the different codes', GAIN({ left: 'log(new Set(codes.map(String)).size)' }), 'overlap'],
      ['even over what is used', GAIN({ gain: 'log(cells / new Set(codes.flat()).size)' }), 'not even'],
      ['bits', GAIN({ log: 'Math.log2' }), 'natural logarithms'],
      ['by size', GAIN({ share: '1 / all' })],
      ['nothing left', GAIN({ left: '0' })],
      ['exchanged', GAIN({ gain: 'h - inside', left: 'log(cells) - h' })],
      ['the entropy', GAIN({ left: 'h' }), 'noise within a code'],
    ),
    ...answersTo(
      'prior.vamp',
      ['free', VAMP(VAMP_END, 'free'), 'leave the range'],
      ['a sigmoid alone', VAMP(VAMP_END, 'tf.sigmoid(free)'), 'between low and high'],
      ['times high', VAMP(VAMP_END, 'tf.sigmoid(free).mul(range[1]).add(range[0])'), 'high − low wide'],
      ['cut off', VAMP(VAMP_END, 'free.clipByValue(range[0], range[1])'), 'feel no gradient'],
      ['per latent', VAMP('return tf.logSumExp(each, 1).sub(Math.log(K)).sum(1);'), 'sum over the coordinates first'],
      ['no ln K', VAMP('return tf.logSumExp(each.sum(2), 1);'), 'share 1 / K'],
      ['mean of logs', VAMP('return each.sum(2).mean(1);'), 'mean of their logarithms'],
      ['the likeliest', VAMP('return each.sum(2).max(1).sub(Math.log(K));'), 'likeliest component'],
      ['deviations', VAMP(VAMP_END, undefined, 'h.slice([0, L], [-1, L]).mul(2)'), '½ logVar'],
      ['halves', VAMP('const h2 = tf.concat([h.slice([0, L], [-1, L]), mu], 1); return logMeanExp(logNormalComponents(z, h2.slice([0, 0], [-1, L]), h2.slice([0, L], [-1, L])), 1);'), 'first the means'],
      ['the mean over the batch', VAMP('return tf.fill([B], tf.logSumExp(each.sum(2), 1).sub(Math.log(K)).mean().dataSync()[0]!);')],
    ),
    ...answersTo(
      'prior.resampled',
      ['no Z', TRIES('a'), 'its integral is Z'],
      ['for ever', TRIES('a.div(Z)'), 'the last proposal is taken'],
      ['one too many', TRIES('a.div(Z).mul(1 - refused ** T).add(refused ** T)'), 'after T − 1'],
      ['one too many in one part', TRIES('a.div(Z).mul(1 - refused ** T).add(refused ** (T - 1))'), 'after T − 1'],
      ['no last one', TRIES('a.div(Z).mul(1 - refused ** (T - 1))'), 'a share of the base'],
      ['its own refusals', TRIES('a.div(Z).mul(tf.sub(1, tf.sub(1, a).pow(T - 1))).add(tf.sub(1, a).pow(T - 1))'), 'whatever z comes last'],
      ['Z for 1 − Z', TRIES('a.div(Z).mul(tf.sub(1, Z.pow(T - 1))).add(Z.pow(T - 1))'), 'refused is 1 − Z'],
      ['no base', 'const f = (1 - Z.dataSync()[0]!) ** (T - 1); return logAccept.exp().div(Z).mul(1 - f).add(f).log();'],
      ['not a logarithm', 'const f = (1 - Z.dataSync()[0]!) ** (T - 1); return logAccept.exp().div(Z).mul(1 - f).add(f).log().add(logBase).exp();'],
    ),
    ...answersTo(
      'posterior.reflections',
      ['always L − 1', 'return latents - 1;'],
      ['as observed', 'return observed;'],
      ['the smaller one', 'return Math.min(latents, observed);'],
      ['angles', 'return (latents * (latents - 1)) / 2;'],
      ['rotations of two', 'return 2 * Math.min(observed, latents - 1);'],
      ['one less', 'return Math.max(0, Math.min(observed, latents) - 1);'],
    ),
    ...answersTo(
      'posterior.autoregressive',
      ['exchanged', STEPS({ split: 'const [s, m] = [h.slice([0, 0], [-1, L]), h.slice([0, L], [-1, L])];' }), 'm first'],
      ['exp', STEPS({ move: 's.exp().mul(x).add(m)' }), 'a gate mixes'],
      ['a shift without gate', STEPS({ move: 'sigma.mul(x).add(m)' }), 'comes in by 1 − σ'],
      ['gates the wrong way round', STEPS({ move: 'sigma.mul(m).add(tf.sub(1, sigma).mul(x))' }), 'not the other way round'],
      ['back', STEPS({ move: 'x.sub(tf.sub(1, sigma).mul(m)).div(sigma)' }), 'the way back'],
      ['added', STEPS({ less: 'q.add(sigma.log().sum(1))' }), 'subtracted'],
      ['L times', STEPS({ less: 'q.sub(sigma.log().sum(1).mul(L))' }), 'counted L times'],
      ['a mean', STEPS({ less: 'q.sub(sigma.log().mean(1))' }), 'not their mean'],
      ['the gates', STEPS({ less: 'q.sub(sigma.sum(1))' }), 'not the gates'],
      ['s itself', STEPS({ less: 'q.sub(s.sum(1))' }), 'not s itself'],
      ['not turned', STEPS({ turn: '' }), 'reversed after each step'],
      ['over the batch', STEPS({ less: 'q.sub(sigma.log().sum())' }), 'each example'],
      ['unchanged', STEPS({ less: 'q' }), 'changes with every step'],
    ),
    ...answersTo(
      'prior.flow',
      ['as given', FLOW('return each.add(total.expandDims(1)).sum(1);'), 'it counts L times'],
      ['subtracted', FLOW('return each.sum(1).sub(total);'), 'spreads'],
      ['none', FLOW('return each.sum(1);')],
      ['the last one', FLOW('return each.sum(1).add(logDets.at(-1) ?? 0);')],
      ['a mean', FLOW('return each.mean(1).add(total);'), 'not their mean'],
      ['a share twice', FLOW('return each.sum(1).add(total.div(L));'), 'no division'],
      ['backwards', FLOW('return each.sum(1).add(total);', '[...layers].reverse()')],
      ['the base at z', FLOW('return z.square().add(Math.log(2 * Math.PI)).div(-2).sum(1).add(total);'), 'where the last layer ends'],
      ['no constant', FLOW('return x.square().div(-2).sum(1).add(total);'), 'constant'],
    ),
  ],
}; // prettier-ignore
