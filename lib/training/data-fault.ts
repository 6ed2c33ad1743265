/** A loss that is not finite is the data's fault more often than the model's: then the example is named. */
import type { Batch } from '../core/model';
import type { TrainingData } from './loop';

/**
 * Runs `work`; where that fails for want of a finite number, and the data hold one that is none, the error says which.
 * @throws what `work` throws, or an error that names the example and has it as its cause
 */
export async function namingFaultyData<T>(course: string, data: TrainingData, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const fault = error instanceof Error && /\b(NaN|Infinity)\b/.test(error.message) ? faultIn(data) : undefined;
    if (fault === undefined) throw error;
    throw new Error(`${course}: ${fault}; correct or leave out that example`, { cause: error });
  }
}

function faultIn(data: TrainingData): string | undefined {
  for (const name of ['train', 'validation'] as const) {
    const fault = data[name] && firstFault(data[name]);
    if (fault !== undefined) return `${name}.x holds ${fault}`;
  }
  return undefined;
}

/** Only looked for once something has failed: it reads all of the data. */
function firstFault({ x }: Batch): string | undefined {
  const values = x.dataSync();
  const at = values.findIndex((value: number) => !Number.isFinite(value));
  if (at < 0) return undefined;
  const perExample = values.length / x.shape[0]!;
  return `${values[at]} in example ${Math.floor(at / perExample)} (of 0 … ${x.shape[0]! - 1}), coordinate ${at % perExample}`;
}
