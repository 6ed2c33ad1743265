/** The variables of all cells as a table: what each is, how large, and what TensorFlow.js holds altogether. */
import { inspect } from 'node:util';
import type * as TypeScript from 'typescript';
import { escapeHtml } from 'dgm/figures';
import type { MimeBundle } from 'dgm/host';
import type { Ts } from './compiler';
import { tensorsAlive } from './tensorflow';

interface Row {
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

const LONGEST = 60; // characters of a type or a value

/** @param declarations of all cells, as the compiler keeps them */
export function variablesTable(ts: Ts, declarations: string, values: Readonly<Record<string, unknown>>): MimeBundle {
  const rows = declared(ts, declarations).map(({ name, type }) => ({ name, type, value: summary(values[name]) }));
  const tensors = tensorsAlive();
  const below = tensors === null ? [] : [`${tensors.count} tensors alive, ${bytesText(tensors.bytes)}`];
  const lines = rows.length === 0 ? ['no variables yet'] : aligned([HEAD, ...rows]);
  return { 'text/plain': [...lines, ...below].join('\n'), 'text/html': html(rows, below) };
}

const HEAD: Row = { name: 'name', type: 'type', value: 'value' };

/** Variables, functions, classes and enums; what was imported is no variable. */
function declared(ts: Ts, declarations: string): Omit<Row, 'value'>[] {
  const file = ts.createSourceFile('declarations.d.ts', declarations, ts.ScriptTarget.Latest, true);
  return file.statements.flatMap((statement) => {
    if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(variable);
    if (ts.isFunctionDeclaration(statement)) return named(statement, signature(statement.getText()));
    if (ts.isClassDeclaration(statement)) return named(statement, 'class');
    if (ts.isEnumDeclaration(statement)) return named(statement, 'enum');
    return [];
  });
}

function variable({ name, type, initializer }: TypeScript.VariableDeclaration): Omit<Row, 'value'> {
  return { name: name.getText(), type: cut((type ?? initializer)?.getText() ?? '') };
}

function named({ name }: { readonly name?: TypeScript.Identifier | undefined }, type: string): Omit<Row, 'value'>[] {
  return name === undefined ? [] : [{ name: name.text, type: cut(type) }];
}

/** `declare function f(x: number): number;` → `(x: number): number` */
function signature(text: string): string {
  return text.slice(text.indexOf('(')).replace(/;$/, '');
}

function summary(value: unknown): string {
  try {
    return cut(described(value));
  } catch {
    return 'cannot be shown'; // a getter that throws, say
  }
}

interface TensorLike {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly size: number;
  readonly isDisposed: boolean;
}

function described(value: unknown): string {
  if (typeof value === 'function') return '';
  if (typeof value !== 'object' || value === null) return inspect(value);
  if ('dataId' in value && 'shape' in value) return tensorText(value as unknown as TensorLike);
  if (ArrayBuffer.isView(value)) return `${sizeOf(value)}${bytesText(value.byteLength)}`;
  if (Array.isArray(value)) return `${value.length} items`;
  if (value instanceof Map || value instanceof Set) return `${value.size} entries`;
  return inspect(value, { depth: 0, breakLength: Infinity });
}

function tensorText({ shape, dtype, size, isDisposed }: TensorLike): string {
  const bytes = dtype === 'bool' ? size : 4 * size;
  return `${dtype} [${shape.join(', ')}], ${isDisposed ? 'disposed' : bytesText(bytes)}`;
}

function sizeOf(view: ArrayBufferView): string {
  return 'length' in view ? `${String(view.length)} numbers, ` : '';
}

function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function cut(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}

function aligned(rows: readonly Row[]): string[] {
  const width = (key: 'name' | 'type') => Math.max(...rows.map((row) => row[key].length)) + 2;
  const [first, second] = [width('name'), width('type')];
  return rows.map(({ name, type, value }) => `${name.padEnd(first)}${type.padEnd(second)}${value}`.trimEnd());
}

function html(rows: readonly Row[], below: readonly string[]): string {
  const line = (tag: string, { name, type, value }: Row) =>
    `<tr>${[name, type, value].map((text) => `<${tag} style="text-align:left">${escapeHtml(text)}</${tag}>`).join('')}</tr>`;
  const table = `<table><thead>${line('th', HEAD)}</thead><tbody>${rows.map((row) => line('td', row)).join('')}</tbody></table>`;
  return `${rows.length === 0 ? '<p>no variables yet</p>' : table}${below.map((text) => `<p>${escapeHtml(text)}</p>`).join('')}`;
}
