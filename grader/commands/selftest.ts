/** `grade selftest`: the grader graded, by its own exercises and by attacks. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { chapters, findChapter } from '../chapters/registry';
import { hostileTable, runHostile, type HostileReport } from '../selftest/hostile';
import { chapterTable, releaseTable, selftestJson } from '../reports/terminal';
import { course, root } from '../base/paths';
import { testChapters } from '../selftest/at-once';
import { withRelease, type SelftestReport } from '../selftest/selftest';
import type { Tier } from '../sandbox/tier';
import { examineTier } from '../sandbox/tier-probe';
import { chapterOption, jobsOption, tierOption, type JobsOption, type TierOption } from './options';
import { chooseTier } from './sandbox';

interface SelftestOptions extends TierOption, JobsOption {
  readonly json?: boolean;
  readonly chapter?: string;
  /** Attacks alone, from this folder; false: none. */
  readonly hostile?: boolean | string;
}

const CORPUS = join(root, 'test', 'hostile');

async function test(options: SelftestOptions): Promise<void> {
  const { json = false, chapter, hostile, tier } = options;
  const say = (text: string) => json || console.log(text);
  const ofChapters = hostile ? undefined : await testWanted(options, say);
  const wanted = hostile ?? (chapter === undefined && existsSync(CORPUS));
  const ofAttacks = wanted ? await testAttacks(typeof wanted === 'string' ? wanted : CORPUS, tier, say) : [];
  const ok = (ofChapters?.ok ?? true) && ofAttacks.every((report) => report.ok);
  const [inStrongest, inLimits] = ofAttacks;
  const all = { ...(ofChapters && selftestJson(ofChapters)), hostile: inStrongest, hostileInLimits: inLimits, ok };
  if (json) console.log(JSON.stringify(all, null, 2));
  say(ok ? 'Everything holds.' : 'Some of it does not hold: see ✗ above.');
  process.exitCode = ok ? 0 : 1;
}

async function testWanted({ chapter, jobs }: SelftestOptions, say: (text: string) => void): Promise<SelftestReport> {
  const wanted = chapter === undefined ? chapters : [findChapter(chapter, chapters)];
  const names = wanted.map(({ name }) => name);
  const reports = await testChapters(names, jobs, (done) => say(chapterTable(done)));
  // the release of all chapters: a line of one may show a solution of another
  const report = await withRelease(reports, chapters, course);
  say(releaseTable(report));
  return report;
}

/** In the tier that is wanted; or in the strongest, and then in the weakest that shuts anything in. */
async function testAttacks(
  folder: string,
  wanted: Tier | undefined,
  say: (text: string) => void,
): Promise<HostileReport[]> {
  const { tier } = await chooseTier(wanted, false);
  const weaker: readonly Tier[] = wanted === undefined && (await examineTier('limits')).available ? ['limits'] : [];
  const reports: HostileReport[] = [];
  for (const each of new Set([tier, ...weaker])) {
    reports.push(await runHostile(folder, { tier: each }));
    say(hostileTable(reports.at(-1)!));
  }
  return reports;
}

export function addSelftest(program: Command): void {
  program
    .command('selftest')
    .summary('grade the grader')
    .description(
      'For every chapter: the solution earns everything, the untouched release nothing, the checks reject every ' +
        'known mistake, answers that know nothing earn nothing, the hidden checks reject answers learnt by heart from ' +
        'the public ones, and what students get shows no line of a solution and no hidden check. Then a corpus of ' +
        'attacks, where this copy has one: none may earn, reach or leave anything, in the strongest sandbox that holds ' +
        'here, and, if limits promises it, in that.',
    )
    .addOption(chapterOption('one chapter only, by number or name, and no attacks'))
    .option('--hostile [folder]', 'the attacks alone')
    .option('--no-hostile', 'no attacks')
    .addOption(jobsOption('how many chapters to test at the same time'))
    .addOption(tierOption())
    .option('--json', 'print the report as JSON')
    .addHelpText('after', '\nExit status: 0 when all of that holds, else 1.')
    .action(test);
}
