"""What lab.down says of the visitors when one node leaves."""

from dataclasses import replace

import pytest

from lab import topology
from lab.durability import Durability
from lab.mysql.server_state import Database
from lab.operations.departure import meaning
from tests.support.pairs import OPEN, PROMOTED, REPLICA

LAB = topology.load()
NODES = {node.name for node in LAB.nodes}


def told(name: str, databases: dict[str, Database | None], running: set[str] = NODES) -> str:
    """The lines of a node that leaves."""
    return "\n".join(meaning(LAB, LAB.node(name), databases, running - {name}))


@pytest.mark.parametrize(
    ("durability", "writes"),
    [
        (Durability.DURABLE, "writes wait until a replica is back"),
        (Durability.AVAILABLE, "the first write waits a second, then they go on"),
        (Durability.ASYNC, "writes go on"),
    ],
)
def test_what_becomes_of_writes_without_a_replica_depends_on_durability(durability: Durability, writes: str) -> None:
    """Reads go on, and the way back is named."""
    text = told("web2", {"web1": replace(OPEN, durability=durability), "web2": REPLICA})
    assert f"reads go on, served by web1; {writes} (durability {durability})" in text
    assert "next: invoke lab.up" in text and "db.promote" not in text


def test_a_primary_that_leaves_takes_the_writes_with_it() -> None:
    """Whichever node that is; the other one can be promoted."""
    text = told("web1", {"web1": OPEN, "web2": REPLICA})
    assert "no server takes writes" in text and "invoke db.promote web2" in text
    text = told("web2", {"web1": None, "web2": PROMOTED}, running={"lb1", "web2"})
    assert "no server is left, so reads fail" in text and "db.promote" not in text


def test_what_is_not_known_is_not_claimed() -> None:
    """No database answered: the command says where to look."""
    assert "invoke db.status" in told("web1", {"web1": None, "web2": None})


def test_without_the_balancer_nobody_reaches_the_site() -> None:
    """And no database is concerned."""
    text = told("lb1", {})
    assert "nobody reaches the site until lb1 is back" in text and "invoke lab.up" in text and "writes" not in text


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("web1", "reads go on, served by web2; writes alike"),
        ("db1", "reads go on, served by web1, web2; db1 was the primary: no server takes writes"),
        ("db2", "reads go on, served by web1, web2; writes wait until a replica is back (durability durable)"),
    ],
)
def test_with_the_tiers_apart_each_says_what_it_takes_away(name: str, line: str) -> None:
    """A web server takes no writes with it, and a database no pages."""
    lab = topology.load(topology.ROOT / "docs" / "topologies" / "five.yml")
    databases: dict[str, Database | None] = {
        "db1": replace(OPEN, node="db1", durability=Durability.DURABLE),
        "db2": replace(REPLICA, node="db2"),
    }
    running = {node.name for node in lab.nodes} - {name}
    assert line in meaning(lab, lab.node(name), databases, running)
    assert "no database is left, so reads fail" in meaning(lab, lab.node(name), databases, {"web1", "web2"} - {name})[1]
