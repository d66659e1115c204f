"""The survivor of an emergency: it applies what it received, leaves its source, and opens or stays closed."""

from contextlib import AbstractContextManager

from lab import progress
from lab.errors import CheckFailed
from lab.mysql import gtid
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine, Shell
from lab.replication.attach import APPLY_RECEIVED
from lab.replication.open_for_writes import DROPS_TORN, KILL_S, LEAVE_S, SCRIPT_S, ended_unless_open, leaves_and_opens
from lab.replication.session import CAUGHT_UP, query
from lab.replication.switchover import Roles

APPLY_S = 60
DELAY = "SELECT COALESCE(MAX(DESIRED_DELAY), 0) FROM performance_schema.replication_applier_configuration"
# The receiver must run meanwhile: with both threads stopped, MySQL discards the relay log when a delay is set.
# https://dev.mysql.com/doc/refman/8.4/en/change-replication-source-to.html, https://bugs.mysql.com/bug.php?id=87102
AT_ONCE = """START REPLICA IO_THREAD; STOP REPLICA SQL_THREAD;
CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 0; SELECT 1"""
RECEIVED = f"""STOP REPLICA IO_THREAD; {APPLY_RECEIVED}
SELECT WAIT_FOR_EXECUTED_GTID_SET(@received, %d)"""
# A receiver that was connecting when its source lost power does not notice, and a stop waits for it, 45 seconds in one
# case. So its socket is destroyed repeatedly until it has stopped, or until this shell ($$) has ended.
LET_GO = """( for _ in {1..60}; do sleep 1; kill -0 $$ || exit; ss -K dst %s dport = 3306; done ) > /dev/null 2>&1 &
letting_go=$!"""
# The transaction in progress after all complete ones were applied: only a part of it was received.
# https://dev.mysql.com/doc/refman/8.4/en/performance-schema-replication-applier-status-by-coordinator-table.html
TORN = """SELECT COALESCE(MAX(PROCESSING_TRANSACTION), '')
FROM performance_schema.replication_applier_status_by_coordinator"""
# A heal needs no lock: it may have started the receiver again meanwhile, or made MySQL discard the relay log.
APPLIED = """STOP REPLICA;
SELECT GTID_SUBSET(COALESCE(MAX(received_transaction_set), ''), @@GLOBAL.gtid_executed)
AND GTID_SUBSET('%s', @@GLOBAL.gtid_executed)
FROM performance_schema.replication_connection_status"""
NOT_APPLIED = '[ "$reply" = 1 ] || { echo "it has not applied all transactions that it had"; exit 4; }'


def apply_received(roles: Roles, shell: Shell) -> str:
    """Stop the survivor's receiver and apply all it received, at once even if it replicates with a delay.

    This comes before it leaves its source, which discards the relay log. An incomplete transaction is dropped: it was
    never acknowledged. Returns which, in words; '' if all were complete.
    """
    name = roles.node.node.name
    let_go = LET_GO % roles.other.node.ip
    at_once = f'[ "$reply" = 0 ] || {{ {DROPS_TORN}; {query(AT_ONCE, 30)}; }}'
    received = query(RECEIVED % APPLY_S, APPLY_S + 30)
    torn = f'{query(TORN, KILL_S)}; echo "$reply"'
    script = "\n".join([let_go, query(DELAY, 10), at_once, received, "kill $letting_go", CAUGHT_UP, torn, DROPS_TORN])
    torn = ""
    with _not_promoted(roles.node, "it can't apply what it received"):
        answer = roles.node.run_in_shell(script, timeout=APPLY_S + 120, title="applies what it received", shell=shell)
        torn = answer.stdout.strip()
    if not torn:
        return ""
    progress.say(name, f"drops transaction {torn}, which is incomplete")
    return f"{name} dropped transaction {torn}, which was incomplete and never acknowledged"


def open_it(roles: Roles, shell: Shell, had: str | None) -> None:
    """Make the survivor leave its source and open for writes.

    `had`: the transactions it must have applied; None: no requirement. Raises CheckFailed if it does not open; it is
    then closed, or the error says that this is not certain.
    """
    leaves = leaves_and_opens(roles.durability)
    applied = "" if had is None else f"{query(APPLIED % had, LEAVE_S)}\n{NOT_APPLIED}"
    try:
        with _not_promoted(roles.node, "it could not open"):
            roles.node.script(f"{applied}\n{leaves}", timeout=SCRIPT_S, title="opens", shell=shell)
    except CheckFailed as error:
        now = databases_of([roles.node])[roles.node.node.name]
        if had and now and not gtid.subset(had, now.has):
            error.hint = f"fetch the transactions it lost: invoke db.promote {now.node} --salvage"
        raise


def _not_promoted(machine: Machine, why: str) -> AbstractContextManager[None]:
    hint = f"see why: invoke db.status; then run this again: invoke db.promote {machine.node.name}"
    return ended_unless_open(machine, "was not promoted", why, hint)
