/** The keys of a notebook, in a window that opens with H: made from the commands, so that none is missing. */
import { button, element } from './elements';

interface KeyRow {
  readonly label: string;
  /** As Lumino writes them: `Accel S`, or `I, I` for one after the other. */
  readonly keys: readonly string[];
}

export interface KeyGroup {
  readonly title: string;
  readonly rows: readonly KeyRow[];
}

export function showKeys(groups: readonly KeyGroup[]): void {
  const close = button({}, () => dialog.close(), 'Close');
  const head = element('div', { class: 'dgm-keys-head' }, element('h2', { id: 'dgm-keys-title' }, 'Keys'), close);
  const dialog = element(
    'dialog',
    { class: 'dgm-keys', 'aria-labelledby': 'dgm-keys-title' },
    head,
    ...groups.map(section),
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function section({ title, rows }: KeyGroup): HTMLElement {
  const lines = rows.map(({ label, keys }) =>
    element('tr', {}, element('th', { scope: 'row' }, label), element('td', {}, ...keys.flatMap(written))),
  );
  return element('section', {}, element('h3', {}, title), element('table', {}, element('tbody', {}, ...lines)));
}

const isMac = (): boolean => navigator.platform.startsWith('Mac');

/** `Accel Shift Z` as caps of keys; other keys for the same thing after "or". */
function written(keys: string, i: number): (Node | string)[] {
  const caps = keys.split(/[ ,]+/).map((name) => element('kbd', {}, nameOf(name)));
  return [...(i > 0 ? [' or '] : []), ...caps.flatMap((cap, at) => (at > 0 ? [' ', cap] : [cap]))];
}

function nameOf(key: string): string {
  if (key === 'Accel') return isMac() ? '⌘' : 'Ctrl';
  return ({ ArrowUp: '↑', ArrowDown: '↓', Escape: 'Esc' } as Readonly<Record<string, string>>)[key] ?? key;
}
