"""invoke db.promote NODE --salvage: fetch what only the old primary has, before the promotion goes on."""

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
# A MySQL that hangs is killed: it starts read-only, and recovers what its binary log has.
STARTS = f"""systemctl reset-failed mysql 2>/dev/null
case "$(systemctl is-active mysql)" in
  active | deactivating)
    timeout 10 mysql --connect-timeout=5 -e 'SELECT 1' >/dev/null 2>&1 || systemctl kill -s KILL mysql ;;
esac
timeout 180 systemctl start mysql && exit 0
df -h /var/lib/mysql | tail -n 1; tail -n 5 {SERVICES["mysql"].logs[0]}; exit 1"""
# Runs before any replication statement: a coordinator inside a torn transaction delays STOP REPLICA by a minute.
LETS_STOP = f"""id=$(mysql -N -e "{COORDINATOR}"); [ "${{id:-0}}" = 0 ] || mysql -e "KILL $id" || true"""


def salvage(lab: Lab, roles: Roles) -> None:
    """Start the old primary read-only if it does not answer, and let the other server fetch what it lacks.

    Raises LabNotUp if its machine does not exist, CheckFailed if it can't be started or reached, or if only a copy
    could bring what is missing. Safe to run again.
    """
    asked = databases_of([roles.node, roles.other])
    own, rival = asked[roles.node.node.name], asked[roles.other.node.name]
    if own is None or own.writable:
        return  # the promotion refuses and says why
    if rival is None:
        _start(lab, roles.other)
        rival = _answering(roles.other)
    if not rival.writable and not gtid.subset(rival.received, f"{rival.gtid_executed},{own.has}"):
        rival = _applied(roles.other)
    if not rival.writable and not gtid.subset(rival.gtid_executed, own.gtid_executed):
        _fetch(lab, roles, own, rival)


def _start(lab: Lab, machine: Machine) -> None:
    """Start the machine and its MySQL until the node answers; a machine that hangs is powered off first."""
    node = machine.node
    state = vm_power.states(lab)[node.name]
    if state == "absent":
        hint = "run it without --salvage, with --accept-data-loss"
        raise LabNotUp(f"nothing can be fetched from {node.name}: its machine does not exist", hint=hint)
    progress.say(node.name, f"is {state}: it is started read-only, to fetch what only it has")
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
        hint = "repair that (invoke fault.heal, invoke lab.logs), then run this again; or use --accept-data-loss"
        raise CheckFailed(f"MySQL on {node.name} does not start", evidence=error.evidence, hint=hint) from error
    except LabError as error:
        what, hint = f"nothing was fetched from {node.name}: {error.what}", "invoke lab.status, then run this again"
        raise CheckFailed(what, evidence=error.evidence, hint=hint) from error


def _reached(machine: Machine) -> bool:
    try:
        machine.run("true", timeout=10, title="is still there")
    except LabError:
        return False
    return True


def _answering(machine: Machine) -> Database:
    name = machine.node.name
    hint = "see why: invoke lab.logs; then run this again"
    answer = until("MySQL answers", lambda: databases_of([machine])[name], STARTS_S, every=1, where=name, hint=hint)
    assert answer is not None
    return answer


def _applied(machine: Machine) -> Database:
    """Apply what a closed server received: another server can't fetch that from its relay log."""
    wait = f"SELECT WAIT_FOR_EXECUTED_GTID_SET(@received, {APPLY_S});"
    sql(machine, f"{APPLY_RECEIVED}\n{wait}", "applies what only it received")
    return _answering(machine)


def _fetch(lab: Lab, roles: Roles, own: Database, rival: Database) -> None:
    """Fetch the missing transactions by replication, whatever stopped it before; no server is open meanwhile."""
    node, other = roles.node.node.name, roles.other.node.name
    lacks = gtid.minus(rival.gtid_executed, own.gtid_executed)
    if server_state.errant(own, rival):
        return  # both have transactions of their own: the promotion refuses and names the choices
    if not own.gtid_executed or server_state.lost(own, rival):
        raise CheckFailed(
            f"{node} is not promoted: it is empty or lacks transactions it wrote itself; only a copy can bring those",
            evidence=f"{other} has: {rival.gtid_executed}\n{node} has: {own.has}",
            hint=_other_way(node, other),
        )
    if not gtid.subset(rival.purged, own.has):
        raise CheckFailed(
            f"{node} is not promoted: {other} has purged binary logs that {node} lacks, so they can't be fetched",
            evidence=f"purged on {other}: {rival.purged}\n{node} has: {own.has}",
            hint=_other_way(node, other),
        )
    progress.say(node, f"fetches {gtid.count(lacks)} transactions from {other}: {gtid.text(lacks)}")
    roles.node.script(LETS_STOP, timeout=30, title="stops its applier")
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
        until(f"{node} has all transactions of {other}", fetched, FETCH_S, every=0.5, where=node, evidence=last_status)
    except TimedOut as error:
        hint = _hint(lab, roles, latest[node])
        raise CheckFailed(f"{node} is not promoted: {error.what}", evidence=error.evidence, hint=hint) from error


def _hint(lab: Lab, roles: Roles, own: Database | None) -> str:
    """The next command: heal a network fault first; promote the other server if this one can't apply what it gets."""
    node, other = roles.node.node.name, roles.other.node.name
    if own and own.cannot_apply:
        return _other_way(node, other)
    again = f"run this again: invoke db.promote {node} --salvage"
    cuts = [it.id for it in ledger.active(lab) if it.node in (node, other) and it.kind in ("partition", "slow")]
    return f"{', '.join(cuts)} is active: invoke fault.heal; then {again}" if cuts else again


def _other_way(node: str, other: str) -> str:
    return f"promote the server with all transactions: invoke db.promote {other}, then invoke db.rejoin {node}"
