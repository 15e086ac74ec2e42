"""A cluster by TF_CONFIG: this process's place in it, its server, and what all must have alike.

TensorFlow's runtime does the talking: collective operations between the graphs.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow.compat.v1 as tf

from networks import session as sessions
from parameters import Experiment
from system import listening
from system.errors import UsageError
from system.interrupts import Interrupts
from system.lines import say
from system.quiet import unheard
from train.folder import Place
from train.team import ALONE, Team
from train.watch import Watch

VARIABLE = 'TF_CONFIG'
_ADDRESS = re.compile(r'(?P<host>[^\s:/]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})')
_LOOPBACK = re.compile(r'localhost|127\.[0-9.]+|\[::1\]')
_EXAMPLE = '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'


def named(environ: Mapping[str, str]) -> Team:
    """Returns the team that TF_CONFIG names; raises UsageError for one that it cannot be."""
    text = environ.get(VARIABLE, '')
    if not text.strip():
        return ALONE
    try:
        addresses, index = _read(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = str(error) if isinstance(error, _Refused) else f'is not of the form {_EXAMPLE}'
        raise UsageError(f'{VARIABLE}: {reason}') from None
    return Team(index, addresses)


class _Refused(ValueError):
    """Something in TF_CONFIG that has the form, and cannot be."""


def _read(config: Any) -> tuple[tuple[str, ...], int]:
    jobs, task = dict(config['cluster']), config['task']
    if others := sorted(jobs.keys() - {'chief', 'worker'}):
        raise _Refused(f'the job {others[0]!r}: allowed are worker, and a chief before it')
    chiefs, workers = (list(jobs.get(name, ())) for name in ('chief', 'worker'))
    addresses = [*chiefs, *workers]
    for address in addresses:
        found = _ADDRESS.fullmatch(address)
        if not found or not 0 < int(found['port']) < 65536:
            raise _Refused(f'{address!r} must be host:port')
    if len({*addresses}) < len(addresses) or len(chiefs) > 1 or not addresses:
        raise _Refused('each worker needs an address of its own, and one of them is the chief')
    of_kind = {'chief': chiefs, 'worker': workers}.get(task['type'])
    index = task['index']
    if of_kind is None or type(index) is not int or not 0 <= index < len(of_kind):
        raise _Refused(f'the task {task["type"]!r} {index!r} must be one of the cluster')
    return tuple(addresses), index + (len(chiefs) if task['type'] == 'worker' else 0)


def refuse(environ: Mapping[str, str], what: str) -> None:
    """Raises UsageError where TF_CONFIG names several workers, for what is not one run."""
    if named(environ).size > 1:
        raise UsageError(f'{VARIABLE}: has no effect on {what}; its workers compute one run')


def require(environ: Mapping[str, str], what: str) -> None:
    """Raises UsageError where TF_CONFIG names no other worker, for what is about these."""
    if named(environ).size == 1:
        raise UsageError(f'{what} has no effect without {VARIABLE}, which names several workers')


def _serve(team: Team) -> None:
    """Starts this worker's server, and says that it is one.

    TensorFlow's server listens on all interfaces, whatever its address. Where all workers are of
    this machine it is kept from others, before it answers anybody.
    """
    answer = sessions.serve(team.addresses, team.index)
    local = all(_LOOPBACK.fullmatch(address.rpartition(':')[0]) for address in team.addresses)
    port = team.addresses[team.index].rpartition(':')[2]
    is_kept = local and listening.keep_to_this_machine(int(port))
    team.open()
    answer()
    if not team.is_chief:
        say(f'{team.named(team.index)} of {team.size}: the chief writes and prints')
        return
    say(f'{team.size} workers, this is the chief: {", ".join(team.addresses)}')
    if not is_kept:
        reach = 'this machine' if local else 'this network'
        say(
            f"warning: TensorFlow's server takes port {port} of all interfaces, without asking who "
            f'calls; whoever reaches it from outside of {reach} can run operations here'
        )


def in_parts(experiment: Experiment, team: Team) -> Experiment:
    """Returns the experiment, and its parents, with batches in a part a worker at least.

    Raises UsageError where so many parts cannot be shared out evenly.
    """
    changes: dict[str, Any] = {}
    if isinstance(experiment.parent, Experiment):
        changes['parent'] = in_parts(experiment.parent, team)
    if experiment.parts < team.size:
        changes['parts'] = team.size
        say(f'{experiment.name}: parts={team.size}, one a worker')
    elif experiment.parts % team.size:
        raise UsageError(
            f'parts={experiment.parts}: must be a multiple of {team.size}, the number of workers'
        )
    return experiment.vary(**changes)


@contextmanager
def at_work(team: Team, place: Place, seconds: float) -> Iterator[Place]:
    """Makes this process a worker for as long as the context lasts; gives where its runs are.

    Those of a worker that has a chief are in a folder that goes again, and what it prints is not
    heard. Raises Lost where one of the others does not come, and what another has ended by, or a
    signal that it has had, here too; where one has not answered for so many seconds, the process
    ends with a line and exit code 6.
    """
    with Interrupts() as interrupts:
        _serve(team)
        watch = Watch(team, seconds)
        with watch.kept():
            watch.meet(interrupts.check)
            if team.is_chief:
                yield place
                return
            with tempfile.TemporaryDirectory(prefix='worker-') as folder, unheard():
                watch.removes.append(Path(folder))
                yield dataclasses.replace(place, runs=Path(folder), run_dir=None, figures=False)


def versions(experiment: Experiment, place: Place) -> dict[str, object]:
    """Returns what all workers must have the same, besides their data."""
    root = Path(__file__).parent.parent
    files = sorted(f for f in root.glob('*/*.py') if f.parent.name not in ('tests', 'bench'))
    code = hashlib.sha256(b''.join(file.read_bytes() for file in [*root.glob('*.py'), *files]))
    return {
        'experiment': json.dumps(_without_place(experiment.resolved()), sort_keys=True),
        'choice of --restart and --tune': (place.restart, place.tune),
        'version of this program': code.hexdigest(),
        'TensorFlow': tf.__version__,
    }


def _without_place(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns an experiment's fields without where its data lie, which is each machine's affair."""
    parent = fields.get('parent')
    kept = {name: value for name, value in fields.items() if name != 'data_path'}
    return kept | ({'parent': _without_place(parent)} if isinstance(parent, dict) else {})


def compare(team: Team, found: Mapping[str, object]) -> None:
    """Raises UsageError, on all workers, where one has something else than the chief."""
    if team.size == 1:
        return
    hashes = [hashlib.sha256(repr(value).encode()).hexdigest() for value in found.values()]
    chiefs, *others = team.table(*(int(digits[:12], 16) for digits in hashes))
    for index, theirs in enumerate(others, 1):
        for name, wanted, has in zip(found, chiefs, theirs, strict=True):
            if has != wanted:
                raise UsageError(
                    f'{team.named(index)} has another {name} than the chief, {team.addresses[0]}'
                )
