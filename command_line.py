"""How an experiment is told on the command line, and its fields are read from there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from typing import Any

import inst
from parameters import FIELDS, IDENTITY, IMAGES, PARENTS, RULES, SHARED, Experiment
from system.errors import UsageError
from system.rules import closest, nearest, written

_FAULTS = {  # what absl says of a flag's value -> what it must be
    'Non-boolean': 'true or false',
    'int()': 'a whole number',
    'float:': 'a number',
}
_WANTED = {  # how a field is annotated -> what is written for it
    'bool': 'true or false',
    'int': 'a whole number',
    'float': 'a number',
    'tuple[int, ...]': 'whole numbers with commas, as 300,150',
}


def flag_fault(error: Exception) -> str:
    """Returns in a line what absl has against a flag's value."""
    said = ' '.join(str(error).split())
    flag, _, why = said.removeprefix('flag ').partition(': ')
    return next((f'{flag}: must be {must}' for sign, must in _FAULTS.items() if sign in why), said)


def flag_meant(name: str, flags: Iterable[str]) -> str:
    """Returns what is to be written in place of a flag that is none; '' where nothing is alike."""
    fields = [field for field in RULES if field != 'parent' and field not in flags]
    alike = closest(name, [*flags, *fields])
    return f'; did you mean --set {alike}=...?' if alike in fields else nearest(name, flags)


def settable(experiment: Experiment) -> dict[str, Any]:
    """Returns the fields that `--set` takes of an experiment, `parent.x` too, with their values."""
    own = {n: v for n, v in experiment.fields().items() if n not in (*IDENTITY, 'parent')}
    if not isinstance(experiment.parent, Experiment):
        return own
    parents = settable(experiment.lineage())
    return own | {f'{PARENTS}{n}': v for n, v in parents.items() if n not in SHARED}


def described(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Returns of each field that `--set` takes: its value, what it may be, what it means."""
    found = {}
    for name, value in settable(experiment).items():
        field = name.split('.')[-1]
        kind, rule = str(FIELDS[field].type), RULES[field]
        each = ', each number, as 300,150' if kind.startswith('tuple') else ''
        none = ', or none' if kind.endswith('None') else ''
        allowed = f'{rule.choices or _WANTED.get(kind, "a path")}{each}{none}'
        found[name] = {'value': value, 'allowed': allowed, 'meaning': rule.meaning}
    return found


def parse(name: str, text: str, known: Iterable[str] = FIELDS) -> Any:
    """Reads the value of a field from the command line, by the field's type; raises UsageError.

    `known` are the fields that are listed where there is none of that name.
    """
    field = name.split('.')[-1] if name.startswith(PARENTS) else name
    if field == 'parent':
        raise UsageError(f'--set {name}={text}: write --parent={text}')
    if field in IDENTITY:
        raise UsageError(f'--set {name}={text}: no such field; inst.py says it of a variation')
    if field not in FIELDS:
        raise UsageError(f'--set {name}={text}: no such field; {_meant(name, known)}')
    return _valued(name, text, str(FIELDS[field].type))


def _meant(name: str, known: Iterable[str]) -> str:
    """Asks whether a field that is alike is meant: its own, its parent's, or of other networks.

    Of none that is alike it tells which there are.
    """
    named = {n.removeprefix(PARENTS): n for n in known if n.startswith(PARENTS)}
    if not name.startswith(PARENTS):
        named = {n: n for n in FIELDS if n not in (*IDENTITY, 'parent')} | named
        named |= {n: n for n in known}
    if alike := closest(name.removeprefix(PARENTS), named):
        return f'did you mean {named[alike]!r}? --describe tells of each'
    listed = [n for n in known if n.startswith(PARENTS) == name.startswith(PARENTS)]
    return f'there are {", ".join(listed)}'


def _valued(name: str, text: str, kind: str) -> Any:
    if name == 'data_path':
        return os.path.expanduser(text)
    words = _WANTED.get(kind.removesuffix(' | None'), '')
    words += ', or none' if kind.endswith(' | None') else ''
    try:
        if kind == 'bool':
            return {'true': True, '1': True, 'false': False, '0': False}[text.lower()]
        if kind.endswith(' | None') and text.lower() == 'none':
            return None
        kind = kind.removesuffix(' | None')
        if kind == 'int':
            return int(text)
        if kind == 'float':
            return float(text)
        if kind == 'tuple[int, ...]':
            return tuple(map(int, text.split(','))) if text.strip() else ()
    except (KeyError, ValueError):
        raise UsageError(f'--set {name}={text}: must be {words}') from None
    return text


def changed(experiment: Experiment, base: Experiment) -> dict[str, str]:
    """Returns the training fields in which `experiment` differs from `base`, as text.

    Those of a parent of the same name are among them, as `parent.x`.
    """
    apart = (*IDENTITY, *IMAGES, 'dataset', 'data_path', 'seed', 'precision', 'parent')
    mine, theirs = experiment.fields(), base.fields()
    found = {
        name: written(value)
        for name, value in mine.items()
        if name not in apart and value != theirs.get(name)
    }
    if parents := parents_of(experiment, base):
        above = changed(*parents)
        found |= {f'{PARENTS}{name}': value for name, value in above.items()}
    return found


def same_parent(experiment: Experiment, base: Experiment) -> bool:
    """Whether both have a parent in the catalogue of one name, of which one may be a variation."""
    return parents_of(experiment, base) is not None


def parents_of(experiment: Experiment, base: Experiment) -> tuple[Experiment, Experiment] | None:
    """Returns the parents of both, where these are of one name in the catalogue."""
    mine, other = experiment.parent, base.parent
    if not isinstance(mine, Experiment) or not isinstance(other, Experiment):
        return None
    return (mine, other) if mine.name == other.name else None


def is_said(experiment: Experiment, base: Experiment, *, above: bool = False) -> bool:
    """Whether flags can say what it is: not where a parent is another than the catalogue's.

    But for a saved graph that is its own parent, which a flag names; not one `above` that.
    """
    if not isinstance(experiment.parent, Experiment):
        return experiment.parent == base.parent or not above
    pair = parents_of(experiment, base)
    return is_said(*pair, above=True) if pair else experiment.parent == base.parent


def base_of_parent(experiment: Experiment) -> Experiment:
    """Returns the parent as it stands in the catalogue, or itself where it does not."""
    parent = experiment.lineage()
    return inst.EXPERIMENTS.get(parent.name, parent)


def command(experiment: Experiment, base: Experiment) -> str:
    """Returns the command line that runs an experiment, a variation of the catalogue's `base`.

    It is that of another experiment where `is_said` is false.
    """
    return ' '.join(map(_quoted, ('python', 'main.py', *flags_of(experiment, base))))


def _quoted(word: str) -> str:
    """Returns a word as a shell takes it, of characters that can be shown."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = ''.join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in "\\'" else f'\\x{byte:02x}'
        for byte in os.fsencode(word)
    )
    return f"$'{escaped}'"


def flags_of(experiment: Experiment, base: Experiment) -> list[str]:
    """Returns the flags of that command line, each with its value."""
    names = (base.name, experiment.dataset, getattr(experiment.parent, 'name', ''))
    own_file = next((inst.OWN[name] for name in names if name in inst.OWN), None)
    flags: dict[str, Any] = {'inst': own_file} if own_file else {}
    flags['experiment'] = base.name
    own = experiment.dataset if experiment.data_path else ''
    if own:
        flags[own] = experiment.data_path
    elif experiment.dataset != base.dataset:
        flags['dataset'] = experiment.dataset
    if isinstance(experiment.parent, str):
        flags['parent'] = experiment.parent
    for name in ('seed', 'precision'):
        if getattr(experiment, name) != getattr(base, name):
            flags[name] = getattr(experiment, name)
    sizes = {n: v for n, v in experiment.fields().items() if n in IMAGES and v != getattr(base, n)}
    settings = {n: written(v) for n, v in sizes.items()} | changed(experiment, base)
    words = [f'--{name}={value}' for name, value in flags.items()]
    for name, value in settings.items():
        words += ['--set', f'{name}={value}']
    return words
