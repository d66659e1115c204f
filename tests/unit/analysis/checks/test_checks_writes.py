"""The set checker: acknowledged writes against the content of each database."""

import pytest

from lab.analysis.checks.catalogue import find, judge
from lab.analysis.history import History
from lab.analysis.timeline import Entry
from tests.support.timelines import changed, final, kind, lab, run, write

SENT = [
    run(),
    lab(0, "phase", name="measure"),
    write(1, "kept"),
    write(2, "gone"),
    write(3, "refused", "failed"),
    write(4, "maybe", "unknown"),
    write(5, "never", "unknown"),
    lab(6, "phase", name="settle"),
]
ALL_WRITES = {"kept": 1, "gone": 1}


@pytest.mark.parametrize(
    ("name", "web1", "web2", "value", "words"),
    [
        ("lost-writes", ALL_WRITES, ALL_WRITES, 0, "of 2 acknowledged"),
        ("lost-writes", ALL_WRITES, {"kept": 1}, 1, "1 missing in web2 (gone)"),
        ("lost-writes", {"gone": 1}, {"kept": 1}, 2, "1 missing in web1 (kept); 1 missing in web2 (gone)"),
        ("lost-writes", {}, {}, 2, "2 missing in web1 (gone, kept)"),
        ("duplicated-writes", ALL_WRITES, {**ALL_WRITES, "maybe": 3}, 1, "of 5 sent (maybe)"),
        (
            "unexpected-writes",
            {**ALL_WRITES, "maybe": 1},
            {**ALL_WRITES, "maybe": 1},
            0,
            "0 of 1 failed ones appeared, 0 in one",
        ),
        (
            "unexpected-writes",
            ALL_WRITES,
            {**ALL_WRITES, "maybe": 1},
            1,
            "1 in one database only, 0 with another body (maybe)",
        ),
        ("unexpected-writes", ALL_WRITES, {"kept": 1}, 0, "0 in one database only"),
        ("unexpected-writes", {**ALL_WRITES, "refused": 1}, ALL_WRITES, 1, "1 of 1 failed ones appeared, 1 in one"),
        ("unexpected-writes", ALL_WRITES, {**ALL_WRITES, "ghost": 1}, 1, "1 never sent, 0 of 1"),
        ("unknown-writes", {**ALL_WRITES, "maybe": 1}, ALL_WRITES, 2, "of 5 sent; 1 appeared"),
    ],
)
def test_what_became_of_writes(name: str, web1: dict[str, int], web2: dict[str, int], value: int, words: str) -> None:
    """A write that is missing in one final set is lost; one that is in any of them has appeared."""
    finding = find(History([*SENT, final("web1", web1), final("web2", web2)]), name)
    assert (finding.value, finding.enough) == (value, True)
    assert words in finding.detail


@pytest.mark.parametrize(
    ("name", "held", "value"),
    [
        ("lost-writes", ALL_WRITES, 0),
        ("lost-writes", {"kept": 1}, 1),
        ("duplicated-writes", {**ALL_WRITES, "kept": 2}, 1),
        ("unexpected-writes", {**ALL_WRITES, "refused": 1}, 1),
    ],
)
def test_what_was_seen_is_the_least_where_the_other_final_set_is_missing(
    name: str, held: dict[str, int], value: int
) -> None:
    """A database that could not be read may hold worse: a broken bound is broken, a bound that holds proves nothing."""
    entries = [*SENT, final("web1", held)]
    finding = find(History(entries), name)
    assert (finding.value, finding.enough) == (value, False)
    assert "not read at the end: web2" in finding.detail
    none, three = (judge(History(entries), [{"check": name, "at_most": bound}])[0].verdict for bound in (0, 3))
    assert (none, three) == ("fail" if value else "inconclusive", "inconclusive")


def test_a_note_with_another_body_is_lost() -> None:
    """Its token is there; the visitor's text is not."""
    altered = changed([final("web2", ALL_WRITES)], kind("final"), altered=["kept"])
    finding = find(History([*SENT, final("web1", ALL_WRITES), *altered]), "lost-writes")
    assert (finding.value, finding.enough) == (1, True)
    assert "missing in web2 (kept)" in finding.detail and "1 with another body" in finding.detail


@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_nothing_can_be_lost_where_nothing_was_acknowledged(outcome: str) -> None:
    """A site that refused every write has not proved that it keeps them."""
    sent = [run(), write(1, "a", outcome), final("web1", {}), final("web2", {})]
    finding = find(History(sent), "lost-writes")
    assert (finding.value, finding.enough, finding.detail) == (None, False, "no write was acknowledged")


def test_a_run_of_unknown_nodes_proves_nothing() -> None:
    """Without the run's first entry the number of databases is not known."""
    entries: list[Entry] = [write(1, "a"), final("web1", {"a": 1})]
    assert not find(History(entries), "lost-writes").enough
