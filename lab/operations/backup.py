"""The site's data as one SQL file, and back."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lab import progress
from lab.durability import Durability
from lab.errors import BadInput, CheckFailed, CommandFailed, LabError
from lab.mysql import gtid
from lab.mysql.server_state import Database
from lab.nodes import lifecycle
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.operations import data_swap
from lab.state import backup_folder
from lab.topology import Lab
from lab.wait import until

PLAIN = "mysqldump --single-transaction --set-gtid-purged=OFF --no-tablespaces --databases site"
# With its position: a lock of the whole server, held for a moment, makes the data and the GTIDs those of one moment:
# https://dev.mysql.com/doc/refman/8.4/en/mysqldump.html#option_mysqldump_source-data
# The lock would wait as long as a commit hangs, and hold up all other writes meanwhile. So nothing is locked if one
# hangs, and the session of the lock is ended if one begins to: even then reads of the tables that it writes wait.
LOCK_S = 5
_PROCESSES = "FROM information_schema.processlist WHERE"
_HANGS = f"SELECT COUNT(*) {_PROCESSES} state LIKE 'Waiting for semi-sync ACK%' AND time > 0"
_WAITS = f"SELECT id {_PROCESSES} info LIKE 'FLUSH%TABLES%'"
DUMP = f"""if [ "$(mysql -N -e "{_HANGS}")" != 0 ]; then echo 'a commit waits for a replica' >&2; exit 1; fi
{{
  sleep {LOCK_S}
  for id in $(mysql -N -e "{_WAITS}"); do mysql -e "KILL $id"; done
}} >/dev/null 2>&1 &
guard=$!
TZ=UTC {PLAIN.replace("=OFF", "=COMMENTED --source-data=2")}
code=$?
kill $guard 2>/dev/null
exit $code"""
# mysqldump adds these statements to a dump with GTIDs: a replica would not get what is read in.
UNLOGGED = re.compile(r"^SET @.*SQL_LOG_BIN.*;\n", re.MULTILINE)
FIRST, LAST = "-- MySQL dump", "-- Dump completed"
TIMEOUT_S, APPLY_S = 300.0, 60.0


def backup(lab: Lab) -> Path:
    """Write all data of the site to a new file in backups/ (mode 600), read from the primary.

    Raises CheckFailed where no database answers or the dump is not complete.
    """
    return dump(_readable(asked(lab)))


def dump(machine: Machine, why: str = "") -> Path:
    """Write all data of the site on this server to a new file in backups/, named by the time and `why`."""
    text = _dumped(machine)
    if not _is_complete(text):
        raise CheckFailed(f"{machine.node.name}: the dump is not complete", evidence=text[-300:], hint="run it again")
    path = backup_folder.write(f"site-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{why}.sql", text)
    progress.say(machine.node.name, f"{text.count(chr(10))} lines written to {path}")
    return path


def _dumped(machine: Machine) -> str:
    """The data with its position; without one where a commit hangs, for the data can still be read."""
    try:
        text = machine.script(DUMP, timeout=TIMEOUT_S, title="writes the data out").stdout
        return UNLOGGED.sub("", text)
    except CommandFailed as error:
        what = "writes the data out without its position, so db.recover can't go on from it"
        progress.say(machine.node.name, f"{what}: {error.evidence.splitlines()[-1]}")
        return machine.script(PLAIN, timeout=TIMEOUT_S, title="writes the data out").stdout


def restore(lab: Lab, path: Path) -> None:
    """Replace the site's data by that of a backup, on the primary; the replica follows.

    It is read into a database of its own, and takes the place of the old data in one statement: who is interrupted
    before that, or hangs and goes on later, has changed nothing. Raises BadInput where the file is none of ours or is
    cut off, CheckFailed where it was not put in place, or where nobody knows whether it was.
    """
    aside = data_swap.new_name()
    text = data_swap.renamed(read(path), aside)
    machine, _ = writable(asked(lab))
    again = f"invoke db.restore {path}"
    try:
        data_swap.sql(machine, text, "reads the data in")
        moves = data_swap.moves(machine, aside)
    except LabError as error:
        what = f"{machine.node.name}: the backup was not put in place, the site has the data that it had"
        raise CheckFailed(what, evidence=str(error), hint=f"see why: invoke lab.status; then {again}") from error
    data_swap.put(machine, moves, aside, again)
    data_swap.remove(machine, aside)
    wait_for_replica(lab, machine)
    progress.say(machine.node.name, f"has the data of {path}")


def _readable(known: Sequence[tuple[Machine, Database]]) -> Machine:
    """The primary: only it surely has every note that was acknowledged; else whoever has data: then it is said."""
    primary = [machine for machine, it in known if it.role == "primary" and it.has_site]
    if primary:
        return primary[0]
    left = [machine for machine, it in known if it.has_site]
    if not left:
        raise CheckFailed("no database can be read", hint="see why: invoke lab.status")
    progress.say(left[0].node.name, "no primary answers: the latest changes may be missing here")
    return left[0]


def wait_for_replica(lab: Lab, primary: Machine) -> None:
    """Until who replicates has applied what the primary has now: the next page may be read there."""
    written = next(it.gtid_executed for machine, it in asked(lab) if machine.node == primary.node)

    def applied() -> bool:
        return all(gtid.subset(written, it.gtid_executed) for _, it in asked(lab) if it.replicating)

    until("the replica has the data too", applied, APPLY_S, where=primary.node.name, hint="invoke lab.status")


def primary(known: Sequence[tuple[Machine, Database]]) -> tuple[Machine, Database]:
    """The only primary; raises CheckFailed if there is none, or more than one."""
    found = [(machine, it) for machine, it in known if it.role == "primary"]
    if len(found) != 1:
        raise CheckFailed(f"{len(found)} databases are primary, 1 is needed", hint="invoke lab.status")
    return found[0]


def writable(known: Sequence[tuple[Machine, Database]]) -> tuple[Machine, Database]:
    """The primary, if its commits do not wait without end; raises CheckFailed."""
    machine, its = primary(known)
    if its.durability == Durability.DURABLE and not any(it.replicating for _, it in known):
        raise CheckFailed(
            f"{machine.node.name} would wait without end: commits are durable, and no replica replicates",
            hint="bring the replica back: invoke lab.up; see why: invoke lab.status",
        )
    return machine, its


def read(path: Path) -> str:
    """The text of a backup; raises BadInput if the file is none, or is cut off."""
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not _is_complete(text) or text.split("\n").count(data_swap.USES) != 1:
        raise BadInput(f"{path} is not a complete backup", hint="backups are in backups/; make one: invoke db.backup")
    return text


def _is_complete(text: str) -> bool:
    return text.startswith(FIRST) and LAST in text[-200:]


def asked(lab: Lab) -> list[tuple[Machine, Database]]:
    """The database servers that answer."""
    machines = [machine for machine in lifecycle.machines(lab) if "database" in machine.node.roles]
    answers = databases_of(machines)
    return [(machine, it) for machine in machines if (it := answers[machine.node.name]) is not None]
