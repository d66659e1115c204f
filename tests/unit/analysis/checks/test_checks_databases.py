"""Databases: equal at the end, and never two that take writes."""

import pytest

from lab.analysis.checks.catalogue import find
from lab.analysis.history import History
from lab.analysis.timeline import Entry
from tests.support.timelines import (
    T0,
    UUID,
    blind,
    changed,
    database,
    final,
    kind,
    of,
    quiet,
    run,
    spell,
    without,
    writable,
)


@pytest.mark.parametrize(
    ("web1", "web2", "value", "detail"),
    [
        (f"{UUID}:1-9", f"{UUID}:1-9", True, "2 databases"),
        (f"{UUID}:1-9", f"{UUID}:1-5:6-9", True, "2 databases"),
        (f"{UUID}:1-9", f"{UUID}:1-7", False, "web1 has 2 transactions that web2 lacks"),
        (
            f"{UUID}:1-8",
            f"{UUID}:1-7:9",
            False,
            "web1 has 1 transaction that web2 lacks; web2 has 1 transaction that web1 lacks",
        ),
    ],
)
def test_gtid_sets_are_compared_as_sets(web1: str, web2: str, value: bool, detail: str) -> None:
    """A difference is reported in both directions: an errant transaction is not a late one."""
    finding = find(History([run(), final("web1", {}, web1), final("web2", {}, web2)]), "gtid-equal")
    assert (finding.value, finding.detail, finding.enough) == (value, detail, True)


def test_two_writable_databases_are_seen() -> None:
    """Each look at one database between two looks at the other counts."""
    both = changed(quiet(), of("database", 8, 10), writable=True)
    finding = find(History(both), "two-writable")
    assert (finding.value, finding.detail) == (3, "from +8.5 s to +9.5 s")


def test_what_may_be_missed_is_told_where_nothing_was_found() -> None:
    """Looks are a second apart: zero is not never."""
    assert find(History(quiet()), "two-writable").detail == "an overlap of less than 1.2 s may be missed"


@pytest.mark.parametrize("opened", [10.4, 10.5, 11.0])
def test_a_promotion_is_no_moment_of_two(opened: float) -> None:
    """web1 closed after one look and before its next; web2, asked in between, was already open."""
    closed = changed(quiet(), lambda it: kind("state", "web1")(it) and it.at > T0 + 10, writable=False)
    entries = changed(closed, lambda it: kind("state", "web2")(it) and it.at >= T0 + opened, writable=True)
    assert find(History(entries), "two-writable").value == 0


def test_an_old_answer_proves_nothing() -> None:
    """web1 was not asked for six seconds: whether it was open meanwhile is not known."""
    entries = without(quiet(), lambda it: kind("state", "web1")(it) and T0 + 8 <= it.at < T0 + 14)
    finding = find(History([*entries, database(10.6, "web2", writable=True)]), "two-writable")
    assert (finding.value, finding.enough) == (0, False)
    assert finding.detail.endswith("the database on web1 was not observed for 7.0 s from +7.0 s")


def test_two_that_were_open_between_two_looks_are_found_by_what_the_looks_say() -> None:
    """web1 took writes in its look at 9.0 s, and web2 reports at 10.2 s that it had done so for 1.6 s."""
    looks = changed(quiet(), lambda it: kind("state", "web1")(it) and it.at > T0 + 9.1, writable=False)
    looks = without(looks, lambda it: kind("state", "web2")(it) and T0 + 8.4 <= it.at < T0 + 10.1)
    opened = Entry(T0 + 10.2, "writable", "state", {"node": "web2", "writable": True, "for_s": 1.6})
    finding = find(History([*looks, opened]), "two-writable")
    assert (finding.value, finding.detail) == (1, "from +8.6 s to +8.6 s")
    late = Entry(T0 + 10.2, "writable", "state", {"node": "web2", "writable": True, "for_s": 1.3})
    assert find(History([*looks, late]), "two-writable").value == 0


def test_an_answer_that_came_after_the_database_was_closed_is_no_moment_of_two() -> None:
    """web1 was slow to answer that it took writes; its next look shows that it no longer did by then."""
    looks = changed(quiet(), lambda it: kind("state", "web1")(it) and it.at > T0 + 9.1, writable=False)
    looks = without(looks, lambda it: kind("state", "web2")(it) and it.at >= T0 + 8.4)
    opened = Entry(T0 + 10.2, "writable", "state", {"node": "web2", "writable": True, "for_s": 1.6})
    closed = Entry(T0 + 10.1, "writable", "state", {"node": "web1", "writable": False, "for_s": 1.4})
    assert find(History([*looks, opened, closed]), "two-writable").value == 0


@pytest.mark.parametrize(("fault", "enough"), [("freeze", True), ("php-limit", False), ("slow", False)])
def test_only_a_fault_that_hides_a_database_excuses_that_it_was_not_seen(fault: str, enough: bool) -> None:
    """Observers do not use the lab's network."""
    gone = without(quiet(30), lambda it: kind("state", "web1")(it) and T0 + 5 <= it.at < T0 + 20)
    assert find(History([*gone, *spell([4.5, 5, 12, 19], kind=fault)]), "two-writable").enough is enough


@pytest.mark.parametrize(("for_s", "enough"), [(100.0, True), (3.0, True), (0.5, False)])
def test_a_database_that_says_for_how_long_need_not_be_seen(for_s: float, enough: bool) -> None:
    """The machine was too busy to look for seven seconds; MySQL knows when it was last opened or closed."""
    busy = without(quiet(), lambda it: kind("state", "web2")(it) and T0 + 8 <= it.at < T0 + 14)
    looks = [*busy, writable(14.4, "web2", for_s)]
    assert find(History(looks), "two-writable").enough == enough
    assert not find(History([*looks, *spell([1, 2, 3, 4], "web2", "clock-skew")]), "two-writable").enough


def test_a_database_that_is_off_need_not_be_seen() -> None:
    """Its fault explains why it does not answer, until the next observation."""
    gone = without(quiet(30), lambda it: kind("state", "web1")(it) and T0 + 5 <= it.at < T0 + 20)
    entries: list[Entry] = [*gone, *(blind(float(at), "database", "web1") for at in range(5, 20))]
    assert not find(History(entries), "two-writable").enough
    assert find(History([*entries, *spell([4.5, 5, 12, 19])]), "two-writable").enough


@pytest.mark.parametrize(("power", "enough"), [("off", True), ("running", False), ("paused", False)])
def test_a_machine_that_a_promotion_switched_off_need_not_be_seen(power: str, enough: bool) -> None:
    """No fault did it; it is excused until its database was seen again, and what is seen then counts."""
    gone = without(quiet(30), lambda it: kind("state", "web1")(it) and T0 + 5 <= it.at < T0 + 20)
    machine = [Entry(T0 + at, "node", "state", {"node": "web1", "power": power}) for at in (6, 7, 8)]
    entries = sorted([*gone, *machine], key=lambda it: it.at)
    assert find(History(entries), "two-writable").enough is enough
    both = changed(entries, kind("state", "web2"), writable=True)
    assert find(History(both), "two-writable").value


def test_a_server_on_whose_socket_nobody_listens_takes_no_writes() -> None:
    """It restarts, for a copy of the data or after a crash: this needs no fault as an excuse."""
    entries = without(quiet(30), lambda it: kind("state", "web1")(it) and T0 + 5 <= it.at < T0 + 20)
    why = "ERROR 2002 (HY000): Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' (2)"
    refused = [Entry(T0 + at, "database", "blind", {"node": "web1", "why": why}) for at in range(5, 20)]
    finding = find(History([*entries, *refused]), "two-writable")
    assert (finding.value, finding.enough) == (0, True)


def test_a_server_whose_queue_is_full_may_take_writes() -> None:
    """It runs, and can't accept one more connection (EAGAIN)."""
    entries = without(quiet(30), lambda it: kind("state", "web1")(it) and T0 + 5 <= it.at < T0 + 20)
    why = "ERROR 2002 (HY000): Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' (11)"
    full = [Entry(T0 + at, "database", "blind", {"node": "web1", "why": why}) for at in range(5, 20)]
    assert not find(History([*entries, *full]), "two-writable").enough


def test_an_answer_that_came_late_is_none_of_two_at_once() -> None:
    """It came between two looks at the other database, opened meanwhile; the next look says when it was closed."""
    looks = {
        "web1": [(8.8, True, 99), (9.8, False, 1.2)],
        "web2": [(8.4, False, 99), (8.7, True, 0.1), (9.7, True, 1.1)],
    }
    entries = [
        Entry(T0 + at, "writable", "state", {"node": node, "writable": open_, "for_s": for_s})
        for node, them in looks.items()
        for at, open_, for_s in them
    ]
    quiet_ = without(quiet(), of("database"))
    assert find(History([*quiet_, *entries]), "two-writable").value == 0
