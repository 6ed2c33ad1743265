/**
 * The Jupyter kernel of the workbook: `node kernel/main.js CONNECTION_FILE`.
 *
 * tslab compiles the cells (`compiler.ts`); running them, the protocol and the stop button are ours. Three
 * threads: this one runs cells, one holds the sockets (`wire.ts`), one waits for the stop signal
 * (`guard.ts`).
 */
import { readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { type Host, installHost, workbookRoot } from 'dgm/host';
import { installAwaiter } from './awaiting';
import { createCellRunner } from './cells';
import { type Channel, createChannel } from './channel';
import { CLOSED, createFlags } from './flags';
import { createStopButton } from './interrupts';
import { captureProcess, refuseInput, type StreamName } from './output';
import { createRequests, type Runs } from './requests';
import { activeRun, type CellRun, interruptRun } from './run';
import { installStackTraces } from './stacks';
import { reportStrays } from './strays';
import { presentation } from './values';
import type { ToWire, WireData } from './wire';
import type { Connection } from '../client/messages';

function main(file: string | undefined): void {
  const connection = readConnection(file);
  const flags = createFlags();
  const { port1, port2 } = new MessageChannel();
  startWire({ connection, port: port2, flags, kernelInfo: kernelInfo() });
  process.on('exit', () => closeWire(port1, flags));
  installStackTraces(workbookRoot);
  startCells(port1, flags);
}

function readConnection(file: string | undefined): Connection {
  if (file === undefined)
    return end('kernel/main.js needs the connection file that Jupyter writes; start it from Jupyter');
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Connection;
  } catch (error) {
    return end(`${file}: expected a connection file of Jupyter, got ${(error as Error).message}`);
  }
}

/** To the real stderr, which is what Jupyter logs; `process.stderr` belongs to the cells. */
function complain(text: string): void {
  writeSync(2, `${text}\n`);
}

function end(reason: string): never {
  complain(`kernel: ${reason}`);
  process.exit(1);
}

function startWire(workerData: WireData): void {
  const wire = new Worker(join(__dirname, 'wire.js'), { workerData, transferList: [workerData.port] });
  wire.on('error', (error) => end(`the sockets failed: ${error.stack ?? error.message}`));
}

const CLOSE_MS = 1000;

function closeWire(port: MessagePort, flags: Int32Array): void {
  port.postMessage({ kind: 'close' } satisfies ToWire);
  Atomics.wait(flags, CLOSED, 0, CLOSE_MS);
}

/** Without the compiler's version, which would take a second to know. */
function kernelInfo(): WireData['kernelInfo'] {
  const tslab = createRequire(require.resolve('tslab'));
  const { version } = tslab('@tslab/typescript-for-tslab/package.json') as { version: string };
  return {
    status: 'ok',
    protocol_version: '5.3',
    implementation: 'dgm',
    implementation_version: (tslab('dgm') as { version: string }).version,
    banner: `TypeScript ${version} on Node.js ${process.version}, by tslab`,
    help_links: [],
    language_info: {
      name: 'typescript',
      version,
      mimetype: 'text/typescript',
      file_extension: '.ts',
      pygments_lexer: 'typescript',
      // JupyterLab reads `mode`, the classic notebook the other two.
      codemirror_mode: { mode: 'typescript', name: 'javascript', typescript: true },
    },
  };
}

/** Ties cells, sockets and stop button together. */
function startCells(port: MessagePort, flags: Int32Array): void {
  const runs: Runs = { current: null, last: null };
  const channel = createChannel(port, receive);
  /** Whose output this is; a timer's goes to the cell that runs now or ran last, where one looks for it. */
  const owner = () => activeRun() ?? runs.current ?? runs.last;
  const write = writer(channel, owner);
  const button = createStopButton(flags, stop);
  installAwaiter(button);
  installHost(createHost(channel, owner));
  captureProcess(write);
  refuseInput();
  reportStrays({ label: () => owner()?.label ?? null, write: (text) => write('stderr', text) });
  const cells = createCellRunner({
    root: workbookRoot,
    cwd: process.cwd(),
    button,
    tslab: () => connectTslab(channel, owner),
  });
  const take = createRequests(channel, cells, button, runs);

  function receive(message: Parameters<Parameters<typeof createChannel>[1]>[0]): void {
    if (message.kind === 'request') take(message.message);
    else if (message.kind === 'interrupt') stop();
    else if (message.kind === 'shutdown') process.exit(0);
    else end(message.reason);
  }

  /** Stops the cell that waits, or what the last one left running for want of an `await`. */
  function stop(): void {
    const { current, last } = runs;
    if (current) interruptRun(current);
    else if (last && last.waiting.size > 0) interruptRun(last);
  }
}

type Owner = () => CellRun | null;
type Write = (name: StreamName, text: string) => void;

/** To the cell, or to the log of Jupyter when there is none yet. */
function writer(channel: Channel, owner: Owner): Write {
  return (name, text) => {
    const run = owner();
    if (run) channel.stream(run, name, text);
    else writeSync(name === 'stdout' ? 1 : 2, text);
  };
}

function createHost(channel: Channel, owner: Owner): Host {
  const never = new AbortController().signal;
  return {
    display(data, { id, update = false } = {}) {
      const run = owner();
      const transient = id === undefined ? {} : { display_id: id };
      const type = update ? 'update_display_data' : 'display_data';
      if (run) channel.publish(type, run, { ...presentation(data), transient });
    },
    interruptSignal: () => owner()?.controller.signal ?? never,
  };
}

/** tslab's own display functions, for cells that import it. */
function connectTslab(channel: Channel, owner: Owner): void {
  const jupyter = createRequire(require.resolve('tslab'))('./jupyter') as { lastWriteDisplayData: unknown };
  jupyter.lastWriteDisplayData = (content: object, update: boolean) => {
    const run = owner();
    if (run) channel.publish(update ? 'update_display_data' : 'display_data', run, content);
  };
}

main(process.argv[2]);
