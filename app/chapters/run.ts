/** Runs a chapter in a fresh kernel and says on stderr how far it is. */
import { type CellFailure, type CodeCell, type ExecutedNotebook, executeNotebook, type Notebook } from 'dgm-jupyter';

export interface RunOptions {
  /** Shown before the progress: the chapter's name. */
  readonly name: string;
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** One line that is rewritten; else a line now and then, for logs and for several chapters at once. */
  readonly live?: boolean;
}

/** The notebook without what an earlier run left in it. */
export function stripped(notebook: Notebook): Notebook {
  const cells = notebook.cells.map((cell) =>
    cell.cell_type === 'code' ? { ...cell, outputs: [], execution_count: null } : cell,
  );
  return { ...notebook, cells };
}

/**
 * Runs every cell, from nothing. A failing cell ends the run and is in `failures`.
 * @throws when the kernel dies, or at Ctrl-C, after the kernel has ended
 */
export async function runChapter(notebook: Notebook, options: RunOptions): Promise<ExecutedNotebook> {
  const { name, live, ...execution } = options;
  const headings = headingOf(notebook);
  const line = progressLine(name, live ?? process.stderr.isTTY);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  for (const signal of SIGNALS) process.once(signal, interrupt);
  try {
    const result = await executeNotebook(stripped(notebook), {
      ...execution,
      signal: stop.signal,
      onCell: (index, total, cell) => line.at(`${index + 1}/${total}  ${headings.get(cell.id) ?? ''}`.trimEnd()),
    });
    if (stop.signal.aborted) throw new Error(`${name}: interrupted`);
    line.end(result.ok ? 'all cells ran' : 'stopped at a cell that fails');
    return result;
  } catch (error) {
    line.end('stopped');
    throw error;
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const; // a second one ends us at once

/** What failed, where, and where in the cell: for a reader who does not have the notebook open. */
export function failureText(name: string, notebook: Notebook, failure: CellFailure): string {
  const heading = headingOf(notebook).get(failure.cell.id);
  const where = `${name}: cell ${failure.index + 1} (id "${failure.cell.id}"${heading ? `, under "${heading}"` : ''})`;
  const trace = failure.traceback.join('\n') || `${failure.ename}: ${failure.evalue}`;
  return `${where} failed:\n${process.stderr.isTTY ? trace : withoutColours(trace)}`;
}

/** Text without the escape sequences that colour it in a terminal. */
function withoutColours(text: string): string {
  return text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, '');
}

/** The heading that each code cell stands under, by the cell's id. */
function headingOf(notebook: Notebook): ReadonlyMap<string, string> {
  const headings = new Map<string, string>();
  let current = '';
  for (const cell of notebook.cells) {
    if (cell.cell_type === 'markdown') current = [...cell.source.matchAll(/^#{1,6}\s+(.+)$/gm)].at(-1)?.[1] ?? current;
    if (isCode(cell)) headings.set(cell.id, current);
  }
  return headings;
}

const isCode = (cell: Notebook['cells'][number]): cell is CodeCell => cell.cell_type === 'code';

const TICK_MS = 1000;
const LOG_EVERY_MS = 10_000;

function progressLine(name: string, live: boolean): { at(text: string): void; end(text: string): void } {
  const started = performance.now();
  let text = 'starting the kernel';
  let logged = 0;
  const line = () => `${name}  ${text}  ${duration(performance.now() - started)}`;
  const rewrite = () => process.stderr.write(`\r\x1b[2K${line().slice(0, (process.stderr.columns || 80) - 1)}`);
  const log = () => {
    if (performance.now() - logged < LOG_EVERY_MS && logged > 0) return;
    logged = performance.now();
    process.stderr.write(`${line()}\n`);
  };
  const show = live ? rewrite : log;
  const timer = setInterval(show, TICK_MS);
  show();
  return {
    at(next) {
      text = next;
      show();
    },
    end(last) {
      clearInterval(timer);
      text = last;
      process.stderr.write(`${live ? '\r\x1b[2K' : ''}${line()}\n`);
    },
  };
}

function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
