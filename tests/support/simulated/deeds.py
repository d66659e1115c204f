"""Operations on the simulated pair: a command that is obeyed, refused or killed; and the list of all events."""

from collections.abc import Mapping
from contextlib import suppress

from lab.durability import Durability
from lab.errors import LabError
from lab.faults import ledger
from lab.mysql import gtid, last_seen
from lab.replication import promote_replica, rejoin, set_durability
from lab.state import choices
from tests.support.pairs import LAB
from tests.support.simulated.errors import SqlError
from tests.support.simulated.events import STRIKES, Event, peer
from tests.support.simulated.mysql import Server
from tests.support.simulated.pair import Pair


def _durability(value: Durability) -> Event:
    def chooses(pair: Pair, it: Server) -> None:
        choices.save(durability=value)
        set_durability.set_durability(pair.machines, value)

    return chooses


def _promote(pair: Pair, it: Server) -> None:
    promote_replica.promote(LAB, it.node.name)


def _rejoin(pair: Pair, it: Server) -> None:
    rejoin.rejoin(LAB, it.node.name)


def _interrupted(command: Event, words: str, there: bool, after: bool) -> Event:
    """The command is killed during a script of the server it is for, or of the other one."""

    def interrupts(pair: Pair, it: Server) -> None:
        node = it if there else peer(pair, it)
        pair.interrupt(node.node.name, words, KeyboardInterrupt(), after=after)
        command(pair, it)

    return interrupts


def _copy_fails(pair: Pair, it: Server) -> None:
    """Its own transactions are written to a file and given up; then its copy fails, and it is empty."""
    STRIKES["wrote by itself"](pair, it)
    it.refused["CLONE INSTANCE FROM"] = SqlError(3862, "Clone Donor Error")
    try:
        _rejoin(pair, it)
    finally:
        it.refused.clear()


CATCHES_UP, OPENS, LISTENS = "WAIT_FOR_EXECUTED_GTID_SET", "SET GLOBAL read_only", "START REPLICA IO_THREAD"
CLOSES, FOLLOWS = "super_read_only = ON", "START REPLICA;"
# Text of the script that is killed, whether the promoted server runs it, and whether it is done by then.
PROMOTING = {
    "before it catches up": (CATCHES_UP, True, False),
    "when it has caught up": (CATCHES_UP, True, True),
    "before the old one listens": (LISTENS, False, False),
    "when the old one listens": (LISTENS, False, True),
    "before the old one closes": (CLOSES, False, False),
    "when the old one has closed": (CLOSES, False, True),
    "before it opens": (OPENS, True, False),
    "when it has opened": (OPENS, True, True),
    "before the old one follows": (FOLLOWS, False, False),
    "when the old one follows": (FOLLOWS, False, True),
}
COMMANDS: Mapping[str, Event] = {
    "async chosen": _durability(Durability.ASYNC),
    "available chosen": _durability(Durability.AVAILABLE),
    "promoted": _promote,
    "rejoined": _rejoin,
    "copy failed": _copy_fails,
    "rejoin killed before it follows": _interrupted(_rejoin, "START REPLICA", True, False),
    "rejoin killed when it follows": _interrupted(_rejoin, "START REPLICA", True, True),
    **{f"promotion killed {when}": _interrupted(_promote, *how) for when, how in PROMOTING.items()},
}
EVENTS = {**STRIKES, **COMMANDS}


def state(pair: Pair) -> str:
    """All that an event may change, except what visitors write all the time."""
    servers = [(_own(it), it.runs, it.silent, it.purged, it.starts, it.variables, it.copies) for it in pair.servers]
    replicas = [{**vars(it.replica), "server": "", "received": ""} for it in pair.servers]
    files = [it.exists() for it in (last_seen.OPENING, last_seen.DEGRADED)]
    return str((servers, replicas, pair.power, pair.off_because, pair.cut, ledger.entries(), choices.load(), files))


def _own(it: Server) -> str:
    made = gtid.parse(it.executed).get(it.uuid, [])
    return "" if it.may_write else str(made)


def happens(pair: Pair, name: str, node: str) -> bool:
    """Do one event; return whether it changed anything. A command that is refused or killed does part of its work."""
    before = state(pair)
    with suppress(LabError, KeyboardInterrupt):
        EVENTS[name](pair, pair.server(node))
    pair.interruptions.clear()
    changed = state(pair) != before
    with pair.lock:
        pair.judge(name)
    passes(pair)
    pair.may_lose |= bool(pair.two_writable)
    pair.two_writable.clear()
    return changed


def passes(pair: Pair, seconds: int = 20) -> None:
    """Some time passes: visitors write, and replicas work."""
    with pair.lock:
        for it in pair.servers:
            it.ahead_s += seconds
        for _ in range(2):
            pair.visit()
            for it in pair.servers:
                if pair.power[it.node.name] == "running" and it.runs:
                    it.replica.work(seconds)
