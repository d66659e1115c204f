"""How busy this machine's processors were meanwhile, and with what: that slows everything a run measures."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
MACHINES = ("qemu-system", "VBoxHeadless")
KERNEL = 2  # kthreadd(2): the parent of the kernel's own threads, which work for all


@dataclass(frozen=True)
class _Process:
    """A process: `ticks` of processor time, with those of its children that have ended. proc_pid_stat(5)."""

    parent: int
    name: str
    ticks: int


@dataclass(frozen=True)
class _Processors:
    """The time of all processors, in ticks: all of it, idle, and stolen by the host of this machine. proc_stat(5)."""

    every: int = 0
    idle: int = 0
    stolen: int = 0

    @classmethod
    def now(cls) -> "_Processors":
        try:
            line = (PROC / "stat").read_text(encoding="utf-8").splitlines()[0]
        except OSError:
            return cls()
        user, nice, system, idle, waiting, interrupt, soft, stolen = (int(it) for it in line.split()[1:9])
        return cls(user + nice + system + idle + waiting + interrupt + soft + stolen, idle + waiting, stolen)


class HostUse:
    """Counts from its creation on."""

    def __init__(self) -> None:
        self._began, self._before = time.monotonic(), dict(_processes())
        self._processors = _Processors.now()

    def shares(self) -> dict[str, float | None]:
        """Each from 0 to 1, of all processors: `other_programs`, `busy` in all, `stolen` by the host of this machine.

        None where the system does not tell, as macOS.
        """
        before, now = self._processors, _Processors.now()
        every = now.every - before.every
        busy = round(1 - (now.idle - before.idle) / every, 3) if every else None
        stolen = round((now.stolen - before.stolen) / every, 3) if every else None
        return {"other_programs": self._other_programs(), "busy": busy, "stolen": stolen}

    def _other_programs(self) -> float | None:
        now = dict(_processes())
        seconds = time.monotonic() - self._began
        if not now or seconds <= 0:
            return None
        ticks = sum(it.ticks - self._ticks(pid, it) for pid, it in now.items() if _is_other(pid, now))
        all_ticks = seconds * os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
        return round(min(max(ticks / all_ticks, 0.0), 1.0), 3)

    def _ticks(self, pid: int, now: _Process) -> int:
        """What a process had used before; 0 for a new one, also if it has the number of one that ended."""
        before = self._before.get(pid)
        return before.ticks if before and before.name == now.name else 0


def _is_other(pid: int, known: dict[int, _Process]) -> bool:
    """Whether neither it nor a process above it is a machine, this process, or the kernel."""
    while pid in known:
        if pid in (os.getpid(), KERNEL) or known[pid].name.startswith(MACHINES):
            return False
        pid = known[pid].parent
    return True


def _processes() -> Iterator[tuple[int, _Process]]:
    for path in PROC.glob("[0-9]*/stat"):
        try:
            begin, _, rest = path.read_text(encoding="utf-8", errors="replace").rpartition(") ")
        except OSError:
            continue  # it has ended
        fields = rest.split()
        ticks = sum(int(it) for it in fields[11:15])
        yield int(path.parent.name), _Process(int(fields[1]), begin.partition("(")[2], ticks)
