"""Words from outside on their way to screens and pages: no escapes, no tags, no lines of their own.

One run on pictures and one of a user's own file, all of whose names are hostile, and what every mode
says and writes of them.
"""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from conftest import results_of
from PIL import Image

from system.lines import shown

BEGUN = 'INJECTED'  # with what a line begins where a name could begin one
ESCAPES = f'\x1b[31m\x1b]0;title\x07\x9b31m\r\n{BEGUN}\u202e'
TEXT = f'=1+1{ESCAPES}|`<script>alert(1)</script>"><img src=x onerror=alert(1)>'
FILE = TEXT.replace('/', '')
TAGS = re.compile('<script>alert|<img src=x')
QUICK = ('--nofigures', '--set=epochs=1', '--set=steps_per_epoch=2')
PAGES = {'.html', '.md'}
WORDS = {*PAGES, '.txt', '.tsv', '.json', '.jsonl'}  # a CSV has names as they are


def check(text: str, *, page: bool = False):
    """Fails where hostile words are in a text as they were; a page shows no tags of theirs."""
    for line in text.split('\n'):
        assert line.isprintable(), repr(line)
        assert not line.startswith(BEGUN)
    assert not (page and TAGS.search(text))


@pytest.fixture(scope='module')
def at(tmp_path_factory):
    """A folder of data, and of a user's own file, with hostile names and words."""
    folder = tmp_path_factory.mktemp('hostile')
    for kind in ('a', 'b'):
        inner = folder / f'{FILE}pictures' / f'{kind}{FILE}'
        inner.mkdir(parents=True)
        for number in range(20):
            picture = Image.linear_gradient('L').resize((8, 8)).rotate(number * 9)
            picture.save(inner / f'{number}{FILE}.png', 'PNG')
        (inner / f'unread{FILE}.doc').touch()
    (inner / f'broken{FILE}.png').write_text('no picture')
    x, named = (
        np.random.default_rng(0).random((40, 6), np.float32),
        np.array(['a', f'b{TEXT}'] * 20),
    )
    np.savez(folder / f'{FILE}.npz', x=x, y=named)
    np.savez(folder / 'others.npz', **{FILE: x, 'y': named})
    np.savez(folder / 'splits.npz', x=x, split=named)
    np.savez(folder / 'bytes.npz', x=x, y=np.array([b'\xff' + TEXT.encode()] * 40))
    (folder / f'{FILE}.py').write_text(
        'from inst import basic\nfrom ledger.claim import Claim\n'
        f"w = basic.vary('w', description={TEXT!r}, source={TEXT!r}, dataset='array',\n"
        f'    data_path={str(folder / f"{FILE}.npz")!r}, hidden=(3,), epochs=1,\n'
        "    steps_per_epoch=2, output_activation='linear')\n"
        f"c = Claim({TEXT!r}, {TEXT!r}, w, 'test/mse', '<', 1.0, note={TEXT!r})\n"
    )
    (folder / 'raises.py').write_text(f'raise ValueError({TEXT!r})')
    return folder


@pytest.fixture
def said(at, main):
    """Returns a function that runs main with flags, and checks what it says; then what it wrote."""

    def run(*flags: str, code: int = 0) -> str:
        ended, out, err = main(*flags, runs=at / f'runs{FILE}')
        assert ended == code, err
        check(out)
        check(err)
        assert err.count('\n') == bool(code), err
        return out

    yield run
    for file in at.rglob('*'):
        if file.suffix in WORDS and file.is_file() and '/sent/' not in str(file):
            check(file.read_text(), page=file.suffix in PAGES)


@pytest.fixture
def run(at, said):
    """The folder of a run on the pictures, trained where none has been."""
    flags = ('--experiment=conv_vae_classify', '--set=filters=3,4', '--set=code_size=4')
    found = list(at.glob('runs*/conv_vae_classify/*/results.json'))
    if not found:
        out = said(*flags, '--set=image_size=8', f'--images={at}/{FILE}pictures', *QUICK)
        assert shown(FILE) in out and 'left out' in out
        found = list(at.glob('runs*/conv_vae_classify/*/results.json'))
    return found[0].parent


def test_every_mode_shows_names_of_pictures_and_classes(at, run, said):
    one, pictures = f'--run_dir={run}', f'--images={at}/{FILE}pictures'
    for mode in ('evaluate', 'score'):
        said(f'--mode={mode}', one, pictures, '--nofigures')
    said('--mode=predict', one, pictures)
    (file,) = run.glob('predictions-*.csv')
    with open(file, newline='', encoding='utf-8') as opened:  # where they are what they are
        head, *rows = csv.reader(opened)
    assert head[-1] == f'b{FILE}' and rows[0][1].startswith(f'a{FILE}/0{FILE}')
    said('--mode=encode', one, pictures, '--format=csv')
    said('--mode=export', one, '--format=frozen')
    said('--mode=generate', one, '--count=2')
    assert (run / 'report.html').exists() and (run.parent.parent / 'index.html').exists()


def test_a_run_that_somebody_sent_is_shown_as_it_is(at, run, said):
    sent = at / f'runs{FILE}' / 'sent' / FILE
    shutil.copytree(run, sent)
    results = results_of(sent)
    results['metrics'] |= {f'test/{TEXT}': 0.5}
    (sent / 'results.json').write_text(json.dumps(results | {'experiment': TEXT, 'dataset': TEXT}))
    config = json.loads((sent / 'config.json').read_text())
    config['experiment'] |= {'name': TEXT, 'description': TEXT, 'source': TEXT, 'data_path': TEXT}
    config['data'] |= {'key': TEXT}
    (sent / 'config.json').write_text(json.dumps(config))
    (sent / 'environment.json').write_text(json.dumps({TEXT: TEXT}))
    rows = (sent / 'metrics.csv').read_text().splitlines()
    (sent / 'metrics.csv').write_text(f'{rows[0]},"train/{TEXT}"\n{rows[1]},0.5\n')
    assert shown(TEXT) in said('--mode=compare', str(sent), str(run), '--nofigures')
    assert list(at.glob('runs*/comparison/*/comparison.html'))
    said('--mode=encode', f'--run_dir={sent}', code=2)  # the data are not there


def test_a_user_s_own_words_are_shown_on_their_page(at, said):
    own = f'--inst={at}/{FILE}.py'
    said(own, '--mode=results', '--nofigures')
    said(own, '--mode=report', '--experiment=w')
    assert shown(TEXT) in said(own, '--list')
    (file,) = at.glob('*-RESULTS.md')
    table = [line for line in file.read_text().splitlines() if line.startswith('|')]
    assert {line.count('|') for line in table} == {10} and len(table) == 3
    (kept,) = at.glob('*-results/runs.jsonl')
    line = json.loads(kept.read_text())
    kept.write_text(json.dumps(line | {'metrics': {TEXT: TEXT}}))
    said(own, '--mode=report', code=3)


@pytest.mark.parametrize(
    ('code', 'flags'),
    [
        (2, ('--experiment={}',)),
        (2, ('--mode={}',)),
        (2, ('--{}=1',)),
        (2, ('{}',)),
        (2, ('--flagfile={}',)),
        (2, ('--inst={}', '--list')),
        (2, ('--inst=@raises.py', '--list')),
        (2, ('--mode=export', '--run_dir={}')),
        (2, ('--mode=compare', '{}')),
        (2, ('--experiment=basic', '--set={}=3')),
        (2, ('--experiment=basic', '--set=loss={}')),
        (2, ('--experiment=basic', '--dataset={}')),
        (2, ('--experiment=basic', '--images={}')),
        (2, ('--experiment=basic', '--seed={}')),
        (3, ('--experiment=basic', '--array=@others.npz')),
        (3, ('--experiment=basic', '--array=@splits.npz')),
        (3, ('--experiment=basic', '--array=@bytes.npz')),
    ],
)
def test_an_error_shows_what_it_quotes_in_one_line(at, said, code, flags):
    said(*(flag.replace('{}', TEXT).replace('@', f'{at}/') for flag in flags), code=code)
