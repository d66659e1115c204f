"""SELECT on a simulated server: SQLite evaluates it over the server's tables, with MySQL's functions."""

import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lab.mysql import gtid
from tests.support.simulated.gtid_sets import minus, printed
from tests.support.simulated.tables import TABLES, Row

if TYPE_CHECKING:
    from tests.support.simulated.sessions import Session

INTO = re.compile(r"\s+INTO\s+@(\w+)", re.IGNORECASE)
VARIABLE = re.compile(r"@@(?:global\.|session\.)?(\w+)|@(\w+)", re.IGNORECASE)


def select(session: "Session", text: str) -> tuple[list[str], list[Row]]:
    """The names and rows of a SELECT; with INTO @variable the row goes there."""
    into = INTO.search(text)
    names, rows = _ask(session, INTO.sub("", text))
    if into is None:
        return names, rows
    if rows:
        session.variables[into[1]] = rows[0][0]
    return [], []


def value(session: "Session", expression: str) -> Any:
    """The value of an expression."""
    word = expression.strip().upper()
    if word in ("ON", "OFF", "TRUE", "FALSE"):
        return int(word in ("ON", "TRUE"))
    return _ask(session, f"SELECT {expression}")[1][0][0]


def _ask(session: "Session", text: str) -> tuple[list[str], list[Row]]:
    database = sqlite3.connect(":memory:")
    try:
        _fill(database, session, text)
        for name, function in _functions(session).items():
            if name in text.upper():
                database.create_function(name, -1, function)
        cursor = database.execute(VARIABLE.sub(lambda it: _literal(session, it), text.replace("\\n", "\n")))
        return [it[0] for it in cursor.description], cursor.fetchall()
    except sqlite3.Error as error:
        raise session.server.cluster.not_taught(f"{text} ({error})") from error
    finally:
        database.close()


def _fill(database: sqlite3.Connection, session: "Session", text: str) -> None:
    """Create the tables that the text names."""
    for schema in {"performance_schema", "information_schema", "site"} & set(re.findall(r"\w+(?=\.)", text.lower())):
        database.execute(f"ATTACH ':memory:' AS {schema}")
    for name, table in TABLES.items():
        if name.lower() in text.lower():
            columns, rows = table(session.server)
            count = len(columns.split(","))
            database.execute(f"CREATE TABLE {name} ({columns.replace(',', ' COLLATE NOCASE,')} COLLATE NOCASE)")
            database.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * count)})", rows)


def _literal(session: "Session", it: "re.Match[str]") -> str:
    found = session.variables.get(it[2]) if it[2] else _system_variable(session, it[1].lower())
    if found is None:
        return "NULL"
    return str(int(found)) if isinstance(found, int) else "'" + str(found).replace("'", "''") + "'"


def _system_variable(session: "Session", name: str) -> Any:
    server = session.server
    shown = {
        "version": server.version,
        "server_uuid": server.uuid,
        "gtid_executed": printed(server.executed),
        "gtid_purged": printed(server.purged),
        "log_bin_basename": f"{server.files}/binlog",
        **server.variables,
        **session.settings,
    }
    if name not in shown:
        raise session.server.cluster.not_taught(f"@@{name}")
    return shown[name]


def _functions(session: "Session") -> Mapping[str, Callable[..., Any]]:
    """The functions of MySQL that SQLite lacks. Those that wait return at once: time is simulated."""
    server = session.server

    def executed(gtids: str | None, seconds: float = 31536000) -> int | None:
        if gtids is None:
            return None
        server.replica.work(seconds)
        return 0 if gtid.subset(gtids, server.executed) else 1

    def sleep(seconds: float) -> int:
        server.replica.work(seconds)
        return 0

    return {
        "WAIT_FOR_EXECUTED_GTID_SET": executed,
        "GTID_SUBSET": lambda inner, outer: int(gtid.subset(inner, outer)),
        "GTID_SUBTRACT": minus,
        "UNIX_TIMESTAMP": lambda at=None: int(server.now() if at is None else at),
        "SYSDATE": lambda *_: server.now(),
        "NOW": lambda *_: server.now(),
        "VERSION": lambda: server.version,
        "CONNECTION_ID": lambda: session.number,
        "IF": lambda condition, yes, no: yes if condition else no,
        "CONCAT": lambda *words: None if None in words else "".join(map(str, words)),
        "SLEEP": sleep,
    }
