/** The picture of the first page: data, and a density that has its mass where they are. */
import { element } from './elements';

interface Component {
  readonly weight: number;
  readonly mean: number;
  readonly sd: number;
}

/** On the interval from 0 to 10. */
const MIXTURE: readonly Component[] = [
  { weight: 0.35, mean: 2.2, sd: 0.55 },
  { weight: 0.45, mean: 5.1, sd: 0.9 },
  { weight: 0.2, mean: 8.2, sd: 0.4 },
];
const [WIDTH, HEIGHT, BASE] = [640, 170, 130];
const END = 10;
const STEPS = 200;
const POINTS = 42;

const density = (x: number): number =>
  MIXTURE.reduce((sum, { weight, mean, sd }) => sum + (weight / (sd * Math.sqrt(2 * Math.PI))) * Math.exp(-0.5 * ((x - mean) / sd) ** 2), 0); // prettier-ignore

const grid = Array.from({ length: STEPS + 1 }, (_, i) => (END * i) / STEPS);

/** As many points to a piece of the axis as the density has mass there: its quantiles. */
function quantiles(count: number): number[] {
  const mass = grid.map(density);
  const total = mass.reduce((a, b) => a + b, 0);
  const points: number[] = [];
  let sum = 0;
  for (const [i, m] of mass.entries()) {
    sum += m / total;
    while (points.length < count && sum >= (points.length + 0.5) / count) points.push(grid[i]!);
  }
  return points;
}

const SVG = 'http://www.w3.org/2000/svg';

function shape(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

export function welcomePicture(): HTMLElement {
  const highest = Math.max(...grid.map(density));
  const x = (value: number) => ((WIDTH * value) / END).toFixed(1);
  const y = (value: number) => (BASE - (BASE - 15) * (density(value) / highest)).toFixed(1);
  const line = grid.map((value) => `${x(value)},${y(value)}`).join(' L');
  const label = 'A curve with three hills over a line of points, which lie dense below the hills';
  const svg = shape('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label });
  svg.append(
    shape('path', { class: 'dgm-density', d: `M0,${BASE} L${line} L${WIDTH},${BASE} Z` }),
    ...quantiles(POINTS).map((value) => shape('circle', { class: 'dgm-datum', cx: x(value), cy: BASE + 18, r: 4 })),
  );
  const figure = document.createElement('figure');
  figure.append(
    svg,
    element('figcaption', {}, 'Points: data. Curve: a model’s density, here a mixture of three Gaussians. To learn is to move its mass to where the data are; to generate is to draw new points from it.'), // prettier-ignore
  );
  return figure;
}
