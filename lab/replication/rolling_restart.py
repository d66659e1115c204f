"""Restart MySQL on one node after the other, the primary last, so that reads never fail.

The roles stay: a planned switch would block writes for fewer seconds, but can end in an emergency, and a converge
must never power off a machine. The primary is closed before it stops, and assign_roles.converge opens it again.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from lab import progress
from lab.desired import ensure
from lab.desired.state import Difference, Unit
from lab.errors import CheckFailed, CommandFailed, LabError
from lab.mysql import gtid
from lab.mysql.server_state import Database
from lab.nodes import facts
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine, together
from lab.replication.mysql_cli import sql
from lab.replication.open_for_writes import AGAIN, open_server, opens
from lab.topology import Lab, Node
from lab.wait import until

READY_S = 180.0
# A stopping MySQL releases commits that no replica confirmed: so running commits end first, and no new one begins.
CLOSE = "SET SESSION lock_wait_timeout = 5;\nSET GLOBAL super_read_only = ON;"


def in_turn(lab: Lab, running: Sequence[Machine], waiting: Mapping[str, Sequence[Unit]]) -> None:
    """Restart MySQL on the nodes where that is due; all at once if none of them has data of the site yet.

    `running`: all nodes that run. Raises CheckFailed if a restart would leave no server for reads, TimedOut if the
    other server does not serve in time: the restart stays due.
    """
    servers = _servers(running)
    asked = databases_of(servers)
    machines = [machine for machine in servers if machine.node.name in waiting]
    if not any(_serves(asked[machine.node.name]) for machine in machines):
        together(lambda machine: _restart(machine, waiting[machine.node.name]), machines)
        return
    for machine in sorted(machines, key=lambda it: _is_primary(asked[it.node.name])):
        _wait_for_others(lab, running, machine)
        _close(machine)
        _restart(machine, waiting[machine.node.name])


def missing(
    address: str, goal: str, others: Sequence[Node], asked: Mapping[str, Database | None], up: Mapping[str, str]
) -> list[str]:
    """Why the other nodes can't serve alone, in words.

    A replica of `address` must have executed `goal`; `up` is HAProxy's status of each web server.
    """
    reasons = []
    for node in others:
        it = asked[node.name]
        if it is None:
            reasons.append(f"MySQL on {node.name} does not answer")
        elif it.source and not it.replicating:
            reasons.append(f"{node.name} does not replicate {it.error}".rstrip())
        elif it.source == address and not gtid.subset(goal, it.gtid_executed):
            reasons.append(f"{node.name} has not caught up")
        if "web" in node.roles and up.get(node.name, "UP") != "UP":
            reasons.append(f"HAProxy: {node.name} is {up[node.name]}")
    return reasons


def _servers(running: Sequence[Machine]) -> list[Machine]:
    return [machine for machine in running if "database" in machine.node.roles]


def _serves(it: Database | None) -> bool:
    """Whether the site may read from this server; one that does not answer counts as such a server."""
    return it is None or it.has_site


def _is_primary(it: Database | None) -> bool:
    return it is None or it.writable or not it.source


def _wait_for_others(lab: Lab, running: Sequence[Machine], machine: Machine) -> None:
    """Wait until the other server answers reads and HAProxy reports it UP."""
    name, address = machine.node.name, str(machine.node.ip)
    others = [node for node in lab.having("database") if node.name != name]
    off = {node.name for node in others} - {it.node.name for it in running}
    if off:
        what = f"MySQL on {name} still has to restart, but no server would answer reads: {', '.join(off)} does not run"
        raise CheckFailed(what, hint="invoke lab.up")
    drained = _drained(running, others)
    if drained:
        what = f"MySQL on {name} still has to restart, but no server would answer reads: {drained[0]} is drained"
        raise CheckFailed(what, hint=f"invoke lb.ready {drained[0]}")
    first = databases_of([machine])[name]
    goal = first.gtid_executed if first else ""
    reasons: list[str] = []

    def ready() -> bool:
        asked = databases_of(_servers(running))  # asked before HAProxy: a server that HAProxy then reports UP is up
        reasons[:] = missing(address, goal, others, asked, _statuses(running))
        return not reasons

    what = f"{', '.join(node.name for node in others)} serves while MySQL on {name} restarts"
    until(what, ready, READY_S, every=1.0, where=name, evidence=lambda: "\n".join(reasons), hint=AGAIN)


def _drained(running: Sequence[Machine], others: Sequence[Node]) -> list[str]:
    """The other nodes that are drained, none if HAProxy does not answer at this moment."""
    with suppress(LabError):
        statuses = _statuses(running)
        return [node.name for node in others if statuses.get(node.name) == "DRAIN"]
    return []


def _statuses(running: Sequence[Machine]) -> Mapping[str, str]:
    """HAProxy's status of each web server; empty if the balancer does not run, for then no reads arrive."""
    balancers = [machine for machine in running if "balancer" in machine.node.roles]
    rows = [
        row
        for machine in balancers
        for row in facts.servers(machine.script(facts.BALANCER, title="asks HAProxy").stdout)
    ]
    return {row.name: row.status for row in rows if row.backend == "web"}


def _close(machine: Machine) -> None:
    name = machine.node.name
    asked = databases_of([machine])[name]
    if not asked or not asked.writable:
        return
    try:
        sql(machine, CLOSE, "takes no writes until MySQL has restarted")
    except CommandFailed as error:
        open_server(machine, opens(), "takes writes again")
        what = f"MySQL on {name} still has to restart: its commits hang"
        raise CheckFailed(what, evidence=error.evidence, hint=AGAIN) from error


def _restart(machine: Machine, units: Sequence[Unit]) -> None:
    ensure.apply(machine, Difference(reactions=tuple(units)))
    progress.say(machine.node.name, "MySQL runs with its new configuration")
