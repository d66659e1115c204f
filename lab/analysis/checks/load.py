"""Checks of the load itself: without them a quiet generator looks like a healthy site."""

from lab.analysis.checks import coverage
from lab.analysis.checks.finding import Finding, found, nothing
from lab.analysis.history import History


def arrival_rate(history: History) -> Finding:
    """Requests sent while measuring, as a share of the number due at the rates of the load."""
    seconds, due = history.stop - history.start, sum(it.rate * it.seconds for it in history.offers)
    if not history.requests or due <= 0:
        return nothing("ratio", "the intended rate is not known" if history.requests else "no request was made")
    sent = sum(history.start <= it.sent < history.stop for it in history.requests)
    detail = f"{sent} of {due:.0f} in {seconds:.0f} s"
    cut_off = "" if history.seen("lab", "end") else "the run was killed: when its load ended is not known"
    return found(sent / due, "ratio", detail, coverage.client(history) or cut_off)


def requests_seen(history: History) -> Finding:
    """Requests that HAProxy counted, minus those that the client recorded; above 0, some were sent again."""
    reports = [entry.data["requests_seen"] for entry in history.seen("lab", "generator")]
    counted = next((it for it in reversed(reports) if it), None)
    if not counted or not history.requests:
        return nothing("requests", "HAProxy's counters were not read" if history.requests else "no request was made")
    total, recorded = sum(counted.values()), len(history.requests)
    return found(total - recorded, "requests", f"{total} counted, {recorded} recorded")
