// %% [markdown] id="title"
// # 12 Score and flow matching
//
// Chapter 11 walked back from noise in steps that were derived one by one. Here the steps become infinitely short, and what is left is a **field of arrows**: at every place and time, which way is more data? Three kinds of arrows are in use, the **score** $\nabla \ln p$, the noise, and the velocity of a flow, and each gives the others.
//
// All of it is tried where the truth is known, on a mixture of Gaussians whose arrows have a closed form: how wrong a learnt score is and where, what steps of finite length do, what a likelihood by a differential equation is worth, and how much of it one network evaluation can do. Everything printed below was computed by running this file (`npm run solutions -- 12`; with `--budget full`, trainings take longer).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adam,
  annealedLangevin,
  baselines,
  budgeted,
  card,
  continuousFlow,
  createRng,
  denoisingScoreMatching,
  evaluate,
  exactScoreMatching,
  figure,
  fit,
  flowMatching,
  fullBudget,
  imageGrid,
  importanceBound,
  ladder,
  langevin,
  load,
  LOG_2PI,
  logNormal,
  lossCurve,
  meanFlow,
  planeMixture,
  rademacher,
  reverseSdeStep,
  rungsOf,
  scoreField,
  scoreModel,
  slicedScoreMatching,
  squaredDistances,
  table,
  trajectories,
  transportPlan,
  twoSampleTest,
  viewsOf as libraryViews,
  type GenerativeModel,
  type Rng,
  type ScoreModelConfig,
  type ScoreSampleOptions,
} from 'dgm';

const rng = createRng(12); // the one seed of this chapter
const ring = planeMixture('eight Gaussians'); // hills of width 0.3 on a circle of radius 2.6
const WIDTH = 0.3;
const HILLS = Array.from({ length: 8 }, (_, k) => {
  const angle = (2 * Math.PI * (k + 0.5)) / 8;
  return [2.6 * Math.cos(angle), 2.6 * Math.sin(angle)];
});
const rowsOf = (x: tf.Tensor) => x.arraySync() as number[][];
const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
const deviationOf = (values: ArrayLike<number>) => {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(Array.from(values, (v) => (v - mean) ** 2)));
};
const errorOf = (values: ArrayLike<number>) => deviationOf(values) / Math.sqrt(Math.max(1, values.length - 1));
const drawn = (count: number, label: string) => ring.sample({ count, rng: rng.fork(label) });
const test = drawn(budgeted(2000), 'test');
const grid = Array.from({ length: 23 }, (_, i) => (i - 11) / 2.75); // −4 … 4
const places = tf.tensor2d(grid.flatMap((y) => grid.map((x) => [x, y])));
/** A field on the grid of places, for a picture of its arrows. */
const fieldOf = (name: string, at: (x: tf.Tensor) => tf.Tensor) => ({
  ...{ x: grid, y: grid, name },
  vectors: tf.tidy(() => rowsOf(at(places))),
});

/** One way of training for all models in the plane; section 4 gives the reasons. */
const TRAIN = { x: drawn(budgeted(65_536, 524_288), 'train') };
async function trained<Model extends GenerativeModel>(model: Model, here: Rng, epochs: number, batchSize = 512) {
  const steps = Math.ceil(TRAIN.x.shape[0]! / batchSize) * epochs;
  const rate = (step: number) => 0.004 * Math.max(0.02, 0.5 + 0.5 * Math.cos(Math.PI * Math.min(1, step / steps)));
  const run = await fit(model, { train: TRAIN }, { epochs, batchSize, optimiser: adam(rate), ema: 0.995, rng: here, quiet: true });
  return { model, run };
} // prettier-ignore

// %% [markdown] id="why"
// ## Why: arrows from noise to data
//
// Below, points of noise on their way to eight hills. Each moves along the arrow at the place where it is, at the time that it is; nothing is drawn at random after the start. These arrows are the true ones. Everything after this picture is about learning them.

// %% id="why-picture"
const truth = continuousFlow({
  ...{ variables: [], D: 2, spread: 1, noiseTime: 0, dataTime: 1, solver: 'dormand-prince', steps: 24 },
  velocity: (z, t) => ring.velocity(z, t),
  logBase: (z) => z.square().add(LOG_2PI).sum(1).mul(-0.5), // prettier-ignore
});
const FRAMES = 12;
const noise120 = rng.fork('why').normal([120, 2]);
const positions = [rowsOf(noise120)];
let moving = noise120;
for (let i = 0; i < FRAMES; i++) {
  moving = truth.move(moving, { from: i / FRAMES, to: (i + 1) / FRAMES }, { steps: 3 });
  positions.push(rowsOf(moving));
}
trajectories(positions, {
  title: 'From noise at t = 0 to data at t = 1',
  names: positions.map((_, i) => (i / FRAMES).toFixed(2)),
});

// %% [markdown] id="family"
// ## 1 Family
//
// **The score** of a density is $\mathbf{s}(\mathbf{x}) = \nabla \ln p(\mathbf{x})$. It knows no normalising constant: $\nabla \ln Z = \mathbf{0}$. Of data it is hardly defined far from them; of data *with noise*, $\tilde{\mathbf{x}} = \mathbf{x} + \sigma \boldsymbol\varepsilon$, it is, everywhere.
//
// ### Exercise: derive the score of a mixture with noise
//
// $\mathbf{x}$ is one of $K$ Gaussians of equal weight, $\mathcal{N}(\boldsymbol\mu_k, \text{width}^2 \mathbf{I})$. What is $\nabla \ln p_\sigma(\tilde{\mathbf{x}})$?

// %% id="mixture"
/**
 * The score of data with noise, where data are a mixture of K round Gaussians of equal weight.
 * @param x [B, D] @param mu [K, D] @param width of every Gaussian, a deviation @param sigma of the noise, a deviation
 * @returns [B, D]
 */
function mixtureScore(x: tf.Tensor, mu: tf.Tensor, width: number, sigma: number): tf.Tensor {
  // BEGIN SOLUTION score.mixture
  const variance = width ** 2 + sigma ** 2;
  const way = mu.expandDims(0).sub(x.expandDims(1)); // [B, K, D]
  const squares = way.square().sum(2);
  const near = squares.div(-2 * variance); // [B, K], ln of each density but for what is the same for all
  const shares = tf.softmax(near).expandDims(2);
  return shares.mul(way).sum(1).div(variance);
  // END SOLUTION
}

// %% id="check-mixture"
await check('score.mixture', mixtureScore);

// %% [markdown] id="fields-text"
// **Your field**, from much noise to little. With much, all arrows point to the middle of everything: one Gaussian is seen. With less the hills part. Between hills arrows are long and turn around within a small step: that is hard to learn, and seldom seen.

// %% id="fields"
const hillTensor = tf.tensor2d(HILLS);
const ownScore = yours(mixtureScore, (x: tf.Tensor, _mu: tf.Tensor, _width: number, sigma: number) =>
  ring.score(x, sigma),
);
scoreField(
  [3, 1.5, 0.8, 0.4, 0.1].map((sigma) =>
    fieldOf(`σ = ${sigma}`, (x) => ownScore(x, hillTensor, WIDTH, sigma)),
  ),
  { title: `The score of the ring with noise: ${ownScore.by()}`, points: rowsOf(test.slice([0, 0], [Math.min(200, test.shape[0]!), 2])) },
); // prettier-ignore

// %% [markdown] id="langevin-text"
// **Langevin dynamics** draws with nothing but a score: $\mathbf{x} \leftarrow \mathbf{x} + \eta\, \mathbf{s}(\mathbf{x}) + \sqrt{2\eta}\, \boldsymbol\xi$, uphill and shaken, as a Markov chain. For $\eta \to 0$ its stationary density is $p$.
//
// ### Predict: what a step of finite length does
//
// *Before* you run the figure: data are $\mathcal{N}(0, \sigma^2)$. After many steps, what variance have the points, for a given $\eta$? Is there an $\eta$ from which on there is none?

// %% id="langevin-variance"
/**
 * The variance that Langevin dynamics ends at, with the score of N(0, σ²).
 * @param sigma σ, above 0 @param eta η, above 0 @returns the variance; Infinity where it grows without end
 */
function langevinVariance(sigma: number, eta: number): number {
  // BEGIN SOLUTION score.langevin
  const kept = (1 - eta / sigma ** 2) ** 2; // of the variance, by a step
  return kept < 1 ? (2 * eta) / (1 - kept) : Infinity;
  // END SOLUTION
}

// %% id="langevin-figure"
const foretold = (sigma: number, eta: number): number | undefined => {
  try {
    return langevinVariance(sigma, eta);
  } catch {
    return undefined;
  }
};
const SIGMA = 0.8;
const chain = langevin((x) => x.div(-(SIGMA ** 2)));
const etas = [0.02, 0.1, 0.3, 0.6, 0.9, 1.1];
const seen = etas.map((eta, i) => {
  const x = chain(tf.zeros([budgeted(20_000), 1]), { steps: 300, eta, rng: rng.fork(`chain ${i}`) });
  return deviationOf(x.dataSync()) ** 2;
});
figure(
  [
    { x: etas, y: seen, mode: 'markers', name: 'measured after 300 steps', marker: { size: 9 } },
    { x: etas, y: etas.map((eta) => foretold(SIGMA, eta) ?? null), mode: 'lines', name: 'predicted' },
    { x: etas, y: etas.map(() => SIGMA ** 2), mode: 'lines', name: 'σ²', line: { dash: 'dot' } },
  ],
  { xaxis: { title: 'η' }, yaxis: { title: 'variance', rangemode: 'tozero' } },
  { height: 320, alt: 'The variance grows with the step, from σ² without end' },
); // prettier-ignore

// %% id="check-langevin"
await check('score.langevin', langevinVariance);

// %% [markdown] id="annealed-text"
// **Two faults of its own.** The step biases it, as predicted. And it seldom crosses a valley: started at one hill, most chains are still there after hundreds of steps, though all eight hills have the same mass. **Annealing** (Song and Ermon, 2019) starts with so much noise that there is one hill only, and lowers it, with steps in proportion to $\sigma^2$. The chains without noise below run on your score, or on the library's where yours is not written; the annealed ones on the library's.

// %% id="annealed"
const POINTS = budgeted(1000);
const atOneHill = tf.tidy(() => tf.fill([POINTS, 1], 1).mul(hillTensor.slice([0, 0], [1, 2])));
const shareOfHills = (x: tf.Tensor) =>
  tf.tidy(() => {
    const nearest = squaredDistances(x, hillTensor).argMin(1);
    const counts = tf.oneHot(nearest as tf.Tensor1D, 8).toFloat().mean(0).dataSync(); // prettier-ignore
    return Array.from(counts);
  });
const falling = Array.from({ length: 14 }, (_, i) => 6 * (0.05 / 6) ** (i / 13));
const plain = langevin((x) => ownScore(x, hillTensor, WIDTH, 0))(atOneHill, {
  ...{ steps: 420, eta: 0.01, rng: rng.fork('plain') },
});
const annealed = annealedLangevin((x, sigma) => ring.score(x, sigma))(atOneHill, {
  ...{ sigmas: falling, steps: 30, rng: rng.fork('annealed') },
});
table(
  ([['without noise', plain], ['noise from 6 to 0.05', annealed]] as const).map(([chains, x]) => {
    const shares = shareOfHills(x);
    return { 'Langevin, 420 steps': chains, 'hills reached': shares.filter((v) => v > 0.02).length, 'largest share': Math.max(...shares), 'smallest share': Math.min(...shares) };
  }),
  { caption: 'Started at one hill of eight', digits: 3 },
); // prettier-ignore

// %% [markdown] id="sde-text"
// **In the limit** of many levels noise grows continuously, by a **stochastic differential equation** $\mathrm{d}\mathbf{z} = f(t)\, \mathbf{z}\, \mathrm{d}t + g(t)\, \mathrm{d}\mathbf{w}$: over a short time $h$ a drift $f \mathbf{z} h$, and noise of *variance* $g^2 h$, so that it adds up the same however the time is cut. Two kinds: the variance **explodes** (VE, $f = 0$), or it is **preserved** (VP, $f = -g^2/2$), which is chapter 11's process. The way back is known (Anderson, 1982):
//
// $$\mathrm{d}\mathbf{z} = \bigl[f \mathbf{z} - g^2\, \nabla \ln p_t(\mathbf{z})\bigr] \mathrm{d}t + g\, \mathrm{d}\mathbf{w}, \qquad \text{with time running from 1 to 0.}$$
//
// *Why $g^2$:* write $p_t$'s change as that of a flow. Diffusion moves mass downhill in $\ln p$, with velocity $-\tfrac12 g^2 \nabla \ln p_t$ (**Fokker–Planck**: $\partial_t p = -\nabla \cdot (f \mathbf{z} p) + \tfrac12 g^2 \Delta p = -\nabla \cdot [(f \mathbf{z} - \tfrac12 g^2 \nabla \ln p)\, p]$). Turned around, $+\tfrac12 g^2 \nabla \ln p$ undoes that; the other half pays for the noise that the way back itself adds. Leave the noise out and with it that half, and the same marginals remain, without randomness: the **probability-flow ODE** $\mathrm{d}\mathbf{z}/\mathrm{d}t = f \mathbf{z} - \tfrac12 g^2 \nabla \ln p_t$.
//
// ### Exercise: one step of the way back
//
// Euler and Maruyama's: from $t$ to $t - h$.

// %% id="reverse"
/**
 * One step of the reverse process from t to t − h.
 * @param z [B, D] @param score ∇ ln p_t at z, [B, D] @param at f and g at t, and the length of the step, h > 0
 * @param noise N(0, 1), [B, D] @returns [B, D]
 */
function reverseStep(
  z: tf.Tensor,
  score: tf.Tensor,
  { f, g, h }: { f: number; g: number; h: number },
  noise: tf.Tensor,
): tf.Tensor {
  // BEGIN SOLUTION score.reverse
  const drift = z.mul(f).sub(score.mul(g ** 2));
  return z.sub(drift.mul(h)).add(noise.mul(g * Math.sqrt(h)));
  // END SOLUTION
}

// %% id="check-reverse"
await check('score.reverse', reverseStep);

// %% [markdown] id="own-reverse-text"
// **Your steps**, with the true score: noise whose deviation falls from 6 to 0.02 along $\sigma(t) = 0.02^{1-t}\, 6^t$, so that $g^2 = 2 \sigma \sigma' = 2 \sigma^2 \ln 300$. The **energy distance** to true samples (chapter 2) has its floor where two sets of true samples are: it is never below 0. Each number is a mean over some sets of samples, each against another set of true ones, and its **standard error** is that over the sets.

// %% id="own-reverse"
const ownStep = yours(
  reverseStep,
  (z: tf.Tensor, score: tf.Tensor, { f, g, h }: { f: number; g: number; h: number }, noise: tf.Tensor) =>
    reverseSdeStep(z, score, { drift: f, diffusion: g ** 2, h, noise }),
);
const SAMPLES = budgeted(1000);
const SETS = Math.max(3, budgeted(3, 6));
const references = Array.from({ length: SETS }, (_, i) => drawn(SAMPLES, `reference ${i}`));
/** Energy distances of some sets of samples, each to a set of true ones of its own: mean, and its standard error. */
function apart(draw: (here: Rng, set: number) => tf.Tensor) {
  const each = references.map((reference, i) => {
    const x = draw(rng.fork(`samples ${i}`), i);
    const { statistic } = twoSampleTest(x, reference, rng, { permutations: 0 });
    x.dispose();
    return statistic;
  });
  return { 'energy distance': meanOf(each), 'its standard error': errorOf(each) };
}
const floor = { samples: 'true samples', ...apart((_, set) => drawn(SAMPLES, `floor ${set}`)) };
const LENGTH = Math.log(6 / 0.02);
function backwards(steps: number, here: Rng): tf.Tensor {
  return tf.tidy(() => {
    let z: tf.Tensor = here
      .fork('start')
      .normal([SAMPLES, 2])
      .mul(Math.sqrt(6 ** 2 + 2.6 ** 2 / 2 + WIDTH ** 2)); // of noise and data together
    for (let i = 0; i < steps; i++) {
      const sigma = 6 * Math.exp((-LENGTH * i) / steps);
      const at = { f: 0, g: sigma * Math.sqrt(2 * LENGTH), h: 1 / steps };
      z = ownStep(z, ring.score(z, sigma), at, here.fork(`step ${i}`).normal([SAMPLES, 2]));
    }
    return z;
  });
}
table(
  [
    ...[10, 30, 100].map((steps) => ({ samples: `${steps} steps: ${ownStep.by()}`, ...apart((here) => backwards(steps, here.fork(`back ${steps}`))) })),
    floor,
  ],
  { caption: `The reverse process with the true score: ${SETS} sets of ${SAMPLES} samples`, digits: 4 },
); // prettier-ignore

// %% [markdown] id="network"
// ## 2 Network
//
// One network for all levels. With $\tilde{\mathbf{x}} = \mathbf{x} + \sigma \boldsymbol\varepsilon$ the best guess of $\mathbf{x}$ is **Tweedie's formula**, $\mathbb{E}[\mathbf{x} \mid \tilde{\mathbf{x}}] = \tilde{\mathbf{x}} + \sigma^2 \nabla \ln p_\sigma(\tilde{\mathbf{x}})$; so a denoiser is a score, divided by $\sigma^2$. That division is what makes small noise hard: an error of 0.001 in the guess at $\sigma = 0.01$ is one of 10 in the score. Karras et al. (2022) let the network answer in units in which both its input and what it is asked for have variance 1 at every level (**preconditioning**), with data of variance 1:
//
// $$D(\tilde{\mathbf{x}}; \sigma) = \frac{1}{1 + \sigma^2}\, \tilde{\mathbf{x}} + \frac{\sigma}{\sqrt{1 + \sigma^2}}\, F\Bigl(\frac{\tilde{\mathbf{x}}}{\sqrt{1 + \sigma^2}},\, \ln \sigma\Bigr).$$
//
// With little noise nearly all of $D$ is $\tilde{\mathbf{x}}$, and $F$ has only the noise to guess. $F$ has three layers of 128, as has the velocity of the flow below; both are told the time by a few waves.

// %% [markdown] id="objective"
// ## 3 Objective
//
// $\tfrac12 \mathbb{E} \|\mathbf{s} - \nabla \ln p\|^2$ cannot be computed: $\nabla \ln p$ is what is looked for. Integrated by parts it can (Hyvärinen, 2005): $\mathbb{E}[\tfrac12 \|\mathbf{s}\|^2 + \operatorname{tr} \nabla \mathbf{s}]$ and a constant, since $\mathbb{E}[\mathbf{s} \cdot \nabla \ln p] = \int \mathbf{s} \cdot \nabla p = -\int p\, \operatorname{tr} \nabla \mathbf{s}$. Three losses follow:
//
// | | loss | needs | learns the score of |
// |---|---|---|---|
// | **exact** | $\tfrac12 \lVert \mathbf{s} \rVert^2 + \operatorname{tr} \nabla \mathbf{s}$ | $D$ passes backwards | the data |
// | **sliced** (Song et al., 2019) | $\tfrac12 \lVert \mathbf{s} \rVert^2 + \mathbf{e}^\top \nabla \mathbf{s}\, \mathbf{e}$, $\mathbf{e}$ of signs | one pass backwards | the data |
// | **denoising** (Vincent, 2011) | $\tfrac12 \lVert \mathbf{s}(\mathbf{x} + \sigma \boldsymbol\varepsilon) + \boldsymbol\varepsilon / \sigma \rVert^2$ | no derivative | the data with noise |

// %% id="three-losses"
const factors = [0.6, 0.8, 1, 1.2, 1.4];
const lossNoise = rng.fork('loss noise').normal(test.shape);
const signs = rademacher(test.shape, rng.fork('loss signs'));
const [small, large] = [0.1, 0.3];
const losses = factors.map((factor) => {
  const scaled = (sigma: number) => (x: tf.Tensor) => ring.score(x, sigma).mul(factor);
  const each = tf.tidy(() => [
    exactScoreMatching(scaled(0), test).dataSync(),
    slicedScoreMatching(scaled(0), test, signs).dataSync(),
    denoisingScoreMatching(scaled(small), test, { sigma: small, noise: lossNoise }).dataSync(),
    denoisingScoreMatching(scaled(large), test, { sigma: large, noise: lossNoise }).dataSync(),
  ]);
  return each.map((values) => ({ mean: meanOf(values), spread: deviationOf(values) }));
});
table(
  ['exact', 'sliced', `denoising, σ = ${small}`, `denoising, σ = ${large}`].map((loss, k) => ({
    loss,
    ...Object.fromEntries(factors.map((factor, i) => [`${factor} s`, losses[i]![k]!.mean])),
    'deviation of one example at s': losses[2]![k]!.spread,
  })),
  { caption: 'The loss of the true score times a factor, mean over the test points: smallest at 1', digits: 3 },
); // prettier-ignore

// %% [markdown] id="denoising-text"
// Each is smallest at the truth, and each has its own noise: that of denoising grows as $1/\sigma^2$ while the noise gets small, without saying more. For all levels at once, each therefore counts by $\sigma^2$.
//
// ### Exercise: a loss for all levels
//
// $\mathbb{E}\; \sigma^2 \, \bigl\| \mathbf{s}(\mathbf{x} + \sigma \boldsymbol\varepsilon, \sigma) + \boldsymbol\varepsilon / \sigma \bigr\|^2$, each example with a $\sigma$ of its own.

// %% id="denoising"
/**
 * Denoising score matching at many levels: the mean over the examples of σ² ‖s(x + σ ε, σ) + ε / σ‖².
 * @param score x with noise [B, D], σ [B] → [B, D] @param x [B, D] @param sigma [B] @param noise ε, [B, D] @returns []
 */
function denoisingLoss(
  score: (x: tf.Tensor, sigma: tf.Tensor) => tf.Tensor,
  x: tf.Tensor,
  sigma: tf.Tensor,
  noise: tf.Tensor,
): tf.Tensor {
  // BEGIN SOLUTION score.denoising
  const column = sigma.expandDims(1);
  const guess = score(x.add(noise.mul(column)), sigma);
  const error = guess.mul(column).add(noise);
  return error.square().sum(1).mean();
  // END SOLUTION
}

// %% id="check-denoising"
await check('score.denoising', denoisingLoss);

// %% [markdown] id="own-denoising-text"
// **Your loss** trains the library's network, from the same weights and with the same levels as the library's loss; that one weighs each level by $1 + \sigma^2$ times as much, which is its unit. Both are judged by the truth.

// %% id="own-denoising"
const ownLoss = yours(
  denoisingLoss,
  (score: (x: tf.Tensor, sigma: tf.Tensor) => tf.Tensor, x: tf.Tensor, sigma: tf.Tensor, noise: tf.Tensor) =>
    tf.tidy(() => {
      const each = denoisingScoreMatching((at) => score(at, sigma), x, { sigma: sigma.expandDims(1), noise });
      return each.mul(sigma.square()).mean().mul(2);
    }),
);
const narrow: ScoreModelConfig = { ...scoreModel.defaults, hidden: [64, 64] };
function byOwnLoss(here: Rng) {
  const model = scoreModel.create(narrow, here);
  const levels = (count: number, from: Rng) =>
    from.normal([count]).mul(narrow.noiseSpread).add(narrow.noiseMean).exp().clipByValue(narrow.sigmaMin, narrow.sigmaMax).mul(narrow.scale); // prettier-ignore
  const objective = {
    name: 'your loss',
    estimates: 'other' as const,
    variables: model.objectives[0]!.variables,
    loss: ({ x }: { x: tf.Tensor }, from: Rng) =>
      tf.tidy(() => ownLoss(model.score, x, levels(x.shape[0]!, from.fork('levels')), from.fork('noise').normal(x.shape))),
  };
  return { ...model, objectives: [objective] };
} // prettier-ignore
const SHORT = budgeted(12, 3); // of eight times as many points
const byOwn = await trained(byOwnLoss(rng.fork('own loss')), rng.fork('own run'), SHORT);
const byLibrary = await trained(scoreModel.create(narrow, rng.fork('own loss')), rng.fork('own run'), SHORT);
/** √(E‖s − truth‖² / E‖truth‖²) at data with noise of this deviation. */
const relativeError = (score: (x: tf.Tensor, sigma: tf.Tensor) => tf.Tensor, sigma: number, label: string) =>
  tf.tidy(() => {
    const x = test.add(rng.fork(label).normal(test.shape).mul(sigma));
    const right = ring.score(x, sigma);
    const wrong = score(x, tf.fill([x.shape[0]!], sigma)).sub(right);
    return Math.sqrt(wrong.square().sum().dataSync()[0]! / right.square().sum().dataSync()[0]!);
  });
table(
  [0.1, 0.3, 1, 3].map((sigma) => ({
    'σ of the noise': sigma,
    [`trained by ${ownLoss.by() === 'yours' ? 'your loss' : 'the same loss'}`]: relativeError(byOwn.model.score, sigma, `own ${sigma}`),
    'by the library’s': relativeError(byLibrary.model.score, sigma, `own ${sigma}`),
  })),
  { caption: 'Relative error of the score, networks of 64 × 2', digits: 3 },
); // prettier-ignore

// %% [markdown] id="flow-text"
// ### Flow matching: velocities instead of scores
//
// Draw noise $\boldsymbol\varepsilon$ and an example $\mathbf{x}$, and walk from one to the other in a straight line: $\mathbf{z}_t = (1 - t)\, \boldsymbol\varepsilon + t\, \mathbf{x}$, with velocity $\mathbf{x} - \boldsymbol\varepsilon$. Many lines pass through a place. Their **mean velocity** $\mathbf{v}(\mathbf{z}, t) = \mathbb{E}[\mathbf{x} - \boldsymbol\varepsilon \mid \mathbf{z}_t = \mathbf{z}]$ carries the same mass through every place as all the lines do (Lipman et al., 2023): a flow from noise to data. And a conditional mean is what least squares learn:
//
// $$\mathbb{E}\, \bigl\| \mathbf{v}(\mathbf{z}_t, t) - (\mathbf{x} - \boldsymbol\varepsilon) \bigr\|^2.$$
//
// No solver runs in training, and nothing has to be tuned but how $t$ is drawn.
//
// ### Exercise: derive three views of one field
//
// Somebody gives you the score of $\mathbf{z}_t$. What are the mean noise $\mathbb{E}[\boldsymbol\varepsilon \mid \mathbf{z}_t]$, the mean example $\mathbb{E}[\mathbf{x} \mid \mathbf{z}_t]$, and the velocity?

// %% id="views"
/**
 * What the score of z_t = (1 − t) ε + t x says, in other words.
 * @param z [B, D] @param score ∇ ln p_t at z, [B, D] @param t [B], between 0 and 1
 * @returns E[ε | z], noise; E[x | z], data; E[x − ε | z], velocity; [B, D] each
 */
function viewsOf(
  z: tf.Tensor,
  score: tf.Tensor,
  t: tf.Tensor,
): { noise: tf.Tensor; data: tf.Tensor; velocity: tf.Tensor } {
  // BEGIN SOLUTION match.views
  const column = t.expandDims(1);
  const rest = tf.sub(1, column);
  const noise = score.mul(rest).neg();
  const data = z.sub(noise.mul(rest)).div(column);
  return { noise, data, velocity: data.sub(noise) };
  // END SOLUTION
}

// %% id="check-views"
await check('match.views', viewsOf);

// %% [markdown] id="training"
// ## 4 Optimiser
//
// Adam with a rate that falls along a cosine: the loss is a random one (of times, levels, noise), its smallest value is far above 0, and late in training a large step follows that noise. For the same reason it is a **moving average** of the weights (`ema`) that is used. Batches of 512 points; the source is known, and gives as many as one likes. That is worth having: with few points and little noise the best denoiser of the *training set* is one that knows its points by heart, and its score has a hill at each of them.
//
// ## 5 Training
//
// A score model and a flow of the same size, on the same points, for as many steps.

// %% id="train"
const EPOCHS = budgeted(20);
const score = await trained(scoreModel.create(scoreModel.defaults, rng.fork('score')), rng.fork('score fit'), EPOCHS);
const flow = await trained(flowMatching.create(flowMatching.defaults, rng.fork('flow')), rng.fork('flow fit'), EPOCHS);
lossCurve(score.run, { title: 'Denoising score matching', unit: 'squared error, per level in units of its own' });
lossCurve(flow.run, { title: 'Flow matching', unit: 'squared error of the velocity' });
table(
  [['score model', score.run], ['flow matching', flow.run]].map(([model, run]) => {
    const { history, milliseconds } = run as typeof score.run;
    return { model: model as string, epochs: history.length, 'seconds of training': milliseconds / 1000, 'last loss': history.at(-1)!.loss };
  }),
  { caption: 'What the losses converge to is no measure: most of it is the spread of x − ε at a place', digits: 2 },
); // prettier-ignore

// %% [markdown] id="error-text"
// **Where a score is wrong.** The relative error of the learnt score, against the closed form, by level of noise. Towards little noise it grows, as section 2 said it must: divided by $\sigma$, what is left of the error of $F$ grows while the score does not.

// %% id="score-error"
const levels = [0.02, 0.05, 0.1, WIDTH, 1, 3];
/** ∇ ln p of x with noise of deviation σ, by a flow: z = t (x + σ ε) with (1 − t) / t = σ. */
const scoreOfFlow = (model: typeof flow.model) => (x: tf.Tensor, sigma: tf.Tensor) => {
  const t = sigma.add(1).reciprocal();
  const z = x.mul(t.expandDims(1));
  return libraryViews(z, model.flow.velocity(z, t), t).score.mul(t.expandDims(1));
};
const errorsOf = (at: (x: tf.Tensor, sigma: tf.Tensor) => tf.Tensor) =>
  levels.map((sigma) => relativeError(at, sigma, `error ${sigma}`));
const [byScoreModel, byFlow] = [errorsOf(score.model.score), errorsOf(scoreOfFlow(flow.model))];
figure(
  [
    { x: levels, y: byScoreModel, mode: 'lines+markers', name: 'score model' },
    { x: levels, y: byFlow, mode: 'lines+markers', name: 'the flow, seen as a score' },
    { x: levels, y: levels.map(() => 0.05), mode: 'lines', name: '5 %', line: { dash: 'dot' } },
  ],
  { xaxis: { title: 'σ of the noise', type: 'log' }, yaxis: { title: 'relative error', type: 'log' } },
  { height: 360, alt: 'Relative error falls with the level of noise, for both' },
);
table(
  levels.map((sigma, i) => ({ 'σ of the noise': sigma, 'score model': byScoreModel[i]!, 'the flow, seen as a score': byFlow[i]! })),
  { caption: `Relative error of the score; the hills themselves have deviation ${WIDTH}`, digits: 3 },
); // prettier-ignore

// %% [markdown] id="views-text"
// **One network, three views.** The score model knows no velocity and the flow no score; your `viewsOf` makes one of the other. Below, the flow's arrows at four times beside those made of the *score model* by your formula: the same field, learnt twice.

// %% id="views-compared"
const ownViews = yours(viewsOf, (z: tf.Tensor, at: tf.Tensor, t: tf.Tensor) => {
  const rest = tf.sub(1, t.expandDims(1));
  const velocity = z.add(at.mul(rest)).div(t.expandDims(1));
  const { noise, data } = libraryViews(z, velocity, t);
  return { noise, data, velocity };
});
/** ∇ ln p_t of z = t (x + σ ε) by the score model, whose x has noise of deviation σ. */
const scoreAlong = (z: tf.Tensor, t: tf.Tensor) => {
  const column = t.expandDims(1);
  return score.model.score(z.div(column), tf.sub(1, t).div(t)).div(column);
};
const times = [0.25, 0.5, 0.75, 0.9];
table(
  times.map((time) =>
    tf.tidy(() => {
      const t = tf.fill([test.shape[0]!], time);
      const z = rng.fork(`views ${time}`).normal(test.shape).mul(1 - time).add(test.mul(time)); // prettier-ignore
      const right = ring.velocity(z, t);
      const size = right.square().sum().dataSync()[0]!;
      const off = (v: tf.Tensor) => Math.sqrt(v.sub(right).square().sum().dataSync()[0]! / size);
      const views = ownViews(z, scoreAlong(z, t), t);
      return { t: time, 'velocity by the flow': off(flow.model.flow.velocity(z, t)), [`by the score model: ${ownViews.by()}`]: off(views.velocity) };
    }),
  ),
  { caption: 'Relative error against the true velocity', digits: 3 },
); // prettier-ignore

// %% [markdown] id="pairing-text"
// ### Straight lines are not straight paths
//
// Lines of pairs cross; a flow's paths cannot, since the velocity is one at a place. So the paths bend, and a single large step goes wrong.
//
// ### Predict: where one step lands
//
// *Before* you run the table: noise is $\mathcal{N}(0, 1)$ on a line, data are $\mathcal{N}(m, s^2)$. Pairs are drawn **independently**, or by **optimal transport**, which on a line pairs them in order, the smallest with the smallest. With the *perfect* velocity, where does one step of Euler's method of length 1 put the noise: at which mean, with which deviation? And how long are the lines, $\mathbb{E}(x - \varepsilon)^2$?

// %% id="one-step"
/**
 * One step of Euler's method with the perfect velocity, from N(0, 1) to N(m, s²), in one dimension.
 * @param m mean of the data @param s their deviation, above 0
 * @returns mean mu and deviation sigma of where the step lands; length, E (x − ε)² of the pairs
 */
function oneStep(
  m: number,
  s: number,
  pairing: 'independent' | 'transport',
): { mu: number; sigma: number; length: number } {
  // BEGIN SOLUTION match.paths
  if (pairing === 'transport') return { mu: m, sigma: s, length: m ** 2 + (1 - s) ** 2 };
  return { mu: m, sigma: 0, length: m ** 2 + s ** 2 + 1 };
  // END SOLUTION
}

// %% id="one-step-table"
const said = (pairing: 'independent' | 'transport') => {
  try {
    return oneStep(3, 0.5, pairing);
  } catch {
    return undefined;
  }
};
const lineNoise = tf.tidy(() => rng.fork('line noise').normal([256, 1]));
const lineData = tf.tidy(() => rng.fork('line data').normal([256, 1]).mul(0.5).add(3));
const inOrder = tf.tidy(() => {
  const plan = transportPlan(squaredDistances(lineNoise, lineData), { entropy: 0.005, rounds: budgeted(80) }).exp();
  return plan.matMul(lineData); // of each noise, the mean of the data that it is paired with
});
table(
  (['independent', 'transport'] as const).map((pairing) => {
    const landed = pairing === 'transport' ? inOrder.dataSync() : Float32Array.from({ length: 256 }, () => meanOf(lineData.dataSync()));
    const partner = pairing === 'transport' ? inOrder : lineData;
    const told = said(pairing);
    return { pairing, 'lands at': meanOf(landed), predicted: told?.mu ?? '–', 'with deviation': deviationOf(landed), ' predicted': told?.sigma ?? '–', 'length of the lines': partner.sub(lineNoise).square().mean().dataSync()[0]!, '  predicted': told?.length ?? '–' };
  }),
  { caption: '256 draws, m = 3, s = ½; the plan by Sinkhorn’s iteration', digits: 3 },
); // prettier-ignore

// %% id="check-one-step"
await check('match.paths', oneStep);

// %% [markdown] id="pairing-measured-text"
// In the plane, and in a **minibatch**, transport can pair what is in the batch only. It still shortens the lines and straightens the paths. Samples by few steps, of flows trained on either pairing:

// %% id="pairing-measured"
const PAIRED = { epochs: budgeted(3, 1), batch: 128 }; // the plan of a batch costs the square of its size
const ofPairs = (pairing: 'independent' | 'transport') =>
  trained(
    flowMatching.create({ ...flowMatching.defaults, pairing }, rng.fork('pairs')),
    rng.fork('pairs fit'),
    PAIRED.epochs,
    PAIRED.batch,
  );
const ofTransport = await ofPairs('transport');
const ofIndependent = await ofPairs('independent');
table(
  [1, 2, 4, 8].map((steps) => {
    const draw = (model: typeof flow.model) =>
      apart((here) => model.sample({ count: SAMPLES, rng: here.fork('few'), steps, solver: 'euler' }));
    const [plainly, straight] = [draw(ofIndependent.model), draw(ofTransport.model)];
    return { 'steps of Euler’s method': steps, independent: plainly['energy distance'], 'its error': plainly['its standard error'], transport: straight['energy distance'], ' its error': straight['its standard error'] };
  }),
  { caption: `Energy distance of samples to the ring, the same number of epochs; true samples: ${floor['energy distance'].toFixed(4)}`, digits: 4 },
); // prettier-ignore

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// A flow has a likelihood. Along a path $\mathrm{d} \ln p_t(\mathbf{z}_t) / \mathrm{d}t = -\operatorname{div} \mathbf{v}(\mathbf{z}_t, t)$: where arrows part, density thins out. Followed back from data to noise,
//
// $$\ln p(\mathbf{x}) = \ln \mathcal{N}(\mathbf{z}_0; \mathbf{0}, \mathbf{I}) - \int_0^1 \operatorname{div} \mathbf{v}(\mathbf{z}_t, t)\, \mathrm{d}t.$$
//
// The probability-flow ODE gives the score model one in the same way. It is *exact* up to the error of the solver, and that can be measured: by halving its steps, or by a solver that watches its own error and chooses its steps (**adaptive**, Dormand and Prince's pair of orders 5 and 4). The divergence is exact by $D$ passes backwards, or estimated by one: $\mathbb{E}\, \mathbf{e}^\top \mathbf{J} \mathbf{e} = \operatorname{tr} \mathbf{J}$ for $\mathbf{e}$ of random signs (**Hutchinson**), with variance $2 \sum_{i \ne j} S_{ij}^2$, $\mathbf{S}$ the symmetric part of $\mathbf{J}$.

// %% [markdown] id="choice-text"
// **Chosen by other points.** How wide the networks are was chosen by the KL on *validation* points, neither trained on nor tested on, after short trainings from the same start. Which levels of noise a score model sees most often is a trade, as its first three rows show: after so short a training, rarer small levels give a smaller KL, and a larger error of the score where there is little noise. About $e^{-1.2}$ lies between, and is kept. Exact divergence, as everywhere in the plane.

// %% id="choice"
const own = new Map<tf.Tensor, ArrayLike<number>>(); // −ln p_ring of each set of points
/** KL to the ring: the mean over points of ln p_ring − ln p_model, whose error is that of the differences. */
function klOf(model: GenerativeModel, x = test) {
  const truly = own.get(x) ?? evaluate(ring, { x }, rng.fork('ring')).perExample;
  own.set(x, truly);
  const gaps = Array.from(evaluate(model, { x }, rng.fork('kl')).perExample, (nats, n) => nats - truly[n]!);
  return { 'KL to the ring, nats': meanOf(gaps), 'standard error': errorOf(gaps) };
}
const validation = drawn(budgeted(2000), 'validation');
const choices = [
  ...[-1.8, -1.2, -0.6].map((noiseMean) => ({
    model: 'score model',
    width: '128 × 3',
    levels: `about e^${noiseMean}`,
    make: (here: Rng) => scoreModel.create({ ...scoreModel.defaults, noiseMean }, here),
  })),
  {
    model: 'score model',
    width: '64 × 2',
    levels: 'about e^-1.2',
    make: (here: Rng) => scoreModel.create(narrow, here),
  },
  ...[
    [128, 128, 128],
    [64, 64],
  ].map((hidden) => ({
    model: 'flow matching',
    width: `${hidden[0]} × ${hidden.length}`,
    levels: 'even times',
    make: (here: Rng) => flowMatching.create({ ...flowMatching.defaults, hidden }, here),
  })),
];
type Chosen = typeof score.model | typeof flow.model;
const scoreOf = (model: Chosen) => ('score' in model ? model.score : scoreOfFlow(model));
const CHOICE = budgeted(4, 3); // epochs
const tried = [];
for (const { make, ...setting } of choices.slice(0, Math.max(1, budgeted(6)))) {
  const { model } = await trained<Chosen>(make(rng.fork('choice')), rng.fork('choice fit'), CHOICE);
  const errors = { 'score’s error, σ = 0.1': relativeError(scoreOf(model), 0.1, 'choice') };
  tried.push({ ...setting, ...klOf(model, validation), ...errors });
}
table(tried, { caption: `${validation.shape[0]} validation points, after ${CHOICE} epochs`, digits: 4 }); // prettier-ignore

// %% [markdown] id="kl-text"
// **On test points**, after the whole training. The score model stands there twice. Its network takes noise from $\mathbf{x} + \sigma \boldsymbol\varepsilon$ and does not ask how it came there; VP's $\mathbf{z} = \alpha (\mathbf{x} + \sigma \boldsymbol\varepsilon)$ is that, scaled. So the **same weights** are read by either process, and either has an ODE, and a likelihood. It is the same one: where $\sigma(t)$ is the same, so are the paths, up to the factor $\alpha$, and what the scaling adds to the divergence is what the narrower base takes back.

// %% id="kl"
const seeds = fullBudget() ? ['', 'second ', 'third '] : [''];
/** A model with the same weights, of the process that preserves the variance. */
function preserved(model: typeof score.model) {
  const twin = scoreModel.create({ ...scoreModel.defaults, process: 'vp' }, rng.fork('twin'));
  twin.bijection.variables.forEach((variable, i) => variable.assign(model.bijection.variables[i]!));
  return twin;
}
const twin = preserved(score.model);
const scoreRows: (ReturnType<typeof klOf> & { model: string; 'error of the score': number })[] = [];
const twinRows: typeof scoreRows = [];
const flowRows: typeof scoreRows = [];
for (const seed of seeds) {
  const first = seed === '';
  const scores = first ? score : await trained(scoreModel.create(scoreModel.defaults, rng.fork(`${seed}score`)), rng.fork(`${seed}score fit`), EPOCHS);
  const flows = first ? flow : await trained(flowMatching.create(flowMatching.defaults, rng.fork(`${seed}flow`)), rng.fork(`${seed}flow fit`), EPOCHS);
  const errorAt = (at: (x: tf.Tensor, sigma: tf.Tensor) => tf.Tensor) => ({ 'error of the score': relativeError(at, WIDTH, `error ${WIDTH}`) });
  scoreRows.push({ model: `${seed}score model (VE)`, ...klOf(scores.model), ...errorAt(scores.model.score) });
  const again = first ? twin : preserved(scores.model);
  twinRows.push({ model: `${seed}score model (VP)`, ...klOf(again), ...errorAt(again.score) });
  flowRows.push({ model: `${seed}flow matching`, ...klOf(flows.model), ...errorAt(scoreOfFlow(flows.model)) });
} // prettier-ignore
const overSeeds = [scoreRows, twinRows, flowRows].map((rows) => {
  const kls = rows.map((row) => row['KL to the ring, nats']);
  return { model: `${rows[0]!.model}, mean of ${rows.length} seeds`, 'KL to the ring, nats': meanOf(kls), 'standard error': errorOf(kls), 'error of the score': meanOf(rows.map((row) => row['error of the score'])) };
}); // prettier-ignore
table([...scoreRows, ...twinRows, ...flowRows, ...(seeds.length > 1 ? overSeeds : [])], {
  caption: `Entropy of the ring: ${ring.entropy.toFixed(3)} nats. The score’s error is relative, at noise of σ = ${WIDTH}. Standard errors of the KL are over ${test.shape[0]} test points, of a mean of seeds over the seeds`,
  digits: 4,
}); // prettier-ignore

// %% [markdown] id="solver-text"
// **The solver's part.** For the true velocity the true density is known, so that all error is the solver's; for the learnt one it is that against a solver with a strict tolerance.

// %% id="solver"
const few = test.slice([0, 0], [Math.min(300, test.shape[0]!), 2]);
const known = Array.from(ring.logProb(few).dataSync());
const strict = Array.from(
  flow.model.flow.measuredLogProb(few, rng, { relative: 1e-6, absolute: 1e-6 }).value.dataSync(),
);
const worst = (values: ArrayLike<number>, right: readonly number[]) =>
  Array.from(values, (v, n) => Math.abs(v - right[n]!)).sort((a, b) => a - b)[Math.floor(0.95 * right.length)]!;
const bySteps = [4, 8, 16].map((steps) => {
  const [a, b] = [truth, flow.model.flow].map((f) => f.logProb(few, rng, { steps }).dataSync()) as [
    Float32Array,
    Float32Array,
  ];
  return {
    solver: `${steps} steps`,
    evaluations: flow.model.flow.evaluations({ steps }),
    'true velocity, error': worst(a, known),
    'learnt, error': worst(b, strict),
  };
});
const byTolerance = [1e-2, 1e-3, 1e-4].map((tolerance) => {
  const run = { relative: tolerance, absolute: tolerance };
  const [a, b] = [truth.measuredLogProb(few, rng, run), flow.model.flow.measuredLogProb(few, rng, run)];
  return {
    solver: `tolerance ${tolerance}`,
    evaluations: b.evaluations,
    'true velocity, error': worst(a.value.dataSync(), known),
    'learnt, error': worst(b.value.dataSync(), strict),
  };
});
table([...bySteps, ...byTolerance], { caption: 'ln p(x): the error that 95 % of the points are within, nats', digits: 4 }); // prettier-ignore

// %% id="divergence"
const REPEATS = Math.max(2, budgeted(8, 64));
const estimates = Array.from({ length: REPEATS }, (_, i) =>
  Array.from(flow.model.flow.logProb(few, rng.fork(`signs ${i}`), { divergence: 'hutchinson' }).dataSync()),
);
const exactly = Array.from(flow.model.flow.logProb(few, rng).dataSync());
const offBy = exactly.map((value, n) => meanOf(estimates.map((e) => e[n]!)) - value);
table(
  [{ 'mean of the estimates less the exact value': meanOf(offBy), 'standard error': errorOf(offBy), 'deviation of one estimate of one point': meanOf(exactly.map((_, n) => deviationOf(estimates.map((e) => e[n]!)))) }],
  { caption: `ln p(x) by an estimated divergence, ${REPEATS} draws of signs a point`, digits: 4 },
); // prettier-ignore

// %% [markdown] id="digits-text"
// ### On digits
//
// Integers get uniform noise, as in chapter 6: a flow's density of $\mathbf{x} + \mathbf{u}$ gives a lower bound on the probability of the integers. Convolutions over the picture as in chapter 11, told the time. With 64 coordinates the exact divergence costs 64 passes; the estimate one, and its mean is the same, so that the bound stays one. What may *not* be done with estimates is the importance bound of chapter 8: $\exp$ of an estimate without bias is too large on average. That one is computed with exact divergences, for fewer images. **Dropout** was tried on validation images: so short a training does not tell a tenth from none, and a tenth is kept for the long one, in which images might be learnt by heart. The length of training was not chosen, and nothing is stopped early.

// %% id="digits"
const digits = load('digits');
const digitConfig = {
  ...flowMatching.defaults,
  eventShape: [64],
  values: digits.values,
  centre: 5.4,
  scale: 6.1,
  columns: 8,
  channels: 24,
  divergence: 'hutchinson' as const,
  steps: 10,
};
async function digitFlowOf(dropout: number, here: Rng, epochs: number) {
  const model = flowMatching.create({ ...digitConfig, dropout }, here);
  const rate = (step: number) => 0.004 * Math.max(0.02, 0.5 + 0.5 * Math.cos((Math.PI * step) / (20 * epochs)));
  const run = await fit(
    model,
    { train: digits.train },
    { epochs, batchSize: 50, optimiser: adam(rate), ema: 0.99, rng: here.fork('fit'), quiet: true },
  );
  return { model, run };
}
const someDigits = (x: tf.Tensor, count: number) => ({
  x: tf.tidy(() => x.slice([0, 0], [Math.min(x.shape[0]!, count), 64])),
});
const digitValidation = someDigits(digits.validation.x, Math.max(2, budgeted(100, 350)));
const digitChoices = [];
for (const dropout of [0, 0.1].slice(0, budgeted(2))) {
  const { model } = await digitFlowOf(dropout, rng.fork('digit choice'), budgeted(6, 60));
  const { nats, standardError } = evaluate(model, digitValidation, rng.fork('digit validation'));
  digitChoices.push({ dropout, 'validation, nats': nats, 'standard error': standardError });
}
table(digitChoices, {
  caption: `Dropout, by ${digitValidation.x.shape[0]} validation images after ${budgeted(6, 60)} epochs: 1 draw`,
  digits: 2,
});
const digitEpochs = budgeted(40, 240);
const digitRuns: Awaited<ReturnType<typeof digitFlowOf>>[] = [];
for (const seed of seeds) digitRuns.push(await digitFlowOf(0.1, rng.fork(`${seed}digits`), digitEpochs));
const { model: digitFlow, run: digitRun } = digitRuns[0]!;
lossCurve(digitRun, { title: 'Flow matching on digits', unit: 'squared error of the velocity' });
const digitFlows = digitRuns.map(({ model }) => model);
const rivals = await baselines(digits, rng.fork('baselines'));
const digitRungs = rungsOf(
  [...rivals, { name: 'flow matching, 1 draw', model: digitFlows }],
  someDigits(digits.test.x, Math.max(2, budgeted(100, 447))),
  rng.fork('digit test'),
);
ladder(digitRungs, { title: 'Nats per test image; bars: standard error over the images' });

// %% [markdown] id="digit-bound-text"
// **The importance bound** stands beside the Chow–Liu tree on the same images, image by image.

// %% id="digit-bound"
const DRAWS = Math.max(2, budgeted(2, 4));
const handful = someDigits(digits.test.x, Math.max(2, budgeted(4, 40)));
const tree = rivals.find(({ name }) => name === 'Chow–Liu tree')!.model as GenerativeModel;
const byTree = evaluate(tree, handful, rng).perExample;
const boundRow = (bound: string, perExample: ArrayLike<number>) => {
  const below = Array.from(perExample, (nats, n) => byTree[n]! - nats);
  return {
    bound,
    nats: meanOf(perExample),
    'standard error': errorOf(perExample),
    'below the tree': meanOf(below),
    'its error (paired)': errorOf(below),
  };
};
table(
  [
    {
      bound: 'Chow–Liu tree, exact',
      nats: meanOf(byTree),
      'standard error': errorOf(byTree),
      'below the tree': 0,
      'its error (paired)': 0,
    },
    ...digitFlows.map((model, i) =>
      boundRow(
        `${seeds[i]}flow, importance bound of K = ${DRAWS}`,
        evaluate(importanceBound(model, DRAWS), handful, rng.fork('handful'), { batchSize: 4 }).perExample,
      ),
    ),
  ],
  { caption: `${handful.x.shape[0]} test images, nats; errors are over the images`, digits: 2 },
);

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// **Four ways from one score**: the reverse process with noise (Euler–Maruyama), with a step of Langevin dynamics after each of its steps (**predictor–corrector**), the ODE in fixed steps, and the ODE with a tolerance. What counts is quality for a number of network evaluations, one after the other. Section 6 read the same weights as VP; three of its rows stand below.

// %% id="samplers"
const quality = (name: string, evaluations: number, draw: (here: Rng) => tf.Tensor) => ({
  sampler: name,
  evaluations,
  ...apart((here) => draw(here.fork('start'))),
});
const byScore =
  (options: Partial<ScoreSampleOptions>, { model } = { model: score.model }) =>
  (here: Rng) =>
    model.sample({ count: SAMPLES, rng: here, ...options });
const byTwin = (options: Partial<ScoreSampleOptions>) => byScore(options, { model: twin });
const byEuler = (steps: number) => (here: Rng) =>
  flow.model.sample({ count: SAMPLES, rng: here, steps, solver: 'euler' });
const counted: number[] = []; // evaluations of the adaptive solver, set by set
const byTolerance01 = (here: Rng) => {
  const { value, evaluations } = score.model.flow.measuredToData(here.normal([SAMPLES, 2]), {
    relative: 1e-2,
    absolute: 1e-2,
  });
  counted.push(evaluations);
  return score.model.coordinates.eventsOf(value);
};
const adaptive = quality('ODE, tolerance 0.01', 0, byTolerance01);
const trueSamples = (({ samples, ...floorOf }) => ({ sampler: samples, evaluations: 0, ...floorOf }))(floor);
table(
  [
    ...[10, 100, budgeted(1000)].map((steps) => quality(`Euler–Maruyama, ${steps} steps`, steps, byScore({ method: 'euler-maruyama', steps }))),
    ...[10, 100].map((steps) => quality(`predictor–corrector, ${steps} steps`, 2 * steps, byScore({ method: 'predictor-corrector', steps }))),
    ...[5, 10, 20].map((steps) => quality(`ODE, Heun, ${steps} steps`, 2 * steps, byScore({ steps, solver: 'heun' }))),
    { ...adaptive, evaluations: meanOf(counted) },
    quality('VP: Euler–Maruyama, 100 steps', 100, byTwin({ method: 'euler-maruyama', steps: 100 })),
    quality('VP: predictor–corrector, 100 steps', 200, byTwin({ method: 'predictor-corrector', steps: 100 })),
    quality('VP: ODE, Heun, 10 steps', 20, byTwin({ steps: 10, solver: 'heun' })),
    ...[1, 4, 8].map((steps) => quality(`flow matching, Euler, ${steps} steps`, steps, byEuler(steps))),
    trueSamples,
  ],
  { caption: `${SETS} sets of ${SAMPLES} samples each`, digits: 4 },
); // prettier-ignore

// %% [markdown] id="mean-flow-text"
// ### One evaluation
//
// One step of the flow is hopeless: you predicted where it lands. A network can learn the step itself. Let $\mathbf{u}(\mathbf{z}, t, s)$ be the **average velocity** from $t$ to $s$ along the path through $\mathbf{z}$, $(s - t)\, \mathbf{u} = \int_t^s \mathbf{v}\, \mathrm{d}\tau$. Derive both sides by $t$ *along the path*, and no integral is left (Geng et al., 2025):
//
// $$\mathbf{u} = \mathbf{v} + (s - t) \bigl(\partial_t \mathbf{u} + \mathbf{J}_{\mathbf{z}} \mathbf{u}\; \mathbf{v}\bigr).$$
//
// The right side, with $\mathbf{x} - \boldsymbol\varepsilon$ for $\mathbf{v}$ and its own derivative taken as given, is what $\mathbf{u}$ is trained towards. A sample is $\boldsymbol\varepsilon + \mathbf{u}(\boldsymbol\varepsilon, 0, 1)$. What is lost is the likelihood: the model is **implicit**, and only samples can judge it. They are tested against those that the flow of section 5 makes by many steps. A **permutation test** deals the labels of both sets out anew: where both have one distribution, an energy distance among the largest half per cent comes up once in 200 times, whatever that distribution is. That is its **false-alarm rate**. What it misses is shown by one step of Euler's method and by a second set of the many-step samples: the first must be told apart, the second should not be. With three trainings, at full budget, there are three chances of a false alarm.

// %% id="mean-flow"
const shots: { model: ReturnType<typeof meanFlow.create>; run: typeof flow.run }[] = [];
for (const seed of seeds) {
  const made = meanFlow.create(meanFlow.defaults, rng.fork(`${seed}mean`));
  shots.push(await trained(made, rng.fork(`${seed}mean fit`), budgeted(25, 10)));
}
const oneShot = shots[0]!;
const MANY = budgeted(1000); // steps of Euler's method, as many evaluations
table(
  [
    ...[1, 2, 4].map((steps) => quality(`mean flow, ${steps}`, steps, (here) => oneShot.model.sample({ count: SAMPLES, rng: here, steps }))),
    ...[1, 2, 4, MANY].map((steps) => quality(`flow matching, Euler, ${steps}`, steps, byEuler(steps))),
    trueSamples,
  ],
  { caption: `Quality by evaluations: ${SETS} sets of ${SAMPLES} samples each`, digits: 4 },
); // prettier-ignore
const ALARM = 0.005; // of a test; permutations are such that p can be as small
const many = byEuler(MANY)(rng.fork('teacher'));
const versus = (name: string, x: tf.Tensor) => {
  const { statistic, pValue } = twoSampleTest(x, many, rng.fork('versus'), { permutations: 1 / ALARM - 1 });
  return {
    samples: name,
    'energy distance': statistic,
    'p-value': pValue,
    'told apart': pValue <= ALARM ? 'yes' : 'no',
  };
};
table(
  [
    ...shots.map(({ model }, i) => versus(`${seeds[i]}mean flow, 1 evaluation`, model.sample({ count: SAMPLES, rng: rng.fork('p shot') }))),
    versus('Euler, 1 evaluation', byEuler(1)(rng.fork('p shot'))),
    versus(`Euler, ${MANY} evaluations, other noise`, byEuler(MANY)(rng.fork('p shot'))),
  ],
  { caption: `Against ${SAMPLES} samples of the flow by ${MANY} evaluations: permutation test, told apart where p ≤ ${ALARM}, which of equal distributions happens once in ${1 / ALARM}`, digits: 4 },
); // prettier-ignore
imageGrid(rowsOf(digitFlow.sample({ count: 20, rng: rng.fork('digit samples') })), { height: 8, width: 8, columns: 10, levels: digits.values, title: 'Digits by the flow of section 6, 60 evaluations' }); // prettier-ignore

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in for both families.

// %% id="card"
card(scoreModel.card);
card(flowMatching.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// A published notebook on flow matching has a function for $\ln p(\mathbf{x})$, and stops training when that no longer improves. It has **four** mistakes, each of which still gives numbers of about the right size.
//
// ### Exercise: repair it
//
// By steps of Euler's method, from data at $t = 1$ back to noise. At each step, velocity and divergence are those at the place and time where the step *begins*. The divergence is estimated by signs $\mathbf{e}$, the same all the way.

// %% id="likelihood"
/**
 * ln p(x) of a flow, by steps of Euler's method of length 1 / steps from t = 1 to t = 0.
 * @param velocity z [B, D], t [B] → [B, D] @param x data, [B, D] @param e signs, [B, D] @param steps at least 1
 * @returns [B], in nats
 */
function flowLogProb(
  velocity: (z: tf.Tensor, t: tf.Tensor) => tf.Tensor,
  x: tf.Tensor,
  e: tf.Tensor,
  steps: number,
): tf.Tensor {
  // BEGIN SOLUTION match.likelihood
  const h = 1 / steps;
  let z = x;
  let total: tf.Tensor = tf.zeros([x.shape[0]!]);
  for (let k = 0; k < steps; k++) {
    const t = tf.fill([x.shape[0]!], 1 - k * h); // the velocity was trained with its time, and is told it here, too
    const stretch = tf
      .grad((at) => velocity(at, t))(z, e)
      .mul(e)
      .sum(1); // eᵀ J e: the same e on both sides
    total = total.add(stretch.mul(h)); // of every step
    z = z.sub(velocity(z, t).mul(h)); // backwards, as t is
  }
  return logNormal(z, tf.scalar(0), tf.scalar(0)).sub(total);
  // END SOLUTION
  // BEGIN GIVEN
  // const h = 1 / steps;
  // let z = x;
  // let trace: tf.Tensor = tf.zeros([x.shape[0]!]);
  // for (let k = 0; k < steps; k++) {
  //   const t = tf.zeros([x.shape[0]!]);
  //   const slope = tf.grad((at) => velocity(at, t).sum(1))(z);
  //   trace = slope.mul(e).sum(1);
  //   z = z.add(velocity(z, t).mul(h));
  // }
  // return logNormal(z, tf.scalar(0), tf.scalar(0)).sub(trace);
  // END GIVEN
}

// %% id="own-likelihood"
const ownLogProb = yours(flowLogProb, (velocity: typeof ring.velocity, x: tf.Tensor, e: tf.Tensor, steps: number) => {
  const other = continuousFlow({
    ...{ variables: [], D: 2, spread: 1, noiseTime: 0, dataTime: 1, solver: 'euler', steps },
    velocity,
    logBase: (z) => logNormal(z, tf.scalar(0), tf.scalar(0)),
  });
  return other.logProb(x, createRng(Number(e.shape[0])), { divergence: 'hutchinson' });
}); // prettier-ignore
const claimed = ownLogProb((z, t) => ring.velocity(z, t), few, rademacher(few.shape, rng.fork('bug')), 24);
const gap = Array.from(claimed.dataSync(), (v, n) => v - known[n]!);
const stepped = Array.from(truth.logProb(few, rng, { solver: 'euler', steps: 24 }).dataSync(), (v, n) => v - known[n]!);
table(
  [
    { 'ln p(x), 24 steps of Euler’s method': `divergence estimated once: ${ownLogProb.by()}`, 'mean of claimed − true': meanOf(gap), 'standard error': errorOf(gap), 'deviation of a point': deviationOf(gap) },
    { 'ln p(x), 24 steps of Euler’s method': 'exact divergence', 'mean of claimed − true': meanOf(stepped), 'standard error': errorOf(stepped), 'deviation of a point': deviationOf(stepped) },
  ],
  { caption: `With the true velocity, ${gap.length} points, nats; the truth is ${meanOf(known).toFixed(3)} on average`, digits: 3 },
); // prettier-ignore

// %% id="check-likelihood"
await check('match.likelihood', flowLogProb);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now: medians of five calls after one that compiles; the step of a solver is compiled once, whatever the number of steps. *Eager* is the same sampler, operation by operation.

// %% id="measure-costs"
/** Milliseconds a point: the median of five calls. */
function timed(count: number, body: () => tf.Tensor): number {
  body().dispose();
  const calls = Array.from({ length: 5 }, () => {
    const started = performance.now();
    body().dispose();
    return (performance.now() - started) / count;
  });
  return calls.sort((a, b) => a - b)[2]!;
}
const COUNT = budgeted(500);
const pass = ({ milliseconds, history }: typeof flow.run) => milliseconds / history.length / TRAIN.x.shape[0]!;
const points = drawn(COUNT, 'cost');
const cost = rng.fork('costs');
const eightSteps = (engine: 'auto' | 'eager') => () =>
  flow.model.sample({ count: COUNT, rng: cost, steps: 8, solver: 'euler', engine });
const [fast, plainSteps] = [timed(COUNT, eightSteps('auto')), timed(COUNT, eightSteps('eager'))];
table(
  [
    { what: 'flow, training on a point once', ms: pass(flow.run) },
    { what: 'mean flow, training on a point once', ms: pass(oneShot.run) },
    { what: 'one evaluation of the mean flow', ms: timed(COUNT, () => oneShot.model.sample({ count: COUNT, rng: cost })) },
    { what: 'flow, 8 steps of Euler', ms: fast },
    { what: 'the same, eager', ms: plainSteps },
    { what: 'flow, 16 steps of Dormand–Prince', ms: timed(COUNT, () => flow.model.sample({ count: COUNT, rng: cost })) },
    { what: 'score, 100 steps of Euler–Maruyama', ms: timed(COUNT, () => score.model.sample({ count: COUNT, rng: cost, method: 'euler-maruyama', steps: 100 })) },
    { what: 'ln p(x), exact divergence', ms: timed(COUNT, () => flow.model.flow.logProb(points, cost)) },
    { what: 'ln p(x), estimated divergence', ms: timed(COUNT, () => flow.model.flow.logProb(points, cost, { divergence: 'hutchinson' })) },
  ],
  { caption: `Milliseconds a point, ${COUNT} at once; compiled, the 8 steps are ${Math.round(plainSteps / fast)} times as fast as eager`, digits: 4 },
); // prettier-ignore

// %% [markdown] id="failures"
// ## Where it fails
//
// **Small noise.** A likelihood sees the score at every level, the smallest included, where its relative error is largest: the figure of section 5. Samples hardly show it. A model that stops at $\sigma_{\min}$ is a model of data with that noise, and says so.
//
// **Valleys between hills.** There are few data there, with little weight in any of the losses, and the arrows are long and turn quickly. Whoever starts there goes anywhere. Mass that ends between the hills is what the likelihood of samples under the *truth* punishes most.
//
// **A solver can step over something.** An adaptive solver knows only what it sees at its evaluations; a field that is quiet everywhere but for a moment may be missed. And a tolerance is of a step, not of the path.
//
// **One step is not free.** A mean flow is trained towards itself, at some times the cost of flow matching (above: training on a point once), and can only be judged by samples: there is no likelihood to tell that it has lost a hill.
//
// **Digits.** Uniform noise in a cell has edges, and a smooth flow pays for each of them: discrete diffusion and the guesses by Bayes' rule of chapter 11, which know that pixels are integers, do not.
//
// ### Sources
//
// A. Hyvärinen, *Estimation of non-normalized statistical models by score matching*, JMLR 2005. P. Vincent, *A connection between score matching and denoising autoencoders*, Neural Computation 2011. B. Anderson, *Reverse-time diffusion equation models*, 1982. M. Hutchinson, *A stochastic estimator of the trace of the influence matrix*, 1989. R. Chen et al., *Neural ordinary differential equations*, NeurIPS 2018. W. Grathwohl et al., *FFJORD*, ICLR 2019. Y. Song et al., *Sliced score matching*, UAI 2019. Y. Song, S. Ermon, *Generative modeling by estimating gradients of the data distribution*, NeurIPS 2019. Y. Song et al., *Score-based generative modeling through stochastic differential equations*, ICLR 2021. T. Karras et al., *Elucidating the design space of diffusion-based generative models*, NeurIPS 2022. Y. Lipman et al., *Flow matching for generative modeling*, ICLR 2023. X. Liu, C. Gong, Q. Liu, *Flow straight and fast*, ICLR 2023. A. Tong et al., *Improving and generalizing flow-based generative models with minibatch optimal transport*, TMLR 2024. Z. Geng et al., *Mean flows for one-step generative modeling*, 2025. J. Dormand, P. Prince, *A family of embedded Runge–Kutta formulae*, 1980. J. Tomczak, *Deep Generative Modeling* (2024), chapter 9. The bug is in the notebook on flow matching of github.com/jmtomczak/intro_dgm.
