/** Worker processes that take turns: ours, and PyTorch's. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Sizes } from './configurations';
import { median } from './base/numbers';
import type { Engine, Failure, Ready, Turn } from './protocol';

/** What computes a step, and with how many threads. */
export interface Contestant {
  readonly engine: Engine | 'torch';
  readonly threads: number;
  /** For 'torch': the Python that has it. */
  readonly python?: string;
}

/** What one contestant needed for the steps of one configuration. */
export interface Result extends Contestant, Ready {
  /** Milliseconds of each step. */
  readonly ms: readonly number[];
  readonly peakMiB: number | null;
}

/** A contestant that could not take part, and why. */
export interface Absent extends Contestant {
  readonly error: string;
}

export const isAbsent = (result: Result | Absent): result is Absent => 'error' in result;

export interface RaceOptions {
  /** Measured time of each contestant. */
  readonly seconds: number;
  readonly sizes?: Sizes;
}

/** Long enough for caches to be warm, short enough for a change of the machine's load to meet everybody. */
const TURN_SECONDS = 0.4;
/** Who needs longer than this for a step gets one turn: the interpreters, whose ratio nobody wants in per cent. */
const SLOW_MS = 1000;

/** For a first step: tfjs wasm needs minutes for a convolution's gradient, which it has not. */
const PATIENCE_SECONDS = 60;

/** All contestants on one configuration, in turns, so that they share the machine's good and bad moments. */
export async function race(
  name: string,
  contestants: readonly Contestant[],
  { seconds, sizes = {} }: RaceOptions,
): Promise<(Result | Absent)[]> {
  const entrants: { readonly contestant: Contestant; readonly worker: Worker | Failure; ms: number[]; peak: number | null }[] = []; // prettier-ignore
  try {
    for (const contestant of contestants)
      entrants.push({ contestant, worker: await startWorker(contestant, name, sizes), ms: [], peak: null });
    const rounds = Math.max(1, Math.round(seconds / TURN_SECONDS));
    for (let round = 0; round < rounds; round++)
      for (const entrant of round % 2 === 0 ? entrants : [...entrants].reverse()) {
        const { worker } = entrant;
        if ('error' in worker || (round > 0 && worker.ready.firstMs > SLOW_MS && median(entrant.ms) > SLOW_MS))
          continue;
        const { ms, peakMiB } = await worker.turn(Math.min(seconds, TURN_SECONDS));
        entrant.ms.push(...ms);
        entrant.peak = peakMiB;
      }
    return entrants.map(({ contestant, worker, ms, peak }) =>
      'error' in worker ? { ...contestant, ...worker } : { ...contestant, ...worker.ready, ms, peakMiB: peak },
    );
  } finally {
    for (const { worker } of entrants) if (!('error' in worker)) worker.end();
  }
}

interface Worker {
  readonly ready: Ready;
  turn(seconds: number): Promise<Turn>;
  end(): void;
}

/** Starts the process and waits for its first step, though not for ever. */
async function startWorker(contestant: Contestant, name: string, sizes: Sizes): Promise<Worker | Failure> {
  const child = startProcess(contestant, name, sizes);
  const patience = setTimeout(() => child.kill('SIGKILL'), 1000 * PATIENCE_SECONDS);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const ended = exitOf(child);
  const answer = async <T>(): Promise<T | Failure> => {
    for (;;) {
      const { value, done } = (await lines.next()) as IteratorResult<string, undefined>;
      if (done) return { error: await ended };
      if (value.startsWith('{')) return JSON.parse(value) as T | Failure; // a backend's greeting does not
    }
  };
  const ready = await answer<Ready>();
  clearTimeout(patience);
  if ('error' in ready)
    return child.signalCode === 'SIGKILL' ? { error: `no step within ${PATIENCE_SECONDS} s` } : ready;
  return {
    ready,
    async turn(seconds) {
      child.stdin!.write(`${seconds}\n`);
      const result = await answer<Turn>();
      if ('error' in result) throw new Error(`${name}, ${contestant.engine}: ${result.error}`);
      return result;
    },
    end: () => child.stdin!.end(),
  };
}

function startProcess({ engine, threads, python }: Contestant, name: string, sizes: Sizes): ChildProcess {
  const args = [name, String(threads), JSON.stringify(sizes)];
  const peer = join(__dirname, '..', '..', 'bench', 'peer.py'); // beside the sources: it is not compiled
  const [command, ...rest] =
    engine === 'torch' ? [python!, peer, ...args] : [process.execPath, join(__dirname, 'worker.js'), engine, ...args];
  const env = { DGM_DEVICE: 'cpu', ...process.env };
  return spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'], env });
}

/** Why a process ended: what it said last. */
function exitOf(child: ChildProcess): Promise<string> {
  let output = '';
  child.stderr!.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-2000)));
  child.stdin!.on('error', () => {}); // it ended before it was told to: the reason follows
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(`cannot be started (${error.message})`));
    child.on('close', (code, signal) => {
      const lines = output.trim().split('\n');
      resolve(lines.find((line) => line.includes('Error')) ?? `ended with ${signal ?? code}`);
    });
  });
}
