/** The ladder: models by negative log-likelihood. */
import { show, type ChartOptions } from './chart';
import type { Trace } from './figure';
import { COLOURS } from './theme';

export interface Rung {
  readonly name: string;
  /** Negative log-likelihood, in nats per example. */
  readonly nats: number;
  /** What the number is: the kind of the model's likelihood. Default: 'exact'. */
  readonly kind?: string;
  /** Its standard error over the examples. */
  readonly error?: number;
  /** Whether it is there to be beaten: grey, and whoever loses to it is told so. */
  readonly baseline?: boolean;
}

/** Models by negative log-likelihood, the best one on top; the kind of each number is its colour and its sign. */
export function ladder(rungs: readonly Rung[], options: ChartOptions & { readonly digits?: number } = {}): void {
  checkRungs(rungs);
  const sorted = [...rungs].sort((a, b) => a.nats - b.nats);
  const kinds = [...new Set(sorted.map(groupOf))].sort((a, b) => rank(a) - rank(b));
  const traces = kinds.map((kind) => bars(kind, sorted));
  const longest = Math.max(...sorted.map(({ nats, error = 0 }) => nats + error));
  const margin = sorted.some((rung) => beatenBy(rung, sorted)) ? 1.5 : 1.2;
  const layout = {
    xaxis: { title: 'nats per example (smaller is better)', range: [0, longest * margin] },
    yaxis: { ...CATEGORIES, categoryarray: sorted.map((rung) => rung.name), range: [sorted.length - 0.5, -0.5] },
    annotations: sorted.map((rung, i) => value(rung, i, options.digits ?? 1, beatenBy(rung, sorted))),
    barmode: 'overlay',
    showlegend: true,
  };
  const height = 34 * sorted.length + (options.title ? 130 : 105);
  show({ name: 'ladder', traces, layout }, { height, ...options });
}

const CATEGORIES = { type: 'category', categoryorder: 'array', showgrid: false, ticks: '', ticklabelstandoff: 6 };
const KINDS = ['exact', 'lower-bound', 'estimate', 'unnormalised']; // a colour each, the same in every ladder
const BASELINE = '#a0a4ab';
const SIGNS: Readonly<Record<string, string>> = { 'lower-bound': '≤ ', estimate: '≈ ' };

const kindOf = (rung: Rung): string => rung.kind ?? 'exact';
const groupOf = (rung: Rung): string => (rung.baseline ? 'baseline' : kindOf(rung));

/** The weakest baseline that is better than this model: the first one it has to beat. */
function beatenBy(rung: Rung, sorted: readonly Rung[]): Rung | undefined {
  if (rung.baseline) return undefined;
  return sorted.filter(({ baseline, nats }) => baseline && nats < rung.nats).at(-1);
}

const rank = (kind: string): number => (KINDS.includes(kind) ? KINDS.indexOf(kind) : KINDS.length);

function bars(kind: string, sorted: readonly Rung[]): Trace {
  const mine = sorted.filter((rung) => groupOf(rung) === kind);
  const errors = mine.some(({ error }) => error !== undefined);
  return {
    type: 'bar',
    orientation: 'h',
    name: kind === 'lower-bound' ? 'bound' : kind,
    x: mine.map(({ nats }) => nats),
    y: mine.map(({ name }) => name),
    marker: { color: kind === 'baseline' ? BASELINE : COLOURS[rank(kind)] },
    hovertemplate: '%{y}: %{x:.2f} nats<extra></extra>',
    ...(errors && {
      error_x: { type: 'data', array: mine.map(({ error }) => error ?? 0), color: '#808080', thickness: 1.5, width: 4 },
    }),
  };
}

/** A lower bound of the likelihood is an upper bound of its negative: the number is ≤ what is shown. */
function value(rung: Rung, i: number, digits: number, winner: Rung | undefined): object {
  const loses = winner ? ` loses to ${winner.name}` : '';
  const text = `${SIGNS[kindOf(rung)] ?? ''}${rung.nats.toFixed(digits)}${loses}`;
  return { text, x: rung.nats + (rung.error ?? 0), y: i, xanchor: 'left', xshift: 6 };
}

function checkRungs(rungs: readonly Rung[]): void {
  if (rungs.length === 0) throw new Error('ladder: there is nothing to draw: no rungs');
  rungs.forEach(({ name, nats, error = 0 }, i) => {
    if (!Number.isFinite(nats))
      throw new Error(`ladder: rung ${i} ("${name}") has ${nats} nats; a rung is a finite number`);
    if (!(error >= 0 && Number.isFinite(error)))
      throw new Error(`ladder: rung ${i} ("${name}"): error must be ≥ 0, got ${error}`);
    if (rungs.findIndex((rung) => rung.name === name) !== i)
      throw new Error(`ladder: two rungs have the name "${name}"; names must differ`);
  });
}
