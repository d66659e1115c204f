"""The next command for the databases, and the replication tree as text."""

import time
from dataclasses import replace

import pytest

from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.mysql import last_seen, promotion
from lab.mysql.advice import advise
from lab.mysql.data_loss import Situation
from lab.mysql.promotion import decide
from lab.mysql.replication_tree import tree
from lab.mysql.server_state import Database
from tests.support.pairs import CLOSED, OPEN, PROMOTED, REPLICA, U1, U2, WEB1, WEB2

BACK = replace(CLOSED, source=str(WEB2.ip), receiving=True, applying=True, gtid_executed=PROMOTED.gtid_executed)
LISTENS = replace(OPEN, source=str(WEB2.ip), receiving=True)
NEXT: dict[str, tuple[Database | None, Database | None, str, str]] = {
    "the primary is dead": (None, REPLICA, "", "db.promote web2"),
    "it rebooted, and the replica is gone": (CLOSED, None, "", "db.promote web1"),
    "a survivor without a replica": (None, PROMOTED, "web2", "db.rejoin web1"),
    "the old primary is back": (replace(CLOSED, gtid_executed=f"{U1}:1-53"), PROMOTED, "web2", "db.rejoin web1"),
    "it follows, but commits are not what was chosen": (BACK, PROMOTED, "web2", "db.rejoin web1"),
    "a replica with transactions of its own": (
        OPEN,
        replace(REPLICA, gtid_executed=f"{U1}:1-50,{U2}:1-2"),
        "",
        "db.rejoin web2",
    ),
    "a rebooted primary with its replica": (CLOSED, REPLICA, "", "lab.provision"),
    "a primary that lost what its replica has": (
        replace(CLOSED, gtid_executed=f"{U1}:1-9"),
        REPLICA,
        "",
        "db.promote web2",
    ),
    "both closed, web2 has everything": (CLOSED, replace(PROMOTED, writable=False), "", "db.promote web2"),
    "both closed, in a circle": (replace(CLOSED, source=str(WEB2.ip)), REPLICA, "", "db.promote"),
    "a change of roles was interrupted": (LISTENS, REPLICA, "", "db.promote web1"),
    "two primaries": (OPEN, PROMOTED, "", "lab.reset"),
}


@pytest.mark.parametrize(("web1", "web2", "degraded", "command"), NEXT.values(), ids=NEXT.keys())
def test_each_trouble_names_its_next_command(
    web1: Database | None, web2: Database | None, degraded: str, command: str
) -> None:
    """One line, one command."""
    last_seen.remember(time.time(), [OPEN, REPLICA])
    (line,) = advise((WEB1, WEB2), {"web1": web1, "web2": web2}, degraded, {})
    assert f"; next: invoke {command}" in line


STOPPED = replace(REPLICA, applying=False, stopped=True)
TROUBLE: dict[str, tuple[Database, str, bool]] = {
    "its applier was stopped": (STOPPED, "invoke lab.provision", False),
    "it can't apply": (replace(STOPPED, error="Relay log read failure"), "invoke db.rejoin web2", False),
    "it does not receive": (replace(STOPPED, receiving=False), "invoke lab.provision", True),
    "it is not let in": (replace(REPLICA, receiving=False, error="Access denied"), "invoke lab.provision", True),
    "a wrong port": (replace(REPLICA, receiving=False, error="Can't connect"), "invoke db.rejoin web2", True),
}


@pytest.mark.parametrize(("web2", "command", "waits"), TROUBLE.values(), ids=TROUBLE)
def test_a_replica_that_does_not_replicate_gets_the_command_that_mends_it(
    web2: Database, command: str, waits: bool
) -> None:
    """Writes wait only while it receives nothing."""
    (line,) = advise((WEB1, WEB2), {"web1": OPEN, "web2": web2}, "", {})
    assert line.endswith(f"; next: {command}") and ("writes wait" in line) == waits


UNREADABLE = replace(STOPPED, gtid_executed=f"{U1}:1-49", error="Relay log read failure")


@pytest.mark.parametrize(
    ("web1", "command"), [(None, "db.promote web2 --salvage"), (CLOSED, "db.promote")], ids=["gone", "closed"]
)
def test_a_replica_that_can_not_apply_is_not_promoted_in_circles(web1: Database | None, command: str) -> None:
    """What it can't apply is fetched; lab.provision would start it in vain."""
    last_seen.remember(time.time(), [OPEN, REPLICA])
    (line,) = advise((WEB1, WEB2), {"web1": web1, "web2": UNREADABLE}, "", {})
    assert f"next: invoke {command}" in line


def test_a_machine_that_is_no_more_is_made_anew() -> None:
    """It can't rejoin before that, and need not after it."""
    (line,) = advise((WEB1, WEB2), {"web1": None, "web2": PROMOTED}, "web2", {}, {"web1": "absent"})
    assert "; next: invoke lab.up" in line


CUT_OFF = replace(REPLICA, receiving=False, error="Error connecting to source: Can't connect to MySQL server (110)")
CLOSED_AND_APART = {
    "the replica has all": (CUT_OFF, "invoke db.promote web2"),
    "it lacks something": (
        replace(CUT_OFF, gtid_executed=f"{U1}:1-40", received=""),
        "heal the network between web2 and web1 (invoke fault.heal), then invoke lab.provision",
    ),
    "its password is wrong": (replace(CUT_OFF, error="Access denied for user 'replication'"), "invoke lab.provision"),
    "its threads were stopped": (replace(CUT_OFF, applying=False, stopped=True, error=""), "invoke lab.provision"),
}


@pytest.mark.parametrize(("web2", "command"), CLOSED_AND_APART.values(), ids=CLOSED_AND_APART.keys())
def test_a_replica_that_can_not_reach_its_closed_source_is_not_waited_for(web2: Database, command: str) -> None:
    """lab.provision would wait a minute and fail."""
    last_seen.remember(time.time(), [OPEN])
    (line,) = advise((WEB1, WEB2), {"web1": CLOSED, "web2": web2}, "", {"web1": "web1: MySQL was asked to stop"})
    assert line.endswith(f"; next: {command}")


def test_a_replica_whose_source_purged_what_it_lacks_is_not_waited_for() -> None:
    """It never catches up: the server with all transactions is promoted."""
    behind = replace(CUT_OFF, gtid_executed=f"{U1}:1-40", received="", stopped=True)
    (line,) = advise((WEB1, WEB2), {"web1": replace(CLOSED, purged=f"{U1}:1-45"), "web2": behind}, "", {})
    assert line.endswith("; next: invoke db.promote web1, then invoke db.rejoin web2")


def test_a_replica_that_can_not_catch_up_with_an_open_primary_gets_a_copy() -> None:
    """lab.provision would start its threads in vain."""
    primary, behind = replace(OPEN, purged=f"{U1}:1-45"), replace(CUT_OFF, gtid_executed=f"{U1}:1-40", received="")
    (line,) = advise((WEB1, WEB2), {"web1": primary, "web2": behind}, "", {})
    assert line.endswith("; next: invoke db.rejoin web2")


@pytest.mark.parametrize("fault", [Fault("partition", "web1", peer="lb1"), Fault("partition", "lb1", peer="all")])
def test_a_cut_on_the_primarys_side_is_healed_first(fault: Fault) -> None:
    """The replica's node has no fault."""
    ledger.add(fault, 1.0)
    (line,) = advise((WEB1, WEB2), {"web1": OPEN, "web2": CUT_OFF}, "", {})
    assert line.endswith("; next: invoke fault.heal")


def test_machines_that_are_off_are_started_before_anything() -> None:
    """lab.provision converges what runs."""
    asked: dict[str, Database | None] = {"web1": None, "web2": None}
    (line,) = advise((WEB1, WEB2), asked, "", {}, {"web1": "off", "web2": "off"})
    assert line.endswith("; next: invoke lab.up")
    (line,) = advise((WEB1, WEB2), asked, "", {}, {"web1": "running", "web2": "running"})
    assert line.endswith("; next: invoke lab.provision")


def test_a_machine_that_is_no_more_is_not_salvaged() -> None:
    """Only accepting the loss is left."""
    last_seen.remember(time.time(), [OPEN, REPLICA])
    ended, machines = {"web1": "web1 is off"}, {"web1": "absent", "web2": "running"}
    (line,) = advise((WEB1, WEB2), {"web1": None, "web2": REPLICA}, "", ended, machines)
    assert line.endswith("; next: invoke db.promote web2 --accept-data-loss")


def test_what_neither_server_has_any_more_is_accepted_and_not_salvaged() -> None:
    """Both answer and have the same transactions: nothing can be fetched."""
    last_seen.remember(time.time(), [replace(OPEN, gtid_executed=f"{U1}:1-55")])
    (line,) = advise((WEB1, WEB2), {"web1": CLOSED, "web2": replace(CLOSED, node="web2", uuid=U2)}, "", {})
    assert line.endswith("--accept-data-loss")


STATES: dict[str, Database | None] = {
    "silent": None,
    "open": OPEN,
    "closed": CLOSED,
    "closed, with more": replace(CLOSED, gtid_executed=f"{U1}:1-53"),
    "closed, of its own": replace(CLOSED, gtid_executed=f"{U1}:1-50,{U2}:1-3"),
    "follows": replace(REPLICA, node="web1", uuid=U1, source=str(WEB2.ip)),
    "follows, stopped": replace(
        REPLICA, node="web1", uuid=U1, source=str(WEB2.ip), receiving=False, applying=False, gtid_executed=f"{U1}:1-40"
    ),
}


def as_web2(it: Database | None) -> Database | None:
    """The same server on the other node."""
    return it and replace(it, node="web2", uuid=U2, source=str(WEB1.ip) if it.source else "")


@pytest.mark.parametrize("ended", ["", "web1 is off"])
@pytest.mark.parametrize("other", STATES)
@pytest.mark.parametrize("one", STATES)
def test_a_promotion_that_is_named_is_not_refused(one: str, other: str, ended: str) -> None:
    """For any answers of both: as advised, or with --salvage, which asks again after it has fetched the rest."""
    asked = {"web1": STATES[one], "web2": as_web2(STATES[other])}
    last_seen.remember(time.time(), [OPEN])
    nodes = {"web1": WEB1, "web2": WEB2}
    for line in advise((WEB1, WEB2), asked, "", {"web1": ended, "web2": ended}):
        command, _, option = line.partition("invoke db.promote ")[2].partition(" --")
        own = asked.get(command)
        if not command or option == "salvage":
            continue
        rival = "web1" if command == "web2" else "web2"
        assert own is not None
        it = Situation(nodes[command], nodes[rival], own, asked[rival], True, last_seen.recall(), time.time(), ended)
        decide(it, accept_data_loss=option == "accept-data-loss")


@pytest.mark.parametrize(("web1", "web2"), [(OPEN, REPLICA), (BACK, PROMOTED)], ids=["healthy", "promoted"])
def test_what_is_right_or_told_elsewhere_needs_no_advice(web1: Database, web2: Database | None) -> None:
    """Neither server is preferred; a machine that is off is for lab.up to start."""
    assert advise((WEB1, WEB2), {"web1": web1, "web2": web2}, "", {}) == []


def test_the_tree_tells_roles_lag_and_differences() -> None:
    """The replica below its source, with what it lacks and has alone."""
    replica = replace(REPLICA, lag_s=3, gtid_executed=f"{U1}:1-45,{U2}:1-2")
    assert tree((WEB1, WEB2), {"web1": OPEN, "web2": replica}, "").splitlines() == [
        "web1: primary, writable, durability durable, semi-sync ON, 50 transactions",
        "└─ web2: replica, read-only, 3 s behind, 47 transactions (lacks 5 of web1's, has 2 that web1 lacks)",
    ]


def test_the_tree_after_a_promotion() -> None:
    """The survivor's durability is marked; the old primary is shown beside it, with what only it has."""
    old = replace(CLOSED, gtid_executed=f"{U1}:1-53")
    lines = tree((WEB1, WEB2), {"web1": old, "web2": PROMOTED}, "web2").splitlines()
    assert lines == [
        "web1: unassigned, read-only, 53 transactions (lacks 7 of web2's, has 3 that web2 lacks)",
        "web2: primary, writable, durability available (degraded by promote), semi-sync ON, 57 transactions",
    ]


def test_the_tree_shows_a_circle_and_who_is_silent_once() -> None:
    """No server is left out, and the drawing ends."""
    circle = tree((WEB1, WEB2), {"web1": replace(CLOSED, source=str(WEB2.ip)), "web2": REPLICA}, "")
    assert [line.strip("└─ ").partition(":")[0] for line in circle.splitlines()] == ["web1", "web2"]
    silent = tree((WEB1, WEB2), {"web1": None, "web2": replace(REPLICA, receiving=False, error="refused")}, "")
    assert silent.splitlines()[0] == "web1: does not answer" and "not replicating refused" in silent


def test_what_a_fault_would_refuse_is_advised_after_its_healing() -> None:
    """db.rejoin refuses a node with an active fault."""
    ledger.add(Fault("power-off", "web1"), 1.0)
    assert promotion.rejoins("web1") == "invoke fault.heal, then invoke db.rejoin web1"
    assert promotion.rejoins("web2") == "invoke db.rejoin web2"


@pytest.mark.parametrize("broken", [False, True])
def test_a_replica_that_stands_is_told_and_that_writes_wait_for_it(broken: bool) -> None:
    """It has all transactions, so nothing is lost; but in durable mode no more notes are accepted."""
    if broken:
        ledger.add(Fault("replication-stop", "web2"), 1.0)
    standing = replace(REPLICA, receiving=False, applying=False, stopped=True)
    (line,) = advise([WEB1, WEB2], {"web1": OPEN, "web2": standing}, "", {})
    assert line.startswith("writes wait: web2 does not replicate from web1")
    assert line.endswith("next: invoke fault.heal" if broken else "next: invoke lab.provision")
