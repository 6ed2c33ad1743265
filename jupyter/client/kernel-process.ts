/** A kernel process and the sockets to it: requests out, replies and outputs in, an orderly end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Dealer, Subscriber } from 'zeromq';
import { addressOf, type Connection, createHeader, createSender, decode, encode, type Message } from './messages';

export interface SessionOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly kernel?: readonly string[];
  /** Takes what answers a message that went out by `send`, and what no message asked for. */
  readonly onMessage?: (channel: Channel, message: Message) => void;
}

export type Channel = 'shell' | 'control' | 'stdin' | 'iopub';
export type Outgoing = Exclude<Channel, 'iopub'>;

export interface Session {
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

/** The same file from the sources and from the build. */
const SHARE = [resolve(__dirname, '..', 'share'), resolve(__dirname, '..', '..', 'share')].find((path) =>
  existsSync(path),
);
/** The project's kernelspec. */
export const KERNEL_FOLDER = join(SHARE ?? '', 'kernels', 'dgm');
const KERNEL = join(KERNEL_FOLDER, 'kernel.mjs');
const END_GRACE_MS = 2000;
const RECONNECT_MS = 20;
const PROBE_MS = 100;

/** Starts the kernel; resolves when requests reach it and its outputs reach us. */
export async function startSession(options: SessionOptions): Promise<Session> {
  const session = await openSession(options);
  await ready(session).catch(async (error: Error) => {
    await session.end();
    throw error;
  });
  return session;
}

/** Starts the process; `ready` tells when it listens. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const folder = mkdtempSync(join(tmpdir(), 'dgm-'));
  const connection = await createConnection(folder);
  const file = join(folder, 'connection.json');
  writeFileSync(file, JSON.stringify(connection), { mode: 0o600 });
  const command = (options.kernel ?? [process.execPath, KERNEL, '{connection_file}']).map((argument) =>
    argument.replace('{connection_file}', file),
  );
  return connect(connection, spawnKernel(command, options, folder), folder, options.onMessage);
}

/** Sockets in the folder where the system has them: no port to be taken by another program, none open to others. */
async function createConnection(folder: string): Promise<Connection> {
  const local = process.platform !== 'win32';
  const [shell = 1, iopub = 2, stdin = 3, control = 4, hb = 5] = local ? [] : await freePorts(5);
  return {
    transport: local ? 'ipc' : 'tcp',
    ip: local ? join(folder, 'kernel') : '127.0.0.1',
    key: randomBytes(32).toString('hex'),
    signature_scheme: 'hmac-sha256',
    shell_port: shell,
    iopub_port: iopub,
    stdin_port: stdin,
    control_port: control,
    hb_port: hb,
  };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((done) => server.once('listening', done))));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

interface KernelProcess {
  readonly child: ChildProcess;
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
  { cwd, env }: SessionOptions,
  folder: string,
): KernelProcess {
  // By these variables the kernel knows that it shall not outlive us, and what is left to be removed if we die first.
  const ours = { JPY_PARENT_PID: String(process.pid), DGM_CONNECTION_FOLDER: folder };
  const environment = { ...process.env, ...ours, ...env };
  const child = spawn(program!, args, { cwd, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  running.set(child, folder);
  const said = tail(child);
  const ended = new Promise<string>((done) => {
    child.once('error', (error) => done(`the kernel did not start: ${error.message}`));
    child.once('close', (code, signal) => done(`the kernel ended (${signal ?? `exit code ${code}`})${said()}`));
  }).finally(() => running.delete(child));
  return { child, ended };
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

interface Pending {
  reply: Message['content'] | null;
  idle: boolean;
  readonly onOutput: (message: Message) => void;
  readonly resolve: (content: Message['content']) => void;
  readonly reject: (error: Error) => void;
}

function connect(
  connection: Connection,
  { child, ended }: KernelProcess,
  folder: string,
  onMessage: SessionOptions['onMessage'] = () => undefined,
): Session {
  const { key } = connection;
  const id = randomUUID();
  const pending = new Map<string, Pending>();
  const late = new Map<string, (message: Message) => void>();
  let dead: Error | null = null;
  let ending: Promise<void> | null = null;

  const options = { linger: 0, reconnectInterval: RECONNECT_MS, receiveHighWaterMark: 0 };
  const dealers = { shell: new Dealer(options), control: new Dealer(options), stdin: new Dealer(options) };
  const sockets = { ...dealers, iopub: new Subscriber(options) };
  const senders = {
    shell: createSender(dealers.shell, fail),
    control: createSender(dealers.control, fail),
    stdin: createSender(dealers.stdin, fail),
  };
  for (const [name, socket] of Object.entries(sockets))
    socket.connect(addressOf(connection, connection[`${name as 'shell'}_port`]));
  sockets.iopub.subscribe();
  void receive('shell', onReply);
  void receive('control', onReply);
  void receive('stdin', onReply);
  void receive('iopub', onOutput);
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
    for (const request of pending.values()) request.reject(dead);
    pending.clear();
    child.kill('SIGKILL');
  }

  function onReply({ parent, content }: Message): void {
    const request = pending.get(parent?.msg_id ?? '');
    if (!request) return;
    request.reply = content;
    settle(parent!.msg_id, request);
  }

  function onOutput(message: Message): void {
    const parent = message.parent?.msg_id ?? '';
    const request = pending.get(parent);
    if (message.header.msg_type !== 'status') return (request?.onOutput ?? late.get(parent))?.(message);
    if (!request || message.content['execution_state'] !== 'idle') return;
    request.idle = true;
    settle(parent, request);
  }

  function settle(msgId: string, request: Pending): void {
    if (!request.reply || !request.idle) return;
    pending.delete(msgId);
    late.set(msgId, request.onOutput); // a timer of the cell may still print
    request.resolve(request.reply);
  }

  async function stop(): Promise<void> {
    if (!dead) senders.control.send(frames('shutdown_request', { restart: false })[1]);
    const killer = setTimeout(() => child.kill('SIGKILL'), END_GRACE_MS);
    await ended;
    clearTimeout(killer);
    for (const socket of Object.values(sockets)) socket.close();
    rmSync(folder, { recursive: true, force: true });
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
    request(channel, type, content, handle = () => undefined) {
      if (dead) return Promise.reject(dead);
      const [msgId, message] = frames(type, content);
      return new Promise((resolve, reject) => {
        pending.set(msgId, { reply: null, idle: false, onOutput: handle, resolve, reject });
        senders[channel].send(message);
      });
    },
    end: () => (ending ??= stop()),
    kill: (reason) => fail(new Error(reason)),
  };
}

/**
 * Asks until an answer comes back on both ways: what a kernel publishes before we are subscribed is lost.
 * @throws when the kernel ends first, with what it said on stderr
 */
export async function ready(session: Session): Promise<void> {
  for (let answered = false; !answered;) {
    const answer = session.request('shell', 'kernel_info_request', {}).then(() => true);
    answer.catch(() => undefined); // of several questions one is awaited
    answered = await Promise.race([answer, after(PROBE_MS)]);
  }
}

function after(ms: number): Promise<false> {
  return new Promise((done) => setTimeout(() => done(false), ms));
}
