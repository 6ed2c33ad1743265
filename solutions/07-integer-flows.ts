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
import { check, NotWritten } from 'grader';
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
  imageGrid,
  integerFlow,
  isingSource,
  ladder,
  load,
  logDiscretisedLogistic,
  logSumExp,
  lossCurve,
  markovSource,
  rungsOf,
  table,
  tableSource,
  totalProbability,
  type FitResult,
  type GenerativeModel,
  type IntegerFlowConfig,
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
// **The test of a likelihood**: add it up. A small flow with random weights on $\mathbb{Z}^2$: its $p$ has to sum to 1 over a box that holds all but a speck of the mass, and every integer point must come back from its latent.

// %% id="lattice"
const smallFlow = integerFlow.create({ ...integerFlow.tiny.config, hidden: [8] }, rng.fork('small'));
for (const [i, variable] of smallFlow.objectives[0]!.variables.entries())
  tf.tidy(() => variable.assign(rng.fork(`weights ${i}`).normal(variable.shape).mul(0.7)));
const logPOf = (x: tf.Tensor) => tf.tidy(() => smallFlow.logPrior(smallFlow.toLatent(x)).sum(1)); // no Jacobian
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
// The library offers both: `slope: 'derivative'`, and `slope: 'difference'`, which takes the neighbour that the rounding all but chose. Both pass straight through the roundings on the way down to the networks, so both are biased when several steps follow each other. The last column needs no assumption: it is $\bar L'$.

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
const derivativeAt = (k: number) =>
  tf.tidy(() => {
    const slope = tf.grad((z: tf.Tensor) => atomAndBell(z).sum())(world.add(k));
    return Number(pTrue.mul(slope).sum().neg().dataSync()[0]!.toFixed(6)); // float32 leaves 10⁻⁸ of a 0
  });
const shifts = Array.from({ length: 13 }, (_, i) => i - 6);
table(
  [0.3, 0.6, 1.2, 2.6, 4.4].map((theta) => ({
    θ: theta,
    'round(θ)': Math.round(theta),
    'straight-through derivative': derivativeAt(Math.round(theta)),
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
const tried: { setting: Partial<IntegerFlowConfig>; model: GenerativeModel }[] = [];
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
// Couplings (two groups) and general transformations with four and eight, each from three seeds; with the full budget (`--budget full`) also what the default one gives. Only now the test set is looked at.

// %% id="ladder"
async function threeSeeds(groups: number, epochs?: number) {
  const seeds = [];
  for (const seed of [1, 2, 3])
    seeds.push(await train({ groups }, rng.fork(`${groups} groups, seed ${seed}`), { epochs }));
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
const models = [
  ...(await baselines(digits, rng.fork('baselines'))),
  { name: 'independent logistic mixtures (no rounds)', model: tried[0]!.model },
  { name: 'integer flow: 4 groups, one logistic', model: tried[4]!.model },
  { name: 'integer flow: 4 groups, derivatives', model: byDerivatives.model },
  ...trained,
  ...brief,
];
const rungs = rungsOf(models, digits.test, rng.fork('test'));
ladder(rungs);
table(
  rungs.map(({ name, nats, error }) => ({ name, nats, error, 'bits per dimension': bitsPerDim(nats, [64]) })),
  { caption: 'Test set (integer flows: mean and spread of three seeds, where there are three)', digits: 2 },
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
// Read it against two rungs. The *prior alone* is a smoothed histogram, so an integer flow with a mixture for a prior starts where the histogram stands, and all that its networks add is the difference between the two. It is small: couplings gain a little over a nat, more groups two. *One logistic* a pixel leaves the work to the networks, and they do not manage; published integer flows of that kind score about 140 here, and lose to counting. *Derivatives* in place of differences make the networks do harm. And all of them lose to the Chow–Liu tree, which lets a pixel look at a single other one: a translation can say *by how much*, a table can say *anything*.
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
// A flow that starts as the identity trains better. A published model got there by a trainable factor $\beta$, at first 0, in front of the translation, and it permutes the coordinates after each coupling (here: reverses them). Below it is, up to notation, with a way back that was written in the order of the way there. IDF++ has such a factor as well, and has it right.
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
// **What renaming cannot do.** Probabilities move with their points, unchanged: the *list* of probabilities in the data must be one that a product of distributions can have. Three equally likely points of the square $\{0, 1\}^2$ are the smallest trouble. Below, all $4! = 24$ bijections of the square are tried, each with the best product of two coins for a prior. None fits.
//
// **What the rest of $\mathbb{Z}^2$ can do.** The lattice is larger than the square, and a bijection may leave it. Two additive steps,
//
// $$z_1 = x_1 + 2 x_2, \qquad z_2 = x_2 - \operatorname{round}\bigl(\tfrac{z_1}{2} - \tfrac14\bigr),$$
//
// write each point's number into $z_1$ and leave $z_2 = 0$ for all of them. A product of "three equally likely values" and "always 0" is exact. So a single unbounded coordinate can carry everything, and a bijection with a product prior can represent *any* distribution on a finite set. (Van den Berg et al., 2021, prove it. It only moves the difficulty: the prior of that coordinate is then a table of all points.)
//
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
const byHand = square.map(([a, b]) => {
  const z1 = a + 2 * b;
  return { x: `(${a}, ${b})`, 'p(x)': a + b === 2 ? '0' : '1/3', z: `(${z1}, ${b - Math.round(z1 / 2 - 0.25)})` };
});
table(byHand, { caption: 'Two additive steps on ℤ²: the second coordinate is gone' });

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
const klOf = (slope: string) => found.filter((run) => run.slope === slope).map(({ kl }) => kl);
table(
  [
    { bijection: 'none: the product of the marginals', KL: distanceFromProduct([0, 1, 2, 3]) },
    { bijection: 'the best of the 24 of the square', KL: Math.min(...renamings) },
    { bijection: 'two steps on ℤ², by hand', KL: 0 },
    { bijection: 'learnt by differences, best of five', KL: Math.min(...klOf('difference')) },
    { bijection: 'learnt by differences, worst of five', KL: Math.max(...klOf('difference')) },
    { bijection: 'learnt by derivatives, best of five', KL: Math.min(...klOf('derivative')) },
    { bijection: 'learnt by derivatives, worst of five', KL: Math.max(...klOf('derivative')) },
  ],
  { caption: 'Three equally likely points of a square: divergence in nats', digits: 4 },
);

// %% [markdown] id="failures-more"
// **Depth hurts.** In a real flow more layers are more expressive. Here each layer hands its gradient through the roundings of all that follow, and the made-up part adds up: two rounds train *worse* than one (the table in section 6). Van den Berg et al. (2021) found that the harm of the bias depends much on the architecture, and is smaller than feared, on large colour images with 256 levels; with 17 levels and half of the pixels at exactly 0, it matters.
//
// **Exactness depends on arithmetic.** A translation within rounding error of a half may be rounded the other way on another machine, and one wrong integer sends all later steps astray. Whoever decodes has to repeat the encoder's arithmetic bit by bit. And integers are exact in float32 up to $2^{24}$ only; the library's half-integers up to $2^{23}$.
//
// **No fewer latents.** As with every flow, $\mathbf{z}$ has as many coordinates as $\mathbf{x}$: nothing is summarised.
//
// ### Sources
//
// E. Hoogeboom, J. Peters, R. van den Berg, M. Welling, *Integer discrete flows and lossless compression*, NeurIPS 2019. J. Tomczak, *General invertible transformations for flow-based generative modeling*, INNF+ 2021. R. van den Berg, A. Gritsenko, M. Dehghani, C. Sønderby, T. Salimans, *IDF++: analyzing and improving integer discrete flows for lossless compression*, ICLR 2021. D. Tran et al., *Discrete flows*, NeurIPS 2019. G. Papamakarios et al., *Normalizing flows for probabilistic modeling and inference*, JMLR 22 (2021), on what discrete flows cannot represent. T. Salimans, A. Karpathy, X. Chen, D. Kingma, *PixelCNN++*, ICLR 2017. Y. Bengio, N. Léonard, A. Courville, *Estimating or propagating gradients through stochastic neurons* (2013). J. Tomczak, *Deep Generative Modeling* (2024), chapter 4. The bug is in the hybrid model of the book's code (github.com/jmtomczak/intro_dgm), where a translation is rounded and then scaled by a trainable real number.
