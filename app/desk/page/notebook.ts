/** The notebook of a page: JupyterLab's, with its saving and its session. */
import { DocumentManager, type IDocumentWidgetOpener } from '@jupyterlab/docmanager';
import { DocumentRegistry, type IDocumentWidget } from '@jupyterlab/docregistry';
import { NotebookModelFactory, NotebookPanel, NotebookWidgetFactory, StaticNotebook } from '@jupyterlab/notebook';
import type { RenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ServiceManager } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import type { createEditors } from './editors';

export interface NotebookParts {
  readonly services: ServiceManager.IManager;
  readonly rendermime: RenderMimeRegistry;
  readonly editors: ReturnType<typeof createEditors>;
}

export function openNotebook(path: string, { services, rendermime, editors }: NotebookParts): NotebookPanel {
  const registry = new DocumentRegistry();
  registry.addModelFactory(new NotebookModelFactory({}) as unknown as DocumentRegistry.ModelFactory);
  registry.addWidgetFactory(
    new NotebookWidgetFactory({
      name: 'Notebook',
      modelName: 'notebook',
      fileTypes: ['notebook'],
      defaultFor: ['notebook'],
      preferKernel: true,
      canStartKernel: true,
      rendermime,
      contentFactory: new NotebookPanel.ContentFactory({ editorFactory: editors.factory.newInlineEditor }),
      mimeTypeService: editors.mimeTypes,
      editorConfig: {
        ...StaticNotebook.defaultEditorConfig,
        code: { ...StaticNotebook.defaultEditorConfig.code, indentUnit: '2' }, // as the chapters are written
      },
      notebookConfig: {
        ...StaticNotebook.defaultNotebookConfig,
        windowingMode: 'none', // the browser's own search and a screen reader find every cell
        scrollPastEnd: false,
      },
    }) as unknown as DocumentRegistry.WidgetFactory,
  );
  const documents = new DocumentManager({ registry, manager: services, opener: opener() });
  documents.autosave = false; // the page saves by itself: see `saving.ts`
  return documents.open(path) as NotebookPanel;
}

/** The page shows the one notebook by itself. */
function opener(): IDocumentWidgetOpener {
  const made = { open: () => undefined } as unknown as { opened: unknown } & IDocumentWidgetOpener;
  return Object.assign(made, { opened: new Signal<IDocumentWidgetOpener, IDocumentWidget>(made) });
}

// What a chapter says of its cells

/** Marks exercises, checks and what cannot be changed, for the eye and for screen readers. */
export function labelCells({ content, model }: NotebookPanel): void {
  const label = (): void => {
    for (const cell of content.widgets) {
      const text = labelOf(cell.model.metadata);
      if (text === '') continue;
      cell.node.dataset['dgmLabel'] = text;
      cell.node.setAttribute('aria-description', text);
    }
  };
  model?.cells.changed.connect(label);
  label();
}

function labelOf(metadata: Readonly<Record<string, unknown>>): string {
  const exercise = (metadata['dgm'] as { exercise?: string } | undefined)?.exercise;
  const readOnly = metadata['editable'] === false;
  const kind = exercise === undefined ? [] : [`${readOnly ? 'Check' : 'Exercise'} ${exercise}`];
  const locks = [...(readOnly ? ['read-only'] : []), ...(metadata['deletable'] === false ? ['cannot be deleted'] : [])];
  return [...kind, ...locks].join(', ');
}

const OF_KERNEL = new Set(['kernelspec', 'language_info']);

/** What the kernel tells of itself is written into the notebook, but nothing that its reader must save. */
export function ignoreKernelFacts({ context: { model } }: NotebookPanel): void {
  model.metadataChanged.connect((_, { key }) => {
    if (!OF_KERNEL.has(key) || model.dirty) return;
    queueMicrotask(() => (model.dirty = false)); // it turns dirty once all have heard of the change
  });
}

/** Leaving with unsaved changes asks first. */
export function guardChanges({ context }: NotebookPanel): void {
  window.addEventListener('beforeunload', (event) => {
    if (context.model.dirty) event.preventDefault();
  });
}
