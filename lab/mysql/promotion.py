"""Whether a database may be promoted, how, and what may be lost by it: from what was seen, touching no host."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from lab.errors import CheckFailed
from lab.faults import ledger
from lab.faults.kinds import ALL
from lab.mysql import gtid, server_state
from lab.mysql.data_loss import Situation, missing, unheld, was_given_up
from lab.mysql.server_state import Database


@dataclass(frozen=True)
class Promotion:
    """How: the other server is closed first (planned), is made unable to write (emergency), or nothing is to do.

    `attach`: the other one is to replicate afterwards. `lost`: what may be lost, which was accepted. `accepted`: so
    would be what turns out later.
    """

    method: Literal["nothing", "planned", "emergency"]
    why: str
    attach: bool = True
    lost: str = ""
    accepted: bool = False


def decide(it: Situation, *, accept_data_loss: bool = False) -> Promotion:
    """Decide; raises CheckFailed with the reason, the evidence and the way out where it must not be done."""
    node, other = it.node.name, it.other.name
    if it.own.writable and it.rival and it.rival.writable:
        raise CheckFailed(f"{node} and {other} are both writable: two primaries", hint="invoke lab.reset")
    if it.own.writable:
        return Promotion("nothing", f"{node} is the primary already")
    if it.rival is None or not it.reached:
        return emergency(it, accept_data_loss=accept_data_loss)
    if it.own.source and it.own.source != str(it.other.ip):
        raise CheckFailed(f"{node} replicates from {it.own.source}, which is not {other}", hint="invoke lab.reset")
    follows = _following if it.own.source else _apart
    return follows(it, it.rival, accept_data_loss)


def _following(it: Situation, rival: Database, accept_data_loss: bool) -> Promotion:
    """The candidate has the other one as its source."""
    node, other = it.node.name, it.other.name
    errant = server_state.errant(it.own, rival)
    has_all = not rival.writable and gtid.subset(rival.gtid_executed, it.own.gtid_executed)
    if errant and has_all and not gtid.subset(it.own.purged, rival.has):
        why = f"{other} was closed, and {node} has all that it has; {other} can't fetch the rest, which {node} purged"
        return replace(_undoubted(it, why, accept_data_loss), attach=False)
    if errant:
        raise CheckFailed(
            f"{node} is not promoted: it has {errant} transactions of its own that {other} has not",
            evidence=_sets(it, rival),
            hint=_without_errant(it, rival),
        )
    if it.own.replicating and rival.writable:
        return Promotion("planned", f"{other} was closed first and {node} applied all that it had: nothing is lost")
    if it.own.replicating or (not rival.writable and gtid.subset(rival.gtid_executed, it.own.has)):
        return _undoubted(it, f"{other} was closed, and {node} has all that it has", accept_data_loss)
    heal = "invoke fault.heal, then " if broken(node) or broken(other) else ""
    fetch = f"fetch what {other} has: {heal}invoke db.promote {node} --salvage"
    raise CheckFailed(
        f"{node} is not promoted: it does not replicate from {other}, which answers",
        evidence=it.own.error or _sets(it, rival),
        hint=f"start its replication: {rejoins(node)}; then promote again" if rival.writable else fetch,
    )


def _without_errant(it: Situation, rival: Database) -> str:
    """What to do about the candidate's own transactions; a rejoin is refused while nobody is primary."""
    node, other = it.node.name, it.other.name
    if rival.writable:
        return f"give it the data of {other}: {rejoins(node)}"
    if gtid.subset(rival.gtid_executed, it.own.gtid_executed):
        return f"fetch them for {other}: invoke db.promote {other} --salvage"
    reset = "put the lab back: invoke lab.reset"
    if rival.source and server_state.errant(rival, it.own):
        return reset
    chosen = f"choose whose data stays: invoke db.promote {other} --accept-data-loss, then invoke db.rejoin {node}"
    return f"{chosen}; or {reset}"


def _apart(it: Situation, rival: Database, accept_data_loss: bool) -> Promotion:
    """The candidate has no source: only the sets of transactions tell who may be opened."""
    node, other = it.node.name, it.other.name
    if rival.writable:
        raise CheckFailed(
            f"{node} is not promoted: it does not replicate from {other}, which is open for writes",
            hint=f"make it a replica first: {rejoins(node)}",
        )
    lacks = gtid.minus(rival.gtid_executed, it.own.gtid_executed)
    if not lacks:
        how = _undoubted(it, f"both were closed, and {node} has all that {other} has", accept_data_loss)
        follows = bool(rival.gtid_executed) and not rival.cannot_apply  # else it needs a copy
        return replace(how, attach=how.attach and follows)
    lost = f"{gtid.count(lacks)} transactions that only {other} has: {gtid.text(lacks)}"
    own = gtid.count(gtid.minus(it.own.gtid_executed, rival.gtid_executed))
    if own and was_given_up(it):
        why = f"both were closed, and {node} was the primary that was seen last"
        return Promotion("planned", f"{why}: {lost}; given up when it was opened", attach=False)
    if accept_data_loss:
        return Promotion("planned", f"both were closed, and losing data was accepted: {node} it is", False, lost)
    if not own:
        hint = _has_all(_turned(it, rival))
        raise CheckFailed(f"{node} is not promoted: {lost}", evidence=_sets(it, rival), hint=hint)
    hint = (
        f"choose whose data stays: invoke db.promote {node} --accept-data-loss, then invoke db.rejoin {other} "
        f"(or the other way round); or put the lab back: invoke lab.reset"
    )
    if was_given_up(_turned(it, rival)):
        hint = f"promote the primary that was seen last: invoke db.promote {other}, then invoke db.rejoin {node}"
    raise CheckFailed(
        f"{node} is not promoted: both servers have transactions of their own",
        evidence=f"only {node} has {own}; {lost}\n{_sets(it, rival)}",
        hint=hint,
    )


def _turned(it: Situation, rival: Database) -> Situation:
    return replace(it, node=it.other, other=it.node, own=rival, rival=it.own, ended="")


def _has_all(it: Situation) -> str:
    """The command that promotes a server that has all; where that is refused, the one that comes first."""
    try:
        decide(it)
    except CheckFailed as error:
        return error.hint
    return f"promote the one that has all: invoke db.promote {it.node.name}"


def _undoubted(it: Situation, why: str, accept_data_loss: bool) -> Promotion:
    """The other one is closed and gives away all that it has; but that may not be all that was acknowledged."""
    doubts = list(unheld(it))
    if not doubts:
        return Promotion("planned", f"{why}: nothing is lost")
    if accept_data_loss:
        return Promotion("planned", f"{why}, and losing data was accepted", False, "; ".join(doubts))
    what = f"{it.node.name} is not promoted: acknowledged writes may be lost"
    raise CheckFailed(what, evidence="\n".join(doubts), hint=_next_step(it))


def emergency(it: Situation, *, accept_data_loss: bool = False) -> Promotion:
    """Decide where the other server can't be closed; raises CheckFailed where acknowledged writes may be lost."""
    doubts = list(missing(it))
    node, other = it.node.name, it.other.name
    if doubts and not accept_data_loss:
        raise CheckFailed(
            f"{node} is not promoted: acknowledged writes may be on {other} only",
            evidence="\n".join(doubts),
            hint=_next_step(it),
        )
    if doubts:
        return Promotion("emergency", f"{other} was gone, and losing data was accepted", False, "; ".join(doubts))
    why = f"{other} was gone; each write that it acknowledged was on {node} too"
    if it.seen and it.seen.node == node:
        why = f"{other} was gone; {node} itself was the primary that was seen last"
    if it.rival and not it.rival.writable:
        why = f"{other} was closed and cut off, and {node} has all that it has: nothing is lost"
    known = f" ({it.seen.describe(it.now)})" if it.seen else ""
    return Promotion("emergency", why + known, False)


def _next_step(it: Situation) -> str:
    """The commands that end the doubts of an emergency: --salvage only where there is something to fetch."""
    node, other = it.node.name, it.other.name
    without = f"do without: invoke db.promote {node} --accept-data-loss"
    if it.gone:
        return without
    if it.rival is None:
        fetch = f"fetch what {other} has: invoke db.promote {node} --salvage"
        return f"{fetch}; or, where {other} is gone for good, {without}"
    if it.rival.writable:  # it runs: nothing has to be started, what is in the way has to go
        return f"heal what is in the way of {other}, which is open: invoke fault.heal; or {without}"
    if gtid.subset(it.rival.has, it.own.has):
        return f"{other} answers and does not have them any more: {without}; or put the lab back: invoke lab.reset"
    fetch = f"fetch what {other} has: invoke db.promote {node} --salvage"
    heal = "" if it.reached else "heal the network between them (invoke fault.heal), then "
    return f"{heal}{fetch}; or {without}"


def rejoins(name: str, *, gone: bool = False) -> str:
    """The command that makes a server a replica again; what was broken there on purpose is healed first.

    A machine that is gone is made anew, and its server becomes a replica by that.
    """
    if gone:
        return "invoke lab.up"
    return f"{'invoke fault.heal, then ' if broken(name) else ''}invoke db.rejoin {name}"


def broken(name: str) -> bool:
    """Whether a fault is active on a node, or cuts it off."""
    return any(_strikes(it, name) for it in ledger.entries())


def _sets(it: Situation, rival: Database) -> str:
    return f"{it.node.name}: {it.own.gtid_executed}\n{it.other.name}: {rival.gtid_executed}"


def cut_off(name: str) -> bool:
    """Whether a fault cuts a node off from the other one: nothing can be fetched then."""
    return any(it["kind"] == "partition" and _strikes(it, name) for it in ledger.entries())


def _strikes(fault: Mapping[str, Any], name: str) -> bool:
    return name in (fault["node"], fault["peer"]) or fault["peer"] == ALL
