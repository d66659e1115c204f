"""What the status says of writes that wait or are refused, each with the command that helps."""

from dataclasses import replace

import pytest

from lab import ledger
from lab.advice import advise
from lab.catalogue import Fault
from tests.unit.pairs import OPEN, REPLICA, WEB1, WEB2


def test_a_primary_without_a_durability_is_told() -> None:
    """Somebody opened it by hand, or switched semi-sync off: the site leaves no notes there."""
    (line,) = advise((WEB1, WEB2), {"web1": replace(OPEN, durability="none"), "web2": REPLICA}, "", {})
    assert "no durability is set on web1" in line and line.endswith("next: invoke lab.provision")


DURABLE = replace(OPEN, durability="durable", waits=True)


@pytest.mark.parametrize(
    ("fault", "machine", "command"),
    [
        (True, "running", "invoke fault.heal"),
        (False, "running", "invoke lab.provision"),
        (False, "off", "invoke lab.up"),
    ],
)
def test_writes_that_wait_for_a_replica_that_does_not_answer_are_told(fault: bool, machine: str, command: str) -> None:
    """'MySQL on web2 can't be asked' does not say what visitors feel."""
    if fault:
        ledger.add(Fault("service-kill", "web2", service="mysql"), 1.0)
    (line,) = advise((WEB1, WEB2), {"web1": DURABLE, "web2": None}, "", {}, {"web2": machine})
    assert line.startswith("writes wait: durable") and line.endswith(f"next: {command}")


def test_writes_that_wait_for_nobody_are_not_told_to_wait() -> None:
    """Commits that need no replica go on."""
    available = replace(OPEN, durability="available")
    assert advise((WEB1, WEB2), {"web1": available, "web2": None}, "", {}, {"web2": "off"}) == []
