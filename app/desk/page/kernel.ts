/** Beginning again: a kernel that lives is restarted, one that died is replaced. */
import { type ISessionContext, SessionContextDialogs } from '@jupyterlab/apputils';

/** JupyterLab calls it disconnected: it closes the connection to a dead kernel. */
export const isDead = ({ session }: ISessionContext): boolean => session?.kernel?.status === 'dead';

/** The server that had it is gone; the one that answers now knows nothing of it. */
export const isGone = (context: ISessionContext): boolean =>
  context.isReady && !context.session?.kernel && context.kernelDisplayStatus === 'unknown';

/** Asks first, unless there is nothing to lose. @returns whether there is a fresh kernel */
export async function restart(context: ISessionContext): Promise<boolean> {
  if (!isDead(context) && !isGone(context)) return new SessionContextDialogs().restart(context);
  await context.changeKernel({ name: context.session?.kernel?.name ?? context.kernelPreference.name! });
  return true;
}
