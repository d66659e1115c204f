"""Metrics of the requests: latency, and outcomes per second."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lab.analysis.history import History


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of the latency of `count` requests, in seconds."""

    count: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Latency:
    """`corrected` counts from when a request was due, as a user does; `naive` from when it was sent."""

    corrected: Percentiles | None
    naive: Percentiles | None


@dataclass(frozen=True)
class Second:
    """The outcomes of the requests due in the second that begins at `at`."""

    at: float
    ok: int
    failed: int
    unknown: int


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """Percentiles that are values themselves, not interpolated; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    p50, p95, p99 = (ordered[math.ceil(share * len(ordered) / 100) - 1] for share in (50, 95, 99))
    return Percentiles(len(ordered), p50, p95, p99)


def latency(history: History, method: str = "") -> Latency:
    """The latency of the requests since measuring began; one that never ended lasts to the end of the run."""
    ends = [(it, history.end if it.ended is None else it.ended) for it in history.measured(method)]
    corrected = percentiles([end - it.intended for it, end in ends])
    return Latency(corrected, percentiles([end - it.sent for it, end in ends]))


def per_second(history: History, method: str = "") -> list[Second]:
    """The requests of the whole run by the second in which they were due, empty seconds included."""
    counts: dict[int, dict[str, int]] = {}
    for it in history.requests:
        if method in ("", it.method):
            second = counts.setdefault(math.floor(it.intended - history.start), {"ok": 0, "failed": 0, "unknown": 0})
            second["ok" if it.is_answered else it.outcome] += 1
    none = {"ok": 0, "failed": 0, "unknown": 0}
    spanned = range(min(counts), max(counts) + 1) if counts else ()
    return [Second(history.start + number, **counts.get(number, none)) for number in spanned]
