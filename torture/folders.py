"""Run folders that were edited, cut or made up, and the lines of a ledger, made by code.

A case says what is changed in a copy of a small run's folder, what is then tried with it, and which
of that must be refused.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torture.damages import (
    DEEP,
    GONE,
    LONG,
    Damage,
    at,
    both,
    config,
    cut,
    gone,
    holds,
    inside,
    kept,
    large,
    link,
    nested,
    pipe,
    put,
    state,
    swapped,
)

USES = ('evaluate', 'encode', 'reconstruct', 'score', 'predict', 'generate', 'export', 'load')
READS = ('compare', 'frames', 'page')  # these leave out what is damaged, and say so


class Case(NamedTuple):
    """What is changed in a run's folder, which run it is, what is tried, what must be refused."""

    damage: Damage
    run: str = 'done'
    tries: Sequence[str] = (*USES, *READS, 'again', 'ledger')
    refused: Sequence[str] = ()


_MUST = USES
_VALUES: dict[str, tuple[str, Any]] = {  # a value in config.json that none may have
    'booleans for widths': ('experiment.hidden', [True, 4]),
    'numbers with points for widths': ('experiment.hidden', [6.0, 4.0]),
    'text for widths': ('experiment.hidden', '6,4'),
    'no widths': ('experiment.hidden', []),
    'null for widths': ('experiment.hidden', None),
    'widths below 1': ('experiment.hidden', [0, 4]),
    'widths in lists': ('experiment.hidden', [[6], [4]]),
    'a million layers': ('experiment.hidden', lambda: [6] * 1_000_000),
    'thousands of layers': ('experiment.hidden', [6] * 5000),
    'hundreds of layers': ('experiment.hidden', [6] * 300),
    'a layer less': ('experiment.hidden', [4]),
    'a layer more': ('experiment.hidden', [6, 4, 4]),
    'other widths': ('experiment.hidden', [4, 6]),
    'the greatest widths': ('experiment.hidden', [1_000_000, 1_000_000]),
    'a width of 400 digits': ('experiment.hidden', [10**400]),
    'a seed of 400 digits': ('experiment.seed', 10**400),
    'text for the seed': ('experiment.seed', '0'),
    'a seed that is true': ('experiment.seed', True),
    'a seed with a point': ('experiment.seed', 0.5),
    'text for epochs': ('experiment.epochs', 'many'),
    'a list of epochs': ('experiment.epochs', [1]),
    'null for epochs': ('experiment.epochs', None),
    'a rate of 400 digits': ('experiment.learning_rate', 10**400),
    'a rate that is NaN': ('experiment.learning_rate', float('nan')),
    'a rate without an end': ('experiment.beta', float('inf')),
    'text for yes': ('experiment.tied', 'yes'),
    'a number for yes': ('experiment.variational', 1),
    'not variational': ('experiment.variational', False),
    'tied weights': ('experiment.tied', True),
    'no classifier': ('experiment.classify', 0.0),
    'convolutions': ('experiment.network', 'conv'),
    'an LSTM': ('experiment.network', 'lstm'),
    'a memory': ('experiment.network', 'memory'),
    'k-means': ('experiment.network', 'kmeans'),
    'a network of no kind': ('experiment.network', 'x'),
    'a network that is a list': ('experiment.network', []),
    'a loss of no kind': ('experiment.loss', {}),
    'a data set of a list': ('experiment.dataset', ['mnist']),
    'no name': ('experiment.name', GONE),
    'a number for the name': ('experiment.name', 7),
    'an object for the description': ('experiment.description', {}),
    'a name of ten million letters': ('experiment.name', lambda: 'x' * LONG),
    'a source of ten million letters': ('experiment.source', lambda: 'ü' * LONG),
    'a parent that is true': ('experiment.parent', True),
    'a parent that is empty': ('experiment.parent', {'name': 'x'}),
    'a parent that is a list': ('experiment.parent', [1]),
    'patches': ('experiment.patch_size', 3),
    'an experiment that is a list': ('experiment', [1]),
    'an experiment that is empty': ('experiment', {}),
    'no experiment': ('experiment', GONE),
    'no data': ('data', GONE),
    'data that are a list': ('data', []),
    'no shape': ('data.shape', []),
    'an empty side': ('data.shape', [0]),
    'text for the shape': ('data.shape', '36'),
    'a shape with a point': ('data.shape', [36.0]),
    'a shape that is true': ('data.shape', [True]),
    'another shape': ('data.shape', [35]),
    'a shape of 10^18': ('data.shape', [10**18]),
    'a shape of two sides': ('data.shape', [6, 6]),
    'a shape of 10^18 in two sides': ('data.shape', [10**9, 10**9]),
    'a shape of many sides': ('data.shape', lambda: [1] * 100_000 + [36]),
    'a picture that is too large': ('data.picture', [600, 600]),
    'a picture of 10^18': ('data.picture', [10**9, 10**9]),
    'a picture of one side': ('data.picture', [36]),
    'a picture of four sides': ('data.picture', [6, 2, 3, 1]),
    'a picture of two channels': ('data.picture', [6, 3, 2]),
    'a picture that is text': ('data.picture', 'ab'),
    'a frame without steps': ('data.frame', [6, 6]),
    'a class too few': ('data.classes', ['0', '1']),
    'no classes': ('data.classes', []),
    'a million classes': ('data.classes', lambda: [str(k) for k in range(1_000_000)]),
    'classes that are numbers': ('data.classes', [0, 1, 2]),
    'classes that are letters': ('data.classes', 'abc'),
    'a class of ten million letters': ('data.classes', lambda: ['a', 'b', 'c' * LONG]),
    'values that are a list': ('data.values', []),
    'values that are NaN': ('data.values.least', float('nan')),
    'columns of one number': ('data.values.columns', [[1.0]] * 36),
    'columns of text': ('data.values.columns', [['a', 'b']] * 36),
    'columns turned around': ('data.values.columns', [[1.0, 0.0]] * 36),
}  # fmt: skip
_HARMLESS = ('a rate that is NaN',)
_SOUND = {  # what may be changed without harm to what is used
    'classes by other names': config(('data.classes', ['x', 'y', 'z'])),
    'unknown fields': config(('experiment.new', 1), ('data.new', {'a': [1]})),
    'a description with escapes': config(('experiment.description', '\x1b[31m\x00\ud800')),
    'another digest': config(('data.digest', 'x' * 16)),
    'a digest of ten million letters': config(('data.digest', lambda: 'x' * LONG)),
    'a digest that is a list': config(('data.digest', [1])),
    'a key that is an object': config(('data.key', {})),
    'a key of ten million letters': config(('data.key', lambda: 'x' * LONG)),
    'no digest': config(('data.digest', GONE)),
    'a data set that nobody has': config(('experiment.dataset', 'nobodys')),
    'data that are elsewhere': config(('experiment.data_path', '/nowhere/x.npz')),
    'a path of ten million letters': config(('experiment.data_path', lambda: 'x' * LONG)),
    'a path that is a number': config(('experiment.data_path', 3)),
}
_FILES: dict[str, Callable[[str], Damage]] = {  # what may stand in the place of any file of JSON
    'empty': lambda name: holds(name, ''),
    'cut': lambda name: cut(name, 9),
    'a list': lambda name: holds(name, '[1, 2]'),
    'null': lambda name: holds(name, 'null'),
    'too deep': lambda name: holds(name, DEEP),
    'deep, and closed': lambda name: holds(name, '{"a": ' * 900 + '1' + '}' * 900),
    'bytes': lambda name: holds(name, bytes(range(256)) * 40),
    'zeros': lambda name: holds(name, b'\0' * 4096),
    'of four gigabytes': lambda name: large(name, 4 << 30),
    'a pipe': pipe,
    'a folder': inside,
    'a link to what never ends': lambda name: link(name, '/dev/zero'),
    'a link to nothing': lambda name: link(name, 'nothing'),
    'gone': gone,
}
_RESULTS = {
    'no metrics': at('results.json', ('metrics', GONE)),
    'metrics in a list': at('results.json', ('metrics', [['test/mse', 1.0]])),
    'metrics as text': at('results.json', ('metrics', {'test/mse': '0.1'})),
    'metrics that are null': at('results.json', ('metrics', {'test/mse': None})),
    'metrics that are lists': at('results.json', ('metrics', {'test/mse': [0.1]})),
    'metrics that are true': at('results.json', ('metrics', {'test/mse': True})),
    'metrics of 400 digits': at('results.json', ('metrics', {'test/mse': 10**400})),
    'metrics of other names': at('results.json', ('metrics', {'a': 1, '/': 2, 'b/c/d': 3})),
    'a metric of ten million letters': at('results.json', ('metrics', lambda: {'x' * LONG: 1.0})),
    'a million metrics': at('results.json', (
        'metrics', lambda: {f'test/{k}': 1 for k in range(10**6)})),
    'no seconds': at('results.json', ('seconds', GONE)),
    'seconds as text': at('results.json', ('seconds', 'few')),
    'seconds that are NaN': at('results.json', ('seconds', float('nan'))),
    'no data set': at('results.json', ('dataset', GONE)),
    'a data set in a list': at('results.json', ('dataset', ['x'])),
    'parameters as text': at('results.json', ('parameters', 'many')),
    'updates that are null': at('results.json', ('updates', None)),
    'phases in a list': at('results.json', ('phases', [1])),
    'phases of nothing': at('results.json', ('phases', {'joint': {}})),
    'phases as text': at('results.json', ('phases', {'joint': dict(
        epochs='a', best_epoch='b', best='c', last='d', overfits=True, advised='e')})),
    'an experiment in a list': at('results.json', ('experiment', ['vae'])),
    'a seed that is text': at('results.json', ('seed', 'x')),
    'a study': holds('results.json', '{"study": "x", "points": []}'),
}  # fmt: skip
_SHOWN = ('again', *READS, 'ledger')
_ENVIRONMENT = {
    'values in lists': holds('environment.json', '{"cpus": [1], "python": {"a": 1}}'),
    'words of ten million letters': holds('environment.json', lambda: f'{{"cpu": "{"x" * LONG}"}}'),
    'a million of them': holds(
        'environment.json', lambda: json.dumps({f'x{k}': 1 for k in range(1_000_000)})
    ),
    'escapes': holds('environment.json', '{"cpu": "\\u001b[31m\\ud800"}'),
    'a number of 5,000 digits': holds('environment.json', f'{{"cpus": {"9" * 5000}}}'),
}
_TABLE = {
    'empty': holds('metrics.csv', ''),
    'a header alone': holds('metrics.csv', 'phase,epoch,step,seconds,examples_per_second\r\n'),
    'no step': swapped('metrics.csv', b'step', b'stop'),
    'a step that is NaN': swapped('metrics.csv', rb'joint,1,\d+,', b'joint,1,nan,'),
    'a step of 400 digits': swapped('metrics.csv', rb'1,\d+,', b'1,' + b'9' * 400 + b','),
    'a step with a point': swapped('metrics.csv', rb'joint,1,\d+,', b'joint,1,1.5,'),
    'a step below 0': swapped('metrics.csv', rb'joint,1,\d+,', b'joint,1,-1,'),
    'an epoch that is text': swapped('metrics.csv', b'joint,1,', b'joint,one,'),
    'no UTF-8': swapped('metrics.csv', b'joint', b'j\xff\xfe'),
    'zeros': swapped('metrics.csv', b'joint', b'j\0\0'),
    'a cell of megabytes': swapped('metrics.csv', b'joint', b'j', LONG),
    'a cell of many letters': swapped('metrics.csv', b'joint', b'j' * 100_000),
    'a quote that is not closed': swapped('metrics.csv', b'joint', b'"joint'),
    'a half written last row': cut('metrics.csv', 4),
    'a last row without its end': cut('metrics.csv', 2),
    'a half written last row of few cells': lambda run: put(
        run / 'metrics.csv', (run / 'metrics.csv').read_bytes() + b'joint,3,1'),
    'a row too short': swapped('metrics.csv', rb'joint,1,\d+,', b'joint,1,1\r\njoint,1,1,'),
    'a row too long': swapped('metrics.csv', rb'joint,1,\d+,', b'joint,1,1,0,0,0,0,0,0,0,0,'),
    'a loss that is text': swapped('metrics.csv', rb'joint,1,\d+,', b'joint,1,1,fast,'),
    'columns twice': swapped('metrics.csv', b'epoch', b'step'),
    'a column that leads out': swapped('metrics.csv', b'train/', b'../'),
    'a column of no split': swapped('metrics.csv', b'train/mse', b'loss'),
    'other separators': lambda run: put(
        run / 'metrics.csv', (run / 'metrics.csv').read_bytes().replace(b',', b';')),
    'a million columns': holds('metrics.csv', lambda: 'a,' * 1_000_000),
    'ten million rows': holds('metrics.csv', lambda:
        'phase,epoch,step,seconds,examples_per_second\r\n' + 'joint,1,1,1,1\r\n' * LONG),
    'no rows of the phase': swapped('metrics.csv', rb'joint,1,\d+,', b'other,1,1,'),
    'of four gigabytes': large('metrics.csv', 4 << 30),
    'a pipe': pipe('metrics.csv'),
    'a folder': inside('metrics.csv'),
    'a link to what never ends': link('metrics.csv', '/dev/zero'),
    'gone': gone('metrics.csv'),
}  # fmt: skip
_NEWEST = 'checkpoints/newest.json'
_STATES = {
    'a phase that there is not': state(phase=99),
    'a phase below 0': state(phase=-1),
    'a phase as text': state(phase='0'),
    'a phase that is true': state(phase=True),
    'a step with a point': state(step=2.0, before=0.0),
    'steps beyond the end': state(step=10**9, before=2 - 10**9),
    'sums as text': state(sums=['a']),
    'sums that are NaN': state(sums=[float('nan')]),
    'many sums': state(sums=[0.0] * 50),
    'a sum for nothing': state(sums=None),
    'seconds as text': state(seconds='few'),
    'a best that is text': state(best='a', best_epoch='b'),
    'over as text': state(over='no'),
    'an unknown key': state(more=1),
}
_KEPT: dict[str, Damage] = {
    'an empty line': kept(lambda line: ''),
    'a list': kept(lambda line: [1]),
    'no metrics': kept(lambda line: {k: v for k, v in line.items() if k != 'metrics'}),
    'metrics that are NaN': kept(lambda line: line | {'metrics': {'test/mse': float('nan')}}),
    'metrics that are null': kept(lambda line: line | {'metrics': {'test/mse': None}}),
    'metrics without an end': kept(lambda line: line | {'metrics': {'test/mse': float('inf')}}),
    'seconds as text': kept(lambda line: line | {'seconds': 'few'}),
    'no seconds': kept(lambda line: {k: v for k, v in line.items() if k != 'seconds'}),
    'a name of ten million letters': kept(lambda line: line | {'experiment': 'x' * LONG}),
    'bytes': kept(lambda line: bytes(range(128, 256))),
    'zeros': kept(lambda line: b'\0' * 100),
    'too deep': kept(lambda line: DEEP),
    'deep, and closed': kept(lambda line: json.dumps(line)[:-1]
        + ', "x": ' + '[' * 900 + ']' * 900 + '}'),
    'a line of 80 MB': kept(lambda line: 'x' * 80_000_000),
    'a pipe': pipe('mine-results/runs.jsonl'),
    'a folder': inside('mine-results/runs.jsonl'),
    'a link to what never ends': link('mine-results/runs.jsonl', '/dev/zero'),
    'a history that is a pipe': pipe('mine-results/histories.jsonl'),
    'a history in a list': kept(lambda line: [1], 'histories.jsonl'),
    'a history of numbers': kept(lambda line: line | {'history': {'epoch': [1]}},
        'histories.jsonl'),
}  # fmt: skip
CASES: dict[str, Case] = {}
for _name, _change in _VALUES.items():
    _must = () if _name in _HARMLESS else _MUST
    CASES[f'config: {_name}'] = Case(config(_change), refused=_must)
for _name, _damage in _SOUND.items():
    CASES[f'config: {_name}'] = Case(_damage)
for _name, _made in _FILES.items():
    CASES[f'config: {_name}'] = Case(_made('config.json'), refused=_MUST)
    _needs = () if _name == 'gone' else ('ledger',)  # after which it is made again
    CASES[f'results: {_name}'] = Case(_made('results.json'), refused=_needs)
    CASES[f'environment: {_name}'] = Case(_made('environment.json'), tries=('again', 'ledger'))
    CASES[f'environment: {_name}, and no page'] = Case(
        both(_made('environment.json'), gone('report.html')), tries=('again',)
    )
    CASES[f'newest checkpoint: {_name}'] = Case(_made(_NEWEST), 'begun', ('resume',))
for _name, _damage in _RESULTS.items():
    CASES[f'results: {_name}'] = Case(_damage, tries=_SHOWN)
    CASES[f'results: {_name}, and no page'] = Case(
        both(_damage, gone('report.html')), tries=('again',)
    )
for _name, _damage in _ENVIRONMENT.items():
    CASES[f'environment: {_name}'] = Case(_damage, 'begun', ('resume',))
    CASES[f'environment: {_name}, and no page'] = Case(
        both(_damage, gone('report.html')), tries=('again',)
    )
for _name, _damage in _TABLE.items():
    CASES[f'metrics: {_name}'] = Case(
        _damage, 'begun', ('compare', 'frames', 'ledger', 'sibling', 'resume')
    )
for _name, _damage in _STATES.items():
    CASES[f'position: {_name}'] = Case(_damage, 'begun', ('resume',))
for _name, _damage in _KEPT.items():
    CASES[f'ledger: {_name}'] = Case(_damage, 'kept', ('report',))
_GOES_ON = {
    'text for epochs': ('experiment.epochs', 'two'),
    'epochs that are null': ('experiment.epochs', None),
    'epochs in a list': ('experiment.epochs', [2]),
    'epochs that are true': ('experiment.epochs', True),
    'text for the seed': ('experiment.seed', 'x'),
    'text for the rate': ('experiment.learning_rate', 'x'),
    'another rate': ('experiment.learning_rate', 0.5),
    'an experiment in a list': ('experiment', []),
    'no experiment': ('experiment', GONE),
    'data in a list': ('data', []),
    'a digest in a list': ('data.digest', [1]),
    'a digest of ten million letters': ('data.digest', lambda: 'x' * LONG),
    'another key': ('data.key', 'x'),
    'a picture of one side': ('data.picture', [36]),
    'classes of ten million letters': ('data.classes', lambda: ['x' * LONG, 'b', 'c']),
    'widths of 400 digits': ('experiment.hidden', [10**400]),
    'a million layers': ('experiment.hidden', lambda: [3] * 1_000_000),
    'a parent in a list': ('experiment.parent', [1]),
    'a checksum in a list': ('parent', [1]),
}
for _name, _change in _GOES_ON.items():
    CASES[f'goes on: {_name}'] = Case(config(_change), 'begun', ('sibling', 'resume'))
for _name, _made in _FILES.items():
    CASES[f'goes on: config {_name}'] = Case(_made('config.json'), 'begun', ('sibling', 'resume'))
for _name, _shape in {
    'more steps': [9, 6],
    'a million steps': [1_000_000, 6],
    '10^8 steps': [10**8, 6],
    'wider steps': [6, 7],
    'steps of three sides': [6, 3, 2],
    'no steps': [36],
}.items():
    CASES[f'sequences: {_name}'] = Case(
        config(('data.shape', _shape), ('data.picture', [])), 'steps', USES, USES
    )
CASES |= {
    'sequences: thousands of layers': Case(
        config(('experiment.hidden', [3] * 2000)), 'steps', USES, USES
    ),
    'sequences: 90 layers': Case(config(('experiment.hidden', [3] * 90)), 'steps', USES, USES),
    'sequences: predictions': Case(
        config(('experiment.task', 'composite'), ('experiment.future', 3)), 'steps', USES, USES
    ),
    'maps: flat': Case(config(('data.shape', [36])), 'maps', USES, USES),
    'maps: other channels': Case(
        config(('data.shape', [6, 6, 3]), ('data.picture', [6, 6, 3])), 'maps', USES, USES
    ),
    'maps: of 10^16': Case(
        config(('data.shape', [10**8, 10**8, 1]), ('data.picture', [10**8, 10**8])),
        'maps', USES, USES,
    ),
    'maps: a large side': Case(
        config(('data.shape', [6000, 6000, 1]), ('data.picture', [6000, 6000])),
        'maps', USES, USES,
    ),
    'maps: thousands of layers': Case(
        config(('experiment.filters', [3] * 3000)), 'maps', USES, USES
    ),
    'maps: a class too few': Case(config(('data.classes', ['0', '1'])), 'maps', USES, USES),
    **{
        f'config: {depth} parents': Case(nested(depth), refused=_MUST) for depth in (3, 40, 300)
    },
    'weights: a pipe for the index': Case(pipe('model.index'), tries=(*USES, 'parent')),
    'weights: a pipe for the data': Case(
        pipe('model.data-00000-of-00001'), tries=(*USES, 'parent')
    ),
    'weights: a pipe for the graph': Case(pipe('model.meta'), tries=(*USES, 'parent')),
    'weights: no graph': Case(gone('model.meta'), tries=(*USES, 'parent')),
    'weights: of another run': Case(
        lambda run: [shutil.copy(file, run) for file in (run.parent / 'maps').glob('model.*')],
        tries=USES, refused=USES,
    ),
    'writes: a file for the evaluation': Case(
        lambda run: put(run / f'evaluation-{_key(run)}', b''),
        tries=('evaluate',),
    ),
    'writes: a link for the exports': Case(
        lambda run: (run / 'export').symlink_to('..'), tries=('export',), refused=('export',)
    ),
    'writes: a link for the figures': Case(
        both(lambda run: shutil.rmtree(run / 'figures', ignore_errors=True),
             lambda run: (run / 'figures').symlink_to('..')), 'begun', tries=('resume',)
    ),
    'writes: a pipe for the lock': Case(pipe('.lock'), 'begun', tries=('resume',)),
    'a checkpoint with a pipe': Case(
        lambda run: os.mkfifo(next((run / 'checkpoints').glob('[0-9]*')) / 'more'),
        'begun', ('sibling', 'resume'),
    ),
}  # fmt: skip
PARENTS = {  # a file of a finished parent -> what is done to it
    f'{file}: {name}': made(f'{file}.json')
    for file in ('config', 'results')
    for name, made in _FILES.items()
    if name in ('empty', 'a list', 'too deep', 'bytes', 'a pipe', 'a folder')
} | {
    'config: text for epochs': config(('experiment.epochs', 'x')),
    'config: a list for the experiment': config(('experiment', [])),
    'config: a picture of one side': config(('data.picture', [36])),
}
for _name, _damage in PARENTS.items():
    CASES[f'a parent, {_name}'] = Case(_damage, 'family', ('child',))


def _key(run: Path) -> str:
    """Returns what a run calls its data."""
    return str(json.loads((run / 'config.json').read_text())['data']['key'])
