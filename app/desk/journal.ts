/**
 * What became of the cells that pages asked a kernel to run: which wait, run or have ended, and their messages for as
 * long as the notebook's file cannot have them (the contract is in `protocol.ts`).
 */
import type { NotebookCell } from 'dgm-jupyter';
import type { ChannelMessage } from './channel-messages';
import { createKeptMessages } from './kept-messages';
import { type Execution, KEPT_BYTES, type MessageMark } from './protocol';

export interface Journal {
  /** A request on its way to the kernel. */
  noteRequest(message: ChannelMessage): void;
  /** A message on its way to the pages: kept if it belongs to a cell, and then marked with it. */
  noteMessage(message: ChannelMessage): ChannelMessage;
  executions(): Execution[];
  /** The headers of the requests that the kernel has not finished. */
  unfinished(): ChannelMessage['header'][];
  /** The number of the last message. */
  latest(): number;
  /** The kept messages with a higher number, for a page that connects; all without one. */
  after(number?: number): ChannelMessage[];
  /** The notebook was saved with these cells. */
  saved(cells: readonly NotebookCell[]): void;
}

interface RequestedCell {
  readonly header: ChannelMessage['header'];
  readonly cellId: string | null;
  state: Execution['state'];
  count: number | null;
  /** Outputs that had to go, the last of them with the number `latest`. */
  readonly lost: { messages: number; bytes: number; latest: number };
}

/** What comes before a cell's outputs. */
const BEGINNING = new Set(['busy', 'execute_input']);
const REMEMBERED = 10_000; // cells of one kernel; each takes some hundred bytes

export function createJournal(limit = KEPT_BYTES): Journal {
  const cells = new Map<string, RequestedCell>();
  const kept = createKeptMessages<RequestedCell>(limit, ({ cell: { lost }, bytes, number }) => {
    lost.messages++;
    lost.bytes += bytes;
    lost.latest = number;
  });

  function noteRequest({ header, metadata }: ChannelMessage): void {
    if (header.msg_type !== 'execute_request') return;
    const cellId = typeof metadata['cellId'] === 'string' ? metadata['cellId'] : null;
    kept.forget((cell) => cell.cellId === cellId && cell.state === 'done'); // the cell shows what comes now
    const lost = { messages: 0, bytes: 0, latest: 0 };
    cells.set(header.msg_id, { header, cellId, state: 'queued', count: null, lost });
    if (cells.size > REMEMBERED) cells.delete(cells.keys().next().value!);
  }

  function noteMessage(message: ChannelMessage): ChannelMessage {
    const cell = cells.get(message.parent_header.msg_id ?? '');
    if (!cell) return message;
    follow(cell, message);
    if (cell.cellId === null) return message;
    kept.keep(cell, message);
    return marked(message, cell.cellId, false);
  }

  function saved(now: readonly NotebookCell[]): void {
    const counts = new Map(now.map((cell) => [cell.id, cell.cell_type === 'code' ? cell.execution_count : null]));
    kept.forget(({ state, cellId, count }) => {
      return state === 'done' && (!counts.has(cellId!) || count === null || counts.get(cellId!) === count);
    });
  }

  function after(number = 0): ChannelMessage[] {
    const reported = new Set<RequestedCell>();
    return kept.after(number).flatMap(({ cell, message }) => {
      const report = cell.lost.latest > number && !reported.has(cell) && !BEGINNING.has(kindOf(message));
      if (report) reported.add(cell);
      return [...(report ? [loss(cell, message)] : []), message].map((one) => marked(one, cell.cellId!, true));
    });
  }

  const all = () => [...cells.values()];
  return {
    noteRequest,
    noteMessage,
    executions: () => all().map(executionOf),
    unfinished: () => all().flatMap(({ state, header }) => (state === 'done' ? [] : [header])),
    latest: kept.latest,
    after,
    saved,
  };
}

function follow(cell: RequestedCell, message: ChannelMessage): void {
  if (kindOf(message) === 'busy') cell.state = 'running';
  if (kindOf(message) === 'idle') cell.state = 'done';
  if (kindOf(message) === 'execute_input') cell.count = message.content['execution_count'] as number;
}

/** The type, or the state that a status tells. */
function kindOf({ header, content }: ChannelMessage): string {
  return header.msg_type === 'status' ? String(content['execution_state']) : header.msg_type;
}

function executionOf({ header, cellId, state, count }: RequestedCell): Execution {
  return { msg_id: header.msg_id, cellId, client: header.session, state, execution_count: count };
}

function marked(message: ChannelMessage, cellId: string, replayed: boolean): ChannelMessage {
  const dgm: MessageMark = { cellId, replayed };
  return { ...message, metadata: { ...message.metadata, dgm } };
}

/** A message in the place of those that are gone. */
function loss({ lost }: RequestedCell, near: ChannelMessage): ChannelMessage {
  const size = (lost.bytes / 2 ** 20).toFixed(1);
  const text = `[${lost.messages} earlier messages of this cell (${size} MiB) are gone: too much to keep for a page that is loaded again]\n`;
  const header = { ...near.header, msg_id: `${near.header.msg_id}-lost`, msg_type: 'stream' };
  return { ...near, channel: 'iopub', header, content: { name: 'stderr', text }, buffers: [] };
}
