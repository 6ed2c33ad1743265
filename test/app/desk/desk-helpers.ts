/** What the tests of the desk share: a small workbook with its server, requests to it, and a page as kernels see it. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { WebSocket } from 'ws';
import { serialiseNotebook, type NotebookCell } from 'dgm-jupyter';
import { type ChannelMessage, framingOf, V1 } from '../../../app/desk/channel-messages';
import { type DeskServer, startDesk } from '../../../app/desk/server';
import { createHeader } from '../../../jupyter/client/messages';

export const exercise = (id: string, name: string): NotebookCell => ({
  cell_type: 'code',
  id,
  metadata: { dgm: { exercise: name } },
  source: '',
  execution_count: null,
  outputs: [],
});
export const cells: NotebookCell[] = [
  { cell_type: 'markdown', id: 'title', metadata: {}, source: '# 1 Tiny\n\ntext' },
  exercise('a', 'tiny.first'),
  exercise('check-a', 'tiny.first'),
  exercise('b', 'tiny.second'),
];
export const notebook = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells } as const;
export const SECRET = 'nobody reads this';

export let root: string;
export let desk: DeskServer;

/** For this file of tests: a workbook with one notebook, and its desk. */
export function useDesk(): void {
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'desk-'));
    for (const folder of ['notebooks', 'notebooks/folder', 'bundle', 'outside']) mkdirSync(join(root, folder));
    writeFileSync(join(root, 'notebooks', '01-tiny.ipynb'), serialiseNotebook(notebook));
    for (const file of ['outside/secret.txt', '.progress.json', 'notebooks/.hidden'])
      writeFileSync(join(root, file), SECRET);
    symlinkSync(join(root, 'outside'), join(root, 'notebooks', 'link'));
    symlinkSync(join(root, 'outside', 'secret.txt'), join(root, 'notebooks', 'link.txt'));
    symlinkSync(join(root, 'outside', 'new.txt'), join(root, 'notebooks', 'dangling.txt'));
    writeFileSync(join(root, 'bundle', 'app.js'), 'export {};');
    writeFileSync(join(root, 'progress.json'), '{"version":1,"exercises":{"tiny.first":{"tries":2,"passed":false}}}');
    const env = { ...process.env, DGM_PROGRESS: join(root, 'progress.json') };
    desk = await startDesk({ root, bundle: join(root, 'bundle'), env });
  });
  afterAll(async () => {
    await desk.stop();
    rmSync(root, { recursive: true });
  });
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Asked {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the token in the header. */
  readonly token?: string | null;
}

/** Sends the path as it stands, which `fetch` would tidy up. */
export function ask(
  method: string,
  path: string,
  { body, headers = {}, token = desk.token }: Asked = {},
): Promise<Answer> {
  const authorization = token === null ? {} : { authorization: `token ${token}` };
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: desk.port, method, path, headers: { ...authorization, ...headers } };
    const asked = request(options, (response) => {
      let got = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (got += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text: got }));
    });
    asked.on('error', reject);
    asked.end(text);
  });
}

export async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
  const { status, text } = await ask(method, path, { body });
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** The status of a handshake: 101 when the socket opened. */
export function handshake(path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${desk.port}${path}`, { headers });
    socket.on('open', () => (socket.terminate(), resolve(101)));
    socket.on('unexpected-response', (_, response) => (socket.terminate(), resolve(response.statusCode!)));
    socket.on('error', () => undefined);
  });
}

/** Every file of the workbook with what is in it. */
export function everything(folder = root): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(files.map((file) => [file, readFileSync(file, 'utf8')]));
}

/** A page, as far as kernels can tell. */
export async function openPage(kernel: string, client: string, subprotocols: string[] = []) {
  const socket = new WebSocket(
    `ws://127.0.0.1:${desk.port}/api/kernels/${kernel}/channels?session_id=${client}`,
    subprotocols,
    {
      headers: { authorization: `token ${desk.token}` },
    },
  );
  const messages: ChannelMessage[] = [];
  let look = (): void => undefined;
  socket.on('message', (data: Buffer, isBinary) => {
    messages.push(read(data, isBinary, socket.protocol));
    look();
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return {
    messages,
    socket,
    closed,
    send(msg_type: string, content: object, cellId?: string, channel: 'shell' | 'control' = 'shell'): string {
      const header = createHeader(msg_type, client);
      const message = { channel, header, parent_header: {}, metadata: cellId ? { cellId } : {}, content, buffers: [] };
      socket.send(framingOf(socket.protocol).pack(message as ChannelMessage));
      return header.msg_id;
    },
    /** The first message that fits, of those that came or will come. */
    until(fits: (message: ChannelMessage) => boolean): Promise<ChannelMessage> {
      return new Promise((resolve) => {
        look = () => {
          const found = messages.find(fits);
          if (found) resolve(found);
        };
        look();
      });
    },
    async close(): Promise<void> {
      socket.close();
      await closed;
    },
  };
}

/** What the server packs has a channel of the kernel's own, which `unpack` rightly refuses from a page. */
function read(data: Buffer, isBinary: boolean, subprotocol: string): ChannelMessage {
  if (subprotocol !== V1) return JSON.parse(data.toString()) as ChannelMessage;
  expect(isBinary).toBe(true);
  const count = Number(data.readBigUInt64LE(0));
  const offsets = Array.from({ length: count }, (_, i) => Number(data.readBigUInt64LE(8 * (i + 1))));
  const parts = offsets.slice(1).map((end, i) => data.subarray(offsets[i], end).toString());
  const [header, parent_header, metadata, content] = parts.slice(1, 5).map((part) => JSON.parse(part)) as never[];
  return {
    channel: parts[0] as 'shell',
    header: header!,
    parent_header: parent_header!,
    metadata: metadata!,
    content: content!,
    buffers: [],
  };
}

export const code = (text: string) => ({
  code: text,
  silent: false,
  store_history: true,
  allow_stdin: false,
  stop_on_error: true,
});
export const isOf =
  (id: string, type: string) =>
  ({ header, parent_header }: ChannelMessage) =>
    parent_header.msg_id === id && header.msg_type === type;
export const isIdle = (id: string) => (message: ChannelMessage) =>
  isOf(id, 'status')(message) && message.content['execution_state'] === 'idle';
export const printedBy = (messages: readonly ChannelMessage[], id: string) =>
  messages
    .filter(isOf(id, 'stream'))
    .map(({ content }) => String(content['text']))
    .join('');
