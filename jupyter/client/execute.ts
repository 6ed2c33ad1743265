/** Runs a notebook from top to bottom in a fresh kernel. */
import { type Kernel, startKernel } from './client';
import type { CodeCell, ErrorOutput, Notebook, NotebookCell } from '../format/notebook';

export interface ExecuteNotebookOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Before each code cell; `index` counts code cells from 0. */
  readonly onCell?: (index: number, total: number, cell: CodeCell) => void;
  /** Leave the cells after a failing one unexecuted. Default: true. */
  readonly stopOnError?: boolean;
  /** Aborting interrupts the running cell and ends the run. */
  readonly signal?: AbortSignal;
}

export interface CellFailure {
  /** Among the code cells, from 0. */
  readonly index: number;
  readonly cell: CodeCell;
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

export interface ExecutedNotebook {
  /** The notebook with outputs and execution counts. */
  readonly notebook: Notebook;
  readonly ok: boolean;
  readonly failures: readonly CellFailure[];
}

/**
 * Runs all code cells of a notebook in a fresh kernel. A failing cell is an entry in `failures`, no rejection.
 * @throws when the kernel cannot start or dies
 */
export async function executeNotebook(notebook: Notebook, options: ExecuteNotebookOptions): Promise<ExecutedNotebook> {
  const { cwd, env = {}, signal } = options;
  const kernel = await startKernel({ cwd, env });
  const interrupt = () => void kernel.interrupt().catch(() => undefined); // a dead kernel rejects the cell itself
  signal?.addEventListener('abort', interrupt);
  try {
    return await runAll(kernel, notebook, options);
  } finally {
    signal?.removeEventListener('abort', interrupt);
    await kernel.shutdown();
  }
}

async function runAll(
  kernel: Kernel,
  notebook: Notebook,
  { onCell, stopOnError = true, signal }: ExecuteNotebookOptions,
): Promise<ExecutedNotebook> {
  const total = notebook.cells.filter(({ cell_type }) => cell_type === 'code').length;
  const cells: NotebookCell[] = [];
  const failures: CellFailure[] = [];
  let index = 0;

  async function run(cell: CodeCell): Promise<CodeCell> {
    if (signal?.aborted || (stopOnError && failures.length > 0)) return notExecuted(cell);
    onCell?.(index, total, cell);
    if (signal?.aborted) return notExecuted(cell);
    const { executionCount, outputs } = await kernel.execute(cell.source);
    const executed = { ...cell, execution_count: executionCount, outputs };
    failures.push(...failuresOf(executed, index++));
    return executed;
  }

  for (const cell of notebook.cells) cells.push(cell.cell_type === 'code' ? await run(cell) : cell);
  return { notebook: { ...notebook, cells }, ok: failures.length === 0 && !signal?.aborted, failures };
}

function notExecuted(cell: CodeCell): CodeCell {
  return { ...cell, execution_count: null, outputs: [] };
}

function failuresOf(cell: CodeCell, index: number): CellFailure[] {
  const error = cell.outputs.find((output): output is ErrorOutput => output.output_type === 'error');
  if (!error) return [];
  const { ename, evalue, traceback } = error;
  return [{ index, cell, ename, evalue, traceback }];
}
