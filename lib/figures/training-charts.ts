/** The pictures every chapter needs, each a few lines on top of `figure`. */
import { largest, rounded, show, type Chart, type ChartOptions } from './chart';
import type { Layout, Trace } from './figure';
import { COLOURS } from './theme';

// Loss by epoch

/** What `fit` and `em` return, as far as a picture needs it. */
export interface Training {
  readonly history: readonly { readonly epoch: number; readonly loss: number; readonly validation?: number }[];
  readonly best?: { readonly epoch: number; readonly validation: number } | null;
}

/** Training and validation loss by epoch, the epoch whose weights were kept marked. */
export function lossCurve(training: Training, options: LossOptions = {}): void {
  show(lossChart(training, options), options);
}

export interface LossOptions extends ChartOptions {
  /** Of the losses. Default: 'nats per example'. */
  readonly unit?: string;
}

/** What `lossCurve` shows. */
export function lossChart({ history, best }: Training, options: LossOptions): Chart {
  if (history.length === 0) throw new Error('lossCurve: the history is empty: training did not finish one epoch');
  const epochs = history.map(({ epoch }) => epoch);
  const validation = history.map((e) => e.validation ?? null);
  const mode = history.length === 1 ? 'markers' : 'lines';
  const traces: Trace[] = [{ x: epochs, y: history.map((e) => e.loss), mode, name: 'training' }];
  if (validation.some((v) => v !== null)) traces.push({ x: epochs, y: validation, mode, name: 'validation' });
  if (best) traces.push(bestEpoch(best));
  const values = history.flatMap((e) => [
    { epoch: e.epoch, value: e.loss },
    { epoch: e.epoch, value: e.validation ?? e.loss },
  ]);
  const layout = {
    hovermode: 'x',
    xaxis: { title: 'epoch' },
    yaxis: { title: options.unit ?? 'nats per example', ...rangeOfEnd(values) },
  };
  return { name: 'lossCurve', traces, layout };
}

function bestEpoch({ epoch, validation }: { epoch: number; validation: number }): Trace {
  const marker = { size: 10, symbol: 'circle-open', line: { width: 2 }, color: COLOURS[6] };
  return {
    x: [epoch],
    y: [validation],
    mode: 'markers',
    name: `best: epoch ${epoch}, ${validation.toFixed(2)}`,
    marker,
  };
}

/**
 * A range that leaves out the first steep fall, where that would flatten all the rest: what matters is how
 * training ended. The curve then enters through the upper edge.
 */
function rangeOfEnd(points: readonly { epoch: number; value: number }[]): { range?: [number, number] } {
  const last = Math.max(...points.map(({ epoch }) => epoch));
  const values = points.map(({ value }) => value);
  const low = Math.min(...values);
  const end = Math.max(...points.filter(({ epoch }) => epoch > last / 8).map(({ value }) => value));
  if (Math.max(...values) - low <= 3 * (end - low) || end === low) return {};
  return { range: [low - 0.08 * (end - low), end + 0.25 * (end - low)] };
}

// Images

export interface ImageGridOptions extends ChartOptions {
  /** Pixels of one image. */
  readonly height: number;
  readonly width: number;
  /** Images in a row. Default: at most 10. */
  readonly columns?: number;
  /** Grey levels: 0 is black, levels − 1 is white. Default: black and white are the extremes of the data. */
  readonly levels?: number;
  /** One a picture, shown above it. */
  readonly titles?: readonly string[];
}

const GRID_WIDTH = 660; // pixels of the page that a grid of images may take
const LARGEST_TILE = 100;
const TITLE_SPACE = 20;

/** Grey images side by side: images [N][height · width], row by row from the top left. */
export function imageGrid(images: readonly ArrayLike<number>[], options: ImageGridOptions): void {
  checkImages(images, options);
  const { height: H, width: W, levels, titles } = options;
  const columns = Math.min(options.columns ?? 10, images.length);
  const rows = Math.ceil(images.length / columns);
  const gap = Math.max(1, Math.round(W / 14)); // in pixels of the images, as everything up to `scale`
  const scale = Math.max(1, Math.floor(Math.min(GRID_WIDTH / (columns * (W + gap)), LARGEST_TILE / Math.max(H, W))));
  const rowGap = titles ? Math.max(gap, Math.ceil(TITLE_SPACE / scale)) : gap;
  const width = columns * (W + gap) - gap;
  const height = rows * (H + rowGap) - (titles ? 0 : rowGap);
  const z = Array.from({ length: height }, () => new Array<number | null>(width).fill(null));
  const corner = (n: number) => ({
    left: (n % columns) * (W + gap),
    top: Math.floor(n / columns) * (H + rowGap) + (titles ? rowGap : 0),
  });
  images.forEach((image, n) => paint(z, image, { ...corner(n), H, W }));
  const trace = {
    type: 'heatmap',
    z,
    ...greys(images, levels),
    showscale: false,
    hoverongaps: false,
    hovertemplate: '%{z}<extra></extra>',
  };
  const margin = { l: 10, r: 10, t: options.title ? 42 : 12, b: 12 };
  const layout = {
    margin,
    xaxis: { ...HIDDEN, range: [-0.5, width - 0.5], constrain: 'domain', constraintoward: 'left' },
    yaxis: { ...HIDDEN, range: [height - 0.5, -0.5], scaleanchor: 'x', constrain: 'domain', constraintoward: 'top' },
    ...(titles && {
      annotations: titles.map((text, n) => caption(text, corner(n).left + (W - 1) / 2, corner(n).top - 0.5)),
    }),
  };
  const size = { height: height * scale + margin.t + margin.b, width: width * scale + margin.l + margin.r };
  const alt = `${options.title ?? 'Images'} (${images.length} grey images of ${H} × ${W} pixels)`;
  show({ name: 'imageGrid', traces: [trace], layout }, { alt, ...options, ...size });
}

const HIDDEN = { visible: false, fixedrange: true };

function caption(text: string, x: number, y: number): object {
  return { text, x, y, xanchor: 'center', yanchor: 'bottom', font: { size: 11 } };
}

function paint(
  z: (number | null)[][],
  image: ArrayLike<number>,
  { left, top, H, W }: { left: number; top: number; H: number; W: number },
): void {
  for (let h = 0; h < H; h++) for (let w = 0; w < W; w++) z[top + h]![left + w] = rounded(image[h * W + w]!, 1e-3);
}

function greys(images: readonly ArrayLike<number>[], levels: number | undefined): object {
  const colorscale = [
    [0, '#000000'],
    [1, '#ffffff'],
  ];
  if (levels !== undefined) return { colorscale, zmin: 0, zmax: levels - 1 };
  const values = images.flatMap((image) => Array.from(image));
  return { colorscale, zmin: values.reduce((a, b) => Math.min(a, b)), zmax: values.reduce((a, b) => Math.max(a, b)) };
}

function checkImages(images: readonly ArrayLike<number>[], options: ImageGridOptions): void {
  const { height, width, columns = 1, levels = 2, titles } = options;
  for (const [name, value] of Object.entries({ height, width, columns }))
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`imageGrid: ${name} must be an integer ≥ 1, got ${value}`);
  if (!(levels >= 2)) throw new Error(`imageGrid: levels must be ≥ 2, got ${levels}`);
  if (images.length === 0) throw new Error('imageGrid: there is nothing to draw: no images');
  if (titles && titles.length !== images.length)
    throw new Error(`imageGrid: ${images.length} images but ${titles.length} titles; give one for each`);
  images.forEach((image, n) => {
    if (image.length !== height * width)
      throw new Error(`imageGrid: image ${n} has ${image.length} numbers, expected height · width = ${height * width}`);
    const bad = Array.from(image).findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw new Error(`imageGrid: image ${n} has ${image[bad]} at pixel ${bad}; pixels must be finite numbers`);
  });
}

// The ladder

export interface Rung {
  readonly name: string;
  /** Negative log-likelihood, in nats per example. */
  readonly nats: number;
  /** What the number is: the kind of the model's likelihood. Default: 'exact'. */
  readonly kind?: string;
  /** Its standard error, or its standard deviation over seeds. */
  readonly error?: number;
  /** Whether it is there to be beaten: grey, and whoever loses to it is told so. */
  readonly baseline?: boolean;
}

/** Models by negative log-likelihood, the best one on top; the kind of each number is its colour and its sign. */
export function ladder(rungs: readonly Rung[], options: ChartOptions & { readonly digits?: number } = {}): void {
  checkRungs(rungs);
  const sorted = [...rungs].sort((a, b) => a.nats - b.nats);
  const kinds = [...new Set(sorted.map(groupOf))].sort((a, b) => rank(a) - rank(b));
  const traces = kinds.map((kind) => bars(kind, sorted));
  const longest = Math.max(...sorted.map(({ nats, error = 0 }) => nats + error));
  const room = sorted.some((rung) => beatenBy(rung, sorted)) ? 1.5 : 1.2;
  const layout = {
    xaxis: { title: 'nats per example (smaller is better)', range: [0, longest * room] },
    yaxis: { ...CATEGORIES, categoryarray: sorted.map((rung) => rung.name), range: [sorted.length - 0.5, -0.5] },
    annotations: sorted.map((rung, i) => value(rung, i, options.digits ?? 1, beatenBy(rung, sorted))),
    barmode: 'overlay',
    showlegend: true,
  };
  const height = 34 * sorted.length + (options.title ? 130 : 105);
  show({ name: 'ladder', traces, layout }, { height, ...options });
}

const CATEGORIES = { type: 'category', categoryorder: 'array', showgrid: false, ticks: '', ticklabelstandoff: 6 };
const KINDS = ['exact', 'lower-bound', 'estimate', 'unnormalised']; // a colour each, the same in every ladder
const BASELINE = '#a0a4ab';
const SIGNS: Readonly<Record<string, string>> = { 'lower-bound': '≤ ', estimate: '≈ ' };

const kindOf = (rung: Rung): string => rung.kind ?? 'exact';
const groupOf = (rung: Rung): string => (rung.baseline ? 'baseline' : kindOf(rung));

/** The weakest baseline that is better than this model: the first one it has to beat. */
function beatenBy(rung: Rung, sorted: readonly Rung[]): Rung | undefined {
  if (rung.baseline) return undefined;
  return sorted.filter(({ baseline, nats }) => baseline && nats < rung.nats).at(-1);
}

const rank = (kind: string): number => (KINDS.includes(kind) ? KINDS.indexOf(kind) : KINDS.length);

function bars(kind: string, sorted: readonly Rung[]): Trace {
  const mine = sorted.filter((rung) => groupOf(rung) === kind);
  const errors = mine.some(({ error }) => error !== undefined);
  return {
    type: 'bar',
    orientation: 'h',
    name: kind === 'lower-bound' ? 'bound' : kind,
    x: mine.map(({ nats }) => nats),
    y: mine.map(({ name }) => name),
    marker: { color: kind === 'baseline' ? BASELINE : COLOURS[rank(kind)] },
    hovertemplate: '%{y}: %{x:.2f} nats<extra></extra>',
    ...(errors && {
      error_x: { type: 'data', array: mine.map(({ error }) => error ?? 0), color: '#808080', thickness: 1.5, width: 4 },
    }),
  };
}

/** A lower bound of the likelihood is an upper bound of its negative: the number is ≤ what is shown. */
function value(rung: Rung, i: number, digits: number, winner: Rung | undefined): object {
  const loses = winner ? ` loses to ${winner.name}` : '';
  const text = `${SIGNS[kindOf(rung)] ?? ''}${rung.nats.toFixed(digits)}${loses}`;
  return { text, x: rung.nats + (rung.error ?? 0), y: i, xanchor: 'left', xshift: 6 };
}

function checkRungs(rungs: readonly Rung[]): void {
  if (rungs.length === 0) throw new Error('ladder: there is nothing to draw: no rungs');
  rungs.forEach(({ name, nats, error = 0 }, i) => {
    if (!Number.isFinite(nats))
      throw new Error(`ladder: rung ${i} ("${name}") has ${nats} nats; a rung is a finite number`);
    if (!(error >= 0 && Number.isFinite(error)))
      throw new Error(`ladder: rung ${i} ("${name}"): error must be ≥ 0, got ${error}`);
    if (rungs.findIndex((rung) => rung.name === name) !== i)
      throw new Error(`ladder: two rungs have the name "${name}"; names must differ`);
  });
}

// A density in the plane

export interface DensityGrid {
  /** The grid's coordinates, ascending. */
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** Row by row from the first y upwards: [y.length · x.length]. */
  readonly density: ArrayLike<number>;
  /** Above its panel, where several are shown. */
  readonly title?: string;
}

/** A density over the plane, and data points on it; an array of grids gives panels side by side, on one scale. */
export function density2d(
  grids: DensityGrid | readonly DensityGrid[],
  points: readonly (readonly number[])[] = [],
  options: ChartOptions = {},
): void {
  const panels: readonly DensityGrid[] = Array.isArray(grids) ? grids : [grids as DensityGrid];
  if (panels.length === 0) throw new Error('density2d: there is nothing to draw: no grids');
  panels.forEach(checkGrid);
  points.forEach((point, n) => {
    if (point.length !== 2) throw new Error(`density2d: point ${n} has ${point.length} coordinates, expected 2`);
  });
  const peak = Math.max(...panels.map(({ density }) => largest(density)));
  const traces = panels.flatMap((panel, i) => [contours(panel, i, peak), ...(points.length ? [dots(points, i)] : [])]);
  const layout = {
    ...Object.assign({}, ...panels.map((panel, i) => panelAxes(panel, i, panels.length))),
    showlegend: false,
  };
  if (panels.some((panel) => panel.title)) {
    layout.annotations = panels.map((panel, i) => panelTitle(panel, i));
    layout.margin = { l: 56, r: 24, t: options.title ? 76 : 40, b: 48 };
  }
  show({ name: 'density2d', traces, layout }, { height: panels.length > 1 ? 360 : 440, ...options });
}

/** Of the i-th pair of axes. */
export const suffix = (i: number): string => (i === 0 ? '' : String(i + 1));

/** A density on the grid, as areas between contours. */
export function contours({ x, y, density }: DensityGrid, i: number, peak: number): Trace {
  const rows = Array.from({ length: y.length }, (_, row) =>
    Array.from({ length: x.length }, (_, column) => rounded(density[row * x.length + column]!, peak / 2000)),
  );
  return {
    type: 'contour',
    name: 'density',
    x,
    y,
    z: rows,
    contours: { start: peak / 12, end: peak, size: peak / 12 },
    colorscale: [
      [0, 'rgba(47,127,209,0)'], // below the first contour the page shows
      [0.06, 'rgba(47,127,209,0.14)'],
      [1, 'rgba(47,127,209,0.95)'],
    ],
    line: { width: 0.7, color: 'rgba(47,127,209,0.9)' },
    zmin: 0,
    zmax: peak,
    showscale: false,
    hovertemplate: 'p(%{x:.2f}, %{y:.2f}) = %{z:.3g}<extra></extra>',
    xaxis: `x${suffix(i)}`,
    yaxis: `y${suffix(i)}`,
  };
}

function dots(points: readonly (readonly number[])[], i: number): Trace {
  return {
    type: 'scatter',
    mode: 'markers',
    name: 'data',
    x: points.map((point) => rounded(point[0]!, 1e-4)),
    y: points.map((point) => rounded(point[1]!, 1e-4)),
    marker: { size: 4, color: COLOURS[1], opacity: 0.75 },
    hoverinfo: 'skip',
    xaxis: `x${suffix(i)}`,
    yaxis: `y${suffix(i)}`,
  };
}

function panelAxes({ x, y }: DensityGrid, i: number, panels: number): Layout {
  const gap = 0.08;
  const size = (1 - gap * (panels - 1)) / panels;
  const left = i * (size + gap);
  return {
    [`xaxis${suffix(i)}`]: {
      domain: [left, left + size],
      range: [x[0], x[x.length - 1]],
      constrain: 'domain',
      constraintoward: 'left',
      anchor: `y${suffix(i)}`,
    },
    [`yaxis${suffix(i)}`]: {
      range: [y[0], y[y.length - 1]],
      constrain: 'domain',
      scaleanchor: `x${suffix(i)}`,
      anchor: `x${suffix(i)}`,
    },
  };
}

function panelTitle({ title = '' }: DensityGrid, i: number): object {
  const at = {
    xref: `x${suffix(i)} domain`,
    yref: `y${suffix(i)} domain`,
    x: 0,
    y: 1,
    xanchor: 'left',
    yanchor: 'bottom',
  };
  return { text: title, ...at, yshift: 4, font: { size: 14 } };
}

/** @throws when the density does not fit its grid, or is none */
export function checkGrid({ x, y, density }: DensityGrid): void {
  if (x.length < 2 || y.length < 2)
    throw new Error(
      `density2d: a grid needs two coordinates or more each way, got ${x.length} of x and ${y.length} of y`,
    );
  if (density.length !== x.length * y.length)
    throw new Error(
      `density2d: ${density.length} densities for ${y.length} × ${x.length} points; give ${x.length * y.length}, row by row`,
    );
  const bad = Array.from(density).findIndex((p) => !(Number.isFinite(p) && p >= 0));
  if (bad >= 0)
    throw new Error(
      `density2d: density[${bad}] is ${density[bad]}; a density is finite and ≥ 0 (exponentiate a log-density)`,
    );
  if (largest(density) === 0)
    throw new Error('density2d: the density is 0 everywhere on the grid; does the grid cover the data?');
}
