/** A kernel process and the sockets to it: requests out, replies and outputs in, an orderly end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Dealer, Subscriber } from 'zeromq';
import { workbookRoot } from 'dgm/host';
import { createConnection } from './connection';
import { addressOf, type Connection, createHeader, createSender, decode, encode, type Message } from './messages';
import { createPendingRequests } from './pending';

export interface KernelProcessOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly kernel?: readonly string[];
  /** Takes what answers a message that went out by `send`, and what no message asked for. */
  readonly onMessage?: (channel: Channel, message: Message) => void;
}

export type Channel = 'shell' | 'control' | 'stdin' | 'iopub';
export type Outgoing = Exclude<Channel, 'iopub'>;

export interface KernelProcess {
  readonly pid: number;
  /** Resolves, never rejects, with how the kernel ended and what it said last. */
  readonly ended: Promise<string>;
  /** Resolves with the reply's content once the kernel is idle again; rejects when the kernel dies. */
  request(
    channel: 'shell' | 'control',
    type: string,
    content: object,
    onOutput?: (message: Message) => void,
  ): Promise<Message['content']>;
  /** Passes on a message of somebody else. */
  send(channel: Outgoing, message: Message): void;
  /** Asks the kernel to end; a moment later it is killed. */
  end(): Promise<void>;
  /** Kills the kernel; open requests reject with this reason. */
  kill(reason: string): void;
}

/** The project's kernelspec. */
export const KERNEL_FOLDER = join(workbookRoot, 'jupyter', 'share', 'kernels', 'dgm');
const KERNEL = join(KERNEL_FOLDER, 'kernel.mjs');
const END_GRACE_MS = 2000;
const RECONNECT_MS = 20;
const PROBE_MS = 100;

/** Starts the kernel; resolves when requests reach it and its outputs reach us. */
export async function startKernelProcess(options: KernelProcessOptions): Promise<KernelProcess> {
  const opened = await openKernelProcess(options);
  await ready(opened).catch(async (error: Error) => {
    await opened.end();
    throw error;
  });
  return opened;
}

/** Starts the process; `ready` tells when it listens. */
export async function openKernelProcess(options: KernelProcessOptions): Promise<KernelProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'dgm-'));
  const connection = await createConnection(folder);
  const file = join(folder, 'connection.json');
  writeFileSync(file, JSON.stringify(connection), { mode: 0o600 });
  const command = (options.kernel ?? [process.execPath, KERNEL, '{connection_file}']).map((argument) =>
    argument.replace('{connection_file}', file),
  );
  return connect(connection, spawnKernel(command, options, folder), options.onMessage);
}

interface Spawned {
  readonly child: ChildProcess;
  /** With the connection file and the sockets; ours to remove. */
  readonly folder: string;
  /** Resolves, never rejects, with how it ended and what it said last. */
  readonly ended: Promise<string>;
}

const running = new Map<ChildProcess, string>();
process.once('exit', () =>
  running.forEach((folder, child) => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }),
);

function spawnKernel(
  [program, ...args]: readonly string[],
  { cwd, env }: KernelProcessOptions,
  folder: string,
): Spawned {
  // By these variables the kernel knows that it shall not outlive us, and what is left to be removed if we die first.
  const ours = { JPY_PARENT_PID: String(process.pid), DGM_CONNECTION_FOLDER: folder };
  const environment = { ...process.env, ...ours, ...env };
  const child = spawn(program!, args, { cwd, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  running.set(child, folder);
  const output = tail(child);
  const ended = new Promise<string>((done) => {
    child.once('error', (error) => done(`the kernel did not start: ${error.message}`));
    child.once('close', (code, signal) => done(`the kernel ended (${signal ?? `exit code ${code}`})${output()}`));
  }).finally(() => running.delete(child));
  return { child, folder, ended };
}

const TAIL_CHARACTERS = 4000;

/** The last of what a process says. */
function tail(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-TAIL_CHARACTERS);
    });
  return () => (text.trim() === '' ? '' : `:\n${text.trim()}`);
}

function connect(
  connection: Connection,
  spawned: Spawned,
  onMessage: KernelProcessOptions['onMessage'] = () => undefined,
): KernelProcess {
  const { child, ended } = spawned;
  const { key } = connection;
  const id = randomUUID();
  const pending = createPendingRequests();
  const { sockets, senders } = openSockets(connection, fail);
  let dead: Error | null = null;
  let ending: Promise<void> | null = null;
  void receive('shell', pending.reply);
  void receive('control', pending.reply);
  void receive('stdin', pending.reply);
  void receive('iopub', pending.output);
  void ended.then((how) => fail(new Error(how)));

  async function receive(channel: Channel, handle: (message: Message) => void): Promise<void> {
    try {
      for await (const frames of sockets[channel]) {
        const message = decode(key, frames);
        if (message.parent?.session === id) handle(message);
        else onMessage(channel, message);
      }
    } catch (error) {
      fail(error);
    }
  }

  /** After this nothing can be asked any more. */
  function fail(error: unknown): void {
    dead ??= error instanceof Error ? error : new Error(String(error));
    pending.reject(dead);
    child.kill('SIGKILL');
  }

  async function end(): Promise<void> {
    if (!dead) senders.control.send(frames('shutdown_request', { restart: false })[1]);
    await endOf(spawned);
    for (const socket of Object.values(sockets)) socket.close();
  }

  function frames(type: string, content: object): readonly [id: string, frames: (Uint8Array | string)[]] {
    const header = createHeader(type, id);
    return [header.msg_id, encode(key, { identities: [], header, parent: null, content })];
  }

  return {
    pid: child.pid ?? -1,
    ended,
    send(channel, message) {
      if (!dead) senders[channel].send(encode(key, message));
    },
    request(channel, type, content, onOutput = () => undefined) {
      if (dead) return Promise.reject(dead);
      const [msgId, message] = frames(type, content);
      const answer = pending.add(msgId, onOutput);
      senders[channel].send(message);
      return answer;
    },
    end: () => (ending ??= end()),
    kill: (reason) => fail(new Error(reason)),
  };
}

/** One for each channel but the heartbeat: that the process lives, its parent knows. */
function openSockets(connection: Connection, onError: (error: unknown) => void) {
  const options = { linger: 0, reconnectInterval: RECONNECT_MS, receiveHighWaterMark: 0 };
  const dealers = { shell: new Dealer(options), control: new Dealer(options), stdin: new Dealer(options) };
  const sockets = { ...dealers, iopub: new Subscriber(options) };
  for (const [name, socket] of Object.entries(sockets))
    socket.connect(addressOf(connection, connection[`${name as 'shell'}_port`]));
  sockets.iopub.subscribe();
  const senders = {
    shell: createSender(dealers.shell, onError),
    control: createSender(dealers.control, onError),
    stdin: createSender(dealers.stdin, onError),
  };
  return { sockets, senders };
}

/** Waits until the process has ended, by force after a moment, and removes what it leaves. */
async function endOf({ child, folder, ended }: Spawned): Promise<void> {
  const killer = setTimeout(() => child.kill('SIGKILL'), END_GRACE_MS);
  await ended;
  clearTimeout(killer);
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Asks until an answer comes back on both ways: what a kernel publishes before we are subscribed is lost.
 * @throws when the kernel ends first, with what it said on stderr
 */
export async function ready(opened: Pick<KernelProcess, 'request'>): Promise<void> {
  for (let answered = false; !answered;) {
    const answer = opened.request('shell', 'kernel_info_request', {}).then(() => true);
    answer.catch(() => undefined); // of several questions one is awaited
    answered = await Promise.race([answer, after(PROBE_MS)]);
  }
}

function after(ms: number): Promise<false> {
  return new Promise((done) => setTimeout(() => done(false), ms));
}
