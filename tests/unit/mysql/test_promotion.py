"""Which server may be promoted, how, and which writes that may lose."""

from dataclasses import replace
from typing import Any

import pytest

from lab.errors import CheckFailed
from lab.mysql.data_loss import Situation
from lab.mysql.last_seen import Seen
from lab.mysql.promotion import Promotion, decide, emergency
from lab.mysql.server_state import Database
from tests.support.pairs import APART, CLOSED, OPEN, PROMOTED, REPLICA, U1, U2, WEB1, WEB2

NOW = 1000.0
SEEN = Seen(NOW - 12, "web1", f"{U1}:1-50", True, "durable", replica_start=REPLICA.start)
CONNECTING = replace(REPLICA, receiving=False, error="connection refused")


def promote(own: Database, rival: Database | None, *, accept: bool = False, **changed: Any) -> Promotion:
    """The decision about web2, with web1 as the other server."""
    known: dict[str, Any] = {"reached": True, "seen": SEEN, **changed}
    return decide(Situation(WEB2, WEB1, own, rival, now=NOW, **known), accept_data_loss=accept)


def refusal(own: Database, rival: Database | None, **changed: Any) -> CheckFailed:
    """Why it is refused: exit code 1."""
    with pytest.raises(CheckFailed) as caught:
        promote(own, rival, **changed)
    assert caught.value.exit_code == 1 and caught.value.hint
    return caught.value


PLANNED = {
    "a healthy pair": (REPLICA, OPEN),
    "closed by a promotion that was interrupted": (REPLICA, CLOSED),
    "the threads stopped, but it has everything": (replace(REPLICA, applying=False, receiving=False), CLOSED),
    "what it lacks is in its relay log": (replace(CONNECTING, gtid_executed=f"{U1}:1-42"), CLOSED),
    "it applies yet what the other one has": (replace(REPLICA, gtid_executed=f"{U1}:1-40", received=""), CLOSED),
    "both follow each other, and nobody is open": (REPLICA, replace(CLOSED, source=str(WEB2.ip))),
    "its source was left already": (APART, CLOSED),
    "it was the primary and rebooted": (APART, replace(CLOSED, source=str(WEB2.ip))),
    "it has more than the other one": (replace(APART, gtid_executed=f"{U1}:1-60"), CLOSED),
}


@pytest.mark.parametrize(("own", "rival"), PLANNED.values(), ids=PLANNED.keys())
def test_where_both_answer_and_nothing_is_missing_it_is_planned(own: Database, rival: Database) -> None:
    """Whatever step an earlier promotion reached, it is completed; nothing is lost, the other server replicates."""
    how = promote(own, rival)
    assert (how.method, how.attach, how.lost) == ("planned", True, "")


REFUSED = {
    "errant transactions": (replace(REPLICA, gtid_executed=f"{U1}:1-50,{U2}:1-3"), OPEN, "3 transactions", "db.rejoin"),
    "does not replicate": (CONNECTING, OPEN, "does not replicate from web1", "db.rejoin web2"),
    "lacks what a closed one has": (
        replace(CONNECTING, gtid_executed=f"{U1}:1-40", received=""),
        CLOSED,
        "does not replicate",
        "db.promote web2 --salvage",
    ),
    "a stranger's replica": (replace(REPLICA, source="192.168.56.99"), OPEN, "192.168.56.99", "lab.reset"),
    "an old primary that came back": (APART, OPEN, "which is open", "db.rejoin web2"),
    "two writable": (replace(APART, writable=True), OPEN, "both writable", "lab.reset"),
    "the other one has more": (
        replace(APART, gtid_executed=f"{U1}:1-45"),
        CLOSED,
        "5 transactions are on web1 only",
        "db.promote web1",
    ),
    "both have transactions of their own": (
        replace(PROMOTED, writable=False),
        replace(CLOSED, gtid_executed=f"{U1}:1-53"),
        "transactions of their own",
        "invoke db.promote web1, then invoke db.rejoin web2",
    ),
}


@pytest.mark.parametrize(("own", "rival", "what", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_break_the_data_is_refused_with_the_way_out(
    own: Database, rival: Database, what: str, hint: str
) -> None:
    """Exit code 1, the reason, the next command."""
    error = refusal(own, rival)
    assert what in error.what and hint in error.hint


def test_a_refusal_names_no_command_that_is_refused_too() -> None:
    """web1 has more, written by hand while it was a replica: it can't be promoted, but web2 can fetch that."""
    more = replace(CLOSED, source=str(WEB2.ip), gtid_executed=f"{U1}:1-53")
    assert "invoke db.promote web2 --salvage" in refusal(APART, more).hint
    errant = replace(REPLICA, gtid_executed=f"{U1}:1-50,{U2}:1-3")
    assert refusal(errant, more).hint.endswith("invoke lab.reset") and "db." not in refusal(errant, more).hint


def test_two_histories_are_told_apart_and_one_can_be_chosen() -> None:
    """The evidence counts what only each has; if the loss is accepted, the other server is not attached."""
    own, rival = replace(PROMOTED, writable=False), replace(CLOSED, gtid_executed=f"{U1}:1-53")
    assert "7 transactions are on web2 only; 3 transactions are on web1 only" in refusal(own, rival).evidence
    how = promote(own, rival, accept=True)
    assert (how.method, how.attach) == ("planned", False) and f"{U1}:51-53" in how.lost


def test_who_is_primary_already_is_left_alone() -> None:
    """With the other server gone, not attached, or replicating."""
    for rival in (None, CLOSED, replace(CLOSED, source=str(WEB2.ip), receiving=True, applying=True)):
        assert promote(PROMOTED, rival).method == "nothing"


LAST = replace(SEEN, node="web2", gtid_executed=f"{U1}:1-50,{U2}:1-7")
TOOK_OVER = replace(APART, gtid_executed=f"{U1}:1-50,{U2}:1-9")
# Its last commits waited for a replica when its power was cut.
LEFT_BEHIND = replace(CLOSED, gtid_executed=f"{U1}:1-53")


def test_after_a_reboot_of_both_the_last_primary_opens_again() -> None:
    """What only the other server has was given up when this one was opened; what this one acknowledged must stay."""
    how = promote(TOOK_OVER, LEFT_BEHIND, seen=LAST)
    assert (how.method, how.attach, how.lost) == (
        "planned",
        False,
        "",
    ) and "3 transactions are on web1 only" in how.why
    with pytest.raises(CheckFailed) as caught:
        decide(Situation(WEB1, WEB2, LEFT_BEHIND, TOOK_OVER, reached=True, seen=LAST, now=NOW))
    assert "invoke db.promote web2" in caught.value.hint and "--accept-data-loss" not in caught.value.hint


@pytest.mark.parametrize(
    ("rival", "seen"),
    [
        (LEFT_BEHIND, None),
        (LEFT_BEHIND, replace(LAST, opening="web1")),
        (LEFT_BEHIND, replace(LAST, gtid_executed=f"{U2}:1-12")),
        (replace(LEFT_BEHIND, source=str(WEB2.ip)), LAST),
    ],
    ids=["never seen", "the other one was being opened", "put back since", "its replica"],
)
def test_where_it_is_not_sure_who_was_last_somebody_has_to_choose(rival: Database, seen: Seen | None) -> None:
    """Each may have acknowledged what only it has."""
    assert "--accept-data-loss" in refusal(TOOK_OVER, rival, seen=seen).hint


@pytest.mark.parametrize("rival", [None, OPEN], ids=["silent", "cut off"])
def test_a_durable_primary_that_is_gone_loses_nothing(rival: Database | None) -> None:
    """The replica has what it acknowledged, applied or only received; a primary that no node reaches is gone too."""
    behind = replace(CONNECTING, gtid_executed=f"{U1}:1-42")
    how = promote(behind, rival, reached=False)
    assert (how.method, how.attach, how.lost) == ("emergency", False, "")


def test_a_server_that_was_the_primary_itself_may_open_again() -> None:
    """It rebooted, and its replica is gone."""
    how = promote(APART, None, seen=replace(SEEN, node="web2"))
    assert how.method == "emergency" and "web2 was primary 12 s ago" in how.why


def test_the_age_of_what_is_known_is_said_and_refuses_nothing() -> None:
    """Durable since yesterday is durable: each change since then would be on record."""
    how = promote(REPLICA, None, seen=replace(SEEN, at=NOW - 90_000))
    assert (how.method, how.lost) == ("emergency", "") and "web1 was primary 90000 s ago" in how.why


def test_a_promotion_of_itself_that_was_interrupted_is_no_doubt() -> None:
    """It has the writes that it took itself."""
    assert promote(REPLICA, None, seen=replace(SEEN, opening="web2")).lost == ""


DOUBTS: dict[str, tuple[Seen | None, Database, str]] = {
    "nothing is known": (None, REPLICA, "never seen as primary"),
    "async": (replace(SEEN, durability="async", waits=False), REPLICA, "durability async, semi-sync OFF"),
    "available": (replace(SEEN, durability="available"), REPLICA, "durability available, semi-sync ON"),
    "semi-sync gave up": (replace(SEEN, durability="available", waits=False), REPLICA, "semi-sync OFF"),
    "fewer than were seen": (
        SEEN,
        replace(REPLICA, gtid_executed=f"{U1}:1-40", received=f"{U1}:40-44"),
        f"6 transactions that web1 had 12 s ago are not on web2: {U1}:45-50",
    ),
    "received and lost again": (SEEN, replace(REPLICA, gtid_executed=f"{U1}:1-48", received=""), f"{U1}:49-50"),
    "the other one was being opened": (
        replace(SEEN, node="web2", opening="web1"),
        APART,
        "a later promotion began to open web1 for writes",
    ),
    "started again since": (
        SEEN,
        replace(REPLICA, age_s=5, start="b007 200"),
        "MySQL on web2 started 5 s ago",
    ),
}


@pytest.mark.parametrize(("seen", "own", "reason"), DOUBTS.values(), ids=DOUBTS.keys())
def test_what_may_be_lost_is_refused_unless_it_is_accepted(seen: Seen | None, own: Database, reason: str) -> None:
    """The last observed state and what is missing, with their age; if accepted, they are the possible loss."""
    error = refusal(own, None, seen=seen)
    assert reason in error.evidence and "--accept-data-loss" in error.hint
    how = promote(own, None, seen=seen, accept=True)
    assert how.method == "emergency" and reason in how.lost


def test_a_replica_that_started_before_the_primary_was_seen_is_promoted() -> None:
    """It has fetched what it had confirmed until then, or that is missed. No clock counts: it may be paused."""
    assert promote(replace(REPLICA, age_s=1), None, seen=SEEN).lost == ""


def test_a_restart_of_the_replica_is_no_matter_of_heartbeats() -> None:
    """MySQL sends a heartbeat while it skips transactions, before it sends the first missing one."""
    with pytest.raises(CheckFailed):
        promote(replace(REPLICA, start="b007 200"), None, seen=SEEN)


def test_a_start_that_nobody_can_name_is_a_doubt() -> None:
    """Two unknown starts are not the same, though both are ''."""
    unknown = replace(REPLICA, start="")
    assert "started" in refusal(unknown, None, seen=replace(SEEN, replica_start="")).evidence


def test_what_only_a_primary_that_answers_has_is_a_doubt() -> None:
    """Cut off and started again: it answers over the management network, so what it has is known."""
    error = refusal(REPLICA, replace(CLOSED, gtid_executed=f"{U1}:1-53"), reached=False)
    assert f"3 transactions are on web1 only: {U1}:51-53" in error.evidence and "--salvage" in error.hint


def test_an_open_primary_that_can_not_be_closed_is_healed_and_not_salvaged() -> None:
    """It runs: --salvage would find nothing to start, and be refused again."""
    seen = replace(SEEN, durability="available")
    error = refusal(REPLICA, OPEN, seen=seen, reached=False)
    assert "fault.heal" in error.hint and "--salvage" not in error.hint


def test_a_primary_whose_commits_hang_counts_as_gone() -> None:
    """It answers and can't be closed: the same rules as for one that is gone."""
    situation = Situation(WEB2, WEB1, REPLICA, OPEN, True, SEEN, NOW)
    assert emergency(situation).method == "emergency"
    with pytest.raises(CheckFailed):
        emergency(replace(situation, seen=replace(SEEN, durability="async")))


def test_durable_is_believed_only_while_commits_wait_for_the_replica() -> None:
    """Semi-sync may be OFF whatever was chosen; then a commit returned without the replica."""
    error = refusal(REPLICA, None, seen=replace(SEEN, waits=False))
    assert "durability durable, semi-sync OFF" in error.evidence
