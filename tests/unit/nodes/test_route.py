"""Packets for the lab stay on this machine, whatever its routes are."""

import json
import socket
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from host import names
from lab import process, topology
from lab.errors import BadInput, LabNotUp
from lab.nodes import route
from lab.process import Finished
from loadtests.target_guard import TargetGuard

LAB = topology.load()
BALANCER = "192.168.56.10"


def starts_from(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Make this machine's routes to the lab use this source address."""
    monkeypatch.setattr(route, "_source", lambda _: IPv4Address(source))


def uplink(monkeypatch: pytest.MonkeyPatch, folder: Path, *, there: bool, device: str = "") -> list[Sequence[str]]:
    """Give the private hypervisor an uplink or none, let `ip` name `device`; return the commands that were run."""
    commands: list[Sequence[str]] = []

    def run(argv: Sequence[str], **_: object) -> Finished:
        commands.append(argv)
        return Finished(0, json.dumps([{"dst": BALANCER, "dev": device}]))

    file = folder / route.UPLINK
    if there:
        file.touch()
    monkeypatch.setattr(route, "UPLINK_FILE", file)
    monkeypatch.setattr(process, "run", run)
    return commands


@pytest.mark.parametrize(
    "source",
    [
        "192.0.2.2",  # the default gateway, a policy table, or a VPN's 0.0.0.0/1
        "10.66.0.2",  # a default route without a gateway: PPP, WireGuard
        "192.168.56.7",  # another network of the same range, of which this machine is only a member
    ],
)
def test_no_packet_for_the_lab_leaves_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str) -> None:
    """Whatever the route, also without `ip` to ask: the lab is not up."""
    starts_from(monkeypatch, source)
    assert uplink(monkeypatch, tmp_path, there=False) == []
    with pytest.raises(LabNotUp, match=source):
        route.guard(LAB, BALANCER)
    assert isinstance(TargetGuard(LAB).lost(f"http://{BALANCER}"), LabNotUp)


def test_the_way_past_the_uplink_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The private hypervisor exists, but the route to the lab does not use it."""
    starts_from(monkeypatch, "192.0.2.2")
    uplink(monkeypatch, tmp_path, there=True, device="eth0")
    with pytest.raises(LabNotUp, match=r"invoke lab\.up"):
        route.guard(LAB, BALANCER)


def test_no_way_at_all_is_a_lab_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last-resort routes make the lab's addresses unreachable."""

    def connect(*_: object) -> None:
        raise OSError(113, "No route to host")

    monkeypatch.setattr("socket.socket.connect", connect)
    with pytest.raises(LabNotUp, match="no route to it"):
        route.guard(LAB, BALANCER)


def test_a_bridge_of_the_lab_is_known_without_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """libvirt's bridge, VirtualBox's adapter: this machine's own address shows it, on every system."""
    starts_from(monkeypatch, "192.168.56.1")
    commands = uplink(monkeypatch, tmp_path, there=True, device="eth0")
    assert TargetGuard(LAB).lost(f"http://{BALANCER}") is None
    assert TargetGuard(LAB).lost(f"http://{BALANCER}:8404") is None
    assert commands == []


def test_the_private_hypervisor_is_reached_by_its_uplink(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever small network the link was given."""
    starts_from(monkeypatch, "10.200.0.1")
    uplink(monkeypatch, tmp_path, there=True, device=names.UPLINK_OUTSIDE)
    route.guard(LAB, BALANCER)


def test_asking_sends_nothing() -> None:
    """A real socket, a real route: no packet arrives at the address."""
    here = replace(LAB, network=IPv4Network("127.0.0.0/8"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(route, "ANY_PORT", listener.getsockname()[1])
            route.guard(here, "127.0.0.1")
        with pytest.raises(TimeoutError):
            listener.recv(1)


def test_an_address_outside_the_lab_is_not_even_asked_for() -> None:
    """It is wrong input, whatever the routes are."""
    with pytest.raises(BadInput):
        route.guard(LAB, "192.0.2.2")
