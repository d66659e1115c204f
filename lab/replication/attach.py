"""Attach a server to its source."""

import time

from lab import progress
from lab.errors import CommandFailed
from lab.mysql import gtid, last_seen
from lab.mysql.server_state import Database
from lab.nodes.facts import databases_of
from lab.nodes.ssh import Machine
from lab.replication.mysql_cli import sql

RESUMES_S = 15.0
# The source's side of semi-sync is switched off first: on a replica it blocks the applier.
SOURCE_SIDE_OFF = "SET GLOBAL rpl_semi_sync_source_enabled = OFF;"
APPLY = f"{SOURCE_SIDE_OFF} START REPLICA;"
# Applies what it received, without waiting, and stores the received set in @received.
APPLY_RECEIVED = f"""{SOURCE_SIDE_OFF} START REPLICA SQL_THREAD;
SELECT COALESCE(MAX(received_transaction_set), '') INTO @received
FROM performance_schema.replication_connection_status;"""


# MySQL discards the relay log when the source is set again, and when a delay is set while no thread runs.
RESUME = f"""{SOURCE_SIDE_OFF} START REPLICA IO_THREAD; STOP REPLICA SQL_THREAD;
CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 0; START REPLICA SQL_THREAD;"""


def _receives(address: str, password: str) -> str:
    """The settings of the receiver; it retries for a day: if it gave up after ten tries it would lag unnoticed."""
    return (
        f"SOURCE_HOST = '{address}', SOURCE_PORT = 3306, SOURCE_USER = 'replication', SOURCE_PASSWORD = '{password}', "
        f"SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400, SOURCE_HEARTBEAT_PERIOD = 1, GET_SOURCE_PUBLIC_KEY = 1"
    )


def source(address: str, password: str) -> str:
    """SQL that sets the source; if no thread runs it discards what was received but not applied."""
    return f"CHANGE REPLICATION SOURCE TO {_receives(address, password)}, SOURCE_AUTO_POSITION = 1, SOURCE_DELAY = 0;"


def receive_anew(address: str, password: str) -> str:
    """SQL that repairs the settings of the receiver; the applier keeps running, so the relay log stays.

    https://dev.mysql.com/doc/refman/8.4/en/change-replication-source-to.html
    """
    change = f"CHANGE REPLICATION SOURCE TO {_receives(address, password)};"
    return f"STOP REPLICA IO_THREAD; {change} START REPLICA IO_THREAD;"


def follow(address: str, password: str) -> str:
    """SQL that makes a read-only server the replica of that address, whatever its source was before."""
    return f"{SOURCE_SIDE_OFF} STOP REPLICA; {source(address, password)} START REPLICA;"


def listen(address: str, password: str) -> str:
    """SQL that makes a primary receive from its replica, without applying, before they swap roles."""
    return f"STOP REPLICA; {source(address, password)} START REPLICA IO_THREAD;"


class Resumed:
    """A replica that is set to follow `source`; if it did so already, it goes on with its relay log.

    If it does not go on it is repaired once: a setting of its source may be wrong, or the relay log can't be read. The
    relay log is discarded only if the source answers and has all of it. That is recorded first, so that a later
    promotion notices what was not fetched again.
    """

    def __init__(self, machine: Machine, source: Machine, password: str, *, resumes: bool) -> None:
        self.machine, self.source, self.password = machine, source, password
        self.address = str(source.node.ip)
        self.latest = time.monotonic() + RESUMES_S if resumes else None
        try:
            sql(machine, RESUME if resumes else follow(self.address, password), "replicates")
        except CommandFailed:
            if not resumes:
                raise
            self.latest = time.monotonic()

    def look(self, own: Database) -> None:
        """Repair it if it did not go on; its receiver stops first, so that all it confirmed is on record."""
        if own.replicating or self.latest is None or time.monotonic() < self.latest:
            return
        sql(self.machine, "STOP REPLICA IO_THREAD;", "receives no more")
        now = databases_of([self.machine])[own.node]
        source = databases_of([self.source])[self.source.node.name]
        if now and now.applying:
            self._mend(now, receive_anew(self.address, self.password), f"receives from {self.source.node.name} again")
        elif now and source and gtid.subset(now.has, source.gtid_executed):
            self._mend(now, follow(self.address, self.password), f"fetches everything from {source.node} again")
        else:
            sql(self.machine, "START REPLICA IO_THREAD;", "receives again")

    def _mend(self, own: Database, text: str, what: str) -> None:
        progress.say(own.node, f"does not resume replication by itself: {own.error}".rstrip(": "))
        last_seen.throws_away(own.has)
        sql(self.machine, text, what)
        self.latest = None
