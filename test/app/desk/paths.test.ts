import { existsSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { partsOf } from '../../../app/desk/paths';
import { ask, everything, json, root, SECRET, useDesk } from './desk-helpers';

// No path of a request leads out of the notebooks' folder.

useDesk();

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
    ask('GET', `/pages/${path}.html`),
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
  const part = fc.oneof(fc.constantFrom('..', '.', '', 'a', '.git', 'C:', '\\', '..\\', '\0', '%2e%2e'), fc.string());
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), (joined) => {
      let parts: string[];
      try {
        parts = partsOf(joined.join('/'));
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
