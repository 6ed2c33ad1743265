// %% [markdown] id="title" tags=["foundation"]
// # 0 Start
//
// This is a workbook: you read, run, and write. Each chapter is a notebook like this one, in TypeScript. Text and code alternate in **cells**; to run one, click into it and press Shift+Enter. Run the cells from the top downwards, since each sees what the earlier ones declared.
//
// In a quarter of an hour you will have seen everything that the other chapters take for granted: tensors, seeded randomness, figures, exercises with their checks and hints, a complete small model, and what to do when something turns red. Everything printed below was computed by running this file (`npm run solutions -- 00`).

// %% tags=["setup"] id="setup"
import * as tf from '@tensorflow/tfjs';
import { check, hint, NotWritten, yours } from 'grader';
import {
  adam,
  budgeted,
  categorical,
  constantWeight,
  createRng,
  evaluate,
  figure,
  fit,
  histogramBaseline,
  load,
  logCategorical,
  lossCurve,
  table,
  type GenerativeModel,
  type Rng,
} from 'dgm';

const rng = createRng(0); // the one seed of this chapter

// %% [markdown] id="why"
// ## Why models with a likelihood
//
// A generative model makes new examples like those it has seen. Whether they *look* right is a matter of taste. Whether the model gives unseen examples a high probability is a number, the **likelihood**, and numbers can be checked. So this course asks of every model: is its number a likelihood at all, how good is it, and what did it cost? For the six-sided die of this chapter all three can be answered on one page.
//
// ## Cells, tensors, shapes
//
// A cell shows what it displays, and the value of its last expression. Data are **tensors**: arrays with a shape, here $N = 4$ examples of $D = 3$ numbers. Operations work on all entries at once, and `mean(0)` averages along the first axis, so that it disappears.

// %% id="tensors"
const heights = tf.tensor2d([
  [1, 10, 100],
  [2, 20, 200],
  [3, 30, 300],
  [4, 40, 400],
]); // [4, 3]
table(
  [
    { expression: 'heights', value: heights },
    { expression: 'heights.mean(0)', value: heights.mean(0) },
    { expression: 'heights.mean(1, true)', value: heights.mean(1, true) },
    { expression: 'heights.sub(heights.mean(0))', value: heights.sub(heights.mean(0)) },
  ].map(({ expression, value }) => ({
    expression,
    shape: `[${value.shape.join(', ')}]`,
    numbers: [...value.dataSync()].join(' '),
  })),
  { caption: 'Shapes' },
);
heights.mean(0);

// %% [markdown] id="broadcasting"
// In the last row a $[4, 3]$ meets a $[3]$: the smaller one is **broadcast**, repeated along the axis that it lacks. Wrong shapes broadcast as readily as right ones, which is why the code of this course writes shapes next to the lines that change them. `tf.tidy(() => …)` around a computation frees its intermediate tensors.
//
// ## Exercises and their checks
//
// An exercise is a function whose body is missing. Replace the line that throws, run the cell, run the check below it. The check says line by line what holds, and where something does not hold, what was expected and what came. Nothing is lost by a wrong try: change the function and run both cells again. Grading later runs the same checks on other inputs, and some that you do not see, so an answer made to fit the check's numbers will not do.
//
// ### Exercise: standardise
//
// Shift and scale every column to mean 0 and variance 1, with the variance of the data themselves (divided by $N$):
//
// $$\tilde x_{nd} = \frac{x_{nd} - m_d}{s_d}, \qquad m_d = \frac1N\sum_n x_{nd}, \qquad s_d^2 = \frac1N\sum_n (x_{nd} - m_d)^2.$$

// %% id="standardise"
/**
 * Every column of x shifted to mean 0 and scaled to variance 1.
 * @param x [N, D], no column constant @returns [N, D]
 */
function standardise(x: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION start.standardise
  const centred = x.sub(x.mean(0)); // [N, D]
  const variance = centred.square().mean(0); // [D]
  return centred.div(variance.sqrt()); // [N, D]
  // END SOLUTION
}

// %% id="check-standardise"
await check('start.standardise', standardise);

// %% [markdown] id="own-standardise-text"
// The cell below runs *your* function on the numbers from above, and the library's way as long as there is none: `yours(own, library)` does that wherever what you write is put to use, and a line or a title says who answered. The three columns of `heights` say the same in three units. What is left without the units?

// %% id="own-standardise"
const scaled = yours(standardise, (x: tf.Tensor): tf.Tensor => {
  const { mean, variance } = tf.moments(x, 0); // [D]
  return tf.div(tf.sub(x, mean), tf.sqrt(variance));
});
const scaledRows = tf.tidy(() => scaled(heights).arraySync() as number[][]);
table(
  scaledRows.map(([first, second, third], n) => ({ example: n, first, second, third })),
  { caption: `The columns of heights, standardised: ${scaled.by()}`, digits: 3 },
);

// %% [markdown] id="hints"
// **Stuck?** Each exercise has three hints: a question, then the notion, then the step before the code. The first can be asked for at once, the next ones open as tries fail. When a function passes, its worked solution opens, too: `await solution('start.standardise')`. In a terminal the same is `npx grade check 00`, `npx grade hint start.standardise` and `npx grade solution start.standardise`.

// %% id="ask-for-a-hint"
await hint('start.standardise');

// %% [markdown] id="randomness"
// ## Randomness is an argument
//
// A result that cannot be repeated cannot be debugged. Every function that needs random numbers takes an `rng`, and the same rng gives the same numbers on every machine. `rng.fork('label')` starts an independent stream with a name of its own. The same label gives the **same** stream again, and this is the trap: two purposes that share a label share their numbers.

// %% id="streams"
const firstFour = (label: string) => [...rng.fork(label).uniform([4]).dataSync()].map((u) => u.toFixed(3)).join('  ');
table(
  ['weights', 'noise', 'weights'].map((label) => ({ label, 'first four numbers of U[0, 1)': firstFour(label) })),
  { caption: 'Three forks, two streams' },
);

// %% [markdown] id="dice-exercise"
// ### Exercise: the sum of two dice
//
// A fair die from $u \sim U[0,1)$: $\lfloor 6u \rfloor + 1$. Throw two of them, independently, and add up.

// %% id="two-dice"
/**
 * The sums of two fair dice, thrown independently.
 * @returns [count], whole numbers 2 … 12
 */
function twoDice(count: number, rng: Rng): tf.Tensor {
  // BEGIN SOLUTION start.twoDice
  const throwOne = (label: string) => rng.fork(label).uniform([count]).mul(6).floor().add(1); // [count]
  return throwOne('one').add(throwOne('two')); // [count]
  // END SOLUTION
}

// %% id="check-two-dice"
await check('start.twoDice', twoDice);

// %% [markdown] id="share-of-sum-text"
// ### Predict: how often is the sum 7?
//
// Some exercises are **predictions**: say what a cell will show *before* you run it, as a function of what it depends on; a check and the picture answer. How often does a sum come, when the dice are independent, and when both were drawn from forks with one and the same label?

// %% id="share-of-sum"
/** The probability of that sum of two fair dice, which come from forks with two labels, or both with one label. */
function shareOfSum(sum: number, streams: 'two labels' | 'one label'): number {
  // BEGIN SOLUTION start.shareOfSum
  if (sum < 2 || sum > 12) return 0;
  if (streams === 'one label') return sum % 2 === 0 ? 1 / 6 : 0; // both dice show the same face
  return (6 - Math.abs(sum - 7)) / 36; // that many of the 36 pairs
  // END SOLUTION
}

// %% [markdown] id="own-dice-text"
// Below, 6,000 throws by *your* `twoDice`, beside your prediction. All chapters use what you write in this way: their figures are then yours, right or wrong.

// %% id="own-dice"
const dice = yours(twoDice, (count: number, noise: Rng): tf.Tensor => {
  const fair = (label: string) => categorical(tf.zeros([count, 6]), noise.fork(label)).toFloat().add(1); // prettier-ignore
  return fair('first').add(fair('second'));
});
const predicted = yours(
  shareOfSum,
  (sum: number, streams: string): number =>
    [1, 2, 3, 4, 5, 6].filter((face) => (streams === 'one label' ? 2 * face === sum : sum - face >= 1 && sum - face <= 6)).length / (streams === 'one label' ? 6 : 36), // prettier-ignore
);
const sums = Array.from({ length: 11 }, (_, i) => i + 2);
const thrown = tf.tidy(() => [...dice(6000, rng.fork('own dice')).dataSync()]);
const expected = (streams: 'two labels' | 'one label') => ({
  mode: 'markers',
  name: `${streams}, predicted`,
  x: sums,
  y: sums.map((sum) => predicted(sum, streams)),
  marker: { size: 11, symbol: streams === 'one label' ? 'x' : 'circle' },
});
figure(
  [
    { type: 'bar', name: '6,000 throws', x: sums, y: sums.map((sum) => thrown.filter((t) => t === sum).length / 6000) },
    expected('two labels'),
    expected('one label'),
  ],
  {
    title: `Throws: ${dice.by()}; prediction: ${predicted.by()}`,
    xaxis: { title: 'sum', dtick: 1 },
    yaxis: { title: 'share' },
  },
);

// %% id="check-share-of-sum"
await check('start.shareOfSum', shareOfSum);

// %% [markdown] id="seven-steps"
// ## The seven steps
//
// In the lecture's notation a generative model is
//
// $$\mathbf{x} \sim p_{\boldsymbol\theta}\bigl(h_{\boldsymbol\omega}(\mathbf{x})\bigr):$$
//
// examples are drawn from a distribution $p$ of some family, whose numbers come out of a function $h$. What is learnt are the **parameters** $\boldsymbol\theta$; what is chosen beforehand (how large $h$ is, how fast it learns) are the **hyperparameters** $\boldsymbol\omega$. What $h$ reads depends on the family: the pixels so far (chapter 5), the whole example (6), a latent variable (8), or nothing at all, as here, where $h$ is a table of six numbers.
//
// Every family of models in this course is built in the same seven steps, and every notebook from chapter 3 on has them as its headings: (1) the **family** of distributions, (2) the **network** that gives its parameters, (3) the **objective**, (4) the **optimiser**, (5) **training** with an eye on held-out data, (6) **hyperparameters and the likelihood** of new inputs, (7) **sampling**.
//
// Here they are for a loaded die, $p(x = v) = \mathrm{softmax}(\boldsymbol\theta)_v$. The objective is the mean negative log-likelihood,
//
// $$\mathcal{L}(\boldsymbol\theta) = -\frac1N \sum_{n=1}^N \ln \mathrm{softmax}(\boldsymbol\theta)_{x_n}.$$
//
// ### Exercise: the objective
//
// `tf.logSoftmax` and `tf.gather` do most of it. The faces are counted from 0.

// %% id="loss"
/**
 * Mean negative log-likelihood of a loaded die: −(1/N) Σ_n ln softmax(logits)[x_n], in nats per throw.
 * @param logits [V] @param x [N], whole numbers 0 … V − 1 @returns a scalar []
 */
function dieLoss(logits: tf.Tensor, x: tf.Tensor): tf.Tensor {
  // BEGIN SOLUTION start.dieLoss
  const logP = tf.logSoftmax(logits); // [V]
  return tf.gather(logP, x.toInt()).mean().neg(); // []
  // END SOLUTION
}

// %% id="check-loss"
await check('start.dieLoss', dieLoss);

// %% [markdown] id="die-gradient-text"
// ### Derive: which way the loss falls
//
// Each chapter has a formula that you find yourself, on paper; the check judges what comes of it. Here: the derivative of the loss by each of the logits. Only the counts $c_v$ of the faces matter, $\mathcal L(\boldsymbol\theta) = -\frac1N \sum_v c_v \ln\mathrm{softmax}(\boldsymbol\theta)_v$ with $N = \sum_v c_v$. Mind that every logit sits in the normaliser of every probability. Plain numbers in, plain numbers out.

// %% id="die-gradient"
/**
 * The derivative of the mean negative log-likelihood by each logit.
 * @param logits θ_v @param counts how often each face was thrown, at least one throw in all @returns ∂L/∂θ_v
 */
function dieGradient(logits: readonly number[], counts: readonly number[]): number[] {
  // BEGIN SOLUTION start.dieGradient
  const largest = Math.max(...logits);
  const weights = logits.map((l) => Math.exp(l - largest));
  const norm = weights.reduce((a, b) => a + b);
  const total = counts.reduce((a, b) => a + b);
  return weights.map((weight, v) => {
    const q = weight / norm;
    return q - counts[v]! / total; // 0 where the model has the shares of the throws
  });
  // END SOLUTION
}

// %% id="check-die-gradient"
await check('start.dieGradient', dieGradient);

// %% [markdown] id="model-text"
// The same model as the library wants it, with its own `logCategorical` for the formula. The die that we throw is known, so its **entropy** is, too: no model can have a mean loss below it on fresh throws, except by chance.

// %% id="model"
const truth = [0.4, 0.2, 0.15, 0.1, 0.1, 0.05];
const throwDie = (count: number, label: string) => ({
  x: tf.tidy(() =>
    categorical(tf.tile(tf.tensor2d([truth]).log(), [count, 1]), rng.fork(label))
      .toFloat()
      .expandDims(1),
  ),
}); // [count, 1]

/** A die with its own weights. */
function loadedDie(): GenerativeModel {
  const theta = constantWeight([1, 6], 0); // 2 network: none, a table of six numbers
  const logProb = (x: tf.Tensor) => logCategorical(x, theta); // 1 family: [B, 1] → [B]
  return {
    eventShape: [1],
    likelihood: { kind: 'exact', logProb }, // 6 of new inputs
    objectives: [{ name: 'nll', estimates: 'nll', variables: [theta], loss: ({ x }) => logProb(x).mean().neg() }], // 3 objective
    sample: ({ count, rng }) =>
      tf.tidy(() =>
        categorical(tf.tile(theta, [count, 1]), rng)
          .toFloat()
          .expandDims(1),
      ), // 7
  };
}

// %% [markdown] id="training-text"
// Steps 4 and 5 are a call. `fit` draws minibatches, watches the validation loss, and leaves the weights of the best epoch in the model. The line under the cell tells where it is.
//
// **To stop early**, press the stop button of the notebook (the black square): training ends after the current step and keeps the best weights so far; a cell that is busy with anything else ends with "interrupted". Nothing that earlier cells made is lost.
//
// **To save time**, start the notebook with the environment variable `DGM_BUDGET`, for example `DGM_BUDGET=0.1 npm start`. Every `budgeted(n)` then is a tenth. Results get worse, every line still runs.

// %% id="training"
const data = { train: throwDie(600, 'train'), validation: throwDie(300, 'validation') };
const die = loadedDie();
const run = await fit(die, data, {
  epochs: budgeted(60),
  batchSize: 50,
  optimiser: adam(0.03), // 4 optimiser
  patience: 10,
  rng: rng.fork('fit'),
});
lossCurve(run, { title: 'A loaded die' });

// %% [markdown] id="own-descent-text"
// **Yours, without a library.** The loss goes down along minus its gradient, $\boldsymbol\theta \leftarrow \boldsymbol\theta - \eta\, \nabla\mathcal L$. The cell below takes such steps with your `dieGradient` and measures them with your `dieLoss`, on the same 600 throws, from $\boldsymbol\theta = \mathbf 0$ with $\eta = 1$. The last row is what `fit` has left in the model.

// %% id="own-descent"
const lossBy = yours(dieLoss, (logits: tf.Tensor, x: tf.Tensor): tf.Tensor =>
  logCategorical(x.expandDims(1), logits.expandDims(0)).mean().neg(),
);
const slopeBy = yours(dieGradient, (logits: readonly number[], counts: readonly number[]): number[] => {
  const loss = (t: tf.Tensor) => tf.logSoftmax(t).mul(tf.tensor1d([...counts])).sum().div(-counts.reduce((a, b) => a + b)); // prettier-ignore
  return tf.tidy(() => [
    ...tf
      .grad(loss)(tf.tensor1d([...logits]))
      .dataSync(),
  ]);
});
const faceCounts = truth.map((_, v) => [...data.train.x.dataSync()].filter((face) => face === v).length);
const lossAt = (logits: readonly number[]) =>
  tf.tidy(() => lossBy(tf.tensor1d([...logits]), data.train.x.squeeze([1])).dataSync()[0]!);
const steps = [];
let theta = truth.map(() => 0);
for (let step = 0; step <= 100; step++) {
  const slope = slopeBy(theta, faceCounts);
  if ([0, 1, 3, 10, 30, 100].includes(step))
    steps.push({ step: `${step}`, 'training loss': lossAt(theta), 'steepest slope': Math.max(...slope.map(Math.abs)) });
  theta = theta.map((t, v) => t - slope[v]!);
}
table([...steps, { step: 'fit', 'training loss': evaluate(die, data.train, rng).nats }], {
  caption: `Gradient descent: the loss is ${lossBy.by()}, the gradient ${slopeBy.by()}`,
  digits: 4,
});

// %% [markdown] id="results-text"
// Step 6 for new inputs, beside what is known of the source; step 7 as a figure. Figures answer to the mouse: point at a bar to read it, drag to enlarge, double-click to go back.

// %% id="results"
const entropy = -truth.reduce((sum, p) => sum + p * Math.log(p), 0);
const fresh = evaluate(die, throwDie(20_000, 'fresh'), rng);
table(
  [
    { what: 'a fair die: ln 6', nats: Math.log(6) },
    { what: 'entropy of the loaded die', nats: entropy },
    { what: 'the model, on 20,000 fresh throws', nats: fresh.nats },
    { what: 'standard error of that number', nats: fresh.standardError },
  ],
  { caption: 'Nats per throw: smaller is better' },
);
const shares = (x: tf.Tensor) => truth.map((_, v) => tf.tidy(() => x.equal(v).toFloat().mean().dataSync()[0]!));
const bars = (name: string, y: readonly number[]) => ({ type: 'bar', name, x: truth.map((_, v) => v + 1), y });
figure(
  [
    bars('the die', truth),
    bars('600 throws', shares(data.train.x)),
    bars('samples', shares(die.sample({ count: 5000, rng: rng.fork('samples') }))),
  ],
  { title: 'What was learnt', xaxis: { title: 'face' }, yaxis: { title: 'share' } },
);

// %% [markdown] id="red"
// ## When something is red
//
// Three kinds of red, and what to do.
//
// **A cell does not compile.** The message names line and column, for example "Argument of type 'string' is not assignable to parameter of type 'number'". The types are checked before anything runs. If a name is missing, the cell that declares it has not run yet: run the cells above.
//
// **A cell throws.** The library's messages say where, what was expected, what came, and often what to do. Four real ones are below. The stack shows the line of your cell as `In[5]:3`.
//
// **A check fails.** Read "expected" and "got" before the code. A shape that differs is a wrong axis. A factor of the batch size is a sum for a mean, or the other way round. NaN is a logarithm of 0, or $0/0$.
//
// When nothing makes sense any more, restart the kernel (the round arrow) and run from the top: old values of deleted cells are the commonest ghost. `npm run doctor` says whether the machine is in order.

// %% id="messages"
/** What an action throws. */
async function messageOf(action: () => unknown): Promise<string> {
  try {
    await action();
    return 'nothing';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
const faults: readonly (readonly [string, () => unknown])[] = [
  ["load('digit')", () => load('digit')],
  ["rng.fork('')", () => rng.fork('')],
  ['histogramBaseline(data.train, 3)', () => histogramBaseline(data.train, 3)],
  ['fit with 0 epochs', () => fit(die, data, { epochs: 0, batchSize: 50, rng: rng.fork('none') })],
];
const messages = [];
for (const [action, body] of faults) messages.push({ action, message: await messageOf(body) });
table(messages, { caption: 'Messages' });

// %% [markdown] id="bug"
// ## The bug to find
//
// Each chapter ends with code that somebody published and that is wrong. It runs, and its result looks plausible. You are given the faulty code in place of an empty function. Find the fault, repair it, and let the check judge.
//
// ### Exercise: repair it
//
// This is how two published notebooks report the share of tokens that a language model guesses right, batch by batch. The table after it asks for the share of a model that guesses everything right, for test sets of several sizes. Look at it first.

// %% id="share-right"
/**
 * The share of examples that were right.
 * @param right number of right examples in each batch @param sizes number of examples in each batch
 */
function shareRight(right: readonly number[], sizes: readonly number[]): number {
  // BEGIN SOLUTION start.shareRight
  // The code that was given starts its count at 1: one success for free, which a small test set shows and a large hides.
  let sum = 0;
  let total = 0;
  right.forEach((count, b) => {
    sum += count;
    total += sizes[b]!;
  });
  return sum / total;
  // END SOLUTION
  // BEGIN GIVEN
  // let sum = 1;
  // let total = 0;
  // right.forEach((count, b) => {
  //   sum += count;
  //   total += sizes[b]!;
  // });
  // return sum / total;
  // END GIVEN
}

// %% id="share-right-picture"
table(
  [[2], [5, 5], [32, 32, 8], [1000, 1000, 500]].map((sizes) => ({
    batches: sizes.join(' + '),
    'share right, when all are': shareRight(sizes, sizes).toFixed(4),
  })),
  { caption: 'Your function, for a perfect model' },
);

// %% id="check-share-right"
await check('start.shareRight', shareRight);

// %% [markdown] id="costs"
// ## What it costs
//
// Plain tensor code runs operation by operation. `fit` traces the loss once, compiles it, and runs the compiled step from then on: slower the first time, faster ever after. Measured here, for one epoch of the die, twelve steps. For a model as small as this, most of the time is the call itself.

// %% id="measure-costs"
const timed = [];
for (const engine of ['eager', 'auto'] as const) {
  const clock = [performance.now()];
  const options = { batchSize: 50, optimiser: adam(0.03), rng: rng.fork('cost'), quiet: true, engine };
  await fit(
    loadedDie(),
    { train: data.train },
    { ...options, epochs: 21, onEpoch: () => clock.push(performance.now()) },
  );
  timed.push({
    steps: engine === 'eager' ? 'operation by operation' : 'compiled',
    'first epoch, ms': clock[1]! - clock[0]!,
    'each of the next 20, ms': (clock[21]! - clock[1]!) / 20,
  });
}
table(timed, { caption: 'Training the die', digits: 1 });

// %% [markdown] id="failures"
// ## Where it fails
//
// Six numbers, and already one can learn too much. With twelve throws some face may never have come up. Maximum likelihood then calls it impossible, and the longer one trains, the closer it gets to that: the training loss falls, the true loss, which can be computed here as $-\sum_v p_v \ln q_v$, rises, and in the limit it is infinite. The validation loss and early stopping are one remedy, and imaginary throws another: give every face $\alpha$ of them. To maximise the likelihood alone is **maximum likelihood estimation (MLE)**; to maximise it times a prior that says "no face is impossible" is **maximum a posteriori (MAP)** estimation, and for a die it comes to just those imaginary throws (chapter 3 derives it).
//
// ### Predict: where training ends
//
// The cell below trains for a thousand passes on twelve throws. *Before* you run it: where do the training loss and the true loss go if one trains for ever? Write both as a function of the counts.

// %% id="end-of-training"
/**
 * The losses in the limit of long training, in nats per throw.
 * @param counts how often each face was thrown @param truth the probabilities of the die
 * @returns training: the mean loss of the throws; truth: −Σ_v p_v ln q_v, which may be Infinity
 */
function endOfTraining(counts: readonly number[], truth: readonly number[]): { training: number; truth: number } {
  // BEGIN SOLUTION start.endOfTraining
  const total = counts.reduce((a, b) => a + b);
  const q = counts.map((count) => count / total); // where the gradient is 0
  const cost = (weights: readonly number[]) =>
    weights.reduce((sum, p, v) => (p > 0 ? sum - p * Math.log(q[v]!) : sum), 0);
  return { training: cost(q), truth: cost(truth) };
  // END SOLUTION
}

// %% id="failure"
const twelve = throwDie(12, 'twelve');
const unlucky = loadedDie();
const faces = tf.range(0, 6).expandDims(1); // [6, 1]
const growth = [];
let trained = 0;
for (const epochs of [1, 9, 90, 900]) {
  const options = { batchSize: 12, optimiser: adam(0.1), rng: rng.fork(`${epochs}`), quiet: true };
  await fit(unlucky, { train: twelve }, { ...options, epochs });
  trained += epochs;
  const surprise = evaluate(unlucky, { x: faces }, rng).perExample; // −ln q_v
  growth.push({
    epochs: trained,
    'training loss': evaluate(unlucky, twelve, rng).nats,
    'true loss': truth.reduce((sum, p, v) => sum + p * surprise[v]!, 0),
  });
}
table(growth, { caption: `Twelve throws, faces seen: ${new Set(twelve.x.dataSync()).size} of 6`, digits: 3 });
const twelveCounts = truth.map((_, v) => [...twelve.x.dataSync()].filter((face) => face === v).length);
table(
  [0, 0.5, 1, 2].map((alpha) => {
    const q = twelveCounts.map((count) => (count + alpha) / (12 + 6 * alpha));
    const cost = (weights: readonly number[]) =>
      weights.reduce((sum, p, v) => (p > 0 ? sum - p * Math.log(q[v]!) : sum), 0);
    return {
      'imaginary throws of each face': String(alpha),
      estimate: alpha === 0 ? 'MLE' : 'MAP',
      'training loss': cost(twelveCounts.map((count) => count / 12)),
      'true loss': cost(truth),
    };
  }),
  { caption: `The limits, in closed form; the die's own entropy is ${entropy.toFixed(3)}`, digits: 3 },
);

// %% id="check-end-of-training"
await check('start.endOfTraining', endOfTraining);

// %% [markdown] id="sources"
// ### Where to go
//
// Chapter 1 says why anybody models $p(\mathbf{x})$, chapter 2 collects the formulas, chapter 3 is the first real family. The chapters do not need each other's code, so start where you like.
//
// ### Sources
//
// The seven steps follow E. Gavves, *Introduction to Deep Generative Models* (University of Amsterdam, Deep Learning 2). The book beside this course is J. Tomczak, *Deep Generative Modeling* (2024); the bug is in two of its companion notebooks (github.com/jmtomczak/intro_dgm), the transformer and teenyGPT.
