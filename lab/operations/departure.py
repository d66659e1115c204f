"""What it means for visitors that one node is shut down, and the way back. Touches no host."""

from collections.abc import Collection, Mapping

from lab.durability import Durability
from lab.mysql.server_state import Database
from lab.topology import Lab, Node

BACK = "invoke lab.up"
# Of a replica that leaves, by the durability of the primary.
WRITES = {
    Durability.ASYNC: "writes go on",
    Durability.AVAILABLE: "the first write waits a second, then they go on",
    Durability.DURABLE: "writes wait until a replica is back",
}


def meaning(lab: Lab, node: Node, databases: Mapping[str, Database | None], running: Collection[str]) -> list[str]:
    """What visitors notice; `databases` answered before it left, `running` are the machines that stay."""
    lines = [f"{node.name} is shut down"]
    if "balancer" in node.roles:
        lines.append(f"nobody reaches the site until {node.name} is back")
    elif "database" in node.roles:
        lines.append(f"{_reads(lab, node, running)}; {_writes(lab, node, databases)}")
    elif "web" in node.roles:
        lines.append(f"{_reads(lab, node, running)}; writes alike")
    return [*lines, f"next: {BACK}, which starts {node.name} again{_or(lab, node, databases, running)}"]


def _reads(lab: Lab, node: Node, running: Collection[str]) -> str:
    servers, databases = (
        [it.name for it in lab.having(role) if it.name in running and it != node] for role in ("web", "database")
    )
    if not servers or not databases:
        return f"no {'database' if servers else 'server'} is left, so reads fail"
    return f"reads go on, served by {', '.join(servers)}"


def _writes(lab: Lab, node: Node, databases: Mapping[str, Database | None]) -> str:
    if _is_primary(node, databases):
        return f"{node.name} was the primary: no server takes writes"
    primary = next((it for it in databases.values() if it and it.role == "primary"), None)
    if primary is None:
        return "no primary answered, so see what becomes of writes: invoke db.status"
    if primary.durability == "none":
        return "writes are not taken: no durability is set"
    return f"{WRITES[primary.durability]} (durability {primary.durability})"


def _or(lab: Lab, node: Node, databases: Mapping[str, Database | None], running: Collection[str]) -> str:
    others = [it.name for it in lab.having("database") if it != node and it.name in running]
    if not _is_primary(node, databases) or not others:
        return ""
    return f"; or make {others[0]} the primary: invoke db.promote {others[0]}"


def _is_primary(node: Node, databases: Mapping[str, Database | None]) -> bool:
    own = databases.get(node.name)
    return own is not None and own.role == "primary"
