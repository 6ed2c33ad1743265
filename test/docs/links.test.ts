import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { baseOf, files, folders, type Page, pages, read, ROOT } from './pages';

const byPath = new Map(pages.map((page) => [page.path, page]));

/** Relative links that lead to no file, or to a file without that anchor. */
function brokenLinks(page: Page): string[] {
  return read(page).links.filter((link) => {
    if (/^(https?|mailto):/.test(link)) return false;
    const [path, anchor] = decodeURI(link).split('#') as [string, string | undefined];
    const target = path === '' ? page.path : posix.join(baseOf(page), path).replace(/(?<=.)\/$/, '');
    if (target !== page.path && !files.includes(target) && !folders.has(target)) return true;
    return anchor !== undefined && !anchorsOf(target === page.path ? page : byPath.get(target)).has(anchor);
  });
}

/** Of a file that is no page there are none. */
const anchorsOf = (found: Page | undefined): ReadonlySet<string> => (found ? read(found).anchors : new Set());

/** Inline code that looks like a path from the root, or like a source file, and what it stands for. */
function unknownPaths(page: Page): string[] {
  return read(page).codes.filter((code) => {
    if (DOORS.has(code) || MADE_BY_A_COMMAND.some((pattern) => pattern.test(code))) return false;
    if (/^[\w.-]+\.(ts|mjs|py)$/.test(code)) return !files.some((file) => patternOf(code).test(posix.basename(file)));
    if (!/^\.?[\w-]+(\.[\w-]+)*(\/[\w.…*<>{},@-]+)*\/?$/.test(code) || !isOurs(code)) return false;
    const pattern = patternOf(code.replace(/\/$/, ''));
    return !files.some((file) => pattern.test(file)) && ![...folders].some((folder) => pattern.test(folder));
  });
}

/** What `import` may name of our packages. */
const DOORS = new Set(
  files
    .filter((file) => /^\w+\/package\.json$/.test(file))
    .map((file) => JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as { name: string; exports?: object })
    .flatMap(({ name, exports = {} }) => Object.keys(exports).map((path) => posix.join(name, path))),
);

/** What the repository does not hold: a command writes it, or a release has it. */
const MADE_BY_A_COMMAND = [/(^|\/)dist(\/|$)/, /^graded\//, /^grader\/release\.json$/, /^\.progress\.json$/];

const TOP = new Set(files.map((file) => file.split('/')[0]!));
const isOurs = (code: string): boolean => code.includes('/') && TOP.has(code.split('/')[0]!);

/** `NN-name`, `NNNN-name`, `name`, `<name>`, `*` and `{a,b}` stand for others; all else for itself. */
function patternOf(code: string): RegExp {
  const text = code
    .replace(/[.+]/g, '\\$&')
    .replace(/\*+|<[^>]*>/g, '[^/]+')
    .replace(/\bN+(?=-)/g, (digits) => `\\d{${digits.length}}`)
    .replace(/\bname\b/g, '[\\w-]+')
    .replace(/\{([^}]*)\}/g, (_, list: string) => `(${list.replaceAll(',', '|')})`);
  return new RegExp(`^${text}$`);
}

const page = (text: string): Page => ({ path: 'docs/example.md', text });

test('there are pages', () => expect(pages.length).toBeGreaterThan(3));

describe.each(pages.map((p) => [p.path, p] as const))('%s', (_, found) => {
  test('its relative links lead somewhere', () => expect(brokenLinks(found)).toEqual([]));
  test('the files that it names are there', () => expect(unknownPaths(found)).toEqual([]));
});

describe('is seen to be wrong', () => {
  test('a link to no file, to no anchor, or out of the repository', () => {
    const text =
      '[a](../README.md) [b](../LICENSE.md) [c](../README.md#licence) [d](../README.md#no-such) [e](../../x)';
    expect(brokenLinks(page(text))).toEqual(['../LICENSE.md', '../README.md#no-such', '../../x']);
  });

  test('an anchor of this page, and of the second heading of a name', () => {
    const text = '# One two, *three*\n# A `b`\n# A b\n[x](#one-two-three) [y](#a-b) [z](#a-b-1) [w](#a-b-2) [v](#one)';
    expect(brokenLinks(page(text))).toEqual(['#a-b-2', '#one']);
  });

  test('a picture that is not there', () => {
    expect(brokenLinks(page('![a](../solutions/pictures/chapter-99.png)'))).toHaveLength(1);
  });

  test('a name of no file, and of a pattern that fits none', () => {
    const good = '`lib/core/model.ts` `lib/core/` `grader/chapters/checks/NN-name.ts` `notebooks/*.ipynb` `trace.ts`';
    const other = '`a/b` `dgm/engine` `x.sub(y)` `graded/<name>/result.json` `3/4` `tf.Tensor`';
    expect(unknownPaths(page(`${good} ${other}`))).toEqual([]);
    const bad = ['lib/core/models.ts', 'lib/cores/', 'grader/chapters/NN-name.ts', 'notebooks/*.txt', 'traces.ts'];
    expect(unknownPaths(page(bad.map((code) => `\`${code}\``).join(' ')))).toEqual(bad);
  });
});
