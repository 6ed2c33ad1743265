/** Pictures of how good probabilities are. */
import { reliability, roc } from '../statistics/classification';
import { show, type ChartOptions } from './chart';
import type { Trace } from './figure';
import { COLOURS } from './theme';

const DIAGONAL = { color: 'rgba(128,128,128,0.7)', width: 1, dash: 'dot' };
const UNIT = { range: [-0.02, 1.02], constrain: 'domain' };

/** A yes-or-no question: what was stated, and what is true. */
export interface Answers {
  readonly name?: string;
  /** [N], higher means yes. */
  readonly scores: ArrayLike<number>;
  /** [N] */
  readonly positive: ArrayLike<boolean | number>;
}

/** Receiver operating characteristics on one square, each with the area under it; chance is the diagonal. */
export function rocPlot(curves: Answers | readonly Answers[], options: ChartOptions = {}): void {
  const all: readonly Answers[] = Array.isArray(curves) ? curves : [curves as Answers];
  if (all.length === 0) throw new Error('rocPlot: there is nothing to draw: no curves');
  const traces = all.map(({ name, scores, positive }): Trace => {
    const { falsePositiveRate, truePositiveRate, auc } = roc(scores, positive);
    const label = `${name === undefined ? '' : `${name}: `}area ${auc.toFixed(3)}`;
    return { mode: 'lines', x: falsePositiveRate, y: truePositiveRate, name: label };
  });
  const chance: Trace = { mode: 'lines', x: [0, 1], y: [0, 1], line: DIAGONAL, name: 'chance', hoverinfo: 'skip' };
  const layout = {
    xaxis: { title: 'share of the negative that are called positive', ...UNIT },
    yaxis: { title: 'share of the positive that are found', ...UNIT, scaleanchor: 'x' },
    legend: { orientation: 'v', x: 0.98, xanchor: 'right', y: 0.04, yanchor: 'bottom' },
    showlegend: true,
  };
  show({ name: 'rocPlot', traces: [...traces, chance], layout }, { height: 480, ...options });
}

/**
 * A reliability diagram: how often things happen that are said to happen with probability p, with 95 % intervals, and
 * below it how many were said to. What is calibrated lies on the diagonal.
 */
export function calibrationPlot(
  { scores, positive }: Answers,
  { bins, ...options }: ChartOptions & { readonly bins?: number } = {},
): void {
  const { bins: filled, error } = reliability(scores, positive, bins);
  const stated = filled.map((bin) => bin.stated);
  const observed = filled.map((bin) => bin.observed);
  const interval = {
    type: 'data',
    symmetric: false,
    array: filled.map((bin) => bin.high - bin.observed),
    arrayminus: filled.map((bin) => bin.observed - bin.low),
    color: '#808080',
    thickness: 1.5,
    width: 4,
  };
  const traces: Trace[] = [
    { mode: 'lines', x: [0, 1], y: [0, 1], line: DIAGONAL, name: 'calibrated', hoverinfo: 'skip' },
    { mode: 'lines+markers', x: stated, y: observed, name: `error ${error.toFixed(3)}`, error_y: interval, line: { color: COLOURS[0] } },
    { type: 'bar', x: stated, y: filled.map((bin) => bin.count), width: 0.05, name: 'examples', marker: { color: '#a0a4ab' }, yaxis: 'y2', showlegend: false },
  ]; // prettier-ignore
  const layout = {
    xaxis: { title: 'stated probability', range: UNIT.range, anchor: 'y2' },
    yaxis: { title: 'observed share', range: UNIT.range, domain: [0.3, 1] },
    yaxis2: { title: 'examples', domain: [0, 0.2], rangemode: 'tozero', nticks: 3 },
    showlegend: true,
  };
  show({ name: 'calibrationPlot', traces, layout }, { height: 480, ...options });
}
