"""The exposure of a run: reads before the balancer noticed, and how soon it did, over all injections."""

import pytest

from lab.analysis.exposure import risk, share_below
from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.analysis.timeline import Entry
from lab.report.confidence import confidence
from lab.report.narrative import sentences
from lab.report.terminal import terminal
from tests.support.report_page import facts
from tests.support.timelines import failed, kind, lab, of, quiet, repeated, spell, switched_off, without

NO_READS = {"requests": 0, "failed": 0, "injections": 0, "injections_hit": 0, "share_below": None}
EXPECT = [{"check": "failed-gets", "at_most": 0}, {"check": "detected", "at_most": 6.75}]


@pytest.mark.parametrize(
    ("hit", "injections", "bound"),
    [(0, 59, 0.049508), (0, 10, 0.258866), (0, 1, 0.95), (0, 0, None), (1, 10, None), (None, 10, None)],
)
def test_none_of_n_says_how_many_there_could_be(hit: int | None, injections: int, bound: float | None) -> None:
    """By the binomial distribution, for each n; if one did harm, the number itself counts."""
    assert share_below(hit, injections) == bound


def test_the_bound_holds_where_an_injection_hits_all_its_reads_or_none() -> None:
    """Of labs in which that share of injections does harm, five in a hundred show no harm in ten."""
    bound = share_below(0, 10)
    assert bound is not None and (1 - bound) ** 10 == pytest.approx(0.05, rel=1e-4)


def test_every_injection_counts() -> None:
    """Median and longest of all, and the reads of all windows together."""
    found = risk(History(repeated(1, 2, 4, expect=EXPECT)))
    assert found["detection"] == {
        "injections": 3,
        "seen": 3,
        "missed": 0,
        "median_s": 2.0,
        "max_s": 4.0,
        "bound_s": 4.5,
        "allowed_s": 6.75,
    }
    three = {"injections": 3, "injections_hit": 0, "share_below": 0.631597}
    assert found["reads"]["window"] == {"requests": 112, "failed": 0, **three}
    assert found["reads"]["whole"] == {"requests": 1040, "failed": 0, **three}


def test_a_read_that_failed_later_is_not_in_the_window() -> None:
    """The server was DOWN already: the cause is another one."""
    found = risk(History([*repeated(1, 2), failed(5.5), failed(10)]))["reads"]
    assert (found["window"]["failed"], found["whole"]["failed"]) == (1, 2)
    assert (found["window"]["injections_hit"], found["whole"]["injections_hit"]) == (1, 1)
    assert found["window"]["share_below"] is found["whole"]["share_below"] is None


def test_reads_that_failed_under_one_injection_count_once() -> None:
    """However many reads failed."""
    found = risk(History([*repeated(1, 2), failed(5.5), failed(5.6), failed(5.7)]))["reads"]["window"]
    assert (found["failed"], found["injections"], found["injections_hit"]) == (3, 2, 1)


@pytest.mark.parametrize(
    ("entries", "share"),
    [
        (without(repeated(1, 2), of("client", 11, 17)), None),
        ([*repeated(1, 2), lab(30, "broken", why="the load ended")], None),
        (without(repeated(1, 2), of("balancer", 6.5, 13)), 0.776393),
    ],
    ids=["no load", "broken rig", "nobody asked HAProxy"],
)
def test_what_nobody_saw_makes_nobody_sure(entries: list[Entry], share: float | None) -> None:
    """No observed read failed; when HAProxy noticed decides the window, not the whole run."""
    found = risk(History(entries))["reads"]
    assert (found["window"]["failed"], found["whole"]["failed"]) == (0, 0)
    assert (found["window"]["share_below"], found["whole"]["share_below"]) == (None, share)
    lines = list(confidence(Judgement.of(entries, []).summary))
    assert [" %" in it for it in lines[:2]] == [False, share is not None]


def test_faults_that_are_there_at_once_are_one_injection() -> None:
    """Their effects can't be told apart."""
    entries = [*quiet(), *spell([5, 5.5, 9, 10], kind="freeze"), *spell([7, 7.5, 12, 13], node="web2", kind="freeze")]
    assert risk(History(entries))["reads"]["whole"]["injections"] == 1
    assert risk(History([*entries, *spell([15, 15.5, 16, 17], kind="freeze")]))["reads"]["whole"]["injections"] == 2


def test_what_was_not_noticed_is_counted_apart() -> None:
    """It has no time, and the times of the others stay."""
    blind = without(repeated(1, 2, 4), of("balancer", 24.9, 37))
    found = risk(History(blind))["detection"]
    assert (found["seen"], found["missed"], found["median_s"], found["max_s"]) == (2, 1, 2.5, 4.0)


@pytest.mark.parametrize("kind_", ["clock-skew", "replication-stop"])
def test_a_fault_that_takes_no_server_has_no_window(kind_: str) -> None:
    """Nothing is noticed and no window is at risk; the whole run still counts."""
    entries = [*quiet(), *spell([5, 5.5, 9, 10], kind=kind_)]
    found = risk(History(entries))
    assert found["reads"]["window"] == NO_READS
    assert found["reads"]["whole"]["requests"] == 320
    assert (found["detection"]["injections"], found["detection"]["median_s"]) == (1, None)
    summary = Judgement.of(entries, EXPECT).summary
    assert [facts(it) for it in confidence(summary)] == ["0 320 95 95"]


def test_the_terminal_says_how_sure_it_makes() -> None:
    """Below the checks, with how busy the load client was; failed test infrastructure proves nothing."""
    run = repeated(1, 2, 4)
    sure = [facts(line) for line in terminal(Judgement.of(run, EXPECT)).splitlines()[-5:]]
    assert sure == ["", "0 112 3 95 63", "0 1040 3 95 63", "2.00 4.00 3 4.5", "20"]


def test_a_fault_that_came_again_and_again_is_told_once() -> None:
    """Median and longest, and the round that was the slowest."""
    run = repeated(1, 2, 4)
    story = " ".join(sentences(History(run), Judgement.of(run, EXPECT).summary))
    assert facts(story) == "web1 3 5.0 web1 2.0 4.0 3 3 1040 0 260 260 0 web1 2.0"
    assert "round 3 of 3" in story


def test_a_time_that_was_not_noticed_is_told() -> None:
    """Beside those that were noticed."""
    run = without(repeated(1, 2, 4), of("balancer", 24.9, 37))
    story = " ".join(sentences(History(run), Judgement.of(run, []).summary))
    assert facts(story).startswith("web1 3 5.0 web1 2.5 4.0 3 3 web1 1 3 ") and "HAProxy was not seen" in story


def test_a_run_without_faults_risked_nothing() -> None:
    """Nor did an empty one."""
    assert risk(History(quiet()))["detection"]["injections"] == 0
    assert risk(History([]))["reads"]["whole"] == NO_READS
    only = without(switched_off(), kind("request"))
    assert list(confidence(Judgement.of(only, []).summary)) == []
