/**
 * Grades the hostile corpus: submissions that attack the grader, each in a folder of its own with what must come of
 * it. None may earn a point that it does not deserve, touch a file of the host, reach a server of it, leave a process
 * behind, or keep the others from being graded.
 *
 * A folder holds `expected.json` and one of `cells.ts` (cells in percent format, added to an honest notebook, of
 * which they replace what they declare anew) and `make.mjs FILE HONEST SECRET` (a program that writes the notebook).
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { gradeFolder } from '../gradebook/grade-folder';
import type { Limits } from '../sandbox/command-line';
import { createCompiler } from '../compile/service';
import { WORKDIR } from '../base/visible';
import { parsePercent } from '../authoring/percent';
import { createPool } from '../grading/pool';
import type { SubmissionResult } from '../grading/result';
import { root } from '../base/paths';
import { statuses } from '../exercise/status';
import type { Tier } from '../sandbox/tier';

/** Exercises that are not `graded`; alternatives are separated by a bar, where it is chance which comes first. */
const faultsSchema = z.record(z.string(), z.string());

/** A line an attack, with what it managed. */
export function hostileTable({ tier, attacks, breaches, ok }: HostileReport): string {
  const rows = attacks.flatMap(({ name, attack, breaches: own, slow }) => [
    `${own.length === 0 ? '✓' : slow ? '?' : '✗'} ${name}  ${attack}`,
    ...own.map((breach) => `    ${breach}`),
  ]);
  const slow = attacks.filter((attack) => attack.slow).length;
  const broken = breaches.length > 0 || attacks.some((attack) => attack.breaches.length > 0 && !attack.slow);
  const feet = [
    ...(ok ? [`${attacks.length} attacks, all held by ${tier}.`] : []),
    ...(broken ? [`Some were not held by ${tier}: see ✗ above.`] : []),
    ...(slow > 0
      ? [`This machine was too slow to tell of ${slow}: see ? above, and try again when it is less busy.`]
      : []),
  ];
  return [...rows, ...breaches.map((breach) => `✗ ${breach}`), ...feet].join('\n');
}

/** `corpus.json`: the module of the chapter that is attacked, and its source, which is the honest notebook. */
const corpusSchema = z.strictObject({ chapters: z.string(), honest: z.string() });

interface Corpus {
  readonly folder: string;
  readonly chaptersFile: string;
  readonly honestFile: string;
}

const expectedSchema = z.strictObject({
  attack: z.string(),
  /** Where it is known from. */
  source: z.string(),
  status: z.enum(statuses),
  /** What the honest part of the notebook earns. */
  points: z.number(),
  faults: faultsSchema.optional(),
  /** A regular expression for what is said of those: a message tells nothing else. */
  says: z.string().optional(),
  /** Whether `limits` must hold it, too, which promises less. */
  limits: z.literal(true).optional(),
});

type Expected = z.infer<typeof expectedSchema>;

interface AttackReport {
  readonly name: string;
  readonly attack: string;
  /** What it did that it must not; empty when it was held. */
  readonly breaches: readonly string[];
  /** Whether they are no more than honest parts that ran out of time. */
  readonly slow?: true;
}

export interface HostileReport {
  readonly tier: Tier;
  readonly attacks: readonly AttackReport[];
  /** What cannot be laid at one attack's door. */
  readonly breaches: readonly string[];
  readonly ok: boolean;
}

export interface HostileOptions {
  readonly tier: Tier;
  readonly jobs?: number;
  /** The attacks to run; unless said, all that the tier must hold. */
  readonly only?: readonly string[];
}

/** Short, since many attacks use up what they are given. */
const LIMITS: Partial<Limits> = {
  loadMs: 8_000,
  callMs: 2_000,
  wallMs: 25_000,
  cpuMs: 10_000,
  outputBytes: 200_000,
  memoryMb: 400,
  heapMb: 128,
};
const COMPILE_MS = 5_000;
const CANARY = 'untouched';

/**
 * Grades all attacks as one folder of submissions, beside what they are after.
 * @param folder the corpus
 */
export async function runHostile(folder: string, options: HostileOptions): Promise<HostileReport> {
  const corpus = await readCorpus(folder);
  const scratch = await mkdtemp(join(tmpdir(), 'hostile-'));
  const visitors: string[] = [];
  const server = createServer((socket) => {
    visitors.push('');
    socket.on('error', () => undefined).end();
  }).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const scene = await setScene(scratch, server, options.tier);
    const names = options.only ?? (await attacksIn(folder, options.tier));
    const attacks = await Promise.all(names.map((name) => prepare(name, corpus, scene)));
    const before = new Set(await strays());
    const results = await grade(corpus, scene, options);
    return await report(attacks, results, scene, { tier: options.tier, visitors: visitors.length, before });
  } finally {
    server.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function readCorpus(folder: string): Promise<Corpus> {
  const { chapters, honest } = corpusSchema.parse(JSON.parse(await readFile(join(folder, 'corpus.json'), 'utf8')));
  return { folder, chaptersFile: resolve(folder, chapters), honestFile: resolve(folder, honest) };
}

/** The names of the attacks of a corpus that a tier must hold. */
export async function attacksIn(folder: string, tier: Tier): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const isMeant = async (name: string) => tier !== 'limits' || (await readExpected(folder, name)).limits === true;
  const meant = await Promise.all(names.map(isMeant));
  return names.filter((_, i) => meant[i]).sort();
}

async function readExpected(folder: string, name: string): Promise<Expected> {
  return expectedSchema.parse(JSON.parse(await readFile(join(folder, name, 'expected.json'), 'utf8')));
}

/** What attacks find in the scratch folder, and the words that stand for it in their cells. */
interface Scene {
  readonly submissions: string;
  readonly out: string;
  readonly canary: string;
  readonly secret: string;
  readonly words: Readonly<Record<string, string>>;
}

async function setScene(scratch: string, server: Server, tier: Tier): Promise<Scene> {
  const [submissions, out, canary, secret] = ['submissions', 'graded', 'canary.txt', 'secret.txt'].map((name) =>
    join(scratch, name),
  ) as [string, string, string, string];
  await mkdir(submissions);
  await writeFile(canary, CANARY);
  await writeFile(secret, CANARY);
  const port = String((server.address() as AddressInfo).port);
  const words = { ROOT: root, SECRET: secret, CANARY: canary, PORT: port, SUBMISSIONS: submissions, TIER: tier };
  return { submissions, out, canary, secret, words };
}

interface Attack {
  readonly name: string;
  readonly expected: Expected;
}

async function prepare(name: string, { folder, honestFile }: Corpus, scene: Scene): Promise<Attack> {
  const expected = await readExpected(folder, name);
  const file = join(scene.submissions, name, 'attack.ipynb');
  await mkdir(dirname(file));
  const honest = codeCells(await readFile(honestFile, 'utf8'), honestFile);
  const chapter = honestFile.replace(/^.*\/|\.ts$/g, '');
  const cells = await readFile(join(folder, name, 'cells.ts'), 'utf8').catch(() => undefined);
  if (cells !== undefined) {
    const words = cells.replaceAll(/@([A-Z]+)@/g, (word, key: string) => scene.words[key] ?? word);
    await writeFile(file, notebookOf([...honest, ...codeCells(words, name)], chapter));
  } else {
    const model = join(dirname(scene.canary), `${name}.honest.ipynb`);
    await writeFile(model, notebookOf(honest, chapter));
    await promisify(execFile)(process.execPath, [join(folder, name, 'make.mjs'), file, model, scene.secret]);
  }
  return { name, expected };
}

function codeCells(source: string, where: string): string[] {
  return parsePercent(source, where).flatMap((cell) => (cell.kind === 'code' ? [cell.source] : []));
}

function notebookOf(sources: readonly string[], chapter: string): string {
  const cells = sources.map((source, i) => ({ cell_type: 'code', id: `cell-${i}`, metadata: {}, outputs: [], source }));
  return JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: { dgm: { chapter } }, cells });
}

async function grade(
  { chaptersFile }: Corpus,
  { submissions, out }: Scene,
  { tier, jobs = 2 }: HostileOptions,
): Promise<SubmissionResult[]> {
  const compiler = createCompiler({ deadlineMs: COMPILE_MS });
  const pool = createPool(compiler, chaptersFile);
  try {
    const results: SubmissionResult[] = [];
    await gradeFolder({
      folder: submissions,
      out,
      jobs,
      bundleOf: async () => 'hostile',
      grade: (submission) => pool.grade({ submission, seed: 'hostile', limits: LIMITS, tier }),
      onResult: (result) => results.push(result),
    });
    return results;
  } finally {
    pool.close();
    compiler.close();
  }
}

interface Observed {
  readonly tier: Tier;
  readonly visitors: number;
  readonly before: ReadonlySet<string>;
}

async function report(
  attacks: readonly Attack[],
  results: readonly SubmissionResult[],
  scene: Scene,
  { tier, visitors, before }: Observed,
): Promise<HostileReport> {
  const judged = attacks.map(({ name, expected }) => {
    const mine = results.filter(({ student }) => student.startsWith(`${name}/`));
    if (mine.length !== 1) return { name, attack: expected.attack, breaches: [`${mine.length} results, not one`] };
    return { name, attack: expected.attack, ...judgement(mine[0]!, expected) };
  });
  const breaches = [
    ...(await changed([scene.canary, scene.secret])).map((file) => `a file of the host was changed: ${file}`),
    ...(visitors > 0 ? [`a server of the host was reached ${visitors} times`] : []),
    ...(await left(before)).map((process) => `a process is left behind: ${process}`),
    ...(await outsiders(scene)).map((file) => `a result lies outside its folder: ${file}`),
  ];
  const ok = breaches.length === 0 && judged.every((attack) => attack.breaches.length === 0);
  return { tier, attacks: judged, breaches, ok };
}

/** What came of an attack, beside what must. */
export function judgement(result: SubmissionResult, expected: Expected): Pick<AttackReport, 'breaches' | 'slow'> {
  const breaches = breachesOf(result, expected);
  const isFault = (id: string) => Object.hasOwn(expected.faults ?? {}, id);
  const honest = result.exercises.filter(({ id, status }) => !isFault(id) && status === 'timeout').map(({ id }) => id);
  if (breaches.length === 0 || honest.length === 0) return { breaches };
  // would there be nothing else, had they been in time?
  const isHonest = (id: string) => honest.includes(id);
  const inTime = result.exercises.map((exercise) =>
    isHonest(exercise.id) ? { ...exercise, status: 'graded' as const } : exercise,
  );
  const others = breachesOf(
    { ...result, status: expected.status, points: expected.points, exercises: inTime },
    expected,
  );
  const only = others.length === 0 && result.points <= expected.points;
  return only ? { breaches: [`too slow to tell: ${honest.join(' and ')} ran out of time`], slow: true } : { breaches };
}

function breachesOf({ status, points, exercises }: SubmissionResult, expected: Expected): string[] {
  const ends = new Map(exercises.map((exercise) => [exercise.id, exercise.status]));
  const wrong = [...ends].filter(([id, end]) => !(expected.faults?.[id] ?? 'graded').split('|').includes(end));
  const { says } = expected;
  const faulty = says === undefined ? [] : exercises.filter(({ id }) => Object.hasOwn(expected.faults ?? {}, id));
  const talkative = faulty.filter(({ message = '' }) => !new RegExp(says!).test(message));
  return [
    ...(status === expected.status ? [] : [`ended as ${status}, not as ${expected.status}`]),
    ...(points === expected.points ? [] : [`earned ${points} points, not ${expected.points}`]),
    ...wrong.map(([id, end]) => `${id} ended as ${end}, not as ${expected.faults?.[id] ?? 'graded'}`),
    ...talkative.map(({ id, message }) => `of ${id} it is said: ${message}`),
  ];
}

async function changed(files: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => undefined)));
  return files.filter((_, i) => texts[i] !== CANARY);
}

/** Results are written below `out` alone; anything else in the scratch folder is known. */
async function outsiders({ submissions, out }: Scene): Promise<string[]> {
  const files = await readdir(dirname(out), { recursive: true, withFileTypes: true });
  return files
    .filter((entry) => entry.isFile() && !/\.ipynb$|^(canary|secret)\.txt$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => relative(out, file).startsWith('..') && relative(submissions, file) !== file);
}

/** Longer than another grading on this machine, whose processes look the same, needs for one submission. */
const PATIENCE_MS = 30_000;

/** Processes that are there when the grading is over, and stay; the kernel may take a moment to end the others. */
async function left(before: ReadonlySet<string>): Promise<string[]> {
  const suspects = (await strays()).filter((process) => !before.has(process));
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const now = new Set(await strays());
    const staying = suspects.filter((process) => now.has(process));
    if (staying.length === 0 || performance.now() > deadline) return staying;
    await setTimeout(100);
  }
}

/** Processes that work in a submission's folder: attacks inherit it, and what they start does. */
async function strays(): Promise<string[]> {
  const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(ids.map((id) => readlink(`/proc/${id}/cwd`).catch(() => '')));
  const isTheirs = (folder: string) => folder.startsWith(WORKDIR) || /\/grade-\w{6}( \(deleted\))?$/.test(folder);
  return ids.filter((_, i) => isTheirs(folders[i]!));
}
