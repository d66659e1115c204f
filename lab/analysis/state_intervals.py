"""The states of servers, databases, nodes and faults over time, as lanes that a report can draw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lab.analysis.history import BLIND_S, FaultSpan, History

BLIND = "blind"
RUNS = "running"
SERVICE = {"active": RUNS, "inactive": "not running", "stopped": "frozen"}  # the observer's words for a service
Look = tuple[float, str]


@dataclass(frozen=True)
class Interval:
    """From `start` to `stop` (Unix seconds) the state was `label`, or 'blind' if it was not observed."""

    start: float
    stop: float
    label: str


Lanes = dict[str, list[Interval]]


def servers(history: History) -> Lanes:
    """HAProxy's status of each server."""
    blind = [(entry.at, BLIND) for entry in history.seen("balancer", "blind")]
    return {
        name: _lane(sorted([*blind, *((it.at, it.status) for it in samples)]), history.end)
        for name, samples in history.servers.items()
    }


def databases(history: History) -> Lanes:
    """The role of each database, and whether it is writable, does not replicate or, as primary, waits for none."""
    return _states(history, "database", _role)


def power(history: History) -> Lanes:
    """Whether each node was running, paused or off."""
    return _states(history, "node", lambda data: str(data["power"]))


def services(history: History) -> Lanes:
    """Each service that was seen not to run, by node and unit; the others would say the same all the time."""
    looks: dict[str, list[Look]] = {}
    blind = [(entry.data["node"], entry.at) for entry in history.seen("service", "blind")]
    for entry in history.seen("service", "services"):
        for unit, state in entry.data["services"].items():
            looks.setdefault(f"{entry.data['node']} {unit}", []).append((entry.at, SERVICE.get(state, state)))
    stopped = {name: seen for name, seen in looks.items() if any(word != RUNS for _, word in seen)}
    return {
        name: _lane(sorted([*seen, *((at, BLIND) for node, at in blind if node == name.split()[0])]), history.end)
        for name, seen in stopped.items()
    }


def faults(history: History) -> Lanes:
    """Each fault by its ID: when it was beginning, active and healing."""
    lanes: Lanes = {}
    for fault in history.faults:
        lanes.setdefault(fault.id, []).extend(_fault(fault, history.end))
    return lanes


def _states(history: History, observer: str, label: Callable[[Mapping[str, Any]], str]) -> Lanes:
    looks: dict[str, list[Look]] = {}
    for kind, word in (("state", label), ("blind", lambda _: BLIND)):
        for entry in history.seen(observer, kind):
            looks.setdefault(entry.data["node"], []).append((entry.at, word(entry.data)))
    return {node: _lane(sorted(seen), history.end) for node, seen in looks.items()}


def _role(data: Mapping[str, Any]) -> str:
    stopped = data["role"] == "replica" and not data["replicating"]
    alone = data["role"] == "primary" and data.get("semi_sync") is False
    known = (("writable", data["writable"]), ("stopped", stopped), ("semi-sync OFF", alone))
    marks = [word for word, true in known if true]
    return ", ".join([data["role"], *marks])


def _lane(looks: Sequence[Look], end: float) -> list[Interval]:
    """A state lasts until the next look; if that comes too late, the interval is blind."""
    lane: list[Interval] = []
    for (at, label), following in zip(looks, [*(at for at, _ in looks[1:]), end], strict=True):
        label = BLIND if following - at > BLIND_S else label
        if lane and lane[-1].label == label:
            lane[-1] = replace(lane[-1], stop=following)
        elif following > at:
            lane.append(Interval(at, following, label))
    return lane


def _fault(fault: FaultSpan, end: float) -> list[Interval]:
    moments = [(fault.inject, "beginning"), (fault.injected, "active"), (fault.heal, "healing")]
    known = [(at, label) for at, label in moments if at is not None]
    stops = [*(at for at, _ in known[1:]), end if fault.healed is None else fault.healed]
    return [Interval(at, stop, label) for (at, label), stop in zip(known, stops, strict=True)]
