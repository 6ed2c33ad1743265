// %% [markdown] id="title"
// # 8 Latent variables and variational auto-encoders
//
// Somebody who draws a digit decides first *which* digit, how slanted, how thick, and then moves the pen. A **latent-variable model** does the same: it draws a control signal $\mathbf{z}$ that nobody sees, then data that $\mathbf{z}$ controls,
//
// $$p(\mathbf{x}) = \int p(\mathbf{x} \mid \mathbf{z})\, p(\mathbf{z})\, \mathrm{d}\mathbf{z}.$$
//
// Sampling is two draws. The likelihood is an integral, and this chapter is about that integral: a model in which it can be done (probabilistic PCA), and the bound that stands in for it everywhere else, by which **variational auto-encoders** are trained. By the end you have derived the one, written the other, trained it, tightened it, seen latents collapse and be cured, drawn from a sphere, and found a published mistake that reports likelihoods above the likelihood. Everything printed below was computed by running this file (`npm run solutions -- 08`; what is kept in the workbook, with `--budget full`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adamW,
  baselines,
  budgeted,
  card,
  categoricalValues,
  chowLiuBaseline,
  convolutionalVae,
  createRng,
  denseDecoderNetwork,
  denseEncoder,
  density2d,
  dequantised,
  drawVonMisesFisher,
  em,
  evaluate,
  figure,
  fit,
  fullBudget,
  gaussianPosterior,
  grammarSource,
  hypersphericalVae,
  imageGrid,
  importanceBound,
  klNormal,
  ladder,
  load,
  logCategorical,
  logMeanExp,
  logNormal,
  lossCurve,
  negativeLogLikelihood,
  pixelVae,
  ppca,
  refine,
  rungsOf,
  sentenceVae,
  table,
  vae,
  type GenerativeModel,
  type Rng,
  type TrainingData,
  type VariationalModel,
} from 'dgm';
import { compiled, type CompiledFunction } from 'dgm/engine';

const rng = createRng(8); // the one seed of this chapter
const digits = load('digits');
const V = digits.values; // 17 grey levels
const rowsOf = (x: tf.Tensor) => x.arraySync() as number[][];
const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
const errorOf = (values: ArrayLike<number>) => {
  const mean = meanOf(values);
  const squares = Array.from(values, (v) => (v - mean) ** 2);
  return Math.sqrt(meanOf(squares) / Math.max(1, values.length - 1));
};

interface TrainingOptions {
  readonly epochs: number;
  readonly learningRate?: number;
  readonly weightDecay?: number;
  readonly clipNorm?: number;
  readonly batchSize?: number;
  readonly patience?: number;
}

/** One way of training for all models of this chapter; section 4 gives the reasons. */
async function train<Model extends GenerativeModel>(
  model: Model,
  data: TrainingData,
  here: Rng,
  { epochs, learningRate = 0.003, weightDecay = 0.01, clipNorm = 100, batchSize = 50, patience = 15 }: TrainingOptions,
) {
  const optimiser = adamW(learningRate, { weightDecay, clipNorm });
  const run = await fit(model, data, { epochs, batchSize, optimiser, ema: 0.99, patience, rng: here, quiet: true });
  return { model, run };
}

const encoders = new Map<VariationalModel, CompiledFunction>();
/** What q(z | x) is like, compiled once for each model: its mean, [B, L], and in closed form KL[q(z | x) ‖ p(z)], [B]. */
function posteriorsOf(model: VariationalModel, x: tf.Tensor): { mean: tf.Tensor; kl: tf.Tensor } {
  const { posterior } = model;
  const make = () =>
    compiled(([events]) => {
      const h = model.encode(events!);
      return [posterior.mean(h), posterior.kl!(h).sum(1)];
    });
  const encoder = encoders.get(model) ?? make();
  encoders.set(model, encoder);
  const [mean, kl] = encoder([x], rng) as [tf.Tensor, tf.Tensor];
  return { mean, kl };
}
const meansOf = (model: VariationalModel) => (x: tf.Tensor) => posteriorsOf(model, x).mean;
/** What z says of x, averaged over examples. */
const klOf = (model: VariationalModel, x: tf.Tensor) => meanOf(posteriorsOf(model, x).kl.dataSync());
/** The mean picture of each z, compiled. */
const decoded = (model: VariationalModel, z: tf.Tensor) => compiled(([h]) => [model.decoder.mean!(h!)])([z], rng)[0]!;

// %% [markdown] id="why"
// ## Why latents: a map of the digits
//
// Two numbers $\mathbf{z} = (z_1, z_2)$, drawn from a round Gaussian, and a network that turns them into a digit. Nobody told the network what a digit is, or that there are ten of them; it saw a thousand pictures. Below, the mean picture for every point of a grid in the plane of $\mathbf{z}$: neighbours look alike, and in between one digit turns into another. This is what latents are for: 64 pixels, put in order by two numbers.

// %% id="why-picture"
const flat = { ...vae.defaults, latent: 2, hidden: [128, 128], dropout: 0.1 };
const atlasRun = await train(vae.create(flat, rng.fork('map')), digits, rng.fork('map run'), {
  epochs: budgeted(30, 120),
});
const atlas = atlasRun.model;
const across = Array.from({ length: 15 }, (_, i) => (i - 7) / 3.5); // −2 … 2
const lattice = tf.tensor2d(across.flatMap((_, i) => across.map((a) => [a, across[14 - i]!])));
imageGrid(rowsOf(decoded(atlas, lattice)), {
  height: 8,
  width: 8,
  columns: 15,
  levels: V,
  title: 'z₁ from −2 to 2 to the right, z₂ upwards',
});

// %% [markdown] id="family"
// ## 1 Family
//
// To **marginalise** is to sum a variable out; $p(\mathbf{x})$ is called the *marginal likelihood*, or **evidence**. The latents' distribution $p(\mathbf{z})$ is the **prior**, $p(\mathbf{x} \mid \mathbf{z})$ the **decoder** (in statistics, the *observation model*), and $p(\mathbf{z} \mid \mathbf{x}) = p(\mathbf{x} \mid \mathbf{z})\, p(\mathbf{z}) / p(\mathbf{x})$ the **posterior**: what a picture tells about its latents.
//
// **The one case in which the integral is easy.** Let everything be linear and Gaussian,
//
// $$\mathbf{z} \sim \mathcal{N}(\mathbf{0}, \mathbf{I}_L), \qquad \mathbf{x} = \mathbf{W} \mathbf{z} + \boldsymbol\mu + \sigma \boldsymbol\varepsilon, \quad \boldsymbol\varepsilon \sim \mathcal{N}(\mathbf{0}, \mathbf{I}_D).$$
//
// A sum of independent Gaussians is Gaussian, and their covariances add up: $\mathbf{x} \sim \mathcal{N}(\boldsymbol\mu, \mathbf{W}\mathbf{W}^\top + \sigma^2 \mathbf{I})$. This is **probabilistic PCA** (Tipping and Bishop, 1999). Its best weights have a closed form: with the eigenvalues $\lambda_1 \ge \lambda_2 \ge \dots$ of the data's covariance, $\sigma^2$ is the mean of those that are left out, and the columns of $\mathbf{W}$ are the first $L$ eigenvectors, of lengths $\sqrt{\lambda_l - \sigma^2}$. So the columns are orthogonal.
//
// ### Exercise: derive its density
//
// $\mathbf{C} = \mathbf{W}\mathbf{W}^\top + \sigma^2 \mathbf{I}$ has $D^2$ entries, and nobody wants its inverse. The columns of $\mathbf{W}$ are orthogonal: along which directions does $\mathbf{C}$ stretch, and by how much? Write $\ln p(\mathbf{x})$ without any matrix of $D \times D$. (A column may also be $\mathbf{0}$.)

// %% id="marginal"
/**
 * ln N(x; mu, W Wᵀ + σ² I) for a W whose columns are orthogonal.
 * @param x [B, D] @param W [D, L], L < D or L = D @param mu [D] @param logVar ln σ² @returns [B], in nats
 */
function logMarginalLinear(x: tf.Tensor, W: tf.Tensor, mu: tf.Tensor, logVar: number): tf.Tensor {
  // BEGIN SOLUTION vae.marginal
  const [D, L] = W.shape as [number, number];
  const noise = Math.exp(logVar);
  const residual = x.sub(mu); // [B, D]
  const variances = W.square().sum(0).add(noise); // [L]: of the data, along each column
  const explained = residual.matMul(W).square().div(variances).sum(1); // [B]
  const distance = residual.square().sum(1).sub(explained).div(noise); // [B]: rᵀ C⁻¹ r
  const logDet = variances
    .log()
    .sum()
    .add((D - L) * logVar); // the other directions have the noise alone
  return distance
    .add(logDet)
    .add(D * Math.log(2 * Math.PI))
    .mul(-0.5);
  // END SOLUTION
}

// %% id="check-marginal"
await check('vae.marginal', logMarginalLinear);

// %% [markdown] id="own-marginal-text"
// **Your density**, in the plane, with one column $\mathbf{w}$ and less and less noise: a round cloud becomes a line. Below it, pPCA on the digits, whose integers got uniform noise (chapter 6), by its closed form: the library's likelihood, and yours at the same weights.

// %% id="own-marginal"
/** Another way: the variance of every direction that is left is that of the noise. */
const ownMarginal = yours(logMarginalLinear, (x: tf.Tensor, W: tf.Tensor, mu: tf.Tensor, logVar: number) =>
  tf.tidy(() => {
    const sizes = W.norm(2, 0, true).maximum(1e-12); // [1, L]
    const shifted = x.sub(mu);
    const inside = shifted.matMul(W.div(sizes)); // [B, L], coordinates along the columns
    const wide = logNormal(inside, tf.scalar(0), sizes.square().add(Math.exp(logVar)).log());
    const rest = shifted.square().sum(1).sub(inside.square().sum(1));
    const left = x.shape[1]! - W.shape[1]!;
    return wide.sub(rest.div(2 * Math.exp(logVar))).sub((left / 2) * (logVar + Math.log(2 * Math.PI)));
  }),
);
const tickMarks = Array.from({ length: 61 }, (_, i) => (i - 30) / 10);
const plane = tf.tensor2d(tickMarks.flatMap((b) => tickMarks.map((a) => [a, b])));
density2d(
  [1, 0.2, 0.03].map((variance) => ({
    x: tickMarks,
    y: tickMarks,
    density: tf.tidy(() =>
      ownMarginal(plane, tf.tensor2d([[1], [0.6]]), tf.tensor1d([0, 0]), Math.log(variance)).exp().dataSync(),
    ),
    title: `σ² = ${variance}`,
  })),
); // prettier-ignore

// %% id="own-pca"
const noisy = (x: tf.Tensor, label: string) => tf.tidy(() => x.add(rng.fork(label).uniform(x.shape)));
const smooth = { train: noisy(digits.train.x, 'train'), validation: noisy(digits.validation.x, 'validation') };
const linear = (latent: number) => {
  const model = ppca.create({ ...ppca.defaults, latent }, rng.fork(`ppca ${latent}`));
  model.closedForm(smooth.train);
  return model;
};
const widths = [2, 4, 8, 16, 24, 32];
const linears = widths.map(linear);
const byWidth = linears.map((model, i) => {
  const { w, mu, variance } = model.parameters();
  const own = tf.tidy(() => ownMarginal(smooth.validation, w, mu, Math.log(variance.dataSync()[0]!)).neg().mean().dataSync()[0]!);
  return {
    L: widths[i]!,
    'σ²': variance.dataSync()[0]!,
    train: evaluate(model, { x: smooth.train }, rng).nats,
    validation: evaluate(model, { x: smooth.validation }, rng).nats,
    [`validation, ${ownMarginal.by()}`]: own,
  };
}); // prettier-ignore
const bestWidth = byWidth.reduce((best, row, i) => (row.validation < byWidth[best]!.validation ? i : best), 0);
const widest = linears[bestWidth]!;
table(byWidth, {
  caption: 'Probabilistic PCA on the digits, closed form: nats per image, a bound by one draw of noise',
  digits: 2,
});

// %% [markdown] id="em-text"
// **EM gets there, too** (chapter 3). E-step: the posterior of every $\mathbf{z}$. M-step: a linear regression of $\mathbf{x}$ on these. No step goes down, and no eigenvector is computed.

// %% id="em"
const closed = linears[1]!; // L = 4
const climbing = ppca.create({ ...ppca.defaults, latent: 4 }, rng.fork('climbing'));
const climb = await em(
  climbing,
  { train: { x: smooth.train } },
  { iterations: budgeted(40), tolerance: -1, rng: rng.fork('em'), quiet: true },
);
const limit = evaluate(closed, { x: smooth.train }, rng).nats;
figure(
  [
    { x: climb.history.map(({ epoch }) => epoch), y: climb.history.map(({ loss }) => loss - limit), mode: 'lines+markers', name: 'EM' },
  ],
  {
    title: `EM on its way to the closed form (${limit.toFixed(2)} nats per training image)`,
    xaxis: { title: 'iteration' },
    yaxis: { title: 'nats above the closed form', type: 'log' },
  },
  { height: 300, alt: 'A curve that falls by orders of magnitude towards the likelihood of the closed form' },
); // prettier-ignore

// %% [markdown] id="posterior-text"
// **The posterior** is Gaussian, too: as a function of $\mathbf{z}$, $\ln p(\mathbf{z}) + \ln p(\mathbf{x} \mid \mathbf{z})$ is quadratic. With orthogonal columns it falls apart into one term for each coordinate of $\mathbf{z}$.
//
// ### Exercise: derive the posterior
//
// Collect the terms with $z_l$, and complete the square. The columns are orthogonal again, and may be $\mathbf{0}$: what does the data say about such a coordinate?

// %% id="posterior"
/**
 * p(z | x) of the same model: Gaussian, and independent in each coordinate.
 * @param x [B, D] @param W [D, L], orthogonal columns @param mu [D] @param logVar ln σ²
 * @returns its mean, mu [B, L], and the logarithm of its variance, logVar [B, L]
 */
function posteriorLinear(
  x: tf.Tensor,
  W: tf.Tensor,
  mu: tf.Tensor,
  logVar: number,
): { mu: tf.Tensor; logVar: tf.Tensor } {
  // BEGIN SOLUTION vae.posterior
  const variances = W.square().sum(0).add(Math.exp(logVar)); // [L]
  const mean = x.sub(mu).matMul(W).div(variances); // [B, L]
  const spread = tf.sub(logVar, variances.log()); // [L], the same for every x
  return { mu: mean, logVar: tf.zerosLike(mean).add(spread) };
  // END SOLUTION
}

// %% id="check-posterior"
await check('vae.posterior', posteriorLinear);

// %% [markdown] id="own-posterior-text"
// **A posterior over its prior.** One latent, one number $x = z + \sigma\varepsilon$, and $x = 1.5$ was seen. The posterior lies between the prior, which says 0, and the data, which say 1.5; the more noise, the more the prior decides. With much noise the posterior *is* the prior, and $\mathbf{z}$ says nothing about $\mathbf{x}$. Keep that picture in mind: it is the end state of many a VAE.

// %% id="own-posterior"
const ownPosterior = yours(posteriorLinear, (x: tf.Tensor, W: tf.Tensor, mu: tf.Tensor, logVar: number) =>
  tf.tidy(() => {
    const precision = W.square().sum(0).mul(Math.exp(-logVar)).add(1); // [L]
    const pull = x.sub(mu).matMul(W).mul(Math.exp(-logVar));
    const center = pull.div(precision);
    return { mu: center, logVar: center.mul(0).sub(precision.log()) };
  }),
);
const zs = Array.from({ length: 241 }, (_, i) => -3 + i / 40);
const bell = (z: number, mean: number, logVar: number) =>
  Math.exp(-((z - mean) ** 2) / (2 * Math.exp(logVar)) - logVar / 2) / Math.sqrt(2 * Math.PI);
figure(
  [
    { x: zs, y: zs.map((z) => bell(z, 0, 0)), mode: 'lines', name: 'prior', line: { dash: 'dot', width: 3 } },
    ...[0.2, 0.5, 1, 4].map((sigma) => {
      const { mu, logVar } = ownPosterior(tf.tensor2d([[1.5]]), tf.tensor2d([[1]]), tf.tensor1d([0]), 2 * Math.log(sigma));
      const [m, v] = [mu.dataSync()[0]!, logVar.dataSync()[0]!];
      return { x: zs, y: zs.map((z) => bell(z, m, v)), mode: 'lines', name: `σ = ${sigma}` };
    }),
  ],
  { title: `p(z | x = 1.5): ${ownPosterior.by()}`, xaxis: { title: 'z' }, yaxis: { title: 'density' } },
  { height: 340, alt: 'The prior, and posteriors that are the wider and the nearer to it the more noise there is' },
); // prettier-ignore

// %% [markdown] id="linear-collapse-text"
// **How much a latent says.** The mean over the data of KL[posterior ‖ prior] is what coordinate $l$ tells about $\mathbf{x}$, in nats. At the best $\mathbf{W}$ for a *given* noise $\sigma^2$ it is (with $\lambda_l = \|\mathbf{w}_l\|^2 + \sigma^2$, and $\mathbb{E}\,\mathrm{mean}^2 = 1 - \sigma^2 / \lambda_l$)
//
// $$\tfrac12 \Bigl[ \tfrac{\sigma^2}{\lambda_l} + 1 - \tfrac{\sigma^2}{\lambda_l} - 1 - \ln \tfrac{\sigma^2}{\lambda_l} \Bigr] = \tfrac12 \ln \frac{\lambda_l}{\sigma^2} \quad \text{if } \lambda_l > \sigma^2, \text{ else } 0.$$
//
// So latents die one after the other as the decoder puts more down to noise, without any fault of training (Lucas et al., 2019). Below: the digits' eigenvalues, and how many of the 63 possible latents are alive.

// %% id="linear-collapse"
const { w: allColumns, variance: leftOver } = linear(63).parameters(); // all that pPCA of 64 pixels can have
const eigenvalues = Array.from(tf.tidy(() => allColumns.square().sum(0).add(leftOver)).dataSync()).sort(
  (a, b) => b - a,
);
figure(
  [0.5, 2, 8, 32, 128].map((noise) => {
    const told = eigenvalues.map((value) => Math.max(0, 0.5 * Math.log(value / noise)));
    return {
      x: told.map((_, l) => l + 1),
      y: told,
      mode: 'lines+markers',
      name: `σ² = ${noise}: ${told.filter((nats) => nats > 0.01).length}`,
    };
  }),
  { title: 'What latents say, and how many are alive', xaxis: { title: 'latent of pPCA' }, yaxis: { title: 'mean KL, nats' } },
  { height: 340, alt: 'KL by latent for five levels of noise: the curves reach 0 the sooner the more noise' },
); // prettier-ignore

// %% [markdown] id="rotation-text"
// **Which latents?** For any rotation $\mathbf{R}$, $\mathbf{W}\mathbf{R}$ is the same model: $\mathbf{W}\mathbf{R}\mathbf{R}^\top\mathbf{W}^\top = \mathbf{W}\mathbf{W}^\top$. The likelihood cannot tell them apart; the axes of $\mathbf{z}$ are **not identifiable**, and to read meaning into a single coordinate is to read it into a coin toss. But whoever insists on posteriors that are *independent in each coordinate*, as VAEs do, pays for a rotation that makes them dependent: the best diagonal Gaussian for a posterior of precision $\boldsymbol\Lambda$ has the variances $1/\Lambda_{ll}$, and its KL is $\frac12 (\sum_l \ln \Lambda_{ll} - \ln |\boldsymbol\Lambda|)$. Below for the first and the tenth component of the digits, with noise of the size of the 32nd eigenvalue: this price picks the axes out, up to order and signs (Rolinek, Zietlow and Martius, 2019).

// %% id="rotation"
const [first, tenth, noise32] = [eigenvalues[0]!, eigenvalues[9]!, eigenvalues[31]!];
const angles = Array.from({ length: 91 }, (_, i) => 2 * i);
const priceOf = (noise: number) =>
  angles.map((degrees) => {
    const [c, s] = [Math.cos((degrees * Math.PI) / 180) ** 2, Math.sin((degrees * Math.PI) / 180) ** 2];
    const [a, b] = [first / noise, tenth / noise]; // precisions 1 + |w|²/σ² along the axes
    return 0.5 * Math.log(((c * a + s * b) * (s * a + c * b)) / (a * b));
  });
figure(
  [{ x: angles, y: priceOf(noise32), mode: 'lines', name: 'KL of the best diagonal posterior' }],
  { xaxis: { title: 'rotation of z, degrees' }, yaxis: { title: 'nats below ln p(x)', rangemode: 'tozero' } },
  { height: 280, alt: 'A price that is 0 at multiples of 90 degrees, and largest at 45' },
);

// %% [markdown] id="network"
// ## 2 Network
//
// Lines are not enough for digits. Let $p(\mathbf{x} \mid \mathbf{z})$ be any distribution of the pixels whose parameters a network reads off $\mathbf{z}$: the **decoder**. Pixels are independent *given* $\mathbf{z}$; all that ties them together has to go through $\mathbf{z}$. Which distribution depends on the pixels:
//
// | pixels | $p(x_d \mid \mathbf{z})$ | numbers a pixel |
// |---|---|---|
// | 0 or 1 | Bernoulli | a logit |
// | $V$ grey levels | categorical: any table | $V$ logits |
// | $V$ grey levels | discretised logistic: a bump (chapter 7), its ends taking what lies beyond | mean, scale |
// | real numbers | Gaussian | mean, variance |
//
// Now the integral has no closed form, and neither has the posterior. A second network is trained to guess it from $\mathbf{x}$, the **encoder**: $q(\mathbf{z} \mid \mathbf{x}) = \mathcal{N}(\boldsymbol\mu(\mathbf{x}), \mathrm{diag}\,\boldsymbol\sigma^2(\mathbf{x}))$. One network for all $\mathbf{x}$ in place of an optimisation for each is called **amortised** inference. Below, dense networks with some hundred units, and convolutions with residual blocks. A dense decoder with a table of 17 logits for each of 64 pixels would have most of its weights in its last layer and learn a thousand pictures by heart; here pixels share one small table.

// %% [markdown] id="objective"
// ## 3 Objective
//
// Draw $\mathbf{z}$ from any $q$ that is nowhere 0 where $p(\mathbf{x}, \mathbf{z})$ is not, and weigh it: $p(\mathbf{x}) = \mathbb{E}_{q} [w]$ with $w = p(\mathbf{x}, \mathbf{z}) / q(\mathbf{z} \mid \mathbf{x})$. That is **importance sampling**, and exact. The logarithm spoils it. It is concave, so a chord lies below the curve (**Jensen's inequality**; chapter 2):
//
// $$\ln p(\mathbf{x}) = \ln \mathbb{E}_q [w] \;\ge\; \mathbb{E}_q [\ln w] = \underbrace{\mathbb{E}_q \ln p(\mathbf{x} \mid \mathbf{z})}_{\text{reconstruction}} - \underbrace{\mathrm{KL}[q(\mathbf{z} \mid \mathbf{x}) \,\|\, p(\mathbf{z})]}_{\text{price of the code}},$$
//
// the **evidence lower bound** (ELBO). How much is lost? Put $p(\mathbf{x}, \mathbf{z}) = p(\mathbf{z} \mid \mathbf{x})\, p(\mathbf{x})$ into $\ln w$, and take the expectation:
//
// $$\ln p(\mathbf{x}) - \mathrm{ELBO} = \mathrm{KL}[q(\mathbf{z} \mid \mathbf{x}) \,\|\, p(\mathbf{z} \mid \mathbf{x})].$$
//
// Nothing, if $q$ is the posterior: then all weights are equal, and a chord between two equal points is a point. To raise the bound by the encoder is to bring $q$ to the posterior; by the decoder, to raise the likelihood, or to make posteriors easier for $q$.

// %% id="jensen"
const weightsShown = [0.4, 3.6] as const;
const ws = Array.from({ length: 200 }, (_, i) => 0.15 + i / 50);
const middle = (weightsShown[0] + weightsShown[1]) / 2;
const chord = (Math.log(weightsShown[0]) + Math.log(weightsShown[1])) / 2;
figure(
  [
    { x: ws, y: ws.map(Math.log), mode: 'lines', name: 'ln w' },
    { x: [...weightsShown], y: weightsShown.map(Math.log), mode: 'lines+markers', name: 'two weights, equally likely', line: { dash: 'dot' }, marker: { size: 9 } },
    { x: [middle], y: [Math.log(middle)], mode: 'markers', name: 'ln E w: the likelihood', marker: { size: 12, symbol: 'triangle-up' } },
    { x: [middle], y: [chord], mode: 'markers', name: 'E ln w: the bound', marker: { size: 12, symbol: 'triangle-down' } },
    { x: [middle, middle], y: [chord, Math.log(middle)], mode: 'lines', name: `the gap: ${(Math.log(middle) - chord).toFixed(2)} nats`, line: { width: 4 } },
  ],
  { xaxis: { title: 'weight w = p(x, z) / q(z | x)' }, yaxis: { title: 'nats' } },
  { height: 360, alt: 'The logarithm, a chord below it between two weights, and the gap between curve and chord at their mean' },
); // prettier-ignore

// %% [markdown] id="elbo-text"
// **One draw is enough** to estimate the bound without bias, and the KL has a closed form (chapter 2). For the gradient, the draw is **reparametrised** as in chapter 2, $\mathbf{z} = \boldsymbol\mu + \boldsymbol\sigma \odot \boldsymbol\varepsilon$, so that it reaches the encoder through $\mathbf{z}$.
//
// ### Exercise: encode, draw, decode
//
// Both terms, for a categorical decoder. Every example draws noise of its own.

// %% id="elbo"
/**
 * Both terms of the ELBO, by one draw of z for each example.
 * @param x integers 0 … V − 1, [B, D] @param encode [B, D] → [B, 2L], first all μ, then all ln σ²
 * @param decode [B, L] → logits [B, D, V] @param rng the one source of noise
 * @returns ln p(x | z), reconstruction [B], and KL[q(z | x) ‖ N(0, I)], kl [B], both in nats
 */
function elboTerms(
  x: tf.Tensor,
  encode: (x: tf.Tensor) => tf.Tensor,
  decode: (z: tf.Tensor) => tf.Tensor,
  rng: Rng,
): { reconstruction: tf.Tensor; kl: tf.Tensor } {
  // BEGIN SOLUTION vae.elbo
  const [mu, logVar] = tf.split(encode(x), 2, 1) as [tf.Tensor, tf.Tensor]; // [B, L] each
  const deviation = logVar.div(2).exp();
  const z = mu.add(deviation.mul(rng.normal(mu.shape)));
  const reconstruction = logCategorical(x, decode(z));
  return { reconstruction, kl: klNormal(mu, logVar) };
  // END SOLUTION
}

// %% id="check-elbo"
await check('vae.elbo', elboTerms);

// %% [markdown] id="own-elbo-text"
// **Your VAE.** Dense networks with random weights, trained by *your* two terms, and by the library's from the same weights for as long. Further below stands your row on the ladder.

// %% id="own-elbo"
const q8 = gaussianPosterior(8);
const ownTerms = yours(elboTerms, (x: tf.Tensor, encode: (x: tf.Tensor) => tf.Tensor, decode: (z: tf.Tensor) => tf.Tensor, noise: Rng) => {
  const h = encode(x);
  const { z } = q8.draw(h, noise);
  return { reconstruction: categoricalValues(V).logProb(x, decode(z)), kl: q8.kl!(h).sum(1) };
}); // prettier-ignore
const narrow = { ...vae.defaults, latent: 8, hidden: [128, 128], dropout: 0.2 };
/** A VAE of the library's networks, whose bound is made of those terms. */
function vaeOf(terms: typeof elboTerms, here: Rng): GenerativeModel {
  const encoder = denseEncoder(narrow, 16, here.fork('encoder'));
  const network = denseDecoderNetwork(narrow, V, here.fork('decoder'));
  const bound = (x: tf.Tensor, noise: Rng, training?: Rng) => {
    const encode = (events: tf.Tensor) => encoder.apply(events, training?.fork('encoder'));
    const { reconstruction, kl } = terms(x, encode, (z) => network.apply(z, training?.fork('decoder')), noise);
    return reconstruction.sub(kl);
  };
  const variables = [...encoder.variables, ...network.variables];
  return {
    eventShape: [64],
    likelihood: { kind: 'lower-bound', logProb: (x, noise) => tf.tidy(() => bound(x, noise)) },
    objectives: [
      {
        name: 'negative bound',
        estimates: 'other', // dropout makes another decoder at every step
        variables,
        loss: ({ x }, noise) => tf.tidy(() => bound(x, noise.fork('z'), noise).mean().neg()),
      },
    ],
    sample: ({ count, rng: noise }) =>
      tf.tidy(() => categoricalValues(V).sample(network.apply(noise.fork('z').normal([count, 8])), noise.fork('x'))),
  };
}
const byOwn = vaeOf(ownTerms, rng.fork('own vae'));
const ownRun = await train(byOwn, digits, rng.fork('own run'), { epochs: budgeted(20, 80) });
const libraryTerms = (...[x, encode, decode, noise]: Parameters<typeof elboTerms>) => {
  const h = encode(x);
  return { reconstruction: categoricalValues(V).logProb(x, decode(q8.draw(h, noise).z)), kl: q8.kl!(h).sum(1) };
};
const byLibrary = vaeOf(libraryTerms, rng.fork('own vae'));
await train(byLibrary, digits, rng.fork('own run'), { epochs: budgeted(20, 80) });
lossCurve(ownRun.run, { title: `A VAE by two terms: ${ownTerms.by()}`, unit: 'nats per image, a bound' });
table(
  [[`by two terms, ${ownTerms.by()}`, byOwn], ['by the library’s', byLibrary]].map(([name, model]) => {
    const { nats, standardError } = evaluate(model as GenerativeModel, digits.validation, rng.fork('own validation'));
    return { model: name as string, 'validation, nats': nats, standardError };
  }),
  { caption: 'The same networks from the same weights: bounds by one draw', digits: 2 },
); // prettier-ignore

// %% [markdown] id="score-text"
// **By the path or by the score.** The other gradient of chapter 2, the **score function**, needs no derivative of the decoder by $\mathbf{z}$, and pays with noise. The same VAE, the same number of steps, only the encoder's gradient differs:

// %% id="score"
const gradients = [];
for (const gradient of ['path', 'score'] as const) {
  const { model } = await train(
    vae.create({ ...narrow, hidden: [64], gradient }, rng.fork('gradients')),
    digits,
    rng.fork('gradients run'),
    { epochs: budgeted(12, 40), patience: 100 },
  );
  const { nats, standardError } = evaluate(model, digits.validation, rng.fork('gradients validation'));
  gradients.push({ gradient, 'bound, nats': nats, standardError, KL: klOf(model, digits.validation.x) });
}
table(gradients, { caption: 'Validation, nats per image', digits: 2 });

// %% [markdown] id="expected-bound-text"
// **More draws.** The mean of $K$ weights has the same expectation as one weight, and varies less; so its logarithm lies nearer to the truth:
//
// $$\mathcal{L}_K = \mathbb{E} \ln \frac1K \sum_{k=1}^K w_k, \qquad \mathrm{ELBO} = \mathcal{L}_1 \le \mathcal{L}_2 \le \dots \le \ln p(\mathbf{x}),$$
//
// the **importance-weighted bound** (Burda, Grosse and Salakhutdinov, 2016). Why it increases: leave one of $K$ draws out at random; the mean of the rest is, on average over which one, the mean of all, and Jensen's inequality holds for that average as well.
//
// ### Predict: one bound of K draws, or K bounds of one
//
// *Before* you run the table: a latent takes two values, and its weight is $a$ or $b$, each with probability ½. Which is larger, the mean of $K$ bounds by one draw each, or one bound by $K$ draws? By how much? Write the expectation of the latter, exactly.

// %% id="expected-bound"
/**
 * E ln (w₁ + … + w_K)/K of K independent weights, each a or b with probability ½.
 * @param a above 0 @param b above 0 @param K from 1 to 64: the 2^K outcomes are too many to list
 */
function expectedBound(a: number, b: number, K: number): number {
  // BEGIN SOLUTION vae.expectedBound
  let expectation = 0;
  let probability = 2 ** -K; // of k weights a among the K
  for (let k = 0; k <= K; k++) {
    expectation += probability * Math.log((k * a + (K - k) * b) / K);
    probability *= (K - k) / (k + 1);
  }
  return expectation;
  // END SOLUTION
}

// %% id="expected-bounds"
/** What `own` predicts; a dash while it is not written, or throws. */
const prediction =
  <Args extends readonly unknown[], Result>(own: (...args: Args) => Result) =>
  (...args: Args): Result | undefined => {
    try {
      return own(...args);
    } catch {
      return undefined;
    }
  };
const foretold = prediction(expectedBound);
const REPEATS = 20_000;
table(
  [1, 2, 4, 16, 64].map((K) => {
    const chosen = tf.tidy(() => rng.fork(`coins ${K}`).uniform([REPEATS, K]).less(0.5).toFloat().mean(1).dataSync()); // share of a
    const means = Array.from(chosen, (share) => Math.log(share * weightsShown[0] + (1 - share) * weightsShown[1]));
    return {
      K,
      'one bound of K draws, measured': meanOf(means),
      'its standard error': errorOf(means),
      predicted: foretold(weightsShown[0], weightsShown[1], K) ?? '–',
      'K bounds of one draw': chord,
      'ln p(x)': Math.log(middle),
    };
  }),
  { caption: 'The two weights of the picture above, in nats', digits: 4 },
);

// %% id="check-expected-bound"
await check('vae.expectedBound', expectedBound);

// %% [markdown] id="bounds-picture-text"
// **How many draws?** As many as it takes for one to fall where the posterior is. In a linear world $\ln p(\mathbf{x})$ is known. Below, the bound by $K$ draws from four choices of $q$: the posterior, which is exact with one draw; one that is too wide; one that is shifted; and the prior.

// %% id="bounds-picture"
const world = { W: tf.tensor2d([[1.5, 0], [0, 1], [0, 0]]), mu: tf.zeros([3]), logVar: Math.log(0.1), x: tf.tensor2d([[1.8, -1.2, 0.1]]) }; // prettier-ignore
const truth = ownMarginal(world.x, world.W, world.mu, world.logVar).dataSync()[0]!;
const exactQ = ownPosterior(world.x, world.W, world.mu, world.logVar); // [1, 2] each
const shift = exactQ.logVar.div(2).exp().mul(2);
const choices = [
  ['the posterior', exactQ.mu, exactQ.logVar],
  ['three times as wide', exactQ.mu, exactQ.logVar.add(2 * Math.log(3))],
  ['shifted by two deviations', exactQ.mu.add(shift), exactQ.logVar],
  ['the prior', tf.zerosLike(exactQ.mu), tf.zerosLike(exactQ.mu)],
] as const;
const counts = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/** ln w of `count` draws from N(m, exp v): [count] */
const logWeightsOf = (m: tf.Tensor, v: tf.Tensor, count: number, here: Rng) =>
  tf.tidy(() => {
    const z = here.normal([count, 2]).mul(v.mul(0.5).exp()).add(m);
    const likelihood = logNormal(world.x.sub(z.matMul(world.W, false, true)), tf.scalar(0), tf.scalar(world.logVar));
    return likelihood.add(logNormal(z, tf.scalar(0), tf.scalar(0))).sub(logNormal(z, m, v));
  });
figure(
  [
    ...choices.map(([name, m, v]) => ({
      x: counts,
      y: counts.map((K) => {
        const logW = logWeightsOf(m, v, 300 * K, rng.fork(`${name} ${K}`));
        return tf.tidy(() => logMeanExp(logW.reshape([300, K]), 1).mean().dataSync()[0]!);
      }),
      mode: 'lines+markers',
      name: `q: ${name}`,
    })),
    { x: [1, 256], y: [truth, truth], mode: 'lines', name: 'ln p(x)', line: { dash: 'dash' } },
  ],
  { xaxis: { title: 'K, draws', type: 'log' }, yaxis: { title: 'bound, nats (means of 300)', range: [truth - 9, truth + 0.5] } },
  { height: 360, alt: 'Bounds that rise with the number of draws towards ln p(x), from four proposals' },
); // prettier-ignore

// %% [markdown] id="optimiser"
// ## 4 Optimiser
//
// * **AdamW**, learning rate 0.003: the bound's gradient is noisy, and Adam's averages are there for that. Its **weight decay** of 0.01 pulls unused weights to 0, and gradients longer than 100 are **clipped**: a rare picture of which the bound says thousands of nats early on shall not undo what the others taught. A decoder that sees pixels is a PixelCNN, and its training is that of chapter 5: a weight decay of 0.5, gradients clipped at 1.
// * **The average of the weights** over the last hundred steps (`ema: 0.99`) is what is validated and kept.
// * **Early stopping, on the validation bound.** Encoder and decoder overfit, each in its own way; a thousand pictures are soon learnt by heart. **Dropout**, of hidden units and of the encoder's *input*, holds it off: an encoder that never sees a whole picture cannot memorise it.
// * **One draw in training.** More draws tighten the bound, but a tighter bound makes the encoder's gradient noisier in comparison with its size (Rainforth et al., 2018). Draws are for the test.

// %% [markdown] id="training"
// ## 5 Training
//
// A dense VAE, and a convolutional one with 16 latents.

// %% id="train-dense"
const EPOCHS = {
  dense: { short: 40, full: 150 },
  convolutional: { short: 30, full: 150 },
  pixels: { short: 6, full: 60 },
  sentences: { short: 10, full: 60 },
};
const budgetOf = (kind: keyof typeof EPOCHS) => budgeted(EPOCHS[kind].short, EPOCHS[kind].full);
const trainDense = (here: Rng) =>
  train(vae.create(vae.defaults, here.fork('weights')), digits, here.fork('fit'), { epochs: budgetOf('dense') });
const trainPictures = (here: Rng) =>
  train(convolutionalVae.create(convolutionalVae.defaults, here.fork('weights')), digits, here.fork('fit'), {
    epochs: budgetOf('convolutional'),
  });
const pixelTraining = { epochs: budgetOf('pixels'), weightDecay: 0.5, clipNorm: 1, patience: 8 }; // chapter 5's
const trainPixels = (here: Rng) =>
  train(pixelVae.create(pixelVae.defaults, here.fork('weights')), digits, here.fork('fit'), pixelTraining);
const dense = await trainDense(rng.fork('dense'));
lossCurve(dense.run, { title: 'Dense VAE, 16 latents', unit: 'nats per image, a bound' });

// %% id="train-convolutional"
const pictures = await trainPictures(rng.fork('convolutional'));
lossCurve(pictures.run, { title: 'Convolutional VAE, 16 latents', unit: 'nats per image, a bound' });

// %% [markdown] id="decoders-text"
// **Which decoder?** The same dense networks, without dropout, with the decoders of section 2. The first three are bounds on the same $\ln P(\mathbf{x})$ of 17 grey levels (for the Gaussian, with uniform noise on the integers). The Bernoulli one is for digits that were made black and white, so its number stands by itself: a bound in nats is a bound *for those data*.

// %% id="decoders"
const binary = Object.fromEntries(
  (['train', 'validation'] as const).map((part) => [part, { x: tf.tidy(() => digits[part].x.greater(8).toFloat()) }]),
) as Record<'train' | 'validation', { x: tf.Tensor }>;
const heads = [];
for (const observation of ['categorical', 'discretised-logistic', 'gaussian', 'bernoulli'] as const) {
  const coins = observation === 'bernoulli';
  const data = coins ? binary : digits;
  const config = { ...narrow, dropout: 0, observation, values: coins ? 2 : V };
  const { model } = await train(vae.create(config, rng.fork('heads')), data, rng.fork('heads run'), {
    epochs: budgeted(12, 80),
  });
  const { nats, standardError } = evaluate(model, data.validation, rng.fork('heads validation'));
  heads.push({ decoder: observation, data: coins ? 'black and white' : '17 grey levels', 'validation bound': nats, standardError });
} // prettier-ignore
table(heads, {
  caption: 'Decoders, the same networks and the same number of passes: nats per image, one draw',
  digits: 2,
});

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// **How many draws?** On the validation set, for both VAEs. A lower row (more draws) can be above the one over it only by chance.

// %% id="draws"
/** −ln p(x) of each example by K draws, in batches that fit into memory. */
const boundBy = (model: GenerativeModel, K: number, x: tf.Tensor, here: Rng) =>
  evaluate(K === 1 ? model : importanceBound(model, K), { x }, here, {
    batchSize: K === 1 ? 500 : Math.max(1, Math.floor(4000 / K)),
  });
const DRAWS = fullBudget() ? [1, 10, 100, 1000] : [1, 5, 20];
const MOST = DRAWS.at(-1)!;
table(
  DRAWS.map((K) => ({
    'K, draws': K,
    'dense VAE': boundBy(dense.model, K, digits.validation.x, rng.fork(`dense ${K}`)).nats,
    'convolutional VAE': boundBy(pictures.model, K, digits.validation.x, rng.fork(`pictures ${K}`)).nats,
  })),
  { caption: 'Validation: nats per image, each a bound', digits: 2 },
); // prettier-ignore

// %% [markdown] id="collapse-text"
// ### What a decoder leaves for the latents to say
//
// Pixels that are independent given $\mathbf{z}$ leave all that ties them together to $\mathbf{z}$. A **PixelVAE** (Gulrajani et al., 2017) gives the decoder sight: $p(\mathbf{x} \mid \mathbf{z}) = \prod_d p(x_d \mid \mathbf{x}_{<d}, \mathbf{z})$, a PixelCNN (chapter 5) that is told $\mathbf{z}$. What will $\mathbf{z}$ then be for?
//
// Rewrite the gap: $-\mathrm{ELBO} = -\ln p(\mathbf{x}) + \mathrm{KL}[q \,\|\, p(\mathbf{z} \mid \mathbf{x})]$. A decoder that can say $p(\mathbf{x})$ alone ignores $\mathbf{z}$, its posterior is the prior, and any $q$ but the prior costs: the best code is *none* (Chen et al., 2017). This is **posterior collapse**.
//
// ### Predict: what is left to say
//
// *Before* you run the table: pictures of a few pixels, in which the pixels of one letter are copies of each other. In `abab` there are two letters, each with $V$ equally likely values. How many nats does the best decoder need without $\mathbf{z}$, if it sees nothing else, and if it sees all pixels before? And how many nats must $\mathbf{z}$ carry, on average, for a model of that decoder to reach the entropy? Take the least that does.

// %% id="pattern-nats"
/**
 * What the best model pays for pictures in which equal letters are equal pixels.
 * @param pattern a letter for each pixel, for example 'abab' @param values V, all equally likely for each letter
 * @param sees what the decoder of a pixel sees besides z
 * @returns alone: the least mean of −ln p(x) without z; kl: the least mean KL with which a model of that decoder can reach
 * the entropy of the pictures; both in nats
 */
function patternNats(pattern: string, values: number, sees: 'nothing' | 'all before'): { alone: number; kl: number } {
  // BEGIN SOLUTION vae.patternNats
  const letters = [...new Set(pattern)];
  const each = Math.log(values);
  if (sees === 'all before') return { alone: letters.length * each, kl: 0 };
  // copies must agree without seeing one another, so z has to say what they are; a letter that stands once is its own
  const shared = letters.filter((letter) => pattern.split(letter).length > 2);
  return { alone: pattern.length * each, kl: shared.length * each };
  // END SOLUTION
}

// %% id="patterns"
const least = prediction(patternNats);
/** Pictures 'abab' of three values, one letter for each place. */
const patterned = (pattern: string, count: number, here: Rng) => {
  const letters = [...new Set(pattern)];
  const values = rowsOf(tf.tidy(() => here.uniform([count, letters.length]).mul(3).floor()));
  return tf.tensor2d(values.map((row) => [...pattern].map((letter) => row[letters.indexOf(letter)]!)));
};
const small = { ...vae.defaults, values: 3, latent: 3, hidden: [64], rank: 0, dropout: 0, inputDropout: 0 };
const sighted = { ...pixelVae.defaults, values: 3, columns: 4, latent: 3, channels: 16, blocks: 2, inputDropout: 0 };
const shown = [];
for (const pattern of ['abab', 'aabc'] as const)
  for (const sees of ['nothing', 'all before'] as const) {
    const here = rng.fork(`${pattern} ${sees}`);
    const data = { train: { x: patterned(pattern, 2000, here.fork('train')) } };
    const blind = sees === 'nothing';
    const model: VariationalModel = blind
      ? vae.create({ ...small, eventShape: [4] }, here.fork('weights'))
      : pixelVae.create({ ...sighted, eventShape: [4] }, here.fork('weights'));
    await train(model, data, here.fork('fit'), { epochs: budgeted(25, 60), learningRate: 0.005, batchSize: 100 });
    const said = least(pattern, 3, sees);
    shown.push({
      pattern,
      'the decoder sees': sees,
      entropy: new Set(pattern).size * Math.log(3),
      'bound, nats': evaluate(model, data.train, here.fork('bound')).nats,
      'its KL': klOf(model, data.train.x),
      'least KL, predicted': said?.kl ?? '–',
      'without z, predicted': said?.alone ?? '–',
    });
  }
table(shown, {
  caption: 'Pictures of four pixels, three values: what training finds, and what is possible',
  digits: 3,
});

// %% id="check-pattern-nats"
await check('vae.patternNats', patternNats);

// %% [markdown] id="pixel-vae-text"
// Continuous latents cannot name nine cases without some overlap, so the bound of the blind decoder stays a little above the entropy, and its KL near the prediction. The sighted decoder has a KL of next to nothing.
//
// **PixelVAE on the digits.** A decoder that sees all pixels before, and one whose window holds the nearest alone; each also without latents ($\mathbf{z} = \mathbf{0}$ in training and test), from the same weights. **Active units** are latents whose mean varies over the data, $\mathrm{Var}\,\mu_l(\mathbf{x}) > 0.01$.

// %% id="pixel-vae"
/** The model's decoder alone: z is always 0. */
function alone(model: VariationalModel): GenerativeModel {
  const logProb = (x: tf.Tensor, noise?: Rng) =>
    tf.tidy(() => model.decoder.logProb(x, tf.zeros([x.shape[0]!, model.prior.latent]), noise));
  return {
    eventShape: model.eventShape,
    likelihood: { kind: 'exact', logProb: (x) => logProb(x) },
    objectives: [negativeLogLikelihood(model.decoder.variables, logProb)],
    sample: model.sample,
  };
}
const activeOf = (model: VariationalModel, x: tf.Tensor) =>
  tf.tidy(() => tf.moments(posteriorsOf(model, x).mean, 0).variance.greater(0.01).sum().dataSync()[0]!);
const reaches = [
  ['nearest pixels', 0],
  ['all before', pixelVae.defaults.blocks],
] as const;
const pixelRows = [];
const pixelModels: { name: string; model: VariationalModel; alone: GenerativeModel }[] = [];
for (const [name, blocks] of reaches) {
  const create = () => pixelVae.create({ ...pixelVae.defaults, blocks }, rng.fork(`pixels ${blocks}`));
  const { model } = await train(create(), digits, rng.fork(`pixels run ${blocks}`), pixelTraining);
  const without = alone(create());
  await train(without, digits, rng.fork(`pixels run ${blocks}`), pixelTraining);
  pixelModels.push({ name, model, alone: without });
  pixelRows.push({
    'the decoder sees': name,
    'without z, exact': evaluate(without, digits.validation, rng).nats,
    'with z, bound': evaluate(model, digits.validation, rng.fork('pixel validation')).nats,
    KL: klOf(model, digits.validation.x),
    'active units of 8': activeOf(model, digits.validation.x),
  });
}
table(pixelRows, { caption: 'PixelVAE, validation: nats per image', digits: 2 });

// %% [markdown] id="free-bits-text"
// **Cures.** Collapse has two causes, and cures aim at one or the other. The decoder may need no code, and then one has to weaken it, or to pay for the code: **free bits** (Kingma et al., 2016) leave some nats of every latent unpriced. Or training goes wrong early: the code is noise at first, so the decoder learns to ignore it, and then the encoder learns to be cheap. Against that, **annealing** raises the weight of the KL from 0 to 1 over the first steps (Bowman et al., 2016), and an **aggressive encoder** makes several steps for each of the decoder's (He et al., 2019).
//
// ### Exercise: design free bits
//
// Write a price to put in the place of the mean KL. You get the KL of each latent coordinate for each example, and a number of nats, `free`. Only the price's *gradient* matters in training, so any constant may be added:
//
// * a coordinate whose KL, averaged over the batch, is below `free` feels no pull at all: there is nothing to gain by saying less;
// * one that is above feels the pull of the mean KL, unchanged;
// * each coordinate has its own `free` nats, and an example may say more than that where others say less.

// %% id="free-bits"
/**
 * The price of the code, in place of the mean KL.
 * @param kl KL of each latent coordinate of each example, [B, L] @param free nats a coordinate that cost nothing @returns []
 */
function freeBits(kl: tf.Tensor, free: number): tf.Tensor {
  // BEGIN SOLUTION vae.freeBits
  return kl.mean(0).maximum(free).sum();
  // END SOLUTION
}

// %% id="check-free-bits"
await check('vae.freeBits', freeBits);

// %% [markdown] id="cures-text"
// **Your price at work, on sentences.** A **sentence VAE** (Bowman et al., 2016): a recurrent decoder writes word after word, and sees all words before. The source is a little grammar of known entropy, so that the bound can be compared with what is possible. Plain training, and four cures; *free bits* is yours. **Word dropout** hides a share of the words before from the decoder in training: it weakens the decoder, where the others leave it as strong as it is. The bounds are what matters for the likelihood, KL for the code. The source tells $-\ln p(\mathbf{x})$ of every sentence, so what is printed is the mean of the differences, sentence by sentence.

// %% id="cures"
const grammar = grammarSource();
const T = grammar.eventShape[0]!;
const sentences = {
  train: { x: grammar.sample({ count: 2000, rng: rng.fork('sentences') }) },
  validation: { x: grammar.sample({ count: 400, rng: rng.fork('sentences, validation') }) },
};
const exactly = evaluate(grammar, sentences.validation, rng).perExample; // −ln p of each sentence, by the grammar
const wordsEach = meanOf(tf.tidy(() => sentences.validation.x.greater(0).sum(1).dataSync())); // without the end
const ownFree = yours(freeBits, (kl: tf.Tensor, free: number) => tf.relu(kl.mean(0).sub(free)).sum());
/** The model with its KL priced by `price`. */
function priced(model: VariationalModel, price: (kl: tf.Tensor) => tf.Tensor): VariationalModel {
  const { encoder, posterior, decoder } = model;
  const variables = [...encoder.variables, ...decoder.variables];
  return {
    ...model,
    objectives: [
      {
        name: 'priced bound',
        estimates: 'other',
        variables,
        loss: ({ x }, noise) =>
          tf.tidy(() => {
            const h = encoder.apply(x, noise.fork('encoder'));
            const { z } = posterior.draw(h, noise.fork('z'));
            return price(posterior.kl!(h)).sub(decoder.logProb(x, z, noise.fork('decoder')).mean());
          }),
      },
    ],
  };
}
const plain = { ...sentenceVae.defaults, warmUp: 0, wordDropout: 0 };
const steps = 20 * budgetOf('sentences');
const treatments: readonly (readonly [string, VariationalModel])[] = [
  ['none', sentenceVae.create(plain, rng.fork('sentence'))],
  ['annealing over half of the steps', sentenceVae.create({ ...plain, warmUp: Math.ceil(steps / 2) }, rng.fork('sentence'))],
  ['free bits, 0.5 nats a latent', priced(sentenceVae.create(plain, rng.fork('sentence')), (kl) => ownFree(kl, 0.5))],
  ['aggressive encoder, 3 steps for one', sentenceVae.create({ ...plain, encoderSteps: 3 }, rng.fork('sentence'))],
  ['word dropout, 0.4', sentenceVae.create({ ...plain, wordDropout: 0.4 }, rng.fork('sentence'))],
]; // prettier-ignore
const cures: Record<string, number | string>[] = [];
for (const [cure, model] of treatments) {
  const options = { epochs: budgetOf('sentences'), batchSize: 100, learningRate: 0.005, patience: 1000 };
  await train(model, { train: sentences.train }, rng.fork('sentence run'), options);
  const x = sentences.validation.x;
  const byMany = evaluate(importanceBound(model, 16), { x }, rng.fork('sentence more'), { batchSize: 100 }).perExample;
  const above = Array.from(byMany, (nats, n) => nats - exactly[n]!);
  cures.push({
    cure,
    'above −ln p(x), one draw': evaluate(model, { x }, rng.fork('sentence one')).nats - meanOf(exactly),
    'by 16 draws': meanOf(above),
    'its error (paired)': errorOf(above),
    'by 16 draws, a word': meanOf(above) / wordsEach,
    KL: klOf(model, x),
    'active units of 4': activeOf(model, x),
  });
}
table(cures, {
  caption: `Sentences not trained on, ${wordsEach.toFixed(2)} words and ${meanOf(exactly).toFixed(2)} nats each (H = ${grammar.entropy.toFixed(2)}); free bits: ${ownFree.by()}`,
  digits: 3,
});

// %% [markdown] id="amortisation-text"
// ### The amortisation gap
//
// The gap between the bound and $\ln p(\mathbf{x})$ has two parts (Cremer, Li and Duvenaud, 2018). One is the **approximation gap**: no diagonal Gaussian is the posterior. The other is the encoder's: one network for all pictures does not find the *best* diagonal Gaussian for each, the **amortisation gap**. To measure it, every test picture gets a posterior of its own, optimised from the encoder's with the decoder as it is. What then remains to the bound of many draws is (at most) the first part.

// %% id="amortisation"
const looked = digits.test.x.slice([0, 0], [fullBudget() ? 200 : 40, 64]);
const refined = refine(dense.model, looked, { rng: rng.fork('refine'), steps: budgeted(100, 400), draws: 2 });
const boundsAt = (h: tf.Tensor) =>
  tf.tidy(() => tf.stack(Array.from({ length: 20 }, (_, i) => dense.model.elbo(looked, rng.fork(`elbo ${i}`), h))).mean(0).dataSync()); // prettier-ignore
const [byEncoder, byExample] = [boundsAt(tf.tidy(() => dense.model.encode(looked))), boundsAt(refined)];
const many = boundBy(dense.model, MOST, looked, rng.fork('many')).perExample;
const amortised = Array.from(byExample, (value, n) => value - byEncoder[n]!);
const approximate = Array.from(byExample, (value, n) => -many[n]! - value);
table(
  [
    {
      gap: 'amortisation: each picture’s own posterior − the encoder’s',
      nats: meanOf(amortised),
      standardError: errorOf(amortised),
    },
    {
      gap: `the rest, up to the bound of ${MOST} draws`,
      nats: meanOf(approximate),
      standardError: errorOf(approximate),
    },
  ],
  { caption: 'Dense VAE, test pictures', digits: 2 },
);
figure(
  [{ type: 'histogram', x: amortised, nbinsx: 25, name: 'pictures' }],
  { xaxis: { title: 'amortisation gap of a picture, nats' }, yaxis: { title: 'pictures' } },
  { height: 260, alt: 'Histogram of what a posterior of their own gains for single pictures' },
); // prettier-ignore

// %% [markdown] id="sphere-text"
// ### Latents on a sphere
//
// A normal prior has a centre, and pulls every posterior towards it. A sphere has none: let $\mathbf{z}$ be a direction, $\|\mathbf{z}\| = 1$, the prior uniform, and $q$ the **von Mises–Fisher distribution**, $q(\mathbf{z}) \propto e^{\kappa\, \boldsymbol\mu^\top \mathbf{z}}$, with a mean direction $\boldsymbol\mu$ and a concentration $\kappa$ (Davidson et al., 2018). Its KL from the uniform distribution depends on $\kappa$ alone: no direction is dearer than another.
//
// To draw from it, split $\mathbf{z}$ into its part along $\boldsymbol\mu$ and the rest, $\mathbf{z} = \cos t \,\boldsymbol\mu + \sin t\, \mathbf{v}$, with a unit vector $\mathbf{v} \perp \boldsymbol\mu$. All $\mathbf{v}$ are equally likely, by symmetry. But how likely is an angle $t$? The density is the same for all points at that angle; how *many* are there, in $L$ dimensions?
//
// ### Exercise: design the draws
//
// Any method that has the right distribution will do, in any number of dimensions, $\kappa = 0$ included.

// %% id="sphere"
/**
 * Draws of the von Mises–Fisher distribution: unit vectors with density proportional to exp(κ mu·z).
 * @param mu a unit vector, [L], L at least 2 @param kappa κ, at least 0 @returns [count, L]
 */
function drawAround(mu: tf.Tensor, kappa: number, count: number, rng: Rng): tf.Tensor {
  // BEGIN SOLUTION vae.sphere
  const L = mu.size;
  // the angle t from mu: a circle of radius sin t, in L − 1 dimensions, has a surface of sin(t)^(L − 2)
  const cells = 4096;
  const step = Math.PI / cells;
  const mass = (t: number) => Math.exp(kappa * (Math.cos(t) - 1)) * Math.sin(t) ** (L - 2);
  const upTo = [0];
  for (let i = 0; i < cells; i++) upTo.push(upTo[i]! + mass((i + 0.5) * step));
  const angles = Array.from(rng.fork('angle').uniform([count]).dataSync(), (u) => {
    const target = u * upTo[cells]!;
    let [low, high] = [0, cells];
    while (high - low > 1) {
      const between = Math.floor((low + high) / 2);
      if (upTo[between]! <= target) low = between;
      else high = between;
    }
    return (low + (target - upTo[low]!) / (upTo[high]! - upTo[low]!)) * step;
  });
  const noise = rng.fork('direction').normal([count, L]);
  const along = noise.mul(mu).sum(1, true); // [count, 1]
  const across = noise.sub(along.mul(mu)); // no part of it along mu
  const direction = across.div(across.norm(2, 1, true));
  const t = tf.tensor2d(angles, [count, 1]);
  return t.cos().mul(mu).add(t.sin().mul(direction));
  // END SOLUTION
}

// %% id="check-sphere"
await check('vae.sphere', drawAround);

// %% [markdown] id="own-sphere-text"
// **Your draws.** On the left, 600 of them on the sphere of three dimensions, seen from the side, for two $\kappa$. On the right, the cosine with the mean in 16 dimensions with $\kappa = 10$, beside its density, $e^{\kappa w} (1 - w^2)^{(L-3)/2}$: even with that pull most of the sphere's room is near the equator.

// %% id="own-sphere"
const ownSphere = yours(drawAround, (mu: tf.Tensor, kappa: number, count: number, noise: Rng) => {
  const copies = tf.tile(mu.expandDims(0), [count, 1]);
  return drawVonMisesFisher(copies, tf.fill([count], kappa), noise).z;
});
const towards = (L: number) =>
  tf.tidy(() =>
    tf
      .oneHot(tf.tensor1d([L - 1], 'int32'), L)
      .toFloat()
      .squeeze([0]),
  );
const globes = [3, 30].map((kappa) => rowsOf(ownSphere(towards(3), kappa, 600, rng.fork(`globe ${kappa}`))));
const cosines = rowsOf(ownSphere(towards(16), 10, 4000, rng.fork('cosines'))).map((row) => row[15]!);
const cs = Array.from({ length: 199 }, (_, i) => -0.99 + i / 100);
const room = cs.map((c) => Math.exp(10 * c) * (1 - c * c) ** 6.5);
const mass = room.reduce((sum, v) => sum + v / 100, 0);
const rim = Array.from({ length: 91 }, (_, i) => (i * Math.PI) / 45);
figure(
  [
    { x: rim.map(Math.cos), y: rim.map(Math.sin), mode: 'lines', name: 'the sphere', line: { color: '#999999' } },
    ...globes.map((points, i) => ({ x: points.map(([a]) => a), y: points.map(([, , c]) => c), mode: 'markers', marker: { size: 4 }, name: `κ = ${[3, 30][i]}` })),
    { type: 'histogram', x: cosines, histnorm: 'probability density', xbins: { start: -0.4, end: 1, size: 0.04 }, name: 'draws', xaxis: 'x2', yaxis: 'y2', opacity: 0.5 },
    { x: cs, y: room.map((v) => v / mass), mode: 'lines', name: 'density', xaxis: 'x2', yaxis: 'y2' },
  ],
  {
    title: `Von Mises–Fisher: ${ownSphere.by()}`,
    xaxis: { domain: [0, 0.44], title: 'z₁', range: [-1.1, 1.1] },
    yaxis: { title: 'z₃, towards the mean', scaleanchor: 'x', range: [-1.1, 1.1] },
    xaxis2: { domain: [0.56, 1], title: 'cosine with the mean, L = 16', anchor: 'y2' },
    yaxis2: { title: 'density', anchor: 'x2' },
    bargap: 0,
  },
  { height: 400, alt: 'Draws on a sphere around its pole, and a histogram of cosines on its density' },
); // prettier-ignore

// %% [markdown] id="sphere-vae-text"
// **A hyperspherical VAE** with $L = 3$, whose directions are a globe, beside a normal prior with two latents: both have two degrees of freedom. Test digits by longitude and latitude:

// %% id="sphere-vae"
const globeRun = await train(
  hypersphericalVae.create({ ...hypersphericalVae.defaults, latent: 3, hidden: [128, 128], dropout: 0.1 }, rng.fork('globe')),
  digits,
  rng.fork('globe run'),
  { epochs: budgeted(20, 120) },
); // prettier-ignore
const globe = globeRun.model;
const labels = Array.from(digits.test.y!.dataSync());
const directions = rowsOf(meansOf(globe)(digits.test.x));
/** One trace for each digit; hovering tells which test picture a point is. */
const byDigit = (points: readonly (readonly number[])[], told: (n: number) => string) =>
  Array.from({ length: 10 }, (_, digit) => {
    const own = points.map((_, n) => n).filter((n) => labels[n] === digit);
    return {
      x: own.map((n) => points[n]![0]),
      y: own.map((n) => points[n]![1]),
      mode: 'markers',
      name: String(digit),
      marker: { size: 6, symbol: digit < 8 ? 'circle' : 'diamond' },
      text: own.map(told),
      hovertemplate: '%{text}<extra></extra>',
    };
  });
figure(
  byDigit(directions.map(([a, b, c]) => [(Math.atan2(b!, a!) * 180) / Math.PI, (Math.asin(Math.max(-1, Math.min(1, c!))) * 180) / Math.PI]), (n) => `a ${labels[n]}, test picture ${n}`),
  { xaxis: { title: 'longitude, degrees', range: [-185, 185] }, yaxis: { title: 'latitude, degrees', range: [-92, 92] } },
  { height: 400, alt: 'Test digits on a globe, by longitude and latitude: each digit has a region' },
); // prettier-ignore
table(
  [['normal prior, L = 2', atlas], ['uniform on the sphere, L = 3', globe]].map(([name, model]) => {
    const { nats, standardError } = evaluate(model as VariationalModel, digits.validation, rng.fork('two freedoms'));
    const KL = klOf(model as VariationalModel, digits.validation.x);
    return { latents: name as string, 'validation bound': nats, standardError, KL };
  }),
  { caption: 'Two degrees of freedom each: nats per image, one draw', digits: 2 },
); // prettier-ignore

// %% [markdown] id="ladder-text"
// ### The ladder
//
// Everything on the test set, which is looked at only now. The numbers of draws are part of a rung's name: bounds by different $K$ are different bounds. Three seeds where a spread is given (`--budget full`), else one. Standard errors over the images say how far a number would move with other images; differences from the best rung are paired, image by image.

// %% id="ladder"
const [near, full] = pixelModels as [(typeof pixelModels)[number], (typeof pixelModels)[number]];
const seeds = [rng.fork('second seed'), rng.fork('third seed')];
const denses = [dense.model];
const convolutionals = [pictures.model];
const pixelVaes = [full.model];
for (const here of fullBudget() ? seeds : []) {
  denses.push((await trainDense(here.fork('dense'))).model);
  convolutionals.push((await trainPictures(here.fork('convolutional'))).model);
  pixelVaes.push((await trainPixels(here.fork('pixels'))).model);
}
/** The ladder asks for all test images at once: it gets what was computed in batches that fit into memory. */
function byDraws(models: readonly GenerativeModel[], K: number, label: string): GenerativeModel[] {
  return models.map((model, i) => {
    const { perExample } = boundBy(model, K, digits.test.x, rng.fork(`${label} ${i}`));
    return { ...model, likelihood: { kind: 'lower-bound', logProb: () => tf.tidy(() => tf.tensor1d(perExample).neg()) } };
  });
} // prettier-ignore
const rungs = rungsOf(
  [
    ...(await baselines(digits, rng.fork('baselines'))),
    { name: `pPCA, L = ${widths[bestWidth]}, dequantised`, model: dequantised(widest, { values: V }) },
    { name: `two terms: ${ownTerms.by()}, 1 draw`, model: byOwn },
    { name: 'hyperspherical, L = 3, 1 draw', model: globe },
    { name: 'dense VAE, 1 draw', model: denses },
    { name: `dense VAE, ${MOST} draws`, model: byDraws(denses, MOST, 'dense') },
    { name: 'convolutional VAE, 1 draw', model: convolutionals },
    { name: `convolutional VAE, ${MOST} draws`, model: byDraws(convolutionals, MOST, 'convolutional') },
    { name: 'nearest pixels, without z', model: near.alone },
    { name: 'PixelVAE, nearest pixels, 1 draw', model: near.model },
    { name: 'all pixels before, without z', model: full.alone },
    { name: 'PixelVAE, all before, 1 draw', model: pixelVaes },
  ],
  digits.test,
  rng.fork('test'),
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

// %% [markdown] id="representation-text"
// ### What the latents know
//
// A **linear probe**: a linear classifier of the digit, trained on the posterior means of three hundred training pictures, says how much of the class can be read off $\mathbf{z}$ by a straight cut. Nobody told the models of classes. Beside it, how much of the picture comes back: the mean squared error of $\mathbb{E}[\mathbf{x} \mid \mathbf{z}]$ at the posterior mean, in squared grey levels.

// %% id="representation"
/** A⁻¹ B of a symmetric positive A, by elimination. */
function solved(A: readonly (readonly number[])[], B: readonly (readonly number[])[]): number[][] {
  const rows = A.map((row, i) => [...row, ...B[i]!]);
  rows.forEach((pivot, i) => {
    const scale = pivot[i]!;
    pivot.forEach((value, k) => (pivot[k] = value / scale));
    rows.forEach((row, j) => {
      const factor = row[i]!;
      if (j !== i) row.forEach((value, k) => (row[k] = value - factor * pivot[k]!));
    });
  });
  return rows.map((row) => row.slice(A.length));
}
/** Share of right answers on the test set, by ridge regression on the ten indicators. */
function probe(codes: (x: tf.Tensor) => tf.Tensor): number {
  return tf.tidy(() => {
    const features = (x: tf.Tensor) => {
      const z = codes(x);
      return tf.concat([z, tf.ones([z.shape[0]!, 1])], 1);
    };
    const f = features(digits.train.x.slice([0, 0], [300, 64])); // [300, L + 1]
    const wanted = tf.oneHot(digits.train.y!.slice([0], [300]).toInt() as tf.Tensor1D, 10).toFloat();
    const gram = f.matMul(f, true).add(tf.eye(f.shape[1]!));
    const weights = tf.tensor2d(solved(rowsOf(gram), rowsOf(f.matMul(wanted, true))));
    const said = features(digits.test.x.slice([0, 0], [300, 64]))
      .matMul(weights)
      .argMax(1);
    return said
      .equal(digits.test.y!.slice([0], [300]).toInt())
      .toFloat()
      .mean()
      .dataSync()[0]!;
  });
}
const looks: readonly (readonly [string, (x: tf.Tensor) => tf.Tensor, VariationalModel?])[] = [
  ['the 64 pixels', (x) => x.div(V)],
  [`pPCA, L = ${widths[bestWidth]}`, (x) => widest.posterior(x.add(0.5)).mean],
  ['VAE, L = 2', meansOf(atlas), atlas],
  ['hyperspherical VAE, L = 3', meansOf(globe), globe],
  ['dense VAE, L = 16', meansOf(dense.model), dense.model],
  ['convolutional VAE, L = 16', meansOf(pictures.model), pictures.model],
  ['PixelVAE, nearest pixels', meansOf(near.model)],
  ['PixelVAE, all before', meansOf(full.model)],
];
table(
  looks.map(([representation, codes, model]) => {
    const wrong = model && tf.tidy(() => decoded(model, codes(digits.test.x)).sub(digits.test.x).square().mean().dataSync()[0]!);
    return { representation, 'linear probe, % right': 100 * probe(codes), 'squared error a pixel': wrong ?? '' };
  }),
  { caption: 'Test digits: what can be read off the code, and what comes back', digits: 1 },
); // prettier-ignore

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// $\mathbf{z}$ from the prior, $\mathbf{x}$ from the decoder. Pixels are drawn independently given $\mathbf{z}$, which shows as grain; PixelVAE draws one after the other.

// %% id="samples"
const shownOf = (model: GenerativeModel, label: string) => rowsOf(model.sample({ count: 20, rng: rng.fork(label) }));
for (const [title, model] of [
  ['Dense VAE', dense.model],
  ['Convolutional VAE', pictures.model],
  ['PixelVAE, nearest pixels', near.model],
] as const)
  imageGrid(shownOf(model, title), { height: 8, width: 8, columns: 10, levels: V, title });

// %% [markdown] id="map-text"
// **The latent map.** Every test digit at its posterior mean in the plane of the first picture. Hover a point to see which picture it is and what the bound says of it: those that cost most lie between regions, or alone.

// %% id="map"
const codes2 = rowsOf(meansOf(atlas)(digits.test.x));
const nats2 = boundBy(atlas, 10, digits.test.x, rng.fork('map bound')).perExample;
figure(
  byDigit(codes2, (n) => `a ${labels[n]}, test picture ${n}: ${nats2[n]!.toFixed(1)} nats by 10 draws`),
  { xaxis: { title: 'z₁' }, yaxis: { title: 'z₂', scaleanchor: 'x' } },
  { height: 520, alt: 'Test digits in the plane of two latents, coloured by class' },
);

// %% [markdown] id="between-text"
// **In between.** From one test digit to another on a straight line through the latents of the convolutional VAE (mean pictures), and from one sentence to another by the sentence VAE that kept most of its code: every line of it is decoded greedily from a point between two posteriors.

// %% id="between"
const firstOf = [0, 4, 3, 6, 9, 8].map((digit) => labels.indexOf(digit)); // from a 0 to a 6, a 4 to a 9, a 3 to an 8
const ends = meansOf(pictures.model)(tf.gather(digits.test.x, firstOf));
const between = (from: tf.Tensor, to: tf.Tensor, count: number) =>
  tf.tidy(() =>
    tf.stack(
      Array.from({ length: count }, (_, i) => from.mul(1 - i / (count - 1)).add(to.mul(i / (count - 1)))),
      1,
    ),
  ); // [B, count, L]
imageGrid(
  rowsOf(
    tf.tidy(() => {
      const line = between(ends.slice([0, 0], [3, -1]), ends.slice([3, 0], [3, -1]), 9);
      return decoded(pictures.model, line.reshape([-1, line.shape[2]!]));
    }),
  ),
  { height: 8, width: 8, columns: 9, levels: V, title: 'From one test digit to another, in three rows' },
);
const talkative = treatments[cures.reduce((best, row, i) => (row['KL']! > cures[best]!['KL']! ? i : best), 0)]!;
const twoSentences = sentences.validation.x.slice([0, 0], [2, T]);
const written = rowsOf(
  tf.tidy(() => {
    const h = meansOf(talkative[1])(twoSentences);
    const line = between(h.slice([0, 0], [1, -1]), h.slice([1, 0], [1, -1]), 7).squeeze([0]);
    return talkative[1].decoder.sample(line, rng.fork('written'), { temperature: 0.01 });
  }),
);
table(
  [
    { place: 'the first sentence', words: grammar.text(rowsOf(twoSentences)[0]!) },
    ...written.map((row, i) => ({ place: `${i} / 6`, words: grammar.text(row) })),
    { place: 'the second sentence', words: grammar.text(rowsOf(twoSentences)[1]!) },
  ],
  { caption: `Between two sentences: ${talkative[0]}` },
); // prettier-ignore

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in for this family and for its linear ancestor.

// %% id="card"
card(convolutionalVae.card);
card(ppca.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// A much-copied collection of VAEs trains importance-weighted ones by $\sum_k v_k \ln w_k$, with the normalised weights $v_k = w_k / \sum_j w_j$ and logs the same number as its loss; in an earlier version, the one below, with $\ln w_k = \ln p(\mathbf{x} \mid \mathbf{z}_k) - \mathrm{KL}[q \,\|\, p]$. It looks like the gradient in the paper, which has those $v_k$. Two of its issues ask how there can be a KL in closed form for $K > 1$, and whether the $v_k$ should carry a gradient. As a *value* it is no bound at all: it can lie above $\ln p(\mathbf{x})$.
//
// ### Exercise: repair it
//
// Return the importance-weighted bound of each example. The cell after it asks your function in the linear world of section 3, where $\ln p(\mathbf{x})$ is known: no bound may lie above it.

// %% id="importance"
/**
 * The importance-weighted bound on ln p(x), by K draws of z for each example, prior N(0, I).
 * @param logLikelihood ln p(x | z) of each draw, [K, B] @param z the draws, [K, B, L], from q(z | x) = N(mu, exp logVar)
 * @param mu [B, L] @param logVar [B, L] @returns [B], in nats
 */
function importanceWeighted(logLikelihood: tf.Tensor, z: tf.Tensor, mu: tf.Tensor, logVar: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION vae.importance
  // The code that was given takes the KL, which is a mean over all z, for ln q/p of each draw; and Σ v ln w with v = w / Σ w
  // is above ln (1/K) Σ w, by KL[v ‖ even weights]. Neither is a bound.
  const [K, B, L] = z.shape as [number, number, number];
  const log = (m: tf.Tensor, v: tf.Tensor) => logNormal(z.reshape([K * B, L]), tf.tile(m, [K, 1]), tf.tile(v, [K, 1]));
  const ratio = log(tf.zerosLike(mu), tf.zerosLike(mu)).sub(log(mu, logVar)); // ln p(z) / q(z | x), [K · B]
  return logMeanExp(logLikelihood.add(ratio.reshape([K, B])), 0);
  // END SOLUTION
  // BEGIN GIVEN
  // const logW = logLikelihood.sub(klNormal(mu, logVar)); // [K, B]
  // const v = tf.softmax(logW.transpose()).transpose(); // the normalised weights: columns sum to 1
  // return v.mul(logW).sum(0);
  // END GIVEN
}

// %% id="importance-world"
const claims = choices.map(([name, m, v]) => {
  const [K, R] = [50, 400]; // R examples, all the same
  const z = tf.tidy(() => rng.fork(`claim ${name}`).normal([K, R, 2]).mul(v.mul(0.5).exp()).add(m));
  const claimed = tf.tidy(() => {
    const mean = z.reshape([K * R, 2]).matMul(world.W, false, true);
    const logLikelihood = logNormal(world.x.sub(mean), tf.scalar(0), tf.scalar(world.logVar)).reshape([K, R]);
    return importanceWeighted(logLikelihood, z, tf.tile(m, [R, 1]), tf.tile(v, [R, 1])).dataSync();
  });
  return { q: name, 'claimed, 50 draws': meanOf(claimed), standardError: errorOf(claimed), 'ln p(x)': truth };
});
table(claims, {
  caption: claims.some((row) => row['claimed, 50 draws'] > truth + 5 * row.standardError + 1e-3)
    ? 'Above ln p(x): this is no bound'
    : 'Nowhere above ln p(x)',
  digits: 3,
});

// %% id="check-importance"
await check('vae.importance', importanceWeighted);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now, in batches of 50 and by the second call, since the first one compiles: one bound, a bound by ten draws, and a sample. Ten draws cost ten decoders. A decoder that sees pixels needs as many passes for a sample as there are pixels.

// %% id="measure-costs"
async function timed(count: number, body: () => unknown): Promise<number> {
  await body();
  const started = performance.now();
  await body();
  return (performance.now() - started) / count;
}
const fifty = { x: tf.tidy(() => digits.train.x.slice([0, 0], [50, 64])) };
const costs = [];
for (const [model, made] of [
  ['pPCA', widest],
  ['dense VAE', dense.model],
  ['convolutional VAE', pictures.model],
  ['hyperspherical VAE', globe],
  ['PixelVAE, all before', full.model],
] as const) {
  const ten = made.likelihood.kind === 'lower-bound' ? importanceBound(made, 10) : undefined;
  costs.push({
    model,
    weights: made.objectives[0]!.variables.reduce((sum, variable) => sum + variable.size, 0),
    'likelihood or bound, ms': await timed(50, () => evaluate(made, fifty, rng, { batchSize: 50 })),
    'ten draws, ms': ten ? await timed(50, () => evaluate(ten, fifty, rng, { batchSize: 50 })) : '',
    'sample, ms': await timed(50, () => made.sample({ count: 50, rng: rng.fork('cost') }).dispose()),
  });
}
table(costs, { caption: 'Milliseconds an example', digits: 3 });

// %% [markdown] id="failures"
// ## Where it fails
//
// **Holes.** The decoder is trained where posteriors are, and sampled where the prior is. Where the two differ, it draws things that no data taught it. A judge that knows neither: the Chow–Liu tree of the ladder. Below, what it says of test digits, of what the VAE makes of them, and of samples from the prior. What samples cost more than reconstructions is the mismatch between the prior and the **aggregate posterior** $\frac1N \sum_n q(\mathbf{z} \mid \mathbf{x}_n)$; chapter 9 is about that. This judge knows pairs of pixels alone: what it finds no dearer may still be no digit.

// %% id="failure-holes"
const judge = chowLiuBaseline(digits.train, V);
const judged = (x: tf.Tensor) => {
  const { nats, standardError } = evaluate(judge, { x }, rng);
  return { nats, standardError };
};
const redraw = compiled(([x], noise) => {
  const { posterior, decoder, encode } = pictures.model;
  return [decoder.sample(posterior.draw(encode(x!), noise.fork('z')).z, noise.fork('pixels'))];
});
const redrawn = redraw([digits.test.x.slice([0, 0], [200, 64])], rng.fork('redrawn'))[0]!;
table(
  [
    { pictures: 'test digits', ...judged(digits.test.x) },
    { pictures: 'decoded from their posteriors', ...judged(redrawn) },
    { pictures: 'decoded from the prior', ...judged(pictures.model.sample({ count: 200, rng: rng.fork('holes') })) },
  ],
  { caption: 'What a Chow–Liu tree says of them: nats per image', digits: 1 },
);

// %% [markdown] id="failures-more"
// **A bound is not the likelihood.** Two models whose bounds differ by a nat may differ the other way round in likelihood: the one may only have posteriors that are easier for a diagonal Gaussian. Compare bounds by many draws, and say how many.
//
// **Collapse, honestly.** The latents of the full PixelVAE are not used because they are not *needed*. Cures that force a code raise the KL, not the likelihood. Whoever wants a representation has to want it for something else than $p(\mathbf{x})$.
//
// **Axes mean nothing by themselves.** Only the price of a diagonal posterior picks them out, as in section 1. "Disentangled" axes come from such accidents of the model, or from supervision; without either there is no reason for them (Locatello et al., 2019).
//
// **The gradient by $\kappa$.** Draws on the sphere that are made by rejection have no path for all of the gradient; who differentiates through the accepted draw alone has a bias (Naesseth et al., 2017). The library adds the missing term.
//
// ### Sources
//
// M. Tipping, C. Bishop, *Probabilistic principal component analysis*, JRSS B 61 (1999). M. Jordan et al., *An introduction to variational methods for graphical models*, Machine Learning 37 (1999). A. Wood, *Simulation of the von Mises Fisher distribution*, Communications in Statistics 23 (1994). R. Williams, *Simple statistical gradient-following algorithms*, Machine Learning 8 (1992). D. Kingma, M. Welling, *Auto-encoding variational Bayes*, ICLR 2014. D. Rezende, S. Mohamed, D. Wierstra, *Stochastic backpropagation*, ICML 2014. Y. Burda, R. Grosse, R. Salakhutdinov, *Importance weighted autoencoders*, ICLR 2016. S. Bowman et al., *Generating sentences from a continuous space*, CoNLL 2016. D. Kingma et al., *Improving variational inference with inverse autoregressive flow*, NeurIPS 2016. I. Gulrajani et al., *PixelVAE*, ICLR 2017. X. Chen et al., *Variational lossy autoencoder*, ICLR 2017. T. Salimans et al., *PixelCNN++*, ICLR 2017. C. Naesseth et al., *Reparameterization gradients through acceptance–rejection sampling*, AISTATS 2017. C. Cremer, X. Li, D. Duvenaud, *Inference suboptimality in variational autoencoders*, ICML 2018. T. Rainforth et al., *Tighter variational bounds are not necessarily better*, ICML 2018. T. Davidson et al., *Hyperspherical variational auto-encoders*, UAI 2018. J. He et al., *Lagging inference networks and posterior collapse*, ICLR 2019. J. Lucas et al., *Don't blame the ELBO!*, NeurIPS 2019. M. Rolinek, D. Zietlow, G. Martius, *Variational autoencoders pursue PCA directions (by accident)*, CVPR 2019. F. Locatello et al., *Challenging common assumptions in the unsupervised learning of disentangled representations*, ICML 2019. J. Tomczak, *Deep Generative Modeling* (2024), chapter 5. The bug is in a collection of VAEs in PyTorch (github.com/AntixK/PyTorch-VAE, issue 34 and pull request 53).
