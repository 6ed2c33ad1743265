import { installHost, type MimeBundle } from 'dgm/host';
import { NotWritten, yours } from 'grader';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let shown: MimeBundle[] = [];
let remove = () => {};
beforeEach(() => {
  shown = [];
  remove = installHost({
    display: (data) => void shown.push(data),
    interruptSignal: () => new AbortController().signal,
  });
});
afterEach(() => remove());

const double = (x: number): number => 2 * x;
function stub(_: number): number {
  throw new NotWritten('fixture.double');
}
function broken(x: number): number {
  throw new RangeError(`<b>${x}</b> is odd`);
}

describe('yours', () => {
  test('uses what is written, right or wrong, and says nothing', () => {
    const triple = (x: number) => 3 * x;
    const used = yours(triple, double);
    expect([used(1), used(2), used.by()]).toEqual([3, 6, 'yours']);
    expect(shown).toEqual([]);
  });

  test('hands over what is not written yet, and says so once', () => {
    const used = yours(stub, double);
    expect([used(1), used(2), used.by()]).toEqual([2, 4, 'the library’s']);
    expect(shown.map((bundle) => bundle['text/plain'])).toEqual([
      'fixture.double is not written yet; here the library’s function stands in.',
    ]);
  });

  test('names what another function that it needs lacks', () => {
    const needs = (x: number) => stub(x) + 1;
    expect(yours(needs, double)(1)).toBe(2);
    expect(shown[0]!['text/plain']).toContain('fixture.double is not written yet');
  });

  test('hands over what throws, with the reason, which is no markup', () => {
    expect(yours(broken, double)(3)).toBe(6);
    expect(shown[0]!['text/plain']).toBe(
      'broken threw RangeError: <b>3</b> is odd; here the library’s function stands in.',
    );
    expect(shown[0]!['text/html']).toContain('&lt;b&gt;3&lt;/b&gt;');
  });

  test('waits for promises', async () => {
    const later = async (x: number): Promise<number> => Promise.resolve(stub(x));
    const used = yours(later, async (x: number) => Promise.resolve(double(x)));
    expect(await used(4)).toBe(8);
    expect(used.by()).toBe('the library’s');
    const kept = yours(async (x: number) => Promise.resolve(x + 1), later);
    expect([await kept(1), kept.by()]).toEqual([2, 'yours']);
  });

  test('what the library throws is an error', () => {
    expect(() => yours(stub, broken)(5)).toThrow('<b>5</b> is odd');
  });
});
