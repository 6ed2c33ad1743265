/**
 * The desk: a server for one reader on this machine, that shows the workbook's notebooks in the browser and runs their
 * kernels. It speaks the part of Jupyter's protocol that its page needs (`protocol.ts`), on Node alone.
 */
import { randomUUID } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { KERNEL_FOLDER } from 'dgm-jupyter';
import { progressFileOf } from './chapters';
import { framingOf, V1 } from './channel-messages';
import { createContents } from './contents';
import { createDoor, type Door } from './door';
import { messagePage, SAFE_HEADERS } from './html';
import { HttpError, type Json, LARGEST_BODY, refusalOf, sendJson } from './http';
import { decodePath } from './place';
import { answer, type Desk } from './routes';
import { createSessions, type Sessions } from './sessions';

export interface DeskOptions {
  /** Of the workbook. */
  readonly root: string;
  /** The folder that holds the page's `app.js` and `app.css`. */
  readonly bundle: string;
  /** This one or none; default: the first free one from 8888 on. */
  readonly port?: number;
  /** Of the kernels, beside our own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface DeskServer {
  readonly port: number;
  readonly token: string;
  /** With the token. @param notebook below `notebooks/`; without one, the first page */
  address(notebook?: string): string;
  /** Resolves when nothing of it is left. */
  readonly ended: Promise<void>;
  /** Ends kernels, pages and server. Safe to call twice. */
  stop(): Promise<void>;
}

/** @throws when the port is taken: remedy */
export async function startDesk({ root, bundle, port, env = process.env }: DeskOptions): Promise<DeskServer> {
  const folder = await realpath(join(root, 'notebooks'));
  const kernelSpec = JSON.parse(await readFile(join(KERNEL_FOLDER, 'kernel.json'), 'utf8')) as Json;
  const server = createServer({ maxHeaderSize: 64 * 1024 });
  const bound = await listen(server, port); // last, since what listens keeps the process alive
  const door = createDoor(bound);
  const desk: Desk = {
    folder,
    bundle,
    progressFile: progressFileOf(root, env),
    kernelSpec,
    contents: createContents(folder, join(root, '.ipynb_checkpoints')),
    sessions: createSessions(folder, env),
    started: new Date().toISOString(),
    cookie: door.cookie,
  };
  desk.sessions.warm();
  const sockets = new WebSocketServer({ noServer: true, maxPayload: LARGEST_BODY, handleProtocols: chooseProtocol });
  server.on('request', (request, response) => void respond(desk, door, request, response));
  server.on('upgrade', (request, socket, head) => upgrade(desk.sessions, door, sockets, request, socket, head));
  let tellEnd = (): void => undefined;
  const ended = new Promise<void>((resolve) => (tellEnd = resolve));
  let stopped: Promise<void> | undefined;
  return {
    port: bound,
    token: door.token,
    address(notebook) {
      const path = notebook === undefined ? '' : `notebooks/${notebook.split('/').map(encodeURIComponent).join('/')}`;
      return `http://127.0.0.1:${bound}/${path}?token=${door.token}`;
    },
    ended,
    stop: () => (stopped ??= stop(server, sockets, desk.sessions).then(tellEnd)),
  };
}

async function stop(server: Server, sockets: WebSocketServer, sessions: Sessions): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  await sessions.endAll();
  for (const socket of sockets.clients) socket.terminate();
  server.closeAllConnections();
  await closed;
}

// The port

const FIRST_PORT = 8888;
const PORTS = 50;

async function listen(server: Server, wanted: number | undefined): Promise<number> {
  const candidates = wanted === undefined ? [...Array.from({ length: PORTS }, (_, i) => FIRST_PORT + i), 0] : [wanted];
  for (const port of candidates) if (await listens(server, port)) return (server.address() as AddressInfo).port;
  throw new Error(`port ${wanted} is taken by another program; choose another with --port, or leave --port out`);
}

function listens(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(new Error(`port ${port} cannot be used: ${error.message}; choose another with --port`));
    };
    server.once('error', failed);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', failed);
      resolve(true);
    });
  });
}

// Requests

async function respond(desk: Desk, door: Door, request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const [name, value] of Object.entries(SAFE_HEADERS)) response.setHeader(name, value);
  try {
    door.check(request);
    await answer(desk, request, response);
  } catch (error) {
    refuse(refusalOf(error), request, response);
  }
}

function refuse({ status, message }: HttpError, request: IncomingMessage, response: ServerResponse): void {
  if (status >= 500) console.error(`desk: ${request.method} ${request.url?.split('?')[0]}: ${message}`);
  if (response.headersSent) return void response.destroy();
  if (!request.complete) response.setHeader('Connection', 'close'); // the rest of its body is not read
  if (!request.headers.accept?.includes('text/html')) return sendJson(response, status, { message, reason: null });
  response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end(messagePage(STATUS_CODES[status] ?? 'Error', message));
}

// WebSockets

function chooseProtocol(offered: Set<string>): string | false {
  return offered.has(V1) ? V1 : false;
}

function upgrade(
  sessions: Sessions,
  door: Door,
  sockets: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  socket.on('error', () => socket.destroy()); // the page went away
  try {
    door.check(request);
    const welcome = visitor(sessions, request);
    sockets.handleUpgrade(request, socket, head, welcome);
  } catch (error) {
    const { status, message } = refusalOf(error);
    const body = JSON.stringify({ message });
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\nConnection: close\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
}

/** What to do with the WebSocket that a request wants. @throws HttpError 404 when there is none at its address */
function visitor(sessions: Sessions, { url = '' }: IncomingMessage): (socket: WebSocket) => void {
  const [address = '', search] = url.split('?');
  if (address === '/api/events/subscribe') return (socket) => socket.on('error', () => socket.terminate());
  const [, id] = /^\/api\/kernels\/([^/]+)\/channels$/.exec(address) ?? [];
  if (id === undefined) throw new HttpError(404, `there is no WebSocket at ${address}`);
  const kernel = sessions.kernels.get(decodePath(id));
  const session = new URLSearchParams(search).get('session_id') ?? randomUUID();
  return (socket) => connect(kernel, session, socket);
}

const UNSUPPORTED = 1003; // the code of WebSockets for data that one cannot take

function connect(kernel: ReturnType<Sessions['kernels']['get']>, session: string, socket: WebSocket): void {
  const framing = framingOf(socket.protocol);
  const detach = kernel.attach({
    session,
    send: (message) => socket.send(framing.pack(message)),
    close: () => socket.close(1001),
  });
  socket.on('close', detach);
  socket.on('error', () => socket.terminate());
  socket.on('message', (data: Buffer, isBinary) => {
    try {
      kernel.take(framing.unpack(data, isBinary));
    } catch (error) {
      socket.close(UNSUPPORTED, (error as Error).message.slice(0, 100));
    }
  });
}
