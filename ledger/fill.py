"""Fills the ledger: keeps what finished runs found, trains what is missing, writes the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import inst
from ledger import charts, page, store
from ledger.claim import Claim
from ledger.verdicts import Judgement, Results, judge
from parameters import Experiment
from reports import figures
from system import disk
from system.errors import DataError
from system.names import shown
from system.progress import Runs
from train.folder import Place, configuration
from train.several import Job, train_each

PAGES = {Path('RESULTS.md'): page.markdown, Path('RESULTS.html'): page.html}


def fill(claims: Sequence[Claim], asked: Sequence[Claim], place: Place, at_once: int = 0) -> None:
    """Keeps the runs of `asked` that are finished, and writes all `claims`.

    What is missing is trained, `at_once` runs at a time; 0: it is not. What is interrupted goes on
    with the next call: each run's results are kept when it ends.
    """
    missing = _missing(asked)
    for experiment in missing:
        _keep(experiment, place)
    missing = _missing(asked)
    write(claims)
    if at_once:
        print(f'{len(missing)} runs are missing' if missing else 'all runs are there')
        for _ in _trained(missing, place, at_once):
            write(claims)
    draw(claims)
    write(claims)
    judged = judgements(claims)
    for claim in asked if len(asked) < len(claims) else ():
        print(page.told(claim, judged.get(claim)))
    print(f'{" and ".join(map(str, PAGES))}: {page.summary(claims, judged)}')


def write(claims: Sequence[Claim]) -> None:
    """Writes the pages of the claims, from what is kept."""
    judged = judgements(claims)
    for file, made in PAGES.items():
        with disk.whole(file) as opened:
            opened.write(made(claims, judged))


def draw(claims: Sequence[Claim]) -> None:
    """Draws each source's claims, as far as they are measured."""
    judged = judgements(claims)
    for source, mine in page.sections(claims).items():
        figure = charts.chart({claim: judged[claim] for claim in mine if claim in judged})
        if figure:
            figures.save(figure, page.chart_of(source))


def judgements(claims: Sequence[Claim]) -> dict[Claim, Judgement]:
    """Judges the claims whose runs are all there; raises DataError where one lacks a number."""
    there = [c for c in claims if all(store.find(run) for run in c.runs())]
    return {claim: _judged(claim) for claim in there}


def _judged(claim: Claim) -> Judgement:
    try:
        return judge(claim, _kept)
    except KeyError as error:  # of a line that was edited, or of an earlier version
        raise DataError(
            f'{store.FOLDER / store.RUNS}: {error.args[0]}; remove its line, or restore the file'
        ) from None


def _kept(experiment: Experiment) -> Results:
    """Returns what is kept of a run; raises KeyError where another process has removed it."""
    found = store.find(experiment)
    if found is None:
        raise KeyError(f'the run {store.key(experiment)} is gone')
    return found


def _missing(claims: Sequence[Claim]) -> list[Experiment]:
    """Returns the runs that nothing is kept of: those of a claim together, each of them once."""
    runs = {store.key(run): run for claim in claims for run in claim.runs()}
    return [run for run in runs.values() if store.find(run) is None]


def _keep(experiment: Experiment, place: Place) -> bool:
    """Keeps what a finished run found; whether there is one, of that configuration."""
    folder = place.folder(experiment, inst.EXPERIMENTS[experiment.name])
    if not (folder / 'results.json').is_file():
        return False
    found, _ = configuration(folder)
    same = store.key(found) == store.key(experiment)
    if same:
        store.keep(experiment, folder)
    else:
        print(f'warning: {shown(folder)}: holds a run of another configuration, which is not taken')
    return same


def _trained(missing: Sequence[Experiment], place: Place, at_once: int) -> Iterator[None]:
    """Trains the runs, keeps what each found, and says how long the rest takes."""
    jobs = [Job(run, inst.EXPERIMENTS[run.name], place.drawing(run.seed == 0)) for run in missing]
    with Runs([page.said(run) for run in missing], at_once) as runs:
        for number, (job, _, seconds) in enumerate(
            train_each(jobs, place.runs / 'results.log', at_once), 1
        ):
            experiment = missing[job]
            _keep(experiment, place)
            runs.end(page.said(experiment), seconds)
            words = f'{page.said(experiment)} seed {experiment.seed}: {seconds:.0f} s'
            runs.say(f'{number}/{len(jobs)} {words}')
            yield
