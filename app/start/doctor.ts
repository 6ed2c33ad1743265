/** `npm run doctor`: what this machine offers to the workbook, and what to do about what it lacks. */
import { parseArgs } from 'node:util';
import { datasets, load } from 'dgm';
import { availability, eagerBackends, PROVIDERS } from 'dgm/engine';
import { workbookRoot } from '../chapters/files';
import { findJupyter } from './find-jupyter';
import { dataFolder, standing } from './kernelspec';

export interface Finding {
  readonly part: 'node' | 'jupyter' | 'engine' | 'eager' | 'data';
  readonly name: string;
  readonly ok: boolean;
  readonly reason: string;
  readonly remedy?: string;
}

const USAGE = `npm run doctor -- [--json]

Says what this machine offers: Node, Jupyter, what compiled training can run on, what eager TensorFlow.js runs on,
and whether the data are in order; with the remedy for what is missing.`;

/** Everything, tried now. */
export async function examine(): Promise<Finding[]> {
  const node: Finding = { part: 'node', name: 'Node', ok: true, reason: `${process.version} at ${process.execPath}` };
  return [node, ...(await jupyters()), await kernelspec(), ...engine(), ...(await eager()), ...data()];
}

async function jupyters(): Promise<Finding[]> {
  const { found, broken } = await findJupyter();
  const working = found.map(({ kind, version, command }): Finding => {
    return { part: 'jupyter', name: kind, ok: true, reason: `${version} at ${command[0]}` };
  });
  const failing = broken.map((reason): Finding => ({ part: 'jupyter', name: 'jupyter', ok: false, reason }));
  if (working.length > 0) return [...working, ...failing];
  const remedy =
    'none is needed, npm start has a front end of its own; else pip install jupyterlab, or on Debian apt install jupyter-notebook';
  return [...failing, { part: 'jupyter', name: 'jupyter', ok: false, reason: 'none on PATH', remedy }];
}

async function kernelspec(): Promise<Finding> {
  return { part: 'jupyter', name: 'kernel', ...(await standing(dataFolder(process.env), workbookRoot())) };
}

function engine(): Finding[] {
  return PROVIDERS.map((provider) => {
    const { available, software, reason, remedy } = availability(provider, true);
    const note = software ? `${reason} (a software driver: for tests, never chosen by itself)` : reason;
    return { part: 'engine', name: provider, ok: available, reason: note, ...(remedy && { remedy }) };
  });
}

async function eager(): Promise<Finding[]> {
  const backends = await eagerBackends();
  return backends.map((backend) => {
    const { available, reason, remedy } = backend;
    const name = backend.name === 'tensorflow' ? backend.package.replace('@tensorflow/', '') : backend.name; // of two packages
    return { part: 'eager', name, ok: available, reason, ...(remedy && { remedy }) };
  });
}

function data(): Finding[] {
  return datasets().map((name) => {
    try {
      load(name).dispose();
      return { part: 'data', name, ok: true, reason: 'present, checksum right' };
    } catch (error) {
      return { part: 'data', name, ok: false, reason: error instanceof Error ? error.message : String(error) };
    }
  });
}

/** One line a finding, and the remedy under it. */
export function report(findings: readonly Finding[]): string {
  return findings
    .flatMap(({ part, name, ok, reason, remedy }) => [
      `${ok ? 'yes' : 'no '}  ${part.padEnd(8)} ${name.padEnd(11)} ${reason}`,
      ...(remedy ? [`${' '.repeat(26)}→ ${remedy}`] : []),
    ])
    .join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) return console.log(USAGE);
  const findings = await examine();
  console.log(values.json ? JSON.stringify({ version: 1, findings }, null, 2) : report(findings));
}

if (require.main === module)
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
