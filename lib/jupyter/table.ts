/** Tables in a cell: arrays of records or data frames, as HTML for the notebook and as aligned text elsewhere. */
import { display } from '../host';
import type { Card } from '../model';
import { escapeHtml } from './figure-html';

export type Row = Readonly<Record<string, unknown>>;

/** A nodejs-polars DataFrame, as far as a table needs it; so that showing records does not load polars. */
export interface Frame {
  readonly columns: readonly string[];
  readonly height: number;
  toRecords(): Row[];
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

function column(name: string, values: readonly unknown[], digits: number): Column {
  const given = values.filter((value) => value !== null && value !== undefined);
  const numeric = given.length > 0 && given.every((value) => typeof value === 'number' || typeof value === 'bigint');
  const whole = given.every((value) => typeof value !== 'number' || Number.isInteger(value));
  return { name, numeric, cells: values.map((value) => cell(value, whole ? 0 : digits)) };
}

function cell(value: unknown, digits: number): string {
  if (value === null || value === undefined) return '–';
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
    `<tr>${columns.map((c) => `<${tag} style="${style(c)}">${escapeHtml(text(c))}</${tag.split(' ')[0]}>`).join('')}</tr>`;
  const rows = Array.from({ length: columns[0]!.cells.length }, (_, n) => line('td', (c) => c.cells[n]!));
  const top = caption
    ? `<caption style="text-align:left;caption-side:top;white-space:nowrap">${escapeHtml(caption)}</caption>`
    : '';
  const head = columns.some(({ name }) => name !== '') ? `<thead>${line('th scope="col"', (c) => c.name)}</thead>` : '';
  const rest = more ? `<p>${more}</p>` : '';
  return `<table class="dgm-table">${top}${head}<tbody>${rows.join('')}</tbody></table>${rest}`;
}

function plain(columns: readonly Column[], caption: string | undefined, more: string | undefined): string {
  const widths = columns.map(({ name, cells }) => Math.max(name.length, ...cells.map((text) => text.length)));
  const line = (text: (column: Column) => string) =>
    columns
      .map((c, i) => (c.numeric ? text(c).padStart(widths[i]!) : text(c).padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  const head = columns.some(({ name }) => name !== '')
    ? [line((c) => c.name), widths.map((w) => '─'.repeat(w)).join('  ')]
    : [];
  const rows = Array.from({ length: columns[0]!.cells.length }, (_, n) => line((c) => c.cells[n]!));
  return [...(caption ? [caption] : []), ...head, ...rows, ...(more ? [more] : [])].join('\n');
}
