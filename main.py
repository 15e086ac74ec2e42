"""Trains, evaluates, saves and uses the named experiments of inst.py.

python main.py --experiment=phasewise --dataset=mnist5k
python main.py --list
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from absl import flags

import inst
from errors import UsageError, UserError
from parameters import DATASETS, PRECISIONS, Experiment, nearest, parse

FLAGS = flags.FLAGS
MODES = ('train', 'predict')

flags.DEFINE_string('experiment', None, 'A name of --list.')
flags.DEFINE_bool('list', False, 'Print every experiment, with its source, and stop.')
flags.DEFINE_bool('describe', False, "Print the experiment's resolved values as JSON, and stop.")
flags.DEFINE_string('mode', 'train', f'What to do: {", ".join(MODES)}.')
flags.DEFINE_string('dataset', None, f"Instead of the experiment's: {', '.join(DATASETS)}.")
flags.DEFINE_string(
    'array', None, 'A file .npz with x [N, ...] and y [N]: data to train on or label.'
)
flags.DEFINE_string('images', None, 'A folder of pictures to label (--mode=predict).')
flags.DEFINE_integer('seed', None, 'Keys initial weights, shuffling and dropout.')
flags.DEFINE_integer('seeds', 1, 'Run this many seeds, and print mean and spread.', lower_bound=1)
flags.DEFINE_string('precision', None, f'{" or ".join(PRECISIONS)}.')
flags.DEFINE_multi_string('set', [], 'field=value of --describe; repeatable.')
flags.DEFINE_string('parent', None, "A run folder or a saved graph's prefix to transfer from.")
flags.DEFINE_string('runs', 'runs', 'Where run folders are made.')
flags.DEFINE_string('run_dir', None, "This run's folder, instead of one under --runs.")
flags.DEFINE_string('data_dir', 'data', 'Where data sets are found and records are kept.')
flags.DEFINE_float(
    'checkpoint_seconds', 0.0, 'Between checkpoints; 0: so that they cost under 1 %.'
)
flags.DEFINE_bool('restart', False, 'Discard what the run folder holds and begin again.')
flags.DEFINE_bool('verify', False, 'Hash the records before reading them.')
flags.DEFINE_bool('help', False, 'Print this help, and stop.')


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit code."""
    try:
        parse_flags(arguments)
        act()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print('error: interrupted; the same command goes on from here', file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


def parse_flags(arguments: list[str]) -> None:
    """Parses the command line; raises UsageError for an unknown flag or a stray argument."""
    try:
        stray = FLAGS(arguments)[1:]
    except flags.UnrecognizedFlagError as error:
        raise UsageError(
            f'--{error.flagname}: no such flag{nearest(error.flagname, FLAGS)}'
        ) from None
    except flags.Error as error:
        raise UsageError(' '.join(str(error).split())) from None
    if stray:
        raise UsageError(f'stray argument {stray[0]!r}; flags are written --name=value')


def act() -> None:
    """Does what the flags ask."""
    if FLAGS.help:
        print(__doc__ + FLAGS.main_module_help())
        return
    if FLAGS.list:
        for name, experiment in inst.EXPERIMENTS.items():
            print(f'{name:31}{experiment.description} [{experiment.source}]')
        return
    if not FLAGS.experiment:
        raise UsageError('--experiment=NAME is needed; --list shows the names')
    if FLAGS.mode not in MODES:
        hint = nearest(FLAGS.mode, MODES)
        raise UsageError(f'--mode={FLAGS.mode}: allowed are {", ".join(MODES)}{hint}')
    base = inst.find(FLAGS.experiment)
    experiment = chosen(base)
    if FLAGS.describe:
        print(json.dumps(experiment.resolved(), indent=2))
        return
    with silent():
        import train
    place = train.Place(
        runs=Path(FLAGS.runs),
        data_dir=Path(FLAGS.data_dir),
        run_dir=Path(FLAGS.run_dir) if FLAGS.run_dir else None,
        restart=FLAGS.restart,
        verify=FLAGS.verify,
        checkpoint_seconds=FLAGS.checkpoint_seconds,
    )
    if FLAGS.mode == 'predict':
        if bool(FLAGS.images) == bool(FLAGS.array):
            raise UsageError('--mode=predict needs --images=DIR or --array=FILE.npz')
        folder = place.folder(experiment, base)
        print(f'labels are in {train.predict(folder, FLAGS.images, FLAGS.array)}')
    elif FLAGS.seeds > 1:
        if FLAGS.run_dir:
            raise UsageError('--run_dir names one run; with --seeds use --runs')
        train.run_study(experiment, base, place, FLAGS.seeds)
    else:
        train.run(experiment, base, place)


def chosen(base: Experiment) -> Experiment:
    """Returns the experiment that the flags ask for."""
    changes = {}
    for setting in FLAGS.set:
        name, equals, text = setting.partition('=')
        if not equals:
            raise UsageError(f'--set {setting}: write --set field=value')
        changes[name] = parse(name, text)
    for name in ('dataset', 'seed', 'precision'):
        if getattr(FLAGS, name) is not None:
            changes[name] = getattr(FLAGS, name)
    if FLAGS.mode == 'train' and FLAGS.images:
        raise UsageError('--images: pictures can be labelled (--mode=predict), not yet trained on')
    if FLAGS.mode == 'train' and FLAGS.array:
        changes |= {'dataset': 'array', 'data_path': FLAGS.array}
    if FLAGS.parent:
        if base.parent is None:
            raise UsageError(f'--parent: {base.name} restores no graph, its network is its own')
        changes['parent'] = FLAGS.parent
    return base.vary(**changes)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keeps TensorFlow's start-up messages off the screen; its Python errors still get through."""
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    sys.stderr.flush()
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
        import tensorflow as tf

        tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


if __name__ == '__main__':
    sys.exit(main(sys.argv))
