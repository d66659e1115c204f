"""db.durability, and the mark of a promotion that it clears. Servers are simulated."""

import time
from dataclasses import replace

import pytest

from lab import progress
from lab.durability import Durability, check_durability, durability_sql
from lab.errors import BadInput, CheckFailed
from lab.mysql import last_seen, shutdown
from lab.nodes.facts import databases_of
from lab.replication import promote_replica, set_durability
from tests.support.pairs import CLOSED, LAB, OPEN, PROMOTED, WEB2
from tests.support.simulated.mysql import WRITERS
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make

RETURN = f"{WRITERS} commits wait for a replica and return now without one"
MESSAGE = "the site answers them with 504: the note may be lost"
FOLLOWS = replace(CLOSED, source=str(WEB2.ip), receiving=True, applying=True)


@pytest.fixture
def pair(make: Make) -> Pair:
    """web2 was promoted, web1 does not answer, and the durability is not the chosen one."""
    last_seen.degrade("web2")
    return make(CLOSED, PROMOTED, silent=True)


def test_an_explicit_choice_takes_the_mark_away_and_tells_its_price(pair: Pair) -> None:
    """Durable without a replica: writes wait, as was asked for."""
    lines = set_durability.set_durability(pair.machines, Durability.DURABLE)
    assert pair.web2.durability == "durable" and last_seen.degraded() == ""
    assert lines[0] == "commits on web2 are durable" and "writes wait until one does" in lines[1]


def test_durable_again_is_no_doubt(make: Make) -> None:
    """Both servers are recorded after each change."""
    pair = make()
    for wanted in (Durability.ASYNC, Durability.DURABLE):
        set_durability.set_durability(pair.machines, wanted)
    pair.web2.replica.work(1)
    pair.crash(pair.web1)
    promote_replica.promote(LAB, "web2")
    assert pair.writable() == ["web2"]


@pytest.mark.parametrize("set_again", [True, False])
def test_a_release_before_the_durability_was_set_is_no_doubt(make: Make, set_again: bool) -> None:
    """The transactions of the primary at that time are recorded: the replica has them, or that is the doubt."""
    pair = make(replace(OPEN, durability=Durability.AVAILABLE) if set_again else OPEN)
    pair.note("web1", shutdown.GAVE_UP)
    set_durability.set_durability(pair.machines, Durability.DURABLE)
    last_seen.remember(time.time(), databases_of(pair.machines).values())
    pair.web2.replica.work(1)
    pair.crash(pair.web1)
    if set_again:
        promote_replica.promote(LAB, "web2")
    else:
        with pytest.raises(CheckFailed, match="acknowledged writes may be on web1 only") as caught:
            promote_replica.promote(LAB, "web2")
        assert "gave up waiting" in caught.value.evidence
    assert pair.writable() == (["web2"] if set_again else [])


def test_with_a_replica_there_is_no_price(make: Make) -> None:
    """Nor if that durability is already set."""
    pair = make(FOLLOWS, PROMOTED)
    assert set_durability.set_durability(pair.machines, Durability.DURABLE) == ["commits on web2 are durable"]
    count = len(pair.changes)
    assert set_durability.set_durability(pair.machines, Durability.DURABLE) == [] and len(pair.changes) == count


def test_who_is_killed_while_commits_become_less_safe_leaves_no_old_durability_on_record(make: Make) -> None:
    """Else the next emergency promotion would believe that it was durable."""
    pair = make()
    pair.interrupt("web1", "rpl_semi_sync_source_enabled = OFF", KeyboardInterrupt(), after=True)
    with pytest.raises(KeyboardInterrupt):
        set_durability.set_durability(pair.machines, Durability.ASYNC)
    assert pair.web1.durability == "async" and last_seen.recall() is None


@pytest.mark.parametrize("waits", [True, False])
def test_commits_that_wait_return_when_they_become_less_safe_and_that_is_said_before(
    make: Make, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    """The number of commits is announced; if none waits, nothing is."""
    pair = make(unreached_by=("web2", "lb1") if waits else ())
    for _ in range(WRITERS):
        pair.visit()
    messages: list[tuple[str, int]] = []
    monkeypatch.setattr(progress, "say", lambda _, text: messages.append((text, len(pair.changes))))
    set_durability.set_durability(pair.machines, Durability.ASYNC)
    warnings = [it for it in messages if "commits wait" in it[0]]
    assert warnings == ([(f"{RETURN}; {MESSAGE}", 0)] if waits else [])
    assert pair.web1.waiting == 0


def test_without_a_primary_the_choice_waits(make: Make) -> None:
    """Exit code 1; the mark stays."""
    last_seen.degrade("web2")
    pair = make(CLOSED, silent=True)
    with pytest.raises(CheckFailed, match="0 databases are open"):
        set_durability.set_durability(pair.machines, Durability.DURABLE)
    assert last_seen.degraded() == "web2" and pair.changes == []


def test_semi_sync_that_gave_up_begins_anew() -> None:
    """Switched off and on: by itself it waits for the next commit, and its state would be unknown until then."""
    text = durability_sql(Durability.DURABLE)
    assert text.index("enabled = OFF") < text.index("timeout = 4294967295") < text.index("enabled = ON")
    assert durability_sql(Durability.ASYNC).endswith("enabled = OFF;")


def test_a_value_that_there_is_not_is_refused() -> None:
    """Exit code 2, with the three values."""
    with pytest.raises(BadInput, match="async, available, durable"):
        check_durability("safe")
