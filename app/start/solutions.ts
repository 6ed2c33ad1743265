/** `npm run solutions`: runs chapters from nothing and keeps what they print and draw, as notebooks or as a page. */
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parseBudget } from 'dgm/host';
import { chaptersIn, chosen, readNotebook, workbookRoot, writeWhole, type Chapter } from '../chapters/files';
import { serialiseNotebook } from 'dgm-jupyter';
import { notebookPage } from '../pages/page';
import { renderFigures } from '../pictures/picture';
import { failureText, runChapter } from '../chapters/run';

const HELP = `npm run solutions -- [CHAPTER…] [options]

Runs the solved chapters in the kernel, each in a fresh one, and writes their outputs and figures into
solutions/NN-name.ipynb. A chapter is a number or a name; without any, all are run.

  --budget X    scales the epochs of every training, for example 0.05 for a quick look; full trains longer, up to ten
                minutes a model, as for the notebooks that are kept in solutions/
  --html FILE   writes one page that needs nothing else, and leaves the notebook as it is (one chapter)
  --out DIR     writes the notebooks into this folder instead
  --jobs N      runs N chapters at once (default 1)
`;

export interface SolutionsOptions {
  readonly root: string;
  readonly chapters: readonly string[];
  readonly budget?: string;
  readonly html?: string;
  readonly out?: string;
  readonly jobs: number;
}

/** Reads the command line. @throws when an option does not exist or makes no sense */
export function solutionsOptions(args: readonly string[], root: string): SolutionsOptions | 'help' {
  const string = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { budget: string, html: string, out: string, jobs: string, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return 'help';
  const { budget, html, out, jobs = '1' } = values;
  if (budget !== undefined) parseBudget(budget, '--budget');
  if (!/^[1-9]\d*$/.test(jobs)) throw new Error(`--jobs must be an integer ≥ 1, got "${jobs}"`);
  if (html !== undefined && out !== undefined)
    throw new Error('--html writes a page, --out notebooks: choose one of them');
  return {
    root,
    chapters: positionals,
    jobs: Number(jobs),
    ...(budget !== undefined && { budget }),
    ...(html !== undefined && { html }),
    ...(out !== undefined && { out }),
  };
}

/** Runs the chapters; true when every cell of each of them ran. */
export async function solutions(options: SolutionsOptions): Promise<boolean> {
  const folder = join(options.root, 'solutions');
  const chapters = chosen(await chaptersIn(folder), options.chapters, folder);
  if (options.html !== undefined && chapters.length !== 1)
    throw new Error(
      `--html writes one chapter to one page; name it, for example: npm run solutions -- ${chapters[0]!.name.slice(0, 2)} --html page.html`,
    );
  const waiting = [...chapters];
  let ok = true;
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) ok = (await solve(next, options)) && ok;
  };
  await Promise.all(Array.from({ length: Math.min(options.jobs, chapters.length) }, worker));
  return ok;
}

async function solve(chapter: Chapter, options: SolutionsOptions): Promise<boolean> {
  const { root, budget, html, out = join(root, 'solutions'), jobs } = options;
  const result = await runChapter(await readNotebook(chapter.path), {
    name: chapter.name,
    cwd: join(root, 'solutions'),
    ...(budget !== undefined && { env: { DGM_BUDGET: budget } }),
    ...(jobs > 1 && { live: false }),
  });
  for (const failure of result.failures) console.error(failureText(chapter.name, result.notebook, failure));
  // A page shows how far it came; a notebook that is kept must be whole
  if (html !== undefined)
    await written(resolve(html), await notebookPage(await renderFigures(result.notebook, { largestJson: Infinity })));
  else if (result.ok)
    await written(join(out, `${chapter.name}.ipynb`), serialiseNotebook(await renderFigures(result.notebook)));
  else console.error(`${chapter.name}: nothing written`);
  return result.ok;
}

async function written(path: string, text: string): Promise<void> {
  await writeWhole(path, text);
  console.log(`${relative('', path)} (${Math.round(text.length / 1000)} kB)`);
}

async function main(): Promise<void> {
  const options = solutionsOptions(process.argv.slice(2), workbookRoot());
  if (options === 'help') process.stdout.write(HELP);
  else if (!(await solutions(options))) process.exitCode = 1;
}

if (require.main === module)
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
