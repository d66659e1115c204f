"""invoke db.rejoin: make an old primary the replica of the new one, and restore the chosen durability."""

from collections.abc import Mapping
from contextlib import suppress

from lab import progress
from lab.durability import Durability
from lab.errors import CheckFailed, CommandFailed, LabNotUp, TimedOut
from lab.faults import ledger
from lab.mysql import gtid, server_state
from lab.mysql.server_state import Database
from lab.nodes import lifecycle, vm_power
from lab.nodes.facts import databases_of
from lab.replication import errant_transactions
from lab.replication.attach import Resumed
from lab.replication.clone import clone
from lab.replication.set_durability import commits, remembers
from lab.replication.switchover import Roles
from lab.state.credentials import passwords
from lab.topology import Lab
from lab.wait import until

STARTS_S, FOLLOWS_S = 240.0, 90.0


def rejoin(lab: Lab, name: str, *, discard: bool = False) -> list[str]:
    """Make a server the replica of the primary; return in words what was done and why.

    Transactions of its own are written to backups/, unless `discard`, then given up: it gets a copy of all data of the
    primary. Raises CheckFailed if a fault is active on the node, if the other server is not the primary, or if those
    transactions can't be written: then it keeps them.
    """
    roles = Roles.of(lab, name)
    _no_faults(lab, name)
    _start(lab, roles)
    own, primary = _must_be_two(roles)
    lines, resumed = _attach(roles, own, primary, discard=discard)
    latest: dict[str, Database | None] = {}
    try:
        _follows(roles, primary.gtid_executed, resumed, latest)
    except TimedOut as error:
        lines += _copied_after_all(roles, latest, error)
        _follows(roles, primary.gtid_executed, None, latest)
    now = latest[primary.node]
    assert now is not None
    machines = [roles.other, roles.node]
    commits(machines, roles.other, now.durability, roles.durability)
    remembers(machines, roles.other)
    return [*lines, f"commits on {primary.node} are {roles.durability}: {_safe(name, roles.durability)}"]


def _safe(name: str, durability: Durability) -> str:
    words = {
        Durability.DURABLE: "each waits until {} has it too",
        Durability.AVAILABLE: "each waits at most a second until {} has it too",
        Durability.ASYNC: "none waits for {}",
    }
    return words[durability].format(name)


def _no_faults(lab: Lab, name: str) -> None:
    active = [fault.id for fault in ledger.active(lab) if name in (fault.node, fault.peer)]
    if active:
        raise CheckFailed(f"{name} can't rejoin: {', '.join(active)} is active", hint="invoke fault.heal")


def _start(lab: Lab, roles: Roles) -> None:
    """Start the node that comes back and its MySQL, until they answer."""
    node = roles.node.node
    state = vm_power.states(lab)[node.name]
    if state == "absent":
        raise LabNotUp(f"{node.name} can't rejoin: its machine does not exist", hint="invoke lab.up")
    if state != "running":
        if state not in ("paused", *vm_power.OFF):  # a saved machine would resume with the memory it had
            vm_power.make_off(lab, node)
        progress.say(node.name, f"is {state}: it is started")
        with suppress(CommandFailed):  # it runs already
            (vm_power.resume if state == "paused" else vm_power.power_on)(node)
    lifecycle.answering(roles.node)
    roles.node.script("timeout 180 systemctl start mysql", timeout=STARTS_S, title="starts MySQL")
    until(
        "MySQL answers",
        lambda: databases_of([roles.node])[node.name],
        STARTS_S,
        every=1,
        where=node.name,
        hint="invoke lab.logs",
    )


def _must_be_two(roles: Roles) -> tuple[Database, Database]:
    """Return the server that comes back, which must be closed, and the other server, which must be open."""
    name, other = roles.node.node.name, roles.other.node.name
    asked = databases_of([roles.node, roles.other])
    own, primary = asked[name], asked[other]
    if own and own.writable and primary and primary.writable:
        raise CheckFailed(f"{name} and {other} are both writable: two primaries", hint="invoke lab.reset")
    if own and own.writable:
        raise CheckFailed(f"{name} is itself the primary", hint=f"make {other} its replica: invoke db.rejoin {other}")
    if own is None or primary is None:
        raise CheckFailed(f"MySQL on {name if own is None else other} does not answer", hint="invoke lab.status")
    if not primary.writable:
        hint = f"open one first: invoke db.promote {other}"
        raise CheckFailed(f"{name} can't rejoin: {other} is not open for writes, so there is no primary", hint=hint)
    return own, primary


def _attach(roles: Roles, own: Database, primary: Database, *, discard: bool) -> tuple[list[str], Resumed | None]:
    """Attach it by GTID if it has no transactions of its own, else with a copy of the primary's data."""
    name, address = own.node, str(roles.other.node.ip)
    alone = _errant(own, primary)
    applies = own.replicating and own.waits_for_none  # else the source's side of semi-sync blocks its applier
    if own.source == address and applies and not alone and not server_state.lost(own, primary):
        return [f"{name} already replicates from {primary.node} and has no transactions of its own"], None
    why = _why_copied(own, primary, alone)
    if why:
        progress.say(name, why[0])
        why += _saved(roles, alone, f"{name} becomes the replica of {primary.node}", discard=discard)
        _copies(roles)
    resumed = Resumed(roles.node, roles.other, roles.password, resumes=not why and own.source == address)
    fetches = f"{name} had no transactions that {primary.node} lacks: it fetches by GTID what it missed"
    return [*(why or [fetches]), f"{name} replicates from {primary.node}"], resumed


def _copied_after_all(roles: Roles, latest: Mapping[str, Database | None], error: TimedOut) -> list[str]:
    """Copy all data to a server that can't apply what it fetches, because its data differs from the primary's.

    Raises the error if it does not replicate for another reason, or has transactions that the primary lacks.
    """
    own, primary = latest[roles.node.node.name], latest[roles.other.node.name]
    if not (own and primary and own.cannot_apply and _has_only(own, primary)):
        raise error
    why = f"{own.node} can't apply what it fetches ({own.applier_error}): it got a copy of all data"
    progress.say(own.node, why)
    _copies(roles)
    Resumed(roles.node, roles.other, roles.password, resumes=False)
    return [why]


def _has_only(own: Database, primary: Database) -> bool:
    """Whether all its transactions come from the primary, which goes on writing meanwhile."""
    alone = gtid.minus(own.has, primary.gtid_executed)
    return server_state.made_by(primary, alone) == alone


def _copies(roles: Roles) -> None:
    clone(roles.node, roles.other, passwords(["clone"])["clone"])


def _saved(roles: Roles, alone: gtid.Intervals, why: str, *, discard: bool) -> list[str]:
    """Copy what only this server has to a file; return in words where that is."""
    if not alone:
        return []
    if discard:
        return ["they were not written to a file: --discard"]
    return [
        f"before that they were written to {errant_transactions.keep(roles.node, alone, why)}, "
        "with the values of each row"
    ]


def _why_copied(own: Database, primary: Database, alone: gtid.Intervals) -> list[str]:
    """Why a server gets a copy of all data, in words; empty if it can fetch what it missed."""
    if alone:
        lost = f"{gtid.count(alone)} transactions that {primary.node} never had: {gtid.text(alone)}"
        return [f"{own.node} had {lost}", "histories can't be merged: it gave them up and got a copy of all data"]
    if not gtid.subset(primary.purged, own.gtid_executed):
        return [f"{primary.node} has purged the binary logs that {own.node} missed: it got a copy of all data"]
    if not own.gtid_executed:
        return [f"{own.node} is empty: it got a copy of all data"]
    if server_state.lost(own, primary):
        return [f"{own.node} lost what it wrote itself, which no replica receives: it got a copy of all data"]
    return []


def _errant(own: Database, primary: Database) -> gtid.Intervals:
    """Its transactions that the primary lacks; for a replica, which receives more meanwhile, only those it wrote."""
    extra = gtid.minus(own.gtid_executed, primary.gtid_executed)
    return server_state.made_by(own, extra) if own.source else extra


def _follows(roles: Roles, executed: str, resumed: Resumed | None, latest: dict[str, Database | None]) -> None:
    """Wait until it has received what the primary had executed, replicates and is closed, and the other server is open.

    `latest` is filled with the last observed state of both servers.
    """
    name, other = roles.node.node.name, roles.other.node.name

    def right() -> bool:
        latest.update(databases_of([roles.node, roles.other]))
        own, primary = latest[name], latest[other]
        if own and resumed:
            resumed.look(own)
        follows = bool(own and primary and own.replicating and not own.writable and primary.writable)
        return follows and own is not None and gtid.subset(executed, own.has)

    def last_status() -> str:
        return "\n".join(f"{it.node}: {it.role} {it.error}" for it in latest.values() if it)

    hint = "invoke db.status, invoke lab.logs"
    until(f"{name} replicates from {other}", right, FOLLOWS_S, every=1, where=name, evidence=last_status, hint=hint)
