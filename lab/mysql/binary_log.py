"""The transactions of a binary log, read from what mysqlbinlog prints: which rows changed, or which statement ran."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# The format: https://dev.mysql.com/doc/refman/8.4/en/mysqlbinlog-row-events.html
_COMMITTED = re.compile(r"^# original_commit_timestamp=(\d+).*\n", re.MULTILINE)
_GTID = re.compile(r"^SET @@SESSION\.GTID_NEXT= '([0-9a-fA-F-]{36}:[^']+)'", re.MULTILINE)
_ROW = re.compile(r"^### (INSERT INTO|UPDATE|DELETE FROM) `(.+)`\.`(.+)`$", re.MULTILINE)
_QUERY = re.compile(r"^#\d{6} .*\tQuery\tthread_id=.*\n((?:.*\n)*?)/\*!\*/;$", re.MULTILINE)
_USE = re.compile(r"^use `(.+)`/\*!\*/;$", re.MULTILINE)
_COMMENTS = re.compile(r"(\s|--.*(\n|$)|#.*(\n|$)|/\*[^!](?s:.*?)\*/)*")  # before a statement
_ENDS_SETTING = "/*!*/;"
_OF_TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK")
SITE = "site"
# Statements that leave the structure of tables as it is. What is created IF NOT EXISTS is in each backup (schema.sql).
_HARMLESS = re.compile(
    r"((CREATE|ALTER|DROP|RENAME) (USER|ROLE)|GRANT|REVOKE|SET (PASSWORD|DEFAULT ROLE)|FLUSH|ANALYZE|OPTIMIZE"
    r"|CREATE (TABLE|DATABASE|SCHEMA) IF NOT EXISTS)\b",
    re.IGNORECASE,
)
_OF_DATABASES = re.compile(r"(CREATE|ALTER|DROP) (DATABASE|SCHEMA)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Transaction:
    """One transaction; `at`: when its first server committed it, Unix seconds.

    `rows`: how many rows it changed, by kind ('INSERT INTO', 'UPDATE', 'DELETE FROM'), database and table.
    `statement`: what it did instead of changing rows; `database`: the one in use then.
    """

    gtid: str
    at: float
    rows: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    statement: str = ""
    database: str = ""

    @property
    def of_site(self) -> Mapping[tuple[str, str], int]:
        """How many rows of the site it changed, by kind and table."""
        return {(kind, table): count for (kind, database, table), count in self.rows.items() if database == SITE}

    @property
    def changes_structure(self) -> bool:
        """Whether it is a statement about the site's tables, such as DROP, TRUNCATE, ALTER or RENAME."""
        if not self.statement or _HARMLESS.match(self.statement):
            return False
        in_use = self.database == SITE and not _OF_DATABASES.match(self.statement)
        return in_use or re.search(rf"\b{SITE}\b", self.statement) is not None


def read(output: str) -> list[Transaction]:
    """The transactions in the output of mysqlbinlog --base64-output=DECODE-ROWS -v, in their order.

    One that is cut off is returned as far as it goes: compare the GTIDs with those that were asked for.
    """
    return list(_transactions(output))


def _transactions(output: str) -> Iterator[Transaction]:
    _, *parts = _COMMITTED.split(output)
    database = ""  # mysqlbinlog prints the database only when it changes
    for committed, text in zip(parts[::2], parts[1::2], strict=True):
        gtid, rows = _GTID.search(text), Counter(_ROW.findall(text))
        statement = ""
        for query in _QUERY.findall(text):
            found = _USE.search(query)
            database = found[1] if found else database
            statement = _without_settings(query)
        if gtid:
            yield Transaction(gtid[1].lower(), int(committed) / 1e6, rows, statement, database)


def _without_settings(query: str) -> str:
    """The statement after the settings of its session; '' if it only begins or ends a transaction."""
    lines = [line for line in query.splitlines() if not line.endswith(_ENDS_SETTING)]
    statement = _COMMENTS.sub("", "\n".join(lines), count=1).strip()
    return "" if statement in _OF_TRANSACTIONS else statement
