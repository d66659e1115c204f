"""One changing command at a time: a lock that names its holder."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.errors import Locked
from lab.state.atomic_file import atomic_write
from lab.topology import ROOT

LOCK = ROOT / ".lab" / "lock"
HOLDER = "WEBLAB_LOCK_HOLDER"  # in the environment of a command that the holder starts as a part of its own work
_descriptors: list[int] = []


@contextmanager
def held(path: Path = LOCK) -> Iterator[bool]:
    """Hold the lab's lock (True), or be a part of the command that holds it (False); raise Locked naming its holder.

    The kernel releases the lock when its holder and all processes with its `descriptors` have ended, even if killed.
    """
    import fcntl

    path.parent.mkdir(exist_ok=True)
    holder = path.with_suffix(".holder")
    if is_a_part(path):
        yield False
        return
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(_name(holder), hint="wait for it to end, or stop it with Ctrl-C in its terminal") from None
        pid, words = os.getpid(), " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
        me = {"command": words, "pid": pid, "since": time.time(), "started": _started(pid)}
        holder.unlink(missing_ok=True)  # one left by a killed command: frees its space if the disk is full
        atomic_write(holder, json.dumps(me))
        _descriptors.append(lock.fileno())
        try:
            yield True
        finally:
            _descriptors.remove(lock.fileno())
            holder.unlink(missing_ok=True)


def descriptors() -> tuple[int, ...]:
    """The descriptors that a part of this command keeps open, so that the lock is held until that has ended too."""
    return tuple(_descriptors)


def is_a_part(path: Path = LOCK) -> bool:
    """Whether the command that started this one holds the lock: an experiment runs commands of the lab."""
    holder = path.with_suffix(".holder")
    try:
        return str(json.loads(holder.read_text(encoding="utf-8"))["pid"]) == os.environ.get(HOLDER)
    except (OSError, ValueError, KeyError):
        return False


def running(path: Path | None = None) -> str:
    """The command that holds the lab's lock now, in words; '' if there is none."""
    try:
        it = json.loads((path or LOCK).with_suffix(".holder").read_text(encoding="utf-8"))
        return _words(it) if _is_alive(it) and int(it["pid"]) != os.getpid() else ""
    except (OSError, ValueError, KeyError):
        return ""


def _words(it: Mapping[str, Any]) -> str:
    return f"`{it['command']}` (process {it['pid']}, for {time.time() - it['since']:.0f} s)"


def _is_alive(holder: Mapping[str, Any]) -> bool:
    """Whether it still runs: a killed command leaves its record, and after a reboot its number is another process's."""
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return bool(holder.get("started", "") == _started(int(holder["pid"])))


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks; '' if the system does not show it (proc_pid_stat(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _name(holder: Path) -> str:
    try:
        it = json.loads(holder.read_text(encoding="utf-8"))
        what = f"locked by {_words(it)}"
        return what if _is_alive(it) else f"{what}; it has ended, but a command that it started still runs"
    except (OSError, ValueError, KeyError):
        return "locked by a command that is just starting"
