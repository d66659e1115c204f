"""A timeline by subject: requests, servers, databases, faults, phases."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lab.analysis.timeline import Entry

BLIND_S = 5.0  # an observer without an entry for longer than this was blind
STALENESS_S = 2.0  # a healthy replica has a note by then
STEPS = ("inject", "injected", "heal", "healed")


@dataclass(frozen=True)
class Request:
    """One request of the load client; `intended` is when it was due, `ended` is None if it never ended."""

    method: str
    intended: float
    sent: float
    ended: float | None
    status: int
    outcome: str
    reason: str
    served_by: str
    token: str
    late: bool = False

    @property
    def is_absent(self) -> bool:
        """Whether this read of one note was answered with 404, no such note."""
        return self.method == "GET" and bool(self.token) and self.status == 404

    @property
    def is_answered(self) -> bool:
        """Whether the site answered properly: 'no such note' counts too, unless the note is `late`."""
        return self.outcome == "ok" or (self.is_absent and not self.late)


@dataclass(frozen=True)
class Sample:
    """HAProxy's status of a server at one moment."""

    at: float
    status: str

    @property
    def is_up(self) -> bool:
        """Whether HAProxy sends requests there; 'UP 1/2' has failed one check and still gets requests."""
        return self.status.startswith(("UP", "no check"))

    @property
    def is_down(self) -> bool:
        """Whether failed checks took it out; a drained server or one in maintenance was taken out by a command."""
        return self.status.startswith("DOWN")


@dataclass(frozen=True)
class FaultSpan:
    """One fault: when injecting began, it was verified, healing began, and it was verified to be gone."""

    id: str
    kind: str
    node: str
    peer: str
    service: str
    inject: float
    injected: float | None = None
    heal: float | None = None
    healed: float | None = None


@dataclass(frozen=True)
class Offer:
    """From `start` to `stop` (Unix seconds) the load sent `rate` requests a second."""

    start: float
    stop: float
    rate: float

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.stop - self.start


class History:
    """The entries of a run; each part is sorted by time and computed on first use."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = sorted(entries, key=lambda entry: entry.at)

    @cached_property
    def _kinds(self) -> dict[tuple[str, str], list[Entry]]:
        kinds: dict[tuple[str, str], list[Entry]] = {}
        for entry in self.entries:
            kinds.setdefault((entry.observer, entry.kind), []).append(entry)
        return kinds

    def seen(self, observer: str, kind: str) -> list[Entry]:
        """The entries of one observer and kind."""
        return self._kinds.get((observer, kind), [])

    @cached_property
    def run(self) -> Mapping[str, Any]:
        """The settings of the run; empty if they are not known."""
        runs = self.seen("lab", "run")
        return runs[0].data if runs else {}

    @property
    def broken(self) -> list[Entry]:
        """The failures of the test infrastructure."""
        return self.seen("lab", "broken")

    def having(self, role: str) -> list[str]:
        """The nodes of the run with a role."""
        return [name for name, roles in self.run.get("nodes", {}).items() if role in roles]

    @cached_property
    def start(self) -> float:
        """When measuring began; without that phase, the first entry."""
        phases = [entry.at for entry in self.seen("lab", "phase") if entry.data["name"] == "measure"]
        return next(iter(phases + [entry.at for entry in self.entries[:1]]), 0.0)

    @cached_property
    def stop(self) -> float:
        """When measuring was over and only healing was left; without such a phase, the last entry."""
        phases = [entry.at for entry in self.seen("lab", "phase") if entry.data["name"] in ("settle", "end")]
        return next(iter(phases), self.end)

    @cached_property
    def end(self) -> float:
        """The time of the last entry."""
        return self.entries[-1].at if self.entries else 0.0

    def clock(self, at: float) -> str:
        """A moment as text, in seconds since measuring began."""
        return f"{at - self.start:+.1f} s"

    @cached_property
    def requests(self) -> list[Request]:
        """All requests, by when they were due; a note that is absent too long after it was acknowledged is late."""
        made = [_request(entry.data) for entry in self.seen("client", "request")]
        known, allowed_s = acknowledged(made), self.run.get("staleness_s", STALENESS_S)
        return [replace(it, late=it.is_absent and it.sent - known.get(it.token, it.sent) > allowed_s) for it in made]

    @cached_property
    def offers(self) -> list[Offer]:
        """The rates of the load while measuring, in their order."""
        load = self.run.get("load", {})
        begins = [(self.start, load.get("rate", 0.0))]
        begins += [(self.start + it["at"], it["rate"]) for it in load.get("rates", ())]
        stops = [*(at for at, _ in begins[1:]), self.stop]
        pairs = zip(begins, stops, strict=True)
        return [Offer(at, min(stop, self.stop), rate) for (at, rate), stop in pairs if at < self.stop]

    def measured(self, method: str = "") -> list[Request]:
        """The requests since measuring began, without those that were slow because caches were cold."""
        return [it for it in self.requests if it.intended >= self.start and method in ("", it.method)]

    @cached_property
    def served(self) -> dict[str, list[float]]:
        """For each server, when its answers arrived."""
        served: dict[str, list[float]] = {}
        for it in self.requests:
            if it.is_answered and it.ended is not None:
                served.setdefault(it.served_by, []).append(it.ended)
        return {name: sorted(times) for name, times in served.items()}

    @cached_property
    def servers(self) -> dict[str, list[Sample]]:
        """HAProxy's status of each server; servers for writes track those for reads and are left out."""
        samples: dict[str, list[Sample]] = {}
        for entry in self.seen("balancer", "servers"):
            for server in entry.data["servers"]:
                if server["backend"] == "web":
                    samples.setdefault(server["name"], []).append(Sample(entry.at, server["status"]))
        return samples

    def states(self, observer: str) -> dict[str, list[Entry]]:
        """The states of each node that the observer 'database', 'writable' or 'node' recorded."""
        states: dict[str, list[Entry]] = {}
        for entry in self.seen(observer, "state"):
            states.setdefault(entry.data["node"], []).append(entry)
        return states

    @cached_property
    def faults(self) -> list[FaultSpan]:
        """All faults, by when they began."""
        spans: list[FaultSpan] = []
        latest: dict[str, int] = {}
        for entry in (it for it in self.entries if it.observer == "lab" and it.kind in STEPS):
            fault = entry.data["fault"]
            if entry.kind == "inject":
                latest[fault["id"]] = len(spans)
                peer, service = fault.get("peer", ""), fault.get("service", "")
                spans.append(FaultSpan(fault["id"], fault["kind"], fault["node"], peer, service, entry.at))
            elif fault["id"] in latest:
                step: dict[str, Any] = {entry.kind: entry.at}
                spans[latest[fault["id"]]] = replace(spans[latest[fault["id"]]], **step)
        return spans


def acknowledged(requests: Iterable[Request]) -> dict[str, float]:
    """When the client first knew that a token was written."""
    first: dict[str, float] = {}
    for it in requests:
        if it.method == "POST" and it.outcome == "ok" and it.ended is not None:
            first[it.token] = min(it.ended, first.get(it.token, it.ended))
    return first


def _request(data: Mapping[str, Any]) -> Request:
    return Request(
        method=data["method"],
        intended=data["intended"],
        sent=data["sent"],
        ended=data["ended"],
        status=data["status"],
        outcome=data["outcome"],
        reason=data.get("reason", ""),
        served_by=data.get("served_by", ""),
        token=data.get("token", ""),
    )
