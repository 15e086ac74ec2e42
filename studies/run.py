"""Studies: several runs for one question. Every run resumes by itself; the study sums them up."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dataset
from command_line import changed
from evaluation.metrics import find
from parameters import Experiment
from reports import figures, runs_page
from studies import figure
from studies.catalogue import STUDIES
from studies.spread import difference, spread
from studies.study import Study
from system import disk
from system.lines import say
from system.progress import Runs
from system.rules import written
from train import cluster
from train.folder import Place, claimed
from train.several import Job, train_each

_SHOWN = tuple(
    f'{split}/{name}' for split in ('test', 'validation') for name in ('accuracy', 'mse')
)


class Point(NamedTuple):
    """The runs of one arm at one value, a seed each."""

    arm: str
    value: Any
    metrics: dict[str, list[float]]


def run_study(
    study: Study,
    catalogue: Mapping[str, Experiment],
    place: Place,
    at_once: int = 1,
    scheduler: str = '',
) -> dict[str, Any]:
    """Runs what is missing of a study; writes and returns its mean, spread and differences.

    `catalogue` has the experiments as they stand there. A parent that several arms or values need
    is trained once a seed. What the runs print goes into `log.txt`.
    """
    cluster.refuse(os.environ, 'a study')
    if place.tune:
        study = study.of_validation()
    first = study.arms[0]
    name = place.folder(first, catalogue[first.name]).name
    last = first.seed + study.seeds - 1
    name += _apart(study)
    seeds = f'-seeds{first.seed}..{last}' if study.seeds > 1 else f'-seed{first.seed}'
    name = name.replace(f'-seed{first.seed}', seeds)
    if len(study.values) == 1:
        name += f'-{study.over}={written(study.values[0])}'
    folder = place.root / study.name / name
    with claimed(folder):
        points = _points(study, catalogue, place, folder / 'log.txt', at_once, scheduler)
    results: dict[str, Any] = {
        'study': study.name,
        'arms': [arm.resolved() for arm in study.arms],
        'seeds': study.seeds,
        'over': study.over,
        'points': [
            {
                'arm': p.arm,
                'value': p.value,
                'metrics': {n: spread(v, find(n).within) for n, v in p.metrics.items()},
            }
            for p in points
        ],
        'differences': _differences(study, points),
    }
    disk.write_json(folder / 'results.json', results)
    title = study.name if study.over == 'dataset' else f'{study.name} on {dataset.key_of(first)}'
    drawn = figure.draw(study, results['points'], title)
    figures.save(drawn, disk.made_inside(folder / 'figures') / 'study.png')
    runs_page.write(place.runs)
    say(*_lines(study, results))
    say(f'seeds: {study.seeds}; the figure and results.json are in {folder}')
    return results


def _apart(study: Study) -> str:
    """Returns what tells a study from others whose first arm is the same, as a part of a name.

    '' of one of the catalogue whose arms are all varied alike, which the first arm's name tells.
    """
    known = STUDIES.get(study.name)
    if known is None or len(known.arms) != len(study.arms):
        return ''
    changes = [changed(arm, was) for arm, was in zip(study.arms, known.arms, strict=True)]
    if all(these == changes[0] for these in changes):
        return ''
    return '-' + hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()[:8]


def _points(
    study: Study,
    catalogue: Mapping[str, Experiment],
    place: Place,
    log: Path,
    at_once: int,
    scheduler: str,
) -> list[Point]:
    wanted = study.points()
    seeds = range(study.arms[0].seed, study.arms[0].seed + study.seeds)
    varied = [  # seeds outermost, so that an interrupted study has whole seeds
        (index, value, experiment.vary(seed=seed), catalogue[arm.name])
        for seed in seeds
        for index, (arm, value, experiment) in enumerate(wanted)
    ]
    jobs = [  # the first seed draws
        Job(experiment, base, place.drawing(experiment.seed == seeds[0]))
        for _, _, experiment, base in varied
    ]
    missing = [job.is_missing for job in jobs]
    kinds = [str(index) for (index, *_), todo in zip(varied, missing, strict=True) if todo]
    found: dict[tuple[int, int], dict[str, float]] = {}  # by point and seed
    trained = train_each(jobs, log, at_once, scheduler)
    with Runs(kinds) as progress:
        for number, (job, results, seconds, together) in enumerate(trained, 1):
            index, value, experiment, _ = varied[job]
            found[index, experiment.seed] = metrics = results['metrics']
            if missing[job]:
                progress.end(str(index), seconds, together)
            progress.say(f'{number}/{len(jobs)} {_said(study, experiment, value, metrics)}')
    return [
        Point(arm.name, value, _together([found[i, seed] for seed in seeds], arm.name))
        for i, (arm, value, _) in enumerate(wanted)
    ]


def _together(runs: Sequence[Mapping[str, float]], name: str) -> dict[str, list[float]]:
    """Returns the scores that all of these runs have; of others is warned."""
    scores = dict.fromkeys(score for run in runs for score in run)
    lacking = [score for score in scores if not all(score in run for run in runs)]
    if lacking:
        say(
            f'warning: {name}: some seeds have no {", ".join(lacking)}, left out; were they '
            'trained by another version? --restart trains anew'
        )
    return {n: [run[n] for run in runs] for n in scores if n not in lacking}


def _said(study: Study, experiment: Experiment, value: Any, metrics: dict[str, float]) -> str:
    at = f' {study.over}={written(value)}' if study.over else ''
    names = [n for n in study.metrics or _SHOWN if n in metrics]
    shown = ', '.join(f'{n} {metrics[n]:.5g}' for n in names)
    return f'{experiment.name}{at} seed {experiment.seed}: {shown}'


def _differences(study: Study, points: list[Point]) -> list[dict[str, Any]]:
    """Compares each arm with the first one at the same value, seed by seed."""
    first = {p.value: p for p in points if p.arm == study.arms[0].name}
    return [
        {
            'arm': point.arm,
            'minus': study.arms[0].name,
            'value': point.value,
            'metric': name,
            **spread(
                [
                    difference(mine, other)
                    for mine, other in zip(
                        point.metrics[name], first[point.value].metrics[name], strict=True
                    )
                ],
                _of_difference(find(name).within),
            ),
        }
        for point in points
        if point.arm != study.arms[0].name
        for name in study.metrics or point.metrics
        if name in point.metrics and name in first[point.value].metrics
    ]


def _of_difference(within: tuple[float, float]) -> tuple[float, float]:
    """Returns what the difference of two values within these ends can be."""
    least, most = within
    return least - most, most - least


def _lines(study: Study, results: dict[str, Any]) -> list[str]:
    several = study.seeds > 1
    heading = 'mean, deviation and 95 % interval of the mean' if several else 'one seed'
    lines = ['', f'{study.name}: {heading}']

    def at(point: Mapping[str, Any]) -> str:
        return f' {study.over}={written(point["value"])}' if study.over else ''

    for point in results['points']:
        for name in study.metrics or point['metrics']:
            if name not in point['metrics']:
                continue
            s = point['metrics'][name]
            line = f'{point["arm"] + at(point):40} {name:22}{s["mean"]:>11.5g}'
            if several:
                low, high = s['interval']
                line += f' +- {s["deviation"]:<9.2g}{low:>11.5g} to {high:.5g}'
            lines.append(line)
    for compared in results['differences']:
        low, high = compared['interval']
        line = f'{compared["arm"]} - {compared["minus"]}{at(compared)}: '
        line += f'{compared["metric"]} {compared["mean"]:+.5g}'
        if several:
            said = 'excludes zero' if low > 0 or high < 0 else 'includes zero'
            said = said if compared['deviation'] else 'alike in all seeds'
            line += f' ({low:+.5g} to {high:+.5g}: {said})'
        lines.append(line)
    return lines
