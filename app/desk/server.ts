/**
 * The desk: a server for one reader on this machine, that shows the workbook's notebooks in the browser and runs their
 * kernels. It speaks the part of Jupyter's protocol that its page needs (`protocol.ts`), on Node alone.
 */
import { readFile, realpath } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { KERNEL_FOLDER } from 'dgm-jupyter';
import { progressFile } from 'grader/progress';
import { type Access, createAccess } from './access';
import { createContents } from './contents';
import { messagePage, SAFE_HEADERS } from './html';
import { type HttpError, type Json, refusalOf, sendJson } from './http';
import { answer, type Desk } from './routes';
import { createSessions, type Sessions } from './sessions';
import { createSockets, type Sockets } from './sockets';

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
  const access = createAccess(bound);
  const desk: Desk = {
    folder,
    bundle,
    progressFile: progressFile(root, env),
    kernelSpec,
    contents: createContents(folder, join(root, '.ipynb_checkpoints')),
    sessions: createSessions(folder, env),
    started: new Date().toISOString(),
    cookie: access.cookie,
  };
  desk.sessions.warm();
  const sockets = createSockets(desk.sessions, access);
  server.on('request', (request, response) => void respond(desk, access, request, response));
  server.on('upgrade', sockets.upgrade);
  let tellEnd = (): void => undefined;
  const ended = new Promise<void>((resolve) => (tellEnd = resolve));
  let stopped: Promise<void> | undefined;
  return {
    port: bound,
    token: access.token,
    address(notebook) {
      const path = notebook === undefined ? '' : `notebooks/${notebook.split('/').map(encodeURIComponent).join('/')}`;
      return `http://127.0.0.1:${bound}/${path}?token=${access.token}`;
    },
    ended,
    stop: () => (stopped ??= stop(server, sockets, desk.sessions).then(tellEnd)),
  };
}

async function stop(server: Server, sockets: Sockets, sessions: Sessions): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  await sessions.endAll();
  sockets.close();
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

async function respond(desk: Desk, access: Access, request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const [name, value] of Object.entries(SAFE_HEADERS)) response.setHeader(name, value);
  try {
    access.check(request);
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
  const chapters = status === 404 ? '<p><a href="/">The list of chapters</a></p>' : '';
  response.end(messagePage(STATUS_CODES[status] ?? 'Error', message, '', chapters));
}
