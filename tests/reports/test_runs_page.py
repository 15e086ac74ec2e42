"""The page of all runs: what is listed, what is left out, and that no folder spoils a run's end."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import png_of

from reports import runs_page


def made(runs, name='tied/mnist-seed0', **changes):
    """Makes the folder of a finished run, with a page and a figure; returns it."""
    results = {'experiment': name.split('/')[-2], 'dataset': 'mnist', 'seed': 0, 'seconds': 1.5}
    folder = runs / name
    (folder / 'figures').mkdir(parents=True)
    (folder / 'results.json').write_text(
        json.dumps(results | {'metrics': {'test/mse': 0.25, 'validation/mse': 0.125}} | changes)
    )
    (folder / 'report.html').write_text('its page')
    (folder / 'figures/reconstructions.png').write_bytes(png_of(1, 1, 0))
    return folder


def written(runs) -> str:
    """Returns the page of these runs."""
    runs_page.write(runs)
    return (runs / 'index.html').read_text()


def test_runs_and_those_of_tuning_are_listed_with_links_that_lead_somewhere(tmp_path):
    names = ('tied/mnist-seed0-l2=0.0', 'tuning/untied/mnist-seed0', "a/it's 50%#?&\x1b")
    for name in names:
        made(tmp_path, name)
    page = written(tmp_path)
    assert 'href="tied/mnist-seed0-l2%3D0.0/report.html"' in page and '>l2=0.0<' in page
    assert 'href="a/it%27s%2050%25%23%3F%26%1B/report.html"' in page and '\x1b' not in page
    assert 'src="tied/mnist-seed0-l2%3D0.0/figures/reconstructions.png"' in page
    trained, tuned = page.split('<h2>Tuning</h2>')
    assert trained.count('>0.25<') == 2 and tuned.count('>0.125<') == 1


def test_studies_are_listed_with_their_figures(tmp_path):
    for name in ('mnist_l1/mnist-seeds0..4', 'tuning/mnist_l1/m', 'undrawn/m', 'linked/m'):
        folder = made(tmp_path, name)
        study = {'study': folder.parent.name, 'seeds': 5, 'points': []}
        (folder / 'results.json').write_text(json.dumps(study))
        if 'mnist_l1' in name:
            (folder / 'figures/reconstructions.png').rename(folder / 'figures/study.png')
        if 'linked' in name:
            (folder / 'figures/study.png').symlink_to(folder / 'figures/reconstructions.png')
    runs, studies = written(tmp_path).split('<h2>Studies</h2>')
    assert 'There are none.' in runs and 'Damaged' not in studies
    for folder in ('mnist_l1/mnist-seeds0..4', 'tuning/mnist_l1/m'):
        assert f'<a href="{folder}/figures/study.png"><img src="{folder}/figures' in studies
    assert studies.count('<th scope="row">mnist_l1</th>') == 2
    assert 'undrawn' not in studies and 'linked' not in studies


def test_what_is_no_run_is_left_out_and_what_is_damaged_is_named(tmp_path):
    runs, elsewhere = tmp_path / 'runs', made(tmp_path / 'elsewhere')
    made(runs, 'study/all', study='study', experiment=None).joinpath('x').touch()
    (runs / 'study/all/results.json').write_text('{"study": "a", "points": []}')
    for name, content in {
        'cut': '{"experiment": "tied", ',
        'list': '{"experiment": "tied", "dataset": "mnist", "seed": 0, "metrics": []}',
        'deep': '[' * 100_000,
        'bytes': '\udcff',
        'number': '{"experiment": "tied", "dataset": "m", "seed": 1e999, "metrics": {}}',
    }.items():
        folder = made(runs, f'bad/{name}')
        (folder / 'results.json').write_text(content, errors='surrogateescape')
    (made(runs, 'bad/far') / 'results.json').unlink()
    os.mkfifo(runs / 'bad/far/results.json')
    (made(runs, 'bad/link') / 'results.json').unlink()
    (runs / 'bad/link/results.json').symlink_to(elsewhere / 'results.json')
    (runs / 'linked').symlink_to(elsewhere.parent)
    (runs / 'tied').mkdir()
    (runs / 'tied/linked').symlink_to(elsewhere)
    (runs / 'tied/file').touch()
    page = written(runs)
    assert 'linked' not in page and 'study' not in page and 'There are none.' in page
    for name in ('cut', 'list', 'deep', 'bytes', 'number', 'far', 'link'):
        assert f'<code>bad/{name}</code>' in page


@pytest.mark.parametrize('spoilt', ['linked figure', 'linked folder', 'no picture', 'pipe'])
def test_a_figure_that_is_a_link_or_no_picture_and_a_page_that_is_one_are_not_linked(
    tmp_path, spoilt
):
    other, folder = made(tmp_path / 'elsewhere'), made(tmp_path / 'runs')
    figure = folder / 'figures/reconstructions.png'
    figure.unlink()
    if spoilt == 'linked figure':
        figure.symlink_to(other / 'figures/reconstructions.png')
    elif spoilt == 'linked folder':
        figure.parent.rmdir()
        figure.parent.symlink_to(other / 'figures')
    elif spoilt == 'pipe':
        os.mkfifo(figure)
    else:
        figure.write_bytes(b'<svg onload="alert(1)">')
    (folder / 'report.html').unlink()
    (folder / 'report.html').symlink_to(other / 'report.html')
    page = written(tmp_path / 'runs')
    assert '<img' not in page and 'href' not in page and '>tied</th>' in page


def test_a_page_of_somebody_else_is_left_as_it_is(tmp_path, capsys):
    made(tmp_path)
    (tmp_path / 'index.html').write_text('mine')
    assert written(tmp_path) == 'mine' and 'is no page of runs' in capsys.readouterr().out
    (tmp_path / 'index.html').unlink()
    (tmp_path / 'index.html').mkdir()
    runs_page.write(tmp_path)
    assert (tmp_path / 'index.html').is_dir() and 'warning: ' in capsys.readouterr().out


def test_a_disk_that_takes_no_page_is_told_of_and_ends_nothing(tmp_path, monkeypatch, capsys):
    made(tmp_path)
    page = written(tmp_path)

    def full(_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('system.disk.flush', full)
    assert written(tmp_path) == page
    assert 'No space left on device' in capsys.readouterr().out
    assert not list(tmp_path.glob('.index.html*'))


def test_runs_that_finish_at_once_are_all_listed(tmp_path, capsys):
    def finish(seed):
        made(tmp_path, f'tied/mnist-seed{seed}', seed=seed)
        runs_page.write(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(finish, range(16)))
    assert (tmp_path / 'index.html').read_text().count('<th scope="row">') == 16
    assert capsys.readouterr().out == ''


def test_a_run_in_a_folder_of_its_own_is_not_listed(main, tmp_path):
    flags = ('--experiment=iris_linear', '--set=epochs=1', '--nofigures')
    code, _, err = main(*flags, f'--run_dir={tmp_path / "mine"}')
    assert code == 0 and not (tmp_path / 'runs').exists(), err
    assert not list(tmp_path.rglob('index.html'))
