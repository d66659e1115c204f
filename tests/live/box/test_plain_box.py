"""A box without the lab's packages, like a catalogue's: the roles install everything. Takes a quarter of an hour."""

import pytest

from lab.nodes.ssh import Machine
from lab.state import choices
from lab.topology import Lab
from tests.live.conftest import must, wrong

pytestmark = [pytest.mark.live, pytest.mark.slow]
INSTALL_S = 2400.0


def test_a_plain_box_becomes_the_lab(healthy: Lab, machines: dict[str, Machine]) -> None:
    """Built from the plain box, the lab is healthy and a second converge changes nothing; then back to the full box."""
    saved = choices.load().box
    must("lab.destroy", timeout=300)
    try:
        must("lab.up", "--box", "plain", timeout=INSTALL_S)
        assert wrong(healthy) == []
        assert must("lab.provision").strip() == "nothing to change"
    finally:
        choices.save(box=saved)
        must("lab.destroy", timeout=300)
        must("lab.up", timeout=INSTALL_S)
