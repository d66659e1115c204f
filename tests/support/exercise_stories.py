"""What checks of exercises judge, made by hand: a lab as it was made, and measurements in which a server dies.

Times are seconds since measuring began, T0 is when the exercise was started.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from lab.analysis.history import History
from lab.analysis.timeline import Entry
from lab.exercises import exercise_file
from lab.exercises.exercise_file import CHECK, Exercise
from lab.exercises.facts import Change, Facts, Page, Run
from lab.exercises.goals import GoalResult
from tests.support.timelines import T0, fault, lab, request, run, servers

RATE = 6
NODES = [
    {"name": "lb1", "ip": "192.168.56.10", "state": "running", "roles": ["nameserver", "balancer"], "services": {}},
    {"name": "web1", "ip": "192.168.56.11", "state": "running", "roles": ["web", "database"], "services": {}},
    {"name": "web2", "ip": "192.168.56.12", "state": "running", "roles": ["web", "database"], "services": {}},
]
PAGES = (Page(200, "web1", "web1"), Page(200, "web2", "web2"), Page(200, "web1", "web1"), Page(200, "web2", "web2"))


def status(web1: str = "UP", web2: str = "UP", primary: str | None = "web1", **changes: Any) -> dict[str, Any]:
    """What lab.status says of a healthy lab, or of one with other servers."""
    listed = [{"name": name, "status": word, "weight": 100} for name, word in (("web1", web1), ("web2", web2))]
    choices = {"algorithm": "roundrobin", "mode": "active-active", "persistence": "none", "drained": []}
    made = {
        "stage": "distributed",
        "site": {"url": "http://192.168.56.10/", "ok": True},
        "nodes": NODES,
        "balancer": {**choices, "servers": listed},
        "database": {"primary": primary, "durability": "durable", "servers": []},
        "running": "",
        "faults": [],
        "errors": [],
    }
    return {**made, **changes}


def untouched(**changes: Any) -> Facts:
    """A lab as it was made, in which the student did nothing."""
    return Facts(**{"status": status(), "address": "192.168.56.10", "pages": PAGES, **changes})


def results(exercise: Exercise, facts: Facts) -> dict[str, GoalResult]:
    """Every goal of an exercise, judged."""
    return {name: check(facts) for name, check in exercise.module(CHECK).GOALS.items()}


def reached(exercise: Exercise, facts: Facts) -> set[str]:
    """The goals that are right."""
    return {name for name, it in results(exercise, facts).items() if it.right}


def exercise(number: str) -> Exercise:
    """A shipped exercise."""
    return exercise_file.find(number)


def measurement(*more: Entry, died: float = 10, down: float = 12.5, up: float = 40, **how: Any) -> Run:
    """A run in which web1 dies: HAProxy sees it DOWN, and web2 answers. See `entries` for `how`."""
    return Run("20231114T221320Z-mine", History([*entries(died, down, up, **how), *more]))


def entries(
    died: float, down: float, up: float, seconds: int = 60, failed: int = 0, word: str = "DOWN", rate: int = RATE
) -> Iterable[Entry]:
    """A run of an experiment; the first `failed` reads after the death fail. `word`: HAProxy's for the server."""
    yield run()
    yield lab(0, "phase", name="measure")
    yield from reads(died, up, seconds, failed, rate)
    for look in range(seconds * 4):
        yield servers(look / 4, web1=word if down <= look / 4 < up else "UP")
    yield lab(seconds, "phase", name="settle")
    yield lab(seconds + 1, "end", complete=True, why="")


def reads(died: float, up: float, seconds: int = 60, failed: int = 0, rate: int = RATE) -> Iterable[Entry]:
    """The reads alone, as the load generator records them: the servers take turns while both live."""
    left = failed
    for number in range(seconds * rate):
        at = number / rate
        dead = died <= at < up
        if dead and left:
            left -= 1
            yield request(at, status=503, outcome="failed", reason="HTTP 503", served_by="")
        else:
            yield request(at, served_by="web2" if dead or number % 2 else "web1")


def injected(kind: str = "service-kill", service: str = "nginx", at: float = 10, heal: float = 35) -> list[Entry]:
    """The steps of a fault on web1, as an experiment writes them."""
    steps = [
        fault(step, when, kind=kind)
        for step, when in zip(("inject", "injected", "heal", "healed"), (at, at + 0.5, heal, heal + 2), strict=True)
    ]
    return [Entry(it.at, it.observer, it.kind, {"fault": {**it.data["fault"], "service": service}}) for it in steps]


def looks(unit: str, first: float, last: float, state: str = "inactive") -> list[Entry]:
    """What the observer of services sees of web1 in a run: one unit in another state from first to last."""
    usual = {"nginx": "active", "php8.4-fpm": "active", "mysql": "active"}
    return [
        Entry(
            T0 + at,
            "service",
            "services",
            {"node": "web1", "services": {**usual, **({unit: state} if first <= at <= last else {})}},
        )
        for at in range(60)
    ]


def log(down: float = 12.5, up: float | None = 40, reason: str = "Layer4 connection problem") -> Sequence[Change]:
    """HAProxy's log of the same."""
    again = [] if up is None else [Change(T0 + up, "web1", "UP")]
    return (Change(T0 + down, "web1", "DOWN", reason), *again)
