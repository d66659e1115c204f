"""The story of a report: made of the facts of the timeline alone, and never more certain than they are."""

from collections.abc import Sequence

import pytest

from lab.analysis.judgement import Judgement
from lab.analysis.timeline import Entry
from lab.report.fault_phrases import PHRASES, phrase
from lab.report.narrative import sentences
from lab.report.terminal import terminal
from tests.support.report_page import facts
from tests.support.timelines import T0, Picked, changed, database, lab, of, quiet, servers, spell, switched_off, without

EXPECT = [
    {"check": "failed-gets", "at_most": 0},
    {"check": "detected", "at_most": 4.5},
    {"check": "lost-writes", "at_most": 0},
    {"check": "balancer-retries", "reported": True},
]

CONTROL = [it for it in EXPECT if it["check"] != "detected"]


def summary(entries: Sequence[Entry], expect: Sequence[dict[str, object]] = EXPECT) -> str:
    """The sentences of a timeline."""
    return " ".join(story(entries, expect))


def story(entries: Sequence[Entry], expect: Sequence[dict[str, object]] = EXPECT) -> list[str]:
    """The same, each for itself."""
    judgement = Judgement.of(entries, expect)
    return sentences(judgement.history, judgement.summary)


def requests(start: float, stop: float, method: str = "") -> Picked:
    """Picks the requests due from start to before stop."""
    return lambda it: of("client", start, stop)(it) and method in ("", it.data["method"])


def unserved(entries: Sequence[Entry], start: float, stop: float, method: str = "") -> list[Entry]:
    """The same run, but nobody answers for a while."""
    return changed(entries, requests(start, stop, method), outcome="failed", status=0, served_by="")


def balancer_lost() -> list[Entry]:
    """lb1 has no power from 5 s to 12 s, and answers again at 18 s."""
    run = without(quiet(30), of("balancer", 5, 18))
    return [*unserved(run, 5, 18), *spell([5, 5.5, 12, 16], node="lb1")]


def test_a_server_lost_and_nobody_noticed() -> None:
    """The whole story of a power cut: broken, noticed, counted, back."""
    assert facts(summary(switched_off())) == "web1 5.0 web1 3.0 480 0 120 120 0 web1 6.0"


def test_the_balancer_lost() -> None:
    """There is nobody to take out, and everybody notices."""
    assert facts(summary(balancer_lost())) == "lb1 5.0 480 208 13 68 120 0 52 13 6.0"
    assert "HAProxy" not in summary(balancer_lost())


def test_a_control_run() -> None:
    """Without a fault there is nothing to notice and nothing to heal."""
    assert facts(summary(quiet(20), CONTROL)) == "320 0 80 80 0"


def test_writes_that_were_lost_are_counted() -> None:
    """The worst news stands in the sentence."""
    gone = changed(quiet(20), lambda it: it.kind == "final", tokens={})
    assert facts(summary(gone)) == "320 0 80 80 80"


def test_an_inconclusive_run() -> None:
    """Who saw too little does not say that it went well, nor that it went wrong."""
    told = summary(without(switched_off(), of("balancer", 4, 14)))
    assert facts(told) == "web1 5.0 web1 480 0 120 120 0 web1 6.0"
    assert "HAProxy was not seen" in told
    assert (
        facts(terminal(Judgement.of(without(switched_off(), of("balancer", 4, 14)), EXPECT)).splitlines()[1]) == "1 3 1"
    )


def test_a_broken_run() -> None:
    """What was measured before the rig broke proves nothing."""
    broken = [*switched_off(), lab(7.5, "broken", why="Locust ended with exit code 1")]
    assert facts(summary(broken)) == "7.5 1"
    assert "(Locust ended with exit code 1)" in summary(broken) and "nothing is judged" in summary(broken)


def test_an_interrupted_run() -> None:
    """A timeline that stops says so first; what nobody read in the end is not known."""
    cut = [entry for entry in switched_off() if entry.at < T0 + 10]
    assert facts(summary(cut)) == "10.0 web1 5.0 web1 3.0 160 0 40 40 web1"
    assert summary(cut).startswith("The run ended early")
    assert "lost is not known" in summary(cut) and "web1 was never healed" in summary(cut)


def test_a_run_that_says_why_it_ended_early() -> None:
    """Whoever interrupted it is named."""
    cut = [entry for entry in quiet(20) if entry.at < T0 + 10]
    told = summary([*cut, lab(10, "end", complete=False, why="interrupted")], CONTROL)
    assert facts(told) == "10.0 160 0 40 40"
    assert "10.0 s (interrupted)" in told and "lost is not known" in told


def test_a_run_without_requests() -> None:
    """That nothing failed is no news when nothing was asked."""
    assert "No request was made" in summary(without(quiet(20), of("client")))


def test_nothing_at_all() -> None:
    """An empty timeline is a run that ended early."""
    assert facts(summary([], [])) == "0.0"
    assert summary([], []).startswith("The run ended early") and "No request was made" in summary([], [])


def test_two_faults_are_told_apart() -> None:
    """With more than one fault every node is named."""
    run = [entry for entry in switched_off() if entry.observer != "database"]
    lagging = [database(at, "web2", writable=False) for at in range(30)]
    both = [*run, *lagging, *spell([20, 21, 24, 25.5], node="web2", kind="replication-stop")]
    assert facts(summary(both)) == "web1 5.0 web2 20.0 web1 3.0 480 0 120 120 0 web1 6.0 web1 web2 1.5 web2"


def test_a_server_that_did_not_come_back() -> None:
    """Healing that nobody saw succeed is not called a success."""
    run = [*without(switched_off(), of("balancer", 18)), *(servers(at, web1="DOWN") for at in range(18, 34))]
    back = story(run)[-1]
    assert facts(back) == "web1" and "not seen" in back


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "service-kill", "node": "web1", "service": "nginx", "peer": ""}, "Nginx on web1 was killed"),
        ({"kind": "partition", "node": "web1", "peer": "lb1"}, "web1 was cut off from lb1"),
        ({"kind": "partition", "node": "web1", "peer": "all"}, "web1 was cut off from all other nodes"),
        ({"kind": "slow", "node": "web2", "delay_ms": 200, "jitter_ms": 50.0}, "200 ms of delay, 50 ms of jitter"),
        ({"kind": "clock-skew", "node": "web2", "seconds": -30}, "the clock of web2 jumped (-30 s)"),
        ({"kind": "novel", "node": "web2"}, "web2: novel"),
    ],
    ids=["service", "peer", "all peers", "sizes", "seconds", "a kind without words"],
)
def test_what_a_fault_did_in_words(fault: dict[str, object], words: str) -> None:
    """A class reads what happened to whom, not the name of a fault."""
    assert words in phrase(fault)


@pytest.mark.parametrize("kind", PHRASES)
def test_every_kind_names_its_node(kind: str) -> None:
    """No words are left with a hole in them."""
    words = phrase({"kind": kind, "node": "web1"})
    assert "web1" in words
    assert "{" not in words


def test_the_terminal_says_the_same() -> None:
    """Verdict with a sign, sentence, and each check with what was measured and allowed."""
    run = switched_off(title="The primary's server loses its power")
    lines = terminal(Judgement.of(run, EXPECT)).splitlines()
    assert lines[0] == "✓ PASS  The primary's server loses its power"
    assert facts(lines[1]) == "3 3 1"
    assert lines[2:9] == ["", *story(run), ""]
    assert [line[:10] for line in lines[10:14]] == ["✓ pass    ", "✓ pass    ", "✓ pass    ", "· reported"]
    assert lines[11].startswith("✓ pass        3.00 s  at most 4.5 s  ") and lines[11].endswith(" (detected)")


def test_a_violation_that_stands_is_shown_and_nothing_else_of_a_broken_run() -> None:
    """Two databases were open: no broken rig makes that. How many reads failed is not judged."""
    run = [*changed(quiet(), of("database", 5, 8), writable=True), lab(9, "broken", why="Locust died")]
    judgement = Judgement.of(run, [*CONTROL, {"check": "two-writable", "at_most": 0}])
    lines = terminal(judgement).splitlines()
    assert lines[0].startswith("✗ FAIL")
    assert facts(lines[1]) == "1" and "the others are not judged" in lines[1]
    assert "9.0 s (Locust died)" in lines[3] and "nothing is judged" not in lines[3]
    assert [line.split("  ")[0] for line in lines[6:]] == ["- not judged"] * 3 + ["✗ fail", "", lines[-1]]
    assert lines[-1].startswith("✗ two-writable: from ")


def test_the_terminal_judges_nothing_when_the_infrastructure_broke() -> None:
    """Numbers of a broken run carry no verdict."""
    run = [*switched_off(), lab(7.5, "broken", why="a node never came back")]
    lines = terminal(Judgement.of(run, EXPECT)).splitlines()
    assert lines[0].startswith("! ERROR")
    assert all(line.startswith("- not judged") for line in lines[6:])
