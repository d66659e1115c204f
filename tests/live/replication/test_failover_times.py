"""How long an old primary takes to come back, with its machine running: by GTID, and with a copy of all data."""

import time

import pytest

from lab import progress
from lab.nodes import lifecycle, vm_power
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.topology import Lab
from lab.wait import until
from tests.live.conftest import PROMOTE_S, REJOIN_S, must, wrong
from tests.live.nodes.test_lifecycle import leave_note
from tests.live.test_bad_days import saved_in

pytestmark = [pytest.mark.live, pytest.mark.slow]
BY_GTID_S, BY_CLONE_S, STARTS_S = 20.0, 90.0, 240.0
WRITE_BY_HAND = "SET GLOBAL super_read_only = OFF; CREATE DATABASE by_hand; SET GLOBAL super_read_only = ON"


@pytest.fixture
def old_primary(roles: Lab, machines: dict[str, Machine]) -> Machine:
    """web1, which was replaced by web2 while it was off; it runs again, closed, without a source, and lacks a note."""
    machine = machines["web1"]
    vm_power.power_off(machine.node)
    machine.close()
    must("db.promote", "web2", timeout=PROMOTE_S)
    leave_note(roles)
    vm_power.power_on(machine.node)
    lifecycle.answering(machine)
    until("MySQL answers", lambda: databases_of([machine])["web1"], STARTS_S, every=2, where="web1")
    return machine


def rejoined(method: str) -> tuple[str, float]:
    """The report of the command that brings web1 back, and how many seconds it took."""
    start = time.monotonic()
    output = must("db.rejoin", "web1", timeout=REJOIN_S)
    took = time.monotonic() - start
    progress.say("web1", f"rejoined by {method} in {took:.1f} s")
    return output, took


def same_notes(machine: Machine, other: Machine) -> bool:
    """Whether both databases hold the same notes."""
    tokens = "mysql -N -e 'SELECT token FROM site.notes ORDER BY token' | sha256sum"
    return machine.run(tokens).stdout == other.run(tokens).stdout


def test_an_old_primary_is_back_within_twenty_seconds(
    roles: Lab, machines: dict[str, Machine], old_primary: Machine
) -> None:
    """It has no transactions of its own: it fetches by GTID what it missed."""
    output, took = rejoined("GTID")
    assert "fetches by GTID" in output, output
    until("web1 has what it missed", lambda: same_notes(old_primary, machines["web2"]), 20, every=1)
    must("db.promote", "web1", timeout=PROMOTE_S)
    assert wrong(roles) == [] and took <= BY_GTID_S


def test_an_old_primary_with_a_history_of_its_own_is_back_within_ninety_seconds(
    roles: Lab, machines: dict[str, Machine], old_primary: Machine
) -> None:
    """It was written to by hand: it gives those writes up, and gets a copy of all data."""
    old_primary.run("mysql -e %s", WRITE_BY_HAND)
    output, took = rejoined("clone")
    assert "1 transactions that web2 never had" in output and "got a copy of all data" in output, output
    assert "CREATE DATABASE by_hand" in saved_in(output).read_text(encoding="utf-8")
    until("web1 has what it missed", lambda: same_notes(old_primary, machines["web2"]), 20, every=1)
    assert old_primary.run("mysql -N -e %s", "SHOW DATABASES LIKE 'by_hand'").stdout == ""
    must("db.promote", "web1", timeout=PROMOTE_S)
    assert wrong(roles) == [] and took <= BY_CLONE_S
