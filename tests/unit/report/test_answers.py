"""Requests that did not succeed: counted by their answer, each with what it means, in the story and on the page."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.analysis.history import History
from lab.analysis.judgement import Judgement
from lab.analysis.timeline import Entry
from lab.report.answers import REFUSALS, answers
from lab.report.narrative import sentences
from lab.report.page import page
from lab.topology import ROOT
from tests.support.report_page import Page, facts
from tests.support.timelines import changed, failed, of, quiet, write


def posts(entries: Sequence[Entry], start: float, stop: float, **data: Any) -> list[Entry]:
    """The same run, with other answers to the writes due from start to before stop."""
    return changed(entries, lambda it: of("client", start, stop)(it) and it.data["method"] == "POST", **data)


def hard_times() -> list[Entry]:
    """From 5 to 10 s the site refuses writes, then nobody knows until 14 s."""
    refusing = posts(quiet(20), 5, 10, outcome="failed", status=503, served_by="web1")
    return posts(refusing, 10, 14, outcome="unknown", status=504, served_by="web2")


def story(entries: Sequence[Entry], *expect: dict[str, object]) -> list[str]:
    """Its sentences, where so much is expected."""
    judgement = Judgement.of(entries, expect)
    return sentences(judgement.history, judgement.summary)


def test_each_answer_is_counted_with_its_source() -> None:
    """The most frequent first; reads before writes."""
    found = answers(History([*hard_times(), failed(3, served_by=""), write(4, "x", "failed", served_by="")]))
    assert [(it.method, it.outcome, it.count, it.short, it.source) for it in found] == [
        ("GET", "failed", 1, "HTTP 503", "HAProxy or Nginx"),
        ("POST", "failed", 20, "HTTP 503", "PHP on web1"),
        ("POST", "unknown", 16, "HTTP 504", "PHP on web2"),
        ("POST", "failed", 1, "HTTP 503", "HAProxy or Nginx"),
    ]


def refused(at: float, why: str, served_by: str = "") -> Entry:
    """A read that HAProxy or PHP refused, with its reason."""
    return failed(at, reason=f"HTTP 503 {why}", served_by=served_by)


def test_refused_reads_are_split_by_what_refused_them() -> None:
    """A full queue, a wait that was too long, no server: each asks for another remedy."""
    whys = ["queue full", "queue full", "queue timeout", "no server", "no connection"]
    entries = [*quiet(5), *(refused(3, why) for why in whys), refused(3, "too late", "web1"), failed(3, served_by="")]
    found = answers(History(entries))
    assert [(it.short, it.count, it.source) for it in found] == [
        ("HTTP 503 queue full", 2, "HAProxy"),
        ("HTTP 503 queue timeout", 1, "HAProxy"),
        ("HTTP 503 no server", 1, "HAProxy"),
        ("HTTP 503 no connection", 1, "HAProxy"),
        ("HTTP 503 too late", 1, "PHP on web1"),
        ("HTTP 503", 1, "HAProxy or Nginx"),
    ]
    assert len({it.meaning for it in found}) == len(found)
    (told,) = [it for it in story(entries) if "reads 7 failed" in it]
    assert "2 x HTTP 503 queue full" in told and "1 x HTTP 503 no server" in told


def test_each_reason_that_haproxy_gives_has_a_meaning() -> None:
    """The report knows every value of the header in the template."""
    template = (ROOT / "provision" / "templates" / "haproxy.cfg.j2").read_text(encoding="utf-8")
    assert {f"HTTP 503 {it}" for it in re.findall(r'X-Refused "([^"]+)"', template)} == set(REFUSALS)


@pytest.mark.parametrize(
    ("data", "short", "words"),
    [
        ({"outcome": "failed", "status": 503}, "HTTP 503", "Nothing was written"),
        ({"outcome": "failed", "status": 413}, "HTTP 413", "Nothing was written"),
        ({"outcome": "failed", "status": 0, "reason": "not connected"}, "not connected", "Nothing was written"),
        ({"outcome": "unknown", "status": 504}, "HTTP 504", "may be there or not"),
        ({"outcome": "unknown", "status": 500}, "HTTP 500", "may be there or not"),
        ({"outcome": "unknown", "status": 0, "reason": "no whole answer"}, "no whole answer", "may be there or not"),
        ({"outcome": "unknown", "status": 0, "ended": None}, "no answer until the run ended", "may be there or not"),
    ],
)
def test_whether_a_write_may_be_there_is_told_for_each_answer(data: dict[str, Any], short: str, words: str) -> None:
    """A refused one is not there, an unknown one may be."""
    (found,) = answers(History(posts(quiet(5), 0, 0.1, **data)))
    assert (found.short, found.count) == (short, 1) and words in found.meaning


def test_servers_that_gave_the_same_answer_are_told_together() -> None:
    """With what it means once."""
    both = posts(
        posts(quiet(20), 5, 6, outcome="failed", status=503, served_by="web1"),
        6,
        7,
        outcome="failed",
        status=503,
        served_by="web2",
    )
    assert [(it.source, it.count) for it in answers(History(both))] == [("PHP on web1, web2", 8)]


def test_a_run_in_which_all_succeeded_has_none() -> None:
    """Nor a section for them on its page."""
    assert answers(History(quiet())) == []
    assert "Requests that did not succeed" not in Page(page(Judgement.of(quiet(), []), "quiet")).text


def test_the_story_says_how_many_were_refused_and_why() -> None:
    """With the status that they got, and how many are unknown."""
    (told,) = [it for it in story(hard_times()) if "were acknowledged" in it]
    assert facts(told) == "44 80 0 20 503 16 504"


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ((), "only reported"),
        (({"check": "write-outage", "reported": True},), "only reported"),
        (({"check": "write-outage", "at_most": 20},), "allowed: at most 20 s"),
        (({"check": "write-outage", "at_least": 5},), "expected: at least 5 s"),
    ],
    ids=["not checked", "reported", "at most", "at least"],
)
def test_a_long_write_outage_is_in_the_story_of_a_run_that_passes(expect: tuple[Any, ...], words: str) -> None:
    """With what the experiment says of it: a green PASS may not cover it."""
    told = story(hard_times(), {"check": "lost-writes", "at_most": 0}, *expect)
    (outage,) = [it for it in told if "no write was acknowledged" in it]
    assert facts(outage).startswith("9.0") and words in outage


def test_the_page_says_what_each_answer_means(tmp_path: Path) -> None:
    """In a table of its own, with the number of requests."""
    lines = Page(page(Judgement.of(hard_times(), []), "hard")).lines
    at = lines.index("Requests that did not succeed")
    assert lines[at + 5 : at + 9] == ["writes refused", "20", "HTTP 503", "from PHP on web1"]
