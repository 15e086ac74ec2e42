"""The ledger: verdicts of the spread, keys of what decides a run, and the page from run folders."""

import dataclasses
import json
import math
import shutil

import pytest
from conftest import ROOT, results_of
from scipy import stats

import inst
from ledger import book, charts, claims, fill, page, store, usual
from ledger.claim import AFTER, MARGIN, SIGNS, Claim, metric_of
from ledger.values import value_of
from ledger.verdicts import Judgement, false_discovery_rates, judge
from parameters import Experiment
from system.errors import UsageError
from train import folder

STEADY = [0.1, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 9.0, 80.0]  # differences


def judged(measured, than, relation='<', usual=0.1, **options):
    """Judges a claim whose runs, a seed each, found these values."""
    claim = Claim(
        'words', 'source', inst.tied, 'test/mse', relation, inst.untied, seeds=len(measured),
        **options,
    )  # fmt: skip
    found = {'tied': measured, 'untied': than}

    def results(run):
        metrics = {'test/mse': found[run.name][run.seed]}
        return {'metrics': metrics, 'seconds': 1.0, 'updates': 9}

    def of_its_kind(experiment, updates, metric):
        assert (experiment, updates, metric) == (inst.tied, 9, 'test/mse')
        return usual

    return judge(claim, results, len(measured), of_its_kind)


@pytest.mark.parametrize(
    ('measured', 'than', 'options', 'verdict'),
    [
        ([1.0], [2.0], {}, 'holds'),  # a difference of 1; three times 0.1 of both is 0.67
        ([2.0], [1.0], {}, 'fails'),
        ([1.0], [1.5], {}, 'open'),
        ([1.0], [9.0], {'usual': None}, 'open'),  # nobody knows what is usual
        ([1.0], [1.0], {'usual': 0.0, 'relation': '<='}, 'holds'),  # seeds change nothing
        ([1.0, 1.1, 0.9], [2.0, 2.1, 1.89], {}, 'holds'),  # every difference is about -1
        ([1.0, 2.0, 3.0], [2.0, 3.0, 1.0], {}, 'open'),
        ([2.0, 2.1, 1.9], [1.0, 1.1, 0.89], {}, 'fails'),
        ([2.0, 2.1, 1.9], [1.0, 1.1, 0.89], {'relation': '>='}, 'holds'),
        ([1.0, 1.0], [2.0, 2.0], {}, 'open'),  # as often as two coins fall alike
        ([1.0, 1.0], [1.0, 1.0], {'relation': '<='}, 'open'),
        ([1.1, 1.11], [2.0, 2.0], {'factor': 0.5}, 'fails'),
        ([0.9, 0.91], [2.0, 2.0], {'factor': 0.5}, 'holds'),
        ([2.2, 2.21], [2.0, 2.0], {'plus': 0.3}, 'holds'),
        ([2.4, 2.41], [2.0, 2.0], {'plus': 0.3}, 'fails'),
        ([1.0, 1.9], [2.0, 2.0], {}, 'open'),
        ([1.0, 3.0], [2.0, 2.0], {'relation': '=', 'margin': 0.1}, 'open'),
        ([2.1, 2.11], [2.0, 2.0], {'relation': '=', 'margin': 0.1}, 'holds'),
        ([1.0, 1.1], [9.0, 9.0], {'relation': '=', 'margin': 0.1}, 'better'),
        ([9.0, 9.1], [1.0, 1.0], {'relation': '=', 'margin': 0.1}, 'fails'),
        (STEADY, [0.0] * 10, {'relation': '>'}, 'holds'),  # by ranks: Student's t has p = 0.29
        ([1.0] * 9 + [2.0], [1.0] * 10, {'relation': '=', 'margin': 0.05}, 'open'),  # no ranks
        ([math.inf] * 3 + [1.0] * 3, [math.inf] * 6, {}, 'open'),  # seeds that never got there
        ([1.0, 1.9], [2.0, 2.0], {'every': True}, 'holds'),
        ([2.0] * 3, [math.inf, 2.0, 2.0], {'relation': '=', 'margin': 0.1}, 'open'),
        ([2.0] * 3, [math.inf] * 3, {'relation': '=', 'margin': 0.1}, 'better'),
        ([0.1], [1.0], {'plus': -0.95, 'relation': '>'}, 'open'),  # 0.3 of 1, not of 0.05
        ([1.0, 2.1], [2.0, 2.0], {'every': True}, 'fails'),
        ([-1.1, -1.11], [-2.0, -2.0], {'factor': 1.5}, 'holds'),  # half of 2 worse is -1
        ([-0.9, -0.91], [-2.0, -2.0], {'factor': 1.5}, 'fails'),
    ],
)
def test_a_verdict_looks_at_the_difference_and_its_spread(measured, than, options, verdict):
    assert judged(measured, than, **options).verdict == verdict


@pytest.mark.parametrize(('seeds', 'verdict'), [(2, 'open'), (5, 'open'), (6, 'holds')])
def test_shares_of_examples_that_are_all_alike_are_judged_by_their_signs(seeds, verdict):
    claim = Claim('words', 'source', inst.iris_linear, 'test/accuracy', '>', 0.8, seeds=seeds)
    results = {'metrics': {'test/accuracy': 0.9}, 'seconds': 1.0, 'updates': 9}
    found = judge(claim, lambda run: results, seeds, lambda *_: 0.1)
    assert (found.verdict, found.p) == (verdict, 2.0 ** (1 - seeds))


@pytest.mark.parametrize(
    ('measured', 'than', 'p'),
    [
        ((0.96, 0.97, 0.94), (0.95, 0.96, 0.93), 0.25),  # whose differences are not quite alike
        ((0.96, 0.97, 0.94), (0.96, 0.97, 0.94), 1.0),
    ],
)
@pytest.mark.parametrize('relation', ['>', '>='])
def test_accuracies_that_differ_by_as_many_examples_are_alike(measured, than, p, relation):
    claim = Claim(
        'words', 'source', inst.phasewise_classifier, 'test/accuracy', relation,
        inst.phasewise_classifier.vary(initial='random'), seeds=3,
    )  # fmt: skip

    def results(run):
        values = than if run.initial == 'random' else measured
        return {'metrics': {'test/accuracy': values[run.seed]}, 'seconds': 1.0, 'updates': 9}

    found = judge(claim, results, 3, lambda *_: 0.1)
    assert (found.verdict, found.p) == ('open', p)


def test_updates_are_the_same_for_all_seeds_but_where_patience_ends_a_run():
    assert usual.usual_deviation(inst.tied, 9, 'updates', []) == 0.0
    assert usual.usual_deviation(inst.tied.vary(patience=3), 9, 'updates', []) is None


def test_ranks_say_on_which_side_also_where_most_differences_are_none():
    ties = [0.0] * 7 + [1.0, 2.0, 3.0, 4.0, 50.0, 60.0]
    assert judged(ties, [0.0] * len(ties), '>').verdict == 'holds'
    assert judged(ties, [0.0] * len(ties), '<').verdict == 'fails'


@pytest.mark.parametrize(
    ('metric', 'relation', 'values', 'times'),
    [
        (
            'test/psnr',
            '>=',
            (30.0, 27.0),
            10**0.3,
        ),  # of the squared error, which is no quotient of dB
        ('test/mse', '<', (1.0, 2.0), 2.0),
        ('test/accuracy', '>', (0.98, 0.96), 2.0),
        ('test/mean_activation', '=', (0.3, 0.2), None),  # neither is better
    ],
)
def test_how_many_times_better_a_seed_is(metric, relation, values, times):
    claim = Claim(
        'words', 'source', inst.tied, metric, relation, 0.0, margin=0.1 * (relation == '=')
    )
    measured, bound = ({'values': [value]} for value in values)
    found = charts.margins(claim, Judgement(measured, bound, 'open', 1.0, 1))
    assert found == ([] if times is None else [pytest.approx(math.log(times))])


@pytest.mark.parametrize('metric', ['train/mse at epoch 1', 'updates until test/mse <= 0.1'])
def test_a_number_of_an_epoch_that_is_not_kept_is_refused(metric):
    with pytest.raises(UsageError, match='of each epoch only validation/'):
        Claim('words', 'source', inst.tied, metric, '<', 1.0)


@pytest.mark.parametrize('metric', ['mse', 'test/mse / mse', 'test/parameters'])
def test_a_number_that_no_run_can_have_is_refused_before_the_run(metric):
    with pytest.raises(UsageError, match='claim .words.: .*must '):
        Claim('words', 'source', inst.tied, metric, '<', 1.0)


@pytest.mark.parametrize(
    ('metric', 'signs'),
    [
        ('test/mse', ['<', '>', '>=', '<=']),
        ('test/accuracy', ['>', '<', '<=', '>=']),
        ('test/mse / train/mse', ['<', '>', '>=', '<=']),
        ('updates until validation/accuracy <= 0.9', ['<', '>', '>=', '<=']),
    ],
)
def test_a_word_takes_its_direction_from_the_table_of_metrics(metric, signs):
    words = ('better', 'worse', 'no better', 'no worse')
    made = [Claim('words', 'source', inst.tied, metric, word, inst.untied) for word in words]
    assert [claim.sign for claim in made] == signs


def test_a_word_of_a_metric_without_a_better_side_is_refused():
    with pytest.raises(UsageError, match='neither side of test/kl is better; must be <'):
        Claim('words', 'source', inst.vae, 'test/kl', 'better', inst.vae_plain)


def test_runs_are_compared_in_words_where_one_side_is_better():
    between_runs = [c for c in claims.CLAIMS if isinstance(c.than, Experiment)]
    signed = {c.metric for c in between_runs if c.relation in SIGNS}
    assert not [metric for metric in signed if metric_of(metric).better]
    assert len(between_runs) > len(signed)


def test_an_epochs_seconds_are_kept_too():
    assert metric_of('seconds at epoch 3').unit == 'seconds of updates'


def test_beginning_again_leaves_nothing_of_a_run_and_its_parents(small, tmp_path):
    head = inst.phasewise_classifier.vary(epochs=1)
    claim = Claim('words', 'aim', head, 'test/accuracy', '>', 0.5)
    place = folder.Place(runs=tmp_path / 'runs')
    made = [
        place.folder(head, inst.phasewise_classifier),
        place.folder(head.lineage(), inst.phasewise),
        tmp_path / 'runs/tied/mnist-seed0',
    ]
    for each in made:
        each.mkdir(parents=True)
        (each / 'results.json').write_text('{}')
    assert fill._forgotten([claim], place, book.PROJECT) == [head]
    assert [(each / 'results.json').exists() for each in made] == [False, False, True]
    (made[1] / 'results.json').write_text('{}')
    control = dataclasses.replace(claim, experiment=head.vary(initial='random'))
    fill._forgotten([control], place, book.PROJECT)
    assert (made[1] / 'results.json').exists()  # which a control does without


def test_charts_of_sources_that_begin_alike_are_two_files():
    own = book.beside('mine.py')
    names = ('My own question about widths', 'My own question about depths', 'Мой', 'Наш')
    assert len({page.chart_of(name, own) for name in names}) == 4
    sources = page.sections(claims.CLAIMS)
    assert len({page.chart_of(name) for name in sources}) == len(sources)


def test_a_test_is_students_t_or_where_differences_are_not_gaussian_of_their_ranks():
    draws = [0.3, -0.1, 0.5, 0.2, 0.4]
    assert judged(draws, [0.0] * 5).p == pytest.approx(stats.ttest_1samp(draws, 0.0).pvalue)
    assert judged(STEADY, [0.0] * 10).p == pytest.approx(2 / 2**10)  # ten of ten are positive
    alone = judged([1.0], [2.0])
    assert alone.p is None and alone.reach == pytest.approx(3 * 0.1 * math.hypot(1.0, 2.0))
    assert judged([1.0], [1.0], relation='=', margin=0.5).reach is None


def test_the_deviation_of_a_kind_is_what_nine_in_ten_of_its_runs_stay_below():
    def run(name, width, seed, accuracy, updates=500):
        decisive = {'hidden': [width], 'seed': seed, 'parent': {'seed': seed}}
        metrics = {'test/accuracy': accuracy, 'test/psnr': 20 + 10 * accuracy}
        words = {'experiment': name, 'data': 'd', 'decisive': decisive, 'metrics': metrics}
        return words | {'updates': updates}

    def found(experiment, kept, updates=500, metric='test/accuracy'):
        return usual.usual_deviation(experiment, updates, metric, usual.alike(kept))

    heads = [
        run('phasewise_classifier', width, seed, 0.9 + 0.001 * width * (seed - 1))
        for width in range(1, 11)
        for seed in range(3)
    ]
    few = [run('phasewise_classifier', 99, seed, 0.5 + 0.1 * seed) for seed in range(2)]
    short = [
        run('phasewise_classifier', width, seed, 0.5 + 0.1 * seed, 10)
        for width in (96, 97, 98)
        for seed in range(3)
    ]
    kept = heads + few + short
    assert found(inst.phasewise_classifier, kept) == pytest.approx(0.01 * 10)  # of errors of 0.1
    assert found(inst.phasewise_classifier, kept, 20) == pytest.approx(0.1 / 0.4)  # of as short
    alone = heads + short[:3]  # which say too little of runs as short
    assert found(inst.phasewise_classifier, alone, 20) == pytest.approx(0.1)
    assert found(inst.tied, heads) == pytest.approx(0.1)  # no such network is there
    assert found(inst.tied, heads[:3]) == pytest.approx(0.01)  # and of others one run is enough
    assert found(inst.phasewise_classifier, heads, metric='test/psnr') == pytest.approx(0.1)  # dB
    assert found(inst.phasewise_classifier, few) is None


def test_seeds_of_other_data_tell_where_few_of_the_same_do_and_then_the_greater_counts():
    def runs(name, data, spread, widths=(1,)):
        return [
            {
                'experiment': name, 'data': data, 'updates': 500, 'metrics': {'test/psnr': psnr},
                'decisive': {'dataset': data, 'seed': seed, 'hidden': [width]},
            }
            for width in widths
            for seed, psnr in enumerate((20.0, 20.0 + spread, 20.0 - spread))
        ]  # fmt: skip

    def found(*kept):
        groups = usual.alike([run for runs in kept for run in runs])
        return usual.usual_deviation(inst.conv_vae_cifar, 500, 'test/psnr', groups)

    digits = runs('conv_transpose', 'mnist', 0.1, (1, 2, 3))
    dense = runs('tied', 'cifar10', 0.3)
    assert found(digits) == pytest.approx(0.1)  # such networks, on other data
    assert found(dense) == pytest.approx(0.3)  # other networks, on these data
    assert found(dense, runs('tied', 'iris', 0.5)) == pytest.approx(0.5)  # and none of the kind
    assert found(digits, dense) == pytest.approx(0.3)
    assert found(digits, runs('tied', 'cifar10', 0.05)) == pytest.approx(0.1)
    same = runs('conv_ae_cifar', 'cifar10', 0.02, (4, 5, 6))
    assert found(digits, dense, same) == pytest.approx(0.02)
    assert found(runs('tied', 'iris', 0.4)) == pytest.approx(0.4)  # neither: any network


def test_rates_are_those_of_benjamini_and_hochberg():
    made = [Claim(f'{p}', 'source', inst.tied, 'test/mse', '<', 1.0) for p in (0.01, 0.02, 0.5)]
    found = {claim: Judgement({}, {}, 'holds', 1.0, 3, float(claim.words)) for claim in made}
    assert [*false_discovery_rates(found).values()] == pytest.approx([0.03, 0.03, 0.5])


def test_no_rate_is_said_of_what_was_asked_when_its_figures_could_be_seen():
    made = [
        Claim(f'{p}', 'source', inst.tied, 'test/mse', '<', 1.0, note=note)
        for p, note in ((0.01, ''), (0.02, f'rates; {AFTER}'), (0.03, MARGIN), (0.5, 'rates'))
    ]
    made.append(dataclasses.replace(made[0], words='0.04', seen=True))
    found = {claim: Judgement({}, {}, 'holds', 1.0, 3, float(claim.words)) for claim in made}
    rates = {claim.words: q for claim, q in false_discovery_rates(found).items()}
    assert rates == {'0.01': pytest.approx(0.02), '0.5': pytest.approx(0.5)}


def test_runs_of_other_data_than_most_of_a_claim_are_not_used(monkeypatch):
    def others(*digests):
        count = len(digests) // 2
        claim = Claim('words', 'source', inst.tied, 'test/mse', '<', inst.untied, seeds=count)
        kept = dict(zip(map(store.key, claim.runs()), digests, strict=True))
        monkeypatch.setattr(fill, '_found', lambda run, _: {'data': kept[store.key(run)]})
        return [(run.name, run.seed) for run in fill.on_other_data(claim)]

    assert others('new', 'new') == []
    assert others('new', 'old', 'new', 'new') == [('untied', 0)]
    assert others('old', 'new') == [('tied', 0), ('untied', 0)]  # which is today's is not known


def test_what_is_said_of_a_section_is_of_its_claims_alone():
    def made(words, seeds, p):
        claim = Claim(words, 'source', inst.tied, 'test/mse', '<', 1.0, seeds=seeds)
        return claim, Judgement({}, {}, 'holds', 1.0, seeds, p)

    several = dict(made(f'{i}', 3, 0.001) for i in range(20))
    alone = dict(made(f'alone {i}', 1, None) for i in range(4))
    said = page.summary([*several], several | alone)
    assert said.startswith('20 claims: 20 holds.') and said.endswith('of 0 decided by one seed.')
    said = page.summary([*several, *alone], several | alone)
    assert said.endswith('of 4 decided by one seed.')


def test_a_row_says_the_data_and_how_far_a_single_seed_must_be_to_decide():
    claim = Claim(
        'words', inst.GERON, inst.phasewise_classifier, 'test/accuracy', '>', 0.5, seeds=3, plus=0.1
    )
    measured, bound = ({'mean': x, 'least': x, 'most': x} for x in (0.9, 0.6))
    found = {claim: Judgement(measured, bound, 'holds', 7.0, 1, reach=0.0123)}
    row = '| words | `mnist` | `--experiment=phasewise_classifier` | accuracy 90.00% | > 60.00% | holds |'
    assert f'{row}  | 1 of 3 (1.23 points) | 7 |' in page.markdown([claim], found)


def test_a_metric_may_be_a_quotient_or_of_an_epoch_and_one_that_is_not_there_is_named():
    history = {
        'phase': ['one', 'one', 'one', 'two', 'two'],
        'epoch': ['1', '2', '3', '1', '2'],
        'step': ['10', '20', '30', '40', '50'],
        'seconds': ['1.5', '2', '3', '4', '8'],
        'validation/mse': ['9', '5', '6', '4', '3'],
    }
    results = {'experiment': 'tied', 'metrics': {'test/mse': 3.0, 'train/mse': 2.0}, 'seconds': 7}
    results['history'] = history
    assert value_of(results, 'validation/mse at epoch 1') == 4.0
    assert value_of(results, 'seconds until validation/mse <= 5.5') == 3.5
    assert value_of(results, 'updates until validation/mse <= 5.5') == 20
    assert value_of(results, 'seconds until validation/mse <= 1') == float('inf')
    assert value_of(results, 'test/mse / train/mse') == 1.5 and value_of(results, 'seconds') == 7
    with pytest.raises(KeyError, match='at epoch 3: not among'):  # the last phase has but two
        value_of(results, 'validation/mse at epoch 3')
    with pytest.raises(KeyError, match='test/ms: not among the results of tied'):
        value_of(results, 'test/ms')


def test_a_key_names_what_decides_a_run_and_nothing_else():
    key = store.key(inst.phasewise_classifier)
    assert key == store.key(inst.phasewise_classifier.vary('other', description='words'))
    assert key != store.key(inst.phasewise_classifier.vary(seed=1))
    assert key != store.key(inst.phasewise_classifier.vary(parent=inst.phasewise.vary(l2=0.0)))
    assert store.key(inst.conv_vae_cifar) == store.key(inst.conv_vae_cifar_l1)
    assert 'corruption' not in store.decisive(inst.tied)  # as any field that comes later
    assert store.key(inst.tied) == store.key(inst.tied.vary(activation='elu'))


def test_every_claim_is_about_runs_of_the_catalogue():
    for claim in claims.CLAIMS:
        for experiment in claim.experiments():
            assert experiment.name in inst.EXPERIMENTS, claim
    assert len({c.words + page.said(c.experiment) + c.metric for c in claims.CLAIMS}) == len(
        claims.CLAIMS
    )


def test_what_is_kept_is_what_the_claims_can_be_judged_by():
    """Of what is in results/: keys that are those of the runs named, and claims that are judged."""
    kept = store.all_kept()
    needed = {store.key(run) for claim in claims.CLAIMS for run in claim.runs()}
    assert kept and all(run['seconds'] > 0 for run in kept.values())
    assert set(kept) <= needed, 'no claim needs them any more'


def test_the_page_of_the_project_is_that_of_what_is_kept(monkeypatch):
    monkeypatch.chdir(ROOT)
    written = (ROOT / 'RESULTS.md').read_text()
    assert page.markdown(claims.CLAIMS, fill.judgements(claims.CLAIMS)) == written


@pytest.fixture
def small(digits, monkeypatch, tmp_path):
    """Two small claims in place of all, in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    tied = inst.tied.vary(dataset='array', data_path=str(digits), hidden=(8, 4), epochs=1)
    untied = inst.untied.vary(dataset='array', data_path=str(digits), hidden=(8, 4), epochs=1)
    made = (
        Claim('half of it', 'somebody', tied, 'parameters', '<=', untied, factor=0.6, seeds=2),
        Claim('no error', 'aim', tied, 'test/mse', '<=', 0.0),
    )
    monkeypatch.setattr(claims, 'CLAIMS', made)
    return made


def test_results_trains_what_is_missing_and_report_rebuilds_the_page(main, small, tmp_path):
    code, out, err = main('--mode=report')
    assert code == 0 and '2 claims: 2 not yet measured' in out, err
    code, out, err = main('--mode=results')
    assert code == 0 and '4 runs are missing' in out and '4/4 untied' in out, err
    assert '2 claims: 1 holds, 1 open' in out and 's left' in out
    assert r'\n' not in (tmp_path / 'RESULTS.html').read_text()
    text = (tmp_path / 'RESULTS.md').read_text()
    assert '| half of it (somebody) |' in text and '| no error (aim) |' in text
    assert len(store.all_kept()) == 4
    held = store.find(small[0].than.vary(seed=1))
    (folder,) = tmp_path.glob('runs/untied/*-seed1-*')
    assert held['metrics'] == results_of(folder)['metrics']
    assert held['history']['epoch'] == ['1'] and 'validation/mse' in held['history']
    code, out, err = main('--mode=results')
    assert code == 0 and 'all runs are there' in out, err

    code, out, err = main('--mode=results', '--restart', '--experiment=untied')
    assert code == 0 and '4 runs are begun again; the same without --restart goes on' in out, err
    assert '4/4 untied' in out and len(store.all_kept()) == 4

    code, out, err = main('--mode=report', '--experiment=untied')
    assert code == 0 and 'open: no error' not in out, err
    assert 'holds: half of it: parameters ' in out and ' wanted <= 0.6 times untied' in out

    shutil.rmtree(tmp_path / 'results')
    (tmp_path / 'RESULTS.md').unlink()
    config = folder / 'config.json'
    changed = json.loads(config.read_text())
    changed['experiment']['epochs'] = 9
    config.write_text(json.dumps(changed))
    code, out, err = main('--mode=report')
    assert code == 0 and 'another configuration, which is not taken' in out, err
    assert '2 claims: 1 holds, 1 open' in out
    assert len(store.all_kept()) == 3


def test_the_page_of_somebody_else_is_left_as_it_is(main, small, tmp_path):
    (tmp_path / 'RESULTS.md').write_text('# Results\n\nmine')
    code, _, err = main('--mode=report')
    assert code == 2 and 'RESULTS.md: is no page of results, and would be replaced' in err
    assert (tmp_path / 'RESULTS.md').read_text() == '# Results\n\nmine'
    (tmp_path / 'RESULTS.md').unlink()
    assert main('--mode=report')[0] == main('--mode=report')[0] == 0
    assert 'wanted <= 0.6 times untied' in main('--mode=report', '--experiment=tied')[1]


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        (('--experiment=phasewize',), "no claim is about it; did you mean 'phasewise'?"),
        (('--set=epochs=3',), '--set has no effect with --mode=results'),
        (('--dataset=mnist5k',), '--dataset has no effect with --mode=results'),
        (('--seed=0',), '--seed has no effect with --mode=results'),
    ],
)
def test_what_the_ledger_is_not_asked_is_one_line(main, tmp_path, monkeypatch, flags, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = main('--mode=results', *flags)
    assert code == 2 and words in err and len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())
