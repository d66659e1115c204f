"""A copy of all data: what it came to is asked, not guessed from the client's exit code."""

from typing import Any

import pytest

from fabfile import attach
from lab.errors import CheckFailed
from lab.machine import Answer
from tests.unit.pairs import WEB2


class Failing:
    """A door to a server whose copy of the data fails."""

    node = WEB2

    def script(self, *_: object, **__: object) -> Answer:
        """The client loses its server."""
        return Answer(1, "", "ERROR 3707: Restart server failed")

    def run(self, command: str, **_: object) -> Answer:
        """What clone_status says: nothing before, then when the copy began and what it came to."""
        return Answer(0, "2026-11-28 12:00:00\nFailed\tdonor is gone\n" if "STATE" in command else "", "")


def test_a_copy_that_failed_is_told() -> None:
    """The client's exit code says nothing, for the server restarts itself: its status does."""
    door: Any = Failing()
    with pytest.raises(CheckFailed, match="web2: copying the data failed") as caught:
        attach.clone(door, "192.168.56.11", "secret")
    assert "donor is gone" in caught.value.evidence
