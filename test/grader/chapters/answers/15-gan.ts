import { answersTo, type TriedAnswers } from './answer';

const GAME = (D: string, value: string) => `
  const D = p.map((a, i) => { const b = q[i]!; return ${D}; });
  const term = (w: number, c: number) => (w > 0 ? w * Math.log(c) : 0);
  return { D, value: ${value} };`;
const BEST = 'a / (a + b)';
const VALUE = 'D.reduce((s, d, i) => s + term(p[i]!, d) + term(q[i]!, 1 - d), 0)';
const LOSSES = (critic: string, generator = 'tf.softplus(tf.neg(fake)).mean()') => `
  const critic = ${critic};
  const generator = ${generator};
  return { critic, generator };`;
const CRITIC = 'tf.softplus(tf.neg(real)).mean().add(tf.softplus(fake).mean())';
interface Round {
  readonly critic?: string;
  readonly generator?: string;
  readonly start?: string;
  readonly against?: string;
  readonly sign?: string;
}
const ROUND = ({ critic, generator, start = 'weights.generator', against = 'w2', sign = 'sub' }: Round = {}) => `
  const fakes = make(batch.z, weights.generator);
  const w2 = weights.critic.sub(tf.grad((w: tf.Tensor) => ${critic ?? 'tf.softplus(score(batch.x, w).neg()).mean().add(tf.softplus(score(fakes, w)).mean())'})(weights.critic).mul(rate));
  const from = ${start};
  const t2 = from.${sign}(tf.grad((t: tf.Tensor) => { const f = score(make(batch.z, t), ${against}); return ${generator ?? 'tf.softplus(f.neg()).mean()'}; })(from).mul(rate));
  return { critic: w2, generator: t2 };`;
const APART = (jsd: string, w1 = 'Math.abs(theta)') => `return { jsd: ${jsd}, w1: ${w1} };`;
interface Penalty {
  readonly u?: string;
  readonly point?: string;
  readonly slope?: string;
  readonly length?: string;
  readonly end?: string;
}
const PENALTY = ({ u, point, slope, length, end }: Penalty = {}) => `
  const B = real.shape[0]!;
  const u = ${u ?? 'uniform([B]).reshape([B, 1, 1])'};
  const at = ${point ?? 'fake.add(tf.sub(real, fake).mul(u))'};
  const g = ${slope ?? 'tf.grad((x: tf.Tensor) => critic(x).sum())(at)'};
  const length = ${length ?? 'g.reshape([B, -1]).square().sum(1).sqrt()'};
  return ${end ?? 'length.sub(1).square().mean()'};`;
interface Count {
  readonly near?: string;
  readonly due?: string;
  readonly good?: string;
  readonly kl?: string;
}
const COVERAGE = ({ near, due, good, kl }: Count = {}) => `
  const K = modes.length;
  const n = new Array<number>(K).fill(0);
  for (const x of samples) {
    let [best, at] = [Infinity, -1];
    modes.forEach((m, k) => {
      const d = Math.sqrt(m.reduce((s, v, i) => s + (v - x[i]!) ** 2, 0));
      if (d < best) [best, at] = [d, k];
    });
    if (${near ?? 'best <= radius'}) n[at] = n[at]! + 1;
  }
  const all = n.reduce((a, b) => a + b, 0);
  return {
    covered: n.filter((c) => ${due ?? 'c >= (0.1 * samples.length) / K'}).length,
    highQuality: ${good ?? 'all / samples.length'},
    kl: ${kl ?? 'all === 0 ? Infinity : n.reduce((s, c) => s + (c > 0 ? (c / all) * (Math.log(c / all) + Math.log(K)) : 0), 0)'},
  };`;

const EVERY = (counts: string) => `
  const far = (x: number[], m: number[]) => Math.hypot(...m.map((v, d) => v - x[d]!));
  const n = ${counts};
  const [K, all] = [modes.length, n.reduce((a, b) => a + b, 0)];
  return {
    covered: n.filter((c) => c >= (0.1 * samples.length) / K).length,
    highQuality: all / samples.length,
    kl: all === 0 ? Infinity : n.reduce((s, c) => s + (c > 0 ? (c / all) * Math.log((c / all) * K) : 0), 0),
  };`;

export const answers: TriedAnswers = {
  right: [
    ...answersTo(
      'gan.optimum',
      ['term by term', GAME(BEST, VALUE)],
      ['by the odds', GAME('1 / (1 + b / a)', VALUE)],
      ['by the divergence', GAME(BEST, '-Math.log(4) + p.reduce((s, a, i) => { const m = (a + q[i]!) / 2; return s + term(a, a / m) + term(q[i]!, q[i]! / m); }, 0)')],
    ),
    ...answersTo(
      'gan.slopes',
      ['by D', 'const D = 1 / (1 + Math.exp(-f)); return { saturating: -D, nonSaturating: -(1 - D) };'],
      ['by both sigmoids', 'const s = (v: number) => 1 / (1 + Math.exp(-v)); return { saturating: -s(f), nonSaturating: -s(-f) };'],
      ['by tanh', 'const t = Math.tanh(f / 2) / 2; return { saturating: -0.5 - t, nonSaturating: t - 0.5 };'],
    ),
    ...answersTo(
      'gan.losses',
      ['softplus', LOSSES(CRITIC)],
      ['log sigmoid', LOSSES('tf.logSigmoid(real).mean().add(tf.logSigmoid(fake.neg()).mean()).neg()', 'tf.logSigmoid(fake).mean().neg()')],
      ['softplus minus', LOSSES('tf.softplus(real).sub(real).mean().add(tf.softplus(fake).mean())', 'tf.softplus(fake).sub(fake).mean()')],
    ),
    ...answersTo(
      'gan.round',
      ['samples made once', ROUND()],
      ['with one gradient for both', ROUND({ critic: 'tf.softplus(tf.concat([score(batch.x, w).neg(), score(fakes, w)], 0)).mean().mul(2)' })],
      ['by softplus less the logit', ROUND({ generator: 'tf.softplus(f).sub(f).mean()' })],
    ),
    ...answersTo(
      'gan.apart',
      ['a minimum', APART('Math.min(Math.abs(theta), 1) * Math.log(2)')],
      ['by cases', 'const t = theta < 0 ? -theta : theta; return { jsd: t >= 1 ? Math.LN2 : t * Math.LN2, w1: t };'],
      ['by what overlaps', APART('Math.LN2 * (1 - Math.max(0, 1 - Math.abs(theta)))')],
    ),
    ...answersTo(
      'gan.penalty',
      ['rows', PENALTY()],
      ['norm', PENALTY({ u: 'uniform([B, 1, 1])', length: "tf.norm(g, 'euclidean', [1, 2])" })],
      ['with ones for the sum', PENALTY({ slope: 'tf.grad(critic)(at, tf.ones([B]))' })],
    ),
    ...answersTo(
      'gan.coverage',
      ['one pass', COVERAGE()],
      ['by the entropy', COVERAGE({ kl: 'all === 0 ? Infinity : Math.log(K) - n.reduce((s, c) => s - (c > 0 ? (c / all) * Math.log(c / all) : 0), 0)' })],
      ['due in other words', COVERAGE({ due: '10 * c * K >= samples.length' })],
    ),
  ],
  wrong: [
    ...answersTo(
      'gan.optimum',
      ['the ratio', GAME('a / b', VALUE)],
      ['turned round', GAME('b / (a + b)', VALUE), 'near 1 where p is large'],
      ['a half', GAME('0.5', VALUE), 'samples are as data'],
      ['p itself', GAME('a', VALUE), 'Bayes’ rule'],
      ['no constant', GAME(BEST, `${VALUE} + Math.log(4)`), '− ln 4 is missing'],
      ['the sign', GAME(BEST, `-(${VALUE})`), 'below 0'],
      ['one divergence', GAME(BEST, `(${VALUE} + Math.log(4)) / 2 - Math.log(4)`), '2 JSD'],
      ['bits', GAME(BEST, `(${VALUE}) / Math.LN2`), 'in nats'],
      ['weights changed about', GAME(BEST, 'D.reduce((s, d, i) => s + term(q[i]!, d) + term(p[i]!, 1 - d), 0)'), 'not the other way round'],
      ['NaN', GAME(BEST, 'D.reduce((s, d, i) => s + p[i]! * Math.log(d) + q[i]! * Math.log(1 - d), 0)'), '0 ln 0'],
      ['data alone', GAME(BEST, 'D.reduce((s, d, i) => s + term(p[i]!, d), 0)')],
    ),
    ...answersTo(
      'gan.slopes',
      ['turned round', 'const D = 1 / (1 + Math.exp(-f)); return { saturating: D - 1, nonSaturating: -D };'],
      ['uphill', 'const D = 1 / (1 + Math.exp(-f)); return { saturating: D, nonSaturating: 1 - D };'],
      ['by D, not by f', 'const D = 1 / (1 + Math.exp(-f)); return { saturating: -1 / (1 - D), nonSaturating: -1 / D };', 'by the number, not by D'],
      ['without the logarithm', 'const D = 1 / (1 + Math.exp(-f)); return { saturating: -D * (1 - D), nonSaturating: -D * (1 - D) };'],
      ['the losses', 'return { saturating: -Math.log(1 + Math.exp(f)), nonSaturating: Math.log(1 + Math.exp(-f)) };', 'the loss itself'],
      ['both alike', 'const D = 1 / (1 + Math.exp(-f)); return { saturating: -D, nonSaturating: -D };'],
    ),
    ...answersTo(
      'gan.losses',
      ['saturating', LOSSES(CRITIC, 'tf.softplus(fake).mean().neg()'), 'no slope where the critic is sure'],
      ['σ twice', LOSSES('tf.softplus(tf.neg(tf.sigmoid(real))).mean().add(tf.softplus(tf.sigmoid(fake)).mean())'), 'σ twice'],
      ['rounded', LOSSES('tf.sigmoid(real).log().mean().add(tf.sub(1, tf.sigmoid(fake)).log().mean()).neg()'), 'ln 0'],
      ['labels', LOSSES('tf.softplus(real).mean().add(tf.softplus(fake.neg()).mean())'), 'labels the wrong way'],
      ['a sum', LOSSES('tf.softplus(tf.neg(real)).sum().add(tf.softplus(fake).sum())')],
      ['averaged', LOSSES(`${CRITIC}.div(2)`), 'added, not averaged'],
      ['maximised', LOSSES(`${CRITIC}.neg()`)],
      ['data alone', LOSSES('tf.softplus(tf.neg(real)).mean()')],
      ['the critic’s own', LOSSES(CRITIC, 'tf.softplus(fake).mean()')],
      ['hinge', LOSSES('tf.relu(tf.sub(1, real)).mean().add(tf.relu(tf.add(1, fake)).mean())', 'fake.mean().neg()'), 'hinge loss'],
      ['logarithms with an ε', LOSSES('tf.sigmoid(real).add(1e-7).log().mean().add(tf.sub(1, tf.sigmoid(fake)).add(1e-7).log().mean()).neg()'), 'use softplus'],
      ['a vector', LOSSES('tf.softplus(tf.neg(real)).add(tf.softplus(fake))')],
    ),
    ...answersTo(
      'gan.round',
      ['the critic of before', ROUND({ against: 'weights.critic' }), 'the critic has moved already'],
      ['the generator is moved, too', ROUND({ start: 'weights.generator.sub(tf.grad((t: tf.Tensor) => tf.softplus(score(make(batch.z, t), weights.critic)).mean())(weights.generator).mul(rate))' }), 'moved the generator, too'],
      ['saturating', ROUND({ generator: 'tf.softplus(f).mean().neg()' }), 'the saturating loss'],
      ['uphill', ROUND({ sign: 'add' }), 'uphill'],
      ['σ twice', ROUND({ generator: 'tf.softplus(tf.sigmoid(f).neg()).mean()' }), 'σ twice'],
      ['labels', ROUND({ critic: 'tf.softplus(score(batch.x, w)).mean().add(tf.softplus(score(fakes, w).neg()).mean())' }), 'data are labelled 1'],
      ['no data', ROUND({ critic: 'tf.softplus(score(fakes, w)).mean()' }), 'data count, too'],
      ['a sum', ROUND({ critic: 'tf.softplus(score(batch.x, w).neg()).sum().add(tf.softplus(score(fakes, w)).sum())' })],
      ['a sum for the generator', ROUND({ generator: 'tf.softplus(f.neg()).sum()' }), 'not a sum'],
      ['the critic rests', `${ROUND().replace('critic: w2', 'critic: weights.critic')}`, 'has not moved'],
      ['the generator rests', `${ROUND().replace('generator: t2', 'generator: weights.generator')}`, 'has not moved'],
    ),
    ...answersTo(
      'gan.apart',
      ['at once', APART('theta === 0 ? 0 : Math.LN2'), 'only what does not overlap'],
      ['on and on', APART('Math.abs(theta) * Math.LN2')],
      ['signed', APART('Math.min(1, theta) * Math.LN2', 'theta')],
      ['bits', APART('Math.min(1, Math.abs(theta))'), 'in nats'],
      ['2 JSD', APART('2 * Math.min(1, Math.abs(theta)) * Math.LN2')],
      ['the square', APART('Math.min(1, Math.abs(theta)) * Math.LN2', 'theta ** 2'), 'W₂²'],
      ['the gap', APART('Math.min(1, Math.abs(theta)) * Math.LN2', 'Math.max(0, Math.abs(theta) - 1)')],
      ['half', APART('Math.min(1, Math.abs(theta)) * Math.LN2 / 2'), 'half of it'],
      ['flat', APART('Math.min(1, Math.abs(theta)) * Math.LN2', 'Math.min(1, Math.abs(theta))'), 'moved all the way'],
    ),
    ...answersTo(
      'gan.penalty',
      ['a place a pixel', PENALTY({ u: 'uniform([...real.shape])' })],
      ['one place for all', PENALTY({ u: 'uniform([1])' }), 'not the same for all'],
      ['columns', PENALTY({ length: 'g.square().sum(1).sqrt()' }), 'rows and columns'],
      ['a mean', PENALTY({ slope: 'tf.grad((x: tf.Tensor) => critic(x).mean())(at)' }), '1 / B'],
      ['beyond', PENALTY({ point: 'real.add(tf.sub(real, fake).mul(u))' }), 'not beyond'],
      ['at the data', PENALTY({ point: 'real.clone()' }), 'not at the data'],
      ['at the samples', PENALTY({ point: 'fake.clone()' }), 'not at the samples'],
      ['squares', PENALTY({ length: 'g.square().sum([1, 2])' }), 'not its square'],
      ['one-sided', PENALTY({ end: 'length.sub(1).relu().square().mean()' })],
      ['towards 0', PENALTY({ end: 'length.square().mean()' })],
      ['the other end', PENALTY({ point: 'real.add(tf.sub(fake, real).mul(u))' }), 'u is the part of the data'],
      ['the mean first', PENALTY({ end: 'length.mean().sub(1).square()' })],
      ['two are left', PENALTY({ u: 'uniform([...real.shape])', slope: 'tf.grad((x: tf.Tensor) => critic(x).mean())(at)' }), '2 are left'],
      ['as given', 'const u = uniform(real.shape as number[]); const point = real.add(real.sub(fake).mul(u)); const slope = tf.grad((at: tf.Tensor) => critic(at).mean())(point); return slope.square().sum(1).sqrt().sub(1).square().mean();', '4 are left'],
    ),
    ...answersTo(
      'gan.coverage',
      ['strays', COVERAGE({ due: 'c > 0' }), 'stray sample'],
      ['all belong', COVERAGE({ near: 'true' })],
      ['a share', COVERAGE({ good: 'all' }), 'a share of the samples'],
      ['of those that belong', COVERAGE({ due: 'c >= (0.1 * all) / K' })],
      ['the rest', COVERAGE({ good: '1 - all / samples.length' })],
      ['entropy', COVERAGE({ kl: 'all === 0 ? Infinity : -n.reduce((s, c) => s + (c > 0 ? (c / all) * Math.log(c / all) : 0), 0)' })],
      ['no K', COVERAGE({ kl: 'all === 0 ? Infinity : n.reduce((s, c) => s + (c > 0 ? (c / all) * Math.log(c / all) : 0), 0)' })],
      ['turned round', COVERAGE({ kl: 'all === 0 ? Infinity : -n.reduce((s, c) => s + Math.log((c * K) / all), 0) / K' })],
      ['a tenth of those that belong', COVERAGE({ due: 'c >= 0.1 * all' }), 'a tenth of N / K'],
      ['a tenth of all', COVERAGE({ due: 'c >= 0.1 * samples.length' }), 'a tenth of N / K'],
      ['of every mode that is near', EVERY('modes.map((m) => samples.filter((x) => far(x, m) <= radius).length)'), 'belongs to one of them'],
      ['of the first that is near', EVERY('modes.map((_, k) => samples.filter((x) => modes.findIndex((m) => far(x, m) <= radius) === k).length)'), 'not to the first'],
      ['bits', COVERAGE({ kl: 'all === 0 ? Infinity : n.reduce((s, c) => s + (c > 0 ? (c / all) * Math.log2((c * K) / all) : 0), 0)' }), 'not in bits'],
      ['0 where nothing belongs', COVERAGE({ kl: 'n.reduce((s, c) => s + (c > 0 ? (c / all) * Math.log((c * K) / all) : 0), 0)' })],
    ),
  ],
}; // prettier-ignore
