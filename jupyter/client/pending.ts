/** Requests to a kernel that wait: each has its answer when the reply has come and the kernel is idle again. */
import type { Message } from './messages';

export interface PendingRequests {
  /** A request on its way. @returns the reply's content */
  add(id: string, onOutput: (message: Message) => void): Promise<Message['content']>;
  /** A message of the shell or of the control channel. */
  reply(message: Message): void;
  /** A message of the output channel. */
  output(message: Message): void;
  /** Nobody will answer any more. */
  reject(error: Error): void;
}

interface Pending {
  reply: Message['content'] | null;
  idle: boolean;
  readonly onOutput: (message: Message) => void;
  readonly resolve: (content: Message['content']) => void;
  readonly reject: (error: Error) => void;
}

export function createPendingRequests(): PendingRequests {
  const pending = new Map<string, Pending>();
  const answered = new Map<string, Pending['onOutput']>();

  function settle(id: string, request: Pending): void {
    if (!request.reply || !request.idle) return;
    pending.delete(id);
    answered.set(id, request.onOutput); // a timer of the cell may still print
    request.resolve(request.reply);
  }

  return {
    add: (id, onOutput) =>
      new Promise((resolve, reject) => pending.set(id, { reply: null, idle: false, onOutput, resolve, reject })),
    reply({ parent, content }) {
      const request = pending.get(parent?.msg_id ?? '');
      if (!request) return;
      request.reply = content;
      settle(parent!.msg_id, request);
    },
    output(message) {
      const id = message.parent?.msg_id ?? '';
      const request = pending.get(id);
      if (message.header.msg_type !== 'status') return (request?.onOutput ?? answered.get(id))?.(message);
      if (!request || message.content['execution_state'] !== 'idle') return;
      request.idle = true;
      settle(id, request);
    },
    reject(error) {
      for (const request of pending.values()) request.reject(error);
      pending.clear();
    },
  };
}
