"""The tables of a simulated server that SELECT may read; a column or table that is missing here is an error."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from tests.support.simulated.gtid_sets import printed
from tests.support.simulated.replica import COORDINATOR, RECEIVER

if TYPE_CHECKING:
    from tests.support.simulated.mysql import Server

Row: TypeAlias = Sequence[str | int | None]
Table: TypeAlias = tuple[str, Sequence[Row]]


def _word(value: object) -> str:
    return ("ON" if value else "OFF") if isinstance(value, bool) else str(value)


def _variables(it: "Server") -> Table:
    return "variable_name, variable_value", [(name, _word(value)) for name, value in it.variables.items()]


def _status(it: "Server") -> Table:
    waits = it.durability == "durable" or (it.durability == "available" and bool(it.followed))
    rows = [("status", _word(waits)), ("wait_sessions", str(it.waiting))]
    rows = [(f"Rpl_semi_sync_source_{name}", value) for name, value in rows]
    return "variable_name, variable_value", rows


def receiver_state(it: "Server", words: tuple[str, str, str]) -> str:
    """One of three states: off, connecting, on."""
    runs, unnoticed = "IO" in it.replica.running, it.cluster.cut and not it.cluster.noticed
    return words[runs + (runs and bool(it.replica.source_server() or unnoticed))]


def _connection(it: "Server") -> Table:
    state = receiver_state(it, ("OFF", "CONNECTING", "ON"))
    row = ("", state, printed(it.replica.received), it.replica.error)
    names = "channel_name, service_state, received_transaction_set, last_error_message"
    return names, [row] if it.replica.source else []


def _applier(it: "Server") -> Table:
    applies, begun = "SQL" in it.replica.running, f"{it.uuid}:1" if it.replica.torn else ""
    rows = [("", _word(applies), it.replica.error, begun)] if it.replica.source else []
    return "channel_name, service_state, last_error_message, processing_transaction", rows


def _configuration(it: "Server") -> Table:
    return "channel_name, desired_delay", [("", it.replica.delay)] if it.replica.source else []


def _source(it: "Server") -> Table:
    return "channel_name, host", [("", it.replica.source)] if it.replica.source else []


def _threads(it: "Server") -> Table:
    rows: list[Row] = [
        (40 + number, f"thread/sql/{name}", number, None, "Query", "", None)
        for number, name, kind in ((COORDINATOR, "replica_sql", "SQL"), (RECEIVER, "replica_io", "IO"))
        if kind in it.replica.running
    ]
    rows += [(40 + n, "thread/sql/one_connection", n, s.user, "Query", s.state, s.text) for n, s in it.sessions.items()]
    names = "thread_id, name, processlist_id, processlist_user"
    names += ", processlist_command, processlist_state, processlist_info"
    return names, rows


def _processes(it: "Server") -> Table:
    return "id, user, command, state, info", [row[2:] for row in _threads(it)[1]]


def _schemata(it: "Server") -> Table:
    return "schema_name", [("mysql",), *([("site",)] if it.has_site else [])]


def _columns(it: "Server") -> Table:
    rows = [("site", "notes", "token", "PRI" if it.unique_key else ""), ("site", "repeats", "id", "PRI")]
    return "table_schema, table_name, column_name, column_key", rows if it.has_site else []


def _notes(it: "Server") -> Table:
    """The oldest note, which identifies its server."""
    return "token, body, created_at", [("later", "a note", 2), (f"known-to-{it.node.name}", "a note", 1)]


def _clone(it: "Server") -> Table:
    running = [number for number, session in it.sessions.items() if session.text.startswith("CLONE INSTANCE")]
    rows: list[Row] = [("Completed", "", it.copies, 0)] if it.copied_from else []
    return "state, error_message, begin_time, pid", [
        ("In Progress", "", it.copies + 1, running[0])
    ] if running else rows


TABLES: Mapping[str, Callable[["Server"], Table]] = {
    "performance_schema.global_variables": _variables,
    "performance_schema.global_status": _status,
    "performance_schema.replication_connection_status": _connection,
    "performance_schema.replication_connection_configuration": _source,
    "performance_schema.replication_applier_status": _applier,
    "performance_schema.replication_applier_status_by_coordinator": _applier,
    "performance_schema.replication_applier_configuration": _configuration,
    "performance_schema.threads": _threads,
    "performance_schema.processlist": _processes,
    "performance_schema.clone_status": _clone,
    "information_schema.processlist": _processes,
    "information_schema.schemata": _schemata,
    "information_schema.columns": _columns,
    "site.notes": _notes,
}
