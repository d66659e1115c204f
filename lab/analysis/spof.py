"""What failed while one component was dead, judged from the timeline of its run and the lookups of its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import pairwise
from typing import Any

from lab.analysis.checks.detection import detections, recoveries
from lab.analysis.history import BLIND_S, FaultSpan, History, Request
from lab.errors import InfrastructureBroken
from lab.release import SERVICES

WHAT = ("reads", "writes", "names")
METHODS = {"reads": "GET", "writes": "POST"}
END_S = 10.0  # the end of the dead time: what fails then, this lab does not overcome by itself
NOTICES_S = 5.0  # what must be left for noticing before that: a component that was dead for less is measured again
FEWEST = 3  # of fewer requests nothing is concluded
SINGLE, SOME = "single point of failure", "some requests fail"
SURVIVED, UNKNOWN = "survived", "not measured"
PARTS = ("first", "middle", "end")
HALF = 0.5
_NOT_MEASURED = "the component could not be measured"


@dataclass(frozen=True)
class Try:
    """A request or a lookup: when it was due, when its answer came, and whether that was the right one."""

    due: float
    ended: float
    ok: bool


def measure(history: History, lookups: Sequence[Try]) -> dict[str, Any]:
    """The counts and times of a run with one fault, in seconds; raises InfrastructureBroken if it is not complete.

    For each of WHAT, PARTS are [failed, tried]: until the failure was noticed, then until the last END_S of the dead
    time, and in these. `noticed_s` is None if nothing in the lab noticed, `recovered_s` if no recovery was seen.
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


def some_fail(result: Mapping[str, Any], what: str) -> bool:
    """Whether any failed after the failure was noticed; before that, failures are expected."""
    return any(result[what][part][0] for part in ("middle", "end"))


def verdict(result: Mapping[str, Any]) -> str:
    """A single point of failure fails at least one of WHAT; what survived fails none once it was noticed."""
    answers = [fails(result, it) for it in WHAT]
    if True in answers or None in answers:
        return SINGLE if True in answers else UNKNOWN
    return SOME if any(some_fail(result, it) for it in WHAT) else SURVIVED


def _fault(history: History) -> FaultSpan:
    ends = history.seen("lab", "end")
    why = [entry.data["why"] for entry in history.broken] + [entry.data["why"] for entry in ends[-1:]]
    faults = [it for it in history.faults if it.injected is not None and it.heal is not None]
    if any(why) or not ends or len(faults) != 1:
        reason = next(filter(None, why), "the run is not complete")
        raise InfrastructureBroken(_NOT_MEASURED, evidence=reason, hint="invoke lab.status")
    _must_be_dead(history, faults[0])
    return faults[0]


def _must_be_dead(history: History, fault: FaultSpan) -> None:
    """Raise InfrastructureBroken if the component was dead for too short, or was seen to work meanwhile."""
    dead, heal = fault.inject if fault.injected is None else fault.injected, _heal(fault)
    if heal - dead < END_S + NOTICES_S:
        evidence = f"{fault.id} was active for {heal - dead:.1f} s: at least {END_S + NOTICES_S:.0f} s are needed"
        raise InfrastructureBroken(_NOT_MEASURED, evidence=evidence, hint="measure it again on a quieter machine")
    at = next((it for it in _works(history, fault) if dead + BLIND_S <= it < heal), None)
    if at is not None:
        evidence = f"it ran again {at - dead:.1f} s after {fault.id} was injected: something else healed it"
        raise InfrastructureBroken(
            _NOT_MEASURED, evidence=evidence, hint="measure it again, and heal nothing meanwhile"
        )


def _works(history: History, fault: FaultSpan) -> list[float]:
    """When the component of a fault was seen to run; a look that arrives BLIND_S later may be from before the fault."""
    if not fault.service:
        looks = history.states("node").get(fault.node, [])
        return [it.at for it in looks if it.data["power"] == "running"]
    seen = [it for it in history.seen("service", "services") if it.data["node"] == fault.node]
    unit = SERVICES[fault.service].unit
    return [
        it.at for it in seen if any(fnmatch(name, unit) and to == "active" for name, to in it.data["services"].items())
    ]


def _heal(fault: FaultSpan) -> float:
    return fault.inject if fault.heal is None else fault.heal


def _tries(history: History, method: str) -> list[Try]:
    return [_try(history, it) for it in history.requests if it.method == method]


def _try(history: History, it: Request) -> Try:
    return Try(it.intended, history.end if it.ended is None else it.ended, it.is_answered)


def _counts(tries: Sequence[Try], fault: FaultSpan, noticed: float | None) -> dict[str, list[int]]:
    end = max(fault.inject, _heal(fault) - END_S)
    split = end if noticed is None else min(noticed, end)
    times = (fault.inject, split, end, _heal(fault))
    return {part: _count(tries, *span) for part, span in zip(PARTS, pairwise(times), strict=True)}


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
