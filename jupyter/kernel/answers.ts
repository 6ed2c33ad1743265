/** Requests that the compiler answers, whatever the cells do meanwhile. */
import { toCodePoints, toCodeUnits } from '../format/cursor';
import type { Message } from '../client/messages';
import type { CellRunner } from './cells';
import { describeThrown } from './errors';

interface CursorRequest {
  readonly code: string;
  readonly cursor_pos: number;
}

/** The content of the reply; null for a request of an unknown type. */
export function answerTo(cells: CellRunner, { header, content }: Message): object | null {
  const answer = answers[header.msg_type];
  if (!answer) return null;
  try {
    return answer(cells, content as unknown as CursorRequest);
  } catch (error) {
    return { status: 'error', ...describeThrown(error) };
  }
}

const answers: Readonly<Record<string, (cells: CellRunner, request: CursorRequest) => object>> = {
  complete_request: completion,
  inspect_request: inspection,
  is_complete_request: completeness,
};

function completion(cells: CellRunner, { code, cursor_pos }: CursorRequest): object {
  const { candidates, start, end } = cells.complete(code, toCodeUnits(code, cursor_pos));
  const range = { cursor_start: toCodePoints(code, start), cursor_end: toCodePoints(code, end) };
  return { status: 'ok', matches: candidates, ...range, metadata: {} };
}

function inspection(cells: CellRunner, { code, cursor_pos }: CursorRequest): object {
  const text = cells.inspect(code, toCodeUnits(code, cursor_pos));
  const data = text === null ? {} : { 'text/plain': text };
  return { status: 'ok', found: text !== null, data, metadata: {} };
}

function completeness(cells: CellRunner, { code }: CursorRequest): object {
  const { status, indent } = cells.completeness(code);
  return status === 'incomplete' ? { status, indent } : { status };
}
