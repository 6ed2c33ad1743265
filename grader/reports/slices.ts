/**
 * The parts of a notebook that are looked at when notebooks are compared: what each exercise's function needs, without
 * what was given and without statements that do nothing, by which a copy is watered down.
 */
import ts from 'typescript';
import { extract } from '../compile/extract';
import type { Piece, SourceCell } from '../compile/pieces';

/** A line of a notebook's code. */
export interface Row {
  readonly cell: number;
  readonly line: number;
  readonly text: string;
}

/** By function, the lines of its own that it needs; none for what cannot be read. */
export function slicesOf(
  cells: readonly SourceCell[],
  functions: readonly string[],
  given: readonly SourceCell[],
): ReadonlyMap<string, readonly Row[]> {
  const known = new Set(given.map(({ source }) => source));
  const isOwn = ({ kind, cell }: Piece) => kind !== 'import' && !known.has(cell.source);
  const found = [...extract(cells, functions).slices].map(([name, slice]) => {
    const pieces = slice.kind === 'found' ? [...slice.pieces].filter(isOwn) : [];
    return [name, pieces.sort(byPlace).flatMap(rowsOf)] as const;
  });
  return new Map(found);
}

function byPlace(a: Piece, b: Piece): number {
  return a.cell.number - b.cell.number || a.line - b.line;
}

function rowsOf({ cell, line, text }: Piece): Row[] {
  const lines = withoutIdle(text).split('\n');
  return lines.map((row, i) => ({ cell: cell.number, line: line + 1 + i, text: row }));
}

/** Blanks the statements that have no effect: variables that nothing reads, values that nobody takes. Lines stay. */
export function withoutIdle(text: string): string {
  for (let before = ''; before !== text;) {
    before = text;
    for (const { start, end } of idleIn(text))
      text = text.slice(0, start) + blank(text.slice(start, end)) + text.slice(end);
  }
  return text;
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}

function idleIn(text: string): { readonly start: number; readonly end: number }[] {
  const file = ts.createSourceFile('piece.ts', text, ts.ScriptTarget.ES2022, true);
  const [uses, candidates] = [new Map<string, number>(), [] as ts.Statement[]];
  const waiting: ts.Node[] = [file];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (ts.isIdentifier(node)) uses.set(node.text, (uses.get(node.text) ?? 0) + 1);
    if (ts.isBlock(node)) candidates.push(...node.statements);
    ts.forEachChild(node, (child) => void waiting.push(child));
  }
  const idle = candidates.filter((statement) => isIdle(statement, uses));
  return idle.map((statement) => ({ start: statement.getStart(file), end: statement.end }));
}

function isIdle(statement: ts.Statement, uses: ReadonlyMap<string, number>): boolean {
  if (ts.isExpressionStatement(statement)) return isPure(statement.expression);
  if (!ts.isVariableStatement(statement)) return false;
  const isUnread = ({ name }: ts.VariableDeclaration) => ts.isIdentifier(name) && uses.get(name.text) === 1;
  return statement.declarationList.declarations.every(isUnread);
}

function isPure(node: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node) || ts.isVoidExpression(node)) return isPure(node.expression);
  if (ts.isBinaryExpression(node))
    return node.operatorToken.kind > ts.SyntaxKind.LastAssignment ||
      node.operatorToken.kind < ts.SyntaxKind.FirstAssignment
      ? isPure(node.left) && isPure(node.right)
      : false;
  return ts.isIdentifier(node) || ts.isLiteralExpression(node);
}
