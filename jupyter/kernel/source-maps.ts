/** From a position in the code that runs back to the position in the TypeScript that was written. */
import { SourceMap } from 'node:module';

/** Zero-based, as in source maps. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One step of translation. */
interface MapStep {
  /** The source map; null when the step only put lines in front. */
  readonly json: string | null;
  /** How many lines stand in front of the text that the step started from. */
  readonly linesBefore: number;
}

/** Steps from the code that runs to what was written; the last translation made comes first. */
export type MapChain = readonly MapStep[];

/** The position in the source, or null when the code there was made by a translation. */
export function originOf(chain: MapChain, position: Position): Position | null {
  let here: Position | null = position;
  for (const step of chain) {
    here = originInStep(step, here);
    if (!here) return null;
  }
  return here;
}

function originInStep(step: MapStep, position: Position): Position | null {
  const found = step.json === null ? position : entryOf(step.json, position);
  if (!found || found.line < step.linesBefore) return null;
  return { line: found.line - step.linesBefore, column: found.column };
}

function entryOf(json: string, position: Position): Position | null {
  const entry = parsed(json).findEntry(position.line, position.column);
  return 'originalLine' in entry ? { line: entry.originalLine, column: entry.originalColumn } : null;
}

const INLINE = /\n?\/\/# sourceMappingURL=data:application\/json;base64,([A-Za-z0-9+/=]+)\s*$/;

/** Code without the source map at its end, and that map. */
export function splitInlineMap(code: string): { readonly code: string; readonly json: string | null } {
  const found = INLINE.exec(code);
  if (!found) return { code, json: null };
  return { code: `${code.slice(0, found.index)}\n`, json: Buffer.from(found[1]!, 'base64').toString() };
}

const cache = new Map<string, SourceMap>();
const CACHE_SIZE = 50;

/** Parsing is slow, and one error asks for the same few maps many times. */
function parsed(json: string): SourceMap {
  const known = cache.get(json);
  if (known) return known;
  if (cache.size >= CACHE_SIZE) cache.clear();
  const map = new SourceMap(JSON.parse(json));
  cache.set(json, map);
  return map;
}
