/**
 * What the desk's page and its server say to each other: the part of Jupyter's REST API and kernel channels that
 * JupyterLab's `ServiceManager` and notebook use, and what is below, which is ours. Types only, so that both sides
 * can read this file.
 *
 * ## The page
 *
 * `/` and `/notebooks/NAME.ipynb` answer with one HTML page that loads `/static/app.css` and, as a module,
 * `/static/app.js` from the bundle's folder. Its `<script id="jupyter-config-data">` holds a `PageConfiguration`. The
 * token is not in it: the address that `npm start` prints carries the token once, the answer sets a cookie that no
 * script can read, and the browser sends that cookie with every request and WebSocket. JupyterLab's own requests
 * need no change for this. `/files/PATH` gives a file of the notebooks' folder, for pictures in Markdown.
 *
 * All paths are relative to the folder `notebooks/`, `03-mixtures.ipynb` for instance; nothing outside it exists.
 *
 * ## Kernels
 *
 * `POST /api/sessions` for a path that has a session answers with that session; when its kernel died, with a fresh
 * process under the same kernel id. A kernel lives until it is deleted or the server ends, with or without a page.
 *
 * A kernel that ends by itself says so: each of its unfinished cells gets an `error` (ename `KernelDied`, evalue how
 * it ended and what it said last) and a `status` idle, and then the kernel is `dead`. `POST …/restart` starts it
 * again. A restart that was asked for sends no `restarting` (JupyterLab takes that for one that was not). JupyterLab
 * itself cannot restart a kernel that it knows to be dead: its page asks for another (`PATCH /api/sessions/ID` with
 * `{"kernel":{"name":"dgm"}}`, `sessionContext.changeKernel`), and the dead one is forgotten.
 *
 * ## A page that is loaded again while cells run
 *
 * The server remembers the `execute_request`s of each kernel with the `cellId` of their metadata (JupyterLab sends
 * it), and every message that belongs to them: all of iopub, and the `execute_reply`. When a page connects that was
 * not connected before (another `session_id`), it first gets, in their order, all messages that the notebook's file
 * cannot have yet:
 *
 * - those of cells that wait or run, from their beginning, whether another page has shown them or not;
 * - those of finished cells, until the notebook is saved with them: with this cell's `execution_count`, that is, or
 *   without this cell.
 *
 * They have their original `parent_header`, whose `session` is that of the earlier page, and `metadata.dgm`, a
 * `MessageMark`; so do messages that come later for a cell that an earlier page started. JupyterLab finds no future
 * for them and only emits them (`kernel.iopubMessage`, `kernel.anyMessage`); the page gives those whose
 * `parent_header.session` is not its `kernel.clientId` to the cell `metadata.dgm.cellId`:
 *
 * - `execute_input`: clear the cell's outputs (a save in the middle may have kept some) and show `[*]`;
 * - `stream`, `display_data`, `execute_result`, `error`, `clear_output`: as in any output area;
 * - `update_display_data`: by its `transient.display_id`, which may be of another cell;
 * - `execute_reply` (shell): its `execution_count` is the cell's number; status `aborted`: the cell did not run;
 * - `status` idle: the cell has ended.
 *
 * A page that only lost its connection and comes back with the same `session_id` gets what it has not had, once.
 * Of updates of one display only the last is kept. The messages kept for a kernel are bounded (`KEPT_BYTES`): beyond,
 * the oldest outputs go, and a `stream` on stderr in their place says how many.
 *
 * ## Ours
 *
 * - `GET /api/desk/chapters` → `ChapterProgress[]`
 * - `GET /api/desk/executions/KERNEL_ID` → `Execution[]`, oldest first: which cells wait, which one runs. What came of
 *   them comes over the WebSocket, so that nothing can fall between the two.
 */

/** Of the messages that one kernel's journal keeps, in bytes of JSON. */
export const KEPT_BYTES = 32 * 2 ** 20;

/** JupyterLab's `PageConfig`. */
export interface PageConfiguration {
  /** `/` */
  readonly baseUrl: string;
  /** Empty: the page's own host. */
  readonly wsUrl: string;
  /** Empty: the cookie speaks. */
  readonly token: string;
  readonly appUrl: string;
  /** The notebook to open, relative to `notebooks/`; empty at `/`. */
  readonly notebookPath: string;
  /** Where figures of saved notebooks load plotly from, as in JupyterLab. */
  readonly fullLabextensionsUrl: string;
}

/** `metadata.dgm` of a message that belongs to a cell. */
export interface MessageMark {
  readonly cellId: string;
  /** Kept, and sent when the page connected. */
  readonly replayed: boolean;
}

export interface Execution {
  /** Of the `execute_request`; the `parent_header.msg_id` of what comes of it. */
  readonly msg_id: string;
  /** Null for code that was not a cell's. */
  readonly cellId: string | null;
  /** The page that asked: JupyterLab's `kernel.clientId`, the `session` of its headers. */
  readonly client: string;
  readonly state: 'queued' | 'running' | 'done';
  /** Null until it runs. */
  readonly execution_count: number | null;
}

export interface ChapterProgress {
  /** `03-mixtures` */
  readonly name: string;
  /** The notebook's first heading. */
  readonly title: string;
  /** `03-mixtures.ipynb` */
  readonly path: string;
  /** In the notebook's order. */
  readonly exercises: readonly ExerciseProgress[];
}

interface ExerciseProgress {
  /** `mixture.emLoop` */
  readonly id: string;
  readonly state: 'open' | 'tried' | 'passed';
}
