/** Which line of the model's code called the engine. */

/** Deep enough to reach the model's code from inside of a gradient of a gradient. */
const FRAMES = 100;

/** Notes where the code stands now; the text, which is slow to make, is made when it is asked for. */
export function siteLater(): () => string {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  const here = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  return () => siteIn(here.stack ?? '');
}

/** The innermost stack frame that is neither TensorFlow.js nor the engine: "f (file:line:column)". */
export const callSite = (): string => siteLater()();

/** The file of a stack frame that has one. */
const fileOf = (frame: string): string | undefined => /^\s*at (?:.*\()?([^()]+):\d+:\d+\)?$/.exec(frame)?.[1];

/** Node's own files, packages, and the sources of TensorFlow.js as its source maps name them. */
const LIBRARY = /^node:|[\\/]node_modules[\\/]|(?:^|[\\/])tfjs-[\w-]+[\\/]src[\\/]/;

function siteIn(stack: string): string {
  const own = stack.split('\n').find((frame) => {
    const file = fileOf(frame);
    return file !== undefined && !file.startsWith(ENGINE) && !LIBRARY.test(file);
  });
  return own?.replace(/^\s*at\s+/, '') ?? '';
}

/** The engine's folder, two above this file, as stack frames write it: a build, a test runner and a loader differ. */
const ENGINE = (() => {
  const file = (new Error().stack ?? '')
    .split('\n')
    .map(fileOf)
    .find((name) => name !== undefined);
  return file?.replace(/[^\\/]*[\\/][^\\/]*$/, '') ?? '\0';
})();
