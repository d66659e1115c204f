"""Whether a database may be promoted, how, and which writes that may lose; pure, contacts no host."""

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
    """How to promote: close the other server first (planned), make it unable to write (emergency), or do nothing.

    `attach`: the other server replicates afterwards. `lost`: the possible loss that was accepted. `accepted`: a loss
    that is found later is accepted too.
    """

    method: Literal["nothing", "planned", "emergency"]
    why: str
    attach: bool = True
    lost: str = ""
    accepted: bool = False


def decide(it: Situation, *, accept_data_loss: bool = False) -> Promotion:
    """Decide; raise CheckFailed with the reason, the evidence and the next command if it must not be promoted."""
    node, other = it.node.name, it.other.name
    if it.own.writable and it.rival and it.rival.writable:
        raise CheckFailed(f"{node} and {other} are both writable: two primaries", hint="invoke lab.reset")
    if it.own.writable:
        return Promotion("nothing", f"{node} is already the primary")
    if it.rival is None or not it.reached:
        return emergency(it, accept_data_loss=accept_data_loss)
    if it.own.source and it.own.source != str(it.other.ip):
        raise CheckFailed(f"{node} replicates from {it.own.source} instead of {other}", hint="invoke lab.reset")
    follows = _following if it.own.source else _apart
    return follows(it, it.rival, accept_data_loss)


def _following(it: Situation, rival: Database, accept_data_loss: bool) -> Promotion:
    """Decide for a candidate that has the other server as its source."""
    node, other = it.node.name, it.other.name
    if it.own.has_site and not (rival.has_site or rival.writable):
        why = f"{other} has no data, and only a copy can fill it"
        return replace(_undoubted(it, why, accept_data_loss), attach=False)
    errant = server_state.errant(it.own, rival)
    has_all = not rival.writable and gtid.subset(rival.gtid_executed, it.own.gtid_executed)
    if errant and has_all and not gtid.subset(it.own.purged, rival.has):
        why = f"{other} was closed, and {node} has all its transactions; {other} can't fetch the rest: {node} purged it"
        return replace(_undoubted(it, why, accept_data_loss), attach=False)
    if errant:
        raise CheckFailed(
            f"{node} is not promoted: it has {errant} transactions of its own that {other} lacks",
            evidence=_sets(it, rival),
            hint=_without_errant(it, rival),
        )
    if it.own.replicating and rival.writable:
        return Promotion("planned", f"{other} was closed first, {node} applied all its transactions: nothing is lost")
    if it.own.replicating or (not rival.writable and gtid.subset(rival.gtid_executed, it.own.has)):
        return _undoubted(it, f"{other} was closed, and {node} has all its transactions", accept_data_loss)
    heal = "invoke fault.heal, then " if broken(node) or broken(other) else ""
    fetch = f"fetch the transactions of {other}: {heal}invoke db.promote {node} --salvage"
    raise CheckFailed(
        f"{node} is not promoted: it does not replicate from {other}, which answers",
        evidence=it.own.error or _sets(it, rival),
        hint=f"start its replication: {rejoins(node)}; then promote again" if rival.writable else fetch,
    )


def _without_errant(it: Situation, rival: Database) -> str:
    """What to do about the candidate's own transactions; a rejoin is refused while there is no primary."""
    node, other = it.node.name, it.other.name
    if rival.writable:
        return f"give it the data of {other}: {rejoins(node)}"
    if gtid.subset(rival.gtid_executed, it.own.gtid_executed):
        return f"fetch them for {other}: invoke db.promote {other} --salvage"
    reset = "reset the lab: invoke lab.reset"
    if rival.source and server_state.errant(rival, it.own):
        return reset
    chosen = f"choose which data to keep: invoke db.promote {other} --accept-data-loss, then invoke db.rejoin {node}"
    return f"{chosen}; or {reset}"


def _apart(it: Situation, rival: Database, accept_data_loss: bool) -> Promotion:
    """Decide for a candidate without a source: only the GTID sets show which server may be opened."""
    node, other = it.node.name, it.other.name
    if rival.writable:
        raise CheckFailed(
            f"{node} is not promoted: it does not replicate from {other}, which is open for writes",
            hint=f"make it a replica first: {rejoins(node)}",
        )
    lacks = gtid.minus(rival.gtid_executed, it.own.gtid_executed)
    if not lacks:
        how = _undoubted(it, f"both were closed, and {node} has all transactions of {other}", accept_data_loss)
        follows = bool(rival.gtid_executed) and not rival.cannot_apply  # else it needs a copy
        return replace(how, attach=how.attach and follows)
    lost = f"{gtid.count(lacks)} transactions are on {other} only: {gtid.text(lacks)}"
    own = gtid.count(gtid.minus(it.own.gtid_executed, rival.gtid_executed))
    if own and was_given_up(it):
        why = f"both were closed, and {node} was the last primary seen"
        return Promotion("planned", f"{why}; given up when it was opened: {lost}", attach=False)
    if accept_data_loss:
        return Promotion("planned", f"both were closed, and data loss was accepted for {node}", False, lost)
    if not own:
        hint = _has_all(_turned(it, rival))
        raise CheckFailed(f"{node} is not promoted: {lost}", evidence=_sets(it, rival), hint=hint)
    hint = (
        f"choose which data to keep: invoke db.promote {node} --accept-data-loss, then invoke db.rejoin {other} "
        f"(or the other way round); or reset the lab: invoke lab.reset"
    )
    if was_given_up(_turned(it, rival)):
        hint = f"promote the last primary seen: invoke db.promote {other}, then invoke db.rejoin {node}"
    raise CheckFailed(
        f"{node} is not promoted: both servers have transactions of their own",
        evidence=f"{own} transactions are on {node} only; {lost}\n{_sets(it, rival)}",
        hint=hint,
    )


def _turned(it: Situation, rival: Database) -> Situation:
    return replace(it, node=it.other, other=it.node, own=rival, rival=it.own, ended="")


def _has_all(it: Situation) -> str:
    """The command that promotes the server with all transactions; if that is refused, the command to run before it."""
    try:
        decide(it)
    except CheckFailed as error:
        return error.hint
    return f"promote the server with all transactions: invoke db.promote {it.node.name}"


def _undoubted(it: Situation, why: str, accept_data_loss: bool) -> Promotion:
    """Decide where the other server is closed and hands over all it has, which may not be all it acknowledged."""
    doubts = list(unheld(it))
    if not doubts:
        return Promotion("planned", f"{why}: nothing is lost")
    if accept_data_loss:
        return Promotion("planned", f"{why}, and data loss was accepted", False, "; ".join(doubts))
    what = f"{it.node.name} is not promoted: acknowledged writes may be lost"
    raise CheckFailed(what, evidence="\n".join(doubts), hint=_next_step(it))


def emergency(it: Situation, *, accept_data_loss: bool = False) -> Promotion:
    """Decide where the other server can't be closed; raise CheckFailed if acknowledged writes may be lost."""
    doubts = list(missing(it))
    node, other = it.node.name, it.other.name
    if doubts and not accept_data_loss:
        raise CheckFailed(
            f"{node} is not promoted: acknowledged writes may be on {other} only",
            evidence="\n".join(doubts),
            hint=_next_step(it),
        )
    if doubts:
        return Promotion("emergency", f"{other} was gone, and data loss was accepted", False, "; ".join(doubts))
    why = f"{other} was gone; {node} has each write that it acknowledged"
    if it.seen and it.seen.node == node:
        why = f"{other} was gone; {node} itself was the last primary seen"
    if it.rival and not it.rival.writable:
        why = f"{other} was closed and cut off, and {node} has all its transactions: nothing is lost"
    known = f" ({it.seen.describe(it.now)})" if it.seen else ""
    return Promotion("emergency", why + known, False)


def _next_step(it: Situation) -> str:
    """The commands that resolve the doubts of an emergency: --salvage only if there is something to fetch."""
    node, other = it.node.name, it.other.name
    without = f"accept the loss: invoke db.promote {node} --accept-data-loss"
    if it.gone:
        return without
    fetch = f"fetch the transactions of {other}: invoke db.promote {node} --salvage"
    if it.rival is None:
        return f"{fetch}; or, if {other} is gone for good, {without}"
    if it.rival.writable:  # it runs: only the fault between them has to be healed
        return f"heal the fault that cuts off {other}, which is open for writes: invoke fault.heal; or {without}"
    if gtid.subset(it.rival.has, it.own.has):
        return f"{other} answers and no longer has them: {without}; or reset the lab: invoke lab.reset"
    heal = "" if it.reached else "heal the network between them (invoke fault.heal), then "
    return f"{heal}{fetch}; or {without}"


def rejoins(name: str, *, gone: bool = False) -> str:
    """The command that makes a server a replica again, after healing the faults there.

    A machine that no longer exists is created again, which makes its server a replica.
    """
    if gone:
        return "invoke lab.up"
    return f"{'invoke fault.heal, then ' if broken(name) else ''}invoke db.rejoin {name}"


def broken(name: str) -> bool:
    """Whether a fault is active on a node, or cuts it off."""
    return any(_affects(it, name) for it in ledger.entries())


def _sets(it: Situation, rival: Database) -> str:
    return f"{it.node.name}: {it.own.gtid_executed}\n{it.other.name}: {rival.gtid_executed}"


def cut_off(name: str) -> bool:
    """Whether a partition cuts a node off from the other one, so that nothing can be fetched."""
    return any(it["kind"] == "partition" and _affects(it, name) for it in ledger.entries())


def _affects(fault: Mapping[str, Any], name: str) -> bool:
    return name in (fault["node"], fault["peer"]) or fault["peer"] == ALL
