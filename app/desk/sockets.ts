/** WebSockets of pages: who may open one, and the messages between a page and its kernel. */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Access } from './access';
import { framingOf, V1 } from './channel-messages';
import { HttpError, LARGEST_BODY, refusalOf } from './http';
import type { DeskKernel } from './kernel';
import { decodePath } from './paths';
import type { Sessions } from './sessions';

export interface Sockets {
  /** A request that wants to become a WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  close(): void;
}

export function createSockets(sessions: Sessions, access: Access): Sockets {
  const server = new WebSocketServer({ noServer: true, maxPayload: LARGEST_BODY, handleProtocols: chooseProtocol });
  return {
    upgrade(request, socket, head) {
      socket.on('error', () => socket.destroy()); // the page went away
      try {
        access.check(request);
        const listener = listenerFor(sessions, request);
        server.handleUpgrade(request, socket, head, listener);
      } catch (error) {
        refuse(socket, refusalOf(error));
      }
    },
    close() {
      for (const socket of server.clients) socket.terminate();
    },
  };
}

function chooseProtocol(offered: Set<string>): string | false {
  return offered.has(V1) ? V1 : false;
}

function refuse(socket: Duplex, { status, message }: HttpError): void {
  const body = JSON.stringify({ message });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\nConnection: close\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** What to do with the WebSocket that a request wants. @throws HttpError 404 when there is none at its address */
function listenerFor(sessions: Sessions, { url = '' }: IncomingMessage): (socket: WebSocket) => void {
  const [address = '', search] = url.split('?');
  if (address === '/api/events/subscribe') return (socket) => socket.on('error', () => socket.terminate());
  const [, id] = /^\/api\/kernels\/([^/]+)\/channels$/.exec(address) ?? [];
  if (id === undefined) throw new HttpError(404, `there is no WebSocket at ${address}`);
  const kernel = sessions.kernels.get(decodePath(id));
  const client = new URLSearchParams(search).get('session_id') ?? randomUUID();
  return (socket) => connect(kernel, client, socket);
}

const UNSUPPORTED = 1003; // the code of WebSockets for data that one cannot take

function connect(kernel: DeskKernel, client: string, socket: WebSocket): void {
  const framing = framingOf(socket.protocol);
  const detach = kernel.attach({
    client,
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
