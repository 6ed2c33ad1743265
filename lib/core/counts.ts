/** Numbers that count something. A wrong one would show far from where it was given. */

/**
 * Refuses what is no number of things.
 * @throws when one of them is not an integer ≥ 1
 */
export function requireCounts(where: string, counts: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(counts))
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`${where}: ${name} must be an integer ≥ 1, got ${value}`);
}
