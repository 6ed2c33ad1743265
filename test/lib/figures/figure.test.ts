import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { JSDOM } from 'jsdom';
import pl from 'nodejs-polars';
import { describe, expect, test } from 'vitest';
import { card, density2d, figure, imageGrid, ladder, lossCurve, table, type Card, type FigureSpec } from 'dgm';
import { frameBundle, isTypedFrame } from '../../../lib/figures/table';
import { COLOURS, INK } from '../../../lib/figures/theme';
import { collectShown, contrast } from '../../helpers';

// What cells show: bundles that every front end can use, and errors that name what is wrong in the cell's own words.

const PLOTLY = 'application/vnd.plotly.v1+json';
const shown = collectShown();

const spec = (i = 0) =>
  shown[i]![PLOTLY] as FigureSpec & { data: Record<string, unknown>[]; layout: Record<string, any> }; // eslint-disable-line @typescript-eslint/no-explicit-any
const html = (i = 0) => shown[i]!['text/html'] as string;
const plain = (i = 0) => shown[i]!['text/plain'] as string;

describe('figure', () => {
  test('one display in three formats, the lightest of which is its description', () => {
    figure({ x: [1, 2], y: [3, 4], name: 'a' }, { title: 'Two points' });
    expect(shown).toHaveLength(1);
    expect(Object.keys(shown[0]!)).toEqual([PLOTLY, 'text/html', 'text/plain']);
    expect(plain()).toBe('Figure: Two points (a)');
    figure({ y: [1] }, {}, { alt: 'one point' });
    expect(plain(1)).toBe('one point');
  });

  test('titles may be strings everywhere', () => {
    figure({ z: [[1]], type: 'heatmap', colorbar: { title: 'nats' } }, { title: 'T', xaxis: { title: 'x' } });
    expect(spec().layout['title']).toEqual({ text: 'T' });
    expect(spec().layout['xaxis']).toEqual({ title: { text: 'x' } });
    expect(spec().data[0]!['colorbar']).toEqual({ title: { text: 'nats' } });
  });

  test('typed arrays, gaps and big integers become what JSON can hold', () => {
    figure({ x: Int32Array.of(1, 2, 3), y: [Float32Array.of(0.1)[0]!, null, 3n] as never });
    figure({ y: Float32Array.of(0.1, 1 / 3) });
    expect(spec().data[0]!['x']).toEqual([1, 2, 3]);
    expect(spec().data[0]!['y']).toEqual([Math.fround(0.1), null, 3]);
    expect(spec(1).data[0]!['y']).toEqual([0.1, 0.3333333]); // no more digits than a 32-bit number has
  });

  test('HTML costs less than 4 kB beside the data, and the same figure gives the same HTML', () => {
    figure({ y: [1, 2] }, { title: 'T' });
    figure({ y: [1, 2] }, { title: 'T' });
    expect(html().length - JSON.stringify(spec()).length).toBeLessThan(4000);
    expect(html(1)).toBe(html());
  });

  test('no text of a figure can leave its place in the HTML', () => {
    const nasty = '</script><img src=x onerror=alert(1)>"\'<!--';
    figure({ y: [1], name: nasty }, { title: nasty }, { alt: nasty });
    const { document } = new JSDOM(html()).window;
    expect([...document.body.children].map((child) => child.localName)).toEqual(['div', 'script']);
    expect(document.querySelector('div')!.getAttribute('aria-label')).toBe(nasty);
    expect(document.querySelector('img')).toBeNull();
  });

  test('plotly has no button that sends the data away', () => {
    figure({ y: [1] });
    expect(spec().config).toMatchObject({ showSendToCloud: false, displaylogo: false });
  });

  test.each([
    ['no data', () => figure([]), 'nothing to draw'],
    ['an empty series', () => figure({ x: [], y: [] }), 'data[0].x and .y is empty'],
    ['NaN', () => figure([{ y: [1] }, { y: [1, NaN] }]), 'data[1].y[1] is NaN'],
    ['an infinity deep inside', () => figure({ type: 'heatmap', z: [[1, -Infinity]] }), 'data[0].z[0][1] is -Infinity'],
    ['an infinity in a typed array', () => figure({ y: Float32Array.of(Infinity) }), 'data[0].y[0] is Infinity'],
    ['NaN in the layout', () => figure({ y: [1] }, { xaxis: { range: [0, NaN] } }), 'layout.xaxis.range[1] is NaN'],
    ['unequal lengths', () => figure({ x: [1, 2], y: [1] }), 'data[0] has 2 values of x but 1 of y'],
    ['a tensor', () => figure({ y: { dataSync: () => [1] } as never }), 'data[0].y is a tensor; give its numbers'],
    [
      'a senseless height',
      () => figure({ y: [1] }, {}, { height: -1 }),
      'height must be a number of pixels > 0, got -1',
    ],
    ['a width that is not a number', () => figure({ y: [1] }, {}, { width: NaN }), 'width must be'],
    ['millions of points', () => figure({ y: new Float64Array(6e6).fill(0.5) }), 'draw fewer points'],
  ])('refuses %s', (_, draw, message) => {
    expect(draw).toThrow(message);
    expect(shown).toEqual([]);
  });
});

describe('figure HTML in a page', () => {
  /** A notebook page with the fragment in it, whose scripts have run. */
  function page(fragment: string, head: string, attributes = ''): JSDOM {
    return new JSDOM(`<!doctype html><head>${head}</head><body ${attributes}>${fragment}</body>`, {
      runScripts: 'dangerously',
      pretendToBeVisual: true,
      url: 'http://localhost:8888/notebooks/a.ipynb',
    });
  }
  const loader = (dom: JSDOM) => dom.window.document.head.querySelectorAll<HTMLScriptElement>('script[src]');
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  /** As if the server had answered: what plotly was asked to draw. */
  async function load(dom: JSDOM): Promise<unknown[][]> {
    const calls: unknown[][] = [];
    Object.assign(dom.window, { Plotly: { newPlot: async (...call: unknown[]) => void calls.push(call) } });
    loader(dom)[0]!.dispatchEvent(new dom.window.Event('load'));
    await settled();
    return calls;
  }

  test('Notebook 6: plotly comes from nbextensions under the base address, once for all figures', async () => {
    figure({ y: [1] }, { title: 'A' });
    figure({ y: [2] }, { title: 'B' });
    const dom = page(html(0) + html(1) + html(0), '', 'data-base-url="/user/x/"');
    expect([...loader(dom)].map(({ src }) => new URL(src).pathname)).toEqual([
      '/user/x/nbextensions/dgm/plotly.min.js',
    ]);
    const calls = await load(dom);
    expect(calls).toHaveLength(3); // the same figure in two cells is drawn in both
    expect(new Set(calls.map(([element]) => element)).size).toBe(3);
    dom.window.close();
  });

  test('JupyterLab and Notebook 7: from labextensions, whose address the page tells', async () => {
    figure({ y: [1] });
    const config = (text: string) => `<script type="application/json" id="jupyter-config-data">${text}</script>`;
    const lab = page(html(), config('{"baseUrl": "/", "fullLabextensionsUrl": "/lab/extensions"}'));
    expect(loader(lab)[0]!.getAttribute('src')).toBe('/lab/extensions/dgm/plotly.min.js');
    const hub = page(html(), config('{"baseUrl": "/user/x/"}'));
    expect(loader(hub)[0]!.getAttribute('src')).toBe('/user/x/lab/extensions/dgm/plotly.min.js');
    for (const dom of [lab, hub]) dom.window.close();
  });

  test('text takes the colour of the page, unless the figure sets one', async () => {
    figure({ y: [1] }, { title: 'A' });
    figure({ y: [1] }, { title: 'B', font: { color: 'red' } });
    const dom = page(html(0) + html(1), '<style>body { color: rgb(1, 2, 3); }</style>');
    const [a, b] = await load(dom);
    expect(a![1]).toMatchObject({ layout: { font: { color: 'rgb(1, 2, 3)' }, title: { text: 'A' } } });
    expect(b![1]).toMatchObject({ layout: { font: { color: 'red' } } });
    dom.window.close();
  });

  test('and goes with it when the page turns dark', async () => {
    figure({ y: [1] }, { title: 'A' });
    figure({ y: [1] }, { title: 'B', font: { color: 'red' } });
    const style = '<style>body { color: rgb(1, 2, 3) } body[data-jp-theme-light=false] { color: rgb(7, 8, 9) }</style>';
    const dom = page(html(0) + html(1), style, 'data-jp-theme-light="true"');
    const [a] = await load(dom);
    const again: unknown[][] = [];
    Object.assign((dom.window as unknown as { Plotly: object }).Plotly, {
      relayout: (...call: unknown[]) => void again.push(call),
    });
    dom.window.document.body.setAttribute('data-jp-theme-light', 'false');
    await settled();
    expect(again).toEqual([[a![0], { 'font.color': 'rgb(7, 8, 9)' }]]);
    dom.window.close();
  });

  test('arrow keys move through its steps, although the notebook takes all keys for itself', async () => {
    const frames = ['first', 'second'].map((name) => ({ name, data: [{ y: [1] }] }));
    figure({ y: [1] }, {}, { frames });
    figure({ y: [1] });
    const dom = page(html(0) + html(0) + html(1), '');
    const { window } = dom;
    const others: string[] = [];
    window.document.addEventListener('keydown', ({ key }) => void others.push(key), true);
    const [element] = (await load(dom))[0] as [HTMLElement];
    const moves: unknown[] = [];
    Object.assign(window['Plotly'] as object, { animate: (_: unknown, to: unknown) => void moves.push(to) });
    Object.assign(element, { _fullLayout: { sliders: [{ active: 0, steps: spec(0).layout['sliders'][0].steps }] } });
    const still = window.document.querySelectorAll<HTMLElement>('.dgm-figure')[2]!;
    const press = (on: HTMLElement, init: KeyboardEventInit) =>
      on.dispatchEvent(new window.KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...init }));
    for (const key of ['ArrowRight', 'ArrowLeft', 'Enter']) press(element, { key });
    press(element, { key: 'ArrowRight', shiftKey: true });
    press(still, { key: 'ArrowRight' });
    expect(moves).toEqual([['second']]); // there is none before the first
    expect(others).toEqual(['Enter', 'ArrowRight', 'ArrowRight']);
    expect([element, still].map((one) => [one.getAttribute('role'), one.tabIndex])).toEqual([['group', 0], ['img', -1]]); // prettier-ignore
    window.close();
  });

  test('where the script is not served, the cell says so and keeps the description', async () => {
    figure({ y: [1] }, { title: 'A' });
    const dom = page(html(), '');
    loader(dom)[0]!.dispatchEvent(new dom.window.Event('error'));
    await settled();
    const text = dom.window.document.querySelector('.dgm-figure')!.textContent;
    expect(text).toContain('Figure: A');
    expect(text).toContain('plotly.min.js cannot be loaded');
    expect(text).toContain('npm start');
    dom.window.close();
  });
});

describe('theme', () => {
  test.each([...COLOURS, INK])('%s stands out from white and from dark pages', (colour) => {
    expect(contrast(colour, '#ffffff')).toBeGreaterThanOrEqual(3);
    expect(contrast(colour, '#111111')).toBeGreaterThanOrEqual(3);
  });
});

describe('lossCurve', () => {
  const history = Array.from({ length: 40 }, (_, i) => ({
    epoch: i + 1,
    loss: 100 + 1 / (i + 1),
    validation: 101 + i / 100,
  }));

  test('training, validation and the epoch that was kept', () => {
    lossCurve({ history, best: { epoch: 1, validation: 101 } }, { title: 'T' });
    expect(spec().data.map(({ name }) => name)).toEqual(['training', 'validation', 'best: epoch 1, 101.00']);
    expect(spec().data[2]).toMatchObject({ x: [1], y: [101], mode: 'markers' });
    expect(spec().layout['yaxis'].title.text).toBe('nats per example');
  });

  test('without validation there is one line; a single epoch is a point, for a line would not be seen', () => {
    lossCurve({ history: [{ epoch: 1, loss: 2 }], best: null });
    expect(spec().data).toHaveLength(1);
    expect(spec().data[0]).toMatchObject({ mode: 'markers', y: [2] });
  });

  test('the first steep fall does not flatten the rest', () => {
    lossCurve({ history: history.map((e) => ({ epoch: e.epoch, loss: e.loss + 1000 * Math.exp(-e.epoch) })) });
    const [low, high] = spec().layout['yaxis'].range as [number, number];
    expect(low).toBeLessThan(100.1);
    expect(high).toBeLessThan(120);
    lossCurve({ history: history.map((e) => ({ epoch: e.epoch, loss: 10 - e.epoch / 10 })) });
    expect(spec(1).layout['yaxis'].range).toBeUndefined(); // a steady fall is shown whole
  });

  test('a resumed history that starts late, and a constant loss', () => {
    lossCurve({ history: history.slice(20) });
    lossCurve({ history: [1, 2, 3].map((epoch) => ({ epoch, loss: 5 })) });
    expect(spec(1).layout['yaxis'].range).toBeUndefined();
  });

  test('refuses an empty history and a loss that is not finite', () => {
    expect(() => lossCurve({ history: [] })).toThrow('lossCurve: the history is empty');
    expect(() => lossCurve({ history: [{ epoch: 1, loss: NaN }] })).toThrow('lossCurve: data[0].y[0] is NaN');
  });
});

describe('imageGrid', () => {
  test('every pixel at its place, gaps between images', () => {
    imageGrid([[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12], Float32Array.of(0, 0, 0, 0, 0, 5)], {
      height: 2,
      width: 3,
      columns: 2,
      levels: 17,
    });
    expect(spec().data[0]!['z']).toEqual([
      [1, 2, 3, null, 7, 8, 9],
      [4, 5, 6, null, 10, 11, 12],
      [null, null, null, null, null, null, null],
      [0, 0, 0, null, null, null, null],
      [0, 0, 5, null, null, null, null],
    ]);
    expect(spec().data[0]).toMatchObject({ zmin: 0, zmax: 16 });
  });

  test('black and white are the extremes of the data when no levels are given', () => {
    imageGrid(
      [
        [-1, 0.25],
        [0, 3],
      ],
      { height: 1, width: 2 },
    );
    expect(spec().data[0]).toMatchObject({ zmin: -1, zmax: 3 });
  });

  test('a pixel of an image is a whole number of pixels of the page', () => {
    imageGrid(
      Array.from({ length: 16 }, () => new Uint8Array(64)),
      { height: 8, width: 8, columns: 16, title: 'T' },
    );
    const { width, height, margin } = spec().layout as {
      width: number;
      height: number;
      margin: Record<string, number>;
    };
    expect((width - margin['l']! - margin['r']!) % (16 * 9 - 1)).toBe(0);
    expect((height - margin['t']! - margin['b']!) % 8).toBe(0);
  });

  test('titles stand above their images', () => {
    imageGrid([[1], [2]], { height: 1, width: 1, titles: ['a', 'b'], columns: 1 });
    const [a, b] = spec().layout['annotations'] as { text: string; x: number; y: number }[];
    expect([a!.text, b!.text]).toEqual(['a', 'b']);
    expect(a!.x).toBe(b!.x);
    expect(a!.y).toBeLessThan(b!.y); // rows count downwards
    expect(spec().data[0]!['z']).toHaveProperty([Math.ceil(a!.y), 0], 1);
  });

  test.each([
    ['no images', () => imageGrid([], { height: 1, width: 1 }), 'no images'],
    [
      'a wrong size',
      () => imageGrid([[1, 2, 3]], { height: 2, width: 2 }),
      'image 0 has 3 numbers, expected height · width = 4',
    ],
    ['NaN', () => imageGrid([[1], [NaN]], { height: 1, width: 1 }), 'image 1 has NaN at pixel 0'],
    ['half a column', () => imageGrid([[1]], { height: 1, width: 1, columns: 0.5 }), 'columns must be an integer ≥ 1'],
    ['too few titles', () => imageGrid([[1], [2]], { height: 1, width: 1, titles: ['a'] }), '2 images but 1 titles'],
    ['one level', () => imageGrid([[1]], { height: 1, width: 1, levels: 1 }), 'levels must be ≥ 2'],
  ])('refuses %s', (_, draw, message) => expect(draw).toThrow(message));
});

describe('ladder', () => {
  const rungs = [
    { name: 'a', nats: 30, kind: 'lower-bound', error: 1 },
    { name: 'b', nats: 10 },
    { name: 'c', nats: 20, kind: 'estimate' },
  ];

  test('the best on top, the kind of each number in its sign', () => {
    ladder(rungs);
    expect(spec().layout['yaxis'].categoryarray).toEqual(['b', 'c', 'a']);
    expect(spec().layout['yaxis'].range).toEqual([2.5, -0.5]); // the first category on top
    expect((spec().layout['annotations'] as { text: string }[]).map(({ text }) => text)).toEqual([
      '10.0',
      '≈ 20.0',
      '≤ 30.0',
    ]);
    expect(spec().data.map(({ name }) => name)).toEqual(['exact', 'bound', 'estimate']);
  });

  test('a model that loses to a baseline is told to which; baselines are told nothing', () => {
    const baseline = (name: string, nats: number) => ({ name, nats, baseline: true });
    ladder([baseline('counts', 20), baseline('tree', 10), { name: 'slow', nats: 25 }, { name: 'good', nats: 9 }]);
    const texts = (spec().layout['annotations'] as { text: string }[]).map(({ text }) => text);
    expect(texts).toEqual(['9.0', '10.0', '20.0', '25.0 loses to counts']);
    expect(spec().data.map(({ name }) => name)).toEqual(['exact', 'baseline']);
  });

  test('a kind has the same colour in every ladder', () => {
    ladder(rungs);
    ladder([rungs[0]!]);
    const colourOf = (i: number) =>
      (spec(i).data.find(({ name }) => name === 'bound')!['marker'] as { color: string }).color;
    expect(colourOf(0)).toBe(colourOf(1));
  });

  test.each([
    ['no rungs', () => ladder([]), 'no rungs'],
    ['NaN', () => ladder([{ name: 'a', nats: NaN }]), 'rung 0 ("a") has NaN nats'],
    [
      'two of a name',
      () =>
        ladder([
          { name: 'a', nats: 1 },
          { name: 'a', nats: 2 },
        ]),
      'two rungs have the name "a"',
    ],
    ['a negative error', () => ladder([{ name: 'a', nats: 1, error: -1 }]), 'error must be ≥ 0'],
  ])('refuses %s', (_, draw, message) => expect(draw).toThrow(message));
});

describe('density2d', () => {
  const grid = { x: [0, 1, 2], y: [0, 1], density: Float32Array.of(0, 1, 2, 3, 4, 5) };

  test('rows go upwards, points on top', () => {
    density2d(grid, [[1, 1]], { title: 'T' });
    expect(spec().data[0]).toMatchObject({
      type: 'contour',
      z: [
        [0, 1, 2],
        [3, 4, 5],
      ],
    });
    expect(spec().data[1]).toMatchObject({ x: [1], y: [1] });
  });

  test('several grids are panels on one scale', () => {
    density2d(
      [
        { ...grid, title: 'A' },
        { ...grid, density: grid.density.map((p) => p / 10), title: 'B' },
      ],
      [[1, 1]],
    );
    const contours = spec().data.filter(({ type }) => type === 'contour');
    expect(contours.map(({ zmax }) => zmax)).toEqual([5, 5]);
    expect(contours.map(({ xaxis }) => xaxis)).toEqual(['x', 'x2']);
    expect((spec().layout['annotations'] as { text: string }[]).map(({ text }) => text)).toEqual(['A', 'B']);
  });

  test.each([
    ['a grid of another size', () => density2d({ ...grid, density: [1, 2] }), '2 densities for 2 × 3 points; give 6'],
    ['a log-density', () => density2d({ ...grid, density: grid.density.map((p) => -p) }), 'exponentiate a log-density'],
    ['nothing but zeros', () => density2d({ ...grid, density: new Float32Array(6) }), '0 everywhere'],
    ['a point in space', () => density2d(grid, [[1, 2, 3]]), 'point 0 has 3 coordinates, expected 2'],
    ['a point nowhere', () => density2d(grid, [[1, NaN]]), 'density2d: data[1].y[0] is NaN'],
    ['a line', () => density2d({ x: [1], y: [1, 2], density: [1, 1] }), 'two coordinates or more each way'],
  ])('refuses %s', (_, draw, message) => expect(draw).toThrow(message));
});

describe('table', () => {
  test('numbers right, text left, integers whole, captions and names escaped', () => {
    table(
      [
        { name: '<b>&', nats: 1.25, K: 5 },
        { name: 'x', nats: -2, K: 10, extra: null },
      ],
      { caption: 'A & B', digits: 1 },
    );
    const { document } = new JSDOM(html()).window;
    const rows = [...document.querySelectorAll('tr')].map((row) => [...row.children].map((cell) => cell.textContent));
    expect(rows).toEqual([
      ['name', 'nats', 'K', 'extra'],
      ['<b>&', '1.3', '5', '–'],
      ['x', '−2.0', '10', '–'],
    ]);
    expect(document.querySelector('caption')!.textContent).toBe('A & B');
    const alignments = [...document.querySelectorAll<HTMLElement>('tbody tr:first-child td')].map(
      (cell) => cell.style.textAlign,
    );
    expect(alignments).toEqual(['left', 'right', 'right', 'left']);
    expect(plain().split('\n')).toEqual([
      'A & B',
      'name  nats   K  extra',
      '────  ────  ──  ─────',
      '<b>&   1.3   5  –',
      'x     −2.0  10  –',
    ]);
  });

  test('numbers that fixed digits would hide or blow up', () => {
    table([{ a: 1e-7 }, { a: 1e20 }, { a: NaN }, { a: Infinity }, { a: -Infinity }, { a: 0 }, { a: -0.001 }], {
      digits: 2,
    });
    expect(
      plain()
        .split('\n')
        .slice(2)
        .map((line) => line.trim()),
    ).toEqual(['1.00e−7', '1.00e+20', 'NaN', '∞', '−∞', '0.00', '−1.00e−3']);
  });

  test('a data frame of polars', () => {
    table(pl.DataFrame({ label: ['a', 'b'], count: [3, 4], mean: [0.5, 0.25] }), { digits: 2 });
    expect(plain().split('\n').slice(2)).toEqual(['a          3  0.50', 'b          4  0.25']);
  });

  test('an empty data frame still shows its columns', () => {
    table(pl.DataFrame({ label: ['a'] }).filter(pl.col('label').eq(pl.lit('z'))));
    expect(plain()).toContain('label');
  });

  test('a long table shows its beginning and says so', () => {
    table(Array.from({ length: 1000 }, (_, i) => ({ i })));
    expect(plain().split('\n')).toHaveLength(2 + 200 + 1);
    expect(plain()).toContain('… and 800 more rows');
  });

  describe('of a data frame that is the value of a cell', () => {
    const shownRows = (text: unknown) => String(text).split('\n').slice(4).map((line) => line.trim().split(/ {2,}/)); // prettier-ignore

    test('a short one is whole, with types; what is missing and what is no number can be told apart', () => {
      const frame = pl.DataFrame({ a: ['<b>', null], b: [NaN, 0.5], c: [null, Infinity], d: [null, null] });
      expect(isTypedFrame(frame)).toBe(true);
      const bundle = frameBundle(frame as never);
      const lines = String(bundle['text/plain']).split('\n');
      expect(lines[0]).toBe('2 rows × 4 columns');
      expect(lines[2]!.split(/ +/)).toEqual(['String', 'Float64', 'Float64', 'Float64']);
      expect(shownRows(bundle['text/plain'])).toEqual([['<b>', 'NaN', 'null', 'null'], ['null', '0.5000', '∞', 'null']]); // prettier-ignore
      const { document } = new JSDOM(String(bundle['text/html'])).window;
      expect(document.querySelector('caption')!.textContent).toBe(lines[0]);
      expect([...document.querySelectorAll('th small')].map((type) => type.textContent)).toContain('String');
      expect(document.querySelector('td b')).toBeNull();
    });

    test('a long one shows its first and last rows, and only those leave polars', () => {
      const frame = pl.DataFrame({ i: Array.from({ length: 100_000 }, (_, i) => i) });
      const bundle = frameBundle(frame as never);
      expect(String(bundle['text/plain'])).toMatch(/^100000 rows × 1 column\n/);
      const rows = shownRows(bundle['text/plain']).map(([i]) => i);
      expect(rows).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '…', '99995', '99996', '99997', '99998', '99999']); // prettier-ignore
      expect(JSON.stringify(bundle).length).toBeLessThan(4000);
    });

    test('one row more than are shown is shown as well', () => {
      const rowsOf = (height: number) =>
        shownRows(frameBundle(pl.DataFrame({ i: Array.from({ length: height }, (_, i) => i) }) as never)['text/plain']).flat(); // prettier-ignore
      expect(rowsOf(16)).toHaveLength(16);
      expect(rowsOf(16)).not.toContain('…');
      expect(rowsOf(17)).toContain('…');
    });

    test('a wide one shows its first and last columns', () => {
      const frame = pl.DataFrame(Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`x${i}`, [i]])));
      const [size, names] = String(frameBundle(frame as never)['text/plain']).split('\n');
      expect(size).toBe('1 row × 64 columns');
      expect(names!.trim().split(/ +/)).toEqual([...Array.from({ length: 8 }, (_, i) => `x${i}`), '…', ...Array.from({ length: 8 }, (_, i) => `x${56 + i}`)]); // prettier-ignore
    });

    test('types without their wrapping, and a frame without columns', () => {
      const frame = pl.DataFrame({ list: [[1, 2]], day: [new Date(0)] });
      const [, , types] = String(frameBundle(frame as never)['text/plain']).split('\n');
      expect(types!.split(/ {2,}/).map((type) => type.trim())).toEqual(['List(Float64)', 'Datetime(ms)']);
      expect(frameBundle(pl.DataFrame({}) as never)).toEqual({ 'text/plain': '0 rows × 0 columns' });
    });

    test('other values are none', () => {
      for (const value of [null, 1, [], {}, pl.Series('s', [1]), { columns: [], toRecords: () => [] }])
        expect(isTypedFrame(value)).toBe(false);
    });
  });

  test.each([
    ['no rows', () => table([]), 'no rows'],
    ['rows that are arrays', () => table([[1, 2]] as never), 'row 0 is an array; a row is a record'],
    ['rows that are numbers', () => table([1] as never), 'row 0 is 1'],
    ['something else', () => table({ a: 1 } as never), 'expected an array of records or a data frame, got object'],
    ['half a digit', () => table([{ a: 1 }], { digits: 0.5 }), 'digits must be an integer from 0 to 20'],
  ])('refuses %s', (_, show, message) => expect(show).toThrow(message));

  test('a card shows every entry', () => {
    const example: Card = {
      title: 'A family',
      forward: 'O(1)',
      inference: 'exact',
      sampling: 'O(D)',
      objective: 'likelihood',
      network: 'none',
      representation: 'k',
      row: {
        training: 'stable',
        likelihood: 'exact',
        sampling: 'fast',
        lossyCompression: false,
        losslessCompression: true,
        representation: true,
      },
    };
    card(example);
    expect(plain()).toContain('A family');
    expect(plain()).toMatch(/Lossy compression +no/);
    expect(plain()).toMatch(/Lossless compression +yes/);
    expect(plain()).toMatch(/Forward pass +O\(1\)/);
  });
});

test('a cell that draws loads neither plotly nor a document', () => {
  const dist = join(import.meta.dirname, '../../../lib/dist/figures');
  const program = `require(${JSON.stringify(join(dist, 'ladder.js'))}); require(${JSON.stringify(join(dist, 'table.js'))});
    console.log(Object.keys(require.cache).filter((path) => path.includes('node_modules')).length)`;
  expect(spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' }).stdout.trim()).toBe('0');
});
