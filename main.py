"""Trains, evaluates, saves and uses the named experiments of inst.py.

python main.py --experiment=phasewise --dataset=mnist5k
python main.py --list
python main.py --mode=encode --run_dir=runs/phasewise/mnist5k-seed0
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from absl import flags

import inst
import questions
from command_line import parse
from errors import UsageError, UserError
from parameters import DATASETS, PRECISIONS, Experiment, nearest
from studies import Study

FLAGS = flags.FLAGS
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)
MODES = ('train', 'evaluate', 'encode', 'predict', 'generate', 'results', 'report')

flags.DEFINE_string('experiment', None, 'A name of --list.')
flags.DEFINE_bool('list', False, 'Print every experiment, with its source, and stop.')
flags.DEFINE_bool('describe', False, "Print the experiment's resolved values as JSON, and stop.")
flags.DEFINE_string('mode', 'train', f'What to do: {", ".join(MODES)}.')
flags.DEFINE_string('dataset', None, f"Instead of the experiment's: {', '.join(DATASETS)}.")
flags.DEFINE_string(
    'array', None, 'A file .npz with x [N, ...] and y [N]: data to train on or label.'
)
flags.DEFINE_string('images', None, 'A folder of pictures: data to train on or label.')
flags.DEFINE_integer('seed', None, 'Keys initial weights, shuffling and dropout.')
flags.DEFINE_integer(
    'seeds', None, 'Run this many seeds, and print mean and spread.', lower_bound=1
)
flags.DEFINE_string('precision', None, f'{" or ".join(PRECISIONS)}.')
flags.DEFINE_multi_string('set', [], 'field=value of --describe; repeatable.')
flags.DEFINE_string('codes', None, 'A file .npz with codings [N, units] (--mode=generate).')
flags.DEFINE_integer('count', 100, 'Codes to draw (--mode=generate).', lower_bound=1)
flags.DEFINE_string('parent', None, "A run folder or a saved graph's prefix to transfer from.")
flags.DEFINE_integer(
    'jobs', 1, 'Runs of a study or the ledger at once, each on its share of cores.', lower_bound=1
)
flags.DEFINE_bool('figures', True, 'Draw the figures of a finished run.')
flags.DEFINE_string('runs', 'runs', 'Where run folders are made.')
flags.DEFINE_string('run_dir', None, "This run's folder, instead of one under --runs.")
flags.DEFINE_string('data_dir', 'data', 'Where data sets are found and records are kept.')
flags.DEFINE_float(
    'checkpoint_seconds', 0.0, 'Between checkpoints; 0: so that they cost under 1 %.'
)
flags.DEFINE_bool('restart', False, 'Discard what the run folder holds and begin again.')
flags.DEFINE_bool(
    'tune', False, 'Score on validation examples, below runs/tuning; the test set stays unseen.'
)
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
    except BrokenPipeError:  # as in `main.py --list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        where = f'{error.filename}: ' if error.filename else ''
        print(f'error: {where}{error.strerror}; what was saved before is kept', file=sys.stderr)
        return 1
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
        for name, value in questions.CATALOGUE.items():
            kind = (
                f' (study of {len(value.points())} x {value.seeds} runs)' if is_study(value) else ''
            )
            print(f'{name:31}{value.description}{kind} [{value.source}]')
        return
    if FLAGS.mode in ('results', 'report'):
        fill_ledger()
        return
    if not FLAGS.experiment and not (FLAGS.run_dir and FLAGS.mode != 'train'):
        other = '' if FLAGS.mode == 'train' else ', or --run_dir=FOLDER of a finished run,'
        raise UsageError(f'--experiment=NAME{other} is needed; --list shows the names')
    if FLAGS.mode not in MODES:
        hint = nearest(FLAGS.mode, MODES)
        raise UsageError(f'--mode={FLAGS.mode}: allowed are {", ".join(MODES)}{hint}')
    if FLAGS.mode != 'train':
        use_run()
        return
    base = questions.find(FLAGS.experiment)
    experiment = chosen(base)
    if FLAGS.describe:
        print(json.dumps(experiment.resolved(), indent=2))
        return
    if FLAGS.jobs > 1 and not is_study(experiment):
        raise UsageError(
            f'--jobs={FLAGS.jobs}: {experiment.name} is one run; name a study, or --seeds'
        )
    if is_study(experiment) and FLAGS.run_dir:
        raise UsageError('--run_dir names one run; a study and --seeds write below --runs')
    with silent():
        import train
    if is_study(experiment):
        train.run_study(experiment, inst.EXPERIMENTS, place(), FLAGS.jobs)
    else:
        train.run(experiment, base, place())


def is_study(value: Experiment | Study) -> bool:
    """Whether it is several runs."""
    return isinstance(value, Study)


def place():
    """Returns where runs read and write."""
    import train

    return train.Place(
        runs=Path(FLAGS.runs),
        data_dir=Path(FLAGS.data_dir),
        run_dir=Path(FLAGS.run_dir) if FLAGS.run_dir else None,
        restart=FLAGS.restart,
        verify=FLAGS.verify,
        checkpoint_seconds=FLAGS.checkpoint_seconds,
        figures=FLAGS.figures,
        tune=FLAGS.tune,
    )


def use_run() -> None:
    """Does what --mode asks with a finished run: its saved configuration, another data set."""
    if FLAGS.mode == 'predict' and bool(FLAGS.images) == bool(FLAGS.array):
        raise UsageError('--mode=predict needs --images=DIR or --array=FILE.npz')
    if FLAGS.run_dir:
        idle = [name for name in ('set', 'parent', 'precision') if FLAGS[name].value]
        if idle:
            raise UsageError(f'--{idle[0]}: the configuration saved in --run_dir is used')
        folder, changes = Path(FLAGS.run_dir), data_changes()
    else:
        base = questions.find(FLAGS.experiment)
        if is_study(base):
            raise UsageError(f'--mode={FLAGS.mode}: {base.name} is a study; name one run')
        with silent():
            folder, changes = place().folder(chosen(base), base), {}
    with silent():
        import train
    if FLAGS.mode == 'predict':
        print(f'labels are in {train.predict(folder, FLAGS.images, FLAGS.array)}')
    elif FLAGS.mode == 'encode':
        print(f'codes are in {train.encode(folder, changes, Path(FLAGS.data_dir))}')
    elif FLAGS.mode == 'evaluate':
        train.evaluate_run(folder, changes, Path(FLAGS.data_dir))
    else:
        made = train.generate(folder, FLAGS.codes, FLAGS.count, FLAGS.seed or 0)
        print(f'samples are in {made}')


def fill_ledger() -> None:
    """Writes RESULTS.md: of --experiment, or of all, trains what is missing where asked to."""
    idle = ('set', 'parent', 'precision', 'seed', 'seeds', 'dataset', 'array', 'images', 'run_dir')
    given = [name for name in idle if FLAGS[name].value not in (None, [])]
    given += ['tune'] if FLAGS.tune else []
    if given:
        raise UsageError(f'--{given[0]}: the claims say what is run, and on which data')
    asked = inst.claims_about(FLAGS.experiment) if FLAGS.experiment else inst.CLAIMS
    if not asked:
        names = {experiment.name for claim in inst.CLAIMS for experiment in claim.experiments()}
        hint = nearest(FLAGS.experiment, names)
        raise UsageError(f'--experiment={FLAGS.experiment}: no claim is about it{hint}')
    with silent():
        from ledger import work
    work.fill(inst.CLAIMS, asked, place(), FLAGS.jobs if FLAGS.mode == 'results' else 0)


def data_changes() -> dict[str, str]:
    """Returns the fields that the data flags set."""
    given = {name: FLAGS[name].value for name in ('images', 'array') if FLAGS[name].value}
    if len(given) > 1 or (given and FLAGS.dataset not in (None, *given)):
        named = ', '.join(f'--{name}' for name in (*given, 'dataset') if FLAGS[name].value)
        raise UsageError(f'{named}: name one source of data')
    for name, path in given.items():
        return {'dataset': name, 'data_path': path}
    return {'dataset': FLAGS.dataset} if FLAGS.dataset else {}


def chosen(base: Experiment | Study) -> Experiment | Study:
    """Returns the experiment or study that the flags ask for; several seeds make a study of one."""
    changes = {}
    for setting in FLAGS.set:
        name, equals, text = setting.partition('=')
        if not equals:
            raise UsageError(f'--set {setting}: write --set field=value')
        changes[name] = parse(name, text)
    for name in ('seed', 'precision'):
        if getattr(FLAGS, name) is not None:
            changes[name] = getattr(FLAGS, name)
    changes |= data_changes() if FLAGS.mode != 'predict' else {}
    if FLAGS.parent:
        if is_study(base) or base.parent is None:
            raise UsageError(f'--parent: {base.name} restores no graph, its network is its own')
        changes['parent'] = FLAGS.parent
    experiment = base.vary(**changes)
    if FLAGS.seeds is None:
        return experiment
    if is_study(base):
        return dataclasses.replace(experiment, seeds=FLAGS.seeds)
    words = (base.name, base.description, base.source)
    return Study(*words, arms=(experiment,), seeds=FLAGS.seeds) if FLAGS.seeds > 1 else experiment


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
