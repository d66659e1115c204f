"""A relay log that was discarded, and a primary that is gone for good: what a promotion knows of them."""

from dataclasses import replace
from typing import Any

import pytest

from lab.errors import CheckFailed
from lab.mysql.data_loss import Situation
from lab.mysql.last_seen import Seen
from lab.mysql.promotion import Promotion, decide
from lab.mysql.server_state import Database
from tests.support.pairs import APART, CLOSED, REPLICA, U1, U2, WEB1, WEB2

NOW = 1000.0
SEEN = Seen(
    NOW - 12, "web1", f"{U1}:1-50", True, "durable", replica_start=REPLICA.start, replica_received=REPLICA.received
)
CUT_OFF = replace(REPLICA, receiving=False, error="connection refused")


def promote(own: Database, seen: Seen = SEEN, **known: Any) -> Promotion:
    """The decision about web2; web1 is gone."""
    return decide(Situation(WEB2, WEB1, own, None, reached=True, seen=seen, now=NOW, **known))


def refusal(own: Database, seen: Seen = SEEN, **known: Any) -> CheckFailed:
    """Why it is refused."""
    with pytest.raises(CheckFailed) as caught:
        promote(own, seen, **known)
    return caught.value


THROWN_AWAY = {
    "by CHANGE REPLICATION SOURCE": replace(CUT_OFF, received=""),
    "and it fetched something since": replace(CUT_OFF, received=f"{U1}:50"),
    "by RESET REPLICA ALL": replace(APART, received=""),
}


@pytest.mark.parametrize("own", THROWN_AWAY.values(), ids=THROWN_AWAY)
def test_a_relay_log_that_was_thrown_away_is_a_doubt(own: Database) -> None:
    """The primary was not seen after that: what had been confirmed and not applied is gone."""
    assert "the relay log on web2 was discarded" in refusal(own).evidence


@pytest.mark.parametrize("own", [CUT_OFF, replace(CUT_OFF, received=f"{U1}:40-52")], ids=["as it was", "and more"])
def test_a_relay_log_that_only_grew_is_none(own: Database) -> None:
    """Whether replication runs or not."""
    assert promote(own).lost == ""


def test_a_promotion_that_changed_nothing_is_no_excuse() -> None:
    """It gave up while the replica lagged, notes came after it, and the delay was removed by hand."""
    error = refusal(replace(CUT_OFF, received=""), replace(SEEN, had=REPLICA.has))
    assert "the relay log on web2 was discarded" in error.evidence


def test_a_promotion_that_left_the_source_itself_is_none_either() -> None:
    """It had applied all it could receive and still has it; what it lost since is missed."""
    assert promote(APART, replace(SEEN, had=REPLICA.has, left=True)).lost == ""
    assert "that a promotion saw" in refusal(APART, replace(SEEN, had=f"{U1}:1-51", left=True)).evidence


def test_one_that_had_only_begun_does_not_excuse_who_has_no_source_any_more() -> None:
    """More was received after its query, and RESET REPLICA ALL was run by hand after it had been killed."""
    assert "the relay log on web2 was discarded" in refusal(APART, replace(SEEN, had=REPLICA.has)).evidence


def test_a_machine_that_is_no_more_is_not_salvaged() -> None:
    """There is nothing to start."""
    assert "--salvage" not in refusal(REPLICA, ended="it was asked to stop", gone=True).hint


def test_who_has_all_and_purged_it_is_opened_where_the_other_one_was_made_anew() -> None:
    """The other server can't fetch it any more, and --salvage would be refused: accepting the loss works."""
    own = replace(REPLICA, gtid_executed=f"{U1}:1-50,{U2}:1-3", purged=f"{U1}:1-40")
    closed = replace(CLOSED, gtid_executed="", has_site=False)
    situation = Situation(WEB2, WEB1, own, closed, reached=True, seen=SEEN, now=NOW)
    with pytest.raises(CheckFailed) as caught:
        decide(replace(situation, seen=replace(SEEN, durability="async", waits=False)))
    assert "db.promote web2 --accept-data-loss" in caught.value.hint
    how = decide(situation, accept_data_loss=True)
    assert how.method == "planned" and not how.attach
