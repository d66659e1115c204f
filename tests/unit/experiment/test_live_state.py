"""Whether the lab is healthy, according to the latest observations."""

import time
from typing import Any

from lab import topology
from lab.analysis.timeline import Entry
from lab.experiment.live_state import FRESH_S, Latest

LAB = topology.load()


def seen(at: float, **changes: Any) -> Latest:
    """A healthy lab as the observers see it, except for `changes`."""
    latest = Latest(LAB, lambda entry: None)

    def add(observer: str, kind: str, **data: Any) -> None:
        latest.write(Entry(at, observer, kind, data))

    for node in LAB.nodes:
        add("node", "state", node=node.name, power=changes.get(f"power {node.name}", "running"))
        add("service", "services", node=node.name, services={"nginx": changes.get(f"nginx {node.name}", "active")})
    status = changes.get("web2", "UP")
    shown = {"web1": "UP", "web2": status}
    servers = [{"backend": it, "name": name, "status": shown[name]} for it in ("web", "write") for name in shown]
    add("balancer", "servers", servers=servers)
    primary = changes.get("web1 is", "primary")
    add("database", "state", node="web1", role=primary, writable=primary == "primary", replicating=False)
    add("database", "state", node="web2", role="replica", writable=False, replicating=changes.get("replicating", True))
    return latest


def test_a_whole_lab_has_nothing_wrong() -> None:
    """Every observation is recent and as it should be."""
    assert seen(time.time()).wrong() == []
    assert seen(time.time()).primary() == "web1"


def test_what_was_not_seen_for_a_moment_is_not_healthy() -> None:
    """Without recent observations the lab must not count as healthy."""
    wrong = seen(time.time() - FRESH_S - 1).wrong()
    assert "web1: it is not seen running" in wrong and "HAProxy: web2 is not seen" in wrong
    assert "0 of 2 databases answer, 0 of them primary" in wrong


def test_each_thing_that_is_wrong_is_named() -> None:
    """A machine, a service, a server, the replica, the primary."""
    now = time.time()
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"power lb1": "paused"}, ["lb1: it is not seen running"]),
        ({"nginx web2": "stopped"}, ["web2: nginx is stopped"]),
        ({"web2": "UP 1/2"}, ["HAProxy: web2 is UP 1/2"]),
        ({"replicating": False}, ["web2 does not replicate"]),
        ({"web1 is": "unassigned"}, ["2 of 2 databases answer, 0 of them primary"]),
    ]
    for changes, expected in cases:
        assert seen(now, **changes).wrong() == expected
    assert seen(now, **{"web1 is": "unassigned"}).primary() == ""
