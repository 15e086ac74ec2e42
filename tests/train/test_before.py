"""Runs and saved graphs of an earlier layout of the code: they go on, and are restored, as they are.

`begun_before/` holds a run that was stopped in its second phase, that run as the same code ended it,
and a classifier on its saved graph. Bits depend on the processor, so that here they are compared
within its rounding; on the one that began the run they were the same.
"""

import json
import shutil

import numpy as np
import pytest
from conftest import ROOT, results_of, weights_of

import inst
from networks import saved_graph, weights
from system.errors import UsageError
from train.identity import as_begun, extend_sibling, settle

KEPT = ROOT / 'tests' / 'train' / 'begun_before'
FLAGS = ('--dataset=mnist5k', '--nofigures')


@pytest.fixture
def kept(tmp_path):
    """A copy of the runs, to be written to."""
    return shutil.copytree(KEPT, tmp_path / 'kept')


def test_a_run_begun_before_goes_on_to_the_same_end(main, kept):
    flags = ('--experiment=phasewise', '--set=hidden=12,6', '--set=epochs=40', *FLAGS)
    code, out, err = main(*flags, f'--run_dir={kept}/begun')
    assert code == 0 and 'resumes after update 1,188' in out, err
    found, wanted = weights_of(kept / 'begun'), weights_of(kept / 'ended')
    assert found.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4, atol=1e-5)
    ours, theirs = (results_of(kept / name)['metrics'] for name in ('begun', 'ended'))
    assert theirs.keys() - ours.keys() <= {'test/sample_precision', 'test/sample_recall'}
    same = theirs.keys() & ours.keys()
    assert [ours[n] for n in same] == pytest.approx([theirs[n] for n in same], rel=1e-3)
    code, out, err = main(*flags, f'--run_dir={kept}/begun')
    assert code == 0 and 'finished before' in out, err


def test_what_was_begun_before_is_in_one_part(kept, tmp_path):
    experiment = inst.phasewise.vary(dataset='mnist5k', hidden=(12, 6), epochs=40, parts=2)
    assert as_begun(kept / 'begun', experiment).parts == 1
    assert as_begun(tmp_path, experiment).parts == experiment.parts == 2
    config = {'experiment': experiment.resolved()}
    with pytest.raises(UsageError, match='parts was 1, now 2'):
        settle(kept / 'begun', config)
    longer = {'experiment': config['experiment'] | {'epochs': 50}}
    beside = shutil.copytree(kept / 'ended', kept / 'longer', ignore=lambda *_: ['results.json'])
    shutil.rmtree(beside / 'checkpoints', ignore_errors=True)
    assert extend_sibling(beside, longer) is None


def test_a_field_that_a_run_of_before_lacks_was_at_its_default(tmp_path):
    def config(experiment):
        return {'experiment': experiment.resolved()}

    head = inst.coates2011_kmeans
    for experiment, other in (
        (head.parent, head.parent.vary(start=1.0)),
        (head, head.vary(None, **{'parent.start': 1.0})),
    ):
        before = config(experiment)
        before['experiment'].pop('start', None)
        if isinstance(before['experiment'].get('parent'), dict):
            before['experiment']['parent'].pop('start')
        (tmp_path / 'config.json').write_text(json.dumps(before))
        settle(tmp_path, config(experiment))
        with pytest.raises(UsageError, match=r'start was 0.1, now 1.0'):
            settle(tmp_path, config(other))


def test_a_finished_run_of_before_is_evaluated(main, kept):
    code, _, err = main('--mode=evaluate', f'--run_dir={kept}/classifier', '--nofigures')
    assert code == 0, err
    wanted = results_of(kept / 'classifier')['metrics']
    found = results_of(kept / 'classifier' / 'evaluation-mnist5k')['metrics']
    assert found == pytest.approx(wanted, rel=1e-3) and found['test/accuracy'] > 0.6


def test_a_saved_graph_of_before_is_restored(main, kept, tmp_path):
    checksum = weights.checksum(saved_graph.read(str(kept / 'ended')).variables)
    flags = ('--experiment=phasewise_classifier', f'--parent={kept}/ended', '--set=epochs=1')
    code, out, err = main(*flags, *FLAGS, f'--run_dir={tmp_path}/run')
    assert code == 0 and f'sha256 {checksum} in the file, {checksum} in the session' in out, err
