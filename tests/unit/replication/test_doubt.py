"""db.promote after a normal shutdown of the primary: its waiting commits returned. Servers are simulated."""

import time
from collections.abc import Callable

import pytest

from lab.errors import CheckFailed
from lab.mysql import last_seen
from lab.mysql.shutdown import GAVE_UP, STARTED, STOP, SYSTEM_STOPS
from lab.nodes import vm_power
from lab.replication import promote_replica, rejoin
from lab.topology import Node
from tests.support.pairs import LAB
from tests.support.simulated.pair import Pair
from tests.unit.conftest import Make

Ends = Callable[[Pair], None]


def stops(pair: Pair) -> None:
    """Stopped by systemd; the node answers, and its record is read."""
    pair.web1.stop()


def stops_by_a_statement(pair: Pair) -> None:
    """SHUTDOWN bypasses systemd: mysql-watch records it, and a shutdown that hangs is killed."""
    pair.note("web1", STOP)
    pair.crash(pair.web1)


def stops_and_is_lost(pair: Pair) -> None:
    """Then the power is cut: the record in the node's memory is gone, the console remains."""
    pair.web1.stop()
    pair.power_off(pair.web1.node)


def begins_to_stop_and_freezes(pair: Pair) -> None:
    """The machine is paused in the middle of it."""
    pair.note("web1", STOP)
    pair.power["web1"] = "paused"


def shuts_down(pair: Pair) -> None:
    """The console can't be read: libvirt's reason decides."""
    pair.web1.stop()
    pair.power["web1"], pair.off_because["web1"] = "off", "shutdown"
    pair.nodes.unreadable.add("web1")


def gives_up_waiting(pair: Pair) -> None:
    """The clock jumped ahead, then the power is cut."""
    pair.note("web1", GAVE_UP)
    pair.power_off(pair.web1.node)


def is_ended_by_force(pair: Pair) -> None:
    """systemctl reboot -f: the node is gone, its console shows the record of mysql-watch, and its power is on."""
    pair.note("web1", SYSTEM_STOPS)
    pair.mute.add("web1")


def is_killed_and_stopped_later(pair: Pair) -> None:
    """systemd first fails to start it, then succeeds, and that closed server is stopped."""
    pair.crash(pair.web1)
    for line in ("exited exit-code exited 1", STARTED, STOP, "exited success exited 0"):
        pair.note("web1", line)


def is_killed(pair: Pair) -> None:
    """SIGKILL: nothing returns."""
    pair.crash(pair.web1)


def loses_its_power(pair: Pair) -> None:
    """virsh destroy."""
    pair.power_off(pair.web1.node)


def freezes(pair: Pair) -> None:
    """virsh suspend."""
    pair.power["web1"] = "paused"


def hangs(pair: Pair) -> None:
    """Its MySQL does not answer."""
    pair.web1.silent = True


def cant_be_closed(pair: Pair) -> None:
    """It answers, and its commits hang."""
    pair.web1.hangs = True


ORDERLY: dict[Ends, str] = {
    stops: "MySQL was asked to stop",
    stops_by_a_statement: "MySQL was asked to stop",
    stops_and_is_lost: "MySQL was asked to stop",
    begins_to_stop_and_freezes: "MySQL was asked to stop",
    is_ended_by_force: "MySQL was asked to stop",
    gives_up_waiting: "MySQL gave up waiting",
    shuts_down: "not because its power was cut (shutdown)",
}
SUDDEN: list[Ends] = [is_killed, is_killed_and_stopped_later, loses_its_power, freezes, hangs]


@pytest.mark.parametrize("ends", ORDERLY, ids=lambda it: it.__name__)
def test_an_orderly_end_is_a_doubt(make: Make, ends: Ends) -> None:
    """Nothing is changed or fenced, and --salvage is named; if the loss is accepted, the report names the doubt."""
    pair = make()
    ends(pair)
    pair.begin()
    before = dict(pair.power)
    with pytest.raises(CheckFailed, match="acknowledged writes may be on web1 only") as caught:
        promote_replica.promote(LAB, "web2")
    assert ORDERLY[ends] in caught.value.evidence and "invoke db.promote web2 --salvage" in caught.value.hint
    assert pair.changes == [] and pair.events == [] and pair.power == before
    lines = promote_replica.promote(LAB, "web2", accept_data_loss=True)
    assert "web2 opened" in pair.events and ORDERLY[ends] in lines[-1]


@pytest.mark.parametrize("ends", SUDDEN, ids=lambda it: it.__name__)
def test_a_sudden_end_is_none(make: Make, ends: Ends) -> None:
    """No waiting commit returned: the replica has all that was acknowledged."""
    pair = make()
    pair.web2.replica.running -= {"IO"}
    pair.visit()
    assert pair.web1.waiting
    ends(pair)
    promote_replica.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and pair.lost("web2") == ""


@pytest.mark.parametrize("state", [freezes, hangs, cant_be_closed], ids=lambda it: it.__name__)
def test_a_primary_that_is_told_to_stop_while_it_is_fenced_is_a_doubt_too(
    make: Make, monkeypatch: pytest.MonkeyPatch, state: Ends
) -> None:
    """Between the query and its power-off: its console shows it, and no server opens."""
    pair = make()
    state(pair)
    pair.begin()
    power_off = vm_power.power_off

    def just_too_late(node: Node) -> None:
        pair.note("web1", STOP)
        power_off(node)

    monkeypatch.setattr(vm_power, "power_off", just_too_late)
    with pytest.raises(CheckFailed, match="acknowledged writes may be on web1 only") as caught:
        promote_replica.promote(LAB, "web2")
    assert "MySQL was asked to stop" in caught.value.evidence and "--salvage" in caught.value.hint
    assert pair.events == ["web1 powered off", "web1 closed"]
    pair.later()
    promote_replica.promote(LAB, "web2", salvage=True)
    assert pair.writable() == ["web2"] and pair.lost("web2") == ""


def test_a_server_that_was_promoted_keeps_a_record_of_its_own(make: Make) -> None:
    """web2 is promoted, web1 rejoins, and web2 loses power: how it ended is known, so web1 opens."""
    pair = make(power="off")
    promote_replica.promote(LAB, "web2")
    rejoin.rejoin(LAB, "web1")
    last_seen.remember(time.time(), pair.asked().values())
    pair.web1.replica.work(1)
    pair.power_off(pair.web2.node)
    promote_replica.promote(LAB, "web1")
    assert pair.writable() == ["web1"] and pair.lost("web1") == ""


def test_what_was_stopped_before_it_was_opened_is_no_doubt(make: Make) -> None:
    """It was restarted, and opened after that; then it was killed."""
    pair = make()
    for line in (STOP, "exited success exited 0", "started", "opened 0"):
        pair.note("web1", line)
    pair.crash(pair.web1)
    promote_replica.promote(LAB, "web2")
    assert pair.writable() == ["web2"]
