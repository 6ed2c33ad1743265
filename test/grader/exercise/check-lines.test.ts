import { describe, expect, test } from 'vitest';
import { checkLines, linesAsHtml, linesAsText, openLines, SIGNS } from '../../../grader/exercise/check-lines';
import type { CheckReport } from '../../../grader/exercise/checking';

const wrong: CheckReport = {
  ...{ name: 'sums to 1', status: 'failed', expected: '1', got: '<2>', input: 'tensor [1]', hint: 'axis' },
};
const throws: CheckReport = { name: 'runs', status: 'error', message: 'threw Error: x', input: '3' };
const holds: CheckReport = { name: 'holds', status: 'passed' };
const hidden = (status: CheckReport['status']): CheckReport => ({ ...wrong, name: 'secret', status, hidden: true });

const attributes = { cell: 'class="cell"', sign: { passed: 'id="p"', failed: 'id="f"', open: 'id="o"' } };

describe('the lines of checks', () => {
  test('have all that was recorded, in the order in which it is read', () => {
    expect(checkLines([holds, wrong, throws])).toEqual([
      { state: 'passed', title: 'holds', details: [] },
      {
        state: 'failed',
        title: 'sums to 1',
        details: [
          ['expected', '1'],
          ['got', '<2>'],
          ['called with', 'tensor [1]'],
          ['hint', 'axis'],
        ],
      },
      {
        state: 'failed',
        title: 'runs',
        details: [
          ['', 'threw Error: x'],
          ['called with', '3'],
        ],
      },
    ]);
  });

  test('say of hidden checks that one fails, once, and nothing of one that holds', () => {
    const known = checkLines([holds]);
    expect(checkLines([holds, hidden('passed')])).toEqual(known);
    const lines = checkLines([hidden('failed'), holds, hidden('error')]);
    expect(lines).toEqual([...known, { state: 'failed', title: 'a hidden check fails', details: [] }]);
    for (const text of [linesAsText(lines).join('\n'), linesAsHtml(lines, attributes)])
      for (const value of ['secret', ...Object.values(wrong).filter((field) => field !== 'failed')])
        expect(text).not.toContain(`${value}`.length > 1 ? value : `: ${value}`);
  });

  test('say once what all of them say: that an exercise is not written', () => {
    const unwritten = { name: 'a', status: 'error', message: 'a.b is not written yet' } as const;
    const once = [{ state: 'failed', title: 'a.b is not written yet', quoted: true, details: [] }];
    expect(checkLines([unwritten, { ...unwritten, name: 'b', hidden: true }])).toEqual(once);
    expect(checkLines([unwritten, holds])).toHaveLength(2);
    expect(checkLines([{ ...unwritten, message: 'threw Error: a' }])).toMatchObject([{ title: 'a' }]);
    expect(checkLines([])).toEqual([]);
  });

  test('are text: a sign, the name, and what belongs to it below', () => {
    expect(linesAsText([...checkLines([holds, wrong, throws]), ...openLines(['later'])])).toEqual([
      ...['✓ holds', '✗ sums to 1', '    expected: 1', '    got: <2>', '    called with: tensor [1]', '    hint: axis'],
      ...['✗ runs', '    threw Error: x', '    called with: 3', '○ later'],
    ]);
  });

  test('are HTML in which nothing that came from elsewhere is markup', () => {
    const html = linesAsHtml(checkLines([{ ...wrong, name: '<b>' }, holds]), attributes);
    expect(html).toBe(
      `<table><tr><td class="cell"><b id="f">${SIGNS.failed}</b></td><td class="cell">&lt;b&gt;` +
        '<br><code>expected: 1</code><br><code>got: &lt;2&gt;</code><br><code>called with: tensor [1]</code>' +
        `<br><code>hint: axis</code></td></tr><tr><td class="cell"><b id="p">${SIGNS.passed}</b></td>` +
        '<td class="cell">holds</td></tr></table>',
    );
  });
});
