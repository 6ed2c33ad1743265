import { calibrationPlot, latentMap, rocPlot, scoreField, trajectories, type FigureSpec } from 'dgm'; // prettier-ignore
import { describe, expect, test } from 'vitest';
import { PLOTLY_MIME } from '../../../lib/figures/figure';
import { sideBySide } from '../../../app/pictures/side-by-side';
import { collectShown } from '../../helpers';

// Pictures of the plane and of probabilities: what they draw, in numbers.

const shown = collectShown();

const spec = () => shown.at(-1)![PLOTLY_MIME] as FigureSpec;
type Series = { x: (number | null)[]; y: (number | null)[]; name?: string };
const series = (i: number) => spec().data[i] as unknown as Series;

describe('latentMap', () => {
  const codes = [[0, 1], [2, 3], [4, 5]]; // prettier-ignore

  test('each class is a series with its own points and a name in the legend', () => {
    latentMap(codes, [1, 0, 1], { names: ['none', 'one'] });
    expect(spec().data.map(({ name }) => name)).toEqual(['none', 'one']);
    expect([series(1).x, series(1).y]).toEqual([[0, 4], [1, 5]]); // prettier-ignore
    expect(spec().layout['showlegend']).toBe(true);
    expect(shown[0]!['text/plain']).toContain('3 codes of 2 classes');
  });

  test('no two of sixteen classes look the same, and a class looks the same without the others', () => {
    const many = Array.from({ length: 16 }, (_, i) => [i, i]);
    const looks = () => spec().data.map(({ marker }) => JSON.stringify(marker));
    latentMap(many, many.map((_, i) => i)); // prettier-ignore
    const all = looks();
    expect(new Set(all).size).toBe(16);
    latentMap([[0, 0]], [11]);
    expect(looks()).toEqual([all[11]]);
  });

  test.each([
    ['no codes', () => latentMap([], []), 'no code'],
    ['too few labels', () => latentMap(codes, [1]), 'a label for each of 3 codes, got 1'],
    ['half a class', () => latentMap(codes, [0, 0.5, 1]), 'label 1 is 0.5'],
    ['three coordinates', () => latentMap([[1, 2, 3]], [0]), 'code 0 is [1, 2, 3], expected two finite numbers'],
  ])('refuses %s', (_, draw, message) => expect(draw).toThrow(message));
});

describe('scoreField', () => {
  const grid = [-1, 0, 1];
  const vectors = grid.flatMap((y) => grid.map((x) => [3 * x + 1, -y]));
  const field = { x: grid, y: grid, vectors };

  /** Shaft of each arrow: from, to. */
  const shafts = ({ x, y }: Series) =>
    x.flatMap((_, i) => (i % 6 === 0 ? [{ from: [x[i]!, y[i]!], to: [x[i + 1]!, y[i + 1]!] }] : [])); // five points and a gap

  test('an arrow starts at its point, has the direction of its vector, and ends before the next point', () => {
    scoreField(field);
    const arrows = shafts(series(0));
    expect(arrows).toHaveLength(9);
    arrows.forEach(({ from, to }, i) => {
      const [u, v] = vectors[i]!;
      expect(from).toEqual([grid[i % 3], grid[Math.floor(i / 3)]]);
      const [dx, dy] = [to[0]! - from[0]!, to[1]! - from[1]!];
      expect(Math.hypot(dx, dy)).toBeLessThan(1);
      expect((dx * u! + dy * v!) / Math.hypot(dx, dy) / Math.hypot(u!, v!)).toBeGreaterThan(0.999);
    });
  });

  test('a longer vector has a longer arrow, and a zero none', () => {
    scoreField({ x: [0, 1], y: [0, 1], vectors: [[1, 0], [0, 0], [4, 0], [0, 2]] }); // prettier-ignore
    const lengths = shafts(series(0)).map(({ from, to }) => Math.hypot(to[0]! - from[0]!, to[1]! - from[1]!));
    expect(lengths).toHaveLength(3);
    expect(lengths[1]! / lengths[0]!).toBeCloseTo(2, 1); // the root of 4
    expect(lengths[0]!).toBeLessThan(lengths[2]!);
  });

  test('several fields are steps that somebody starts; one is a figure that stays', () => {
    scoreField(['a', 'b', 'c'].map((name) => ({ ...field, name })));
    expect(spec().frames!.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    const { sliders, updatemenus } = spec().layout as Record<string, Record<string, unknown>[]>;
    expect((sliders![0]!['steps'] as unknown[]).length).toBe(3);
    expect((updatemenus![0]!['buttons'] as { label: string }[]).map(({ label }) => label)).toEqual(['Play', 'Stop']);
    expect(shown[0]!['text/plain']).toContain('3 steps');
    scoreField(field);
    expect(spec().frames).toBeUndefined();
    expect(spec().layout['sliders']).toBeUndefined();
  });

  test.each([
    ['no fields', () => scoreField([]), 'no fields'],
    ['too few vectors', () => scoreField({ ...field, vectors: [[1, 1]] }), '1 vectors for 3 × 3 points'],
    ['NaN', () => scoreField({ ...field, vectors: vectors.map(() => [NaN, 0]) }), 'expected two finite numbers'],
    ['only zeros', () => scoreField({ ...field, vectors: vectors.map(() => [0, 0]) }), '0 everywhere'],
    [
      'two steps of a name',
      () =>
        scoreField([
          { ...field, name: 'a' },
          { ...field, name: 'a' },
        ]),
      'the name "a"',
    ],
  ])('refuses %s', (_, draw, message) => expect(draw).toThrow(message));
});

describe('trajectories', () => {
  const steps = [0, 1, 2, 3, 4].map((t) => [[t, 0], [0, -t]]); // prettier-ignore

  test('a frame holds the points of its step; every path goes through all steps, and ends before the next', () => {
    trajectories(steps);
    expect(spec().frames!.map(({ data }) => (data[0] as unknown as Series).x)).toEqual(steps.map((s) => s.map(([x]) => x))); // prettier-ignore
    expect(series(1).x).toEqual([0, 1, 2, 3, 4, null, 0, 0, 0, 0, 0, null]);
    expect(series(1).y.map((y) => y && y + 0)).toEqual([0, 0, 0, 0, 0, null, 0, -1, -2, -3, -4, null]);
  });

  test('on paper there are the first, the middle and the last step, and nothing to press', () => {
    trajectories(steps, { names: ['a', 'b', 'c', 'd', 'e'] });
    const paper = sideBySide(spec());
    expect((paper.layout['annotations'] as { text: string }[]).map(({ text }) => text)).toEqual(['a', 'c', 'e']);
    const places = paper.data.filter(({ mode }) => mode === 'markers') as unknown as Series[];
    expect(places.map(({ x }) => x)).toEqual([steps[0], steps[2], steps[4]].map((s) => s!.map(([x]) => x)));
    expect(new Set(paper.data.map(({ xaxis }) => xaxis))).toEqual(new Set(['x', 'x2', 'x3']));
    expect([paper.layout['sliders'], paper.layout['updatemenus']].flat()).toEqual([]);
  });

  test.each([
    ['one step', () => trajectories([[[0, 0]]]), 'two steps or more, got 1'],
    ['points that vanish', () => trajectories([[[0, 0], [1, 1]], [[0, 0]]]), 'step 1 has 1 points, step 0 has 2'], // prettier-ignore
    ['too few names', () => trajectories(steps, { names: ['a'] }), '5 steps but 1 names'],
  ])('refuses %s', (_, draw, message) => expect(draw).toThrow(message));
});

describe('pictures of probabilities', () => {
  const answers = { scores: [0.1, 0.4, 0.35, 0.8], positive: [0, 0, 1, 1] };

  test('rocPlot names each curve with its area, and draws chance', () => {
    rocPlot([{ ...answers, name: 'mine' }, { scores: [1, 2, 3, 4], positive: [0, 0, 1, 1] }]); // prettier-ignore
    expect(spec().data.map(({ name }) => name)).toEqual(['mine: area 0.750', 'area 1.000', 'chance']);
    expect(() => rocPlot([])).toThrow('no curves');
  });

  test('calibrationPlot draws shares with intervals that hold them, and how many examples there are', () => {
    calibrationPlot(answers, { bins: 2 });
    const [, line, bars] = spec().data as unknown as (Series & {
      error_y: { array: number[]; arrayminus: number[] };
    })[];
    expect(line!.y.map((y) => Number(y!.toFixed(3)))).toEqual([0.333, 1]);
    expect(bars!.y).toEqual([3, 1]);
    line!.y.forEach((y, i) => {
      expect(y! + line!.error_y.array[i]!).toBeLessThanOrEqual(1);
      expect(y! - line!.error_y.arrayminus[i]!).toBeGreaterThanOrEqual(0);
    });
  });
});
