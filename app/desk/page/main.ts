/** The desk's page: chapters on the left, one notebook on the right. */
import '@jupyterlab/notebook/style/index.js';
import '@jupyterlab/completer/style/index.js';
import '@jupyterlab/mathjax-extension/style/index.js';
import '@jupyterlab/tooltip/style/index.js';
import './page.css';
import { PageConfig } from '@jupyterlab/coreutils';
import { NotebookActions, type NotebookPanel, runCell, setCellExecutor } from '@jupyterlab/notebook';
import { ServiceManager } from '@jupyterlab/services';
import { BoxPanel, Widget } from '@lumino/widgets';
import { type Appearance, createAppearance } from './appearance';
import { type Banner, createBanner } from './banner';
import { type Chapters, createChapters } from './chapters';
import { createCommands } from './commands';
import { createEditors } from './editors';
import { button, element } from './elements';
import { createCompletion, createSignatures } from './help';
import { noteOpened } from './last-opened';
import { guardChanges, ignoreKernelFacts, labelCells, openNotebook } from './notebook';
import { createOutline, showOutline } from './outline';
import { prepareFigures } from './plotly';
import { createRendering } from './rendering';
import { replay } from './replay';
import { createSaving } from './saving';
import { watchServer } from './server';
import { createStatus } from './status';
import { showTimes } from './timing';
import { createToolbar } from './toolbar';
import { createWelcome } from './welcome';

setCellExecutor({ runCell });

const COURSE = 'Deep generative models';

async function main(): Promise<void> {
  const path = PageConfig.getOption('notebookPath');
  const outline = createOutline();
  const chapters = createChapters(path, outline);
  const parts = { appearance: createAppearance(), banner: createBanner(), chapters, outline };
  const { head, body } = frame(parts);
  void parts.chapters.refresh();
  if (path === '') {
    watchServer(parts.banner).onBack(() => void parts.chapters.refresh());
    body.append(createWelcome());
  } else {
    await showNotebook(path, parts, head, body);
  }
}

interface Parts {
  readonly appearance: Appearance;
  readonly banner: Banner;
  readonly chapters: Chapters;
  readonly outline: HTMLElement;
}

/** Landmarks: head line, chapters, notebook. */
function frame({ appearance, banner, chapters }: Parts) {
  const home = element('a', { href: PageConfig.getBaseUrl(), class: 'dgm-course' }, COURSE);
  const head = element('header', {}, chaptersSwitch(), home, appearance.node);
  const body = element('main', { id: 'dgm-main', tabindex: '-1' });
  const skip = element('a', { href: '#dgm-main', class: 'dgm-skip' }, 'Skip to the notebook');
  document.body.classList.add('jp-ThemedContainer');
  document.body.append(skip, head, banner.node, chapters.node, body);
  return { head, body };
}

/** Where the window is narrow, the chapters are hidden until asked for. */
function chaptersSwitch(): HTMLElement {
  const node = button(
    { class: 'dgm-menu', 'aria-controls': 'dgm-chapters', 'aria-expanded': 'false' },
    () => {
      const open = document.body.classList.toggle('dgm-open');
      node.setAttribute('aria-expanded', String(open));
    },
    'Chapters',
  );
  return node;
}

async function showNotebook(
  path: string,
  { appearance, banner, chapters, outline }: Parts,
  head: HTMLElement,
  body: HTMLElement,
) {
  const services = new ServiceManager();
  const editors = createEditors();
  const rendermime = createRendering(editors.languages, appearance);
  const panel = openNotebook(path, { services, rendermime, editors });
  ignoreKernelFacts(panel);
  replay(panel, () => void chapters.refresh());
  const server = watchServer(banner);
  server.onBack(() => void reconnect(panel, chapters));
  showTimes(panel);
  await panel.context.ready;
  noteOpened(path);
  labelCells(panel);
  showOutline(outline, panel);
  guardChanges(panel);
  const help = { completion: createCompletion(panel), signatures: createSignatures(panel, rendermime) };
  const commands = createCommands(panel, createSaving(panel, server), help);
  head.insertBefore(createStatus(panel, banner), appearance.node);
  const host = element('div', { class: 'dgm-notebook' });
  body.append(createToolbar(panel, commands), host);
  attach(panel, host);
  NotebookActions.executionScheduled.connect(prepareFigures);
  NotebookActions.executed.connect((_, { cell }) => {
    if (cell.model.getMetadata('dgm') !== undefined) void chapters.refresh();
  });
}

async function reconnect(panel: NotebookPanel, chapters: Chapters): Promise<void> {
  const kernel = panel.sessionContext.session?.kernel;
  if (kernel?.connectionStatus === 'disconnected') await kernel.reconnect();
  await chapters.refresh();
}

function attach(panel: NotebookPanel, host: HTMLElement): void {
  panel.toolbar.hide(); // the page has its own
  const box = new BoxPanel({ spacing: 0 });
  box.addWidget(panel);
  Widget.attach(box, host);
  new ResizeObserver(() => box.update()).observe(host);
}

void main();
