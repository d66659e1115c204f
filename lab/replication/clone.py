"""Replace a server's data by a copy of all data of another server."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lab import progress
from lab.durability import NONE, Durability, InForce, durability_sql
from lab.errors import CheckFailed, LabError
from lab.mysql import last_seen, shutdown
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Answer, Machine
from lab.release import Dialect
from lab.replication.attach import SOURCE_SIDE_OFF
from lab.replication.mysql_cli import client, sql
from lab.wait import until

COPY_S = 300.0
STARTS_S = 240.0  # MySQL restarts with the copy: on a busy emulated processor 90 s were too few
ENDS_S = 60.0
_CLONED = 'mysql -N -e "SELECT %s FROM performance_schema.clone_status"'
# https://dev.mysql.com/doc/refman/8.4/en/performance-schema-clone-status-table.html
_COPIES = "SELECT PID FROM performance_schema.clone_status WHERE STATE = 'In Progress'"
_GIVEN = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'clone'"


def clone(machine: Machine, donor: Machine, password: str) -> None:
    """Copy the donor's data; this works whatever the donor has purged from its binary logs.

    An interrupted copy has dropped the data but would keep the GTID history, so the server would seem to have all
    transactions. So the history is reset first: what remains is an empty server, which is never promoted and is copied
    again. Raises CheckFailed if the copy fails.
    """
    _end_copies(machine, donor)
    progress.say(machine.node.name, f"copies the data of {donor.node.name}")
    with _without_notes(donor):
        began, answer = _copied(machine, donor, password)
        status = until(
            "the copy ends",
            lambda: _status(machine, began, answer),
            STARTS_S,
            every=1.0,
            where=machine.node.name,
            hint="invoke lab.logs",
        )
    if not status.startswith("Completed"):
        raise CheckFailed(f"{machine.node.name}: copying the data failed", evidence=status, hint="invoke lab.logs")


@contextmanager
def _without_notes(donor: Machine) -> Iterator[None]:
    """Make the site write no notes to a durable donor meanwhile, and answer those that wait with 504.

    A copy begins only after every commit has ended, and a durable commit waits for the replica that is being copied:
    the donor would write "Waiting for prepared transaction to exit" to its log without end.
    """
    before = databases_of([donor])[donor.node.name]
    if not (before and before.writable and before.durability == Durability.DURABLE):
        yield
        return
    last_seen.outdate()
    _durability(donor, NONE)
    try:
        yield
    except BaseException:
        with suppress(LabError):  # the first error is raised; the status names what is left
            _durability(donor, before.durability)
        raise
    _durability(donor, before.durability)


def _durability(donor: Machine, value: InForce) -> None:
    title = "takes no notes (503) while its data is copied" if value == NONE else f"commits are {value} again"
    sql(donor, durability_sql(value), title, first=shutdown.SETS)


def _copied(machine: Machine, donor: Machine, password: str) -> tuple[str, Answer]:
    """When an earlier copy began, and the client's answer: exit 1, for the server restarts at the end of the copy."""
    began = machine.run(_CLONED % "BEGIN_TIME", title="asks for an earlier copy").stdout
    dialect = Dialect.of(machine.run('mysql -N -e "SELECT VERSION()"', title="asks for its version").stdout)
    address = donor.node.ip
    text = f"SET GLOBAL super_read_only = OFF;\n{SOURCE_SIDE_OFF}\nSTOP REPLICA;\nRESET REPLICA ALL;\n"
    text += f"{dialect.reset_binary_logs};\nSET GLOBAL clone_valid_donor_list = '{address}:3306';\n"
    text += f"CLONE INSTANCE FROM 'clone'@'{address}':3306 IDENTIFIED BY '{password}';"
    try:
        return began, machine.script(client(text), ok=(0, 1), timeout=COPY_S, title="copies the data")
    except BaseException as error:  # MySQL goes on with the copy when its client is gone
        with suppress(LabError):
            _end_copies(machine, donor)
        if isinstance(error, LabError):
            error.hint = error.hint or "invoke lab.status"
        raise


def _status(machine: Machine, began: str, answer: Answer) -> str:
    """How the copy ended; '' while it runs."""
    question = f"{_CLONED % 'BEGIN_TIME'} && {_CLONED % 'STATE, ERROR_MESSAGE'}"
    asked = machine.run(f"systemctl start mysql && {question}", timeout=STARTS_S, title="asks how the copy went")
    begins, _, status = asked.stdout.partition("\n")
    if status.strip() and begins.strip() != began.strip():  # the status of an earlier copy stays until the next one
        return status if status.startswith(("Completed", "Failed")) else ""
    return answer.stderr or "it never began"


def _end_copies(machine: Machine, donor: Machine) -> None:
    """End a copy that an interrupted command left: MySQL makes, and donates, one at a time (error 3634)."""

    def over() -> bool:
        question = f'systemctl start mysql && mysql -N -e "{_COPIES}"'
        running = machine.run(question, timeout=STARTS_S, title="asks for a copy that runs").stdout.split()
        for it in running:
            machine.run(f'mysql -e "KILL {it}"', ok=(0, 1), title="ends an earlier copy")  # 1: it has ended
        return not running and donor.run(f'mysql -N -e "{_GIVEN}"', title="asks for copies of it").stdout.strip() == "0"

    until("an earlier copy ends", over, ENDS_S, every=1.0, where=machine.node.name, hint="invoke lab.status")
