/** What each address of the desk answers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PLOTLY_FILE } from 'dgm/figures';
import type { Notebook } from 'dgm-jupyter';
import { chapterProgress } from './chapters';
import type { Contents } from './contents';
import { deskPage, FILE_POLICY, PAGE_POLICY, withoutToken } from './html';
import { HttpError, type Json, readJson, sendJson } from './http';
import { decodePath, fileAt } from './paths';
import { KERNEL_NAME } from './kernels';
import type { Sessions } from './sessions';
import { sendFile } from './static';

export interface Desk {
  /** Of the notebooks. */
  readonly folder: string;
  /** Of the page's files. */
  readonly bundle: string;
  readonly progressFile: string;
  readonly kernelSpec: Json;
  readonly contents: Contents;
  readonly sessions: Sessions;
  readonly started: string;
  /** With the token, for an address that had it. */
  readonly cookie: string;
}

/** One request: `path` holds what the address' pattern caught, decoded. */
interface Call {
  readonly desk: Desk;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Json;
}

/** What goes out as JSON; `undefined` when the handler has answered itself. */
type Answer = { readonly status: number; readonly value?: unknown } | undefined;
type Handler = (call: Call) => Answer | Promise<Answer>;

const ok = (value: unknown): Answer => ({ status: 200, value });
const created = (value: unknown): Answer => ({ status: 201, value });
const done: Answer = { status: 204 };

/** The first that fits; by method. Everything else is 404. */
const ROUTES: readonly (readonly [RegExp, Readonly<Record<string, Handler>>])[] = [
  [/^\/$/, { GET: page }],
  [/^\/notebooks\/(.+)$/, { GET: page }],
  [/^\/pages\/(.+)\.html$/, { GET: download }],
  [/^\/static\/plotly\.min\.js$/, { GET: plotly }],
  [new RegExp(`^/(?:nbextensions|lab/extensions)/${PLOTLY_FILE.replaceAll('.', '\\.')}$`), { GET: plotly }],
  [/^\/static\/(.+)$/, { GET: bundled }],
  [/^\/files\/(.+)$/, { GET: picture }],
  [/^\/api\/?$/, { GET: () => ok({ version: '2.0.0' }) }],
  [/^\/api\/status$/, { GET: status }],
  [/^\/api\/me$/, { GET: () => ok({ identity: READER, permissions: {} }) }],
  [/^\/api\/kernelspecs$/, { GET: ({ desk }) => ok({ default: KERNEL_NAME, kernelspecs: specs(desk) }) }],
  [/^\/api\/kernelspecs\/([^/]+)$/, { GET: kernelSpec }],
  [
    /^\/api\/kernels$/,
    {
      GET: ({ desk }) => ok(desk.sessions.kernels.list()),
      POST: async ({ desk, body }) => created(await desk.sessions.kernels.create(body)),
    },
  ],
  [
    /^\/api\/kernels\/([^/]+)$/,
    {
      GET: ({ desk, path }) => ok(desk.sessions.kernels.get(path[0]!).model()),
      DELETE: async ({ desk, path }) => (await desk.sessions.kernels.remove(path[0]!), done),
    },
  ],
  [/^\/api\/kernels\/([^/]+)\/interrupt$/, { POST: interrupt }],
  [/^\/api\/kernels\/([^/]+)\/restart$/, { POST: restart }],
  [
    /^\/api\/sessions$/,
    {
      GET: ({ desk }) => ok(desk.sessions.list()),
      POST: async ({ desk, body }) => created(await desk.sessions.create(body)),
    },
  ],
  [
    /^\/api\/sessions\/([^/]+)$/,
    {
      GET: ({ desk, path }) => ok(desk.sessions.get(path[0]!)),
      PATCH: async ({ desk, path, body }) => ok(await desk.sessions.change(path[0]!, body)),
      DELETE: async ({ desk, path }) => (await desk.sessions.remove(path[0]!), done),
    },
  ],
  [
    /^\/api\/contents\/(.+)\/checkpoints$/,
    {
      GET: async ({ desk, path }) => ok(await desk.contents.checkpoints.list(path[0]!)),
      POST: async ({ desk, path }) => created(await desk.contents.checkpoints.make(path[0]!)),
    },
  ],
  [
    /^\/api\/contents\/(.+)\/checkpoints\/([^/]+)$/,
    {
      POST: async ({ desk, path }) => (await desk.contents.checkpoints.restore(path[0]!, path[1]!), done),
      DELETE: async ({ desk, path }) => (await desk.contents.checkpoints.remove(path[0]!, path[1]!), done),
    },
  ],
  [
    /^\/api\/contents(?:\/(.*))?$/,
    {
      GET: contentsOf,
      PUT: save,
      POST: async ({ desk, path, body }) => created(await desk.contents.create(path[0]!, body)),
      PATCH: async ({ desk, path, body }) => ok(await desk.contents.rename(path[0]!, body)),
      DELETE: async ({ desk, path }) => (await desk.contents.remove(path[0]!), done),
    },
  ],
  [/^\/api\/desk\/chapters$/, { GET: async ({ desk }) => ok(await chapterProgress(desk.folder, desk.progressFile)) }],
  [
    /^\/api\/desk\/executions\/([^/]+)$/,
    { GET: ({ desk, path }) => ok(desk.sessions.kernels.get(path[0]!).executions()) },
  ],
];

/** Answers a request that may come in. @throws HttpError, or the file system's errors */
export async function answer(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [address = '', search] = (request.url ?? '').split('?');
  const { handlers, caught } = routeOf(address);
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
  const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
  if (!handler)
    throw new HttpError(405, `${request.method} is not for ${address}; ${Object.keys(handlers).join(', ')} is`);
  const path = caught.map(decodePath);
  const body = method === 'GET' ? {} : await readJson(request);
  const answered = await handler({ desk, request, response, path, query: new URLSearchParams(search), body });
  if (answered) sendJson(response, answered.status, answered.value);
}

function routeOf(address: string) {
  for (const [pattern, handlers] of ROUTES) {
    const found = pattern.exec(address);
    if (found) return { handlers, caught: found.slice(1).map((part) => part ?? '') };
  }
  throw new HttpError(404, `there is nothing at ${address}`);
}

// The page and its files

async function page({ desk, request, response, path, query }: Call): Promise<Answer> {
  const [notebook = ''] = path;
  if (notebook !== '') await desk.contents.get(notebook, { type: 'notebook' }); // with content: damage is said here
  const type = 'text/html; charset=utf-8';
  if (query.has('token')) {
    response.writeHead(200, { 'Content-Type': type, 'Set-Cookie': desk.cookie });
    response.end(withoutToken(request.url!.split('?')[0]!));
  } else {
    response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': PAGE_POLICY });
    response.end(deskPage(notebook));
  }
  return undefined;
}

/** The notebook as one page that opens anywhere; downloaded, since what runs in it must not run as a page of the desk. */
async function download({ desk, response, path }: Call): Promise<Answer> {
  const { content } = await desk.contents.get(`${path[0]!}.ipynb`, { type: 'notebook' });
  const { notebookPage } = await import('../pages/page.js'); // only who downloads waits for it
  const html = await notebookPage(content as Notebook, { folder: desk.folder });
  const name = encodeURIComponent(`${path[0]!.split('/').at(-1)!}.html`);
  response.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Disposition': `attachment; filename*=UTF-8''${name}`,
  });
  response.end(html);
  return undefined;
}

async function plotly({ request, response }: Call): Promise<Answer> {
  await sendFile(request, response, require.resolve('plotly.js-dist-min/plotly.min.js'));
  return undefined;
}

async function bundled({ desk, request, response, path }: Call): Promise<Answer> {
  await sendFile(request, response, await fileAt(desk.bundle, path[0]!));
  return undefined;
}

async function picture({ desk, request, response, path }: Call): Promise<Answer> {
  response.setHeader('Content-Security-Policy', FILE_POLICY);
  await sendFile(request, response, await fileAt(desk.folder, path[0]!));
  return undefined;
}

// What there is

const READER = { username: 'reader', name: 'Reader', display_name: 'Reader', initials: 'R', color: null };

function status({ desk }: Call): Answer {
  const kernels = desk.sessions.kernels.list();
  const activities = [desk.started, ...kernels.map(({ last_activity }) => last_activity)];
  const connections = kernels.reduce((sum, kernel) => sum + kernel.connections, 0);
  return ok({ started: desk.started, last_activity: activities.sort().at(-1), kernels: kernels.length, connections });
}

function specs({ kernelSpec: spec }: Desk): Json {
  return { [KERNEL_NAME]: { name: KERNEL_NAME, spec, resources: {} } };
}

function kernelSpec({ desk, path }: Call): Answer {
  if (path[0] !== KERNEL_NAME) throw new HttpError(404, `there is no kernel named ${JSON.stringify(path[0])}`);
  return ok(specs(desk)[KERNEL_NAME]);
}

// Kernels

async function interrupt({ desk, path }: Call): Promise<Answer> {
  await desk.sessions.kernels.get(path[0]!).interrupt();
  return done;
}

async function restart({ desk, path }: Call): Promise<Answer> {
  const kernel = desk.sessions.kernels.get(path[0]!);
  await kernel.restart();
  return ok(kernel.model());
}

// Notebooks and other files

async function contentsOf({ desk, path, query }: Call): Promise<Answer> {
  const [type, format] = [query.get('type'), query.get('format')];
  const options = { content: query.get('content') !== '0', hash: query.get('hash') === '1' };
  return ok(await desk.contents.get(path[0]!, { ...options, ...(type && { type }), ...(format && { format }) }));
}

async function save({ desk, path, body }: Call): Promise<Answer> {
  const { model, isNew, notebook } = await desk.contents.save(path[0]!, body);
  if (notebook) desk.sessions.saved(model.path, notebook.cells);
  return isNew ? created(model) : ok(model);
}
