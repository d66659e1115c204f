"""Replace the site's data by that of another database of the same server, in one statement."""

from contextlib import suppress
from datetime import UTC, datetime

from lab import progress
from lab.errors import CheckFailed, CommandFailed, LabError
from lab.nodes.ssh import Machine
from lab.wait import pause

USES, ASIDE = "USE `site`;", "site_restored_"
TABLES = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE';"
RUNNING = "SELECT id, state FROM information_schema.processlist WHERE info LIKE 'RENAME TABLE%'"
TIMEOUT_S, LOCK_S, LOOKS_AGAIN_S = 300.0, 10, 1.0


def new_name() -> str:
    """A name for the database that the data is read into."""
    return f"{ASIDE}{datetime.now(UTC):%Y%m%d_%H%M%S_%f}"


def put(machine: Machine, statement: str, aside: str, again: str) -> None:
    """Put the data in place; an interruption says whether that was done."""
    try:
        sql(machine, statement, "puts it in its place")
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
        running = sql(machine, f"{RUNNING} AND info LIKE '%{aside}%';", "asks how it stands").strip().split("\t")
        if len(running) == 2 and "lock" in running[1]:
            with suppress(CommandFailed):  # it has ended
                sql(machine, f"KILL {running[0]};", "ends what waits")
        elif len(running) == 2:
            return f"the backup is put in place as soon as the replica answers; {saved}"
        elif f"{aside}\tbefore_" in sql(machine, TABLES, "names the tables"):
            return f"the backup was put in place; {saved}"
        if looks > 1:
            pause(LOOKS_AGAIN_S)
            return _stands(machine, aside, looks - 1)
        return "the backup was not put in place"
    except LabError:
        return f"nobody can say whether the backup was put in place; if it was, {saved}"


def remove(machine: Machine, aside: str) -> None:
    """The data that was replaced; what an interrupted restore had replaced is kept, for nobody saw its end."""
    known = [line.split("\t") for line in sql(machine, TABLES, "names the tables").splitlines()]
    interrupted = {schema for schema, table in known if table.startswith("before_")} - {aside}
    old = {schema for schema, _ in known if schema.startswith(ASIDE)} - interrupted
    try:
        sql(machine, "".join(f"DROP DATABASE {name};\n" for name in sorted(old)), "removes the old data")
    except LabError as error:
        progress.say(machine.node.name, f"the old data is left in {', '.join(sorted(old))}: {error}")
    if interrupted:
        progress.say(
            machine.node.name, f"{', '.join(sorted(interrupted))}: what an interrupted restore had replaced, it is kept"
        )


def sql(machine: Machine, text: str, title: str) -> str:
    """Run SQL as root on the node; the answer's rows, without names of columns."""
    return machine.script(f"mysql -N <<'END_OF_BACKUP'\n{text}\nEND_OF_BACKUP\n", timeout=TIMEOUT_S, title=title).stdout


def renamed(text: str, name: str) -> str:
    """The statements of a backup for a database of another name; a note may hold what Python takes for a line end."""
    lines = (line for line in text.split("\n") if not line.startswith("CREATE DATABASE "))
    rest = "\n".join(f"USE {name};" if line == USES else line for line in lines)
    return f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci;\n{rest}"


def moves(machine: Machine, aside: str) -> str:
    """The statement that puts the tables of `aside` in place, all of them or none.

    https://dev.mysql.com/doc/refman/8.4/en/rename-table.html
    """
    known = [line.split("\t") for line in sql(machine, TABLES, "names the tables").splitlines()]
    now = {table for schema, table in known if schema == "site"}
    renames: list[str] = []
    for table in [table for schema, table in known if schema == aside]:
        renames += [f"site.`{table}` TO {aside}.`before_{table}`"] if table in now else []
        renames += [f"{aside}.`{table}` TO site.`{table}`"]
    return f"SET SESSION lock_wait_timeout = {LOCK_S};\nRENAME TABLE {', '.join(renames)};"
