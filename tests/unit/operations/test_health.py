"""Whether the lab is healthy: one judge, whoever asks."""

from typing import Any

import pytest

from lab import topology
from lab.nodes.facts import NodeFacts, Server
from lab.operations import status
from lab.operations.health import DatabaseState, health

LAB = topology.load()
UP = [Server("web", name, "UP", 100, "L7OK") for name in ("web1", "web2")]
RUNS = NodeFacts({"nginx": "active"}, None, None)
NODES = {"lb1": NodeFacts({"haproxy": "active"}, UP, None), "web1": RUNS, "web2": RUNS}
PRIMARY = DatabaseState("web1", "primary", False, "11111111-71ca-11e1-9e33-c80aa9429562:1-50")
REPLICA = DatabaseState("web2", "replica", True, "11111111-71ca-11e1-9e33-c80aa9429562:1-49")
BESIDE = DatabaseState("web2", "primary", False)


def test_a_lab_in_which_all_is_as_it_should_be_is_healthy() -> None:
    """Whether or not databases and site were asked."""
    assert health(LAB, NODES) == []
    assert health(LAB, NODES, [PRIMARY, REPLICA], site_ok=True) == []


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        (NodeFacts({}, None, None, "ssh failed\nno route"), ["web1: ssh failed"]),
        (NodeFacts({"nginx": "failed", "mysql": "active"}, None, None), ["web1: nginx is failed"]),
    ],
    ids=["a node that does not answer", "a service"],
)
def test_each_node_is_looked_at(facts: NodeFacts, lines: list[str]) -> None:
    """With the first line of what keeps it from answering."""
    assert health(LAB, {**NODES, "web1": facts}) == lines


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        (NodeFacts({}, [Server("web", "web1", "DOWN", 100, ""), UP[1]], None), ["HAProxy: web1 is DOWN"]),
        (
            NodeFacts({}, [Server("web", "web1", "MAINT", 100, ""), UP[1]], None),
            ["HAProxy: web1 is MAINT; next: invoke lb.ready web1"],
        ),
        (NodeFacts({}, [*UP, Server("write", "web2", "", 1, "")], None), []),
        (NodeFacts({}, None, None), ["HAProxy: it can't be asked"]),
        (NodeFacts({}, None, None, "ssh failed"), ["lb1: ssh failed"]),
    ],
    ids=[
        "a server",
        "one in maintenance",
        "a server for writes",
        "an admin socket that does not answer",
        "its node does not answer",
    ],
)
def test_haproxy_is_believed(facts: NodeFacts, lines: list[str]) -> None:
    """Where it says nothing, nobody knows that its servers are UP; that is not said twice."""
    assert health(LAB, {**NODES, "lb1": facts}) == lines


@pytest.mark.parametrize(
    ("databases", "lines"),
    [
        ([PRIMARY, BESIDE], ["2 of 2 databases answer, 2 of them primary"]),
        ([REPLICA, REPLICA], ["2 of 2 databases answer, 0 of them primary"]),
        ([PRIMARY], ["1 of 2 databases answer, 1 of them primary"]),
        ([PRIMARY, DatabaseState("web2", "replica", False)], ["web2 does not replicate"]),
        (
            [
                DatabaseState("web1", "primary", False, REPLICA.gtid_executed),
                DatabaseState(*("web2", "replica", True, PRIMARY.gtid_executed)),
            ],
            ["web2 has transactions that web1 has not"],
        ),
        ([DatabaseState("web1", "primary", False), DatabaseState("web2", "replica", True)], []),
    ],
    ids=["two primaries", "none", "one does not answer", "no replication", "a replica has more", "sets not compared"],
)
def test_one_database_is_primary_and_the_others_follow(databases: list[DatabaseState], lines: list[str]) -> None:
    """Two that take writes are no lab to learn from."""
    assert health(LAB, NODES, databases) == lines


def test_what_is_known_already_comes_first() -> None:
    """And the site last, which suffers from all else."""
    assert health(LAB, NODES, site_ok=False, known=["web1-freeze is injected"]) == [
        "web1-freeze is injected",
        "the site does not answer",
    ]


def test_the_status_is_judged_alike() -> None:
    """With its faults and errors, in which it has judged the databases."""
    now: dict[str, Any] = {
        "site": {"ok": True},
        "nodes": [
            {"name": "lb1", "services": {"haproxy": "active"}},
            {"name": "web1", "services": {"nginx": "failed"}},
            {"name": "web2", "services": None},
        ],
        "balancer": {"servers": [{"name": "web1", "status": "DOWN", "weight": 100}]},
        "faults": [{"id": "web2-power-off"}],
        "errors": ["web2: the machine is off"],
    }
    assert status.wrong(LAB, now) == [
        "web2-power-off is injected",
        "web2: the machine is off",
        "web1: nginx is failed",
        "HAProxy: web1 is DOWN",
    ]
    assert status.wrong(LAB, {**now, "nodes": [], "balancer": None, "faults": [], "errors": []}) == []
