"""Trains, evaluates, saves and uses the named experiments of inst.py.

python main.py --experiment=phasewise --dataset=mnist5k
python main.py --list
python main.py --mode=encode --run_dir=runs/phasewise/mnist5k-seed0
"""

from __future__ import annotations

import dataclasses
import gc
import math
import os
import shutil
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from system.errors import FAULTS, UsageError, UserError, line_of
from system.lines import say, warned

if sys.platform == 'win32':
    say('error: Windows: much here needs Unix; use Linux in it, as by WSL', to=sys.stderr)
    raise SystemExit(2)

try:
    from absl import flags
except ModuleNotFoundError as missing:
    say(
        f'error: {sys.executable} has no {missing.name}: `source .venv/bin/activate` makes python '
        'that of the environment, which `make setup` fills',
        to=sys.stderr,
    )
    raise SystemExit(2) from None

try:  # files that its user writes in
    import inst
    from studies import catalogue
except Exception as error:
    say(f'error: {line_of(error)}', to=sys.stderr)
    raise SystemExit(2) from None

from command_line import flag_fault, flag_meant, parse, settable
from ledger import own
from parameters import COUNT, DATASETS, PRECISIONS, SEED, Experiment
from studies.described import description, is_study, line
from studies.study import Study
from system import standard
from system.quiet import silent
from system.rules import nearest
from train.executors import reached

if TYPE_CHECKING:
    from train.folder import Place

FLAGS = flags.FLAGS

_NAMED = ('experiment', 'dataset', 'array', 'images', 'seed', 'set', 'precision', 'parent')
_RUN = (*_NAMED, 'run_dir', 'tune', 'trust_graph')
_TRAINING = ('figures', 'summaries', 'checkpoint_seconds', 'restart')
PATHS = ('array', 'images', 'codes', 'parent', 'runs', 'run_dir', 'data_dir', 'inst', 'scheduler')
PLACES = ('runs', 'data_dir', 'inst')  # say where things are: a flagfile can hold them
MODES = {  # what is done -> the flags that take effect in it, besides PLACES
    'train': (*_RUN, 'seeds', 'jobs', 'scheduler', *_TRAINING, 'verify', 'worker_seconds'),
    'evaluate': (*_RUN, 'figures', 'verify'),
    'encode': (*_RUN, 'format', 'verify'),
    'reconstruct': (*_RUN, 'format', 'verify'),
    'score': (*_RUN, 'detail', 'figures', 'verify'),
    'predict': (*_RUN, 'verify'),
    'generate': (*_RUN, 'codes', 'count'),
    'export': (*_RUN, 'format', 'verify'),
    'results': ('experiment', 'jobs', 'scheduler', *_TRAINING, 'verify'),
    'report': ('experiment',),
    'compare': ('figures',),  # and the runs, which are no flags
}
FORMATS = {  # what is done -> the forms in which it can be written
    'encode': ('npz', 'csv'),
    'reconstruct': ('npz', 'csv'),
    'export': ('tflite', 'onnx', 'frozen', 'numpy'),
}
ANSWERS = {'list': (), 'describe': (*_NAMED, 'seeds')}  # flags that ask -> the same

flags.DEFINE_string('experiment', None, 'A name of --list.')
flags.DEFINE_string('inst', None, 'A file .py with experiments, studies and claims of your own.')
flags.DEFINE_bool('list', False, 'Print every experiment and study, with its source, and stop.')
flags.DEFINE_bool('describe', False, 'Print its values, with their meanings, as JSON, and stop.')
flags.DEFINE_string('mode', 'train', f'What to do: {", ".join(MODES)}.')
flags.DEFINE_string('dataset', None, f"Instead of the experiment's: {', '.join(DATASETS)}.")
flags.DEFINE_string(
    'array', None, 'A file .npz with x [N, ...] and y [N]: data to train on, or to use a run on.'
)
flags.DEFINE_string('images', None, 'A folder of pictures: data to train on, or to use a run on.')
flags.DEFINE_integer(
    'seed', None, 'Keys initial weights, shuffling, dropout, drawn codes.', 0, int(SEED.most)
)
flags.DEFINE_integer(
    'seeds', None, 'Run this many seeds, and print mean and spread.', 1, int(COUNT.most)
)
flags.DEFINE_string('precision', None, f'{" or ".join(PRECISIONS)}.')
flags.DEFINE_multi_string('set', [], 'A field of --describe and its value, as epochs=20')
flags.DEFINE_string('codes', None, 'A file .npz with codings [N, units] (--mode=generate).')
_FORMS = '; '.join(f'--mode={mode}: {", ".join(forms)}' for mode, forms in FORMATS.items())
flags.DEFINE_string('format', None, f'Of what is written ({_FORMS}).')
flags.DEFINE_bool('detail', False, 'Errors of each feature, step or pixel too (--mode=score).')
flags.DEFINE_integer('count', 100, 'Codes to draw (--mode=generate).', 1, int(COUNT.most))
flags.DEFINE_string('parent', None, "A run folder or a saved graph's prefix to transfer from.")
flags.DEFINE_integer(
    'jobs', 1, 'Runs of a study or the ledger at once, sharing the cores.', 1, int(COUNT.most)
)
flags.DEFINE_string(
    'scheduler', None, 'A Dask scheduler whose workers make the runs: tcp://host:8786, or its file.'
)
flags.DEFINE_bool('figures', True, 'Draw the figures of a finished run.')
flags.DEFINE_enum(
    'summaries', 'scalars', ('scalars', 'all'), 'What TensorBoard is told of a run, in tb/ there.'
)
flags.DEFINE_string('runs', 'runs', 'Where run folders are made.')
flags.DEFINE_string('run_dir', None, "The run's folder, instead of one under --runs.")
flags.DEFINE_string('data_dir', 'data', 'Where data sets are found and records are kept.')
flags.DEFINE_float('checkpoint_seconds', 0.0, 'Seconds between checkpoints; 0: under 1 % of time.')
flags.DEFINE_float(
    'worker_seconds', 60.0, 'Seconds without an answer from a worker of TF_CONFIG until all end.'
)
flags.DEFINE_bool('restart', False, 'Discard what the run folder holds and begin again.')
flags.DEFINE_bool(
    'tune', False, 'Score on validation examples, below runs/tuning; the test set stays unseen.'
)
flags.DEFINE_bool(
    'trust_graph', False, 'Let a restored graph be large, loop and be random: you know who made it.'
)
flags.DEFINE_bool('verify', False, 'Hash the records before reading them.')
flags.DEFINE_bool('help', False, 'Print this help, and stop.', short_name='h')
flags.register_validator(  # type: ignore[no-untyped-call]
    'checkpoint_seconds', lambda seconds: 0 <= seconds < math.inf, 'must be a number from 0 on'
)


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit code."""
    standard.keep()
    warnings.showwarning = warned
    try:
        act(parse_flags(arguments))
    except UserError as error:
        say(f'error: {error}', to=sys.stderr)
        return error.exit_code
    except MemoryError as error:
        say(f'error: no memory left; {error}', to=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in FAULTS:
            raise
        where = f'{os.fsdecode(error.filename)}: ' if error.filename else ''
        say(f'error: {where}{error.strerror}; what was saved before is kept', to=sys.stderr)
        return 1
    except KeyboardInterrupt:
        trains = FLAGS.is_parsed() and FLAGS.mode in ('train', 'results')
        what = 'goes on from here' if trains and not FLAGS.restart else 'begins again'
        say(f'error: interrupted; the same command {what}', to=sys.stderr)
        return 128 + signal.SIGINT
    if fault := standard.fault():
        say(f'error: what was printed is not all there ({fault})', to=sys.stderr)
        return 1
    return 0


def parse_flags(arguments: list[str]) -> list[str]:
    """Parses the command line; returns what is no flag.

    Raises UsageError for an unknown flag, and what would be ignored: a flag that is empty, or given
    twice. Places may be, so that a command overrides a flagfile's.
    """
    for file in (each.partition('=')[2] for each in arguments if 'flagfile=' in each[:11]):
        if not (os.path.isfile(os.path.expanduser(file)) or file.startswith('/dev/fd/')):
            raise UsageError(f'--flagfile={file}: is no file that can be read')
    try:
        stray = FLAGS(arguments)[1:]
    except flags.UnrecognizedFlagError as error:
        raise UsageError(
            f'--{error.flagname}: no such flag{flag_meant(error.flagname, FLAGS)}'
        ) from None
    except UnicodeDecodeError:  # names are told to a program as bytes, but files of flags are text
        raise UsageError(
            '--flagfile: holds bytes that are no UTF-8; give such names as flags'
        ) from None
    except flags.Error as error:
        raise UsageError(flag_fault(error)) from None
    for name in filter(given, FLAGS):
        if FLAGS[name].value == '':
            raise UsageError(f'--{name}=: a value is needed')
        if FLAGS[name].present > 1 and name not in (*PLACES, 'set'):
            raise UsageError(f'--{name} is given {FLAGS[name].present} times; give it once')
    for name in PATHS:
        path: str | None = FLAGS[name].value
        if path:  # a shell leaves the ~ of --images=~/pictures as it is
            FLAGS[name].value = os.path.expanduser(path)
    return stray


def given(name: str) -> bool:
    """Whether a flag stands on the command line or in a flagfile."""
    return bool(FLAGS[name].present)


def act(named: list[str]) -> None:
    """Does what the flags ask, with the runs that are `named` beside them.

    Raises UsageError for what takes no effect there.
    """
    if FLAGS.help:
        say(*((__doc__ or '') + FLAGS.main_module_help()).split('\n'))
        return
    mode = FLAGS.mode
    if mode not in MODES:
        raise UsageError(f'--mode={mode}: allowed are {", ".join(MODES)}{nearest(mode, MODES)}')
    if named and mode != 'compare':
        raise UsageError(
            f'stray argument {named[0]!r}; flags are written --name=value; '
            'runs alone are named without, in --mode=compare'
        )
    answers = [name for name in ANSWERS if FLAGS[name].value]
    if len(answers) > 1:
        raise UsageError(f'--{answers[0]}, --{answers[1]}: ask for one of them')
    asked = answers[0] if answers else None
    if asked and given('mode'):
        raise UsageError(f'--mode={mode}: nothing is done with --{asked}, which only answers')
    here, effective = (f'--{asked}', ANSWERS[asked]) if asked else (f'--mode={mode}', MODES[mode])
    refuse_idle(here, effective)
    mine = own.load(FLAGS.inst)
    if asked == 'list':
        list_all(mine)
    elif mode in ('results', 'report'):
        fill_ledger(mine)
    elif mode == 'compare':
        compare(named)
    elif mode == 'train':
        train(describes=asked == 'describe')
    else:
        use_run()


def refuse_idle(here: str, effective: tuple[str, ...]) -> None:
    """Raises UsageError for a given flag that takes no effect here, naming where it does."""
    rows = {f'--mode={name}': row for name, row in MODES.items()}
    rows |= {f'--{name}': row for name, row in ANSWERS.items()}
    known = dict.fromkeys(name for row in rows.values() for name in row)
    for name in known:
        if given(name) and name not in effective:
            where = ', '.join(place for place, row in rows.items() if name in row)
            raise UsageError(f'--{name} has no effect with {here}; it has with {where}')


def list_all(mine: own.Own) -> None:
    """Prints the catalogue, a line an experiment or study, a user's own in a group of theirs."""
    for name, value in catalogue.CATALOGUE.items():
        if name in mine.named[:1]:
            say('', mine.file)
        say(line(name, value))
    if mine.data_sets:
        say(f'data sets of {mine.file}: {", ".join(mine.data_sets)}')


def place() -> Place:
    """Returns where runs read and write."""
    with silent():
        from train.folder import Place

    return Place(
        runs=Path(FLAGS.runs),
        data_dir=Path(FLAGS.data_dir),
        run_dir=Path(FLAGS.run_dir) if FLAGS.run_dir else None,
        restart=FLAGS.restart,
        verify=FLAGS.verify,
        checkpoint_seconds=FLAGS.checkpoint_seconds,
        figures=FLAGS.figures,
        summaries=FLAGS.summaries,
        tune=FLAGS.tune,
        trusted=FLAGS.trust_graph,
    )


def train(*, describes: bool) -> None:
    """Trains the experiment or study that the flags ask for, or describes it."""
    if not FLAGS.experiment:
        raise UsageError('--experiment=NAME is needed; --list shows the names')
    base = catalogue.find(FLAGS.experiment)
    experiment = chosen(base)
    if describes:
        say(*description(experiment).split('\n'))
        return
    if (FLAGS.jobs > 1 or FLAGS.scheduler) and not is_study(experiment):
        asked = f'--scheduler={FLAGS.scheduler}' if FLAGS.scheduler else f'--jobs={FLAGS.jobs}'
        raise UsageError(f'{asked}: {experiment.name} is one run; name a study, or --seeds')
    if is_study(experiment) and FLAGS.run_dir:
        raise UsageError('--run_dir names one run; a study and --seeds write below --runs')
    if FLAGS.tune and given('figures') and FLAGS.figures:
        raise UsageError('--figures has no effect with --tune, which draws none')
    scheduler = reached(FLAGS.scheduler, given('jobs'))
    with silent():
        from studies.run import run_study
        from train import cluster
        from train.run import run_together
    if given('worker_seconds'):
        cluster.require(os.environ, '--worker_seconds')
    if is_study(experiment):
        run_study(experiment, inst.EXPERIMENTS, place(), FLAGS.jobs, scheduler)
    elif not is_study(base):  # as it cannot be: a study is varied to a study
        run_together(experiment, base, place(), FLAGS.worker_seconds)


def use_run() -> None:
    """Does what --mode asks with a finished run: its saved configuration, or other data."""
    mode = FLAGS.mode
    if mode == 'predict' and bool(FLAGS.images) == bool(FLAGS.array):
        raise UsageError('--mode=predict needs --images=DIR or --array=FILE.npz, to be labelled')
    if FLAGS.codes and given('count'):
        raise UsageError(f'--count={FLAGS.count} has no effect with --codes, which says how many')
    if not (FLAGS.run_dir or FLAGS.experiment):
        raise UsageError(
            f'--mode={mode}: --experiment=NAME, or --run_dir=FOLDER of a finished run, is needed; '
            '--list shows the names'
        )
    forms = asked_forms(mode)
    folder, changes = finished_run()
    with silent():
        from inference import export, use, write
    if mode == 'predict':
        own = 'images' if FLAGS.images else 'array'
        labelled = {'dataset': own, 'data_path': FLAGS[own].value}
        say(f'labels are in {write.predict(folder, labelled, place())}')
    elif mode == 'encode':
        say(f'codes are in {write.encode(folder, changes, place(), forms[0])}')
    elif mode == 'reconstruct':
        say(f'outputs are in {write.reconstruct(folder, changes, place(), forms[0])}')
    elif mode == 'score':
        file, summary = write.score(folder, changes, place(), detail=FLAGS.detail)
        say(*summary.split('\n'), f'the scores of each example are in {file}')
    elif mode == 'export':
        say(*export.export(folder, changes, place(), forms).split('\n'))
    elif mode == 'evaluate':
        use.evaluate(folder, changes, place())
    else:
        made = use.generate(
            folder, FLAGS.codes, FLAGS.count, FLAGS.seed or 0, trusted=FLAGS.trust_graph
        )
        say(f'samples are in {made}')


def asked_forms(mode: str) -> tuple[str, ...]:
    """Returns the forms to write in: that of --format, or all of the mode, the usual one first.

    Raises UsageError for one that it has not.
    """
    forms: tuple[str, ...] = FORMATS.get(mode, ())
    if FLAGS.format is None or FLAGS.format in forms:
        return (FLAGS.format,) if FLAGS.format else forms
    raise UsageError(
        f'--format={FLAGS.format}: allowed with --mode={mode} are {", ".join(forms)}'
        f'{nearest(FLAGS.format, forms)}'
    )


def finished_run() -> tuple[Path, dict[str, str]]:
    """Returns the folder of the run that is used, and the fields that name other data for it."""
    if not FLAGS.run_dir:
        base = catalogue.find(FLAGS.experiment)
        if is_study(base):
            raise UsageError(f'--mode={FLAGS.mode}: {base.name} is a study; name one run')
        return place().folder(base.vary(**asked_of(base)), base), {}
    saved = ['set', 'parent', 'precision']
    saved += [] if FLAGS.mode == 'generate' else ['seed']  # which keys the sampled codes there
    saved += [] if FLAGS.mode == 'evaluate' else ['tune']
    idle = {'predict': ['dataset'], 'generate': ['dataset', 'array', 'images']}
    saved += idle.get(FLAGS.mode, [])
    for name in saved:
        if given(name):
            raise UsageError(
                f'--{name} has no effect here: the configuration saved in --run_dir is used'
            )
    if FLAGS.codes and given('seed'):
        raise UsageError('--seed has no effect with --codes: nothing is sampled')
    folder = Path(FLAGS.run_dir)
    if FLAGS.experiment:
        with silent():
            from train.folder import configuration
        experiment, _ = configuration(folder)
        if experiment.name != FLAGS.experiment:
            raise UsageError(
                f'--experiment={FLAGS.experiment}: the run in --run_dir is of {experiment.name}'
            )
    return folder, {} if FLAGS.mode == 'predict' else data_changes()


def fill_ledger(mine: own.Own) -> None:
    """Writes RESULTS.md; in --mode=results trains first what all claims lack, or --experiment's.

    With --inst, the claims are those of that file, and the page is beside it.
    """
    from ledger import book, claims

    every = mine.claims if mine.file else claims.CLAIMS
    if not every:
        raise UsageError(
            f'--inst={mine.file}: has no claims; write words = Claim(...) there, or leave --inst '
            'out for those of this project'
        )
    asked = claims.claims_about(FLAGS.experiment, every) if FLAGS.experiment else every
    if not asked:
        names = {experiment.name for claim in every for experiment in claim.experiments()}
        hint = nearest(FLAGS.experiment, names)
        of = f' of {mine.file}' if mine.file else ''
        raise UsageError(f'--experiment={FLAGS.experiment}: no claim{of} is about it{hint}')
    scheduler = reached(FLAGS.scheduler, given('jobs'))
    with silent():
        from ledger import fill
        from train import cluster
    if FLAGS.mode == 'results':
        cluster.refuse(os.environ, '--mode=results')
    at_once = FLAGS.jobs if FLAGS.mode == 'results' else 0
    its = book.beside(mine.file) if mine.file else book.PROJECT
    fill.fill(every, asked, place(), at_once, its, scheduler)


def compare(named: list[str]) -> None:
    """Shows the runs that paths or patterns name side by side, and writes that down."""
    from reports import comparison, comparison_page, side_by_side

    if not named:
        raise UsageError('--mode=compare: name two runs or more, or a folder of them, beside it')
    found = comparison.of(named)
    for words in found.warnings:
        say(f'warning: {words}')
    width = shutil.get_terminal_size((100, 24)).columns
    say(*side_by_side.text(found, width).split('\n'))
    made = comparison.write(found, Path(FLAGS.runs), figures=FLAGS.figures)
    for words in made.warnings[len(found.warnings) :]:
        say(f'warning: {words}')
    say('', f'{comparison_page.write(made)} has it as a page; tables and JSON are beside it')


def data_changes() -> dict[str, str]:
    """Returns the fields that the data flags set; in --mode=predict, what is labelled is none."""
    own = () if FLAGS.mode == 'predict' else ('images', 'array')
    paths = {name: path for name in own if (path := FLAGS[name].value)}
    if len(paths) > 1 or (paths and FLAGS.dataset not in (None, *paths)):
        named = ', '.join(f'--{name}' for name in (*paths, 'dataset') if FLAGS[name].value)
        raise UsageError(f'{named}: name one source of data')
    for name, path in paths.items():
        return {'dataset': name, 'data_path': path}
    return {'dataset': FLAGS.dataset} if FLAGS.dataset else {}


def asked_of(base: Experiment | Study) -> dict[str, Any]:
    """Returns the fields that the flags change."""
    changes: dict[str, Any] = {}
    arms = base.arms if is_study(base) else (base,)
    known = dict.fromkeys(name for arm in arms for name in settable(arm))
    for setting in FLAGS.set:
        name, equals, text = setting.partition('=')
        if not equals:
            raise UsageError(f'--set {setting}: write --set field=value')
        if name in changes:
            raise UsageError(f'--set {name}=...: given twice; give it once')
        changes[name] = parse(name, text, known)
    by_flag = {n: FLAGS[n].value for n in ('seed', 'precision') if FLAGS[n].value is not None}
    by_flag |= data_changes()
    if FLAGS.parent:
        if is_study(base):
            raise UsageError(f'--parent: {base.name} is a study; name one of its experiments')
        if base.parent is None:
            raise UsageError(f'--parent: {base.name} restores no graph, its network is its own')
        by_flag['parent'] = FLAGS.parent
    for name in by_flag.keys() & changes.keys():
        raise UsageError(f'--set {name}=...: a flag says {name} too; give it once')
    return changes | by_flag


def chosen(base: Experiment | Study) -> Experiment | Study:
    """Returns the experiment or study that the flags ask for; several seeds make a study of one."""
    changes, seeds = asked_of(base), FLAGS.seeds
    if is_study(base):
        study = base.vary(**changes)
        return study if seeds is None else dataclasses.replace(study, seeds=seeds)
    experiment = base.vary(**changes)
    if seeds is None or seeds == 1:
        return experiment
    words = (base.name, base.description, base.source)
    return Study(*words, arms=(experiment,), seeds=seeds)


if __name__ == '__main__':
    # A graph is a million objects that live to the end: looking through them again and again for
    # what could be freed took a sixth of a short run.
    gc.set_threshold(50_000, 20, 20)
    os.environ['MPLBACKEND'] = 'Agg'  # for figures in files; Jupyter's terminals name one of theirs
    code = main(sys.argv)
    gc.freeze()  # nor once more at the end
    sys.exit(code)
