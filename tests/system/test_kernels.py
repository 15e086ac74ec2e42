"""By which kernels TensorFlow computes: oneDNN's where the CPU has AVX2, unless somebody chose."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT, most

from system import kernels
from train.command import carried


@pytest.fixture
def with_cpu(monkeypatch, tmp_path):
    """Returns what chooses on a CPU of these instructions, and what the environment says then."""
    monkeypatch.setattr(kernels, '_CHOSEN', set())
    monkeypatch.setattr(kernels, '_SAYS', tmp_path / 'cpuinfo')
    monkeypatch.delitem(sys.modules, 'tensorflow', raising=False)

    def choose(flags: str, chosen: str | None = None) -> str | None:
        (tmp_path / 'cpuinfo').write_text(
            f'processor\t: 0\nmodel name\t: A 1\nflags\t\t: {flags}\n'
        )
        monkeypatch.delenv('TF_ENABLE_ONEDNN_OPTS', raising=False)
        if chosen is not None:
            monkeypatch.setenv('TF_ENABLE_ONEDNN_OPTS', chosen)
        kernels.choose()
        return os.environ.get('TF_ENABLE_ONEDNN_OPTS')

    return choose


def test_it_is_turned_on_where_tensorflow_would_not_and_there_is_avx2(with_cpu):
    assert with_cpu('fpu avx avx2 fma') == '1'
    assert kernels.cpu() == 'A 1' and kernels.instructions() == ['avx', 'avx2', 'fma']
    assert with_cpu('fpu avx2 avx512f avx512bw') == '1'
    for itself in ('avx512_vnni', 'avx_vnni', 'amx_tile'):
        assert with_cpu(f'avx2 {itself}') is None
    assert with_cpu('fpu sse4_2 avx') is None


@pytest.mark.parametrize('chosen', ['0', '1', ''])
def test_what_the_user_chose_stays(with_cpu, chosen):
    assert with_cpu('avx2', chosen) == chosen
    assert carried(kernels.asked())['TF_ENABLE_ONEDNN_OPTS'] == chosen


def test_it_is_too_late_once_tensorflow_is_imported(with_cpu, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorflow', sys)
    assert with_cpu('avx2') is None


IMPORTS = ['from inference import load', 'import inst', 'import main']


def test_a_run_elsewhere_chooses_for_itself(with_cpu):
    assert with_cpu('avx2') == '1'
    assert 'TF_ENABLE_ONEDNN_OPTS' not in carried(kernels.asked())


def test_where_a_cpu_says_nothing_nothing_is_known(monkeypatch, tmp_path):
    monkeypatch.setattr(kernels, '_SAYS', tmp_path / 'none')
    assert kernels.cpu() == '' and kernels.instructions() == [] and kernels.has_bfloat16()


@pytest.mark.parametrize('first', most(IMPORTS, 'import main'.__eq__))
def test_tensorflow_computes_by_what_was_chosen(first):
    """Whatever of ours is imported first."""
    ask = 'from networks.session import has_onednn; from system.kernels import instructions'
    script = f"{first}; {ask}; print(has_onednn(), 'avx2' in instructions())"
    free = {n: v for n, v in os.environ.items() if n != 'TF_ENABLE_ONEDNN_OPTS'}
    answer = subprocess.run(
        [sys.executable, '-c', script], cwd=ROOT, env=free, capture_output=True, text=True
    )
    turned_on, has_avx2 = answer.stdout.split()
    assert turned_on == 'True' or has_avx2 == 'False', answer.stderr
