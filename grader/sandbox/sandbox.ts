/** A process that runs one submission, and the bounds within which it answers. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex, Readable, Writable } from 'node:stream';
import { brief, Thrown } from '../exercise/checking';
import type { Request } from './child';
import { childCommand, start, type CommandLine, type Limits } from './command-line';
import type { Tier } from './tier';
import type { Loadable } from '../compile/compile';
import type { Value } from '../exercise/exercise';
import { decode, encode, LIMITS as VALUE_LIMITS, ProtocolError } from '../exercise/protocol';
import { Fault, type FaultStatus } from '../exercise/status';

/** Every method rejects with a `Fault` once the process is gone, and with `Thrown` when the submission threw. */
export interface Sandbox {
  load(module: Loadable): Promise<void>;
  /** @param patience how many ms one call may take, asked at each: the value may be a function to be called later */
  call(name: string, args: readonly Value[], patience: () => number): Promise<Value>;
  /** Why the process ended, if it has. */
  fault(): Fault | undefined;
  /** Ends the process and all that it started; resolves when they are gone. */
  close(): Promise<void>;
}

type Question =
  | { readonly op: 'load'; readonly code: string }
  | { readonly op: 'call'; readonly name: string | number; readonly args: readonly unknown[] };

interface Pending {
  readonly id: string;
  resolve(reply: Record<string, unknown>): void;
  reject(fault: Fault): void;
}

interface Running {
  readonly folder: string;
  readonly kill: CommandLine['kill'];
}

/** Processes that run, each with its folder and what else is to be ended with it. */
const running = new Map<ChildProcess, Running>();
process.on('exit', () =>
  running.forEach(({ folder }, child) => {
    killGroup(child);
    rmSync(folder, { recursive: true, force: true });
  }),
);

export function openSandbox(limits: Limits, tier: Tier): Sandbox {
  const folder = mkdtempSync(join(tmpdir(), 'grade-'));
  const command = childCommand(limits, folder, tier);
  const child = start(command, folder);
  running.set(child, { folder, kill: command.kill });
  const line = lineOf(child, command);
  let fault: Fault | undefined;
  let pending: Pending | undefined;
  let places: Loadable['places'] = [];

  const fail = (status: FaultStatus, message: string): void => {
    fault ??= new Fault(status, message);
    killGroup(child);
    pending?.reject(fault);
    pending = undefined;
  };
  const onReply = (text: string): void => {
    const reply = parseReply(text);
    if (!reply || !pending || reply['id'] !== pending.id) return fail('protocol', 'answered what was not asked');
    pending.resolve(reply);
    pending = undefined;
  };
  const ask = async (question: Question, timeoutMs: number, doing: string): Promise<unknown> => {
    if (fault) throw fault;
    const id = randomBytes(8).toString('hex');
    const timer = setTimeout(() => fail('timeout', `${doing} took longer than ${timeoutMs / 1000} s`), timeoutMs);
    const reply = await new Promise<Record<string, unknown>>((resolve, reject) => {
      pending = { id, resolve, reject };
      line.output.write(`${JSON.stringify({ ...question, id } as Request)}\n`);
    }).finally(() => clearTimeout(timer));
    if ('thrown' in reply) throw noticeLimit(toThrown(reply['thrown'], places));
    return reply['value'];
  };
  /** A limit at work, also when JavaScript gets to see it as an exception: what fills the process stays in it. */
  const noticeLimit = (thrown: Thrown): Thrown | Fault => {
    const { thrown: name, message } = thrown;
    if (name === 'RangeError' && /allocation failed|out of memory|could not allocate/i.test(message))
      fail('out_of_memory', `needed more than ${limits.memoryMb} MiB`);
    else if (/^Worker initialization failure/.test(message)) fail('died', 'started more threads than it may');
    return fault ?? thrown;
  };

  const tail = boundOutput(command.line === 'own' ? [child.stdout!, child.stderr!] : [child.stderr!], limits, fail);
  line.output.on('error', () => undefined);
  readLines(line.input, onReply, () => fail('protocol', `answered more than ${VALUE_LIMITS.bytes} bytes`));
  const ended = whenEnded(child, folder, (code, signal) =>
    fail(...whyEnded(code, signal ?? signalIn(code), tail(), limits)),
  );
  child.on('error', (error) => fail('infra_error', `cannot start the child: ${error.message}`));
  if (!command.boundsMemory) watchMemory(child, limits, fail);

  const inTurn = takeTurns();
  const call = (shown: string, name: string | number, args: readonly Value[], patience: () => number): Promise<Value> =>
    inTurn(async () => {
      const question = { op: 'call', name, args: args.map((arg) => encode(arg)) } as const;
      const wire = await ask(question, patience(), `a call of ${shown}`);
      try {
        return decode(wire, {
          callable:
            (kept) =>
            (...later) =>
              call(`what ${shown} returned`, kept, later, patience),
        });
      } catch (error) {
        if (error instanceof ProtocolError) fail('protocol', `answered no value: ${brief(error.message)}`);
        throw fault ?? error;
      }
    });
  return {
    load: (module) =>
      inTurn(async () => {
        places = module.places;
        await ask({ op: 'load', code: module.code }, limits.loadMs, 'loading the cells');
      }),
    call: (name, args, patience) => call(name, name, args, patience),
    fault: () => fault,
    close: () => {
      fail('died', 'closed');
      return ended;
    },
  };
}

/** A check may call twice at once; the child answers one at a time. */
function takeTurns(): <T>(act: () => Promise<T>) => Promise<T> {
  let turn: Promise<unknown> = Promise.resolve();
  return (act) => {
    const result = turn.then(act);
    turn = result.catch(() => undefined);
    return result;
  };
}

interface Line {
  readonly input: Readable;
  readonly output: Writable;
}

function lineOf(child: ChildProcess, { line }: CommandLine): Line {
  if (line === 'standard') return { input: child.stdout!, output: child.stdin! };
  const own = child.stdio[3] as Duplex;
  return { input: own, output: own };
}

/** Hands out complete lines; `overflow` is called when one is longer than a value may be. */
function readLines(line: Readable, onLine: (text: string) => void, overflow: () => void): void {
  let chunks: Buffer[] = [];
  let size = 0;
  line.on('error', () => undefined);
  line.on('data', (chunk: Buffer) => {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const text = Buffer.concat([...chunks, chunk.subarray(from, end)]).toString('utf8');
      [chunks, size, from] = [[], 0, end + 1];
      onLine(text);
    }
    chunks.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size <= VALUE_LIMITS.bytes) return;
    [chunks, size] = [[], 0];
    overflow();
  });
}

function parseReply(text: string): Record<string, unknown> | undefined {
  try {
    const reply: unknown = JSON.parse(text);
    return typeof reply === 'object' && reply !== null ? (reply as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** What the child says that the submission threw; nothing in it is believed to have a type. */
function toThrown(reply: unknown, places: Loadable['places']): Thrown {
  const { name, message, line } = (reply ?? {}) as Record<string, unknown>;
  const place = typeof line === 'number' ? places[line - 1] : undefined;
  const where = place ? `cell ${place[0]}, line ${place[1]}` : undefined;
  return new Thrown(typeof name === 'string' ? name : 'Error', typeof message === 'string' ? message : '', where);
}

/** Ends a child that prints too much; returns a function for the last it printed on its last stream, stderr. */
function boundOutput(
  streams: readonly Readable[],
  limits: Limits,
  fail: (status: FaultStatus, message: string) => void,
): () => string {
  let bytes = 0;
  let tail = '';
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limits.outputBytes) fail('output_limit', `printed more than ${limits.outputBytes} bytes`);
  };
  for (const stream of streams) stream.on('data', count);
  streams.at(-1)!.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString('latin1')).slice(-8000);
  });
  return () => tail;
}

/** A program that waits for another tells of its signal by 128 + its number. */
function signalIn(code: number | null): string | null {
  const signal = Object.entries(constants.signals).find(([, number]) => code === 128 + number);
  return signal?.[0] ?? null;
}

function whyEnded(code: number | null, signal: string | null, stderr: string, limits: Limits): [FaultStatus, string] {
  if (/out of memory|Allocation failed|Cannot allocate memory|std::bad_alloc/i.test(stderr) || signal === 'SIGABRT')
    return ['out_of_memory', `needed more than ${limits.memoryMb} MiB, or ${limits.heapMb} MiB of JavaScript objects`];
  if (signal === 'SIGXCPU') return ['timeout', 'used up its CPU time'];
  if (signal === 'SIGKILL') return ['died', 'was ended from outside (SIGKILL); the machine may be short of memory'];
  return ['died', signal === null ? `ended its process with exit code ${code}` : `was ended by ${signal}`];
}

/** Resolves when the process is gone, its group too, and its folder; tells how it ended before that. */
function whenEnded(
  child: ChildProcess,
  folder: string,
  tell: (code: number | null, signal: string | null) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const clean = () => {
      running.delete(child);
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
      resolve();
    };
    child.once('error', clean);
    child.once('exit', (code, signal) => {
      // what the submission started shares its group, and may hold the folder and the pipes
      killGroup(child);
      const finish = once(() => {
        tell(code, signal);
        clean();
      });
      // the last words on stderr come before `close`; a grandchild that left the group may delay that for ever
      child.once('close', finish);
      setTimeout(finish, 500).unref();
    });
  });
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}

function killGroup(child: ChildProcess): void {
  const { kill } = running.get(child) ?? {};
  if (child.pid === undefined || !running.has(child)) return;
  if (kill)
    spawn(kill[0], kill.slice(1), { stdio: 'ignore', detached: true })
      .on('error', () => undefined)
      .unref();
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // no such group: the process is gone, or this is Windows
    child.kill('SIGKILL');
  }
}

/** For systems without prlimit: asks four times a second how much memory the process holds. */
function watchMemory(child: ChildProcess, limits: Limits, fail: (status: FaultStatus, message: string) => void): void {
  const timer = setInterval(() => {
    execFile('ps', ['-o', 'rss=', '-p', String(child.pid)], (_, stdout) => {
      if (Number(stdout) > limits.memoryMb * 1024) fail('out_of_memory', `needed more than ${limits.memoryMb} MiB`);
    });
  }, 250);
  child.once('exit', () => clearInterval(timer));
}
