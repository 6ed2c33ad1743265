/** Which Jupyter this machine has: found on PATH, and asked for its version, because an installed one may be broken. */
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { findProgram, isProgram, programIn } from 'dgm/host';

export interface Jupyter {
  readonly kind: 'lab' | 'notebook';
  /** The program and its first arguments. */
  readonly command: readonly [string, ...string[]];
  readonly version: string;
}

export interface Search {
  /** In order of preference. */
  readonly found: readonly Jupyter[];
  /** What is there but does not work, with the reason. */
  readonly broken: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

interface Candidate {
  readonly kind: Jupyter['kind'];
  readonly program: string;
  readonly first: readonly string[];
}

const CANDIDATES: readonly Candidate[] = [
  { kind: 'lab', program: 'jupyter-lab', first: [] },
  { kind: 'notebook', program: 'jupyter-notebook', first: [] },
  { kind: 'notebook', program: 'jupyter', first: ['notebook'] },
];
const OLDEST = { lab: 3, notebook: 6 }; // the first that serve extra files from JUPYTER_PATH as we need them
const PATIENCE_MS = 30_000; // the first start of a Python on a slow disk takes many seconds

/** Looks on PATH: JupyterLab first, then Notebook. */
export async function findJupyter(env: Environment = process.env): Promise<Search> {
  return probeAll(
    candidatesBy((name) => findProgram(name, env)),
    env,
  );
}

/**
 * The Jupyter at a path that the user names: a program, or the folder it is in (such as `venv/bin`).
 * @throws when there is none that works
 */
export async function jupyterAt(path: string, env: Environment = process.env): Promise<Jupyter> {
  const full = resolve(path);
  const candidates = isFolder(full) ? candidatesBy((name) => programIn(full, name)) : sameProgram(full);
  if (candidates.length === 0)
    throw new Error(`--jupyter: there is no Jupyter at ${full}; name a program such as venv/bin/jupyter-lab`);
  const { found, broken } = await probeAll(candidates, env);
  if (found.length === 0) throw new Error(`--jupyter: ${broken.join('\n')}`);
  return found[0]!;
}

function candidatesBy(find: (name: string) => string | undefined): Candidate[] {
  return CANDIDATES.flatMap((candidate) => {
    const program = find(candidate.program);
    return program === undefined ? [] : [{ ...candidate, program }];
  });
}

function sameProgram(path: string): Candidate[] {
  if (!isProgram(path)) return [];
  const name = basename(path).replace(/\.exe$/i, '');
  if (name.includes('lab')) return [{ kind: 'lab', program: path, first: [] }];
  if (name.includes('notebook')) return [{ kind: 'notebook', program: path, first: [] }];
  return [
    { kind: 'lab', program: path, first: ['lab'] },
    { kind: 'notebook', program: path, first: ['notebook'] },
  ];
}

async function probeAll(candidates: readonly Candidate[], env: Environment): Promise<Search> {
  const answers = await Promise.all(candidates.map((candidate) => probe(candidate, env)));
  const found = answers.filter((answer) => typeof answer !== 'string');
  return { found, broken: answers.filter((answer) => typeof answer === 'string') };
}

/** A Jupyter that answers, or why it does not. */
async function probe({ kind, program, first }: Candidate, env: Environment): Promise<Jupyter | string> {
  const name = [program, ...first].join(' ');
  const { output, error } = await run(program, [...first, '--version'], env);
  if (error) return `${name} is there but does not work: ${error}`;
  const version = /^\s*(\d+\.\d+\S*)/m.exec(output)?.[1];
  if (!version) return `${name} is there but does not tell its version`;
  if (Number.parseInt(version, 10) < OLDEST[kind])
    return `${name} is version ${version}; ${OLDEST[kind]} or newer is needed`;
  return { kind, command: [program, ...first], version };
}

function run(program: string, args: readonly string[], env: Environment): Promise<{ output: string; error?: string }> {
  return new Promise((done) => {
    const options = { env, timeout: PATIENCE_MS, killSignal: 'SIGKILL', windowsHide: true } as const;
    execFile(program, args, options, (error, stdout, stderr) => {
      if (!error) return done({ output: stdout });
      const reason = error.killed ? `no answer within ${PATIENCE_MS / 1000} s` : (lastLine(stderr) ?? error.message);
      done({ output: stdout, error: reason });
    });
  });
}

const lastLine = (text: string): string | undefined => text.trim().split('\n').at(-1) || undefined;

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
