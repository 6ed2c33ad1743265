/**
 * plotly without a browser: figure → SVG → PNG. plotly runs in jsdom, which has a document but draws nothing and
 * measures nothing; canvas and text measures come from @napi-rs/canvas, pixels from resvg. Both get the same
 * font files, so that a picture is the same on every machine, with fonts installed or not.
 */
import { readFileSync } from 'node:fs';
import type { Canvas } from '@napi-rs/canvas';
import type { DOMWindow } from 'jsdom';
import { installMeasures, type TextWidth } from './drawing-measures';
import type { FigureSpec } from 'dgm/figures';
import { palettePng } from './png';

export interface Drawing {
  /** @throws when the figure needs WebGL (three dimensions, maps), which only a browser has */
  svg(figure: FigureSpec): Promise<string>;
  /** @param scale pixels of the picture per pixel of the page */
  png(figure: FigureSpec, scale?: number): Promise<Buffer>;
  /** Frees plotly's document; nothing can be drawn afterwards. */
  close(): void;
}

const INK = '#24292f';
const PAPER = '#ffffff'; // a picture cannot know the page it will stand on
const WIDTH = 700;
const HEIGHT = 400;
const FONT_FILES = [
  '@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf',
  '@expo-google-fonts/inter/400Regular_Italic/Inter_400Regular_Italic.ttf',
  '@expo-google-fonts/inter/700Bold/Inter_700Bold.ttf',
  'katex/dist/fonts/KaTeX_Main-Regular.ttf', // the mathematical signs that Inter lacks
];

/** Loads plotly, which takes a second or two; draw all figures with one. */
export async function openDrawing(): Promise<Drawing> {
  const [{ JSDOM }, canvas, { Resvg }] = await Promise.all([
    import('jsdom'),
    import('@napi-rs/canvas'),
    import('@resvg/resvg-js'),
  ]);
  const fontFiles = FONT_FILES.map((file) => require.resolve(file));
  for (const file of fontFiles) canvas.GlobalFonts.registerFromPath(file);
  const dom = new JSDOM('<!doctype html><body></body>', { runScripts: 'outside-only' });
  installCanvas(dom.window, canvas.createCanvas);
  installMeasures(dom.window, measureText(canvas.createCanvas));
  dom.window.eval(readFileSync(require.resolve('plotly.js-dist-min/plotly.min.js'), 'utf8'));
  const svg = (figure: FigureSpec) => draw(dom.window, figure);
  const font = { fontFiles, loadSystemFonts: false, defaultFontFamily: 'Inter' };
  return {
    svg,
    async png(figure, scale = 2) {
      const image = new Resvg(await svg(figure), { font, fitTo: { mode: 'zoom', value: scale } }).render();
      return palettePng({ width: image.width, height: image.height, data: image.pixels });
    },
    close: () => dom.window.close(),
  };
}

/** Widths of texts in the fonts that resvg will draw them with. */
function measureText(createCanvas: CreateCanvas): TextWidth {
  const context = createCanvas(1, 1).getContext('2d');
  return (text, { size, bold, italic }) => {
    context.font = `${italic ? 'italic ' : ''}${bold ? 'bold ' : ''}${size}px Inter, KaTeX_Main`;
    return context.measureText(text).width;
  };
}

interface Plotly {
  newPlot(element: object, data: unknown, layout: object, config: object): Promise<unknown>;
  toImage(element: object, options: object): Promise<string>;
  purge(element: object): void;
}

async function draw(window: DOMWindow, figure: FigureSpec): Promise<string> {
  const plotly = window['Plotly'] as Plotly;
  const { data, layout } = structuredClone(figure); // plotly writes into what it is given
  const width = sizeOr(layout['width'], WIDTH);
  const height = sizeOr(layout['height'], HEIGHT);
  const look = {
    width,
    height,
    paper_bgcolor: PAPER,
    font: { family: 'Inter', color: INK, ...(layout['font'] as object) },
  };
  const element = window.document.body.appendChild(window.document.createElement('div'));
  try {
    await plotly.newPlot(element, data.map(drawable), { ...layout, ...look }, { staticPlot: true });
    const svg = await plotly.toImage(element, { format: 'svg', width, height, imageDataOnly: true });
    return forResvg(svg);
  } finally {
    plotly.purge(element);
    element.remove();
  }
}

/** The same in words that resvg knows: the older one for sharp pixels, and no quotes about what a colour bar is filled with. */
function forResvg(svg: string): string {
  return svg
    .replaceAll('image-rendering: pixelated', 'image-rendering: optimizeSpeed')
    .replace(/url\((?:'|"|&quot;)(#[^'"&)]*)(?:'|"|&quot;)\)/g, 'url($1)');
}

function sizeOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

const WEBGL = /gl$|3d$|^surface$|^isosurface$|^volume$|^cone$|^streamtube$|^splom$|map$|^parcoords$/;

function drawable(trace: Record<string, unknown>): Record<string, unknown> {
  const type = String(trace['type'] ?? 'scatter');
  if (type === 'scattergl') return { ...trace, type: 'scatter' }; // the same picture, drawn without a graphics card
  if (WEBGL.test(type) && type !== 'heatmap' && type !== 'treemap')
    throw new Error(`no picture of a figure of type "${type}": it needs WebGL, which only a browser has`);
  return trace;
}

type CreateCanvas = (width: number, height: number) => Canvas;

/** A canvas element of jsdom has no pixels: give each one a real canvas of its size. */
function installCanvas(window: DOMWindow, createCanvas: CreateCanvas): void {
  const real = new WeakMap<object, Canvas>();
  const canvasOf = (element: HTMLCanvas): Canvas => {
    const known = real.get(element);
    if (known && known.width === element.width && known.height === element.height) return known;
    const made = createCanvas(element.width || 1, element.height || 1);
    real.set(element, made);
    return made;
  };
  Object.assign(window.HTMLCanvasElement.prototype, {
    getContext(this: HTMLCanvas, kind: string) {
      return kind === '2d' ? canvasOf(this).getContext('2d') : null;
    },
    toDataURL(this: HTMLCanvas) {
      return canvasOf(this).toDataURL('image/png');
    },
  });
  Object.assign(window.URL, { createObjectURL: () => 'blob:none', revokeObjectURL: () => undefined });
}

interface HTMLCanvas {
  readonly width: number;
  readonly height: number;
}
