"""What TensorBoard is told of a run: read back as TensorBoard reads it."""

import csv
import io
import resource

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import results_of, weights_of
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.projector import ProjectorConfig

import inst
from inputs.spec import Spec
from model import built
from networks import saved_graph
from reports import graphs
from train.folder import Place
from train.logs import Events, Log
from train.phase import summarized
from train.run import run

ALL = dict.fromkeys(('scalars', 'histograms', 'tensors'), 0)  # 0: each of them


def read(folder) -> EventAccumulator:
    return EventAccumulator(str(folder), ALL).Reload()


@pytest.fixture(scope='module')
def told(digits, data_dir, tmp_path_factory):
    """The folders of a greedy run that tells all, and of the same run that tells its scores."""
    small = inst.phasewise.vary(dataset='array', data_path=str(digits), hidden=(12, 6), epochs=9)
    folders = {}
    for kind in ('all', 'scalars'):
        folders[kind] = folder = tmp_path_factory.mktemp('told') / kind
        run(small, small, Place(folder, data_dir, folder, figures=False, summaries=kind))
    return folders


def test_both_splits_of_a_score_have_one_tag_and_the_numbers_of_metrics_csv(told):
    with open(told['scalars'] / 'metrics.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    for split in ('train', 'validation'):
        found = read(told['scalars'] / 'tb' / split)
        tags = [f'phase{k}/{name}' for k in (1, 2) for name in ('l2', 'mse')]
        assert sorted(found.Tags()['scalars']) == tags
        for tag in tags:
            wanted = [
                (int(r['step']), float(r[f'{split}/{tag}'])) for r in rows if tag[:6] == r['phase']
            ]
            logged = [(event.step, event.value) for event in found.Scalars(tag)]
            assert len(wanted) == 9 and np.allclose(logged, wanted, rtol=1e-6)


def test_what_is_told_changes_no_bit_of_the_weights(told):
    found, wanted = weights_of(told['all']), weights_of(told['scalars'])
    assert found.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name])
    assert not (told['scalars'] / 'tb/network').exists()


def test_pictures_and_spreads_are_there_a_few_times_a_phase(told):
    found = read(told['all'] / 'tb/network')
    assert sorted(found.Tags()['tensors']) == ['filters', 'reconstructions', 'samples']
    steps = {event.step for event in found.Tensors('reconstructions')}
    with open(told['all'] / 'metrics.csv', newline='') as file:
        ends = {(r['phase'], int(r['epoch'])): int(r['step']) for r in csv.DictReader(file)}
    assert steps == {0, *(ends[f'phase{k}', epoch] for k in (1, 2) for epoch in (1, 3, 9))}
    *size, png = found.Tensors('reconstructions')[-1].tensor_proto.string_val
    assert Image.open(io.BytesIO(png)).size == (*map(int, size),) == (10 * 30, 3 * 30)
    spreads = found.Tags()['histograms']
    assert {'weights/layer2/kernel', 'activations/hidden1', 'activations/codings'} <= {*spreads}
    kernel = weights_of(told['all'])['layer1/kernel']
    logged = found.Histograms('weights/layer1/kernel')[-1].histogram_value
    assert logged.num == kernel.size and logged.max == pytest.approx(kernel.max())


def test_the_graph_is_that_of_inference_with_a_scope_a_layer(told):
    graph = read(told['all'] / 'tb/network').Graph()
    tops = {node.name.split('/')[0] for node in graph.node}
    named = {'X', 'codings', 'outputs', 'phase1_outputs'}
    assert named | {'encoder2/hidden2'} <= {node.name for node in graph.node}
    layers = {'encoder1', 'encoder2', 'decoder1', 'decoder2', 'layer1', 'layer2'}
    assert tops == named | layers | {'activation', 'after_phase1'}


def test_the_graph_of_a_transfer_has_what_was_restored_beside_its_head(told):
    head = inst.phasewise_classifier.vary(head=(4,))
    restored = saved_graph.read(str(told['all'] / 'model'))
    with built(head, Spec((784,), (*'0123456789',), (28, 28)), restored) as network:
        graph = graphs.of(network)
    named = {'X', 'y', 'training', 'hidden1', 'hidden2', 'codings', 'outputs', 'phase1_outputs'}
    named |= {'logits', 'accuracy', 'layer1', 'layer2'}
    assert {node.name.split('/')[0] for node in graph.node} == named | {'restored', 'head'}


def test_settings_and_final_scores_stand_beside_each_other(told):
    found = read(told['all'] / 'tb/results')
    contents = found.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    settings = metadata.parse_session_start_info_plugin_data(contents).hparams
    assert settings['hidden'].string_value == '12,6' and settings['epochs'].number_value == 9
    assert settings['experiment'].string_value == 'phasewise'
    scores = results_of(told['all'])['metrics']
    for name in ('test/mse', 'validation/mse'):
        (event,) = found.Scalars(name)
        assert event.value == pytest.approx(scores[name], rel=1e-6)


def test_the_projector_has_the_test_codes_with_labels_and_pictures(told):
    folder = told['all'] / 'tb/network'
    config = text_format.Parse((folder / 'projector_config.pbtxt').read_text(), ProjectorConfig())
    (codes,) = config.embeddings
    values = np.loadtxt(folder / codes.tensor_path, delimiter='\t')
    names, *labels = (folder / codes.metadata_path).read_text().splitlines()
    assert values.shape == tuple(codes.tensor_shape) == (len(labels), 6)
    assert names == 'label\trow' and {line.split('\t')[0] for line in labels} == {*'0123456789'}
    across = int(np.ceil(np.sqrt(len(labels))))
    assert list(codes.sprite.single_image_dim) == [28, 28]
    assert Image.open(folder / codes.sprite.image_path).size == (28 * across, 28 * across)


def test_each_step_is_told_once_by_a_run_that_was_killed_and_after_its_events_are_gone(tmp_path):
    def train(first: int, last: int) -> None:
        with Log(tmp_path, first) as log:
            for step in range(first + 1, last + 1):
                scores = {'train/mse': 1 / step, 'validation/mse': 2 / step}
                log.epoch(phase='joint', epoch=step, step=step, seconds=1.0, scores=scores,
                          examples_per_second=1.0)  # fmt: skip

    def steps(split: str) -> list[int]:
        return [event.step for event in read(tmp_path / 'tb' / split).Scalars('joint/mse')]

    train(0, 5)
    for file in (tmp_path / 'tb').glob('*/events*'):  # as a killed process leaves it
        file.write_bytes(file.read_bytes()[:-7])
    assert steps('train') == [1, 2, 3, 4]
    train(2, 6)  # from the checkpoint after the second
    assert steps('train') == steps('validation') == [1, 2, 3, 4, 5, 6]
    for file in (tmp_path / 'tb/train').iterdir():
        file.unlink()
    train(6, 7)
    assert steps('train') == steps('validation') == [1, 2, 3, 4, 5, 6, 7]


def test_a_file_that_takes_a_part_of_an_event_says_so(tmp_path):
    events, (soft, hard) = Events(tmp_path, 0), resource.getrlimit(resource.RLIMIT_FSIZE)
    (file,) = tmp_path.iterdir()
    long = tf.Summary.Value(tag='x' * 1000, simple_value=1.0)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 100, hard))
        with pytest.raises(OSError, match=r'too large.*events\.out'):
            events.add(1, [long])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        events.close()


def test_the_times_of_a_phase_are_few_and_end_with_it():
    assert summarized(1) == {1} and summarized(2) == {1, 2}
    for epochs in (3, 100, 5000):
        found = summarized(epochs)
        assert len(found) == 3 and {1, epochs} <= found
