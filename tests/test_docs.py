"""The README and the chapters of docs/: links lead somewhere, and what can be typed runs, shrunk."""

import dataclasses
import re
import shlex
from pathlib import Path

import forked
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

import inst
import main as program
from inputs import pictures
from ledger import claims
from ledger.claim import Claim
from parameters import Experiment
from studies import catalogue
from train.folder import Place
from train.run import run

PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md'))]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
MAIN = re.compile(r'^ *(?:\.venv/bin/)?python main\.py (.*)$', re.M)
OTHER = re.compile(r'^ *((?:make|python3? -m|\.venv/bin/python -m) .*)$', re.M)
SPREAD = re.compile(r'(?:[\d.,e-]+%? )?\([\d.,e-]+%? to [\d.,e-]+%?\)')  # 0.95 (0.94 to 0.96)
LINK = re.compile(r'\]\(([^)\s]+)\)')
OWN = ('docs/own-table.md', 'docs/own-pictures.md', 'docs/own-series.md')  # walked as a whole
FENCE = re.compile(r'```python\n(.*?)```', re.S)
ADDED = {name: code for text in TEXTS.values() for code in FENCE.findall(text)
         for name in re.findall(r'^(\w+) = \w+\.vary\(', code, re.M)}  # fmt: skip
SNIPPETS = [code for page, text in TEXTS.items() if page not in OWN
            for code in FENCE.findall(text) if "'runs/" in code or 'from inference' in code]  # fmt: skip


def shortened(command: str) -> str:
    """Returns a command for a quick run: an epoch a phase, of few examples, one run at a time."""
    line = ' '.join(shlex.split(command, comments=True))
    line = re.sub(r' ?--(jobs|runs)=\S+', '', line)
    line = re.sub(r' --set ((joint_|finetune_)?epochs|steps_per_epoch)=\d+', '', line)
    trains = '--mode=' not in line and '--describe' not in line
    return line.replace('--dataset=mnist5k', '--array=FILE.npz') if trains else line


COMMANDS = sorted(
    {
        shortened(found): None
        for page, text in TEXTS.items()
        for found in MAIN.findall(text if page not in OWN else '')
        if '--inst=' not in found  # with the file that they need: tests/ledger/test_own.py
    }
)


def anchors(text: str) -> set[str]:
    """Returns the anchors of a page's headings, as they are made of its words."""
    heads = re.findall(r'^#+ (.*)$', text, re.M)
    return {re.sub(r'[^\w -]', '', head.lower()).replace(' ', '-') for head in heads}


@pytest.mark.parametrize('page', TEXTS)
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(TEXTS[page]):
        if '://' in link:
            continue
        path, _, anchor = link.partition('#')
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


@pytest.mark.parametrize('page', TEXTS)
def test_spreads_are_those_of_the_ledger_and_the_bench(page):
    measured = (ROOT / 'RESULTS.md').read_text() + TEXTS['docs/speed.md']
    for spread in SPREAD.findall(' '.join(TEXTS[page].split())):
        assert page == 'docs/speed.md' or spread in measured, spread


def test_the_readme_is_a_door():
    assert len(TEXTS['README.md'].splitlines()) < 200


def test_other_commands_name_what_is_there():
    makefile = (ROOT / 'Makefile').read_text()
    for text in TEXTS.values():
        for line in OTHER.findall(text):
            first, *words = shlex.split(line, comments=True)
            if first == 'make':
                targets = [word for word in words if '=' not in word]
                assert all(f'\n{target}:' in makefile for target in targets), line
            elif words[1] in ('bench', 'torture'):
                assert (ROOT / words[1] / '__main__.py').is_file(), line
            else:
                assert words[1] in ('venv', 'pip', 'pytest', 'tensorboard'), line
                assert all((ROOT / w).is_file() for w in words if w.endswith('.txt')), line


def small(experiment: Experiment, digits, sequences) -> Experiment:
    """Returns the experiment with few units and updates, on these files where it names its data."""
    fields, changes = experiment.fields(), {'epochs': min(1, experiment.epochs)}
    if isinstance(experiment.parent, Experiment):
        changes['parent'] = small(experiment.parent, digits, sequences)
    if experiment.dataset not in ('iris', 'images'):
        file = sequences if experiment.layout == 'steps' else digits
        changes |= {'dataset': 'array', 'data_path': str(file)}
    for name, first in (('hidden', 6), ('filters', 3), ('head', 4)):
        if fields.get(name):
            changes[name] = tuple(range(first, first + len(fields[name])))
    for name in ('finetune_epochs', 'joint_epochs', 'importance_samples', 'kl_warmup'):
        if fields.get(name) and (experiment.variational or name.endswith('epochs')):
            changes[name] = 1
    changes |= {'code_size': 5} if fields.get('code_size') else {}
    changes |= {'image_size': (32,)} if experiment.dataset == 'images' else {}
    changes |= {'future': 3} if fields.get('future') else {}
    changes |= {'label_fraction': 0.3} if fields.get('label_fraction', 1.0) < 1 else {}
    return experiment.vary(steps_per_epoch=2, **changes)


@pytest.fixture
def shrunk(monkeypatch, digits, strips, tmp_path):
    """The catalogue with every experiment shrunk, those added that the pages add."""
    monkeypatch.chdir(tmp_path)
    known = dict(inst.EXPERIMENTS)
    for name, code in ADDED.items():
        scope = vars(inst).copy()
        exec(code, scope)  # as a reader would type it
        known[name] = scope[name]
    made = {name: small(experiment, digits, strips) for name, experiment in known.items()}
    studies = {
        name: dataclasses.replace(
            study,
            arms=tuple(made[arm.name] for arm in study.arms),
            seeds=1,
            values=study.values[:1],
        )
        for name, study in catalogue.STUDIES.items()
    }
    for name, value in made.items():
        monkeypatch.setitem(inst.EXPERIMENTS, name, value)
    for name, value in (made | studies).items():
        monkeypatch.setitem(catalogue.CATALOGUE, name, value)
    few = tuple(Claim('words', 'aim', made[n], 'test/mse', '<', 1.0) for n in ('tied', 'wide'))
    monkeypatch.setattr(claims, 'CLAIMS', few)
    monkeypatch.setattr(pictures, '_processors', lambda: 1)


@pytest.fixture(scope='session')
def places(tmp_path_factory, digits, strips) -> dict[str, str]:
    """What the pages' placeholders stand for, but for RUN: a folder of pictures, flat or by class."""
    folder = tmp_path_factory.mktemp('pictures')
    for index in range(30):
        pixels = np.random.default_rng(index).integers(0, 256, (32, 32, 3), np.uint8)
        for place in (folder / 'flat', folder / 'classes' / 'ab'[index % 2]):
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / f'{index}.png')
    return {
        'FILE.npz': str(digits),
        'STEPS.npz': str(strips),
        'photos': str(folder / 'classes'),
        'flat': str(folder / 'flat'),
    }


@pytest.fixture(scope='session')
def finished(tmp_path_factory, data_dir, digits) -> Path:
    """A folder of finished runs, as the pages' commands take them for granted."""
    runs = tmp_path_factory.mktemp('runs')
    for experiment in (inst.phasewise_classifier, inst.lstm_reconstruct):
        made = small(experiment, digits, digits)
        run(made, made, Place(runs=runs, data_dir=data_dir, figures=False))
    return runs


def run_of(runs: Path, name: str) -> Path:
    """Returns the folder of an experiment's only run."""
    (folder,) = (runs / name).iterdir()
    return folder


@pytest.mark.parametrize('command', COMMANDS)
def test_a_command_of_the_pages_runs(main, shrunk, places, finished, command):
    for name in re.findall(r'--experiment=(\w+)', command):
        assert name in catalogue.CATALOGUE
    line, predicts = command, '--mode=predict' in command
    if 'codes-mnist5k' in line:
        assert (
            main(
                '--mode=encode', f'--run_dir={run_of(finished, "phasewise")}', '--dataset=mnist5k'
            )[0]
            == 0
        )
    used = 'phasewise_classifier' if predicts else 'phasewise'
    line = line.replace('OTHER', str(run_of(finished, 'phasewise_classifier')))
    line = re.sub(r'(?<= )runs\b', str(finished), line)
    line = re.sub('FOLDER_OR_PREFIX|RUN', str(run_of(finished, used)), line)
    line = re.sub(r'=(DIR|photos)\b', f'={places["flat" if predicts else "photos"]}', line)
    file = 'STEPS.npz' if '--experiment=lstm' in line else 'FILE.npz'
    line = line.replace('FILE.npz', places[file])
    draws = re.search(
        '--mode=(predict|encode|reconstruct|generate|export|report)|--list|--describe|--tune', line
    )
    runs = {'runs': finished} if predicts else {}
    code, _, err = main(*line.split(), *([] if draws else ['--nofigures']), **runs)
    assert code == 0, err


@pytest.fixture(scope='module')
def snippets_ended(finished) -> list[tuple[int, str]]:
    """What each snippet ended with and said, in a process of its own that had TensorFlow alone."""
    codes = []
    for code in SNIPPETS:
        for name in ('phasewise', 'phasewise_classifier', 'lstm_reconstruct'):
            code = re.sub(rf'runs/{name}/[\w-]+', str(run_of(finished, name)), code)
        codes.append(code.replace("('runs')", f"('{finished}')"))
    return [forked.alone(code, ROOT) for code in codes]


@pytest.mark.parametrize('number', range(len(SNIPPETS)))
def test_a_snippet_that_uses_a_saved_graph_runs(snippets_ended, number):
    code, said = snippets_ended[number]
    assert code == 0, said


def test_every_flag_is_explained():
    text = TEXTS['docs/running.md']
    own = program.FLAGS.flags_by_module_dict()
    for flag in next(flags for module, flags in own.items() if 'main' in module):
        names = (f'--{flag.name}', f'--no{flag.name}')
        assert any(name in text for name in names), flag.name


def test_the_table_of_flags_is_the_programs():
    rows = program.MODES | {f'`--{name}`': flags for name, flags in program.ANSWERS.items()}
    for name, flags in rows.items():
        (row,) = re.findall(
            rf'^\| {name} \|(.*)\|$', TEXTS['docs/running.md'].split('Every flag')[0], re.M
        )[-1:]
        assert set(re.findall(r'`(\w+)`', row)) == set(flags), name


@pytest.mark.parametrize('page', OWN)
def test_a_page_about_data_of_ones_own_is_walked(page, monkeypatch, tmp_path, capsys, dotted):
    """From its first line to its last, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    steps = re.findall(
        r'```python\n(.*?)```|^    python main\.py ([^\n]*)$', TEXTS[page], re.S | re.M
    )
    assert len(steps) > 6
    for code, command in steps:
        if code:
            exec(code, {})
            continue
        for name in program.FLAGS:
            program.FLAGS[name].unparse()
        status = program.main(['main.py', *shlex.split(command)])
        assert status == 0, (command, capsys.readouterr().err)
