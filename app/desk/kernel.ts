/** A kernel of the desk: a process that can be started again, the pages that show it, and the journal of its cells. */
import { randomUUID } from 'node:crypto';
import {
  type Channel,
  createHeader,
  type KernelProcess,
  type KernelProcessOptions,
  type Message,
  type NotebookCell,
  openKernelProcess,
  type Outgoing,
  ready,
} from 'dgm-jupyter';
import { type ChannelMessage, fromKernel, toKernel } from './channel-messages';
import { createJournal, type Journal } from './journal';
import { createPages, type Page, type Pages } from './pages';
import type { Execution } from './protocol';

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
  take(message: FromPage): void;
  interrupt(): Promise<void>;
  /** A fresh process; resolves when it listens. @throws when it ends first, with what it said */
  restart(): Promise<void>;
  end(): Promise<void>;
  /** The notebook was saved with these cells. */
  saved(cells: readonly NotebookCell[]): void;
}

type FromPage = ChannelMessage & { readonly channel: Outgoing };

/** What changes from process to process, and what stays. */
interface Life {
  readonly options: Omit<KernelProcessOptions, 'onMessage'>;
  readonly journal: Journal;
  readonly pages: Pages;
  /** For the kernel, once it listens. */
  readonly waiting: FromPage[];
  /** How many of them waited when a stop was asked for. */
  stopped: number;
  listens: boolean;
  process: KernelProcess | null;
  /** How many processes there were: what an earlier one still says is for nobody. */
  processes: number;
  state: string;
  lastActivity: Date;
  closed: boolean;
}

/** @param options what its processes are started with; the first starts now */
export function startKernel(name: string, options: Life['options']): DeskKernel {
  const id = randomUUID();
  const journal = createJournal();
  const pages = createPages(journal, () => (life.state === 'dead' ? dead() : undefined));
  const beginning = { process: null, processes: 0, stopped: 0, listens: false, state: 'starting', closed: false };
  const life: Life = { options, journal, pages, waiting: [], lastActivity: new Date(), ...beginning };
  let turn = begin(life).catch(() => undefined); // who connects is told that it is dead

  return {
    id,
    model: () => ({
      id,
      name,
      last_activity: life.lastActivity.toISOString(),
      execution_state: life.state,
      connections: pages.count(),
    }),
    executions: journal.executions,
    saved: journal.saved,
    attach: pages.attach,
    take(message) {
      if (life.state === 'dead' || life.closed) return;
      journal.noteRequest(message);
      if (!life.listens) life.waiting.push(message);
      else life.process!.send(message.channel, toKernel(message));
    },
    async interrupt() {
      if (life.listens) await life.process!.request('control', 'interrupt_request', {});
      else life.stopped = life.waiting.length;
    },
    restart() {
      const restarted = turn.then(() => renew(life));
      turn = restarted.catch(() => undefined);
      return restarted;
    },
    async end() {
      life.closed = true;
      life.processes++;
      pages.close();
      await life.process?.end();
    },
  };
}

async function begin(life: Life): Promise<void> {
  const mine = ++life.processes;
  const isMine = () => mine === life.processes;
  life.state = 'starting';
  const onMessage = (channel: Channel, message: Message) => isMine() && hear(life, channel, message);
  try {
    const opened = await openKernelProcess({ ...life.options, onMessage });
    life.process = opened;
    if (life.closed) return await opened.end();
    void opened.ended.then((how) => isMine() && die(life, how));
    await ready(opened);
    if (isMine()) await stopWaiting(life, opened);
    if (isMine()) listen(life, opened);
  } catch (error) {
    if (isMine()) die(life, (error as Error).message);
    throw error;
  }
}

/** A stop that came while the kernel started is for the cells that waited then. */
async function stopWaiting(life: Life, process: KernelProcess): Promise<void> {
  if (life.stopped === 0) return;
  for (const message of life.waiting.splice(0, life.stopped)) process.send(message.channel, toKernel(message));
  await process.request('shell', 'kernel_info_request', {}); // it has read them when it answers
  await process.request('control', 'interrupt_request', {});
}

function listen(life: Life, process: KernelProcess): void {
  life.state = 'idle';
  life.listens = true;
  publish(life, 'status', null, { execution_state: 'idle' });
  for (const message of life.waiting.splice(0)) process.send(message.channel, toKernel(message));
}

function hear(life: Life, channel: Channel, message: Message): void {
  life.lastActivity = new Date();
  if (message.header.msg_type === 'status') life.state = String(message.content['execution_state']);
  life.pages.send(fromKernel(channel, message));
}

function die(life: Life, how: string): void {
  if (life.state === 'dead') return;
  const traceback = [`KernelDied: ${how}`, 'Its variables are gone. Restart it, and run the cells above again.'];
  for (const header of life.journal.unfinished())
    publish(life, 'error', header, { ename: 'KernelDied', evalue: how, traceback });
  abandon(life);
  life.state = 'dead';
  life.listens = false;
  life.pages.send(dead());
  void life.process?.end();
}

/** The cells that wait or run will not end by themselves any more. */
function abandon(life: Life): void {
  life.waiting.length = 0;
  life.stopped = 0;
  for (const header of life.journal.unfinished()) publish(life, 'status', header, { execution_state: 'idle' });
}

async function renew(life: Life): Promise<void> {
  life.processes++;
  life.state = 'restarting';
  life.listens = false;
  abandon(life);
  await life.process?.end();
  if (!life.closed) await begin(life);
}

function publish({ pages }: Life, type: string, parent: Message['parent'], content: Message['content']): void {
  pages.send(inItsName(type, parent, content));
}

/** A message that the kernel does not send itself. */
function inItsName(type: string, parent: Message['parent'], content: Message['content']): ChannelMessage {
  return fromKernel('iopub', { identities: [], header: createHeader(type, 'desk'), parent, content });
}

const dead = (): ChannelMessage => inItsName('status', null, { execution_state: 'dead' });
