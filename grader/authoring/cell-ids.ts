/**
 * Ids of cells. They come from what a cell is, never from where it stands: an id stays when a cell is inserted
 * above, so that git shows what changed and outputs find their cell again.
 */
import { createHash } from 'node:crypto';
import ts from 'typescript';
import { SourceError, type PercentCell } from './percent';

/** What a cell is about, beyond its text. */
export interface Role {
  readonly kind: 'plain' | 'exercise' | 'check';
  readonly exercise?: string;
}

/**
 * One id per cell: the explicit one, else by role, heading or first declaration, else by content.
 * @throws SourceError when an explicit id occurs twice
 */
export function cellIds(cells: readonly PercentCell[], roles: readonly Role[], where: string): string[] {
  refuseTwice(cells, where);
  const taken = new Set(cells.flatMap(({ id }) => (id === undefined ? [] : [id])));
  return cells.map((cell, i) => cell.id ?? claim(candidates(cell, roles[i]!), taken));
}

function refuseTwice(cells: readonly PercentCell[], where: string): void {
  const seen = new Map<string, number>();
  for (const { id, line } of cells) {
    if (id === undefined) continue;
    if (seen.has(id)) throw new SourceError(where, line, `id '${id}' is taken by the cell on line ${seen.get(id)}`);
    seen.set(id, line);
  }
}

/** The first free candidate; cells with the very same text are told apart by a number. */
function claim(names: readonly string[], taken: Set<string>): string {
  const last = names.at(-1)!;
  const numbered = Array.from({ length: taken.size + 1 }, (_, i) => `${last}-${i + 2}`);
  const free = [...names, ...numbered].find((name) => !taken.has(name))!;
  taken.add(free);
  return free;
}

function candidates(cell: PercentCell, role: Role): string[] {
  const hash = createHash('sha256').update(cell.source).digest('hex').slice(0, 8);
  const name = nameOf(cell, role);
  return name === undefined ? [`${cell.kind}-${hash}`] : [name, `${name}-${hash}`];
}

function nameOf(cell: PercentCell, role: Role): string | undefined {
  if (role.kind !== 'plain') return slug(`${role.kind}-${role.exercise}`);
  return cell.kind === 'markdown' ? slug(heading(cell.source)) : slug(declaration(cell.source));
}

function heading(source: string): string {
  return /^#+\s+(.*)$/m.exec(source)?.[1] ?? '';
}

function declaration(source: string): string {
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.ES2022);
  for (const statement of file.statements) {
    const node = ts.isVariableStatement(statement) ? statement.declarationList.declarations[0]! : statement;
    const { name } = node as { name?: ts.Node };
    if (name && ts.isIdentifier(name)) return name.text;
  }
  return '';
}

/** Lower case, words joined by `-`; `undefined` when nothing is left. Leaves room for a hash within 64 letters. */
function slug(text: string): string | undefined {
  const plain = text.normalize('NFKD').replace(/\p{Mn}/gu, '');
  const words = plain
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .match(/[a-z0-9]+/g);
  return words?.join('-').slice(0, 48).replace(/-+$/, '');
}
