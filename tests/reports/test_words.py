"""Words of figures and pages: a caption for each figure, and no epoch between two."""

import re

import pytest
from conftest import ROOT

from reports import figures
from reports.captions import WORDS


def test_every_figure_of_a_run_has_words_for_its_caption():
    drawn = (ROOT / 'reports' / 'drawing.py').read_text()
    names = re.findall(r"(?:made|found)\['(\w+)'\]|'(\w+)': partial\(", drawn)
    found = {first or second for first, second in names} | {'sequences'}
    assert {'features', 'latent', 'error_by_step'} < found <= WORDS.keys()


@pytest.mark.parametrize('epochs', [1, 2, 3])
def test_epochs_are_counted_in_whole_numbers(epochs):
    rows = [{'phase': 'joint', 'epoch': str(e), 'train/mse': '0.5'} for e in range(1, epochs + 1)]
    panel = figures.loss_curves(rows, 'losses').axes[0]
    assert all(place == int(place) for place in panel.get_xticks())
