/** Requests in their order: cells one after the other, the compiler's answers at once. */
import type { Message } from '../client/messages';
import { answerTo } from './answers';
import type { Outcome, CellRunner } from './cells';
import type { Channel } from './channel';
import { describeThrown, INTERRUPTED } from './errors';
import type { StopButton } from './interrupts';
import { type CellRun, createRun } from './run';

/** The cells that run now and ran last. */
export interface Runs {
  current: CellRun | null;
  last: CellRun | null;
}

interface ExecuteRequest {
  readonly code: string;
  readonly silent?: boolean;
  readonly stop_on_error?: boolean;
}

/** @returns what takes the next request */
export function createRequests(
  channel: Channel,
  cells: CellRunner,
  button: StopButton,
  runs: Runs,
): (request: Message) => void {
  const queue: Message[] = [];
  let count = 0;
  let begun = 0; // cells, silent and aborted ones too
  let isRunning = false;

  async function runQueue(): Promise<void> {
    if (isRunning) return;
    isRunning = true;
    for (let request = queue.shift(); request; request = queue.shift()) await during(channel, request, execute);
    isRunning = false;
  }

  async function execute(request: Message): Promise<void> {
    const { code, silent = false, stop_on_error = true } = request.content as unknown as ExecuteRequest;
    if (!silent) count++;
    begun++;
    const run = createRun(`In[${count}]`, request.header, silent);
    runs.current = runs.last = run;
    button.acknowledge(); // what was pressed before is not for this cell
    channel.publish('execute_input', run, { code, execution_count: count });
    const outcome = button.isFor(begun) ? STOPPED : await cells.execute(code, run).catch(failed);
    await turn(); // a promise that the cell left rejected is reported inside of it
    finish(run, request, outcome);
    runs.current = null;
    if (outcome.status === 'error' && stop_on_error) await abortQueue();
  }

  function finish(run: CellRun, request: Message, outcome: Outcome): void {
    const reply = { status: outcome.status, execution_count: count };
    if (outcome.status === 'error') {
      channel.publish('error', run, outcome.error);
      return channel.reply(request, { ...reply, ...outcome.error });
    }
    const { result } = outcome; // JSON
    if (result) channel.publish('execute_result', run, `{"execution_count":${count},"data":${result},"metadata":{}}`);
    channel.reply(request, { ...reply, payload: [], user_expressions: {} });
  }

  /** "Run all" sends every cell at once; those after a failed one are not run. */
  async function abortQueue(): Promise<void> {
    await channel.fence();
    begun += queue.length;
    for (const request of queue.splice(0))
      await during(channel, request, () => channel.reply(request, { status: 'aborted' }));
  }

  function answer(request: Message): void {
    const content = answerTo(cells, request);
    if (content) channel.reply(request, content);
  }

  return (request) => {
    if (request.header.msg_type !== 'execute_request') return void during(channel, request, answer);
    queue.push(request);
    void runQueue();
  };
}

async function during(channel: Channel, request: Message, work: (request: Message) => unknown): Promise<void> {
  channel.status(request, 'busy');
  await work(request);
  channel.status(request, 'idle');
}

const STOPPED: Outcome = { status: 'error', error: INTERRUPTED };

function failed(error: unknown): Outcome {
  return { status: 'error', error: describeThrown(error) };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
