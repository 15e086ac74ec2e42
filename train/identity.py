"""Whether the run in a folder is the one asked for, may have more epochs, or must be refused.

What it is are its configuration, its data, the saved graph that it restores, and what its last
bits depend on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

import dataset
from inputs.rows import Dataset
from networks import session as sessions
from parameters import FIELDS, Experiment
from reports import run_files
from system import cores, disk, kernels
from system.errors import DataError, UsageError
from system.lines import say, shown
from system.received import Damage
from train.checkpoints import Checkpoints
from train.command import deciding
from train.folder import APPLIED, configured, environment_of
from train.naming import canonical

RESTORED = ('parent', 'teacher')  # what a configuration has the checksums of
_LATER = ('cpu', 'instructions', 'variables')  # which an earlier version did not write down
_DEFAULTS = {  # of the fields, as JSON has them
    name: [*field.default] if isinstance(field.default, tuple) else field.default
    for name, field in FIELDS.items()
    if field.default is not dataclasses.MISSING
}
_UNCOMPARED = ('description', 'source', 'phases', 'columns')  # words, and what follows from others


def as_begun(folder: Path, experiment: Experiment) -> Experiment:
    """Returns the experiment in one part, where the folder's run is of before there were parts."""
    saved = configured(folder).get('experiment')
    if saved and 'parts' not in saved:
        return experiment.vary(parts=1)
    return experiment


def settle(
    folder: Path,
    config: dict[str, Any],
    key: str = '',
    restores: Mapping[str, str] = MappingProxyType({}),
    *,
    begins: bool = True,
) -> bool:
    """Records what this folder's run is, or checks that it is the same.

    A run may go on with more epochs where that equals having asked for them at once: returns
    whether it does, and where it `begins` to, it is no longer finished. Its data and the saved
    graph that it restores may have been moved: `key` names them as they are now, and `restores` has
    the checksums of what it takes from the graph. Raises UsageError that shows every difference.
    """
    saved = configured(folder)
    differences = _differences(_completed(saved), config)
    same_data = bool(key) and dataset.same_data(_key_in(saved), key)
    same_parent = bool(restores) and _changed(saved, restores) is None
    moved = [
        found
        for found in differences
        if all(isinstance(path, str) for path in found)
        and (same_data if found[0].endswith('data_path') else found[0] == 'parent' and same_parent)
    ]
    differences = [found for found in differences if found not in moved]
    goes_on = bool(differences) and _extends(differences, config)
    if goes_on and not begins:
        return True
    if goes_on:
        _reopen(folder, differences)
    elif differences:
        shown = '; '.join(f'{n} was {_short(o)}, now {_short(w)}' for n, o, w in differences)
        raise UsageError(
            f'{folder}: holds a run of another configuration ({shown}); '
            'to keep it, --run_dir names another folder'
        )
    if moved or (begins and (goes_on or config.keys() - saved.keys())):
        before = saved.get('experiment', config['experiment'])
        fields = {n: v for n, v in config['experiment'].items() if n != 'parts' or n in before}
        disk.write_json(folder / run_files.CONFIG, saved | config | {'experiment': fields})
    return goes_on


def _reopen(folder: Path, differences: list[tuple[str, Any, Any]]) -> None:
    """Makes a finished run unfinished; its figures go, and what else is of its epochs is said."""
    was_finished = (folder / 'results.json').exists()
    (folder / 'results.json').unlink(missing_ok=True)
    disk.remove(folder / 'figures')
    made = [f'{prefix}*' for prefix in APPLIED] + ['export']
    stays = sorted(shown(file.name) for pattern in made for file in folder.glob(pattern))
    if stays:
        ((_, epochs, _),) = differences
        before = f'the {epochs} epochs before' if was_finished else 'fewer epochs'
        say(f'warning: {folder}: {", ".join(stays)} stay, and are of {before}')


def refuse_lost(folder: Path) -> None:
    """Raises DataError where a finished run is to go on, and cannot, for want of a checkpoint."""
    if (folder / 'results.json').exists() and not _goes_on(folder):
        raise DataError(
            f'{folder}: its checkpoints are gone, or damaged, so that it cannot have more epochs; '
            '--restart trains it again; to keep it, --run_dir names another folder'
        )


def refuse_changed(
    folder: Path, experiment: Experiment, key: str, restores: Mapping[str, str]
) -> None:
    """Raises UsageError where a finished run's array or parent is another now, as in `settle`.

    Of a folder of pictures, which is known by its files' times, it is said.
    """
    saved = configured(folder)
    before, changed = _key_in(saved), ''
    if before and key and not dataset.same_data(before, key):
        if experiment.dataset == 'images':  # which may be the same pictures, copied
            say(
                f'warning: {experiment.data_path}: files, or their times, are others than when '
                f'{folder} was trained on them; --restart trains it on these'
            )
        elif experiment.dataset == 'array':
            changed = experiment.data_path
    if _changed(saved, restores):
        changed = str(experiment.parent)
    if changed:
        raise UsageError(
            f'{folder}: its run is finished, and {changed} has changed since; --restart trains it '
            'again; to keep it, --run_dir names another folder'
        )


def _changed(saved: Mapping[str, Any], restores: Mapping[str, str]) -> str | None:
    """Returns the first of the graph's checksums that was another, if one was."""
    return next((n for n in restores if saved.get(n, restores[n]) != restores[n]), None)


def settle_digest(folder: Path, data: Dataset, check: Callable[[], None]) -> None:
    """Gives this folder's run the digest of its data, where an earlier version gave them another.

    They may have been recorded anew since. `check` may raise to stop.
    """
    saved = configured(folder)
    try:
        before = str(saved['data']['digest'])
    except (KeyError, TypeError):
        return
    if before != data.digest and dataset.same_examples(data, _key_in(saved), before, check):
        say(f'{folder}: its examples are the same, of another digest in an earlier version')
        saved['data']['digest'] = data.digest
        disk.write_json(folder / 'config.json', saved)


def _completed(config: Any) -> Any:
    """Returns a configuration with the fields that an earlier version did not have."""
    try:
        return config | {'experiment': _filled(config['experiment'], _DEFAULTS)}
    except (KeyError, TypeError):
        return config


def _filled(experiment: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Returns an experiment's fields, those that are missing at their defaults; its parent's too.

    In how many parts a parent of before was trained is no question of the run that restores it.
    """
    found = defaults | experiment
    if isinstance(parent := found.get('parent'), dict):
        found['parent'] = _filled(parent, {n: v for n, v in defaults.items() if n != 'parts'})
    return found


def _key_in(config: Any) -> str:
    """Returns what a configuration calls its data; '' where it does not say."""
    try:
        return str(config['data']['key'])
    except (KeyError, TypeError):
        return ''


def _differences(saved: Any, asked: Any, name: str = '') -> list[tuple[str, Any, Any]]:
    """Lists (dotted name, saved, asked) where two JSON values differ, of what both of them have."""
    if isinstance(saved, dict) and isinstance(asked, dict):
        return [
            found
            for key in sorted(saved.keys() & asked.keys())
            if key not in _UNCOMPARED
            for found in _differences(saved[key], asked[key], f'{name}.{key}' if name else key)
        ]
    same = _SAME.get(name.rpartition('.')[2])
    strings = isinstance(saved, str) and isinstance(asked, str)
    if saved == asked or (strings and same is not None and same(saved, asked)):
        return []
    return [(name.removeprefix('experiment.'), saved, asked)]


_SAME: dict[str, Callable[[str, str], bool]] = {  # strings that may differ and mean the same
    'parent': lambda saved, asked: canonical(saved) == canonical(asked),
    'data_path': lambda saved, asked: os.path.realpath(saved) == os.path.realpath(asked),
    'key': dataset.same_data,
}


def _short(value: Any) -> str:
    text = shown(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 60 else f'{text[:27]}...{text[-30:]}'  # paths differ at the end


def _extends(differences: list[tuple[str, Any, Any]], config: dict[str, Any]) -> bool:
    """Whether only the epochs grew, in a run that is the same however it is cut."""
    experiment = config['experiment']
    (name, old, new), *others = differences
    exact = experiment['schedule'] == 'constant' and len(experiment['phases']) == 1
    exact = exact and not experiment.get('patience')
    return name == 'epochs' and not others and new > old and exact


def extend_sibling(folder: Path, config: dict[str, Any]) -> Path | None:
    """Copies the longest finished run beside `folder` that this one only continues; returns it.

    `config` is whole, so that it is one on the same data.
    """
    if (folder / 'checkpoints').exists():
        return None
    found = []
    for file in folder.parent.glob('*/results.json'):
        if not _is_own(file.parent):
            continue
        with contextlib.suppress(DataError):  # a damaged neighbour is no fault of this run
            saved = configured(file.parent)
            differences = _differences(_completed(saved), config)
            if differences and _extends(differences, config) and _goes_on(file.parent):
                found.append((saved['experiment']['epochs'], file.parent))
    if not found:
        return None
    _, sibling = max(found)
    for name in (run_files.METRICS, run_files.ENVIRONMENT):
        if _is_plain(sibling / name):
            with disk.replaced(folder / name) as aside:
                shutil.copy(sibling / name, aside)
    with disk.whole_folder(folder / 'checkpoints') as aside:  # last: they say that it was copied
        shutil.copytree(sibling / 'checkpoints', aside, dirs_exist_ok=True)
    return sibling


def _is_own(folder: Path) -> bool:
    """Whether all that another run would copy from a run's folder is there, behind no link."""
    checkpoints, metrics = folder / 'checkpoints', folder / 'metrics.csv'
    copied = (checkpoints, *checkpoints.rglob('*'), metrics)
    return all(map(_is_plain, copied)) and metrics.is_file()


def _is_plain(path: Path) -> bool:
    """Whether it is a file or a folder itself, and nothing else, as a link or a pipe."""
    mode = path.lstat().st_mode if os.path.lexists(path) else 0
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _goes_on(folder: Path) -> bool:
    """Whether a run's metrics.csv and checkpoints can be gone on from."""
    try:
        return bool(run_files.metrics(folder) and Checkpoints(folder).latest())
    except (OSError, Damage, DataError):
        return False


def environment(precision: str) -> dict[str, Any]:
    """Returns what a run's last bits depend on besides its configuration."""
    variables = deciding(os.environ)
    found = {
        'python': platform.python_version(),
        'tensorflow': tf.__version__,
        'numpy': np.__version__,
        'machine': platform.machine(),
        'cpus': cores.number(),
        'precision': precision,
        'cpu': kernels.cpu(),
        'instructions': ' '.join(kernels.instructions()),
        'variables': ' '.join(f'{name}={value}' for name, value in variables.items()),
    }
    return found | ({'gpu': ', '.join(sessions.gpus())} if sessions.gpus() else {})


def settle_environment(folder: Path, experiment: Experiment) -> None:
    """Records what the last bits depend on; warns where a resumed run finds something else."""
    now = environment(experiment.precision)
    before = environment_of(folder) or now
    before = {name: now[name] for name in _LATER} | before
    free = {'cpus'} if experiment.parts > 1 else set()  # see networks/session.py
    changed = [
        f'{name} {before.get(name)} -> {now.get(name)}'
        for name in before | now
        if now.get(name) != before.get(name) and name not in free
    ]
    if changed and (folder / 'checkpoints').exists():
        say(f'warning: resumed elsewhere, last bits may differ: {", ".join(changed)}')
    disk.write_json(folder / 'environment.json', now)
    if experiment.precision == 'bfloat16' and sessions.gpus():
        say('warning: --precision=bfloat16 is for CPUs; what runs on the GPU stays in float32')
    elif experiment.precision == 'bfloat16' and not sessions.has_onednn():
        say(
            'warning: TensorFlow computes without oneDNN here, so that --precision=bfloat16 '
            'changes nothing; TF_ENABLE_ONEDNN_OPTS=1 in the environment turns it on'
        )
    elif experiment.precision == 'bfloat16' and not kernels.has_bfloat16():
        say('warning: this CPU has no bfloat16 instructions; expect it to be slower than float32')
