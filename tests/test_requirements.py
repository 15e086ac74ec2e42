"""What the program needs can be installed: on each kind of machine that is named in the chapters."""

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT

uv = pytest.importorskip('uv', reason='resolves for other machines; part of requirements-dev.txt')
ASKED = [  # file, machine, Python
    ('requirements.txt', 'aarch64-manylinux_2_28', '3.13'),
    ('requirements.txt', 'aarch64-apple-darwin', '3.11'),
    ('requirements.txt', 'x86_64-pc-windows-msvc', '3.13'),
    ('requirements-gpu.txt', 'x86_64-manylinux_2_28', '3.12'),
    ('requirements-cluster.txt', 'aarch64-manylinux_2_28', '3.13'),
]


@pytest.fixture(scope='module')
def resolutions():
    """Resolves all at once, as each waits for the index; returns processes by what was asked."""
    command = [uv.find_uv_bin(), 'pip', 'compile', '--no-config', '--no-header', '--no-annotate']
    command += ['--only-binary=:all:', f'--python={sys.executable}']
    pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
    begun = {
        (file, machine, python): subprocess.Popen(
            [*command, f'--python-platform={machine}', f'--python-version={python}', file],
            cwd=ROOT, env={**os.environ, 'UV_HTTP_RETRIES': '0'}, **pipes,
        )
        for file, machine, python in ASKED
    }  # fmt: skip
    yield begun
    for process in begun.values():
        process.kill()


@pytest.mark.parametrize('asked', ASKED, ids=lambda asked: '-'.join(asked))
def test_there_are_wheels_for(resolutions, asked):
    file, *_ = asked
    process = resolutions[asked]
    out, err = process.communicate(timeout=120)
    if process.returncode == 2:  # 1 is for what cannot be resolved
        assert not re.search("File not found|Couldn't parse", err), err
        pytest.skip(f'the package index cannot be reached: {err.splitlines()[-1:]}')
    assert process.returncode == 0, err
    names = {line.partition('==')[0] for line in out.splitlines()}
    assert 'tensorflow' in names and 'tensorflow-cpu' not in names  # they have the same files
    assert ('nvidia-cudnn-cu12' in names) == ('gpu' in file)


@pytest.mark.parametrize('kind', ['bench', 'cluster', 'dev', 'export'])
def test_what_is_added_leaves_the_tensorflow_that_is_there(kind):
    """That with CUDA and that without have the same files, and one would replace the other."""

    def named(file):
        for line in (ROOT / file).read_text().splitlines():
            if line.startswith('-r '):
                yield line.removeprefix('-r ')
                yield from named(line.removeprefix('-r '))

    others = {'requirements.txt', 'requirements-gpu.txt'}
    assert not others & {*named(f'requirements-{kind}.txt')}
