"""Restore a saved graph in plain TF1, and train a classifier on its codes.

    python main.py --experiment=phasewise --dataset=mnist5k
    python -m examples.digits
    python examples/restore_tf1.py runs/phasewise/mnist5k-seed0 digits.npz

The encoder stays as it was trained, without labels; the classifier sees `codings:0` alone. It needs
tensorflow and numpy, and nothing of this project. Arguments: the run's folder, the digits.
"""

import sys

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
RUN = sys.argv[1] if len(sys.argv) > 1 else 'runs/phasewise/mnist5k-seed0'
FILE = sys.argv[2] if len(sys.argv) > 2 else 'digits.npz'

digits = np.load(FILE)
x, y = digits['x'].reshape(-1, 784) / 255, digits['y']
is_test = digits['split'] == 'test'

saver = tf.train.import_meta_graph(f'{RUN}/model.meta')
graph = tf.get_default_graph()
X, codings = graph.get_tensor_by_name('X:0'), graph.get_tensor_by_name('codings:0')

with tf.variable_scope('classifier'):
    labels = tf.placeholder(tf.int64, [None], 'labels')
    kernel = tf.get_variable('kernel', [codings.shape[1], 10])
    logits = tf.matmul(codings, kernel) + tf.get_variable('bias', [10])
loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, axis=1), labels), tf.float32))
own = tf.trainable_variables('classifier')  # not the encoder's
train = tf.train.AdamOptimizer(0.01).minimize(loss, var_list=own)

with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    saver.restore(session, f'{RUN}/model')  # after the initializer, which sets all variables
    codes = session.run(codings, {X: x})
    for epoch in range(1, 301):
        value, _ = session.run([loss, train], {codings: codes[~is_test], labels: y[~is_test]})
        if epoch % 100 == 0:
            print(f'epoch {epoch}: loss {value:.3f}')
    found = session.run(accuracy, {X: x[is_test], labels: y[is_test]})
    print(f'accuracy on {is_test.sum()} test examples {found:.3f}, from codes of {codes.shape[1]}')
