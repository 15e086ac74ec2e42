"""The words in a figure: never read as formulas, never boxes."""

import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from reports import figures, lettering

LETTER = '\N{MATHEMATICAL MONOSPACE SMALL P}'  # the usual font lacks it, one of matplotlib's has it
NAMES = ['a$b$c', 'x^2_$', r'\frac{$', '$']


def plot():
    figure = Figure()
    panel = figure.subplots()
    panel.plot([1, 2, 3, 4], [1e-4, 1e-2, 1, 100], label=NAMES[0])
    panel.set_xticks([1, 2, 3, 4], NAMES, rotation=45)
    panel.set(title=NAMES[1], ylabel=NAMES[2], yscale='log')
    panel.legend(title=NAMES[3])
    figure.suptitle(NAMES[1])
    return figure, panel


def test_words_are_no_formulas_and_numbers_at_a_logarithmic_axis_still_are(tmp_path, draws):
    figure, panel = plot()
    figures.save(figure, tmp_path / 'a.png')
    assert Image.open(tmp_path / 'a.png').size[0] > 100
    assert [label.get_text() for label in panel.get_xticklabels()] == NAMES
    assert not any(label.get_parse_math() for label in panel.get_xticklabels())
    assert all(label.get_parse_math() for label in panel.get_yticklabels())


def test_letters_that_the_usual_font_lacks_are_drawn_in_another_or_written_as_codes(
    tmp_path, draws, capfd
):
    figure, panel = plot()
    assert lettering._foreign(LETTER) == {LETTER}
    panel.set_xticks([1, 2], [f'in {LETTER}', 'a\udcff'])
    panel.set_title(f'two {LETTER}\nlines')
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # as of a glyph that is missing
        figures.save(figure, tmp_path / 'a.png')
    assert [t.get_text() for t in panel.get_xticklabels()] == [f'in {LETTER}', r'a\xff']
    assert panel.get_title() == f'two {LETTER}\nlines'
    assert not capfd.readouterr().err


def test_letters_that_no_font_has_are_written_as_codes_and_this_is_said_once(
    tmp_path, draws, monkeypatch, capsys
):
    monkeypatch.setattr(lettering, '_covering', lambda letters: {})
    lettering._say.cache_clear()
    for name in ('a', 'b'):
        figure, panel = plot()
        panel.set_title('猫 $x')
        figures.save(figure, tmp_path / f'{name}.png')
        assert panel.get_title() == r'\u732b $x'
    assert capsys.readouterr().out.count('猫') == 1


@pytest.mark.parametrize('name', NAMES)
def test_the_figures_of_a_classifier_take_any_class_name(name, tmp_path, draws):
    y, share = np.array([0, 1] * 5), np.tile([[0.4, 0.6]], (10, 1))
    classes, codes = (name, 'b'), np.random.default_rng(0).normal(size=(10, 3))
    figures.save(figures.confusion(y, share, classes, name), tmp_path / 'confusion.png')
    plane = figures.latent(codes, y, classes, name)
    figures.save(plane, tmp_path / 'latent.png')
    wrong = figures.surely_wrong(y, share)
    blank = np.zeros((len(wrong), 4))
    rows = figures.most_confused(blank, y[wrong], share[wrong], classes, (2, 2), name)
    figures.save(rows, tmp_path / 'rows.png')
