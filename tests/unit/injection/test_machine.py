"""Faults of a whole machine: healed once it and all its services run."""

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lab import topology
from lab.injection import machine
from lab.injection.machine import MACHINE
from lab.nodes import lifecycle, ssh, vm_power
from lab.nodes.facts import NodeFacts
from lab.nodes.ssh import Machine

LAB = topology.load()


class Double:
    """A connection to web1."""

    node = LAB.node("web1")

    def close(self) -> None:
        """Its connection is gone."""


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations on the machine, in order; nginx takes a moment to start."""
    events: list[str] = []
    states = iter(["activating", "active"])

    def asks(_: object) -> NodeFacts:
        state = next(states)
        events.append(state)
        return NodeFacts({"nginx": state}, None, None)

    monkeypatch.setattr(vm_power, "states", lambda lab: {"web1": "off"})
    for name in ("power_on", "power_off", "resume", "pause"):
        monkeypatch.setattr(vm_power, name, lambda node, name=name: events.append(name))
    monkeypatch.setattr(lifecycle, "answering", lambda web1: events.append("answers"))
    monkeypatch.setattr(machine, "ask", asks)
    monkeypatch.setattr("lab.wait.pause", lambda seconds: None)
    return events


@pytest.mark.parametrize("kind", ["power-off", "shutdown", "power-button"])
def test_a_machine_that_is_off_is_healed_when_all_its_services_run(done: list[str], kind: str) -> None:
    """Not when it only answers."""
    web1: Any = Double()
    MACHINE[kind](LAB, web1).heal()
    assert done == ["power_on", "answers", "activating", "active"]


def test_a_kernel_that_stops_during_a_handshake_is_noticed_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts the connection, says nothing, and is gone: no handshake of 25 s is waited for."""
    server = socket.create_server(("127.0.0.1", 0))
    config = tmp_path / "ssh-config"
    config.write_text(f"Host web1\n HostName 127.0.0.1\n Port {server.getsockname()[1]}\n", encoding="utf-8")
    monkeypatch.setattr(ssh, "SSH_CONFIG", config)
    held: list[object] = []  # what was accepted stays open, as with a kernel that stopped

    def press(_: object) -> None:
        threading.Thread(target=lambda: held.append(server.accept()), daemon=True).start()
        threading.Timer(0.5, server.close).start()

    monkeypatch.setattr(vm_power, "press_power_button", press)
    fault = MACHINE["power-button"](LAB, Machine(LAB.node("web1")))
    began = time.monotonic()
    fault.prepare()()
    assert 0.4 < time.monotonic() - began < 5
