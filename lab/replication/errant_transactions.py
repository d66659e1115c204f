"""Transactions that only one server has, written to a file before they are discarded."""

import re
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from lab import progress
from lab.errors import CheckFailed, LabError
from lab.mysql import gtid
from lab.nodes.ssh import Machine
from lab.replication.binary_logs import LOGS
from lab.state import backup_folder

TIMEOUT_S = 300.0
FOUND = re.compile(r"^SET @@SESSION\.GTID_NEXT= '([0-9a-fA-F-]{36}:[^']+)'", re.MULTILINE)
# DECODE-ROWS with -vv writes each changed row as comments, its values in plain text:
# https://dev.mysql.com/doc/refman/8.4/en/mysqlbinlog-row-events.html
READ = "mysqlbinlog --no-defaults --base64-output=DECODE-ROWS -vv --include-gtids={gtids} $logs </dev/null"
HEADER = """-- Transactions that only {node} had, for reading, not for running. Changed rows are comments (###);
-- their columns are in the order of the table: in site.notes @1 is the token, @2 the body.
-- node: {node}
-- transactions: {count}
-- gtids: {gtids}
-- written: {now:%Y-%m-%dT%H:%M:%SZ}
-- why: {why}

"""


def keep(machine: Machine, own: gtid.Intervals, why: str) -> Path:
    """Write the transactions `own` of a server to a new file in backups/, with the values of all rows readable.

    They are read from its binary logs. Raises CheckFailed if not all of them can be written.
    """
    name, gtids = machine.node.name, gtid.text(own)
    try:
        script = f"{LOGS}\n{READ.format(gtids=quote(gtids))}"
        text = machine.script(script, timeout=TIMEOUT_S, title="reads what only it has").stdout
        _complete(name, gtids, text)
        now = datetime.now(UTC)
        header = HEADER.format(node=name, count=gtid.count(own), gtids=gtids, now=now, why=why)
        path = backup_folder.write(f"{now:%Y%m%dT%H%M%SZ}-only-on-{name}.sql", header + text)
    except (LabError, OSError) as error:
        raise _refused(name, gtid.count(own), error) from error
    progress.say(name, f"wrote the transactions that only it has to {path}")
    return path


def _complete(name: str, gtids: str, text: str) -> None:
    missing = gtid.minus(gtids, ",".join(FOUND.findall(text)))
    if missing:
        raise CheckFailed(f"the binary logs of {name} do not hold {gtid.text(missing)}")


def _refused(name: str, count: int, error: Exception) -> CheckFailed:
    return CheckFailed(
        f"{count} transactions that only {name} has can't be copied to {backup_folder.FOLDER}; nothing was discarded",
        evidence=str(error),
        hint=f"remove the cause and run it again; or discard them without a copy: invoke db.rejoin {name} --discard",
    )
