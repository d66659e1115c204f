"""Small timelines by hand: a healthy run, a run in which web1 is switched off, and the pieces to spoil them.

All times are seconds since measuring began.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lab.analysis.run_folder import FORMAT
from lab.analysis.timeline import Entry

T0 = 1_700_000_000.0
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
NODES = {"lb1": ["nameserver", "balancer"], "web1": ["web", "database"], "web2": ["web", "database"]}
Picked = Callable[[Entry], bool]


def lab(at: float, kind: str, **data: Any) -> Entry:
    """Something that the experiment did."""
    return Entry(T0 + at, "lab", kind, data)


def run(**changes: Any) -> Entry:
    """The first entry of every run."""
    words = {"name": "quiet", "nodes": NODES, "load": {"rate": 20}, "mode": "active-active", "format": FORMAT}
    return lab(-5.0, "run", **{**words, **changes})


def fault(step: str, at: float, node: str = "web1", kind: str = "power-off", peer: str = "") -> Entry:
    """One step of a fault: inject, injected, heal or healed."""
    words = {"id": f"{node}-{kind}", "kind": kind, "node": node, "service": "", "peer": peer}
    return lab(at, step, fault=words)


def spell(times: Sequence[float], node: str = "web1", kind: str = "power-off", peer: str = "") -> list[Entry]:
    """The steps of a fault, as many as there are times."""
    steps = ("inject", "injected", "heal", "healed")
    return [fault(step, at, node, kind, peer) for step, at in zip(steps, times, strict=False)]


def request(at: float, method: str = "GET", **changes: Any) -> Entry:
    """A request that was answered in 20 ms."""
    data = {
        "method": method,
        "name": "/",
        "intended": T0 + at,
        "sent": T0 + at,
        "ended": T0 + at + 0.02,
        "status": 200,
        "outcome": "ok",
        "reason": "",
        "served_by": "web2",
        "token": "",
    }
    return Entry(T0 + at, "client", "request", {**data, **changes})


def write(at: float, token: str, outcome: str = "ok", **changes: Any) -> Entry:
    """A POST of one note."""
    status = {"ok": 201, "failed": 503, "unknown": 504}[outcome]
    return request(at, "POST", token=token, outcome=outcome, status=status, **changes)


def absent(at: float, token: str) -> Entry:
    """A GET of one note that is not there."""
    return request(at, token=token, status=404, outcome="failed", reason="HTTP 404")


def failed(at: float, **changes: Any) -> Entry:
    """A GET that got no answer."""
    return request(at, **{"status": 503, "outcome": "failed", "reason": "HTTP 503", **changes})


def servers(at: float, web1: str = "UP", web2: str = "UP", retries: int = 0, redispatches: int = 0) -> Entry:
    """A look at HAProxy; the counters are those of web1."""
    counters = {"retries": retries, "redispatches": redispatches}
    seen = [
        {"name": "web1", "backend": "web", "status": web1, **counters},
        {"name": "web2", "backend": "web", "status": web2, "retries": 0, "redispatches": 0},
        {"name": "web1", "backend": "write", "status": "no check", "retries": 0, "redispatches": 0},
    ]
    return Entry(T0 + at, "balancer", "servers", {"servers": seen, "queues": {"web": 0, "write": 0}})


def database(at: float, node: str, writable: bool, **changes: Any) -> Entry:
    """A look at one database."""
    role = "primary" if writable else "replica"
    data = {"node": node, "role": role, "writable": writable, "replicating": not writable, "lag_s": 0}
    return Entry(T0 + at, "database", "state", {**data, **changes})


def writable(at: float, node: str, for_s: float) -> Entry:
    """A look at a database that takes no writes, and has taken none for some time."""
    return Entry(T0 + at, "writable", "state", {"node": node, "writable": False, "for_s": for_s})


def final(node: str, tokens: dict[str, int], executed: str = f"{UUID}:1-100", at: float = 100.0) -> Entry:
    """The notes that one database holds in the end."""
    return lab(at, "final", node=node, tokens=tokens, gtid_executed=executed)


def blind(at: float, observer: str, node: str) -> Entry:
    """A look that saw nothing."""
    return Entry(T0 + at, observer, "blind", {"node": node, "why": "no answer"})


def quiet(seconds: int = 20, down: tuple[float, float] = (0, 0), **changes: Any) -> list[Entry]:
    """A healthy run; HAProxy says DOWN of web1 within `down`."""
    writes = [f"t{number}" for number in range(0, seconds * 20, 5)]
    requests = [_request(number, down) for number in range(seconds * 20)]
    looks = [number / 4 for number in range(-8, seconds * 4)]
    return [
        run(**changes),
        lab(0, "phase", name="measure"),
        *requests,
        *(servers(at, web1="DOWN" if down[0] <= at < down[1] else "UP") for at in looks),
        *(database(at, "web1", writable=True) for at in range(-2, seconds)),
        *(database(at + 0.5, "web2", writable=False) for at in range(-2, seconds)),
        lab(seconds, "phase", name="settle"),
        *(final(node, dict.fromkeys(writes, 1), at=seconds + 2) for node in ("web1", "web2")),
        lab(seconds + 3, "generator", cpu=0.2, cpu_peak=0.2, requests_seen={"web1": 0, "web2": len(requests)}),
        lab(seconds + 4, "end", complete=True, why=""),
    ]


def _request(number: int, down: tuple[float, float]) -> Entry:
    at = number / 20
    server = "web2" if number % 2 or down[0] <= at < down[1] else "web1"
    if number % 5 == 0:
        return write(at, f"t{number}", served_by=server)
    token = f"t{number - 41}" if number % 10 == 1 and number > 41 else ""
    return request(at, token=token, served_by=server)


def switched_off(*more: Entry, down: tuple[float, float] = (8, 18), **changes: Any) -> list[Entry]:
    """web1 is switched off at 5 s, DOWN at 8 s, switched on at 12 s, there at 16 s, UP at 18 s."""
    return [*quiet(30, down, **changes), *spell([5, 5.5, 12, 16]), *more]


def repeated(*down_after: float, every: int = 20, **changes: Any) -> list[Entry]:
    """web1 is switched off for ten seconds again and again, and DOWN after so many seconds each time."""
    starts = [5 + number * every for number in range(len(down_after))]
    spans = [(start + after, start + 11) for start, after in zip(starts, down_after, strict=True)]
    entries = quiet(5 + len(starts) * every, **changes)
    steps = [step for start in starts for step in spell([start, start + 0.5, start + 9, start + 10])]
    return [*(_down(it, spans) for it in entries), *steps]


def _down(entry: Entry, spans: Sequence[tuple[float, float]]) -> Entry:
    """The same look, with web1 DOWN if it fell within one of the spans."""
    at = entry.at - T0
    is_down = entry.observer == "balancer" and any(first <= at < last for first, last in spans)
    return servers(at, web1="DOWN") if is_down else entry


def without(entries: Sequence[Entry], picked: Picked) -> list[Entry]:
    """All entries but those picked."""
    return [entry for entry in entries if not picked(entry)]


def changed(entries: Sequence[Entry], picked: Picked, **data: Any) -> list[Entry]:
    """All entries, with other data in those picked."""
    return [Entry(it.at, it.observer, it.kind, {**it.data, **data}) if picked(it) else it for it in entries]


def of(observer: str, start: float = -1e6, stop: float = 1e6) -> Picked:
    """Picks the entries of one observer from start to before stop."""
    return lambda entry: entry.observer == observer and T0 + start <= entry.at < T0 + stop


def kind(word: str, node: str = "") -> Picked:
    """Picks the entries of one kind, of one node if named."""
    return lambda entry: entry.kind == word and node in ("", entry.data.get("node"))
