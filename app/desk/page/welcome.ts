/** The first page: what this is, where to begin or to go on, what the marks mean, and where help is. */
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { ChapterProgress } from '../protocol';
import { element } from './elements';
import { lastOpened } from './last-opened';
import { getChapters } from './server';
import { welcomePicture } from './welcome-picture';

export function createWelcome(): HTMLElement {
  const start = element('div', { class: 'dgm-start', role: 'status' });
  void showStart(start);
  return element(
    'article',
    { class: 'dgm-welcome' },
    element('h1', {}, 'Deep generative models'),
    element(
      'p',
      {},
      'A workbook. Each chapter takes one family of models from its formula to samples, in TypeScript that runs on ' +
        'this computer: you read, run cells, and write the functions that matter yourself.',
    ),
    start,
    welcomePicture(),
    ...HOW,
  );
}

/** Asks how far the reader has come. */
async function showStart(node: HTMLElement): Promise<void> {
  try {
    node.replaceChildren(...startOf(await getChapters()));
  } catch (error) {
    node.replaceChildren(element('p', {}, `The chapters cannot be listed: ${(error as Error).message}`));
  }
}

function startOf(chapters: readonly ChapterProgress[]): Node[] {
  const [first] = chapters;
  if (!first) return [element('p', {}, 'There is no notebook in the folder notebooks/ yet.')];
  const last = lastOpened();
  const opened = chapters.find(({ path }) => path === last?.path);
  const tried = chapters.filter(({ exercises }) => exercises.some(({ state }) => state !== 'open')).at(-1);
  const current = opened ?? tried;
  if (!current) return [link(first, `Begin with ${first.title}`)];
  const when = opened && last ? [`opened ${dateText(last.at)}`] : [];
  const next = isDone(current) ? chapters[chapters.indexOf(current) + 1] : undefined;
  return [
    link(current, `Go on with ${current.title}`),
    element('p', {}, [countText(current), ...when].filter((text) => text !== '').join(', ')),
    ...(next ? [link(next, `Next: ${next.title}`)] : []),
  ];
}

const passedIn = ({ exercises }: ChapterProgress): number => exercises.filter(({ state }) => state === 'passed').length;
const isDone = (chapter: ChapterProgress): boolean => passedIn(chapter) === chapter.exercises.length;

function countText(chapter: ChapterProgress): string {
  const all = chapter.exercises.length;
  return all === 0 ? '' : `${passedIn(chapter)} of ${all} exercises passed`;
}

const dateText = (at: number): string =>
  new Date(at).toLocaleString('en-GB', { day: 'numeric', month: 'long', hour: '2-digit', minute: '2-digit' });

function link({ path }: ChapterProgress, text: string): HTMLElement {
  const href = URLExt.join(PageConfig.getBaseUrl(), 'notebooks', URLExt.encodeParts(path));
  return element('a', { href, class: 'dgm-go' }, text);
}

const key = (text: string) => element('kbd', {}, text);
const code = (text: string) => element('code', {}, text);
const mark = (state: string, text: string) => element('b', { class: 'dgm-mark', 'data-state': state }, text);
const list = (...items: (readonly (Node | string)[])[]) =>
  element('ul', {}, ...items.map((item) => element('li', {}, ...item)));

const HOW: readonly HTMLElement[] = [
  element('h2', {}, 'How it works'),
  list(
    [key('Shift'), ' ', key('Enter'), ' runs a cell. A cell knows what the cells that ran before it have declared.'],
    [
      'An exercise is a function that you write. The cell below it checks it: ',
      mark('passed', '✓'),
      ' holds, ',
      mark('failed', '✗'),
      ' does not hold yet, and says what was expected and what came, ',
      mark('open', '○'),
      ' was not reached. Each new try that fails opens a hint.',
    ],
    ['Below each chapter on the left stands how many of its exercises have passed.'],
    ['Stop ends what runs, and a training keeps its best weights. Restart begins with nothing. Both keep your text.'],
    ['What you write is saved every half minute, into the folder ', code('notebooks'), '.'],
  ),
  element('h2', {}, 'Help'),
  list(
    [key('Tab'), ' completes a name, ', key('Shift'), ' ', key('Tab'), ' says what a function takes.'],
    ['A cell ', code('?fit'), ' says what is known of ', code('fit'), '; a cell ', code('?'), ' lists your variables.'],
    ['Hints of an exercise: a cell with ', code("await hint('…')"), ', as chapter 0 shows.'],
    ['When something does not start, ', code('npm run doctor'), ' in a terminal says what is missing, and the remedy.'],
  ),
];
