"""The site's data as one SQL file, and back."""

from collections.abc import Sequence
from contextlib import suppress
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
from lab.state import backup_folder
from lab.topology import Lab
from lab.wait import pause, until

DUMP = "mysqldump --single-transaction --set-gtid-purged=OFF --no-tablespaces --databases site"
FIRST, LAST = "-- MySQL dump", "-- Dump completed"
USES, ASIDE = "USE `site`;", "site_restored_"
TABLES = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE';"
RUNNING = "SELECT id, state FROM information_schema.processlist WHERE info LIKE 'RENAME TABLE%'"
TIMEOUT_S, LOCK_S = 300.0, 10
APPLY_S, LOOKS_AGAIN_S = 60.0, 1.0


def backup(lab: Lab) -> Path:
    """Write all data of the site to a new file in backups/ (mode 600), read from the primary.

    Raises CheckFailed where no database answers or the dump is not complete.
    """
    machine = _readable(_ask(lab))
    text = machine.script(DUMP, timeout=TIMEOUT_S, title="writes the data out").stdout
    if not _is_complete(text):
        raise CheckFailed(f"{machine.node.name}: the dump is not complete", evidence=text[-300:], hint="run it again")
    path = backup_folder.write(f"site-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sql", text)
    progress.say(machine.node.name, f"{text.count(chr(10))} lines written to {path}")
    return path


def restore(lab: Lab, path: Path) -> None:
    """Replace the site's data by that of a backup, on the primary; the replica follows.

    It is read into a database of its own, and takes the place of the old data in one statement: who is interrupted
    before that, or hangs and goes on later, has changed nothing. Raises BadInput where the file is none of ours or is
    cut off, CheckFailed where it was not put in place, or where nobody knows whether it was.
    """
    aside = f"{ASIDE}{datetime.now(UTC):%Y%m%d_%H%M%S_%f}"
    text = _renamed(_read(path), aside)
    machine = _writable(_ask(lab))
    again = f"invoke db.restore {path}"
    try:
        _sql(machine, text, "reads the data in")
        puts = _puts(_sql(machine, TABLES, "names the tables"), aside)
    except LabError as error:
        what = f"{machine.node.name}: the backup was not put in place, the site has the data that it had"
        raise CheckFailed(what, evidence=str(error), hint=f"see why: invoke lab.status; then {again}") from error
    _put(machine, puts, aside, again)
    _remove(machine, aside)
    _wait_for_replica(lab, machine)
    progress.say(machine.node.name, f"has the data of {path}")


def _put(machine: Machine, statement: str, aside: str, again: str) -> None:
    """Put the data in place; whoever is interrupted in that is told how it stands."""
    try:
        _sql(machine, statement, "puts it in its place")
    except BaseException as error:
        message = _stands(machine, aside)
        if not isinstance(error, LabError):
            progress.say(machine.node.name, message)
            raise
        hint = f"look: invoke lab.status; then {again}"
        raise CheckFailed(f"{machine.node.name}: {message}", evidence=str(error), hint=hint) from error


def _stands(machine: Machine, aside: str, looks: int = 3) -> str:
    """What became of the statement that puts the data in place; one that waits for a lock only is ended.

    One that waits for the replica stands in the binary log: it comes true. Its client may not have begun yet, and a
    lock may come free before it is ended: so there is more than one look.
    """
    saved = f"what the site had before is in the database {aside} then"
    try:
        running = _sql(machine, f"{RUNNING} AND info LIKE '%{aside}%';", "asks how it stands").strip().split("\t")
        if len(running) == 2 and "lock" in running[1]:
            with suppress(CommandFailed):  # it has ended
                _sql(machine, f"KILL {running[0]};", "ends what waits")
        elif len(running) == 2:
            return f"the backup is put in place as soon as the replica answers; {saved}"
        elif f"{aside}\tbefore_" in _sql(machine, TABLES, "names the tables"):
            return f"the backup was put in place; {saved}"
        if looks > 1:
            pause(LOOKS_AGAIN_S)
            return _stands(machine, aside, looks - 1)
        return "the backup was not put in place"
    except LabError:
        return f"nobody can say whether the backup was put in place; if it was, {saved}"


def _remove(machine: Machine, aside: str) -> None:
    """The data that was replaced; what an interrupted restore had replaced is kept, for nobody saw its end."""
    known = [line.split("\t") for line in _sql(machine, TABLES, "names the tables").splitlines()]
    interrupted = {schema for schema, table in known if table.startswith("before_")} - {aside}
    old = {schema for schema, _ in known if schema.startswith(ASIDE)} - interrupted
    try:
        _sql(machine, "".join(f"DROP DATABASE {name};\n" for name in sorted(old)), "removes the old data")
    except LabError as error:
        progress.say(machine.node.name, f"the old data is left in {', '.join(sorted(old))}: {error}")
    if interrupted:
        progress.say(
            machine.node.name, f"{', '.join(sorted(interrupted))}: what an interrupted restore had replaced, it is kept"
        )


def _sql(machine: Machine, text: str, title: str) -> str:
    return machine.script(f"mysql -N <<'END_OF_BACKUP'\n{text}\nEND_OF_BACKUP\n", timeout=TIMEOUT_S, title=title).stdout


def _renamed(text: str, name: str) -> str:
    """The statements of a backup for a database of another name; a note may hold what Python takes for a line end."""
    lines = (line for line in text.split("\n") if not line.startswith("CREATE DATABASE "))
    rest = "\n".join(f"USE {name};" if line == USES else line for line in lines)
    return f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci;\n{rest}"


def _puts(tables: str, aside: str) -> str:
    """One statement, all of it or nothing: https://dev.mysql.com/doc/refman/8.4/en/rename-table.html"""
    known = [line.split("\t") for line in tables.splitlines()]
    now = {table for schema, table in known if schema == "site"}
    moves: list[str] = []
    for table in [table for schema, table in known if schema == aside]:
        moves += [f"site.`{table}` TO {aside}.`before_{table}`"] if table in now else []
        moves += [f"{aside}.`{table}` TO site.`{table}`"]
    return f"SET SESSION lock_wait_timeout = {LOCK_S};\nRENAME TABLE {', '.join(moves)};"


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


def _wait_for_replica(lab: Lab, primary: Machine) -> None:
    """Until who replicates has applied what the primary has now: the next page may be read there."""
    written = next(it.gtid_executed for machine, it in _ask(lab) if machine.node == primary.node)

    def applied() -> bool:
        return all(gtid.subset(written, it.gtid_executed) for _, it in _ask(lab) if it.replicating)

    until("the replica has the data too", applied, APPLY_S, where=primary.node.name, hint="invoke lab.status")


def _writable(known: Sequence[tuple[Machine, Database]]) -> Machine:
    primary = [(machine, it) for machine, it in known if it.role == "primary"]
    if len(primary) != 1:
        raise CheckFailed(f"{len(primary)} databases are primary, 1 is needed", hint="invoke lab.status")
    machine, its = primary[0]
    if its.durability == Durability.DURABLE and not any(it.replicating for _, it in known):
        raise CheckFailed(
            f"{machine.node.name} would wait without end: commits are durable, and no replica replicates",
            hint="bring the replica back: invoke lab.up; see why: invoke lab.status",
        )
    return machine


def _read(path: Path) -> str:
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not _is_complete(text) or text.split("\n").count(USES) != 1:
        raise BadInput(f"{path} is not a complete backup", hint="backups are in backups/; make one: invoke db.backup")
    return text


def _is_complete(text: str) -> bool:
    return text.startswith(FIRST) and LAST in text[-200:]


def _ask(lab: Lab) -> list[tuple[Machine, Database]]:
    """The database servers that answer."""
    machines = [machine for machine in lifecycle.machines(lab) if "database" in machine.node.roles]
    asked = databases_of(machines)
    return [(machine, it) for machine in machines if (it := asked[machine.node.name]) is not None]
