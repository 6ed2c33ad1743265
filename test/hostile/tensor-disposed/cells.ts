// %%
import * as tf from '@tensorflow/tfjs';

function softmax(x: tf.Tensor): tf.Tensor {
  const gone = tf.softmax(x);
  gone.dispose();
  return gone;
}
