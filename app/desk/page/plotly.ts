/** Figures in an output: plotly draws them, in the colours of the page, once it is needed or soon will be. */
import { PageConfig } from '@jupyterlab/coreutils';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import { PLOTLY_FILE, PLOTLY_MIME } from '../../../lib/figures/plotly-names';
import { listenForSteps, STEPS_ATTRIBUTES } from '../../../lib/figures/step-keys';
import type { Appearance } from './appearance';

/** A figure as `figure` of the library sends it. */
interface FigureSpec {
  readonly data: unknown;
  readonly layout: Readonly<Record<string, unknown>>;
  readonly config: unknown;
  /** The steps of an animation. */
  readonly frames?: unknown;
}

interface Plotly {
  react(node: HTMLElement, spec: FigureSpec): Promise<unknown>;
  relayout(node: HTMLElement, change: Readonly<Record<string, unknown>>): Promise<unknown>;
  purge(node: HTMLElement): void;
  readonly Plots: { resize(node: HTMLElement): void };
}

export function plotlyFactory(appearance: Appearance): IRenderMime.IRendererFactory {
  const drawn = new Set<HTMLElement>();
  appearance.onChange(() => drawn.forEach(recolour));
  listenForSteps(globalThis);
  return {
    safe: true,
    mimeTypes: [PLOTLY_MIME],
    createRenderer: ({ mimeType }) => figureWidget(mimeType, drawn),
  };
}

/** A renderer is a widget with one more method. */
function figureWidget(mimeType: string, drawn: Set<HTMLElement>): IRenderMime.IRenderer {
  const node = document.createElement('div');
  node.setAttribute('role', 'img');
  const widget = new Widget({ node });
  widget.addClass('dgm-figure');
  const watcher = new ResizeObserver(() => {
    if (drawn.has(node) && node.offsetWidth > 0) void loadPlotly().then((plotly) => plotly.Plots.resize(node));
  });
  watcher.observe(node);
  widget.disposed.connect(() => {
    watcher.disconnect();
    if (drawn.delete(node)) void loadPlotly().then((plotly) => plotly.purge(node));
  });
  return Object.assign(widget, {
    async renderModel(model: IRenderMime.IMimeModel) {
      const spec = model.data[mimeType] as unknown as FigureSpec;
      const alt = String(model.data['text/plain'] ?? 'Figure');
      node.setAttribute('aria-label', alt);
      if (spec.frames) for (const [name, value] of Object.entries(STEPS_ATTRIBUTES)) node.setAttribute(name, value);
      node.style.minHeight = `${Number(spec.layout['height'] ?? 400)}px`; // no jump while plotly loads
      try {
        const plotly = await loadPlotly();
        const layout = { ...spec.layout, font: { color: inkOf(node), ...(spec.layout['font'] as object) } };
        await plotly.react(node, structuredClone({ ...spec, layout })); // plotly writes into what it draws
        drawn.add(node);
      } catch (error) {
        node.textContent = `${alt}: not drawn (${(error as Error).message})`;
      }
    },
  });
}

function recolour(node: HTMLElement): void {
  void loadPlotly().then((plotly) => plotly.relayout(node, { 'font.color': inkOf(node) }));
}

const inkOf = (node: HTMLElement): string => getComputedStyle(node.isConnected ? node : document.body).color;

let loading: Promise<Plotly> | undefined;

/** Called when the first cell runs: figures are near, and the page has nothing else to do while the kernel works. */
export function prepareFigures(): void {
  loadPlotly().catch(() => undefined); // a figure that needs it tries again, and says why not
}

/** 4.8 MB, so not before a cell runs or a saved figure is shown. */
function loadPlotly(): Promise<Plotly> {
  return (loading ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = `${PageConfig.getOption('fullLabextensionsUrl')}/${PLOTLY_FILE}`;
    script.onload = () => resolve((globalThis as unknown as { Plotly: Plotly }).Plotly);
    script.onerror = () => {
      loading = undefined; // the next figure tries again
      reject(new Error(`${script.src} cannot be loaded; is the workbook still running?`));
    };
    document.head.append(script);
  }));
}
