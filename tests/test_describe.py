"""--describe is JSON with what each field means, -h is --help, a misspelt field lists those there."""

import json
import re
import subprocess
import sys

import pytest
from conftest import ROOT

import inst
import main as program


def test_describe_has_the_values_and_a_line_a_field_with_its_meaning(main):
    code, out, err = main('--experiment=phasewise_classifier', '--describe', '--set=head=7')
    described = json.loads(out)
    assert code == 0 and described['head'] == [7] and described['parent']['hidden'] == [300, 150], (
        err
    )
    assert described['fields']['head'] == {
        'value': [7],
        'allowed': '1 to 1000000, each number, as 300,150',
        'meaning': "widths of the classifier's layers",
    }
    assert described['fields']['parent.loss']['allowed'].startswith('mse, mae')
    assert out.count('"allowed"') == sum('"allowed"' in line for line in out.splitlines())
    values = {n: v for n, v in described.items() if n != 'fields'}
    assert values == inst.phasewise_classifier.vary(head=(7,)).resolved()


def test_whatever_describe_lists_can_be_set(main):
    described = json.loads(main('--experiment=phasewise_classifier', '--describe')[1])
    for name in described['fields']:
        code, _, err = main('--experiment=phasewise_classifier', '--describe', f'--set={name}=?')
        assert 'no such field' not in err and code == 2, (name, err)


def test_a_study_is_described_with_the_fields_of_its_arms(main):
    described = json.loads(main('--experiment=vae_beta', '--describe')[1])
    assert described['fields']['beta']['meaning'] and len(described['arms']) == 1


@pytest.mark.parametrize(
    ('given', 'told'),
    [
        ('hiden=3', "did you mean 'parent.hidden'? --describe"),
        ('parent.hiden=3', "did you mean 'parent.hidden'? --describe"),
        ('parent.epoch=3', "did you mean 'parent.epochs'? --describe"),
        ('parent.zzz=3', ' parent.hidden, '),
    ],
)
def test_a_misspelt_field_is_told_that_meant_or_all_of_the_experiment(main, given, told):
    _, _, err = main('--experiment=phasewise_classifier', f'--set={given}')
    assert told in err and len(err.splitlines()) == 1 and 'kernel_size' not in err


def test_h_is_help(main):
    assert main('-h') == main('--help') and main('-h')[0] == 0


def test_help_has_every_flag():
    shown = subprocess.run(
        [sys.executable, 'main.py', '--help'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for flag in program.FLAGS.flags_by_module_dict()[program.__name__]:
        assert re.search(rf'--(\[no\])?{flag.name}: ', shown.stdout), flag.name


def test_every_field_says_what_it_may_be(main):
    from command_line import described

    for experiment in inst.EXPERIMENTS.values():
        for name, field in described(experiment).items():
            assert field['allowed'] and field['meaning'], name
