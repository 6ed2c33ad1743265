/** Several panels side by side in one figure, each with a pair of axes. */
import type { Layout } from './figure';

const suffix = (i: number): string => (i === 0 ? '' : String(i + 1));

/** The axes of the i-th panel, as a trace names them. */
export const axesOf = (i: number) => ({ xaxis: `x${suffix(i)}`, yaxis: `y${suffix(i)}` });

const GAP = 0.08; // of the figure's width

/** The layout of these axes; all panels are of the same width. */
export function panelAxes(i: number, panels: number, { x, y }: { readonly x?: object; readonly y?: object }): Layout {
  const size = (1 - GAP * (panels - 1)) / panels;
  const left = i * (size + GAP);
  const { xaxis, yaxis } = axesOf(i);
  return {
    [`xaxis${suffix(i)}`]: { ...x, domain: [left, left + size], anchor: yaxis },
    [`yaxis${suffix(i)}`]: { ...y, anchor: xaxis },
  };
}

/** A text above the i-th panel, at its left. */
export function panelTitle(text: string, i: number, more: object = {}): object {
  const { xaxis, yaxis } = axesOf(i);
  const at = { xref: `${xaxis} domain`, yref: `${yaxis} domain`, x: 0, y: 1, xanchor: 'left', yanchor: 'bottom' };
  return { text, ...at, yshift: 4, ...more };
}
