"""What the fields of a frozen dataclass may be: a rule each, in the field's own line."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import field
from typing import Any, NamedTuple

from system.errors import UsageError


class Need(NamedTuple):
    """What a field needs of the others, to have an effect."""

    words: str
    met: Callable[[Any], Any]  # of the dataclass's value


class Span(NamedTuple):
    """The numbers from `least` to `most`; of a tuple, each of them."""

    least: float
    most: float
    above: bool = False  # `least` itself is not allowed


class Rule(NamedTuple):
    """Where a field has an effect, what it may be, what it means, what it needs."""

    groups: tuple[str, ...]
    allowed: tuple[str, ...] | Span | None  # choices, or numbers; None: whatever its type holds
    meaning: str
    needs: Need | None = None
    example: str = ''  # of a tuple that may not be empty

    def check(self, name: str, value: Any) -> None:
        """Raises UsageError, which says what is allowed, where the field may not be `value`."""
        if isinstance(value, tuple) and not value and self.example:
            raise UsageError(f'{name}=: at least one number is needed, as {name}={self.example}')
        if isinstance(self.allowed, Span):
            self._check_numbers(name, value, self.allowed)
        elif self.allowed and value not in self.allowed:
            hint = nearest(str(value), self.allowed)
            raise UsageError(f'{name}={value}: allowed are {", ".join(self.allowed)}{hint}')

    def _check_numbers(self, name: str, value: Any, span: Span) -> None:
        numbers = value if isinstance(value, tuple) else (value,)
        for number in numbers:
            fits = math.isfinite(number) and span.least <= number <= span.most
            if fits and not (span.above and number == span.least):
                continue
            bounds = f'at least {span.least:.10g} and at most {span.most:.10g}'
            if span.above:
                bounds = bounds.replace('at least', 'above')
            if isinstance(value, tuple):
                bounds = f'{span.least:.0f} to {span.most:.0f}, each number'
            raise UsageError(f'{name}={written(value)}: must be {bounds}')


def setting(
    default: Any,
    groups: str,
    allowed: tuple[str, ...] | Span | None,
    meaning: str,
    needs: Need | None = None,
    example: str = '',
) -> Any:
    """Returns a dataclass field with its rule."""
    rule = Rule(tuple(groups.split()), allowed, meaning, needs, example)
    return field(default=default, metadata={'rule': rule})


def nearest(word: str, words: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` for the closest of `words`, or an empty string."""
    found = difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f'; did you mean {found[0]!r}?' if found else ''


def written(value: Any) -> str:
    """Writes a value as the command line reads it."""
    return ','.join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
