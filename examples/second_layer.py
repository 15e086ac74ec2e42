"""A second layer on the sums of a first one: k-means of patches of pictures, then of its maps.

    python -m examples.second_layer mnist5k runs

Layer by layer, and without labels but for the classifiers: centroids of patches of the pictures;
their codes at every place, summed over 6x6 regions, which are maps of as many channels as there are
centroids; centroids of 2x2 patches of these maps. A linear classifier on either layer's codes,
summed over quadrants, says what it is worth. What is finished is not trained again. `cifar10` in
the place of `mnist5k`, whose JPEG files are of quality 75, takes an hour, and 10 GiB on disk. It
needs the environment of this project. Arguments: the data set, and where run folders are made, with
the maps.
"""

import signal
import sys
from pathlib import Path

import numpy as np

import dataset
import inst
from inference import load
from system.errors import UserError
from train.folder import Place
from train.run import run

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C between two runs ends the script at once
DATASET = sys.argv[1] if len(sys.argv) > 1 else 'mnist5k'
RUNS = Path(sys.argv[2] if len(sys.argv) > 2 else 'runs')
SIDE = 6  # of the maps, in regions

first = inst.coates2011_kmeans.vary(dataset=DATASET, **{'parent.hidden': 400})
sums = first.vary(pool=SIDE, epochs=1)  # of the same centroids, over smaller regions
maps = RUNS / f'maps-{DATASET}-{SIDE}-{first.parent.hidden[0]}.npz'
second = first.vary(
    dataset='array',
    data_path=str(maps),
    l2=0.05,
    **{
        'parent.patch_size': 2,
        'parent.patches': 100_000,  # each of 2 * 2 * 400 numbers
        'parent.hidden': 800,
        'parent.batch_size': 1000,
    },
)
place = Place(runs=RUNS, figures=False)


def accuracy_of(experiment):
    """Trains what is not trained yet; returns the share of test examples that is right."""
    try:
        return run(experiment, inst.coates2011_kmeans, place)['metrics']['test/accuracy']
    except UserError as error:  # or Ctrl-C within a run, which the same command goes on with
        print(f'error: {error}', file=sys.stderr)
        sys.exit(error.exit_code)


def write_maps():
    """Writes the sums of all examples as maps, [N, 6, 6, 400], with labels and splits."""
    data = dataset.load(sums, place.data_dir)
    splits = [split for split, rows in data.splits.items() for _ in range(len(rows))]
    y = np.array(data.spec.classes)[np.concatenate([rows.y for rows in data.splits.values()])]
    with load(place.folder(sums, inst.coates2011_kmeans)) as trained:
        x = np.empty((len(y), SIDE, SIDE, sums.parent.hidden[0]), np.float32)
        done = 0
        for rows in data.splits.values():
            for start in range(0, len(rows), 1000):
                codes = trained.encode(rows.x[start : start + 1000])
                x[done : done + len(codes)] = codes.reshape(len(codes), *x.shape[1:])
                done += len(codes)
    aside = maps.with_suffix('.writing.npz')  # so that what is there is whole
    np.savez(aside, x=x, y=y, split=splits)
    aside.replace(maps)


found = {'the first layer': accuracy_of(first)}
accuracy_of(sums)
if not maps.exists():
    write_maps()
found['the second'] = accuracy_of(second)

print('\ntest accuracy of a linear classifier on the codes of')
for name, accuracy in found.items():
    print(f'{accuracy:.3f}  {name}')
