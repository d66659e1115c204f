"""Injecting and healing: recorded first, verified, refused if impossible. Nodes are doubles."""

import subprocess
from errno import ENOSPC
from typing import Any

import pytest

from lab import topology
from lab.errors import CheckFailed, CommandFailed, LabError
from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.injection import inject_and_heal
from lab.nodes import lifecycle, vm_power
from lab.nodes.ssh import Answer
from lab.topology import Node

LAB = topology.load()
SLOW = Fault("slow", "web2", options={"delay_ms": 100})
OFF = Fault("power-off", "web1")
FULL = Fault("disk-full", "web1")


class Double:
    """A node that records its scripts, and the state of the ledger at that time."""

    sent: list[tuple[str, list[str]]]
    refuses: list[str]

    def __init__(self, node: Node) -> None:
        self.node = node

    def ready(self, text: str, *, title: str, **_: object) -> str:
        """A shell that waits."""
        self.script(text, title=title)
        return title

    def script(self, text: str, *, title: str, **_: object) -> Answer:
        """Note it; fail if that is wanted."""
        self.sent.append((title, [it["id"] for it in ledger.entries()]))
        if any(word in title for word in self.refuses):
            raise CommandFailed(self.node.name, title, 9, "")
        return Answer(0, "", "")


def machine(fault: Fault) -> Any:
    """The double of a fault's node."""
    return Double(LAB.node(fault.node))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """The scripts that nodes got."""
    Double.sent, Double.refuses = [], []
    monkeypatch.setattr(inject_and_heal, "Machine", Double)
    monkeypatch.setattr(vm_power, "states", lambda lab: dict.fromkeys(("lb1", "web1", "web2"), "running"))
    return Double.sent


def test_a_fault_is_written_down_before_it_is_made_and_struck_out_when_it_is_gone(
    sent: list[tuple[str, list[str]]],
) -> None:
    """A command killed in between leaves a fault that can be undone; all four steps are reported in order."""
    reports: list[str] = []
    inject_and_heal.inject(LAB, SLOW, machine(SLOW), report=lambda word, fault: reports.append(f"{word} {fault.id}"))
    assert sent == [
        ("web2-slow is prepared", ["web2-slow"]),
        ("web2-slow is injected and seen", ["web2-slow"]),
    ]
    assert [it["id"] for it in ledger.entries()] == ["web2-slow"]
    inject_and_heal.heal(LAB, SLOW, machine(SLOW), report=lambda word, fault: reports.append(f"{word} {fault.id}"))
    assert ledger.entries() == []
    assert reports == ["inject web2-slow", "injected web2-slow", "heal web2-slow", "healed web2-slow"]


def test_a_heal_that_comes_before_a_fault_is_made_does_not_make_the_ledger_forget_it(
    sent: list[tuple[str, list[str]]],
) -> None:
    """fault.heal takes no lock: while another command prepares the fault, it is not visible on the node."""

    class Crossed(Double):
        """Another command heals everything while the node is prepared."""

        def ready(self, text: str, *, title: str, **_: object) -> str:
            """It finds the fault in the ledger, and nothing on the node."""
            assert inject_and_heal.heal_all(LAB) == [SLOW]
            return title

    crossed: Any = Crossed(LAB.node("web2"))
    inject_and_heal.inject(LAB, SLOW, crossed)
    assert [it["id"] for it in ledger.entries()] == ["web2-slow"]


def test_a_fault_that_is_not_seen_is_undone_and_told(sent: list[tuple[str, list[str]]]) -> None:
    """No partial fault stays behind, and the error says that it was not there."""
    Double.refuses = ["injected"]
    reports: list[str] = []
    with pytest.raises(CommandFailed):
        inject_and_heal.inject(LAB, SLOW, machine(SLOW), report=lambda word, fault: reports.append(word))
    assert "injected" not in reports
    assert [title for title, _ in sent][-1] == "web2-slow is healed and gone"
    assert ledger.entries() == []


def test_a_fault_that_can_not_be_healed_stays_in_the_ledger(sent: list[tuple[str, list[str]]]) -> None:
    """All others are still healed, then the error is raised."""
    inject_and_heal.inject(LAB, SLOW, machine(SLOW))
    inject_and_heal.inject(LAB, FULL, machine(FULL))
    Double.refuses = ["web2-slow is healed"]
    with pytest.raises(LabError):
        inject_and_heal.heal_all(LAB)
    assert [it["id"] for it in ledger.entries()] == ["web2-slow"]


def test_a_full_disk_of_this_machine_stops_no_heal(
    sent: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first fault can't be removed from the ledger; the second one is still healed."""
    for fault in (SLOW, FULL):
        inject_and_heal.inject(LAB, fault, machine(fault))
    full = [OSError(ENOSPC, "No space left on device")]
    remove = ledger.remove

    def cramped(fault: Fault) -> None:
        if full:
            raise full.pop()
        remove(fault)

    monkeypatch.setattr(ledger, "remove", cramped)
    with pytest.raises(OSError, match="No space"):
        inject_and_heal.heal_all(LAB)
    assert [title for title, _ in sent][-2:] == ["web2-slow is healed and gone", "web1-disk-full is healed and gone"]
    assert [it["id"] for it in ledger.entries()] == ["web2-slow"]


def test_a_frozen_machine_that_is_fenced_while_it_wakes_is_started(
    sent: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heal does not wait for an answer from a machine that a promotion has just powered off."""
    frozen = Fault("freeze", "web1")
    ledger.add(frozen, 1.0)
    states = iter(["paused", "off", "off"])
    done: list[str] = []
    monkeypatch.setattr(vm_power, "states", lambda lab: {"web1": next(states)})
    for name in ("resume", "power_on"):
        monkeypatch.setattr(vm_power, name, lambda node, name=name: done.append(name))
    monkeypatch.setattr(lifecycle, "answering", lambda machine: done.append("answers"))
    inject_and_heal.heal(LAB, frozen, machine(frozen))
    assert done == ["resume", "power_on", "answers"] and sent == [] and ledger.entries() == []


def test_machines_are_healed_before_what_is_inside_them(
    sent: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node without power can't undo anything."""
    order: list[str] = []
    monkeypatch.setattr(inject_and_heal, "heal", lambda lab, fault, machine, report: order.append(fault.id))
    ledger.add(SLOW, 1.0)
    ledger.add(OFF, 2.0)
    inject_and_heal.heal_all(LAB)
    assert order == ["web1-power-off", "web2-slow"]


def test_a_machine_that_was_fenced_is_started_before_what_is_inside_is_healed(
    sent: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A promotion powered it off while the fault was active."""
    inject_and_heal.inject(LAB, FULL, machine(FULL))
    started: list[str] = []
    monkeypatch.setattr(vm_power, "states", lambda lab: {"web1": "off"})
    monkeypatch.setattr(vm_power, "power_on", lambda node: started.append(node.name))
    monkeypatch.setattr(lifecycle, "answering", lambda machine: started.append("answers"))
    inject_and_heal.heal(LAB, FULL, machine(FULL))
    assert started == ["web1", "answers"] and sent[-1][0] == "web1-disk-full is healed and gone"


def test_a_fault_that_makes_no_sense_is_refused_with_the_reason(
    sent: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same fault twice, or on a node that is off. Nothing is recorded then."""
    inject_and_heal.inject(LAB, SLOW, machine(SLOW))
    with pytest.raises(CheckFailed, match="web2-slow is active already"):
        inject_and_heal.inject(LAB, SLOW, machine(SLOW))
    monkeypatch.setattr(vm_power, "states", lambda lab: dict.fromkeys(("lb1", "web1", "web2"), "off"))
    with pytest.raises(CheckFailed, match="web1 is off"):
        inject_and_heal.inject(LAB, FULL, machine(FULL))
    assert [it["id"] for it in ledger.entries()] == ["web2-slow"]


def test_a_fault_of_a_node_that_lab_yml_has_no_more_hinders_nobody(
    sent: list[tuple[str, list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Else no fault could be healed or injected, and lab.up, which removes such a machine, would always fail."""
    inject_and_heal.inject(LAB, FULL, machine(FULL))
    ledger.add(Fault("freeze", "web3"), 1.0)
    ledger.add(Fault("partition", "web1", peer="web3"), 1.0)
    inject_and_heal.inject(LAB, SLOW, machine(SLOW))
    assert inject_and_heal.heal_all(LAB) == [FULL, SLOW]
    assert ledger.entries() == []
    assert "web3-freeze is removed from the ledger: lab.yml has no such node" in capsys.readouterr().err


def test_a_ledger_damaged_by_hand_is_told() -> None:
    """The error names the next command: reset undoes every fault."""
    ledger.LEDGER.write_text("{")
    with pytest.raises(LabError, match="damaged") as caught:
        ledger.entries()
    assert "lab.reset" in caught.value.hint


def test_a_fault_that_does_not_show_is_waited_for_as_long_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its script ends by itself, with its own exit code."""
    monkeypatch.setattr(inject_and_heal, "SEEN_S", 0.0)
    scripts: list[str] = []

    class Sent:
        """A connection that keeps the scripts it gets."""

        def script(self, text: str, **_: object) -> None:
            """Keep it."""
            scripts.append(text)

    sent: Any = Sent()
    inject_and_heal._make(sent, SLOW, "true", "false", "is injected and seen")
    inject_and_heal._make(sent, SLOW, "true", "true", "is injected and seen")
    done = [subprocess.run(["timeout", "3", "bash", "-c", text], check=False) for text in scripts]
    assert [it.returncode for it in done] == [inject_and_heal.NOT_SEEN, 0]
