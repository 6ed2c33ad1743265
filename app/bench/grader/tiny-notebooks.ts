/** The notebooks that answer the small exercise, in TypeScript and in Python. */
import { serialiseNotebook, type Notebook, type NotebookCell } from 'dgm-jupyter';
import { INPUTS, NAME } from './tiny';

export const typescript = notebook('typescript', [
  "import * as tf from '@tensorflow/tfjs';",
  'function double(x: number): number {\n  return tf.scalar(x).mul(2).dataSync()[0]!;\n}',
  'console.log(double(21));',
]);

/** Its checks run in it, since nbgrader runs a notebook with its tests; without a tensor, which only costs time. */
export const python = notebook('python', [
  'import math',
  'def double(x):\n    return 2 * x',
  'print(double(21))',
  ...INPUTS.map((x) => `assert math.isclose(double(${x}), ${2 * x})`),
]);

function notebook(language: 'typescript' | 'python', sources: readonly string[]): string {
  const cells = sources.map((source, i): NotebookCell => ({
    cell_type: 'code',
    id: `cell-${i}`,
    metadata: {},
    source,
    execution_count: null,
    outputs: [],
  }));
  const kernel = language === 'python' ? 'python3' : 'dgm';
  const metadata = { dgm: { chapter: NAME }, kernelspec: { display_name: kernel, language, name: kernel } };
  return serialiseNotebook({ nbformat: 4, nbformat_minor: 5, metadata, cells } as Notebook);
}
