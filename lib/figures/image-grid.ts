/** Grey images side by side. */
import { rounded, show, type ChartOptions } from './chart';

export interface ImageGridOptions extends ChartOptions {
  /** Pixels of one image. */
  readonly height: number;
  readonly width: number;
  /** Images in a row. Default: at most 10. */
  readonly columns?: number;
  /** Grey levels: 0 is black, levels − 1 is white. Default: black and white are the extremes of the data. */
  readonly levels?: number;
  /** One a picture, shown above it. */
  readonly titles?: readonly string[];
}

const GRID_WIDTH = 660; // pixels of the page that a grid of images may take
const LARGEST_TILE = 100;
const TITLE_SPACE = 20;

/** Grey images side by side: images [N][height · width], row by row from the top left. */
export function imageGrid(images: readonly ArrayLike<number>[], options: ImageGridOptions): void {
  checkImages(images, options);
  const { height: H, width: W, levels, titles } = options;
  const columns = Math.min(options.columns ?? 10, images.length);
  const rows = Math.ceil(images.length / columns);
  const gap = Math.max(1, Math.round(W / 14)); // in pixels of the images, as everything up to `scale`
  const scale = Math.max(1, Math.floor(Math.min(GRID_WIDTH / (columns * (W + gap)), LARGEST_TILE / Math.max(H, W))));
  const rowGap = titles ? Math.max(gap, Math.ceil(TITLE_SPACE / scale)) : gap;
  const width = columns * (W + gap) - gap;
  const height = rows * (H + rowGap) - (titles ? 0 : rowGap);
  const z = Array.from({ length: height }, () => new Array<number | null>(width).fill(null));
  const corner = (n: number) => ({
    left: (n % columns) * (W + gap),
    top: Math.floor(n / columns) * (H + rowGap) + (titles ? rowGap : 0),
  });
  images.forEach((image, n) => paint(z, image, { ...corner(n), H, W }));
  const trace = {
    type: 'heatmap',
    z,
    ...greys(images, levels),
    showscale: false,
    hoverongaps: false,
    hovertemplate: '%{z}<extra></extra>',
  };
  const margin = { l: 10, r: 10, t: options.title ? 42 : 12, b: 12 };
  const layout = {
    margin,
    xaxis: { ...HIDDEN, range: [-0.5, width - 0.5], constrain: 'domain', constraintoward: 'left' },
    yaxis: { ...HIDDEN, range: [height - 0.5, -0.5], scaleanchor: 'x', constrain: 'domain', constraintoward: 'top' },
    ...(titles && {
      annotations: titles.map((text, n) => caption(text, corner(n).left + (W - 1) / 2, corner(n).top - 0.5)),
    }),
  };
  const size = { height: height * scale + margin.t + margin.b, width: width * scale + margin.l + margin.r };
  const alt = `${options.title ?? 'Images'} (${images.length} grey images of ${H} × ${W} pixels)`;
  show({ name: 'imageGrid', traces: [trace], layout }, { alt, ...options, ...size });
}

const HIDDEN = { visible: false, fixedrange: true };

function caption(text: string, x: number, y: number): object {
  return { text, x, y, xanchor: 'center', yanchor: 'bottom', font: { size: 11 } };
}

function paint(
  z: (number | null)[][],
  image: ArrayLike<number>,
  { left, top, H, W }: { left: number; top: number; H: number; W: number },
): void {
  for (let h = 0; h < H; h++) for (let w = 0; w < W; w++) z[top + h]![left + w] = rounded(image[h * W + w]!, 1e-3);
}

function greys(images: readonly ArrayLike<number>[], levels: number | undefined): object {
  const colorscale = [
    [0, '#000000'],
    [1, '#ffffff'],
  ];
  if (levels !== undefined) return { colorscale, zmin: 0, zmax: levels - 1 };
  const values = images.flatMap((image) => Array.from(image));
  return { colorscale, zmin: values.reduce((a, b) => Math.min(a, b)), zmax: values.reduce((a, b) => Math.max(a, b)) };
}

function checkImages(images: readonly ArrayLike<number>[], options: ImageGridOptions): void {
  const { height, width, columns = 1, levels = 2, titles } = options;
  for (const [name, value] of Object.entries({ height, width, columns }))
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`imageGrid: ${name} must be an integer ≥ 1, got ${value}`);
  if (!(levels >= 2)) throw new Error(`imageGrid: levels must be ≥ 2, got ${levels}`);
  if (images.length === 0) throw new Error('imageGrid: there is nothing to draw: no images');
  if (titles && titles.length !== images.length)
    throw new Error(`imageGrid: ${images.length} images but ${titles.length} titles; give one for each`);
  images.forEach((image, n) => {
    if (image.length !== height * width)
      throw new Error(`imageGrid: image ${n} has ${image.length} numbers, expected height · width = ${height * width}`);
    const bad = Array.from(image).findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw new Error(`imageGrid: image ${n} has ${image[bad]} at pixel ${bad}; pixels must be finite numbers`);
  });
}
