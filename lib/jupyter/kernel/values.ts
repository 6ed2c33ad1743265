/** How the value of a cell's last expression is shown. */
import { inspect } from 'node:util';
import type { MimeBundle } from '../../host';

const DISPLAY = Symbol.for('Jupyter.display');

/** Formats of a value; null for what has nothing to show. A value may bring its own, as in other JavaScript kernels. */
export function present(value: unknown): MimeBundle | null {
  if (value === undefined || value === null) return null;
  const own = (value as { [DISPLAY]?: unknown })[DISPLAY];
  if (typeof own === 'function') return own.call(value) as MimeBundle;
  return { 'text/plain': plain(value) };
}

function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  return isTensor(value) ? value.toString() : inspect(value, { depth: 3 });
}

/** A tensor's numbers say more than the bookkeeping around them. */
function isTensor(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'dataId' in value && 'rankType' in value;
}

/** A bundle as JSON; bytes become base64, as pictures are sent. */
export function bundleJson(data: MimeBundle): Record<string, unknown> {
  const entries = Object.entries(data).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([type, value]) => [type, value instanceof Uint8Array ? base64(value) : value]),
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
