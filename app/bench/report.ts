/** What the measurements say: rows of a table on stdout, and JSON. */
import { isAbsent, type Absent, type Contestant, type Result } from './contestant';
import { geometricMean, median, number, rounded } from './base/numbers';

/** One configuration; times in milliseconds for one step, null where nobody measured. */
export interface Entry {
  readonly name: string;
  /** The better of our thread counts. */
  readonly ours_ms: number;
  /** PyTorch's better one. */
  readonly torch_ms: number | null;
  /** The same code on TensorFlow.js' own backends. */
  readonly wasm_ms: number | null;
  readonly node_ms: number | null;
  /** How many of them `ours_ms` took. */
  readonly threads: number;
  readonly torch_threads: number | null;
  /** torch_ms / ours_ms: above 1 is faster than PyTorch. */
  readonly vs_torch: number | null;
  /** Our first step, which traces and compiles. */
  readonly first_ms: number;
  /** The most memory that the process had, in MiB. */
  readonly ours_mib: number | null;
  readonly torch_mib: number | null;
  readonly parameters: number;
  readonly notes: readonly string[];
}

/** The better thread count of one engine. */
export function best(results: readonly (Result | Absent)[], engine: Result['engine']): Result | undefined {
  const present = results.filter((result): result is Result => result.engine === engine && !isAbsent(result));
  return present.sort((a, b) => median(a.ms) - median(b.ms))[0];
}

export function entryOf(name: string, results: readonly (Result | Absent)[]): Entry {
  const [ours, torch, wasm, node] = (['compiled', 'torch', 'wasm', 'tensorflow'] as const).map((engine) =>
    best(results, engine),
  );
  if (!ours) throw new Error(`bench: ${name}: ${results.find(isAbsent)?.error}`);
  if (torch && torch.parameters !== ours.parameters)
    throw new Error(`bench: ${name} has ${ours.parameters} parameters here, but ${torch.parameters} in PyTorch`);
  const ms = (result: Result | undefined) => (result ? rounded(median(result.ms)) : null);
  return {
    name,
    ours_ms: ms(ours)!,
    torch_ms: ms(torch),
    wasm_ms: ms(wasm),
    node_ms: ms(node),
    threads: ours.threads,
    torch_threads: torch?.threads ?? null,
    vs_torch: torch ? rounded(median(torch.ms) / median(ours.ms)) : null,
    first_ms: rounded(ours.firstMs),
    ours_mib: ours.peakMiB && Math.round(ours.peakMiB),
    torch_mib: torch?.peakMiB ? Math.round(torch.peakMiB) : null,
    parameters: ours.parameters,
    notes: results.filter(isAbsent).map(({ engine, error }) => `${engine}: ${error}`),
  };
}

/** The mean of `vs_torch` over the entries that have it. */
export function geomeanVsTorch(entries: readonly Entry[]): number | null {
  const mean = geometricMean(entries.flatMap(({ vs_torch }) => vs_torch ?? []));
  return mean && rounded(mean);
}

// The table, in Markdown, printed row by row as the measurements come in

interface Column {
  readonly title: string;
  cell(entry: Entry, results: readonly (Result | Absent)[]): string;
}

/** The columns for these thread counts; those of PyTorch and of the eager backends only where they take part. */
export function columnsFor(contestants: readonly Contestant[]): readonly Column[] {
  const has = (engine: Contestant['engine']) => contestants.some((contestant) => contestant.engine === engine);
  const each = (engine: Contestant['engine'], label: string): Column[] =>
    contestants
      .filter((contestant) => contestant.engine === engine)
      .map(({ threads }) => ({
        title: `${label} ×${threads}`,
        cell: (_, results) => {
          const found = results.find((result) => result.engine === engine && result.threads === threads);
          return found && !isAbsent(found) ? number(median(found.ms)) : '–';
        },
      }));
  const only = (condition: boolean, ...columns: readonly Column[]) => (condition ? columns : []);
  return [
    { title: 'ms per step', cell: ({ name }) => name },
    ...each('compiled', 'here'),
    ...each('torch', 'PyTorch'),
    ...only(has('torch'), { title: 'times as fast', cell: ({ vs_torch }) => number(vs_torch) }),
    ...only(has('wasm'), { title: 'tfjs wasm', cell: ({ wasm_ms }) => number(wasm_ms) }),
    ...only(has('tensorflow'), { title: 'tfjs-node', cell: ({ node_ms }) => number(node_ms) }),
    { title: 'first step', cell: ({ first_ms }) => number(first_ms) },
    { title: 'MiB here', cell: ({ ours_mib }) => number(ours_mib) },
    ...only(has('torch'), { title: 'MiB PyTorch', cell: ({ torch_mib }) => number(torch_mib) }),
  ];
}

const FIRST_WIDTH = 16;

/** Cells under their titles: the first to the left, numbers to the right. */
export function tableRow(cells: readonly string[], titles: readonly string[]): string {
  const padded = cells.map((cell, i) => (i === 0 ? cell.padEnd(FIRST_WIDTH) : cell.padStart(titles[i]!.length)));
  return `| ${padded.join(' | ')} |`;
}

export function tableHead(titles: readonly string[]): string {
  const rule = titles.map((title, i) => (i === 0 ? '-'.repeat(FIRST_WIDTH) : `${'-'.repeat(title.length - 1)}:`));
  return `${tableRow(titles, titles)}\n| ${rule.join(' | ')} |`;
}
