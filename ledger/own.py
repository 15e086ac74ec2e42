"""A user's own file of variations, studies, claims and data sets, beside the catalogue: `--inst`.

The file is Python that runs as it stands. What it names at its top joins the catalogue, until the
next call of `load`.
"""

from __future__ import annotations

import ast
import re
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

import inst
from ledger.claim import Claim
from parameters import FIELDS, Experiment
from studies import catalogue
from studies.study import Study
from system import disk
from system.errors import UsageError, line_of
from system.rules import nearest

_NAME = re.compile(r'\w[\w.-]*')
_LARGEST = 1 << 24  # bytes of such a file
_MAKERS = ('Claim', 'Experiment', 'Study', 'vary')


class Own(NamedTuple):
    """What a user's own file adds; without such a file, nothing."""

    file: str = ''
    named: tuple[str, ...] = ()  # experiments and studies
    data_sets: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()


def load(file: str | None) -> Own:
    """Adds what a file names to the catalogue, in place of what another one had added.

    Raises UsageError, which says the line, for what cannot be: a fault that Python finds, a name
    that is taken, an experiment without one, a file with nothing in it.
    """
    _forget()
    if not file:
        return Own()
    try:
        with disk.opened_regular(file, follows=True) as opened:
            text = opened.read(_LARGEST + 1)
    except FileNotFoundError:
        raise UsageError(f'--inst={file}: no such file') from None
    except OSError as error:
        raise UsageError(f'--inst={file}: cannot be read ({error.strerror})') from None
    if len(text) > _LARGEST:
        raise UsageError(f'--inst={file}: longer than {_LARGEST:,} bytes')
    tree, values = _executed(file, text)
    made, claims = _collected(file, values, _lines(tree))
    data_sets = _data_sets()
    if not (made or claims or data_sets):
        raise UsageError(
            f'--inst={file}: names no variation, study, claim or reader of data; write '
            "wide = phasewise.vary('wide', ...) there"
        )
    catalogue.CATALOGUE.update(made)
    inst.EXPERIMENTS.update({n: v for n, v in made.items() if isinstance(v, Experiment)})
    inst.OWN.update(dict.fromkeys((*made, *data_sets), file))
    _check_parts(file, made, claims)
    return Own(file, tuple(made), data_sets, tuple(claims))


def _forget() -> None:
    for name in inst.OWN:
        inst.EXPERIMENTS.pop(name, None)
        catalogue.CATALOGUE.pop(name, None)
    inst.OWN.clear()
    if 'inputs.readers' in sys.modules:
        sys.modules['inputs.readers'].forget()


def _data_sets() -> tuple[str, ...]:
    """Returns the names of the readers that the file has registered, if it has any."""
    return tuple(sys.modules['inputs.readers'].OWN) if 'inputs.readers' in sys.modules else ()


def _executed(file: str, text: bytes) -> tuple[ast.Module, dict[str, Any]]:
    """Runs the file; returns its syntax, and what it holds by name."""
    path = Path(file).resolve()
    module = types.ModuleType(f'inst_{path.stem}')
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where its dataclasses look for their names
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last: its neighbours hide nothing of the program
    try:
        tree = ast.parse(text, file)
        _refuse_lost(file, tree)
        exec(compile(text, file, 'exec'), vars(module))
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(line_of(error, file, _hint(error, module))) from None
    return tree, vars(module)


def _hint(error: BaseException, module: types.ModuleType) -> str:
    """Names what may be meant, where a name is not there."""
    name = getattr(error, 'name', None)
    if isinstance(error, NameError) and name in vars(inst):
        return f'; add: from inst import {name}'
    if isinstance(error, NameError):
        return nearest(str(name), [*vars(inst), *vars(module)])
    if isinstance(error, AttributeError) and error.obj is inst:
        return nearest(str(name), vars(inst))
    if isinstance(error, TypeError) and (
        unknown := re.search(r"unexpected keyword argument '(\w+)'", str(error))
    ):
        return nearest(unknown[1], FIELDS)
    if isinstance(error, TypeError) and 'vary() takes' in str(error):
        return "; write vary('name', field=value)"
    wanted = re.match(r"cannot import name '(\w+)'", str(error))
    if isinstance(error, ImportError) and wanted and name in sys.modules:
        return nearest(wanted[1], vars(sys.modules[name]))
    return ''


def _refuse_lost(file: str, tree: ast.Module) -> None:
    """Raises UsageError for a variation, study or claim that is made and given no name."""
    for statement in tree.body:
        if not isinstance(statement, ast.Expr):
            continue
        calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
        made = [getattr(call, 'id', getattr(call, 'attr', '')) for call in calls]
        for name in (name for name in made if name in _MAKERS):
            what = {'vary': 'a variation'}.get(name, f'a {name}')
            raise UsageError(
                f'{file}:{statement.lineno}: {what} without a name in this file is lost; write '
                'something = ... before it'
            )


def _lines(tree: ast.Module) -> dict[str, int]:
    """Returns the line on which each name at the top of the file is given."""
    return {
        node.id: node.lineno
        for statement in tree.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _collected(
    file: str, values: dict[str, Any], lines: dict[str, int]
) -> tuple[dict[str, Experiment | Study], list[Claim]]:
    """Returns what a file names, by name, and its claims; those in its lists and tuples too.

    What it calls `_something` is left out. Raises UsageError for a name that is taken or unfit.
    """
    made: dict[str, Experiment | Study] = {}
    claims: list[Claim] = []
    for variable, value in values.items():
        several = type(value) in (list, tuple)
        for item in () if variable.startswith('_') else value if several else (value,):
            if isinstance(item, Claim):
                claims += [] if item in claims else [item]
            elif isinstance(item, (Experiment, Study)):
                other = catalogue.CATALOGUE.get(item.name, made.get(item.name))
                if other is item or (several and other is not None):
                    continue  # imported, or the arms of a study
                where = f'{file}:{lines.get(variable, 1)}: {variable}'
                if other is not None:
                    owner = 'another' if item.name in made else 'a built-in one'
                    raise UsageError(
                        f'{where} bears the name {item.name!r} of {owner}; give it its own, as in '
                        f".vary('my_{item.name}', ...)"
                    )
                if not _NAME.fullmatch(item.name):
                    raise UsageError(
                        f'{where}: its name {item.name!r} must be letters, digits, _, - or .'
                    )
                made[item.name] = item
    return made, claims


def _check_parts(file: str, made: dict[str, Experiment | Study], claims: list[Claim]) -> None:
    """Raises UsageError where a study, a claim or a parent is of an experiment without a name."""
    used = [(name, arm) for name, v in made.items() if isinstance(v, Study) for arm in v.arms]
    used += [(f'claim {c.words!r}', each) for c in claims for each in c.experiments()]
    used += [(name, v) for name, v in made.items() if isinstance(v, Experiment)]
    for user, experiment in used:
        while True:
            if experiment.name not in inst.EXPERIMENTS:
                raise UsageError(
                    f'{file}: {user} uses {experiment.name!r}, which the file does not name; write '
                    f"{experiment.name} = ... .vary('{experiment.name}', ...) at its top"
                )
            if not isinstance(experiment.parent, Experiment):
                break
            experiment = experiment.parent
