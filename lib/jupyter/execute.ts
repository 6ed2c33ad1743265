/** Runs a notebook from top to bottom in a fresh kernel. */
import { type Execution, type Kernel, startKernel } from './client';
import type { CodeCell, ErrorOutput, Notebook, NotebookCell } from './notebook';

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
  for (const cell of notebook.cells) {
    const code = cell.cell_type === 'code' ? cell : null;
    const skip = signal?.aborted || (stopOnError && failures.length > 0);
    if (!code || skip) {
      cells.push(code ? { ...code, execution_count: null, outputs: [] } : cell);
      continue;
    }
    onCell?.(index, total, code);
    const executed = withResult(code, await kernel.execute(code.source));
    cells.push(executed);
    failures.push(...failuresOf(executed, index++));
  }
  // A display may have been updated by a later cell: outputs are read when all has run.
  return { notebook: { ...notebook, cells }, ok: failures.length === 0 && !signal?.aborted, failures };
}

function withResult(cell: CodeCell, { executionCount, outputs }: Execution): CodeCell {
  return { ...cell, execution_count: executionCount, outputs };
}

function failuresOf(cell: CodeCell, index: number): CellFailure[] {
  const error = cell.outputs.find((output): output is ErrorOutput => output.output_type === 'error');
  if (!error) return [];
  const { ename, evalue, traceback } = error;
  return [{ index, cell, ename, evalue, traceback }];
}
