/** `grade selftest`: the grader graded, by its own exercises and by attacks. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { chooseTier, tierOption } from './doctor';
import { chapters, findChapter } from '../chapters/registry';
import { hostileTable, runHostile, type HostileReport } from '../selftest/hostile';
import { chapterTable, releaseTable, selftestJson } from '../reports/report';
import { course, root } from '../base/places';
import { selftest, type SelftestReport } from '../selftest/selftest';
import type { Tier } from '../sandbox/tier';
import { CHAPTER, withCompiler } from './shared';

interface SelftestOptions {
  readonly json?: boolean;
  readonly chapter?: string;
  /** Attacks alone, from this folder; false: none. */
  readonly hostile?: boolean | string;
  readonly tier?: Tier;
}

const CORPUS = join(root, 'test', 'hostile');

async function test({ json = false, chapter, hostile, tier }: SelftestOptions): Promise<void> {
  const say = (text: string) => json || console.log(text);
  const ofChapters = hostile ? undefined : await testChapters(chapter, say);
  const wanted = hostile ?? (chapter === undefined && existsSync(CORPUS));
  const ofAttacks = wanted ? await testAttacks(typeof wanted === 'string' ? wanted : CORPUS, tier, say) : undefined;
  const ok = (ofChapters?.ok ?? true) && (ofAttacks?.ok ?? true);
  if (json)
    console.log(JSON.stringify({ ...(ofChapters && selftestJson(ofChapters)), hostile: ofAttacks, ok }, null, 2));
  say(ok ? 'Everything holds.' : 'Some of it does not hold: see ✗ above.');
  process.exitCode = ok ? 0 : 1;
}

async function testChapters(chapter: string | undefined, say: (text: string) => void): Promise<SelftestReport> {
  const wanted = chapter === undefined ? chapters : [findChapter(chapter, chapters)];
  let report: SelftestReport;
  await withCompiler(async (compiler) => {
    report = await selftest(wanted, course, compiler, (done) => say(chapterTable(done)));
    say(releaseTable(report));
  });
  return report!;
}

async function testAttacks(
  folder: string,
  wanted: Tier | undefined,
  say: (text: string) => void,
): Promise<HostileReport> {
  const { tier } = await chooseTier(wanted, false);
  const report = await runHostile(folder, { tier });
  say(hostileTable(report));
  return report;
}

export function addSelftest(program: Command): void {
  program
    .command('selftest')
    .summary('grade the grader')
    .description(
      'For every chapter: the solution earns everything, the untouched release nothing, the checks reject every ' +
        'known mistake, the hidden checks reject answers learnt by heart from the public ones, and what students get shows ' +
        'no line of a solution and no hidden check. Then a corpus of attacks, where this copy has one: none may earn, ' +
        'reach or leave anything.',
    )
    .option(CHAPTER, 'one chapter only, by number or name, and no attacks')
    .option('--hostile [folder]', 'the attacks alone')
    .option('--no-hostile', 'no attacks')
    .addOption(tierOption())
    .option('--json', 'print the report as JSON')
    .addHelpText('after', '\nExit status: 0 when all of that holds, else 1.')
    .action(test);
}
