/**
 * The program that runs us: a notebook kernel, or a plain terminal when there is none.
 *
 * The kernel is loaded from another place than the library a cell imports, so the two meet on `globalThis`
 * under a registered symbol, and neither imports the other.
 */

/** One result in several formats, by MIME type; whoever shows it picks the richest format it knows. */
export type MimeBundle = Readonly<Record<string, unknown>>;

export interface Host {
  /** Show `data` under the running cell; with the `id` of an earlier display and `update`, replace that one. */
  display(data: MimeBundle, options?: { readonly id?: string; readonly update?: boolean }): void;
  /** Aborted when the user presses stop; every cell gets a fresh signal. */
  interruptSignal(): AbortSignal;
}

const KEY = Symbol.for('dgm.host');

/** The host, or `undefined` in a plain terminal. */
export function host(): Host | undefined {
  return (globalThis as { [KEY]?: Host })[KEY];
}

/** Called once by the kernel (and by tests). Returns a function that takes the host away again. */
export function installHost(value: Host): () => void {
  (globalThis as { [KEY]?: Host })[KEY] = value;
  return () => {
    delete (globalThis as { [KEY]?: Host })[KEY];
  };
}

/** Show a bundle in the notebook; in a terminal print its `text/plain`. */
export function display(data: MimeBundle, options?: { readonly id?: string; readonly update?: boolean }): void {
  const here = host();
  if (here) here.display(data, options);
  else if (typeof data['text/plain'] === 'string') console.log(data['text/plain']);
}
