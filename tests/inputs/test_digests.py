"""The digest of a data set: of its examples, whatever the order of bytes they are recorded in."""

import itertools
import json
import shutil

import numpy as np
import tensorflow.compat.v1 as tf
from conftest import results_of, weights_of

import dataset
from inputs import digests, foreign, recording, shards, sources

ORDERS = list(itertools.permutations(('x', 'y', 'length')))


def recorded(folder, order, monkeypatch):
    """Records the same ten sequences as a process did that wrote their parts in this order."""
    x = np.arange(10 * 300, dtype=np.float32).reshape(10, 100, 3)
    rows = foreign.Examples(x, np.arange(10) % 2, np.full(10, 100))
    example = shards._example
    with monkeypatch.context() as patch:
        patch.setattr(shards, '_example', lambda *parts: example(*parts, order))
        patch.setattr(recording, '_SHARD_EXAMPLES', 4)
        recording.write_arrays(sources.Source('made', {'train': rows}, ('a', 'b')), folder)
    return folder


def test_an_example_has_the_bytes_that_protobuf_gives_it_in_order():
    for x, label, length in ((b'', None, None), (b'abc', 3, None), (bytes(70_000), 0, 300)):
        features = {'x': tf.train.Feature(bytes_list=tf.train.BytesList(value=[x]))}
        for name, number in (('y', label), ('length', length)):
            if number is not None:
                features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))
        made = tf.train.Example(features=tf.train.Features(feature=features))
        assert shards._example(x, label, length) == made.SerializeToString(deterministic=True)


def test_examples_have_one_digest_in_whatever_order_they_were_recorded(
    tmp_path, monkeypatch, capsys
):
    folders = [recorded(tmp_path / str(i), o, monkeypatch) for i, o in enumerate(ORDERS)]
    manifests = [dataset.read_manifest(folder) for folder in folders]
    before = [digests.digest_of(s['sha256'] for s in digests.shards_of(m)) for m in manifests]
    assert len({*before}) == len(ORDERS)
    first, *others = [dataset.read(folder) for folder in folders]
    assert {first.digest} == {data.digest for data in others} <= {*before}
    assert capsys.readouterr().out.count('are of an earlier version') == len(ORDERS) - 1
    assert {dataset.read(folder).digest for folder in folders} == {first.digest}
    assert 'earlier' not in capsys.readouterr().out  # it is kept
    for digest in before:
        assert dataset.same_examples(first, first.key, digest)
    assert not dataset.same_examples(first, first.key, '0' * 16)
    assert not dataset.same_examples(first, 'another', before[0])


def test_a_run_begun_on_other_bytes_of_the_same_examples_goes_on_to_the_same_bits(
    main, digits, data_dir, tmp_path
):
    flags = ('--experiment=basic', '--set=hidden=4', '--set=epochs=2', '--set=steps_per_epoch=9')
    flags += (f'--array={digits}', f'--run_dir={tmp_path}/run', '--nofigures')
    assert main(*flags, '--checkpoint_seconds=1e-6')[0] == 0
    wanted, run = weights_of(tmp_path / 'run'), tmp_path / 'run'
    *_, newest = sorted(path for path in run.glob('checkpoints/[0-9]*') if path.is_dir())
    shutil.rmtree(newest)
    (run / 'results.json').unlink()
    config = json.loads((run / 'config.json').read_text())
    data = config['data']
    folder = data_dir / 'records' / data['key']
    manifest = dataset.read_manifest(folder)
    earlier = list(digests.earlier(folder, manifest, '', lambda: None))
    (other,) = {*earlier} - {data['digest']}
    (run / 'config.json').write_text(json.dumps(config | {'data': data | {'digest': other}}))
    code, out, err = main(*flags)
    assert code == 0 and 'its examples are the same' in out and 'resumes after' in out, err
    assert json.loads((run / 'config.json').read_text())['data']['digest'] == data['digest']
    assert results_of(run)['updates'] == 18
    for name, value in weights_of(run).items():
        np.testing.assert_array_equal(value, wanted[name])
