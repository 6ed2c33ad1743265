/** Chapter 9: the mean KL of a data set taken apart by its aggregate posterior, and what a better prior can gain. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields, expectNumber, expectTensor, expectTrue } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { logNormalOf, logSumExp, matrix, matrixTensor, meanOf, normal, vector, type Matrix, type Vector } from './common'; // prettier-ignore

const chapter = '09-priors-posteriors';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

// prior.apart

export interface Codes {
  /** [N][L] each */
  readonly mu: Matrix;
  readonly logVar: Matrix;
  readonly z: Matrix;
  /** [N] */
  readonly logPrior: Vector;
}

/** Posteriors that lie `spread` apart, a draw from each, and any prior. */
export function codesOf(rng: Rng, N: number, L: number, spread = 1): Codes {
  const mu = matrix(normal(rng, 'mu', [N, L], spread));
  const logVar = matrix(normal(rng, 'logVar', [N, L], 0.6));
  const noise = matrix(normal(rng, 'noise', [N, L]));
  const z = mu.map((row, n) => row.map((m, l) => m + Math.exp(logVar[n]![l]! / 2) * noise[n]![l]!));
  const logPrior = vector(normal(rng, 'prior', [N])).map((v) => v - 2 * L);
  return { mu, logVar, z, logPrior };
}

export const codesArgs = ({ mu, logVar, z, logPrior }: Codes): Value[] => [
  matrixTensor(mu),
  matrixTensor(logVar),
  matrixTensor(z),
  tf.tensor1d([...logPrior]),
];

interface Parts {
  readonly information: number[];
  readonly mismatch: number[];
}

/** From ln q(z_n | x_m) for all pairs. */
const tableOf = ({ mu, logVar, z }: Codes) => z.map((own) => mu.map((m, other) => logNormalOf(own, m, logVar[other]!)));

export function partsOf(codes: Codes): Parts {
  const table = tableOf(codes);
  const total = table.map((row) => logSumExp(row) - Math.log(row.length));
  return {
    information: table.map((row, n) => row[n]! - total[n]!),
    mismatch: total.map((v, n) => v - codes.logPrior[n]!),
  };
}

/** What other aggregate posteriors, ln q(z_n) of each draw, would give. */
function byTotals(codes: Codes, total: Vector): Parts {
  const table = tableOf(codes);
  return {
    information: table.map((row, n) => row[n]! - total[n]!),
    mismatch: total.map((v, n) => v - codes.logPrior[n]!),
  };
}

function wrongTotals(codes: Codes): readonly (readonly [hint: string, total: number[]])[] {
  const { mu, logVar, z } = codes;
  const table = tableOf(codes);
  const N = mu.length;
  const others = table.map((row, n) => row.filter((_, m) => m !== n));
  const column = table.map((_, m) => table.map((row) => row[m]!));
  const eachAlone = z.map((own) =>
    sum(own.map((v, l) => logSumExp(mu.map((m, k) => logNormalOf([v], [m[l]!], [logVar[k]![l]!]))) - Math.log(N))),
  );
  const doubled = tableOf({ ...codes, logVar: logVar.map((row) => row.map((v) => 2 * v)) });
  const centre = mu[0]!.map((_, l) => meanOf(mu.map((m) => m[l]!)));
  const spread = mu[0]!.map((_, l) => Math.log(meanOf(mu.map((m, n) => Math.exp(logVar[n]![l]!) + (m[l]! - centre[l]!) ** 2)))); // prettier-ignore
  return [
    ['the aggregate posterior is a mean of densities: this is a mean of their logarithms', table.map(meanOf)],
    ['a mean over the data set, not a sum: ln N is to be taken off', table.map(logSumExp)],
    ['x_n is in the data set, too: its own posterior belongs to the mixture', others.map((row) => logSumExp(row) - Math.log(Math.max(1, row.length)))],
    ['the mixture at z_n is over all posteriors: q(z_n | x_m) over m, and not q(z_m | x_n)', column.map((row) => logSumExp(row) - Math.log(N))],
    ['a mixture of L-dimensional Gaussians: sum over the coordinates first, then log-sum-exp over the data. For each coordinate by itself it is another density, a product of mixtures', eachAlone],
    ['logVar is ln σ²: the variance is its exponential', doubled.map((row) => logSumExp(row) - Math.log(N))],
    ['the aggregate posterior is the mixture itself, and not the Gaussian of its mean and variance', z.map((own) => logNormalOf(own, centre, spread))],
  ]; // prettier-ignore
}

function mistakesIn(codes: Codes, field: keyof Parts): readonly KnownMistake[] {
  const right = partsOf(codes);
  const other = field === 'information' ? 'mismatch' : 'information';
  const as = (values: Vector) => () => tf.tensor1d([...values]);
  const own = tableOf(codes).map((row, n) => row[n]!);
  return [
    ...wrongTotals(codes).map(([hint, total]) => ({ hint, answer: as(byTotals(codes, total)[field]) })),
    { hint: 'the sign: both parts are at least 0 on average', answer: as(right[field].map((v) => -v)) },
    ...(field === 'information' ? [{ hint: 'below 0 for a draw that is likelier under the others’ posteriors: only the mean is at least 0', answer: as(right[field].map((v) => Math.max(0, v))) }] : []),
    { hint: 'information and mismatch are exchanged', answer: as(right[other]) },
    { hint: 'each of the two parts alone: this is the KL itself', answer: as(own.map((v, n) => v - codes.logPrior[n]!)) },
    { hint: 'one number an example: the page takes the mean', answer: as(own.map(() => meanOf(right[field]))) },
    { hint: 'a sum over the latent coordinates, not their mean', answer: as(right[field].map((v) => v / codes.mu[0]!.length)) },
  ]; // prettier-ignore
}

async function partsFrom(call: Call, codes: Codes): Promise<Readonly<Record<keyof Parts, tf.Tensor>>> {
  const N = codes.mu.length;
  const got = expectFields(await call(...codesArgs(codes)), ['information', 'mismatch']);
  const each = (field: keyof Parts) => expectTensor(got[field], { what: `the ${field}`, shape: [N], hint: 'one number an example' }); // prettier-ignore
  return { information: each('information'), mismatch: each('mismatch') };
}

export async function checkApart(call: Call, codes: Codes, hint: string): Promise<void> {
  const got = await partsFrom(call, codes);
  const wanted = partsOf(codes);
  for (const field of ['information', 'mismatch'] as const) {
    const tolerance = { what: `the ${field}`, rtol: 1e-4, atol: 1e-3, hint };
    expectAnswer(got[field], tf.tensor1d(wanted[field]), tolerance, mistakesIn(codes, field));
  }
}

/** The parts add up to the KL of the draw, and nobody's draw tells more than which of N examples it is. */
async function checkLaws(call: Call, codes: Codes): Promise<void> {
  const got = await partsFrom(call, codes);
  const [information, mismatch] = [vector(got.information), vector(got.mismatch)];
  const most = Math.log(codes.mu.length);
  tableOf(codes).forEach((row, n) => {
    const kl = row[n]! - codes.logPrior[n]!;
    const both = information[n]! + mismatch[n]!;
    expectTrue(Math.abs(both - kl) < 1e-3 + 1e-4 * Math.abs(kl), `both parts of example ${n} to add up to ln q(z | x) − ln p(z) = ${kl.toFixed(3)}`, both.toFixed(3), 'what one part adds, the other takes off'); // prettier-ignore
    expectTrue(information[n]! <= most + 1e-3, `the information of example ${n} to be at most ln N = ${most.toFixed(3)}`, information[n]!.toFixed(3), 'q(z) is at least q(z | x_n) / N'); // prettier-ignore
  });
}

export const apart: Exercise = {
  id: 'prior.apart',
  chapter,
  functionName: 'klApart',
  title: 'the KL taken apart',
  points: 3,
  hints: [
    'Which density has a draw z of which one does not know from whose posterior it came? How do you get from ln q(z_n | x_m), for all pairs, to it?',
    'q(z) is the mean over the data set of q(z | x_m), at the draw z_n: a log-sum-exp over m of [N, N] numbers, less ln N. Then ln q(z_n | x_n) − ln q(z_n) and ln q(z_n) − ln p(z_n).',
    'logNormalComponents of the package takes [N, L] points and [N, L] means, and gives [N, N]: a row for each point, a column for each Gaussian. logMeanExp along axis 1; logNormal for the example’s own.',
  ],
  checks: [
    {
      name: 'one example: its posterior is the aggregate one, and tells nothing',
      sameForAll: true,
      run: ({ call, rng }) => checkApart(call, codesOf(rng, 1, 2), 'with one example q(z) is q(z | x)'),
    },
    {
      name: 'two examples, one latent',
      sameForAll: true,
      run: ({ call, rng }) => checkApart(call, codesOf(rng, 2, 1), 'q(z) = ½ q(z | x₁) + ½ q(z | x₂)'),
    },
    {
      name: 'more examples, more latents',
      sameForAll: true,
      async run({ call, rng }) {
        await checkApart(call, codesOf(rng.fork('close'), 5, 3, 0.5), 'q(z) = (1/N) Σ q(z | x_m)');
        await checkApart(call, codesOf(rng.fork('wide'), 7, 2, 3), 'q(z) = (1/N) Σ q(z | x_m)');
        await checkApart(call, codesOf(rng.fork('a heap'), 6, 2, 0.2), 'q(z) = (1/N) Σ q(z | x_m)');
      },
    },
    {
      name: 'both parts add up to the KL, and nobody tells more than ln N',
      law: true,
      sameForAll: true,
      async run({ call, rng }) {
        await checkLaws(call, codesOf(rng.fork('close'), 6, 2, 0.3));
        await checkLaws(call, codesOf(rng.fork('far'), 4, 3, 30));
      },
    },
  ],
}; // prettier-ignore

// prior.gain

interface Gain {
  readonly gain: number;
  readonly left: number;
}

/** By the mean KL from the even prior, and from the prior that is the mean of all posteriors. */
function gainOf(codes: Matrix, cells: number): Gain {
  const shares = codes.map((places) => Array.from({ length: cells }, (_, c) => (places.includes(c) ? 1 / places.length : 0))); // prettier-ignore
  const best = shares[0]!.map((_, c) => meanOf(shares.map((row) => row[c]!)));
  const klFrom = (prior: Vector) => meanOf(shares.map((row) => sum(row.map((q, c) => (q === 0 ? 0 : q * Math.log(q / prior[c]!)))))); // prettier-ignore
  const left = klFrom(best);
  return { gain: klFrom(best.map(() => 1 / cells)) - left, left };
}

function wrongGain(codes: Matrix, cells: number): Record<keyof Gain, readonly KnownMistake[]> {
  const { gain, left } = gainOf(codes, cells);
  const different = new Set(codes.map((places) => places.join())).size;
  const used = new Set(codes.flat()).size;
  const sizes = codes.map((places) => places.length);
  const bits = (value: number): KnownMistake => ({ hint: 'nats: natural logarithms', answer: () => value / Math.LN2 });
  return {
    gain: [
      { hint: 'a prior is one for all: it cannot be each example’s own posterior, so the KL does not fall to 0', answer: () => gain + left },
      { hint: 'the best prior is not even over the places that are used: places of more examples get more', answer: () => Math.log(cells / used) },
      ...(left > 1e-6 ? [{ hint: 'that is what is left with the best prior', answer: () => left }] : []),
      { hint: 'an even prior is the worse one: what is gained is at least 0', answer: () => -gain },
      bits(gain),
    ],
    left: [
      { hint: 'that is the KL from the even prior', answer: () => gain + left },
      { hint: 'ln N is the most that a code can tell; codes that overlap, or are the same, tell less', answer: () => Math.log(codes.length) },
      { hint: 'codes that are different but overlap tell less than which one it is', answer: () => Math.log(different) },
      { hint: 'examples of one code cannot be told apart, but other ones can', answer: () => 0 },
      { hint: 'the entropy of z, less what of it is noise within a code', answer: () => Math.log(cells) - gain },
      { hint: 'the mean of the logarithms of the codes’ sizes, and not the logarithm of their mean', answer: () => left + meanOf(sizes.map(Math.log)) - Math.log(meanOf(sizes)) },
      bits(left),
    ],
  }; // prettier-ignore
}

export async function checkGain(call: Call, codes: Matrix, cells: number, hint: string): Promise<void> {
  const said = `codes ${JSON.stringify(codes)} of ${cells} places`;
  const got = expectFields(await call(codes, cells), ['gain', 'left'], { what: 'the answer', hint });
  const mistakes = wrongGain(codes, cells);
  for (const field of ['gain', 'left'] as const) {
    const what = `${field} of ${said}`;
    const tolerance = { what, rtol: 1e-5, atol: 1e-6, hint }; // also of float32 sums
    expectAnswer(expectNumber(got[field], { what, hint }), gainOf(codes, cells)[field], tolerance, mistakes[field]);
  }
}

export const gain: Exercise = {
  id: 'prior.gain',
  chapter,
  functionName: 'priorGain',
  title: 'predict: what a better prior gains',
  points: 2,
  allOrNothing: true,
  hints: [
    'One prior serves all examples. Which one makes the mean of their KLs smallest? What is the KL from it, if all codes are the same, and if no two overlap?',
    'The best prior is the aggregate posterior. The gain is its KL from the even prior: ln (number of places) less the entropy of the aggregate posterior. What is left is the mutual information of example and code.',
    'Give each place the share 1 / (N · size of the code) for every code that covers it; the entropy of these shares is H. Then gain = ln places − H, and left = H less the mean over the codes of the logarithm of their sizes.',
  ],
  checks: [
    {
      name: 'examples that share a code, and two that do not',
      async run({ call }) {
        await checkGain(call, [[0, 1], [0, 1], [0, 1]], 8, 'the best prior is that code');
        await checkGain(call, [[0], [1]], 4, 'the best prior is half on one place, half on the other');
      },
    },
    {
      name: 'codes that overlap',
      async run({ call }) {
        await checkGain(call, [[0, 1], [1, 2]], 3, 'place 1 has half of the aggregate posterior');
        await checkGain(call, [[0], [0, 1, 2, 3]], 6, 'each example counts by 1 / N, whatever its code covers');
      },
    },
    {
      name: 'nothing to gain',
      async run({ call }) {
        await checkGain(call, [[0], [1], [2]], 3, 'the aggregate posterior is even: no prior is better');
        await checkGain(call, [[0, 1], [0, 1], [2, 3], [2, 3]], 4, 'the aggregate posterior is even: no prior is better');
      },
    },
  ],
}; // prettier-ignore
