"""Fencing, and what a promotion observes before and after it. Servers are simulated."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lab.errors import TimedOut
from lab.mysql import last_seen
from lab.mysql.promotion import Promotion
from lab.nodes.ssh import Machine, together
from lab.replication import fencing, open_for_writes, promote_replica, survey
from lab.replication.switchover import Roles
from tests.support.pairs import LAB, OPEN, PROMOTED
from tests.unit.conftest import Make


@pytest.mark.parametrize(("power", "why"), [("saved", "web1 was powered off"), ("running", "was not running")])
def test_a_dead_mysql_is_enough_only_where_the_machine_runs(make: Make, power: str, why: str) -> None:
    """A saved machine resumes with the memory it had, including its MySQL."""
    pair = make(power=power, dead=power == "running")
    assert why in fencing.fence(LAB, pair.machines[0], dead=True)
    pair.may_lose = True


def test_a_server_that_does_not_answer_is_not_called_closed(make: Make) -> None:
    """A promotion that gave up says that the server may still open later."""
    pair = make(power="off")
    pair.web2.silent = True
    assert open_for_writes.shut(pair.machines[1]) == "unknown"


def test_what_was_asked_before_a_change_of_roles_is_not_remembered_after_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another command changed the roles while the servers were asked."""
    make()

    def late(work: Callable[[Machine], Any], machines: Sequence[Machine]) -> list[Any]:
        answers = together(work, machines)
        last_seen.outdate()
        return answers

    monkeypatch.setattr(survey, "together", late)
    survey.ask(LAB, Roles.of(LAB, "web2"))
    assert last_seen.recall() is None


def test_two_servers_that_take_writes_are_no_good_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planned change of roles verifies both servers."""
    pair = make(OPEN, PROMOTED)
    pair.may_lose = True
    monkeypatch.setattr(promote_replica, "VERIFIED_S", 0.0)
    with pytest.raises(TimedOut, match="web2 is the only primary"):
        promote_replica._verified(LAB, Roles.of(LAB, "web2"), Promotion("planned", "as a test wants", attach=False), "")
