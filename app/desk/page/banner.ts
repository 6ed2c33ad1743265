/** What the reader must know before anything else, and what to do about it; nothing, when all is well. */
import { button, element } from './elements';

interface Trouble {
  /** What happened and what helps. */
  readonly text: string;
  readonly remedy?: { readonly label: string; act(): unknown };
}

export interface Banner {
  readonly node: HTMLElement;
  /** One trouble of each kind at a time; the same one again changes nothing. */
  show(kind: string, trouble: Trouble): void;
  hide(kind: string): void;
}

export function createBanner(): Banner {
  const node = element('div', { class: 'dgm-banner', role: 'alert' });
  const shown = new Map<string, { readonly text: string; readonly line: HTMLElement }>();

  function hide(kind: string): void {
    shown.get(kind)?.line.remove();
    shown.delete(kind);
  }

  function show(kind: string, { text, remedy }: Trouble): void {
    if (shown.get(kind)?.text === text) return;
    hide(kind);
    const line = element('p', {}, text);
    if (remedy) line.append(button({}, remedy.act, remedy.label));
    shown.set(kind, { text, line });
    node.append(line);
  }

  return { node, show, hide };
}
