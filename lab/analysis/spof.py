"""What failed while one component was dead, judged from the timeline of its run and the lookups of its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.analysis.checks.detection import detections, recoveries
from lab.analysis.history import FaultSpan, History, Request
from lab.errors import InfrastructureBroken

WHAT = ("reads", "writes", "names")
METHODS = {"reads": "GET", "writes": "POST"}
END_S = 10.0  # the end of the dead time: what fails then, this lab does not overcome by itself
FEWEST = 3  # of fewer requests nothing is concluded
SINGLE, SURVIVED, UNKNOWN = "single point of failure", "survived", "not measured"
HALF = 0.5


@dataclass(frozen=True)
class Try:
    """A request or a lookup: when it was due, when its answer came, and whether that was the right one."""

    due: float
    ended: float
    ok: bool


def measure(history: History, lookups: Sequence[Try]) -> dict[str, Any]:
    """The counts and times of a run with one fault, in seconds; raises InfrastructureBroken if it is not complete.

    For each of WHAT, `first` and `end` are [failed, tried]: until the failure was noticed, and in the last END_S of
    the dead time. `noticed_s` is None if nothing in the lab noticed, `recovered_s` if no recovery was seen.
    """
    fault = _fault(history)
    tries = {it: _tries(history, METHODS[it]) for it in METHODS} | {"names": list(lookups)}
    noticed = _noticed(history)
    return {
        **{it: _counts(tries[it], fault, noticed) for it in WHAT},
        "noticed_s": None if noticed is None else round(noticed - fault.inject, 1),
        "recovered_s": _recovered(history, fault, tries.values()),
        "primary": _primary(history, fault.inject),
        "dead_s": round(_heal(fault) - fault.inject, 1),
    }


def fails(result: Mapping[str, Any], what: str) -> bool | None:
    """Whether at least half failed at the end of the dead time; None if too few were tried."""
    failed, tried = result[what]["end"]
    return None if tried < FEWEST else failed >= HALF * tried


def verdict(result: Mapping[str, Any]) -> str:
    """A single point of failure fails at least one of WHAT."""
    answers = [fails(result, it) for it in WHAT]
    return SINGLE if True in answers else UNKNOWN if None in answers else SURVIVED


def _fault(history: History) -> FaultSpan:
    ends = history.seen("lab", "end")
    why = [entry.data["why"] for entry in history.broken] + [entry.data["why"] for entry in ends[-1:]]
    faults = [it for it in history.faults if it.injected is not None and it.heal is not None]
    if any(why) or not ends or len(faults) != 1:
        reason = next(filter(None, why), "the run is not complete")
        raise InfrastructureBroken("the component could not be measured", evidence=reason, hint="invoke lab.status")
    return faults[0]


def _heal(fault: FaultSpan) -> float:
    return fault.inject if fault.heal is None else fault.heal


def _tries(history: History, method: str) -> list[Try]:
    return [_try(history, it) for it in history.requests if it.method == method]


def _try(history: History, it: Request) -> Try:
    return Try(it.intended, history.end if it.ended is None else it.ended, it.is_answered)


def _counts(tries: Sequence[Try], fault: FaultSpan, noticed: float | None) -> dict[str, list[int]]:
    end = max(fault.inject, _heal(fault) - END_S)
    split = end if noticed is None else min(noticed, end)
    return {"first": _count(tries, fault.inject, split), "end": _count(tries, end, _heal(fault))}


def _count(tries: Sequence[Try], start: float, stop: float) -> list[int]:
    due = [it for it in tries if start <= it.due < stop]
    return [sum(not it.ok for it in due), len(due)]


def _noticed(history: History) -> float | None:
    """When HAProxy first took a server out; None if it did not, or if that was not seen."""
    return min((it.stop for it in detections(history) if not it.missing), default=None)


def _recovered(history: History, fault: FaultSpan, every: Any) -> float | None:
    """From the beginning of healing until all was answered again, and HAProxy used every server."""
    heal = _heal(fault)
    servers = [None if it.missing else it.stop for it in recoveries(history)]
    times = [*servers, *(_answered_again(tries, fault.inject, heal) for tries in every)]
    known = [it for it in times if it is not None]
    return round(max([heal, *known]) - heal, 1) if len(known) == len(times) else None


def _answered_again(tries: Sequence[Try], inject: float, heal: float) -> float | None:
    """When the first answer after the last failure came; None if there was none."""
    last = max((it.due for it in tries if not it.ok and it.due >= inject), default=None)
    if last is None:
        return heal
    return min((it.ended for it in tries if it.ok and it.due > last), default=None)


def _primary(history: History, before: float) -> str:
    """The database that was primary when the fault began; '' if that was not seen."""
    states = [it for them in history.states("database").values() for it in them if it.at <= before]
    primaries = [it for it in states if it.data["role"] == "primary"]
    return str(max(primaries, key=lambda it: it.at).data["node"]) if primaries else ""
