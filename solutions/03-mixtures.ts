// %% [markdown] id="title"
// # 3 Mixture models
//
// One Gaussian is a hill. Data rarely look like one hill: digits come in ten shapes, customers in a few kinds, sounds in phonemes. A **mixture** adds up several simple hills,
//
// $$p(\mathbf{x}) = \sum_{k=1}^{K} \pi_k\, p(\mathbf{x} \mid \boldsymbol\theta_k), \qquad \pi_k \ge 0,\quad \sum_{k=1}^{K} \pi_k = 1,$$
//
// and becomes our first model with a **latent variable**: to make an example, choose a component $k$ with probability $\pi_k$, then draw $\mathbf{x}$ from it. We never see $k$, but we can sum it out, $p(\mathbf{x}) = \sum_k p(\mathbf{x}, k)$: the **sum rule** of probability; the field says that $k$ is **marginalised**. Here the sum has $K$ terms, and so the likelihood of any $\mathbf{x}$ is a number that we know, not an estimate.
//
// By the end of this chapter you have written a mixture from the log-density to the sampler, trained it in two ways, chosen its size without touching the test set, and found a mistake that a published notebook made. Everything printed below was computed by running this file (`npm run solutions -- 03`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adam,
  baselines,
  budgeted,
  card,
  categorical,
  categoricalMixture,
  createRng,
  density2d,
  dequantise,
  dequantised,
  dequantisedSource,
  em,
  evaluate,
  figure,
  fit,
  gaussianMixture,
  imageGrid,
  ladder,
  load,
  logCategoricalComponents,
  logNormalComponents,
  lossCurve,
  planeShapes,
  planeSource,
  rungsOf,
  sweep,
  table,
  variablesOf,
  type Rng,
} from 'dgm';

const rng = createRng(3); // the one seed of this chapter: change it and every number moves a little

// %% [markdown] id="why"
// ## Why one hill is not enough
//
// Below are 300 points from three clusters. On the left the best single Gaussian: its peak lies where there is no data at all. On the right a mixture of three. The models saw the same points; only the family differs.

// %% id="why-picture"
const three = gaussianMixture.create({ ...gaussianMixture.tiny.config, components: 3 }, rng.fork('three'));
const one = gaussianMixture.create({ ...gaussianMixture.tiny.config, components: 1 }, rng.fork('one'));
const clusters = tf.tidy(() => {
  const centres = tf.tensor2d([-3, -1, 3, -1.5, 0, 3], [3, 2]);
  const k = tf.tensor1d(
    Int32Array.from({ length: 300 }, (_, n) => n % 3),
    'int32',
  );
  return tf.gather(centres, k).add(rng.fork('clusters').normal([300, 2]).mul(0.7)); // [300, 2]
});
for (const model of [one, three])
  await em(model, { train: { x: clusters } }, { iterations: 60, rng: rng.fork('picture'), quiet: true });

/** ln p on a grid of points, row by row from the lowest y upwards. */
function logDensityOnGrid(model: typeof one, ticks: readonly number[]): Float32Array {
  return tf.tidy(() => {
    const points = tf.tensor2d(ticks.flatMap((y) => ticks.map((x) => [x, y])));
    if (!('logProb' in model.likelihood)) throw new Error('a mixture has a log-density');
    return model.likelihood.logProb(points, rng).dataSync() as Float32Array;
  });
}
const ticks = Array.from({ length: 81 }, (_, i) => -6 + i * 0.15);
const points = clusters.arraySync() as number[][];
const panels = [
  { name: 'One Gaussian', model: one },
  { name: 'Three Gaussians', model: three },
].map(({ name, model }) => ({
  x: ticks,
  y: ticks,
  density: logDensityOnGrid(model, ticks).map(Math.exp),
  title: `${name}: ${evaluate(model, { x: clusters }, rng).nats.toFixed(2)} nats per point`,
}));
density2d(panels, points);

// %% [markdown] id="family"
// ## 1 Family
//
// Two families of components serve us in this chapter. For real numbers, Gaussians with a diagonal covariance, given by their mean $\boldsymbol\mu_k$ and their log-variance $\boldsymbol\lambda_k = \ln \boldsymbol\sigma_k^2$ (any real number is a valid log-variance, so nothing has to be constrained):
//
// $$\ln p(\mathbf{x}\mid k) = -\frac12 \sum_{d=1}^{D} \left[ \ln 2\pi + \lambda_{kd} + \frac{(x_d-\mu_{kd})^2}{e^{\lambda_{kd}}} \right].$$
//
// For integers $0 \dots V-1$, such as the 17 grey levels of our digits, a table of probabilities for every coordinate, the **categorical** distribution (statisticians call the mixture of these **latent class analysis**):
//
// $$\ln p(\mathbf{x}\mid k) = \sum_{d=1}^{D} \ln \vartheta_{k d x_d}, \qquad \sum_{v} \vartheta_{kdv} = 1.$$
//
// Given $k$, the coordinates are independent. Their dependence in $p(\mathbf{x})$ comes from not knowing $k$: a dark pixel here says something about $k$, and $k$ says something about the pixel there.
//
// ### Exercise: the log-density of each component
//
// Write the first formula for a whole batch at once, $B$ examples against $K$ components. Tensors broadcast: an array $[B, 1, D]$ minus an array $[1, K, D]$ is an array $[B, K, D]$, and `expandDims` puts the 1 where it belongs. Two slips are easy: dividing by $\sigma$ where $\sigma^2$ belongs, and forgetting the constant $\ln 2\pi$, which no picture shows and every likelihood does. And take differences before you square: $x^2 - 2x\mu + \mu^2$ is the same on paper, but a small difference of large numbers when the data lie far from 0.

// %% id="log-normal"
/**
 * Log-density of each diagonal Gaussian component: Σ_d ln N(x_d; mu_kd, exp logVar_kd).
 * @param x [B, D] @param mu [K, D] @param logVar [K, D] @returns [B, K], in nats
 */
function logNormal(x: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION mixture.logNormal
  const difference = x.expandDims(1).sub(mu.expandDims(0)); // [B, K, D]
  const terms = difference
    .square()
    .div(logVar.exp())
    .add(logVar)
    .add(Math.log(2 * Math.PI)); // [B, K, D]
  return terms.sum(2).mul(-0.5); // [B, K]
  // END SOLUTION
}

// %% id="check-log-normal"
await check('mixture.logNormal', logNormal);

// %% [markdown] id="network"
// ## 2 Network
//
// Most models of this course put a neural network here, a function $h$ that turns inputs into the parameters of $p$. A mixture has none: its parameters are tables. That makes it the right place to learn likelihoods, since nothing else can be wrong.
//
// How large are the tables? A Gaussian mixture has $(K-1) + 2KD$ free parameters, a categorical one $(K-1) + KD(V-1)$: probabilities sum to 1, so the last of them is no choice.
//
// Our data from here on are the digits: 1,797 scans of $8 \times 8$ pixels with 17 grey levels, split in the order of the file into 1,000 for training, 350 for validation and 447 for the test. All ten classes are about equally large. No mixture of this chapter sees a label; only a baseline of the ladder will.

// %% id="network-size"
const digits = load('digits');
const D = 64;
const V = digits.values; // 17 grey levels
table(
  [1, 5, 10, 25].map((K) => ({ K, gaussian: K - 1 + 2 * K * D, categorical: K - 1 + K * D * (V - 1) })),
  { caption: 'Free parameters on digits (D = 64, V = 17)', digits: 0 },
);
table(digits.frame.groupBy('label').len().sort('label'), {
  caption: `${digits.frame.height} digits: examples of each class`,
  digits: 0,
});

// %% [markdown] id="objective"
// ## 3 Objective
//
// Maximum likelihood: minimise the mean negative log-likelihood of the training examples,
//
// $$\mathcal{L} = -\frac1N \sum_{n=1}^{N} \ln \sum_{k=1}^{K} \exp\bigl(\underbrace{\ln \pi_k + \ln p(\mathbf{x}_n \mid k)}_{a_{nk}}\bigr).$$
//
// The exponentials are small beyond imagination. For a digit of 64 pixels $a_{nk}$ is about $-100$ where the component fits, and far lower where it does not. A 32-bit float loses digits below $e^{-87}$, and below $e^{-104}$ it has nothing left but 0:

// %% id="underflow"
table(
  [-80, -90, -100, -110].map((a) => {
    const kept = Math.fround(Math.exp(a)); // the nearest 32-bit float
    return { a, 'exp a, in 32 bits': kept.toExponential(3), 'and back: ln exp a': Math.log(kept).toFixed(4) };
  }),
  { caption: 'What 32 bits keep of exp a', digits: 0 },
);

// %% [markdown] id="log-sum-exp"
// So one never leaves the log scale: with $m_n = \max_k a_{nk}$,
//
// $$\ln \sum_k e^{a_{nk}} = m_n + \ln \sum_k e^{a_{nk} - m_n}.$$
//
// The largest term becomes $e^0 = 1$: nothing overflows, and what underflows did not matter.
//
// ### Exercise: responsibilities
//
// The posterior of the latent variable, $r_{nk} = p(k \mid \mathbf{x}_n) = e^{a_{nk}} / \sum_j e^{a_{nj}}$, tells which component is *responsible* for an example. Computing it is called **inference** of the latent variable; it is all the inference that a mixture needs, and half of EM. Compute it from $a$ so that it works for $a \approx -1000$ and for $a \approx +1000$.

// %% id="responsibilities"
/**
 * p(k | x) from ln p(x, k): exp(a_nk − ln Σ_j exp a_nj).
 * @param logJoint [B, K], ln π_k + ln p(x | k) @returns [B, K], rows sum to 1
 */
function responsibilities(logJoint: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION mixture.responsibilities
  const largest = logJoint.max(1, true); // [B, 1]
  const shifted = logJoint.sub(largest); // [B, K], at most 0
  const logSum = shifted.exp().sum(1, true).log(); // [B, 1]
  return shifted.sub(logSum).exp(); // [B, K]
  // END SOLUTION
}

// %% id="check-responsibilities"
await check('mixture.responsibilities', responsibilities);

// %% [markdown] id="optimiser"
// ## 4 Optimiser
//
// There are two ways down.
//
// **By gradient.** $\mathcal L$ is differentiable, so Adam can minimise it like any other loss. Softmax keeps $\boldsymbol\pi$ on the simplex. It needs a learning rate, and works for every model of the course.
//
// **By expectation maximisation** (EM: Dempster, Laird and Rubin, 1977). If we knew each example's component, maximum likelihood would be counting. We do not, but we know the responsibilities. So alternate: compute $r_{nk}$ with the present parameters (E), then maximise the expected complete log-likelihood with $r$ held fixed (M),
//
// $$\max_{\boldsymbol\pi,\boldsymbol\theta} \; \sum_n \sum_k r_{nk} \bigl[ \ln \pi_k + \ln p(\mathbf{x}_n \mid \boldsymbol\theta_k) \bigr].$$
//
// Why it works. The logarithm of a mean is at least the mean of the logarithms (Jensen's inequality: chapter 2 has its picture). Read the sum over components as a mean under any distribution $q_n$ over them:
//
// $$\ln p(\mathbf{x}_n) = \ln \sum_k q_n(k)\, \frac{p(\mathbf{x}_n, k)}{q_n(k)} \;\ge\; \sum_k q_n(k) \ln \frac{p(\mathbf{x}_n, k)}{q_n(k)} = \ln p(\mathbf{x}_n) - \mathrm{KL}\bigl[q_n(k) \,\|\, p(k\mid\mathbf{x}_n)\bigr].$$
//
// The right side is the **evidence lower bound (ELBO)**; the last form follows from $p(\mathbf{x}_n, k) = p(\mathbf{x}_n)\, p(k \mid \mathbf{x}_n)$. E takes $q_n = p(k\mid\mathbf{x}_n)$, which makes the KL 0 and the bound tight. M raises the bound while $q_n$ stays. So the likelihood never falls, and there is no step size. Remember the bound: variational autoencoders (chapter 8) will use it again, when the sum over $k$ has become an integral that nobody can do.
//
// ### Exercise: the M-step
//
// For categorical components the maximum is a weighted count. Each table has to maximise $\sum_v c_v \ln \vartheta_v$ with $\sum_v \vartheta_v = 1$, where $c_v$ is the weight of the examples that show the value $v$. With a Lagrange multiplier, $\frac{\partial}{\partial\vartheta_v} \bigl[\sum_w c_w \ln \vartheta_w - \ell\, \bigl(\sum_w \vartheta_w - 1\bigr)\bigr] = \frac{c_v}{\vartheta_v} - \ell = 0$: all $\vartheta_v$ are in proportion to $c_v$, and since they sum to 1, $\vartheta_v = c_v / \sum_w c_w$.
//
// A component must not call a grey level impossible just because it has not seen it yet. So every value of every table gets $\alpha \ge 0$ imaginary examples, and so does the size of every component. With $[x_{nd} = v]$ for 1 where it is true and 0 elsewhere,
//
// $$\pi_k = \frac{\sum_n r_{nk} + \alpha}{N + K\alpha}, \qquad \vartheta_{kdv} = \frac{\sum_n r_{nk}\, [x_{nd} = v] + \alpha}{\sum_n r_{nk} + V\alpha}.$$
//
// The field calls them **pseudo-counts** (with $\alpha = 1$: **Laplace smoothing**). These formulas maximise the expected complete log-likelihood plus $\alpha \bigl( \sum_k \ln \pi_k + \sum_{kdv} \ln \vartheta_{kdv} \bigr)$. Up to a constant that is the logarithm of **Dirichlet priors** whose parameters are all $1 + \alpha$, so EM then climbs the posterior of the parameters, and ends at a **maximum a posteriori (MAP)** estimate; with $\alpha = 0$ the priors are flat, and it climbs the likelihood alone: **maximum likelihood (MLE)**.
//
// `tf.oneHot` makes the indicator $[N, D, V]$; reshaped to $[N, DV]$, its sum over $n$ is one matrix product with $\mathbf{r}^\top$.

// %% id="m-step"
interface Parameters {
  /** ln π_k: [K] */
  readonly logPi: tf.Tensor;
  /** ln ϑ_kdv: [K, D, V] */
  readonly logTheta: tf.Tensor;
}

/**
 * The categorical mixture's parameters that maximise the expected complete log-likelihood plus log-prior.
 * @param x [N, D], integers 0 … values − 1 @param r responsibilities [N, K]
 * @param values V, also where x never shows the largest of them
 * @param alpha pseudo-count of each value in each table, and of each component
 */
function mStep(x: tf.Tensor, r: tf.Tensor, values: number, alpha: number): Parameters {
  // BEGIN SOLUTION mixture.mStep
  const [N, D] = x.shape as [number, number];
  const K = r.shape[1]!;
  const indicator = tf
    .oneHot(x.toInt() as tf.Tensor2D, values)
    .toFloat()
    .reshape([N, D * values]); // [N, D V]
  const counts = r.matMul(indicator, true).reshape([K, D, values]).add(alpha); // [K, D, V]
  const sizes = r.sum(0).add(alpha); // [K]
  return {
    logPi: sizes.div(sizes.sum()).log(), // [K]
    logTheta: counts.div(counts.sum(2, true)).log(), // [K, D, V]
  };
  // END SOLUTION
}

// %% id="check-m-step"
await check('mixture.mStep', mStep);

// %% [markdown] id="gaussian-m-step-text"
// ### Exercise: derive the M-step of Gaussians
//
// For Gaussian components, too, the M-step has a closed form, and this time you find it. Of the expected complete log-likelihood, what depends on the mean $\mu$ and the log-variance $\lambda = \ln \sigma^2$ of component $k$ in coordinate $d$ is
//
// $$-\frac12 \sum_{n} r_{nk} \left[ \lambda + (x_{nd} - \mu)^2\, e^{-\lambda} \right].$$
//
// Differentiate by $\mu$ and by $\lambda$ on paper: three lines. There is one condition more. A variance below `floor` is not allowed (the last section shows why); where the maximum lies below it, which value is the best of those that are allowed? No component is empty, and $\boldsymbol\pi$ is as before.

// %% id="gaussian-m-step"
interface Gaussians {
  /** [K, D] */
  readonly mu: tf.Tensor;
  /** ln σ²: [K, D] */
  readonly logVar: tf.Tensor;
}

/**
 * Means and log-variances that maximise the expected complete log-likelihood, with no variance below the floor.
 * @param x [N, D] @param r responsibilities [N, K], of which no column is 0 @param floor of the variance σ²
 */
function gaussianMStep(x: tf.Tensor, r: tf.Tensor, floor: number): Gaussians {
  // BEGIN SOLUTION mixture.gaussianMStep
  const weights = r.div(r.sum(0)); // [N, K], each column sums to 1
  const mu = weights.matMul(x, true); // [K, D]
  const w = weights.expandDims(2); // [N, K, 1]
  const differences = x.expandDims(1).sub(mu); // [N, K, D]
  const variance = w.mul(differences.square()).sum(0); // [K, D]
  return { mu, logVar: variance.maximum(floor).log() };
  // END SOLUTION
}

// %% id="check-gaussian-m-step"
await check('mixture.gaussianMStep', gaussianMStep);

// %% [markdown] id="em-steps-text"
// Compare your paper with this when yours passes. By $\mu$: $\sum_n r_{nk} (x_{nd} - \mu) = 0$, a weighted mean. By $\lambda$: $\sum_n r_{nk} \bigl[1 - (x_{nd} - \mu)^2 e^{-\lambda}\bigr] = 0$, a weighted variance. With $w_{nk} = r_{nk} / \sum_m r_{mk}$,
//
// $$\mu_{kd} = \sum_n w_{nk}\, x_{nd}, \qquad \sigma^2_{kd} = \max\Bigl(\textstyle\sum_n w_{nk}\, (x_{nd} - \mu_{kd})^2,\; \text{floor}\Bigr),$$
//
// the last because the derivative by $\lambda$ has one sign below the maximum and the other above it. It is chapter 2's closest Gaussian with weights: **moment matching**.
//
// Now EM moves, and it is *your* EM: the cell below calls your `logNormal`, `responsibilities` and `gaussianMStep` on the points of the first picture, from responsibilities at random. What is not written yet, the library does in its place, and a line says so. A point has the colours of its components, mixed by its responsibilities; an ellipse is two standard deviations wide.

// %% id="em-steps"
const logDensity = yours(logNormal, logNormalComponents);
const posterior = yours(responsibilities, (logJoint: tf.Tensor): tf.Tensor => tf.softmax(logJoint));
const maximise = yours(gaussianMStep, (x: tf.Tensor, r: tf.Tensor, varianceFloor: number): Gaussians => {
  const config = { ...gaussianMixture.tiny.config, components: r.shape[1]!, varianceFloor, pseudoCount: 0 };
  const model = gaussianMixture.create(config, rng.fork('library step'));
  model.mStep(x, r);
  const { mu, logVar } = model.parameters();
  return { mu: mu!, logVar: logVar! };
});

type Moment = { after: number; r: number[][]; mu: number[][]; sigma: number[][] };
const moments: Moment[] = tf
  .tidy(() => {
    let r: tf.Tensor = tf.softmax(rng.fork('anywhere').normal([300, 3]));
    return Array.from({ length: 31 }, (_, after): Moment => {
      const { mu, logVar } = maximise(clusters, r, 0.01);
      const shown = { after, r: r.arraySync(), mu: mu.arraySync(), sigma: logVar.mul(0.5).exp().arraySync() } as Moment;
      r = posterior(logDensity(clusters, mu, logVar).add(r.mean(0).log()));
      return shown;
    });
  })
  .filter(({ after }) => [0, 5, 10, 30].includes(after));

const hues = [
  [47, 127, 209],
  [217, 112, 26],
  [21, 150, 115],
] as const;
const rgb = (weights: readonly number[]) =>
  `rgb(${[0, 1, 2].map((i) => Math.round(weights.reduce((sum, w, k) => sum + w * hues[k]![i]!, 0))).join(',')})`;
const round = Array.from({ length: 41 }, (_, i) => (i * Math.PI) / 20);
const axes = (i: number) => ({ xaxis: `x${i === 0 ? '' : i + 1}`, yaxis: `y${i === 0 ? '' : i + 1}` });
figure(
  moments.flatMap(({ r, mu, sigma }, i) => [
    { mode: 'markers', ...axes(i), x: points.map(([x]) => x), y: points.map(([, y]) => y), marker: { size: 5, color: r.map(rgb) } },
    ...mu.map((m, k) => ({
      mode: 'lines',
      ...axes(i),
      x: round.map((t) => m[0]! + 2 * sigma[k]![0]! * Math.cos(t)),
      y: round.map((t) => m[1]! + 2 * sigma[k]![1]! * Math.sin(t)),
      line: { width: 2.5, color: rgb([0, 1, 2].map((j) => (j === k ? 1 : 0))) },
    })),
  ]), // prettier-ignore
  {
    title: 'EM on three clusters',
    showlegend: false,
    margin: { l: 40, r: 10, t: 70, b: 36 },
    ...Object.fromEntries(
      moments.flatMap((_, i) => [
        [`xaxis${i === 0 ? '' : i + 1}`, { domain: [i * 0.255, i * 0.255 + 0.235], range: [-6, 6], anchor: axes(i).yaxis }],
        [`yaxis${i === 0 ? '' : i + 1}`, { range: [-5, 6], anchor: axes(i).xaxis, showticklabels: i === 0 }],
      ]),
    ), // prettier-ignore
    annotations: moments.map(({ after }, i) => ({
      text: after === 0 ? 'the first M-step' : `after ${after} more`,
      x: i * 0.255 + 0.117,
      xref: 'paper',
      xanchor: 'center',
      y: 1.01,
      yref: 'paper',
      yanchor: 'bottom',
    })),
  },
  { height: 300, alt: 'Three Gaussians that start on top of each other and end on the three clusters' },
);

// %% [markdown] id="em-exercise"
// ### Exercise: the EM loop
//
// Put the two halves together, starting from given responsibilities: M-step first, then alternate. Use your `mStep` and `responsibilities`; `logCategoricalComponents(x, logTheta)` from the library gives $\ln p(\mathbf{x}_n \mid k)$ as $[N, K]$. Return the parameters of the last M-step, and the mean negative log-likelihood after every M-step. With $\alpha = 0$ it can never rise by more than rounding: if it does, something is wrong. With $\alpha > 0$ it is the log-likelihood plus the log-prior that can never fall, and the likelihood alone may. (The library's `em` stops when the likelihood alone gains less than its tolerance. On the digits that makes no difference.)
//
// `dispose`, or `tf.tidy`, keeps memory flat. It is good manners here and a necessity in the long trainings to come.

// %% id="em-loop"
/**
 * Expectation maximisation for the categorical mixture.
 * @param x [N, D] @param start responsibilities of the first M-step [N, K] @param iterations number of M-steps
 * @returns the last parameters, and −(1/N) Σ_n ln p(x_n) after each M-step, in nats per example
 */
function emLoop(
  x: tf.Tensor,
  start: tf.Tensor,
  values: number,
  alpha: number,
  iterations: number,
): { logPi: tf.Tensor; logTheta: tf.Tensor; nats: number[] } {
  // BEGIN SOLUTION mixture.emLoop
  const nats: number[] = [];
  let r = start.clone();
  let parameters: Parameters | undefined;
  for (let i = 0; i < iterations; i++) {
    tf.dispose(parameters ? [parameters.logPi, parameters.logTheta] : []);
    const present: Parameters = tf.tidy(() => ({ ...mStep(x, r, values, alpha) }));
    const logJoint = tf.tidy(() => logCategoricalComponents(x, present.logTheta).add(present.logPi)); // [N, K]
    nats.push(tf.tidy(() => tf.logSumExp(logJoint, 1).mean().neg().dataSync()[0]!));
    r.dispose();
    r = tf.tidy(() => responsibilities(logJoint)); // [N, K]
    logJoint.dispose();
    parameters = present;
  }
  r.dispose();
  if (!parameters) throw new Error('emLoop: iterations must be at least 1');
  return { ...parameters, nats };
  // END SOLUTION
}

// %% id="check-em-loop"
await check('mixture.emLoop', emLoop);

// %% [markdown] id="training"
// ## 5 Training
//
// First the digits as real numbers. A density cannot be compared with a probability: an integer $\mathbf{x}$ stands for its cell $\prod_d [x_d, x_d + 1)$, whose probability is $P(\mathbf{x}) = \mathbb{E}_{\mathbf{u}}\, p(\mathbf{x}+\mathbf{u})$ with $\mathbf{u} \sim U[0,1)^D$. Jensen's inequality gives a **lower bound** that is easy to compute, $\ln P(\mathbf{x}) \ge \mathbb{E}_{\mathbf{u}} \ln p(\mathbf{x}+\mathbf{u})$ (Theis, van den Oord and Bethge, 2016). `dequantised` wraps a density that way, and from then on the model's `likelihood.kind` says so.
//
// A mixture of 25 diagonal Gaussians, by EM and by gradient. For a comparison of two ways down both have to begin at the same place, so both get the weights of one M-step from the same seeds, and the same data with the same noise. And since a start may matter more than the way, both go once more from another one: means drawn at random from $\mathcal N(8.5, 5^2)$.

// %% id="train-gaussian-watched"
const noisy = {
  train: { x: dequantise(digits.train.x, rng.fork('train noise')) },
  validation: { x: dequantise(digits.validation.x, rng.fork('validation noise')) },
};
const { batchSize, learningRate: usualRate } = gaussianMixture.defaults;

/** The weights before training: means at random, or one M-step from k-means++ seeds. The same for the same seed. */
function begun(start: 'seeds' | 'random', seed: Rng) {
  const model = gaussianMixture.create(gaussianMixture.defaults, seed.fork('weights'));
  if (start === 'seeds') tf.tidy(() => model.mStep(noisy.train.x, model.start(noisy.train.x, seed.fork('seeds'))));
  return model;
}

// one run to watch; Stop ends it, and keeps the weights of its best epoch
const watched = begun('random', rng.fork('watched'));
const watchedRun = await fit(watched, noisy, {
  epochs: budgeted(60),
  batchSize,
  optimiser: adam(usualRate),
  rng: rng.fork('watched training'),
});
lossCurve(watchedRun, { title: '25 Gaussians by gradient, from means at random' });

// %% [markdown] id="train-gaussian-text"
// That is one way from one start. Now both ways from both starts, each from three seeds.

// %% id="train-gaussian"
async function train(start: 'seeds' | 'random', way: 'EM' | 'gradient', learningRate = 0) {
  const runs = [];
  for (const seed of [1, 2, 3].map((number) => rng.fork(`gaussians ${number}`))) {
    const model = begun(start, seed);
    const common = { rng: seed.fork('training'), patience: 15, quiet: true };
    const { history, best } =
      way === 'EM'
        ? await em(model, noisy, { ...common, iterations: budgeted(60), start: 'weights', tolerance: -1 })
        : await fit(model, noisy, { ...common, epochs: budgeted(60), batchSize, optimiser: adam(learningRate) });
    runs.push({ model, history, best: best! });
  }
  return { start, way: way === 'EM' ? way : `gradient, rate ${learningRate}`, runs };
}
const ways = [
  await train('seeds', 'EM'),
  await train('seeds', 'gradient', usualRate),
  await train('seeds', 'gradient', usualRate / 10),
  await train('random', 'EM'),
  await train('random', 'gradient', usualRate),
];
const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
const spread = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, v) => sum + (v - mean(values)) ** 2, 0) / (values.length - 1));
table(
  ways.map(({ start, way, runs }) => {
    const best = runs.map((run) => run.best.validation);
    const last = runs.map(({ history }) => history.at(-1)!);
    return {
      start,
      way,
      'validation, best pass': mean(best),
      'spread over seeds': spread(best),
      'at pass': mean(runs.map((run) => run.best.epoch)),
      'validation, last pass': mean(last.map(({ validation }) => validation!)),
      'training, last pass': mean(last.map(({ loss }) => loss)),
    };
  }),
  { caption: '25 Gaussians: nats per image (a density of noisy images), means of three seeds', digits: 1 },
);
figure(
  ways.map(({ start, way, runs: [run] }) => ({
    mode: 'lines',
    name: `${start}: ${way}`,
    x: run!.history.map(({ epoch }) => epoch),
    y: run!.history.map(({ validation }) => validation!),
    line: {
      dash: way === 'EM' ? 'solid' : 'dot',
      color: start === 'seeds' ? '#2f7fd1' : '#d9701a',
      width: way.endsWith('0.01') ? 1.5 : 2.5,
    },
  })),
  {
    title: 'Two ways, two starts: the first seed',
    legend: { x: 0, xanchor: 'left', y: -0.2, yanchor: 'top' },
    xaxis: { title: 'passes over the training set' },
    yaxis: { title: 'validation, nats per image', range: [126, 150] },
  },
);
const atBest = ({ runs }: (typeof ways)[number]) => mean(runs.map(({ best }) => best.validation));
const gradient = atBest(ways[2]!) < atBest(ways[1]!) ? ways[2]! : ways[1]!; // its rate is chosen on the validation set
const [byEm, byGradient] = [ways[0]!, gradient].map(({ runs }) => runs.map(({ model }) => model));
const gaussians = byEm![0]!;

// %% [markdown] id="train-categorical-text"
// Compare within a start: only the way differs there. From the seeds, EM's best pass has 129.7 nats on the validation set, the gradient's 130.0 or 130.7, and other seeds move each number by 0.5 to 0.7: these runs cannot tell the ways apart. The start can. From means at random EM still gets to 129.2, while the gradient at the same rate ends near 135.5. EM has no step size to be wrong about; that, and not a better end, is what speaks for it.
//
// And all of them learn by heart. The training loss falls on, to 116 and below, while the validation loss turns after some ten passes (from the seeds) and a little rises: which pass is kept is chosen by **early stopping** on the validation set.
//
// Now the integers as what they are: five tables of probabilities, by EM. EM climbs to a peak near its start, a **local optimum**, so where it ends depends on where it starts. We start it three times and keep the end that the *validation set* likes best.

// %% id="train-categorical"
/** EM from three random starts: the models, best on the validation set first. */
function trainCategorical(components: number) {
  return sweep(
    [1, 2, 3],
    async (start) => {
      const here = rng.fork(`K = ${components}, start ${start}`);
      const model = categoricalMixture.create({ ...categoricalMixture.defaults, components }, here.fork('weights'));
      // the tolerance is far below what 350 images can tell apart
      const options = { iterations: budgeted(60), tolerance: 0.01, rng: here.fork('em'), quiet: true };
      await em(model, { train: digits.train }, options);
      return model;
    },
    digits.validation,
    rng,
  );
}

const starts = await trainCategorical(5);
table(
  starts.map(({ setting, model, validation }) => ({
    start: setting,
    train: evaluate(model, digits.train, rng).nats,
    validation: validation.nats,
  })),
  { caption: 'Categorical mixture, K = 5: nats per image', digits: 2 },
);
const five = starts[0]!.model;

// %% [markdown] id="own-em-text"
// **Your EM.** Both loops start from the same responsibilities. If yours is right, the columns agree to float32's last digits; its end gets a rung of its own on the ladder below.

// %% id="own-em"
/** What `emLoop` does, by the library's model. */
function libraryLoop(x: tf.Tensor, start: tf.Tensor, values: number, alpha: number, iterations: number) {
  const config = { ...categoricalMixture.defaults, components: start.shape[1]!, values, pseudoCount: alpha };
  const model = categoricalMixture.create(config, rng.fork('library loop'));
  const nats: number[] = [];
  for (let i = 0; i < iterations; i++) {
    tf.tidy(() => model.mStep(x, i === 0 ? start : model.responsibilities(x)));
    nats.push(evaluate(model, { x }, rng).nats);
  }
  const [logits, tables] = variablesOf(model);
  return { logPi: tf.logSoftmax(logits!), logTheta: tf.logSoftmax(tables!), nats };
}

/** A model that has these parameters. */
function mixtureOf({ logPi, logTheta }: Parameters) {
  const model = categoricalMixture.create({ ...categoricalMixture.defaults, components: logPi.size }, rng);
  [logPi, logTheta].forEach((value, i) => variablesOf(model)[i]!.assign(value));
  return model;
}
const rounds = budgeted(40);
const sameStart = five.start(digits.train.x, rng.fork('same start')); // [N, 5]
const ownEm = yours(emLoop, libraryLoop);
const ownEnd = ownEm(digits.train.x, sameStart, V, categoricalMixture.defaults.pseudoCount, rounds);
const libraryEnd = libraryLoop(digits.train.x, sameStart, V, categoricalMixture.defaults.pseudoCount, rounds);
table(
  [1, 2, 5, 10, 20, 40]
    .filter((iteration) => iteration <= rounds)
    .map((iteration) => ({
      iteration,
      [ownEm.by()]: ownEnd.nats[iteration - 1]!,
      'the library': libraryEnd.nats[iteration - 1]!,
    })),
  { caption: 'Categorical mixture, K = 5, from the same start: training nats per image', digits: 3 },
);
const ownMixture = mixtureOf(ownEnd);

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// How many components? The training likelihood always says "more". The validation set answers honestly: that is **model selection**. As the starts differ by as much as the sizes do, every size gets the best of three.

// %% id="sweep"
const sizes = [];
for (const components of [1, 2, 5, 10, 20]) {
  const ends = components === 5 ? starts : await trainCategorical(components);
  sizes.push({ components, ...ends[0]! });
}
const lowest = sizes.reduce((a, b) => (b.validation.nats < a.validation.nats ? b : a));
const byComponents = sizes.map(({ components, model, validation }) => ({
  components,
  train: evaluate(model, digits.train, rng).nats,
  validation: validation.nats,
  standardError: validation.standardError,
  'above the lowest, in its standard errors':
    (validation.nats - lowest.validation.nats) / lowest.validation.standardError,
}));
table(byComponents, { caption: 'Nats per image by number of components', digits: 2 });

// %% [markdown] id="choose-exercise"
// ### Exercise: choosing K
//
// The lowest validation number is itself a noisy measurement: with another 350 images it would move by about its standard error. The **one-standard-error rule** (Breiman, Friedman, Olshen and Stone, 1984, section 3.4.3) takes the *smallest* model whose validation loss is at most the lowest one plus the standard error of that lowest one. It leans to the simple side on purpose: all candidates saw the same images, so their differences are known better than the rule pretends.
//
// The order of the list must not matter. The last column of the first table above shows what it has to see. The $K$ that yours takes is the one that the rest of the chapter looks at.

// %% id="choose-components"
interface Candidate {
  readonly components: number;
  /** Mean negative log-likelihoods, in nats per example. */
  readonly train: number;
  readonly validation: number;
  /** Standard error of `validation`. */
  readonly standardError: number;
}

/** The one-standard-error rule: the smallest K whose validation loss is within one standard error of the best. */
function chooseComponents(candidates: readonly Candidate[]): number {
  // BEGIN SOLUTION mixture.chooseComponents
  const best = candidates.reduce((a, b) => (b.validation < a.validation ? b : a));
  const limit = best.validation + best.standardError;
  return Math.min(...candidates.filter((c) => c.validation <= limit).map((c) => c.components));
  // END SOLUTION
}

// %% id="check-choose-components"
await check('mixture.chooseComponents', chooseComponents);

// %% id="chosen"
const rule = yours(chooseComponents, () => lowest.components);
const choice = rule(byComponents);
const K = sizes.some(({ components }) => components === choice) ? choice : lowest.components;
const choices = [
  { rule: 'lowest validation loss', K: lowest.components },
  { rule: `one standard error, ${rule.by()}`, K: choice },
];
table(choices, { caption: 'How many components' });

// %% [markdown] id="pseudo-counts-text"
// And how many imaginary examples? The library's default is $\alpha = 0.2$. The same two starts for each $\alpha$, so that only $\alpha$ differs; and differences image by image: what makes an image hard makes it hard for both models, and drops out of a **paired** difference, whose error is far smaller than that of either number.

// %% id="pseudo-counts"
const byAlpha = [];
for (const pseudoCount of [0.05, 0.2, 0.5, 1]) {
  const models = [];
  for (const start of [1, 2]) {
    const here = rng.fork(`alpha, start ${start}`);
    const config = { ...categoricalMixture.defaults, components: K, pseudoCount };
    const model = categoricalMixture.create(config, here.fork('weights'));
    const options = { iterations: budgeted(30), tolerance: 0.01, rng: here.fork('em'), quiet: true };
    await em(model, { train: digits.train }, options);
    models.push(model);
  }
  const each = models.map((model) => evaluate(model, digits.validation, rng).perExample);
  byAlpha.push({ pseudoCount, models, perImage: Array.from(each[0]!, (a, n) => (a + each[1]![n]!) / 2) });
}
const usual = byAlpha.find(({ pseudoCount }) => pseudoCount === categoricalMixture.defaults.pseudoCount)!;
table(
  byAlpha.map(({ pseudoCount, perImage }) => {
    const differences = perImage.map((nats, n) => nats - usual.perImage[n]!);
    return {
      alpha: String(pseudoCount),
      validation: mean(perImage),
      'above the default': mean(differences),
      'its standard error (paired)': spread(differences) / Math.sqrt(differences.length),
    };
  }),
  { caption: `K = ${K}, means of two starts: nats per image`, digits: 2 },
);
const kept = byAlpha.reduce((a, b) => (mean(b.perImage) < mean(a.perImage) ? b : a));
const keptModel = kept.models[0]!; // what the rest of the chapter looks at

// %% [markdown] id="ladder-text"
// ### The ladder
//
// Only now the test set, once. A likelihood means nothing alone, so every chapter shows its models on the same **ladder** of baselines. *Uniform* says every grey level is equally likely; *histogram* counts each pixel's grey levels by itself, and its class-conditional form does so for each digit, with the share of each class as its weight: a mixture whose components were chosen by the labels. The *Chow–Liu tree* of chapter 4 lets each pixel look at one other. A model that loses to the histogram would have done better to look at each pixel by itself; whether it gains nothing from how pixels depend on each other is another question, which one Gaussian beside 25 will answer.

// %% id="ladder"
const oneGaussian = gaussianMixture.create({ ...gaussianMixture.defaults, components: 1 }, rng.fork('one Gaussian'));
await em(oneGaussian, { train: noisy.train }, { iterations: 2, rng: rng.fork('one'), quiet: true });
const rows = [
  ...(await baselines(digits, rng.fork('baselines'))).filter(({ name }) => name !== 'categorical mixture, K = 5'),
  { name: 'one Gaussian', model: dequantised(oneGaussian) },
  { name: '25 Gaussians, gradient', model: byGradient!.map((model) => dequantised(model)) },
  { name: '25 Gaussians, EM', model: byEm!.map((model) => dequantised(model)) },
  { name: '5 tables, EM', model: starts.map(({ model }) => model) },
  { name: `5 tables, EM, ${ownEm.by()}`, model: ownMixture },
  { name: `${K} tables, α = ${kept.pseudoCount}, EM`, model: kept.models },
];
const rungs = rungsOf(rows, digits.test, rng.fork('test'));
ladder(rungs, { title: 'Nats per test image; bars: standard error over the images' });
table(
  rungs.map(({ name, nats, kind, error, spread: seeds, behind, behindError }) => ({
    name,
    nats,
    kind,
    'error over images': error,
    'spread of 3 seeds': seeds ?? '',
    'above the best': behind,
    'its error (paired)': behindError,
  })),
  { caption: 'Test set: nats per image (smaller is better)', digits: 1 },
);
const [least, most] = rungsOf(
  rows.filter(({ name }) => name.startsWith('25')),
  digits.test,
  rng.fork('test'),
).sort((a, b) => a.nats - b.nats);
table([{ better: least!.name, worse: most!.name, by: most!.behind, 'standard error (paired)': most!.behindError }], {
  caption: 'From the same start: what the way is worth, in nats per test image',
  digits: 2,
});
const of = (name: string) => rungs.find((rung) => rung.name === name)!.nats;

// %% [markdown] id="ladder-reading"
// The Gaussians lose to the histogram, by 19 nats, although they do gain from how pixels depend on each other: 25 of them are 24 nats better than one. They lose by the *shape* of what they say of a single pixel. Half of all pixels are exactly 0, at the edge of the scale, and a Gaussian near the edge spends probability where no pixel can be; the table below says how much. From the same start, EM ends 0.6 nats below the gradient on the test images, give or take 0.2.
//
// Tables take no shape for granted. Five reach 101.4, and ten with the $\alpha$ that the validation set prefers 100.5: below the histogram, above the histogram of each class (99.5), whose components were chosen by the labels, and above the Chow–Liu tree. Three numbers beside each other, three kinds of error: the *error over images* says how far a rung would move with another 447 test images, the *spread* how far with another seed, and the *paired* error belongs to the difference from the best rung, image by image.

// %% id="gaussian-waste"
const [drawnOff, imagesOn] = tf.tidy(() => {
  const { pi, mu, logVar } = gaussians.parameters();
  const root = logVar!.mul(0.5).exp().mul(Math.SQRT2);
  const upTo = (edge: number) => tf.sub(edge, mu!).div(root).erf().mul(0.5).add(0.5); // Φ((edge − μ) / σ): [K, D]
  const on = upTo(V).sub(upTo(0)); // the chance that a pixel falls on the scale
  const off = pi!.mul(on.mean(1)).sum().neg().add(1); // one pixel
  return [off.dataSync()[0]!, pi!.mul(on.prod(1)).sum().dataSync()[0]!];
});
const zeros = tf.tidy(() => digits.train.x.equal(0).toFloat().mean().dataSync()[0]!);
table(
  [
    { what: 'training pixels that are exactly 0', value: `${(100 * zeros).toFixed(0)} %` },
    { what: 'pixels that the mixture puts outside [0, 17)', value: `${(100 * drawnOff!).toFixed(0)} %` },
    { what: 'images that it puts wholly inside', value: `${(100 * imagesOn!).toFixed(2)} %` },
    { what: 'what that costs every digit: −ln of it', value: `${-Math.log(imagesOn!).toFixed(1)} nats` },
    { what: 'what they lose to the histogram by', value: `${(of('25 Gaussians, EM') - of('histogram')).toFixed(1)} nats` },
    { what: 'what 24 more Gaussians gained on one', value: `${(of('one Gaussian') - of('25 Gaussians, EM')).toFixed(1)} nats` },
  ],
  { caption: 'Where the 25 Gaussians (EM, the first seed) spend their probability' },
); // prettier-ignore

// %% [markdown] id="known-entropy-text"
// ### Against a known truth
//
// On digits nobody knows the lowest possible number. On a source whose entropy $H$ is known exactly, everybody does: the model's mean negative log-likelihood is $H + \mathrm{KL}[p\,\|\,q]$, so the divergence itself can be read off, and a number below $H$ (by more than chance) would prove a bug. Below, eight hills on a circle, cut into $32 \times 32$ cells so that their entropy is a finite sum, and spread evenly within each cell; the axes count cells. Gaussian mixtures learn them from 2,000 points and are judged on 20,000 others. The last row is no trained model: it has the very Gaussians that the hills were made of, and its divergence is an integral, on a fine grid.

// %% id="known-entropy"
const hillShapes = planeShapes['eight Gaussians'];
const eightHills = dequantisedSource(planeSource(hillShapes));
const [learnt, unseen] = [
  eightHills.sample({ count: 2000, rng: rng.fork('eight hills') }),
  eightHills.sample({ count: 20000, rng: rng.fork('more hills') }),
];
const planeModels = [];
for (const components of [1, 2, 4, 8, 16]) {
  const trainOne = async (start: number) => {
    const here = rng.fork(`plane, K = ${components}, start ${start}`);
    const config = { ...gaussianMixture.defaults, components, eventShape: [2] };
    const model = gaussianMixture.create(config, here.fork('weights'));
    await em(model, { train: { x: learnt } }, { iterations: budgeted(100), rng: here.fork('em'), quiet: true });
    return model;
  };
  // the training likelihood chooses among starts here: 2,000 points are too many to learn by heart
  const [best] = await sweep([1, 2, 3], trainOne, { x: learnt }, rng);
  const { nats, standardError } = evaluate(best!.model, { x: unseen }, rng);
  planeModels.push({ components, model: best!.model, nats, standardError });
}
/** KL of the source to the eight Gaussians that it was made of, before it was cut: 8 × 8 points in every cell. */
const [trueHills] = tf.tidy(() => {
  const ticks = Array.from({ length: 256 }, (_, i) => (i + 0.5) / 8);
  const grid = tf.tensor2d(ticks.flatMap((y) => ticks.map((x) => [x, y])));
  const perCell = 4; // cells in one unit of the plane [−4, 4]²
  const mu = tf.tensor2d(hillShapes.map((hill) => hill.mu.map((v) => (v + 4) * perCell)));
  const logVar = tf.tensor2d(hillShapes.map((hill) => hill.sigma.map((v) => 2 * Math.log(v * perCell))));
  const logQ = tf.logSumExp(logNormalComponents(grid, mu, logVar).sub(Math.log(8)), 1);
  const logP = eightHills.logProb(grid);
  return tf
    .where(logP.greater(-Infinity), logP.exp().mul(logP.sub(logQ)), 0)
    .sum()
    .div(64)
    .dataSync();
});
table(
  [
    ...planeModels.map(({ components, nats, standardError }) => ({
      model: `K = ${components}`,
      '−ln q, nats': nats,
      'KL = −ln q − H': nats - eightHills.entropy,
      'standard error': String(standardError.toFixed(3)),
    })),
    {
      model: 'the true eight',
      '−ln q, nats': trueHills! + eightHills.entropy,
      'KL = −ln q − H': trueHills!,
      'standard error': 'an integral',
    },
  ],
  { caption: `Eight hills, H = ${eightHills.entropy.toFixed(3)} nats`, digits: 3 },
);
const cells = Array.from({ length: 64 }, (_, i) => i / 2 + 0.25);
density2d(
  planeModels
    .filter(({ components }) => components === 4 || components === 8)
    .map(({ components, model }) => ({
      x: cells,
      y: cells,
      title: `K = ${components}`,
      density: tf.tidy(() => {
        const grid = tf.tensor2d(cells.flatMap((y) => cells.map((x) => [x, y])));
        return tf.logSumExp(model.logJoint(grid), 1).exp().dataSync(); // q(x) of each point
      }),
    })),
  tf.tidy(() => unseen.slice([0, 0], [300, 2]).arraySync()) as number[][],
  { title: 'Mixtures with too few components, and with enough' },
);
tf.dispose([learnt, unseen]);

// %% [markdown] id="known-entropy-reading"
// With fewer components than hills, the divergence is the price of the hills that are missing; from eight on it stays. Of the 0.078 nats that are left at $K = 8$, even the true Gaussians pay 0.057, since the source is flat within a cell and they are not. The rest, about 0.02, is the price of estimating from 2,000 points, and eight components more do not lower it.

// %% [markdown] id="new-inputs-text"
// Back to the digits, and to the mixture that the validation set has chosen.
//
// **New inputs.** Which test digits does the model find least likely, and which most? And what does it make of inputs that are no digits, or **out of distribution**? Nobody showed it any; who calls the unlikely odd does **anomaly detection**.

// %% id="new-inputs"
const perExample = evaluate(keptModel, digits.test, rng).perExample;
const ranked = [...perExample.keys()].sort((a, b) => perExample[b]! - perExample[a]!);
const pictures = digits.test.x.arraySync() as number[][];
imageGrid(
  [...ranked.slice(0, 8), ...ranked.slice(-8)].map((n) => pictures[n]!),
  {
    height: 8,
    width: 8,
    columns: 8,
    levels: V,
    titles: [...ranked.slice(0, 8), ...ranked.slice(-8)].map((n) => perExample[n]!.toFixed(0)),
    title: 'Least likely (above) and most likely (below) test digits, in nats',
  },
);
const upsideDown = tf.tidy(() => digits.test.x.reverse(1)); // the picture turned by 180 degrees
const asNoise = tf.tidy(() => rng.fork('noise').uniform([447, 64]).mul(V).floor());
const oddness = perExample[ranked[Math.floor(ranked.length / 10)]!]!; // one test digit in ten is odder than this
table(
  [
    { input: 'test digits', x: digits.test.x },
    { input: 'the same, upside down', x: upsideDown },
    { input: 'uniform noise', x: asNoise },
  ].map(({ input, x }) => {
    const { nats, perExample: each } = evaluate(keptModel, { x }, rng);
    return {
      input,
      nats,
      'odder than 9 in 10 digits, %': (100 * each.filter((v) => v > oddness).length) / each.length,
    };
  }),
  { caption: 'Mean −ln p(x) of other inputs under the same model', digits: 1 },
);

// %% [markdown] id="new-inputs-reading"
// Noise is caught every time. Digits on their heads are odder on average, yet many pass: some, such as 0, 1 and 8, hardly change, and a few tables are a coarse idea of a digit.

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// Ancestral: first $k \sim \boldsymbol\pi$, then $\mathbf{x} \sim p(\mathbf{x} \mid \boldsymbol\theta_k)$. Both draws are exact, and one example costs $O(K + D)$.
//
// ### Exercise: ancestral sampling
//
// For Gaussian components. A categorical draw from uniform noise $u \in [0, 1)$: of the cumulative sums $\pi_1,\; \pi_1 + \pi_2,\; \dots$ up to $\pi_1 + \dots + \pi_{K-1}$, count those that $u$ has reached or passed. That number, $0 \dots K-1$, is the component. Then scale standard normal noise by the **standard deviation** $e^{\lambda/2}$, not by the variance.
//
// All randomness comes from `rng`. Fork it once per purpose, under different labels: the same label gives the same numbers again, and the noise would know the component.

// %% id="sample-mixture"
/**
 * Ancestral sampling: k ~ pi, then x ~ N(mu_k, diag exp logVar_k).
 * @param pi [K], sums to 1 @param mu [K, D] @param logVar [K, D] @returns [count, D]
 */
function sampleMixture(pi: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor, count: number, rng: Rng): tf.Tensor {
  // BEGIN SOLUTION mixture.sample
  const u = rng.fork('component').uniform([count, 1]); // [count, 1]
  const below = pi.cumsum().slice(0, pi.shape[0]! - 1); // [K − 1]: the last sum is 1, and rounding must not pass it
  const k = u.greaterEqual(below.expandDims(0)).sum(1).toInt() as tf.Tensor1D; // [count], 0 … K − 1
  const noise = rng.fork('noise').normal([count, mu.shape[1]!]); // [count, D]
  return tf.gather(mu, k).add(noise.mul(tf.gather(logVar, k).mul(0.5).exp())); // [count, D]
  // END SOLUTION
}

// %% id="check-sample-mixture"
await check('mixture.sample', sampleMixture);

// %% [markdown] id="own-samples-text"
// Yours, from the 25 Gaussians that EM found, brought to grey levels by rounding down; below, the library's draws from the same model, and from the tables.

// %% id="own-samples"
const draw = yours(
  sampleMixture,
  (pi: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor, count: number, noise: Rng): tf.Tensor => {
    const k = categorical(pi.log().expandDims(0).tile([count, 1]), noise.fork('component')) as tf.Tensor1D;
    const scale = tf.gather(logVar, k).mul(0.5).exp();
    return tf.gather(mu, k).add(noise.fork('noise').normal([count, mu.shape[1]!]).mul(scale));
  },
);
const drawn = tf.tidy(() => {
  const { pi, mu, logVar } = gaussians.parameters();
  const samples = draw(pi!, mu!, logVar!, 16, rng.fork('own samples')).floor();
  return samples.clipByValue(0, V - 1).arraySync() as number[][];
});
imageGrid(drawn, { height: 8, width: 8, columns: 16, levels: V, title: `Samples of 25 Gaussians: ${draw.by()}` });

// %% id="samples"
for (const [name, model] of [
  ['25 Gaussians (EM), the library’s draws, rounded down', dequantised(gaussians)],
  [`categorical mixture, K = ${K}`, keptModel],
] as const) {
  const samples = tf.tidy(() =>
    model
      .sample({ count: 16, rng: rng.fork('samples') })
      .clipByValue(0, V - 1)
      .arraySync(),
  ) as number[][];
  imageGrid(samples, { height: 8, width: 8, columns: 16, levels: V, title: `Samples: ${name}` });
}

// %% [markdown] id="samples-reading"
// Grainy, because given the component every pixel is drawn by itself. What a component has learnt is seen better in its mean:

// %% id="component-means"
const means = tf.tidy(() => {
  const { pi, probabilities } = keptModel.parameters(); // [K] and [K, D, V]
  const grey = tf.range(0, V); // [V]
  return { pi: pi!.arraySync() as number[], images: probabilities!.mul(grey).sum(2).arraySync() as number[][] };
});
imageGrid(means.images, {
  height: 8,
  width: 8,
  columns: 5,
  levels: V,
  titles: means.pi.map((p) => p.toFixed(2)),
  title: 'Mean image and weight of each component',
});

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in for this family.

// %% id="card"
card(categoricalMixture.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// A published notebook uses a mixture as the prior of a variational autoencoder. Its samples draw one component for all coordinates, as yours do. Its log-density is the function below. Nothing in it crashes, the loss goes down, and the numbers look plausible.
//
// ### Exercise: repair it
//
// What distribution has this log-density, and why does it still integrate to 1? (So a normalisation test alone does not catch it. Which test does?) Repair it.
//
// The picture after it draws whatever your function says now, for two components at $(-2.5, -2.5)$ and $(2.5, 2.5)$, with 300 points that really come from them. Look at it before you change anything. For these points $-\ln p$ should average $\ln 2 + \ln 2\pi e = 3.53$ nats, the entropy of their source, give or take 0.06.

// %% id="log-mixture"
/**
 * ln Σ_k π_k N(z; mu_k, diag exp logVar_k).
 * @param z [B, D] @param logits [K], π = softmax(logits) @param mu [K, D] @param logVar [K, D] @returns [B]
 */
function logMixture(z: tf.Tensor, logits: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION mixture.logMixture
  // The code that was given draws a k for every coordinate: a product of D one-dimensional mixtures. Each of them
  // integrates to 1, hence so does the product, but it has K^D hills where there should be K.
  const logPi = tf.logSoftmax(logits); // [K]
  const squares = z.expandDims(1).sub(mu.expandDims(0)).square().div(logVar.exp()); // [B, K, D]
  const logNormal = squares
    .add(logVar)
    .add(Math.log(2 * Math.PI))
    .mul(-0.5); // [B, K, D]
  return tf.logSumExp(logNormal.sum(2).add(logPi), 1); // [B]: all D coordinates share one k
  // END SOLUTION
  // BEGIN GIVEN
  // const logPi = tf.logSoftmax(logits).reshape([1, -1, 1]); // [1, K, 1]
  // const squares = z.expandDims(1).sub(mu.expandDims(0)).square().div(logVar.exp()); // [B, K, D]
  // const logNormal = squares.add(logVar).add(Math.log(2 * Math.PI)).mul(-0.5); // [B, K, D]
  // return tf.logSumExp(logNormal.add(logPi), 1).sum(1); // [B]
  // END GIVEN
}

// %% id="log-mixture-picture"
const hills = tf.tensor2d([-2.5, -2.5, 2.5, 2.5], [2, 2]);
const fromHills = tf.tidy(() => {
  const k = tf.tensor1d(
    Int32Array.from({ length: 300 }, (_, n) => n % 2),
    'int32',
  );
  return tf.gather(hills, k).add(rng.fork('hills').normal([300, 2])); // [300, 2]
});
const repaired = (z: tf.Tensor): Float32Array =>
  tf.tidy(() => logMixture(z, tf.zeros([2]), hills, tf.zeros([2, 2])).dataSync() as Float32Array);
const density = repaired(tf.tensor2d(ticks.flatMap((y) => ticks.map((x) => [x, y])))).map(Math.exp);
const integral = density.reduce((sum, p) => sum + p, 0) * (ticks[1]! - ticks[0]!) ** 2;
const meanNats = -repaired(fromHills).reduce((sum, v) => sum + v, 0) / 300;
density2d({ x: ticks, y: ticks, density }, fromHills.arraySync() as number[][], {
  title: `exp logMixture: integral ${integral.toFixed(3)}, −ln p of the points ${meanNats.toFixed(2)} nats`,
});

// %% id="check-log-mixture"
await check('mixture.logMixture', logMixture);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now: one iteration of EM over the 1,000 training images (E, M, and the likelihood that it reports), and one image drawn, by number of components. The first should grow in proportion to $K$, the second hardly at all, as the card says; small sizes show the fixed cost of each call instead. The last column counts what the code stores: logits, one more for each table than there are free parameters.

// %% id="measure-costs"
const costs = [];
for (const components of [5, 10, 20, 40]) {
  const model = categoricalMixture.create({ ...categoricalMixture.defaults, components }, rng.fork('cost'));
  const { milliseconds, history } = await em(
    model,
    { train: digits.train },
    {
      iterations: 3,
      tolerance: 0,
      rng: rng.fork('cost run'),
      quiet: true,
    },
  );
  model.sample({ count: 500, rng: rng.fork('warm up') }).dispose(); // the first call of anything is slower
  const started = performance.now();
  model.sample({ count: 500, rng: rng.fork('cost samples') }).dispose();
  costs.push({
    components,
    'EM, ms per iteration': milliseconds / history.length,
    'sampling, ms per image': (performance.now() - started) / 500,
    weights: components * (1 + D * V),
  });
}
table(costs, { caption: 'Cost of the categorical mixture', digits: 2 });

// %% [markdown] id="failures"
// ## Where it fails
//
// **A component can collapse onto a single point.** Without a floor on the variance, the likelihood of a Gaussian mixture has no maximum: put one mean on a training point and let its variance go to zero; the density at that point grows without end, while another component looks after the rest. Two components and ten points are enough, and with ten components each point can have one to itself. The validation set says what that is worth.
//
// ### Predict: what it gains
//
// The table below lowers the floor tenfold, and tenfold again, for two components on ten points of the plane (one of the two alone on its point) and for ten. *Before* you run it: how many nats does the training likelihood gain, per point, each time? Write your prediction as a function of the numbers it depends on. The check comes after the table.

// %% id="collapse-gain"
/**
 * What the mean training log-likelihood gains when the floor of the variance is divided by `factor`.
 * @param points how many there are @param alone how many of them have a component of their own @param D dimensions
 * @returns nats per point
 */
function collapseGain(points: number, alone: number, D: number, factor: number): number {
  // BEGIN SOLUTION mixture.collapseGain
  // at its mean, ln N is −½ ln(2π σ²) in each coordinate: a variance divided by the factor adds ½ ln of it
  return (alone / points) * (D / 2) * Math.log(factor);
  // END SOLUTION
}

// %% id="failure-collapse"
const few = { train: { x: clusters.slice(0, 10) }, validation: { x: clusters.slice(10) } };

/** EM on the ten points, from a start in which point n belongs to component owners[n]. */
async function collapse(owners: readonly number[], varianceFloor: number) {
  const components = Math.max(...owners) + 1;
  const config = { ...gaussianMixture.tiny.config, components, varianceFloor, pseudoCount: 0 };
  const model = gaussianMixture.create(config, rng.fork('collapse'));
  tf.tidy(() => model.mStep(few.train.x, tf.oneHot(tf.tensor1d([...owners], 'int32'), components).toFloat()));
  await em(
    model,
    { train: few.train },
    { iterations: 50, start: 'weights', rng: rng.fork('collapse run'), quiet: true },
  );
  return { train: evaluate(model, few.train, rng).nats, validation: evaluate(model, few.validation, rng).nats };
}

const collapses = [];
for (const varianceFloor of [0.01, 0.001, 0.0001]) {
  const two = await collapse([0, 1, 1, 1, 1, 1, 1, 1, 1, 1], varianceFloor);
  const ten = await collapse([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], varianceFloor);
  collapses.push({
    'variance floor': String(varianceFloor),
    'two: training': two.train,
    'two: validation': two.validation,
    'ten: training': ten.train,
    'ten: validation': ten.validation,
  });
}
table(collapses, { caption: 'Two and ten Gaussians on ten points: nats per point', digits: 2 });

// %% id="check-collapse-gain"
await check('mixture.collapseGain', collapseGain);

// %% [markdown] id="failure-symmetry-text"
// **Equal components stay equal.** The names of the components mean nothing: exchange two of them and the likelihood is the same (**label switching**; the parameters are **not identifiable**). So every maximum comes $K!$ times, and between them lie places where components are alike.
//
// ### Predict: how many tables are left
//
// EM with $\alpha = 0$ starts from responsibilities $r_{nk}$, a row for every example and a column for every component. From some starts it never tells some of the components apart, however long it runs. *Before* you run the table: given the start, how many *different* tables $\boldsymbol\vartheta_k$ can there be after many iterations, if nothing in the data makes two alike? (The sizes $\pi_k$ do not count: two components of different sizes with the same table are one table.)

// %% id="tables-left"
/**
 * How many different tables EM ends with, without pseudo-counts.
 * @param start r_nk: [N][K], positive, rows sum to 1 @returns 1 … K
 */
function tablesLeft(start: readonly (readonly number[])[]): number {
  // BEGIN SOLUTION mixture.tablesLeft
  // A table is a weighted count over its sum, so a factor that a whole column has cancels; and columns in proportion
  // give posteriors in proportion, for ever.
  const distinct = new Set<string>();
  for (const k of start[0]!.keys()) {
    const total = start.reduce((sum, row) => sum + row[k]!, 0);
    distinct.add(start.map((row) => row[k]!).map((value) => (value / total).toPrecision(9)).join()); // prettier-ignore
  }
  return distinct.size;
  // END SOLUTION
}

// %% id="failure-symmetry"
const symmetry = [];
for (const [name, spread] of [
  ['equal', 0],
  ['equal up to 0.0001', 1e-4],
  ['random', 3],
] as const) {
  const model = categoricalMixture.create(categoricalMixture.defaults, rng.fork('symmetry'));
  tf.tidy(() => model.mStep(digits.train.x, tf.softmax(rng.fork('nudge').normal([1000, 5]).mul(spread))));
  const options = {
    iterations: 10,
    start: 'weights',
    tolerance: -1,
    rng: rng.fork('symmetry run'),
    quiet: true,
  } as const;
  const { history } = await em(model, { train: digits.train }, options);
  const after = [1, 2, 4, 7, 10].map((iteration) => [`after ${iteration}`, history[iteration - 1]!.loss] as const);
  symmetry.push({ start: name, ...Object.fromEntries(after) });
}
table(symmetry, { caption: 'Categorical mixture, K = 5: training nats per image by iteration of EM', digits: 2 });

// %% id="check-tables-left"
await check('mixture.tablesLeft', tablesLeft);

// %% [markdown] id="failures-more"
// Started alike, five components are one for ever: gradients do not help either, for equal components have equal gradients. It is no maximum, though, only a point where nothing pulls either way: a start that differs by one part in ten thousand gets away after a few iterations. This is why every start of EM has to tell the components apart.
//
// **EM stops at a local optimum.** Strictly, where the likelihood is stationary (Wu, 1983): the table above shows one such place that is no peak. The tables of section 5 show the usual case: same data, same model, other starts, other ends.
//
// **It needs a component for every combination.** Two independent strokes with three styles each are nine components: a mixture has no way to say "this part like that one, the other part like another". Circuits (chapter 4) mix at every level; latent variable models (chapter 8) let many latent numbers vary at once.
//
// ### Sources
//
// A. Dempster, N. Laird, D. Rubin, *Maximum likelihood from incomplete data via the EM algorithm*, JRSS B 39 (1977). C. F. J. Wu, *On the convergence properties of the EM algorithm*, Annals of Statistics 11 (1983). G. McLachlan, D. Peel, *Finite Mixture Models* (2000). C. Bishop, *Pattern Recognition and Machine Learning* (2006), chapter 9. L. Theis, A. van den Oord, M. Bethge, *A note on the evaluation of generative models*, ICLR 2016. L. Breiman, J. Friedman, R. Olshen, C. Stone, *Classification and Regression Trees* (1984). J. Tomczak, *Deep Generative Modeling* (2024), chapter 2; the bug is in the priors of its companion notebooks (github.com/jmtomczak/intro_dgm).
