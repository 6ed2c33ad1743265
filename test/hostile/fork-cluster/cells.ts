// %%
import cluster from 'node:cluster';

async function total(numbers: readonly number[]): Promise<number> {
  const worker = cluster.fork();
  await new Promise((resolve, reject) => worker.on('online', resolve).on('error', reject));
  return numbers.reduce((sum, number) => sum + number, 0);
}
