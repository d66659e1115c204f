"""The state of a MySQL server: the query that asks for it, and a pure parser of the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.durability import NONE, Durability, InForce, in_force
from lab.mysql import gtid

# One session of the client; --vertical because `\G` is refused in batch mode since MySQL 9.7.
# The semi-sync variables are asked by name in a table: without the plugin @@name would be an error.
CONNECT_S = 5
# MySQL's Uptime follows a clock that can be set, and the clocks of two machines differ after one was paused. So a
# process is identified by the boot ID and its start time in clock ticks, proc_pid_stat(5).
QUESTION = f"""mysql --connect-timeout={CONNECT_S} --vertical <<'END_OF_SQL'
SELECT @@version AS version, @@server_uuid AS uuid, @@global.read_only AS read_only,
@@global.gtid_executed AS gtid_executed, @@global.gtid_purged AS purged,
(SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'site') AS has_site,
(SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'site' AND table_name = 'notes'
 AND column_name = 'token' AND column_key = 'PRI') AS unique_key,
(SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'site' AND table_name = 'repeats'
 AND column_name = 'id') AS has_repeats,
(SELECT variable_value FROM performance_schema.global_variables
 WHERE variable_name = 'rpl_semi_sync_source_enabled') AS semi_sync,
(SELECT variable_value FROM performance_schema.global_variables
 WHERE variable_name = 'rpl_semi_sync_source_timeout') AS semi_sync_timeout_ms,
(SELECT variable_value FROM performance_schema.global_status
 WHERE variable_name = 'Rpl_semi_sync_source_status') AS semi_sync_status,
(SELECT variable_value FROM performance_schema.global_status
 WHERE variable_name = 'Rpl_semi_sync_source_wait_sessions') AS semi_sync_waiting,
(SELECT COUNT(*) FROM performance_schema.threads
 WHERE processlist_state = 'waiting for handler commit') AS commits_behind;
SHOW REPLICA STATUS;
END_OF_SQL
{{ read -r pid < /sys/fs/cgroup/system.slice/mysql.service/cgroup.procs && read -r up rest < /proc/uptime &&
  read -r stat < /proc/$pid/stat && set -- ${{stat##*) }} && echo "process_age: $(( ${{up%.*}} - ${{20}} / 100 ))" &&
  read -r boot < /proc/sys/kernel/random/boot_id && echo "process_start: $boot ${{20}}"
}} 2>/dev/null"""


@dataclass(frozen=True)
class Database:
    """One MySQL server; `source` is the address it replicates from, '' if none; `stopped`: a replica thread is stopped.

    `received`: transactions that came from the source, applied or not; `purged`: transactions that can no longer be
    fetched from here. `waits`: semi-sync is ON, so each commit waits for a replica; `waiting`: commits that wait now.
    `unique_key`: the table of notes has one; `has_repeats`: the site's newer table exists; both are True if not asked.
    `age_s`: seconds since its process started, by a clock that can't be set. `start`: identifies that start, '' if it
    is not known.
    """

    node: str
    version: str
    writable: bool
    gtid_executed: str
    has_site: bool
    source: str = ""
    receiving: bool = False
    applying: bool = False
    lag_s: int | None = None
    error: str = ""
    durability: InForce = Durability.ASYNC
    stopped: bool = False
    uuid: str = ""
    unique_key: bool = True
    has_repeats: bool = True
    received: str = ""
    purged: str = ""
    waits: bool = False
    age_s: int = 0
    start: str = ""
    waiting: int = 0
    applier_error: str = ""

    @property
    def has(self) -> str:
        """All transactions that this server has, including those it has not applied yet."""
        return ",".join(filter(None, (self.gtid_executed, self.received)))

    @property
    def waits_for_none(self) -> bool:
        """Whether the source's side of semi-sync is off, as a replica needs it."""
        return self.durability in (NONE, Durability.ASYNC)

    @property
    def cannot_apply(self) -> bool:
        """Whether its applier stopped with an error: what it received does not fit its data or can't be read."""
        return bool(self.applier_error) and not self.applying

    @property
    def stuck(self) -> bool:
        """Whether it can't apply what it received."""
        return bool(self.error) and not self.applying and not gtid.subset(self.received, self.gtid_executed)

    @property
    def replicating(self) -> bool:
        """Whether both replica threads run."""
        return self.receiving and self.applying

    @property
    def role(self) -> str:
        """'primary' if it is writable and applies nothing, 'replica' if it has a source, else 'unassigned'.

        A primary has a source while it swaps roles with its replica: it already receives from it.
        """
        if self.writable and not self.applying:
            return "primary"
        return "replica" if self.source else "unassigned"


def lost(server: Database, other: Database) -> gtid.Intervals:
    """Transactions its machine wrote and a server lost: a receiver skips its own server_id, so it needs a copy.

    A machine that was created again has a new server_uuid, so every transaction that `other` did not write counts.
    https://dev.mysql.com/doc/refman/8.4/en/replication-options-replica.html#option_mysqld_replicate-same-server-id
    """
    lacks = gtid.minus(other.gtid_executed, server.gtid_executed)
    return {source: it for source, it in lacks.items() if source not in made_by(other, lacks)}


def made_by(server: Database, sets: gtid.Intervals) -> gtid.Intervals:
    """The transactions of a set that a server wrote itself."""
    return {source: it for source, it in sets.items() if source.partition(":")[0] == server.uuid}


def errant(replica: Database, primary: Database) -> int:
    """The number of transactions that the replica wrote itself and the primary lacks.

    Only those of its own server_uuid count: it may have received newer ones after the primary was asked.
    """
    return gtid.count(made_by(replica, gtid.minus(replica.gtid_executed, primary.gtid_executed)))


def compared(server: Database, other: Database) -> str:
    """What a server has and lacks beside another one, in words: 'misses 1 transaction'."""
    own = gtid.count(gtid.minus(server.gtid_executed, other.gtid_executed))
    lacks = gtid.count(gtid.minus(other.gtid_executed, server.gtid_executed))
    parts = [f"has {gtid.counted(own)} that {other.node} has not"] if own else []
    parts += [f"misses {gtid.counted(lacks)}"] if lacks else []
    return " and ".join(parts) or f"has the same transactions as {other.node}"


def read(node: str, output: str) -> Database | None:
    """Parse the answer to QUESTION; None if the server did not answer."""
    return from_rows(node, vertical(output))


def from_rows(node: str, rows: Sequence[Mapping[str, str]]) -> Database | None:
    """The same from the rows of an answer: the server's own state, then its replica status if it has one."""
    if not rows or "gtid_executed" not in rows[0]:
        return None
    own, replica = rows[0], rows[1] if len(rows) > 1 else {}
    lag = replica.get("Seconds_Behind_Source", "NULL")
    return Database(
        node=node,
        version=own["version"],
        writable=own["read_only"] == "0",
        gtid_executed=_one_line(own["gtid_executed"]),
        has_site=own["has_site"] == "1",
        source=replica.get("Source_Host", ""),
        receiving=replica.get("Replica_IO_Running") == "Yes",
        applying=replica.get("Replica_SQL_Running") == "Yes",
        lag_s=int(lag) if lag.isdigit() else None,
        error=replica.get("Last_IO_Error", "") or replica.get("Last_SQL_Error", ""),
        applier_error=replica.get("Last_SQL_Error", ""),
        durability=in_force(own.get("semi_sync", ""), int(own.get("semi_sync_timeout_ms") or 0)),
        uuid=own.get("uuid", ""),
        received=_one_line(replica.get("Retrieved_Gtid_Set", "")),
        purged=_one_line(own.get("purged", "")),
        waits=own.get("semi_sync_status") == "ON",
        unique_key=own.get("unique_key", "1") == "1",
        has_repeats=own.get("has_repeats", "1") == "1",
        age_s=int(rows[-1].get("process_age", "0")),
        start=rows[-1].get("process_start", ""),
        waiting=_waiting(own),
        stopped="No" in (replica.get("Replica_IO_Running"), replica.get("Replica_SQL_Running")),
    )


def _one_line(gtids: str) -> str:
    return gtids.replace("\n", "").replace(" ", "")


def _waiting(own: Mapping[str, str]) -> int:
    """The number of commits that wait for a replica, and of those queued behind them."""
    first, behind = (int(own.get(name, "0") or 0) for name in ("semi_sync_waiting", "commits_behind"))
    return first + behind if first else 0


def vertical(output: str) -> list[dict[str, str]]:
    """The rows of `mysql --vertical`; a value may continue on the lines below its name."""
    rows: list[dict[str, str]] = []
    name = ""
    for line in output.splitlines():
        if line.startswith("*****"):
            rows.append({})
            continue
        key, colon, value = line.partition(": ")
        if rows and colon and key.strip().replace("_", "").isalnum():
            name = key.strip()
            rows[-1][name] = value.strip()
        elif rows and line.rstrip().endswith(":") and line.strip()[:-1].replace("_", "").isalnum():
            name = line.strip()[:-1]
            rows[-1][name] = ""
        elif rows and name:
            rows[-1][name] += "\n" + line.strip()
    return rows
