"""Machines are brought up from any state."""

from typing import Any

import pytest

from lab import hypervisor, lifecycle, topology

LAB = topology.load()


class Vagrant:
    """Notes what it is asked to start."""

    def __init__(self, done: list[str]) -> None:
        self.done = done

    def up(self, **_: Any) -> None:
        """Stands in for Vagrant.up."""
        self.done.append("vagrant up")


def test_a_stuck_machine_is_powered_off_before_vagrant_starts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It can't be started in that state; one that was saved goes on where it was."""
    done: list[str] = []
    monkeypatch.setattr(hypervisor, "states", lambda lab: {"lb1": "running", "web1": "pmsuspended", "web2": "saved"})
    monkeypatch.setattr(hypervisor, "make_off", lambda lab, node: done.append(f"{node.name} off"))
    monkeypatch.setattr(hypervisor, "provider", lambda: "libvirt")
    monkeypatch.setattr(lifecycle, "vagrant_here", lambda: Vagrant(done))
    monkeypatch.setattr(lifecycle, "write_ssh_config", lambda lab: None)
    lifecycle.boot(LAB)
    assert done == ["web1 off", "vagrant up"]
