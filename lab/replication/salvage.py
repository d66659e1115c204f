"""invoke db.promote NODE --salvage: what only the old primary has is fetched from it, before the promotion goes on."""

from lab import progress
from lab.errors import CheckFailed, CommandFailed, LabError, LabNotUp, TimedOut
from lab.faults import ledger
from lab.mysql import gtid, server_state
from lab.mysql.server_state import Database
from lab.nodes import lifecycle, vm_power
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.release import SERVICES
from lab.replication.attach import APPLY_RECEIVED, Resumed
from lab.replication.mysql_cli import sql
from lab.replication.open_for_writes import COORDINATOR
from lab.replication.switchover import Roles
from lab.topology import Lab
from lab.wait import until

STARTS_S, FETCH_S, APPLY_S = 240.0, 120.0, 50
# A MySQL that should answer and does not is killed: it starts read-only, and recovers what its binary log has.
STARTS = f"""systemctl reset-failed mysql 2>/dev/null
case "$(systemctl is-active mysql)" in
  active | deactivating)
    timeout 10 mysql --connect-timeout=5 -e 'SELECT 1' >/dev/null 2>&1 || systemctl kill -s KILL mysql ;;
esac
timeout 180 systemctl start mysql && exit 0
df -h /var/lib/mysql | tail -n 1; tail -n 5 {SERVICES["mysql"].logs[0]}; exit 1"""
# Before replication is told anything: a coordinator inside a torn transaction would hold STOP REPLICA up for a minute.
LETS_STOP = f"""id=$(mysql -N -e "{COORDINATOR}"); [ "${{id:-0}}" = 0 ] || mysql -e "KILL $id" || true"""


def salvage(lab: Lab, roles: Roles) -> None:
    """Start the old primary read-only where it does not answer, and let the other server fetch what it lacks.

    Raises LabNotUp where there is no such machine, CheckFailed where it can't be started, can't be reached, or where
    both servers have transactions of their own. Safe to run again.
    """
    asked = databases_of([roles.node, roles.other])
    own, rival = asked[roles.node.node.name], asked[roles.other.node.name]
    if own is None or own.writable:
        return  # the promotion says why not
    if rival is None:
        _start(lab, roles.other)
        rival = _answering(roles.other)
    if not rival.writable and not gtid.subset(rival.received, f"{rival.gtid_executed},{own.has}"):
        rival = _applied(roles.other)
    if not rival.writable and not gtid.subset(rival.gtid_executed, own.gtid_executed):
        _fetch(lab, roles, own, rival)


def _start(lab: Lab, machine: Machine) -> None:
    """The machine runs and answers, and its MySQL is started anew; one that hangs loses its power first."""
    node = machine.node
    state = vm_power.states(lab)[node.name]
    if state == "absent":
        hint = "there is nothing to fetch from: leave --salvage out, and accept what may be lost"
        raise LabNotUp(f"nothing can be fetched from {node.name}: there is no such machine", hint=hint)
    progress.say(node.name, f"is {state}: it is started read-only, to fetch from it what only it has")
    if state not in ("running", "paused", *vm_power.OFF) or (state == "running" and not _reached(machine)):
        vm_power.make_off(lab, node)
        state = "off"
    if state == "paused":
        vm_power.resume(node)
    elif state != "running":
        vm_power.power_on(node)
    machine.close()
    lifecycle.answering(machine)
    try:
        machine.script(STARTS, timeout=STARTS_S, title="starts MySQL read-only")
    except CommandFailed as error:
        hint = "repair that (invoke fault.heal, invoke lab.logs), then the same again; or accept what may be lost"
        raise CheckFailed(f"MySQL on {node.name} does not start", evidence=error.evidence, hint=hint) from error
    except LabError as error:
        what, hint = f"nothing was fetched from {node.name}: {error.what}", "invoke lab.status, then the same again"
        raise CheckFailed(what, evidence=error.evidence, hint=hint) from error


def _reached(machine: Machine) -> bool:
    try:
        machine.run("true", timeout=10, title="is still there")
    except LabError:
        return False
    return True


def _answering(machine: Machine) -> Database:
    name = machine.node.name
    hint = "see why: invoke lab.logs; then the same again"
    answer = until("MySQL answers", lambda: databases_of([machine])[name], STARTS_S, every=1, where=name, hint=hint)
    assert answer is not None
    return answer


def _applied(machine: Machine) -> Database:
    """A closed server applies what it received: nobody can fetch that from its relay log."""
    wait = f"SELECT WAIT_FOR_EXECUTED_GTID_SET(@received, {APPLY_S});"
    sql(machine, f"{APPLY_RECEIVED}\n{wait}", "applies what only it received")
    return _answering(machine)


def _fetch(lab: Lab, roles: Roles, own: Database, rival: Database) -> None:
    """Replication brings what is missing, whatever stopped it before; nobody is open meanwhile."""
    node, other = roles.node.node.name, roles.other.node.name
    lacks = gtid.minus(rival.gtid_executed, own.gtid_executed)
    if server_state.errant(own, rival):
        return  # both have transactions of their own: the promotion says what can be chosen
    if not own.gtid_executed or server_state.lost(own, rival):
        raise CheckFailed(
            f"{node} is not promoted: it lacks what it wrote itself, or all, and only a copy can give it that",
            evidence=f"{other} has: {rival.gtid_executed}\n{node} has: {own.has}",
            hint=f"promote the one that has all: invoke db.promote {other}, then invoke db.rejoin {node}",
        )
    if not gtid.subset(rival.purged, own.has):
        raise CheckFailed(
            f"{node} is not promoted: {other} has purged binary logs that {node} lacks, they can't be fetched any more",
            evidence=f"purged on {other}: {rival.purged}\n{node} has: {own.has}",
            hint=f"promote the one that has all: invoke db.promote {other}, then invoke db.rejoin {node}",
        )
    progress.say(node, f"fetches {gtid.count(lacks)} transactions from {other}: {gtid.text(lacks)}")
    roles.node.script(LETS_STOP, timeout=30, title="ends what it applies")
    address = str(roles.other.node.ip)
    resumed = Resumed(roles.node, roles.other, roles.password, resumes=own.source == address)
    latest: dict[str, Database | None] = {node: own}

    def fetched() -> bool:
        latest.update(databases_of([roles.node]))
        now = latest[node]
        if now:
            resumed.look(now)
        return bool(now and gtid.subset(rival.gtid_executed, now.gtid_executed))

    def last_status() -> str:
        it = latest[node]
        return f"{node}: {it.error or 'receives and applies'}" if it else ""

    try:
        until(f"{node} has all that {other} has", fetched, FETCH_S, every=0.5, where=node, evidence=last_status)
    except TimedOut as error:
        hint = _hint(lab, roles, latest[node])
        raise CheckFailed(f"{node} is not promoted: {error.what}", evidence=error.evidence, hint=hint) from error


def _hint(lab: Lab, roles: Roles, own: Database | None) -> str:
    """A network that is broken on purpose is healed first; one that can't apply what it fetched never will."""
    node, other = roles.node.node.name, roles.other.node.name
    if own and own.cannot_apply:
        return f"promote the one that has all: invoke db.promote {other}, then invoke db.rejoin {node}"
    again = f"the same again: invoke db.promote {node} --salvage"
    cuts = [it.id for it in ledger.active(lab) if it.node in (node, other) and it.kind in ("partition", "slow")]
    return f"{', '.join(cuts)} is active: invoke fault.heal; then {again}" if cuts else again
