/** Runs a notebook from top to bottom in a fresh kernel. */
import type { CodeCell, Notebook } from './notebook';

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
  throw new Error(`not written yet (${notebook.cells.length} cells, ${options.cwd})`);
}
