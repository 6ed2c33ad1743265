/** Tables for spreadsheets. */

/** RFC 4180, with a header. Numbers stay numbers. */
export function toCsv(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return [header, ...rows].map(csvLine).join('');
}

/** One line of such a table. */
export function csvLine(row: readonly (string | number)[]): string {
  return `${row.map(toField).join(',')}\r\n`;
}

function toField(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = defuse(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A spreadsheet runs a field that starts like a formula, in narrow or in full-width signs, and a student chooses names:
 * an apostrophe makes it text.
 */
function defuse(text: string): string {
  return /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
}
