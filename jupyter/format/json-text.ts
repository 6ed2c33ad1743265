/** Text and numbers in the form that Jupyter, a Python program, saves them in: so that saving again changes nothing. */

// The characters that end a line for Python's `splitlines`.
const LINE = /[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]|$)/g;

/** Lines with their line breaks; an empty text has none. */
export function lines(text: string): string[] {
  return (text.match(LINE) ?? []).filter((line) => line !== '');
}

/** JSON with sorted keys and one space of indentation; properties that are undefined are left out. */
export function jsonText(value: unknown, margin = '\n'): string {
  if (typeof value === 'number') return numberText(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${margin} `;
  if (Array.isArray(value)) return enclosed('[]', margin, value.map((item) => `${inner}${jsonText(item ?? null, inner)}`)); // prettier-ignore
  const entries = Object.entries(value).filter(([, content]) => content !== undefined);
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1));
  const texts = sorted.map(([key, content]) => `${inner}${JSON.stringify(key)}: ${jsonText(content, inner)}`);
  return enclosed('{}', margin, texts);
}

function enclosed(brackets: string, margin: string, items: readonly string[]): string {
  return items.length === 0 ? brackets : `${brackets[0]}${items.join(',')}${margin}${brackets[1]}`;
}

const SMALLEST_PLAIN = 1e-4;

/** Python writes numbers below 0.0001 with an exponent, of two digits at least. */
function numberText(value: number): string {
  if (value === 0 || Math.abs(value) >= SMALLEST_PLAIN || !Number.isFinite(value)) return JSON.stringify(value);
  return value.toExponential().replace(/e-(\d)$/, 'e-0$1');
}
