/** "Did you mean": the names closest to one that does not exist. */

/**
 * At most `count` of `names` that could be misspellings of `name`, closest first, and none that is much farther than
 * the closest. Upper and lower case count as equal; a third of the letters may differ.
 */
export function nearest(name: string, names: readonly string[], count = 3): string[] {
  const limit = Math.max(2, Math.ceil(name.length / 3));
  const measured = names
    .map((candidate) => ({ candidate, distance: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  return measured
    .filter(({ distance }) => distance <= Math.min(limit, measured[0]!.distance + 1))
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

/** "; did you mean a or b?", or nothing. */
export function didYouMean(name: string, names: readonly string[]): string {
  const close = nearest(name, names);
  return close.length === 0 ? '' : `; did you mean ${close.join(' or ')}?`;
}

/** Insertions, deletions and substitutions from a to b (Levenshtein, 1965), one row of the table at a time. */
function distance(a: string, b: string): number {
  // names a student made up can be long; past 64 letters nothing is a misspelling
  if (a.length > 64 || b.length > 64) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
