"""Draw new digits from a variational autoencoder, by the signature `sample` of its SavedModel.

    python main.py --experiment=vae --dataset=mnist5k
    python examples/sample_vae.py runs/vae/mnist5k-seed0 samples.png

It needs tensorflow, numpy and Pillow, and nothing of this project. Arguments: the run's folder, and
the picture that is written. The same seed draws the same digits.
"""

import sys

import numpy as np
import tensorflow as tf
from PIL import Image

RUN = sys.argv[1] if len(sys.argv) > 1 else 'runs/vae/mnist5k-seed0'
PICTURE = sys.argv[2] if len(sys.argv) > 2 else 'samples.png'
ROWS, COLUMNS, SIDE = 6, 10, 28

sample = tf.saved_model.load(f'{RUN}/saved_model').signatures['sample']
drawn = sample(count=tf.constant(ROWS * COLUMNS), seed=tf.constant(0))
codes, digits = drawn['codings'].numpy(), drawn['outputs'].numpy()
print(f'codes {codes.shape}, mean {codes.mean():.2f}, deviation {codes.std():.2f}')

grid = digits.reshape(ROWS, COLUMNS, SIDE, SIDE).swapaxes(1, 2)
grid = grid.reshape(ROWS * SIDE, COLUMNS * SIDE).clip(0, 1)
Image.fromarray((grid * 255).astype(np.uint8)).save(PICTURE)
print(f'{len(digits)} digits are in {PICTURE}')
