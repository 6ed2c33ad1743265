import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Page, pages, read, ROOT } from './pages';

/** A command line as a page has it: what is started, and the options it is given. */
interface Line {
  readonly text: string;
  /** `npm run NAME`, `npx grade` or `npx grade NAME`. */
  readonly command: string;
  readonly options: readonly string[];
}

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};

function linesOf(page: Page): Line[] {
  return read(page)
    .commands.flatMap((text) => text.split(/\s+(?:&&|\|)\s+/).map(parse))
    .flatMap((line) => line ?? []);
}

function parse(text: string): Line | undefined {
  const [line] = text.split(/\s+#\s/) as [string];
  const options = line.match(/(?<=\s)--[a-z][\w-]*/g) ?? [];
  const [, script] = /^npm (?:run (?:-s )?)?([\w-]+)/.exec(line) ?? [];
  if (script !== undefined) return { text, command: `npm run ${script}`, options };
  const [, grade] = /^npx grade(?: ([\w-]+))?/.exec(line) ?? [];
  return line.startsWith('npx grade') ? { text, command: `npx grade ${grade ?? ''}`.trim(), options } : undefined;
}

/** The command's own words about itself; undefined when there is no such command. */
async function helpOf(command: string): Promise<string | undefined> {
  const [program, ...words] = programOf(command) ?? [];
  if (program === undefined) return undefined;
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, program), ...words, '--help'], {
    cwd: ROOT,
  });
  return stdout;
}

function programOf(command: string): string[] | undefined {
  const [, , name] = command.split(' ') as [string, string, string | undefined];
  if (command.startsWith('npx')) return ['grader/bin/grade.mjs', ...(name === undefined ? [] : [name])];
  return /^node (\S+\.m?js)$/.exec(scripts[name!] ?? '')?.slice(1);
}

/** By command: what it says of itself. */
const helps = new Map<string, string>();

beforeAll(async () => {
  helps.set('npx grade', (await helpOf('npx grade'))!);
  const commands = new Set(
    pages
      .flatMap(linesOf)
      .filter(({ options }) => options.length > 0)
      .map(({ command }) => command),
  );
  const waiting = [...commands].filter((command) => exists(command) && !helps.has(command));
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) helps.set(next, (await helpOf(next)) ?? '');
  };
  await Promise.all([worker(), worker()]);
});

function exists(command: string): boolean {
  const [runner, , name] = command.split(' ') as [string, string, string | undefined];
  if (runner === 'npm') return name! in scripts;
  return name === undefined || new RegExp(`^  ${name} `, 'm').test(helps.get('npx grade')!);
}

function unknownIn(page: Page): string[] {
  return linesOf(page).flatMap(({ text, command, options }) => {
    if (!exists(command)) return [`${text}: there is no ${command}`];
    const unknown = options.filter((option) => !new RegExp(`${option}(?![\\w-])`).test(helps.get(command) ?? ''));
    return unknown.map((option) => `${text}: ${command} has no ${option}`);
  });
}

test('there are commands', () => expect(pages.flatMap(linesOf).length).toBeGreaterThan(20));

test.each(pages.map((page) => [page.path, page] as const))('%s names commands and options that exist', (_, page) =>
  expect(unknownIn(page)).toEqual([]),
);

describe('is seen to be wrong', () => {
  const page = (text: string): Page => ({ path: 'docs/example.md', text });
  test.each([
    ['`npm run bulid`', 'there is no npm run bulid'],
    ['`npx grade vallidate x.ipynb`', 'there is no npx grade vallidate'],
    ['```sh\nnpx grade check 03 --wach\n```', 'npx grade check has no --wach'],
    ['`npm run notebooks -- --chek`', 'npm run notebooks has no --chek'],
  ])('%s', (text, said) => expect(unknownIn(page(text)).join()).toContain(said));

  test('and not where it is right', () => {
    const text =
      '```sh\nnpm run notebooks && npx grade check 03 --watch --only mixture.mStep  # --nothing\nnpm start\n```';
    expect(unknownIn(page(text))).toEqual([]);
  });
});
