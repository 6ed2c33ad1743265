/** `npm run solutions`: runs chapters from nothing and keeps what they print and draw, as notebooks or as a page. */
import { join, relative, resolve } from 'node:path';
import { parseBudget, workbookRoot, writeAtomically } from 'dgm/host';
import { serialiseNotebook } from 'dgm-jupyter';
import { chaptersIn, chosen, readNotebook, type Chapter } from '../chapters/files';
import { failureText, runChapter } from '../chapters/run';
import { integer, runCommand, text, type CommandLine, type Option } from '../command-line/command';
import { notebookPage } from '../pages/page';
import { renderFigures } from '../pictures/picture';

/** The text as it stands, for the kernel's environment. */
const budget: Option<string> = { type: 'string', read: (value, name) => (parseBudget(value, name), value) };

export const COMMAND = {
  help: `npm run solutions -- [CHAPTER…] [options]

Runs the solved chapters in the kernel, each in a fresh one, and writes their outputs and figures into
solutions/NN-name.ipynb. A chapter is a number or a name; without any, all are run.

  --budget X    scales the epochs of every training, for example 0.05 for a quick look; full trains longer, up to ten
                minutes a model, as for the notebooks that are kept in solutions/
  --html FILE   writes one page that needs nothing else, and leaves the notebook as it is (one chapter)
  --out DIR     writes the notebooks into this folder instead
  --jobs N      runs N chapters at once (default 1)
`,
  options: { budget, html: text, out: text, jobs: integer(1) },
  positionals: { name: 'chapter', most: Infinity },
};

export interface SolutionsOptions {
  readonly root: string;
  readonly chapters: readonly string[];
  readonly budget?: string;
  readonly html?: string;
  readonly out?: string;
  readonly jobs: number;
}

/** @throws when options contradict each other */
export function solutionsOptions(
  { options: { jobs = 1, ...options }, positionals }: CommandLine<typeof COMMAND.options>,
  root: string,
): SolutionsOptions {
  if (options.html !== undefined && options.out !== undefined)
    throw new Error('--html writes a page, --out notebooks: choose one of them');
  return { root, chapters: positionals, jobs, ...options };
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
  await writeAtomically(path, text);
  console.log(`${relative('', path)} (${Math.round(text.length / 1000)} kB)`);
}

runCommand(module, COMMAND, (line) => solutions(solutionsOptions(line, workbookRoot)));
