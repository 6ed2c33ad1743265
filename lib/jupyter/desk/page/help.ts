/** What the kernel knows of the code at the cursor: completions and signatures. */
import { CompletionProviderManager, KernelCompleterProvider } from '@jupyterlab/completer';
import { Text } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { RenderMimeRegistry } from '@jupyterlab/rendermime';
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
    const cursor_pos = Text.jsIndexToCharIndex(editor.getOffsetAt(editor.getCursorPosition()), code);
    const { content } = await kernel.requestInspect({ code, cursor_pos, detail_level: 0 });
    if (content.status !== 'ok' || !content.found) return;
    shown = new Tooltip({ anchor: panel.content, bundle: content.data, editor, rendermime });
    Widget.attach(shown, document.body);
  }

  return { show, hide };
}
