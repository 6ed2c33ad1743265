import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { workbookRoot } from 'dgm/host';

const ROOT = resolve(import.meta.dirname, '../../..');

test('the workbook is found from the sources, and from the build wherever one stands', () => {
  expect(workbookRoot).toBe(ROOT);
  const elsewhere = mkdtempSync(join(tmpdir(), 'elsewhere-'));
  const ask = `console.log(require(${JSON.stringify(join(ROOT, 'lib', 'dist', 'host'))}).workbookRoot)`;
  const built = execFileSync(process.execPath, ['-e', ask], { cwd: elsewhere, encoding: 'utf8' }).trim();
  rmSync(elsewhere, { recursive: true });
  expect(built).toBe(realpathSync(ROOT));
});
