/**
 * Small PNGs of drawings. A chart has a handful of colours and their blends at edges: a palette of 256 tells them
 * apart as well as the eye does, and takes a third of the bytes.
 */
import { crc32, deflateSync } from 'node:zlib';

export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, alpha of each pixel, row by row; alpha is not looked at. */
  readonly data: Uint8Array;
}

const PALETTE = 256;

/** An opaque palette PNG; colours are merged, as little as possible, until there are at most 256. */
export function palettePng(pixels: Pixels): Buffer {
  for (let bits = 8; ; bits--) {
    const colours = merged(pixels.data, bits);
    if (colours.size <= PALETTE || bits === 2) return encode(pixels, colours, bits); // 2 bits: 64 colours
  }
}

interface Colour {
  readonly index: number;
  count: number;
  red: number;
  green: number;
  blue: number;
}

const keyOf = (data: Uint8Array, at: number, bits: number): number => {
  const drop = 8 - bits;
  return ((data[at]! >> drop) << 16) | ((data[at + 1]! >> drop) << 8) | (data[at + 2]! >> drop);
};

/** Colours that agree in their first `bits` bits are one; the sums give its mean. */
function merged(data: Uint8Array, bits: number): Map<number, Colour> {
  const colours = new Map<number, Colour>();
  for (let at = 0; at < data.length; at += 4) {
    const key = keyOf(data, at, bits);
    let colour = colours.get(key);
    if (!colour) {
      if (colours.size > PALETTE) return colours; // too many already
      colours.set(key, (colour = { index: colours.size, count: 0, red: 0, green: 0, blue: 0 }));
    }
    colour.count++;
    colour.red += data[at]!;
    colour.green += data[at + 1]!;
    colour.blue += data[at + 2]!;
  }
  return colours;
}

function encode({ width, height, data }: Pixels, colours: Map<number, Colour>, bits: number): Buffer {
  const rows = Buffer.alloc(height * (width + 1)); // each row begins with its filter, 0: none
  for (let row = 0; row < height; row++)
    for (let x = 0; x < width; x++)
      rows[row * (width + 1) + 1 + x] = colours.get(keyOf(data, 4 * (row * width + x), bits))!.index;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8); // 8 bits a pixel, which are an index of the palette
  const palette = Buffer.from(
    [...colours.values()].flatMap(({ count, red, green, blue }) =>
      [red, green, blue].map((sum) => Math.round(sum / count)),
    ),
  );
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [
    chunk('IHDR', header),
    chunk('PLTE', palette),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ];
  return Buffer.concat([signature, ...parts]);
}

function chunk(type: string, body: Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const out = Buffer.alloc(content.length + 8);
  out.writeUInt32BE(body.length, 0);
  content.copy(out, 4);
  out.writeUInt32BE(crc32(content), content.length + 4);
  return out;
}
