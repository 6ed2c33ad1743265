// %% [markdown] id="title"
// # 13 Hybrid models
//
// A classifier knows $p(y \mid \mathbf{x})$, a generative model knows $p(\mathbf{x})$. A **hybrid** is one model of both, $p(\mathbf{x}, y) = p(y \mid \mathbf{x})\, p(\mathbf{x})$, with weights that the two share: a decision, and with it how usual the thing is that is decided about.
//
// The chapter builds two on the invertible networks of chapters 6 and 7, and asks what is claimed for hybrids, one claim at a time. Is a weighted sum of the two logarithms a likelihood? Do many images help few labels? Does a low $p(\mathbf{x})$ warn, and does a high one reassure? Does a latent for each thing that varies carry over to what was never seen? Everything printed below was computed by running this file (`npm run solutions -- 13`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adamW,
  baselines,
  blend,
  budgeted,
  calibrationPlot,
  card,
  createRng,
  density2d,
  diva,
  divaLabels,
  evaluate,
  figure,
  fit,
  histogramBaseline,
  hybridFlow,
  hybridIntegerFlow,
  imageGrid,
  importanceBound,
  klNormal,
  ladder,
  latentMap,
  load,
  logOfLabels,
  lossCurve,
  markovSource,
  permutation,
  rungsOf,
  roc,
  table,
  type Batch,
  type GenerativeModel,
  type HybridModel,
  type Rng,
} from 'dgm';
import { compiled } from 'dgm/engine';

const rng = createRng(13); // the one seed of this chapter
const digits = load('digits');
const [V, D] = [digits.values, 64];
const rowsOf = (x: tf.Tensor) => x.arraySync() as number[][];
const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
const deviationOf = (values: ArrayLike<number>) => {
  const mean = meanOf(values);
  const squares = Array.from(values, (v) => (v - mean) ** 2);
  return Math.sqrt(squares.reduce((sum, v) => sum + v, 0) / Math.max(1, squares.length - 1));
};
const errorOf = (values: ArrayLike<number>) => deviationOf(values) / Math.sqrt(values.length);
const percent = (flags: readonly boolean[]) => (100 * flags.filter(Boolean).length) / flags.length;
interface Classifier {
  logClasses(x: tf.Tensor): tf.Tensor;
}
const runs = new WeakMap<Classifier, ReturnType<typeof compiled>>();
/** ln p(y | x) of every class, compiled at the first call of each model. */
function classesOf(model: Classifier, x: tf.Tensor): tf.Tensor {
  const run = runs.get(model) ?? compiled(([images]) => [model.logClasses(images!)]);
  runs.set(model, run);
  return run([x], rng)[0]!;
}
/** Shares of wrong answers, in percent. */
function errorRate(model: Classifier, { x, y }: Batch): number {
  const said = tf.tidy(() => classesOf(model, x).argMax(1).dataSync());
  const truth = y!.dataSync();
  return percent(Array.from(said, (c, n) => c !== truth[n]));
}
/** −ln p(x, y) of each example: exact, or a bound by one draw. */
function jointNatsOf(model: HybridModel, { x, y }: Batch): number[] {
  if (model.likelihood.kind === 'exact') {
    const labels = tf.tidy(() => logOfLabels(classesOf(model, x), y!).dataSync());
    return logProbOf(model, x).map((value, n) => -value - labels[n]!);
  }
  const run = compiled(([images, labels], noise) => [model.logJoint(images!, labels!, noise)]);
  return Array.from(run([x, y!], rng.fork('joint'))[0]!.dataSync(), (value) => -value);
}
interface Scored {
  readonly run: ReturnType<typeof compiled>;
  readonly values: WeakMap<tf.Tensor, number[]>;
}
const scored = new WeakMap<GenerativeModel, Scored>();
/** ln p(x) of each image, compiled at the first call of each model, and computed once. */
function logProbOf(model: GenerativeModel, x: tf.Tensor): number[] {
  const { likelihood } = model;
  if (!('logProb' in likelihood)) throw new Error(`a ${likelihood.kind} likelihood has no ln p(x)`);
  const own = scored.get(model) ?? {
    run: compiled(([images], noise) => [likelihood.logProb(images!, noise)]),
    values: new WeakMap<tf.Tensor, number[]>(),
  };
  scored.set(model, own);
  const known = own.values.get(x) ?? [...own.run([x], rng.fork('ln p'))[0]!.dataSync()];
  own.values.set(x, known);
  return known;
}

interface Course {
  readonly epochs: number;
  readonly rate?: number;
  readonly batchSize?: number;
  readonly ema?: number;
}
/** One way of training for all models of the chapter; section 4 gives the reasons. */
async function trained<Model extends GenerativeModel>(model: Model, train: Batch, here: Rng, course: Course) {
  const { epochs, rate = 0.003, batchSize = 50, ema = 0.99 } = course;
  const steps = Math.ceil(train.x.shape[0]! / batchSize) * epochs;
  const falling = (step: number) => rate * Math.max(0.02, 0.5 + 0.5 * Math.cos(Math.PI * Math.min(1, step / steps)));
  const run = await fit(model, { train }, { epochs, batchSize, optimiser: adamW(falling), ema, rng: here, quiet: true });
  return { model, run };
} // prettier-ignore

// %% [markdown] id="why"
// ## Why: sure, and of what?
//
// A hybrid on an integer flow, trained as the sections below say. Each point is an image: to the right, how sure the model is of its label; upwards, how probable it finds the image. A classifier has the horizontal axis alone, and on that axis noise and digits upside down overlap with digits.

// %% id="why-picture"
const HEAD = { channels: 24, blocks: 2, dropout: 0.4, inputDropout: 0.2 }; // section 6 says why
const EPOCHS = budgeted(30, 60);
const trainHybrid = (here: Rng) =>
  trained(
    hybridIntegerFlow.create({ ...hybridIntegerFlow.defaults, ...HEAD, lambda: 1 }, here.fork('weights')),
    digits.train,
    here.fork('fit'),
    { epochs: EPOCHS },
  );
const first = await trainHybrid(rng.fork('hybrid 0'));
const hybrid = first.model;
const { x: testX, y: testY } = digits.test;
const upsideDown = tf.tidy(() => testX.reverse(1));
const randomNoise = tf.tidy(() => rng.fork('noise').uniform(testX.shape).mul(V).floor());
const confidenceOf = (model: Classifier, x: tf.Tensor) =>
  Array.from(tf.tidy(() => classesOf(model, x).exp().max(1).dataSync()));
figure(
  (
    [
      ['test digits', testX],
      ['upside down', upsideDown],
      ['random pixels', randomNoise],
    ] as const
  ).map(([name, x]) => ({
    ...{ x: confidenceOf(hybrid, x), y: logProbOf(hybrid, x), mode: 'markers', name },
    marker: { size: 5, opacity: 0.6 },
  })),
  { xaxis: { title: 'largest p(y | x)' }, yaxis: { title: 'ln p(x), nats' } },
  { height: 420, alt: 'Random pixels lie far below digits, at confidences that many digits have, too' },
);

// %% [markdown] id="family"
// ## 1 Family
//
// A flow gives each $\mathbf{x}$ its latent $\mathbf{z} = f(\mathbf{x})$ and loses nothing by it; so a classifier may as well look at $\mathbf{z}$, $p(y \mid \mathbf{x}) = p(y \mid f(\mathbf{x}))$, and share $f$ with the density (Nalisnick and others, 2019):
//
// $$\ln p(\mathbf{x}, y) = \ln p(y \mid \mathbf{z}) + \ln p(\mathbf{z}) + \ln \left| \det \partial \mathbf{z} / \partial \mathbf{x} \right|.$$
//
// With an **integer flow** $f$ renames the points of a lattice: there is no determinant, and all three of $p(\mathbf{x})$, $p(y \mid \mathbf{x})$ and $p(\mathbf{x}, y)$ are exact probabilities of integers. With a **RealNVP** they are densities, and of integers a lower bound.
//
// What must not be done to an integer flow is to scale its translation by a real number after it was rounded. The section on the bug has a published hybrid that does.
//
// ## 2 Network
//
// The flow's networks as in chapters 6 and 7, and a **head** on $\mathbf{z}$. In both flows $\mathbf{z}$ still is a picture, since a coupling leaves every pixel at its place; so the head may be convolutional. It is never inverted, and only it sees the labels.
//
// ## 3 Objective
//
// In most examples one thing at least was observed, the image; the label may be missing. What is minimised, with $\lambda$ as a weight,
//
// $$\mathcal{L} = -\frac1B \sum_{n=1}^{B} \Bigl( [y_n \text{ known}]\, \ln p(y_n \mid \mathbf{x}_n) + \lambda \ln p(\mathbf{x}_n) \Bigr).$$
//
// ### Exercise: the objective, with and without labels
//
// $y_n = -1$ says that there is no label.

// %% id="loss"
/**
 * The weighted objective of a batch in which labels may be missing.
 * @param logClasses ln p(y | x) [B, C] @param logP ln p(x) [B] @param y int32 [B], 0 … C − 1, or −1 @param lambda ≥ 0
 * @returns a scalar []
 */
function hybridLoss(logClasses: tf.Tensor, logP: tf.Tensor, y: tf.Tensor, lambda: number): tf.Tensor {
  // BEGIN SOLUTION hybrid.loss
  const all = tf.range(0, logClasses.shape[1]!);
  const known = y.toFloat().expandDims(1).equal(all).toFloat(); // [B, C], a row of zeros where there is no label
  const own = known.mul(logClasses).sum(1); // [B]
  return own.add(logP.mul(lambda)).mean().neg();
  // END SOLUTION
}

// %% id="check-loss"
await check('hybrid.loss', hybridLoss);

// %% [markdown] id="moons-text"
// **Your loss** trains a hybrid on a RealNVP in the plane: two half moons, 400 points, of which eight have a label.

// %% id="moons"
const ownLoss = yours(hybridLoss, (logClasses: tf.Tensor, logP: tf.Tensor, y: tf.Tensor, lambda: number) =>
  logOfLabels(logClasses, y).add(logP.mul(lambda)).mean().neg(),
);
const angles = [...rng.fork('moons').uniform([400]).dataSync()].map((u) => Math.PI * u);
const moons = tf.tidy(() => {
  const places = angles.map((t, n) => (n % 2 === 0 ? [Math.cos(t) - 0.5, Math.sin(t) - 0.25] : [0.5 - Math.cos(t), 0.25 - Math.sin(t)])); // prettier-ignore
  return tf.tensor2d(places).add(rng.fork('width').normal([400, 2]).mul(0.1));
});
const moonLabels = tf.tensor1d(Int32Array.from({ length: 400 }, (_, n) => (n < 8 ? n % 2 : -1)), 'int32'); // prettier-ignore
const planar = hybridFlow.create(
  { ...hybridFlow.tiny.config, classes: 2, steps: 4, hidden: [32], headHidden: [16], low: -1.5, high: 1.5 },
  rng.fork('planar'),
);
const density = planar.likelihood;
const byOwnLoss: GenerativeModel = {
  ...planar,
  objectives: [
    {
      ...planar.objectives[0]!,
      loss: ({ x, y }, noise) =>
        tf.tidy(() => {
          if (density.kind !== 'exact') throw new Error('real points have an exact density');
          return ownLoss(planar.logClasses(x), density.logProb(x, noise), y!, 0.1);
        }),
    },
  ],
};
await trained(byOwnLoss, { x: moons, y: moonLabels }, rng.fork('moons fit'), { epochs: budgeted(60), rate: 0.01 });
const axis = Array.from({ length: 41 }, (_, i) => (i - 20) / 10);
const plane = tf.tensor2d(axis.flatMap((b) => axis.map((a) => [a, b])));
const gridRows = (values: ArrayLike<number>) =>
  axis.map((_, i) => Array.from(values).slice(i * axis.length, (i + 1) * axis.length));
const p = logProbOf(planar, plane).map(Math.exp);
const right = tf.tidy(() => planar.logClasses(plane).slice([0, 1], [-1, 1]).exp().dataSync());
density2d({ x: axis, y: axis, density: p }, rowsOf(moons), { title: `p(x): loss ${ownLoss.by()}` });
figure(
  [
    {
      ...{ type: 'contour', x: axis, y: axis, z: gridRows(right), name: 'p(y = 1 | x)', showscale: false },
      ...{ colorscale: [[0, '#f7d3ba'], [0.5, '#ffffff'], [1, '#bcd6f5']], contours: { start: 0.1, end: 0.9, size: 0.2 }, line: { width: 0.5 } },
    },
    ...[0, 1].map((c) => ({
      ...{ x: rowsOf(moons).flatMap((row, n) => (n % 2 === c ? [row[0]!] : [])), y: rowsOf(moons).flatMap((row, n) => (n % 2 === c ? [row[1]!] : [])) },
      ...{ mode: 'markers', name: `moon ${c}`, marker: { size: 3, color: c === 0 ? '#d9691e' : '#2f7ed8' } },
    })),
    { x: rowsOf(moons).slice(0, 8).map((row) => row[0]!), y: rowsOf(moons).slice(0, 8).map((row) => row[1]!), mode: 'markers', name: 'labelled', marker: { size: 11, color: '#111111', symbol: 'x' } },
  ],
  { title: 'p(y = 1 | x) from eight labels', xaxis: { title: 'x₁', range: [-2, 2], constrain: 'domain' }, yaxis: { title: 'x₂', range: [-2, 2], scaleanchor: 'x' } },
  { height: 420, alt: 'The boundary between two half moons' },
); // prettier-ignore

// %% [markdown] id="weight"
// **What $\lambda$ is not.** At $\lambda = 1$ the objective is $-\ln p(\mathbf{x}, y)$: maximum likelihood for a joint distribution. An image has 64 pixels and one label, so the image's term is some hundred nats and the label's a tenth of one; with another $\lambda$ labels get more weight. That is legitimate as a way of training. It is none of reporting: $p(y \mid \mathbf{x})\, p(\mathbf{x})^\lambda$ does not sum to 1.
//
// ### Exercise: derive what it sums to
//
// Over all $\mathbf{x}$ and $y$, for a $p(\mathbf{x}) = \prod_d p_d(x_d)$ whose $D$ coordinates are independent, with a table each. No formula is given. Find one whose cost is that of going through the tables once.

// %% id="power"
/**
 * ln Σ_x Σ_y p(y | x) p(x)^λ, for independent coordinates, whatever p(y | x) is.
 * @param p a table for each coordinate: p[d][v], each above 0, each table sums to 1 @param lambda λ, above 0
 */
function logPowerSum(p: readonly (readonly number[])[], lambda: number): number {
  // BEGIN SOLUTION hybrid.power
  const each = p.map((values) => Math.log(values.reduce((sum, v) => sum + v ** lambda, 0)));
  return each.reduce((left, right) => left + right, 0);
  // END SOLUTION
}

// %% id="check-power"
await check('hybrid.power', logPowerSum);

// %% [markdown] id="power-text"
// **What that means for digits**, if $p(\mathbf{x})$ were the histogram of each pixel, by *your* function: how many nats an image a report of $-\ln p(y\mid\mathbf{x}) - \lambda \ln p(\mathbf{x})$ claims, and what is left once it is divided by its sum. Weights like $1/64$ are in use, "nats a pixel beside nats a label". Nothing of the 106 nats is gone; they were only not counted.

// %% id="power-table"
const ownPower = yours(logPowerSum, (tables: readonly (readonly number[])[], lambda: number) =>
  tables.reduce((total, own) => total + Math.log(own.map((v) => Math.pow(v, lambda)).reduce((a, b) => a + b)), 0),
);
const levels = tf.tidy(() => rowsOf(tf.oneHot(digits.train.x.toInt() as tf.Tensor2D, V).toFloat().mean(0).add(0.01 / V).div(1.01))); // prettier-ignore
const histogramNats = evaluate(histogramBaseline(digits.train, V), digits.test, rng).nats;
table(
  [1 / 64, 0.1, 0.5, 1, 2].map((lambda) => {
    const sum = levels.map((own) => ownPower([own], lambda)).reduce((a, b) => a + b, 0); // pixel by pixel
    return { λ: lambda.toFixed(3), 'claimed: −λ ln p(x)': lambda * histogramNats, 'ln of the sum': sum, 'divided by it': lambda * histogramNats + sum };
  }),
  { caption: `The histogram’s test digits, nats an image: ${ownPower.by()}`, digits: 1 },
); // prettier-ignore

// %% [markdown] id="blend"
// ### A principled blend
//
// Lasserre, Bishop and Minka (2006) do not weight. They say: the model that tells classes apart, with weights $\theta$, and the one that explains images, with weights $\tilde\theta$, are two, and we *believe* that they are alike:
//
// $$p(\theta, \tilde\theta) \propto \exp\Bigl(-\frac{\lVert \theta - \tilde\theta \rVert^2}{2 \sigma^2}\Bigr), \qquad \mathcal{L} = -\sum_n \bigl(\ln p(y_n \mid \mathbf{x}_n; \theta) + \ln p(\mathbf{x}_n; \tilde\theta)\bigr) - \ln p(\theta, \tilde\theta).$$
//
// For every $\sigma$ this is the logarithm of a joint density of labels, images and weights, up to a constant (it says nothing of $\theta + \tilde\theta$, and is improper there until a weight decay on both makes it proper). $\sigma \to 0$ is one **generative** model, $\sigma \to \infty$ a **discriminative** one beside a density that has nothing to say to it.
//
// ### Predict: where a blend ends up
//
// *Before* you run the figure: near its optimum each half's loss is a parabola, $\frac{a}{2} (\theta - u)^2$ and $\frac{b}{2} (\tilde\theta - v)^2$. Where do $\theta$ and $\tilde\theta$ end up? At $\sigma = 0$ they are one.

// %% id="blended"
/**
 * The θ and θ̃ that minimise a/2 (θ − u)² + b/2 (θ̃ − v)² + (θ − θ̃)² / (2 σ²).
 * @param u and v where each half by itself would be @param a and b their curvatures, above 0 @param sigma σ ≥ 0, finite
 */
function blendOf(u: number, v: number, a: number, b: number, sigma: number): { theta: number; tilde: number } {
  // BEGIN SOLUTION hybrid.blended
  const loose = a * b * sigma ** 2; // both conditions times σ², so that σ = 0 is no special case
  const whole = loose + a + b;
  return { theta: (loose * u + a * u + b * v) / whole, tilde: (loose * v + a * u + b * v) / whole };
  // END SOLUTION
}

// %% id="blended-figure"
const foretold = (sigma: number) => {
  try {
    return blendOf(1, -1, 0.5, 2, sigma);
  } catch {
    return undefined;
  }
};
/** By gradient descent on both. */
function descended(sigma: number): { theta: number; tilde: number } {
  let [theta, tilde] = [1, -1];
  const rate = 0.3 / (2 + 2 / sigma ** 2);
  for (let i = 0; i < 20_000; i++) {
    const tie = (theta - tilde) / sigma ** 2;
    [theta, tilde] = [theta - rate * (0.5 * (theta - 1) + tie), tilde - rate * (2 * (tilde + 1) - tie)];
  }
  return { theta, tilde };
}
const sigmas = [0.1, 0.3, 0.7, 1.5, 3, 6, 12];
const ends = sigmas.map(descended);
figure(
  (['theta', 'tilde'] as const).flatMap((which) => [
    { x: sigmas, y: ends.map((end) => end[which]), mode: 'markers', name: `${which === 'theta' ? 'of labels' : 'of images'}: by descent`, marker: { size: 9 } },
    { x: sigmas, y: sigmas.map((sigma) => foretold(sigma)?.[which] ?? null), mode: 'lines', name: `${which === 'theta' ? 'of labels' : 'of images'}: predicted` },
  ]),
  { xaxis: { title: 'σ', type: 'log' }, yaxis: { title: 'weight; u = 1, a = ½, v = −1, b = 2' } },
  { height: 320, alt: 'Two weights from a common value at small σ to their own optima' },
); // prettier-ignore

// %% id="check-blended"
await check('hybrid.blended', blendOf);

// %% [markdown] id="optimiser"
// ## 4 Optimiser
//
// AdamW, with a rate that falls to 0 along a cosine, and the average of the weights over the last hundred steps or so. The head overfits first: of 1,000 images it soon knows every label. Dropout of its features and of what it sees holds it back; the flow's networks need none, having the whole image to explain.
//
// ## 5 Training
//
// No early stopping: validated by $\ln p(\mathbf{x})$ alone, a hybrid would be stopped for its images' sake, and by the error, which moves in steps of one image in 350, for luck's. The number of epochs is fixed.

// %% id="training"
lossCurve(first.run, { title: 'The hybrid of the first picture', unit: '−ln p(x, y), nats' });

// %% [markdown] id="hyper"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// First $\lambda$, on the validation set, all else equal (shorter trainings of a smaller head). $\lambda = 0$ is the head alone, on a flow that only serves it. Then a larger head with more dropout, once as shortly, and once as the model of the first picture was trained.

// %% id="lambdas"
const SHORT = budgeted(12, 30);
const onValidation = (name: string, lambda: number, model: HybridModel) => {
  const [nats, joint] = [-meanOf(logProbOf(model, digits.validation.x)), meanOf(jointNatsOf(model, digits.validation))];
  const error = errorRate(model, digits.validation);
  return { λ: lambda, head: name, 'error, %': error, '−ln p(x)': nats, '−ln p(y | x)': joint - nats, '−ln p(x, y)': joint };
}; // prettier-ignore
const byLambda = [];
const shortly = async (name: string, config: Partial<typeof hybridIntegerFlow.defaults> & { lambda: number }) => {
  const here = rng.fork('lambda'); // the same start and the same order for all
  const model = hybridIntegerFlow.create({ ...hybridIntegerFlow.defaults, ...config }, here.fork('weights'));
  await trained(model, digits.train, here.fork('fit'), { epochs: SHORT });
  return onValidation(name, config.lambda, model);
};
for (const lambda of budgeted(4) < 4 ? [0, 1] : [0, 0.01, 1, 100])
  byLambda.push(await shortly('16 channels, 1 block', { lambda }));
byLambda.push(
  await shortly('24 channels, 2 blocks', { ...HEAD, lambda: 1 }),
  onValidation('24 channels, 2 blocks, longer', 1, hybrid),
);
table(byLambda, { caption: 'Validation images, by λ: exact, nats an image', digits: 2 });

// %% [markdown] id="lambdas-reading"
// One image in 350 is 0.3 %: the errors do not tell these $\lambda$ apart, so that there is no reason to leave $\lambda = 1$, where the objective is the joint's likelihood and needs no excuse. (With a flow and a head that are both large enough for a thousand images, neither has to give anything up for the other. $\lambda = 0$ is another matter: nobody asked that flow for a density.) Between the heads the error cannot decide either, and the joint's likelihood hardly: it is the labels' own term, $-\ln p(y \mid \mathbf{x})$, that the larger one has smaller, and so we take it.
//
// Now three seeds of it, and a RealNVP under a head of the same kind, on the test set. The **joint** is below the histogram, which explains the images only.

// %% id="joint"
const seeds = [hybrid];
for (let seed = 1; seed < Math.min(3, budgeted(3)); seed++)
  seeds.push((await trainHybrid(rng.fork(`hybrid ${seed}`))).model);
const overRealNvps: HybridModel[] = [];
for (let seed = 0; seed < Math.min(3, budgeted(1, 3)); seed++) {
  const here = rng.fork(`nvp ${seed}`);
  const config = { ...hybridFlow.defaults, ...HEAD, steps: 4 };
  const run = await trained(hybridFlow.create(config, here.fork('weights')), digits.train, here.fork('fit'), { epochs: budgeted(20, 60) }); // prettier-ignore
  overRealNvps.push(run.model);
}
const DRAWS = budgeted(16);
const ofHistogram = evaluate(histogramBaseline(digits.train, V), digits.test, rng).perExample;
const joined = (name: string, models: readonly HybridModel[]) => {
  const errors = models.map((model) => errorRate(model, digits.test));
  const nats = models.map((model) => -meanOf(logProbOf(model, testX)));
  const each = models.map((model) => jointNatsOf(model, digits.test));
  const joint = each.map(meanOf);
  const below = Array.from(ofHistogram, (value, n) => value - meanOf(each.map((own) => own[n]!))); // image by image
  return {
    model: name,
    'test error, %': meanOf(errors),
    'error ± (seeds)': errors.length > 1 ? errorOf(errors) : '',
    '−ln p(x)': meanOf(nats),
    '−ln p(x, y)': meanOf(joint),
    'joint ± (seeds)': joint.length > 1 ? errorOf(joint) : '',
    'joint below histogram': meanOf(below),
    '± (images)': errorOf(below),
  };
};
table(
  [
    joined(`on an integer flow, ${seeds.length} seeds (exact)`, seeds),
    joined(
      `on a RealNVP, ${overRealNvps.length === 1 ? 'one seed' : `${overRealNvps.length} seeds`} (bound by one draw)`,
      overRealNvps,
    ),
    {
      model: 'histogram, no labels',
      'test error, %': '',
      'error ± (seeds)': '',
      '−ln p(x)': histogramNats,
      '−ln p(x, y)': '',
      'joint ± (seeds)': '',
      'joint below histogram': '',
      '± (images)': '',
    },
  ],
  { caption: 'Test digits: errors, and nats an image', digits: 2 },
);
ladder(
  rungsOf(
    [
      ...(await baselines(digits, rng.fork('baselines'))),
      { name: 'hybrid on an integer flow', model: seeds },
      { name: `hybrid on a RealNVP, ${DRAWS} draws`, model: overRealNvps.map((model) => importanceBound(model, DRAWS)) },
    ],
    digits.test,
    rng.fork('ladder'),
  ),
  { title: 'ln p(x): nats per test image; bars: standard error over the images' },
); // prettier-ignore

// %% [markdown] id="known-text"
// ### Against a known truth
//
// On a source of known entropy every nat above it is divergence, and one below it would prove a bug. Chapter 5's Markov strings of twelve symbols, $H = 7.413$ nats, with a label: does the last symbol equal the first? One label in ten is wrong, which adds $H(y \mid \mathbf{x}) = 0.325$. The divergence of the joint is the sum of two, $\mathrm{KL}$ of the strings and, on average over them, of the label.

// %% id="known"
const strings = markovSource({
  ...{ length: 12, start: [0.4, 0.3, 0.3] },
  transition: [[0.8, 0.2, 0], [0, 0.7, 0.3], [0.5, 0, 0.5]],
}); // prettier-ignore
/** Strings, labels, and ln p(y | x) by the source itself. */
function labelledStrings(count: number, here: Rng) {
  const x = strings.sample({ count, rng: here.fork('x') });
  const equal = rowsOf(x).map((row) => Number(row[0] === row[11]));
  const flipped = Array.from(here.fork('wrong').uniform([count]).dataSync(), (u) => u < 0.1);
  const y = tf.tensor1d(Int32Array.from(equal, (own, n) => (flipped[n] ? 1 - own : own)), 'int32'); // prettier-ignore
  return { x, y, logLabels: flipped.map((wrong) => Math.log(wrong ? 0.1 : 0.9)) };
}
const ofStrings = hybridIntegerFlow.create(
  { ...hybridIntegerFlow.defaults, eventShape: [12], width: 12, components: 3, high: 2, classes: 2, columns: 0, headHidden: [32], dropout: 0, inputDropout: 0 },
  rng.fork('strings'),
); // prettier-ignore
const stringRun = { epochs: budgeted(12, 60), batchSize: 100 };
await trained(ofStrings, labelledStrings(4000, rng.fork('string train')), rng.fork('string fit'), stringRun);
const others = labelledStrings(4000, rng.fork('string test'));
const ofSource = Array.from(evaluate(strings, others, rng).perExample); // the source's own score on the same strings
const byHybrid = logProbOf(ofStrings, others.x).map((value) => -value);
const labelNats = tf.tidy(() => Array.from(logOfLabels(classesOf(ofStrings, others.x), others.y).dataSync(), (value) => -value)); // prettier-ignore
const beside = (of: string, entropy: number, source: readonly number[], own: readonly number[]) => {
  const apart = own.map((value, n) => value - source[n]!); // string by string
  return { of, 'entropy H': entropy, 'source on these': meanOf(source), hybrid: meanOf(own), KL: meanOf(apart), '± (strings)': errorOf(apart) };
}; // prettier-ignore
table(
  [
    beside('strings, p(x)', strings.entropy, ofSource, byHybrid),
    beside('labels, p(y | x)', -0.1 * Math.log(0.1) - 0.9 * Math.log(0.9), others.logLabels.map((value) => -value), labelNats),
  ],
  { caption: '4,000 strings that were not trained on, nats', digits: 3 },
); // prettier-ignore

// %% [markdown] id="few"
// No divergence is below 0. That of the strings is the integer flow's, which leaves much of what symbols know of each other, as in chapter 7, in a shorter training; the label hangs on two symbols far apart, and its divergence is what the head has not learnt of that.
//
// ### Few labels, many images
//
// Ten labels, fifty or a hundred, as many of each digit, and images without a label to make a thousand. Does $\ln p(\mathbf{x})$ of the images help the classifier? Two kinds of hybrid, each against *its own* classifier alone: the same weights at the start, the same labels, and of the flow the term of the images, of the blend the tie taken away. Pairs share a seed, and the standard error is that of their differences.

// %% id="few-labels"
const trainY = digits.train.y.dataSync();
/** Labels of as many examples of each class, −1 for all others. */
function fewLabels(each: number, here: Rng): Batch & { readonly y: tf.Tensor } {
  const left = Array.from({ length: 10 }, () => each);
  const y = new Int32Array(trainY.length).fill(-1);
  for (const n of permutation(y.length, here)) if (left[trainY[n]!]!-- > 0) y[n] = trainY[n]!;
  return { x: digits.train.x, y: tf.tensor1d(y, 'int32') };
}
const PAIRS = Math.min(3, budgeted(3));
const flowPair = async (train: Batch, here: Rng) => {
  const errors = [];
  for (const lambda of [0, 1]) {
    const model = hybridIntegerFlow.create({ ...hybridIntegerFlow.defaults, lambda }, here.fork('weights'));
    await trained(model, train, here.fork('fit'), { epochs: budgeted(8, 60) });
    errors.push(errorRate(model, digits.test));
  }
  return errors as [number, number];
};
const tied = async (train: Batch, tie: number, here: Rng) => {
  const model = blend.create({ ...blend.defaults, tie }, here.fork('weights'));
  model.start(train.x, train.y!);
  const counted = errorRate(model, digits.test);
  await trained(model, train, here.fork('fit'), { epochs: budgeted(40, 80), rate: 0.05, batchSize: 100 });
  return { model, counted, error: errorRate(model, digits.test), apart: model.distance().dataSync()[0]! };
};
interface Pair {
  readonly alone: number;
  readonly both: number;
}
const gain = (of: readonly Pair[]) => {
  const differences = of.map(({ alone, both }) => alone - both);
  const error = PAIRS > 1 ? errorOf(differences) : '';
  return { 'classifier alone, %': meanOf(of.map(({ alone }) => alone)), 'with all images, %': meanOf(of.map(({ both }) => both)), gained: meanOf(differences), 'standard error': error, 'pairs that gained': `${differences.filter((v) => v > 0).length} of ${PAIRS}` };
}; // prettier-ignore
const byLabels = [];
for (const each of budgeted(3) < 3 ? [5] : [1, 5, 10]) {
  const [flows, blends, counting]: [Pair[], Pair[], Pair[]] = [[], [], []];
  for (let seed = 0; seed < PAIRS; seed++) {
    const here = rng.fork(`few ${each} ${seed}`);
    const train = fewLabels(each, here.fork('labels'));
    const [apart, one] = [await tied(train, 0, here), await tied(train, 0.01, here)];
    const [alone, both] = await flowPair(train, here);
    flows.push({ alone, both });
    blends.push({ alone: apart.error, both: one.error });
    counting.push({ alone: apart.counted, both: one.error });
  }
  byLabels.push(
    { labels: 10 * each, hybrid: 'p(y | z) on an integer flow, λ = 0 and 1', ...gain(flows) },
    { labels: 10 * each, hybrid: 'blend of two mixtures, untied and tied', ...gain(blends) },
    { labels: 10 * each, hybrid: 'counted tables, and the tied blend', ...gain(counting) },
  );
}
table(byLabels, { caption: `Test error, means over ${PAIRS} choices of the labels`, digits: 2 });

// %% [markdown] id="few-reading"
// **The flow's hybrid gains half a point at the most, after full trainings (of the three numbers of labels, fifty alone by more than two standard errors), and nothing after short ones; the blend gains nineteen points, nine and six, between three and ten standard errors.** (The third row of each three starts from tables that were counted from the labelled images: that is where both halves of the blend start, and where a half without images stays.) The reason is in the formulas. In $p(y \mid \mathbf{z})\, p(\mathbf{z})$ an image without a label has the term $\ln p(f(\mathbf{x}))$, in which no weight of the head occurs; all it can do is to choose another $f$, and the head would have done with any. If the two factors shared nothing, it could do nothing at all: where labels do not tell which density, densities do not tell which labels. In the mixture the class is *inside* the density, $p(\mathbf{x}) = \sum_y p(y)\, p(\mathbf{x} \mid y)$: an image without a label says how its most probable class looks. It pays as far as classes are what the components find. (In absolute terms the head on the flow, a convolutional network, is the better classifier of fifty labels all the same: pictures seen through windows tell it more than 950 images tell a mixture.)
//
// How strong a tie? The halves' distance, and the error, from no tie to one model, with 50 labels and with 1,000:

// %% id="ties"
const TIES = [0, 1e-5, 1e-4, 1e-2];
const byTie = [];
for (const each of budgeted(2) > 1 ? [5, 100] : [5]) {
  const here = rng.fork(`ties ${each}`);
  const train = each === 5 ? fewLabels(5, rng.fork('few 5 0').fork('labels')) : digits.train;
  for (const tie of TIES) {
    const { model, apart } = await tied(train, tie, here);
    byTie.push({
      labels: each === 5 ? 50 : 1000,
      'tie 1 / (N σ²)': tie.toExponential(0),
      'σ for N = 1000': tie === 0 ? '∞' : Math.sqrt(1 / (1000 * tie)).toFixed(2),
      '‖θ − θ̃‖²': apart,
      'error, %': errorRate(model, digits.validation),
      '−ln p(x)': evaluate(model, digits.validation, rng).nats,
    });
  }
}
table(byTie, { caption: 'Validation images, blends of two mixtures of grey-level tables (one seed)', digits: 1 }); // prettier-ignore

// %% [markdown] id="decide"
// With fifty labels any tie is worth having, and from loose to tight makes little difference; untied, the labels are on their own. With a thousand, the four are within two images in a hundred of each other, which 350 validation images do not tell apart.
//
// ### Decide or decline
//
// Chapter 1 declined inputs of low $p(\mathbf{x})$, by a model that did not know the classifier. A hybrid is both. Its rival is a classifier that declines when it is unsure, **calibrated**, so that its probabilities mean something: with a temperature $T$ in $\operatorname{softmax}(\ln p(y \mid \mathbf{x}) / T)$ that the validation set chooses.

// %% id="calibrated"
const scaledBy = (T: number): Classifier => ({
  logClasses: (x) => tf.tidy(() => tf.logSoftmax(hybrid.logClasses(x).div(T))),
});
const validClasses = classesOf(hybrid, digits.validation.x);
const validNats = (T: number) =>
  tf.tidy(
    () =>
      -logOfLabels(tf.logSoftmax(validClasses.div(T)), digits.validation.y)
        .mean()
        .dataSync()[0]!,
  );
const [temperature] = [0.5, 0.7, 0.85, 1, 1.2, 1.5, 2, 3].sort((a, b) => validNats(a) - validNats(b)) as [
  number,
  ...number[],
];
const calibrated = scaledBy(temperature);
const truth = testY.dataSync();
const saidBy = (x: tf.Tensor) => Array.from(tf.tidy(() => classesOf(hybrid, x).argMax(1).dataSync()));
calibrationPlot(
  { scores: confidenceOf(calibrated, testX), positive: saidBy(testX).map((c, n) => c === truth[n]) },
  { title: `Test digits: how often the label is right, T = ${temperature}` },
); // prettier-ignore

// %% [markdown] id="narrow-text"
// **Is $p(\mathbf{x})$ a measure of what is usual?** Take the simplest density in many dimensions.
//
// ### Predict: strangers that are more probable than the data
//
// *Before* you run the table: the model is $\mathcal{N}(\mathbf{0}, \mathbf{I})$ in $D$ dimensions, and it is perfect: data come from it. Measure $\ln p$ from its mean over the data. How high is the *mode* $\mathbf{x} = \mathbf{0}$; how high are, on average, *strangers* from $\mathcal{N}(\mathbf{0}, s^2 \mathbf{I})$; and what is the standard *deviation* of $\ln p$ over the data?

// %% id="narrow"
/**
 * ln p of N(0, I) in D dimensions, less its mean over data from it.
 * @param D dimensions @param s the deviation of strangers from N(0, s² I), at least 0
 * @returns at x = 0 (mode), on average over strangers, and the standard deviation over the data; in nats
 */
function surpriseOf(D: number, s: number): { mode: number; strangers: number; deviation: number } {
  // BEGIN SOLUTION hybrid.narrow
  return { mode: D / 2, strangers: (D / 2) * (1 - s ** 2), deviation: Math.sqrt(D / 2) };
  // END SOLUTION
}

// %% id="narrow-table"
const guessed = (size: number, s: number) => {
  try {
    return surpriseOf(size, s);
  } catch {
    return undefined;
  }
};
table(
  [
    [2, 0.7],
    [64, 0.7],
    [784, 0.7],
    [784, 1.2],
  ].map(([size, s]) => {
    const draws = rng.fork(`narrow ${size}`).normal([2000, size!]);
    const score = (scale: number) => Array.from(tf.tidy(() => draws.mul(scale).square().sum(1).mul(-0.5).dataSync()));
    const [own, strangers, told] = [score(1), score(s!), guessed(size!, s!)];
    return { D: size!, s: s!, 'mode, measured': -meanOf(own), predicted: told?.mode ?? '–', 'strangers, measured': meanOf(strangers) - meanOf(own), ' predicted': told?.strangers ?? '–', 'deviation, measured': deviationOf(own), '  predicted': told?.deviation ?? '–' };
  }),
  { caption: 'ln p(x) above the mean of the data, nats; 2,000 draws', digits: 2 },
); // prettier-ignore

// %% id="check-narrow"
await check('hybrid.narrow', surpriseOf);

// %% [markdown] id="typical-text"
// In 784 dimensions strangers of $s = 0.7$ are ten deviations *more* probable than data, all of them, under a perfect model. A deep density does the same to real images: smooth and constant ones come out on top (Nalisnick and others, 2019). Data do not lie where the density is highest, but where most of the *mass* is, in the **typical set**. Two cures are in use:
//
// - **Typicality**: what is too probable is odd as well.
// - A **likelihood ratio** (Ren and others, 2019): $\ln p(\mathbf{x}) - \ln p_0(\mathbf{x})$ with a background $p_0$ that knows pixels and nothing of what they make together, here the histogram of scans of which a tenth of the pixels were changed: what makes a black image easy, makes it easy for both.
//
// ### Exercise: typical, neither too improbable nor too probable
//
// With $N$ held-out images: of these, one share is *at most* as probable as $\mathbf{x}$, another is *at least* as probable. Twice the smaller of the two, but no more than 1, is the $p$-value of a rank test with two sides. (An exact test counts $\mathbf{x}$ itself in, $(k + 1) / (N + 1)$ for $k / N$, so that it is never 0; with 350 images the two hardly differ.)

// %% id="typical"
/**
 * How typical each input is: twice the smaller share of held-out images on either side of it, at most 1. What is equal
 * counts on both sides.
 * @param logP ln p(x) [B] @param heldOut ln p of held-out images [N] @returns [B], from 0 to 1
 */
function typicality(logP: tf.Tensor, heldOut: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION hybrid.typical
  const [own, other] = [logP.expandDims(1), heldOut.expandDims(0)];
  const below = other.lessEqual(own).toFloat().mean(1); // [B]
  const above = other.greaterEqual(own).toFloat().mean(1); // [B]
  return below.minimum(above).mul(2).minimum(1);
  // END SOLUTION
}

// %% id="check-typical"
await check('hybrid.typical', typicality);

// %% [markdown] id="strangers-text"
// **Strangers for the digits' hybrid.** The area under the curve (chapter 1) says how often a stranger looks odder than a test digit: 1 is perfect, ½ is chance, and below ½ strangers look *more* usual than digits. Four ways to look: how unsure the classifier is, $-\ln p(\mathbf{x})$, *your* typicality, and the ratio. Held-out images are those of the validation set.

// %% id="strangers"
const ownTypicality = yours(typicality, (logP: tf.Tensor, heldOut: tf.Tensor) => {
  const [v, h] = [logP.reshape([-1, 1]), heldOut.reshape([1, -1])];
  const [lower, upper] = [h.lessEqual(v).toFloat().mean(1), h.greaterEqual(v).toFloat().mean(1)];
  return tf.minimum(lower, upper).mul(2).clipByValue(0, 1);
});
/** ln of the histogram of each pixel, if a tenth of the pixels were changed to anything: [D, V] */
const plain = tf.tidy(() => tf.oneHot(digits.train.x.toInt() as tf.Tensor2D, V).toFloat().mean(0).mul(0.9).add(0.1 / V).log()); // prettier-ignore
const backgroundOf = (x: tf.Tensor) =>
  Array.from(
    tf.tidy(() =>
      tf
        .oneHot(x.toInt() as tf.Tensor2D, V)
        .toFloat()
        .mul(plain)
        .sum([1, 2])
        .dataSync(),
    ),
  );
const heldOut = tf.tensor1d(logProbOf(hybrid, digits.validation.x));
const ratioOf = (x: tf.Tensor) => {
  const plainly = backgroundOf(x);
  return logProbOf(hybrid, x).map((value, n) => value - plainly[n]!);
};
const typicalOf = (x: tf.Tensor) =>
  Array.from(tf.tidy(() => ownTypicality(tf.tensor1d(logProbOf(hybrid, x)), heldOut).dataSync()));
const onTruth = tf.oneHot(testY.toInt() as tf.Tensor1D, 10).toFloat(); // [447, 10]
const slopeOf = compiled(([images]) => [
  tf.grad((x: tf.Tensor) => hybrid.logClasses(x).mul(onTruth).sum().neg())(images!),
]);
const slope = slopeOf([testX], rng)[0]!;
/** One step of the fast gradient sign against this hybrid (chapter 1), whole grey levels. */
const attacked = (epsilon: number) =>
  tf.tidy(() => {
    return testX.add(slope.sign().mul(epsilon)).clipByValue(0, V - 1);
  });
const shaken = tf.tidy(() =>
  testX.add(rng.fork('signs').uniform(testX.shape).sub(0.5).sign().mul(2)).clipByValue(0, V - 1),
);
const constants = tf.tidy(() =>
  tf
    .range(0, V)
    .expandDims(1)
    .mul(tf.ones([1, D])),
); // one image of each grey level
const nearlyBlack = tf.tidy(() => rng.fork('specks').uniform([200, D]).greater(0.98).toFloat().mul(4));
const faint = tf.tidy(() => testX.mul(0.5).round());
const sets: readonly (readonly [string, tf.Tensor])[] = [
  ['worst noise of 2 grey levels', attacked(2)],
  ['random noise of 2 grey levels', shaken],
  ['upside down', upsideDown],
  ['half as bright', faint],
  ['black with specks', nearlyBlack],
  ['black', tf.zeros([1, D])],
  ['constant, each grey level', constants],
  ['random pixels', randomNoise],
];
/** How often a stranger is odder than a digit, where `usual` is high for what is usual. */
const auroc = (usual: (x: tf.Tensor) => ArrayLike<number>, x: tf.Tensor) => {
  const [digitsOwn, strangers] = [Array.from(usual(testX)), Array.from(usual(x))];
  return roc(
    [...strangers, ...digitsOwn].map((v) => -v),
    [...strangers.map(() => true), ...digitsOwn.map(() => false)],
  ).auc;
};
table(
  sets.map(([strangers, x]) => ({
    strangers,
    'mean ln p(x)': meanOf(logProbOf(hybrid, x)),
    'unsure, calibrated': auroc((own) => confidenceOf(calibrated, own), x),
    '−ln p(x)': auroc((own) => logProbOf(hybrid, own), x),
    typicality: auroc(typicalOf, x),
    ratio: auroc(ratioOf, x),
  })),
  { caption: `Area under the curve, strangers against test digits; typicality: ${ownTypicality.by()}`, digits: 3 },
);
figure(
  [['test digits', testX] as const, ...sets.slice(1, 5)].map(([name, x]) => ({
    ...{ type: 'histogram', x: logProbOf(hybrid, x), name, opacity: 0.6, histnorm: 'probability' },
    xbins: { size: 4 },
  })),
  { barmode: 'overlay', xaxis: { title: 'ln p(x), nats', range: [-260, -20] }, yaxis: { title: 'share of images' } },
  { height: 360, alt: 'Histograms of ln p(x) of digits and strangers' },
); // prettier-ignore

// %% [markdown] id="strangers-reading"
// Columns disagree. $-\ln p(\mathbf{x})$ finds what is full of noise or ink. Of what is *simple*, black images with and without specks, it is far worse than a coin: nearly every digit is less probable than a black image, which has no digit on it. Typicality sees that, but throws away what it knew about digits that are paler or upside down, because a rank from both sides counts what lies on either as the same. The ratio forgives what is plain to every model of pixels, and is the only one of the three without a row at a coin's or below it; it depends on the background, which somebody has to think of. The classifier's doubt knows nothing of images, finds a black one odd as it lies between all classes, and is no help against noise that leaves digits readable. None of them is *the* measure of the unknown: each is a second question.

// %% id="decline"
const byRank = (of: (x: tf.Tensor) => ArrayLike<number>) => {
  const good = Array.from(of(digits.validation.x)).sort((a, b) => a - b);
  const threshold = good[Math.floor(0.05 * good.length)]!; // one good digit in twenty is declined
  return (x: tf.Tensor) => Array.from(of(x), (value) => value < threshold);
};
const declining = {
  unsure: byRank((x) => confidenceOf(calibrated, x)),
  'low p(x)': byRank((x) => logProbOf(hybrid, x)),
  untypical: (x: tf.Tensor) => typicalOf(x).map((value) => value < 0.05),
};
const onInk = tf.tidy(() => attacked(2).maximum(1).mul(testX.greater(0).toFloat())); // black pixels stay black
table(
  ([['test digits', testX], ['worst noise, 1 grey level', attacked(1)], sets[0]!, ['the same, on ink only', onInk], sets[1]!] as const).map(([name, x]) => {
    const wrong = saidBy(x).map((c, n) => c !== truth[n]);
    const row: Record<string, string | number> = { images: name, 'wrong, %': percent(wrong) };
    for (const [rule, declines] of Object.entries(declining)) {
      const declined = declines(x);
      row[`declined: ${rule}`] = percent(declined);
      row[`wrong, passed: ${rule}`] = percent(wrong.map((w, n) => w && !declined[n]));
    }
    return row;
  }),
  { caption: 'Attacks on the hybrid itself; rules that decline one validation digit in twenty: % of 447 images', digits: 1 },
); // prettier-ignore

// %% [markdown] id="decline-reading"
// ("Worst" is meant to first order: one step along the sign of the gradient.) Noise on black pixels is what scans do not have: $p(\mathbf{x})$ declines every image of it, the harmless ones, too, whose label is right in nineteen cases of twenty. The calibrated classifier passes what it is sure of, and lets a good part of the deceptions through. But an attacker who leaves black pixels black, as in chapter 1, is past $p(\mathbf{x})$ as well, and asking the classifier about itself is then the better of the two questions. Both factors have gradients, and an attacker may use both.
//
// ### Three latents: DIVA
//
// The other classical hybrid puts the label into a variational autoencoder. **DIVA** (Ilse and others, 2020) has three latents: $\mathbf{z}_d$ for the *domain* an image comes from, $\mathbf{z}_y$ for its *class*, and $\mathbf{z}_x$ for the rest, with priors $p(\mathbf{z}_d \mid d)$, $p(\mathbf{z}_y \mid y)$, $\mathcal{N}(\mathbf{0}, \mathbf{I})$ and an encoder each. Two small classifiers, $q(d \mid \mathbf{z}_d)$ and $q(y \mid \mathbf{z}_y)$, are trained along with a weight $\alpha$.
//
// ### Exercise: a bound with three latents, and what does not belong to it

// %% id="bound"
interface Gauss {
  readonly mu: tf.Tensor; // [B, L]
  readonly logVar: tf.Tensor; // [B, L], ln σ²
}
/**
 * The bound on ln p(x | d, y), and DIVA's loss.
 * @param reconstruction ln p(x | z) for a draw of z [B] @param q of z_d, z_x, z_y @param p their priors, given d and y
 * @param classifiers ln q(d | z_d) + ln q(y | z_y) [B] @param weight α @returns the bound [B], the loss []
 */
function divaBound(
  reconstruction: tf.Tensor,
  q: readonly Gauss[],
  p: readonly Gauss[],
  classifiers: tf.Tensor,
  weight: number,
): { bound: tf.Tensor; loss: tf.Tensor } {
  // BEGIN SOLUTION diva.bound
  const divergence = (to: Gauss, from: Gauss) => {
    const spread = to.logVar.exp().add(to.mu.sub(from.mu).square()).div(from.logVar.exp());
    return from.logVar.sub(to.logVar).add(spread).sub(1).sum(1).mul(0.5); // KL[to ‖ from], [B]
  };
  const bound = q.reduce((left, own, i) => left.sub(divergence(own, p[i]!)), reconstruction);
  return { bound, loss: bound.add(classifiers.mul(weight)).mean().neg() };
  // END SOLUTION
}

// %% id="check-bound"
await check('diva.bound', divaBound);

// %% [markdown] id="domains-text"
// **Digits turned by known angles.** Domains are angles: −45°, −15°, 15° and 45° with labels; a fifth, 70°, is *held out*: no label of it is ever seen. Each of the 1,000 training images is turned once. Three classifiers of turned digits, with three seeds: a plain network; DIVA with the four domains; DIVA that sees the 200 images at 70°, too, knowing that they are another domain, without their labels.

// %% id="domains"
const ANGLES = [-45, -15, 15, 45, 70];
const nameOf = (angle: number) => `${angle}°`.replace('-', '−');
/** Turned about the middle, by bilinear interpolation, back to grey levels. */
function turned(row: readonly number[], degrees: number): number[] {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const at = (i: number, j: number) => (i < 0 || j < 0 || i > 7 || j > 7 ? 0 : row[8 * i + j]!);
  return row.map((_, pixel) => {
    const [y, x] = [Math.floor(pixel / 8) - 3.5, (pixel % 8) - 3.5];
    const [u, v] = [c * x - s * y + 3.5, s * x + c * y + 3.5];
    const [i, j] = [Math.floor(v), Math.floor(u)];
    const [f, g] = [v - i, u - j];
    return Math.round((1 - f) * ((1 - g) * at(i, j) + g * at(i, j + 1)) + f * ((1 - g) * at(i + 1, j) + g * at(i + 1, j + 1))); // prettier-ignore
  });
}
const domainOf = Int32Array.from({ length: 1000 }, (_, n) => n % 5);
const turnedTrain = tf.tensor2d(rowsOf(digits.train.x).map((row, n) => turned(row, ANGLES[domainOf[n]!]!)));
const turnedTest = (degrees: number) => ({
  x: tf.tensor2d(rowsOf(testX).map((row) => turned(row, degrees))),
  y: testY,
});
const atAngles = ANGLES.map(turnedTest);
const seenRows = [...domainOf.keys()].filter((n) => domainOf[n]! < 4);
const pick = (values: ArrayLike<number>) => seenRows.map((n) => values[n]!);
const seenX = tf.gather(turnedTrain, tf.tensor1d(seenRows, 'int32'));
const seenOnly = { x: seenX, y: divaLabels(pick(domainOf), pick(trainY), 10) };
const withUnseen = { x: turnedTrain, y: divaLabels(domainOf, Array.from(trainY, (y, n) => (domainOf[n]! < 4 ? y : -1)), 10) }; // prettier-ignore
const DIVA_EPOCHS = budgeted(30, 150);
async function divaOf(train: Batch, domains: number, here: Rng, { weight = 40, epochs = DIVA_EPOCHS } = {}) {
  const weights = { classWeight: weight, domainWeight: weight / 2 };
  const config = { ...diva.defaults, ...weights, domains, latents: { domain: 2, rest: 8, class: 8 } };
  return (await trained(diva.create(config, here.fork('weights')), train, here.fork('fit'), { epochs })).model;
}
const validAngles = ANGLES.slice(0, 4).map((degrees) => tf.tensor2d(rowsOf(digits.validation.x).map((row) => turned(row, degrees)))); // prettier-ignore
const byWeight = [];
for (const weight of budgeted(3) < 3 ? [40] : [4, 40, 400]) {
  const model = await divaOf(seenOnly, 4, rng.fork('weight of diva'), { weight, epochs: budgeted(15, 40) }); // the same start for all
  const error = meanOf(validAngles.map((x) => errorRate(model, { x, y: digits.validation.y })));
  byWeight.push({ 'α, of the class': weight, 'error, %': error, 'bound on −ln p(x)': meanOf(validAngles.map((x) => evaluate(model, { x }, rng).nats)) }); // prettier-ignore
}
table(byWeight, { caption: 'DIVA on validation images at the four angles with labels, by α (shorter trainings)', digits: 1 }); // prettier-ignore

// %% [markdown] id="domain-weights-reading"
// With a small $\alpha$ the images drown the labels, of which the bound alone is next to nothing; a large one gains a point or two at the most (one seed), and costs tens of nats of the bound. The middle one it is, chosen at angles with labels: the one that is held out may choose nothing.

// %% id="domains-trained"
/** The same network without a flow to serve: dense layers, no z to share. */
async function plainOf(here: Rng) {
  const config = {
    ...hybridIntegerFlow.defaults,
    rounds: 0,
    lambda: 0,
    columns: 0,
    headHidden: [128],
    dropout: 0.2,
    inputDropout: 0.2,
  };
  const model = hybridIntegerFlow.create(config, here.fork('weights'));
  await trained(model, { x: seenX, y: tf.tensor1d(Int32Array.from(pick(trainY)), 'int32') }, here.fork('fit'), {
    epochs: DIVA_EPOCHS,
  });
  return model;
}
const divas = [];
const rowsByAngle: { name: string; errors: number[] }[] = [];
const byAngles = (name: string, model: Classifier) =>
  rowsByAngle.push({ name, errors: atAngles.map((part) => errorRate(model, part)) });
const DIVA_SEEDS = Math.min(3, budgeted(3));
for (let seed = 0; seed < DIVA_SEEDS; seed++) {
  const here = rng.fork(`diva ${seed}`);
  byAngles('plain network', await plainOf(here.fork('plain')));
  byAngles('DIVA, four domains', await divaOf(seenOnly, 4, here.fork('diva')));
  divas.push(await divaOf(withUnseen, 5, here.fork('diva')));
  byAngles('DIVA, and images at 70° without labels', divas.at(-1)!);
}
table(
  ['plain network', 'DIVA, four domains', 'DIVA, and images at 70° without labels'].map((name) => {
    const own = rowsByAngle.filter((row) => row.name === name).map(({ errors }) => errors);
    const row: Record<string, string | number> = { classifier: name };
    ANGLES.slice(0, 4).forEach((angle, i) => (row[nameOf(angle)] = meanOf(own.map((errors) => errors[i]!))));
    return { ...row, 'held out: 70°': meanOf(own.map((errors) => errors[4]!)), '± (seeds)': errorOf(own.map((errors) => errors[4]!)) };
  }),
  { caption: `Test errors in %, means over ${DIVA_SEEDS} seeds`, digits: 1 },
); // prettier-ignore

// %% id="domains-paired"
const errorsOf = (name: string, angle: number) => rowsByAngle.filter((row) => row.name === name).map(({ errors }) => errors[angle]!); // prettier-ignore
const differences = (from: string, to: string, angle: number) => errorsOf(from, angle).map((error, seed) => error - errorsOf(to, angle)[seed]!); // prettier-ignore
table(
  ([
    ['DIVA for a plain network', 'plain network', 'DIVA, four domains'],
    ['images of the new domain, without labels', 'DIVA, four domains', 'DIVA, and images at 70° without labels'],
  ] as const).map(([what, from, to]) => {
    const gains = differences(from, to, 4);
    return { what, 'gained at 70°, points': meanOf(gains), 'standard error over seeds': DIVA_SEEDS > 1 ? errorOf(gains) : '' };
  }),
  { caption: 'Pairs of the same seed', digits: 1 },
); // prettier-ignore

// %% [markdown] id="domains-reading"
// The three latents come apart as they should, as the map below and the swapped digits of section 7 show. For the *classifier* they buy little. On angles with labels the plain network is as good, and after short trainings better, since DIVA has images to explain besides; at 70° the latents alone gain nothing, and with the images without labels, after full trainings, some points, about twice their standard error over three pairs. The formulas say why it need not be more: of an image without a label the bound asks that its $\mathbf{z}_y$ lie where *some* class has its prior, and with $\mathbf{z}_d$ and $\mathbf{z}_x$ explain the pixels. That it be the right class's, nobody asks. (The paper reports gains on larger digits, with angles 15° apart.)
//
// **Your bound** on test digits at −15°, of which DIVA is told domain and class, beside the bound by draws on $\ln p(\mathbf{x})$ when it is told nothing: knowing both is worth up to $\ln 5 + \ln 10 = 3.9$ nats.

// %% id="own-bound"
const ownBound = yours(
  divaBound,
  (reconstruction: tf.Tensor, q: readonly Gauss[], prior: readonly Gauss[], classifiers: tf.Tensor, weight: number) => {
    const kl = tf.addN(q.map((own, i) => klNormal(own.mu, own.logVar, prior[i]!.mu, prior[i]!.logVar)));
    const bound = reconstruction.sub(kl);
    return { bound, loss: tf.add(bound, classifiers.mul(weight)).mean().mul(-1) };
  },
);
const told = divas[0]!;
const [byBound, byDraw] = tf.tidy(() => {
  const { x } = atAngles[1]!;
  const sizes = [2, 8, 8];
  const [mus, logVars] = tf.split(told.encode(x), 2, 1).map((half) => tf.split(half, sizes, 1)) as [
    tf.Tensor[],
    tf.Tensor[],
  ];
  const q = mus.map((mu, i): Gauss => ({ mu, logVar: logVars[i]! }));
  const [muD, logVarD, muY, logVarY] = told.prior.variables as [tf.Variable, tf.Variable, tf.Variable, tf.Variable];
  const [d, y] = [tf.fill([x.shape[0]!], 1, 'int32') as tf.Tensor1D, testY.toInt() as tf.Tensor1D];
  const priors: Gauss[] = [
    { mu: tf.gather(muD, d), logVar: tf.gather(logVarD, d) },
    { mu: tf.zerosLike(mus[1]!), logVar: tf.zerosLike(mus[1]!) },
    { mu: tf.gather(muY, y), logVar: tf.gather(logVarY, y) },
  ];
  const terms = told.terms(x, rng.fork('bound'));
  const known = ownBound(terms.reconstruction, q, priors, tf.zerosLike(terms.reconstruction), 0).bound;
  return [-known.mean().dataSync()[0]!, -terms.logWeight.mean().dataSync()[0]!];
});
table(
  [
    { bound: `ln p(x | d, y), KL in closed form: ${ownBound.by()}`, 'nats an image': byBound },
    { bound: 'ln p(x), by one draw', 'nats an image': byDraw },
  ],
  { caption: '447 test digits turned by −15°', digits: 2 },
);
const codes = tf.tidy(() => rowsOf(told.means(turnedTrain).domain));
latentMap(codes, domainOf, { title: 'z_d of the training images, by angle', names: ANGLES.map(nameOf) }); // prettier-ignore

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// A hybrid on a flow draws $\mathbf{x}$ as the flow does, and then labels its own samples by $p(y \mid \mathbf{x})$. DIVA can be told what to draw: below, one test digit a row; its $\mathbf{z}_y$ and $\mathbf{z}_x$ are kept, and $\mathbf{z}_d$ is put to the middle of each domain in turn. The first column is the image itself.

// %% id="samples"
const samples = hybrid.sample({ count: 20, rng: rng.fork('samples') });
imageGrid(rowsOf(samples.clipByValue(0, V - 1)), {
  height: 8,
  width: 8,
  columns: 10,
  levels: V,
  titles: saidBy(samples).map(String),
  title: 'Samples of the hybrid on an integer flow, with the labels it gives them',
});
const some = tf.tidy(() => atAngles[2]!.x.slice([0, 0], [6, D]));
const swapped = tf.tidy(() => {
  const { rest, class: own } = told.means(some);
  const centres = told.centres('domain');
  const each = ANGLES.map((_, k) => {
    const z = tf.concat([tf.gather(centres, tf.fill([6], k, 'int32') as tf.Tensor1D), rest, own], 1);
    return told.decoder.mean!(z);
  });
  return [some, ...each].map(rowsOf);
});
imageGrid(Array.from({ length: 6 }, (_, n) => swapped.map((column) => column[n]!)).flat(), {
  ...{ height: 8, width: 8, columns: ANGLES.length + 1, levels: V },
  titles: Array.from({ length: 6 }, () => ['image', ...ANGLES.map(nameOf)]).flat(),
  title: 'The same digit, its z_d put to the middle of each domain',
}); // prettier-ignore

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in for the families of this chapter.

// %% id="card"
card(hybridIntegerFlow.card);
card(blend.card);
card(diva.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// A published hybrid on an integer flow reports a "negative log-likelihood" of images and labels. Its coupling has a trainable factor $\beta$, its report has the weight of the training, and one of its terms is per pixel where the other is per image. Below it is, up to notation; **three** things are wrong.
//
// ### Exercise: repair it
//
// One coupling, $\mathbf{x} = [\mathbf{a}, \mathbf{b}]$: the second half is moved by what the first one says. Keep $\beta$ a real number.

// %% id="nats"
interface Parts {
  readonly t: (a: tf.Tensor) => tf.Tensor; // [B, D/2] → [B, D/2]
  readonly logClasses: (z: tf.Tensor) => tf.Tensor; // ln p(y | z): [B, D] → [B, C]
  readonly logPrior: (z: tf.Tensor) => tf.Tensor; // ln p(z_d) of each integer: [B, D] → [B, D]
  readonly beta: number; // β, a real number
  readonly lambda: number; // λ, the weight of ln p(x) in training
}
/**
 * The mean of −ln p(x, y) in nats an example.
 * @param x integers [B, D], D even @param y int32 [B]
 * @param h the coupling, the head, the prior and their numbers @returns a scalar []
 */
function jointNats(x: tf.Tensor, y: tf.Tensor, h: Parts): tf.Tensor {
  // BEGIN SOLUTION hybrid.nats
  const [a, b] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor];
  const z = tf.concat([a, b.add(h.t(a).mul(h.beta).round())], 1); // integers, whatever β is
  const logPx = h.logPrior(z).sum(1); // of an image, not of a pixel
  const scores = h.logClasses(z);
  const which = tf.oneHot(y.toInt() as tf.Tensor1D, scores.shape[1]!).toFloat(); // [B, C]
  const label = which.mul(scores).sum(1);
  return label.add(logPx).mean().neg(); // λ is a matter of training
  // END SOLUTION
  // BEGIN GIVEN
  // const [a, b] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor];
  // const z = tf.concat([a, b.add(h.t(a).round().mul(h.beta))], 1);
  // const logPx = h.logPrior(z).mean(1);
  // const scores = h.logClasses(z);
  // const which = tf.oneHot(y.toInt() as tf.Tensor1D, scores.shape[1]!).toFloat();
  // const label = which.mul(scores).sum(1);
  // return label.add(logPx.mul(h.lambda)).mean().neg();
  // END GIVEN
}

// %% [markdown] id="oracle-text"
// **What does it sum to?** Over all $\mathbf{x}$ of two pixels from −9 to 9 and both labels, $\sum e^{-\text{nats}}$ is 1 (up to the little mass beyond) if these are probabilities.

// %% id="oracle"
const ownNats = yours(jointNats, (x: tf.Tensor, y: tf.Tensor, h: Parts) => {
  const [a, b] = tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor];
  const z = tf.concat([a, tf.add(b, tf.round(tf.mul(h.beta, h.t(a))))], 1);
  return logOfLabels(h.logClasses(z), y)
    .add(tf.sum(h.logPrior(z), 1))
    .mean()
    .mul(-1);
});
const tableOfZ = (z: tf.Tensor) =>
  z
    .abs()
    .mul(-1)
    .add(Math.log(Math.tanh(0.5))); // e^−|z| tanh ½ sums to 1 over ℤ
const tinyHead = (z: tf.Tensor) => tf.logSoftmax(tf.concat([z.sum(1, true).mul(0.4), z.mean(1, true)], 1));
const small = { t: (a: tf.Tensor) => a.mul(1.3).add(0.4), logClasses: tinyHead, logPrior: tableOfZ };
const cells = Array.from({ length: 19 }, (_, i) => i - 9);
const sums = [0.7, 1].map((beta) =>
  cells
    .flatMap((i) =>
      cells.flatMap((j) =>
        [0, 1].map((y) =>
          tf.tidy(() =>
            Math.exp(
              -ownNats(tf.tensor2d([[i, j]]), tf.tensor1d([y], 'int32'), {
                ...small,
                beta,
                lambda: 0.1,
              }).dataSync()[0]!,
            ),
          ),
        ),
      ),
    )
    .reduce((sum, v) => sum + v, 0),
);
table([{ 'Σ exp(−nats), β = 0.7': sums[0]!, 'β = 1': sums[1]!, by: ownNats.by() }], { caption: 'All x and y of a small world, λ = 0.1', digits: 3 }); // prettier-ignore

// %% id="check-nats"
await check('hybrid.nats', jointNats);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now; all but samples and training run uncompiled. What a hybrid adds to a flow is a pass of the head, and convolutions cost more than the flow's dense layers.

// %% id="measure-costs"
function milliseconds(body: () => tf.Tensor): number {
  body().dispose(); // the first call of anything is slower
  const started = performance.now();
  body().dispose();
  return performance.now() - started;
}
const SOME = 25;
const someDigits = digits.test.x.slice([0, 0], [SOME, D]);
const cost = rng.fork('cost');
const densityOf = hybrid.likelihood;
table(
  [
    { '25 images': 'p(x), integer flow', ms: milliseconds(() => (densityOf.kind === 'exact' ? densityOf.logProb(someDigits, cost) : tf.scalar(0))) },
    { '25 images': 'p(x, y), the hybrid', ms: milliseconds(() => hybrid.logJoint(someDigits, tf.zeros([SOME], 'int32'), cost)) },
    { '25 images': 'class, DIVA', ms: milliseconds(() => told.logClasses(someDigits)) },
    { '25 images': 'samples, integer flow', ms: milliseconds(() => hybrid.sample({ count: SOME, rng: cost })) },
    { '25 images': 'an epoch of training, 1,000 images', ms: first.run.milliseconds / EPOCHS },
  ],
  { caption: 'Milliseconds', digits: 1 },
); // prettier-ignore

// %% [markdown] id="failures"
// ## Where it fails
//
// **The two factors need not talk.** With $p(y \mid \mathbf{z})\, p(\mathbf{z})$, images without labels shaped the density and left the classifier as it was. Where labels are few, the class has to be inside of the density, and then the density had better be about classes.
//
// **A density that is wrong stays wrong.** The blend's mixture has independent pixels given the class, which is false: with all 1,000 labels its error is three times that of the head on the flow, tied or not. Where the two halves disagree, $\sigma$ says who yields, and choosing it takes a validation set.
//
// **$p(\mathbf{x})$ answers one question.** It does not know which differences matter: a digit in noise is still a digit, and is declined; a black image is none, and is more probable than nearly all of them. Typicality and ratios mend what they were made for.
//
// **An image in the middle.** A rank test on $\ln p(\mathbf{x})$ sees a single number; whatever has the entropy's number of nats, for whatever reason, is typical to it.
//
// **Domains that are far.** DIVA takes apart what varied in training. Half of the digits at an angle without labels are misread, whatever else was known of that angle.
//
// ### Sources
//
// J. Lasserre, C. Bishop, T. Minka, *Principled hybrids of generative and discriminative models*, CVPR 2006. G. Bouchard, B. Triggs, *The trade-off between generative and discriminative classifiers*, COMPSTAT 2004. E. Nalisnick, A. Matsukawa, Y. W. Teh, D. Gorur, B. Lakshminarayanan, *Hybrid models with deep and invertible features*, ICML 2019; *Do deep generative models know what they don't know?*, ICLR 2019; *Detecting out-of-distribution inputs to deep generative models using typicality*, 2019. J. Ren and others, *Likelihood ratios for out-of-distribution detection*, NeurIPS 2019. M. Ilse, J. Tomczak, C. Louizos, M. Welling, *DIVA: Domain invariant variational autoencoders*, MIDL 2020. E. Hoogeboom and others, *Integer discrete flows and lossless compression*, NeurIPS 2019. C. Guo and others, *On calibration of modern neural networks*, ICML 2017. I. Goodfellow, J. Shlens, C. Szegedy, *Explaining and harnessing adversarial examples*, ICLR 2015. J. Tomczak, *Deep Generative Modeling* (2024), chapter 6. The bug is in the notebook on hybrid models of github.com/jmtomczak/intro_dgm.
