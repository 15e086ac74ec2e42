"""The examples run as their page says, on small runs and with few epochs."""

import functools
import json
import re
import shlex
import signal
import time
from pathlib import Path

import forked
import pytest
from conftest import ROOT, most
from PIL import Image

from inference import export
from train.folder import Place

FOLDER = ROOT / 'examples'
PAGE = (FOLDER / 'README.md').read_text()
ROWS = dict(re.findall(r'^\| \[(\S+)\]\(\1\) \|[^|]*\| `(.*)` \|$', PAGE, re.M))  # by the file
COMMANDS = {name: command for name, command in ROWS.items() if name.endswith('.py')}
SAID = {  # what an example says that has done all it is to do
    'digits.py': r'x \(5000, 28, 28\) of 0 to 255.*4,000 train, 500 validation, 500 test',
    'restore_tf1.py': r'accuracy on 500 test examples 0\.(1[5-9]|[2-9]).*, from codes of 5',
    'encode_tf2.py': r'codes \(500, 5\)[\s\S]*accuracy on 500 test examples 0\.\d',
    'serving.py': r'1/saved_model\.pb [\s\S]*(answer: {"labels": "\d", "logits": \[.*\s){3}',
    'onnx_classify.py': r'logits:0  tensor\(float\)[\s\S]*accuracy on 500 test examples 0\.\d',
    'sample_vae.py': r'codes \(60, 4\)[\s\S]*60 digits are in samples\.png',
    'anomalies.py': r'mean error of 0: .* ROC AUC 0\.[6-9][\s\S]*all of them: ROC AUC 0\.[6-9]',
    'layer_by_layer.py': r'test accuracy\n0\.\d+  pretrained\n0\.\d+  from random values',
    'second_layer.py': r'classifier on the codes of\n0\.[5-9]\d+  the first layer\n0\.[5-9]\d+  the second',
    'notebook_tf1.py': r'whole stack: validation MSE 0\.[01]\d+\nclassifier: validation accuracy 0\.[3-9]',
}
QUICK = {'digits.py', 'restore_tf1.py', 'encode_tf2.py', 'sample_vae.py'}
SMALL = {  # the runs that the commands name -> the small ones used here
    'runs/phasewise/mnist5k-seed0': 'dense',
    'runs/phasewise_classifier/mnist5k-seed0': 'head',
    'runs/vae/mnist5k-seed0': 'vae',
}


FEWER = {  # centroids and patches of examples/second_layer.py
    "'parent.hidden': 400": "'parent.hidden': 40, 'parent.patches': 4000, 'parent.batch_size': 100",
    "'parent.patches': 100_000": "'parent.patches': 4000",
    "'parent.hidden': 800": "'parent.hidden': 40",
    "'parent.batch_size': 1000": "'parent.batch_size': 100",
}


def shrunk(text: str, digits: Path) -> str:
    """Returns a script with a tenth of its epochs, that trains on the file of few digits."""
    for much, little in FEWER.items():
        text = text.replace(much, little)
    text = text.replace("dataset='mnist5k'", f"dataset='array', data_path='{digits}'")
    return re.sub(r'(epochs ?= ?\d+)(?=\d)\d', r'\1', text, flags=re.I)


@pytest.fixture(scope='module')
def here(kinds, data_dir, tmp_path_factory):
    """A folder to call the examples from, with the runs that they name, and recorded data."""
    folder = tmp_path_factory.mktemp('here')
    for named, kind in SMALL.items():
        (folder / named).parent.mkdir(parents=True)
        (folder / named).symlink_to(kinds / kind)
    (folder / 'data').symlink_to(data_dir)
    if not (kinds / 'head/export/onnx/classify.onnx').exists():
        export.export(kinds / 'head', {}, Place(data_dir=data_dir), ('onnx',))
    return folder


@pytest.fixture(scope='module')
def ended(here, digits):
    """Returns a function of a name: how that example ended and what it said.

    One that imports nothing of ours is called alone, with TensorFlow and NumPy.
    """

    @functools.cache
    def of(name: str) -> tuple[int, str]:
        if name != 'digits.py':  # which writes what all the others read
            of('digits.py')
        code = shrunk((FOLDER / name).read_text(), digits)
        _, called, *arguments = shlex.split(COMMANDS[name])
        if called != '-m':
            return forked.alone(code, here, called, *arguments)
        process = forked.script(code, arguments, here)
        words = ''.join(process.communicate())
        return process.returncode, words

    return of


def test_the_page_has_a_row_for_each_and_each_says_its_command():
    assert set(ROWS) == {file.name for file in FOLDER.iterdir() if file.suffix in ('.py', '.ipynb')}
    for name, command in COMMANDS.items():
        words = (FOLDER / name).read_text().split('"""')[1]
        called = re.search(r'^    (python -m examples\.\w+|python examples/\S+)(.*)$', words, re.M)
        last = [line for line in words.splitlines() if line.strip().startswith('python ')]
        assert called and any(command.startswith(line.strip()) for line in last), name


@pytest.mark.parametrize('name', most(COMMANDS, QUICK.__contains__))
def test_an_example_runs(ended, name):
    code, said = ended(name)
    assert code == 0, said
    assert re.search(SAID[name], said), said


@pytest.mark.slow
def test_an_example_that_is_interrupted_says_so_in_a_line(here, digits, tmp_path):
    (tmp_path / 'data').symlink_to(here / 'data')
    code = (FOLDER / 'layer_by_layer.py').read_text().replace('epochs=10)', 'epochs=100_000)')
    process = forked.script(code, ['', str(tmp_path / 'runs')], tmp_path)
    until = time.monotonic() + 60
    while not list(tmp_path.glob('runs/*/*/metrics.csv')) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130 and 'Traceback' not in said, said
    assert said.splitlines()[-1].startswith('error: SIGINT: saved')


def test_the_drawn_digits_are_a_picture(ended, here):
    ended('sample_vae.py')
    with Image.open(here / 'samples.png') as picture:
        assert picture.size == (280, 168) and picture.getextrema()[1] > 100


@pytest.mark.slow
def test_the_request_is_one_that_serving_takes(ended, here):
    ended('serving.py')
    request = json.loads((here / 'request.json').read_text())
    assert request.keys() == {'signature_name', 'instances'} and len(request['instances']) == 3


@pytest.mark.slow
def test_the_notebook_runs(data_dir, digits, tmp_path):
    nbclient = pytest.importorskip('nbclient', reason='executes it; part of requirements-dev.txt')
    pytest.importorskip('ipykernel', reason='its kernel; part of requirements-dev.txt')
    import nbformat

    book = nbformat.read(FOLDER / 'tour.ipynb', as_version=4)
    assert not any(cell.get('outputs') for cell in book.cells)
    for cell in book.cells:
        cell.source = shrunk(cell.source, digits).replace("ROOT / 'runs'", f"Path('{tmp_path}')")
        cell.source = cell.source.replace("ROOT / 'data'", f"Path('{data_dir}')")
    nbclient.NotebookClient(book, resources={'metadata': {'path': str(FOLDER)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get('outputs', ())]
    assert sum('image/png' in output.get('data', {}) for output in outputs) == 6
    said = ''.join(output.get('text', '') for output in outputs)
    assert 'the kernel of layer 1 is the same: True' in said
    assert re.search(r'accuracy on 500 test digits: 0\.\d', said)
