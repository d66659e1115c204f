"""How the balancer reacted to each fault: when it noticed, and when the server was back."""

from bisect import bisect_left
from dataclasses import dataclass

from lab.analysis.checks.attribution import over, taken
from lab.analysis.history import BLIND_S, FaultSpan, History, Sample


@dataclass(frozen=True)
class Reaction:
    """The time of a reaction; if `missing` says what was not observed, it took at least that long."""

    fault: FaultSpan
    server: str
    start: float
    stop: float
    missing: str = ""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.stop - self.start


def detections(history: History) -> list[Reaction]:
    """For each server that a fault took out: from the beginning of the fault until HAProxy no longer reported UP."""
    return [_detection(history, fault, server) for fault in history.faults for server in taken(history, fault)]


def recoveries(history: History) -> list[Reaction]:
    """For each server that a fault took out: from the beginning of healing until it was UP and served again."""
    return [_recovery(history, fault, server) for fault in history.faults for server in taken(history, fault)]


def _detection(history: History, fault: FaultSpan, server: str) -> Reaction:
    samples = history.servers.get(server, [])
    first = bisect_left(samples, fault.inject, key=lambda sample: sample.at)
    if not first:
        return Reaction(fault, server, fault.inject, fault.inject, "HAProxy was not asked about it before the fault")
    if not samples[first - 1].is_up:
        return Reaction(fault, server, fault.inject, fault.inject, "it was not UP when the fault began")
    up, until = fault.inject, over(history, fault, server)
    for sample in samples[first:]:
        if sample.at > until:
            break
        if not sample.is_up:
            return _noticed(fault, server, up, sample.at)
        up = sample.at
    return Reaction(fault, server, fault.inject, max(up, fault.inject), "HAProxy reported UP all the time")


def _noticed(fault: FaultSpan, server: str, up: float, at: float) -> Reaction:
    if at - up > BLIND_S:
        return Reaction(fault, server, fault.inject, up, f"HAProxy was not asked for {at - up:.1f} s after that")
    return Reaction(fault, server, fault.inject, at)


def _recovery(history: History, fault: FaultSpan, server: str) -> Reaction:
    if fault.heal is None:
        return Reaction(fault, server, history.end, history.end, "it was never healed")
    samples = history.servers.get(server, [])
    first = bisect_left(samples, fault.heal, key=lambda sample: sample.at)
    up, before = _up_for_good(samples[first:], over(history, fault, server))
    last = before.at if before else fault.heal
    if up is None:
        return Reaction(fault, server, fault.heal, last, "HAProxy was not observed to report UP")
    if up.at - last > BLIND_S:
        return Reaction(fault, server, fault.heal, last, f"HAProxy was not asked for {up.at - last:.1f} s after that")
    return _serving(history, fault, server, up.at)


def _up_for_good(samples: list[Sample], until: float) -> tuple[Sample | None, Sample | None]:
    """The first UP that no DOWN of the same fault follows, and the last sample before it that was not UP."""
    up: Sample | None = None
    before: Sample | None = None
    for sample in samples:
        if sample.at > until:
            break
        if not sample.is_up:
            up, before = None, sample
        elif up is None:
            up = sample
    return up, before


def _serving(history: History, fault: FaultSpan, server: str, up: float) -> Reaction:
    start = fault.inject if fault.heal is None else fault.heal
    if history.run.get("mode") == "active-passive" and server != history.having("web")[0]:
        return Reaction(fault, server, start, up)
    served = history.served.get(server, [])
    first = bisect_left(served, up)
    if first == len(served):
        return Reaction(fault, server, start, up, "it was UP, but served no recorded answer after that")
    return Reaction(fault, server, start, served[first])
