"""db.promote: what is asked, who is fenced before anybody opens, and what is told. Nodes are doubles."""

import time
from dataclasses import replace
from typing import Any

import pytest

from fabfile import failover, switch
from fabfile.failover import Look
from lab import choices, hypervisor, remembered
from lab.databases import Database
from lab.errors import BadInput, CheckFailed, TimedOut, Unreachable
from tests.unit.conftest import Make
from tests.unit.fake_pair import failed, two
from tests.unit.pairs import CLOSED, LAB, OPEN, PROMOTED, REPLICA, WEB1, WEB2


def lowered(durability: str) -> Database:
    """web2 as it answers after an emergency, with such commits."""
    return replace(REPLICA, durability=durability)


def test_a_planned_promotion_says_what_it_did_and_why(make: Make) -> None:
    """Three lines: who, for how long nobody took writes, how safe commits are and who follows."""
    pair = make()
    lines = failover.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and remembered.degraded() == ""
    assert len(lines) == 3 and "web1 was closed first" in lines[0]
    assert "nobody took writes for" in lines[1] and lines[2].endswith("web1 replicates from it")
    seen = remembered.recall()
    assert seen is not None and seen.node == "web2"


@pytest.mark.parametrize(
    ("power", "dead", "reached", "web1", "fenced"),
    [
        ("paused", False, True, None, "web1 was powered off"),
        ("running", False, True, None, "web1 was powered off"),
        ("running", False, False, OPEN, "web1 was powered off"),
        ("running", True, True, None, "MySQL on web1 was not running"),
        ("off", False, True, None, "web1 is off"),
        ("pmsuspended", False, True, None, "web1 was powered off"),
        ("saving", False, True, None, "web1 was powered off"),
    ],
    ids=["frozen", "silent", "cut off", "mysql dead", "off", "suspended", "unknown"],
)
def test_who_may_still_take_writes_is_powered_off_before_the_survivor_opens(
    make: Make, power: str, dead: bool, reached: bool, web1: Database | None, fenced: str
) -> None:
    """A machine whose MySQL does not run is left alone: it starts read-only."""
    pair = make(web1, power, dead=dead, reached=reached)
    lines = failover.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and lines[1].startswith(fenced)
    opens = pair.notes.index("web2 opens")
    off = "web1 is powered off"
    assert pair.notes[0] == "web2 is ready"
    assert (off in pair.notes[:opens]) == ("powered off" in fenced) and off not in pair.notes[opens:]


def test_an_emergency_says_on_what_knowledge_it_relied(make: Make) -> None:
    """The primary that was seen last, its durability, and how old that is; its end was seen, so no mark is left."""
    remembered.SEEN.unlink()
    remembered.remember(time.time() - 90, [OPEN])
    pair = make(None, "off")
    lines = failover.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and not remembered.OPENING.exists()
    assert "web1 was primary 90 s ago: durability durable, semi-sync ON" in lines[0]


def test_a_promotion_that_was_killed_as_it_opened_is_on_record(make: Make) -> None:
    """web2 took writes, and nobody saw it: what is known of web1 is out of date for a promotion of web1."""
    pair = make(None, "off")
    pair.web2.cut["opens"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        failover.promote(LAB, "web2")
    seen = remembered.recall()
    assert seen is not None and (seen.node, seen.opening) == ("web1", "web2")


def test_nobody_opens_while_the_old_primary_is_not_seen_to_be_off(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hypervisor took the command and nothing came of it: exit code 3."""
    pair = make(None, "crashed")
    monkeypatch.setattr(hypervisor, "power_off", lambda node: None)
    monkeypatch.setattr(hypervisor, "OFF_S", 0.0)
    with pytest.raises(TimedOut, match="web1: is off"):
        failover.promote(LAB, "web2")
    assert pair.writable() == [] and "web2 opens" not in pair.notes


def test_one_who_does_not_reach_the_primary_is_no_proof_that_it_is_gone(make: Make) -> None:
    """The balancer is cut off, or the candidate: nobody loses its power for that."""
    for reached, balancer_reaches in ((True, False), (False, True)):
        pair = make(reached=reached, balancer_reaches=balancer_reaches)
        failover.promote(LAB, "web2")
        assert "web1 closes" in pair.notes and "web1 is powered off" not in pair.notes


def test_where_both_are_up_and_closed_one_is_opened_and_nobody_fenced(make: Make) -> None:
    """Both rebooted, say: it goes as planned, and the other one follows."""
    pair = make(CLOSED)
    lines = failover.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and lines[2].endswith("web1 replicates from it")
    assert pair.web1.state and pair.web1.state.replicating and "web1 is powered off" not in pair.notes


def test_the_survivor_applies_what_it_received_before_it_leaves_its_source(make: Make) -> None:
    """RESET REPLICA throws the relay log away: the wait stands before it. A delay goes while the receiver runs."""
    pair = make(None, "off")
    failover.promote(LAB, "web2")
    script = "".join(pair.web2.scripts)
    order = ["ss -K dst 192.168.56.11 dport", "DESIRED_DELAY", "START REPLICA IO_THREAD", "SOURCE_DELAY = 0"]
    order += ["STOP REPLICA IO_THREAD", "received_transaction_set", "WAIT_FOR_EXECUTED_GTID_SET", "kill $letting_go"]
    order += ["RESET REPLICA ALL", "read_only = IF"]
    places = [script.index(word) for word in order]
    assert places == sorted(places)


def test_without_the_relay_log_the_source_is_left_at_once(make: Make) -> None:
    """A control takes the wait away; fenced is all the same, and the answer says what is thrown away."""
    choices.save({"without": ["relay-log"]})
    pair = make(None, "paused")
    told = failover.promote(LAB, "web2")[1]
    assert "WAIT_FOR" not in "".join(pair.web2.scripts) and "RESET REPLICA ALL" in pair.web2.scripts[-1]
    assert told.startswith("web1 was powered off") and "without relay-log: web2 throws away" in told


def test_without_fencing_the_old_primary_is_left_as_it_is(make: Make) -> None:
    """A control takes that away; all is applied all the same, and the answer says who may take writes."""
    choices.save({"without": ["fencing"]})
    pair = make(None, "paused")
    told = failover.promote(LAB, "web2")[1]
    assert "web1 is powered off" not in pair.notes and "WAIT_FOR" in "".join(pair.web2.scripts)
    assert told == "without fencing: web1 is left as it is: where it runs, it may take writes beside web2"


def test_without_a_replica_durable_becomes_available_and_is_marked_before(make: Make) -> None:
    """Else every write would hang; --stay-durable wants just that."""
    pair = make(None, "off")
    pair.web2.state = lowered("available")
    lines = failover.promote(LAB, "web2")
    assert "rpl_semi_sync_source_timeout = 1000" in pair.web2.scripts[-1] and remembered.degraded() == "web2"
    assert "available (degraded by promote); next: invoke db.rejoin web1" in lines[2]


def test_who_wants_to_stay_durable_does(make: Make) -> None:
    """Nothing is lowered, nothing marked."""
    pair = make(None, "off")
    failover.promote(LAB, "web2", stay_durable=True)
    assert "rpl_semi_sync_source_timeout = 4294967295" in pair.web2.scripts[-1] and remembered.degraded() == ""


def test_a_refusal_changes_nothing_and_fences_nobody(make: Make) -> None:
    """The last state seen was async; accepted, what may be lost is told."""
    remembered.remember(time.time(), [replace(OPEN, durability="async", waits=False)])
    pair = make(None, "running")
    with pytest.raises(CheckFailed, match="acknowledged writes may be on web1 only"):
        failover.promote(LAB, "web2")
    assert pair.notes == ["web2 is ready"] and remembered.degraded() == ""
    lines = failover.promote(LAB, "web2", accept_data_loss=True)
    assert pair.writable() == ["web2"] and "durability async, semi-sync OFF" in lines[-1]


def test_a_primary_that_can_not_be_closed_is_fenced(make: Make) -> None:
    """Its disk is full, say: commits hang, nothing more is acknowledged."""
    pair = make()
    pair.web1.fails["closes"] = failed(6)
    lines = failover.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and lines[1].startswith("web1 was powered off")


def test_a_survivor_that_can_not_apply_all_is_not_opened(make: Make) -> None:
    """Exit code 1, and it can be tried again."""
    pair = make(None, "off")
    pair.web2.fails["applies"] = failed(4)
    with pytest.raises(CheckFailed, match="could not apply") as caught:
        failover.promote(LAB, "web2")
    assert pair.writable() == [] and "db.promote web2" in caught.value.hint
    pair.web2.fails.clear()
    failover.promote(LAB, "web2")
    assert pair.writable() == ["web2"]


def test_the_primary_is_left_alone(make: Make) -> None:
    """Twice the same command: the second one says so, and what is still missing."""
    pair = make(CLOSED)
    pair.web2.state = PROMOTED
    lines = failover.promote(LAB, "web2")
    assert "nothing was changed" in lines[0] and "db.rejoin web1" in lines[1] and pair.notes == []


def test_a_primary_that_still_listens_to_its_replica_gives_that_up(make: Make) -> None:
    """A change of roles was killed half way; a primary has no source."""
    pair = make(CLOSED)
    pair.web2.state = replace(OPEN, node="web2", source=str(WEB1.ip), receiving=True)
    lines = failover.promote(LAB, "web2")
    assert "nothing was changed" in lines[0] and pair.web2.state.source == ""


def test_whose_machine_is_off_is_not_promoted(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, its state and the command that starts it; nobody is asked or fenced."""
    pair = make()
    monkeypatch.setattr(hypervisor, "states", lambda lab: {"lb1": "running", "web1": "running", "web2": "off"})
    with pytest.raises(Unreachable, match="web2 can't be promoted: it is off") as caught:
        failover.promote(LAB, "web2")
    assert (caught.value.exit_code, caught.value.hint, pair.notes) == (3, "invoke lab.up", [])


def test_a_node_that_ssh_does_not_reach_has_said_nothing() -> None:
    """Neither that its MySQL is dead, nor that it is cut off from the other one: so it is fenced, or not promoted."""
    door: Any = two().web1
    door.fails["asks"] = Unreachable("web1: ssh failed")
    assert failover._look(door) == Look(None, dead=False, reaches=True)


def test_who_does_not_answer_is_not_promoted(make: Make) -> None:
    """Exit code 3: its MySQL is silent."""
    pair = make()
    pair.web2.state = None
    with pytest.raises(Unreachable) as caught:
        failover.promote(LAB, "web2")
    assert caught.value.exit_code == 3 and pair.notes == []


@pytest.mark.parametrize("name", ["web3", "lb1"])
def test_only_a_database_can_be_promoted(name: str) -> None:
    """Exit code 2, and the names that can."""
    with pytest.raises(BadInput) as caught:
        switch.pair(LAB, name)
    assert caught.value.exit_code == 2 and WEB2.name in caught.value.hint
