/** Whether all is saved and what the kernel does, in the page's head line and its title; a kernel that died, in the banner. */
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Banner } from './banner';
import { element } from './elements';
import { isDead, isGone, restart } from './kernel';

const LABELS: Readonly<Record<string, string>> = {
  idle: 'idle',
  busy: 'busy',
  starting: 'starting',
  initializing: 'starting',
  connecting: 'connecting',
  restarting: 'restarting',
  autorestarting: 'restarting',
  terminating: 'ending',
  dead: 'dead',
  disconnected: 'not connected',
  unknown: 'none',
};

export function createStatus(panel: NotebookPanel, banner: Banner): HTMLElement {
  const { sessionContext, context } = panel;
  const word = element('span', {});
  const kernel = element('span', { class: 'dgm-status', role: 'status' }, element('span', {}, 'Kernel: '), word);
  const saved = element('span', { class: 'dgm-saved' });
  const title = document.title;

  const show = (): void => {
    const state = isDead(sessionContext) ? 'dead' : (LABELS[sessionContext.kernelDisplayStatus] ?? 'starting');
    kernel.dataset['state'] = state;
    saved.textContent = context.model.dirty ? 'not saved yet' : 'saved';
    if (word.textContent !== state) word.textContent = state;
    document.title = `${context.model.dirty ? '• ' : ''}${state === 'busy' ? 'running: ' : ''}${title}`;
    if (state === 'dead') banner.show('kernel', trouble(panel, DIED));
    else if (isGone(sessionContext)) banner.show('kernel', trouble(panel, GONE));
    else banner.hide('kernel');
  };
  sessionContext.statusChanged.connect(show);
  sessionContext.connectionStatusChanged.connect(show);
  sessionContext.kernelChanged.connect(show);
  context.model.stateChanged.connect(show);
  show();
  return element('span', { class: 'dgm-facts' }, saved, kernel);
}

const DIED = 'The kernel has died, and its variables with it; the cell that ran says why. Your text is safe.';
const GONE = 'The workbook was started again: the kernel of this page is gone, with its variables. Your text is safe.';

function trouble({ sessionContext }: NotebookPanel, text: string) {
  return {
    text,
    remedy: { label: 'Restart the kernel', act: () => restart(sessionContext) },
  };
}
