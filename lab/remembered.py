"""What is remembered of the databases: the primary as it was seen last, and a durability that a promotion lowered.

A primary that is gone can't be asked any more whether a replica had confirmed its commits.
"""

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.databases import Database
from lab.topology import ROOT

SEEN = ROOT / ".lab" / "primary-seen.json"
DEGRADED = ROOT / ".lab" / "degraded.json"


@dataclass(frozen=True)
class Seen:
    """The primary at a moment (Unix seconds); `waits`: semi-sync was ON, commits waited for the replica."""

    at: float
    node: str
    gtid_executed: str
    waits: bool
    durability: str

    def told(self, now: float) -> str:
        """The same in words."""
        semi_sync = "ON" if self.waits else "OFF"
        return f"{self.node} was primary {now - self.at:.0f} s ago: durability {self.durability}, semi-sync {semi_sync}"


def remember(asked: Iterable[Database | None]) -> None:
    """Keep what the only primary said of itself; where there is none, or two, what is known stays.

    For a command that only looks it is no error when the file can't be written.
    """
    writable = [it for it in asked if it and it.writable]
    if len(writable) == 1:
        it = writable[0]
        with suppress(OSError):
            _write(SEEN, asdict(Seen(time.time(), it.node, it.gtid_executed, it.waits, it.durability)))


def recall() -> Seen | None:
    """The primary as it was seen last; None where nothing is known, or the file is damaged."""
    try:
        return Seen(**json.loads(SEEN.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def degrade(node: str) -> None:
    """A promotion opens `node` less safe than chosen, for it has no replica."""
    _write(DEGRADED, {"node": node, "at": time.time()})


def degraded() -> str:
    """The server whose commits a promotion made less safe than chosen; '' if there is none."""
    try:
        return str(json.loads(DEGRADED.read_text(encoding="utf-8"))["node"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def restored() -> None:
    """Commits are as safe as chosen again."""
    DEGRADED.unlink(missing_ok=True)


def forget() -> None:
    """The machines are gone, or were put back to a time before all that."""
    SEEN.unlink(missing_ok=True)
    DEGRADED.unlink(missing_ok=True)


def _write(path: Path, data: object) -> None:
    path.parent.mkdir(exist_ok=True)
    staged = path.with_suffix(f".{os.getpid()}.new")  # commands that only look hold no lock: each has its own
    staged.write_text(json.dumps(data), encoding="utf-8")
    staged.replace(path)
