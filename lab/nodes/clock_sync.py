"""The clock of a node: measure its error, and set it to this machine's time."""

import time
from collections.abc import Callable, Mapping

from lab.mysql import shutdown
from lab.nodes.ssh import Machine, Shell
from lab.wait import until

IS_RIGHT_S = 5.0
READY_S, CONNECT_S = 60.0, 20.0


def error(answers: Mapping[str, str], asked_at: float) -> float:
    """Seconds that a node's clock is ahead of this machine's; 0 if it is right or was not asked.

    A busy node answers late: its clock is right if it was right at any moment since `asked_at`. When a laptop wakes its
    machines' clocks are behind: until they are right, lag and the times in logs mean nothing.
    """
    clock = float(answers.get("clock", asked_at))
    seconds = min(clock - asked_at, 0.0) or max(clock - time.time(), 0.0)
    return seconds if abs(seconds) > IS_RIGHT_S else 0.0


def shell_in_time(machine: Machine) -> Shell:
    """Step a machine's clock as soon as it answers, and return the shell that did it, for what comes next."""

    def step() -> Shell:
        shell = machine.ready("", timeout=CONNECT_S, title="waits for ssh")
        machine.run_in_shell(_set_it(), timeout=READY_S, title="steps the clock", shell=shell)
        return shell

    return until("takes the time", step, READY_S, where=machine.node.name, hint=f"vagrant ssh {machine.node.name}")


def step_clock_soon(machine: Machine, unless: Callable[[], bool] = lambda: False) -> None:
    """Like step_clock, as soon as the machine answers again; does nothing if `unless` returns True."""

    def step() -> bool:
        if not unless():
            step_clock(machine)
        return True

    until("takes the time", step, READY_S, where=machine.node.name, hint=f"vagrant ssh {machine.node.name}")


def step_clock(machine: Machine) -> None:
    """Set a machine's clock to this one's: after a restored snapshot it is as old as the snapshot."""
    shell = machine.ready("", timeout=CONNECT_S, title="waits for ssh")
    machine.script(_set_it(), timeout=READY_S, title="steps the clock", shell=shell)


def _set_it() -> str:
    """Bash for a shell that is ready: to connect and to start one take seconds, and the time is read now."""
    return f"date -u -s @{time.time():.2f} > /dev/null || exit\n{shutdown.REPLAY} || exit"
