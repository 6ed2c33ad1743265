// %% [markdown] id="title"
// # 7 Integer flows
//
// Pixels are integers. The flows of chapter 6 work on real numbers, so integers have to be blurred by noise first, and what comes out is a bound. An **integer discrete flow** stays on the integers $\mathbb{Z}^D$: a bijection $f : \mathbb{Z}^D \to \mathbb{Z}^D$ takes a picture to a list of integers that is easier to describe, and
//
// $$p(\mathbf{x}) = p_z(f(\mathbf{x})).$$
//
// Where is the Jacobian? A density has to pay when $f$ stretches space. A probability of a *point* does not: a bijection of a countable set only gives the points new names. So the likelihood is exact, the network inside $f$ may be anything, and $f$ runs both ways without loss. This is what a lossless compressor wants (chapter 16).
//
// The price: integers have no slopes. Everything that can go wrong here comes from that. By the end of this chapter you have built both kinds of integer flow, measured what a made-up gradient costs, learnt where such flows fail, and repaired a published model whose likelihood was none. Everything printed below was computed by running this file (`npm run solutions -- 07`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adamW,
  baselines,
  bitsPerDim,
  budgeted,
  card,
  createRng,
  detach,
  evaluate,
  figure,
  fit,
  fullBudget,
  histogramBaseline,
  imageGrid,
  integerFlow,
  integerSteps,
  isingSource,
  ladder,
  load,
  logDiscretisedLogistic,
  logSumExp,
  lossCurve,
  markovSource,
  roundThrough,
  rungsOf,
  table,
  tableSource,
  totalProbability,
  type FitResult,
  type GenerativeModel,
  type IntegerFlowConfig,
  type IntegerFlowModel,
  type Rng,
} from 'dgm';

const rng = createRng(7); // the one seed of this chapter: change it and every number moves a little
const digits = load('digits');
const V = digits.values; // 17 grey levels

// %% [markdown] id="why"
// ## Why rename the points
//
// Below, points of $\mathbb{Z}^2$ on a curved band. The second coordinate depends on the first, so no product $p(x_1)\,p(x_2)$ describes them. Now move each point up or down by an integer that its *first* coordinate decides, $z_2 = x_2 - \operatorname{round}(x_1^2 / 12)$. The band is straight, its coordinates are independent, and nothing was lost: $x_1$ is still there, so the move can be undone. Colours are probabilities; a point takes its colour with it.

// %% id="why-picture"
const bandLogP = (a: number, b: number) =>
  tf.tidy(
    () =>
      logDiscretisedLogistic(tf.tensor1d([a, b]), tf.tensor1d([0, 0]), tf.tensor1d([Math.log(4), Math.log(0.7)]))
        .sum()
        .dataSync()[0]!,
  );
const bend = (a: number) => Math.round((a * a) / 12);
const line = Array.from({ length: 25 }, (_, i) => i - 12);
const bandPoints = line.flatMap((a) => [-3, -2, -1, 0, 1, 2, 3].map((b) => ({ a, b, p: Math.exp(bandLogP(a, b)) })));
const dots = (y: readonly number[], axis: string) => ({
  mode: 'markers' as const,
  x: bandPoints.map(({ a }) => a),
  y: [...y],
  xaxis: `x${axis}`,
  yaxis: `y${axis}`,
  marker: { size: 8, color: bandPoints.map(({ p }) => Math.sqrt(p)), colorscale: 'Blues', reversescale: true },
  hoverinfo: 'skip' as const,
});
figure(
  [
    dots(
      bandPoints.map(({ a, b }) => b + bend(a)),
      '',
    ),
    dots(
      bandPoints.map(({ b }) => b),
      '2',
    ),
  ],
  {
    title: 'Data x (left), and the same points as latents z = f(x) (right)',
    showlegend: false,
    grid: { rows: 1, columns: 2, pattern: 'independent' },
    xaxis: { title: { text: 'x₁' } },
    yaxis: { title: { text: 'x₂' }, range: [-5, 17] },
    xaxis2: { title: { text: 'z₁' } },
    yaxis2: { title: { text: 'z₂' }, range: [-5, 17] },
  },
  { height: 340, alt: 'Integer points on a curved band, and the same points moved onto a straight one' },
);

// %% [markdown] id="family"
// ## 1 Family
//
// **The prior** $p_z$ is a distribution over *all* integers. Take a logistic with mean $\mu$ and scale $s$, whose distribution function is $\sigma((x - \mu)/s)$ with $\sigma(x) = 1 / (1 + e^{-x})$, and give every integer the mass around it:
//
// $$p(x) = \sigma(b) - \sigma(a), \qquad a = \frac{x - \tfrac12 - \mu}{s}, \quad b = \frac{x + \tfrac12 - \mu}{s}.$$
//
// The cells tile the line, so this sums to 1 over $\mathbb{Z}$ exactly. (PixelCNN++ lets the first and the last grey level swallow the tails; here there is no first and no last.)
//
// ### Exercise: a mass that does not vanish
//
// Thirty scales above the mean, $\sigma(b)$ and $\sigma(a)$ are both 1 in float32, and the logarithm of their difference is $-\infty$. Put both over a common denominator:
//
// $$\sigma(b) - \sigma(a) = \frac{e^{-a} - e^{-b}}{(1 + e^{-a})(1 + e^{-b})} = \sigma(b)\,\sigma(-a)\,\bigl(1 - e^{a - b}\bigr), \qquad b - a = 1/s.$$
//
// No term of the product cancels. `tf.logSigmoid` is $\ln \sigma$, and `tf.expm1(h)` is $e^h - 1$ without loss for small $h$.

// %% id="logistic-mass"
/**
 * ln of the mass of a discretised logistic, elementwise.
 * @param x integers @param mu the same shape, or one that broadcasts @param logScale ln s, likewise
 */
function logMass(x: tf.Tensor, mu: tf.Tensor, logScale: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION integerFlow.logisticMass
  const s = logScale.exp();
  const a = x.sub(0.5).sub(mu).div(s);
  const b = x.add(0.5).sub(mu).div(s);
  const cell = tf.expm1(tf.div(-1, s)).neg().log(); // ln (1 − e^(−1/s))
  return tf.logSigmoid(b).add(tf.logSigmoid(a.neg())).add(cell);
  // END SOLUTION
}

// %% id="check-logistic-mass"
await check('integerFlow.logisticMass', logMass);

// %% [markdown] id="own-mass-text"
// **Your masses**, for $s = 1$, on a scale of logarithms, and the logarithm of the difference as one writes it first. Both are computed in 32 bits. (What is not written yet, the library does in its place, and a line says so.)

// %% id="own-mass"
const ownMass = yours(logMass, logDiscretisedLogistic);
const outwards = tf.range(-60, 61);
const massLines = tf.tidy(() => {
  const [mu, logScale] = [tf.tensor1d([0]), tf.tensor1d([0])];
  const byDifference = outwards.add(0.5).sigmoid().sub(outwards.sub(0.5).sigmoid()).log();
  return [ownMass(outwards, mu, logScale), byDifference].map((y) => Array.from(y.dataSync()));
});
figure(
  massLines.map((y, i) => ({
    x: Array.from(outwards.dataSync()),
    y: y.map((v) => (Number.isFinite(v) ? v : null)),
    mode: 'lines+markers' as const,
    marker: { size: i === 0 ? 4 : 7 },
    name: i === 0 ? `without cancelling: ${ownMass.by()}` : 'ln (σ(b) − σ(a)), where it is a number',
    opacity: i === 0 ? 1 : 0.5,
  })),
  {
    title: 'ln p(x) of a discretised logistic, μ = 0, s = 1',
    xaxis: { title: { text: 'x' } },
    yaxis: { title: { text: 'nats' } },
  },
  { height: 320, alt: 'A tent of log-masses; the difference of sigmoids leaves it some 16 steps above the mean' },
);

// %% [markdown] id="prior-text"
// A pixel is often exactly 0, and a single bell does not know that. A **mixture** of $K$ discretised logistics does: a narrow one sits on 0, others spread over the greys. Each coordinate has its own, and the coordinates are independent; what binds them is left to $f$:
//
// $$\ln p_z(\mathbf{z}) = \sum_{d=1}^{D} \ln \sum_{k=1}^{K} \pi_{dk}\, \bigl[\sigma(b_{dk}) - \sigma(a_{dk})\bigr], \qquad \pi_d = \operatorname{softmax}(\text{logits}_d).$$
//
// ### Exercise: the prior
//
// Mind which sum is inside the logarithm.

// %% id="prior"
/**
 * ln p(z) under independent mixtures of discretised logistics.
 * @param z integers [B, D] @param logits, mu, logScale [D, K] @returns [B]
 */
function logPrior(z: tf.Tensor, logits: tf.Tensor, mu: tf.Tensor, logScale: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION integerFlow.prior
  const perComponent = logDiscretisedLogistic(z.expandDims(2), mu, logScale); // [B, D, K]
  const joint = perComponent.add(tf.logSoftmax(logits)); // [B, D, K]
  return logSumExp(joint, 2).sum(1); // [B]
  // END SOLUTION
}

// %% id="check-prior"
await check('integerFlow.prior', logPrior);

// %% [markdown] id="coupling-text"
// **The bijection** is made of steps that are easy to undo. Split the coordinates into halves $\mathbf{x} = (\mathbf{x}_a, \mathbf{x}_b)$ and move one by what the other says:
//
// $$\mathbf{z}_a = \mathbf{x}_a, \quad \mathbf{z}_b = \mathbf{x}_b + \operatorname{round}(t(\mathbf{x}_a)) \qquad\Longleftrightarrow\qquad \mathbf{x}_a = \mathbf{z}_a, \quad \mathbf{x}_b = \mathbf{z}_b - \operatorname{round}(t(\mathbf{z}_a)).$$
//
// The network $t$ is never inverted. Scaling, as in RealNVP, is out: multiplied by anything but $\pm 1$, the integers do not map *onto* the integers.
//
// ### Exercise: an additive coupling
//
// Both directions. Round the *translation*. To round the sum $x_b + t$ looks like the same thing, and makes some points meet: halves are rounded to the even neighbour, so $1 + \tfrac12$ and $2 + \tfrac12$ both become 2.

// %% id="coupling"
/**
 * One additive coupling: the second half moves, the first half says by how much.
 * @param x integers [B, D], D even @param t the network: [B, D / 2] → [B, D / 2], real numbers
 * @returns integers [B, D]
 */
function coupling(x: tf.Tensor, t: (a: tf.Tensor) => tf.Tensor, direction: 'toLatent' | 'toData'): tf.Tensor {
  // BEGIN SOLUTION integerFlow.coupling
  const [a, b] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor]; // [B, D / 2] each
  const move = t(a).round();
  const moved = direction === 'toLatent' ? b.add(move) : b.sub(move);
  return tf.concat([a, moved], 1);
  // END SOLUTION
}

// %% id="check-coupling"
await check('integerFlow.coupling', coupling);

// %% [markdown] id="own-coupling-text"
// **Your coupling** straightens the band of the first picture, with $t(x_1) = -x_1^2 / 12$ for a network. Each step of the staircase is a whole number.

// %% id="own-coupling"
const asCoupling = (D: number, t: (a: tf.Tensor) => tf.Tensor) =>
  integerSteps([
    {
      mask: Array.from({ length: D }, (_, d) => (d < D / 2 ? 0 : 1)),
      translation: {
        variables: [],
        apply: (h) => tf.tidy(() => tf.concat([tf.zeros([h.shape[0]!, D / 2]), t(h.slice([0, 0], [-1, D / 2]))], 1)),
      },
    },
  ]);
const ownCoupling = yours(coupling, (x: tf.Tensor, t: (a: tf.Tensor) => tf.Tensor, direction: 'toLatent' | 'toData') =>
  direction === 'toLatent' ? asCoupling(x.shape[1]!, t).toLatent(x).z : asCoupling(x.shape[1]!, t).toData(x),
);
const straightened = tf.tidy(() => {
  const band = tf.tensor2d(bandPoints.map(({ a, b }) => [a, b + bend(a)]));
  return ownCoupling(band, (a) => a.square().div(-12), 'toLatent').arraySync() as number[][];
});
figure(
  [
    {
      ...dots(
        straightened.map(([, b]) => b!),
        '',
      ),
      x: straightened.map(([a]) => a!),
    },
  ],
  {
    title: `The band after one coupling: ${ownCoupling.by()}`,
    xaxis: { title: { text: 'z₁' } },
    yaxis: { title: { text: 'z₂' }, range: [-5, 17] },
  },
  { height: 300, alt: 'The points of the curved band, moved onto a straight one' },
);

// %% [markdown] id="general-text"
// One coupling leaves half of the coordinates as they are, so a second one moves the other half. There is a **general invertible transformation** behind this (Tomczak, 2021): deal the coordinates into $G$ groups, and let each group in turn be moved by *all the others*, by those already moved and by those yet to move:
//
// $$\mathbf{z}_g = \mathbf{x}_g + \operatorname{round}\bigl(t_g(\mathbf{z}_1, \ldots, \mathbf{z}_{g-1}, \mathbf{x}_{g+1}, \ldots, \mathbf{x}_G)\bigr), \qquad g = 1, \ldots, G.$$
//
// With $G = 2$ it is a pair of couplings, one each way. To undo it, begin with the last group: everything that $t_G$ saw is known.
//
// Who is in a group? Between its layers IDF permutes the coordinates, so that other ones meet. To permute, split in halves, move, and permute back (van den Berg et al., 2021) is the same as to choose a *subset* of coordinates to be moved. That is how the library does it: a mask for each step, neighbouring pixels in different groups.
//
// ### Exercise: groups
//
// Coordinate $d$ is in group $d \bmod G$. The network gets all coordinates, those of the group it moves set to 0, and answers for all; only the group's answers count.

// %% id="general"
/**
 * The general invertible transformation, both ways.
 * @param x integers [B, D] @param groups G @param t the network of group g, 0 … G − 1: [B, D] → [B, D], real numbers
 * @returns integers [B, D]
 */
function general(
  x: tf.Tensor,
  groups: number,
  t: (others: tf.Tensor, g: number) => tf.Tensor,
  direction: 'toLatent' | 'toData',
): tf.Tensor {
  // BEGIN SOLUTION integerFlow.general
  const D = x.shape[1]!;
  const turns = Array.from({ length: groups }, (_, g) => g);
  if (direction === 'toData') turns.reverse();
  return turns.reduce((h, g) => {
    const inGroup = tf.tensor1d(Array.from({ length: D }, (_, d) => (d % groups === g ? 1 : 0))); // [D]
    const seen = h.mul(tf.sub(1, inGroup));
    const move = t(seen, g).round().mul(inGroup);
    return direction === 'toLatent' ? h.add(move) : h.sub(move);
  }, x);
  // END SOLUTION
}

// %% id="check-general"
await check('integerFlow.general', general);

// %% [markdown] id="lattice-text"
// **The test of a likelihood**: add it up. A small flow with random weights on $\mathbb{Z}^2$: its $p$ has to sum to 1 over a box that holds all but a speck of the mass, and every integer point must come back from its latent. The last two columns do it with *your* `general`, from the same networks.

// %% id="lattice"
const smallFlow = integerFlow.create({ ...integerFlow.tiny.config, hidden: [8] }, rng.fork('small'));
for (const [i, variable] of smallFlow.objectives[0]!.variables.entries())
  tf.tidy(() => variable.assign(rng.fork(`weights ${i}`).normal(variable.shape).mul(0.7)));
const ownGeneral = yours(
  general,
  (x: tf.Tensor, groups: number, t: (others: tf.Tensor, g: number) => tf.Tensor, direction: 'toLatent' | 'toData') => {
    const D = x.shape[1]!;
    const steps = Array.from({ length: groups }, (_, g) => ({
      mask: Array.from({ length: D }, (__, d) => (d % groups === g ? 1 : 0)),
      translation: { variables: [], apply: (h: tf.Tensor) => t(h, g) },
    }));
    return direction === 'toLatent' ? integerSteps(steps).toLatent(x).z : integerSteps(steps).toData(x);
  },
);
const ownMove = (x: tf.Tensor, direction: 'toLatent' | 'toData') =>
  ownGeneral(x, 2, (others, g) => smallFlow.steps[g]!.translation.apply(others), direction);
const ownLogP = (x: tf.Tensor) => tf.tidy(() => smallFlow.logPrior(ownMove(x, 'toLatent')).sum(1));
const logPOf = (x: tf.Tensor) => tf.tidy(() => smallFlow.logPrior(smallFlow.toLatent(x)).sum(1)); // no Jacobian
ownMove(tf.zeros([1, 2]), 'toLatent').dispose(); // now it is known who answers
table(
  [5, 10, 20, 60].map((radius) => {
    const box = Array.from({ length: 2 * radius + 1 }, (_, i) => i - radius);
    const points = tf.tensor2d(box.flatMap((a) => box.map((b) => [a, b])));
    const away = tf.tidy(() => smallFlow.toData(smallFlow.toLatent(points)).sub(points).abs().max().dataSync()[0]!);
    const moved = tf.tidy(() => smallFlow.toLatent(points).sub(points).abs().max().dataSync()[0]!);
    return {
      box: `−${radius} … ${radius}`,
      points: points.shape[0]!,
      'Σ p(x)': totalProbability(logPOf, box, [2]),
      'farthest move': moved,
      'error of the way back': away,
      [`Σ p(x), ${ownGeneral.by()}`]: totalProbability(ownLogP, box, [2]),
      'its error': tf.tidy(() => ownMove(ownMove(points, 'toLatent'), 'toData').sub(points).abs().max().dataSync()[0]!),
    };
  }),
  { caption: 'A random integer flow on the plane, added up', digits: 6 },
);

// %% [markdown] id="network"
// ## 2 Network
//
// A multilayer perceptron for every step, from all coordinates (those it moves set to 0) to as many translations. Its last layer starts at 0: the flow begins as the identity, and learning begins with the prior alone.

// %% id="network-size"
const weightsOf = (config: Partial<IntegerFlowConfig>) =>
  integerFlow
    .create({ ...integerFlow.defaults, ...config }, rng.fork('sizes'))
    .objectives[0]!.variables.reduce((sum, variable) => sum + variable.size, 0);
table(
  [2, 4, 8].map((groups) => ({ groups, 'networks a round': groups, weights: weightsOf({ groups }) })),
  { caption: 'Weights on the digits, by the number of groups', digits: 0 },
);

// %% [markdown] id="objective"
// ## 3 Objective
//
// The exact negative log-likelihood, $-\ln p_z(f(\mathbf{x}))$. As a function of the networks' weights it is a staircase: flat, with jumps where a translation crosses a half. Its gradient is 0 wherever there is one.
//
// So a gradient is made up. **Straight through**: forwards $y = \operatorname{round}(t)$, backwards as if $y = t$.
//
// ### Exercise: straight through
//
// Value and gradient of $v \mapsto f(\operatorname{round}(g(v)))$, where the rounding passes gradients on unchanged. `detach` of the library cuts a gradient off; `tf.valueAndGrad` gives both. What is $y + \text{detach}(\operatorname{round}(y) - y)$, forwards and backwards?

// %% id="straight-through"
/**
 * f(round(g(v))) and its straight-through gradient.
 * @param f [..., ] → a scalar @param g elementwise, or a network @param v any shape
 * @returns the value as a number, the gradient with respect to v
 */
function straightThrough(
  f: (y: tf.Tensor) => tf.Tensor,
  g: (v: tf.Tensor) => tf.Tensor,
  v: tf.Tensor,
): { value: number; gradient: tf.Tensor } {
  // BEGIN SOLUTION integerFlow.straightThrough
  const { value, grad } = tf.valueAndGrad((u: tf.Tensor) => {
    const y = g(u);
    const rounded = y.add(detach(y.round().sub(y)));
    return f(rounded) as tf.Scalar;
  })(v);
  return { value: value.dataSync()[0]!, gradient: grad };
  // END SOLUTION
}

// %% id="check-straight-through"
await check('integerFlow.straightThrough', straightThrough);

// %% [markdown] id="bias-text"
// ### What straight-through costs
//
// Is it a gradient of anything? Take one coordinate and one number $\theta$, $z = x + \operatorname{round}(\theta)$. There is an honest objective nearby: round at random, up with probability $\theta - \lfloor \theta \rfloor$, else down. Its expectation $\bar L(\theta)$ runs in straight lines between the values at the integers, which we can add up exactly,
//
// $$L(k) = -\sum_x p^*(x) \ln p_z(x + k), \qquad \bar L'(\theta) = L(\lfloor \theta \rfloor + 1) - L(\lfloor \theta \rfloor).$$
//
// A slope of $\bar L$ is a *difference between neighbours*. The straight-through gradient takes the *derivative* of $\ln p_z$ at an integer for it. For a wide bell they agree. Here, half of the mass is an atom at 0, as in a pixel, and the prior knows that: at the top of a narrow bell the derivative is 0, and does not see that one step to the side costs several nats.
//
// The library offers both: `slope: 'derivative'`, and `slope: 'difference'`, which takes the neighbour that the rounding all but chose. Both pass straight through the roundings on the way down to the networks, so both are biased when several steps follow each other. Below, the straight-through gradient is that of *your* function; the last column needs no assumption: it is $\bar L'$.

// %% id="bias"
const world = tf.range(-60, 61); // all but e^(−30) of the mass
const atomAndBell = (z: tf.Tensor) =>
  tf.tidy(() => {
    const row = z.reshape([-1, 1]);
    const [logits, mu] = [tf.tensor1d([Math.log(0.5), Math.log(0.5)]), tf.tensor1d([0.02, 10])];
    const masses = logDiscretisedLogistic(row, mu, tf.tensor1d([Math.log(0.1), Math.log(1.5)]));
    return logSumExp(masses.add(tf.logSoftmax(logits)), 1);
  });
const pTrue = tf.tidy(() => atomAndBell(world).exp());
const lossAt = (k: number) => tf.tidy(() => pTrue.mul(atomAndBell(world.add(k))).sum().neg().dataSync()[0]!); // prettier-ignore
type Scalar = (y: tf.Tensor) => tf.Tensor;
const through = yours(straightThrough, (f: Scalar, g: Scalar, v: tf.Tensor) => {
  const { value, grad } = tf.valueAndGrad((u: tf.Tensor) => f(roundThrough(g(u))) as tf.Scalar)(v);
  return { value: value.dataSync()[0]!, gradient: grad };
});
const meanLoss = (y: tf.Tensor) => pTrue.mul(atomAndBell(world.add(y))).sum().neg(); // prettier-ignore
/** What `straightThrough` takes for the slope at θ: the derivative at the integer next to it. */
const derivativeAt = (theta: number) =>
  tf.tidy(() => {
    const { gradient } = through(meanLoss, (v) => v.mul(1), tf.scalar(theta));
    return Number(gradient.dataSync()[0]!.toFixed(6)); // float32 leaves 10⁻⁸ of a 0
  });
const shifts = Array.from({ length: 13 }, (_, i) => i - 6);
derivativeAt(0); // now it is known who answers
table(
  [0.3, 0.6, 1.2, 2.6, 4.4].map((theta) => ({
    θ: theta,
    'round(θ)': Math.round(theta),
    [`straight-through: ${through.by()}`]: derivativeAt(theta),
    'exact slope, L(⌊θ⌋ + 1) − L(⌊θ⌋)': lossAt(Math.floor(theta) + 1) - lossAt(Math.floor(theta)),
  })),
  { caption: 'The gradient that is used, and the one that is meant (nats per unit)', digits: 3 },
);
const tangents = shifts.flatMap((k) => [-0.4, 0.4, null].map((h) => ({ k, h })));
figure(
  [
    { mode: 'lines+markers', name: 'rounded at random: exact', x: shifts, y: shifts.map(lossAt) },
    {
      mode: 'lines',
      name: 'what the derivative says',
      x: tangents.map(({ k, h }) => (h === null ? null : k + h)),
      y: tangents.map(({ k, h }) => (h === null ? null : lossAt(k) + h * derivativeAt(k))),
      line: { width: 4 },
    },
  ],
  {
    title: 'The objective as a function of one translation',
    xaxis: { title: { text: 'θ' } },
    yaxis: { title: { text: 'nats' } },
  },
  {
    height: 340,
    alt: 'A piecewise linear loss, and short lines with the slopes that straight-through gradients take for its own',
  },
);

// %% [markdown] id="optimiser"
// ## 4 Optimiser
//
// AdamW with a little weight decay: a network of sixteen thousand weights for every group soon learns a thousand pictures by heart, so early stopping decides. A moving average of the weights (`ema`) is what is validated and kept: translations near a half flip to and fro from step to step, and the average settles them. The weights of the prior, which have some units to travel, take steps ten times as long as those of the networks (`travel`).

// %% [markdown] id="training"
// ## 5 Training
//
// A general invertible transformation with four groups, once by differences and once by derivatives.

// %% id="train"
const SHORT = 60; // epochs of a run within a minute; `--budget full` takes more

async function train(
  setting: Partial<IntegerFlowConfig>,
  here: Rng,
  { quiet = true, epochs = budgeted(SHORT, 120) } = {},
) {
  const config = { ...integerFlow.defaults, ...setting };
  const model = integerFlow.create(config, here.fork('weights'));
  const run = await fit(model, digits, {
    epochs,
    batchSize: config.batchSize,
    optimiser: adamW(config.learningRate, { weightDecay: 0.05 }),
    ema: 0.99,
    patience: 25,
    rng: here.fork('fit'),
    quiet,
  });
  return { model, run };
}

const byDifferences = await train({ groups: 4 }, rng.fork('four groups'), { quiet: false });
const byDerivatives = await train({ groups: 4, slope: 'derivative' }, rng.fork('four groups'), { quiet: false });
lossCurve(byDifferences.run, { title: 'Four groups, gradients by differences of neighbours' });
lossCurve(byDerivatives.run, { title: 'Four groups, gradients by derivatives' });

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// Two ablations belong in the table. *No rounds*: the prior alone, a product of independent mixtures, is what a flow has to improve on. *One logistic*: the prior of the first integer flows.

// %% id="sweep"
const settings: readonly Partial<IntegerFlowConfig>[] = [
  { rounds: 0 },
  { groups: 2 },
  { groups: 8 },
  { groups: 2, rounds: 2 },
  { groups: 4, components: 1 },
];
const tried: { setting: Partial<IntegerFlowConfig>; model: IntegerFlowModel }[] = [];
for (const [i, setting] of settings.entries())
  tried.push({ setting, model: (await train(setting, rng.fork(`setting ${i}`))).model });
const compared = [
  ...tried,
  { setting: { groups: 4 }, model: byDifferences.model },
  { setting: { groups: 4, slope: 'derivative' as const }, model: byDerivatives.model },
];
table(
  compared
    .map(({ setting, model }) => {
      const { groups, rounds, components, slope } = { ...integerFlow.defaults, ...setting };
      const { nats, standardError } = evaluate(model, digits.validation, rng);
      const train = evaluate(model, digits.train, rng).nats;
      return { groups: rounds === 0 ? '–' : groups, rounds, components, slope, train, validation: nats, standardError };
    })
    .sort((a, b) => a.validation - b.validation),
  { caption: 'Integer flows, best on the validation set first: nats per image', digits: 2 },
);

// %% [markdown] id="ladder-text"
// ### The ladder
//
// Couplings (two groups) and general transformations with four and eight, each from three seeds; with the full budget (`--budget full`) also what the default one gives. The prior alone stands there twice: by the library, and by *your* `logPrior` with the same tables. Two kinds of error: the standard error over the test images says how far a number would move with other images; the spread over seeds, how far if trained again. Differences from the best rung are paired, image by image, and known better than either number. Only now the test set is looked at.

// %% id="ladder"
async function threeSeeds(groups: number, epochs?: number, rounds = 1) {
  const seeds = [];
  for (const seed of [1, 2, 3])
    seeds.push(await train({ groups, rounds }, rng.fork(`${groups} groups, seed ${seed}`), { epochs }));
  const name = groups === 2 ? 'integer flow: couplings' : `integer flow: ${groups} groups`;
  return { name, model: seeds.map(({ model }) => model), runs: seeds.map(({ run }) => run) };
}
const trained: { name: string; model: GenerativeModel[]; runs: FitResult[] }[] = [];
for (const groups of [2, 4, 8]) trained.push(await threeSeeds(groups));
const brief = [];
if (fullBudget())
  for (const groups of [2, 4, 8]) {
    const { name, model } = await threeSeeds(groups, SHORT);
    brief.push({ name: `${name}, default budget`, model });
  }
const priorAlone = tried[0]!.model;
const { travel, low: from, high: to, components: K } = integerFlow.defaults;
/** The prior's tables: the weights say how far each has moved from its start, in units of `travel`. */
const priorTables = tf.tidy(() => {
  const [logits, mu, logScale] = priorAlone.objectives[0]!.variables.slice(-3).map((moved) => moved.mul(travel));
  const spread = tf.range(0, K).mul((to - from) / (K - 1)).add(from); // prettier-ignore
  return { logits: logits!, mu: mu!.add(spread), logScale: logScale!.add(Math.log((to - from) / (2 * K))) };
});
const ownPrior = yours(logPrior, (z: tf.Tensor) => tf.tidy(() => priorAlone.logPrior(z).sum(1)));
const logPriorOf = (z: tf.Tensor) =>
  tf.tidy(() => ownPrior(z, priorTables.logits, priorTables.mu, priorTables.logScale));
logPriorOf(digits.validation.x.slice([0, 0], [1, 64])).dispose(); // now it is known who answers
const models = [
  ...(await baselines(digits, rng.fork('baselines'))),
  { name: 'independent logistic mixtures (no rounds)', model: priorAlone },
  {
    name: `the same by logPrior: ${ownPrior.by()}`,
    model: { ...priorAlone, likelihood: { kind: 'exact' as const, logProb: logPriorOf } },
  },
  { name: 'integer flow: 4 groups, one logistic', model: tried[4]!.model },
  { name: 'integer flow: 4 groups, derivatives', model: byDerivatives.model },
  ...trained,
  ...brief,
];
const rungs = rungsOf(models, digits.test, rng.fork('test'));
ladder(rungs, { title: 'Nats per test image; bars: standard error over the images' });
table(
  rungs.map(({ name, nats, error, spread, behind, behindError }) => ({
    name,
    nats,
    'error over images': error,
    'spread of 3 seeds': spread ?? '',
    'above the best': behind,
    'its error (paired)': behindError,
    'bits per dimension': bitsPerDim(nats, [64]),
  })),
  { caption: 'Test set: nats per image (integer flows from three seeds: their mean)', digits: 2 },
);

// %% [markdown] id="patience-text"
// The runs above took as many epochs as the budget gave, and stopped earlier where the validation set had seen no better for 25. What patience is worth: the lowest validation loss within the first 60 epochs, which is all that `npm run solutions -- 07` allows, and within all of them, as means over the three seeds.

// %% id="patience"
const lowestWithin = (runs: readonly FitResult[], epochs: number) =>
  runs.reduce((sum, { history }) => sum + Math.min(...history.slice(0, epochs).map((e) => e.validation!)), 0) /
  runs.length;
table(
  trained.map(({ name, runs }) => ({
    model: name,
    [`first ${SHORT} epochs`]: lowestWithin(runs, SHORT),
    'all epochs': lowestWithin(runs, Infinity),
    'epochs run': runs.map(({ history }) => history.length).join(', '),
  })),
  { caption: 'Validation set: nats per image, by how long the training was', digits: 2 },
);

// %% [markdown] id="ladder-reading"
// Read it against two rungs. The *prior alone* is a smoothed histogram, so an integer flow with a mixture for a prior starts where the histogram stands, and all that its networks add is the difference between the two. It is small: couplings gain a little over a nat, more groups two. *One logistic* a pixel, the prior of the first integer flows, leaves the work to the networks, and they do not manage: it loses to counting each pixel by itself. *Derivatives* in place of differences make the networks do harm. And all of them lose to the Chow–Liu tree, which lets a pixel look at a single other one: a translation can say *by how much*, a table can say *anything*.
//
// **What the number buys.** Minus the logarithm of a probability is the length of a code: a coder that knows $p$ writes a picture in $-\log_2 p(\mathbf{x})$ bits, up to a fraction of a bit. An integer flow codes the integers $\mathbf{z}$, one coordinate after the other, and the other side undoes $f$. Chapter 16 does it; the lengths are known today.

// %% id="code-length"
const bits = (nats: number) => nats / Math.LN2;
const best = byDifferences.model; // four groups, the first seed of section 5
const coded = evaluate(best, digits.test, rng);
table(
  [
    { code: 'a byte a pixel', 'bits a picture': 8 * 64 },
    { code: 'log₂ 17 bits a pixel', 'bits a picture': 64 * Math.log2(V) },
    { code: 'integer flow: 4 groups', 'bits a picture': bits(coded.nats) },
  ].map((row) => ({ ...row, 'bits per dimension': row['bits a picture'] / 64 })),
  { caption: 'Ideal code lengths on the test set', digits: 2 },
);

// %% [markdown] id="known-entropy-text"
// ### Against a known truth
//
// On a source of known entropy $H$, the mean negative log-likelihood is $H + \mathrm{KL}[p^* \,\|\, p]$: the divergence is a number, and one below 0 (by more than chance) would prove a bug. Markov strings of three symbols, and the Ising model on $4 \times 4$ pixels. 4,000 examples to learn from, 4,000 others to judge.

// %% id="known-entropy"
const sources = [
  markovSource({
    length: 12,
    start: [0.4, 0.3, 0.3],
    transition: [
      [0.8, 0.2, 0],
      [0, 0.7, 0.3],
      [0.5, 0, 0.5],
    ],
  }),
  isingSource({ coupling: 0.5 }),
];
const known = [];
for (const source of sources) {
  const here = rng.fork(source.name);
  const data = {
    train: { x: source.sample({ count: 4000, rng: here.fork('train') }) },
    validation: { x: source.sample({ count: 1000, rng: here.fork('validation') }) },
  };
  const test = { x: source.sample({ count: 4000, rng: here.fork('test') }) };
  const own = evaluate(source, test, here).nats; // the source's own score on the same examples: H up to sampling error
  const row: Record<string, string | number> = { source: source.name, 'H, nats': source.entropy };
  for (const [name, setting] of [
    ['KL, prior alone', { rounds: 0 }],
    ['KL, couplings', { groups: 2 }],
    ['KL, 4 groups', { groups: 4 }],
  ] as const) {
    const width = source.eventShape.at(-1)!;
    const config = {
      ...integerFlow.defaults,
      eventShape: source.eventShape,
      width,
      components: 3,
      high: 2,
      ...setting,
    };
    const model = integerFlow.create(config, here.fork(name));
    await fit(model, data, {
      epochs: budgeted(25, 100),
      batchSize: 64,
      optimiser: adamW(0.001),
      ema: 0.99,
      patience: 15,
      rng: here.fork('fit'),
      quiet: true,
    });
    row[name] = evaluate(model, test, here).nats - own;
  }
  known.push(row);
}
table(known, { caption: 'Divergence from sources of known entropy, in nats', digits: 3 });

// %% [markdown] id="known-entropy-reading"
// *The prior alone* loses what the coordinates know of each other. Of the Markov strings the flows get a good part of it back. On the Ising model they get nothing. A pixel is 0 or 1 there, half of the time each. To subtract a guess from it would pay, since most $z$ would then be 0; but at first the prior has its mass on 0 and 1 alike, so that a translation, whichever way it goes, leaves the two for every second example and gains nothing for the others. The identity is a valley, and slopes end in valleys.

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// Draw integers from the prior (a logistic by the inverse of its distribution function, then rounded), and undo the steps, the last one first. As fast as the likelihood.
//
// The lattice has no ends, and nobody told the model that grey levels have: some samples leave the scale. The table says how often, and what a model pays for mass it keeps where no picture is.

// %% id="samples"
const drawn = best.sample({ count: 2000, rng: rng.fork('samples') });
const rowsOfPixels = (x: tf.Tensor) => x.arraySync() as number[][];
imageGrid(rowsOfPixels(tf.tidy(() => drawn.slice([0, 0], [20, 64]).clipByValue(0, V - 1))), {
  height: 8,
  width: 8,
  columns: 10,
  levels: V,
  title: 'Samples',
});
const latents = tf.tidy(() => best.toLatent(digits.test.x.slice([0, 0], [10, 64])));
imageGrid(
  rowsOfPixels(tf.tidy(() => tf.concat([digits.test.x.slice([0, 0], [10, 64]), latents.clipByValue(0, V - 1)]))),
  {
    height: 8,
    width: 8,
    columns: 10,
    levels: V,
    title: 'Test digits, and their latents',
  },
);
const [pixelsOff, imagesOn] = tf.tidy(() => {
  const on = drawn.greaterEqual(0).logicalAnd(drawn.less(V));
  return [1 - on.toFloat().mean().dataSync()[0]!, on.all(1).toFloat().mean().dataSync()[0]!];
});
table(
  [
    { what: 'sampled pixels off the scale 0 … 16', value: `${(100 * pixelsOff).toFixed(1)} %` },
    { what: 'samples that are wholly on it', value: `${(100 * imagesOn).toFixed(0)} %` },
    {
      what: 'what that costs every digit: −ln of it',
      value: imagesOn > 0 ? `${-Math.log(imagesOn).toFixed(1)} nats` : 'more than 7.6 nats (ln 2000)',
    },
  ],
  { caption: '2,000 samples' },
);

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in for this family.

// %% id="card"
card(integerFlow.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// A flow that starts as the identity trains better. A published model got there by a trainable factor $\beta$, at first 0, in front of the translation (**ReZero**), and it permutes the coordinates after each coupling (here: reverses them). Below it is, up to notation, with a way back that was written in the order of the way there. IDF++ has such a factor as well, and has it right.
//
// ### Exercise: repair it
//
// Two things are wrong. One of them makes a function that is no flow; the other makes a flow whose latents are not integers, so that "$p_z$" of them is no probability. Keep $\beta$ a real number, keep the reversal, and let `toData` undo `toLatent` exactly, on integers.
//
// The table after it tests whatever your function does now: two layers on $\mathbb{Z}^2$, with $\beta = 0.7$.

// %% id="permuted"
/**
 * A coupling whose translation is scaled by β, then all coordinates in reverse order; or the way back.
 * @param x integers [B, D], D even @param t the network: [B, D / 2] → [B, D / 2] @param beta a real number
 * @returns integers [B, D]
 */
function permutedCoupling(
  x: tf.Tensor,
  t: (a: tf.Tensor) => tf.Tensor,
  beta: number,
  direction: 'toLatent' | 'toData',
): tf.Tensor {
  // BEGIN SOLUTION integerFlow.permuted
  // The code that was given rounds before it scales: β · round(t) is no integer, and a mass is read off between the
  // integers. And its way back starts with the coupling, though the last thing on the way there was the reversal.
  const start = direction === 'toData' ? x.reverse(1) : x;
  const [a, b] = tf.split(start, 2, 1) as [tf.Tensor, tf.Tensor];
  const move = t(a).mul(beta).round();
  const moved = tf.concat([a, direction === 'toLatent' ? b.add(move) : b.sub(move)], 1);
  return direction === 'toLatent' ? moved.reverse(1) : moved;
  // END SOLUTION
  // BEGIN GIVEN
  // const [a, b] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor];
  // const move = t(a).round().mul(beta);
  // if (direction === 'toData') return tf.concat([a, b.sub(move)], 1);
  // return tf.concat([a, b.add(move)], 1).reverse(1);
  // END GIVEN
}

// %% id="permuted-picture"
const wave = (a: tf.Tensor) => a.mul(0.8).sin().mul(4);
const layers = [0, 1];
const there = (x: tf.Tensor) => tf.tidy(() => layers.reduce((h) => permutedCoupling(h, wave, 0.7, 'toLatent'), x));
const back = (z: tf.Tensor) => tf.tidy(() => layers.reduce((h) => permutedCoupling(h, wave, 0.7, 'toData'), z));
const side = Array.from({ length: 61 }, (_, i) => i - 30);
const plane = tf.tensor2d(side.flatMap((a) => side.map((b) => [a, b])));
const narrow = (x: tf.Tensor) =>
  tf.tidy(() => logDiscretisedLogistic(there(x), tf.tensor1d([0, 0]), tf.tensor1d([-0.7, -0.7])).sum(1));
const share = (x: tf.Tensor) => `${(100 * x.toFloat().mean().dataSync()[0]!).toFixed(1)} %`;
tf.tidy(() => {
  const z = there(plane);
  table(
    [
      { test: 'latents that are integers', outcome: share(z.equal(z.round())), wanted: '100.0 %' },
      {
        test: 'points that come back (within 10⁻⁴)',
        outcome: share(back(z).sub(plane).abs().max(1).less(1e-4)),
        wanted: '100.0 %',
      },
      { test: 'Σ p(x), two layers', outcome: totalProbability(narrow, side, [2]).toFixed(4), wanted: '1.0000' },
    ],
    { caption: 'Your function, tested on 3,721 points of the plane' },
  );
});

// %% id="check-permuted"
await check('integerFlow.permuted', permutedCoupling);

// %% [markdown] id="bug-reading"
// A sum over the lattice does not always see this bug. With a *single* coupling, the given code sums to 1 as well: for every $x_a$ the shifted cells still tile the line. From the second coupling on they do not: here the given code sums to 1.06. Samples always tell: real translations undone from integer latents are not integers.

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now: one training step on 64 pictures, the likelihood of one picture, and one sample. A general transformation with $G$ groups runs $G$ networks, one after the other, in both directions alike.

// %% id="measure-costs"
const costs = [];
for (const groups of [2, 4, 8]) {
  const model = integerFlow.create({ ...integerFlow.defaults, groups }, rng.fork('cost'));
  const once = { batchSize: 64, rng: rng.fork('cost run'), quiet: true };
  const { checkpoint } = await fit(model, { train: digits.train }, { ...once, epochs: 1 }); // the first call of anything is slower
  const { milliseconds } = await fit(model, { train: digits.train }, { ...once, epochs: 21, resume: checkpoint });
  const perExample = (count: number, body: () => void) => {
    body();
    const started = performance.now();
    for (let i = 0; i < 5; i++) body();
    return (performance.now() - started) / (5 * count);
  };
  costs.push({
    groups,
    'training, ms per step': milliseconds / (20 * Math.ceil(1000 / 64)),
    'likelihood, ms per image': perExample(447, () => evaluate(model, digits.test, rng)),
    'sampling, ms per image': perExample(500, () =>
      model.sample({ count: 500, rng: rng.fork('cost samples') }).dispose(),
    ),
    weights: weightsOf({ groups }),
  });
}
table(costs, { caption: 'Cost of an integer flow on the digits', digits: 3 });

// %% [markdown] id="failures"
// ## Where it fails
//
// **What renaming cannot do.** Probabilities move with their points, unchanged: the *list* of probabilities in the data must be one that a product of distributions can have. Three equally likely points of the square $\{0, 1\}^2$ are the smallest trouble. Further below, all $4! = 24$ bijections of the square are tried, each with the best product of two coins for a prior. None fits.
//
// ### Predict: what the prior alone has to pay
//
// *Before* you run the table: with the identity for a bijection, the prior has to be a product. For equally likely points of $\mathbb{Z}^D$, what is the KL from them to the nearest product of $D$ distributions? Write it as a function of the list of points. For three corners of the square it is the first row of the table.

// %% id="product-gap"
/**
 * KL of equally likely points from the nearest product of distributions of their coordinates, in nats.
 * @param points different integer points, [N][D]
 */
function productGap(points: readonly (readonly number[])[]): number {
  // BEGIN SOLUTION integerFlow.productGap
  // the nearest product is that of the marginals; −Σ p ln (p₁ p₂ …) is the sum of their entropies
  let nats = 0;
  for (const axis of points[0]!.keys()) {
    const counts = new Map<number, number>();
    for (const point of points) counts.set(point[axis]!, (counts.get(point[axis]!) ?? 0) + 1);
    for (const n of counts.values()) nats -= (n / points.length) * Math.log(n / points.length);
  }
  return nats - Math.log(points.length);
  // END SOLUTION
}

// %% [markdown] id="gather-text"
// **What the rest of $\mathbb{Z}^2$ can do.** The lattice is larger than the square, and a bijection may leave it. A single unbounded coordinate can carry everything: the number of a point, if points are numbered. A product of "a table of all numbers" and "always 0" is then exact, so a bijection with a product prior can represent *any* distribution on a finite set. (Van den Berg et al., 2021, prove it. It only moves the difficulty: the prior of that coordinate is then a table of all points.)
//
// ### Exercise: design such a bijection
//
// For points of the square $\{0, \dots, V - 1\}^2$, and by two additive steps, each as in a coupling: first $x_1$ is moved by a rounded function of $x_2$ alone, then $x_2$ by a rounded function of $z_1$ alone. After that $z_2$ has to be 0 for all $V^2$ points, and $z_1$ different for each. Outside of the square anything may happen, as long as the two steps are the same there: they are a bijection of all of $\mathbb{Z}^2$. Which numbering makes the second step possible? Mind that a step rounds to the *nearest* integer, and halves to the even one.

// %% id="gather"
/**
 * Two additive steps on ℤ², after which the second coordinate is 0 on the square.
 * @param x integers [B, 2] @param V values a side, at least 2 @returns integers [B, 2]
 */
function gather(x: tf.Tensor, V: number): tf.Tensor {
  // BEGIN SOLUTION integerFlow.gather
  const [x1, x2] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor]; // [B, 1] each
  const z1 = x1.add(x2.mul(V)); // the point's number
  // z₁ / V is x₂ and one of 0, 1/V … (V − 1)/V: taken from their middle they are all less than a half
  const z2 = x2.sub(
    z1
      .div(V)
      .sub((V - 1) / (2 * V))
      .round(),
  );
  return tf.concat([z1, z2], 1);
  // END SOLUTION
}

// %% id="check-gather"
await check('integerFlow.gather', gather);

// %% [markdown] id="found-text"
// **What is found.** Flows of two rounds with enough hidden units, from five seeds each. By differences they come to rest where the product of the marginals is: the exact renaming is a few whole steps away, every step before the last makes things worse, and no slope points to it. By derivatives they wander; some end far off, and one may stumble over a better renaming.

// %% id="failure-three-points"
const square = [[0, 0], [1, 0], [0, 1], [1, 1]] as const; // prettier-ignore
const threePoints = tableSource('three points', [2], 2, [0, 0, 0, -Infinity]); // all but (1, 1), in logarithms
const pThree = square.map(([a, b]) => (a + b === 2 ? 0 : 1 / 3));
const orders = (items: readonly number[]): number[][] =>
  items.length === 0 ? [[]] : items.flatMap((i) => orders(items.filter((j) => j !== i)).map((rest) => [i, ...rest]));
/** KL of renamed points from the product of their own marginals: no other product is nearer. */
function distanceFromProduct(order: readonly number[]): number {
  const joint = order.map((i) => pThree[i]!); // p of z = square[0], square[1], …
  const marginal = (axis: 0 | 1, value: number) =>
    joint.reduce((sum, p, i) => (square[i]![axis] === value ? sum + p : sum), 0);
  return joint.reduce((sum, p, i) => {
    const [a, b] = square[i]!;
    return p > 0 ? sum + p * Math.log(p / (marginal(0, a) * marginal(1, b))) : sum;
  }, 0);
}
const renamings = orders([0, 1, 2, 3]).map(distanceFromProduct);
const ownGather = yours(gather, (x: tf.Tensor, V: number) =>
  tf.tidy(() => {
    const rows = (x.arraySync() as number[][]).map(([a, b]) => [a! + V * b!, 0]); // right on the square
    return tf.tensor2d(rows);
  }),
);
const byHand = ownGather(tf.tensor2d(square.map(([a, b]) => [a, b])), 2).arraySync() as number[][];
table(
  square.map(([a, b], n) => ({
    x: `(${a}, ${b})`,
    'p(x)': a + b === 2 ? '0' : '1/3',
    z: `(${byHand[n]!.join(', ')})`,
  })),
  { caption: `Two additive steps on ℤ², ${ownGather.by()}: the second coordinate is gone` },
);
const corners = square.filter(([a, b]) => a + b < 2);
const renamed = byHand.filter((_, n) => pThree[n]! > 0);

const learner = {
  ...integerFlow.tiny.config,
  hidden: [32],
  components: 3,
  low: 0,
  high: 2,
  rounds: 2,
  travel: 10,
  learningRate: 0.003,
};
const three = { x: threePoints.sample({ count: 1000, rng: rng.fork('three points') }) };
const found: { slope: string; seed: number; kl: number }[] = [];
for (const slope of ['difference', 'derivative'] as const)
  for (const seed of [1, 2, 3, 4, 5]) {
    const here = rng.fork(`three points, ${slope}, ${seed}`);
    const model = integerFlow.create({ ...learner, slope }, here.fork('weights'));
    const options = { epochs: budgeted(100), batchSize: 50, optimiser: adamW(learner.learningRate), quiet: true };
    await fit(model, { train: three }, { ...options, rng: here.fork('fit') });
    const { likelihood } = model;
    const logP = tf.tidy(() => {
      const points = tf.tensor2d(square.map(([a, b]) => [a, b]));
      return 'logProb' in likelihood ? Array.from(likelihood.logProb(points, here).dataSync()) : [];
    });
    const kl = pThree.reduce((sum, p, i) => (p > 0 ? sum + p * (Math.log(p) - logP[i]!) : sum), 0);
    found.push({ slope, seed, kl });
  }
const ownGap = yours(productGap, (points: readonly (readonly number[])[]) => {
  const x = tf.tidy(() => tf.tensor2d(points.map((point) => [...point])));
  const low = x.min().dataSync()[0]!;
  const shifted = { x: x.sub(low) }; // a histogram's values begin at 0
  const values = shifted.x.max().dataSync()[0]! + 1;
  return evaluate(histogramBaseline(shifted, values, { alpha: 1e-9 }), shifted, rng).nats - Math.log(points.length);
});
const noneByOwn = ownGap(corners);
const klOf = (slope: string) => found.filter((run) => run.slope === slope).map(({ kl }) => kl);
table(
  [
    { bijection: 'none: the product of the marginals', KL: distanceFromProduct([0, 1, 2, 3]) },
    { bijection: `the same by productGap: ${ownGap.by()}`, KL: noneByOwn },
    { bijection: 'the best of the 24 of the square', KL: Math.min(...renamings) },
    { bijection: `two steps on ℤ²: ${ownGather.by()}`, KL: ownGap(renamed) },
    { bijection: 'learnt by differences, best of five', KL: Math.min(...klOf('difference')) },
    { bijection: 'learnt by differences, worst of five', KL: Math.max(...klOf('difference')) },
    { bijection: 'learnt by derivatives, best of five', KL: Math.min(...klOf('derivative')) },
    { bijection: 'learnt by derivatives, worst of five', KL: Math.max(...klOf('derivative')) },
  ],
  { caption: 'Three equally likely points of a square: divergence in nats', digits: 4 },
);

// %% id="check-product-gap"
await check('integerFlow.productGap', productGap);

// %% [markdown] id="exact-text"
// **Exactness depends on arithmetic.** A translation within rounding error of a half may be rounded the other way on another machine, and one wrong integer sends all later steps astray. Whoever decodes has to repeat the encoder's arithmetic bit by bit. And a float is exact for integers only so far.
//
// ### Predict: where floating point loses an integer
//
// The table below takes integers of growing size through *your* coupling and back, in float32, whose numbers have 24 binary digits, the leading 1 counted; and asks whether the half between two integers, at which the cells of the prior meet, is still a number of its own. *Before* you run it: up to which number are *all* multiples of `step` exact, in a format of so many digits?

// %% id="exact-up-to"
/**
 * The largest number up to which all multiples of `step` are exact.
 * @param bits binary digits of a number, the leading 1 counted: 24 in float32 @param step a power of 2
 */
function exactUpTo(bits: number, step: number): number {
  // BEGIN SOLUTION integerFlow.exactUpTo
  return step * 2 ** bits; // the next multiple, step (2^bits + 1), needs one digit more
  // END SOLUTION
}

// %% id="exact"
/** What is predicted; a dash while it is not written, or throws. */
function predictedEnd(step: number): string {
  try {
    return String(exactUpTo(24, step));
  } catch {
    return '–';
  }
}
table(
  [2 ** 22, 2 ** 23, 2 ** 24, 2 ** 25].map((size) => {
    const x = tf.tensor2d(Array.from({ length: 64 }, (_, i) => [i % 8, size - 63 + 2 * (i % 32)]));
    const t = (a: tf.Tensor) => a.mul(1.3);
    const back = tf.tidy(() => ownCoupling(ownCoupling(x, t, 'toLatent'), t, 'toData'));
    const halfway = tf.tidy(() => tf.scalar(size + 1).add(0.5).sub(size + 1).dataSync()[0]!); // prettier-ignore
    return {
      'integers up to': size,
      'do not come back, of 64': x.notEqual(back).any(1).sum().dataSync()[0]!,
      'halves are exact': halfway === 0.5 ? 'yes' : 'no',
    };
  }),
  { caption: `Predicted ends: integers ${predictedEnd(1)}, halves ${predictedEnd(0.5)}`, digits: 0 },
);

// %% id="check-exact-up-to"
await check('integerFlow.exactUpTo', exactUpTo);

// %% [markdown] id="depth-text"
// **Depth hurts.** In a real flow more layers are more expressive. Here each layer hands its gradient through the roundings of all that follow. Couplings of one, two and three rounds, three seeds each, the same budget: what the *training* loss comes to says whether more rounds are learnt at all.

// %% id="depth"
const byDepth = [trained[0]!, await threeSeeds(2, undefined, 2), await threeSeeds(2, undefined, 3)];
table(
  byDepth.map(({ model }, i) => {
    const [onTrain, onValidation] = [digits.train, digits.validation].map((data) =>
      model.map((each) => evaluate(each, data, rng).nats),
    ) as [number[], number[]];
    const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
    return {
      rounds: i + 1,
      train: mean(onTrain),
      validation: mean(onValidation),
      'from … to, over three seeds': `${Math.min(...onValidation).toFixed(1)} … ${Math.max(...onValidation).toFixed(1)}`,
    };
  }),
  { caption: 'Couplings by the number of rounds: nats per image', digits: 1 },
);

// %% [markdown] id="failures-more"
// More rounds do worse already on the pictures they are trained on, so it is the training that fails, and not the generalisation: a second round can be the identity, and the first could do what it did alone. IDF++ blames the *bias* of the gradient less than the way layers are set up, and gains by starting each translation at 0 behind a learnt factor, the ReZero of the bug above (Bachlechner et al., 2021); here translations start at 0 as well. Van den Berg et al. (2021) found that the harm of the bias depends much on the architecture, and is smaller than feared, on large colour images with 256 levels; with 17 levels and half of the pixels at exactly 0, it matters.
//
// **No fewer latents.** As with every flow, $\mathbf{z}$ has as many coordinates as $\mathbf{x}$: nothing is summarised.
//
// ### Sources
//
// E. Hoogeboom, J. Peters, R. van den Berg, M. Welling, *Integer discrete flows and lossless compression*, NeurIPS 2019. J. Tomczak, *General invertible transformations for flow-based generative modeling*, INNF+ 2021. R. van den Berg, A. Gritsenko, M. Dehghani, C. Sønderby, T. Salimans, *IDF++: analyzing and improving integer discrete flows for lossless compression*, ICLR 2021. D. Tran et al., *Discrete flows*, NeurIPS 2019. G. Papamakarios et al., *Normalizing flows for probabilistic modeling and inference*, JMLR 22 (2021), on what discrete flows cannot represent. T. Salimans, A. Karpathy, X. Chen, D. Kingma, *PixelCNN++*, ICLR 2017. Y. Bengio, N. Léonard, A. Courville, *Estimating or propagating gradients through stochastic neurons* (2013). T. Bachlechner et al., *ReZero is all you need: fast convergence at large depth*, UAI 2021. J. Tomczak, *Deep Generative Modeling* (2024), chapter 4. The bug is in the hybrid model of the book's code (github.com/jmtomczak/intro_dgm), where a translation is rounded and then scaled by a trainable real number.
