"""One experiment over several seeds: every run resumes by itself; the study sums them up."""

from __future__ import annotations

import statistics
from typing import Any

from matplotlib.figure import Figure

from parameters import Experiment
from train import figures, runs
from train.experiment import Place, run


def run_study(experiment: Experiment, base: Experiment, place: Place, seeds: int) -> dict[str, Any]:
    """Runs `seeds` seeds from the experiment's own on; writes and returns each metric's spread."""
    results = []
    for seed in range(experiment.seed, experiment.seed + seeds):
        results.append(run(experiment.vary(seed=seed), base, place))
    summary = {
        name: _spread([result['metrics'][name] for result in results])
        for name in results[0]['metrics']
    }
    first = place.folder(experiment, base)
    last = experiment.seed + seeds - 1
    folder = first.with_name(
        first.name.replace(f'-seed{experiment.seed}', f'-seeds{experiment.seed}..{last}')
    )
    folder.mkdir(parents=True, exist_ok=True)
    study = {'experiment': experiment.name, 'seeds': seeds, 'metrics': summary}
    runs.write_json(folder / 'results.json', study)
    figures.save(_figure(experiment.name, summary), folder / 'figures' / 'spread.png')
    print(f'\n{experiment.name}: {seeds} seeds, mean and standard deviation -> {folder}')
    for name, spread in summary.items():
        print(
            f'{name:26}{spread["mean"]:>11.5g} +- {spread["deviation"]:<9.2g}'
            f'{spread["least"]:>11.5g} to {spread["most"]:.5g}'
        )
    return study


def _spread(values: list[float]) -> dict[str, Any]:
    return {
        'mean': statistics.fmean(values),
        'deviation': statistics.stdev(values) if len(values) > 1 else 0.0,
        'least': min(values),
        'most': max(values),
        'values': values,
    }


def _figure(title: str, summary: dict[str, Any]) -> Figure:
    """Draws every seed's value as a dot, a panel a metric."""
    figure = Figure(figsize=(8, 0.55 * len(summary) + 0.8), layout='constrained')
    panels = figure.subplots(len(summary), 1, squeeze=False).ravel()
    for panel, (name, spread) in zip(panels, summary.items(), strict=True):
        panel.plot(spread['values'], [0] * len(spread['values']), 'o', alpha=0.5)
        panel.plot([spread['mean']], [0], '|', color='black', markersize=18)
        panel.set_yticks([0], [name])
        panel.tick_params(labelsize=7)
        panel.ticklabel_format(axis='x', useOffset=False)
    figure.suptitle(f'{title}: a dot a seed, the mean a bar', fontsize=10)
    return figure
