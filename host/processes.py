"""Processes of this machine: find them by their command, end them, and verify that they ended."""

import os
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lab import wait
from lab.errors import InfrastructureBroken

PROC = Path("/proc")
GENTLE = (signal.SIGTERM,)
CHANGING = {"up", "halt", "destroy", "reload", "resume", "suspend", "provision", "snapshot", "box"}


@dataclass(frozen=True)
class Process:
    """A process and its start time in kernel ticks: a PID alone may have been reused."""

    pid: int
    started: int
    command: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"process {self.pid}: {' '.join(self.command)[:100]}"


def everyone() -> list[Process]:
    """All processes except this one, kernel threads and zombies."""
    pids = [int(folder.name) for folder in PROC.iterdir() if folder.name.isdigit()] if PROC.exists() else []
    found = [process_of(pid) for pid in pids if pid != os.getpid()]
    return [process for process in found if process and process.command]


def process_of(pid: int) -> Process | None:
    """The process with this PID, or None if it does not exist."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
        command = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return None
    return Process(pid, start_ticks(stat), tuple(command.split("\0")[:-1]))


def start_ticks(stat: str) -> int:
    """The start time of a process from its /proc stat line; its name may contain spaces and brackets."""
    return int(stat.rpartition(")")[2].split()[19])


def living(processes: Iterable[Process]) -> list[Process]:
    """Those of `processes` that still run; zombies do not count."""
    now = {(process.pid, process.started) for process in everyone()}
    return [process for process in processes if (process.pid, process.started) in now]


def orphaned_vagrants(checkout: Path) -> list[Process]:
    """Vagrant processes that change this checkout's machines and whose lab command has ended."""
    found = [process for process in everyone() if changes_machines(process.command) and _works_in(process, checkout)]
    sessions = {process.pid for process in found}
    # The lab's Vagrant leads its session; one that a user typed is in the session of a shell.
    return [process for process in found if _session(process) in sessions]


def elsewhere(process: Process) -> bool:
    """Whether a process is in another network namespace than this one."""
    try:
        return os.readlink(PROC / str(process.pid) / "ns/net") != os.readlink(PROC / "self/ns/net")
    except OSError:
        return False


def changes_machines(command: Sequence[str]) -> bool:
    """Whether a command line is a Vagrant command that changes machines."""
    after = [word for name, word in pairwise(command) if Path(name).name == "vagrant"]
    return bool(after) and after[0] in CHANGING


def end(processes: Sequence[Process], *, gentle: Sequence[signal.Signals] = GENTLE, grace: float = 10.0) -> None:
    """End processes: send each `gentle` signal and wait `grace` seconds for it, then send SIGKILL."""
    left = list(processes)
    for signum in (*gentle, signal.SIGKILL):
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signum)
        left = _wait_gone(left, grace)
        if not left:
            return
    raise InfrastructureBroken(
        "host: processes do not end", evidence="\n".join(map(str, left)), hint="end them by hand, then try again"
    )


def _wait_gone(processes: list[Process], grace: float) -> list[Process]:
    try:
        wait.until("processes end", lambda: not living(processes), grace, every=0.1, where="host")
    except InfrastructureBroken:
        return living(processes)
    return []


def _works_in(process: Process, checkout: Path) -> bool:
    try:
        return (PROC / str(process.pid) / "cwd").resolve() == checkout
    except OSError:
        return False


def _session(process: Process) -> int:
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return 0
