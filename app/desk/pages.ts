/** The pages that show a kernel: each gets every message once, also when its connection was lost in between. */
import type { ChannelMessage } from './channel-messages';
import type { Journal } from './journal';

/** A page's connection. */
export interface Page {
  /** Its `session_id`: the same again when only the connection was lost. */
  readonly client: string;
  send(message: ChannelMessage): void;
  close(): void;
}

export interface Pages {
  count(): number;
  /** A page connects: it gets what it has not had, and from now on everything. @returns takes it off */
  attach(page: Page): () => void;
  /** To all of them, and into the journal. */
  send(message: ChannelMessage): void;
  close(): void;
}

const REMEMBERED = 100;

/** @param last what a page that connects gets after all that is in the journal, if anything */
export function createPages(journal: Journal, last: () => ChannelMessage | undefined): Pages {
  const pages = new Set<Page>();
  const left = new Map<string, number>(); // up to which message of the journal a page was there

  function attach(page: Page): () => void {
    for (const other of pages)
      if (other.client === page.client) {
        detach(other);
        other.close();
      }
    for (const message of journal.after(left.get(page.client))) page.send(message);
    const end = last();
    if (end) page.send(end);
    pages.add(page);
    return () => detach(page);
  }

  function detach(page: Page): void {
    if (!pages.delete(page)) return;
    left.set(page.client, journal.latest());
    if (left.size > REMEMBERED) left.delete(left.keys().next().value!);
  }

  return {
    count: () => pages.size,
    attach,
    send(message) {
      const noted = journal.noteMessage(message);
      for (const page of pages) page.send(noted);
    },
    close() {
      for (const page of pages) page.close();
    },
  };
}
