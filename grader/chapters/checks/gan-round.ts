/** Chapter 15: one round of the game, of two players whose slopes are known. */
import * as tf from '@tensorflow/tfjs';
import type { Rng } from 'dgm';
import { expectFields, expectTensor } from '../../exercise/compare';
import { given, type Exercise, type Value } from '../../exercise/exercise';
import { expectAnswer, type KnownMistake } from './answer';
import { matrix, matrixTensor, meanOf, normal, vector, type Matrix, type Vector } from './common';

const chapter = '15-gan';

type Call = (...args: Value[]) => Promise<Value>;

const sum = (values: Vector) => values.reduce((a, b) => a + b, 0);
const sigma = (v: number) => 1 / (1 + Math.exp(-v));

/** The critic's number is s + 0.3 s² with s = w · x; a sample is θ z + 0.5, coordinate by coordinate. */
export interface Round {
  readonly w: Vector;
  readonly theta: Vector;
  readonly x: Matrix;
  readonly z: Matrix;
  readonly rate: number;
}

export const roundOf = (rng: Rng, B: number, D: number, rate: number): Round => ({
  w: vector(normal(rng, 'w', [D])),
  theta: vector(normal(rng, 'theta', [D])),
  x: matrix(normal(rng, 'x', [B, D])),
  z: matrix(normal(rng, 'z', [B, D])),
  rate,
});

const SCORE = '(x, w) => { const s = x.mul(w).sum(1); return s.add(s.square().mul(0.3)); }';
const MAKE = '(z, theta) => z.mul(theta).add(0.5)';

const along = (x: Vector, w: Vector) => sum(x.map((v, d) => v * w[d]!));
const number = (x: Vector, w: Vector) => along(x, w) + 0.3 * along(x, w) ** 2;
/** d number / d s */
const bend = (x: Vector, w: Vector) => 1 + 0.6 * along(x, w);
const samples = ({ z }: Round, theta: Vector): Matrix => z.map((row) => row.map((v, d) => v * theta[d]! + 0.5));
const axis = <T>(D: number, of: (d: number) => T) => Array.from({ length: D }, (_, d) => of(d));

/** d loss / d number of an example. */
interface Slopes {
  readonly real: (r: number) => number;
  readonly fake: (f: number) => number;
  readonly generator: (f: number) => number;
}

const RIGHT: Slopes = { real: (r) => -sigma(-r), fake: sigma, generator: (f) => -sigma(-f) };
const squashed = (slope: (v: number) => number) => (v: number) => slope(sigma(v)) * sigma(v) * sigma(-v);

/** The gradient by w, and by θ, of a loss with these slopes. */
const byCritic = (round: Round, w: Vector, theta: Vector, { real, fake }: Slopes) =>
  axis(w.length, (d) => {
    const of = (rows: Matrix, slope: (v: number) => number) => meanOf(rows.map((row) => slope(number(row, w)) * bend(row, w) * row[d]!)); // prettier-ignore
    return of(round.x, real) + of(samples(round, theta), fake);
  });
const byGenerator = (round: Round, w: Vector, theta: Vector, slope: (f: number) => number) =>
  axis(theta.length, (d) => meanOf(samples(round, theta).map((row, n) => slope(number(row, w)) * bend(row, w) * w[d]! * round.z[n]![d]!))); // prettier-ignore

const moved = (from: Vector, gradient: Vector, rate: number) => from.map((v, d) => v - rate * gradient[d]!);

interface Ways {
  readonly slopes?: Partial<Slopes>;
  /** The generator's step is against the critic as it was. */
  readonly old?: true;
  /** The critic's loss moves the generator, too: before its own step, or in place of it. */
  readonly pulled?: 'before' | 'instead';
  /** Of the critic's rate, and the generator's. */
  readonly signs?: readonly [number, number];
  /** The critic's step is against samples of the generator after its own. */
  readonly generatorFirst?: true;
}

type Weights = Readonly<Record<'critic' | 'generator', number[]>>;

function play(round: Round, { slopes: changed, old, pulled, signs = [1, 1], generatorFirst }: Ways = {}): Weights {
  const { w, theta, rate } = round;
  const slopes = { ...RIGHT, ...changed };
  if (generatorFirst) {
    const generator = moved(theta, byGenerator(round, w, theta, slopes.generator), rate);
    return { critic: moved(w, byCritic(round, w, generator, slopes), rate), generator };
  }
  const critic = moved(w, byCritic(round, w, theta, slopes), signs[0] * rate);
  const start = pulled === undefined ? theta : moved(theta, byGenerator(round, w, theta, slopes.fake), rate);
  if (pulled === 'instead') return { critic, generator: [...start] };
  return { critic, generator: moved(start, byGenerator(round, old ? w : critic, start, slopes.generator), signs[1] * rate) }; // prettier-ignore
}

const wrongWays: Readonly<Record<keyof Weights, readonly (readonly [hint: string, ways: Ways])[]>> = {
  critic: [
    ['the critic goes first, against samples of the generator as it was', { generatorFirst: true }],
    ['that step goes uphill: the critic’s loss grows', { signs: [-1, 1] }],
    ['data are labelled 1, samples 0', { slopes: { real: sigma, fake: (f) => -sigma(-f) } }],
    ['samples count, too: the critic has to learn what is not data', { slopes: { fake: () => 0 } }],
    ['data count, too: the critic has to learn what is', { slopes: { real: () => 0 } }],
    ['σ twice: the losses are of logits', { slopes: { real: squashed(RIGHT.real), fake: squashed(RIGHT.fake) } }],
    ['half of it: the two means are added, not averaged', { slopes: { real: (r) => RIGHT.real(r) / 2, fake: (f) => RIGHT.fake(f) / 2 } }],
  ],
  generator: [
    ['the critic has moved already: the generator plays against the new one', { old: true }],
    ['the critic’s loss has moved the generator, too: its gradient is for the critic’s weights alone', { pulled: 'before' }],
    ['the generator follows the critic’s loss, and so gets worse at its own', { pulled: 'instead' }],
    ['that step goes uphill: the generator’s loss grows', { signs: [1, -1] }],
    ['the saturating loss: minimise −ln D, not ln(1 − D)', { slopes: { generator: (f) => -sigma(f) } }],
    ['σ twice: the losses are of logits', { slopes: { generator: squashed(RIGHT.generator) } }],
    ['the generator has not moved', { signs: [1, 0] }],
    ['of two steps at once each sees the other as it was; here they alternate', { old: true, slopes: { generator: (f) => -sigma(f) } }],
  ],
}; // prettier-ignore

/** Steps of another length: of slopes that were added up, or without the rate. */
const wrongLengths = ({ x, rate }: Round): readonly (readonly [hint: string, factor: number])[] => [
  ['a mean over the examples, not a sum', x.length],
  ['the gradient times the rate', 1 / rate],
  ['has not moved', 0],
];

export async function checkRound(call: Call, round: Round): Promise<void> {
  const { w, theta, x, z, rate } = round;
  const hint = 'w ← w − rate ∇_w L_critic; then θ ← θ − rate ∇_θ L_generator, with the new w';
  const weights = { critic: tf.tensor1d([...w]), generator: tf.tensor1d([...theta]) };
  const batch = { x: matrixTensor(x), z: matrixTensor(z) };
  const got = expectFields(await call(weights, given(SCORE), given(MAKE), batch, rate), ['critic', 'generator'], { hint }); // prettier-ignore
  for (const player of ['critic', 'generator'] as const) {
    const tensor = expectTensor(got[player], { what: `the ${player}’s weights`, shape: [w.length], hint });
    const of = (ways?: Ways) => tf.tensor1d(play(round, ways)[player]);
    const lengths = wrongLengths(round).map(([told, factor]): readonly [string, Ways] => [
      `the ${player}’s step: ${told}`,
      { signs: player === 'critic' ? [factor, 1] : [1, factor] },
    ]);
    const ways = [...wrongWays[player], ...lengths];
    const mistakes = ways.map(([told, way]): KnownMistake => ({ hint: told, answer: () => of(way) }));
    const what = `the ${player}’s weights after a round`;
    expectAnswer(tensor, of(), { what, rtol: 1e-4, atol: 1e-5, hint }, mistakes);
  }
}

export const round: Exercise = {
  id: 'gan.round',
  chapter,
  functionName: 'playRound',
  title: 'one round: the critic’s step, then the generator’s',
  points: 3,
  hints: [
    'Two losses, two sets of weights, two steps. Of which weights is each gradient taken, and which critic does the generator meet?',
    'tf.grad((w) => loss)(weights.critic) takes the gradient by the critic’s weights alone, whatever made the samples. The generator’s is by theta, through make and through the critic as it is now.',
    'critic = weights.critic − rate · tf.grad of the critic’s loss by w; then generator = weights.generator − rate · tf.grad((theta) => softplus(−score(make(z, theta), critic)).mean()).',
  ],
  checks: [
    {
      name: 'one example in one dimension',
      run: ({ call }) => checkRound(call, { w: [0.5], theta: [1], x: [[2]], z: [[-1]], rate: 0.5 }),
    },
    {
      name: 'two examples in the plane',
      run: ({ call }) => checkRound(call, { w: [0.5, -1], theta: [1, 0.5], x: [[1, 0], [0.5, -1]], z: [[1, -0.5], [-1, 1]], rate: 1 }),
    },
    {
      name: 'a batch',
      sameForAll: true,
      run: ({ call, rng }) => checkRound(call, roundOf(rng, 6, 3, 0.4)),
    },
  ],
}; // prettier-ignore
