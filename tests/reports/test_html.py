"""Pages of HTML: whole, escaped, and needing nothing from elsewhere."""

from html.parser import HTMLParser

import pytest
from conftest import results_of
from PIL import Image

from reports import html, run_page


class Page(HTMLParser):
    """Notes the tags and the words of a page, and that every tag is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.sources, self.words, self.open = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        """Notes a tag."""
        self.tags.append(tag)
        given = dict(attributes)
        self.sources += [given[n] for n in ('src', 'href', 'action', 'data') if n in given]
        if tag not in ('meta', 'img', 'link', 'br'):
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Notes its end."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Notes the words."""
        self.words.append(data)


def test_words_are_escaped_and_numbers_and_verdicts_are_marked(tmp_path):
    Image.new('L', (4, 4)).save(tmp_path / 'a_figure.png')
    hostile = '<script>alert("x")</script> & more'
    rows = [(hostile, '1,234.5', 'holds'), ('b', '-2e-05', 'fails')]
    text = html.document(
        hostile,
        [
            html.paragraph(hostile),
            html.command(hostile),
            html.heading(hostile),
            html.table(('what', 'much', hostile), rows),
            html.figure(tmp_path / 'a_figure.png'),
        ],
    )
    page = Page(text)
    assert 'script' not in page.tags and page.words.count(hostile) == 7
    assert text.count('<td class="number">') == 2 and '<td class="fails">fails</td>' in text
    assert page.sources[0].startswith('data:image/png;base64,') and 'alt="a figure"' in text


@pytest.mark.parametrize('name', ['tied', 'phasewise_classifier'])
def test_a_run_has_a_page_with_its_figures_scores_and_command(main, tmp_path, digits, name, dotted):
    flags = (f'--experiment={name}', f'--array={digits}', '--set=epochs=1', '--set=seed=2')
    code, out, err = main(*flags)
    assert code == 0 and 'report.html' in out, err
    (file,) = tmp_path.glob(f'runs/{name}/*/report.html')
    text = file.read_text()
    page = Page(text)
    assert all(source.startswith('data:image/png;base64,') for source in page.sources)
    assert len(page.sources) == len(list(file.parent.glob('figures/*.png'))) > 3
    drawn = [figure.stem for figure in file.parent.glob('figures/*.png')]
    assert all(run_page.CAPTIONS[name] in page.words for name in drawn)
    assert 'http' not in text and 'script' not in page.tags
    scores = results_of(file.parent)['metrics']
    assert f'{scores["test/mse"]:.5g}' in page.words
    assert any(f'--experiment={name} --array={digits} --seed=2' in words for words in page.words)
    file.unlink()
    code, out, err = main(*flags)
    assert code == 0 and 'finished before' in out and file.is_file(), err
