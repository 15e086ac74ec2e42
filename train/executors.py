"""What runs several commands at once: processes of this machine, or the workers of Dask.

Both take a command and give a `concurrent.futures` future of its outcome.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import math
import os
import queue
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

from system import disk
from system.errors import Lost, UsageError, UserError
from system.lines import say
from train import command
from train.command import Command, Outcome

_ADDRESS = re.compile(r'(tcp|tls)://(?P<host>\[[^]]+\]|[^:/\s]+):(?P<port>\d{1,5})')
_FORM = 'tcp://host:8786 or the file that `dask scheduler --scheduler-file` writes'
_CONNECT_SECONDS = 3.0
_LOOK_SECONDS = 2.0  # between looks for workers
_POLL_SECONDS = 0.2
_RESOURCE = 'cores'  # by which name workers offer them


class Executing(NamedTuple):
    """What takes commands while it is open."""

    submit: Callable[[Command, str], Future[Outcome]]  # a command, and what it is called
    outcome: Callable[[Future[Outcome]], Outcome]  # of one that is done; raises UserError
    at_once: Callable[[], int]  # how many run
    look: Callable[[], object]  # for what is to be said meanwhile


def reached(scheduler: str | None, with_jobs: bool = False) -> str:
    """Returns the address of the scheduler that a flag names, which listens; '' of no flag.

    Raises UsageError for one that cannot be used, or where --jobs is given too.
    """
    if not scheduler:
        return ''
    if with_jobs:
        raise UsageError('--jobs has no effect with --scheduler: each worker thread takes a run')
    if not find_spec('distributed'):
        raise UsageError(
            '--scheduler needs Dask, which is not installed: '
            'python -m pip install -r requirements-cluster.txt'
        )
    import asyncio  # a tenth of what --list takes

    address = scheduler if '://' in scheduler else _address_in(scheduler)
    found = _ADDRESS.fullmatch(address)
    if not found or not 0 < int(found['port']) < 65536:
        raise UsageError(f'--scheduler={scheduler}: must be {_FORM}')
    try:
        place = found['host'].strip('[]'), int(found['port'])
        socket.create_connection(place, timeout=_CONNECT_SECONDS).close()
        kind = asyncio.run(_kind_of(address))
    except (OSError, UnicodeError, RuntimeError, TypeError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or str(error) or type(error).__name__
        raise UsageError(_absent(address, reason)) from None
    if kind != 'Scheduler':
        raise UsageError(_absent(address, f'it is a {kind}'))
    return address


async def _kind_of(address: str) -> str:
    """Returns what of Dask answers; a client alone would wait for ever for a port that is mute."""
    import asyncio

    from distributed import Security
    from distributed.core import rpc

    _hush()
    arguments = Security().get_connection_args('client')
    async with rpc(address, timeout=_CONNECT_SECONDS, connection_args=arguments) as answering:
        found = await asyncio.wait_for(answering.identity(), _CONNECT_SECONDS)
    return str(found.get('type'))


def _hush() -> None:
    """Keeps Dask from printing: what goes wrong is said in a line of the program's own."""
    for name in ('asyncio', 'distributed', *logging.root.manager.loggerDict):
        if name.partition('.')[0] in ('asyncio', 'distributed', 'tornado'):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _address_in(file: str) -> str:
    """Returns the address that a scheduler's file holds."""
    try:
        return str(json.loads(disk.content(file))['address'])
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, TypeError, KeyError, RecursionError):
        reason = 'no JSON with an address'
    raise UsageError(f'--scheduler={file}: {reason}; it must be {_FORM}')


def _absent(address: str, reason: object) -> str:
    port = address.rpartition(':')[2]
    return (
        f'--scheduler: no scheduler answers at {address} ({reason}); it needs one, which '
        f'`dask scheduler --port {port}` starts on that machine'
    )


@contextmanager
def opened(
    at_once: int, scheduler: str, cores: int, check: Callable[[], None]
) -> Iterator[Executing]:
    """Gives what executes commands; what still runs in the end is saved, ended and waited for.

    With the address of a scheduler, that are its workers, where each run takes so many `cores` if
    any offers some as a resource; else so many processes here, each on its share of the cores.
    `check` raises what is to end a wait for workers.
    """
    with _by_workers(scheduler, cores, check) if scheduler else _here(at_once) as executing:
        yield executing


@contextmanager
def _here(at_once: int) -> Iterator[Executing]:
    is_over = threading.Event()
    shares: queue.SimpleQueue[set[int]] = queue.SimpleQueue()
    for share in _shares(at_once):
        shares.put(share)

    def attempted(asked: Command) -> Outcome:
        share = shares.get()
        try:
            return command.attempt(asked, is_over.is_set, share, command.ends_with_this())
        finally:
            shares.put(share)

    with ThreadPoolExecutor(at_once) as pool:
        try:
            yield Executing(
                submit=lambda asked, _: pool.submit(attempted, asked),
                outcome=lambda future: future.result(),
                at_once=lambda: at_once,
                look=lambda: None,
            )
        finally:
            is_over.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _shares(count: int) -> list[set[int]]:
    """Divides the cores that this process may use; with fewer of them than shares, all share."""
    if not hasattr(os, 'sched_getaffinity'):
        return [set()] * count
    cores = sorted(os.sched_getaffinity(0))
    return [set(cores[i::count]) or set(cores) for i in range(count)]


@contextmanager
def _by_workers(address: str, cores: int, check: Callable[[], None]) -> Iterator[Executing]:
    client = _client(address)
    running: dict[Future[Outcome], str] = {}
    attempt = command.attempt_on_worker
    look = _looking(client, address)

    @functools.cache
    def executor() -> Any:  # made when there is a worker, whose resources are known
        while not (offered := look()):
            check()
            time.sleep(_POLL_SECONDS)
        most = max(offers.get(_RESOURCE, 0) for offers in offered)
        resources = {_RESOURCE: min(cores, most)} if most else None
        return client.get_executor(resources=resources, pure=False)

    def submit(asked: Command, name: str) -> Future[Outcome]:
        key = f'{name}-{uuid.uuid4().hex}'
        # A function without a name is sent as it stands, and with it what it holds.
        future = executor().submit(lambda asked: attempt(asked), asked, key=key)
        running[future] = key
        future.add_done_callback(running.pop)
        return future

    try:
        yield Executing(
            submit,
            outcome=functools.partial(_outcome, address),
            at_once=lambda: max(1, sum(client.nthreads().values())),
            look=look,
        )
    finally:
        _end(client, running)
        client.close(_CONNECT_SECONDS)


def _client(address: str) -> Any:
    """Returns a client of the scheduler, having said where its runs can be watched."""
    import cloudpickle
    from distributed import Client

    _hush()
    cloudpickle.register_pickle_by_value(command)  # which workers need not have
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        services = client.scheduler_info(n_workers=0)['services']
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(_absent(address, type(error).__name__)) from None
    page = client.dashboard_link if 'dashboard' in services else 'it has no dashboard'
    say(f'the runs go to the workers of {address}: {page}')
    return client


def _looking(client: Any, address: str) -> Callable[[], list[dict[str, float]]]:
    """Returns what looks, now and then, at the resources of each worker, and says if none is there.

    It raises Lost where the scheduler has gone.
    """
    looked, found, said = -math.inf, [], False

    def look() -> list[dict[str, float]]:
        nonlocal looked, found, said
        if client.status == 'closed':
            raise Lost(_gone(address))
        if time.monotonic() - looked > _LOOK_SECONDS:
            workers = client.scheduler_info(n_workers=-1).get('workers', {})
            found = [worker['resources'] for worker in workers.values()]
            if not found and not said:
                say(f'{address} has no worker; waits for one: dask worker {address} --nthreads 1')
            said = not found
            looked = time.monotonic()
        return found

    return look


def _gone(address: str) -> str:
    return f'the scheduler {address} does not answer any more; the same command goes on from here'


def _outcome(address: str, future: Future[Outcome]) -> Outcome:
    """Returns what came of a task; raises Lost where its workers, or the scheduler, have gone."""
    from distributed import KilledWorker

    try:
        return future.result()
    except CancelledError:
        raise Lost(_gone(address)) from None
    except KilledWorker as error:
        name = str(error.task).rpartition('-')[0]
        raise Lost(
            f'{name}: each of the workers that were to make it has died, the last of them '
            f'{error.last_worker.address}; what they print says why'
        ) from None
    except Exception as error:  # as of a worker with another Python
        words = ' '.join(str(error).split())
        raise UserError(f'a worker of {address}: {type(error).__name__}: {words}') from None


def _end(client: Any, running: dict[Future[Outcome], str]) -> None:
    """Cancels what still runs, and waits until the workers have saved and ended it."""
    left = running.copy()
    keys = set(left.values())
    for future in left:
        future.cancel()
    with contextlib.suppress(OSError, RuntimeError, TimeoutError):  # with the scheduler all ends
        while keys and client.status == 'running':
            at_work = client.run(command.at_work, on_error='ignore')
            keys &= {key for found in at_work.values() for key in found}
            time.sleep(_POLL_SECONDS)
