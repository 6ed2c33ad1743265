/** Questions of the page to its server that JupyterLab does not ask. */
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { ChapterProgress, Execution } from '../protocol';
import type { Banner } from './banner';

const address = (...path: string[]): string => URLExt.join(PageConfig.getBaseUrl(), 'api', ...path);

export const getChapters = (): Promise<ChapterProgress[]> => get(address('desk', 'chapters'));

export const getExecutions = (kernel: string): Promise<Execution[]> =>
  get(address('desk', 'executions', encodeURIComponent(kernel)));

/** Of a notebook as one HTML page. */
export const pageAddress = (path: string): string =>
  URLExt.join(PageConfig.getBaseUrl(), 'pages', URLExt.encodeParts(path.replace(/\.ipynb$/, '.html')));

async function get<T>(url: string): Promise<T> {
  const response = await fetch(url, { cache: 'no-store' });
  if (!response.ok) throw new Error(await reasonOf(response));
  return (await response.json()) as T;
}

async function reasonOf(response: Response): Promise<string> {
  const { message } = (await response.json().catch(() => ({}))) as { message?: string };
  return message ?? `the server answered ${response.status}`;
}

const BEAT = 5000; // milliseconds

export interface ServerWatch {
  /** Asks now; what is wrong stands in the banner. */
  isThere(): Promise<boolean>;
  /** Called when it is there again. */
  onBack(listener: () => void): void;
}

/** Asks now and then whether the server is still there and still knows us; says in the banner when it is not. */
export function watchServer(banner: Banner): ServerWatch {
  const listeners: (() => void)[] = [];
  let gone = false;

  async function isThere(): Promise<boolean> {
    const trouble = await troubleOf();
    if (trouble !== undefined) banner.show('server', { text: trouble });
    else banner.hide('server');
    const isBack = gone && trouble === undefined;
    gone = trouble !== undefined;
    if (isBack) for (const listener of listeners) listener();
    return !gone;
  }

  const beat = async (): Promise<void> => {
    if (!document.hidden) await isThere();
    setTimeout(() => void beat(), BEAT);
  };
  void beat();
  return { isThere, onBack: (listener) => void listeners.push(listener) };
}

async function troubleOf(): Promise<string | undefined> {
  const response = await fetch(address('status'), { cache: 'no-store' }).catch(() => undefined);
  if (response === undefined)
    return (
      'The workbook has stopped, or this computer was asleep. If this does not go away: start it again with ' +
      '"npm start" and open the address that it prints. Leave this page open until then: it has what you have not saved.'
    );
  if (response.status === 401 || response.status === 403)
    return `The workbook does not know this page: ${await reasonOf(response)}.`;
  return response.ok ? undefined : `The workbook has a problem: ${await reasonOf(response)}.`;
}
