/** The command line of the process that runs a submission: the one place where a sandbox is put around it. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { built } from './rooms';

export interface Limits {
  /** Loading the cells that the exercises need, in ms. */
  readonly loadMs: number;
  /** One call, unless its check says otherwise. */
  readonly callMs: number;
  /** A submission as a whole. */
  readonly wallMs: number;
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
  outputBytes: 1_000_000,
  memoryMb: 1536,
  heapMb: 512,
};

export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Whether the kernel bounds the memory; where it does not, the parent must watch. */
  readonly boundsMemory: boolean;
}

/** @param folder an empty folder of the submission's own, its working directory */
export function childCommand(limits: Limits, folder: string): CommandLine {
  const node = [process.execPath, `--max-old-space-size=${limits.heapMb}`, built('child.js')];
  // nothing of our environment goes in: it may hold secrets, and options for Node
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, TMPDIR: folder, ...windows() };
  const prlimit = find('prlimit');
  if (prlimit === undefined) return { file: node[0]!, args: node.slice(1), env, boundsMemory: false };
  return { file: prlimit, args: [...resourceLimits(limits), ...node], env, boundsMemory: true };
}

/** What protects the machine from a submission, told without varnish. */
export function isolation(): string {
  const memory = find('prlimit') === undefined ? 'memory watched' : 'memory and CPU time bounded by prlimit';
  return (
    `Submissions run with the rights of this user (time and output bounded, ${memory}): they can read what you can ` +
    'read, and reach the network. Grade strangers in a container or a machine of its own.'
  );
}

/** RLIMIT_DATA counts heap, buffers and WebAssembly; RLIMIT_AS would break WebAssembly, which reserves much more. */
function resourceLimits({ memoryMb, wallMs }: Limits): string[] {
  // four threads at work for the whole time; ends a child whose parent died
  const cpuSeconds = Math.ceil((wallMs / 1000) * 4);
  return [`--data=${(memoryMb + nodeMb()) * 1024 * 1024}`, `--cpu=${cpuSeconds}`, '--core=0', '--'];
}

/** Without it no program starts on Windows. */
function windows(): Readonly<Record<string, string>> {
  const { SystemRoot } = process.env;
  return SystemRoot === undefined ? {} : { SystemRoot };
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

function find(program: string): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
