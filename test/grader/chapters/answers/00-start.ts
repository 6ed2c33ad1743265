import { answersTo, type TriedAnswers } from './answer';

const SCALED = (scale: string, from = 'x.mean(0)') => `const c = x.sub(${from}); return c.div(${scale});`;
const DICE = (one: string) => `const die = (label: string) => ${one}; return die('a').add(die('b'));`;
const U = 'rng.fork(label).uniform([count])';
const LOGITS = `const t = logits.map((l) => Math.exp(l - Math.max(...logits))); const z = t.reduce((a, b) => a + b); const N = counts.reduce((a, b) => a + b); const q = t.map((v) => v / z);`;
const ENDS = (training: string, end: string) => `
  const N = counts.reduce((a, b) => a + b), q = counts.map((c) => c / N);
  const cost = (w: readonly number[]) => w.reduce((s, p, v) => (p === 0 ? s : s - p * Math.log(q[v]!)), 0);
  const own = (w: readonly number[]) => w.reduce((s, p) => (p === 0 ? s : s - p * Math.log(p)), 0);
  void cost; void own;
  return { training: ${training}, truth: ${end} };`;
const COUNTED = (start: string, result: string) =>
  `let sum = ${start}, total = 0; right.forEach((c, b) => { sum += c; total += sizes[b]!; }); return ${result};`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'start.standardise',
      ['moments', 'const { mean, variance } = tf.moments(x, 0); return x.sub(mean).div(variance.sqrt());'],
      [
        'column by column',
        'return tf.stack(x.unstack(1).map((c) => { const z = c.sub(c.mean()); return z.div(z.square().mean().sqrt()); }), 1);',
      ],
      [
        'transposed',
        'const t = x.transpose(); const c = t.sub(t.mean(1, true)); return c.mul(c.square().mean(1, true).rsqrt()).transpose();',
      ],
    ),
    ...answersTo(
      'start.twoDice',
      ['both dice at once', 'return rng.uniform([count, 2]).mul(6).floor().sum(1).add(2);'],
      [
        'plain numbers',
        `const [a, b] = ['a', 'b'].map((l) => rng.fork(l).uniform([count]).dataSync()); return tf.tensor1d(Array.from(a!, (u, n) => Math.floor(6 * u) + Math.floor(6 * b![n]!) + 2));`,
      ],
      ['by ceiling of what is left', DICE(`tf.sub(1, ${U}).mul(6).ceil()`)],
    ),
    ...answersTo(
      'start.shareOfSum',
      [
        'counting pairs',
        `const f = [1, 2, 3, 4, 5, 6]; const all = streams === 'one label' ? f.map((a) => 2 * a) : f.flatMap((a) => f.map((b) => a + b)); return all.filter((s) => s === sum).length / all.length;`,
      ],
      [
        'a triangle',
        `if (streams === 'one label') return [2, 4, 6, 8, 10, 12].includes(sum) ? 1 / 6 : 0; return Math.max(0, 6 - Math.abs(sum - 7)) / 36;`,
      ],
      [
        'by cases',
        `if (sum < 2 || sum > 12) return 0; if (streams !== 'two labels') return sum % 2 ? 0 : 1 / 6; return (sum <= 7 ? sum - 1 : 13 - sum) / 36;`,
      ],
    ),
    ...answersTo(
      'start.dieLoss',
      [
        'one-hot',
        'return tf.oneHot(x.toInt() as tf.Tensor1D, logits.shape[0]!).toFloat().mul(tf.logSoftmax(logits)).sum(1).mean().neg();',
      ],
      ['normaliser less logit', 'return tf.logSumExp(logits).sub(tf.gather(logits, x.toInt()).mean());'],
      [
        'log-probabilities by hand',
        'const m = logits.max(); const l = logits.sub(m); const p = l.sub(l.exp().sum().log()); return tf.gather(p, x.toInt()).neg().mean();',
      ],
    ),
    ...answersTo(
      'start.dieGradient',
      [
        'by tfjs',
        'const N = counts.reduce((a, b) => a + b); return [...tf.grad((t: tf.Tensor) => tf.logSoftmax(t).mul(tf.tensor1d([...counts])).sum().div(-N))(tf.tensor1d([...logits])).dataSync()];',
      ],
      [
        'shares subtracted',
        `${LOGITS} const shares = counts.map((c) => c / N); return q.map((p, v) => p - shares[v]!);`,
      ],
      [
        'a sum over the throws',
        `${LOGITS} const g = q.map(() => 0); counts.forEach((c, x) => { for (let n = 0; n < c; n++) q.forEach((p, v) => { g[v]! += (p - (v === x ? 1 : 0)) / N; }); }); return g;`,
      ],
    ),
    ...answersTo(
      'start.endOfTraining',
      ['by name', ENDS('own(q)', 'cost(truth)')],
      ['both as costs', ENDS('cost(q)', 'cost(truth)')],
      ['infinite by hand', ENDS('own(q)', 'truth.some((p, v) => p > 0 && counts[v] === 0) ? Infinity : cost(truth)')],
    ),
    ...answersTo(
      'start.shareRight',
      ['reduce', 'return right.reduce((a, b) => a + b, 0) / sizes.reduce((a, b) => a + b, 0);'],
      [
        'weighted shares',
        'const N = sizes.reduce((a, b) => a + b, 0); return right.reduce((s, c, b) => s + (c / sizes[b]!) * (sizes[b]! / N), 0);',
      ],
      [
        'one less wrong',
        'const N = sizes.reduce((a, b) => a + b, 0); return 1 - sizes.reduce((s, n, b) => s + n - right[b]!, 0) / N;',
      ],
    ),
  ],

  wrong: [
    ...answersTo(
      'start.standardise',
      ['rows', SCALED('c.square().mean(1, true).sqrt()', 'x.mean(1, true)'), 'the axis of the examples is the first'],
      ['an ε under the root', SCALED('c.square().mean(0).add(1e-5).sqrt()'), 'no constant is added'],
      ['keras’ ε on the deviation', SCALED('c.square().mean(0).sqrt().add(1e-7)'), 'no constant is added'],
      ['N − 1', SCALED('c.square().sum(0).div(x.shape[0]! - 1).sqrt()'), 'not by N − 1'],
      ['the variance', SCALED('c.square().mean(0)'), 'take its square root'],
      ['E[x²] − m²', 'const m = x.mean(0); return x.sub(m).div(x.square().mean(0).sub(m.square()).sqrt());'],
    ),
    ...answersTo(
      'start.twoDice',
      [
        'a rounded bell',
        `return rng.fork('z').normal([count]).mul(Math.sqrt(35 / 6)).add(7).round().clipByValue(2, 12);`,
      ],
      [
        'one stream',
        `const die = () => rng.fork('die').uniform([count]).mul(6).floor().add(1); return die().add(die());`,
        'must not know of each other',
      ],
      ['rounded 5 u', DICE(`${U}.mul(5).round().add(1)`), 'half as likely'],
      ['rounded 6 u', DICE(`${U}.mul(6).round().add(1)`), 'seven faces'],
      ['faces from 0', DICE(`${U}.mul(6).floor()`), 'the faces are 1 … 6'],
      ['eleven sums alike', `return rng.uniform([count]).mul(11).floor().add(2);`, 'not equally likely'],
      ['not rounded', DICE(`${U}.mul(6).add(1)`)],
    ),
    ...answersTo(
      'start.shareOfSum',
      ['elevenths', 'return sum < 2 || sum > 12 ? 0 : 1 / 11;', 'not equally likely'],
      [
        'labels exchanged',
        `if (streams === 'two labels') return [2, 4, 6, 8, 10, 12].includes(sum) ? 1 / 6 : 0; return Math.max(0, 6 - Math.abs(sum - 7)) / 36;`,
        'the other way round',
      ],
      [
        'percent',
        `return 100 * (streams === 'one label' ? (sum % 2 ? 0 : 1 / 6) : Math.max(0, 6 - Math.abs(sum - 7)) / 36);`,
        'not percent',
      ],
      ['labels do not matter', 'return Math.max(0, 6 - Math.abs(sum - 7)) / 36;'],
      ['cases', `return streams === 'one label' ? 1 / 6 : 6 - Math.abs(sum - 7);`, 'not a number of cases'],
    ),
    ...answersTo(
      'start.dieLoss',
      ['sum', 'return tf.gather(tf.logSoftmax(logits), x.toInt()).sum().neg();', 'the mean, not the sum'],
      ['sign', 'return tf.gather(tf.logSoftmax(logits), x.toInt()).mean();', 'the sign'],
      [
        'keras’ clip',
        'return tf.gather(tf.softmax(logits).clipByValue(1e-7, 1 - 1e-7).log(), x.toInt()).mean().neg();',
        'clipping',
      ],
      ['ln of the softmax', 'return tf.gather(tf.softmax(logits).log(), x.toInt()).mean().neg();'],
      ['bits', 'return tf.gather(tf.logSoftmax(logits), x.toInt()).mean().div(-Math.LN2);', 'nats'],
      ['no softmax', 'return tf.gather(logits, x.toInt()).mean().neg();'],
    ),
    ...answersTo(
      'start.dieGradient',
      ['uphill', `${LOGITS} return q.map((p, v) => counts[v]! / N - p);`, 'uphill'],
      ['sum for mean', `${LOGITS} return q.map((p, v) => N * p - counts[v]!);`, 'divide by N'],
      ['no normaliser', `${LOGITS} return q.map((_, v) => -counts[v]! / N);`, 'normaliser'],
      ['by the probabilities', `${LOGITS} return q.map((p, v) => -counts[v]! / N / p);`, 'as if they were free'],
      ['counts for shares', `${LOGITS} return q.map((p, v) => p - counts[v]!);`, 'shares of the throws'],
    ),
    ...answersTo(
      'start.endOfTraining',
      ['training to 0', ENDS('0', 'cost(truth)'), 'not 0'],
      ['both the entropy of the die', ENDS('own(truth)', 'own(truth)'), 'training sees the throws alone'],
      ['one loss for both', ENDS('own(q)', 'own(q)'), 'the training loss and the true loss part'],
      [
        'unseen left out',
        ENDS('own(q)', 'truth.reduce((s, p, v) => (q[v]! > 0 ? s - p * Math.log(q[v]!) : s), 0)'),
        'never thrown',
      ],
      [
        'an imaginary throw each',
        ENDS('own(q)', 'truth.reduce((s, p, v) => s - p * Math.log((counts[v]! + 1) / (N + q.length)), 0)'),
      ],
    ),
    ...answersTo(
      'start.shareRight',
      ['as given', COUNTED('1', 'sum / total'), 'one success too many'],
      [
        'mean of shares',
        'return right.reduce((s, c, b) => s + c / sizes[b]!, 0) / right.length;',
        'the mean of the batches',
      ],
      ['last batch', COUNTED('0', 'sum / sizes[sizes.length - 1]!'), 'the last batch'],
      ['percent', COUNTED('0', '(100 * sum) / total'), 'in percent'],
      ['one more in both', COUNTED('1', 'sum / (total + 1)'), 'in both counts'],
    ),
  ],
};
