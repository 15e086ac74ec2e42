"""How far long work is: a bar in a terminal, plain lines where what is printed goes to a file."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO

from tqdm import tqdm

from system.lines import shown

_STEP_SECONDS = 1.0, 10.0  # at least and at most, between lines of steps that are done
_WORK_SECONDS = 30.0  # between lines in the midst of a step, or of work without steps


class Bar:
    """How far one piece of work is, counted in units.

    Where the screen is no terminal, as in the log of a batch system, it prints lines: one when a
    step ends (an epoch), though not more than one a second at first, and one in ten later; and one
    every half a minute in between.
    """

    def __init__(
        self, name: str, total: int | None, unit: str, *, done: int = 0, scale: bool = False
    ):
        """Begins at `done` of `total` units, None if unknown; `scale` shows thousands as k."""
        self._name, self._total, self._unit, self._from = shown(name), total, unit, done
        self._done = done
        self._began = self._said = self._measured = time.monotonic()
        self._bar = tqdm(
            desc=self._name, total=total, unit=unit, initial=done, unit_scale=scale, disable=None,
            leave=False,
        )  # fmt: skip
        self._plain = not (_is_terminal(sys.stdout) and _is_terminal(sys.stderr))
        if self._plain and sys.stdout:
            sys.stdout.flush()  # what was said before is seen while this goes on

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def name(self, words: str) -> None:
        """Says what is under way now."""
        self._name = shown(words)
        self._bar.set_description(self._name, refresh=False)

    def to(self, done: int) -> None:
        """Says that so many units are done, of all."""
        self._bar.update(done - self._done)
        self._done = done
        if self._plain and time.monotonic() - self._said >= _WORK_SECONDS:
            known = f'{done / self._total:.0%} of {self._total:,}' if self._total else f'{done:,}'
            self._line(f'{known} {self._unit}s')

    def advance(self, units: int = 1) -> None:
        """Says that so many more units are done."""
        self.to(self._done + units)

    def end_step(self, values: Mapping[str, float], speed: float, *, last: bool) -> None:
        """Shows what a step came to, at so many units a second; of the last it always does."""
        texts = [f'{name} {value:.4g}' for name, value in values.items()]
        self._bar.set_postfix_str(', '.join(texts), refresh=False)
        now = time.monotonic()
        least, most = _STEP_SECONDS
        if self._plain and (
            last or now - self._said >= min(most, max(least, (now - self._began) / 100))
        ):
            self._line(', '.join([*texts, f'{speed:,.0f} {self._unit}s/s']))
        if self._measured == self._began:  # the first step, which has to warm up
            self._from, self._measured = self._done, now

    def _line(self, words: str) -> None:
        """Prints a line, above the bar where there is one, and how long the rest takes."""
        self._said = time.monotonic()
        done, spent = self._done - self._from, self._said - self._measured
        if self._total and self._total > self._done > self._from:
            words += f', {_left((self._total - self._done) * spent / done)}'
        if sys.stdout:  # there is none in a program without any
            tqdm.write(shown(f'{self._name}: {words}'))
            sys.stdout.flush()


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


def _left(seconds: float) -> str:
    """Says how long so many seconds are, about."""
    scales = (('h', 3600.0, 7200.0), ('min', 60.0, 120.0), ('s', 1.0, 0.0))
    unit, size = next((unit, size) for unit, size, least in scales if seconds >= least)
    return f'about {seconds / size:.0f} {unit} left'


class Runs:
    """A bar over runs to come, of which each is of a kind; quiet when not in a terminal."""

    def __init__(self, kinds: Sequence[str]):
        self._ahead, self._at_once = list(kinds), 1
        self._spent: dict[str, list[float]] = {}
        form = '{n_fmt}/{total_fmt} runs |{bar:24}| {elapsed}{postfix}'
        self._bar = tqdm(total=len(kinds), unit='run', bar_format=form, disable=None, leave=False)

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def end(self, kind: str, seconds: float, at_once: int = 1) -> None:
        """Says that one of a kind has ended, and what it took, of so many at once."""
        self._at_once = at_once
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
        return _left(seconds)

    def say(self, line: str) -> None:
        """Prints a line above the bar, and how long the rest takes."""
        tqdm.write(shown('; '.join(filter(None, [line, self.left()]))))
        sys.stdout.flush()
