"""The only way to open a server for writes: by a client that a later promotion can end, and never after a deadline."""

from collections.abc import Iterator
from contextlib import contextmanager

from lab import progress
from lab.durability import InForce, durability_sql
from lab.errors import CheckFailed, LabError
from lab.mysql import shutdown
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine, Shell
from lab.replication.session import ALL_ENDED, END_ALL, client, query

ASK_S, LEAVE_S, OPEN_S = 10, 20, 30
SCRIPT_S, SHUT_S = 90.0, 60.0
# If the relay log ends inside a transaction, STOP REPLICA waits a minute for the rest, which never comes. A killed
# coordinator does not wait, and its workers roll that transaction back. It must be killed before it is stopped:
# sql_slave_killed() in MySQL's rpl_replica.cc.
COORDINATOR = """SELECT COALESCE(MAX(PROCESSLIST_ID), 0) FROM performance_schema.threads
WHERE NAME = 'thread/sql/replica_sql'"""
KILL_S = 10
_KILL_IT = f'[ "$reply" = 0 ] || query "KILL $reply; SELECT 1;" {KILL_S} || exit 5'
DROPS_TORN = f"{query(COORDINATOR, KILL_S)}; {_KILL_IT}"
LEAVE = "STOP REPLICA; RESET REPLICA ALL;"
# Sent first: if the shell, client or server is delayed after that, the deadline has passed.
UNTIL = f"SET @until = UNIX_TIMESTAMP(SYSDATE()) + {OPEN_S}; SELECT 1"
IN_TIME = "UNIX_TIMESTAMP(SYSDATE()) < @until"
# After the deadline nothing changes: another command may have opened the server since, and must not find it closed.
OPEN_IN_TIME = " ".join(
    f"SET GLOBAL {it} = IF({IN_TIME}, 0, @@GLOBAL.{it});" for it in ("super_read_only", "read_only")
)
OPENED = "SELECT IF(@@GLOBAL.read_only, 'ERROR: it was too late to open', 'open')"
AGAIN = "see why: invoke lab.status; then run it again: invoke lab.provision"


def opens(*first: str, settings: str = "") -> str:
    """Bash for a client's shell: run `first`, also bash, then the settings, then open the server for writes.

    The client waits until the deadline, so when it stops waiting nothing it sent can open the server later.
    """
    return "\n".join([query(UNTIL, ASK_S), *first, query(f"{settings} {OPEN_IN_TIME} {OPENED}".lstrip(), OPEN_S)])


def leaves_and_opens(durability: InForce) -> str:
    """Bash for a client's shell: leave the source for good, set the durability, open for writes."""
    leave = query(f"{LEAVE} SELECT 1", LEAVE_S)
    return opens(shutdown.OPENS, leave, settings=durability_sql(durability))


def open_server(machine: Machine, text: str, title: str, *, hint: str = AGAIN, shell: Shell | None = None) -> None:
    """Run such bash in a client's shell; raise CheckFailed with the server's state if it does not open."""
    with ended_unless_open(machine, "was not opened for writes", "its client failed", hint):
        machine.script(text, timeout=SCRIPT_S, title=title, shell=shell or client(machine))
    progress.say(machine.node.name, title)


@contextmanager
def ended_unless_open(machine: Machine, what: str, why: str, hint: str) -> Iterator[None]:
    """After an error make sure that nothing opens the server later, and say whether that is certain."""
    try:
        yield
    except LabError as error:
        name, state = machine.node.name, shut(machine)
        if state == "open":
            return
        message = f"{name} {what}: {why}; it is closed"
        if state != "closed":
            message = f"{name} {what}: {why}, and it may still open later"
        raise CheckFailed(message, evidence=error.evidence or str(error), hint=hint) from error


def shut(machine: Machine) -> str:
    """End the clients that a command left on a node; return the server's state: 'closed', 'open' or 'unknown'."""
    try:
        machine.script(f"{END_ALL}\n{ALL_ENDED}", timeout=SHUT_S, title="ends the client of this command")
    except LabError:
        return "unknown"
    now = databases_of([machine])[machine.node.name]
    return "unknown" if now is None else "open" if now.writable else "closed"
