import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createCanvas, loadImage } from '@napi-rs/canvas';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  calibrationPlot,
  createRng,
  density2d,
  imageGrid,
  latentMap,
  lossCurve,
  rocPlot,
  scoreField,
  trajectories,
  type MimeBundle,
} from 'dgm';
import { installHost } from 'dgm/host';
import type { CodeCell, Notebook, Output } from 'dgm-jupyter';
import { openDrawing, type Drawing } from '../../../app/pictures/drawing';
import { figureSpec, PLOTLY_MIME, type FigureSpec } from '../../../lib/figures/figure';
import { renderFigures } from '../../../app/pictures/picture';
import { palettePng } from '../../../app/pictures/png';

// Pictures drawn without a browser: the text of a figure must be there, whole, and where plotly meant it to be.

let drawing: Drawing;
beforeAll(async () => void (drawing = await openDrawing()));
afterAll(() => drawing.close());

/** Width, height, and whether a pixel differs from white. */
async function pixels(png: Buffer) {
  const image = await loadImage(png);
  const context = createCanvas(image.width, image.height).getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const inked = (x: number, y: number) => [0, 1, 2].some((c) => data[4 * (y * image.width + x) + c]! < 250);
  return { width: image.width, height: image.height, inked };
}

async function columnOf(png: Buffer, x: number) {
  const image = await loadImage(png);
  const context = createCanvas(image.width, image.height).getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(x, 0, 1, image.height);
  return Array.from({ length: image.height }, (_, y) => ({
    r: data[4 * y]!,
    g: data[4 * y + 1]!,
    b: data[4 * y + 2]!,
  }));
}

/** No text is cut: nothing is drawn in the outermost pixels. */
async function hasCleanEdges(png: Buffer): Promise<boolean> {
  const { width, height, inked } = await pixels(png);
  const columns = [...Array(width).keys()].some((x) => inked(x, 0) || inked(x, height - 1));
  const rows = [...Array(height).keys()].some((y) => inked(0, y) || inked(width - 1, y));
  return !columns && !rows;
}

describe('drawing', () => {
  test('ticks, titles, legend and annotations are placed by numbers', async () => {
    const figure = figureSpec(
      [
        { x: [1, 2, 3], y: [10, 20, 30], name: 'first' },
        { x: [1, 2, 3], y: [3, 2, 1], name: 'second' },
      ],
      {
        title: 'Title',
        xaxis: { title: 'across' },
        yaxis: { title: 'up' },
        annotations: [{ text: 'note', x: 2, y: 20 }],
      },
    );
    const svg = await drawing.svg(figure);
    expect(svg).not.toMatch(/NaN|Infinity/);
    for (const text of ['Title', 'across', 'up', 'first', 'second', 'note', '1.5', '30'])
      expect(svg).toContain(`>${text}<`);
    expect(await hasCleanEdges(await drawing.png(figure))).toBe(true);
  });

  test('long names get the room they need', async () => {
    const names = ['a model whose name is much longer than anybody would wish', 'μ, σ² ≤ Σ and ∇ ln p(x ∣ θ)'];
    const bars = figureSpec([{ type: 'bar', orientation: 'h', x: [1, 2], y: names }]);
    const svg = await drawing.svg(bars);
    for (const name of names) expect(svg).toContain(`>${name}<`);
    expect(await hasCleanEdges(await drawing.png(bars))).toBe(true);
  });

  test.each<[string, FigureSpec]>([
    [
      'heatmap',
      figureSpec([
        {
          type: 'heatmap',
          z: [
            [1, null],
            [2, 3],
          ],
        },
      ]),
    ],
    [
      'contour',
      figureSpec([
        {
          type: 'contour',
          z: [
            [1, 2, 3],
            [2, 4, 6],
            [3, 6, 9],
          ],
        },
      ]),
    ],
    ['histogram', figureSpec([{ type: 'histogram', x: [1, 2, 2, 3, 3, 3] }])],
    ['violin', figureSpec([{ type: 'violin', y: [1, 2, 2, 3, 3, 3] }])],
    ['pie', figureSpec([{ type: 'pie', values: [1, 2], labels: ['a', 'b'] }])],
    [
      'subplots',
      figureSpec([{ y: [1, 2] }, { y: [1, 2], xaxis: 'x2', yaxis: 'y2' }], {
        grid: { rows: 1, columns: 2, pattern: 'independent' },
      }),
    ],
    ['two lines of text', figureSpec([{ y: [1, 2] }], { title: 'one<br><b>two</b> x<sub>1</sub>' })],
    ['scattergl', figureSpec([{ type: 'scattergl', y: [1, 2] }])],
    ['a log axis', figureSpec([{ y: [1, 1000] }], { yaxis: { type: 'log' } })],
  ])('draws a %s', async (_, figure) => {
    expect(await drawing.svg(figure)).not.toMatch(/NaN|Infinity/);
    expect(await hasCleanEdges(await drawing.png(figure, 1))).toBe(true);
  });

  test('pixels of a heatmap stay sharp', async () => {
    const margin = { l: 10, r: 10, t: 10, b: 10 };
    const figure = figureSpec(
      [
        {
          type: 'heatmap',
          z: [[0, 1]],
          colorscale: [
            [0, '#000000'],
            [1, '#ffffff'],
          ],
          showscale: false,
        },
      ],
      { margin, xaxis: { visible: false }, yaxis: { visible: false } },
      { width: 120, height: 60 },
    );
    const { inked } = await pixels(await drawing.png(figure, 2));
    expect([inked(115, 60), inked(125, 60)]).toEqual([true, false]); // black left of the middle, white right of it
  });

  test.each(['heatmap', 'contour'])('the colour bar of a %s runs through its colours', async (type) => {
    const colorscale = [
      [0, '#ff0000'],
      [1, '#0000ff'],
    ];
    const z = [
      [0, 1],
      [0, 1],
    ];
    const png = await drawing.png(figureSpec([{ type, z, colorscale }], {}, { width: 300, height: 300 }), 1);
    const bar = await columnOf(png, 250); // right of the plot
    expect(bar.filter(({ r, g, b }) => r > 180 && g < 60 && b < 60).length).toBeGreaterThan(5);
    expect(bar.filter(({ r, g, b }) => b > 180 && g < 60 && r < 60).length).toBeGreaterThan(5);
    expect(bar.filter(({ r, g, b }) => Math.max(r, g, b) < 30)).toEqual([]);
  });

  test('size: two pixels of the picture for one of the page', async () => {
    const { width, height } = await pixels(
      await drawing.png(figureSpec([{ y: [1, 2] }], {}, { width: 300, height: 200 })),
    );
    expect([width, height]).toEqual([600, 400]);
  });

  test('the figure itself is left as it was', async () => {
    const figure = figureSpec([{ type: 'histogram', x: [1, 2, 2] }], { title: 'T' });
    const before = JSON.stringify(figure);
    await drawing.svg(figure);
    expect(JSON.stringify(figure)).toBe(before);
  });

  test.each(['scatter3d', 'surface', 'parcoords', 'scattermap'])(
    'refuses %s, which needs WebGL, at once',
    async (type) => {
      await expect(drawing.svg(figureSpec([{ type, x: [1], y: [1], z: [[1]] }]))).rejects.toThrow(`type "${type}"`);
    },
  );

  test('the same picture on a machine without fonts', async () => {
    const figure = figureSpec([{ x: [1, 2], y: [3, 4] }], { title: 'Fonts μ ∇', xaxis: { title: 'x' } });
    const here = createHash('sha256')
      .update(await drawing.png(figure))
      .digest('hex');
    const dist = join(import.meta.dirname, '../../../app/dist/pictures/drawing.js');
    const program = `require(${JSON.stringify(dist)}).openDrawing().then(async (drawing) => {
      const png = await drawing.png(${JSON.stringify(figure)});
      console.log(require('crypto').createHash('sha256').update(png).digest('hex'));
      drawing.close();
    })`;
    const env = { ...process.env, FONTCONFIG_FILE: '/nowhere', FONTCONFIG_PATH: '/nowhere' };
    expect(spawnSync(process.execPath, ['-e', program], { env, encoding: 'utf8' }).stdout.trim()).toBe(here);
  });
});

describe('palettePng', () => {
  const image = (colours: readonly [number, number, number][], width: number) => ({
    width,
    height: colours.length / width,
    data: Uint8Array.from(colours.flatMap((colour) => [...colour, 255])),
  });
  const decoded = async (png: Buffer) => {
    const picture = await loadImage(png);
    const context = createCanvas(picture.width, picture.height).getContext('2d');
    context.drawImage(picture, 0, 0);
    return [...context.getImageData(0, 0, picture.width, picture.height).data];
  };

  test('up to 256 colours: every pixel as it was', async () => {
    const picture = image(
      Array.from({ length: 256 }, (_, i) => [i, 255 - i, (i * 7) % 256]),
      16,
    );
    expect(await decoded(palettePng(picture))).toEqual([...picture.data]);
  });

  test('more: close to what it was', async () => {
    const picture = image(
      Array.from({ length: 4096 }, (_, i) => [i >> 4, 128, 255 - (i >> 4)]),
      64,
    );
    const noisy = { ...picture, data: picture.data.map((v, i) => (i % 4 === 1 ? (i >> 2) % 4 : v)) };
    const result = await decoded(palettePng(noisy));
    expect(Math.max(...result.map((v, i) => Math.abs(v - noisy.data[i]!)))).toBeLessThanOrEqual(8);
  });
});

describe('renderFigures', () => {
  const cell = (outputs: Output[]): CodeCell => ({
    cell_type: 'code',
    id: 'a',
    metadata: {},
    source: '',
    execution_count: 1,
    outputs,
  });
  const notebook = (outputs: Output[]): Notebook => ({
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [cell(outputs)],
  });
  const display = (figure: unknown): Output => ({
    output_type: 'display_data',
    data: { [PLOTLY_MIME]: figure, 'text/html': '<div></div>', 'text/plain': 'alt' },
    metadata: {},
  });
  const bundles = async (outputs: Output[], options = {}) => {
    const [first] = (await renderFigures(notebook(outputs), options)).cells;
    return (first as CodeCell).outputs.map((output) => ('data' in output ? output.data : output));
  };

  test('a small figure: its data, a picture, its description, no HTML', async () => {
    const [data] = await bundles([display(figureSpec([{ y: [1, 2] }]))]);
    expect(Object.keys(data!).sort()).toEqual([PLOTLY_MIME, 'image/png', 'text/plain']);
    expect(
      Buffer.from((data as Record<string, string>)['image/png']!, 'base64')
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG');
  });

  test('a large figure keeps its picture only, unless the caller wants its data', async () => {
    const large = display(
      figureSpec([{ type: 'heatmap', z: Array.from({ length: 100 }, () => new Float32Array(100).fill(1 / 3)) }]),
    );
    const [data] = await bundles([large]);
    expect(Object.keys(data!).sort()).toEqual(['image/png', 'text/plain']);
    const [whole] = await bundles([large], { largestJson: Infinity });
    expect(Object.keys(whole!)).toContain(PLOTLY_MIME);
  });

  test('what cannot be drawn keeps its data and its description', async () => {
    const [three, broken] = await bundles([
      display(figureSpec([{ type: 'scatter3d', x: [1], y: [1], z: [1] }])),
      display({ data: 5 }),
    ]);
    expect(Object.keys(three!).sort()).toEqual([PLOTLY_MIME, 'text/plain']);
    expect(Object.keys(broken!).sort()).toEqual([PLOTLY_MIME, 'text/plain']);
  });

  test('other outputs stay; a notebook without figures is the same object', async () => {
    const stream: Output = { output_type: 'stream', name: 'stdout', text: 'hello' };
    const table: Output = {
      output_type: 'display_data',
      data: { 'text/html': '<table></table>', 'text/plain': 't' },
      metadata: {},
    };
    expect(await bundles([stream, table, display(figureSpec([{ y: [1] }]))])).toMatchObject([stream, table.data, {}]);
    const plain = notebook([stream, table]);
    expect(await renderFigures(plain)).toBe(plain);
  });
});

test('a chapter with twenty figures stays under 2 MB, as its kernel leaves it and as it is committed', async () => {
  const shown: MimeBundle[] = [];
  const uninstall = installHost({
    display: (data) => void shown.push(data),
    interruptSignal: () => new AbortController().signal,
  });
  try {
    for (let n = 0; n < 20; n++) drawOne(n);
  } finally {
    uninstall();
  }
  expect(shown).toHaveLength(20);
  for (const data of shown) {
    const { data: series, frames = [] } = data[PLOTLY_MIME] as FigureSpec;
    const beside = JSON.stringify(data).length - 2 * JSON.stringify([series, frames]).length;
    expect(beside).toBeLessThan(7000 + 450 * frames.length); // the theme and the layout, twice, the slider's steps, and the script that draws
  }
  const cells = shown.map((data, i): CodeCell => ({
    cell_type: 'code',
    id: `c${i}`,
    metadata: {},
    source: 'figure',
    execution_count: i,
    outputs: [{ output_type: 'display_data', data, metadata: {} }],
  }));
  const live: Notebook = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells };
  expect(Buffer.byteLength(JSON.stringify(live))).toBeLessThan(2_000_000);
  const committed = await renderFigures(live);
  expect(Buffer.byteLength(JSON.stringify(committed))).toBeLessThan(2_000_000);
  for (const cell of committed.cells) expect((cell as CodeCell).outputs[0]).toHaveProperty(['data', 'image/png']);
});

/** Figures of the kinds and the sizes that chapters have. */
function drawOne(n: number): void {
  const rng = createRng(n + 1);
  const points = tf.tidy(() => rng.normal([300, 2]).arraySync()) as number[][];
  const ticks = Array.from({ length: 41 }, (_, i) => -3 + 0.15 * i);
  const density = ticks.flatMap((y) => ticks.map((x) => Math.exp(-(x * x + y * y) / 2)));
  const coarse = ticks.filter((_, i) => i % 4 === 0);
  const kinds = [
    () =>
      lossCurve({
        history: points.slice(0, 100).map(([loss], i) => ({ epoch: i + 1, loss: loss!, validation: loss! + 1 })),
      }),
    () => density2d({ x: ticks, y: ticks, density }, points),
    () =>
      imageGrid(
        Array.from({ length: 60 }, () => points.flat().slice(0, 64)),
        { height: 8, width: 8 },
      ),
    () =>
      latentMap(
        points,
        points.map((_, i) => i % 10),
      ),
    () =>
      scoreField(
        [1, 2, 3, 4, 5].map((s) => ({
          x: coarse,
          y: coarse,
          vectors: coarse.flatMap((y) => coarse.map((x) => [-x / s, -y])),
        })),
      ),
    () => trajectories(Array.from({ length: 20 }, (_, t) => points.slice(0, 60).map(([x, y]) => [x! * t, y! - t]))),
    () => rocPlot({ scores: points.map(([x]) => x!), positive: points.map(([x, y]) => x! + y! > 0) }),
    () =>
      calibrationPlot({
        scores: points.map(([x]) => 1 / (1 + Math.exp(-x!))),
        positive: points.map(([x, y]) => x! + y! > 0),
      }),
  ];
  kinds[n % kinds.length]!();
}
