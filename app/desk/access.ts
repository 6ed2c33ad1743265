/**
 * Who may come in: a browser of this machine that was given the token, on a page of ours. The address is open to
 * every program of the machine and, through a browser, to every page of the web; so each request must name us as its
 * host (no foreign name that leads here), come from no other page, and prove that it knows the token.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { HttpError } from './http';

export interface Access {
  readonly token: string;
  /** For `Set-Cookie`: no script reads it, no other site's page sends it. */
  readonly cookie: string;
  /** @throws HttpError 403 for a foreign host or page, 401 without the token */
  check(request: IncomingMessage): void;
}

/** @param port cookies know no ports: its number in the name keeps two workbooks apart */
export function createAccess(port: number, token = randomBytes(32).toString('base64url')): Access {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  const name = `dgm-desk-${port}`;

  function check(request: IncomingMessage): void {
    const { host, origin } = request.headers;
    if (!hosts.includes(host ?? ''))
      throw new HttpError(403, `this is the workbook at http://${hosts[0]}, not at ${JSON.stringify(host ?? '')}`);
    if (origin !== undefined && origin !== `http://${host}`)
      throw new HttpError(403, 'requests from other pages are refused');
    const explicit = [fromHeader(request), fromQuery(request)].some((given) => same(given, token));
    if (!explicit && !same(fromCookie(request, name), token)) throw new HttpError(401, NO_TOKEN);
    // The browser adds the cookie by itself, whoever asks; so what changes something must say that it is our page
    if (!explicit && origin === undefined && changesSomething(request))
      throw new HttpError(403, 'this request needs the header Origin, or the token in the header Authorization');
  }

  return { token, cookie: `${name}=${token}; HttpOnly; SameSite=Strict; Path=/`, check };
}

const NO_TOKEN = 'the token is missing or wrong: open the address that "npm start" has printed last';

/** WebSockets too, though their method is GET. */
function changesSomething({ method, headers }: IncomingMessage): boolean {
  return headers.upgrade !== undefined || (method !== 'GET' && method !== 'HEAD');
}

/** In a time that does not tell how much of it is right. */
function same(given: string | undefined, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

function fromHeader({ headers }: IncomingMessage): string | undefined {
  return /^(?:token|bearer) +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
}

function fromQuery({ url = '' }: IncomingMessage): string | undefined {
  return new URLSearchParams(url.split('?')[1]).get('token') ?? undefined;
}

function fromCookie({ headers }: IncomingMessage, name: string): string | undefined {
  const cookies = (headers.cookie ?? '').split(';').map((one) => one.trim());
  return cookies.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
}
