"""Reasons why a server to be promoted may lack an acknowledged write; pure, contacts no host."""

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

    `own` is its server, `rival` the one on `other`, None if MySQL does not answer there. `reached`: another node
    can reach `other` over the lab's network. `seen`: the last observation of the primary. `now`: Unix seconds.
    `ended`: why a rival that does not answer may have released commits that no replica confirmed, else ''.
    `gone`: the machine of `other` no longer exists.
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
    """Yield each reason why the candidate may lack an acknowledged write; nothing if it lacks none."""
    alone = gtid.minus(it.rival.gtid_executed, it.own.has) if it.rival else {}
    if alone:
        yield f"{gtid.count(alone)} transactions are on {it.other.name} only: {gtid.text(alone)}"
    yield from unheld(it)


def unheld(it: Situation) -> Iterator[str]:
    """Yield each reason why no answering server may have applied some acknowledged write, fetchable or not."""
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
    """Whether an earlier promotion already gave up the transactions that only the other server has.

    It did if the candidate was the last primary seen and both servers are now read-only without a source: its
    promotion judged the other server's transactions, and no other server was opened since.
    """
    seen, rival = it.seen, it.rival
    if seen is None or rival is None or seen.node != it.node.name or seen.opening not in ("", it.node.name):
        return False
    closed = not rival.writable and not rival.source and not it.own.source
    return closed and gtid.subset(seen.gtid_executed, it.own.gtid_executed)


def _lacks(it: Situation) -> gtid.Intervals:
    """The transactions seen on the primary, or later on a candidate, that no answering server has."""
    if it.seen is None or it.seen.node not in (it.node.name, it.other.name):
        return {}
    known = gtid.union(it.seen.gtid_executed, it.seen.had)
    return gtid.minus(known, f"{it.own.has},{it.rival.has if it.rival else ''}")


def _shows_all_acknowledged(it: Situation) -> bool:
    """Whether the other server's GTID set holds all it ever acknowledged, however its time as a primary ended.

    The set of a closed server does. But a server that lacks transactions it was seen with, or transactions that the
    candidate has and did not write itself, was re-created or lost its data: it then counts as gone.
    """
    rival = it.rival
    if rival is None or rival.writable:
        return False
    seen = it.seen.gtid_executed if it.seen and it.seen.node == it.other.name else ""
    missing = gtid.minus(it.own.has, rival.gtid_executed)
    foreign = [source for source in missing if source.partition(":")[0] != it.own.uuid]
    return not foreign and gtid.subset(seen, rival.gtid_executed)


def _unanswered(it: Situation, lacks: bool) -> Iterator[str]:
    """Yield the doubts about a server that can't show what it acknowledged. `lacks`: some transactions are missing.

    In durable mode COMMIT returns when the replica has the transaction on its disk:
    https://dev.mysql.com/doc/refman/8.4/en/replication-semisync.html
    """
    seen = it.seen
    if seen is None or seen.node not in (it.node.name, it.other.name):
        yield f"{it.other.name} was never seen as primary: what it acknowledged is not known"
        return
    if seen.opening not in ("", it.node.name):
        yield f"a later promotion began to open {seen.opening} for writes, and its outcome was not observed"
    risky = seen.node == it.other.name and (seen.durability != Durability.DURABLE or not seen.waits)
    if risky:
        yield seen.describe(it.now)
    if seen.node == it.other.name and it.ended:
        yield it.ended
    if lacks:
        return
    if seen.node == it.other.name and not (it.own.start and it.own.start == seen.replica_start):
        # With relay_log_recovery a starting replica discards what it has not applied and fetches it again. A heartbeat
        # does not prove that it has: the source also sends one while it skips transactions.
        # https://dev.mysql.com/doc/refman/8.4/en/replication-options-replica.html#sysvar_relay_log_recovery
        yield (
            f"MySQL on {it.node.name} started {it.own.age_s} s ago and discarded the transactions it had received but "
            f"not applied (relay_log_recovery); {it.other.name} has not been seen since"
        )
    elif seen.node == it.other.name and _threw_away(it, seen):
        yield (
            f"the relay log on {it.node.name} was discarded, with the transactions it had received but not applied; "
            f"{it.other.name} has not been seen since"
        )
    elif risky:
        yield f"{it.node.name} has all transactions that {seen.node} had then; later ones are not known"


def _threw_away(it: Situation, seen: Seen) -> bool:
    """Whether the relay log lost what it held when last observed, without a promotion having applied it first.

    The cause is STOP REPLICA, then CHANGE REPLICATION SOURCE or RESET REPLICA, by hand or in an interrupted command.
    https://dev.mysql.com/doc/refman/8.4/en/change-replication-source-to.html
    """
    left_it = seen.left and not it.own.source
    return not left_it and not gtid.subset(seen.replica_received, it.own.received)
