import { answersTo, type TriedAnswers } from './answer';

const LOG_2PI = 'Math.log(2 * Math.PI)';
const PLANAR = (over: { u?: string; h?: string; logDet?: string; square?: string } = {}) => `
  const wu = w.mul(u).sum();
  const m = tf.softplus(wu).sub(1);
  const direction = ${over.u ?? `u.add(w.mul(m.sub(wu)).div(${over.square ?? 'w.mul(w).sum()'}))`};
  const h = ${over.h ?? 'x.mul(w).sum(1).add(b).tanh()'};
  const slope = tf.sub(1, h.mul(h));
  return { z: x.add(h.expandDims(1).mul(direction)), logDet: ${over.logDet ?? 'slope.mul(m).add(1).log()'} };`;
const COUPLING = (moved: string, logDet = 's.sum(1)', more = '') => `
  const half = x.shape[1]! / 2;
  const [a, b] = [x.slice([0, 0], [-1, half]), x.slice([0, half], [-1, half])];
  const said = network(a);
  let [s, t] = [said.slice([0, 0], [-1, half]), said.slice([0, half], [-1, half])];
  ${more}
  return { z: tf.concat([a, ${moved}], 1), logDet: ${logDet} };`;
const BACK = (moved: string, start = 'z.reverse(1)', end = 'tf.concat([a, x], 1)') => `
  const half = z.shape[1]! / 2;
  const ordered = ${start};
  const [a, y] = [ordered.slice([0, 0], [-1, half]), ordered.slice([0, half], [-1, half])];
  const said = network(a);
  const [s, t] = [said.slice([0, 0], [-1, half]), said.slice([0, half], [-1, half])];
  const x = ${moved};
  return ${end};`;
const HISTOGRAM = (z: string, logDet: string, logP = 'tf.logSoftmax(logits)') => `
  const K = logits.shape[1]!;
  const logP = ${logP};
  const parts = x.expandDims(2).sub(tf.range(0, K));
  const inside = parts.greaterEqual(0).logicalAnd(parts.less(1)).toFloat();
  return { z: ${z}, logDet: ${logDet} };`;
const HEIGHT = 'parts.clipByValue(0, 1).mul(logP.exp()).sum(2)';
const SERIES = (next: string, trace = 'tf.eye(M.shape[0]!).mul(M).sum()', last = 'terms', z = 'x') => `
  let term: tf.Tensor = x;
  let z: tf.Tensor = ${z};
  for (let k = 1; k <= ${last}; k++) { term = ${next}; z = z.add(term); }
  return { z, logDet: tf.ones([x.shape[0]!]).mul(${trace}) };`;
const MIX = (z: string, logDet: string) => `
  const [B, H, w, C] = x.shape as [number, number, number, number];
  const flat = x.reshape([B * H * w, C]);
  const diagonal = W.mul(tf.eye(C)).sum(1);
  return { z: ${z}, logDet: tf.zeros([B]).add(${logDet}) };`;
const MIXED = 'flat.matMul(W.transpose()).reshape(x.shape)';

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'flow.changeOfVariables',
      ['a loop', `const out: number[] = []; for (let n = 0; n < z.length; n++) out.push(-(z[n]! ** 2) / 2 - ${LOG_2PI} / 2 + Math.log(Math.abs(slope[n]!))); return out;`],
      ['half the logarithm of a square', `return z.map((v, n) => -0.5 * v * v - 0.5 * ${LOG_2PI} + (Math.log(slope[n]! < 0 ? -slope[n]! : slope[n]!)));`],
      ['the constant as a number', 'return z.map((v, n) => -0.9189385332046727 - 0.5 * v * v + Math.log(Math.abs(slope[n]!)));'],
    ),
    ...answersTo(
      'flow.planar',
      ['products and sums', PLANAR()],
      ['a slope by cosh', PLANAR({ logDet: 'tf.log1p(m.mul(slope))' })],
      ['w as a column', 'const W = w.reshape([-1, 1]); const a = tf.dot(w as tf.Tensor1D, u as tf.Tensor1D); const m = tf.softplus(a).sub(1); const hat = u.add(w.mul(m.sub(a).div(w.square().sum()))); const h = tf.tanh(tf.matMul(x as tf.Tensor2D, W as tf.Tensor2D).add(b)); return { z: x.add(tf.matMul(h as tf.Tensor2D, hat.reshape([1, -1]) as tf.Tensor2D)), logDet: tf.log(tf.add(1, m.mul(tf.sub(1, h.square())))).reshape([-1]) };'],
    ),
    ...answersTo(
      'flow.coupling',
      ['slices', COUPLING('b.mul(s.exp()).add(t)')],
      ['padded', COUPLING('tf.add(tf.mul(tf.exp(s), b), t)', 'tf.sum(s, -1)')],
      ['s and t by split', 'const [a, b] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor]; const [s, t] = tf.split(network(a), [a.shape[1]!, a.shape[1]!], 1) as [tf.Tensor, tf.Tensor]; return { z: tf.concat([a, tf.add(t, b.mul(tf.exp(s)))], -1), logDet: tf.einsum("bd->b", s) };'],
    ),
    ...answersTo(
      'flow.toData',
      ['slices', BACK('y.sub(t).mul(s.neg().exp())')],
      ['divided', BACK('y.sub(t).div(s.exp())')],
      ['halves reversed by themselves', 'const [upper, lower] = tf.split(z, 2, 1) as [tf.Tensor, tf.Tensor]; const a = lower.reverse(1); const [s, t] = tf.split(network(a), 2, 1) as [tf.Tensor, tf.Tensor]; return tf.concat([a, upper.reverse(1).sub(t).mul(s.neg().exp())], 1);'],
    ),
    ...answersTo(
      'flow.spline',
      ['bins by comparison', HISTOGRAM(HEIGHT, 'inside.mul(logP).sum([1, 2])')],
      ['cumulated', HISTOGRAM('inside.mul(tf.cumsum(logP.exp(), 1, true)).sum(2).add(inside.mul(parts).mul(logP.exp()).sum(2))', 'inside.mul(logP).sum(2).sum(1)')],
      ['plain loops', 'const X = x.arraySync() as number[][], L = tf.logSoftmax(logits).arraySync() as number[][]; const z = X.map((row) => row.map((v, d) => { const k = Math.floor(v); let s = (v - k) * Math.exp(L[d]![k]!); for (let j = 0; j < k; j++) s += Math.exp(L[d]![j]!); return s; })); return { z: tf.tensor2d(z), logDet: tf.tensor1d(X.map((row) => row.reduce((s, v, d) => s + L[d]![Math.floor(v)]!, 0))) };'],
    ),
    ...answersTo(
      'flow.householder',
      ['a unit vector', 'const n = v.div(v.square().sum().sqrt()); return x.sub(x.mul(n).sum(1, true).mul(n).mul(2));'],
      ['a matrix', 'const D = v.shape[0]!; const H = tf.eye(D).sub(v.reshape([D, 1]).matMul(v.reshape([1, D])).mul(2).div(v.square().sum())); return x.matMul(H);'],
      ['twice the foot', 'const foot = x.sub(x.mul(v).sum(1, true).div(v.square().sum()).mul(v)); return foot.mul(2).sub(x);'],
    ),
    ...answersTo(
      'flow.mixChannels',
      ['transposed first', MIX(MIXED, 'diagonal.abs().log().sum().mul(H * w)')],
      ['in JavaScript', 'const rows = W.arraySync() as number[][]; const [B, H, w] = x.shape as [number, number, number, number]; const nats = rows.reduce((s, row, c) => s + Math.log(Math.abs(row[c]!)), 0); return { z: tf.stack(rows.map((row) => x.mul(tf.tensor1d(row)).sum(3)), 3), logDet: tf.fill([B], H * w * nats) };'],
      ['half the logarithm of squares', MIX(MIXED, 'diagonal.square().log().sum().mul(0.5 * H * w)')],
    ),
    ...answersTo(
      'flow.blindPairs',
      ['three cases', "if (layers === 1 || turns === 'never') return (D * D - D) / 2; return 0;"],
      ['counted', "let n = 0; for (let i = 0; i < D; i++) for (let j = i + 1; j < D; j++) n++; return layers >= 2 && turns === 'by turns' ? 0 : n;"],
      ['matrices multiplied', "let see = Array.from({ length: D }, (_, i) => Array.from({ length: D }, (__, j) => i === j)); for (let l = 0; l < layers; l++) { const old = see; see = old.map((_, i) => old.map((__, j) => old.some((row, k) => (turns === 'by turns' && l % 2 ? k >= i : k <= i) && row[j]!))); } return see.flat().filter((s) => !s).length;"],
    ),
    ...answersTo(
      'flow.exponential',
      ['columns', SERIES('M.matMul(term.transpose()).transpose().div(k)')],
      ['the transpose once', SERIES('term.matMul(M.transpose()).div(k)')],
      ['from the last term inwards', 'let z: tf.Tensor = x; for (let k = terms; k >= 1; k--) z = x.add(z.matMul(M, false, true).div(k)); const t = (M.arraySync() as number[][]).reduce((s, row, i) => s + row[i]!, 0); return { z, logDet: tf.fill([x.shape[0]!], t) };'],
    ),
    ...answersTo(
      'flow.dequantise',
      ['1 − u', 'return logDensity(x.add(tf.sub(1, rng.uniform(x.shape))));'],
      ['a fork', "return logDensity(rng.fork('noise').uniform(x.shape).add(x));"],
      ['pixel by pixel', 'const [B, D] = x.shape as [number, number]; return logDensity(x.add(tf.concat(Array.from({ length: D }, (_, d) => rng.fork(`pixel ${d}`).uniform([B, 1])), 1)));'],
    ),
    ...answersTo(
      'flow.narrowClaim',
      ['minus the logarithm of how much denser', 'return -D * Math.log(1 / width);'],
      ['the logarithm of a volume, coordinate by coordinate', 'let nats = 0; for (let d = 0; d < D; d++) nats += Math.log(width); return nats;'],
      ['by log2', 'return D * Math.log2(width) * Math.LN2;'],
    ),
  ],

  wrong: [
    ...answersTo(
      'flow.changeOfVariables',
      ['no slope', `return z.map((v) => -0.5 * (v * v + ${LOG_2PI}));`, 'slope’s length is missing'],
      ['the inverse', `return z.map((v, n) => -0.5 * (v * v + ${LOG_2PI}) - Math.log(Math.abs(slope[n]!)));`, 'not taken off'],
      ['signed', `return z.map((v, n) => -0.5 * (v * v + ${LOG_2PI}) + Math.log(slope[n]!));`, 'may be negative'],
      ['a product', 'return z.map((v, n) => Math.log(Math.exp(-0.5 * v * v) / Math.sqrt(2 * Math.PI) * Math.abs(slope[n]!)));', 'underflows'],
      ['no constant', 'return z.map((v, n) => -0.5 * v * v + Math.log(Math.abs(slope[n]!)));', '½ ln 2π, is missing'],
      ['densities', 'return z.map((v, n) => Math.exp(-0.5 * v * v) / Math.sqrt(2 * Math.PI) * Math.abs(slope[n]!));', 'logarithms are asked for'],
    ),
    ...answersTo(
      'flow.planar',
      ['u itself', PLANAR({ u: 'u' }), 'û, and not u'],
      ['along in the determinant', PLANAR({ logDet: 'slope.mul(wu).add(1).abs().log()' })],
      ['not divided', PLANAR({ square: 'tf.scalar(1)' }), 'squared length'],
      ['by the length', PLANAR({ square: 'w.square().sum().sqrt()' }), 'not over its length'],
      ['no tanh', PLANAR({ h: 'x.mul(w).sum(1).add(b)' }), 'tanh is missing'],
      ['tanh for its slope', PLANAR({ logDet: 'h.mul(m).add(1).abs().log()' })],
      ['the sign', PLANAR({ logDet: 'slope.mul(m).add(1).log().neg()' }), 'mind the sign'],
      ['exp overflows', PLANAR().replace('tf.softplus(wu)', 'wu.exp().add(1).log()')],
    ),
    ...answersTo(
      'flow.coupling',
      ['s as the scale', COUPLING('b.mul(s).add(t)'), 'scale is exp(s)'],
      ['s and t exchanged', COUPLING('b.mul(t.exp()).add(s)'), 'the second is t'],
      ['shifted first', COUPLING('b.add(t).mul(s.exp())'), 'first scaled'],
      ['no determinant', COUPLING('b.mul(s.exp()).add(t)', 'tf.zerosLike(s.sum(1))')],
      ['a mean', COUPLING('b.mul(s.exp()).add(t)', 's.mean(1)')],
      ['the scales', COUPLING('b.mul(s.exp()).add(t)', 's.exp().sum(1)'), 'logarithms of the scales'],
      ['bounded', COUPLING('b.mul(s.exp()).add(t)', 's.sum(1)', 's = s.clipByValue(-2, 2);'), 'network’s own affair'],
      ['the moved half', COUPLING('b.mul(s.exp()).add(t)').replace('network(a)', 'network(b)'), 'the half that is kept'],
    ),
    ...answersTo(
      'flow.toData',
      ['never undone', BACK('y.sub(t).mul(s.neg().exp())', 'z'), 'never undone'],
      ['undone last', BACK('y.sub(t).mul(s.neg().exp())', 'z', 'tf.concat([a, x], 1).reverse(1)')],
      ['scaled first', BACK('y.mul(s.neg().exp()).sub(t)'), 'first − t'],
      ['there again', BACK('y.mul(s.exp()).add(t)'), 'way there once more'],
      ['by s', BACK('y.sub(t).div(s)')],
      ['asked backwards', BACK('y.sub(t).mul(s.neg().exp())').replace('network(a)', 'network(a.reverse(1))')],
      ['the batch reversed', BACK('y.sub(t).mul(s.neg().exp())', 'z.reverse()')],
    ),
    ...answersTo(
      'flow.spline',
      ['logits', HISTOGRAM(HEIGHT, 'inside.mul(logP).sum([1, 2])', 'logits')],
      ['slopes added', HISTOGRAM(HEIGHT, 'inside.mul(logP.exp()).sum([1, 2])'), 'not the slopes'],
      ['whole bins', HISTOGRAM('parts.greaterEqual(0).toFloat().mul(logP.exp()).sum(2)', 'inside.mul(logP).sum([1, 2])'), 'not as a whole'],
      ['a mean', HISTOGRAM(HEIGHT, 'inside.mul(logP).sum(2).mean(1)')],
      ['over the coordinates', HISTOGRAM(HEIGHT, 'inside.mul(logP).sum([1, 2])', 'tf.logSoftmax(logits.transpose()).transpose()')],
      ['right ends', HISTOGRAM(HEIGHT, 'parts.greater(0).logicalAnd(parts.lessEqual(1)).toFloat().mul(logP).sum([1, 2])'), 'begins there'],
      ['the exponentials overflow', HISTOGRAM(HEIGHT, 'inside.mul(logP).sum([1, 2])', 'logits.sub(logits.exp().sum(1, true).log())')],
    ),
    ...answersTo(
      'flow.householder',
      ['a projection', 'return x.sub(x.mul(v).sum(1, true).div(v.square().sum()).mul(v));', 'twice as far'],
      ['not normalised', 'return x.sub(x.mul(v).sum(1, true).mul(2).mul(v));', 'divide by v·v'],
      ['by the length', 'return x.sub(x.mul(v).sum(1, true).mul(2).div(v.square().sum().sqrt()).mul(v));', 'the squared length'],
      ['added', 'return x.add(x.mul(v).sum(1, true).mul(2).div(v.square().sum()).mul(v));', 'other side'],
      ['the other sign', 'return x.mul(v).sum(1, true).mul(2).div(v.square().sum()).mul(v).sub(x);', 'not the rest'],
      ['a guard', 'return x.sub(x.mul(v).sum(1, true).mul(2).div(v.square().sum().add(1e-7)).mul(v));', 'nothing is added'],
    ),
    ...answersTo(
      'flow.mixChannels',
      ['one pixel', MIX(MIXED, 'diagonal.abs().log().sum()')],
      ['transposed', MIX('flat.matMul(W).reshape(x.shape)', 'diagonal.abs().log().sum().mul(H * w)'), 'W transposed'],
      ['no absolute value', MIX(MIXED, 'diagonal.log().sum().mul(H * w)')],
      ['the sign', MIX(MIXED, 'diagonal.abs().log().sum().mul(-H * w)'), 'sign of the way back'],
      ['a power', MIX(MIXED, 'diagonal.prod().abs().pow(H * w).log()')],
      ['two channels', MIX(MIXED, 'diagonal.abs().log().slice(0, Math.min(2, C)).sum().mul(H * w)')],
    ),
    ...answersTo(
      'flow.blindPairs',
      ['depth helps', 'return layers > 1 ? 0 : (D * (D - 1)) / 2;', 'triangular'],
      ['always half', 'return (D * (D - 1)) / 2;', 'other way'],
      ['the diagonal counted', "return turns === 'by turns' && layers > 1 ? 0 : (D * (D + 1)) / 2;", 'own coordinate'],
      ['all', "return turns === 'by turns' && layers > 1 ? 0 : D * (D - 1);"],
      ['one layer has turned', "return turns === 'by turns' ? 0 : (D * (D - 1)) / 2;"],
      ['four dimensions', "return turns === 'by turns' && layers > 1 ? 0 : 6;"],
    ),
    ...answersTo(
      'flow.exponential',
      ['transposed', SERIES('term.matMul(M).div(k)'), 'M transposed'],
      ['no factorial', SERIES('term.matMul(M, false, true)'), 'factorial'],
      ['no x', SERIES('term.matMul(M, false, true).div(k)', undefined, 'terms', 'tf.zerosLike(x)'), 'begins with x'],
      ['all entries', SERIES('term.matMul(M, false, true).div(k)', 'M.sum()'), 'not of all entries'],
      ['one term short', SERIES('term.matMul(M, false, true).div(k)', undefined, 'terms - 1'), 'one term too few'],
      ['sixteen terms', SERIES('term.matMul(M, false, true).div(k)', undefined, '16')],
    ),
    ...answersTo(
      'flow.dequantise',
      ['as given', 'return logDensity(x.add(tf.sub(1, rng.uniform(x.shape)).div(2)));', 'half of a cell'],
      ['centred', 'return logDensity(x.add(rng.uniform(x.shape).sub(0.5)));'],
      ['no noise', 'return logDensity(x.add(0.5));'],
      ['one for all pixels', 'return logDensity(x.add(rng.uniform([x.shape[0]!, 1])));'],
      ['mirrored in the second half', 'const [B, D] = x.shape as [number, number]; const u = rng.uniform([Math.ceil(B / 2), D]); return logDensity(x.add(tf.concat([u, tf.sub(1, u)]).slice([0, 0], [B, D])));'],
      ['independent of the first two alone', 'const [B, D] = x.shape as [number, number]; const u = rng.uniform([B, Math.min(2, D)]); return logDensity(x.add(u.tile([1, Math.ceil(D / Math.min(2, D))]).slice([0, 0], [B, D])));'],
      ['corrected', 'return logDensity(x.add(rng.uniform(x.shape))).sub(x.shape[1]! * Math.LN2);'],
    ),
    ...answersTo(
      'flow.narrowClaim',
      ['above', 'return -D * Math.log(width);', 'difference is negative'],
      ['one coordinate', 'return Math.log(width);', 'in every coordinate'],
      ['bits', 'return D * Math.log2(width);', 'natural logarithms'],
      ['a volume', 'return width ** D;'],
      ['half always', 'return -D * Math.LN2;'],
      ['the rest of the cell', 'return D * Math.log(1 - width);'],
    ),
  ],
}; // prettier-ignore
