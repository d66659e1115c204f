"""Checks of the databases: all the same in the end, and never two that take writes."""

from bisect import bisect_right
from collections.abc import Sequence

from lab import gtid
from lab.checks import sight
from lab.checks.finding import Finding, found, nothing
from lab.history import BLIND_S, History

State = tuple[float, bool]
# https://dev.mysql.com/doc/mysql-errors/8.4/en/client-error-reference.html#error_cr_connection_error
NOBODY_LISTENS = "ERROR 2002 "


def gtid_equal(history: History) -> Finding:
    """Whether all databases ended with the same transactions."""
    sets = {entry.data["node"]: entry.data["gtid_executed"] for entry in history.seen("lab", "final")}
    nodes = history.having("database")
    if len(sets) < 2:
        return nothing("", "fewer than two databases were read in the end")
    pairs = [(one, other) for one in sets for other in sets if one != other]
    more = [(one, other, gtid.count(gtid.minus(sets[one], sets[other]))) for one, other in pairs]
    differences = [f"{one} has {count} that {other} has not" for one, other, count in more if count]
    if differences:
        return found(False, "", "; ".join(differences))
    unread = [node for node in nodes if node not in sets]
    return found(True, "", f"{len(sets)} databases", f"not read in the end: {', '.join(unread)}" if unread else "")


def two_writable(history: History) -> Finding:
    """How many looks at a database found it writable while another one was writable before and after that look."""
    states = history.states("database")
    nodes = history.having("database")
    unseen = [node for node in nodes if node not in states]
    if len(nodes) < 2 or unseen:
        return nothing("moments", f"no state was seen of {', '.join(unseen) or 'a second database'}")
    looks = {
        node: sorted([(entry.at, bool(entry.data["writable"])) for entry in seen] + _nobody_listened(history, node))
        for node, seen in states.items()
    }
    moments = [at for node in looks for at in _writable_beside(node, looks)]
    detail = f"from {history.clock(min(moments))} to {history.clock(max(moments))}" if moments else ""
    blind = [sight.database(history, node, [at for at, _ in looks[node]]) for node in nodes]
    return found(len(moments), "moments", detail, "; ".join(filter(None, blind)))


def _nobody_listened(history: History, node: str) -> list[State]:
    """When nobody listened on the server's socket: then it took no writes, as surely as if it had said so."""
    blind = (entry for entry in history.seen("database", "blind") if entry.data["node"] == node)
    return [(entry.at, False) for entry in blind if entry.data["why"].startswith(NOBODY_LISTENS)]


def _writable_beside(node: str, looks: dict[str, list[State]]) -> list[float]:
    others = [other for name, other in looks.items() if name != node]
    return [at for at, writable in looks[node] if writable and any(_writable_around(it, at) for it in others)]


def _writable_around(looks: Sequence[State], at: float) -> bool:
    """Whether a database was writable in the last look until a moment and in the first one after it.

    Two databases are never asked at the same instant: a promotion between the two questions is no fault.
    """
    after = bisect_right(looks, at, key=lambda look: look[0])
    if after in (0, len(looks)):
        return False
    (first, before), (last, then) = looks[after - 1 : after + 1]
    return before and then and last - first <= BLIND_S
