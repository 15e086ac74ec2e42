"""Workers that are all alive, and wait for each other: what is to keep them from it, and ends it."""

import sys
import threading
import time

from forked import Forked
from test_team import addresses, ended, line_of

from system.errors import UserError
from system.lines import say
from train import cluster
from train.team import Team
from train.watch import Watch


def _worker(index: int, found: list[str], act) -> int:
    """Does something as a worker; returns the exit code."""
    team = Team(index, tuple(found))
    cluster._serve(team)
    watch = Watch(team, 1.0)
    try:
        with watch.kept():
            watch.meet(lambda: None)
            act(team)
    except UserError as error:
        say(f'error: {error}', to=sys.stderr)
        return error.exit_code
    return 0


def _both(act) -> list:
    found = addresses(2)
    return [Forked(_worker, index, found, act) for index in range(2)]


def _one_late(team: Team) -> None:
    """One works for itself at first, as on figures; then both are in what needs the other."""
    time.sleep(3 * team.index)
    say('in step')
    with team.together():
        time.sleep(60)


def test_who_waits_for_each_other_without_an_end_ends():
    found = ended(_both(_one_late))
    assert [code for code, *_ in found] == [6, 6], found
    assert all('in step' in said for _, said, _ in found), found
    assert all('none has ended a step for 1 seconds' in line_of(said) for *_, said in found), found


def test_the_chief_makes_the_first_call_and_the_last(monkeypatch):
    """Or else the workers count the calls of a graph from numbers that may differ."""
    met, calls = threading.Barrier(2), []
    monkeypatch.setattr(Team, 'agree', lambda *_: met.wait(10))

    def of(index: int) -> None:
        team = Team(index, ('a:1', 'b:1'))
        team.chief_first(lambda: (time.sleep(0.1 * team.is_chief), calls.append(index)))

    both = [threading.Thread(target=of, args=(index,)) for index in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert calls == [0, 1, 0]
