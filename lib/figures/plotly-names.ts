/** Names on which the kernel, which describes figures, and the pages that draw them agree. */

export const PLOTLY_MIME = 'application/vnd.plotly.v1+json';

/** Under `nbextensions/` for Notebook 6, under `labextensions/` for JupyterLab 4 and Notebook 7. */
export const PLOTLY_FILE = 'dgm/plotly.min.js';
