"""Faults of a whole machine: healed once it and all its services run."""

from typing import Any

import pytest

from lab import topology
from lab.injection import machine
from lab.injection.machine import MACHINE
from lab.nodes import lifecycle, vm_power
from lab.nodes.facts import NodeFacts

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
