/** Paths as text, whatever their bytes: a name out of a zip of another system need not be UTF-8. */
import { isUtf8 } from 'node:buffer';

const SCHEME = 'file://';

/** The path itself where it is UTF-8, else a `file:` address in which its bytes are written out; `pathOf` reads both. */
export function addressOf(path: Buffer): string {
  if (isUtf8(path)) return path.toString('utf8');
  return SCHEME + path.toString('latin1').replace(/[^\w/.-]/g, escaped);
}

/** What functions of `fs` take for it. */
export function pathOf(address: string): string | Buffer {
  if (!address.startsWith(SCHEME)) return address;
  const bytes = address.slice(SCHEME.length).replace(/%([0-9A-F]{2})/g, (_, hex: string) => fromHex(hex));
  return Buffer.from(bytes, 'latin1');
}

/** A file's name to show and to file it under: bytes that are no UTF-8 stand there as `%FC`. */
export function nameOf(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1').replace(/[^\x20-\x7e]/g, escaped);
}

function escaped(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function fromHex(hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}
