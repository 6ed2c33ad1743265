// %%
import * as tf from '@tensorflow/tfjs';

function softmax(x: tf.Tensor): tf.Tensor {
  return x;
}
