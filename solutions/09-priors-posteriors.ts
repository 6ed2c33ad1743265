// %% [markdown] id="title"
// # 9 Priors and posteriors
//
// A variational auto-encoder makes two choices that nobody asked the data about. Latents are drawn from $\mathcal{N}(\mathbf{0}, \mathbf{I})$, whatever the data look like in the latents' space; and the posterior is guessed to be a Gaussian with independent coordinates, whatever the model says. Both choices cost likelihood. This chapter takes the bound apart until each cost is a number of its own, and then buys it back: with **learned priors** (mixtures, VampPrior, rejection, flows, autoregression) and with **posteriors made of flows** (reflections, Sylvester, inverse autoregressive, splines). It does so in worlds of known entropy and of known $\ln p(\mathbf{x})$, where a gap can be read off exactly, and it ends with the digits, where most of this gains nothing, and with a published mistake that made it look like much. Everything printed below was computed by running this file (`npm run solutions -- 09`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adamW,
  affineCouplings,
  budgeted,
  card,
  createRng,
  decoderOf,
  denseEncoder,
  evaluate,
  figure,
  fit,
  flowPosterior,
  flowPrior,
  fullBudget,
  gaussianPosterior,
  importanceBound,
  inferenceModel,
  inverseAutoregressiveFlow,
  ladder,
  linearWorld,
  load,
  logMeanExp,
  logNormal,
  logNormalComponents,
  mlp,
  pinwheelSource,
  posteriorOf,
  resampledPrior,
  ringWorld,
  schedules,
  standardNormal,
  table,
  takenApart,
  vae,
  vampPrior,
  variationalModel,
  weight,
  type Bijection,
  type GenerativeModel,
  type LatentFlow,
  type Network,
  type PosteriorOptions,
  type Prior,
  type PriorOptions,
  type ResampledPrior,
  type Rng,
  type Trace,
  type TrainingData,
  type VariationalModel,
} from 'dgm';

const rng = createRng(9); // the one seed of this chapter
const ONE_DRAW = { draws: 1, freeBits: 0, warmUp: 0, encoderSteps: 1 };
const rowsOf = (x: tf.Tensor) => x.arraySync() as number[][];
const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
const errorOf = (values: ArrayLike<number>) => {
  const mean = meanOf(values);
  const squares = Array.from(values, (v) => (v - mean) ** 2);
  return Math.sqrt(meanOf(squares) / Math.max(1, values.length - 1));
};

/** One way of training for all models of this chapter; section 4 gives the reasons. */
async function train<Model extends GenerativeModel>(
  model: Model,
  data: TrainingData,
  here: Rng,
  options: { epochs: number; batchSize?: number; learningRate?: number; patience?: number },
): Promise<Model> {
  const { epochs, batchSize = 100, learningRate = 0.005, patience = 1000 } = options;
  const steps = epochs * Math.ceil(data.train.x.shape[0]! / batchSize);
  const optimiser = adamW(schedules.cosine(learningRate, { steps }), { weightDecay: 0.01, clipNorm: 10 });
  await fit(model, data, { epochs, batchSize, optimiser, ema: 0.99, patience, rng: here, quiet: true });
  return model;
}

/** How many nats a bound by K draws lies above −ln p(x), which is known: by example. */
function aboveExact(model: GenerativeModel, x: tf.Tensor, exact: ArrayLike<number>, K: number, here: Rng): number[] {
  const bound = K === 1 ? model : importanceBound(model, K);
  const { perExample } = evaluate(bound, { x }, here, { batchSize: Math.max(1, Math.floor(20_000 / K)) });
  return Array.from(perExample, (nats, n) => nats - exact[n]!);
}

// %% id="panels"
interface Panel {
  readonly title: string;
  readonly density: (z: tf.Tensor) => tf.Tensor;
  readonly points: readonly (readonly number[])[];
  /** of a point, in pixels */
  readonly size?: number;
}
/** Panels side by side, on one scale: contours of a density, and points. */
function panels(each: readonly Panel[], reach: number, alt: string, names: readonly [string, string] = ['z₁', 'z₂']) {
  const ticks = Array.from({ length: 61 }, (_, i) => ((i - 30) / 30) * reach);
  const grid = tf.tensor2d(ticks.flatMap((b) => ticks.map((a) => [a, b])));
  const suffix = (i: number) => (i === 0 ? '' : String(i + 1));
  const width = 1 / each.length;
  const axes = each.map((_, i) => ({
    [`xaxis${suffix(i)}`]: { title: names[0], domain: [i * width, (i + 0.86) * width], range: [-reach, reach], anchor: `y${suffix(i)}`, constrain: 'domain' },
    [`yaxis${suffix(i)}`]: { range: [-reach, reach], anchor: `x${suffix(i)}`, scaleanchor: `x${suffix(i)}`, constrain: 'domain', ...(i === 0 && { title: names[1] }) },
  })); // prettier-ignore
  const traces = each.flatMap(({ density, points, size = 3 }, i): Trace[] => {
    const on = { xaxis: `x${suffix(i)}`, yaxis: `y${suffix(i)}`, showlegend: false };
    const flat = tf.tidy(() => density(grid).dataSync());
    const level = Math.max(...flat);
    const rows = ticks.map((_, row) => Array.from(flat.slice(61 * row, 61 * row + 61), (v) => Math.round((1000 * v) / level)));
    const hill = { type: 'contour', x: ticks, y: ticks, z: rows, showscale: false, hoverinfo: 'skip', zmin: 0, zmax: 1000, contours: { start: 60, end: 1000, size: 120 }, colorscale: [[0, 'rgba(47,127,209,0)'], [0.06, 'rgba(47,127,209,0.14)'], [1, 'rgba(47,127,209,0.95)']], line: { width: 0.4, color: 'rgba(47,127,209,0.6)' } };
    const dots = { x: points.map(([a]) => +a!.toFixed(3)), y: points.map(([, b]) => +b!.toFixed(3)), mode: 'markers', marker: { size, color: '#d1692f', opacity: 0.6 }, hoverinfo: 'skip' };
    return [{ ...hill, ...on }, { ...dots, ...on }];
  }); // prettier-ignore
  const annotations = each.map(({ title }, i) => ({ text: title, x: 0.5, y: 1, xref: `x${suffix(i)} domain`, yref: `y${suffix(i)} domain`, xanchor: 'center', yanchor: 'bottom', yshift: 4, showarrow: false })); // prettier-ignore
  figure(traces, { ...Object.assign({}, ...axes), annotations, margin: { l: 56, r: 8, t: 40, b: 48 } }, { height: each.length > 2 ? 300 : 360, alt }); // prettier-ignore
}

// %% [markdown] id="why"
// ## Why the prior matters: drawing where no data are
//
// A fan of five blades in the plane, carried into 16 dimensions by a linear map, with a little noise on each. Two latents are all there is to it, and a VAE with two latents learns it. On the left, the prior (shaded) and the codes of the data (points): posteriors do not fill a round Gaussian, since the data have gaps, and a decoder that closed them would have to be all but torn there. On the right, what the decoder makes of draws from the prior, carried back into the plane, on the density that the data come from: between the blades there are points that no data are like.

// %% id="why-picture"
const pinwheel = pinwheelSource();
const drawn = (count: number, label: string) => pinwheel.sample({ count, rng: rng.fork(label) });
const wheel = { train: { x: drawn(2000, 'wheel') }, validation: { x: drawn(500, 'wheel validation') } };
const testWheel = drawn(fullBudget() ? 2000 : Math.max(200, budgeted(1000)), 'wheel test');
const exactWheel = evaluate(pinwheel, { x: testWheel }, rng).perExample; // −ln p(x) of each
const small = { ...vae.defaults, eventShape: [16], values: null, observation: 'gaussian' as const, latent: 2, hidden: [64, 64], rank: 0, dropout: 0, inputDropout: 0 }; // prettier-ignore
const wheelEpochs = budgeted(200, 300);
const trainWheel = (prior: PriorOptions, here: Rng) =>
  train(vae.create({ ...small, prior }, here.fork('weights')), wheel, here.fork('fit'), { epochs: wheelEpochs });
const plain = await trainWheel({ kind: 'standard' }, rng.fork('wheel run'));

const FEW = Math.max(200, Math.min(600, budgeted(600)));
const few = wheel.train.x.slice([0, 0], [FEW, 16]);
const codesOf = (model: VariationalModel, x: tf.Tensor, here: Rng) =>
  rowsOf(tf.tidy(() => model.posterior.draw(model.encode(x), here).z));
const inPlane = (x: tf.Tensor) => rowsOf(tf.tidy(() => pinwheel.plane(x)));
const priorDensity = (model: VariationalModel) => (z: tf.Tensor) => model.prior.logProb(z, rng.fork('density')).exp();
const sourceDensity = (y: tf.Tensor) => pinwheel.logPlane(y).exp();
panels(
  [
    {
      title: 'prior, and codes of the data',
      density: priorDensity(plain),
      points: codesOf(plain, few, rng.fork('codes')),
    },
  ],
  3.5,
  'A round Gaussian, and codes that lie in five separate bands on it',
);
panels(
  [
    { title: 'data', density: sourceDensity, points: inPlane(few) },
    { title: 'draws of the VAE', density: sourceDensity, points: inPlane(plain.sample({ count: 600, rng: rng.fork('draws') })) },
  ],
  4,
  'Five blades; the data lie on them, the draws of the VAE also between them',
  ['y₁', 'y₂'],
); // prettier-ignore

// %% [markdown] id="family"
// ## 1 Family
//
// $p(\mathbf{x}) = \int p(\mathbf{x} \mid \mathbf{z})\, p(\mathbf{z})\, \mathrm{d}\mathbf{z}$ is a family for *any* prior $p(\mathbf{z})$ that can be drawn from, and whose logarithm can be written down. Which one is best? The bound of chapter 8, averaged over the data, holds the prior in one term alone, $-\frac1N \sum_n \mathrm{KL}[q(\mathbf{z} \mid \mathbf{x}_n) \,\|\, p(\mathbf{z})]$, and in it in $\mathbb{E} \ln p(\mathbf{z})$ alone, the expectation being over a data point chosen at random and a draw from its posterior. Such draws have the density
//
// $$q(\mathbf{z}) = \frac1N \sum_{n=1}^{N} q(\mathbf{z} \mid \mathbf{x}_n),$$
//
// the **aggregate posterior**. And $\mathbb{E}_{q(\mathbf{z})} \ln p(\mathbf{z})$ is largest for $p = q(\mathbf{z})$ (chapter 2). So the best prior of a given encoder is its aggregate posterior. Why not take it? It is a mixture of as many components as there are data, which costs as much to ask, and it is *fitted* to these data, down to each of them.
//
// **A mixture prior** has $K$ components in place of $N$, $p(\mathbf{z}) = \sum_k \pi_k\, \mathcal{N}(\mathbf{z}; \boldsymbol\mu_k, \mathrm{diag}\,\boldsymbol\sigma_k^2)$, all learnt. **VampPrior** (*variational mixture of posteriors*; Tomczak and Welling, 2018) takes the idea at its word: an aggregate posterior, of $K$ **pseudo-inputs** $\mathbf{u}_k$ that nobody ever saw, learnt by gradient:
//
// $$p(\mathbf{z}) = \frac1K \sum_{k=1}^K q(\mathbf{z} \mid \mathbf{u}_k).$$
//
// Its means and variances come out of the encoder, and move when the encoder does.
//
// ### Exercise: a prior made of pseudo-inputs
//
// Pseudo-inputs are asked of an encoder that knows data between `low` and `high`. What is learnt may be any real number, so squash it: $\mathbf{u} = \mathrm{low} + (\mathrm{high} - \mathrm{low})\, \mathrm{sigmoid}(\mathrm{free})$.

// %% id="vamp"
/**
 * ln p(z) of a VampPrior: the even mixture of what the encoder says of K pseudo-inputs.
 * @param z [B, L] @param free what is learnt of the pseudo-inputs: any real numbers, [K, D]
 * @param range of the data: pseudo-inputs are low + (high − low) · sigmoid(free)
 * @param encode [K, D] → [K, 2L], first all μ, then all ln σ² @returns [B], in nats
 */
function logVamp(
  z: tf.Tensor,
  free: tf.Tensor,
  range: readonly [low: number, high: number],
  encode: (x: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  // BEGIN SOLUTION prior.vamp
  const [low, high] = range;
  const share = tf.sigmoid(free); // of the way from low to high
  const pseudo = share.mul(high - low).add(low); // [K, D]
  const [mu, logVar] = tf.split(encode(pseudo), 2, 1) as [tf.Tensor, tf.Tensor]; // [K, L] each
  return logMeanExp(logNormalComponents(z, mu, logVar), 1); // over [B, K]
  // END SOLUTION
}

// %% id="check-vamp"
await check('prior.vamp', logVamp);

// %% [markdown] id="own-vamp-text"
// **Your prior.** The same VAE, its prior by *your* density, trained on the pinwheel from the same weights as the one above. Its pseudo-inputs begin at noise. The points are what the encoder makes of its 16 pseudo-inputs after training; its row in the comparison is in section 6.

// %% id="own-vamp"
/** A VAE of the networks of `small`, with a prior that is made of its encoder. */
function vaeWith(priorOf: (encoder: Network, here: Rng) => Prior, here: Rng): VariationalModel {
  const { encoder, posterior, decoder } = vae.create(small, here.fork('weights'));
  return variationalModel('own prior', { encoder, posterior, decoder, prior: priorOf(encoder, here.fork('prior')) }, ONE_DRAW);
} // prettier-ignore
const numbers = Array.from(wheel.train.x.dataSync());
const ends = [numbers.reduce((a, b) => Math.min(a, b)), numbers.reduce((a, b) => Math.max(a, b))] as const;
const free = weight(rng.fork('pseudo-inputs').normal([16, 16]));
const pseudo = { components: 16, variables: [free], inputs: () => tf.tidy(() => free.sigmoid().mul(ends[1] - ends[0]).add(ends[0])) }; // prettier-ignore
const ownVampLog = yours(
  (z: tf.Tensor, encoder: Network) => logVamp(z, free, ends, (x) => encoder.apply(x)),
  (z: tf.Tensor, encoder: Network) => vampPrior(encoder, gaussianPosterior(2), pseudo).logProb(z, rng),
);
const ownVamp = vaeWith(
  (encoder) => ({
    ...vampPrior(encoder, gaussianPosterior(2), pseudo),
    variables: [free],
    logProb: (z) => tf.tidy(() => ownVampLog(z, encoder)),
  }),
  rng.fork('wheel run'),
);
await train(ownVamp, wheel, rng.fork('wheel run').fork('fit'), { epochs: wheelEpochs });
panels(
  [
    { title: `VampPrior: ${ownVampLog.by()}; codes of the data`, density: priorDensity(ownVamp), points: codesOf(ownVamp, few, rng.fork('codes')) },
    { title: 'means of its pseudo-inputs', density: priorDensity(ownVamp), points: rowsOf(tf.tidy(() => ownVamp.posterior.mean(ownVamp.encode(pseudo.inputs())))), size: 8 },
  ],
  3.5,
  'A prior in five bands with the codes of the data on it, and the means of its 16 components',
); // prettier-ignore

// %% [markdown] id="resampled-text"
// **Rejection.** Another way to a prior of any shape: keep the Gaussian $\pi(\mathbf{z})$ for *proposals*, and let a network say how welcome each is. A proposal is accepted with probability $a(\mathbf{z}) \in (0, 1)$, else one tries again: a **resampled prior** (*learned accept/reject sampling*, LARS; Bauer and Mnih, 2019). In order not to try for ever, the $T$-th proposal is taken whatever it is. With $Z = \mathbb{E}_\pi\, a(\mathbf{z})$, the chance that a proposal is accepted, what is the density of the draw that is kept?
//
// ### Exercise: derive it
//
// At which try may $\mathbf{z}$ have been kept, and how likely is it that one came so far? Sum over the tries. $T = 1$ must give $\pi$ itself, and $T \to \infty$ gives $\pi a / Z$.

// %% id="resampled"
/**
 * ln p(z) of the draw that is kept.
 * @param logBase ln π(z), [B] @param logAccept ln a(z), at most 0, [B]
 * @param Z the mean of a(z) over proposals, in (0, 1], a scalar: [] @param T proposals at most: a whole number from 1 on
 * @returns [B], in nats
 */
function logResampled(logBase: tf.Tensor, logAccept: tf.Tensor, Z: tf.Tensor, T: number): tf.Tensor {
  // BEGIN SOLUTION prior.resampled
  const forced = tf.sub(1, Z).pow(T - 1); // the chance that only the last proposal is left
  const chosen = tf.sub(1, forced).div(Z); // Σ (1 − Z)^(t − 1) over the tries before
  return logBase.add(logAccept.exp().mul(chosen).add(forced).log());
  // END SOLUTION
}

// %% id="check-resampled"
await check('prior.resampled', logResampled);

// %% [markdown] id="own-resampled-text"
// **Your density against draws.** One latent; proposals near $\pm 1.5$ are welcome, others mostly are not. The bars are 20,000 draws by rejection, made here try by try; the line is your formula. Move the slider through $T$, from one try, which is the Gaussian itself, to fifty.

// %% id="own-resampled"
/** What `own` says; nothing while it is not written, or throws. */
const prediction =
  <Args extends readonly unknown[], Result>(own: (...args: Args) => Result) =>
  (...args: Args): Result | undefined => {
    try {
      return own(...args);
    } catch {
      return undefined;
    }
  };
const welcome = (z: number) => 0.9 * Math.exp(-8 * (Math.abs(z) - 1.5) ** 2) + 0.01;
const line = Array.from({ length: 281 }, (_, i) => (i - 140) / 40);
const base1 = line.map((z) => Math.exp(-(z * z) / 2) / Math.sqrt(2 * Math.PI));
const Z1 = line.reduce((sum, z, i) => sum + (base1[i]! * welcome(z)) / 40, 0);
const derived = prediction((T: number) =>
  tf.tidy(() => logResampled(tf.tensor1d(base1).log(), tf.tensor1d(line.map(welcome)).log(), tf.scalar(Z1), T).exp().dataSync()),
); // prettier-ignore
/** Draws by trying again, T times at most. */
function kept(T: number, count: number, here: Rng): number[] {
  const proposals = rowsOf(here.fork('proposals').normal([count, T]));
  const luck = rowsOf(here.fork('luck').uniform([count, T]));
  return proposals.map((row, n) => row.find((z, t) => t === T - 1 || luck[n]![t]! < welcome(z))!);
}
const bins = Array.from({ length: 56 }, (_, i) => -3.5 + (i + 0.5) / 8);
const shares = (draws: readonly number[]) => {
  const counts = bins.map(() => 0);
  for (const z of draws) if (Math.abs(z) < 3.5) counts[Math.floor((z + 3.5) * 8)]! += 1;
  return counts.map((c) => (8 * c) / draws.length);
};
const tryFrames = [1, 2, 5, 10, 20, 50].map((T) => ({
  name: `T = ${T}`,
  data: [
    { type: 'bar', x: bins, y: shares(kept(T, 20_000, rng.fork(`tries ${T}`))).map((v) => +v.toFixed(4)), name: 'draws', opacity: 0.5 },
    { x: line, y: Array.from(derived(T) ?? base1, (v) => +v.toFixed(4)), mode: 'lines', name: derived(T) ? 'your density' : 'the Gaussian (yours is not written)' },
  ],
})); // prettier-ignore
figure(
  tryFrames[0]!.data,
  { xaxis: { title: 'z', range: [-3.5, 3.5] }, yaxis: { title: 'density', range: [0, 1] }, bargap: 0 },
  {
    height: 460,
    frames: tryFrames,
    alt: 'A bell that turns into two humps the more tries there are, with a line that follows',
  },
);

// %% [markdown] id="priors-text"
// **The other two** are models that earlier chapters have. A **flow prior** is an invertible network between $\mathbf{z}$ and Gaussian noise (chapter 6), $\ln p(\mathbf{z}) = \ln \mathcal{N}(\mathbf{f}(\mathbf{z}); \mathbf{0}, \mathbf{I}) + \ln |\det \partial \mathbf{f} / \partial \mathbf{z}|$. An **autoregressive prior** is a product of conditionals (chapter 5), here of one-dimensional mixtures, $p(\mathbf{z}) = \prod_l p(z_l \mid \mathbf{z}_{<l})$.
//
// | prior | $\ln p(\mathbf{z})$ | a draw |
// |---|---|---|
// | standard | closed form, KL too | one draw |
// | mixture of $K$ | $K$ Gaussians | which one, then a draw |
// | VampPrior | $K$ encodings and Gaussians | the same |
// | resampled | the network, and $Z$ by Monte Carlo | up to $T$ proposals |
// | flow | one pass | one pass back |
// | autoregressive | one pass | $L$ passes |

// %% [markdown] id="network"
// ## 2 Network
//
// Now the other choice. The encoder says of $\mathbf{x}$ a mean and a variance for each latent, and posteriors are hills along the axes. To make them more, let noise from that Gaussian pass through an invertible map: $\mathbf{z} = \mathbf{f}(\mathbf{z}_0)$, whose density is known by the change of variables,
//
// $$\ln q(\mathbf{z} \mid \mathbf{x}) = \ln q_0(\mathbf{z}_0 \mid \mathbf{x}) - \ln |\det \partial \mathbf{f} / \partial \mathbf{z}_0|.$$
//
// **Only this direction is needed** in training: one draws $\mathbf{z}$, and then asks its own density. The way back may be as slow as it likes. And $\mathbf{f}$ may differ from $\mathbf{x}$ to $\mathbf{x}$: the encoder says its parameters, or gives the map some numbers of **context**.
//
// * **Householder** (Tomczak and Welling, 2016): reflections $\mathbf{z} \leftarrow \mathbf{z} - 2 \mathbf{v} \mathbf{v}^\top \mathbf{z} / \|\mathbf{v}\|^2$, with each $\mathbf{v}$ by the encoder. They turn the axes, at no cost: $|\det| = 1$. A turned Gaussian is a Gaussian.
// * **Sylvester** (van den Berg et al., 2018): $\mathbf{z} \leftarrow \mathbf{z} + \mathbf{R} \tanh(\tilde{\mathbf{R}} \mathbf{z} + \mathbf{b})$ with triangular matrices, whose product's diagonal gives the determinant.
// * **Inverse autoregressive** (IAF; Kingma et al., 2016): each latent is mixed with a guess of it from those before. Below it is yours.
// * **Spline couplings** (chapter 6), with context.
//
// ### Predict: how many reflections
//
// A linear world: $\mathbf{z} \sim \mathcal{N}(\mathbf{0}, \mathbf{I}_L)$, $\mathbf{x} = \mathbf{W}\mathbf{z} + \sigma \boldsymbol\varepsilon$ with $D$ numbers observed and a $\mathbf{W}$ of random entries. The posterior is Gaussian with the precision $\mathbf{I} + \mathbf{W}^\top \mathbf{W} / \sigma^2$, and its axes lie askew: two latents that may both explain an $x$ are **coupled** by it, since the more the one explains, the less is left to the other (**explaining away**). A diagonal Gaussian cannot say this. Turned by reflections it can. *Before* you run the table in section 6: how many reflections are enough, for $L$ latents and $D$ observed numbers, to reach the posterior exactly?

// %% id="reflections"
/**
 * How many reflections are enough for an exact posterior in a linear world whose W, [D, L], has random entries.
 * @param latents L @param observed D
 */
function reflectionsEnough(latents: number, observed: number): number {
  // BEGIN SOLUTION posterior.reflections
  // I + WᵀW/σ² has D directions of its own; each takes a mirror of its own, and the last of L is what the others leave
  return Math.min(observed, latents - 1);
  // END SOLUTION
}

// %% id="check-reflections"
await check('posterior.reflections', reflectionsEnough);

// %% [markdown] id="autoregressive-text"
// ### Exercise: an inverse autoregressive posterior
//
// A network reads $\mathbf{z}$ and says $\mathbf{m}$ and $\mathbf{s}$, with $m_l$ and $s_l$ of $z_1, \dots, z_{l-1}$ alone. The step is a gate, $\sigma_l = \mathrm{sigmoid}(s_l)$, between the latent and what is guessed of it:
//
// $$z_l \leftarrow \sigma_l\, z_l + (1 - \sigma_l)\, m_l.$$
//
// After each step the order of the latents is reversed, so that the next network looks the other way. What happens to $\ln q$? The $m_l$ and $\sigma_l$ depend on $\mathbf{z}$, too; look at the Jacobian before you differentiate them.

// %% id="autoregressive"
/**
 * Draws and their ln q after some inverse autoregressive steps, each followed by a reversal of the latents' order.
 * @param z draws, [B, L] @param logQ their ln q, [B]
 * @param nets by step, [B, L] → [B, 2L], first all m, then all s; outputs m_l and s_l depend on the latents before l alone
 * @returns the new z, [B, L], and its ln q, logQ [B]
 */
function inverseAutoregressive(
  z: tf.Tensor,
  logQ: tf.Tensor,
  nets: readonly ((z: tf.Tensor) => tf.Tensor)[],
): { z: tf.Tensor; logQ: tf.Tensor } {
  // BEGIN SOLUTION posterior.autoregressive
  let [place, logDensity] = [z, logQ];
  for (const net of nets) {
    const [m, s] = tf.split(net(place), 2, 1) as [tf.Tensor, tf.Tensor]; // [B, L] each
    const gate = tf.sigmoid(s);
    logDensity = logDensity.sub(tf.logSigmoid(s).sum(1)); // the Jacobian is triangular: its diagonal alone
    place = gate.mul(place).add(tf.sub(1, gate).mul(m)).reverse(1);
  }
  return { z: place, logQ: logDensity };
  // END SOLUTION
}

// %% id="check-autoregressive"
await check('posterior.autoregressive', inverseAutoregressive);

// %% [markdown] id="own-autoregressive-text"
// **Your posterior in a ring.** Two latents, and one number observed: $x = \|\mathbf{z}\| + \text{noise}$. Whoever knows $x$ knows how far out $\mathbf{z}$ is, and nothing of the direction: the posterior is a ring. No turning of axes makes a ring of a hill. The encoder, and flows of four steps, are trained against the *true* decoder, so whatever is missing to $\ln p(x)$ is the posterior's alone. Below, the exact posterior for one $x$ (shaded) with 600 draws from a diagonal Gaussian, and from yours.

// %% id="own-autoregressive"
const ring = ringWorld();
const ringData = { train: { x: ring.sample({ count: 4000, rng: rng.fork('ring') }) } };
const CONTEXT = 16;
const STEPS = 4;
/** Networks of two latents: the first one's m and s are of the context alone, the second one's of the first latent, too. */
const pairNets = Array.from({ length: STEPS }, (_, t) => ({
  first: mlp([CONTEXT, 32, 2], rng.fork(`first ${t}`)),
  second: mlp([CONTEXT + 1, 32, 32, 2], rng.fork(`second ${t}`)),
}));
const told = (t: number, z: tf.Tensor, context: tf.Tensor) => {
  const a = pairNets[t]!.first.apply(context); // [B, 2]
  const b = pairNets[t]!.second.apply(tf.concat([z.slice([0, 0], [-1, 1]), context], 1));
  return tf
    .stack([a, b], 2)
    .reshape([-1, 4])
    .add(tf.tensor1d([0, 0, 2, 2])); // m₁, m₂, s₁, s₂; gates begin open
};
const libraryFlow = inverseAutoregressiveFlow(
  2,
  { steps: STEPS, hidden: [32, 32], context: CONTEXT },
  rng.fork('library flow'),
);
const ownSteps = yours(
  (z: tf.Tensor, context: tf.Tensor) => {
    const nets = pairNets.map((_, t) => (place: tf.Tensor) => told(t, place, context));
    const moved = inverseAutoregressive(z, tf.zerosLike(z).sum(1), nets);
    return { z: moved.z, logDet: moved.logQ.neg() };
  },
  (z: tf.Tensor, context: tf.Tensor) => libraryFlow.toPosterior(z, context),
); // prettier-ignore
tf.tidy(() => ownSteps(tf.zeros([1, 2]), tf.zeros([1, CONTEXT]))); // says at once whose they are
/** The way back: a latent is known once those before it are, so L passes a step. */
const stepsBack = (z: tf.Tensor, context: tf.Tensor) =>
  pairNets.reduceRight((place, _, t) => {
    const target = place.reverse(1);
    let z0: tf.Tensor = tf.zerosLike(target);
    for (let known = 0; known < 2; known++) {
      const [m, s] = tf.split(told(t, z0, context), 2, 1) as [tf.Tensor, tf.Tensor];
      z0 = target.sub(tf.sub(1, s.sigmoid()).mul(m)).div(s.sigmoid());
    }
    return z0;
  }, z);
const isOwn = ownSteps.by() === 'yours';
const ownFlow: LatentFlow = {
  parameters: CONTEXT,
  variables: isOwn ? pairNets.flatMap(({ first, second }) => [...first.variables, ...second.variables]) : libraryFlow.variables,
  toPosterior: (z, context) => ownSteps(z, context),
  toBase: (z, context) => (isOwn ? stepsBack(z, context) : libraryFlow.toBase(z, context)),
}; // prettier-ignore
const ringHidden = [64, 64];
const ownQ = flowPosterior(2, ownFlow);
const ownRing = variationalModel(
  'own posterior',
  {
    encoder: denseEncoder({ eventShape: [1], values: null, hidden: ringHidden, dropout: 0, inputDropout: 0 }, ownQ.parameters, rng.fork('own encoder')),
    posterior: ownQ,
    prior: standardNormal(2),
    decoder: decoderOf(ring),
  },
  ONE_DRAW,
); // prettier-ignore
const ringEpochs = budgeted(80, 150);
const trainRing = (posterior: PosteriorOptions, here: Rng) =>
  train(inferenceModel(ring, { posterior, hidden: ringHidden }, here.fork('weights')), ringData, here.fork('fit'), {
    epochs: ringEpochs,
  });
await train(ownRing, ringData, rng.fork('own ring'), { epochs: ringEpochs });
const roundRing = await trainRing({ kind: 'diagonal' }, rng.fork('ring diagonal'));
/** The exact posterior of z given that x, up to its constant. */
const ringPosterior = (x: number) => (z: tf.Tensor) =>
  logNormal(z, tf.scalar(0), tf.scalar(0))
    .add(ring.logGiven(tf.fill([z.shape[0]!, 1], x), z))
    .exp();
const drawsAt = (model: VariationalModel, x: number, here: Rng) => codesOf(model, tf.fill([600, 1], x), here);
panels(
  [
    { title: 'diagonal', density: ringPosterior(2), points: drawsAt(roundRing, 2, rng.fork('at diagonal')) },
    { title: `inverse autoregressive: ${ownSteps.by()}`, density: ringPosterior(2), points: drawsAt(ownRing, 2, rng.fork('at own')) },
  ],
  3.5,
  'A ring, the exact posterior of two latents; draws of a diagonal Gaussian fill a part of it, those of the flow the ring',
); // prettier-ignore

// %% [markdown] id="objective"
// ## 3 Objective
//
// The bound is that of chapter 8, with whatever prior and posterior:
//
// $$\mathbb{E}_{q} \bigl[ \ln p(\mathbf{x} \mid \mathbf{z}) + \ln p(\mathbf{z}) - \ln q(\mathbf{z} \mid \mathbf{x}) \bigr] = \ln p(\mathbf{x}) - \mathrm{KL}[q(\mathbf{z} \mid \mathbf{x}) \,\|\, p(\mathbf{z} \mid \mathbf{x})].$$
//
// A KL in closed form is there for two Gaussians, and no longer otherwise: one draw estimates both logarithms. A better *posterior* narrows the gap to $\ln p(\mathbf{x})$. A better *prior* makes another model, which can raise $\ln p(\mathbf{x})$ itself. By how much does it raise the bound? Averaged over the data, and with the aggregate posterior put in between,
//
// $$\frac1N \sum_n \mathrm{KL}[q(\mathbf{z} \mid \mathbf{x}_n) \,\|\, p(\mathbf{z})] = \underbrace{\frac1N \sum_n \mathrm{KL}[q(\mathbf{z} \mid \mathbf{x}_n) \,\|\, q(\mathbf{z})]}_{\text{information}} + \underbrace{\mathrm{KL}[q(\mathbf{z}) \,\|\, p(\mathbf{z})]}_{\text{mismatch}}.$$
//
// (Hoffman and Johnson, 2016.) The first part is the **mutual information** of a data point's index and its code, between 0 and $\ln N$: what the code says. No prior changes it. The second is what a prior can gain, and it is all of it.
//
// ### Exercise: the KL taken apart
//
// Estimate both parts by one draw for each example. $q(\mathbf{z})$ is the mixture of all $N$ posteriors.

// %% id="apart"
/**
 * KL[q(z | x_n) ‖ p(z)] of every example in two parts, by one draw for each, with q(z) = (1/N) Σ_m q(z | x_m).
 * @param mu means of the posteriors, [N, L] @param logVar ln σ², [N, L] @param z draws, z_n from q(z | x_n), [N, L]
 * @param logPrior ln p(z_n), [N]
 * @returns information, ln q(z_n | x_n) / q(z_n), and mismatch, ln q(z_n) / p(z_n), [N] each, in nats
 */
function klApart(
  mu: tf.Tensor,
  logVar: tf.Tensor,
  z: tf.Tensor,
  logPrior: tf.Tensor,
): { information: tf.Tensor; mismatch: tf.Tensor } {
  // BEGIN SOLUTION prior.apart
  const pairs = logNormalComponents(z, mu, logVar); // [N, N]: ln q(z_n | x_m)
  const aggregate = logMeanExp(pairs, 1); // ln q(z_n)
  return { information: logNormal(z, mu, logVar).sub(aggregate), mismatch: aggregate.sub(logPrior) };
  // END SOLUTION
}

// %% id="check-apart"
await check('prior.apart', klApart);

// %% [markdown] id="own-apart-text"
// **Your parts.** The VAE of the first picture, with its standard prior, and the one with the VampPrior, by your function and by the library's, with other draws. The mismatch is what the standard prior costs.

// %% id="own-apart"
const ownParts = yours(
  (model: VariationalModel, x: tf.Tensor, here: Rng) =>
    tf.tidy(() => {
      const h = model.encode(x);
      const [mu, logVar] = tf.split(h, 2, 1) as [tf.Tensor, tf.Tensor];
      const { z } = model.posterior.draw(h, here.fork('z'));
      const parts = klApart(mu, logVar, z, model.prior.logProb(z, here.fork('prior')));
      return { information: meanOf(parts.information.dataSync()), mismatch: meanOf(parts.mismatch.dataSync()) };
    }),
  (model: VariationalModel, x: tf.Tensor, here: Rng) => {
    const { information, aggregateKl } = takenApart(model, x, here);
    return { information, mismatch: aggregateKl };
  },
);
table(
  ([['standard', plain], ['VampPrior', ownVamp]] as const).flatMap(([prior, model]) => {
    const library = takenApart(model, few, rng.fork('library parts'), { draws: 2 });
    return [
      { prior, by: '', ...ownParts(model, few, rng.fork('own parts')) },
      { prior, by: 'the library’s', information: library.information, mismatch: library.aggregateKl },
    ].map((row) => ({ ...row, by: row.by || ownParts.by() }));
  }),
  { caption: `The KL on ${FEW} training points, in nats; ln N = ${Math.log(FEW).toFixed(2)}`, digits: 3 },
); // prettier-ignore

// %% [markdown] id="gain-text"
// ### Predict: what a better prior gains
//
// *Before* you run the table: let $\mathbf{z}$ be one of a few places, and a prior that is even over all of them. Each example's posterior is even over some places, its code. Now the prior is made the best there is. By how many nats does the mean KL fall, and how much of it is left? The table learns that prior, by gradient steps on the logits of its places.

// %% id="gain"
/**
 * What the best prior gains on an even one, and what it leaves.
 * @param codes by example, the places of z that its posterior covers evenly @param cells how many places there are
 * @returns gain: by how many nats the mean KL falls; left: the mean KL that remains
 */
function priorGain(codes: readonly (readonly number[])[], cells: number): { gain: number; left: number } {
  // BEGIN SOLUTION prior.gain
  const aggregate = new Array<number>(cells).fill(0); // the best prior
  let noise = 0; // mean entropy of a posterior
  for (const places of codes) {
    for (const place of places) aggregate[place]! += 1 / (codes.length * places.length);
    noise += Math.log(places.length) / codes.length;
  }
  const entropy = aggregate.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
  return { gain: Math.log(cells) - entropy, left: entropy - noise };
  // END SOLUTION
}

// %% id="gains"
/** The mean KL from a prior, and what gradient steps on its logits bring it down to. */
function learntPrior(codes: readonly (readonly number[])[], cells: number) {
  const softmax = (logits: readonly number[]) => {
    const each = logits.map((v) => Math.exp(v - Math.max(...logits)));
    return each.map((v) => v / each.reduce((a, b) => a + b, 0));
  };
  const klFrom = (prior: readonly number[]) =>
    meanOf(codes.map((code) => meanOf(code.map((place) => -Math.log(code.length * prior[place]!)))));
  let logits = new Array<number>(cells).fill(0);
  const start = klFrom(softmax(logits));
  for (let step = 0; step < 4000; step++) {
    const prior = softmax(logits);
    const wanted = logits.map((_, c) => meanOf(codes.map((code) => (code.includes(c) ? 1 / code.length : 0))));
    logits = logits.map((v, c) => v - 0.5 * (prior[c]! - wanted[c]!));
  }
  const end = klFrom(softmax(logits));
  return { gain: start - end, left: end };
}
const foretold = prediction(priorGain);
const codeSets: readonly (readonly [string, readonly (readonly number[])[], number])[] = [
  ['two examples, one code', [[0, 1], [0, 1]], 8],
  ['two examples, no common place', [[0, 1], [2, 3]], 8],
  ['codes that overlap', [[0, 1], [1, 2], [2, 3]], 4],
  ['all places used evenly', [[0], [1], [2], [3]], 4],
]; // prettier-ignore
table(
  codeSets.map(([codes, each, cells]) => {
    const measured = learntPrior(each, cells);
    return { codes, places: cells, 'gain, learnt': measured.gain, 'gain, predicted': foretold(each, cells)?.gain ?? '–', 'left, learnt': measured.left, 'left, predicted': foretold(each, cells)?.left ?? '–' };
  }),
  { caption: 'A prior over places: nats of the mean KL', digits: 3 },
); // prettier-ignore

// %% id="check-gain"
await check('prior.gain', priorGain);

// %% [markdown] id="optimiser"
// ## 4 Optimiser
//
// * **AdamW**, its learning rate falling from 0.005 (in the linear world 0.01) to 0 along a cosine, weights averaged over the last hundred steps or so (`ema: 0.99`), as in chapter 8. Gradients longer than 10 are **clipped**: $\ln p(\mathbf{z})$ of a prior that is sharp in places has slopes that a Gaussian's has not.
// * **All at once.** Prior, encoder and decoder are trained by one objective, from the first step. A prior that is fitted afterwards to a trained encoder can gain the mismatch, and no more; trained along, encoder and prior can agree on another code.
// * **Gates begin open**, $\sigma = \mathrm{sigmoid}(2) = 0.88$, and couplings begin near the identity: with them a model begins as the one with the standard choice, or nearly. Components of mixtures begin apart from each other; reflections and Sylvester steps begin wherever the encoder's first weights put them.
// * **$Z$ of a resampled prior** is the mean acceptance of fresh proposals at each step. The logarithm of a mean of $S$ of them is too low by about $\mathrm{Var}\,a / (2 S Z^2)$ on average (Jensen again), and $\ln p(\mathbf{z})$, where $Z$ divides, is too high by as much. So $S$ is a thousand here, and the row of the prior in the table is on average about that much too good.
//
// ## 5 Training
//
// Six priors on the pinwheel, from the same weights of encoder and decoder, for as many steps; and two of yours.

// %% id="train-priors"
const PRIORS: readonly (readonly [string, PriorOptions])[] = [
  ['standard', { kind: 'standard' }],
  ['mixture of 16', { kind: 'mixture', components: 16 }],
  ['VampPrior of 16', { kind: 'vamp', components: 16 }],
  ['resampled, T = 100', { kind: 'resampled', hidden: [32, 32], truncation: 100, draws: 1024 }],
  ['flow, 6 couplings', { kind: 'flow', coupling: 'affine', steps: 6, hidden: [32, 32] }],
  ['autoregressive', { kind: 'autoregressive', components: 8, hidden: [32, 32] }],
];
const SEEDS = fullBudget() ? 3 : 1;
interface Trained {
  readonly name: string;
  /** one for each seed */
  readonly models: readonly VariationalModel[];
}
/** A model for each seed; the first one may be known already. */
async function seeded(make: (here: Rng) => Promise<VariationalModel>, label: string, known?: VariationalModel) {
  const models = known ? [known] : [];
  while (models.length < SEEDS) models.push(await make(rng.fork(models.length === 0 ? label : `${label} ${models.length}`))); // prettier-ignore
  return models;
}
const wheels: Trained[] = [];
for (const [name, prior] of PRIORS) {
  const known = name === 'standard' ? plain : undefined;
  wheels.push({ name, models: await seeded((here) => trainWheel(prior, here), 'wheel run', known) });
}
const ownResampledLog = yours(
  (prior: ResampledPrior, z: tf.Tensor, here: Rng) => {
    const base = logNormal(z, tf.scalar(0), tf.scalar(0));
    return logResampled(base, prior.acceptance(z).log(), prior.normaliser(here.fork('normaliser')), 100);
  },
  (prior: ResampledPrior, z: tf.Tensor, here: Rng) => prior.logProb(z, here),
);
const ownResampled = vaeWith((_, here) => {
  const prior = resampledPrior(2, { hidden: [32, 32], truncation: 100, draws: 1024 }, here);
  return { ...prior, logProb: (z, noise) => tf.tidy(() => ownResampledLog(prior, z, noise)) };
}, rng.fork('wheel run'));
await train(ownResampled, wheel, rng.fork('wheel run').fork('fit'), { epochs: wheelEpochs });
wheels.push({ name: `VampPrior: ${ownVampLog.by()}`, models: [ownVamp] });
wheels.push({ name: `resampled: ${ownResampledLog.by()}`, models: [ownResampled] });

// %% [markdown] id="aggregate-text"
// **The aggregate posterior over each prior.** Shaded the prior; the points are codes of training data, one draw each. The standard prior stays round and the codes crowd on a part of it. The others take the codes' shape.

// %% id="aggregate"
const firstOf = (name: string) => wheels.find((each) => each.name === name)!.models[0]!;
for (const names of [PRIORS.slice(0, 3), PRIORS.slice(3)])
  panels(
    names.map(([name]) => ({ title: name, density: priorDensity(firstOf(name)), points: codesOf(firstOf(name), few, rng.fork('codes')) })),
    4,
    `Priors with codes of the data: ${names.map(([name]) => name).join(', ')}`,
  ); // prettier-ignore

// %% [markdown] id="train-posteriors-text"
// **Posteriors**: in the linear world, where $\ln p(\mathbf{x})$ is Gaussian, and in the ring, where a quadrature gives it. The decoder is the true one and stays as it is; encoder and posterior are trained.

// %% id="train-posteriors"
const linear = linearWorld();
const linearData = { train: { x: linear.sample({ count: 4000, rng: rng.fork('linear') }) } };
const LINEAR: readonly (readonly [string, PosteriorOptions])[] = [
  ['diagonal', { kind: 'diagonal' }],
  ...[1, 3, 4, 7].map((reflections): readonly [string, PosteriorOptions] => [`reflections: ${reflections}`, { kind: 'householder', reflections }]),
]; // prettier-ignore
const trainLinear = (posterior: PosteriorOptions, here: Rng) =>
  train(inferenceModel(linear, { posterior, hidden: [64] }, here.fork('weights')), linearData, here.fork('fit'), {
    epochs: budgeted(120, 300),
    learningRate: 0.01,
  });
const linears: Trained[] = [];
for (const [name, posterior] of LINEAR)
  linears.push({ name, models: await seeded((here) => trainLinear(posterior, here), 'linear run') });
const RING: readonly (readonly [string, PosteriorOptions])[] = [
  ['reflections: 2', { kind: 'householder', reflections: 2 }],
  ['Sylvester, 4 steps', { kind: 'sylvester', steps: 4 }],
  ['inverse autoregressive, 4 steps', { kind: 'iaf', steps: STEPS, hidden: [32, 32], context: CONTEXT }],
  ['spline couplings, 4 steps', { kind: 'spline', steps: 4, hidden: [32, 32], context: CONTEXT, bins: 8, reach: 4 }],
];
const rings: Trained[] = [];
for (const [name, posterior] of [['diagonal', { kind: 'diagonal' }], ...RING] as const) {
  const known = name === 'diagonal' ? roundRing : undefined;
  rings.push({ name, models: await seeded((here) => trainRing(posterior, here), `ring ${posterior.kind}`, known) });
}
rings.push({ name: `inverse autoregressive: ${ownSteps.by()}`, models: [ownRing] });

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// **Priors on the pinwheel.** The entropy of the source is known, and so is $-\ln p(\mathbf{x})$ of every test point; what a bound is above it, is the model's loss. Many draws take most of the posterior's part of it away (chapter 8), so what is left is the family's: a VAE of that prior. Differences from the standard prior are paired, point by point. Sizes, steps and rates were set once for all priors, as for all posteriors of a world, and not searched for one by one: no row has been favoured, and each could do a little better.

// %% id="prior-gaps"
const MOST = fullBudget() ? 1000 : Math.max(5, budgeted(100));
const bySeed = (models: readonly VariationalModel[], K: number) =>
  models.map((model, i) => aboveExact(model, testWheel, exactWheel, K, rng.fork(`gap ${K} ${i}`)));
/** Standard deviation of what the seeds reach; nothing to say of one. */
const spreadOf = (each: readonly (readonly number[])[]) =>
  each.length > 1 ? errorOf(each.map(meanOf)) * Math.sqrt(each.length) : '';
/** By example, the mean over the seeds. */
const overSeeds = (each: readonly (readonly number[])[]) =>
  each[0]!.map((_, n) => meanOf(each.map((gaps) => gaps[n]!)));
const wheelGaps = wheels.map(({ name, models }) => {
  const eachSeed = bySeed(models, MOST);
  const { kind } = models[0]!.likelihood; // with a resampled prior an estimate: section 4
  return { name, kind, eachSeed, one: overSeeds(bySeed(models, 1)), many: overSeeds(eachSeed) };
});
const [standardGaps] = wheelGaps;
table(
  wheelGaps.map(({ name, kind, eachSeed, one, many }) => {
    const gained = many.map((gap, n) => standardGaps!.many[n]! - gap);
    return {
      prior: name,
      kind,
      seeds: eachSeed.length,
      'above −ln p(x), 1 draw': meanOf(one),
      [`by ${MOST} draws`]: meanOf(many),
      'its error': errorOf(many),
      'spread over seeds': spreadOf(eachSeed),
      'gain on the standard prior': meanOf(gained),
      'its error (paired)': errorOf(gained),
    };
  }),
  { caption: `Pinwheel, ${testWheel.shape[0]} test points, entropy ${pinwheel.entropy.toFixed(2)} nats: nats a point; errors over the points`, digits: 3 },
); // prettier-ignore

// %% [markdown] id="ladder-text"
// ### The ladder
//
// The same on a ladder, in nats above $-\ln p(\mathbf{x})$: the source itself is at 0. Nothing can be below it but by a mistake, or by chance within the bars. (A resampled prior's row is an estimate of a bound: section 4.)

// %% id="ladder"
ladder(
  [
    { name: 'the source', nats: 0, kind: 'exact' },
    ...wheelGaps.map(({ name, kind, many }) => ({ name, nats: meanOf(many), kind, error: errorOf(many) })),
  ],
  { title: `Pinwheel: nats above −ln p(x), by ${MOST} draws`, digits: 2 },
);

// %% [markdown] id="stacked-text"
// **The bound taken apart.** For each prior: what reconstruction costs, what the code says, and what does not fit between codes and prior. The first two no prior can change while encoder and decoder stay as they are; the mismatch is what learned priors are there for.

// %% id="stacked"
const takenParts = wheels.slice(0, PRIORS.length).map(({ name, models }) => ({ name, ...takenApart(models[0]!, few, rng.fork(`apart ${name}`)) })); // prettier-ignore
const stacked = (part: string, of: (parts: (typeof takenParts)[number]) => number) => ({
  type: 'bar',
  name: part,
  x: takenParts.map(({ name }) => name),
  y: takenParts.map((parts) => +of(parts).toFixed(3)),
  hovertemplate: `%{x}<br>${part}: %{y:.2f} nats<extra></extra>`,
});
const cheapest = Math.min(...takenParts.map(({ reconstruction }) => -reconstruction));
figure(
  [
    stacked(`reconstruction, above ${cheapest.toFixed(1).replace('-', '−')}`, ({ reconstruction }) => -reconstruction - cheapest),
    stacked('information: what the code says', ({ information }) => information),
    stacked('mismatch: KL[q(z) ‖ p(z)]', ({ aggregateKl }) => aggregateKl),
  ],
  { barmode: 'stack', yaxis: { title: 'nats a training point' }, legend: { orientation: 'h', y: 1.15, traceorder: 'normal' } },
  { height: 400, alt: 'Stacked bars by prior: the information is alike, the mismatch large for the standard prior alone' },
); // prettier-ignore
table(
  takenParts.map(({ name, reconstruction, information, aggregateKl, standardErrors }) => ({ prior: name, reconstruction, information, mismatch: aggregateKl, 'its error': standardErrors.aggregateKl })),
  { caption: 'The bound taken apart, training points: nats', digits: 3 },
); // prettier-ignore

// %% [markdown] id="linear-text"
// **Reflections in the linear world**, $L = 8$ and $D = 4$. What the best diagonal Gaussian loses is known: with the precision $\boldsymbol\Lambda$, its gap is $\frac12 (\sum_l \ln \Lambda_{ll} - \ln |\boldsymbol\Lambda|)$ (chapter 8).

// %% id="linear-gaps"
const linearTest = linear.sample({ count: Math.max(300, budgeted(2000)), rng: rng.fork('linear test') });
const exactLinear = evaluate(linear, { x: linearTest }, rng).perExample;
const enough = prediction(reflectionsEnough)(8, 4);
const linearGaps = linears.map(({ name, models }) => ({ name, eachSeed: models.map((model) => aboveExact(model, linearTest, exactLinear, 1, rng.fork('linear gap'))) })); // prettier-ignore
table(
  linearGaps.map(({ name, eachSeed }) => ({
    posterior: name,
    seeds: eachSeed.length,
    'bound below ln p(x)': meanOf(overSeeds(eachSeed)),
    'its error': errorOf(overSeeds(eachSeed)),
    'spread over seeds': spreadOf(eachSeed),
    theory: name === 'diagonal' ? linear.diagonalGap : '',
    'enough, as predicted': name === `reflections: ${enough}` ? 'this one' : '',
  })),
  { caption: 'Linear world: nats a point, by one draw', digits: 3 },
); // prettier-ignore

// %% [markdown] id="ring-text"
// **The ring.** A turned hill is a hill: reflections gain nothing here. Flows that bend do. Differences from the diagonal are paired.

// %% id="ring-gaps"
const ringTest = ring.sample({ count: Math.max(300, budgeted(2000)), rng: rng.fork('ring test') });
const exactRing = evaluate(ring, { x: ringTest }, rng).perExample;
const ringGaps = rings.map(({ name, models }) => {
  const eachSeed = models.map((model) => aboveExact(model, ringTest, exactRing, 1, rng.fork('ring gap')));
  return { name, model: models[0]!, eachSeed, gaps: overSeeds(eachSeed) };
});
table(
  ringGaps.map(({ name, eachSeed, gaps }) => {
    const gained = gaps.map((gap, n) => ringGaps[0]!.gaps[n]! - gap);
    return { posterior: name, seeds: eachSeed.length, 'bound below ln p(x)': meanOf(gaps), 'its error': errorOf(gaps), 'spread over seeds': spreadOf(eachSeed), 'gain on the diagonal': meanOf(gained), 'its error (paired)': errorOf(gained) };
  }),
  { caption: 'Ring world: nats a point, by one draw', digits: 3 },
); // prettier-ignore
for (const some of [ringGaps.slice(0, 3), ringGaps.slice(3)])
  panels(
    some.map(({ name, model }) => ({ title: name.replace(/, \d+ steps/, ''), density: ringPosterior(2), points: drawsAt(model, 2, rng.fork('shapes')) })),
    3.5,
    `The exact ring posterior for x = 2, with draws of: ${some.map(({ name }) => name).join(', ')}`,
  ); // prettier-ignore

// %% [markdown] id="digits-text"
// **The digits, two latents: next to nothing.** The same priors where nobody built a gap in, for as many passes. Each is compared with the standard prior, image by image. The error over images says how sure the difference of *these two trained models* is. Another seed makes other models: with `--budget full` there are three, and a gain that is not well above its spread over seeds is not the prior's.

// %% id="digits"
const digits = load('digits');
const flat = { ...vae.defaults, latent: 2, hidden: [128, 128], dropout: 0.2 };
const trainDigits = (prior: PriorOptions, here: Rng) =>
  train(vae.create({ ...flat, prior }, here.fork('weights')), digits, here.fork('fit'), {
    epochs: budgeted(20, 120),
    batchSize: 50,
  });
const digitRows = [];
const someDigits = digits.train.x.slice([0, 0], [Math.max(100, Math.min(500, budgeted(500))), 64]);
const K = fullBudget() ? 100 : Math.max(2, budgeted(10));
let standardDigits: readonly (readonly number[])[] | undefined;
for (const [name, prior] of PRIORS.filter(([, { kind }]) => ['standard', 'mixture', 'vamp', 'flow'].includes(kind))) {
  const models = await seeded((here) => trainDigits(prior, here), 'digits run');
  const eachSeed = models.map((model, i) =>
    Array.from(
      evaluate(importanceBound(model, K), digits.test, rng.fork(`digits ${i}`), { batchSize: 100 }).perExample,
    ),
  );
  standardDigits ??= eachSeed;
  const gains = eachSeed.map((nats, i) => nats.map((v, n) => standardDigits![i]![n]! - v));
  const { information, aggregateKl } = takenApart(models[0]!, someDigits, rng.fork('digits apart'));
  digitRows.push({
    prior: name,
    seeds: models.length,
    [`test bound, ${K} draws`]: meanOf(overSeeds(eachSeed)),
    'spread over seeds': spreadOf(eachSeed),
    'gain on the standard prior': meanOf(overSeeds(gains)),
    'its error over images (paired)': errorOf(overSeeds(gains)),
    'its spread over seeds': spreadOf(gains),
    information,
    mismatch: aggregateKl,
  });
}
table(digitRows, { caption: 'Digits, L = 2: nats per image', digits: 2 });

// %% [markdown] id="digits-why"
// The column of mismatches says how much there is to gain, some tenths of a nat, as on the pinwheel. What differs is the rest: on the pinwheel three seeds agree to hundredths of a nat, with the digits they differ by as much as a prior can gain (both with `--budget full`). Encoder, decoder and early stopping leave more to chance than the prior costs.

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// $\mathbf{z}$ from the prior, $\mathbf{x}$ from the decoder. Draws of all six, carried back into the plane, on the source's density. Where the prior has learnt the gaps, the draws have them.

// %% id="samples"
for (const names of [PRIORS.slice(0, 3), PRIORS.slice(3)])
  panels(
    names.map(([name]) => ({ title: name, density: sourceDensity, points: inPlane(firstOf(name).sample({ count: 500, rng: rng.fork(`draws ${name}`) })) })),
    4,
    `Draws of the VAEs with these priors on the pinwheel: ${names.map(([name]) => name).join(', ')}`,
    ['y₁', 'y₂'],
  ); // prettier-ignore

// %% [markdown] id="off-text"
// **How many fall between the blades?** The share of draws at which the source's density in the plane is lower than at all but one in a hundred of its own draws.

// %% id="off"
const heights = (y: readonly (readonly number[])[]) => Array.from(tf.tidy(() => pinwheel.logPlane(tf.tensor2d(y.map((row) => [...row]))).dataSync())); // prettier-ignore
const lowest = heights(inPlane(drawn(5000, 'lowest'))).sort((a, b) => a - b)[50]!;
table(
  [...PRIORS.map(([name]) => ({ name, points: inPlane(firstOf(name).sample({ count: 2000, rng: rng.fork(`off ${name}`) })) })), { name: 'the source', points: inPlane(testWheel) }].map(({ name, points }) => {
    const share = meanOf(heights(points).map((height) => Number(height < lowest)));
    return { 'drawn from': name, 'between the blades, %': 100 * share, 'its error': 100 * Math.sqrt((share * (1 - share)) / points.length) };
  }),
  { caption: 'Draws where the source has next to none', digits: 1 },
); // prettier-ignore

// %% [markdown] id="card-text"
// ## The card
//
// The family's card, as in chapter 8: prior and posterior are options of it, and change the price of its parts, not its kind.

// %% id="card"
card(vae.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// The code that goes with a textbook on these models compares priors on digits; its flow prior comes out two nats ahead (run as it stands, mean of three seeds). Its `log_prob` takes the base's log-density *of each latent*, a matrix, adds the flow's log-determinant, and the VAE sums over the latents later. With the sum put right, and the same three seeds, the win was gone.
//
// ### Exercise: repair it
//
// The code as it was, in one function. Such a density does not integrate to 1, so the number is no bound, and what is trained by it need not become a better model. The cell after it trains the pinwheel's VAE with your function in its place, and with the published one, for a quarter of the steps above.

// %% id="flow"
/**
 * ln p(z) of a flow prior with the base N(0, I).
 * @param z [B, L] @param layers from z to the base, the first one first: each takes [B, L], and gives where it ends,
 * z [B, L], and the ln |det| of its Jacobian, logDet [B] @returns [B], in nats
 */
function logFlowPrior(
  z: tf.Tensor,
  layers: readonly ((z: tf.Tensor) => { z: tf.Tensor; logDet: tf.Tensor })[],
): tf.Tensor {
  // BEGIN SOLUTION prior.flow
  let [place, logDet] = [z, tf.zeros([z.shape[0]!]) as tf.Tensor];
  for (const layer of layers) {
    const step = layer(place);
    [place, logDet] = [step.z, logDet.add(step.logDet)];
  }
  const base = logNormal(place, tf.scalar(0), tf.scalar(0)); // [B]: a sum over the latents, and only then the ln |det|
  return base.add(logDet);
  // END SOLUTION
  // BEGIN GIVEN
  // let [place, logDet] = [z, tf.zeros([z.shape[0]!]) as tf.Tensor];
  // for (const layer of layers) {
  //   const step = layer(place);
  //   [place, logDet] = [step.z, logDet.add(step.logDet)];
  // }
  // const each = place.square().add(Math.log(2 * Math.PI)).mul(-0.5).add(logDet.expandDims(1)); // [B, L]
  // return each.sum(1);
  // END GIVEN
}

// %% id="own-flow"
const twoMasks = [[0], [1]];
const flowLayers = (here: Rng): readonly Bijection[] =>
  Array.from({ length: 6 }, (_, i) =>
    affineCouplings({ D: 2, steps: 1, hidden: [32, 32], masks: [twoMasks[i % 2]!], mixing: 'none', eventShape: [2] }, here.fork(`layer ${i}`)),
  ); // prettier-ignore
const ownFlowLog = yours(
  (z: tf.Tensor, layers: readonly Bijection[]) =>
    logFlowPrior(
      z,
      layers.map((layer) => (place: tf.Tensor) => layer.toLatent(place)),
    ),
  (z: tf.Tensor, layers: readonly Bijection[]) =>
    layers.reduceRight<Prior>((prior, layer) => ({ ...prior, logProb: (y, noise) => { const step = layer.toLatent(y); return prior.logProb(step.z, noise).add(step.logDet); } }), standardNormal(2)).logProb(z, rng),
); // prettier-ignore
/** As it was published: with ln |det| in each of two latents. */
const published = (z: tf.Tensor, layers: readonly Bijection[]) => {
  const steps = layers.reduce<{ z: tf.Tensor; logDet: tf.Tensor }>((at, layer) => { const step = layer.toLatent(at.z); return { z: step.z, logDet: at.logDet.add(step.logDet) }; }, { z, logDet: tf.zerosLike(z).sum(1) });
  return standardNormal(2).logProb(steps.z, rng).add(steps.logDet.mul(2));
}; // prettier-ignore
const claims = [];
for (const [name, density] of [[`log-determinant as in ${ownFlowLog.by()}`, ownFlowLog], ['as published, twice', published]] as const) {
  const model = vaeWith((_, here) => {
    const layers = flowLayers(here);
    const prior = layers.reduceRight((inner, layer) => flowPrior(2, layer, { logProb: (z) => inner.logProb(z, rng), sample: ([count], noise) => inner.sample(count!, noise) }), standardNormal(2));
    return { ...prior, variables: layers.flatMap(({ variables }) => variables), logProb: (z) => tf.tidy(() => density(z, layers)) };
  }, rng.fork('wheel run'));
  await train(model, wheel, rng.fork('wheel run').fork('fit'), { epochs: Math.ceil(wheelEpochs / 4) });
  const gaps = aboveExact(model, testWheel, exactWheel, 1, rng.fork('claims'));
  claims.push({ name: density === ownFlowLog ? `flow prior: ${ownFlowLog.by()}` : name, 'claimed, 1 draw': meanOf(gaps) + meanOf(exactWheel), 'above −ln p(x)': meanOf(gaps), 'its error': errorOf(gaps) });
} // prettier-ignore
table(claims, { caption: `Pinwheel: nats a point; the source has ${meanOf(exactWheel).toFixed(2)} on these points`, digits: 2 }); // prettier-ignore

// %% id="check-flow"
await check('prior.flow', logFlowPrior);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now: the median of some calls after the first one, which compiles. For priors of two latents: a thousand log-densities and a thousand draws. For posteriors of eight: fifty draws with their $\ln q$, which is what training needs, and fifty log-densities of *given* points, which take the way back.

// %% id="measure-costs"
/** Milliseconds, the median of some calls after the first one. */
async function timed(body: () => tf.Tensor | tf.Tensor[]): Promise<number> {
  const times = [];
  for (let call = 0; call <= budgeted(3, 7); call++) {
    const started = performance.now();
    const made = body();
    await (Array.isArray(made) ? made[0]! : made).data();
    tf.dispose(made);
    times.push(performance.now() - started);
  }
  const later = times.slice(1).sort((a, b) => a - b);
  return later[Math.floor(later.length / 2)]!;
}
const thousand = rng.fork('thousand').normal([1000, 2]);
const priorCosts = [];
for (const [name] of PRIORS) {
  const { prior } = firstOf(name);
  priorCosts.push({
    prior: name,
    weights: prior.variables.reduce((sum, variable) => sum + variable.size, 0),
    'ln p(z), ms': await timed(() => tf.tidy(() => prior.logProb(thousand, rng.fork('cost')))),
    'draws, ms': await timed(() => tf.tidy(() => prior.sample(1000, rng.fork('cost')))),
  });
}
table(priorCosts, { caption: 'Priors of two latents: milliseconds a thousand', digits: 1 });
const posteriorCosts = [];
for (const [name, options] of [LINEAR[0]!, LINEAR.at(-1)!, ...RING.slice(1)]) {
  const q = posteriorOf(options, { latent: 8 }, rng.fork('cost'));
  const h = rng.fork('cost h').normal([50, q.parameters]);
  const z = tf.tidy(() => q.draw(h, rng.fork('cost')).z);
  posteriorCosts.push({
    posterior: name,
    'numbers from the encoder': q.parameters,
    'draw and ln q, ms': await timed(() => tf.tidy(() => { const draw = q.draw(h, rng.fork('cost')); return [draw.z, draw.logQ]; })),
    'ln q of given z, ms': await timed(() => tf.tidy(() => q.logProb(z, h))),
  });
} // prettier-ignore
table(posteriorCosts, { caption: 'Posteriors of eight latents: milliseconds for fifty', digits: 1 });

// %% [markdown] id="failures"
// ## Where it fails
//
// **A prior cannot gain more than the mismatch**, and that is a part of the bound that one can measure *before* changing anything. Where it is no larger than what seeds differ by, as on the digits with two latents, nobody can tell a learned prior from luck.
//
// **A prior can learn the training data by heart.** The best prior of a training set is its aggregate posterior, with a hill on each example. Below: a kernel of it all, the aggregate posterior itself as the prior of the standard VAE, for training and for validation points. What it gains on the one it need not gain on the other: the difference of the gains is what it knows by heart. With two thousand hills in the plane, which overlap, that is little.

// %% id="failure-heart"
const learnt = wheel.train.x.slice([0, 0], [Math.max(200, Math.min(2000, budgeted(2000))), 16]);
const byAggregate = (x: tf.Tensor, here: Rng) =>
  tf.tidy(() => {
    const [mu, logVar] = tf.split(plain.encode(learnt), 2, 1) as [tf.Tensor, tf.Tensor];
    const { z, logQ } = plain.posterior.draw(plain.encode(x), here);
    const asPrior = logMeanExp(logNormalComponents(z, mu, logVar), 1);
    return { standard: meanOf(logQ.sub(plain.prior.logProb(z, here)).dataSync()), aggregate: meanOf(logQ.sub(asPrior).dataSync()) };
  }); // prettier-ignore
table(
  ([['training', learnt], ['validation', wheel.validation.x]] as const).map(([points, x]) => {
    const { standard, aggregate } = byAggregate(x, rng.fork(`heart ${points}`));
    return { points, 'KL from the standard prior': standard, 'from the aggregate posterior': aggregate, gain: standard - aggregate };
  }),
  { caption: 'The VAE of the first picture: mean KL, nats', digits: 3 },
); // prettier-ignore

// %% [markdown] id="failures-more"
// **A tighter bound is not a better model.** A richer posterior narrows the gap of *this* model. With few data it may lead to a worse one on test, since the encoder has more to overfit with (Cremer, Li and Duvenaud, 2018). And what many draws at test time close, no posterior needs to.
//
// **Flows are as bent as their parts.** A continuous invertible map keeps holes holes: a hill has none, a ring has one, so an IAF's ring is a hill bent until its ends nearly meet. Look for the seam in the picture.
//
// **Slow one way or the other.** A resampled prior pays by proposals that are thrown away, an autoregressive one by $L$ passes a draw, an inverse autoregressive posterior by $L$ passes for the density of a point that it did not draw.
//
// **$Z$ by Monte Carlo** makes the resampled prior's row an estimate of a bound. In two dimensions a thousand proposals are plenty; in many, where next to none of them may be welcome, the bias of section 4 may come to $1 / (2 S Z)$, since $\mathrm{Var}\,a \le Z$.
//
// ### Sources
//
// A. Householder, *Unitary triangularization of a nonsymmetric matrix*, Journal of the ACM 5 (1958). D. Rezende, S. Mohamed, *Variational inference with normalizing flows*, ICML 2015. M. Germain et al., *MADE: masked autoencoder for distribution estimation*, ICML 2015. M. Hoffman, M. Johnson, *ELBO surgery: yet another way to carve up the variational evidence lower bound*, NeurIPS workshop on approximate inference (2016). D. Kingma et al., *Improving variational inference with inverse autoregressive flow*, NeurIPS 2016. J. Tomczak, M. Welling, *Improving variational auto-encoders using Householder flow*, NeurIPS workshop on Bayesian deep learning (2016). X. Chen et al., *Variational lossy autoencoder*, ICLR 2017. R. van den Berg et al., *Sylvester normalizing flows for variational inference*, UAI 2018. J. Tomczak, M. Welling, *VAE with a VampPrior*, AISTATS 2018. C. Cremer, X. Li, D. Duvenaud, *Inference suboptimality in variational autoencoders*, ICML 2018. M. Rosca, B. Lakshminarayanan, S. Mohamed, *Distribution matching in variational inference* (2018). M. Bauer, A. Mnih, *Resampled priors for variational autoencoders*, AISTATS 2019. C. Durkan et al., *Neural spline flows*, NeurIPS 2019. J. Tomczak, *Deep Generative Modeling* (2024), chapter 5. The bug is in the code of that book (github.com/jmtomczak/intro_dgm, the notebook on priors).
