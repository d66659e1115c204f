"""Whether the lab is healthy: one answer for everybody who asks, from what they learned of its nodes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.mysql import gtid
from lab.nodes.facts import NodeFacts
from lab.topology import Lab


@dataclass(frozen=True)
class DatabaseState:
    """A database that answered; `gtid_executed` is '' where answers of different moments must not be compared."""

    node: str
    role: str
    replicating: bool
    gtid_executed: str = ""


def health(
    lab: Lab,
    nodes: Mapping[str, NodeFacts],
    databases: Sequence[DatabaseState] | None = None,
    site_ok: bool | None = None,
    known: Iterable[str] = (),
) -> list[str]:
    """What is not as it should be, in words; empty for a healthy lab.

    `databases` are those that answered, None where they are judged elsewhere; `site_ok` is None where the site was not
    asked. `known` is what is wrong already and can't be told from the rest.
    """
    balancers = [nodes[node.name] for node in lab.having("balancer") if node.name in nodes]
    return [
        *known,
        *(line for name, it in nodes.items() for line in _services(name, it)),
        *(line for it in balancers for line in _servers(it)),
        *([] if databases is None else _databases(databases, len(lab.having("database")))),
        *(["the site does not answer"] if site_ok is False else []),
    ]


def _services(name: str, facts: NodeFacts) -> list[str]:
    if facts.error:
        return [f"{name}: {facts.error.splitlines()[0]}"]
    return [f"{name}: {unit} is {state}" for unit, state in facts.services.items() if state != "active"]


def _servers(facts: NodeFacts) -> list[str]:
    """Servers that are not UP; where HAProxy does not say, nobody knows that they are."""
    if facts.servers is None:
        return [] if facts.error else ["HAProxy: it can't be asked"]
    return [unused(it.name, it.status) for it in facts.servers if it.backend == "web" and it.status != "UP"]


def unused(name: str, status: str) -> str:
    """A server that HAProxy does not use, in words; no check brings one back from maintenance."""
    return f"HAProxy: {name} is {status}{f'; next: invoke lb.ready {name}' if status == 'MAINT' else ''}"


def _databases(known: Sequence[DatabaseState], expected: int) -> Iterator[str]:
    """One primary, everybody else replicates from it and has nothing that it has not."""
    primaries = [it for it in known if it.role == "primary"]
    if len(known) < expected or len(primaries) != 1:
        yield f"{len(known)} of {expected} databases answer, {len(primaries)} of them primary"
        return
    primary = primaries[0]
    yield from (f"{it.node} does not replicate" for it in known if it is not primary and not it.replicating)
    for it in known:
        if not gtid.subset(it.gtid_executed, primary.gtid_executed):
            yield f"{it.node} has transactions that {primary.node} has not"
