/** The headings of the notebook that is open, below its chapter on the left: each leads to its cell. */
import type { NotebookPanel } from '@jupyterlab/notebook';
import { button, element } from './elements';

interface Heading {
  /** 2 or 3: the title is the chapter's own, and what is smaller leads nowhere. */
  readonly level: number;
  readonly text: string;
}

export function createOutline(): HTMLElement {
  return element('ol', { class: 'dgm-outline', 'aria-label': 'In this notebook' });
}

/** Fills the outline, now and whenever the notebook's text changes. */
export function showOutline(node: HTMLElement, { content }: NotebookPanel): void {
  let shown = '';
  const show = (): void => {
    const found = content.widgets.flatMap((cell, at) =>
      cell.model.type === 'markdown'
        ? headingsIn(cell.model.sharedModel.getSource()).map((one) => ({ ...one, at }))
        : [],
    );
    const now = JSON.stringify(found);
    if (now === shown) return;
    shown = now;
    node.replaceChildren(...found.map(({ level, text, at }) => item(level, text, () => lead(at))));
  };
  const lead = (at: number): void => {
    content.deselectAll();
    content.activeCellIndex = at;
    content.mode = 'command';
    void content.scrollToItem(at, 'start');
    content.node.focus();
  };
  content.modelContentChanged.connect(show);
  show();
}

function item(level: number, text: string, onClick: () => void): HTMLElement {
  return element('li', { 'data-level': String(level) }, button({ title: text }, onClick, text));
}

/** Headings as lines that begin with # outside of blocks of code; formulas and marks as they are written. */
function headingsIn(source: string): Heading[] {
  const found: Heading[] = [];
  let fence: string | undefined;
  for (const line of source.split('\n')) {
    const mark = /^\s{0,3}(```+|~~~+)/.exec(line)?.[1];
    if (mark !== undefined && fence === undefined) fence = mark;
    else if (mark !== undefined && fence !== undefined && mark.startsWith(fence)) fence = undefined;
    const heading = fence === undefined ? /^(#{2,3})\s+(.+?)\s*#*\s*$/.exec(line) : null;
    if (heading) found.push({ level: heading[1]!.length, text: heading[2]!.replace(/[*`$]/g, '') });
  }
  return found;
}
