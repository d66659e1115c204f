"""Every check, three ways: it passes on good data, fails on bad data, and is inconclusive without data."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lab.analysis.checks.catalogue import CHECKS, judge
from lab.analysis.history import History
from lab.analysis.timeline import Entry
from tests.support.crowds import came_with_it, crowd, slower, writes_with_it
from tests.support.timelines import (
    UUID,
    absent,
    changed,
    database,
    failed,
    final,
    kind,
    lab,
    of,
    quiet,
    request,
    servers,
    switched_off,
    without,
    write,
)

Story = Callable[[], list[Entry]]


def notes(**changes: int) -> list[Entry]:
    """Three writes of which the second failed, and the final set of web2; web1 has the right set."""
    sent = [write(1, "a"), write(2, "b", "failed"), write(3, "c", "unknown")]
    return [*without(quiet(), of("client")), *sent, final("web1", {"a": 1}), final("web2", {"a": 1, **changes})]


def gap(observer: str, start: float, stop: float, story: Story = quiet) -> list[Entry]:
    """A run in which one observer was blind for a while."""
    return without(story(), of(observer, start, stop))


def unread() -> list[Entry]:
    """A run at whose end web2 could not be read."""
    return without(quiet(), kind("final", "web2"))


def late(seconds: float) -> list[Entry]:
    """One request that took long."""
    return [*quiet(), request(3, ended=request(3 + seconds).data["sent"])]


def silent(method: str) -> list[Entry]:
    """Two seconds in which no request of one kind was answered."""
    return changed(quiet(), lambda it: of("client", 6, 8)(it) and it.data["method"] == method, outcome="failed")


def off_from(at: float) -> list[Entry]:
    """A write at 10 s is lost at the end; web1 waited for its replica until that moment."""
    looks = [database(number, "web1", writable=True, semi_sync=number < at) for number in range(20)]
    rest = without(without(quiet(), of("database")), of("client"))
    return [*rest, *looks, write(10, "a"), final("web1", {}), final("web2", {})]


def commanded(exit_code: int) -> list[Entry]:
    """A run in which two commands were run."""
    commands = (lab(at, "command", words="db.promote web2", exit_code=code) for at, code in ((5, 0), (7, exit_code)))
    return [*quiet(), *commands]


EVERYTHING = [
    ("client", "request"),
    ("balancer", "servers"),
    ("database", "state"),
    ("lab", "final"),
    ("lab", "generator"),
    ("lab", "command"),
]


def posts(entry: Entry) -> bool:
    """Select the writes."""
    return entry.data.get("method") == "POST"


CASES: dict[str, tuple[dict[str, Any], Story, Story]] = {
    "failed-gets": ({"at_most": 0}, quiet, lambda: [*quiet(), failed(3)]),
    "failed-gets-in-window": ({"at_most": 0}, switched_off, lambda: switched_off(failed(6))),
    "longest-outage": ({"at_most": 1}, quiet, lambda: silent("GET")),
    "write-outage": ({"at_most": 1}, quiet, lambda: silent("POST")),
    "detected": ({"at_most": 3}, switched_off, lambda: switched_off(down=(10, 18))),
    "recovered": ({"at_most": 7}, switched_off, lambda: switched_off(down=(8, 22))),
    "slow-requests": ({"at_most": 0}, lambda: late(0.9), lambda: late(1.1)),
    "false-downs": ({"at_most": 0}, switched_off, lambda: quiet(down=(6, 8))),
    "acknowledged-writes": ({"at_least": 2}, quiet, lambda: changed(quiet(), posts, outcome="unknown")),
    "lost-writes": ({"equals": 0}, lambda: notes(b=0), lambda: notes(a=0)),
    "lost-while-semi-sync-on": ({"at_most": 0}, lambda: off_from(5), lambda: off_from(15)),
    "duplicated-writes": ({"equals": 0}, lambda: notes(c=1), lambda: notes(a=2)),
    "unexpected-writes": ({"equals": 0}, notes, lambda: notes(b=1)),
    "unknown-writes": ({"at_most": 0}, quiet, lambda: [*quiet(), write(3, "x", "unknown")]),
    "stale-reads": ({"at_most": 0}, quiet, lambda: [*quiet(), absent(9, "t0")]),
    "gtid-equal": ({"equals": True}, quiet, lambda: [*quiet(), final("web2", {}, f"{UUID}:1-99")]),
    "two-writable": ({"at_most": 0}, quiet, lambda: [*quiet(), database(5.6, "web2", writable=True)]),
    "arrival-rate": ({"at_least": 0.98}, quiet, lambda: without(quiet(), of("client", 4, 8))),
    "balancer-retries": ({"at_most": 0}, quiet, lambda: [*quiet(), servers(8.1, retries=2), servers(8.2, retries=3)]),
    "requests-seen": ({"equals": 0}, quiet, lambda: changed(quiet(), kind("generator"), requests_seen={"lb1": 401})),
    "failed-commands": ({"at_most": 0}, lambda: commanded(0), lambda: commanded(1)),
    "goodput": ({"at_least": 0.8}, crowd, lambda: changed(crowd(), came_with_it, outcome="failed", status=504)),
    "answer-time": ({"at_most": 3}, crowd, lambda: slower(crowd(), came_with_it, 3.5)),
    "refusal-time": ({"at_most": 2.5}, crowd, lambda: crowd(refused_s=3)),
    "unanswered": ({"at_most": 0}, crowd, lambda: [*crowd(), failed(3, status=504)]),
    "crowd-recovery": ({"at_most": 2}, crowd, lambda: [*crowd(), failed(14)]),
    "crowd-writes": ({"at_least": 0.8}, crowd, lambda: changed(crowd(), writes_with_it, outcome="unknown")),
}

BLIND: dict[str, Story] = {
    "failed-gets": lambda: gap("client", 8, 14),
    "failed-gets-in-window": lambda: gap("balancer", 6, 12, switched_off),
    "longest-outage": lambda: gap("client", 8, 14),
    "write-outage": lambda: gap("client", 8, 14),
    "detected": lambda: gap("balancer", 4.9, 12, switched_off),
    "recovered": lambda: gap("balancer", 16.1, 23, switched_off),
    "slow-requests": lambda: gap("client", 8, 14),
    "false-downs": lambda: gap("balancer", 8, 14),
    "acknowledged-writes": lambda: gap("client", 8, 14),
    "lost-writes": unread,
    "lost-while-semi-sync-on": unread,
    "duplicated-writes": unread,
    "unexpected-writes": unread,
    "unknown-writes": lambda: gap("client", 8, 14),
    "stale-reads": lambda: gap("client", 8, 14),
    "gtid-equal": unread,
    "two-writable": lambda: gap("database", 8, 14),
    "arrival-rate": lambda: gap("client", 8, 14),
    "balancer-retries": lambda: gap("balancer", 8, 14),
    "requests-seen": lambda: changed(quiet(), kind("generator"), requests_seen=None),
    "failed-commands": quiet,
    **{
        name: lambda: gap("client", 12, 18, crowd)
        for name in ("goodput", "answer-time", "refusal-time", "unanswered", "crowd-recovery", "crowd-writes")
    },
}


def verdict(name: str, entries: Sequence[Entry]) -> tuple[str, str]:
    """The verdict of one check, with its detail to explain a failure."""
    (check,) = judge(History(entries), [{"check": name, **CASES[name][0]}])
    return check.verdict, check.detail


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_passes_on_good_data(name: str) -> None:
    """The violation is not there, and the check did look for it."""
    assert verdict(name, CASES[name][1]())[0] == "pass", verdict(name, CASES[name][1]())


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_can_fail(name: str) -> None:
    """Its negative control: the violation is there."""
    assert verdict(name, CASES[name][2]())[0] == "fail", verdict(name, CASES[name][2]())


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_that_was_blind_does_not_pass(name: str) -> None:
    """The same good run, but without observations when they mattered."""
    judged, detail = verdict(name, BLIND[name]())
    assert (judged, bool(detail)) == ("inconclusive", True)


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("entries", [[], quiet()[:2]], ids=["empty", "nothing seen"])
def test_a_check_that_never_ran_does_not_pass(name: str, entries: list[Entry]) -> None:
    """Without any data there is no verdict, and the detail says what is missing."""
    judged, detail = verdict(name, entries)
    assert (judged, bool(detail)) == ("inconclusive", True)


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_that_crashes_does_not_pass(name: str) -> None:
    """A timeline that the check can't understand is reported, whatever is wrong with it."""
    spoiled = [*CASES[name][1](), *(Entry(0.0, observer, word, {}) for observer, word in EVERYTHING)]
    judged, detail = verdict(name, spoiled)
    assert judged == "inconclusive"
    assert "KeyError" in detail


@pytest.mark.parametrize("code", [1, 2, 3, 7])
def test_a_command_that_ended_with_any_error_failed(code: int) -> None:
    """Refused, wrong, broken or locked: it did not do what the experiment is about."""
    (check,) = judge(History(commanded(code)), [{"check": "failed-commands", "at_most": 0}])
    assert (check.verdict, check.value) == ("fail", 1)
