"""A promotion interrupted at any moment can be run again, and two databases never take writes."""

import os
import signal
import subprocess
from contextlib import suppress

import pytest

from lab import progress
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.topology import Lab
from tests.live.conftest import PROMOTE_S, must, primary, start, wrong

pytestmark = [pytest.mark.live, pytest.mark.slow]
ENDS_S = 60.0
STOPPED = [(signal.SIGINT, after_s) for after_s in (0.5, 2.0, 3.0, 4.0, 5.0, 7.0)] + [(signal.SIGKILL, 4.0)]


def stop(promotion: "subprocess.Popen[str]", how: signal.Signals, after_s: float) -> None:
    """Send a signal to a command and its children, unless it has ended by then; wait for its end."""
    try:
        with suppress(subprocess.TimeoutExpired):
            promotion.wait(after_s)
        running = promotion.poll() is None
        if running:
            os.killpg(promotion.pid, how)
        output, _ = promotion.communicate(timeout=ENDS_S)
        ending = f"{how.name} after {after_s:g} s" if running else f"it ended within {after_s:g} s"
        progress.say("lab", f"{ending}: exit {promotion.returncode}")
        assert running or promotion.returncode == 0, output
    finally:
        if promotion.poll() is None:
            os.killpg(promotion.pid, signal.SIGKILL)


def writable(machines: dict[str, Machine]) -> list[str]:
    """The databases that take writes; both must answer."""
    asked = databases_of([machines["web1"], machines["web2"]])
    assert None not in asked.values(), asked
    return [it.node for it in asked.values() if it and it.writable]


@pytest.mark.parametrize(("how", "after_s"), STOPPED, ids=[f"{how.name}-{after_s:g}" for how, after_s in STOPPED])
def test_a_promotion_that_was_interrupted_can_be_run_again(
    roles: Lab, machines: dict[str, Machine], how: signal.Signals, after_s: float
) -> None:
    """Ctrl-C after so many seconds, or killed while it holds the lab's lock: the same command completes it."""
    stop(start("db.promote", "web2"), how, after_s)
    assert len(writable(machines)) < 2
    must("db.promote", "web2", timeout=PROMOTE_S)
    assert primary(roles) == "web2" and writable(machines) == ["web2"]
    must("db.promote", "web1", timeout=PROMOTE_S)
    assert primary(roles) == "web1" and wrong(roles) == []
