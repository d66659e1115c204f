"""Checks of the load itself: without them a quiet generator looks like a healthy site."""

from lab.checks import sight
from lab.checks.finding import Finding, found, nothing
from lab.history import History


def arrival_rate(history: History) -> Finding:
    """Requests sent while measuring, as a share of those that the rate asks for."""
    rate, seconds = history.run.get("load", {}).get("rate", 0), history.stop - history.start
    if not history.requests or rate * seconds <= 0:
        return nothing("ratio", "no request was made" if rate else "the intended rate is not known")
    sent = sum(history.start <= it.sent < history.stop for it in history.requests)
    detail = f"{sent} of {rate * seconds:.0f} in {seconds:.0f} s"
    cut_off = "" if history.seen("lab", "end") else "the run was killed: when its load ended is not known"
    return found(sent / (rate * seconds), "ratio", detail, sight.client(history) or cut_off)


def requests_seen(history: History) -> Finding:
    """Requests that HAProxy counted, minus those that the client recorded: more were sent again by somebody."""
    reports = [entry.data["requests_seen"] for entry in history.seen("lab", "generator")]
    counted = next((it for it in reversed(reports) if it), None)
    if not counted or not history.requests:
        return nothing("requests", "HAProxy's counters were not read" if history.requests else "no request was made")
    total, recorded = sum(counted.values()), len(history.requests)
    return found(total - recorded, "requests", f"{total} counted, {recorded} recorded")
