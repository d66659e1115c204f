"""A planned change of roles: the primary connects to its replica and is closed; the replica applies the rest and opens.

A replica takes seconds to connect, and a durable commit waits for that: so the old primary connects before it is
closed. It applies nothing until then; it only receives what it wrote itself, which a server ignores.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from lab import progress
from lab.durability import Durability
from lab.errors import BadInput, CheckFailed, CommandFailed, LabError
from lab.mysql import gtid, last_seen
from lab.mysql.promotion import rejoins
from lab.mysql.server_state import Database
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine, Shell, together
from lab.replication.attach import APPLY, APPLY_RECEIVED, listen
from lab.replication.mysql_cli import sql
from lab.replication.open_for_writes import DROPS_TORN, LEAVE, leaves_and_opens, open_server, opens
from lab.replication.session import END_ALL, EXECUTED, NOT_CAUGHT_UP, client, query, wait_for
from lab.state import choices, credentials
from lab.topology import Lab, Node

CATCH_UP_S, APPLY_S, LOCK_S, LISTEN_S, UNDO_S = 60, 20, 3, 10, 5
HANGS = 6
WHY_IT_HANGS = "see why: invoke db.status, invoke fault.list"
LISTENS = "SELECT service_state FROM performance_schema.replication_connection_status"


class NotClosed(CheckFailed):
    """The primary answers but can't be closed, because its commits hang. It takes writes as before."""


class NotCaughtUp(CheckFailed):
    """The candidate does not apply what it received; nothing was changed."""


@dataclass(frozen=True)
class Roles:
    """The server named in the command, the other server, the replication password and the chosen durability."""

    node: Machine
    other: Machine
    password: str = field(repr=False)
    durability: Durability

    @classmethod
    def of(cls, lab: Lab, name: str) -> "Roles":
        """The roles for a node's name; raise BadInput if it is no database, or the only one."""
        node, other = pair(lab, name)
        password = credentials.passwords(["replication"])["replication"]
        durability = choices.load().durability
        return cls(Machine(node), Machine(other), password, durability)


def pair(lab: Lab, name: str) -> tuple[Node, Node]:
    """Return the node of that name and the other database; raise BadInput."""
    node, servers = lab.node(name), lab.having("database")
    others = [it for it in servers if it is not node]
    if node not in servers or len(others) != 1:
        raise BadInput(f"{name} is not one of two databases", hint=f"choose: {', '.join(it.name for it in servers)}")
    return node, others[0]


def planned(roles: Roles, own: Database, rival: Database, *, attach: bool) -> float:
    """Change the roles; return for how many seconds, at most, no server took writes.

    Raises CheckFailed if the replica does not catch up, NotClosed if the old primary can't be closed: then the old
    primary takes writes as before. If it is not known how far the change got, no server is open and the error says so.
    """
    node, other = roles.node.node.name, roles.other.node.name
    with _left_as_it_was(roles, rival):
        closing, following, opening = _prepare(roles, own, rival, attach=attach)
        began = time.monotonic()
        executed = _close(roles.other, rival, closing, following)
    opened: list[float] = []
    last_seen.opening(node, executed, leaves=True)

    def open_() -> None:
        rest = wait_for(f"'{executed}'", APPLY_S) if attach else ""
        drops = "" if own.receiving else DROPS_TORN  # the rest of an incomplete transaction never comes
        text = f"{rest}\n{drops}\n{leaves_and_opens(roles.durability)}"
        roles.node.script(text, timeout=120, title="opens", shell=opening)
        opened.append(time.monotonic())

    def follow_() -> None:
        roles.other.script(query(f"{APPLY} SELECT 1", 60), timeout=90, title=f"follows {node}", shell=following)

    failed = _all(roles, {node: open_, other: follow_ if attach else lambda: None})
    if failed[node]:
        raise _undone(roles, rival, failed[node])
    if failed[other]:
        progress.say(other, f"does not replicate yet: {failed[other]}")
    return opened[0] - began


def _prepare(roles: Roles, own: Database, rival: Database, *, attach: bool) -> tuple[Shell, Shell, Shell]:
    """Connect the clients, two on the old primary, and let each server receive what the other has; none closes yet."""
    node, other = roles.node.node.name, roles.other.node.name
    catch_up = _catches_up(rival) if own.source else ""
    progress.say(node, f"catches up with {other}; nothing is closed yet")
    works: Mapping[str, Callable[[], list[Shell]]] = {
        node: lambda: [client(roles.node, catch_up)],
        other: lambda: [client(roles.other), client(roles.other, _listening(roles) if attach else "")],
    }
    try:
        ready = together(lambda machine: works[machine.node.name](), [roles.other, roles.node])
    except CommandFailed as error:
        if error.command_exit_code == HANGS:
            what = f"{other} can't be made to replicate from {node}: its writes hang"
            raise NotClosed(what, evidence=error.evidence, hint=WHY_IT_HANGS) from error
        if error.command_exit_code != NOT_CAUGHT_UP:
            raise
        what = f"{node} does not catch up within {CATCH_UP_S} s; nothing was changed"
        hint = f"see how far it is: invoke db.status; if it does not go on: {_goes_on(roles, own, rival)}"
        raise NotCaughtUp(what, evidence=error.evidence, hint=hint) from error
    (closing, following), (opening,) = ready
    return closing, following, opening


def _goes_on(roles: Roles, own: Database, rival: Database) -> str:
    """The command that repairs a replica whose relay log can't be applied."""
    node = roles.node.node.name
    if rival.writable:
        return rejoins(node)
    fetches = not gtid.subset(rival.gtid_executed, own.gtid_executed)
    return f"invoke db.promote {node} {'--salvage' if fetches else '--accept-data-loss'}"


def _catches_up(rival: Database) -> str:
    """Bash for the candidate's client: apply what it received and what the old primary has executed.

    Both, because an old primary that was re-created has less, and leaving the source discards the relay log.
    """
    all_ = f"CONCAT(@received, ',', '{rival.gtid_executed}')"
    return f"{query(f'{APPLY_RECEIVED} SELECT 1', 10)}\n{wait_for(all_, CATCH_UP_S)}"


def _listening(roles: Roles) -> str:
    """Bash for the old primary's client: connect to its replica; MySQL goes on trying if it can't connect yet."""
    hangs = f'[ "$reply" ] && exit 5; exit {HANGS}'
    connects = query(f"{listen(str(roles.node.node.ip), roles.password)} SELECT 1", LISTEN_S, hangs)
    return f'{connects}\nfor _ in {{1..50}}; do {query(LISTENS, 10)}; [ "$reply" = ON ] && break; sleep 0.1; done'


@contextmanager
def _left_as_it_was(roles: Roles, rival: Database) -> Iterator[None]:
    """If the change fails before the old primary is closed, remove its source again, unless it had one before."""
    try:
        yield
    except BaseException:
        if rival.writable or not rival.source:
            with suppress(LabError):  # the error that led here says more
                sql(roles.other, LEAVE, "has no source again", UNDO_S)
        raise


def _close(machine: Machine, rival: Database, shell: Shell, spare: Shell) -> str:
    """Close the old primary, also for root; return what it has executed. If that fails a spare client opens it again.

    The server waits for running commits, and for locks no longer than the timeout:
    https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_read_only
    """
    text = f"SET SESSION lock_wait_timeout = {LOCK_S}; SET GLOBAL super_read_only = ON; {EXECUTED}"
    try:
        answer = machine.script(f'{query(text, 6 * LOCK_S)}\necho "$reply"', timeout=60, title="closes", shell=shell)
    except CommandFailed as error:
        what = f"{machine.node.name} can't be closed: its commits hang{_reopened(machine, rival, spare)}"
        raise NotClosed(what, evidence=error.evidence, hint=WHY_IT_HANGS) from error
    except LabError as error:
        error.hint = f"it is not known whether {machine.node.name} is closed: run the same command again"
        raise
    progress.say(machine.node.name, "is closed for writes")
    return answer.stdout.strip()


def _reopened(machine: Machine, rival: Database, spare: Shell) -> str:
    """Open a primary again that may have closed unnoticed; return what to add to the error if it does not open."""
    try:
        if rival.writable:
            open_server(machine, opens(), "takes writes again", shell=spare)
    except CheckFailed as error:
        return f"; {error.what}"
    return ""


def _all(roles: Roles, works: Mapping[str, Callable[[], Any]]) -> dict[str, LabError | None]:
    """Do both at the same time, each to its end; return the errors."""

    def one(machine: Machine) -> LabError | None:
        try:
            works[machine.node.name]()
        except LabError as error:
            return error
        return None

    machines = [roles.node, roles.other]
    return dict(zip((it.node.name for it in machines), together(one, machines), strict=True))


def _undone(roles: Roles, rival: Database, error: LabError | None) -> CheckFailed:
    """Open the old primary again if it is certain that the candidate did not and will not open; return the error."""
    node, other = roles.node.node.name, roles.other.node.name
    evidence = str(error)
    with suppress(LabError):
        roles.node.script(f"{END_ALL}\nexit 0", timeout=60, title="ends the client of this command")
    ended = isinstance(error, CommandFailed)  # else the script may still be running there
    now = databases_of([roles.node])[node]
    if rival.writable and ended and now and not now.writable and now.source:
        what, hint = f"{node} was not promoted; {other} is the primary as before", "see why: invoke db.status"
        try:
            open_server(roles.other, leaves_and_opens(rival.durability), "is opened again")
        except CheckFailed as again:
            what = f"{node} was not promoted; {again.what}"
            hint += f"; then run this again: invoke db.promote {node}"
            evidence += f"\n{again.evidence}"
        return CheckFailed(what, evidence=evidence, hint=hint)
    what = f"it is not certain whether {node} was promoted, and {other} stays closed"
    return CheckFailed(what, evidence=evidence, hint=f"complete it: invoke db.promote {node}")
