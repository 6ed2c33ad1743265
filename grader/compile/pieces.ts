/**
 * Cells → pieces: the top-level statements of a notebook, each with the names it declares, uses and assigns.
 *
 * Names are resolved by the TypeScript checker, without any library, so that a local variable is never taken for
 * the notebook's one of the same name.
 */
import ts from 'typescript';

/** A code cell of a submission. */
export interface SourceCell {
  /** The how-manyth code cell it is, from 1: what a run from top to bottom shows as In[n]. */
  readonly number: number;
  readonly id: string;
  readonly source: string;
}

/** A place in a cell; line and column from 1. */
export interface Place {
  readonly cell: number;
  readonly id: string;
  readonly line: number;
  readonly column: number;
}

export interface Piece {
  readonly kind: 'import' | 'declaration' | 'assignment';
  /** Whether it may stand only at the top of a module: imports, and what is declared to exist elsewhere. */
  readonly hoisted: boolean;
  readonly cell: SourceCell;
  /** Zero-based position of the text in the cell. */
  readonly line: number;
  readonly column: number;
  readonly text: string;
  /** Names declared in the space of values (variables, functions, classes) and of types. */
  readonly values: readonly string[];
  readonly types: readonly string[];
  /** Where the text declares each name, as offsets in it: for renaming a name that another cell redeclares. */
  readonly bindings: readonly Binding[];
  /** Names that are neither local to the piece nor properties. */
  readonly uses: ReadonlySet<string>;
  /** Names whose value it changes: `x = 1`, `table[0] = 1`, `list.push(1)`. */
  readonly assigns: ReadonlySet<string>;
}

interface Binding {
  readonly name: string;
  readonly at: number;
  /** What stands before a new name: `x: ` in the pattern `{ x }`, `x as ` in an import list, else nothing. */
  readonly prefix: string;
}

/** A cell that TypeScript cannot read, and what it would have declared. */
export interface BrokenCell {
  readonly cell: SourceCell;
  readonly declares: readonly string[];
  readonly errors: readonly { readonly place: Place; readonly message: string }[];
}

interface Remark {
  readonly place: Place;
  readonly message: string;
}

export interface Pieces {
  readonly pieces: readonly Piece[];
  readonly broken: readonly BrokenCell[];
  readonly remarks: readonly Remark[];
}

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  noLib: true,
  noResolve: true,
  types: [],
};

/** Methods that change the array, map or set they are called on. */
const MUTATORS = new Set([
  'push',
  'pop',
  'shift',
  'unshift',
  'splice',
  'sort',
  'reverse',
  'fill',
  'set',
  'add',
  'delete',
  'clear',
]);

/** Never throws: a cell that is nested too deep for the compiler is a broken cell. */
export function findPieces(cells: readonly SourceCell[]): Pieces {
  try {
    return readPieces(cells);
  } catch {
    const unreadable = cells.filter((cell) => !isReadable(cell));
    const rest = readPieces(cells.filter((cell) => !unreadable.includes(cell)));
    return { ...rest, broken: [...rest.broken, ...unreadable.map(tooDeep)] };
  }
}

function isReadable(cell: SourceCell): boolean {
  try {
    readPieces([cell]);
    return true;
  } catch {
    return false;
  }
}

function tooDeep(cell: SourceCell): BrokenCell {
  const declared = [...cell.source.matchAll(/^\s*(?:async\s+)?(?:function|const|let|var|class)\s+(\w+)/gm)];
  const place = { cell: cell.number, id: cell.id, line: 1, column: 1 };
  return {
    cell,
    declares: declared.map(([, name]) => name!),
    errors: [{ place, message: 'nested too deep to compile' }],
  };
}

function readPieces(cells: readonly SourceCell[]): Pieces {
  const files = new Map(cells.map((cell) => [`/${cell.number}.ts`, parse(cell)]));
  const program = ts.createProgram([...files.keys()], OPTIONS, hostOf(files));
  const checker = program.getTypeChecker();
  const pieces: Piece[] = [];
  const broken: BrokenCell[] = [];
  const remarks: Remark[] = [];
  for (const cell of cells) {
    const file = files.get(`/${cell.number}.ts`)!;
    const errors = program.getSyntacticDiagnostics(file);
    if (errors.length > 0) broken.push(brokenCell(cell, file, errors));
    else pieces.push(...piecesOf(cell, file, checker));
    remarks.push(...remarksOn(cell, file));
  }
  return { pieces, broken, remarks };
}

function parse(cell: SourceCell): ts.SourceFile {
  return ts.createSourceFile(`/${cell.number}.ts`, cell.source, ts.ScriptTarget.ES2022, true);
}

function hostOf(files: ReadonlyMap<string, ts.SourceFile>): ts.CompilerHost {
  return {
    getSourceFile: (name) => files.get(name),
    fileExists: (name) => files.has(name),
    readFile: () => undefined,
    writeFile: () => undefined,
    getDefaultLibFileName: () => '/lib.d.ts',
    getCurrentDirectory: () => '/',
    getCanonicalFileName: (name) => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
  };
}

/** The place of an offset in a cell's file. */
function placeOf(cell: SourceCell, file: ts.SourceFile, offset: number): Place {
  const { line, character } = file.getLineAndCharacterOfPosition(offset);
  return { cell: cell.number, id: cell.id, line: line + 1, column: character + 1 };
}

function brokenCell(cell: SourceCell, file: ts.SourceFile, errors: readonly ts.DiagnosticWithLocation[]): BrokenCell {
  const declares = file.statements.flatMap((statement) => {
    const { values, types } = declaredBy(statement);
    return [...values, ...types].map(({ text }) => text);
  });
  const messages = errors.slice(0, 3).map((error) => ({
    place: placeOf(cell, file, error.start),
    message: `TS${error.code}: ${ts.flattenDiagnosticMessageText(error.messageText, ' ')}`,
  }));
  return { cell, declares, errors: messages };
}

function remarksOn(cell: SourceCell, file: ts.SourceFile): Remark[] {
  return file.statements.flatMap((statement) => {
    const place = placeOf(cell, file, statement.getStart());
    if (isExport(statement)) return [{ place, message: "'export' does not work in a notebook cell; it was ignored" }];
    if (ts.isModuleDeclaration(statement)) return [{ place, message: 'a namespace in a cell is not graded' }];
    return [];
  });
}

function isExport(statement: ts.Statement): boolean {
  return exportKeywords(statement).length > 0 || ts.isExportDeclaration(statement) || ts.isExportAssignment(statement);
}

function isAmbient(statement: ts.Statement): boolean {
  const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
  return modifiers.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword);
}

function exportKeywords(statement: ts.Statement): ts.Modifier[] {
  const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
  return modifiers.filter(({ kind }) => kind === ts.SyntaxKind.ExportKeyword || kind === ts.SyntaxKind.DefaultKeyword);
}

function piecesOf(cell: SourceCell, file: ts.SourceFile, checker: ts.TypeChecker): Piece[] {
  const topLevel = new Set<ts.Node>(file.statements.flatMap((s) => declarationNodes(s)));
  const reader = { cell, file, checker, topLevel };
  const pieces: Piece[] = [];
  let overloads: Piece | undefined;
  for (const statement of file.statements) {
    const kind = kindOf(statement);
    if (kind === undefined) continue;
    const piece = toPiece(kind, statement, reader);
    // signatures must stand right before what they are of: they are one piece
    const whole = overloads && overloads.values[0] === piece.values[0] ? joined(overloads, piece) : piece;
    if (whole === piece) pieces.push(piece);
    else pieces.splice(-1, 1, whole);
    overloads = isSignature(statement) ? whole : undefined;
  }
  return pieces;
}

/** The head of a function whose body comes further down. */
function isSignature(statement: ts.Statement): boolean {
  return ts.isFunctionDeclaration(statement) && statement.body === undefined && !isAmbient(statement);
}

/** Two pieces of the same name as one; what lies between them in the cell is white space. */
function joined(first: Piece, second: Piece): Piece {
  const lines = second.line - first.line - first.text.split('\n').length + 1;
  const gap = lines > 0 ? '\n'.repeat(lines) + ' '.repeat(second.column) : ' ';
  const at = first.text.length + gap.length;
  return {
    ...first,
    text: first.text + gap + second.text,
    bindings: [...first.bindings, ...second.bindings.map((binding) => ({ ...binding, at: binding.at + at }))],
    uses: new Set([...first.uses, ...second.uses]),
  };
}

function kindOf(statement: ts.Statement): Piece['kind'] | undefined {
  if (ts.isImportDeclaration(statement) || ts.isImportEqualsDeclaration(statement)) return 'import';
  const { values, types } = declaredBy(statement);
  if (values.length + types.length > 0) return 'declaration';
  return ts.isExpressionStatement(statement) || isControl(statement) ? 'assignment' : undefined;
}

function isControl(statement: ts.Statement): boolean {
  return (
    ts.isIterationStatement(statement, false) ||
    ts.isIfStatement(statement) ||
    ts.isBlock(statement) ||
    ts.isTryStatement(statement)
  );
}

/** What a statement is read with: its cell, and what declares the names of the notebook. */
interface Reader {
  readonly cell: SourceCell;
  readonly file: ts.SourceFile;
  readonly checker: ts.TypeChecker;
  readonly topLevel: ReadonlySet<ts.Node>;
}

function toPiece(kind: Piece['kind'], statement: ts.Statement, { cell, file, checker, topLevel }: Reader): Piece {
  const hoisted = kind === 'import' || isAmbient(statement);
  // at the top of a module a comment could be a directive (/// <reference path="…" />): leave it out
  const start = hoisted ? statement.getStart() : startWithComments(statement, cell.source);
  const { line, character } = file.getLineAndCharacterOfPosition(start);
  const { values, types } = declaredBy(statement);
  const bindings = values.map((name) => ({
    name: name.text,
    at: name.getStart() - start,
    prefix: renamingPrefix(name),
  }));
  return {
    kind,
    hoisted,
    cell,
    line,
    column: character,
    text: withoutExport(statement, cell.source, start),
    values: values.map(({ text }) => text),
    types: types.map(({ text }) => text),
    bindings,
    uses: freeNames(statement, checker, topLevel),
    assigns: kind === 'assignment' ? assignedNames(statement) : new Set(),
  };
}

function renamingPrefix({ text, parent }: ts.Identifier): string {
  if (ts.isImportSpecifier(parent) && !parent.propertyName) return `${text} as `;
  const short = ts.isBindingElement(parent) && ts.isObjectBindingPattern(parent.parent) && !parent.propertyName;
  return short && !parent.dotDotDotToken ? `${text}: ` : '';
}

/** Comments before a statement may matter to the compiler: `// @ts-expect-error`. */
function startWithComments(statement: ts.Statement, source: string): number {
  const trivia = source.slice(statement.getFullStart(), statement.getStart());
  return statement.getFullStart() + (/^\s*/.exec(trivia)?.[0].length ?? 0);
}

/** The statement's text, with `export` and `default` blanked so that columns stay. */
function withoutExport(statement: ts.Statement, source: string, start: number): string {
  let text = source.slice(start, statement.end);
  for (const keyword of exportKeywords(statement)) {
    const at = keyword.getStart() - start;
    text =
      text.slice(0, at) +
      ' '.repeat(keyword.end - keyword.getStart()) +
      text.slice(keyword.end - keyword.getStart() + at);
  }
  return text;
}

/** The identifiers that a top-level statement declares, as values and as types; a class is both. */
function declaredBy(statement: ts.Statement): { values: ts.Identifier[]; types: ts.Identifier[] } {
  if (ts.isVariableStatement(statement))
    return { values: statement.declarationList.declarations.flatMap(({ name }) => boundNames(name)), types: [] };
  if (ts.isImportDeclaration(statement)) return { values: importedNames(statement), types: [] };
  if (ts.isImportEqualsDeclaration(statement)) return { values: [statement.name], types: [] };
  const name = nameOf(statement);
  if (name === undefined) return { values: [], types: [] };
  if (ts.isFunctionDeclaration(statement)) return { values: [name], types: [] };
  if (ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement)) return { values: [name], types: [name] };
  return { values: [], types: [name] };
}

function nameOf(statement: ts.Statement): ts.Identifier | undefined {
  const named =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement);
  return named ? statement.name : undefined;
}

function boundNames(name: ts.BindingName): ts.Identifier[] {
  if (ts.isIdentifier(name)) return [name];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? boundNames(element.name) : []));
}

function importedNames({ importClause }: ts.ImportDeclaration): ts.Identifier[] {
  if (!importClause) return [];
  const { name, namedBindings } = importClause;
  const named = namedBindings && ts.isNamedImports(namedBindings) ? namedBindings.elements.map((e) => e.name) : [];
  const all = namedBindings && ts.isNamespaceImport(namedBindings) ? [namedBindings.name] : [];
  return [...(name ? [name] : []), ...named, ...all];
}

/** The nodes that the checker reports as declarations of top-level names. */
function declarationNodes(statement: ts.Statement): ts.Node[] {
  const { values, types } = declaredBy(statement);
  return [...values, ...types].map((name) => name.parent);
}

function freeNames(statement: ts.Statement, checker: ts.TypeChecker, topLevel: ReadonlySet<ts.Node>): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !isPropertyName(node) && !isLocal(node, checker, topLevel)) names.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return names;
}

function isLocal(node: ts.Identifier, checker: ts.TypeChecker, topLevel: ReadonlySet<ts.Node>): boolean {
  const symbol =
    ts.isShorthandPropertyAssignment(node.parent) && node.parent.name === node
      ? checker.getShorthandAssignmentValueSymbol(node.parent)
      : checker.getSymbolAtLocation(node);
  const declarations = symbol?.declarations ?? [];
  return (
    declarations.length > 0 && !declarations.some((d) => topLevel.has(d) || d.getSourceFile() !== node.getSourceFile())
  );
}

/** Identifiers that name a member of something and never a variable. */
function isPropertyName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  if (ts.isBindingElement(parent)) return parent.propertyName === node;
  if (
    ts.isPropertyAssignment(parent) ||
    ts.isClassElement(parent) ||
    ts.isTypeElement(parent) ||
    ts.isEnumMember(parent)
  )
    return parent.name === node;
  return ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent) || ts.isNamedTupleMember(parent) || isLabel(node);
}

function isLabel({ parent }: ts.Identifier): boolean {
  return ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent) || ts.isMetaProperty(parent);
}

/** Names whose value the statement changes while it runs; what a function in it would change does not count. */
function assignedNames(statement: ts.Statement): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    for (const name of targetsOf(node)) names.add(name);
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return names;
}

function targetsOf(node: ts.Node): string[] {
  if (ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind)) return rootNames(node.left);
  if ((ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) && isStep(node.operator))
    return rootNames(node.operand);
  if (ts.isDeleteExpression(node)) return rootNames(node.expression);
  if (
    ts.isCallExpression(node) &&
    ts.isPropertyAccessExpression(node.expression) &&
    MUTATORS.has(node.expression.name.text)
  )
    return rootNames(node.expression.expression);
  return [];
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

function isStep(operator: ts.SyntaxKind): boolean {
  return operator === ts.SyntaxKind.PlusPlusToken || operator === ts.SyntaxKind.MinusMinusToken;
}

/** `a` of `a.b[0]`; a and b of `[a, b]` and `{ a, x: b }`. */
function rootNames(target: ts.Expression): string[] {
  if (ts.isIdentifier(target)) return [target.text];
  if (ts.isPropertyAccessExpression(target) || ts.isElementAccessExpression(target))
    return rootNames(target.expression);
  if (ts.isParenthesizedExpression(target) || ts.isNonNullExpression(target)) return rootNames(target.expression);
  if (ts.isArrayLiteralExpression(target)) return target.elements.flatMap((element) => rootNames(element));
  if (ts.isSpreadElement(target)) return rootNames(target.expression);
  if (!ts.isObjectLiteralExpression(target)) return [];
  return target.properties.flatMap((property) => {
    if (ts.isPropertyAssignment(property)) return rootNames(property.initializer);
    return ts.isShorthandPropertyAssignment(property) ? [property.name.text] : [];
  });
}
