"""What the sources claim of the experiments, in numbers: a file a family of sources."""

from __future__ import annotations

from ledger.claim import Claim
from ledger.claims import constraints, papers, pictures, sequences, tied

CLAIMS: tuple[Claim, ...] = (
    *tied.CLAIMS,
    *constraints.CLAIMS,
    *pictures.CLAIMS,
    *sequences.CLAIMS,
    *papers.CLAIMS,
)


def claims_about(name: str) -> list[Claim]:
    """Returns the claims that runs of that experiment are needed for."""
    return [claim for claim in CLAIMS if name in {e.name for e in claim.experiments()}]
