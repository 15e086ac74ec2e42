"""The ledger's page: every claim with what was measured, and the verdict, as Markdown or HTML."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import inst
from command_line import changed, command
from ledger.book import PROJECT, Book
from ledger.claim import Claim, data_of, metric_of
from ledger.verdicts import Judgement, false_discovery_rates
from parameters import Experiment
from reports import html as webpage
from system import lines

_PROJECTS = """\
What the sources claim, what this project measures, and whether it holds; written by
`python main.py --mode=results`, which trains what is missing. {glossary} says what each metric is.
The chapters tell the same in words and pictures: {chapters}.
What of the informal sources has no row here, and why, is in {sources}."""
_OWN = """\
What {inst} claims, what was measured, and whether it holds; written by
{command}, which trains what is missing."""
MARK = b'and whether it holds; written by'  # in the first lines of every page
_CHAPTERS = ('tied', 'constraints', 'pictures', 'sequences', 'papers')
_EXPLAINED = {  # what the columns have in them, and the chart
    'claim': """what somebody says, whose words are the title of the section or in brackets;
        then, if so, the figure that was published, and what else one should know.""",
    'data': """what the run was trained and scored on.""",
    'flags': """what repeats the run, after `python main.py`, with `--seed`.""",
    'measured': """of the test set, unless it says otherwise: the mean over the seeds, the least
        and the greatest; errors of 1.28 % are told as an accuracy of 98.72 %. All seeds are
        scored on one test set: of an accuracy of 98.7 % on 10,000 digits the standard error by
        the choice of that set is 0.11 points, of 71 % on 10,000 pictures of CIFAR-10 0.45, on 289
        photographs of 96 % 1.1 and of 70 % 2.7, which no seeds show.""",
    'verdict': """looks at the difference, seed by seed, from what is wanted. *holds* and
        *fails*: the whole 95 % interval of its mean (Student's t) lies on one side; *open*: it
        does not. Where six seeds or more differ by what is not Gaussian (Shapiro and Wilk, p
        below 0.05), Wilcoxon's signed ranks decide, but for equalities. An equality *holds*
        where the interval is within its margin, and is *better* where all of it is beyond on
        the good side. One seed decides where the difference is three times what nine in ten
        runs of its kind deviate by over their seeds (of less than ten, what all do; of two
        arms, the root of both squares), and is *open* otherwise. That deviation is taken
        relative to the value, of accuracies to the errors, of decibels as it is. A kind is a
        kind of network on the same data (of pictures at any size, so that 224x224 goes by
        112x112), trained for a tenth to ten times as many updates, or,
        where less than three such runs are known, for any number of them; where these are less
        than three, too, what such networks deviate by on any data, or any networks on these,
        whichever is more; where one of the two is not known, what any network does, too.""",
    'q': """of the verdicts at least as sure as this one, at most this share is expected to be
        wrong (Benjamini and Hochberg, as if rows had no runs in common, which many have); none
        is said of equalities, of one seed, of every seed by itself, and of rows that were asked,
        or given their margin or seeds, when their figures could be seen.""",
    'seeds': """how many the verdict rests on, of how many that are wanted; of one, in brackets,
        how far it must be from what is wanted to decide. A row is read as its seeds come in, but
        how many are wanted goes by what it is about, not by what the first ones showed; where
        it did, the claim says so.""",
    'seconds': """those of the updates of one run, the mean over the seeds, on machines that did
        other things too; versions and CPUs are in the runs' files in {results}.""",
    'chart': """below each table: a line for each claim whose bound is above zero, so that there
        is a quotient, with a mark for each seed; hollow where there is one.""",
}
_PAPERS = """\
Figures that the papers published are from their own text, at the table that is named, or from the
paper that is named. CIFAR-10 is read from JPEG files of quality 75 whose colour has half the
resolution, not from the original pictures: on these the figures would be others. Iris has no test
rows of its own: all are trained and scored on."""
_CHART = (
    'A line for each claim, with a mark for each seed that is right of the bound where it is '
    'better than what is claimed, and left of it where it is worse.'
)
_TYPED = ('data', 'flags')
_COLUMNS = ('claim', 'data', 'flags', 'measured', 'wanted', 'verdict', 'q', 'seeds', 'seconds')
_MADE = re.compile(r'\||<(?=[a-z/!?])|(?<=\])[(\[]', re.IGNORECASE)  # what makes something of words
_MARKS = re.compile(r'[^\w \-=./,]')
_MANY = 20  # verdicts from which on some must be expected to be wrong
_SURE = 0.05
_SMALL = 0.001
_VERDICTS = ('holds', 'better', 'fails', 'open', 'not yet measured')


def _head(book: Book, code: Callable[[str], str], link: Callable[[str], str]) -> list[str]:
    """Returns the paragraphs at the top; `code` marks words as such, `link` what names a file."""
    if book.inst:
        asked = shlex.join(['python', 'main.py', f'--inst={book.inst}', '--mode=results'])
        return [_OWN.format(inst=code(book.inst), command=code(asked))]
    chapters = ', '.join(link(f'docs/{name}.md') for name in _CHAPTERS)
    files = {'glossary': link('docs/glossary.md'), 'sources': link('docs/sources.md')}
    return [_PROJECTS.format(chapters=chapters, **files), _PAPERS]


def _explained(book: Book, code: Callable[[str], str]) -> dict[str, str]:
    """Returns what the columns have in them, each in a line."""
    results = code(f'{book.results.name}/')
    return {
        name: ' '.join(words.split()).format(results=results) for name, words in _EXPLAINED.items()
    }


def markdown(
    claims: Sequence[Claim], judgements: Mapping[Claim, Judgement], book: Book = PROJECT
) -> str:
    """Returns the page; a claim without judgement is said not to be measured."""
    columns = [f'- **{name}**: {words}' for name, words in _explained(book, _code).items()]
    parts = ['# Results', *_head(book, _code, lambda file: f'[{file}]({file})')]
    parts += ['\n'.join(columns), summary(claims, judgements)]
    rates = false_discovery_rates(judgements)
    for source, mine in sections(claims).items():
        rows = [
            _cells(_row(claim, judgements.get(claim), source, rates.get(claim))) for claim in mine
        ]
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
    rates = false_discovery_rates(judgements)
    parts = [
        {
            'source': source,
            'summary': (said := summary(mine, judgements)),
            'rows': [
                _row(claim, judgements.get(claim), source, rates.get(claim)) for claim in mine
            ],
            'chart': webpage.embedded(book.charts, Path(chart_of(source, book).name)),
            'alt': f'{_CHART} {said}',
        }
        for source, mine in sections(claims).items()
    ]
    return webpage.render(
        'results.html',
        title='Results',
        introduction=[
            words.replace('\n', ' ') for words in _head(book, '`{}`'.format, '`{}`'.format)
        ],
        explained=_explained(book, '`{}`'.format),
        summary=summary(claims, judgements),
        columns=_COLUMNS,
        typed=_TYPED,
        sections=parts,
    )


def _cells(row: Sequence[str]) -> list[str]:
    """Returns a row for Markdown, what can be typed marked as code."""
    return [
        _code(cell) if name in _TYPED else _plain(cell)
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
    words = re.findall('[a-z0-9]+', source.lower())[:4]
    if book.inst:  # whose sources may begin alike, or have other letters
        words.append(hashlib.sha256(source.encode(errors='surrogatepass')).hexdigest()[:6])
    return book.charts / f'ledger_{"_".join(words)}.png'


def summary(claims: Sequence[Claim], judgements: Mapping[Claim, Judgement]) -> str:
    """Counts the verdicts."""
    mine = {claim: judgements[claim] for claim in claims if claim in judgements}
    verdicts = [mine[c].verdict if c in mine else 'not yet measured' for c in claims]
    counts = {v: verdicts.count(v) for v in _VERDICTS}
    said = ', '.join(f'{n} {v}' for v, n in counts.items() if n)
    said = f'{len(claims)} {"claim" if len(claims) == 1 else "claims"}: {said}.'
    rates = false_discovery_rates(judgements)
    decided = [q for c, q in rates.items() if c in mine and mine[c].verdict != 'open']
    if len(decided) < _MANY:
        return said
    sure = sum(q <= _SURE for q in decided)
    firm = {c: j for c, j in mine.items() if j.verdict != 'open'}
    alone = sum(j.seeds == 1 for j in firm.values())
    later = sum(j.seeds > 1 and not c.is_beforehand for c, j in firm.items())
    wrong = f'at most about {_SURE * sure:.0f} of which are expected to be wrong'
    return (
        f'{said} Of {len(decided)} that several seeds decided together, of what was asked before '
        f'its runs were there, {sure} have a q of at most {_SURE}, {wrong}. Nothing like it is '
        f'known of {later} that were asked, or given their margin or seeds, later, and of {alone} '
        'decided by one seed.'
    )


def told(claim: Claim, judgement: Judgement | None) -> str:
    """Returns a claim in a line for the terminal, its verdict first."""
    row = dict(zip(_COLUMNS, _row(claim, judgement, claim.source), strict=True))
    measured = row['measured']
    measured = f'{measured},' if measured else _name(claim.metric)
    return f'{row["verdict"]}: {claim.words}: {measured} wanted {row["wanted"]} ({row["flags"]})'


def _row(
    claim: Claim, judgement: Judgement | None, source: str, rate: float | None = None
) -> list[str]:
    words = claim.words if claim.source == source else f'{claim.words} ({claim.source})'
    words += f'; published: {claim.published}' if claim.published else ''
    words += f'; {claim.note}' if claim.note else ''
    what = [words, data_of(claim.experiment), _flags(claim.experiment)]
    if judgement is None:
        return [*what, '', wanted(claim), 'not yet measured', '', str(claim.seeds), '']
    name = _name(claim.metric)
    colon = ':' if ' ' in name else ''  # 'accuracy 90%', 'accuracy at epoch 50: 90%'
    measured = f'{name}{colon} {shown(claim.metric, judgement.measured)}'
    seconds = f'{judgement.seconds:,.0f}'
    bound = wanted(claim, judgement.bound)
    seeds = str(claim.seeds)
    if judgement.seeds < claim.seeds:
        seeds = f'{judgement.seeds} of {seeds}'
    if judgement.reach is not None and math.isfinite(judgement.reach):
        seeds += f' ({_difference(claim.metric, judgement.reach)})'
    q = '' if rate is None else f'{rate:.3f}' if rate >= _SMALL else f'< {_SMALL}'
    return [*what, measured, bound, judgement.verdict, q, seeds, seconds]


def _name(metric: str) -> str:
    return metric if ' / ' in metric else metric.removeprefix('test/')


def wanted(claim: Claim, bound: Mapping[str, Any] | None = None) -> str:
    """Says what the metric is compared with, and what that is where it was measured."""
    within = f', to {claim.margin:.2g} of it' if claim.margin else ''
    if not isinstance(claim.than, Experiment):
        number = claim.bound(claim.than)
        return f'{claim.sign} {_number(claim.metric, number)}{within}'
    parts = [claim.sign] + ([f'{claim.factor:g} times'] if claim.factor != 1 else [])
    metric = claim.than_metric or claim.metric
    if claim.than != claim.experiment:
        parts.append(said(claim.than))
    if claim.than_metric:
        parts.append(_name(metric))
    if claim.plus:
        parts.append(f'plus {_difference(metric, claim.plus)}')
    if bound:
        parts.append(f'= {shown(metric, bound)}')
    return f'{" ".join(parts)}{within}'


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


def _difference(metric: str, value: float) -> str:
    if metric_of(metric).is_accuracy:
        return f'{100 * value:.2f} points'
    return _number(metric, value)


def _number(metric: str, value: float) -> str:
    if metric_of(metric).is_accuracy:
        return f'{value:.2%}'
    return f'{value:,.0f}' if abs(value) >= 1e4 else f'{value:.4g}'
