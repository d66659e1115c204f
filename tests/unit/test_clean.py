"""The clean snapshot: taken when, of what, and when it is brought up to date."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from fabfile import clean, converge
from fabfile.converge import Outcome
from lab import choices, credentials, hypervisor, snapshots, topology
from lab.errors import CheckFailed
from lab.topology import Lab

LAB = topology.load()
SYSTEMS = {node.name: 'ID=debian\nVERSION_ID="13"\n' for node in LAB.nodes}


class Host:
    """A lab with its choices and snapshots; `events` are in the order they happened."""

    def __init__(self) -> None:
        self.chosen: dict[str, Any] = {}
        self.names: list[str] = []
        self.events: list[str] = []
        self.interrupt: Callable[[], None] = lambda: None

    def take(self, lab: Lab, name: str) -> None:
        """Stands in for snapshots.take."""
        self.events.append("take")
        self.names = [name]
        self.interrupt()

    def restore(self, lab: Lab, name: str) -> None:
        """Stands in for lab.restore.restore."""
        self.events.append("restore")

    def converge(self, lab: Lab) -> Outcome:
        """Stands in for converge.everything."""
        self.events.append("converge")
        return Outcome(["a change"], SYSTEMS, [])

    def forget(self, kept: Collection[str]) -> None:
        """Stands in for choices.forget."""
        self.chosen = {name: value for name, value in self.chosen.items() if name in kept}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A lab on libvirt that was just made."""
    it = Host()
    monkeypatch.setattr(clean, "RECORD", tmp_path / "clean.yml")
    monkeypatch.setattr(hypervisor, "FOUND", tmp_path / "vagrant.yml")
    (tmp_path / "vagrant.yml").write_text("provider: libvirt\nbox: weblab/debian-13-123456789abc\n")
    monkeypatch.setattr(snapshots, "names", lambda lab: it.names)
    monkeypatch.setattr(snapshots, "take", it.take)
    monkeypatch.setattr(clean, "restore", it.restore)
    monkeypatch.setattr(converge, "everything", it.converge)
    monkeypatch.setattr(choices, "load", lambda: dict(it.chosen))
    monkeypatch.setattr(choices, "forget", it.forget)
    monkeypatch.setattr(credentials, "passwords", lambda names: dict.fromkeys(names, "secret"))
    return it


def test_a_clean_lab_comes_back_without_a_converge(host: Host) -> None:
    """The snapshot is of the configuration that is wanted: nothing else is to do."""
    clean.keep(LAB, SYSTEMS)
    assert clean.reset(LAB) == []
    assert host.events == ["take", "restore"]


def test_a_snapshot_is_taken_once(host: Host) -> None:
    """lab.up on a lab in use does not keep it as clean."""
    clean.keep(LAB, SYSTEMS)
    clean.keep(LAB, SYSTEMS)
    assert host.events == ["take"]


@pytest.mark.parametrize("chosen", [{"durability": "async"}, {"algorithm": "leastconn"}, {"later": 1}], ids=str)
def test_a_snapshot_taken_under_choices_is_converged(host: Host, chosen: Mapping[str, Any]) -> None:
    """Choices survive lab.destroy, so the next lab is made with them; reset means without."""
    host.chosen = {"provider": "libvirt", "box": "local", **chosen}
    clean.keep(LAB, SYSTEMS)
    assert clean.reset(LAB) == ["a change"]
    assert host.events == ["take", "restore", "converge", "take"]
    assert host.chosen == {"provider": "libvirt", "box": "local"}
    assert clean.reset(LAB) == [], "the second snapshot is of a lab without choices"


def test_choosing_what_holds_anyway_or_a_machine_is_no_other_configuration(host: Host) -> None:
    """durable is the default; provider and box say what the machines are."""
    host.chosen = {"provider": "libvirt", "box": "local", "durability": "durable"}
    clean.keep(LAB, SYSTEMS)
    assert clean.reset(LAB) == []


def test_another_box_is_another_configuration(host: Host) -> None:
    """A snapshot of the old one's packages would not be how the lab is made today."""
    before = clean.configuration(LAB, SYSTEMS, {})
    hypervisor.FOUND.write_text("provider: libvirt\nbox: weblab/debian-13-cba987654321\n")
    assert clean.configuration(LAB, SYSTEMS, {}) != before


def test_an_interrupted_snapshot_is_not_taken_for_a_clean_one(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C between snapshot and record: the old record must not vouch for the new snapshot."""
    clean.keep(LAB, SYSTEMS)
    host.names = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    host.interrupt = interrupt
    with pytest.raises(KeyboardInterrupt):
        clean.keep(LAB, SYSTEMS)
    with pytest.raises(CheckFailed, match="no clean snapshot"):
        clean.reset(LAB)
    host.interrupt = lambda: None
    clean.keep(LAB, SYSTEMS)
    assert "record is gone: takes it from the lab as it is now" in capsys.readouterr().err
    assert clean.reset(LAB) == []


def test_a_used_lab_is_never_kept_as_clean_in_silence(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody removed the snapshot: it is taken anew, and it is said of what."""
    clean.keep(LAB, SYSTEMS)
    assert "as it is now" not in capsys.readouterr().err
    host.names = []
    clean.keep(LAB, SYSTEMS)
    assert "the clean snapshot is gone: takes it from the lab as it is now" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[", "configuration: 1\n", "word"])
def test_a_damaged_record_is_none(host: Host, text: str) -> None:
    """Refused with the way out, and the next lab.up makes another."""
    clean.keep(LAB, SYSTEMS)
    clean.RECORD.write_text(text)
    with pytest.raises(CheckFailed, match="no clean snapshot"):
        clean.reset(LAB)
    clean.keep(LAB, SYSTEMS)
    assert clean.reset(LAB) == []


def test_a_provider_without_snapshots_is_named_with_what_to_do(host: Host) -> None:
    """Choices stay as they are: nothing was put back."""
    hypervisor.FOUND.write_text("provider: virtualbox\nbox: bento/ubuntu-24.04\n")
    host.chosen = {"durability": "async"}
    clean.keep(LAB, SYSTEMS)
    with pytest.raises(CheckFailed, match="no snapshots with virtualbox") as caught:
        clean.reset(LAB)
    assert "invoke lab.provision" in caught.value.hint and "invoke lab.destroy lab.up" in caught.value.hint
    assert host.events == [] and host.chosen == {"durability": "async"}
