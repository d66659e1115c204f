"""A converge of the databases: which server it opens, on which answers, and what it records. Servers are simulated."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from lab.durability import Durability
from lab.errors import CheckFailed
from lab.mysql import last_seen, shutdown
from lab.mysql.server_state import Database
from lab.replication import accounts, assign_roles, promote_replica, schema
from lab.replication.mysql_cli import sql
from tests.support.pairs import CLOSED, LAB, OPEN, PROMOTED, REPLICA, U1, U2
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make
from tests.unit.replication.test_open_for_writes import killed_while_it_records

SAME_PASSWORD = assign_roles._same_password
OPENED_IT = f"weblab mysql: {shutdown.OPENED} 0"
ERRANT = replace(REPLICA, gtid_executed=f"{U1}:1-50,{U2}:1-3")


@dataclass(frozen=True)
class Probed(assign_roles.Pair):
    """The pair of a converge whose probe got answers that differ from the servers' present state."""

    seen: Mapping[str, Database | None] = field(default_factory=dict)

    def asked(self) -> dict[str, Database | None]:
        """The answers of the probe."""
        return dict(self.seen)


@pytest.fixture(autouse=True)
def only_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts and notes need no change."""
    for name in ("_wrong_accounts", "_same_password"):
        monkeypatch.setattr(assign_roles, name, lambda *_: [])
    monkeypatch.setattr(schema, "make", lambda *_: [])
    monkeypatch.setattr(schema, "key", lambda *_, **__: [])


def converge(pair: Pair, web1: Database, web2: Database, record: str = "") -> list[str]:
    """Converge; the probe got these states, and that record."""
    answers = {name: {"record": record} for name in ("web1", "web2")}
    seen = {"web1": web1, "web2": web2}
    return assign_roles.converge(Probed(LAB, pair.machines, {}, {}, Durability.DURABLE, answers, 0.0, seen=seen))


def test_a_closed_primary_is_opened_with_a_line_on_its_record(make: Make) -> None:
    """A promotion looks for that line to find out how this server ended."""
    pair = make(CLOSED, REPLICA)
    assert "web1 is open for writes" in converge(pair, CLOSED, REPLICA)
    assert pair.events == ["web1 opened"] and shutdown.OPENED in (pair.nodes.console("web1") or "")


@pytest.mark.parametrize("web1", [CLOSED, replace(OPEN, durability=Durability.ASYNC)], ids=["opened", "made durable"])
def test_the_replica_is_known_after_a_converge(make: Make, web1: Database) -> None:
    """A power cut right after it raises no doubt: the process that confirms was recorded."""
    pair = make(web1, REPLICA)
    last_seen.forget()
    converge(pair, web1, REPLICA)
    pair.web2.replica.work(1)
    pair.crash(pair.web1)
    promote_replica.promote(LAB, "web2")
    assert pair.writable() == ["web2"]


@pytest.mark.parametrize("record", ["", OPENED_IT])
def test_a_primary_that_somebody_else_opened_gets_the_line_too(make: Make, record: str) -> None:
    """Once: lines before the last opening do not count."""
    pair = make()
    converge(pair, OPEN, REPLICA, record)
    assert any(text == shutdown.OPENS for _, text in pair.scripts) is not bool(record)


def test_nobody_is_opened_on_answers_that_are_out_of_date(make: Make) -> None:
    """The other server was promoted since the probe."""
    pair = make(CLOSED, PROMOTED)
    with pytest.raises(CheckFailed, match="left as they are"):
        converge(pair, CLOSED, REPLICA)
    assert pair.events == []


def test_a_promotion_that_was_killed_before_it_opened_the_other_server_is_ended(make: Make) -> None:
    """MySQL on web1 crashed and is back, closed; web2 would have been opened beside it."""
    pair = make(dead=True)
    pair.begin()
    stalls = killed_while_it_records(pair, "web2", lambda: promote_replica.promote(LAB, "web2"))
    pair.web1.start()
    seen = pair.asked()
    assert seen["web1"] and seen["web2"] and "web1 is open for writes" in converge(pair, seen["web1"], seen["web2"])
    stalls.unlink()
    pair.later(0)
    assert pair.events == ["web1 opened"] and pair.two_writable == []


def test_nobody_is_opened_where_the_last_look_shows_something_else(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The replica turned out to have transactions of its own."""
    stopped = replace(REPLICA, receiving=False, applying=False, stopped=True)
    pair = make(CLOSED, stopped)
    monkeypatch.setattr(assign_roles, "_follow", lambda *_: {"web1": CLOSED, "web2": ERRANT})
    with pytest.raises(CheckFailed, match="web2 has 3 transactions"):
        converge(pair, CLOSED, stopped)
    assert pair.events == []


def test_a_replica_with_transactions_of_its_own_is_told(make: Make) -> None:
    """Its data differs from the primary's, however well it replicates."""
    pair = make(OPEN, ERRANT)
    with pytest.raises(CheckFailed, match="web2 has 3 transactions") as caught:
        converge(pair, OPEN, ERRANT)
    assert "db.rejoin web2" in caught.value.hint and pair.changes == []


def test_a_replica_that_is_started_again_applies(make: Make) -> None:
    """It was a primary that received from its replica: the source's side of semi-sync would block its applier."""
    stopped = replace(REPLICA, durability=Durability.DURABLE, receiving=False, applying=False, stopped=True)
    pair = make(OPEN, stopped)
    converge(pair, OPEN, stopped)
    pair.web2.replica.work(1)
    assert pair.web2.replicating and pair.lost("web2") == ""


def test_a_new_password_throws_no_relay_log_away(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds transactions not applied yet: with both threads stopped MySQL would delete it."""
    pair = make()
    stopped = replace(REPLICA, applying=False, stopped=True)
    pair.web2.replica.running = frozenset({"IO"})

    def password(*_: object) -> list[str]:
        change = "STOP REPLICA IO_THREAD; CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = 'x'; START REPLICA IO_THREAD;"
        sql(pair.machines[1], change, "gets the new password")
        return ["replication password on web2"]

    monkeypatch.setattr(assign_roles, "_same_password", password)
    converge(pair, OPEN, stopped)
    assert pair.web2.thrown_away == ""


def test_a_replica_that_received_nothing_yet_gets_a_transaction(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else changes: for example a change of roles finished after its command was killed."""
    pair = make(OPEN, replace(REPLICA, received=""))
    monkeypatch.setattr(pair, "visit", lambda: None)
    last_seen.forget()
    assert converge(pair, OPEN, replace(REPLICA, received="")) == []
    seen = last_seen.recall()
    assert seen and seen.replica_received


@pytest.mark.parametrize("damaged", [True, False])
def test_a_new_password_waits_for_an_applier(make: Make, monkeypatch: pytest.MonkeyPatch, damaged: bool) -> None:
    """If it can't apply, both threads would be stopped and its relay log discarded; db.rejoin repairs that."""
    pair = make()
    pair.web2.replica.damaged = damaged
    pair.web2.replica.running = frozenset({"IO"}) if damaged else pair.web2.replica.running
    pair.visit()
    monkeypatch.setattr(accounts, "source_password", lambda _: "another one")
    answers = {name: {"accounts": ""} for name in ("web1", "web2")}
    probed = Probed(LAB, pair.machines, {}, {"replication": "new"}, Durability.DURABLE, answers, 0.0)
    changed = SAME_PASSWORD(probed, {"web1": OPEN, "web2": REPLICA})
    assert bool(changed) != damaged and pair.web2.thrown_away == ""


def test_the_account_of_a_server_that_left_goes_with_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else who gets its address may read; it is dropped on the primary, and so on its replica."""
    pair, sent = make(), []
    monkeypatch.setattr(assign_roles, "sql", lambda machine, text, _: sent.append((machine.node.name, text)))
    stored = {"record": OPENED_IT, "accounts": "@site_read@localhost a:b c\n@site_read@192.168.56.13 a:b c"}
    answers = {"web1": stored, "web2": stored}
    seen = {"web1": OPEN, "web2": REPLICA}
    probed = Probed(LAB, pair.machines, {}, {}, Durability.DURABLE, answers, 0.0, seen=seen)
    assert "account `site_read`@`192.168.56.13` dropped" in assign_roles.converge(probed)
    assert sent == [("web1", "DROP USER IF EXISTS `site_read`@`192.168.56.13`;")]
