"""Opening a server for writes: a command that gave up opens nothing later. Servers are simulated."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.durability import Durability
from lab.errors import CheckFailed, CommandFailed, Unreachable
from lab.mysql import shutdown
from lab.nodes.ssh import Machine
from lab.replication import assign_roles, promote_replica, rolling_restart, switchover
from lab.replication.open_for_writes import leaves_and_opens, open_server, opens
from lab.replication.session import ALL_ENDED, END_ALL, client
from lab.replication.switchover import NotClosed, Roles
from lab.wait import pause
from tests.support.pairs import CLOSED, LAB, REPLICA
from tests.support.simulated.errors import SqlError
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make

OPEN = "SET GLOBAL read_only"
FULL, GONE = SqlError(1021, "Disk full"), Unreachable("web1: ssh failed")
# Each of these opens web1.
METHODS: dict[str, Callable[[Machine], object]] = {
    "lab.provision": lambda machine: assign_roles._open(machine, CLOSED),
    "undo of a switch": lambda machine: open_server(machine, leaves_and_opens(Durability.DURABLE), "is opened again"),
    "undo of closing": lambda machine: open_server(machine, opens(), "takes writes again"),
}
RECORDS = ["lab.provision", "undo of a switch"]


@pytest.fixture
def pair(make: Make) -> Pair:
    """The primary is closed."""
    return make(CLOSED, REPLICA)


def open_web1(pair: Pair, method: str) -> None:
    """Open it with that method."""
    METHODS[method](pair.machines[0])


def killed_while_it_records(pair: Pair, node: str, command: Callable[[], object]) -> Path:
    """The command is killed while its bash on the node writes a record; that bash goes on when the file is gone."""
    folder = pair.nodes.folder / node
    stalls, begun = folder / "stalls", folder / "begun"
    stalls.touch()
    (folder / "recorder").write_text(f": > {begun}\nwhile [ -e {stalls} ]; do sleep 0.05; done\n", encoding="utf-8")
    pair.interrupt(node, OPEN, KeyboardInterrupt(), when="while it runs")
    with pytest.raises(KeyboardInterrupt):
        command()
    pair.interruptions.clear()
    for _ in range(500):
        if not begun.exists():
            pause(0.02)
    assert begun.exists()
    return stalls


@pytest.mark.parametrize("method", RECORDS)
def test_a_later_promotion_ends_what_was_about_to_open_the_other_server(pair: Pair, method: str) -> None:
    """Its bash is delayed outside of MySQL, and its deadline has not passed."""
    stalls = killed_while_it_records(pair, "web1", lambda: open_web1(pair, method))
    promote_replica.promote(LAB, "web2")
    stalls.unlink()
    pair.later(0)
    assert pair.events == ["web2 opened"]


@pytest.mark.parametrize("method", RECORDS)
def test_a_shell_that_is_held_up_for_too_long_opens_nothing(pair: Pair, method: str) -> None:
    """The server's clock decides, even if the shell is not ended."""
    stalls = killed_while_it_records(pair, "web1", lambda: open_web1(pair, method))
    pair.later(60)
    stalls.unlink()
    pair.later(0)
    assert pair.events == []


def test_who_is_too_late_does_not_close_what_another_command_has_opened(pair: Pair) -> None:
    """Each opening has a deadline of its own."""
    stalls = killed_while_it_records(pair, "web1", lambda: open_web1(pair, "lab.provision"))
    pair.later(60)
    open_server(pair.machines[0], opens(), "opens")
    stalls.unlink()
    pair.later(0)
    assert pair.events == ["web1 opened"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("words", ["super_read_only = IF", OPEN])
def test_a_server_that_is_held_up_for_too_long_is_closed_and_stays_closed(pair: Pair, method: str, words: str) -> None:
    """The command that gave up has reported that."""
    pair.web1.held, pair.nodes.patient = [words], False
    with pytest.raises(CheckFailed, match="web1 was not opened for writes: its client failed; it is closed") as caught:
        open_web1(pair, method)
    assert "no answer within" in caught.value.evidence and "next: see why" in str(caught.value)
    pair.later()
    assert pair.events == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("reached", [True, False])
def test_what_goes_on_when_the_connection_is_lost_is_ended_or_told(pair: Pair, method: str, reached: bool) -> None:
    """If web1 can't be reached again, it is not reported as closed."""
    pair.web1.held = ["super_read_only = IF"]
    pair.interrupt("web1", OPEN, GONE, when="while it runs")
    if not reached:
        pair.interrupt("web1", ALL_ENDED, GONE)
    why = "writes: its client failed; it is closed" if reached else "writes: .*may still open later"
    with pytest.raises(CheckFailed, match=f"web1 was not opened .*{why}"):
        open_web1(pair, method)
    pair.later()
    assert pair.events == []


@pytest.mark.parametrize("method", METHODS)
def test_a_connection_that_is_lost_once_it_is_open_is_no_failure(pair: Pair, method: str) -> None:
    """It is asked again."""
    pair.interrupt("web1", OPEN, GONE, when="after")
    open_web1(pair, method)
    assert pair.events == ["web1 opened"]


def test_only_who_opens_for_the_site_notes_it_on_the_record(pair: Pair) -> None:
    """Reopening after a failed closing must not hide on the record that MySQL was asked to stop meanwhile."""
    for method in METHODS:
        pair.web1.set_global("super_read_only", value=True, lock_wait_timeout=1)
        before = (pair.nodes.console("web1") or "").count(shutdown.OPENED)
        open_web1(pair, method)
        assert (pair.nodes.console("web1") or "").count(shutdown.OPENED) - before == (method in RECORDS)


def closes_and_says_that_it_failed(pair: Pair) -> None:
    """Let web1 close and report an error; the script that opens it again is delayed, and its connection is lost."""
    pair.interrupt("web1", "super_read_only = ON", CommandFailed("web1", "closes", 1, "hangs"), after=True)
    pair.interrupt("web1", OPEN, GONE, when="while it runs")
    pair.web1.held = [OPEN]


def test_a_restart_that_can_not_open_its_primary_again_says_so(make: Make) -> None:
    """And nothing opens it later, when another server may be the primary."""
    pair = make()
    closes_and_says_that_it_failed(pair)
    with pytest.raises(CheckFailed, match=r"web1 was not opened for writes.*it is closed") as caught:
        rolling_restart._close(pair.machines[0])
    assert "invoke lab.provision" in caught.value.hint
    pair.later()
    assert pair.events == ["web1 closed"]


def change(pair: Pair) -> None:
    """Make web2 the primary."""
    asked = pair.asked()
    own, rival = asked["web2"], asked["web1"]
    assert own and rival
    switchover.planned(Roles.of(LAB, "web2"), own, rival, attach=True)


def test_a_switch_that_can_not_open_the_old_primary_again_says_so(make: Make) -> None:
    """It may have closed without reporting it."""
    pair = make()
    closes_and_says_that_it_failed(pair)
    with pytest.raises(NotClosed, match=r"its commits hang; web1 was not opened for writes.*it is closed"):
        change(pair)
    pair.later()
    assert pair.events == ["web1 closed"]


def test_a_failed_switch_that_can_not_open_the_old_primary_again_says_so(make: Make) -> None:
    """The candidate certainly failed, and so did reopening the old primary."""
    pair = make()
    pair.web2.refused["RESET REPLICA"] = pair.web1.refused["super_read_only = IF"] = FULL
    with pytest.raises(CheckFailed, match=r"web2 was not promoted; web1 was not opened.*it is closed") as caught:
        change(pair)
    assert caught.value.evidence.count("Disk full") == 2 and "db.promote web2" in caught.value.hint
    pair.web1.refused.clear()
    pair.later()
    assert pair.events == ["web1 closed"]


def test_a_session_of_the_site_with_the_same_number_goes_on(pair: Pair) -> None:
    """MySQL was restarted, and numbers sessions from the beginning."""
    client(pair.machines[1])
    (session,) = pair.web2.sessions.values()
    session.user = "site"
    (file,) = (pair.nodes.folder / "web2" / "run" / "clients").iterdir()
    file = file.rename(file.with_name("12345678"))
    pair.machines[1].script(END_ALL, title="ends the other clients")
    assert not session.killed and not file.exists()
