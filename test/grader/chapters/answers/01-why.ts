import { answersTo, type TriedAnswers } from './answer';

const DECIDE = (posterior: string, logP: string, joint = 'logGiven.add(logPrior)') =>
  `const joint = ${joint}; return { posterior: ${posterior}, logP: ${logP} };`;
const RULE = (share: string, decline: string, best = 'posterior.argMax(1)') =>
  `const share = ${share}; return tf.where(${decline}, tf.scalar(-1, 'int32'), ${best});`;
const AT_MOST = 'heldOut.expandDims(0).lessEqual(logP.expandDims(1)).toFloat().mean(1)';
const ALL = `const D = b.shape[0]!; const x = tf.tensor2d(Array.from({ length: 2 ** D }, (_, n) => Array.from({ length: D }, (_, d) => (n >> d) & 1)), [2 ** D, D]);`;
const F = 'x.matMul(J).mul(x).sum(1).mul(0.5).add(x.mul(b).sum(1))';
const STEPS = (step: string, start = '[0, b[0]!]', end = 'add(off, on)') => `
  const add = (p: number, q: number) => Math.max(p, q) + Math.log1p(Math.exp(-Math.abs(p - q)));
  let [off, on] = ${start} as [number, number];
  for (let d = 1; d < b.length; d++) [off, on] = ${step};
  return ${end};`;
const ONE_STEP = '[add(off, on), add(off, on + J[d - 1]!) + b[d]!]';
const SIGNS = (shuffledH: number, shuffledM: number, black: number) =>
  `return { 'shuffled, histogram': ${shuffledH}, 'shuffled, mixture': ${shuffledM}, 'all black, histogram': ${black} }[which] as -1 | 0 | 1;`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'why.decide',
      ['softmax and tf.logSumExp', DECIDE('tf.softmax(joint)', 'tf.logSumExp(joint, 1)')],
      [
        'the largest taken out by hand',
        'const joint = logGiven.add(logPrior); const m = joint.max(1, true); const e = joint.sub(m).exp(); const s = e.sum(1, true); return { posterior: e.div(s), logP: s.log().add(m).squeeze([1]) };',
      ],
      ['exp of a log-softmax', DECIDE('tf.logSoftmax(joint).exp()', 'logSumExp(joint, 1)')],
    ),
    ...answersTo(
      'why.declinedShare',
      ['counting ranks', 'let n = 0; for (let j = 0; j <= N; j++) if (j / N < alpha) n++; return n / (N + 1);'],
      ['as it stands', 'return Math.ceil(alpha * N) / (N + 1);'],
      [
        'one less the rest',
        'let kept = 0; for (let j = 0; j <= N; j++) if (j / N >= alpha) kept++; return 1 - kept / (N + 1);',
      ],
    ),
    ...answersTo(
      'why.decideOrDecline',
      [
        'loops',
        'const P = posterior.arraySync() as number[][], L = logP.dataSync(), H = heldOut.dataSync(); return tf.tensor1d(P.map((row, n) => (H.filter((h) => h <= L[n]!).length / H.length < alpha ? -1 : row.indexOf(Math.max(...row)))), "int32");',
      ],
      [
        'one less the share above',
        RULE('tf.sub(1, heldOut.expandDims(0).greater(logP.expandDims(1)).toFloat().mean(1))', 'share.less(alpha)'),
      ],
      [
        'a sum of whole numbers',
        `const count = heldOut.expandDims(0).lessEqual(logP.expandDims(1)).toInt().sum(1); return tf.where(count.less(alpha * heldOut.size), tf.fill(logP.shape, -1, 'int32'), posterior.argMax(1));`,
      ],
    ),
    ...answersTo(
      'why.adversarial',
      [
        'valueAndGrad',
        'const { grad } = tf.valueAndGrad((z: tf.Tensor) => loss(z) as tf.Scalar)(x); return x.add(grad.sign().mul(epsilon)).clipByValue(0, largest);',
      ],
      ['minimum and maximum', 'return tf.grad(loss)(x).sign().mul(epsilon).add(x).maximum(0).minimum(largest);'],
      [
        'by cases',
        'const g = tf.grad(loss)(x); const s = g.greater(0).toFloat().sub(g.less(0).toFloat()); return x.add(s.mul(epsilon)).clipByValue(0, largest);',
      ],
    ),
    ...answersTo(
      'why.logPartition',
      [
        'above the diagonal',
        `${ALL} const U = tf.linalg.bandPart(J, 0, -1); return tf.logSumExp(x.matMul(U).mul(x).sum(1).add(x.mul(b).sum(1)));`,
      ],
      [
        'loops',
        'const B = b.arraySync() as number[], M = J.arraySync() as number[][]; const f = Array.from({ length: 2 ** B.length }, (_, n) => { let s = 0; for (let d = 0; d < B.length; d++) if ((n >> d) & 1) { s += B[d]!; for (let e = 0; e < d; e++) if ((n >> e) & 1) s += M[d]![e]!; } return s; }); const m = Math.max(...f); return tf.scalar(m + Math.log(f.reduce((s, v) => s + Math.exp(v - m), 0)));',
      ],
      ['one pixel after the other', `${ALL} return logSumExp(${F}, 0);`],
    ),
    ...answersTo(
      'why.chainLogPartition',
      ['log1p', STEPS(ONE_STEP)],
      [
        'from the other end',
        'const add = (p: number, q: number) => Math.max(p, q) + Math.log1p(Math.exp(-Math.abs(p - q))); let off = 0, on = 0; for (let d = b.length - 1; d > 0; d--) [off, on] = [add(off, on + b[d]!), add(off, on + b[d]! + J[d - 1]!)]; return add(off, on + b[0]!);',
      ],
      [
        'one number at a time',
        'const lse = (v: number[]) => { const m = Math.max(...v); return m + Math.log(v.reduce((s, a) => s + Math.exp(a - m), 0)); }; let a = [0, b[0]!]; for (let d = 1; d < b.length; d++) a = [0, 1].map((x) => x * b[d]! + lse([a[0]!, a[1]! + x * J[d - 1]!])); return lse(a);',
      ],
    ),
    ...answersTo(
      'why.gridDensity',
      ['by hand', 'const e = f.sub(f.max()).exp(); return e.div(e.sum().mul(step));'],
      ['on the log scale', 'return f.sub(tf.logSumExp(f)).sub(Math.log(step)).exp();'],
      ['softmax times a rate', 'return tf.softmax(f).mul(1 / step);'],
    ),
    ...answersTo(
      'why.oddness',
      ['a table', SIGNS(0, 1, -1)],
      ['by cases', `if (which === 'shuffled, histogram') return 0; return which === 'shuffled, mixture' ? 1 : -1;`],
      ['by name', `return which.startsWith('all black') ? -1 : which.endsWith('mixture') ? 1 : 0;`],
    ),
  ],

  wrong: [
    ...answersTo(
      'why.decide',
      [
        'the prior forgotten',
        DECIDE('tf.softmax(joint)', 'tf.logSumExp(joint, 1)', 'logGiven'),
        'the prior is missing',
      ],
      ['the largest term', DECIDE('tf.softmax(joint)', 'joint.max(1)'), 'not its largest term'],
      [
        'over the batch',
        DECIDE('tf.softmax(joint.transpose()).transpose()', 'tf.logSumExp(joint, 1)'),
        'not over the inputs',
      ],
      [
        'one maximum for the batch',
        'const joint = logGiven.add(logPrior); const e = joint.sub(joint.max()).exp(); return { posterior: e.div(e.sum(1, true)), logP: e.sum(1).log().add(joint.max()) };',
      ],
      ['−ln p', DECIDE('tf.softmax(joint)', 'tf.logSumExp(joint, 1).neg()'), 'not −ln p(x)'],
      ['log-posterior', DECIDE('tf.logSoftmax(joint)', 'tf.logSumExp(joint, 1)'), 'not its logarithm'],
    ),
    ...answersTo(
      'why.declinedShare',
      ['alpha', 'return alpha + 0 * N;', 'about alpha'],
      ['N places', 'return Math.ceil(alpha * N) / N;', 'N + 1 places'],
      ['rounded down', 'return Math.floor(alpha * N) / (N + 1);'],
      ['not whole', 'return (alpha * N) / (N + 1);'],
      ['those that are kept', 'return 1 - Math.ceil(alpha * N) / (N + 1);', 'the rest'],
    ),
    ...answersTo(
      'why.decideOrDecline',
      ['by the posterior', RULE('posterior.max(1)', 'share.less(1 - alpha)'), 'no reason to decide'],
      [
        'less for at most',
        RULE('heldOut.expandDims(0).less(logP.expandDims(1)).toFloat().mean(1)', 'share.less(alpha)'),
        'at most counts equals',
      ],
      ['alpha declined too', RULE(AT_MOST, 'share.lessEqual(alpha)'), 'equal to alpha is allowed'],
      [
        'the other side',
        RULE('heldOut.expandDims(0).greaterEqual(logP.expandDims(1)).toFloat().mean(1)', 'share.less(alpha)'),
        'the wrong way round',
      ],
      ['least probable class', RULE(AT_MOST, 'share.less(alpha)', 'posterior.argMin(1)'), 'largest posterior'],
      [
        'floats',
        `const share = ${AT_MOST}; return tf.where(share.less(alpha), tf.scalar(-1), posterior.argMax(1).toFloat());`,
        'whole numbers',
      ],
    ),
    ...answersTo(
      'why.adversarial',
      ['down', 'return x.sub(tf.grad(loss)(x).sign().mul(epsilon)).clipByValue(0, largest);', 'down the loss'],
      [
        'the gradient itself',
        'return x.add(tf.grad(loss)(x).mul(epsilon)).clipByValue(0, largest);',
        'not the gradient itself',
      ],
      ['not clipped', 'return x.add(tf.grad(loss)(x).sign().mul(epsilon));', 'not clipped'],
      ['clipped before', 'return x.clipByValue(0, largest).add(tf.grad(loss)(x).sign().mul(epsilon));'],
      [
        'never still',
        'return x.add(tf.grad(loss)(x).greaterEqual(0).toFloat().mul(2).sub(1).mul(epsilon)).clipByValue(0, largest);',
        'the sign of 0 is 0',
      ],
      ['clipped to 0 … 1', 'return x.add(tf.grad(loss)(x).sign().mul(epsilon)).clipByValue(0, 1);'],
    ),
    ...answersTo(
      'why.logPartition',
      [
        'every pair twice',
        `${ALL} return logSumExp(x.matMul(J).mul(x).sum(1).add(x.mul(b).sum(1)), 0);`,
        'every pair once',
      ],
      ['spins', `${ALL.replace('(n >> d) & 1)', '2 * ((n >> d) & 1) - 1)')} return logSumExp(${F}, 0);`, 'not −1 or 1'],
      ['the mean', `${ALL} return logSumExp(${F}, 0).sub(D * Math.LN2);`, 'not their mean'],
      ['the empty pattern left out', `${ALL} return logSumExp(${F}.slice(1), 0);`, 'the empty one'],
      ['the largest', `${ALL} return ${F}.max();`, 'the largest'],
      ['exp without a shift', `${ALL} return ${F}.exp().sum().log();`],
    ),
    ...answersTo(
      'why.chainLogPartition',
      ['no pairs', 'return b.reduce((s, v) => s + Math.log1p(Math.exp(v)), 0) + 0 * J.length;'],
      [
        'enumeration',
        'const D = b.length; let z = 0; for (let n = 0; n < 2 ** Math.min(D, 12); n++) { let f = 0; for (let d = 0; d < D; d++) if ((n >> d) & 1) { f += b[d]!; if ((n >> (d + 1)) & 1) f += J[d] ?? 0; } z += Math.exp(f); } return Math.log(z);',
      ],
      [
        'off the log scale',
        'let [off, on] = [1, Math.exp(b[0]!)]; for (let d = 1; d < b.length; d++) [off, on] = [off + on, (off + on * Math.exp(J[d - 1]!)) * Math.exp(b[d]!)]; return Math.log(off + on);',
        'log-sum-exp',
      ],
      [
        'the most probable pattern',
        STEPS('[Math.max(off, on), Math.max(off, on + J[d - 1]!) + b[d]!]', '[0, b[0]!]', 'Math.max(off, on)'),
      ],
      ['the last not summed', STEPS(ONE_STEP, '[0, b[0]!]', 'off')],
      ['the first weight forgotten', STEPS(ONE_STEP, '[0, 0]'), 'the first pixel has a weight'],
    ),
    ...answersTo(
      'why.gridDensity',
      ['as given', 'return tf.softmax(f);', 'probabilities of cells'],
      ['times the width', 'return tf.softmax(f).mul(step);', 'divide by the width'],
      ['width twice', 'return tf.softmax(f).div(step ** 2);', 'the width once'],
      ['no shift', 'return f.exp().div(f.exp().sum().mul(step));'],
      ['−f', 'return tf.softmax(f.neg()).div(step);', 'not exp(−f)'],
    ),
    ...answersTo(
      'why.oddness',
      ['black is odd', SIGNS(0, 1, 1), 'black is the most frequent'],
      ['both see it', SIGNS(1, 1, -1), 'the histogram adds up'],
      ['nobody sees it', SIGNS(0, 0, -1), 'the mixture knows'],
      ['all odd', SIGNS(1, 1, 1)],
      ['nothing odd', SIGNS(0, 0, 0)],
    ),
  ],
};
