"""Back to a snapshot: in which order, and what is forgotten whatever becomes of the wait."""

import time
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab import topology
from lab.errors import CheckFailed, TimedOut
from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.mysql import last_seen
from lab.mysql.server_state import Database
from lab.nodes import lifecycle
from lab.nodes.facts import NodeFacts, Server
from lab.operations import restore, snapshots
from lab.state import choices
from tests.support.pairs import CLOSED, OPEN, PROMOTED, REPLICA, WEB1

LAB = topology.load()


class Double:
    """web1."""

    node = WEB1


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done, in order; a fault is active and a primary known."""
    done: list[str] = []

    def put_back(*_: object) -> None:
        done.append("put back")

    def together(*_: object) -> list[object]:
        done.append("clocks")
        return []

    def wrong(*_: object) -> list[str]:
        done.append("looks")
        return []

    monkeypatch.setattr(snapshots, "put_back", put_back)
    monkeypatch.setattr(snapshots, "is_back", lambda: done.append("is back"))
    monkeypatch.setattr(lifecycle, "machines", lambda lab: [])
    monkeypatch.setattr(restore, "together", together)
    monkeypatch.setattr(restore, "wrong", wrong)
    ledger.add(Fault("power-off", "web1"), 1.0)
    last_seen.remember(time.time(), [OPEN, REPLICA])
    return done


def test_what_a_snapshot_lacks_is_repaired_before_the_lab_is_waited_for(events: list[str]) -> None:
    """Machines and clocks first: without them nothing can be converged."""
    restore.restore(LAB, "clean", lambda: events.append("repairs"))
    assert events == ["put back", "clocks", "is back", "repairs", "looks"]


def test_faults_are_gone_even_where_the_lab_does_not_settle(events: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """They were of a time that is no more."""
    monkeypatch.setattr(restore, "wrong", lambda *_: ["HAProxy: web3 is DOWN"])
    monkeypatch.setattr(restore, "READY_S", 0.0)
    with pytest.raises(TimedOut) as caught:
        restore.restore(LAB, "clean")
    assert "web3 is DOWN" in caught.value.evidence
    assert ledger.entries() == []


def test_a_lab_with_active_faults_teaches_nothing(events: list[str]) -> None:
    """Whatever its services say."""
    with pytest.raises(CheckFailed, match="web1-power-off"):
        restore.must_be_healthy(LAB)
    assert events == []


@pytest.mark.usefixtures("stored")
def test_a_drained_server_is_as_it_should_be(events: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """For a restore; an experiment needs all servers, and names the command that brings this one back."""
    ledger.clear()
    choices.save(drained=["web2"])
    monkeypatch.setattr(restore, "wrong", lambda *_: ["HAProxy: web2 is DRAIN"])
    restore.restore(LAB, "clean")
    with pytest.raises(CheckFailed, match="drained") as caught:
        restore.must_be_healthy(LAB)
    assert caught.value.hint == "invoke lb.ready web2"


@pytest.mark.usefixtures("events", "stored")
def test_a_server_that_was_drained_and_left_lab_yml_hinders_nobody() -> None:
    """No command could bring it back."""
    ledger.clear()
    choices.save(drained=["web3"])
    restore.must_be_healthy(LAB)


PAIRS: dict[str, tuple[Database, Database, list[str]]] = {
    "a primary and its replica": (OPEN, REPLICA, []),
    "two primaries": (OPEN, PROMOTED, ["2 of 2 databases answer, 2 of them primary"]),
    "none": (CLOSED, REPLICA, ["2 of 2 databases answer, 0 of them primary"]),
    "a replica with more": (
        OPEN,
        replace(REPLICA, gtid_executed=PROMOTED.gtid_executed),
        ["web2 has transactions that web1 has not"],
    ),
}


@pytest.mark.parametrize(("web1", "web2", "problems"), PAIRS.values(), ids=PAIRS)
def test_what_the_databases_say_is_looked_at(
    web1: Database, web2: Database, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also which transactions they have: they were asked at one time."""
    facts = [NodeFacts({}, [], None), NodeFacts({}, None, web1), NodeFacts({}, None, web2)]
    machines: Any = [SimpleNamespace(node=node) for node in LAB.nodes]
    monkeypatch.setattr(restore, "together", lambda *_: facts)
    monkeypatch.setattr(restore, "healthy", lambda lab: True)
    assert restore.wrong(LAB, machines) == problems


@pytest.mark.parametrize("answers", [True, False])
def test_the_site_is_asked_where_nothing_else_is_wrong(answers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to a lab that is down only waits."""
    asked: list[str] = []

    def ask(_: object) -> bool:
        asked.append("site")
        return answers

    facts = [NodeFacts({}, [], None), NodeFacts({}, None, OPEN), NodeFacts({}, None, REPLICA)]
    machines: Any = [SimpleNamespace(node=node) for node in LAB.nodes]
    monkeypatch.setattr(restore, "together", lambda *_: facts)
    monkeypatch.setattr(restore, "healthy", ask)
    assert restore.wrong(LAB, machines) == ([] if answers else ["the site does not answer"])
    facts[0] = NodeFacts({"haproxy": "failed"}, [], None)
    assert restore.wrong(LAB, machines) == ["lb1: haproxy is failed"] and asked == ["site"]


def test_what_was_asked_before_a_change_of_roles_is_not_remembered_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer arrived late, and what it says is of a time before."""

    def late(*_: object) -> list[NodeFacts]:
        last_seen.outdate()
        return [NodeFacts({}, None, OPEN)]

    monkeypatch.setattr(restore, "together", late)
    restore.wrong(LAB, [cast(Any, Double)])
    assert last_seen.recall() is None


SERVERS = [
    Server("web", "web1", "DOWN", 100, ""),
    Server("web", "web2", "UP", 100, ""),
    Server("write", "web2", "", 1, ""),
]
SERVER_STATES = {
    "a server that is DOWN": (SERVERS[:2], ["HAProxy: web1 is DOWN"]),
    "none": (SERVERS[1:], []),
    "nothing": (None, ["HAProxy: it can't be asked"]),
}


@pytest.mark.parametrize(("servers", "problems"), SERVER_STATES.values(), ids=SERVER_STATES)
def test_what_haproxy_says_of_its_servers_is_looked_at(
    servers: list[Server] | None, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An admin socket that does not answer says of nobody that it is UP."""
    facts = [NodeFacts({}, servers, None), NodeFacts({}, None, OPEN), NodeFacts({}, None, REPLICA)]
    machines: Any = [SimpleNamespace(node=node) for node in LAB.nodes]
    monkeypatch.setattr(restore, "together", lambda *_: facts)
    monkeypatch.setattr(restore, "healthy", lambda lab: True)
    assert restore.wrong(LAB, machines) == problems


NOT_UP = {
    "a server that checks took out": (["HAProxy: web2 is DOWN"], "", ["HAProxy: web2 is DOWN"]),
    "a server that somebody drained": (["HAProxy: web2 is DRAIN"], "", []),
    "a server that a command left in maintenance": (
        ["HAProxy: web2 is MAINT; next: invoke lb.ready web2"],
        "web2",
        ["HAProxy: web2 is MAINT; next: invoke lb.ready web2"],
    ),
    "a replica that stands still": (["web2 does not replicate"], "", ["web2 does not replicate"]),
    "a replica that stands still, asked for": (["web2 does not replicate"], "web2", ["web2 does not replicate"]),
    "another replica than the one asked for": (["web2 does not replicate"], "web1", []),
    "another node than the one asked for": (["web1: nginx is inactive", "HAProxy: web1 is DOWN"], "web2", []),
    "the one asked for": (
        ["web2: nginx is inactive", "HAProxy: web2 is DOWN", "web1: ssh"],
        "web2",
        ["web2: nginx is inactive", "HAProxy: web2 is DOWN"],
    ),
}


@pytest.mark.parametrize(("found", "node", "problems"), NOT_UP.values(), ids=NOT_UP)
def test_a_lab_is_not_called_up_while_something_is_wrong(
    found: list[str], node: str, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1 with what is wrong; a server that was drained on purpose is no defect."""
    monkeypatch.setattr(lifecycle, "machines", lambda lab: [])
    monkeypatch.setattr(lifecycle, "running", lambda lab: [])
    monkeypatch.setattr(restore, "READY_S", 0.0)
    monkeypatch.setattr(restore, "wrong", lambda lab, machines: found)
    with pytest.raises(CheckFailed) if problems else nullcontext() as caught:
        restore.must_be_up(LAB, node)
    assert not caught or caught.value.evidence.splitlines() == problems


def test_connections_that_there_are_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """To open one costs an emulated node time."""
    monkeypatch.setattr(lifecycle, "machines", lambda *_: pytest.fail("opens others"))
    asked: list[object] = []

    def wrong(_: object, machines: list[object]) -> list[str]:
        asked.extend(machines)
        return []

    monkeypatch.setattr(restore, "wrong", wrong)
    machine: Any = Double()
    restore.must_be_up(LAB, machines=[machine])
    assert asked == [machine]
