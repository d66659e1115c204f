"""Checks of the balancer: how soon it noticed faults, which servers it took out wrongly, how often it retried."""

from collections.abc import Sequence

from lab.analysis.checks import coverage
from lab.analysis.checks.attribution import over, shaken
from lab.analysis.checks.detection import Reaction, detections, recoveries
from lab.analysis.checks.finding import Finding, found, nothing
from lab.analysis.history import History, Sample


def detected(history: History) -> Finding:
    """The time from the beginning of a fault until HAProxy no longer reported UP; the longest of all faults."""
    return _longest(detections(history))


def recovered(history: History) -> Finding:
    """The time from the beginning of healing until the server was UP and served again; the longest of all faults.

    A passive server has nothing to serve, so for it UP is enough.
    """
    return _longest(recoveries(history))


def _longest(reactions: Sequence[Reaction]) -> Finding:
    if not reactions:
        return nothing("s", "no fault took a server from the balancer")
    detail = "; ".join(f"{it.server} {it.fault.kind}: {it.seconds:.2f} s" for it in reactions)
    missing = "; ".join(f"{it.server} {it.fault.kind}: {it.missing}" for it in reactions if it.missing)
    return found(max(it.seconds for it in reactions), "s", detail, missing)


def false_downs(history: History) -> Finding:
    """How often a server became DOWN without a fault that explains it; a fault explains it until the server is back."""
    webs = history.having("web")
    unasked = [name for name in webs if not history.servers.get(name)]
    if not webs or unasked:
        return nothing("times", f"HAProxy was not asked about {', '.join(unasked) or 'any server'}")
    downs = [(at, name) for name in webs for at in _unexplained(history, name)]
    detail = "; ".join(f"{name} at {history.clock(at)}" for at, name in sorted(downs))
    return found(len(downs), "times", detail, coverage.balancer(history))


def _unexplained(history: History, server: str) -> list[float]:
    faults = [it for it in history.faults if server in shaken(history, it)]
    explained = [(it.inject, over(history, it, server)) for it in faults]
    return [
        at
        for at in _falls(history.servers.get(server, []))
        if not any(start <= at <= stop for start, stop in explained)
    ]


def _falls(samples: Sequence[Sample]) -> list[float]:
    """When a server became DOWN; one that is DOWN in the first sample became so there."""
    before = [None, *samples]
    return [it.at for last, it in zip(before, samples, strict=False) if it.is_down and not (last and last.is_down)]


def retries(history: History) -> Finding:
    """How often HAProxy sent a request again, to the same server (retries) or to another one (redispatches)."""
    entries = history.seen("balancer", "servers")
    if len(entries) < 2:
        return nothing("tries", "the balancer's counters were not read twice")
    totals = {"retries": 0, "redispatches": 0}
    last: dict[tuple[str, str, str], int] = {}
    for entry in entries:
        for server in entry.data["servers"]:
            for word in totals:
                key, count = (server["backend"], server["name"], word), server[word]
                totals[word] += _grown(last.get(key, count), count)
                last[key] = count
    detail = ", ".join(f"{count} {word}" for word, count in totals.items())
    return found(sum(totals.values()), "tries", detail, coverage.balancer(history))


def _grown(before: int, now: int) -> int:
    """The increase of a counter between two looks; after a restart HAProxy counts from zero."""
    return now - before if now >= before else now
