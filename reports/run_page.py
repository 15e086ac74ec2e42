"""A run's page, report.html: what it is, what it found, its figures and how to repeat it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from command_line import command
from evaluation import metrics, overfit
from parameters import RULES, Experiment
from reports import html
from reports.screen import scored
from system import disk
from system.rules import written

NAME = 'report.html'
CAPTIONS = {  # of figures, by the names of their files
    'loss_curves': 'Losses by epoch',
    'latent': 'Codes of the test set, as points',
    'latent_pictures': 'Codes of the test set, as the examples themselves',
    'reconstructions': 'Examples of the test set, and what the network makes of them',
    'filters': 'What the first layer looks for',
    'samples': 'Pictures drawn from codes',
    'interpolation': 'From one example to another, by their codes',
    'spectra': 'Frequencies in pictures and reconstructions',
    'manifold': 'What each place of the code stands for',
    'confusion': 'True and predicted classes',
    'most_confused': 'Test examples taken for another class',
    'pca_plane': 'Codes beside principal components',
    'sequences': 'Test sequences, and what the network makes of them',
    'features': 'Each feature of the test set, and how well it comes back',
    'error_by_step': 'Error by step of the sequence',
}


def write(folder: Path, experiment: Experiment, base: Experiment, results: dict[str, Any]) -> None:
    """Writes the page of a finished run into its folder; `base` is the catalogue's experiment."""
    title = f'{experiment.name} on {results["dataset"]}, seed {experiment.seed}'
    splits, rows, others = scored(results['metrics'])
    told = ('what it is', 'better')
    environment = json.loads((folder / 'environment.json').read_text())
    found = (
        f'{results["parameters"]:,} parameters, {results["updates"]:,} updates in '
        f'{results["seconds"]:,.1f} s, {results["examples_per_second"]:,.0f} examples a second'
    )
    figures = sorted((folder / 'figures').glob('*.png'), key=lambda file: file.stat().st_mtime_ns)
    settings = [
        (name, written(value), RULES[name].meaning)
        for name, value in experiment.fields().items()
        if name not in ('name', 'description', 'source', 'parent')
    ]
    if experiment.parent:
        named = experiment.parent
        said = named.name if isinstance(named, Experiment) else named
        settings.append(('parent', said, RULES['parent'].meaning))
    parts = [
        html.paragraph(f'{experiment.description} [{experiment.source}]'),
        html.command(command(experiment, base)),
        html.heading('Scores'),
        html.paragraph(found),
        *map(html.paragraph, overfit.all_said(results.get('phases', {}))),
        html.table(('', *splits, *told), [(*row, *_told(row[0])) for row in rows]),
        html.table(('', 'value', *told), [(*row, *_told(row[0])) for row in others])
        if others
        else '',
        html.heading('Figures') if figures else '',
        *(html.figure(file, CAPTIONS.get(file.stem, '')) for file in figures),
        html.heading('Configuration'),
        html.table(('field', 'value', 'meaning'), settings),
        html.heading('Made with'),
        html.table(('what', 'version'), [(k, str(v)) for k, v in environment.items()]),
    ]
    with disk.whole(folder / NAME) as opened:
        opened.write(html.document(title, parts))


def _told(name: str) -> tuple[str, str]:
    """Says what a metric is, and which direction is better."""
    metric = metrics.find(name)
    return metric.unit, {'less': 'when less', 'greater': 'when greater', '': ''}[metric.better]
