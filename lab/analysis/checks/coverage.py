"""When an observer saw nothing: no entry for longer than five seconds, where no fault explains it."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf

from lab.analysis.history import BLIND_S, FaultSpan, History

Interval = tuple[float, float]
# Faults of a node that hide what runs on it; the network of the lab is not the one that observers look through.
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
BUSY = 0.5  # of a core: a generator that uses more may be late itself, and takes what the servers need


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
    """What the client missed while measuring, in words; '' if nothing."""
    times = [it.intended for it in history.requests]
    return _words(history, "no request was made", gaps(times, history.start, history.stop))


def generator(history: History) -> str:
    """Whether the load had the processor that it needs, in words; '' if it had."""
    used = [it.data.get("cpu_peak") or it.data["cpu"] for it in history.seen("lab", "generator")]
    if not used or used[-1] is None:
        return "how busy the load was is not known"
    return f"the load used {used[-1]:.2f} of a core, more than {BUSY}" if used[-1] > BUSY else ""


def balancer(history: History) -> str:
    """What was missed of the balancer while it was watched, in words; '' if nothing."""
    times = [entry.at for entry in history.seen("balancer", "servers")]
    excused = _excused(times, (it for it in history.faults if it.node in history.having("balancer")), "haproxy")
    return _words(history, "the balancer was not seen", gaps(times, history.start, _watched(history, times), excused))


def database(history: History, node: str, times: Sequence[float], known: Iterable[Interval] = ()) -> str:
    """What was missed of one database while it was watched, in words; '' if nothing, or if it is `known`.

    A machine that is off takes no writes, whoever switched it off: a promotion does so without a fault.
    """
    excused = [*known, *_excused(times, (it for it in history.faults if it.node == node), "mysql")]
    excused += [
        (it.at, _next(times, it.at)) for it in history.states("node").get(node, ()) if it.data["power"] == "off"
    ]
    blind = gaps(times, history.start, _watched(history, times), excused)
    return _words(history, f"the database on {node} was not seen", blind)


def _watched(history: History, times: Sequence[float]) -> float:
    """Until when an observer is asked for: to the end of measuring, and on for as long as it looked."""
    return max([history.stop, *times[-1:]])


def _excused(times: Sequence[float], faults: Iterable[FaultSpan], service: str) -> list[Interval]:
    """What is off can't be seen: from the beginning of its fault until it was seen again."""
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
