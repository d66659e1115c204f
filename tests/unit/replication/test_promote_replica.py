"""db.promote: what is asked, what is fenced before a server opens, and what is reported. Servers are simulated."""

import json
import time
from dataclasses import replace

import pytest

from lab.durability import Durability
from lab.errors import BadInput, CheckFailed, TimedOut, Unreachable
from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.mysql import last_seen
from lab.nodes import vm_power
from lab.nodes.ssh import Machine
from lab.replication import promote_replica, survey, switchover
from lab.replication.survey import Look
from tests.support.pairs import CLOSED, LAB, OPEN, PROMOTED, REPLICA, WEB1, WEB2
from tests.unit.conftest import Make

FENCED = ["web1 powered off", "web1 closed", "web2 opened"]
CUT_OFF = ("web2", "lb1")


def test_a_planned_promotion_says_what_it_did_and_why(make: Make) -> None:
    """Three lines: the primary, for how long no server took writes, the durability and the replica."""
    pair = make()
    lines = promote_replica.promote(LAB, "web2")
    assert pair.events == ["web1 closed", "web2 opened"] and last_seen.degraded() == ""
    assert len(lines) == 3 and "web1 was closed first" in lines[0]
    assert "no server took writes for" in lines[1] and "web1 replicates from it" in lines[2]
    seen = last_seen.recall()
    assert seen is not None and seen.node == "web2"


@pytest.mark.parametrize(
    ("state", "fenced", "events"),
    [
        ({"power": "paused"}, "web1 was powered off", FENCED),
        ({"silent": True}, "web1 was powered off", FENCED),
        ({"unreached_by": CUT_OFF}, "web1 was powered off", FENCED),
        ({"dead": True}, "MySQL on web1 was not running", ["web2 opened"]),
        ({"power": "off"}, "web1 is off", ["web2 opened"]),
        ({"power": "pmsuspended"}, "web1 was powered off", FENCED),
        ({"power": "saving"}, "web1 was powered off", FENCED),
        ({"power": "saved"}, "web1 was powered off", FENCED),
    ],
    ids=["frozen", "silent", "cut off", "mysql dead", "off", "suspended", "unknown", "saved"],
)
def test_who_may_still_take_writes_is_powered_off_before_the_survivor_opens(
    make: Make, state: dict[str, object], fenced: str, events: list[str]
) -> None:
    """A machine whose MySQL does not run is left alone: it starts read-only. All that was acknowledged is applied."""
    pair = make(**state)
    assert pair.acknowledged and pair.lost("web2")  # in the relay log so far
    lines = promote_replica.promote(LAB, "web2")
    assert pair.events == events and fenced in lines[1]
    assert pair.lost("web2") == "" and pair.web2.thrown_away == ""


@pytest.mark.parametrize("power", ["running", "off"])
def test_the_site_is_asked_with_a_note_of_the_promoted_server(make: Make, power: str) -> None:
    """Its oldest, in full: the site's list may be the old primary's, with notes that no other server has."""
    pair = make(power=power)
    promote_replica.promote(LAB, "web2")
    assert [json.loads(note) for note in pair.sent] == [{"token": "known-to-web2", "body": "a note"}]


def test_an_emergency_says_on_what_knowledge_it_relied(make: Make) -> None:
    """The last primary seen, its durability, and how long ago; the outcome was observed, so no mark is left."""
    pair = make(power="off")
    last_seen.SEEN.unlink()
    last_seen.remember(time.time() - 90, [OPEN, REPLICA])
    lines = promote_replica.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and not last_seen.OPENING.exists()
    assert "web1 was primary 90 s ago: durability durable, semi-sync ON" in lines[0]


def test_a_promotion_that_was_killed_as_it_opened_is_on_record(make: Make) -> None:
    """web2 took writes unobserved: for a promotion of web1 the record of web1 is outdated."""
    pair = make(power="off")
    pair.interrupt("web2", "SET GLOBAL read_only", KeyboardInterrupt(), after=True)
    with pytest.raises(KeyboardInterrupt):
        promote_replica.promote(LAB, "web2")
    seen = last_seen.recall()
    assert seen is not None and (seen.node, seen.opening) == ("web1", "web2")


def test_nobody_opens_while_the_old_primary_is_not_seen_to_be_off(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hypervisor accepted the command without effect: exit code 3."""
    pair = make(power="crashed")
    monkeypatch.setattr(vm_power, "power_off", lambda node: None)
    monkeypatch.setattr(vm_power, "OFF_S", 0.0)
    with pytest.raises(TimedOut, match="web1: is off"):
        promote_replica.promote(LAB, "web2")
    assert pair.events == [] and "web2" not in pair.writable()


@pytest.mark.parametrize("unreached_by", ["web2", "lb1"])
def test_one_who_does_not_reach_the_primary_is_no_proof_that_it_is_gone(make: Make, unreached_by: str) -> None:
    """The balancer is cut off, or the candidate: no node is powered off for that."""
    pair = make(unreached_by=[unreached_by])
    promote_replica.promote(LAB, "web2")
    assert pair.events == ["web1 closed", "web2 opened"]


def test_where_both_are_up_and_closed_one_is_opened_and_nobody_fenced(make: Make) -> None:
    """For example both rebooted: it goes as planned, and the other server replicates."""
    pair = make(CLOSED)
    lines = promote_replica.promote(LAB, "web2")
    assert pair.events == ["web2 opened"] and pair.web1.replicating and "web1 replicates from it" in lines[2]


@pytest.mark.parametrize("delay", [0, 7200])
def test_a_survivor_that_is_told_to_be_late_applies_all_at_once(make: Make, delay: int) -> None:
    """Its delay is removed while its receiver runs, or MySQL would discard the relay log."""
    pair = make(power="off")
    pair.web2.replica.delay = delay
    promote_replica.promote(LAB, "web2")
    assert pair.events == ["web2 opened"] and pair.lost("web2") == ""
    assert bool(pair.statements("web2", "SOURCE_DELAY")) == bool(delay)


def test_a_receiver_that_does_not_notice_that_its_source_is_gone_loses_its_connection(make: Make) -> None:
    """Else it would stop much later."""
    pair = make(power="off")
    pair.web2.replica.deaf = True
    promote_replica.promote(LAB, "web2")
    assert pair.events == ["web2 opened"] and pair.lost("web2") == ""


def test_without_a_replica_durable_becomes_available_and_is_marked_before(make: Make) -> None:
    """Else every write would hang; the mark says that this was not the choice."""
    pair = make(power="off")
    pair.interrupt("web2", "SET GLOBAL read_only", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        promote_replica.promote(LAB, "web2")
    assert last_seen.degraded() == "web2" and pair.events == []
    pair.interruptions.clear()
    lines = promote_replica.promote(LAB, "web2")
    assert pair.web2.durability == "available" and last_seen.degraded() == "web2"
    assert "available (degraded by promote); next: invoke db.rejoin web1" in lines[2]


def test_who_wants_to_stay_durable_does(make: Make) -> None:
    """Nothing is lowered or marked; writes wait."""
    pair = make(power="off")
    promote_replica.promote(LAB, "web2", stay_durable=True)
    assert pair.web2.durability == "durable" and last_seen.degraded() == ""
    before = pair.acknowledged
    pair.visit()
    assert pair.acknowledged == before


def test_a_refusal_changes_nothing_and_fences_nobody(make: Make) -> None:
    """The last recorded durability was async; if the loss is accepted, the report names it."""
    pair = make(power="paused")
    last_seen.remember(time.time(), [replace(OPEN, durability=Durability.ASYNC, waits=False)])
    with pytest.raises(CheckFailed, match="acknowledged writes may be on web1 only"):
        promote_replica.promote(LAB, "web2")
    assert pair.changes == [] and pair.events == [] and last_seen.degraded() == ""
    lines = promote_replica.promote(LAB, "web2", accept_data_loss=True)
    assert pair.events == FENCED and "durability async, semi-sync OFF" in lines[-1]


def test_a_primary_that_can_not_be_closed_is_fenced(make: Make) -> None:
    """For example its disk is full: commits hang, nothing more is acknowledged."""
    pair = make()
    pair.web1.hangs = True
    lines = promote_replica.promote(LAB, "web2")
    assert pair.events == FENCED and "web1 was powered off" in lines[1] and pair.lost("web2") == ""


@pytest.mark.parametrize("silent", [False, True])
def test_the_primary_is_left_alone(make: Make, silent: bool) -> None:
    """The same command twice: the second one reports that, and what is still missing."""
    pair = make(CLOSED, PROMOTED, silent=silent)
    lines = promote_replica.promote(LAB, "web2")
    assert pair.changes == [] and lines[0] == "web2 is already the primary" and "db.rejoin web1" in lines[1]


@pytest.mark.parametrize("applying", [True, False])
def test_a_promotion_is_done_only_where_the_old_primary_applies(make: Make, applying: bool) -> None:
    """It received before it was closed, and was not set to follow: that is reported, with the next command."""
    pair = make(replace(CLOSED, source=str(WEB2.ip), receiving=True, applying=applying), PROMOTED)
    lines = promote_replica.promote(LAB, "web2")
    assert pair.changes == [] and ("nothing was changed" in lines[0]) is applying
    assert applying or "web1 does not replicate from it; next: invoke db.rejoin web1" in lines[1]


def test_a_primary_that_still_listens_to_its_replica_gives_that_up(make: Make) -> None:
    """A change of roles was killed half way; a primary must not have a source."""
    pair = make(CLOSED, replace(PROMOTED, source=str(WEB1.ip), receiving=True))
    lines = promote_replica.promote(LAB, "web2")
    assert "is already the primary" in lines[0] and pair.web2.replica.source == "" and pair.events == []


def test_whose_machine_is_off_is_not_promoted(make: Make) -> None:
    """Exit code 3, its state and the command that starts it; no server is asked or fenced."""
    pair = make()
    pair.power["web2"] = "off"
    with pytest.raises(Unreachable, match="web2 can't be promoted: it is off") as caught:
        promote_replica.promote(LAB, "web2")
    assert (caught.value.exit_code, caught.value.hint, pair.scripts) == (3, "invoke lab.up", [])


def test_a_node_that_ssh_does_not_reach_has_said_nothing(make: Make) -> None:
    """Neither that its MySQL is dead, nor that it can't reach the other node: so it is fenced, or not promoted."""
    make(power="paused")
    assert survey._look(Machine(WEB1)) == Look(None, dead=False, reaches=True)


def test_who_does_not_answer_is_not_promoted(make: Make) -> None:
    """Exit code 3: its MySQL does not answer."""
    pair = make(web2=REPLICA)
    pair.web2.silent = True
    with pytest.raises(Unreachable) as caught:
        promote_replica.promote(LAB, "web2")
    assert caught.value.exit_code == 3 and pair.changes == []


@pytest.mark.parametrize("name", ["web3", "lb1"])
def test_only_a_database_can_be_promoted(name: str) -> None:
    """Exit code 2, and the names to choose from."""
    with pytest.raises(BadInput) as caught:
        switchover.pair(LAB, name)
    assert caught.value.exit_code == 2 and WEB2.name in str(caught.value)


def test_a_hint_heals_the_fault_that_would_refuse_it(make: Make) -> None:
    """web1 came back although the fault that ended it is still active."""
    pair = make(CLOSED, PROMOTED)
    ledger.add(Fault("service-kill", "web1", service="mysql"), 1.0)
    with pytest.raises(CheckFailed) as caught:
        promote_replica.promote(LAB, "web1")
    assert "invoke fault.heal, then invoke db.rejoin web1" in caught.value.hint and pair.changes == []
