/** Pictures of what happens in the plane: codes of a latent space, fields of arrows, paths of samples. */
import { largest, rounded, show, type ChartOptions } from './chart';
import { checkGrid, contours, type DensityGrid } from './density';
import type { AnimationFrame, Layout, Trace } from './figure';
import { COLOURS } from './theme';

/** [N][2] */
export type Points = readonly (readonly number[])[];

// A latent space

export interface LatentMapOptions extends ChartOptions {
  /** Of the classes 0, 1, …; default: the numbers themselves. */
  readonly names?: readonly string[];
}

/** Points of the plane in the colour of their class: codes [N, 2], labels [N] of integers ≥ 0. */
export function latentMap(codes: Points, labels: ArrayLike<number>, options: LatentMapOptions = {}): void {
  checkPoints('latentMap', 'code', codes);
  if (labels.length !== codes.length)
    throw new Error(`latentMap: expected a label for each of ${codes.length} codes, got ${labels.length}`);
  const bad = Array.from(labels).findIndex((label) => !(Number.isInteger(label) && label >= 0));
  if (bad >= 0) throw new Error(`latentMap: label ${bad} is ${labels[bad]}, expected an integer ≥ 0`);
  const classes = [...new Set(Array.from(labels))].sort((a, b) => a - b);
  const traces = classes.map((label): Trace => {
    const own = codes.filter((_, n) => labels[n] === label);
    const name = options.names?.[label] ?? String(label);
    return { ...scatter(own), name, marker: { size: 5, ...look(label) }, hovertemplate: `${name}<extra></extra>` };
  });
  const axes = { xaxis: { title: 'z₁', constrain: 'domain' }, yaxis: { ...SQUARE.yaxis, title: 'z₂' } };
  const layout = { ...axes, legend: LEGEND_BESIDE, showlegend: true };
  const alt = `${options.title ?? 'Latent space'} (${codes.length} codes of ${classes.length} classes)`;
  show({ name: 'latentMap', traces, layout }, { height: 480, alt, ...options });
}

const LEGEND_BESIDE = { orientation: 'v', x: 1.02, xanchor: 'left', y: 1, yanchor: 'top' };
const SYMBOLS = ['circle', 'diamond', 'cross', 'triangle-up'];

/** After eight classes the colours come again, with another sign. */
function look(label: number): object {
  const round = Math.floor(label / COLOURS.length) % SYMBOLS.length;
  return { color: COLOURS[label % COLOURS.length], symbol: SYMBOLS[round], opacity: 0.75 };
}

// Fields of arrows

/** A vector at every point of a grid: a score ∇ ln p, or a velocity. */
export interface VectorField {
  /** The grid's coordinates, ascending. */
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** Row by row from the first y upwards: [y.length · x.length][2]. */
  readonly vectors: Points;
  /** What the slider says, where there are several. */
  readonly name?: string;
}

export interface ScoreFieldOptions extends ChartOptions {
  /** Under the arrows. */
  readonly density?: DensityGrid;
  /** Data or samples, over the arrows. */
  readonly points?: Points;
}

/**
 * Arrows on a grid; several fields are the steps of an animation. The longest arrow of each field nearly reaches
 * the next point of the grid, and lengths are drawn as their square roots: directions are what there is to see.
 */
export function scoreField(fields: VectorField | readonly VectorField[], options: ScoreFieldOptions = {}): void {
  const steps: readonly VectorField[] = Array.isArray(fields) ? fields : [fields as VectorField];
  if (steps.length === 0) throw new Error('scoreField: there is nothing to draw: no fields');
  steps.forEach(checkField);
  const { density, points = [] } = options;
  if (density) checkGrid(density);
  if (points.length > 0) checkPoints('scoreField', 'point', points);
  const arrows = steps.map(arrowTrace);
  const traces = [
    arrows[0]!,
    ...(density ? [background(density)] : []),
    ...(points.length > 0 ? [{ ...scatter(points), name: 'points', marker: { size: 4, color: COLOURS[1] } }] : []),
  ];
  const frames = steps.map(({ name }, i) => ({ name: name ?? `step ${i}`, data: [arrows[i]!] }));
  const layout = { ...SQUARE, ...window2d(steps.flatMap(({ x, y }) => corners(x, y))), showlegend: false };
  show({ name: 'scoreField', traces, layout, ...animated(frames) }, { height: heightOf(frames), ...options });
}

const HEAD = 0.32; // of an arrow's length
const HEAD_ANGLE = 0.45; // radians to either side

function arrowTrace({ x, y, vectors }: VectorField): Trace {
  const spacing = Math.min(stepOf(x), stepOf(y));
  const longest = Math.max(...vectors.map(([u, v]) => Math.hypot(u!, v!)));
  const [xs, ys]: (number | null)[][] = [[], []];
  vectors.forEach(([u, v], i) => {
    const length = Math.hypot(u!, v!);
    if (length === 0) return;
    const reach = 0.9 * spacing * Math.sqrt(length / longest);
    const [from, angle] = [[x[i % x.length]!, y[Math.floor(i / x.length)]!], Math.atan2(v!, u!)];
    const tip = along(from, angle, reach);
    const [left, right] = [HEAD_ANGLE, -HEAD_ANGLE].map((turn) => along(tip, angle + Math.PI + turn, HEAD * reach));
    for (const point of [from, tip, left!, tip, right!]) {
      xs!.push(rounded(point[0]!, spacing / 500));
      ys!.push(rounded(point[1]!, spacing / 500));
    }
    xs!.push(null);
    ys!.push(null);
  });
  const line = { width: 1.2, color: COLOURS[3] };
  return { mode: 'lines', name: 'field', x: xs!, y: ys!, line, hoverinfo: 'skip' };
}

const along = ([x, y]: readonly number[], angle: number, length: number): number[] => [
  x! + length * Math.cos(angle),
  y! + length * Math.sin(angle),
];

const stepOf = (grid: ArrayLike<number>): number => (grid[grid.length - 1]! - grid[0]!) / (grid.length - 1);

function checkField({ x, y, vectors, name }: VectorField, i: number): void {
  const which = `field ${i}${name === undefined ? '' : ` ("${name}")`}`;
  if (x.length < 2 || y.length < 2)
    throw new Error(`scoreField: ${which}: a grid needs two coordinates or more each way, got ${x.length} and ${y.length}`); // prettier-ignore
  if (vectors.length !== x.length * y.length)
    throw new Error(`scoreField: ${which} has ${vectors.length} vectors for ${y.length} × ${x.length} points; give one for each, row by row`); // prettier-ignore
  checkPoints('scoreField', `vector of ${which}`, vectors);
  if (vectors.every(([u, v]) => u === 0 && v === 0))
    throw new Error(`scoreField: ${which} is 0 everywhere; there is no arrow to draw`);
}

// Paths

export interface TrajectoryOptions extends ChartOptions {
  /** What the slider says at each step. Default: 0, 1, … */
  readonly names?: readonly string[];
  /** Under the paths, for example that of the data. */
  readonly density?: DensityGrid;
}

/** Points that move through the plane, step by step, on their paths: [T][N][2], T ≥ 2. */
export function trajectories(steps: readonly Points[], options: TrajectoryOptions = {}): void {
  const { names, density } = options;
  if (steps.length < 2) throw new Error(`trajectories: expected two steps or more, got ${steps.length}`);
  steps.forEach((points, t) => {
    checkPoints('trajectories', `point of step ${t}`, points);
    if (points.length !== steps[0]!.length)
      throw new Error(`trajectories: step ${t} has ${points.length} points, step 0 has ${steps[0]!.length}`);
  });
  if (names && names.length !== steps.length)
    throw new Error(`trajectories: ${steps.length} steps but ${names.length} names; give one for each`);
  if (density) checkGrid(density);
  const marker = { size: 5, color: COLOURS[1] };
  const points = steps.map((step): Trace => ({ ...scatter(step), name: 'points', marker }));
  const traces = [points[0]!, pathTrace(steps), ...(density ? [background(density)] : [])];
  const frames = points.map((trace, t) => ({ name: names?.[t] ?? String(t), data: [trace] }));
  const layout = { ...SQUARE, ...window2d(steps.flat()), showlegend: false };
  show({ name: 'trajectories', traces, layout, ...animated(frames) }, { height: heightOf(frames), ...options });
}

function pathTrace(steps: readonly Points[]): Trace {
  const paths = steps[0]!.map((_, n) => [...steps.map((points) => points[n]!.map((v) => rounded(v, 1e-3))), []]);
  const [x, y] = [0, 1].map((axis) => paths.flatMap((path) => path.map((point) => point[axis] ?? null)));
  const line = { width: 0.8, color: 'rgba(128,128,128,0.45)' };
  return { mode: 'lines', name: 'paths', x: x!, y: y!, line, hoverinfo: 'skip' };
}

// Shared

const SQUARE: Layout = { yaxis: { scaleanchor: 'x', constrain: 'domain' } };

function scatter(points: Points): Trace {
  const [x, y] = [0, 1].map((axis) => points.map((point) => rounded(point[axis]!, 1e-4)));
  return { mode: 'markers', x: x!, y: y!, hoverinfo: 'skip' };
}

/** A density that leaves what is above it readable. */
const background = (density: DensityGrid): Trace => ({
  ...contours(density, 0, largest(density.density)),
  opacity: 0.45,
});

const animated = (frames: readonly AnimationFrame[]) => (frames.length > 1 ? { frames } : {});
const heightOf = (frames: readonly AnimationFrame[]): number => (frames.length > 1 ? 560 : 460);

const corners = (x: ArrayLike<number>, y: ArrayLike<number>): Points => [
  [x[0]!, y[0]!],
  [x[x.length - 1]!, y[y.length - 1]!],
];

/** Axes that hold all the points and stay where they are while the points move. */
function window2d(points: Points): Layout {
  const range = (axis: number) => {
    const values = points.map((point) => point[axis]!);
    const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    const margin = 0.06 * (high - low || 1);
    return [low - margin, high + margin];
  };
  return {
    xaxis: { range: range(0), constrain: 'domain' },
    yaxis: { range: range(1), constrain: 'domain', scaleanchor: 'x' },
  };
}

function checkPoints(chart: string, what: string, points: Points): void {
  if (points.length === 0) throw new Error(`${chart}: there is nothing to draw: no ${what}`);
  points.forEach((point, n) => {
    if (point.length !== 2 || !point.every(Number.isFinite))
      throw new Error(`${chart}: ${what} ${n} is [${point.join(', ')}], expected two finite numbers`);
  });
}
