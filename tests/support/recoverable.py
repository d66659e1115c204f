"""A primary with notes, a binary log and a clock, which obeys the scripts of a backup, a restore and a recovery."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from lab.errors import CommandFailed
from lab.mysql import gtid
from lab.mysql.server_state import Database
from lab.nodes.ssh import Answer
from tests.support.pairs import OPEN, REPLICA, U1, WEB1

Notes = dict[str, str]  # token -> body
BEGAN = 1795852800.0  # 2026-11-28 08:00:00 UTC
PAIR = re.compile(r"\('(\w+)','(\w+)'\)")
KINDS = {"INSERT INTO": "Write_rows", "DELETE FROM": "Delete_rows"}


@dataclass(frozen=True)
class Entry:
    """A transaction of the binary log: rows of one database's notes, or a statement."""

    gtid: str
    at: float
    kind: str = ""
    database: str = ""
    notes: Notes = field(default_factory=dict)
    statement: str = ""

    def printed(self) -> str:
        """As mysqlbinlog --base64-output=DECODE-ROWS -v prints it, without values."""
        rows = "".join(f"### {self.kind} `{self.database}`.`notes`\n### SET\n" for _ in self.notes)
        use = f"use `{self.database}`/*!*/;\n" if self.statement and self.database else ""
        return (
            f"# original_commit_timestamp={self.at * 1e6:.0f} (a time)\n"
            f"SET @@SESSION.GTID_NEXT= '{self.gtid}'/*!*/;\n"
            "#261128  8:01:33 server id 11  end_log_pos 1361 CRC32 0x8bee83fa \tQuery\tthread_id=14\texec_time=0\n"
            f"{use}SET TIMESTAMP=1795852893/*!*/;\n{self.statement or 'BEGIN'}\n/*!*/;\n{rows}COMMIT/*!*/;\n"
        )


class Primary:
    """web1; `closed`: the site can't write. `when`: what happens while a script with these words runs."""

    node = WEB1

    def __init__(self) -> None:
        self.databases: dict[str, Notes] = {"site": {}}
        self.saved: dict[str, Notes] = {}  # tables that were replaced, by database
        self.log: list[Entry] = []
        self.now, self.closed, self.purged = BEGAN, False, ""
        self.when: dict[str, Callable[[], object]] = {}
        self.without_position = False
        self.scripts: list[str] = []

    def write(self, **notes: str) -> str:
        """A visitor's notes, in one transaction; returns its GTID."""
        assert not self.closed, "the site can't write"
        self.databases["site"].update(notes)
        return self._commit("INSERT INTO", "site", notes)

    def delete(self, *tokens: str) -> str:
        """An operator's DELETE; returns its GTID."""
        return self._commit("DELETE FROM", "site", {it: self.databases["site"].pop(it) for it in tokens})

    def state(self, statement: str, database: str = "") -> str:
        """A statement that is no change of rows; returns its GTID."""
        return self._commit("", database, {}, statement)

    def _commit(self, kind: str, database: str, notes: Notes, statement: str = "") -> str:
        self.now += 1
        self.log.append(Entry(f"{U1}:{len(self.log) + 1}", self.now, kind, database, dict(notes), statement))
        return self.log[-1].gtid

    @property
    def executed(self) -> str:
        """Its GTID set."""
        return f"{U1}:1-{len(self.log)}" if self.log else ""

    def databases_of(self, machines: Sequence[Any], first: str = "") -> dict[str, Database | None]:
        """Stands in for lab.nodes.facts: both servers, the replica with all that the primary has."""
        own = replace(OPEN, gtid_executed=self.executed, purged=self.purged, writable=not self.closed)
        return {"web1": own, "web2": replace(REPLICA, gtid_executed=self.executed, received=self.executed)}

    @contextmanager
    def no_writes(self, machine: object) -> Iterator[None]:
        """Stands in for lab.replication.write_pause."""
        assert machine is self
        self.closed = True
        try:
            yield
        finally:
            self.closed = False

    def script(self, text: str, *, title: str, **_: Any) -> Answer:
        """Stands in for Machine.script."""
        self.scripts.append(text)
        for words, happens in self.when.items():
            if words in text:
                happens()
        return Answer(0, self._answer(text, title), "")

    def _answer(self, text: str, title: str) -> str:
        if "DECODE-ROWS" in text:
            return "".join(it.printed() for it in self._included(text))
        if "--skip-gtids" in text:
            return self._apply(text, title)
        if "mysqldump" in text:
            return self._dump(text, title)
        body = text.partition("<<'END_OF_BACKUP'\n")[2].rpartition("END_OF_BACKUP")[0]
        assert body, text
        return self._sql(body)

    def _included(self, text: str) -> list[Entry]:
        found = re.search(r"--include-gtids=(\S+)", text)
        assert found, text
        return [it for it in self.log if gtid.subset(it.gtid, found[1]) and not gtid.subset(it.gtid, self.purged)]

    def _apply(self, text: str, title: str) -> str:
        found = re.search(r"--rewrite-db='site->(\w+)' --database=(\w+) ", text)
        assert found and found[1] == found[2], text
        notes = self.databases[found[1]]
        for it in [it for it in self._included(text) if it.database == "site"]:
            for token, body in it.notes.items():
                if (it.kind == "INSERT INTO") == (token in notes):
                    raise CommandFailed("web1", title, 1, f"ERROR 1062 (23000): {token}")
                notes.update({token: body}) if it.kind == "INSERT INTO" else notes.pop(token)
            self._commit(it.kind, found[1], it.notes)
        return ""

    def _dump(self, text: str, title: str) -> str:
        position = "COMMENTED" in text
        if position and self.without_position:
            raise CommandFailed("web1", title, 2, "mysqldump: FLUSH TABLES WITH READ LOCK: interrupted (1317)")
        rows = ",".join(f"('{token}','{body}')" for token, body in self.databases["site"].items())
        insert = f"INSERT INTO `notes` VALUES {rows};\n" if rows else ""
        state = "SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;\nSET @@SESSION.SQL_LOG_BIN= 0;\n"
        state += f"/* SET @@GLOBAL.GTID_PURGED='+{self.executed}';*/\n"
        completed = f"{datetime.fromtimestamp(self.now, UTC):%Y-%m-%d %H:%M:%S}"
        ends = "SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;\n"
        return (
            f"-- MySQL dump 10.13\n{state if position else ''}CREATE DATABASE x;\nUSE `site`;\n{insert}"
            f"{ends if position else ''}-- Dump completed on {completed}\n"
        )

    def _sql(self, body: str) -> str:
        if "information_schema.tables" in body:
            rows = [(name, "notes") for name in self.databases] + [(name, "before_notes") for name in self.saved]
            return "".join(f"{schema}\t{table}\n" for schema, table in rows)
        if "AS gone" in body:
            return self._counts(body)
        assert "SQL_LOG_BIN" not in body, "what is read in would not reach the replica"
        for line in body.splitlines():
            self._statement(line)
        return ""

    def _counts(self, body: str) -> str:
        was, will = self.databases["site"], self.databases[re.search(r"(site_restored_\w+)\.notes", body)[1]]  # type: ignore[index]
        changed = sum(1 for token in will if token in was and was[token] != will[token])
        return f"{len(will)}\t{len(will.keys() - was.keys())}\t{changed}\t{len(was.keys() - will.keys())}\n"

    def _statement(self, line: str) -> None:
        if found := re.match(r"CREATE DATABASE (\w+) ", line):
            self.databases[found[1]] = {}
            self.state(line)
        elif line.startswith("INSERT INTO"):
            name = next(reversed(self.databases))
            self.databases[name].update(PAIR.findall(line))
            self._commit("INSERT INTO", name, dict(PAIR.findall(line)))
        elif found := re.match(r"RENAME TABLE .*, (\w+)\.`notes` TO site\.`notes`;", line):
            self.saved[found[1]] = self.databases["site"]
            self.databases["site"] = self.databases.pop(found[1])
            self.state(line)
        elif found := re.match(r"DROP DATABASE (\w+);", line):
            self.databases.pop(found[1], None)
            self.saved.pop(found[1], None)
            self.state(line)
        else:
            assert line.startswith(("--", "/*", "USE ", "SET SESSION lock_wait_timeout")) or not line, line
