/**
 * Async functions of cells, made stoppable. TypeScript turns them into generators; the driver here runs each piece
 * between two `await`s so that the stop button ends it, and does not go on with a piece of a stopped cell. Native
 * async functions allow neither: after their first `await` nothing can stop them.
 */
import type * as TypeScript from 'typescript';
import type { Ts } from './compiler';
import { type StopButton, Stopped } from './interrupts';
import { activeRun, asPartOf, type CellRun, interruptRun, KeyboardInterrupt } from './run';
import { type MapChain, type Position, splitInlineMap } from './source-maps';

/** Whether there is anything to do: a cheap look that may say yes too often. */
export function hasAsync(code: string): boolean {
  return /\b(async|await)\b/.test(code);
}

/** Whether the cell must be an async function; where only its functions wait, it does no harm. */
export function hasAwait(code: string): boolean {
  return /\bawait\b/.test(code);
}

/**
 * Async functions as generators run by `__awaiter`. Each of their `yield`s gives what it waits for and, for traces,
 * where that stands: `yield [promise, 'In[3]:2:1']`.
 */
export function lowerAsync(
  ts: Ts,
  code: string,
  positionOf: (position: Position) => string,
): { readonly code: string; readonly map: MapChain } {
  const compilerOptions = {
    target: ts.ScriptTarget.ES2016, // the newest that has no async functions
    useDefineForClassFields: true, // as in the newer versions
    inlineSourceMap: true,
    noImplicitUseStrict: true,
    newLine: ts.NewLineKind.LineFeed,
  };
  const transformers = { after: [markAwaits(ts, positionOf)] };
  const { outputText } = ts.transpileModule(code, { fileName: 'cell.js', compilerOptions, transformers });
  const split = splitInlineMap(outputText);
  return { code: split.code, map: split.json ? [{ json: split.json, linesBefore: 0 }] : [] };
}

function markAwaits(
  ts: Ts,
  positionOf: (position: Position) => string,
): TypeScript.TransformerFactory<TypeScript.SourceFile> {
  return (context) => (file) => {
    const { factory } = context;
    const visit = (node: TypeScript.Node): TypeScript.Node => {
      const visited = ts.visitEachChild(node, visit, context);
      if (!ts.isYieldExpression(visited) || !isAwait(ts, node)) return visited;
      const position = factory.createStringLiteral(awaitPosition(ts, node, file, positionOf));
      const marked = factory.createArrayLiteralExpression([visited.expression ?? factory.createVoidZero(), position]);
      return factory.updateYieldExpression(visited, undefined, marked);
    };
    return ts.visitNode(file, visit) as TypeScript.SourceFile;
  };
}

/** In an async generator TypeScript makes `yield __await(x)` of `await x`, and runs it by itself. */
function isAwait(ts: Ts, node: TypeScript.Node): boolean {
  if (!ts.isYieldExpression(node) || !ts.isAwaitExpression(ts.getOriginalNode(node))) return false;
  const { expression } = node;
  return !(
    expression &&
    ts.isCallExpression(expression) &&
    ts.isIdentifier(expression.expression) &&
    expression.expression.text === '__await'
  );
}

function awaitPosition(
  ts: Ts,
  node: TypeScript.Node,
  file: TypeScript.SourceFile,
  positionOf: (position: Position) => string,
): string {
  const original = ts.getOriginalNode(node);
  if (original.pos < 0) return '';
  const { line, character } = ts.getLineAndCharacterOfPosition(file, original.getStart(file));
  return positionOf({ line, column: character });
}

type Resume = 'next' | 'throw' | 'return';
type Marked = readonly [value: unknown, position: string];
type Body = (...args: unknown[]) => Generator<Marked, unknown, unknown>;

/** Takes the place of the helper that TypeScript would write into every cell. */
export function installAwaiter(button: StopButton): void {
  const awaiter = (self: unknown, args: ArrayLike<unknown> | undefined, _promise: unknown, body: Body) =>
    drive(body.apply(self, Array.from(args ?? [])), activeRun(), button);
  // Read-only, since the helper in the cell's code would replace it.
  Object.defineProperty(globalThis, '__awaiter', { value: awaiter, configurable: true });
}

/** The promise of an async function: its generator run to the end, one piece at a time. */
function drive(generator: ReturnType<Body>, run: CellRun | null, button: StopButton): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let returning = false;

    /** After a stop, `finally` blocks still run: `return` enters them, and no `catch`. */
    function resume(how: Resume, value: unknown, position: string): void {
      button.poll();
      const stop = run?.interrupted === true && !returning;
      returning ||= stop;
      advance(stop ? 'return' : how, value, position);
    }

    function advance(how: Resume, value: unknown, position: string): void {
      let result: IteratorResult<Marked, unknown>;
      try {
        result = asPartOf(run, () => button.interruptible(() => generator[how](value)));
      } catch (error) {
        if (!(error instanceof Stopped)) return reject(passedBy(error, how, value, position));
        if (run) interruptRun(run);
        return reject(new KeyboardInterrupt());
      }
      if (!result.done) wait(...result.value);
      else if (returning) reject(new KeyboardInterrupt());
      else resolve(result.value);
    }

    function wait(value: unknown, position: string): void {
      let open = true;
      const once = (how: Resume, settled: unknown) => {
        if (!open) return;
        open = false;
        run?.waiting.delete(abandon);
        resume(how, settled, position);
      };
      const abandon = () => once('return', undefined);
      run?.waiting.add(abandon);
      Promise.resolve(value).then(
        (settled) => once('next', settled),
        (error) => once('throw', error),
      );
    }

    advance('next', undefined, '');
  });
}

/** An error that came out of an `await` and was not caught: the trace goes on with where that `await` stands. */
function passedBy(error: unknown, how: Resume, awaited: unknown, position: string): unknown {
  if (how !== 'throw' || error !== awaited || position === '' || !(error instanceof Error)) return error;
  const line = `\n    at async ${position}`;
  try {
    if (typeof error.stack === 'string' && !error.stack.endsWith(line)) error.stack += line;
  } catch {
    // a frozen error keeps the trace it has
  }
  return error;
}
