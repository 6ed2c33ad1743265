/** `npm run bench -- --grader`: submissions graded per minute, beside what nbgrader does with each: run it. */
import { execFile, fork, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { writeAtomically } from 'dgm/host';
import { integer, listOf, oneOf, text, type CommandLine } from '../../command-line/command';
import { describeMachine } from '../base/machine';
import { median } from '../base/numbers';
import type { Kind, Measured } from './run';

const CONTESTANTS = ['tiny', 'chapter-03', 'nbconvert'] as const;
type Contestant = (typeof CONTESTANTS)[number];

export const COMMAND = {
  help: `npm run bench -- --grader [options]

Submissions graded per minute, with the type check and a process for each: a tiny notebook, and a solved chapter 3.
Beside it, "python3 -m nbconvert --execute" of the tiny notebook in Python, as many at a time. Medians over blocks of
ten results.

  --counts A,B    how many submissions (default 10,100,1000)
  --only A,B      some of ${CONTESTANTS.join(', ')}
  --jobs N        how many at the same time (default: as many as there are cores)
  --peer PYTHON   the Python that has nbconvert
  --json FILE     writes the results there, too

Example: npm run bench -- --grader --counts 10,100 --json bench.json
`,
  options: {
    counts: listOf(integer(1)),
    only: listOf(oneOf(CONTESTANTS)),
    jobs: integer(1),
    peer: text,
    json: text,
  },
};

/** How many notebooks nbconvert executes: each costs as much as the other. */
const PEER_NOTEBOOKS = 10;
/** Results in a block, of whose times the median is taken. */
const BLOCK = 10;

interface Row {
  readonly submissions: Contestant;
  readonly count: number;
  readonly perMinute: number;
  readonly secondsEach: number;
  readonly startSeconds?: number;
  readonly coordinatorMb?: number;
}

export async function bench({ options }: CommandLine<typeof COMMAND.options>): Promise<void> {
  const { counts = [10, 100, 1000], only = CONTESTANTS, jobs = availableParallelism(), peer, json } = options;
  const { cpu, load } = describeMachine();
  const machine = `${cpu}, load ${load}, Node ${process.versions.node}, ${jobs} at a time`;
  console.log(
    `${machine}\n\n${line(['submissions', 'count', 'per minute', 's each', 'start-up, s', 'coordinator, MiB'])}`,
  );
  const rows: Row[] = [];
  const add = (row: Row) => {
    rows.push(row);
    console.log(
      line([row.submissions, row.count, row.perMinute, row.secondsEach, row.startSeconds, row.coordinatorMb]),
    );
  };
  const kinds = only.filter((name) => name !== 'nbconvert');
  for (const count of counts) for (const kind of kinds) add(await rowOf(kind, count, jobs));
  if (only.includes('nbconvert')) add(await peerRow(jobs, peer));
  for (const row of rows.filter(({ coordinatorMb }) => coordinatorMb !== undefined)) compare(row, rows);
  if (json !== undefined) await writeAtomically(json, `${JSON.stringify({ machine, jobs, rows }, null, 2)}\n`);
}

async function rowOf(kind: Kind, count: number, jobs: number): Promise<Row> {
  const { finished, startSeconds, coordinatorMb } = await measureApart(kind, count, jobs);
  const secondsEach = median(blocks(finished));
  return { submissions: kind, count, perMinute: 60 / secondsEach, secondsEach, startSeconds, coordinatorMb };
}

function measureApart(kind: Kind, count: number, jobs: number): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const child = fork(join(__dirname, 'run.js'), [kind, String(count), String(jobs)]);
    let measured: Measured | undefined;
    child.on('message', (message) => (measured = message as Measured));
    child.on('error', reject);
    child.on('exit', () => (measured ? resolve(measured) : reject(new Error(`no result for ${count} ${kind}`))));
  });
}

/** Seconds for each submission, block by block; a rest shorter than a block belongs to none. */
function blocks(finished: readonly number[]): number[] {
  if (finished.length <= BLOCK) return [finished.at(-1)! / finished.length];
  const ends = Array.from({ length: Math.floor(finished.length / BLOCK) }, (_, i) => finished[(i + 1) * BLOCK - 1]!);
  return ends.map((end, i) => (end - (ends[i - 1] ?? 0)) / BLOCK);
}

async function peerRow(jobs: number, peer: string | undefined): Promise<Row> {
  const program = findPython(peer);
  const { python } = await import('./tiny-notebooks.js');
  const folder = await mkdtemp(join(tmpdir(), 'grade-bench-'));
  try {
    const files = Array.from({ length: PEER_NOTEBOOKS }, (_, i) => join(folder, `student-${i}.ipynb`));
    for (const file of files) await writeFile(file, python);
    const waiting = [...files];
    const started = performance.now();
    const finished: number[] = [];
    const worker = async () => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        await execute(program, file);
        finished.push((performance.now() - started) / 1000);
      }
    };
    await Promise.all(Array.from({ length: jobs }, worker));
    const secondsEach = median(blocks(finished));
    return { submissions: 'nbconvert', count: PEER_NOTEBOOKS, perMinute: 60 / secondsEach, secondsEach };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What nbgrader's autograder does with a notebook, but for its database. */
async function execute(program: string, file: string): Promise<void> {
  // the kernel is started as `python3`, and must be the one that has ipykernel
  const path = [dirname(program), process.env['PATH']].join(delimiter);
  await promisify(execFile)(program, ['-m', 'nbconvert', '--to', 'notebook', '--execute', '--inplace', file], {
    env: { ...process.env, PATH: path },
  });
}

/** @throws an Error that says how to get one */
function findPython(named: string | undefined): string {
  const runs = (program: string) =>
    spawnSync(program, ['-m', 'nbconvert', '--version'], { stdio: 'ignore' }).status === 0;
  const found = (named === undefined ? ['/usr/bin/python3', 'python3'] : [named]).find(runs);
  if (found !== undefined) return found;
  throw new Error(
    `${named === undefined ? 'no python3 here has nbconvert' : `--peer: ${named} is no Python that has nbconvert`}; ` +
      'on Debian: apt-get install jupyter-nbconvert python3-ipykernel; or name another with --peer, or leave it out with --only tiny,chapter-03',
  );
}

function compare({ submissions, count, perMinute }: Row, rows: readonly Row[]): void {
  const peer = rows.find((row) => row.submissions === 'nbconvert');
  if (peer === undefined) return;
  console.log(
    `${submissions}, ${count}: ${(perMinute / peer.perMinute).toFixed(1)} times as many as nbconvert executes`,
  );
}

function line(fields: readonly (string | number | undefined)[]): string {
  const texts = fields.map((field) => (typeof field === 'number' ? format(field) : (field ?? '–')));
  return texts.map((text, i) => (i === 0 ? text.padEnd(12) : text.padStart(i === 5 ? 18 : 12))).join('');
}

function format(number: number): string {
  return Number.isInteger(number) ? String(number) : number.toPrecision(3);
}
