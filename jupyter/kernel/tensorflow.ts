/** What the kernel must know of TensorFlow.js, without loading it. */

/** The parts of tfjs-core's engine that a stop in the middle of an operation leaves half done. */
interface Engine {
  endScope(): void;
  readonly state: {
    readonly scopeStack: readonly unknown[];
    activeTape?: unknown;
    gradientDepth: number;
    kernelDepth: number;
    readonly numTensors: number;
    readonly numBytes: number;
  };
}

const engineOf = (): Engine | undefined => (globalThis as { _tfengine?: Engine })._tfengine;

/** What TensorFlow.js holds; null before a cell has loaded it. */
export function tensorsAlive(): { readonly count: number; readonly bytes: number } | null {
  const engine = engineOf();
  return engine ? { count: engine.state.numTensors, bytes: engine.state.numBytes } : null;
}

/**
 * A stop runs no `finally`, so a `tidy` or a gradient may be left open; without this, later gradients would fail
 * and tensors pile up.
 */
export function mendTensorFlow(): void {
  const engine = engineOf();
  if (!engine) return;
  for (let open = engine.state.scopeStack.length; open > 0; open--) engine.endScope();
  engine.state.activeTape = null;
  engine.state.gradientDepth = 0;
  engine.state.kernelDepth = 0;
}

const GREETING = 'Hi, looks like you are running TensorFlow.js in Node.js';

/** The advice that TensorFlow.js prints at its first operation, about packages this project chose not to use. */
export function isGreeting(text: string): boolean {
  return text.includes(GREETING) && text.length < 1000;
}
