"""A record of the checkout whose lab this machine runs: there is room for one only."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from host import processes
from host.names import STATE
from host.processes import Process
from lab.state.atomic_file import atomic_write

FILE = STATE / "owner.json"


@dataclass(frozen=True)
class Owner:
    """The checkout that claimed this machine, the time of the claim, and the processes that made it."""

    checkout: Path
    since: str
    processes: tuple[Process, ...]


def claim(checkout: Path) -> None:
    """Record that `checkout` owns the lab of this machine; the claim names this process."""
    known = owner()
    since = known.since if known and known.checkout == checkout else datetime.now(UTC).isoformat(timespec="seconds")
    me = processes.process_of(os.getpid())
    atomic_write(FILE, json.dumps({"checkout": str(checkout), "since": since, "processes": _plain(me)}) + "\n")


def release(checkout: Path) -> None:
    """Remove the claim if it is this checkout's."""
    known = owner()
    if known and known.checkout == checkout:
        FILE.unlink(missing_ok=True)


def owner() -> Owner | None:
    """The owner of this machine, or None if there is no claim or its record cannot be read."""
    try:
        return parse(FILE.read_text())
    except (OSError, ValueError, KeyError, TypeError):
        return None


def parse(text: str) -> Owner:
    """An owner from its record."""
    data = json.loads(text)
    known = tuple(Process(int(entry["pid"]), int(entry["started"])) for entry in data["processes"])
    return Owner(Path(data["checkout"]), str(data["since"]), known)


def _plain(process: Process | None) -> list[dict[str, int]]:
    return [{"pid": process.pid, "started": process.started}] if process else []
