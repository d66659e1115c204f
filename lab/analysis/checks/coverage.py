"""When an observer was blind: no entry for longer than five seconds, without a fault that explains it."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf

from lab.analysis.history import BLIND_S, FaultSpan, History

Interval = tuple[float, float]
# Faults of a node that hide its services; network faults do not, because observers use the management network.
BLINDS = (
    "power-off",
    "crash",
    "freeze",
    "reboot",
    "shutdown",
    "power-button",
    "cpu-hog",
    "memory-hog",
    "disk-full",
)
BUSY = 0.5  # of a core: a load that uses more may itself be late, and takes processor time from the servers


def gaps(times: Sequence[float], start: float, stop: float, excused: Iterable[Interval] = ()) -> list[Interval]:
    """The parts of start..stop longer than BLIND_S without one of `times`, which are sorted."""
    edges = [start, *(at for at in times if start < at < stop), stop]
    blind: list[Interval] = [pair for pair in pairwise(edges) if pair[1] - pair[0] > BLIND_S]
    for excuse in excused:
        blind = [rest for gap in blind for rest in _without(gap, excuse)]
    return [(first, last) for first, last in blind if last - first > BLIND_S]


def _without(gap: Interval, excuse: Interval) -> list[Interval]:
    (first, last), (start, stop) = gap, excuse
    if stop <= first or start >= last:
        return [gap]
    return [piece for piece in [(first, start), (stop, last)] if piece[1] > piece[0]]


def client(history: History) -> str:
    """When the client sent nothing while measuring, in words; '' if never."""
    times = [it.intended for it in history.requests]
    return _words(history, "no request was made", gaps(times, history.start, history.stop))


def generator(history: History) -> str:
    """Why the load may have lacked processor time, in words; '' if it had enough."""
    used = [it.data.get("cpu_peak") or it.data["cpu"] for it in history.seen("lab", "generator")]
    if not used or used[-1] is None:
        return "the processor time of the load is not known"
    return f"the load used {used[-1]:.2f} of a core, more than {BUSY}" if used[-1] > BUSY else ""


def balancer(history: History) -> str:
    """When the balancer was not observed, in words; '' if never."""
    times = [entry.at for entry in history.seen("balancer", "servers")]
    excused = _excused(times, (it for it in history.faults if it.node in history.having("balancer")), "haproxy")
    blind = gaps(times, history.start, _watched(history, times), excused)
    return _words(history, "the balancer was not observed", blind)


def database(history: History, node: str, times: Sequence[float], known: Iterable[Interval] = ()) -> str:
    """When one database was not observed, in words; '' if never, or only when its state is `known`.

    A machine that is off takes no writes, also when a promotion switched it off and not a fault.
    """
    excused = [*known, *_excused(times, (it for it in history.faults if it.node == node), "mysql")]
    excused += [
        (it.at, _next(times, it.at)) for it in history.states("node").get(node, ()) if it.data["power"] == "off"
    ]
    blind = gaps(times, history.start, _watched(history, times), excused)
    return _words(history, f"the database on {node} was not observed", blind)


def _watched(history: History, times: Sequence[float]) -> float:
    """Until when an observer must have entries: to the end of measuring, or to its last entry if that is later."""
    return max([history.stop, *times[-1:]])


def _excused(times: Sequence[float], faults: Iterable[FaultSpan], service: str) -> list[Interval]:
    """When a fault excuses missing entries: from its beginning until the first entry after it was healed."""
    return [
        (it.inject, inf if it.healed is None else _next(times, it.healed))
        for it in faults
        if it.kind in BLINDS or it.service == service
    ]


def _next(times: Sequence[float], after: float) -> float:
    return next((at for at in times if at >= after), inf)


def _words(history: History, what: str, blind: list[Interval]) -> str:
    if not blind:
        return ""
    first, last = max(blind, key=lambda gap: gap[1] - gap[0])
    return f"{what} for {last - first:.1f} s from {history.clock(first)}"
