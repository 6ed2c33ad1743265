/** Which tiers hold on this machine. Each is tried out: that a program is there says nothing of whether it may run. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { brief } from '../exercise/checking';
import { LIMITS, start, wrapped } from './command-line';
import { IMAGE } from './container';
import { built, root } from '../base/paths';
import { visiblePaths } from '../base/visible';
import { readablePaths } from './permissions';
import { find } from './programs';
import { tiers, type Tier } from './tier';

export interface TierFinding {
  readonly tier: Tier;
  readonly available: boolean;
  readonly reason: string;
  readonly remedy?: string;
}

const REMEDIES: Readonly<Record<Tier, string>> = {
  bubblewrap:
    'apt install bubblewrap util-linux; where it is there and users may make no namespaces, allow them ' +
    '(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0) or run as root',
  container: `start docker or podman, and fetch the image once: docker pull ${IMAGE}`,
  limits: 'on Linux, apt install util-linux for prlimit; elsewhere use a container',
  none: '',
};

/** What a tier that holds is worth, in words. */
const WORTH: Readonly<Record<Tier, string>> = {
  bubblewrap: 'own files, processes and network; one process, bounded by prlimit',
  container: 'own files, processes and network; memory and processes bounded by the kernel',
  limits: 'weak: time, memory and files bounded, the network open, and Node says that hostile code gets around it',
  none: 'no protection: time, memory and output bounded, all else with your rights',
};

const PROBE_MS = 20_000;

/** Tries every tier, the strongest first. */
export function examineTiers(): Promise<TierFinding[]> {
  return Promise.all(tiers.map(examineTier));
}

/** Tries one tier. */
export async function examineTier(tier: Tier): Promise<TierFinding> {
  const fault = await tryTier(tier).catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  if (fault !== undefined) return { tier, available: false, reason: fault, remedy: REMEDIES[tier] };
  return { tier, available: true, reason: WORTH[tier] };
}

let strongest: Promise<Tier> | undefined;

/** The first tier that holds; tried out once. */
export function strongestTier(): Promise<Tier> {
  return (strongest ??= findStrongest());
}

async function findStrongest(): Promise<Tier> {
  for (const tier of tiers) if ((await examineTier(tier)).available) return tier;
  return 'none';
}

/** Why the tier does not hold, or `undefined`. */
async function tryTier(tier: Tier): Promise<string | undefined> {
  if (tier === 'none') return undefined;
  if (tier === 'limits' && find('prlimit') === undefined) return 'prlimit is not on PATH';
  const scratch = await mkdtemp(join(tmpdir(), 'grade-probe-'));
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  try {
    const [secret, inside] = [join(scratch, 'secret'), join(scratch, 'inside')];
    await once(server, 'listening');
    await writeFile(secret, 'secret');
    await mkdir(inside);
    const program = escapes(secret, (server.address() as AddressInfo).port, tier);
    const child = start(wrapped([process.execPath, '--eval', program], LIMITS, inside, tier), inside);
    return verdict(await output(child));
  } finally {
    server.close();
    await rm(scratch, { recursive: true });
  }
}

/** A file that no submission may read, by its path and by the link that npm makes. */
const HIDDEN = [built('compile/compile.js'), join(root, 'node_modules', 'grader', 'dist', 'compile', 'compile.js')];

/** A program that tries to get out, and prints what it managed. */
function escapes(secret: string, port: number, tier: Tier): string {
  const needed = tier === 'limits' ? readablePaths().map(withPackage) : visiblePaths();
  return `
    const fs = require('node:fs');
    const managed = [];
    const attempt = (what, act) => { try { act(); managed.push(what); } catch {} };
    const needed = (path) => { try { fs.accessSync(path, fs.constants.R_OK); } catch { managed.push('cannot read ' + path); } };
    const tell = () => process.stdout.write(JSON.stringify(managed), () => process.exit());
    ${JSON.stringify(needed)}.forEach(needed);
    attempt('can read files of others', () => fs.readFileSync(${JSON.stringify(secret)}));
    ${JSON.stringify(HIDDEN)}.forEach((path) => attempt('can read ' + path, () => fs.readFileSync(path)));
    attempt('can write outside its folder', () => fs.writeFileSync(${JSON.stringify(`${secret}2`)}, ''));
    attempt('can start another process', () => { if (require('node:child_process').spawnSync(process.execPath, ['--version']).error) throw 0; });
    if (${tier === 'limits'}) tell();
    else require('node:net').connect(${port}, '127.0.0.1').on('connect', () => { managed.push('can reach the network'); tell(); }).on('error', tell);`;
}

/** Of two packages of which one's name begins the other's, Node 20 grants the files and not the folder. */
function withPackage(path: string): string {
  const file = join(path, 'package.json');
  return existsSync(file) ? file : path;
}

/** All that it printed, whatever it is, or that it was ended because it took too long. */
function output(child: ChildProcess): Promise<readonly [stdout: string, stderr: string]> {
  const printed: [string, string] = ['', ''];
  child.stdout!.on('data', (chunk: Buffer) => (printed[0] += String(chunk)));
  child.stderr!.on('data', (chunk: Buffer) => (printed[1] += String(chunk)));
  (child.stdio[3] as Readable | null)?.resume();
  const timer = setTimeout(() => child.kill('SIGKILL'), PROBE_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', () => resolve(printed));
  }).finally(() => clearTimeout(timer)) as Promise<readonly [string, string]>;
}

function verdict([stdout, stderr]: readonly [stdout: string, stderr: string]): string | undefined {
  try {
    const managed = JSON.parse(stdout) as readonly string[];
    return managed.length === 0 ? undefined : `a process in it ${managed.join(', ')}`;
  } catch {
    return `it does not start: ${brief(stderr) || 'no output'}`;
  }
}
