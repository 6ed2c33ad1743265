// %% [markdown] id="title"
// # 14 Energy-based models
//
// Every family so far paid for one thing: that its numbers sum to 1. Masks, triangular Jacobians, bounds and noise schedules are the price. Here nothing is paid in advance. **Any** function $f$ of $\mathbf{x}$ becomes a density,
//
// $$p(\mathbf{x}) = \frac{\exp f(\mathbf{x})}{Z}, \qquad Z = \sum_{\mathbf{x}} \exp f(\mathbf{x}) \quad \text{or} \quad \int \exp f(\mathbf{x})\, \mathrm{d}\mathbf{x},$$
//
// and $E = -f$ is called its **energy**. The bill comes afterwards: $Z$, the **partition function**, is a sum over everything there is.
//
// So the chapter begins where the sum can be done, and there measures all that is used where it cannot: gradients from chains, annealing, losses that need no $Z$. Then come digits, and a classifier that turns out to be a density. Everything printed below was computed by running this file (`npm run solutions -- 14`; with `--budget full`, trainings take longer, and there are three seeds).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adam,
  barsAndStripes,
  baselines,
  binaryStates,
  boltzmann,
  budgeted,
  calibrationPlot,
  card,
  createRng,
  density2d,
  energyModel,
  figure,
  fit,
  flip,
  fullBudget,
  imageGrid,
  isingSource,
  jem,
  ladder,
  langevin,
  langevinStep,
  letterPictures,
  load,
  logMeanExp,
  logMeanWeight,
  logNormal,
  logSumExp,
  noiseContrast,
  normalised,
  planeMixture,
  rbm,
  reliability,
  roc,
  rungsOf,
  setWeights,
  getWeights,
  table,
  trajectories,
  type EnergyConfig,
  type EnergyModel,
  type GenerativeModel,
  type JemModel,
  type RbmModel,
  type Rng,
} from 'dgm';
import { compiled } from 'dgm/engine';

const rng = createRng(14); // the one seed of this chapter
const SEEDS = fullBudget() ? 3 : 1;
const rowsOf = (x: tf.Tensor) => x.arraySync() as number[][];
const numbersOf = (x: tf.Tensor) => Array.from(x.dataSync());
const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
const deviationOf = (values: ArrayLike<number>) => {
  const mean = meanOf(values);
  return Math.sqrt(Array.from(values).reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, values.length - 1));
};
const errorOf = (values: ArrayLike<number>) => deviationOf(values) / Math.sqrt(values.length);
/** The mean over seeds, with its standard error where there are several. */
const overSeeds = (values: readonly number[], digits = 3) =>
  meanOf(values).toFixed(digits) + (values.length > 1 ? ` ± ${errorOf(values).toFixed(digits)}` : '');
/** A rate that falls along a cosine to a fiftieth. */
const falling = (rate: number, steps: number) => (step: number) =>
  rate * Math.max(0.02, 0.5 + 0.5 * Math.cos(Math.PI * Math.min(1, step / steps)));
/** f of many rows at once, compiled: a pass over a grid would take seconds. */
function quick(f: (x: tf.Tensor) => tf.Tensor): (x: tf.Tensor) => number[] {
  const run = compiled(([x]) => [f(x!)]);
  return (x) => tf.tidy(() => numbersOf(run([x], rng)[0]!));
}
/** What somebody foretold, or nothing while it is not written. */
function foretold(predict: () => number): number | undefined {
  try {
    return predict();
  } catch {
    return undefined;
  }
}

// %% [markdown] id="why"
// ## Why: one number for every x
//
// Below, an energy in the plane (dark: low), and points that start anywhere, roll downhill and are shaken. That is all there is to it: **a landscape**, and chains that spend their time where it is low. No order of pixels, no inverse, no noise schedule; whoever can say how *wrong* an $\mathbf{x}$ is can write it down.

// %% id="why-picture"
const ring = planeMixture('eight Gaussians'); // hills of width 0.3 on a circle of radius 2.6
const EDGE = 4.5;
const axis = Array.from({ length: 61 }, (_, i) => -EDGE + (2 * EDGE * i) / 60);
const plane = tf.tensor2d(axis.flatMap((y) => axis.map((x) => [x, y])));
const gridOf = (logDensity: (x: tf.Tensor) => tf.Tensor, title?: string, logZ = 0) => ({
  ...{ x: axis, y: axis, density: quick(logDensity)(plane).map((v) => Math.exp(v - logZ)) },
  ...(title !== undefined && { title }),
});
const rolling = langevin((x) => ring.score(x, 0));
const positions = [rng.fork('why').normal([60, 2]).mul(2)];
for (let i = 0; i < 12; i++) positions.push(rolling(positions[i]!, { steps: 6, eta: 0.01, rng: rng.fork(`why ${i}`) }));
trajectories(positions.map(rowsOf), {
  title: 'Chains on a landscape: Langevin dynamics, six steps a frame',
  names: positions.map((_, i) => String(6 * i)),
  density: gridOf((x) => ring.logProb(x)),
});

// %% [markdown] id="family"
// ## 1 Family
//
// **A Markov random field.** Sixteen pixels $s_i = \pm 1$ on a grid, and neighbours that like to agree: $f(\mathbf{s}) = J \sum_{i \sim j} s_i s_j$, the **Ising model**. Nobody orders the pixels; a pixel given its neighbours is independent of all others (its **Markov blanket**). $4 \times 4$ pixels have $2^{16} = 65{,}536$ states, so that $Z$ is a sum one can do.
//
// And $\ln Z$ knows everything: its derivative by $J$ is the mean of what $J$ multiplies, $\partial \ln Z / \partial J = \mathbb{E} \sum_{i \sim j} s_i s_j$. The table checks that by a difference, and shows what coupling does: at $J = 0.4$ opposite corners agree more often than not, though nothing connects them but others in between.

// %% id="ising"
const states = binaryStates(16);
/** Σ s s over the 24 pairs of neighbours, and s s of two opposite corners, of each state. */
const [agreement, corners] = (() => {
  const bit = numbersOf(states);
  const sums = new Float64Array(2 ** 16);
  const ends = new Float64Array(2 ** 16);
  for (let n = 0; n < sums.length; n++) {
    const s = (i: number) => 2 * bit[16 * n + i]! - 1;
    for (let i = 0; i < 16; i++) {
      if (i % 4 < 3) sums[n]! += s(i) * s(i + 1);
      if (i < 12) sums[n]! += s(i) * s(i + 4);
    }
    ends[n] = s(0) * s(15);
  }
  return [sums, ends] as const;
})();
const logZOf = (J: number) => Math.log(agreement.reduce((sum, f) => sum + Math.exp(J * f), 0)); // at most e^24 each
const expectation = (J: number, of: Float64Array) =>
  agreement.reduce((sum, f, n) => sum + Math.exp(J * f) * of[n]!, 0) / Math.exp(logZOf(J));
table(
  [0, 0.2, 0.4, 0.6, 1].map((J) => ({
    J,
    'ln Z': logZOf(J),
    'its slope, by a difference': (logZOf(J + 0.01) - logZOf(J - 0.01)) / 0.02,
    'mean of Σ s s': expectation(J, agreement),
    'mean of opposite corners’ s s': expectation(J, corners),
    'entropy, nats': logZOf(J) - J * expectation(J, agreement),
  })),
  { caption: 'The 4 × 4 Ising model, by summing over all states', digits: 3 },
);
const ising = isingSource({ coupling: 0.4 });
imageGrid([0, 0.4, 1].flatMap((coupling) => rowsOf(isingSource({ coupling }).sample({ count: 10, rng: rng.fork(`J ${coupling}`) }).reshape([10, 16]))), { height: 4, width: 4, columns: 10, levels: 2, title: 'Exact samples: J = 0 above, 0.4, and 1 below' }); // prettier-ignore

// %% [markdown] id="rbm-text"
// **A Boltzmann machine** learns its couplings. With pairs of pixels alone it cannot know more than pairs; so it gets **hidden units**. If no two units of the same layer are coupled, it is *restricted* (RBM):
//
// $$p(\mathbf{x}, \mathbf{h}) = \frac1Z \exp\bigl(\mathbf{b} \cdot \mathbf{x} + \mathbf{c} \cdot \mathbf{h} + \mathbf{x} \mathbf{W} \mathbf{h}\bigr), \qquad x_i, h_j \in \{0, 1\}.$$
//
// ### Exercise: derive the marginal
//
// The hidden units are not seen. Sum them out: what is $\ln \sum_{\mathbf{h}} \exp(\mathbf{b} \cdot \mathbf{x} + \mathbf{c} \cdot \mathbf{h} + \mathbf{x} \mathbf{W} \mathbf{h})$, without $2^H$ terms? (Its negative is called the **free energy**.)

// %% id="free"
/**
 * ln of the sum over all states h of the hidden units of exp(b·x + c·h + x W h).
 * @param x of 0 and 1, [B, D] @param w [D, H] @param b of the visible units, [D] @param c of the hidden ones, [H]
 * @returns [B]
 */
function logMarginal(x: tf.Tensor, w: tf.Tensor, b: tf.Tensor, c: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION energy.free
  const inputs = x.matMul(w).add(c); // [B, H]: each hidden unit adds a factor 1 + exp of it
  const ofVisible = x.mul(b).sum(1);
  return ofVisible.add(inputs.softplus().sum(1));
  // END SOLUTION
}

// %% id="check-free"
await check('energy.free', logMarginal);

// %% [markdown] id="own-free-text"
// **Your marginal**, on a machine of random weights with 10 visible and 6 hidden units. $Z$ is a sum over $2^{10}$ states of $\mathbf{x}$ of what you wrote; the library sums over the $2^6$ states of $\mathbf{h}$ instead. It is the same number: the sum over the *smaller* layer is what an RBM costs.

// %% id="own-free"
const SMALL = { ...rbm.defaults, eventShape: [10], hidden: 6, scale: 0.8, samplerSweeps: 50 };
const small = rbm.create(SMALL, rng.fork('small'));
const { w, b, c } = small.weights;
tf.tidy(() => b.assign(rng.fork('small b').normal([10]).mul(0.5)));
tf.tidy(() => c.assign(rng.fork('small c').normal([6]).mul(0.5)));
const logZSmall = (model: GenerativeModel) =>
  model.likelihood.kind === 'unnormalised' ? model.likelihood.logZ!().dataSync()[0]! : NaN;
/** A machine of the library with these weights. */
function machineWith(weights: readonly tf.Tensor[]): RbmModel {
  const [D, H] = weights[0]!.shape as [number, number];
  const model = rbm.create({ ...SMALL, eventShape: [D], hidden: H }, createRng(0));
  [model.weights.w, model.weights.b, model.weights.c].forEach((variable, i) => variable.assign(weights[i]!));
  return model;
}
const ownMarginal = yours(logMarginal, (x: tf.Tensor, ...weights: tf.Tensor[]) => machineWith(weights).negEnergy(x));
const tenBits = binaryStates(10);
table(
  [
    { 'ln Z': logSumExp(ownMarginal(tenBits, w, b, c), 0).dataSync()[0]!, by: `2^10 states of x: ${ownMarginal.by()}` },
    { 'ln Z': logZSmall(small), by: '2^6 states of h: the library’s' },
  ],
  { caption: 'Two sums for one number', digits: 5 },
);

// %% [markdown] id="network"
// ## 2 Network
//
// An RBM's network is $\mathbf{W}$. For real numbers, $f$ may be any network that gives one number; two things are asked of it. It should be **smooth**, since chains follow its slope: swish, not ReLU. And $Z$ must be finite: $\int \exp f$ of a network of linear layers need not be. So $f$ tilts a Gaussian here (Xie et al., 2016),
//
// $$p(\mathbf{x}) \propto \mathcal{N}(\mathbf{x}; \mathbf{m}, s^2 \mathbf{I})\, \exp f(\mathbf{x}),$$
//
// which falls faster than $f$, linear far out, can grow: $Z = \mathbb{E}_{\mathcal{N}} \exp f$ exists. With $f = 0$ it is the Gaussian. Batch normalisation is out: with it the answer to $\mathbf{x}$ would depend on the rest of the batch, and be no function of $\mathbf{x}$.
//
// **A classifier is such a network.** It has logits $f_y(\mathbf{x})$, of which a softmax uses differences only; their common height is left free. JEM (Grathwohl et al., 2020) uses it: $p(\mathbf{x}, y) \propto \exp f_y(\mathbf{x})$, so that $p(\mathbf{x}) \propto \sum_y \exp f_y(\mathbf{x})$, while $p(y \mid \mathbf{x})$ is the softmax as before.

// %% [markdown] id="objective"
// ## 3 Objective
//
// $-\ln p(\mathbf{x}) = \ln Z - f(\mathbf{x})$. The gradient of $\ln Z$ is an expectation, as that of the Ising model was: $\nabla \ln Z = \frac1Z \sum_{\mathbf{x}} \exp f\, \nabla f = \mathbb{E}_p \nabla f$. So
//
// $$\nabla (-\ln p) = \underbrace{-\nabla f(\mathbf{x})}_{\text{data: up}} + \underbrace{\mathbb{E}_{\mathbf{x}' \sim p} \nabla f(\mathbf{x}')}_{\text{the model's own samples: down}}.$$
//
// The **negative phase** needs samples of the model. An RBM gives them by **block Gibbs sampling**: all of $\mathbf{h}$ given $\mathbf{x}$ at once, then all of $\mathbf{x}$ given $\mathbf{h}$, since within a layer nothing is coupled.
//
// ### Exercise: one sweep
//
// A unit is 1 where its $u$, drawn from U[0, 1), is below its probability.

// %% id="gibbs"
/**
 * One sweep of block Gibbs sampling: h given x, then x given h.
 * @param x of 0 and 1, [B, D] @param w [D, H] @param b of the visible units, [D] @param c of the hidden ones, [H]
 * @param u U[0, 1) for every unit: h [B, H], x [B, D] @returns the next x, [B, D]
 */
function gibbsSweep(
  x: tf.Tensor,
  w: tf.Tensor,
  b: tf.Tensor,
  c: tf.Tensor,
  u: { h: tf.Tensor; x: tf.Tensor },
): tf.Tensor {
  // BEGIN SOLUTION energy.gibbs
  const pHidden = x.matMul(w).add(c).sigmoid();
  const h = u.h.less(pHidden).toFloat();
  const pVisible = h.matMul(w, false, true).add(b).sigmoid();
  return u.x.less(pVisible).toFloat();
  // END SOLUTION
}

// %% id="check-gibbs"
await check('energy.gibbs', gibbsSweep);

// %% [markdown] id="own-gibbs-text"
// **Your sweeps**, from coins, on the small machine, whose probabilities are known. The distance is half the sum of the absolute differences between the frequencies of all 1,024 states and their probabilities (**total variation**); as many exact samples have one, too.

// %% id="own-gibbs"
const CHAINS = Math.max(200, budgeted(20_000));
let calls = 0;
const ownSweep = yours(gibbsSweep, (x: tf.Tensor, ...[w1, b1, c1]: (tf.Tensor | { h: tf.Tensor; x: tf.Tensor })[]) =>
  machineWith([w1, b1, c1] as tf.Tensor[]).sweep(x, rng.fork(`library ${calls++}`)),
);
const uniforms = (here: Rng, count: number, H: number, D: number) => ({
  h: here.fork('h').uniform([count, H]),
  x: here.fork('x').uniform([count, D]),
});
const probabilities = tf.tidy(() => numbersOf(small.negEnergy(tenBits).sub(logZSmall(small)).exp()));
const places = tf.tensor2d(Array.from({ length: 10 }, (_, d) => [2 ** (9 - d)]));
const distance = (x: tf.Tensor) => {
  const counts = new Array<number>(1024).fill(0);
  for (const index of tf.tidy(() => numbersOf(x.matMul(places)))) counts[index]!++;
  return counts.reduce((sum, n, i) => sum + Math.abs(n / x.shape[0]! - probabilities[i]!), 0) / 2;
};
const exactly = (() => {
  const cumulative = probabilities.map(((sum) => (p: number) => (sum += p))(0));
  const drawn = numbersOf(rng.fork('exact').uniform([CHAINS])).map((u) => Math.min(1023, cumulative.findIndex((v) => u < v)));
  return distance(tf.gather(tenBits, tf.tensor1d(drawn.map((i) => (i < 0 ? 1023 : i)), 'int32')));
})(); // prettier-ignore
let coins = flip(tf.zeros([CHAINS, 10]), rng.fork('coins'));
const distances = [distance(coins)];
for (let k = 0; k < 12; k++) {
  coins = ownSweep(coins, w, b, c, uniforms(rng.fork(`sweep ${k}`), CHAINS, 6, 10));
  distances.push(distance(coins));
}
figure(
  [
    { x: distances.map((_, k) => k), y: distances, mode: 'lines+markers', name: `sweeps: ${ownSweep.by()}` },
    { x: [0, 12], y: [exactly, exactly], mode: 'lines', name: 'exact samples', line: { dash: 'dot' } },
  ],
  { xaxis: { title: 'sweeps' }, yaxis: { title: 'total variation', rangemode: 'tozero' } },
  { height: 320, alt: 'Distance to the probabilities by number of sweeps, and that of exact samples' },
);

// %% [markdown] id="gradient-text"
// ### Exercise: the gradient from two phases
//
// Of $\ln p$, as the mean over data $\mathbf{x}$, with samples of the model given. Hidden units enter with their probabilities: you have summed them out.

// %% id="gradient"
/**
 * The gradient of the mean of ln p over the data, with samples of the model in the place of its expectation.
 * @param data [N, D] @param model samples of p, [M, D] @param w [D, H] @param b [D] @param c [H]
 * @returns by w [D, H], b [D] and c [H]
 */
function phaseGradient(
  data: tf.Tensor,
  model: tf.Tensor,
  w: tf.Tensor,
  b: tf.Tensor,
  c: tf.Tensor,
): { w: tf.Tensor; b: tf.Tensor; c: tf.Tensor } {
  // BEGIN SOLUTION energy.gradient
  const means = (x: tf.Tensor) => x.matMul(w).add(c).sigmoid(); // of the hidden units
  const hUp = means(data);
  const [down, hDown] = [model, means(model)];
  const N = data.shape[0]!;
  const M = model.shape[0]!;
  return {
    w: data.matMul(hUp, true).div(N).sub(down.matMul(hDown, true).div(M)),
    b: data.mean(0).sub(down.mean(0)),
    c: hUp.mean(0).sub(hDown.sum(0).div(M)),
  };
  // END SOLUTION
}

// %% id="check-gradient"
await check('energy.gradient', phaseGradient);

// %% [markdown] id="bars-text"
// **Bars and stripes**: 16 pixels, 30 pictures, each of whole rows or of whole columns. Pixels by themselves are coins; only all of them together say which of the two it is, and hidden units have to find that out. The source's entropy is $\ln 30 = 3.40$ nats.
//
// Where do the samples come from? Three answers:
//
// | | the chain starts at | after |
// |---|---|---|
// | **exact** | no chain: all $2^{12}$ states of $\mathbf{h}$ | |
// | **CD-k** (contrastive divergence, Hinton, 2002) | the data of the batch | $k$ sweeps |
// | **PCD** (persistent, Tieleman, 2008) | where it ended at the step before | $k$ sweeps |
//
// CD's chain has not forgotten its start, so that its gradient is **biased**: it is that of no function. Below, one machine trained by the exact gradient; on the way, at each of its states, the gradient that CD and long chains would have given there, against the exact one.

// %% id="bars"
const bars = barsAndStripes(4);
imageGrid(rowsOf(bars.sample({ count: 20, rng: rng.fork('bars') }).reshape([20, 16])), { height: 4, width: 4, columns: 10, levels: 2, title: 'Bars and stripes' }); // prettier-ignore
const patterns = tf.tidy(() => {
  const p = numbersOf(bars.logProb(states.reshape([-1, 4, 4])));
  return tf.gather(states, tf.tensor1d(p.flatMap((v, i) => (v > -20 ? [i] : [])), 'int32')).reshape([30, 4, 4]);
}); // prettier-ignore
const barsTrain = { x: bars.sample({ count: 500, rng: rng.fork('bars train') }) };
const BARS = { ...rbm.defaults, eventShape: [4, 4], hidden: 12, scale: 0.1, sweeps: 1, chains: 100, batchSize: 100 };
/** KL[source ‖ model], nats: both known exactly. */
const divergenceOf = (model: RbmModel) =>
  tf.tidy(() => logZSmall(model) - meanOf(numbersOf(model.negEnergy(patterns))) - Math.log(30));
/** Entropy of the 500 pictures drawn, nats: no model can have less on them. */
const LOWEST = (() => {
  const counts = new Map<string, number>();
  for (const row of rowsOf(barsTrain.x.reshape([500, 16]))) counts.set(row.join(), (counts.get(row.join()) ?? 0) + 1);
  return [...counts.values()].reduce((sum, n) => sum - (n / 500) * Math.log(n / 500), 0);
})();
const aboveLowest = (model: RbmModel) =>
  tf.tidy(() => logZSmall(model) - meanOf(numbersOf(model.negEnergy(barsTrain.x))) - LOWEST);
const BARS_EPOCHS = budgeted(600, 1500);
const EVERY = Math.ceil(BARS_EPOCHS / Math.max(2, Math.min(15, budgeted(15)))); // epochs from point to point of a curve
const barsWays = [
  ['exact', { training: 'exact' }, 0.05], // without noise, it bears a larger rate
  ['CD-1', { training: 'contrastive' }, 0.01],
  ['CD-10', { training: 'contrastive', sweeps: 10 }, 0.01],
  ['PCD-1', { training: 'persistent' }, 0.01],
] as const;
/** Everyone from the same weights, on the same batches. */
async function trainedOnBars(over: object, rate: number, each?: (model: RbmModel, epoch: number) => void) {
  const model = rbm.create({ ...BARS, ...over }, rng.fork('bars model'));
  const course: number[] = [];
  const optimiser = adam(falling(rate, BARS_EPOCHS * 5));
  await fit(model, { train: barsTrain }, {
    ...{ epochs: BARS_EPOCHS, batchSize: 100, optimiser, ema: 0.98, rng: rng.fork('bars fit'), quiet: true },
    onEpoch: ({ epoch }) => {
      if (epoch % EVERY !== 0) return;
      course.push(divergenceOf(model));
      each?.(model, epoch);
    },
  });
  return { model, course };
} // prettier-ignore
/** How far a mean gradient by chains is from the exact one, ‖g − exact‖; of no chain, ‖exact‖. */
function offBy(model: RbmModel, ended?: tf.Tensor): number {
  return tf.tidy(() => {
    const weights = [model.weights.w, model.weights.b, model.weights.c];
    const negative = (): tf.Tensor => (ended ? model.negEnergy(ended.reshape([-1, 4, 4])).mean() : tf.scalar(0));
    const logZ = (): tf.Tensor => (model.likelihood.kind === 'unnormalised' ? model.likelihood.logZ!() : tf.scalar(0));
    const positive = (): tf.Tensor => (ended ? tf.scalar(0) : model.negEnergy(barsTrain.x).mean());
    const { grads } = tf.variableGrads(() => logZ().sub(negative()).sub(positive()).asScalar(), weights);
    return Math.sqrt(Object.values(grads).reduce((sum, g) => sum + g.square().sum().dataSync()[0]!, 0));
  });
} // prettier-ignore
const LONG = Math.max(5, budgeted(200));
const many = tf.tidy(() => tf.tile(barsTrain.x.reshape([500, 16]), [4, 1]));
const biases: { epoch: number; off: Readonly<Record<string, number>> }[] = [];
const barsRuns = new Map<string, Awaited<ReturnType<typeof trainedOnBars>>>();
for (const [name, over, rate] of barsWays)
  barsRuns.set(
    name,
    await trainedOnBars(over, rate, (model, epoch) => {
      if (name !== 'exact' || (epoch / EVERY) % 2 !== 1) return;
      const here = rng.fork(`bias ${epoch}`);
      const start = flip(tf.zeros(many.shape), here.fork('coins'));
      biases.push({
        epoch,
        off: {
          'CD-1': offBy(model, model.chain(many, 1, here.fork('1'))),
          'CD-10': offBy(model, model.chain(many, 10, here.fork('10'))),
          [`${LONG} sweeps from coins`]: offBy(model, model.chain(start, LONG, here.fork('long'))),
          'length of the exact gradient': offBy(model),
        },
      });
    }),
  ); // prettier-ignore
figure(
  Object.keys(biases[0]!.off).map((name) => ({
    ...{ x: biases.map(({ epoch }) => epoch), y: biases.map(({ off }) => off[name]!) },
    ...{ mode: 'lines+markers', name },
  })),
  { xaxis: { title: 'epoch of exact training' }, yaxis: { title: 'distance to the exact gradient', type: 'log' } },
  {
    height: 360,
    alt: 'By epoch: how far gradients by CD-1, CD-10 and long chains are from the exact one, and how long that is',
  },
);
figure(
  barsWays.map(([name]) => ({
    x: barsRuns.get(name)!.course.map((_, i) => (i + 1) * EVERY),
    ...{ y: barsRuns.get(name)!.course, mode: 'lines', name },
  })),
  { xaxis: { title: 'epoch' }, yaxis: { title: 'KL to the source, nats', type: 'log' } },
  { height: 340, alt: 'KL to the source by epoch, for the four gradients' },
);
table(
  barsWays.map(([name]) => {
    const { model } = barsRuns.get(name)!;
    return { gradient: name, 'nats above the lowest possible, training pictures': aboveLowest(model), 'KL to the source': divergenceOf(model) };
  }),
  { caption: 'After training, both exact: 12 hidden units, the same start and batches', digits: 3 },
); // prettier-ignore

// %% [markdown] id="own-training-text"
// As the machine learns, its hills part, and a sweep leads nowhere else. The first figure has two sides of it. Chains from coins end in the hill that they began near, however long they run, and so in the wrong shares. Chains from the data begin in the right shares, and are nearer; but once the exact gradient is as short as their error, that error is all that still moves the weights. PCD's chains go on where they ended, and each change of the weights pushes them away from where they are too often; the table says how far one sweep a step gets with that. The lowest that any model can have on the 500 training pictures is the entropy of their frequencies; against that the exact gradient is to be judged, since the source is not what it sees.
//
// **Your sweep and your gradient** train the same machine from the same weights, with chains that persist. In fewer steps, and by momentum: it shows that they learn, and is no race.

// %% id="own-training"
const ownGradient = yours(phaseGradient, (data: tf.Tensor, model: tf.Tensor, ...weights: tf.Tensor[]) => {
  const machine = machineWith(weights);
  const list = [machine.weights.w, machine.weights.b, machine.weights.c];
  const { grads } = tf.variableGrads(() => machine.negEnergy(data).mean().sub(machine.negEnergy(model).mean()).asScalar(), list); // prettier-ignore
  const [gw, gb, gc] = list.map(({ name }) => grads[name]!) as [tf.Tensor, tf.Tensor, tf.Tensor];
  return { w: gw, b: gb, c: gc };
});
const own = rbm.create({ ...BARS, training: 'exact' }, rng.fork('bars model'));
const OWN_STEPS = budgeted(600, 2000);
let fantasies: tf.Tensor = flip(tf.zeros([100, 16]), rng.fork('fantasies'));
const velocity = [own.weights.w, own.weights.b, own.weights.c].map((variable): tf.Tensor => tf.zeros(variable.shape));
for (let step = 0; step < OWN_STEPS; step++) {
  const here = rng.fork(`own ${step}`);
  const rate = 0.1 * Math.max(0.05, 1 - step / OWN_STEPS);
  const { w: ow, b: ob, c: oc } = own.weights;
  const next = tf.tidy(() => {
    const batch = barsTrain.x.slice([(step % 5) * 100, 0, 0], [100, 4, 4]).reshape([100, 16]);
    const model = ownSweep(fantasies, ow, ob, oc, uniforms(here, 100, 12, 16));
    const up = ownGradient(batch, model, ow, ob, oc);
    return [model, ...[up.w, up.b, up.c].map((g, i) => velocity[i]!.mul(0.9).add(g.mul(rate)))];
  });
  tf.dispose([fantasies, ...velocity]);
  fantasies = next[0]!;
  [ow, ob, oc].forEach((variable, i) => {
    velocity[i] = next[i + 1]!;
    tf.tidy(() => variable.assign(variable.add(velocity[i]!)));
  });
}
table(
  [
    { trained: `${OWN_STEPS} steps with momentum: ${ownGradient.by()}`, 'KL to the source, exact': divergenceOf(own) },
    { trained: `${BARS_EPOCHS * 5} steps of Adam: the library’s PCD`, 'KL to the source, exact': divergenceOf(barsRuns.get('PCD-1')!.model) },
  ],
  { caption: 'By chains that persist', digits: 3 },
); // prettier-ignore

// %% [markdown] id="pseudo-text"
// ### Three ways around Z
//
// **Pseudo-likelihood** (Besag, 1975): $\sum_i \ln p(x_i \mid \text{all others})$. Each term is a sum over two states; $Z$ cancels. For a Boltzmann machine without hidden units it is convex, and with much data it finds the true couplings. Here on samples of the Ising model: in units of 0 and 1 a coupling $J = 0.4$ is $4 J = 1.6$.

// %% id="pseudo"
const isingTrain = { x: ising.sample({ count: budgeted(2000, 5000), rng: rng.fork('ising train') }) };
const isingLogP = tf.tidy(() => numbersOf(ising.logProb(states.reshape([-1, 4, 4]))));
const neighbours = (i: number, j: number) => Math.abs(Math.floor(i / 4) - Math.floor(j / 4)) + Math.abs((i % 4) - (j % 4)) === 1; // prettier-ignore
const isingRows = [];
for (const [name, over] of [
  ['pseudo-likelihood', { training: 'pseudo-likelihood' }],
  ['CD-1', { training: 'contrastive' }],
] as const) {
  const model = boltzmann.create({ ...boltzmann.defaults, ...over }, rng.fork('field'));
  const epochs = budgeted(25, 60);
  const optimiser = adam(falling(0.05, epochs * 20));
  const { milliseconds } = await fit(model, { train: isingTrain }, { ...{ epochs, batchSize: 100, optimiser, rng: rng.fork('field fit'), quiet: true } }); // prettier-ignore
  const q = tf.tidy(() => numbersOf(normalised(model).likelihood.kind === 'exact' ? model.negEnergy(states.reshape([-1, 4, 4])).sub(logZSmall(model)) : tf.zeros([1]))); // prettier-ignore
  const J = rowsOf(model.couplings());
  const pairs = J.flatMap((row, i) => row.flatMap((value, j) => (j > i ? [{ value, near: neighbours(i, j) }] : [])));
  const of = (near: boolean) => pairs.filter((pair) => pair.near === near).map(({ value }) => value);
  isingRows.push({
    ...{ loss: name, 'KL to the source, exact': isingLogP.reduce((sum, v, i) => sum + Math.exp(v) * (v - q[i]!), 0) },
    ...{ 'mean coupling of neighbours': meanOf(of(true)), 'of all others': meanOf(of(false)) },
    ...{ 'their deviation': deviationOf(of(false)), seconds: milliseconds / 1000 },
  });
}
table(isingRows, {
  caption: `Couplings learnt from ${isingTrain.x.shape[0]} pictures; the truth is 1.6 and 0`,
  digits: 3,
});

// %% [markdown] id="noise-text"
// **Noise-contrastive estimation** (Gutmann and Hyvärinen, 2010). Mix data with noise of a *known* density $q$, and let a classifier tell them apart. The best classifier knows $p/q$; so if its logit is written with $\ln \tilde p(\mathbf{x}) - \ln Z$ in it, **$\ln Z$ is learnt like any other weight**.
//
// ### Exercise: design the loss
//
// $N$ draws of noise, $B$ examples of data, $\nu = N / B$. What is the probability that an $\mathbf{x}$ from this mixture is data? Write the cross-entropy, per example of data: a mean over data, and $\nu$ times a mean over noise.

// %% id="noise"
/**
 * The loss of noise-contrastive estimation.
 * @param data for each example: model ln p̃, [B], and noise ln q, [B] @param draws the same of the noise, [N] each
 * @param logZ [] @returns []
 */
function noiseLoss(
  data: { model: tf.Tensor; noise: tf.Tensor },
  draws: { model: tf.Tensor; noise: tf.Tensor },
  logZ: tf.Tensor,
): tf.Tensor {
  // BEGIN SOLUTION energy.noise
  const ratio = draws.model.shape[0]! / data.model.shape[0]!;
  const logit = ({ model, noise }: typeof data) => model.sub(logZ).sub(noise).sub(Math.log(ratio));
  const missed = logit(data).neg().softplus().mean();
  return missed.add(logit(draws).softplus().mean().mul(ratio));
  // END SOLUTION
}

// %% id="check-noise"
await check('energy.noise', noiseLoss);

// %% [markdown] id="three-text"
// **Score matching** (Hyvärinen, 2005; chapter 12): $\nabla \ln Z = 0$, so fit $\nabla_{\mathbf{x}} f$. Below, *one* network in the plane, 64 × 2, trained in four ways on the ring: with your loss and a $\ln Z$ of its own; with the library's; by the score; and by the model's own samples. In the plane $Z$ is an integral that a grid can do, so that each has an exact likelihood in the end.

// %% id="three-ways"
const ownNoise = yours(
  noiseLoss,
  (data: { model: tf.Tensor; noise: tf.Tensor }, draws: { model: tf.Tensor; noise: tf.Tensor }, logZ: tf.Tensor) =>
    noiseContrast(data.model.sub(logZ).sub(data.noise), draws.model.sub(logZ).sub(draws.noise)),
);
const RING = { x: ring.sample({ count: budgeted(8000), rng: rng.fork('ring') }) };
const ringTest = ring.sample({ count: budgeted(4000), rng: rng.fork('ring test') });
const ringTruth = tf.tidy(() => numbersOf(ring.logProb(ringTest)));
const [SIDE, CELLS] = [10, 200];
const FINE = Array.from({ length: CELLS }, (_, i) => -SIDE + (2 * SIDE * (i + 0.5)) / CELLS);
const fine = tf.tensor2d(FINE.flatMap((y) => FINE.map((x) => [x, y])));
/** ln Z by quadrature on [−10, 10]², and the KL from the source to the model. */
function toRing(model: EnergyModel): { mean: number; error: number; logZ: number } {
  const energy = quick(model.negEnergy);
  const logZ = logSumExp(tf.tensor1d(energy(fine)), 0).dataSync()[0]! + 2 * Math.log((2 * SIDE) / CELLS);
  const gaps = energy(ringTest).map((value, n) => ringTruth[n]! - (value - logZ));
  return { mean: meanOf(gaps), error: errorOf(gaps), logZ };
}
const RING_EPOCHS = budgeted(25, 150);
async function onRing(over: Partial<EnergyConfig>, make = (model: EnergyModel): EnergyModel => model) {
  const model = make(energyModel.create({ ...energyModel.defaults, ...over }, rng.fork('ring model')));
  const optimiser = adam(falling(0.005, RING_EPOCHS * 40), { clipNorm: 5 });
  const { history, milliseconds } = await fit(model, { train: RING }, { ...{ epochs: RING_EPOCHS, batchSize: 200, optimiser, ema: 0.99, rng: rng.fork('ring fit'), quiet: true } }); // prettier-ignore
  return { model, history, seconds: milliseconds / 1000 };
}
const learntZ = tf.variable(tf.scalar(0));
const bySpread = tf.scalar(2 * Math.log(3));
const logBell = (x: tf.Tensor) => logNormal(x, tf.scalar(0), bySpread);
const withOwnLoss = (model: EnergyModel): EnergyModel => ({
  ...model,
  objectives: [
    {
      ...{ name: 'your loss', estimates: 'other', variables: [...model.objectives[0]!.variables, learntZ] },
      loss: ({ x }, from) =>
        tf.tidy(() => {
          const draws = from.normal([4 * x.shape[0]!, 2]).mul(3);
          const seen = (at: tf.Tensor) => ({ model: model.negEnergy(at), noise: logBell(at) });
          return ownNoise(seen(x), seen(draws), learntZ);
        }),
    },
  ],
});
const ways = [
  { name: 'noise contrast, ln Z learnt', run: await onRing({ training: 'noise-contrastive' }, withOwnLoss) },
  { name: 'noise contrast', run: await onRing({ training: 'noise-contrastive' }) },
  { name: 'score matching', run: await onRing({ training: 'score-matching' }) },
  { name: 'chains', run: await onRing({ training: 'langevin' }) },
];
const ringResults = ways.map(({ run }) => toRing(run.model));
table(
  ways.map(({ name, run }, i) => {
    const { mean, error, logZ } = ringResults[i]!;
    const claimed = i === 0 ? learntZ.dataSync()[0]! : i === 1 ? 0 : undefined;
    return { loss: i === 0 ? `${name}: ${ownNoise.by()}` : name, 'KL to the source': mean, 'standard error': error, 'ln Z, by quadrature': logZ, 'ln Z, as learnt': claimed ?? '–', seconds: run.seconds };
  }),
  { caption: `The ring of eight, ${RING_EPOCHS} epochs each, the same network and start`, digits: 3 },
); // prettier-ignore
density2d([gridOf((x) => ring.logProb(x), 'the source'), ...ways.slice(1).map(({ name, run }, i) => gridOf(run.model.negEnergy, name, ringResults[i + 1]!.logZ))], [], { title: 'Learnt densities, normalised on a grid' }); // prettier-ignore

// %% [markdown] id="training"
// ## 4 Optimiser
//
// Adam, with a rate that falls and a moving average of the weights, since a gradient from samples is noise around the one that is meant. Where chains are involved the gradient is clipped: chains that lag behind for a while make large ones. The exact loss of an RBM is not convex; that of a Boltzmann machine without hidden units is.
//
// ## 5 Training
//
// **By chains of real numbers.** Langevin dynamics makes the negative phase: $\mathbf{x} \leftarrow \mathbf{x} + \eta \nabla f + \sqrt{2\eta}\, \boldsymbol\xi$. Starting anew at each step of training would take long chains; so they go on from step to step, in a **replay buffer** of 1,000, of which a twentieth starts anew each time.
//
// Published settings look different: a step $\alpha$ of 1 or 10 with noise of deviation 0.01 or 0.005, "for stability". That is a sampler, too. But of what?
//
// ### Predict: what these settings draw from
//
// *Before* you run the figure: $\mathbf{x} \leftarrow \mathbf{x} + \alpha \nabla \ln p(\mathbf{x}) + \sigma \boldsymbol\xi$. The density has two hills of the same shape, apart from each other, one `ratio` times as high as the other. Chains run for as long as it takes to cross; steps are short. Which share of them is at the higher hill?

// %% id="temperature"
/**
 * The share of chains at the higher one of two hills of one shape.
 * @param ratio of their heights under p, at least 1 @param alpha, sigma of the step, above 0 @returns 0 … 1
 */
function higherHillShare(ratio: number, alpha: number, sigma: number): number {
  // BEGIN SOLUTION energy.temperature
  const T = sigma ** 2 / (2 * alpha); // the step is Langevin dynamics of p^(1/T)
  return 1 / (1 + Math.exp(-Math.log(ratio) / T));
  // END SOLUTION
}

// %% id="temperature-figure"
const [FAR, WIDE, RATIO, ALPHA] = [0.9, 0.45, 2, 0.02]; // near enough to be crossed: they overlap a little
const hillScore = (x: tf.Tensor) => {
  const odds = x.mul((-2 * FAR) / WIDE ** 2).add(Math.log(RATIO)); // of the higher hill, on the left
  const centre = odds.sigmoid().mul(-2 * FAR).add(FAR); // prettier-ignore
  return centre.sub(x).div(WIDE ** 2);
};
const noises = [0.17, 0.2, 0.25, 0.3, 0.4];
const atHigher = noises.map((sigma) => {
  const temperature = sigma ** 2 / (2 * ALPHA);
  const run = langevin((x) => hillScore(x).div(temperature)); // α ∇ ln p is η ∇ ln p / T, with η = σ²/2
  const count = Math.max(50, budgeted(500, 2000));
  const start = tf.tidy(() => rng.fork('hills').normal([count, 1]).mul(FAR));
  const x = run(start, { steps: budgeted(4000), eta: sigma ** 2 / 2, rng: rng.fork(`noise ${sigma}`) });
  return meanOf(numbersOf(x).map((v) => (v < 0 ? 1 : 0)));
});
figure(
  [
    { x: noises, y: atHigher, mode: 'markers', name: 'measured', marker: { size: 9 } },
    { x: noises, y: noises.map((sigma) => foretold(() => higherHillShare(RATIO, ALPHA, sigma)) ?? null), mode: 'lines', name: 'predicted' },
    { x: noises, y: noises.map(() => RATIO / (1 + RATIO)), mode: 'lines', name: 'p', line: { dash: 'dot' } },
  ],
  { xaxis: { title: 'σ of the step, α = 0.02' }, yaxis: { title: 'share at the higher hill', range: [0.4, 1.05] } },
  { height: 330, alt: 'Shares of the chains at the higher hill by noise: measured, predicted, and that of p' },
); // prettier-ignore

// %% id="check-temperature"
await check('energy.temperature', higherHillShare);

// %% [markdown] id="diverge-text"
// **Diverging on purpose.** The same network on the ring, twice: as above; and with chains that start from noise every time, make five tiny steps, and no penalty on the size of $f$. Then the "samples" are noise whatever $f$ is, and the loss is $\mathbb{E} f(\text{noise}) - \mathbb{E} f(\text{data})$: a number that has **no lower bound**. It falls far below 0, which looks like success; $f$ only grows steeper. That the loss of chains stays around 0 is the sign that samples keep up.

// %% id="diverge"
const wild = await onRing({ training: 'langevin', restart: 1, steps: 5, eta: 0.0005, penalty: 0 });
const tame = ways[3]!.run;
figure(
  [
    { x: tame.history.map(({ epoch }) => epoch), y: tame.history.map(({ loss }) => loss), mode: 'lines', name: 'chains that go on' },
    { x: wild.history.map(({ epoch }) => epoch), y: wild.history.map(({ loss }) => loss), mode: 'lines', name: 'five tiny steps from noise' },
  ],
  { xaxis: { title: 'epoch' }, yaxis: { title: 'loss: mean f(samples) − mean f(data)' } },
  { height: 330, alt: 'Loss by epoch of chains that go on, and of five tiny steps from noise' },
); // prettier-ignore
table(
  [['chains that go on', tame.model], ['five tiny steps from noise', wild.model]].map(([samples, model]) => {
    const { mean, error } = toRing(model as EnergyModel);
    return { samples: samples as string, 'KL to the source': mean, 'standard error': error };
  }),
  { caption: 'How good the two are, whatever their losses say', digits: 3 },
); // prettier-ignore

// %% [markdown] id="digits-rbm-text"
// **An RBM on digits**, made binary: a pixel is 1 from a grey level of 8 on. 100 hidden units, PCD with five sweeps. How far its training and validation images are apart, the table of section 6 says.

// %% id="digits-rbm"
const digits = load('digits');
const binary = (x: tf.Tensor) => tf.tidy(() => x.greaterEqual(8).toFloat());
const [bitTrain, bitValidation, bitTest] = [digits.train, digits.validation, digits.test].map(({ x, y }) => ({ x: binary(x), y })) as [typeof digits.train, typeof digits.train, typeof digits.train]; // prettier-ignore
const RBM_EPOCHS = budgeted(150, 200);
const machines: RbmModel[] = [];
let rbmSeconds = 0;
for (let seed = 0; seed < SEEDS; seed++) {
  const model = rbm.create(rbm.defaults, rng.fork(`digits ${seed}`));
  const optimiser = adam(falling(0.01, RBM_EPOCHS * 20));
  const { milliseconds } = await fit(model, { train: { x: bitTrain.x } }, { ...{ epochs: RBM_EPOCHS, batchSize: 50, optimiser, ema: 0.99, rng: rng.fork(`digits fit ${seed}`), quiet: true } }); // prettier-ignore
  rbmSeconds = milliseconds / 1000;
  machines.push(model);
}
const filters = tf.tidy(() => rowsOf(machines[0]!.weights.w.transpose()).slice(0, 30));
imageGrid(filters, { height: 8, width: 8, columns: 10, title: 'Columns of W: what thirty hidden units look for' });

// %% [markdown] id="jem-text"
// **A classifier as an energy.** One network, dense layers of 512 and 256, trained from the same weights on the same batches: on $-\ln p(y \mid \mathbf{x})$ alone, and on $-\ln p(y \mid \mathbf{x}) - \lambda \ln p(\mathbf{x})$ with $\lambda = 0.03$, whose second part comes from chains. At $\lambda = 1$ it would be the joint density's own loss; at less, classes count for more and the density for less (chapter 13). A thousand pictures are few for a classifier; so each is seen beside nine copies, slightly bent (**data augmentation**), and the density that is learnt is that of bent digits. A third network, without them, shows what they are worth. Pixels are brought to $-1 \dots 1$ and get noise of deviation 0.3: the density that is learnt is that of digits with this noise, which has a width that steps of 0.25 can follow.

// %% id="jem"
/** Turned by up to 12°, sheared, zoomed and moved a little, by bilinear interpolation. @param u six draws of U(−1, 1) */
function bent(row: readonly number[], u: readonly number[]): number[] {
  const [turn, shear, wide, high, right, down] = u as [number, number, number, number, number, number];
  const [c, s] = [Math.cos(turn * 0.21), Math.sin(turn * 0.21)];
  const at = (i: number, j: number) => (i < 0 || j < 0 || i > 7 || j > 7 ? 0 : row[8 * i + j]!);
  return row.map((_, pixel) => {
    const [y, x] = [Math.floor(pixel / 8) - 3.5, (pixel % 8) - 3.5];
    const across = (c * x - s * y) / (1 + 0.1 * wide) + 0.15 * shear * y + 3.5 + 0.6 * right;
    const along = (s * x + c * y) / (1 + 0.1 * high) + 3.5 + 0.6 * down;
    const [i, j] = [Math.floor(along), Math.floor(across)];
    const [f, g] = [along - i, across - j];
    return (1 - f) * ((1 - g) * at(i, j) + g * at(i, j + 1)) + f * ((1 - g) * at(i + 1, j) + g * at(i + 1, j + 1));
  });
}
const COPIES = 9; // of each picture, beside itself
const bentTrain = (() => {
  const draws = rowsOf(
    rng
      .fork('bent')
      .uniform([1000 * COPIES, 6])
      .mul(2)
      .sub(1),
  );
  const rows = rowsOf(digits.train.x);
  const copies = draws.map((u, n) => bent(rows[n % 1000]!, u));
  const y = tf.tile(digits.train.y, [COPIES + 1]);
  return { x: tf.tensor2d([...rows, ...copies]), y };
})();
imageGrid(rowsOf(bentTrain.x).filter((_, n) => n % 1000 < 1), { height: 8, width: 8, columns: 10, levels: 17, title: 'A training picture, and nine bent copies of it' }); // prettier-ignore
const JEM = { ...jem.defaults, hidden: [512, 256], weight: 0.03 };
const JEM_STEPS = 200 * budgeted(15, 20); // epochs of the ten thousand
async function classifierOf(weight: number, seed: number, train: { x: tf.Tensor; y: tf.Tensor } = bentTrain) {
  const model = jem.create({ ...JEM, weight }, rng.fork(`jem ${seed}`));
  const optimiser = adam(falling(0.002, JEM_STEPS), { clipNorm: 10 });
  const epochs = JEM_STEPS / (train.x.shape[0]! / 50);
  const { history, milliseconds } = await fit(model, { train }, { ...{ epochs, batchSize: 50, optimiser, ema: 0.99, rng: rng.fork(`jem fit ${seed}`), quiet: true } }); // prettier-ignore
  return { model, history, seconds: milliseconds / 1000 };
}
type Trained = Awaited<ReturnType<typeof classifierOf>>;
const [joint, plain, unbent]: [Trained[], Trained[], Trained[]] = [[], [], []];
for (let seed = 0; seed < SEEDS; seed++) {
  unbent.push(await classifierOf(0, seed, digits.train));
  plain.push(await classifierOf(0, seed));
  joint.push(await classifierOf(JEM.weight, seed));
}

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// **ln Z of what cannot be summed.** The RBM on digits has $2^{64}$ states, or $2^{100}$. Importance sampling from a simple density would need luck; **annealed importance sampling** (Neal, 2001) goes there in small steps. $\tilde p_\beta$ leads from coins ($\beta = 0$, $Z_0$ known) to the model ($\beta = 1$). A chain collects at each step how much its present $\mathbf{x}$ *gains* by the next $\beta$, then moves one sweep. Each chain's weight, $\ln w = \ln Z_0 + \sum_t \text{gain}_t$, has
//
// $$\mathbb{E}\, w = Z,$$
//
// exactly, mixed or not. How far the weights differ says how much one may rely on them.
//
// ### Predict: how many chains
//
// *Before* you run the table below: suppose the $\ln w$ of chains are normal with deviation $s$. How many chains does $\ln$ of the mean weight need for a standard error of `error`? (The error of $\ln \bar w$ is that of $\bar w$, divided by $\bar w$.)

// %% id="chains"
/**
 * Chains that annealed importance sampling needs, where ln w ~ N(mu, s²).
 * @param s deviation of ln w @param error wanted standard error of ln Z @returns the smallest number of chains
 */
function chainsNeeded(s: number, error: number): number {
  // BEGIN SOLUTION energy.chains
  const relativeVariance = Math.exp(s ** 2) - 1; // E w² / (E w)² − 1, whatever mu is
  return Math.ceil(relativeVariance / error ** 2);
  // END SOLUTION
}

// %% id="check-chains"
await check('energy.chains', chainsNeeded);

// %% [markdown] id="anneal-text"
// ### Exercise: ln Z, with an error bar
//
// From the gains of all chains, and $\ln Z_0$. Weights are of any size; their logs are what one may keep.

// %% id="anneal"
/**
 * ln Z by annealed importance sampling.
 * @param gains of chain m at step t, [T, M] @param logZ0 of the density where the chains start
 * @returns logZ, ln of the mean weight; error, its standard error: the deviation of w (over M − 1) / √M / mean of w
 */
function annealedLogZ(gains: tf.Tensor, logZ0: number): { logZ: number; error: number } {
  // BEGIN SOLUTION energy.anneal
  const logW = gains.sum(0).add(logZ0); // [M]
  const M = logW.shape[0]!;
  const w = logW.sub(logW.max()).exp(); // as shares of the largest, which both numbers below may be in
  const mean = w.mean();
  const variance = w.sub(mean).square().sum().dataSync()[0]! / (M - 1);
  const logZ = logMeanExp(logW, 0);
  return { logZ: logZ.dataSync()[0]!, error: Math.sqrt(variance / M) / mean.dataSync()[0]! };
  // END SOLUTION
}

// %% id="check-anneal"
await check('energy.anneal', annealedLogZ);

// %% [markdown] id="own-anneal-text"
// **Your estimate**, where the truth is known: the machine trained on bars and stripes, whose hills are far apart. Twenty runs of annealing, the library's chains with your weights; bars are three standard errors.

// %% id="own-anneal"
const ownAnneal = yours(annealedLogZ, (gains: tf.Tensor, logZ0: number) => {
  const { logZ, error } = logMeanWeight(numbersOf(gains.sum(0).add(logZ0)));
  return { logZ, error };
});
const known = barsRuns.get('exact')!.model;
const knownZ = logZSmall(known);
const RUNS = 20;
const T_SMALL = Math.max(20, budgeted(300, 500));
const twenty = Array.from({ length: RUNS }, (_, i) => {
  const { logWeights } = known.logPartition({ chains: 200, temperatures: T_SMALL, rng: rng.fork(`twenty ${i}`) });
  return ownAnneal(tf.tensor2d([Array.from(logWeights)]), 0);
});
const covered = twenty.filter(({ logZ, error }) => Math.abs(logZ - knownZ) <= 3 * error).length;
figure(
  [
    { x: twenty.map((_, i) => i + 1), y: twenty.map(({ logZ }) => logZ), mode: 'markers', name: `annealing: ${ownAnneal.by()}`, error_y: { type: 'data', array: twenty.map(({ error }) => 3 * error) } },
    { x: [1, RUNS], y: [knownZ, knownZ], mode: 'lines', name: 'by summing', line: { dash: 'dot' } },
  ],
  { xaxis: { title: 'run' }, yaxis: { title: 'ln Z' }, title: `${covered} of ${RUNS} intervals hold the truth` },
  { height: 330, alt: 'Twenty estimates with intervals of three standard errors around the exact ln Z' },
); // prettier-ignore
table(
  [10, 30, 100, 300, 1000].map((temperatures) => {
    const T = Math.max(2, budgeted(temperatures));
    const { logZ, error, effective, logWeights } = known.logPartition({ chains: 500, temperatures: T, rng: rng.fork(`T ${temperatures}`) });
    const s = deviationOf(logWeights);
    return { steps: T, 'ln Z less the truth': logZ - knownZ, 'standard error': error, 'deviation of ln w': s, 'mean of ln w, less the truth': meanOf(logWeights) - knownZ, 'effective chains of 500': effective, 'chains for an error of 0.02, predicted': foretold(() => chainsNeeded(s, 0.02)) ?? 'not written' };
  }),
  { caption: 'More steps, or more chains? The mean of ln w is no estimate of ln Z', digits: 3 },
); // prettier-ignore

// %% [markdown] id="ladder-text"
// **The ladder on binary digits.** $\ln Z$ from annealing is an **estimate**: in expectation it is below the truth (Jensen), so that $-\ln p$ comes out too low rather than too high, by about half the square of its error. Its error is small beside that of the 447 test images.

// %% id="ladder"
const annealed = machines.map((model, i) => model.logPartition({ chains: 100, temperatures: Math.max(50, budgeted(1000)), rng: rng.fork(`ais ${i}`), like: bitTrain.x })); // prettier-ignore
const bitDigits = { ...digits, values: 2, train: bitTrain, validation: bitValidation, test: bitTest };
ladder(
  rungsOf(
    [...(await baselines(bitDigits, rng.fork('baselines'))), { name: 'RBM, 100 hidden units', model: machines.map((model, i) => normalised(model, annealed[i]!.logZ)) }],
    bitTest,
    rng.fork('ladder'),
  ),
  { title: 'Nats per binary test image; bars: standard error over the images' },
); // prettier-ignore
const natsOf = (x: tf.Tensor) => machines.map((model, i) => annealed[i]!.logZ - tf.tidy(() => meanOf(numbersOf(model.negEnergy(x))))); // prettier-ignore
const [natsTrain, natsValidation, natsTest] = [bitTrain, bitValidation, bitTest].map(({ x }) => natsOf(x)) as [number[], number[], number[]]; // prettier-ignore
table(
  annealed.map(({ logZ, error, effective }, i) => {
    return { seed: i, 'ln Z': logZ, 'its error': error, 'effective chains of 100': effective, 'nats, train': natsTrain[i]!, validation: natsValidation[i]!, test: natsTest[i]! };
  }),
  { caption: `Annealed, each seed by itself; test, over seeds: ${overSeeds(natsTest, 2)} nats; a training took ${rbmSeconds.toFixed(0)} s`, digits: 3 },
); // prettier-ignore

// %% [markdown] id="ood-text"
// **What JEM's height is good for.** The networks see the test digits and four sets that are none: letters drawn as the digits were, random pixels, digits turned by a quarter, and digits upside down. The score is $\ln \sum_y \exp f_y$; for the plain classifier also its largest probability. Whether the score tells digits from the set is measured by the area under the ROC curve (0.5 is chance). **Calibration**: how far stated and observed probabilities differ. Two questions to the table: what does the density cost in errors, the first row against the second? And what are the bent copies worth, the second against the last?

// %% id="ood"
const pictures = (x: tf.Tensor) => x.reshape([-1, 8, 8]);
const others: Readonly<Record<string, tf.Tensor>> = {
  letters: letterPictures(447, rng.fork('letters')),
  'random pixels': tf.tidy(() => rng.fork('pixels').uniform([447, 64]).mul(17).floor()),
  'turned by a quarter': tf.tidy(() => pictures(digits.test.x).transpose([0, 2, 1]).reverse(2).reshape([-1, 64])),
  'upside down': tf.tidy(() => pictures(digits.test.x).reverse(1).reshape([-1, 64])),
};
imageGrid(Object.values(others).flatMap((x) => rowsOf(x.slice([0, 0], [10, 64]))), { height: 8, width: 8, columns: 10, levels: 17, title: Object.keys(others).join('; ') }); // prettier-ignore
const truth = numbersOf(digits.test.y);
const evidenceOf = (model: JemModel) => quick(model.evidence);
const surest = (model: JemModel) => quick((x) => model.logits(x).softmax().max(1));
const areaOf = (score: (x: tf.Tensor) => number[], x: tf.Tensor) => {
  const [inside, outside] = [score(digits.test.x), score(x)];
  return roc([...inside, ...outside], [...inside.map(() => true), ...outside.map(() => false)]).auc;
};
function judged(model: JemModel) {
  const said = quick((x) => model.logits(x).argMax(1).toFloat());
  const wrong = (x: tf.Tensor, y: readonly number[]) => said(x).map((label, n) => (label === y[n] ? 0 : 1));
  const right = wrong(digits.test.x, truth).map((missed) => missed === 0);
  const validation = meanOf(wrong(digits.validation.x, numbersOf(digits.validation.y)));
  return { error: 1 - meanOf(right.map(Number)), validation, calibration: reliability(surest(model)(digits.test.x), right).error, right };
} // prettier-ignore
const verdicts = new Map([...joint, ...plain, ...unbent].map(({ model }) => [model, judged(model)] as const));
table(
  [
    { who: 'JEM, ln Σ exp f', runs: joint, score: evidenceOf },
    { who: 'plain, ln Σ exp f', runs: plain, score: evidenceOf },
    { who: 'plain, largest probability', runs: plain, score: surest },
    { who: 'plain, no bent copies, ln Σ exp f', runs: unbent, score: evidenceOf },
  ].map(({ who, runs, score }) => {
    const scores = runs.map(({ model }) => score(model));
    const verdict = runs.map(({ model }) => verdicts.get(model)!);
    return {
      ...{ score: who, 'validation error, %': overSeeds(verdict.map(({ validation }) => 100 * validation), 1) },
      'test error, %': overSeeds(verdict.map(({ error }) => 100 * error), 1),
      'calibration error': overSeeds(verdict.map(({ calibration }) => calibration)),
      ...Object.fromEntries(Object.entries(others).map(([name, x]) => [name, overSeeds(scores.map((of) => areaOf(of, x)))])),
      seconds: meanOf(runs.map(({ seconds }) => seconds)),
    };
  }),
  { caption: `Area under the ROC curve, test digits against what is none; seeds: ${SEEDS}, ± a standard error over seeds`, digits: 3 },
); // prettier-ignore
const evidence = evidenceOf(joint[0]!.model);
const shownSets = { 'test digits': digits.test.x, ...others };
figure(
  Object.entries(shownSets).map(([name, x]) => ({ type: 'box', name, x: evidence(x), boxpoints: false })),
  { xaxis: { title: 'ln Σ exp f(x), JEM' }, showlegend: false, margin: { l: 140, r: 20, t: 20, b: 50 } },
  { height: 320, alt: 'Boxes of the evidence of test digits and of four sets that are none' },
); // prettier-ignore
calibrationPlot({ scores: surest(joint[0]!.model)(digits.test.x), positive: verdicts.get(joint[0]!.model)!.right, name: 'JEM' }, { title: 'JEM: stated and observed' }); // prettier-ignore

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// **There is no other way than chains**, and a chain has to forget where it began. First, twenty samples of the RBM after 1,000 sweeps from coins. Then chains of JEM: what the replay buffer holds at the end of training, sorted by what the classifier says of them: an $\mathbf{x}$ from a chain and a $y$ from $p(y \mid \mathbf{x})$ are a sample of the joint density; and chains from the Gaussian, whose steps are **accepted or refused** so that a step of finite length has no bias (MALA, Roberts and Tweedie, 1996).

// %% id="samples"
imageGrid(rowsOf(machines[0]!.sample({ count: 20, rng: rng.fork('rbm samples') })), { height: 8, width: 8, columns: 10, levels: 2, title: 'RBM: 1,000 sweeps from coins' }); // prettier-ignore
const buffered = tf.tidy(() => joint[0]!.model.objectives[0]!.memory![0]!.mul(JEM.scale).add(JEM.centre));
const likely = rowsOf(tf.tidy(() => joint[0]!.model.logits(buffered).softmax())); // p(y | x) of each chain, [1000, 10]
const bufferedRows = rowsOf(buffered);
/** Three rows of ten: of each class the first three chains that it is more probable than not for; black where fewer. */
const byClass = [0, 1, 2].flatMap((place) =>
  Array.from({ length: 10 }, (_, y) => {
    const mine = bufferedRows.filter((_row, n) => likely[n]![y]! > 0.5);
    return mine[place] ?? new Array<number>(64).fill(0);
  }),
);
imageGrid(byClass, { height: 8, width: 8, columns: 10, levels: 17, title: 'JEM: chains of the replay buffer, one column a class, 0 to 9' }); // prettier-ignore
const fromNoise = jem.create({ ...JEM, samplerSteps: budgeted(JEM.samplerSteps) }, rng.fork('sampler'));
setWeights(fromNoise, getWeights(joint[0]!.model));
imageGrid(rowsOf(fromNoise.sample({ count: 20, rng: rng.fork('jem samples') })), { height: 8, width: 8, columns: 10, levels: 17, title: `JEM: ${budgeted(JEM.samplerSteps)} steps from the Gaussian, accepted or refused` }); // prettier-ignore

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in. The table of the lecture calls the training of energy-based models stable: for gradients of Gibbs chains that may pass; the figure of section 5 says what happens with others.

// %% id="card"
card(rbm.card);
card(energyModel.card);
card(jem.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// Put together from published code, four mistakes, none of which stops a training: chains that are never started anew; an energy and its negative taken for one another (an issue of a course's tutorial, asked twice); noise by the step and not by its root, as in a well-known notebook whose step is 1 and whose noise is 0.01; and noise drawn once.
//
// ### Exercise: repair it
//
// The chains of one step of training. `energy` is $E = -\ln p$ up to a constant.

// %% id="refresh"
/**
 * The chains after a step of training: a share of them starts anew, then all make K steps of Langevin dynamics.
 * @param energy E of each row: [M, D] → [M] @param chains buffer and fresh [M, D]; u, U[0, 1), [M]: where it is below
 * `restart` the chain is taken from `fresh`; noise N(0, 1) of each step, [K, M, D]
 * @param eta length of a step @returns [M, D]
 */
function refreshedChains(
  energy: (x: tf.Tensor) => tf.Tensor,
  chains: { buffer: tf.Tensor; fresh: tf.Tensor; u: tf.Tensor; noise: tf.Tensor },
  { eta, restart }: { eta: number; restart: number },
): tf.Tensor {
  // BEGIN SOLUTION energy.refresh
  let x: tf.Tensor = tf.where(chains.u.less(restart).expandDims(1), chains.fresh, chains.buffer);
  for (let k = 0; k < chains.noise.shape[0]!; k++) {
    const slope = tf.grad((at) => energy(at).sum())(x);
    const shaken = tf.gather(chains.noise, k).mul(Math.sqrt(2 * eta));
    x = x.sub(slope.mul(eta)).add(shaken); // down in energy
  }
  return x;
  // END SOLUTION
  // BEGIN GIVEN
  // let x: tf.Tensor = chains.buffer;
  // const shaken = tf.gather(chains.noise, 0).mul(eta);
  // for (let k = 0; k < chains.noise.shape[0]!; k++) {
  //   const slope = tf.grad((at) => energy(at).sum())(x);
  //   x = x.add(slope.mul(eta)).add(shaken);
  // }
  // return x;
  // END GIVEN
}

// %% id="own-refresh"
const ownRefresh = yours(
  refreshedChains,
  (energy: (x: tf.Tensor) => tf.Tensor, { buffer, fresh, u, noise }: Record<'buffer' | 'fresh' | 'u' | 'noise', tf.Tensor>, { eta, restart }: { eta: number; restart: number }) =>
    tf.unstack(noise).reduce<tf.Tensor>((x, each) => langevinStep(x, tf.grad((at) => energy(at).sum())(x).neg(), eta, each), tf.where(u.less(restart).expandDims(1), fresh, buffer)),
); // prettier-ignore
const BELL = budgeted(2000);
let bell = tf.tidy(() => rng.fork('bell').normal([BELL, 1]).mul(0.1));
for (let i = 0; i < 8; i++) {
  const here = rng.fork(`bell ${i}`);
  const chains = { buffer: bell, fresh: here.fork('fresh').normal([BELL, 1]), u: here.fork('u').uniform([BELL]), noise: here.fork('noise').normal([10, BELL, 1]) }; // prettier-ignore
  bell = tf.tidy(() => ownRefresh((x) => x.square().sum(1).mul(0.5), chains, { eta: 0.1, restart: 0.05 }));
}
table(
  [{ 'variance of the chains': deviationOf(numbersOf(bell)) ** 2, 'of the density': 1, 'of chains with steps of 0.1 (chapter 12)': 1 / (1 - 0.1 / 2) }],
  { caption: `E = x²/2, 80 steps from near 0: ${ownRefresh.by()}`, digits: 3 },
); // prettier-ignore

// %% id="check-refresh"
await check('energy.refresh', refreshedChains);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now, by the second call, since the first one compiles.

// %% id="measure-costs"
function timed(body: () => unknown): number {
  body();
  const started = performance.now();
  body();
  return performance.now() - started;
}
const hundred = digits.test.x.slice([0, 0], [100, 64]);
const hundredBits = bitTest.x.slice([0, 0], [100, 64]);
const [machine, classifier] = [machines[0]!, joint[0]!.model];
const downhill = langevin(classifier.score);
table(
  [
    { what: 'RBM, ln p of 100 images up to ln Z', ms: timed(() => numbersOf(machine.negEnergy(hundredBits))) },
    { what: 'RBM, 100 sweeps of 100 chains', ms: timed(() => numbersOf(machine.chain(hundredBits, 100, rng))) },
    { what: 'RBM, ln Z by 100 chains of 100 temperatures', ms: timed(() => machine.logPartition({ chains: 100, temperatures: 100, rng })) },
    { what: 'JEM, classes of 100 images', ms: timed(() => numbersOf(classifier.logits(hundred))) },
    { what: 'JEM, 100 Langevin steps of 100 chains', ms: timed(() => numbersOf(downhill(hundred, { steps: 100, eta: 1, rng }))) },
    { what: 'ln Z of the Ising model by 65,536 states', ms: timed(() => logZOf(0.4)) },
  ],
  { caption: 'Milliseconds', digits: 2 },
); // prettier-ignore

// %% [markdown] id="failures"
// ## Where it fails
//
// **A loss that says nothing.** $\mathbb{E} f(\text{samples}) - \mathbb{E} f(\text{data})$ is near 0 for a good model and for one that has learnt nothing, and lowest for one that diverges. Whoever wants to know how good an energy is needs $Z$, or samples.
//
// **Chains that do not cross.** Between far hills no chain of any affordable length goes; what it shows is where it began. In section 3 even long chains from coins missed the exact gradient, and the table of annealing says how few of five hundred chains counted with ten steps.
//
// **Estimates of ln Z flatter.** From below in expectation, and if a hill is never found, without any sign: the weights then agree, and are all too small.
//
// **Upside down.** For the pictures that look most like digits the score of JEM tells least: a 0 or an 8 turned over *is* a digit, and strokes are strokes. A density's height is no test of meaning (chapter 13).
//
// **Larger pictures.** Each step of training costs K passes forwards and backwards more, and in more dimensions steps get shorter and chains longer. Diffusion models (chapter 11) learn the slope at every level of noise instead, and need no chain to train.
//
// ### Sources
//
// E. Ising, *Beitrag zur Theorie des Ferromagnetismus*, 1925. J. Besag, *Statistical analysis of non-lattice data*, 1975. G. Hinton, T. Sejnowski, *Optimal perceptual inference*, 1983. P. Smolensky, *Harmony theory*, 1986. G. Roberts, R. Tweedie, *Exponential convergence of Langevin distributions*, Bernoulli 1996. R. Neal, *Annealed importance sampling*, Statistics and Computing 2001. G. Hinton, *Training products of experts by minimizing contrastive divergence*, Neural Computation 2002. A. Hyvärinen, *Estimation of non-normalized statistical models by score matching*, JMLR 2005. T. Tieleman, *Training restricted Boltzmann machines using approximations to the likelihood gradient*, ICML 2008. R. Salakhutdinov, I. Murray, *On the quantitative analysis of deep belief networks*, ICML 2008. M. Gutmann, A. Hyvärinen, *Noise-contrastive estimation*, AISTATS 2010. J. Xie et al., *A theory of generative ConvNet*, ICML 2016. Y. Du, I. Mordatch, *Implicit generation and modeling with energy-based models*, NeurIPS 2019. W. Grathwohl et al., *Your classifier is secretly an energy based model*, ICLR 2020. J. Tomczak, *Deep Generative Modeling* (2024), chapter 7. The settings that the bug is made of are in github.com/jmtomczak/intro_dgm and in tutorial 8 of github.com/phlippe/uvadlc_notebooks, whose issue 60 asks about the sign.
