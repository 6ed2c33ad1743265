import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { parseNotebook, serialiseNotebook, type NotebookCell } from 'dgm-jupyter';
import { type ChannelMessage, framingOf, V1 } from '../../../app/desk/channel-messages';
import type { ContentsModel } from '../../../app/desk/contents';
import { LARGEST_BODY } from '../../../app/desk/http';
import { createJournal } from '../../../app/desk/journal';
import { partsOf } from '../../../app/desk/place';
import type { ChapterProgress, Execution } from '../../../app/desk/protocol';
import { type DeskServer, startDesk } from '../../../app/desk/server';
import type { SessionModel } from '../../../app/desk/sessions';
import { writeRedirect } from '../../../app/start/jupyter-server';
import { createHeader } from '../../../jupyter/client/messages';
import { isAlive } from '../../jupyter/kernel-helpers';
import { CHROMIUM, launchBrowser } from '../browser-helpers';

// The desk as a browser meets it, and as somebody meets it who should not: a real server with real kernels.

let root: string;
let desk: DeskServer;

const exercise = (id: string, name: string): NotebookCell => ({
  cell_type: 'code',
  id,
  metadata: { dgm: { exercise: name } },
  source: '',
  execution_count: null,
  outputs: [],
});
const cells: NotebookCell[] = [
  { cell_type: 'markdown', id: 'title', metadata: {}, source: '# 1 Tiny\n\ntext' },
  exercise('a', 'tiny.first'),
  exercise('check-a', 'tiny.first'),
  exercise('b', 'tiny.second'),
];
const notebook = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells } as const;
const SECRET = 'nobody reads this';

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
function ask(method: string, path: string, { body, headers = {}, token = desk.token }: Asked = {}): Promise<Answer> {
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

async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
  const { status, text } = await ask(method, path, { body });
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** The status of a handshake: 101 when the socket opened. */
function handshake(path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${desk.port}${path}`, { headers });
    socket.on('open', () => (socket.terminate(), resolve(101)));
    socket.on('unexpected-response', (_, response) => (socket.terminate(), resolve(response.statusCode!)));
    socket.on('error', () => undefined);
  });
}

/** Every file of the workbook with what is in it. */
function everything(folder = root): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(files.map((file) => [file, readFileSync(file, 'utf8')]));
}

describe('the door', () => {
  const own = () => `http://127.0.0.1:${desk.port}`;
  const cookie = () => ({ cookie: `other=1; dgm-desk-${desk.port}=${desk.token}` });
  const PATHS = [
    '/',
    '/static/app.js',
    '/api/contents',
    '/api/kernels',
    '/nowhere',
    '/lab/extensions/dgm/plotly.min.js',
  ];

  test.each(PATHS)('%s is shut without the token, with another, and with a part of it', async (path) => {
    for (const token of [null, 'x', desk.token.slice(0, -1), `${desk.token}x`, ''])
      expect((await ask('GET', path, { token })).status).toBe(401);
    expect((await ask('GET', `${path}?token=${desk.token.toLowerCase()}`, { token: null })).status).toBe(401);
    expect((await ask('GET', path, { token: null, headers: { cookie: `dgm-desk-1=${desk.token}` } })).status).toBe(401);
  });

  test('the address with the token sets a cookie that no script reads, and leads to one without the token', async () => {
    const { pathname, search } = new URL(desk.address('01-tiny.ipynb'));
    const first = await ask('GET', pathname + search, { token: null });
    expect(first.status).toBe(200);
    expect(first.text).not.toContain(desk.token);
    expect(/url=([^"]+)/.exec(first.text)![1]).toBe('/notebooks/01-tiny.ipynb');
    const [set] = first.headers['set-cookie']!;
    expect(set!.split('; ').slice(1).sort()).toEqual(['HttpOnly', 'Path=/', 'SameSite=Strict']);
    const page = await ask('GET', pathname, { token: null, headers: { cookie: set!.split(';')[0]! } });
    expect(page.status).toBe(200);
    expect(page.text).not.toContain(desk.token);
    const config = /<script id="jupyter-config-data"[^>]*>(.*)<\/script>/.exec(page.text)![1]!;
    expect(JSON.parse(config)).toMatchObject({ baseUrl: '/', token: '', notebookPath: '01-tiny.ipynb' });
  });

  test('another host, whatever token comes with it', async () => {
    for (const host of ['evil.example', `evil.example:${desk.port}`, '127.0.0.1', `127.0.0.1:${desk.port + 1}`])
      expect((await ask('GET', '/api/contents', { headers: { host } })).status).toBe(403);
    expect((await ask('GET', '/api/contents', { headers: { host: `localhost:${desk.port}` } })).status).toBe(200);
  });

  test('other pages, whether they know the token or the browser adds the cookie', async () => {
    const before = everything();
    const foreign = [
      'http://evil.example',
      'null',
      `http://localhost:${desk.port}`,
      `https://127.0.0.1:${desk.port}`,
      '',
    ];
    for (const origin of foreign)
      for (const headers of [{ origin }, { ...cookie(), origin }]) {
        expect((await ask('GET', '/api/contents', { headers })).status).toBe(403);
        expect((await ask('DELETE', '/api/contents/01-tiny.ipynb', { headers, token: null })).status).toBe(403);
      }
    expect(everything()).toEqual(before);
  });

  test('a cookie alone changes nothing, unless the browser says that our own page asks', async () => {
    const path = '/api/contents/01-tiny.ipynb/checkpoints';
    expect((await ask('POST', path, { token: null, headers: cookie() })).status).toBe(403);
    expect((await ask('POST', path, { token: null, headers: { ...cookie(), origin: own() } })).status).toBe(201);
    expect((await ask('GET', path, { token: null, headers: cookie() })).status).toBe(200);
  });

  test('WebSockets', async () => {
    const path = '/api/events/subscribe';
    const authorization = `token ${desk.token}`;
    const answers = await Promise.all([
      handshake(path, {}),
      handshake(path, { authorization: 'token x' }),
      handshake(`${path}?token=x`, { origin: own() }),
      handshake(path, cookie()),
      handshake(path, { ...cookie(), origin: 'http://evil.example' }),
      handshake(path, { authorization, origin: 'http://evil.example' }),
      handshake(path, { authorization, host: 'evil.example' }),
      handshake('/api/kernels/none/channels', { authorization }),
      handshake('/api/contents', { authorization }),
      handshake(path, { ...cookie(), origin: own() }),
      handshake(path, { authorization }),
    ]);
    expect(answers).toEqual([401, 401, 401, 403, 403, 403, 403, 404, 404, 101, 101]);
  });

  test('every answer shuts itself in: no sniffing, no frame, no store, nothing from elsewhere', async () => {
    for (const [path, token] of [
      ['/', desk.token],
      ['/api/contents', desk.token],
      ['/nowhere', desk.token],
      ['/', null],
    ] as const) {
      const { headers } = await ask('GET', path, { token });
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; .*frame-ancestors 'none'/);
      expect(headers['content-security-policy']).not.toMatch(/https?:|\*/);
    }
  });

  test('only this machine can knock', async () => {
    const elsewhere = await new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.2', port: desk.port }, () => (socket.destroy(), resolve('open')));
      socket.on('error', () => resolve('shut'));
    });
    expect(elsewhere).toBe('shut');
  });
});

test.skipIf(!CHROMIUM)('a browser comes in by the address alone; a page of another server does not', async () => {
  /** Runs in a page: what its requests to the desk give. */
  const probe = `async (host, method) => {
    const answered = (promise) => promise.then((r) => (r.type === 'opaque' ? 'opaque' : r.status), () => 'refused');
    const socket = new WebSocket('ws://' + host + '/api/events/subscribe');
    const script = Object.assign(document.createElement('script'), { src: 'http://' + host + '/static/app.js' });
    const event = (target, good, bad) => new Promise((done) => {
      target['on' + good] = () => done('open');
      target['on' + bad] = () => done('refused');
    });
    const opened = event(socket, 'open', 'error');
    const loaded = event(script, 'load', 'error');
    document.head.append(script);
    const url = 'http://' + host + '/api/contents/01-tiny.ipynb';
    return [
      await answered(fetch(url, { credentials: 'include' })),
      await answered(fetch(url + '/checkpoints', { method: 'POST', credentials: 'include', mode: method, body: '{}' })),
      await opened,
      await loaded,
      document.cookie,
    ];
  }`;
  const other = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<p>other</p>'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const redirect = join(root, 'open.html');
  await writeRedirect(redirect, desk.address('01-tiny.ipynb'));
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(pathToFileURL(redirect).href);
    await page.waitForURL(`http://127.0.0.1:${desk.port}/notebooks/01-tiny.ipynb`); // without the token
    const host = `127.0.0.1:${desk.port}`;
    expect(await page.evaluate(`(${probe})('${host}', 'cors')`)).toEqual([200, 201, 'open', 'open', '']);
    const before = everything();
    await page.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`); // to cookies, the same site
    for (const mode of ['cors', 'no-cors'])
      expect(await page.evaluate(`(${probe})('${host}', '${mode}')`)).toEqual([
        'refused',
        'refused',
        'refused',
        'refused',
        '',
      ]);
    const frame = page.waitForEvent('framenavigated');
    await page.evaluate(
      `document.body.append(Object.assign(document.createElement('iframe'), { src: 'http://${host}/' }))`,
    );
    expect((await frame).url()).not.toContain(host);
    expect(everything()).toEqual(before);
  } finally {
    await browser.close();
    other.close();
    rmSync(redirect);
  }
});

describe('paths', () => {
  const TRICKS = [
    '../outside/secret.txt',
    '..%2foutside%2fsecret.txt',
    '%2e%2e/outside/secret.txt',
    '%2e%2e%2foutside%2fsecret.txt',
    '..%252foutside%252fsecret.txt',
    '..%5coutside%5csecret.txt',
    'folder/../../outside/secret.txt',
    'folder/%2e%2e/%2e%2e/outside/secret.txt',
    '%2fetc%2fpasswd',
    '//etc/passwd',
    'C:%5cWindows%5cwin.ini',
    'file.txt%00.ipynb',
    'link/secret.txt',
    'link/new.txt',
    'link.txt',
    '.hidden',
    '../.progress.json',
    'folder/.git/config',
    '%c0%ae%c0%ae/outside/secret.txt',
    'a%',
    `${'a'.repeat(300)}.txt`,
  ];

  test.each(TRICKS)('%s leads nowhere, by no method', async (path) => {
    const before = everything();
    const plain = path.replaceAll('%2f', '/').replaceAll('%2e', '.');
    const file = { type: 'file', format: 'text', content: 'mine now' };
    const answers = await Promise.all([
      ask('GET', `/api/contents/${path}`),
      ask('GET', `/api/contents/${path}?content=0&hash=1`),
      ask('GET', `/files/${path}`),
      ask('GET', `/static/${path}`),
      ask('GET', `/notebooks/${path}`),
      ask('PUT', `/api/contents/${path}`, { body: file }),
      ask('PATCH', `/api/contents/${path}`, { body: { path: 'stolen.txt' } }),
      ask('DELETE', `/api/contents/${path}`),
      ask('POST', `/api/contents/${path}`, { body: { type: 'file' } }),
      ask('POST', `/api/contents/${path}/checkpoints`),
      ask('POST', `/api/contents/${path}/checkpoints/checkpoint`),
      ask('PATCH', '/api/contents/01-tiny.ipynb', { body: { path: `../${plain}` } }),
      ask('POST', '/api/contents', { body: { copy_from: `../${plain}` } }),
      ask('POST', '/api/sessions', {
        body: { path: `../${plain}/x.ipynb`, type: 'notebook', kernel: { name: 'dgm' } },
      }),
    ]);
    for (const { status, text } of answers) {
      expect([400, 403, 404]).toContain(status);
      expect(text).not.toContain(SECRET);
    }
    expect(everything()).toEqual(before);
  });

  test('a link that leads to nothing is replaced, not followed', async () => {
    await json('PUT', '/api/contents/dangling.txt', { type: 'file', format: 'text', content: 'here' });
    expect(existsSync(join(root, 'outside', 'new.txt'))).toBe(false);
    expect(readFileSync(join(root, 'notebooks', 'dangling.txt'), 'utf8')).toBe('here');
  });

  test('law: the parts of any path stay below the folder', () => {
    const piece = fc.oneof(
      fc.constantFrom('..', '.', '', 'a', '.git', 'C:', '\\', '..\\', '\0', '%2e%2e'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        let parts: string[];
        try {
          parts = partsOf(pieces.join('/'));
        } catch {
          return;
        }
        const path = join('/root', ...parts);
        expect(path === '/root' || path.startsWith(`/root${sep}`)).toBe(true);
        expect(path.split(sep).length).toBe(parts.length + 2);
      }),
      { numRuns: 500 },
    );
  });
});

describe('files', () => {
  test('a notebook comes back as it was saved, in the form that Jupyter writes, and others see that it changed', async () => {
    const path = '/api/contents/copy.ipynb';
    const changed = { ...notebook, cells: [...cells, exercise('c', 'tiny.third')] };
    expect((await ask('PUT', path, { body: { type: 'notebook', content: notebook } })).status).toBe(201);
    const before = await json<ContentsModel>('GET', `${path}?content=0&hash=1`);
    expect(before).toMatchObject({ type: 'notebook', content: null, format: null, hash_algorithm: 'sha256' });
    expect((await ask('PUT', path, { body: { type: 'notebook', content: changed } })).status).toBe(200);
    const after = await json<ContentsModel>('GET', `${path}?hash=1`);
    expect(after.content).toEqual(changed);
    expect(after.hash).not.toBe(before.hash);
    const text = readFileSync(join(root, 'notebooks', 'copy.ipynb'), 'utf8');
    expect(text).toBe(serialiseNotebook(parseNotebook(text, 'copy')));
    writeFileSync(join(root, 'notebooks', 'copy.ipynb'), serialiseNotebook(notebook));
    expect((await json<ContentsModel>('GET', `${path}?content=0&hash=1`)).hash).toBe(before.hash);
    await json('DELETE', path);
    expect((await ask('GET', path)).status).toBe(404);
  });

  test('the list has what is there and nothing hidden', async () => {
    const { content } = await json<{ content: ContentsModel[] }>('GET', '/api/contents');
    expect(content.map(({ path, type }) => `${type} ${path}`)).toEqual([
      'notebook 01-tiny.ipynb',
      'file dangling.txt',
      'directory folder',
    ]);
    expect(content.every(({ content }) => content === null)).toBe(true);
  });

  test('new ones get names that are free; a name that is taken is refused', async () => {
    const create = async (body: object) => (await json<ContentsModel>('POST', '/api/contents/folder', body)).path;
    expect([await create({ type: 'notebook' }), await create({ type: 'notebook' })]).toEqual([
      'folder/Untitled.ipynb',
      'folder/Untitled1.ipynb',
    ]);
    expect(await create({ type: 'file', ext: '.ts' })).toBe('folder/untitled.ts');
    expect(await create({ type: 'directory' })).toBe('folder/Untitled Folder');
    expect(await create({ copy_from: '01-tiny.ipynb' })).toBe('folder/01-tiny-Copy1.ipynb');
    const made = await json<ContentsModel>('GET', '/api/contents/folder/Untitled.ipynb');
    expect(made.content).toMatchObject({ nbformat: 4, metadata: { kernelspec: { name: 'dgm' } } });
    const renamed = (path: string) => ask('PATCH', '/api/contents/folder/Untitled.ipynb', { body: { path } });
    expect((await renamed('folder/Untitled1.ipynb')).status).toBe(409);
    expect((await renamed('nowhere/x.ipynb')).status).toBe(404);
    expect((await renamed('folder/Named.ipynb')).status).toBe(200);
    expect((await ask('DELETE', '/api/contents/folder')).status).toBe(400); // it is not empty
    expect((await ask('DELETE', '/api/contents/')).status).toBe(400);
    expect((await ask('POST', '/api/contents', { body: { type: 'file', ext: '/../../x' } })).status).toBe(403);
  });

  test('a checkpoint is kept outside of the notebooks, and brings the file back', async () => {
    const path = '/api/contents/folder/kept.txt';
    const write = (content: string) => json('PUT', path, { type: 'file', format: 'text', content });
    await write('one');
    const { id } = await json<{ id: string }>('POST', `${path}/checkpoints`);
    await write('two');
    expect(await json('GET', `${path}/checkpoints`)).toMatchObject([{ id }]);
    await json('POST', `${path}/checkpoints/${id}`);
    expect(readFileSync(join(root, 'notebooks/folder/kept.txt'), 'utf8')).toBe('one');
    expect(Object.keys(everything(join(root, 'notebooks'))).join()).not.toContain('checkpoint');
    await json('PATCH', path, { path: 'folder/moved.txt' });
    expect(await json('GET', '/api/contents/folder/moved.txt/checkpoints')).toMatchObject([{ id }]);
    await json('DELETE', `/api/contents/folder/moved.txt/checkpoints/${id}`);
    expect(await json('GET', '/api/contents/folder/moved.txt/checkpoints')).toEqual([]);
  });

  test.each([
    ['no JSON', '{', 400, 'not JSON'],
    ['no object', '[1]', 400, 'must be a JSON object'],
    ['no type', '{}', 400, 'type: expected a text'],
    ['no notebook', '{"type":"notebook","content":{"nbformat":3}}', 400, 'nbformat'],
    ['a notebook of null', '{"type":"notebook"}', 400, 'expected a notebook'],
    ['a folder in its place', '{"type":"directory"}', 400, 'not a directory'],
    ['a text that is none', '{"type":"file","content":7}', 400, 'content: expected a text'],
  ])('%s is refused, and the notebook stays as it was', async (_, body, status, reason) => {
    const before = everything();
    const answer = await ask('PUT', '/api/contents/01-tiny.ipynb', { body });
    expect(answer.status).toBe(status);
    expect((JSON.parse(answer.text) as { message: string }).message).toContain(reason);
    expect(everything()).toEqual(before);
  });

  test('a body that is too long, whether it says so or not', async () => {
    const before = everything();
    const path = '/api/contents/01-tiny.ipynb';
    const said = await ask('PUT', path, { headers: { 'content-length': String(LARGEST_BODY + 1) }, body: '{' }).catch(
      () => null,
    );
    expect(said?.status ?? 413).toBe(413);
    const silent = await ask('PUT', path, {
      headers: { 'transfer-encoding': 'chunked' },
      body: '['.repeat(LARGEST_BODY + 1),
    }).catch((error: NodeJS.ErrnoException) => ({ status: error.code }));
    expect([413, 'ECONNRESET', 'EPIPE']).toContain(silent.status);
    expect(everything()).toEqual(before);
    expect((await ask('GET', '/api/status')).status).toBe(200);
  });

  test('other methods and other addresses', async () => {
    expect((await ask('DELETE', '/api/status')).status).toBe(405);
    expect((await ask('CONNECT-ISH', '/api/status').catch(() => ({ status: 400 }))).status).toBe(400);
    for (const path of [
      '/api/nbconvert',
      '/api/terminals',
      '/lab/api/settings',
      '/api/kernelspecs/python3',
      '/static/none.js',
      '/api/kernels/constructor',
    ])
      expect([path, (await ask('GET', path)).status]).toEqual([path, 404]);
    expect((await ask('GET', '/static/app.js')).text).toBe('export {};');
    expect((await ask('GET', '/static/plotly.min.js')).text.length).toBeGreaterThan(1e6);
  });

  test('the chapters with what was tried', async () => {
    const [first] = await json<ChapterProgress[]>('GET', '/api/desk/chapters');
    expect(first).toEqual({
      name: '01-tiny',
      title: '1 Tiny',
      path: '01-tiny.ipynb',
      exercises: [
        { id: 'tiny.first', state: 'tried' },
        { id: 'tiny.second', state: 'open' },
      ],
    });
    writeFileSync(join(root, 'notebooks', '02-damaged.ipynb'), '{ "cells": [');
    const [same, damaged] = await json<ChapterProgress[]>('GET', '/api/desk/chapters');
    expect(same).toEqual(first);
    expect(damaged).toMatchObject({ title: '02-damaged (damaged)', exercises: [] });
    const page = await ask('GET', '/notebooks/02-damaged.ipynb', { headers: { accept: 'text/html' } });
    expect(page.text).toContain('take the original file again');
    rmSync(join(root, 'notebooks', '02-damaged.ipynb'));
    writeFileSync(join(root, 'progress.json'), '{');
    expect((await ask('GET', '/api/desk/chapters')).text).toContain('progress.json is damaged; delete it');
  });
});

describe('messages on a WebSocket', () => {
  const messages = fc.record({
    channel: fc.constantFrom('shell', 'control', 'stdin'),
    header: fc.record({ msg_id: fc.string(), msg_type: fc.string(), session: fc.string() }),
    parent_header: fc.constant({}),
    metadata: fc.dictionary(fc.string(), fc.string()),
    content: fc.dictionary(fc.string(), fc.jsonValue()),
    buffers: fc.array(fc.uint8Array()),
  });
  const plain = ({ buffers, ...message }: ChannelMessage) =>
    JSON.stringify([message, buffers.map((buffer) => Array.from(buffer))]);

  test.each(['', V1])('law: what "%s" packs it unpacks', (subprotocol) => {
    const { pack, unpack } = framingOf(subprotocol);
    fc.assert(
      fc.property(messages, (value) => {
        const message = value as unknown as ChannelMessage;
        const packed = pack(message);
        const back = unpack(Buffer.from(packed as string), typeof packed !== 'string');
        expect(plain(back)).toBe(plain(message));
      }),
    );
  });

  test.each(['', V1])('law: of anything else, "%s" makes an error', (subprotocol) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, isBinary) => {
        expect(() => framingOf(subprotocol).unpack(Buffer.from(bytes), isBinary)).toThrow(/expected/);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('what is kept for a page that is loaded again', () => {
  const header = (msg_type: string, msg_id = 'id') => ({ ...createHeader(msg_type, 'page'), msg_id });
  const asked = (id: string, cellId = 'a'): ChannelMessage => ({
    channel: 'shell',
    header: header('execute_request', id),
    parent_header: {},
    metadata: { cellId },
    content: {},
    buffers: [],
  });
  const said = (parent: string, type: string, content: object = {}): ChannelMessage => ({
    channel: 'iopub',
    header: header(type),
    parent_header: header('execute_request', parent),
    metadata: {},
    content: content as ChannelMessage['content'],
    buffers: [],
  });
  const status = (parent: string, execution_state: string) => said(parent, 'status', { execution_state });
  const stream = (parent: string, text: string) => said(parent, 'stream', { name: 'stdout', text });
  const run = (count: number, id: string, ...outputs: ChannelMessage[]) => [
    status(id, 'busy'),
    said(id, 'execute_input', { execution_count: count }),
    ...outputs,
    status(id, 'idle'),
  ];
  const types = (messages: ChannelMessage[]) =>
    messages.map(({ header, content }) => String(content['execution_state'] ?? content['text'] ?? header.msg_type));
  const cell = (id: string, execution_count: number | null): NotebookCell => ({
    ...exercise(id, 'x'),
    cell_type: 'code',
    execution_count,
    source: '',
    outputs: [],
  });

  test('cells that run, and those that ended but are not saved; each in its order and with its mark', () => {
    const journal = createJournal();
    for (const id of ['one', 'two']) journal.asked(asked(id, id));
    const messages = [...run(1, 'one', stream('one', 'hello')), status('two', 'busy'), stream('two', 'first')];
    expect(messages.map((message) => journal.said(message).metadata['dgm'])).toEqual(
      messages.map(({ parent_header }) => ({ cellId: parent_header.msg_id, replayed: false })),
    );
    expect(types(journal.after())).toEqual(['busy', 'execute_input', 'hello', 'idle', 'busy', 'first']);
    expect(journal.after().every(({ metadata }) => (metadata['dgm'] as { replayed: boolean }).replayed)).toBe(true);
    expect(journal.executions().map(({ cellId, state, execution_count }) => [cellId, state, execution_count])).toEqual([
      ['one', 'done', 1],
      ['two', 'running', null],
    ]);
    journal.saved([cell('one', 7), cell('two', null)]);
    expect(journal.after()).toHaveLength(6); // the file has an earlier run of it
    journal.saved([cell('one', 1), cell('two', null)]);
    expect(types(journal.after())).toEqual(['busy', 'first']);
    journal.said(stream('one', 'a timer'));
    expect(types(journal.after())).toEqual(['busy', 'first', 'a timer']);
    journal.saved([]);
    expect(types(journal.after())).toEqual(['busy', 'first']); // both cells are gone, one still runs
  });

  test('what a cell printed before it was run again is not for it any more', () => {
    const journal = createJournal();
    journal.asked(asked('one'));
    for (const message of run(1, 'one', stream('one', 'old'))) journal.said(message);
    journal.asked(asked('two'));
    expect(journal.after()).toEqual([]);
    expect(journal.executions().map(({ state }) => state)).toEqual(['done', 'queued']);
  });

  test('law: a page that comes back has had each message once, wherever it left', () => {
    const journal = createJournal();
    journal.asked(asked('one'));
    const messages = run(1, 'one', ...Array.from({ length: 10 }, (_, i) => stream('one', String(i))));
    const places = messages.map((message) => (journal.said(message), journal.place()));
    const all = types(journal.after());
    places.forEach((place, i) => expect([...all.slice(0, i + 1), ...types(journal.after(place))]).toEqual(all));
  });

  test('of a display that is drawn again, the last drawing; of one with another id, its own', () => {
    const journal = createJournal();
    journal.asked(asked('one'));
    const draw = (display_id: string, text: string) =>
      said('one', 'update_display_data', { text, transient: { display_id } });
    for (const message of [draw('x', '1'), draw('y', '2'), draw('x', '3'), draw('x', '4')]) journal.said(message);
    expect(types(journal.after())).toEqual(['2', '4']);
  });

  test('law: never more than the limit, the newest stay, and what is gone is counted where it was', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { minLength: 1, maxLength: 60 }), (lengths) => {
        const journal = createJournal(2000);
        journal.asked(asked('one'));
        const outputs = lengths.map((length, i) => stream('one', `${i}:`.padEnd(length, '.')));
        for (const message of run(1, 'one', ...outputs)) journal.said(message);
        const kept = journal.after();
        const texts = kept.map(({ content }) => content['text']).filter((text) => text !== undefined) as string[];
        const [, gone = '0'] = /^\[(\d+) earlier messages/.exec(texts[0] ?? '') ?? [];
        const left = Number(gone) > 0 ? texts.slice(1) : texts;
        expect(left).toEqual(outputs.slice(Number(gone)).map(({ content }) => content['text']));
        expect(JSON.stringify(left).length).toBeLessThanOrEqual(2000);
        expect(types(kept).slice(0, 2)).toEqual(['busy', 'execute_input']);
      }),
    );
  });
});

/** A page, as far as kernels can tell. */
async function openPage(kernel: string, session: string, subprotocols: string[] = []) {
  const socket = new WebSocket(
    `ws://127.0.0.1:${desk.port}/api/kernels/${kernel}/channels?session_id=${session}`,
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
      const header = createHeader(msg_type, session);
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
  const places = Array.from({ length: count }, (_, i) => Number(data.readBigUInt64LE(8 * (i + 1))));
  const pieces = places.slice(1).map((end, i) => data.subarray(places[i], end).toString());
  const [header, parent_header, metadata, content] = pieces.slice(1, 5).map((piece) => JSON.parse(piece)) as never[];
  return {
    channel: pieces[0] as 'shell',
    header: header!,
    parent_header: parent_header!,
    metadata: metadata!,
    content: content!,
    buffers: [],
  };
}

const code = (text: string) => ({
  code: text,
  silent: false,
  store_history: true,
  allow_stdin: false,
  stop_on_error: true,
});
const isOf =
  (id: string, type: string) =>
  ({ header, parent_header }: ChannelMessage) =>
    parent_header.msg_id === id && header.msg_type === type;
const isIdle = (id: string) => (message: ChannelMessage) =>
  isOf(id, 'status')(message) && message.content['execution_state'] === 'idle';
const printedBy = (messages: readonly ChannelMessage[], id: string) =>
  messages
    .filter(isOf(id, 'stream'))
    .map(({ content }) => String(content['text']))
    .join('');

describe('kernels', () => {
  let session: SessionModel;
  beforeAll(async () => {
    session = await json<SessionModel>('POST', '/api/sessions', {
      path: '01-tiny.ipynb',
      type: 'notebook',
      name: '',
      kernel: { name: 'dgm' },
    });
  });

  test('a notebook has one session, whoever asks', async () => {
    const again = await Promise.all(
      ['01-tiny.ipynb', '/01-tiny.ipynb'].map((path) =>
        json<SessionModel>('POST', '/api/sessions', { path, type: 'notebook', kernel: { name: 'dgm' } }),
      ),
    );
    expect(again.map(({ id }) => id)).toEqual([session.id, session.id]);
    expect((await json<SessionModel[]>('GET', '/api/sessions')).map(({ id }) => id)).toEqual([session.id]);
    expect(await json<unknown[]>('GET', '/api/kernels')).toHaveLength(1);
    const refused = { path: 'x.ipynb', type: 'notebook', kernel: { name: 'python3' } };
    expect((await ask('POST', '/api/sessions', { body: refused })).status).toBe(404);
    expect((await ask('POST', '/api/sessions', { body: { ...refused, kernel: { id: 'none' } } })).status).toBe(404);
    expect((await ask('POST', '/api/kernels/none/interrupt')).status).toBe(404);
  });

  test.each([[[]], [[V1, 'other']]])('a cell runs in its folder, with the subprotocols %j', async (subprotocols) => {
    const page = await openPage(session.kernel.id, `run-${subprotocols.length}`, subprotocols);
    const id = page.send('execute_request', code(`console.log('π', process.cwd()); 6 * 7`), 'a');
    await page.until(isOf(id, 'execute_reply'));
    const result = await page.until(isOf(id, 'execute_result'));
    expect(result.content['data']).toEqual({ 'text/plain': '42' });
    expect(result.metadata['dgm']).toEqual({ cellId: 'a', replayed: false });
    expect(printedBy(page.messages, id)).toBe(`π ${join(root, 'notebooks')}\n`);
    await page.until(isIdle(id));
    await page.close();
  });

  test('the stop button ends a cell that runs', async () => {
    const page = await openPage(session.kernel.id, 'stop');
    const id = page.send('execute_request', code(`console.log('on'); await new Promise(() => {})`), 'a');
    await page.until(isOf(id, 'stream'));
    expect((await ask('POST', `/api/kernels/${session.kernel.id}/interrupt`)).status).toBe(204);
    expect((await page.until(isOf(id, 'error'))).content['ename']).toBe('KeyboardInterrupt');
    await page.until(isIdle(id));
    await page.close();
  });

  test('a cell that runs on while the page is loaded again loses nothing, nor does the one that waits', async () => {
    const first = await openPage(session.kernel.id, 'before');
    const release = join(root, 'release');
    const ticks = `for (let i = 0; i < 50; i++) console.log(i);
      while (!require('fs').existsSync(${JSON.stringify(release)})) await new Promise((done) => setTimeout(done, 5));
      for (let i = 50; i < 100; i++) console.log(i);`;
    const id = first.send('execute_request', code(ticks), 'a');
    const next = first.send('execute_request', code(`console.log('next')`), 'b');
    await first.until(() => printedBy(first.messages, id).includes('49\n'));
    await first.close();
    const executions = await json<Execution[]>('GET', `/api/desk/executions/${session.kernel.id}`);
    expect(executions.slice(-2).map(({ cellId, state }) => [cellId, state])).toEqual([
      ['a', 'running'],
      ['b', 'queued'],
    ]);
    writeFileSync(release, '');

    const second = await openPage(session.kernel.id, 'after');
    await second.until(isIdle(next));
    const expected = Array.from({ length: 100 }, (_, i) => `${i}\n`).join('');
    expect(printedBy(second.messages, id)).toBe(expected);
    expect(printedBy(second.messages, next)).toBe('next\n');
    expect(second.messages.filter(isOf(id, 'execute_input'))).toHaveLength(1);
    const reply = await second.until(isOf(next, 'execute_reply'));
    expect(reply.metadata['dgm']).toMatchObject({ cellId: 'b' });
    expect(reply.parent_header.session).toBe('before');
    await second.close();

    const same = await openPage(session.kernel.id, 'after');
    const probe = same.send('kernel_info_request', {});
    await same.until(isIdle(probe));
    expect(printedBy(same.messages, id)).toBe(''); // it has had that

    const content = {
      ...notebook,
      cells: cells.map((cell) =>
        cell.cell_type === 'code' ? { ...cell, execution_count: countOf(cell.id, second.messages) } : cell,
      ),
    };
    await json('PUT', '/api/contents/01-tiny.ipynb', { type: 'notebook', content });
    const third = await openPage(session.kernel.id, 'later');
    await third.until(isIdle(third.send('kernel_info_request', {})));
    expect(third.messages.filter(({ header }) => header.msg_type === 'stream')).toEqual([]); // the file has that
    await Promise.all([same.close(), third.close()]);
  });

  const countOf = (cellId: string, messages: readonly ChannelMessage[]): number | null => {
    const input = messages.find(
      ({ header, metadata }) =>
        header.msg_type === 'execute_input' && (metadata['dgm'] as { cellId: string }).cellId === cellId,
    );
    return (input?.content['execution_count'] as number | undefined) ?? null;
  };

  test('broken messages close the socket that sent them, and nothing else', async () => {
    for (const [subprotocols, data] of [
      [[], '{'],
      [[], '{"channel":"iopub","header":{"msg_id":"1","msg_type":"status","session":""}}'],
      [[], Buffer.from([0, 0, 0, 9])],
      [[V1], Buffer.alloc(64, 0xff)],
      [[V1], 'text'],
    ] as const) {
      const page = await openPage(session.kernel.id, 'broken', [...subprotocols]);
      page.socket.send(data);
      expect(await page.closed).toBe(1003);
    }
    const raw = await openPage(session.kernel.id, 'raw');
    const { _socket: tcp } = raw.socket as unknown as { _socket: { write(data: Buffer): void } };
    tcp.write(Buffer.from([0xff, 0xff, 0xff, 0xff])); // reserved bits, an opcode that there is not
    await raw.closed;
    expect(await json('GET', `/api/kernels/${session.kernel.id}`)).toMatchObject({
      connections: 0,
      execution_state: 'idle',
    });
  });

  test('a kernel that dies says so in its cell, and the notebook gets a fresh one under the same id', async () => {
    const { id: kernel } = session.kernel;
    const page = await openPage(kernel, 'death');
    await page.until(isIdle(page.send('execute_request', code('const kept = 1;'), 'a')));
    const id = page.send(
      'execute_request',
      code(`console.error('last words'); process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})`),
      'b',
    );
    const error = await page.until(isOf(id, 'error'));
    expect(error.content['ename']).toBe('KernelDied');
    expect(error.content['evalue']).toContain('SIGKILL');
    await page.until(isIdle(id));
    await page.until(({ content }) => content['execution_state'] === 'dead');
    expect(await json('GET', `/api/kernels/${kernel}`)).toMatchObject({ execution_state: 'dead' });
    const late = await openPage(kernel, 'late');
    await late.until(({ content }) => content['execution_state'] === 'dead');
    expect(late.messages.filter(isOf(id, 'error'))).toHaveLength(1);

    const again = await json<SessionModel>('POST', '/api/sessions', {
      path: '01-tiny.ipynb',
      type: 'notebook',
      kernel: { name: 'dgm' },
    });
    expect([again.id, again.kernel.id]).toEqual([session.id, kernel]);
    const fresh = page.send('execute_request', code('typeof kept'), 'a');
    expect((await page.until(isOf(fresh, 'execute_reply'))).content['status']).toBe('error'); // the compiler does not know it
    await page.until(isIdle(fresh));
    await Promise.all([page.close(), late.close()]);
  });

  test('a restart forgets, an end ends', async () => {
    const { id: kernel } = session.kernel;
    const page = await openPage(kernel, 'restart');
    const waits = page.send('execute_request', code('const forgotten = 1; await new Promise(() => {})'), 'a');
    await page.until(isOf(waits, 'execute_input'));
    expect(await json('POST', `/api/kernels/${kernel}/restart`)).toMatchObject({ id: kernel, execution_state: 'idle' });
    await page.until(isIdle(waits));
    const pid = page.send('execute_request', code('process.pid'), 'a');
    const { data } = (await page.until(isOf(pid, 'execute_result'))).content as { data: Record<string, string> };
    expect(isAlive(Number(data['text/plain']))).toBe(true);
    await json('DELETE', `/api/sessions/${session.id}`);
    expect(isAlive(Number(data['text/plain']))).toBe(false);
    await page.closed;
    expect((await ask('GET', `/api/kernels/${kernel}`)).status).toBe(404);
    expect(await json('GET', '/api/sessions')).toEqual([]);
  });
});

describe('the end', () => {
  /** A desk in a process of its own, with a kernel in the middle of a cell. */
  async function startProcess() {
    const temporary = mkdtempSync(join(tmpdir(), 'desk-end-'));
    const script = `
      const { startDesk } = require(${JSON.stringify(join(import.meta.dirname, '../../../app/dist/desk/server.js'))});
      startDesk({ root: ${JSON.stringify(root)}, bundle: '/none' }).then((desk) => {
        process.on('SIGTERM', desk.stop);
        console.log(JSON.stringify({ port: desk.port, token: desk.token }));
      });`;
    const child = spawn(process.execPath, ['-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: temporary },
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const { port, token } = await new Promise<DeskServer>((resolve) =>
      child.stdout.once('data', (text: Buffer) => resolve(JSON.parse(text.toString()) as DeskServer)),
    );
    const headers = { authorization: `token ${token}` };
    const made = await fetch(`http://127.0.0.1:${port}/api/kernels`, { method: 'POST', headers, body: '{}' });
    const { id } = (await made.json()) as { id: string };
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api/kernels/${id}/channels`, { headers });
    const pid = await new Promise<number>((resolve) => {
      socket.on('open', () =>
        socket.send(
          JSON.stringify({
            channel: 'shell',
            header: createHeader('execute_request', 's'),
            content: code('console.log(process.pid); for (;;) {}'),
          }),
        ),
      );
      socket.on('message', (data: Buffer) => {
        const { header, content } = JSON.parse(data.toString()) as ChannelMessage;
        if (header.msg_type === 'stream') resolve(Number(content['text']));
      });
    });
    socket.on('error', () => undefined);
    return { child, ended, pid, temporary };
  }

  test.each(['SIGTERM', 'SIGKILL'] as const)('by %s leaves no kernel and no file', async (signal) => {
    const { child, ended, pid, temporary } = await startProcess();
    expect(isAlive(pid)).toBe(true);
    child.kill(signal);
    expect(await ended).toBe(signal === 'SIGTERM' ? 0 : null);
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
    expect(readdirSync(temporary)).toEqual([]);
    rmSync(temporary, { recursive: true });
  });
});
