/** The tokens by which notebooks are compared, and where each of them is. */
import { Region } from '@dodona/dolos-core';
import ts from 'typescript';

export interface Tokens {
  readonly tokens: string[];
  readonly regions: Region[];
}

/** Characters of a text that may be code: a statement; what is shorter is a name, a title, a message. */
const SHORTEST_CODE = 30;
/** Texts of code within texts of code. */
const DEEPEST = 3;

/**
 * Tokens without spaces and comments, in which a name says only that it is one, and a text only that it is a text: both
 * are what a copy changes first. Properties keep their names, since those of a library cannot be changed. A text that is
 * code, as `eval` and `Function` take it, counts as that code, at the text's place.
 * @returns nothing for what is nested too deep to be read
 */
export function tokensOf(text: string, depth = 0): Tokens | undefined {
  const file = parse(text);
  if (file === undefined) return undefined;
  const found: { readonly word: string; readonly region: Region }[] = [];
  const waiting: ts.Node[] = [file];
  while (waiting.length > 0) {
    const node = waiting.pop()!;
    const code = depth < DEEPEST ? codeIn(node, depth) : undefined;
    if (code !== undefined) {
      const region = regionOf(node, file);
      for (const word of code) found.push({ word, region });
      continue;
    }
    const children = node.kind === ts.SyntaxKind.JSDoc ? [] : (asMethod(node, file) ?? node.getChildren(file));
    for (const child of [...children].reverse()) waiting.push(child);
    if (children.length === 0 && isToken(node)) found.push({ word: wordOf(node, file), region: regionOf(node, file) });
  }
  // tokens may have changed places within a call; places must go forwards
  const regions = found.map(({ region }) => region);
  regions.sort((a, b) => a.startRow - b.startRow || a.startCol - b.startCol);
  return { tokens: found.map(({ word }) => word), regions };
}

/** The tokens of a text that is code without a mistake of syntax. */
function codeIn(node: ts.Node, depth: number): readonly string[] | undefined {
  // a part of a sum was tried with the whole: trying it again would take the square of the time
  const text =
    ts.isExpression(node) && (ts.isStringLiteralLike(node) || !isOfSum(node.parent)) ? textOf(node) : undefined;
  if (text === undefined || text.length < SHORTEST_CODE) return undefined;
  // inside of a function, where `return` and `await` may stand
  const wrapped = parse(`async () => {\n${text}\n}`);
  return wrapped?.parseDiagnostics.length === 0 ? tokensOf(text, depth + 1)?.tokens : undefined;
}

function isOfSum(node: ts.Node): boolean {
  if (ts.isParenthesizedExpression(node)) return true;
  return ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken;
}

/** What a literal says, or a sum of literals, whatever it is put together from. */
function textOf(node: ts.Expression): string | undefined {
  const parts: string[] = [];
  const waiting: ts.Expression[] = [node];
  while (waiting.length > 0) {
    const part = waiting.pop()!;
    if (ts.isStringLiteralLike(part)) parts.push(part.text);
    else if (ts.isParenthesizedExpression(part)) waiting.push(part.expression);
    else if (ts.isBinaryExpression(part) && isOfSum(part)) waiting.push(part.right, part.left);
    else return undefined;
  }
  return parts.join('');
}

/** The tokens of `tf.sub(x, y)` as those of `x.sub(y)`: whoever copies exchanges the one for the other. */
function asMethod(node: ts.Node, file: ts.SourceFile): readonly ts.Node[] | undefined {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined;
  const { expression, name } = node.expression;
  if (!ts.isIdentifier(expression) || expression.text !== 'tf' || node.typeArguments) return undefined;
  const [access, open, list, close] = node.getChildren(file) as [ts.Node, ts.Node, ts.Node, ts.Node];
  const [first, , ...rest] = list.getChildren(file);
  return first && [first, access.getChildren(file)[1]!, name, open, ...rest, close];
}

/** What the parser found wrong: not in its declarations. */
type Parsed = ts.SourceFile & { readonly parseDiagnostics: readonly ts.Diagnostic[] };

/** Brackets without end exhaust the parser's stack. */
function parse(text: string): Parsed | undefined {
  try {
    return ts.createSourceFile('work.ts', text, ts.ScriptTarget.ES2022, true) as Parsed;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function isToken(node: ts.Node): boolean {
  return node.kind >= ts.SyntaxKind.FirstLiteralToken && node.kind <= ts.SyntaxKind.LastToken;
}

function wordOf(node: ts.Node, file: ts.SourceFile): string {
  if (ts.isIdentifier(node)) return isProperty(node) ? node.text : 'name';
  if (ts.isStringLiteralLike(node)) return 'text';
  return node.getText(file); // without the file it climbs up to it, from each token of a long sum
}

function isProperty(node: ts.Identifier): boolean {
  return ts.isPropertyAccessExpression(node.parent) && node.parent.name === node;
}

function regionOf(node: ts.Node, file: ts.SourceFile): Region {
  const [start, end] = [node.getStart(file), node.end].map((at) => file.getLineAndCharacterOfPosition(at));
  return new Region(start!.line, start!.character, end!.line, end!.character);
}
