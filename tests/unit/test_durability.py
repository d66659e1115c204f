"""db.durability, and the mark of a promotion that it takes away. Nodes are doubles."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from fabfile import replication
from lab import databases, progress, remembered
from lab.errors import BadInput, CheckFailed
from tests.unit.fake_pair import Two, two
from tests.unit.pairs import CLOSED, PROMOTED, REPLICA


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Two:
    """web2 was promoted, web1 does not answer, commits are not what was chosen."""
    made = two(None, PROMOTED)
    monkeypatch.setattr(replication, "databases_of", made.asked)
    monkeypatch.setattr(progress, "say", lambda *_: None)
    remembered.degrade("web2")
    return made


def choose(pair: Two, value: str) -> Sequence[str]:
    """What the command says."""
    doors: list[Any] = [pair.web1, pair.web2]
    return replication.commit(doors, value)


def test_an_explicit_choice_takes_the_mark_away_and_tells_its_price(pair: Two) -> None:
    """Durable without a replica: writes wait, and that is what was asked for."""
    assert choose(pair, "durable") == [
        "commits on web2 are durable",
        "no replica follows: writes wait until one does",
    ]
    assert remembered.degraded() == ""


def test_with_a_replica_there_is_no_price(pair: Two) -> None:
    """Nor where it is that already."""
    pair.web1.state = replace(REPLICA, node="web1")
    assert choose(pair, "durable") == ["commits on web2 are durable"]
    assert choose(pair, "available") == []


def test_who_is_killed_while_commits_become_less_safe_leaves_no_old_durability_on_record(pair: Two) -> None:
    """The next emergency promotion would believe that it was durable."""
    pair.web2.state = replace(PROMOTED, durability="durable")
    remembered.remember(time.time(), [pair.web2.state])
    pair.web2.cut["commits are async"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        choose(pair, "async")
    assert remembered.recall() is None


def test_without_a_primary_the_choice_waits(pair: Two) -> None:
    """Exit code 1; the mark stays."""
    pair.web2.state = CLOSED
    with pytest.raises(CheckFailed, match="0 databases are open"):
        choose(pair, "durable")
    assert remembered.degraded() == "web2"


def test_semi_sync_that_gave_up_begins_anew() -> None:
    """Switched off and on: by itself it waits for the next commit, and until then nobody would know."""
    text = databases.durability_sql("durable")
    assert text.index("enabled = OFF") < text.index("timeout = 4294967295") < text.index("enabled = ON")
    assert databases.durability_sql("async").endswith("enabled = OFF;")


def test_a_value_that_there_is_not_is_refused() -> None:
    """Exit code 2, with the three."""
    with pytest.raises(BadInput, match="unknown"):
        databases.check_durability("safe")
