import { readFileSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { startServer, writeRedirect } from '../../../app/start/jupyter-server';
import { env, jupyter, program, root, useWorkbook } from './start-helpers';

// A Jupyter server as we start it: what it is told, and what we make of what it says.

useWorkbook();

const started = () =>
  JSON.parse(readFileSync(join(root, 'started.json'), 'utf8')) as { args: string[] } & Record<string, string>;

async function run(path: string, kind: 'lab' | 'notebook', more = {}) {
  const command = [jupyter(`jupyter-${kind}`, '4.0.0', path)] as const;
  const server = await startServer({ root, env, jupyter: { kind, version: '4.0.0', command }, ...more });
  server.stop();
  await server.ended;
  return server.address;
}

test.each([
  ['/lab', 'lab', '/lab/tree/01-tiny.ipynb'],
  ['/user/x/lab', 'lab', '/user/x/lab/tree/01-tiny.ipynb'],
  ['/', 'notebook', '/notebooks/01-tiny.ipynb'],
  ['/tree', 'notebook', '/notebooks/01-tiny.ipynb'],
  ['/user/x/tree', 'notebook', '/user/x/notebooks/01-tiny.ipynb'],
] as const)('that says %s as %s opens %s', async (path, kind, expected) => {
  const address = new URL(await run(path, kind, { notebook: '01-tiny.ipynb' }));
  expect([address.host, address.pathname]).toEqual(['localhost:8899', expected]);
  expect(address.searchParams.get('token')).toBe(started()['JUPYTER_TOKEN']);
});

test('is told where our kernel is, runs it on this Node, and is not told the token on its command line', async () => {
  env['JUPYTER_PATH'] = '/theirs';
  await run('/lab', 'lab');
  const { args, JUPYTER_PATH, JUPYTER_CONFIG_PATH, JUPYTER_TOKEN, PATH } = started();
  expect(JUPYTER_PATH).toBe([join(root, 'jupyter', 'share'), '/theirs'].join(delimiter));
  expect(JUPYTER_CONFIG_PATH).toBe(join(root, 'jupyter', 'share', 'config'));
  expect(PATH!.split(delimiter)[0]).toBe(dirname(process.execPath));
  expect(args).toContain(`--notebook-dir=${join(root, 'notebooks')}`);
  expect(args).toContain('--no-browser');
  expect(args.includes('--allow-root')).toBe(process.getuid?.() === 0);
  expect(JUPYTER_TOKEN).toMatch(/^[0-9a-f]{48}$/);
  expect(args.join(' ')).not.toContain(JUPYTER_TOKEN);
});

test('takes the port that the user wants and no other, and a token that is set already', async () => {
  env['JUPYTER_TOKEN'] = 'mine';
  expect(await run('/lab', 'lab', { port: 9123 })).toContain('token=mine');
  expect(started().args).toEqual(expect.arrayContaining(['--port=9123', '--port-retries=0']));
});

test('plotly is put where both kinds of server serve files', async () => {
  await run('/lab', 'lab');
  for (const folder of ['nbextensions', 'labextensions'])
    expect(statSync(join(root, 'jupyter/share', folder, 'dgm/plotly.min.js')).size).toBeGreaterThan(1e6);
});

test('that ends at once: its last words', async () => {
  const command = [program('jupyter-lab', `console.error('port 9123 is not available'); process.exit(1)`)] as const;
  await expect(startServer({ root, env, jupyter: { kind: 'lab', version: '4.0.0', command } })).rejects.toThrow(
    /exit code 1[^]*port 9123 is not available/,
  );
});

test('the page that leads the browser there is for its owner only, and nothing in the address can leave its place', async () => {
  const file = join(root, 'open.html');
  await writeRedirect(file, 'http://localhost/?a=1&token="><script>');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).not.toContain('"><script>');
});
