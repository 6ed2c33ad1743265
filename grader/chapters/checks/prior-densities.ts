/** Chapter 9: densities of priors: pseudo-inputs, rejection with a last try, and a flow. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectTensor, expectTrue } from '../../exercise/compare';
import { given, type Exercise, type Given, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { LOG_2PI, logNormalOf, logSumExp, matrix, matrixTensor, meanOf, normal, smallestFirst, vector, type Matrix, type Vector } from './common'; // prettier-ignore

const chapter = '09-priors-posteriors';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);

// prior.vamp

export interface Pseudo {
  /** [B][L] */
  readonly z: Matrix;
  /** [K][D] */
  readonly free: Matrix;
  readonly range: readonly [low: number, high: number];
  readonly encode: Given;
  readonly of: (x: Vector) => { readonly mu: number[]; readonly logVar: number[] };
}

export interface PseudoSizes {
  readonly B: number;
  readonly L: number;
  readonly K: number;
  readonly D: number;
}

/** An encoder that is a little of a line, and pseudo-inputs that as they stand are no data. */
export function pseudoOf(rng: Rng, { B, L, K, D }: PseudoSizes, range: readonly [number, number]): Pseudo {
  const short = (v: number) => Math.round(v * 100) / 100; // the text is shown with the input of a check that fails
  const slope = 1.5 / (range[1] - range[0]);
  const W = matrix(normal(rng, 'weights', [D, 2 * L], slope)).map((row) => row.map(short));
  const b = vector(normal(rng, 'bias', [2 * L], 0.5)).map(short);
  const said = (x: Vector) => b.map((bias, j) => bias + sum(x.map((v, d) => v * W[d]![j]!)));
  return {
    z: matrix(normal(rng, 'z', [B, L], 1.2)),
    free: matrix(normal(rng, 'free', [K, D], 1.5)),
    range,
    encode: given(`(x) => x.matMul(tf.tensor2d(${JSON.stringify(W)}, [${D}, ${2 * L}])).add(tf.tensor1d(${JSON.stringify(b)}))`),
    of: (x) => ({ mu: said(x).slice(0, L), logVar: said(x).slice(L) }),
  }; // prettier-ignore
}

const inside = (v: number, [low, high]: Pseudo['range']) => low + (high - low) / (1 + Math.exp(-v));

type Components = readonly ReturnType<Pseudo['of']>[];

const componentsOf = ({ free, range, of }: Pseudo): Components => free.map((u) => of(u.map((v) => inside(v, range))));
const mixed = (z: Matrix, components: Components) =>
  z.map((row) => logSumExp(components.map(({ mu, logVar }) => logNormalOf(row, mu, logVar))) - Math.log(components.length)); // prettier-ignore

export const vampOf = (pseudo: Pseudo) => mixed(pseudo.z, componentsOf(pseudo));

function mistakenVamp(pseudo: Pseudo): readonly KnownMistake[] {
  const { z, free, range, of } = pseudo;
  const components = componentsOf(pseudo);
  const as = (values: Vector) => () => tf.tensor1d([...values]);
  const of_ = (inputs: Matrix) => as(mixed(z, inputs.map(of)));
  const logs = z.map((row) => components.map(({ mu, logVar }) => logNormalOf(row, mu, logVar)));
  const alone = z.map((row) =>
    sum(row.map((v, l) => logSumExp(components.map(({ mu, logVar }) => logNormalOf([v], [mu[l]!], [logVar[l]!]))) - Math.log(free.length))),
  );
  const spread = (factor: number) => as(mixed(z, components.map(({ mu, logVar }) => ({ mu, logVar: logVar.map((v) => factor * v) }))));
  const right = vampOf(pseudo);
  const perLatent = (change: (value: number) => number) => z.map((row) => logSumExp(components.map(({ mu, logVar }) => change(logNormalOf(row, mu, logVar)))) - Math.log(components.length));
  return [
    { hint: 'the pseudo-inputs leave the range of the data here: the encoder was never asked of such x', answer: of_(free) },
    { hint: 'a pseudo-input lies between low and high: the sigmoid alone lies between 0 and 1', answer: of_(free.map((u) => u.map((v) => inside(v, [0, 1])))) },
    { hint: 'the range begins at low, and not at 0', answer: of_(free.map((u) => u.map((v) => inside(v, range) - range[0]))) },
    { hint: 'the range is high − low wide', answer: of_(free.map((u) => u.map((v) => range[0] + range[1] * inside(v, [0, 1])))) },
    { hint: 'where free is large the pseudo-input is near high, and not near low', answer: of_(free.map((u) => u.map((v) => inside(-v, range)))) },
    { hint: 'the sigmoid lies between 0 and 1, the hyperbolic tangent does not: pseudo-inputs leave the range', answer: of_(free.map((u) => u.map((v) => range[0] + (range[1] - range[0]) * Math.tanh(v)))) },
    { hint: 'the constant of a Gaussian, −½ ln 2π for each latent, is missing', answer: as(right.map((v) => v + (z[0]!.length * LOG_2PI) / 2)) },
    { hint: 'the logarithm of the variance belongs to a Gaussian’s constant, too', answer: as(z.map((row) => logSumExp(components.map(({ mu, logVar }) => logNormalOf(row, mu, logVar) + sum(logVar) / 2)) - Math.log(free.length))) },
    { hint: 'a sum over the latents, not their mean', answer: as(perLatent((value) => value / z[0]!.length)) },
    { hint: 'the factor ½ of a Gaussian’s logarithm', answer: as(perLatent((value) => 2 * value)) },
    { hint: 'an even mixture of K components: each has the share 1 / K, however many z are asked', answer: as(right.map((v) => v + Math.log(free.length / z.length))) },
    { hint: 'a mixture, and not the one Gaussian of its mean and variance', answer: as(gaussianOf(z, components)) },
    { hint: 'cut off at the ends, pseudo-inputs out there feel no gradient: squash them by a sigmoid', answer: of_(free.map((u) => u.map((v) => Math.min(range[1], Math.max(range[0], v))))) },
    { hint: 'a mixture of L-dimensional Gaussians: sum over the coordinates first, then log-sum-exp over the components. For each coordinate by itself it is another density, of which nothing here draws', answer: as(alone) },
    { hint: 'a mean of densities: this is a mean of their logarithms', answer: as(logs.map(meanOf)) },
    { hint: 'an even mixture: every component has the share 1 / K', answer: as(logs.map(logSumExp)) },
    { hint: 'a mixture, and not its likeliest component', answer: as(logs.map((row) => Math.max(...row) - Math.log(row.length))) },
    { hint: 'logVar is ln σ²: the deviation is exp(½ logVar)', answer: spread(2) },
    { hint: 'logVar is ln σ²: its exponential is the variance, and not the deviation', answer: spread(0.5) },
    { hint: 'first the means, then the logarithms of the variances', answer: as(mixed(z, components.map(({ mu, logVar }) => ({ mu: logVar, logVar: mu })))) },
    { hint: 'ln p(z), and not its negative', answer: as(right.map((v) => -v)) },
    { hint: 'one number for each z, and not the mean over the batch', answer: as(right.map(() => meanOf(right))) },
  ];
} // prettier-ignore

/** ln N(z; mean, variance of the mixture), which is no mixture. */
function gaussianOf(z: Matrix, components: Components): number[] {
  const centre = z[0]!.map((_, l) => meanOf(components.map(({ mu }) => mu[l]!)));
  const spread = z[0]!.map((_, l) => Math.log(meanOf(components.map(({ mu, logVar }) => Math.exp(logVar[l]!) + (mu[l]! - centre[l]!) ** 2)))); // prettier-ignore
  return z.map((row) => logNormalOf(row, centre, spread));
}

export const vampArgs = ({ z, free, range, encode }: Pseudo): Value[] => [
  matrixTensor(z),
  matrixTensor(free),
  [...range],
  encode,
];

export async function checkVamp(call: Call, pseudo: Pseudo, hint: string): Promise<void> {
  const what = 'ln p(z)';
  const got = expectTensor(await call(...vampArgs(pseudo)), { what, shape: [pseudo.z.length], hint, nonFinite: true });
  const small = 'exp of a number far below 0 is 0 in float32: log-sum-exp takes the largest out first';
  expectTrue(vector(got).every(Number.isFinite), `${what} to be finite`, vector(got).join(', '), small);
  const close = { what, rtol: 2e-4, atol: 2e-3, hint };
  expectAnswer(got, tf.tensor1d(vampOf(pseudo)), close, mistakenVamp(pseudo));
}

export const vamp: Exercise = {
  id: 'prior.vamp',
  chapter,
  functionName: 'logVamp',
  title: 'a prior made of pseudo-inputs',
  points: 2,
  library: ['dgm.vampPrior'],
  hints: [
    'What does the encoder say of K pseudo-inputs, and how are K Gaussians made one density? What keeps a number that may become anything between low and high?',
    'u = low + (high − low) · sigmoid(free). The encoder gives K means and K logarithms of variances. ln p(z) is the log-sum-exp over the components of ln q(z | u_k), each a sum over the latents, less ln K.',
    'tf.split of encode(u) in two along axis 1; logNormalComponents of the package gives [B, K]; logMeanExp along axis 1.',
  ],
  checks: [
    {
      name: 'one pseudo-input: the encoder’s Gaussian of it',
      sameForAll: true,
      run: ({ call, rng }) => checkVamp(call, pseudoOf(rng, { B: 2, L: 1, K: 1, D: 2 }, [0, 4]), 'the Gaussian that the encoder says of u = low + (high − low) · sigmoid(free)'),
    },
    {
      name: 'two of them, and two latents',
      sameForAll: true,
      run: ({ call, rng }) => checkVamp(call, pseudoOf(rng, { B: 3, L: 2, K: 2, D: 2 }, [-1, 3]), 'p(z) = (1/K) Σ q(z | u_k)'),
    },
    {
      name: 'other ranges, more of everything',
      sameForAll: true,
      async run({ call, rng }) {
        await checkVamp(call, pseudoOf(rng.fork('negative'), { B: 4, L: 3, K: 5, D: 4 }, [-6, -2]), 'p(z) = (1/K) Σ q(z | u_k)');
        await checkVamp(call, pseudoOf(rng.fork('digits'), { B: 3, L: 2, K: 8, D: 16 }, [0, 16]), 'p(z) = (1/K) Σ q(z | u_k)');
      },
    },
  ],
}; // prettier-ignore

// prior.resampled

export interface Tries {
  readonly logBase: Vector;
  /** ln a(z), at most 0. */
  readonly logAccept: Vector;
  /** Mean acceptance of a proposal. */
  readonly Z: number;
  /** Proposals at most; the last is taken whatever it is. */
  readonly T: number;
}

/** Try by try: the chance to come to it, and the density of being taken there. */
function densityOf({ logBase, logAccept, Z, T }: Tries): number[] {
  return logBase.map((base, n) => {
    let reached = 1;
    let share = 0;
    for (let t = 1; t < T; t++) {
      share += reached * Math.exp(logAccept[n]!);
      reached *= 1 - Z;
    }
    return base + Math.log(share + reached);
  });
}

function mistakenTries(tries: Tries): readonly KnownMistake[] {
  const { logBase, logAccept, Z, T } = tries;
  const by = (of: (a: number) => number) => () => tf.tensor1d(logBase.map((base, n) => base + Math.log(of(Math.exp(logAccept[n]!))))); // prettier-ignore
  const mixed = (forced: number) => by((a) => (a / Z) * (1 - forced) + forced);
  const right = densityOf(tries);
  return [
    { hint: 'that is no density: its integral is Z', answer: by((a) => a) },
    { hint: 'that is for ever: the last proposal is taken whatever it is', answer: by((a) => a / Z) },
    { hint: 'the last proposal comes after T − 1 that were refused', answer: mixed((1 - Z) ** T) },
    { hint: 'the last proposal comes after T − 1 that were refused', answer: by((a) => a * ((1 - (1 - Z) ** T) / Z) + (1 - Z) ** (T - 1)) },
    { hint: 'the last proposal is taken whatever it is: that adds a share of the base itself', answer: by((a) => (a / Z) * (1 - (1 - Z) ** (T - 1))) },
    { hint: 'where the last proposal is also only taken with a(z), some draws are none at all', answer: by((a) => (a / Z) * (1 - (1 - Z) ** T)) },
    { hint: 'to be refused T − 1 times has the probability (1 − Z)^(T − 1), whatever z comes last', answer: by((a) => (a / Z) * (1 - (1 - a) ** (T - 1)) + (1 - a) ** (T - 1)) },
    { hint: 'Z is the chance to be taken; refused is 1 − Z', answer: mixed(Z ** (T - 1)) },
    { hint: 'the mixture’s shares are exchanged', answer: by((a) => (a / Z) * (1 - Z) ** (T - 1) + 1 - (1 - Z) ** (T - 1)) },
    { hint: 'a mixture of densities, and not of their logarithms', answer: () => tf.tensor1d(logBase.map((base, n) => base + (1 - (1 - Z) ** (T - 1)) * (logAccept[n]! - Math.log(Z)))) },
    { hint: 'a(z) comes as its logarithm', answer: () => tf.tensor1d(logBase.map((base, n) => base + Math.log(Math.abs((logAccept[n]! / Z) * (1 - (1 - Z) ** (T - 1)) + (1 - Z) ** (T - 1))))) },
    { hint: 'the base is missing', answer: () => tf.tensor1d(right.map((v, n) => v - logBase[n]!)) },
    { hint: 'ln p(z), and not p(z)', answer: () => tf.tensor1d(right.map(Math.exp)) },
  ];
} // prettier-ignore

export async function checkTries(call: Call, tries: Tries, hint: string): Promise<void> {
  const { logBase, logAccept, Z, T } = tries;
  const what = `ln p(z) for Z = ${Z} and ${T} ${T === 1 ? 'try' : 'tries'}`;
  const args = [tf.tensor1d([...logBase]), tf.tensor1d([...logAccept]), tf.scalar(Z), T] as const;
  const got = expectTensor(await call(...args), { what, shape: [logBase.length], hint });
  const close = { what, rtol: 1e-4, atol: 1e-4, hint };
  expectAnswer(got, tf.tensor1d(densityOf(tries)), close, mistakenTries(tries));
}

export function triesOf(rng: Rng, B: number, Z: number, T: number): Tries {
  const logBase = vector(normal(rng, 'base', [B])).map((v) => v - 2);
  const logAccept = vector(normal(rng, 'accept', [B], 2)).map((v) => -Math.abs(v));
  return { logBase, logAccept, Z, T };
}

export const resampled: Exercise = {
  id: 'prior.resampled',
  chapter,
  functionName: 'logResampled',
  title: 'derive: the density of a draw that was tried again',
  points: 3,
  library: ['dgm.resampledPrior'],
  hints: [
    'With which probability does one come to the t-th try at all? With which density is z proposed there, and taken?',
    'Before the last try, z is taken there with (1 − Z)^(t − 1) π(z) a(z); at the last one with (1 − Z)^(T − 1) π(z). Sum over the tries: a geometric series.',
    'p(z) = π(z) · [a(z) · (1 − f) / Z + f], with f = (1 − Z)^(T − 1), the chance that only the last one is left. Take its logarithm.',
  ],
  checks: [
    {
      name: 'three tries, by hand',
      run: ({ call }) => checkTries(call, { logBase: [Math.log(0.2), Math.log(0.4)], logAccept: [0, Math.log(0.25)], Z: 0.2, T: 3 }, 'p = π a at the first try, (1 − Z) π a at the second, and (1 − Z)² π at the last'),
    },
    {
      name: 'one try takes whatever comes; five do not',
      sameForAll: true,
      async run({ call, rng }) {
        await checkTries(call, triesOf(rng.fork('one'), 3, 0.3, 1), 'a single try is the last one');
        await checkTries(call, triesOf(rng.fork('five'), 3, 0.3, 5), 'five tries');
      },
    },
    {
      name: 'a hundred tries, when few are taken, and when most are',
      sameForAll: true,
      async run({ call, rng }) {
        await checkTries(call, triesOf(rng.fork('few'), 4, 0.01, 100), 'the last try still counts: (1 − 0.01)^99 = 0.37');
        await checkTries(call, triesOf(rng.fork('most'), 4, 0.9, 100), 'nearly p = π a / Z');
      },
    },
  ],
}; // prettier-ignore

// prior.flow

interface Layer {
  readonly given: Given;
  readonly of: (z: Vector) => { readonly z: number[]; readonly logDet: number };
}

/** Scales and shifts that differ by coordinate, and a bend: z + ½ sin z, whose slope is at least ½. */
function layerOf(rng: Rng, L: number): Layer {
  const short = (v: number) => Math.round(v * 100) / 100; // the text is shown with the input of a check that fails
  const s = vector(normal(rng, 'scale', [L], 0.7)).map(short);
  const t = vector(normal(rng, 'shift', [L])).map(short);
  const [scale, shift] = [`tf.tensor1d(${JSON.stringify(s)})`, `tf.tensor1d(${JSON.stringify(t)})`];
  return {
    given: given(
      `(z) => ({ z: z.add(z.sin().mul(0.5)).mul(${scale}.exp()).add(${shift}), logDet: z.cos().mul(0.5).add(1).log().add(${scale}).sum(1) })`,
    ),
    of: (z) => ({
      z: z.map((v, l) => (v + Math.sin(v) / 2) * Math.exp(s[l]!) + t[l]!),
      logDet: sum(z.map((v, l) => Math.log(1 + Math.cos(v) / 2) + s[l]!)),
    }),
  };
}

export interface Layers {
  readonly z: Matrix;
  readonly layers: readonly Layer[];
}

export function layersOf(rng: Rng, [B, L, T]: readonly [number, number, number]): Layers {
  return { z: matrix(normal(rng, 'z', [B, L])), layers: Array.from({ length: T }, (_, t) => layerOf(rng.fork(`${t}`), L)) };
} // prettier-ignore

interface Path {
  /** Where z starts, and where each layer takes it. */
  readonly places: readonly Vector[];
  readonly logDets: readonly number[];
}

function pathsOf({ z, layers }: Layers): Path[] {
  return z.map((start) => {
    const places: Vector[] = [start];
    const logDets = layers.map(({ of }) => {
      const step = of(places.at(-1)!);
      places.push(step.z);
      return step.logDet;
    });
    return { places, logDets };
  });
}

const standard = (z: Vector) => sum(z.map((v) => -0.5 * (LOG_2PI + v * v)));
const claimed = ({ places, logDets }: Path) => standard(places.at(-1)!) + sum(logDets);

const flowPriorOf = (input: Layers) => pathsOf(input).map(claimed);

function mistakenFlow(input: Layers): readonly KnownMistake[] {
  const L = input.z[0]!.length;
  const paths = pathsOf(input);
  const by = (of: (path: Path) => number, among = paths) => () => tf.tensor1d(among.map(of));
  const reversed = pathsOf({ ...input, layers: [...input.layers].reverse() });
  const end = ({ places }: Path) => standard(places.at(-1)!);
  return [
    { hint: 'the code as given: ln |det| is one number for an example, and is added to each of its L latents here: it counts L times', answer: by((p) => end(p) + L * sum(p.logDets)) },
    { hint: 'ln |det| is added: a map to the base that spreads makes the density larger', answer: by((p) => end(p) - sum(p.logDets)) },
    { hint: 'ln |det| is missing', answer: by(end) },
    { hint: 'every layer has its ln |det|: this has only the last one’s', answer: by((p) => end(p) + p.logDets.at(-1)!) },
    { hint: 'every layer has its ln |det|: this has only the first one’s', answer: by((p) => end(p) + p.logDets[0]!) },
    { hint: 'the base’s density is asked where the last layer ends, and not at z', answer: by((p) => standard(p.places[0]!) + sum(p.logDets)) },
    { hint: 'the first layer of the list comes first', answer: by(claimed, reversed) },
    { hint: 'a sum over the latents, not their mean', answer: by((p) => end(p) / L + sum(p.logDets)) },
    { hint: 'ln |det| of an example is a sum over the latents already: no division', answer: by((p) => end(p) + sum(p.logDets) / L) },
    { hint: 'the base’s constant, −½ ln 2π for each latent, is missing', answer: by((p) => claimed(p) + (L * LOG_2PI) / 2) },
    { hint: 'each example has its own ln |det|', answer: by((p) => end(p) + sum(paths.flatMap(({ logDets }) => logDets))) },
    { hint: 'one number for each z, and not the mean over the batch', answer: by(() => meanOf(paths.map(claimed))) },
  ];
} // prettier-ignore

export async function checkFlow(call: Call, input: Layers, hint: string): Promise<void> {
  const what = 'ln p(z)';
  const got = expectTensor(await call(matrixTensor(input.z), input.layers.map((layer) => layer.given)), { what, shape: [input.z.length], hint }); // prettier-ignore
  const close = { what, rtol: 1e-4, atol: 1e-3, hint };
  expectAnswer(got, tf.tensor1d(flowPriorOf(input)), close, mistakenFlow(input));
}

export const flow: Exercise = {
  id: 'prior.flow',
  chapter,
  functionName: 'logFlowPrior',
  title: 'the bug to find',
  points: 3,
  allOrNothing: true,
  library: ['dgm.flowPrior'],
  hints: [
    'Take one latent: is the code right? Take two, with a layer that doubles both. What is its ln |det|, and how often does the code add it?',
    'Look at the shapes. The base has a term for each latent, [B, L]; ln |det| is one number for an example, [B]. In which order must summing over the latents and adding come?',
    'First sum the base’s terms over the latents, then add the layers’ ln |det|, each once.',
  ],
  checks: [
    {
      name: 'two latents, one layer',
      sameForAll: true,
      run: ({ call, rng }) => checkFlow(call, layersOf(rng, [2, 2, 1]), 'ln N(0, I) where the layer ends, and its ln |det|'),
    },
    {
      name: 'one latent, and five',
      sameForAll: true,
      async run({ call, rng }) {
        for (const sizes of smallestFirst([[3, 1, 2], [2, 5, 3]] as const))
          await checkFlow(call, layersOf(rng.fork(sizes.join()), sizes), 'each layer’s ln |det| counts once');
      },
    },
    {
      name: 'no layer: the base itself; and many',
      sameForAll: true,
      async run({ call, rng }) {
        await checkFlow(call, layersOf(rng.fork('none'), [3, 2, 0]), 'without layers this is N(0, I)');
        await checkFlow(call, layersOf(rng.fork('many'), [2, 3, 6]), 'each layer’s ln |det| counts once');
      },
    },
  ],
}; // prettier-ignore
