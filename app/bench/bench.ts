/** `npm run bench`: milliseconds of one training step here, in PyTorch, and on TensorFlow.js' own backends. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { eagerBackends } from 'dgm/engine';
import { writeAtomically } from 'dgm/host';
import { flag, integer, listOf, oneOf, positive, text, type CommandLine } from '../command-line/command';
import { configurations } from './configurations';
import { isAbsent, race, type Contestant } from './contestant';
import { describeMachine } from './base/machine';
import { median, number } from './base/numbers';
import { best, columnsFor, entryOf, geomeanVsTorch, tableHead, tableRow, type Entry } from './report';
import { matrixProductRate, SCALES, vaeOperations } from './scaling';
import { entryOfWait, isWithinBound, waits, waitText, type WaitEntry } from './waits';

const MODELS = configurations.map(({ name }) => name);
const ROWS = [...MODELS, ...waits.map(({ name }) => name)];

export const COMMAND = {
  help: `npm run bench -- [options]

Times one training step (fresh data, loss, gradient, Adam) of nine small models: medians, everybody in turns. Then what
one waits for before anything trains, beside the same without our code: exit status 1 when a bound is passed.

  --only A,B       these rows: ${MODELS.join(', ')}; import (dgm, in a fresh
                   kernel), types (of the chapters)
  --peer PYTHON    also in PyTorch, with the Python that has it (without a name: python3)
  --json FILE      writes the results there, too
  --seconds N      measured time for each engine and thread count (default 3)
  --threads A,B    thread counts; the best of each row counts (default 1,2)
  --no-scaling     leaves out the variational autoencoder at other sizes
  --grader         another bench: submissions graded per minute; its options: npm run bench -- --grader --help
`,
  options: {
    only: listOf(oneOf(ROWS)),
    peer: { ...text, alone: 'python3' },
    json: text,
    seconds: positive,
    threads: listOf(integer(1)),
    'no-scaling': flag,
  },
};

interface Options {
  /** In the table's order, whatever the order of the question. */
  readonly rows: readonly string[];
  readonly peer: string | undefined;
  readonly seconds: number;
  readonly threads: readonly number[];
}

/** False when a bound is passed. @throws when a contestant cannot take part that was asked for */
export async function bench({ options }: CommandLine<typeof COMMAND.options>): Promise<boolean> {
  const { only = ROWS, peer, json, seconds = 3, threads = [1, 2].filter((n) => n <= availableParallelism()) } = options;
  const asked: Options = { rows: ROWS.filter((name) => only.includes(name)), peer, seconds, threads };
  const torch = peer === undefined ? undefined : torchOf(peer);
  const { cpu, load } = describeMachine();
  const gflops = await productRates(threads);
  const rates = threads.map((n) => `${gflops[n]} GFLOP/s with ${n} thread${n === 1 ? '' : 's'}`).join(', ');
  const others = torch === undefined ? '' : `, PyTorch ${torch}`;
  console.log(
    `${cpu}, load ${load}; a product of 1024×1024 matrices: ${rates}; Node ${process.versions.node}${others}\n`,
  );

  const entries = await benchModels(asked);
  const geomean = geomeanVsTorch(entries);
  if (geomean !== null) console.log(`\nGeometric mean: ${number(geomean)} times as fast as PyTorch`);
  const isScaled = !options['no-scaling'] && asked.rows.includes('vae');
  const scaling = isScaled ? await scale(asked, gflops) : [];
  const waited = await benchWaits(asked);
  if (json !== undefined) {
    const machine = { cpu, load, gflops, torch: torch ?? null };
    const content = { entries, geomean_vs_torch: geomean, scaling, waits: waited, machine };
    await writeAtomically(json, `${JSON.stringify(content, null, 2)}\n`);
  }
  return waited.every(isWithinBound);
}

async function benchModels(options: Options): Promise<readonly Entry[]> {
  const contestants = await contestantsFor(options);
  const names = MODELS.filter((name) => options.rows.includes(name));
  const columns = columnsFor(contestants);
  const titles = columns.map(({ title }) => title);
  if (names.length > 0) console.log(tableHead(titles));
  const entries: Entry[] = [];
  for (const name of names) {
    const results = await race(name, contestants, options);
    const entry = entryOf(name, results);
    entries.push(entry);
    const cells = columns.map(({ cell }) => cell(entry, results));
    console.log(tableRow(cells, titles));
  }
  for (const { name, notes } of entries) for (const note of notes) console.log(`${name}: ${note}`);
  return entries;
}

/** Five rounds where a model is measured for three seconds. */
const ROUNDS_A_SECOND = 5 / 3;

async function benchWaits({ rows, seconds }: Options): Promise<readonly WaitEntry[]> {
  const rounds = Math.max(1, Math.round(seconds * ROUNDS_A_SECOND));
  const entries: WaitEntry[] = [];
  for (const wait of waits.filter(({ name }) => rows.includes(name))) {
    const reason = wait.absent?.();
    if (reason !== undefined) console.log(`\n${wait.title}: not measured, ${reason}`);
    else {
      const entry = await entryOfWait(wait, rounds);
      entries.push(entry);
      console.log(`\n${waitText(wait, entry)}`);
    }
  }
  return entries;
}

/** PyTorch's version. @throws when this Python has none */
function torchOf(python: string): string {
  const { stdout, stderr, error } = spawnSync(python, ['-c', 'import torch; print(torch.__version__)'], {
    encoding: 'utf8',
  });
  if (error) throw new Error(`--peer: ${python} cannot be started (${error.message})`);
  const version = stdout.trim();
  if (version !== '') return version;
  const reason = stderr.trim().split('\n').at(-1);
  throw new Error(
    `--peer: ${python} has no PyTorch (${reason}); name a Python that has it, or install it there: ${python} -m pip install torch`,
  );
}

async function contestantsFor({ threads, peer }: Options): Promise<readonly Contestant[]> {
  const here = threads.map((n) => ({ engine: 'compiled', threads: n }) as const);
  const there = peer === undefined ? [] : threads.map((n) => ({ engine: 'torch', threads: n, python: peer }) as const);
  const working = (await eagerBackends()).filter(({ available }) => available).map(({ name }) => name);
  const eager = (['wasm', 'tensorflow'] as const).filter((name) => working.includes(name));
  return [...here, ...there, ...eager.map((engine) => ({ engine, threads: 1 }) as const)];
}

async function productRates(threads: readonly number[]): Promise<Readonly<Record<string, number>>> {
  const rates: Record<string, number> = {};
  for (const n of threads) rates[n] = Math.round(await matrixProductRate(n));
  return rates;
}

/** The variational autoencoder at other widths and batches, against the rate of one large product. */
async function scale(options: Options, gflops: Readonly<Record<string, number>>): Promise<readonly object[]> {
  const contestants = (await contestantsFor(options)).filter(
    ({ engine }) => engine === 'compiled' || engine === 'torch',
  );
  const label = ({ engine, threads }: Contestant) => `${engine === 'torch' ? 'PyTorch' : 'here'} ×${threads}`;
  const titles = ['vae, ms', ...contestants.map(label), 'GFLOP/s', 'of a product'];
  console.log(`\n${tableHead(titles)}`);
  const rows: object[] = [];
  for (const sizes of SCALES) {
    const results = await race('vae', contestants, { seconds: options.seconds / 2, sizes });
    const fastest = best(results, 'compiled')!;
    const ms = median(fastest.ms);
    const rate = vaeOperations(sizes) / ms / 1e6;
    const fraction = rate / gflops[fastest.threads]!;
    const times = results.map((result) => number(isAbsent(result) ? null : median(result.ms)));
    const name = `B ${sizes['batch']}, width ${sizes['width']}`;
    console.log(tableRow([name, ...times, number(rate), `${Math.round(100 * fraction)} %`], titles));
    rows.push({ ...sizes, ours_ms: ms, threads: fastest.threads, gflops: rate, fraction });
  }
  return rows;
}
