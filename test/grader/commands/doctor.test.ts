import { describe, expect, test, vi } from 'vitest';
import { findingsText, printFindings, sandboxFindings, type Finding } from 'grader/commands';
import { tiers } from '../../../grader/sandbox/tier';

const findings: Finding[] = [
  { part: 'node', name: 'Node', ok: true, reason: 'v20' },
  { part: 'sandbox', name: 'bubblewrap', ok: false, reason: 'bwrap is not on PATH', remedy: 'install it' },
];

describe('findings', () => {
  test('stand in columns, a remedy under its reason', () => {
    expect(findingsText(findings).split('\n')).toEqual([
      'yes  node    Node        v20',
      'no   sandbox bubblewrap  bwrap is not on PATH',
      '                         → install it',
    ]);
  });

  test('are printed as a table, or as JSON with what else is to be said', () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    printFindings(findings);
    printFindings(findings, { version: 1 });
    const [[table], [json]] = log.mock.calls as [[string], [string]];
    log.mockRestore();
    expect(table).toBe(findingsText(findings));
    expect(JSON.parse(json)).toEqual({ version: 1, findings });
  });

  test('name every tier, the strongest first, and a remedy for each that does not hold', async () => {
    const found = await sandboxFindings();
    expect(found.map(({ part, name }) => [part, name])).toEqual(tiers.map((tier) => ['sandbox', tier]));
    expect(found.filter(({ ok, remedy }) => !ok && !remedy)).toEqual([]);
    expect(found.filter(({ reason }) => reason === '')).toEqual([]);
  });
});
