"""Runs of experiment.spof by hand: web1 is switched off at 5 s, DOWN at 8 s, switched on at 25 s, UP at 30 s."""

from collections.abc import Sequence
from typing import Any

from lab.analysis.spof import Try
from lab.analysis.timeline import Entry
from tests.support.timelines import T0, database, failed, lab, request, run, servers, spell, write

INJECT, HEAL, UP, SECONDS = 5.0, 25.0, 30.0, 40
Span = tuple[float, float]
NEVER: Span = (0, 0)


def story(reads: Span = NEVER, writes: Span = NEVER, node: str = "web1", down: float = 8) -> list[Entry]:
    """Reads and writes that fail from and to a second; where web1 is off, HAProxy says DOWN from `down` on."""
    requests = [_request(at / 2, reads, writes) for at in range(SECONDS * 2)]
    looks = [_look(at / 4, node, down) for at in range(-8, SECONDS * 4)]
    return [
        run(),
        lab(0, "phase", name="measure"),
        *requests,
        *looks,
        *(database(at, "web1", writable=True) for at in range(-2, SECONDS)),
        *(database(at + 0.5, "web2", writable=False) for at in range(-2, SECONDS)),
        *spell([INJECT, INJECT + 0.5, HEAL, HEAL + 4], node),
        lab(SECONDS, "phase", name="settle"),
        lab(SECONDS + 4, "end", complete=True, why=""),
    ]


def lookups(failing: Span = NEVER) -> list[Try]:
    """A lookup each second, failing from and to a second."""
    return [Try(T0 + at, T0 + at + 0.1, not failing[0] <= at < failing[1]) for at in range(SECONDS)]


def result(name: str = "web1", failing: Sequence[str] = (), **changes: Any) -> dict[str, Any]:
    """A saved result in which these parts fail."""
    counts = {"first": [0, 6], "middle": [0, 9], "end": [0, 60]}
    counted = {
        what: {"first": [6, 6], "middle": [9, 9], "end": [60, 60]} if what in failing else counts for what in WHAT
    }
    about = {"name": name, "verdict": "", "fingerprint": "f", "date": "2026-12-01 10:00", "commit": "c1268a9"}
    chosen = {"durability": "durable", "algorithm": "roundrobin", "mode": "active-active", "primary": "web1"}
    times = {
        "noticed_s": 2.5,
        "recovered_s": 61.0,
        "dead_s": 20.0,
        "took_s": 90,
        "run": f"20261201T100000Z-spof-{name}",
    }
    where = {"host": {"cpus": 2, "accelerator": "emulated"}}
    return {**about, **chosen, **where, **counted, **times, "predicted": None, **changes}


WHAT = ("reads", "writes", "names")


def _request(at: float, reads: Span, writes: Span) -> Entry:
    if at % 1:
        return write(at, f"t{at}", "failed" if writes[0] <= at < writes[1] else "ok", served_by=_server(at))
    if reads[0] <= at < reads[1]:
        return failed(at, served_by="")
    return request(at, served_by=_server(at))


def _server(at: float) -> str:
    return "web2" if INJECT <= at < UP else f"web{int(at) % 2 + 1}"


def _look(at: float, node: str, down: float) -> Entry:
    return servers(at, web1="DOWN" if node == "web1" and down <= at < UP else "UP")
