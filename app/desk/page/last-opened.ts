/** Which notebook was open last in this browser, and when. */

interface Opened {
  readonly path: string;
  /** In milliseconds since 1970. */
  readonly at: number;
}

const KEY = 'dgm-last-opened';

export function noteOpened(path: string): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ path, at: Date.now() } satisfies Opened));
  } catch {
    // a browser that stores nothing: then the first page offers the first chapter
  }
}

export function lastOpened(): Opened | undefined {
  try {
    const { path, at } = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Opened>;
    return typeof path === 'string' && typeof at === 'number' ? { path, at } : undefined;
  } catch {
    return undefined;
  }
}
