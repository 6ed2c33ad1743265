/** How the value of a cell's last expression is shown. */
import { inspect } from 'node:util';
import type { MimeBundle } from 'dgm/host';
import { frameBundle, isTypedFrame } from 'dgm/figures';

const DISPLAY = Symbol.for('Jupyter.display');

/**
 * A value's formats and what is said of them, as JSON; null for what has nothing to show. A value may bring its own formats, by the method
 * that other JavaScript kernels ask for as well. A data frame does, with all of its rows: we show some, and how many.
 */
export function present(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return shown(formatsOf(value));
}

/** Formats and what is said of them, as JSON. */
export function shown(bundle: MimeBundle): string {
  return JSON.stringify(presentation(bundle));
}

function formatsOf(value: object): MimeBundle {
  if (isTypedFrame(value)) return frameBundle(value);
  const own = (value as { [DISPLAY]?: unknown })[DISPLAY];
  return typeof own === 'function' ? (own.call(value) as MimeBundle) : { 'text/plain': plain(value) };
}

function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  return isTensor(value) ? value.toString() : inspect(value, { depth: 3 });
}

/** A tensor's numbers say more than the bookkeeping around them. */
function isTensor(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'dataId' in value && 'rankType' in value;
}

/** A bundle with its metadata: a picture's text is what it shows to whoever cannot see it. */
export function presentation(bundle: MimeBundle): { readonly data: MimeBundle; readonly metadata: MimeBundle } {
  const data = bundleOf(bundle);
  const alt = data['text/plain'];
  const pictures = Object.keys(data).filter((type) => type.startsWith('image/') && typeof alt === 'string');
  return { data, metadata: Object.fromEntries(pictures.map((type) => [type, { alt }])) };
}

/** A bundle as it is sent: bytes become base64, as for pictures. */
function bundleOf(data: MimeBundle): MimeBundle {
  const entries = Object.entries(data).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([type, value]) => [type, value instanceof Uint8Array ? base64(value) : value]),
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
