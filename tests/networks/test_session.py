"""Where a session runs: what is said of GPUs, and of a run that goes on without the one it had."""

import json

import pytest
import tensorflow.compat.v1 as tf

import inst
from networks import session as sessions
from train.identity import settle_environment


@pytest.fixture(autouse=True)
def asked_anew():
    """Forgets the machine's GPUs, which are looked for once."""
    sessions.gpus.cache_clear()
    yield
    sessions.gpus.cache_clear()


@pytest.fixture
def with_cuda(monkeypatch):
    """Lets this TensorFlow say that it could use GPUs, and sees one of a name; '' for none."""

    def install(name: str) -> None:
        sessions.gpus.cache_clear()
        monkeypatch.setattr(tf.test, 'is_built_with_gpu_support', lambda: True)
        monkeypatch.setattr(tf.config, 'list_physical_devices', lambda _: [name] if name else [])
        monkeypatch.setattr(
            tf.config.experimental, 'get_device_details', lambda name: {'device_name': name}
        )

    return install


def test_a_tensorflow_for_gpus_that_sees_none_says_so_once(with_cuda, tmp_path, capsys):
    with_cuda('')
    for _ in range(2):
        settle_environment(tmp_path, inst.tied)
    assert capsys.readouterr().out == 'TensorFlow sees no GPU that it can use; runs on the CPU\n'


def test_a_run_that_goes_on_without_its_gpu_is_warned_of(with_cuda, tmp_path, capsys):
    (tmp_path / 'checkpoints').mkdir()
    with_cuda('Fast 1')
    settle_environment(tmp_path, inst.tied)
    assert json.loads((tmp_path / 'environment.json').read_text())['gpu'] == 'Fast 1'
    with_cuda('')
    settle_environment(tmp_path, inst.tied)
    assert 'last bits may differ: gpu Fast 1 -> None' in capsys.readouterr().out


def test_without_gpus_a_run_is_recorded_as_before(tmp_path):
    settle_environment(tmp_path, inst.tied)
    assert 'gpu' not in json.loads((tmp_path / 'environment.json').read_text())


def test_a_run_that_goes_on_with_other_settings_of_its_libraries_is_warned_of(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / 'checkpoints').mkdir()
    for value in ('1', '0'):
        monkeypatch.setenv('TF_ENABLE_ONEDNN_OPTS', value)
        monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', value)  # decides nothing
        settle_environment(tmp_path, inst.tied)
    said = capsys.readouterr().out
    assert 'variables ' in said and 'TF_ENABLE_ONEDNN_OPTS=1 -> ' in said and 'LOG' not in said
    kept = json.loads((tmp_path / 'environment.json').read_text())
    assert 'TF_ENABLE_ONEDNN_OPTS=0' in kept['variables']
    before = {n: v for n, v in kept.items() if n not in ('cpu', 'instructions', 'variables')}
    (tmp_path / 'environment.json').write_text(json.dumps(before))  # as earlier versions wrote it
    settle_environment(tmp_path, inst.tied)
    assert not capsys.readouterr().out


def test_no_session_of_the_process_takes_all_of_a_gpu():
    assert sessions.os.environ['TF_FORCE_GPU_ALLOW_GROWTH'] == 'true'
