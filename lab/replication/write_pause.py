"""A pause in which the site can't write to the primary."""

from collections.abc import Iterator
from contextlib import contextmanager

from lab import progress
from lab.errors import CheckFailed, CommandFailed
from lab.nodes.ssh import Machine
from lab.replication.open_for_writes import open_server, opens
from lab.replication.session import client, query

LOCK_S, CLOSES_S = 3, 20
# read_only alone: root can still write, the site can't, and it answers 503 as it does without a primary.
CLOSE = f"SET SESSION lock_wait_timeout = {LOCK_S}; SET GLOBAL read_only = ON; SELECT 1"


@contextmanager
def no_writes(machine: Machine) -> Iterator[None]:
    """Let only root write to the primary while the block lasts; reads go on, and the durability stays.

    It is opened again whatever happens. Raises CheckFailed if it can't be closed, because commits hang, or opened. A
    command that is killed leaves it closed: the next converge opens it.
    """
    try:
        _close(machine)
        yield
    finally:
        open_server(machine, opens(), "takes the site's writes again")


def _close(machine: Machine) -> None:
    try:
        machine.script(query(CLOSE, CLOSES_S), timeout=60, title="closes for the site", shell=client(machine))
    except CommandFailed as error:
        what = f"{machine.node.name} can't be closed for the site: its commits hang"
        raise CheckFailed(what, evidence=error.evidence, hint="see why: invoke db.status, invoke fault.list") from error
    progress.say(machine.node.name, "takes no writes of the site for a moment (503); reads go on")
