"""What the program says of an experiment or a study: its line in the list, and all its values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from command_line import described
from parameters import Experiment
from studies.study import Study

if TYPE_CHECKING:
    from typing_extensions import TypeIs


def is_study(value: Experiment | Study) -> TypeIs[Study]:
    """Whether it is several runs."""
    return isinstance(value, Study)


def line(name: str, value: Experiment | Study) -> str:
    """Returns what the list of the catalogue says of it."""
    kind = f' (study of {len(value.points())} x {value.seeds} runs)' if is_study(value) else ''
    return f'{name:32} {value.description}{kind} [{value.source}]'


def description(value: Experiment | Study) -> str:
    """Returns what decides its runs as JSON, and last `fields`, a line each, with their meanings.

    Of a study, the arms have the values.
    """
    if is_study(value):
        fields = {name: field for arm in value.arms for name, field in described(arm).items()}
        fields = {n: {k: v for k, v in f.items() if k != 'value'} for n, f in fields.items()}
    else:
        fields = described(value)
    width = max(map(len, fields)) + 3
    lines = [f'    {f"{json.dumps(n)}:":{width}} {json.dumps(f)}' for n, f in fields.items()]
    whole = json.dumps(value.resolved(), indent=2).removesuffix('\n}')
    return f'{whole},\n  "fields": {{\n' + ',\n'.join(lines) + '\n  }\n}'
