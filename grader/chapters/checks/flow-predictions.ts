/** Chapter 6: one matrix for all pixels, who sees whom in a chain of triangular maps, and what narrow noise may claim. */
import type * as tf from '@tensorflow/tfjs';
import { logAbsDet, type Rng } from 'dgm';
import { expectFields, expectNumber, expectTensor } from '../../exercise/compare';
import type { Exercise, Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, matrixTensor, normal, smallestFirst, type Matrix } from './common';

const chapter = '06-flows';

type Call = (...args: Value[]) => Promise<Value>;

// flow.mixChannels

type Picture = readonly (readonly Matrix[])[]; // [B][H][W][C]

const pictures = (x: tf.Tensor) => x.arraySync() as unknown as Picture;

/** z at every pixel is W x. */
const mixed = (x: Picture, W: Matrix) =>
  x.map((rows) => rows.map((row) => row.map((pixel) => W.map((w) => w.reduce((sum, v, c) => sum + v * pixel[c]!, 0)))));

/** Lower triangular, with entries of both signs and no small one on the diagonal. */
export function triangle(rng: Rng, C: number): tf.Tensor {
  const free = matrix(normal(rng, 'W', [C, C]));
  return matrixTensor(
    free.map((row, i) => row.map((v, j) => (j > i ? 0 : j < i ? v : Math.sign(v) * (0.4 + Math.abs(v))))),
  );
}

export async function checkMix(call: Call, x: tf.Tensor, W: tf.Tensor, hint: string): Promise<void> {
  const [B, height, width, C] = x.shape as [number, number, number, number];
  const fields = expectFields(await call(x, W), ['z', 'logDet'], { hint });
  const z = expectTensor(fields.z, { what: 'z', shape: [B, height, width, C], hint });
  const rows = matrix(W);
  const flat = (values: Picture) => tfLike(x, values);
  const transposed = rows[0]!.map((_, j) => rows.map((row) => row[j]!));
  expectAnswer(z, flat(mixed(pictures(x), rows)), { what: 'z', atol: 1e-4, hint }, [
    { hint: 'z = W x at every pixel: row c of W gives channel c, and pixels are rows here, so it is x times W transposed', answer: () => flat(mixed(pictures(x), transposed)) },
  ]); // prettier-ignore
  const logs = rows.map((row, c) => Math.log(Math.abs(row[c]!))).reduce((a, b) => a + b, 0);
  const all = (value: number) => matrixTensor([Array.from({ length: B }, () => value)]).flatten();
  const mistakes: KnownMistake[] = [
    { hint: 'that is ln |det W|, for one pixel: how many pixels are multiplied by it?', answer: () => all(logs) },
    { hint: 'the Jacobian has one block W for every pixel, not for every channel', answer: () => all(C * logs) },
    { hint: 'the batch is no part of the Jacobian: one number for each example', answer: () => all(B * height * width * logs) },
    { hint: 'the logarithms are of the diagonal’s absolute values, and they are summed: this is the logarithm of their sum', answer: () => all(height * width * Math.log(Math.abs(rows.reduce((sum, row, c) => sum + row[c]!, 0)))) },
    { hint: 'that is the sign of the way back', answer: () => all(-height * width * logs) },
    { hint: 'the determinant itself: its logarithm is asked for', answer: () => all(Math.exp(height * width * logs)) },
    { hint: 'nats per example: summed over the pixels, not averaged', answer: () => all(logs / (height * width)) },
    { hint: 'of a triangular matrix the diagonal alone counts', answer: () => all(height * width * rows.flat().filter((v) => v !== 0).reduce((sum, v) => sum + Math.log(Math.abs(v)), 0)) },
  ]; // prettier-ignore
  const perExample = 'one number for each example';
  const logDet = expectTensor(fields.logDet, { what: 'logDet', shape: [B], hint: perExample, nonFinite: true });
  expectAnswer(logDet, all(height * width * logs), { what: 'logDet', rtol: 1e-4, atol: 1e-3, hint }, mistakes);
}

const tfLike = (x: tf.Tensor, values: Picture): tf.Tensor => matrixTensor([values.flat(3)]).reshape(x.shape);

/** By what W does to one pixel of a picture of C channels: ln |det| of the whole map, by elimination. */
async function checkWhole(call: Call, rng: Rng): Promise<void> {
  const [H, width, C] = [1, 2, 3];
  const W = triangle(rng, C);
  const unit = matrixTensor(
    Array.from({ length: H * width * C }, (_, i) =>
      Array.from({ length: H * width * C }, (__, j) => (i === j ? 1 : 0)),
    ),
  );
  const got = expectFields(await call(unit.reshape([H * width * C, H, width, C]), W), ['z', 'logDet'], {});
  const z = expectTensor(got.z, { what: 'z', shape: [H * width * C, H, width, C] });
  const whole = logAbsDet(matrix(z.reshape([H * width * C, H * width * C]))); // linear: the pictures of unit vectors
  const logDet = expectTensor(got.logDet, { what: 'logDet', shape: [H * width * C] });
  expectAnswer(logDet, matrixTensor([Array.from({ length: H * width * C }, () => whole)]).flatten(), {
    what: 'logDet',
    rtol: 1e-3,
    atol: 1e-3,
    hint: 'ln |det| of the matrix [H W C, H W C] that takes x to z',
  });
}

export const mixChannels: Exercise = {
  id: 'flow.mixChannels',
  chapter,
  functionName: 'mixChannels',
  title: 'derive: one matrix for all pixels',
  points: 3,
  hints: [
    'Write the whole picture as one long vector, pixel after pixel. Which shape has the matrix that takes it to z, and where in it are its zeros?',
    'It is block-diagonal, with a copy of W for every pixel: its determinant is (det W) to the power H W. And the determinant of a triangular W is the product of its diagonal, whatever its sign.',
    'Reshape x to [B H W, C], matMul with W transposed, reshape back. logDet is H · W times the sum of ln |W_cc|, the same for every example: a tensor [B].',
  ],
  checks: [
    {
      name: 'one pixel of two channels, by hand',
      async run({ call }) {
        const W = matrixTensor([[2, 0], [5, -0.5]]); // prettier-ignore
        await checkMix(call, matrixTensor([[1, 4]]).reshape([1, 1, 1, 2]), W, 'z = (2, 3), and |det| = 1');
        const doubled = matrixTensor([[2, 0], [0, 2]]); // prettier-ignore
        await checkMix(call, matrixTensor([[1, 4]]).reshape([1, 1, 1, 2]), doubled, 'areas grow fourfold');
      },
    },
    {
      name: 'agrees for several sizes, with entries of both signs',
      async run({ call, rng }) {
        for (const [B, H, W, C] of smallestFirst([[1, 2, 2, 2], [3, 1, 4, 3], [2, 3, 2, 1], [4, 2, 3, 5]] as const)) {
          const here = rng.fork(`${B} ${H} ${W} ${C}`);
          await checkMix(call, normal(here, 'x', [B, H, W, C]), triangle(here, C), 'the same W at every pixel');
        }
      }, // prettier-ignore
    },
    {
      name: 'the log-determinant is that of the whole matrix, by elimination',
      sameForAll: true,
      run: ({ call, rng }) => checkWhole(call, rng),
    },
  ],
};

// flow.blindPairs

type Turns = 'never' | 'by turns';

/** By multiplying patterns of zeros: which latent can depend on which coordinate, after so many layers. */
function blindOf(D: number, layers: number, turns: Turns): number {
  const axis = Array.from({ length: D }, (_, i) => i);
  let sees = axis.map((i) => axis.map((j) => i === j));
  for (let layer = 0; layer < layers; layer++) {
    const before = sees;
    const looks = (i: number, k: number) => (turns === 'by turns' && layer % 2 === 1 ? k >= i : k <= i);
    sees = axis.map((i) => axis.map((j) => axis.some((k) => looks(i, k) && before[k]![j]!)));
  }
  return sees.flat().filter((seen) => !seen).length;
}

export async function checkBlind(call: Call, D: number, layers: number, turns: Turns, hint: string): Promise<void> {
  const half = (D * (D - 1)) / 2;
  const alone = turns === 'by turns' && layers === 1;
  const mistakes: KnownMistake[] = [
    ...(alone ? [{ hint: 'a single layer has nobody to turn after: it looks one way', answer: () => 0 }] : []),
    { hint: 'a product of lower triangular matrices is lower triangular: more of them change nothing', answer: () => Math.floor(half / layers) },
    { hint: 'a product of lower triangular matrices is lower triangular: more of them change nothing', answer: () => 0 },
    { hint: 'one layer has looked one way only; with the second one that looks the other way nothing is blind', answer: () => half },
    { hint: 'a latent sees its own coordinate: the diagonal is no blind pair', answer: () => half + D },
    { hint: 'pairs (latent, coordinate): of a triangle, half of them are blind', answer: () => D * (D - 1) },
    { hint: 'the number of blind pairs, not of those that are seen', answer: () => D * D - blindOf(D, layers, turns) },
  ]; // prettier-ignore
  const what = `the blind pairs of ${layers} layers in ${D} dimensions that turn round ${turns}`;
  const got = expectNumber(await call(D, layers, turns), { what, hint });
  expectAnswer(got, blindOf(D, layers, turns), { what, rtol: 0, atol: 0, hint }, mistakes);
}

export const blindPairs: Exercise = {
  id: 'flow.blindPairs',
  chapter,
  functionName: 'blindPairs',
  title: 'predict: who sees whom',
  points: 1,
  allOrNothing: true,
  hints: [
    'Of one layer the Jacobian is lower triangular. Which of its D² entries are 0? What is the Jacobian of two layers?',
    'The product of two lower triangular matrices is lower triangular. The product of a lower and an upper one has no zeros that must be.',
    'D (D − 1) / 2 when all layers look the same way, or when there is one; otherwise 0.',
  ],
  checks: [
    { name: 'one layer in four dimensions', run: ({ call }) => checkBlind(call, 4, 1, 'never', 'what lies above the diagonal') },
    {
      name: 'sixteen layers that all look the same way',
      async run({ call }) {
        for (const D of [2, 4, 6]) await checkBlind(call, D, 16, 'never', 'what is a product of triangular matrices?');
      },
    },
    {
      name: 'layers that turn round, and a single one, which has nobody to turn after',
      async run({ call }) {
        for (const [D, layers] of [[4, 1], [4, 2], [6, 3], [2, 16]] as const)
          await checkBlind(call, D, layers, 'by turns', 'the second layer looks the other way');
      },
    },
  ],
}; // prettier-ignore

// flow.narrowClaim

const claimOf = (D: number, width: number) => D * Math.log(width);

export async function checkClaim(call: Call, D: number, width: number, hint: string): Promise<void> {
  const mistakes: KnownMistake[] = [
    { hint: 'below the entropy: the difference is negative', answer: () => -claimOf(D, width) },
    { hint: 'the noise is narrow in every coordinate', answer: () => Math.log(width) },
    { hint: 'nats: natural logarithms', answer: () => D * Math.log2(width) },
    { hint: 'the density is 1 / width times as high, not 1 / (1 − width)', answer: () => D * Math.log(1 - width) },
    { hint: 'in nats: the logarithm of how much of the cell is left', answer: () => width ** D },
    { hint: 'the logarithm of how much smaller the volume is, and not how much smaller', answer: () => width ** D - 1 },
  ]; // prettier-ignore
  const what = `the lowest NLL − H for D = ${D} and noise of width ${width}`;
  const got = expectNumber(await call(D, width), { what, hint });
  expectAnswer(got, claimOf(D, width), { what, rtol: 1e-6, atol: 1e-9, hint }, mistakes);
}

export const narrowClaim: Exercise = {
  id: 'flow.narrowClaim',
  chapter,
  functionName: 'narrowClaim',
  title: 'predict: how far below the entropy',
  points: 1,
  allOrNothing: true,
  hints: [
    'What is the largest density that a flow can have where the noisy points fall, if it keeps nothing for the rest of the cell?',
    'The points fill width^D of each unit cell. A flow that knows it puts P(x) into that part: a density of P(x) / width^D.',
    'NLL is then H + ln of that part’s volume: D ln width.',
  ],
  checks: [
    { name: 'noise that fills the cell: never below H', run: ({ call }) => checkClaim(call, 2, 1, 'the bound is the right one') },
    { name: 'half of each side, on the plane', run: ({ call }) => checkClaim(call, 2, 0.5, 'a quarter of the cell') },
    {
      name: 'half of each side of 64 pixels, and other widths',
      async run({ call }) {
        await checkClaim(call, 64, 0.5, 'the difference of the numbers in the text');
        for (const [D, width] of [[1, 0.25], [784, 0.96]] as const) await checkClaim(call, D, width, 'any width');
      },
    },
  ],
}; // prettier-ignore
