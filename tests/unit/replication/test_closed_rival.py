"""The other server answers and is closed: what its GTID set proves, and what it does not prove if its data is gone."""

from dataclasses import replace
from typing import Any

import pytest

from lab.errors import CheckFailed
from lab.mysql.last_seen import Seen
from lab.replication import promote_replica
from tests.support.pairs import APART, CLOSED, LAB, REPLICA, U1, U2, WEB2
from tests.unit.conftest import Make
from tests.unit.mysql.test_promotion import CONNECTING, SEEN, promote, refusal

UNCERTAIN: dict[str, dict[str, Any]] = {
    "it was asked to stop": {"ended": "web1: MySQL was asked to stop"},
    "async": {"seen": replace(SEEN, durability="async", waits=False)},
    "nothing is known": {"seen": None},
    "it was being opened": {"seen": replace(SEEN, opening="web1")},
    "the candidate started again": {"seen": replace(SEEN, replica_start="b007 1")},
    "all at once": {"seen": None, "ended": "web1: MySQL was asked to stop"},
}


@pytest.mark.parametrize("known", UNCERTAIN.values(), ids=UNCERTAIN.keys())
def test_a_closed_primary_that_is_cut_off_tells_itself_what_it_has(known: dict[str, Any]) -> None:
    """However it ended: web2 has all its transactions, applied or received. Without an answer each case is a doubt."""
    own = replace(CONNECTING, gtid_executed=f"{U1}:1-42")
    how = promote(own, CLOSED, reached=False, **known)
    assert (how.method, how.attach, how.lost) == ("emergency", False, "") and "closed and cut off" in how.why
    refusal(own, None, reached=False, **known)


ANEW = replace(CLOSED, gtid_executed="", has_site=False)


@pytest.mark.parametrize("seen", [SEEN, None], ids=["seen", "never seen"])
@pytest.mark.parametrize("executed", ["", f"{U1}:1-20"], ids=["made anew", "put back"])
def test_a_primary_without_its_data_tells_nothing(seen: Seen | None, executed: str) -> None:
    """It counts as gone; there is nothing that --salvage could fetch."""
    rival = replace(ANEW, gtid_executed=executed)
    error = refusal(REPLICA, rival, reached=False, seen=seen, ended="web1: MySQL was asked to stop")
    assert "--accept-data-loss" in error.hint and "--salvage" not in error.hint
    if seen:
        assert promote(REPLICA, rival, reached=False).lost == ""


BEHIND = replace(REPLICA, receiving=False, applying=False, gtid_executed=f"{U1}:1-50", received=f"{U1}:40-70")


def test_what_a_primary_that_was_made_anew_acknowledged_must_be_with_the_candidate() -> None:
    """Its relay log is enough, for that is applied; a missing transaction is named and its loss can be accepted."""
    assert promote(BEHIND, ANEW, seen=replace(SEEN, gtid_executed=f"{U1}:1-69")).lost == ""
    for own in (BEHIND, replace(BEHIND, receiving=True, applying=True), replace(APART, gtid_executed=f"{U1}:1-70")):
        known = {"seen": replace(SEEN, gtid_executed=f"{U1}:1-75")}
        error = refusal(own, ANEW, **known)
        assert f"{U1}:71-75" in error.evidence and "--accept-data-loss" in error.hint and "--salvage" not in error.hint
        how = promote(own, ANEW, accept=True, **known)
        assert (how.method, how.attach) == ("planned", False) and f"{U1}:71-75" in how.lost


def test_a_primary_that_was_made_anew_is_doubted_as_one_that_is_gone() -> None:
    """Async, never seen, ended by a normal shutdown: its GTID set shows none of that."""
    for known in UNCERTAIN.values():
        assert "--accept-data-loss" in refusal(BEHIND, ANEW, **known).hint


def test_what_only_the_relay_log_of_the_other_one_has_is_applied_there_first() -> None:
    """A planned change of roles would discard it: --salvage applies it first."""
    rival = replace(CLOSED, source=str(WEB2.ip), received=f"{U1}:51-53")
    error = refusal(APART, rival, seen=replace(SEEN, node="web2"))
    assert f"3 transactions are in the relay log of web1 only: {U1}:51-53" in error.evidence
    assert "invoke db.promote web2 --salvage" in error.hint


def test_what_no_server_has_any_more_stays_a_doubt() -> None:
    """web2 itself was seen with more, and web1 never had that."""
    error = refusal(APART, CLOSED, reached=False, seen=replace(SEEN, node="web2", gtid_executed=f"{U1}:1-50,{U2}:1-2"))
    assert f"2 transactions that web2 had 12 s ago are not on web2: {U2}:1-2" in error.evidence
    assert "--accept-data-loss" in error.hint and "--salvage" not in error.hint


def test_the_relay_log_is_applied_before_it_is_left_where_the_primary_was_made_anew(make: Make) -> None:
    """Its GTID set is empty; what it acknowledged is only in the candidate's relay log."""
    pair = make()
    pair.web2.replica.running = frozenset({"IO"})
    pair.crash(pair.web1)
    pair.web1.executed, pair.web1.has_site = "", False
    pair.web1.start()
    assert pair.lost("web2")
    pair.web2.replica.stuck = True
    with pytest.raises(CheckFailed, match="does not catch up"):
        promote_replica.promote(LAB, "web2")
    assert pair.events == ["web1 closed"] and pair.web2.thrown_away == ""
    pair.web2.replica.stuck = False
    promote_replica.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and pair.lost("web2") == "" and pair.web2.thrown_away == ""
