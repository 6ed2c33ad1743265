import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findJupyter, jupyterAt } from '../../../app/start/find-jupyter';
import { bin, env, jupyter, program, root, useWorkbook } from './start-helpers';

// Which Jupyter is taken on machines of every kind: with this one, with that one, with a broken one, with none.

useWorkbook();

test('JupyterLab before Notebook', async () => {
  jupyter('jupyter-notebook', '6.4.12');
  jupyter('jupyter-lab', '4.6.4');
  const { found, broken } = await findJupyter(env);
  expect(found.map(({ kind, version }) => [kind, version])).toEqual([
    ['lab', '4.6.4'],
    ['notebook', '6.4.12'],
  ]);
  expect(broken).toEqual([]);
});

test('the general program, where there is no other', async () => {
  program('jupyter', `if (process.argv[2] === 'notebook') console.log('7.6.3'); else process.exit(1)`);
  const { found } = await findJupyter(env);
  expect(found).toMatchObject([{ kind: 'notebook', version: '7.6.3', command: [join(bin, 'jupyter'), 'notebook'] }]);
});

test('broken ones are named with their reason, and the next is taken', async () => {
  program('jupyter-lab', `console.error("ModuleNotFoundError: No module named 'jupyterlab'"); process.exit(1)`);
  jupyter('jupyter-notebook', '6.4.12');
  const { found, broken } = await findJupyter(env);
  expect(found).toHaveLength(1);
  expect(broken).toEqual([expect.stringContaining("does not work: ModuleNotFoundError: No module named 'jupyterlab'")]);
});

test.each([
  ['a Notebook of old', '5.7.8', 'is version 5.7.8; 6 or newer is needed'],
  ['one that says nothing', '', 'does not tell its version'],
])('%s', async (_, version, reason) => {
  program('jupyter-notebook', `console.log('${version}')`);
  expect((await findJupyter(env)).broken).toEqual([expect.stringContaining(reason)]);
});

test('none, and a PATH that is not there', async () => {
  expect(await findJupyter(env)).toEqual({ found: [], broken: [] });
  expect(await findJupyter({})).toEqual({ found: [], broken: [] });
});

test('a file that nobody may run is no Jupyter', async () => {
  chmodSync(jupyter('jupyter-lab', '4.6.4'), 0o644);
  expect((await findJupyter(env)).found).toEqual([]);
});

test('one that the user names: a program or its folder', async () => {
  const venv = join(root, 'venv');
  const lab = jupyter('jupyter-lab', '4.0.0', '/lab', venv);
  expect(await jupyterAt(venv, env)).toMatchObject({ kind: 'lab', command: [lab] });
  expect(await jupyterAt(lab, env)).toMatchObject({ kind: 'lab', command: [lab] });
  const general = program('jupyter', `process.argv[2] === 'lab' ? console.log('4.0.0') : process.exit(1)`, venv);
  expect(await jupyterAt(general, env)).toMatchObject({ kind: 'lab', command: [general, 'lab'] });
  await expect(jupyterAt(join(root, 'nowhere'), env)).rejects.toThrow('there is no Jupyter at');
  await expect(jupyterAt(program('jupyter-lab', 'process.exit(3)', venv), env)).rejects.toThrow('does not work');
});
