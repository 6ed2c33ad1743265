/**
 * Stands for `@jupyter/web-components` and `@jupyter/react-components` in the bundle: the browser's own elements,
 * which need no script. JupyterLab's compute their colours by rules that recurse without end in this page, and the
 * few places where it could show them (dialogs, search) are the better for plain ones.
 */
export const Button = 'button';
export const Search = 'input';
export const TreeView = 'ul';
export const TreeItem = 'li';

const nothing = (): void => undefined;

export const addJupyterLabThemeChangeListener = nothing;
export const jpButton = nothing;
export const jpToolbar = nothing;
export const provideJupyterDesignSystem = () => ({ register: nothing });
