"""Checks of a crowd: what was still answered, how soon the rest was refused, and how soon the site recovered.

The crowd lasts while the load is above its first rate.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TypeAlias

from lab.analysis.checks import coverage
from lab.analysis.checks.finding import Finding, found, nothing
from lab.analysis.history import History, Offer, Request
from lab.analysis.metrics import percentiles

Check: TypeAlias = Callable[[History], Finding]
GOOD_S = 3.0
REFUSED = 503
NO_CROWD = "the load never rose above its first rate"


def _of_the_site(check: Check) -> Check:
    """Make a check of times find nothing if the load used too much processor time, which makes times longer."""

    @wraps(check)
    def judged(history: History) -> Finding:
        busy = coverage.generator(history)
        return nothing("s", busy) if busy else check(history)

    return judged


def goodput(history: History) -> Finding:
    """The lowest rate of answers within 3 s during the crowd, as a share of the possible rate.

    Parts of the load with the same rate count as one: a machine that gets slower in the run affects all rates alike.
    The possible rate is the highest rate of answers at any rate of the load, or the rate sent if that was lower.
    """
    answered = _answered(history)
    peak = max(answered.values(), default=0.0)
    crowd = {it.rate for it in _crowd(history)} & answered.keys()
    if not crowd or not peak:
        return nothing("ratio", NO_CROWD if peak else "nothing was answered within 3 s")
    detail = "; ".join(f"{sent:g}/s sent: {rate:.1f}/s answered" for sent, rate in answered.items())
    share = min(answered[sent] / min(peak, sent) for sent in crowd)
    return found(share, "ratio", detail, _missing(history))


@_of_the_site
def answer_time(history: History) -> Finding:
    """The 99th percentile of the answer times of reads during the crowd; writes also wait for two databases."""
    took = [_took(history, it) for it in _in_crowd(history) if it.is_answered and it.method == "GET"]
    times = percentiles(took)
    if not times:
        return nothing("s", "nothing was answered" if _crowd(history) else NO_CROWD)
    return found(times.p99, "s", f"of {times.count} answers; the slowest {max(took):.2f} s", _missing(history))


@_of_the_site
def refusal_time(history: History) -> Finding:
    """The longest time until the balancer refused a request; 0 if it refused none. The site refuses later."""
    if not history.requests:
        return nothing("s", "no request was made")
    took = [_took(history, it) for it in history.measured() if it.status == REFUSED and not it.served_by]
    return found(max(took, default=0.0), "s", f"{len(took)} refused", _missing(history))


def unanswered(history: History) -> Finding:
    """Requests that got neither an answer nor a refusal, in the whole run."""
    if not history.requests:
        return nothing("requests", "no request was made")
    bad = [it for it in history.requests if not it.is_answered and it.status != REFUSED]
    gets = sum(it.method == "GET" for it in bad)
    detail = f"of {len(history.requests)}; {gets} GET, {len(bad) - gets} POST"
    return found(len(bad), "requests", detail, coverage.client(history))


@_of_the_site
def recovery(history: History) -> Finding:
    """The time after the crowd until every request was answered within 3 s."""
    crowd = _crowd(history)
    after = [it for it in history.offers if crowd and it.start >= crowd[-1].stop]
    if not after:
        return nothing("s", "nothing was sent after the crowd" if crowd else NO_CROWD)
    end = after[0].start
    due = [it for it in history.requests if end <= it.intended < history.stop]
    if not due:
        return nothing("s", "no request was made after the crowd")
    last = max((it.intended for it in due if not _is_normal(history, it)), default=end)
    missing = "it had not recovered by the end" if last >= due[-1].intended else _missing(history)
    return found(last - end, "s", f"of {after[-1].stop - end:.0f} s observed", missing)


def writes(history: History) -> Finding:
    """The rate of acknowledged writes during the crowd, as a share of the rate before it."""
    crowd = _crowd(history)
    before = [it for it in history.offers if crowd and it.stop <= crowd[0].start]
    usual = _acknowledged(history, before)
    if not usual:
        return nothing("ratio", "no write was acknowledged before the crowd" if crowd else NO_CROWD)
    now = _acknowledged(history, crowd)
    return found(now / usual, "ratio", f"{usual:.2f}/s before, {now:.2f}/s in the crowd", _missing(history))


def _crowd(history: History) -> list[Offer]:
    first = history.offers[0].rate if history.offers else 0.0
    return [it for it in history.offers if it.rate > first]


def _in_crowd(history: History) -> list[Request]:
    return [it for offer in _crowd(history) for it in _due(history, offer)]


def _due(history: History, offer: Offer) -> list[Request]:
    return [it for it in history.requests if offer.start <= it.intended < offer.stop]


def _answered(history: History) -> dict[float, float]:
    """The rate of answers within 3 s, by the rate sent."""
    good, seconds = defaultdict[float, int](int), defaultdict[float, float](float)
    for offer in history.offers:
        due = _due(history, offer)
        good[offer.rate] += sum(it.is_answered and _took(history, it) <= GOOD_S for it in due)
        seconds[offer.rate] += offer.seconds
    return {rate: good[rate] / seconds[rate] for rate in good if seconds[rate] > 0}


def _acknowledged(history: History, offers: Sequence[Offer]) -> float:
    acknowledged = [it for offer in offers for it in _due(history, offer) if it.method == "POST" and it.outcome == "ok"]
    seconds = sum(it.seconds for it in offers)
    return len(acknowledged) / seconds if seconds else 0.0


def _took(history: History, request: Request) -> float:
    return (history.end if request.ended is None else request.ended) - request.intended


def _is_normal(history: History, request: Request) -> bool:
    return request.is_answered and _took(history, request) <= GOOD_S


def _missing(history: History) -> str:
    return "; ".join(filter(None, [coverage.client(history), coverage.generator(history)]))
