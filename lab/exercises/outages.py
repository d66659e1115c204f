"""When a web server was out: how it died, when HAProxy took it out, and what readers got meanwhile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import pairwise

from lab.analysis.history import FaultSpan, History, Request
from lab.exercises.facts import Change, Facts, Run
from lab.release import SERVICES

BEFORE_S = 30.0  # HAProxy notices within seconds; what died earlier is another story
AFTER_S = 3.0
CLOCKS_S = 2.0  # how far the clock of the balancer may be from that of this machine
MACHINE, REFUSES = "machine", "code: 503"  # the health check of a server whose database is dead


@dataclass(frozen=True)
class Outage:
    """From `died` on a server did not serve; HAProxy saw that at `down` and used it again at `up`, if it did.

    `dead`: what was seen not to work on it, services or the machine; empty if that was not seen. `run` has the reads
    that were sent meanwhile; None where none was recorded.
    """

    server: str
    died: float
    down: float
    up: float | None
    dead: frozenset[str]
    run: Run | None = None

    @property
    def noticed_s(self) -> float:
        """Seconds until HAProxy took the server out."""
        return self.down - self.died

    @property
    def reads_before(self) -> list[Request]:
        """Reads that were due before it died."""
        return [it for it in self._reads if it.intended < self.died]

    @property
    def reads(self) -> list[Request]:
        """Reads that were due while it was dead."""
        return [it for it in self._reads if self.died <= it.intended < (self.up or float("inf"))]

    @property
    def failed(self) -> int:
        """How many of these reads failed."""
        return sum(not it.is_answered for it in self.reads)

    @property
    def served_by_others(self) -> int:
        """How many of these reads another server answered."""
        return sum(it.is_answered and it.served_by not in ("", self.server) for it in self.reads)

    @property
    def _reads(self) -> list[Request]:
        return [it for it in self.run.history.requests if it.method == "GET"] if self.run else []


def outages(facts: Facts) -> list[Outage]:
    """Every outage since the exercise began, the newest first; those that no run recorded come from HAProxy's log."""
    found = [it for run in facts.runs for it in _of_run(run, facts.changes)]
    spans = [(it.down - CLOCKS_S, it.down + CLOCKS_S, it.server) for it in found]
    alone = [it for it in facts.changes if not any(a <= it.at <= b and it.server == name for a, b, name in spans)]
    logged = [Outage(name, down, down, up, _why(facts.changes, name, down)) for name, down, up in _logged(alone)]
    return sorted([*found, *logged], key=lambda it: it.down, reverse=True)


def _of_run(run: Run, changes: Sequence[Change]) -> Iterator[Outage]:
    history = run.history
    first, last = history.entries[0].at - CLOCKS_S, history.end + CLOCKS_S
    within = [it for it in changes if first <= it.at <= last]
    for server, down, up in _sampled(history) if history.servers else _logged(within):
        died = _died(history, server, down)
        dead = _dead(history, server, died, down) or _why(within, server, down)
        yield Outage(server, min(died, down), down, up, dead, run)


def _sampled(history: History) -> Iterator[tuple[str, float, float | None]]:
    for server, samples in history.servers.items():
        down: float | None = None
        for it in samples:
            if it.is_down and down is None:
                down = it.at
            elif it.is_up and down is not None:
                yield server, down, it.at
                down = None
        if down is not None:
            yield server, down, None


def _logged(changes: Sequence[Change]) -> Iterator[tuple[str, float, float | None]]:
    for server in dict.fromkeys(it.server for it in changes):
        own = [*(it for it in changes if it.server == server), None]
        for it, following in pairwise(own):
            if it and it.status == "DOWN" and not (following and following.status == "DOWN"):
                yield server, it.at, following.at if following else None


def _died(history: History, server: str, down: float) -> float:
    """When it died: a fault's injection, else when it was first seen dead, else when it last answered."""
    injected = [it.inject for it in _faults(history, server, down)]
    seen = [at for at, _ in _looks(history, server) if down - BEFORE_S <= at <= down]
    answered = [at for at in history.served.get(server, ()) if at <= down]
    return max(injected or seen[:1] or answered, default=down)


def _dead(history: History, server: str, died: float, down: float) -> frozenset[str]:
    """What did not work: as the faults say, and as the observers saw it."""
    faults = {it.service or MACHINE for it in _faults(history, server, down)}
    seen = {what for at, what in _looks(history, server) if died <= at <= down + AFTER_S}
    return frozenset(faults | seen)


def _faults(history: History, server: str, down: float) -> list[FaultSpan]:
    return [it for it in history.faults if it.node == server and down - BEFORE_S <= it.inject <= down]


def _looks(history: History, server: str) -> list[tuple[float, str]]:
    """The moments at which a service of the server, or its machine, was seen not to work."""
    found = [(it.at, MACHINE) for it in history.states("node").get(server, ()) if it.data["power"] != "running"]
    for entry in history.seen("service", "services"):
        if entry.data["node"] == server:
            dead = [unit for unit, state in entry.data["services"].items() if state != "active"]
            found += [(entry.at, name) for unit in dead for name, it in SERVICES.items() if fnmatch(unit, it.unit)]
    return sorted(found)


def _why(changes: Sequence[Change], server: str, down: float) -> frozenset[str]:
    """What HAProxy's reason tells: only a server whose web server and PHP work answers its check with 503."""
    near = [it for it in changes if it.server == server and it.status == "DOWN" and abs(it.at - down) <= CLOCKS_S]
    return frozenset({"mysql"} if any(REFUSES in it.reason for it in near) else ())
