/** Stack traces as a student wants them: places in cells, one line for a library's inner calls, nothing of ours. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type MapChain, originOf, type Position } from './source-maps';

/** A piece of running code that came from a cell or a local TypeScript file. */
export interface Script {
  /** How it is called in a trace: `In[3]`, `helper.ts`. */
  readonly label: string;
  readonly map: MapChain;
  /** The text that was written, for the excerpt below an error. */
  readonly source: string;
}

const scripts = new Map<string, Script>();

/** Code run under this file name is shown as `script` from now on. */
export function registerScript(filename: string, script: Script): void {
  scripts.set(filename, script);
}

/** The text of a cell or local file by its label. */
export function sourceOf(label: string): string | null {
  for (const script of scripts.values()) if (script.label === label) return script.source;
  return null;
}

/** `In[3]:2:1`: the label with line and column counted from 1. */
export function positionText(label: string, position: Position): string {
  return `${label}:${position.line + 1}:${position.column + 1}`;
}

/** Student code is deeper than the ten frames that Node.js keeps, once libraries call it back. */
const FRAMES = 60;

/** From now on `error.stack` is written by us, whoever reads it. */
export function installStackTraces(root: string): void {
  Error.stackTraceLimit = FRAMES;
  Error.prepareStackTrace = (error, sites) => {
    const lines = withoutRepeats(traceLines(sites, root));
    return [headline(error), ...lines.map((line) => `    at ${line}`)].join('\n');
  };
}

/** Recursion says the same line again and again. */
function withoutRepeats(lines: readonly string[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const start = i;
    while (lines[i + 1] === lines[start]) i++;
    out.push(i === start ? lines[start]! : `${lines[start]!} (and ${i - start} times more)`);
  }
  return out;
}

function headline(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

type Frame =
  | { readonly kind: 'shown'; readonly name: string; readonly position: string; readonly inCell: boolean }
  | { readonly kind: 'library'; readonly name: string }
  | { readonly kind: 'driver' | 'hidden' };

function traceLines(sites: readonly NodeJS.CallSite[], root: string): string[] {
  const frames = withoutDriver(sites.map((site) => frameOf(site, root)));
  const lines: string[] = [];
  for (let i = 0; i < frames.length; i++) {
    const frame = frames[i]!;
    if (frame.kind === 'shown') lines.push(shownText(frame.name, frame.position));
    if (frame.kind !== 'library') continue;
    const start = i;
    while (sameLibrary(frames[i + 1], frame.name)) i++;
    lines.push(i === start ? `${frame.name} (1 call)` : `${frame.name} (${i - start + 1} calls)`);
  }
  return lines;
}

/** As V8 writes it: a call without a name has no brackets. */
function shownText(name: string, position: string): string {
  if (name === '' || name === 'async') return `${name} ${position}`.trim();
  return `${name} (${position})`;
}

function sameLibrary(frame: Frame | undefined, name: string): boolean {
  return frame?.kind === 'library' && frame.name === name;
}

/**
 * An async function of a cell runs as a generator that our driver calls, so its trace reads generator, driver,
 * function. The two ends are one function: the first has the line, the last has the name.
 */
function withoutDriver(frames: readonly Frame[]): Frame[] {
  const out: Frame[] = [];
  let driven = false;
  for (const frame of frames) {
    const last = out.at(-1);
    if (frame.kind === 'driver') driven = true;
    else if (frame.kind !== 'hidden') {
      const isWrapper = driven && frame.kind === 'shown' && frame.inCell && last?.kind === 'shown' && last.inCell;
      if (isWrapper) out[out.length - 1] = { ...last, name: frame.name };
      else out.push(frame);
      driven = false;
    }
  }
  return out;
}

const HERE = __dirname;
const DRIVER = join(HERE, 'awaiting.js');

function frameOf(site: NodeJS.CallSite, root: string): Frame {
  const file = fileOf(site);
  if (file === null) return native(site);
  if (file === DRIVER) return { kind: 'driver' };
  if (file.startsWith('node:') || file.startsWith(HERE + sep) || file === STEP) return { kind: 'hidden' };
  const position = { line: (site.getLineNumber() ?? 1) - 1, column: (site.getColumnNumber() ?? 1) - 1 };
  const script = scripts.get(file);
  if (script) return cellFrame(site, script, position);
  const library = /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(file)?.[1];
  if (library) return { kind: 'library', name: library.replaceAll('\\', '/') };
  return { kind: 'shown', name: callName(site), position: fileText(file, position, root), inCell: false };
}

/** The file name of the scripts that only call a function, see `interrupts.ts`. */
export const STEP = 'dgm-step';

function fileOf(site: NodeJS.CallSite): string | null {
  const file = site.getFileName();
  if (!file) return null;
  return file.startsWith('file:') ? fileURLToPath(file) : file;
}

/** `JSON.parse` is of interest, the generators of our driver are not. */
function native(site: NodeJS.CallSite): Frame {
  const [name, position] = split(site.toString());
  if (/^Generator\.(next|throw|return)\b/.test(name)) return { kind: 'hidden' };
  return { kind: 'shown', name, position, inCell: false };
}

function cellFrame(site: NodeJS.CallSite, script: Script, position: Position): Frame {
  const origin = originOf(script.map, position);
  if (!origin) return { kind: 'hidden' };
  return { kind: 'shown', name: callName(site), position: positionText(script.label, origin), inCell: true };
}

/** V8's own words for the call, `async f` or `new Model`, without the objects we call through. */
function callName(site: NodeJS.CallSite): string {
  const name = split(site.toString())[0].replace(/^(async )?(?:Object|Proxy|exports|Generator)\./, '$1');
  return name.endsWith('<anonymous>') ? '' : name;
}

function split(text: string): readonly [name: string, position: string] {
  const found = /^(.*) \((.*)\)$/s.exec(text);
  if (found) return [found[1]!, found[2]!];
  return text.startsWith('async ') ? ['async', text.slice('async '.length)] : ['', text];
}

/** A file of the project by its path in it, and by its TypeScript line where the build left a source map. */
function fileText(file: string, position: Position, root: string): string {
  const origin = originOf(fileMap(file), position);
  const source = origin ? sourceFile(file) : file;
  const shown = relative(root, source);
  return positionText(shown.startsWith('..') ? source : shown.replaceAll('\\', '/'), origin ?? position);
}

function fileMap(file: string): MapChain {
  const path = `${file}.map`;
  return existsSync(path) ? [{ json: readFileSync(path, 'utf8'), linesBefore: 0 }] : NO_MAP;
}

/** An empty chain would mean that nothing was translated; here nothing is known. */
const NO_MAP: MapChain = [{ json: '{"version":3,"sources":[],"names":[],"mappings":""}', linesBefore: 0 }];

function sourceFile(file: string): string {
  const { sources } = JSON.parse(readFileSync(`${file}.map`, 'utf8')) as { sources: string[] };
  return sources[0] === undefined ? file : join(dirname(file), sources[0]);
}
