/**
 * Which submissions resemble each other more than chance explains. Winnowing (Schleimer, Wilkerson and Aiken, 2003)
 * over the tokens of TypeScript, by the core of Dolos: its full library parses with tree-sitter, which npm compiles
 * on the machine, and this comes as plain JavaScript.
 *
 * A number here is no verdict: it says where to look.
 */
import {
  File,
  FingerprintIndex,
  Region,
  TokenizedFile,
  WinnowFilter,
  type FileEntry,
  type Fragment,
  type Pair,
} from '@dodona/dolos-core';
import ts from 'typescript';
import type { SourceCell } from '../compile/pieces';

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
  /** Share of both students' own fingerprints that the other has, too: 0 to 1. */
  readonly similarity: number;
  /** The longest first. */
  readonly fragments: readonly SharedFragment[];
}

export interface Similarities {
  readonly pairs: readonly SimilarPair[];
  /** How many other pairs reach the threshold. */
  readonly more: number;
  /** Whose code is nested too deep to be read. */
  readonly unread: readonly string[];
}

/** Tokens of a fingerprint: a statement of our chapters has about as many. */
const K = 16;
/** Of so many neighbouring fingerprints one is kept: whoever shares K + WINDOW − 1 = 23 tokens is found. */
const WINDOW = 8;
/** What more than half of a class wrote is how one writes it; smaller groups are no class. */
const CLASS = 10;
/** Whoever has to look at more of them chooses a higher threshold. */
const MOST_PAIRS = 200;

/**
 * The pairs whose similarity is at least `threshold`, most similar first, and no more than 200 of them.
 * @param given the code that everybody was given: its fingerprints count for nobody
 */
export function similarPairs(works: readonly Work[], given: readonly SourceCell[], threshold: number): Similarities {
  const read = works.map((work) => toSource(withoutGiven(work, given)));
  const sources = read.filter((source) => source !== undefined);
  const most = sources.length < CLASS ? sources.length : Math.ceil(sources.length / 2);
  const index = new FingerprintIndex(K, WINDOW, false, most);
  index.addFiles(sources.map(({ file }) => file));
  // every fingerprint of it, and not only those that winnowing picks: at the edge of a change it picks others
  const known = new WinnowFilter(K, 1).fingerprints(toSource({ student: 'given', cells: given })!.file.tokens);
  index.addIgnoredHashes(known.map(({ hash }) => hash));
  const found = candidates(index.entries(), threshold);
  return {
    pairs: found.slice(0, MOST_PAIRS).map(({ i, j, similarity }) => {
      const [left, right] = [sources[i]!, sources[j]!];
      return toPair(index.getPair(left.file, right.file), left, right, similarity);
    }),
    more: Math.max(0, found.length - MOST_PAIRS),
    unread: works.filter((_, i) => read[i] === undefined).map(({ student }) => student),
  };
}

interface Candidate {
  readonly i: number;
  readonly j: number;
  readonly similarity: number;
}

function candidates(entries: readonly FileEntry[], threshold: number): Candidate[] {
  const own = entries.map(ownFingerprints);
  const found: Candidate[] = [];
  for (let i = 0; i < entries.length; i++)
    for (let j = i + 1; j < entries.length; j++) {
      const similarity = coveredBy(entries[i]!, entries[j]!) / (own[i]! + own[j]! || 1);
      if (similarity >= threshold) found.push({ i, j, similarity });
    }
  return found.sort((a, b) => b.similarity - a.similarity);
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

/** A line of a notebook's code, all cells one after the other. */
interface Row {
  readonly cell: number;
  readonly line: number;
  readonly text: string;
}

function toSource({ student, cells }: Work): Source | undefined {
  const rows = cells.flatMap(({ number, source }) =>
    source.split('\n').map((text, i) => ({ cell: number, line: i + 1, text })),
  );
  const text = rows.map((row) => row.text).join('\n');
  const { tokens, regions } = tokensOf(text) ?? {};
  if (tokens === undefined || regions === undefined) return undefined;
  return { student, file: new TokenizedFile(new File(student, text), tokens, regions), rows };
}

/**
 * Tokens without spaces and comments, in which a name says only that it is one, and a text only that it is a text: both
 * are what a copy changes first. Properties keep their names, since those of a library cannot be changed.
 */
function tokensOf(text: string): { tokens: string[]; regions: Region[] } | undefined {
  const file = parse(text);
  if (file === undefined) return undefined;
  const tokens: string[] = [];
  const regions: Region[] = [];
  const waiting: ts.Node[] = [file];
  while (waiting.length > 0) {
    const node = waiting.pop()!;
    const children = node.kind === ts.SyntaxKind.JSDoc ? [] : node.getChildren(file);
    for (const child of [...children].reverse()) waiting.push(child);
    if (children.length > 0 || !isToken(node)) continue;
    tokens.push(wordOf(node));
    regions.push(regionOf(node, file));
  }
  return { tokens, regions };
}

/** Brackets without end exhaust the parser's stack. */
function parse(text: string): ts.SourceFile | undefined {
  try {
    return ts.createSourceFile('work.ts', text, ts.ScriptTarget.ES2022, true);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function isToken(node: ts.Node): boolean {
  return node.kind >= ts.SyntaxKind.FirstLiteralToken && node.kind <= ts.SyntaxKind.LastToken;
}

function wordOf(node: ts.Node): string {
  if (ts.isIdentifier(node)) return isProperty(node) ? node.text : 'name';
  if (ts.isStringLiteralLike(node)) return 'text';
  return node.getText();
}

function isProperty(node: ts.Identifier): boolean {
  return ts.isPropertyAccessExpression(node.parent) && node.parent.name === node;
}

function regionOf(node: ts.Node, file: ts.SourceFile): Region {
  const [start, end] = [node.getStart(file), node.end].map((at) => file.getLineAndCharacterOfPosition(at));
  return new Region(start!.line, start!.character, end!.line, end!.character);
}

/**
 * How many of both files' own fingerprints the other has, too. Not from a `Pair`: that takes what is given away on the
 * left for both sides, and does more than is needed for the many pairs that share nothing.
 */
function coveredBy(left: FileEntry, right: FileEntry): number {
  const [small, large] = left.shared.size < right.shared.size ? [left, right] : [right, left];
  let covered = 0;
  for (const print of small.shared)
    if (large.shared.has(print))
      covered += print.occurrencesOf(left.file).length + print.occurrencesOf(right.file).length;
  return covered;
}

function ownFingerprints({ file, kgrams, ignored }: FileEntry): number {
  return kgrams.length - [...ignored].reduce((sum, print) => sum + print.occurrencesOf(file).length, 0);
}

function toPair(pair: Pair, left: Source, right: Source, similarity: number): SimilarPair {
  const fragments = pair.buildFragments().map((fragment) => toFragment(fragment, left, right));
  return {
    left: left.student,
    right: right.student,
    similarity,
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
