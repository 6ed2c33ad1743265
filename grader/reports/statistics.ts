/** How the exercises did: which are hard, which tell strong students from weak ones, which check fails most. */
import type { GradedExercise, Grade } from '../gradebook/grades';

export interface ItemStatistics {
  readonly chapter: string;
  readonly exercise: string;
  /** Grades that count it; those that could not be graded do not. */
  readonly students: number;
  /** Mean share of the points, 0 to 1: the higher, the easier. */
  readonly difficulty: number;
  /** See `itemStatistics`; `null` where it does not exist, since everybody earned the same. */
  readonly discrimination: number | null;
  readonly statuses: Readonly<Record<string, number>>;
  /** The check that fails most often, and for how many. */
  readonly failing: { readonly check: string; readonly students: number } | null;
}

/** Sums over the students, of an exercise's points x and those of the rest of the chapter t. */
interface Sums {
  readonly chapter: string;
  readonly exercise: string;
  readonly maxPoints: number;
  n: number;
  x: number;
  xx: number;
  t: number;
  tt: number;
  xt: number;
  readonly statuses: Map<string, number>;
  readonly failing: Map<string, number>;
}

/**
 * Classical item analysis of each exercise, in one pass over the grades.
 *
 * Difficulty is the mean share of the points, p = mean(x) / max (Lord and Novick 1968, §15.3). Discrimination is the
 * item–total correlation corrected for the item's own part in the total (Henrysson 1963, Psychometrika 28, 211–218):
 * the correlation of x with t = total − x,
 *   r = (n Σxt − Σx Σt) / √((n Σx² − (Σx)²) (n Σt² − (Σt)²)),
 * which for exercises that are right or wrong is the point-biserial one. Below about 0.2 an exercise does not tell
 * students apart; below 0 the better ones fail it, and its checks or its text deserve a look.
 */
export function itemStatistics(grades: Iterable<Grade>): ItemStatistics[] {
  const items = new Map<string, Sums>();
  for (const { chapter, row, exercises } of grades) {
    if (chapter === null || row.result.status === 'infra_error') continue;
    const total = exercises.reduce((sum, { points }) => sum + points, 0);
    for (const exercise of exercises) add(sumsOf(items, chapter, exercise), exercise, total - exercise.points);
  }
  return [...items.values()].map(toStatistics);
}

function sumsOf(items: Map<string, Sums>, chapter: string, { id, maxPoints }: GradedExercise): Sums {
  const known = items.get(id);
  if (known) return known;
  const sums = { chapter, exercise: id, maxPoints, n: 0, x: 0, xx: 0, t: 0, tt: 0, xt: 0 };
  const fresh: Sums = { ...sums, statuses: new Map(), failing: new Map() };
  items.set(id, fresh);
  return fresh;
}

function add(sums: Sums, { points: x, status, checks }: GradedExercise, t: number): void {
  sums.n++;
  sums.x += x;
  sums.xx += x * x;
  sums.t += t;
  sums.tt += t * t;
  sums.xt += x * t;
  count(sums.statuses, status);
  for (const check of checks) if (check.status !== 'passed') count(sums.failing, check.name);
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function toStatistics(sums: Sums): ItemStatistics {
  const { chapter, exercise, maxPoints, n, x, statuses, failing } = sums;
  const [most] = [...failing].sort(([, a], [, b]) => b - a);
  return {
    chapter,
    exercise,
    students: n,
    difficulty: maxPoints === 0 ? 0 : x / n / maxPoints,
    discrimination: correlation(sums),
    statuses: Object.fromEntries(statuses),
    failing: most === undefined ? null : { check: most[0], students: most[1] },
  };
}

function correlation({ n, x, xx, t, tt, xt }: Sums): number | null {
  const spread = (n * xx - x * x) * (n * tt - t * t);
  // rounding leaves a little where there is no spread
  return spread <= 1e-9 * (n * xx) * (n * tt) ? null : (n * xt - x * t) / Math.sqrt(spread);
}

/** A line an exercise. */
export function statisticsTable(items: readonly ItemStatistics[]): string {
  const width = Math.max(8, ...items.map(({ exercise }) => exercise.length));
  const head = `${'exercise'.padEnd(width)}  students  difficulty  discrimination  statuses; most frequent failing check`;
  return [head, ...items.map((item) => statisticsLine(item, width))].join('\n');
}

function statisticsLine(
  { exercise, students, difficulty, discrimination, statuses, failing }: ItemStatistics,
  width: number,
) {
  const r = discrimination === null ? '–' : discrimination.toFixed(2);
  const counts = Object.entries(statuses).map(([status, n]) => `${n} ${status}`);
  const worst = failing === null ? '' : `; ${failing.check} (${failing.students})`;
  const numbers = [String(students).padStart(8), difficulty.toFixed(2).padStart(10), r.padStart(14)];
  return `${exercise.padEnd(width)}  ${numbers.join('  ')}  ${counts.join(', ')}${worst}`;
}
