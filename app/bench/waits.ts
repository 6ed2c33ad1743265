/**
 * What one waits for before anything trains: `import dgm` in a fresh kernel, and the type check of the chapters. Each
 * stands beside what it costs without our code, on the same machine in the same minutes: only the ratio has a bound.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startKernel } from 'dgm-jupyter';
import { workbookRoot } from 'dgm/host';
import { median, number, rounded } from './base/numbers';

/** One thing to wait for, measured beside its reference. */
export interface Wait {
  readonly name: string;
  readonly title: string;
  /** What the reference is. */
  readonly beside: string;
  /** The ratio that must not be passed. */
  readonly bound: number;
  /** Milliseconds of one try. */
  measure(): Promise<number>;
  measureReference(): Promise<number>;
  /** Why it cannot be measured here, if so. */
  absent?(): string | undefined;
}

export interface WaitEntry {
  readonly name: string;
  /** Medians. */
  readonly ms: number;
  readonly reference_ms: number;
  readonly ratio: number;
  readonly bound: number;
}

export const isWithinBound = ({ ratio, bound }: Pick<WaitEntry, 'ratio' | 'bound'>): boolean => ratio <= bound;

/** @param rounds of each, alternating, so that both share the machine's good and bad moments */
export async function entryOfWait(wait: Omit<Wait, 'title' | 'beside'>, rounds: number): Promise<WaitEntry> {
  const [own, reference]: number[][] = [[], []];
  for (let round = 0; round < rounds; round++) {
    own!.push(await wait.measure());
    reference!.push(await wait.measureReference());
  }
  const [ms, reference_ms] = [median(own!), median(reference!)];
  return {
    name: wait.name,
    ms: rounded(ms),
    reference_ms: rounded(reference_ms),
    ratio: rounded(ms / reference_ms),
    bound: wait.bound,
  };
}

/** For people: what, how long, beside what, and whether that is within the bound. */
export function waitText({ title, beside }: Pick<Wait, 'title' | 'beside'>, entry: WaitEntry): string {
  const { ms, reference_ms, ratio, bound } = entry;
  const verdict = isWithinBound(entry) ? `within the bound of ${bound}` : `ABOVE THE BOUND of ${bound}`;
  return `${title}: ${number(ms / 1000)} s; ${beside}: ${number(reference_ms / 1000)} s; ratio ${number(ratio)}, ${verdict}`;
}

// `import dgm` in a kernel

/** From the start of the kernel until its first cell has run. */
async function firstCell(source: string): Promise<number> {
  const started = performance.now();
  const kernel = await startKernel({ cwd: join(workbookRoot, 'notebooks') });
  try {
    const { status, outputs } = await kernel.execute(source);
    if (status !== 'ok') throw new Error(`bench: the cell ${source} failed: ${JSON.stringify(outputs)}`);
    return performance.now() - started;
  } finally {
    await kernel.shutdown();
  }
}

const importing = (name: string): string => `import * as all from '${name}';\nObject.keys(all).length`;

const importWait: Wait = {
  name: 'import',
  title: "a kernel's start and `import dgm`",
  beside: 'with TensorFlow.js alone',
  bound: 1.25,
  measure: () => firstCell(importing('dgm')),
  measureReference: () => firstCell(importing('@tensorflow/tfjs')),
};

// The type check

const SOLUTIONS = join(workbookRoot, 'solutions');

async function typeCheck(project: string): Promise<number> {
  const compiler = join(workbookRoot, 'node_modules', 'typescript', 'bin', 'tsc');
  const started = performance.now();
  await promisify(execFile)(process.execPath, [compiler, '-p', project]);
  return performance.now() - started;
}

/** A project with the settings of the chapters and one file, which imports TensorFlow.js. */
async function checkTensorFlow(): Promise<number> {
  const folder = await mkdtemp(join(workbookRoot, 'app', 'dist', 'types-')); // in the project, where its packages are
  try {
    await writeFile(join(folder, 'tsconfig.json'), '{"extends":"../../../solutions/tsconfig.json","files":["a.ts"],"include":[],"references":[]}'); // prettier-ignore
    await writeFile(join(folder, 'a.ts'), "import * as tf from '@tensorflow/tfjs';\ntf.scalar(1).print();\n");
    return await typeCheck(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const typesWait: Wait = {
  name: 'types',
  title: 'the type check of the chapters',
  beside: 'of a file that uses TensorFlow.js',
  bound: 2.5,
  measure: () => typeCheck(SOLUTIONS),
  measureReference: checkTensorFlow,
  absent: () => (existsSync(join(SOLUTIONS, 'tsconfig.json')) ? undefined : 'this copy has no sources of chapters'),
};

export const waits: readonly Wait[] = [importWait, typesWait];
