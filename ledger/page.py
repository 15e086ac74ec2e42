"""The ledger's page, RESULTS.md: every claim with what was measured, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import inst
from ledger.claim import Claim, Judgement
from parameters import Experiment, changed

_HEAD = """\
# Results

What the sources claim, what this project measures, and whether it holds; written by
`python main.py --mode=results`, which trains what is missing. Figures are of the test set unless
they say otherwise; each is the mean over the seeds, with the least and the greatest. A verdict
looks at the difference, seed by seed, from what it is compared with: *holds* and *fails* where the
whole 95 % interval of its mean (Student's t) lies on one side, *open* where it does not; of one
seed, the difference alone. Seconds are those of the updates of one run, on the machine named in
its file in `results/`."""
_COLUMNS = ('claim', 'run', 'measured', 'wanted', 'verdict', 'seeds', 'seconds')


def render(claims: Sequence[Claim], judgements: Mapping[Claim, Judgement]) -> str:
    """Returns the page; a claim without judgement is said not to be measured."""
    parts = [_HEAD, summary(claims, judgements)]
    sections: dict[str, list[list[str]]] = {}
    for claim in claims:
        # An aim of ours stands with the source of what it is about.
        source = inst.EXPERIMENTS[claim.experiment.name].source
        sections.setdefault(source, []).append(_row(claim, judgements.get(claim), source))
    for source, rows in sections.items():
        parts += [f'## {source}', _table([_COLUMNS, *rows])]
    return '\n\n'.join(parts) + '\n'


def summary(claims: Sequence[Claim], judgements: Mapping[Claim, Judgement]) -> str:
    """Counts the verdicts."""
    verdicts = [judgements[c].verdict if c in judgements else 'not yet measured' for c in claims]
    counts = {v: verdicts.count(v) for v in ('holds', 'fails', 'open', 'not yet measured')}
    return f'{len(claims)} claims: ' + ', '.join(f'{n} {v}' for v, n in counts.items() if n) + '.'


def _row(claim: Claim, judgement: Judgement | None, source: str) -> list[str]:
    words = claim.words if claim.source == source else f'{claim.words} ({claim.source})'
    words += f'; published: {claim.published}' if claim.published else ''
    words += f'; {claim.note}' if claim.note else ''
    run = f'`{said(claim.experiment)}`'
    if judgement is None:
        return [words, run, '', wanted(claim), 'not yet measured', str(claim.seeds), '']
    measured = f'{_name(claim.metric)} {shown(claim.metric, judgement.measured)}'
    seconds = f'{judgement.seconds:,.0f}'
    bound = wanted(claim, judgement.bound)
    return [words, run, measured, bound, judgement.verdict, str(claim.seeds), seconds]


def _name(metric: str) -> str:
    return metric if ' / ' in metric else metric.removeprefix('test/')


def wanted(claim: Claim, bound: Mapping[str, Any] | None = None) -> str:
    """Says what the metric is compared with, and what that is where it was measured."""
    if not isinstance(claim.than, Experiment):
        return f'{claim.relation} {_number(claim.metric, claim.factor * claim.than)}'
    parts = [claim.relation] + ([f'{claim.factor:g} times'] if claim.factor != 1 else [])
    metric = claim.than_metric or claim.metric
    if claim.than != claim.experiment:
        parts.append(f'`{said(claim.than)}`')
    if claim.than_metric:
        parts.append(_name(metric))
    if bound:
        parts.append(f'= {shown(metric, bound)}')
    return ' '.join(parts)


def said(experiment: Experiment) -> str:
    """Names an experiment, and what it varies of the one in the catalogue."""
    parts = changed(experiment, inst.EXPERIMENTS[experiment.name])
    return ' '.join([experiment.name, *(f'{name}={value}' for name, value in parts.items())])


def shown(metric: str, spread: Mapping[str, Any]) -> str:
    """Writes a mean, with the range where there is one."""
    mean = _number(metric, spread['mean'])
    least, most = (_number(metric, spread[end]) for end in ('least', 'most'))
    return mean if least == most else f'{mean} ({least} to {most})'


def _number(metric: str, value: float) -> str:
    if 'accuracy' in metric:
        return f'{value:.2%}'
    return f'{value:,.0f}' if abs(value) >= 1e4 else f'{value:.4g}'


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f'| {" | ".join(row)} |' for row in rows]
    return '\n'.join([lines[0], f'|{"---|" * len(rows[0])}', *lines[1:]])
