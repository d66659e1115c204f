"""A survivor that can't open ends its own statements and stays closed; run again it opens. Servers are simulated."""

import os
import subprocess
import threading
from pathlib import Path

import pytest

from lab import progress
from lab.errors import CheckFailed, Unreachable
from lab.nodes import vm_power
from lab.replication import promote_replica, survivor
from lab.replication.session import ALL_ENDED
from lab.replication.survivor import LET_GO
from lab.topology import Node
from lab.wait import pause
from tests.support.pairs import LAB
from tests.support.simulated.errors import SqlError
from tests.support.simulated.mysql import Server
from tests.support.simulated.pair import Pair, When
from tests.unit.conftest import Make

GONE = Unreachable("web2: ssh failed")
APPLY, OPEN = "received_transaction_set", "SET GLOBAL read_only = IF"


@pytest.fixture
def pair(make: Make) -> Pair:
    """The primary has lost power; the last acknowledged writes are in the relay log of web2."""
    pair = make(power="off")
    assert pair.lost("web2")
    return pair


def gives_up(pair: Pair, why: str) -> CheckFailed:
    """A promotion that fails; return its error."""
    with pytest.raises(CheckFailed, match=f"web2 was not promoted{why}") as caught:
        promote_replica.promote(LAB, "web2")
    assert "invoke db.promote web2" in caught.value.hint and pair.events == []
    return caught.value


def loses_its_relay_log(pair: Pair) -> CheckFailed:
    """A promotion during which MySQL is made to discard its relay log; return its error."""
    pair.web2.replica.delay, pair.may_lose, record = 120, True, pair.record

    def heals(server: Server, statement: str) -> None:
        record(server, statement)
        if server is pair.web2 and statement.startswith("SET GLOBAL rpl_semi_sync_source_enabled"):
            pair.web2.replica.change({"SOURCE_DELAY": "0"})

    pair.record = heals  # type: ignore[method-assign]
    try:
        return gives_up(pair, ": it could not open")
    finally:
        pair.record = record  # type: ignore[method-assign]


def completes(pair: Pair) -> None:
    """The same command again, when the cause is gone."""
    pair.interruptions.clear()
    assert "incomplete" not in "\n".join(promote_replica.promote(LAB, "web2"))
    assert pair.events == ["web2 opened"] and pair.lost("web2") == "" and pair.web2.replica.source == ""


@pytest.mark.parametrize("delay", [0, 120])
def test_a_relay_log_that_ends_inside_a_transaction_holds_nobody_up(pair: Pair, delay: int) -> None:
    """All complete transactions are applied; the incomplete one is dropped and named, for it was never acknowledged."""
    pair.web2.replica.torn, pair.web2.replica.delay, pair.nodes.patient = True, delay, False
    lines = promote_replica.promote(LAB, "web2")
    assert f"dropped transaction {pair.web2.uuid}:1" in "\n".join(lines)
    assert pair.events == ["web2 opened"] and pair.lost("web2") == "" and pair.web2.thrown_away == ""


def test_a_survivor_that_only_listened_applies_what_it_received(pair: Pair) -> None:
    """The source's side of semi-sync is still ON there, and no replica is left to confirm what it applies."""
    pair.web2.variables["rpl_semi_sync_source_enabled"] = True
    pair.web2.replica.running = frozenset({"IO"})
    completes(pair)


def test_a_survivor_that_can_not_apply_all_is_not_opened(pair: Pair) -> None:
    """Exit code 1, and it can be tried again."""
    pair.web2.replica.stuck = True
    assert gives_up(pair, ": it can't apply what it received").exit_code == 1
    pair.web2.replica.stuck = False
    completes(pair)


def test_connections_to_the_old_primary_are_let_alone_when_the_shell_has_ended(tmp_path: Path) -> None:
    """The site connects there too: after a heal, a promotion that gave up must not cut off its writes."""
    ss = tmp_path / "ss"
    ss.write_text(f"#!/bin/sh\necho cut >> {tmp_path}/cut\n", encoding="utf-8")
    ss.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["bash", "-c", f"{LET_GO % '192.0.2.1'}\nsleep 1.5\nexit 5"], env={"PATH": path}, check=False)
    pause(1.5)
    assert (tmp_path / "cut").read_text(encoding="utf-8") == "cut\n"


def test_what_somebody_throws_away_meanwhile_is_missed(pair: Pair) -> None:
    """A heal needs no lock, and its CHANGE may come while both threads are stopped. The named command fetches it."""
    error = loses_its_relay_log(pair)
    assert "all transactions that it had" in error.evidence and error.hint.endswith("invoke db.promote web2 --salvage")
    with pytest.raises(CheckFailed, match="acknowledged writes may be on web1 only"):
        promote_replica.promote(LAB, "web2")


@pytest.mark.parametrize("words", ["received_transaction_set", "GTID_SUBSET"])
def test_a_promotion_that_is_killed_when_something_was_thrown_away_is_not_forgotten(pair: Pair, words: str) -> None:
    """Whatever step it reached: the next one knows what the server had."""
    pair.interrupt("web2", words, KeyboardInterrupt(), after=words == "received_transaction_set")
    with pytest.raises(KeyboardInterrupt):
        loses_its_relay_log(pair)
    pair.interruptions.clear()
    with pytest.raises(CheckFailed, match="acknowledged writes may be on web1 only"):
        promote_replica.promote(LAB, "web2")


def test_a_survivor_that_does_not_answer_for_a_moment_has_lost_nothing(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record of the primary stays, and the named command is not refused."""
    pair.interrupt("web2", OPEN, GONE)
    with monkeypatch.context() as silent:
        silent.setattr(survivor, "databases_of", lambda machines: {"web2": None})
        gives_up(pair, ": it could not open")
    completes(pair)


def test_what_is_dropped_is_told_though_the_promotion_fails_later(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the next run it has left its source, so this could not be reported any more."""
    pair.web2.replica.torn, pair.nodes.patient = True, False
    pair.interrupt("web2", OPEN, GONE, when="while it runs")
    pair.web2.held = ["super_read_only = IF"]
    messages: list[tuple[str, str]] = []
    monkeypatch.setattr(progress, "say", lambda *words: messages.append(words))
    gives_up(pair, ": it could not open")
    assert ("web2", f"drops transaction {pair.web2.uuid}:1, which is incomplete") in messages


def test_what_arrives_after_all_was_applied_is_applied_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old primary resumes and a heal starts the receiver again, before the power is cut."""
    pair = make(silent=True)
    applied, off = threading.Event(), pair.power_off
    record = pair.record

    def seen(server: Server, statement: str) -> None:
        record(server, statement)
        if server is pair.web2 and statement.startswith("KILL"):
            applied.set()

    def late(node: Node) -> None:
        assert applied.wait(20)
        with pair.lock:
            pair.web1.silent = False
            pair.web2.replica.running = frozenset({"IO"})
            pair.visit()
        off(node)

    pair.record = seen  # type: ignore[method-assign]
    monkeypatch.setattr(vm_power, "power_off", late)
    with pytest.raises(CheckFailed, match="web2 was not promoted: it could not open; it is closed"):
        promote_replica.promote(LAB, "web2")
    promote_replica.promote(LAB, "web2")
    assert pair.events == ["web1 powered off", "web1 closed", "web2 opened"] and pair.lost("web2") == ""


@pytest.mark.parametrize("words", ["RESET REPLICA", "rpl_semi_sync_source_timeout =", "super_read_only"])
def test_a_survivor_that_refuses_a_statement_is_not_opened(pair: Pair, words: str) -> None:
    """Exit code 1; what was applied stays."""
    pair.web2.refused[words] = SqlError(1021, "Disk full")
    assert "Disk full" in gives_up(pair, ": it could not open").evidence
    pair.web2.refused.clear()
    completes(pair)


def test_a_stop_that_does_not_end_opens_nobody_later(pair: Pair) -> None:
    """The applier can't even be killed; a minute later the stop returns, and no statement sent with it runs."""
    replica, pair.nodes.patient = pair.web2.replica, False
    replica.torn = replica.stubborn = True
    error = gives_up(pair, ": it could not open")
    assert "no answer within" in error.evidence
    pair.later()
    assert pair.events == [] and pair.statements("web2", "RESET REPLICA") == []
    pair.nodes.patient = True
    completes(pair)


@pytest.mark.parametrize("words", ["rpl_semi_sync_source_timeout =", "super_read_only = IF", "GLOBAL read_only = IF"])
def test_a_server_that_is_held_up_for_too_long_finds_that_it_is_too_late_to_open(pair: Pair, words: str) -> None:
    """The command has given up by then, and reported that it is closed."""
    pair.web2.held, pair.nodes.patient = [words], False
    gives_up(pair, ": it could not open")
    pair.later()
    assert pair.events == []
    pair.nodes.patient = True
    completes(pair)


def test_who_is_too_late_says_so(pair: Pair) -> None:
    """Its client waited; the server checks the deadline by its own clock."""
    pair.web2.slow["rpl_semi_sync_source_timeout ="] = 30
    assert "it was too late to open" in gives_up(pair, ": it could not open").evidence
    pair.web2.slow.clear()
    completes(pair)


@pytest.mark.parametrize("words", [APPLY, OPEN])
def test_a_connection_that_is_lost_before_anything_is_done_leaves_the_server_closed(pair: Pair, words: str) -> None:
    """It is reached again, and answers that it is closed."""
    pair.interrupt("web2", words, GONE)
    gives_up(pair, ": .*it is closed")
    completes(pair)


@pytest.mark.parametrize("held", ["RESET REPLICA ALL", "super_read_only = IF"])
def test_what_goes_on_when_the_connection_is_lost_is_ended(pair: Pair, held: str) -> None:
    """Its shell waits for MySQL, and would open it once it answers: both are ended."""
    pair.interrupt("web2", OPEN, GONE, when="while it runs")
    pair.web2.held = [held]
    gives_up(pair, ": it could not open")
    pair.later()
    assert pair.events == [] and pair.statements("web2", held) == []
    completes(pair)


def test_a_connection_that_is_lost_once_it_is_open_is_no_failure(pair: Pair) -> None:
    """It is asked again, and answers that it is open."""
    pair.interrupt("web2", OPEN, GONE, when="after")
    assert "web2 is the primary" in promote_replica.promote(LAB, "web2")[0]
    assert pair.events == ["web2 opened"]


@pytest.mark.parametrize("when", ["before", "while it runs"])
def test_who_can_not_see_it_closed_does_not_say_that_it_is(pair: Pair, when: When) -> None:
    """The connection does not come back: what happens later is unknown, and the same command finds out."""
    pair.interrupt("web2", OPEN, GONE, when=when)
    pair.interrupt("web2", ALL_ENDED, GONE)
    pair.web2.held = ["RESET REPLICA ALL"]
    gives_up(pair, ": it could not open, and it may still open later")
    pair.web2.held.clear()
    pair.interruptions.clear()
    assert "incomplete" not in "\n".join(promote_replica.promote(LAB, "web2"))
    assert pair.writable() == ["web2"] and pair.lost("web2") == ""
