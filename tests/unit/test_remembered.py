"""What is remembered of the primary, and of a durability that a promotion lowered."""

from dataclasses import replace

import pytest

from lab import remembered
from tests.unit.pairs import APART, CLOSED, OPEN, REPLICA


def test_the_primary_is_remembered_as_it_was_seen() -> None:
    """Its transactions, and whether commits waited for the replica."""
    remembered.remember([OPEN, REPLICA])
    seen = remembered.recall()
    assert seen is not None
    assert (seen.node, seen.gtid_executed, seen.waits, seen.durability) == ("web1", OPEN.gtid_executed, True, "durable")
    assert seen.told(seen.at + 34) == "web1 was primary 34 s ago: durability durable, semi-sync ON"


def test_what_is_known_stays_while_nobody_is_primary() -> None:
    """A primary that is gone, closed, or one of two says nothing new."""
    remembered.remember([OPEN, REPLICA])
    before = remembered.recall()
    for asked in ([None, REPLICA], [CLOSED, REPLICA], [OPEN, replace(APART, writable=True)]):
        remembered.remember(asked)
        assert remembered.recall() == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"node": "web1"}'])
def test_a_damaged_memory_is_none(text: str) -> None:
    """Nothing is known then, and a promotion says so."""
    remembered.SEEN.write_text(text)
    remembered.DEGRADED.write_text(text.replace("node", "at"))
    assert remembered.recall() is None and remembered.degraded() == ""


def test_a_lowered_durability_is_remembered_until_it_is_restored() -> None:
    """And goes with everything else when the machines go."""
    remembered.degrade("web2")
    assert remembered.degraded() == "web2"
    remembered.restored()
    assert remembered.degraded() == ""
    remembered.remember([OPEN])
    remembered.forget()
    assert remembered.recall() is None


def test_looking_needs_no_right_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status of a lab that belongs to somebody else still is a status."""

    def refuses(*_: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(remembered, "_write", refuses)
    remembered.remember([OPEN])
    assert remembered.recall() is None
