"""The data of the other examples: 5,000 handwritten digits in a file.

    python -m examples.digits

writes `digits.npz` here: `x` [5000, 28, 28] of 0 to 255, `y` [5000], and `split`, which says what
runs on `--dataset=mnist5k` use each digit for. Data of your own in a file of this form do as well,
here and after `--array=`. It needs the environment of this project. Argument: the file.
"""

import sys
from pathlib import Path

import numpy as np

from inputs import sources

FILE = sys.argv[1] if len(sys.argv) > 1 else 'digits.npz'

parts = sources.read('mnist5k', '', Path('data')).splits
split = np.repeat(list(parts), [len(part.x) for part in parts.values()])
x = np.concatenate([part.x for part in parts.values()])
y = np.concatenate([part.y for part in parts.values()])
order = np.argsort(np.concatenate([part.places for part in parts.values()]))
np.savez_compressed(FILE, x=x[order], y=y[order], split=split[order])

counts = ', '.join(f'{len(part.x):,} {name}' for name, part in parts.items())
print(f'{FILE}: x {x.shape} of {x.min()} to {x.max()}, y {y.shape}; {counts}')
