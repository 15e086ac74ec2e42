"""Pages of HTML: whole, escaped, needing nothing from elsewhere, and readable at any width."""

import html as markup
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import results_of
from jinja2 import UndefinedError
from PIL import Image

import inst
from ledger import claims, fill, page
from reports import comparison, comparison_page, html, run_page, runs_page
from reports.captions import WORDS
from train.folder import Place
from train.run import run

HOSTILE = '<script>alert("x")</script> & \'more\''
WIDTHS = (360, 1280)  # CSS pixels
BROWSER = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), ''
)
QUIET = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--disable-sync',
    '--disable-background-networking',
    '--disable-component-update',
    '--no-first-run',
    '--allow-file-access-from-files',  # or else frames of files may not be looked into
    '--hide-scrollbars',
    '--virtual-time-budget=20000',  # milliseconds, which pass at once where nothing happens
    '--dump-dom',
)
LOOK = """
const light = colour => {
  const part = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(c => part(Number(c)));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = element => {
  const colour = getComputedStyle(element).backgroundColor;
  return /, 0\\)$/.test(colour) && element.parentElement ? behind(element.parentElement) : colour;
};
const contrast = element => {
  const [more, less] = [light(getComputedStyle(element).color), light(behind(element))]
    .sort((one, other) => other - one);
  return (more + 0.05) / (less + 0.05);
};
const orders = page => [...page.querySelectorAll('table.sorted thead button')].map(button => {
  const head = button.closest('th'), rows = button.closest('table').tBodies[0].rows;
  return [1, 2].map(() => {
    button.click();
    const texts = [...rows].map(row => row.cells[head.cellIndex].textContent.trim());
    return [button.textContent, head.getAttribute('aria-sort'), ...texts];
  });
});
const look = async frame => {
  const page = frame.contentDocument, root = page.documentElement;
  const pictures = [...page.images];
  for (const picture of pictures) picture.loading = 'eager';
  for (let wait = 0; wait < 100 && !pictures.every(picture => picture.complete); wait++)
    await new Promise(done => setTimeout(done, 20));
  return {
    width: root.clientWidth,
    wide: root.scrollWidth,
    pictures: pictures.length,
    broken: pictures.filter(picture => picture.naturalWidth === 0).map(picture => picture.alt),
    faint: [...page.body.querySelectorAll('*')].filter(element =>
      [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())
      && element.localName !== 'script' && contrast(element) < 4.5).map(e => e.outerHTML),
    orders: orders(page),
  };
};
onload = async () => {
  const found = [];
  for (const frame of document.querySelectorAll('iframe')) found.push(await look(frame));
  document.querySelector('pre').textContent = JSON.stringify(found);
};
"""


class Page(HTMLParser):
    """Notes the tags and the words of a page, and that every tag is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.sources, self.words, self.open, self.alts = [], [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        """Notes a tag."""
        self.tags.append(tag)
        given = dict(attributes)
        self.sources += [given[n] for n in ('src', 'href', 'action', 'data') if n in given]
        self.alts += [given['alt']] if tag == 'img' else []
        if tag not in ('meta', 'img', 'link', 'br'):
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Notes its end."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Notes the words."""
        self.words.append(data)


@pytest.fixture(scope='module')
def runs(undrawn, data_dir, digits, tmp_path_factory):
    """A folder of runs, each figure a dot: a classifier and its parent."""
    runs = tmp_path_factory.mktemp('pages') / 'runs'
    base, own = inst.phasewise_classifier, {'dataset': 'array', 'data_path': str(digits)}
    small = base.vary(seed=2, epochs=1, **{'parent.epochs': 1}, **own)
    with pytest.MonkeyPatch.context() as patch:
        for (place, name), function in undrawn.items():
            if name == 'draw':
                patch.setattr(place, name, function)
        run(small, base, Place(runs, data_dir))
    return runs


def report_of(runs, name):
    """Returns the page of the only run of an experiment."""
    (file,) = runs.glob(f'{name}/*/{run_page.NAME}')
    return file


def test_whatever_is_put_into_a_page_is_text_there(tmp_path):
    Image.new('L', (4, 4)).save(tmp_path / 'a_figure.png')
    section = {
        'source': HOSTILE,
        'summary': HOSTILE,
        'rows': [(HOSTILE, '1,234.5', 'holds'), ('b', '-2e-05', 'fails')],
        'chart': html.embedded(tmp_path, Path('a_figure.png')),
        'alt': HOSTILE,
    }
    data = {'title': 'a\x1b[2J', 'introduction': [HOSTILE], 'explained': {HOSTILE: 'words'}}
    data |= {'summary': '', 'typed': (), 'sections': [section]}
    text = html.render('results.html', columns=('what', 'much', HOSTILE), **data)
    found = Page(text)
    assert 'script' not in found.tags and found.alts == [HOSTILE]
    assert found.words.count(HOSTILE) == 6 and r'a\x1b[2J' in found.words
    assert text.count('<td class="number">') == 2 and '<td class="fails">fails</td>' in text
    assert found.sources[1].startswith('data:image/png;base64,')
    del data['summary']
    with pytest.raises(UndefinedError):
        html.render('results.html', columns=('what', 'much', 'x'), **data)


def test_only_pictures_that_are_there_themselves_are_put_into_a_page(tmp_path):
    outside, run = tmp_path / 'outside', tmp_path / 'run'
    for folder in (outside, run / 'figures'):
        folder.mkdir(parents=True)
        Image.new('L', (4, 4)).save(folder / 'picture.png')
    (outside / 'secret').write_bytes(b'\x89PNG\r\n\x1a\nsecret')
    (run / 'linked').symlink_to(outside)
    (run / 'figures/link.png').symlink_to(outside / 'picture.png')
    (run / 'figures/head.png').write_bytes((outside / 'secret').read_bytes())
    Image.new('L', (4, 4)).save(run / 'figures/other.png', 'BMP')
    os.mkfifo(run / 'figures/pipe.png')
    assert html.embedded(run, Path('figures/picture.png')).startswith('data:image/png;base64,')
    names = ('figures/link', 'figures/head', 'figures/other', 'figures/pipe', 'linked/picture')
    for name in (*names, 'figures/none'):
        assert html.embedded(run, Path(f'{name}.png')) == ''


def test_a_page_tells_nothing_of_files_that_its_run_links_to(runs, tmp_path, digits, main):
    sent = shutil.copytree(report_of(runs, 'phasewise').parent, tmp_path / 'sent')
    (sent / 'report.html').unlink()
    (tmp_path / 'keys.json').write_text('{"token": "secret"}')
    (sent / 'environment.json').unlink()
    (sent / 'environment.json').symlink_to(tmp_path / 'keys.json')
    flags = ('--experiment=phasewise', f'--array={digits}', '--set=epochs=1', '--seed=2')
    code, _, err = main(*flags, f'--run_dir={sent}')
    assert code == 0 and 'secret' not in (sent / 'report.html').read_text(), err


@pytest.mark.parametrize('name', ['phasewise', 'phasewise_classifier'])
def test_a_run_has_a_page_with_its_figures_scores_and_command(runs, digits, name):
    file = report_of(runs, name)
    text = file.read_text()
    found = Page(text)
    assert all(source.startswith('data:image/png;base64,') for source in found.sources)
    drawn = {figure.stem for figure in file.parent.glob('figures/*.png')}
    assert len(found.sources) == len(drawn) > 3
    assert {WORDS[name].alt for name in drawn} == set(found.alts)
    assert all(WORDS[name].caption in found.words for name in drawn)
    assert 'http' not in text and 'script' not in found.tags and 'lang="en"' in text
    heads = [int(tag[1]) for tag in found.tags if re.fullmatch('h[1-6]', tag)]
    assert heads[0] == 1 and all(b - a <= 1 for a, b in zip(heads, heads[1:], strict=False))
    scores = results_of(file.parent)['metrics']
    assert f'{scores["test/mse"]:.5g}' in found.words
    assert any(f'--experiment={name} --array={digits} --seed=2' in words for words in found.words)
    fields = {'hidden', 'l2'} if name == 'phasewise' else {'head', 'parent.hidden', 'parent.l2'}
    assert fields < set(found.words) and 'parent.seed' not in found.words


def test_a_page_that_was_removed_is_written_again(runs, main, digits):
    file, listed = report_of(runs, 'phasewise'), runs / runs_page.NAME
    flags = ('--experiment=phasewise', f'--array={digits}', '--set=epochs=1', '--seed=2')
    before = file.read_text()
    for gone in (file, listed):
        gone.unlink()
        code, out, err = main(*flags, runs=runs)
        assert code == 0 and 'finished before' in out and file.is_file() and listed.is_file(), err
    assert file.read_text() == before


@pytest.mark.skipif(not BROWSER, reason='there is no Chromium')
def test_in_a_browser_no_page_is_wider_than_the_window_and_the_table_of_runs_sorts(runs, tmp_path):
    pages = [report_of(runs, 'phasewise_classifier'), tmp_path / 'runs/index.html',
             tmp_path / 'RESULTS.html', tmp_path / 'out/comparison.html']  # fmt: skip
    shutil.copytree(runs, tmp_path / 'runs')
    for seed, error in ((10, 9e-08), (9, 10.5)):
        folder = tmp_path / f'runs/made_up/mnist-seed{seed}'
        folder.mkdir(parents=True)
        results = results_of(pages[0].parent) | {'experiment': 'made_up', 'seed': seed}
        results |= {'metrics': {'test/mse': error}}
        (folder / 'results.json').write_text(json.dumps(results))
    runs_page.write(tmp_path / 'runs')
    pages[2].write_text(page.html(claims.CLAIMS, fill.judgements(claims.CLAIMS)))
    compared = comparison.of([runs])
    drawn = dict.fromkeys(['figure'], next(runs.glob('*/*/figures/*.png')))
    pages[3].parent.mkdir()
    comparison_page.write(compared._replace(folder=pages[3].parent, **drawn))

    found = seen(pages, tmp_path)
    for one, width in zip(found, WIDTHS * len(pages), strict=True):
        assert one['wide'] == one['width'] == width
        assert one['pictures'] and not one['broken'] and not one['faint']
    for sorted_twice in (found[2]['orders'], found[3]['orders']):
        orders = {up[0]: (up[1:], down[1:]) for up, down in sorted_twice}
        (said, *up), (said_then, *down) = orders['experiment']
        assert (said, said_then) == ('ascending', 'descending')
        assert up == sorted(up) == down[::-1] and len(set(up)) == 3
        (_, *up), (_, *down) = orders['mse']
        assert up == sorted(up, key=float) == down[::-1] and len(set(up)) > 2
        (_, *up), (_, *down) = orders['seed']
        assert up == ['2', '2', '9', '10'] == down[::-1]
        (_, *up), (_, *down) = orders['accuracy']
        assert up == down and up[0] and up[1:] == ['', '', '']


def seen(pages, folder) -> list[dict]:
    """Returns what a browser finds in each page at each width."""
    frames = ''.join(
        f'<iframe src="{file.as_uri()}" width="{width}" height="800" style="border:0"></iframe>'
        for file in pages
        for width in WIDTHS
    )
    (folder / 'frames.html').write_text(
        f'<!DOCTYPE html><body>{frames}<pre></pre><script>{LOOK}</script>'
    )
    command = [BROWSER, *QUIET, f'--user-data-dir={folder / "browser"}']
    address = (folder / 'frames.html').as_uri()
    ended = subprocess.run([*command, address], capture_output=True, text=True, timeout=120)
    return json.loads(markup.unescape(re.search('<pre>(.*?)</pre>', ended.stdout)[1]))


def test_figures_stand_on_a_page_in_the_order_of_their_captions(tmp_path):
    (tmp_path / 'figures').mkdir()
    for name in ('zzz', 'samples', 'latent', 'loss_curves'):  # whichever was drawn first
        Image.new('L', (4, 4)).save(tmp_path / f'figures/{name}.png')
    assert [name for name, _ in run_page._figures(tmp_path)] == [
        'loss_curves', 'latent', 'samples', 'zzz',
    ]  # fmt: skip
