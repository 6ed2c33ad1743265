/**
 * The process that runs a submission. It knows no check, no solution and no score: it loads a module and calls its
 * functions, one request at a time, as JSON lines on file descriptor 3. Started with the word `standard` it is asked on
 * stdin and answers on stdout, which a container passes on; what the submission prints then goes to stderr.
 */
import './own-packages';
import Module from 'node:module';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import * as tf from '@tensorflow/tfjs';
import * as dgm from 'dgm';
import { decode, encode, type Wire } from '../exercise/protocol';
import { root } from '../base/paths';

export type Request = { readonly id: string; readonly op: 'load'; readonly code: string } | Call;

interface Call {
  readonly id: string;
  readonly op: 'call';
  /** A function of the module, or the number of one that an earlier call returned. */
  readonly name: string | number;
  readonly args: readonly Wire[];
}

export interface ThrownReply {
  readonly name: string;
  readonly message: string;
  /** Where in the module, from 1. */
  readonly line?: number;
}

export type Reply = { readonly id: string } & ({ readonly value: Wire } | { readonly thrown: ThrownReply });

type Functions = Readonly<Record<string, unknown>>;

/** Nothing lies beside it, so that relative imports find nothing; packages come from the project. */
const FILE = join(process.cwd(), 'submission.ts');

let functions: Functions = {};
const returned: unknown[] = [];

async function answer(request: Request): Promise<Wire> {
  if (request.op === 'load') return load(request.code);
  const { name } = request;
  const solution = typeof name === 'number' ? returned[name] : functions[name];
  if (typeof solution !== 'function') throw new TypeError(`${name} is ${typeof solution}, not a function`);
  const args = request.args.map((arg) => decode(arg, { evaluate }));
  const result: unknown = await (solution as (...args: unknown[]) => unknown)(...args);
  const before = returned.length;
  const wire = encode(result, (value) => returned.push(value) - 1);
  // a function that was returned may need what it was made from
  if (returned.length === before) tf.dispose([args, result] as tf.TensorContainer);
  return wire;
}

/** @returns the kind of each thing that the module exports */
async function load(code: string): Promise<Wire> {
  const module = new Module(FILE) as Module & { _compile(code: string, file: string): void };
  module.filename = FILE;
  module.paths = [join(root, 'node_modules')];
  module._compile(code, FILE);
  functions = await (module.exports as { notebook(): Promise<Functions> }).notebook();
  return Object.fromEntries(Object.entries(functions).map(([name, value]) => [name, typeof value]));
}

/** Makes the function that a check passes as an argument; its text comes from the grader. */
function evaluate(source: string): unknown {
  return new Function('tf', 'dgm', `return (${source});`)(tf, dgm);
}

function toThrown(error: unknown): ThrownReply {
  try {
    return readThrown(error);
  } catch {
    return { name: 'Error', message: 'threw something that cannot be read' };
  }
}

function readThrown(error: unknown): ThrownReply {
  if (!(error instanceof Error)) return { name: 'Error', message: `threw ${String(error)}, which is no Error` };
  const [, line] = /submission\.ts:(\d+):\d+/.exec(error.stack ?? '') ?? [];
  const known = { name: String(error.name).slice(0, 100), message: String(error.message).slice(0, 2000) };
  return line === undefined ? known : { ...known, line: Number(line) };
}

async function reply(request: Request): Promise<Reply> {
  try {
    return { id: request.id, value: await answer(request) };
  } catch (error) {
    return { id: request.id, thrown: toThrown(error) };
  }
}

/** Calls `handle` with each line that comes, after it has finished with the one before. */
function serve(line: Readable, handle: (text: string) => Promise<void>): void {
  let rest = '';
  let turn = Promise.resolve();
  line.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const complete of lines) turn = turn.then(() => handle(complete));
  });
}

process.setSourceMapsEnabled(true);
// tfjs throws from far below the line that called it
Error.stackTraceLimit = 100;
// a kernel goes on after these, so the grader does
process
  .on('unhandledRejection', (error) => console.error(error))
  .on('uncaughtException', (error) => console.error(error));

/** Else what a loop prints piles up in this process, and the grader sees none of it. */
function printAtOnce(stream: NodeJS.WriteStream): void {
  (stream as { _handle?: { setBlocking?: (on: boolean) => void } })._handle?.setBlocking?.(true);
}
printAtOnce(process.stdout);
printAtOnce(process.stderr);

const standard = process.argv.includes('standard');
const output: Writable = standard ? process.stdout : new Socket({ fd: 3, readable: true, writable: true });
const input: Readable = standard ? process.stdin : (output as Socket);
if (standard) Object.defineProperty(process, 'stdout', { value: process.stderr });
// JSON and the socket are taken here once: a submission that replaces them must not silence us by accident
const { parse, stringify } = JSON;
const write = output.write.bind(output);
// the grader is gone
input.on('end', () => process.exit()).on('error', () => process.exit());
serve(input, async (text) => {
  write(`${stringify(await reply(parse(text) as Request))}\n`);
});
