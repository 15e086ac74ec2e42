"""What is kept of finished runs: a small file each, named by all that decides the run.

A file has the run's scores, and its history: the columns of metrics.csv, without those of the
training losses.
"""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

from parameters import FIELDS, Experiment
from system import disk

FOLDER = Path('results')
_WORDS = ('name', 'description', 'source')
_FILES = ('results', 'environment', 'config')
_KEPT = ('dataset', 'seed', 'parameters', 'updates', 'metrics', 'seconds', 'examples_per_second')


def decisive(experiment: Experiment) -> dict[str, Any]:
    """Returns what decides a run, in the order of the fields, those at their default left out.

    So a field that is added later, and changes nothing by default, changes no key.
    """
    values = {
        name: value
        for name, value in experiment.fields().items()
        if name not in _WORDS and value != FIELDS[name].default
    }
    if isinstance(experiment.parent, Experiment):
        values['parent'] = decisive(experiment.lineage())
    return json.loads(json.dumps(values))


def key(experiment: Experiment) -> str:
    """Returns 12 hexadecimal digits that name what decides the run."""
    return hashlib.sha256(json.dumps(decisive(experiment)).encode()).hexdigest()[:12]


def file_of(experiment: Experiment, folder: Path = FOLDER) -> Path:
    """Returns where a run's results are kept."""
    return folder / f'{experiment.name}-seed{experiment.seed}-{key(experiment)}.json'


def find(experiment: Experiment, folder: Path = FOLDER) -> dict[str, Any] | None:
    """Returns what is kept of a run, whatever it was called then; None if there is nothing."""
    for file in sorted(folder.glob(f'*-{key(experiment)}.json')):
        return json.loads(file.read_text())
    return None


def keep(experiment: Experiment, run_folder: Path, folder: Path = FOLDER) -> None:
    """Keeps the results of a finished run."""
    read = {n: json.loads((run_folder / f'{n}.json').read_text()) for n in _FILES}
    kept = {
        'experiment': experiment.name,
        'decisive': decisive(experiment),
        'data': read['config']['data']['digest'],
        'environment': read['environment'],
        **{name: read['results'][name] for name in _KEPT if name in read['results']},
        'history': _history(run_folder / 'metrics.csv'),
    }
    folder.mkdir(exist_ok=True)
    lines = ',\n'.join(f'{json.dumps(name)}: {json.dumps(value)}' for name, value in kept.items())
    with disk.whole(file_of(experiment, folder)) as opened:
        opened.write(f'{{\n{lines}\n}}\n')


def _history(file: Path) -> dict[str, list[str]]:
    with open(file, newline='') as opened:
        rows = list(csv.DictReader(opened))
    columns = [n for n in rows[0] if not n.startswith('train/') and n != 'examples_per_second']
    return {name: [row[name] for row in rows] for name in columns}
