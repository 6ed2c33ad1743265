import { progressLine } from 'dgm/host';
import { afterEach, expect, test, vi } from 'vitest';

// The live line where there is no notebook: a terminal, or a file.

const { isTTY, columns } = process.stderr;
afterEach(() => {
  Object.assign(process.stderr, { isTTY, columns });
  vi.restoreAllMocks();
});

/** What is written to a terminal of this width, or to a file. */
function written(width: number | null, act: (line: ReturnType<typeof progressLine>) => void): string[] {
  const pieces: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => pieces.push(String(text)) > 0);
  Object.assign(process.stderr, { isTTY: width !== null, columns: width ?? undefined });
  act(progressLine());
  return pieces;
}

test('a live line never wraps, since a wrapped one cannot be rewritten; the last line is whole', () => {
  const long = 'x'.repeat(200);
  const pieces = written(40, (line) => {
    line.update(long);
    line.done(long);
  });
  const [live, last] = pieces.map((piece) => piece.replace('\r\x1b[2K', ''));
  expect(live).toHaveLength(39);
  expect(live!.endsWith('…')).toBe(true);
  expect(last).toBe(`${long}\n`);
});

test('a short line is left as it is, and updates in quick succession are one', () => {
  const pieces = written(40, (line) => ['one', 'two', 'three'].forEach(line.update));
  expect(pieces).toEqual(['\r\x1b[2Kone']);
});

test('a file gets the last line only', () => {
  const pieces = written(null, (line) => {
    line.update('live');
    line.done('done');
  });
  expect(pieces).toEqual(['done\n']);
});
