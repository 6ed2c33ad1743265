/** The list of chapters, and how far the reader has come in each. */
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { ChapterProgress } from '../protocol';
import { element } from './elements';
import { getChapters } from './server';

export interface Chapters {
  readonly node: HTMLElement;
  /** Asks the server again: a check has run. */
  refresh(): Promise<void>;
}

/**
 * @param current the path of the notebook that is open; empty for none
 * @param outline of that notebook: stands below its chapter
 */
export function createChapters(current: string, outline: HTMLElement): Chapters {
  const list = element('ol', { class: 'dgm-chapters' });
  const node = element('nav', { id: 'dgm-chapters', 'aria-label': 'Chapters' }, list);

  const item = (chapter: ChapterProgress): HTMLElement[] =>
    chapter.path === current ? [link(chapter, current), outline] : [link(chapter, current)];

  async function refresh(): Promise<void> {
    try {
      const chapters = await getChapters();
      list.replaceChildren(...chapters.map((chapter) => element('li', {}, ...item(chapter))));
    } catch (error) {
      if (list.childElementCount === 0)
        list.replaceChildren(element('li', {}, `The chapters cannot be listed: ${(error as Error).message}`));
    }
  }

  window.addEventListener('focus', () => void refresh()); // the grader may have run elsewhere
  return { node, refresh };
}

function link({ title, path, exercises }: ChapterProgress, current: string): HTMLElement {
  const passed = exercises.filter(({ state }) => state === 'passed').length;
  const href = URLExt.join(PageConfig.getBaseUrl(), 'notebooks', URLExt.encodeParts(path));
  const here: Record<string, string> = path === current ? { 'aria-current': 'page' } : {};
  const children: Node[] = [element('span', { class: 'dgm-title' }, title)];
  if (exercises.length > 0) children.push(...progress(passed, exercises.length));
  return element('a', { href, ...here }, ...children);
}

function progress(passed: number, all: number): Node[] {
  const label = `${passed} of ${all} exercises passed`;
  const bar = element('progress', { value: String(passed), max: String(all), 'aria-label': label });
  return [element('span', { class: 'dgm-count', title: label }, `${passed} / ${all}`), bar];
}
