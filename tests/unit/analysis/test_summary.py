"""summary.json: the format that scripts rely on, and null for unknown values."""

import json

import pytest

from lab.analysis.judgement import Judgement
from lab.analysis.timeline import Entry
from tests.support.timelines import (
    T0,
    absent,
    changed,
    failed,
    final,
    kind,
    of,
    quiet,
    run,
    switched_off,
    without,
    write,
)

EXPECT = [{"check": "failed-gets", "at_most": 0}, {"check": "gtid-equal", "equals": True}]


def test_the_summary_of_a_run() -> None:
    """Exactly the promised keys, and only values that JSON has."""
    entries = switched_off(failed(6), write(7, "maybe", "unknown"))
    summary = Judgement.of(entries, EXPECT).summary
    assert json.loads(json.dumps(summary, allow_nan=False)) == {
        "name": "quiet",
        "verdict": "fail",
        "checks": [
            {"name": "failed-gets", "verdict": "fail", "value": 1, "unit": "GETs", "bound": "at most 0"},
            {"name": "gtid-equal", "verdict": "pass", "value": True, "unit": "", "bound": "equals true"},
        ],
        "requests": {
            "GET": {"ok": 480, "failed": 1, "unknown": 0},
            "POST": {"ok": 120, "failed": 0, "unknown": 1},
        },
        "writes": {"acknowledged": 120, "lost": 0, "duplicated": 0, "unexpected": 0, "unknown": 1},
        "faults": [{"kind": "power-off", "node": "web1", "injected_at": T0 + 5.5, "healed_at": T0 + 16}],
        "times": {"detected_s": 3.0, "outage_s": 0.07, "recovered_s": 6.02},
        "generator": {"cpu": 0.2},
        "reads": {
            "window": {"requests": 49, "failed": 1, "injections": 1, "injections_hit": 1, "share_below": None},
            "whole": {"requests": 481, "failed": 1, "injections": 1, "injections_hit": 1, "share_below": None},
        },
        "detection": {
            "injections": 1,
            "seen": 1,
            "missed": 0,
            "median_s": 3.0,
            "max_s": 3.0,
            "bound_s": 4.5,
            "allowed_s": None,
        },
    }


@pytest.mark.parametrize(
    ("entries", "lost"),
    [
        (quiet(), 0),
        (without(quiet(), kind("final")), None),
        (without(quiet(), kind("final", "web2")), None),
        ([*without(quiet(), kind("final", "web2")), final("web1", {})], 80),
        ([run()], None),
    ],
)
def test_without_the_final_sets_nothing_is_said_of_losses(entries: list[Entry], lost: int | None) -> None:
    """Null is not zero; an observed loss is still reported."""
    assert Judgement.of(entries, []).summary["writes"]["lost"] == lost


def test_times_that_were_not_seen_are_null() -> None:
    """A minimum time is no figure to compare with."""
    blind = without(switched_off(), of("balancer", 4.9, 12))
    assert Judgement.of(blind, []).summary["times"]["detected_s"] is None
    assert Judgement.of(quiet(), []).summary["times"] == {"detected_s": None, "outage_s": 0.02, "recovered_s": None}


def test_a_fault_that_stands_has_no_end() -> None:
    """Injected, and not healed when the run was over."""
    standing = without(switched_off(), lambda it: it.kind in ("heal", "healed"))
    assert Judgement.of(standing, []).summary["faults"][0]["healed_at"] is None


def test_a_note_that_is_not_there_is_an_answer() -> None:
    """The outcomes add up to all requests, and failed ones are those of the check of failed GETs."""
    early, late = (Judgement.of([*quiet(), absent(at, "t0")], []).summary["requests"]["GET"] for at in (1.5, 9))
    assert early == {"ok": 321, "failed": 0, "unknown": 0}
    assert late == {"ok": 320, "failed": 1, "unknown": 0}


def test_an_empty_timeline_has_a_summary() -> None:
    """It proves nothing, and says so."""
    summary = Judgement.of([], EXPECT).summary
    assert (summary["name"], summary["verdict"]) == ("", "inconclusive")
    assert summary["writes"] == {"acknowledged": 0, "lost": None, "duplicated": None, "unexpected": None, "unknown": 0}


def test_broken_infrastructure_is_an_error() -> None:
    """Whatever the checks say."""
    broken = changed([*quiet(), run()], kind("run"), name="broken")
    judgement = Judgement.of([*broken, Entry(T0, "lab", "broken", {"why": "Locust died"})], [])
    assert (judgement.verdict, judgement.summary["verdict"]) == ("error", "error")
