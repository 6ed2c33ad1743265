/** How many threads share the work of one operator. */

/** @throws Error when DGM_THREADS is no number of threads */
export function threadsFor(): number {
  const asked = process.env['DGM_THREADS'];
  if (asked === undefined || asked === '') return 1;
  const threads = Number(asked);
  if (Number.isInteger(threads) && threads >= 1) return threads;
  throw new Error(`DGM_THREADS must be an integer ≥ 1, got '${asked}'`);
}
