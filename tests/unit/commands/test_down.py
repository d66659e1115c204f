"""invoke lab.down: what it says in the end. Machines and databases are doubles."""

from contextlib import nullcontext
from typing import Any

import pytest
from invoke.context import Context

from commands import lab as commands
from lab.nodes import lifecycle, vm_power
from lab.state import lock
from lab.topology import Node
from tests.support.pairs import OPEN, REPLICA


@pytest.fixture
def halted(monkeypatch: pytest.MonkeyPatch) -> list[Node | None]:
    """The machines that were shut down: databases answer until then."""
    off: list[Node | None] = []

    def databases(_: object) -> dict[str, Any]:
        assert not off, "the primary is asked while it is there"
        return {"web1": OPEN, "web2": REPLICA}

    monkeypatch.setattr(lock, "held", nullcontext)
    monkeypatch.setattr(lifecycle, "halt", off.append)
    monkeypatch.setattr(lifecycle, "running", lambda *_: [])
    monkeypatch.setattr(vm_power, "states", lambda lab: dict.fromkeys((it.name for it in lab.nodes), "running"))
    monkeypatch.setattr(commands, "databases_of", databases)
    return off


def test_a_server_that_leaves_is_told_with_what_becomes_of_writes(
    halted: list[Node | None], capsys: pytest.CaptureFixture[str]
) -> None:
    """And with the way back."""
    commands.down(Context(), node="web2")
    output = capsys.readouterr().out
    assert "writes wait until a replica is back (durability durable)" in output and "next: invoke lab.up" in output
    assert [it.name for it in halted if it] == ["web2"]


def test_the_way_back_from_a_lab_that_is_off_is_named(
    halted: list[Node | None], capsys: pytest.CaptureFixture[str]
) -> None:
    """No database is asked for that."""
    commands.down(Context())
    assert halted == [None] and "next: invoke lab.up" in capsys.readouterr().out
