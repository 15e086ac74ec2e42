"""Nothing that is given is ignored in silence, and nothing ends in a traceback: flags and fields.

Every mode is walked with every flag, every experiment with every field at other allowed values, and
of all graphs that these ask for as many are built as hold every pair of values that meet in one.
"""

import contextlib
import itertools
import json
import math
import random
import re
from functools import partial

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import ROOT

import inst
import main as program
import model
from evaluation import scores
from inputs.rows import Rows
from inputs.spec import Spec
from networks import saved_graph
from parameters import FIELDS, IMAGES, RULES, restore
from phases import schedule_of
from system.errors import UsageError, UserError
from system.rules import Span
from train import transfer, updates

# ---------------------------------------------------------------------------------------- flags

ROWS = {f'--mode={mode}': row for mode, row in program.MODES.items()}
ROWS |= {f'--{answer}': row for answer, row in program.ANSWERS.items()}
ALWAYS = {*program.PLACES, *program.ANSWERS, 'mode', 'help'}
OWN = {flag.name for flag in program.FLAGS.get_flags_for_module('main')}


def sample(name: str) -> str:
    """Returns a flag as it might be given."""
    flag = program.FLAGS[name]
    if flag.boolean:
        return f'--{name}'
    if flag.flag_type() == 'string enum':
        return f'--{name}={flag.parser.enum_values[-1]}'
    return f'--{name}={"2" if flag.flag_type() in ("int", "float") else "epochs=2"}'


@pytest.mark.parametrize('here', ROWS)
def test_a_flag_is_refused_where_it_has_no_effect_and_only_there(main, here):
    unknown = {'experiment'} & set(ROWS[here])  # so that nothing is done
    for name in OWN - ALWAYS:
        code, _, err = main(here, *map(sample, {name} | unknown))
        if name in ROWS[here]:
            assert 'no effect' not in err
            continue
        where = [place for place, row in ROWS.items() if name in row]
        assert (code, len(err.splitlines())) == (2, 1), (here, name, err)
        assert f'--{name} has no effect with {here}' in err
        assert err.rstrip().endswith(f'it has with {", ".join(where)}')


def test_every_flag_stands_in_the_table():
    assert {name for row in ROWS.values() for name in row} == OWN - ALWAYS


def test_the_documented_table_is_the_programs():
    chapter = (ROOT / 'docs/running.md').read_text()
    chapter = chapter.partition('## Which flags take effect where')[2].partition('## Every flag')[0]
    rows = dict(re.findall(r'^\| `?([-\w]+)`? \| (.*) \|$', chapter, re.M))
    documented = {name: set(re.findall(r'`(\w+)`', row)) for name, row in rows.items()}
    for here, row in ROWS.items():
        assert documented[here.removeprefix('--mode=')] == set(row), here


# --------------------------------------------------------------------------------------- fields

OTHER_DATA = ('mnist5k', 'images')
TRIED = [name for name in RULES if name not in ('parent', 'data_path')]


def others(name: str, now) -> list:
    """Returns other values of a field that its own rule allows."""
    kind, allowed = FIELDS[name].type, RULES[name].allowed
    if kind == 'bool':
        found = [False, True]
    elif isinstance(allowed, Span):
        whole = 'int' in kind
        least = allowed.least + (1 if whole else 1e-3) * allowed.above
        found = [least, min(allowed.most, 1000), min(allowed.most, 3 if whole else 0.5)]
        if kind.startswith('tuple'):
            found = [(number,) for number in found] + [(5, 4, 3)]
    else:
        found = list(OTHER_DATA if name == 'dataset' else allowed)
    return [value for value in [None] * kind.endswith('None') + found if value != now]


@pytest.mark.parametrize('name', inst.EXPERIMENTS)
def test_a_field_at_another_value_is_refused_by_name_or_makes_an_experiment(name):
    experiment = inst.EXPERIMENTS[name]
    for field in TRIED:
        for value in others(field, getattr(experiment, field)):
            try:
                varied = experiment.vary(**{field: value})
            except UsageError as error:
                said = str(error)
                assert re.search(rf'\b{field}\b', said) and '\n' not in said, (field, value, said)
                assert re.search('allowed|must be|needs|no effect|write', said), said
                continue
            assert field in experiment.fields() or field in IMAGES, (field, value)
            assert getattr(varied, field) == value
            resolved = varied.resolved()
            again = restore(json.loads(json.dumps(resolved)))
            assert again.resolved() == resolved
            assert schedule_of(again) == schedule_of(varied)


# --------------------------------------------------------------------------------------- graphs

KINDS = ('dense', 'conv', 'lstm', 'memory', 'kmeans', 'head')
SPECS = {
    'flat': Spec((16,), ('a', 'b', 'c'), (4, 4)),
    'maps': Spec((4, 4, 1), ('a', 'b', 'c'), (4, 4)),
    'steps': Spec((3, 2), ('a', 'b', 'c'), (3, 2)),
    'one-hot': Spec((4,), ('a', 'b', 'c'), (4, 4), one_hot=True),
}
PARENTS = {'flat': inst.phasewise, 'maps': inst.conv_vae_cifar, 'steps': inst.lstm_reconstruct}
SMALL = {
    'hidden': (4, 3), 'filters': (3, 2), 'head': (3, 2), 'code_size': 3, 'memory_code': 2,
    'pictures': 4, 'kernel_size': 3, 'future': 1, 'epochs': 2, 'finetune_epochs': 1, 'parts': 1,
    'pool': 1,
}  # fmt: skip
APART = {  # from the graphs: what is read elsewhere, and the data
    'dataset', 'data_path', *IMAGES, 'seed', 'parent', 'precision', 'cache_bytes', 'patience',
    'steps_per_epoch', 'batch_size', 'importance_samples', 'label_fraction', 'labels', 'pictures',
    'patch_size', 'patches',
}  # fmt: skip
DECIDING = [name for name in RULES if name not in APART]
ALIKE = {'mae': 'mse', 'cosine': 'mse', 'laplace': 'gaussian'}
ALONE = (  # change no other field's graph
    'initializer', 'start', 'initial', 'optimizer', 'schedule', 'activation', 'output_activation',
    'code_activation', 'head_activation', 'learning_rate', 'joint_learning_rate', 'l2', 'clip_norm',
    'finetune_learning_rate', 'kernel_size', 'forget_bias', 'sparsity_target', 'epochs', 'head_dropout',
)  # fmt: skip
ROUNDS = 150  # of random variations


def small(experiment):
    """Returns the experiment with a few units in a layer."""
    changes = {}
    for name in SMALL.keys() & experiment.fields().keys():
        now, less = getattr(experiment, name), SMALL[name]
        changes[name] = less[: len(now)] if isinstance(now, tuple) else min(now, less)
    return experiment.vary(**changes)


def tiny_values(name: str) -> list:
    """Returns values of a field that make small graphs."""
    kind, allowed = FIELDS[name].type, RULES[name].allowed
    if kind == 'bool':
        found = [False, True]
    elif kind.startswith('tuple'):
        found = [SMALL[name][:1], SMALL[name]] + [()] * (name == 'head')
    elif isinstance(allowed, Span):
        found = [0, 1, 2] if 'int' in kind else [0.0, 0.25, 2.0]
    else:
        found = list(allowed)
    return [None] * kind.endswith('None') + found


def graph_of(experiment) -> tuple:
    """Returns what decides the experiment's graphs, hashable; those of a head on any parent."""
    values = {name: experiment.has(name) for name in DECIDING}
    return (experiment.kind, experiment.layout, *values.items())


def features_of(experiment) -> set:
    """Returns the values that it has, and the pairs of what kind of value each is."""
    values = dict(graph_of(experiment)[2:])
    kinds = {n: ALIKE.get(v, v) if isinstance(v, str) else bool(v) for n, v in values.items()}
    kinds = {n: v for n, v in kinds.items() if values[n] is not None and n not in ALONE}
    return set(values.items()) | set(itertools.combinations(kinds.items(), 2))


def candidates(kind: str) -> list:
    """Returns small experiments of a kind: those of the catalogue, and random variations of each."""
    draw = random.Random(kind)
    made = {graph_of(e): e for e in map(small, inst.EXPERIMENTS.values()) if e.kind == kind}
    found = list(made.values())
    for _ in range(ROUNDS):
        experiment = draw.choice(found)
        for name in draw.sample(DECIDING, len(DECIDING)):
            if experiment.has(name) is not None or draw.random() < 0.5:
                with contextlib.suppress(UsageError):
                    experiment = experiment.vary(**{name: draw.choice(tiny_values(name))})
        if experiment.kind == kind:
            made.setdefault(graph_of(experiment), experiment)
    return list(made.values())


def towers(experiment) -> int:
    """Returns about how many layers are built for it, which is what its graphs cost."""
    layers = len(experiment.fields().get('hidden') or experiment.fields().get('filters') or '1')
    return (1 + layers) * (2 + len(schedule_of(experiment)) * experiment.parts)


def covering(experiments: list) -> list:
    """Returns some of the experiments, cheap ones, in which every value, and pair, is in any."""
    features = [features_of(experiment) for experiment in experiments]
    bits = {feature: 1 << k for k, feature in enumerate(set().union(*features))}
    masks = [sum(bits[feature] for feature in found) for found in features]
    costs = [towers(experiment) for experiment in experiments]
    missing, chosen = sum(bits.values()), []
    while missing:
        best = max(range(len(masks)), key=lambda k: (masks[k] & missing).bit_count() / costs[k])
        chosen.append(experiments[best])
        missing &= ~masks[best]
    return chosen


def rows_for(experiment, spec, shape: tuple[int, ...]) -> Rows:
    """Returns a handful of random rows of what a phase reads; sequences have lengths."""
    draw = np.random.default_rng(0)
    target = (math.prod(spec.picture),) if spec.one_hot else (spec.future, *spec.shape[1:])
    return Rows(
        x=draw.random((5, *shape), np.float32),
        y=np.arange(5, dtype=np.int32) % 3 if experiment.classifies else None,
        target=draw.random((5, *target), np.float32)
        if spec.one_hot or experiment.predicts
        else None,
        length=np.full(5, 2, np.int32) if spec.layout == 'steps' and not spec.future else None,
    )


def spec_of(experiment) -> Spec:
    """Returns the spec of data that fit its layout."""
    return SPECS[experiment.layout]._replace(future=experiment.future)


def build_all(experiment, saved) -> None:
    """Builds its inference graph, the updates of each phase, and what scores it."""
    spec, restored = spec_of(experiment), None
    if experiment.parent:
        restored = saved_graph.read(saved[experiment.layout], layer=experiment.layer)
        transfer.check(restored, experiment, spec)
        if experiment.initial != 'parent':
            restored = transfer.random_values(restored, experiment)
    with tf.Graph().as_default() as graph:
        endpoints = model.build(experiment, spec, restored)
        network = model.Network(experiment, spec, restored, None, endpoints, model.variables(graph))
        for phase in schedule_of(experiment):
            shape = tuple(map(int, endpoints.tensors[phase.reads].shape[1:]))
            rows = rows_for(experiment, spec, shape)
            updates.build(experiment, phase, rows, spec.picture, network.tower(phase.reads))
        scores.whole(network)


@pytest.fixture(scope='session')
def saved(tmp_path_factory):
    """Returns the folder of a small saved graph of each layout that a head can stand on."""
    found = {}
    for layout, parent in PARENTS.items():
        parent, spec = small(parent), SPECS[layout]
        with model.built(parent, spec, None) as network:
            values = network.values()
        folder = tmp_path_factory.mktemp(layout)
        saved_graph.write(folder, partial(model.exported, parent, spec, None), values)
        found[layout] = str(folder)
    return found


@pytest.mark.slow
@pytest.mark.parametrize('kind', KINDS)
def test_every_pair_of_values_that_meets_builds_its_graphs_or_is_refused(kind, saved):
    faults, built = [], 0
    for experiment in (experiments := covering(candidates(kind))):
        try:
            build_all(experiment, saved)
            built += 1
        except UserError:
            continue
        except Exception as error:
            faults.append((experiment, error))
    assert not faults
    assert 2 * built > len(experiments), built  # the most are no pairs that are refused
