/**
 * Stands for `lib0/logging` where yjs warns: `@jupyter/ydoc` reads the parts of a cell before it puts the cell into
 * its document, and yjs warns of each of them, hundreds of times a notebook, though nothing is lost by it.
 */
const nothing = (): void => undefined;

export const warn = nothing;
export const print = nothing;
export const BOLD = '';
export const UNBOLD = '';
export const ORANGE = '';
export const RED = '';
