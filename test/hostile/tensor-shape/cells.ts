// %%
import * as tf from '@tensorflow/tfjs';

function softmax(x: tf.Tensor): tf.Tensor {
  return tf.scalar(0.5);
}
