/** Small facts about this machine that are dear to find out, kept in the user's cache folder. Losing them costs time only. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeAtomicallySync } from './files';

type Environment = Readonly<Record<string, string | undefined>>;

/** DGM_CACHE, else the folder `dgm-workbook` where this system keeps caches. */
export function cacheFolder(env: Environment = process.env, platform: string = process.platform): string {
  if (env['DGM_CACHE']) return env['DGM_CACHE'];
  const name = 'dgm-workbook';
  if (platform === 'win32') return join(env['LOCALAPPDATA'] || join(homedir(), 'AppData', 'Local'), name);
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', name);
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), name);
}

interface Kept {
  readonly value: unknown;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const file = () => join(cacheFolder(), 'engine.json');

/** What was kept under this key, unless it is older than `days`. */
export function recall(key: string, days = 30): unknown {
  const kept = read()[key];
  return kept && Date.now() - kept.at < days * 24 * 3600 * 1000 ? kept.value : undefined;
}

/** Keeps a value; without a word where the folder cannot be written, as in a sandbox. */
export function keep(key: string, value: unknown): void {
  try {
    writeAtomicallySync(file(), JSON.stringify({ ...read(), [key]: { value, at: Date.now() } }, null, 1));
  } catch {
    // the next process finds it out again
  }
}

function read(): Record<string, Kept> {
  try {
    return JSON.parse(readFileSync(file(), 'utf8')) as Record<string, Kept>;
  } catch {
    return {}; // there is none yet, or it is damaged
  }
}
