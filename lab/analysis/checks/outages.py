"""Checks of what users notice: the longest time without an answer, and answers that came late."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from lab.analysis.checks import coverage
from lab.analysis.checks.finding import Finding, found, nothing
from lab.analysis.history import History, Request

SLOW_S = 1.0


def reads(history: History) -> Finding:
    """The longest time without an answered GET while GETs were due."""
    return _outage(history, "GET")


def writes(history: History) -> Finding:
    """The longest time without an acknowledged POST while POSTs were due."""
    return _outage(history, "POST")


def slow(history: History) -> Finding:
    """Requests that ended more than a second after they were due, or never."""
    requests = history.measured()
    if not requests:
        return nothing("requests", "no request was made")
    late = [it for it in requests if it.ended is None or it.ended - it.intended > SLOW_S]
    gets = sum(it.method == "GET" for it in late)
    detail = f"of {len(requests)}; {gets} GET, {len(late) - gets} POST"
    return found(len(late), "requests", detail, coverage.client(history))


def _outage(history: History, method: str) -> Finding:
    requests = history.measured(method)
    if not requests:
        return nothing("s", f"no {method} was made")
    first, last = longest(requests)
    detail = f"from {history.clock(first)} to {history.clock(last)}"
    return found(last - first, "s", detail, coverage.client(history))


def longest(requests: Sequence[Request]) -> tuple[float, float]:
    """The longest time without an answer, of requests sorted by when they were due.

    It begins with the first request due after the last answer: a pause of the load is no outage.
    """
    due = [it.intended for it in requests]
    given_up = max(it.intended if it.ended is None else it.ended for it in requests)
    answers = sorted(it.ended for it in requests if it.is_answered and it.ended is not None)
    edges = [due[0], *answers, max(given_up, due[-1])]
    spans = [_span(due, *pair) for pair in pairwise(edges)]
    return max(spans, key=lambda span: span[1] - span[0])


def _span(due: Sequence[float], answer: float, following: float) -> tuple[float, float]:
    """From the first request due after an answer to the following answer; nothing if none was due in between."""
    first = bisect_left(due, answer)
    return (min(due[first], following) if first < len(due) else following), following
