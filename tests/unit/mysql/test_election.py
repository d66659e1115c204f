"""Which server may be opened for writes: only one that is certain."""

from dataclasses import replace

import pytest

from lab import topology
from lab.mysql.election import decide
from lab.mysql.server_state import Database

NODES = topology.load().having("database")
U = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
FRESH1 = Database("web1", "9.7.4", writable=False, gtid_executed="", has_site=False)
FRESH2 = replace(FRESH1, node="web2")
CLOSED = replace(FRESH1, gtid_executed=f"{U}:1-50", has_site=True)
OPEN = replace(CLOSED, writable=True)
REPLICA = replace(CLOSED, node="web2", source="192.168.56.11", receiving=True, applying=True, lag_s=0)


def test_a_lab_without_data_takes_the_first_database_of_lab_yml() -> None:
    """The only case in which lab.yml decides."""
    decision = decide(NODES, {"web1": FRESH1, "web2": FRESH2})
    assert (decision.primary, decision.attach, decision.opens) == ("web1", ("web2",), True)


def test_a_healthy_pair_is_left_alone() -> None:
    """Nothing to attach, nothing to open."""
    decision = decide(NODES, {"web1": OPEN, "web2": REPLICA})
    assert (decision.primary, decision.attach, decision.opens, decision.reason) == ("web1", (), False, "")


def test_a_rebooted_primary_is_opened_when_its_replica_follows() -> None:
    """The rule for reopening is met."""
    assert decide(NODES, {"web1": CLOSED, "web2": REPLICA}).opens


def test_after_a_promotion_roles_are_not_turned_back() -> None:
    """web2 takes writes, web1 replicates: the order in lab.yml no longer matters."""
    promoted = {
        "web1": replace(REPLICA, node="web1", source="192.168.56.12"),
        "web2": replace(OPEN, node="web2"),
    }
    assert decide(NODES, promoted).primary == "web2"


def test_a_server_made_anew_becomes_the_replica() -> None:
    """Its data comes from the other server, which stays open."""
    decision = decide(NODES, {"web1": OPEN, "web2": FRESH2})
    assert (decision.primary, decision.attach, decision.opens) == ("web1", ("web2",), False)


def test_the_replica_gets_a_moment_to_connect() -> None:
    """After a boot its threads do not run yet: ask again, do not open."""
    decision = decide(NODES, {"web1": CLOSED, "web2": replace(REPLICA, receiving=False)})
    assert decision.waits and not decision.opens


NOBODY = {
    "both writable": ({"web1": OPEN, "web2": replace(OPEN, node="web2")}, "both writable"),
    "other one silent": ({"web1": CLOSED, "web2": None}, "web2 does not answer"),
    "replica knows more": (
        {"web1": CLOSED, "web2": replace(REPLICA, gtid_executed=f"{U}:1-53")},
        "web2 has 3 transactions that web1 lacks",
    ),
    "replica writable": ({"web1": CLOSED, "web2": replace(REPLICA, writable=True)}, "is writable"),
    "fresh pair, wrong one writable": ({"web1": FRESH1, "web2": replace(FRESH2, writable=True)}, "web2 is writable"),
    "new server writable": ({"web1": CLOSED, "web2": replace(FRESH2, writable=True)}, "web2 is writable"),
    "primary made anew": ({"web1": FRESH1, "web2": REPLICA}, "web1 is empty"),
    "both have data": ({"web1": CLOSED, "web2": replace(CLOSED, node="web2")}, "both have data of their own"),
    "circle": (
        {"web1": replace(REPLICA, node="web1", source="192.168.56.12"), "web2": REPLICA},
        "none is primary",
    ),
    "stranger as source": ({"web1": CLOSED, "web2": replace(REPLICA, source="192.168.56.99")}, "from 192.168.56.99"),
}


@pytest.mark.parametrize("case", NOBODY.values(), ids=NOBODY.keys())
def test_nobody_is_opened_while_anything_is_uncertain(case: tuple[dict[str, Database | None], str]) -> None:
    """Each uncertain state gives its reason and opens no server."""
    asked, reason = case
    decision = decide(NODES, asked)
    assert not decision.opens and not decision.attach
    assert reason in decision.reason


def test_a_stopped_replica_is_started() -> None:
    """After STOP REPLICA by hand converge runs START REPLICA, whether the primary is open or not."""
    stopped = replace(REPLICA, receiving=False, stopped=True)
    assert decide(NODES, {"web1": OPEN, "web2": stopped}).start == ("web2",)
    assert decide(NODES, {"web1": CLOSED, "web2": stopped}).start == ("web2",)


def test_a_replica_that_is_connecting_is_left_to_it() -> None:
    """After a boot it connects by itself."""
    assert decide(NODES, {"web1": OPEN, "web2": replace(REPLICA, receiving=False)}).start == ()


def test_newer_transactions_seen_on_the_replica_of_an_open_primary_prove_nothing() -> None:
    """Under load the replica, asked a moment later, has more than the primary's answer."""
    decision = decide(NODES, {"web1": OPEN, "web2": replace(REPLICA, gtid_executed=f"{U}:1-60")})
    assert (decision.primary, decision.reason) == ("web1", "")


def test_a_first_converge_that_was_interrupted_goes_on() -> None:
    """web2 has its source, but web1 has no account for it yet: neither has data, so web1 is opened."""
    waiting = replace(FRESH2, source="192.168.56.11", receiving=False, applying=True)
    decision = decide(NODES, {"web1": FRESH1, "web2": waiting})
    assert (decision.primary, decision.opens, decision.waits) == ("web1", True, False)


def test_an_old_primary_that_is_back_waits_for_a_rejoin() -> None:
    """web2 was promoted meanwhile: converge does not attach web1, which may have writes of its own."""
    decision = decide(NODES, {"web1": CLOSED, "web2": replace(OPEN, node="web2")})
    assert (decision.primary, decision.opens) == (None, False)
    assert "web1 has data of its own" in decision.reason and "db.rejoin web1" in decision.hint
