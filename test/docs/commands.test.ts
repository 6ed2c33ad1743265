import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { createProgram } from '../../grader/commands/cli';
import { type Page, pages, read, ROOT } from './pages';

/** A command line as a page has it. */
interface Line {
  readonly text: string;
  readonly program: 'npm' | 'grade';
  /** The script, or the command of `grade`. */
  readonly name: string;
  readonly options: readonly string[];
}

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};

const linesOf = (page: Page): Line[] =>
  read(page).commands.flatMap((text) => text.split(/\s+(?:&&|\|)\s+/).flatMap(parse));

/** A name in capitals stands for any. */
function parse(text: string): Line[] {
  const [line] = text.split(/\s+#\s/) as [string];
  const options = line.match(/(?<=\s)--[a-z][\w-]*/g) ?? [];
  const [, script] = /^npm (?!run [A-Z]+\b)(?:run (?:-s )?)?([\w-]+)/.exec(line) ?? [];
  if (script !== undefined) return [{ text, program: 'npm', name: script, options }];
  const [, command] = /^npx grade (?![A-Z]+\b)([\w-]+)/.exec(line) ?? [];
  return command === undefined ? [] : [{ text, program: 'grade', name: command, options }];
}

const { commands } = createProgram();

/** What each npm script says of itself, for those that a page gives an option. */
const helps = new Map<string, string>();

beforeAll(async () => {
  const asked = pages.flatMap(linesOf).filter(({ program, options }) => program === 'npm' && options.length > 0);
  for (const name of new Set(['notebooks', ...asked.map((line) => line.name)])) {
    const [, file] = /^node (\S+\.m?js)$/.exec(scripts[name] ?? '') ?? [];
    if (file === undefined) continue;
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, file), '--help'], { cwd: ROOT });
    helps.set(name, stdout);
  }
}, 180_000);

/** Undefined when there is no such command. */
function optionsOf({ program, name }: Line): readonly string[] | undefined {
  if (program === 'npm')
    return name in scripts ? [...(helps.get(name)?.match(/--[a-z][\w-]*/g) ?? []), '--help'] : undefined;
  const command = commands.find((one) => one.name() === name);
  return command && [...command.options.map(({ long }) => long!), '--help'];
}

function unknownIn(page: Page): string[] {
  return linesOf(page).flatMap((line) => {
    const known = optionsOf(line);
    if (!known) return [`${line.text}: there is no ${line.program} ${line.name}`];
    const unknown = line.options.filter((option) => !known.includes(option));
    return unknown.map((option) => `${line.text}: ${line.program} ${line.name} has no ${option}`);
  });
}

test('there are commands', () => expect(pages.flatMap(linesOf).length).toBeGreaterThan(20));

test.each(pages.map((page) => [page.path, page] as const))('%s names commands and options that exist', (_, page) =>
  expect(unknownIn(page)).toEqual([]),
);

describe('is seen to be wrong', () => {
  const page = (text: string): Page => ({ path: 'docs/example.md', text });
  test.each([
    ['`npm run bulid`', 'there is no npm bulid'],
    ['`npx grade vallidate x.ipynb`', 'there is no grade vallidate'],
    ['```sh\nnpx grade check 03 --wach\n```', 'grade check has no --wach'],
    ['`npm run notebooks -- --chek`', 'npm notebooks has no --chek'],
    ['```sh\nnpm start && npm run lints\n```', 'there is no npm lints'],
  ])('%s', (text, said) => expect(unknownIn(page(text)).join()).toContain(said));

  test('and not where it is right', () => {
    const text =
      '```sh\nnpm run notebooks && npx grade check 03 --watch --only mixture.mStep  # --nothing\nnpm start\n```';
    expect(unknownIn(page(text))).toEqual([]);
  });
});
