"""Runs side by side: what differs, which is the best, curves, and folders that are no good."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

import inst
from inference import curves, runs
from reports import comparison, recorded, side_by_side
from system.errors import UsageError

SMALL = inst.phasewise.vary(dataset='mnist5k', epochs=2)
HEADER = 'phase,epoch,step,seconds,examples_per_second,train/phase1/mse,validation/phase1/mse\r\n'
ROWS = 'phase1,1,5,0.1,10,0.5,0.4\r\nphase1,2,10,0.1,10,0.2,0.3\r\n'


def made(folder: Path, experiment=SMALL, digest='d1', seconds=1.5, **scores: float) -> Path:
    """Makes a run's folder by hand; without scores, of a run that is not finished."""
    folder.mkdir(parents=True)
    config = {'experiment': experiment.resolved(), 'data': {'digest': digest}}
    (folder / 'config.json').write_text(json.dumps(config))
    (folder / 'metrics.csv').write_text(HEADER + ROWS)
    if scores:
        found = {'metrics': {f'test/{n}': v for n, v in scores.items()}, 'seconds': seconds}
        (folder / 'results.json').write_text(json.dumps(found))
    return folder


@pytest.fixture
def four(tmp_path) -> Path:
    """A folder of finished runs, three seeds and one of other widths, and of one unfinished."""
    root = tmp_path / 'made'
    for seed, mse in enumerate((0.1, 0.2, 0.3)):
        made(root / f'seed{seed}', SMALL.vary(seed=seed), mse=mse, accuracy=0.5)
    made(root / 'wide', SMALL.vary(hidden=(500, 250)), mse=0.05, accuracy=0.25)
    made(root / 'begun')
    return root


def cells(out: str, name: str) -> list[str]:
    """Returns the cells of the first row of that name."""
    line = re.search(rf'^{re.escape(name)}  +(.*)$', out, re.M)
    return re.split('  +', line[1])


def test_what_differs_and_the_best_of_each_score_are_shown(main, four):
    code, out, err = main('--mode=compare', str(four))
    assert code == 0, err
    assert cells(out, 'hidden') == ['300,150', '300,150', '300,150', '500,250']
    assert cells(out, 'test/mse') == ['less', '0.1', '0.2', '0.3', '0.05*']
    assert cells(out, 'test/accuracy') == ['greater', '0.5*', '0.5*', '0.5*', '0.25']
    assert cells(out, 'seconds') == ['less', '1.5', '1.5', '1.5', '1.5']  # of equals none is best
    assert 'tied' not in out and '(* the best)' in out
    assert f'{four}/begun: not finished' in out and 'begun (' not in out


def test_the_files_have_what_the_screen_has(main, four, tmp_path):
    code, out, err = main('--mode=compare', str(four))
    assert code == 0, err
    (folder,) = (tmp_path / 'runs' / 'comparison').iterdir()
    assert str(folder) in out
    frame = pd.read_csv(folder / 'comparison.csv')
    assert frame['test/mse'].tolist() == [0.1, 0.2, 0.3, 0.05] and frame['seed'].nunique() == 3
    plain = json.loads((folder / 'comparison.json').read_text())
    assert plain['scores']['test/mse']['best'] == [4] and plain['figure'] == 'curves.png'
    seeds = pd.read_csv(folder / 'seeds.csv')
    assert seeds['test/mse'].tolist() == [pytest.approx(0.2)] and seeds['seeds'].tolist() == [3]
    assert {*os.listdir(folder)} - {'.lock'} == {
        'comparison.csv', 'comparison.json', 'seeds.csv', 'curves.png', 'comparison.html'
    }  # fmt: skip
    assert main('--mode=compare', f'{four}/*d*', '--nofigures')[0] == 0  # the same four
    assert not (folder / 'curves.png').exists()


def test_mean_and_deviation_are_over_seeds(four):
    found = comparison.of([four])
    (row,) = (row for row in found.over_seeds if row.name == 'test/mse')
    assert found.seeds == ((0, 1, 2),)
    assert row.values[0] == pytest.approx((0.2, 0.1))
    assert cells(side_by_side.text(found, 100), 'mean +- deviation') == ['better', 'runs 1-3']
    assert '0.2 +- 0.1' in side_by_side.text(found, 100)


def test_errors_in_other_units_are_not_compared():
    def one(standardize, loss='gaussian'):
        fields = {'standardize': standardize, 'loss': loss}
        return recorded.Recorded(Path(), fields, 'digest', True, {})

    for name, pair, best in (
        ('test/mse_standardized', (one('min_max'), one('mean_std')), [False, False]),
        ('test/mse_standardized', (one('min_max'), one('min_max')), [True, False]),
        ('test/nll', (one('min_max'), one('min_max', 'laplace')), [False, False]),
        ('test/mse', (one('min_max'), one('mean_std')), [True, False]),
    ):
        units = comparison._units(name, pair)
        assert [*comparison._best(name, [1.0, 2.0], units)] == best


def test_no_baseline_is_the_best_of_a_run(tmp_path):
    data = ['d', 'd']
    for name in ('test/pca_mse', 'test/separation_pixels', 'test/jpeg10_psnr', 'test/copy_mse'):
        assert comparison._best(name, [1.0, 2.0], data) == (False, False)
    assert comparison._best('test/mean_activation', [1.0, 2.0], data) == (False, False)  # neither
    for name in ('test/mse', 'pca_angle_degrees', 'test/checkerboard'):
        assert comparison._best(name, [1.0, 2.0], data) == (True, False)


def test_a_parents_fields_and_those_of_a_kind_alone(tmp_path):
    head = inst.phasewise_classifier.vary(dataset='mnist5k', parent=SMALL)
    made(tmp_path / 'a', head, accuracy=0.9)
    made(tmp_path / 'b', head.vary(**{'parent.hidden': (40,)}), accuracy=0.8)
    made(tmp_path / 'c', SMALL, mse=0.1)
    fields = {row.name: row.values for row in comparison.of([tmp_path]).fields}
    assert fields['parent.hidden'] == ('300,150', '40', None)
    assert fields['experiment'][2] == 'phasewise' and 'head' not in fields


def test_scores_are_compared_on_the_same_data_alone(main, four):
    made(four / 'other', SMALL, digest='d2', mse=0.001)
    code, out, _ = main('--mode=compare', str(four))
    assert code == 0 and 'warning: the runs are on different data' in out
    assert cells(out, 'data') == ['d2', 'd1', 'd1', 'd1', 'd1']
    assert cells(out, 'test/mse') == ['less', '0.001', '0.1', '0.2', '0.3', '0.05*']


def test_curves_are_in_one_figure_those_of_an_unfinished_run_too(main, four, drawn):
    code, out, err = main('--mode=compare', str(four / 'begun'), str(four))
    assert code == 0, err
    assert 'begun: not finished, and without scores' in out and 'begun (no scores)' in out
    (panel,) = drawn['curves'].axes
    assert panel.get_title() == 'phase1: mse' and len(panel.lines) == 5 * 2
    assert [line.get_linestyle() for line in panel.lines[:2]] == ['-', '--']
    assert panel.lines[0].get_ydata().tolist() == [0.5, 0.2]
    words = [text.get_text() for text in drawn['curves'].legends[0].texts]
    assert words == ['1: begun (and 2-4)', '5: wide', 'train', 'validation']
    assert len({line.get_color() for line in panel.lines}) == 2  # a colour a configuration


def test_of_many_runs_some_are_shown_and_all_are_written(main, tmp_path, drawn):
    for number in range(1, 31):
        rate = SMALL.vary(learning_rate=number / 1000)
        made(tmp_path / f'made/rate{number}', rate, mse=1 - number / 100)
    code, out, err = main('--mode=compare', str(tmp_path / 'made'))
    assert code == 0, err
    assert out.startswith('30 runs, 20 of them here') and '30  rate30\n' in out
    assert 'rate19\n' in out and 'rate25\n' not in out  # the first, beside the best
    assert max(map(len, out.splitlines()[:-1])) <= 100
    (file,) = tmp_path.glob('runs/comparison/*/comparison.csv')
    assert len(pd.read_csv(file)) == 30
    assert '20 of 30 runs' in drawn['curves'].get_suptitle()
    looks = {(x.get_color(), x.get_marker()) for x in drawn['curves'].axes[0].lines}
    assert len(looks) == 20


def test_names_are_as_long_as_tells_them_apart(tmp_path):
    folders = [made(tmp_path / name, mse=0.1) for name in ('a/x/run', 'b/x/run', 'b/other')]
    assert comparison.of(folders).names == ('a/x/run', 'b/x/run', 'other')


def test_a_run_counts_once_by_whatever_path(main, four):
    (four / 'link').symlink_to(four / 'wide')
    (four / 'loop').symlink_to(four)
    wide = str(four / 'wide')
    code, out, _ = main('--mode=compare', wide, str(four / 'link'), f'{wide}/', str(four), wide)
    assert code == 0 and '\n4 runs\n' in out
    assert out.splitlines()[0].endswith('named before; it counts once')
    assert main('--mode=compare', f'{four}/seed[01]')[1].startswith('2 runs\n')


@pytest.mark.parametrize(
    ('places', 'words'),
    [
        ((), 'name two runs or more'),
        (('wide',), 'needs two runs or more, and'),
        (('wide', 'wide'), 'named before'),
        (('wide', 'begun/metrics.csv'), 'no run there'),
        (('wide', 'nowhere'), 'nowhere: there is no such folder'),
        (('nowhere*',), 'nothing matches this pattern'),
        (('wide', 'seed0', '--seed=1'), '--seed has no effect with --mode=compare'),
        (('wide', 'seed0', '--runs=wide/config.json'), 'name another place with --runs'),
    ],
)
def test_what_cannot_be_compared_is_one_line(main, four, monkeypatch, places, words):
    monkeypatch.chdir(four)
    code, _, err = main('--mode=compare', *places)
    assert code == 2 and words in err and err.count('\n') == 1


def edited(old: str, new: str):
    """Returns what replaces words in metrics.csv."""

    def edit(folder: Path) -> None:
        text = (folder / 'metrics.csv').read_text()
        assert old in text
        (folder / 'metrics.csv').write_text(text.replace(old, new))

    return edit


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (lambda f: (f / 'results.json').write_text('{"metrics"'), '(not JSON); scores are left'),
        (lambda f: (f / 'results.json').write_text('[]'), 'not an object of JSON'),
        (lambda f: (f / 'results.json').write_text('{"metrics": {"a": NaN}}'), 'NaN or infinity'),
        (
            lambda f: (f / 'config.json').write_text('[' * 100_000),
            '(not JSON); the run is left out',
        ),
        (lambda f: (f / 'config.json').write_text('{}'), 'not the configuration of a run'),
        (lambda f: (f / 'config.json').unlink(), 'no run there'),
        (lambda f: (f / 'metrics.csv').unlink(), 'not there yet; without curves'),
        (lambda f: (f / 'metrics.csv').write_bytes(b'\xff\0'), 'curves are left out'),
        (lambda f: (f / 'metrics.csv').write_text(''), 'without curves'),
        (edited('0.5', 'about half'), "line 2: train/phase1/mse is 'about half'); curves are left"),
        (edited('phase1,2', f'phase1,{10**400}'), "line 3: epoch is '1000"),
        (edited(',', ';'), 'its columns are not phase, epoch'),
        (lambda f: shutil.move(f, f.with_name('\x1b[31mred\n')), 'x1b[31mred\\n'),
    ],
)
def test_what_is_damaged_is_one_line_and_the_others_are_compared(main, four, drawn, damage, words):
    damage(four / 'seed1')
    code, out, err = main('--mode=compare', *map(str, four.iterdir()))
    assert code == 0, err
    assert words in out and '\x1b' not in out and len(out.splitlines()) < 40
    assert {'0.1', '0.3', '0.05*'} <= {*cells(out, 'test/mse')}


def test_values_that_cannot_be_drawn_are_gaps(main, four, draws):
    edited('0.5', '1.7e308')(four / 'seed0')
    edited('0.2', '-1.7e308')(four / 'seed0')
    edited('0.5', 'inf')(four / 'seed1')
    code, out, err = main('--mode=compare', str(four))
    assert code == 0 and 'has it as a page' in out and not err, err


def test_a_file_that_excel_saved_or_a_run_still_writes_is_read(four):
    file = four / 'seed0' / 'metrics.csv'
    file.write_text('\ufeff' + HEADER + ROWS + 'phase1,3,1')
    assert len(curves(four / 'seed0')) == 4


def test_a_comparison_needs_neither_tensorflow_nor_scikit_learn(four, tmp_path):
    code = (
        f'import sys, main; code = main.main(["", "--mode=compare", {str(four)!r}, '
        f'"--runs={tmp_path}/out"]); print(code, {{"tensorflow", "sklearn"}} & {{*sys.modules}})'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == '0 set()', done.stderr
    assert next(tmp_path.glob('out/comparison/*/curves.png')).stat().st_size > 10_000
    page = next(tmp_path.glob('out/comparison/*/comparison.html')).read_text()
    assert all(words in page for words in ('seed0', 'test/mse', '0.05*', 'Over seeds', '<img '))


def test_runs_are_a_frame(four):
    frame = runs(four)
    assert frame['finished'].tolist() == [False, True, True, True, True]
    assert frame.groupby('hidden')['test/mse'].mean().tolist() == pytest.approx([0.2, 0.05])
    assert frame['run'][0] == str(four / 'begun') and pd.isna(frame['test/mse'][0])
    assert frame.columns[:6].tolist() == [
        'run', 'experiment', 'dataset', 'seed', 'precision', 'finished'
    ]  # fmt: skip
    (four / 'wide' / 'results.json').write_text('{')
    with pytest.warns(UserWarning, match='not JSON.; scores are left out'):
        runs(four / 'wide')


def test_curves_are_a_long_frame(four):
    frame = curves(four / 'seed0', four / 'seed1')
    last = frame[frame['epoch'] == 2].pivot(index='seed', columns='split', values='value')
    assert last.to_dict('list') == {'train': [0.2, 0.2], 'validation': [0.3, 0.3]}
    assert set(frame['score']) == {'phase1/mse'} and set(frame['phase']) == {'phase1'}


def test_frames_say_what_is_missing(four, monkeypatch):
    with pytest.raises(UsageError, match='no runs there'):
        runs(four / 'wide' / 'metrics.csv')
    monkeypatch.setitem(sys.modules, 'pandas', None)
    with pytest.raises(UsageError, match='pip install pandas'):
        runs(four)


def test_the_lines_that_the_page_gives_for_pandas_load_these_files(four, monkeypatch):
    text = (ROOT / 'docs' / 'running.md').read_text()
    lines = re.findall(r'^(\w+) = (pd\.\w+\(.*\))', text, re.M)
    assert len(lines) == 5
    monkeypatch.chdir(four)
    (four / 'RUN').symlink_to('wide')
    (four / 'results').symlink_to(ROOT / 'results')
    found: dict = {}
    for name, line in lines:
        found[name] = eval(line, {'pd': pd, 'json': json}, found)
    assert found['scores']['metrics.test/mse'].tolist() == [0.05]
    assert found['epochs']['validation/phase1/mse'].tolist() == [0.4, 0.3]
    assert found['fields']['experiment.learning_rate'].tolist() == [SMALL.learning_rate]
    with open(ROOT / 'results' / 'runs.jsonl') as opened:
        assert len(found['ledger']) == len(found['metrics']) == sum(1 for _ in opened)
    assert found['metrics']['test/mse'].notna().any()
