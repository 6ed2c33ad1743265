/** What the doctors find on a machine, and how they show it: one shape and one printing for all of them. */

export interface Finding {
  /** What it belongs to: `node`, `engine`, `sandbox`. */
  readonly part: string;
  readonly name: string;
  readonly ok: boolean;
  readonly reason: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** One line a finding, and the remedy under it; parts and names in columns. */
export function findingsText(findings: readonly Finding[]): string {
  const [part, name] = [0, 1].map((i) => Math.max(0, ...findings.map((found) => [found.part, found.name][i]!.length)));
  const indent = ' '.repeat('yes  '.length + part! + 1 + name! + 2);
  return findings
    .flatMap((found) => [
      `${found.ok ? 'yes' : 'no '}  ${found.part.padEnd(part!)} ${found.name.padEnd(name!)}  ${found.reason}`,
      ...(found.remedy ? [`${indent}→ ${found.remedy}`] : []),
    ])
    .join('\n');
}

/**
 * Prints them: a table for people, or JSON for programs.
 * @param json what the document says besides the findings; without it there is the table
 */
export function printFindings(findings: readonly Finding[], json?: Readonly<Record<string, unknown>>): void {
  console.log(json ? JSON.stringify({ ...json, findings }, null, 2) : findingsText(findings));
}
