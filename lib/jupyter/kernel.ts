/**
 * The Jupyter kernel of the workbook: `node kernel.js CONNECTION_FILE`.
 *
 * tslab compiles the cells (`kernel/compiler.ts`); running them, the protocol and the stop button are ours. Three
 * threads: this one runs cells, one holds the sockets (`kernel/wire.ts`), one waits for the stop signal
 * (`kernel/guard.ts`).
 */
import { readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { installHost, type MimeBundle } from '../host';
import { installAwaiter } from './kernel/awaiting';
import { createSession, type Outcome, type Session } from './kernel/cells';
import { toCodePoints, toCodeUnits } from './cursor';
import { type CellError, describeThrown } from './kernel/errors';
import { CLOSED, createFlags } from './kernel/flags';
import { createStopButton } from './kernel/interrupts';
import { captureProcess } from './kernel/output';
import { activeRun, type CellRun, createRun, interruptRun, KeyboardInterrupt } from './kernel/run';
import { installStackTraces } from './kernel/stacks';
import { bundleJson } from './kernel/values';
import type { FromWire, ToWire, WireData } from './kernel/wire';
import type { Connection, Header, Message } from './messages';

const ROOT = resolve(__dirname, '..', '..', '..');

function main(file: string | undefined): void {
  const connection = readConnection(file);
  const flags = createFlags();
  const { port1, port2 } = new MessageChannel();
  startWire({ connection, port: port2, flags, kernelInfo: kernelInfo() });
  process.on('exit', () => closeWire(port1, flags));
  installStackTraces(ROOT);
  const kernel = createKernel(port1, flags);
  port1.on('message', (message: FromWire) => kernel.receive(message));
}

function readConnection(file: string | undefined): Connection {
  if (file === undefined) return end('kernel.js needs the connection file that Jupyter writes; start it from Jupyter');
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
  const wire = new Worker(join(__dirname, 'kernel', 'wire.js'), { workerData, transferList: [workerData.port] });
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
    implementation_version: (tslab('../package.json') as { version: string }).version,
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

interface Kernel {
  receive(message: FromWire): void;
}

function createKernel(port: MessagePort, flags: Int32Array): Kernel {
  const queue: Message[] = [];
  let count = 0;
  let pumping = false;
  let current: CellRun | null = null;
  let last: CellRun | null = null;
  let passFence = () => undefined as void;

  const post = (message: ToWire) => port.postMessage(message);

  function send(type: string, parent: Header, content: object): void {
    post({ kind: 'publish', type, parent, content: JSON.stringify(content) });
  }

  function publish(type: string, run: CellRun, content: object): void {
    if (!run.silent) send(type, run.parent, content);
  }

  function reply(request: Message, content: object): void {
    post({ kind: 'reply', request, content: JSON.stringify(content) });
  }

  /** Whose output this is; a timer's goes to the cell that runs now or ran last, where one looks for it. */
  function owner(): CellRun | null {
    return activeRun() ?? current ?? last;
  }

  function write(name: 'stdout' | 'stderr', text: string): void {
    const run = owner();
    if (!run) writeSync(name === 'stdout' ? 1 : 2, text);
    else if (!run.silent) post({ kind: 'stream', name, parent: run.parent, text });
  }

  function display(data: MimeBundle, { id, update = false }: { id?: string; update?: boolean } = {}): void {
    const run = owner();
    const transient = id === undefined ? {} : { display_id: id };
    const type = update ? 'update_display_data' : 'display_data';
    if (run) publish(type, run, { data: bundleJson(data), metadata: {}, transient });
  }

  function report(what: string, thrown: unknown): void {
    if (thrown instanceof KeyboardInterrupt) return; // whoever waited for a stopped cell
    write('stderr', `${what}: ${describeThrown(thrown).traceback.join('\n')}\n`);
  }

  installHost({ display, interruptSignal: () => owner()?.controller.signal ?? new AbortController().signal });
  const button = createStopButton(flags, stop);
  installAwaiter(button);
  captureProcess(write);
  process.on('uncaughtException', (error) => report('Uncaught', error));
  process.on('unhandledRejection', (reason) => report('Unhandled rejection (an await is missing)', reason));
  const session = createSession({ root: ROOT, cwd: process.cwd(), button, tslab: connectTslab });

  /** tslab's own display functions, for cells that import it. */
  function connectTslab(): void {
    const jupyter = createRequire(require.resolve('tslab'))('./jupyter') as { lastWriteDisplayData: unknown };
    jupyter.lastWriteDisplayData = (content: object, update: boolean) => {
      const run = owner();
      if (run) publish(update ? 'update_display_data' : 'display_data', run, content);
    };
  }

  /** Stops the cell that waits, or what the last one left running for want of an `await`. */
  function stop(): void {
    if (current) interruptRun(current);
    else if (last && last.waiting.size > 0) interruptRun(last);
  }

  function receive(message: FromWire): void {
    if (message.kind === 'failed') end(message.reason);
    else if (message.kind === 'shutdown') process.exit(0);
    else if (message.kind === 'fence') passFence();
    else if (message.kind === 'interrupt') stop();
    else if (message.message.header.msg_type === 'execute_request') {
      queue.push(message.message);
      void pump();
    } else answer(message.message);
  }

  async function pump(): Promise<void> {
    if (pumping) return;
    pumping = true;
    for (let request = queue.shift(); request; request = queue.shift()) await during(request, execute);
    pumping = false;
  }

  async function during(request: Message, work: (request: Message) => unknown): Promise<void> {
    send('status', request.header, { execution_state: 'busy' });
    await work(request);
    send('status', request.header, { execution_state: 'idle' });
  }

  async function execute(request: Message): Promise<void> {
    const { code, silent = false, stop_on_error = true } = request.content as unknown as ExecuteRequest;
    if (!silent) count++;
    const run = createRun(`In[${count}]`, request.header, silent);
    current = last = run;
    button.acknowledge(); // what was pressed before is not for this cell
    publish('execute_input', run, { code, execution_count: count });
    const outcome = await session
      .execute(code, run)
      .catch((error): Outcome => ({ status: 'error', error: describeThrown(error) }));
    await turn(); // a promise that the cell left rejected is reported inside of it
    finish(run, request, outcome);
    current = null;
    if (outcome.status === 'error' && stop_on_error) await abortQueue();
  }

  function finish(run: CellRun, request: Message, outcome: Outcome): void {
    const reply_ = (content: object) => reply(request, { execution_count: count, ...content });
    if (outcome.status === 'error') {
      publish('error', run, outcome.error);
      reply_({ status: 'error', ...outcome.error });
    } else {
      if (outcome.result)
        publish('execute_result', run, { execution_count: count, data: bundleJson(outcome.result), metadata: {} });
      reply_({ status: 'ok', payload: [], user_expressions: {} });
    }
  }

  /** "Run all" sends every cell at once; those after a failed one are not run. */
  async function abortQueue(): Promise<void> {
    await new Promise<void>((resolve) => {
      passFence = resolve;
      post({ kind: 'fence' }); // what the sockets have received by now is in the queue when the answer comes
    });
    for (const request of queue.splice(0)) void during(request, () => reply(request, { status: 'aborted' }));
  }

  function answer(request: Message): void {
    void during(request, () => {
      const content = answerTo(session, request);
      if (content) reply(request, content);
    });
  }

  return { receive };
}

interface ExecuteRequest {
  readonly code: string;
  readonly silent?: boolean;
  readonly stop_on_error?: boolean;
}

interface CursorRequest {
  readonly code: string;
  readonly cursor_pos: number;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The answers that need the compiler; a request it cannot stand is answered, too. */
function answerTo(session: Session, { header, content }: Message): object | null {
  const request = content as unknown as CursorRequest;
  try {
    if (header.msg_type === 'complete_request') return completion(session, request);
    if (header.msg_type === 'inspect_request') return inspection(session, request);
    if (header.msg_type === 'is_complete_request') return completeness(session, request);
    return null;
  } catch (error) {
    const { ename, evalue, traceback }: CellError = describeThrown(error);
    return { status: 'error', ename, evalue, traceback };
  }
}

function completion(session: Session, { code, cursor_pos }: CursorRequest): object {
  const { candidates, start, end } = session.complete(code, toCodeUnits(code, cursor_pos));
  const range = { cursor_start: toCodePoints(code, start), cursor_end: toCodePoints(code, end) };
  return { status: 'ok', matches: candidates, ...range, metadata: {} };
}

function inspection(session: Session, { code, cursor_pos }: CursorRequest): object {
  const text = session.inspect(code, toCodeUnits(code, cursor_pos));
  const data = text === null ? {} : { 'text/plain': text };
  return { status: 'ok', found: text !== null, data, metadata: {} };
}

function completeness(session: Session, { code }: CursorRequest): object {
  const { completed, indent = '' } = session.isComplete(code);
  return completed ? { status: 'complete' } : { status: 'incomplete', indent };
}

main(process.argv[2]);
