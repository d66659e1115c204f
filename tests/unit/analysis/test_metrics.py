"""Metrics: percentiles with and without the wait before sending, and rates."""

import pytest

from lab.analysis.history import History
from lab.analysis.metrics import Percentiles, Second, latency, per_second, percentiles
from tests.support.timelines import T0, absent, failed, lab, quiet, request, write


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([3.0], Percentiles(1, 3.0, 3.0, 3.0)),
        ([float(number) for number in range(100, 0, -1)], Percentiles(100, 50.0, 95.0, 99.0)),
        ([1.0, 2.0, 3.0, 4.0], Percentiles(4, 2.0, 4.0, 4.0)),
    ],
)
def test_percentiles(values: list[float], expected: Percentiles | None) -> None:
    """A percentile is a measured value, never an interpolated one."""
    assert percentiles(values) == expected


def test_a_freeze_shows_in_the_corrected_latency_only() -> None:
    """A generator that is delayed for two seconds sends late, and each late request is then answered at once."""
    frozen = [request(at / 20, sent=T0 + 12, ended=T0 + 12.02) for at in range(200, 240)]
    both = latency(History([*quiet(), *frozen]))
    assert both.corrected and both.naive
    assert (both.corrected.count, round(both.corrected.p99, 2), round(both.naive.p99, 2)) == (440, 1.82, 0.02)


def test_figures_of_one_method_begin_with_measuring() -> None:
    """Requests with cold caches are not measured."""
    corrected = latency(History([*quiet(), write(-3, "cold", ended=T0)]), "POST").corrected
    assert corrected and (corrected.count, round(corrected.p99, 2)) == (80, 0.02)


def test_a_request_that_never_ended_lasts_to_the_end() -> None:
    """Leaving it out would make a dead site look fast."""
    corrected = latency(History([request(1, ended=None), lab(9, "end", complete=True)])).corrected
    assert corrected and corrected.p50 == pytest.approx(8)


def test_rates_a_second() -> None:
    """Empty seconds are zero, not missing; 'no such note' is an answer."""
    history = History([lab(0, "phase", name="measure"), request(0.1), failed(0.9), absent(2.5, "a"), write(2.6, "b")])
    assert per_second(history) == [Second(T0, 1, 1, 0), Second(T0 + 1, 0, 0, 0), Second(T0 + 2, 2, 0, 0)]
    assert per_second(history, "POST") == [Second(T0 + 2, 1, 0, 0)]
    assert per_second(History([])) == []
