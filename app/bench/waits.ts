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

// What both are measured beside: TypeScript reading what the library stands on

async function typeCheck(project: string): Promise<number> {
  const compiler = join(workbookRoot, 'node_modules', 'typescript', 'bin', 'tsc');
  const started = performance.now();
  await promisify(execFile)(process.execPath, [compiler, '-p', project]);
  return performance.now() - started;
}

const SOLUTIONS = join(workbookRoot, 'solutions');
const SETTINGS = {
  extends: '../../../tsconfig.json',
  compilerOptions: { noEmit: true },
  files: ['a.ts'],
  references: [],
};

/** The type check of one file, which imports TensorFlow.js. */
async function checkTensorFlow(): Promise<number> {
  const folder = await mkdtemp(join(workbookRoot, 'app', 'dist', 'types-')); // in the project, where its packages are
  try {
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(SETTINGS));
    await writeFile(join(folder, 'a.ts'), "import * as tf from '@tensorflow/tfjs';\ntf.scalar(1).print();\n");
    return await typeCheck(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const reference = { beside: 'the type check of a file that uses TensorFlow.js', measureReference: checkTensorFlow };

// The waits

/** From the start of a kernel until its first cell, which imports the library, has run. */
async function firstCell(): Promise<number> {
  const started = performance.now();
  const kernel = await startKernel({ cwd: join(workbookRoot, 'notebooks') });
  try {
    const { status, outputs } = await kernel.execute("import * as dgm from 'dgm';\nObject.keys(dgm).length");
    if (status !== 'ok') throw new Error(`bench: a cell cannot import dgm: ${JSON.stringify(outputs)}`);
    return performance.now() - started;
  } finally {
    await kernel.shutdown();
  }
}

const importWait: Wait = {
  name: 'import',
  title: "a kernel's start and `import dgm`",
  bound: 2,
  measure: firstCell,
  ...reference,
};

const typesWait: Wait = {
  name: 'types',
  title: 'the type check of the chapters',
  bound: 2.5,
  measure: () => typeCheck(SOLUTIONS),
  absent: () => (existsSync(join(SOLUTIONS, 'tsconfig.json')) ? undefined : 'this copy has no sources of chapters'),
  ...reference,
};

export const waits: readonly Wait[] = [importWait, typesWait];
