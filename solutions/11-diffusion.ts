// %% [markdown] id="title"
// # 11 Diffusion
//
// A drop of ink in water spreads until nothing is left of its shape. **Diffusion models** do that to pictures, in many small steps, and learn each step's way back. Seen from chapter 10 it is a hierarchy with a latent for every moment, whose *encoder is fixed*: it adds noise, and has no weights. What is trained is the decoder alone, one network for all steps.
//
// This chapter derives the bound term by term, in nats, and trains it on integers without any rounding in between; says what the loss without weights, on which most picture programs are trained, is and is not; draws with many steps and with few; turns the model towards a class, and around half a picture that is known. At the end noise is replaced by a mask, and diffusion turns out to be autoregression in any order. Everything printed below was computed by running this file (`npm run solutions -- 11`; with `--budget full`, trainings take longer).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adam,
  adamW,
  baselines,
  boundWeight,
  budgeted,
  card,
  createRng,
  diffuse,
  enumerate,
  evaluate,
  exactAnyOrder,
  figure,
  fit,
  fullBudget,
  grammarSource,
  imageGrid,
  importanceBound,
  importanceTimes,
  independentTimes,
  ladder,
  load,
  logCategorical,
  lossCurve,
  markovSource,
  maskedDiffusion,
  noiseSchedule,
  permutation,
  planeSource,
  randomOrders,
  reverseStep as libraryStep,
  rungsOf,
  stepDown,
  stratifiedTimes,
  table,
  trajectories,
  twoSampleTest,
  variationalDiffusion,
  type GenerativeModel,
  type NoiseSchedule,
  type Rng,
  type TrainingData,
  type WeightedTimes,
} from 'dgm';
import { compiled, type CompiledFunction } from 'dgm/engine';

const rng = createRng(11); // the one seed of this chapter
const digits = load('digits');
const V = digits.values; // 17 grey levels
const D = 64;
const [LOW, HIGH] = [-6, 6]; // the ends of every schedule on this page
const EACH_LOOKS = budgeted(4); // times of noise, or masks, by which a picture's bound is estimated
const rowsOf = (x: tf.Tensor) => x.arraySync() as number[][];
const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
const spreadOf = (values: ArrayLike<number>) => {
  const mean = meanOf(values);
  const squares = Array.from(values, (v) => (v - mean) ** 2);
  return Math.sqrt((meanOf(squares) * values.length) / Math.max(1, values.length - 1));
};
const errorOf = (values: ArrayLike<number>) => spreadOf(values) / Math.sqrt(values.length);
const picture = { height: 8, width: 8, levels: V };
/** Integers 0 … values − 1 onto [−1, 1], and back. */
const scaled = (x: tf.Tensor, values = V) => x.mul(2 / (values - 1)).sub(1);
const shown = (z: tf.Tensor) =>
  z
    .add(1)
    .mul((V - 1) / 2)
    .clipByValue(0, V - 1);
/** T steps' γ_0, …, γ_T, evenly from end to end. */
const evenly = (T: number) => Array.from({ length: T + 1 }, (_, i) => LOW + ((HIGH - LOW) * i) / T);
type Diffusion = ReturnType<typeof variationalDiffusion.create>;
/** What `own` predicts; nothing while it is not written, or throws. */
const prediction =
  <Args extends readonly unknown[], Result>(own: (...args: Args) => Result) =>
  (...args: Args): Result | undefined => {
    try {
      return own(...args);
    } catch {
      return undefined;
    }
  };

/** One way of training for all models of this chapter; section 4 gives the reasons. */
async function train<Model extends GenerativeModel>(
  model: Model,
  data: TrainingData,
  here: Rng,
  { epochs, batchSize = 50, weightDecay = 0.5 }: { epochs: number; batchSize?: number; weightDecay?: number },
) {
  const optimiser = adamW(0.003, { weightDecay, clipNorm: 1 });
  const run = await fit(model, data, { epochs, batchSize, optimiser, ema: 0.99, patience: 40, rng: here, quiet: true });
  return { model, run };
}

// %% [markdown] id="why"
// ## Why: to destroy is easy
//
// Below, digits that are mixed with more and more noise: $\mathbf{z}_t = \alpha_t \mathbf{x} + \sigma_t \boldsymbol\varepsilon$ with $\boldsymbol\varepsilon \sim \mathcal{N}(\mathbf{0}, \mathbf{I})$. From the last column nobody could tell the first. But from one column to the one before there is little to undo, and what the noise looked like can be guessed.

// %% id="why-picture"
const gammas = [-6, -4, -2, -1, 0, 1, 2, 4, 6];
const four = tf.tidy(() => digits.test.x.slice([0, 0], [4, D]));
const noised = gammas.map((gamma, i) =>
  tf.tidy(() => diffuse(scaled(four), tf.fill([4], gamma), rng.fork(`why ${i}`).normal([4, D]))),
);
imageGrid(
  tf.tidy(() => rowsOf(shown(tf.stack(noised, 1)).reshape([-1, D]))),
  { ...picture, columns: gammas.length, title: 'From little noise to nothing else: γ = −6, −4, −2, −1, 0, 1, 2, 4, 6' },
);

// %% [markdown] id="family"
// ## 1 Family
//
// **The encoder.** $q(\mathbf{z}_t \mid \mathbf{x}) = \mathcal{N}(\alpha_t \mathbf{x}, \sigma_t^2 \mathbf{I})$ with $\alpha_t^2 + \sigma_t^2 = 1$, so that the variance of $\mathbf{z}$ stays 1 where that of $\mathbf{x}$ is. All of it is said by one number for each time, the **signal-to-noise ratio** $\mathrm{SNR}_t = \alpha_t^2 / \sigma_t^2$, or $\gamma_t = -\ln \mathrm{SNR}_t$, which grows with $t$ from 0 to 1. Then $\alpha_t^2 = 1 / (1 + e^{\gamma_t})$ and $\sigma_t^2 = 1 / (1 + e^{-\gamma_t})$.
//
// How $\gamma$ grows is the **noise schedule**. Two that are in use: $\gamma$ itself grows evenly (*linear*), or $\alpha_t = \cos(\pi u / 2)$ with $u$ growing evenly (*cosine*; Nichol and Dhariwal, 2021), both cut off at the same ends, $\gamma_0 = -6$ and $\gamma_1 = 6$. A third is learnt, in section 5.

// %% id="schedules"
const schedules = {
  linear: noiseSchedule('linear', { lowest: LOW, highest: HIGH }),
  cosine: noiseSchedule('cosine', { lowest: LOW, highest: HIGH }),
};
const hundredTimes = Array.from({ length: 101 }, (_, i) => i / 100);
const curveOf = (schedule: NoiseSchedule) =>
  tf.tidy(() => Array.from(schedule.gamma(tf.tensor1d(hundredTimes)).dataSync()));
figure(
  Object.entries(schedules).flatMap(([name, schedule], i) => {
    const line = { dash: (['solid', 'dash'] as const)[i], color: (['#2f7fd1', '#d9701a'] as const)[i] }; // of both panels
    return [
      { x: hundredTimes, y: curveOf(schedule), mode: 'lines', name, line },
      { x: hundredTimes, y: curveOf(schedule).map((g) => 1 / (1 + Math.exp(g))), mode: 'lines', name: `α², ${name}`, xaxis: 'x2', yaxis: 'y2', line, showlegend: false },
    ];
  }),
  { xaxis: { title: 't', domain: [0, 0.45] }, yaxis: { title: 'γ = −ln SNR' }, xaxis2: { title: 't', domain: [0.57, 1], anchor: 'y2' }, yaxis2: { title: 'α², the share of the signal', anchor: 'x2', range: [0, 1] } },
  { height: 340, alt: 'γ and α² over time, for a linear and a cosine schedule with the same ends' },
); // prettier-ignore

// %% [markdown] id="chain-text"
// **It is a Markov chain.** From $s$ to a later $t$, what is there is shrunk by $\alpha_t / \alpha_s$, and noise of variance $\sigma_t^2 - (\alpha_t / \alpha_s)^2 \sigma_s^2$ is added. So nobody has to walk: the **marginal** at any $t$ is drawn at once. Below, many walkers from $x = 0.5$, step by step, against the marginals.

// %% id="chain"
const WALKERS = Math.max(2000, budgeted(20_000));
const along = evenly(8);
const alphaAt = (gamma: number) => 1 / Math.sqrt(1 + Math.exp(gamma));
const varAt = (gamma: number) => 1 / (1 + Math.exp(-gamma));
const walked = [];
let walkers: tf.Tensor = tf.tidy(() => diffuse(tf.fill([WALKERS, 1], 0.5), tf.fill([WALKERS], LOW), rng.fork('walkers').normal([WALKERS, 1]))); // prettier-ignore
for (const [i, gamma] of along.slice(1).entries()) {
  const kept = alphaAt(gamma) / alphaAt(along[i]!);
  const added = varAt(gamma) - kept ** 2 * varAt(along[i]!);
  walkers = tf.tidy(() => walkers.mul(kept).add(rng.fork(`walk ${i}`).normal([WALKERS, 1]).mul(Math.sqrt(added))));
  const places = walkers.dataSync();
  const [mean, variance] = [meanOf(places), spreadOf(places) ** 2];
  if (i % 2 === 1) walked.push({ γ: gamma, mean, 'α x': alphaAt(gamma) * 0.5, variance, 'σ²': varAt(gamma) });
}
table(walked, { caption: `${WALKERS} walkers from x = 0.5`, digits: 3 });

// %% [markdown] id="decoder-text"
// **The decoder** walks back: $\mathbf{z}_1 \sim \mathcal{N}(\mathbf{0}, \mathbf{I})$, then $p(\mathbf{z}_s \mid \mathbf{z}_t)$ for one step after the other, then $p(\mathbf{x} \mid \mathbf{z}_0)$. If $\mathbf{x}$ were known, each step back would be exact, by Bayes' rule. It is not, so the network guesses it, $\hat{\mathbf{x}}(\mathbf{z}_t)$, and the step is taken as if the guess were true: $p(\mathbf{z}_s \mid \mathbf{z}_t) = q(\mathbf{z}_s \mid \mathbf{z}_t, \hat{\mathbf{x}})$.
//
// ### Exercise: derive a step back
//
// What is $q(\mathbf{z}_s \mid \mathbf{z}_t, \mathbf{x})$? Two things are known of $\mathbf{z}_s$: where $\mathbf{x}$ puts it, and what became of it.

// %% id="reverse"
/**
 * q(z_s | z_t, x) for s before t: Gaussian, of one variance for all coordinates.
 * @param z z_t, [B, D] @param x [B, D] @param gammaT −ln SNR at t @param gammaS the same at s, below it
 * @returns its mean, mu [B, D], and ln of its variance, logVar
 */
function reverseStep(z: tf.Tensor, x: tf.Tensor, gammaT: number, gammaS: number): { mu: tf.Tensor; logVar: number } {
  // BEGIN SOLUTION diffusion.reverse
  const logistic = (v: number) => 1 / (1 + Math.exp(-v));
  const [varS, varT, alphaS] = [logistic(gammaS), logistic(gammaT), Math.sqrt(logistic(-gammaS))];
  const kept = Math.sqrt(logistic(-gammaT) / logistic(-gammaS));
  const added = varT - kept ** 2 * varS;
  const mu = z.mul((kept * varS) / varT).add(x.mul((alphaS * added) / varT));
  return { mu, logVar: Math.log((added * varS) / varT) };
  // END SOLUTION
}

// %% id="check-reverse"
await check('diffusion.reverse', reverseStep);

// %% [markdown] id="network"
// ## 2 Network
//
// One network for all times: residual convolutions, as in the encoder of chapter 8, that see $\mathbf{z}_t$ and are told $\gamma_t$, by a handful of waves. Here it does not answer with a picture but with a *table*: for each pixel, how likely each of the 17 values is, by what the *other* pixels look like. What the pixel's own $z$ says about it is no matter of learning; Bayes' rule adds $\ln \mathcal{N}(z_d; \alpha v, \sigma^2)$ to the logit of value $v$. The guess $\hat{\mathbf{x}}$ is the mean of the table, and at $t = 0$ the table itself is $p(\mathbf{x} \mid \mathbf{z}_0)$: the last decoder is a **discretised likelihood**, and integers are never rounded.
//
// A network may as well answer with one number a pixel: $\mathbf{x}$ itself, the noise $\boldsymbol\varepsilon$, or the **velocity** $\mathbf{v} = \alpha \boldsymbol\varepsilon - \sigma \mathbf{x}$ (Salimans and Ho, 2022). As $\mathbf{z}$ is known, each gives the others. Section 5 trains all four.

// %% [markdown] id="objective"
// ## 3 Objective
//
// The bound of chapter 8, with all $\mathbf{z}$ as latents, falls apart into three terms:
//
// $$-\ln p(\mathbf{x}) \le \underbrace{\mathbb{E}[-\ln p(\mathbf{x} \mid \mathbf{z}_0)]}_{\text{reconstruction}} + \underbrace{\mathrm{KL}[q(\mathbf{z}_1 \mid \mathbf{x}) \,\|\, \mathcal{N}(\mathbf{0}, \mathbf{I})]}_{\text{prior}} + \sum_{i=1}^{T} \mathbb{E}\, \mathrm{KL}[q(\mathbf{z}_s \mid \mathbf{z}_t, \mathbf{x}) \,\|\, q(\mathbf{z}_s \mid \mathbf{z}_t, \hat{\mathbf{x}})].$$
//
// ### Exercise: derive what the steps cost
//
// Both Gaussians of a step have the same variance. Put your mean and variance in, and simplify until nothing but SNRs is left.

// %% id="cost"
/**
 * Σ_i KL of step i, from γ_i back to γ_{i − 1}, in nats.
 * @param errors ‖x − x̂(z_t)‖² at γ_1, …, γ_T, [B, T] @param gamma γ_0, …, γ_T, [T + 1] @returns [B]
 */
function stepsCost(errors: tf.Tensor, gamma: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION diffusion.cost
  const T = errors.shape[1]!;
  const snr = gamma.neg().exp();
  const fall = snr.slice([0], [T]).sub(snr.slice([1], [T])); // SNR(s) − SNR(t), above 0
  return errors.mul(fall).sum(1).mul(0.5);
  // END SOLUTION
}

// %% id="check-cost"
await check('diffusion.cost', stepsCost);

// %% [markdown] id="endless-text"
// **Steps without end.** Cut a step in two, and its second half may guess from less noise: with the best guesses, more steps cost less. In the limit the sum is an integral,
//
// $$\tfrac12 \int_0^1 \gamma'(t)\, \mathrm{SNR}(t)\, \mathbb{E}\|\mathbf{x} - \hat{\mathbf{x}}\|^2\, \mathrm{d}t = \tfrac12 \int_{\gamma_0}^{\gamma_1} e^{-\gamma}\, \mathbb{E}\|\mathbf{x} - \hat{\mathbf{x}}\|^2\, \mathrm{d}\gamma,$$
//
// and substituting $\gamma$ for $t$ shows that the schedule between its **ends** does not matter (Kingma et al., 2021). It decides how often each noise level is drawn, and with it the variance of an estimate by random times.
//
// ### Predict: who pays
//
// *Before* you run the table: let $x \sim \mathcal{N}(0, 1)$ be one number, and every guess the best one, $\hat x = \mathbb{E}[x \mid z_t] = \alpha_t z_t$; the last decoder is the true $p(x \mid z_0)$. Steps are without end. How many nats are the three terms on average, for ends $\gamma_0$ and $\gamma_1$? Nothing is lost on the way, so their sum is known.

// %% id="shares"
/**
 * The three terms of the bound in the mean over x ~ N(0, 1), with the best decoder, in nats; the reconstruction is
 * the differential entropy of x that is left where z_0 is known, and may be below 0.
 * @param gamma0 −ln SNR at t = 0 @param gamma1 at t = 1, above gamma0
 */
function shares(gamma0: number, gamma1: number): { reconstruction: number; steps: number; prior: number } {
  // BEGIN SOLUTION diffusion.shares
  const logVariance = (gamma: number) => -Math.log1p(Math.exp(-gamma)); // ln σ², and σ² is what x varies by given z
  const [first, last] = [logVariance(gamma0), logVariance(gamma1)];
  return { reconstruction: 0.5 * (Math.log(2 * Math.PI) + 1 + first), steps: 0.5 * (last - first), prior: -0.5 * last };
  // END SOLUTION
}

// %% id="gaussian-world"
const foretold = prediction(shares);
const DRAWN = Math.max(10_000, budgeted(200_000));
const stepsBy = (charges: ArrayLike<number>) => ({ steps: meanOf(charges), 'error of the steps': errorOf(charges) });
/** The three terms by draws of x, of noise and of times, under a schedule. */
function gaussianTerms(schedule: NoiseSchedule, here: Rng) {
  return tf.tidy(() => {
    const noise = (label: string) => here.fork(label).normal([DRAWN, 1]);
    const [x, t] = [noise('x'), stratifiedTimes(DRAWN, here.fork('t'))];
    const at = (gamma: tf.Tensor, label: string) => {
      const [alpha2, sigma2] = [gamma.neg().sigmoid().expandDims(1), gamma.sigmoid().expandDims(1)];
      const guess = diffuse(x, gamma, noise(label)).mul(alpha2.sqrt());
      return { alpha2, sigma2, squares: x.sub(guess).square() };
    };
    const gamma = schedule.gamma(t);
    const first = at(schedule.gamma(tf.zeros([DRAWN])), 'first');
    const last = at(schedule.gamma(tf.ones([DRAWN])), 'last');
    const charge = schedule.slope(t).mul(gamma.neg().exp()).mul(0.5).expandDims(1);
    return {
      reconstruction: first.squares.div(first.sigma2).add(first.sigma2.mul(2 * Math.PI).log()).mul(0.5).mean().dataSync()[0]!,
      ...stepsBy(charge.mul(at(gamma, 'between').squares).dataSync()),
      prior: last.alpha2.mul(x.square()).add(last.sigma2).sub(1).sub(last.sigma2.log()).mul(0.5).mean().dataSync()[0]!,
    };
  });
} // prettier-ignore
const worlds = ([[-6, 6], [-2, 1]] as const).flatMap(([lowest, highest]) => {
  const said = foretold(lowest, highest);
  const measured = (['linear', 'cosine'] as const).map((name) => ({ by: `measured, ${name}`, ...gaussianTerms(noiseSchedule(name, { lowest, highest }), rng.fork('gaussian')) }));
  return [...measured, { by: 'predicted', reconstruction: said?.reconstruction ?? '–', steps: said?.steps ?? '–', 'error of the steps': '', prior: said?.prior ?? '–' }].map((row) => {
    const sum = typeof row.reconstruction === 'number' ? row.reconstruction + Number(row.steps) + Number(row.prior) : '–';
    return { γ: `${lowest} to ${highest}`, ...row, sum };
  });
}); // prettier-ignore
table(worlds, { caption: `x ~ N(0, 1): nats; its entropy is ${(0.5 * Math.log(2 * Math.PI * Math.E)).toFixed(3)}`, digits: 3 }); // prettier-ignore

// %% id="check-shares"
await check('diffusion.shares', shares);

// %% [markdown] id="units-text"
// Ends decide *who* pays: what noise has hidden at $t = 0$ is left to the last decoder, and what is still there at $t = 1$ is paid by the prior. Two schedules with the same ends agree, up to the error of the draws.
//
// ### Derive: errors in other units
//
// A network that guesses $\boldsymbol\varepsilon$ or $\mathbf{v}$ is trained on the squared error of *that*. By what does it have to be multiplied, besides $\gamma'$, to be the integrand above?

// %% id="weight"
/** w(γ) such that γ' · w · ‖error‖² is what the bound without end charges at γ, for errors in x, in ε, or in v. */
function weightOf(kind: 'x' | 'noise' | 'velocity', gamma: number): number {
  // BEGIN SOLUTION diffusion.weight
  const snr = Math.exp(-gamma);
  const alpha2 = 1 / (1 + Math.exp(gamma));
  return { x: snr / 2, noise: 1 / 2, velocity: alpha2 / 2 }[kind];
  // END SOLUTION
}

// %% id="check-weight"
await check('diffusion.weight', weightOf);

// %% [markdown] id="weights-text"
// Whoever drops the weight and trains on $\|\boldsymbol\varepsilon - \hat{\boldsymbol\varepsilon}\|^2$ at even *times* has the **simple loss** of Ho, Jain and Abbeel (2020). With a linear $\gamma$ it is in proportion to the integrand of the bound. With a cosine schedule it is another weighting, $1/\gamma'(t)$ times that of the bound, which is smallest near the two ends; and in either case it lacks the reconstruction, the prior and the unit. As a loss it is a choice, as a likelihood it is none: section 5 holds it against a source of known entropy.

// %% id="weights"
const ownWeight = yours(weightOf, (kind: 'x' | 'noise' | 'velocity', gamma: number) =>
  tf.tidy(() => boundWeight(kind === 'x' ? 'data' : kind, tf.tensor1d([gamma])).dataSync()[0]!),
);
const levels = Array.from({ length: 61 }, (_, i) => LOW + (i * (HIGH - LOW)) / 60);
const weightCurves = (['x', 'noise', 'velocity'] as const).map((kind) => ({
  x: levels,
  y: levels.map((gamma) => ownWeight(kind, gamma)),
  mode: 'lines',
  name: { x: 'x', noise: 'ε', velocity: 'v' }[kind],
}));
const simpleWeight = tf.tidy(() => {
  const u = tf.tensor1d(hundredTimes);
  const [gamma, slope] = [schedules.cosine.gamma(u).dataSync(), schedules.cosine.slope(u).dataSync()];
  return { x: Array.from(gamma), y: Array.from(slope, (v) => 6 / v) };
});
figure(
  [...weightCurves, { ...simpleWeight, mode: 'lines', name: 'ε, simple loss, cosine (6 / γ′)', line: { dash: 'dot' } }],
  { title: `The bound’s weight of a squared error: ${ownWeight.by()}`, xaxis: { title: 'γ = −ln SNR' }, yaxis: { title: 'weight', type: 'log' } },
  { height: 340, alt: 'Weights over γ: e^−γ/2 for x, constant for ε, falling where noise wins for v; the simple loss falls at both ends' },
); // prettier-ignore

// %% [markdown] id="optimiser"
// ## 4 Optimiser
//
// AdamW with a learning rate of 0.003, a weight decay of 0.5 on the digits (0.01 on sources, whose examples never end) and gradients clipped at 1. An average of the weights is validated and kept: the loss is of one random time an example, so that a single step says little.
//
// Times are spread evenly over the batch (**stratified**), and drawn more often where the term was large so far, each divided by how often it is drawn (**importance sampling**). The mean stays what it was; its variance does not. Section 5 measures both.

// %% [markdown] id="training"
// ## 5 Training
//
// The digits, with a table of values and times by importance.

// %% id="train"
const EPOCHS = budgeted(24, 140);
const trainNoisy = (here: Rng) =>
  train(
    variationalDiffusion.create({ ...variationalDiffusion.defaults, draws: EACH_LOOKS }, here.fork('weights')),
    digits,
    here.fork('fit'),
    {
      epochs: EPOCHS,
    },
  );
const noisy = await trainNoisy(rng.fork('noisy'));
lossCurve(noisy.run, { title: 'Variational diffusion', unit: 'nats per image, a bound' });

// %% id="terms"
const looks = new Map<Diffusion, CompiledFunction>();
/** The terms of the bound of each row, by some times without end; compiled once for each model. */
function termsOf(model: Diffusion, x: tf.Tensor, here: Rng) {
  const make = () =>
    compiled(([rows], noise) => {
      const { reconstruction, prior, diffusion } = model.terms(rows!, noise, {
        draws: Math.max(4, budgeted(16)),
        steps: 0,
      });
      return [reconstruction, prior, diffusion];
    });
  const look = looks.get(model) ?? make();
  looks.set(model, look);
  const [reconstruction, prior, steps] = look([x], here).map((term) => Array.from(term.dataSync())) as [number[], number[], number[]]; // prettier-ignore
  const bound = reconstruction.map((value, n) => value + prior[n]! + steps[n]!);
  return { reconstruction, prior, steps, bound };
}
const fewValidated = tf.tidy(() => digits.validation.x.slice([0, 0], [50, D]));
const terms = termsOf(noisy.model, fewValidated, rng.fork('terms'));
table(
  [
    { what: 'mean', reconstruction: meanOf(terms.reconstruction), 'the steps': meanOf(terms.steps), prior: meanOf(terms.prior), bound: meanOf(terms.bound) },
    { what: 'standard error', reconstruction: errorOf(terms.reconstruction), 'the steps': errorOf(terms.steps), prior: errorOf(terms.prior), bound: errorOf(terms.bound) },
  ],
  { caption: 'The bound term by term: 50 validation images, nats per image', digits: 2 },
); // prettier-ignore

// %% [markdown] id="ends-text"
// ### Two schedules, one network, and times that are drawn well
//
// The network above, with the cost of the steps estimated on the same 50 pictures many times, from 50 random times each. Both schedules have the same ends; times are independent, stratified, or stratified and by importance. **The ends alone count**: all six rows estimate one number, each from draws of its own, so that their means differ by about their errors (of six, one beyond twice its error is no surprise). What differs otherwise is the spread of a single estimate, which is what a step of training is made of.

// %% id="ends"
/** SNR ‖x − x̂‖², which is ‖ε − ε̂‖², of each row at its γ, compiled: [B, D] and [B] → [B] */
const squaresOf = (model: Diffusion) => {
  const fn = compiled(([pictures, gamma], noise) => {
    const rows = scaled(pictures!, model.values);
    const z = diffuse(rows, gamma!, noise.normal(rows.shape));
    return [rows.sub(model.network.apply(z, gamma!).x).square().sum(1).mul(gamma!.neg().exp())];
  });
  return (x: tf.Tensor, gamma: tf.Tensor, noise: Rng): tf.Tensor => fn([x, gamma], noise)[0]!;
};
const digitSquares = squaresOf(noisy.model);
const REPEATS = Math.max(3, budgeted(40, 100));
/** What each row costs at its time, before the weight of the time. */
const chargeAt = (squares: typeof digitSquares, schedule: NoiseSchedule, x: tf.Tensor, t: tf.Tensor, here: Rng): tf.Tensor =>
  tf.tidy(() => squares(x, schedule.gamma(t), here).mul(schedule.slope(t)).mul(0.5)); // prettier-ignore
/** Estimates by one batch each, of times that `draw` gives. */
function estimates(squares: typeof digitSquares, schedule: NoiseSchedule, x: tf.Tensor, draw: (here: Rng) => WeightedTimes, { repeats, here }: { repeats: number; here: Rng }) {
  return tf.tidy(() => {
    const drawn = Array.from({ length: repeats }, (_, i) => draw(here.fork(`estimate ${i}`)));
    const t = tf.concat(drawn.map((times) => times.t));
    const weight = tf.concat(drawn.map((times) => times.weight));
    const charge = chargeAt(squares, schedule, tf.tile(x, [repeats, 1]), t, here.fork('noise')).mul(weight);
    return Array.from(charge.reshape([repeats, x.shape[0]!]).mean(1).dataSync());
  });
} // prettier-ignore
const evenWeights = (t: tf.Tensor): WeightedTimes => ({ t, weight: tf.onesLike(t) });
const estimated = Object.entries(schedules).flatMap(([name, schedule]) => {
  const B = fewValidated.shape[0]!;
  const importance = importanceTimes();
  for (let i = 0; i < Math.max(3, budgeted(30)); i++)
    tf.tidy(() => {
      const { t } = importance.draw(stratifiedTimes(B, rng.fork(`memory ${i}`)));
      const charge = chargeAt(digitSquares, schedule, fewValidated, t, rng.fork(`memory noise ${i}`));
      importance.memory.assign(importance.next(t, charge));
    });
  const ways: readonly (readonly [string, (here: Rng) => WeightedTimes])[] = [
    ['independent', (here) => evenWeights(independentTimes(B, here))],
    ['stratified', (here) => evenWeights(stratifiedTimes(B, here))],
    ['stratified, by importance', (here) => importance.draw(stratifiedTimes(B, here))],
  ];
  return ways.map(([times, draw]) => {
    const here = rng.fork(`${name}, ${times}`); // draws of its own, so that no two rows err together
    const all = estimates(digitSquares, schedule, fewValidated, draw, { repeats: REPEATS, here });
    return { schedule: name, times, mean: meanOf(all), 'its error': errorOf(all), 'spread of one estimate': spreadOf(all) }; // prettier-ignore
  });
});
table(estimated, { caption: `The cost of the steps by ${REPEATS} batches of 50 times, nats per image`, digits: 2 });

// %% [markdown] id="plane-text"
// ### Points in the plane
//
// Two moons, cut into $16 \times 16$ cells: a source whose entropy $H$ is known. **Parametrisations**, from the same seed, for the same number of steps, each trained on its bound by the same stratified times; the last row is the network of $\boldsymbol\varepsilon$ again, trained on the simple loss with a cosine schedule. Printed is by how much the *bound* is above $-\ln p(\mathbf{x})$ of the source, point by point. Networks of one number have no table, so their last decoder, $p(\mathbf{x} \mid \mathbf{z}_0)$, knows each coordinate's own $z$ and nothing else.

// %% id="plane"
const plane = planeSource('two moons', { bins: 16 });
const planeData = {
  train: { x: plane.sample({ count: 2000, rng: rng.fork('plane') }) },
  validation: { x: plane.sample({ count: 400, rng: rng.fork('plane, validation') }) },
};
const planeExactly = evaluate(plane, planeData.validation, rng).perExample;
const planar = {
  ...variationalDiffusion.defaults,
  eventShape: [2],
  values: 16,
  columns: 2,
  blocks: 2,
  dropout: 0,
  times: 'stratified' as const,
};
const PLANE_EPOCHS = budgeted(12, 100);
async function trainPlane(change: Partial<typeof variationalDiffusion.defaults>) {
  const model = variationalDiffusion.create({ ...planar, ...change }, rng.fork('planar'));
  const options = { epochs: PLANE_EPOCHS, batchSize: 100, weightDecay: 0.01 };
  await train(model, { train: planeData.train }, rng.fork('planar run'), options);
  return model;
}
const planeModel = await trainPlane({});
const kinds: (readonly [string, Diffusion])[] = [['a table of values', planeModel]];
for (const [name, change] of (
  [
    ['x', { parametrisation: 'data' }],
    ['ε', { parametrisation: 'noise' }],
    ['v', { parametrisation: 'velocity' }],
    ['ε, trained on the simple loss, cosine', { parametrisation: 'noise', loss: 'simple', schedule: 'cosine' }],
  ] as const
).slice(0, budgeted(5) - 1))
  kinds.push([name, await trainPlane(change)]);
table(
  kinds.map(([answer, model]) => {
    const { reconstruction, steps, prior, bound } = termsOf(model, planeData.validation.x, rng.fork('plane terms'));
    const above = bound.map((value, n) => value - planeExactly[n]!);
    return { 'the network’s answer': answer, 'bound above −ln p': meanOf(above), 'its error (paired)': errorOf(above), reconstruction: meanOf(reconstruction), 'the steps': meanOf(steps), prior: meanOf(prior) };
  }),
  { caption: `400 points not trained on, nats a point; H = ${plane.entropy.toFixed(3)}`, digits: 3 },
); // prettier-ignore

// %% [markdown] id="simple-text"
// **The simple loss is no bound.** One network, the table's; its simple loss under two schedules, beside its bound under both. A mean of $\|\boldsymbol\varepsilon - \hat{\boldsymbol\varepsilon}\|^2$ with the best guess is never above $D = 2$, and falls when times are moved to where noise is easily told; sold as nats it would be *below the entropy*, which no model can be.

// %% id="simple"
const planeSquares = squaresOf(planeModel);
const LOOKS_A_POINT = Math.max(2, budgeted(40));
const planeTerms = termsOf(planeModel, planeData.validation.x, rng.fork('plane terms'));
table(
  Object.entries(schedules).map(([schedule, made]) => {
    const [simple, steps] = tf.tidy((): [number, number[]] => {
      const t = stratifiedTimes(400 * LOOKS_A_POINT, rng.fork('simple'));
      const e = planeSquares(tf.tile(planeData.validation.x, [LOOKS_A_POINT, 1]), made.gamma(t), rng.fork('simple noise')); // prettier-ignore
      const charge = e.mul(made.slope(t)).mul(0.5).reshape([LOOKS_A_POINT, 400]);
      return [e.mean().dataSync()[0]!, Array.from(charge.mean(0).dataSync())];
    });
    const above = steps.map((value, n) => value + planeTerms.reconstruction[n]! + planeTerms.prior[n]! - planeExactly[n]!);
    return { schedule, 'simple loss': simple, 'the steps, nats': meanOf(steps), 'bound, nats': meanOf(above) + meanOf(planeExactly), 'above −ln p': meanOf(above), 'its error (paired)': errorOf(above) };
  }),
  { caption: `One network, two schedules; −ln p of these points is ${meanOf(planeExactly).toFixed(3)}, H = ${plane.entropy.toFixed(3)}`, digits: 3 },
); // prettier-ignore

// %% [markdown] id="learned-text"
// **A schedule that is learnt.** As the mean does not depend on what lies between the ends, it is free to lower the *variance*: the heights of sixteen pieces of $\gamma(t)$ are trained on the root mean square of the estimate alone, with the network above left as it is (after Kingma et al., 2021). Levels at which little can be lost are passed quickly, so that no batch is spent on them.

// %% id="learned"
const bent = variationalDiffusion.create({ ...planar, schedule: 'learned' }, rng.fork('bent'));
bent.network.variables.forEach((variable, i) => void variable.assign(planeModel.network.variables[i]! as tf.Tensor));
const spreadOnly = bent.objectives.filter(({ variables }) => variables === bent.schedule.variables);
await fit({ ...bent, objectives: spreadOnly }, { train: planeData.train }, { epochs: budgeted(4, 10), batchSize: 100, optimiser: adam(0.05), rng: rng.fork('bent run'), quiet: true }); // prettier-ignore
const three = { ...schedules, learned: bent.schedule };
figure(
  Object.entries(three).map(([name, schedule]) => ({ x: hundredTimes, y: curveOf(schedule), mode: 'lines', name })),
  { title: 'Three schedules with the same ends', xaxis: { title: 't' }, yaxis: { title: 'γ = −ln SNR' } },
  { height: 320, alt: 'γ over time: linear, cosine, and learnt' },
);
const PLANE_REPEATS = Math.max(3, budgeted(200));
const onePlane = tf.tidy(() => planeData.validation.x.slice([0, 0], [100, 2]));
table(
  Object.entries(three).map(([schedule, made]) => {
    const draw = (here: Rng) => evenWeights(independentTimes(100, here));
    const all = estimates(planeSquares, made, onePlane, draw, { repeats: PLANE_REPEATS, here: rng.fork(`plane, ${schedule}`) }); // prettier-ignore
    return { schedule, mean: meanOf(all), 'its error': errorOf(all), 'spread of one estimate': spreadOf(all) };
  }),
  { caption: `The cost of the steps by ${PLANE_REPEATS} batches of 100 independent times, nats a point`, digits: 3 },
);

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// Epochs and widths were chosen by the validation bound, which the loss curve above shows; the table of parametrisations chose the network's answer.
//
// ### Predict: networks that nobody trains
//
// *Before* you run the table: a textbook's published program keeps one network for each of its $T$ steps in a plain list, which hides them from the optimiser; only the last decoder is trained. Say the others answer $\hat{\mathbf{x}} = \mathbf{0}$, whatever they see. What do the steps cost, and does it help to take more of them?

// %% id="untrained"
/**
 * Mean cost of T steps in nats, when every guess is 0.
 * @param power E‖x‖² @param gamma0 the least γ @param gammaT the largest, after T steps @param T how many steps lie between
 */
function neverTrained(power: number, gamma0: number, gammaT: number, T: number): number {
  // BEGIN SOLUTION diffusion.untrained
  const sums = Array.from({ length: T }, (_, i) => {
    const at = (j: number) => Math.exp(-(gamma0 + ((gammaT - gamma0) * j) / T));
    return at(i) - at(i + 1); // all of them cancel but the two ends
  });
  return (power / 2) * sums.reduce((a, b) => a + b, 0);
  // END SOLUTION
}

// %% id="steps"
/** Another way: the KL of two Gaussians of one variance, step by step. */
const ownCost = yours(stepsCost, (errors: tf.Tensor, gamma: tf.Tensor) =>
  tf.tidy(() => {
    const drop = gamma.slice([1]).sub(gamma.slice([0], [gamma.size - 1]));
    return errors.mul(gamma.slice([1]).neg().exp()).mul(drop.expm1()).sum(1).mul(0.5); // prettier-ignore
  }),
);
/** The mean cost of T steps of the trained network, on these pictures. */
const costOf = (x: tf.Tensor, T: number): number =>
  tf.tidy(() => {
    const gamma = evenly(T);
    const each = gamma.slice(1).map((g, i) => {
      const at = tf.fill([x.shape[0]!], g);
      return digitSquares(x, at, rng.fork(`step ${i} of ${T}`)).mul(Math.exp(g));
    });
    return meanOf(ownCost(tf.stack(each, 1), tf.tensor1d(gamma)).dataSync());
  });
const powers = tf.tidy(() => scaled(fewValidated).square().sum(1));
const untrained = prediction(neverTrained);
const byT = [1, 2, 4, 8, 16, 64].slice(0, Math.max(3, budgeted(6))).map((T) => ({
  T: String(T),
  trained: costOf(fewValidated, T),
  'x̂ = 0': tf.tidy(() => meanOf(ownCost(tf.tile(powers.expandDims(1), [1, T]), tf.tensor1d(evenly(T))).dataSync())),
  'predicted for x̂ = 0': untrained(meanOf(powers.dataSync()), LOW, HIGH, T) ?? '–',
}));
table([...byT, { T: 'without end', trained: meanOf(terms.steps), 'x̂ = 0': '', 'predicted for x̂ = 0': '' }], {
  caption: `What the steps cost, nats per image: ${ownCost.by()}`,
  digits: 1,
});

// %% id="check-untrained"
await check('diffusion.untrained', neverTrained);

// %% [markdown] id="paths-text"
// A guess that never changes has nothing to refine: steps cancel, and what is left is the signal itself, at the price of the ends. With a network that *is* trained, many steps cost less than few, and the last row is where they go.
//
// **A bound by whole paths.** Few times give the bound, and cannot give more: an estimate of a KL is no weight. A whole path $\mathbf{z}_1, \dots, \mathbf{z}_0$ drawn from the encoder has a weight, $w = p(\mathbf{x}, \mathbf{z}) / q(\mathbf{z} \mid \mathbf{x})$ with mean $p(\mathbf{x})$, and the **importance bound** of chapter 8 is at hand: $\ln \frac1K \sum_k w_k$, for $K$ paths of 64 steps. It is one of the sampler in 64 steps, another model than that without end: at $K = 1$ it lacks what the table above shows between these two rows, and $K$ paths win some of it back.

// %% id="paths"
const PATHS = Math.max(4, budgeted(24, 200)); // pictures
const walkedOver = tf.tidy(() => digits.validation.x.slice([0, 0], [PATHS, D]));
table(
  [1, 4].slice(0, budgeted(2)).map((K) => {
    const { nats, standardError } = evaluate(importanceBound(noisy.model, K), { x: walkedOver }, rng.fork('paths'), { batchSize: 50 });
    return { K, nats, standardError };
  }),
  { caption: `Importance bounds by K paths of 64 steps: ${PATHS} validation images, nats per image`, digits: 2 },
); // prettier-ignore

// %% [markdown] id="masked-text"
// ### Masks for noise
//
// Integers can be destroyed without any Gaussian: hide one pixel after the other (**absorbing** diffusion; Austin et al., 2021). A network guesses what is hidden from what is shown. All that counts of the times at which pixels are hidden is their order, and every order is as likely as any other, so that this is an **autoregressive model in any order**: $p(\mathbf{x}) = \frac{1}{D!} \sum_\sigma \prod_i p(x_{\sigma_i} \mid x_{\sigma_{<i}})$, and by Jensen's inequality $\ln p(\mathbf{x}) \ge \mathbb{E}_\sigma \sum_i \ln p(x_{\sigma_i} \mid x_{\sigma_{<i}})$ (Uria et al., 2014; Hoogeboom et al., 2022).
//
// ### Exercise: derive the bound from one look
//
// A picture is given with some pixels shown, $n$ of them, where $n$ was drawn evenly from $0 \dots D - 1$ and then which. One pass of the network gives logits for all pixels. Make of it an unbiased estimate of the bound.

// %% id="masked"
/**
 * An unbiased estimate of E_σ Σ_i ln p(x_{σ_i} | before), by one pass.
 * @param x [B, D] integers @param logits [B, D, V], unnormalised, of every pixel given the shown ones
 * @param visible [B, D] of 0 and 1, at least one 0 in each row @returns [B], in nats
 */
function maskedEstimate(x: tf.Tensor, logits: tf.Tensor, visible: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION diffusion.masked
  const [, D, V] = logits.shape as [number, number, number];
  const each = tf.oneHot(x.toInt() as tf.Tensor2D, V).toFloat().mul(tf.logSoftmax(logits)).sum(2); // [B, D]
  const hidden = tf.sub(1, visible);
  return each.mul(hidden).sum(1).mul(D).div(hidden.sum(1));
  // END SOLUTION
} // prettier-ignore

// %% id="check-masked"
await check('diffusion.masked', maskedEstimate);

// %% [markdown] id="tiny-text"
// **A world so small that all is known**: four letters of an alphabet of three, from a Markov chain. There are 15 sets of letters that can be shown; *your* estimate, averaged over all of them (each number $n$ as often as any other), is the bound itself. Beside it, the bound by all 24 orders, and $-\ln p(\mathbf{x})$ of the model, exactly, by a sum over orders. All are means over the 81 strings, weighted by the source.

// %% id="tiny-world"
/** Another way: one row's factors, averaged over what is hidden. */
const ownEstimate = yours(maskedEstimate, (x: tf.Tensor, logits: tf.Tensor, visible: tf.Tensor) =>
  tf.tidy(() => {
    const kept = tf.sub(1, visible);
    const cost = tf.stack(tf.unstack(x.expandDims(2), 1).map((column, d) => logCategorical(column, logits.slice([0, d, 0], [-1, 1, -1]))), 1); // prettier-ignore
    return cost.mul(kept).sum(1).div(kept.mean(1));
  }),
);
const chain = markovSource({ length: 4, start: [0.5, 0.3, 0.2], transition: [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]] }); // prettier-ignore
const little = maskedDiffusion.create({ ...maskedDiffusion.tiny.config, channels: 12 }, rng.fork('little'));
await train(little, { train: { x: chain.sample({ count: 2000, rng: rng.fork('chain') }) } }, rng.fork('little run'), { epochs: budgeted(6, 40), batchSize: 100, weightDecay: 0.01 }); // prettier-ignore
const strings = tf.tensor2d(enumerate([0, 1, 2], 4).map((row) => [...row]));
const chances = tf.tidy(() => chain.logProb(strings).exp());
const expected = (logs: tf.Tensor) => tf.tidy(() => chances.mul(logs).sum().dataSync()[0]!);
const subsets = enumerate([0, 1], 4).filter((shownOnes) => shownOnes.some((v) => v === 0));
const sizeOfSet = (set: readonly number[]) => set.reduce((a, b) => a + b, 0);
const sameSize = (n: number) => subsets.filter((other) => sizeOfSet(other) === n).length;
const bySets = tf.tidy(() =>
  tf.addN(
    subsets.map((set) => {
      const visible = tf.tile(tf.tensor2d([[...set]]), [strings.shape[0]!, 1]);
      return ownEstimate(strings, little.logits(strings, visible), visible).div(4 * sameSize(sizeOfSet(set)));
    }),
  ),
);
const allOrders = enumerate([0, 1, 2, 3], 4).filter((places) => new Set(places).size === 4);
const byOrder = tf.tidy(() =>
  tf.stack(
    allOrders.map((places) =>
      little.logProbInOrder(strings, tf.tile(tf.tensor2d([[...places]]), [strings.shape[0]!, 1])),
    ),
  ),
); // [24, 81]
table(
  [
    { what: 'H of the source', nats: chain.entropy },
    { what: '−ln p(x) of the model, exactly', nats: -expected(exactAnyOrder(little, strings)) },
    { what: '−ln p(x), by the 24 orders', nats: -expected(tf.logSumExp(byOrder, 0).sub(Math.log(24))) },
    { what: 'bound, the mean of the 24 orders', nats: -expected(byOrder.mean(0)) },
    { what: `bound, by the 15 sets: ${ownEstimate.by()}`, nats: -expected(bySets) },
  ],
  { caption: 'Four letters: nats a string', digits: 5 },
); // prettier-ignore

// %% [markdown] id="masked-digits-text"
// **On the digits.** The same convolutions, with a channel that says which pixels are shown. A bound by a few looks a picture; **importance bounds** over whole orders, $\ln \frac1K \sum_k p(\mathbf{x} \mid \sigma_k)$; and the likelihood in one order, that of reading, which is what a model of chapter 5 would have. Nobody trained the network for that order in particular.

// %% id="train-masked"
const MASK_EPOCHS = budgeted(26, 200);
const trainHoles = (here: Rng) =>
  train(
    maskedDiffusion.create({ ...maskedDiffusion.defaults, draws: EACH_LOOKS }, here.fork('weights')),
    digits,
    here.fork('fit'),
    {
      epochs: MASK_EPOCHS,
    },
  );
const holes = await trainHoles(rng.fork('holes'));
lossCurve(holes.run, { title: 'Masked diffusion', unit: 'nats per image, a bound' });

// %% id="orders"
const FEW = Math.max(6, budgeted(60, 447));
const few = tf.tidy(() => digits.test.x.slice([0, 0], [FEW, D]));
const raster = tf.tidy(() => tf.tile(tf.range(0, D).expandDims(0), [FEW, 1]));
const logitsOf = compiled(([x, visible]) => [holes.model.logits(x!, visible!)]);
const LOOKS = Math.max(4, budgeted(24));
const lookedAt = Array.from({ length: LOOKS }, (_, i) => {
  const n = Math.floor(((i + 0.5) * D) / LOOKS);
  return tf.tidy(() => {
    const visible = randomOrders(FEW, D, rng.fork(`look ${i}`)).less(n).toFloat(); // prettier-ignore
    return Array.from(ownEstimate(few, logitsOf([few, visible], rng)[0]!, visible).dataSync());
  });
});
const byLooks = Array.from({ length: FEW }, (_, n) => -meanOf(lookedAt.map((look) => look[n]!)));
const inReading = tf.tidy(() => Array.from(holes.model.logProbInOrder(few, raster).neg().dataSync()));
const ordersBy = (K: number) => Array.from(evaluate(importanceBound(holes.model, K), { x: few }, rng.fork('orders'), { batchSize: 150 }).perExample); // prettier-ignore
const gauged: readonly (readonly [string, readonly number[]])[] = [
  [`bound by ${LOOKS} looks: ${ownEstimate.by()}`, byLooks],
  [
    `bound, ${EACH_LOOKS} looks each, by the library’s`,
    Array.from(evaluate(holes.model, { x: few }, rng.fork('few')).perExample),
  ],
  ['bound by one whole order', ordersBy(1)],
  ['importance bound over 4 orders', ordersBy(4)],
  ['−ln p(x | reading order)', inReading],
];
table(
  gauged.map(([likelihood, nats]) => ({ likelihood, nats: meanOf(nats), standardError: errorOf(nats) })),
  { caption: `Masked diffusion on ${FEW} test digits, nats per image`, digits: 2 },
);

// %% [markdown] id="letters-text"
// **On characters.** Sentences of the little grammar of chapter 8, spelled letter by letter. Each sentence has one spelling, so the entropy is that of the grammar. Letters are no quantities: each has a channel of its own. Printed is by how much each number is above $-\ln p(\mathbf{x})$ of the grammar, sentence by sentence.

// %% id="letters"
const grammar = grammarSource();
const LENGTH = 40;
const alphabet = ['', ' ', ...new Set(grammar.words.join(''))].filter((letter, i) => letter !== '' || i === 0);
const spelled = (words: tf.Tensor) =>
  tf.tensor2d(
    rowsOf(words).map((row) => {
      const text = grammar.text(row);
      return Array.from({ length: LENGTH }, (_, i) => (i < text.length ? alphabet.indexOf(text[i]!) : 0));
    }),
  );
const sentences = grammar.sample({ count: 2000, rng: rng.fork('sentences') });
const unseen = grammar.sample({ count: FEW, rng: rng.fork('sentences, validation') });
const letters = maskedDiffusion.create(
  { ...maskedDiffusion.defaults, eventShape: [LENGTH], values: alphabet.length, columns: LENGTH, codes: 'one-hot', dropout: 0 },
  rng.fork('letters'),
); // prettier-ignore
await train(letters, { train: { x: spelled(sentences) } }, rng.fork('letters run'), { epochs: budgeted(10, 80), weightDecay: 0.01 }); // prettier-ignore
const unseenLetters = spelled(unseen);
const grammarNats = evaluate(grammar, { x: unseen }, rng).perExample;
const readingOrder = tf.tidy(() => tf.tile(tf.range(0, LENGTH).expandDims(0), [FEW, 1]));
const letterNats: readonly (readonly [string, ArrayLike<number>])[] = [
  ['bound by 4 looks', evaluate(letters, { x: unseenLetters }, rng.fork('letter looks')).perExample],
  ['importance bound over 4 orders', evaluate(importanceBound(letters, 4), { x: unseenLetters }, rng.fork('letter orders')).perExample],
  ['−ln p(x | reading order)', tf.tidy(() => letters.logProbInOrder(unseenLetters, readingOrder).neg().dataSync())],
]; // prettier-ignore
table(
  letterNats.map(([likelihood, nats]) => {
    const above = Array.from(nats, (value, n) => value - grammarNats[n]!);
    return { likelihood, 'above −ln p(x), nats': meanOf(above), 'its error (paired)': errorOf(above), 'a character': meanOf(above) / LENGTH };
  }),
  { caption: `${FEW} sentences not trained on, ${meanOf(grammarNats).toFixed(2)} nats each (H = ${grammar.entropy.toFixed(2)}), ${LENGTH} characters with the end`, digits: 3 },
); // prettier-ignore

// %% [markdown] id="ladder-text"
// ### The ladder
//
// On the whole test set; nothing on this page was chosen by it. Both models stand with bounds by a few looks an image: so many times of noise, or so many masks.

// %% id="ladder"
const noisyModels = [noisy.model];
const holesModels = [holes.model];
if (fullBudget())
  for (const here of [rng.fork('second seed'), rng.fork('third seed')]) {
    noisyModels.push((await trainNoisy(here.fork('noisy'))).model);
    holesModels.push((await trainHoles(here.fork('holes'))).model);
  }
const rungs = rungsOf(
  [
    ...(await baselines(digits, rng.fork('baselines'))),
    { name: `variational diffusion, ${EACH_LOOKS} times an image`, model: noisyModels },
    { name: `masked diffusion, ${EACH_LOOKS} looks an image`, model: holesModels },
  ],
  digits.test,
  rng.fork('ladder'),
);
ladder(rungs, { title: 'Nats per test image; bars: standard error over the images' });
table(
  rungs.map(({ name, nats, kind, error, spread, behind, behindError }) => ({
    name,
    nats,
    kind,
    'error over images': error,
    'spread over seeds': spread ?? '',
    'above the best': behind,
    'its error (paired)': behindError,
  })),
  { caption: 'Digits, test set: nats per image', digits: 2 },
);

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// From noise, down the levels. **Ancestral sampling** adds in every step the noise of $q(\mathbf{z}_s \mid \mathbf{z}_t, \hat{\mathbf{x}})$, your step back. **DDIM** (Song, Meng and Ermon, 2021) adds none: it keeps $\hat{\mathbf{x}}$ and the noise $\hat{\boldsymbol\varepsilon}$ that goes with it, and mixes them anew for the next level, so that a start has one end. Where the guess is right both have the marginals of the encoder. Below, the same starts on both ways through the plane; press *Play*.

// %% id="walks"
const ownStep = yours(reverseStep, (z: tf.Tensor, x: tf.Tensor, gammaT: number, gammaS: number) => {
  const B = z.shape[0]!;
  const { mean, variance } = libraryStep(z, x, tf.fill([B], gammaT), tf.fill([B], gammaS));
  return { mu: mean, logVar: Math.log(variance.dataSync()[0]!) };
});
type Step = (z: tf.Tensor, guess: tf.Tensor, from: number, to: number, noise: Rng) => tf.Tensor;
const ancestralStep: Step = (z, guess, from, to, noise) => {
  const { mu, logVar } = ownStep(z, guess, from, to);
  return mu.add(noise.normal(z.shape).mul(Math.exp(logVar / 2)));
};
const ddimStep: Step = (z, guess, from, to) => {
  const at = (gamma: number) => tf.fill([z.shape[0]!], gamma);
  return stepDown(z, guess, { from: at(from), to: at(to), eta: tf.scalar(0), noise: tf.zerosLike(z) });
};
/** Every z on the way down T steps and every guess, from noise [B, D]. */
function walkDown(guessAt: (z: tf.Tensor, gamma: tf.Tensor) => tf.Tensor, start: tf.Tensor, T: number, step: Step, here: Rng) {
  const gamma = evenly(T).reverse();
  const way = [start];
  const guesses: tf.Tensor[] = [];
  for (const [i, from] of gamma.slice(0, -1).entries()) {
    const z = way[i]!;
    const guess = guessAt(z, tf.fill([z.shape[0]!], from));
    guesses.push(guess);
    way.push(tf.tidy(() => step(z, guess, from, gamma[i + 1]!, here.fork(`${i}`))));
  }
  return { way, guesses, last: guessAt(way.at(-1)!, tf.fill([start.shape[0]!], LOW)) };
} // prettier-ignore
/** The guess of a model, compiled; `together`: for many calls between which no weight changes. */
const guessOfModel = (model: Diffusion) => {
  const fn = compiled(([z, gamma]) => [model.network.apply(z!, gamma!).x]);
  return Object.assign((z: tf.Tensor, gamma: tf.Tensor): tf.Tensor => fn([z, gamma], rng)[0]!, { together: fn.together }); // prettier-ignore
};
const planeGuess = guessOfModel(planeModel);
const cells = Array.from({ length: 16 }, (_, i) => (2 * i) / 15 - 1);
const grid = tf.tensor2d(cells.flatMap((_, row) => cells.map((__, column) => [column, row])));
const underneath = { x: cells, y: cells, density: Array.from(plane.logProb(grid).exp().dataSync()) };
const POINTS = 30;
const starts = rng.fork('starts').normal([POINTS, 2]);
for (const [name, step] of [['Ancestral', ancestralStep], ['DDIM', ddimStep]] as const) {
  const { way, last } = planeGuess.together(() => walkDown(planeGuess, starts, 24, step, rng.fork('plane walk')));
  const names = [...evenly(24).reverse().map((gamma) => `γ = ${gamma.toFixed(1)}`), 'x̂'];
  trajectories([...way, last].map(rowsOf), { names, density: underneath, title: name === 'DDIM' ? 'DDIM: no noise on the way' : `Ancestral: ${ownStep.by()}` });
} // prettier-ignore

// %% [markdown] id="digits-walk-text"
// **Digits on their way.** Above, $\mathbf{z}$; below, what the network takes it for, $\hat{\mathbf{x}}$: at first the mean of all digits, then a choice that hardly changes any more.

// %% id="digits-walk"
const digitGuess = guessOfModel(noisy.model);
const MANY = 10; // digits side by side
const digitsWalk = digitGuess.together(() => walkDown(digitGuess, rng.fork('digit starts').normal([MANY, D]), 48, ancestralStep, rng.fork('digit walk'))); // prettier-ignore
/** Pictures in rows of MANY, with gaps, as one array of grey levels. */
function sheet(images: readonly number[][]): (number | null)[][] {
  const pixels = Array.from({ length: Math.ceil(images.length / MANY) * 9 - 1 }, () => new Array<number | null>(MANY * 9 - 1).fill(null)); // prettier-ignore
  images.forEach((image, n) =>
    image.forEach((grey, d) => {
      const [top, left] = [Math.floor(n / MANY) * 9, (n % MANY) * 9];
      pixels[top + Math.floor(d / 8)]![left + (d % 8)] = Math.round(10 * grey) / 10;
    }),
  );
  return pixels;
}
const greys = { type: 'heatmap', showscale: false, zmin: 0, zmax: V - 1, colorscale: [[0, '#000000'], [1, '#ffffff']], hoverinfo: 'skip' }; // prettier-ignore
const stills = Array.from({ length: 13 }, (_, i) => 4 * i).map((i) => ({
  name: `γ = ${evenly(48).reverse()[i]!.toFixed(1)}`,
  data: [{ ...greys, z: sheet(tf.tidy(() => [...rowsOf(shown(digitsWalk.way[i]!)), ...rowsOf(shown(digitsWalk.guesses[i] ?? digitsWalk.last))])) }],
})); // prettier-ignore
const hiddenAxis = { visible: false, fixedrange: true, constrain: 'domain' };
figure(
  stills[0]!.data,
  { title: `z above, x̂ below: ${ownStep.by()}`, xaxis: hiddenAxis, yaxis: { ...hiddenAxis, autorange: 'reversed', scaleanchor: 'x' } },
  { height: 330, frames: stills, alt: 'Ten digits that form out of noise, and the network’s guess at each level' },
); // prettier-ignore

// %% id="samples"
const DRAWS_SHOWN = 24;
imageGrid(rowsOf(noisy.model.sample({ count: DRAWS_SHOWN, rng: rng.fork('noise samples') })), { ...picture, columns: 12, title: 'Variational diffusion, 64 steps' }); // prettier-ignore
imageGrid(rowsOf(holes.model.sample({ count: DRAWS_SHOWN, rng: rng.fork('mask samples') })), { ...picture, columns: 12, title: 'Masked diffusion, pixel by pixel' }); // prettier-ignore

// %% [markdown] id="few-steps-text"
// **Steps against quality.** Samples by $T$ steps, held against training digits by the **energy distance**, and by the same distance against samples by very many steps. The $p$-value is that of a permutation test: calling a difference where $p \le 0.05$ raises a **false alarm** in 5 % of comparisons of equals, so that in a table of this length one or two are to be expected. The first row *is* a comparison of equals, two halves of a draw from the training digits. The second need not be one: the file of the digits is not shuffled, and the test digits are its last. So samples are held against what the model was trained on. Beside it, the *bound* of the model in so many steps, on test digits: a sampler in few steps is another model, with another likelihood. A step of DDIM has no noise, so that its KL is infinite, and there is no bound to print.

// %% id="few-steps"
const SAMPLES = Math.max(20, budgeted(100, 300));
const MOST_STEPS = Math.max(16, budgeted(150, 1000));
const shuffledTrain = permutation(1000, rng.fork('which digits'));
const trainDigits = (from: number) => tf.tidy(() => tf.gather(digits.train.x, tf.tensor1d(Array.from(shuffledTrain.slice(from, from + SAMPLES)), 'int32'))); // prettier-ignore
const [realDigits, otherDigits] = [trainDigits(0), trainDigits(SAMPLES)];
const testDigits = tf.tidy(() => digits.test.x.slice([0, 0], [SAMPLES, D]));
const manySteps = noisy.model.sample({ count: SAMPLES, rng: rng.fork('many steps'), steps: MOST_STEPS });
const judged = tf.tidy(() => digits.test.x.slice([0, 0], [50, D]));
const endsOf = termsOf(noisy.model, judged, rng.fork('judged terms'));
const maskBounds = new Map<number, number>(
  [4, 16, D].slice(0, budgeted(3)).map((steps) => {
    const fn = compiled(([x], noise) => [holes.model.bound(x!, noise, { draws: 16, steps })]);
    return [steps, -meanOf(fn([judged], rng.fork('masks by steps'))[0]!.dataSync())] as const;
  }),
);
const noiseBound = (T: number) => meanOf(endsOf.reconstruction) + meanOf(endsOf.prior) + costOf(judged, T);
const contenders = [
  ...[2, 5, 10, 50].slice(0, budgeted(4)).flatMap((steps) =>
    ([['noise, ancestral', 1], ['noise, DDIM', 0]] as const).map(([by, eta]) => ({
      by,
      steps,
      x: noisy.model.sample({ count: SAMPLES, rng: rng.fork('judged'), steps, eta }),
      bound: eta === 1 ? noiseBound(steps) : ('–' as const),
    })),
  ),
  ...[4, 16, D].slice(0, budgeted(3)).map((steps) => ({ by: 'masks', steps, x: holes.model.sample({ count: SAMPLES, rng: rng.fork('judged'), steps }), bound: maskBounds.get(steps) ?? ('–' as const) })),
]; // prettier-ignore
const verdictOn = (x: tf.Tensor, other: tf.Tensor) => twoSampleTest(x, other, rng.fork('test'), { permutations: 200 });
table(
  [{ by: 'other training digits', steps: '–', x: otherDigits, bound: '–' }, { by: 'test digits', steps: '–', x: testDigits, bound: '–' }, { by: 'noise, ancestral', steps: MOST_STEPS, x: manySteps, bound: '–' }, ...contenders].map(({ by, steps, x, bound }) => {
    const real = verdictOn(x, realDigits);
    const many = x === manySteps ? undefined : verdictOn(x, manySteps);
    return { by, steps, 'distance from training digits': real.statistic, p: real.pValue, 'from many steps': many?.statistic ?? '–', 'its p': many?.pValue ?? '–', 'bound, nats': bound };
  }),
  { caption: `Energy distance of ${SAMPLES} samples; bounds on 50 test digits`, digits: 3 },
); // prettier-ignore

// %% [markdown] id="halves-text"
// **Half a picture.** The upper half of test digits is given, and the lower half drawn. Masks do that as they do everything else: what is given is shown. With noise the given half is replaced, at every step, by itself at that step's noise, which is an approximation (Lugmayr et al., 2022): what is drawn below has no say in it. How often is the whole still of its class? The judge is the nearest of the thousand training digits. For comparison, true digits, and upper halves with the lower half of some other test digit.

// %% id="halves"
/** The class of the nearest training digit. */
const classOf = (x: tf.Tensor) =>
  tf.tidy(() => {
    const known = digits.train.x;
    const squares = x.square().sum(1, true).add(known.square().sum(1)).sub(x.matMul(known, false, true).mul(2)); // prettier-ignore
    return Array.from(tf.gather(digits.train.y, squares.argMin(1)).dataSync());
  });
const HALVES = Math.max(12, budgeted(80, 300));
const upper = tf.tidy(() => tf.tile(tf.range(0, D).less(32).toFloat().expandDims(0), [HALVES, 1]));
const whole = tf.tidy(() => digits.test.x.slice([0, 0], [HALVES, D]));
const trueClass = digits.test.y.dataSync();
const shuffled = tf.tidy(() => tf.gather(whole, tf.tensor1d(Array.from(permutation(HALVES, rng.fork('other halves'))), 'int32'))); // prettier-ignore
const completions = [
  ['true digits', whole],
  ['by noise', noisy.model.sample({ count: HALVES, rng: rng.fork('half'), given: whole, known: upper })],
  ['by masks', holes.model.sample({ count: HALVES, rng: rng.fork('half'), given: whole, known: upper })],
  ['the lower half of another', tf.tidy(() => tf.where(upper.cast('bool'), whole, shuffled))],
] as const;
imageGrid(
  completions.flatMap(([, x]) => rowsOf(x).slice(0, 12)),
  { ...picture, columns: 12, title: 'From above: test digits; lower halves by noise, by masks, of another' },
);
table(
  completions.map(([lower, x]) => {
    const right = classOf(x).map((label, n) => Number(label === trueClass[n]));
    return { 'lower half': lower, 'of its class': meanOf(right), standardError: errorOf(right) };
  }),
  { caption: `${HALVES} test digits, by the nearest training digit`, digits: 3 },
);

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in for both families.

// %% id="card"
card(variationalDiffusion.card);
card(maskedDiffusion.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// **Guidance.** A network that is told the class of a picture, and in a tenth of the training is told none, knows $\hat{\mathbf{x}}(\mathbf{z}, y)$ and $\hat{\mathbf{x}}(\mathbf{z})$. What the class adds is their difference, and to go further in that direction gives pictures that are more of their class, and more alike: **classifier-free guidance** (Ho and Salimans, 2022), with a weight $w$ that is 0 for the model itself. Programs put both guesses into one batch, and split it again; a fork that splits it in the other order draws pictures that look *less* like what was asked for, the more it is guided.
//
// ### Exercise: repair it

// %% id="guidance"
/** x̂ that is guided by w ≥ 0: at 0 the guess that was told the class. @param told @param free [B, D], told the class, and not */
function guide(told: tf.Tensor, free: tf.Tensor, w: number): tf.Tensor {
  // BEGIN SOLUTION diffusion.guidance
  return free.add(told.sub(free).mul(1 + w));
  // END SOLUTION
  // BEGIN GIVEN
  // return told.add(free.sub(told).mul(1 + w));
  // END GIVEN
}

// %% id="check-guidance"
await check('diffusion.guidance', guide);

// %% [markdown] id="guided-text"
// **Fidelity against variety.** A smaller network that is told classes, and samples by *your* step back and *your* guidance. Fidelity is the share of samples whose nearest training digit is of the class that was asked for; variety is the mean distance of two samples of a class, over that of two test digits of a class. The last row is guided by the code as it was given.

// %% id="guided"
const told = variationalDiffusion.create({ ...variationalDiffusion.defaults, classes: 10, channels: 24, blocks: 2 }, rng.fork('told')); // prettier-ignore
await train(told, digits, rng.fork('told run'), { epochs: budgeted(13, 120) });
const toldGuess = compiled(([z, gamma, y]) => [told.network.apply(z!, gamma!, y!).x]);
const ownGuide = yours(guide, (a: tf.Tensor, b: tf.Tensor, w: number) => a.mul(1 + w).sub(b.mul(w)));
const EACH = Math.max(2, budgeted(15, 30)); // of a class
const asked = tf.tidy(() => tf.tile(tf.range(0, 10, 1, 'int32'), [EACH]));
const anyClass = tf.fill([10 * EACH], 10, 'int32');
const GUIDED_STEPS = Math.max(4, budgeted(24, 64));
function guidedDigits(w: number, by: typeof guide): tf.Tensor {
  const guessAt = (z: tf.Tensor, gamma: tf.Tensor) =>
    tf.tidy(() => {
      const [ofClass, ofAny] = [asked, anyClass].map((y) => toldGuess([z, gamma, y], rng)[0]!) as [
        tf.Tensor,
        tf.Tensor,
      ];
      return by(ofClass, ofAny, w).clipByValue(-1, 1); // nothing lies beyond
    });
  const { last } = toldGuess.together(() => walkDown(guessAt, rng.fork('guided').normal([10 * EACH, D]), GUIDED_STEPS, ancestralStep, rng.fork('guided walk'))); // prettier-ignore
  return tf.tidy(() => shown(last).round());
}
/** Mean distance of two of the same label. */
function variety(x: tf.Tensor, labels: ArrayLike<number>): number {
  const rows = rowsOf(x);
  const apart: number[] = [];
  rows.forEach((a, n) => rows.slice(0, n).forEach((b, m) => {
    if (labels[n] === labels[m]) apart.push(Math.sqrt(a.reduce((sum, v, d) => sum + (v - b[d]!) ** 2, 0)));
  })); // prettier-ignore
  return meanOf(apart);
}
const askedFor = asked.dataSync();
const [realTest, realLabels] = [testDigits, trueClass.slice(0, SAMPLES)];
const natural = variety(realTest, realLabels);
const swapped: typeof guide = (a, b, w) => a.add(b.sub(a).mul(1 + w));
const guidedBy = [
  ...[0, 1, 4].slice(0, budgeted(3)).map((w) => [`w = ${w}: ${ownGuide.by()}`, guidedDigits(w, ownGuide)] as const),
  ['w = 1, as given', guidedDigits(1, swapped)] as const,
];
table(
  [
    ...guidedBy.map(([guidance, x]) => {
      const right = classOf(x).map((label, n) => Number(label === askedFor[n]));
      return { guidance, fidelity: meanOf(right), standardError: errorOf(right), variety: variety(x, askedFor) / natural };
    }),
    { guidance: 'test digits', fidelity: meanOf(classOf(realTest).map((label, n) => Number(label === realLabels[n]))), standardError: errorOf(classOf(realTest).map((label, n) => Number(label === realLabels[n]))), variety: 1 },
  ],
  { caption: `${10 * EACH} samples by ${GUIDED_STEPS} steps`, digits: 3 },
); // prettier-ignore
imageGrid(
  guidedBy.flatMap(([, x]) => rowsOf(x).slice(0, 10)),
  { ...picture, columns: 10, title: 'Classes 0 to 9; from above w = 0, 1, 4, and 1 by the code as given' },
);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now, in batches and by the second call, since the first one compiles. A bound is a few passes; a sample as many as it has steps.

// %% id="measure-costs"
async function timed(count: number, body: () => unknown): Promise<number> {
  await body();
  const started = performance.now();
  await body();
  return (performance.now() - started) / count;
}
const TIMED = Math.max(5, budgeted(20, 50)); // examples at a time
const timedRows = { x: tf.tidy(() => digits.train.x.slice([0, 0], [TIMED, D])) };
const costs = [];
for (const [model, made] of [['variational diffusion', noisy.model], ['masked diffusion', holes.model]] as const)
  costs.push({
    model,
    weights: made.objectives[0]!.variables.reduce((sum, variable) => sum + variable.size, 0),
    [`bound, looks: ${EACH_LOOKS}; ms`]: await timed(TIMED, () => evaluate(made, timedRows, rng, { batchSize: TIMED })),
    'sample in 10 steps, ms': await timed(TIMED, () => made.sample({ count: TIMED, rng: rng.fork('cost'), steps: 10 }).dispose()),
    'in 64 steps, ms': await timed(TIMED, () => made.sample({ count: TIMED, rng: rng.fork('cost'), steps: 64 }).dispose()),
  }); // prettier-ignore
table(costs, { caption: `Milliseconds an example, in batches of ${TIMED}`, digits: 2 });

// %% [markdown] id="failures"
// ## Where it fails
//
// **A guess is a mean.** Where noise is large, $\hat{\mathbf{x}}$ is an average over all digits that could be there, and belongs to none. One long step from there lands between digits. Below, the guess from the pictures at the top of this page: from the digit to a smear.

// %% id="failure-guess"
const blurred = gammas.map((gamma, i) => digitGuess(noised[i]!, tf.fill([4], gamma)));
imageGrid(
  tf.tidy(() => rowsOf(shown(tf.stack(blurred, 1)).reshape([-1, D]))),
  { ...picture, columns: gammas.length, title: 'x̂ of the pictures at the top, γ from −6 to 6' },
);

// %% [markdown] id="spelling-text"
// **Masks that are lifted together are drawn as if independent**, which they are not. On the spelled sentences it costs the bound of so many steps something, measured on sentences that were not trained on; and one can count the samples that the grammar could have said, letter for letter.

// %% id="spelling"
const sayings = new Map<number, string[]>();
for (const steps of [LENGTH, LENGTH / 4]) {
  const drawn = rowsOf(letters.sample({ count: FEW, rng: rng.fork('spelling'), steps }));
  sayings.set(steps, drawn.map((row) => row.map((letter) => (letter === 0 ? '·' : alphabet[letter]!)).join('').replace(/·+$/, ''))); // prettier-ignore
}
const isSaid = (text: string) => {
  const codes = text.split(' ').map((word) => grammar.words.indexOf(word));
  const T = grammar.eventShape[0]!;
  if (codes.length > T || codes.some((code) => code <= 0)) return 0;
  const row = Array.from({ length: T }, (_, i) => codes[i] ?? 0);
  return Number(tf.tidy(() => grammar.logProb(tf.tensor2d([row])).dataSync()[0]!) > -Infinity);
};
table(
  Array.from(sayings, ([steps, texts]) => {
    const said = texts.map(isSaid);
    const bound = compiled(([x], noise) => [letters.bound(x!, noise, { draws: Math.max(2, budgeted(20)), steps })]);
    const above = Array.from(bound([unseenLetters], rng.fork('spelled bound'))[0]!.dataSync(), (value, n) => -value - grammarNats[n]!);
    return { steps, 'bound above −ln p(x)': meanOf(above), 'its error (paired)': errorOf(above), 'said by the grammar': meanOf(said), 'for example': texts.slice(0, 2).join(' / ') };
  }),
  { caption: `${FEW} sentences, and ${FEW} samples of ${LENGTH} characters`, digits: 2 },
); // prettier-ignore

// %% [markdown] id="failures-more"
// **Sampling takes many passes.** A VAE needs one. Chapter 12 straightens the way, and teaches a network to take it in one step.
//
// **A bound by few times is noisy.** Each evaluation above looks at a few times an example, spread evenly. Its Monte Carlo error is part of the errors that are printed.
//
// **There is no code.** Latents are the data with noise on them: nothing in them is smaller than a picture, and no number of them means anything. Who wants a representation takes a VAE, and may put the diffusion into its latent space (Rombach et al., 2022).
//
// ### Sources
//
// J. Sohl-Dickstein et al., *Deep unsupervised learning using nonequilibrium thermodynamics*, ICML 2015. J. Ho, A. Jain, P. Abbeel, *Denoising diffusion probabilistic models*, NeurIPS 2020. J. Song, C. Meng, S. Ermon, *Denoising diffusion implicit models*, ICLR 2021. A. Nichol, P. Dhariwal, *Improved denoising diffusion probabilistic models*, ICML 2021. D. Kingma et al., *Variational diffusion models*, NeurIPS 2021. J. Austin et al., *Structured denoising diffusion models in discrete state-spaces*, NeurIPS 2021. T. Salimans, J. Ho, *Progressive distillation for fast sampling of diffusion models*, ICLR 2022. J. Ho, T. Salimans, *Classifier-free diffusion guidance* (2022). A. Lugmayr et al., *RePaint*, CVPR 2022. R. Rombach et al., *High-resolution image synthesis with latent diffusion models*, CVPR 2022. B. Uria, I. Murray, H. Larochelle, *A deep and tractable density estimator*, ICML 2014. E. Hoogeboom et al., *Autoregressive diffusion models*, ICLR 2022. S. Sahoo et al., *Simple and effective masked diffusion language models*, NeurIPS 2024. J. Tomczak, *Deep Generative Modeling* (2024), chapter 5. The program whose networks hide in a list is in github.com/jmtomczak/intro_dgm.
