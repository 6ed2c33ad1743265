/** Chapter 13: the objective of a hybrid, what its weight λ makes of a likelihood, and a report to be repaired. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectTensor, expectNumber } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { logSumExp, matrix, matrixTensor, meanOf, normal, softmax, vector, type Matrix, type Vector } from './common';

const chapter = '13-hybrid';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);
const labelsOf = (y: Vector) => tf.tensor1d([...y], 'int32');

// hybrid.loss

export interface Observed {
  /** ln p(y | x), rows of C. */
  readonly logClasses: Matrix;
  readonly logP: Vector;
  /** −1 where there is no label. */
  readonly y: Vector;
  readonly lambda: number;
}

export const observedOf = (rng: Rng, C: number, y: Vector, lambda: number): Observed => ({
  logClasses: matrix(normal(rng, 'classes', [y.length, C])).map((row) => row.map((v) => v - logSumExp(row))),
  logP: vector(normal(rng, 'p', [y.length], 2)).map((v) => v - 5),
  ...{ y, lambda },
}); // prettier-ignore

/** ln p(y_n | x_n), with `missing` where there is no label. */
const ofLabels = ({ logClasses, y }: Observed, missing: (row: Vector) => number = () => 0): number[] =>
  y.map((label, n) => (label < 0 ? missing(logClasses[n]!) : logClasses[n]![label]!));

const lossBy = (observed: Observed): number => -meanOf(ofLabels(observed).map((own, n) => own + observed.lambda * observed.logP[n]!)); // prettier-ignore

const labelled = ({ y }: Observed) => y.filter((label) => label >= 0).length;
const parts = (of: Observed) => ({ own: ofLabels(of), images: of.logP, lambda: of.lambda, N: of.y.length });

const wrongLosses: readonly (readonly [hint: string, of: (observed: Observed) => number])[] = [
  ['an example without a label counts as one of class 0: nothing was observed there, so its ln p(y | x) must not count', (o) => -meanOf(ofLabels(o, (row) => row[0]!).map((v, n) => v + o.lambda * o.logP[n]!))],
  ['an example without a label counts as one of the last class, as index −1 does: nothing was observed there', (o) => -meanOf(ofLabels(o, (row) => row.at(-1)!).map((v, n) => v + o.lambda * o.logP[n]!))],
  ['an example without a label has no ln p(y | x) at all, and not that of an even guess', (o) => -meanOf(ofLabels(o, (row) => -Math.log(row.length)).map((v, n) => v + o.lambda * o.logP[n]!))],
  ['images without labels were left out: each of them has its λ ln p(x)', (o) => -meanOf(o.y.map((label, n) => (label < 0 ? 0 : ofLabels(o)[n]! + o.lambda * o.logP[n]!)))],
  ['the mean is over all examples: divided by those with labels, the two terms change their weights with the share of labels', (o) => { const { own, images, lambda, N } = parts(o); return -(sum(own) / labelled(o) + (lambda * sum(images)) / N); }],
  ['the mean is over all examples, not over those with labels', (o) => lossBy(o) * (o.y.length / labelled(o))],
  ['λ is the weight of ln p(x) alone', (o) => { const { own, images, lambda, N } = parts(o); return (-lambda * (sum(own) + sum(images))) / N; }],
  ['λ is the weight of ln p(x), not of the labels', (o) => { const { own, images, lambda, N } = parts(o); return -(lambda * sum(own) + sum(images)) / N; }],
  ['ln p(y | x) counts in full, whatever λ is', (o) => { const { own, images, lambda, N } = parts(o); return -((1 - lambda) * sum(own) + lambda * sum(images)) / N; }],
  ['λ is missing', (o) => lossBy({ ...o, lambda: 1 })],
  ['the mean over the examples, not the sum', (o) => lossBy(o) * o.y.length],
  ['what is minimised is −ln', (o) => -lossBy(o)],
]; // prettier-ignore

export async function checkLoss(call: Call, observed: Observed): Promise<void> {
  const { logClasses, logP, y, lambda } = observed;
  const hint = '−(1/B) Σ_n [ln p(y_n | x_n), where y_n is known, + λ ln p(x_n)]';
  const got = expectTensor(await call(matrixTensor(logClasses), tf.tensor1d([...logP]), labelsOf(y), lambda), { what: 'the loss', shape: [], hint }); // prettier-ignore
  const mistakes = wrongLosses.map(([told, of]): KnownMistake => ({
    hint: told,
    answer: () => tf.scalar(of(observed)),
  }));
  expectAnswer(got, tf.scalar(lossBy(observed)), { what: `the loss with y = [${y.join(', ')}], λ = ${lambda}`, hint }, mistakes); // prettier-ignore
}

const COINS: Matrix = [[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]].map((row) => row.map(Math.log)); // prettier-ignore

export const loss: Exercise = {
  id: 'hybrid.loss',
  chapter,
  functionName: 'hybridLoss',
  title: 'the objective, with and without labels',
  points: 2,
  library: ['dgm.logOfLabels'],
  hints: [
    'What was observed of an example without a label? Which of the two terms can it have, then?',
    'A row of 0 and 1 that says which class it is has no 1 where y is −1: times ln p(y | x), summed over the classes, it is 0 there. Beware of what tf.oneHot or a gather does with −1.',
    'y.toFloat().expandDims(1) equal to tf.range(0, C) gives those rows; their product with logClasses, summed over axis 1, plus λ logP; then minus the mean over all examples.',
  ],
  checks: [
    {
      name: 'two examples, both with labels',
      run: ({ call }) => checkLoss(call, { logClasses: COINS.slice(0, 2), logP: [-3, -4], y: [1, 1], lambda: 0.5 }),
    },
    {
      name: 'one without a label',
      run: ({ call }) => checkLoss(call, { logClasses: COINS, logP: [-3, -4, -6], y: [0, -1, 1], lambda: 0.1 }),
    },
    {
      name: 'a batch of three classes, some without labels',
      sameForAll: true,
      async run({ call, rng }) {
        await checkLoss(call, observedOf(rng.fork('a'), 3, [2, -1, 0, -1, 1], 2));
        await checkLoss(call, observedOf(rng.fork('b'), 4, [3, 3, -1, 0], 0.25));
      },
    },
  ],
}; // prettier-ignore

// hybrid.power

/** ln Σ_x Π_d p_d(x_d)^λ by visiting every x. */
function powerSum(p: Matrix, lambda: number): number {
  let terms = [0];
  for (const table of p) terms = terms.flatMap((value) => table.map((v) => value + lambda * Math.log(v)));
  return logSumExp(terms);
}

const wrongPowers: readonly (readonly [hint: string, of: (p: Matrix, lambda: number) => number])[] = [
  ['each p(x) is raised to λ and the sum comes after: that is not the sum, raised to λ', () => 0],
  ['the sum over all x is a product over the coordinates, and its logarithm a sum over them', (p, l) => Math.log(sum(p.map((table) => sum(table.map((v) => v ** l)))))],
  ['all coordinates together, not their mean', (p, l) => powerSum(p, l) / p.length],
  ['its logarithm', (p, l) => Math.exp(powerSum(p, l))],
  ['that is the entropy of Rényi: the sum’s logarithm, without a factor', (p, l) => powerSum(p, l) / (1 - l)],
  ['p(x)^λ, not λ p(x)', (p, l) => p.length * Math.log(l)],
  ['of p(x), not of λ times its logarithm', (p, l) => sum(p.flatMap((table) => table.map((v) => l * Math.log(v))))],
  ['the sum over the values of a coordinate is inside its logarithm', (p, l) => sum(p.map((table) => Math.log(Math.max(...table) ** l)))],
  ['in nats, the natural logarithm', (p, l) => powerSum(p, l) / Math.LN2],
  ['that is of an even p alone: (1 − λ) ln of the number of x', (p, l) => (1 - l) * sum(p.map((table) => Math.log(table.length)))],
]; // prettier-ignore

export async function checkPower(call: Call, p: Matrix, lambda: number): Promise<void> {
  const what = `ln Z for λ = ${lambda}, p = ${JSON.stringify(p.map((table) => table.map((v) => Number(v.toFixed(3)))))}`;
  const hint = 'Σ_x p(x)^λ with p(x) = Π_d p_d(x_d): which x are there, and how does a sum over all of them factorise?';
  const got = expectNumber(await call(p, lambda), { what: 'ln Z', hint });
  const mistakes = wrongPowers.map(([told, of]): KnownMistake => ({ hint: told, answer: () => of(p, lambda) }));
  expectAnswer(got, powerSum(p, lambda), { what, rtol: 1e-6, atol: 1e-9, hint }, mistakes);
}

export const tablesOf = (rng: Rng, D: number, V: number): Matrix => matrix(normal(rng, 'p', [D, V])).map(softmax);

export const power: Exercise = {
  id: 'hybrid.power',
  chapter,
  functionName: 'logPowerSum',
  title: 'derive: what the weighted objective would have to be divided by',
  points: 3,
  hints: [
    'A joint probability sums to 1 over all x and y. What is Σ_x Σ_y p(y | x) p(x)^λ? Begin with the sum over y.',
    'The labels sum to 1 for each x, so that Σ_x p(x)^λ is left. With independent coordinates p(x)^λ is a product, of one factor a coordinate, and the sum of products over all x is the product of the sums.',
    'Σ_d ln Σ_v p_dv^λ: for each table, the logarithm of the sum of its powers; then the sum over the tables.',
  ],
  checks: [
    {
      name: 'one coin, and two',
      async run({ call }) {
        await checkPower(call, [[0.5, 0.5]], 0.5);
        await checkPower(call, [[0.9, 0.1], [0.25, 0.75]], 0.5);
      },
    },
    {
      name: 'λ = 1 is the joint, and λ above it pays',
      async run({ call }) {
        await checkPower(call, [[0.2, 0.8], [0.5, 0.5]], 1);
        await checkPower(call, [[0.2, 0.8], [0.5, 0.5]], 2);
      },
    },
    {
      name: 'tables of three values, light weights',
      async run({ call, rng }) {
        for (const lambda of [0.015625, 0.1, 0.7]) await checkPower(call, tablesOf(rng.fork(`${lambda}`), 4, 3), lambda);
      },
    },
  ],
}; // prettier-ignore

// hybrid.nats

export interface Flow {
  readonly x: Matrix;
  readonly y: Vector;
  /** t(a) = a · M */
  readonly M: Matrix;
  readonly beta: number;
  /** ln p(y | z) = log-softmax of z · W */
  readonly W: Matrix;
  readonly lambda: number;
}

const times = (row: Vector, M: Matrix) => M[0]!.map((_, j) => sum(row.map((v, i) => v * M[i]![j]!)));
/** Not halfway between two integers, where float32 may round either way. */
const clear = ({ x, M, beta }: Flow) =>
  x.every((row) => times(row.slice(0, row.length / 2), M).every((t) => [t * beta, t].every((v) => Math.abs(Math.abs(v % 1) - 0.5) > 0.02))); // prettier-ignore

export function flowOf(rng: Rng, B: number, D: number, [beta, lambda]: readonly [number, number]): Flow {
  const [half, C] = [D / 2, 3];
  for (let attempt = 0; ; attempt++) {
    const here = rng.fork(`${attempt}`);
    const rounded = (label: string, shape: number[], scale: number) =>
      matrix(normal(here, label, shape, scale)).map((row) => row.map((v) => Math.round(v * 100) / 100));
    const x = matrix(normal(here, 'x', [B, D], 3)).map((row) => row.map((v) => Math.round(v) + 0));
    const y = Array.from({ length: B }, (_, n) => (2 * n + 1) % C);
    const flow = { x, y, M: rounded('M', [half, half], 1.5), beta, W: rounded('W', [D, C], 0.6), lambda };
    if (clear(flow)) return flow;
  }
} // prettier-ignore

interface Variant {
  readonly moved: (t: number, beta: number) => number;
  readonly prior: (each: Vector) => number;
  readonly weight: (lambda: number) => number;
  /** What the head sees. */
  readonly seen: (z: Vector, x: Vector) => Vector;
}

const logPriorOf = (z: number) => -0.4 * (z - 0.3) ** 2 - 1.1;
const RIGHT: Variant = { moved: (t, beta) => Math.round(t * beta), prior: sum, weight: () => 1, seen: (z) => z };

function natsBy({ x, y, M, beta, W, lambda }: Flow, { moved, prior, weight, seen }: Variant): number {
  const each = x.map((row, n) => {
    const [a, b] = [row.slice(0, row.length / 2), row.slice(row.length / 2)];
    const t = times(a, M);
    const z = [...a, ...b.map((v, j) => v + moved(t[j]!, beta))];
    const logits = times(seen(z, row), W);
    return logits[y[n]!]! - logSumExp(logits) + weight(lambda) * prior(z.map(logPriorOf));
  });
  return -meanOf(each);
}

const slips: readonly (readonly [hint: string, change: Partial<Variant>])[] = [
  ['z is not on the lattice: an integer plus β times an integer is an integer only if β is one, and a table of integers has no probability for it', { moved: (t, beta) => Math.round(t) * beta }],
  ['nothing is rounded at all, so that z is no integer', { moved: (t, beta) => t * beta }],
  ['to the nearest integer: neither always down nor always up', { moved: (t, beta) => Math.floor(t * beta) }],
  ['to the nearest integer: neither always down nor always up', { moved: (t, beta) => Math.ceil(t * beta) }],
  ['the translation is added to b: taken off, it is the way back', { moved: (t, beta) => -Math.round(t * beta) }],
  ['β is missing in the translation', { moved: (t) => Math.round(t) }],
  ['what is reported is weighted by λ: ln p(y | x) + λ ln p(x) is what is trained, and no joint probability', { weight: (lambda) => lambda }],
  ['ln p(x) is the sum over the coordinates: a mean is nats a pixel, and is added to nats an image', { prior: meanOf }],
  ['the report has ln p(y | x) alone', { weight: () => 0 }],
  ['the head is p(y | z), of the latents', { seen: (_, x) => x }],
  ['two things are left: the mean over the coordinates, and λ', { prior: meanOf, weight: (lambda) => lambda }],
  ['two things are left: β outside of the rounding, and λ', { moved: (t, beta) => Math.round(t) * beta, weight: (lambda) => lambda }],
  ['two things are left: β outside of the rounding, and the mean over the coordinates', { moved: (t, beta) => Math.round(t) * beta, prior: meanOf }],
]; // prettier-ignore

export async function checkNats(call: Call, flow: Flow): Promise<void> {
  const { x, y, M, beta, W, lambda } = flow;
  const hint = '−(1/B) Σ_n [ln p(y_n | z_n) + Σ_d ln p(z_nd)] with z = [a, b + round(β t(a))]';
  const functions = {
    t: given(`(a) => a.matMul(tf.tensor2d(${JSON.stringify(M)}))`),
    logClasses: given(`(z) => tf.logSoftmax(z.matMul(tf.tensor2d(${JSON.stringify(W)})))`),
    logPrior: given('(z) => z.sub(0.3).square().mul(-0.4).sub(1.1)'),
    ...{ beta, lambda },
  };
  const got = expectTensor(await call(matrixTensor(x), labelsOf(y), functions), { what: 'the report', shape: [], hint: 'one number for the batch' }); // prettier-ignore
  const of = (change: Partial<Variant>) => tf.scalar(natsBy(flow, { ...RIGHT, ...change }));
  const mistakes = slips.map(([told, change]): KnownMistake => ({ hint: told, answer: () => of(change) }));
  expectAnswer(
    got,
    of({}),
    { what: `−ln p(x, y) with β = ${beta}, λ = ${lambda}`, rtol: 2e-4, atol: 2e-4, hint },
    mistakes,
  );
}

export const nats: Exercise = {
  id: 'hybrid.nats',
  chapter,
  functionName: 'jointNats',
  title: 'the bug to find: a report that is no likelihood',
  points: 4,
  allOrNothing: true,
  hints: [
    'Sum exp(−nats) over all x and y of a small world, in your head or in a cell: which of the factors would have to be probabilities for that to be 1? And of what are they asked?',
    'Three things must hold: z is a vector of integers whatever β is; ln p(x) is the sum over its coordinates; and the two logarithms are added as they are.',
    'b plus the rounded product of β and t(a); .sum(1) of logPrior(z); and no λ in what is returned.',
  ],
  checks: [
    {
      name: 'one image of two pixels',
      run: ({ call }) => checkNats(call, { x: [[1, 2]], y: [1], M: [[1.7]], beta: 0.7, W: [[0.5, -0.3, 0.1], [0.2, 0.4, -0.6]], lambda: 0.1 }),
    },
    {
      name: 'a factor above 1, another weight',
      run: ({ call }) => checkNats(call, { x: [[-1, 3], [2, 0]], y: [0, 2], M: [[0.9]], beta: 1.6, W: [[0.5, -0.3, 0.1], [0.2, 0.4, -0.6]], lambda: 3 }),
    },
    {
      name: 'a batch of more pixels',
      sameForAll: true,
      async run({ call, rng }) {
        await checkNats(call, flowOf(rng.fork('few'), 3, 4, [0.45, 0.015625]));
        await checkNats(call, flowOf(rng.fork('many'), 4, 6, [-0.8, 0.5]));
      },
    },
  ],
}; // prettier-ignore
