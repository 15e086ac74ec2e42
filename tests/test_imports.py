"""The house: packages import downwards only, and no circle leads through its files."""

import ast
import graphlib

import pytest
from conftest import ROOT

FLOORS = (  # from the ground up; a package imports what lies below it, or itself
    {'system', 'phases'},
    {'parameters'},
    {'inst', 'inputs'},
    {'command_line'},
    {'networks'},
    {'dataset', 'model'},
    {'evaluation'},
    {'reports'},
    {'train'},
    {'inference', 'studies'},
    {'ledger'},
    {'main'},
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
ASIDE = {'bench', 'examples', 'torture', 'tests'}  # use the program; nothing in it uses them


def modules() -> dict[str, object]:
    """Returns every file of the program by the name it is imported by."""
    files = [f for f in ROOT.rglob('*.py') if f.relative_to(ROOT).parts[0] not in ASIDE]
    files = [f for f in files if not any(p.startswith('.') for p in f.relative_to(ROOT).parts)]
    named = {'.'.join(f.relative_to(ROOT).with_suffix('').parts): f for f in files}
    return {name.removesuffix('.__init__'): file for name, file in named.items()}


def imported(file, known) -> set[str]:
    """Returns the modules of the program that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f'{node.module}.{alias.name}' for alias in node.names}
            found |= (inner & known) or {node.module}
    return found & known


MODULES = modules()
IMPORTS = {name: imported(file, MODULES.keys()) for name, file in MODULES.items()}


def test_every_package_has_a_floor():
    assert {name.split('.')[0] for name in MODULES} == FLOOR.keys()


@pytest.mark.parametrize('name', MODULES)
def test_imports_run_downwards(name):
    here = name.split('.')[0]
    upwards = {
        other
        for other in IMPORTS[name]
        if other.split('.')[0] != here and FLOOR[other.split('.')[0]] >= FLOOR[here]
    }
    assert not upwards


def test_no_circle_leads_through_the_files():
    assert list(graphlib.TopologicalSorter(IMPORTS).static_order())


def test_every_package_says_what_it_is():
    for name, file in MODULES.items():
        words = ast.get_docstring(ast.parse(file.read_text()))
        assert words and words.splitlines()[0].endswith(('.', ':')), name
