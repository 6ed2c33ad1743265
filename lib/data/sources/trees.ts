/** Sources that derive x by a tree: sentences of a grammar, and circuits. */
import * as tf from '@tensorflow/tfjs';
import { evaluateCircuit, randomCircuit } from '../../circuits/structure';
import type { Rng } from '../../core/model';
import { enumerate } from '../../statistics/oracles';
import { drawIndices, entropyOf, integers, integersBelow, requireDistribution, source, type Source } from './source';
import { tableSource } from './table';

/** What a symbol may become: each alternative's probability, and the symbols or words it is replaced by. */
export type Grammar = Readonly<Record<string, readonly { readonly p: number; readonly to: readonly string[] }[]>>;

/** The sentences of a grammar, in words and in their indices. */
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
  for (const [symbol, rules] of Object.entries(grammar)) {
    const chances = rules.map(({ p }) => p);
    requireDistribution(`grammarSource: the rules of ${symbol}`, chances);
  }
  if (!grammar[start]) throw new Error(`grammarSource: no symbol '${start}' in the grammar`);
  const sentences = derive(grammar, start, []);
  requireUnambiguous(sentences);
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
    sample: (count, rng) => {
      const drawn = drawIndices(p, count, rng).map((i) => codes[i]!);
      return tf.tensor2d(drawn, [count, T], 'float32');
    },
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

function requireUnambiguous(sentences: readonly Sentence[]): void {
  const known = new Set<string>();
  for (const { words } of sentences) {
    const text = words.join(' ');
    if (known.has(text))
      throw new Error(`grammarSource: two derivations of "${text}": the grammar is ambiguous; drop one of them`);
    known.add(text);
  }
}

/** Every sentence that the symbol can become. */
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

export interface CircuitSourceOptions {
  /** D, the coordinates. Default: 6. */
  readonly variables?: number;
  /** V: each coordinate is an integer in 0 … V − 1. Default: 3. */
  readonly values?: number;
  /** Of each sum. Default: 3. */
  readonly units?: number;
}

/**
 * A random circuit over a small world (see `randomCircuit`), its entropy by enumeration: data that a mixture can
 * approach and a circuit can reach.
 */
export function circuitSource({ variables = 6, values = 3, units = 3 }: CircuitSourceOptions, rng: Rng): Source {
  const circuit = randomCircuit({ variables, values, units }, rng);
  const world = enumerate(integersBelow(values), variables);
  const logWeights = world.map((x) => evaluateCircuit(circuit, x));
  return tableSource('random circuit', [variables], values, logWeights);
}
