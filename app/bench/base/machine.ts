/** What a bench ran on, since its numbers mean nothing without. */
import { availableParallelism, cpus, loadavg } from 'node:os';

export interface Machine {
  readonly cpu: string;
  /** Of the last minute, in processes that compute. */
  readonly load: number;
}

export function describeMachine(): Machine {
  const cpu = `${cpus()[0]?.model.trim() ?? process.arch}, ${availableParallelism()} cores`;
  return { cpu, load: Number(loadavg()[0]!.toFixed(1)) };
}
