"""What the sources claim of the experiments, in numbers: a file a family of sources."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from ledger.claim import Claim
from ledger.claims import constraints, papers, photographs, pictures, sequences, tied

_NOTED = {  # data set -> what its figures are to be read with
    'cifar10': 'CIFAR-10 from JPEG files of quality 75, with half the resolution of colour',
}


def collected(families: Iterable[Any]) -> tuple[Claim, ...]:
    """Returns of each file the claims in its CLAIMS, and those with a name, each fully noted."""
    return tuple(
        _noted(claim)
        for family in families
        for found in (family.CLAIMS, vars(family).values())
        for claim in found
        if isinstance(claim, Claim)
    )


def _noted(claim: Claim) -> Claim:
    notes = (claim.note, _NOTED.get(claim.experiment.dataset, ''))
    return dataclasses.replace(claim, note='; '.join(filter(None, notes)))


CLAIMS = collected((tied, constraints, pictures, photographs, sequences, papers))


def claims_about(name: str, claims: Sequence[Claim]) -> list[Claim]:
    """Returns those of the claims that runs of that experiment are needed for."""
    return [claim for claim in claims if name in {e.name for e in claim.experiments()}]
