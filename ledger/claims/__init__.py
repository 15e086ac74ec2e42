"""What the sources claim of the experiments, in numbers: a file a family of sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ledger.claim import Claim
from ledger.claims import constraints, papers, photographs, pictures, sequences, tied


def collected(families: Iterable[Any]) -> tuple[Claim, ...]:
    """Returns of each file the claims in its CLAIMS, and those with a name."""
    return tuple(
        claim
        for family in families
        for found in (family.CLAIMS, vars(family).values())
        for claim in found
        if isinstance(claim, Claim)
    )


CLAIMS = collected((tied, constraints, pictures, photographs, sequences, papers))


def claims_about(name: str, claims: Sequence[Claim]) -> list[Claim]:
    """Returns those of the claims that runs of that experiment are needed for."""
    return [claim for claim in claims if name in {e.name for e in claim.experiments()}]
