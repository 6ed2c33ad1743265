import { describe, expect, test } from 'vitest';
import { hostileTable, judgement } from '../../../grader/selftest/hostile';
import { exercise, verdict } from '../book-helpers';

const expected = { attack: 'loops', source: 'known', status: 'graded', points: 3, faults: { b: 'timeout' } } as const;
const b = exercise('b', 0, { status: 'timeout' });

describe('of an attack it is said that', () => {
  test.each([
    ['it was held', [exercise('a', 3), b], []],
    [
      'it earned more',
      [exercise('a', 3), exercise('b', 1)],
      ['earned 4 points, not 3', 'b ended as graded, not as timeout'],
    ],
    ['it ended what is honest', [exercise('a', 0, { status: 'died' }), b], ['earned 0 points', 'a ended as died']],
    [
      'honest parts were too slow',
      [exercise('a', 0, { status: 'timeout' }), b],
      ['too slow to tell: a ran out of time'],
    ],
    [
      'one was slow, and another ended',
      [exercise('a', 0, { status: 'timeout' }), exercise('c', 0, { status: 'died' })],
      ['earned 0 points', 'a ended as timeout', 'c ended as died'],
    ],
    [
      'it was slow, and earned more all the same',
      [exercise('a', 1, { status: 'timeout' }), exercise('b', 4)],
      ['earned 5 points', 'a ended as timeout', 'b ended as graded'],
    ],
  ] as const)('%s', (_, exercises, words) => {
    const says: readonly string[] = words;
    const { breaches, slow } = judgement(verdict('x', 0, { exercises: [...exercises] }), expected);
    expect(breaches).toHaveLength(says.length);
    for (const [i, text] of says.entries()) expect(breaches[i]).toContain(text);
    expect(slow ?? false).toBe(says[0]?.startsWith('too slow') ?? false);
  });

  test('the table marks what nobody can tell, and says so at its foot', () => {
    const report = (attacks: readonly object[], ok: boolean) =>
      hostileTable({ tier: 'bubblewrap', attacks, breaches: [], ok } as unknown as Parameters<typeof hostileTable>[0]);
    const slow = { name: 's', attack: 'slow', breaches: ['too slow to tell: a ran out of time'], slow: true };
    const broken = { name: 'b', attack: 'broken', breaches: ['earned 4 points, not 3'] };
    expect(report([{ name: 'h', attack: 'held', breaches: [] }], true)).toMatch(
      /^✓ h .*\n1 attacks, all held by bubblewrap\.$/,
    );
    expect(report([slow], false)).toMatch(/^\? s {2}slow\n.*\nThis machine was too slow to tell of 1: see \? above/);
    expect(report([slow], false)).not.toContain('✗');
    expect(report([slow, broken], false)).toContain('Some were not held by bubblewrap: see ✗ above.\nThis machine');
  });
});
