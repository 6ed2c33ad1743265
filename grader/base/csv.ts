/** Tables for spreadsheets, and from them. */

/** A text that is ours, in which a sign at its head is meant. */
export interface Trusted {
  readonly trusted: string;
}

type Field = string | number | Trusted;

/** RFC 4180, with a header. Numbers stay numbers. */
export function toCsv(header: readonly string[], rows: readonly (readonly Field[])[]): string {
  return [header, ...rows].map(csvLine).join('');
}

/** One line of such a table. */
export function csvLine(row: readonly Field[]): string {
  return `${row.map(toField).join(',')}\r\n`;
}

function toField(value: Field): string {
  if (typeof value === 'number') return String(value);
  const text = typeof value === 'string' ? defuse(value) : value.trusted;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A spreadsheet runs a field that starts like a formula, in narrow or in full-width signs, and a student chooses names:
 * an apostrophe makes it text.
 */
function defuse(text: string): string {
  return /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
}

/**
 * The lines of a table with their fields, without empty lines. The sign between fields is the comma, or the semicolon
 * where the first line has no comma: so some spreadsheets write where the comma is the decimal sign.
 * @throws an Error for a quote without its end
 */
export function parseCsv(text: string): string[][] {
  const whole = text.replace(/^\uFEFF/, '');
  const [first = ''] = whole.split(/\r?\n/, 1);
  const between = first.includes(',') || !first.includes(';') ? ',' : ';';
  const field = new RegExp(`("(?:[^"]|"")*"|[^"${between}\\r\\n]*)(${between}|\\r?\\n|$)`, 'y');
  const lines: string[][] = [[]];
  for (let at = 0; at < whole.length; at = field.lastIndex) {
    field.lastIndex = at;
    const [, value, end] = field.exec(whole) ?? [];
    if (value === undefined)
      throw new Error(`line ${lines.length}: a quote that does not end, or stands within a field`);
    lines.at(-1)!.push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value.trim());
    if (end !== between) lines.push([]);
  }
  return lines.filter((line) => line.some((value) => value !== ''));
}
