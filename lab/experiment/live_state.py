"""The latest observations, which show whether the lab is healthy without asking the nodes again."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from lab import clock
from lab.analysis.timeline import Entry
from lab.nodes.facts import NodeFacts, Server
from lab.operations.health import DatabaseState, health
from lab.topology import Lab, Node

FRESH_S = 3.0
Write = Callable[[Entry], None]


class Latest:
    """Passes every entry to `write`, and keeps the latest one of each observer, kind and node."""

    def __init__(self, lab: Lab, write: Write) -> None:
        self.lab, self._write = lab, write
        self._seen: dict[tuple[str, str, str], Entry] = {}
        self._lock = threading.Lock()

    def write(self, entry: Entry) -> None:
        """Keep an entry and pass it on."""
        with self._lock:
            key = "power" if "power" in entry.data else entry.kind
            self._seen[entry.observer, key, str(entry.data.get("node", ""))] = entry
        self._write(entry)

    def primary(self) -> str:
        """The database that is writable by its latest observation; '' if there is none, or it is older than 3 s."""
        seen = {it.name: self._of("database", "state", it.name) for it in self.lab.having("database")}
        return next((name for name, it in seen.items() if it.get("writable")), "")

    def wrong(self) -> list[str]:
        """What is not healthy, as texts; a part whose latest observation is older than 3 s counts as unhealthy.

        Transactions are not compared, because the databases were observed at different moments.
        """
        seen = {node.name: self._of("database", "state", node.name) for node in self.lab.having("database")}
        databases = [DatabaseState(name, it["role"], it["replicating"]) for name, it in seen.items() if it]
        return health(self.lab, {node.name: self._facts(node) for node in self.lab.nodes}, databases)

    def _of(self, observer: str, kind: str, node: str) -> Mapping[str, Any]:
        entry = self._seen.get((observer, kind, node))
        return entry.data if entry and clock.now() - entry.at < FRESH_S else {}

    def _facts(self, node: Node) -> NodeFacts:
        services = self._of("service", "services", node.name).get("services", {})
        error = "" if services else "its services are not seen"
        if self._of("node", "power", node.name).get("power") != "running":
            error = "it is not seen running"
        return NodeFacts(services, self._servers(), None, error)

    def _servers(self) -> list[Server]:
        listed = self._of("balancer", "servers", "").get("servers", ())
        shown = {it["name"]: it["status"] for it in listed if it["backend"] == "web"}
        return [Server("web", it.name, shown.get(it.name, "not seen"), 0, "") for it in self.lab.having("web")]
