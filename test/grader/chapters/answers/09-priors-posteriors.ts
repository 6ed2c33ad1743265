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
const GAIN = (over: { share?: string; inside?: string; gain?: string; left?: string; log?: string } = {}) => `
  const log = ${over.log ?? 'Math.log'};
  const q = Array.from({ length: cells }, () => 0);
  const all = codes.flat().length;
  codes.forEach((c) => c.forEach((s) => { q[s] = q[s]! + ${over.share ?? '1 / c.length / codes.length'}; }));
  const h = q.reduce((s, p) => s - (p === 0 ? 0 : p * log(p)), 0);
  const inside = ${over.inside ?? 'codes.reduce((s, c) => s + log(c.length), 0) / codes.length'};
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
const STEPS = (over: { move?: string; less?: string; split?: string; turn?: string; gate?: string } = {}) => `
  const L = z.shape[1]!;
  let [x, q] = [z, logQ];
  for (const net of nets) {
    const h = net(x);
    ${over.split ?? 'const [m, s] = [h.slice([0, 0], [-1, L]), h.slice([0, L], [-1, L])];'}
    const sigma = ${over.gate ?? 's.neg().exp().add(1).reciprocal()'};
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
      ['by exp and log', APART('pairs.exp().mean(1).log()')],
      ['a softmax', APART(TOTAL, '{ information: tf.logSoftmax(pairs, 1).mul(tf.eye(N)).sum(1).add(Math.log(N)), mismatch: q.sub(logPrior) }')],
      ['the largest taken out', APART('pairs.sub(pairs.max(1, true)).exp().mean(1).log().add(pairs.max(1))')],
      ['less than a check can see', APART(TOTAL, '{ information: own.sub(q).add(2e-4), mismatch: q.sub(logPrior) }')],
      ['posterior after posterior', 'const N = mu.shape[0]!; const rows = Array.from({ length: N }, (_, m) => logNormal(z, mu.slice([m, 0], [1, -1]), logVar.slice([m, 0], [1, -1]))); const q = tf.logSumExp(tf.stack(rows), 0).sub(Math.log(N)); return { information: logNormal(z, mu, logVar).sub(q), mismatch: q.sub(logPrior) };'],
      ['plain loops', 'const [M, V, Z, P] = [mu.arraySync() as number[][], logVar.arraySync() as number[][], z.arraySync() as number[][], logPrior.arraySync() as number[]]; const ln = (x: number[], m: number[], v: number[]) => x.reduce((s, e, l) => s - (Math.log(2 * Math.PI) + v[l]! + (e - m[l]!) ** 2 / Math.exp(v[l]!)) / 2, 0); const out = Z.map((x, n) => { const logs = M.map((m, k) => ln(x, m, V[k]!)); const top = Math.max(...logs); const q = top + Math.log(logs.reduce((s, v) => s + Math.exp(v - top), 0) / logs.length); return [logs[n]! - q, q - P[n]!] as const; }); return { information: tf.tensor1d(out.map(([a]) => a)), mismatch: tf.tensor1d(out.map(([, b]) => b)) };'],
    ),
    ...answersTo(
      'prior.gain',
      ['shares', GAIN()],
      ['two KLs', GAIN({ gain: 'codes.reduce((s, c) => s + log(cells / c.length), 0) / codes.length - (h - inside)' })],
      ['float32', 'const rows = tf.tensor2d(codes.map((c) => Array.from({ length: cells }, (_, s) => (c.includes(s) ? 1 / c.length : 0)))); const q = rows.mean(0); const entropy = (t: tf.Tensor) => t.mul(t.maximum(1e-30).log()).neg().sum(-1); return { gain: tf.scalar(cells).log().sub(entropy(q)).dataSync()[0]!, left: entropy(q).sub(entropy(rows).mean()).dataSync()[0]! };'],
      ['a map', 'const m = new Map<number, number>(); for (const c of codes) for (const s of c) m.set(s, (m.get(s) ?? 0) + 1 / (c.length * codes.length)); let [gain, left] = [0, 0]; for (const p of m.values()) { gain += p * Math.log(p * cells); left -= p * Math.log(p); } for (const c of codes) left -= Math.log(c.length) / codes.length; return { gain, left };'],
      ['log2 and back', GAIN({ log: '((v: number) => Math.log2(v) * Math.LN2)' })],
      ['example by example', 'const q = (s: number) => codes.reduce((t, c) => t + (c.includes(s) ? 1 / c.length : 0), 0) / codes.length; let [gain, left] = [0, 0]; for (const c of codes) for (const s of c) { const w = 1 / (c.length * codes.length); gain += w * Math.log(q(s) * cells); left += w * Math.log(1 / c.length / q(s)); } return { gain, left };'],
    ),
    ...answersTo(
      'prior.vamp',
      ['by hand', VAMP(VAMP_END)],
      ['the largest taken out', VAMP('const e = each.sum(2); const top = e.max(1, true); return e.sub(top).exp().mean(1).log().add(top.squeeze([1]));')],
      ['pseudo-input by pseudo-input', 'const [lo, hi] = range; const parts = tf.unstack(free.sigmoid().mul(hi - lo).add(lo)).map((u) => { const [m, v] = tf.split(encode(u.expandDims(0)), 2, 1) as [tf.Tensor, tf.Tensor]; return logNormal(z, m, v); }); return logMeanExp(tf.stack(parts, 1), 1);'],
      ['squares multiplied out', VAMP('const w = logVar.neg().exp(); const quad = z.square().matMul(w, false, true).sub(z.matMul(mu.mul(w), false, true).mul(2)).add(mu.square().mul(w).sum(1)); return logMeanExp(quad.add(logVar.sum(1)).add(L * Math.log(2 * Math.PI)).mul(-0.5), 1);')],
      ['tanh for the sigmoid', VAMP(VAMP_END, 'free.div(2).tanh().add(1).mul((range[1] - range[0]) / 2).add(range[0])')],
      ['the package’s functions', 'const [a, b] = range; const h = tf.split(encode(free.sigmoid().mul(b).add(free.neg().sigmoid().mul(a))), 2, 1) as tf.Tensor[]; return logMeanExp(logNormalComponents(z, h[0]!, h[1]!), 1);'],
      ['z by z', 'const [low, high] = range; const [mu, logVar] = tf.split(encode(free.sigmoid().mul(high - low).add(low)), 2, 1) as [tf.Tensor, tf.Tensor]; return tf.stack(tf.unstack(z).map((row) => logMeanExp(logNormal(mu, row, logVar), 0)));'],
    ),
    ...answersTo(
      'prior.resampled',
      ['a loop over the tries', 'let sum: tf.Tensor = tf.zerosLike(logBase); let reached: tf.Tensor = tf.scalar(1); for (let t = 1; t < T; t++) { sum = sum.add(logAccept.exp().mul(reached)); reached = reached.mul(tf.sub(1, Z)); } return logBase.add(sum.add(reached).log());'],
      ['a mixture', TRIES('a.div(Z).mul(1 - refused ** (T - 1)).add(refused ** (T - 1))')],
      ['log1p and expm1', 'if (T === 1) return logBase.clone(); const f = tf.log1p(Z.neg()).mul(T - 1); return logBase.add(logAccept.exp().mul(f.expm1().neg()).div(Z).add(f.exp()).log());'],
      ['plain numbers', 'const p = Z.dataSync()[0]!; const f = (1 - p) ** (T - 1); return logBase.add(tf.tensor1d(Array.from(logAccept.dataSync(), (v) => Math.log(Math.exp(v) * ((1 - f) / p) + f))));'],
      ['all tries added', 'return tf.addN(Array.from({ length: T }, (_, t) => tf.sub(1, Z).pow(t).mul(t === T - 1 ? tf.onesLike(logAccept) : logAccept.exp()))).log().add(logBase);'],
      ['in logarithms', 'const p = Z.dataSync()[0]!; const f = (1 - p) ** (T - 1); const tried = logBase.add(logAccept).add(Math.log((1 - f) / p)); return tf.logSumExp(tf.stack([tried, logBase.add(Math.log(f))]), 0);'],
      ['densities', 'const pi = logBase.exp(); const f = (1 - Z.dataSync()[0]!) ** (T - 1); return pi.mul(logAccept.exp()).div(Z).mul(1 - f).add(pi.mul(f)).log();'],
    ),
    ...answersTo(
      'posterior.reflections',
      ['cases', 'return observed < latents ? observed : latents - 1;'],
      ['clamped', 'return Math.max(0, Math.min(observed, latents - 1));'],
      ['sorted', 'return [observed, latents - 1].sort((a, b) => a - b)[0]!;'],
      ['by the rank', 'const rank = Math.min(observed, latents); return rank < latents ? rank : latents - 1;'],
      ['no more than one less', 'const rank = Math.min(latents, observed); return rank === latents ? rank - 1 : rank;'],
      ['a count', 'let n = 0; for (let l = 1; l < latents && l <= observed; l++) n++; return n;'],
    ),
    ...answersTo(
      'posterior.autoregressive',
      ['by hand', STEPS()],
      ['the other gate', STEPS({ gate: 'tf.sub(1, s.neg().sigmoid())' })],
      ['a product of gates', STEPS({ less: 'q.sub(sigma.prod(1).log())' })],
      ['turned by a matrix', STEPS({ turn: 'x = x.matMul(tf.reverse(tf.eye(L), 1));' })],
      ['softplus', STEPS({ move: 'sigma.mul(x).add(m).sub(sigma.mul(m))', less: 'q.add(tf.softplus(s.neg()).sum(1))' })],
      ['gather for the order', STEPS({ turn: "x = tf.gather(x, tf.range(L - 1, -1, -1, 'int32'), 1);" })],
      ['by recursion', 'if (nets.length === 0) return { z, logQ }; const [m, s] = tf.split(nets[0]!(z), 2, 1) as [tf.Tensor, tf.Tensor]; const g = s.sigmoid(); return inverseAutoregressive(z.mul(g).add(m.mul(g.neg().add(1))).reverse(1), logQ.sub(g.log().sum(1)), nets.slice(1));'],
    ),
    ...answersTo(
      'prior.flow',
      ['sum, then add', FLOW('return each.sum(1).add(total);')],
      ['a list added up', FLOW('return tf.addN([each.sum(1), ...logDets]);')],
      ['a squared length', FLOW('return tf.norm(x, 2, 1).square().add(L * Math.log(2 * Math.PI)).mul(-0.5).add(total);')],
      ['axes kept', FLOW('return each.sum(1, true).add(total.expandDims(1)).squeeze([1]);')],
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
      ['never below 0', APART(TOTAL, '{ information: own.sub(q).relu(), mismatch: q.sub(logPrior) }'), 'only the mean is at least 0'],
      ['a mean over the latents', APART('tf.logSumExp(each.mean(2), 1).sub(Math.log(N))')],
      ['at the means', APART('tf.logSumExp(mu.reshape([N, 1, L]).sub(mu).square().div(v.exp()).add(v).add(Math.log(2 * Math.PI)).mul(-0.5).sum(2), 1).sub(Math.log(N))')],
      ['the likeliest', APART('pairs.max(1).sub(Math.log(N))')],
      ['a little for safety', APART('pairs.exp().mean(1).add(1e-6).log()')],
      ['off by a hundredth', APART(TOTAL, '{ information: own.sub(q).add(1e-2), mismatch: q.sub(logPrior) }')],
      ['the KL', APART(TOTAL, '{ information: own.sub(logPrior), mismatch: q.sub(logPrior) }')],
      ['negative', APART(TOTAL, '{ information: q.sub(own), mismatch: q.sub(logPrior) }')],
      ['a Gaussian for the mixture', APART('(() => { const c = mu.mean(0); const s = logVar.exp().add(mu.sub(c).square()).mean(0).log(); return logNormal(z, c, s); })()'), 'not the Gaussian of its mean'],
      ['a mean over the batch', APART(TOTAL, '{ information: tf.fill([N], own.sub(q).mean().dataSync()[0]!), mismatch: q.sub(logPrior) }')],
    ),
    ...answersTo(
      'prior.gain',
      ['all is gained', GAIN({ gain: 'log(cells) - inside' }), 'one for all'],
      ['ln of the mean size', GAIN({ inside: 'log(all / codes.length)' }), 'not the logarithm of their mean'],
      ['a loss', GAIN({ gain: 'h - log(cells)' }), 'at least 0'],
      ['the other KL', GAIN({ gain: 'q.reduce((s, p) => s + (p === 0 ? 0 : log(1 / cells / p) / cells), 0)' })],
      ['noise taken off twice', GAIN({ gain: 'log(cells) - h - inside' })],
      ['summed', GAIN({ gain: '(log(cells) - h) * codes.length', left: '(h - inside) * codes.length' })],
      ['off by 1e-4', GAIN({ gain: 'log(cells) - h + 1e-4' })],
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
      ['exp of what is far below 0', VAMP('return each.sum(2).exp().mean(1).log();'), 'takes the largest out'],
      ['no constant', VAMP('return logMeanExp(each.add(0.5 * Math.log(2 * Math.PI)).sum(2), 1);'), 'constant of a Gaussian'],
      ['a mean over the latents', VAMP('return logMeanExp(each.mean(2), 1);'), 'not their mean'],
      ['ln B', VAMP('return tf.logSumExp(each.sum(2), 1).sub(Math.log(B));'), 'however many z'],
      ['ends exchanged', VAMP(VAMP_END, 'free.neg().sigmoid().mul(range[1] - range[0]).add(range[0])'), 'near high'],
      ['tanh', VAMP(VAMP_END, 'free.tanh().mul(range[1] - range[0]).add(range[0])'), 'hyperbolic tangent'],
      ['no ln σ²', VAMP('return logMeanExp(each.add(logVar.div(2)).sum(2), 1);'), 'logarithm of the variance'],
      ['no half', VAMP('return logMeanExp(each.mul(2).sum(2), 1);'), 'factor ½'],
      ['one Gaussian', VAMP('const c = mu.mean(0); return logNormal(z, c, logVar.exp().add(mu.sub(c).square()).mean(0).log());'), 'not the one Gaussian'],
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
      ['the last one only if refused', TRIES('a.div(Z).mul(1 - refused ** (T - 1)).add(tf.sub(1, a).mul(refused ** (T - 1)))')],
      ['shares without Z', TRIES('a.mul(1 - refused ** (T - 1)).add(refused ** (T - 1))')],
      ['T times', TRIES('a.mul(T)')],
      ['at least one of T', TRIES('tf.sub(1, tf.sub(1, a).pow(T))')],
      ['normalised over the batch', 'const p = logBase.add(logAccept).exp(); return p.div(p.sum()).log();'],
      ['off by 1e-3', TRIES('a.div(Z).mul(1 - refused ** (T - 1)).add(refused ** (T - 1)).mul(1.001)')],
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
      ['half of them', 'return Math.floor(latents / 2);'],
      ['what is left', 'return Math.max(0, latents - observed);'],
      ['the larger one', 'return Math.max(observed, latents - 1);'],
      ['one more', 'return Math.min(observed, latents - 1) + 1;'],
      ['in its tensor', 'return tf.scalar(Math.min(observed, latents - 1)) as unknown as number;', 'takes the number out'],
      ['as observed', 'return observed;'],
      ['the smaller one', 'return Math.min(latents, observed);'],
      ['angles', 'return (latents * (latents - 1)) / 2;'],
      ['rotations of two', 'return 2 * Math.min(observed, latents - 1);'],
      ['one less', 'return Math.max(0, Math.min(observed, latents) - 1);'],
    ),
    ...answersTo(
      'posterior.autoregressive',
      ['exchanged', STEPS({ split: 'const [s, m] = [h.slice([0, 0], [-1, L]), h.slice([0, L], [-1, L])];' }), 'm first'],
      ['all turned round', STEPS({ turn: 'x = x.reverse();' }), 'axis 1'],
      ['examples turned round', STEPS({ turn: 'x = x.reverse(0);' }), 'axis 1'],
      ['gates begin open', STEPS({ gate: 's.add(2).sigmoid()' }), 'as the network says it'],
      ['every net asked of the first z', STEPS({ split: 'const g = net(z); const [m, s] = [g.slice([0, 0], [-1, L]), g.slice([0, L], [-1, L])];' }), 'where the one before ended'],
      ['by pairs', STEPS({ split: 'const [m, s] = tf.unstack(h.reshape([-1, L, 2]), 2) as [tf.Tensor, tf.Tensor];' })],
      ['of 1 − σ', STEPS({ less: 'q.sub(tf.sub(1, sigma).log().sum(1))' }), 'not of 1 − σ'],
      ['off by a hundredth', STEPS({ less: 'q.sub(sigma.log().sum(1)).add(1e-2)' })],
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
      ['broadcast by chance', FLOW('return each.add(total).sum(1);'), 'each example has its own'],
      ['the mean of it all', FLOW('return each.add(total.expandDims(1)).mean(1);')],
      ['|det| without ln', FLOW('return each.sum(1).add(total.exp());')],
      ['a mean over the layers', FLOW('return each.sum(1).add(total.div(Math.max(1, logDets.length)));')],
      ['no sum', FLOW('return each.add(total.expandDims(1));')],
      ['L − 1 times', FLOW('return each.sum(1).add(total.mul(L - 1));')],
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
