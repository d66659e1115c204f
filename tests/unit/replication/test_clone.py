"""A copy of all data: it waits for no commit, ends with its command, and its result is read. Servers are simulated."""

from dataclasses import replace
from typing import Any

import pytest

from lab.durability import NONE
from lab.errors import CheckFailed, TimedOut
from lab.mysql import last_seen
from lab.nodes.ssh import Answer
from lab.replication import attach, clone, rejoin
from lab.state import choices
from tests.support.pairs import CLOSED, LAB, OPEN, REPLICA, U2, WEB1, WEB2
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make


class Failing:
    """A server whose copy of the data fails."""

    node = WEB2

    def script(self, *_: object, **__: object) -> Answer:
        """The client loses its server."""
        return Answer(1, "", "ERROR 3707: Restart server failed")

    def run(self, command: str, **_: object) -> Answer:
        """Answer for clone_status: nothing before, then when the copy began and its result."""
        if "VERSION" in command:
            return Answer(0, "8.0.43-0ubuntu0.24.04.1\n", "")
        if "COUNT" in command:
            return Answer(0, "0\n", "")
        if "In Progress" in command:
            return Answer(0, "", "")
        return Answer(0, "2026-11-28 12:00:00\nFailed\tdonor is gone\n" if "STATE" in command else "", "")


def test_a_copy_that_failed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's exit code says nothing, because the server restarts; clone_status does."""
    monkeypatch.setattr(clone, "databases_of", lambda machines: {"web1": CLOSED})
    machine, donor = Failing(), Failing()
    donor.node = WEB1
    machines: Any = {"machine": machine, "donor": donor}
    with pytest.raises(CheckFailed, match="web2: copying the data failed") as caught:
        clone.clone(**machines, password="secret")
    assert "donor is gone" in caught.value.evidence


@pytest.fixture
def errant(make: Make, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """A durable primary whose visitors write, and a replica with a transaction of its own: it needs a copy."""
    monkeypatch.setattr(attach, "RESUMES_S", 0.0)
    monkeypatch.setattr(rejoin, "FOLLOWS_S", 2.0)
    own = f"{REPLICA.gtid_executed},{U2}:1"
    return make(OPEN, replace(REPLICA, gtid_executed=own, receiving=False, applying=False))


def test_a_copy_does_not_wait_for_commits_that_wait_for_it(errant: Pair) -> None:
    """The site writes no notes to the donor meanwhile; then commits are as durable as before."""
    rejoin.rejoin(LAB, "web2")
    assert errant.web2.copied_from == "web1" and errant.web2.replicating
    assert errant.web1.durability == "durable" and errant.lost("web1") == ""
    statements = errant.statements("web1", "rpl_semi_sync_source_timeout")
    assert len(statements) == 2, "nobody chose a durability, then it is durable again"


@pytest.mark.parametrize("durability", ["available", "async"])
def test_where_no_commit_waits_without_end_notes_are_left_during_a_copy(errant: Pair, durability: str) -> None:
    """The chosen durability says what may be lost; the site need not refuse notes."""
    choices.save(durability=durability)
    errant.web1.variables.update(rpl_semi_sync_source_enabled=durability != "async", rpl_semi_sync_source_timeout=1000)
    rejoin.rejoin(LAB, "web2")
    assert errant.web2.copied_from == "web1"
    assert not errant.statements("web1", "rpl_semi_sync_source_timeout")


def test_a_copy_that_fails_leaves_a_durable_primary(errant: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is raised, and the site accepts notes again."""
    monkeypatch.setattr(clone, "_copied", lambda *_: (_ for _ in ()).throw(TimedOut("web2: not done within 300 s")))
    with pytest.raises(TimedOut):
        rejoin.rejoin(LAB, "web2")
    assert errant.web1.durability == "durable"


def test_who_is_killed_in_a_copy_leaves_a_primary_that_takes_no_notes(errant: Pair) -> None:
    """The earlier record of the primary is void: its durability was another one for a while."""
    errant.interrupt("web2", "CLONE INSTANCE FROM", KeyboardInterrupt(), after=False)
    errant.interrupt("web1", "rpl_semi_sync_source_enabled = ON", KeyboardInterrupt(), after=False)
    with pytest.raises(KeyboardInterrupt):
        rejoin.rejoin(LAB, "web2")
    errant.interruptions.clear()
    assert (errant.web1.durability, last_seen.recall()) == (NONE, None)
    rejoin.rejoin(LAB, "web2")
    assert errant.web1.durability == "durable" and errant.web2.replicating


def copies(pair: Pair) -> list[str]:
    """The copies that run on web2."""
    with pair.lock:
        return [it.text for it in pair.web2.sessions.values() if it.text.startswith("CLONE INSTANCE")]


@pytest.mark.parametrize("killed", [False, True])
def test_a_copy_ends_with_its_command_or_before_the_next_one(
    errant: Pair, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """MySQL continues without its client, makes one at a time, and would refuse the next one (error 3634)."""
    ends = clone._end_copies
    monkeypatch.setattr(clone, "_end_copies", (lambda *_: None) if killed else ends)
    errant.web2.held.append("CLONE INSTANCE FROM")
    errant.interrupt("web2", "CLONE INSTANCE FROM", KeyboardInterrupt(), when="while it runs")
    with pytest.raises(KeyboardInterrupt):
        rejoin.rejoin(LAB, "web2")
    assert len(copies(errant)) == killed
    monkeypatch.setattr(clone, "_end_copies", ends)
    errant.web2.held.clear()
    errant.interruptions.clear()
    rejoin.rejoin(LAB, "web2")
    assert copies(errant) == [] and errant.web2.copied_from == "web1" and errant.web2.replicating
