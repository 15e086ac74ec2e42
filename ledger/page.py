"""The ledger's page: every claim with what was measured, and the verdict, as Markdown or HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import inst
from command_line import changed, command
from ledger.book import PROJECT, Book
from ledger.claim import Claim, metric_of
from ledger.verdicts import Judgement
from parameters import Experiment
from reports import html as webpage
from system import lines

_HEAD = """\
{begins}, which trains what is missing. Figures are of the test set unless
they say otherwise; each is the mean over the seeds, with the least and the greatest. A verdict
looks at the difference, seed by seed, from what it is compared with: *holds* and *fails* where the
whole 95 % interval of its mean (Student's t) lies on one side, *open* where it does not; an
equality *holds* where that interval has zero in it, and is *better* where it is missed on the good
side; of one seed, the difference alone. Seconds are those of the updates of one run, the mean over
the seeds, on machines that did other things too; versions and CPUs are in the runs' files in
{results}. A run is repeated by `python main.py` and its flags, with `--seed`.{ends}"""
_PROJECTS = """\
What the sources claim, what this project measures, and whether it holds; written by
`python main.py --mode=results`"""
_PAPERS = """ Of the figures that
the papers published it is said where they were found; their texts were not at hand to be read."""
_OWN = """\
What {inst} claims, what was measured, and whether it holds; written by
{command}"""
_CHART = (
    'A line a claim, with a mark for each seed that is right of the bound where it is better than '
    'what is claimed, and left of it where it is worse.'
)
_COLUMNS = ('claim', 'flags', 'measured', 'wanted', 'verdict', 'seeds', 'seconds')
_MADE = re.compile(r'\||<(?=[a-z/!?])|(?<=\])[(\[]', re.IGNORECASE)  # what makes something of words
_MARKS = re.compile(r'[^\w \-=./,]')
_VERDICTS = ('holds', 'better', 'fails', 'open', 'not yet measured')


def _head(book: Book, code: Callable[[str], str]) -> str:
    """Returns what stands at the top; `code` marks words as such."""
    if book.inst:
        asked = f'python main.py --inst={book.inst} --mode=results'
        begins, ends = _OWN.format(inst=code(book.inst), command=code(asked)), ''
    else:
        begins, ends = _PROJECTS, _PAPERS
    return _HEAD.format(begins=begins, results=code(f'{book.results.name}/'), ends=ends)


def markdown(
    claims: Sequence[Claim], judgements: Mapping[Claim, Judgement], book: Book = PROJECT
) -> str:
    """Returns the page; a claim without judgement is said not to be measured."""
    parts = ['# Results', _head(book, _code), summary(claims, judgements)]
    for source, mine in sections(claims).items():
        rows = [_cells(_row(claim, judgements.get(claim), source)) for claim in mine]
        lines = [f'| {" | ".join(row)} |' for row in (_COLUMNS, *rows)]
        parts += [
            f'## {_plain(source)}',
            '\n'.join([lines[0], f'|{"---|" * len(_COLUMNS)}', *lines[1:]]),
        ]
        chart = chart_of(source, book)
        if chart.exists():
            where = webpage.link(chart.relative_to(book.pages.parent))
            parts.append(f'![How far each claim is from its bound]({where})')
    return '\n\n'.join(parts) + '\n'


def html(
    claims: Sequence[Claim], judgements: Mapping[Claim, Judgement], book: Book = PROJECT
) -> str:
    """Returns the same as a page that needs nothing else."""
    parts = [
        {
            'source': source,
            'summary': (said := summary(mine, judgements)),
            'rows': [_row(claim, judgements.get(claim), source) for claim in mine],
            'chart': chart if (chart := chart_of(source, book)).exists() else None,
            'alt': f'{_CHART} {said}',
        }
        for source, mine in sections(claims).items()
    ]
    return webpage.render(
        'results.html',
        title='Results',
        introduction=_head(book, '`{}`'.format).replace('\n', ' '),
        summary=summary(claims, judgements),
        columns=_COLUMNS,
        sections=parts,
    )


def _cells(row: Sequence[str]) -> list[str]:
    """Returns a row for Markdown, its flags marked as code."""
    return [
        _code(cell) if name == 'flags' else _plain(cell)
        for name, cell in zip(_COLUMNS, row, strict=True)
    ]


def _plain(words: str) -> str:
    """Returns words of which Markdown makes no tag, no link and no column of a table."""
    return _MADE.sub(_entity, lines.shown(words))


def _code(words: str) -> str:
    """Returns words as code, in Markdown; HTML where its own marks for code are in them."""
    words = lines.shown(words)
    if not set(words) & set('`|'):
        return f'`{words}`'
    return f'<code>{_MARKS.sub(_entity, words)}</code>'


def _entity(found: re.Match[str]) -> str:
    return f'&#{ord(found[0])};'


def sections(claims: Sequence[Claim]) -> dict[str, list[Claim]]:
    """Sorts claims by the source of what they are about: an aim of ours stands there too."""
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        found.setdefault(inst.EXPERIMENTS[claim.experiment.name].source, []).append(claim)
    return found


def chart_of(source: str, book: Book = PROJECT) -> Path:
    """Returns where the chart of a source's claims is."""
    words = re.findall('[a-z0-9]+', source.lower())
    return book.charts / f'ledger_{"_".join(words[:4])}.png'


def summary(claims: Sequence[Claim], judgements: Mapping[Claim, Judgement]) -> str:
    """Counts the verdicts."""
    verdicts = [judgements[c].verdict if c in judgements else 'not yet measured' for c in claims]
    counts = {v: verdicts.count(v) for v in _VERDICTS}
    said = ', '.join(f'{n} {v}' for v, n in counts.items() if n)
    return f'{len(claims)} {"claim" if len(claims) == 1 else "claims"}: {said}.'


def told(claim: Claim, judgement: Judgement | None) -> str:
    """Returns a claim in a line for the terminal, its verdict first."""
    _, flags, measured, bound, verdict, *_ = _row(claim, judgement, claim.source)
    measured = f'{measured},' if measured else _name(claim.metric)
    return f'{verdict}: {claim.words}: {measured} wanted {bound} ({flags})'


def _row(claim: Claim, judgement: Judgement | None, source: str) -> list[str]:
    words = claim.words if claim.source == source else f'{claim.words} ({claim.source})'
    words += f'; published: {claim.published}' if claim.published else ''
    words += f'; {claim.note}' if claim.note else ''
    flags = _flags(claim.experiment)
    if judgement is None:
        return [words, flags, '', wanted(claim), 'not yet measured', str(claim.seeds), '']
    measured = f'{_name(claim.metric)} {shown(claim.metric, judgement.measured)}'
    seconds = f'{judgement.seconds:,.0f}'
    bound = wanted(claim, judgement.bound)
    return [words, flags, measured, bound, judgement.verdict, str(claim.seeds), seconds]


def _name(metric: str) -> str:
    return metric if ' / ' in metric else metric.removeprefix('test/')


def wanted(claim: Claim, bound: Mapping[str, Any] | None = None) -> str:
    """Says what the metric is compared with, and what that is where it was measured."""
    if not isinstance(claim.than, Experiment):
        return f'{claim.relation} {_number(claim.metric, claim.factor * claim.than)}'
    parts = [claim.relation] + ([f'{claim.factor:g} times'] if claim.factor != 1 else [])
    metric = claim.than_metric or claim.metric
    if claim.than != claim.experiment:
        parts.append(said(claim.than))
    if claim.than_metric:
        parts.append(_name(metric))
    if bound:
        parts.append(f'= {shown(metric, bound)}')
    return ' '.join(parts)


def said(experiment: Experiment) -> str:
    """Names an experiment, and what it varies of the one in the catalogue."""
    parts = changed(experiment, inst.EXPERIMENTS[experiment.name])
    return ' '.join([experiment.name, *(f'{name}={value}' for name, value in parts.items())])


def _flags(experiment: Experiment) -> str:
    """Returns what runs it after `python main.py`."""
    line = command(experiment, inst.EXPERIMENTS[experiment.name])
    return line.removeprefix('python main.py ')


def shown(metric: str, spread: Mapping[str, Any]) -> str:
    """Writes a mean, with the range where there is one."""
    mean = _number(metric, spread['mean'])
    least, most = (_number(metric, spread[end]) for end in ('least', 'most'))
    return mean if least == most else f'{mean} ({least} to {most})'


def _number(metric: str, value: float) -> str:
    if metric_of(metric).is_accuracy:
        return f'{value:.2%}'
    return f'{value:,.0f}' if abs(value) >= 1e4 else f'{value:.4g}'
