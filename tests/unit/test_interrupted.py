"""A promotion that is interrupted at any step is completed by the same command. Nodes are doubles."""

import pytest

from fabfile import failover
from lab import hypervisor
from tests.unit.conftest import Make
from tests.unit.pairs import LAB

PLANNED = [("web1", "is ready"), ("web2", "is ready"), ("web1", "closes"), ("web2", "opens"), ("web1", "follows web2")]
EMERGENCY = [("web2", "is ready"), ("web2", "applies what it received"), ("web2", "opens")]
HOW = {"before it is done": "fails", "after it is done": "cut"}


def interrupted(make: Make, step: tuple[str, str], how: str, *gone: object) -> list[str]:
    """Interrupt a promotion at a step, then run it again; who takes writes in the end."""
    server, title = step
    pair = make(*gone)
    errors = getattr(getattr(pair, server), HOW[how])
    errors[title] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        failover.promote(LAB, "web2")
    assert f"{server} {title}" in pair.notes and len(pair.writable()) < 2
    errors.clear()
    failover.promote(LAB, "web2")
    return pair.writable()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("step", PLANNED, ids=" ".join)
def test_a_planned_promotion_is_completed(make: Make, step: tuple[str, str], how: str) -> None:
    """Whether the server has done what it was told or not, two never take writes."""
    assert interrupted(make, step, how) == ["web2"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("step", EMERGENCY, ids=" ".join)
def test_an_emergency_is_completed(make: Make, step: tuple[str, str], how: str) -> None:
    """The old primary stays fenced."""
    assert interrupted(make, step, how, None, "paused") == ["web2"]


def test_who_is_interrupted_while_he_fences_has_opened_nobody(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The survivor opens only after that; again, the old primary is fenced and the survivor opens."""
    pair = make(None, "paused")
    fence = hypervisor.power_off

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(hypervisor, "power_off", interrupt)
    with pytest.raises(KeyboardInterrupt):
        failover.promote(LAB, "web2")
    assert pair.writable() == []
    monkeypatch.setattr(hypervisor, "power_off", fence)
    failover.promote(LAB, "web2")
    assert pair.writable() == ["web2"] and "web1 is powered off" in pair.notes
