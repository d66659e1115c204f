"""A simulated MySQL server: its variables, its transactions, who may write, and the tables that it shows."""

import time
from typing import TYPE_CHECKING

from lab.durability import NONE, SETTINGS, WITHOUT_END_MS
from lab.mysql.server_state import Database
from lab.topology import Node
from tests.support.simulated.errors import LOST, SqlError
from tests.support.simulated.gtid_sets import following, union
from tests.support.simulated.replica import BOTH, Replica

if TYPE_CHECKING:
    from tests.support.simulated.cluster import Cluster
    from tests.support.simulated.sessions import Session

Value = bool | int | str
SEMI_SYNC, SEMI_SYNC_MS = "rpl_semi_sync_source_enabled", "rpl_semi_sync_source_timeout"
CLONE_WAITS_S = 3.0  # real MySQL waits without end
WRITERS = 3  # visitors whose writes wait at the same time


class Server:
    """A server in the state of `it`; `runs`: its process exists, `silent`: that process does not answer.

    `waiting`: commits that wait for a replica; the binary log holds them already. Faults: `hangs`: no commit ends.
    `broken`: it does not start. `refused`: statements with this text get this error. `unanswered`: statements with
    this text are executed, but their client gets no answer. `held`: statements with this text begin much later.
    `slow`: statements with this text take so many seconds.
    """

    def __init__(self, cluster: "Cluster", node: Node, it: Database) -> None:
        enabled, timeout_ms = SETTINGS[it.durability]
        self.cluster, self.node, self.uuid, self.version = cluster, node, it.uuid, it.version
        self.uuids = {it.uuid}  # those that the machine had
        self.executed, self.purged, self.has_site = it.gtid_executed, it.purged, it.has_site
        self.unique_key, self.age_s = it.unique_key, it.age_s
        self.variables: dict[str, Value] = {
            **{"read_only": not it.writable, "super_read_only": not it.writable},
            **{SEMI_SYNC: enabled == "ON", SEMI_SYNC_MS: timeout_ms},
            **{"rpl_stop_replica_timeout": 31536000, "clone_valid_donor_list": ""},
        }
        self.replica = Replica(self, it.source, _threads(it), it.received, error=it.error)
        self.thrown_away = ""
        self.runs, self.silent, self.hangs, self.broken = True, False, False, False
        self.waiting = it.waiting
        self.refused: dict[str, SqlError] = {}
        self.unanswered: list[str] = []
        self.held: list[str] = []
        self.slow: dict[str, float] = {}
        self.sessions: dict[int, Session] = {}
        self.ahead_s, self.began_s, self.starts = 0.0, 0, 0

    @property
    def may_write(self) -> bool:
        """Whether it takes writes now, or when its frozen machine resumes."""
        return self.runs and not self.variables["read_only"] and self.cluster.power[self.node.name] != "off"

    @property
    def durability(self) -> str:
        """The durability of commits, as the lab names it."""
        without_end = self.number(SEMI_SYNC_MS) == WITHOUT_END_MS
        if not self.variables[SEMI_SYNC]:
            return NONE if without_end else "async"
        return "durable" if without_end else "available"

    @property
    def replicating(self) -> bool:
        """Whether both replica threads run."""
        return self.replica.running == BOTH and self.replica.connected

    @property
    def followed(self) -> list[Replica]:
        """The replicas that are connected to it."""
        all_ = [it.replica for it in self.cluster.servers]
        return [it for it in all_ if it.connected and it.source_server() is self]

    @property
    def waits_for_replica(self) -> bool:
        """Whether a commit here, or an applied transaction, would wait without end."""
        return self.durability == "durable" and not self.followed

    def number(self, name: str) -> int:
        """The value of a variable as a number."""
        return int(self.variables[name])

    def now(self) -> float:
        """The server's clock: seconds since 1970."""
        return time.time() + self.ahead_s

    def commit(self) -> None:
        """A visitor's write: acknowledged as the durability allows; without a durability the site writes no notes."""
        frozen = self.cluster.power[self.node.name] != "running"
        if not self.may_write or frozen or self.hangs or self.durability == NONE:
            return
        self.waiting = min(self.waiting + 1, WRITERS)
        if not self.waits_for_replica:
            self.release()

    def write(self) -> None:
        """A statement of root that goes to the binary log and to its replicas."""
        written = following(self.uuid, self.executed)
        self.executed = union(self.executed, written)
        for it in self.followed:
            it.received = union(it.received, written)

    def release(self) -> None:
        """The waiting commits return, and their clients take them for safe."""
        written = self._flush()
        for it in self.followed if self.variables[SEMI_SYNC] else []:
            it.received = union(it.received, written)
        self.cluster.acknowledged = union(self.cluster.acknowledged, written)

    def _flush(self) -> str:
        """Transactions in the binary log count as executed."""
        written = ""
        for _ in range(self.waiting):
            written = union(written, following(self.uuid, self.executed))
            self.executed = union(self.executed, written)
        self.waiting = 0
        return written

    def set_global(self, name: str, value: Value, lock_wait_timeout: int) -> None:
        """SET GLOBAL, with the effects of read_only and super_read_only on each other."""
        if name not in self.variables:
            raise self.cluster.not_taught(f"SET GLOBAL {name}")
        known = self.variables[name]
        value = bool(int(value)) if isinstance(known, bool) else type(known)(value)
        if name in ("read_only", "super_read_only") and value and not known and self.hangs:
            self._wait_for_commits(lock_wait_timeout)
        self.variables[name] = value
        if name == SEMI_SYNC and not value:
            self.release()
        if name == "super_read_only" and value:
            self.variables["read_only"] = True
        if name == "read_only" and not value:
            self.variables["super_read_only"] = False

    def _wait_for_commits(self, seconds: int) -> None:
        if seconds > 60:
            self.cluster.stalls()
            self.cluster.lock.wait_for(lambda: not self.hangs or self.cluster.over)
        if self.hangs:
            raise SqlError(1205, "Lock wait timeout exceeded; try restarting transaction")

    def stop(self) -> None:
        """The process shuts down normally, which releases the waiting commits."""
        self.cluster.note(self.node.name, "stop requested")
        with self.cluster.lock:
            self.release()
            self.runs = False
            self.cluster.lock.notify_all()
        self.cluster.note(self.node.name, "exited success exited 0")

    def kill(self) -> None:
        """The process is gone; clients that wait get no answer, and the binary log keeps its content."""
        with self.cluster.lock:
            self._flush()
            self.runs = False
            self.cluster.lock.notify_all()

    def start(self) -> None:
        """The process starts: read-only, with the default durability, and fetches the relay log again."""
        if self.runs or self.broken:
            return
        self.cluster.note(self.node.name, "started")
        self.runs, self.silent, self.hangs, self.age_s = True, False, False, 1
        self.began_s, self.starts = int(self.ahead_s), self.starts + 1
        self.variables |= {"read_only": True, "super_read_only": True, SEMI_SYNC: False, SEMI_SYNC_MS: WITHOUT_END_MS}
        self.replica.throw_away()
        self.replica.running = BOTH if self.replica.source else frozenset()

    def clone(self, session: "Session", address: str) -> None:
        """CLONE INSTANCE: the donor's data replaces its own, and the server restarts; first each commit there ends."""
        donor = next(it for it in self.cluster.servers if str(it.node.ip) == address)
        ended = self.cluster.lock.wait_for(lambda: session.killed or not donor.waiting, CLONE_WAITS_S)
        if session.killed or not ended:
            raise LOST
        if f"{address}:3306" not in str(self.variables["clone_valid_donor_list"]):
            raise SqlError(3870, "Clone Donor is not in the list")
        if self.variables["super_read_only"]:
            raise SqlError(1290, "The MySQL server is running with the --super-read-only option")
        self.executed, self.has_site, self.copied_from = donor.executed, donor.has_site, donor.node.name
        self.purged = donor.executed  # a copy comes without binary logs
        self.copies += 1
        self.stop()
        self.replica = Replica(self)
        self.start()

    copied_from = files = ""
    copies = 0


def _threads(it: Database) -> frozenset[str]:
    names = {"IO": it.receiving, "SQL": it.applying}
    return frozenset(name for name, runs in names.items() if runs)
