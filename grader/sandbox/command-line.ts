/** The command line of the process that runs a submission, for each way of shutting it in. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { bubblewrap } from './bubblewrap';
import { container, containerEngine } from './container';
import { WORKDIR } from '../base/visible';
import { find, need } from './programs';
import { built } from '../base/paths';
import { permissions } from './permissions';
import { seccompFilter } from './seccomp';
import type { Tier } from './tier';

export interface Limits {
  /** Loading the cells that the exercises need, in ms. */
  readonly loadMs: number;
  /** One call, unless its check says otherwise. */
  readonly callMs: number;
  /** A submission as a whole. */
  readonly wallMs: number;
  /** Time at work, summed over the threads of one process. */
  readonly cpuMs: number;
  /** stdout and stderr together. */
  readonly outputBytes: number;
  /** All writable memory of the process, beyond what Node reserves for itself. */
  readonly memoryMb: number;
  /** Of that, what JavaScript objects may take. */
  readonly heapMb: number;
}

export const LIMITS: Limits = {
  loadMs: 20_000,
  callMs: 2_000,
  wallMs: 60_000,
  cpuMs: 30_000,
  outputBytes: 1_000_000,
  memoryMb: 1536,
  heapMb: 512,
};

/** Where bubblewrap reads its filter of system calls. */
const FILTER_FD = 4;

/** Of any one file, and of how many at once; Node itself opens some dozens. */
const [FILE_BYTES, OPEN_FILES] = [10 * 1024 * 1024, 256];

/** Threads count as processes. Node needs about a dozen, and ONNX Runtime one for each core. */
const THREADS = 256;

export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Whether the kernel bounds the memory; where it does not, the parent must watch. */
  readonly boundsMemory: boolean;
  /** Where the child is asked and answers: file descriptor 3, or its stdin and stdout. */
  readonly line: 'own' | 'standard';
  /** Ends what does not end with the process that was started: a container is its engine's child. */
  readonly kill?: readonly [file: string, ...args: string[]];
  /** To be written to `FILTER_FD`. */
  readonly filter?: Buffer;
}

/**
 * @param folder an empty folder of the submission's own, its working directory unless the tier gives it another
 * @throws Error when the tier needs a program that is not there
 */
export function childCommand(limits: Limits, folder: string, tier: Tier): CommandLine {
  return wrapped(
    [process.execPath, `--max-old-space-size=${limits.heapMb}`, built('sandbox/child.js')],
    limits,
    folder,
    tier,
  );
}

/** A Node program, given as words of its command line, in that tier. */
export function wrapped(node: readonly string[], limits: Limits, folder: string, tier: Tier): CommandLine {
  const wrap = { bubblewrap: inBubblewrap, container: inContainer, limits: withPermissions, none: bounded }[tier];
  return wrap(node, limits, folder);
}

function inBubblewrap(node: readonly string[], limits: Limits): CommandLine {
  const filter = seccompFilter();
  const [file, ...args] = [
    ...bubblewrap(filter && FILTER_FD),
    ...[need('prlimit'), ...resourceLimits(limits), `--nproc=${THREADS}`, '--'],
    ...node,
  ];
  return { file: file!, args, env: environment(WORKDIR), boundsMemory: true, line: 'own', ...(filter && { filter }) };
}

function inContainer(node: readonly string[], limits: Limits): CommandLine {
  const [engine, name] = [containerEngine(), `grade-${randomBytes(8).toString('hex')}`];
  const words = container(engine, name, limits.memoryMb, limits.cpuMs);
  const [file, ...args] = [...words, 'node', ...node.slice(1), 'standard'];
  const kill = [engine, 'kill', name] as const;
  // the environment is the engine's, which finds its daemon by it; none of it goes in
  return { file: file!, args, env: process.env, boundsMemory: true, line: 'standard', kill: [...kill] };
}

function withPermissions([program, ...rest]: readonly string[], limits: Limits, folder: string): CommandLine {
  return bounded([program!, ...permissions(folder), ...rest], limits, folder);
}

function bounded(node: readonly string[], limits: Limits, folder: string): CommandLine {
  const prlimit = find('prlimit');
  const bounds = prlimit === undefined ? [] : [prlimit, ...resourceLimits(limits), '--'];
  const [file, ...args] = [...bounds, ...node];
  return { file: file!, args, env: environment(folder), boundsMemory: bounds.length > 0, line: 'own' };
}

/** Starts it in the folder, as the first of a group of processes. */
export function start({ file, args, env, line, filter }: CommandLine, folder: string): ChildProcess {
  const [questions, answers] = line === 'own' ? (['ignore', 'pipe'] as const) : (['pipe', 'ignore'] as const);
  const stdio = [questions, 'pipe', 'pipe', answers, filter ? 'pipe' : 'ignore'] as const;
  const child = spawn(file, args, { cwd: folder, env, stdio: [...stdio], detached: true });
  // one that ends before it has read the filter is told of by its exit
  (child.stdio[FILTER_FD] as Duplex | null)
    ?.on('error', () => undefined)
    .resume()
    .end(filter);
  return child;
}

/** Nothing of our environment goes in: it may hold secrets, and options for Node. */
function environment(folder: string): Readonly<Record<string, string>> {
  const { PATH = '', SystemRoot } = process.env;
  // without SystemRoot no program starts on Windows
  const system = SystemRoot === undefined ? {} : { SystemRoot };
  // a submission computes on the same backend wherever it is graded
  return { PATH, HOME: folder, TMPDIR: folder, DGM_EAGER: 'cpu', ...system };
}

/** RLIMIT_DATA counts heap, buffers and WebAssembly; RLIMIT_AS would break WebAssembly, which reserves much more. */
function resourceLimits({ memoryMb, cpuMs }: Limits): string[] {
  return [
    `--data=${(memoryMb + nodeMb()) * 1024 * 1024}`,
    ...[`--cpu=${Math.ceil(cpuMs / 1000)}`, '--core=0', `--fsize=${FILE_BYTES}`, `--nofile=${OPEN_FILES}`],
  ];
}

let ownMb: number | undefined;

/** What an idle Node holds by that count: 50 MiB in Node 20, 560 in Node 24, which reserves more than it uses. */
function nodeMb(): number {
  ownMb ??= measureNode();
  return ownMb;
}

function measureNode(): number {
  const program = "console.log(require('node:fs').readFileSync('/proc/self/status', 'utf8'))";
  const { stdout } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', env: {} });
  return Math.ceil(Number(/^VmData:\s*(\d+) kB$/m.exec(stdout ?? '')?.[1] ?? 0) / 1024);
}
