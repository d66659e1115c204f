"""The status: what can't be asked is named; for people, red where something is wrong, then what to do."""

import threading
from typing import Any

import pytest

from lab import topology
from lab.errors import CommandFailed, InfrastructureBroken, LabNotUp
from lab.mysql import last_seen
from lab.nodes import site, vm_power
from lab.nodes.facts import NodeFacts, Server
from lab.operations import status
from lab.state import choices, lock
from lab.state.choices import Choices
from lab.topology import Lab
from tests.support.pairs import PROMOTED

LAB = topology.load()
HEALTHY: dict[str, Any] = {
    "stage": "distributed",
    "site": {"url": "http://192.168.56.10/", "ok": True},
    "nodes": [
        {"name": "lb1", "ip": "192.168.56.10", "state": "running", "roles": [], "services": {"haproxy": "active"}},
        {"name": "web1", "ip": "192.168.56.11", "state": "running", "roles": [], "services": {"nginx": "active"}},
    ],
    "balancer": {
        "algorithm": "roundrobin",
        "mode": "active-active",
        "persistence": "none",
        "drained": [],
        "servers": [{"name": "web1", "status": "UP", "weight": 100}],
    },
    "database": {
        "primary": "web1",
        "durability": "async",
        "servers": [
            {"name": "web1", "role": "primary", "writable": True, "replicating": False, "lag_s": None},
            {"name": "web2", "role": "replica", "writable": False, "replicating": True, "lag_s": 2},
        ],
    },
    "running": "",
    "faults": [],
    "errors": [],
}


def test_a_healthy_lab_shows_no_red() -> None:
    """Green words only, and no advice."""
    text = status.table(HEALTHY, colour=True)
    assert status.RED not in text and "next" not in text
    assert "replica, read-only, 2 s behind" in text


def test_what_is_wrong_is_red_and_followed_by_a_command() -> None:
    """A stopped service, a server DOWN, a replica that does not replicate, a machine that is off."""
    broken = {
        **HEALTHY,
        "site": {**HEALTHY["site"], "ok": False},
        "nodes": [
            {**HEALTHY["nodes"][1], "services": {"nginx": "failed"}},
            {**HEALTHY["nodes"][1], "name": "web2", "state": "off", "services": None},
        ],
        "balancer": {**HEALTHY["balancer"], "servers": [{"name": "web1", "status": "DOWN", "weight": 100}]},
        "database": {
            **HEALTHY["database"],
            "servers": [{**HEALTHY["database"]["servers"][1], "replicating": False, "lag_s": None}],
        },
        "errors": ["web2: the machine is off"],
    }
    text = status.table(broken, colour=True)
    replica = "replica, read-only, not replicating"
    for word in ("does not answer", "failed", "DOWN", replica, "web2: the machine is off"):
        assert any(word in line and status.RED in line for line in text.splitlines()), word
    assert "invoke lab.up" in text.splitlines()[-1]


def test_without_a_terminal_there_is_no_colour() -> None:
    """Pipes and files get plain words."""
    assert "\x1b" not in status.table(HEALTHY, colour=False)


def test_parts_that_could_not_be_asked_are_left_out() -> None:
    """null in the data; the reason is among the errors."""
    text = status.table({**HEALTHY, "balancer": None, "database": None, "errors": ["lb1: off"]}, colour=False)
    assert "balancer" not in text and "wrong     lb1: off" in text


def node(**changed: Any) -> dict[str, Any]:
    """The healthy lab with its second machine like this."""
    return {"nodes": [HEALTHY["nodes"][0], {**HEALTHY["nodes"][1], **changed}]}


NOBODY = "nobody takes writes, and MySQL on web1 does not answer; next: invoke db.promote web2"
NOT_REPLICATING = {**HEALTHY["database"]["servers"][1], "replicating": False, "lag_s": None}


@pytest.mark.parametrize(
    ("changed", "command"),
    [
        (node(state="off", services=None), "invoke lab.up"),
        (node(state="absent", services=None), "invoke lab.up"),
        (node(state="unreachable", services={}), "invoke lab.up"),
        ({**node(services=None), "errors": ["no lab is up in this checkout"]}, "invoke lab.up"),
        (node(services={"nginx": "failed"}), "invoke lab.provision"),
        (node(services={"nginx": "inactive"}), "invoke lab.provision"),
        ({"database": {**HEALTHY["database"], "servers": [NOT_REPLICATING]}}, "invoke lab.provision"),
        ({"database": None, "errors": ["database: MySQL on web1 can't be asked"]}, "invoke lab.provision"),
        ({"site": {"url": "http://192.168.56.10/", "ok": False}}, "invoke lab.provision"),
    ],
)
def test_the_next_command_is_the_one_that_helps(changed: dict[str, Any], command: str) -> None:
    """lab.up where a machine does not run or was not asked, lab.provision where all of them do."""
    last = status.table({**HEALTHY, **changed}, colour=False).splitlines()[-1]
    assert last.startswith(f"next      {command} ")


def test_a_dead_primary_is_followed_by_the_promotion_and_nothing_else() -> None:
    """lab.up would repair it too, later; with a fault its healing is named beside it."""
    dead = {**HEALTHY, **node(state="off", services=None), "errors": [f"database: {NOBODY}"]}
    last = status.table(dead, colour=False).splitlines()[-1]
    assert last == "next      invoke db.promote web2"
    dead["faults"] = [{"id": "web1-power-off"}]
    lines = status.table(dead, colour=False).splitlines()[-2:]
    assert lines == [f"{last} (as an operator would)", "or        invoke fault.heal (undoes the exercise)"]


def test_a_network_that_is_cut_is_healed_before_anything_else() -> None:
    """lab.provision alone would wait for a replica that can't connect."""
    cut = "0 primaries, there should be 1; next: heal the network between web2 and web1, then invoke lab.provision"
    last = status.table({**HEALTHY, "errors": [f"database: {cut}"]}, colour=False).splitlines()[-1]
    assert last == f"next      {cut.partition('next: ')[2]}"


def test_status_remembers_the_primary_and_tells_a_lowered_durability(monkeypatch: pytest.MonkeyPatch) -> None:
    """web1 is off and web2 was promoted: in the data, with the command that comes next."""
    last_seen.degrade("web2")
    known = {"web2": NodeFacts({}, None, PROMOTED)}
    monkeypatch.setattr(vm_power, "states", lambda lab: {"lb1": "running", "web1": "off", "web2": "running"})
    monkeypatch.setattr(site, "healthy", lambda _: True)
    monkeypatch.setattr(lock, "running", str)
    monkeypatch.setattr(status, "_ask", lambda *_: known)
    now = status.collect(LAB)
    assert now["database"]["primary"] == "web2"
    assert now["database"]["durability"] == "available (degraded by promote)"
    assert status.table(now, colour=False).splitlines()[-1] == "next      invoke db.rejoin web1"
    seen = last_seen.recall()
    assert seen is not None and seen.node == "web2"


def test_a_state_that_the_interface_does_not_name_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts know five words; the hypervisor's own stands among the errors."""
    monkeypatch.setattr(vm_power, "states", lambda lab: {"lb1": "running", "web1": "pmsuspended", "web2": "off"})
    monkeypatch.setattr(site, "healthy", lambda _: True)
    monkeypatch.setattr(status, "_ask", lambda *_: {})
    now = status.collect(LAB)
    assert [it["state"] for it in now["nodes"]] == ["running", "unreachable", "off"]
    assert "web1: the machine is pmsuspended" in now["errors"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            CommandFailed("host", "virsh list --all", 1, "error: failed to connect to the hypervisor"),
            "host: a command failed: error: failed to connect to the hypervisor; next: invoke lab.up",
        ),
        (
            InfrastructureBroken("host: the program virsh is not installed"),
            "host: the program virsh is not installed; next: invoke lab.up",
        ),
    ],
)
def test_a_hypervisor_that_does_not_answer_is_a_status_too(
    monkeypatch: pytest.MonkeyPatch, error: InfrastructureBroken, line: str
) -> None:
    """After a reboot of the hosting machine the lab still exists: no node is asked, the site is not ok."""

    def states(_: Lab) -> dict[str, str]:
        raise error

    monkeypatch.setattr(vm_power, "states", states)
    monkeypatch.setattr(site, "healthy", lambda _: pytest.fail("the site was asked"))
    now = status.collect(LAB)
    assert [it["state"] for it in now["nodes"]] == ["unreachable"] * 3
    assert line in now["errors"] and now["site"]["ok"] is False
    assert now["balancer"] is None and now["database"] is None


def test_where_no_lab_exists_there_is_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented exit code 3."""

    def states(_: Lab) -> dict[str, str]:
        raise LabNotUp("no lab exists in this checkout")

    monkeypatch.setattr(vm_power, "states", states)
    with pytest.raises(LabNotUp):
        status.collect(LAB)


def test_a_protection_that_is_missing_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a negative control runs, and after one that was killed; a converge puts it back."""
    monkeypatch.setattr(vm_power, "states", lambda lab: {node.name: "running" for node in lab.nodes})
    monkeypatch.setattr(site, "healthy", lambda _: True)
    monkeypatch.setattr(status, "_ask", lambda *_: {})
    monkeypatch.setattr(choices, "load", lambda: Choices(without=("retries", "unique-key")))
    errors = status.collect(LAB)["errors"]
    names = [it.split(":")[0] for it in errors[:2]]
    assert names == ["the lab runs without retries", "the lab runs without unique-key"]
    text = status.table({**HEALTHY, "errors": errors[:1]}, colour=True)
    assert any("without retries" in line and status.RED in line for line in text.splitlines())
    assert text.splitlines()[-1].startswith("next      invoke lab.provision ")


@pytest.mark.parametrize(("word", "ok"), [("UP", True), ("UP 1/3", True), ("DOWN", False)])
def test_a_site_that_came_back_meanwhile_answers(word: str, ok: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again where HAProxy says that a server is UP: 'does not answer' beside 'UP' helps nobody."""
    answers = iter([False, True])
    monkeypatch.setattr(vm_power, "states", lambda lab: {node.name: "running" for node in lab.nodes})
    monkeypatch.setattr(site, "healthy", lambda lab: next(answers))
    servers = [Server("web", "web1", word, 100, "L7OK")]
    monkeypatch.setattr(status, "_ask", lambda *_: {"lb1": NodeFacts({}, servers, None)})
    assert status.collect(LAB)["site"]["ok"] is ok


def test_what_nobody_can_say_is_not_known() -> None:
    """The primary is gone: how durable commits are, and how far the replica is behind, is told by nobody."""
    servers = [{**HEALTHY["database"]["servers"][1], "lag_s": 0, "replicating": True}]
    gone = {"primary": None, "durability": None, "servers": servers}
    text = status.table({**HEALTHY, "database": gone}, colour=False)
    assert "durability unknown" in text and "None" not in text
    assert "0 s behind" not in text and "its source does not answer" in text


def test_the_site_is_asked_while_the_nodes_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both wait for each other here: one after the other they would never meet."""
    meeting = threading.Barrier(2, timeout=5)

    def meet(answer: object) -> object:
        meeting.wait()
        return answer

    monkeypatch.setattr(vm_power, "states", lambda lab: {node.name: "running" for node in lab.nodes})
    monkeypatch.setattr(site, "healthy", lambda _: meet(True))
    monkeypatch.setattr(status, "_ask", lambda *_: meet({}))
    assert status.collect(LAB)["site"]["ok"] is True
