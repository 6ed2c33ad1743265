// %% [markdown] id="title"
// # 5 Autoregressive models
//
// Any distribution is a product of one-dimensional ones:
//
// $$p(\mathbf{x}) = \prod_{d=1}^{D} p(x_d \mid x_1, \dots, x_{d-1}).$$
//
// That is the product rule, applied $D - 1$ times, and no assumption at all. An **autoregressive model** takes it at its word: *one* network reads the coordinates so far and predicts the next. Each factor is a softmax over a handful of values, which is normalised by construction, so $p(\mathbf{x})$ is exact; and the network may be as deep as one likes. Nothing so far models our digits better. The price comes with sampling: one value after the other.
//
// By the end of this chapter you have built what lets a network look back and never ahead, in one dimension and in two, drawn pictures pixel by pixel and all pixels at once, measured what a memory and a compiler are worth, and found a mistake that sits in libraries everybody uses. Everything printed below was computed by running this file (`npm run solutions -- 05`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, NotWritten, yours } from 'grader';
import {
  adamW,
  baselines,
  budgeted,
  card,
  categorical,
  convolutionalAutoregressive,
  createRng,
  dilatedConv1d,
  evaluate,
  figure,
  fit,
  fullBudget,
  gatedPixelCnn,
  gatedPixelStack,
  imageGrid,
  ladder,
  load,
  logCategorical,
  lossCurve,
  maskedConv2d,
  maskedPixelCnn,
  maskedPixelStack,
  muLaw,
  natsPerValue,
  oneHotValues,
  permutation,
  permutationOf,
  rungsOf,
  sweep,
  table,
  toneSource,
  transformerAutoregressive,
  variablesOf,
  type AutoregressiveModel,
  type Network,
  type Rng,
} from 'dgm';
import { compiled } from 'dgm/engine';

const rng = createRng(5); // the one seed of this chapter: change it and every number moves a little
const digits = load('digits');
const D = 64;
const V = digits.values; // 17 grey levels

// %% [markdown] id="why"
// ## Why one value after the other
//
// Below, digits that the model has never seen. It is given the upper half, which is the first 32 of 64 values in reading order, and goes on from there, three times. It was trained on a thousand digits, which takes some seconds, or with the full budget a minute.

// %% id="why-picture"
interface Member {
  readonly name: string;
  readonly create: (rng: Rng) => AutoregressiveModel;
  readonly epochs: number;
}

const LONGEST = 120; // epochs with the full budget, where every network trains until eight have passed without a better one

async function train({ create, epochs }: Member, here: Rng, { quiet = true } = {}) {
  const model = create(here.fork('weights'));
  const run = await fit(model, digits, {
    epochs: budgeted(epochs, LONGEST),
    batchSize: 50,
    optimiser: adamW(0.003, { weightDecay: 0.5, clipNorm: 1 }), // section 4 says why
    ema: 0.99,
    patience: 8,
    rng: here.fork('fit'),
    quiet,
  });
  return { model, run };
}

const convolutions: Member = {
  name: 'dilated convolutions',
  create: (here) => convolutionalAutoregressive.create(convolutionalAutoregressive.defaults, here),
  epochs: 20,
};
const { model: first, run: firstRun } = await train(convolutions, rng.fork('first'), { quiet: false });

const rowsOfPixels = (x: tf.Tensor) => x.arraySync() as number[][];
const pictures = { height: 8, width: 8, columns: 10, levels: V };
const shown = tf.tidy(() => digits.test.x.slice([0, 0], [10, D]));
const upper = tf.tidy(() => shown.slice([0, 0], [10, 32]));
const half = tf.tidy(() => upper.pad([[0, 0], [0, 32]], 8)); // prettier-ignore
const completions = [1, 2, 3].map((draw) =>
  first.sample({ count: 10, rng: rng.fork(`completion ${draw}`), given: upper }),
);
imageGrid([shown, half, ...completions].flatMap(rowsOfPixels), {
  ...pictures,
  title: 'Test digits; what the model is shown; three ways to go on',
});

// %% [markdown] id="family"
// ## 1 Family
//
// Each factor is a categorical variable over $V$ values, and the network gives its logits: a tensor $[B, D, V]$ for a batch, whose row $d$ may depend on $x_1, \dots, x_{d-1}$ and on nothing else. **All of the model's correctness is in that clause.** If row $d$ sees $x_d$, the loss goes towards 0 and the model can do nothing; if it does not see $x_{d-1}$, nothing crashes either, and some nats are lost.
//
// ### Exercise: the log-likelihood
//
// $$\ln p(\mathbf{x}) = \sum_{d} \ln \operatorname{softmax}(\text{logits}_d)_{x_d}$$
//
// A sum over $d$, and not a mean: a mean would be the log-likelihood of nothing. (A common slip, off by a factor of 64 here.)

// %% id="log-likelihood"
/**
 * ln p(x) = Σ_d ln softmax(logits_d)[x_d].
 * @param logits [B, D, V] @param x integers 0 … V − 1, as floats: [B, D] @returns [B], in nats
 */
function logLikelihood(logits: tf.Tensor, x: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION ar.logLikelihood
  const logP = tf.logSoftmax(logits, -1); // [B, D, V]
  const picked = tf.oneHot(x.toInt() as tf.Tensor1D, logits.shape[2]!).mul(logP); // [B, D, V], 0 where not x_d
  return picked.sum([1, 2]);
  // END SOLUTION
}

// %% id="check-log-likelihood"
await check('ar.logLikelihood', logLikelihood);

// %% [markdown] id="order-text"
// ### Exercise: another order
//
// The product rule holds in every order of the coordinates. Let $\pi_1, \pi_2, \dots$ be that order: first comes pixel $\pi_1$, then $\pi_2$. A causal network reads a *sequence* $y_i = x_{\pi_i}$ and answers with a row of logits for each $y_i$. Use it to get logits for the *pixels*: put the picture in order, run the network, and put its rows back where they belong.

// %% id="in-order"
/**
 * The logits of every pixel, by a network that takes them in the given order.
 * @param network y [B, D] → [B, D, V], whose row i predicts y_i from y_0 … y_{i−1}
 * @param x [B, D] @param order the pixel that comes i-th: a permutation of 0 … D − 1
 * @returns [B, D, V], row d for pixel d
 */
function logitsInOrder(network: (y: tf.Tensor) => tf.Tensor, x: tf.Tensor, order: readonly number[]): tf.Tensor {
  // BEGIN SOLUTION ar.inOrder
  const place = order.map((_, pixel) => order.indexOf(pixel)); // when each pixel comes
  const sequence = tf.gather(x, [...order], 1); // [B, D]
  return tf.gather(network(sequence), place, 1);
  // END SOLUTION
}

// %% id="check-in-order"
await check('ar.inOrder', logitsInOrder);

// %% [markdown] id="network"
// ## 2 Network
//
// Four networks that look back and never ahead. The first idea serves three of them: **move, then look**. The sequence is moved one step to the right, so that place $d$ holds $x_{d-1}$; after that, every layer may use its own place and what is before it.
//
// ### Dilated causal convolutions
//
// A convolution over the last $K$ places, with zeros before the start, is causal. What an output depends on is its **receptive field**; of a few plain layers it is small. WaveNet (van den Oord et al., 2016) spreads the taps of layer $l$ over $2^l$ steps, and the view doubles with every layer.

// %% id="dilation-picture"
const dilations = [1, 2, 4, 8];
const steps = 16;
type Edge = readonly [layer: number, from: number, to: number];
const edges: Edge[] = dilations.flatMap((dilation, layer) =>
  Array.from({ length: steps }, (_, to) => [to, to - dilation])
    .flatMap(([to, from]) => [[layer, to!, to!] as const, [layer, from!, to!] as const])
    .filter(([, from]) => from >= 0),
);
const reached = dilations.map(() => new Set<number>());
reached.push(new Set([steps - 1]));
for (let layer = dilations.length - 1; layer >= 0; layer--)
  for (const [at, from, to] of edges) if (at === layer && reached[layer + 1]!.has(to)) reached[layer]!.add(from);
const leads = ([layer, , to]: Edge) => reached[layer + 1]!.has(to);
const linesOf = (list: readonly Edge[], name: string, width: number, opacity: number) => ({
  mode: 'lines',
  name,
  x: list.flatMap(([, from, to]) => [from, to, null]),
  y: list.flatMap(([layer]) => [layer, layer + 1, null]),
  line: { width },
  opacity,
  hoverinfo: 'skip',
});
figure(
  [
    linesOf(
      edges.filter((edge) => !leads(edge)),
      'other connections',
      1,
      0.35,
    ),
    linesOf(edges.filter(leads), 'what the last output sees', 2.5, 1),
  ],
  {
    title: 'Four layers of two taps each, dilations 1, 2, 4, 8: sixteen steps',
    xaxis: { title: 'step', dtick: 1, zeroline: false },
    yaxis: { title: 'layer', dtick: 1, zeroline: false },
  },
  { height: 360 },
);

// %% [markdown] id="causal-conv-text"
// ### Exercise: a dilated causal convolution
//
// $$\mathbf{y}_t = \sum_{k=0}^{K-1} \mathbf{x}_{t - k \cdot \text{dilation}}\, W_k, \qquad \mathbf{x}_t = \mathbf{0} \text{ for } t < 0$$
//
// $W_0$ is for the present, $W_1$ for one dilation ago. TensorFlow.js has no gradient of a dilated convolution, so build it from slices: pad the past with zeros, take the sequence once for every tap, multiply, and add up.

// %% id="causal-conv"
/**
 * y_t = Σ_k x_{t − k · dilation} w_k, with zeros before the start.
 * @param x [B, T, C] @param w [K, C, O] @param dilation steps between two taps @returns [B, T, O]
 */
function causalConv(x: tf.Tensor, w: tf.Tensor, dilation: number): tf.Tensor {
  // BEGIN SOLUTION ar.causalConv
  const [B, T, C] = x.shape as [number, number, number];
  const [K, , O] = w.shape as [number, number, number];
  const span = (K - 1) * dilation;
  const padded = x.pad([[0, 0], [span, 0], [0, 0]]); // prettier-ignore
  const taps = Array.from({ length: K }, (_, k) => {
    const past = padded.slice([0, span - k * dilation, 0], [B, T, C]); // x_{t − k · dilation}
    return past.reshape([B * T, C]).matMul(w.slice([k, 0, 0], [1, C, O]).reshape([C, O]));
  });
  return tf.addN(taps).reshape([B, T, O]);
  // END SOLUTION
}

// %% id="check-causal-conv"
await check('ar.causalConv', causalConv);

// %% [markdown] id="gate-text"
// ### Predict: how far a stack hears
//
// Below, *your* convolution, stacked: a gradient asks what the last output of a long sequence depends on. *Before* you run it: how many steps back does a stack of layers with $K$ taps each hear, by the list of their dilations? The sequence has been moved by one step before the first layer, so entry $t$ of it is the value before value $t$.

// %% id="steps-back"
/**
 * How many values before a late one its logits depend on.
 * @param kernel taps of each layer @param dilations of the layers, in order
 */
function stepsBack(kernel: number, dilations: readonly number[]): number {
  // BEGIN SOLUTION ar.stepsBack
  // a layer of K taps reaches K − 1 dilations further back than it is asked for; the 1 is the move before the first
  return 1 + (kernel - 1) * dilations.reduce((sum, dilation) => sum + dilation, 0);
  // END SOLUTION
}

// %% id="own-stack"
const ownConv = yours(causalConv, (x: tf.Tensor, w: tf.Tensor, dilation: number) =>
  dilatedConv1d(
    { inputs: w.shape[1]!, outputs: w.shape[2]!, kernel: w.shape[0], dilation },
    rng.fork('library layer'), // its weights are random, and what it depends on is the same
  ).apply(x),
);
/** What `own` predicts; a dash while it is not written, or throws. */
const prediction =
  <Args extends readonly unknown[]>(own: (...args: Args) => number) =>
  (...args: Args): number | '–' => {
    try {
      return own(...args);
    } catch {
      return '–';
    }
  };
const predicted = prediction(stepsBack);
/** What the last of 80 outputs depends on, by a gradient: how many steps lie between it and the oldest. */
function measuredBack(kernel: number, list: readonly number[]): number {
  return tf.tidy(() => {
    const output = (x: tf.Tensor) => {
      const moved = x.pad([[0, 0], [1, 0], [0, 0]]).slice([0, 0, 0], [1, 80, 1]); // prettier-ignore
      const layer = (h: tf.Tensor, dilation: number) => ownConv(h, tf.ones([kernel, 1, 1]), dilation);
      return list.reduce(layer, moved).slice([0, 79, 0], [1, 1, 1]).sum();
    };
    const gradient = Array.from(
      tf
        .grad(output)(tf.ones([1, 80, 1]))
        .dataSync(),
    );
    return 79 - gradient.findIndex((value) => value !== 0);
  });
}
measuredBack(2, [1]); // now it is known who answers
table(
  [[1], [1, 1, 1], [1, 2, 4], [1, 1, 1, 1, 1], [1, 2, 4, 8, 16]].map((list) => ({
    dilations: list.join(', '),
    predicted: predicted(3, list),
    [`measured, by a gradient: ${ownConv.by()}`]: measuredBack(3, list),
  })),
  { caption: 'Steps back of stacks of three taps', digits: 0 },
); // prettier-ignore

// %% id="check-steps-back"
await check('ar.stepsBack', stepsBack);

// %% [markdown] id="gate-block-text"
// WaveNet's block squashes twice, $\tanh(\mathbf{a}) \odot \sigma(\mathbf{b})$ with $\mathbf{a}$ and $\mathbf{b}$ two convolutions of the same input: one says what, the other how much. The result is mixed by a matrix and added to the input, as in every residual network. `convolutionalAutoregressive` stacks five such blocks, with $K = 3$ and dilations 1, 2, 4, 8, 16: together they see all 63 pixels before one.
//
// ### Masks in two dimensions
//
// For the sequence, the pixel above is as far away as eight steps back. **PixelCNN** keeps the picture a picture and masks the windows of its convolutions: in reading order, "before" is the rows above and what is left in the same row. The first layer must also hide the pixel itself (mask A). Later layers must *not*: what they find at their own place comes from a layer that has not seen that pixel, and is the best they have (mask B).
//
// ### Exercise: the mask
//
// For a window of `size` × `size` weights, with the pixel in its centre.

// %% id="kernel-mask"
/**
 * Which weights of a window may count.
 * @param size odd @param kind 'A' without the pixel itself, 'B' with it
 * @returns [size][size] of 1 (counts) and 0
 */
function kernelMask(size: number, kind: 'A' | 'B'): number[][] {
  // BEGIN SOLUTION ar.kernelMask
  const centre = (size - 1) / 2;
  return Array.from({ length: size }, (_, row) =>
    Array.from({ length: size }, (_, column) => {
      const before = row < centre || (row === centre && column < centre);
      const itself = row === centre && column === centre;
      return before || (itself && kind === 'B') ? 1 : 0;
    }),
  );
  // END SOLUTION
}

// %% id="check-kernel-mask"
await check('ar.kernelMask', kernelMask);

// %% [markdown] id="blind-spot-text"
// **PixelRNN** (van den Oord et al., 2016, in the paper of the masks) reads the picture by recurrent layers instead: a *Row LSTM*, which goes down row by row and sees a triangle above the pixel, or a *Diagonal BiLSTM*, which goes along diagonals and sees all of the past. It sees more than the masked network and computes its steps one after the other, also in training. **MADE** (Germain et al., 2015) is the fully connected relative: masks on the matrices of a multilayer perceptron, by numbers dealt to its units.
//
// There is a catch, and a gradient finds it. Below, which pixels of a $15 \times 15$ picture a single output depends on (grey; the output's own pixel is white), for a fresh network with windows of $3 \times 3$; the first picture is made with *your* masks, one layer A and five B. With masked windows, one can only go one column to the right for every row up: a wedge stays out of sight *however deep the network is*. The **gated PixelCNN** walks in two stacks. A vertical one sees the rows above, all columns within its reach, and needs no mask, because it starts from the picture moved down by one row; a horizontal one sees what is left of the pixel, and takes in the vertical one at every layer. Reach is limited by depth, though, as the pictures show: each layer widens the view by one column on either side. The table counts, for the digits' $8 \times 8$ pixels, how many of the $64 \cdot 63 / 2 = 2{,}016$ pairs of a pixel and an earlier one are out of sight.

// %% id="blind-spot"
function seenFrom(stack: Network, side: number, row: number, column: number): number[] {
  return tf.tidy(() => {
    const x = rng.fork('noise').normal([1, side, side, 1]);
    const output = (picture: tf.Tensor) =>
      stack.apply(picture).slice([0, row, column, 0], [1, 1, 1, -1]).square().sum();
    const gradient = tf.grad(output)(x).dataSync();
    return Array.from(gradient, (value, at) => (at === row * side + column ? 2 : value === 0 ? 0 : 1));
  });
}
const fresh = { height: 15, width: 15, inputs: 1, channels: 4, kernel: 3 };
const stacks = [
  { name: 'masked, 3 blocks', make: maskedPixelStack, blocks: 3 },
  { name: 'masked, 9 blocks', make: maskedPixelStack, blocks: 9 },
  { name: 'gated, 3 blocks', make: gatedPixelStack, blocks: 3 },
  { name: 'gated, 9 blocks', make: gatedPixelStack, blocks: 9 },
];
const ownMask = yours(kernelMask, (size, kind) => {
  // what a convolution of the library lets through
  const layer = maskedConv2d({ inputs: 1, outputs: 1, kernel: size, mask: kind }, rng.fork('mask'));
  const at = (size - 1) / 2;
  const window = tf.tidy(() => {
    const output = (x: tf.Tensor) => layer.apply(x).slice([0, at, at, 0], [1, 1, 1, 1]).sum();
    return tf
      .grad(output)(tf.ones([1, size, size, 1]))
      .reshape([size, size])
      .notEqual(0)
      .arraySync();
  });
  return window as number[][];
});
const windows = (['A', 'B', 'B', 'B', 'B', 'B'] as const).map((kind) => tf.tensor4d(ownMask(3, kind).flat(), [3, 3, 1, 1])); // prettier-ignore
const byOwnMasks: Network = {
  variables: [],
  apply: (x) => windows.reduce((h: tf.Tensor, mask) => tf.conv2d(h as tf.Tensor4D, mask, 1, 'same'), x),
};
const seen = stacks.map(({ name, make, blocks }) => ({
  name,
  picture: seenFrom(make({ ...fresh, blocks }, rng.fork(name)), 15, 9, 5),
}));
imageGrid([seenFrom(byOwnMasks, 15, 9, 5), ...seen.map(({ picture }) => picture)], {
  height: 15,
  width: 15,
  levels: 3,
  titles: [`masks: ${ownMask.by()}`, ...seen.map(({ name }) => name)],
  title: 'What one output sees',
});

/** Pairs of a pixel and an earlier one, in reading order, that no gradient connects: one picture for each output. */
function blindPairs(stack: Network, side: number): number {
  return tf.tidy(() => {
    const D = side * side;
    const own = tf.eye(D).reshape([D, side, side, 1]); // of picture n, output n
    const outputs = (x: tf.Tensor) => stack.apply(x).square().mul(own).sum();
    const gradient = tf
      .grad(outputs)(rng.fork('noise').normal([D, side, side, 1]))
      .reshape([D, D]);
    const rows = gradient.arraySync() as number[][];
    return rows.reduce((blind, row, at) => blind + row.slice(0, at).filter((value) => value === 0).length, 0);
  });
}
table(
  [
    { network: 'masked, 6 blocks', make: maskedPixelStack, blocks: 6 },
    ...[5, 6].map((blocks) => ({ network: `gated, ${blocks} blocks`, make: gatedPixelStack, blocks })),
  ].map(({ network, make, blocks }) => ({
    network,
    'pairs out of sight, of 2,016': blindPairs(make({ ...fresh, height: 8, width: 8, blocks }, rng.fork(network)), 8),
  })),
  { caption: 'Blind spots on 8 × 8 pixels, windows of 3 × 3', digits: 0 },
);

// %% [markdown] id="transformer-text"
// ### A transformer decoder
//
// Convolutions decide beforehand how far one looks. **Attention** lets the data decide: from every place come a query, a key and a value, $\mathbf{q}_t$, $\mathbf{k}_t$ and $\mathbf{v}_t$, and place $t$ takes
//
// $$\mathbf{y}_t = \sum_{s \le t} a_{ts} \mathbf{v}_s, \qquad a_{ts} = \frac{\exp(\mathbf{q}_t^\top \mathbf{k}_s / \sqrt{d})}{\sum_{r \le t} \exp(\mathbf{q}_t^\top \mathbf{k}_r / \sqrt{d})}.$$
//
// The sums end at $t$; that is the whole causality, and in code a matrix of $0$ and $-\infty$ that is added before the softmax. The scores do not know how far apart two steps are; a causal mask gives some of that away (the first step sees one key, the second two), and a vector for each position, added to the input, says it outright. The bug at the end of this chapter lives here.
//
// All four get the grey level as a **thermometer**, 16 inputs of which the first $x$ are 1, so that near levels have near codes, and a learnt vector for every position.

// %% id="network-size"
const members: readonly Member[] = [
  convolutions,
  {
    name: 'PixelCNN, masked',
    create: (here) => maskedPixelCnn.create(maskedPixelCnn.defaults, here),
    epochs: 20,
  },
  {
    name: 'PixelCNN, gated',
    create: (here) => gatedPixelCnn.create(gatedPixelCnn.defaults, here),
    epochs: 20,
  },
  {
    name: 'transformer',
    create: (here) => transformerAutoregressive.create(transformerAutoregressive.defaults, here),
    epochs: 30,
  },
];
const weightsOf = (model: AutoregressiveModel) => variablesOf(model).reduce((sum, variable) => sum + variable.size, 0);
table(
  members.map((member) => ({ network: member.name, weights: weightsOf(member.create(rng.fork('size'))) })),
  { caption: 'Four networks for the digits', digits: 0 },
);

// %% [markdown] id="objective"
// ## 3 Objective
//
// The exact negative log-likelihood, a cross-entropy for every pixel, all 64 of them in one pass: during training the picture is known, and each row of logits is compared with the pixel it predicts (**teacher forcing**). Training is parallel over pixels. Sampling is not.

// %% [markdown] id="optimiser"
// ## 4 Optimiser
//
// A thousand digits are soon learnt by heart, so this section is about forgetting. AdamW (Loshchilov and Hutter, 2019) pulls every weight towards 0, by $\eta \lambda w$ a step with $\lambda = 0.5$, which is strong. A moving average of the weights, $\bar w \leftarrow 0.99\, \bar w + 0.01\, w$, is what is validated and kept: single steps are noise, and their average is a better model than any of them. The gradient is clipped at length 1.

// %% [markdown] id="training"
// ## 5 Training
//
// The model of the first picture:

// %% id="train-curve"
lossCurve(firstRun, { title: 'Dilated convolutions on the digits' });

// %% [markdown] id="hyperparameters"
// ## 6 Hyperparameters and the likelihood of new inputs
//
// The hyperparameter that matters most is the kind of network. Each is trained, and judged on the validation set. The budget is the same rule for all: until eight epochs have passed without a better validation loss; in the default budget also no more than 20 epochs (the transformer, which learns more slowly, 30), with the full one no more than 120. The column *ended by* says whether a training was over or was stopped: a network that was stopped might have come further.
//
// The last column is the validation loss by *your* `logLikelihood`, on the same logits.

// %% id="sweep"
const runs = new Map([[convolutions.name, firstRun]]);
const results = await sweep(
  members,
  async (member, here) => {
    if (member === convolutions) return first;
    const { model, run } = await train(member, here);
    runs.set(member.name, run);
    return model;
  },
  digits.validation,
  rng.fork('sweep'),
);
const ownLikelihood = yours(logLikelihood, (logits: tf.Tensor, x: tf.Tensor) => logCategorical(x, logits));
/** The model, judged by what `logLikelihood` makes of its logits. */
const byOwn = (model: AutoregressiveModel) => ({
  ...model,
  likelihood: { kind: 'exact' as const, logProb: (x: tf.Tensor) => tf.tidy(() => ownLikelihood(model.logits(x), x)) },
});
ownLikelihood(tf.zeros([1, 1, V]), tf.zeros([1, 1])).dispose(); // now it is known who answers
table(
  results.map(({ setting, model, validation }) => {
    const { history, stopped, best: kept } = runs.get(setting.name)!;
    return {
      network: setting.name,
      epochs: history.length,
      'best at': kept!.epoch,
      'ended by': stopped === 'patience' ? 'itself' : 'the budget',
      train: evaluate(model, digits.train, rng).nats,
      validation: validation.nats,
      standardError: validation.standardError,
      [`validation: ${ownLikelihood.by()}`]: evaluate(byOwn(model), digits.validation, rng).nats,
    };
  }),
  { caption: 'Networks, best on the validation set first: nats per image', digits: 2 },
);

// %% [markdown] id="ladder-text"
// ### The ladder
//
// Now the test set. The rung to beat is *Chow–Liu tree*, the best model so far that needs no training: chapter 4's circuits went a little further. Of the best network on validation three are trained, from three seeds; with the full budget (`npm run solutions -- 05 --budget full`) of all four. All are trained by the one rule above, and with the full budget until they stop getting better, so that what is compared is the networks and not how long each was let run.
//
// Two kinds of error: the standard error over the test images says how far a number would move with other images; the spread over seeds, how far if trained again. Differences from the best rung are paired, image by image.

// %% id="ladder"
const winner = results[0]!;
const finalists = fullBudget() ? results : results.slice(0, 1);
const seeded = [];
for (const { setting, model } of finalists) {
  const seeds = [model];
  for (const seed of [2, 3]) seeds.push((await train(setting, rng.fork(`${setting.name}, seed ${seed}`))).model);
  seeded.push({ name: `${setting.name}, three seeds`, model: seeds });
}
const single = results
  .filter((result) => !finalists.includes(result))
  .map(({ setting, model }) => ({ name: setting.name, model }));
const rungs = rungsOf(
  [...(await baselines(digits, rng.fork('baselines'))), ...single, ...seeded],
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
    'spread of 3 seeds': spread ?? '',
    'above the best': behind,
    'its error (paired)': behindError,
  })),
  { caption: 'Test set: nats per image (smaller is better)', digits: 1 },
);

// %% [markdown] id="map-text"
// **Where are the nats?** The likelihood is a sum over pixels, so it can be looked at. Left, what each pixel costs when all are taken as independent; right, given the pixels before it. What is white costs most. The first row saves least: there is little before it to learn from.

// %% id="map"
const best = winner.model;
const meanPerPixel = (nats: tf.Tensor) => tf.tidy(() => nats.mean(0).dataSync());
const independent = tf.tidy(() => {
  const logP = tf.logSoftmax(oneHotValues(digits.train.x, V).sum(0).add(0.3).log()); // [D, V]
  return oneHotValues(digits.test.x, V).mul(logP).sum(2).neg(); // [N, D]
});
imageGrid([meanPerPixel(independent), meanPerPixel(natsPerValue(best, digits.test.x))], {
  height: 8,
  width: 8,
  titles: ['independent pixels', winner.setting.name],
  title: 'Mean −ln p of pixels',
});

// %% [markdown] id="orders-text"
// **Does the order matter?** To the product rule it does not; to a network of limited size, trained on limited data, it does. A small stack of dilated convolutions, in three orders: in the last one, neighbours are strangers. (The likelihoods compare as they are: putting pixels in another order changes no probability.) The last column takes the pictures as they are and lets *your* `logitsInOrder` put them in order, and your `logLikelihood` add up: the same number, if both are right.

// %% id="orders"
const orders = [
  { order: 'rows', pixels: Array.from({ length: D }, (_, i) => i) },
  { order: 'columns', pixels: Array.from({ length: D }, (_, i) => 8 * (i % 8) + Math.floor(i / 8)) },
  { order: 'random', pixels: [...permutation(D, rng.fork('order'))] },
];
const ownLogits = yours(
  logitsInOrder,
  (network: (y: tf.Tensor) => tf.Tensor, x: tf.Tensor, order: readonly number[]) => {
    const { toLatent, toData } = permutationOf([...order]);
    const columns = network(toLatent(x).z).unstack(2); // [B, D] for each value
    return tf.stack(columns.map((column) => toData(column)), 2); // prettier-ignore
  },
);
const byOrder = [];
for (const { order, pixels } of orders) {
  const [train, validation, test] = [digits.train, digits.validation, digits.test].map(({ x }) => ({
    x: tf.gather(x, pixels, 1),
  }));
  const here = rng.fork(order);
  const model = convolutionalAutoregressive.create({ ...convolutionalAutoregressive.defaults, width: 24 }, here);
  const optimiser = adamW(0.005, { weightDecay: 0.5, clipNorm: 1 });
  const options = { epochs: budgeted(15), batchSize: 50, optimiser, ema: 0.98, patience: 5, rng: here, quiet: true };
  await fit(model, { train: train!, validation: validation! }, options);
  const inThisOrder = (x: tf.Tensor) =>
    tf.tidy(() =>
      ownLikelihood(
        ownLogits((y) => model.logits(y), x, pixels),
        x,
      ),
    );
  const own = { ...model, likelihood: { kind: 'exact' as const, logProb: inThisOrder } };
  const { nats } = evaluate(own, digits.test, here); // first, so that it is known who answers
  byOrder.push({ order, nats: evaluate(model, test!, here).nats, [`pictures as they are: ${ownLogits.by()}`]: nats });
}
table(byOrder, { caption: 'The same small network, test set, nats per image', digits: 1 });

// %% [markdown] id="tones-text"
// ### Sound, with the answer known
//
// WaveNet was made for sound: 16,000 numbers a second, each in µ-law code, which spends its levels where ears are fine, $f(s) = \operatorname{sign}(s) \ln(1 + \mu |s|) / \ln(1 + \mu)$ with $\mu = 255$. Our tones are short: 64 steps of 32 levels; one of eight pitches, from one of eight places, and in the code a little noise, one level up or down. Which tone it is must be heard. Since the source is known, so is its entropy $H$, and a model's distance from the truth is a number, $\mathrm{KL} = \text{NLL} - H$.
//
// Five stacks with as many weights in a block. A stack that is deeper has more weights *and* hears further, so each but the first comes twice: with dilations that double, and with dilations of 1 throughout, which has the same weights and hears less far. What differs between the two of a pair is the receptive field alone.

// %% id="tones"
const tones = toneSource();
const sound = {
  train: { x: tones.sample({ count: 2000, rng: rng.fork('tones') }) },
  validation: { x: tones.sample({ count: 500, rng: rng.fork('tones to validate') }) },
};
const heard = { x: tones.sample({ count: 1000, rng: rng.fork('tones to test') }) };
figure(
  [0, 1].map((n) => ({ y: rowsOfPixels(heard.x)[n]!, mode: 'lines', name: `tone ${n + 1}`, line: { shape: 'hv' } })),
  {
    title: 'Two tones in µ-law code',
    xaxis: { title: 'step' },
    yaxis: { title: `level (s = 0.1 is ${(100 * muLaw(0.1)).toFixed(0)} % of the way up)` },
  },
);

// %% id="tones-train"
const hearing = [];
const perStep: { name: string; nats: ArrayLike<number> }[] = [];
for (const list of [[1], [1, 1, 1], [1, 2, 4], [1, 1, 1, 1, 1], [1, 2, 4, 8, 16]]) {
  const here = rng.fork(`dilations ${list.join(' ')}`);
  const config = { ...convolutionalAutoregressive.defaults, values: 32, width: 32, dilations: list };
  const model = convolutionalAutoregressive.create(config, here.fork('weights'));
  const optimiser = adamW(0.004, { weightDecay: 0.1, clipNorm: 1 });
  const options = { epochs: budgeted(12, 20), batchSize: 50, optimiser, ema: 0.98, patience: 6, quiet: true };
  await fit(model, sound, { ...options, rng: here.fork('fit') });
  const { nats } = evaluate(model, heard, here);
  const back = predicted(3, list);
  hearing.push({
    dilations: list.join(', '),
    weights: weightsOf(model),
    'steps back, predicted': back,
    'NLL, nats': nats,
    'KL = NLL − H': nats - tones.entropy,
  });
  perStep.push({
    name: `dilations ${list.join(', ')}`,
    nats: tf.tidy(() => natsPerValue(model, heard.x).mean(0).dataSync()),
  });
}
table(hearing, { caption: `Tones: H = ${tones.entropy.toFixed(2)} nats`, digits: 2 });
figure(
  [
    ...perStep.map(({ name, nats }) => ({ y: nats, mode: 'lines', name })),
    { x: [0, 63], y: [1.5 * Math.LN2, 1.5 * Math.LN2], mode: 'lines', name: 'the noise alone', line: { dash: 'dot' } },
  ],
  {
    title: 'Mean −ln p of each step: who hears the tone is left with the noise',
    xaxis: { title: 'step' },
    yaxis: { title: 'nats', rangemode: 'tozero' },
  },
);

// %% [markdown] id="sampling"
// ## 7 Sampling
//
// Draw $x_1$ from $p(x_1)$, then $x_2$ from $p(x_2 \mid x_1)$, and so on: $D$ draws, each exact, and so is the whole.
//
// ### Exercise: ancestral sampling
//
// By inverse distribution functions, so that the noise is an argument: for $u$ uniform on $[0, 1)$, take the value $v$ for which $u$ falls between $p(x < v)$ and $p(x \le v)$; that is, the number of values whose *cumulative* probability is at most $u$. (The last of these probabilities is 1, and never at most $u$; in 32 bits it may come out a little lower, so see to it that no value beyond $V - 1$ is drawn.) The network is the one of section 2: row $d$ of its answer depends on $x_1 \dots x_{d-1}$ alone, so what the later places hold does not matter yet.

// %% id="draw"
/**
 * One value after the other, each by its inverse distribution function.
 * @param network x [B, D] → logits [B, D, V], causal @param u uniform noise [B, D], for each value its own
 * @returns integers 0 … V − 1 as floats, [B, D]
 */
function drawInOrder(network: (x: tf.Tensor) => tf.Tensor, u: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION ar.draw
  const [B, steps] = u.shape as [number, number];
  let x = tf.zeros([B, steps]);
  for (let d = 0; d < steps; d++) {
    const p = tf.softmax(tf.gather(network(x), d, 1)); // [B, V]
    const passed = tf.cumsum(p, 1).lessEqual(u.slice([0, d], [B, 1])); // [B, V]
    const drawn = passed.sum(1, true).minimum(p.shape[1]! - 1); // [B, 1]; a sum may end below 1
    x = tf.where(tf.range(0, steps).equal(d), drawn.toFloat(), x);
  }
  return x;
  // END SOLUTION
}

// %% id="check-draw"
await check('ar.draw', drawInOrder);

// %% [markdown] id="at-once-text"
// ### Exercise: design a sampler that draws all places at once
//
// Fix the noise $\mathbf{u}$. Ancestral sampling then has exactly one outcome, the picture that explains itself: every $x_d$ is what $u_d$ draws *given the $x$ before it*. Such a fixed point can be looked for in other ways than place by place. Start with a guess, all zeros. In one pass, ask the network about the whole guess and draw *every* place from its row, each by its own $u_d$; that is the next guess. Which places are right after the first pass, and which after pass $k$, whatever the network? And why can it be done sooner? (The field knows this as **Jacobi** or **fixed-point iteration**: Song et al., 2021; drafting many steps cheaply and accepting those that hold is *speculative sampling*.)

// %% id="at-once"
/**
 * Draws after so many passes, each of which draws all places, given the guess of the pass before; the first is zeros.
 * @param network x [B, D] → logits [B, D, V], causal @param u uniform noise [B, D] @param passes 0, 1, 2 …
 * @returns integers 0 … V − 1 as floats, [B, D]
 */
function drawAtOnce(network: (x: tf.Tensor) => tf.Tensor, u: tf.Tensor, passes: number): tf.Tensor {
  // BEGIN SOLUTION ar.parallel
  let x: tf.Tensor = tf.zerosLike(u);
  for (let pass = 0; pass < passes; pass++) {
    const p = tf.softmax(network(x)); // [B, D, V]
    const passed = tf.cumsum(p, 2).lessEqual(u.expandDims(2)); // [B, D, V]
    const drawn = passed
      .sum(2)
      .minimum(p.shape[2]! - 1)
      .toFloat(); // [B, D]
    x = drawn;
  }
  return x;
  // END SOLUTION
}

// %% id="check-at-once"
await check('ar.parallel', drawAtOnce);

// %% [markdown] id="passes-text"
// How many passes do the trained networks need? Below, five pictures from the same noise, drawn place by place by *your* `drawInOrder` and then by your `drawAtOnce`: how many of the 64 pixels still differ after so many passes. In the worst case it takes 64 of them; blank margins are guessed at once. The network is compiled first (`compiled`, of the library's engine, takes any function of tensors): there are 64 + 63 passes to make, and an interpreter would keep you waiting.

// %% id="own-draws"
const noiseOf = (label: string, count: number) => rng.fork(label).uniform([count, D]);
const compiledLogits = compiled(([x]) => [first.logits(x!)]);
const network = (x: tf.Tensor) => compiledLogits([x], rng)[0]!;
const ownDraw = yours(drawInOrder, (_, u) => first.sample({ count: u.shape[0]!, rng: rng.fork('library draws') }));
const inOrder = tf.tidy(() => ownDraw(network, noiseOf('own draws', 5)));
const rightSoFar = [1, 2, 4, 8, 16, 32];
const ownAtOnce = yours(drawAtOnce, (_, u) => first.sample({ count: u.shape[0]!, rng: rng.fork('library draws') }));
const guesses = tf.tidy(() =>
  rightSoFar.map((passes) => ownAtOnce(network, noiseOf('own draws', 5), passes).arraySync() as number[][]),
);
imageGrid(rowsOfPixels(inOrder), { ...pictures, columns: 5, title: `Place by place, 64 passes: ${ownDraw.by()}` });
const end = rowsOfPixels(inOrder);
if (ownAtOnce.by() === 'yours' && ownDraw.by() === 'yours') {
  imageGrid(guesses.flat(), {
    ...pictures,
    columns: 5,
    title: `All places at once: after ${rightSoFar.join(', ')} passes`,
  });
  table(
    rightSoFar.map((passes, i) => ({
      passes,
      'pixels unlike the end, of 64': guesses[i]!.flatMap((row, n) => row.filter((v, d) => v !== end[n]![d])).length / 5,
    })),
    { caption: 'The first picture’s network, five pictures: a mean', digits: 1 },
  ); // prettier-ignore
}

// %% id="samples"
imageGrid(rowsOfPixels(best.sample({ count: 20, rng: rng.fork('samples') })), {
  ...pictures,
  title: `Samples: ${winner.setting.name}`,
});

// %% [markdown] id="temperature-text"
// ### Exercise: temperature
//
// Draw in proportion to $p^{1/\tau}$ rather than $p$: below $\tau = 1$ the likely values become likelier, and towards 0 only the likeliest is left. On logits that is a division. (Do it to probabilities, and normalising takes it out again: a library of language models shipped a temperature that did nothing.)

// %% id="tempered"
/**
 * Probabilities in proportion to softmax(logits)^(1/τ).
 * @param logits [B, V] @param temperature τ > 0 @returns [B, V], rows sum to 1
 */
function tempered(logits: tf.Tensor, temperature: number): tf.Tensor {
  // BEGIN SOLUTION ar.temperature
  return tf.softmax(logits.div(temperature));
  // END SOLUTION
}

// %% id="check-tempered"
await check('ar.temperature', tempered);

// %% id="own-temperature"
const ownTempered = yours(tempered, (logits: tf.Tensor, tau: number) => {
  // how often each grey level comes third among the library's draws at that temperature
  const before = tf.zeros([1000, 2]);
  const drawn = first.sample({ count: 1000, rng: rng.fork('library'), given: before, temperature: tau });
  const third = tf.oneHot(drawn.slice([0, 2], [-1, 1]).reshape([-1]).toInt() as tf.Tensor1D, V).toFloat();
  return third.mean(0).reshape(logits.shape);
});
const firstLogits = tf.tidy(() =>
  first
    .logits(tf.zeros([1, D]))
    .slice([0, 2, 0], [1, 1, V])
    .reshape([1, V]),
);
const cooledRows = [0.5, 1, 2].map((tau) => Array.from(tf.tidy(() => ownTempered(firstLogits, tau).dataSync())));
figure(
  [0.5, 1, 2].map((tau, i) => ({ type: 'bar', name: `τ = ${tau}`, x: cooledRows[i]!.map((_, v) => v), y: cooledRows[i]! })),
  {
    title: `p(third pixel | two blank ones) by temperature: ${ownTempered.by()}`,
    xaxis: { title: 'grey level' },
    yaxis: { title: 'probability', type: 'log' },
  },
  { height: 300 },
); // prettier-ignore

// %% id="temperatures"
const temperatures = [0.5, 0.8, 1, 1.3];
imageGrid(
  temperatures.flatMap((tau) => rowsOfPixels(best.sample({ count: 10, rng: rng.fork('tempered'), temperature: tau }))),
  { ...pictures, title: `Temperatures ${temperatures.join(', ')}, one a row; the same noise` },
);
table(
  temperatures.map((tau) => ({
    temperature: tau,
    'mean −ln p of samples': evaluate(
      best,
      { x: best.sample({ count: 200, rng: rng.fork('many'), temperature: tau }) },
      rng,
    ).nats,
  })),
  {
    caption: `By the model itself, in nats; test digits: ${evaluate(best, digits.test, rng).nats.toFixed(1)}`,
    digits: 1,
  },
);

// %% [markdown] id="halves-text"
// The samples at $\tau = 1$ cost about as much as test digits do: the model finds its own work neither too likely nor too surprising, which is what a good fit looks like from inside. Halves of digits, completed by the best model:

// %% id="halves"
imageGrid(
  [
    half,
    ...['a', 'b', 'c', 'd'].map((draw) => best.sample({ count: 10, rng: rng.fork(`half ${draw}`), given: upper })),
  ].flatMap(rowsOfPixels),
  { ...pictures, title: 'What is shown, and four completions' },
);

// %% [markdown] id="memory-text"
// **Memory.** A loop over passes computes everything anew for each value, though only one row is new. A causal layer can remember: a convolution its last $(K - 1) \cdot \text{dilation}$ rows, attention the keys and values so far (the **KV cache**). Then a step costs one row and not $D$. The library's `sample` remembers, and its step is compiled once and kept running; `sampleByPasses` is the same without memory. Below, ten sequences of growing length from a fresh transformer, both ways compiled; then digits, also by the loop that one writes first, of eager passes. (The noise is the same, and so are the digits.) Most of what a loop of eager passes loses, it loses to the interpreter; what memory is worth by itself is the difference between the two compiled columns.

// %% id="memory"
async function naiveSample(model: AutoregressiveModel, count: number, length: number, noise: Rng): Promise<tf.Tensor> {
  let x = tf.zeros([count, length]);
  for (let d = 0; d < length; d++) {
    const before = x;
    x = tf.tidy(() => {
      const drawn = categorical(tf.gather(model.logits(before), d, 1), noise.fork(`step ${d}`));
      return tf.where(tf.range(0, length).equal(d), drawn.toFloat().expandDims(1), before);
    });
    before.dispose();
    if (d % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return x;
}

/** Of the second call: the first one also compiles. */
async function millisecondsOf(body: () => tf.Tensor | Promise<tf.Tensor>): Promise<number> {
  (await body()).dispose();
  const started = performance.now();
  (await body()).dispose();
  return performance.now() - started;
}

const lengths = [16, 32, 64, 128];
const costOfLength: { length: number; memory: number; passes: number }[] = [];
for (const length of lengths) {
  const config = { ...transformerAutoregressive.defaults, eventShape: [length] };
  const model = transformerAutoregressive.create(config, rng.fork('length'));
  costOfLength.push({
    length,
    memory: await millisecondsOf(() => model.sample({ count: 10, rng: rng.fork('timed') })),
    passes: await millisecondsOf(() => model.sampleByPasses({ count: 10, rng: rng.fork('timed') })),
  });
}
figure(
  (['memory', 'passes'] as const).map((way) => ({
    x: lengths,
    y: costOfLength.map((cost) => cost[way]),
    mode: 'lines+markers',
    name: way === 'memory' ? 'with memory' : 'a pass for each value',
  })),
  {
    title: 'Ten sequences from a transformer, compiled',
    xaxis: { title: 'length', type: 'log', tickvals: lengths },
    yaxis: { title: 'milliseconds', type: 'log', dtick: 1 },
  },
);

// %% id="naive"
const ways = [];
for (const { setting, model } of results.filter(({ model: { sample, sampleByPasses } }) => sample !== sampleByPasses)) {
  const started = performance.now();
  const byHand = await naiveSample(model, 2, D, rng.fork('race'));
  const naive = performance.now() - started;
  const passes = await millisecondsOf(() => model.sampleByPasses({ count: 2, rng: rng.fork('race') }));
  const library = await millisecondsOf(() => model.sample({ count: 2, rng: rng.fork('race') }));
  ways.push({
    network: setting.name,
    'eager loop, ms': naive,
    'compiled passes, ms': passes,
    '`sample`, ms': library,
    'memory: times as fast': passes / library,
    'both: times as fast': naive / library,
    'pixels that differ': tf.tidy(
      () =>
        byHand
          .notEqual(model.sample({ count: 2, rng: rng.fork('race') }))
          .sum()
          .dataSync()[0]!,
    ),
  });
}
table(ways, { caption: 'Two digits of 64 values each, by the networks that have a memory', digits: 1 });

// %% [markdown] id="card-text"
// ## The card
//
// The lecture's overview, filled in for two members of this family.

// %% id="card"
card(convolutionalAutoregressive.card);
card(transformerAutoregressive.card);

// %% [markdown] id="bug"
// ## The bug to find
//
// Attention with memory: keys and values of $P$ steps before are there already, $S$ new steps come, so the queries are $[B, S, d]$, and keys and values $[B, P + S, d]$. The code below masks what lies ahead. It is right whenever one trains, because then $P = 0$; every test on whole sequences passes. With memory it goes wrong without a sound. PyTorch's `scaled_dot_product_attention(…, is_causal=True)` does exactly this, by documented choice; its issue tracker has years of people who found out while sampling.
//
// ### Exercise: repair it
//
// Which keys may query number $i$ of the new ones see? What does the given code let it see when $S = 1$?

// %% id="attend"
/**
 * Attention of the last S of P + S steps to themselves and to all steps before.
 * @param q [B, S, d] @param k [B, P + S, d] @param v [B, P + S, d] @returns [B, S, d]
 */
function attend(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor): tf.Tensor {
  const [S, all, d] = [q.shape[1]!, k.shape[1]!, q.shape[2]!];
  // BEGIN SOLUTION ar.attend
  // Query i of the new ones is step P + i of all, with P = all − S. The code that was given took it for step i: a single
  // new query saw the very first step alone, whatever came after.
  const now = tf.range(all - S, all).expandDims(1); // [S, 1]
  const ahead = tf.range(0, all).greater(now); // [S, P + S]
  // END SOLUTION
  // BEGIN GIVEN
  // const now = tf.range(0, S).expandDims(1); // [S, 1]
  // const ahead = tf.range(0, all).greater(now); // [S, P + S]
  // END GIVEN
  const scores = q.matMul(k, false, true).div(Math.sqrt(d)); // [B, S, P + S]
  return tf.softmax(tf.where(ahead, -Infinity, scores)).matMul(v);
}

// %% id="check-attend"
await check('ar.attend', attend);

// %% [markdown] id="attend-text"
// Twelve steps in one go, and the same twelve in pieces, by whatever your function says now. A right one gives the same numbers.

// %% id="attend-pieces"
const [queries, keys, values] = ['q', 'k', 'v'].map((name) => rng.fork(name).normal([1, 12, 4]));
table(
  [12, 6, 4, 1].map((size) => ({
    'steps at a time': size,
    'largest difference': tf.tidy(() => {
      const pieces = Array.from({ length: 12 / size }, (_, i) => {
        const until = (i + 1) * size;
        const upTo = (x: tf.Tensor) => x.slice([0, 0, 0], [1, until, 4]);
        return attend(queries!.slice([0, i * size, 0], [1, size, 4]), upTo(keys!), upTo(values!));
      });
      return tf
        .concat(pieces, 1)
        .sub(attend(queries!, keys!, values!))
        .abs()
        .max()
        .dataSync()[0]!;
    }),
  })),
  { caption: 'In pieces against in one go', digits: 4 },
);

// %% [markdown] id="costs"
// ## What it costs
//
// Measured on this machine, now: one training pass over the thousand digits, the likelihood of new ones, and samples in batches of 100. Likelihoods are parallel over pixels and samples are not; the PixelCNNs here have no memory, and pay for it.

// %% id="measure-costs"
const costs = [];
const drawn = budgeted(100);
for (const { name, create } of members) {
  const model = create(rng.fork('cost'));
  const options = { batchSize: 50, optimiser: adamW(0.003), quiet: true, rng: rng.fork('cost run') };
  const { milliseconds } = await fit(model, { train: digits.train }, { ...options, epochs: 2 });
  costs.push({
    network: name,
    'training, ms per image': milliseconds / 2000,
    'likelihood, ms per image': (await millisecondsOf(() => tf.scalar(evaluate(model, digits.test, rng).nats))) / 447,
    'sampling, ms per image':
      (await millisecondsOf(() => model.sample({ count: drawn, rng: rng.fork('cost samples') }))) / drawn,
  });
}
table(costs, { caption: 'Cost on the digits (training with what compiling it took)', digits: 2 });

// %% [markdown] id="failures"
// ## Where it fails
//
// **Sampling is serial** in the worst case: $D$ steps. Memory makes a step cheap, and compiling makes it cheaper. Passes over all places draw the same values in fewer steps where the model is sure of itself, as in section 7; each of these steps costs as much as $D$ of the others, so they pay on hardware that does many things at once. A picture of a megapixel remains very many steps.
//
// **One question only.** The model answers "what comes next". Given the *lower* half of a digit, the upper half has a conditional distribution like any other, and a circuit (chapter 4) draws from it in one pass. Here it would take a sum over $17^{32}$ upper halves. The nearest thing is to draw many pictures and keep those whose lower half fits: how many of two thousand share even their last two rows with a given test digit?

// %% id="failure-lower"
const many = first.sample({ count: budgeted(2000), rng: rng.fork('many pictures') });
const fits = tf.tidy(() => {
  const wanted = shown.slice([0, 48], [10, 16]).expandDims(1); // [10, 1, 16]
  const off = many.slice([0, 48], [-1, 16]).expandDims(0).sub(wanted).abs(); // [10, N, 16]
  return [0, 1, 2, 4].map((tolerance) => off.lessEqual(tolerance).all(2).sum(1).dataSync() as Int32Array);
});
table(
  fits.map((found, i) => ({
    'each pixel within': [0, 1, 2, 4][i]!,
    ...Object.fromEntries(Array.from(found).map((count, n) => [`digit ${n + 1}`, count])),
  })),
  { caption: `Of ${many.shape[0]} samples, those whose last two rows fit a given digit`, digits: 0 },
);

// %% [markdown] id="failure-temperature-text"
// **Temperature is not what it seems.** Cooling every factor is *not* cooling the joint distribution, $p(\mathbf{x})^{1/\tau} / Z$: a first value is judged by its own probability, and not by how good the futures are to which it leads. Two steps of two values, with numbers: the first value 0 leads to an even choice, and the first value 1 to a sure thing.
//
// ### Predict: a choice between futures
//
// In general: the first value is 0 with probability $p$, and leads to $n_0$ equally likely futures; it is 1 otherwise, and leads to $n_1$. *Before* you run the tables: how probable is it that the first value is 0, once the joint is cooled to $\tau$, and once the factors are? (The second table compares your answers with draws: pairs are listed, cooled, and counted.)

// %% id="cold-choice"
/**
 * p(x₁ = 0) at temperature tau.
 * @param p p(x₁ = 0) at temperature 1 @param futures how many equally likely ones follow 0, and 1
 * @param cooled the joint, p(x)^(1/τ) / Z, or every factor by itself
 */
function coldChoice(p: number, futures: readonly [number, number], tau: number, cooled: 'joint' | 'factors'): number {
  // BEGIN SOLUTION ar.coldChoice
  const counts = cooled === 'joint' ? futures : [1, 1]; // even futures stay even: they do not change the first factor
  const weight = (v: number, n: number) => n * (v / n) ** (1 / tau); // n pairs of v / n each
  const [a, b] = [weight(p, counts[0]!), weight(1 - p, counts[1]!)];
  return a! / (a! + b!);
  // END SOLUTION
}

// %% id="failure-temperature"
const joint = [0.6 * 0.5, 0.6 * 0.5, 0.4 * 0.999, 0.4 * 0.001]; // p(00), p(01), p(10), p(11)
const cooled = (p: readonly number[], tau: number) => {
  const powers = p.map((value) => value ** (1 / tau));
  return powers.map((value) => value / powers.reduce((a, b) => a + b));
};
table(
  [1, 0.5, 0.2].map((tau) => {
    const [wholeA, wholeB, wholeC] = cooled(joint, tau);
    const [firstIs0] = cooled([0.6, 0.4], tau);
    const [, sure] = cooled([0.001, 0.999], tau);
    return {
      temperature: tau,
      'x1 = 0, joint cooled': wholeA! + wholeB!,
      '10, joint cooled': wholeC!,
      'x1 = 0, factors cooled': firstIs0!,
      '10, factors cooled': (1 - firstIs0!) * sure!,
    };
  }),
  { caption: 'The most probable pair is 10; cooling the factors makes it rarer', digits: 3 },
);

// %% id="cold-futures"
const choice = prediction(coldChoice);
table(
  ([[2, 1], [10, 1], [10, 10]] as const).map((futures) => {
    const pairs = futures.flatMap((n, x1) => Array.from({ length: n }, () => ({ x1, p: [0.6, 0.4][x1]! / n })));
    const shares = cooled(pairs.map(({ p }) => p), 0.5); // prettier-ignore
    return {
      'futures of 0': futures[0],
      'of 1': futures[1],
      'listed, joint cooled': pairs.reduce((sum, { x1 }, i) => (x1 === 0 ? sum + shares[i]! : sum), 0),
      'joint, predicted': choice(0.6, futures, 0.5, 'joint'),
      'listed, factors cooled': cooled([0.6, 0.4], 0.5)[0]!,
      'factors, predicted': choice(0.6, futures, 0.5, 'factors'),
    };
  }),
  { caption: 'p(x₁ = 0) at τ = 0.5, for p = 0.6', digits: 3 },
); // prettier-ignore

// %% id="check-cold-choice"
await check('ar.coldChoice', coldChoice);

// %% [markdown] id="failures-more"
// **Mistakes are read back.** In training every prefix is a real one. A sampler that has drawn something odd goes on from it, in a place where the network was never trained: **exposure bias**.
//
// **No representation.** There is a feature vector for every prefix, and none for the picture. Chapters 8 to 10 are about that.
//
// ### Sources
//
// A. van den Oord et al., *WaveNet: a generative model for raw audio* (2016). A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, *Pixel recurrent neural networks*, ICML 2016. A. van den Oord et al., *Conditional image generation with PixelCNN decoders*, NeurIPS 2016. A. Vaswani et al., *Attention is all you need*, NeurIPS 2017. A. Radford et al., *Improving language understanding by generative pre-training* (2018). I. Loshchilov, F. Hutter, *Decoupled weight decay regularization*, ICLR 2019. ITU-T Recommendation G.711 (1988), for the µ-law. M. Germain et al., *MADE: masked autoencoder for distribution estimation*, ICML 2015. Y. Song et al., *Accelerating feedforward computation via parallel nonlinear equation solving*, ICML 2021. J. Tomczak, *Deep Generative Modeling* (2024), chapter 3. The bug is in issues 103082 and 144858 of github.com/pytorch/pytorch; the temperature without effect in pull request 981 of github.com/google/gemma.cpp.
