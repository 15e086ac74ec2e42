"""A user's own file: its names are used like the catalogue's, and its faults are one line."""

import json
import re
import subprocess
import sys
import types

import pytest
from conftest import ROOT

import inst
import parameters
from ledger import claims, own
from studies import catalogue

PAGE = (ROOT / 'docs/extending.md').read_text()
(EXAMPLE,) = re.findall(r'```py\n(.*?)```', PAGE, re.S)
COMMANDS = re.findall(r'^ +python main\.py (--inst=mine\.py .*)$', PAGE, re.M)
QUICK = ('--set=epochs=1', '--nofigures')


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the documented mine.py, whose names are taken back afterwards."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text(EXAMPLE)
    yield tmp_path
    own.load(None)


def test_own_names_stand_in_the_list_in_a_group_of_their_own(main, folder):
    code, out, err = main('--inst=mine.py', '--list')
    assert code == 0, err
    before, after = out.split('\nmine.py\n')
    assert [line.split()[0] for line in after.splitlines()[:3]] == ['narrow', 'wide', 'widths']
    assert 'stripes' in after.splitlines()[-1] and before == main('--list')[1]


def test_nothing_of_it_is_left_for_the_next_command(main, folder):
    sets = [*parameters.DATASETS]
    assert main('--inst=mine.py', '--list')[0] == 0 and 'stripes' in parameters.DATASETS
    assert 'no such experiment' in main('--experiment=wide')[2]
    assert sets == parameters.DATASETS and not inst.OWN and 'wide' not in inst.EXPERIMENTS


def test_a_nearly_right_name_is_answered_with_an_own_one(main, folder):
    assert "did you mean 'widths'?" in main('--inst=mine.py', '--experiment=widthz')[2]
    assert "'stripes'?" in main('--inst=mine.py', '--experiment=tied', '--dataset=strips')[2]


def test_every_documented_command_names_what_is_there(folder):
    own.load('mine.py')
    assert len(COMMANDS) > 4
    for name in re.findall(r'--experiment=(\w+)', ' '.join(COMMANDS)):
        assert name in catalogue.CATALOGUE


def test_its_claims_are_judged_beside_it(main, folder):
    flags = ('--inst=mine.py', '--mode=results', '--experiment=wide')
    (folder / 'mine.py').write_text(EXAMPLE.replace('hidden=(20, 10)', 'hidden=(20, 10), epochs=1'))
    code, out, err = main(*flags, '--nofigures')
    assert code == 0 and '4 runs are missing' in out and 'mine-RESULTS.md' in out, err
    assert {file.name for file in folder.iterdir()} >= {'mine-RESULTS.html', 'mine-results'}
    assert not (folder / 'RESULTS.md').exists() and not (folder / 'results').exists()
    assert '--inst=mine.py --experiment=wide' in (folder / 'mine-RESULTS.md').read_text()
    (page,) = folder.glob('runs/wide/stripes-????????-seed0/report.html')
    assert 'main.py --inst=mine.py --experiment=wide' in page.read_text()
    assert 'all runs are there' in main(*flags)[1]
    changed = (folder / 'mine.py').read_text().replace('(0, 100,', '(0, 90,')
    (folder / 'mine.py').write_text(changed)  # a reader that makes other data
    assert '1 not yet measured' in main('--inst=mine.py', '--mode=report')[1]


@pytest.mark.slow
def test_runs_at_once_load_it_too(main, folder):
    flags = ('--inst=mine.py', '--experiment=widths', '--jobs=2', '--seeds=1')
    code, out, err = main(*flags, *QUICK)
    assert code == 0 and '2/2 ' in out, err


def test_it_may_stand_in_a_flagfile_and_the_command_overrides_it(main, folder):
    (folder / 'flags').write_text('--inst=mine.py\n')
    assert '"stripes"' in main('--flagfile=flags', '--experiment=wide', '--describe')[1]
    assert 'other.py: no such file' in main('--flagfile=flags', '--inst=other.py', '--list')[2]


BASE = (
    'from inst import phasewise\nfrom ledger.claim import Claim\nfrom studies.study import Study\n'
)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('x = (1,', ":4: '(' was never closed"),
        ('x = phasewise.vary("x", hiden=(3,))', ":4: 'hiden' is not a field; did you mean 'hidden'"),
        ('x = phasewise.vary("x", hidden=0.5)', ':4: hidden=0.5: must be whole numbers in a tuple'),
        ('x = phasewise.vary("x", epochs=2.5)', ':4: epochs=2.5: must be a whole number'),
        ('x = phasewise.vary("x", tied="no")', ":4: tied='no': must be True or False"),
        ('x = phasewise.vary("x", "wider", hidden=(3,))', "write vary('name', field=value)"),
        ('from parameters import Experiment\nx = Experiment("x", "d", "s", hiden=(3,))', "mean 'hidden'"),
        ('x = phasewise.vary("x", description=None)', ':4: description=None: must be a text'),
        ('x = phasewise.vary(hidden=(3,))', ":4: x bears the name 'phasewise' of a built-in one"),
        ('x = phasewise.vary("a/b", hidden=(3,))', ":4: x: its name 'a/b' must be letters"),
        ('phasewise.vary("x", hidden=(3,))', ':4: a variation without a name in this file is lost'),
        ('x = untied.vary("x", tied=True)', ':4: NameError: name '),
        ('from inst import phasewize', "did you mean 'phasewise'?"),
        ('', 'names no variation, study, claim or reader'),
        ('raise SystemExit(3)', ':4: SystemExit: 3'),
        ('c = Claim("w", "me", phasewise, "test/msee", "<", 1.0)', ':4: claim \'w\': test/msee: no run'),
        ('x = phasewise.vary("x", dataset="iris")\nc = Claim("w", "me", x, "test/mse", "<", phasewise)',
         'x is on iris and phasewise on mnist'),
        ('c = Claim("w", "me", "phasewise", "test/mse", "<", 1.0)', ":4: claim 'w': experiment='phasewise': must"),
        ('c = Claim("w", "me", phasewise, "test/mse", "<", "tied")', ":4: claim 'w': than='tied': must be a number"),
        ('x = "\0"', 'mine.py: source code string cannot'),
        ('s = Study("s", "q", "me", arms=(phasewise))', ':4: s: arms must be a tuple'),
        ('s = Study("s", "q", "me", (phasewise, phasewise.vary(dataset="iris")))', 'are on iris and mnist'),
        ('s = Study("s", "q", "me", (phasewise,), over="hiden", values=(3,))', "mean 'hidden'"),
        ('s = Study("s", "q", "me", (phasewise.vary("u", l2=0.0),))', "s uses 'u', which the file does not"),
        ('from inputs.readers import reader\n@reader\ndef mnist(asked): pass', 'of that name'),
    ],
)  # fmt: skip
def test_a_fault_in_it_is_one_line(main, folder, text, words):
    (folder / 'mine.py').write_text(BASE + text)
    code, _, err = main('--inst=mine.py', '--list')
    assert (code, len(err.splitlines())) == (2, 1) and 'mine.py' in err, err
    assert words in err


READER = """
import numpy as np
from inputs.readers import Examples, Source, reader
X = np.zeros((30, 4))
@reader
def odd(asked):
    return """


@pytest.mark.parametrize(
    ('made', 'words'),
    [
        ('open("/nowhere/at/all")', 'mine.py:7: odd raised FileNotFoundError'),
        ('X', 'mine.py:5: odd must return a Source; it returned ndarray'),
        ('Source("x", {"test": Examples(X, None)}, ())', 'must be a dict of train'),
        ('Source("x", {"train": Examples(X[0], None)}, ())', 'x of train must be [examples'),
        ('Source("x", {"train": Examples(X + np.nan, None)}, ())', 'NaN or infinity, first in row 0'),
        ('Source("x", {"train": Examples(X, np.arange(30))}, "ab")', 'whole numbers from -1 to 1'),
        ('Source("x", {"train": Examples(X, np.arange(30))}, ())', 'y where there are classes'),
    ],
)  # fmt: skip
def test_what_a_reader_does_wrong_is_one_line(main, folder, made, words):
    (folder / 'mine.py').write_text(READER + made)
    code, _, err = main('--inst=mine.py', '--experiment=tied', '--dataset=odd')
    assert (code, len(err.splitlines())) == (3, 1), err
    assert words in err


@pytest.fixture(scope='module')
def pasted(tmp_path_factory):
    """Runs main.py, in a copy of the program, with a line at the end of the catalogue."""
    folder = tmp_path_factory.mktemp('copy')
    for name in ('inst.py', 'main.py', 'parameters.py', 'phases.py', 'command_line.py'):
        (folder / name).write_text((ROOT / name).read_text())
    for name in ('system', 'inputs', 'evaluation', 'studies', 'train', 'ledger'):
        (folder / name).symlink_to(ROOT / name)
    whole = (folder / 'inst.py').read_text()

    def run(line: str, *flags: str) -> subprocess.CompletedProcess:
        (folder / 'inst.py').write_text(f'{whole}\n{line}\n')
        # Python takes a catalogue of the same second and the same length for the one it compiled.
        called = [sys.executable, '-B', 'main.py', *flags]
        return subprocess.run(called, cwd=folder, capture_output=True, text=True)

    return run


def test_what_is_pasted_at_the_end_of_the_catalogue_is_seen(pasted):
    """As the README's example is."""
    line = "wide = phasewise.vary('wide', description='a wider stack', hidden=(9, 5))"
    done = pasted(line, '--experiment=wide', '--describe')
    assert json.loads(done.stdout)['hidden'] == [9, 5], done.stderr


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ("wide = phasewise.vary('wide', hiden=(9, 5))", "'hiden' is not a field; did you mean"),
        ("wide = phasewise.vary('wide', beta=3)", 'beta=3 has no effect on wide'),
        ("wide = phasewise.vary('wide'", "'(' was never closed"),
        ("wide = fasewise.vary('wide')", "NameError: name 'fasewise' is not defined"),
        ("tied = phasewise.vary('wide', hidden=9)", "tied bears the name 'wide'; write wide = "),
        ("wide = phasewise.vary('tied', hidden=9)", "bears the name 'tied' of another"),
    ],
)
def test_a_fault_in_the_catalogue_is_one_line(pasted, line, words):
    done = pasted(line, '--list')
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert words in done.stderr and 'inst.py:' in done.stderr


def test_a_variation_without_words_of_its_own_is_described_by_its_changes(pasted):
    line = "wide = phasewise_classifier.vary('wide', epochs=3, **{'parent.hidden': [9, 5]})"
    words = 'phasewise_classifier with epochs=3, parent.hidden=9,5 ['
    assert words in ' '.join(pasted(line, '--list').stdout.split())


def test_a_claim_with_a_name_counts_beside_those_of_its_file():
    first, second, third = claims.CLAIMS[:3]
    family = types.SimpleNamespace(CLAIMS=(first, second), named=third, other=1)
    assert claims.collected([family]) == (first, second, third)
    assert len(claims.CLAIMS) == len(set(claims.CLAIMS)) > 100
