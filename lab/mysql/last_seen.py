"""What is remembered of the databases: the primary as it was seen last, and a durability that a promotion lowered.

A primary that is gone can't be asked any more whether a replica had confirmed its commits.
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
# A confirmation that the process before it sent may still be under way; but the site waits no longer than 3 s for its
# COMMIT (provision/templates/limits.j2), and the source forgets the connection of a process when the next one receives.
SETTLED_S = 6


@dataclass(frozen=True)
class Seen:
    """The primary at a moment (Unix seconds); `waits`: semi-sync was ON, commits waited for the replica.

    `at` is before the servers were asked. `opening`: a server that a promotion began to open later; how that ended
    was not seen. `had`: the transactions that a candidate had when a promotion of it began later; `left`: it had all
    that it received, or would ever be told, and left its source. `replica_start` and
    `replica_received`: the replica's process (Database.start), and what it had received, at the last look at which no
    confirmation of an earlier process could still arrive.
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
        """The same in words."""
        semi_sync = "ON" if self.waits else "OFF"
        return f"{self.node} was primary {now - self.at:.0f} s ago: durability {self.durability}, semi-sync {semi_sync}"


@dataclass(frozen=True)
class Mark:
    """The server that a promotion began to open, '' if there is none; when (Unix seconds), and what it had then.

    `leaves`: the promotion came as far as telling it to leave its source.
    """

    node: str
    at: float
    had: str = ""
    leaves: bool = False


def remember(at: float, asked: Iterable[Database | None]) -> None:
    """Keep what the only primary answered to a question of the moment `at`, unless something newer is known.

    `at` comes first because Python evaluates it first: remember(time.time(), databases_of(...).values()). Where
    there is no primary, or two, what is known stays. For a command that only looks it is no error when the file
    can't be written.
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
    """Whether, when the question was asked, its process ran and no confirmation of an earlier one could arrive."""
    return replica.age_s > max(0.0, spent_s) + (0 if replica.receiving else SETTLED_S)


def outdate() -> None:
    """The primary is about to change: nothing is known of it until it is seen again, by a later question."""
    _keep(Seen(time.time(), "", "", waits=False, durability=""))


def recall() -> Seen | None:
    """The primary as it was seen last, however long ago: in a lab whose changes are all recorded, age proves nothing.

    None where nothing is known, the file is damaged, or its stamp is in the future: then the clock jumped back.
    """
    seen = _load()
    if seen is None or not seen.node or seen.at > time.time():
        return None
    mark = _mark()
    later = mark.at > seen.at
    opening = mark.node if later or mark.node != seen.node else ""
    return replace(seen, opening=opening, had=mark.had if later else "", left=later and mark.leaves)


def opening(node: str, had: str, *, leaves: bool = False) -> None:
    """A promotion begins to open `node`; until `settled`, what is known of the other server may be out of date.

    `had`: the transactions that the node has now; what it loses from here on is missed by whoever promotes again.
    `leaves`: it is told to leave its source, which throws the relay log away; nothing can be added to that any more.
    """
    _write(OPENING, asdict(Mark(node, time.time(), gtid.union(_earlier(), had), leaves)))


def throws_away(had: str) -> None:
    """A replica is about to throw its relay log away, and had these transactions; nobody is opened by that.

    A promotion that began before, and whose end was not seen, is still on record.
    """
    seen, mark = _load(), _mark()
    counts = not seen or mark.at > seen.at or mark.node != seen.node
    _write(OPENING, asdict(Mark(mark.node if counts else "", time.time(), gtid.union(_earlier(), had))))


def _earlier() -> str:
    """What a candidate had, unless the primary was seen after it."""
    seen, mark = _load(), _mark()
    return "" if seen and seen.at >= mark.at else mark.had


def settled() -> None:
    """The end of a promotion was seen; it stays marked as begun where no later look at the primary was kept."""
    seen = _load()
    if seen and seen.at >= _mark().at:
        OPENING.unlink(missing_ok=True)


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
    """Commits are as safe as chosen again, on a primary that is certain."""
    DEGRADED.unlink(missing_ok=True)
    settled()


def forget() -> None:
    """The machines are gone, or were put back to a time before all that; earlier questions are outdated too."""
    outdate()
    OPENING.unlink(missing_ok=True)
    DEGRADED.unlink(missing_ok=True)


def _keep(seen: Seen) -> None:
    """Write it unless newer knowledge stands there; a stamp in the future is not knowledge, the clock jumped back."""
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
        return Mark("an unknown server", 0.0)


def _write(path: Path, data: object) -> None:
    atomic_write(path, json.dumps(data))
