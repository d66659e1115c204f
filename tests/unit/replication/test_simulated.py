"""The simulated servers: how they model MySQL, and that they refuse statements without a rule."""

import socket
from collections.abc import Callable

import pytest

from lab.errors import CommandFailed
from lab.replication.mysql_cli import sql
from lab.replication.session import client, query
from lab.wait import until
from tests.support.pairs import CLOSED, OPEN, REPLICA, U1
from tests.support.simulated.mysql import Server
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make

COORDINATOR = "SELECT PROCESSLIST_ID INTO @it FROM performance_schema.threads WHERE NAME = 'thread/sql/replica_sql'"


@pytest.fixture
def pair(make: Make) -> Pair:
    """A healthy pair."""
    return make()


def run(pair: Pair, server: Server, text: str) -> list[str]:
    """The lines that a server answers."""
    machine = pair.machines[pair.servers.index(server)]
    return machine.script(f"mysql --batch -N <<'END_OF_SQL'\n{text}\nEND_OF_SQL\n", title="asks").stdout.splitlines()


def test_the_question_gets_the_state_of_a_server(make: Make) -> None:
    """The parser of real answers reads it; states of tests/support/pairs.py come back unchanged."""
    pair = make(CLOSED, REPLICA)
    assert pair.asked() == {"web1": CLOSED, "web2": REPLICA}


def test_a_stranger_is_sent_away(pair: Pair) -> None:
    """A Locust worker whose master has ended greets any process that got its port, with ZeroMQ's first byte 255."""
    with socket.create_connection(("127.0.0.1", pair.port), timeout=10) as connection:
        connection.sendall(b"\xff" + bytes(8) + b"\x01\x7f")
        assert connection.recv(100) == b""
    assert all(pair.asked().values())


@pytest.mark.parametrize(
    ("statements", "read_only"),
    [
        ("SET GLOBAL super_read_only = ON", "1 1"),
        ("SET GLOBAL read_only = ON", "1 0"),
        ("SET GLOBAL super_read_only = ON; SET GLOBAL super_read_only = OFF", "1 0"),
        ("SET GLOBAL super_read_only = ON; SET GLOBAL read_only = OFF", "0 0"),
        ("SET GLOBAL super_read_only = IF(UNIX_TIMESTAMP(SYSDATE()) < 5, 0, 1)", "1 1"),
    ],
)
def test_read_only_and_super_read_only_depend_on_each_other(pair: Pair, statements: str, read_only: str) -> None:
    """As the manual says for sysvar_super_read_only."""
    asked = "SELECT CONCAT(@@global.read_only, ' ', @@global.super_read_only)"
    assert run(pair, pair.web1, f"{statements}; {asked};") == [read_only]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("RESET REPLICA ALL;", "running replication threads"),
        ("STOP REPLICA SQL_THREAD; CHANGE REPLICATION SOURCE TO SOURCE_HOST = '1.2.3.4';", "running replica"),
        ("STOP REPLICA; RESET REPLICA ALL; START REPLICA;", "not configured as replica"),
        ("KILL 4711;", "Unknown thread id"),
    ],
)
def test_what_mysql_refuses_is_refused(make: Make, text: str, words: str) -> None:
    """With an error; the statements before it are done."""
    pair = make(CLOSED)
    with pytest.raises(CommandFailed, match=words):
        run(pair, pair.web2, text)


@pytest.mark.parametrize(
    "text",
    [
        "OPTIMIZE TABLE notes",
        "SELECT nothing FROM performance_schema.threads",
        "SELECT 1 FROM performance_schema.accounts",
        "SET GLOBAL innodb_buffer_pool_size = 1",
        "SELECT @@global.no_such_variable",
    ],
)
def test_a_statement_that_was_not_taught_is_an_error(pair: Pair, text: str) -> None:
    """Even if the code swallows the error, the test fails at its end."""
    with pytest.raises(CommandFailed):
        sql(pair.machines[0], f"{text};", "asks")
    assert len(pair.unknown) == 1
    pair.unknown.clear()


def test_what_was_not_applied_is_lost_with_the_relay_log(pair: Pair) -> None:
    """Transactions are applied only when a statement waits for them."""
    before = pair.lost("web2")
    assert before
    assert run(pair, pair.web2, "STOP REPLICA; RESET REPLICA; SELECT @@global.gtid_executed;") == [f"{U1}:1-50"]
    assert pair.web2.thrown_away.startswith(before[:40]) and pair.lost("web2")
    pair.may_lose = True


def test_two_open_servers_are_recorded(make: Make) -> None:
    """With the statement that opened the second one."""
    pair = make(OPEN, REPLICA)
    sql(pair.machines[1], "SET GLOBAL read_only = OFF;", "opens")
    assert pair.two_writable == ["web2: SET GLOBAL read_only = OFF"]
    pair.two_writable.clear()
    pair.may_lose = True


def torn(pair: Pair, then: str) -> Callable[[], bool]:
    """Stop an applier inside a transaction, with a client that gives up; return whether its server is waiting."""
    pair.web2.replica.torn, pair.nodes.patient = True, False
    shell = client(pair.machines[1])
    with pytest.raises(CommandFailed, match="no answer within"):
        script = f"trap - EXIT\n{query(f'STOP REPLICA; {then}; SELECT 1', 60)}"  # it does not end its session itself
        pair.machines[1].script(script, title="stops", shell=shell)
    return lambda: pair.web2.replica.stopping


def test_a_torn_relay_log_holds_up_a_stop_and_what_was_sent_after_it_runs_later(make: Make) -> None:
    """Its client has given up by then."""
    pair = make(CLOSED)
    waits = torn(pair, "SET GLOBAL read_only = OFF")
    assert waits() and pair.events == []
    pair.later()
    assert pair.events == ["web2 opened"]
    pair.may_lose = True


def test_killing_the_coordinator_ends_the_stop(make: Make) -> None:
    """At once, and complete transactions can be applied."""
    pair = make(CLOSED)
    waits = torn(pair, "SET GLOBAL read_only = ON")
    run(pair, pair.web2, f"{COORDINATOR}; KILL @it;")
    until("the stop ends", lambda: not waits(), 5, every=0.01)
    assert pair.settle() and pair.statements("web2", "read_only = ON")


def test_a_session_that_is_killed_runs_nothing_more(make: Make) -> None:
    """Its STOP REPLICA goes on, and the statements sent after it do not run."""
    pair = make(CLOSED)
    torn(pair, "SET GLOBAL read_only = OFF")
    where = "PROCESSLIST_INFO = 'STOP REPLICA'"
    run(pair, pair.web2, f"SELECT PROCESSLIST_ID INTO @it FROM performance_schema.threads WHERE {where}; KILL @it;")
    pair.later()
    assert pair.events == []


def test_a_server_that_starts_is_closed_and_fetches_again_what_it_had_not_applied(make: Make) -> None:
    """MySQL's relay_log_recovery; the source sees no replica meanwhile."""
    pair = make(power="off")
    assert pair.web2.replica.unapplied
    pair.power_off(pair.web2.node)
    assert not pair.web1.followed
    pair.power_on(pair.web2.node)
    assert pair.writable() == [] and pair.web2.replica.received == "" and pair.web2.thrown_away
