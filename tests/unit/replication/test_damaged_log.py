"""A relay log that can't be read: every command that is named ends with an open server. Servers are simulated."""

from dataclasses import replace

import pytest

from lab.errors import CheckFailed
from lab.replication import attach, promote_replica
from lab.replication.rejoin import rejoin
from tests.support.pairs import CLOSED, LAB, REPLICA, U1
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make

U3 = "33333333-71ca-11e1-9e33-c80aa9429562"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait to see whether it can be read after all."""
    monkeypatch.setattr(attach, "RESUMES_S", 0.0)


def damaged(pair: Pair) -> Pair:
    """web2 receives and confirms, and can't apply."""
    pair.web2.replica.running, pair.web2.replica.damaged = frozenset({"IO"}), True
    pair.visit()
    return pair


def refusal(pair: Pair) -> CheckFailed:
    """Why web2 is not promoted; no server is open that was not open before."""
    before = pair.writable()
    with pytest.raises(CheckFailed) as caught:
        promote_replica.promote(LAB, "web2")
    assert pair.writable() == before
    return caught.value


def test_where_the_primary_answers_the_replica_fetches_it_anew(make: Make) -> None:
    """Then it is promoted."""
    pair = damaged(make())
    assert "invoke db.rejoin web2; then promote again" in refusal(pair).hint
    rejoin(LAB, "web2")
    promote_replica.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and pair.lost("web2") == ""


def test_where_the_primary_is_gone_it_is_started_for_that(make: Make) -> None:
    """All that was acknowledged is on its disk."""
    pair = damaged(make())
    pair.power_off(pair.web1.node)
    assert "db.promote web2 --salvage" in refusal(pair).hint
    promote_replica.promote(LAB, "web2", salvage=True)
    assert pair.writable() == ["web2"] and pair.lost("web2") == ""


def test_where_it_is_gone_for_good_the_loss_can_be_accepted(make: Make) -> None:
    """The report names what is given up."""
    pair = damaged(make())
    pair.power_off(pair.web1.node)
    pair.may_lose, given_up = True, pair.web2.replica.unapplied
    output = "\n".join(promote_replica.promote(LAB, "web2", accept_data_loss=True))
    assert pair.writable() == ["web2"] and f"gives up {given_up}" in output


def test_a_closed_server_that_was_to_listen_is_left_as_it_was(make: Make) -> None:
    """A source of its own would block the commands that are named."""
    pair = damaged(make(CLOSED, replace(REPLICA, gtid_executed=f"{U1}:1-49")))
    assert "db.promote web2 --salvage" in refusal(pair).hint and pair.web1.replica.source == ""
    promote_replica.promote(LAB, "web2", salvage=True)
    assert pair.writable() == ["web2"]


def test_where_the_old_primary_was_made_anew_the_loss_can_be_accepted(make: Make) -> None:
    """It answers, closed and empty: there is nothing to fetch."""
    empty = replace(CLOSED, uuid=U3, gtid_executed="", has_site=False)
    pair = damaged(make(empty, replace(REPLICA, gtid_executed=f"{U1}:1-49")))
    pair.may_lose = True
    assert "db.promote web2 --accept-data-loss" in refusal(pair).hint
    promote_replica.promote(LAB, "web2", accept_data_loss=True)
    assert pair.writable() == ["web2"]


def test_what_was_to_be_fetched_anew_and_was_not_is_missed(make: Make) -> None:
    """The salvage is killed, web1 loses power for good, and the last record is older than the last writes."""
    pair = make(web2=replace(REPLICA, received=""))
    damaged(pair)
    pair.power_off(pair.web1.node)
    pair.interrupt("web2", "SOURCE_AUTO_POSITION", KeyboardInterrupt(), after=True)
    with pytest.raises(KeyboardInterrupt):
        promote_replica.promote(LAB, "web2", salvage=True)
    pair.interruptions.clear()
    pair.power_off(pair.web1.node)
    assert "that a promotion saw" in refusal(pair).evidence
