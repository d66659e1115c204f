"""The replication tree as text, from the answers of the databases."""

from collections.abc import Mapping, Sequence

from lab.mysql import gtid
from lab.mysql.advice import Asked, durability
from lab.mysql.server_state import Database
from lab.topology import Node


def tree(nodes: Sequence[Node], asked: Asked, degraded: str) -> str:
    """Draw which server replicates from which: role, lag, and how many transactions each lacks or has alone."""
    address = {str(node.ip): node.name for node in nodes}
    children: dict[str, list[str]] = {}
    for name, it in asked.items():
        source = address.get(it.source, it.source) if it else ""
        children.setdefault(source if source in asked else "", []).append(name)
    roots = children.get("", []) or list(asked)[:1]  # two that replicate from each other have no root
    return "\n".join(line for root in roots for line in _branch(root, asked, children, degraded, ()))


def _branch(
    name: str, asked: Asked, children: Mapping[str, Sequence[str]], degraded: str, above: tuple[str, ...]
) -> list[str]:
    words = _words(asked, name, above[-1] if above else "", degraded)
    lines = [f"{'   ' * (len(above) - 1)}{'└─ ' if above else ''}{name}: {words}"]
    for child in children.get(name, ()):
        if child not in (*above, name):
            lines += _branch(child, asked, children, degraded, (*above, name))
    return lines


def _words(asked: Asked, name: str, source: str, degraded: str) -> str:
    it = asked[name]
    if it is None:
        return "does not answer"
    words = [it.role, "writable" if it.writable else "read-only"]
    if it.writable:
        words += [f"durability {durability(it, degraded)}", f"semi-sync {'ON' if it.waits else 'OFF'}"]
    if it.source:
        words.append(f"{it.lag_s} s behind" if it.replicating else f"not replicating {it.error}".strip())
    total = gtid.count(gtid.parse(it.gtid_executed))
    return ", ".join([*words, f"{total} transactions{_difference(it, asked.get(source) or _other(asked, name))}"])


def _other(asked: Asked, name: str) -> Database | None:
    """The writable server, with which a server without a source is compared."""
    return next((it for other, it in asked.items() if it and other != name and it.writable), None)


def _difference(it: Database, other: Database | None) -> str:
    if other is None:
        return ""
    lacks = gtid.count(gtid.minus(other.gtid_executed, it.gtid_executed))
    alone = gtid.count(gtid.minus(it.gtid_executed, other.gtid_executed))
    return f" (lacks {lacks} of {other.node}'s, has {alone} that {other.node} lacks)"
