/** What the charts of the course share. */
import { display, type MimeBundle } from '../host/host';
import { figureBundle, type FigureOptions, type AnimationFrame, type Layout, type Trace } from './figure';

export interface ChartOptions extends FigureOptions {
  readonly title?: string;
}

/** A figure before it is checked. */
export interface Chart {
  /** The function that the cell called: errors begin with it. */
  readonly name: string;
  readonly traces: readonly Trace[];
  readonly layout: Layout;
  /** The steps of an animation. */
  readonly frames?: readonly AnimationFrame[];
}

/** Shows a chart under the running cell. */
export function show(chart: Chart, options: ChartOptions): void {
  display(chartBundle(chart, options));
}

/** The chart in every format that a front end may ask for. */
export function chartBundle(
  { name, traces, layout, frames }: Chart,
  { title, alt, height, width }: ChartOptions,
): MimeBundle {
  const options = { ...(alt && { alt }), ...(height && { height }), ...(width && { width }) };
  try {
    return figureBundle(traces, { ...layout, ...(title && { title }) }, { ...options, ...(frames && { frames }) });
  } catch (error) {
    if (error instanceof Error) error.message = error.message.replace(/^figure:/, `${name}:`);
    throw error;
  }
}

export function largest(values: ArrayLike<number>): number {
  return Array.from(values).reduce((a, b) => Math.max(a, b), -Infinity);
}

/** To a multiple of a power of ten not above `step`: fewer characters, and nothing that one could see. */
export function rounded(value: number, step: number): number {
  const power = 10 ** Math.ceil(-Math.log10(step));
  return Math.round(value * power) / power;
}
