"""db.rejoin: by GTID or with a copy, never while a fault is active, and with the chosen durability afterwards."""

from dataclasses import replace

import pytest

from lab.durability import Durability
from lab.errors import CheckFailed
from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.mysql import gtid, last_seen
from lab.mysql.server_state import Database
from lab.nodes.ssh import Machine
from lab.replication import attach, promote_replica, rejoin
from lab.replication.mysql_cli import sql
from lab.state import backup_folder
from tests.support.pairs import CLOSED, LAB, OPEN, PROMOTED, REPLICA, U1, U2, WEB2
from tests.support.simulated.errors import SqlError
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make

U3 = "33333333-71ca-11e1-9e33-c80aa9429562"
OLD = replace(CLOSED, gtid_executed=f"{U1}:1-50")


def follows(pair: Pair) -> bool:
    """Whether web1 gets and applies all of web2, whose commits are durable and do not wait without end."""
    pair.visit()
    pair.web1.replica.work(1)
    return pair.web2.durability == "durable" and gtid.subset(pair.web2.executed, pair.web1.executed)


def test_an_old_primary_without_anything_of_its_own_fetches_what_it_missed(make: Make) -> None:
    """No copy; the chosen durability is set once it replicates, not before."""
    pair = make(OLD, PROMOTED, dead=True)
    last_seen.degrade("web2")
    lines = rejoin.rejoin(LAB, "web1")
    assert follows(pair) and pair.events == [] and not pair.web1.copied_from and last_seen.degraded() == ""
    assert "fetches by GTID" in lines[0] and "commits on web2 are durable" in lines[-1]
    texts = [text for _, text in pair.changes]
    assert texts.index("START REPLICA") < texts.index("SET GLOBAL rpl_semi_sync_source_timeout = 4294967295")


LOST = {
    "it lost what it wrote itself": replace(OLD, gtid_executed=f"{U1}:1-45"),
    "it replicates without it": replace(REPLICA, node="web1", uuid=U1, source=str(WEB2.ip), gtid_executed=f"{U1}:1-45"),
    "it was made anew": replace(OLD, uuid=U3, gtid_executed="", has_site=False),
}


@pytest.mark.parametrize("own", LOST.values(), ids=LOST)
def test_what_no_replica_would_receive_comes_with_a_copy(make: Make, own: Database) -> None:
    """A receiver skips transactions with its own server_id: those notes would be missing for ever."""
    pair = make(own, PROMOTED)
    assert "got a copy of all data" in rejoin.rejoin(LAB, "web1")[0] and pair.web1.copied_from
    assert follows(pair)


@pytest.mark.parametrize("only_there", ["", f",{U3}:1-2"], ids=["by GTID", "by copy"])
def test_who_rejoined_can_take_over_at_once(make: Make, only_there: str) -> None:
    """No further observation is needed: the process that confirms from now on was recorded."""
    pair = make(replace(OLD, gtid_executed=f"{U1}:1-50{only_there}"), PROMOTED)
    rejoin.rejoin(LAB, "web1")
    pair.web1.replica.work(1)
    pair.crash(pair.web2)
    promote_replica.promote(LAB, "web1")
    assert pair.writable() == ["web1"]


@pytest.mark.parametrize("durability", [Durability.ASYNC, Durability.DURABLE])
def test_a_source_side_of_semi_sync_that_is_on_does_not_block_the_applier(make: Make, durability: Durability) -> None:
    """It was the primary, and its MySQL was closed without a restart."""
    pair = make(replace(OLD, durability=durability), PROMOTED)
    rejoin.rejoin(LAB, "web1")
    assert follows(pair)


@pytest.mark.parametrize("applying", [True, False], ids=["blocked", "only listens"])
def test_an_old_primary_that_listens_becomes_one_that_applies(make: Make, applying: bool) -> None:
    """The source's side of semi-sync is still ON there, and what it received is kept."""
    listens = replace(OLD, durability=Durability.DURABLE, source=str(WEB2.ip), receiving=True, applying=applying)
    pair = make(replace(listens, received=f"{U2}:1-7"), PROMOTED)
    rejoin.rejoin(LAB, "web1")
    assert follows(pair) and pair.web1.durability in ("none", "async")


def test_transactions_of_its_own_are_shown_and_given_up(make: Make) -> None:
    """How many and which; it gets a copy before it replicates."""
    pair = make(replace(OLD, gtid_executed=f"{U1}:1-53"), PROMOTED)
    lines = rejoin.rejoin(LAB, "web1")
    assert f"3 transactions that web2 never had: {U1}:51-53" in lines[0]
    assert pair.web1.copied_from == "web2" and follows(pair) and f"{U1}:1-53" not in pair.web1.executed


def test_what_only_it_has_is_written_down_before_it_is_given_up(make: Make) -> None:
    """From its binary logs, to a file whose path is in the report."""
    pair = make(replace(OLD, gtid_executed=f"{U1}:1-53"), PROMOTED)
    lines = rejoin.rejoin(LAB, "web1")
    (path,) = backup_folder.FOLDER.iterdir()
    assert f"{U1}:51-53" in path.read_text(encoding="utf-8") and any(str(path) in line for line in lines)
    assert pair.web1.copied_from == "web2"


def test_what_can_not_be_written_down_is_not_given_up(make: Make) -> None:
    """Its binary logs were purged; --discard is named."""
    pair = make(replace(OLD, gtid_executed=f"{U1}:1-53", purged=f"{U1}:1-51"), PROMOTED)
    with pytest.raises(CheckFailed, match="nothing was discarded") as caught:
        rejoin.rejoin(LAB, "web1")
    assert "db.rejoin web1 --discard" in caught.value.hint
    assert pair.web1.copied_from == "" and pair.changes == [] and not backup_folder.FOLDER.exists()


def test_only_discard_gives_it_up_without_a_copy(make: Make) -> None:
    """It says so."""
    pair = make(replace(OLD, gtid_executed=f"{U1}:1-53"), PROMOTED)
    lines = rejoin.rejoin(LAB, "web1", discard=True)
    assert pair.web1.copied_from == "web2" and not backup_folder.FOLDER.exists()
    assert any("--discard" in line for line in lines)


def test_an_earlier_copy_is_not_taken_for_this_one(make: Make) -> None:
    """MySQL keeps the status of the last copy until the next one begins."""
    pair = make(replace(OLD, gtid_executed=f"{U1}:1-50,{U3}:1-2"), PROMOTED)
    pair.web1.copied_from, pair.web1.copies = "web2", 1
    pair.web1.refused["CLONE INSTANCE FROM"] = SqlError(1045, "Access denied")
    with pytest.raises(CheckFailed, match="copying the data failed"):
        rejoin.rejoin(LAB, "web1")


def test_who_missed_what_is_thrown_away_gets_a_copy_too(make: Make) -> None:
    """The primary's binary logs do not reach back far enough."""
    pair = make(OLD, replace(PROMOTED, purged=f"{U1}:1-60", gtid_executed=f"{U1}:1-70"))
    lines = rejoin.rejoin(LAB, "web1")
    assert pair.web1.copied_from == "web2" and follows(pair) and "purged the binary logs" in lines[0]
    assert not backup_folder.FOLDER.exists()  # nothing of its own


@pytest.mark.parametrize("power", ["off", "paused"])
def test_a_machine_that_does_not_run_is_started(make: Make, power: str) -> None:
    """No other command is needed; a frozen machine resumes."""
    pair = make(OLD, PROMOTED, power=power)
    rejoin.rejoin(LAB, "web1")
    assert pair.power["web1"] == "running" and follows(pair)


@pytest.mark.parametrize("power", ["saved", "pmsuspended"])
def test_a_machine_in_another_state_is_powered_off_before_it_is_started(make: Make, power: str) -> None:
    """libvirt can't start a suspended one, and a saved one would resume as a primary."""
    pair = make(OLD, PROMOTED, power=power)
    rejoin.rejoin(LAB, "web1")
    assert pair.events == ["web1 powered off", "web1 powered on"] and follows(pair)


def test_who_follows_already_is_not_attached_again(make: Make) -> None:
    """After an interrupted rejoin only what is missing is done."""
    pair = make(replace(OLD, source=str(WEB2.ip), receiving=True, applying=True), PROMOTED)
    rejoin.rejoin(LAB, "web1")
    assert follows(pair) and {name for name, _ in pair.changes} == {"web2"}


REFUSED: dict[str, tuple[Database, Database, str]] = {
    "it is the primary": (OPEN, REPLICA, "db.rejoin web2"),
    "there is no primary": (OLD, replace(PROMOTED, writable=False), "db.promote web2"),
    "two are": (OPEN, PROMOTED, "lab.reset"),
}


@pytest.mark.parametrize(("web1", "web2", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_without_one_other_primary_nobody_rejoins(make: Make, web1: Database, web2: Database, hint: str) -> None:
    """Exit code 1, and the command to run first."""
    pair = make(web1, web2)
    pair.may_lose = web1.writable and web2.writable
    with pytest.raises(CheckFailed) as caught:
        rejoin.rejoin(LAB, "web1")
    assert hint in caught.value.hint and pair.changes == []


def test_a_fault_on_the_node_is_healed_first(make: Make) -> None:
    """A rejoin does not repair an injected fault."""
    pair = make(OLD, PROMOTED, power="off")
    ledger.add(Fault("power-off", "web1"), 1.0)
    with pytest.raises(CheckFailed, match="web1-power-off is active") as caught:
        rejoin.rejoin(LAB, "web1")
    assert caught.value.hint == "invoke fault.heal"
    assert pair.scripts == [] and pair.power["web1"] == "off"


def test_transactions_of_another_servers_name_are_its_own_too(make: Make) -> None:
    """An old primary has no source: it can't have received the transactions that the primary lacks."""
    pair = make(replace(OLD, gtid_executed=f"{U1}:1-50,{U3}:1-2"), PROMOTED)
    lines = rejoin.rejoin(LAB, "web1")
    assert pair.web1.copied_from == "web2" and f"{U3}:1-2" in lines[0]


def test_what_was_received_and_not_applied_is_not_thrown_away(make: Make) -> None:
    """Setting the source again makes MySQL delete the relay log, which the primary may no longer have."""
    pair = make()
    pair.web2.replica.running = frozenset()
    assert pair.web2.replica.unapplied
    rejoin.rejoin(LAB, "web2")
    assert pair.web2.thrown_away == "" and pair.web2.replicating


def test_what_is_received_meanwhile_is_not_thrown_away_either(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its receiver confirms writes while its applier is stopped, and nothing waited when it was asked."""
    pair = make(web2=replace(REPLICA, applying=False, gtid_executed=OPEN.gtid_executed))
    monkeypatch.setattr(pair, "visit", lambda: None)
    pair.web2.executed = pair.web1.executed

    def after_a_note(machine: Machine, text: str, title: str) -> None:
        with pair.lock:
            pair.web1.commit()
        sql(machine, text, title)

    monkeypatch.setattr(attach, "sql", after_a_note)
    rejoin.rejoin(LAB, "web2")
    assert pair.web2.thrown_away == "" and pair.web2.replicating


def test_who_rejoined_has_something_in_its_relay_log(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written; from its content a promotion finds out whether the relay log was discarded since."""
    pair = make(replace(CLOSED, gtid_executed=PROMOTED.gtid_executed), PROMOTED)
    monkeypatch.setattr(pair, "visit", lambda: None)
    rejoin.rejoin(LAB, "web1")
    seen = last_seen.recall()
    assert seen and seen.replica_received


@pytest.mark.parametrize("trouble", ["damaged", "misled"])
def test_who_can_not_go_on_with_its_relay_log_fetches_it_anew(
    make: Make, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Its relay log can't be read, or a setting of its source is wrong; the primary has all transactions."""
    monkeypatch.setattr(attach, "RESUMES_S", 0.0)
    pair = make()
    pair.web2.replica.running = frozenset({"IO"})
    setattr(pair.web2.replica, trouble, True)
    rejoin.rejoin(LAB, "web2")
    pair.web2.replica.work(1)
    assert pair.web2.replicating and pair.lost("web2") == ""
