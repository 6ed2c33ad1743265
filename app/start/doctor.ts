/** `npm run doctor`: what this machine offers to the workbook, and what to do about what it lacks. */
import * as tf from '@tensorflow/tfjs';
import { datasets, load } from 'dgm';
import { availability, eagerBackends, PROVIDERS } from 'dgm/engine';
import { workbookRoot } from 'dgm/host';
import { printFindings, sandboxFindings, type Finding } from 'grader/commands';
import { flag, runCommand } from '../command-line/command';
import { findJupyter } from './find-jupyter';
import { dataFolder, examineKernelspec } from './kernelspec';

const COMMAND = {
  help: `npm run doctor -- [--json]

Says what this machine offers: Node, Jupyter, what compiled training can run on, what eager TensorFlow.js runs on,
whether the data are in order, and what shuts in the submissions of strangers; with the remedy for what is missing.

  --json   prints the findings as JSON
`,
  options: { json: flag },
};

/** Everything, tried now. */
export async function examine(): Promise<Finding[]> {
  tf.enableProdMode(); // else TensorFlow.js greets whoever asks
  const node: Finding = { part: 'node', name: 'Node', ok: true, reason: `${process.version} at ${process.execPath}` };
  const [found, sandbox] = [await jupyters(), await sandboxFindings()];
  return [node, ...found, await kernelspec(), ...engine(), ...(await eager()), ...data(), ...sandbox];
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
  return { part: 'jupyter', name: 'kernel', ...(await examineKernelspec(dataFolder(process.env), workbookRoot)) };
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

runCommand(module, COMMAND, async ({ options }) =>
  printFindings(await examine(), options.json ? { version: 1 } : undefined),
);
