"""What the status says of writes that wait or are refused, each with the command that helps."""

from dataclasses import replace

from lab.advice import advise
from tests.unit.pairs import OPEN, REPLICA, WEB1, WEB2


def test_a_primary_without_a_durability_is_told() -> None:
    """Somebody opened it by hand, or switched semi-sync off: the site leaves no notes there."""
    (line,) = advise((WEB1, WEB2), {"web1": replace(OPEN, durability="none"), "web2": REPLICA}, "", {})
    assert "no durability is set on web1" in line and line.endswith("next: invoke lab.provision")
