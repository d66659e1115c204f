"""Snapshots of all machines: the old one is lost only when the new one is whole; and the way back to one."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lab import process, topology
from lab.errors import BadInput, CheckFailed, CommandFailed, InfrastructureBroken
from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.mysql import last_seen
from lab.nodes import vm_power
from lab.operations import snapshots
from tests.support.pairs import OPEN

LAB = topology.load()


class Virsh:
    """What virsh does with three machines; a command and domain in `broken` ends with exit code 1."""

    def __init__(self) -> None:
        self.state = {f"weblab_{node.name}": "running" for node in LAB.nodes}
        self.stored: dict[str, list[str]] = {domain: [] for domain in self.state}
        self.broken: set[tuple[str, str]] = set()
        self.before: Callable[[str, str], None] = lambda command, domain: None

    def run(self, argv: Sequence[str], *, timeout: float, ok: Sequence[int] = (0,), **_: object) -> process.Finished:
        """Stands in for lab.process.run."""
        command, *words = argv[3:]
        if command == "list":
            rows = [f" {number} {domain} {state}" for number, (domain, state) in enumerate(self.state.items())]
            return process.Finished(0, "\n".join([" Id Name State", "----", *rows]))
        domain, *words = words
        self.before(command, domain)
        failed = (command, domain) in self.broken or not self._do(command, domain, words)
        if int(failed) not in ok:
            raise CommandFailed("host", " ".join(argv), 1, f"{command} does not work")
        return process.Finished(int(failed), "\n".join(self.stored[domain]) if command == "snapshot-list" else "")

    def _do(self, command: str, domain: str, words: Sequence[str]) -> bool:
        stored, state = self.stored[domain], self.state[domain]
        if command == "snapshot-create-as":
            assert state == "paused", "the machines would be kept at different times"
            stored.append(words[0])
        elif command == "snapshot-delete":
            stored.remove(words[0])
        elif command == "snapshot-revert":
            assert words[0] in stored and words[1:] == ["--paused", "--force"]
            self.state[domain] = "paused"
        elif command in ("suspend", "resume"):
            self.state[domain] = {"suspend": "paused", "resume": "running"}[command]
            return state != self.state[domain]
        return True


@pytest.fixture
def virsh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Virsh:
    """Three running machines without snapshots."""
    it = Virsh()
    monkeypatch.setattr(process, "run", it.run)
    monkeypatch.setattr(vm_power, "FOUND", tmp_path / "vagrant.yml")
    (tmp_path / "vagrant.yml").write_text("provider: libvirt\n")
    return it


def all_run(virsh: Virsh) -> bool:
    """Nobody was left paused."""
    return set(virsh.state.values()) == {"running"}


def test_a_snapshot_is_taken_of_all_while_all_are_paused(virsh: Virsh) -> None:
    """They are known by the name that was given, and all go on."""
    snapshots.take(LAB, "one")
    snapshots.take(LAB, "clean")
    assert snapshots.names(LAB) == ["clean", "one"]
    assert all_run(virsh)


def test_a_newer_snapshot_replaces_the_older_one(virsh: Virsh) -> None:
    """One generation of a name takes up disk, and other names are not touched."""
    for name in ("one", "other", "one", "one"):
        snapshots.take(LAB, name)
    assert {tuple(stored) for stored in virsh.stored.values()} == {("other.1", "one.3")}
    assert snapshots.names(LAB) == ["one", "other"]


def test_the_older_one_stays_until_every_machine_has_the_newer(virsh: Virsh) -> None:
    """At no moment of a successful take is there a machine without a snapshot of that name."""
    snapshots.take(LAB, "one")

    def look(command: str, domain: str) -> None:
        if command == "snapshot-delete":
            assert all("one.2" in stored for stored in virsh.stored.values())

    virsh.before = look
    snapshots.take(LAB, "one")
    assert all(stored == ["one.2"] for stored in virsh.stored.values())


def test_a_failed_snapshot_leaves_the_older_one(virsh: Virsh) -> None:
    """The disk of one machine is full: the others' halves go, everybody goes on, the way back is there."""
    snapshots.take(LAB, "one")
    virsh.broken = {("snapshot-create-as", "weblab_web2")}
    with pytest.raises(CommandFailed, match="a command failed"):
        snapshots.take(LAB, "one")
    assert all(stored == ["one.1"] for stored in virsh.stored.values())
    assert all_run(virsh)


def test_what_was_cut_off_is_never_put_back(virsh: Virsh) -> None:
    """The power of the hosting machine went away while two of three had the newer one."""
    snapshots.take(LAB, "one")
    virsh.stored["weblab_lb1"].append("one.2")
    virsh.stored["weblab_web1"].append("one.2")
    snapshots.put_back(LAB, "one")  # the double refuses what a machine does not have
    snapshots.take(LAB, "one")
    assert all(stored == ["one.3"] for stored in virsh.stored.values())


def test_a_node_that_was_added_later_has_no_snapshot_and_is_named(virsh: Virsh) -> None:
    """The others keep theirs; of all machines there is none."""
    snapshots.take(LAB, "one")
    virsh.stored["weblab_web2"].clear()
    assert snapshots.names(LAB) == [] and snapshots.lacking(LAB, "one") == ["web2"]


def test_no_snapshot_where_one_machine_does_not_pause(virsh: Virsh) -> None:
    """Nothing is kept, and those that were paused go on."""
    virsh.broken = {("suspend", "weblab_web1")}
    with pytest.raises(CommandFailed):
        snapshots.take(LAB, "one")
    assert all_run(virsh) and snapshots.names(LAB) == []


def test_a_machine_that_stays_paused_is_named(virsh: Virsh) -> None:
    """Otherwise the snapshot seems to have worked, and web1 is silent."""
    virsh.broken = {("resume", "weblab_web1")}
    with pytest.raises(InfrastructureBroken, match="still paused: web1"):
        snapshots.take(LAB, "one")


def test_no_snapshot_of_a_lab_with_a_machine_off(virsh: Virsh) -> None:
    """It says which, and how to start it."""
    virsh.state["weblab_web2"] = "shut off"
    with pytest.raises(CheckFailed, match="web2 is off"):
        snapshots.take(LAB, "one")


@pytest.mark.parametrize("command", ["snapshot-revert", "resume"])
def test_half_a_way_back_names_what_is_paused_and_can_be_run_again(virsh: Virsh, command: str) -> None:
    """Nobody goes on beside machines of another time; the second run completes it."""
    snapshots.take(LAB, "one")
    virsh.broken = {(command, "weblab_web2")}
    with pytest.raises(InfrastructureBroken, match="snapshot one is not back") as caught:
        snapshots.put_back(LAB, "one")
    for node, state in vm_power.states(LAB).items():
        assert f"{node} is {state}" in caught.value.what
    assert "paused" in caught.value.what and f"{command} does not work" in caught.value.evidence
    assert caught.value.hint == "run it again: invoke lab.restore one"
    virsh.broken = set()
    snapshots.put_back(LAB, "one")
    assert all_run(virsh)


def test_an_active_fault_is_not_kept(virsh: Virsh) -> None:
    """It would come back with every restore, and no ledger would know of it."""
    ledger.add(Fault("slow", "web1", options={"delay_ms": 100}), 1.0)
    with pytest.raises(CheckFailed, match="web1-slow is injected") as caught:
        snapshots.take(LAB, "clean")
    assert caught.value.hint == "undo it: invoke fault.heal" and not any(virsh.stored.values())


@pytest.mark.parametrize("broken", ["snapshot-revert", "resume"])
def test_a_restore_that_ended_half_way_must_be_ended_first(virsh: Virsh, broken: str) -> None:
    """A machine of then may be open for writes, and one of now too: no other command lets them go on together."""
    snapshots.take(LAB, "one")
    snapshots.must_be_back()
    virsh.broken = {(broken, "weblab_web2")}
    with pytest.raises(InfrastructureBroken, match="snapshot one is not back"):
        snapshots.put_back(LAB, "one")
    with pytest.raises(CheckFailed, match="snapshot one was put back in part only") as caught:
        snapshots.must_be_back()
    assert "invoke lab.restore one" in caught.value.hint
    virsh.broken.clear()
    snapshots.put_back(LAB, "one")
    with pytest.raises(CheckFailed):
        snapshots.must_be_back()  # the clocks are of then
    snapshots.is_back()
    snapshots.must_be_back()


def test_what_is_known_of_the_databases_goes_with_the_machines(virsh: Virsh) -> None:
    """Before one is put back, and after all are: who asked in between was told of another time."""
    snapshots.take(LAB, "one")
    known: list[bool] = []

    def look(command: str, domain: str) -> None:
        if command in ("snapshot-revert", "resume"):
            known.append(last_seen.recall() is not None)
            last_seen.remember(time.time(), [OPEN])

    last_seen.remember(time.time(), [OPEN])
    virsh.before = look
    snapshots.put_back(LAB, "one")
    assert known[0] is False and last_seen.recall() is None


def test_a_name_that_is_none_forgets_nothing(virsh: Virsh) -> None:
    """A slip of the finger must not cost what a promotion needs to know."""
    last_seen.remember(time.time(), [OPEN])
    with pytest.raises(BadInput, match="no snapshot 'oen'"):
        snapshots.put_back(LAB, "oen")
    assert last_seen.recall() is not None
