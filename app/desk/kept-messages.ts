/** Messages in the order in which they came, numbered, and the oldest outputs dropped when they are too many. */
import type { ChannelMessage } from './channel-messages';

export interface KeptMessage<Cell> {
  /** From 1 on, in their order. */
  readonly number: number;
  readonly cell: Cell;
  readonly message: ChannelMessage;
  readonly bytes: number;
}

export interface KeptMessages<Cell> {
  keep(cell: Cell, message: ChannelMessage): void;
  /** Drops all messages of these cells. */
  forget(which: (cell: Cell) => boolean): void;
  /** The number of the last one that came, kept or not. */
  latest(): number;
  after(number: number): KeptMessage<Cell>[];
}

const OUTPUTS = new Set(['stream', 'display_data', 'update_display_data', 'execute_result', 'error']);

/**
 * @param limit in bytes of JSON
 * @param onLost called for each output that had to go
 */
export function createKeptMessages<Cell>(limit: number, onLost: (lost: KeptMessage<Cell>) => void): KeptMessages<Cell> {
  const kept = new Set<KeptMessage<Cell>>(); // in their order
  const updates = new Map<string, KeptMessage<Cell>>();
  let latest = 0;
  let bytes = 0;

  function keep(cell: Cell, message: ChannelMessage): void {
    const one = { number: ++latest, cell, message, bytes: sizeOf(message) };
    replaceUpdate(one);
    kept.add(one);
    bytes += one.bytes;
    if (bytes > limit) shorten();
  }

  /** Of a progress line that is drawn again and again, the last drawing is enough. */
  function replaceUpdate(one: KeptMessage<Cell>): void {
    const id = displayUpdatedBy(one.message);
    if (id === undefined) return;
    const earlier = updates.get(id);
    if (earlier) remove(earlier);
    updates.set(id, one);
  }

  /** A fifth more than needed, so that this is not done for every message. */
  function shorten(): void {
    for (const one of kept) {
      if (bytes <= limit * 0.8) return;
      if (!OUTPUTS.has(one.message.header.msg_type)) continue;
      remove(one);
      onLost(one);
    }
  }

  function remove(one: KeptMessage<Cell>): void {
    if (!kept.delete(one)) return;
    bytes -= one.bytes;
    const id = displayUpdatedBy(one.message);
    if (id !== undefined && updates.get(id) === one) updates.delete(id);
  }

  return {
    keep,
    forget(which) {
      for (const one of kept) if (which(one.cell)) remove(one);
    },
    latest: () => latest,
    after: (number) => [...kept].filter((one) => one.number > number),
  };
}

function displayUpdatedBy({ header, content }: ChannelMessage): string | undefined {
  if (header.msg_type !== 'update_display_data') return undefined;
  return (content['transient'] as { display_id?: string } | undefined)?.display_id;
}

function sizeOf({ content, buffers }: ChannelMessage): number {
  const json = Buffer.byteLength(JSON.stringify(content));
  return buffers.reduce((sum, { length }) => sum + length, json);
}
