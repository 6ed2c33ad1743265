import { spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { chapters, findChapter, hasHidden } from '../chapters/registry';
import { release } from '../authoring/release';
import type { Opening } from '../base/release-manifest';
import { course, root } from '../base/paths';
import { toOpening } from './options';

interface Options {
  readonly out: string;
  readonly solutions: Opening;
}

export function addRelease(program: Command): void {
  program
    .command('release')
    .summary('write what students get')
    .description(
      'Writes a folder with the released notebooks and all that they need: library, data, public checks, hints. Nothing in ' +
        'it shows a line of a solution or a hidden check; a release that would is not kept.',
    )
    .argument('<chapter>', "a chapter, by number or name, or 'all'")
    .requiredOption('--out <folder>', 'where to write it; must be empty or not exist')
    .option(
      '--solutions <when>',
      'when students may see a worked solution: after-pass, after-tries:<n> (or a pass), or never',
      toOpening,
      'after-pass' as const,
    )
    .addHelpText('after', '\nExample: npx grade release 03 --out ../chapter-3 --solutions after-tries:5')
    .action(run);
}

async function run(chapter: string, { out, solutions }: Options): Promise<void> {
  if (!hasHidden) throw new Error('this is a release already; release from the copy that has the hidden checks');
  const wanted = chapter === 'all' ? chapters : [findChapter(chapter, chapters)];
  refuseOldBuild();
  const { files, breaches } = await release({ chapters: wanted, course, out, solutions });
  if (breaches.length > 0) {
    await rm(out, { recursive: true });
    throw new Error(`not released, since\n${breaches.map((breach) => `  ${breach}`).join('\n')}`);
  }
  console.log(`${out}: ${files} files, ${wanted.map(({ name }) => name).join(', ')}; no solution, no hidden check`);
}

/** The build is what students get. */
function refuseOldBuild(): void {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { stdout, status } = spawnSync(process.execPath, [compiler, '-b', '--dry'], { cwd: root, encoding: 'utf8' });
  if (status !== 0 || /would/.test(stdout))
    throw new Error('the build is older than the sources; renew it with: npm run build');
}
