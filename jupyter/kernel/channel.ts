/** What this thread tells the notebook, by way of the thread that holds the sockets. */
import type { MessagePort } from 'node:worker_threads';
import type { Header, Message } from '../client/messages';
import type { StreamName } from './output';
import type { CellRun } from './run';
import type { FromWire, ToWire } from './wire';

/** What a cell may print: an endless loop that prints would otherwise fill every memory on the way to the page. */
const MOST_PRINTED = 1_000_000; // characters
const CUT = `\n[This cell has printed more than ${MOST_PRINTED.toLocaleString('en')} characters: the rest is not shown.]\n`;

export interface Channel {
  /** Text that a cell printed, up to a limit. */
  stream(run: CellRun, name: StreamName, text: string): void;
  /** A message under a cell, unless the cell was asked to be silent; `content` may be JSON already. */
  publish(type: string, run: CellRun, content: object | string): void;
  /** A cell that belongs into the history. */
  begun(count: number, code: string): void;
  status(request: Message, state: 'busy' | 'idle'): void;
  reply(request: Message, content: object): void;
  /** Resolves when all requests that the sockets have received by now were handed to `onMessage`. */
  fence(): Promise<void>;
}

export function createChannel(
  port: MessagePort,
  onMessage: (message: Exclude<FromWire, { readonly kind: 'fence' }>) => void,
): Channel {
  const fences: (() => void)[] = [];
  const printed = new WeakMap<CellRun, number>();
  const post = (message: ToWire) => port.postMessage(message);
  const send = (type: string, parent: Header, content: object | string) =>
    post({ kind: 'publish', type, parent, content: typeof content === 'string' ? content : JSON.stringify(content) });
  port.on('message', (message: FromWire) => {
    if (message.kind === 'fence') fences.shift()?.();
    else onMessage(message);
  });
  return {
    stream(run, name, text) {
      const before = printed.get(run) ?? 0;
      if (run.silent || before > MOST_PRINTED) return;
      printed.set(run, before + text.length);
      const shown = text.slice(0, MOST_PRINTED - before);
      if (shown) post({ kind: 'stream', name, parent: run.parent, text: shown });
      if (shown !== text) post({ kind: 'stream', name: 'stderr', parent: run.parent, text: CUT });
    },
    publish(type, run, content) {
      if (!run.silent) send(type, run.parent, content);
    },
    begun: (count, code) => post({ kind: 'begun', count, code }),
    status: (request, state) => post({ kind: state, parent: request.header }),
    reply: (request, content) => post({ kind: 'reply', request, content: JSON.stringify(content) }),
    fence() {
      post({ kind: 'fence' });
      return new Promise((resolve) => fences.push(resolve));
    },
  };
}
