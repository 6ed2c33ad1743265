import type { Command } from 'commander';
import { findSubmissions } from '../gradebook/folder';
import { chapters, findChapter, isCalled } from '../chapters/registry';
import { buildFromFile } from '../authoring/notebooks';
import type { SourceCell } from '../compile/pieces';
import { readSubmission } from '../compile/reader';
import { brief } from '../exercise/checking';
import { course } from '../base/paths';
import { similarPairs, type SimilarPair, type Stretch, type Work } from '../reports/similarity';
import { chapterOption, toNumber } from './options';

interface Options {
  readonly threshold: number;
  readonly chapter?: string;
  readonly json?: boolean;
}

export function addSimilarity(program: Command): void {
  program
    .command('similarity')
    .summary('which submissions resemble each other')
    .description(
      'Compares the code of all notebooks of a chapter in a folder, two by two, as a whole and exercise by exercise: ' +
        'names, comments and layout do not count, nor does what everybody was given. It shows where to look; whether somebody copied is for you to judge.',
    )
    .argument('<folder>', 'the submissions, as for grade')
    .option(
      '--threshold <share>',
      'the similarity from which a pair is shown, 0 to 1',
      toNumber({ min: 0, max: 1 }),
      0.4,
    )
    .addOption(chapterOption('the chapter, by number or name; needed when the notebooks are of several'))
    .option('--json', 'print the pairs with all their fragments as JSON')
    .addHelpText('after', '\nExample: npx grade similarity submissions/ --threshold 0.6')
    .action(run);
}

async function run(folder: string, { threshold, chapter, json }: Options): Promise<void> {
  const { works, skipped, name } = await readWorks(folder, chapter);
  const { released } = await buildFromFile(name, course, chapters);
  const code = released.cells.filter(({ cell_type }) => cell_type === 'code');
  const given = code.map(({ id, source }, i): SourceCell => ({ number: i + 1, id, source }));
  const exercises = await findChapter(name, chapters).exercises();
  const functions = exercises.map(({ functionName }) => functionName);
  const { pairs, more, unread } = similarPairs(works, given, threshold, functions);
  const leftOut = [...skipped, ...unread];
  if (json) return console.log(JSON.stringify({ version: 1, chapter: name, threshold, pairs, more, leftOut }, null, 2));
  for (const { student, reason } of leftOut) console.error(`Left out: ${brief(student)}: ${reason}`);
  console.log(tableOf(pairs, more, works.length - unread.length, threshold));
}

interface Works {
  readonly name: string;
  readonly works: readonly Work[];
  readonly skipped: readonly { readonly student: string; readonly reason: string }[];
}

async function readWorks(folder: string, wanted: string | undefined): Promise<Works> {
  const works: (Work & { chapter: string | undefined })[] = [];
  const { submissions, passedOver } = await findSubmissions(folder);
  const skipped = passedOver.map(({ name, why }) => ({ student: name, reason: why }));
  for (const { student, file } of submissions) {
    try {
      const { cells, chapter } = await readSubmission(file);
      works.push({ student, cells, chapter });
    } catch (error) {
      skipped.push({ student, reason: (error as Error).message });
    }
  }
  const name = chapterOf(
    works.map(({ chapter }) => chapter),
    wanted,
  );
  const isOther = (chapter: string | undefined) => chapter !== undefined && !isCalled(name, chapter);
  const others = works.filter(({ chapter }) => isOther(chapter));
  return {
    name,
    works: works.filter(({ chapter }) => !isOther(chapter)),
    skipped: [...skipped, ...others.map(({ student, chapter }) => ({ student, reason: `of chapter ${chapter}` }))],
  };
}

/** @throws an Error when nobody says the chapter, or several are said */
function chapterOf(said: readonly (string | undefined)[], wanted: string | undefined): string {
  const names = [...new Set(said.filter((name) => name !== undefined))];
  if (wanted === undefined && names.length !== 1)
    throw new Error(
      names.length === 0
        ? 'no notebook here says which chapter it is; name it with --chapter'
        : `the notebooks are of ${names.join(' and ')}; choose one with --chapter`,
    );
  return findChapter(wanted ?? names[0]!, chapters).name;
}

/** Fragments that a table shows of each pair; JSON has them all. */
const SHOWN = 3;

function tableOf(pairs: readonly SimilarPair[], more: number, works: number, threshold: number): string {
  const foot = `${works} notebooks, ${pairs.length + more} pairs with a similarity of ${threshold} or more`;
  const hidden = more === 0 ? [] : [`${more} pairs less similar than these are not shown`];
  return [...pairs.map(pairLines), ...hidden, foot].join('\n\n');
}

function pairLines({ left, right, similarity, exercise, fragments }: SimilarPair): string {
  const where = exercise === undefined ? '' : `  in ${exercise}`;
  const head = `${Math.round(100 * similarity)} %  ${brief(left)}  ~  ${brief(right)}${where}`;
  const rows = fragments
    .slice(0, SHOWN)
    .map(
      (fragment) =>
        `  ${fragment.tokens} tokens: ${placeOf(fragment.left)} ~ ${placeOf(fragment.right)}\n${quote(fragment.left)}`,
    );
  const more = fragments.length > SHOWN ? [`  and ${fragments.length - SHOWN} more`] : [];
  return [head, ...rows, ...more].join('\n');
}

function placeOf({ cell, line, toCell, toLine }: Stretch): string {
  if (cell !== toCell) return `cell ${cell}, line ${line} to cell ${toCell}, line ${toLine}`;
  return line === toLine ? `cell ${cell}, line ${line}` : `cell ${cell}, lines ${line} to ${toLine}`;
}

function indentOf(line: string): string {
  return ' '.repeat(/^\s*/.exec(line)![0].length);
}

function quote({ text }: Stretch): string {
  const lines = text.split('\n');
  const shown = lines.length > 6 ? [...lines.slice(0, 5), '…'] : lines;
  // a submission must not steer the terminal
  return shown.map((line) => `    | ${indentOf(line)}${brief(line)}`).join('\n');
}
