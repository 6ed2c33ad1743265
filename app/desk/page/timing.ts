/** How long each cell took, beside its number. */
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { MessageMark } from '../protocol';

/** Below this nobody asks. */
const SHORTEST_MS = 100;

/** By the kernel's own clock, from the cell's beginning to its end: what waits in the queue does not count. */
export function showTimes(panel: NotebookPanel): void {
  panel.sessionContext.kernelChanged.connect((_, { newValue: kernel }) => {
    if (kernel) follow(kernel, panel);
  });
}

function follow(kernel: Kernel.IKernelConnection, panel: NotebookPanel): void {
  const began = new Map<string, number>();
  kernel.anyMessage.connect((_, { msg, direction }) => {
    const mark = msg.metadata['dgm'] as unknown as MessageMark | undefined;
    if (direction !== 'recv' || !mark) return;
    const at = Date.parse(msg.header.date);
    if (msg.header.msg_type === 'execute_input') {
      began.set(mark.cellId, at);
      show(panel, mark.cellId, '');
    } else if (isEnd(msg)) {
      const took = at - (began.get(mark.cellId) ?? at);
      show(panel, mark.cellId, took < SHORTEST_MS ? '' : durationText(took));
    }
  });
}

function isEnd({ header, content }: KernelMessage.IMessage): boolean {
  return header.msg_type === 'status' && (content as { execution_state?: string }).execution_state === 'idle';
}

function show({ content }: NotebookPanel, id: string, text: string): void {
  const cell = content.widgets.find(({ model }) => model.id === id);
  const prompt = cell?.node.querySelector<HTMLElement>('.jp-InputPrompt');
  if (!prompt) return;
  if (text === '') delete prompt.dataset['dgmTime'];
  else prompt.dataset['dgmTime'] = text;
  prompt.title = text === '' ? '' : `This cell took ${text}`;
}

function durationText(ms: number): string {
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
  return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
}
