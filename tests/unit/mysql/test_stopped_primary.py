"""A primary whose MySQL was stopped on its running node: started again, or replaced."""

import time
from collections.abc import Collection
from dataclasses import replace

import pytest

from lab.faults import ledger
from lab.faults.kinds import Fault
from lab.mysql import last_seen, shutdown
from lab.mysql.advice import advise
from lab.mysql.server_state import Database
from tests.support.pairs import OPEN, REPLICA, U1, U2, WEB1, WEB2

ENDED = {"web1": f"web1: MySQL was asked to stop, which {shutdown.RELEASES}"}
CERTAIN = "invoke lab.provision (starts it, web1 stays primary), or invoke db.promote web2 --salvage"
CONNECTS = replace(REPLICA, receiving=False, error="Error reconnecting to source")
STOPS: dict[str, tuple[Database, Collection[str], str, Fault | None, bool]] = {
    "its replica waits for it": (CONNECTS, ["web1"], "web1", None, True),
    "it failed, or its node is off": (CONNECTS, [], "web1", None, False),
    "it was not the last primary": (CONNECTS, ["web1"], "web2", None, False),
    "the replica was told to stop": (replace(CONNECTS, stopped=True), ["web1"], "web1", None, False),
    "the replica has a transaction of its own": (
        replace(CONNECTS, gtid_executed=f"{U1}:1-50,{U2}:1"),
        ["web1"],
        "web1",
        None,
        False,
    ),
    "somebody stopped it as an exercise": (CONNECTS, ["web1"], "web1", Fault("service-stop", "web1", "mysql"), False),
    "the replica is cut off": (CONNECTS, ["web1"], "web1", Fault("partition", "web2", peer="web1"), False),
}


@pytest.mark.parametrize(("web2", "stopped", "seen", "fault", "certain"), STOPS.values(), ids=STOPS)
def test_a_primary_that_was_stopped_is_started_rather_than_replaced(
    web2: Database, stopped: Collection[str], seen: str, fault: Fault | None, certain: bool
) -> None:
    """Where a converge surely makes it the primary again; otherwise it would open nobody."""
    last_seen.remember(time.time(), [replace(OPEN, node=seen), REPLICA])
    if fault:
        ledger.add(fault, 1.0)
    (line,) = advise((WEB1, WEB2), {"web1": None, "web2": web2}, "", ENDED, {"web1": "running"}, stopped)
    assert line.endswith(f"; next: {CERTAIN}") == certain
    assert ("lab.provision" in line) == certain


def test_a_stopped_primary_is_not_started_after_a_promotion_that_nobody_saw_end() -> None:
    """The other server may have been open since."""
    last_seen.remember(time.time(), [OPEN, REPLICA])
    last_seen.opening("web2", REPLICA.gtid_executed)
    (line,) = advise((WEB1, WEB2), {"web1": None, "web2": CONNECTS}, "", ENDED, {"web1": "running"}, ["web1"])
    assert "lab.provision" not in line


@pytest.mark.parametrize("ended", ["", "how MySQL on web1 ended as a primary is not known: it was started again since"])
def test_a_machine_that_has_no_record_of_its_end_as_primary_is_not_started(ended: str) -> None:
    """It may be made anew, and empty: a converge refuses it then."""
    last_seen.remember(time.time(), [OPEN, REPLICA])
    asked = {"web1": None, "web2": CONNECTS}
    (line,) = advise((WEB1, WEB2), asked, "", {"web1": ended}, {"web1": "running"}, ["web1"])
    assert "lab.provision" not in line
