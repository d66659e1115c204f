"""What the observers saw last: whether the lab is whole can be told from it, and costs the nodes nothing."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lab import clock
from lab.analysis.timeline import Entry
from lab.topology import Lab

FRESH_S = 3.0
Write = Callable[[Entry], None]


class Latest:
    """Hands every entry on to `write`, and remembers the last one of each observer, kind and node."""

    def __init__(self, lab: Lab, write: Write) -> None:
        self.lab, self._write = lab, write
        self._seen: dict[tuple[str, str, str], Entry] = {}
        self._lock = threading.Lock()

    def write(self, entry: Entry) -> None:
        """One entry more."""
        with self._lock:
            key = "power" if "power" in entry.data else entry.kind
            self._seen[entry.observer, key, str(entry.data.get("node", ""))] = entry
        self._write(entry)

    def primary(self) -> str:
        """The database that was open for writes when it was seen last, a moment ago; '' if none was."""
        seen = {it.name: self._of("database", "state", it.name) for it in self.lab.having("database")}
        return next((name for name, it in seen.items() if it.get("writable")), "")

    def wrong(self) -> list[str]:
        """What is not as it should be, in words; what was not seen for a moment is not."""
        return [*self._nodes(), *self._servers(), *self._databases()]

    def _of(self, observer: str, kind: str, node: str) -> Mapping[str, Any]:
        entry = self._seen.get((observer, kind, node))
        return entry.data if entry and clock.now() - entry.at < FRESH_S else {}

    def _nodes(self) -> Iterator[str]:
        for node in self.lab.nodes:
            services = self._of("service", "services", node.name).get("services")
            if self._of("node", "power", node.name).get("power") != "running":
                yield f"{node.name} is not seen running"
            elif not services:
                yield f"the services of {node.name} are not seen"
            else:
                yield from (f"{node.name}: {unit} is {state}" for unit, state in services.items() if state != "active")

    def _servers(self) -> Iterator[str]:
        shown = {it["name"]: it["status"] for it in self._of("balancer", "servers", "").get("servers", ())}
        for node in self.lab.having("web"):
            if shown.get(node.name) != "UP":
                yield f"HAProxy: {node.name} is {shown.get(node.name, 'not seen')}"

    def _databases(self) -> Iterator[str]:
        seen = {node.name: self._of("database", "state", node.name) for node in self.lab.having("database")}
        primaries = [name for name, it in seen.items() if it.get("role") == "primary"]
        if len(primaries) != 1:
            yield f"{len(primaries)} databases are seen as primary"
        for name, it in seen.items():
            if name not in primaries and not it.get("replicating"):
                yield f"{name} is not seen replicating"
