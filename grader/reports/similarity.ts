/**
 * Which submissions resemble each other more than chance explains. Winnowing (Schleimer, Wilkerson and Aiken, 2003)
 * over the tokens of TypeScript, by the core of Dolos: its full library parses with tree-sitter, which npm compiles
 * on the machine, and this comes as plain JavaScript.
 *
 * Notebooks are compared as a whole, and exercise by exercise: there, what counts is how much of the smaller the
 * other has, so that neither what was added nor how little was taken hides a copy.
 *
 * A number here is no verdict: it says where to look.
 */
import {
  File,
  FingerprintIndex,
  type Region,
  TokenizedFile,
  WinnowFilter,
  type FileEntry,
  type Fragment,
} from '@dodona/dolos-core';
import type { SourceCell } from '../compile/pieces';
import { slicesOf, type Row } from './slices';
import { tokensOf } from './tokens';

export interface Work {
  readonly student: string;
  readonly cells: readonly SourceCell[];
}

/** A stretch of one notebook's code; cells and lines from 1. */
export interface Stretch {
  readonly cell: number;
  readonly line: number;
  readonly toCell: number;
  readonly toLine: number;
  readonly text: string;
}

interface SharedFragment {
  readonly tokens: number;
  readonly left: Stretch;
  readonly right: Stretch;
}

export interface SimilarPair {
  readonly left: string;
  readonly right: string;
  /**
   * Share of both students' own fingerprints that the other has, too: 0 to 1; or that of the smaller one's in the
   * exercise where it is greatest.
   */
  readonly similarity: number;
  /** The function of that exercise, when it is more than the whole. */
  readonly exercise?: string;
  /** The longest first. */
  readonly fragments: readonly SharedFragment[];
}

export interface Similarities {
  readonly pairs: readonly SimilarPair[];
  /** How many other pairs reach the threshold. */
  readonly more: number;
  /** Whose code is not compared, and why. */
  readonly unread: readonly { readonly student: string; readonly reason: string }[];
}

/** Tokens of a fingerprint: a statement of our chapters has about as many. */
const K = 16;
/** Of so many neighbouring fingerprints one is kept: whoever shares K + WINDOW − 1 = 23 tokens is found. */
const WINDOW = 8;
/** What more than half of a class wrote is how one writes it; smaller groups are no class. */
const CLASS = 10;
/**
 * Characters of a student's own code. A chapter has some 60,000 in all; time and memory grow with the square of what
 * repeats itself, and anybody can hand in a million.
 */
const MOST_CHARACTERS = 200_000;
/** Whoever has to look at more of them chooses a higher threshold. */
const MOST_PAIRS = 200;

/** Fewer fingerprints are a formula that everybody writes alike: these are about 50 tokens. */
const FEWEST = 8;

/**
 * The pairs whose similarity is at least `threshold`, most similar first, and no more than 200 of them.
 * @param given the code that everybody was given: its fingerprints count for nobody
 * @param functions the functions of the exercises, to be compared one by one
 */
export function similarPairs(
  works: readonly Work[],
  given: readonly SourceCell[],
  threshold: number,
  functions: readonly string[] = [],
): Similarities {
  const own = works.map((work) => withoutGiven(work, given));
  const sizes = own.map(({ cells }) => cells.reduce((sum, { source }) => sum + source.length, 0));
  const read = own.map((work, i) => (sizes[i]! > MOST_CHARACTERS ? undefined : toSource(work.student, rowsOf(work))));
  const readable = works.filter((_, i) => read[i] !== undefined);
  const sources = read.filter((source) => source !== undefined);
  const known = toSource('given', rowsOf(given))!;
  const slices = readable.map(({ cells }) => slicesOf(cells, functions, given));
  const views = [
    { index: indexOf(sources, known), sources, shareOf: shareOfBoth },
    ...functions.map((exercise) => {
      const parts = slices.map((slice, i) => toSource(sources[i]!.student, slice.get(exercise)!) ?? nothing());
      return { exercise, index: indexOf(parts, known), sources: parts, shareOf: shareOfSmaller };
    }),
  ];
  const found = candidates(views, threshold);
  return {
    pairs: found.slice(0, MOST_PAIRS).map((candidate) => toPair(candidate)),
    more: Math.max(0, found.length - MOST_PAIRS),
    unread: works.flatMap(({ student }, i) => (read[i] ? [] : [{ student, reason: whyUnread(sizes[i]!) }])),
  };
}

function whyUnread(size: number): string {
  if (size <= MOST_CHARACTERS) return 'nested too deep to be read';
  const [has, most] = [size, MOST_CHARACTERS].map((number) => number.toLocaleString('en'));
  return `has ${has} characters of own code, and at most ${most} are compared: look at it yourself`;
}

/** One way to look at the works: as a whole, or one exercise of each. */
interface View {
  readonly exercise?: string;
  readonly index: FingerprintIndex;
  /** In the order of the works. */
  readonly sources: readonly Source[];
  readonly shareOf: (left: FileEntry, right: FileEntry, own: readonly [number, number]) => number;
}

function indexOf(sources: readonly Source[], known: Source): FingerprintIndex {
  const most = sources.length < CLASS ? sources.length : Math.ceil(sources.length / 2);
  const index = new FingerprintIndex(K, WINDOW, false, most);
  index.addFiles(sources.map(({ file }) => file));
  // every fingerprint of it, and not only those that winnowing picks: at the edge of a change it picks others
  index.addIgnoredHashes(new WinnowFilter(K, 1).fingerprints(known.file.tokens).map(({ hash }) => hash));
  return index;
}

interface Candidate {
  readonly i: number;
  readonly j: number;
  readonly similarity: number;
  readonly view: View;
}

/** Of each pair the view in which it is most similar. */
function candidates(views: readonly View[], threshold: number): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const view of views) {
    const entries = view.index.entries();
    const own = entries.map(ownFingerprints);
    for (let i = 0; i < entries.length; i++)
      for (let j = i + 1; j < entries.length; j++) {
        const similarity = view.shareOf(entries[i]!, entries[j]!, [own[i]!, own[j]!]);
        const before = found.get(`${i} ${j}`)?.similarity ?? -1;
        if (similarity >= threshold && similarity > before) found.set(`${i} ${j}`, { i, j, similarity, view });
      }
  }
  return [...found.values()].sort((a, b) => b.similarity - a.similarity);
}

function shareOfBoth(left: FileEntry, right: FileEntry, [a, b]: readonly [number, number]): number {
  const [inLeft, inRight] = coveredBy(left, right);
  return (inLeft + inRight) / (a + b || 1);
}

function shareOfSmaller(left: FileEntry, right: FileEntry, [a, b]: readonly [number, number]): number {
  if (Math.min(a, b) < FEWEST) return 0;
  const [inLeft, inRight] = coveredBy(left, right);
  return a < b ? inLeft / a : inRight / b;
}

/** Cells that nobody has touched are most of a notebook. */
function withoutGiven({ student, cells }: Work, given: readonly SourceCell[]): Work {
  const known = new Set(given.map(({ source }) => source));
  return { student, cells: cells.filter(({ source }) => !known.has(source)) };
}

interface Source {
  readonly student: string;
  readonly file: TokenizedFile;
  readonly rows: readonly Row[];
}

/** All cells one after the other. */
function rowsOf(work: Work | readonly SourceCell[]): Row[] {
  const cells = 'cells' in work ? work.cells : work;
  return cells.flatMap(({ number, source }) =>
    source.split('\n').map((text, i) => ({ cell: number, line: i + 1, text })),
  );
}

function toSource(student: string, rows: readonly Row[]): Source | undefined {
  const text = rows.map((row) => row.text).join('\n');
  const { tokens, regions } = tokensOf(text) ?? {};
  if (tokens === undefined || regions === undefined) return undefined;
  return { student, file: new TokenizedFile(new File(student, text), tokens, regions), rows };
}

/** In the place of an exercise that somebody has not written: an entry of its own, as the order is the works'. */
function nothing(): Source {
  return { student: '', file: new TokenizedFile(new File('', ''), [], []), rows: [] };
}

/**
 * How many of each file's own fingerprints the other has, too. Not from a `Pair`: that takes what is given away on the
 * left for both sides, and does more than is needed for the many pairs that share nothing.
 */
function coveredBy(left: FileEntry, right: FileEntry): [inLeft: number, inRight: number] {
  const [small, large] = left.shared.size < right.shared.size ? [left, right] : [right, left];
  const both = [...small.shared].filter((print) => large.shared.has(print));
  const occurrences = (file: TokenizedFile) => both.reduce((sum, print) => sum + print.occurrencesOf(file).length, 0);
  return [occurrences(left.file), occurrences(right.file)];
}

function ownFingerprints({ file, kgrams, ignored }: FileEntry): number {
  return kgrams.length - [...ignored].reduce((sum, print) => sum + print.occurrencesOf(file).length, 0);
}

function toPair({ i, j, similarity, view: { index, sources, exercise } }: Candidate): SimilarPair {
  const [left, right] = [sources[i]!, sources[j]!];
  const pair = index.getPair(left.file, right.file);
  const fragments = pair.buildFragments().map((fragment) => toFragment(fragment, left, right));
  return {
    left: left.student,
    right: right.student,
    similarity,
    ...(exercise === undefined ? {} : { exercise }),
    fragments: fragments.sort((a, b) => b.tokens - a.tokens),
  };
}

function toFragment({ pairs, leftSelection, rightSelection }: Fragment, left: Source, right: Source): SharedFragment {
  const tokens =
    Math.max(...pairs.map((pair) => pair.left.stop)) - Math.min(...pairs.map((pair) => pair.left.start)) + 1;
  return { tokens, left: toStretch(leftSelection, left), right: toStretch(rightSelection, right) };
}

function toStretch({ startRow, endRow }: Region, { rows }: Source): Stretch {
  const [first, last] = [rows[startRow]!, rows[endRow]!];
  const text = rows.slice(startRow, endRow + 1).map((row) => row.text);
  return { cell: first.cell, line: first.line, toCell: last.cell, toLine: last.line, text: text.join('\n') };
}
