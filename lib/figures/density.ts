/** A density in the plane. */
import { largest, rounded, show, type ChartOptions } from './chart';
import type { Trace } from './figure';
import { axesOf, panelAxes, panelTitle } from './panels';
import { COLOURS } from './theme';

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
    ...Object.assign({}, ...panels.map(({ x, y }, i) => panelAxes(i, panels.length, axesAlong(x, y, i)))),
    showlegend: false,
  };
  if (panels.some((panel) => panel.title)) {
    layout.annotations = panels.map(({ title = '' }, i) => panelTitle(title, i, { font: { size: 14 } }));
    layout.margin = { l: 56, r: 24, t: options.title ? 76 : 40, b: 48 };
  }
  show({ name: 'density2d', traces, layout }, { height: panels.length > 1 ? 360 : 440, ...options });
}

/** What the grid covers, with units of the same length both ways. */
const axesAlong = (x: ArrayLike<number>, y: ArrayLike<number>, i: number) => ({
  x: { range: [x[0], x[x.length - 1]], constrain: 'domain', constraintoward: 'left' },
  y: { range: [y[0], y[y.length - 1]], constrain: 'domain', scaleanchor: axesOf(i).xaxis },
});

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
    ...axesOf(i),
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
    ...axesOf(i),
  };
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
