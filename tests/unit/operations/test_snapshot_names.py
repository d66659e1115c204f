"""The names of snapshots, where the shell's TAB finds them: it can't wait for libvirt."""

from contextlib import nullcontext

import pytest

from lab import topology
from lab.errors import BadInput
from lab.operations import snapshots

LAB = topology.load()


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running machines with the snapshot 'one'; libvirt does all that it is told."""
    monkeypatch.setattr(snapshots, "provider", lambda: "libvirt")
    monkeypatch.setattr(snapshots, "states", lambda lab: {node.name: "running" for node in lab.nodes})
    monkeypatch.setattr(snapshots, "_stored", lambda lab: {node: {("one", 1)} for node in lab.nodes})
    monkeypatch.setattr(snapshots, "_on_all", lambda lab, work: None)
    monkeypatch.setattr(snapshots, "paused", lambda lab: nullcontext())


def names() -> list[str]:
    """What TAB offers."""
    return snapshots.NAMES.read_text(encoding="utf-8").splitlines()


def test_a_snapshot_that_is_taken_is_offered_with_the_others() -> None:
    """Also one that another checkout's shell never saw."""
    snapshots.take(LAB, "two")
    assert names() == ["one", "two"]


def test_a_name_that_is_refused_is_offered_no_more() -> None:
    """The refusal names the one that was meant."""
    snapshots.remember(["one", "oen"])
    with pytest.raises(BadInput, match=r"did you mean one\?"):
        snapshots.put_back(LAB, "oen")
    assert names() == ["one"]


def test_a_full_disk_fails_no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell then knows less."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots, "atomic_write", full)
    snapshots.take(LAB, "two")
