import { answersTo, type TriedAnswers } from './answer';

const CROSS = (terms: string, finish = '.sum(1).neg()', given = 'p') =>
  `const t = ${terms}; return tf.where(${given}.greater(0), t, tf.zerosLike(t))${finish};`;
const COINS = (finish: string, softplus = 'tf.softplus(logits)') => `return x.mul(logits).sub(${softplus})${finish};`;
const CLOSEST = (logVar: string, mu = 'x.mul(w.expandDims(1)).sum(0)') => `
  const mu = ${mu};
  const variance = x.sub(mu).square().mul(w.expandDims(1)).sum(0);
  return { mu, logVar: ${logVar} };`;
const KL = (bracket: string, finish = '.sum(1).mul(0.5)') => `return ${bracket}${finish};`;
const RATIO = 'logVar.exp().add(mu.sub(muP).square()).div(logVarP.exp())';
const PATH = (second: string, sigma = 'Math.exp(logVar / 2)', z = 'eps.mul(sigma).add(mu)') => `
  const sigma = ${sigma};
  const slope = tf.grad(f)(${z});
  return tf.stack([slope, ${second}], 1);`;
const SCORE = (baseline: string, scores = '[u.div(sigma), u.square().sub(1).mul(0.5)]', less = 'sub') => `
  const sigma = Math.exp(logVar / 2);
  const u = z.sub(mu).div(sigma);
  const S = f.size;
  const b = ${baseline};
  void S;
  return tf.stack(${scores}, 1).mul(f.${less}(b).expandDims(1));`;
const OTHERS = 'f.sum().sub(f).div(S - 1)';
const ELBO = (finish: string) => `
  const pixels = tf.softplus(logits).sub(x.mul(logits));
  const kl = mu.square().add(logVar.exp()).sub(logVar).sub(1).mul(0.5);
  return ${finish};`;
const BERNOULLI = (each: string, finish = '.sum(1)') => `
  const [l, m, s] = [logits, logitsP, tf.sigmoid(logits)];
  return ${each}${finish};`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'probability.crossEntropy',
      [
        'where the logarithm is safe',
        'const safe = tf.where(p.greater(0), q, tf.onesLike(q)); return p.mul(safe.log()).sum(1).neg();',
      ],
      ['of surprise', CROSS('p.mul(q.log().neg())', '.sum(1)')],
      [
        'plain loops',
        'const P = p.arraySync() as number[][], Q = q.arraySync() as number[][]; return tf.tensor1d(P.map((row, b) => row.reduce((s, v, i) => (v > 0 ? s - v * Math.log(Q[b]![i]!) : s), 0)));',
      ],
    ),
    ...answersTo(
      'probability.bernoulli',
      ['softplus', COINS('.sum(1)')],
      ['the sign of the logit', 'return tf.softplus(logits.mul(tf.sub(1, x.mul(2)))).sum(1).neg();'],
      ['logSigmoid', 'return x.mul(tf.logSigmoid(logits)).add(tf.sub(1, x).mul(tf.logSigmoid(logits.neg()))).sum(1);'],
    ),
    ...answersTo(
      'probability.unitShift',
      [
        'a difference of log-densities',
        'const at = (v: number) => -0.5 * D * Math.log(2 * Math.PI * v); return at(1) - at(1 / factor ** 2);',
      ],
      ['a sum', 'let s = 0; for (let d = 0; d < D; d++) s -= Math.log(factor); return s;'],
      ['a logarithm of the inverse', 'return D * Math.log(1 / factor);'],
    ),
    ...answersTo(
      'probability.closestNormal',
      [
        'matrix products',
        'const mu = w.expandDims(0).matMul(x).squeeze([0]); return { mu, logVar: w.expandDims(0).matMul(x.sub(mu).square()).squeeze([0]).log() };',
      ],
      [
        'centred twice',
        'const first = x.mul(w.expandDims(1)).sum(0); const z = x.sub(first); const rest = z.mul(w.expandDims(1)).sum(0); return { mu: first.add(rest), logVar: z.sub(rest).square().mul(w.expandDims(1)).sum(0).log() };',
      ],
      ['twice the log of the deviation', CLOSEST('variance.sqrt().log().mul(2)')],
    ),
    ...answersTo(
      'probability.gaussianKl',
      [
        'differences first',
        'const r = logVar.sub(logVarP); return r.exp().sub(r).sub(1).add(mu.sub(muP).square().div(logVarP.exp())).sum(1).mul(0.5);',
      ],
      ['halved first', KL(`${RATIO}.add(logVarP).sub(logVar).sub(1).mul(0.5)`, '.sum(1)')],
      [
        'entropies',
        'const cross = logVarP.add(logVar.exp().add(mu.sub(muP).square()).mul(logVarP.neg().exp())); return cross.sub(logVar.add(1)).sum(1).div(2);',
      ],
    ),
    ...answersTo(
      'probability.largerKl',
      [
        'both computed',
        `const kl = (r: number) => r - 1 - Math.log(r); const r = (sigma / tau) ** 2; const d = kl(r) - kl(1 / r); return d === 0 ? 'neither' : d > 0 ? 'KL[p ‖ q]' : 'KL[q ‖ p]';`,
      ],
      [
        'by the ratio',
        `const r = sigma / tau; if (r === 1) return 'neither'; if (r > 1) return 'KL[p ‖ q]'; return 'KL[q ‖ p]';`,
      ],
      ['by the sign', `return (['KL[q ‖ p]', 'neither', 'KL[p ‖ q]'] as const)[Math.sign(sigma - tau) + 1]!;`],
    ),
    ...answersTo(
      'probability.bernoulliKl',
      [
        'both values',
        BERNOULLI(
          's.mul(tf.softplus(m.neg()).sub(tf.softplus(l.neg()))).add(tf.sigmoid(l.neg()).mul(tf.softplus(m).sub(tf.softplus(l))))',
        ),
      ],
      ['cross-entropy less entropy', BERNOULLI('tf.softplus(m).sub(s.mul(m)).sub(tf.softplus(l).sub(s.mul(l)))')],
      [
        'by the log-likelihood',
        'const s = tf.sigmoid(logits); return bernoulli(s, logits).sub(bernoulli(s, logitsP));',
      ],
    ),
    ...answersTo(
      'probability.logMarginal',
      ['tf.logSumExp', 'return tf.logSumExp(a, 0).sub(Math.log(a.shape[0]!));'],
      ['divided inside', 'return tf.logSumExp(a.sub(Math.log(a.shape[0]!)), 0);'],
      [
        'transposed',
        'const t = a.transpose(); const m = t.max(1, true); return t.sub(m).exp().sum(1).div(t.shape[1]!).log().add(m.squeeze([1]));',
      ],
    ),
    ...answersTo(
      'probability.pathwise',
      [
        'the chain rule by tfjs',
        'const z = (m: tf.Tensor, l: tf.Tensor) => f(m.add(l.div(2).exp().mul(eps))); const [S] = eps.shape as [number]; const [gm, gl] = tf.grads((m, l) => z(m!, l!).sum())([tf.fill([S], mu), tf.fill([S], logVar)]); return tf.stack([gm!, gl!], 1);',
      ],
      [
        'concatenated',
        'const s = Math.exp(0.5 * logVar); const g = tf.grad(f)(eps.mul(s).add(mu)).expandDims(1); return tf.concat([g, g.mul(eps.expandDims(1)).mul(0.5 * s)], 1);',
      ],
      ['half of z − μ', PATH('slope.mul(eps.mul(sigma)).div(2)')],
    ),
    ...answersTo(
      'probability.scoreFunction',
      [
        'a matrix of the others',
        'const S = f.size; const b = tf.sub(1, tf.eye(S)).matMul(f.expandDims(1)).squeeze([1]).div(S - 1); const v = Math.exp(logVar); const d = z.sub(mu); return tf.stack([d.div(v), d.square().div(v).sub(1).div(2)], 1).mul(f.sub(b).expandDims(1));',
      ],
      [
        'the mean, scaled',
        'const S = f.size; const a = f.sub(f.mean()).mul(S / (S - 1)); const u = z.sub(mu).div(Math.exp(logVar / 2)); return tf.stack([u.mul(a).div(Math.exp(logVar / 2)), u.square().sub(1).mul(a).mul(0.5)], 1);',
      ],
      ['by the formulas', SCORE(OTHERS)],
    ),
    ...answersTo(
      'probability.negElbo',
      [
        'its own functions',
        'return gaussianKl(mu, logVar, tf.zerosLike(mu), tf.zerosLike(mu)).sub(bernoulli(x, logits));',
      ],
      ['sums at the end', ELBO('pixels.sum(1).add(kl.sum(1))')],
      ['concatenated', ELBO('tf.concat([pixels, kl], 1).sum(1)')],
    ),
  ],

  wrong: [
    ...answersTo(
      'probability.crossEntropy',
      ['an ε inside', 'return p.mul(q.add(1e-8).log()).sum(1).neg();', 'no ε'],
      ['clipped at 1e-7', 'return p.mul(q.clipByValue(1e-7, 1).log()).sum(1).neg();', 'no ε'],
      ['bits', CROSS('p.mul(q.log()).div(Math.LN2)'), 'not log₂'],
      ['NaN', 'return p.mul(q.log()).sum(1).neg();', 'NaN in floating point'],
      ['exchanged', CROSS('q.mul(p.log())', '.sum(1).neg()', 'q')],
      ['mean', CROSS('p.mul(q.log())', '.mean(1).neg()'), 'not their mean'],
    ),
    ...answersTo(
      'probability.bernoulli',
      ['mean', COINS('.mean(1)'), 'probabilities of independent coins multiply'],
      [
        'clipped',
        'const p = tf.sigmoid(logits).clipByValue(1e-7, 1 - 1e-7); return x.mul(p.log()).add(tf.sub(1, x).mul(tf.sub(1, p).log())).sum(1);',
      ],
      ['overflow', COINS('.sum(1)', 'logits.exp().add(1).log()'), 'overflows'],
      ['small e lost', COINS('.sum(1)', 'tf.relu(logits).add(logits.abs().neg().exp().add(1).log())'), 'log1p'],
      ['other way round', 'return tf.sub(1, x).mul(logits).sub(tf.softplus(logits)).sum(1);'],
      ['sign', COINS('.sum(1).neg()'), 'at most 0'],
    ),
    ...answersTo(
      'probability.unitShift',
      ['nothing', 'return 0 * D * factor;', 'true of a probability'],
      ['sign', 'return D * Math.log(factor);', 'the other way round'],
      ['one coordinate', 'return -Math.log(factor) + 0 * D;', 'there are D of them'],
      ['half', 'return (-D * Math.log(factor)) / 2;', 'not by its root'],
      ['bits', 'return -D * Math.log2(factor);', 'natural'],
    ),
    ...answersTo(
      'probability.closestNormal',
      ['+ 1e-4', CLOSEST('variance.add(1e-4).log()')],
      ['+ 1e-6', CLOSEST('variance.add(1e-6).log()'), 'nothing is added'],
      ['ln σ', CLOSEST('variance.sqrt().log()'), 'not ln σ'],
      ['the variance', CLOSEST('variance'), 'the logarithm'],
      ['N − 1', CLOSEST('variance.mul(x.shape[0]! / (x.shape[0]! - 1)).log()'), 'no N − 1'],
      [
        'weights ignored',
        'const { mean, variance } = tf.moments(x, 0); return { mu: mean, logVar: variance.log() };',
        'with its weight',
      ],
      [
        'cancels',
        'const mu = x.mul(w.expandDims(1)).sum(0); return { mu, logVar: x.square().mul(w.expandDims(1)).sum(0).sub(mu.square()).log() };',
      ],
    ),
    ...answersTo(
      'probability.gaussianKl',
      ['mean', KL(`${RATIO}.add(logVarP).sub(logVar).sub(1)`, '.mean(1).mul(0.5)'), 'not their mean'],
      ['not halved', KL(`${RATIO}.add(logVarP).sub(logVar).sub(1)`, '.sum(1)'), 'half of the bracket'],
      [
        'the other direction',
        'return logVar.sub(logVarP).sub(1).add(logVarP.exp().add(mu.sub(muP).square()).div(logVar.exp())).sum(1).mul(0.5);',
        'the other direction',
      ],
      [
        'σ for σ²',
        KL('logVar.mul(0.5).exp().add(mu.sub(muP).square()).div(logVarP.exp()).add(logVarP).sub(logVar).sub(1)'),
        'no half in the exponent',
      ],
      ['no 1', KL(`${RATIO}.add(logVarP).sub(logVar)`), 'the 1 is missing'],
    ),
    ...answersTo(
      'probability.largerKl',
      ['the other', `return sigma === tau ? 'neither' : sigma < tau ? 'KL[p ‖ q]' : 'KL[q ‖ p]';`, 'again and again'],
      ['always the first', `return sigma > 0 && tau > 0 ? 'KL[p ‖ q]' : 'neither';`],
      ['symmetric', `return sigma > 0 && tau > 0 ? 'neither' : 'KL[p ‖ q]';`],
      ['no tie', `return sigma > tau ? 'KL[p ‖ q]' : 'KL[q ‖ p]';`, 'both are 0'],
      ['compared with 1', `return sigma === tau ? 'neither' : sigma > 1 ? 'KL[p ‖ q]' : 'KL[q ‖ p]';`],
    ),
    ...answersTo(
      'probability.bernoulliKl',
      [
        'the other direction',
        'const s = tf.sigmoid(logitsP); return s.mul(logitsP.sub(logits)).sub(tf.softplus(logitsP)).add(tf.softplus(logits)).sum(1);',
        'the other direction',
      ],
      ['mean', BERNOULLI('s.mul(l.sub(m)).sub(tf.softplus(l)).add(tf.softplus(m))', '.mean(1)'), 'not their mean'],
      ['the 1 alone', BERNOULLI('s.mul(tf.softplus(m.neg()).sub(tf.softplus(l.neg())))'), 'the 0 has a term'],
      [
        'clipped',
        'const [p, q] = [logits, logitsP].map((l) => tf.sigmoid(l).clipByValue(1e-7, 1 - 1e-7)); return p!.mul(p!.div(q!).log()).add(tf.sub(1, p!).mul(tf.sub(1, p!).div(tf.sub(1, q!)).log())).sum(1);',
      ],
      [
        'no clip, NaN',
        'const [p, q] = [logits, logitsP].map((l) => tf.sigmoid(l)); return p!.mul(p!.div(q!).log()).add(tf.sub(1, p!).mul(tf.sub(1, p!).div(tf.sub(1, q!)).log())).sum(1);',
        'softplus',
      ],
      ['no normalisers', BERNOULLI('s.mul(l.sub(m))'), 'normalisers'],
    ),
    ...answersTo(
      'probability.logMarginal',
      ['sum', 'return tf.logSumExp(a, 0);', 'an average, not a sum'],
      ['mean of logarithms', 'return a.mean(0);', 'not logarithms'],
      ['no shift', 'return a.exp().mean(0).log();', 'subtract the maximum'],
      ['one shift for all', 'const m = a.max(); return a.sub(m).exp().mean(0).log().add(m);', 'of each column'],
      ['shifted by the mean', 'const m = a.mean(0, true); return a.sub(m).exp().mean(0).log().add(m.squeeze([0]));'],
      ['the largest', 'return a.max(0);', 'the largest term alone'],
    ),
    ...answersTo(
      'probability.pathwise',
      ['ln σ', PATH('slope.mul(eps).mul(sigma)'), 'has a ½'],
      ['variance', PATH('slope.mul(eps).mul(sigma / 2)', 'Math.exp(logVar)')],
      ['no draw', PATH('slope.mul(sigma / 2)'), 'depends on the draw'],
      ['slope at μ', PATH('slope.mul(eps).mul(sigma / 2)', 'Math.exp(logVar / 2)', 'eps.mul(0).add(mu)')],
      [
        'means',
        `${PATH('slope.mul(eps).mul(sigma / 2)').replace('return tf.stack', 'const all = tf.stack')} return all.mean(0, true).tile([eps.size, 1]);`,
      ],
      ['no σ', PATH('slope.mul(eps).mul(1 / 2)')],
    ),
    ...answersTo(
      'probability.scoreFunction',
      ['itself in the mean', SCORE('f.mean()'), 'leave it out'],
      ['no baseline', SCORE('tf.scalar(0)'), 'no baseline'],
      ['added', SCORE(OTHERS, undefined, 'add'), 'is subtracted'],
      ['σ once', SCORE(OTHERS, '[u, u.square().sub(1).mul(0.5)]')],
      ['no −1', SCORE(OTHERS, '[u.div(sigma), u.square().mul(0.5)]'), 'has a −1'],
      ['others over S', SCORE('f.sum().sub(f).div(S)'), 'over S − 1'],
    ),
    ...answersTo(
      'probability.negElbo',
      ['as given', ELBO('pixels.mean(1).add(kl.mean(1))'), 'sums over D and over L'],
      ['pixels averaged', ELBO('pixels.mean(1).add(kl.sum(1))'), 'probabilities of pixels multiply'],
      ['KL averaged', ELBO('pixels.sum(1).add(kl.mean(1))'), 'adds up'],
      ['per pixel', ELBO('pixels.sum(1).add(kl.sum(1)).div(x.shape[1]!)'), 'no division'],
      ['KL subtracted', ELBO('pixels.sum(1).sub(kl.sum(1))'), 'not subtracted'],
    ),
  ],
};
