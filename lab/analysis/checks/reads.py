"""Checks of reads: failed reads, those that failed before HAProxy noticed the fault, and stale reads."""

from collections import Counter
from collections.abc import Sequence

from lab.analysis.checks import coverage
from lab.analysis.checks.detection import Reaction, detections
from lab.analysis.checks.finding import Finding, found, nothing
from lab.analysis.history import History, Request, acknowledged

NO_READS = "no GET was made"
LATE = "HTTP 404 for a note that was acknowledged too long ago"


def failed(history: History) -> Finding:
    """GETs without a proper answer, in the whole run.

    A 404 for one note is no failure, although its record says so, within the staleness that the experiment allows: a
    replica may not have the note yet.
    """
    reads = [it for it in history.requests if it.method == "GET"]
    if not reads:
        return nothing("GETs", NO_READS)
    bad = [it for it in reads if not it.is_answered]
    detail = f"of {len(reads)}{_reasons(history, bad)}"
    return found(len(bad), "GETs", detail, coverage.client(history))


def failed_in_window(history: History) -> Finding:
    """Failed GETs that were due after a fault began and before HAProxy stopped reporting its server UP."""
    reactions = detections(history)
    if not reactions:
        return nothing("GETs", "no fault took a server from the balancer")
    reads = in_window(history, reactions)
    if not reads:
        return nothing("GETs", "no GET was due between a fault and its detection")
    bad = [it for it in reads if not it.is_answered]
    missing = "; ".join(f"{it.server}: {it.missing}" for it in reactions if it.missing)
    detail = f"of {len(reads)} in that time{_reasons(history, bad)}"
    return found(len(bad), "GETs", detail, missing or coverage.client(history))


def in_window(history: History, reactions: Sequence[Reaction]) -> list[Request]:
    """The GETs that were due between the beginning of a fault and its detection."""
    return [it for it in history.requests if it.method == "GET" and _within(it, reactions)]


def stale(history: History) -> Finding:
    """Reads of one note that got 404 although its write had been acknowledged before they were sent."""
    known = acknowledged(history.requests)
    reads = [it for it in history.requests if it.method == "GET" and (it.outcome == "ok" or it.is_absent)]
    reads = [it for it in reads if known.get(it.token, it.sent) < it.sent]
    if not reads:
        return nothing("GETs", "no note was read after its write had been acknowledged")
    old = [it for it in reads if it.is_absent]
    detail = f"of {len(reads)} reads of acknowledged notes"
    if old:
        worst = max(it.sent - known[it.token] for it in old)
        detail += f"; the worst {worst:.2f} s after the write was acknowledged"
    return found(len(old), "GETs", detail, coverage.client(history))


def _within(request: Request, reactions: Sequence[Reaction]) -> bool:
    return any(it.start <= request.intended < it.stop for it in reactions)


def _reasons(history: History, requests: Sequence[Request]) -> str:
    counted = Counter(LATE if it.late else it.reason or f"HTTP {it.status}" for it in requests).most_common(3)
    reasons = "".join(f"; {count} x {reason}" for reason, count in counted)
    return f"{reasons}; due {_span(history, [it.intended for it in requests])}" if requests else ""


def _span(history: History, times: Sequence[float]) -> str:
    first, last = history.clock(min(times)), history.clock(max(times))
    return f"at {first}" if first == last else f"from {first} to {last}"
