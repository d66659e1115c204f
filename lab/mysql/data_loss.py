"""Why an acknowledged write may be missing on the server to be promoted: from what was seen, touching no host."""

from collections.abc import Iterator
from dataclasses import dataclass

from lab.durability import Durability
from lab.mysql import gtid
from lab.mysql.last_seen import Seen
from lab.mysql.server_state import Database
from lab.topology import Node


@dataclass(frozen=True)
class Situation:
    """What is known before a promotion of `node`.

    `own` is its server, `rival` the one on `other`; None: it does not answer as MySQL. `reached`: somebody
    else reaches `other` over the lab's network. `seen`: the primary as it was seen last. `now` is Unix seconds.
    `ended`: why the rival, which does not answer, may have released commits that no replica confirmed, else ''.
    `gone`: there is no such machine any more.
    """

    node: Node
    other: Node
    own: Database
    rival: Database | None
    reached: bool
    seen: Seen | None
    now: float
    ended: str = ""
    gone: bool = False


def missing(it: Situation) -> Iterator[str]:
    """Why an acknowledged write may be missing; nothing where that can't be."""
    alone = gtid.minus(it.rival.gtid_executed, it.own.has) if it.rival else {}
    if alone:
        yield f"{gtid.count(alone)} transactions are on {it.other.name} only: {gtid.text(alone)}"
    yield from unheld(it)


def unheld(it: Situation) -> Iterator[str]:
    """Why there may be acknowledged writes that no server that answers has applied, or that can be fetched."""
    lacks, rival = _lacks(it), it.rival
    waiting = gtid.minus(rival.received, f"{rival.gtid_executed},{it.own.has}") if rival else {}
    if waiting:
        yield f"{gtid.count(waiting)} transactions are in the relay log of {it.other.name} only: {gtid.text(waiting)}"
    if it.seen and lacks:
        later = ", or that a promotion saw later," if it.seen.had else ""
        yield (
            f"{gtid.count(lacks)} transactions that {it.seen.node} had {it.now - it.seen.at:.0f} s ago{later} are not "
            f"on {it.node.name}: {gtid.text(lacks)}"
        )
    if not _shows_all_acknowledged(it):
        yield from _unanswered(it, bool(lacks))


def was_given_up(it: Situation) -> bool:
    """Whether a promotion already gave up what only the other server has: the candidate was primary after it.

    Both are read-only and have no source. The promotion of the candidate judged the other server's transactions, and
    no other server was opened since.
    """
    seen, rival = it.seen, it.rival
    if seen is None or rival is None or seen.node != it.node.name or seen.opening not in ("", it.node.name):
        return False
    closed = not rival.writable and not rival.source and not it.own.source
    return closed and gtid.subset(seen.gtid_executed, it.own.gtid_executed)


def _lacks(it: Situation) -> gtid.Intervals:
    """The transactions that the primary, or later a candidate, was seen with and that no server has that answers."""
    if it.seen is None or it.seen.node not in (it.node.name, it.other.name):
        return {}
    known = gtid.union(it.seen.gtid_executed, it.seen.had)
    return gtid.minus(known, f"{it.own.has},{it.rival.has if it.rival else ''}")


def _shows_all_acknowledged(it: Situation) -> bool:
    """Whether the other server itself tells what it ever acknowledged, however its time as a primary ended.

    A closed one has it in its set. But one that lacks what it was seen with, or what the candidate did not make
    itself, was made anew or lost its data: that is as if it were gone.
    """
    rival = it.rival
    if rival is None or rival.writable:
        return False
    seen = it.seen.gtid_executed if it.seen and it.seen.node == it.other.name else ""
    missing = gtid.minus(it.own.has, rival.gtid_executed)
    foreign = [source for source in missing if source.partition(":")[0] != it.own.uuid]
    return not foreign and gtid.subset(seen, rival.gtid_executed)


def _unanswered(it: Situation, lacks: bool) -> Iterator[str]:
    """Doubts about a server that can't tell what it acknowledged. `lacks`: there are missing ones already.

    In durable mode COMMIT returns when the replica has the transaction on its disk:
    https://dev.mysql.com/doc/refman/8.4/en/replication-semisync.html
    """
    seen = it.seen
    if seen is None or seen.node not in (it.node.name, it.other.name):
        yield f"{it.other.name} was never seen as primary: nobody knows what it acknowledged"
        return
    if seen.opening not in ("", it.node.name):
        yield f"a promotion began to open {seen.opening} later, and how that ended was not seen"
    risky = seen.node == it.other.name and (seen.durability != Durability.DURABLE or not seen.waits)
    if risky:
        yield seen.describe(it.now)
    if seen.node == it.other.name and it.ended:
        yield it.ended
    if lacks:
        return
    if seen.node == it.other.name and not (it.own.start and it.own.start == seen.replica_start):
        # With relay_log_recovery a replica that starts discards what it has not applied, to fetch it again. Whether it
        # has, no heartbeat tells: one is sent while transactions are skipped, too.
        # https://dev.mysql.com/doc/refman/8.4/en/replication-options-replica.html#sysvar_relay_log_recovery
        yield (
            f"MySQL on {it.node.name} started {it.own.age_s} s ago, and {it.other.name} was not seen after that: "
            f"what it had received and not applied it threw away (relay_log_recovery)"
        )
    elif seen.node == it.other.name and _threw_away(it, seen):
        yield (
            f"MySQL on {it.node.name} was told to throw its relay log away, and {it.other.name} was not seen after "
            f"that: what it had received and not applied is gone"
        )
    elif risky:
        yield f"{it.node.name} has all that {seen.node} had then; what came after that is not known"


def _threw_away(it: Situation, seen: Seen) -> bool:
    """Whether the candidate's relay log lacks what was in it at the last look, and no promotion applied that first.

    STOP REPLICA, then CHANGE REPLICATION SOURCE or RESET REPLICA: by hand, or by a command that was interrupted.
    https://dev.mysql.com/doc/refman/8.4/en/change-replication-source-to.html
    """
    left_it = seen.left and not it.own.source
    return not left_it and not gtid.subset(seen.replica_received, it.own.received)
