"""Reads: failed, failed before HAProxy noticed, stale; outages and slow answers as users notice them."""

import pytest

from lab.analysis.checks.catalogue import find
from lab.analysis.checks.outages import longest
from lab.analysis.history import History
from lab.analysis.timeline import Entry
from tests.support.timelines import (
    T0,
    absent,
    changed,
    failed,
    lab,
    of,
    quiet,
    request,
    run,
    spell,
    switched_off,
    write,
)


def test_failed_reads_are_told_with_their_reasons() -> None:
    """The report shows what went wrong, the most frequent reason first."""
    bad = [failed(3), failed(4), failed(5, status=0, reason="not connected")]
    finding = find(History([*quiet(), *bad]), "failed-gets")
    assert (finding.value, finding.detail) == (3, "of 323; 2 x HTTP 503; 1 x not connected; due from +3.0 s to +5.0 s")


def test_a_note_that_is_not_there_is_no_failed_read() -> None:
    """Its record says failed, but the site answered: it is judged as a stale read."""
    history = History([*quiet(), absent(1.5, "t0")])
    assert find(history, "failed-gets").value == 0
    assert find(history, "stale-reads").value == 1


@pytest.mark.parametrize(("staleness_s", "failed_", "outage"), [(2, 1, True), (10, 0, False)])
def test_a_note_that_is_missing_for_longer_than_allowed_is_a_failed_read(
    staleness_s: float, failed_: int, outage: bool
) -> None:
    """An experiment that breaks replication sets the limit; a site that lost a note does not count as answering."""
    gone = [absent(at / 10, "t0") for at in range(60, 100)]
    history = History([*quiet(staleness_s=staleness_s), gone[0]])
    assert find(history, "failed-gets").value == failed_
    assert find(history, "stale-reads").value == 1
    only = History([run(staleness_s=staleness_s), write(0.1, "t0"), *gone, write(10, "t1")])
    longest = find(only, "longest-outage").value
    assert longest is not None and (longest > 3) == outage


@pytest.mark.parametrize(("at", "value"), [(4.9, 0), (5.0, 1), (7.9, 1), (8.0, 0), (13.0, 0)])
def test_the_window_is_from_the_fault_to_its_detection(at: float, value: int) -> None:
    """A read due then may have met the dead server; later ones have no excuse."""
    assert find(History(switched_off(failed(at))), "failed-gets-in-window").value == value


@pytest.mark.parametrize(
    ("reads", "value", "words"),
    [
        ([absent(1.0, "a")], None, "no note was read after"),  # the write ends at 1.02
        ([absent(1.1, "other")], None, "no note was read after"),
        ([request(1.1, token="a")], 0, "of 1 reads of acknowledged notes"),
        ([absent(1.1, "a"), absent(3.02, "a"), request(4, token="a")], 2, "of 3 reads of acknowledged notes"),
        ([absent(1.1, "a"), absent(3.02, "a")], 2, "the worst 2.00 s after the write was acknowledged"),
    ],
)
def test_a_stale_read_began_after_its_write_was_acknowledged(reads: list[Entry], value: int, words: str) -> None:
    """A read that was sent before that may get either answer."""
    finding = find(History([run(), write(1, "a"), *reads]), "stale-reads")
    assert finding.value == value
    assert words in finding.detail


@pytest.mark.parametrize(
    ("requests", "span"),
    [
        ([request(0), request(1), request(2)], (0, 0.02)),
        ([request(0), failed(1), failed(2), request(4)], (1, 4.02)),
        ([failed(0), failed(1), request(2)], (0, 2.02)),
        ([request(0), failed(1), failed(2, ended=T0 + 7)], (1, 7)),
        ([request(0), failed(1), failed(2, ended=None)], (1, 2)),
        ([failed(0), failed(1)], (0, 1.02)),
        ([request(0, ended=T0 + 3), request(1, ended=T0 + 3.5)], (0, 3)),
        ([request(0), request(60, ended=T0 + 61)], (60, 61)),  # a pause of the load is no outage
        ([request(0, ended=T0 + 9), request(1)], (0, 1.02)),  # one slow request while others are served is no outage
    ],
)
def test_the_longest_outage(requests: list[Entry], span: tuple[float, float]) -> None:
    """From the first request that was due without an answer to the next answer."""
    first, last = longest(History(requests).requests)
    assert (first - T0, last - T0) == pytest.approx(span, abs=1e-3)


def test_an_outage_is_told_with_its_moment() -> None:
    """In seconds since measuring began, as in the diagram of the report."""
    entries = [lab(0, "phase", name="measure"), request(1), failed(2), request(4.5), lab(5, "phase", name="settle")]
    assert find(History(entries), "longest-outage").detail == "from +2.0 s to +4.5 s"


def test_cold_caches_are_not_measured() -> None:
    """Slow requests during the warm-up do not count, failed ones do."""
    warming = [request(-3, ended=T0), failed(-2, ended=T0)]
    history = History([*quiet(), *warming])
    assert find(history, "slow-requests").value == 0
    assert find(history, "failed-gets").value == 1


def test_a_request_that_never_ended_is_slow() -> None:
    """No user waits for ever."""
    finding = find(History([*quiet(), write(3, "x", "unknown", ended=None)]), "slow-requests")
    assert (finding.value, finding.detail) == (1, "of 401; 0 GET, 1 POST")


def test_a_wait_before_sending_is_felt_too() -> None:
    """A generator that is delayed by slow answers must not hide them: time runs from when a request was due."""
    assert find(History([*quiet(), request(3, sent=T0 + 5, ended=T0 + 5.02)]), "slow-requests").value == 1


def test_requests_that_were_sent_too_late_did_not_arrive() -> None:
    """A generator that can't keep up does not offer the load, even if it sends everything in the end."""
    entries = changed(quiet(), of("client", 15, 20), sent=T0 + 25, ended=T0 + 26)
    assert find(History(entries), "arrival-rate").value == 0.75


def test_a_window_that_has_no_end_is_not_enough() -> None:
    """HAProxy never noticed: observed failures count, the rest is not known."""
    finding = find(History([*quiet(), *spell([5, 5.5]), failed(6)]), "failed-gets-in-window")
    assert (finding.value, finding.enough) == (1, False)
    assert "HAProxy reported UP all the time" in finding.detail
