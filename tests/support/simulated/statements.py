"""The effect of each statement on a simulated server. A statement without a row in RULES is an error."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from tests.support.simulated import query
from tests.support.simulated.errors import SqlError
from tests.support.simulated.gtid_sets import printed
from tests.support.simulated.replica import BOTH
from tests.support.simulated.tables import Row, receiver_state

if TYPE_CHECKING:
    from tests.support.simulated.sessions import Session

Rows: TypeAlias = tuple[Sequence[str], Sequence[Row]]
NOTHING: Rows = ([], [])
READS = re.compile(r"(SELECT|SHOW|SET @|SET SESSION|DO)\b.*", re.IGNORECASE | re.DOTALL)


def execute(session: "Session", text: str) -> Rows:
    """Run a statement; raises SqlError."""
    for pattern, rule in RULES:
        found = re.fullmatch(pattern, text.strip(), re.IGNORECASE | re.DOTALL)
        if found:
            return rule(session, found)
    raise session.server.cluster.not_taught(text)


def _select(session: "Session", it: "re.Match[str]") -> Rows:
    return query.select(session, it[0])


def _do(session: "Session", it: "re.Match[str]") -> Rows:
    query.value(session, it[1])
    return NOTHING


def _set_global(session: "Session", it: "re.Match[str]") -> Rows:
    value = query.value(session, it[2])
    session.server.set_global(it[1].lower(), value, int(session.settings["lock_wait_timeout"]))
    return NOTHING


def _set_session(session: "Session", it: "re.Match[str]") -> Rows:
    name = it[1].lower()
    if name not in session.settings:
        raise session.server.cluster.not_taught(it[0])
    session.settings[name] = query.value(session, it[2])
    return NOTHING


def _set_variable(session: "Session", it: "re.Match[str]") -> Rows:
    session.variables[it[1]] = query.value(session, it[2])
    return NOTHING


def _threads(word: str | None) -> frozenset[str]:
    return frozenset({word.upper()}) if word else BOTH


def _start(session: "Session", it: "re.Match[str]") -> Rows:
    session.server.replica.start(_threads(it[1]))
    return NOTHING


def _stop(session: "Session", it: "re.Match[str]") -> Rows:
    session.state = "Killing replica"
    session.server.replica.stop(_threads(it[1]))
    session.state = ""
    return NOTHING


def _change(session: "Session", it: "re.Match[str]") -> Rows:
    found = re.findall(r"(\w+)\s*=\s*('[^']*'|\w+)", it[1])
    session.server.replica.change({name.upper(): value.strip("'") for name, value in found})
    return NOTHING


def _reset(session: "Session", it: "re.Match[str]") -> Rows:
    session.server.replica.reset(everything=bool(it[1]))
    return NOTHING


def _kill(session: "Session", it: "re.Match[str]") -> Rows:
    number = int(query.value(session, it[1]) or 0)
    other = session.server.sessions.get(number)
    if other:
        other.killed = True
        session.server.cluster.lock.notify_all()
    elif not session.server.replica.kill(number):
        raise SqlError(1094, f"Unknown thread id: {number}")
    return NOTHING


def _clone(session: "Session", it: "re.Match[str]") -> Rows:
    session.server.clone(session, it[1])
    return NOTHING


def _forget(session: "Session", _: object) -> Rows:
    session.server.executed = session.server.purged = ""
    return NOTHING


def _create(session: "Session", _: object) -> Rows:
    server = session.server
    if server.variables["super_read_only"]:
        raise SqlError(1290, "The MySQL server is running with the --super-read-only option")
    server.write()
    return NOTHING


def _replica_status(session: "Session", _: object) -> Rows:
    replica = session.server.replica
    if not replica.source:
        return NOTHING
    row = {
        "Source_Host": replica.source,
        "Replica_IO_Running": receiver_state(session.server, ("No", "Connecting", "Yes")),
        "Replica_SQL_Running": "Yes" if "SQL" in replica.running else "No",
        "Last_IO_Error": replica.why_not,
        "Last_SQL_Error": replica.error,
        "Seconds_Behind_Source": "0" if replica.running == BOTH else "NULL",
        "Retrieved_Gtid_Set": printed(replica.received),
        "Executed_Gtid_Set": printed(session.server.executed),
    }
    return list(row), [list(row.values())]


def _binary_logs(session: "Session", _: object) -> Rows:
    return ["Log_name", "File_size", "Encrypted"], [["binlog.000001", 1, "No"]]


RULES: Sequence[tuple[str, Callable[["Session", "re.Match[str]"], Rows]]] = [
    (r"SELECT .+", _select),
    (r"SHOW REPLICA STATUS", _replica_status),
    (r"SHOW BINARY LOGS", _binary_logs),
    (r"DO (.+)", _do),
    (r"SET (?:GLOBAL |@@global\.)(\w+) = (.+)", _set_global),
    (r"SET (?:SESSION |@@session\.)?(\w+) = (.+)", _set_session),
    (r"SET @(\w+) :?= (.+)", _set_variable),
    (r"START REPLICA(?: (IO|SQL)_THREAD)?", _start),
    (r"STOP REPLICA(?: (IO|SQL)_THREAD)?", _stop),
    (r"CHANGE REPLICATION SOURCE TO (.+)", _change),
    (r"RESET REPLICA( ALL)?", _reset),
    (r"KILL (?:CONNECTION |QUERY )?(.+)", _kill),
    (r"RESET (?:MASTER|BINARY LOGS AND GTIDS)", _forget),
    (r"CREATE DATABASE IF NOT EXISTS site", _create),
    (r"CLONE INSTANCE FROM '\w+'@'([\d.]+)':3306 IDENTIFIED BY '[^']*'", _clone),
]
