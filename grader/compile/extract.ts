/**
 * Notebook → module. A submission is not run from top to bottom: only what the exercises' functions need is taken,
 * so that grading neither trains nor draws, and a fault elsewhere in the notebook costs nothing.
 *
 * Taken are the functions, and the imports, declarations and assignments they reach through the names they use.
 * A name that several cells declare counts as the last of them declares it, as in the kernel.
 */
import { didYouMean } from 'dgm/host';
import { findPieces, type BrokenCell, type Piece, type Place, type SourceCell } from './pieces';

/** A line of the module: where it comes from; columns are the same unless the line was edited. */
export type LineMap = readonly (LineOrigin | null)[];

interface LineOrigin {
  readonly piece: Piece;
  /** Line in the cell, from 1. */
  readonly line: number;
}

export interface Module {
  readonly code: string;
  readonly map: LineMap;
}

/** Something to tell the student about a place in the notebook. */
export interface Problem {
  readonly message: string;
  readonly place?: Place;
}

/** The part of a notebook that one function needs. */
type Slice =
  | { readonly kind: 'found'; readonly pieces: ReadonlySet<Piece> }
  | { readonly kind: 'missing'; readonly problem: Problem }
  | { readonly kind: 'broken'; readonly problems: readonly Problem[] };

export interface Extraction {
  readonly slices: ReadonlyMap<string, Slice>;
  /** Nothing that costs points: names declared twice, an `export`. */
  readonly notes: readonly Problem[];
  /** One module that exports these functions and what they need, from slices that were found. */
  emit(functions: readonly string[]): Module;
}

/** @param functions the names of the exercises' functions */
export function extract(cells: readonly SourceCell[], functions: readonly string[]): Extraction {
  const { pieces, broken, remarks } = findPieces(cells);
  const scope = new Scope(pieces, broken);
  const slices = new Map(functions.map((name) => [name, scope.slice(name)]));
  const taken = union(slices.values());
  return {
    slices,
    notes: [...remarks, ...scope.redeclared(taken, functions)],
    emit: (names) => emit(scope.inOrder(union(names.map((name) => slices.get(name)!))), names, scope),
  };
}

function union(slices: Iterable<Slice>): Set<Piece> {
  return new Set([...slices].flatMap((slice) => (slice.kind === 'found' ? [...slice.pieces] : [])));
}

/** Which piece a name means, over the whole notebook. */
class Scope {
  private readonly values = new Map<string, Piece[]>();
  private readonly types = new Map<string, Piece[]>();
  private readonly brokenBy = new Map<string, BrokenCell>();

  constructor(
    private readonly pieces: readonly Piece[],
    broken: readonly BrokenCell[],
  ) {
    for (const piece of pieces) {
      for (const name of piece.values) declare(this.values, name, piece);
      for (const name of piece.types) declare(this.types, name, piece);
    }
    for (const cell of broken) for (const name of cell.declares) this.noteBroken(name, cell);
  }

  /** A broken cell hides what an earlier cell declared, as it would have replaced it. */
  private noteBroken(name: string, cell: BrokenCell): void {
    const last = this.declarations(name).at(-1);
    if (last === undefined || last.cell.number < cell.cell.number) this.brokenBy.set(name, cell);
  }

  slice(name: string): Slice {
    if (!this.values.has(name) && !this.brokenBy.has(name)) return { kind: 'missing', problem: this.missing(name) };
    const pieces = new Set<Piece>();
    const broken = new Set<BrokenCell>();
    this.take([name], pieces, broken);
    if (broken.size === 0) return { kind: 'found', pieces };
    return { kind: 'broken', problems: [...broken].flatMap(({ errors }) => errors) };
  }

  /** Adds what the names need, then what is assigned to those, until nothing is new. */
  private take(names: readonly string[], pieces: Set<Piece>, broken: Set<BrokenCell>): void {
    const waiting = [...names];
    const seen = new Set<string>();
    const add = (piece: Piece) => {
      if (pieces.has(piece)) return;
      pieces.add(piece);
      waiting.push(...piece.uses);
    };
    while (waiting.length > 0) {
      const name = waiting.pop()!;
      if (seen.has(name)) continue;
      seen.add(name);
      const cell = this.brokenBy.get(name);
      if (cell) broken.add(cell);
      this.declarations(name).forEach(add);
      this.assignments(name).forEach(add);
    }
  }

  /** The pieces that declare a name: all in the last cell that does (overloads, merged interfaces). */
  declarations(name: string): Piece[] {
    const inLastCell = (all: readonly Piece[] = []) => all.filter(({ cell }) => cell === all.at(-1)!.cell);
    return [...new Set([...inLastCell(this.values.get(name)), ...inLastCell(this.types.get(name))])];
  }

  /** The statements that assign to a variable once it has its final declaration. */
  private assignments(name: string): Piece[] {
    const declared = this.declarations(name).at(-1);
    if (declared === undefined || declared.kind === 'import') return [];
    return this.pieces.filter((piece) => piece.assigns.has(name) && !isBefore(piece, declared));
  }

  private missing(name: string): Problem {
    const known = [...this.values].filter(([, pieces]) => pieces.at(-1)!.kind !== 'import').map(([known]) => known);
    return { message: `no cell declares the function ${name}${didYouMean(name, known)}` };
  }

  redeclared(taken: ReadonlySet<Piece>, functions: readonly string[]): Problem[] {
    const names = new Set([...functions, ...[...taken].flatMap(({ values }) => values)]);
    return [...names].flatMap((name) => {
      const pieces = this.values.get(name) ?? [];
      const cells = [...new Set(pieces.map(({ cell }) => cell.number))];
      // importing a name in several cells is how notebooks are written
      if (cells.length < 2 || pieces.every(({ kind }) => kind === 'import')) return [];
      return [{ message: `${name} is declared in cells ${cells.join(', ')}; the last of them counts` }];
    });
  }

  /** In the notebook's order, except that a piece comes after what it needs. */
  inOrder(pieces: ReadonlySet<Piece>): Piece[] {
    const placed = new Set<Piece>();
    const visited = new Set<Piece>();
    const place = (piece: Piece): void => {
      if (visited.has(piece) || !pieces.has(piece)) return;
      visited.add(piece);
      for (const name of piece.uses) this.declarations(name).forEach(place);
      placed.add(piece);
    };
    this.pieces.forEach(place);
    return [...placed];
  }

  /** Whether another cell has the last word on a name that this piece declares. */
  isOutdated(name: string, piece: Piece): boolean {
    return !this.declarations(name).includes(piece);
  }
}

function declare(names: Map<string, Piece[]>, name: string, piece: Piece): void {
  const pieces = names.get(name);
  if (pieces) pieces.push(piece);
  else names.set(name, [piece]);
}

function isBefore(a: Piece, b: Piece): boolean {
  return a.cell === b.cell ? a.line < b.line : a.cell.number < b.cell.number;
}

/** The statement keeps comments that follow it from being directives (`/// <reference …>`, `// @ts-nocheck`). */
const FIRST_LINE = "'use strict';";

function emit(pieces: readonly Piece[], functions: readonly string[], scope: Scope): Module {
  const lines: string[] = [];
  const map: (LineOrigin | null)[] = [];
  const write = (text: string, origin: LineOrigin | null = null) => {
    lines.push(text);
    map.push(origin);
  };
  const writePiece = (piece: Piece) => {
    (' '.repeat(piece.column) + textOf(piece, scope))
      .split('\n')
      .forEach((text, i) => write(text, { piece, line: piece.line + 1 + i }));
    // a statement without its own would go on in the next: `let a = 0`, then `[a] = [1]`
    write(';');
  };
  write(FIRST_LINE);
  pieces.filter(({ hoisted }) => hoisted).forEach(writePiece);
  write('export async function notebook() {');
  pieces.filter(({ hoisted }) => !hoisted).forEach(writePiece);
  write(`return { ${functions.join(', ')} };`);
  write('}');
  return { code: `${lines.join('\n')}\n`, map };
}

/** The piece's text, in which names that a later cell declares anew make room for it. */
function textOf(piece: Piece, scope: Scope): string {
  const outdated = piece.bindings.filter(({ name }) => scope.isOutdated(name, piece));
  return outdated.reduceRight(
    (text, { name, at, prefix }) => `${text.slice(0, at)}${prefix}earlier_${name}${text.slice(at + name.length)}`,
    piece.text,
  );
}

/** The place in the notebook of a position in a module (both from 1), if it comes from there. */
export function originOf(map: LineMap, line: number, column: number): Place | undefined {
  const origin = map[line - 1];
  if (!origin) return undefined;
  return { cell: origin.piece.cell.number, id: origin.piece.cell.id, line: origin.line, column };
}

/** "cell 5, line 2" */
export function placeText({ cell, line }: Place): string {
  return `cell ${cell}, line ${line}`;
}
