/**
 * Messages of a kernel on the WebSocket of a page, in the two forms of Jupyter Server: the subprotocol
 * `v1.kernel.websocket.jupyter.org` (all binary), and without a subprotocol JSON, which turns binary when a message
 * has buffers. Source: jupyter-server.readthedocs.io, "WebSocket kernel wire protocols".
 */
import type { Channel, Header, Message, Outgoing } from 'dgm-jupyter';

export const V1 = 'v1.kernel.websocket.jupyter.org';

/** As the page writes it; an absent parent is an empty object. */
export interface ChannelMessage {
  readonly channel: Channel;
  readonly header: Header;
  readonly parent_header: Partial<Header>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly content: Readonly<Record<string, unknown>>;
  readonly buffers: readonly Uint8Array[];
}

export interface Framing {
  pack(message: ChannelMessage): string | Buffer;
  /** @throws when this is no message for a kernel: expected and got */
  unpack(data: Buffer, isBinary: boolean): ChannelMessage & { readonly channel: Outgoing };
}

/** The form that both sides agreed on. */
export function framingOf(subprotocol: string): Framing {
  return subprotocol === V1 ? v1 : json;
}

export function fromKernel(channel: Channel, message: Message): ChannelMessage {
  const { header, parent, metadata = {}, content, buffers = [] } = message;
  return { channel, header, parent_header: parent ?? {}, metadata, content, buffers };
}

export function toKernel({ header, parent_header, metadata, content, buffers }: ChannelMessage): Message {
  const parent = isHeader(parent_header) ? parent_header : null;
  return { identities: [], header, parent, metadata, content, buffers };
}

// v1: how many offsets, the offsets (64 bits, little-endian), then channel, header, parent, metadata, content, buffers

const v1: Framing = {
  pack({ channel, header, parent_header, metadata, content, buffers }) {
    const objects = [header, parent_header, metadata, content].map((part) => Buffer.from(JSON.stringify(part)));
    const parts = [Buffer.from(channel), ...objects, ...buffers];
    const head = Buffer.alloc(8 * (parts.length + 2));
    head.writeBigUInt64LE(BigInt(parts.length + 1), 0);
    offsets(head.length, parts).forEach((offset, i) => head.writeBigUInt64LE(BigInt(offset), 8 * (i + 1)));
    return Buffer.concat([head, ...parts]);
  },
  unpack(data, isBinary) {
    if (!isBinary) throw new Error(`expected a binary message of ${V1}, got text`);
    const bounds = readOffsets(data, 8, (at) => Number(data.readBigUInt64LE(at)));
    const [channel, header, parent_header, metadata, content, ...buffers] = partsBetween(data, bounds);
    if (!content)
      throw new Error(`expected channel, header, parent, metadata and content, got ${bounds.length - 1} parts`);
    const objects = { header, parent_header, metadata, content };
    const parsed = Object.fromEntries(Object.entries(objects).map(([name, part]) => [name, parse(part!)]));
    return checked({ channel: channel!.toString(), ...parsed }, buffers);
  },
};

// JSON; with buffers: how many parts, their offsets (32 bits, big-endian), then the JSON and the buffers

const json: Framing = {
  pack({ buffers, ...message }) {
    const { msg_id, msg_type } = message.header; // Jupyter Server repeats them here
    const text = JSON.stringify({ msg_id, msg_type, ...message, buffers: [] });
    if (buffers.length === 0) return text;
    const parts = [Buffer.from(text), ...buffers];
    const head = Buffer.alloc(4 * (parts.length + 1));
    head.writeUInt32BE(parts.length, 0);
    const starts = offsets(head.length, parts).slice(0, -1);
    starts.forEach((offset, i) => head.writeUInt32BE(offset, 4 * (i + 1)));
    return Buffer.concat([head, ...parts]);
  },
  unpack(data, isBinary) {
    if (!isBinary) return checked(parse(data), []);
    const starts = readOffsets(data, 4, (at) => data.readUInt32BE(at));
    const [text, ...buffers] = partsBetween(data, [...starts, data.length]);
    return checked(parse(text!), buffers);
  },
};

// Parts of a binary message

/** Where each part begins, and where the last one ends. */
function offsets(start: number, parts: readonly Uint8Array[]): number[] {
  const found = [start];
  for (const { length } of parts) found.push(found.at(-1)! + length);
  return found;
}

function readOffsets(data: Buffer, width: number, read: (at: number) => number): number[] {
  const count = data.length < width ? 0 : read(0);
  if (count < 1 || width * (count + 1) > data.length)
    throw new Error(`expected a binary message that begins with its offsets, got ${data.length} bytes with ${count}`);
  return Array.from({ length: count }, (_, i) => read(width * (i + 1)));
}

function partsBetween(data: Buffer, bounds: readonly number[]): Buffer[] {
  return bounds.slice(1).map((end, i) => {
    const start = bounds[i]!;
    if (start > end || end > data.length)
      throw new Error(`expected parts within ${data.length} bytes, got one from ${start} to ${end}`);
    return data.subarray(start, end);
  });
}

// What a message must be

function parse(part: Buffer): unknown {
  const text = part.toString();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`expected JSON, got ${JSON.stringify(text.slice(0, 40))} (${(error as Error).message})`);
  }
}

/** What the kernel relies on; the rest it checks itself. */
function checked(value: unknown, buffers: readonly Uint8Array[]): ReturnType<Framing['unpack']> {
  if (!isObject(value)) throw new Error('expected a message (a JSON object)');
  const { channel = 'shell', header, parent_header, metadata, content } = value;
  if (channel !== 'shell' && channel !== 'control' && channel !== 'stdin')
    throw new Error(`channel: expected "shell", "control" or "stdin", got ${JSON.stringify(channel)}`);
  if (!isHeader(header)) throw new Error('header: expected the texts msg_id, msg_type and session');
  return {
    channel,
    header,
    parent_header: isHeader(parent_header) ? parent_header : {},
    metadata: isObject(metadata) ? metadata : {},
    content: isObject(content) ? content : {},
    buffers,
  };
}

function isHeader(value: unknown): value is Header {
  return isObject(value) && ['msg_id', 'msg_type', 'session'].every((name) => typeof value[name] === 'string');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
