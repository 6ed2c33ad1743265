/** `npm run docs`: writes what docs/ says that a program knows; with `--check`, says whether it is in step. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workbookRoot, writeAtomically } from 'dgm/host';
import { flag, runCommand } from '../command-line/command';
import { housePicture } from './house';
import { operationTables } from './operations';

const COMMAND = {
  help: `npm run docs -- [--check]

Writes the parts of docs/ that are made from the code: the picture of the house, the engine's operations.

  --check   writes nothing; fails when one is out of step
`,
  options: { check: flag },
};

/** A page with what stands between its marks replaced. @throws when it has no such marks */
export function withPart(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name}: written by npm run docs -->`, `<!-- end of ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`expected the lines ${begin} and ${end}, in this order; put them back`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}

/** By file, what it should hold, given what it holds. */
const MADE: Readonly<Record<string, (now: string) => string>> = {
  'docs/house.svg': () => housePicture(),
  'docs/engine.md': (now) => withPart(now, 'operations', operationTables()),
};

/** The files that are not as they should be, each with the text that it should hold. */
export async function outOfStep(root: string): Promise<Map<string, string>> {
  const stale = new Map<string, string>();
  for (const [file, make] of Object.entries(MADE)) {
    const now = await readFile(join(root, file), 'utf8').catch(() => '');
    const wanted = make(now);
    if (now !== wanted) stale.set(file, wanted);
  }
  return stale;
}

runCommand(module, COMMAND, async ({ options: { check = false } }) => {
  const stale = await outOfStep(workbookRoot);
  if (!check) for (const [file, text] of stale) await writeAtomically(join(workbookRoot, file), text);
  console.log([...stale.keys()].join('\n') || 'The generated parts of docs/ are in step with the code');
  if (!check || stale.size === 0) return true;
  console.error('Out of step with the code: see above. Mend it with: npm run docs');
  return false;
});
