"""Who is primary: asked of the databases, never read from a file; and who may be opened for writes.

Two writable servers never exist at the same time: when anything is uncertain, nobody is opened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab import gtid
from lab.databases import Database
from lab.topology import Node


@dataclass(frozen=True)
class Decision:
    """What converge does: let `attach` replicate from `primary`, then open it if `opens`; or why not."""

    primary: str | None = None
    attach: tuple[str, ...] = ()
    opens: bool = False
    waits: bool = False
    reason: str = ""


def decide(nodes: Sequence[Node], asked: Mapping[str, Database | None]) -> Decision:
    """Decide from the answers of all database servers (None: it did not answer); touches no host."""
    silent = [name for name, it in asked.items() if it is None]
    known = [it for it in asked.values() if it is not None]
    writable = [it.node for it in known if it.writable]
    if len(writable) > 1:
        return Decision(reason=f"{' and '.join(writable)} are both writable: two primaries")
    if silent:
        reason = f"MySQL on {', '.join(silent)} does not answer: nobody is opened while that is uncertain"
        return Decision(primary=writable[0] if writable else None, reason=reason)
    free = [it for it in known if not it.source]
    if all(_virgin(it) for it in known):
        return _first_time(nodes, known)
    if len(free) == 2:
        return _attach_virgin(free)
    if len(free) != 1:
        return Decision(reason="every server replicates from another: none is primary")
    return _reopen(nodes, free[0], [it for it in known if it.source])


def _virgin(it: Database) -> bool:
    return not it.has_site and not it.source


def _first_time(nodes: Sequence[Node], known: Sequence[Database]) -> Decision:
    """A lab without data: the first database node of lab.yml becomes primary."""
    first = nodes[0].name
    return Decision(primary=first, attach=tuple(it.node for it in known if it.node != first), opens=True)


def _attach_virgin(free: Sequence[Database]) -> Decision:
    """One server has the data, the other was made anew: it becomes the replica."""
    virgin = [it for it in free if _virgin(it)]
    if len(virgin) != 1:
        names = " and ".join(it.node for it in free)
        return Decision(
            reason=f"{names} both have data of their own and neither replicates: not for converge to choose"
        )
    primary = next(it for it in free if it not in virgin)
    return Decision(primary=primary.node, attach=(virgin[0].node,), opens=not primary.writable)


def _reopen(nodes: Sequence[Node], primary: Database, replicas: Sequence[Database]) -> Decision:
    address = next(str(node.ip) for node in nodes if node.name == primary.node)
    for replica in replicas:
        if replica.source != address:
            return Decision(reason=f"{replica.node} replicates from {replica.source}, which is not {primary.node}")
        if replica.writable:
            return Decision(reason=f"{replica.node} replicates and is writable: it has to be closed first")
        if not gtid.subset(replica.gtid_executed, primary.gtid_executed):
            extra = gtid.count(gtid.minus(replica.gtid_executed, primary.gtid_executed))
            return Decision(reason=f"{replica.node} has {extra} transactions that {primary.node} has not")
    if primary.writable:
        return Decision(primary=primary.node)
    if not all(replica.replicating for replica in replicas):
        names = ", ".join(it.node for it in replicas if not it.replicating)
        return Decision(primary=primary.node, waits=True, reason=f"{names} does not replicate from {primary.node}")
    return Decision(primary=primary.node, opens=True)
