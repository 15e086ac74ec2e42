"""The README and the chapters of docs/: links lead somewhere, and what can be typed runs, shrunk.

Without a network: a named data set that would be downloaded is an error here.
"""

import contextlib
import dataclasses
import io
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import conftest
import forked
import numpy as np
import pytest
import test_examples
from conftest import ROOT, most
from PIL import Image

import inst
import main as program
import parameters
from bench import networks
from inputs import caltech, conversion, pictures, readers, sources
from ledger import claim, claims, own
from networks import layers
from parameters import Experiment
from studies import catalogue, study
from system.errors import DataError
from train import updates

PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', ROOT / 'examples/README.md',
         *sorted((ROOT / 'docs').glob('*.md'))]  # fmt: skip
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
OWN = ('docs/own-table.md', 'docs/own-pictures.md', 'docs/own-series.md')  # walked as a whole
SPREAD = re.compile(r'(?:[\d.,e-]+%? )?\([\d.,e-]+%? to [\d.,e-]+%?\)')  # 0.95 (0.94 to 0.96)
LINK = re.compile(r'\]\(([^)\s]+)\)')
FENCE = re.compile(r'^```(\w*)\n(.*?)^```', re.S | re.M)
BLOCK = re.compile(r'(?:^    .*\n)+', re.M)  # of code or of what is printed
COMMAND = re.compile(r'(?:\.venv/bin/\S+|python3?|make|pip|source|export|dask) .+')
TICKED = re.compile(rf'`((?:{COMMAND.pattern.removesuffix(" .+")}|jupyter) [^`\n]+)`')
PRINTED = (  # what an indented block that is neither a command nor Python begins with
    '    phasewise_classifier on mnist5k, seed 0 -> ',
    '    joint     epoch 97/300: ',
    '    overfits: validation loss ',
)
NOT_RUN = {  # a command that no test here can run -> why
    r'python3 -m venv \.venv': 'makes what these tests run in',
    r'source \.venv/bin/activate': 'changes a shell',
    r"export 'TF_CONFIG=.+": 'the same; tests/train/test_team.py does it for a process',
    r'(python -m )?pip .*\binstall .*': 'takes packages from the network',
    r'(python -m )?pytest -q( -m slow)?': 'these are the tests',
    r'ruff .*': 'looks at the code',
    r'python -m bench( .*)?': 'measures for an hour, beside PyTorch and JAX',
    r'dask (scheduler|worker) ?.*': 'the same; tests/train/test_scheduler.py starts them',
    r'python -m torture( .*)?': 'kills runs for an hour; its parts: tests/torture, tests/hostile',
    r'tensorboard --logdir runs': 'a server, which waits for a browser',
    r'jupyter lab \S+': 'the same; what it opens is executed by tests/test_examples.py',
    r'python (-m examples\.|examples/).*': 'run by tests/test_examples.py',
}


def typed(text: str) -> list[str]:
    """Returns the commands of a page, in blocks, fences and sentences; comments are left out."""
    prose = FENCE.sub('', text)
    lines = [line for block in BLOCK.findall(prose) for line in block.splitlines()]
    lines += [
        line for kind, code in FENCE.findall(text) if kind == 'sh' for line in code.splitlines()
    ]
    found = [line.strip() for line in lines if COMMAND.fullmatch(line.strip())]
    plain = (shlex.join(shlex.split(line, comments=True)) for line in found + TICKED.findall(prose))
    return [line.removeprefix('.venv/bin/') for line in plain]


def made(line: str) -> list[str]:
    """Returns the commands that make says a line for it stands for; none where it refuses it."""
    asked = [*shlex.split(line), '--dry-run', '--always-make']
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    lines = [' '.join(line.split()) for line in done.stdout.splitlines()]
    return [line.removeprefix('.venv/bin/') for line in lines if COMMAND.fullmatch(line)]


def shortened(flags: str) -> str:
    """Returns a command's flags for a quick run: few epochs and units, two seeds, one at a time."""
    line = re.sub(r' ?--(jobs|runs)=\S+', '', flags)
    line = re.sub(r' --set ((joint_|finetune_)?epochs|steps_per_epoch)=\d+', '', line)
    line = re.sub(r'(?<=--seeds=)\d+', '2', line)
    line = re.sub(r'(?<=hidden=)[\d,]+', lambda of: '6,5'[: 2 * of[0].count(',') + 1], line)
    line = re.sub(r'(?<=image_size=)\d+', '32', re.sub(r'(?<=code_size=)\d+', '5', line))
    if '--experiment=lstm' in line:
        line = line.replace('--dataset=mnist5k', '--array=FILE.npz')
    return line.replace('photos', 'DIR').replace('FOLDER_OR_PREFIX', 'RUN')


TYPED = {page: typed(text) for page, text in TEXTS.items()}
MADE = {line: made(line) for lines in TYPED.values() for line in lines
        if line.startswith('make ') and shutil.which('make')}  # fmt: skip
TYPED['Makefile'] = [line for lines in MADE.values() for line in lines]
COMMANDS = sorted(
    {
        shortened(line.removeprefix('python main.py '))
        for page, lines in TYPED.items()
        for line in lines
        if line.startswith('python main.py ') and page not in OWN
        if '--scheduler' not in line  # of a scheduler: tests/train/test_scheduler.py
    }
)
AT_THE_DOOR = {shortened(line.removeprefix('python main.py ')) for line in TYPED['README.md']}
PYTHON = [(page, code) for page, text in TEXTS.items() if page not in OWN
          for code in [*(code for kind, code in FENCE.findall(text) if kind == 'python'),
                       *(block.replace('\n    ', '\n').strip() for block in
                         BLOCK.findall(FENCE.sub('', text))
                         if not block.startswith(PRINTED) and not COMMAND.match(block.strip()))]
          ]  # fmt: skip
SCRIPTS = [code for _, code in PYTHON if re.match('import |from (?!dask_jobqueue)', code)]
PARTS = [
    (page, code)
    for page, code in PYTHON  # to be put into a module
    if code not in SCRIPTS and 'dask_jobqueue' not in code
]  # which needs a SLURM
(MINE,) = (code for text in TEXTS.values() for kind, code in FENCE.findall(text) if kind == 'py')
KNOWN = [vars(m) for m in (inst, parameters, sources, layers, updates, claim, study)]
PHASEWISE, CLASSIFIER = 'runs/phasewise/mnist5k-seed0', 'runs/phasewise_classifier/mnist5k-seed0'
SHELL = {  # a program that is Python -> the same as a script
    f'saved_model_cli show --all --dir {PHASEWISE}/saved_model': f"""
import sys
from tensorflow.python.tools import saved_model_cli
sys.argv = ['saved_model_cli', 'show', '--all', '--dir', '{PHASEWISE}/saved_model']
try:
    saved_model_cli.main()
except SystemExit as ended:
    assert not ended.code
"""
}


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


def test_every_command_is_run_or_is_listed_with_a_reason():
    program_flags = ''.join((ROOT / f'{n}/__main__.py').read_text() for n in ('bench', 'torture'))
    assert all(MADE.values()), MADE
    measured = [f'{name}/product' for name in networks.NETWORKS]
    for line in (line for lines in TYPED.values() for line in lines):
        if not line.startswith(('make ', 'python main.py ')) and line not in SHELL:
            assert any(re.fullmatch(pattern, line) for pattern in NOT_RUN), line
        if 'examples' in line and 'pip' not in line:
            assert any(row.startswith(line) for row in test_examples.ROWS.values()), line
        if re.match('python -m (bench|torture)', line):
            for flag in re.findall(r'--(\w+)', line):
                assert re.search(rf"DEFINE_\w+\(\s*'{flag}'", program_flags), line
            for pattern in re.findall(r"--only=([^']+)", line):
                assert any(re.search(pattern, name) for name in measured), line
        assert all((ROOT / w).is_file() for w in line.split() if w.endswith(('.txt', '.ipynb'))), (
            line
        )


def test_every_line_of_a_block_is_a_command_or_code_or_known_to_be_printed():
    for text in TEXTS.values():
        blocks = [code for kind, code in FENCE.findall(text) if kind == 'sh']
        blocks += [b for b in BLOCK.findall(FENCE.sub('', text)) if not b.startswith(PRINTED)]
        for block in blocks:
            plain = [bool(COMMAND.fullmatch(line.strip())) for line in block.splitlines()]
            assert all(plain) or not any(plain), block
        assert {kind for kind, _ in FENCE.findall(text)} <= {'sh', 'python', 'py'}


def small(experiment: Experiment, films: Path) -> Experiment:
    """Returns the experiment with few units and updates; films that would be made are these."""
    fields, changes = experiment.fields(), {'epochs': min(1, experiment.epochs)}
    if isinstance(experiment.parent, Experiment):
        changes['parent'] = small(experiment.parent, films)
    if experiment.dataset == 'moving_mnist':
        changes |= {'dataset': 'array', 'data_path': str(films)}
    for name, first in (('hidden', 6), ('filters', 3), ('head', 4)):
        if fields.get(name):
            changes[name] = tuple(range(first, first + len(fields[name])))
    for name in ('finetune_epochs', 'joint_epochs', 'importance_samples', 'kl_warmup'):
        if fields.get(name) and (experiment.variational or name.endswith('epochs')):
            changes[name] = 1
    changes |= {'code_size': 5} if fields.get('code_size') else {}
    changes |= {'image_size': (32,)} if experiment.dataset in parameters.PICTURES else {}
    changes |= {'future': 3} if fields.get('future') else {}
    changes |= {'parts': 1} if fields.get('parts', 1) > 1 else {}
    changes |= {'label_fraction': 0.3} if fields.get('label_fraction', 1.0) < 1 else {}
    return experiment.vary(steps_per_epoch=2, **changes)


def refused(_: sources.Request) -> sources.Source:
    """Stands for a data set that is not on every disk."""
    raise DataError('the command needs a data set that has to be downloaded')


@pytest.fixture(scope='module')
def added() -> dict[str, Experiment]:
    """What the pages add to the catalogue, by name."""
    found = {}
    for _, code in PARTS:
        if '.vary(' in code:
            scope = vars(inst).copy()
            exec(code, scope)  # as a reader would type it
            new = scope.keys() - vars(inst).keys()
            found |= {k: scope[k] for k in new if isinstance(scope[k], Experiment)}
    return found


@pytest.fixture(scope='module')
def shrunk(added, some_digits, digits, strips):
    """The catalogue with every experiment shrunk and those that the pages add; few digits."""
    known = inst.EXPERIMENTS | added
    few = {name: small(experiment, strips) for name, experiment in known.items()}
    studies = {
        name: dataclasses.replace(
            study,
            arms=tuple(few[arm.name] for arm in study.arms[:2]),
            seeds=1,
            values=study.values[:1],
        )
        for name, study in catalogue.STUDIES.items()
    }
    on_digits = {'dataset': 'array', 'data_path': str(digits)}
    judged = [few[name].vary(**on_digits) for name in ('tied', 'wide', 'conv_vae_caltech_l1_112')]
    claimed = tuple(claim.Claim('words', 'aim', one, 'test/mse', '<', 1.0) for one in judged)
    x, y = some_digits
    embedded = readers.split(sources.Examples(x, y.astype(np.int64)))
    with pytest.MonkeyPatch.context() as patch:
        for name in ('mnist', 'fashion_mnist', 'cifar10'):
            patch.setitem(sources.SOURCES, name, refused)
        few_digits = sources.Source('digits', embedded, sources.DIGITS)
        patch.setitem(sources.SOURCES, 'mnist5k', lambda _: few_digits)
        for name, value in few.items():
            patch.setitem(inst.EXPERIMENTS, name, value)
            patch.setattr(inst, name, value, raising=False)
        for name, value in (few | studies).items():
            patch.setitem(catalogue.CATALOGUE, name, value)
        patch.setattr(claims, 'CLAIMS', claimed)
        patch.setattr(conversion.cores, 'number', lambda: 1)
        yield


def call(line: str) -> tuple[int, str, str]:
    """Runs a command's flags here; returns its exit code, and what it printed and said."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = conftest.call(*shlex.split(line))
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope='module')
def here(shrunk, digits, strips, tmp_path_factory):
    """The folder of a reader who did `make run`, with all that the pages' placeholders stand for.

    Its commands are called from there, and share their runs; returns what the first printed.
    """
    folder = tmp_path_factory.mktemp('here')
    for cached in (pictures.listed, pictures.announced, pictures.everything):
        cached.cache_clear()  # of a DIR in a folder before this one
    for index in range(30):
        pixels = np.random.default_rng(index).integers(0, 256, (32, 32, 3), np.uint8)
        (folder / 'DIR' / 'ab'[index % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / 'DIR' / 'ab'[index % 2] / f'{index}.png')
    for kind in (*caltech.LARGEST, 'other'):
        (folder / 'data/caltech101' / kind).mkdir(parents=True)
        for index in range(10):
            image = Image.fromarray(np.full((20, 20, 3), 20 * index, np.uint8))
            image.save(folder / 'data/caltech101' / kind / f'{index}.jpg')
    for name, file in (('FILE.npz', digits), ('STEPS.npz', strips), ('RUN', PHASEWISE)):
        (folder / name).symlink_to(file)
    (folder / 'mine.py').write_text(MINE.replace('seeds=2', 'seeds=1'))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        code, printed, err = call('--experiment=phasewise_classifier --dataset=mnist5k')
        assert code == 0, err
        yield printed


def of(numbers: str) -> str:
    """Returns a printed line with its numbers and hashes left out."""
    return ' '.join(re.sub(r'\b[0-9a-f]{16}\b|[\d.,]*\d', '#', numbers).split())


def test_what_the_readme_prints_of_its_first_command_is_printed(here):
    (block,) = (b for b in BLOCK.findall(TEXTS['README.md']) if b.startswith(PRINTED[0]))
    printed = [of(line) for line in here.splitlines()]
    for line in block.splitlines():
        wanted = of(line.split(' ...')[0])
        assert any(line.startswith(wanted) for line in printed), wanted


@pytest.mark.parametrize('command', most(COMMANDS, lambda line: line in AT_THE_DOOR))
def test_a_command_of_the_pages_runs(here, added, monkeypatch, command):
    line = command.replace('OTHER', CLASSIFIER)
    line = re.sub(r'\bRUN\b', CLASSIFIER if '--mode=predict' in line else PHASEWISE, line)
    line = line.replace('FILE.npz', 'STEPS.npz') if '--experiment=lstm' in line else line
    if 'codes-mnist5k' in line:
        assert call(f'--mode=encode --run_dir={PHASEWISE} --dataset=mnist5k')[0] == 0
    if '--inst=' in line:
        for name in added:  # the file has one of that name
            monkeypatch.delitem(inst.EXPERIMENTS, name)
            monkeypatch.delitem(catalogue.CATALOGUE, name)
            monkeypatch.delattr(inst, name)
    code, _, err = call(line)
    own.load(None)
    assert code == 0, err


@pytest.mark.parametrize(
    'code',
    most([*SCRIPTS, *SHELL.values()], lambda code: not re.search('lstm_reconstruct|curves', code)),
)
def test_a_script_of_the_pages_runs(here, code):
    """In a process of its own that has TensorFlow alone."""
    if 'lstm_reconstruct' in code:
        assert call('--experiment=lstm_reconstruct --dataset=mnist5k')[0] == 0
    if re.search('^(import inst|from inference)', code, re.M):
        code = f'import sys; sys.path.append({str(ROOT)!r})\n{code}'
    Path('results').mkdir(exist_ok=True)  # which commands of the pages may read after it, too
    for file in ('histories.jsonl', 'runs.jsonl'):
        shutil.copy(ROOT / 'results' / file, 'results')
    status, said = forked.alone(code, Path.cwd())
    assert status == 0, said


@pytest.mark.parametrize(('page', 'code'), PARTS, ids=[page for page, _ in PARTS])
def test_a_part_of_a_module_fits_into_it(page, code, added):
    scope = {'inst': inst, **added}
    for names in KNOWN:
        scope = names | scope
    exec(f'{{{code}}}' if code.startswith("'") else code, scope)
    for name in re.findall(r'^def (\w+)\(', code, re.M):
        assert isinstance(scope[name](None), sources.Source), page


def test_every_flag_is_explained():
    text = TEXTS['docs/running.md']
    own = program.FLAGS.flags_by_module_dict()
    for flag in next(flags for module, flags in own.items() if 'main' in module):
        assert re.search(rf'--(no)?{flag.name}\b', text), flag.name


def test_the_table_of_flags_is_the_programs():
    rows = program.MODES | {f'`--{name}`': flags for name, flags in program.ANSWERS.items()}
    for name, flags in rows.items():
        (row,) = re.findall(
            rf'^\| {name} \|(.*)\|$', TEXTS['docs/running.md'].split('Every flag')[0], re.M
        )[-1:]
        assert set(re.findall(r'`(\w+)`', row)) == set(flags), name


@pytest.mark.parametrize('page', most(OWN, 'docs/own-pictures.md'.__eq__))
def test_a_page_about_data_of_ones_own_is_walked(page, shrunk, monkeypatch, tmp_path, dotted):
    """From its first line to its last, in an empty folder; with one epoch for many."""
    monkeypatch.chdir(tmp_path)
    text = re.sub(r"(\bepochs'?(?:=|: ))\d+", r'\g<1>1', TEXTS[page]).replace('cv=3', 'cv=2')
    text = text.replace('longest = 200, 30', 'longest = 60, 12')
    steps = re.findall(r'```python\n(.*?)```|^    python main\.py ([^\n]*)$', text, re.S | re.M)
    assert len(steps) > 6
    for code, command in steps:
        if code:
            exec(code, {})
            continue
        status, _, err = call(command)
        assert status == 0, (command, err)
