/** Sources in the plane: mixtures of Gaussians, cut into cells whose masses are exact. */
import { normalCdf } from '../../statistics/oracles';
import type { Source } from './source';
import { tableSource } from './table';

/** One Gaussian of the mixture, with independent coordinates; the weights need not sum to 1. */
export interface PlaneComponent {
  readonly weight: number;
  readonly mu: readonly [number, number];
  readonly sigma: readonly [number, number];
}

const PI = Math.PI;
const along = (count: number, place: (share: number) => readonly [number, number], sigma: number): PlaneComponent[] =>
  Array.from({ length: count }, (_, i) => ({ weight: 1, mu: place((i + 0.5) / count), sigma: [sigma, sigma] }));

/** Shapes in [−4, 4]², as mixtures of Gaussians. */
export const planeShapes = {
  /** Two half circles that reach into each other. */
  'two moons': [
    ...along(24, (t) => [2 * Math.cos(PI * t) - 1, 2 * Math.sin(PI * t) - 0.5], 0.2),
    ...along(24, (t) => [2 * Math.cos(PI * t) + 1, -2 * Math.sin(PI * t) + 0.5], 0.2),
  ],
  /** Eight round hills on a circle. */
  'eight Gaussians': along(8, (t) => [2.6 * Math.cos(2 * PI * t), 2.6 * Math.sin(2 * PI * t)], 0.3),
  /** A ring around a ring. */
  rings: [
    ...along(48, (t) => [3 * Math.cos(2 * PI * t), 3 * Math.sin(2 * PI * t)], 0.15),
    ...along(24, (t) => [1.5 * Math.cos(2 * PI * t), 1.5 * Math.sin(2 * PI * t)], 0.15),
  ],
  /** One arm, wound up. */
  spiral: along(60, (t) => [(0.4 + 2.9 * t) * Math.cos(3 * PI * t), (0.4 + 2.9 * t) * Math.sin(3 * PI * t)], 0.15),
} satisfies Record<string, readonly PlaneComponent[]>;

/** A name of `planeShapes`. */
export type PlaneShape = keyof typeof planeShapes;

export interface PlaneOptions {
  /** Cells along each side. Default: 32. */
  readonly bins?: number;
  /** Half the side of the window. Default: 4. */
  readonly range?: number;
}

/**
 * A mixture of Gaussians in the plane, binned: [−range, range)² cut into bins × bins cells, each with the exact mass
 * that differences of Φ give it, and the edge cells also with the tails beyond them. x [2] is the cell's column and
 * row, 0 … bins − 1.
 */
export function planeSource(
  shape: PlaneShape | readonly PlaneComponent[],
  { bins = 32, range = 4 }: PlaneOptions = {},
): Source {
  const components: readonly PlaneComponent[] = typeof shape === 'string' ? planeShapes[shape] : shape;
  const edges = Array.from({ length: bins + 1 }, (_, i) =>
    i === 0 ? -Infinity : i === bins ? Infinity : -range + (2 * range * i) / bins,
  );
  const masses = (mu: number, sigma: number) => {
    const cdf = edges.map((edge) => normalCdf((edge - mu) / sigma));
    return cdf.slice(1).map((above, i) => above - cdf[i]!);
  };
  const p = new Float64Array(bins * bins);
  for (const { weight, mu, sigma } of components) {
    const [columns, rows] = [masses(mu[0], sigma[0]), masses(mu[1], sigma[1])];
    columns.forEach((a, i) => rows.forEach((b, j) => (p[i * bins + j]! += weight * a * b)));
  }
  const name = typeof shape === 'string' ? shape : 'binned Gaussians';
  return tableSource(name, [2], bins, p.map(Math.log));
}
