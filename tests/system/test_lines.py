"""Lines that people read: whatever is in them is shown, and all of them go one way."""

import ast
import os
from pathlib import Path

import pytest
from conftest import ROOT

from system.errors import DataError, Interrupted
from system.lines import say, shown

ASIDE = {'bench', 'examples', 'torture', 'tests', 'docs'}  # print nothing that comes from outside
PRINTING = {'print', 'tqdm.write', 'sys.stdout.write', 'sys.stderr.write', 'warnings.warn'}


def test_words_are_shown_in_one_line_with_escapes_for_what_no_screen_takes():
    assert shown('猫 $x^2 [a]') == '猫 $x^2 [a]'
    assert shown(Path(os.fsdecode(b'a\xff\n\x1b[2J'))) == r'a\xff\n\x1b[2J'
    assert shown('\x9b31m\u202e\u2028\x85') == r'\x9b31m\u202e\u2028\x85'


def test_each_thing_that_is_said_is_a_line(capsys):
    say('a\nb', Path('\x1b[2J'))
    assert capsys.readouterr().out == 'a\\nb\n\\x1b[2J\n'


@pytest.mark.parametrize('error', [DataError('a\n\x1b[2J'), Interrupted('a\n\x1b[2J', 2)])
def test_an_error_shows_what_it_quotes_wherever_it_is_caught(error):
    assert str(error) == r'a\n\x1b[2J'


def test_nothing_is_printed_but_as_lines_that_are_shown():
    astray = []
    for file in ROOT.rglob('*.py'):
        where = file.relative_to(ROOT)
        if where.parts[0] in ASIDE or where.parts[0].startswith('.'):
            continue
        for call in (n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)):
            is_shown = any(isinstance(n, ast.Name) and n.id == 'shown' for n in ast.walk(call))
            if ast.unparse(call.func) in PRINTING and not is_shown:
                astray.append(f'{where}:{call.lineno}')
    assert not astray, astray
