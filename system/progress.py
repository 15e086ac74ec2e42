"""How far several runs are, and how long the rest of them takes."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence

from tqdm import tqdm


class Runs:
    """A bar over runs to come, of which each is of a kind; quiet when not in a terminal."""

    def __init__(self, kinds: Sequence[str], at_once: int = 1):
        self._ahead, self._at_once = list(kinds), at_once
        self._spent: dict[str, list[float]] = {}
        form = '{n_fmt}/{total_fmt} runs |{bar:24}| {elapsed}{postfix}'
        self._bar = tqdm(total=len(kinds), unit='run', bar_format=form, disable=None, leave=False)

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def end(self, kind: str, seconds: float) -> None:
        """Says that one of a kind has ended, and what it took."""
        self._ahead.remove(kind)
        self._spent.setdefault(kind, []).append(seconds)
        self._bar.set_postfix_str(self.left(), refresh=False)
        self._bar.update()

    def left(self) -> str:
        """Says how long the rest takes: each run as those of its kind, or else as the mean run."""
        if not self._spent or not self._ahead:
            return ''
        means = {kind: statistics.fmean(spent) for kind, spent in self._spent.items()}
        usual = statistics.fmean(means.values())
        seconds = sum(means.get(kind, usual) for kind in self._ahead) / self._at_once
        return (
            f'about {seconds:.0f} s left' if seconds < 120 else f'about {seconds / 60:.0f} min left'
        )

    def say(self, line: str) -> None:
        """Prints a line above the bar, and how long the rest takes."""
        tqdm.write('; '.join(filter(None, [line, self.left()])))
        sys.stdout.flush()
