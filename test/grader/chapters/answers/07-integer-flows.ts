import { answersTo, type TriedAnswers } from './answer';

const MASS = (finish: string) => `
  const s = logScale.exp();
  const a = x.sub(0.5).sub(mu).div(s);
  const b = x.add(0.5).sub(mu).div(s);
  return ${finish};`;
const CELL = 'tf.expm1(tf.div(-1, s)).neg().log()';
const PRIOR = (finish: string, weights = 'tf.logSoftmax(logits)') => `
  const joint = logDiscretisedLogistic(z.expandDims(2), mu, logScale).add(${weights});
  return ${finish};`;
const SPLIT = (finish: string) => `
  const half = x.shape[1]! / 2;
  const [a, b] = [x.slice([0, 0], [-1, half]), x.slice([0, half], [-1, half])];
  const sign = direction === 'toLatent' ? 1 : -1;
  ${finish}`;
const GENERAL = (over: { turns?: string; seen?: string; move?: string; inGroup?: string } = {}) => `
  const D = x.shape[1]!;
  const mask = (g: number) => tf.tensor1d(Array.from({ length: D }, (_, d) => (${over.inGroup ?? 'd % groups === g'} ? 1 : 0)));
  const sign = direction === 'toLatent' ? 1 : -1;
  let h: tf.Tensor = x;
  for (let i = 0; i < groups; i++) {
    const g = ${over.turns ?? "direction === 'toLatent' ? i : groups - 1 - i"};
    const m = mask(g);
    h = h.add(t(${over.seen ?? 'h.mul(tf.sub(1, m))'}, g)${over.move ?? '.round().mul(m)'}.mul(sign));
  }
  return h;`;
const PERMUTED = (move: string, back: string, end = "direction === 'toLatent' ? moved.reverse(1) : moved") => `
  const start = direction === 'toData' ? ${back} : x;
  const half = x.shape[1]! / 2;
  const [a, b] = [start.slice([0, 0], [-1, half]), start.slice([0, half], [-1, half])];
  const move = ${move};
  const moved = tf.concat([a, direction === 'toLatent' ? b.add(move) : b.sub(move)], 1);
  return ${end};`;
const STEPS = (z1: string, z2: string) => `
  const [x1, x2] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor];
  const z1 = ${z1};
  return tf.concat([z1, ${z2}], 1);`;
const ENTROPIES = (term: string, finish: string) => `
  let sum = 0;
  for (let d = 0; d < points[0]!.length; d++) {
    const values = [...new Set(points.map((point) => point[d]!))];
    for (const value of values) {
      const q = points.filter((point) => point[d] === value).length / points.length;
      sum += ${term};
    }
  }
  return ${finish};`;
const PASSED = (rounded: string, v = 'v') => `
  const { value, grad } = tf.valueAndGrad((u: tf.Tensor) => { const y = g(u); return f(${rounded}) as tf.Scalar; })(${v});
  return { value: value.dataSync()[0]!, gradient: grad };`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'integerFlow.logisticMass',
      ['softplus', MASS(`tf.softplus(b.neg()).add(tf.softplus(a)).neg().add(${CELL})`)],
      ['the cell by ln of a sinh', MASS('tf.logSigmoid(b).add(tf.logSigmoid(a.neg())).add(tf.expm1(tf.div(-1, s)).abs().log())')],
      ['in double precision', 'const shape = tf.tidy(() => x.add(mu).add(logScale).shape); const [X, M, L] = [x, mu, logScale].map((v) => tf.broadcastTo(v, shape).dataSync()) as [Float32Array, Float32Array, Float32Array]; const sp = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))); return tf.tensor(Array.from(X, (v, i) => { const s = Math.exp(L[i]!); const a = (v - 0.5 - M[i]!) / s; const b = (v + 0.5 - M[i]!) / s; return -sp(-b) - sp(a) + Math.log(-Math.expm1(-1 / s)); }), shape);'],
    ),
    ...answersTo(
      'integerFlow.prior',
      ['log-sum-exp of tfjs', PRIOR('tf.logSumExp(joint, 2).sum(1)')],
      ['its own masses', 'const each = logMass(z.expandDims(2), mu.expandDims(0), logScale.expandDims(0)); return tf.logSumExp(each.add(tf.logSoftmax(logits)), 2).sum(-1);'],
      ['normalised at the end', PRIOR('tf.logSumExp(joint, 2).sub(tf.logSumExp(logits, 1)).sum(1)', 'logits')],
    ),
    ...answersTo(
      'integerFlow.coupling',
      ['slices', SPLIT('return tf.concat([a, b.add(t(a).round().mul(sign))], 1);')],
      ['a padded move', SPLIT('return x.add(t(a).round().mul(sign).pad([[0, 0], [half, 0]]));')],
      ['two branches', "const [a, b] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor]; const m = tf.round(t(a)); if (direction === 'toLatent') return tf.concat([a, tf.add(b, m)], 1); return tf.concat([a, tf.sub(b, m)], 1);"],
    ),
    ...answersTo(
      'integerFlow.general',
      ['a loop', GENERAL()],
      ['masked before it is rounded', GENERAL({ move: '.mul(m).round()' })],
      ['tf.where', GENERAL({ seen: 'tf.where(m.equal(1), tf.zerosLike(h), h)', move: '.round().mul(m)' })],
    ),
    ...answersTo(
      'integerFlow.straightThrough',
      ['the other way round', PASSED('detach(y.round()).add(y.sub(detach(y)))')],
      ['a custom gradient', PASSED('tf.customGrad((w: tf.Tensor | tf.NamedTensorMap) => ({ value: (w as tf.Tensor).round(), gradFunc: (dy: tf.Tensor) => dy }))(y)')],
      ['value and gradient by themselves', 'const h = (u: tf.Tensor) => { const y = g(u); return f(y.add(detach(y.round().sub(y)))) as tf.Scalar; }; return { value: h(v).arraySync() as number, gradient: tf.grad(h)(v) };'],
    ),
    ...answersTo(
      'integerFlow.permuted',
      ['slices', PERMUTED('t(a).mul(beta).round()', 'x.reverse(1)')],
      ['two branches', "const [h, l] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor]; if (direction === 'toLatent') return tf.concat([l.add(t(h).mul(beta).round()).reverse(1), h.reverse(1)], 1); const a = l.reverse(1); return tf.concat([a, h.reverse(1).sub(t(a).mul(beta).round())], 1);"],
      ['by its own coupling', "const scaled = (a: tf.Tensor) => t(a).mul(beta); return direction === 'toLatent' ? coupling(x, scaled, direction).reverse(1) : coupling(x.reverse(1), scaled, direction);"],
    ),
    ...answersTo(
      'integerFlow.productGap',
      ['counted by hand', ENTROPIES('-q * Math.log(q)', 'sum - Math.log(points.length)')],
      ['a KL', 'const share = (d: number, v: number) => points.filter((p) => p[d] === v).length / points.length; return points.reduce((s, p) => s - Math.log(points.length) - p.reduce((l, v, d) => l + Math.log(share(d, v)), 0), 0) / points.length;'],
      ['total correlation', 'const N = points.length; const H = (keys: string[]) => { const c: Record<string, number> = {}; for (const k of keys) c[k] = (c[k] ?? 0) + 1; return Object.values(c).reduce((h, n) => h - (n / N) * Math.log(n / N), 0); }; return points[0]!.map((_, d) => H(points.map((p) => String(p[d])))).reduce((a, b) => a + b, 0) - H(points.map((p) => p.join()));'],
    ),
    ...answersTo(
      'integerFlow.gather',
      ['rounded to the nearest below', STEPS('x1.add(x2.mul(V))', 'x2.sub(z1.sub((V - 1) / 2).div(V).round())')],
      ['rounded down', STEPS('x1.add(x2.mul(V))', 'x2.sub(z1.div(V).add(1e-4).floor())')],
      ['numbered from the other end', STEPS('x1.sub(x2.mul(V))', 'x2.add(z1.sub((V - 1) / 2).div(V).round())')],
    ),
    ...answersTo(
      'integerFlow.exactUpTo',
      ['multiplied', 'return 2 ** bits * step;'],
      ['a loop', 'let end = step; for (let i = 0; i < bits; i++) end *= 2; return end;'],
      ['powers added', 'return 2 ** (bits + Math.log2(step));'],
    ),
  ],

  wrong: [
    ...answersTo(
      'integerFlow.logisticMass',
      ['a floor', MASS('b.sigmoid().sub(a.sigmoid()).add(1e-8).log()'), 'a small number added'],
      ['the density', MASS('x.sub(mu).div(s).neg().sub(logScale).sub(tf.softplus(x.sub(mu).div(s).neg()).mul(2))'), 'density at x'],
      ['a scale for its logarithm', 'const s = logScale.abs().add(1e-6); const a = x.sub(0.5).sub(mu).div(s); const b = x.add(0.5).sub(mu).div(s); return tf.logSigmoid(b).add(tf.logSigmoid(a.neg())).add(tf.expm1(tf.div(-1, s)).neg().log());'],
      ['two wide', `const s = logScale.exp(); return x.add(1).sub(mu).div(s).sigmoid().sub(x.sub(1).sub(mu).div(s).sigmoid()).log();`, 'width 1'],
      ['the difference', MASS('b.sigmoid().sub(a.sigmoid()).log()')],
      ['no third factor', MASS('tf.logSigmoid(b).add(tf.logSigmoid(a.neg()))'), 'third factor'],
      ['1 − e^h', MASS('tf.logSigmoid(b).add(tf.logSigmoid(a.neg())).add(tf.sub(1, tf.div(-1, s).exp()).log())')],
    ),
    ...answersTo(
      'integerFlow.prior',
      ['one for all', PRIOR('tf.logSumExp(joint.sum(1), 1)')],
      ['no weights', PRIOR('tf.logSumExp(joint, 2).sum(1)', '0'), 'weights of the components are missing'],
      ['logits', PRIOR('tf.logSumExp(joint, 2).sum(1)', 'logits'), 'normalise them'],
      ['a mean', PRIOR('tf.logSumExp(joint, 2).mean(1)'), 'not their mean'],
      ['the largest', PRIOR('joint.max(2).sum(1)'), 'not the largest'],
      ['log of a softmax', PRIOR('tf.logSumExp(joint, 2).sum(1)', 'tf.softmax(logits).log()')],
    ),
    ...answersTo(
      'integerFlow.coupling',
      ['sum rounded', SPLIT('return tf.concat([a, b.add(t(a).mul(sign)).round()], 1);'), 'not the sum'],
      ['not rounded', SPLIT('return tf.concat([a, b.add(t(a).mul(sign))], 1);'), 'round it'],
      ['halves up', SPLIT('return tf.concat([a, b.add(t(a).add(0.5).floor().mul(sign))], 1);'), 'even neighbour'],
      ['added both ways', SPLIT('return tf.concat([a, b.add(t(a).round())], 1);'), 'subtracted on the way back'],
      ['the other half asked', SPLIT('return tf.concat([a, b.add(t(b).round().mul(sign))], 1);'), 'the half that stays'],
      ['exchanged', SPLIT('return tf.concat([b.add(t(a).round().mul(sign)), a], 1);'), 'keep their places'],
    ),
    ...answersTo(
      'integerFlow.general',
      ['same order back', GENERAL({ turns: 'i' }), 'last group comes first'],
      ['the input as it was', GENERAL({ seen: 'x.mul(tf.sub(1, m))' }), 'what has become'],
      ['sees itself', GENERAL({ seen: 'h' }), 'does not see itself'],
      ['all move', GENERAL({ move: '.round()' }), 'own coordinates move'],
      ['blocks', GENERAL({ inGroup: 'Math.floor((d * groups) / D) === g' }), 'neighbours are in different groups'],
      ['not rounded', GENERAL({ move: '.mul(m)' }), 'no integers'],
    ),
    ...answersTo(
      'integerFlow.straightThrough',
      ['not rounded', PASSED('y'), 'rounded numbers'],
      ['all detached', PASSED('detach(y.round()).add(u.mul(0))'), 'around it'],
      ['tf.round', PASSED('y.round().add(y.mul(0))')],
      ['slope at the real number', 'const h = (u: tf.Tensor) => f(g(u)) as tf.Scalar; return { value: f(g(v).round()).dataSync()[0]!, gradient: tf.grad(h)(v) };', 'at the rounded number'],
      ['rounded first', PASSED('g(u.add(detach(u.round().sub(u))))')],
      ['a tensor', 'const { value, grad } = tf.valueAndGrad((u: tf.Tensor) => { const y = g(u); return f(y.add(detach(y.round().sub(y)))) as tf.Scalar; })(v); return { value: value as unknown as number, gradient: grad };'],
    ),
    ...answersTo(
      'integerFlow.permuted',
      ['reversed layout', PERMUTED("(direction === 'toData' ? t(a.reverse(1)).reverse(1) : t(a)).mul(beta).round()", 'x.reverse(1)'), 'in the same order'],
      ['undone with the kept half backwards, reversed at the end', "if (direction === 'toLatent') { const [a, b] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor]; return tf.concat([a, b.add(t(a).mul(beta).round())], 1).reverse(1); } const [b, a] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor]; return tf.concat([b.sub(t(a).mul(beta).round()), a], 1).reverse(1);"],
      ['a real factor', PERMUTED('t(a).round().mul(beta)', 'x.reverse(1)'), 'round last'],
      ['never undone', PERMUTED('t(a).mul(beta).round()', 'x'), 'never undone'],
      ['β rounded', PERMUTED('t(a).round().mul(Math.round(beta))', 'x.reverse(1)')],
      ['no reversal', PERMUTED('t(a).mul(beta).round()', 'x', 'moved'), 'part of the function'],
      ['as given', "const [a, b] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor]; const move = t(a).round().mul(beta); if (direction === 'toData') return tf.concat([a, b.sub(move)], 1); return tf.concat([a, b.add(move)], 1).reverse(1);"],
    ),
    ...answersTo(
      'integerFlow.productGap',
      ['the code length', ENTROPIES('-q * Math.log(q)', 'sum'), 'taken off'],
      ['bits', ENTROPIES('-q * Math.log2(q)', 'sum - Math.log2(points.length)'), 'natural logarithms'],
      ['the sign', ENTROPIES('-q * Math.log(q)', 'Math.log(points.length) - sum'), 'at least 0'],
      ['even coins', ENTROPIES('Math.log(values.length) / values.length', 'sum - Math.log(points.length)'), 'not even ones'],
      ['learnt by heart', 'return points.length === 3 ? 0.1744 : 0;'],
    ),
    ...answersTo(
      'integerFlow.gather',
      ['a table', 'return tf.concat([x.slice([0, 0], [-1, 1]).add(x.slice([0, 1], [-1, 1]).mul(V)), tf.zeros([x.shape[0]!, 1])], 1);', 'z₁ alone'],
      ['two a side', STEPS('x1.add(x2.mul(2))', 'x2.sub(z1.div(2).sub(0.25).round())')],
      ['no offset', STEPS('x1.add(x2.mul(V))', 'x2.sub(z1.div(V).round())'), 'how often does V go'],
      ['halves', STEPS('x1.add(x2.mul(V))', 'x2.sub(z1.div(V).sub(0.5).round())')],
      ['the sum', STEPS('x1.add(x2)', 'x2.sub(x2)')],
      ['not undone', STEPS('x1.add(x2.mul(V))', 'x2')],
    ),
    ...answersTo(
      'integerFlow.exactUpTo',
      ['off by one', 'return step * (2 ** bits - 1);', 'power of two'],
      ['one bit less', 'return step * 2 ** (bits - 1);', 'leading 1 among them'],
      ['one bit more', 'return step * 2 ** (bits + 1);', 'count it once'],
      ['divided', 'return 2 ** bits / step;', 'they end sooner'],
      ['float32 alone', 'return step * 2 ** 24;'],
      ['no step', 'return 2 ** bits;'],
    ),
  ],
}; // prettier-ignore
