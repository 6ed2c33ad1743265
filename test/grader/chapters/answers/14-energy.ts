import { answersTo, type TriedAnswers } from './answer';

const FREE = (of: string, a = 'tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D).add(c)') => `
  const a = ${a};
  return ${of};`;
const GIBBS = ({
  h = 'u.h.less(p).toFloat()',
  p = 'x.matMul(w).add(c).sigmoid()',
  q = 'h.matMul(w.transpose()).add(b).sigmoid()',
  x = 'u.x.less(q).toFloat()',
} = {}) => `
  const p = ${p};
  const h = ${h};
  const q = ${q};
  return ${x};`;
const GRADIENT = ({
  h = 'v.matMul(w).add(c).sigmoid()',
  of = 'data, model',
  w = 'of(A, (v, h) => v.transpose().matMul(h)).sub(of(Z, (v, h) => v.transpose().matMul(h)))',
  sign = '',
  n = 'v.shape[0]!',
} = {}) => `
  const [A, Z] = [${of}];
  const hOf = (v: tf.Tensor) => ${h};
  const of = (v: tf.Tensor, f: (v: tf.Tensor, h: tf.Tensor) => tf.Tensor) => f(v, hOf(v)).div(${n});
  const part = (f: (v: tf.Tensor, h: tf.Tensor) => tf.Tensor) => of(A!, f).sub(of(Z!, f))${sign};
  return { w: (${w})${sign}, b: part((v) => v.sum(0)), c: part((_, h) => h.sum(0)) };`;
const NOISE = ({
  g = 'd.model.sub(logZ).sub(d.noise).sub(Math.log(nu))',
  real = 'g(data).neg().softplus().mean()',
  made = 'g(draws).softplus().mean().mul(nu)',
  nu = 'draws.model.shape[0]! / data.model.shape[0]!',
  all = 'real.add(made)',
} = {}) => `
  const nu = ${nu};
  const g = (d: { model: tf.Tensor; noise: tf.Tensor }) => ${g};
  const real = ${real};
  const made = ${made};
  return ${all};`;
const ANNEAL = ({
  w = 'gains.sum(0).add(logZ0)',
  z = 'tf.logSumExp(logs).dataSync()[0]! - Math.log(M)',
  spread = 'Math.exp(v - top)',
  error = 'Math.sqrt(weights.reduce((s, v) => s + (v - mean) ** 2, 0) / (M - 1) / M) / mean',
} = {}) => `
  const logs = ${w};
  const values = Array.from(logs.dataSync());
  const M = values.length;
  const top = Math.max(...values);
  const weights = values.map((v) => ${spread});
  const mean = weights.reduce((s, v) => s + v, 0) / M;
  return { logZ: ${z}, error: ${error} };`;
const REFRESH = ({
  start = 'tf.where(chains.u.reshape([-1, 1]).less(restart), chains.fresh, chains.buffer)',
  slope = 'tf.grad((at: tf.Tensor) => energy(at).sum())(x)',
  move = 'x.sub(slope.mul(eta)).add(noise.mul((2 * eta) ** 0.5))',
  noise = 'tf.unstack(chains.noise)[k]!',
} = {}) => `
  let x: tf.Tensor = ${start};
  for (let k = 0; k < chains.noise.shape[0]!; k++) {
    const slope = ${slope};
    const noise = ${noise};
    x = ${move};
  }
  return x;`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'energy.free',
      ['softplus', FREE('a.softplus().sum(1).add(x.mul(b).sum(1))')],
      ['by a column', FREE('tf.add(x.matMul(b.expandDims(1)).squeeze([1]), tf.sum(tf.softplus(a), 1))')],
      ['log of a sum of exps by unit', FREE('tf.maximum(a, 0).add(a.abs().neg().exp().log1p()).sum(1).add(x.mul(b).sum(1))')],
      ['by log sigmoid', FREE('tf.logSigmoid(a.neg()).sum(1).neg().add(x.mul(b).sum(1))')],
      ['over h = 0 and 1', FREE('tf.stack([tf.zerosLike(a), a], 2).logSumExp(2).sum(1).add(x.mul(b).sum(1))')],
    ),
    ...answersTo(
      'energy.gibbs',
      ['in turn', GIBBS()],
      ['where', GIBBS({ h: 'tf.where(u.h.less(p), tf.onesLike(p), tf.zerosLike(p))' })],
      ['by the difference', GIBBS({ x: 'q.sub(u.x).sign().relu()' })],
      ['greater', GIBBS({ h: 'p.greater(u.h).cast(\'float32\')', x: 'q.greater(u.x).cast(\'float32\')' })],
    ),
    ...answersTo(
      'energy.gradient',
      ['of both phases', GRADIENT()],
      ['by the gradient', 'const F = (W: tf.Tensor, B: tf.Tensor, C: tf.Tensor, v: tf.Tensor) => v.mul(B).sum(1).add(v.matMul(W).add(C).softplus().sum(1)).mean(); const [gw, gb, gc] = tf.grads((...[W, B, C]) => F(W!, B!, C!, data).sub(F(W!, B!, C!, model)))([w, b, c]); return { w: gw!, b: gb!, c: gc! };'],
      ['one by one', 'const half = (v: tf.Tensor) => { const h = v.matMul(w).add(c).sigmoid(); return { w: v.expandDims(2).mul(h.expandDims(1)).mean(0), b: v.mean(0), c: h.mean(0) }; }; const [p, q] = [half(data), half(model)]; return { w: p.w.sub(q.w), b: p.b.sub(q.b), c: p.c.sub(q.c) };'],
    ),
    ...answersTo(
      'energy.noise',
      ['softplus', NOISE()],
      ['log sigmoid', NOISE({ real: 'tf.logSigmoid(g(data)).mean().neg()', made: 'tf.logSigmoid(g(draws).neg()).mean().mul(-nu)' })],
      ['sums over B', NOISE({ real: 'g(data).neg().softplus().sum()', made: 'g(draws).softplus().sum()', all: 'real.add(made).div(data.model.shape[0]!)' })],
    ),
    ...answersTo(
      'energy.temperature',
      ['a logistic', 'const beta = (2 * alpha) / (sigma * sigma); return 1 / (1 + Math.exp(-beta * Math.log(ratio)));'],
      ['by the lower hill', 'const beta = (2 * alpha) / sigma ** 2; const low = Math.exp(-beta * Math.log(ratio)); return 1 - low / (1 + low);'],
      ['a power of the smaller', 'return 1 / (1 + (1 / ratio) ** ((2 * alpha) / sigma ** 2));'],
      ['by tanh', 'return 0.5 * (1 + Math.tanh((alpha / sigma ** 2) * Math.log(ratio)));'],
    ),
    ...answersTo(
      'energy.chains',
      ['expm1', 'return Math.ceil(Math.expm1(s * s) / (error * error));'],
      ['by the exponent taken out', 'return Math.ceil((Math.exp(2 * s ** 2 - s ** 2) - 1) * error ** -2);'],
      ['by moments', 'const [first, second] = [Math.exp(s ** 2 / 2), Math.exp(2 * s ** 2)]; return Math.ceil((second - first ** 2) / first ** 2 / error ** 2);'],
      ['a floor and one', 'return Math.floor((Math.exp(s ** 2) - 1) / error ** 2) + 1;'],
    ),
    ...answersTo(
      'energy.anneal',
      ['by hand', ANNEAL()],
      ['the library’s mean', ANNEAL({ z: 'logMeanExp(logs, 0).dataSync()[0]!' })],
      ['moments', 'const logW = gains.sum(0).add(logZ0); const top = logW.max(); const w = logW.sub(top).exp(); const M = w.size; const { mean, variance } = tf.moments(w); const [a, v] = [mean.dataSync()[0]!, variance.dataSync()[0]!]; return { logZ: top.dataSync()[0]! + Math.log(a), error: Math.sqrt(v / (M - 1)) / a };'],
    ),
    ...answersTo(
      'energy.refresh',
      ['a sum’s gradient', REFRESH()],
      ['with dy', REFRESH({ slope: 'tf.grad((at: tf.Tensor) => energy(at))(x, tf.onesLike(energy(x)))' })],
      ['by a mask', REFRESH({ start: 'chains.buffer.add(chains.fresh.sub(chains.buffer).mul(chains.u.less(restart).toFloat().expandDims(1)))' })],
      ['a slice', REFRESH({ noise: 'chains.noise.slice([k, 0, 0], [1, -1, -1]).squeeze([0])' })],
    ),
  ],
  wrong: [
    ...answersTo(
      'energy.free',
      ['the free energy', FREE('a.softplus().sum(1).add(x.mul(b).sum(1)).neg()'), 'its negative'],
      ['no visible bias', FREE('a.softplus().sum(1)'), 'b · x stands before'],
      ['no hidden bias', FREE('a.softplus().sum(1).add(x.mul(b).sum(1))', 'x.matMul(w)')],
      ['the best h', FREE('a.relu().sum(1).add(x.mul(b).sum(1))'), 'the best h'],
      ['all on', FREE('a.sum(1).add(x.mul(b).sum(1))')],
      ['σ', FREE('a.sigmoid().sum(1).add(x.mul(b).sum(1))')],
      ['means in the energy', FREE('a.mul(a.sigmoid()).sum(1).add(x.mul(b).sum(1))')],
      ['a mean', FREE('a.softplus().mean(1).add(x.mul(b).sum(1))')],
      ['overflow', FREE('a.exp().add(1).log().sum(1).add(x.mul(b).sum(1))')],
    ),
    ...answersTo(
      'energy.gibbs',
      ['mean-field h', GIBBS({ h: 'p' }), 'no Gibbs sampling'],
      ['mean-field x', GIBBS({ x: 'q' }), 'ends with 0 and 1'],
      ['above', GIBBS({ h: 'u.h.greater(p).toFloat()', x: 'u.x.greater(q).toFloat()' })],
      ['the likely', GIBBS({ h: 'p.greater(0.5).toFloat()', x: 'q.greater(0.5).toFloat()' })],
      ['no b', GIBBS({ q: 'h.matMul(w.transpose()).sigmoid()' })],
      ['no c', GIBBS({ p: 'x.matMul(w).sigmoid()' })],
      ['biases swapped', GIBBS({ p: 'x.matMul(w).add(b.mean()).sigmoid()', q: 'h.matMul(w.transpose()).add(c.mean()).sigmoid()' }) ],
      ['one u for both layers', GIBBS({ x: 'tf.fill(q.shape, 0.5).less(q).toFloat()' })],
      ['x stays', 'return x.clone();'],
    ),
    ...answersTo(
      'energy.gradient',
      ['the sign', GRADIENT({ sign: '.neg()' }), 'the sign'],
      ['data twice', GRADIENT({ of: 'data, data' }), 'from the model’s samples'],
      ['sums', GRADIENT({ n: '1' })],
      ['divided by N', GRADIENT({ n: 'data.shape[0]!' }), 'over its own examples'],
      ['logits', GRADIENT({ h: 'v.matMul(w).add(c)' }), 'probability given x'],
      ['no c', GRADIENT({ h: 'v.matMul(w).sigmoid()' })],
      ['hidden units of the data in both', GRADIENT({ w: 'data.matMul(hOf(data), true).div(data.shape[0]!).sub(model.mean(0).expandDims(1).matMul(hOf(model).mean(0).expandDims(0)))' })],
      ['softplus', GRADIENT({ h: 'v.matMul(w).add(c).softplus()' })],
      ['w alone the other way', GRADIENT({ w: 'of(Z, (v, h) => v.transpose().matMul(h)).sub(of(A, (v, h) => v.transpose().matMul(h)))' })],
    ),
    ...answersTo(
      'energy.noise',
      ['no ln ν', NOISE({ g: 'd.model.sub(logZ).sub(d.noise)' }), 'ν times as likely'],
      ['plus ln Z', NOISE({ g: 'd.model.add(logZ).sub(d.noise).sub(Math.log(nu))' }), 'the sign of ln Z'],
      ['no ln Z', NOISE({ g: 'd.model.sub(d.noise).sub(Math.log(nu))' }), 'ln Z is missing'],
      ['no q', NOISE({ g: 'd.model.sub(logZ).sub(Math.log(nu))' })],
      ['once', NOISE({ made: 'g(draws).softplus().mean()' }), 'count ν times'],
      ['negative', NOISE({ all: 'real.add(made).neg()' })],
      ['data alone', NOISE({ all: 'real' })],
      ['sigmoid before the logits', NOISE({ g: 'd.model.sub(logZ).sub(d.noise).sub(Math.log(nu)).sigmoid()' })],
      ['swapped', NOISE({ real: 'g(draws).neg().softplus().mean()', made: 'g(data).softplus().mean().mul(nu)' })],
      ['ν the other way', NOISE({ nu: 'data.model.shape[0]! / draws.model.shape[0]!' })],
    ),
    ...answersTo(
      'energy.temperature',
      ['T is 1', 'return ratio / (1 + ratio);', 'another density'],
      ['overflow', 'const r = ratio ** ((2 * alpha) / sigma ** 2); return r / (1 + r);', 'too large a number'],
      ['hot', 'return 1 / (1 + ratio ** (-(sigma ** 2) / (2 * alpha)));'],
      ['σ', 'return 1 / (1 + ratio ** (-(2 * alpha) / sigma));'],
      ['α', 'return 1 / (1 + ratio ** (-alpha / sigma ** 2));'],
      ['the lower', 'return 1 / (1 + ratio ** ((2 * alpha) / sigma ** 2));'],
      ['always', 'return 1;'],
    ),
    ...answersTo(
      'energy.chains',
      ['of the logs', 'return Math.ceil(s ** 2 / error ** 2);', 'variance of ln w'],
      ['the moment', 'return Math.ceil(Math.exp(s ** 2) / error ** 2);', '−1 is missing'],
      ['error once', 'return Math.ceil(Math.expm1(s ** 2) / error);'],
      ['2 s²', 'return Math.ceil(Math.expm1(2 * s ** 2) / error ** 2);'],
      ['s', 'return Math.ceil(Math.expm1(s) / error ** 2);'],
      ['1 / error²', 'return Math.ceil(1 / error ** 2);'],
    ),
    ...answersTo(
      'energy.anneal',
      ['logs averaged', ANNEAL({ z: 'values.reduce((s, v) => s + v, 0) / M' }), 'ln of the mean'],
      ['no Z₀', ANNEAL({ w: 'gains.sum(0)' })],
      ['a sum', ANNEAL({ z: 'tf.logSumExp(logs).dataSync()[0]!' })],
      ['the mean of a chain', ANNEAL({ w: 'gains.mean(0).add(logZ0)' })],
      ['the spread of logs', ANNEAL({ error: 'Math.sqrt(values.reduce((s, v) => s + (v - values.reduce((a, b) => a + b) / M) ** 2, 0) / (M - 1) / M)' })],
      ['of one', ANNEAL({ error: 'Math.sqrt(weights.reduce((s, v) => s + (v - mean) ** 2, 0) / (M - 1)) / mean' })],
      ['variance of the logs at their level', ANNEAL({ error: 'Math.sqrt(values.reduce((s, v) => s + (v - top) ** 2, 0) / (M - 1) / M)' })],
      ['not divided', ANNEAL({ spread: 'Math.exp(v)', error: 'Math.sqrt(weights.reduce((s, v) => s + (v - mean) ** 2, 0) / (M - 1) / M)' })],
      ['overflow', ANNEAL({ z: 'Math.log(values.reduce((s, v) => s + Math.exp(v), 0) / M)' })],
    ),
    ...answersTo(
      'energy.refresh',
      ['as given', REFRESH({ start: 'chains.buffer', move: 'x.add(slope.mul(eta)).add(noise.mul(eta))', noise: 'tf.gather(chains.noise, 0)' })],
      ['uphill', REFRESH({ move: 'x.add(slope.mul(eta)).add(noise.mul((2 * eta) ** 0.5))' }), 'down in energy'],
      ['η', REFRESH({ move: 'x.sub(slope.mul(eta)).add(noise.mul(eta))' })],
      ['√η', REFRESH({ move: 'x.sub(slope.mul(eta)).add(noise.mul(eta ** 0.5))' })],
      ['noise as published', REFRESH({ move: 'x.sub(slope.mul(eta)).add(noise.mul(0.005))' })],
      ['noise scaled by the slope’s step', REFRESH({ move: 'x.sub(slope.sub(noise).mul(eta))' })],
      ['the mean energy’s slope', REFRESH({ slope: 'tf.grad((at: tf.Tensor) => energy(at).mean())(x)' })],
      ['no noise', REFRESH({ move: 'x.sub(slope.mul(eta))' })],
      ['one noise', REFRESH({ noise: 'tf.gather(chains.noise, 0)' })],
      ['never anew', REFRESH({ start: 'chains.buffer' })],
      ['all anew', REFRESH({ start: 'chains.fresh' })],
      ['the other ones', REFRESH({ start: 'tf.where(chains.u.reshape([-1, 1]).greaterEqual(restart), chains.fresh, chains.buffer)' })],
    ),
  ],
}; // prettier-ignore
