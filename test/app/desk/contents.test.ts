import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseNotebook, serialiseNotebook } from 'dgm-jupyter';
import type { ContentsModel } from '../../../app/desk/file-model';
import { LARGEST_BODY } from '../../../app/desk/http';
import type { ChapterProgress } from '../../../app/desk/protocol';
import { ask, cells, everything, exercise, json, notebook, root, useDesk } from './desk-helpers';

// Notebooks and other files over HTTP, and every other address.

useDesk();

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

test('the list has what is there, and nothing hidden or linked from elsewhere', async () => {
  const { content } = await json<{ content: ContentsModel[] }>('GET', '/api/contents');
  expect(content.map(({ path, type }) => `${type} ${path}`)).toEqual(['notebook 01-tiny.ipynb', 'directory folder']);
  expect(content.every(({ content }) => content === null)).toBe(true);
});

test('a notebook is downloaded as a page, which the desk itself never shows', async () => {
  const { status, headers, text } = await ask('GET', '/pages/01-tiny.html');
  expect([status, headers['content-disposition']]).toEqual([200, "attachment; filename*=UTF-8''01-tiny.html"]);
  expect(headers['content-security-policy']).toContain("default-src 'none'");
  expect(text).toMatch(/<h1 id="[^"]+"[^>]*>1 Tiny/);
  expect((await ask('GET', '/pages/02-none.html')).status).toBe(404);
  expect((await ask('GET', '/pages/01-tiny.html', { token: null })).status).toBe(401);
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
  ['GET', '/api/contents/nope.ipynb', 'nope.ipynb: there is no such file; choose a chapter from the list'],
  ['GET', '/api/contents/nowhere/x.ipynb', 'x.ipynb: there is no such file; choose a chapter from the list'],
  ['GET', `/api/contents/${'x'.repeat(300)}.ipynb`, 'use other characters, or a shorter name'],
  ['DELETE', '/api/contents/nope.txt', 'nope.txt: there is no such file; choose a chapter from the list'],
])('%s %s says what is wrong, without the system’s words', async (method, path, message) => {
  const { text, status } = await ask(method, path);
  expect(status).toBeGreaterThanOrEqual(400);
  expect((JSON.parse(text) as { message: string }).message).toContain(message);
  expect(text).not.toMatch(/ENO|ENAME|stat '/);
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
