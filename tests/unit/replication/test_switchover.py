"""A planned change of roles: its order, what is undone, and that two servers are never open. Servers are simulated."""

import pytest

from lab.errors import CheckFailed, CommandFailed, Unreachable
from lab.mysql import gtid
from lab.replication import switchover
from lab.replication.switchover import NotClosed, Roles
from tests.support.pairs import CLOSED, LAB, OPEN
from tests.support.simulated.errors import SqlError
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make

FULL = SqlError(1021, "Disk full; waiting for someone to free some space")
GONE = Unreachable("web2: ssh failed")


@pytest.fixture
def pair(make: Make) -> Pair:
    """A healthy pair."""
    return make()


def change(pair: Pair) -> float:
    """Make web2 the primary."""
    asked = pair.asked()
    own, rival = asked["web2"], asked["web1"]
    assert own and rival
    return switchover.planned(Roles.of(LAB, "web2"), own, rival, attach=True)


def test_the_old_primary_is_closed_before_the_new_one_opens_and_nothing_is_lost(pair: Pair) -> None:
    """Writes go on until it is closed; the new primary has all acknowledged writes, and the old one replicates."""
    change(pair)
    assert pair.events == ["web1 closed", "web2 opened"] and pair.lost("web2") == ""
    assert pair.web1.replicating and not pair.web2.replica.source
    pair.web1.replica.work(1)
    assert gtid.subset(pair.acknowledged, pair.web1.executed)


def test_commits_on_the_new_primary_are_as_safe_as_chosen(pair: Pair) -> None:
    """From the first one on: the durability is set before it opens."""
    change(pair)
    assert pair.web2.durability == "durable" and pair.web1.durability in ("none", "async")
    texts = [text for name, text in pair.changes if name == "web2"]
    opens = next(n for n, it in enumerate(texts) if "GLOBAL read_only = IF" in it)
    assert opens > max(n for n, it in enumerate(texts) if "semi_sync" in it)


def test_the_old_primary_is_connected_to_its_replica_before_it_is_closed(pair: Pair) -> None:
    """Connecting takes seconds, and durable commits wait for it; nothing is applied before all is closed."""
    change(pair)
    texts = [text for name, text in pair.changes if name == "web1"]
    assert texts.index("START REPLICA IO_THREAD") < texts.index("SET GLOBAL super_read_only = ON")
    assert texts.index("START REPLICA") > texts.index("SET GLOBAL super_read_only = ON")


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()], ids=["broken", "interrupted"])
def test_who_fails_before_anything_is_closed_leaves_the_primary_without_a_source(
    pair: Pair, error: BaseException
) -> None:
    """Else status would report a change of roles that is not in progress."""
    if isinstance(error, SqlError):
        pair.web2.refused["WAIT_FOR_EXECUTED"] = error
    else:
        pair.interrupt("web2", "WAIT_FOR_EXECUTED", error)
    with pytest.raises((KeyboardInterrupt, CommandFailed)):
        change(pair)
    assert pair.events == [] and pair.web1.replica.source == "" and pair.web1.durability == "durable"


def test_a_replica_that_never_catches_up_costs_no_writes(pair: Pair) -> None:
    """It is noticed before a server closes: exit code 1, nothing was changed."""
    pair.web2.replica.stuck = True
    with pytest.raises(CheckFailed, match="nothing was changed"):
        change(pair)
    assert pair.events == [] and pair.writable() == ["web1"]


def test_a_primary_whose_commits_hang_is_left_as_it_was(pair: Pair) -> None:
    """MySQL gives up waiting for them after seconds, so it does not close later; no other server opens."""
    pair.web1.hangs, pair.nodes.patient = True, False
    with pytest.raises(NotClosed):
        change(pair)
    pair.later()
    assert pair.events == [] and pair.writable() == ["web1"] and pair.web1.replica.source == ""


@pytest.mark.parametrize("before", ["open", "closed"])
def test_a_primary_that_does_not_say_whether_it_is_closed_is_opened_again_if_it_was_open(
    make: Make, before: str
) -> None:
    """By the script that closed it, over another connection."""
    pair = make(OPEN if before == "open" else CLOSED)
    pair.web1.unanswered.append("super_read_only = ON")
    pair.nodes.patient = False
    with pytest.raises(NotClosed):
        change(pair)
    assert pair.writable() == (["web1"] if before == "open" else []) and "web2 opened" not in pair.events


@pytest.mark.parametrize("hangs", ["CHANGE REPLICATION SOURCE", "START REPLICA IO_THREAD"])
def test_a_primary_that_can_not_even_be_told_to_follow_is_none_that_can_be_closed(pair: Pair, hangs: str) -> None:
    """For example its disk is full, and the settings of a source are written there: it takes writes as before."""
    pair.web1.unanswered.append(hangs)
    pair.nodes.patient = False
    with pytest.raises(NotClosed, match="web1 can't be made to replicate from web2"):
        change(pair)
    assert pair.events == [] and pair.writable() == ["web1"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_primary_that_is_lost_while_it_closes_is_told_as_that(pair: Pair, after: bool) -> None:
    """No other server opens; the same command, run again, finds out."""
    pair.interrupt("web1", "super_read_only = ON", Unreachable("web1: ssh failed"), after=after)
    with pytest.raises(Unreachable) as caught:
        change(pair)
    assert "web2 opened" not in pair.events and "run the same command again" in caught.value.hint


@pytest.mark.parametrize("where", ["WAIT_FOR_EXECUTED_GTID_SET", "RESET REPLICA", "read_only = IF"])
def test_the_old_primary_is_opened_again_where_the_candidate_surely_did_not(pair: Pair, where: str) -> None:
    """It ended before it opened, and answers that it is closed and has a source; else the next command is named."""
    _refuse_when_closed(pair, where)
    with pytest.raises(CheckFailed) as caught:
        change(pair)
    if pair.web2.replica.source:
        assert "web1 is the primary as before" in str(caught.value)
        assert pair.writable() == ["web1"] and not pair.web1.replica.source and pair.web1.durability == "durable"
    else:
        assert pair.writable() == [] and "db.promote web2" in caught.value.hint
    assert "web2 opened" not in pair.events


def _refuse_when_closed(pair: Pair, words: str) -> None:
    """Let web2 refuse the statement once web1 is closed."""
    judge = pair.judge

    def refuse(cause: str) -> None:
        judge(cause)
        if "web1 closed" in pair.events:
            pair.web2.refused[words] = FULL

    pair.judge = refuse  # type: ignore[method-assign]


@pytest.mark.parametrize(("after", "writable"), [(False, []), (True, ["web2"])], ids=["before", "after"])
def test_nobody_is_opened_again_while_the_candidate_may_still_open(
    pair: Pair, after: bool, writable: list[str]
) -> None:
    """Its connection was lost, so its script may go on: the old primary stays closed, and the next command is named."""
    pair.interrupt("web2", "read_only = IF", GONE, after=after)
    with pytest.raises(CheckFailed, match="web1 stays closed") as caught:
        change(pair)
    assert pair.writable() == writable and "db.promote web2" in caught.value.hint


def test_an_old_primary_that_does_not_follow_at_once_stops_no_promotion(pair: Pair) -> None:
    """web2 is open; the verification waits for the replica."""
    pair.web1.refused["rpl_semi_sync_source_enabled = OFF"] = FULL
    assert change(pair) >= 0
    assert pair.events == ["web1 closed", "web2 opened"] and not pair.web1.replicating


def test_a_lost_client_is_no_lack_of_catching_up(pair: Pair) -> None:
    """Another error of the preparation is reported as itself."""
    pair.web2.refused["SET SESSION wait_timeout"] = FULL
    with pytest.raises(CommandFailed):
        change(pair)


@pytest.mark.parametrize("reached", [True, False])
def test_a_stop_that_does_not_end_opens_nobody_later(pair: Pair, reached: bool) -> None:
    """web1 takes writes as before, and web2 keeps its source: statements sent with the stop do not run when it ends.

    This also holds if web2 can't be reached any more: the client that gave up has ended its own session.
    """
    pair.web2.replica.torn = pair.web2.replica.stubborn = True
    pair.nodes.patient = False
    if not reached:
        pair.interrupt("web2", "done\nexit 0", GONE)
    with pytest.raises(CheckFailed, match="web1 is the primary as before"):
        change(pair)
    pair.later()
    assert pair.events == ["web1 closed", "web1 opened"] and pair.web2.replica.source


def test_what_goes_on_when_the_candidate_is_lost_is_ended(pair: Pair) -> None:
    """Its shell would open it when the delayed statement returns before the deadline."""
    pair.interrupt("web2", "read_only = IF", GONE, when="while it runs")
    pair.web2.held = ["RESET REPLICA ALL"]
    with pytest.raises(CheckFailed, match="web1 stays closed"):
        change(pair)
    pair.later(0)
    assert pair.events == ["web1 closed"]


@pytest.mark.parametrize("held", ["RESET REPLICA ALL", "rpl_semi_sync_source_timeout =", "GLOBAL read_only = IF"])
def test_a_candidate_that_is_held_up_opens_never(pair: Pair, held: str) -> None:
    """Two would be open if it opened after web1 is opened again."""
    pair.web2.held, pair.nodes.patient = [held], False
    with pytest.raises(CheckFailed):
        change(pair)
    pair.later()
    assert pair.writable() in ([], ["web1"]) and "web2 opened" not in pair.events
