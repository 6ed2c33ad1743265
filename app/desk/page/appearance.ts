/** Light and dark: as the system is set, until the reader chooses. */
import lightStyle from '@jupyterlab/theme-light-extension/style/theme.css';
import darkStyle from '@jupyterlab/theme-dark-extension/style/theme.css';
import { button } from './elements';

type Choice = 'system' | 'light' | 'dark';

export interface Appearance {
  /** For the page's head line. */
  readonly node: HTMLElement;
  /** Called after each change, whoever made it. */
  onChange(listener: () => void): void;
}

const KEY = 'dgm-appearance';
const NEXT: Readonly<Record<Choice, Choice>> = { system: 'light', light: 'dark', dark: 'system' };

export function createAppearance(): Appearance {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const listeners: (() => void)[] = [];
  const styles = { light: styleOf(lightStyle), dark: styleOf(darkStyle) };
  let choice = readChoice();
  const node = button({ class: 'dgm-appearance' }, () => {
    choice = NEXT[choice];
    localStorage.setItem(KEY, choice);
    apply();
  });

  function apply(): void {
    const dark = choice === 'system' ? system.matches : choice === 'dark';
    styles.light.disabled = dark;
    styles.dark.disabled = !dark;
    document.documentElement.style.colorScheme = dark ? 'dark' : 'light';
    document.body.dataset['jpThemeLight'] = String(!dark);
    document.body.dataset['jpThemeName'] = dark ? 'JupyterLab Dark' : 'JupyterLab Light';
    node.textContent = `Colours: ${choice}`;
    node.title = `Colours: ${choice}. Changes to ${NEXT[choice]}.`;
    for (const listener of listeners) listener();
  }

  system.addEventListener('change', apply);
  apply();
  return { node, onChange: (listener) => void listeners.push(listener) };
}

function styleOf(text: string): HTMLStyleElement {
  const style = document.createElement('style');
  style.textContent = text;
  document.head.prepend(style); // before the page's own sheet, which has the last word
  return style;
}

function readChoice(): Choice {
  const kept = localStorage.getItem(KEY);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}
