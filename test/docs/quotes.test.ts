import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { files, pages, ROOT } from './pages';

/** Code on a page whose first line names a file: what follows stands in that file, whatever its indentation. */
function misquoted(text: string, sourceOf = (file: string) => readFileSync(join(ROOT, file), 'utf8')): string[] {
  return [...text.matchAll(/^ *```ts\n *\/\/ (\S+\.ts)\n([\s\S]*?)^ *```$/gm)].flatMap(([, file, code]) => {
    const dense = (lines: string) => lines.replace(/\s+/g, ' ').trim();
    return files.includes(file!) && dense(sourceOf(file!)).includes(dense(code!)) ? [] : [`${file}: ${code}`];
  });
}

test.each(pages.map((page) => [page.path, page] as const))('%s quotes what stands in the files', (_, { text }) =>
  expect(misquoted(text)).toEqual([]),
);

test('a quotation that is old, or of a file that is gone, is seen', () => {
  const quote = (file: string) => `\`\`\`ts\n// ${file}\nconst a = 1;\n\`\`\`\n`;
  expect(misquoted(quote('lib/core/tensor.ts'), () => 'x();\nconst  a = 1;')).toEqual([]);
  expect(misquoted(quote('lib/core/tensor.ts'), () => 'const a = 2;')).toHaveLength(1);
  expect(misquoted(quote('lib/core/no-such.ts'), () => 'const a = 1;')).toHaveLength(1);
});
