"""Checks of the databases: equal at the end, and never two that take writes."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby, product
from math import inf

from lab.analysis.checks import coverage
from lab.analysis.checks.finding import Finding, found, nothing
from lab.analysis.history import BLIND_S, History
from lab.mysql import gtid

MISSES = "an overlap of less than 1.2 s may be missed"
RESOLUTION_S = 0.2  # how much later one answer may come than another
OBSERVERS = ("database", "writable")
# https://dev.mysql.com/doc/mysql-errors/8.4/en/client-error-reference.html#error_cr_connection_error
NO_CONNECTION, NOBODY_LISTENS = "ERROR 2002 ", ("(2)", "(111)")  # errno: no socket, or no server behind it


@dataclass(frozen=True)
class Look:
    """Whether a database took writes at one moment, and for how many seconds that had been so; 0: not known."""

    at: float
    writable: bool
    for_s: float = 0.0


def gtid_equal(history: History) -> Finding:
    """Whether all databases ended with the same transactions."""
    sets = {entry.data["node"]: entry.data["gtid_executed"] for entry in history.seen("lab", "final")}
    nodes = history.having("database")
    if len(sets) < 2:
        return nothing("", "fewer than two databases were read at the end")
    pairs = [(one, other) for one in sets for other in sets if one != other]
    more = [(one, other, gtid.count(gtid.minus(sets[one], sets[other]))) for one, other in pairs]
    differences = [
        f"{one} has {count} transaction{'s' if count > 1 else ''} that {other} lacks"
        for one, other, count in more
        if count
    ]
    if differences:
        return found(False, "", "; ".join(differences))
    unread = [node for node in nodes if node not in sets]
    return found(True, "", f"{len(sets)} databases", f"not read at the end: {', '.join(unread)}" if unread else "")


def two_writable(history: History) -> Finding:
    """How often two databases took writes at once.

    A look that found one writable counts if another one was writable in its looks before and after that. If no look
    fell into an overlap, the durations that the looks report are compared. Looks are a second apart, and one answer may
    come 0.2 s later than another, so an overlap shorter than both together may be missed.
    """
    nodes = history.having("database")
    seen = {node: _looks(history, node) for node in nodes}
    unseen = [node for node in nodes if not seen[node]]
    if len(nodes) < 2 or unseen:
        return nothing("moments", f"no state was observed of {', '.join(unseen) or 'a second database'}")
    looks = {node: sorted([*seen[node], *_nobody_listened(history, node)], key=_when) for node in nodes}
    sure = {node: _in_time(them) for node, them in looks.items()}
    moments = [at for node in sure for at in _writable_beside(node, sure)] or _overlaps(sure)
    detail = f"from {history.clock(min(moments))} to {history.clock(max(moments))}" if moments else MISSES
    blind = [
        coverage.database(history, node, [it.at for it in looks[node]], _unchanged(history, node, seen[node]))
        for node in nodes
    ]
    return found(len(moments), "moments", detail, "; ".join(filter(None, blind)))


def _when(look: Look) -> float:
    return look.at


def _looks(history: History, node: str) -> list[Look]:
    seen = [entry for observer in OBSERVERS for entry in history.states(observer).get(node, ())]
    reliable = not _skewed(history, node)
    return [Look(it.at, bool(it.data["writable"]), reliable * it.data.get("for_s", 0.0)) for it in seen]


def _nobody_listened(history: History, node: str) -> list[Look]:
    """Looks that found no server behind the socket: it certainly took no writes then."""
    blind = [entry for observer in OBSERVERS for entry in history.seen(observer, "blind") if entry.data["node"] == node]
    errors = [entry for entry in blind if entry.data["why"].startswith(NO_CONNECTION)]
    return [Look(entry.at, False) for entry in errors if entry.data["why"].strip().endswith(NOBODY_LISTENS)]


def _unchanged(history: History, node: str, looks: Iterable[Look]) -> list[coverage.Interval]:
    """The time before each look for which the look reports the state."""
    return [(it.at - it.for_s, it.at) for it in looks if it.for_s]


def _skewed(history: History, node: str) -> bool:
    """Whether a fault set the clock of a server, so that the durations it reports are wrong."""
    return any(it.kind == "clock-skew" and it.node == node for it in history.faults)


def _in_time(looks: Sequence[Look]) -> list[Look]:
    """Leave out looks 'it takes writes' that arrived after the database was closed, as its later looks show."""
    in_time: list[Look] = []
    closed = inf  # when it was closed, by the looks since it last took writes
    for it in reversed(looks):
        if not it.writable:
            closed = min(closed, it.at - it.for_s)
            in_time.append(it)
        elif it.at <= closed:
            closed = inf
            in_time.append(it)
    return in_time[::-1]


def _overlaps(looks: Mapping[str, Sequence[Look]]) -> list[float]:
    """When each time began in which two databases took writes."""
    pairs = combinations([_open_times(them) for them in looks.values()], 2)
    both = [(max(a, c), min(b, d)) for one, other in pairs for (a, b), (c, d) in product(one, other)]
    return [start for start, stop in both if stop - start > RESOLUTION_S]


def _open_times(looks: Sequence[Look]) -> list[coverage.Interval]:
    """When a database certainly took writes: from its opening, as its looks report it, to the last look that agrees.

    An answer comes late, never early: of several answers about one moment the earliest is the nearest.
    """
    runs = [list(run) for _, run in groupby(looks, key=lambda look: look.writable)]
    times: list[coverage.Interval] = []
    for before, run in zip([[], *runs[:-1]], runs, strict=True):
        if run[0].writable:
            begin = max([min(it.at - it.for_s for it in run), *(it.at for it in before[-1:])])
            times.append((begin, run[-1].at))
    return times


def _writable_beside(node: str, looks: Mapping[str, Sequence[Look]]) -> list[float]:
    others = [other for name, other in looks.items() if name != node]
    return [it.at for it in looks[node] if it.writable and any(_writable_around(them, it.at) for them in others)]


def _writable_around(looks: Sequence[Look], at: float) -> bool:
    """Whether a database was writable in the last look until a moment and in the first one after it.

    Two databases are never asked at the same instant: a promotion between the two queries is no violation.
    """
    after = bisect_right(looks, at, key=_when)
    if after in (0, len(looks)):
        return False
    before, then = looks[after - 1 : after + 1]
    return before.writable and then.writable and then.at - before.at <= BLIND_S
