/**
 * Data whose entropy is known exactly, in nats per example.
 *
 * For data from a source p and a model q, the expected negative log-likelihood is H(p) + KL[p ‖ q]. With H known, the
 * divergence is a number one can read off, and a model that scores below H (by more than the sampling error) has a
 * wrong likelihood, however good its samples look (Cover and Thomas, Elements of Information Theory, 2006, chapter 2).
 */
import * as tf from '@tensorflow/tfjs';
import { evaluateCircuit, randomCircuit } from '../circuits/structure';
import { logLattice } from '../core/distributions';
import type { GenerativeModel, Rng, Support } from '../core/model';
import { enumerate, normalCdf } from '../statistics/oracles';
import { categorical } from '../core/random';
import { expectShape, logSumExp } from '../core/tensor';

/** A model that nobody has to train: `evaluate`, the laws and the ladder take it like any other. */
export interface Source extends GenerativeModel {
  readonly name: string;
  readonly likelihood: { readonly kind: 'exact'; logProb(x: tf.Tensor): tf.Tensor };
  /** [B, ...event] → [B], as the likelihood. */
  logProb(x: tf.Tensor): tf.Tensor;
  /** −E ln p(x), in nats per example. */
  readonly entropy: number;
  readonly support: Support;
}

type Definition = Pick<Source, 'name' | 'eventShape' | 'logProb' | 'entropy' | 'support' | 'sample'>;

function source(definition: Definition): Source {
  const { name, eventShape, logProb } = definition;
  const checked = (x: tf.Tensor) => {
    expectShape(`${name}: x`, x, ['B', ...eventShape]);
    return tf.tidy(() => logProb(x));
  };
  return { ...definition, logProb: checked, likelihood: { kind: 'exact', logProb: checked }, objectives: [] };
}

const integers = (values: number): Support => ({
  kind: 'discrete',
  values: Array.from({ length: values }, (_, v) => v),
});

// Any world small enough to write down

/**
 * The distribution in proportion to exp(logWeights), one for every x of the world in the order of `enumerate`: the
 * last coordinate runs fastest.
 * @param logWeights [V^D]
 */
export function tableSource(
  name: string,
  eventShape: readonly number[],
  values: number,
  logWeights: ArrayLike<number>,
): Source {
  const D = sizeOf(eventShape);
  if (logWeights.length !== values ** D)
    throw new Error(`${name}: expected a weight for each of ${values}^${D} points, got ${logWeights.length}`);
  const top = Array.from(logWeights).reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logWeights, (weight) => Math.exp(weight - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0 && Number.isFinite(total)))
    throw new Error(`${name}: the weights must be finite, and not all −∞; their sum is ${total}`);
  const p = weights.map((weight) => weight / total);
  const logP = Float32Array.from(p, Math.log);
  const place = Array.from({ length: D }, (_, d) => values ** (D - 1 - d));
  return source({
    name,
    eventShape,
    support: integers(values),
    entropy: entropyOf(p),
    logProb(x) {
      const digits = x
        .reshape([-1, D])
        .clipByValue(0, values - 1)
        .toInt(); // [B, D]
      const index = digits.mul(tf.tensor1d(place, 'int32')).sum(1).toInt() as tf.Tensor1D; // [B]
      return tf.gather(tf.tensor1d(logP), index).add(logLattice(x, values));
    },
    sample: (count, rng) => {
      const rows = inverseCdf(p, count, rng).map((index) => place.map((step) => Math.floor(index / step) % values));
      return tf.tensor(rows.flat(), [count, ...eventShape], 'float32');
    },
  });
}

/** Indices 0 … p.length − 1 with these probabilities. */
function inverseCdf(p: ArrayLike<number>, count: number, rng: Rng): number[] {
  const sums = Float64Array.from(p as ArrayLike<number>);
  for (let i = 1; i < sums.length; i++) sums[i]! += sums[i - 1]!;
  const draws = rng.uniform([count]);
  const u = draws.dataSync();
  draws.dispose();
  return Array.from(u, (value) => firstAbove(sums, value * sums.at(-1)!));
}

/** The first index whose sum exceeds the value: by bisection. */
function firstAbove(sums: Float64Array, value: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

// Sequences

export interface MarkovOptions {
  /** Length of a string. */
  readonly length: number;
  /** p(x_1): [V] */
  readonly start: readonly number[];
  /** p(x_t | x_{t−1}): [V][V], each row sums to 1. */
  readonly transition: readonly (readonly number[])[];
}

/**
 * Strings x_1 … x_T with p(x) = p(x_1) Π_t p(x_t | x_{t−1}); H = H(x_1) + Σ_t Σ_v p(x_{t−1} = v) H(row v).
 * Every probability of 0 is a rule that a model can be caught breaking.
 */
export function markovSource({ length: T, start, transition }: MarkovOptions): Source {
  const V = start.length;
  requireDistribution('markovSource: start', start);
  if (transition.length !== V) throw new Error(`markovSource: expected ${V} rows, got ${transition.length}`);
  transition.forEach((row, v) => {
    if (row.length !== V) throw new Error(`markovSource: row ${v} must have ${V} entries, got ${row.length}`);
    requireDistribution(`markovSource: row ${v}`, row);
  });
  if (!Number.isInteger(T) || T < 1) throw new Error(`markovSource: length must be an integer ≥ 1, got ${T}`);
  const [logStart, logRows] = [start.map(Math.log), transition.flat().map(Math.log)];
  return source({
    name: 'Markov strings',
    eventShape: [T],
    support: integers(V),
    entropy: markovEntropy(T, start, transition),
    logProb(x) {
      const v = x.clipByValue(0, V - 1).toInt(); // [B, T]
      const first = tf.gather(tf.tensor1d(logStart), v.slice([0, 0], [-1, 1]).squeeze([1]) as tf.Tensor1D); // [B]
      const pairs = v
        .slice([0, 0], [-1, T - 1])
        .mul(V)
        .add(v.slice([0, 1], [-1, -1]))
        .toInt(); // [B, T − 1]
      return tf.gather(tf.tensor1d(logRows), pairs).sum(1).add(first).add(logLattice(x, V));
    },
    sample: (count, rng) =>
      tf.tidy(() => {
        const rows = tf.tensor2d(logRows, [V, V]);
        let v = categorical(tf.tensor2d([logStart]).tile([count, 1]), rng.fork('step 0')) as tf.Tensor1D; // [count]
        const steps = [v];
        for (let t = 1; t < T; t++)
          steps.push((v = categorical(tf.gather(rows, v), rng.fork(`step ${t}`)) as tf.Tensor1D));
        return tf.stack(steps, 1).toFloat(); // [count, T]
      }),
  });
}

function markovEntropy(T: number, start: readonly number[], transition: readonly (readonly number[])[]): number {
  const rowEntropies = transition.map(entropyOf);
  let p = [...start];
  let entropy = entropyOf(start);
  for (let t = 1; t < T; t++) {
    entropy += p.reduce((sum, pv, v) => sum + pv * rowEntropies[v]!, 0);
    p = p.map((_, w) => p.reduce((sum, pv, v) => sum + pv * transition[v]![w]!, 0));
  }
  return entropy;
}

export interface ToneOptions {
  /** Steps of one example. Default: 64. */
  readonly length?: number;
  /** Levels of the code. Default: 32. */
  readonly values?: number;
  /** Steps of one oscillation, of each tone. Default: eight tones, a sixth of an octave apart. */
  readonly periods?: readonly number[];
  /** Where in its period a tone may start: so many places, evenly spread. Default: 8. */
  readonly phases?: number;
  /** Of the code. Default: 255. */
  readonly mu?: number;
}

/**
 * Tones in µ-law code (ITU-T G.711): a sine s_t of one of some periods and phases, M in all and equally likely,
 *   f(s) = sign(s) ln(1 + µ |s|) / ln(1 + µ),
 * rounded to a level 1 … V − 2, and then one level lower or higher, each with probability ¼.
 *
 * The steps are entangled, for the tone is not told. But two tones that are more than two levels apart at some step
 * cannot both explain x, so x tells the tone, and H = ln M + T · 1.5 ln 2: that of the tone, and of every step's noise.
 * @throws when two tones are never so far apart
 */
export function toneSource({
  length: T = 64,
  values: V = 32,
  periods = Array.from({ length: 8 }, (_, i) => 8 * 2 ** (i / 6)),
  phases = 8,
  mu = 255,
}: ToneOptions = {}): Source {
  const shifts = Array.from({ length: phases }, (_, i) => i / phases);
  const tones = periods.flatMap((period) =>
    shifts.map((shift) =>
      Array.from({ length: T }, (_, t) => {
        const companded = muLaw(Math.sin(2 * Math.PI * (t / period + shift)), mu);
        return 1 + Math.round(((companded + 1) / 2) * (V - 3));
      }),
    ),
  );
  requireApart(tones);
  const M = tones.length;
  const table = tf.tensor2d(tones, [M, T]);
  return source({
    name: 'tones',
    eventShape: [T],
    support: integers(V),
    entropy: Math.log(M) + T * 1.5 * Math.LN2,
    logProb(x) {
      const off = x.expandDims(1).sub(table).abs(); // [B, M, T]
      const noise = tf.where(off.equal(0), Math.log(1 / 2), tf.where(off.equal(1), Math.log(1 / 4), -Infinity));
      return logSumExp(noise.sum(2), 1).sub(Math.log(M)).add(logLattice(x, V));
    },
    sample: (count, rng) =>
      tf.tidy(() => {
        const tone = inverseCdf(tones.map(() => 1), count, rng.fork('tone')); // prettier-ignore
        const noise = inverseCdf([1, 2, 1], count * T, rng.fork('noise')).map((index) => index - 1);
        return tf.gather(table, tone).add(tf.tensor2d(noise, [count, T]));
      }),
  });
}

/** Loudness as ears have it: [−1, 1] → [−1, 1], steep around 0. */
export function muLaw(s: number, mu = 255): number {
  return (Math.sign(s) * Math.log1p(mu * Math.abs(s))) / Math.log1p(mu);
}

function requireApart(tones: readonly (readonly number[])[]): void {
  for (const [m, a] of tones.entries())
    for (const [n, b] of tones.slice(0, m).entries())
      if (a.every((level, t) => Math.abs(level - b[t]!) <= 2))
        throw new Error(
          `toneSource: tones ${n} and ${m} are never more than 2 levels apart, so x does not tell which it was; choose other periods, fewer phases, or more values`,
        );
}

/** What a symbol may become: each alternative's probability, and the symbols or words it is replaced by. */
export type Grammar = Readonly<Record<string, readonly { readonly p: number; readonly to: readonly string[] }[]>>;

export interface GrammarSource extends Source {
  /** The words; a sentence x holds their indices, and 0, the empty word, after its end. */
  readonly words: readonly string[];
  /** A row of x in words. */
  text(row: ArrayLike<number>): string;
}

/**
 * Sentences of a probabilistic grammar, from `start`: what is no symbol of the grammar is a word. The grammar must be
 * finite and unambiguous, so that a sentence has one derivation, whose probability is the sentence's.
 * @throws when a symbol can contain itself, or when two derivations give the same sentence
 */
export function grammarSource(grammar: Grammar = ENGLISH, start = 'S'): GrammarSource {
  for (const [symbol, rules] of Object.entries(grammar))
    requireDistribution(`grammarSource: the rules of ${symbol}`, rules.map(({ p }) => p)); // prettier-ignore
  if (!grammar[start]) throw new Error(`grammarSource: no symbol '${start}' in the grammar`);
  const sentences = derive(grammar, start, []);
  const known = new Map<string, number>();
  for (const { words, p } of sentences) {
    const text = words.join(' ');
    if (known.has(text))
      throw new Error(`grammarSource: two derivations of "${text}": the grammar is ambiguous; drop one of them`);
    known.set(text, p);
  }
  const words = ['', ...new Set(sentences.flatMap((sentence) => sentence.words))];
  const T = Math.max(...sentences.map((sentence) => sentence.words.length));
  const codes = sentences.map((sentence) => {
    const code = sentence.words.map((word) => words.indexOf(word));
    return [...code, ...new Array<number>(T - code.length).fill(0)];
  });
  const logP = new Map(codes.map((code, i) => [code.join(), Math.log(sentences[i]!.p)]));
  const p = sentences.map((sentence) => sentence.p);
  const base = source({
    name: 'grammar',
    eventShape: [T],
    support: integers(words.length),
    entropy: entropyOf(p),
    logProb(x) {
      const values = x.dataSync();
      const row = (n: number) => Array.from(values.slice(n * T, (n + 1) * T)).join();
      return tf.tensor1d(Array.from({ length: x.shape[0]! }, (_, n) => logP.get(row(n)) ?? -Infinity));
    },
    sample: (count, rng) => tf.tensor2d(inverseCdf(p, count, rng).map((i) => codes[i]!), [count, T], 'float32'), // prettier-ignore
  });
  const text = (row: ArrayLike<number>) =>
    Array.from(row, (code) => words[code] ?? '?')
      .join(' ')
      .trim();
  return { ...base, words, text };
}

interface Sentence {
  readonly words: readonly string[];
  readonly p: number;
}

function derive(grammar: Grammar, symbol: string, within: readonly string[]): Sentence[] {
  const rules = grammar[symbol];
  if (!rules) return [{ words: [symbol], p: 1 }];
  if (within.includes(symbol))
    throw new Error(
      `grammarSource: '${symbol}' can contain itself (${[...within, symbol].join(' → ')}), so sentences have no longest length; write out the levels`,
    );
  return rules.flatMap(({ p, to }) => {
    const parts = to.map((part) => derive(grammar, part, [...within, symbol]));
    return parts.reduce<Sentence[]>(
      (heads, tails) =>
        heads.flatMap((head) => tails.map((tail) => ({ words: [...head.words, ...tail.words], p: head.p * tail.p }))),
      [{ words: [], p }],
    );
  });
}

/** A little English: about two thousand sentences, with agreement in number across the sentence. */
const ENGLISH: Grammar = {
  S: [
    { p: 0.6, to: ['one', 'verb1', 'object'] },
    { p: 0.4, to: ['many', 'verb2', 'object'] },
  ],
  one: [
    { p: 0.7, to: ['the', 'kind', 'noun1'] },
    { p: 0.3, to: ['a', 'kind', 'noun1'] },
  ],
  many: [{ p: 1, to: ['the', 'kind', 'noun2'] }],
  kind: [
    { p: 0.5, to: [] },
    { p: 0.3, to: ['small'] },
    { p: 0.2, to: ['old'] },
  ],
  noun1: [
    { p: 0.5, to: ['cat'] },
    { p: 0.3, to: ['dog'] },
    { p: 0.2, to: ['bird'] },
  ],
  noun2: [
    { p: 0.4, to: ['cats'] },
    { p: 0.4, to: ['dogs'] },
    { p: 0.2, to: ['birds'] },
  ],
  verb1: [
    { p: 0.6, to: ['sees'] },
    { p: 0.4, to: ['follows'] },
  ],
  verb2: [
    { p: 0.7, to: ['see'] },
    { p: 0.3, to: ['follow'] },
  ],
  object: [
    { p: 0.5, to: ['one'] },
    { p: 0.5, to: ['many'] },
  ],
};

// Small pictures

/**
 * The Ising model on a grid with free edges: p(x) ∝ exp(J Σ_neighbours s_i s_j + h Σ s_i), with s = 2x − 1 for the
 * pixel x ∈ {0, 1}. Z by summing over all 2^(height · width) pictures (Ising, 1925).
 * @param coupling J: 0.44 is where the infinite grid freezes
 */
export function isingSource({
  height = 4,
  width = 4,
  coupling = 0.4,
  field = 0,
}: {
  readonly height?: number;
  readonly width?: number;
  readonly coupling?: number;
  readonly field?: number;
} = {}): Source {
  const D = height * width;
  if (D > 16) throw new Error(`isingSource: ${height} × ${width} pixels have 2^${D} pictures; at most 16 pixels`);
  const logWeights = Float64Array.from({ length: 2 ** D }, (_, index) => {
    const spin = (i: number) => (((index >> (D - 1 - i)) & 1) === 1 ? 1 : -1);
    let sum = 0;
    for (let i = 0; i < D; i++) {
      sum += field * spin(i);
      if (i % width < width - 1) sum += coupling * spin(i) * spin(i + 1);
      if (i + width < D) sum += coupling * spin(i) * spin(i + width);
    }
    return sum;
  });
  return tableSource('Ising', [height, width], 2, logWeights);
}

// The plane

export interface PlaneComponent {
  readonly weight: number;
  readonly mu: readonly [number, number];
  readonly sigma: readonly [number, number];
}

const PI = Math.PI;
const along = (count: number, place: (share: number) => readonly [number, number], sigma: number): PlaneComponent[] =>
  Array.from({ length: count }, (_, i) => ({ weight: 1, mu: place((i + 0.5) / count), sigma: [sigma, sigma] }));

/** Shapes in [−4, 4]², as mixtures of Gaussians. */
export const planeShapes = {
  /** Two half circles that reach into each other. */
  'two moons': [
    ...along(24, (t) => [2 * Math.cos(PI * t) - 1, 2 * Math.sin(PI * t) - 0.5], 0.2),
    ...along(24, (t) => [2 * Math.cos(PI * t) + 1, -2 * Math.sin(PI * t) + 0.5], 0.2),
  ],
  /** Eight round hills on a circle. */
  'eight Gaussians': along(8, (t) => [2.6 * Math.cos(2 * PI * t), 2.6 * Math.sin(2 * PI * t)], 0.3),
  /** A ring around a ring. */
  rings: [
    ...along(48, (t) => [3 * Math.cos(2 * PI * t), 3 * Math.sin(2 * PI * t)], 0.15),
    ...along(24, (t) => [1.5 * Math.cos(2 * PI * t), 1.5 * Math.sin(2 * PI * t)], 0.15),
  ],
  /** One arm, wound up. */
  spiral: along(60, (t) => [(0.4 + 2.9 * t) * Math.cos(3 * PI * t), (0.4 + 2.9 * t) * Math.sin(3 * PI * t)], 0.15),
} satisfies Record<string, readonly PlaneComponent[]>;

export type PlaneShape = keyof typeof planeShapes;

/**
 * A mixture of Gaussians in the plane, binned: [−range, range)² cut into bins × bins cells, each with the exact mass
 * that differences of Φ give it, and the edge cells also with the tails beyond them. x [2] is the cell's column and
 * row, 0 … bins − 1.
 */
export function planeSource(
  shape: PlaneShape | readonly PlaneComponent[],
  { bins = 32, range = 4 }: { readonly bins?: number; readonly range?: number } = {},
): Source {
  const components: readonly PlaneComponent[] = typeof shape === 'string' ? planeShapes[shape] : shape;
  const edges = Array.from({ length: bins + 1 }, (_, i) =>
    i === 0 ? -Infinity : i === bins ? Infinity : -range + (2 * range * i) / bins,
  );
  const masses = (mu: number, sigma: number) => {
    const cdf = edges.map((edge) => normalCdf((edge - mu) / sigma));
    return cdf.slice(1).map((above, i) => above - cdf[i]!);
  };
  const p = new Float64Array(bins * bins);
  for (const { weight, mu, sigma } of components) {
    const [columns, rows] = [masses(mu[0], sigma[0]), masses(mu[1], sigma[1])];
    columns.forEach((a, i) => rows.forEach((b, j) => (p[i * bins + j]! += weight * a * b)));
  }
  const name = typeof shape === 'string' ? shape : 'binned Gaussians';
  return tableSource(name, [2], bins, p.map(Math.log)); // prettier-ignore
}

/**
 * The same data as real numbers: x + u with u ~ U[0, 1)^D has the density p(⌊x⌋), and, cells having volume 1, the
 * same entropy. For models of densities.
 */
export function dequantisedSource(discrete: Source): Source {
  const { support } = discrete;
  if (support.kind !== 'discrete') throw new Error(`dequantisedSource: '${discrete.name}' is continuous already`);
  return source({
    name: `${discrete.name}, dequantised`,
    eventShape: discrete.eventShape,
    support: { kind: 'continuous', low: Math.min(...support.values), high: Math.max(...support.values) + 1 },
    entropy: discrete.entropy,
    logProb: (x) => discrete.logProb(x.floor()),
    sample: (count, rng) =>
      tf.tidy(() => {
        const x = discrete.sample(count, rng.fork('x'));
        return x.add(rng.fork('u').uniform(x.shape));
      }),
  });
}

// Circuits

/**
 * A random circuit over a small world (see `randomCircuit`), its entropy by enumeration: data that a mixture can
 * approach and a circuit can reach.
 */
export function circuitSource({ variables = 6, values = 3, units = 3 }: CircuitSourceOptions, rng: Rng): Source {
  const circuit = randomCircuit({ variables, values, units }, rng);
  const world = enumerate(integersBelow(values), variables);
  return tableSource('random circuit', [variables], values, world.map((x) => evaluateCircuit(circuit, x))); // prettier-ignore
}

export interface CircuitSourceOptions {
  readonly variables?: number;
  readonly values?: number;
  /** Of each sum. */
  readonly units?: number;
}

const integersBelow = (values: number) => Array.from({ length: values }, (_, v) => v);

// Shared

/** −Σ p ln p, in nats. */
function entropyOf(p: ArrayLike<number>): number {
  return Array.from(p).reduce((sum, value) => (value > 0 ? sum - value * Math.log(value) : sum), 0);
}

function requireDistribution(what: string, p: readonly number[]): void {
  const sum = p.reduce((a, b) => a + b, 0);
  if (p.every((value) => value >= 0) && Math.abs(sum - 1) < 1e-9) return;
  throw new Error(`${what} must be probabilities that sum to 1, got [${p.join(', ')}] with sum ${sum}`);
}

function sizeOf(eventShape: readonly number[]): number {
  return eventShape.reduce((size, n) => size * n, 1);
}
