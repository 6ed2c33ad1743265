/** What of the packages a part of a notebook names: `dgm.logBernoulli`, `tf.softmax`, `.softmax` of whatever it is. */
import ts from 'typescript';
import type { Piece } from './pieces';

/** Sorted. Of an import only what the other pieces use. */
export function readsOf(pieces: ReadonlySet<Piece>): string[] {
  const used = new Set([...pieces].flatMap(({ kind, uses }) => (kind === 'import' ? [] : [...uses])));
  const found = new Set<string>();
  for (const piece of pieces) {
    const file = ts.createSourceFile('piece.ts', piece.text, ts.ScriptTarget.ES2022, true);
    for (const read of piece.kind === 'import' ? imported(file, used) : accessed(file)) found.add(read);
  }
  return [...found].sort();
}

const SHORT: Readonly<Record<string, string>> = { '@tensorflow/tfjs': 'tf' };

function imported({ statements }: ts.SourceFile, used: ReadonlySet<string>): string[] {
  return statements.filter(ts.isImportDeclaration).flatMap(({ importClause, moduleSpecifier }) => {
    const bindings = importClause?.namedBindings;
    if (!bindings || !ts.isNamedImports(bindings) || !ts.isStringLiteral(moduleSpecifier)) return [];
    const from = SHORT[moduleSpecifier.text] ?? moduleSpecifier.text;
    const mine = bindings.elements.filter(({ name }) => used.has(name.text));
    return mine.map(({ name, propertyName }) => `${from}.${(propertyName ?? name).text}`);
  });
}

/** `.name` for each property that is read by its name, also in a pattern: `const { softmax } = tf`. */
function accessed(file: ts.SourceFile): string[] {
  const found: string[] = [];
  const waiting: ts.Node[] = [file];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (ts.isPropertyAccessExpression(node)) found.push(node.name.text);
    else if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression))
      found.push(node.argumentExpression.text);
    else if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent))
      found.push((node.propertyName ?? node.name).getText(file));
    ts.forEachChild(node, (child) => void waiting.push(child));
  }
  return found.map((name) => `.${name}`);
}
