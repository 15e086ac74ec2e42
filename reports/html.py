"""A page of HTML that needs nothing else: styles and pictures are inside, and no script."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from system.names import shown

_STYLE = """
body { max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222; line-height: 1.45;
       font-family: system-ui, sans-serif }
h1 { margin-bottom: .2rem }
h2 { margin-top: 2.2rem; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; font-size: .9rem }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: left;
         vertical-align: top; overflow-wrap: break-word }
th { background: #f3f3f3 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
pre { background: #f3f3f3; padding: .7rem; overflow-x: auto }
figure { margin: 1.2rem 0 }
figcaption { font-weight: 600; margin-bottom: .3rem }
img { max-width: 100%; border: 1px solid #ddd }
.holds, .better { color: #0a6b2d } .fails { color: #a11 } .open { color: #8a5a00 }
@media (prefers-color-scheme: dark) {
  body { background: #1b1b1b; color: #ddd } th, pre { background: #2a2a2a }
  .holds, .better { color: #6c6 } .fails { color: #f77 } .open { color: #fb4 }
  img { background: white }
}
"""


_VERDICTS = ('holds', 'better', 'fails', 'open')


def _escaped(words: str) -> str:
    """Returns words as text of a page, whatever characters are in them."""
    return html.escape(shown(words))


def document(title: str, parts: Iterable[str]) -> str:
    """Returns the page; each part is HTML that the functions below made."""
    body = '\n'.join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{_escaped(title)}</title>\n<style>{_STYLE}</style>\n</head>\n'
        f'<body>\n<h1>{_escaped(title)}</h1>\n{body}\n</body>\n</html>\n'
    )


def heading(words: str) -> str:
    """Returns a heading."""
    return f'<h2>{_escaped(words)}</h2>'


def paragraph(words: str) -> str:
    """Returns a paragraph."""
    return f'<p>{_escaped(words)}</p>'


def command(words: str) -> str:
    """Returns a command line, as it is typed."""
    return f'<pre>{_escaped(words)}</pre>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table; columns of numbers stand to the right, and verdicts have colours."""
    kinds = [
        'number' if all(_is_number(row[i]) for row in rows) and i else '' for i in range(len(head))
    ]
    names = ''.join(
        f'<th scope="col"{_marked(kind)}>{_escaped(name)}</th>'
        for name, kind in zip(head, kinds, strict=True)
    )
    body = '\n'.join(f'<tr>{"".join(map(_cell, row, kinds))}</tr>' for row in rows)
    return f'<table>\n<thead><tr>{names}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>'


def _cell(text: str, kind: str) -> str:
    return f'<td{_marked(text if text in _VERDICTS else kind)}>{_escaped(text)}</td>'


def _marked(kind: str) -> str:
    return f' class="{kind}"' if kind else ''


def _is_number(text: str) -> bool:
    return not text or text.replace(',', '').lstrip('-').replace('.', '', 1)[:1].isdigit()


def figure(file: Path, caption: str = '') -> str:
    """Returns a PNG, which is put into the page, under its caption, or else its name."""
    name = _escaped(caption or file.stem.replace('_', ' '))
    content = base64.b64encode(file.read_bytes()).decode()
    image = f'<img alt="{name}" src="data:image/png;base64,{content}">'
    return f'<figure><figcaption>{name}</figcaption>{image}</figure>'
