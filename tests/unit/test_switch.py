"""A planned change of roles: in which order, what is undone, and that two are never open."""

import pytest

from fabfile import switch
from fabfile.switch import NotClosed
from lab import progress
from lab.errors import CheckFailed, CommandFailed, Unreachable
from tests.unit.fake_pair import GONE, Two, failed, two
from tests.unit.pairs import CLOSED, OPEN, REPLICA, U1


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Two:
    """A healthy pair."""
    made = two()
    monkeypatch.setattr(switch, "databases_of", made.asked)
    monkeypatch.setattr(progress, "say", lambda *_: None)
    return made


def change(pair: Two) -> float:
    """Make web2 the primary."""
    return switch.planned(pair.roles, REPLICA, OPEN, attach=True)


def test_nothing_is_closed_before_all_is_ready_and_nothing_opened_before_all_is_closed(pair: Two) -> None:
    """Three clients wait and the replica has caught up; then one script a node and step."""
    change(pair)
    assert pair.notes[:3].count("web1 is ready") == 2 and "web2 is ready" in pair.notes[:3]
    assert pair.notes[3] == "web1 closes" and set(pair.notes[4:]) == {"web2 opens", "web1 follows web2"}
    assert pair.writable() == ["web2"]
    assert pair.web1.state and pair.web1.state.replicating


def test_the_old_primary_is_connected_to_its_replica_before_it_is_closed(pair: Two) -> None:
    """To connect takes seconds, and durable commits wait for it; nothing is applied before all is closed."""
    change(pair)
    ready, follows = pair.web1.scripts[1], pair.web1.scripts[-1]
    assert "START REPLICA IO_THREAD" in ready and "START REPLICA;" not in ready
    assert "START REPLICA;" in follows and "CHANGE REPLICATION SOURCE" not in follows


@pytest.mark.parametrize("error", [failed(5), KeyboardInterrupt()], ids=["broken", "interrupted"])
def test_who_fails_before_anything_is_closed_leaves_the_primary_without_a_source(
    pair: Two, error: BaseException
) -> None:
    """Else status would speak of a change of roles that nobody makes."""
    pair.web2.fails["is ready"] = error
    with pytest.raises(type(error)):
        change(pair)
    assert pair.notes[-1] == "web1 listens to nobody" and pair.writable() == ["web1"]


def test_the_replica_waits_for_what_the_old_primary_had_when_it_was_closed(pair: Two) -> None:
    """The set is that of the closed server, and the wait stands before the opening."""
    change(pair)
    script = pair.web2.scripts[-1]
    assert f"WAIT_FOR_EXECUTED_GTID_SET('\"'\"'{U1}:1-50'\"'\"', {switch.APPLY_S})" in script
    assert script.index("WAIT_FOR") < script.index("RESET REPLICA ALL") < script.index("read_only = IF")
    assert "rpl_semi_sync_source_enabled = ON" in script


def test_a_replica_that_never_catches_up_costs_no_writes(pair: Two) -> None:
    """Before anything is closed: exit code 1, nothing was changed."""
    pair.web2.fails["is ready"] = failed(4)
    with pytest.raises(CheckFailed, match="nothing was changed"):
        change(pair)
    assert "web1 closes" not in pair.notes and pair.writable() == ["web1"]


def test_a_primary_whose_commits_hang_is_left_as_it_was(pair: Two) -> None:
    """Its own script opens it again, and only one that was open."""
    pair.web1.fails["closes"] = failed(6)
    with pytest.raises(NotClosed):
        change(pair)
    assert "web2 opens" not in pair.notes and pair.writable() == ["web1"]
    assert "super_read_only = OFF" in pair.web1.scripts[-2] and pair.notes[-1] == "web1 listens to nobody"
    with pytest.raises(NotClosed):
        switch.planned(pair.roles, REPLICA, CLOSED, attach=True)
    assert "super_read_only = OFF" not in pair.web1.scripts[-1]


def test_a_primary_that_can_not_even_be_told_to_follow_is_none_that_can_be_closed(pair: Two) -> None:
    """Its disk is full, say, and what a source is told is written there: it takes writes as before."""
    pair.web1.fails["is ready"] = failed(switch.HANGS)
    with pytest.raises(NotClosed, match="web1 can't be told to follow web2"):
        change(pair)
    assert "web1 closes" not in pair.notes and pair.writable() == ["web1"]


def test_a_primary_that_is_lost_while_it_closes_is_told_as_that(pair: Two) -> None:
    """Nobody else opens; the same command, run again, finds out."""
    pair.web1.fails["closes"] = Unreachable("web1: ssh failed")
    with pytest.raises(Unreachable) as caught:
        change(pair)
    assert "web2 opens" not in pair.notes and "run the same command again" in caught.value.hint


def test_the_old_primary_is_opened_again_where_the_candidate_surely_did_not(pair: Two) -> None:
    """It ended before it opened, and answers that it is closed."""
    pair.web2.fails["opens"] = failed(4)
    with pytest.raises(CheckFailed, match="web1 is the primary as before"):
        change(pair)
    assert pair.writable() == ["web1"]
    assert pair.web1.state and not pair.web1.state.source
    assert "rpl_semi_sync_source_enabled = ON" in pair.web1.scripts[-1]


def test_nobody_is_opened_again_while_the_candidate_may_still_open(pair: Two) -> None:
    """Its connection was lost, so its script may go on: the old one stays closed, and the way on is named."""
    pair.web2.fails["opens"] = GONE
    with pytest.raises(CheckFailed, match="web1 stays closed") as caught:
        change(pair)
    assert pair.writable() == [] and "db.promote web2" in caught.value.hint


def test_an_old_primary_that_does_not_follow_at_once_stops_no_promotion(pair: Two) -> None:
    """web2 is open; who sees to the rest waits for it."""
    pair.web1.fails["follows"] = failed(5)
    assert change(pair) >= 0
    assert pair.writable() == ["web2"]


def test_a_lost_client_is_no_lack_of_catching_up(pair: Two) -> None:
    """Another error of the preparation is told as what it is."""
    pair.web2.fails["is ready"] = failed(5)
    with pytest.raises(CommandFailed):
        change(pair)
