import { answersTo, type TriedAnswers } from './answer';

const PICKED = (logP: string, finish: string) => `
  const logP = ${logP};
  const hot = tf.oneHot(x.toInt() as tf.Tensor2D, logits.shape[2]!).toFloat();
  return ${finish};`;
const CONV = (pad: string, tap: string, weight = 'w.slice([k, 0, 0], [1, C, O])') => `
  const [B, T, C] = x.shape as [number, number, number];
  const [K, , O] = w.shape as [number, number, number];
  const span = (K - 1) * dilation;
  const padded = x.pad([[0, 0], ${pad}, [0, 0]]);
  let y: tf.Tensor = tf.zeros([B * T, O]);
  for (let k = 0; k < K; k++)
    y = y.add(padded.slice([0, ${tap}, 0], [B, T, C]).reshape([B * T, C]).matMul(${weight}.reshape([C, O])));
  return y.reshape([B, T, O]);`;
const MASK = (counts: string) => `
  const m = (size - 1) / 2;
  return Array.from({ length: size }, (_, r) => Array.from({ length: size }, (__, c) => (${counts} ? 1 : 0)));`;
const DRAW = (value: string, asked = 'x', row = 'd', u = 'U[n]![d]!') => `
  const [B, D] = u.shape as [number, number];
  const U = u.arraySync() as number[][];
  const X = U.map((noise) => noise.map(() => 0));
  for (let d = 0; d < D; d++) {
    const x = tf.tensor2d(X, [B, D]);
    const P = tf.softmax(tf.gather(network(${asked}), ${row}, 1)).arraySync() as number[][];
    P.forEach((p, n) => { const noise = ${u}; X[n]![d] = ${value}; });
  }
  return tf.tensor2d(X, [B, D]);`;
const BY_LOOP =
  '(() => { let s = p[0]!; let v = 0; while (s <= noise && v < p.length - 1) s += p[++v]!; return v; })()';
const PASS = (
  x: string,
  count = 'passes',
  drawn = 'passed.sum(2).minimum(p.shape[2]! - 1).toFloat()',
  less = 'lessEqual',
) => `
  let x: tf.Tensor = tf.zerosLike(u);
  for (let i = 0; i < ${count}; i++) {
    const p = tf.softmax(network(${x}));
    const passed = tf.cumsum(p, 2).${less}(u.expandDims(2));
    x = ${drawn};
  }
  return x;`;
const SEEN = (ahead: string) => `const ahead = ${ahead};`;
const COLD = (a: string, b: string, result = 'a / (a + b)') => `
  const [n, m] = cooled === 'joint' ? futures : [1, 1];
  const a = ${a};
  const b = ${b};
  return ${result};`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'ar.logLikelihood',
      ['gathered place by place', 'const L = tf.logSoftmax(logits).arraySync() as number[][][]; const X = x.arraySync() as number[][]; return tf.tensor1d(X.map((row, n) => row.reduce((s, v, d) => s + L[n]![d]![v]!, 0)));'],
      ['the largest taken out by hand', PICKED('logits.sub(logits.max(2, true)).sub(logits.sub(logits.max(2, true)).exp().sum(2, true).log())', 'hot.mul(logP).sum([1, 2])')],
      ['log-sum-exp taken off', 'const hot = tf.oneHot(x.toInt() as tf.Tensor2D, logits.shape[2]!).toFloat(); return hot.mul(logits).sum(2).sub(tf.logSumExp(logits, 2)).sum(1);'],
    ),
    ...answersTo(
      'ar.inOrder',
      ['rows in a loop', 'const y = tf.gather(x, [...order], 1); const rows = network(y).unstack(1); const out: tf.Tensor[] = []; order.forEach((pixel, i) => { out[pixel] = rows[i]!; }); return tf.stack(out, 1);'],
      ['sorted pairs', 'const place = order.map((pixel, i) => [pixel, i] as const).sort((a, b) => a[0] - b[0]).map(([, i]) => i); return tf.gather(network(tf.gather(x, [...order], 1)), place, 1);'],
      ['permutation matrices', 'const P = tf.oneHot(tf.tensor1d([...order], "int32"), order.length).toFloat(); const y = x.matMul(P, false, true); const L = network(y); const [B, D, V] = L.shape as [number, number, number]; return P.transpose().matMul(L.transpose([1, 0, 2]).reshape([D, B * V])).reshape([D, B, V]).transpose([1, 0, 2]);'],
    ),
    ...answersTo(
      'ar.causalConv',
      ['a loop', CONV('[span, 0]', 'span - k * dilation')],
      ['taps side by side', 'const [B, T, C] = x.shape as [number, number, number]; const [K, , O] = w.shape as [number, number, number]; const p = x.pad([[0, 0], [(K - 1) * dilation, 0], [0, 0]]); const all = tf.concat(Array.from({ length: K }, (_, k) => p.slice([0, (K - 1 - k) * dilation, 0], [B, T, C])), 2); return all.reshape([B * T, K * C]).matMul(w.reshape([K * C, O])).reshape([B, T, O]);'],
      ['plain loops', 'const X = x.arraySync() as number[][][], W = w.arraySync() as number[][][]; return tf.tensor3d(X.map((rows) => rows.map((_, t) => W[0]![0]!.map((__, o) => W.reduce((s, tap, k) => s + (rows[t - k * dilation] ?? []).reduce((q, v, c) => q + v * tap[c]![o]!, 0), 0)))));'],
    ),
    ...answersTo(
      'ar.kernelMask',
      ['numbers in reading order', 'const centre = (size * size - 1) / 2; return Array.from({ length: size }, (_, r) => Array.from({ length: size }, (__, c) => (r * size + c < centre || (kind === "B" && r * size + c === centre) ? 1 : 0)));'],
      ['filled', 'const m = Array.from({ length: size }, () => new Array<number>(size).fill(0)); const h = (size - 1) / 2; for (let r = 0; r < h; r++) m[r]!.fill(1); m[h]!.fill(1, 0, h + (kind === "B" ? 1 : 0)); return m;'],
      ['by tfjs', 'const at = tf.range(0, size * size); const last = (size * size - 1) / 2 + (kind === "B" ? 1 : 0); return at.less(last).toInt().reshape([size, size]).arraySync() as number[][];'],
    ),
    ...answersTo(
      'ar.stepsBack',
      ['a loop', 'let back = 1; for (const d of dilations) back += (kernel - 1) * d; return back;'],
      ['per layer', 'return dilations.map((d) => (kernel - 1) * d).reduce((a, b) => a + b, 1);'],
      ['followed', 'let oldest = 0; for (const d of [...dilations].reverse()) oldest += kernel * d - d; return oldest + 1;'],
    ),
    ...answersTo(
      'ar.draw',
      ['a loop in JavaScript', DRAW(BY_LOOP)],
      ['the first sum above u', DRAW('(() => { let s = 0; const at = p.findIndex((q) => (s += q) > noise); return at < 0 ? p.length - 1 : at; })()')],
      ['places side by side', 'const [B, D] = u.shape as [number, number]; let done: tf.Tensor = tf.zeros([B, 0]); for (let d = 0; d < D; d++) { const x = done.pad([[0, 0], [0, D - d]]); const p = tf.softmax(network(x).slice([0, d, 0], [B, 1, -1]).squeeze([1])); const v = tf.cumsum(p, 1).slice([0, 0], [B, p.shape[1]! - 1]).lessEqual(u.slice([0, d], [B, 1])).sum(1, true).toFloat(); done = tf.concat([done, v], 1); } return done;'],
    ),
    ...answersTo(
      'ar.parallel',
      ['the last sum left out', 'let x: tf.Tensor = tf.zerosLike(u); for (let i = 0; i < passes; i++) { const p = tf.softmax(network(x)); const [B, D, V] = p.shape as [number, number, number]; x = tf.cumsum(p, 2).slice([0, 0, 0], [B, D, V - 1]).lessEqual(u.expandDims(2)).sum(2).toFloat(); } return x;'],
      ['recursion', 'if (passes === 0) return tf.zerosLike(u); const p = tf.softmax(network(drawAtOnce(network, u, passes - 1))); return tf.cumsum(p, 2).lessEqual(u.expandDims(2)).sum(2).minimum(p.shape[2]! - 1).toFloat();'],
      ['values picked in JavaScript', 'let x: tf.Tensor = tf.zerosLike(u); const U = u.arraySync() as number[][]; for (let i = 0; i < passes; i++) { const P = tf.softmax(network(x)).arraySync() as number[][][]; x = tf.tensor2d(P.map((rows, n) => rows.map((p, d) => { let s = p[0]!; let v = 0; while (s <= U[n]![d]! && v < p.length - 1) s += p[++v]!; return v; }))); } return x;'],
    ),
    ...answersTo(
      'ar.temperature',
      ['by log-softmax', 'return tf.logSoftmax(logits.div(temperature)).exp();'],
      ['powers of probabilities, in logarithms', 'return tf.softmax(tf.logSoftmax(logits).div(temperature));'],
      ['the largest taken out first', 'const l = logits.sub(logits.max(1, true)).div(temperature).exp(); return l.div(l.sum(1, true));'],
    ),
    ...answersTo(
      'ar.attend',
      ['a triangle, cut', SEEN('tf.range(0, all).expandDims(0).greater(tf.range(0, all).expandDims(1)).slice([all - S, 0], [S, all])')],
      ['a difference', SEEN('tf.range(0, all).expandDims(0).sub(tf.range(0, S).expandDims(1)).greater(all - S)')],
      ['by numbers', SEEN('tf.tensor2d(Array.from({ length: S }, (_, i) => Array.from({ length: all }, (__, s) => (s > all - S + i ? 1 : 0))), [S, all], "bool")')],
    ),
    ...answersTo(
      'ar.coldChoice',
      ['by logarithms', COLD('Math.exp(Math.log(p / n) / tau + Math.log(n))', 'Math.exp(Math.log((1 - p) / m) / tau + Math.log(m))')],
      ['powers of n taken out', COLD('p ** (1 / tau) * n ** (1 - 1 / tau)', '(1 - p) ** (1 / tau) * m ** (1 - 1 / tau)')],
      ['pairs listed', 'const counts = cooled === "joint" ? futures : [1, 1]; const pairs = counts.flatMap((n, x) => Array.from({ length: n }, () => ({ x, w: ((x === 0 ? p : 1 - p) / n) ** (1 / tau) }))); const sum = (list: typeof pairs) => list.reduce((s, { w }) => s + w, 0); return sum(pairs.filter(({ x }) => x === 0)) / sum(pairs);'],
    ),
  ],

  wrong: [
    ...answersTo(
      'ar.logLikelihood',
      ['a mean', PICKED('tf.logSoftmax(logits)', 'hot.mul(logP).sum(2).mean(1)'), 'not their mean'],
      ['the loss', PICKED('tf.logSoftmax(logits)', 'hot.mul(logP).sum([1, 2]).neg()'), 'mind the sign'],
      ['not normalised', PICKED('logits', 'hot.mul(logP).sum([1, 2])'), 'not normalised'],
      ['a small number added', PICKED('tf.softmax(logits).add(1e-9).log()', 'hot.mul(logP).sum([1, 2])'), 'nothing is added'],
      ['the logarithm of a softmax', PICKED('tf.softmax(logits).log()', 'tf.where(hot.equal(1), logP, 0).sum([1, 2])'), 'underflows'],
      ['probabilities', PICKED('tf.softmax(logits)', 'hot.mul(logP).sum([1, 2])'), 'the logarithm of each'],
      ['seventeen values', 'return tf.oneHot(x.toInt() as tf.Tensor2D, 17).toFloat().mul(tf.logSoftmax(logits.pad([[0, 0], [0, 0], [0, 17 - logits.shape[2]!]]))).sum([1, 2]);'],
    ),
    ...answersTo(
      'ar.inOrder',
      ['not undone', 'return network(tf.gather(x, [...order], 1));', 'put the rows back'],
      ['undone by the order', 'return tf.gather(network(tf.gather(x, [...order], 1)), [...order], 1);', 'by the inverse'],
      ['picture as it is', 'const place = order.map((_, p) => order.indexOf(p)); return tf.gather(network(x), place, 1);', 'before the network reads it'],
      ['exchanged', 'const place = order.map((_, p) => order.indexOf(p)); return tf.gather(network(tf.gather(x, place, 1)), [...order], 1);', 'exchanged'],
      ['only reversals', 'return order[0] === 0 ? network(x) : network(x.reverse(1)).reverse(1);'],
      ['sorted as text', 'const place = order.map((pixel, i) => [pixel, i]).sort().map(([, i]) => i!); return tf.gather(network(tf.gather(x, [...order], 1)), place, 1);'],
    ),
    ...answersTo(
      'ar.causalConv',
      ['same padding', CONV('[Math.floor(span / 2), Math.ceil(span / 2)]', 'span - k * dilation'), 'none after the end'],
      ['reversed taps', CONV('[span, 0]', 'k * dilation'), 'in reverse'],
      ['no dilation', CONV('[span, 0]', 'span - k'), 'one dilation apart'],
      ['from the future', CONV('[0, span]', 'k * dilation'), 'from the future'],
      ['the start repeated', 'const X = x.arraySync() as number[][][], W = w.arraySync() as number[][][]; return tf.tensor3d(X.map((rows) => rows.map((_, t) => W[0]![0]!.map((__, o) => W.reduce((s, tap, k) => s + rows[Math.max(0, t - k * dilation)]!.reduce((q, v, c) => q + v * tap[c]![o]!, 0), 0)))));', 'first step again'],
      ['three taps only', CONV('[2 * dilation, 0]', 'Math.max(0, 2 * dilation - k * dilation)')],
    ),
    ...answersTo(
      'ar.kernelMask',
      ['A sees itself', MASK('r < m || (r === m && c <= m)'), 'hides the pixel itself'],
      ['B does not', MASK('r < m || (r === m && c < m)'), 'counts the pixel itself'],
      ['up and left', MASK('r <= m && c <= m && (kind === "B" || r < m || c < m)'), 'to the right of the centre'],
      ['columns', MASK('c < m || (c === m && r < m) || (kind === "B" && r === m && c === m)'), '[row][column]'],
      ['after', MASK('r > m || (r === m && c > m) || (kind === "B" && r === m && c === m)'), 'not what comes after'],
      ['rows above alone', MASK('r < m || (kind === "B" && r === m && c === m)'), 'in its own row'],
      ['five by five', 'return kind === "A" ? [[1, 1, 1], [1, 0, 0], [0, 0, 0]] : [[1, 1, 1], [1, 1, 0], [0, 0, 0]];'],
    ),
    ...answersTo(
      'ar.stepsBack',
      ['no move', 'return (kernel - 1) * dilations.reduce((a, b) => a + b, 0);', 'moved by one step'],
      ['kernel', 'return 1 + kernel * dilations.reduce((a, b) => a + b, 0);', 'K − 1 dilations'],
      ['the largest', 'return 1 + (kernel - 1) * Math.max(0, ...dilations);', 'adds up'],
      ['layers', 'return 1 + (kernel - 1) * dilations.length;', 'one dilation apart'],
      ['doubling', 'return 1 + (kernel - 1) * (2 ** dilations.length - 1);'],
      ['three taps', 'return 1 + 2 * dilations.reduce((a, b) => a + b, 0);'],
    ),
    ...answersTo(
      'ar.draw',
      ['one pass', DRAW(BY_LOOP, 'tf.zerosLike(x)'), 'ask the network anew'],
      ['row before', DRAW(BY_LOOP, 'x', 'Math.max(0, d - 1)'), 'predicts place d itself'],
      ['greedy', DRAW('p.indexOf(Math.max(...p))'), 'not the likeliest'],
      ['same noise', DRAW(BY_LOOP, 'x', 'd', 'U[n]![0]!'), 'noise of its own'],
      ['strictly below', DRAW('(() => { let s = p[0]!; let v = 0; while (s < noise && v < p.length - 1) s += p[++v]!; return v; })()'), 'equal to u'],
      ['three values', DRAW('Math.min(2, p.filter((_, v) => p.slice(0, v + 1).reduce((a, b) => a + b, 0) <= noise).length)')],
    ),
    ...answersTo(
      'ar.parallel',
      ['from zeros', PASS('tf.zerosLike(u)'), 'not from zeros'],
      ['all the way', PASS('x', 'u.shape[1]!')],
      ['one more', PASS('x', 'passes + 1')],
      ['greedy', PASS('x', 'passes', 'p.argMax(2).toFloat()')],
      ['in order', PASS('x', 'passes', 'tf.where(tf.range(0, u.shape[1]!).equal(i), passed.sum(2).minimum(p.shape[2]! - 1).toFloat(), x)'), 'all places at once'],
      ['not cumulated', 'let x: tf.Tensor = tf.zerosLike(u); for (let i = 0; i < passes; i++) { const p = tf.softmax(network(x)); x = p.lessEqual(u.expandDims(2)).sum(2).minimum(p.shape[2]! - 1).toFloat(); } return x;'],
    ),
    ...answersTo(
      'ar.temperature',
      ['cancels', 'const p = tf.softmax(logits).div(temperature); return p.div(p.sum(1, true));', 'cancels'],
      ['multiplied', 'return tf.softmax(logits.mul(temperature));', 'divide the logits'],
      ['twice', 'return tf.softmax(logits.div(temperature).div(temperature));', 'counts once'],
      ['not normalised', 'return tf.softmax(logits).pow(1 / temperature);', 'normalised again'],
      ['powers', 'const q = tf.softmax(logits).pow(1 / temperature); return q.div(q.sum(1, true));'],
      ['a least temperature', 'return tf.softmax(logits.div(Math.max(temperature, 0.05)));'],
    ),
    ...answersTo(
      'ar.attend',
      ['as given', SEEN('tf.range(0, all).greater(tf.range(0, S).expandDims(1))'), 'lower right corner'],
      ['no mask with memory', SEEN('tf.range(0, all).greater((all > S ? tf.fill([S], all) : tf.range(0, S)).expandDims(1))'), 'none sees those that come after it'],
      ['not itself', SEEN('tf.range(0, all).greater(tf.range(all - S, all).sub(1).maximum(0).expandDims(1))'), 'sees itself'],
      ['the next', SEEN('tf.range(0, all).greater(tf.range(all - S, all).add(1).expandDims(1))'), 'lies ahead'],
      ['nothing masked', SEEN('tf.zeros([S, all], "bool")')],
      ['a large number', 'const now = tf.range(all - S, all).expandDims(1); const mask = tf.range(0, all).greater(now).toFloat().mul(-1e9); return tf.softmax(q.matMul(k, false, true).div(Math.sqrt(d)).add(mask)).matMul(v); const ahead = mask;', '−Infinity'],
    ),
    ...answersTo(
      'ar.coldChoice',
      ['factors always', 'const [a, b] = [p ** (1 / tau), (1 - p) ** (1 / tau)]; return a / (a + b);', 'pairs are added up'],
      ['the power tau', COLD('n * (p / n) ** tau', 'm * ((1 - p) / m) ** tau'), 'not τ'],
      ['one pair', COLD('(p / n) ** (1 / tau)', '((1 - p) / m) ** (1 / tau)')],
      ['not normalised', COLD('n * (p / n) ** (1 / tau)', 'm * ((1 - p) / m) ** (1 / tau)', 'a')],
      ['the other value', COLD('n * (p / n) ** (1 / tau)', 'm * ((1 - p) / m) ** (1 / tau)', 'b / (a + b)')],
      ['p itself', 'return p;', 'this is p itself'],
    ),
  ],
}; // prettier-ignore
