"""The clock of a node is set to the time at that moment, however long it took to get there."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from lab import topology
from lab.nodes import clock_sync
from lab.nodes.ssh import Answer, Machine
from tests.support.fake_node import bash, fake, places

__all__ = ["places"]
SHELL = "a shell"


class SlowDouble:
    """A machine whose ssh takes seven seconds to connect; `clock` is the hosting machine's."""

    node = topology.load().nodes[0]
    clock = 1000.0
    set_to = ""

    def ready(self, text: str, **_: Any) -> str:
        """Connects, and starts a shell."""
        self.clock += 7
        return SHELL

    def script(self, text: str, *, shell: str, **_: Any) -> Answer:
        """What that shell is told."""
        assert shell == SHELL and text.startswith("date -u -s @")
        self.set_to = text.split()[3].removeprefix("@")
        return Answer(0, "", "")

    run_in_shell = script


@pytest.mark.parametrize(
    ("set_it", "shell"),
    [(clock_sync.step_clock, None), (clock_sync.step_clock_soon, None), (clock_sync.shell_in_time, SHELL)],
    ids=["at once", "when it answers", "and goes on"],
)
def test_a_clock_is_set_to_the_time_after_connecting(
    set_it: Callable[[Machine], object], shell: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read before, it would be late by as long as ssh takes, which is seconds on an emulated processor."""
    machine = SlowDouble()
    monkeypatch.setattr(time, "time", lambda: machine.clock)
    assert set_it(cast(Machine, machine)) == shell
    assert float(machine.set_to) == machine.clock


@pytest.mark.parametrize("code", [0, 1])
def test_a_clock_that_can_not_be_set_is_told(code: int, tmp_path: Path) -> None:
    """The shell ends with it, and says nothing more."""
    fake(tmp_path, "date", f"exit {code}")
    done = bash(f"{clock_sync._set_it()}\necho goes on")
    assert (done.returncode, done.stdout) == (code, "" if code else "goes on\n")
