import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { writeRedirect } from '../../../app/start/jupyter-server';
import { CHROMIUM, launchBrowser } from '../browser-helpers';
import { ask, desk, everything, handshake, root, useDesk } from './desk-helpers';

// Who comes in: a browser that was given the token, on a page of ours, and nobody else.

useDesk();

const own = () => `http://127.0.0.1:${desk.port}`;
const cookie = () => ({ cookie: `other=1; dgm-desk-${desk.port}=${desk.token}` });
const PATHS = ['/', '/static/app.js', '/api/contents', '/api/kernels', '/nowhere', '/lab/extensions/dgm/plotly.min.js'];

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
