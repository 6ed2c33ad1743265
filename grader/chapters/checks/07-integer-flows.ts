/**
 * Chapter 7: integer flows. References are plain loops in double precision; networks that are passed in have answers
 * that float32 holds exactly, halves included, so that a rounding has one right result.
 */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectClose, expectFields, expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
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

export async function checkMass(call: Call, x: tf.Tensor, mu: tf.Tensor, logScale: tf.Tensor, hint: string) {
  const shape = tf.tidy(() => x.add(mu).add(logScale).shape);
  const [xs, ms, ls] = [x, mu, logScale].map((v) => Array.from(tf.broadcastTo(v, shape).dataSync())) as [
    number[],
    number[],
    number[],
  ];
  const wanted = xs.map((v, i) => logMassOf(v, ms[i]!, ls[i]!));
  const got = expectTensor(await call(x, mu, logScale), { what: 'the ln mass', shape, hint });
  expectClose(got, tf.tensor(wanted, shape), { what: 'the ln mass', rtol: 1e-4, atol: 2e-4, hint });
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
        for (const s of [0.5, 1, 3]) {
          const wanted = Math.log(2 / (1 + Math.exp(-1 / (2 * s))) - 1);
          const got = await call(tf.tensor1d([4]), tf.tensor1d([4]), tf.tensor1d([Math.log(s)]));
          expectClose(got, tf.tensor1d([wanted]), { what: `the ln mass for s = ${s}`, hint: 'from μ − ½ to μ + ½' });
        }
      },
    },
    {
      name: 'agrees with the difference of distribution functions, for any shapes that broadcast',
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

export async function checkPrior(call: Call, { z, logits, mu, logScale }: PriorInput, hint: string): Promise<void> {
  const wanted = priorOf(matrix(z), matrix(logits), matrix(mu), matrix(logScale));
  const got = expectTensor(await call(z, logits, mu, logScale), { what: 'ln p(z)', shape: [z.shape[0]!], hint });
  expectClose(got, tf.tensor1d(wanted), { what: 'ln p(z)', rtol: 1e-4, atol: 1e-3, hint });
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
        await checkPrior(call, { ...input, z: tf.fill([2, 3], 400) }, 'log-sum-exp with the largest taken out');
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
  mixed: {
    source: '(a) => a.square().div(8).sub(a.reverse(1).div(4))',
    of: (row) => row.map((v, i) => (v * v) / 8 - row[row.length - 1 - i]! / 4),
  },
  group: {
    source: '(h, g) => h.sum(1, true).div(4).add(h.reverse(1).mul(g + 1).div(8))',
    of: (row, g) => row.map((_, i) => row.reduce((a, b) => a + b, 0) / 4 + (row[row.length - 1 - i]! * (g + 1)) / 8),
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

export async function checkCoupling(call: Call, x: tf.Tensor, net: Net, hint: string): Promise<void> {
  for (const [direction, sign] of [
    ['toLatent', 1],
    ['toData', -1],
  ] as const) {
    const got = expectTensor(await call(x, given(net.source), direction), { what: direction, shape: x.shape, hint });
    expectClose(got, matrixTensor(coupled(matrix(x), net, sign)), { what: direction, atol: 1e-6, hint });
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
        await checkCoupling(call, matrixTensor([[1, 0], [2, 0], [3, 0], [-1, 0]]), NETS.half, even); // prettier-ignore
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
      async run({ call, rng }) {
        for (const B of [2, 20]) {
          const x = integersAround(rng.fork(`${B}`), 'x', [B, 4], 30);
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

export async function checkGeneral(call: Call, x: tf.Tensor, groups: number, net: Net, hint: string): Promise<void> {
  for (const direction of ['toLatent', 'toData'] as const) {
    const what = `${direction}, ${groups} groups`;
    const got = expectTensor(await call(x, groups, given(net.source), direction), { what, shape: x.shape, hint });
    expectClose(got, matrixTensor(generalOf(matrix(x), groups, net, direction)), { what, atol: 1e-6, hint });
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
  expectClose(
    got.value,
    rounded.reduce((sum, y) => sum + f.of(y), 0),
    { what: 'the value', rtol: 1e-4, atol: 1e-3, hint },
  );
  const gradient = tf.tensor(
    values.map((u, i) => f.slope(rounded[i]!) * g.slope(u)),
    v.shape,
  );
  expectClose(got.gradient, gradient, { what: 'the gradient', rtol: 1e-4, atol: 1e-3, hint });
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
        await checkLayer(call, rng, 1);
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

export async function checkPermuted(call: Call, x: tf.Tensor, net: Net, beta: number, hint: string): Promise<void> {
  for (const direction of ['toLatent', 'toData'] as const) {
    const what = `${direction}, β = ${beta}`;
    const got = expectTensor(await call(x, given(net.source), beta, direction), { what, shape: x.shape, hint });
    expectClose(got, matrixTensor(permutedOf(matrix(x), net, beta, direction)), { what, atol: 1e-6, hint });
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

export const exercises: readonly Exercise[] = [
  mass,
  prior,
  couplingExercise,
  generalExercise,
  straightExercise,
  permuted,
];
