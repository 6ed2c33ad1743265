import { join } from 'node:path';
import { ESLint, type Linter } from 'eslint';
import { parser } from 'typescript-eslint';
import { beforeAll, describe, expect, test } from 'vitest';

// What the linter's own rules refuse, and that no exception outlives its reason.

const root = join(import.meta.dirname, '..');

const SIZES = ['max-lines', 'max-lines-per-function', 'max-params'];

const rulesOf = (messages: readonly Linter.LintMessage[]) => [...new Set(messages.map(({ ruleId }) => ruleId))];

describe('the linter refuses', () => {
  let eslint: ESLint;
  beforeAll(() => {
    eslint = new ESLint({ cwd: root });
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
      readonly BASELINE: readonly Exception[];
      readonly SIZES: Linter.RulesRecord;
    };
    exceptions = [...config.EXCEPTIONS, ...config.BASELINE];
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
