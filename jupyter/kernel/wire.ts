/**
 * The kernel's sockets, in a thread of their own. While a cell keeps the main thread busy, its outputs leave from
 * here, heartbeats are answered, and stop and shutdown requests are heard.
 */
import { rmSync } from 'node:fs';
import { type MessagePort, workerData } from 'node:worker_threads';
import { Publisher, Reply, Router } from 'zeromq';
import { isRunning } from 'dgm/host';
import {
  addressOf,
  type Connection,
  createHeader,
  createSender,
  decode,
  encode,
  type Header,
  type Message,
} from '../client/messages';
import { ARMED, CLOSED, countAsked, signalSent, stopAllAsked } from './flags';
import { createHistory, type HistoryRequest } from './history';
import { createStreams } from './streams';

/** From the sockets to the main thread. */
export type FromWire =
  | { readonly kind: 'request'; readonly message: Message }
  | { readonly kind: 'fence' }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'failed'; readonly reason: string };

/** From the main thread to the sockets; contents are JSON. */
export type ToWire =
  | { readonly kind: 'stream'; readonly name: string; readonly parent: Header; readonly text: string }
  | { readonly kind: 'publish'; readonly type: string; readonly parent: Header; readonly content: string }
  | { readonly kind: 'reply'; readonly request: Message; readonly content: string }
  | { readonly kind: 'begun'; readonly count: number; readonly code: string }
  | { readonly kind: 'busy' | 'idle'; readonly parent: Header }
  | { readonly kind: 'fence' | 'close' };

export interface WireData {
  readonly connection: Connection;
  readonly port: MessagePort;
  readonly flags: Int32Array;
  readonly kernelInfo: Readonly<Record<string, unknown>>;
}

const PARENT_POLL_MS = 1000;
const SHUTDOWN_GRACE_MS = 1000;
const GUARD_STARTS_MS = 10_000;

const { connection, port, flags, kernelInfo } = workerData as WireData;
const { key } = connection;

/** Linger, so that the last outputs still leave; no high-water mark, since a publisher drops what exceeds it. */
const iopub = new Publisher({ linger: SHUTDOWN_GRACE_MS, sendHighWaterMark: 0 });
const shell = new Router({ linger: SHUTDOWN_GRACE_MS });
const control = new Router({ linger: SHUTDOWN_GRACE_MS });
const stdin = new Router({ linger: 0 });
const heartbeat = new Reply({ linger: 0 });

const senders = {
  iopub: createSender(iopub, complain),
  shell: createSender(shell, complain),
  control: createSender(control, complain),
};

const history = createHistory();
const streams = createStreams((parent, name, text) => publish('stream', parent, JSON.stringify({ name, text })));

/** The request that the main thread began first of those it has not finished: a cell, when one runs. */
let working: Header | null = null;

async function start(): Promise<void> {
  Atomics.wait(flags, ARMED, 0, GUARD_STARTS_MS); // nobody is told that we are there while a stop would end us
  const sockets = { iopub, shell, control, stdin, hb: heartbeat };
  for (const [name, socket] of Object.entries(sockets)) await bind(socket, name);
  port.on('message', fromMain);
  watchParent();
  void serve(shell, onShell);
  void serve(control, onControl);
  void echo();
}

async function bind(socket: Router | Publisher | Reply, name: string): Promise<void> {
  const address = addressOf(connection, connection[`${name as 'shell'}_port`]);
  await socket.bind(address).catch((error: Error) => {
    throw new Error(`the kernel cannot listen at ${address} (${name}): ${error.message}`);
  });
}

async function serve(socket: Router, handle: (message: Message) => void): Promise<void> {
  for await (const frames of socket) {
    try {
      handle(decode(key, frames));
    } catch (error) {
      complain(error); // one bad message is no reason to stop listening
    }
  }
}

async function echo(): Promise<void> {
  for await (const frames of heartbeat) await heartbeat.send(frames);
}

function onShell(message: Message): void {
  if (message.header.msg_type === 'execute_request') countAsked(flags);
  const immediate = atOnce[message.header.msg_type];
  if (!immediate) port.postMessage({ kind: 'request', message } satisfies FromWire);
  else answer(message, senders.shell, immediate(message.content));
}

/** Answered without the main thread, which may be busy with a cell. */
const atOnce: Readonly<Record<string, (content: Message['content']) => object>> = {
  kernel_info_request: () => kernelInfo,
  comm_info_request: () => ({ status: 'ok', comms: {} }),
  history_request: (content) => history.answer(content as HistoryRequest),
};

function onControl(message: Message): void {
  const type = message.header.msg_type;
  if (type === 'interrupt_request') interrupt();
  if (type === 'shutdown_request') {
    answer(message, senders.control, { status: 'ok', restart: message.content['restart'] === true });
    shutdown();
  } else answer(message, senders.control, atOnce[type]?.(message.content) ?? { status: 'ok' });
}

function answer(request: Message, sender: { send(frames: (Uint8Array | string)[]): void }, content: object): void {
  publish('status', request.header, BUSY);
  sender.send(reply(request, content));
  idle(request.header);
}

const BUSY = '{"execution_state":"busy"}';
const IDLE = '{"execution_state":"idle"}';

function busy(header: Header): void {
  working ??= header;
  publish('status', header, BUSY);
}

/** Front ends take the end of any request for the kernel's state: while a cell runs, that is put right. */
function idle(header: Header): void {
  publish('status', header, IDLE);
  if (working?.msg_id === header.msg_id) working = null;
  if (working) publish('status', working, BUSY);
}

function reply(request: Message, content: object | string): (Uint8Array | string)[] {
  const type = request.header.msg_type.replace(/_request$/, '_reply');
  const header = createHeader(type, request.header.session);
  return encode(key, { identities: request.identities, header, parent: request.header, content });
}

function publish(type: string, parent: Header, content: string): void {
  const header = createHeader(type, parent.session);
  const topic = Buffer.from(type);
  senders.iopub.send(encode(key, { identities: [topic], header, parent, content }));
}

function fromMain(message: ToWire): void {
  if (message.kind === 'stream') return streams.write(message.parent, message.name, message.text);
  streams.flush();
  if (message.kind === 'begun') history.add(message.count, message.code);
  else if (message.kind === 'publish') publish(message.type, message.parent, message.content);
  else if (message.kind === 'reply') senders.shell.send(reply(message.request, message.content));
  else if (message.kind === 'busy') busy(message.parent);
  else if (message.kind === 'idle') idle(message.parent);
  else if (message.kind === 'fence') setImmediate(() => port.postMessage({ kind: 'fence' } satisfies FromWire));
  else void close();
}

/** A real signal, since only a signal ends synchronous code; Windows has none, there only waiting cells stop. */
function interrupt(): void {
  stopAllAsked(flags);
  if (process.platform === 'win32' || Atomics.load(flags, ARMED) === 0)
    port.postMessage({ kind: 'interrupt' } satisfies FromWire);
  else {
    signalSent(flags);
    process.kill(process.pid, 'SIGINT');
  }
}

/** The main thread ends the process; if a cell keeps it from doing so, we do. */
function shutdown(): void {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), SHUTDOWN_GRACE_MS);
  port.postMessage({ kind: 'shutdown' } satisfies FromWire);
}

/** Everything said has left; a socket still open when its thread ends would bring down the process with an abort. */
async function close(): Promise<void> {
  await Promise.all(Object.values(senders).map((sender) => sender.sent()));
  for (const socket of [iopub, shell, control, stdin, heartbeat]) socket.close();
  Atomics.store(flags, CLOSED, 1);
  Atomics.notify(flags, CLOSED);
}

/**
 * A kernel whose Jupyter died ends too. Jupyter (and our client) says by one variable that it is the parent; our
 * client by another, in which folder of its own the sockets are.
 */
function watchParent(): void {
  const { JPY_PARENT_PID: watched, DGM_CONNECTION_FOLDER: folder } = process.env;
  if (!watched) return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid === parent && isRunning(Number(watched))) return; // it may have died before we first looked
    if (folder) rmSync(folder, { recursive: true, force: true });
    process.kill(process.pid, 'SIGKILL');
  }, PARENT_POLL_MS).unref();
}

function complain(error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  process.stderr.write(`kernel: ${reason}\n`);
}

start().catch((error: Error) => port.postMessage({ kind: 'failed', reason: error.message } satisfies FromWire));
