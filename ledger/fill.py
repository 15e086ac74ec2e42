"""Fills the ledger: keeps what finished runs found, trains what is missing, writes the page."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dataset
import inst
from command_line import base_of_parent
from ledger import charts, page, store
from ledger.book import PROJECT, Book
from ledger.claim import Claim
from ledger.usual import alike, usual_deviation
from ledger.values import Results
from ledger.verdicts import Judgement, Usual, judge
from parameters import Experiment
from reports import figures
from system import disk
from system.errors import DataError, UsageError
from system.lines import say
from system.progress import Runs
from train.folder import Place, claimed, configuration, restart
from train.several import Job, train_each

_PAGES = {'.md': page.markdown, '.html': page.html}
_HEAD = 1 << 14  # bytes of a page, in which it says what made it


def fill(
    claims: Sequence[Claim],
    asked: Sequence[Claim],
    place: Place,
    at_once: int = 0,
    book: Book = PROJECT,
    scheduler: str = '',
) -> None:
    """Keeps the runs of `asked` that are finished, and writes all `claims`, where `book` says.

    What is missing is trained, `at_once` runs at a time, or by a scheduler's workers; 0: it is not.
    What is interrupted goes on with the next call: each run's results are kept when it ends.
    """
    _refuse_others(book)
    _data_key.cache_clear()
    for experiment in {store.key(e): e for c in claims for e in on_other_data(c, book)}.values():
        say(
            f'warning: {page.said(experiment)} seed {experiment.seed}: what is kept was found on '
            'other data than what it is compared with, and is not used; if the data are others '
            'now, --restart trains all of these'
        )
    if place.restart:
        missing, place = _forgotten(asked, place, book), dataclasses.replace(place, restart=False)
        say(f'{len(missing)} runs are begun again; the same without --restart goes on with them')
    else:
        for experiment in _missing(asked, book):
            _keep(experiment, place, book)
        missing = _missing(asked, book)
    write(claims, judgements(claims, book), book)
    if at_once:
        runs = '1 run is' if len(missing) == 1 else f'{len(missing)} runs are'
        say(f'{runs} missing' if missing else 'all runs are there')
        for _ in _trained(missing, place, at_once, book, scheduler):
            write(claims, judgements(claims, book), book)
    judged = judgements(claims, book)
    draw(claims, judged, book)
    write(claims, judged, book)
    for claim in asked if asked is not claims else ():
        say(page.told(claim, judged.get(claim)))
    say(f'{" and ".join(map(str, _pages(book)))}: {page.summary(claims, judged)}')


def _pages(book: Book) -> list[Path]:
    return [Path(f'{book.pages}{ending}') for ending in _PAGES]


def _is_page(file: Path) -> bool:
    with contextlib.suppress(OSError), disk.opened_regular(file, follows=True) as opened:
        return page.MARK in opened.read(_HEAD)
    return False


def _refuse_others(book: Book) -> None:
    """Raises UsageError where a page would take the place of a file that is none."""
    for file in _pages(book):
        if os.path.lexists(file) and not _is_page(file):
            raise UsageError(
                f'{file}: is no page of results, and would be replaced; move it, or go to the '
                'folder of this project, or of your own claims'
            )


def write(claims: Sequence[Claim], judged: Mapping[Claim, Judgement], book: Book) -> None:
    """Writes the pages of the claims, with their charts as they are."""
    for file, made in zip(_pages(book), _PAGES.values(), strict=True):
        with disk.whole(file) as opened:
            opened.write(made(claims, judged, book))


def draw(claims: Sequence[Claim], judged: Mapping[Claim, Judgement], book: Book) -> None:
    """Draws each source's claims, as far as they are measured; an earlier chart of none goes."""
    for source, mine in page.sections(claims).items():
        figure = charts.chart({claim: judged[claim] for claim in mine if claim in judged})
        if figure:
            figures.save(figure, page.chart_of(source, book))
        else:
            page.chart_of(source, book).unlink(missing_ok=True)


def judgements(claims: Sequence[Claim], book: Book = PROJECT) -> dict[Claim, Judgement]:
    """Judges the claims by the seeds that are there; one about every seed by all of them alone.

    Raises DataError where a run lacks a number.
    """
    every = {**(store.all_kept() if book.inst else {}), **store.all_kept(book.results)}

    usual = functools.partial(usual_deviation, groups=alike(every.values()))
    found = {}
    for claim in claims:
        other = {store.key(run) for run in on_other_data(claim, book)}
        complete = (
            all(
                _found(run.vary(seed=seed), book) and store.key(run.vary(seed=seed)) not in other
                for run in claim.experiments()
            )
            for seed in range(claim.seeds)
        )
        seeds = sum(itertools.takewhile(bool, complete))
        if seeds == claim.seeds or (seeds and not claim.every):
            found[claim] = _judged(claim, book, seeds, usual)
    return found


def on_other_data(claim: Claim, book: Book = PROJECT) -> list[Experiment]:
    """Returns the runs of a claim that saw other data than most of its runs, by their digests.

    Where as many saw one as another, which of them are to be had today is not known: all of them.
    """
    digests = {run: kept['data'] for run in claim.runs() if (kept := _found(run, book))}
    if len({*digests.values()}) < 2:
        return []
    (most, count), (_, next_count), *_ = Counter(digests.values()).most_common()
    return [run for run, digest in digests.items() if count == next_count or digest != most]


def _judged(claim: Claim, book: Book, seeds: int, usual: Usual) -> Judgement:
    place = str(book.results / store.RUNS)

    def kept(experiment: Experiment) -> Results:
        nonlocal place
        found = _found(experiment, book)
        if found is None:  # as another process has removed it
            raise KeyError(f'the run {store.key(experiment)} is gone')
        place = found['place']
        return found

    try:
        return judge(claim, kept, seeds, usual)
    except KeyError as error:  # of a line that was edited, or of an earlier version
        raise DataError(f'{place}: {error.args[0]}; remove the line, or restore the file') from None


def _found(experiment: Experiment, book: Book) -> dict[str, Any] | None:
    """Returns what is kept of a run, if anything.

    A user's own ledger takes what the project's has of runs that are the same. In it a run of other
    data by the same name, a reader or file that was changed, is not found.
    """
    if not book.inst:
        return store.find(experiment)
    found = store.find(experiment, book.results) or store.find(experiment)
    return found if found and found.get('dataset') == _data_key(experiment) else None


@functools.cache
def _data_key(experiment: Experiment) -> str:
    return dataset.key_of(experiment)


def _runs(claims: Sequence[Claim]) -> dict[str, Experiment]:
    """Returns the runs that claims need, of a claim together, each of them once, by their keys."""
    return {store.key(run): run for claim in claims for run in claim.runs()}


def _forgotten(asked: Sequence[Claim], place: Place, book: Book) -> list[Experiment]:
    """Returns the runs that claims need; what was made of them and their parents is removed.

    Raises RunInUse where another process is at one of them.
    """
    runs = _runs(asked)
    folders = set()
    for run in runs.values():
        folders.add(place.folder(run, inst.EXPERIMENTS[run.name]))
        while isinstance(run.parent, Experiment) and not run.draws_parent:
            folders.add(place.of_parent().folder(run.lineage(), base_of_parent(run)))
            run = run.lineage()
    there = [folder for folder in sorted(folders) if folder.is_dir()]
    with contextlib.ExitStack() as held:
        for folder in there:  # all of them, before anything goes
            held.enter_context(claimed(folder))
        for folder in there:
            restart(folder)
        store.drop(runs, book.results)
    return [*runs.values()]


def _missing(claims: Sequence[Claim], book: Book) -> list[Experiment]:
    """Returns the runs that nothing of use is kept of."""
    runs = _runs(claims)
    other = {store.key(run) for claim in claims for run in on_other_data(claim, book)}
    return [run for key, run in runs.items() if key in other or _found(run, book) is None]


def _keep(experiment: Experiment, place: Place, book: Book) -> bool:
    """Keeps what a finished run found; whether there is one, of that configuration."""
    folder = place.folder(experiment, inst.EXPERIMENTS[experiment.name])
    if not (folder / 'results.json').is_file():
        return False
    found, _ = configuration(folder)
    same = store.key(found) == store.key(experiment)
    if same:
        store.keep(experiment, folder, book.results)
    else:
        say(f'warning: {folder}: holds a run of another configuration, which is not taken')
    return same


def _trained(
    missing: Sequence[Experiment], place: Place, at_once: int, book: Book, scheduler: str
) -> Iterator[None]:
    """Trains the runs, keeps what each found, and says how long the rest takes."""
    jobs = [Job(run, inst.EXPERIMENTS[run.name], place.drawing(run.seed == 0)) for run in missing]
    trained = train_each(jobs, place.runs / 'results.log', at_once, scheduler)
    with Runs([page.said(run) for run in missing]) as runs:
        for number, (job, _, seconds, together) in enumerate(trained, 1):
            experiment = missing[job]
            _keep(experiment, place, book)
            runs.end(page.said(experiment), seconds, together)
            words = f'{page.said(experiment)} seed {experiment.seed}: {seconds:.0f} s'
            runs.say(f'{number}/{len(jobs)} {words}')
            yield
