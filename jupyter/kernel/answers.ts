/** Requests that the compiler answers, whatever the cells do meanwhile. */
import { toCodePoints, toCodeUnits } from '../format/cursor';
import type { Message } from '../client/messages';
import type { Session } from './cells';
import { describeThrown } from './errors';

interface CursorRequest {
  readonly code: string;
  readonly cursor_pos: number;
}

/** The content of the reply; null for a request of an unknown type. */
export function answerTo(session: Session, { header, content }: Message): object | null {
  const answer = answers[header.msg_type];
  if (!answer) return null;
  try {
    return answer(session, content as unknown as CursorRequest);
  } catch (error) {
    return { status: 'error', ...describeThrown(error) };
  }
}

const answers: Readonly<Record<string, (session: Session, request: CursorRequest) => object>> = {
  complete_request: completion,
  inspect_request: inspection,
  is_complete_request: completeness,
};

function completion(session: Session, { code, cursor_pos }: CursorRequest): object {
  const { candidates, start, end } = session.complete(code, toCodeUnits(code, cursor_pos));
  const range = { cursor_start: toCodePoints(code, start), cursor_end: toCodePoints(code, end) };
  return { status: 'ok', matches: candidates, ...range, metadata: {} };
}

function inspection(session: Session, { code, cursor_pos }: CursorRequest): object {
  const text = session.inspect(code, toCodeUnits(code, cursor_pos));
  const data = text === null ? {} : { 'text/plain': text };
  return { status: 'ok', found: text !== null, data, metadata: {} };
}

function completeness(session: Session, { code }: CursorRequest): object {
  const { completed, indent = '' } = session.isComplete(code);
  return completed ? { status: 'complete' } : { status: 'incomplete', indent };
}
