"""A node that left lab.yml: nothing is sent to it any more before its machine is removed. Machines are simulated."""

import time
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from lab import topology
from lab.errors import CheckFailed, InfrastructureBroken, TimedOut
from lab.mysql import last_seen
from lab.nodes import haproxy, lifecycle, vm_power
from lab.nodes.haproxy import BalancerNow, ServerNow
from lab.operations import converge, membership
from lab.operations.converge import Outcome
from lab.state import choices
from lab.topology import Lab, Node
from tests.support.pairs import OPEN
from tests.unit.conftest import Stored

LAB = topology.load()
FOUR = topology.load(topology.ROOT / "docs" / "topologies" / "four.yml")


@dataclass
class Double:
    """A connection that asks nothing."""

    node: Node


@dataclass
class World:
    """Machines of four nodes; HAProxy serves three. `open`: requests that web3 still works on, one ends a look.

    `status`: of servers that are not UP, by name. `fails`: what ends the converge.
    """

    strangers: list[str] = field(default_factory=lambda: ["web3"])
    served: list[str] = field(default_factory=lambda: ["web1", "web2", "web3"])
    open: int = 2
    made: str = "running"
    status: dict[str, str] = field(default_factory=dict)
    fails: BaseException | None = None
    events: list[str] = field(default_factory=list)

    def take_out(self, machine: Double, names: list[str]) -> None:
        """Stands in for haproxy.take_out."""
        self.events.append(f"{machine.node.name} sends nothing to {' '.join(names)}")

    def put_back(self, machine: Double, names: list[str]) -> None:
        """Stands in for haproxy.put_back."""
        self.events.append(f"{machine.node.name} sends requests to {' '.join(names)} again")

    def under_way(self, machine: Double, names: list[str]) -> int:
        """Stands in for haproxy.under_way."""
        self.open -= 1
        return self.open

    def converge(self, lab: Lab, roles: Any, only: list[str]) -> Outcome:
        """Stands in for converge.everything."""
        webs = " ".join(node.name for node in lab.having("web"))
        if self.fails:
            raise self.fails
        self.events.append(f"{' '.join(only)} with {webs}, {self.open} requests open")
        return Outcome([], {}, [])

    def ask(self, machine: Double) -> BalancerNow:
        """Stands in for haproxy.ask."""
        if not self.served:
            raise InfrastructureBroken("HAProxy does not answer on its socket")
        servers = [ServerNow(it, self.status.get(it, "UP"), 100, False, 0, 9) for it in self.served]
        return BalancerNow(9, "roundrobin", "", tuple(servers))


@pytest.fixture
def world(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> World:
    """A lab that lost web3 by an edit of lab.yml, and whose databases are on record."""
    it = World()
    membership.keep(LAB)
    monkeypatch.setattr(vm_power, "strangers", lambda lab: it.strangers)
    monkeypatch.setattr(vm_power, "states", lambda lab: {node.name: it.made for node in lab.nodes})
    monkeypatch.setattr(lifecycle, "running", lambda lab, role: [Double(node) for node in lab.having(role)])
    for name in ("take_out", "put_back", "under_way", "ask"):
        monkeypatch.setattr(haproxy, name, getattr(it, name))
    monkeypatch.setattr(converge, "everything", it.converge)
    return it


def test_a_server_that_leaves_ends_its_requests_before_haproxy_forgets_it(world: World) -> None:
    """No new ones come; then HAProxy's file is written without it."""
    membership.let_go(LAB, {})
    assert world.events == ["lb1 sends nothing to web3", "balancer with web1 web2, 0 requests open"]


def test_a_server_that_comes_at_the_same_time_does_not_enter_yet(world: World) -> None:
    """Its machine is not there: it enters with the converge that makes it ready."""
    web4 = replace(FOUR.node("web3"), name="web4", ip=IPv4Address("192.168.56.14"))
    membership.let_go(replace(LAB, nodes=(*LAB.nodes, web4)), {})
    assert world.events[-1] == "balancer with web1 web2, 0 requests open"


@pytest.mark.parametrize(
    "change", [{"strangers": []}, {"served": []}, {"served": ["web1", "web2"]}], ids=["none left", "no HAProxy", "out"]
)
def test_nothing_is_done_where_nothing_is_sent_to_it(world: World, change: dict[str, Any]) -> None:
    """No machine is left over, HAProxy does not run, or it does not know that server."""
    for name, value in change.items():
        setattr(world, name, value)
    membership.let_go(LAB, {})
    assert world.events == []


def test_a_host_without_a_hypervisor_has_no_machine_left_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab was never made, or the host was started anew."""

    def fail(lab: Lab) -> list[str]:
        raise InfrastructureBroken("virsh: failed to connect")

    monkeypatch.setattr(vm_power, "strangers", fail)
    membership.let_go(LAB, {})
    assert (world.events, membership.left_over(LAB)) == ([], [])


def test_a_request_that_does_not_end_stops_the_removal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its visitor would get no answer; the server serves on, for lab.yml may get it back."""
    monkeypatch.setattr(membership, "ENDS_S", 0.0)
    world.open = 9
    with pytest.raises(TimedOut, match="web3 works on no request"):
        membership.let_go(LAB, {})
    assert world.events == ["lb1 sends nothing to web3", "lb1 sends requests to web3 again"]


@pytest.mark.parametrize("end", [KeyboardInterrupt(), CheckFailed("the disk of lb1 is full")], ids=["Ctrl-C", "error"])
def test_a_server_gets_its_requests_back_where_haproxys_file_was_not_changed(world: World, end: BaseException) -> None:
    """Else it would stay in MAINT after lab.yml got it back: its file is unchanged, so HAProxy does not reload."""
    world.fails = end
    with pytest.raises(type(end)):
        membership.let_go(LAB, {})
    assert world.events == ["lb1 sends nothing to web3", "lb1 sends requests to web3 again"]


OTHERS: dict[str, tuple[dict[str, str], list[str]]] = {
    "new in lab.yml": ({}, []),
    "down": ({"web1": "DOWN", "web2": "DOWN 1/2"}, []),
    "in maintenance": ({"web1": "MAINT", "web2": "MAINT"}, []),
    "drained": ({"web2": "DOWN"}, ["web1"]),
}


@pytest.mark.parametrize(("status", "drained"), OTHERS.values(), ids=OTHERS)
def test_the_last_servers_that_take_requests_stay(world: World, status: dict[str, str], drained: list[str]) -> None:
    """The new ones enter at the end: until then every visitor would get 503."""
    lab, world.status = LAB, status
    choices.save(drained=drained)
    if not status:
        nodes = (LAB.node("lb1"), *(replace(LAB.node(it), name=f"new-{it}") for it in ("web1", "web2")))
        lab, world.strangers = replace(LAB, nodes=nodes), ["web1", "web2", "web3"]
        membership.DATABASES.write_text("")
    with pytest.raises(CheckFailed, match="no server would take requests") as caught:
        membership.let_go(lab, {})
    assert "invoke lab.up" in caught.value.hint and world.events == []


def test_a_server_that_takes_no_requests_can_leave_a_site_that_is_down(world: World) -> None:
    """lab.up repairs the others."""
    world.status = {"web1": "DOWN", "web2": "DOWN", "web3": "DOWN"}
    membership.let_go(LAB, {})
    assert world.events[-1] == "balancer with web1 web2, 0 requests open"


FIVE = topology.load(topology.ROOT / "docs" / "topologies" / "five.yml")
ONE = replace(LAB, nodes=tuple(node for node in LAB.nodes if node.name != "web2"))


def refused(lab: Lab, named: str) -> None:
    """That lab.up and lab.provision refuse this lab.yml, naming a machine and the way out."""
    with pytest.raises(CheckFailed, match=f"no database on {named}, which may hold notes") as caught:
        membership.must_keep_the_data(lab)
    assert "invoke lab.destroy" in caught.value.hint and "back into lab.yml" in caught.value.hint
    with pytest.raises(CheckFailed, match=named):
        membership.let_go(lab, {})


def test_a_database_that_left_lab_yml_is_not_removed(world: World) -> None:
    """Nothing is remembered of a primary; a replica's removal would make durable writes wait for ever."""
    world.strangers = ["web2"]
    refused(ONE, "web2")
    assert world.events == []


def test_a_database_that_is_only_a_web_server_now_keeps_its_notes(world: World) -> None:
    """The databases of lab.yml would begin with none; a machine that does not exist has none to keep."""
    world.strangers = []
    refused(FIVE, "web1, web2")
    world.made = "absent"
    membership.let_go(FIVE, {})


def test_machines_that_cannot_be_asked_for_count_as_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host was started anew: lab.up starts the hypervisor, and then would remove them."""

    def fail(lab: Lab) -> dict[str, str]:
        raise InfrastructureBroken("virsh: failed to connect")

    last_seen.remember(time.time(), [OPEN])
    last_seen.OPENING.write_text("damaged")
    monkeypatch.setattr(vm_power, "states", fail)
    refused(ONE, "web2")
    membership.must_keep_the_data(LAB)


def test_without_a_record_the_server_that_a_promotion_began_to_open_is_a_database(world: World) -> None:
    """Ctrl-C before it was observed: the primary on record is still the old one."""
    membership.DATABASES.unlink()
    last_seen.remember(time.time() - 9, [OPEN])
    last_seen.opening("web2", "")
    world.strangers = ["web2"]
    refused(ONE, "web2")
    world.strangers = []
    refused(FIVE, "web1, web2")


def test_without_a_record_a_machine_that_left_lab_yml_may_be_a_database(world: World) -> None:
    """Put back and written down, it may leave."""
    membership.DATABASES.unlink()
    refused(LAB, "web3")
    membership.keep(FOUR)
    membership.let_go(LAB, {})
    assert world.events[-1] == "balancer with web1 web2, 0 requests open"


def test_what_is_left_over_is_told_with_the_command_that_removes_it(world: World) -> None:
    """Status shows it."""
    (line,) = membership.left_over(LAB)
    assert "web3 is still there" in line and "next: invoke lab.up" in line


def test_haproxy_is_compared_with_lab_yml() -> None:
    """A server may be missing there, or be one too many."""
    assert membership.unlike(LAB, ["web1", "web2"]) == []
    assert membership.unlike(FOUR, ["web1", "web2"]) == ["HAProxy does not have web3"]
    assert membership.unlike(LAB, ["web1", "web2", "web3"]) == ["HAProxy has web3, which lab.yml does not have"]
