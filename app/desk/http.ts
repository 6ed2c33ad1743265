/** HTTP as the desk speaks it: JSON in and out, and errors with a status. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename } from 'node:path';

/** A refusal: the status, and the reason that the page shows. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** What the system's errors mean, for programs and for readers. */
const MEANINGS: Readonly<Record<string, readonly [status: number, meaning: string]>> = {
  ENOENT: [404, 'there is no such file; choose a chapter from the list'],
  ENOTDIR: [404, 'there is no such folder'],
  EEXIST: [409, 'there is a file of this name already'],
  EISDIR: [400, 'this is a folder, not a file'],
  ENOTEMPTY: [400, 'the folder is not empty'],
  ENAMETOOLONG: [400, 'the name is too long'],
  EACCES: [403, 'this file may not be read or written: look at its permissions'],
  EPERM: [403, 'this file may not be read or written: look at its permissions'],
  EROFS: [403, 'the disk may only be read'],
  ENOSPC: [507, 'the disk is full: make room, and save again'],
};

/** What an error means to who asked. */
export function refusalOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  const { code = '', path, message } = error as NodeJS.ErrnoException;
  const known = MEANINGS[code];
  if (!known) return new HttpError(500, message ?? String(error));
  return new HttpError(known[0], `${path === undefined ? '' : `${basename(path)}: `}${known[1]}`);
}

/** For `catch`: a file that is not there is no error. */
export function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

export function sendJson(response: ServerResponse, status: number, value?: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
  response.end(value === undefined ? undefined : JSON.stringify(value));
}

export type Json = Readonly<Record<string, unknown>>;

/** A notebook with many figures has some ten MiB. */
export const LARGEST_BODY = 64 * 2 ** 20;

/**
 * The body as a JSON object; an empty one is an empty object.
 * @throws HttpError 413 when it is too long, 400 when it is something else
 */
export async function readJson(request: IncomingMessage): Promise<Json> {
  if (Number(request.headers['content-length'] ?? 0) > LARGEST_BODY) throw tooLong();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > LARGEST_BODY) throw tooLong();
    chunks.push(chunk as Buffer);
  }
  return parseObject(Buffer.concat(chunks).toString());
}

function tooLong(): HttpError {
  return new HttpError(413, `the body is longer than ${LARGEST_BODY / 2 ** 20} MiB; clear outputs and save again`);
}

function parseObject(text: string): Json {
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HttpError(400, `the body is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new HttpError(400, 'the body must be a JSON object');
  return value as Json;
}

/** A text of a body. @throws HttpError 400 when it is none */
export function textIn(body: Json, name: string): string {
  const value = body[name];
  if (typeof value !== 'string') throw new HttpError(400, `${name}: expected a text, got ${JSON.stringify(value)}`);
  return value;
}
