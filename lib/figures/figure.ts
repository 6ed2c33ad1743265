/**
 * Figures in a cell. A figure is plain data in plotly's schema; the page that shows it draws it, so a cell
 * pays for building JSON and for nothing else.
 */
import { display, type MimeBundle } from '../host/host';
import { controls } from './animation';
import { figureHtml } from './figure-html';
import { PLOTLY_MIME } from './plotly-names';
import { theme } from './theme';

/** One series of a figure, in plotly's schema: https://plotly.com/javascript/reference/ */
export interface Trace {
  readonly type?: string;
  readonly mode?: string;
  readonly name?: string;
  readonly x?: ArrayLike<unknown>;
  readonly y?: ArrayLike<unknown>;
  readonly z?: ArrayLike<unknown>;
  readonly [attribute: string]: unknown;
}

export interface Axis {
  readonly title?: string | { readonly text: string };
  readonly [attribute: string]: unknown;
}

/** Everything around the series, in plotly's schema. Titles may be plain strings. */
export interface Layout {
  readonly title?: string | { readonly text: string };
  readonly xaxis?: Axis;
  readonly yaxis?: Axis;
  readonly [attribute: string]: unknown;
}

export interface FigureOptions {
  /** One sentence for whoever cannot see the figure. Default: its title and the names of its series. */
  readonly alt?: string;
  /** In pixels. Default: 400. */
  readonly height?: number;
  /** In pixels. Default: as wide as the page. */
  readonly width?: number;
  /** The steps of an animation, which a button and a slider under the figure move through; it begins with the first. */
  readonly frames?: readonly AnimationFrame[];
}

/** One step of an animation: what replaces the first traces of the figure, in their order. */
export interface AnimationFrame {
  /** What the slider says at this step; names differ. */
  readonly name: string;
  readonly data: readonly Trace[];
}

export { PLOTLY_MIME };

/** What `application/vnd.plotly.v1+json` holds. */
export interface FigureSpec {
  readonly data: readonly Record<string, unknown>[];
  readonly layout: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly frames?: readonly { readonly name: string; readonly data: readonly Record<string, unknown>[] }[];
}

const DEFAULT_HEIGHT = 400;
const LARGEST_FIGURE = 10_000_000; // characters of JSON: beyond that browsers stop answering

/**
 * Shows a plotly figure under the running cell: interactive in Notebook and JupyterLab, drawn in the course's
 * colours, readable on light and on dark pages. Typed arrays are welcome; `null` leaves a gap.
 * @throws when there is nothing to draw, or a number is not finite
 */
export function figure(data: Trace | readonly Trace[], layout: Layout = {}, options: FigureOptions = {}): void {
  display(figureBundle(Array.isArray(data) ? data : [data as Trace], layout, options));
}

/** The figure in every format that a front end may ask for. */
export function figureBundle(data: readonly Trace[], layout: Layout, options: FigureOptions): MimeBundle {
  const spec = figureSpec(data, layout, options);
  const alt = options.alt ?? describe(spec);
  const json = JSON.stringify(spec);
  if (json.length > LARGEST_FIGURE)
    throw new Error(
      `figure: the data take ${(json.length / 1e6).toFixed(0)} MB, more than a page can show; draw fewer points, for example every tenth`,
    );
  return {
    [PLOTLY_MIME]: JSON.parse(json) as unknown,
    'text/html': figureHtml(json, alt, heightOf(spec), spec.frames !== undefined),
    'text/plain': alt,
  };
}

/** The figure as data, checked and with the course's theme; `figure` shows it. */
export function figureSpec(data: readonly Trace[], layout: Layout = {}, options: FigureOptions = {}): FigureSpec {
  if (data.length === 0) throw new Error('figure: there is nothing to draw: data is empty');
  checkSize('height', options.height);
  checkSize('width', options.width);
  const clean = data.map((trace, i) => cleaned(trace, `data[${i}]`) as Record<string, unknown>);
  clean.forEach(checkTrace);
  const frames = options.frames && cleanedFrames(options.frames, clean.length);
  const size = { height: options.height ?? DEFAULT_HEIGHT, ...(options.width && { width: options.width }) };
  const margin = { l: 56, r: 24, t: layout.title ? 52 : 24, b: frames ? 120 : 48 };
  return {
    data: clean,
    layout: {
      template: theme,
      ...size,
      margin,
      ...(cleaned(layout, 'layout') as object),
      ...(frames && controls(frames.map(({ name }) => name))),
    },
    config: CONFIG,
    ...(frames && { frames }),
  };
}

function cleanedFrames(frames: readonly AnimationFrame[], traces: number): FigureSpec['frames'] & object {
  if (frames.length < 2) throw new Error(`figure: an animation has two frames or more, got ${frames.length}`);
  return frames.map(({ name, data }, i) => {
    if (frames.findIndex((frame) => frame.name === name) !== i)
      throw new Error(`figure: two frames have the name "${name}"; names must differ`);
    if (data.length > traces)
      throw new Error(`figure: frames[${i}] has ${data.length} traces, the figure itself ${traces}`);
    return { name, data: data.map((trace, j) => cleaned(trace, `frames[${i}].data[${j}]`) as Record<string, unknown>) };
  });
}

// By default plotly offers to send a figure's data to its makers
const CONFIG = {
  responsive: true,
  displaylogo: false,
  showSendToCloud: false,
  modeBarButtonsToRemove: ['lasso2d', 'select2d', 'autoScale2d'],
};

function checkSize(name: string, value: number | undefined): void {
  if (value !== undefined && !(Number.isFinite(value) && value > 0))
    throw new Error(`figure: ${name} must be a number of pixels > 0, got ${value}`);
}

const SERIES = ['x', 'y', 'z', 'values', 'labels', 'r', 'theta', 'locations'];

function checkTrace(trace: Record<string, unknown>, i: number): void {
  const { x, y, type } = trace;
  const series = SERIES.filter((name) => Array.isArray(trace[name]));
  if (series.length > 0 && series.every((name) => (trace[name] as unknown[]).length === 0))
    throw new Error(`figure: there is nothing to draw: data[${i}].${series.join(' and .')} is empty`);
  const paired = type === undefined || type === 'scatter' || type === 'scattergl' || type === 'bar';
  if (paired && Array.isArray(x) && Array.isArray(y) && x.length !== y.length)
    throw new Error(`figure: data[${i}] has ${x.length} values of x but ${y.length} of y; they must be as many`);
}

/** A copy that JSON keeps as it is: typed arrays as arrays, titles as plotly wants them, no number that is not finite. */
function cleaned(value: unknown, path: string): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number') return finite(value, path);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (isTensor(value))
    throw new Error(`figure: ${path} is a tensor; give its numbers: .arraySync(), or .dataSync() for a flat array`);
  if (value instanceof Float32Array)
    return Array.from(value, (v, i) => Number(finite(v, `${path}[${i}]`).toPrecision(7)));
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array, (v, i) => cleaned(v, `${path}[${i}]`));
  if (Array.isArray(value)) return value.map((v, i) => cleaned(v, `${path}[${i}]`));
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, cleanedEntry(key, v, `${path}.${key}`)]));
}

function cleanedEntry(key: string, value: unknown, path: string): unknown {
  return key === 'title' && typeof value === 'string' ? { text: value } : cleaned(value, path);
}

function finite(value: number, path: string): number {
  if (!Number.isFinite(value))
    throw new Error(
      `figure: ${path} is ${value}; a figure shows finite numbers: look where it comes from, or use null for a gap`,
    );
  return value;
}

function isTensor(value: object): boolean {
  return typeof (value as { dataSync?: unknown }).dataSync === 'function';
}

function heightOf(spec: FigureSpec): number {
  return typeof spec.layout['height'] === 'number' ? spec.layout['height'] : DEFAULT_HEIGHT;
}

/** "Figure: Loss (train, validation)" */
function describe({ data, layout, frames }: FigureSpec): string {
  const title = (layout['title'] as { text?: string } | undefined)?.text;
  const names = [...new Set(data.map((trace) => trace['name'] ?? trace['type'] ?? 'scatter'))].join(', ');
  const steps = frames ? `; ${frames.length} steps` : '';
  return title === undefined ? `Figure: ${names}${steps}` : `Figure: ${title} (${names}${steps})`;
}
