"""A pause for the site's writes: it ends whatever happens. Servers are simulated."""

import pytest

from lab.errors import CheckFailed
from lab.replication.write_pause import no_writes
from tests.support.pairs import OPEN, REPLICA
from tests.support.simulated.errors import SqlError
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make

CLOSED, SETTING = "SET GLOBAL read_only = ON", "read_only"


@pytest.fixture
def pair(make: Make) -> Pair:
    """The primary is open."""
    return make(OPEN, REPLICA)


def test_only_root_can_write_meanwhile(pair: Pair) -> None:
    """super_read_only would stop root too; the durability stays."""
    before = dict(pair.web1.variables)
    with no_writes(pair.machines[0]):
        assert pair.web1.variables[SETTING] and not pair.web1.variables["super_read_only"]
    assert {name: bool(it) for name, it in pair.web1.variables.items()} == {
        name: bool(it) for name, it in before.items()
    }
    assert pair.events == ["web1 closed", "web1 opened"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), CheckFailed("no")])
def test_it_is_open_again_after_an_error(pair: Pair, error: BaseException) -> None:
    """And the error is raised."""
    with pytest.raises(type(error)), no_writes(pair.machines[0]):
        raise error
    assert pair.events == ["web1 closed", "web1 opened"]


def test_commits_that_hang_are_the_reason_and_it_takes_writes_as_before(pair: Pair) -> None:
    """MySQL waits for running commits before it closes."""
    pair.web1.refused[CLOSED] = SqlError(1205, "Lock wait timeout exceeded")
    with pytest.raises(CheckFailed, match="its commits hang"), no_writes(pair.machines[0]):
        raise AssertionError("it was not closed")
    assert pair.writable() == ["web1"]
