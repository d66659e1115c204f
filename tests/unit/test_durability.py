"""db.durability, and the mark of a promotion that it takes away. Servers are simulated."""

from dataclasses import replace

import pytest

from fabfile import replication
from lab import databases, remembered
from lab.errors import BadInput, CheckFailed
from tests.unit.conftest import Make
from tests.unit.pairs import CLOSED, PROMOTED, WEB2
from tests.unit.simulated.pair import Pair

FOLLOWS = replace(CLOSED, source=str(WEB2.ip), receiving=True, applying=True)


@pytest.fixture
def pair(make: Make) -> Pair:
    """web2 was promoted, web1 does not answer, commits are not what was chosen."""
    remembered.degrade("web2")
    return make(CLOSED, PROMOTED, silent=True)


def test_an_explicit_choice_takes_the_mark_away_and_tells_its_price(pair: Pair) -> None:
    """Durable without a replica: writes wait, and that is what was asked for."""
    lines = replication.commit(pair.doors, "durable")
    assert pair.web2.durability == "durable" and remembered.degraded() == ""
    assert lines[0] == "commits on web2 are durable" and "writes wait until one does" in lines[1]


def test_with_a_replica_there_is_no_price(make: Make) -> None:
    """Nor where it is that already."""
    pair = make(FOLLOWS, PROMOTED)
    assert replication.commit(pair.doors, "durable") == ["commits on web2 are durable"]
    count = len(pair.changes)
    assert replication.commit(pair.doors, "durable") == [] and len(pair.changes) == count


def test_without_a_primary_the_choice_waits(make: Make) -> None:
    """Exit code 1; the mark stays."""
    remembered.degrade("web2")
    pair = make(CLOSED, silent=True)
    with pytest.raises(CheckFailed, match="0 databases are open"):
        replication.commit(pair.doors, "durable")
    assert remembered.degraded() == "web2" and pair.changes == []


def test_semi_sync_that_gave_up_begins_anew() -> None:
    """Switched off and on: by itself it waits for the next commit, and until then nobody would know."""
    text = databases.durability_sql("durable")
    assert text.index("enabled = OFF") < text.index("timeout = 4294967295") < text.index("enabled = ON")
    assert databases.durability_sql("async").endswith("enabled = OFF;")


def test_a_value_that_there_is_not_is_refused() -> None:
    """Exit code 2, with the three."""
    with pytest.raises(BadInput, match="unknown"):
        databases.check_durability("safe")
