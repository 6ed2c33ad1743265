/** One live line for work that takes a while: in a notebook it replaces itself, in a terminal it is rewritten. */
import { randomUUID } from 'node:crypto';
import { host } from './host';

export interface ProgressLine {
  /** Show this text now, unless the last one was shown less than a moment ago. */
  update(text: string): void;
  /** Show the last text, whatever the time, and leave it there. */
  done(text: string): void;
}

const INTERVAL_MS = 250; // a reader's eye needs no more, and every line is a message to the front end

/** A live line on whatever shows our output; `quiet` shows nothing. */
export function progressLine({ quiet = false }: { readonly quiet?: boolean } = {}): ProgressLine {
  const show = quiet ? () => undefined : writer();
  let last = -Infinity;
  return {
    update(text) {
      if (performance.now() - last < INTERVAL_MS) return;
      last = performance.now();
      show(text, false);
    },
    done: (text) => show(text, true),
  };
}

function writer(): (text: string, final: boolean) => void {
  const here = host();
  if (!here) return terminal;
  const id = randomUUID();
  let shown = false;
  return (text) => {
    here.display({ 'text/plain': text }, { id, update: shown });
    shown = true;
  };
}

/**
 * A pipe or log file gets the final line only. While it lives, a line is cut to the width of the terminal: one that
 * wraps would leave its first rows behind at every rewrite.
 */
function terminal(text: string, final: boolean): void {
  const { isTTY, columns = 80 } = process.stderr;
  if (isTTY) process.stderr.write(`\r\x1b[2K${final ? `${text}\n` : cut(text, columns - 1)}`);
  else if (final) process.stderr.write(`${text}\n`);
}

const cut = (text: string, width: number): string => (text.length > width ? `${text.slice(0, width - 1)}…` : text);
