// %% [markdown] id="title"
// # 11 Diffusion
//
// A drop of ink in water spreads until nothing is left of its shape. **Diffusion models** do that to pictures, in many small steps, and learn each step's way back. Seen from chapter 8 it is a variational auto-encoder with a latent for every moment, whose *encoder is fixed*: it adds noise, and has no weights. What is trained is the decoder alone, one network for all steps.
//
// This chapter derives the bound term by term, in nats, and trains it on integers without any rounding in between; says what the loss without weights, on which most pictures of the net are trained, is and is not; draws with a thousand steps and with ten; turns the model towards a class, and around half a picture that is known. At the end the noise is replaced by a mask, and diffusion turns out to be autoregression in any order.

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adamW,
  baselines,
  boundWeight,
  budgeted,
  card,
  createRng,
  diffuse,
  evaluate,
  figure,
  fit,
  imageGrid,
  importanceBound,
  ladder,
  load,
  logCategorical,
  lossCurve,
  maskedDiffusion,
  randomOrders,
  reverseStep as libraryStep,
  rungsOf,
  table,
  twoSampleTest,
  variationalDiffusion,
  type GenerativeModel,
  type Rng,
} from 'dgm';
import { compiled } from 'dgm/engine';

const rng = createRng(11); // the one seed of this chapter
const digits = load('digits');
const V = digits.values;
const D = 64;
const rowsOf = (x: tf.Tensor) => x.arraySync() as number[][];
const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
const picture = { height: 8, width: 8, levels: V };

/** One way of training for all models of this chapter; section 4 gives the reasons. */
async function train<Model extends GenerativeModel>(model: Model, here: Rng, epochs: number) {
  const optimiser = adamW(0.003, { weightDecay: 0.5, clipNorm: 1 });
  const run = await fit(model, digits, { epochs, batchSize: 50, optimiser, ema: 0.99, patience: 30, rng: here, quiet: true });
  return { model, run };
} // prettier-ignore

// %% [markdown] id="why"
// ## Why: to destroy is easy
//
// Below, digits that are mixed with more and more noise: $\mathbf{z}_t = \alpha_t \mathbf{x} + \sigma_t \boldsymbol\varepsilon$ with $\boldsymbol\varepsilon \sim \mathcal{N}(\mathbf{0}, \mathbf{I})$. Nobody could undo all of it at once. But from one column to the one before there is little to undo, and what the noise looked like can be guessed.

// %% id="why-picture"
const scaled = (x: tf.Tensor) => x.mul(2 / (V - 1)).sub(1);
const gammas = [-6, -4, -2, -1, 0, 1, 2, 4, 6];
const four = digits.test.x.slice([0, 0], [4, D]);
const noised = tf.tidy(() =>
  tf.stack(
    gammas.map((gamma, i) => diffuse(scaled(four), tf.fill([4], gamma), rng.fork(`why ${i}`).normal([4, D]))),
    1,
  ),
); // [4, 9, D]
const shown = tf.tidy(() => rowsOf(noised.add(1).mul((V - 1) / 2).clipByValue(0, V - 1).reshape([-1, D]))); // prettier-ignore
imageGrid(shown, { ...picture, columns: gammas.length, title: 'γ = −ln SNR from −6 to 6' });

// %% [markdown] id="family"
// ## 1 Family
//
// **The encoder.** $q(\mathbf{z}_t \mid \mathbf{x}) = \mathcal{N}(\alpha_t \mathbf{x}, \sigma_t^2 \mathbf{I})$ with $\alpha_t^2 + \sigma_t^2 = 1$, so that all of it is said by one number for each time, the logarithm of the noise-to-signal ratio $\gamma_t = \ln (\sigma_t^2 / \alpha_t^2)$, which grows with $t$ from 0 to 1. It is a Markov chain: from $s$ to a later $t$, what is there is shrunk by $\alpha_t / \alpha_s$, and noise of variance $\sigma_t^2 - (\alpha_t / \alpha_s)^2 \sigma_s^2$ is added.
//
// **The decoder** walks back: $\mathbf{z}_1 \sim \mathcal{N}(\mathbf{0}, \mathbf{I})$, then $p(\mathbf{z}_s \mid \mathbf{z}_t)$ for one step after the other, then $p(\mathbf{x} \mid \mathbf{z}_0)$. If $\mathbf{x}$ were known, each step back would be exact, by Bayes' rule. It is not, so that the network guesses it, $\hat{\mathbf{x}}(\mathbf{z}_t)$, and the step is taken as if the guess were true: $p(\mathbf{z}_s \mid \mathbf{z}_t) = q(\mathbf{z}_s \mid \mathbf{z}_t, \hat{\mathbf{x}})$.
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
// One network for all times: it sees $\mathbf{z}_t$ and is told $\gamma_t$, by a handful of waves. Here it does not answer with a picture but with a *table*: for each pixel, how likely each of the 17 values is, by what the *other* pixels look like. What the pixel's own $z$ says about it is no matter of learning; Bayes' rule adds $\ln \mathcal{N}(z_d; \alpha v, \sigma^2)$ to the logit of value $v$. The guess $\hat{\mathbf{x}}$ is the mean of the table, and at $t = 0$ the table itself is $p(\mathbf{x} \mid \mathbf{z}_0)$: no rounding, no missing last term.
//
// A network may as well answer with one number a pixel: $\mathbf{x}$ itself, the noise $\boldsymbol\varepsilon$, or the **velocity** $\mathbf{v} = \alpha \boldsymbol\varepsilon - \sigma \mathbf{x}$. As $\mathbf{z}$ is known, each gives the others.

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
// **Steps without end.** More steps never cost more: cut one in two, and the second half has a better guess. In the limit the sum is an integral,
//
// $$\tfrac12 \int_0^1 \gamma'(t)\, \mathrm{SNR}(t)\, \mathbb{E}\|\mathbf{x} - \hat{\mathbf{x}}\|^2\, \mathrm{d}t = \tfrac12 \int_{\gamma_0}^{\gamma_1} e^{-\gamma}\, \mathbb{E}\|\mathbf{x} - \hat{\mathbf{x}}\|^2\, \mathrm{d}\gamma,$$
//
// and substituting $\gamma$ for $t$ shows that the schedule between its ends does not matter (Kingma et al., 2021). It decides how often each noise level is drawn, and with it the variance of the estimate.
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
// Whoever drops the weight and trains on $\|\boldsymbol\varepsilon - \hat{\boldsymbol\varepsilon}\|^2$ with even *times* has the **simple loss** of Ho, Jain and Abbeel (2020). With a linear $\gamma$ it is the bound's integrand up to a factor; with other schedules it is another weighting, which looks away from small noise; and it lacks the reconstruction and the constants. It is no bound on anything, in nats or otherwise.

// %% id="weights"
const levels = Array.from({ length: 61 }, (_, i) => -6 + i / 5);
figure(
  (['data', 'noise', 'velocity'] as const).map((kind) => ({
    x: levels,
    y: tf.tidy(() => boundWeight(kind, tf.tensor1d(levels)).dataSync()),
    mode: 'lines',
    name: { data: 'x', noise: 'ε', velocity: 'v' }[kind],
  })),
  { xaxis: { title: 'γ = −ln SNR' }, yaxis: { title: 'weight of a squared error', type: 'log' } },
  { height: 320, alt: 'Three weights: e^−γ/2 for x, constant for ε, falling where noise wins for v' },
);

// %% [markdown] id="optimiser"
// ## 4 Optimiser
//
// AdamW with a learning rate of 0.003, a weight decay of 0.5 and gradients clipped at 1, as for the convolutional networks of chapters 5 and 8. An average of the weights is validated and kept: the loss is of one random time an example, so that a single step says little.
//
// Times are spread evenly over the batch (**stratified**), and bent towards those where the term was large so far, each divided by how often it is drawn (**importance sampling**). The mean stays what it was; its variance does not.

// %% [markdown] id="training"
// ## 5 Training

// %% id="train"
const EPOCHS = budgeted(40, 250);
const noisy = await train(variationalDiffusion.create(variationalDiffusion.defaults, rng.fork('noisy')), rng.fork('noisy run'), EPOCHS); // prettier-ignore
lossCurve(noisy.run, { title: 'Variational diffusion', unit: 'nats per image, a bound' });

// %% id="terms"
/** The terms of the bound, [reconstruction, prior, the steps between], compiled: means over the pictures. */
function termsOf(x: tf.Tensor, here: Rng, { draws = 16, steps = 0 } = {}): number[] {
  const run = compiled(([rows], noise) => {
    const { reconstruction, prior, diffusion } = noisy.model.terms(rows!, noise, { draws, steps });
    return [reconstruction.mean(), prior.mean(), diffusion.mean()];
  });
  return run([x], here).map((term) => term.dataSync()[0]!);
}
const terms = termsOf(digits.validation.x, rng.fork('terms'));
table(
  [{ reconstruction: terms[0]!, prior: terms[1]!, 'the steps between': terms[2]!, bound: terms[0]! + terms[1]! + terms[2]! }],
  { caption: 'The bound term by term, validation, nats per image', digits: 2 },
); // prettier-ignore

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// $T$, at the same weights: the bound with few steps, with many, and without end. Your cost of the steps stands beside the library's, from the same errors.

// %% id="steps"
/** Another way: the KL of two Gaussians of one variance, step by step. */
const ownCost = yours(stepsCost, (errors: tf.Tensor, gamma: tf.Tensor) =>
  tf.tidy(() => {
    const drop = gamma.slice([1]).sub(gamma.slice([0], [gamma.size - 1]));
    return errors
      .mul(gamma.slice([1]).neg().exp())
      .mul(drop.expm1())
      .sum(1)
      .div(2);
  }),
);
/** ‖x − x̂‖² at each of these levels but the first, compiled: [B, T]. */
function errorsOf(x: tf.Tensor, gamma: readonly number[], here: Rng): tf.Tensor {
  const B = x.shape[0]!;
  const at = compiled(([pictures, level], noise) => {
    const rows = scaled(pictures!);
    const z = diffuse(rows, level!, noise.normal([B, D]));
    return [rows.sub(noisy.model.network.apply(z, level!).x).square().sum(1)];
  });
  return tf.tidy(() =>
    tf.stack(
      gamma.slice(1).map((g, i) => at([x, tf.fill([B], g)], here.fork(`${i}`))[0]!),
      1,
    ),
  );
}
const some = digits.validation.x.slice([0, 0], [60, D]);
const byT = [2, 4, 8, 16].map((T) => {
  const ladderOfNoise = Array.from({ length: T + 1 }, (_, i) => -6 + (12 * i) / T);
  const own = tf.tidy(() => meanOf(ownCost(errorsOf(some, ladderOfNoise, rng.fork(`T ${T}`)), tf.tensor1d(ladderOfNoise)).dataSync())); // prettier-ignore
  const library = termsOf(some, rng.fork('by T'), { steps: T, draws: 32 })[2]!;
  return { T: String(T), [`by ${ownCost.by()}`]: own, 'the library': library };
});
const endless = termsOf(some, rng.fork('endless'), { draws: 32 })[2]!;
table([...byT, { T: 'without end', 'the library': endless }], {
  caption: 'What the steps cost, nats per image',
  digits: 1,
});

// %% [markdown] id="masked-text"
// ### Masks for noise
//
// Integers can be destroyed without any Gaussian: hide one pixel after the other. A network guesses what is hidden from what is shown. All that counts of the times at which pixels are hidden is their order, and every order is as likely as any other, so that this is an **autoregressive model in any order**: $p(\mathbf{x}) = \frac{1}{D!} \sum_\sigma \prod_i p(x_{\sigma_i} \mid x_{\sigma_{<i}})$, and by Jensen's inequality $\ln p(\mathbf{x}) \ge \mathbb{E}_\sigma \sum_i \ln p(x_{\sigma_i} \mid x_{\sigma_{<i}})$.
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

// %% id="train-masked"
const holes = await train(
  maskedDiffusion.create(maskedDiffusion.defaults, rng.fork('holes')),
  rng.fork('holes run'),
  EPOCHS,
);
lossCurve(holes.run, { title: 'Masked diffusion', unit: 'nats per image, a bound' });

// %% id="orders"
const few = digits.test.x.slice([0, 0], [100, D]);
/** Another way: one row's factors, averaged over what is hidden. */
const ownEstimate = yours(maskedEstimate, (x: tf.Tensor, logits: tf.Tensor, visible: tf.Tensor) =>
  tf.tidy(() => {
    const kept = tf.sub(1, visible);
    const cost = tf.stack(tf.unstack(x.expandDims(2), 1).map((column, d) => logCategorical(column, logits.slice([0, d, 0], [-1, 1, -1]))), 1); // prettier-ignore
    return cost.mul(kept).sum(1).div(kept.mean(1));
  }),
);
const raster = tf.tile(tf.range(0, D).expandDims(0), [100, 1]);
const logitsOf = compiled(([x, visible]) => [holes.model.logits(x!, visible!)]);
const looks = Array.from({ length: 24 }, (_, i) => {
  const n = Math.floor(((i + 0.5) * D) / 24);
  return tf.tidy(() => {
    const visible = randomOrders(100, D, rng.fork(`look ${i}`))
      .less(n)
      .toFloat();
    return meanOf(ownEstimate(few, logitsOf([few, visible], rng)[0]!, visible).dataSync());
  });
});
table(
  [
    { likelihood: `bound, ${ownEstimate.by()}`, nats: -meanOf(looks) },
    { likelihood: 'bound, the library’s', nats: evaluate(holes.model, { x: few }, rng.fork('few')).nats },
    { likelihood: 'bound by 4 whole orders', nats: evaluate(importanceBound(holes.model, 4), { x: few }, rng.fork('four')).nats },
    { likelihood: 'ln p(x | reading order)', nats: -meanOf(holes.model.logProbInOrder(few, raster).dataSync()) },
  ],
  { caption: 'Masked diffusion on 100 test digits, nats per image', digits: 2 },
); // prettier-ignore

// %% id="ladder"
const rungs = rungsOf(
  [
    ...(await baselines(digits, rng.fork('baselines'))),
    { name: 'variational diffusion, a bound by 4 times an image', model: noisy.model },
    { name: 'masked diffusion, a bound by 4 looks an image', model: holes.model },
  ],
  digits.test,
  rng.fork('ladder'),
);
ladder(rungs, { title: 'Nats per test image; bars: standard error over the images' });

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// From noise, down the times. `eta: 1` adds in every step the noise of $q(\mathbf{z}_s \mid \mathbf{z}_t, \hat{\mathbf{x}})$; `eta: 0` none (**DDIM**), which keeps the marginals where the guess is right, and needs fewer steps. Masks: $T$ passes, each of which shows $64 / T$ pixels *as if they were independent*.

// %% id="samples"
imageGrid(rowsOf(noisy.model.sample({ count: 24, rng: rng.fork('noise samples'), steps: 100 })), { ...picture, columns: 12, title: 'Variational diffusion, 100 steps' }); // prettier-ignore
imageGrid(rowsOf(holes.model.sample({ count: 24, rng: rng.fork('mask samples') })), { ...picture, columns: 12, title: 'Masked diffusion, pixel by pixel' }); // prettier-ignore

// %% id="few-steps"
const judgeSteps = [
  ['noise, eta 1', (steps: number) => noisy.model.sample({ count: 200, rng: rng.fork('judged'), steps })],
  ['noise, eta 0', (steps: number) => noisy.model.sample({ count: 200, rng: rng.fork('judged'), steps, eta: 0 })],
  ['masks', (steps: number) => holes.model.sample({ count: 200, rng: rng.fork('judged'), steps })],
] as const;
table(
  judgeSteps.flatMap(([sampler, draw]) =>
    [2, 10, 64].map((steps) => {
      const { statistic, pValue } = twoSampleTest(draw(steps), digits.test.x.slice([0, 0], [200, D]), rng.fork('test'));
      return { sampler, steps, 'distance from test digits': statistic, 'p-value': pValue };
    }),
  ),
  { caption: 'Steps against quality: energy distance of 200 samples from 200 test digits', digits: 3 },
);

// %% [markdown] id="halves-text"
// **Half a picture.** The upper half of test digits is given, and the lower half drawn. Masks do that as they do everything else: what is given is shown. With noise the given half is replaced, at every step, by itself at that step's noise, which is an approximation (Lugmayr et al., 2022).

// %% id="halves"
const known = tf.tile(tf.range(0, D).less(32).toFloat().expandDims(0), [12, 1]);
const given = digits.test.x.slice([0, 0], [12, D]);
const completed = [
  rowsOf(given),
  rowsOf(noisy.model.sample({ count: 12, rng: rng.fork('half'), given, known })),
  rowsOf(holes.model.sample({ count: 12, rng: rng.fork('half'), given, known })),
];
imageGrid(completed.flat(), { ...picture, columns: 12, title: 'Test digits; lower halves by noise; by masks' });

// %% [markdown] id="card-text"
// ## The card

// %% id="card"
card(variationalDiffusion.card);
card(maskedDiffusion.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// **Guidance.** A network that is told the class of a picture, and in a tenth of the training is told none, knows $\hat{\mathbf{x}}(\mathbf{z}, y)$ and $\hat{\mathbf{x}}(\mathbf{z})$. What the class adds is their difference, and to go further in that direction gives pictures that are more of their class, and more alike (Ho and Salimans, 2022). Programs put both guesses into one batch, and split it again; a fork that splits it in the other order draws pictures that look *less* like what was asked for, the more it is guided.
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

// %% id="guided"
const told = variationalDiffusion.create({ ...variationalDiffusion.defaults, classes: 10 }, rng.fork('told'));
await train(told, rng.fork('told run'), EPOCHS);
const classes = tf.range(0, 10, 1, 'int32');
const guidedRows = [0, 1, 4].flatMap((guidance) =>
  rowsOf(told.sample({ count: 10, rng: rng.fork('guided'), y: classes, guidance })),
);
imageGrid(guidedRows, { ...picture, columns: 10, title: 'Classes 0 to 9; guidance 0, 1 and 4 from top to bottom' });

// %% [markdown] id="costs"
// ## What it costs

// %% id="measure-costs"
async function timed(count: number, body: () => unknown): Promise<number> {
  await body();
  const started = performance.now();
  await body();
  return (performance.now() - started) / count;
}
const fifty = { x: digits.train.x.slice([0, 0], [50, D]) };
const costs = [];
for (const [model, made] of [['variational diffusion', noisy.model], ['masked diffusion', holes.model]] as const)
  costs.push({
    model,
    weights: made.objectives[0]!.variables.reduce((sum, variable) => sum + variable.size, 0),
    'bound, ms': await timed(50, () => evaluate(made, fifty, rng, { batchSize: 50 })),
    'sample in 10 steps, ms': await timed(50, () => made.sample({ count: 50, rng: rng.fork('cost'), steps: 10 }).dispose()),
    'in 64, ms': await timed(50, () => made.sample({ count: 50, rng: rng.fork('cost'), steps: 64 }).dispose()),
  }); // prettier-ignore
table(costs, { caption: 'Milliseconds an example', digits: 2 });

// %% [markdown] id="failures"
// ## Where it fails
//
// **A guess is a mean.** Where noise is large, $\hat{\mathbf{x}}$ is an average over all digits that could be there, and belongs to none. One long step from there lands between digits. Below, the guess at falling noise, from the same test digits: from a smear to a digit.

// %% id="failure-guess"
const guesses = gammas.map((gamma, i) =>
  tf.tidy(() => {
    const z = diffuse(scaled(four), tf.fill([4], gamma), rng.fork(`why ${i}`).normal([4, D]));
    return noisy.model.network
      .apply(z, tf.fill([4], gamma))
      .x.add(1)
      .mul((V - 1) / 2);
  }),
);
imageGrid(
  tf.tidy(() => rowsOf(tf.stack(guesses, 1).reshape([-1, D]))),
  { ...picture, columns: gammas.length, title: 'x̂ of the pictures at the top' },
);

// %% id="own-reverse"
const ownStep = yours(reverseStep, (z: tf.Tensor, x: tf.Tensor, gammaT: number, gammaS: number) => {
  const B = z.shape[0]!;
  const { mean, variance } = libraryStep(z, x, tf.fill([B], gammaT), tf.fill([B], gammaS));
  return { mu: mean, logVar: Math.log(variance.dataSync()[0]!) };
});
/** Pictures by T steps back, each of them `ownStep`. */
function walk(T: number, here: Rng): tf.Tensor {
  let z: tf.Tensor = here.fork('start').normal([12, D]);
  for (let i = T; i > 0; i--) {
    const [from, to] = [-6 + (12 * i) / T, -6 + (12 * (i - 1)) / T];
    z = tf.tidy(() => {
      const { mu, logVar } = ownStep(z, noisy.model.network.apply(z, tf.fill([12], from)).x, from, to);
      return mu.add(
        here
          .fork(`step ${i}`)
          .normal([12, D])
          .mul(Math.exp(logVar / 2)),
      );
    });
  }
  return tf.tidy(() =>
    noisy.model.network
      .apply(z, tf.fill([12], -6))
      .x.add(1)
      .mul((V - 1) / 2),
  );
}
imageGrid([...rowsOf(walk(4, rng.fork('walk'))), ...rowsOf(walk(40, rng.fork('walk')))], { ...picture, columns: 12, title: `4 steps above, 40 below: ${ownStep.by()}` }); // prettier-ignore

// %% [markdown] id="failures-more"
// **A bound by few times is noisy.** Each evaluation above looks at a few times an example, spread evenly. Its Monte Carlo error belongs to what is reported.
//
// **Steps that show many pixels at once** take them for independent, which they are not: the sampler in few steps is another model, with a worse bound.
//
// ### Sources
//
// J. Sohl-Dickstein et al., *Deep unsupervised learning using nonequilibrium thermodynamics*, ICML 2015. J. Ho, A. Jain, P. Abbeel, *Denoising diffusion probabilistic models*, NeurIPS 2020. J. Song, C. Meng, S. Ermon, *Denoising diffusion implicit models*, ICLR 2021. A. Nichol, P. Dhariwal, *Improved denoising diffusion probabilistic models*, ICML 2021. D. Kingma et al., *Variational diffusion models*, NeurIPS 2021. J. Austin et al., *Structured denoising diffusion models in discrete state-spaces*, NeurIPS 2021. T. Salimans, J. Ho, *Progressive distillation for fast sampling of diffusion models*, ICLR 2022. J. Ho, T. Salimans, *Classifier-free diffusion guidance* (2022). A. Lugmayr et al., *RePaint*, CVPR 2022. B. Uria, I. Murray, H. Larochelle, *A deep and tractable density estimator*, ICML 2014. E. Hoogeboom et al., *Autoregressive diffusion models*, ICLR 2022. S. Sahoo et al., *Simple and effective masked diffusion language models*, NeurIPS 2024. J. Tomczak, *Deep Generative Modeling* (2024), chapter 5.
