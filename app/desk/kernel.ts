/** A kernel of the desk: a process that can be started again, the pages that show it, and the journal of its cells. */
import { randomUUID } from 'node:crypto';
import {
  type Channel,
  createHeader,
  type Message,
  type NotebookCell,
  openSession,
  ready,
  type Session,
  type SessionOptions,
} from 'dgm-jupyter';
import { type ChannelMessage, fromKernel, toKernel } from './channel-messages';
import { createJournal } from './journal';
import type { Execution } from './protocol';

/** A page's connection. */
export interface Page {
  /** Its `session_id`: the same again when only the connection was lost. */
  readonly session: string;
  send(message: ChannelMessage): void;
  close(): void;
}

/** As Jupyter's REST API shows a kernel. */
export interface KernelModel {
  readonly id: string;
  readonly name: string;
  readonly last_activity: string;
  readonly execution_state: string;
  readonly connections: number;
}

export interface DeskKernel {
  readonly id: string;
  model(): KernelModel;
  executions(): Execution[];
  /** A page connects: it gets what it has not had, and from now on everything. @returns takes it off */
  attach(page: Page): () => void;
  /** A message of a page; until the kernel listens it waits. */
  take(message: ChannelMessage & { readonly channel: 'shell' | 'control' | 'stdin' }): void;
  interrupt(): Promise<void>;
  /** A fresh process; resolves when it listens. @throws when it ends first, with what it said */
  restart(): Promise<void>;
  end(): Promise<void>;
  /** The notebook was saved with these cells. */
  saved(cells: readonly NotebookCell[]): void;
}

const REMEMBERED_PAGES = 100;

/** @param options what its processes are started with; the first starts now */
export function startKernel(name: string, options: Omit<SessionOptions, 'onMessage'>): DeskKernel {
  const id = randomUUID();
  const journal = createJournal();
  const pages = new Set<Page>();
  const left = new Map<string, number>(); // where in the journal a page was when it went
  const waiting: Parameters<DeskKernel['take']>[0][] = [];
  let session: Session | null = null;
  let state = 'starting';
  let lastActivity = new Date();
  let processes = 0;
  let closed = false;
  let turn = begin().catch(() => undefined); // who connects is told that it is dead

  async function begin(): Promise<void> {
    const mine = ++processes;
    state = 'starting';
    const onMessage = (channel: Channel, message: Message) => mine === processes && hear(channel, message);
    try {
      const opened = await openSession({ ...options, onMessage });
      session = opened;
      if (closed) return await opened.end();
      void opened.ended.then((how) => mine === processes && die(how));
      await ready(opened);
      if (mine === processes) open(opened);
    } catch (error) {
      if (mine === processes) die((error as Error).message);
      throw error;
    }
  }

  function open(opened: Session): void {
    state = 'idle';
    publish('status', null, { execution_state: 'idle' });
    for (const message of waiting.splice(0)) opened.send(message.channel, toKernel(message));
  }

  function hear(channel: Channel, message: Message): void {
    lastActivity = new Date();
    if (message.header.msg_type === 'status') state = String(message.content['execution_state']);
    tell(fromKernel(channel, message));
  }

  function tell(message: ChannelMessage): void {
    const kept = journal.said(message);
    for (const page of pages) page.send(kept);
  }

  function publish(type: string, parent: Message['parent'], content: Message['content']): void {
    tell(inItsName(type, parent, content));
  }

  function die(how: string): void {
    if (state === 'dead') return;
    const traceback = [`KernelDied: ${how}`, 'Its variables are gone. Restart it, and run the cells above again.'];
    for (const header of journal.unfinished())
      publish('error', header, { ename: 'KernelDied', evalue: how, traceback });
    abandon();
    state = 'dead';
    tell(dead());
    void session?.end();
  }

  /** The cells that wait or run will not end by themselves any more. */
  function abandon(): void {
    waiting.length = 0;
    for (const header of journal.unfinished()) publish('status', header, { execution_state: 'idle' });
  }

  async function renew(): Promise<void> {
    processes++; // what the old one still says is for nobody
    state = 'restarting';
    abandon();
    await session?.end();
    if (!closed) await begin();
  }

  function attach(page: Page): () => void {
    for (const other of pages)
      if (other.session === page.session) {
        detach(other);
        other.close();
      }
    for (const message of journal.after(left.get(page.session))) page.send(message);
    if (state === 'dead') page.send(dead());
    pages.add(page);
    return () => detach(page);
  }

  function detach(page: Page): void {
    if (!pages.delete(page)) return;
    left.set(page.session, journal.place());
    if (left.size > REMEMBERED_PAGES) left.delete(left.keys().next().value!);
  }

  return {
    id,
    model: () => ({
      id,
      name,
      last_activity: lastActivity.toISOString(),
      execution_state: state,
      connections: pages.size,
    }),
    executions: journal.executions,
    saved: journal.saved,
    attach,
    take(message) {
      if (state === 'dead' || closed) return;
      journal.asked(message);
      if (state === 'starting' || state === 'restarting') waiting.push(message);
      else session!.send(message.channel, toKernel(message));
    },
    async interrupt() {
      if (state === 'idle' || state === 'busy') await session!.request('control', 'interrupt_request', {});
    },
    restart() {
      const restarted = turn.then(renew);
      turn = restarted.catch(() => undefined);
      return restarted;
    },
    async end() {
      closed = true;
      processes++;
      for (const page of pages) page.close();
      await session?.end();
    },
  };
}

/** A message that the kernel does not send itself. */
function inItsName(type: string, parent: Message['parent'], content: Message['content']): ChannelMessage {
  return fromKernel('iopub', { identities: [], header: createHeader(type, 'desk'), parent, content });
}

const dead = (): ChannelMessage => inItsName('status', null, { execution_state: 'dead' });
