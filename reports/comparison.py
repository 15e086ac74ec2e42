"""Finished runs side by side: what differs in their configuration, scores and curves.

Needs no TensorFlow. `of` returns all that a table, a file or a page of it shows as plain data.
"""

from __future__ import annotations

import csv
import hashlib
import os
import statistics
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from evaluation import metrics
from reports import recorded
from reports.recorded import Notes, Recorded, noted
from system import disk
from system.errors import UsageError
from system.lines import shown
from system.names import filed

MOST = 20  # runs that are shown one by one, on the screen and by their looks in the figure
_MOST_LINES = 100  # in a panel of the figure
_FIRST = ('experiment', 'dataset', 'seed')  # columns of the table, whether or not they differ
_LIKELIHOODS = ('nll', 'nelbo', 'importance_nll', 'bound')  # of values as a network has them
_TABLE, _SEEDS, _PLAIN, _FIGURE = 'comparison.csv', 'seeds.csv', 'comparison.json', 'curves.png'


class Spread(NamedTuple):
    """How a score lies over seeds."""

    mean: float
    deviation: float


class Row(NamedTuple):
    """A field or a score, with the value that each run (or configuration) has; None: it has none.

    A value is among the best where others of the same data are worse.
    """

    name: str
    values: tuple[Any, ...]
    better: str = ''  # 'less' or 'greater'; '' where neither is
    best: tuple[bool, ...] = ()


class Comparison(NamedTuple):
    """What several runs differ in. Runs are numbered by their places, which begin at 0."""

    runs: tuple[Recorded, ...]
    names: tuple[str, ...]  # of the runs, no two alike
    fields: tuple[Row, ...]  # of the configuration, that differ
    scores: tuple[Row, ...]
    seeds: tuple[tuple[int, ...], ...]  # the runs of each configuration that has several seeds
    over_seeds: tuple[Row, ...]  # a score's Spread in each of `seeds`
    shown: tuple[int, ...]  # runs to be shown one by one: all, or those that are best in something
    warnings: tuple[str, ...]
    folder: Path | None = None  # where `write` has put it
    figure: Path | None = None  # of the curves, if they were drawn


def of(places: Iterable[str | Path]) -> Comparison:
    """Compares the runs that paths or patterns name; a folder of runs is all its finished ones.

    Raises UsageError where these are not two, or a path is not there.
    """
    notes: Notes = {}
    runs = list(_runs(places, notes))
    if len(runs) < 2:
        found = f'{shown(runs[0].folder)} is one' if runs else 'there is none'
        why = ''.join(f' ({words})' for words in recorded.warnings(notes))
        raise UsageError(f'--mode=compare: needs two runs or more, and {found}{why}')
    names = _names([run.folder for run in runs])
    for run, name in zip(runs, names, strict=True):
        if not run.finished:
            noted(notes, 'not finished, and without scores', name)
    warnings = recorded.warnings(notes)
    if len({run.data for run in runs if run.scores}) > 1:
        warnings.append('the runs are on different data; scores are compared where it is the same')
    known = dict.fromkeys(name for run in runs for name in run.scores or {})
    scores = [
        _scored(name, [(run.scores or {}).get(name) for run in runs], _units(name, runs))
        for name in known
    ]
    seeds = _seeds(runs)
    return Comparison(
        runs=tuple(runs),
        names=tuple(names),
        fields=tuple(_differing(runs)),
        scores=tuple(scores),
        seeds=tuple(seeds),
        over_seeds=tuple(_over_seeds(row, seeds, runs) for row in scores) if seeds else (),
        shown=_shown(len(runs), scores),
        warnings=tuple(warnings),
    )


def _runs(places: Iterable[str | Path], notes: Notes) -> Iterator[Recorded]:
    for folder, named in recorded.find(places, notes):
        run = recorded.read(folder, notes)
        if run and (named or run.finished):
            yield run
        elif run:
            noted(notes, 'not finished, and left out; to see curves, name the run itself', folder)


def _names(folders: Sequence[Path]) -> list[str]:
    """Returns the end of each folder's path, with as much before it as tells them apart."""
    parts = [Path(os.path.abspath(folder)).parts for folder in folders]
    lengths = [1] * len(parts)
    while True:
        names = ['/'.join(p[-n:]) for p, n in zip(parts, lengths, strict=True)]
        counts = Counter(names)
        alike = [counts[name] > 1 for name in names]
        if not any(a and n < len(p) for a, n, p in zip(alike, lengths, parts, strict=True)):
            return names
        lengths = [n + a for n, a in zip(lengths, alike, strict=True)]


def _differing(runs: Sequence[Recorded]) -> Iterator[Row]:
    """Yields the fields that differ among the runs that have them: not every kind has every field.

    The data's digest is one of them, where their name does not say that they differ.
    """
    for name in dict.fromkeys(name for run in runs for name in run.fields):
        if len({run.fields[name] for run in runs if name in run.fields}) > 1:
            told = (run.fields.get(name, '') for run in runs)
            yield Row(name, tuple('none' if v is None else None if v == '' else v for v in told))
    named = {(r.fields.get('dataset'), r.fields.get('data_path'), r.data) for r in runs if r.data}
    if len(named) > len({name[:2] for name in named}):
        yield Row('data', tuple(run.data or None for run in runs))


def _scored(name: str, values: Sequence[float | None], units: Sequence[Hashable]) -> Row:
    better = metrics.known(name).better
    return Row(name, tuple(values), better, _best(name, values, units))


def _units(name: str, runs: Sequence[Recorded]) -> list[Hashable]:
    """Returns, of each run, what a score's values must be alike in to be compared.

    That are the data; of errors of standardised values, and of likelihoods, which are densities of
    these, how they are standardised; of a likelihood which one it is.
    """
    last = name.rpartition('/')[2].removeprefix('future_')
    is_likelihood = last in _LIKELIHOODS
    fields = {'standardize'} if is_likelihood or last.endswith('_standardized') else set()
    fields |= {'loss'} if is_likelihood else set()

    def of(run: Recorded) -> Hashable:
        told = {n: v for n, v in run.fields.items() if n.rpartition('.')[2] in fields}
        return run.data, *told.items()

    return [of(run) for run in runs]


def _best(name: str, values: Sequence[float | None], units: Sequence[Hashable]) -> tuple[bool, ...]:
    """Returns which values are the best of those in the same units, where these differ.

    Of a baseline none is: it is no merit of a run.
    """
    best = {}
    better = '' if metrics.is_baseline(name) else metrics.known(name).better
    for each in set(units):
        mine = {v for v, u in zip(values, units, strict=True) if u == each and v is not None}
        if better and len(mine) > 1:
            best[each] = min(mine) if better == 'less' else max(mine)
    return tuple(v is not None and best.get(u) == v for v, u in zip(values, units, strict=True))


def _seeds(runs: Sequence[Recorded]) -> list[tuple[int, ...]]:
    """Returns the finished runs of each configuration of several seeds, one a seed."""
    found: dict[Hashable, dict[Any, int]] = {}
    for place, run in enumerate(runs):
        if run.scores is not None:
            found.setdefault(run.configuration, {}).setdefault(run.fields.get('seed'), place)
    return [tuple(places.values()) for places in found.values() if len(places) > 1]


def _over_seeds(row: Row, seeds: Sequence[Sequence[int]], runs: Sequence[Recorded]) -> Row:
    spreads: list[Spread | None] = []
    for places in seeds:
        values = [v for place in places if (v := row.values[place]) is not None]
        is_of_all = len(values) == len(places)  # or it is no mean over these seeds
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        spreads.append(Spread(statistics.fmean(values), deviation) if is_of_all else None)
    means = [spread and spread.mean for spread in spreads]
    best = _best(row.name, means, _units(row.name, [runs[places[0]] for places in seeds]))
    return Row(row.name, tuple(spreads), row.better, best)


def _shown(count: int, scores: Sequence[Row]) -> tuple[int, ...]:
    """Returns at most so many runs as can be shown: first those that are the best in a score."""
    best = {place for row in scores for place, is_best in enumerate(row.best) if is_best}
    return tuple(sorted([*sorted(best), *(i for i in range(count) if i not in best)][:MOST]))


def write(found: Comparison, runs: Path, *, figures: bool = True) -> Comparison:
    """Writes tables, JSON and the figure of the curves below the folder `runs`.

    The folder is named by what is compared, so that the same runs again take the same place, and
    others another. Returns the comparison with its folder and figure, and what more is to be
    warned of. Raises UsageError where it cannot be written.
    """
    folder = runs / 'comparison' / _name(found)
    notes: Notes = {}
    drawn = _figure(found, notes) if figures else None
    made = found._replace(
        folder=folder,
        figure=folder / _FIGURE if drawn else None,
        warnings=(*found.warnings, *recorded.warnings(notes)),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f'{folder}: cannot be made ({error.strerror}); name another place with --runs'
        ) from None
    with FileLock(folder / '.lock'):
        disk.tidy(folder)
        for old in (_SEEDS, _FIGURE):  # which may not be written again
            disk.remove(folder / old)
        _write_csv(folder / _TABLE, _table(made))
        if made.seeds:
            _write_csv(folder / _SEEDS, _table_of_seeds(made))
        if drawn:
            from reports.figures import save

            save(drawn, folder / _FIGURE)
        disk.write_json(folder / _PLAIN, plain(made))
    return made


def _name(found: Comparison) -> str:
    experiments = list(dict.fromkeys(run.fields['experiment'] for run in found.runs))
    of = '-'.join(experiments) if len(experiments) <= 2 else f'{len(experiments)}-experiments'
    paths = sorted(os.fsencode(os.path.realpath(run.folder)) for run in found.runs)
    digest = hashlib.sha256(b'\0'.join(paths)).hexdigest()[:8]
    return f'{filed(shown(of))}-{len(found.runs)}-runs-{digest}'


def plain(found: Comparison) -> dict[str, Any]:
    """Returns the comparison as values of JSON; runs are numbered from 1, as on the screen."""
    return {
        'runs': [
            {
                'number': number,
                'name': name,
                'folder': str(run.folder),
                'finished': run.finished,
            }
            for number, (run, name) in enumerate(zip(found.runs, found.names, strict=True), 1)
        ],
        'fields': {row.name: row.values for row in found.fields},
        'scores': {
            row.name: {
                'better': row.better,
                'values': row.values,
                'best': [number for number, is_best in enumerate(row.best, 1) if is_best],
            }
            for row in found.scores
        },
        'seeds': [
            {
                'runs': [place + 1 for place in places],
                'scores': {
                    row.name: spread._asdict()
                    for row in found.over_seeds
                    if (spread := row.values[group])
                },
            }
            for group, places in enumerate(found.seeds)
        ],
        'warnings': found.warnings,
        'figure': found.figure and found.figure.name,
    }


def _table(found: Comparison) -> Iterator[Sequence[Any]]:
    """Yields a header, and a row a run."""
    differing = [row for row in found.fields if row.name not in _FIRST]
    names = [row.name for row in (*differing, *found.scores)]
    yield 'number', 'name', 'run', 'finished', *_FIRST, *names
    for place, run in enumerate(found.runs):
        told = place + 1, found.names[place], run.folder, run.finished
        first = (run.fields.get(name) for name in _FIRST)
        yield *told, *first, *(row.values[place] for row in (*differing, *found.scores))


def _table_of_seeds(found: Comparison) -> Iterator[Sequence[Any]]:
    """Yields a header, and a row a configuration: mean and deviation of each score."""
    differing = [row for row in found.fields if row.name != 'seed']
    names = [name for row in found.over_seeds for name in (row.name, f'{row.name} deviation')]
    yield 'runs', 'seeds', *(row.name for row in differing), *names
    for group, places in enumerate(found.seeds):
        numbers = ' '.join(str(place + 1) for place in places)
        spreads = [row.values[group] or ('', '') for row in found.over_seeds]
        cells = [cell for spread in spreads for cell in spread]
        yield numbers, len(places), *(row.values[places[0]] for row in differing), *cells


def _write_csv(file: Path, rows: Iterable[Sequence[Any]]) -> None:
    with disk.whole(file, newline='') as opened:
        told = ([shown(c) if isinstance(c, str) else c for c in row] for row in rows)
        csv.writer(opened).writerows(told)


def _figure(found: Comparison, notes: Notes) -> Any:
    """Draws the curves, a colour a configuration; of one configuration alone, a colour a run."""
    from reports import curves  # Matplotlib takes half a second

    alone = len({run.configuration for run in found.runs}) == 1
    alike: dict[Hashable, list[int]] = {}
    for place in dict.fromkeys((*found.shown, *range(len(found.runs)))):
        look = place if alone else found.runs[place].configuration
        room = sum(map(len, alike.values())) < _MOST_LINES
        if room and (look in alike or len(alike) < curves.MOST):
            alike.setdefault(look, []).append(place)
    lines = []
    for places in sorted(map(sorted, alike.values())):
        note = f' (and {numbered(places[1:])})' if len(places) > 1 else ''
        name = f'{places[0] + 1}: {shown(found.names[places[0]])}'
        runs = [recorded.points(found.runs[place].folder, notes) for place in places]
        lines.append(curves.Line(name, note, runs))
    count, drawn = len(found.runs), sum(map(len, alike.values()))
    which = f'{drawn} of {count:,} runs, those named below' if drawn < count else f'{count} runs'
    return curves.draw(lines, f'curves of {which}')


def numbered(places: Sequence[int]) -> str:
    """Returns the numbers of runs, from 1 on: `1-3, 7`."""
    spans: list[list[int]] = []
    for number in (place + 1 for place in sorted(places)):
        if spans and number == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ', '.join('-'.join(map(str, span)) for span in spans)
