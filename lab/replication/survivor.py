"""The survivor of an emergency: it applies what it received, leaves its source, and opens, or stays closed."""

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
# The receiver must run meanwhile: with both threads stopped, MySQL throws the relay log away when it is told a delay.
# https://dev.mysql.com/doc/refman/8.4/en/change-replication-source-to.html, https://bugs.mysql.com/bug.php?id=87102
AT_ONCE = """START REPLICA IO_THREAD; STOP REPLICA SQL_THREAD;
CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 0; SELECT 1"""
RECEIVED = f"""STOP REPLICA IO_THREAD; {APPLY_RECEIVED}
SELECT WAIT_FOR_EXECUTED_GTID_SET(@received, %d)"""
# A receiver that was connecting when its source lost the power hears nothing of it, and stops only when it does, after
# 45 seconds once. So its socket is taken away until it has stopped, or until this shell ($$) has ended.
LET_GO = """( for _ in {1..60}; do sleep 1; kill -0 $$ || exit; ss -K dst %s dport = 3306; done ) > /dev/null 2>&1 &
letting_go=$!"""
# What it had begun when all that it has whole was applied: that transaction it has only in part.
# https://dev.mysql.com/doc/refman/8.4/en/performance-schema-replication-applier-status-by-coordinator-table.html
TORN = """SELECT COALESCE(MAX(PROCESSING_TRANSACTION), '')
FROM performance_schema.replication_applier_status_by_coordinator"""
# Somebody may have started its receiver again meanwhile, or made MySQL throw the relay log away: a heal needs no lock.
APPLIED = """STOP REPLICA;
SELECT GTID_SUBSET(COALESCE(MAX(received_transaction_set), ''), @@GLOBAL.gtid_executed)
AND GTID_SUBSET('%s', @@GLOBAL.gtid_executed)
FROM performance_schema.replication_connection_status"""
NOT_APPLIED = '[ "$reply" = 1 ] || { echo "it has not applied all that it had"; exit 4; }'


def apply_received(roles: Roles, shell: Shell) -> str:
    """The survivor hears its source no more and applies all that it received, at once even where told to be late.

    It does so before the source is left, which throws the relay log away. A transaction that it has only in part is
    dropped: nobody was told that it is kept. Returns which, in words; '' where it had all whole.
    """
    name = roles.node.node.name
    let_go = LET_GO % roles.other.node.ip
    at_once = f'[ "$reply" = 0 ] || {{ {DROPS_TORN}; {query(AT_ONCE, 30)}; }}'
    received = query(RECEIVED % APPLY_S, APPLY_S + 30)
    torn = f'{query(TORN, KILL_S)}; echo "$reply"'
    script = "\n".join([let_go, query(DELAY, 10), at_once, received, "kill $letting_go", CAUGHT_UP, torn, DROPS_TORN])
    torn = ""
    with _not_promoted(roles.node, "it could not apply what it received"):
        answer = roles.node.run_in_shell(script, timeout=APPLY_S + 120, title="applies what it received", shell=shell)
        torn = answer.stdout.strip()
    if not torn:
        return ""
    progress.say(name, f"drops transaction {torn}, which it has only in part")
    return f"{name} had transaction {torn} only in part and dropped it: nobody was told that it is kept"


def open_it(roles: Roles, shell: Shell, had: str | None) -> None:
    """The survivor leaves its source and takes writes.

    `had`: the transactions that it must have applied; None: whatever it has. Raises CheckFailed where it does not
    open, and then it is closed.
    """
    leaves = leaves_and_opens(roles.durability)
    applied = "" if had is None else f"{query(APPLIED % had, LEAVE_S)}\n{NOT_APPLIED}"
    try:
        with _not_promoted(roles.node, "it could not open"):
            roles.node.script(f"{applied}\n{leaves}", timeout=SCRIPT_S, title="opens", shell=shell)
    except CheckFailed as error:
        now = databases_of([roles.node])[roles.node.node.name]
        if had and now and not gtid.subset(had, now.has):
            error.hint = f"fetch what it lost: invoke db.promote {now.node} --salvage"
        raise


def _not_promoted(machine: Machine, why: str) -> AbstractContextManager[None]:
    hint = f"see why: invoke db.status; then the same again: invoke db.promote {machine.node.name}"
    return ended_unless_open(machine, "was not promoted", why, hint)
