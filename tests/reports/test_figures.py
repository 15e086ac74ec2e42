"""What figures show: series as lines, tables by feature, splits by name, labels side by side."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, results_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from inputs.rows import Rows
from reports import features, figures
from reports.distributions import _edges, distributions
from reports.drawing import some_of_each

ROWS = [
    {'phase': f'phase{phase}', 'epoch': f'{epoch}', 'train/mse': f'{phase / epoch**2}'}
    for phase in (1, 2)
    for epoch in range(1, 30)
]
TINY = ('--set=hidden=4', '--set=epochs=1', '--set=steps_per_epoch=2')


def words_of(figure) -> str:
    """Returns the title of a figure, or of its first panel."""
    return figure.get_suptitle() or figure.axes[0].get_title()


def lines_of(panel) -> dict[str, np.ndarray]:
    """Returns a panel's lines by their labels, [steps, 2]."""
    return {line.get_label(): line.get_xydata() for line in panel.lines}


@pytest.fixture
def waves(tmp_path):
    """A file of 40 sequences of two features, of 5 to 12 steps; returns (file, x, length)."""
    generator = np.random.default_rng(0)
    x = np.sin(np.arange(12) * generator.uniform(0.2, 1, (40, 2, 1))).transpose(0, 2, 1)
    length = generator.integers(5, 13, 40)
    np.savez(tmp_path / 'waves.npz', x=x.astype(np.float32), length=length)
    return tmp_path / 'waves.npz', x.astype(np.float32), length


def test_a_file_has_the_pixels_of_a_tight_box(draws, tmp_path):
    """With scales in powers of ten, a colour bar, words beside the panels."""
    generator = np.random.default_rng(0)
    codes, labels = generator.standard_normal((40, 3)), np.arange(40) % 3
    counts = generator.random((40, 3))

    def made():
        yield figures.loss_curves(ROWS, 'losses')
        yield figures.confusion(labels, counts, ('a', 'b', 'c'), 'guesses')
        yield figures.latent(codes, labels, ('a', 'b', 'c'), 'codes')

    for one, other in zip(made(), made(), strict=True):
        figures.save(one, tmp_path / 'one.png')
        figures.legible(other)
        other.savefig(tmp_path / 'other.png', dpi=110, bbox_inches='tight')
        with Image.open(tmp_path / 'one.png') as found, Image.open(tmp_path / 'other.png') as want:
            assert np.array_equal(np.asarray(found), np.asarray(want))


def test_series_are_drawn_as_lines_over_the_steps_that_count(main, waves, drawn):
    file, x, length = waves
    flags = (f'--array={file}', '--set=output_activation=linear', *TINY)
    code, _, err = main('--experiment=lstm_reconstruct', '--set=parts=1', *flags)
    assert code == 0, err
    assert 'latent_pictures' not in drawn
    panels = np.reshape(drawn['sequences'].axes, (2, -1))
    for feature, row in enumerate(panels):
        assert row[0].get_ylabel() == f'feature {feature}'
        for panel in row:
            lines = lines_of(panel)
            (which,) = np.flatnonzero(
                [np.array_equal(lines['fed'][:, 1], s[:n, feature])
                 for s, n in zip(x, length, strict=True)]
            )  # fmt: skip
            assert len(lines['reconstructed']) == len(lines['fed']) == length[which]


def test_what_follows_a_series_is_drawn_after_it(main, waves, tmp_path, drawn):
    np.savez(tmp_path / 'whole.npz', x=waves[1])
    flags = (
        f'--array={tmp_path}/whole.npz',
        '--set=future=3',
        '--set=output_activation=linear',
        *TINY,
    )
    code, _, err = main('--experiment=lstm_composite', '--set=parts=1', *flags)
    assert code == 0, err
    lines = lines_of(drawn['sequences'].axes[0])
    assert lines['fed'][-1, 0] == lines['reconstructed'][-1, 0] == 9
    assert lines['what follows'][:, 0].tolist() == lines['predicted'][:, 0].tolist() == [10, 11, 12]


@pytest.mark.slow
def test_errors_by_step_are_of_the_sequences_that_have_the_step(main, waves, tmp_path, drawn):
    """The 32 sequences trained on have 9 steps at most, the 4 tested 10, 10, 8 and 5, of 12."""
    x, length = waves[1], np.minimum(waves[2], 9)
    length[:5] = 9, 10, 10, 8, 5
    length[5:9] = 12
    split = np.array(['train', *['test'] * 4, *['validation'] * 4, *['train'] * 31])
    np.savez(tmp_path / 'uneven.npz', x=x, length=length, split=split)
    flags = (f'--array={tmp_path}/uneven.npz', '--set=output_activation=linear', *TINY)
    code, _, err = main('--experiment=lstm_reconstruct', '--set=parts=1', *flags)
    assert code == 0, err
    errors, counts = drawn['error_by_step'].axes
    ends = {label: np.isfinite(line[:, 1]).sum() for label, line in lines_of(errors).items()}
    assert ends == {'network': 10, 'mean sequence': 9, 'last frame again': 10}
    assert counts.get_ylabel() == 'sequences'
    (bars,) = counts.patches
    assert bars.get_data().values.tolist() == [4] * 5 + [3] * 3 + [2] * 2 + [0] * 2


@pytest.mark.slow
def test_sequences_of_one_length_need_no_count_of_those_that_have_a_step(main, waves, drawn):
    np.savez(waves[0], x=waves[1])
    flags = (f'--array={waves[0]}', '--set=output_activation=linear', *TINY)
    code, _, err = main('--experiment=lstm_reconstruct', '--set=parts=1', *flags)
    assert code == 0, err
    assert len(drawn['error_by_step'].axes) == 1


def test_of_many_features_those_that_vary_most_are_drawn():
    x = np.random.default_rng(0).normal(0, 2.0 ** np.arange(20), (1, 30, 20))
    figure = features.series(x, {'': x}, None, None, 'title')
    assert [panel.get_ylabel() for panel in figure.axes] == [f'feature {i}' for i in range(14, 20)]
    assert '6 of 20 features' in words_of(figure)


def test_a_table_is_drawn_by_feature(main, tmp_path, drawn):
    x = np.random.default_rng(0).normal(0, np.arange(1, 31), (60, 30)).astype(np.float32)
    np.savez(tmp_path / 'table.npz', x=x)
    flags = ('--set=epochs=1', '--set=hidden=5', f'--array={tmp_path}/table.npz')
    code, _, err = main('--experiment=basic', *flags)
    assert code == 0, err
    (panel,) = drawn['features'].axes
    heights = [bar.get_height() for bar in panel.patches]
    numbers = [int(label.get_text()) for label in panel.get_xticklabels()]
    assert heights == sorted(heights, reverse=True) and sorted(numbers) == list(range(30))
    assert numbers.index(29) < numbers.index(0)  # the larger the variance, the larger the error


def table(folder, tested: int = 40) -> tuple:
    """Writes 100 rows of 15 features, of deviations from 0.01 to 1,000, but the last is constant.

    The last rows are those tested. Returns (file, rows trained on, rows tested).
    """
    x = np.random.default_rng(0).normal(5, np.geomspace(0.01, 1000, 15), (100, 15))
    x[:, -1] = 0.1
    split = np.repeat(['train', 'validation', 'test'], [90 - tested, 10, tested])
    np.savez(folder / 'table.npz', x=x.astype(np.float32), split=split)
    return folder / 'table.npz', x[: 90 - tested], x[100 - tested :]


def marks_of(panel) -> np.ndarray:
    """Returns the marks of the training mean in a panel of features, by their numbers, [15]."""
    marks = lines_of(panel)['error of the training mean'][:, 1]
    numbers = [int(label.get_text()) for label in panel.get_xticklabels()]
    return marks[np.argsort(numbers)]


def test_features_stand_beside_the_mean_of_what_was_trained_on(main, tmp_path, drawn):
    """Of two tested rows their own mean would be off by half of the variance."""
    file, train, test = table(tmp_path, tested=2)
    code, _, err = main('--experiment=basic', *TINY, f'--array={file}')
    assert code == 0, err
    (panel,) = drawn['features'].axes
    wanted = np.mean((test - train.mean(axis=0)) ** 2, axis=0)
    assert np.allclose(marks_of(panel), wanted, rtol=1e-3, atol=1e-12)
    assert panel.get_yscale() == 'log' and not panel.patches  # no bar has a length there


@pytest.mark.parametrize('kind', ['mean_std', 'min_max'])
def test_features_of_a_network_that_standardises_are_in_its_units(kind, main, tmp_path, drawn):
    file, train, test = table(tmp_path)
    run = ('--experiment=basic', *TINY, f'--array={file}', f'--run_dir={tmp_path}/run')
    code, _, err = main(*run, f'--set=standardize={kind}')
    assert code == 0, err
    (panel,) = drawn['features'].axes
    scale = train.std(axis=0) if kind == 'mean_std' else np.ptp(train, axis=0)
    scale[-1] = 1  # of what is constant
    wanted = np.mean(((test - train.mean(axis=0)) / scale) ** 2, axis=0)
    assert np.allclose(marks_of(panel), wanted, rtol=1e-3, atol=1e-12)
    assert panel.get_ylabel() == 'mean squared error, of standardised values'
    heights = [bar.get_height() for bar in panel.patches]
    metrics = results_of(tmp_path / 'run')['metrics']
    assert np.isclose(np.mean(heights), metrics['test/mse_standardized'], rtol=1e-3)


def test_a_mean_that_is_not_known_is_not_drawn(main, tmp_path, drawn):
    file, _, test = table(tmp_path)
    np.savez(tmp_path / 'new.npz', x=test)
    for kind, known in (('mean_std', True), ('min_max', False)):
        run = f'--run_dir={tmp_path}/{kind}'
        flags = ('--experiment=basic', *TINY, f'--array={file}', f'--set=standardize={kind}')
        assert main(*flags, run)[0] == 0
        drawn.clear()
        code, _, err = main('--mode=evaluate', run, f'--array={tmp_path}/new.npz')
        assert code == 0, err
        (panel,) = drawn['features'].axes
        assert ('error of the training mean' in lines_of(panel)) == known


def test_features_without_an_error_have_no_place_on_a_logarithmic_axis(tmp_path, draws):
    x = np.random.default_rng(0).normal(size=(50, 20)) * np.geomspace(1, 1e6, 20)
    figure = features.by_feature(x, x * (np.arange(20) > 3), 'title', mean=np.zeros(20))
    numbers = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert numbers == ['3', '2', '1', '0']
    figures.save(figure, tmp_path / 'a.png')


@pytest.mark.parametrize(('count', 'panels'), [(1, 1), (4, 4), (13, 1), (300, 2)])
@pytest.mark.parametrize('examples', [1, 50])
def test_tables_of_any_size_have_a_figure(count, panels, examples, tmp_path, draws):
    x = np.random.default_rng(0).normal(size=(examples, count)).astype(np.float32)
    figure = features.by_feature(x, 0.5 * x, 'title')
    assert sum(panel.axison for panel in figure.axes) == panels
    figures.save(figure, tmp_path / 'a.png')


def test_figures_say_which_split_they_show(main, tmp_path, drawn, digits):
    run = ('--experiment=phasewise_classifier', f'--array={digits}', f'--run_dir={tmp_path}/run')
    short = ('--set=parent.epochs=1', '--set=epochs=1', '--set=parent.hidden=8,6')
    assert main(*run, *short)[0] == 0
    named = {name: words_of(figure) for name, figure in drawn.items()}
    assert {'loss_curves', 'filters', 'samples'} < named.keys()
    assert all(' on array-digits-' in words for words in named.values()), named
    for name in ('loss_curves', 'filters', 'samples'):  # of no split, or of several
        named.pop(name)
    assert all('test examples' in words for words in named.values()), named
    drawn.clear()
    code, _, err = main('--mode=evaluate', '--tune', f'--run_dir={tmp_path}/run')
    assert code == 0, err
    shown = [words_of(figure) for name, figure in drawn.items() if name != 'filters']
    assert len(shown) > 3 and all('validation examples' in words for words in shown), shown
    assert '5-nearest-neighbour accuracy' in words_of(drawn['latent'])


def test_the_codes_are_drawn_by_t_sne_where_that_tells_more(monkeypatch, draws):
    monkeypatch.setattr(figures, '_NEIGHBOURS', (10, 60))
    x = np.random.default_rng(0).normal(size=(90, 5)).astype(np.float32)
    labels = np.arange(90) % 3

    def panels(codings):
        plane = figures.latent(codings, labels[: len(codings)], ['a', 'b', 'c'], '')
        return plane.axes

    def drawn(codings):
        figures._neighbourly.cache_clear()
        return panels(codings)[1].collections[0].get_offsets()

    assert '60 codes' in panels(x)[1].get_title()
    once, again = (drawn(some) for some in (x[:40], x[:40].astype(np.float64)))
    assert len(once) == 40 and np.array_equal(once, again)
    for few in (x[:, :2], x[:9], np.ones((50, 5), np.float32)):
        assert len(panels(few)) == 1


@pytest.mark.parametrize(
    'classes',
    [
        ['benign', 'malignant'],
        ['setosa', 'versicolor', 'virginica'],
        ['a class of a name of very many letters indeed', 'another of such'],
        [f'breed number {i} of a long list of breeds' for i in range(12)],
        [f'species {i}' for i in range(25)],
        [f'n{i:08d}' for i in range(100)],
        [str(i) for i in range(250)],
    ],
    ids=len,
)
def test_a_confusion_is_legible(classes):
    labels = np.arange(500) % len(classes)
    shown = np.eye(len(classes))[np.roll(labels, 3)]
    figure = figures.confusion(labels, shown, classes, 'title')
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    panel = figure.axes[0]
    for axis, along in ((panel.xaxis, 'x0 x1'), (panel.yaxis, 'y0 y1')):
        texts = [tick.label1 for tick in axis.get_major_ticks()]
        assert len({text.get_text() for text in texts}) == len(texts)
        if texts[0].get_rotation() not in (0, 90):
            continue
        boxes = sorted(
            tuple(getattr(t.get_window_extent(renderer), e) for e in along.split()) for t in texts
        )
        for (_, end), (start, _) in zip(boxes, boxes[1:], strict=False):
            assert end <= start
    if len(classes) <= 30:
        cell = panel.transData.transform([[0, 0], [1, 0]])
        room = cell[1, 0] - cell[0, 0]
        assert max(t.get_window_extent(renderer).width for t in panel.texts) < room


@pytest.mark.parametrize('count', [1, 2, 7, 10, 13])
@pytest.mark.parametrize('picture', [(8, 8), (28, 28), (16, 32), (64, 64, 3)])
def test_pictures_in_rows_are_as_large_however_few_they_are(count, picture, draws):
    images = np.zeros((count, np.prod(picture)))
    figure = figures.picture_rows({'input': images, 'output': images}, picture, 'title')
    figure.draw(FigureCanvasAgg(figure).get_renderer())
    for panel in figure.axes:
        (grid,) = panel.images
        height, width = grid.get_array().shape[:2]
        box = panel.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
        pixel = box.width / width  # inches
        assert pixel * picture[1] > 0.7 and np.isclose(pixel, box.height / height)


def test_of_few_classes_several_examples_are_shown():
    def classes(count: int) -> list[int]:
        rows = Rows(np.zeros((50, 1)), np.sort(np.arange(50) % count))
        return rows.labels[some_of_each(rows)].tolist()

    assert classes(2) == 5 * [0, 1]
    assert classes(3) == [*3 * [0, 1, 2], 0]
    assert classes(10) == classes(25) == list(range(10))
    uneven = Rows(np.zeros((4, 1)), np.array([1, 0, 0, 0]))
    assert some_of_each(uneven).tolist() == [1, 0, 2, 3]
    assert some_of_each(Rows(np.zeros((4, 1)), None)).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize('picture', [(8, 8), (6, 12)])
def test_pictures_at_the_place_of_their_codes_are_not_stretched(picture, draws):
    codes = np.array([[0.0, 0.0], [3.0, 0.0], [1.0, 1.0]])
    images = np.zeros((3, *picture)).reshape(3, -1)
    figure = figures.latent_pictures(codes, np.arange(3), images, picture, 'title')
    figure.draw(FigureCanvasAgg(figure).get_renderer())
    (panel,) = figure.axes
    (canvas,) = panel.images
    height, width = canvas.get_array().shape[:2]
    box = panel.get_window_extent()
    assert np.isclose(box.width / width, box.height / height, rtol=0.01)


ERRORS = np.random.default_rng(0).lognormal(0, 0.5, 300).astype(np.float32)


@pytest.mark.parametrize(
    ('values', 'scale'),
    [
        (ERRORS, 'linear'),
        (0 * ERRORS, 'linear'),
        ([*ERRORS, 1e6], 'log'),
        ([*1e-6 * ERRORS, 0.3], 'log'),
        ([*np.floor(3 * ERRORS) * 6e-8, 0.3], 'symlog'),  # what rounding leaves of small cosines
        ([*np.repeat(0.0, 200), *ERRORS[:9], 1e4], 'symlog'),
        ([*np.tile([-1.0, 1.0], 150) * ERRORS, 1e5], 'symlog'),
        (np.linspace(-1, 1, 50), 'linear'),
    ],
)
def test_scores_of_examples_are_told_apart_beside_a_far_one(values, scale, tmp_path, draws):
    values = np.array(values, np.float32)
    figure = distributions({'train': {'cosine': values[:-1]}, 'test': {'cosine': values}}, 'title')
    (panel,) = figure.axes
    assert panel.get_xscale() == scale
    counts, edges = np.histogram(values, _edges(values)[0])
    assert counts.sum() == len(values) and (np.diff(edges) > 0).all()
    distinct = len(np.unique(values))
    assert counts.max() < len(values) / 2 or distinct < 20
    figures.save(figure, tmp_path / 'a.png')


def test_losses_of_many_phases_take_several_rows():
    phases = [f'phase{i}' for i in range(1, 6)]
    rows = [{'phase': p, 'epoch': '1', f'train/{p}/mse': '1', f'train/{p}/l2': '1'} for p in phases]
    figure = figures.loss_curves(rows, 'losses')
    assert figure.get_size_inches()[0] < 20
    assert sum(panel.axison for panel in figure.axes) == 10


@pytest.mark.parametrize(('asked', 'has'), [('nonsense', 'agg'), ('pdf', 'pdf')])
def test_a_backend_that_is_not_there_is_not_asked_for_and_another_is_kept(asked, has):
    code = 'import reports.curves, matplotlib; print(matplotlib.get_backend())'
    environ = os.environ | {'MPLBACKEND': asked}
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    assert done.stdout.strip().lower() == has, done.stderr


def test_of_examples_without_labels_a_classifier_alone_has_nothing_to_draw():
    known = {'cross_entropy': np.array([0.1, 0.2]), 'accuracy': np.array([1.0, 0.0])}
    unknown = {name: np.full(3, np.nan) for name in known}
    assert distributions({'train': known, 'test': unknown}, 'title') is None
    assert len(distributions({'train': known, 'test': known}, 'title').axes) == 1


def test_thumbnails_leave_pixels_out_before_anything_else():
    images = np.random.default_rng(0).uniform(-0.5, 1.5, (3, 64 * 48 * 3)).astype(np.float32)
    small = figures.thumbnails(images, (64, 48, 3), 32)
    assert small.shape == (3, 32, 24, 3) and small.dtype == np.uint8
    whole = np.round(255 * images.clip(0, 1)).reshape(3, 64, 48, 3)
    np.testing.assert_array_equal(small, whole[:, ::2, ::2])
    assert figures.thumbnails(images[:, :12], (3, 4, 1), 32).shape == (3, 3, 4, 1)
