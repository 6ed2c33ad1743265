/** Tables in a cell: arrays of records or data frames, as HTML for the notebook and as aligned text elsewhere. */
import { display, type MimeBundle } from '../host/host';
import type { Card } from '../core/model';
import { escapeHtml } from './figure-html';

export type Row = Readonly<Record<string, unknown>>;

/** A nodejs-polars DataFrame, as far as a table needs it; so that showing records does not load polars. */
export interface Frame {
  readonly columns: readonly string[];
  readonly height: number;
  toRecords(): Row[];
}

/** A data frame that can also give a part of itself, and its types. */
export interface TypedFrame extends Frame {
  readonly dtypes: readonly unknown[];
  head(rows: number): Frame;
  tail(rows: number): Frame;
}

export interface TableOptions {
  /** Above the table. */
  readonly caption?: string;
  /** After the decimal point; columns of integers show none. Default: 3. */
  readonly digits?: number;
}

const MOST_ROWS = 200; // a table is read, not searched: a longer one shows its first rows and says so

interface Column {
  readonly name: string;
  /** Of its values, where somebody knows it. */
  readonly type?: string;
  readonly numeric: boolean;
  readonly cells: readonly string[];
}

/**
 * Shows rows under the running cell, numbers aligned right.
 * @throws when there is no column, or a row is not a record
 */
export function table(rows: readonly Row[] | Frame, options: TableOptions = {}): void {
  const { caption, digits = 3 } = options;
  if (!Number.isInteger(digits) || digits < 0 || digits > 20)
    throw new Error(`table: digits must be an integer from 0 to 20, got ${digits}`);
  const { names, records } = content(rows);
  const shown = records.slice(0, MOST_ROWS);
  const columns = names.map((name) =>
    column(
      name,
      shown.map((row) => row[name]),
      digits,
    ),
  );
  show(columns, caption, records.length - shown.length);
}

const FRAME_DIGITS = 4;
const [HEAD, TAIL] = [10, 5]; // rows of a long data frame that are shown
const SIDE = 8; // columns of a wide one, at the left and at the right

/** Whether a value is a data frame of polars, as far as `frameBundle` needs it. */
export function isTypedFrame(value: unknown): value is TypedFrame {
  if (typeof value !== 'object' || value === null || !isFrame(value)) return false;
  const { dtypes, head, tail } = value as Partial<TypedFrame>;
  return Array.isArray(dtypes) && typeof head === 'function' && typeof tail === 'function';
}

/** A data frame as the value of a cell: its size, its columns with their types, its first and its last rows. */
export function frameBundle(frame: TypedFrame): MimeBundle {
  const { columns: names, dtypes, height } = frame;
  const size = `${counted(height, 'row')} × ${counted(names.length, 'column')}`;
  if (names.length === 0) return { 'text/plain': size };
  const long = height > HEAD + TAIL + 1; // to say that one row is missing takes as much room as the row
  const rows = long ? [...frame.head(HEAD).toRecords(), ...frame.tail(TAIL).toRecords()] : frame.toRecords();
  const all = names.map((name, i): Column => {
    const values = rows.map((row) => row[name]);
    const { numeric, cells } = column(name, values, FRAME_DIGITS, 'null');
    return { name, type: typeName(dtypes[i]), numeric, cells: long ? withGap(cells, HEAD, '…') : cells };
  });
  const wide = all.length > 2 * SIDE + 1;
  const gap: Column = { name: '…', type: '', numeric: false, cells: all[0]!.cells.map(() => '…') };
  const columns = wide ? withGap([...all.slice(0, SIDE), ...all.slice(-SIDE)], SIDE, gap) : all;
  return { 'text/html': html(columns, size, undefined), 'text/plain': plain(columns, size, undefined) };
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

const withGap = <T>(items: readonly T[], at: number, gap: T): T[] => [...items.slice(0, at), gap, ...items.slice(at)];

/** "List(Float64)", where polars says "DataType(List(DataType(Float64)))" */
function typeName(type: unknown): string {
  const parts = String(type).split('DataType(');
  return parts.join('').slice(0, parts.length > 1 ? 1 - parts.length : undefined).replace(',)', ')'); // prettier-ignore
}

const YES = (value: boolean): string => (value ? 'yes' : 'no');

/** Shows a family's card: the lecture's overview of what it costs, and its row of the comparison table. */
export function card(family: Card): void {
  const { row } = family;
  const entries: readonly (readonly [string, string])[] = [
    ['Forward pass', family.forward],
    ['Inference', family.inference],
    ['Sampling', family.sampling],
    ['Objective', family.objective],
    ['Network', family.network],
    ['Representation', family.representation],
    ['Training', row.training],
    ['Likelihood', row.likelihood],
    ['Speed of sampling', row.sampling],
    ['Lossy compression', YES(row.lossyCompression)],
    ['Lossless compression', YES(row.losslessCompression)],
    ['Representation learnt', YES(row.representation)],
  ];
  const question = { name: '', numeric: false, cells: entries.map(([name]) => name) };
  const answer = { name: '', numeric: false, cells: entries.map(([, text]) => text) };
  show([question, answer], family.title, 0);
}

function content(rows: readonly Row[] | Frame): { names: readonly string[]; records: readonly Row[] } {
  if (isFrame(rows)) return { names: rows.columns, records: rows.toRecords() };
  if (!Array.isArray(rows)) throw new Error(`table: expected an array of records or a data frame, got ${typeof rows}`);
  rows.forEach((row: unknown, n) => {
    if (typeof row !== 'object' || row === null || Array.isArray(row))
      throw new Error(
        `table: row ${n} is ${Array.isArray(row) ? 'an array' : String(row)}; a row is a record, such as { name: 'a', nats: 1.5 }`,
      );
  });
  const names = [...new Set(rows.flatMap((row: Row) => Object.keys(row)))];
  if (names.length === 0) throw new Error('table: there is nothing to show: no rows');
  return { names, records: rows };
}

function isFrame(rows: object): rows is Frame {
  return typeof (rows as Partial<Frame>).toRecords === 'function' && Array.isArray((rows as Partial<Frame>).columns);
}

function column(name: string, values: readonly unknown[], digits: number, missing = '–'): Column {
  const given = values.filter((value) => value !== null && value !== undefined);
  const numeric = given.length > 0 && given.every((value) => typeof value === 'number' || typeof value === 'bigint');
  const whole = given.every((value) => typeof value !== 'number' || Number.isInteger(value));
  return { name, numeric, cells: values.map((value) => cell(value, whole ? 0 : digits) ?? missing) };
}

function cell(value: unknown, digits: number): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'number') return numberText(value, digits);
  if (typeof value === 'boolean') return YES(value);
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | bigint);
}

function numberText(value: number, digits: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
  const vanishes = value !== 0 && Math.abs(value) < 0.5 * 10 ** -digits;
  const text = vanishes || Math.abs(value) >= 1e15 ? value.toExponential(2) : value.toFixed(digits);
  return text.replace(/-/g, '−');
}

function show(columns: readonly Column[], caption: string | undefined, left: number): void {
  const more = left > 0 ? `… and ${left} more rows` : undefined;
  display({ 'text/html': html(columns, caption, more), 'text/plain': plain(columns, caption, more) });
}

// Only alignment is set: colours, lines and fonts are the notebook's, so that they suit its light or dark page
function html(columns: readonly Column[], caption: string | undefined, more: string | undefined): string {
  const style = ({ numeric }: Column) =>
    numeric ? 'text-align:right;font-variant-numeric:tabular-nums' : 'text-align:left';
  const line = (tag: string, text: (column: Column) => string) =>
    `<tr>${columns.map((c) => `<${tag} style="${style(c)}">${text(c)}</${tag.split(' ')[0]}>`).join('')}</tr>`;
  const rows = Array.from({ length: columns[0]!.cells.length }, (_, n) => line('td', (c) => escapeHtml(c.cells[n]!)));
  const title = ({ name, type }: Column) => escapeHtml(name) + (type ? `<br><small>${escapeHtml(type)}</small>` : '');
  const top = caption
    ? `<caption style="text-align:left;caption-side:top;white-space:nowrap">${escapeHtml(caption)}</caption>`
    : '';
  const head = columns.some(({ name }) => name !== '') ? `<thead>${line('th scope="col"', title)}</thead>` : '';
  const rest = more ? `<p>${more}</p>` : '';
  return `<table class="dgm-table">${top}${head}<tbody>${rows.join('')}</tbody></table>${rest}`;
}

function plain(columns: readonly Column[], caption: string | undefined, more: string | undefined): string {
  const widths = columns.map(({ name, type = '', cells }) =>
    Math.max(name.length, type.length, ...cells.map((text) => text.length)),
  );
  const line = (text: (column: Column) => string) =>
    columns
      .map((c, i) => (c.numeric ? text(c).padStart(widths[i]!) : text(c).padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  const types = columns.some(({ type }) => type) ? [line(({ type = '' }) => type)] : [];
  const head = columns.some(({ name }) => name !== '')
    ? [line((c) => c.name), ...types, widths.map((w) => '─'.repeat(w)).join('  ')]
    : [];
  const rows = Array.from({ length: columns[0]!.cells.length }, (_, n) => line((c) => c.cells[n]!));
  return [...(caption ? [caption] : []), ...head, ...rows, ...(more ? [more] : [])].join('\n');
}
