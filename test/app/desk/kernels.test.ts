import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { isRunning } from 'dgm/host';
import { type ChannelMessage, V1 } from '../../../app/desk/channel-messages';
import type { Execution } from '../../../app/desk/protocol';
import type { DeskServer } from '../../../app/desk/server';
import type { SessionModel } from '../../../app/desk/sessions';
import { createHeader } from '../../../jupyter/client/messages';
import { ask, cells, code, isIdle, isOf, json, notebook, openPage, printedBy, root, useDesk } from './desk-helpers';

// Kernels behind the desk: real ones, from the first cell to the end of the server.

useDesk();

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

test('a stop while the kernel starts is for the cell that waits, and for no later one', async () => {
  const page = await openPage(session.kernel.id, 'early stop');
  const restarted = ask('POST', `/api/kernels/${session.kernel.id}/restart`);
  await new Promise((done) => setTimeout(done, 20)); // the old process ends now; nobody listens yet
  const id = page.send('execute_request', code('for (;;) {}'), 'a');
  await new Promise((done) => setTimeout(done, 20));
  expect((await ask('POST', `/api/kernels/${session.kernel.id}/interrupt`)).status).toBe(204);
  expect((await page.until(isOf(id, 'error'))).content['ename']).toBe('KeyboardInterrupt');
  await page.until(isIdle(id));
  const next = page.send('execute_request', code('6 * 7'), 'b');
  expect((await page.until(isOf(next, 'execute_reply'))).content['status']).toBe('ok');
  await restarted;
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
  expect(isRunning(Number(data['text/plain']))).toBe(true);
  await json('DELETE', `/api/sessions/${session.id}`);
  expect(isRunning(Number(data['text/plain']))).toBe(false);
  await page.closed;
  expect((await ask('GET', `/api/kernels/${kernel}`)).status).toBe(404);
  expect(await json('GET', '/api/sessions')).toEqual([]);
});

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
  expect(isRunning(pid)).toBe(true);
  child.kill(signal);
  expect(await ended).toBe(signal === 'SIGTERM' ? 0 : null);
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
  expect(readdirSync(temporary)).toEqual([]);
  rmSync(temporary, { recursive: true });
});
