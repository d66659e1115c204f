"""Which server is primary, and whether to open it for writes: decided from the databases' answers, never from a file.

Two servers must never be writable at the same time: if anything is uncertain, no server is opened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.mysql import gtid, server_state
from lab.mysql.promotion import rejoins
from lab.mysql.server_state import Database
from lab.topology import Node


@dataclass(frozen=True)
class Decision:
    """What converge does with the databases.

    It makes `attach` replicas of `primary`, starts the stopped replica threads of `start`, then opens the primary if
    `opens`. `waits`: the replica does not replicate yet, so ask again. `reason`: why no server is opened; `hint`: what
    to do about that.
    """

    primary: str | None = None
    attach: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    opens: bool = False
    waits: bool = False
    reason: str = ""
    hint: str = "see the state: invoke lab.status"


def decide(nodes: Sequence[Node], asked: Mapping[str, Database | None]) -> Decision:
    """Decide from the answers of all database servers (None: no answer); contacts no host."""
    silent = [name for name, it in asked.items() if it is None]
    known = [it for it in asked.values() if it is not None]
    writable = [it.node for it in known if it.writable]
    if len(writable) > 1:
        return Decision(reason=f"{' and '.join(writable)} are both writable: two primaries")
    if silent:
        return Decision(
            reason=f"MySQL on {', '.join(silent)} does not answer, so it is not certain which server may be opened"
        )
    free = [it for it in known if not it.source]
    if not free:
        return Decision(reason="every server replicates from another one: none is primary")
    primary = _candidate(nodes, known, free)
    if primary is None and writable:
        closed = next(it.node for it in free if not it.writable)
        return Decision(
            reason=f"{closed} has data of its own and does not replicate from {writable[0]}, which is open for writes",
            hint=f"make it a replica: {rejoins(closed)}",
        )
    if primary is None:
        names = " and ".join(it.node for it in free)
        return Decision(
            reason=f"{names} both have data of their own and neither replicates: converge can't choose between them"
        )
    others = [it for it in known if it is not primary]
    open_others = [it.node for it in others if it.writable]
    if open_others:
        return Decision(
            reason=f"{open_others[0]} is writable but {primary.node} should be primary: make {open_others[0]} read-only"
        )
    return _follow(nodes, primary, others)


def _candidate(nodes: Sequence[Node], known: Sequence[Database], free: Sequence[Database]) -> Database | None:
    """The only server without a source; of several, the only one with data; if none has data, the first of lab.yml."""
    if len(free) == 1:
        return free[0]
    with_data = [it for it in free if it.has_site]
    if len(with_data) > 1:
        return None
    if with_data:
        return with_data[0]
    return next(it for node in nodes for it in free if it.node == node.name)


def _follow(nodes: Sequence[Node], primary: Database, others: Sequence[Database]) -> Decision:
    """Make the others replicate from `primary`, and open it once they do."""
    address = next(str(node.ip) for node in nodes if node.name == primary.node)
    for it in others:
        if it.source and it.source != address:
            return Decision(reason=f"{it.node} replicates from {it.source} instead of {primary.node}")
        if it.has_site and not primary.has_site:
            return Decision(
                reason=f"{primary.node} is empty and {it.node} has data: it can't replicate from an empty server"
            )
    if not primary.writable:  # an open primary writes between two queries, so comparing the sets would prove nothing
        for it in others:
            extra = gtid.count(gtid.minus(it.gtid_executed, primary.gtid_executed)) if it.source else 0
            if extra:
                return Decision(reason=f"{it.node} has {extra} transactions that {primary.node} lacks")
    copies = [it for it in others if not it.source or server_state.lost(it, primary)]
    attach = tuple(it.node for it in copies)
    behind = [it for it in others if it not in copies and not it.replicating]
    return Decision(
        primary=primary.node,
        attach=attach,
        start=tuple(it.node for it in behind if it.stopped),
        opens=not primary.writable and (not behind or not primary.has_site),
        waits=not primary.writable and bool(behind) and primary.has_site,
        reason=f"{', '.join(it.node for it in behind)} does not replicate from {primary.node}" if behind else "",
    )
