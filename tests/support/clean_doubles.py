"""A lab on libvirt whose clean snapshot is taken and put back, for the tests of lab.operations.clean_snapshot."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from fabfile.roles import ROLES
from lab import topology
from lab.desired.target import Roles
from lab.errors import CheckFailed
from lab.mysql.server_state import Database
from lab.nodes import lifecycle, vm_power
from lab.nodes.ssh import Answer
from lab.operations import clean_snapshot, converge, snapshots
from lab.operations.converge import Outcome
from lab.state import choices, credentials
from lab.state.choices import Choices
from lab.topology import Lab, Node
from tests.support.pairs import OPEN, REPLICA

LAB = topology.load()
CONVERGED = ["put back", "converge", "healthy", "take"]
SYSTEMS = {node.name: 'ID=debian\nVERSION_ID="13"\n' for node in LAB.nodes}


class Host:
    """A lab with its choices and snapshots; `events` are in the order they happened.

    `off`: the machines in another state, by name.
    `written`: what visitors wrote so far, `meanwhile`: and write while a snapshot is taken or put back.
    """

    def __init__(self) -> None:
        self.chosen: dict[str, Any] = {}
        self.names: list[str] = []
        self.events: list[str] = []
        self.interrupt: Callable[[], None] = lambda: None
        self.meanwhile = 0
        self.power = "absent"
        self.off: dict[str, str] = {}
        self.written = 0
        self.primary: Database | None = OPEN
        self.restored: list[str] = []

    def take(self, lab: Lab, name: str) -> None:
        """Stands in for snapshots.take."""
        self.events.append("take")
        self.names = [name]
        self.written += self.meanwhile
        self.interrupt()

    def restore(self, lab: Lab, name: str, repair: Callable[[], object] = lambda: None) -> None:
        """Stands in for lab.operations.restore.restore."""
        self.events.append("put back")
        self.restored = [node.name for node in lab.nodes]
        self.written = self.meanwhile
        repair()
        self.events.append("healthy")

    def converge(self, lab: Lab, roles: Roles) -> Outcome:
        """Stands in for converge.everything."""
        self.events.append("converge")
        return Outcome(["a change"], {node.name: SYSTEMS["web1"] for node in lab.nodes}, [])

    def forget(self, keep: Collection[str]) -> None:
        """Stands in for choices.forget."""
        self.chosen = {name: value for name, value in self.chosen.items() if name in keep}


class Double:
    """The way to a database's node."""

    def __init__(self, host: Host, node: Node) -> None:
        self.host, self.node = host, node

    def script(self, text: str, *, title: str) -> Answer:
        """How much visitors wrote, by the first database."""
        assert "site.notes" in text and "site.repeats" in text and self.node.name == "web1"
        return Answer(0, f"{self.host.written}\n", "")

    def sql(self, text: str, title: str) -> None:
        """Stands in for mysql_cli.sql."""
        assert text == clean_snapshot.EMPTY and self.node.name == "web1"
        self.host.events.append("delete")
        self.host.written = 0


def states(host: Host, lab: Lab) -> dict[str, str]:
    """Stands in for vm_power.states; `host.off` has the machines that are in another state than the others."""
    return {node.name: host.off.get(node.name, host.power) for node in lab.nodes}


def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A lab on libvirt that was just made."""
    it = Host()
    monkeypatch.setattr(clean_snapshot, "RECORD", tmp_path / "clean.yml")
    monkeypatch.setattr(vm_power, "FOUND", tmp_path / "vagrant.yml")
    (tmp_path / "vagrant.yml").write_text("provider: libvirt\nbox: weblab/debian-13-123456789abc\n")
    monkeypatch.setattr(snapshots, "names", lambda lab: it.names)
    monkeypatch.setattr(snapshots, "take", it.take)
    monkeypatch.setattr(snapshots, "lacking", lambda lab, name: [] if it.names else ["web3"])
    monkeypatch.setattr(vm_power, "states", lambda lab: states(it, lab))
    monkeypatch.setattr(lifecycle, "running", lambda lab, role: [Double(it, node) for node in lab.having(role)])
    monkeypatch.setattr(
        clean_snapshot,
        "databases_of",
        lambda machines: {
            machine.node.name: it.primary if machine.node.name == "web1" else REPLICA for machine in machines
        },
    )
    monkeypatch.setattr(clean_snapshot, "sql", Double.sql)
    monkeypatch.setattr(clean_snapshot, "restore", it.restore)
    monkeypatch.setattr(converge, "everything", it.converge)
    monkeypatch.setattr(choices, "load", lambda: Choices(**it.chosen))
    monkeypatch.setattr(choices, "forget", it.forget)
    monkeypatch.setattr(credentials, "passwords", lambda names: dict.fromkeys(names, "secret"))
    clean_snapshot.begin(LAB)
    it.power = "running"
    return it


def refusal() -> str:
    """What lab.reset says."""
    with pytest.raises(CheckFailed) as caught:
        clean_snapshot.reset(LAB, ROLES)
    assert caught.value.hint == "make the lab anew: invoke lab.destroy lab.up"
    return caught.value.what
