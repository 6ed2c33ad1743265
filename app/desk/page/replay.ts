/**
 * Cells that an earlier page has started. JupyterLab knows no future for them, since it was another page that asked;
 * the server marks their messages with the cell (`protocol.ts`), and here the cell gets a future made of these.
 */
import { isCodeCellModel, type CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { MessageMark } from '../protocol';
import { getExecutions } from './server';

type Message = KernelMessage.IMessage;
type Future = CodeCell['outputArea']['future'];

/** What an output area needs of a future. */
interface StandIn {
  onIOPub(message: Message): void;
  readonly done: Promise<never>;
  dispose(): void;
}

/** @param onEnded called when such a cell has ended */
export function replay(panel: NotebookPanel, onEnded: (cell: CodeCell) => void): void {
  panel.sessionContext.kernelChanged.connect((_, { newValue: kernel }) => {
    if (kernel) follow(kernel, panel, onEnded);
  });
}

function follow(kernel: Kernel.IKernelConnection, panel: NotebookPanel, onEnded: (cell: CodeCell) => void): void {
  const futures = new Map<string, StandIn>();
  const ended = new Set<string>();

  /** Shows the cell as running, without what it showed before. */
  function begin(cell: CodeCell): void {
    cell.model.clearExecution();
    cell.model.executionState = 'running';
    cell.model.trusted = true;
    attach(cell);
  }

  /** The cell has ended, and the notebook's file has what it showed: what comes late, of a timer, is added to that. */
  function resume(cell: CodeCell): StandIn {
    const shown = cell.model.outputs.toJSON();
    const standIn = attach(cell);
    cell.model.outputs.fromJSON(shown);
    return standIn;
  }

  /** Outputs of this cell go to the stand-in from now on; JupyterLab empties the cell for it. */
  function attach(cell: CodeCell): StandIn {
    const standIn: StandIn = {
      onIOPub: () => undefined,
      done: new Promise(() => undefined),
      dispose: () => void (futures.get(cell.model.id) === standIn && futures.delete(cell.model.id)),
    };
    cell.outputArea.future = standIn as unknown as Future;
    futures.set(cell.model.id, standIn);
    return standIn;
  }

  function take(cell: CodeCell, message: Message): void {
    const { msg_type } = message.header;
    const content = message.content as Readonly<Record<string, unknown>>;
    if (msg_type === 'execute_input') begin(cell);
    else if (msg_type === 'execute_reply') cell.model.executionCount = (content['execution_count'] as number) ?? null;
    else if (msg_type === 'status' && content['execution_state'] === 'idle') end(cell, message);
    else if (OUTPUTS.has(msg_type)) (futures.get(cell.model.id) ?? resume(cell)).onIOPub(message);
  }

  function end(cell: CodeCell, { parent_header }: Message): void {
    cell.model.executionState = 'idle';
    if ('msg_id' in parent_header) ended.add(parent_header.msg_id);
    onEnded(cell);
  }

  kernel.anyMessage.connect((_, { msg, direction }) => {
    if (direction !== 'recv') return;
    // A display may be another cell's than the one that updates it; an output area takes only what is its own
    if (msg.header.msg_type === 'update_display_data') for (const future of futures.values()) future.onIOPub(msg);
    const mark = msg.metadata['dgm'] as unknown as MessageMark | undefined;
    const ours = 'session' in msg.parent_header && msg.parent_header.session === kernel.clientId;
    const cell = mark && !ours ? codeCell(panel, mark.cellId) : undefined;
    if (cell) take(cell, msg);
  });

  const showWaiting = async (): Promise<void> => {
    for (const { msg_id, cellId, client, state } of await getExecutions(kernel.id)) {
      const cell = cellId !== null && client !== kernel.clientId ? codeCell(panel, cellId) : undefined;
      if (cell && state !== 'done' && !ended.has(msg_id)) cell.model.executionState = 'running';
    }
  };
  showWaiting().catch(() => undefined); // the banner says what is wrong with the server
}

const OUTPUTS = new Set(['stream', 'display_data', 'execute_result', 'error', 'clear_output']);

function codeCell(panel: NotebookPanel, id: string): CodeCell | undefined {
  const cell = panel.content.widgets.find(({ model }) => model.id === id);
  return cell && isCodeCellModel(cell.model) ? (cell as CodeCell) : undefined;
}
