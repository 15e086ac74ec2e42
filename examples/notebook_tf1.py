"""Run a TF1 notebook on today's TensorFlow, with nothing but its dead calls replaced.

    python -m examples.digits
    python -m examples.notebook_tf1 tf-logs digits.npz

In the style of a notebook of notes on Geron 2017, Hands-On Machine Learning, ch. 15: a stacked
autoencoder with tied kernels, trained phase by phase, and a classifier on the restored graph. A
comment NEW is where something had to change. It needs tensorflow and numpy, and this project for
`dense` alone. Arguments: the folder that the graph is saved to, the digits.

The graph is one for this project's classifiers, too, here without the script's own:

    python main.py --experiment=phasewise_classifier --dataset=mnist5k --parent=tf-logs/stack
"""

# %% In [1]
import signal
import sys

import numpy as np
import tensorflow.compat.v1 as tf  # NEW: compat.v1

from networks.layers import dense  # NEW: for tf.layers.dense and contrib.layers.fully_connected

tf.disable_v2_behavior()  # NEW
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the script, without a traceback
FOLDER = sys.argv[1] if len(sys.argv) > 1 else 'tf-logs'
FILE = sys.argv[2] if len(sys.argv) > 2 else 'digits.npz'
he_init = tf.variance_scaling_initializer(2.0)  # NEW: for contrib's, whose factor was 2 by default
l2 = 1e-4

digits = np.load(FILE)  # NEW: for input_data.read_data_sets
parts = [digits['split'] == name for name in ('train', 'validation')]
X_train, X_valid = (digits['x'][part].reshape(-1, 784) / 255 for part in parts)
y_train, y_valid = (digits['y'][part] for part in parts)

# %% In [2]: two layers, each with a phase of its own
tf.reset_default_graph()
tf.set_random_seed(42)
X = tf.placeholder(tf.float32, [None, 784], name='X')
with tf.variable_scope('stack', initializer=he_init):
    w1, w2 = tf.get_variable('w1', [784, 300]), tf.get_variable('w2', [300, 150])
with tf.variable_scope('stack', initializer=tf.zeros_initializer()):
    b1, b2 = tf.get_variable('b1', [300]), tf.get_variable('b2', [150])
    b3, b4 = tf.get_variable('b3', [300]), tf.get_variable('b4', [784])
hidden1 = tf.nn.elu(tf.matmul(X, w1) + b1, name='hidden1')
codings = tf.nn.elu(tf.matmul(hidden1, w2) + b2, name='codings')
hidden3 = tf.nn.elu(tf.matmul(codings, tf.transpose(w2)) + b3)
outputs = tf.add(tf.matmul(hidden3, tf.transpose(w1)), b4, name='outputs')
mse = tf.reduce_mean(tf.square(outputs - X))

optimizer = tf.train.AdamOptimizer(0.01)
with tf.name_scope('phase1'):
    outputs1 = tf.matmul(hidden1, tf.transpose(w1)) + b4
    loss1 = tf.reduce_mean(tf.square(outputs1 - X)) + l2 * tf.nn.l2_loss(w1)  # NEW: l2_regularizer
    phase1 = optimizer.minimize(loss1, var_list=[w1, b1, b4])
with tf.name_scope('phase2'):
    loss2 = tf.reduce_mean(tf.square(hidden3 - hidden1)) + l2 * tf.nn.l2_loss(w2)
    phase2 = optimizer.minimize(loss2, var_list=[w2, b2, b3])
saver = tf.train.Saver()

n_epochs = 100
with tf.Session() as sess:
    tf.global_variables_initializer().run()
    for phase, (training_op, loss) in enumerate([(phase1, loss1), (phase2, loss2)], 1):
        fed = {X: X_train} if phase == 1 else {hidden1: hidden1.eval({X: X_train})}
        for epoch in range(1, n_epochs + 1):
            value, _ = sess.run([loss, training_op], fed)
            if epoch % 50 == 0:
                print(f'phase {phase}, epoch {epoch}: loss {value:.4f}')
    print(f'whole stack: validation MSE {mse.eval({X: X_valid}):.4f}')
    saver.save(sess, f'{FOLDER}/stack')

# %% In [3]: a classifier on the restored graph
tf.reset_default_graph()
saver = tf.train.import_meta_graph(f'{FOLDER}/stack.meta')
graph = tf.get_default_graph()
X, codings = graph.get_tensor_by_name('X:0'), graph.get_tensor_by_name('codings:0')
y = tf.placeholder(tf.int32, [None], name='y')
fc = dense('fc', codings, 100, activation='elu', initializer='he_avg', seed=42)
logits = dense('logits', fc, 10, activation='linear', initializer='he_avg', seed=42)
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
accuracy = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))
own = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope='fc|logits')
training_op = tf.train.AdamOptimizer(0.01).minimize(loss, var_list=own)

with tf.Session() as sess:
    tf.global_variables_initializer().run()
    saver.restore(sess, f'{FOLDER}/stack')
    codes = codings.eval({X: X_train})
    for _ in range(n_epochs):
        sess.run(training_op, {codings: codes, y: y_train})
    print(f'classifier: validation accuracy {accuracy.eval({X: X_valid, y: y_valid}):.3f}')
