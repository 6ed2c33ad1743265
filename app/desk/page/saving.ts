/**
 * Saving: by the reader, and by itself every half minute. While the server is away nothing is sent, which JupyterLab
 * would answer with a dialog each time: the banner says it once, the text stays in this page, and is saved when the
 * server is back.
 */
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { ServerWatch } from './server';

export interface Saving {
  save(): Promise<void>;
}

const EVERY_MS = 30_000; // the hint of the button says so too

export function createSaving({ context }: NotebookPanel, server: ServerWatch): Saving {
  async function save(): Promise<void> {
    if (!(await server.isThere())) return;
    // Once more, or the reader cancelled: the dialog has said what there is to say
    await context.save().catch(() => undefined);
  }

  const saveChanges = async (): Promise<void> => {
    if (context.isReady && context.model.dirty && !context.model.readOnly) await save();
  };
  setInterval(() => void saveChanges(), EVERY_MS);
  server.onBack(() => void saveChanges());
  return { save };
}
