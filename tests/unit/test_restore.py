"""Back to a snapshot: in which order, and what is forgotten whatever becomes of the wait."""

import time

import pytest

from lab import ledger, remembered, restore, snapshots, topology
from lab.catalogue import Fault
from lab.errors import TimedOut
from tests.unit.pairs import OPEN

LAB = topology.load()


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done, in order; a fault is active and a primary known."""
    done: list[str] = []

    def put_back(*_: object) -> None:
        done.append("put back")

    def wrong(*_: object) -> list[str]:
        done.append("looks")
        return []

    monkeypatch.setattr(snapshots, "put_back", put_back)
    monkeypatch.setattr(restore, "machines", lambda lab: [])
    monkeypatch.setattr(restore, "together", lambda work, doors: done.append("clocks"))
    monkeypatch.setattr(restore, "wrong", wrong)
    ledger.add(Fault("power-off", "web1"), 1.0)
    remembered.remember(time.time(), [OPEN])
    return done


def test_what_a_snapshot_lacks_is_repaired_before_the_lab_is_waited_for(events: list[str]) -> None:
    """Machines and clocks first: without them nothing can be converged."""
    restore.restore(LAB, "clean", lambda: events.append("repairs"))
    assert events == ["put back", "clocks", "repairs", "looks"]


def test_faults_and_memory_are_gone_even_where_the_lab_does_not_settle(
    events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were of a time that is no more."""
    monkeypatch.setattr(restore, "wrong", lambda *_: ["HAProxy: web3 is DOWN"])
    monkeypatch.setattr(restore, "READY_S", 0.0)
    with pytest.raises(TimedOut) as caught:
        restore.restore(LAB, "clean")
    assert "web3 is DOWN" in caught.value.evidence
    assert ledger.entries() == [] and remembered.recall() is None
