"""Experiments as values: variations, errors, phases, and what costs no TensorFlow."""

import json
import shlex
import subprocess
import sys
import time

import pytest
from conftest import ROOT

import inst
from command_line import command, parse
from parameters import FIELDS, RULES, Experiment, restore
from phases import schedule_of
from studies import catalogue
from system.errors import UsageError


def test_a_variation_is_a_new_value():
    varied = inst.tied.vary('wide', hidden=(500, 250))
    assert (varied.name, varied.hidden, inst.tied.hidden) == ('wide', (500, 250), (300, 150))


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'hiden': (3,)}, ["'hiden'", "'hidden'"]),
        ({'activation': 'rleu'}, ['activation=rleu', 'elu', "'relu'"]),
        ({'learning_rate': 0.0}, ['learning_rate=0.0', 'above 0']),
        ({'learning_rate': float('nan')}, ['learning_rate=nan']),
        ({'epochs': 0}, ['epochs=0', 'at least 1']),
        ({'description': None}, ['description=None', 'a text']),
        ({'parent': ['a']}, ["parent=['a']", 'an experiment', 'saved graph']),
        ({'parent': ''}, ["parent=''", 'an experiment']),
        ({'batch_size': -5}, ['batch_size=-5']),
        ({'hidden': ()}, ['hidden=', 'at least one number', '300,150']),
        ({'hidden': (300, 0)}, ['hidden=300,0']),
        ({'head': (10,)}, ['head', 'no effect', 'tied']),
        ({'pictures': 9}, ['pictures', 'no effect', 'network=memory']),
        ({'beta': 2.0}, ['beta', 'no effect', 'variational']),
        ({'sparsity': 1.0}, ['sparsity=1.0', 'sigmoid', 'elu']),
        (
            {'sparsity': 1.0, 'training': 'greedy', 'code_activation': 'sigmoid'},
            ['sparsity=1.0', 'activation=sigmoid where training=greedy', 'it is elu'],
        ),
        ({'loss': 'bernoulli'}, ['loss=bernoulli', 'output_activation=sigmoid']),
        ({'corruption': 1.0}, ['corruption=1.0', 'below 1']),
        ({'variational': True, 'training': 'greedy'}, ['variational=True', 'training=joint']),
        ({'joint_epochs': 3}, ['joint_epochs=3', 'training=greedy']),
        (
            {'loss': 'bernoulli', 'output_activation': 'sigmoid', 'training': 'greedy'},
            ['loss=bernoulli', 'activation=sigmoid', 'elu'],
        ),
        (
            {
                'loss': 'bernoulli',
                'output_activation': 'sigmoid',
                'binarize': True,
                'standardize': 'min_max',
            },
            ['binarize=true', 'standardize=none', 'min_max'],
        ),
        (
            {'hidden': (9,), 'code_activation': 'relu', 'activation': 'elu'},
            ['activation=elu', 'second layer'],
        ),
        ({'hidden': (9,), 'variational': True, 'dropout': 0.1}, ['dropout=0.1', 'second layer']),
        ({'variational': True, 'beta': 0.0, 'kl_warmup': 3}, ['kl_warmup=3', 'beta above 0']),
    ],
)
def test_an_impossible_value_names_itself_and_what_is_allowed(changes, words):
    with pytest.raises(UsageError) as raised:
        inst.tied.vary(**changes)
    assert all(word in str(raised.value) for word in words), raised.value


@pytest.mark.parametrize(
    ('fields', 'words'),
    [
        ({'network': 'memory', 'hidden': (9,)}, 'hidden=9 has no effect on x: it belongs to network=dense'),
        ({'beta': 3.0}, 'beta=3.0 has no effect on x: it needs variational'),
        ({'parent': inst.tied, 'tied': False}, 'tied=false has no effect on x: it belongs to its parent'),
        ({'parent': inst.tied, 'crop': 2}, 'crop=2 has no effect on x: it needs finetune_epochs'),
        ({'data_path': 'a.npz'}, 'data_path=a.npz has no effect on x: it needs --array or --images'),
    ],
)  # fmt: skip
def test_a_field_without_effect_is_refused_by_the_constructor_too(fields, words):
    with pytest.raises(UsageError, match=words):
        Experiment('x', 'words', 'source', **fields)


@pytest.mark.parametrize('name', RULES)
def test_a_default_is_one_of_its_fields_values(name):
    """As it has to be, for only what differs from it is checked when an experiment is made."""
    RULES[name].check(name, FIELDS[name].default, str(FIELDS[name].type))


def test_what_is_carried_over_may_lie_idle():
    assert inst.vae_plain.kl_warmup == inst.vae.kl_warmup and not inst.vae_plain.variational


def test_a_parent_shares_data_and_seed_with_its_run():
    with pytest.raises(UsageError, match='parent.seed has no effect on phasewise_classifier'):
        inst.phasewise_classifier.vary(**{'parent.seed': 3})


def test_what_is_carried_over_and_does_not_belong_is_at_its_default():
    memory = inst.conv_vae_cifar_classify.vary(network='memory', loss='mse')
    assert not (memory.flip or memory.crop or memory.variational or memory.classify)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'label_fraction': 0.001}, 'label_fraction=0.001: must be at least that of the parent'),
        ({'finetune_epochs': 1, 'finetune_batch_norm': True, 'parent': inst.coates2011_centroids,
          'dataset': 'cifar10', 'pool': 2, 'labels': 'data'}, 'finetune_batch_norm=true: needs pool=0'),
    ],
)  # fmt: skip
def test_what_a_head_cannot_be_with_its_parent_is_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        inst.semi600_self.vary(**changes)


@pytest.mark.parametrize(
    ('experiment', 'changes'),
    [
        (inst.phasewise, {'loss': 'bernoulli', 'output_activation': 'sigmoid'}),
        (inst.vae_burda, {'standardize': 'min_max'}),
        (inst.semi600_self, {'label_fraction': 0.001}),
        (inst.coates2011_kmeans, {'finetune_epochs': 1, 'finetune_batch_norm': True}),
    ],
)
def test_a_run_of_what_was_possible_then_is_read_now(experiment, changes):
    read = restore(experiment.resolved() | changes)
    assert all(getattr(read, name) == value for name, value in changes.items())
    assert read.vary(seed=3).seed == 3
    with pytest.raises(UsageError):
        experiment.vary(**changes)


def test_the_parents_fields_are_not_a_transfers_to_set():
    with pytest.raises(UsageError, match='belongs to its parent'):
        inst.phasewise_classifier.vary(hidden=(10,))


@pytest.mark.parametrize(
    ('name', 'text', 'value'),
    [('hidden', '500,250', (500, 250)), ('batch_size', 'none', None), ('tied', 'False', False),
     ('l2', '1e-3', 1e-3), ('steps_per_epoch', '9', 9), ('code_activation', 'None', None), ('head', '', ()),
     ('epochs', '7', 7), ('schedule', 'cosine', 'cosine')],
)  # fmt: skip
def test_parse_reads_a_value_by_its_fields_type(name, text, value):
    assert parse(name, text) == value


@pytest.mark.parametrize('name', ['name', 'description', 'source'])
def test_what_a_variation_is_called_is_no_flags_to_say(name):
    with pytest.raises(UsageError, match=f'--set {name}=x: no such field; inst.py says it'):
        parse(name, 'x')


@pytest.mark.parametrize(
    'setting', [('epochs', '1.5'), ('tied', 'maybe'), ('hidden', '5,x'), ('name', 'a')]
)
def test_parse_refuses_what_a_field_cannot_hold(setting):
    with pytest.raises(UsageError, match=f'--set {setting[0]}={setting[1]}'):
        parse(*setting)


def test_greedy_phases_follow_the_layers():
    phases = schedule_of(inst.phasewise.vary(hidden=(50, 40, 30)))
    assert [(p.name, p.reads, p.trainable) for p in phases] == [
        ('phase1', 'X', 'layer1/.*'),
        ('phase2', 'hidden1', 'layer2/.*'),
        ('phase3', 'hidden2', 'layer3/.*'),
    ]
    together = inst.phasewise.vary(joint_epochs=7, joint_learning_rate=0.5)
    *greedy, joint = schedule_of(together)
    assert greedy == [*schedule_of(inst.phasewise)]
    assert (joint.name, joint.epochs, joint.learning_rate, joint.reads) == ('joint', 7, 0.5, 'X')
    assert joint.losses == schedule_of(inst.phasewise.vary(training='joint'))[0].losses


@pytest.mark.parametrize('name', inst.EXPERIMENTS)
def test_what_config_json_holds_gives_the_experiment_back(name):
    experiment = inst.EXPERIMENTS[name]
    restored = restore(json.loads(json.dumps(experiment.resolved())))
    assert restored.resolved() == experiment.resolved()
    assert schedule_of(restored) == schedule_of(experiment)


def test_a_study_varies_one_field_of_every_arm():
    study = catalogue.semi_supervised.vary(label_fraction=0.05, seed=3)
    found = [(arm.name, value, e.label_fraction, e.seed) for arm, value, e in study.points()]
    assert found == [(arm.name, 0.05, 0.05, 3) for arm in catalogue.semi_supervised.arms]


@pytest.mark.parametrize('name', inst.EXPERIMENTS)
def test_every_experiment_says_what_it_is_and_where_it_comes_from(name):
    experiment = inst.EXPERIMENTS[name]
    assert experiment.description and experiment.source
    assert json.loads(json.dumps(experiment.resolved()))['name'] == name


@pytest.mark.parametrize('name', catalogue.CATALOGUE)
def test_a_description_can_be_understood_alone(name):
    """As --list and run pages show it; a variation without words of its own has its base's."""
    words = catalogue.CATALOGUE[name].description
    assert not words.startswith(('the same', 'and ')) and 'by the name of' not in words
    assert [n for n, v in catalogue.CATALOGUE.items() if v.description == words] == [name]


def test_on_windows_a_line_says_what_is_needed():
    code = (
        "import runpy, sys; sys.platform = 'win32'; runpy.run_path('main.py', run_name='__main__')"
    )
    command = [sys.executable, '-c', code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and 'WSL' in done.stderr


@pytest.mark.parametrize(
    'flags', [('--list',), ('--describe', '--experiment=phasewise'), ('--experimnt=phasewise',)]
)
def test_answers_before_training_do_not_import_tensorflow(flags):
    code = "import runpy, sys; sys.argv[0] = 'main.py'\ntry: runpy.run_path('main.py', run_name='__main__')\n"
    code += "finally: print('tensorflow' in sys.modules, file=sys.stderr)"
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, '-c', code, *flags], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stderr.strip().endswith('False')
    assert time.perf_counter() - began < 5  # under one second on a quiet machine


@pytest.mark.parametrize(
    'experiment',
    [
        inst.tied,
        inst.tied.vary(seed=3, hidden=(20, 10), l2=0.0),
        inst.phasewise_classifier.vary(parent='some where/model', dataset='mnist5k'),
        inst.conv_vae.vary(data_path="it's/photos", image_size=(64, 48), jpeg_quality=0),
        inst.vae.vary(
            precision='bfloat16', dataset='array', data_path='x.npz', code_activation=None
        ),
    ],
)
def test_the_command_of_an_experiment_makes_it(experiment):
    import main as program

    line = shlex.split(command(experiment, inst.EXPERIMENTS[experiment.name]))
    assert line[:2] == ['python', 'main.py']
    for name in program.FLAGS:
        program.FLAGS[name].unparse()
    program.parse_flags(['main.py', *line[2:]])
    assert program.chosen(inst.EXPERIMENTS[experiment.name]) == experiment


def test_what_is_given_to_the_constructor_is_read_as_by_vary():
    assert Experiment('x', 'd', 's', hidden=[20, 5]).hidden == (20, 5)
    assert inst.phasewise_classifier.vary(parent=ROOT / 'runs').parent == str(ROOT / 'runs')
    with pytest.raises(UsageError, match='epochs=0: must be at least 1 where finetune_epochs=0'):
        inst.phasewise_classifier.vary(epochs=0)
    with pytest.raises(UsageError, match='epochs=0: must be at least 1$'):
        inst.phasewise_classifier.vary(**{'parent.epochs': 0})
