"""A run's page, report.html: what it is, what it found, its figures and how to repeat it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import disk
import webpage
from command_line import command
from parameters import FIELDS, Experiment, written
from train.report import scored

NAME = 'report.html'


def write(folder: Path, experiment: Experiment, base: Experiment, results: dict[str, Any]) -> None:
    """Writes the page of a finished run into its folder; `base` is the catalogue's experiment."""
    title = f'{experiment.name} on {results["dataset"]}, seed {experiment.seed}'
    splits, rows, others = scored(results['metrics'])
    environment = json.loads((folder / 'environment.json').read_text())
    found = (
        f'{results["parameters"]:,} parameters, {results["updates"]:,} updates in '
        f'{results["seconds"]:,.1f} s, {results["examples_per_second"]:,.0f} examples a second'
    )
    figures = sorted((folder / 'figures').glob('*.png'), key=lambda file: file.stat().st_mtime_ns)
    settings = [
        (name, written(value), FIELDS[name].metadata['meaning'])
        for name, value in experiment.fields().items()
        if name not in ('name', 'description', 'source', 'parent')
    ]
    if experiment.parent:
        named = experiment.parent
        said = named.name if isinstance(named, Experiment) else named
        settings.append(('parent', said, FIELDS['parent'].metadata['meaning']))
    parts = [
        webpage.paragraph(f'{experiment.description} [{experiment.source}]'),
        webpage.command(command(experiment, base)),
        webpage.heading('Scores'),
        webpage.paragraph(found),
        webpage.table(('', *splits), rows),
        webpage.table(('', 'value'), others) if others else '',
        webpage.heading('Figures') if figures else '',
        *map(webpage.figure, figures),
        webpage.heading('Configuration'),
        webpage.table(('field', 'value', 'meaning'), settings),
        webpage.heading('Made with'),
        webpage.table(('what', 'version'), [(k, str(v)) for k, v in environment.items()]),
    ]
    with disk.whole(folder / NAME) as opened:
        opened.write(webpage.document(title, parts))
