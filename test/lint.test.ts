import { execFile } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { ESLint, type Linter } from 'eslint';
import { parser } from 'typescript-eslint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// What the linter and the search for unused code refuse, and that no exception outlives its reason.

const root = join(import.meta.dirname, '..');

const SIZES = ['max-lines', 'max-lines-per-function', 'max-params'];

const rulesOf = (messages: readonly Linter.LintMessage[]) => [...new Set(messages.map(({ ruleId }) => ruleId))];

describe('the linter refuses', () => {
  let eslint: ESLint;
  beforeAll(() => {
    // in CI the parser would take the files as they are on disk for the texts that it is given here
    const parserOptions = { disallowAutomaticSingleRunInference: true };
    eslint = new ESLint({ cwd: root, overrideConfig: { languageOptions: { parserOptions } } });
  });
  const refused = async (text: string, filePath: string) =>
    rulesOf((await eslint.lintText(text, { filePath: join(root, filePath) })).flatMap(({ messages }) => messages));
  const lines = (count: number) => 'void 0;\n'.repeat(count);

  test.each([
    ['no-floating-promises', `Promise.resolve(1);`],
    ['no-misused-promises', `[1].forEach(async () => { await Promise.resolve(1); });`],
    ['await-thenable', `export async function f() { await 3; }`],
    ['switch-exhaustiveness-check', `export function f(k: 'a' | 'b') { switch (k) { case 'a': return 1; } return 2; }`],
  ])(
    '%s',
    async (rule, text) => {
      // the text of a file that is there, since the types of its whole program are asked for
      for (const file of ['lib/core/batches.ts', 'test/helpers.ts'])
        expect(await refused(text, file)).toContain(`@typescript-eslint/${rule}`);
    },
    240_000,
  );

  test('long files, long functions, many parameters, but not in tests', async () => {
    const long = `export function f(a: 1, b: 1, c: 1, d: 1, e: 1, g: 1) {\nreturn [a, b, c, d, e, g];\n${lines(80)}}\n${lines(320)}`;
    expect(await refused(long, 'lib/core/batches.ts')).toEqual(expect.arrayContaining(SIZES));
    expect(await refused(long, 'test/helpers.ts')).not.toContain('max-lines');
    const fair = `export function f() {\n${'// a reason\n\n'.repeat(400)}${lines(78)}}\n`;
    expect((await refused(fair, 'lib/core/batches.ts')).filter((rule) => SIZES.includes(rule!))).toEqual([]);
  });
});

describe('an exception from a size', () => {
  interface Exception {
    readonly file: string;
    readonly rule: string;
  }
  let exceptions: readonly Exception[];
  let eslint: ESLint;
  beforeAll(async () => {
    const config = (await import(join(root, 'eslint.config.mjs'))) as {
      readonly EXCEPTIONS: readonly Exception[];
      readonly SIZES: Linter.RulesRecord;
    };
    exceptions = config.EXCEPTIONS;
    eslint = new ESLint({
      cwd: root,
      overrideConfigFile: true, // the sizes alone, of which nothing is excepted
      overrideConfig: [{ files: ['**/*.ts', '**/*.mjs'], languageOptions: { parser }, rules: config.SIZES }],
    });
  });
  const needless = async ({ file, rule }: Exception) => {
    const rules = rulesOf((await eslint.lintFiles(file)).flatMap(({ messages }) => messages));
    expect(rules).not.toContain(null); // the file was not read
    return !rules.includes(rule);
  };

  test('is still needed', async () => {
    for (const exception of exceptions)
      if (await needless(exception)) expect.fail(`${exception.file} keeps to ${exception.rule}: drop its exception`);
  });

  test('that is not needed is found', async () => {
    expect(await needless({ file: 'lib/core/batches.ts', rule: 'max-lines' })).toBe(true);
  });
});

describe('what nothing uses', () => {
  const copy = mkdtempSync(join(tmpdir(), 'dgm-unused-'));
  afterAll(() => rmSync(copy, { recursive: true }));

  function findUnused(): Promise<string> {
    const knip = join(root, 'node_modules', 'knip', 'bin', 'knip.js');
    const done = promisify(execFile)(process.execPath, [knip, '--no-progress'], { cwd: copy });
    return done.then(({ stdout }) => stdout).catch(({ stdout }: { readonly stdout: string }) => stdout);
  }

  test('is refused: a file, an export, a package, and a package that is not listed', async () => {
    const filter = (path: string) => !/^(node_modules|\.git|datasets|hostile|.*\.ipynb)$/.test(basename(path));
    cpSync(root, copy, { recursive: true, filter });
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
    writeFileSync(join(copy, 'lib/core/attic.ts'), 'export const a = 1;\n');
    appendFileSync(join(copy, 'lib/core/random.ts'), `import 'left-pad';\nexport const needless = 1;\n`);
    const packageFile = join(copy, 'grader/package.json');
    writeFileSync(packageFile, readFileSync(packageFile, 'utf8').replace('"zod"', '"ws": "1.0.0",\n    "zod"'));
    const found = (await findUnused()).split('\n').map((line) => line.trim().split(/\s+/));
    expect(found.filter(([name]) => !/^(Unused|Unlisted|)$/.test(name!))).toEqual([
      ['lib/core/attic.ts'],
      ['ws', expect.stringMatching('grader/package.json')],
      ['left-pad', expect.stringMatching('lib/core/random.ts')],
      ['needless', expect.stringMatching('lib/core/random.ts')],
    ]);
  }, 240_000);
});
