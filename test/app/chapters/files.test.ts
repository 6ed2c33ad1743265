import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chaptersIn, chosen } from '../../../app/chapters/files';
import { chapter, root, useWorkbook } from '../start/start-helpers';

useWorkbook();

test('chapters by number, short number or name', async () => {
  for (const name of ['10-flows', '03-mixtures']) chapter('solutions', name, '');
  writeFileSync(join(root, 'solutions', 'notes.ipynb'), '');
  const folder = join(root, 'solutions');
  const chapters = await chaptersIn(folder);
  expect(chapters.map(({ name }) => name)).toEqual(['03-mixtures', '10-flows']);
  expect(chosen(chapters, ['3', '10', 'flows', '03-mixtures'], folder).map(({ name }) => name)).toEqual([
    '03-mixtures',
    '10-flows',
    '10-flows',
    '03-mixtures',
  ]);
  expect(chosen(chapters, [], folder)).toEqual(chapters);
  expect(() => chosen(chapters, ['1'], folder)).toThrow('no chapter "1"');
  expect(await chaptersIn(join(root, 'nowhere'))).toEqual([]);
});
