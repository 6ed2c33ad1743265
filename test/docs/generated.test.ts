import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { supportedOperations } from 'dgm/engine';
import { afterAll, describe, expect, test } from 'vitest';
import { operationTables } from '../../app/docs/operations';
import { outOfStep, withPart } from '../../app/docs/write';
import { ROOT } from './pages';

test('what npm run docs writes is in step with the code', async () =>
  expect([...(await outOfStep(ROOT)).keys()]).toEqual([]));

test('every operation of the engine is in the table, once, with its types', () => {
  const table = operationTables();
  for (const { name, types } of supportedOperations()) {
    const rows = table.split('\n').filter((line) => line.includes(`\`${name}\``) && line.includes(types.join(', ')));
    expect(rows, name).toHaveLength(1);
  }
});

describe('is seen to be out of step', () => {
  const root = mkdtempSync(join(tmpdir(), 'dgm-docs-'));
  mkdirSync(join(root, 'docs'));
  for (const file of ['house.svg', 'engine.md']) cpSync(join(ROOT, 'docs', file), join(root, 'docs', file));
  afterAll(() => rmSync(root, { recursive: true }));

  test('a picture that is gone, and a table without one of its rows', async () => {
    expect([...(await outOfStep(root)).keys()]).toEqual([]);
    const engine = join(root, 'docs', 'engine.md');
    const text = readFileSync(engine, 'utf8');
    writeFileSync(engine, text.replace('`Abs`', '`Abbs`'));
    rmSync(join(root, 'docs', 'house.svg'));
    const stale = await outOfStep(root);
    expect([...stale.keys()].sort()).toEqual(['docs/engine.md', 'docs/house.svg']);
    expect(stale.get('docs/engine.md')).toBe(text);
  });

  test('a page without the marks', () => {
    expect(() => withPart('no marks', 'operations', '')).toThrow('put them back');
  });
});
