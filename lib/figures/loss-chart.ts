/** How a training went: its losses by epoch. */
import { show, type Chart, type ChartOptions } from './chart';
import type { Trace } from './figure';
import { COLOURS } from './theme';

/** What `fit` and `em` return, as far as a picture needs it. */
export interface Training {
  readonly history: readonly { readonly epoch: number; readonly loss: number; readonly validation?: number }[];
  readonly best?: { readonly epoch: number; readonly validation: number } | null;
}

/** Training and validation loss by epoch, the epoch whose weights were kept marked. */
export function lossCurve(training: Training, options: LossOptions = {}): void {
  show(lossChart(training, options), options);
}

export interface LossOptions extends ChartOptions {
  /** Of the losses. Default: 'nats per example'. */
  readonly unit?: string;
}

/** What `lossCurve` shows. */
export function lossChart({ history, best }: Training, options: LossOptions): Chart {
  if (history.length === 0) throw new Error('lossCurve: the history is empty: training did not finish one epoch');
  const epochs = history.map(({ epoch }) => epoch);
  const validation = history.map((e) => e.validation ?? null);
  const mode = history.length === 1 ? 'markers' : 'lines';
  const traces: Trace[] = [{ x: epochs, y: history.map((e) => e.loss), mode, name: 'training' }];
  if (validation.some((v) => v !== null)) traces.push({ x: epochs, y: validation, mode, name: 'validation' });
  if (best) traces.push(bestEpoch(best));
  const values = history.flatMap((e) => [
    { epoch: e.epoch, value: e.loss },
    { epoch: e.epoch, value: e.validation ?? e.loss },
  ]);
  const layout = {
    hovermode: 'x',
    xaxis: { title: 'epoch' },
    yaxis: { title: options.unit ?? 'nats per example', ...rangeOfEnd(values) },
  };
  return { name: 'lossCurve', traces, layout };
}

function bestEpoch({ epoch, validation }: { epoch: number; validation: number }): Trace {
  const marker = { size: 10, symbol: 'circle-open', line: { width: 2 }, color: COLOURS[6] };
  return {
    x: [epoch],
    y: [validation],
    mode: 'markers',
    name: `best: epoch ${epoch}, ${validation.toFixed(2)}`,
    marker,
  };
}

/**
 * A range that leaves out the first steep fall, where that would flatten all the rest: what matters is how
 * training ended. The curve then enters through the upper edge.
 */
function rangeOfEnd(points: readonly { epoch: number; value: number }[]): { range?: [number, number] } {
  const last = Math.max(...points.map(({ epoch }) => epoch));
  const values = points.map(({ value }) => value);
  const low = Math.min(...values);
  const end = Math.max(...points.filter(({ epoch }) => epoch > last / 8).map(({ value }) => value));
  if (Math.max(...values) - low <= 3 * (end - low) || end === low) return {};
  return { range: [low - 0.08 * (end - low), end + 0.25 * (end - low)] };
}
