"""Find what does not belong: the reconstruction error of a network that saw one kind of digit.

    python -m examples.digits
    python -m examples.anomalies runs/sevens digits.npz

It trains on sevens alone (in seconds; a run that is in the folder already is loaded), and says how
well the error tells each other digit from sevens that were held out: the area under the ROC curve,
1 where every other digit has a greater error, 0.5 where the error says nothing. It needs the
environment of this project. Arguments: the folder of the run, the digits.
"""

import signal
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

import inst
from inference import fit, load
from system.errors import UserError

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the script at once
RUN = Path(sys.argv[1] if len(sys.argv) > 1 else 'runs/sevens')
FILE = sys.argv[2] if len(sys.argv) > 2 else 'digits.npz'
NORMAL = 7

digits = np.load(FILE)
x, y, is_train = digits['x'], digits['y'], digits['split'] == 'train'

try:
    if (RUN / 'results.json').exists():
        run = load(RUN)
    else:
        experiment = inst.basic.vary(hidden=(16,), epochs=300, batch_size=50)
        run = fit(experiment, x[is_train & (y == NORMAL)], run_dir=RUN)
except UserError as error:  # or Ctrl-C while it trains, which the same command goes on with
    print(f'error: {error}', file=sys.stderr)
    sys.exit(error.exit_code)
with run:
    errors = run.score(x[~is_train])['mse']  # one an example, in their order
kinds = y[~is_train]

print(f'mean error of {NORMAL}: {errors[kinds == NORMAL].mean():.4f}')
for kind in sorted({*kinds} - {NORMAL}):
    among = (kinds == NORMAL) | (kinds == kind)
    area = roc_auc_score(kinds[among] == kind, errors[among])
    print(f'mean error of {kind}: {errors[kinds == kind].mean():.4f}, ROC AUC {area:.3f}')
print(f'all of them: ROC AUC {roc_auc_score(kinds != NORMAL, errors):.3f}')
