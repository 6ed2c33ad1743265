/** What cells print, caught where Node.js prints it. */
import { isGreeting } from './tensorflow';

export type StreamName = 'stdout' | 'stderr';
type WriteCallback = (error?: Error | null) => void;

/** `process.stdout` and `process.stderr` write to the cell from now on. */
export function captureProcess(write: (name: StreamName, text: string) => void): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const decoder = new TextDecoder();
    process[name].write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
      const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
      if (!(name === 'stderr' && isGreeting(text))) write(name, text);
      const done = rest.find((argument) => typeof argument === 'function') as WriteCallback | undefined;
      if (done) later(done);
      return true;
    };
  }
}

/** Nobody can type anything: said where a cell asks for it, since it would wait for ever. */
export function refuseInput(): void {
  Object.defineProperty(process, 'stdin', {
    configurable: true,
    get() {
      throw new Error('a notebook has no keyboard input: write the value into the cell instead');
    },
  });
}

const due = new Map<WriteCallback, number>();

/**
 * Calls back once this turn is over, for each write once. The console brings the same function every time: counted, a
 * loop that prints without end fills no queue.
 */
function later(done: WriteCallback): void {
  if (due.size === 0) process.nextTick(callBack);
  due.set(done, (due.get(done) ?? 0) + 1);
}

function callBack(): void {
  const calls = [...due];
  due.clear();
  for (const [done, times] of calls) for (let i = 0; i < times; i++) done();
}
