// %% [markdown] id="title" tags=["foundation"]
// # 1 Why generative
//
// A classifier answers one question, $p(y \mid \mathbf{x})$: which label, given the input. A generative model also answers the question before it, $p(\mathbf{x})$: is this an input of the kind we know at all? By the product rule the two make the joint distribution,
//
// $$p(\mathbf{x}, y) = p(y \mid \mathbf{x})\, p(\mathbf{x}).$$
//
// This chapter shows what the second factor is good for, first in the plane and then on digits that were changed so as to deceive. Then it asks what $p(\mathbf{x})$ costs: where the normalising constant comes from, and why it is out of reach for all but tiny or clever models. The families of the later chapters are ways to be clever.
//
// No family is trained here for its own sake, so the seven steps are missing. Everything printed below was computed by running this file (`npm run solutions -- 01`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adam,
  budgeted,
  categoricalMixture,
  createRng,
  em,
  evaluate,
  figure,
  fit,
  histogramBaseline,
  imageGrid,
  linear,
  load,
  logNormal,
  logSumExp,
  lossCurve,
  mlp,
  table,
  constantWeight,
  type GenerativeModel,
  type Network,
} from 'dgm';

const rng = createRng(1); // the one seed of this chapter

/** A network that gives the logits of p(y | x), as something that `fit` can train. */
function classifier(network: Network, eventShape: readonly number[], classes: number): GenerativeModel {
  return {
    eventShape,
    likelihood: { kind: 'implicit' },
    objectives: [
      {
        name: 'cross-entropy',
        estimates: 'other', // −ln p(y | x)
        variables: network.variables,
        loss: ({ x, y }) =>
          tf
            .logSoftmax(network.apply(x))
            .mul(tf.oneHot(y!.toInt() as tf.Tensor1D, classes))
            .sum(1)
            .mean()
            .neg(),
      },
    ],
    sample: () => {
      throw new Error('a classifier has nothing to sample from: it knows p(y | x), and not p(x)');
    },
  };
}

// %% [markdown] id="why"
// ## Why: blue or orange?
//
// Two kinds of points in the plane, blue on the left and orange on the right, 200 of each, and a new point far above both. On the left what a classifier knows, $p(\text{blue} \mid \mathbf{x})$; on the right what a generative model knows besides, $p(\mathbf{x})$, here from one Gaussian for each class.

// %% id="why-picture"
const labels = tf.tensor1d(
  Int32Array.from({ length: 400 }, (_, n) => n % 2),
  'int32',
); // 0 is blue, 1 is orange
const plane = tf.tidy(() => {
  const centres = tf.gather(tf.tensor2d([-1.5, -1, 1.5, -1], [2, 2]), labels);
  return centres.add(rng.fork('plane').normal([400, 2]).mul(0.7)); // [400, 2]
});
const line = linear(2, 2, rng.fork('line'));
await fit(
  classifier(line, [2], 2),
  { train: { x: plane, y: labels } },
  { epochs: budgeted(60), batchSize: 50, optimiser: adam(0.03), rng: rng.fork('fit line'), quiet: true },
);
/** ln p(x | y) of both classes: Gaussians with the means and variances of their points. */
const classes = [0, 1].map((y) =>
  tf.tidy(() => {
    const { mean, variance } = tf.moments(plane.gather(tf.tensor1d(indicesOf(y), 'int32')), 0);
    return { mu: mean, logVar: variance.log() };
  }),
);
function indicesOf(y: number): Int32Array {
  return Int32Array.from({ length: 200 }, (_, n) => 2 * n + y);
}
const logGivenY = (x: tf.Tensor) =>
  tf.stack(
    classes.map(({ mu, logVar }) => logNormal(x, mu, logVar)),
    1,
  ); // [B, 2]
const logP = (x: tf.Tensor) => logSumExp(logGivenY(x).sub(Math.LN2), 1); // [B], both classes equally frequent
const blue = (x: tf.Tensor) => tf.softmax(line.apply(x)).slice([0, 0], [-1, 1]).squeeze([1]); // [B]

const ticks = Array.from({ length: 71 }, (_, i) => -5 + i * 0.15);
const grid = tf.tensor2d(ticks.flatMap((v) => ticks.map((u) => [u, v])));
const far = [-3, 5];
/** A surface over the plane, the points of both classes on it, and the new one. */
function panel(axis: string, surface: tf.Tensor) {
  const z = tf.tidy(() => surface.reshape([ticks.length, ticks.length]).arraySync() as number[][]);
  const rows = plane.arraySync() as number[][];
  const axes = { xaxis: `x${axis}`, yaxis: `y${axis}`, showlegend: axis === '' };
  const points = (name: string, own: readonly number[][], marker: object) => {
    return { x: own.map(([u]) => u), y: own.map(([, v]) => v), mode: 'markers', name, marker, ...axes };
  };
  const greys = [
    [0, '#ffffff'],
    [1, '#808080'],
  ];
  return [
    {
      type: 'contour',
      x: ticks,
      y: ticks,
      z,
      colorscale: greys,
      colorbar: { x: axis === '' ? 0.44 : 1, thickness: 8, len: 0.9, tickfont: { size: 10 } },
      name: 'surface',
      ...axes,
      showlegend: false,
    },
    points(
      'blue',
      rows.filter((_, n) => n % 2 === 0),
      { size: 4, color: '#2f7fd1' },
    ),
    points(
      'orange',
      rows.filter((_, n) => n % 2 === 1),
      { size: 4, color: '#d9701a' },
    ),
    points('new', [far], { size: 12, symbol: 'x', color: '#d1504f' }),
  ];
}
const shareOfPeak = tf.tidy(() => logP(grid).sub(logP(grid).max()).exp());
figure(
  [
    ...panel(
      '',
      tf.tidy(() => blue(grid)),
    ),
    ...panel('2', shareOfPeak),
  ],
  {
    xaxis: { domain: [0, 0.43], title: 'p(blue | x)' },
    xaxis2: { domain: [0.56, 0.99], title: 'p(x), as a share of its peak', anchor: 'y2' },
    legend: { orientation: 'h', y: 1.12 },
    yaxis2: { anchor: 'x2' },
  },
  { height: 380, alt: 'Left p(blue | x), right p(x), with the points of both classes and a far point' },
);
const nearBlue = tf.tensor2d([[-1.5, -1]]);
table(
  [
    { point: 'the centre of blue', x: nearBlue },
    { point: 'between the classes', x: tf.tensor2d([[0, -1]]) },
    { point: 'the new one, (−3, 5)', x: tf.tensor2d([far], [1, 2]) },
  ].map(({ point, x }) => ({
    point,
    'p(blue | x), classifier': tf.tidy(() => blue(x).dataSync()[0]!),
    '−ln p(x), nats': tf.tidy(() => logP(x).neg().dataSync()[0]!),
  })),
  { caption: 'Three points', digits: 3 },
);

// %% [markdown] id="why-reading"
// The far point lies on the blue side of the boundary, far from it, and so the classifier is surer of it than of many points it was trained on. Nothing in $p(y\mid\mathbf{x})$ can say otherwise: it sums to 1 over the labels wherever $\mathbf{x}$ lies. $p(\mathbf{x})$ says that such a point does not occur. Five uses follow from that alone (Tomczak, 2024, section 1.1): has it been seen before? how far may the decision be trusted? what is uncertain about the surroundings? which example should a person label next? and what does a new one look like? The lecture counts by what is done with the model, and has six: **statistical inference** (what is probable, given what was seen), **sampling**, **representation learning** (what an example has in common with others, in a few numbers), **pre-training** (learning from what has no labels, before the few that have), **generalisation** (a model of all the data is harder to fool by a quirk of some), and **simulation** (of particles, molecules, or what an agent may meet next).
//
// There is a case against it. "One should solve the problem directly and never solve a more general problem as an intermediate step" (Vapnik, 1998, in the words of Ng and Jordan, 2002): who only wants labels, for inputs that are sure to be of the known kind, is served with less by a classifier. The rest of this chapter is about inputs that are not.
//
// ### Exercise: the decision
//
// A joint distribution has two factorisations, $p(\mathbf{x}, y) = p(y \mid \mathbf{x})\, p(\mathbf{x}) = p(\mathbf{x} \mid y)\, p(y)$. With the first one, any classifier does for the first factor and any generative model for the second. The picture used the second, one Gaussian a class, and then Bayes' rule leads back to the first. Write it for $B$ inputs and $K$ classes, from $a_{bk} = \ln p(\mathbf{x}_b \mid y = k)$ and the log-frequencies $\ln p(y = k)$:
//
// $$p(\mathbf{x}) = \sum_k p(\mathbf{x}\mid k)\, p(k), \qquad p(k \mid \mathbf{x}) = \frac{p(\mathbf{x}\mid k)\, p(k)}{p(\mathbf{x})}.$$
//
// The first formula is the **sum rule**: the label is **marginalised**, that is, summed out. Return both, the first one as a logarithm. `logSumExp(x, axis)` from the library does not underflow.

// %% id="decide"
/**
 * Bayes' rule.
 * @param logGiven ln p(x | y) [B, K] @param logPrior ln p(y) [K]
 * @returns posterior p(y | x) [B, K], and logP = ln p(x) [B]
 */
function decide(logGiven: tf.Tensor, logPrior: tf.Tensor): { posterior: tf.Tensor; logP: tf.Tensor } {
  // BEGIN SOLUTION why.decide
  const joint = logGiven.add(logPrior); // ln p(x, y): [B, K]
  const logP = logSumExp(joint, 1); // [B]
  return { posterior: joint.sub(logP.expandDims(1)).exp(), logP };
  // END SOLUTION
}

// %% id="check-decide"
await check('why.decide', decide);

// %% [markdown] id="own-decision-text"
// Yours, for the three points of the table above. The classifier is sure of the new point, and so is Bayes' rule. What is low is $p(\mathbf{x})$, and with it the **joint** density of the point and its label, $p(\mathbf{x}, \text{blue}) = p(\text{blue} \mid \mathbf{x})\, p(\mathbf{x})$: a sure answer to a question that never comes up.

// %% id="own-decision"
const bayes = yours(decide, (logGiven: tf.Tensor, logPrior: tf.Tensor) => {
  const joint = logGiven.add(logPrior);
  return { posterior: tf.softmax(joint), logP: tf.logSumExp(joint, 1) };
});
const threePoints = tf.tensor2d([[-1.5, -1], [0, -1], far as [number, number]]); // prettier-ignore
const { blueByBayes, logDensities } = tf.tidy(() => {
  const { posterior, logP } = bayes(logGivenY(threePoints), tf.fill([2], -Math.LN2));
  return {
    blueByBayes: [...posterior.slice([0, 0], [-1, 1]).dataSync()],
    logDensities: [...logP.dataSync()],
  };
});
const blueByClassifier = tf.tidy(() => [...blue(threePoints).dataSync()]);
table(
  ['the centre of blue', 'between the classes', 'the new one, (−3, 5)'].map((point, n) => ({
    point,
    'p(blue | x), classifier': blueByClassifier[n]!,
    'p(blue | x), Bayes': blueByBayes[n]!,
    '−ln p(x)': -logDensities[n]!,
    '−ln p(x, blue)': -logDensities[n]! - Math.log(blueByBayes[n]!),
  })),
  { caption: `Three points, Bayes’ rule by decide: ${bayes.by()}`, digits: 3 },
);

// %% [markdown] id="duality"
// ### Two spaces
//
// A data set is a cloud of points in the **space of data**. A distribution over that space is *one* point in the **space of models** $\mathcal{M}$, whose axes are the parameters. To learn is to walk in the second space until the first looks right. Below, Gaussians over the blue points: the position $\mu_1$ of the centre and the width $\sigma$ are free. On the left two of them as ellipses of two standard deviations, a good fit and a bad one; on the right the same two as points, on the map of the mean $-\ln p$ of the data.

// %% id="duality-picture"
const bluePoints = tf.tidy(() => plane.gather(tf.tensor1d(indicesOf(0), 'int32')).arraySync() as number[][]);
const height = bluePoints.reduce((sum, [, v]) => sum + v! / 200, 0); // the best second coordinate, kept
const fitOf = (mu: number, sigma: number) =>
  bluePoints.reduce(
    (sum, [u, v]) => sum + (Math.log(2 * Math.PI) + 2 * Math.log(sigma) + ((u! - mu) ** 2 + (v! - height) ** 2) / (2 * sigma ** 2)) / 200,
    0,
  ); // prettier-ignore
const mus = Array.from({ length: 41 }, (_, i) => -3.5 + 0.1 * i);
const sigmas = Array.from({ length: 36 }, (_, i) => 0.4 + 0.04 * i);
const fits = mus.flatMap((mu) => sigmas.map((sigma) => ({ mu, sigma, nats: fitOf(mu, sigma) })));
const goodFit = fits.reduce((a, b) => (b.nats < a.nats ? b : a));
const badFit = { mu: -0.4, sigma: 1.3, nats: fitOf(-0.4, 1.3) };
const turn = Array.from({ length: 61 }, (_, i) => (i * Math.PI) / 30);
const models = [
  { name: 'good fit', color: '#159673', ...goodFit },
  { name: 'bad fit', color: '#d1504f', ...badFit },
];
figure(
  [
    { mode: 'markers', name: 'data', x: bluePoints.map(([u]) => u), y: bluePoints.map(([, v]) => v), marker: { size: 4, color: '#2f7fd1' } },
    ...models.map(({ name, color, mu, sigma }) => ({
      mode: 'lines', name, x: turn.map((t) => mu + 2 * sigma * Math.cos(t)), y: turn.map((t) => height + 2 * sigma * Math.sin(t)), line: { color, width: 2.5 },
    })),
    {
      type: 'contour', x: mus, y: sigmas, z: sigmas.map((sigma) => mus.map((mu) => Math.min(8, fitOf(mu, sigma)))), xaxis: 'x2', yaxis: 'y2', showlegend: false,
      colorscale: [[0, '#ffffff'], [1, '#808080']], ncontours: 14, colorbar: { title: 'nats', thickness: 8, len: 0.9 },
    },
    ...models.map(({ name, color, mu, sigma, nats }) => ({
      mode: 'markers+text', x: [mu], y: [sigma], text: [`${name}: ${nats.toFixed(2)}`], textposition: 'top center', xaxis: 'x2', yaxis: 'y2', showlegend: false, marker: { size: 11, color },
    })),
  ],
  {
    title: 'Data space and model space',
    xaxis: { domain: [0, 0.45], title: 'x₁', range: [-4.5, 2.5] },
    yaxis: { title: 'x₂', range: [-4.5, 2.5] },
    xaxis2: { domain: [0.56, 1], title: 'μ₁', anchor: 'y2' },
    yaxis2: { title: 'σ', anchor: 'x2' },
    legend: { orientation: 'h', y: 1.12 },
  },
  { height: 380, alt: 'Left points with two ellipses, right the mean loss over centre and width, with the same two models as points' },
); // prettier-ignore

// %% [markdown] id="decline-exercise"
// Every family draws its own part of $\mathcal M$ that a walk can reach; what it takes for granted by that is its **inductive bias**.
//
// ### Decide or decline
//
// A number such as $-\ln p(\mathbf{x}) = 40$ says little by itself. Compared with inputs known to be good it says a lot: let $r(\mathbf{x})$ be the share of $N$ held-out inputs whose $\ln p$ is **at most** that of $\mathbf{x}$. Statisticians call it a **p-value**. Decline where $r(\mathbf{x}) < \alpha$, and otherwise take the most probable class: the **reject option**. For a good input $r(\mathbf{x}) < \alpha$ happens with probability about $\alpha$, whatever $p$ is, as long as it comes from where the held-out ones came from and the model was fitted without looking at them. (**Conformal prediction** uses $(1 + \text{count})/(N + 1)$, with which the probability is at most $\alpha$.) What does not come from there is **out of distribution**, and whoever looks for it does **anomaly detection**.
//
// ### Predict: how many good ones are declined
//
// "About $\alpha$" can be said exactly. A good input and $N$ held-out ones, all drawn from one and the same source, no two alike: with which probability is it declined? Write it *before* you run the table, which repeats the experiment 5,000 times.

// %% id="declined-share"
/** The probability that a good input is declined, with N held-out inputs of the same source. */
function declinedShare(N: number, alpha: number): number {
  // BEGIN SOLUTION why.declinedShare
  // x is equally likely to have 0, 1, … N of the others below it, and r = count / N < α holds for ⌈α N⌉ of these counts
  return Math.ceil(alpha * N) / (N + 1);
  // END SOLUTION
}

// %% id="declined-share-table"
const predictedShare = yours(declinedShare, (N: number, alpha: number): number => Math.ceil(alpha * N) / (N + 1));
table(
  [
    { N: 1, alpha: 0.5 },
    { N: 4, alpha: 0.25 },
    { N: 20, alpha: 0.25 },
    { N: 175, alpha: 0.05 },
  ].map(({ N, alpha }) => {
    const [repeats, source] = [5000, rng.fork(`ranks ${N} ${alpha}`)];
    const happened = tf.tidy(() => {
      const others = source.fork('held out').uniform([repeats, N]);
      const own = source.fork('own').uniform([repeats, 1]);
      const r = others.lessEqual(own).toFloat().mean(1); // [repeats]
      return r.less(alpha).toFloat().mean().dataSync()[0]!;
    });
    const expected = predictedShare(N, alpha);
    return { N, alpha, predicted: expected, happened, 'standard error': Math.sqrt((expected * (1 - expected)) / repeats) };
  }),
  { caption: `Share of good inputs that are declined: prediction, ${predictedShare.by()}`, digits: 4 },
); // prettier-ignore

// %% id="check-declined-share"
await check('why.declinedShare', declinedShare);

// %% [markdown] id="decline-code"
// ### Exercise: decide or decline
//
// Now the rule itself, for a batch.

// %% id="decide-or-decline"
/**
 * The most probable class, or −1 where x is odder than all but a share alpha of the held-out inputs.
 * @param posterior p(y | x) [B, K] @param logP ln p(x) [B] @param heldOut ln p of good inputs [N]
 * @param alpha the share of good inputs that may be declined @returns int32 [B]
 */
function decideOrDecline(posterior: tf.Tensor, logP: tf.Tensor, heldOut: tf.Tensor, alpha: number): tf.Tensor {
  // BEGIN SOLUTION why.decideOrDecline
  const atMost = heldOut.expandDims(0).lessEqual(logP.expandDims(1)); // [B, N]
  const share = atMost.toFloat().mean(1); // [B]
  return tf.where(share.less(alpha), tf.scalar(-1, 'int32'), posterior.argMax(1)); // [B]
  // END SOLUTION
}

// %% id="check-decide-or-decline"
await check('why.decideOrDecline', decideOrDecline);

// %% [markdown] id="adversarial"
// ## Noise that is made to deceive
//
// The far point was contrived. Here is a case that was found in practice (Szegedy and others, 2014): change an image so little that a person hardly notices, in the one direction that hurts the classifier most. Goodfellow, Shlens and Szegedy (2015) take a single step along the sign of the gradient of the loss with respect to the **image**,
//
// $$\tilde{\mathbf{x}} = \mathbf{x} + \varepsilon \cdot \operatorname{sign} \nabla_{\mathbf{x}} \bigl[ -\ln p(y \mid \mathbf{x}) \bigr].$$
//
// No pixel moves by more than $\varepsilon$. With $\varepsilon$ a whole number of grey levels the result is a digit image like any other, integers $0 \dots 16$, once it is clipped to the scale.
//
// ### Exercise: the fast gradient sign
//
// `loss` takes a batch of images to a scalar; `tf.grad(loss)(x)` has the shape of `x`.

// %% id="adversarial-step"
/**
 * One step of size epsilon that raises the loss, on the scale 0 … largest.
 * @param loss [B, D] → [], differentiable @param x [B, D] @param largest the brightest pixel @returns [B, D]
 */
function adversarial(loss: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor, epsilon: number, largest: number): tf.Tensor {
  // BEGIN SOLUTION why.adversarial
  const direction = tf.grad(loss)(x).sign(); // [B, D]
  return x.add(direction.mul(epsilon)).clipByValue(0, largest); // [B, D]
  // END SOLUTION
}

// %% id="check-adversarial"
await check('why.adversarial', adversarial);

// %% [markdown] id="digits-text"
// Now on the digits. A network with one hidden layer learns $p(y \mid \mathbf{x})$, a mixture of ten tables learns $p(\mathbf{x})$ (chapter 3). Neither sees the other, and the mixture sees no labels. The validation images are shared out: the first half says when to stop, the second is held out for the rule, whose promise holds only for inputs that the model was not fitted to.

// %% id="train-digits"
const digits = load('digits');
const [D, V] = [64, digits.values];
const hidden = mlp([D, 64, 10], rng.fork('network'));
const network: Network = { variables: hidden.variables, apply: (x) => hidden.apply(x.div(V - 1)) };
const classifierRun = await fit(classifier(network, [D], 10), digits, {
  epochs: budgeted(60),
  batchSize: 50,
  optimiser: adam(0.003),
  patience: 10,
  rng: rng.fork('fit digits'),
});
const mixture = categoricalMixture.create({ ...categoricalMixture.defaults, components: 10 }, rng.fork('mixture'));
const [stopping, held] = tf.tidy(() => [0, 175].map((from) => digits.validation.x.slice([from, 0], [175, D])));
const mixtureData = { train: digits.train, validation: { x: stopping! } };
const mixtureRun = await em(mixture, mixtureData, { iterations: budgeted(40), patience: 5, rng: rng.fork('em') });
lossCurve(classifierRun, { title: 'The classifier: −ln p(y | x)' });
lossCurve(mixtureRun, { title: 'The mixture: −ln p(x)' });

// %% id="deceive"
const { x: testX, y: testY } = digits.test;
const truth = [...testY.dataSync()];
type Noise = 'worst' | 'random' | 'worst, on ink';
const attack = yours(
  adversarial,
  (loss: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor, epsilon: number, largest: number): tf.Tensor =>
    tf.grad(loss)(x).sign().mul(epsilon).add(x).clipByValue(0, largest),
);
/** Moves pixels by epsilon: in the classifier's worst direction (by `adversarial`), at random, or only on ink. */
function changed(epsilon: number, noise: Noise): tf.Tensor {
  return tf.tidy(() => {
    const onTruth = tf.oneHot(testY as tf.Tensor1D, 10);
    const loss = (x: tf.Tensor) => tf.logSoftmax(network.apply(x)).mul(onTruth).sum().neg();
    if (noise === 'random') {
      const signs = rng.fork('signs').uniform(testX.shape).sub(0.5).sign();
      return testX.add(signs.mul(epsilon)).clipByValue(0, V - 1);
    }
    const worst = attack(loss, testX, epsilon, V - 1);
    return noise === 'worst' ? worst : worst.maximum(1).mul(testX.greater(0).toFloat());
  });
}
/** The label that the classifier gives to each image, with its probability. */
function decisions(x: tf.Tensor): { label: number; p: number }[] {
  const rows = tf.tidy(() => tf.softmax(network.apply(x)).arraySync() as number[][]);
  return rows.map((row) => ({ label: row.indexOf(Math.max(...row)), p: Math.max(...row) }));
}
const attacked = changed(2, 'worst');
const [before, after] = [decisions(testX), decisions(attacked)];
const fooled = truth.flatMap((y, n) => (before[n]!.label === y && after[n]!.label !== y ? [n] : [])).slice(0, 8);
const imagesOf = (x: tf.Tensor) => tf.tidy(() => x.arraySync() as number[][]);
imageGrid([...fooled.map((n) => imagesOf(testX)[n]!), ...fooled.map((n) => imagesOf(attacked)[n]!)], {
  height: 8,
  width: 8,
  columns: fooled.length,
  levels: V,
  titles: [before, after].flatMap((each) =>
    fooled.map((n) => `${each[n]!.label} (${(100 * each[n]!.p).toFixed(0)} %)`),
  ),
  title: `As scanned (above), and with 2 grey levels of worst noise (below): attack by adversarial, ${attack.by()}`,
});

// %% [markdown] id="deceive-text"
// What does $p(\mathbf{x})$ make of them? We let one good digit in twenty be declined, by *your* rule, with the held-out half of the validation set.

// %% id="deceive-table"
const heldOut = tf.tidy(() => tf.tensor1d([...evaluate(mixture, { x: held! }, rng).perExample]).neg()); // ln p: [175]
const rule = yours(decideOrDecline, (posterior: tf.Tensor, logP: tf.Tensor, good: tf.Tensor, alpha: number): tf.Tensor => {
  const r = good.expandDims(0).lessEqual(logP.expandDims(1)).toFloat().mean(1);
  return tf.where(r.less(alpha), tf.scalar(-1, 'int32'), posterior.argMax(1));
}); // prettier-ignore
/** Whether the rule declines each of these images, whose −ln p(x) is given. */
const declined = (x: tf.Tensor, nats: ArrayLike<number>) =>
  tf.tidy(() => {
    const logP = tf.tensor1d(Array.from(nats)).neg();
    return [...rule(tf.softmax(network.apply(x)), logP, heldOut, 0.05).dataSync()].map((decision) => decision < 0);
  });
const share = (flags: readonly boolean[]) => (100 * flags.filter(Boolean).length) / flags.length;
const kinds: readonly Noise[] = ['worst', 'random', 'worst, on ink'];
const settings = [1, 2, 4].flatMap((epsilon) => kinds.map((noise) => ({ epsilon, noise })));
const rows = [{ epsilon: 0, noise: 'worst' as Noise }, ...settings].map(({ epsilon, noise }) => {
  const x = changed(epsilon, noise);
  const answers = decisions(x);
  const { nats, perExample } = evaluate(mixture, { x }, rng);
  const odd = declined(x, perExample);
  const wrong = answers.map(({ label }, n) => label !== truth[n]);
  x.dispose();
  return {
    noise: epsilon === 0 ? 'none' : `${epsilon} ${noise}`,
    'classifier wrong, %': share(wrong),
    'its mean p(y | x)': answers.reduce((sum, { p }) => sum + p, 0) / answers.length,
    '−ln p(x), nats': nats,
    'declined, %': share(odd),
    'wrong and not declined, %': share(wrong.map((w, n) => w && !odd[n])),
  };
});
table(rows, { caption: `447 test digits, by noise in grey levels: declined by the rule, ${rule.by()}`, digits: 2 });

// %% [markdown] id="deceive-reading"
// *Worst against random.* The classifier breaks under noise in its worst direction and suffers much less from random noise of the same size. Its stated confidence is little warning: at four grey levels it is wrong about every image, and surer of itself than under random noise. The mixture knows nothing of the classifier and declines every image of both kinds, for a simple reason: much of a scan is exactly black, and noise is not. So deceptions are caught, and harmless noise with them. (Of the scans themselves fewer are declined than one in twenty: the data set is split in the order of its file, and the validation scans happen to be odder to this mixture than the test scans. A share promised for inputs of one kind holds for no other.)
//
// *On ink.* An attacker who knows that leaves black pixels black. Such images stay almost as probable as scans, few are declined, and most deceptions pass. $p(\mathbf{x})$ sees what is unusual, and shades of grey within a stroke are not. It is a second question put to an input, and no proof of safety. For large images and deep models the second question has turned out to be harder than it looks (Nalisnick and others, 2019; chapter 13).
//
// ## The axioms, and Z
//
// What makes a function a probability? It must not be negative, the whole space must have probability 1, and disjoint events add up (Kolmogorov, 1933). The first is easy, $e^{f(\mathbf{x})}$ will do for any $f$, also for a network. Additivity comes of itself once an event's probability is *defined* as the sum of $p(\mathbf{x})$ over what is in it. Only the total of 1 takes a division:
//
// $$p(\mathbf{x}) = \frac{e^{f(\mathbf{x})}}{Z}, \qquad Z = \sum_{\mathbf{x}} e^{f(\mathbf{x})} \quad\text{or}\quad Z = \int e^{f(\mathbf{x})}\, d\mathbf{x}.$$
//
// The sum runs over **all possible** images, not over those in the data set. For $D$ binary pixels there are $2^D$ of them.
//
// ### Exercise: the partition function
//
// The simplest $f$ in which pixels know of each other has a weight for every pixel and one for every pair (a **Boltzmann machine** without hidden units; with pairs of neighbours only, the **Ising model** of physics; in general a pairwise **Markov random field**, as drawn with undirected edges, where a **Bayesian network** such as chapter 4's has directed ones and needs no $Z$),
//
// $$f(\mathbf{x}) = \sum_d b_d x_d + \sum_{d < e} J_{de}\, x_d x_e, \qquad \mathbf{x} \in \{0, 1\}^D,$$
//
// with $\mathbf{J}$ symmetric and 0 on its diagonal, so that the second sum is $\frac12 \mathbf{x}^\top \mathbf{J}\, \mathbf{x}$. Enumerate all patterns and compute $\ln Z$.

// %% id="log-partition"
/**
 * ln Σ_x exp(b·x + ½ xᵀ J x) over all x in {0, 1}^D.
 * @param b [D], D at most 16 @param J [D, D], symmetric, 0 on the diagonal @returns a scalar []
 */
function logPartition(b: tf.Tensor, J: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION why.logPartition
  const D = b.shape[0]!;
  const bits = Float32Array.from({ length: 2 ** D * D }, (_, i) => (Math.floor(i / D) >> (i % D)) & 1);
  const x = tf.tensor2d(bits, [2 ** D, D]);
  const pairs = x.matMul(J).mul(x).sum(1).mul(0.5); // [2^D]
  return logSumExp(x.mul(b).sum(1).add(pairs), 0); // []
  // END SOLUTION
}

// %% id="check-log-partition"
await check('why.logPartition', logPartition);

// %% [markdown] id="chain-text"
// ### Derive: Z of a chain
//
// Suppose pixels know only of their neighbours in a row, $f(\mathbf{x}) = \sum_{d=1}^{D} b_d x_d + \sum_{d=1}^{D-1} J_d\, x_d x_{d+1}$. There are $2^D$ patterns still, but $Z$ can be had in about $D$ steps. Find out how: in which terms does $x_1$ occur, and what is left once it has been summed out? No formula is given. Plain numbers in, a plain number out; and stay on the log scale.

// %% id="chain-log-partition"
/**
 * ln Z of a chain of D pixels, in O(D) steps.
 * @param b weight of each pixel [D] @param J weight of each pair of neighbours, of d and d + 1 [D − 1]
 */
function chainLogPartition(b: readonly number[], J: readonly number[]): number {
  // BEGIN SOLUTION why.chainLogPartition
  const add = (p: number, q: number): number => {
    const largest = Math.max(p, q);
    return largest + Math.log(Math.exp(p - largest) + Math.exp(q - largest));
  };
  let [off, on] = [0, b[0]!]; // ln of the sum over all pixels before d, where x_d is 0, and where it is 1
  for (let d = 1; d < b.length; d++) [off, on] = [add(off, on), add(off, on + J[d - 1]!) + b[d]!];
  return add(off, on);
  // END SOLUTION
}

// %% id="check-chain-log-partition"
await check('why.chainLogPartition', chainLogPartition);

// %% [markdown] id="curse"
// ## The curse of dimension
//
// One could do without formulas: count. With enough data the share of each pattern is its probability. Here is how far counting goes on the digits, made black and white at grey level 8: of the 447 test images, how many show a pattern in their $d$ middle pixels that occurs among the 1,000 training images at all?

// %% id="curse-picture"
const middle = Array.from({ length: D }, (_, i) => i).sort((a, b) => fromCentre(a) - fromCentre(b));
function fromCentre(pixel: number): number {
  return (Math.floor(pixel / 8) - 3.5) ** 2 + ((pixel % 8) - 3.5) ** 2;
}
const black = (x: tf.Tensor) => imagesOf(x).map((row) => middle.map((pixel) => (row[pixel]! >= 8 ? 1 : 0)));
const [known, unknown] = [black(digits.train.x), black(testX)];
const sizes = Array.from({ length: D }, (_, i) => i + 1);
const seen = sizes.map((d) => {
  const patterns = new Set(known.map((row) => row.slice(0, d).join('')));
  return share(unknown.map((row) => patterns.has(row.slice(0, d).join(''))));
});
figure(
  { x: sizes, y: seen, mode: 'lines', name: 'seen' },
  {
    title: 'Test digits whose d middle pixels occur in training',
    xaxis: { title: 'd, of 64 binary pixels' },
    yaxis: { title: '%', range: [0, 105] },
  },
);
table(
  [4, 9, 16, 25, 36, 64].map((d) => ({
    d,
    'possible patterns': (2 ** d).toExponential(1),
    'different ones in training': new Set(known.map((row) => row.slice(0, d).join(''))).size,
    'of the test digits seen, %': seen[d - 1]!,
  })),
  { caption: 'Counting patterns', digits: 1 },
);

// %% [markdown] id="curse-reading"
// For all 64 pixels nearly every new image is a new pattern, and counting calls it impossible. More data would not help: the number of patterns doubles with every pixel. What helps is an assumption that ties patterns together, which is what a family of models is.
//
// ## Tractable against flexible
//
// Assumptions cost flexibility, flexibility costs $Z$. Four models of the 14 middle pixels, which have $2^{14} = 16{,}384$ patterns, few enough to sum: independent pixels, whose $Z$ is a product; pairs as above, whose $Z$ is a sum over all patterns in every training step; a mixture, which needs no $Z$; and a table of all patterns with $\alpha$ imaginary examples each, which assumes nothing. As the mixture's training is stopped by the validation set, that set chooses $\alpha$, too.

// %% id="tractable"
const few = 14;
const part = (x: tf.Tensor) => ({ x: tf.tensor2d(black(x).map((row) => row.slice(0, few))) });
const world = { train: part(digits.train.x), validation: part(digits.validation.x) };
const worldTest = part(testX);
const all = tf.tensor2d(
  Array.from({ length: 2 ** few }, (_, n) => Array.from({ length: few }, (_, d) => (n >> d) & 1)),
);
const upper = tf.tidy(() => tf.linalg.bandPart(tf.ones([few, few]), 0, -1).sub(tf.eye(few))); // above the diagonal

/** p(x) ∝ exp(Σ b x + Σ_{d<e} J x x), with Z by enumeration. */
function pairwise(): GenerativeModel & { readonly b: tf.Variable; readonly J: tf.Variable } {
  const [b, J] = [constantWeight([few], 0), constantWeight([few, few], 0)];
  const f = (x: tf.Tensor) => x.matMul(J.mul(upper)).mul(x).sum(1).add(x.mul(b).sum(1)); // [B]
  const logProb = (x: tf.Tensor) => f(x).sub(logSumExp(f(all), 0)); // [B]
  return {
    b,
    J,
    eventShape: [few],
    likelihood: { kind: 'exact', logProb },
    objectives: [{ name: 'nll', estimates: 'nll', variables: [b, J], loss: ({ x }) => logProb(x).mean().neg() }],
    sample: () => {
      throw new Error('sampling from a model with pairs takes a Markov chain: chapter 14');
    },
  };
}
const pairs = pairwise();
const pairsRun = await fit(pairs, world, {
  epochs: budgeted(60),
  batchSize: 100,
  optimiser: adam(0.03),
  patience: 10,
  rng: rng.fork('fit pairs'),
});
const small = categoricalMixture.create(
  { ...categoricalMixture.defaults, eventShape: [few], values: 2, components: 8 },
  rng.fork('small'),
);
const smallRun = await em(small, world, { iterations: budgeted(60), patience: 10, rng: rng.fork('em small') });
const key = (row: readonly number[]) => row.reduce((sum, bit, d) => sum + bit * 2 ** d, 0);
const counts = new Float64Array(2 ** few);
for (const row of imagesOf(world.train.x)) counts[key(row)]! += 1;
const countedNats = (x: tf.Tensor, alpha: number) => {
  const nats = imagesOf(x).map((row) => -Math.log((counts[key(row)]! + alpha) / (1000 + alpha * 2 ** few)));
  return nats.reduce((a, b) => a + b) / nats.length;
};
const [alpha] = [0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2].sort((a, b) => countedNats(world.validation.x, a) - countedNats(world.validation.x, b)) as [number, ...number[]]; // prettier-ignore
const tableNats = countedNats(worldTest.x, alpha);
table(
  [
    {
      model: 'independent pixels',
      parameters: few,
      nats: evaluate(histogramBaseline(world.train, 2), worldTest, rng).nats,
      'Z by': 'product',
    },
    {
      model: 'pairs',
      parameters: few + (few * (few - 1)) / 2,
      nats: evaluate(pairs, worldTest, rng).nats,
      'Z by': `${2 ** few} terms a step`,
      'training, ms': pairsRun.milliseconds,
    },
    {
      model: 'mixture, K = 8',
      parameters: 7 + 8 * few,
      nats: evaluate(small, worldTest, rng).nats,
      'Z by': 'construction',
      'training, ms': smallRun.milliseconds,
    },
    { model: `table of all patterns, α = ${alpha}`, parameters: 2 ** few - 1, nats: tableNats, 'Z by': 'counting' },
  ],
  { caption: 'Fourteen pixels of the test digits', digits: 2 },
);
const lnZ = yours(logPartition, (b: tf.Tensor, J: tf.Tensor): tf.Tensor =>
  logSumExp(all.matMul(J).mul(all).sum(1).mul(0.5).add(all.mul(b).sum(1)), 0),
);
const ownPairs = tf.tidy(() => {
  const J = pairs.J.mul(upper).add(pairs.J.mul(upper).transpose()); // [few, few], symmetric
  const f = worldTest.x.matMul(J).mul(worldTest.x).sum(1).mul(0.5).add(worldTest.x.mul(pairs.b).sum(1)); // [B]
  return lnZ(pairs.b, J).sub(f.mean()).dataSync()[0]!; // the mean of −ln p
});
table([{ 'nats of the pairs': ownPairs, 'ln Z by logPartition': lnZ.by() }], {
  caption: 'The trained pairs once more, with the mean of f and one ln Z',
  digits: 2,
});

// %% [markdown] id="tractable-reading"
// The independent model is too stiff. The table of all patterns assumes nothing, and with its $\alpha$ from the validation set it is about level with the mixture: a thousand examples still go some way among $2^{14}$ patterns, most of which never occur. The pairs are the best of the four, and pay for it in $Z$. The families of this course differ in how they avoid that bill: autoregressive models (chapter 5), flows (6), circuits (4) and mixtures (3) sum to 1 by construction; variational autoencoders (8) settle for a bound; diffusion and score models (11, 12) learn a gradient, from which $Z$ drops out; energy-based models (14) sample; GANs (15) do without $p(\mathbf{x})$.
//
// ## The bug to find
//
// In one or two dimensions one can put $f$ on a grid and normalise numerically, and many pictures of densities are made that way. The function below is how. Its numbers are positive, and their sum is 1. A published tutorial shows a density made in the same spirit whose area is not 1, and a reader asked why.
//
// ### Exercise: repair it
//
// The picture after it draws what the function returns for a standard normal, on grids of three widths, and states the areas. Look at it before you change anything. What is the unit of a density, and which one has the number that the code returns?

// %% id="grid-density"
/**
 * The density p(x) = exp f(x) / Z on an evenly spaced grid, with Z = ∫ exp f dx as the sum of the grid's cells.
 * @param f [G] @param step distance of neighbouring grid points @returns [G], densities: probability per unit of x
 */
function gridDensity(f: tf.Tensor, step: number): tf.Tensor {
  // BEGIN SOLUTION why.gridDensity
  // The code that was given returns tf.softmax(f): the probability of each cell. Divided by the cell's width it is a
  // density; without that, a finer grid gives a lower curve.
  return tf.softmax(f).div(step); // [G]
  // END SOLUTION
  // BEGIN GIVEN
  // const unnormalised = f.sub(f.max()).exp(); // [G]
  // return unnormalised.div(unnormalised.sum()); // [G]
  // END GIVEN
}

// %% id="grid-density-picture"
const curves = [1, 0.5, 0.1].map((step) => {
  const x = Array.from({ length: Math.round(10 / step) + 1 }, (_, i) => -5 + i * step);
  const y = tf.tidy(() => [...gridDensity(tf.tensor1d(x).square().mul(-0.5), step).dataSync()]);
  return { x, y, step, area: y.reduce((sum, p) => sum + p * step, 0) };
});
figure(
  curves.map(({ x, y, step, area }) => ({ x, y, mode: 'lines', name: `step ${step}: area ${area.toFixed(2)}` })),
  { title: 'A standard normal, by your function', xaxis: { title: 'x' }, yaxis: { title: 'density' } },
);

// %% id="check-grid-density"
await check('why.gridDensity', gridDensity);

// %% [markdown] id="costs"
// ## What it costs
//
// $\ln Z$ of the model with pairs, by enumeration, measured on this machine and extrapolated, beside *your* chain, which is measured at every size: the time doubles with every pixel, so the last three measurements give the next ones. For 64 binary pixels it is far beyond anybody's patience, and for our digits with 17 grey levels each there are $17^{64}$ terms.

// %% id="measure-costs"
/** Seconds for ln Z of D pixels, in pieces of 2^12 patterns so that memory stays flat. */
function timeOf(pixels: number): number {
  const [b, J] = [rng.fork('b').normal([pixels]), rng.fork('J').normal([pixels, pixels])];
  const piece = Math.min(2 ** pixels, 2 ** 12);
  const started = performance.now();
  const parts = Array.from({ length: 2 ** pixels / piece }, (_, i) =>
    tf.tidy(() => {
      const bits = Float32Array.from(
        { length: piece * pixels },
        (_, at) => ((i * piece + Math.floor(at / pixels)) >> (at % pixels)) & 1,
      );
      const x = tf.tensor2d(bits, [piece, pixels]);
      return logSumExp(x.matMul(J).mul(x).sum(1).mul(0.5).add(x.mul(b).sum(1)), 0).dataSync()[0]!;
    }),
  );
  const largest = Math.max(...parts);
  const logZ = largest + Math.log(parts.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  if (!Number.isFinite(logZ)) throw new Error('ln Z is not finite');
  tf.dispose([b, J]);
  return (performance.now() - started) / 1000;
}
timeOf(12); // the first call of anything is slower
const pixels = [8, 10, 12, 14, 16, 18];
const times = pixels.map(timeOf);
const perPattern = times.slice(-3).reduce((sum, seconds, i) => sum + seconds / 2 ** pixels[i + 3]!, 0) / 3;
const further = [18, 24, 32, 40, 48, 56, 64];
const chainZ = yours(chainLogPartition, (b: readonly number[], J: readonly number[]): number =>
  b.slice(1).reduce(
    ([off, on], weight, d) => {
      const sum = (p: number, q: number) => Math.max(p, q) + Math.log1p(Math.exp(-Math.abs(p - q)));
      return [sum(off!, on!), sum(off!, on! + J[d]!) + weight];
    },
    [0, b[0]!],
  ).reduce((p, q) => Math.max(p, q) + Math.log1p(Math.exp(-Math.abs(p - q)))),
); // prettier-ignore
/** Seconds for ln Z of a chain, the mean of a hundred. */
function timeOfChain(size: number): number {
  const [b, J] = [rng.fork('b').normal([size]), rng.fork('J').normal([size])].map((t) => [...t.dataSync()]) as [number[], number[]]; // prettier-ignore
  chainZ(b, J.slice(1)); // the first call of anything is slower
  const started = performance.now();
  for (let i = 0; i < 100; i++) chainZ(b, J.slice(1));
  return (performance.now() - started) / 100 / 1000;
}
const chainSizes = [8, 16, 32, 64];
const chainTimes = chainSizes.map(timeOfChain);
figure(
  [
    { x: pixels, y: times, mode: 'markers', name: 'measured', marker: { size: 9 } },
    {
      x: further,
      y: further.map((d) => perPattern * 2 ** d),
      mode: 'lines',
      name: 'extrapolated',
      line: { dash: 'dot' },
    },
    { x: chainSizes, y: chainTimes, mode: 'markers+lines', name: `a chain, ${chainZ.by()}`, marker: { size: 9 } },
  ],
  {
    title: 'ln Z by enumeration, and of a chain',
    xaxis: { title: 'D, binary pixels' },
    yaxis: { title: 'seconds', type: 'log' },
  },
);
table(
  [12, 18, 24, 32, 64].map((d) => {
    const seconds = pixels.includes(d) ? times[pixels.indexOf(d)]! : perPattern * 2 ** d;
    return {
      D: d,
      patterns: (2 ** d).toExponential(1),
      seconds: seconds.toExponential(1),
      years: (seconds / 31_557_600).toExponential(1),
      measured: pixels.includes(d),
    };
  }),
  { caption: 'Time for one ln Z' },
);

// %% [markdown] id="failures"
// ## Where it fails
//
// **A low $p(\mathbf{x})$ is not "wrong", a high one is not "right".** The rule declines what is rare under the *model*, and a model that looks at the wrong things is content with nonsense.
//
// ### Predict: what a model finds odd
//
// The table below has the mean $-\ln p$ of the test digits under two models, the histogram of each pixel by itself and the mixture; of the same digits *shuffled*, so that each pixel comes from another scan (all of pixel 0 are dealt out anew among the images, then all of pixel 1, …); and of the all-black image. *Before* you run it: which is odder than the digits (1), which less odd (−1), and which exactly as odd (0)?

// %% id="oddness"
type Case = 'shuffled, histogram' | 'shuffled, mixture' | 'all black, histogram';

/** The sign of: mean −ln p of these images, less that of the test digits, under this model. */
function oddness(which: Case): -1 | 0 | 1 {
  // BEGIN SOLUTION why.oddness
  const signs: Readonly<Record<Case, -1 | 0 | 1>> = {
    'shuffled, histogram': 0, // a sum over pixels, and each pixel has only changed places with others of its kind
    'shuffled, mixture': 1, // which pixels go together is all that it knows besides
    'all black, histogram': -1, // the most frequent value of nearly every pixel
  };
  return signs[which];
  // END SOLUTION
}

// %% id="failure"
const histogram = histogramBaseline(digits.train, V);
const shuffled = tf.tidy(() => {
  const columns = tf.unstack(testX, 1).map((column, d) => {
    const order = rng.fork(`pixel ${d}`).uniform([truth.length]);
    return tf.gather(column, tf.topk(order, truth.length).indices);
  });
  return tf.stack(columns, 1); // every pixel from another image
});
table(
  [
    { input: 'test digits', x: testX },
    { input: 'each pixel from another test digit', x: shuffled },
    { input: 'all black', x: tf.zeros([1, D]) },
    { input: 'the mean digit, rounded', x: tf.tidy(() => digits.train.x.mean(0, true).round()) },
  ].map(({ input, x }) => {
    const nats = (model: GenerativeModel) => evaluate(model, { x }, rng);
    return {
      input,
      'histogram, nats': nats(histogram).nats,
      'mixture, nats': nats(mixture).nats,
      'declined by the mixture, %': share(declined(x, nats(mixture).perExample)),
    };
  }),
  { caption: '−ln p(x) of inputs that are no scans', digits: 1 },
);

// %% id="check-oddness"
await check('why.oddness', oddness);

// %% [markdown] id="typical"
// **The most probable image need not look like one.** The all-black image has no digit on it. The histogram prefers it to the digits that it was counted from, and the mixture does not decline it. Draws from a model of many dimensions do not lie where $p$ is largest. They lie where $-\ln p(\mathbf{x})$ is near its mean, the entropy: the **typical set**, in which each image is less probable than the one at the peak, but which has nearly all the probability, because there are so many of them. What is too probable is odd as well, and the rule above, which asks only about one side, does not see it.
//
// **Five things can go wrong** with any such model, and the lecture names them as challenges: keeping its computations tractable; finding the kind of model that suits the data; optimising its parameters; knowing whether they are good where the likelihood is out of reach; and drawing samples, inferring what is hidden, and representing. The rest of the course is about them.

// %% [markdown] id="sources"
// ### Sources
//
// J. Tomczak, *Deep Generative Modeling* (2024), chapter 1. V. Vapnik, *Statistical Learning Theory* (1998). A. Ng, M. Jordan, *On discriminative vs. generative classifiers: a comparison of logistic regression and naive Bayes*, NIPS 14 (2002). C. Szegedy, W. Zaremba, I. Sutskever, J. Bruna, D. Erhan, I. Goodfellow, R. Fergus, *Intriguing properties of neural networks*, ICLR 2014. I. Goodfellow, J. Shlens, C. Szegedy, *Explaining and harnessing adversarial examples*, ICLR 2015. E. Nalisnick, A. Matsukawa, Y. W. Teh, D. Gorur, B. Lakshminarayanan, *Do deep generative models know what they don't know?*, ICLR 2019. A. Kolmogorov, *Grundbegriffe der Wahrscheinlichkeitsrechnung* (1933). E. Gavves, *Introduction to Deep Generative Models* (University of Amsterdam, Deep Learning 2). The bug: issue 57 of phlippe/uvadlc_notebooks (github.com).
