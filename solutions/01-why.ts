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
import { check, NotWritten } from 'grader';
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
    [0, 'rgba(128,128,128,0)'],
    [1, 'rgba(128,128,128,0.75)'],
  ];
  return [
    {
      type: 'contour',
      x: ticks,
      y: ticks,
      z,
      colorscale: greys,
      showscale: false,
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
    xaxis: { domain: [0, 0.47], title: 'dark: p(blue | x) near 1' },
    xaxis2: { domain: [0.53, 1], title: 'dark: p(x) near its peak', anchor: 'y2' },
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
// The far point lies on the blue side of the boundary, far from it, and so the classifier is surer of it than of many points it was trained on. Nothing in $p(y\mid\mathbf{x})$ can say otherwise: it sums to 1 over the labels wherever $\mathbf{x}$ lies. $p(\mathbf{x})$ says that such a point does not occur. Five uses follow from that alone (Tomczak, 2024, section 1.1): has it been seen before? how far may the decision be trusted? what is uncertain about the surroundings? which example should a person label next? and what does a new one look like?
//
// There is a case against it. "One should solve the problem directly and never solve a more general problem as an intermediate step" (Vapnik, 1998, in the words of Ng and Jordan, 2002): who only wants labels, for inputs that are sure to be of the known kind, is served with less by a classifier. The rest of this chapter is about inputs that are not.
//
// ### Exercise: the decision
//
// Write Bayes' rule for $B$ inputs and $K$ classes, from $a_{bk} = \ln p(\mathbf{x}_b \mid y = k)$ and the log-frequencies $\ln p(y = k)$:
//
// $$p(\mathbf{x}) = \sum_k p(\mathbf{x}\mid k)\, p(k), \qquad p(k \mid \mathbf{x}) = \frac{p(\mathbf{x}\mid k)\, p(k)}{p(\mathbf{x})}.$$
//
// Return both, the first one as a logarithm. `logSumExp(x, axis)` from the library does not underflow.

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

// %% [markdown] id="decline-exercise"
// ### Exercise: decide or decline
//
// A number such as $-\ln p(\mathbf{x}) = 40$ says little by itself. Compared with inputs known to be good it says a lot: let $r(\mathbf{x})$ be the share of $N$ held-out inputs whose $\ln p$ is **at most** that of $\mathbf{x}$. A good input is odder than a share $\alpha$ of them about that often. So decline where $r(\mathbf{x}) < \alpha$, and otherwise take the most probable class; this wrongly declines about a share $\alpha$ of good inputs, whatever $p$ is, as long as they come from where the held-out ones came from.

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
// Now on the digits. A network with one hidden layer learns $p(y \mid \mathbf{x})$, a mixture of ten tables learns $p(\mathbf{x})$ (chapter 3). Neither sees the other, and the mixture sees no labels.

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
const mixtureRun = await em(mixture, digits, { iterations: budgeted(40), patience: 5, rng: rng.fork('em') });
lossCurve(classifierRun, { title: 'The classifier: −ln p(y | x)' });
lossCurve(mixtureRun, { title: 'The mixture: −ln p(x)' });

// %% id="deceive"
const { x: testX, y: testY } = digits.test;
const truth = [...testY.dataSync()];
type Noise = 'worst' | 'random' | 'worst, on ink';
/** Moves pixels by epsilon: in the classifier's worst direction, at random, or only those that are not black. */
function changed(epsilon: number, noise: Noise): tf.Tensor {
  return tf.tidy(() => {
    const onTruth = tf.oneHot(testY as tf.Tensor1D, 10);
    const loss = (x: tf.Tensor) => tf.logSoftmax(network.apply(x)).mul(onTruth).sum().neg();
    const direction = noise === 'random' ? rng.fork('signs').uniform(testX.shape).sub(0.5) : tf.grad(loss)(testX);
    const step = direction.sign().mul(epsilon);
    const ink = testX.greater(0).toFloat();
    return noise === 'worst, on ink'
      ? testX
          .add(step)
          .clipByValue(1, V - 1)
          .mul(ink)
      : testX.add(step).clipByValue(0, V - 1);
  });
}
/** The label that the classifier gives to each image, with its probability. */
function decisions(x: tf.Tensor): { label: number; p: number }[] {
  const rows = tf.tidy(() => tf.softmax(network.apply(x)).arraySync() as number[][]);
  return rows.map((row) => ({ label: row.indexOf(Math.max(...row)), p: Math.max(...row) }));
}
const three = changed(3, 'worst');
const [before, after] = [decisions(testX), decisions(three)];
const fooled = truth.flatMap((y, n) => (before[n]!.label === y && after[n]!.label !== y ? [n] : [])).slice(0, 8);
const imagesOf = (x: tf.Tensor) => tf.tidy(() => x.arraySync() as number[][]);
imageGrid([...fooled.map((n) => imagesOf(testX)[n]!), ...fooled.map((n) => imagesOf(three)[n]!)], {
  height: 8,
  width: 8,
  columns: fooled.length,
  levels: V,
  titles: [before, after].flatMap((each) =>
    fooled.map((n) => `${each[n]!.label} (${(100 * each[n]!.p).toFixed(0)} %)`),
  ),
  title: 'As scanned (above), and with 3 grey levels of worst noise (below)',
});

// %% [markdown] id="deceive-text"
// What does $p(\mathbf{x})$ make of them? We let one good digit in twenty be declined, by the rule above with the validation set as held-out inputs.

// %% id="deceive-table"
const heldOut = evaluate(mixture, digits.validation, rng).perExample;
/** Whether x is odder than all but one in twenty of the held-out digits, for each image. */
const declined = (nats: ArrayLike<number>) =>
  Array.from(nats, (v) => heldOut.filter((held) => held >= v).length / heldOut.length < 0.05);
const share = (flags: readonly boolean[]) => (100 * flags.filter(Boolean).length) / flags.length;
const kinds: readonly Noise[] = ['worst', 'random', 'worst, on ink'];
const settings = [1, 2, 4].flatMap((epsilon) => kinds.map((noise) => ({ epsilon, noise })));
const rows = [{ epsilon: 0, noise: 'worst' as Noise }, ...settings].map(({ epsilon, noise }) => {
  const x = changed(epsilon, noise);
  const answers = decisions(x);
  const { nats, perExample } = evaluate(mixture, { x }, rng);
  const odd = declined(perExample);
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
table(rows, { caption: '447 test digits, by noise in grey levels', digits: 2 });

// %% [markdown] id="deceive-reading"
// *Worst against random.* The classifier breaks under noise in its worst direction and suffers much less from random noise of the same size. Its stated confidence is little warning: at four grey levels it is wrong about every image, and surer of itself than under random noise. The mixture knows nothing of the classifier and declines every image of both kinds, for a simple reason: much of a scan is exactly black, and noise is not. So deceptions are caught, and harmless noise with them. (Of the scans themselves fewer are declined than one in twenty: the data set is split in the order of its file, and the validation scans happen to be odder to this mixture than the test scans. A share promised for inputs of one kind holds for no other.)
//
// *On ink.* An attacker who knows that leaves black pixels black. Such images stay almost as probable as scans, few are declined, and most deceptions pass. $p(\mathbf{x})$ sees what is unusual, and shades of grey within a stroke are not. It is a second question put to an input, and no proof of safety. For large images and deep models the second question has turned out to be harder than it looks (Nalisnick and others, 2019; chapter 13).
//
// ## The axioms, and Z
//
// What makes a function a probability? It must not be negative, the whole space must have probability 1, and disjoint events add up (Kolmogorov, 1933). The first is easy, $e^{f(\mathbf{x})}$ will do for any $f$, also for a network. The other two take a division:
//
// $$p(\mathbf{x}) = \frac{e^{f(\mathbf{x})}}{Z}, \qquad Z = \sum_{\mathbf{x}} e^{f(\mathbf{x})} \quad\text{or}\quad Z = \int e^{f(\mathbf{x})}\, d\mathbf{x}.$$
//
// The sum runs over **all possible** images, not over those in the data set. For $D$ binary pixels there are $2^D$ of them.
//
// ### Exercise: the partition function
//
// The simplest $f$ in which pixels know of each other has a weight for every pixel and one for every pair,
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
// Assumptions cost flexibility, flexibility costs $Z$. Four models of the 14 middle pixels, which have $2^{14} = 16{,}384$ patterns, few enough to sum: independent pixels, whose $Z$ is a product; pairs as above, whose $Z$ is a sum over all patterns in every training step; a mixture, which needs no $Z$; and a table of all patterns with 0.1 imaginary examples each, which assumes nothing.

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
const tableNats = imagesOf(worldTest.x)
  .map((row) => -Math.log((counts[key(row)]! + 0.1) / (1000 + 0.1 * 2 ** few)))
  .reduce((sum, nats) => sum + nats / truth.length, 0);
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
    { model: 'table of all patterns', parameters: 2 ** few - 1, nats: tableNats, 'Z by': 'counting' },
  ],
  { caption: 'Fourteen pixels of the test digits', digits: 2 },
);

// %% [markdown] id="tractable-reading"
// The independent model is too stiff, the table too loose for 1,000 examples, and the two between them are better than both. Pairs do well and pay for $Z$. The families of this course differ in how they avoid that bill: autoregressive models (chapter 5), flows (6), circuits (4) and mixtures (3) sum to 1 by construction; variational autoencoders (8) settle for a bound; diffusion and score models (11, 12) learn a gradient, from which $Z$ drops out; energy-based models (14) sample; GANs (15) do without $p(\mathbf{x})$.
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
// $\ln Z$ of the model with pairs, by enumeration, measured on this machine and extrapolated: the time doubles with every pixel, so the last three measurements give the next ones. For 64 binary pixels it is far beyond anybody's patience, and for our digits with 17 grey levels each there are $17^{64}$ terms.

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
  ],
  { title: 'ln Z by enumeration', xaxis: { title: 'D, binary pixels' }, yaxis: { title: 'seconds', type: 'log' } },
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
// **A low $p(\mathbf{x})$ is not "wrong", a high one is not "right".** The rule declines what is rare under the *model*, and a model that looks at the wrong things is content with nonsense. Take images each of whose pixels comes from another scan. To the histogram of single pixels they are, on average, exactly as good as the scans: its mean is a sum over pixels, and each pixel has only changed places with others of its kind. The mixture sees through some of it.
//
// **The most probable image need not look like one.** The all-black image has no digit on it. The histogram prefers it to the digits that it was counted from, and the mixture does not decline it.
//
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
      'declined by the mixture, %': share(declined(nats(mixture).perExample)),
    };
  }),
  { caption: '−ln p(x) of inputs that are no scans', digits: 1 },
);

// %% [markdown] id="sources"
// ### Sources
//
// J. Tomczak, *Deep Generative Modeling* (2024), chapter 1. V. Vapnik, *Statistical Learning Theory* (1998). A. Ng, M. Jordan, *On discriminative vs. generative classifiers: a comparison of logistic regression and naive Bayes*, NIPS 14 (2002). C. Szegedy, W. Zaremba, I. Sutskever, J. Bruna, D. Erhan, I. Goodfellow, R. Fergus, *Intriguing properties of neural networks*, ICLR 2014. I. Goodfellow, J. Shlens, C. Szegedy, *Explaining and harnessing adversarial examples*, ICLR 2015. E. Nalisnick, A. Matsukawa, Y. W. Teh, D. Gorur, B. Lakshminarayanan, *Do deep generative models know what they don't know?*, ICLR 2019. A. Kolmogorov, *Grundbegriffe der Wahrscheinlichkeitsrechnung* (1933). E. Gavves, *Introduction to Deep Generative Models* (University of Amsterdam, Deep Learning 2). The bug: issue 57 of phlippe/uvadlc_notebooks (github.com).
