"""Where a ledger keeps what runs found and writes its pages: the project's, and a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Book(NamedTuple):
    """A ledger's places."""

    results: Path  # the folder of what runs found
    pages: Path  # the pages, without their endings
    charts: Path  # the folder of its figures
    inst: str = ''  # the user's file whose claims it holds


PROJECT = Book(Path('results'), Path('RESULTS'), Path('docs'))


def beside(file: str) -> Book:
    """Returns the places of the claims of a user's own file: beside it, under its name."""
    path = Path(file)
    results = path.with_name(f'{path.stem}-results')
    return Book(results, path.with_name(f'{path.stem}-RESULTS'), results, file)
