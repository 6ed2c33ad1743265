/**
 * A figure as HTML for notebook pages that know nothing of plotly. The drawing library (4.8 MB) is loaded once
 * a page, from the notebook server itself: the launcher puts it where each kind of server serves extra files.
 */
import { createHash } from 'node:crypto';
import { PLOTLY_FILE } from './plotly-names';
import { listenForSteps, STEPS_ATTRIBUTES } from './step-keys';

export { PLOTLY_FILE };

/**
 * A fragment of HTML that draws a figure in place. The same figure gives the same fragment.
 * @param json the figure's `FigureSpec`
 */
export function figureHtml(json: string, alt: string, height: number, hasSteps = false): string {
  const key = createHash('sha256').update(json).digest('hex').slice(0, 12);
  const keys = hasSteps ? `(${textOf(listenForSteps)})(globalThis);` : '';
  const script = `${keys}(${textOf(draw)})(${scriptSafe(json)},"${key}","${PLOTLY_FILE}");`;
  return [
    `<div class="dgm-figure" data-figure="${key}" ${attributesOf(hasSteps)} aria-label="${escapeHtml(alt)}" style="min-height:${height}px">`,
    `<p>${escapeHtml(alt)}</p></div>`,
    `<script>${script}</script>`,
  ].join('');
}

/**
 * A function's source without what only its reader needs, as every figure of a notebook carries it: comments,
 * indentation, and the ends of lines after which nothing can be mistaken.
 */
function textOf(program: (...args: never[]) => unknown): string {
  return program
    .toString()
    .replace(/\s+\/\/ .*$/gm, '')
    .replace(/\n\s+/g, '\n')
    .replace(/([;,{(])\n|\n(?=[})])/g, '$1');
}

/** A picture is one thing to who hears it; what has steps is moved through by the keyboard. */
export function attributesOf(hasSteps: boolean): string {
  if (!hasSteps) return 'role="img"';
  return Object.entries(STEPS_ATTRIBUTES)
    .map(([name, value]) => `${name}="${value}"`)
    .join(' ');
}

/** JSON that can stand inside a script element: no end tag, no comment, no line separators of old JavaScript. */
export function scriptSafe(json: string): string {
  return json
    .replace(/</g, '\\u003c')
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029');
}

export function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/* eslint-disable @typescript-eslint/no-explicit-any -- what follows is sent to the page as text and uses its globals */
interface Page {
  readonly document: any;
  Plotly?: { newPlot(...args: unknown[]): Promise<unknown>; relayout(...args: unknown[]): unknown };
  dgmPlotly?: Promise<unknown> | undefined;
}

/** Runs in the page: finds the figure's element, loads plotly unless another figure did, draws. Self-contained. */
function draw(
  spec: { data: unknown; layout: any; config: unknown; frames?: unknown },
  key: string,
  file: string,
): void {
  const page = globalThis as unknown as Page;
  const { document } = page;
  const address = (): string => {
    const lab = document.getElementById('jupyter-config-data');
    if (!lab) return `${document.body.getAttribute('data-base-url') ?? '/'}nbextensions/${file}`;
    const { baseUrl = '/', fullLabextensionsUrl } = JSON.parse(lab.textContent);
    return `${fullLabextensionsUrl ?? `${baseUrl}lab/extensions`}/${file}`;
  };
  const load = () =>
    (page.dgmPlotly ??= new Promise<void>((resolve, reject) => {
      if (page.Plotly) return resolve();
      const script = document.createElement('script');
      script.src = address();
      script.onload = resolve;
      script.onerror = () => {
        page.dgmPlotly = undefined; // so that running the cell again tries again
        reject(new Error(`${script.src} cannot be loaded`));
      };
      document.head.appendChild(script);
    }));
  // A notebook may run the script before it attaches the element, and may show one output twice
  const elements = () => [...document.querySelectorAll(`.dgm-figure[data-figure="${key}"]:not([data-drawn])`)];
  const plot = (element: any) => {
    element.setAttribute('data-drawn', '');
    element.textContent = '';
    const colour = () => (globalThis as any).getComputedStyle(element).color;
    const layout = { ...spec.layout, font: { color: colour(), ...spec.layout.font } };
    void page.Plotly!.newPlot(element, { ...spec, layout });
    if (spec.layout.font?.color) return;
    // JupyterLab says there whether it is light or dark; an output that was drawn stays when that changes
    const recolour = () => page.Plotly!.relayout(element, { 'font.color': colour() });
    const theme = { attributes: true, attributeFilter: ['data-jp-theme-light'] };
    new (globalThis as any).MutationObserver(recolour).observe(document.body, theme);
  };
  const complain = (error: Error) =>
    elements().forEach((element) => {
      element.firstChild.textContent += ` — not drawn: ${error.message}. Start the workbook with "npm start", which serves it.`;
    });
  const whenAttached = (then: () => void, frames = 100): void => {
    if (elements().length > 0) then();
    else if (frames > 0) (globalThis as any).requestAnimationFrame(() => whenAttached(then, frames - 1));
  };
  whenAttached(() => void load().then(() => elements().forEach(plot), complain));
}
