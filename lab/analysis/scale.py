"""How many reads were answered, and how fast, at each step of a rising load."""

from typing import Any

from lab.analysis.checks import coverage
from lab.analysis.history import History, Offer, Request
from lab.analysis.metrics import percentiles
from lab.errors import InfrastructureBroken

SETTLE_S = 2.0  # the beginning of a step: its queue fills
MEASURED = "measured"
DRAINS = "lb.drain"
RUN_AGAIN = "this machine may be too busy; the same command measures it again"


def measure(history: History, servers: int) -> dict[str, Any]:
    """What each step of a ramp for so many servers showed; its first SETTLE_S seconds do not count.

    A step has `sent_per_s`, `due`, `answered`, `answered_per_s`, and `p95_s` of the answered reads, from when they were
    due; it is None if none was answered. `note` says why the times may be too long, '' if nothing speaks for it.

    Raises InfrastructureBroken if the run is not complete, or the servers were not limited before the load rose.
    """
    steps = history.offers[1:-1]
    _must_be_complete(history)
    _must_be_limited(history, steps[0].start if steps else history.end, servers)
    return {"steps": [_step(history, it) for it in steps], "note": coverage.generator(history)}


def most_per_s(steps: list[dict[str, Any]]) -> float:
    """The most answers a second at any step."""
    return max((float(it["answered_per_s"]) for it in steps), default=0.0)


def _must_be_complete(history: History) -> None:
    ends = history.seen("lab", "end")
    why = [entry.data["why"] for entry in [*history.broken, *ends[-1:]]]
    if any(why) or not ends:
        reason = next(filter(None, why), "the run is not complete")
        raise InfrastructureBroken("the rising load could not be measured", evidence=reason, hint="invoke lab.status")


def _must_be_limited(history: History, begins: float, servers: int) -> None:
    limited = [it for it in history.faults if it.injected is not None and it.injected <= begins]
    drains = [it for it in history.seen("lab", "command") if it.data["words"].startswith(DRAINS)]
    failed = [it.data["words"] for it in drains if it.data["exit_code"] or it.at > begins]
    if failed or len(limited) != servers:
        evidence = f"limited in time: {len(limited)} of {servers} servers; not drained in time: {failed or 'none'}"
        raise InfrastructureBroken("the load rose before the servers were ready", evidence=evidence, hint=RUN_AGAIN)


def _step(history: History, offer: Offer) -> dict[str, Any]:
    due = [it for it in history.requests if offer.start + SETTLE_S <= it.intended < offer.stop]
    answered = [it for it in due if it.is_answered and it.ended is not None]
    times = percentiles([_took(it) for it in answered])
    return {
        "sent_per_s": offer.rate,
        "due": len(due),
        "answered": len(answered),
        "answered_per_s": round(len(answered) / (offer.seconds - SETTLE_S), 2),
        "p95_s": round(times.p95, 3) if times else None,
    }


def _took(request: Request) -> float:
    return (request.ended or request.intended) - request.intended
