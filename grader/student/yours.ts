/** A student's function, put to use on the page where the library's would stand. */
import { display } from 'dgm';
import { brief } from '../exercise/checking';

/** Called as either of the two functions. */
export interface Yours<Args extends readonly unknown[], Result> {
  (...args: Args): Result;
  /** Whose function answers, for a title or the name of a row: 'yours', or 'the library’s' once it had to help out. */
  by(): string;
}

/**
 * `own`, which hands over to `library` when it is not written yet, or throws: the page runs on, and a line under the
 * cell says who answers. What `own` returns is used as it is, right or wrong: the figure shows it.
 *
 * A cell that calls `yours` anew tries `own` anew. Promises are waited for.
 * @param own an exercise's function @param library one of the same arguments, and the same kind of result
 * @example
 * const mine = (x: number): number => {
 *   throw new NotWritten('mixture.double');
 * };
 * const double = yours(mine, (x: number) => 2 * x);
 * double(3) // → 6
 * double.by() // → 'the library’s'
 */
export function yours<Args extends readonly unknown[], Result>(
  own: (...args: Args) => Result,
  library: (...args: Args) => Result,
): Yours<Args, Result> {
  let handedOver = false;
  const handOver = (error: unknown, args: Args): Result => {
    if (!handedOver) say(`${reason(own.name, error)}; here the library’s function stands in.`);
    handedOver = true;
    return library(...args);
  };
  const call = (...args: Args): Result => {
    if (handedOver) return library(...args);
    try {
      const result = own(...args);
      if (!(result instanceof Promise)) return result;
      return result.catch((error: unknown) => handOver(error, args)) as Result;
    } catch (error) {
      return handOver(error, args);
    }
  };
  return Object.assign(call, { by: () => (handedOver ? 'the library’s' : 'yours') });
}

/** "mixture.sample is not written yet", or of what else went wrong. */
function reason(name: string, error: unknown): string {
  if (!(error instanceof Error)) return `${name} threw ${brief(String(error))}`;
  if (error.name === 'NotWritten') return error.message.split(':')[0]!;
  return `${name} threw ${brief(`${error.name}: ${error.message}`)}`;
}

function say(line: string): void {
  const text = line.replace(/[&<>]/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[character]!);
  display({ 'text/plain': line, 'text/html': `<div class="dgm-yours">${text}</div>` });
}
