"""Copies of all data: a failed one leaves no server that seems complete, and a server with no other way on gets one.

Servers are simulated.
"""

import time
from dataclasses import replace

import pytest

from lab.errors import CheckFailed
from lab.mysql import last_seen
from lab.replication import attach, promote_replica, rejoin, salvage
from tests.support.pairs import CLOSED, LAB, PROMOTED, U1
from tests.support.simulated.errors import SqlError
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make
from tests.unit.replication.test_damaged_log import damaged

U3 = "33333333-71ca-11e1-9e33-c80aa9429562"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait to see whether replication goes on after all."""
    monkeypatch.setattr(attach, "RESUMES_S", 0.0)
    monkeypatch.setattr(rejoin, "FOLLOWS_S", 1.0)
    monkeypatch.setattr(salvage, "FETCH_S", 1.0)


def follows(pair: Pair) -> bool:
    """Whether web1 replicates from web2, the only primary."""
    return pair.web1.replica.running == {"IO", "SQL"} and pair.writable() == ["web2"]


def test_a_copy_that_failed_leaves_an_empty_server(make: Make) -> None:
    """MySQL drops the data first and keeps the GTID history: a server without notes would seem to have all."""
    pair = make(replace(CLOSED, gtid_executed=f"{U1}:1-50,{U3}:1-2"), PROMOTED)
    last_seen.remember(time.time(), [PROMOTED])
    pair.web1.refused["CLONE INSTANCE FROM"] = SqlError(3862, "Clone Donor Error")
    with pytest.raises(CheckFailed, match="copying the data failed"):
        rejoin.rejoin(LAB, "web1")
    assert pair.web1.executed == "", "the history went before the data"
    pair.web2.stop()
    with pytest.raises(CheckFailed, match="acknowledged writes may be on web2 only"):
        promote_replica.promote(LAB, "web1")
    pair.web2.start()
    promote_replica.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and pair.web1.replica.source == "", "an empty server can't fetch all by GTID"
    pair.web1.refused.clear()
    rejoin.rejoin(LAB, "web1")
    assert pair.web1.copied_from == "web2" and follows(pair)


def test_a_replica_with_other_data_gets_a_copy(make: Make) -> None:
    """It was repaired once and fails again: fetching the same again would be tried without end."""
    pair = damaged(make())
    pair.web2.replica.differs = True
    output = "\n".join(rejoin.rejoin(LAB, "web2"))
    assert pair.web2.copied_from == "web1" and "can't apply what it fetches" in output
    assert pair.web2.replica.running == {"IO", "SQL"}


def test_a_salvage_that_fetched_what_can_not_be_applied_names_the_one_that_has_all(make: Make) -> None:
    """Running it again would fail in the same way."""
    pair = damaged(make())
    pair.power_off(pair.web1.node)
    pair.web2.replica.differs = True
    with pytest.raises(CheckFailed) as caught:
        promote_replica.promote(LAB, "web2", salvage=True)
    assert "invoke db.promote web1, then invoke db.rejoin web2" in caught.value.hint
    promote_replica.promote(LAB, "web1")
    assert pair.writable() == ["web1"] and pair.lost("web1") == ""
    rejoin.rejoin(LAB, "web2")
    assert pair.web2.copied_from == "web1"
