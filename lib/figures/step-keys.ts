/** The arrow keys of figures that have steps, the same on every page that draws them. No imports: pages get it as text. */

/** Of a figure's element, so that the keyboard reaches it and a reader hears what it does. */
export const STEPS_ATTRIBUTES: Readonly<Record<string, string>> = {
  role: 'group', // not "img": what is within can be moved
  tabindex: '0',
  'data-dgm-steps': '',
  'aria-description': 'The left and right arrow keys move through its steps',
};

/* eslint-disable @typescript-eslint/no-explicit-any -- runs in the page, whose types are not those of Node */
interface Page {
  dgmStepKeys?: boolean;
  readonly Plotly?: any;
  addEventListener(type: string, listener: (event: any) => void, capture: boolean): void;
}

/**
 * Runs in the page, any number of times; self-contained. plotly's own slider knows the mouse only, and nothing moves by
 * itself. Listens at the window, since notebooks take keys at the document before an element within hears of them; all
 * other keys stay theirs.
 */
export function listenForSteps(page: Page): void {
  if (page.dgmStepKeys) return;
  page.dgmStepKeys = true;
  const step = (event: any): void => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key as string];
    if (move === undefined || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target?.dataset?.dgmSteps === undefined) return;
    const slider = event.target._fullLayout?.sliders?.[0]; // none before it is drawn
    if (!slider) return;
    event.preventDefault();
    event.stopPropagation();
    const to = slider.steps[slider.active + move];
    if (to) page.Plotly.animate(event.target, ...to.args);
  };
  page.addEventListener('keydown', step, true);
}
