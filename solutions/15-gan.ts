// %% [markdown] id="title"
// # 15 Generative adversarial networks
//
// All models so far were fitted to data by what they say of data: a likelihood, a bound on it, a score. Here nothing is said. A **generator** draws, a second network, the **critic** or **discriminator**, tries to tell its drawings from data, and each learns from the other. What comes out is a game instead of a minimum, with all that follows: it may circle, it may forget half of the data, and no number on the way says whether it does.
//
// So this chapter measures: on a world where the best critic is known, on a line where the distance is known, and on a ring whose eight modes can be counted, over several seeds. Everything printed below was computed by running this file (`npm run solutions -- 15`; with `--budget full`, trainings take longer).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adam,
  budgeted,
  card,
  createRng,
  criticNetwork,
  figure,
  fit,
  games,
  gan,
  gradientPenalty,
  imageGrid,
  load,
  modeCoverage,
  optimalCritic,
  planeMixture,
  precisionRecall,
  spectralNorm,
  squaredDistances,
  table,
  trajectories,
  twoSampleTest,
  wasserstein1d,
  type Batch,
  type GanConfig,
  type GanModel,
  type GenerativeModel,
  type Network,
  type Objective,
  type Rng,
} from 'dgm';

const rng = createRng(15); // the one seed of this chapter
const SIGMA = 0.1;
const MODES = Array.from({ length: 8 }, (_, k) => {
  const angle = (2 * Math.PI * k) / 8;
  return [2 * Math.cos(angle), 2 * Math.sin(angle)] as const;
});
const ring = planeMixture(MODES.map((mu) => ({ weight: 1, mu, sigma: [SIGMA, SIGMA] })));
const rowsOf = (x: tf.Tensor) => x.arraySync() as number[][];
const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
const errorOf = (values: readonly number[]) => {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((v) => (v - mean) ** 2)) / Math.max(1, values.length - 1));
};
const drawn = (count: number, label: string) => ring.sample({ count, rng: rng.fork(label) });
const TRAIN = { x: drawn(budgeted(17_920), 'train') };
const SEEDS = budgeted(5);
const COUNT = budgeted(1000);

/** A game, and how it is played. Section 4 gives the reasons. */
interface Recipe {
  readonly name: string;
  readonly config: Partial<GanConfig>;
  /** The learning rate falls along a cosine, and what is used is an average of the weights. */
  readonly settled: boolean;
  readonly rate?: number;
  readonly beta2?: number;
}
const EPOCHS = budgeted(18, 60);
interface Runs {
  readonly data?: Batch;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly onEpoch?: () => void;
}
async function play<Model extends GenerativeModel>(
  model: Model,
  { settled, rate = 0.003, beta2 = 0.99 }: Omit<Recipe, 'name' | 'config'>,
  here: Rng,
  { data = TRAIN, epochs = EPOCHS, batchSize = 128, onEpoch = () => {} }: Runs = {},
) {
  const steps = Math.ceil(data.x.shape[0]! / batchSize) * epochs;
  const falling = (step: number) => rate * Math.max(0.02, 0.5 + 0.5 * Math.cos(Math.PI * Math.min(1, step / steps)));
  const run = await fit(model, { train: data }, {
    ...{ epochs, batchSize, rng: here, quiet: true, ...(settled && { ema: 0.99 }) },
    optimiser: adam(settled ? falling : rate, { beta1: 0, beta2 }),
    onEpoch: () => onEpoch(),
  }); // prettier-ignore
  return { model, run };
}
const PLAIN: Partial<GanConfig> = { loss: 'non-saturating', realPenalty: 0, fakePenalty: 0 };

// %% [markdown] id="why"
// ## Why: something that draws
//
// A generator is a function: noise $\mathbf{z}$ in, an example out, in one pass. No density has to be normalised, no chain to be run, no differential equation to be solved; any network will do. Below, what the plain game of 2014 makes of 40 fixed $\mathbf{z}$ while it learns a ring of eight Gaussians, whose density is the ground. Within an epoch or two most are on the ring. Then they do not come to rest: where many samples are, the critic learns that this place is a fake's, and they are driven on along the ring. Modes are found and lost (counted on a thousand samples, section 5 says how).

// %% id="why-picture"
const fixed = rng.fork('fixed').normal([40, gan.defaults.latent]);
const mover = gan.create({ ...gan.defaults, ...PLAIN }, rng.fork('mover'));
const places = [rowsOf(mover.generate(fixed))];
const found: number[] = [];
const look = () => {
  places.push(rowsOf(mover.generate(fixed)));
  found.push(modeCoverage(rowsOf(mover.sample({ count: COUNT, rng: rng.fork('look') })), MODES, 3 * SIGMA).covered);
};
await play(mover, { settled: false }, rng.fork('moving'), {
  epochs: budgeted(12),
  onEpoch: look,
});
const around = Array.from({ length: 61 }, (_, i) => (i - 30) / 10);
trajectories(places, {
  title: 'Where 40 noises are sent, epoch by epoch, over the data’s density',
  names: places.map((_, i) => (i === 0 ? 'at the start' : `epoch ${i}: ${found[i - 1]} modes`)),
  density: {
    ...{ x: around, y: around },
    density: tf.tidy(() => Array.from(ring.logProbAt(tf.tensor2d(around.flatMap((y) => around.map((x) => [x, y]))), 0.1).exp().dataSync())), // prettier-ignore
  },
});

// %% [markdown] id="family"
// ## 1 Family
//
// $\mathbf{z} \sim \mathcal{N}(\mathbf{0}, \mathbf{I})$ with $L$ coordinates, $\mathbf{x} = G_\theta(\mathbf{z})$. Given $\mathbf{z}$ there is no noise left, $p(\mathbf{x} \mid \mathbf{z}) = \delta(\mathbf{x} - G(\mathbf{z}))$: the model is **implicit**, in contrast to a **prescribed** one, whose density is written down. Where $L < D$ there is no density at all. All samples lie on an $L$-dimensional surface, of volume 0, as on the curve below; almost every test example has $\ln p = -\infty$.

// %% id="surface"
const surfaces = [1, 2].map((latent) => ({
  latent,
  model: gan.create({ ...gan.defaults, latent, hidden: [32, 32] }, rng.fork(`surface ${latent}`)),
}));
figure(
  surfaces.map(({ latent, model }, i) => {
    const points = rowsOf(model.sample({ count: budgeted(1500), rng: rng.fork('surface') }));
    return { x: points.map(([a]) => a!), y: points.map(([, b]) => b!), mode: 'markers', name: `L = ${latent}`, marker: { size: 3 }, ...(i > 0 && { xaxis: 'x2', yaxis: 'y2' }) };
  }),
  { xaxis: { title: 'x₁', domain: [0, 0.46] }, yaxis: { title: 'x₂' }, xaxis2: { title: 'x₁', domain: [0.56, 1], anchor: 'y2' }, yaxis2: { anchor: 'x2' } },
  { height: 320, alt: 'Samples of two generators that were not trained: of one latent coordinate they lie on a curve, of two they fill a patch' },
); // prettier-ignore

// %% [markdown] id="no-logprob-text"
// The library says so in the type. `likelihood` of every model is a union of kinds, and only some of them have a `logProb`; the compiler refuses the line below, before anything runs. (The comment in it expects that error, and would itself be one if there were none.)

// %% id="no-logprob"
const implicit: GenerativeModel = surfaces[0]!.model;
// @ts-expect-error -- property 'logProb' does not exist on every kind of likelihood
const nothing: unknown = implicit.likelihood.logProb;
table([{ 'kind of likelihood': implicit.likelihood.kind, logProb: String(nothing) }]);

// %% [markdown] id="network"
// ## 2 Network
//
// Two, and they need not resemble each other. The generator is free. The critic $c_\phi(\mathbf{x})$ gives one number; in most games it is a classifier's **logit**, $D = \sigma(c)$ its probability of "data". Here both have three layers of 64 with leaky ReLUs. Of the critic one more thing matters, how steep it is: one can divide each of its matrices by its largest singular value (**spectral normalisation**, Miyato et al., 2018), after which no layer stretches any distance. (All together are far flatter than that, as the table shows.) Section 3 says what it is for.

// %% id="spectral"
const plainMatrix = rng.fork('matrix').normal([64, 64]);
const slopesOf = (network: Network) => {
  const [a, b] = [rng.fork('a').normal([200, 2]), rng.fork('b').normal([200, 2])];
  return tf.tidy(() => Math.max(...network.apply(a).sub(network.apply(b)).abs().squeeze([1]).div(a.sub(b).square().sum(1).sqrt()).dataSync())); // prettier-ignore
};
const steep = [false, true].map((spectral) => {
  const network = criticNetwork([2, 64, 64, 1], rng.fork('steep'), { activation: (x) => tf.leakyRelu(x, 0.2), spectral, lastBias: true });
  network.variables.forEach((variable) => variable.assign(variable.mul(5)));
  return { critic: spectral ? 'normalised' : 'as it is', 'steepest of 200 pairs': slopesOf(network) };
}); // prettier-ignore
table(
  [{ matrix: '64 × 64 of N(0, 1)', 'σ₁, by powers': spectralNorm(plainMatrix).dataSync()[0]!, 'σ₁ / (√64 + √64), which is 1 for large ones': spectralNorm(plainMatrix).dataSync()[0]! / 16 }],
  { digits: 3 },
); // prettier-ignore
table(steep, { caption: 'A critic with weights five times as large as at the start', digits: 3 });

// %% [markdown] id="objective"
// ## 3 Objective
//
// **Minimax.** The critic is trained as a classifier, data against samples; the generator to make that fail (Goodfellow et al., 2014):
//
// $$\min_G \max_D \; V(D, G) = \mathbb{E}_{\mathbf{x} \sim p}\ln D(\mathbf{x}) + \mathbb{E}_{\mathbf{x} \sim q}\ln\bigl(1 - D(\mathbf{x})\bigr),$$
//
// with $p$ the data's distribution and $q$ the generator's.
//
// ### Exercise: derive the best critic
//
// Let $\mathbf{x}$ have finitely many values. For fixed $p$ and $q$: which $D$ maximises $V$, and what is $V$ there? (What the second number has to do with a divergence between $p$ and $q$, work out on paper: it is $2\, \mathrm{JSD} - \ln 4$, with the **Jensen–Shannon divergence** $\tfrac12 \mathrm{KL}[p \Vert m] + \tfrac12 \mathrm{KL}[q \Vert m]$ to the middle $m = \tfrac12 (p + q)$.)

// %% id="optimum"
/**
 * The critic that no other is better than, and what the game is worth to it.
 * @param p of data, and q of samples: probabilities of the same values, of which none has both 0
 * @returns D, its probability of "data" for each value; and the value of the game, in nats
 */
function bestCritic(p: number[], q: number[]): { D: number[]; value: number } {
  // BEGIN SOLUTION gan.optimum
  const part = (weight: number, chance: number) => (weight === 0 ? 0 : weight * Math.log(chance));
  const D = p.map((v, i) => v / (v + q[i]!));
  const each = p.map((v, i) => part(v, D[i]!) + part(q[i]!, 1 - D[i]!));
  return { D, value: each.reduce((sum, v) => sum + v, 0) };
  // END SOLUTION
}

// %% id="check-optimum"
await check('gan.optimum', bestCritic);

// %% [markdown] id="own-optimum-text"
// **Your critic** against one that is trained: a logit for each value, by gradient steps on the exact expectations. Its value tends to $-\ln 4 = -1.386$ as samples become as data.

// %% id="own-optimum"
const ownBest = yours(bestCritic, (p: number[], q: number[]) =>
  tf.tidy(() => {
    const logits = optimalCritic(tf.tensor1d(p).log(), tf.tensor1d(q).log());
    const D = Array.from(logits.sigmoid().dataSync());
    return { D, value: p.reduce((sum, v, i) => sum + v * Math.log(D[i]!) + q[i]! * Math.log(1 - D[i]!), 0) };
  }),
);
const P = [0.4, 0.25, 0.15, 0.1, 0.07, 0.03];
const Q = [0.05, 0.15, 0.3, 0.2, 0.2, 0.1];
/** A critic with a number for each of the six values, trained on all of them at once. */
async function tableCritic(p: readonly number[], q: readonly number[]) {
  const logits = tf.variable(tf.zeros([6]));
  const loss = () => tf.tidy(() => logits.neg().softplus().mul(tf.tensor1d([...p])).add(logits.softplus().mul(tf.tensor1d([...q]))).sum()); // prettier-ignore
  const objective: Objective = { name: 'critic', estimates: 'other', variables: [logits], loss };
  const model: GenerativeModel = { eventShape: [1], likelihood: { kind: 'implicit' }, objectives: [objective], sample: ({ count }) => tf.zeros([count, 1]) }; // prettier-ignore
  const STEPS = Math.max(300, budgeted(600));
  await fit(model, { train: { x: tf.zeros([1, 1]) } }, { epochs: STEPS, batchSize: 1, optimiser: adam((step) => 0.1 * 0.01 ** (step / STEPS)), rng: rng.fork('table'), quiet: true, engine: 'eager' }); // prettier-ignore
  return { D: Array.from(logits.sigmoid().dataSync()), value: -loss().dataSync()[0]! };
}
const [apartCritic, sameCritic] = [await tableCritic(P, Q), await tableCritic(P, P)];
const names = P.map((_, i) => `value ${i + 1}`);
figure(
  [
    { type: 'bar', x: names, y: P, name: 'p, data', marker: { opacity: 0.45 } },
    { type: 'bar', x: names, y: Q, name: 'q, samples', marker: { opacity: 0.45 } },
    { x: names, y: apartCritic.D, mode: 'markers', name: 'D, trained', marker: { size: 11 } },
    {
      x: names,
      y: ownBest([...P], [...Q]).D,
      mode: 'markers',
      name: `D, best: ${ownBest.by()}`,
      marker: { size: 18, symbol: 'circle-open', line: { width: 2 } },
    },
  ],
  { yaxis: { title: 'probability', range: [0, 1] }, xaxis: { title: 'what x is' } },
  {
    height: 340,
    alt: 'Bars of p and q over six values; the trained critic’s points lie in the circles of the best one',
  },
);
const furthest = (a: readonly number[], b: readonly number[]) => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));
table(
  [
    { samples: 'others than data', 'largest error of D': furthest(apartCritic.D, ownBest([...P], [...Q]).D), 'value, trained': apartCritic.value, 'value, best': ownBest([...P], [...Q]).value, '−ln 4': -Math.log(4) },
    { samples: 'as data', 'largest error of D': furthest(sameCritic.D, ownBest([...P], [...P]).D), 'value, trained': sameCritic.value, 'value, best': ownBest([...P], [...P]).value, '−ln 4': -Math.log(4) },
  ],
  { caption: `The game on six values; best: ${ownBest.by()}`, digits: 4 },
); // prettier-ignore

// %% [markdown] id="slopes-text"
// ### Predict: what a generator is told by a critic that is sure
//
// The generator minimises $\mathbb{E} \ln(1 - D)$ in the minimax game. The same paper advises another loss, $-\mathbb{E} \ln D$ (**non-saturating**), with the same critic. *Before* you run the figure: the critic's logit of a sample is $f$. What are the derivatives of both losses by $f$? Which of them is left at $f = -8$, where the critic is sure of a fake?

// %% id="slopes"
/**
 * d/df of what a generator minimises, at one sample with logit f, D = σ(f).
 * @returns saturating: of ln(1 − D); nonSaturating: of −ln D
 */
function generatorSlopes(f: number): { saturating: number; nonSaturating: number } {
  // BEGIN SOLUTION gan.slopes
  const sure = 1 / (1 + Math.exp(-f)); // of "data"
  return { saturating: -sure, nonSaturating: sure - 1 };
  // END SOLUTION
}

// %% id="slopes-figure"
const foretold = <T>(body: () => T): T | undefined => {
  try {
    return body();
  } catch {
    return undefined;
  }
};
const logits = Array.from({ length: 41 }, (_, i) => (i - 20) / 2);
const slopeOf = (name: 'saturating' | 'non-saturating') =>
  tf.tidy(() => Array.from(tf.grad((f) => games[name].generator(f, f).mul(logits.length))(tf.tensor1d(logits)).dataSync())); // prettier-ignore
figure(
  (['saturating', 'non-saturating'] as const).flatMap((name, i) => [
    { x: logits, y: slopeOf(name), mode: 'markers', name: `${name}, measured`, marker: { size: 7, symbol: i === 0 ? 'circle' : 'diamond' } },
    { x: logits, y: logits.map((f) => foretold(() => generatorSlopes(f)[i === 0 ? 'saturating' : 'nonSaturating']) ?? null), mode: 'lines', name: `${name}, predicted` },
  ]),
  { xaxis: { title: 'the critic’s logit f of a sample: sure of a fake on the left, of data on the right' }, yaxis: { title: 'slope of the loss by f' } },
  { height: 330, alt: 'The saturating loss has no slope on the left, the non-saturating one none on the right' },
); // prettier-ignore

// %% id="check-slopes"
await check('gan.slopes', generatorSlopes);

// %% [markdown] id="losses-text"
// Both have the same sign everywhere: they pull the same way, but weigh the samples differently. With the best critic, held fixed for the step, the saturating gradient is that of $2\,\mathrm{JSD}$, the other that of $\mathrm{KL}[q \Vert p] - 2\,\mathrm{JSD}$ (Arjovsky and Bottou, 2017), which punishes samples where no data are, and hardly data where no samples are.
//
// ### Exercise: both losses, from logits
//
// $-\ln \sigma(f) = \ln(1 + e^{-f}) = \mathrm{softplus}(-f)$ is right for every $f$; the logarithm of a $\sigma$ that has rounded to 0 is not. (TensorFlow.js 4.22 has `logSigmoid`, too, but no gradient comes through it from what was computed before.) Write the critic's loss, $-V$, and the generator's *non-saturating* one.

// %% id="losses"
/**
 * What each player minimises, a mean over the examples.
 * @param real logits of data, [B] @param fake logits of samples, [B] @returns scalars []
 */
function adversarialLosses(real: tf.Tensor, fake: tf.Tensor): { critic: tf.Tensor; generator: tf.Tensor } {
  // BEGIN SOLUTION gan.losses
  const critic = real.neg().softplus().mean().add(fake.softplus().mean());
  const generator = fake.neg().softplus().mean();
  return { critic, generator };
  // END SOLUTION
}

// %% id="check-losses"
await check('gan.losses', adversarialLosses);

// %% [markdown] id="own-losses-text"
// **Your losses** play a short game on the ring beside the library's, from the same weights and with the same noise; and beside the saturating one. That one learns, too: both players start together, and the critic is not that sure of the samples (last column; one seed, so that the other two say nothing of which is better).

// %% id="own-losses"
const ownLosses = yours(adversarialLosses, (real: tf.Tensor, fake: tf.Tensor) => ({
  critic: games['non-saturating'].critic(real, fake),
  generator: games['non-saturating'].generator(real, fake),
}));
/** The library's players, who minimise your losses. */
function byOwnLosses(model: GanModel): GanModel {
  const of = (player: 'critic' | 'generator', objective: Objective): Objective => ({
    ...objective,
    loss: ({ x }, noise) =>
      tf.tidy(() => {
        const fake = model.generate(noise.fork('z').normal([x.shape[0]!, gan.defaults.latent]));
        // as the library does it, to the last digit: a game makes much of little
        const [real, own] =
          player === 'critic' ? tf.split(model.critic(tf.concat([x, fake])), 2) : [model.critic(x), model.critic(fake)];
        return ownLosses(real!, own!)[player];
      }),
  });
  const [critic, generator] = model.objectives as [Objective, Objective];
  return { ...model, objectives: [of('critic', critic), of('generator', generator)] };
}
const brief = { epochs: budgeted(4) };
const short = async (name: string, model: GanModel) => {
  await play(model, { settled: false }, rng.fork('short run'), brief);
  const x = model.sample({ count: COUNT, rng: rng.fork('short') });
  const { covered, highQuality } = modeCoverage(rowsOf(x), MODES, 3 * SIGMA);
  const D = tf.tidy(() => model.critic(x).sigmoid().mean().dataSync()[0]!);
  return { loss: name, 'modes of 8': covered, 'within 3 σ of one': highQuality, 'mean D of samples': D };
};
const start = (loss: GanConfig['loss']) => gan.create({ ...gan.defaults, ...PLAIN, loss }, rng.fork('short'));
const byOwn = await short('non-saturating', byOwnLosses(start('non-saturating')));
table(
  [
    { ...byOwn, loss: `non-saturating: ${ownLosses.by()}` },
    await short('non-saturating: the library’s', start('non-saturating')),
    await short('saturating', start('saturating')),
  ],
  { caption: `After ${brief.epochs} epochs without any penalty, one seed`, digits: 2 },
);

// %% [markdown] id="ahead-text"
// **Where it bites**: when the critic has got ahead. Below, it learns alone, against a generator that does not move; then each loss is asked for its gradient by the generator's weights. One loss has next to nothing to say just when most is to be learnt, as you predicted.

// %% id="ahead"
const young = start('non-saturating');
const youngNoise = rng.fork('young').normal([COUNT, gan.defaults.latent]);
const toldBy = (name: 'saturating' | 'non-saturating') =>
  tf.tidy(() => {
    const loss = () => {
      const f = young.critic(young.generate(youngNoise));
      return games[name].generator(f, f) as tf.Scalar;
    };
    const { grads } = tf.variableGrads(loss, [...young.objectives[1]!.variables]);
    return Math.hypot(...Object.values(grads).map((slope) => slope.norm().dataSync()[0]!));
  });
const criticAlone: GanModel = { ...young, objectives: young.objectives.slice(0, 1) };
const handful = { x: TRAIN.x.slice([0, 0], [Math.min(1280, TRAIN.x.shape[0]!), 2]) };
const aheadRows = [];
let stepsAhead = 0;
for (const epochs of [0, 1, 3, 10]) {
  if (epochs > 0) await play(criticAlone, { settled: false }, rng.fork(`ahead ${epochs}`), { data: handful, epochs });
  stepsAhead += epochs * Math.ceil(handful.x.shape[0]! / 128);
  aheadRows.push({
    'steps of the critic alone': stepsAhead,
    'mean D of samples': tf.tidy(() => young.critic(young.generate(youngNoise)).sigmoid().mean().dataSync()[0]!),
    'gradient’s length, saturating': toldBy('saturating'),
    'non-saturating': toldBy('non-saturating'),
  });
}
table(aheadRows, { caption: 'What a generator that has not moved yet is told', digits: 3 });

// %% [markdown] id="round-text"
// ### Exercise: one round
//
// The critic steps first, down its loss, with the generator's samples as they are; then the generator steps, against the critic *as it is now*. Each gradient is by the player's own weights alone. Both losses are those above (the generator's the non-saturating one), both steps are $\mathbf{w} \leftarrow \mathbf{w} - \text{rate} \cdot \nabla$.

// %% id="round"
/**
 * One round of the game, of plain gradient steps: the critic's, then the generator's, both with the same z.
 * @param score logits of x by a critic with weights w: x [B, D], w [W] → [B]
 * @param make samples of z by a generator with weights theta: z [B, L], theta [T] → [B, D]
 * @returns the new weights of both
 */
function playRound(
  weights: { critic: tf.Tensor; generator: tf.Tensor },
  score: (x: tf.Tensor, w: tf.Tensor) => tf.Tensor,
  make: (z: tf.Tensor, theta: tf.Tensor) => tf.Tensor,
  batch: { x: tf.Tensor; z: tf.Tensor },
  rate: number,
): { critic: tf.Tensor; generator: tf.Tensor } {
  // BEGIN SOLUTION gan.round
  const { x, z } = batch;
  const criticLoss = (w: tf.Tensor) => {
    const data = score(x, w).neg().softplus().mean();
    return data.add(score(make(z, weights.generator), w).softplus().mean());
  };
  const critic = weights.critic.sub(tf.grad(criticLoss)(weights.critic).mul(rate));
  const generatorLoss = (theta: tf.Tensor) => score(make(z, theta), critic).neg().softplus().mean();
  const generator = weights.generator.sub(tf.grad(generatorLoss)(weights.generator).mul(rate));
  return { critic, generator };
  // END SOLUTION
}

// %% id="check-round"
await check('gan.round', playRound);

// %% [markdown] id="dirac-text"
// **Your rounds** in the smallest game there is (Mescheder, Geiger and Nowozin, 2018). Data are always 0, samples always $\theta$, the critic is $w x$. The rest is at $w = \theta = 0$. In small steps, $\tfrac12 (w^2 + \theta^2)$ changes by $w \theta\, [\sigma(-w\theta) - \sigma(w\theta)] = -w\theta \tanh(w\theta / 2)$ per unit of time: inwards, but by a fourth power, next to nothing near the rest; steps of finite length push outwards. Left: with steps of both *at once* the two balance, and the game circles. Middle: in turn, as you play it, it comes in, ever more slowly. Right: the critic also pays $\tfrac12 \gamma \lVert \nabla_x c \rVert^2$ at the data (**R1**), here $\tfrac12 \gamma w^2$, so that $w$ shrinks before each round by the factor $1 - \text{rate} \cdot \gamma$: now it arrives. Nothing but the critic's steepness was punished.

// %% id="dirac"
const ownRound = yours(playRound, (weights, score, make, { x, z }, rate) => {
  const step = (from: tf.Tensor, loss: (w: tf.Tensor) => tf.Tensor) => from.sub(tf.grad(loss)(from).mul(rate));
  const game = games['non-saturating'];
  const critic = step(weights.critic, (w) => game.critic(score(x, w), score(make(z, weights.generator), w)));
  const generator = step(weights.generator, (theta) => game.generator(score(x, critic), score(make(z, theta), critic)));
  return { critic, generator };
});
const [dataPoint, one] = [tf.zeros([1, 1]), tf.ones([1, 1])];
const sigma = (v: number) => 1 / (1 + Math.exp(-v));
const RATE = 0.25;
type Point = readonly [w: number, theta: number];
const inTurn = ([w, theta]: Point): Point =>
  tf.tidy(() => {
    const weights = { critic: tf.tensor1d([w]), generator: tf.tensor1d([theta]) };
    const next = ownRound(weights, (x, v) => x.mul(v).sum(1), (z, t) => z.mul(t), { x: dataPoint, z: one }, RATE); // prettier-ignore
    return [next.critic.dataSync()[0]!, next.generator.dataSync()[0]!] as [number, number];
  });
const atOnce = ([w, theta]: Point): Point => [
  w - RATE * theta * sigma(w * theta),
  theta + RATE * w * sigma(-w * theta),
];
const punished = ([w, theta]: Point): Point => inTurn([w * (1 - RATE * 0.3), theta]); // γ = 0.3
const path = (step: (at: Point) => Point) => {
  const points: Point[] = [[0, 1]];
  for (let i = 0; i < Math.max(20, budgeted(150)); i++) points.push(step(points.at(-1)!));
  return points;
};
const dirac = [['at once', atOnce], [`in turn: ${ownRound.by()}`, inTurn], ['in turn, with R1', punished]] as const; // prettier-ignore
figure(
  dirac.map(([name, step], i) => {
    const points = path(step);
    return { x: points.map(([w]) => w), y: points.map(([, theta]) => theta), mode: 'lines+markers', name, marker: { size: 3 }, line: { width: 1 }, ...(i > 0 && { xaxis: `x${i + 1}`, yaxis: `y${i + 1}` }) };
  }),
  Object.assign(
    {},
    ...dirac.map((_, i) => {
      const n = i === 0 ? '' : String(i + 1);
      return { [`xaxis${n}`]: { title: 'w, the critic', domain: [0.36 * i, 0.36 * i + 0.28], anchor: `y${n}`, range: [-1.2, 1.2] }, [`yaxis${n}`]: { ...(i === 0 && { title: 'θ, the sample' }), anchor: `x${n}`, range: [-1.2, 1.2] } };
    }),
  ),
  { height: 330, alt: 'Three paths of critic and generator: onto a circle, slowly inwards, and in two turns into the middle' },
); // prettier-ignore

// %% [markdown] id="apart-text"
// ### Distances that go on
//
// ### Predict: two distances between two intervals
//
// Data are even on $[0, 1]$, samples on $[\theta, \theta + 1]$. *Before* you run the figure: what is the Jensen–Shannon divergence, in nats, as a function of $\theta$? And the **Wasserstein distance** $W_1$, how far mass has to be moved on average to make the one of the other? Which of the two tells a generator at $\theta = 3$ where to go?

// %% id="apart"
/**
 * How far apart the even distributions on [0, 1] and on [theta, theta + 1] are.
 * @returns jsd in nats, and w1
 */
function howFarApart(theta: number): { jsd: number; w1: number } {
  // BEGIN SOLUTION gan.apart
  const way = Math.abs(theta);
  return { jsd: Math.min(1, way) * Math.LN2, w1: way };
  // END SOLUTION
}

// %% id="apart-figure"
const thetas = Array.from({ length: 25 }, (_, i) => (i - 12) / 4);
/** By the best critic's value on a grid, and by sorting. */
const measuredApart = (theta: number) => {
  const grid = Array.from({ length: 280 }, (_, i) => -3.5 + (i + 0.5) / 35);
  const inside = (low: number) => grid.map((x) => (x > low && x < low + 1 ? 1 / 35 : 0));
  const [p, q] = [inside(0), inside(theta)];
  const pairs = p.map((v, i) => [v, q[i]!] as const).filter(([a, b]) => a + b > 0);
  const log = (a: number, b: number) => (a > 0 ? a * Math.log(a / (a + b)) : 0);
  const value = pairs.reduce((sum, [a, b]) => sum + log(a, b) + log(b, a), 0);
  const even = Array.from({ length: 200 }, (_, i) => (i + 0.5) / 200);
  return { jsd: (value + Math.log(4)) / 2, w1: wasserstein1d(even, even.map((v) => v + theta)) }; // prettier-ignore
};
figure(
  (['jsd', 'w1'] as const).flatMap((name, i) => [
    { x: thetas, y: thetas.map((theta) => measuredApart(theta)[name]), mode: 'markers', name: `${['JSD', 'W₁'][i]}, measured`, marker: { size: 7 } },
    { x: thetas, y: thetas.map((theta) => foretold(() => howFarApart(theta)[name]) ?? null), mode: 'lines', name: `${['JSD', 'W₁'][i]}, predicted` },
  ]),
  { xaxis: { title: 'θ' }, yaxis: { title: 'distance' } },
  { height: 330, alt: 'JSD rises to ln 2 at |θ| = 1 and is flat beyond; W₁ goes on rising' },
); // prettier-ignore

// %% id="check-apart"
await check('gan.apart', howFarApart);

// %% [markdown] id="wasserstein-text"
// **Wasserstein GANs** (Arjovsky, Chintala and Bottou, 2017) play for that distance. By Kantorovich and Rubinstein it is a critic's, too,
//
// $$W_1(p, q) = \max_{\lVert c \rVert_{\mathrm{Lip}} \le 1} \; \mathbb{E}_p\, c(\mathbf{x}) - \mathbb{E}_q\, c(\mathbf{x}),$$
//
// over all critics that are nowhere steeper than 1. No logarithm, no $\sigma$. How is a network kept from being steep? By spectral normalisation; or by a price (**gradient penalty**, Gulrajani et al., 2017), $\lambda\, \mathbb{E} (\lVert \nabla c(\hat{\mathbf{x}}) \rVert - 1)^2$ at points $\hat{\mathbf{x}} = u \mathbf{x} + (1 - u) \tilde{\mathbf{x}}$ between data and samples. In one dimension $W_1$ can be had by sorting, and you will hold a critic against that in the bug to find.
//
// **A modern game.** The critic compares *pairs*: $-\ln \sigma(c(\mathbf{x}) - c(\tilde{\mathbf{x}}))$, and the generator minimises the same with the roles exchanged (**relativistic**, Jolicoeur-Martineau, 2019). A sample is not compared with a fixed threshold but with data; that is to say, with all modes. With both penalties, R1 at the data and **R2** at the samples, it converges locally, as the path on the right did (Huang et al., 2024).
//
// | game | the critic minimises | the generator minimises |
// |---|---|---|
// | saturating | $-\ln D(\mathbf{x}) - \ln(1 - D(\tilde{\mathbf{x}}))$ | $\ln(1 - D(\tilde{\mathbf{x}}))$ |
// | non-saturating | the same | $-\ln D(\tilde{\mathbf{x}})$ |
// | Wasserstein, gradient penalty | $c(\tilde{\mathbf{x}}) - c(\mathbf{x}) + \lambda (\lVert \nabla c(\hat{\mathbf{x}}) \rVert - 1)^2$ | $-c(\tilde{\mathbf{x}})$ |
// | relativistic, R1 + R2 | $-\ln \sigma(c(\mathbf{x}) - c(\tilde{\mathbf{x}})) + \tfrac{\gamma}{2} (\lVert \nabla c(\mathbf{x}) \rVert^2 + \lVert \nabla c(\tilde{\mathbf{x}}) \rVert^2)$ | $-\ln \sigma(c(\tilde{\mathbf{x}}) - c(\mathbf{x}))$ |

// %% [markdown] id="training"
// ## 4 Optimiser
//
// Adam, one for each player, with $\beta_1 = 0$: a mean of past gradients is of a game against an opponent who is not there any more. The learning rate falls along a cosine, so that the circling gets smaller, and a moving average of the weights takes what is left of it out. For the plain game and for WGAN-GP both are left out, as they were published (the plain one is played both ways); WGAN-GP has its paper's settings ($\lambda = 10$, five steps of the critic for one of the generator, learning rate $10^{-4}$, $\beta_2 = 0.9$).
//
// ## 5 Training
//
// There is no validation loss to stop by. The critic's loss says how good the critic is *now*, and a generator that has lost seven modes of eight may have a good one. So something else has to be measured, and on the ring it can be.
//
// ### Exercise: design a measure that cannot be fooled by one mode
//
// A sample belongs to its nearest mode, if that is no farther than a radius; else it is of low quality and belongs to none. Three numbers: how many modes are **covered** (by at least a tenth of the samples that are due to each, $N / K$, where $N$ counts all samples); the share of **high quality** (belongs to a mode); and $\mathrm{KL}$ of the shares, of those that belong to one, from $1/K$. One mode, drawn perfectly, has the second; noise that is spread evenly has the third, and where it is dense enough the first. Which generators have all three?

// %% id="coverage"
/**
 * Samples counted by modes.
 * @param samples [N][D] @param modes [K][D], of equal mass @param radius within which a sample belongs to a mode
 * @returns covered, a number of modes; highQuality, a share of all samples; kl in nats, Infinity where no sample belongs
 */
function coverage(
  samples: number[][],
  modes: number[][],
  radius: number,
): { covered: number; highQuality: number; kl: number } {
  // BEGIN SOLUTION gan.coverage
  const hits = modes.map(() => 0);
  for (const x of samples) {
    const distances = modes.map((mode) => Math.hypot(...mode.map((m, d) => m - x[d]!)));
    const nearest = Math.min(...distances);
    if (nearest <= radius) hits[distances.indexOf(nearest)]! += 1;
  }
  const belong = hits.reduce((a, b) => a + b, 0);
  const part = (share: number) => (share === 0 ? 0 : share * Math.log(share * modes.length));
  return {
    covered: hits.filter((count) => count >= (0.1 * samples.length) / modes.length).length,
    highQuality: belong / samples.length,
    kl: belong === 0 ? Infinity : hits.map((count) => part(count / belong)).reduce((a, b) => a + b, 0),
  };
  // END SOLUTION
}

// %% id="check-coverage"
await check('gan.coverage', coverage);

// %% [markdown] id="train-text"
// **By your measure**, six games over five seeds each: same data, same networks, as many steps of the critic. *Settled* is with the falling rate and the average; *spectral norm* and all below it are, too. But for WGAN-GP and the last, losses are non-saturating. From the third row on each differs from one above it in one thing: the rate and the average, the critic's matrices, the penalties, the pairs. True samples have a high-quality share of $1 - e^{-4.5} = 0.989$ within $3 \sigma$; a generator that is continuous cannot have that of separate modes, since what it makes of all $\mathbf{z}$ hangs together: from mode to mode lead threads (second figure), and learning makes them thinner.

// %% id="train"
const ownCoverage = yours(coverage, (samples: number[][], modes: number[][], radius: number) =>
  modeCoverage(samples, modes, radius),
);
const recipes: readonly Recipe[] = [
  { name: 'plain', config: PLAIN, settled: false },
  { name: 'WGAN-GP', config: { loss: 'wasserstein', realPenalty: 0, fakePenalty: 0, gradientPenalty: 10, criticSteps: 5 }, settled: false, rate: 1e-4, beta2: 0.9 },
  { name: 'plain, settled', config: PLAIN, settled: true },
  { name: 'spectral norm', config: { ...PLAIN, spectral: true }, settled: true },
  { name: 'with R1 + R2', config: { loss: 'non-saturating' }, settled: true },
  { name: 'relativistic, R1 + R2', config: {}, settled: true },
]; // prettier-ignore
const seen = (model: GanModel, label: string) =>
  ownCoverage(rowsOf(model.sample({ count: COUNT, rng: rng.fork(label) })), MODES.map((mode) => [...mode]), 3 * SIGMA); // prettier-ignore
type Seen = ReturnType<typeof seen>;
interface Played {
  readonly recipe: Recipe;
  readonly model: GanModel;
  readonly seconds: number;
  readonly course: readonly Seen[];
  readonly end: Seen;
}
const played: Played[] = [];
for (const recipe of recipes)
  for (let seed = 0; seed < SEEDS; seed++) {
    const here = rng.fork(`seed ${seed}`);
    const model = gan.create({ ...gan.defaults, ...recipe.config }, here.fork('model'));
    const course: Seen[] = [];
    const { run } = await play(model, recipe, here.fork('run'), {
      onEpoch: () => void course.push(seen(model, 'course')),
    });
    played.push({ recipe, model, seconds: run.milliseconds / 1000, course, end: seen(model, 'end') });
  }
const of = (recipe: Recipe) => played.filter((game) => game.recipe === recipe);
const spread = (values: readonly number[]) => `${meanOf(values).toFixed(3)} ± ${errorOf(values).toFixed(3)}`;
table(
  recipes.map((recipe) => {
    const ends = of(recipe).map(({ end }) => end);
    return {
      game: recipe.name,
      'modes of 8, by seed': ends.map(({ covered }) => covered).join(' '),
      'high quality': spread(ends.map(({ highQuality }) => highQuality)),
      'KL of the shares, by seed': ends.map(({ kl }) => kl.toFixed(3)).join(' '),
      'seconds a training': meanOf(of(recipe).map(({ seconds }) => seconds)),
    };
  }),
  { caption: `${SEEDS} seeds, mean ± standard error over seeds; counted by ${ownCoverage.by()}`, digits: 3 },
); // prettier-ignore

// %% [markdown] id="instability-text"
// **Instability**, seed by seed. Each line is one training. The plain game gains and loses modes until the end, and where it stops is chance. That has two causes, and each has its cure. A falling rate and an average of weights (*settled*) take the jumping out, and make modes narrow; but the shares stay uneven, and a mode may be lost for good, as the KL says. A critic kept from being steep, by penalties or by spectral normalisation, makes the shares even, in every seed. The last two games differ in the pairs alone, and five seeds see next to no difference: on this ring it is the penalties that matter, not who is compared with whom.

// %% id="instability"
const COLOURS = ['#d1495b', '#8d6a9f', '#e08e45', '#3a7ca5', '#1b998b', '#2e8b57'];
/** As many panels side by side as there are games to show. */
const panels = (games: readonly Recipe[], width: number, y: object, x: object) =>
  Object.assign(
    {},
    ...games.map((_, i) => {
      const n = i === 0 ? '' : String(i + 1);
      const left = (i * 1.04) / games.length;
      return {
        [`xaxis${n}`]: { domain: [left, left + width / games.length], anchor: `y${n}`, ...x },
        [`yaxis${n}`]: { anchor: `x${n}`, ...y, ...(i > 0 && { title: '', showticklabels: false }) },
      };
    }),
  ); // prettier-ignore
const inPanel = (i: number) => (i === 0 ? {} : { xaxis: `x${i + 1}`, yaxis: `y${i + 1}` });
figure(
  recipes.flatMap((recipe, i) =>
    of(recipe).map(({ course }, seed) => ({
      x: course.map((_, epoch) => epoch + 1),
      y: course.map(({ covered, highQuality, kl }) => (covered === 0 ? 0 : highQuality * Math.exp(-kl))),
      mode: 'lines',
      name: recipe.name,
      legendgroup: recipe.name,
      showlegend: seed === 0,
      line: { width: 1.4, color: COLOURS[i] },
      ...inPanel(i),
    })),
  ),
  panels(recipes, 0.8, { range: [0, 1], title: 'quality · exp(−KL)' }, { title: 'epoch' }),
  { height: 340, alt: 'Six panels of five lines over the epochs: the plain game’s jump up and down, WGAN-GP’s stay near 0, the others rise together' },
); // prettier-ignore
const pictured = [0, 1, 3, 5].map((i) => recipes[i]!);
figure(
  pictured.map((recipe, i) => {
    const points = rowsOf(of(recipe)[0]!.model.sample({ count: budgeted(600), rng: rng.fork('shown') }));
    return { x: points.map(([a]) => a!), y: points.map(([, b]) => b!), mode: 'markers', name: recipe.name, marker: { size: 3, color: COLOURS[recipes.indexOf(recipe)] }, ...inPanel(i) };
  }),
  panels(pictured, 0.86, { range: [-2.8, 2.8], title: 'x₂' }, { range: [-2.8, 2.8], title: 'x₁' }),
  { height: 270, alt: 'Samples of the first seed of four games: eight clumps on a ring and threads between them; WGAN-GP’s are scattered over the plane' },
); // prettier-ignore

// %% [markdown] id="likelihood-text"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// The price of steepness has to be chosen: too little keeps no critic from being steep, too much makes it too flat to see how narrow a mode is. Over four powers of ten no mode is lost. What is left to choose by is finer, and the **energy distance** to a validation set sees it, for which no modes need be known: it is least in the middle of the range, at what the games above have.

// %% id="sweep"
const GAMMAS = [0.001, 0.01, 0.1, 1, 10].slice(0, Math.max(2, budgeted(5)));
const validation = drawn(COUNT, 'validation');
const sweepRows = [];
for (const gamma of GAMMAS) {
  const model = gan.create({ ...gan.defaults, realPenalty: gamma, fakePenalty: gamma }, rng.fork('sweep'));
  await play(model, { settled: true }, rng.fork('sweep run'), { epochs: budgeted(8, 60) });
  const x = model.sample({ count: COUNT, rng: rng.fork('sweep samples') });
  const { covered, highQuality, kl } = modeCoverage(rowsOf(x), MODES, 3 * SIGMA);
  const distance = twoSampleTest(x, validation, rng.fork('sweep test'), { permutations: 1 }).statistic;
  sweepRows.push({
    γ: gamma,
    'modes of 8': covered,
    'high quality': highQuality,
    KL: kl,
    'energy distance to validation points': distance,
  });
}
table(sweepRows, { caption: 'Relativistic, R1 + R2, one seed', digits: 4 });

// %% [markdown] id="judged-text"
// **What one may still say of a model without a density.** Its samples can be compared with data, and the data's own spread says how large a difference is nothing.
//
// - **Two-sample tests.** Is the difference larger than when labels are dealt out anew? The kernel's distance (**maximum mean discrepancy**, Gretton et al., 2012) and the energy distance of chapter 2; the $p$-value is exact. Where nothing differs it is spread evenly, so that one near 1 is no praise. A test that does not reject proves nothing: with these 150 samples neither of the two sees that all modes are blurred to four times their width.
// - **Precision and recall** (Kynkäänniemi et al., 2019). Around each point of a set lies a ball up to its third neighbour. *Precision*: the share of samples in the balls of data. *Recall*: the share of data in the balls of samples. A collapsed model has the first, a blurred one the second.
// - **Modes counted**, where they are known.
//
// What one may *not* do is to lay a kernel on each sample and call that density the model's: its value says more of the kernel's width than of the model (Theis, van den Oord and Bethge, 2016).

// %% id="judged"
const [test, other] = [drawn(COUNT, 'test'), drawn(COUNT, 'other')];
const FEW = Math.max(20, budgeted(150));
const PERMUTATIONS = Math.max(19, budgeted(199));
const first = (x: tf.Tensor) => x.slice([0, 0], [Math.min(FEW, x.shape[0]!), 2]);
const judge = (name: string, x: tf.Tensor) => {
  const { precision, recall } = precisionRecall(rowsOf(test), rowsOf(x));
  const by = (distance: 'kernel' | 'energy') => twoSampleTest(first(x), first(test), rng.fork('judge'), { permutations: PERMUTATIONS, distance });
  const kernel = by('kernel');
  return { samples: name, precision, recall, 'MMD²': kernel.statistic, 'p, kernel': kernel.pValue, 'p, energy': by('energy').pValue };
}; // prettier-ignore
const collapsed = tf.tidy(() => tf.gather(test, tf.range(0, COUNT, 1, 'int32').mul(0).toInt()).add(rng.fork('one mode').normal([COUNT, 2]).mul(SIGMA))); // prettier-ignore
const blurred = tf.tidy(() => other.add(rng.fork('blur').normal([COUNT, 2]).mul(0.4)));
table(
  [
    ...recipes.map((recipe) =>
      judge(recipe.name, of(recipe)[0]!.model.sample({ count: COUNT, rng: rng.fork('judged') })),
    ),
    judge('one mode, on purpose', collapsed),
    judge('all modes, blurred', blurred),
    judge('true samples', other),
  ],
  { caption: `First seed of each game, ${COUNT} samples (tests: ${FEW}, ${PERMUTATIONS} permutations)`, digits: 3 },
);

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// One pass. And noise is a handle: along an arc from one $\mathbf{z}$ to another the example changes smoothly. (Half-way on a straight line $\lVert \mathbf{z} \rVert$ would be about $\sqrt{L / 2}$, and of all $\mathbf{z}$ of 16 coordinates 95 % are longer.)
//
// **Digits, by class.** Both players are told the label, as ten further inputs (**conditional GAN**, Mirza and Osindero, 2014). The game is the relativistic one, $L = 16$, two layers of 128; $G$ ends in $\tanh$, so that pixels stay between 0 and 16. With 64 coordinates the price of steepness has to be found anew: by precision plus recall against validation digits, in short trainings, over a range that has its best inside.

// %% id="digits"
const digits = load('digits');
const digitConfig: GanConfig = {
  ...gan.defaults,
  ...{ eventShape: [64], classes: 10, latent: 16, centre: 8, scale: 8, bounded: true },
  ...{ hidden: [128, 128], criticHidden: [128, 128], learningRate: 0.001, batchSize: 50 },
};
async function trainDigits(gamma: number, epochs: number) {
  const model = gan.create({ ...digitConfig, realPenalty: gamma, fakePenalty: gamma }, rng.fork('digits'));
  return play(model, { settled: true, rate: 0.001 }, rng.fork('digit run'), {
    data: digits.train,
    epochs,
    batchSize: 50,
  });
}
const evenly = (count: number) => tf.tensor1d(Array.from({ length: count }, (_, i) => i % 10), 'int32'); // prettier-ignore
const JUDGED = Math.max(30, 10 * budgeted(44));
const choices = [];
for (const gamma of [64, 16, 4, 1].slice(0, budgeted(4))) {
  const { model } = await trainDigits(gamma, budgeted(60));
  const x = model.sample({ count: JUDGED, rng: rng.fork('choice'), y: evenly(JUDGED) });
  choices.push({ γ: gamma, ...precisionRecall(rowsOf(digits.validation.x), rowsOf(x)) });
}
table(choices, { caption: `Against validation digits, ${budgeted(60)} epochs, one seed`, digits: 3 });
const chosen = choices.reduce((a, b) => (b.precision + b.recall > a.precision + a.recall ? b : a)).γ;
const digitRun = await trainDigits(chosen, budgeted(150, 400));
const digitModel = digitRun.model;
const picture = { height: 8, width: 8, columns: 10, levels: digits.values };
imageGrid(rowsOf(digitModel.sample({ count: 40, rng: rng.fork('digit samples'), y: evenly(40) })), { ...picture, title: 'Asked for: 0 to 9 from left to right' }); // prettier-ignore
const ends = [0, 1].map((i) => rng.fork(`end ${i}`).normal([1, 16])) as [tf.Tensor, tf.Tensor];
const between = tf.tidy(() => tf.concat([0, 3, 8].flatMap(() => Array.from({ length: 10 }, (_, i) => ends[0].mul(Math.cos((i * Math.PI) / 18)).add(ends[1].mul(Math.sin((i * Math.PI) / 18))))))); // prettier-ignore
const threeClasses = tf.tensor1d([0, 3, 8].flatMap((label) => Array.from({ length: 10 }, () => label)), 'int32'); // prettier-ignore
imageGrid(rowsOf(digitModel.generate(between, threeClasses)), {
  ...picture,
  title: 'From one z to another, told 0, 3, 8',
});

// %% [markdown] id="digit-judge-text"
// **Judged without a likelihood.** Is a sample of the class that was asked for, by its nearest training digit? Precision and recall against test digits. And is it a copy: how far is it from the nearest training digit, compared with how far a validation digit is, which nobody trained on? (Nearer ones than that begin to be copies.)

// %% id="digit-judge"
const asked = evenly(JUDGED);
const trainRows = digits.train.x;
const trainLabels = digits.train.y.dataSync();
const judgeDigits = (name: string, x: tf.Tensor, labels: ArrayLike<number>) =>
  tf.tidy(() => {
    const distances = squaredDistances(x, trainRows);
    const nearest = distances.argMin(1).dataSync();
    const right = meanOf(Array.from(nearest, (n, i) => (trainLabels[n] === labels[i] ? 1 : 0)));
    const far = meanOf(distances.min(1).sqrt().dataSync());
    const { precision, recall } = precisionRecall(rowsOf(digits.test.x), rowsOf(x));
    return {
      digits: name,
      'of the class asked for': right,
      precision,
      recall,
      'distance to the nearest training digit': far,
    };
  });
const digitSamples = digitModel.sample({ count: JUDGED, rng: rng.fork('judged digits'), y: asked });
table(
  [
    judgeDigits('conditional GAN', digitSamples, asked.dataSync()),
    judgeDigits('validation digits', digits.validation.x, digits.validation.y.dataSync()),
    judgeDigits('training digits and noise of deviation 4', trainRows.add(rng.fork('noisy').normal(trainRows.shape).mul(4)), trainLabels), // prettier-ignore
  ],
  { caption: `${JUDGED} samples; trained for ${(digitRun.run.milliseconds / 1000).toFixed(0)} s`, digits: 3 },
);

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in.

// %% id="card"
card(gan.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// The gradient penalty has been published with mistakes by many hands: in much-copied repositories its points lay on no line between data and samples, or its lengths were those of columns of pixels. The code below, for pictures, has **four** mistakes. Each still gives a number above 0, and a training that runs.
//
// ### Exercise: repair it
//
// $\mathbb{E}\,(\lVert \nabla c(\hat{\mathbf{x}}) \rVert - 1)^2$ with $\hat{\mathbf{x}} = u\, \mathbf{x} + (1 - u)\, \tilde{\mathbf{x}}$, and one $u$ for each example, the first that `uniform` gives.

// %% id="penalty"
/**
 * The gradient penalty of a critic of pictures, a mean over the examples.
 * @param critic [B, H, W] → [B], each example by itself @param real data, and fake samples, [B, H, W]
 * @param uniform draws from [0, 1) of any shape @returns []
 */
function slopePenalty(
  critic: (x: tf.Tensor) => tf.Tensor,
  real: tf.Tensor,
  fake: tf.Tensor,
  uniform: (shape: number[]) => tf.Tensor,
): tf.Tensor {
  // BEGIN SOLUTION gan.penalty
  const u = uniform([real.shape[0]!, 1, 1]); // one place an example
  const point = real.mul(u).add(fake.mul(tf.sub(1, u)));
  const slope = tf.grad((at) => critic(at).sum())(point); // of a mean it would be divided by B
  const lengths = slope.square().sum([1, 2]).add(1e-12).sqrt(); // a root has no slope at 0
  return lengths.sub(1).square().mean();
  // END SOLUTION
  // BEGIN GIVEN
  // const u = uniform(real.shape);
  // const point = real.add(real.sub(fake).mul(u));
  // const slope = tf.grad((at) => critic(at).mean())(point);
  // const lengths = slope.square().sum(1).sqrt();
  // return lengths.sub(1).square().mean();
  // END GIVEN
}

// %% [markdown] id="own-penalty-text"
// **Your penalty** keeps a critic on a line, that is to find $W_1$ between $\mathcal{N}(0, 1)$ and $\mathcal{N}(1.5, 0.5^2)$, 512 points each; sorting gives the exact number. Two things to see. A slope $s$ earns $s W_1$ and costs $\lambda (s - 1)^2$, so that the best is $1 + W_1 / 2 \lambda$: the critic exaggerates, by that. And in one dimension a slope of $-1$ is as good to the penalty as one of $1$; a critic that starts on the wrong side has a hill of height $\lambda$ before it, and stays. Therefore the last two rows begin with 30 steps without any penalty.

// %% id="own-penalty"
const ownPenalty = yours(slopePenalty, (critic, real, fake, uniform) => {
  const [B, H, W] = real.shape as [number, number, number];
  const rows = (x: tf.Tensor) => x.reshape([B, H * W]);
  const draws: Rng = { fork: () => draws, normal: uniform as Rng['normal'], uniform: (shape) => uniform([...shape]) };
  return gradientPenalty((x) => critic(x.reshape([B, H, W])), rows(real), rows(fake), draws);
});
const LINE = Math.max(64, budgeted(512));
const lineReal = tf.tidy(() => rng.fork('line real').normal([LINE, 1]).mul(0.5).add(1.5));
const lineFake = rng.fork('line fake').normal([LINE, 1]);
const sorted = wasserstein1d(lineReal.dataSync(), lineFake.dataSync());
async function lineCritic(lambda: number, seed: number, free: number): Promise<number> {
  const network = criticNetwork([1, 32, 32, 1], rng.fork(`line ${seed}`), { activation: (x) => x.mul(x.sigmoid()), spectral: false, lastBias: false }); // prettier-ignore
  const critic = (x: tf.Tensor) => network.apply(x.reshape([-1, 1])).squeeze([1]);
  const gain = (x: tf.Tensor) => critic(x).mean().sub(critic(lineFake).mean());
  const objective = (price: number): Objective => ({
    ...{ name: 'critic', estimates: 'other', variables: network.variables },
    loss: ({ x }, noise) =>
      tf.tidy(() => {
        const own = gain(x).neg();
        if (price === 0) return own;
        const asPictures = (rows: tf.Tensor) => rows.reshape([-1, 1, 1]);
        return own.add(
          ownPenalty(critic, asPictures(x), asPictures(lineFake), (shape) => noise.uniform(shape)).mul(price),
        );
      }),
  });
  const trainFor = (price: number, epochs: number) => {
    const model: GenerativeModel = { eventShape: [1], likelihood: { kind: 'implicit' }, objectives: [objective(price)], sample: ({ count }) => tf.zeros([count, 1]) }; // prettier-ignore
    return fit(model, { train: { x: lineReal } }, { epochs, batchSize: LINE, optimiser: adam((step) => 0.01 * (1 - step / (epochs + 1))), rng: rng.fork('line run'), quiet: true }); // prettier-ignore
  };
  if (free > 0) await trainFor(0, free);
  await trainFor(lambda, Math.max(40, budgeted(250)));
  return tf.tidy(() => gain(lineReal).dataSync()[0]!);
}
const lineRows = [];
for (const [lambda, free] of [
  [10, 0],
  [10, 30],
  [40, 30],
] as const) {
  // prettier-ignore
  const estimates: number[] = [];
  for (let seed = 0; seed < Math.max(1, budgeted(3)); seed++) estimates.push(await lineCritic(lambda, seed, free));
  lineRows.push({ λ: lambda, 'steps without penalty first': free, 'W₁ by the critic, by seed': estimates.map((v) => v.toFixed(3)).join('  '), 'by sorting': sorted, 'foretold, (1 + W₁ / 2λ) W₁': sorted * (1 + sorted / (2 * lambda)) }); // prettier-ignore
}
table(lineRows, { caption: `W₁ between two sets of ${LINE} numbers; penalty: ${ownPenalty.by()}`, digits: 3 });

// %% id="check-penalty"
await check('gan.penalty', slopePenalty);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now. A step is one of the critic and, where it is its turn, one of the generator; the first epoch, in which it is compiled, is left out; of three more the fastest counts.

// %% id="measure-costs"
async function stepCost(config: Partial<GanConfig>): Promise<number> {
  const model = gan.create({ ...gan.defaults, ...config }, rng.fork('cost'));
  const stamps: number[] = [];
  const steps = Math.ceil(TRAIN.x.shape[0]! / 128);
  await play(model, { settled: true }, rng.fork('cost run'), { epochs: 4, onEpoch: () => void stamps.push(performance.now()) }); // prettier-ignore
  return Math.min(...stamps.slice(1).map((stamp, i) => stamp - stamps[i]!)) / steps;
}
table(
  [
    { game: 'non-saturating', 'ms a step': await stepCost(PLAIN) },
    { game: 'non-saturating, spectral normalisation', 'ms a step': await stepCost({ ...PLAIN, spectral: true }) },
    { game: 'non-saturating, R1', 'ms a step': await stepCost({ loss: 'non-saturating', fakePenalty: 0 }) },
    { game: 'relativistic, R1 + R2', 'ms a step': await stepCost({}) },
  ],
  { caption: 'Networks of 64 × 3, batches of 128', digits: 2 },
);
const best = of(recipes.at(-1)!)[0]!.model;
best.sample({ count: COUNT, rng: rng.fork('warm') });
const began = performance.now();
best.sample({ count: COUNT, rng: rng.fork('timed') });
table([{ what: `a sample, of ${COUNT} at once`, microseconds: (1000 * (performance.now() - began)) / COUNT }], {
  digits: 2,
});

// %% [markdown] id="failures"
// ## Where it fails
//
// **It does not know what it left out.** A mode that is never drawn costs the generator nothing once the critic has forgotten it. $-\ln p$ would be without bound there; here nobody is told, unless modes are counted from outside.
//
// **No number to choose by.** Neither loss says which epoch is best. On the ring the modes are known; of pictures they are not, and what stands in for them (precision, recall, distances in some network's features) has settings of its own.
//
// **Compare with chapter 12.** Flow matching learns the same kind of ring by least squares, without an opponent, and has a likelihood. What a GAN has over it is one evaluation a sample, which mean flow of the same chapter has, too, and without an opponent.
//
// **WGAN-GP, left alone.** Its learning rate was made for many more steps than these. That it puts so few samples near a mode is a statement about thousands of steps of its critic, and a fifth as many of its generator, not about the distance that it plays for.
//
// **Conditional, but not calibrated.** Told a label, it draws; asked for a label, or for how sure it is, it has no answer: there is no $p(\mathbf{x} \mid y)$ to turn around.
//
// ### Sources
//
// I. Goodfellow et al., *Generative adversarial nets*, NeurIPS 2014. M. Mirza, S. Osindero, *Conditional generative adversarial nets*, 2014. L. Theis, A. van den Oord, M. Bethge, *A note on the evaluation of generative models*, ICLR 2016. M. Arjovsky, L. Bottou, *Towards principled methods for training generative adversarial networks*, ICLR 2017. M. Arjovsky, S. Chintala, L. Bottou, *Wasserstein GAN*, ICML 2017. I. Gulrajani et al., *Improved training of Wasserstein GANs*, NeurIPS 2017. A. Srivastava et al., *VEEGAN*, NeurIPS 2017. T. Miyato et al., *Spectral normalization for generative adversarial networks*, ICLR 2018. L. Mescheder, A. Geiger, S. Nowozin, *Which training methods for GANs do actually converge?*, ICML 2018. A. Jolicoeur-Martineau, *The relativistic discriminator*, ICLR 2019. T. Kynkäänniemi et al., *Improved precision and recall metric for assessing generative models*, NeurIPS 2019. N. Huang et al., *The GAN is dead; long live the GAN!*, NeurIPS 2024. A. Gretton et al., *A kernel two-sample test*, JMLR 2012. J. Tomczak, *Deep Generative Modeling* (2024), chapter 7. The bugs are in github.com/eriklindernoren/PyTorch-GAN (issue 5), hwalsuklee/tensorflow-generative-model-collections (33), caogang/wgan-gp (25, 56) and Zeleni9/pytorch-wgan (40).
