/** What was asked of this kernel, for front ends that recall it: the protocol's history_request. */

/** The only one there is: a kernel remembers nothing of those before it. */
const SESSION = 1;
const MOST_CELLS = 10_000;

interface Past {
  readonly count: number;
  readonly code: string;
}

/** Fields of the request, as far as its kind of access has them. */
export interface HistoryRequest {
  readonly hist_access_type?: unknown;
  readonly output?: unknown;
  readonly n?: unknown;
  readonly session?: unknown;
  readonly start?: unknown;
  readonly stop?: unknown;
  readonly pattern?: unknown;
  readonly unique?: unknown;
}

export interface History {
  add(count: number, code: string): void;
  /** The content of the reply. */
  answer(request: HistoryRequest): object;
}

export function createHistory(): History {
  const cells: Past[] = [];
  return {
    add(count, code) {
      cells.push({ count, code });
      if (cells.length > MOST_CELLS) cells.shift();
    },
    answer(request) {
      const shown = chosen(cells, request);
      // Outputs are not kept; their place is null then, as for a cell that had none.
      const entry = ({ count, code }: Past) => [SESSION, count, request.output === true ? [code, null] : code];
      return { status: 'ok', history: shown.map(entry) };
    },
  };
}

function chosen(cells: readonly Past[], request: HistoryRequest): readonly Past[] {
  const { hist_access_type: access } = request;
  if (access === 'range') return inRange(cells, request);
  if (access === 'search') return last(found(cells, request), request.n);
  return last(cells, request.n);
}

/** The last n; all, when no number is given. */
function last(cells: readonly Past[], n: unknown): readonly Past[] {
  return typeof n === 'number' ? cells.slice(Math.max(0, cells.length - n)) : cells;
}

/** `stop` is not included; session 0 is the present one, and −1 one before, of which nothing is known. */
function inRange(cells: readonly Past[], { session = 0, start = 1, stop }: HistoryRequest): readonly Past[] {
  if (session !== 0 && session !== SESSION) return [];
  const from = typeof start === 'number' ? start : 1;
  const to = typeof stop === 'number' ? stop : Infinity;
  return cells.filter(({ count }) => count >= from && count < to);
}

function found(cells: readonly Past[], { pattern = '*', unique = false }: HistoryRequest): readonly Past[] {
  const expression = fromGlob(String(pattern));
  const matching = cells.filter(({ code }) => expression.test(code));
  if (unique !== true) return matching;
  return matching.filter(({ code }, i) => !matching.slice(i + 1).some((later) => later.code === code));
}

/** `*` is any text and `?` any character; all else stands for itself. */
function fromGlob(pattern: string): RegExp {
  const parts = Array.from(pattern, (c) =>
    c === '*' ? '.*' : c === '?' ? '.' : c.replace(/[\\^$.|+()[\]{}]/, '\\$&'),
  );
  return new RegExp(`^${parts.join('')}$`, 'su');
}
