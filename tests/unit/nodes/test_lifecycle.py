"""Machines are brought up from any state."""

from pathlib import Path
from typing import Any

import pytest

from lab import topology
from lab.nodes import lifecycle, vm_power

LAB = topology.load()


class Vagrant:
    """Records which machines it is asked to start."""

    def __init__(self, done: list[str]) -> None:
        self.done = done

    def up(self, **_: Any) -> None:
        """Replaces Vagrant.up."""
        self.done.append("vagrant up")

    def say(self, words: list[str]) -> str:
        """Replaces `vagrant ssh-config`: the current address of these nodes."""
        return "\n".join(f"Host {name}\n  HostName now" for name in words[1:])


def test_a_stuck_machine_is_powered_off_before_vagrant_starts_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It can't be started in that state; a saved machine resumes where it was."""
    done: list[str] = []
    monkeypatch.setattr(vm_power, "states", lambda lab: {"lb1": "running", "web1": "pmsuspended", "web2": "saved"})
    monkeypatch.setattr(vm_power, "make_off", lambda lab, node: done.append(f"{node.name} off"))
    monkeypatch.setattr(vm_power, "provider", lambda: "libvirt")
    monkeypatch.setattr(lifecycle, "vagrant_here", lambda: Vagrant(done))
    monkeypatch.setattr(lifecycle, "write_ssh_config", lambda lab: None)
    monkeypatch.setattr(lifecycle, "SSH_CONFIG", tmp_path / "ssh-config")
    lifecycle.boot(LAB)
    assert done == ["web1 off", "vagrant up"]


def test_a_boot_that_was_interrupted_leaves_no_address_of_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The machine runs then, so it is not booted again, but its address must still be asked for."""
    states = {"lb1": "running", "web1": "running", "web2": "absent"}
    vagrant, config = Vagrant([]), tmp_path / "ssh-config"
    config.write_text("\n".join(f"Host {name}\n  HostName before" for name in states), encoding="utf-8")
    monkeypatch.setattr(lifecycle, "SSH_CONFIG", config)
    monkeypatch.setattr(vm_power, "states", lambda lab: states)
    monkeypatch.setattr(vm_power, "provider", lambda: "libvirt")
    monkeypatch.setattr(lifecycle, "vagrant_here", lambda: vagrant)

    def interrupted(**_: Any) -> None:
        states["web2"] = "running"
        raise KeyboardInterrupt

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(vagrant, "up", interrupted)
        lifecycle.boot(LAB)
    lifecycle.boot(LAB)
    assert config.read_text(encoding="utf-8").count("HostName now") == 3
    config.write_text("", encoding="utf-8")
    lifecycle.boot(LAB)
    assert "Host web2" in config.read_text(encoding="utf-8") and vagrant.done == []
