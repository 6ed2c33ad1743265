/**
 * Chapter 6: normalising flows. References are plain loops in double precision; log-determinants are those of the
 * numerical Jacobian of the submission itself, by differences and elimination.
 */
import * as tf from '@tensorflow/tfjs';
import { ksTest, logAbsDet, type Rng } from 'dgm';
import { expectArray, expectClose, expectFields, expectTensor, expectTrue } from '../../exercise/compare';
import { given, type Exercise, type Given, type Value } from '../../exercise/exercise';
import { LOG_2PI, matrix, matrixTensor, normal, smallestFirst, vector, type Matrix, type Vector } from './common';

const chapter = '06-flows';

export type Call = (...args: Value[]) => Promise<Value>;

/** z [B, D] and logDet [B], with their kinds and shapes checked. */
export async function runToLatent(
  got: Value,
  B: number,
  D: number,
  hint: string,
): Promise<{ z: number[][]; logDet: number[] }> {
  const { z, logDet } = expectFields(got, ['z', 'logDet'], { hint });
  const perExample = 'one number for each example: sum over the coordinates';
  expectTensor(logDet, { what: 'logDet', shape: [B], nonFinite: true, hint: perExample });
  const logDets = expectTensor(logDet, { what: 'logDet', hint });
  return { z: matrix(expectTensor(z, { what: 'z', shape: [B, D], hint })), logDet: vector(logDets) };
}

/** z and logDet against a reference example by example. */
export async function checkToLatent(got: Value, expected: { z: Matrix; logDet: Vector }, hint: string): Promise<void> {
  const { z, logDet } = await runToLatent(got, expected.z.length, expected.z[0]!.length, hint);
  expectClose(z, expected.z as Value, { what: 'z', atol: 1e-4, hint });
  expectClose(logDet, expected.logDet as Value, { what: 'logDet', atol: 1e-4, hint });
}

/** logDet against ln |det| of the Jacobian of z, by differences of the submission's own z. */
export async function checkJacobian(
  toLatent: (x: tf.Tensor) => Promise<Value>,
  x: Matrix,
  hint: string,
): Promise<void> {
  const [B, D, step] = [x.length, x[0]!.length, 5e-3];
  const shifted = x.flatMap((row) =>
    row.flatMap((_, j) => [step, -step].map((by) => row.map((v, i) => (i === j ? v + by : v)))),
  );
  const { z } = await runToLatent(await toLatent(matrixTensor(shifted)), shifted.length, D, hint);
  const { logDet } = await runToLatent(await toLatent(matrixTensor(x)), B, D, hint);
  const byDifferences = x.map((_, n) => {
    const columns = x[0]!.map((_, j) => {
      const [above, below] = [z[2 * (n * D + j)]!, z[2 * (n * D + j) + 1]!];
      return above.map((value, i) => (value - below[i]!) / (2 * step));
    });
    return logAbsDet(columns); // the transpose has the same determinant
  });
  expectClose(logDet, byDifferences, { what: 'logDet', rtol: 5e-3, atol: 5e-3, hint });
}

// flow.changeOfVariables

export const logDensities = (z: Vector, slope: Vector): number[] =>
  z.map((value, n) => -0.5 * value * value - 0.5 * LOG_2PI + Math.log(Math.abs(slope[n]!)));

export async function checkDensities(call: Call, z: Vector, slope: Vector, hint: string): Promise<void> {
  const got = expectArray(await call(z, slope), { what: 'ln p', length: z.length, hint });
  expectClose(got, logDensities(z, slope), { what: 'ln p', rtol: 1e-9, atol: 1e-9, hint });
}

const changeOfVariables: Exercise = {
  id: 'flow.changeOfVariables',
  chapter,
  functionName: 'logDensity1d',
  title: 'change of variables in one dimension',
  points: 1,
  hints: [
    'If f stretches a short interval to twice its length, and z has density p(z) there, what is the density of x?',
    'Two terms for each point: the log-density of the standard normal at z, and the logarithm of the length of the slope.',
    '−½ (z² + ln 2π) + ln |slope|, with Math.abs inside Math.log.',
  ],
  checks: [
    {
      name: 'the identity gives the Gaussian itself',
      run: ({ call }) => checkDensities(call, [0, 1, -2], [1, 1, 1], 'a slope of 1 changes nothing'),
    },
    {
      name: 'where f is steep, x is dense',
      async run({ call }) {
        await checkDensities(call, [0, 0, 0], [2, 4, 0.5], 'ln of the slope is added');
        await checkDensities(
          call,
          [0.3, -1.2],
          [-2, -0.1],
          'a decreasing f has a negative slope, and lengths are positive',
        );
      },
    },
    {
      name: 'z = sinh x: agrees with the formula, and integrates to 1',
      async run({ call }) {
        const x = Array.from({ length: 1200 }, (_, i) => -3 + (i + 0.5) / 200);
        const few = [-1, 0.5, 2];
        await checkDensities(call, few.map(Math.sinh), few.map(Math.cosh), 'the density at z, not at x');
        const [z, slope] = [x.map(Math.sinh), x.map(Math.cosh)];
        await checkDensities(call, z, slope, 'the density at z, not at x');
        const logP = (await call(z, slope)) as number[];
        const integral = logP.reduce((sum, value) => sum + Math.exp(value) / 200, 0);
        expectClose(integral, 1, { what: '∫ p(x) dx', atol: 1e-4 });
      },
    },
  ],
};

// flow.planar

export interface PlanarInput {
  readonly x: tf.Tensor;
  readonly w: tf.Tensor;
  readonly u: tf.Tensor;
  readonly b: number;
}

const dot = (a: Vector, b: Vector) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

export function planarOf({ x, w, u, b }: PlanarInput): { z: number[][]; logDet: number[]; strength: number } {
  const [W, U] = [vector(w), vector(u)];
  const along = dot(W, U);
  const strength = Math.log1p(Math.exp(-Math.abs(along))) + Math.max(along, 0) - 1; // m(w·u)
  const direction = U.map((v, d) => v + ((strength - along) * W[d]!) / dot(W, W));
  const inner = matrix(x).map((row) => dot(row, W) + b);
  return {
    z: matrix(x).map((row, n) => row.map((v, d) => v + direction[d]! * Math.tanh(inner[n]!))),
    logDet: inner.map((a) => Math.log(1 + strength * (1 - Math.tanh(a) ** 2))),
    strength,
  };
}

export function planarInput(rng: Rng, B: number, D: number, along?: number): PlanarInput {
  const w = normal(rng, 'w', [D]);
  const free = normal(rng, 'u', [D]);
  // u with w·u as asked: move it along w
  const u = along === undefined ? free : tf.tidy(() => free.add(w.mul(tf.scalar(along).sub(free.mul(w).sum()).div(w.square().sum())))); // prettier-ignore
  return { x: normal(rng, 'x', [B, D]), w, u, b: vector(normal(rng, 'b', [1]))[0]! };
}

export async function checkPlanar(call: Call, input: PlanarInput, hint: string): Promise<void> {
  await checkToLatent(await call(input.x, input.w, input.u, input.b), planarOf(input), hint);
}

const planar: Exercise = {
  id: 'flow.planar',
  chapter,
  functionName: 'planarToLatent',
  title: 'a planar map that can be inverted',
  points: 3,
  hints: [
    'Which three numbers does each example need: the feature w·x + b, its tanh, and what is the slope of tanh in terms of tanh itself? And what is w·û, once û is built?',
    'Build û first: m(a) = softplus(a) − 1. By construction w·û = m(w·u), so the log-determinant is ln(1 + m(w·u) (1 − tanh²)), one number an example.',
    'x.matMul(w as a column) + b, tanh, gives h [B, 1]; z = x + h · û broadcasts to [B, D]; 1 − h², squeezed to [B], times m, plus 1, log.',
  ],
  checks: [
    {
      name: 'agrees with the formula where w·u is large',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([[5, 3], [3, 3], [1, 4], [4, 1]] as const)) {
          const hint = 'z = x + û tanh(w·x + b); a single û for all examples';
          await checkPlanar(call, planarInput(rng.fork(`${B} ${D}`), B, D, 2), hint);
        }
      }, // prettier-ignore
    },
    {
      name: 'stays invertible where w·u is far below −1',
      law: true,
      async run({ call, rng }) {
        for (const along of [-1, -3, -5])
          await checkPlanar(
            call,
            planarInput(rng.fork(`${along}`), 2, 3, along),
            'û in place of u, in z and in the log-determinant',
          );
      },
    },
    {
      name: 'the log-determinant is that of the numerical Jacobian',
      law: true,
      async run({ call, rng }) {
        const { x, w, u, b } = planarInput(rng, 2, 3, -1);
        await checkJacobian((points) => call(points, w, u, b), matrix(x), 'slope of tanh: 1 − tanh²');
      },
    },
  ],
};

// flow.coupling and flow.toData

/** A network [B, n] → [B, 2 n], as text: linear, then tanh, so that its numbers stay moderate, though above 2. */
export function networkOf(rng: Rng, n: number): { given: Given; of: (kept: Vector) => number[] } {
  const short = (v: number) => Math.round(v * 100) / 100; // the text is shown with the input of a check that fails
  const W = matrix(normal(rng, 'network', [n, 2 * n])).map((row) => row.map(short));
  const b = vector(normal(rng, 'bias', [2 * n])).map(short);
  const source = `(a) => a.matMul(tf.tensor2d(${JSON.stringify(W)}, [${n}, ${2 * n}])).add(tf.tensor1d(${JSON.stringify(b)})).tanh().mul(2.5)`;
  return {
    given: given(source),
    of: (kept) => b.map((bias, j) => 2.5 * Math.tanh(bias + kept.reduce((sum, v, i) => sum + v * W[i]![j]!, 0))),
  };
}

type NetworkOf = (kept: Vector) => number[];

export function couplingOf(x: Matrix, network: NetworkOf): { z: number[][]; logDet: number[] } {
  const half = x[0]!.length / 2;
  const outputs = x.map((row) => network(row.slice(0, half)));
  const s = outputs.map((row) => row.slice(0, half));
  return {
    z: x.map((row, n) => row.map((v, d) => (d < half ? v : v * Math.exp(s[n]![d - half]!) + outputs[n]![d]!))),
    logDet: s.map((row) => row.reduce((a, b) => a + b, 0)),
  };
}

export async function checkCoupling(call: Call, rng: Rng, B: number, D: number, hint: string): Promise<void> {
  const network = networkOf(rng, D / 2);
  const x = normal(rng, 'x', [B, D]);
  await checkToLatent(await call(x, network.given), couplingOf(matrix(x), network.of), hint);
}

const couplingExercise: Exercise = {
  id: 'flow.coupling',
  chapter,
  functionName: 'affineCoupling',
  title: 'an affine coupling',
  points: 3,
  hints: [
    'Which half does the network see? How many numbers does it return for one example, and which of them are s?',
    'tf.split(x, 2, 1) gives both halves, and the same call splits what the network says into s and t. The Jacobian is triangular with ones and e to the s on its diagonal: what is the logarithm of its determinant?',
    'z is the concat along axis 1 of the kept half and of (moved half · exp(s) + t); logDet is s summed over axis 1.',
  ],
  checks: [
    {
      name: 'a network that says 0 changes nothing',
      law: true,
      async run({ call, rng }) {
        const x = normal(rng, 'x', [2, 4]);
        const expected = { z: matrix(x), logDet: [0, 0] };
        await checkToLatent(await call(x, given('(a) => tf.zeros([a.shape[0], 4])')), expected, 'exp(0) = 1');
      },
    },
    {
      name: 'a network that says 1 for s and 10 for t',
      async run({ call }) {
        const x = matrixTensor([[1, 2, 3, 4]]);
        const constant = given('(a) => tf.tensor2d([[1, 1, 10, 10]])');
        const expected = { z: [[1, 2, 3 * Math.E + 10, 4 * Math.E + 10]], logDet: [2] };
        await checkToLatent(
          await call(x, constant),
          expected,
          's scales as exp(s), and each moved coordinate adds its s',
        );
      },
    },
    {
      name: 'agrees with the formula, for several sizes',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([[5, 4], [4, 4], [1, 6], [6, 2]] as const))
          await checkCoupling(call, rng.fork(`${B} ${D}`), B, D, 'the network sees the first half as it is, and its s is not bounded again');
      }, // prettier-ignore
    },
    {
      name: 'the log-determinant is that of the numerical Jacobian',
      law: true,
      async run({ call, rng }) {
        const network = networkOf(rng, 2);
        const x = matrix(normal(rng, 'x', [2, 4]));
        await checkJacobian((points) => call(points, network.given), x, 'the sum of s, over the moved coordinates');
      },
    },
  ],
};

export async function checkToData(call: Call, rng: Rng, B: number, D: number, hint: string): Promise<void> {
  const network = networkOf(rng, D / 2);
  const x = matrix(normal(rng, 'x', [B, D]));
  const z = couplingOf(x, network.of).z.map((row) => [...row].reverse());
  const got = expectTensor(await call(matrixTensor(z), network.given), { what: 'x', shape: [B, D], hint });
  expectClose(got, matrixTensor(x), { what: 'x', atol: 1e-3, hint });
}

const toData: Exercise = {
  id: 'flow.toData',
  chapter,
  functionName: 'stepToData',
  title: 'the way back through a coupling and a reversal',
  points: 2,
  hints: [
    'In which order were the two things done, and in which order are they undone? What did the network see, and where is that now?',
    'Reverse first. Then the first half is what the network saw, so ask it the same question; take t away from the second half, and only then divide by e to the s.',
    'z.reverse(1), split in two, network of the first part, split in s and t; (second − t) · exp(−s); concat with the first part.',
  ],
  checks: [
    {
      name: 'a network that says 0: only the order is undone',
      async run({ call }) {
        const got = await call(matrixTensor([[1, 2, 3, 4]]), given('(a) => tf.zeros([1, 4])'));
        expectClose(got, matrixTensor([[4, 3, 2, 1]]), {
          what: 'x',
          hint: 'the last coordinate becomes the first again',
        });
      },
    },
    {
      name: 'a network that says 1 for s and 10 for t',
      async run({ call }) {
        const z = matrixTensor([[4 * Math.E + 10, 3 * Math.E + 10, 2, 1]]);
        const got = await call(z, given('(a) => tf.tensor2d([[1, 1, 10, 10]])'));
        expectClose(got, matrixTensor([[1, 2, 3, 4]]), { what: 'x', hint: 'first − t, then / exp(s)' });
      },
    },
    {
      name: 'undoes the step, for several sizes',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([[5, 4], [4, 4], [1, 6], [6, 2]] as const))
          await checkToData(call, rng.fork(`${B} ${D}`), B, D, 'the network sees the kept half, in the coupling’s order');
      }, // prettier-ignore
    },
  ],
};

// flow.spline

export function histogramOf(x: Matrix, logits: Matrix): { z: number[][]; logDet: number[] } {
  const p = logits.map((row) => {
    const weights = row.map((v) => Math.exp(v));
    const total = weights.reduce((a, b) => a + b);
    return weights.map((weight) => weight / total);
  });
  const before = (row: Vector, k: number) => row.slice(0, k).reduce((a, b) => a + b, 0);
  return {
    z: x.map((row) => row.map((v, d) => before(p[d]!, Math.floor(v)) + (v - Math.floor(v)) * p[d]![Math.floor(v)]!)),
    logDet: x.map((row) => row.reduce((sum, v, d) => sum + Math.log(p[d]![Math.floor(v)]!), 0)),
  };
}

/** Away from the knots, where rounding could choose either bin. */
export const insideBins = (rng: Rng, B: number, D: number, K: number) =>
  tf.tidy(() =>
    rng
      .fork('bin')
      .uniform([B, D])
      .mul(K)
      .floor()
      .add(rng.fork('within').uniform([B, D]).mul(0.9).add(0.05)),
  );

export async function checkHistogram(call: Call, x: tf.Tensor, logits: tf.Tensor, hint: string): Promise<void> {
  await checkToLatent(await call(x, logits), histogramOf(matrix(x), matrix(logits)), hint);
}

const spline: Exercise = {
  id: 'flow.spline',
  chapter,
  functionName: 'histogramToLatent',
  title: 'a histogram as a flow',
  points: 3,
  hints: [
    'For a single x: how much of each bin lies below it? And on which of the lines is it, with which slope?',
    'The parts of the K bins that lie below x are clip(x − j, 0, 1) for j = 0 … K − 1. z is their sum weighted by p; the slope is p of the bin that x is in, and logarithms of slopes are added over the coordinates.',
    'x.expandDims(2) minus tf.range(0, K), clipped to [0, 1], times softmax(logits), summed over the last axis. For logDet: the one-hot of floor(x), times logSoftmax(logits), summed over the last two axes.',
  ],
  checks: [
    {
      name: 'two bins of ¼ and ¾, by hand',
      async run({ call }) {
        const logits = matrixTensor([[0, Math.log(3)]]);
        const x = matrixTensor([[0.5], [1.5], [0.2], [1.9]]);
        await checkHistogram(call, x, logits, 'half of the first bin is z = ⅛; half of the second ¼ + ⅜');
        const leftEnds = matrixTensor([[0], [1]]);
        await checkHistogram(
          call,
          leftEnds,
          logits,
          'bins are [0, 1) and [1, 2): 1 is in the second, whose slope is ¾',
        );
      },
    },
    {
      name: 'equal bins: a straight line, and ln p is −ln K for each coordinate',
      async run({ call, rng }) {
        const x = insideBins(rng, 2, 3, 5);
        const expected = {
          z: matrix(x).map((row) => row.map((v) => v / 5)),
          logDet: [0, 0].map(() => -3 * Math.log(5)),
        };
        await checkToLatent(await call(x, tf.zeros([3, 5])), expected, 'softmax of zeros is 1 / K');
      },
    },
    {
      name: 'agrees with the formula, for several sizes',
      async run({ call, rng }) {
        for (const [B, D, K] of smallestFirst([[5, 3, 4], [3, 3, 3], [4, 4, 4], [1, 2, 17], [6, 1, 2]] as const)) {
          const here = rng.fork(`${B} ${D} ${K}`);
          await checkHistogram(call, insideBins(here, B, D, K), normal(here, 'logits', [D, K], 1.5), 'each coordinate has a table of its own');
        }
      }, // prettier-ignore
    },
    {
      name: 'logits of ±60 stay finite',
      async run({ call }) {
        const logits = matrixTensor([[60, -60, 0]]);
        const { logDet } = await runToLatent(
          await call(matrixTensor([[1.5], [0.5]]), logits),
          2,
          1,
          'use tf.logSoftmax',
        );
        expectClose(logDet, [-120, 0], {
          what: 'logDet',
          rtol: 1e-4,
          atol: 1e-3,
          hint: 'the logarithm of a softmax underflows: tf.logSoftmax does not',
        });
      },
    },
  ],
};

// flow.householder

export async function checkReflection(call: Call, x: tf.Tensor, v: tf.Tensor, hint: string): Promise<void> {
  const V = vector(v);
  const expected = matrix(x).map((row) => row.map((value, d) => value - (2 * dot(row, V) * V[d]!) / dot(V, V)));
  const got = expectTensor(await call(x, v), { what: 'z', shape: x.shape, hint });
  expectClose(got, matrixTensor(expected), { what: 'z', atol: 1e-4, hint });
}

const householder: Exercise = {
  id: 'flow.householder',
  chapter,
  functionName: 'reflect',
  title: 'a Householder reflection',
  points: 1,
  hints: [
    'Which part of a point lies along v? What has to be taken away to get to the plane, and what to get as far behind it?',
    'The part along v is (v·x / v·v) v. Once takes x into the plane; twice takes it to the other side.',
    'x.matMul(v as a column) is [B, 1]; times 2, over v.square().sum(), times v broadcasts to [B, D]; subtract it from x.',
  ],
  checks: [
    {
      name: 'mirrors v itself, and leaves what is orthogonal to it',
      async run({ call }) {
        const v = tf.tensor1d([0, 2]);
        await checkReflection(call, matrixTensor([[0, 2], [3, 0], [1, 1]]), v, 'v of any length: divide by v·v'); // prettier-ignore
      },
    },
    {
      name: 'agrees with the formula, and keeps lengths',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([[4, 3], [3, 3], [1, 5], [5, 1]] as const)) {
          const here = rng.fork(`${B} ${D}`);
          const x = normal(here, 'x', [B, D]);
          const v = normal(here, 'v', [D], 3);
          await checkReflection(call, x, v, 'x − 2 (v·x) v / (v·v)');
          const z = expectTensor(await call(x, v), { what: 'z', shape: [B, D] });
          expectClose(z.square().sum(1), x.square().sum(1), { what: 'the squared lengths', atol: 1e-4 });
        }
      }, // prettier-ignore
    },
  ],
};

// flow.exponential

export function exponentialOf(x: Matrix, M: Matrix, terms: number): { z: number[][]; logDet: number[] } {
  const trace = M.reduce((sum, row, i) => sum + row[i]!, 0);
  const z = x.map((row) => {
    let term = [...row];
    const sum = [...row];
    for (let order = 1; order <= terms; order++) {
      term = M.map((m) => dot(m, term) / order);
      term.forEach((v, d) => (sum[d]! += v));
    }
    return sum;
  });
  return { z, logDet: x.map(() => trace) };
}

export async function checkExponential(
  call: Call,
  x: tf.Tensor,
  M: tf.Tensor,
  terms: number,
  hint: string,
): Promise<void> {
  await checkToLatent(await call(x, M, terms), exponentialOf(matrix(x), matrix(M), terms), hint);
}

const exponential: Exercise = {
  id: 'flow.exponential',
  chapter,
  functionName: 'exponentialToLatent',
  title: 'the exponential of a matrix',
  points: 2,
  hints: [
    'How do you get the term of k from the one of k − 1, without a factorial and without a power of M? Where are the eigenvalues of M in its trace?',
    'term ← M term / k, starting with x, and add up. Examples are rows, so M x for each of them is x times M transposed. The trace is the sum of the diagonal of M, the same for every example.',
    'term.matMul(M, false, true).div(k) in a loop from 1 to terms; M.mul(tf.eye(D)).sum() added to zeros [B].',
  ],
  checks: [
    {
      name: 'diagonal matrices: e to the entries',
      async run({ call }) {
        const M = matrixTensor([[1, 0], [0, -0.5]]); // prettier-ignore
        const expected = { z: [[Math.E, 3 * Math.exp(-0.5)]], logDet: [0.5] };
        await checkToLatent(await call(matrixTensor([[1, 3]]), M, 15), expected, 'ln det is the trace, 1 − 0.5');
      },
    },
    {
      name: 'the first terms: x, then x + M x, then half of M M x more',
      async run({ call }) {
        const M = matrixTensor([[0, 1], [0, 0.5]]); // prettier-ignore
        for (const terms of [0, 1, 2, 3])
          await checkExponential(call, matrixTensor([[1, 4], [2, -2]]), M, terms, 'row i of M gives coordinate i; divide by k!'); // prettier-ignore
      },
    },
    {
      name: 'agrees with the series, for several sizes',
      async run({ call, rng }) {
        for (const [B, D] of smallestFirst([[4, 3], [3, 3], [1, 4], [5, 1]] as const)) {
          const here = rng.fork(`${B} ${D}`);
          await checkExponential(call, normal(here, 'x', [B, D]), normal(here, 'M', [D, D], 0.6), 16, 'for every example the same trace');
        }
      }, // prettier-ignore
    },
    {
      name: 'the log-determinant is that of the numerical Jacobian',
      law: true,
      async run({ call, rng }) {
        const M = normal(rng, 'M', [2, 2], 0.6);
        await checkJacobian((points) => call(points, M, 16), matrix(normal(rng, 'x', [3, 2])), 'the trace of M');
      },
    },
  ],
};

// flow.dequantise

/** Reads off one coordinate: p(x + u) = x_d + u_d, as if it were a log-density. */
const coordinate = (d: number) => given(`(x) => x.slice([0, ${d}], [-1, 1]).squeeze([1])`);

/** The noise at coordinate d of each of B examples that are all the integer `at`: [B] */
export async function noiseAt(call: Call, rng: Rng, B: number, D: number, d: number, at = 0): Promise<number[]> {
  const got = await call(tf.fill([B, D], at), coordinate(d), rng);
  const values = vector(expectTensor(got, { what: 'the bound', shape: [B], hint: 'one number for each example' }));
  return values.map((value) => value - at);
}

export function expectUniform(u: Vector, what: string, hint: string): void {
  const [low, high] = [u.reduce((a, b) => Math.min(a, b)), u.reduce((a, b) => Math.max(a, b))];
  const range = `values from ${low.toFixed(3)} to ${high.toFixed(3)}`;
  expectTrue(low >= -1e-5 && high <= 1 + 1e-5, `${what} to lie in [0, 1]`, range, hint);
  // none of n draws falls within 20 / n of an end: once in e^20 = 5 · 10⁸ times
  const end = 20 / u.length;
  expectTrue(low < end && high > 1 - end, `${what} to reach both ends of [0, 1)`, range, hint);
  // x + u keeps 19 bits behind the point or more: of a thousand draws, two agree about once
  const distinct = new Set(u).size;
  expectTrue(distinct > 0.985 * u.length, `${what} to be drawn afresh for each example`, `${distinct} different numbers in ${u.length} examples`, hint); // prettier-ignore
  const { pValue } = ksTest(u, (v) => Math.min(1, Math.max(0, v)));
  expectTrue(pValue > 1e-7, `${what} to be uniform on [0, 1)`, `values from ${low.toFixed(3)} to ${high.toFixed(3)} (p = ${pValue.toExponential(1)})`, hint); // prettier-ignore
}

const dequantise: Exercise = {
  id: 'flow.dequantise',
  chapter,
  functionName: 'lowerBound',
  title: 'the bug to find',
  points: 2,
  allOrNothing: true,
  hints: [
    'Which part of the cell from x to x + 1 does the given noise reach? What would a flow do that knows it?',
    'ln P(x) is an integral over the whole cell. With u uniform on [0, 1) in every coordinate its density q is 1, ln q is 0, and nothing has to be subtracted.',
    'rng.uniform(x.shape) is the noise, as it comes; add it to x, and return logDensity of the sum.',
  ],
  checks: [
    {
      name: 'the noise fills the cell',
      async run({ call, rng }) {
        const u = await noiseAt(call, rng, 2000, 2, 0, 3);
        expectUniform(u, 'x + u − x', 'half of a cell has half of its volume');
      },
    },
    {
      name: 'every coordinate of every example has noise of its own',
      async run({ call, rng }) {
        const [first, second] = [
          await noiseAt(call, rng.fork('u'), 500, 2, 0),
          await noiseAt(call, rng.fork('u'), 500, 2, 1),
        ];
        expectUniform(first, 'the noise of the first coordinate', 'one draw for each pixel of each example');
        expectUniform(second, 'the noise of the second coordinate', 'one draw for each pixel of each example');
        const n = first.length;
        const covariance = first.reduce((sum, u, i) => sum + ((u - 0.5) * (second[i]! - 0.5)) / n, 0);
        expectTrue(
          Math.abs(covariance) < 6 / (12 * Math.sqrt(n)),
          'independent noise in the two coordinates',
          `covariance ${covariance.toFixed(3)}`,
          'rng.uniform(x.shape)',
        );
      },
    },
    {
      name: 'a density that is constant in each cell comes out exactly',
      async run({ call, rng }) {
        const x = matrixTensor([[0, 3], [2, 1], [5, 5]]); // prettier-ignore
        const got = await call(x, given('(x) => x.floor().mul(tf.tensor1d([1, 10])).sum(1)'), rng);
        expectClose(got, tf.tensor1d([30, 12, 55]), {
          what: 'the bound',
          atol: 1e-3,
          hint: 'x + u lies in the cell of x, and ln q is 0',
        });
      },
    },
    {
      name: 'its mean is below ln P(x)',
      async run({ call, rng }) {
        // p(x) = 2 x on [0, 1): P(0) = 1, and E ln(2 u) = ln 2 − 1; all mass in the upper half would claim more
        const got = await call(tf.zeros([4000, 1]), given('(x) => x.mul(2).maximum(1e-30).log().sum(1)'), rng);
        const values = vector(expectTensor(got, { what: 'the bound', shape: [4000] }));
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        expectTrue(
          Math.abs(mean - (Math.LN2 - 1)) < 0.1,
          `a mean of ${(Math.LN2 - 1).toFixed(3)} ± 0.1`,
          mean.toFixed(3),
          'E ln(2 u) for u ~ U[0, 1)',
        );
      },
    },
  ],
};

/** In the order of the chapter. */
export const exercises: readonly Exercise[] = [
  changeOfVariables,
  planar,
  couplingExercise,
  toData,
  spline,
  householder,
  exponential,
  dequantise,
];
