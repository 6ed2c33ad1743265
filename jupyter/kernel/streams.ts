/** Printed text on its way out: what comes in quick succession leaves as one message. */
import type { Header } from '../client/messages';

/** A front end draws no faster; a loop that prints sends one message in this time instead of thousands. */
const INTERVAL_MS = 25;
const MAX_CHARACTERS = 1 << 16;

export interface Streams {
  write(parent: Header, name: string, text: string): void;
  /** Sends what is held back; to be called before any other message. */
  flush(): void;
}

/** Joins pieces of text in their order; belongs in a thread whose timers no cell can delay. */
export function createStreams(send: (parent: Header, name: string, text: string) => void): Streams {
  let held: { readonly parent: Header; readonly name: string; text: string } | null = null;
  let timer: NodeJS.Timeout | null = null;
  let sentAt = -Infinity;

  function flush(): void {
    if (timer) clearTimeout(timer);
    timer = null;
    if (!held) return;
    const { parent, name, text } = held;
    held = null;
    sentAt = performance.now();
    send(parent, name, text);
  }

  function write(parent: Header, name: string, text: string): void {
    if (held && (held.parent.msg_id !== parent.msg_id || held.name !== name)) flush();
    held ??= { parent, name, text: '' };
    held.text += text;
    if (held.text.length > MAX_CHARACTERS || performance.now() - sentAt > INTERVAL_MS) flush();
    else timer ??= setTimeout(flush, INTERVAL_MS);
  }

  return { write, flush };
}
