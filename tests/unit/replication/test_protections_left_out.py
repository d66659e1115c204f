"""db.promote without one of its protections: only as a step of an experiment. Servers are simulated."""

import pytest

from lab.replication import promote_replica
from lab.state import choices, lock
from tests.support.pairs import LAB
from tests.unit.conftest import Make
from tests.unit.replication.test_promote_replica import FENCED


@pytest.fixture
def in_an_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The promotion is a step of an experiment, which has the lock."""
    monkeypatch.setattr(lock, "is_a_part", lambda: True)


@pytest.mark.parametrize("left", ["relay-log", "fencing"])
def test_a_users_promotion_has_all_protections(make: Make, left: str) -> None:
    """Also after a control was killed, while the protections it removed are on record until the next converge."""
    choices.save(without=[left])
    pair = make(power="paused")
    lines = promote_replica.promote(LAB, "web2")
    assert pair.lost("web2") == "" and pair.events == FENCED and "without" not in lines[1]


@pytest.mark.usefixtures("in_an_experiment")
def test_without_the_relay_log_the_source_is_left_at_once(make: Make) -> None:
    """A control removes the wait; the old primary is still fenced, and the report says what is discarded."""
    choices.save(without=["relay-log"])
    pair = make(power="paused")
    pair.may_lose = True
    lines = promote_replica.promote(LAB, "web2")
    assert pair.web2.thrown_away == pair.lost("web2") != "" and pair.events == FENCED
    assert "web1 was powered off" in lines[1] and "without relay-log: web2 discards" in lines[1]


@pytest.mark.usefixtures("in_an_experiment")
def test_without_fencing_the_old_primary_is_left_as_it_is(make: Make) -> None:
    """A control removes fencing; all is still applied, and the report says which server may take writes."""
    choices.save(without=["fencing"])
    pair = make(power="paused")
    line = promote_replica.promote(LAB, "web2")[1]
    assert pair.events == ["web2 opened"] and pair.two_writable and pair.lost("web2") == ""
    assert "without fencing" in line and "may take writes beside web2" in line
    pair.two_writable.clear()
    pair.may_lose = True  # of web1, which lacks what web2 takes
