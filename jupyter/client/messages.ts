/** Messages of the Jupyter protocol 5.3, as frames on a ZeroMQ socket: signed on the way out, verified on the way in. */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';

export interface Header {
  readonly msg_id: string;
  readonly msg_type: string;
  readonly session: string;
  readonly username: string;
  readonly date: string;
  readonly version: string;
}

export interface Message {
  /** Where a router sends the answer; empty on other sockets. */
  readonly identities: readonly Uint8Array[];
  readonly header: Header;
  readonly parent: Header | null;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly content: Readonly<Record<string, unknown>>;
  readonly buffers?: readonly Uint8Array[];
}

/** The connection file that Jupyter writes for a kernel. */
export interface Connection {
  readonly ip: string;
  readonly transport: string;
  readonly key: string;
  readonly signature_scheme: string;
  readonly shell_port: number;
  readonly iopub_port: number;
  readonly stdin_port: number;
  readonly control_port: number;
  readonly hb_port: number;
}

/** Where a socket of the kernel listens. */
export function addressOf({ transport, ip }: Connection, port: number): string {
  return transport === 'ipc' ? `ipc://${ip}-${port}` : `${transport}://${ip}:${port}`;
}

const DELIMITER = Buffer.from('<IDS|MSG>');

/** A header for a new message of this type. */
export function createHeader(type: string, session: string): Header {
  return {
    msg_id: randomUUID(),
    msg_type: type,
    session,
    username: 'dgm',
    date: new Date().toISOString(),
    version: '5.3',
  };
}

/** The frames of a message; `content` may be JSON already, so that a large one is written once only. */
export function encode(
  key: string,
  message: Omit<Message, 'content'> & { readonly content: object | string },
): (Uint8Array | string)[] {
  const { identities, header, parent, metadata = {}, content, buffers = [] } = message;
  const parts = [
    JSON.stringify(header),
    JSON.stringify(parent ?? {}),
    JSON.stringify(metadata),
    typeof content === 'string' ? content : JSON.stringify(content),
  ];
  return [...identities, DELIMITER, signature(key, parts), ...parts, ...buffers];
}

/** @throws when the frames are no message or were not signed with our key */
export function decode(key: string, frames: readonly Buffer[]): Message {
  const start = frames.findIndex((frame) => frame.equals(DELIMITER));
  const [signed, ...parts] = frames.slice(start + 1);
  if (start < 0 || !signed || parts.length < 4) throw new Error('not a Jupyter message');
  if (key !== '' && !sameText(signed.toString(), signature(key, parts.slice(0, 4))))
    throw new Error('a message with a wrong signature; it was not written by our partner');
  const [header, parent, metadata, content] = parts.slice(0, 4).map((part) => JSON.parse(part.toString()));
  const message = { identities: frames.slice(0, start), header, parent: parent.msg_id ? parent : null };
  return { ...message, metadata, content, buffers: parts.slice(4) };
}

/** An empty key means no signature: the protocol allows it, and Jupyter never does it by itself. */
function signature(key: string, parts: readonly (string | Buffer)[]): string {
  if (key === '') return '';
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
}

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

/** Sends in order; ZeroMQ's own `send` refuses a message while another one still waits. */
export function createSender(
  socket: { send(frames: (Uint8Array | string)[]): Promise<void> },
  onError: (error: unknown) => void,
): { send(frames: (Uint8Array | string)[]): void; sent(): Promise<void> } {
  let tail = Promise.resolve();
  return {
    send(frames) {
      tail = tail.then(() => socket.send(frames)).catch(onError);
    },
    sent: () => tail,
  };
}
