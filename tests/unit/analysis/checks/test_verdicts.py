"""From findings to verdicts: bounds, three outcomes, and the verdict of a run."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.analysis import timeline
from lab.analysis.checks.catalogue import CHECKS, Check, Verdict, judge, verdict
from lab.analysis.checks.finding import Finding
from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.analysis.timeline import Entry
from tests.support.timelines import UUID, changed, failed, final, kind, lab, of, quiet, without


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[[Finding], None]:
    """Make the only check, 'x', return this finding."""

    def replace(finding: Finding) -> None:
        monkeypatch.setattr("lab.analysis.checks.catalogue.CHECKS", {"x": lambda _: finding})

    return replace


@pytest.mark.parametrize(
    ("bound", "value", "enough", "expected", "text"),
    [
        ({"at_most": 0}, 0, True, "pass", "at most 0"),
        ({"at_most": 0}, 1, True, "fail", "at most 0"),
        ({"at_most": 2.5}, 2.6, True, "fail", "at most 2.5"),
        ({"at_most": 0}, 0, False, "inconclusive", "at most 0"),
        ({"at_most": 0}, 1, False, "fail", "at most 0"),
        ({"at_most": 0}, None, False, "inconclusive", "at most 0"),
        ({"at_least": 0.98}, 0.98, True, "pass", "at least 0.98"),
        ({"at_least": 0.98}, 0.97, True, "fail", "at least 0.98"),
        ({"at_least": 0.98}, 0.97, False, "inconclusive", "at least 0.98"),
        ({"at_least": 1}, 2, False, "inconclusive", "at least 1"),
        ({"equals": 0}, 0, True, "pass", "equals 0"),
        ({"equals": 0}, -1, True, "fail", "equals 0"),
        ({"equals": 0}, 1, False, "fail", "equals 0"),
        ({"equals": 3}, 1, False, "inconclusive", "equals 3"),
        ({"equals": True}, True, True, "pass", "equals true"),
        ({"equals": True}, False, True, "fail", "equals true"),
        ({"reported": True}, 7, True, "pass", "reported"),
        ({"reported": True}, 7, False, "inconclusive", "reported"),
        ({"reported": True}, None, False, "inconclusive", "reported"),
        ({}, 0, True, "inconclusive", ""),
    ],
)
def test_a_finding_is_held_against_its_bound(
    found: Callable[[Finding], None], bound: dict[str, Any], value: Any, enough: bool, expected: Verdict, text: str
) -> None:
    """An incomplete observation can break a bound, but never satisfy it."""
    found(Finding(value, "s", "why", enough))
    assert judge(History(quiet()), [{"check": "x", **bound}]) == [Check("x", expected, value, "s", text, "why")]


def test_trouble_that_was_to_come_may_be_missing_from_a_run_that_was_cut_off(found: Callable[[Finding], None]) -> None:
    """A broken upper bound stays broken."""
    found(Finding(3, "s", "why", True))
    killed = without(quiet(), kind("end"))
    checks = judge(History(killed), [{"check": "x", "at_least": 5}, {"check": "x", "at_most": 2}])
    assert [it.verdict for it in checks] == ["inconclusive", "fail"]


def test_a_check_that_does_not_exist_does_not_pass() -> None:
    """The detail names it."""
    (check,) = judge(History(quiet()), [{"check": "failed-reads", "at_most": 0}])
    assert (check.verdict, check.detail) == ("inconclusive", "there is no check 'failed-reads'")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "fail", "pass"], "fail"),
        ([], "inconclusive"),
    ],
)
def test_the_verdict_of_a_run(words: list[Verdict], expected: str) -> None:
    """An observed violation counts, whatever else was not observed."""
    checks = [Check("x", word, 0, "", "at most 0", "") for word in words]
    assert verdict(checks, History(quiet())) == expected


def test_broken_infrastructure_proves_nothing() -> None:
    """An apparent violation may be caused by the test infrastructure."""
    checks = [Check("x", "fail", 1, "", "at most 0", "")]
    assert verdict(checks, History([*quiet(), lab(9, "broken", why="Locust died")])) == "error"


BROKE = lab(9, "broken", why="Locust died")
TWO_OPEN = changed(quiet(), of("database", 5, 8), writable=True)
LOST = [*quiet(), final("web2", {"t0": 1}, at=22.5)]


def commanded(at: float, exit_code: int) -> list[Entry]:
    """A run in which a command ended with that exit code."""
    return [*quiet(), lab(at, "command", words="db.promote web2", exit_code=exit_code, output="")]


@pytest.mark.parametrize(
    ("name", "bound", "entries", "expected"),
    [
        ("two-writable", {"at_most": 0}, TWO_OPEN, "fail"),
        ("lost-writes", {"at_most": 0}, LOST, "fail"),
        ("lost-writes", {"at_most": 0}, without(LOST, kind("final", "web1")), "error"),
        ("gtid-equal", {"equals": True}, [*quiet(), final("web2", {}, f"{UUID}:1-99")], "fail"),
        ("failed-commands", {"at_most": 0}, commanded(5, 1), "fail"),
        ("failed-commands", {"at_most": 0}, commanded(5, 3), "error"),
        ("failed-commands", {"at_most": 0}, commanded(10, 1), "error"),
        ("two-writable", {"at_least": 1}, quiet(), "error"),
        ("failed-gets", {"at_most": 0}, [*quiet(), failed(5)], "error"),
        ("unexpected-writes", {"at_most": 0}, without(quiet(), of("client", 5, 8)), "error"),
        ("two-writable", {"at_most": 0}, quiet(), "error"),
    ],
    ids=[
        "two were open",
        "both were read and lack a write",
        "one was read: the other may have it",
        "both were read and differ",
        "a command said no",
        "a command could not do it",
        "a command said no after the rig broke",
        "trouble that was to be found was not",
        "requests fail where a rig is broken",
        "writes that were sent are not known",
        "no violation",
    ],
)
def test_a_violation_that_broken_infrastructure_can_not_make_stands(
    tmp_path: Path, name: str, bound: dict[str, Any], entries: list[Entry], expected: str
) -> None:
    """Answers of the databases, and a command before the failure; anything else may be caused by the failure."""
    path = tmp_path / "timeline.jsonl"
    timeline.append(path, [*entries, BROKE])
    saved = timeline.read(path)
    assert Judgement.of(saved, [{"check": name, **bound}]).verdict == expected


@pytest.mark.parametrize(
    "entries",
    [without(quiet(), kind("end")), changed(quiet(), kind("end"), complete=False), without(quiet(), kind("run"))],
    ids=["cut off", "interrupted", "without its first entry"],
)
def test_half_a_run_does_not_pass(entries: list[Entry]) -> None:
    """An interrupted run has not observed the rest; an observed violation still counts."""
    assert verdict([Check("x", "pass", 0, "", "at most 0", "")], History(entries)) == "inconclusive"
    assert verdict([Check("x", "fail", 1, "", "at most 0", "")], History(entries)) == "fail"


def test_what_is_only_reported_does_not_decide() -> None:
    """Unless there are no other checks."""
    unseen, passed = Check("x", "inconclusive", None, "", "reported", ""), Check("y", "pass", 0, "", "at most 0", "")
    assert verdict([unseen, passed], History(quiet())) == "pass"
    assert verdict([unseen], History(quiet())) == "inconclusive"


EVERY = [{"check": name, "reported": True} for name in CHECKS]


class Looked(list[Entry]):
    """Entries that count how often they are iterated."""

    passes = 0

    def __iter__(self) -> Iterator[Entry]:
        self.passes += 1
        return super().__iter__()


def test_the_entries_are_gone_through_once_for_all_checks() -> None:
    """The entries that a check needs are sorted out once."""
    entries = Looked(quiet())
    Judgement.of(entries, EVERY)
    assert entries.passes == 1


def calls(entries: list[Entry]) -> int:
    """How many Python functions judging calls: a measure of work that a busy machine does not change."""
    count = 0

    def note(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        judge(History(entries), EVERY)
    finally:
        sys.setprofile(None)
    return count


def test_twice_as_long_a_run_is_twice_the_work() -> None:
    """Three minutes at 20 requests a second are judged at once, and an hour does not take all day."""
    short, long = calls(quiet(90)), calls(quiet(180))
    assert long < 2.2 * short
    assert long < 250_000  # about 3600 requests and 1100 looks, each touched a few times by each check
