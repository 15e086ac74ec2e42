"""The name of a run's folder, and the names that the same run had before."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from command_line import changed, is_said, same_parent
from networks.saved_graph import prefix_of
from parameters import IMAGES, Experiment
from system.rules import written

_LONGEST = 200  # bytes of a folder's name


def name_of(experiment: Experiment, key: str, base: Experiment, runs: Path = Path('runs')) -> str:
    """Returns the run folder's name: data, seed, precision and what differs from the catalogue.

    A parent that is a file is in it as a hash of its place, below `runs` where it lies there.
    """
    parent = str(experiment.parent)
    if isinstance(experiment.parent, str):
        parent = _place(experiment.parent, runs)
    return _joined(experiment, key, base, parent, _sizes(experiment, base))


def former_names(experiment: Experiment, key: str, base: Experiment) -> Iterator[str]:
    """Yields the names that earlier versions gave; `key` is what the data was called by them."""
    parent = str(experiment.parent)
    yield _joined(experiment, key, base, parent)
    if isinstance(experiment.parent, str):
        for made in (os.path.abspath, os.path.relpath):
            prefix = made(prefix_of(parent))
            folder = prefix.removesuffix('/model')
            for spelt in (prefix, f'{prefix}.meta', folder, f'{folder}/'):
                yield _joined(experiment, key, base, spelt)


def _place(parent: str, runs: Path) -> str:
    """Returns the place of a saved graph, in one spelling of many."""
    prefix, root = canonical(parent), Path(runs).resolve()
    return str(prefix.relative_to(root)) if prefix.is_relative_to(root) else str(prefix)


def canonical(parent: str) -> Path:
    """Returns the prefix of a saved graph, with every link on the way to it followed."""
    prefix = Path(prefix_of(parent))
    return prefix.parent.resolve() / prefix.name


def _sizes(experiment: Experiment, base: Experiment) -> list[str]:
    """Returns how pictures are recorded, where that differs from the catalogue."""
    mine = experiment.fields()
    names = [n for n in IMAGES if n in mine and mine[n] != getattr(base, n)]
    return [f'{name}={written(mine[name])}' for name in names]


def _joined(
    experiment: Experiment, key: str, base: Experiment, parent: str, sizes: list[str] | None = None
) -> str:
    parts = [f'{key}-seed{experiment.seed}']
    if experiment.precision != 'float32':
        parts.append(experiment.precision)
    said = same_parent(experiment, base) and is_said(experiment, base)
    if experiment.parent != base.parent and not said:
        parts.append(f'parent={hashlib.sha256(os.fsencode(parent)).hexdigest()[:8]}')
    parts += sizes or []
    parts += [f'{name}={value}' for name, value in changed(experiment, base).items()]
    name = '-'.join(parts).replace('/', '_')
    if len(os.fsencode(name)) > _LONGEST:  # than a file system takes
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
        kept = name[:150]
        while len(os.fsencode(kept)) > _LONGEST - 9:
            kept = kept[:-1]
        name = f'{kept}-{digest}'
    return name
