"""db.rejoin: by GTID or with a copy, never while a fault is active, and commits as chosen afterwards."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fabfile import rejoin
from fabfile.switch import Roles
from lab import errant, gtid, hypervisor, ledger, lifecycle, progress, remembered
from lab.catalogue import Fault
from lab.databases import Database
from lab.errors import CheckFailed
from lab.topology import Node
from tests.unit.fake_pair import Two, two
from tests.unit.pairs import CLOSED, LAB, OPEN, PROMOTED, REPLICA, U1, WEB2

OLD = replace(CLOSED, gtid_executed=f"{U1}:1-50")
Come = Callable[..., tuple[Two, list[str]]]


@pytest.fixture
def come(monkeypatch: pytest.MonkeyPatch) -> Come:
    """web1 comes back in some state, with a power state."""

    def back(
        web1: Database, power: str = "running", web2: Database = PROMOTED, *, discard: bool = False
    ) -> tuple[Two, list[str]]:
        pair = two(web1, web2)
        roles = pair.roles
        turned: Any = replace(roles, node=roles.other, other=roles.node)
        monkeypatch.setattr(Roles, "of", lambda lab, name: turned)
        monkeypatch.setattr(hypervisor, "states", lambda lab: {"web1": power, "web2": "running"})
        monkeypatch.setattr(rejoin, "databases_of", pair.asked)
        monkeypatch.setattr(rejoin, "clone", lambda door, donor, password: pair.notes.append(f"copied from {donor}"))
        monkeypatch.setattr(rejoin, "commits", lambda door, found, wanted: pair.notes.append(f"{found} to {wanted}"))
        monkeypatch.setattr(errant, "keep", lambda door, own, why: keep(pair, own))
        return pair, rejoin.rejoin(LAB, "web1", discard=discard)

    def keep(pair: Two, own: gtid.Intervals) -> Path:
        pair.notes.append(f"written down {gtid.text(own)}")
        return Path("backups/it.sql")

    def on(node: Node) -> None:
        raised.append(node.name)

    raised: list[str] = []
    monkeypatch.setattr(hypervisor, "power_on", on)
    monkeypatch.setattr(lifecycle, "answering", lambda door: "")
    monkeypatch.setattr(rejoin, "passwords", lambda names: dict.fromkeys(names, "secret"))
    monkeypatch.setattr(progress, "say", lambda *_: None)
    return back


def test_an_old_primary_without_anything_of_its_own_fetches_what_it_missed(come: Come) -> None:
    """No copy; commits become what was chosen when it follows, and not before."""
    pair, lines = come(OLD)
    assert pair.notes == ["web1 starts MySQL", "web1 replicates from web2", "available to durable"]
    assert "fetches by GTID" in lines[0] and "commits on web2 are durable" in lines[-1]


def test_transactions_of_its_own_are_shown_and_given_up(come: Come) -> None:
    """How many and which; it gets a copy before it follows."""
    pair, lines = come(replace(OLD, gtid_executed=f"{U1}:1-53"))
    assert f"3 transactions that web2 never had: {U1}:51-53" in lines[0]
    assert pair.notes.index(f"copied from {WEB2.ip}") < pair.notes.index("web1 replicates from web2")


def test_what_only_it_has_is_written_down_before_it_is_given_up(come: Come) -> None:
    """The path is in the answer."""
    pair, lines = come(replace(OLD, gtid_executed=f"{U1}:1-53"))
    assert pair.notes.index(f"written down {U1}:51-53") < pair.notes.index(f"copied from {WEB2.ip}")
    assert any("backups/it.sql" in line for line in lines)


def test_only_discard_gives_it_up_without_a_copy(come: Come) -> None:
    """It says so."""
    pair, lines = come(replace(OLD, gtid_executed=f"{U1}:1-53"), discard=True)
    assert f"copied from {WEB2.ip}" in pair.notes and not any("written down" in note for note in pair.notes)
    assert any("--discard" in line for line in lines)


def test_nothing_of_its_own_leaves_no_file(come: Come) -> None:
    """Also where it gets a copy because the primary's logs do not reach back."""
    pair, _ = come(OLD, web2=replace(PROMOTED, purged=f"{U1}:1-60", gtid_executed=f"{U1}:1-70"))
    assert not any("written down" in note for note in pair.notes)


def test_who_missed_what_is_thrown_away_gets_a_copy_too(come: Come) -> None:
    """The primary's binary logs do not reach back so far."""
    pair, lines = come(OLD, web2=replace(PROMOTED, purged=f"{U1}:1-60", gtid_executed=f"{U1}:1-70"))
    assert f"copied from {WEB2.ip}" in pair.notes and "thrown away the log" in lines[0]


def test_a_machine_that_is_off_is_started(come: Come, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no other command."""
    started: list[str] = []
    monkeypatch.setattr(hypervisor, "power_on", lambda node: started.append(node.name))
    come(OLD, "off")
    assert started == ["web1"]


def test_a_machine_in_another_state_is_powered_off_before_it_is_started(
    come: Come, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libvirt can't start one that is suspended, and one that was saved would go on as a primary."""
    done: list[str] = []
    monkeypatch.setattr(hypervisor, "make_off", lambda lab, node: done.append(f"{node.name} off"))
    monkeypatch.setattr(hypervisor, "power_on", lambda node: done.append(f"{node.name} on"))
    come(OLD, "saved")
    assert done == ["web1 off", "web1 on"]


def test_who_follows_already_is_not_attached_again(come: Come) -> None:
    """A rejoin that was interrupted: only what is missing is done."""
    follows = replace(OLD, source=str(WEB2.ip), receiving=True, applying=True)
    pair, _ = come(follows)
    assert pair.notes == ["web1 starts MySQL", "available to durable"]


REFUSED: dict[str, tuple[Database, Database, str]] = {
    "it is the primary": (OPEN, REPLICA, "db.rejoin web2"),
    "nobody is primary": (OLD, replace(PROMOTED, writable=False), "db.promote web2"),
    "two are": (OPEN, PROMOTED, "lab.reset"),
}


@pytest.mark.parametrize(("web1", "web2", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_without_one_other_primary_nobody_rejoins(come: Come, web1: Database, web2: Database, hint: str) -> None:
    """Exit code 1, and what to do first."""
    with pytest.raises(CheckFailed) as caught:
        come(web1, web2=web2)
    assert hint in caught.value.hint


def test_a_fault_on_the_node_is_healed_first(come: Come) -> None:
    """What is broken on purpose is not repaired in passing."""
    ledger.add(Fault("power-off", "web1"), 1.0)
    with pytest.raises(CheckFailed, match="web1-power-off is active") as caught:
        come(OLD, "off")
    assert caught.value.hint == "invoke fault.heal"
    assert remembered.recall() is None
