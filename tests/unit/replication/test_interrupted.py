"""An interrupted promotion is completed by the same command; a failed one is over. Servers are simulated."""

from collections.abc import Sequence
from unittest.mock import Mock

import pytest

from lab.errors import CheckFailed
from lab.mysql import last_seen
from lab.mysql.server_state import Database
from lab.nodes import vm_power
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.replication import promote_replica, set_durability
from lab.topology import Node
from tests.support.pairs import LAB
from tests.support.simulated.errors import SqlError
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make

CONNECT, CATCH_UP, LISTEN = "wait_timeout", "WAIT_FOR_EXECUTED_GTID_SET", "START REPLICA IO_THREAD"
CLOSE, OPEN, FOLLOW = "super_read_only = ON", "SET GLOBAL read_only", "START REPLICA;"
# A server, and text of the scripts that are interrupted.
PLANNED = [("web1", LISTEN), ("web2", CATCH_UP), ("web1", CLOSE), ("web2", OPEN), ("web1", FOLLOW), ("web1", CONNECT)]
EMERGENCY = [("web2", CONNECT), ("web2", CATCH_UP), ("web2", OPEN)]
WHEN = {"before it is done": False, "after it is done": True}


def interrupted(pair: Pair, step: tuple[str, str], *, after: bool) -> None:
    """Interrupt a promotion at a step, then run it again."""
    interruption = pair.interrupt(*step, KeyboardInterrupt(), after=after)
    with pytest.raises(KeyboardInterrupt):
        promote_replica.promote(LAB, "web2")
    assert interruption.happened and len(pair.writable()) < 2
    pair.interruptions.clear()
    promote_replica.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and pair.lost("web2") == ""


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("step", PLANNED, ids=" ".join)
def test_a_planned_promotion_is_completed(make: Make, step: tuple[str, str], when: str) -> None:
    """Whether the server executed the script or not, two never take writes."""
    interrupted(make(), step, after=WHEN[when])


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("step", EMERGENCY, ids=" ".join)
def test_an_emergency_is_completed(make: Make, step: tuple[str, str], when: str) -> None:
    """The old primary stays fenced."""
    pair = make(power="paused")
    interrupted(pair, step, after=WHEN[when])
    assert pair.power["web1"] == "off"


@pytest.mark.parametrize(
    ("power", "steps"), [("running", PLANNED), ("paused", EMERGENCY)], ids=["planned", "emergency"]
)
def test_every_script_that_changes_something_is_interrupted_here(
    make: Make, power: str, steps: list[tuple[str, str]]
) -> None:
    """A new step of a promotion needs its own row."""
    pair = make(power=power)
    promote_replica.promote(LAB, "web2")
    changing = [it for it in pair.scripts if any(word in it[1] for word in ("SET GLOBAL", "REPLICA;", "THREAD;"))]
    assert changing
    for node, text in changing:
        assert any(node == name and words in text for name, words in steps), text


def test_what_a_command_that_was_killed_left_opens_nobody_beside_the_next_one(make: Make) -> None:
    """It was about to open web2, which is delayed; then web1 is promoted again, and web2 goes on."""
    pair = make()
    pair.interrupt("web2", OPEN, KeyboardInterrupt(), when="while it runs")
    pair.web2.held = ["STOP REPLICA"]
    with pytest.raises(KeyboardInterrupt):
        promote_replica.promote(LAB, "web2")
    pair.interruptions.clear()
    pair.web2.held.clear()
    promote_replica.promote(LAB, "web1")
    pair.later()
    assert pair.events == ["web1 closed", "web1 opened"]


def test_who_is_interrupted_while_he_fences_has_opened_nobody(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The survivor opens only after that; run again, the old primary is fenced and the survivor opens."""
    pair = make(power="paused")
    fence = vm_power.power_off

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(vm_power, "power_off", interrupt)
    with pytest.raises(KeyboardInterrupt):
        promote_replica.promote(LAB, "web2")
    assert pair.events == []
    monkeypatch.setattr(vm_power, "power_off", fence)
    promote_replica.promote(LAB, "web2")
    assert pair.events == ["web1 powered off", "web1 closed", "web2 opened"]


def test_that_a_promotion_begins_is_on_record_before_it_does_anything(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be killed at any moment: the next promotion must know which server may have been opened."""
    pair, marks = make(power="paused"), list[str]()
    fence = vm_power.power_off

    def notes(node: Node) -> None:
        marks.append(last_seen.OPENING.read_text(encoding="utf-8") if last_seen.OPENING.exists() else "")
        fence(node)

    monkeypatch.setattr(vm_power, "power_off", notes)
    promote_replica.promote(LAB, "web2")
    assert len(marks) == 1 and '"web2"' in marks[0] and pair.writable() == ["web2"]


@pytest.mark.parametrize(("ends", "opening"), [(True, ""), (False, "web2")], ids=["ended", "goes on"])
def test_a_promotion_that_changed_nothing_is_no_doubt_later(make: Make, ends: bool, opening: str) -> None:
    """Unless its client can't be ended: that may still open the server."""
    pair = make()
    pair.web2.replica.stuck = True
    if not ends:
        pair.web2.refused["KILL"] = SqlError(1021, "Disk full")
    with pytest.raises(CheckFailed, match="nothing was changed"):
        promote_replica.promote(LAB, "web2")
    seen = last_seen.recall()
    assert seen and (seen.node, seen.opening) == ("web1", opening)


def test_after_a_planned_promotion_the_replica_has_something_in_its_relay_log(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written; from its content the next promotion finds out whether the relay log was discarded since."""
    pair = make()
    monkeypatch.setattr(pair, "visit", lambda: None)
    promote_replica.promote(LAB, "web2")
    seen = last_seen.recall()
    assert seen and seen.replica_received


def test_what_came_after_a_promotion_that_was_killed_is_missed_where_it_is_thrown_away(make: Make) -> None:
    """It waited for the relay log; then RESET REPLICA ALL is run by hand, and the primary loses power."""
    pair = make()
    pair.interrupt("web2", CATCH_UP, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        promote_replica.promote(LAB, "web2")
    pair.interruptions.clear()
    with pair.lock:
        pair.visit()
        pair.web2.replica.running = frozenset()
        pair.web2.replica.reset(everything=True)
    pair.power_off(pair.web1.node)
    with pytest.raises(CheckFailed, match="acknowledged writes may be"):
        promote_replica.promote(LAB, "web2")


def test_a_change_of_roles_that_went_on_alone_leaves_something_in_the_relay_log(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command was killed, its scripts did the rest, and nothing is written: later there is something to compare."""
    pair = make()
    monkeypatch.setattr(pair, "visit", lambda: None)
    pair.interrupt("web1", FOLLOW, KeyboardInterrupt(), after=True)
    with pytest.raises(KeyboardInterrupt):
        promote_replica.promote(LAB, "web2")
    pair.interruptions.clear()
    promote_replica.promote(LAB, "web2")
    seen = last_seen.recall()
    assert seen and (seen.node, seen.opening) == ("web2", "") and seen.replica_received


def test_a_promotion_that_failed_twice_has_no_doubt_of_itself(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It left its source after it had applied all, and was too late to open; then it was killed early."""
    pair = make(power="off")
    pair.web2.slow["rpl_semi_sync_source_timeout ="] = 30
    with pytest.raises(CheckFailed, match="it could not open"):
        promote_replica.promote(LAB, "web2")
    pair.web2.slow.clear()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(promote_replica, "fence", Mock(side_effect=KeyboardInterrupt))
        promote_replica.promote(LAB, "web2")
    promote_replica.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and pair.lost("web2") == ""


def test_a_replica_that_is_silent_for_a_moment_is_asked_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would not be known which process confirms from now on."""
    make()
    silent = ["web1"]

    def asked(machines: Sequence[Machine], first: str = "") -> dict[str, Database | None]:
        answers = databases_of(machines, first) | dict.fromkeys(silent)
        silent.clear()
        return answers

    monkeypatch.setattr(set_durability, "databases_of", asked)
    promote_replica.promote(LAB, "web2")
    seen = last_seen.recall()
    assert seen and seen.node == "web2" and seen.replica_start


def test_a_promotion_whose_replica_is_lost_just_then_has_not_failed(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is open; its first transaction does not wait for a replica."""
    pair = make()
    monkeypatch.setattr(pair, "visit", lambda: None)
    pair.web2.refused["CREATE DATABASE"] = SqlError(1317, "Query execution was interrupted")
    assert "web2 is the primary" in promote_replica.promote(LAB, "web2")[0]
