/**
 * What became of the cells that pages asked a kernel to run: which wait, run or have ended, and their messages for as
 * long as the notebook's file cannot have them (the contract is in `protocol.ts`).
 */
import type { NotebookCell } from 'dgm-jupyter';
import type { ChannelMessage } from './channel-messages';
import { type Execution, KEPT_BYTES, type MessageMark } from './protocol';

export interface Journal {
  /** A request on its way to the kernel. */
  asked(message: ChannelMessage): void;
  /** A message on its way to the pages: kept if it belongs to a cell, and then marked with it. */
  said(message: ChannelMessage): ChannelMessage;
  executions(): Execution[];
  /** The headers of the requests that the kernel has not finished. */
  unfinished(): ChannelMessage['header'][];
  /** Everything kept so far is at or before this place. */
  place(): number;
  /** The kept messages after a place, for a page that connects; all without one. */
  after(place?: number): ChannelMessage[];
  /** The notebook was saved with these cells. */
  saved(cells: readonly NotebookCell[]): void;
}

interface Entry {
  readonly place: number;
  readonly of: Kept;
  readonly message: ChannelMessage;
  readonly bytes: number;
}

interface Kept {
  readonly header: ChannelMessage['header'];
  readonly cellId: string | null;
  state: Execution['state'];
  count: number | null;
  /** Outputs that had to go, the last of them at `place`. */
  readonly lost: { messages: number; bytes: number; place: number };
}

const OUTPUTS = new Set(['stream', 'display_data', 'update_display_data', 'execute_result', 'error']);
/** What comes before a cell's outputs. */
const BEGINNING = new Set(['busy', 'execute_input']);
const REMEMBERED = 10_000; // cells of one kernel; each takes some hundred bytes

export function createJournal(limit = KEPT_BYTES): Journal {
  const known = new Map<string, Kept>();
  const entries = new Set<Entry>(); // in their order
  const updates = new Map<string, Entry>();
  let last = 0;
  let bytes = 0;

  function asked({ header, metadata }: ChannelMessage): void {
    if (header.msg_type !== 'execute_request') return;
    const cellId = typeof metadata['cellId'] === 'string' ? metadata['cellId'] : null;
    forget(({ of }) => of.cellId === cellId && of.state === 'done'); // the cell shows what comes now
    known.set(header.msg_id, {
      header,
      cellId,
      state: 'queued',
      count: null,
      lost: { messages: 0, bytes: 0, place: 0 },
    });
    if (known.size > REMEMBERED) known.delete(known.keys().next().value!);
  }

  function said(message: ChannelMessage): ChannelMessage {
    const of = known.get(message.parent_header.msg_id ?? '');
    if (!of) return message;
    follow(of, message);
    if (of.cellId === null) return message;
    keep(of, message);
    return marked(message, of.cellId, false);
  }

  function keep(of: Kept, message: ChannelMessage): void {
    const entry = { place: ++last, of, message, bytes: sizeOf(message) };
    replaceUpdate(entry);
    entries.add(entry);
    bytes += entry.bytes;
    if (bytes > limit) shorten();
  }

  /** Of a progress line that is drawn again and again, the last drawing is enough. */
  function replaceUpdate(entry: Entry): void {
    const id = updated(entry);
    if (id === undefined) return;
    const earlier = updates.get(id);
    if (earlier) remove(earlier);
    updates.set(id, entry);
  }

  /** A fifth more than needed, so that this is not done for every message. */
  function shorten(): void {
    for (const entry of entries) {
      if (bytes <= limit * 0.8) return;
      if (!OUTPUTS.has(entry.message.header.msg_type)) continue;
      remove(entry);
      entry.of.lost.messages++;
      entry.of.lost.bytes += entry.bytes;
      entry.of.lost.place = entry.place;
    }
  }

  function remove(entry: Entry): void {
    if (!entries.delete(entry)) return;
    bytes -= entry.bytes;
    const id = updated(entry);
    if (id !== undefined && updates.get(id) === entry) updates.delete(id);
  }

  function forget(which: (entry: Entry) => boolean): void {
    for (const entry of entries) if (which(entry)) remove(entry);
  }

  function saved(cells: readonly NotebookCell[]): void {
    const counts = new Map(cells.map((cell) => [cell.id, cell.cell_type === 'code' ? cell.execution_count : null]));
    forget(({ of: { state, cellId, count } }) => {
      return state === 'done' && (!counts.has(cellId!) || count === null || counts.get(cellId!) === count);
    });
  }

  function after(place = 0): ChannelMessage[] {
    const told = new Set<Kept>();
    return [...entries].flatMap(({ place: at, of, message }) => {
      if (at <= place) return [];
      const tell = of.lost.place > place && !told.has(of) && !BEGINNING.has(kindOf(message));
      if (tell) told.add(of);
      return [...(tell ? [loss(of, message)] : []), message].map((one) => marked(one, of.cellId!, true));
    });
  }

  return {
    asked,
    said,
    executions: () => [...known.values()].map(executionOf),
    unfinished: () => [...known.values()].filter(({ state }) => state !== 'done').map(({ header }) => header),
    place: () => last,
    after,
    saved,
  };
}

function follow(of: Kept, message: ChannelMessage): void {
  if (kindOf(message) === 'busy') of.state = 'running';
  if (kindOf(message) === 'idle') of.state = 'done';
  if (kindOf(message) === 'execute_input') of.count = message.content['execution_count'] as number;
}

/** The type, or the state that a status tells. */
function kindOf({ header, content }: ChannelMessage): string {
  return header.msg_type === 'status' ? String(content['execution_state']) : header.msg_type;
}

/** The display that an update is for. */
function updated({ message: { header, content } }: Entry): string | undefined {
  if (header.msg_type !== 'update_display_data') return undefined;
  return (content['transient'] as { display_id?: string } | undefined)?.display_id;
}

function executionOf({ header, cellId, state, count }: Kept): Execution {
  return { msg_id: header.msg_id, cellId, session: header.session, state, execution_count: count };
}

function marked(message: ChannelMessage, cellId: string, replayed: boolean): ChannelMessage {
  const dgm: MessageMark = { cellId, replayed };
  return { ...message, metadata: { ...message.metadata, dgm } };
}

function sizeOf({ content, buffers }: ChannelMessage): number {
  const json = Buffer.byteLength(JSON.stringify(content));
  return buffers.reduce((sum, { length }) => sum + length, json);
}

/** A message in the place of those that are gone. */
function loss({ lost }: Kept, near: ChannelMessage): ChannelMessage {
  const size = (lost.bytes / 2 ** 20).toFixed(1);
  const text = `[${lost.messages} earlier messages of this cell (${size} MiB) are gone: too much to keep for a page that is loaded again]\n`;
  const header = { ...near.header, msg_id: `${near.header.msg_id}-lost`, msg_type: 'stream' };
  return { ...near, channel: 'iopub', header, content: { name: 'stderr', text }, buffers: [] };
}
