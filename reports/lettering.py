"""The words in a figure: drawn as they are, in fonts that have their letters."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator

from matplotlib import font_manager, ft2font
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FuncFormatter, NullFormatter

from system.lines import say, shown

logging.getLogger(font_manager.__name__).setLevel(logging.ERROR)  # a font without a weight is one
_NAMED = (FixedFormatter, FuncFormatter, NullFormatter)  # ticks with words; others have numbers
_BOXES = ('Last Resort', 'LastResort', 'Blank')  # fonts of boxes, or of nothing, for every letter
_TOLD = 10  # letters that no font has, at most, in a line
_SIZE = (10, 100)  # points, dots an inch: at which a letter is tried


def legible(figure: Figure) -> None:
    """Makes every word of a figure legible: a `$` is no formula, and no letter is a box.

    Letters that the usual font lacks are drawn in one of this machine's that has them; where none
    has, as its code. The numbers at ticks are left to matplotlib.
    """
    texts = set(_words(figure))
    lacking = _lacking(''.join(text.get_text() for text in texts))
    for text in texts:
        text.set_parse_math(False)
        text.set_text(_as_shown(text.get_text()))
    if lacking:  # below everything, for a legend beside the letters cannot show them either
        codes = ', '.join(f'\\u{ord(letter):04x}' for letter in sorted(lacking)[:_TOLD])
        figure.text(0.5, -0.01, f'{codes}: letters that no font here has, as codes of Unicode',
                    ha='center', va='top', fontsize=7, parse_math=False)  # fmt: skip
    wanted = {text: _foreign(text.get_text()) for text in texts}
    fonts = _covering(frozenset().union(*wanted.values()))
    for text, letters in wanted.items():
        if letters:
            usual = text.get_fontfamily()
            text.set_fontfamily([*usual, *dict.fromkeys(fonts[c] for c in sorted(letters))])


def _words(artist: Artist) -> Iterator[Text]:
    """Yields the texts in an artist, without the numbers at ticks, which take long to be found."""
    if isinstance(artist, Text):
        yield artist
    elif not isinstance(artist, Axis):
        for child in artist.get_children():
            yield from _words(child)
    elif isinstance(artist.get_major_formatter(), _NAMED):
        _name_ticks(artist)
        yield from artist.findobj(Text)
    else:
        yield artist.label


def _name_ticks(axis: Axis) -> None:
    """Rewrites the names at ticks, which the axis would otherwise set again as they were."""
    names = [label.get_text() for label in axis.get_ticklabels()]
    as_shown = [_as_shown(name) for name in names]
    if as_shown != names:
        axis.set_ticklabels(as_shown)


def _as_shown(words: str) -> str:
    """Returns words, in lines, with an escape for each letter that cannot be drawn here."""
    words = '\n'.join(map(shown, words.split('\n')))
    lacking = _lacking(words)
    if lacking:
        _say(lacking)
    return ''.join(c.encode('unicode_escape').decode() if c in lacking else c for c in words)


def _lacking(words: str) -> frozenset[str]:
    """Returns the letters that no font on this machine has, of those that can be shown at all."""
    foreign = frozenset(letter for letter in _foreign(words) if letter.isprintable())
    return foreign.difference(_covering(foreign))


def _foreign(words: str) -> frozenset[str]:
    """Returns the letters that the usual font lacks."""
    return frozenset(c for c in words if c != '\n' and ord(c) not in _usual())


@functools.cache
def _say(lacking: frozenset[str]) -> None:
    letters = ' '.join(sorted(lacking)[:_TOLD])
    say(f'no font on this machine has {letters}: figures show such letters as codes')


@functools.cache
def _usual() -> frozenset[int]:
    file = font_manager.findfont(font_manager.FontProperties())
    return frozenset(ft2font.FT2Font(file).get_charmap())


@functools.cache
def _covering(letters: frozenset[str]) -> dict[str, str]:
    """Returns, for each letter that an installed font has, that font's name."""
    found: dict[str, str] = {}
    families = dict.fromkeys(font.name for font in font_manager.fontManager.ttflist)
    for family in families if letters else ():
        if len(found) == len(letters):
            break
        if not any(word in family for word in _BOXES):
            found |= dict.fromkeys(_drawn_in(family, letters - found.keys()), family)
    return found


def _drawn_in(family: str, letters: Iterable[str]) -> list[str]:
    """Returns the letters that a font draws."""
    try:
        file = font_manager.findfont(
            font_manager.FontProperties(family=[family]), fallback_to_default=False
        )
        font = ft2font.FT2Font(file)
        has = font.get_charmap()
        font.set_size(*_SIZE)  # which a font of coloured bitmaps refuses
        drawn = [letter for letter in letters if ord(letter) in has]
        for letter in drawn:
            font.load_char(ord(letter))
        return drawn
    except (OSError, RuntimeError, ValueError):
        return []
