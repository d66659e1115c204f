"""Records about the databases in .lab/: the last observation of the primary, and a durability that a promotion lowered.

A primary that is gone can no longer be asked whether a replica confirmed its commits.
"""

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lab.mysql import gtid
from lab.mysql.server_state import Database
from lab.state import atomic_file
from lab.state.atomic_file import atomic_write
from lab.topology import ROOT

SEEN = ROOT / ".lab" / "primary-seen.json"
OPENING = ROOT / ".lab" / "primary-opening.json"
DEGRADED = ROOT / ".lab" / "degraded.json"
UNKNOWN = "an unknown server"  # the record of a promotion was damaged
# A confirmation from the replica's previous process may still be in transit. But the site waits at most 3 s for COMMIT
# (provision/templates/limits.j2), and the source drops the old connection when the next process starts to receive.
SETTLED_S = 6


@dataclass(frozen=True)
class Seen:
    """The primary at one moment; `waits`: semi-sync was ON, so commits waited for the replica.

    `at`: Unix seconds, before the servers were asked. `opening`: a server that a later promotion began to open; its
    outcome was not observed. `had`: the transactions of a candidate when a later promotion of it began; `left`: that
    promotion made it leave its source, so it could receive no more. `replica_start` and `replica_received`: the
    replica's process (Database.start) and what it had received, at the last observation at which no confirmation from
    an earlier process could still arrive.
    """

    at: float
    node: str
    gtid_executed: str
    waits: bool
    durability: str
    opening: str = ""
    replica_start: str = ""
    replica_received: str = ""
    had: str = ""
    left: bool = False

    def describe(self, now: float) -> str:
        """Describe the observation in words."""
        semi_sync = "ON" if self.waits else "OFF"
        return f"{self.node} was primary {now - self.at:.0f} s ago: durability {self.durability}, semi-sync {semi_sync}"


@dataclass(frozen=True)
class Mark:
    """The server that a promotion began to open ('' if none), when (Unix seconds), and the transactions it had then.

    `leaves`: the promotion got as far as making it leave its source.
    """

    node: str
    at: float
    had: str = ""
    leaves: bool = False


def remember(at: float, asked: Iterable[Database | None]) -> None:
    """Record the answer of the only primary, which was asked at `at`, unless a newer one is on record.

    `at` comes first because Python evaluates it first: remember(time.time(), databases_of(...).values()). With no
    primary, or two, the record stays. A file that can't be written is no error: read-only commands call this too.
    """
    known = [it for it in asked if it]
    writable = [it for it in known if it.writable]
    if len(writable) == 1:
        it = writable[0]
        replicas = [
            (other.start, other.received) for other in known if other is not it and _settled(other, time.time() - at)
        ]
        start, received = next(iter(replicas), ("", ""))
        seen = Seen(
            at, it.node, it.gtid_executed, it.waits, it.durability, replica_start=start, replica_received=received
        )
        with suppress(OSError):
            _keep(seen)


def _settled(replica: Database, spent_s: float) -> bool:
    """Whether its process ran already when it was asked, and no confirmation from an earlier one could arrive."""
    return replica.age_s > max(0.0, spent_s) + (0 if replica.receiving else SETTLED_S)


def outdate() -> None:
    """Discard the observation because the primary is about to change; only a later query can replace it."""
    _keep(Seen(time.time(), "", "", waits=False, durability=""))


def recall() -> Seen | None:
    """The last observation of the primary, however old: the lab records all its changes, so age proves nothing.

    None if there is none, the file is damaged, or its time is in the future because the clock was set back.
    """
    seen = _load()
    if seen is None or not seen.node or seen.at > time.time():
        return None
    mark = _mark()
    later = mark.at > seen.at
    opening = mark.node if later or mark.node != seen.node else ""
    return replace(seen, opening=opening, had=mark.had if later else "", left=later and mark.leaves)


def opening(node: str, had: str, *, leaves: bool = False) -> None:
    """Record that a promotion begins to open `node`; until `settled`, the record of the other server may be outdated.

    `had`: the transactions the node has now; the next promotion misses those it loses from here on.
    `leaves`: the node is made to leave its source, which discards the relay log; it can receive nothing after that.
    """
    _write(OPENING, asdict(Mark(node, time.time(), gtid.union(_earlier(), had), leaves)))


def throws_away(had: str) -> None:
    """Record the transactions of a replica that is about to discard its relay log, which opens no server.

    An earlier promotion whose outcome was not observed stays on record.
    """
    seen, mark = _load(), _mark()
    counts = not seen or mark.at > seen.at or mark.node != seen.node
    _write(OPENING, asdict(Mark(mark.node if counts else "", time.time(), gtid.union(_earlier(), had))))


def _earlier() -> str:
    """The transactions on record for a candidate, unless the primary was seen later."""
    seen, mark = _load(), _mark()
    return "" if seen and seen.at >= mark.at else mark.had


def settled() -> None:
    """Clear the mark of a promotion whose outcome was observed, unless no later record of the primary was kept."""
    seen = _load()
    if seen and seen.at >= _mark().at:
        OPENING.unlink(missing_ok=True)


def degrade(node: str) -> None:
    """Record that a promotion opens `node` with less durability than chosen, because it has no replica."""
    _write(DEGRADED, {"node": node, "at": time.time()})


def degraded() -> str:
    """The server whose durability a promotion lowered below the chosen one; '' if there is none."""
    try:
        return str(json.loads(DEGRADED.read_text(encoding="utf-8"))["node"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def restored() -> None:
    """Record that a primary, which is certain, has the chosen durability again."""
    DEGRADED.unlink(missing_ok=True)
    settled()


def forget() -> None:
    """Discard all records: the machines are gone or were restored; answers to earlier queries are outdated too."""
    outdate()
    OPENING.unlink(missing_ok=True)
    DEGRADED.unlink(missing_ok=True)


def _keep(seen: Seen) -> None:
    """Write it unless the file has a newer one; a time in the future does not count, the clock was set back."""
    with atomic_file.alone(SEEN):
        known, now = _load(), time.time()
        newer = known is not None and seen.at < known.at <= now
        if known and known.node == seen.node and not seen.replica_start:  # the replica was not asked, or just started
            seen = replace(seen, replica_start=known.replica_start, replica_received=known.replica_received)
        if seen.at <= now and not newer:
            _write(SEEN, asdict(seen))


def _load() -> Seen | None:
    try:
        seen = Seen(**json.loads(SEEN.read_text(encoding="utf-8")))
        return replace(seen, at=float(seen.at))
    except (OSError, ValueError, TypeError):
        return None


def _mark() -> Mark:
    try:
        mark = Mark(**json.loads(OPENING.read_text(encoding="utf-8")))
        return replace(mark, at=float(mark.at))
    except FileNotFoundError:
        return Mark("", 0.0)
    except (OSError, ValueError, TypeError):
        return Mark(UNKNOWN, 0.0)


def _write(path: Path, data: object) -> None:
    atomic_write(path, json.dumps(data))
