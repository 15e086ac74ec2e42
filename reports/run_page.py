"""A run's page, report.html: what it is, what it found, its figures and how to repeat it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from command_line import command, flags_of, is_said, settable
from evaluation import metrics, overfit
from parameters import PARENTS, RULES, SHARED, Experiment
from reports import html, run_files
from reports.captions import WORDS, words_of
from reports.recorded import PAGE
from reports.screen import scored
from system import disk
from system.received import Damage
from system.rules import written

NAME = PAGE
_FACTS = (  # of results.json, in words, and how they are written
    ('parameters', 'parameters', ',.0f'),
    ('updates', 'updates', ',.0f'),
    ('seconds', 'seconds of updates', ',.1f'),
    ('examples_per_second', 'examples a second', ',.0f'),
)


def write(
    folder: Path,
    experiment: Experiment,
    base: Experiment,
    results: dict[str, Any],
    switches: Sequence[str] = (),
) -> None:
    """Writes the page of a finished run into its folder; `base` is the catalogue's experiment.

    The command that repeats it ends with the `switches`.
    """
    splits, rows, others = scored(results['metrics'])
    said = is_said(experiment, base)
    named = results.get('dataset', experiment.dataset)
    environment = _environment(folder)
    facts = [(words, f'{results[name]:{form}}') for name, words, form in _FACTS if name in results]
    page = html.render(
        'run.html',
        title=f'{experiment.name} on {named}, seed {experiment.seed}',
        description=_described(experiment, base),
        source=experiment.source,
        command=' '.join([command(experiment, base), *switches]) if said else '',
        facts=facts,
        notes=overfit.all_said(results.get('phases', {})),
        splits=list(splits),
        scores=[(*row, *_told(row[0])) for row in rows],
        others=[(*row, *_told(row[0])) for row in others],
        figures=[(picture, *words_of(name)) for name, picture in _figures(folder)],
        settings=_settings(experiment),
        parents=_parents(experiment),
        environment=[(name, str(value)) for name, value in environment.items()],
    )
    with disk.whole(folder / NAME) as opened:
        opened.write(page)


def _described(experiment: Experiment, base: Experiment) -> str:
    """Returns what the catalogue says of an experiment, and what is otherwise here."""
    flags = flags_of(experiment, base)
    changed = [value for flag, value in pairwise(flags) if flag == '--set']
    return f'{base.description}; here with {", ".join(changed)}' if changed else base.description


def _environment(folder: Path) -> dict[str, Any]:
    """Returns what a run was made with, as far as its folder says so itself."""
    with contextlib.suppress(OSError, Damage):
        return run_files.environment(folder)
    return {run_files.ENVIRONMENT: 'cannot be read'}


def _told(name: str) -> tuple[str, str]:
    """Says what a metric is, and which direction is better."""
    metric = metrics.known(name)
    return metric.unit, {'less': 'when less', 'greater': 'when greater', '': ''}[metric.better]


def _figures(folder: Path) -> list[tuple[str, str]]:
    """Returns the figures of a run, in the order of their captions: name and picture."""
    order = {name: place for place, name in enumerate(WORDS)}
    files = sorted(
        (folder / 'figures').glob('*.png'),
        key=lambda file: (order.get(file.stem, len(order)), file.name),
    )
    found = ((file.stem, html.embedded(folder, Path('figures', file.name))) for file in files)
    return [(name, picture) for name, picture in found if picture]


def _settings(experiment: Experiment, before: str = '') -> list[tuple[str, str, str]]:
    """Returns the fields of an experiment alone: name, with `before` it, value and meaning.

    Of a parent those are left out that it shares with what restores it.
    """
    found = [
        (before + name, written(value), RULES[name].meaning)
        for name, value in settable(experiment).items()
        if not name.startswith(PARENTS) and not (before and name in SHARED)
    ]
    if experiment.parent:
        said = getattr(experiment.parent, 'name', experiment.parent)
        found.append((f'{before}parent', str(said), RULES['parent'].meaning))
    return found


def _parents(experiment: Experiment) -> list[dict[str, Any]]:
    """Returns what a page says of each experiment that a run restores, the nearest first."""
    found, before = [], ''
    while isinstance(experiment.parent, Experiment):
        experiment, before = experiment.lineage(), before + PARENTS
        found.append(
            {
                'title': f'Of its parent, {experiment.name}',
                'description': experiment.description,
                'source': experiment.source,
                'settings': _settings(experiment, before),
            }
        )
    return found
