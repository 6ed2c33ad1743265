/** `npm run bench`: milliseconds of one training step here, in PyTorch, and on TensorFlow.js' own backends. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { eagerBackends } from 'dgm/engine';
import { configurations } from './configurations';
import { isAbsent, median, race, type Contestant } from './contestant';
import { best, columnsFor, entryOf, geomeanVsTorch, number, tableHead, tableRow, type Entry } from './report';
import { matrixProductRate, SCALES, vaeOperations } from './scaling';

const HELP = `npm run bench -- [options]

Times one training step (fresh data, loss, gradient, Adam) of nine small models: medians, everybody in turns.

  --only A,B       these configurations: ${configurations.map(({ name }) => name).join(', ')}
  --peer PYTHON    also in PyTorch, with the Python that has it (without a name: python3)
  --json FILE      writes the results there, too
  --seconds N      measured time for each engine and thread count (default 3)
  --threads A,B    thread counts; the best of each row counts (default 1,2)
  --no-scaling     leaves out the variational autoencoder at other sizes
  --grader         another bench: submissions graded per minute; its options: npm run bench -- --grader --help
`;

interface Options {
  readonly names: readonly string[];
  readonly peer: string | undefined;
  readonly json: string | undefined;
  readonly seconds: number;
  readonly threads: readonly number[];
  readonly scaling: boolean;
}

/** Reads the command line. @throws when an option does not exist or makes no sense */
function optionsFrom(args: readonly string[]): Options | 'help' {
  const string = { type: 'string' } as const;
  const named = args.map((arg, i) =>
    arg === '--peer' && (args[i + 1] ?? '--').startsWith('--') ? '--peer=python3' : arg,
  );
  const { values } = parseArgs({
    args: named,
    options: {
      only: string,
      peer: string,
      json: string,
      seconds: { ...string, default: '3' },
      threads: string,
      'no-scaling': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return 'help';
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && Number.isFinite(seconds)))
    throw new Error(`--seconds must be a positive number, got '${values.seconds}'`);
  const cores = availableParallelism();
  const threads = values.threads?.split(',').map(Number) ?? [1, 2].filter((n) => n <= cores);
  if (!threads.every((n) => Number.isInteger(n) && n >= 1))
    throw new Error(`--threads must be integers ≥ 1 such as 1,2, got '${values.threads}'`);
  return {
    names: namesFrom(values.only),
    peer: values.peer,
    json: values.json,
    seconds,
    threads,
    scaling: !values['no-scaling'],
  };
}

/** In the table's order, whatever the order of the question. */
function namesFrom(only: string | undefined): string[] {
  const known = configurations.map(({ name }) => name);
  const asked = only?.split(',').map((name) => name.trim()) ?? known;
  const unknown = asked.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`--only: there is no '${unknown}'; there are ${known.join(', ')}`);
  return known.filter((name) => asked.includes(name));
}

async function main(args: readonly string[]): Promise<void> {
  const options = optionsFrom(args);
  if (options === 'help') return console.log(HELP);
  const { names, seconds, threads, peer } = options;
  const torch = peer === undefined ? undefined : torchOf(peer);
  const contestants = await contestantsFor(options);
  const machine = await describeMachine(threads);
  console.log(machine.text + (torch === undefined ? '' : `, PyTorch ${torch}`) + '\n');

  const columns = columnsFor(contestants);
  const titles = columns.map(({ title }) => title);
  console.log(tableHead(titles));
  const entries: Entry[] = [];
  for (const name of names) {
    const results = await race(name, contestants, { seconds });
    const entry = entryOf(name, results);
    entries.push(entry);
    console.log(tableRow(columns.map(({ cell }) => cell(entry, results)), titles)); // prettier-ignore
  }
  for (const { name, notes } of entries) for (const note of notes) console.log(`${name}: ${note}`);
  const geomean = geomeanVsTorch(entries);
  if (geomean !== null) console.log(`\nGeometric mean: ${number(geomean)} times as fast as PyTorch`);

  const scaling = options.scaling && names.includes('vae') ? await scale(options, machine.gflops) : [];
  if (options.json !== undefined) {
    const { gflops, cpu, load } = machine;
    const content = {
      entries,
      geomean_vs_torch: geomean,
      scaling,
      machine: { cpu, load, gflops, torch: torch ?? null },
    };
    writeFileSync(options.json, `${JSON.stringify(content, null, 2)}\n`);
  }
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
  throw new Error(`--peer: ${python} has no PyTorch (${reason}); name a Python that has it, or install it there: ${python} -m pip install torch`); // prettier-ignore
}

async function contestantsFor({ threads, peer }: Options): Promise<readonly Contestant[]> {
  const here = threads.map((n) => ({ engine: 'compiled', threads: n }) as const);
  const there = peer === undefined ? [] : threads.map((n) => ({ engine: 'torch', threads: n, python: peer }) as const);
  const working = (await eagerBackends()).filter(({ available }) => available).map(({ name }) => name);
  const eager = (['wasm', 'tensorflow'] as const).filter((name) => working.includes(name));
  return [...here, ...there, ...eager.map((engine) => ({ engine, threads: 1 }) as const)];
}

async function describeMachine(threads: readonly number[]) {
  const cpu = `${cpus()[0]?.model.trim() ?? process.arch}, ${availableParallelism()} cores`;
  const load = Number(loadavg()[0]!.toFixed(1));
  const gflops: Record<string, number> = {};
  for (const n of threads) gflops[n] = Math.round(await matrixProductRate(n));
  const rates = threads.map((n) => `${gflops[n]} GFLOP/s with ${n} thread${n === 1 ? '' : 's'}`).join(', ');
  const text = `${cpu}, load ${load}; a product of 1024×1024 matrices: ${rates}; Node ${process.versions.node}`;
  return { cpu, load, gflops, text };
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

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
