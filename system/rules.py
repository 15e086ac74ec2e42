"""What the fields of a frozen dataclass may be: a rule each, in the field's own line."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, NamedTuple, TypeVar

from system.errors import UsageError

T = TypeVar('T')
_LONGEST: dict[type, tuple[int, str]] = {  # how much of a kind may be in a value
    str: (10_000, 'characters'),
    tuple: (100, 'numbers'),  # a network of more layers takes minutes to build
}
_TOLD = 200  # characters of a value that is of no use


_KINDS: dict[str, tuple[Any, str]] = {  # how a field is annotated -> its types, in words
    'bool': (bool, 'True or False'),
    'int': (int, 'a whole number'),
    'float': ((float, int), 'a number'),
    'str': (str, 'a text'),
    'tuple[int, ...]': (tuple, 'whole numbers in a tuple, as (300, 150) or (300,)'),
}


def plain(value: Any, kind: str) -> Any:
    """Returns a value as a field annotated so has it: of NumPy's, JSON's, a path, or one number.

    What is none of these stays, to be refused.
    """
    if hasattr(value, 'tolist'):  # an array, or a number that it holds
        value = value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if not kind.startswith('tuple'):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if not isinstance(value, list | tuple):
        return value
    return tuple(part.tolist() if hasattr(part, 'tolist') else part for part in value)


def impossible(name: str, value: Any, must: str) -> UsageError:
    """Returns the error that a field must be of another kind than a value is."""
    return UsageError(f'{name}={repr(value)[:_TOLD]}: must be {must}')


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
    allowed: Sequence[str] | Span | None  # choices, or numbers; None: whatever its type holds
    meaning: str
    needs: Need | None = None
    example: str = ''  # of a tuple that may not be empty

    @property
    def choices(self) -> str:
        """What it may be, in words; '' for whatever its type holds."""
        if isinstance(self.allowed, Span):
            above = 'above ' * self.allowed.above
            return f'{above}{self.allowed.least:.10g} to {self.allowed.most:.10g}'
        return ', '.join(self.allowed or ())

    def check(self, name: str, value: Any, kind: str) -> None:
        """Raises UsageError, which says what is allowed, where the field may not be `value`.

        `kind` is its annotation.
        """
        if value is None and kind.endswith('None'):
            return
        types, words = _KINDS.get(kind.removesuffix(' | None'), (object, ''))
        numbers = value if isinstance(value, tuple) else ()
        if (
            not isinstance(value, types)
            or (isinstance(value, bool) and kind != 'bool')
            or not all(type(number) is int for number in numbers)
        ):
            raise impossible(name, value, words)
        most, unit = next((v for kind, v in _LONGEST.items() if isinstance(value, kind)), (0, ''))
        if unit and len(value) > most:
            raise UsageError(f'{name}: has {len(value):,} {unit}, at most {most:,} are allowed')
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
            fits = span.least <= number <= span.most  # which NaN is not, nor infinity
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
    allowed: Sequence[str] | Span | None,
    meaning: str,
    needs: Need | None = None,
    example: str = '',
) -> Any:
    """Returns a dataclass field with its rule."""
    rule = Rule(tuple(groups.split()), allowed, meaning, needs, example)
    return field(default=default, metadata={'rule': rule})


def nearest(word: str, words: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` for the closest of `words`, or an empty string."""
    found = closest(word, words)
    return f'; did you mean {found!r}?' if found else ''


def closest(word: str, words: Iterable[str]) -> str:
    """Returns the one of `words` that is most like a word, or an empty string."""
    return next(iter(difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)), '')


def named(where: str, values: Mapping[str, Any], kind: type[T]) -> dict[str, T]:
    """Returns what is of a kind among a file's `values`, by the name that each bears.

    What the file calls `_something` is left out. Raises UsageError where two bear one name, or one
    is called otherwise: it may have taken the place of another.
    """
    found: dict[str, T] = {}
    for variable, value in list(values.items()):
        if not isinstance(value, kind) or variable.startswith('_'):
            continue
        name = getattr(value, 'name', variable)
        if found.setdefault(name, value) is not value:
            raise UsageError(
                f'{where}: {variable} bears the name {name!r} of another; give it one of its own, '
                f"as in {name}.vary('{variable}', ...)"
            )
        if name != variable:
            raise UsageError(f'{where}: {variable} bears the name {name!r}; write {name} = ...')
    return found


def written(value: Any) -> str:
    """Writes a value as the command line reads it."""
    return ','.join(map(str, value)) if isinstance(value, tuple | list) else str(value).lower()
