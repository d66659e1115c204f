"""Recorded answers of MySQL 9.7 and HAProxy 3.0, parsed into data."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab import topology
from lab.mysql import server_state
from lab.mysql.server_state import Database
from lab.nodes import facts
from lab.replication import accounts

CASES = Path(__file__).parents[1] / "cases" / "facts"


def recorded(name: str) -> str:
    """The recorded answer of a node."""
    return (CASES / name).read_text(encoding="utf-8")


def test_a_primary_is_read() -> None:
    """Open, without a source, waiting for its replica without end."""
    it = server_state.read("web1", recorded("mysql-9.7-web1.txt"))
    assert it is not None
    assert (it.role, it.writable, it.source, it.durability) == ("primary", True, "", "durable")
    assert it.has_site and it.version.startswith("9.7")
    assert it.gtid_executed == "22e60e32-e6f2-11f1-91f8-525400d3d3e4:1-36"


def test_a_replica_is_read() -> None:
    """Both threads run, and it is not behind."""
    it = server_state.read("web2", recorded("mysql-9.7-web2.txt"))
    assert it is not None
    assert (it.role, it.writable, it.source) == ("replica", False, "192.168.56.11")
    assert (it.replicating, it.stopped, it.lag_s, it.error) == (True, False, 0, "")
    assert it.received == "22e60e32-e6f2-11f1-91f8-525400d3d3e4:36" and it.has == f"{it.gtid_executed},{it.received}"


@pytest.mark.parametrize("version", ["8.0.46-0ubuntu0.24.04.1", "8.4.10-0ubuntu0.26.04.1"])
def test_an_older_replica_that_was_primary_once_is_read(version: str) -> None:
    """None was recorded here: published answers of 8.0.33 and 8.4 have the 60 fields of 9.7's, in the same order.

    The GTID sets of two servers are on two lines.
    """
    one, two = "22e60e32-e6f2-11f1-91f8-525400d3d3e4:1-36", "33e60e32-e6f2-11f1-91f8-525400d3d3e4:1-2"
    text = recorded("mysql-9.7-web2.txt").replace("9.7.4-2", version).replace(one, f"{one},\n{two}")
    it = server_state.read("web2", text.replace(f"{one[:-4]}36\n", f"{one[:-4]}30-36,\n{two}\n"))
    assert it is not None
    assert (it.version, it.role, it.replicating, it.gtid_executed) == (version, "replica", True, f"{one},{two}")
    assert it.received == f"{one[:-4]}30-36,{two}"


@pytest.mark.parametrize(("value", "replicating", "stopped"), [("No", False, True), ("Connecting", False, False)])
def test_a_stopped_thread_is_told_from_one_that_connects(value: str, replicating: bool, stopped: bool) -> None:
    """The first needs START REPLICA, the second only time."""
    text = recorded("mysql-9.7-web2.txt").replace("Replica_IO_Running: Yes", f"Replica_IO_Running: {value}")
    it = server_state.read("web2", text)
    assert it is not None
    assert (it.replicating, it.stopped) == (replicating, stopped)


@pytest.mark.parametrize(("value", "waits"), [("ON", True), ("OFF", False)])
def test_whether_commits_wait_now_is_read(value: str, waits: bool) -> None:
    """The chosen durability and the real state differ: semi-sync gives up after its timeout. So do purged logs."""
    mark = "semi_sync_timeout_ms: 4294967295"
    text = recorded("mysql-9.7-web1.txt").replace(mark, f"{mark}\n    semi_sync_status: {value}\n  purged: a:1-3,\nb:1")
    it = server_state.read("web1", text)
    assert it is not None and (it.waits, it.purged) == (waits, "a:1-3,b:1")


def test_the_age_of_a_server_is_read() -> None:
    """From the kernel's clock, which can't be set: the last lines, after both answers; and which start it was."""
    it = server_state.read("web2", recorded("mysql-9.7-web2.txt") + "process_age: 61\nprocess_start: b007 812\n")
    assert it is not None and (it.age_s, it.start) == (61, "b007 812")


@pytest.mark.parametrize("text", ["", "ERROR 2002 (HY000): Can't connect to local MySQL server through socket"])
def test_a_server_that_does_not_answer_is_none(text: str) -> None:
    """It must not count as empty: no server is opened while it does not answer."""
    assert server_state.read("web1", text) is None


@pytest.mark.parametrize(
    ("semi_sync", "timeout", "durability"),
    [
        ("ON", "4294967295", "durable"),
        ("ON", "1000", "available"),
        ("OFF", "4294967295", "none"),
        ("OFF", "1000", "async"),
        ("NULL", "0", "async"),
    ],
)
def test_durability_is_what_the_server_does(semi_sync: str, timeout: str, durability: str) -> None:
    """Read from the variables, not from a choice."""
    text = recorded("mysql-9.7-web1.txt").replace("semi_sync: ON", f"semi_sync: {semi_sync}")
    it = server_state.read("web1", text.replace("4294967295", timeout))
    assert it is not None and it.durability == durability


def test_grants_are_compared_as_mysql_prints_them() -> None:
    """The recorded grants of healthy accounts equal those of accounts.yml, with or without USAGE."""
    answer = recorded("mysql-9.7-grants.txt").splitlines()
    for account in accounts.load(topology.load()):
        assert accounts.given(account, answer) == set(account.grants)


def test_haproxys_servers_are_read_without_its_frontends() -> None:
    """Each server once per backend, with HAProxy's own term for its state."""
    found = facts.servers(recorded("haproxy-3.0-stat.csv"))
    assert [(it.backend, it.name, it.status, it.weight) for it in found] == [
        ("web", "web1", "UP", 100),
        ("web", "web2", "UP", 100),
        ("write", "web1", "UP", 100),
        ("write", "web2", "UP", 100),
    ]


def test_transactions_of_a_replicas_own_are_counted() -> None:
    """Transactions that the primary sent meanwhile, and those that it has too, do not count."""
    ours, theirs = "aaaaaaaa-0000-0000-0000-000000000001", "bbbbbbbb-0000-0000-0000-000000000002"
    primary = Database("web1", "9.7.0", True, f"{ours}:1-10,{theirs}:1-3", True, uuid=ours)
    replica = Database("web2", "9.7.0", False, f"{ours}:1-12,{theirs}:1-5", True, source="192.168.56.11", uuid=theirs)
    assert server_state.errant(replica, primary) == 2
    assert server_state.errant(replace(replica, gtid_executed=f"{ours}:1-12,{theirs}:1-3"), primary) == 0


def test_only_a_mysql_that_was_stopped_in_good_order_counts_as_stopped() -> None:
    """One that failed may fail again; a node that does not answer tells nothing."""
    words = {"a": "inactive", "b": "failed", "c": "activating", "d": "active"}
    known = {name: facts.NodeFacts({"nginx": "inactive", "mysql": word}, None, None) for name, word in words.items()}
    assert facts.stopped({**known, "e": facts.NodeFacts({}, None, None, "no answer")}) == ["a"]
