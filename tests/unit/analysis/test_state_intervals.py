"""Lanes: the state from when to when, and where it was not observed."""

import pytest

from lab.analysis import state_intervals
from lab.analysis.history import History
from lab.analysis.state_intervals import Interval
from lab.analysis.timeline import Entry
from tests.support.timelines import T0, blind, database, lab, servers, spell

LAST = lab(30, "end", complete=True)


def as_tuples(intervals: list[Interval]) -> list[tuple[float, float, str]]:
    """Intervals in seconds since measuring began."""
    return [(it.start - T0, it.stop - T0, it.label) for it in intervals]


def node(at: float, power: str) -> Entry:
    """A look at a node."""
    return Entry(T0 + at, "node", "state", {"node": "web1", "power": power, "services": {}})


def test_a_lane_changes_when_its_label_does() -> None:
    """Looks with the same state are one interval, up to the end of the run."""
    looks = [servers(20), servers(22, "UP 1/2"), servers(24, "DOWN"), servers(27, "DOWN")]
    lane = state_intervals.servers(History([*looks, LAST]))
    assert as_tuples(lane["web1"]) == [(20, 22, "UP"), (22, 24, "UP 1/2"), (24, 30, "DOWN")]
    assert as_tuples(lane["web2"]) == [(20, 30, "UP")]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([node(20, "off"), node(25, "off")], [(20, 30, "off")]),
        ([node(18, "off"), node(19, "off"), node(26, "off")], [(18, 19, "off"), (19, 26, "blind"), (26, 30, "off")]),
        ([node(20, "running"), node(24, "running")], [(20, 24, "running"), (24, 30, "blind")]),
        (
            [node(25, "off"), blind(26, "node", "web1"), node(28, "off")],
            [(25, 26, "off"), (26, 28, "blind"), (28, 30, "off")],
        ),
    ],
    ids=["five seconds", "longer", "at the end", "a look that saw nothing"],
)
def test_where_nobody_saw_the_lane_says_so(looks: list[Entry], expected: list[tuple[float, float, str]]) -> None:
    """An old answer is not drawn as if it were still true."""
    assert as_tuples(state_intervals.power(History([*looks, LAST]))["web1"]) == expected


def test_roles_of_databases() -> None:
    """A replica that stopped replicating is told apart, and so is a writable one."""
    looks = [database(26, "web2", writable=False), database(27, "web2", writable=False, replicating=False)]
    lane = state_intervals.databases(History([*looks, database(28, "web2", writable=True), LAST]))
    assert as_tuples(lane["web2"]) == [(26, 27, "replica"), (27, 28, "replica, stopped"), (28, 30, "primary, writable")]


def test_a_primary_that_waits_for_no_replica_says_so() -> None:
    """Only it has what it acknowledges meanwhile; a replica's own setting means nothing."""
    looks = [database(26 + it, "web1", writable=True, semi_sync=it == 0) for it in (0, 1)]
    lane = state_intervals.databases(History([*looks, LAST]))["web1"]
    assert as_tuples(lane) == [(26, 27, "primary, writable"), (27, 30, "primary, writable, semi-sync OFF")]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([5, 6, 12, 16], [(5, 6, "beginning"), (6, 12, "active"), (12, 16, "healing")]),
        ([5, 6], [(5, 6, "beginning"), (6, 30, "active")]),
        ([5], [(5, 30, "beginning")]),
    ],
)
def test_steps_of_a_fault(times: list[float], expected: list[tuple[float, float, str]]) -> None:
    """A fault that was not healed lasts to the end of the run."""
    assert as_tuples(state_intervals.faults(History([*spell(times), LAST]))["web1-power-off"]) == expected


def test_a_fault_that_comes_again_stays_in_its_lane() -> None:
    """The same fault twice is drawn twice in one row."""
    twice = History([*spell([1, 2, 3, 4]), *spell([11, 12, 13, 14]), LAST])
    assert [it.label for it in state_intervals.faults(twice)["web1-power-off"]] == [
        "beginning",
        "active",
        "healing",
    ] * 2
