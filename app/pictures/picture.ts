/** Notebooks to commit and to read without plotly: every figure also as a picture. */
import type { Drawing } from './drawing';
import { PLOTLY_MIME, type FigureSpec } from 'dgm/figures';
import type { CodeCell, DisplayOutput, MimeData, Notebook, NotebookCell, Output, ResultOutput } from 'dgm-jupyter';
import { sideBySide } from './side-by-side';

const LARGEST_JSON = 60_000; // characters: a notebook under version control stays readable as text
const LARGEST_PNG = 60_000; // bytes, wished for: a picture above that is drawn smaller
const SCALES = [2, 1.5, 1];

export interface RenderOptions {
  /** Figures with more JSON than this keep their picture only. Default: 60,000 characters. */
  readonly largestJson?: number;
}

/**
 * The notebook with each figure as {plotly JSON if small, PNG, text}, without the HTML that needs a server. A
 * figure that cannot be drawn without a browser keeps its JSON and its text.
 */
export async function renderFigures(
  notebook: Notebook,
  { largestJson = LARGEST_JSON }: RenderOptions = {},
): Promise<Notebook> {
  if (!notebook.cells.some((cell) => isCode(cell) && cell.outputs.some(isFigure))) return notebook;
  const { openDrawing } = await import('./drawing.js');
  const drawing = await openDrawing();
  try {
    const cells: NotebookCell[] = [];
    for (const cell of notebook.cells) cells.push(isCode(cell) ? await renderCell(cell, drawing, largestJson) : cell);
    return { ...notebook, cells };
  } finally {
    drawing.close();
  }
}

const isCode = (cell: NotebookCell): cell is CodeCell => cell.cell_type === 'code';

const isFigure = (output: Output): output is DisplayOutput | ResultOutput =>
  'data' in output && PLOTLY_MIME in output.data;

async function renderCell(cell: CodeCell, drawing: Drawing, largest: number): Promise<CodeCell> {
  const outputs: Output[] = [];
  for (const output of cell.outputs)
    outputs.push(isFigure(output) ? await renderFigure(output, drawing, largest) : output);
  return { ...cell, outputs };
}

async function renderFigure<T extends DisplayOutput | ResultOutput>(
  output: T,
  drawing: Drawing,
  largest: number,
): Promise<T> {
  const data = await renderBundle(output.data, drawing, largest);
  const alt = data['text/plain'];
  if (!('image/png' in data) || typeof alt !== 'string') return { ...output, data };
  return { ...output, data, metadata: { ...output.metadata, 'image/png': { alt } } }; // where nbconvert looks for it
}

async function renderBundle(data: MimeData, drawing: Drawing, largest: number): Promise<MimeData> {
  const figure = data[PLOTLY_MIME] as FigureSpec;
  const png = await picture(figure, drawing);
  const dropped = png !== undefined && JSON.stringify(figure).length > largest ? PLOTLY_MIME : undefined;
  const kept = Object.entries(data).filter(([mime]) => mime !== 'text/html' && mime !== dropped);
  return { ...Object.fromEntries(kept), ...(png && { 'image/png': png }) };
}

async function picture(figure: FigureSpec, drawing: Drawing): Promise<string | undefined> {
  try {
    const pictures = [];
    for (const scale of SCALES) {
      const png = await drawing.png(sideBySide(figure), scale);
      if (png.length <= LARGEST_PNG) return png.toString('base64');
      pictures.push(png);
    }
    return pictures.at(-1)!.toString('base64');
  } catch {
    return undefined; // the figure may still draw in a browser
  }
}
