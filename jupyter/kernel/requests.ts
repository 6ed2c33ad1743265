/** Requests in their order: cells one after the other, the compiler's answers at once. */
import { setImmediate } from 'node:timers'; // a cell may replace the global one
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
  readonly store_history?: boolean;
  readonly user_expressions?: Readonly<Record<string, unknown>>;
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
    const asked = request.content as unknown as ExecuteRequest;
    const { code, silent = false, store_history = !silent, stop_on_error = true, user_expressions } = asked;
    if (!silent) count++;
    begun++;
    const run = createRun(`In[${count}]`, request.header, silent);
    runs.current = runs.last = run;
    await button.settled();
    button.acknowledge(); // what was pressed before is not for this cell
    if (store_history && !silent) channel.begun(count, code);
    channel.publish('execute_input', run, { code, execution_count: count });
    const outcome = button.isFor(begun) ? STOPPED : await cells.execute(code, run).catch(failed);
    await turn(); // a promise that the cell left rejected is reported inside of it
    try {
      const expressions = outcome.status === 'ok' ? await evaluated(user_expressions ?? {}, run) : {};
      finish(run, request, outcome, expressions);
    } finally {
      runs.current = null;
    }
    if (outcome.status === 'error' && stop_on_error) await abortQueue();
  }

  /** What a front end wants to know after a cell, each by a name of its own. */
  async function evaluated(expressions: object, run: CellRun): Promise<object> {
    const values: [string, object][] = [];
    for (const [name, expression] of Object.entries(expressions)) {
      const value = await cells.evaluate(String(expression), run).catch(failed);
      values.push([name, value.status === 'error' ? { status: 'error', ...value.error } : ok(value.result)]);
    }
    return Object.fromEntries(values);
  }

  function finish(run: CellRun, request: Message, outcome: Outcome, expressions: object): void {
    const reply = { status: outcome.status, execution_count: count };
    if (outcome.status === 'error') {
      channel.publish('error', run, outcome.error);
      return channel.reply(request, { ...reply, ...outcome.error });
    }
    const { result } = outcome; // JSON, which may be long: the count is put in front
    if (result) channel.publish('execute_result', run, `{"execution_count":${count},${result.slice(1)}`);
    channel.reply(request, { ...reply, payload: [], user_expressions: expressions });
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

/** Whatever happens to the work, there is a reply and an end: a front end waits for both, and the queue for this. */
async function during(channel: Channel, request: Message, work: (request: Message) => unknown): Promise<void> {
  channel.status(request, 'busy');
  try {
    await work(request);
  } catch (error) {
    channel.reply(request, { status: 'error', ...describeThrown(error) });
  } finally {
    channel.status(request, 'idle');
  }
}

/** A value, as the protocol writes it. */
function ok(result: string | null): object {
  const nothing = { data: { 'text/plain': 'undefined' }, metadata: {} };
  return { status: 'ok', ...(result === null ? nothing : (JSON.parse(result) as object)) };
}

const STOPPED: Outcome = { status: 'error', error: INTERRUPTED };

function failed(error: unknown): Outcome {
  return { status: 'error', error: describeThrown(error) };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
