/** What the kernel knows of the code at the cursor: completions and signatures. */
import { CompletionProviderManager, KernelCompleterProvider } from '@jupyterlab/completer';
import { Text } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { RenderMimeRegistry } from '@jupyterlab/rendermime';
import type { Kernel } from '@jupyterlab/services';
import { Tooltip } from '@jupyterlab/tooltip';
import { Widget } from '@lumino/widgets';

export interface Completion {
  invoke(): void;
  select(): void;
}

export function createCompletion(panel: NotebookPanel): Completion {
  const manager = new CompletionProviderManager();
  const provider = new KernelCompleterProvider();
  manager.registerProvider(provider);
  manager.activateProvider([provider.identifier]);
  manager.setTimeout(5000); // the first answer waits until the compiler has read the types
  const update = (): void => {
    const { editor = null } = panel.content.activeCell ?? {};
    void manager.updateCompleter({ widget: panel, editor, session: panel.sessionContext.session });
  };
  panel.content.activeCellChanged.connect(update);
  panel.sessionContext.sessionChanged.connect(update);
  panel.sessionContext.kernelChanged.connect(update);
  update();
  return { invoke: () => manager.invoke(panel.id), select: () => manager.select(panel.id) };
}

export interface Signatures {
  show(): Promise<void>;
  hide(): void;
}

export function createSignatures(panel: NotebookPanel, rendermime: RenderMimeRegistry): Signatures {
  let shown: Tooltip | undefined;

  function hide(): void {
    shown?.dispose();
    shown = undefined;
  }

  async function show(): Promise<void> {
    hide();
    const editor = panel.content.activeCell?.editor;
    const kernel = panel.sessionContext.session?.kernel;
    if (!editor || !kernel) return;
    const code = editor.model.sharedModel.getSource();
    const cursor = editor.getOffsetAt(editor.getCursorPosition());
    const bundle = (await inspect(kernel, code, cursor)) ?? (await inspect(kernel, code, calledAt(code, cursor)));
    if (!bundle) return;
    shown = new Tooltip({ anchor: panel.content, bundle, editor, rendermime });
    Widget.attach(shown, document.body);
  }

  return { show, hide };
}

async function inspect(kernel: Kernel.IKernelConnection, code: string, at: number | undefined) {
  if (at === undefined) return undefined;
  const cursor_pos = Text.jsIndexToCharIndex(at, code);
  const { content } = await kernel.requestInspect({ code, cursor_pos, detail_level: 0 });
  return content.status === 'ok' && content.found ? content.data : undefined;
}

/** Where the function is named among whose arguments the cursor is. */
function calledAt(code: string, cursor: number): number | undefined {
  let closed = 0;
  for (let at = cursor - 1; at >= 0; at--) {
    if (code[at] === ')') closed++;
    else if (code[at] === '(' && closed-- === 0) return at;
  }
  return undefined;
}
