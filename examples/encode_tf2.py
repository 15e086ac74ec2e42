"""Encode and classify in TensorFlow 2, by the signatures of a SavedModel.

    make run
    python -m examples.digits
    python examples/encode_tf2.py runs/phasewise_classifier/mnist5k-seed0 digits.npz

It needs tensorflow and numpy, and nothing of this project. Arguments: the run's folder, the digits.
"""

import sys

import numpy as np
import tensorflow as tf

RUN = sys.argv[1] if len(sys.argv) > 1 else 'runs/phasewise_classifier/mnist5k-seed0'
FILE = sys.argv[2] if len(sys.argv) > 2 else 'digits.npz'

digits = np.load(FILE)
is_test = digits['split'] == 'test'
x = tf.constant(digits['x'][is_test].reshape(-1, 784) / 255, tf.float32)
y = digits['y'][is_test]

model = tf.saved_model.load(f'{RUN}/saved_model')
codes = model.signatures['encode'](X=x)['codings']
print('codes', codes.shape, 'mean', tf.reduce_mean(codes).numpy())

found = model.signatures['classify'](X=x)
names = np.array([name.decode() for name in found['labels'].numpy()])  # names, as bytes
sure = found['probabilities'].numpy().max(axis=1)
for name, probability, label in zip(names[:5], sure, y, strict=False):
    print(f'said to be {name} with {probability:.0%}; it is {label}')
print(f'accuracy on {len(y)} test examples {np.mean(names == y.astype(str)):.3f}')
