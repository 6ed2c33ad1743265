/**
 * Chapter 7: integer flows. References are plain loops in double precision; networks that are passed in have answers
 * that float32 holds exactly, halves included, so that a rounding has one right result.
 */
import * as tf from '@tensorflow/tfjs';
import { createRng, type Rng } from 'dgm';
import { expectClose, expectFields, expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { gather, exactUpTo, productGap } from './integer-predictions';
import { logSumExp, matrix, matrixTensor, normal, smallestFirst, vector, type Matrix, type Vector } from './common';

const chapter = '07-integer-flows';

export type Call = (...args: Value[]) => Promise<Value>;
export type Direction = 'toLatent' | 'toData';

/** Integers −high … high. */
export const integersAround = (rng: Rng, label: string, shape: number[], high: number) =>
  tf.tidy(() =>
    rng
      .fork(label)
      .uniform(shape)
      .mul(2 * high + 1)
      .floor()
      .sub(high),
  );

/** The nearest integer, halves to the even one. */
export function roundEven(v: number): number {
  const down = Math.floor(v);
  if (v - down !== 0.5) return Math.round(v);
  return down % 2 === 0 ? down : down + 1;
}

// integerFlow.logisticMass and integerFlow.prior

const softplus = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));

/** ln (σ(b) − σ(a)): by the difference where it has digits left, by e^a or e^(−b) in the tails. */
export function logMassOf(x: number, mu: number, logScale: number): number {
  const s = Math.exp(logScale);
  const [a, b] = [(x - 0.5 - mu) / s, (x + 0.5 - mu) / s];
  // mirrored into the lower tail: σ(b) − σ(a) = σ(−a) − σ(−b)
  const [low, high] = a + b > 0 ? [-b, -a] : [a, b];
  const gap = high - low;
  // ln σ(high) + ln(1 − σ(low) / σ(high))
  const ratio = Math.exp(-gap + softplus(high) - softplus(low));
  return high - softplus(high) + Math.log1p(-ratio);
}

type Mass = (x: number, mu: number, logScale: number) => number;

const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
const cellOf = (x: number, mu: number, s: number) => [(x - 0.5 - mu) / s, (x + 0.5 - mu) / s] as const;
const difference = (a: number, b: number, floor = 0) => Math.log(sigmoid(b) - sigmoid(a) + floor);

const wrongMasses: readonly (readonly [hint: string, mass: Mass])[] = [
  ['this is the mass: its logarithm is asked for', (x, mu, l) => Math.exp(logMassOf(x, mu, l))],
  ['this is the density at x: a mass is that of the cell from x − ½ to x + ½', (x, mu, l) => (mu - x) / Math.exp(l) - l - 2 * softplus((mu - x) / Math.exp(l))],
  ['logScale is ln s: s = exp(logScale)', (x, mu, l) => difference(...cellOf(x, mu, l))],
  ['the cell of x reaches from x − ½ to x + ½: it has width 1', (x, mu, l) => difference((x - 1 - mu) / Math.exp(l), (x + 1 - mu) / Math.exp(l))],
  ['the cell of x reaches from x − ½ to x + ½, and not from x to x + 1', (x, mu, l) => logMassOf(x + 0.5, mu, l)],
  ['the cell of x reaches from x − ½ to x + ½, and not from x − 1 to x', (x, mu, l) => logMassOf(x - 0.5, mu, l)],
  ['the second factor is σ(−a), with a minus', (x, mu, l) => { const [a, b] = cellOf(x, mu, Math.exp(l)); return -softplus(-b) - softplus(-a) + Math.log(-Math.expm1(a - b)); }],
  ['the third factor, 1 − e^(−1/s), is missing', (x, mu, l) => { const [a, b] = cellOf(x, mu, Math.exp(l)); return -softplus(-b) - softplus(a); }],
  ...[1e-7, 1e-8, 1e-10, 1e-12].map((floor): readonly [string, Mass] => ['a small number added under the logarithm is a mass that the logistic does not have: in the tails it is all that is left', (x, mu, l) => difference(...cellOf(x, mu, Math.exp(l)), floor)]),
  ['for a wide bell e^(−1/s) is 1 in float32: tf.expm1 keeps the digits that 1 − e^h loses', (x, mu, l) => { const [a, b] = cellOf(x, mu, Math.exp(l)); return -softplus(-b) - softplus(a) + Math.log(1 - Math.fround(Math.exp(a - b))); }],
]; // prettier-ignore

export async function checkMass(call: Call, x: tf.Tensor, mu: tf.Tensor, logScale: tf.Tensor, hint: string) {
  const shape = tf.tidy(() => x.add(mu).add(logScale).shape);
  const [xs, ms, ls] = [x, mu, logScale].map((v) => Array.from(tf.broadcastTo(v, shape).dataSync())) as [
    number[],
    number[],
    number[],
  ];
  const by = (mass: Mass) => tf.tensor(xs.map((v, i) => mass(v, ms[i]!, ls[i]!)), shape); // prettier-ignore
  const what = 'the ln mass';
  const got = expectTensor(await call(x, mu, logScale), { what, shape, hint, nonFinite: true });
  const mistakes = wrongMasses.map(([told, mass]) => ({ hint: told, answer: () => by(mass) }));
  expectAnswer(got, by(logMassOf), { what, rtol: 1e-4, atol: 2e-4, hint }, mistakes);
}

const mass: Exercise = {
  id: 'integerFlow.logisticMass',
  chapter,
  functionName: 'logMass',
  title: 'the mass of a discretised logistic',
  points: 3,
  library: ['dgm.logDiscretisedLogistic'],
  hints: [
    'Which two numbers does the cell of x reach from and to? And which of the three factors in the text depends on x at all?',
    'With a and b as in the text: ln σ(b) + ln σ(−a) + ln(1 − e^(−1/s)). The last term has the scale alone in it.',
    'tf.logSigmoid of b, plus tf.logSigmoid of minus a, plus the logarithm of minus expm1(−1/s), where s is the exponential of logScale.',
  ],
  checks: [
    {
      name: 'a cell around the mean: ln(2 σ(1 / 2s) − 1)',
      async run({ call }) {
        for (const s of [0.5, 1, 3])
          await checkMass(call, tf.tensor1d([4]), tf.tensor1d([4]), tf.tensor1d([Math.log(s)]), 'from μ − ½ to μ + ½');
      },
    },
    {
      name: 'agrees with the difference of distribution functions, for any shapes that broadcast',
      sameForAll: true,
      async run({ call, rng }) {
        const x = integersAround(rng, 'x', [2, 3], 4);
        await checkMass(call, x, normal(rng, 'mu', [3]), normal(rng, 'logScale', [3], 0.5), 's = exp(logScale)');
        const column = integersAround(rng, 'column', [4, 1], 6);
        await checkMass(call, column, normal(rng, 'm', [1, 2], 2), normal(rng, 'l', [1, 2], 0.7), 'elementwise');
      },
    },
    {
      name: 'sums to 1 over the integers',
      async run({ call }) {
        const x = tf.range(-400, 401);
        for (const [mu, logScale] of [
          [0.3, 1],
          [-2.5, 2.5],
          [0, -3],
        ] as const) {
          const got = expectTensor(await call(x, tf.tensor1d([mu]), tf.tensor1d([logScale])), {
            what: 'the ln mass',
            shape: [801],
            hint: 'far out the mass is small, and its logarithm is a number still',
          });
          const hint = 'cells of width 1 tile the line: none is clipped, none is missing';
          expectClose(
            vector(got).reduce((sum, v) => sum + Math.exp(v), 0),
            1,
            { what: 'Σ p(x)', atol: 1e-3, hint },
          );
        }
      },
    },
    {
      name: 'stays finite a thousand scales away, on both sides',
      async run({ call }) {
        const x = tf.tensor1d([-1000, -300, 300, 1000]);
        await checkMass(
          call,
          x,
          tf.tensor1d([0]),
          tf.tensor1d([0]),
          'far out, about −|x| / s: never ln of a difference',
        );
      },
    },
    {
      name: 'keeps its digits for scales from e^−8 to three million',
      async run({ call, rng }) {
        const x = integersAround(rng, 'x', [6, 1], 50);
        const scales = tf.tensor2d([[-8, -2, 2, 4.6, 15]]);
        await checkMass(call, x, tf.zeros([1, 5]), scales, 'no term may be 1 minus something that is almost 1');
      },
    },
  ],
};

export function priorOf(z: Matrix, logits: Matrix, mu: Matrix, logScale: Matrix): number[] {
  return z.map((row) =>
    row.reduce((sum, v, d) => {
      const terms = logits[d]!.map((l, k) => l + logMassOf(v, mu[d]![k]!, logScale[d]![k]!));
      return sum + logSumExp(terms) - logSumExp(logits[d]!);
    }, 0),
  );
}

export interface PriorInput {
  readonly z: tf.Tensor;
  readonly logits: tf.Tensor;
  readonly mu: tf.Tensor;
  readonly logScale: tf.Tensor;
}

export function priorInput(rng: Rng, B: number, D: number, K: number): PriorInput {
  return {
    z: integersAround(rng, 'z', [B, D], 5),
    logits: normal(rng, 'logits', [D, K]),
    mu: normal(rng, 'mu', [D, K], 3),
    logScale: normal(rng, 'logScale', [D, K], 0.5),
  };
}

const wrongPriors = ({ z, logits, mu, logScale }: PriorInput): readonly KnownMistake[] => {
  const [Z, L, M, S] = [matrix(z), matrix(logits), matrix(mu), matrix(logScale)];
  const joint = (row: Vector, d: number, weight: (d: number, k: number) => number) =>
    L[d]!.map((_, k) => weight(d, k) + logMassOf(row[d]!, M[d]![k]!, S[d]![k]!));
  const normalised = (d: number, k: number) => L[d]![k]! - logSumExp(L[d]!);
  const total = (values: Vector) => values.reduce((a, b) => a + b, 0);
  const perCoordinate = (of: (terms: number[]) => number, weight = normalised) =>
    tf.tensor1d(Z.map((row) => total(row.map((_, d) => of(joint(row, d, weight)))))); // prettier-ignore
  const overD = (d: number, k: number) => L[d]![k]! - logSumExp(L.map((row) => row[k]!));
  return [
    { hint: 'weights are softmax(logits): normalise them, in logarithms', answer: () => perCoordinate(logSumExp, (d, k) => L[d]![k]!) },
    { hint: 'the weights of the components are missing', answer: () => perCoordinate(logSumExp, () => 0) },
    { hint: 'the softmax of the weights is over the components of a coordinate, not over the coordinates', answer: () => perCoordinate(logSumExp, overD) },
    { hint: 'a sum over the components, not the largest of them', answer: () => perCoordinate((terms) => Math.max(...terms)) },
    { hint: 'every coordinate chooses its own component: the sum over k is inside the logarithm, that over d outside', answer: () => tf.tensor1d(Z.map((row) => logSumExp(L[0]!.map((_, k) => total(row.map((__, d) => joint(row, d, normalised)[k]!)))))) },
    { hint: 'the sum over k is inside the logarithm', answer: () => perCoordinate(total) },
    { hint: 'nats per example: a sum over the coordinates, not their mean', answer: () => perCoordinate((terms) => logSumExp(terms) / L.length) },
    { hint: 'the logarithm of a softmax underflows: tf.logSoftmax does not', answer: () => perCoordinate(logSumExp, (d, k) => Math.log(Math.exp(normalised(d, k)) < 1e-45 ? 0 : Math.exp(normalised(d, k)))) },
  ]; // prettier-ignore
};

export async function checkPrior(call: Call, input: PriorInput, hint: string): Promise<void> {
  const { z, logits, mu, logScale } = input;
  const wanted = priorOf(matrix(z), matrix(logits), matrix(mu), matrix(logScale));
  const about = { what: 'ln p(z)', shape: [z.shape[0]!], hint, nonFinite: true };
  const got = expectTensor(await call(z, logits, mu, logScale), about);
  expectAnswer(got, tf.tensor1d(wanted), { what: 'ln p(z)', rtol: 1e-4, atol: 1e-3, hint }, wrongPriors(input));
}

const prior: Exercise = {
  id: 'integerFlow.prior',
  chapter,
  functionName: 'logPrior',
  title: 'independent mixtures for a prior',
  points: 2,
  hints: [
    'Every coordinate chooses its own component. Is the logarithm of a sum over components taken for each coordinate, or once for all of them?',
    'Give z a last axis of length 1, so that it broadcasts against [D, K]; add the logarithm of the weights; log-sum-exp over K; sum over D.',
    'logDiscretisedLogistic of the dgm package takes z.expandDims(2) with mu and logScale and gives [B, D, K]. Add tf.logSoftmax of the logits, then the package’s logSumExp along axis 2, then a sum along axis 1.',
  ],
  checks: [
    {
      name: 'one component: the sum of its ln masses',
      run: ({ call, rng }) => checkPrior(call, priorInput(rng, 2, 3, 1), 'with K = 1 the weight is 1'),
    },
    {
      name: 'agrees with the formula',
      async run({ call, rng }) {
        for (const [B, D, K] of smallestFirst([
          [5, 3, 2],
          [2, 2, 2],
          [1, 4, 3],
          [3, 1, 5],
        ] as const))
          await checkPrior(
            call,
            priorInput(rng.fork(`${B} ${D} ${K}`), B, D, K),
            'a mixture for each coordinate, and the product of them',
          );
      },
    },
    {
      name: 'sums to 1 over the plane',
      async run({ call, rng }) {
        const side = Array.from({ length: 81 }, (_, i) => i - 40);
        const z = matrixTensor(side.flatMap((a) => side.map((b) => [a, b])));
        const { logits, mu, logScale } = priorInput(rng, 1, 2, 3);
        const got = expectTensor(await call(z, logits, mu, logScale.sub(0.5)), { what: 'ln p(z)', shape: [81 * 81] });
        const sum = vector(got).reduce((total, v) => total + Math.exp(v), 0);
        expectClose(sum, 1, { what: 'Σ p(z)', atol: 2e-3, hint: 'the weights are softmax(logits)' });
      },
    },
    {
      name: 'works where all components are hundreds of nats away',
      async run({ call, rng }) {
        const input = priorInput(rng, 2, 3, 2);
        // the widest component, which is what is left so far out, is another one in each coordinate
        const logScale = tf.tensor2d([[0.5, -0.5], [-0.5, 0.5], [0.5, -0.5]]); // prettier-ignore
        const far = { ...input, logScale, z: tf.fill([2, 3], 400) };
        await checkPrior(call, far, 'log-sum-exp with the largest taken out');
        const [logits, mu] = [tf.tensor2d([[0, -120]]), tf.tensor2d([[0, 400]])];
        const alone = { z: tf.tensor2d([[400]]), logits, mu, logScale: tf.zeros([1, 2]) };
        await checkPrior(call, alone, 'a component of weight e^−120 that alone explains z');
      },
    },
  ],
};

// Networks with dyadic answers, and what they say

export interface Net {
  readonly source: string;
  /** Of the coordinates it sees, as many answers. */
  readonly of: (row: Vector, g: number) => number[];
}

export const NETS = {
  /** Many answers are halves. */
  half: { source: '(a) => a.div(2)', of: (row) => row.map((v) => v / 2) },
  /** Each place has a weight of its own: a network that commutes with the reversal of its input hides where it was asked. */
  mixed: {
    source: '(a) => a.square().div(8).sub(a.reverse(1).mul(tf.range(1, a.shape[1] + 1)).div(4))',
    of: (row) => row.map((v, i) => (v * v) / 8 - (row[row.length - 1 - i]! * (i + 1)) / 4),
  },
  group: {
    source: '(h, g) => h.sum(1, true).div(4).add(h.reverse(1).mul(tf.range(1, h.shape[1] + 1)).mul(g + 1).div(8))',
    of: (row, g) => {
      const total = row.reduce((a, b) => a + b, 0);
      return row.map((_, i) => total / 4 + (row[row.length - 1 - i]! * (i + 1) * (g + 1)) / 8);
    },
  },
} as const satisfies Record<string, Net>;

// integerFlow.coupling

export function coupled(x: Matrix, { of }: Net, sign: 1 | -1): number[][] {
  return x.map((row) => {
    const half = row.length / 2;
    const move = of(row.slice(0, half), 0).map(roundEven);
    return row.map((v, d) => (d < half ? v : v + sign * move[d - half]!));
  });
}

/** Halves a and b of every row, and the translation's raw answer. */
function halves(x: Matrix, { of }: Net, seen: 'a' | 'b' = 'a') {
  return x.map((row) => {
    const [a, b] = [row.slice(0, row.length / 2), row.slice(row.length / 2)];
    return { a, b, t: of(seen === 'a' ? a : b, 0) };
  });
}

const wrongCouplings = (x: Matrix, net: Net, sign: 1 | -1): readonly KnownMistake[] => {
  const by =
    (moved: (b: number, t: number) => number, seen: 'a' | 'b' = 'a') =>
    () =>
      matrixTensor(halves(x, net, seen).map(({ a, b, t }) => [...a, ...b.map((v, i) => moved(v, t[i]!))]));
  return [
    { hint: 'round the translation, not the sum: x_b + t rounded lets two points meet', answer: by((b, t) => roundEven(b + sign * t)) },
    { hint: 'the translation is a real number: round it before it moves an integer', answer: by((b, t) => b + sign * t) },
    { hint: 'halves are rounded to the even neighbour, as tf.round does', answer: by((b, t) => b + sign * Math.floor(t + 0.5)) },
    { hint: 'rounded, not rounded down', answer: by((b, t) => b + sign * Math.floor(t)) },
    { hint: 'what is added on the way there is subtracted on the way back', answer: by((b, t) => b - sign * roundEven(t)) },
    { hint: 'the network is asked about the half that stays: the half that moves is another one on the way back', answer: by((b, t) => b + sign * roundEven(t), 'b') },
    { hint: 'the halves keep their places: first the one that stays', answer: () => matrixTensor(halves(x, net).map(({ a, b, t }) => [...b.map((v, i) => v + sign * roundEven(t[i]!)), ...a])) },
    { hint: 'the second half moves, the first one says by how much', answer: () => matrixTensor(halves(x, net, 'b').map(({ a, b, t }) => [...a.map((v, i) => v + sign * roundEven(t[i]!)), ...b])) },
    { hint: 'nothing has moved', answer: () => matrixTensor(x) },
  ]; // prettier-ignore
};

export async function checkCoupling(call: Call, x: tf.Tensor, net: Net, hint: string): Promise<void> {
  for (const [direction, sign] of [
    ['toLatent', 1],
    ['toData', -1],
  ] as const) {
    const got = expectTensor(await call(x, given(net.source), direction), { what: direction, shape: x.shape, hint });
    const expected = matrixTensor(coupled(matrix(x), net, sign));
    expectAnswer(got, expected, { what: direction, atol: 1e-6, hint }, wrongCouplings(matrix(x), net, sign));
  }
}

const couplingExercise: Exercise = {
  id: 'integerFlow.coupling',
  chapter,
  functionName: 'coupling',
  title: 'an additive coupling of integers',
  points: 2,
  hints: [
    'When you go back, which half still is what it was? What can you compute from it?',
    'Split into halves along axis 1. The first half stays. Round what the network says of it, and add that to the second half, or subtract it on the way back.',
    'tf.split(x, 2, 1) gives both halves; t of the first, rounded, is the move; tf.concat puts the halves together along axis 1.',
  ],
  checks: [
    {
      name: 'agrees with the formula, both ways',
      async run({ call, rng }) {
        const even = 'halves are rounded to the even neighbour, as tf.round does';
        await checkCoupling(call, matrixTensor([[1, 1], [2, 0], [3, 2], [-1, -3]]), NETS.half, even); // prettier-ignore
        await checkCoupling(call, integersAround(rng, 'x', [2, 4], 5), NETS.mixed, 'z_b = x_b + round(t(x_a))');
        await checkCoupling(
          call,
          integersAround(rng, 'y', [6, 6], 20),
          NETS.mixed,
          'the first half says, the second moves',
        );
      },
    },
    {
      name: 'there and back is where it began',
      law: true,
      async run({ call }) {
        for (const B of [2, 20]) {
          const x = integersAround(createRng(`there and back, ${B}`), 'x', [B, 4], 30); // for all students the same
          const z = expectTensor(await call(x, given(NETS.mixed.source), 'toLatent'), { what: 'z', shape: [B, 4] });
          const again = await call(z, given(NETS.mixed.source), 'toData');
          expectClose(again, x, { what: 'x', atol: 1e-6, hint: 'subtract on the way back' });
        }
      },
    },
    {
      name: 'integers stay integers',
      law: true,
      async run({ call }) {
        const x = matrixTensor([[1, 0], [-2, 5], [7, 1], [9, -3]]); // prettier-ignore
        const z = expectTensor(await call(x, given('(a) => a.mul(0.3)'), 'toLatent'), { what: 'z', shape: [4, 2] });
        expectClose(z, z.round(), { what: 'z', atol: 0, rtol: 0, hint: 'round the translation' });
      },
    },
  ],
};

// integerFlow.general

export function generalOf(x: Matrix, groups: number, { of }: Net, direction: Direction): number[][] {
  const turns = Array.from({ length: groups }, (_, g) => (direction === 'toLatent' ? g : groups - 1 - g));
  return x.map((row) => {
    const h = [...row];
    for (const g of turns) {
      const seen = h.map((v, d) => (d % groups === g ? 0 : v));
      const move = of(seen, g).map(roundEven);
      h.forEach((v, d) => {
        if (d % groups === g) h[d] = direction === 'toLatent' ? v + move[d]! : v - move[d]!;
      });
    }
    return h;
  });
}

interface GeneralSlip {
  readonly turns?: (groups: number, direction: Direction) => number[];
  readonly seen?: (h: Vector, x: Vector, inGroup: (d: number) => boolean) => number[];
  readonly inGroup?: (d: number, g: number, groups: number, D: number) => boolean;
  readonly moves?: (inGroup: boolean) => boolean;
  readonly round?: (t: number) => number;
  readonly sign?: (direction: Direction) => 1 | -1;
}

/** `generalOf` with one thing done otherwise. */
function slipped(x: Matrix, groups: number, { of }: Net, direction: Direction, slip: GeneralSlip): number[][] {
  const order = Array.from({ length: groups }, (_, i) => i);
  const turns = slip.turns?.(groups, direction) ?? (direction === 'toLatent' ? order : order.reverse());
  const sign = slip.sign?.(direction) ?? (direction === 'toLatent' ? 1 : -1);
  return x.map((row) => {
    let h = [...row];
    for (const g of turns) {
      const inGroup = (d: number) => slip.inGroup?.(d, g, groups, row.length) ?? d % groups === g;
      const seen = slip.seen?.(h, row, inGroup) ?? h.map((v, d) => (inGroup(d) ? 0 : v));
      const move = of(seen, g).map(slip.round ?? roundEven);
      h = h.map((v, d) => ((slip.moves?.(inGroup(d)) ?? inGroup(d)) ? v + sign * move[d]! : v));
    }
    return h;
  });
}

const GENERAL_SLIPS: readonly (readonly [hint: string, slip: GeneralSlip])[] = [
  ['on the way back the last group comes first: what it saw is what is there now', { turns: (groups) => Array.from({ length: groups }, (_, i) => i) }],
  ['group 0 first on the way there, and last on the way back', { turns: (groups, direction) => { const all = Array.from({ length: groups }, (_, i) => i); return direction === 'toLatent' ? all.reverse() : all; } }],
  ['each group sees what has become of the groups before it, and not what they were', { seen: (_, x, inGroup) => x.map((v, d) => (inGroup(d) ? 0 : v)) }],
  ['a group does not see itself: its coordinates are 0 in what the network gets', { seen: (h) => [...h] }],
  ['only the group’s own coordinates move', { moves: () => true }],
  ['all but the group moves here: the masks are exchanged', { moves: (inGroup) => !inGroup }],
  ['coordinate d is in group d mod G: neighbours are in different groups', { inGroup: (d, g, groups, D) => Math.floor((d * groups) / D) === g }],
  ['round the translation: the latents are no integers', { round: (t) => t }],
  ['halves are rounded to the even neighbour, as tf.round does', { round: (t) => Math.floor(t + 0.5) }],
  ['what is added on the way there is subtracted on the way back', { sign: () => 1 }],
]; // prettier-ignore

export async function checkGeneral(call: Call, x: tf.Tensor, groups: number, net: Net, hint: string): Promise<void> {
  for (const direction of ['toLatent', 'toData'] as const) {
    const what = `${direction}, ${groups} groups`;
    const got = expectTensor(await call(x, groups, given(net.source), direction), { what, shape: x.shape, hint });
    const mistakes = GENERAL_SLIPS.map(([told, slip]) => ({
      hint: told,
      answer: () => matrixTensor(slipped(matrix(x), groups, net, direction, slip)),
    }));
    const expected = matrixTensor(generalOf(matrix(x), groups, net, direction));
    expectAnswer(got, expected, { what, atol: 1e-6, hint }, mistakes);
  }
}

const generalExercise: Exercise = {
  id: 'integerFlow.general',
  chapter,
  functionName: 'general',
  title: 'the general invertible transformation',
  points: 4,
  hints: [
    'When group g moves, which coordinates has it seen? On the way back, at which moment do all of them have the same values again?',
    'Keep one running tensor. For each group: a mask of its coordinates; the network sees the tensor times one minus the mask; round its answer, multiply by the mask, and add. Going back: subtract, and the last group first.',
    'The mask of group g is 1 where d % groups === g. Reduce over the groups 0 … G − 1 (reversed for toData), starting from x; in each turn h becomes h plus (or minus) t(h · (1 − mask), g).round() · mask.',
  ],
  checks: [
    {
      name: 'two groups: a pair of couplings, one each way',
      async run({ call, rng }) {
        for (const B of [2, 5]) {
          const x = integersAround(rng.fork(`${B}`), 'x', [B, 4], 6);
          await checkGeneral(call, x, 2, NETS.group, 'group 0 first; group 1 then sees what became of group 0');
        }
      },
    },
    {
      name: 'agrees with the formula for more groups, also of unequal size',
      async run({ call, rng }) {
        for (const B of [1, 4]) {
          const [six, seven] = [6, 7].map((D) => integersAround(rng.fork(`${B}`), `${D}`, [B, D], 5));
          await checkGeneral(call, six!, 3, NETS.group, 'each group sees the moved and the not yet moved');
          await checkGeneral(call, seven!, 4, NETS.group, 'd % groups is the group of d');
        }
      },
    },
    {
      name: 'there and back is where it began',
      law: true,
      async run({ call, rng }) {
        const t = given(NETS.group.source);
        for (const [B, groups] of [[1, 1], [1, 3], [20, 3], [20, 6]] as const) {
          const x = integersAround(rng.fork(`${B}`), 'x', [B, 6], 12);
          const z = expectTensor(await call(x, groups, t, 'toLatent'), { what: 'z', shape: [B, 6] });
          const again = await call(z, groups, t, 'toData');
          expectClose(again, x, { what: `x, ${groups} groups`, atol: 1e-6, hint: 'the last group first' });
        } // prettier-ignore
      },
    },
  ],
};

// integerFlow.straightThrough

/** f (elementwise, then summed), g elementwise, with slopes: answers g(v) = v and 3 v keep halves exact. */
export const OUTER = {
  square: { source: '(y) => y.square().sum()', of: (y: number) => y * y, slope: (y: number) => 2 * y },
  line: { source: '(y) => y.mul(3).sum()', of: (y: number) => 3 * y, slope: () => 3 },
  cube: { source: '(y) => y.mul(y).mul(y).sum()', of: (y: number) => y ** 3, slope: (y: number) => 3 * y * y },
} as const;
export const INNER = {
  same: { source: '(v) => v.mul(1)', of: (v: number) => v, slope: () => 1 },
  triple: { source: '(v) => v.mul(3)', of: (v: number) => 3 * v, slope: () => 3 },
  square: { source: '(v) => v.square()', of: (v: number) => v * v, slope: (v: number) => 2 * v },
} as const;

export async function checkStraight(
  call: Call,
  outer: keyof typeof OUTER,
  inner: keyof typeof INNER,
  v: tf.Tensor,
  hint: string,
): Promise<void> {
  const [f, g] = [OUTER[outer], INNER[inner]];
  const values = Array.from(v.dataSync());
  const rounded = values.map((u) => roundEven(g.of(u)));
  const got = expectFields(await call(given(f.source), given(g.source), v), ['value', 'gradient'], { hint });
  const total = (of: (u: number, i: number) => number) => values.reduce((sum, u, i) => sum + of(u, i), 0);
  const tolerance = { rtol: 1e-4, atol: 1e-3, hint };
  const values0 = (message: string, of: (u: number, i: number) => number) => ({
    hint: message,
    answer: () => total(of),
  });
  expectAnswer(got.value, total((_, i) => f.of(rounded[i]!)), { ...tolerance, what: 'the value' }, [
    values0('f sees the rounded numbers: this is f(g(v))', (u) => f.of(g.of(u))),
    values0('round g(v), not v', (u) => f.of(g.of(roundEven(u)))),
    values0('this is the sum of the rounded numbers: f of them is asked for', (_, i) => rounded[i]!),
  ]); // prettier-ignore
  const slopes = (of: (u: number, i: number) => number) => tf.tensor(values.map(of), v.shape);
  expectAnswer(got.gradient, slopes((u, i) => f.slope(rounded[i]!) * g.slope(u)), { ...tolerance, what: 'the gradient' }, [
    { hint: 'this is 0: rounding has no slope of its own, so pass the gradient around it', answer: () => slopes(() => 0) },
    { hint: 'f’s slope is taken at the rounded number', answer: () => slopes((u) => f.slope(g.of(u)) * g.slope(u)) },
    { hint: 'the chain rule: g’s slope is missing', answer: () => slopes((_, i) => f.slope(rounded[i]!)) },
    { hint: 'the chain rule: f’s slope is missing', answer: () => slopes((u) => g.slope(u)) },
    { hint: 'g’s slope is taken where v is, and not at its rounding', answer: () => slopes((u, i) => f.slope(rounded[i]!) * g.slope(roundEven(u))) },
  ]); // prettier-ignore
}

/** Numbers whose image under every inner function is far from a half: eighths, no halves of squares. */
export const eighths = (rng: Rng, label: string, shape: number[]) =>
  tf.tidy(() => rng.fork(label).uniform(shape).mul(40).floor().sub(20).div(8).add(0.03));

/** A linear layer of integers whose columns do not sum to 0, so that eighths + 0.03 stay off the halves. */
const LAYER: Matrix = [[1, 2, 0], [0, -1, 1], [1, 1, 1]]; // prettier-ignore

/** Σ round(v W)², whose straight-through gradient is 2 round(v W) Wᵀ. */
export async function checkLayer(call: Call, rng: Rng, B: number): Promise<void> {
  const v = eighths(rng, 'layer', [B, 3]);
  const y = matrix(v).map((row) =>
    LAYER[0]!.map((_, j) => roundEven(row.reduce((s, u, i) => s + u * LAYER[i]![j]!, 0))),
  );
  const gradient = y.map((row) => LAYER.map((weights) => row.reduce((s, u, j) => s + 2 * u * weights[j]!, 0)));
  const layer = given(`(v) => v.matMul(tf.tensor2d(${JSON.stringify(LAYER)}))`);
  const hint = 'g may be a network, in which one input moves several outputs';
  const got = expectFields(await call(given(OUTER.square.source), layer, v), ['value', 'gradient'], { hint });
  expectClose(got.value, y.flat().reduce((s, u) => s + u * u, 0), { what: 'the value', atol: 1e-3, hint }); // prettier-ignore
  expectClose(got.gradient, matrixTensor(gradient), { what: 'the gradient', atol: 1e-3, hint });
}

const straightExercise: Exercise = {
  id: 'integerFlow.straightThrough',
  chapter,
  functionName: 'straightThrough',
  title: 'a gradient straight through',
  points: 2,
  hints: [
    'Where should f be evaluated, and where its slope? By the chain rule, which factor is replaced by 1?',
    'y + detach(round(y) − y) has the value round(y), and the gradient of y, since the second term counts as a constant.',
    'Inside tf.valueAndGrad: y is g of the argument; add the detached difference between its rounding and itself; give that to f. The value comes as a scalar tensor: take its number with dataSync()[0].',
  ],
  checks: [
    {
      name: 'the value is that of the rounded numbers',
      run: ({ call }) => checkStraight(call, 'square', 'same', tf.tensor1d([0.4, 1.7, -2.2]), 'f sees integers'),
    },
    {
      name: 'the gradient is f’s slope at the integer, times g’s slope where v is',
      async run({ call, rng }) {
        await checkStraight(call, 'square', 'triple', eighths(rng, 'v', [5]), 'f′(round(g(v))) · g′(v)');
        await checkStraight(
          call,
          'cube',
          'square',
          eighths(rng, 'w', [2, 3]),
          'the slope of f at the integer, that of g at v',
        );
        await checkLayer(call, createRng('a layer for all'), 1);
      },
    },
    {
      name: 'it is not 0 where rounding gives 0',
      run: ({ call }) => checkStraight(call, 'line', 'same', tf.tensor1d([0.2, -0.3]), 'the true gradient would be 0'),
    },
  ],
};

// integerFlow.permuted

export function permutedOf(x: Matrix, { of }: Net, beta: number, direction: Direction): number[][] {
  return x.map((row) => {
    const start = direction === 'toData' ? [...row].reverse() : [...row];
    const half = row.length / 2;
    const move = of(start.slice(0, half), 0).map((t) => roundEven(t * beta));
    const moved = start.map((v, d) =>
      d < half ? v : direction === 'toLatent' ? v + move[d - half]! : v - move[d - half]!,
    );
    return direction === 'toLatent' ? moved.reverse() : moved;
  });
}

const wrongPermuted = (x: Matrix, net: Net, beta: number, direction: Direction): readonly KnownMistake[] => {
  const there = direction === 'toLatent';
  const sign = there ? 1 : -1;
  const reversed = (row: Vector) => [...row].reverse();
  const by = (move: (t: number) => number, before = !there, after = there, ask = net.of) =>
    () => matrixTensor(x.map((row) => {
      const start = before ? reversed(row) : [...row];
      const half = row.length / 2;
      const moves = ask(start.slice(0, half), 0).map(move);
      const moved = start.map((v, d) => (d < half ? v : v + sign * moves[d - half]!));
      return after ? reversed(moved) : moved;
    })); // prettier-ignore
  const right = (t: number) => roundEven(t * beta);
  return [
    { hint: 'β times a rounded number is no integer: round last', answer: by((t) => roundEven(t) * beta) },
    { hint: 'β is a real number: it scales the translation before the rounding, and is not rounded itself', answer: by((t) => roundEven(t) * Math.round(beta)) },
    { hint: 'round β t: what moves an integer is an integer', answer: by((t) => t * beta) },
    { hint: 'round to the nearest, halves to the even neighbour, as tf.round does', answer: by((t) => Math.floor(t * beta + 0.5)) },
    { hint: 'β is missing', answer: by(roundEven) },
    { hint: there ? 'the reversal is part of the function: after the coupling, all coordinates' : 'the reversal is never undone: it was done last, so it is undone first', answer: by(right, false, false) },
    { hint: there ? 'first the coupling, then the reversal' : 'the last thing done is the first to be undone: reverse before the coupling', answer: by(right, there, !there) },
    { hint: 'the network has to see the kept half as it saw it on the way there, in the same order', answer: by(right, !there, there, (a, g) => reversed(net.of(reversed(a), g))) },
    { hint: 'added on the way there, subtracted on the way back', answer: by((t) => -right(t)) },
    { hint: 'β = 0 moves nothing, and the coordinates are reversed all the same', answer: () => matrixTensor(x) },
  ]; // prettier-ignore
};

export async function checkPermuted(call: Call, x: tf.Tensor, net: Net, beta: number, hint: string): Promise<void> {
  for (const direction of ['toLatent', 'toData'] as const) {
    const what = `${direction}, β = ${beta}`;
    const got = expectTensor(await call(x, given(net.source), beta, direction), { what, shape: x.shape, hint });
    const expected = matrixTensor(permutedOf(matrix(x), net, beta, direction));
    expectAnswer(got, expected, { what, atol: 1e-6, hint }, wrongPermuted(matrix(x), net, beta, direction));
  }
}

const permuted: Exercise = {
  id: 'integerFlow.permuted',
  chapter,
  functionName: 'permutedCoupling',
  title: 'the bug to find',
  points: 3,
  allOrNothing: true,
  hints: [
    'Put β = 1: what is still wrong? Then put the way back right and choose β = ½: which numbers can z have?',
    'The last thing done is the first to be undone. And whatever is added to an integer has to be an integer when it is added, so the rounding comes last.',
    'Reverse x at the start when going to the data, and at the end when going to the latents. Multiply t(a) by beta first, then round.',
  ],
  checks: [
    {
      name: 'β = 0: only the reversal, and its undoing',
      run: ({ call, rng }) => checkPermuted(call, integersAround(rng, 'x', [2, 4], 5), NETS.mixed, 0, 'nothing moves'),
    },
    {
      name: 'β = 1: agrees with the formula, both ways',
      async run({ call, rng }) {
        for (const [B, D] of [[2, 4], [5, 6]] as const) {
          const x = integersAround(rng.fork(`${B}`), 'x', [B, D], 6);
          await checkPermuted(call, x, NETS.mixed, 1, 'undo the reversal first');
        } // prettier-ignore
      },
    },
    {
      name: 'a real β: the latents are integers, the nearest to β t',
      async run({ call, rng }) {
        for (const B of [2, 5])
          for (const beta of [0.5, 2.25, -0.75]) {
            const x = integersAround(rng.fork(`${B} ${beta}`), 'x', [B, 4], 6);
            await checkPermuted(call, x, NETS.mixed, beta, 'round(β t), not β round(t)');
          }
      },
    },
    {
      name: 'there and back is where it began',
      law: true,
      async run({ call, rng }) {
        const t = given(NETS.mixed.source);
        for (const [B, D] of [[2, 4], [20, 6]] as const) {
          const x = integersAround(rng.fork(`${B}`), 'x', [B, D], 30);
          const z = expectTensor(await call(x, t, 0.625, 'toLatent'), { what: 'z', shape: [B, D] });
          expectClose(await call(z, t, 0.625, 'toData'), x, { what: 'x', atol: 1e-6, hint: 'in the opposite order' });
        } // prettier-ignore
      },
    },
  ],
};

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [
  mass,
  prior,
  couplingExercise,
  generalExercise,
  straightExercise,
  permuted,
  productGap,
  gather,
  exactUpTo,
];
