"""Training from Python: arrays in, a run out, with no files left."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import dataset
import inst
from inference.outputs import write_npz
from inference.run import Run, load
from inputs import sources
from inputs.columns import columns_of
from inputs.labels import as_given, plain
from inputs.shards import UNLABELLED
from parameters import Experiment
from system import disk
from system.errors import Diverged, Interrupted, RunInUse, UsageError
from system.lines import shown
from system.quiet import unheard
from system.rules import nearest
from train.folder import Place
from train.run import run

_SPLIT = 'train', 'validation'
_ARRAYS, _PARENTS = 'arrays.npz', 'parents'  # in a folder that is kept
_OF_NONE = {_ARRAYS, '.lock', 'log.txt'}  # what is there of a run that did not begin


def fit(
    experiment: Experiment | str,
    x: Any,
    y: Any = None,
    *,
    length: Any = None,
    validation: float = 0.0,
    run_dir: str | Path | None = None,
    verbose: bool = False,
) -> Run:
    """Trains an experiment, or its name in the catalogue, on arrays; returns the finished run.

    `x` is [N, ...]: floats, or bytes, which are scaled to [0, 1]. `y` [N] are labels, NaN or None
    where there is none, `length` [N] the steps of each sequence that count. A share `validation` of
    the rows, chosen by the experiment's seed, is held out: `patience` needs some. A parent is
    trained first, on the same rows. What runs print is shown where `verbose`; or else they warn as
    Python does. A `run_dir` keeps the run's folder, with the arrays in it; it must be new or empty,
    or hold a run of the same that was interrupted, which is gone on with. Of a table with names of
    columns the run that is returned reads those alone, in their order.

    Raises UsageError or DataError for what cannot be trained, Diverged where a loss is not finite,
    Interrupted for Ctrl-C.
    """
    found = named(experiment)
    validation = _share(validation)
    with unheard():  # what is doubtful is said when the run reads them
        source = sources.of_arrays(x, y, length, trains=True)
    examples, labels = source.splits['test'], None if y is None else as_given(y)
    known = np.ones(len(examples.x), bool)
    if source.classes and examples.y is not None:
        known = examples.y != UNLABELLED
    arrays = {'x': examples.x, 'split': _split(known, validation, found.seed)}
    if labels is not None:
        arrays['y'] = plain(labels)
    if examples.length is not None:
        arrays['length'] = examples.length
    columns = columns_of(x)
    if columns and all(isinstance(name, str) for name in columns):
        arrays['feature_names'] = np.array(columns)
    folder = Path(run_dir).expanduser() if run_dir else None
    if folder and folder.exists() and not folder.is_dir():
        raise UsageError(f'run_dir={folder}: is no folder; name a new one')
    if folder and folder.exists() and any(folder.iterdir()) and not _is_begun(folder):
        raise UsageError(f'run_dir={folder}: holds files; name a new folder, or load what is there')
    with tempfile.TemporaryDirectory(prefix='fit-') as aside, _ended(folder):
        file = _written(arrays, folder, Path(aside))
        wanted = found.vary(dataset='array', data_path=str(file))
        target = folder or Path(aside, 'run')
        place = Place(target / _PARENTS, Path(aside, 'data'), target, figures=bool(folder))
        told: list[str] = []
        with contextlib.ExitStack() as silent:
            if not verbose:
                told = silent.enter_context(unheard())
            run(wanted, inst.EXPERIMENTS.get(found.name, found), place)
        for line in told:
            warnings.warn(shown(line), stacklevel=2)
        dataset.forget()
        disk.remove(target / _PARENTS)  # whose weights the run has
        made = load(target)
    made.columns = columns
    if labels is not None and examples.y is not None and labels.size == len(examples.x):
        labels = labels.reshape(-1)[known]
        _, first = np.unique(examples.y[known], return_index=True)
        if made.classes == source.classes:
            made.labels = labels[first]  # as they were given
    return made


def _is_begun(folder: Path) -> bool:
    """Whether `fit` has begun a run there that is not finished."""
    return (folder / _ARRAYS).is_file() and not (folder / 'results.json').exists()


def _written(arrays: Mapping[str, np.ndarray], folder: Path | None, aside: Path) -> Path:
    """Writes the arrays into the run's folder where that is kept, or else aside.

    Raises UsageError where they cannot be, or the run was begun with others.
    """
    if not folder:
        return write_npz(aside / _ARRAYS, arrays)
    kept = folder.resolve() / _ARRAYS
    try:
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            return write_npz(kept, arrays)
        # Earlier versions wrote no names of columns: a run that one began is gone on with, too.
        unnamed = {name: part for name, part in arrays.items() if name != 'feature_names'}
        made = {disk.sha256(write_npz(aside / _ARRAYS, some)) for some in (arrays, unnamed)}
        is_same = disk.sha256(kept) in made
        (aside / _ARRAYS).unlink()
    except OSError as error:
        raise UsageError(f'run_dir={folder}: cannot be written ({error.strerror})') from None
    if not is_same:
        raise UsageError(f'run_dir={folder}: was begun with other arrays; name a new folder')
    return kept


@contextlib.contextmanager
def _ended(folder: Path | None) -> Iterator[None]:
    """Says of a run that does not end what is left of it, and leaves no folder of none."""
    is_made_here = not (folder and folder.exists() and any(folder.iterdir()))
    try:
        yield
    except RunInUse:
        is_made_here = False
        raise
    except Interrupted as error:
        said = 'stopped; nothing is kept without run_dir'
        if folder:
            is_saved = any(folder.rglob('checkpoints'))
            said = 'saved; the same call goes on from here' if is_saved else 'stopped'
        number = error.exit_code - 128
        raise Interrupted(f'{signal.Signals(number).name}: {said}', number) from None
    except Diverged as error:
        if folder:
            raise
        raise Diverged(str(error).replace('; the last checkpoint is kept', '')) from None
    finally:
        if is_made_here and folder and folder.is_dir() and {*os.listdir(folder)} <= _OF_NONE:
            with contextlib.suppress(OSError):
                for name in _OF_NONE:
                    (folder / name).unlink(missing_ok=True)
                folder.rmdir()


def named(experiment: Experiment | str) -> Experiment:
    """Returns an experiment, or that of the catalogue by its name; raises UsageError for none."""
    if isinstance(experiment, Experiment):
        return experiment
    if not isinstance(experiment, str):
        raise UsageError(f'{experiment!r}: must be an experiment, or the name of one')
    if experiment not in inst.EXPERIMENTS:
        hint = nearest(experiment, inst.EXPERIMENTS)
        raise UsageError(f'{experiment}: no such experiment{hint}')
    return inst.EXPERIMENTS[experiment]


def _share(validation: Any) -> float:
    try:
        share = float(validation)
    except (TypeError, ValueError):
        share = np.nan
    if not 0 <= share < 1:
        raise UsageError(f'validation={validation!r}: must be a share, from 0 to below 1')
    return share


def _split(known: np.ndarray, validation: float, seed: int) -> np.ndarray:
    """Returns the split of each row, [N]: a share is held out of the known, and of the others."""
    split = np.array(_SPLIT)[np.zeros(len(known), int)]
    shuffled = np.random.default_rng(seed).permutation(len(known))
    rows, others = shuffled[known[shuffled]], shuffled[~known[shuffled]]
    wanted = max(round(validation * len(rows)), int(validation > 0))  # one at least, where asked
    if wanted == len(rows):
        raise UsageError(f'validation={validation}: leaves none of {len(rows)} rows to train on')
    split[rows[:wanted]] = _SPLIT[1]
    split[others[: round(validation * len(others))]] = _SPLIT[1]
    return split
