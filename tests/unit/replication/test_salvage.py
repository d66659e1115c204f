"""db.promote --salvage: fetch what only the old primary has, then open the other server. Servers are simulated."""

from dataclasses import replace

import pytest

from lab.errors import CheckFailed, LabNotUp
from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.mysql import gtid
from lab.mysql.server_state import Database
from lab.replication import promote_replica, salvage
from tests.support.pairs import APART, CLOSED, LAB, OPEN, REPLICA, U1, U2
from tests.support.simulated.pair import Pair, When
from tests.unit.conftest import Make
from tests.unit.replication.test_interrupted import PLANNED

STEPS = [
    ("web1", "cat /etc/os-release"),
    ("web1", "systemctl start mysql"),
    ("web2", "replica_sql"),
    ("web2", "SOURCE_DELAY = 0"),
]


def stopped(pair: Pair) -> Pair:
    """Three writes wait for web2, whose replication is stopped; then web1 is asked to stop, and they return."""
    pair.web2.replica.running = frozenset()
    for _ in range(3):
        pair.visit()
    pair.web1.stop()
    pair.begin()
    has = ",".join(filter(None, [pair.web2.executed, pair.web2.replica.received]))
    assert gtid.count(gtid.minus(pair.acknowledged, has)) == 3
    return pair


def salvages(pair: Pair) -> None:
    """web2 opens with all acknowledged writes, and web1 takes no writes."""
    promote_replica.promote(LAB, "web2", salvage=True)
    assert pair.writable() == ["web2"] and pair.lost("web2") == ""
    assert "web1 opened" not in pair.events


def test_what_only_the_old_primary_has_is_fetched_before_the_other_one_opens(make: Make) -> None:
    """Without --salvage the promotion refuses, says how many transactions and names the option."""
    pair = stopped(make())
    with pytest.raises(CheckFailed, match="may be on web1 only") as caught:
        promote_replica.promote(LAB, "web2")
    assert "invoke db.promote web2 --salvage" in caught.value.hint and pair.changes == []
    salvages(pair)
    assert pair.events == ["web2 opened"] and pair.web1.replicating


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [*STEPS, *PLANNED], ids=" ".join)
def test_a_salvage_that_is_interrupted_is_completed(make: Make, step: tuple[str, str], when: When) -> None:
    """By the same command, at every step."""
    pair = stopped(make())
    interruption = pair.interrupt(*step, KeyboardInterrupt(), when=when)
    with pytest.raises(KeyboardInterrupt):
        promote_replica.promote(LAB, "web2", salvage=True)
    assert interruption.happened and "web1" not in pair.writable()
    pair.interruptions.clear()
    salvages(pair)


def test_every_script_that_a_salvage_sends_is_interrupted_here(make: Make) -> None:
    """A new step of a salvage needs its own row."""
    pair = stopped(make())
    salvages(pair)
    changing = [it for it in pair.scripts if any(word in it[1] for word in ("REPLICA;", "KILL $id", "systemctl"))]
    assert len(changing) > 3
    for node, text in changing:
        assert any(node == name and words in text for name, words in [*STEPS, *PLANNED]), text


def test_a_transaction_that_web2_has_only_in_part_does_not_hold_it_up(make: Make) -> None:
    """Its applier waits for the rest, and is killed before it is stopped."""
    pair = stopped(make())
    pair.web2.replica.running = frozenset({"SQL"})
    pair.web2.replica.torn, pair.nodes.patient = True, False
    salvages(pair)
    assert pair.events == ["web2 opened"]


POWER = {
    "off": ["web1 powered on", "web2 opened"],
    "mute": ["web1 powered off", "web1 powered on", "web2 opened"],
    "saved": ["web1 powered off", "web1 powered on", "web2 opened"],
    "pmsuspended": ["web1 powered off", "web1 powered on", "web2 opened"],
}


@pytest.mark.parametrize("power", POWER)
def test_a_machine_that_does_not_answer_is_started_for_it(make: Make, power: str) -> None:
    """It shut down normally; or it runs without answering, or is saved: then it is powered off."""
    pair = stopped(make())
    if power == "mute":
        pair.mute.add("web1")
    else:
        pair.power["web1"], pair.off_because["web1"] = power, "shutdown"
    salvages(pair)
    assert pair.events == POWER[power]


def test_a_mysql_that_hangs_is_killed_and_starts_read_only(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had not confirmed is in its binary log, and is fetched too."""
    monkeypatch.setattr(salvage, "STARTS_S", 3.0)
    pair = make(silent=True)
    pair.web1.waiting = 3
    salvages(pair)
    assert pair.events == ["web1 closed", "web2 opened"]


def test_a_machine_that_is_frozen_goes_on_as_the_primary_it_was_and_is_closed_first(make: Make) -> None:
    """It did not restart, so a planned promotion brings everything."""
    pair = make(power="paused")
    promote_replica.promote(LAB, "web2", salvage=True)
    assert pair.events == ["web1 powered on", "web1 closed", "web2 opened"] and pair.lost("web2") == ""


def test_where_there_is_no_old_primary_any_more_there_is_nothing_to_fetch(make: Make) -> None:
    """Exit code 3, and the remaining choice."""
    pair = stopped(make())
    pair.power["web1"] = "absent"
    with pytest.raises(LabNotUp, match="nothing can be fetched from web1") as caught:
        promote_replica.promote(LAB, "web2", salvage=True)
    assert "--accept-data-loss" in caught.value.hint and pair.changes == [] and pair.events == []
    promote_replica.promote(LAB, "web2", accept_data_loss=True)
    assert pair.events == ["web2 opened"]
    pair.may_lose = True


def test_a_mysql_that_does_not_start_is_shown_and_nothing_is_changed(make: Make) -> None:
    """Its disk is full: exit code 1; when there is room the same command completes it."""
    pair = stopped(make())
    pair.web1.broken = True
    with pytest.raises(CheckFailed, match="MySQL on web1 does not start") as caught:
        promote_replica.promote(LAB, "web2", salvage=True)
    assert "/dev/vda1 10G 10G 0" in caught.value.evidence and "fault.heal" in caught.value.hint
    assert pair.changes == [] and pair.events == []
    pair.web1.broken = False
    salvages(pair)


def test_what_the_old_primary_has_purged_is_not_waited_for(make: Make) -> None:
    """The lab was off for longer than binary logs are kept: the hint promotes the server with all transactions."""
    pair = stopped(make())
    pair.web1.purged = pair.web1.executed
    with pytest.raises(CheckFailed, match="web1 has purged") as caught:
        promote_replica.promote(LAB, "web2", salvage=True)
    assert "invoke db.promote web1, then invoke db.rejoin web2" in caught.value.hint and pair.events == []
    promote_replica.promote(LAB, "web1")
    assert pair.writable() == ["web1"] and pair.lost("web1") == ""


def test_a_network_that_is_cut_on_purpose_is_healed_first(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing arrived in time: exit code 1, the fault is named, and the same command completes it."""
    pair = stopped(make())
    pair.cut = True
    fault = Fault("partition", "web1", peer="web2")
    ledger.add(fault, 1.0)
    with monkeypatch.context() as context, pytest.raises(CheckFailed, match="web2 is not promoted") as caught:
        context.setattr(salvage, "FETCH_S", 0.05)
        promote_replica.promote(LAB, "web2", salvage=True)
    assert f"{fault.id} is active: invoke fault.heal; then run this again" in caught.value.hint and pair.events == []
    ledger.remove(fault)
    pair.cut = False
    salvages(pair)


@pytest.mark.parametrize("salvages_first", [False, True])
def test_a_closed_primary_that_is_cut_off_and_has_nothing_more_stops_no_promotion(
    make: Make, salvages_first: bool
) -> None:
    """MySQL there was restarted normally: its GTID set shows that nothing is lost, and it is fenced."""
    pair = make(unreached_by=("web2", "lb1"))
    pair.web1.stop()
    pair.web1.start()
    pair.begin()
    lines = promote_replica.promote(LAB, "web2", salvage=salvages_first)
    assert pair.events == ["web1 powered off", "web2 opened"] and pair.lost("web2") == ""
    assert "closed and cut off" in lines[0] and not any(line.startswith("may be lost") for line in lines)


def test_an_empty_server_is_not_filled_by_what_its_receiver_skips(make: Make) -> None:
    """web2 was a replica and its source was re-created: web2 applies what only it has, and is the one to promote."""
    pair = make()
    pair.web2.replica.running = frozenset()
    pair.crash(pair.web1)
    pair.web1.executed = ""
    pair.web1.start()
    with pytest.raises(CheckFailed, match="only a copy can bring those") as caught:
        promote_replica.promote(LAB, "web1", salvage=True)
    assert pair.writable() == [] and pair.web2.thrown_away == "" and pair.web2.replica.unapplied == ""
    assert "invoke db.promote web2, then invoke db.rejoin web1" in caught.value.hint
    promote_replica.promote(LAB, "web2", accept_data_loss=True)
    assert pair.writable() == ["web2"] and pair.lost("web2") == ""


def follow(hint: str) -> None:
    """Run the first command that a hint names."""
    name, *flags = hint.partition("invoke db.promote ")[2].partition(";")[0].partition(",")[0].split()
    promote_replica.promote(LAB, name, accept_data_loss="--accept-data-loss" in flags, salvage="--salvage" in flags)


@pytest.mark.parametrize("web2", [APART, REPLICA], ids=["it has no source", "it follows"])
def test_where_both_have_transactions_of_their_own_a_person_chooses(make: Make, web2: Database) -> None:
    """Nothing is fetched; the hint names a command that is not refused."""
    pair = stopped(make(OPEN, replace(web2, gtid_executed=f"{U1}:1-50,{U2}:1-2")))
    with pytest.raises(CheckFailed, match=r"both servers have|web2 is not promoted: it has 2") as caught:
        promote_replica.promote(LAB, "web2", salvage=True)
    assert pair.changes == [] and pair.events == []
    follow(caught.value.hint)
    assert len(pair.writable()) == 1
    pair.may_lose = True  # that was accepted


def test_a_replica_that_has_more_than_its_closed_source_gives_it_away(make: Make) -> None:
    """web2 wrote two itself, and web1 is closed: a rejoin needs a primary, so web1 fetches them."""
    pair = make(CLOSED, replace(REPLICA, gtid_executed=f"{U1}:1-50,{U2}:1-2"))
    with pytest.raises(CheckFailed, match="web2 is not promoted: it has 2") as caught:
        promote_replica.promote(LAB, "web2")
    follow(caught.value.hint)
    assert pair.events == ["web1 opened"] and gtid.subset(f"{U2}:1-2", pair.web1.executed)
