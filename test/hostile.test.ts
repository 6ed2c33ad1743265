import { resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { attacksIn, runHostile, type HostileReport } from '../grader/hostile';
import { examineTier } from '../grader/tiers';

const folder = resolve(import.meta.dirname, 'hostile');
const names = await attacksIn(folder);
const { available, reason, remedy } = await examineTier('bubblewrap');
const skipped = available ? '' : ` (skipped: ${reason}; ${remedy})`;

describe.skipIf(!available)(`hostile submissions in bubblewrap${skipped}`, () => {
  let report: HostileReport;

  beforeAll(async () => {
    report = await runHostile(folder, { tier: 'bubblewrap', jobs: 2 });
  }, 300_000);

  test.each(names)('%s', (name) => {
    expect(report.attacks.find((attack) => attack.name === name)).toMatchObject({ breaches: [] });
  });

  test('leave the host as it was: files, processes, servers', () => {
    expect(report.breaches).toEqual([]);
    expect(report.ok).toBe(true);
  });
});
